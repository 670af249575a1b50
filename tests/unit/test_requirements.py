"""Numbers: complete, sorted, consistent with 3.2.1, and none of those that are easily mistaken."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import moto.config
import pytest

from pci_config.catalogue import Catalogue, ManagedRule, RuleEntry
from pci_config.requirements import Misnomer, RequirementBook, order

CATALOGUE = Catalogue.load()
BOOK = CATALOGUE.book
REQUIREMENTS = list(BOOK.requirements.values())
REGION_NAMES = {"eu-west-1": "Europe (Ireland)", "us-east-1": "US East (N. Virginia)"}


@pytest.fixture(scope="module")
def aws_table() -> dict[str, Any]:
    """The table of AWS's managed rules, as moto carries it."""
    with gzip.open(Path(moto.config.__file__).parent / "resources" / "aws_managed_rules.json.gz") as stream:
        table: dict[str, Any] = json.load(stream)["ManagedRules"]
    return table


def test_every_chapter_that_configuration_can_show_is_there() -> None:
    assert len(REQUIREMENTS) == 106
    assert {number.split(".")[0] for number in BOOK.requirements} == {"1", "2", "3", "4", "5", "6", "7", "8", "10", "11", "12"}


def test_numbers_are_sorted_and_every_entry_is_complete() -> None:
    assert list(BOOK.requirements) == sorted(BOOK.requirements, key=order)
    for requirement in REQUIREMENTS:
        assert re.fullmatch(r"[0-9]+(\.[0-9]+){2,3}", requirement.id)
        assert requirement.title
        assert len(requirement.title) <= 140
        assert requirement.checks
        assert requirement.evidence_limits
        assert (requirement.why_custom is None) != (requirement.no_rule is None), f"{requirement.id}: one of the two"


def test_order_is_by_value() -> None:
    assert sorted(["10.2", "9.1", "10.10", "10.2.1", "10.2.1.2"], key=order) == ["9.1", "10.2", "10.2.1", "10.2.1.2", "10.10"]


def test_future_dated_requirements_say_since_when() -> None:
    dated = {requirement.id: requirement.in_force for requirement in REQUIREMENTS if requirement.in_force}
    assert len(dated) == 22
    assert all(text.startswith("2025-03-31") for text in dated.values())
    assert {"3.5.1.2", "6.4.2", "8.4.2", "10.4.1.1", "10.7.2"} <= set(dated)


def test_predecessors_and_their_index_agree() -> None:
    for requirement in REQUIREMENTS:
        for number in requirement.predecessors:
            assert requirement.id in BOOK.predecessor_index[number], f"{requirement.id} follows {number}"
    for number, after in BOOK.predecessor_index.items():
        assert after, number
        assert set(after) <= set(BOOK.requirements), number


def test_managed_rules_named_by_requirements_exist(aws_table: dict[str, Any]) -> None:
    for requirement in REQUIREMENTS:
        assert set(requirement.managed_rules) <= set(aws_table), requirement.id


@pytest.mark.parametrize("rule", [*CATALOGUE.rules.values(), *CATALOGUE.managed_rules.values()], ids=lambda rule: rule.id)
def test_no_rule_claims_a_mistaken_or_unknown_number(rule: RuleEntry | ManagedRule) -> None:
    claimed = [(version, number) for version, numbers in rule.requirements.items() for number in numbers]
    assert [
        BOOK.refusal(version, number, rule.id) for version, number in claimed if BOOK.refusal(version, number, rule.id)
    ] == []
    assert len(claimed) == len(set(claimed)), "a number stands twice"


@pytest.mark.parametrize(
    ("version", "number", "rule_id", "refused"),
    [
        ("4.0.1", "9.4.1.1", "PCI_ARCHIVE_PROTECTED", True),
        ("4.0.1", "9.1", "PCI_X", True),
        ("3.2.1", "9.1", "PCI_X", True),  # no misnomer there, but no number of ours either
        ("4.0.1", "7.2.5.1", "PCI_PRODUCTION_ACCESS_TIMEBOXED", True),
        ("3.2.1", "8.1.5", "PCI_PRODUCTION_ACCESS_TIMEBOXED", True),
        ("4.0.1", "1.4.4", "PCI_SECURITY_GROUP_EGRESS_LIMITED", True),
        ("4.0.1", "1.4.4", "PCI_ROUTE_LIMITED", False),
        ("4.0.1", "1.3.3", "PCI_X", True),
        ("3.2.1", "1.3.3", "PCI_X", False),
        ("3.2.1", "10.3.3", "PCI_X", True),
        ("4.0.1", "10.3.3", "PCI_X", False),
        ("4.0.1", "11.3.1.1", "PCI_REPOSITORY_SCANNED", True),
        ("4.0.1", "11.3.1.1", "PCI_RUNNING_IMAGE_SCANNED", False),
        ("4.0.1", "11.6.1", "PCI_X", True),
        ("4.0.1", "6.4.3", "PCI_X", True),
        ("3.2.1", "6.4.3", "PCI_X", False),
        ("4.0.1", "99.9", "PCI_X", True),
    ],
)
def test_refusals(version: str, number: str, rule_id: str, refused: bool) -> None:
    assert (BOOK.refusal(version, number, rule_id) is not None) == refused


