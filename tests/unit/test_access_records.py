"""Approval records: their form in DynamoDB, and when they allow access."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pci_config.access_records import LATEST_MOMENT, AccessRecord, MalformedRecordError, shown

GRANTED, EXPIRES = 1793520000, 1793527200  # 2026-11-01T08:00Z and two hours later
RECORD = AccessRecord("jane", "APR-1", "production-access", GRANTED, EXPIRES, requester="jane", approver="omar")
ITEM = RECORD.to_attributes()


def fault(record: AccessRecord, moment: int = GRANTED, hours: int = 12) -> str:
    return record.fault(datetime.fromtimestamp(moment, UTC), hours * 3600)


def test_the_form_in_dynamodb_there_and_back() -> None:
    assert {
        "user": {"S": "jane"},
        "approval_id": {"S": "APR-1"},
        "group": {"S": "production-access"},
        "requester": {"S": "jane"},
        "approver": {"S": "omar"},
        "granted": {"N": str(GRANTED)},
        "expires": {"N": str(EXPIRES)},
    } == ITEM
    assert AccessRecord.from_attributes(ITEM) == RECORD
    revoked = replace(RECORD, revoked=GRANTED + 1)
    assert AccessRecord.from_attributes(revoked.to_attributes()) == revoked
    assert AccessRecord.from_attributes({**ITEM, "ticket": {"S": "more is welcome"}}) == RECORD


@pytest.mark.parametrize("name", list(ITEM))
def test_without_an_attribute_it_is_malformed(name: str) -> None:
    rest = {key: value for key, value in ITEM.items() if key != name}
    for value in (None, {}, {"S": 5}, {"S": ""}, {"S": " "}, {"BOOL": True}, "x", {"N": "-1"}, {"N": "1.5"}, {"N": "1" * 13}):
        with pytest.raises(MalformedRecordError, match=f"{name} is no"):
            AccessRecord.from_attributes({**rest, name: value})
    with pytest.raises(MalformedRecordError, match=f"{name} is no"):
        AccessRecord.from_attributes(rest)


def test_moments_have_a_last() -> None:
    assert AccessRecord.from_attributes({**ITEM, "expires": {"N": str(LATEST_MOMENT)}}).expires == LATEST_MOMENT
    assert shown(LATEST_MOMENT) == "9999-12-31T23:59Z"
    with pytest.raises(MalformedRecordError):
        AccessRecord.from_attributes({**ITEM, "expires": {"N": str(LATEST_MOMENT + 1)}})
    for value in ({"N": "x"}, {"S": "5"}, None):
        with pytest.raises(MalformedRecordError, match="revoked is no time"):
            AccessRecord.from_attributes({**ITEM, "revoked": value})


def test_it_holds_from_granted_up_to_expires() -> None:
    assert fault(RECORD, GRANTED - 1) == "APR-1 begins 2026-11-01T08:00Z"
    assert fault(RECORD, GRANTED) == fault(RECORD, EXPIRES - 1) == ""
    assert fault(RECORD, EXPIRES) == "APR-1 expired 2026-11-01T10:00Z"


def test_revoked() -> None:
    revoked = replace(RECORD, revoked=GRANTED + 60)
    assert fault(revoked, GRANTED + 59) == ""
    assert fault(revoked, GRANTED + 60) == "APR-1 revoked 2026-11-01T08:01Z"
    late = replace(RECORD, revoked=EXPIRES + 60)
    assert fault(late, EXPIRES) == "APR-1 expired 2026-11-01T10:00Z"
    assert (RECORD.ended, revoked.ended, late.ended) == (EXPIRES, GRANTED + 60, EXPIRES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"approver": "jane"}, "APR-1 is self-approved"),
        ({"approver": "JANE"}, "APR-1 is self-approved"),
        ({"requester": "omar"}, "APR-1 is self-approved"),
        ({"requester": "OMAR"}, "APR-1 is self-approved"),
        ({"requester": "ravi"}, ""),
        ({"approver": "jane", "expires": GRANTED}, "APR-1 is self-approved"),
    ],
)
def test_four_eyes(change: dict[str, Any], said: str) -> None:
    assert fault(replace(RECORD, **change)) == said


def test_what_lasts_too_long_is_not_time_boxed() -> None:
    assert fault(RECORD, hours=2) == ""
    assert fault(RECORD, hours=1) == "APR-1 lasts 2 h, expected <= 1 h"
    assert fault(replace(RECORD, expires=EXPIRES + 1), hours=2) == "APR-1 lasts 2 h, expected <= 2 h"
    assert "lasts 2.2" in fault(replace(RECORD, expires=EXPIRES + 900), hours=2)
