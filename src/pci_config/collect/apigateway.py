"""REST APIs of API Gateway and their stages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import only, recorded, short_time
from pci_config.rule import Clients

API, STAGE = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"
RESOURCE_TYPES = (API, STAGE)
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
