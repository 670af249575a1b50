"""Mends moto's Lambda: a function that CloudFormation makes or updates gets the tags and the concurrency of its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.awslambda.models import LambdaFunction

_moto_create = LambdaFunction.create_from_cloudformation_json
_moto_update = LambdaFunction.update_from_cloudformation_json


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    LambdaFunction.create_from_cloudformation_json = staticmethod(_create)  # type: ignore[method-assign]
    LambdaFunction.update_from_cloudformation_json = staticmethod(_update)  # type: ignore[method-assign]


def _create(resource_name: str, cloudformation_json: dict[str, Any], *arguments: Any, **options: Any) -> LambdaFunction:
    function = _moto_create(resource_name, cloudformation_json, *arguments, **options)
    return _mended(function, cloudformation_json["Properties"])


def _update(
    original_resource: LambdaFunction,
    new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> LambdaFunction:
    function = _moto_update(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    return _mended(function, cloudformation_json["Properties"])


def _mended(function: LambdaFunction, properties: Mapping[str, Any]) -> LambdaFunction:
    function.tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    reserved = properties.get("ReservedConcurrentExecutions")
    function.reserved_concurrency = None if reserved is None else int(reserved)
    return function
