"""Decision table of PCI_WAF_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from pci_config.log_destination import Stream, Subscription
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from pci_config.web_acl_logs import filter_faults
from PCI_WAF_LOG_DELIVERED import PciWafLogDelivered, WebAclLogging

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, REGION = "123456789012", "eu-west-1"
ARCHIVE = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-*",))
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
TO_ARCHIVE, TO_TEAM = (Stream("good", "ACTIVE", "card-issuer-log-archive-x"), Stream("bad", "ACTIVE", "team-logs"))


def firehose(name: str, region: str = REGION) -> str:
    return f"arn:aws:firehose:{region}:{OWN}:deliverystream/{name}"


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return item


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class NoItems:
    """A snapshot without the items that a lookup wants."""

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        raise NotAssessed(f"this source holds no {resource_type} of {account_id} in {region}")


def scope(settings: Settings = ARCHIVE, region: str = REGION) -> Scope:
    return Scope(OWN, region, NOW, settings)


ARN = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/pci-edge/5d1e2f30-1111-4222-8333-444455556666"
EDGE_ARN = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/edge/5d1e2f30-1111-4222-8333-444455556666"
BUCKET = "arn:aws:s3:::aws-waf-logs-card-issuer"
WAF_ARCHIVE = Settings(archive_buckets=("aws-waf-logs-card-issuer*", "card-issuer-log-archive-*"))


def acl(arn: str = ARN) -> dict[str, Any]:
    item = sample("AWS_WAFv2_WebACL")
    item["configuration"]["resourceARN"] = item["ARN"] = arn
    return item


def logging(destination: str = BUCKET, **more: Any) -> dict[str, Any]:
    return {"ResourceArn": ARN, "LogDestinationConfigs": [destination], **more}


def judged(configuration: Any, item: dict[str, Any] | None = None) -> Finding:
    known: dict[tuple[Any, ...], Any] = {
        (WebAclLogging, REGION, ARN): configuration,
        (WebAclLogging, "us-east-1", EDGE_ARN): configuration,
        (DeliveryStream, REGION, "aws-waf-logs-x"): TO_ARCHIVE,
        (DeliveryStream, REGION, "waf"): TO_ARCHIVE,
        (DeliveryStream, "us-east-1", "aws-waf-logs-edge"): TO_TEAM,
        (Subscriptions, REGION, "aws-waf-logs-g"): [Subscription("all", firehose("aws-waf-logs-x"), "")],
    }
    return PciWafLogDelivered(WAF_ARCHIVE).decide(item or acl(), None, StatedFacts(scope(WAF_ARCHIVE), known))


def action(name: str) -> dict[str, Any]:
    return {"ActionCondition": {"Action": name}}


LABEL = {"LabelNameCondition": {"LabelName": "awswaf:bot"}}


def filtered(default: str, *filters: tuple[str, str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "DefaultBehavior": default,
        "Filters": [{"Behavior": b, "Requirement": r, "Conditions": conditions} for b, r, conditions in filters],
    }


class DecisionTableTest(unittest.TestCase):
    def test_destinations(self) -> None:
        for destination, compliance, words in (
            (BUCKET, COMPLIANT, "logs -> s3://aws-waf-logs-card-issuer"),
            (firehose("aws-waf-logs-x"), COMPLIANT, "Firehose aws-waf-logs-x -> s3://card-issuer-log-archive-x"),
            (f"arn:aws:logs:{REGION}:{OWN}:log-group:aws-waf-logs-g", COMPLIANT, "log group aws-waf-logs-g -> Firehose"),
            ("arn:aws:s3:::aws-waf-logs-team", NON_COMPLIANT, "s3://aws-waf-logs-team: is not the archive"),
            (firehose("waf"), NON_COMPLIANT, "WAF delivers only to names that begin with aws-waf-logs-"),
        ):
            with self.subTest(destination=destination):
                finding = judged(logging(destination))
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_logging_off(self) -> None:
        finding = judged(None)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("logging is off", finding.annotation)

    def test_cloudfronts_web_acls_are_looked_up_in_us_east_1(self) -> None:
        finding = judged(logging(firehose("aws-waf-logs-edge", "us-east-1")), acl(EDGE_ARN))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("Firehose aws-waf-logs-edge -> s3://team-logs", finding.annotation)

    def test_filters_that_may_drop_what_was_blocked(self) -> None:
        dropping = "drops blocked requests"
        for logging_filter, fault in (
            (None, ""),
            (filtered("KEEP", ("DROP", "MEETS_ALL", [action("ALLOW")])), ""),
            (filtered("KEEP", ("DROP", "MEETS_ANY", [action("ALLOW"), action("COUNT")])), ""),
            (filtered("KEEP", ("DROP", "MEETS_ALL", [action("ALLOW"), LABEL])), ""),
            (filtered("KEEP", ("DROP", "MEETS_ANY", [action("ALLOW"), LABEL])), dropping),
            (filtered("KEEP", ("DROP", "MEETS_ALL", [LABEL])), dropping),
            (filtered("KEEP", ("DROP", "MEETS_ALL", [action("BLOCK"), LABEL])), dropping),
            (filtered("DROP", ("KEEP", "MEETS_ANY", [action("BLOCK"), action("COUNT")])), ""),
            (filtered("DROP", ("KEEP", "MEETS_ALL", [action("BLOCK")])), ""),
            (filtered("DROP", ("KEEP", "MEETS_ALL", [action("BLOCK"), LABEL])), dropping),
            (filtered("DROP", ("KEEP", "MEETS_ALL", [action("COUNT")])), dropping),
            (filtered("DROP", ("KEEP", "MEETS_ANY", [action("BLOCK")]), ("DROP", "MEETS_ANY", [action("BLOCK")])), dropping),
        ):
            with self.subTest(logging_filter=logging_filter):
                self.assertEqual(bool(filter_faults(logging_filter)), bool(fault))
                finding = judged(logging(LoggingFilter=logging_filter))
                self.assertEqual(finding.compliance, NON_COMPLIANT if fault else COMPLIANT)
                self.assertIn(fault, finding.annotation)

    def test_redaction(self) -> None:
        for fields, compliance, words in (
            ([{"SingleHeader": {"Name": "authorization"}}, {"QueryString": {}}], COMPLIANT, ""),
            ([{"UriPath": {}}], NON_COMPLIANT, "UriPath redacted"),
            ([{"Method": {}}, {"UriPath": {}}], NON_COMPLIANT, "UriPath and Method redacted"),
        ):
            with self.subTest(fields=fields):
                finding = judged(logging(RedactedFields=fields))
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_the_way_comes_first_and_the_rest_is_counted(self) -> None:
        finding = judged(logging("arn:aws:s3:::team", RedactedFields=[{"Method": {}}]))
        self.assertTrue(finding.annotation.startswith("2 problems; first: logs -> s3://team"))

    def test_unexpected_shapes_are_no_verdict(self) -> None:
        for configuration in ({}, logging() | {"LogDestinationConfigs": []}, logging(LoggingFilter={"Filters": [{}]})):
            with (
                self.subTest(configuration=configuration),
                self.assertRaisesRegex(RuleInputError, "^GetLoggingConfiguration has"),
            ):
                judged(configuration)
        nameless = acl()
        nameless["configuration"]["resourceARN"] = nameless["ARN"] = None
        with self.assertRaisesRegex(RuleInputError, "neither configuration.resourceARN nor ARN"):
            judged(logging(), nameless)

    def test_either_name_of_the_web_acl_is_enough(self) -> None:
        for held, name in (("", "ARN"), ("configuration", "resourceARN")):
            with self.subTest(name):
                item = acl()
                del (item[held] if held else item)[name]
                self.assertEqual(judged(logging(), item).compliance, COMPLIANT)
        item = acl() | {"configuration": None}
        self.assertEqual(judged(logging(), item).compliance, COMPLIANT)
        for short in ("arn:aws:wafv2:eu-west-1:1", "pci-edge"):
            with self.subTest(short), self.assertRaisesRegex(RuleInputError, "is the ARN of a web ACL"):
                judged(logging(), acl(short))

    def test_a_snapshot_cannot_show_logging(self) -> None:
        with self.assertRaises(NotAssessed):
            PciWafLogDelivered(WAF_ARCHIVE).decide(acl(), None, RecordedFacts(NoItems(), scope()))

    @mock_aws
    def test_live(self) -> None:
        wafv2 = boto3.client("wafv2", region_name=REGION)
        visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
        made = wafv2.create_web_acl(Name="a", Scope="REGIONAL", DefaultAction={"Block": {}}, VisibilityConfig=visible)
        arn = made["Summary"]["ARN"]
        self.assertIsNone(WebAclLogging.live(Clients(), scope(), REGION, arn))
        wafv2.put_logging_configuration(LoggingConfiguration={"ResourceArn": arn, "LogDestinationConfigs": [BUCKET]})
        found = WebAclLogging.live(Clients(), scope(), REGION, arn)
        assert found is not None
        self.assertEqual(found["LogDestinationConfigs"], [BUCKET])

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciWafLogDelivered().evaluate_parameters({"Prefix": "x"})
