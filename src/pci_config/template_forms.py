"""Forms that the templates of org_setup share: parameters that may be `none`, their conditions, tags, reasons for checkov."""

from __future__ import annotations

from typing import Any

from pci_config.org_names import TAG, TAG_VALUE

NONE = "none"


def managed_tags() -> list[dict[str, str]]:
    return [{"Key": TAG, "Value": TAG_VALUE}]


def optional(description: str, pattern: str) -> dict[str, Any]:
    """A parameter that is `none` unless it is given. `pattern` is for what may be given, without anchors."""
    return {"Type": "String", "Default": NONE, "AllowedPattern": f"^({NONE}|{pattern})$", "Description": description}


def choice(description: str, *values: str) -> dict[str, Any]:
    """A parameter with these values; the first is the default."""
    return {"Type": "String", "Default": values[0], "AllowedValues": list(values), "Description": description}


def is_given(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, NONE]}]}


def only_if(condition: str, value: Any) -> dict[str, Any]:
    """The value where the condition holds; elsewhere the property, or the entry of the list, is not there."""
    return {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]}


def accepted(*reasons: tuple[str, str]) -> dict[str, Any]:
    """Metadata that tells checkov which of its checks a resource fails on purpose, and why."""
    return {"checkov": {"skip": [{"id": check, "comment": comment} for check, comment in reasons]}}
