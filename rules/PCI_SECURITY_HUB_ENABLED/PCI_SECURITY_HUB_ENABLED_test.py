"""Decision table of PCI_SECURITY_HUB_ENABLED."""

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
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.sandbox import securityhub_service
from pci_config.security_hub import Hub
from pci_config.settings import Settings
from PCI_SECURITY_HUB_ENABLED import PciSecurityHubEnabled, SecurityHub

REGION = "eu-west-1"
SCOPE = Scope("123456789012", REGION, datetime(2026, 11, 1, tzinfo=UTC), Settings())
OFFERED = [arn.format(region=REGION) for arn in securityhub_service.STANDARDS]
CIS, FSBP, PCI = "cis-aws-foundations-benchmark", "aws-foundational-security-best-practices", "pci-dss"


def arn(name: str, version: str) -> str:
    return next(entry for entry in OFFERED if entry.endswith(f"/{name}/v/{version}"))


def subscription(name: str, version: str, status: Any = "READY", reason: str | None = None) -> dict[str, Any]:
    because = {"StandardsStatusReason": {"StatusReasonCode": reason}} if reason else {}
    return {"StandardsArn": arn(name, version), "StandardsStatus": status, **because}


RIGHT = [subscription(FSBP, "1.0.0"), subscription(CIS, "5.0.0"), subscription(PCI, "4.0.1")]


def judged(subscriptions: Any, raw: dict[str, str] | None = None, offered: Any = None) -> Finding:
    rule = PciSecurityHubEnabled(Settings())
    hub = None if subscriptions is None else Hub(subscriptions, OFFERED if offered is None else offered)
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw or {}), StatedFacts(SCOPE, {(SecurityHub,): hub}))
    return finding


class DecisionTableTest(unittest.TestCase):
    def assert_problem(self, finding: Finding, words: str) -> None:
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(words, finding.annotation)
        self.assertTrue(finding.annotation.endswith(" [PCI 2.2.1]"), finding.annotation)
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", "123456789012"))

    def test_all_ready(self) -> None:
        finding = judged([*RIGHT, subscription(CIS, "3.0.0", "FAILED")])
        self.assertEqual(finding.compliance, COMPLIANT)
        self.assertEqual(finding.annotation, f"READY: {FSBP} 1.0.0, {CIS} 5.0.0, {PCI} 4.0.1")

    def test_off(self) -> None:
        self.assert_problem(judged(None), f"Security Hub is off in eu-west-1; enable it with {FSBP}, {CIS}, {PCI}")

    def test_a_standard_that_is_missing_or_old(self) -> None:
        for name, subscriptions, problem in (
            ("none", [], f"3 problems: {FSBP} 1.0.0 is not subscribed; {CIS} 5.0.0 is not subscribed; {PCI} 4.0.1 is not"),
            ("one missing", RIGHT[:2], "pci-dss 4.0.1 is not subscribed [PCI 2.2.1]"),
            (
                "old ones",
                [*RIGHT[:1], *RIGHT[2:], subscription(CIS, "3.0.0"), subscription(CIS, "1.2.0")],
                f"{CIS} is subscribed in version 1.2.0, 3.0.0, expected 5.0.0",
            ),
        ):
            with self.subTest(name):
                self.assert_problem(judged(subscriptions), problem)

    def test_only_ready_counts(self) -> None:
        for status, reason, problem in (
            ("PENDING", None, "pci-dss 4.0.1 is PENDING, expected READY"),
            ("INCOMPLETE", "NO_AVAILABLE_CONFIGURATION_RECORDER", "INCOMPLETE (NO_AVAILABLE_CONFIGURATION_RECORDER), expected"),
            ("FAILED", "INTERNAL_ERROR", "pci-dss 4.0.1 is FAILED (INTERNAL_ERROR)"),
            ("DELETING", None, "pci-dss 4.0.1 is DELETING"),
        ):
            with self.subTest(status):
                self.assert_problem(judged([*RIGHT[:2], subscription(PCI, "4.0.1", status, reason)]), problem)
        for status in (None, "ready", "SOMETHING"):
            with self.subTest(status), self.assertRaisesRegex(RuleInputError, "pci-dss 4.0.1: StandardsStatus is"):
                judged([*RIGHT[:2], subscription(PCI, "4.0.1", status)])
        self.assertEqual(judged([*RIGHT[:2], subscription(PCI, "4.0.1", "READY", "INTERNAL_ERROR")]).compliance, COMPLIANT)

    def test_newest_is_by_number(self) -> None:
        offered = [*OFFERED, f"arn:aws:securityhub:{REGION}::standards/{CIS}/v/10.0.0"]
        self.assert_problem(judged(RIGHT, offered=offered), f"{CIS} is subscribed in version 5.0.0, expected 10.0.0")

    def test_a_version_can_be_named(self) -> None:
        raw = {"Standards": "pci-dss/v/3.2.1"}
        self.assertEqual(judged([subscription(PCI, "3.2.1")], raw).annotation, "READY: pci-dss 3.2.1")
        self.assert_problem(judged(RIGHT, raw), "pci-dss is subscribed in version 4.0.1, expected 3.2.1")

    def test_standards_of_others_do_not_matter(self) -> None:
        tower = f"arn:aws:securityhub:{REGION}::standards/service-managed-aws-control-tower/v/1.0.0"
        odd = {"StandardsArn": "arn:aws:securityhub:eu-west-1::standards/own", "StandardsStatus": "PENDING"}
        others = [odd, {"StandardsArn": tower, "StandardsStatus": "FAILED"}, {"StandardsStatus": "READY"}]
        self.assertEqual(judged([*RIGHT, *others]).compliance, COMPLIANT)

    def test_what_is_not_offered_is_an_error(self) -> None:
        for standards, words in (
            ("pci", "offers no 'pci' here; it offers aws-foundational.*, pci-dss$"),
            ("pci-dss/v/4.0.2", "no 'pci-dss/v/4.0.2' here; its versions: 3.2.1, 4.0.1$"),
            ("", "parameter Standards is empty"),
        ):
            with self.subTest(standards), self.assertRaisesRegex(RuleInputError, words):
                judged(RIGHT, {"Standards": standards})
        with self.assertRaisesRegex(RuleInputError, "it offers none"):
            judged(RIGHT, offered=[])

    def test_parameters(self) -> None:
        for bad in ("PCI DSS", "pci-dss/4.0.1", "pci-dss/v/"):
            with self.subTest(bad), self.assertRaises(ParameterError):
                PciSecurityHubEnabled(Settings()).evaluate_parameters({"Standards": bad})


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class Refusing:
    def __init__(self, code: str, message: str) -> None:
        self.error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeHub")

    def build_client(self, service: str, region: str | None = None) -> Any:
        return self

    def describe_hub(self) -> Any:
        raise self.error


