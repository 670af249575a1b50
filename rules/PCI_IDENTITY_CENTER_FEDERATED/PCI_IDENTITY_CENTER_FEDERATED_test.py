"""Decision table of PCI_IDENTITY_CENTER_FEDERATED."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.sandbox.identity_service import enable
from pci_config.settings import SettingMissing, Settings
from PCI_IDENTITY_CENTER_FEDERATED import CenterParameters, DirectoryUsers, Instances, PciIdentityCenterFederated

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MANAGEMENT, DELEGATED, OTHER = "100000000001", "200000000002", "600000000006"
ACCOUNTS = {"management": (MANAGEMENT,), "delegated_admin": (DELEGATED,)}
SETTINGS = Settings(accounts=ACCOUNTS, regions=("eu-west-1", "us-east-1"))
SUFFIX = " [PCI 8.3.7, 8.3.9]"
EXTERNAL = [{"Issuer": "https://scim.example/abc", "Id": "1"}]


def instance(store: str = "d-1", status: str | None = "ACTIVE") -> dict[str, Any]:
    return {"IdentityStoreId": store} | ({"Status": status} if status else {})


def user(name: str, external: Any = EXTERNAL, status: str | None = "ENABLED") -> dict[str, Any]:
    found: dict[str, Any] = {"UserName": name, "UserId": name, "IdentityStoreId": "d-1"}
    return found | ({"ExternalIds": external} if external is not None else {}) | ({"UserStatus": status} if status else {})


def judged(
    instances: dict[str, Any],
    users: dict[tuple[str, str], Any],
    account: str = MANAGEMENT,
    raw: Any = None,
    settings: Any = SETTINGS,
) -> Finding:
    known: dict[tuple[Any, ...], Any] = {(Instances, region): found for region, found in instances.items()}
    known |= {(DirectoryUsers, *key): found for key, found in users.items()}
    rule = PciIdentityCenterFederated(settings)
    facts = StatedFacts(Scope(account, "eu-west-1", NOW, settings), known)
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw or {}), facts)
    return finding


def with_users(*users: dict[str, Any]) -> Finding:
    return judged({"eu-west-1": [instance()], "us-east-1": []}, {("eu-west-1", "d-1"): list(users)})


class DecisionTableTest(unittest.TestCase):
    def check(self, finding: Finding, compliance: str, words: str) -> None:
        self.assertIn(words, finding.annotation)
        self.assertEqual(finding.compliance, compliance)
        self.assertEqual(finding.resource_type, "AWS::::Account")
        self.assertEqual(finding.annotation.endswith(SUFFIX), compliance == NON_COMPLIANT)
        self.assertLessEqual(len(finding.annotation), 256)

    def test_unused(self) -> None:
        for account in (MANAGEMENT, DELEGATED):
            finding = judged({"eu-west-1": [], "us-east-1": []}, {}, account)
            self.check(finding, COMPLIANT, "Identity Center is unused: this account sees no instance in eu-west-1, us-east-1")
            self.assertEqual(finding.resource_id, account)
        failed = judged({"eu-west-1": [instance(status="CREATE_FAILED")], "us-east-1": []}, {})
        self.check(failed, COMPLIANT, "unused")

    def test_users(self) -> None:
        own = "of Identity Center's own directory"
        for name, users, compliance, words in (
            ("none", [], COMPLIANT, "every enabled user of Identity Center (0) comes from"),
            ("external", [user("a"), user("b")], COMPLIANT, "every enabled user of Identity Center (2) comes from"),
            ("own", [user("b", None), user("a", None)], NON_COMPLIANT, f"2 of 2 enabled users are {own}"),
            ("empty ids", [user("a", [])], NON_COMPLIANT, f"1 of 1 enabled users are {own}"),
            ("null ids", [user("a") | {"ExternalIds": None}], NON_COMPLIANT, "first: a; provision"),
            ("mixed", [user("z", None), user("b", None), user("a")], NON_COMPLIANT, f"2 of 3 enabled users are {own}"),
            ("the first by name", [user("z", None), user("b", None)], NON_COMPLIANT, "first: b; provision"),
            ("disabled", [user("a", None, "DISABLED"), user("b")], COMPLIANT, "(1)"),
            ("status not given", [user("a", None, None)], NON_COMPLIANT, "1 of 1"),
            ("long name", [user("x" * 128, None)], NON_COMPLIANT, "first: " + "x" * 40 + ";"),
        ):
            with self.subTest(name):
                self.check(with_users(*users), compliance, words)

    def test_every_region_is_asked_and_every_store_once(self) -> None:
        both = {"eu-west-1": [instance("d-1")], "us-east-1": [instance("d-1"), instance("d-2", None)]}
        users = {("eu-west-1", "d-1"): [user("a", None)], ("us-east-1", "d-2"): [user("b", None)]}
        self.check(judged(both, users), NON_COMPLIANT, "2 of 2")
        with self.assertRaises(NotAssessed):
            judged({"eu-west-1": []}, {})
        self.check(judged({"ap-south-1": []}, {}, raw={"Regions": "ap-south-1"}), COMPLIANT, "no instance in ap-south-1")
        self.check(judged({"eu-west-1": []}, {}, settings=Settings(accounts=ACCOUNTS)), COMPLIANT, "no instance in eu-west-1")

    def test_other_accounts(self) -> None:
        self.check(judged({}, {}, OTHER), NOT_APPLICABLE, "neither management account nor delegated administrator")
        for role in ACCOUNTS:
            rest = Settings(accounts={name: numbers for name, numbers in ACCOUNTS.items() if name != role})
            with self.subTest(role), self.assertRaisesRegex(SettingMissing, rf"Accounts\.{role} is not set"):
                judged({}, {}, OTHER, settings=rest)

    def test_unexpected_shapes_are_no_verdict(self) -> None:
        for found in ([{}], ["x"], [None]):
            with self.subTest(found), self.assertRaisesRegex(RuleInputError, "ListInstances"):
                judged({"eu-west-1": found, "us-east-1": []}, {})
            with self.subTest(found), self.assertRaisesRegex(RuleInputError, "ListUsers"):
                judged({"eu-west-1": [instance()], "us-east-1": []}, {("eu-west-1", "d-1"): found})

    def test_parameters(self) -> None:
        rule = PciIdentityCenterFederated(SETTINGS)
        self.assertEqual(rule.evaluate_parameters({"Regions": "us-gov-west-1"}), CenterParameters(("us-gov-west-1",)))
        for raw in ({"Regions": "Ireland"}, {"Region": "eu-west-1"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_live(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region)

        facts = LiveFacts(Clients(), Scope(MANAGEMENT, "eu-west-1", NOW, SETTINGS))
        # moto gives every account one; the sandbox, which other tests put into moto, only where it is switched on
        enable("123456789012", "eu-west-1")
        (found,) = facts.get(Instances, "eu-west-1")
        store = found["IdentityStoreId"]
        client = boto3.client("identitystore", region_name="eu-west-1")
        client.create_user(IdentityStoreId=store, UserName="a", DisplayName="A", Name={"GivenName": "A", "FamilyName": "B"})
        self.assertEqual([one["UserName"] for one in facts.get(DirectoryUsers, "eu-west-1", store)], ["a"])

    def test_refused_access_is_an_error(self) -> None:
        class Refusing:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_paginator(self, name: str) -> Any:
                return self

            def paginate(self, **_: Any) -> Any:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "List")

        facts = LiveFacts(Refusing(), Scope(MANAGEMENT, "eu-west-1", NOW, SETTINGS))
        for lookup, key in ((Instances, ("eu-west-1",)), (DirectoryUsers, ("eu-west-1", "d-1"))):
            with self.subTest(lookup), self.assertRaises(ClientError):
                facts.get(lookup, *key)

    def test_a_snapshot_cannot_show_it(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                return []

        facts = RecordedFacts(Nothing(), Scope(MANAGEMENT, "eu-west-1", NOW, SETTINGS))
        with self.assertRaises(NotAssessed):
            PciIdentityCenterFederated(SETTINGS).decide_account(CenterParameters(), facts)


if __name__ == "__main__":
    unittest.main()