def test_a_refusal_says_what_was_meant() -> None:
    assert BOOK.refusal("4.0.1", "9.4.1.1", "PCI_X") == (
        "4.0.1 9.4.1.1 is about: Offline copies of media in a physical store; instead: 10.3.2, 10.3.3, 10.5.1 for an archive bucket"
    )
    assert BOOK.refusal("3.2.1", "99.9", "PCI_X") == "3.2.1 99.9 is not in requirements.yaml"


def test_a_misnomer_of_named_rules_leaves_others_alone() -> None:
    misnomer = Misnomer("1.1.1", "4.0.1", "a", "b", ("PCI_A",), ())
    book = RequirementBook("x", {"1.1.1": REQUIREMENTS[0]}, {}, (misnomer,))
    assert book.refusal("4.0.1", "1.1.1", "PCI_A")
    assert book.refusal("4.0.1", "1.1.1", "PCI_B") is None


# ------------------------------------------------------------------------------------------------------ managed rules


@pytest.fixture(params=CATALOGUE.managed_rules.values(), ids=lambda rule: rule.id)
def managed(request: pytest.FixtureRequest) -> ManagedRule:
    found: ManagedRule = request.param
    return found


def test_parameters_are_those_of_aws(managed: ManagedRule, aws_table: dict[str, Any]) -> None:
    known = {parameter["Name"]: parameter for parameter in aws_table[managed.id]["Parameters"]}
    assert dict(managed.accepts) == {name: parameter["Type"] for name, parameter in known.items()}
    assert set(managed.parameters) <= set(known)
    assert {name for name, parameter in known.items() if not parameter["Optional"]} <= set(managed.parameters)
    assert managed.faults(managed.parameters) == []


def test_numbers_follow_from_the_requirements(managed: ManagedRule) -> None:
    for number in managed.requirements["4.0.1"]:
        assert managed.id in BOOK.requirements[number].managed_rules, f"{number} does not name it as direct evidence"
    predecessors = {old for number in managed.requirements["4.0.1"] for old in BOOK.requirements[number].predecessors}
    assert set(managed.requirements["3.2.1"]) == predecessors


def test_every_managed_rule_says_what_it_decides_and_misses(managed: ManagedRule) -> None:
    assert managed.why_adequate.endswith(".")
    assert managed.known_gap.endswith(".")


def test_managed_rules_run_in_the_sample_regions(managed: ManagedRule, aws_table: dict[str, Any]) -> None:
    regions = aws_table[managed.id]["AWS Region"]
    left_out = regions.partition(" except ")[2]
    assert regions.startswith("All supported")
    assert not [name for name in REGION_NAMES.values() if name in left_out]


def test_the_packs_have_the_managed_rules_of_the_catalogue() -> None:
    assert len(CATALOGUE.managed_rules) == 33
    assert {rule.id for rule in CATALOGUE.managed_rules.values() if rule.region_scope == "global"} == {
        "S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC",
        "ROOT_ACCOUNT_MFA_ENABLED",
        "IAM_ROOT_ACCESS_KEY_CHECK",
        "MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS",
        "ACCESS_KEYS_ROTATED",
        "IAM_USER_UNUSED_CREDENTIALS_CHECK",
        "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS",
        "IAM_USER_NO_POLICIES_CHECK",
    }


@pytest.mark.parametrize(
    ("rule_id", "given", "fault"),
    [
        ("ACCESS_KEYS_ROTATED", {"maxAccessKeyAge": "90"}, ""),
        ("ACCESS_KEYS_ROTATED", {"maxAccessKeyAge": "ninety"}, "maxAccessKeyAge: 'ninety' is no whole number"),
        ("ACCESS_KEYS_ROTATED", {"maxAccessKeyAge": ""}, "maxAccessKeyAge: '' is no whole number"),
        ("ACCESS_KEYS_ROTATED", {"MaxAccessKeyAge": "90"}, "takes no parameter 'MaxAccessKeyAge'; known: maxAccessKeyAge"),
        ("EC2_IMDSV2_CHECK", {"x": "1"}, "takes no parameter 'x'; known: none"),
        ("IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", {"excludePermissionBoundaryPolicy": "true"}, ""),
        (
            "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS",
            {"excludePermissionBoundaryPolicy": "yes"},
            "'yes' is neither true nor false",
        ),
        ("ALB_WAF_ENABLED", {"wafWebAclIds": ""}, "wafWebAclIds: is empty"),
        ("ALB_WAF_ENABLED", {"wafWebAclIds": "a,b"}, ""),
    ],
)
def test_faults_of_managed_parameters(rule_id: str, given: dict[str, str], fault: str) -> None:
    found = CATALOGUE.managed_rules[rule_id].faults(given)
    assert len(found) == bool(fault)
    if fault:
        assert fault in found[0]
        assert found[0].startswith(rule_id)
