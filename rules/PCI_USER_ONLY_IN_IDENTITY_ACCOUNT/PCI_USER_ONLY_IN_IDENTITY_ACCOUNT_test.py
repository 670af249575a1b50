"""Decision table of PCI_USER_ONLY_IN_IDENTITY_ACCOUNT."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.iam_credentials import Credentials, UserCredentials
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import SettingMissing, Settings
from PCI_USER_ONLY_IN_IDENTITY_ACCOUNT import PciUserOnlyInIdentityAccount

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLE = json.loads((Path(__file__).resolve().parents[2] / "tests/data/ci/AWS_IAM_User.json").read_text("utf-8"))
ACCOUNTS = {"identity": ("400000000004",), "identity_production": ("500000000005", "500000000015")}
SETTINGS = Settings(accounts=ACCOUNTS)
NAME = SAMPLE["configuration"]["userName"]


def scope(account: str = SAMPLE["awsAccountId"], settings: Settings = SETTINGS) -> Scope:
    return Scope(account, "global", NOW, settings)


def judged(
    credentials: Any = None, account: str = SAMPLE["awsAccountId"], settings: Settings = SETTINGS, **item: Any
) -> Finding:
    known = {} if credentials is None else {(UserCredentials, NAME): credentials}
    facts = StatedFacts(scope(account, settings), known)
    return PciUserOnlyInIdentityAccount(settings).decide({**SAMPLE, "awsAccountId": account, **item}, None, facts)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or "eu-west-1")


class DecisionTableTest(unittest.TestCase):
    def test_elsewhere(self) -> None:
        outside = "outside the identity accounts: remove, and reach this account by a role"
        for credentials, compliance, words in (
            (Credentials(password=True, active_keys=0), NON_COMPLIANT, f"a console password {outside}"),
            (Credentials(password=False, active_keys=1), NON_COMPLIANT, f"1 active access key {outside}"),
            (Credentials(password=False, active_keys=2), NON_COMPLIANT, f"2 active access keys {outside}"),
            (Credentials(password=True, active_keys=1), NON_COMPLIANT, "a console password and 1 active access key outside"),
            (Credentials(password=False, active_keys=0), COMPLIANT, "no password and no active access key"),
            (Credentials(password=False, active_keys=0, inactive_keys=2), COMPLIANT, "(inactive: 2; delete)"),
        ):
            with self.subTest(credentials=credentials):
                finding = judged(credentials)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)
                self.assertEqual(finding.annotation.endswith(" [PCI 8.2.1, 7.2.2]"), compliance == NON_COMPLIANT)
        self.assertTrue(judged(Credentials(password=False, active_keys=0)).annotation.endswith("access key"))

    def test_identity_accounts_need_no_look_at_credentials(self) -> None:
        for account in ("400000000004", "500000000005", "500000000015"):
            with self.subTest(account):
                finding = judged(account=account)
                self.assertEqual(
                    (finding.compliance, finding.annotation), (COMPLIANT, "an identity account: users belong here")
                )

    def test_no_tag_exempts(self) -> None:
        credentials = Credentials(password=False, active_keys=1)
        finding = judged(credentials, tags={"pci:exempt": "true", "service": "true"})
        self.assertEqual(finding.compliance, NON_COMPLIANT)

    def test_settings_that_are_missing(self) -> None:
        for role in ACCOUNTS:
            others = Settings(accounts={name: numbers for name, numbers in ACCOUNTS.items() if name != role})
            with self.subTest(role), self.assertRaisesRegex(SettingMissing, rf"Accounts\.{role} is not set"):
                judged(Credentials(password=False, active_keys=0), settings=others)

    def test_no_name_is_no_verdict(self) -> None:
        for configuration in (None, {}, {"userName": 5}):
            with self.subTest(configuration=configuration), self.assertRaises(RuleInputError):
                judged(account="400000000004", configuration=configuration)

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciUserOnlyInIdentityAccount().evaluate_parameters({"ExemptTag": "x"})


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_live(self) -> None:
        iam = boto3.client("iam", region_name="eu-west-1")
        iam.create_user(UserName="u")
        looked_up = lambda: LiveFacts(Clients(), scope()).get(UserCredentials, "u")  # noqa: E731
        self.assertEqual(looked_up(), Credentials(password=False, active_keys=0))
        iam.create_login_profile(UserName="u", Password="not-a-secret-1A")  # noqa: S106 - of a sandbox
        iam.create_access_key(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
        self.assertEqual(looked_up(), Credentials(password=True, active_keys=2))
        iam.update_access_key(UserName="u", AccessKeyId=key, Status="Inactive")
        self.assertEqual(looked_up(), Credentials(password=True, active_keys=1, inactive_keys=1))

    @mock_aws
    def test_a_user_that_is_gone_is_no_user_without_credentials(self) -> None:
        with self.assertRaises(ClientError):
            LiveFacts(Clients(), scope()).get(UserCredentials, "gone")

    def test_refused_access_is_an_error(self) -> None:
        class Refusing:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_paginator(self, operation: str) -> Any:
                return self

            def paginate(self, **_: Any) -> Any:
                return []

            def get_login_profile(self, **_: Any) -> Any:
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetLoginProfile")

        with self.assertRaises(ClientError):
            LiveFacts(Refusing(), scope()).get(UserCredentials, "u")

    def test_a_snapshot_cannot_show_credentials(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                return []

        rule = PciUserOnlyInIdentityAccount(SETTINGS)
        with self.assertRaisesRegex(NotAssessed, "user credentials"):
            rule.decide(SAMPLE, None, RecordedFacts(Nothing(), scope()))
        self.assertEqual(rule.decide(SAMPLE, None, RecordedFacts(Nothing(), scope("400000000004"))).compliance, COMPLIANT)


if __name__ == "__main__":
    unittest.main()
