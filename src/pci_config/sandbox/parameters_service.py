"""Mends moto's CloudFormation: a parameter of Parameter Store takes the tags of its template, which are an object there."""

from __future__ import annotations

from typing import Any

from moto.ssm.models import Parameter

_moto_create = Parameter.create_from_cloudformation_json


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    Parameter.create_from_cloudformation_json = staticmethod(_create)  # type: ignore[method-assign]


def _create(
    resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **options: Any
) -> Parameter:
    properties = dict(cloudformation_json["Properties"])
    if "Tags" in properties:
        properties["Tags"] = [{"Key": key, "Value": value} for key, value in properties["Tags"].items()]
    return _moto_create(resource_name, {**cloudformation_json, "Properties": properties}, account_id, region_name, **options)
