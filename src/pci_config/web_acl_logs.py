"""Logging of AWS WAF's web ACLs: what the rule and its document agree on.

Sources: AWS WAF developer guide, logging web ACL traffic; API reference, LoggingConfiguration and LoggingFilter (at least one
filter; RedactedFields are UriPath, QueryString, SingleHeader and Method). Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAME_PREFIX = "aws-waf-logs-"
# Fields without which an entry no longer tells what was done (10.2.2); headers and query strings may hold card data
NEEDED_FIELDS = ("UriPath", "Method")
KEEP_BLOCKED = {"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}]}


def filter_faults(logging_filter: Mapping[str, Any] | None) -> list[str]:
    """What a logging filter may keep out. AWS does not say which of two filters that both fit wins: here the worse does."""
    if not logging_filter:
        return []
    filters = logging_filter["Filters"]
    if any(drops_blocked(entry) for entry in filters):
        return ["a logging filter drops blocked requests"]
    if logging_filter["DefaultBehavior"] == "KEEP":
        return []
    if any(entry["Behavior"] == "KEEP" and _fits_all_blocked(entry) for entry in filters):
        return []
    return ["the logging filter drops blocked requests that none of its filters keeps"]


def drops_blocked(entry: Mapping[str, Any]) -> bool:
    """Whether a filter drops blocked requests, or may."""
    return entry["Behavior"] == "DROP" and _may_fit_blocked(entry)


def _may_fit_blocked(entry: Mapping[str, Any]) -> bool:
    actions, labels = _conditions(entry)
    return "BLOCK" in actions or (labels and (entry["Requirement"] == "MEETS_ANY" or not actions))


def _fits_all_blocked(entry: Mapping[str, Any]) -> bool:
    actions, labels = _conditions(entry)
    return "BLOCK" in actions and (entry["Requirement"] == "MEETS_ANY" or (actions == {"BLOCK"} and not labels))


def _conditions(entry: Mapping[str, Any]) -> tuple[set[str], bool]:
    """Actions that a filter names, and whether it looks at labels too."""
    conditions = entry["Conditions"]
    actions = {condition["ActionCondition"]["Action"] for condition in conditions if "ActionCondition" in condition}
    return actions, any("ActionCondition" not in condition for condition in conditions)


def redacted_needed_fields(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in NEEDED_FIELDS if any(name in field for field in fields)]


def redaction_faults(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    found = redacted_needed_fields(fields)
    return [f"{' and '.join(found)} redacted: entries no longer tell what was requested"] if found else []


def keeping_blocked(logging_filter: Mapping[str, Any]) -> dict[str, Any] | None:
    """The filter without entries that drop blocked requests, and with one that keeps them where the default drops.

    None when nothing is left that filters. What does not keep a blocked request out stays as it is.
    """
    kept = [entry for entry in logging_filter["Filters"] if not drops_blocked(entry)]
    mended = {**logging_filter, "Filters": kept}
    if kept and not filter_faults(mended):
        return mended
    if logging_filter["DefaultBehavior"] == "KEEP":
        return None
    return {**mended, "Filters": [*kept, KEEP_BLOCKED]}


def showing_needed_fields(fields: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The redacted fields without those that an entry needs."""
    return [field for field in fields if not any(name in field for name in NEEDED_FIELDS)]
