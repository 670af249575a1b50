"""Adds to moto's API Gateway the security policies of REST APIs.

Source: API Gateway API reference (CreateRestApi, UpdateRestApi).
"""

from __future__ import annotations

import json
from typing import Any

from moto.apigateway.models import RestAPI
from moto.apigateway.responses import APIGatewayResponse

MEMBERS = ("securityPolicy", "endpointAccessMode")

_to_dict, _apply, _create = RestAPI.to_dict, RestAPI.apply_patch_operations, APIGatewayResponse.create_rest_api


def install() -> None:
    """Teach moto what this module has. Installing again changes nothing."""
    RestAPI.to_dict = to_dict  # type: ignore[method-assign]
    RestAPI.apply_patch_operations = apply_patch_operations  # type: ignore[method-assign]
    APIGatewayResponse.create_rest_api = create_rest_api  # type: ignore[method-assign]


def _kept(api: Any) -> dict[str, str]:
    kept: dict[str, str] = api.__dict__.setdefault("sandbox_members", {})
    return kept


def to_dict(self: Any) -> dict[str, Any]:
    return {**_to_dict(self), **_kept(self)}


def apply_patch_operations(self: Any, patch_operations: list[dict[str, Any]]) -> None:
    # moto looks for its own paths anywhere in a path: "/policy" would not fit "/securityPolicy", others might
    for operation in patch_operations:
        if operation["path"].lstrip("/") in MEMBERS:
            _kept(self)[operation["path"].lstrip("/")] = operation["value"]
        else:
            _apply(self, [operation])


def create_rest_api(self: Any) -> Any:
    status, headers, body = _create(self)
    made = json.loads(body)
    api = self.backend.get_rest_api(made["id"]) if "id" in made else None
    if api is not None:
        _kept(api).update({name: self._get_param(name) for name in MEMBERS if self._get_param(name)})
        body = json.dumps(api.to_dict())
    return status, headers, body
