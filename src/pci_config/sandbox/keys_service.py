"""Mends moto's KMS: a key that CloudFormation makes keeps its tags."""

from __future__ import annotations

from typing import Any

from moto.kms.models import Key

_moto_create = Key.create_from_cloudformation_json


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    Key.create_from_cloudformation_json = staticmethod(_create)  # type: ignore[method-assign]


def _create(resource_name: str, cloudformation_json: dict[str, Any], *arguments: Any, **options: Any) -> Key:
    """moto reads tags in the form of the KMS API, and CloudFormation has them in its own."""
    properties = cloudformation_json["Properties"]
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags") or []]
    content = {**cloudformation_json, "Properties": {**properties, "Tags": tags}}
    return _moto_create(resource_name, content, *arguments, **options)
