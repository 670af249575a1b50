"""Decision table of PCI_LOAD_BALANCER_LOG_DELIVERED."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import Any

from pci_config.items import new_item
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    ParameterError,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import SettingMissing, Settings
from PCI_LOAD_BALANCER_LOG_DELIVERED import PciLoadBalancerLogDelivered

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ARCHIVE = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-*",))
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/checkout/50dc6c495c0c9188"
GOOD = {
    "access_logs.s3.enabled": "true",
    "access_logs.s3.bucket": "card-issuer-log-archive-elb",
    "access_logs.s3.prefix": "shop",
}


def balancer(attributes: Any, kind: Any = "application") -> dict[str, Any]:
    if isinstance(attributes, dict):
        attributes = [{"key": key, "value": value} for key, value in attributes.items()]
    return new_item(
        account_id="123456789012",
        region="eu-west-1",
        resource_type="AWS::ElasticLoadBalancingV2::LoadBalancer",
        resource_id=ARN,
        capture_time=NOW,
        configuration={"loadBalancerArn": ARN, "type": kind, "scheme": "internal"},
        supplementary={"LoadBalancerAttributes": attributes},
    )


def classic(log: Any) -> dict[str, Any]:
    return new_item(
        account_id="123456789012",
        region="eu-west-1",
        resource_type="AWS::ElasticLoadBalancing::LoadBalancer",
        resource_id="legacy",
        capture_time=NOW,
        configuration={"loadBalancerName": "legacy"},
        supplementary={"LoadBalancerAttributes": {"accessLog": log, "crossZoneLoadBalancing": {"enabled": True}}},
    )


def judged(item: dict[str, Any], settings: Settings = ARCHIVE) -> Finding:
    rule = PciLoadBalancerLogDelivered(settings)
    return rule.decide(item, rule.evaluate_parameters({}), StatedFacts(Scope("123456789012", "eu-west-1", NOW, settings)))


class DecisionTableTest(unittest.TestCase):
    def test_logs_in_the_archive_are_compliant(self) -> None:
        for name, item in {
            "application": balancer(GOOD),
            "network": balancer(GOOD, "network"),
            "classic": classic({"enabled": True, "s3BucketName": "card-issuer-log-archive-elb", "emitInterval": 60}),
        }.items():
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, COMPLIANT)
                self.assertIn("card-issuer-log-archive-elb", finding.annotation)
                self.assertEqual("logs its TLS listeners only" in finding.annotation, name == "network")

    def test_logs_off_or_elsewhere_are_non_compliant(self) -> None:
        for name, item, expected in (
            (
                "off",
                balancer({**GOOD, "access_logs.s3.enabled": "false"}),
                "access logs are off; send them to card-issuer-log-archive-*",
            ),
            ("elsewhere", balancer({**GOOD, "access_logs.s3.bucket": "team-logs"}), "go to team-logs, not to the archive"),
            ("no bucket", balancer({**GOOD, "access_logs.s3.bucket": ""}), "name no bucket"),
            (
                "name that only begins alike",
                balancer({**GOOD, "access_logs.s3.bucket": "card-issuer-log"}),
                "not to the archive",
            ),
            ("classic off", classic({"enabled": False}), "access logs are off"),
            ("classic elsewhere", classic({"enabled": True, "s3BucketName": "team-logs"}), "go to team-logs"),
            ("classic without bucket", classic({"enabled": True}), "name no bucket"),
        ):
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertTrue(finding.annotation.endswith("[PCI 10.2.1]"))
        off = judged(balancer({**GOOD, "access_logs.s3.enabled": "false"})).annotation
        self.assertEqual(off, "access logs are off; send them to card-issuer-log-archive-* [PCI 10.2.1]")

    def test_an_archive_bucket_of_another_region(self) -> None:
        for bucket, verdict in (
            ("card-issuer-log-archive-elb-eu-west-1", COMPLIANT),
            ("card-issuer-log-archive-us-east-1-and-eu-west-1", COMPLIANT),
            ("card-issuer-log-archive-elb", COMPLIANT),
            ("card-issuer-log-archive-elb-us-east-1", NON_COMPLIANT),
        ):
            with self.subTest(bucket):
                finding = judged(balancer({**GOOD, "access_logs.s3.bucket": bucket}))
                self.assertEqual(finding.compliance, verdict)
                if verdict == NON_COMPLIANT:
                    self.assertIn("is the archive bucket of us-east-1; expected the one of", finding.annotation)

    def test_what_a_network_load_balancer_logs_is_said_in_findings_too(self) -> None:
        finding = judged(balancer({"access_logs.s3.enabled": "false"}, "network"))
        self.assertTrue(finding.annotation.endswith("a Network Load Balancer logs its TLS listeners only [PCI 10.2.1]"))

    def test_annotations_keep_their_end(self) -> None:
        many = Settings(archive_buckets=tuple(f"card-issuer-log-archive-number-{n}-*" for n in range(20)))
        finding = judged(balancer({"access_logs.s3.enabled": "false"}, "network"), many)
        self.assertLessEqual(len(finding.annotation), 256)
        self.assertTrue(finding.annotation.endswith("[PCI 10.2.1]"))

    def test_gateway_load_balancers_have_no_access_logs(self) -> None:
        finding = judged(balancer({}, "gateway"))
        self.assertEqual(finding.compliance, NOT_APPLICABLE)
        self.assertIn("has no access logs", finding.annotation)


class BadInputTest(unittest.TestCase):
    def test_what_cannot_be_read_is_an_error(self) -> None:
        for name, item in {
            "no attributes": balancer(None),
            "attribute missing": balancer({"access_logs.s3.bucket": "card-issuer-log-archive-elb"}),
            "attribute is odd": balancer({**GOOD, "access_logs.s3.enabled": "yes"}),
            "attributes of another shape": balancer("text"),
            "attribute entries of another shape": balancer(["text"]),
            "attribute said twice": balancer(
                [{"key": "access_logs.s3.enabled", "value": value} for value in ("false", "true")]
            ),
            "attribute is null": balancer({**GOOD, "access_logs.s3.enabled": None}),
            "bucket is odd": balancer({**GOOD, "access_logs.s3.bucket": 7}),
            "unknown type": balancer(GOOD, "quantum"),
            "no type": balancer(GOOD, None),
            "null configuration": {**balancer(GOOD), "configuration": None},
            "classic without log": classic(None),
            "classic with odd flag": classic({"enabled": "true"}),
            "classic without flag": classic({"s3BucketName": "card-issuer-log-archive-elb"}),
            "classic with odd bucket": classic({"enabled": True, "s3BucketName": ["x"]}),
            "classic with log of another shape": classic("on"),
            "classic with attributes of another shape": {
                **classic({}),
                "supplementaryConfiguration": {"LoadBalancerAttributes": [GOOD]},
            },
            "no supplementary configuration": {**balancer(GOOD), "supplementaryConfiguration": None},
        }.items():
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, "onfiguration"):
                judged(item)
        with self.assertRaisesRegex(RuleInputError, "configuration.type is 'quantum'"):
            judged(balancer(GOOD, "quantum"))

    def test_no_archive_configured_is_an_error(self) -> None:
        for attributes in (GOOD, {"access_logs.s3.enabled": "false"}):
            with self.assertRaises(SettingMissing):
                judged(balancer(attributes), Settings())

    def test_it_takes_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciLoadBalancerLogDelivered(ARCHIVE).evaluate_parameters({"Bucket": "x"})


if __name__ == "__main__":
    unittest.main()