class LookupTest(unittest.TestCase):
    def test_live(self) -> None:
        securityhub_service.install()
        with mock_aws():
            self.assertIsNone(LiveFacts(Clients(), SCOPE).get(SecurityHub))
            client = boto3.client("securityhub", region_name=REGION)
            client.enable_security_hub(EnableDefaultStandards=False)
            self.assertEqual(LiveFacts(Clients(), SCOPE).get(SecurityHub), Hub([], OFFERED))
            client.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": arn(PCI, "4.0.1")}])
            (found,) = LiveFacts(Clients(), SCOPE).get(SecurityHub).subscriptions
            self.assertEqual(found["StandardsStatus"], "INCOMPLETE")
            self.assertEqual(found["StandardsStatusReason"]["StatusReasonCode"], "NO_AVAILABLE_CONFIGURATION_RECORDER")

    def test_off_and_refused_are_told_apart(self) -> None:
        for code, message in (
            ("InvalidAccessException", "Account 123456789012 is not subscribed to AWS Security Hub"),
            ("InvalidAccessException", "Security Hub is not enabled"),
            ("ResourceNotFoundException", "no hub"),
        ):
            with self.subTest(message):
                self.assertIsNone(SecurityHub.live(Refusing(code, message), SCOPE))
        for code, message in (
            ("InvalidAccessException", "no permission to perform this action"),
            ("AccessDeniedException", "is not subscribed"),
        ):
            with self.subTest(message), self.assertRaises(ClientError):
                SecurityHub.live(Refusing(code, message), SCOPE)

    def test_a_snapshot_cannot_show_it(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
                return []

        with self.assertRaises(NotAssessed):
            RecordedFacts(Nothing(), SCOPE).get(SecurityHub)


if __name__ == "__main__":
    unittest.main()
