"""Decision table of PCI_PRODUCTION_ACCESS_TIMEBOXED."""

from __future__ import annotations

import json
import unittest
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.access_records import AccessRecord
from pci_config.iam_identities import AccountUsers
from pci_config.iam_users import Grant, User
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    Scope,
    StatedFacts,
)
from pci_config.settings import SettingMissing, Settings
from PCI_PRODUCTION_ACCESS_TIMEBOXED import AccessParameters, ApprovalRecords, PciProductionAccessTimeboxed

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
GRANTED = int(NOW.timestamp()) - 3600
OWN, PRODUCTION = "500000000005", "600000000006"
SETTINGS = Settings(accounts={"identity_production": (OWN,), "production": (PRODUCTION, "600000000016"), "staging": ("7",)})
GROUP, TABLE = "production-access-operators", "production-access"
RECORD = AccessRecord("jane", "APR-1", GROUP, GRANTED, GRANTED + 7200, requester="jane", approver="omar")
SUFFIX = " [PCI 7.2.2, 7.2.3, 8.2.4]"


def document(resource: Any = f"arn:aws:iam::{PRODUCTION}:role/*", action: Any = "sts:AssumeRole", effect: str = "Allow") -> Any:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


BY_GROUP = Grant(f"inline policy assume of group {GROUP}", GROUP, document())


def user(*grants: Grant, groups: tuple[str, ...] = (GROUP,), name: str = "jane") -> User:
    return User(f"AIDA{name.upper()}", name, groups, grants)


def findings(
    users: list[User], records: Any, raw: dict[str, str] | None = None, account: str = OWN, settings: Settings = SETTINGS
) -> list[Finding]:
    rule = PciProductionAccessTimeboxed(settings)
    parameters = rule.evaluate_parameters(raw or {})
    known: dict[tuple[Any, ...], Any] = {(AccountUsers,): users}
    for one in users:
        known[ApprovalRecords, parameters.record_table, one.name] = records
    return list(rule.decide_account(parameters, StatedFacts(Scope(account, "eu-west-1", NOW, settings), known)))


def judged(one: User, *records: Any, **more: Any) -> Finding:
    (finding,) = findings([one], [r.to_attributes() if isinstance(r, AccessRecord) else r for r in records], **more)
    return finding


class TableCase(unittest.TestCase):
    def check(self, finding: Finding, compliance: str, words: str) -> None:
        self.assertIn(words, finding.annotation)
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        self.assertEqual(finding.annotation.endswith(SUFFIX), compliance == NON_COMPLIANT)
        self.assertLessEqual(len(finding.annotation), 256)


