"""The effective lifecycle of an archive bucket: the predicate that rule and document share.

Rules of S3 lifecycle (Amazon S3 user guide, "Examples of S3 Lifecycle configurations"): disabled rules do nothing; where
several rules apply to an object the earliest expiration and the earliest transition take effect. PCI DSS 4.0.1 10.5.1: audit
logs are kept 12 months, three months of them immediately available. Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PCI_RETENTION_DAYS = 365
PCI_AVAILABLE_DAYS = 90
STORAGE_CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
NEEDS_RESTORE = ("GLACIER", "DEEP_ARCHIVE")  # GLACIER_IR and the IA classes are read at once


class MalformedLifecycleError(ValueError):
    """A lifecycle rule lacks its status or holds what this module does not know; the message names it."""


@dataclass(frozen=True)
class Step:
    """A transition. `days` is None when it happens on a date."""

    days: int | None
    storage_class: str


@dataclass(frozen=True)
class LifecycleRule:
    """One rule in the terms of S3. Days are None when the rule has no such action; `expires_on_date` is the other form."""

    id: str
    enabled: bool
    whole_bucket: bool
    transitions: tuple[Step, ...]
    expiration_days: int | None
    expires_on_date: bool
    noncurrent_transitions: tuple[Step, ...]
    noncurrent_expiration_days: int | None
    aborts_uploads: bool


@dataclass(frozen=True)
class LifecycleDemands:
    """The card issuer's policy: days in Standard, then Standard-IA, from when Glacier, until deletion."""

    standard_days: int
    glacier_days: int
    retention_days: int
    tolerance_days: int


@dataclass(frozen=True)
class Gap:
    """What is wrong. `pci`: breaks PCI DSS itself, not only the policy. `rule_id`: the rule that does it, if one does."""

    text: str
    pci: bool = False
    rule_id: str | None = None


# ----------------------------------------------------------------------------------------------------------- parsing


def recorded_rules(configuration: Mapping[str, Any]) -> list[LifecycleRule]:
    """From AWS Config's BucketLifecycleConfiguration (names of the first SDK; -1 stands for none)."""
    rules = configuration.get("rules")
    if not isinstance(rules, list):
        raise MalformedLifecycleError("rules is missing")
    return [_recorded_rule(rule) for rule in rules]


