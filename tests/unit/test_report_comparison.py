"""What may be called fixed, and that the account of findings adds up."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from pci_config.report.comparison import compare
from pci_config.report.rows import COMPLIANCE, Row, rows_of


def rows(*given: tuple[str, str]) -> tuple[Row, ...]:
    """Rows of one rule and account by resource and verdict."""
    results: list[dict[str, Any]] = [
        {
            "rule": "PCI_X",
            "account_id": "123456789012",
            "region": "eu-west-1",
            "resource_type": "AWS::EC2::SecurityGroup",
            "resource_id": resource_id,
            "compliance": compliance,
        }
        for resource_id, compliance in given
    ]
    return rows_of({"schema_version": "1", "results": results})


def outcomes(before: tuple[Row, ...], after: tuple[Row, ...]) -> dict[str, str]:
    return {identity[4]: outcome for identity, outcome in compare(before, after).outcomes.items()}


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        ("NON_COMPLIANT", "open"),
        ("COMPLIANT", "fixed"),
        ("EXCEPTED", "excepted"),
        ("NOT_APPLICABLE", "gone"),
        ("ERROR", "unknown"),
        ("NOT_ASSESSED", "unknown"),
    ],
)
def test_a_finding_is_fixed_only_when_the_resource_is_compliant_now(now: str, outcome: str) -> None:
    assert outcomes(rows(("sg-1", "NON_COMPLIANT")), rows(("sg-1", now))) == {"sg-1": outcome}


def test_an_absent_resource_is_gone_unless_something_of_its_rule_and_account_could_not_be_read() -> None:
    before = rows(("sg-1", "NON_COMPLIANT"))
    assert outcomes(before, rows(("sg-2", "COMPLIANT"))) == {"sg-1": "gone"}
    assert outcomes(before, rows(("sg-2", "ERROR"))) == {"sg-1": "unknown"}
    assert outcomes(before, rows(("account", "NOT_ASSESSED"))) == {"sg-1": "unknown"}


@pytest.mark.parametrize("earlier", [None, *(verdict for verdict in COMPLIANCE if verdict != "NON_COMPLIANT")])
def test_what_was_no_finding_before_is_new(earlier: str | None) -> None:
    before = rows(("sg-1", earlier)) if earlier else ()
    assert outcomes(before, rows(("sg-1", "NON_COMPLIANT"))) == {"sg-1": "new"}


def test_of_two_verdicts_on_one_thing_the_more_urgent_counts() -> None:
    twice = rows(("sg-1", "COMPLIANT"), ("sg-1", "NON_COMPLIANT"))
    assert outcomes(rows(("sg-1", "NON_COMPLIANT")), twice) == {"sg-1": "open"}
    assert outcomes(rows(("sg-1", "NON_COMPLIANT")), rows(("sg-1", "ERROR"), ("sg-1", "COMPLIANT"))) == {"sg-1": "unknown"}


def test_every_pair_of_verdicts_is_accounted_for() -> None:
    pairs = list(product(COMPLIANCE, COMPLIANCE))
    before = rows(*((f"sg-{number}", verdict) for number, (verdict, _) in enumerate(pairs)))
    after = rows(*((f"sg-{number}", verdict) for number, (_, verdict) in enumerate(pairs)))
    total = compare(before, after).total
    assert total.before == sum(verdict == "NON_COMPLIANT" for verdict, _ in pairs)
    assert total.now == sum(verdict == "NON_COMPLIANT" for _, verdict in pairs)
    assert total.before - total.fixed - total.excepted - total.gone - total.unknown + total.new == total.now


def test_groups_add_up_to_the_total() -> None:
    before = rows(("sg-1", "NON_COMPLIANT"), ("sg-2", "NON_COMPLIANT"))
    found = compare(before, rows(("sg-1", "COMPLIANT"), ("sg-2", "NON_COMPLIANT"), ("sg-3", "NON_COMPLIANT")))
    assert found.by_rule == {"PCI_X": found.total}
    assert found.by_account == {"123456789012": found.total}
    assert found.by_rule_and_account == {("PCI_X", "123456789012"): found.total}
    assert (found.total.fixed, found.total.open, found.total.new) == (1, 1, 1)
