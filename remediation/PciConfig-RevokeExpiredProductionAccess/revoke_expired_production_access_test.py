"""PciConfig-RevokeExpiredProductionAccess: memberships without an approval end, all others stay, and nobody is let in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, FOLDER, REGION, account, answering
from pci_config.access_records import AccessRecord
from pci_config.documents import build_document, restore_names
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.iam_users import User
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-RevokeExpiredProductionAccess"
script = load_script(DOCUMENT)
run = partial(fix_testing.run, DOCUMENT)
GROUP, ADMINS, OTHERS, TABLE = "production-access-operators", "production-access-admins", "developers", "production-access"
PRODUCTION = "600000000006"
SETTINGS = {"Accounts": {"identity_production": ACCOUNT, "production": [PRODUCTION], "staging": "700000000007"}}
OLD, HOUR = 1_577_836_800, 3600  # the beginning of 2020
EXPIRED = AccessRecord("omar", "APR-1", GROUP, OLD, OLD + 2 * HOUR, requester="omar", approver="mia")
ENTER = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{PRODUCTION}:role/*"}]}


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def live(**changes: Any) -> AccessRecord:
    made = AccessRecord("omar", "APR-9", GROUP, now() - HOUR, now() + HOUR, requester="omar", approver="mia")
    return replace(made, **changes)


def iam() -> Any:
    return boto3.client("iam", region_name=REGION)


def make_table(name: str = TABLE) -> Any:
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    keys = (("user", "HASH"), ("approval_id", "RANGE"))
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
    )
    return dynamodb


def make(*records: Any, groups: tuple[str, ...] = (GROUP, OTHERS), table: bool = True, **tags: str) -> dict[str, str]:
    """omar in these groups, jane in all; the document's parameters for omar."""
    for name in (GROUP, ADMINS, OTHERS):
        iam().create_group(GroupName=name)
    for name in (GROUP, ADMINS):
        iam().put_group_policy(
            GroupName=name, PolicyName="enter", PolicyDocument=json.dumps({"Version": "2012-10-17", **ENTER})
        )
    given_tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    iam().create_user(UserName="jane", Path="/people/")
    user_id = iam().create_user(UserName="omar", Path="/people/", Tags=given_tags)["User"]["UserId"]
    for name in groups:
        iam().add_user_to_group(UserName="omar", GroupName=name)
    for name in (GROUP, ADMINS, OTHERS):
        iam().add_user_to_group(UserName="jane", GroupName=name)
    if table:
        dynamodb = make_table()
        for record in records:
            item = record.to_attributes() if isinstance(record, AccessRecord) else record
            dynamodb.put_item(TableName=TABLE, Item=item)
    return {"UserId": user_id}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "no record": make,
    "expired": partial(make, EXPIRED),
    "revoked": partial(make, replace(EXPIRED, revoked=OLD + HOUR)),
    "self-approved": partial(make, replace(EXPIRED, approver="Omar")),
    "of another group": partial(make, replace(EXPIRED, group=ADMINS)),
    "two groups": partial(make, EXPIRED, groups=(ADMINS, GROUP, OTHERS)),
}

ALSO_CHANGES = {"AWS::IAM::Group": "a group's item names its users"}


def groups(user: str = "omar") -> list[str]:
    return sorted(group["GroupName"] for group in iam().list_groups_for_user(UserName=user)["Groups"])


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_memberships_without_approval_end_and_nothing_else(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = groups()
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], groups()) == ("dry-run", before)
    done = run(**parameters)
    assert (done["Outcome"], groups(), groups("jane")) == ("changed", [OTHERS], sorted([GROUP, ADMINS, OTHERS]))
    assert (run(**parameters)["Outcome"], groups()) == ("compliant", [OTHERS])


