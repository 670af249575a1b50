"""Lifecycle rules of S3 in the first SDK's words: -1 where there is no number of days, a predicate where there is a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.collect._shapes import first_small, recorded

NO_DAYS = -1


def lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One rule of GetBucketLifecycleConfiguration as an item has it."""
    expiration = rule.get("Expiration") or {}
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    abort = rule.get("AbortIncompleteMultipartUpload")
    return {
        "id": rule.get("ID"),
        "prefix": rule.get("Prefix"),
        "status": rule["Status"],
        "filter": {"predicate": _predicate(rule["Filter"])} if rule.get("Filter") is not None else None,
        "expirationInDays": expiration.get("Days", NO_DAYS),
        "expirationDate": recorded(expiration.get("Date")),
        "expiredObjectDeleteMarker": expiration.get("ExpiredObjectDeleteMarker", False),
        "noncurrentVersionExpirationInDays": noncurrent.get("NoncurrentDays", NO_DAYS),
        **({"noncurrentVersionExpiration": recorded(noncurrent)} if "NewerNoncurrentVersions" in noncurrent else {}),
        "transitions": [_transition(step) for step in rule.get("Transitions", [])] or None,
        "noncurrentVersionTransitions": [_noncurrent(step) for step in rule.get("NoncurrentVersionTransitions", [])] or None,
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": abort["DaysAfterInitiation"]} if abort else None,
    }


def _transition(step: Mapping[str, Any]) -> dict[str, Any]:
    return {"days": step.get("Days", NO_DAYS), "date": recorded(step.get("Date")), "storageClass": step["StorageClass"]}


def _noncurrent(step: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: step[key] for key, name in (("NewerNoncurrentVersions", "newerNoncurrentVersions"),) if key in step}
    return {"days": step.get("NoncurrentDays", NO_DAYS), "storageClass": step["StorageClass"], **kept}


def _predicate(where: Mapping[str, Any]) -> dict[str, Any] | None:
    """None for an empty filter, which is the whole bucket."""
    if "And" in where:
        operands = [_simple(name, value) for name, value in where["And"].items() if name != "Tags"]
        operands += [_simple("Tag", tag) for tag in where["And"].get("Tags", [])]
        return {"type": "LifecycleAndOperator", "operands": operands}
    for name, value in where.items():
        return _simple(name, value)
    return None


def _simple(name: str, value: Any) -> dict[str, Any]:
    if name == "Tag":
        return {"type": "LifecycleTagPredicate", "tag": recorded(value)}
    return {"type": f"Lifecycle{name}Predicate", first_small(name): value}
