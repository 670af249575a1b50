"""Which standards Security Hub CSPM checks against, and which of those wanted it does not.

Source: AWS Security Hub API reference, DescribeHub, DescribeStandards, StandardsSubscription. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READY, PENDING, DELETING = "READY", "PENDING", "DELETING"
STATUSES = (READY, PENDING, "INCOMPLETE", "FAILED", DELETING)
STANDARD_ARN = re.compile(r"arn:[a-z-]+:securityhub:[a-z0-9-]*::(?:standards|ruleset)/([a-z0-9-]+)/v/([0-9]+(?:\.[0-9]+)*)")
HUB_IS_OFF = re.compile(r"not subscribed|not enabled", re.IGNORECASE)

Standard = tuple[str, str]  # name and version


class StandardError(ValueError):
    """A standard that is not offered, or a status that AWS does not document."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The subscriptions as Security Hub gives them, and the ARNs of the standards that it offers in the Region."""

    subscriptions: Sequence[Mapping[str, Any]]
    offered: Sequence[str]


def says_off(code: str, message: str) -> bool:
    """InvalidAccessException also refuses those who may not ask; only its text tells the two apart."""
    return code == "ResourceNotFoundException" or (code == "InvalidAccessException" and bool(HUB_IS_OFF.search(message)))


def wanted_standard(entry: str, offered: Sequence[str]) -> Standard:
    """The standard that an entry of the parameter means: in the version given, or the newest offered. Raises StandardError."""
    name, _, version = entry.partition("/v/")
    versions = [found[1] for arn in offered if (found := standard_of(arn)) and found[0] == name]
    if not versions or (version and version not in versions):
        known = sorted({found[0] for arn in offered if (found := standard_of(arn))})
        of_it = f"its versions: {', '.join(versions)}" if versions else f"it offers {', '.join(known) or 'none'}"
        raise StandardError(f"Security Hub offers no {entry!r} here; {of_it}")
    return name, version or max(versions, key=version_numbers)


def standard_of(arn: Any) -> Standard | None:
    form = STANDARD_ARN.fullmatch(arn) if isinstance(arn, str) else None
    return (form[1], form[2]) if form else None


def version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def subscribed_standards(subscriptions: Sequence[Mapping[str, Any]]) -> dict[Standard, str]:
    """Status, with AWS's reason, by standard. What AWS does not document as a status is no verdict: StandardError."""
    found = {}
    for subscription in subscriptions:
        standard, status = standard_of(subscription.get("StandardsArn")), subscription.get("StandardsStatus")
        if standard is None:  # a standard of Control Tower, another cloud's or one's own
            continue
        if status not in STATUSES:
            raise StandardError(f"{' '.join(standard)}: StandardsStatus is {status!r}")
        reason = (subscription.get("StandardsStatusReason") or {}).get("StatusReasonCode")
        found[standard] = f"{status} ({reason})" if reason and status != READY else str(status)
    return found


def standard_problems(wanted: Sequence[Standard], subscribed: Mapping[Standard, str]) -> Iterator[tuple[Standard, str]]:
    """Each standard that is not checked against as wanted, and why."""
    for name, version in wanted:
        status = subscribed.get((name, version))
        others = sorted((v for n, v in subscribed if n == name), key=version_numbers)
        if status is None and others:
            yield (name, version), f"{name} is subscribed in version {', '.join(others)}, expected {version}"
        elif status is None:
            yield (name, version), f"{name} {version} is not subscribed"
        elif status != READY:
            yield (name, version), f"{name} {version} is {status}, expected READY"
