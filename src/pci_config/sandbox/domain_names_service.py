"""Adds to moto's API Gateway the changes of custom domain names.

Source: API Gateway API references (UpdateDomainName of both versions).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.apigateway.responses import APIGatewayResponse
from moto.apigatewayv2.responses import ApiGatewayV2Response

MEMBERS = {"/securityPolicy": "security_policy"}


def install() -> None:
    """Teach moto what this module has. Installing again changes nothing."""
    APIGatewayResponse.update_domain_name = update_domain_name  # type: ignore[attr-defined]
    ApiGatewayV2Response.update_domain_name = update_http_domain_name  # type: ignore[attr-defined]


def update_domain_name(self: Any) -> Any:
    domain_name = self.backend.get_domain_name(unquote(self.path.split("/")[2]))
    for operation in self._get_param("patchOperations"):
        if operation["op"] != "replace" or operation["path"] not in MEMBERS:
            raise NotImplementedError(f"{operation['op']} {operation['path']}")
        setattr(domain_name, MEMBERS[operation["path"]], operation["value"])
    return json.dumps(domain_name.to_json())


def update_http_domain_name(self: Any) -> Any:
    given = json.loads(self.body)
    domain_name = self.apigatewayv2_backend.get_domain_name(unquote(self.path.split("/")[-1]))
    if "domainNameConfigurations" in given:
        domain_name.domain_name_configurations = given["domainNameConfigurations"]
    return 200, {}, json.dumps(domain_name.to_json())