class MembershipTest(TableCase):
    def test_a_record_that_holds(self) -> None:
        finding = judged(user(BY_GROUP), RECORD)
        self.check(finding, COMPLIANT, f"jane is in {GROUP} until 2026-11-01T10:00Z (approval APR-1)")
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::IAM::User", "AIDAJANE"))
        self.check(
            judged(user(BY_GROUP), replace(RECORD, approval_id="APR-0", expires=GRANTED + 60), RECORD), COMPLIANT, "APR-1"
        )

    def test_records_that_do_not(self) -> None:
        without = f"jane is in {GROUP} without a live approval: "
        for name, records, words in (
            ("none", [], "no record"),
            ("of another group", [replace(RECORD, group="production-access-admins")], "no record"),
            ("of another user", [replace(RECORD, user="omar", approver="ravi")], "no record"),
            ("expired", [replace(RECORD, expires=GRANTED + 3600)], "APR-1 expired 2026-11-01T09:00Z"),
            ("the last of the expired", [replace(RECORD, expires=GRANTED + 3600), replace(RECORD, approval_id="APR-0", expires=GRANTED + 60)], "APR-1 expired"),
            ("revoked", [replace(RECORD, revoked=GRANTED + 60)], "APR-1 revoked 2026-11-01T08:01Z"),
            ("not begun", [replace(RECORD, granted=GRANTED + 3601)], "APR-1 begins"),
            ("self-approved", [replace(RECORD, approver="Jane")], "APR-1 is self-approved"),
            ("too long", [replace(RECORD, expires=GRANTED + 12 * 3600 + 1)], "APR-1 lasts 12 h, expected <= 12 h"),
            ("malformed", [{"user": {"S": "jane"}}], "a record is malformed (approval_id is no text)"),
            ("malformed beside expired", [{}, replace(RECORD, expires=GRANTED + 60)], "APR-1 expired"),
        ):  # fmt: skip
            with self.subTest(name):
                self.check(judged(user(BY_GROUP), *records), NON_COMPLIANT, without + words)
        self.check(judged(user(BY_GROUP), {}, RECORD), COMPLIANT, "APR-1")

    def test_the_longest_approval_is_a_parameter(self) -> None:
        self.check(judged(user(BY_GROUP), RECORD, raw={"MaxAccessHours": "1"}), NON_COMPLIANT, "lasts 2 h, expected <= 1 h")
        self.check(judged(user(BY_GROUP), RECORD, raw={"MaxAccessHours": "2"}), COMPLIANT, "APR-1")
        self.check(judged(user(BY_GROUP), replace(RECORD, expires=GRANTED + 12 * 3600)), COMPLIANT, "until 2026-11-01T20:00Z")

    def test_several_groups(self) -> None:
        one = user(BY_GROUP, groups=(GROUP, "production-access-admins", "developers"))
        self.check(judged(one, RECORD), NON_COMPLIANT, "jane is in production-access-admins without a live approval: no record")
        both = [RECORD, replace(RECORD, approval_id="APR-2", group="production-access-admins")]
        self.check(judged(one, *both), COMPLIANT, "(approval APR-1); jane is in production-access-admins until")
        self.assertTrue(judged(one).annotation.startswith("2 problems; first: jane is in production-access-operators"))

    def test_no_table(self) -> None:
        (finding,) = findings([user(BY_GROUP)], None)
        self.check(finding, NON_COMPLIANT, "there is no table production-access of approval records")
        (finding,) = findings([user(groups=())], None)
        self.check(finding, COMPLIANT, "jane has no access to production")

    def test_names_are_parameters(self) -> None:
        raw = {"AccessGroups": "prod,ops-*", "RecordTable": "grants"}
        for group, compliance in (("prod", NON_COMPLIANT), ("ops-x", NON_COMPLIANT), (GROUP, COMPLIANT), ("Prod", COMPLIANT)):
            with self.subTest(group):
                self.assertEqual(judged(user(groups=(group,)), raw=raw).compliance, compliance)
        record = replace(RECORD, group="prod")
        self.check(judged(user(groups=("prod",)), record, raw=raw), COMPLIANT, "approval APR-1")


