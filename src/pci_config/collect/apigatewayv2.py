"""HTTP and WebSocket APIs of API Gateway and their stages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import only, recorded, short_time
from pci_config.rule import Clients

API, STAGE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"
RESOURCE_TYPES = (API, STAGE)
ACTIONS = ("apigateway:GET",)
FREE_FORM = frozenset({"tags", "stageVariables"})


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    gateway = clients.build_client("apigatewayv2", region)
    recording = Recording(account_id, region, now)
    for page in gateway.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            arn = f"arn:{gateway.meta.partition}:apigateway:{region}::/apis/{api['ApiId']}"
            pages = gateway.get_paginator("get_stages").paginate(ApiId=api["ApiId"])
            stages = [stage for some in pages for stage in some["Items"]]
            configuration = only(
                _spelled(api),
                "apiId name description protocolType routeSelectionExpression apiKeySelectionExpression apiEndpoint"
                " createdDate disableExecuteApiEndpoint corsConfiguration version",
            )
            yield recording.item(
                API,
                arn,
                {**configuration, "tags": api.get("Tags") or {}},
                arn=arn,
                name=api["Name"],
                tags=api.get("Tags"),
                related=[Related(STAGE, "Contains ", f"{arn}/stages/{s['StageName']}", s["StageName"]) for s in stages],
                created=api.get("CreatedDate"),
            )
            for stage in stages:
                yield _stage(recording, arn, api["Name"], stage)


def _stage(recording: Recording, api_arn: str, api_name: str, stage: dict[str, Any]) -> dict[str, Any]:
    arn = f"{api_arn}/stages/{stage['StageName']}"
    configuration = only(
        _spelled(stage),
        "stageName description defaultRouteSettings stageVariables autoDeploy deploymentId accessLogSettings"
        " clientCertificateId createdDate lastUpdatedDate",
    )
    return recording.item(
        STAGE,
        arn,
        {
            "stageVariables": {},
            **configuration,
            # keys of this map are routes ("GET /cards")
            "routeSettings": {route: _spelled(settings) for route, settings in stage.get("RouteSettings", {}).items()},
            "tags": stage.get("Tags") or {},
        },
        arn=arn,
        name=stage["StageName"],
        tags=stage.get("Tags"),
        related=[Related(API, "Is contained in ", api_arn, api_name)],
        created=stage.get("CreatedDate"),
    )


def _spelled(found: dict[str, Any]) -> dict[str, Any]:
    spelled: dict[str, Any] = recorded(found, time=short_time, as_is=FREE_FORM)
    return spelled
