"""Decision table of PCI_API_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from PCI_API_LOG_DELIVERED import PciApiLogDelivered
from pci_config.api_logs import format_faults
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
from pci_config.settings import SettingMissing, Settings

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


GOOD_FORMAT = " ".join(
    f"$context.{name}" for name in ("identity.userArn", "requestTime", "status", "identity.sourceIp", "resourcePath")
)
LOOKED_UP: dict[tuple[Any, ...], Any] = {
    (DeliveryStream, REGION, "good"): TO_ARCHIVE,
    (DeliveryStream, REGION, "bad"): TO_TEAM,
    (Subscriptions, REGION, "plain"): [],
    (Subscriptions, REGION, "sent"): [Subscription("all", firehose("good"), "")],
}


def stage(settings: Any, kind: str = "AWS_ApiGateway_Stage") -> dict[str, Any]:
    item = sample(kind)
    item["configuration"]["accessLogSettings"] = settings
    return item


def log(destination: str, log_format: str = GOOD_FORMAT) -> dict[str, str]:
    return {"destinationArn": destination, "format": log_format}


def judged(item: dict[str, Any], settings: Settings = ARCHIVE) -> Finding:
    return PciApiLogDelivered(settings).decide(item, None, StatedFacts(scope(settings), LOOKED_UP))


class DecisionTableTest(unittest.TestCase):
    def test_destinations_of_both_generations_of_stages(self) -> None:
        group = f"arn:aws:logs:{REGION}:{OWN}:log-group:"
        for destination, compliance, words in (
            (firehose("good"), COMPLIANT, "stage prod -> Firehose good -> s3://card-issuer-log-archive-x"),
            (firehose("bad"), NON_COMPLIANT, "Firehose bad -> s3://team-logs: is not the archive (card-issuer-log-archive-*)"),
            (group + "sent", COMPLIANT, "log group sent -> Firehose good -> s3://card-issuer-log-archive-x"),
            (group + "plain", NON_COMPLIANT, "log group plain: has no subscription"),
            (firehose("good", "us-east-1"), NON_COMPLIANT, "cannot be looked into from here"),
        ):
            for kind in ("AWS_ApiGateway_Stage", "AWS_ApiGatewayV2_Stage"):
                with self.subTest(destination=destination, kind=kind):
                    item = stage(log(destination), kind)
                    item["configuration"]["stageName"] = "prod"
                    finding = judged(item)
                    self.assertEqual(finding.compliance, compliance)
                    self.assertIn(words, finding.annotation)

    def test_no_access_log(self) -> None:
        for settings in (None, {}, {"destinationArn": None, "format": GOOD_FORMAT}, {"destinationArn": ""}):
            with self.subTest(settings=settings):
                finding = judged(stage(settings))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn("has no access log", finding.annotation)
        absent = stage(None)
        del absent["configuration"]["accessLogSettings"]
        self.assertEqual(judged(absent).compliance, NON_COMPLIANT)

    def test_the_format_tells_all_five(self) -> None:
        for left_out, said in (
            ("$context.identity.userArn", "who called"),
            ("$context.requestTime", "the time"),
            ("$context.status", "the outcome"),
            ("$context.identity.sourceIp", "the source"),
            ("$context.resourcePath", "what was called"),
        ):
            with self.subTest(left_out=left_out):
                finding = judged(stage(log(firehose("good"), GOOD_FORMAT.replace(left_out, ""))))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(f"the log format leaves out {said} [PCI", finding.annotation)

    def test_variables_are_whole_words(self) -> None:
        self.assertEqual(format_faults(GOOD_FORMAT), [])
        for name in (
            "authorizer.principalId",
            "identity.clientCert.subjectDN",
            "identity.cognitoIdentityId",
            "identity.apiKeyId",
        ):
            with self.subTest(name=name):
                self.assertEqual(format_faults(GOOD_FORMAT.replace("identity.userArn", name)), [])
        self.assertEqual(
            format_faults(GOOD_FORMAT.replace("$context.status", "$context.statusline")),
            ["the log format leaves out the outcome"],
        )
        self.assertEqual(
            format_faults(""), ["the log format leaves out who called, the time, the outcome, the source, what was called"]
        )

    def test_an_api_key_in_the_log_is_a_secret_in_the_log(self) -> None:
        self.assertEqual(
            format_faults(GOOD_FORMAT + " $context.identity.apiKey"),
            ["the log format writes API keys themselves; use $context.identity.apiKeyId"],
        )
        self.assertEqual(format_faults(GOOD_FORMAT + " $context.identity.apiKeyId"), [])

    def test_several_problems_are_counted(self) -> None:
        finding = judged(stage(log(firehose("bad"), "")))
        self.assertTrue(finding.annotation.startswith("2 problems; first: stage prod -> Firehose bad"))
        self.assertTrue(finding.annotation.endswith(" [PCI 10.2.1, 10.2.2]"))

    def test_unreadable_input_is_no_verdict(self) -> None:
        for item, words in (
            (stage(["x"]), "accessLogSettings"),
            (stage(log(7)), "accessLogSettings.destinationArn is int, expected text"),  # type: ignore[arg-type]
            (stage({"destinationArn": firehose("good"), "format": 7}), "accessLogSettings.format is int, expected text"),
        ):
            with self.subTest(item=item), self.assertRaisesRegex(RuleInputError, words):
                judged(item)
        nameless = stage(log(firehose("good")))
        nameless["configuration"]["stageName"] = None
        with self.assertRaisesRegex(RuleInputError, "configuration.stageName is missing"):
            judged(nameless)

    def test_what_a_snapshot_cannot_show_is_not_assessed(self) -> None:
        facts = RecordedFacts(NoItems(), scope())
        with self.assertRaises(NotAssessed):
            PciApiLogDelivered(ARCHIVE).decide(stage(log(firehose("good"))), None, facts)

    def test_without_an_archive_there_is_no_verdict(self) -> None:
        with self.assertRaises(SettingMissing):
            judged(stage(log(firehose("good"))), Settings())

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciApiLogDelivered().evaluate_parameters({"Format": "x"})