def _recorded_rule(rule: Any) -> LifecycleRule:
    if not isinstance(rule, Mapping):
        raise MalformedLifecycleError("a rule is no object")
    predicate = (rule.get("filter") or {}).get("predicate")
    noncurrent = rule.get("noncurrentVersionExpiration") or {}
    return LifecycleRule(
        id=str(rule.get("id") or ""),
        enabled=_enabled(rule.get("status")),
        whole_bucket=not rule.get("prefix") and _whole_predicate(predicate),
        transitions=tuple(_step(s.get("days"), s.get("date"), s.get("storageClass")) for s in rule.get("transitions") or ()),
        expiration_days=_days(rule.get("expirationInDays")),
        expires_on_date=bool(rule.get("expirationDate")),
        noncurrent_transitions=tuple(
            _step(s.get("days"), None, s.get("storageClass")) for s in rule.get("noncurrentVersionTransitions") or ()
        ),
        noncurrent_expiration_days=_days(rule.get("noncurrentVersionExpirationInDays"))
        or _days(noncurrent.get("noncurrentDays")),
        aborts_uploads=bool(_days((rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation"))),
    )


def _whole_predicate(predicate: Any) -> bool:
    """Only an absent predicate and an empty prefix leave nothing out; every other kind is a part of the bucket."""
    if predicate is None:
        return True
    if not isinstance(predicate, Mapping):
        raise MalformedLifecycleError("a filter predicate is no object")
    return predicate.get("type") == "LifecyclePrefixPredicate" and predicate.get("prefix") == ""


def api_rules(rules: Iterable[Mapping[str, Any]]) -> list[LifecycleRule]:
    """From the Rules of GetBucketLifecycleConfiguration."""
    return [_api_rule(rule) for rule in rules]


def _api_rule(rule: Mapping[str, Any]) -> LifecycleRule:
    where = rule.get("Filter")
    whole = not rule.get("Prefix") and (not where or where == {"Prefix": ""})
    expiration = rule.get("Expiration") or {}
    return LifecycleRule(
        id=str(rule.get("ID") or ""),
        enabled=_enabled(rule.get("Status")),
        whole_bucket=whole,
        transitions=tuple(_step(s.get("Days"), s.get("Date"), s.get("StorageClass")) for s in rule.get("Transitions") or ()),
        expiration_days=_days(expiration.get("Days")),
        expires_on_date=bool(expiration.get("Date")),
        noncurrent_transitions=tuple(
            _step(s.get("NoncurrentDays"), None, s.get("StorageClass")) for s in rule.get("NoncurrentVersionTransitions") or ()
        ),
        noncurrent_expiration_days=_days((rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays")),
        aborts_uploads=bool((rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")),
    )


def _enabled(status: Any) -> bool:
    if status not in ("Enabled", "Disabled"):
        raise MalformedLifecycleError(f"status of a rule is {status!r}, expected Enabled or Disabled")
    return bool(status == "Enabled")


def _days(value: Any) -> int | None:
    if value is None or value == -1:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedLifecycleError(f"{value!r} is no number of days")
    return value


def _step(days: Any, date: Any, storage_class: Any) -> Step:
    if storage_class not in STORAGE_CLASSES:
        raise MalformedLifecycleError(f"storage class {storage_class!r} is not known")
    parsed = None if date else _days(days)
    if parsed is None and not date:
        raise MalformedLifecycleError(f"the transition to {storage_class} has neither days nor date")
    return Step(parsed, storage_class)


# ---------------------------------------------------------------------------------------------------------- deciding


def gaps(rules: Sequence[LifecycleRule], versioned: bool, demands: LifecycleDemands) -> list[Gap]:
    """Everything that is wrong, violations of PCI DSS first. Empty: the lifecycle is as demanded for every object."""
    active = [rule for rule in rules if rule.enabled]
    found = [gap for rule in active for gap in _harm(rule, demands)]
    in_parts = set(_absences(active, versioned, demands))  # what not even rules for a part of the bucket do
    for gap in _absences([rule for rule in active if rule.whole_bucket], versioned, demands):
        found.append(gap if gap in in_parts else replace(gap, text=f"{gap.text} (rules for a part leave the rest out)"))
    return sorted(found, key=lambda gap: not gap.pci)


def _harm(rule: LifecycleRule, demands: LifecycleDemands) -> Iterable[Gap]:
    """What a rule does too early, whatever part of the bucket it speaks of."""
    name = f"rule {rule.id!r}"
    for what, days in (("", rule.expiration_days), ("noncurrent versions ", rule.noncurrent_expiration_days)):
        if days is not None and days < demands.retention_days:
            pci = days < PCI_RETENTION_DAYS
            least = PCI_RETENTION_DAYS if pci else demands.retention_days
            yield Gap(f"{name} deletes {what}after {days} days, expected >= {least}", pci, rule.id)
    if rule.expires_on_date:
        yield Gap(f"{name} deletes on a date, whatever the age", True, rule.id)
    for what, steps in (("", rule.transitions), ("noncurrent versions ", rule.noncurrent_transitions)):
        for step in steps:
            yield from _early_step(name, what, step, rule.id, demands)


def _early_step(name: str, what: str, step: Step, rule_id: str, demands: LifecycleDemands) -> Iterable[Gap]:
    if step.days is None:
        yield Gap(f"{name} moves {what}to {step.storage_class} on a date", step.storage_class in NEEDS_RESTORE, rule_id)
    elif step.storage_class in NEEDS_RESTORE and step.days < demands.glacier_days:
        pci = step.days < PCI_AVAILABLE_DAYS
        yield Gap(
            f"{name} moves {what}to {step.storage_class} after {step.days} days, expected >= {demands.glacier_days}",
            pci,
            rule_id,
        )
    elif step.days < demands.standard_days:
        yield Gap(
            f"{name} moves {what}to {step.storage_class} after {step.days} days, expected >= {demands.standard_days}",
            False,
            rule_id,
        )


def _absences(rules: Sequence[LifecycleRule], versioned: bool, demands: LifecycleDemands) -> Iterable[Gap]:
    """What no rule over the whole bucket does in time."""
    steps = [step for rule in rules for step in rule.transitions if step.days is not None]
    for storage_class, start in (("STANDARD_IA", demands.standard_days), ("GLACIER", demands.glacier_days)):
        first = min((s.days for s in steps if s.storage_class == storage_class and s.days is not None), default=None)
        if first is None or first > start + demands.tolerance_days:
            late = "objects do not move" if first is None else f"objects move only after {first} days"
            yield Gap(f"{late} to {storage_class}, expected from day {start}")
    latest = demands.retention_days + demands.tolerance_days
    for what, wanted, values in (
        ("objects", True, [rule.expiration_days for rule in rules]),
        ("noncurrent versions", versioned, [rule.noncurrent_expiration_days for rule in rules]),
    ):
        first = min((days for days in values if days is not None), default=None)
        if wanted and (first is None or first > latest):
            late = "never deleted" if first is None else f"deleted only after {first} days"
            yield Gap(f"{what} are {late}, expected after {demands.retention_days} days")
    if not any(rule.aborts_uploads for rule in rules):
        yield Gap("incomplete uploads are never aborted")