def test_before_and_after_are_recorded_with_the_approvals() -> None:
    parameters = make(EXPIRED)
    result = run(**parameters)
    before, after = json.loads(result["Before"]), json.loads(result["After"])
    assert before == {
        "UserId": parameters["UserId"],
        "UserName": "omar",
        "Groups": [OTHERS, GROUP],
        "Approvals": [EXPIRED.to_attributes()],
    }
    assert after == {**before, "Groups": [OTHERS]}
    assert result["Message"] == f"remove omar from {GROUP}: APR-1 expired 2020-01-01T02:00Z"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([live(granted=now() + HOUR, expires=now() + 2 * HOUR)], "APR-9 begins"),
        ([live(granted=now() - HOUR, expires=now() + 12 * HOUR)], "APR-9 lasts 13 h, expected <= 12 h"),
        ([live(revoked=now() - 60)], "APR-9 revoked"),
        ([live(approver="OMAR")], "APR-9 is self-approved"),
        ([live(group=ADMINS)], "no record"),
        ([EXPIRED, replace(EXPIRED, approval_id="APR-0", expires=OLD + HOUR)], "APR-1 expired"),
    ],
)
def test_what_does_not_hold_is_told(records: list[AccessRecord], message: str) -> None:
    result = run(**make(*records))
    assert (result["Outcome"], groups()) == ("changed", [OTHERS])
    assert f"remove omar from {GROUP}: {message}" in result["Message"]


@pytest.mark.parametrize(
    ("records", "left"),
    [
        ([live()], (GROUP,)),
        ([live(), EXPIRED], (GROUP,)),
        ([live(), live(approval_id="APR-8", group=ADMINS)], (ADMINS, GROUP)),
        ([], ()),
    ],
)
def test_approved_memberships_stay(records: list[AccessRecord], left: tuple[str, ...]) -> None:
    parameters = make(*records, groups=(*left, OTHERS))
    result = run(**parameters)
    assert (result["Outcome"], json.loads(result["Calls"])) == ("compliant", [])
    assert groups() == sorted([*left, OTHERS])


def test_one_group_ends_and_the_approved_one_stays() -> None:
    result = run(**make(live(), groups=(ADMINS, GROUP)))
    assert (result["Outcome"], groups()) == ("changed", [GROUP])
    assert result["Message"] == f"remove omar from {ADMINS}: no record"


def test_the_longest_approval_and_the_names_are_parameters() -> None:
    parameters = make(live())
    assert run(**parameters, MaxAccessHours="2")["Outcome"] == "compliant"
    past = f"past the groups: inline policy enter of group {GROUP}"
    assert_refused(parameters, past, AccessGroups="prod-*, ops")  # of these groups the user is in none
    assert run(**parameters, MaxAccessHours="1")["Outcome"] == "changed"
    assert groups() == [OTHERS]


def test_another_table() -> None:
    parameters = make()
    record = live().to_attributes()
    make_table("grants").put_item(TableName="grants", Item=record)
    assert run(**parameters, RecordTable="grants")["Outcome"] == "compliant"
    assert run(**parameters)["Outcome"] == "changed"


def test_a_user_that_is_gone() -> None:
    make()
    assert run(UserId="AIDAQQQQQQQQQQQQQQQQQ")["Outcome"] == "gone"
    with answering(GetUser="NoSuchEntity"):
        user_id = iam().list_users()["Users"][0]["UserId"]
        assert run(UserId=user_id)["Outcome"] == "gone"


# ----------------------------------------------------------------------------------------------------------- refusals


def assert_refused(parameters: dict[str, str], message: str, **changes: str) -> None:
    before = groups()
    with pytest.raises(Refused, match=message):
        run(**parameters, **changes)
    assert groups() == before


def test_without_the_table_nobody_is_removed() -> None:
    parameters = make(table=False)
    assert_refused(parameters, "there is no table production-access here.*everybody would be removed")
    iam().remove_user_from_group(UserName="omar", GroupName=GROUP)
    assert run(**parameters)["Outcome"] == "compliant"


