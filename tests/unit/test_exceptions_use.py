"""What an assessment says of each entry: state, use, and whether it can be called unused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pci_config.assess import Assessment, Judge, Result
from pci_config.catalogue import Catalogue
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.exceptions_use import entries_of_assessment, entries_of_document
from pci_config.report.exception_lines import entry_state, exception_lines
from pci_config.report.rows import ReportInputError
from pci_config.report.table import render_table
from pci_config.rule import Finding
from pci_config.settings import Settings

CATALOGUE = Catalogue.load()
EGRESS, POLICY, CDN = "PCI_SECURITY_GROUP_EGRESS_LIMITED", "PCI_PASSWORD_POLICY", "PCI_CDN_LOG_DELIVERED"
ACCOUNT, OTHER = "700000000007", "600000000006"
ENTRY = ExceptionEntry(
    rule=EGRESS, accounts=(ACCOUNT,), regions=("eu-west-1",), resource="sg-1", reason="Terminals", approver="CISO", ticket="SEC-1",
    compensating_control="VPN", created=date(2026, 11, 1), expires=date(2027, 3, 31),
)  # fmt: skip


def judged(*entries: ExceptionEntry, found: Mapping[tuple[str, str, str, str], str], **more: Any) -> Any:
    """The assessment of findings given as (rule, account, Region, id): verdict."""
    rules = [CATALOGUE.rules[rule] for rule in more.pop("rules", (EGRESS, POLICY, CDN))]
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    judge = Judge(rules, Settings(home_region="eu-west-1"), exceptions=ExceptionRegister(entries), now=now)
    results = [
        judge._result(
            CATALOGUE.rules[rule],
            {"awsAccountId": account, "awsRegion": region, "resourceType": "AWS::T", "resourceId": resource_id},
            Finding(verdict, "wrong"),
        )
        for (rule, account, region, resource_id), verdict in found.items()
    ]
    assessment = Assessment(["test"], sorted(results, key=Result.order), generated_at="2026-11-24T12:00:00Z", **more)
    assessment.exceptions = entries_of_assessment(judge, assessment)
    return assessment


def facts(assessment: Any) -> list[tuple[str, int, int, bool]]:
    return [(e["state"], e["used"], e["open"], e["assessed"]) for e in assessment.exceptions]


GROUP = (EGRESS, ACCOUNT, "eu-west-1", "sg-1")
NEIGHBOUR = (EGRESS, ACCOUNT, "eu-west-1", "sg-2")


def test_an_entry_in_force_is_used() -> None:
    assessment = judged(ENTRY, found={GROUP: "NON_COMPLIANT", NEIGHBOUR: "NON_COMPLIANT"})
    assert [r.compliance for r in assessment.results] == ["EXCEPTED", "NON_COMPLIANT"]
    assert assessment.results[0].annotation == "accepted until 2027-03-31 (SEC-1): Terminals. wrong"
    assert facts(assessment) == [("in-force", 1, 0, True)]
    (entry,) = assessment.document()["exceptions"]
    assert {name: entry[name] for name in ("rule", "accounts", "approver", "ticket", "compensating_control", "expires")} == {
        "rule": EGRESS, "accounts": [ACCOUNT], "approver": "CISO", "ticket": "SEC-1", "compensating_control": "VPN",
        "expires": "2027-03-31",
    }  # fmt: skip
    assert "named_by" not in assessment.document()["results"][0]


@pytest.mark.parametrize(
    ("created", "expires", "state"),
    [(date(2026, 10, 1), date(2026, 11, 23), "expired"), (date(2026, 11, 25), date(2027, 3, 31), "not-yet")],
)
def test_an_entry_that_is_not_in_force_leaves_its_finding_open(created: date, expires: date, state: str) -> None:
    assessment = judged(dataclasses.replace(ENTRY, created=created, expires=expires), found={GROUP: "NON_COMPLIANT"})
    assert [r.compliance for r in assessment.results] == ["NON_COMPLIANT"]
    assert facts(assessment) == [(state, 0, 1, True)]


def test_a_renewed_entry_uses_both_and_the_expired_one_is_not_missed() -> None:
    renewed = dataclasses.replace(ENTRY, ticket="SEC-2", expires=date(2027, 6, 30))
    over = dataclasses.replace(ENTRY, ticket="SEC-0", created=date(2026, 1, 1), expires=date(2026, 11, 23))
    assessment = judged(over, ENTRY, renewed, found={GROUP: "NON_COMPLIANT"})
    assert assessment.results[0].annotation.startswith("accepted until 2027-06-30 (SEC-2)")
    assert facts(assessment) == [("expired", 0, 0, True), ("in-force", 1, 0, True), ("in-force", 1, 0, True)]


@pytest.mark.parametrize(
    ("entry", "found", "more", "assessed"),
    [
        (ENTRY, {GROUP: "COMPLIANT"}, {}, True),
        (ENTRY, {NEIGHBOUR: "COMPLIANT"}, {}, True),
        (ENTRY, {}, {}, False),
        (ENTRY, {}, {"places": frozenset({(ACCOUNT, "eu-west-1")})}, True),
        (ENTRY, {}, {"places": frozenset({(ACCOUNT, "us-east-1")})}, False),
        (ENTRY, {(EGRESS, OTHER, "eu-west-1", "sg-1"): "COMPLIANT"}, {}, False),
        (ENTRY, {(EGRESS, ACCOUNT, "us-east-1", "sg-1"): "COMPLIANT"}, {}, False),
        (ENTRY, {(POLICY, ACCOUNT, "eu-west-1", ACCOUNT): "COMPLIANT"}, {}, False),
        (ENTRY, {GROUP: "ERROR", NEIGHBOUR: "COMPLIANT"}, {}, False),
        (ENTRY, {GROUP: "NOT_ASSESSED"}, {"places": frozenset({(ACCOUNT, "eu-west-1")})}, False),
        (ENTRY, {}, {"places": frozenset({(ACCOUNT, "eu-west-1")}), "rules": [POLICY]}, False),
        (dataclasses.replace(ENTRY, accounts=(ACCOUNT, OTHER)), {GROUP: "COMPLIANT"}, {}, False),
        (dataclasses.replace(ENTRY, regions=("eu-west-1", "us-east-1")), {GROUP: "COMPLIANT"}, {}, False),
    ],
)
def test_an_entry_is_called_unused_only_where_it_could_have_been_used(
    entry: ExceptionEntry, found: Mapping[Any, str], more: dict[str, Any], assessed: bool
) -> None:
    assessment = judged(entry, found=found, **more)
    assert facts(assessment) == [("in-force", 0, 0, assessed)]
    assert entry_state(assessment.exceptions[0]) == ("unused" if assessed else "in-force")


@pytest.mark.parametrize(
    ("rule", "region", "accepted"),
    [(POLICY, "eu-west-1", True), (POLICY, "us-east-1", False), (CDN, "us-east-1", True), (CDN, "eu-west-1", False)],
)
def test_what_has_no_region_is_excepted_where_its_rule_runs(rule: str, region: str, accepted: bool) -> None:
    entry = dataclasses.replace(ENTRY, rule=rule, regions=(region,), resource="E1")
    assessment = judged(entry, found={(rule, ACCOUNT, "global", "E1"): "NON_COMPLIANT"})
    assert assessment.results[0].compliance == ("EXCEPTED" if accepted else "NON_COMPLIANT")
    assert assessment.exceptions[0]["used"] == accepted


def test_a_document_is_followed_by_what_it_says_itself_or_by_its_ids() -> None:
    assessment = judged(ENTRY, found={GROUP: "NON_COMPLIANT"})
    document = assessment.document()
    added = dataclasses.replace(ENTRY, resource="sg-2", ticket="SEC-9")
    register = ExceptionRegister((ENTRY, added))
    for told in (document, {name: value for name, value in document.items() if name != "exceptions"}):
        described = entries_of_document(register, told, CATALOGUE.rules, "eu-west-1")
        assert [(e["ticket"], e["used"], e["assessed"]) for e in described] == [("SEC-1", 1, True), ("SEC-9", 0, True)]
    document["exceptions"][0]["used"] = 5
    assert entries_of_document(register, document, CATALOGUE.rules, "eu-west-1")[0]["used"] == 5


@pytest.mark.parametrize(
    ("created", "expires"), [(date(2026, 11, 1), date(2026, 11, 24)), (date(2026, 11, 24), date(2027, 3, 31))]
)
def test_the_first_and_the_last_day_are_in_force(created: date, expires: date) -> None:
    assessment = judged(dataclasses.replace(ENTRY, created=created, expires=expires), found={GROUP: "NON_COMPLIANT"})
    assert [(used, open_) for _, used, open_, _ in facts(assessment)] == [(1, 0)]


def test_what_has_no_region_is_looked_for_in_the_home_region() -> None:
    entry = dataclasses.replace(ENTRY, rule=POLICY, resource=ACCOUNT)
    assessment = judged(entry, found={(POLICY, ACCOUNT, "global", ACCOUNT): "NON_COMPLIANT"})
    assert facts(assessment) == [("in-force", 1, 0, True)]
    document = {name: value for name, value in assessment.document().items() if name != "exceptions"}
    (described,) = entries_of_document(ExceptionRegister((entry,)), document, CATALOGUE.rules, "eu-west-1")
    assert (described["used"], described["assessed"]) == (1, True)
    (described,) = entries_of_document(ExceptionRegister((entry,)), document, CATALOGUE.rules, "us-east-1")
    assert (described["used"], described["assessed"]) == (0, False)


def test_a_document_shows_findings_that_count_again() -> None:
    over = dataclasses.replace(ENTRY, created=date(2026, 1, 1), expires=date(2026, 11, 23))
    found = {GROUP: "NON_COMPLIANT", NEIGHBOUR: "COMPLIANT", (EGRESS, OTHER, "eu-west-1", "sg-1"): "NON_COMPLIANT"}
    document = judged(found=found).document()
    (described,) = entries_of_document(ExceptionRegister((over,)), document, CATALOGUE.rules, "eu-west-1")
    assert (described["state"], described["used"], described["open"]) == ("expired", 0, 1)


def test_the_table_lists_what_is_accepted_and_what_to_look_at() -> None:
    over = dataclasses.replace(ENTRY, resource="sg-2", ticket="SEC-0", created=date(2026, 1, 1), expires=date(2026, 11, 23))
    idle = dataclasses.replace(ENTRY, resource="sg-3", ticket="SEC-3")
    soon = dataclasses.replace(ENTRY, ticket="SEC-4", expires=date(2026, 12, 24))
    text = render_table(judged(ENTRY, over, idle, soon, found={GROUP: "NON_COMPLIANT", NEIGHBOUR: "NON_COMPLIANT"}).document())
    accepted, _, looked_at = text.partition("Accepted deviations")[2].partition("Exceptions to look at")
    assert "accepted until 2027-03-31 (SEC-1): Terminals. wrong" in accepted
    lines = [" ".join(line.split()) for line in looked_at.splitlines() if line.strip()]
    assert lines == [
        f"expired: {EGRESS} SEC-0, 2026-01-01 to 2026-11-23 sg-2 counts again: 1",
        f"unused: {EGRESS} SEC-3, 2026-11-01 to 2027-03-31 sg-3",
        f"expires soon: {EGRESS} SEC-4, 2026-11-01 to 2026-12-24 sg-1",
    ]
    quiet = render_table(judged(ENTRY, found={GROUP: "NON_COMPLIANT"}).document())
    assert "Exceptions to look at" not in quiet
    assert "Accepted deviations" not in render_table(judged(found={GROUP: "NON_COMPLIANT"}).document())


def test_lines_of_the_report_come_in_the_order_of_urgency() -> None:
    base = {**ENTRY.as_json(), "used": 1, "open": 0, "assessed": True}
    lines = exception_lines(
        [
            {**base, "state": "not-yet"}, {**base, "state": "in-force"}, {**base, "state": "expires-soon"},
            {**base, "state": "expires-soon", "used": 0}, {**base, "state": "expired", "open": 2},
        ]
    )  # fmt: skip
    assert lines is not None
    assert [line["state"] for line in lines] == ["expired", "unused", "expires-soon", "in-force", "not-yet"]
    assert (lines[0]["open"], lines[0]["accounts"]) == (2, (ACCOUNT,))
    assert exception_lines(None) is None
    assert exception_lines([]) == ()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "'exceptions' is not a list"),
        (["x"], r"exceptions\[0\]: is not an object"),
        ([{"state": "on"}], r"exceptions\[0\]: state 'on' is not one of expired, "),
        ([{}], r"exceptions\[0\]: state None is not"),
    ],
)
def test_a_register_outside_the_contract_is_refused(record: Any, message: str) -> None:
    with pytest.raises(ReportInputError, match=message):
        exception_lines(record)
