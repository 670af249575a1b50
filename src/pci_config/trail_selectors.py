"""Completes a trail's event selectors: what is missing is added, and nothing that was selected before is lost.

Source: CloudTrail API reference, PutEventSelectors (basic or advanced, never both; at most five basic selectors with 250
resources, 500 values in advanced ones; an event is logged when any selector matches it) and AdvancedFieldSelector.
Standard library only: inlined into the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pci_config.trail import ALL_BUCKETS, S3_OBJECTS, MalformedTrailError, object_prefix, selector_gaps

MAX_BASIC_SELECTORS, MAX_BASIC_RESOURCES, MAX_ADVANCED_VALUES = 5, 250, 500
OBJECTS_NAME = "pci-config: objects of archive and CDE buckets"
# of the resource types that basic selectors know: how their values are compared (CloudTrail user guide, data events)
BASIC_OPERATORS = {S3_OBJECTS: "StartsWith", "AWS::Lambda::Function": "Equals", "AWS::DynamoDB::Table": "Equals"}
WHOLE_SERVICE = re.compile(r"arn:[a-z-]+:(s3|s3:::|lambda|dynamodb)")
READ_ONLY: dict[str, list[str]] = {"All": [], "ReadOnly": ["true"], "WriteOnly": ["false"]}
CATEGORY = "eventCategory"


def completed_selectors(selectors: Mapping[str, Any], buckets: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The parameters of PutEventSelectors that leave no gap of `selector_gaps`.

    Basic selectors stay basic where that can say it. Raises MalformedTrailError for what is not understood or has no room.
    """
    basic, advanced = selectors.get("EventSelectors") or [], selectors.get("AdvancedEventSelectors") or []
    if basic and advanced:
        raise MalformedTrailError("the trail has basic and advanced event selectors, which CloudTrail does not know")
    unbounded = [bucket for bucket in _uncovered(selectors, buckets) if object_prefix(bucket) in ALL_BUCKETS]
    if unbounded:
        raise MalformedTrailError(f"the bucket pattern {unbounded[0]} stands for every bucket: name the buckets")
    kept = _basic_completed(basic, buckets) if basic else None
    if kept is not None:
        return {"EventSelectors": kept}
    entries = [entry for selector in basic for entry in _as_advanced(selector)] or [dict(entry) for entry in advanced]
    return {"AdvancedEventSelectors": _advanced_completed(entries, buckets)}


def _uncovered(selectors: Mapping[str, Any], buckets: Sequence[str]) -> list[str]:
    management = len(selector_gaps(selectors, ()))
    return [bucket for bucket in buckets if len(selector_gaps(selectors, (bucket,))) > management]


# --------------------------------------------------------------------------------------------------------------- basic


def _basic_completed(selectors: Sequence[Mapping[str, Any]], buckets: Sequence[str]) -> list[dict[str, Any]] | None:
    """None when basic selectors cannot say it."""
    entries = [dict(selector) for selector in selectors]
    if selector_gaps({"EventSelectors": entries}, ()):
        managing = [entry for entry in entries if entry.get("IncludeManagementEvents")]
        for entry in managing:
            entry["ExcludeManagementEventSources"] = []
        if selector_gaps({"EventSelectors": entries}, ()):
            plain = [entry for entry in managing if not entry.get("DataResources")]  # widening others logs more data events
            if plain:
                plain[0]["ReadWriteType"] = "All"
            else:
                entries.append(_basic_entry(True, []))
    missing = _uncovered({"EventSelectors": entries}, buckets)
    if missing:
        values = sorted({object_prefix(bucket) for bucket in missing})
        if not all(value.endswith("/") for value in values):
            return None  # a bucket's whole name is needed
        entries.append(_basic_entry(False, [{"Type": S3_OBJECTS, "Values": values}]))
    resources = sum(len(data.get("Values") or []) for entry in entries for data in entry.get("DataResources") or [])
    fits = len(entries) <= MAX_BASIC_SELECTORS and resources <= MAX_BASIC_RESOURCES
    return entries if fits else None


def _basic_entry(management: bool, resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "ReadWriteType": "All",
        "IncludeManagementEvents": management,
        "DataResources": resources,
        "ExcludeManagementEventSources": [],
    }


def _as_advanced(selector: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Selectors that log exactly what the basic one does."""
    kind = selector.get("ReadWriteType")
    if kind not in READ_ONLY:
        raise MalformedTrailError(f"ReadWriteType is {kind!r}")
    read_only = [_field("readOnly", "Equals", READ_ONLY[kind])] if READ_ONLY[kind] else []
    if selector.get("IncludeManagementEvents"):
        excluded = list(selector.get("ExcludeManagementEventSources") or [])
        without = [_field("eventSource", "NotEquals", excluded)] if excluded else []
        yield {"FieldSelectors": [_field(CATEGORY, "Equals", ["Management"]), *read_only, *without]}
    for data in selector.get("DataResources") or []:
        resource_type, values = data.get("Type"), list(data.get("Values") or [])
        if resource_type not in BASIC_OPERATORS:
            raise MalformedTrailError(f"DataResources has the type {resource_type!r}")
        if not values:
            continue
        whole = any(WHOLE_SERVICE.fullmatch(value) for value in values)
        arns = [] if whole else [_field("resources.ARN", BASIC_OPERATORS[resource_type], values)]
        kinds = [_field(CATEGORY, "Equals", ["Data"]), _field("resources.type", "Equals", [resource_type])]
        yield {"FieldSelectors": [*kinds, *read_only, *arns]}


# ------------------------------------------------------------------------------------------------------------ advanced


def _advanced_completed(entries: Sequence[dict[str, Any]], buckets: Sequence[str]) -> list[dict[str, Any]]:
    found = list(entries)
    if selector_gaps({"AdvancedEventSelectors": found}, ()):
        managing = [entry for entry in found if _is_of_management(entry)]
        whole = {"FieldSelectors": [_field(CATEGORY, "Equals", ["Management"])]}
        if managing and managing[0].get("Name"):
            whole = {"Name": managing[0]["Name"], **whole}
        found = [whole, *(entry for entry in found if not _is_of_management(entry))]
    missing = _uncovered({"AdvancedEventSelectors": found}, buckets)
    if missing:
        values = sorted({object_prefix(bucket) for bucket in missing})
        fields = [
            _field(CATEGORY, "Equals", ["Data"]),
            _field("resources.type", "Equals", [S3_OBJECTS]),
            _field("resources.ARN", "StartsWith", values),
        ]
        found.append({"Name": _free_name(found), "FieldSelectors": fields})
    size = sum(
        len(values)
        for entry in found
        for field in entry.get("FieldSelectors") or []
        for name, values in field.items()
        if name != "Field"
    )
    if size > MAX_ADVANCED_VALUES:
        raise MalformedTrailError(f"the event selectors would have {size} values, CloudTrail takes {MAX_ADVANCED_VALUES}")
    return found


def _is_of_management(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("FieldSelectors") or []
    return any(field.get("Field") == CATEGORY and field.get("Equals") == ["Management"] for field in fields)


def _free_name(entries: Sequence[Mapping[str, Any]]) -> str:
    taken = {entry.get("Name") for entry in entries}
    names = (OBJECTS_NAME, *(f"{OBJECTS_NAME} ({number})" for number in range(2, len(entries) + 3)))
    return next(name for name in names if name not in taken)


def _field(name: str, operator: str, values: list[str]) -> dict[str, Any]:
    return {"Field": name, operator: values}