@pytest.mark.parametrize("others", [[], [EXPIRED]])
def test_a_malformed_record_may_be_the_approval(others: list[AccessRecord]) -> None:
    broken = {**EXPIRED.to_attributes(), "approval_id": {"S": "APR-2"}, "expires": {"S": "tomorrow"}}
    parameters = make(broken, *others)
    assert_refused(parameters, r"a record of omar in production-access is malformed \(expires is no time.*mend or delete it")


def test_a_malformed_record_beside_an_approval_is_no_matter() -> None:
    broken = {**EXPIRED.to_attributes(), "approval_id": {"S": "APR-2"}, "expires": {"S": "tomorrow"}}
    assert run(**make(broken, live()))["Outcome"] == "compliant"


@pytest.mark.parametrize("names", ["omar", "break-*, om*"])
def test_break_glass_users_are_refused(names: str) -> None:
    parameters = make(EXPIRED)
    assert_refused(parameters, "omar is a break-glass user: record an exception", BreakGlassUsers=names)
    assert run(**parameters, BreakGlassUsers="Omar, jane")["Outcome"] == "changed"


def test_a_break_glass_user_with_an_approval_is_compliant() -> None:
    assert run(**make(live()), BreakGlassUsers="omar")["Outcome"] == "compliant"


def test_an_exception_leaves_a_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(EXPIRED)
    today = datetime.now(UTC).date()
    entry = ExceptionEntry(
        rule="PCI_PRODUCTION_ACCESS_TIMEBOXED", accounts=(ACCOUNT,), regions=(REGION,),
        resource=f"arn:aws:iam::{ACCOUNT}:user/people/omar", reason="r", approver="CISO", ticket="SEC-1",
        compensating_control="c", created=today, expires=today,
    )  # fmt: skip
    monkeypatch.setitem(script.carry_out.__globals__, "EXCEPTIONS", ExceptionRegister((entry,)).as_json())
    result = run(**parameters)
    assert (result["Outcome"], groups()) == ("excepted", [OTHERS, GROUP])
    assert "(SEC-1, PCI_PRODUCTION_ACCESS_TIMEBOXED)" in result["Message"]


