"""Configuration items in every form AWS Config gives them, brought to the one form a rule receives.

Forms: the event of a rule, snapshot and history files, GetResourceConfigHistory and GetAggregateResourceConfig,
BatchGet(Aggregate)ResourceConfig, Select(Aggregate)ResourceConfig results. Sources: Config API reference; recorded items.

Runs in Lambda: standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

EVALUATED_STATUSES = frozenset({"OK", "ResourceDiscovered"})
CI_VERSION = "1.3"
EXACT_FLOATS = 2**53  # whole numbers from here on may have lost their last digits in a float

# Where a query result says `{"value": x}` for a plain x, by type. Source: aws-config-resource-schema of 2025-03, properties
# that end in `.value` and have no sibling; recorded results of RDS clusters. Everywhere else `{"value": x}` may be meant.
_WRAPPED: dict[str, frozenset[str]] = {
    "AWS::EC2::Subnet": frozenset({"configuration.state"}),
    "AWS::EC2::VPC": frozenset({"configuration.state"}),
    "AWS::EC2::Volume": frozenset({"configuration.state"}),
    "AWS::ElasticLoadBalancing::LoadBalancer": frozenset(
        {"configuration.availabilityZones", "configuration.securityGroups", "configuration.subnets"}
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": frozenset({"configuration.securityGroups"}),
    "AWS::Lambda::Function": frozenset({"configuration.state", "configuration.stateReason"}),
    "AWS::RDS::DBCluster": frozenset({"configuration.availabilityZones", "configuration.endpoint"}),
}

# event form key, and the other spelling that is tried where there is none of it
_SPELLINGS = (
    ("configurationItemVersion", "version"),
    ("awsAccountId", "accountId"),
    ("ARN", "arn"),
    ("configurationStateMd5Hash", "configurationItemMD5Hash"),
)
_PLAIN = ("awsRegion", "resourceType", "resourceId", "resourceName", "availabilityZone", "configurationItemStatus")


class ItemFormError(ValueError):
    """The text or object is no configuration item; the message says why."""


def to_event_form(raw: Mapping[str, Any] | str, resource_type: str | None = None) -> dict[str, Any]:
    """The item with all 18 keys of event form, whatever API or file it came from.

    A string is a result of Select(Aggregate)ResourceConfig; `resource_type` is the type the query asked for, when the type
    itself was not selected. Raises ItemFormError when there is no type or id, or when a part that must be JSON is not.
    """
    if isinstance(raw, str):
        return selected(raw, resource_type)[0]
    if not isinstance(raw, Mapping):
        raise ItemFormError(f"a configuration item is an object, not {type(raw).__name__}")
    member = raw.get
    item: dict[str, Any] = {key: member(other) if (value := member(key)) is None else value for key, other in _SPELLINGS}
    for key in _PLAIN:
        item[key] = member(key)
    item["resourceType"] = item["resourceType"] or resource_type
    for key in ("resourceType", "resourceId"):
        if not isinstance(item[key], str) or not item[key]:
            raise ItemFormError(f"{key} is missing")
    item["configurationItemVersion"] = item["configurationItemVersion"] or CI_VERSION
    item["configurationStateMd5Hash"] = item["configurationStateMd5Hash"] or ""
    item["configurationItemStatus"] = item["configurationItemStatus"] or "OK"
    item["configurationItemCaptureTime"] = _time(raw.get("configurationItemCaptureTime"))
    item["resourceCreationTime"] = _time(raw.get("resourceCreationTime"))
    item["configurationStateId"] = _state_id(raw.get("configurationStateId"))
    item["configuration"] = _decoded(raw.get("configuration"), "configuration")
    supplementary = dict(raw.get("supplementaryConfiguration") or {})
    if supplementary and _is_api_form(raw):
        # a value that is JSON text in the event (AccessControlList) is encoded twice in the API, so one layer is taken off
        supplementary = {name: _decoded(value, f"supplementaryConfiguration.{name}") for name, value in supplementary.items()}
    item["supplementaryConfiguration"] = supplementary
    item["tags"] = _tags(raw.get("tags"))
    item["relationships"] = [_relationship(entry) for entry in raw.get("relationships") or []]
    item["relatedEvents"] = list(raw.get("relatedEvents") or [])
    return item


def _is_api_form(raw: Mapping[str, Any]) -> bool:
    """API replies say `version`, events and files say `configurationItemVersion`."""
    return "configurationItemVersion" not in raw and isinstance(raw.get("configuration"), str)


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ItemFormError(f"{where} is not JSON: {error}") from None


def _decoded(value: Any, where: str) -> Any:
    return _loads(value, where) if isinstance(value, str) else value


def _time(value: Any) -> str | None:
    """Times as Config writes them in events: `2026-10-05T08:14:27.381Z`."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"
    return None


