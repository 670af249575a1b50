"""REST APIs of API Gateway, their stages, and custom domain names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import first_capital, only, recorded, short_time
from pci_config.rule import Clients

API, STAGE, DOMAIN_NAME = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::DomainName"
RESOURCE_TYPES = (API, STAGE, DOMAIN_NAME)
ACTIONS = ("apigateway:GET",)
FREE_FORM = frozenset({"variables", "tags"})


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Members that the API has and AWS Config does not record (securityPolicy, say) are left out."""
    gateway = clients.build_client("apigateway", region)
    recording = Recording(account_id, region, now)
    for page in gateway.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            arn = f"arn:{gateway.meta.partition}:apigateway:{region}::/restapis/{api['id']}"
            stages = gateway.get_stages(restApiId=api["id"])["item"]  # all at once: GetStages has no pages
            yield recording.item(
                API,
                arn,
                only(_spelled(api), "id name description createdDate apiKeySource endpointConfiguration version"),
                arn=arn,
                name=api["name"],
                tags=api.get("tags"),
                related=[Related(STAGE, "Contains ", f"{arn}/stages/{s['stageName']}", s["stageName"]) for s in stages],
                created=api.get("createdDate"),
            )
            for stage in stages:
                yield _stage(recording, arn, api["name"], stage)
    for page in gateway.get_paginator("get_domain_names").paginate():
        for domain_name in page.get("items", []):
            if "PRIVATE" not in domain_name["endpointConfiguration"]["types"]:  # those are of another type, DomainNameV2
                yield _domain_name(recording, f"arn:{gateway.meta.partition}:apigateway:{region}::/domainnames/", domain_name)


def _domain_name(recording: Recording, base_arn: str, found: dict[str, Any]) -> dict[str, Any]:
    """A type of CloudFormation's registry: members that do not fit the endpoint type are absent."""
    name, tags = found["domainName"], found.get("tags") or {}
    types = found["endpointConfiguration"]["types"]
    members = "DomainName EndpointConfiguration SecurityPolicy EndpointAccessMode RoutingMode MutualTlsAuthentication"
    members += " OwnershipVerificationCertificateArn"
    if "REGIONAL" in types:
        members += " RegionalCertificateArn RegionalDomainName RegionalHostedZoneId"
    if "EDGE" in types:
        members += " CertificateArn DistributionDomainName DistributionHostedZoneId"
    spelled = only(recorded({**found, "tags": None}, rename=first_capital), members)
    if "EndpointConfiguration" in spelled:
        spelled["EndpointConfiguration"] = {"Types": types}
    return recording.item(
        DOMAIN_NAME,
        name,
        {**spelled, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]},
        arn=base_arn + name,
        name=name,
        tags=tags,
        zone="Regional",
        created=None,  # the API does not give it
    )


def _stage(recording: Recording, api_arn: str, api_name: str, stage: dict[str, Any]) -> dict[str, Any]:
    arn = f"{api_arn}/stages/{stage['stageName']}"
    configuration = only(
        _spelled(stage),
        "deploymentId stageName description cacheClusterEnabled cacheClusterSize cacheClusterStatus accessLogSettings"
        " clientCertificateId tracingEnabled webAclArn createdDate lastUpdatedDate documentationVersion canarySettings"
        " variables",
    )
    return recording.item(
        STAGE,
        arn,
        {**configuration, "methodSettings": stage.get("methodSettings") or {}},
        arn=arn,
        name=stage["stageName"],
        tags=stage.get("tags"),
        related=[Related(API, "Is contained in ", api_arn, api_name)],
        created=stage.get("createdDate"),
    )


def _spelled(found: dict[str, Any]) -> dict[str, Any]:
    spelled: dict[str, Any] = recorded(found, time=short_time, as_is=FREE_FORM)
    return spelled
