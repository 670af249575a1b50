"""Mends moto's Lambda: a function that CloudFormation makes gets the tags of its template."""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaFunction

_moto_create = LambdaFunction.create_from_cloudformation_json


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    LambdaFunction.create_from_cloudformation_json = staticmethod(_create)  # type: ignore[method-assign]


def _create(resource_name: str, cloudformation_json: dict[str, Any], *arguments: Any, **options: Any) -> LambdaFunction:
    function = _moto_create(resource_name, cloudformation_json, *arguments, **options)
    tags = cloudformation_json["Properties"].get("Tags", [])
    function.tags = {tag["Key"]: tag["Value"] for tag in tags}
    return function