def _state_id(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return dict(value)
    return {entry["key"]: entry.get("value", "") for entry in value or () if isinstance(entry, Mapping) and "key" in entry}


def _relationship(entry: Mapping[str, Any]) -> dict[str, Any]:
    member = entry.get
    return {
        "resourceId": member("resourceId"),
        "resourceName": member("resourceName"),
        "resourceType": member("resourceType"),
        "name": entry["name"] if "name" in entry else member("relationshipName"),
    }


def selected(text: str, resource_type: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """A result of Select(Aggregate)ResourceConfig in event form, and the paths at which it may differ from the event.

    A query gives every number as a float, drops nulls and wraps some plain values as `{"value": x}`. Numbers come back
    exactly, except very large ones. Nulls stay away: rules take an absent member as they take null. Wrapped values come back
    exactly where the type is known to wrap; elsewhere the path is named, so that the caller asks another API. Raises
    ItemFormError.
    """
    raw = _loads(text, "result")
    if not isinstance(raw, Mapping):
        raise ItemFormError(f"a result is an object, not {type(raw).__name__}")
    doubts: list[str] = []
    wrapped = _WRAPPED.get(str(raw.get("resourceType") or resource_type), frozenset())
    restored = {key: _unselect(value, key, wrapped, doubts) for key, value in raw.items()}
    return to_event_form(restored, resource_type), sorted(set(doubts))


def _unselect(value: Any, path: str, wrapped: frozenset[str], doubts: list[str]) -> Any:
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= EXACT_FLOATS:
            doubts.append(path)
        return int(value)
    if isinstance(value, Mapping):
        if set(value) == {"value"}:
            if path in wrapped:
                return _unselect(value["value"], path, wrapped, doubts)
            doubts.append(path)
        return {key: _unselect(entry, f"{path}.{key}", wrapped, doubts) for key, entry in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(entry, Mapping) and set(entry) == {"value"} for entry in value):
            if path not in wrapped:
                doubts.append(path)
            return [_unselect(entry["value"], path, wrapped, doubts) for entry in value]
        return [_unselect(entry, path, wrapped, doubts) for entry in value]
    return value


def new_item(
    *,
    account_id: str,
    region: str,
    resource_type: str,
    resource_id: str,
    configuration: Any,
    capture_time: datetime,
    arn: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    supplementary: Mapping[str, Any] | None = None,
    relationships: list[tuple[str, str]] | None = None,
    status: str = "OK",
    created: datetime | None = None,
) -> dict[str, Any]:
    """An item in event form, for collectors and tests. `relationships` are (resource type, resource id)."""
    return {
        "relatedEvents": [],
        "relationships": [
            {"resourceId": target_id, "resourceName": None, "resourceType": target_type, "name": "Is associated with "}
            for target_type, target_id in relationships or []
        ],
        "configuration": configuration,
        "supplementaryConfiguration": {} if supplementary is None else supplementary,
        "tags": dict(tags or {}),
        "configurationItemVersion": CI_VERSION,
        "configurationItemCaptureTime": _time(capture_time),
        "configurationStateId": int(capture_time.timestamp() * 1000),
        "awsAccountId": account_id,
        "configurationItemStatus": status,
        "resourceType": resource_type,
        "resourceId": resource_id,
        "resourceName": name,
        "ARN": arn,
        "awsRegion": region,
        "availabilityZone": "Not Applicable",
        "configurationStateMd5Hash": "",
        "resourceCreationTime": _time(created),
    }
