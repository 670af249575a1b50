"""What a role or a record lets through, by models of their own: whoever gets in was meant to."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pci_config.access_records import AccessRecord, MalformedRecordError
from pci_config.catalogue import Catalogue, project_root
from pci_config.iam_identities import AccountUsers
from pci_config.iam_users import Grant, User
from pci_config.rule import COMPLIANT, Facts, RuleInputError, Scope, StatedFacts
from pci_config.settings import Settings

RULES = Catalogue.load(project_root()).rules
SIMULATOR = Path(__file__).resolve().parents[1] / "iam" / "simulate_requests.mjs"
needs_simulator = pytest.mark.skipif(
    shutil.which("node") is None or not (SIMULATOR.parent / "node_modules").is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)
NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
OWN, IDENTITY, PEOPLE, STRANGER = "600000000006", "400000000004", "500000000005", "999999999999"
SETTINGS = Settings(accounts={"production": (OWN,), "identity": (IDENTITY,), "identity_production": (PEOPLE,)})
SAMPLE = json.loads((Path(__file__).resolve().parents[1] / "data/ci/AWS_IAM_Role.json").read_text("utf-8"))

# ---------------------------------------------------------------------------------------------------------- role trust

NAMES = ["*", PEOPLE, f"arn:aws:iam::{PEOPLE}:root", f"arn:aws:iam::{PEOPLE}:user/alice", IDENTITY, OWN, STRANGER]
NAMES += [f"arn:aws:iam::{OWN}:role/app", f"arn:aws:iam::{STRANGER}:user/alice"]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    {"Null": {"aws:MultiFactorAuthAge": "false"}},
    {"Null": {"aws:MultiFactorAuthAge": "true"}},
    {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}},
    {"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": "3600"}},
    {"StringEquals": {"aws:PrincipalAccount": PEOPLE}},
]
# Who may come only when the role says so, and how: with the keys of a console session without MFA, of access keys, and with MFA
HOW = [{"aws:MultiFactorAuthPresent": "false"}, {}, {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "60"}]


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
    form = draw(st.sampled_from(["Principal"] * 4 + ["NotPrincipal"]))
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        form: "*" if names == ["*"] and draw(st.booleans()) else {"AWS": names},
        "Action": draw(st.sampled_from(["sts:AssumeRole", "sts:*", ["sts:AssumeRole", "sts:TagSession"]])),
    }
    if condition := draw(st.sampled_from(CONDITIONS)):
        statement["Condition"] = condition
    return statement


TRUST = st.lists(statements(), min_size=1, max_size=3).map(lambda found: {"Version": "2012-10-17", "Statement": found})


def verdict(document: Any) -> str:
    rule = RULES["PCI_ROLE_TRUST_LIMITED"].rule_class(SETTINGS)
    item = {**SAMPLE, "configuration": {**SAMPLE["configuration"], "assumeRolePolicyDocument": document}, "awsAccountId": OWN}
    facts: Facts = StatedFacts(Scope(OWN, "global", NOW, SETTINGS))
    return str(rule.decide(item, rule.evaluate_parameters({}), facts).compliance)


def forbidden(document: Any) -> list[dict[str, Any]]:
    """Requests that no compliant role lets through: strangers, however they come, and the right people without MFA."""
    found = []
    for account in (PEOPLE, IDENTITY, STRANGER):
        for how in HOW if account != PEOPLE else HOW[:2]:
            for name in ("alice", "bob"):
                context = {**how, "aws:PrincipalAccount": account}
                who = {"kind": "resource", "principal": f"arn:aws:iam::{account}:user/{name}", "policy": document}
                role = {"action": "sts:AssumeRole", "resource": f"arn:aws:iam::{OWN}:role/r", "account": OWN}
                found.append({**who, **role, "context": context})
    return found


@needs_simulator
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], derandomize=True)
@given(st.lists(TRUST, min_size=40, max_size=40))
def test_a_compliant_role_lets_nobody_in_who_should_not(documents: list[Any]) -> None:
    asked = [request for document in documents if verdict(document) == COMPLIANT for request in forbidden(document)]
    run = subprocess.run(["node", str(SIMULATOR)], input=json.dumps(asked), capture_output=True, text=True, check=True)
    for request, said in zip(asked, json.loads(run.stdout), strict=True):
        assert said in ("ImplicitlyDenied", "ExplicitlyDenied"), (said, request)


@settings(max_examples=60, deadline=None)
@given(TRUST)
def test_one_more_allow_never_makes_a_role_compliant(document: Any) -> None:
    wider = {
        **document,
        "Statement": [*document["Statement"], {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
    if verdict(document) != COMPLIANT:
        assert verdict(wider) != COMPLIANT


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.dictionaries(st.text(max_size=3), inner)))
def test_what_is_no_policy_is_no_verdict(document: Any) -> None:
    said = ""
    try:
        said = verdict(document)
    except RuleInputError:
        return
    raise AssertionError(said)


# ------------------------------------------------------------------------------------------------------------- records

MOMENT = st.integers(int(NOW.timestamp()) - 5 * 3600, int(NOW.timestamp()) + 5 * 3600)
PERSON = st.sampled_from(["jane", "Jane", "omar", "ravi"])
GROUPS = ["production-access-a", "production-access-b", "developers"]
RECORDS = st.builds(
    AccessRecord, st.just("jane"), st.sampled_from(["1", "2"]), st.sampled_from(GROUPS), MOMENT, MOMENT, PERSON, PERSON,
    st.none() | MOMENT,
)  # fmt: skip
BROKEN = st.dictionaries(st.sampled_from(["user", "group", "expires", "approver"]), st.none() | st.text(max_size=2), max_size=3)


def holds(record: AccessRecord, hours: int) -> bool:
    """The model: the minutes of a grant, counted out in full."""
    end = record.expires if record.revoked is None else min(record.expires, record.revoked)
    others = {record.user.lower(), record.requester.lower()}
    in_time = record.granted <= NOW.timestamp() < end
    return in_time and record.expires - record.granted <= hours * 3600 and record.approver.lower() not in others


@given(RECORDS, st.integers(1, 12))
def test_a_record_has_no_fault_exactly_while_it_holds(record: AccessRecord, hours: int) -> None:
    assert (record.fault(NOW, hours * 3600) == "") == holds(record, hours)
    assert AccessRecord.from_attributes(record.to_attributes()) == record


@given(RECORDS, BROKEN)
def test_a_broken_record_is_no_record(record: AccessRecord, broken: dict[str, Any]) -> None:
    try:
        AccessRecord.from_attributes({**record.to_attributes(), **broken})
    except MalformedRecordError:
        return
    assert not broken


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=4), st.lists(st.sampled_from(GROUPS), unique=True), st.booleans(), st.integers(1, 12))
def test_a_user_is_compliant_exactly_when_every_membership_is_approved(
    records: list[AccessRecord], groups: list[str], bypass: bool, hours: int
) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{OWN}:role/administrator"}
    grants = [Grant("p", group, {"Statement": statement}) for group in groups if group != "developers"]
    grants += [Grant("own", "", {"Statement": statement})] * bypass
    rule = RULES["PCI_PRODUCTION_ACCESS_TIMEBOXED"].rule_class(SETTINGS)
    (lookup,) = [one for one in rule.lookups if one is not AccountUsers]
    known: dict[tuple[Any, ...], Any] = {
        (AccountUsers,): [User("AIDA1", "jane", tuple(groups), tuple(grants))],
        (lookup, "production-access", "jane"): [record.to_attributes() for record in records],
    }
    facts = StatedFacts(Scope(PEOPLE, "eu-west-1", NOW, SETTINGS), known)
    (finding,) = rule.decide_account(rule.evaluate_parameters({"MaxAccessHours": str(hours)}), facts)
    entered = [group for group in groups if group != "developers"]
    approved = all(any(record.group == group and holds(record, hours) for record in records) for group in entered)
    assert (finding.compliance == COMPLIANT) == (approved and not bypass)
    assert len(finding.annotation) <= 256