def test_a_user_that_terraform_manages_is_refused() -> None:
    parameters = make(EXPIRED, CreatedBy="terraform")
    assert_refused(parameters, "managed by terraform")
    assert run(**parameters, AllowManaged="true")["Outcome"] == "changed"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"Accounts\.identity_production is not set"),
        ({"Accounts": {"identity_production": ACCOUNT}}, r"Accounts\.production is not set"),
        (
            {"Accounts": {**SETTINGS["Accounts"], "identity_production": ["210987654321"]}},
            "not the identity account of production",
        ),
    ],
)
def test_other_accounts_are_refused(settings: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(EXPIRED)
    monkeypatch.setattr(script, "SETTINGS", settings)
    assert_refused(parameters, message)


def test_odd_input_is_refused() -> None:
    assert_refused(make(EXPIRED), "expected a whole number", MaxAccessHours="long")


# ------------------------------------------------------------------------------------------------------ past the groups


def test_a_way_past_the_groups_is_told_and_left() -> None:
    parameters = make(EXPIRED)
    iam().put_user_policy(
        UserName="omar", PolicyName="temporary", PolicyDocument=json.dumps({"Version": "2012-10-17", **ENTER})
    )
    result = run(**parameters)
    assert (result["Outcome"], groups()) == ("changed", [OTHERS])
    past = "omar reaches production past the groups: inline policy temporary of the user"
    assert f"APR-1 expired 2020-01-01T02:00Z (left as it is: {past})" in result["Message"]
    assert_refused(parameters, f"{past}: this changes memberships only")
    assert run(**parameters, ProductionAccounts="staging")["Outcome"] == "compliant"
    assert_refused(parameters, past, ProductionAccounts="staging, production")
    assert_refused(parameters, "break-glass user", BreakGlassUsers="omar")


# ------------------------------------------------------------------------------------------------- when calls meet others


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Somebody acts between the reading and the first call."""
    keep = script.carry_out.__globals__["_keep_evidence"]

    def keeping(event: Any, resource_id: str, which: str, *more: Any) -> Any:
        if which == "before":
            act()
        return keep(event, resource_id, which, *more)

    monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", keeping)


def remove() -> None:
    for name in groups():
        iam().remove_user_from_group(UserName="omar", GroupName=name)


def test_another_run_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(EXPIRED)
    meanwhile(monkeypatch, remove)
    assert run(**parameters)["Outcome"] in ("compliant", "changed")
    assert groups() == []


def test_a_user_that_is_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(EXPIRED)

    def delete() -> None:
        remove()
        iam().delete_user(UserName="omar")

    meanwhile(monkeypatch, delete)
    assert run(**parameters)["Outcome"] == "gone"


def test_a_denied_call_is_told() -> None:
    parameters = make(EXPIRED)
    with answering(RemoveUserFromGroup="AccessDenied"), pytest.raises(RuntimeError, match="done before that: nothing"):
        run(**parameters)
    assert groups() == [OTHERS, GROUP]


# --------------------------------------------------------------------------------------------------------- no way back


def test_there_is_no_restore_and_the_document_says_why() -> None:
    assert DOCUMENT not in restore_names(FOLDER)
    text = build_document(FOLDER / DOCUMENT, SETTINGS)
    _, _, undo = yaml.safe_load(text)["description"].partition("## How to undo")
    assert "There is no restore" in undo
    assert "A new approval by somebody else" in undo
    assert not hasattr(script, "restore")


# ------------------------------------------------------------------------------------------------- every user, by a model

MOMENTS = st.integers(-3, 3).map(lambda hours: now() + hours * HOUR + 1800)
RECORDS = st.builds(
    AccessRecord,
    user=st.sampled_from(["omar", "jane"]),
    approval_id=st.sampled_from(["APR-1", "APR-2"]),
    group=st.sampled_from([GROUP, ADMINS]),
    granted=MOMENTS,
    expires=MOMENTS,
    requester=st.sampled_from(["omar", "mia"]),
    approver=st.sampled_from(["omar", "mia", "ravi"]),
    revoked=st.none() | MOMENTS,
)


def holds(record: AccessRecord, group: str) -> bool:
    """A model of its own."""
    approved = record.approver not in (record.requester, record.user) and record.expires - record.granted <= 2 * HOUR
    in_time = record.granted <= now() < (record.expires if record.revoked is None else min(record.expires, record.revoked))
    return (record.user, record.group) == ("omar", group) and approved and in_time


@given(st.lists(RECORDS, max_size=4), st.lists(st.sampled_from([GROUP, ADMINS, OTHERS]), unique=True))
def test_exactly_the_memberships_without_approval_end(records: list[AccessRecord], entered: list[str]) -> None:
    event = {"UserId": "AIDAOMAR", "AccountId": ACCOUNT, "AccessGroups": "production-access*", "RecordTable": TABLE,
             "MaxAccessHours": "2", "ProductionAccounts": "production", "BreakGlassUsers": "none"}  # fmt: skip
    fix = script.ExpiredAccess(event)
    items = [record.to_attributes() for record in records]
    state = {"user": User("AIDAOMAR", "omar", tuple(entered), ()), "described": {}, "records": items}
    changes = fix.changes(state)
    gone = sorted(change.parameters["GroupName"] for change in changes)
    assert {(c.service, c.operation, c.parameters["UserName"]) for c in changes} <= {("iam", "remove_user_from_group", "omar")}
    expected = [group for group in (GROUP, ADMINS) if group in entered and not any(holds(record, group) for record in records)]
    assert gone == sorted(expected)
    left = tuple(group for group in entered if group not in gone)
    assert fix.changes({**state, "user": User("AIDAOMAR", "omar", left, ())}) == []
