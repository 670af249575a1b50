"""The register of exceptions: matching and every fault, with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pci_config.exceptions import ExceptionRegister, ExceptionsError

ENTRY = """\
exceptions:
  - rule: PCI_LISTENER_TLS_ONLY
    accounts: ["700000000007"]
    regions: [eu-west-1]
    resource: "arn:aws:elasticloadbalancing:eu-west-1:700000000007:listener/app/legacy/*"
    reason: Terminals of series 4
    approver: CISO
    ticket: SEC-1
    compensating_control: VPN only
    created: 2026-11-01
    expires: 2027-03-31
"""
ARN = "arn:aws:elasticloadbalancing:eu-west-1:700000000007:listener/app/legacy/1/2"


def load(tmp_path: Path, text: str) -> ExceptionRegister:
    path = tmp_path / "exceptions.yaml"
    path.write_text(text, "utf-8")
    return ExceptionRegister.load(path)


def test_an_entry_covers_exactly_its_rule_account_region_resource_and_days(tmp_path: Path) -> None:
    register = load(tmp_path, ENTRY)
    rule, account, region, day = "PCI_LISTENER_TLS_ONLY", "700000000007", "eu-west-1", date(2026, 11, 24)
    entry = register.match(rule, account, region, ARN, None, day)
    assert entry is not None
    assert (entry.ticket, entry.expires) == ("SEC-1", date(2027, 3, 31))
    assert register.match(rule, account, region, "an id", ARN, day) is entry, "the ARN counts as well as the id"
    assert register.match(rule, account, region, ARN, None, date(2027, 3, 31)) is entry
    for other in (
        ("PCI_PASSWORD_POLICY", account, region, ARN, None, day),
        (rule, "600000000006", region, ARN, None, day),
        (rule, account, "us-east-1", ARN, None, day),
        (rule, account, region, ARN.replace("legacy", "public"), None, day),
        (rule, account, region, ARN, None, date(2026, 10, 31)),
        (rule, account, region, ARN, None, date(2027, 4, 1)),
    ):
        assert register.match(*other) is None


def test_the_shipped_register_is_valid(root: Path) -> None:
    assert ExceptionRegister.load(root / "exceptions.yaml").entries == ()


def test_an_empty_file_is_an_empty_register(tmp_path: Path) -> None:
    assert load(tmp_path, "").entries == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PCI_LISTENER_TLS_ONLY", "'*'", r"line 2: rule: '\*' is not a rule id"),
        ('"arn:aws:elasticloadbalancing:eu-west-1:700000000007:listener/app/legacy/*"', "'*'", "matches nearly everything"),
        ('"arn:aws:elasticloadbalancing:eu-west-1:700000000007:listener/app/legacy/*"', "'a*?*'", "matches nearly everything"),
        ('["700000000007"]', '"700000000007"', "accounts: '700000000007' is not a list"),
        ('["700000000007"]', "['*']", r"accounts: '\*' is not valid"),
        ("[eu-west-1]", "[everywhere]", "regions: 'everywhere' is not valid"),
        ("approver: CISO", "approver: ''", "line 2: approver is missing"),
        ("ticket: SEC-1", "tickets: SEC-1", "ticket is missing"),
        ("2027-03-31", "2027-11-03", "not within 12 months"),
        ("2027-03-31", "2026-11-01", "not within 12 months"),
        ("2027-03-31", "soon", "are dates"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ENTRY
    with pytest.raises(ExceptionsError, match=message):
        load(tmp_path, ENTRY.replace(old, new))


def test_a_full_year_is_allowed(tmp_path: Path) -> None:
    assert load(tmp_path, ENTRY.replace("2027-03-31", "2027-11-01")).entries


@pytest.mark.parametrize(
    "text", ["- a", "exception: []", "exceptions: {a: 1}", "exceptions: [1]", "exceptions: [\n  {", "a: b: c"]
)
def test_malformed_files(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExceptionsError, match=r"exceptions\.yaml"):
        load(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ExceptionsError, match="cannot be read"):
        ExceptionRegister.load(tmp_path / "absent.yaml")