class BypassTest(TableCase):
    def test_own_policies_and_other_groups(self) -> None:
        past = "jane reaches production past the groups: "
        for name, grant, words in (
            ("inline", Grant("inline policy x of the user", "", document()), "inline policy x of the user"),
            ("attached", Grant("policy AdministratorAccess of the user", "", document("*", "*")), "policy AdministratorAccess"),
            ("another group", Grant("policy ops of group developers", "developers", document()), "policy ops of group developers"),
            ("one role", Grant("p", "", document(f"arn:aws:iam::{PRODUCTION}:role/admin")), "p"),
            ("second account", Grant("p", "", document("arn:aws:iam::600000000016:role/x")), "p"),
            ("any account", Grant("p", "", document("arn:aws:iam::*:role/admin")), "p"),
            ("another partition", Grant("p", "", document(f"arn:aws-cn:iam::{PRODUCTION}:role/admin")), "p"),
            ("GovCloud", Grant("p", "", document(f"arn:aws-us-gov:iam::{PRODUCTION}:role/admin")), "p"),
            ("that action only", Grant("p", "", document("*", "sts:AssumeRole")), "p"),
            ("not some role", Grant("p", "", {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::x"}}), "p"),
            ("with a condition", Grant("p", "", {"Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}}), "p"),
            ("broken", Grant("policy y", "", "{"), "policy y cannot be understood (it is not JSON"),
            ("unknown", Grant("policy z", "", None), "policy z cannot be understood"),
        ):  # fmt: skip
            with self.subTest(name):
                self.check(judged(user(grant, groups=("developers",))), NON_COMPLIANT, past + words)
        understood = judged(user(Grant("policy x", "", document()), groups=()))
        self.assertEqual(understood.annotation, f"{past}policy x{SUFFIX}")

    def test_policies_that_do_not(self) -> None:
        for name, grants in (
            ("none", []),
            ("other accounts", [Grant("p", "", document("arn:aws:iam::700000000007:role/*"))]),
            ("other actions", [Grant("p", "", document("*", ["s3:*", "sts:GetSessionToken"]))]),
            ("users of production", [Grant("p", "", document(f"arn:aws:iam::{PRODUCTION}:user/*"))]),
            ("denied by another policy", [Grant("p", "", document()), Grant("q", "g", document("*", "sts:*", "Deny"))]),
        ):
            with self.subTest(name):
                self.check(judged(user(*grants, groups=("g",))), COMPLIANT, "jane has no access to production")

    def test_the_groups_own_policies_are_the_way_in(self) -> None:
        self.check(judged(user(BY_GROUP), RECORD), COMPLIANT, "APR-1")
        self.check(judged(user(BY_GROUP, Grant("own", "", document())), RECORD), NON_COMPLIANT, "past the groups: own")

    def test_which_accounts_are_production_is_a_parameter(self) -> None:
        grant = Grant("p", "", document("arn:aws:iam::7:role/x"))
        self.check(judged(user(grant, groups=())), COMPLIANT, "no access")
        raw = {"ProductionAccounts": "production,staging"}
        self.check(judged(user(grant, groups=()), raw=raw), NON_COMPLIANT, "past the groups")

    def test_bypasses_come_first(self) -> None:
        finding = judged(user(Grant("own", "", document())))
        self.assertTrue(finding.annotation.startswith("2 problems; first: jane reaches production past"), finding.annotation)


class AccountTest(TableCase):
    def test_every_user_is_judged(self) -> None:
        found = findings([user(BY_GROUP), user(name="omar", groups=())], [])
        self.assertEqual([(f.resource_id, f.compliance) for f in found], [("AIDAJANE", NON_COMPLIANT), ("AIDAOMAR", COMPLIANT)])

    def test_elsewhere_and_without_users(self) -> None:
        (finding,) = findings([], [], account=PRODUCTION)
        self.check(finding, NOT_APPLICABLE, "not the identity account of production")
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", PRODUCTION))
        (finding,) = findings([], [])
        self.check(finding, COMPLIANT, "no users")
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", OWN))

    def test_settings_that_are_missing(self) -> None:
        with self.assertRaisesRegex(SettingMissing, r"Accounts\.identity_production"):
            findings([], [], settings=Settings())
        with self.assertRaisesRegex(SettingMissing, r"Accounts\.production is"):
            findings([], [], settings=Settings(accounts={"identity_production": (OWN,)}))

    def test_parameters(self) -> None:
        rule = PciProductionAccessTimeboxed(SETTINGS)
        self.assertEqual(rule.evaluate_parameters({}), AccessParameters())
        for raw in (
            {"MaxAccessHours": "0"},
            {"MaxAccessHours": "169"},
            {"RecordTable": "a b"},
            {"AccessGroups": "a b"},
            {"X": "y"},
        ):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)
        for value in ("", "one,another", "ab", "a" * 256):
            with (
                self.subTest(value),
                self.assertRaisesRegex(ParameterError, "RecordTable.* is not the name of a DynamoDB table"),
            ):
                rule.evaluate_parameters({"RecordTable": value})
        for value in ("abc", "a" * 255, "Grants_of.2026-11"):
            self.assertEqual(rule.evaluate_parameters({"RecordTable": value}).record_table, value)
        self.assertEqual(rule.evaluate_parameters({}).record_table, TABLE)

    def test_a_snapshot_cannot_show_it(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                return []

        rule = PciProductionAccessTimeboxed(SETTINGS)
        facts = RecordedFacts(Nothing(), Scope(OWN, "eu-west-1", NOW, SETTINGS))
        with self.assertRaisesRegex(NotAssessed, "account users"):
            rule.decide_account(AccessParameters(), facts)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or "eu-west-1")


@mock_aws
class LiveTest(TableCase):
    def facts(self) -> LiveFacts:
        return LiveFacts(Clients(), Scope(OWN, "eu-west-1", NOW, SETTINGS))

    def test_users_with_all_their_policies(self) -> None:
        iam = boto3.client("iam", region_name="eu-west-1")
        iam.create_user(UserName="jane")
        iam.create_group(GroupName=GROUP)
        iam.add_user_to_group(UserName="jane", GroupName=GROUP)
        iam.put_group_policy(GroupName=GROUP, PolicyName="assume", PolicyDocument=json.dumps(document()))
        iam.put_user_policy(UserName="jane", PolicyName="adhoc", PolicyDocument=json.dumps(document("*")))
        arn = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(document("*", "s3:*")))["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document("*", "sts:*")), SetAsDefault=True)
        iam.attach_user_policy(UserName="jane", PolicyArn=arn)
        iam.attach_group_policy(GroupName=GROUP, PolicyArn=arn)
        (jane,) = self.facts().get(AccountUsers)
        self.assertEqual((jane.name, jane.groups), ("jane", (GROUP,)))
        self.assertEqual(jane.user_id, iam.get_user(UserName="jane")["User"]["UserId"])
        self.assertEqual(
            {(grant.name, grant.group) for grant in jane.grants},
            {
                ("inline policy adhoc of the user", ""),
                ("policy own of the user", ""),
                (f"inline policy assume of group {GROUP}", GROUP),
                (f"policy own of group {GROUP}", GROUP),
            },
        )
        self.assertEqual({json.dumps(g.document) for g in jane.grants if "own" in g.name}, {json.dumps(document("*", "sts:*"))})
        finding = PciProductionAccessTimeboxed(SETTINGS).decide_account(AccessParameters(), self.facts())[0]
        self.check(finding, NON_COMPLIANT, "3 problems; first: jane reaches production past the groups")

    def test_records(self) -> None:
        self.assertIsNone(self.facts().get(ApprovalRecords, TABLE, "jane"))
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        keys = [("user", "HASH"), ("approval_id", "RANGE")]
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        )
        self.assertEqual(self.facts().get(ApprovalRecords, TABLE, "jane"), [])
        for record in (RECORD, replace(RECORD, user="omar")):
            dynamodb.put_item(TableName=TABLE, Item=record.to_attributes())
        self.assertEqual(self.facts().get(ApprovalRecords, TABLE, "jane"), [RECORD.to_attributes()])

    def test_a_record_made_a_moment_ago_is_read(self) -> None:
        asked: list[Any] = []

        class Asked:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_paginator(self, name: str) -> Any:
                return self

            def paginate(self, **request: Any) -> Any:
                asked.append(request)
                return []

        self.assertEqual(LiveFacts(Asked(), self.facts().scope).get(ApprovalRecords, TABLE, "jane"), [])
        self.assertIs(asked[0]["ConsistentRead"], True)

    def test_other_errors_are_no_verdict(self) -> None:
        class Refusing:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_paginator(self, name: str) -> Any:
                return self

            def paginate(self, **_: Any) -> Any:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")

        with self.assertRaises(ClientError):
            LiveFacts(Refusing(), self.facts().scope).get(ApprovalRecords, TABLE, "jane")


if __name__ == "__main__":
    unittest.main()
