"""Decision table of PCI_PASSWORD_POLICY."""

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
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_PASSWORD_POLICY import AccountPasswordPolicy, PciPasswordPolicy

SCOPE = Scope("123456789012", "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), Settings())
STRONG: dict[str, Any] = {
    "MinimumPasswordLength": 12,
    "RequireSymbols": False,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "AllowUsersToChangePassword": True,
    "ExpirePasswords": True,
    "MaxPasswordAge": 90,
    "PasswordReusePrevention": 4,
}


def judged(policy: Any, raw: dict[str, str] | None = None) -> Finding:
    rule = PciPasswordPolicy(Settings())
    facts = StatedFacts(SCOPE, {(AccountPasswordPolicy,): policy})
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw or {}), facts)
    return finding


def without(field: str) -> dict[str, Any]:
    return {key: value for key, value in STRONG.items() if key != field}


class DecisionTableTest(unittest.TestCase):
    def test_strong_policies_are_compliant(self) -> None:
        for name, change in {
            "exactly what is demanded": {},
            "longer": {"MinimumPasswordLength": 128},
            "changed daily": {"MaxPasswordAge": 1},
            "longer history": {"PasswordReusePrevention": 24},
            "symbols too": {"RequireSymbols": True},
            "hard expiry is not our business": {"HardExpiry": True},
        }.items():
            with self.subTest(name):
                finding = judged({**STRONG, **change})
                self.assertEqual(finding.compliance, COMPLIANT)
                self.assertIn("length", finding.annotation)

    def test_no_policy_at_all_is_non_compliant(self) -> None:
        finding = judged(None)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("no password policy is set", finding.annotation)

    def test_each_weak_field_is_named_with_value_and_expectation(self) -> None:
        for name, policy, expected in (
            ("short", {**STRONG, "MinimumPasswordLength": 11}, "MinimumPasswordLength 11, expected >= 12"),
            ("length left out", without("MinimumPasswordLength"), "MinimumPasswordLength 6, expected >= 12"),
            ("history of three", {**STRONG, "PasswordReusePrevention": 3}, "PasswordReusePrevention 3, expected >= 4"),
            ("no history", without("PasswordReusePrevention"), "PasswordReusePrevention off, expected >= 4"),
            ("91 days", {**STRONG, "MaxPasswordAge": 91}, "MaxPasswordAge 91, expected <= 90"),
            ("never expires", without("MaxPasswordAge"), "MaxPasswordAge never expires, expected <= 90"),
            ("age zero", {**STRONG, "MaxPasswordAge": 0}, "MaxPasswordAge never expires"),
            ("no upper case", {**STRONG, "RequireUppercaseCharacters": False}, "RequireUppercaseCharacters false"),
            ("no lower case", without("RequireLowercaseCharacters"), "RequireLowercaseCharacters false"),
            ("no number", {**STRONG, "RequireNumbers": False}, "RequireNumbers false, expected true"),
            ("may not change", {**STRONG, "AllowUsersToChangePassword": False}, "AllowUsersToChangePassword false"),
        ):
            with self.subTest(name):
                finding = judged(policy)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertIn("[PCI 8.3.6, 8.3.7, 8.3.9]", finding.annotation)

    def test_several_weak_fields_are_counted_and_listed(self) -> None:
        finding = judged({"MinimumPasswordLength": 8})
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertTrue(finding.annotation.startswith("7 weak fields: MinimumPasswordLength 8, expected >= 12; Password"))
        self.assertLessEqual(len(finding.annotation), 256)

    def test_it_speaks_of_the_account(self) -> None:
        finding = judged(STRONG)
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", "123456789012"))


class ParametersTest(unittest.TestCase):
    def test_parameters_raise_the_bar(self) -> None:
        for raw, expected in (
            ({"MinimumPasswordLength": "14"}, "MinimumPasswordLength 12, expected >= 14"),
            ({"PasswordReusePrevention": "24"}, "PasswordReusePrevention 4, expected >= 24"),
            ({"MaxPasswordAge": "60"}, "MaxPasswordAge 90, expected <= 60"),
            ({"RequireSymbols": "true"}, "RequireSymbols false, expected true"),
        ):
            with self.subTest(expected):
                self.assertIn(expected, judged(STRONG, raw).annotation)

    def test_they_cannot_lower_it_below_pci_dss_and_typos_are_errors(self) -> None:
        rule = PciPasswordPolicy(Settings())
        for raw in (
            {"MinimumPasswordLength": "11"},
            {"PasswordReusePrevention": "3"},
            {"PasswordReusePrevention": "25"},
            {"MaxPasswordAge": "91"},
            {"MaxPasswordAge": "0"},
            {"RequireSymbols": "maybe"},
            {"MinimumPasswordLenght": "12"},
        ):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_live_policies_and_their_absence(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        self.assertIsNone(LiveFacts(Clients(), SCOPE).get(AccountPasswordPolicy))
        boto3.client("iam", region_name="eu-west-1").update_account_password_policy(MinimumPasswordLength=14)
        policy = LiveFacts(Clients(), SCOPE).get(AccountPasswordPolicy)
        self.assertEqual(policy and policy["MinimumPasswordLength"], 14)
        self.assertEqual(judged(policy).compliance, NON_COMPLIANT)

    def test_refused_access_is_an_error_not_a_verdict(self) -> None:
        class Refusing:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_account_password_policy(self) -> Any:
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetAccountPasswordPolicy")

        with self.assertRaises(ClientError):
            PciPasswordPolicy(Settings()).decide_account(
                PciPasswordPolicy(Settings()).evaluate_parameters({}), LiveFacts(Refusing(), SCOPE)
            )

    def test_a_snapshot_cannot_show_it(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
                return []

        with self.assertRaises(NotAssessed):
            RecordedFacts(Nothing(), SCOPE).get(AccountPasswordPolicy)


if __name__ == "__main__":
    unittest.main()
