"""The lifecycle of a bucket: both forms say the same, and every limit is met exactly at its day."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pci_config.lifecycle import (
    Gap,
    LifecycleDemands,
    LifecycleRule,
    MalformedLifecycleError,
    Step,
    api_rules,
    gaps,
    recorded_rules,
)

DEMANDS = LifecycleDemands(standard_days=30, glacier_days=100, retention_days=3650, tolerance_days=5)
GOOD = LifecycleRule(
    id="keep",
    enabled=True,
    whole_bucket=True,
    transitions=(Step(30, "STANDARD_IA"), Step(100, "GLACIER")),
    expiration_days=3650,
    expires_on_date=False,
    noncurrent_transitions=(Step(120, "GLACIER"),),
    noncurrent_expiration_days=3650,
    aborts_uploads=True,
)
API: dict[str, Any] = {
    "ID": "keep",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 100, "StorageClass": "GLACIER"}],
    "Expiration": {"Days": 3650},
    "NoncurrentVersionTransitions": [{"NoncurrentDays": 120, "StorageClass": "GLACIER"}],
    "NoncurrentVersionExpiration": {"NoncurrentDays": 3650},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}
RECORDED: dict[str, Any] = {
    "id": "keep",
    "status": "Enabled",
    "prefix": None,
    "filter": {"predicate": {"type": "LifecyclePrefixPredicate", "prefix": ""}},
    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 100, "storageClass": "GLACIER"}],
    "expirationInDays": 3650,
    "expirationDate": None,
    "noncurrentVersionTransitions": [{"days": 120, "storageClass": "GLACIER"}],
    "noncurrentVersionExpirationInDays": 3650,
    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
}
NOTHING = LifecycleRule("", True, True, (), None, False, (), None, False)


def of_api(**changes: Any) -> LifecycleRule:
    (found,) = api_rules([API | changes])
    return found


def test_both_forms_of_a_rule_read_the_same() -> None:
    assert of_api() == GOOD
    assert recorded_rules({"rules": [RECORDED]}) == [GOOD]
    assert api_rules([{"Status": "Enabled"}]) == [NOTHING]
    assert recorded_rules({"rules": [{"status": "Enabled"}]}) == [NOTHING]


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, True),
        ({"Filter": None}, True),
        ({"Filter": {}}, True),
        ({"Filter": None, "Prefix": ""}, True),
        ({"Filter": None, "Prefix": "logs/"}, False),
        ({"Filter": {"Prefix": "logs/"}}, False),
        ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, False),
        ({"Filter": {"And": {"Prefix": "", "ObjectSizeGreaterThan": 1}}}, False),
    ],
)
def test_what_a_rule_of_the_api_covers(changes: dict[str, Any], whole: bool) -> None:
    assert of_api(**changes) == dataclasses.replace(GOOD, whole_bucket=whole)


def test_dates_and_status_of_the_api() -> None:
    assert of_api(Status="Disabled") == dataclasses.replace(GOOD, enabled=False)
    dated = of_api(Expiration={"Date": "2030-01-01"}, Transitions=[{"Date": "2030-01-01", "StorageClass": "GLACIER"}])
    assert dated == dataclasses.replace(GOOD, expiration_days=None, expires_on_date=True, transitions=(Step(None, "GLACIER"),))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("x", "a rule is no object"),
        ({**RECORDED, "status": None}, "status of a rule is None, expected Enabled or Disabled"),
        ({**RECORDED, "filter": {"predicate": "x"}}, "a filter predicate is no object"),
        ({**RECORDED, "expirationInDays": "1"}, "'1' is no number of days"),
        ({**RECORDED, "expirationInDays": True}, "True is no number of days"),
        ({**RECORDED, "expirationInDays": -2}, "-2 is no number of days"),
        ({**RECORDED, "transitions": [{"days": 1, "storageClass": "TAPE"}]}, "storage class 'TAPE' is not known"),
        ({**RECORDED, "transitions": [{"days": -1, "storageClass": "GLACIER"}]}, "to GLACIER has neither days nor date"),
    ],
)
def test_what_cannot_be_read_is_named(rule: Any, words: str) -> None:
    with pytest.raises(MalformedLifecycleError, match=words):
        recorded_rules({"rules": [rule]})
    with pytest.raises(MalformedLifecycleError, match="rules is missing"):
        recorded_rules({})


def told(versioned: bool = True, demands: LifecycleDemands = DEMANDS, **changes: Any) -> list[Gap]:
    return gaps([dataclasses.replace(GOOD, **changes)], versioned, demands)


def moves(infrequent: int, glacier: int) -> tuple[Step, ...]:
    return (Step(infrequent, "STANDARD_IA"), Step(glacier, "GLACIER"))


def test_the_lifecycle_as_demanded() -> None:
    assert told() == []
    assert told(transitions=moves(35, 105), expiration_days=3655, noncurrent_expiration_days=3655) == []
    assert told(versioned=False, noncurrent_expiration_days=None) == []


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"expiration_days": 364}, Gap("rule 'keep' deletes after 364 days, expected >= 365", True, "keep")),
        ({"expiration_days": 365}, Gap("rule 'keep' deletes after 365 days, expected >= 3650", False, "keep")),
        ({"expiration_days": 3649}, Gap("rule 'keep' deletes after 3649 days, expected >= 3650", False, "keep")),
        (
            {"noncurrent_expiration_days": 364},
            Gap("rule 'keep' deletes noncurrent versions after 364 days, expected >= 365", True, "keep"),
        ),
        ({"transitions": moves(30, 89)}, Gap("rule 'keep' moves to GLACIER after 89 days, expected >= 100", True, "keep")),
        ({"transitions": moves(30, 90)}, Gap("rule 'keep' moves to GLACIER after 90 days, expected >= 100", False, "keep")),
        ({"transitions": moves(29, 100)}, Gap("rule 'keep' moves to STANDARD_IA after 29 days, expected >= 30", False, "keep")),
        ({"transitions": moves(36, 100)}, Gap("objects move only after 36 days to STANDARD_IA, expected from day 30")),
        ({"transitions": moves(30, 106)}, Gap("objects move only after 106 days to GLACIER, expected from day 100")),
        ({"expiration_days": 3656}, Gap("objects are deleted only after 3656 days, expected after 3650 days")),
        ({"expiration_days": None}, Gap("objects are never deleted, expected after 3650 days")),
        ({"noncurrent_expiration_days": None}, Gap("noncurrent versions are never deleted, expected after 3650 days")),
        ({"aborts_uploads": False}, Gap("incomplete uploads are never aborted")),
        ({"expires_on_date": True}, Gap("rule 'keep' deletes on a date, whatever the age", True, "keep")),
        (
            {"noncurrent_transitions": (Step(None, "GLACIER"),)},
            Gap("rule 'keep' moves noncurrent versions to GLACIER on a date", True, "keep"),
        ),
        (
            {"noncurrent_transitions": (Step(None, "STANDARD_IA"),)},
            Gap("rule 'keep' moves noncurrent versions to STANDARD_IA on a date", False, "keep"),
        ),
    ],
)
def test_each_limit_by_itself(changes: dict[str, Any], gap: Gap) -> None:
    assert told(**changes) == [gap]


def test_violations_of_the_standard_come_first() -> None:
    found = told(aborts_uploads=False, expires_on_date=True, transitions=moves(29, 100))
    assert [gap.pci for gap in found] == [True, False, False]
