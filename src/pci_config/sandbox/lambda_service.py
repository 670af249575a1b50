"""Mends moto's CloudFormation for Lambda functions, which leaves their tags out."""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaFunction

_create = LambdaFunction.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]


def install() -> None:
    """Teach moto to tag functions of a stack. Installing again changes nothing."""
    LambdaFunction.create_from_cloudformation_json = classmethod(create)  # type: ignore[method-assign,assignment]


def create(cls: Any, resource_name: str, cloudformation_json: dict[str, Any], *arguments: Any, **more: Any) -> Any:
    function = _create(cls, resource_name, cloudformation_json, *arguments, **more)
    for tag in cloudformation_json["Properties"].get("Tags") or ():
        function.tags[tag["Key"]] = tag["Value"]
    return function
