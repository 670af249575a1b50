"""Adds to moto's API Gateway v2 the change of stages (UpdateStage, DeleteAccessLogSettings).

Source: API Gateway v2 API reference.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2 import urls
from moto.apigatewayv2.responses import ApiGatewayV2Response

CHANGED = {
    "accessLogSettings": "access_log_settings",
    "autoDeploy": "auto_deploy",
    "clientCertificateId": "client_certificate_id",
    "defaultRouteSettings": "default_route_settings",
    "description": "description",
    "routeSettings": "route_settings",
    "stageVariables": "stage_variables",
}


def install() -> None:
    """Teach moto the actions of this module, before its first call. Installing again changes nothing."""
    for action in (update_stage, delete_access_log_settings):
        setattr(ApiGatewayV2Response, action.__name__, action)
    path = "{0}/v2/apis/(?P<api_id>[^/]+)/stages/(?P<stage_name>[^/]+)/accesslogsettings$"
    urls.url_paths[path] = ApiGatewayV2Response.dispatch


def _stage(self: Any) -> Any:
    _, _, _, api_id, _, name, *_ = self.path.split("/")
    return self.apigatewayv2_backend.get_stage(api_id, unquote(name))


def update_stage(self: Any) -> Any:
    stage = _stage(self)
    for name, value in json.loads(self.body).items():
        if name in CHANGED:
            setattr(stage, CHANGED[name], value)
    return 200, {}, json.dumps(stage.to_json())


def delete_access_log_settings(self: Any) -> Any:
    _stage(self).access_log_settings = None
    return 204, {}, ""
