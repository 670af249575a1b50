"""Decision table of PCI_CDN_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from PCI_CDN_LOG_DELIVERED import LogDeliveries, PciCdnLogDelivered
from pci_config.log_destination import Stream
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
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


EAST = "us-east-1"
EXACT = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-x",))


def distribution(on: Any = True, **log: Any) -> dict[str, Any]:
    item = sample("AWS_CloudFront_Distribution")
    item["configuration"]["distributionConfig"] |= {
        "enabled": on,
        "logging": {"enabled": False, "bucket": "", "prefix": "", "includeCookies": False} | log,
    }
    return item


def judged(item: dict[str, Any], *destinations: str) -> Finding:
    known: dict[tuple[Any, ...], Any] = {
        (LogDeliveries, item["ARN"]): list(destinations),
        (DeliveryStream, EAST, "good"): TO_ARCHIVE,
        (Subscriptions, EAST, "kept"): [],
    }
    return PciCdnLogDelivered(ARCHIVE).decide(item, None, StatedFacts(scope(region="global"), known))


ARCHIVED = "card-issuer-log-archive-cdn.s3.amazonaws.com"


class DecisionTableTest(unittest.TestCase):
    def test_the_table(self) -> None:
        for log, destinations, compliance, words in (
            ({"enabled": True, "bucket": ARCHIVED}, (), COMPLIANT, "access logs -> s3://card-issuer-log-archive-cdn"),
            (
                {"enabled": True, "bucket": ARCHIVED.replace(".s3.", ".s3.eu-west-1.")},
                (),
                COMPLIANT,
                "s3://card-issuer-log-archive-cdn",
            ),
            ({"enabled": True, "bucket": "team.s3.amazonaws.com"}, (), NON_COMPLIANT, "s3://team: is not the archive"),
            ({"enabled": False, "bucket": ARCHIVED}, (), NON_COMPLIANT, "no access log, legacy or v2"),
            ({}, ("arn:aws:s3:::card-issuer-log-archive-cdn",), COMPLIANT, "s3://card-issuer-log-archive-cdn"),
            ({}, (firehose("good", EAST),), COMPLIANT, "Firehose good -> s3://card-issuer-log-archive-x"),
            ({}, (f"arn:aws:logs:{EAST}:{OWN}:log-group:kept",), NON_COMPLIANT, "log group kept: has no subscription"),
            (
                {"enabled": True, "bucket": "team.s3.amazonaws.com"},
                ("arn:aws:s3:::card-issuer-log-archive-cdn",),
                COMPLIANT,
                "archive",
            ),
            (
                {"enabled": True, "bucket": "team.s3.amazonaws.com"},
                ("arn:aws:s3:::other",),
                NON_COMPLIANT,
                "2 ways; first: access logs -> s3://team",
            ),
        ):
            with self.subTest(log=log, destinations=destinations):
                finding = judged(distribution(**log), *destinations)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_the_bucket_is_the_whole_name_before_the_host(self) -> None:
        for host, told in (
            ("card-issuer-log-archive-x.s3.team.s3.amazonaws.com", None),
            ("card-issuer-log-archive-x.s3.s3.amazonaws.com", "s3://card-issuer-log-archive-x.s3: is not"),
            ("team.card-issuer-log-archive-x.s3.amazonaws.com", "s3://team.card-issuer-log-archive-x: is not"),
            ("team.s3-eu-west-1.amazonaws.com", "s3://team: is not"),
            ("team.s3.cn-north-1.amazonaws.com.cn", "s3://team: is not"),
            ("card-issuer-log-archive-x.example.com", None),
        ):
            with self.subTest(host):
                item = distribution(enabled=True, bucket=host)
                finding = PciCdnLogDelivered(EXACT).decide(
                    item, None, StatedFacts(scope(EXACT), {(LogDeliveries, item["ARN"]): []})
                )
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(told or "is not the archive", finding.annotation)

    def test_a_disabled_distribution_serves_nothing(self) -> None:
        self.assertEqual(judged(distribution(on=False)).compliance, NOT_APPLICABLE)

    def test_a_good_legacy_log_needs_no_lookup(self) -> None:
        facts = RecordedFacts(NoItems(), scope(region="global"))
        good = PciCdnLogDelivered(ARCHIVE).decide(
            distribution(), None, StatedFacts(scope(), {(LogDeliveries, distribution()["ARN"]): []})
        )
        self.assertEqual(good.compliance, NON_COMPLIANT)
        item = distribution()
        item["configuration"]["distributionConfig"]["logging"] |= {"enabled": True, "bucket": ARCHIVED}
        self.assertEqual(PciCdnLogDelivered(ARCHIVE).decide(item, None, facts).compliance, COMPLIANT)
        with self.assertRaisesRegex(NotAssessed, "does not record the log deliveries"):
            PciCdnLogDelivered(ARCHIVE).decide(distribution(), None, facts)

    def test_either_form_of_the_arn_finds_the_deliveries(self) -> None:
        for item in (distribution(), distribution()):
            arn = item["ARN"]
            for places in ((item, "ARN"), (item["configuration"], "arn")):
                with self.subTest(places[1]):
                    held, name = places
                    kept = held.pop(name, None)
                    (item["configuration"] if name == "ARN" else item)["arn" if name == "ARN" else "ARN"] = arn
                    facts = StatedFacts(
                        scope(region="global"), {(LogDeliveries, arn): ["arn:aws:s3:::card-issuer-log-archive-cdn"]}
                    )
                    self.assertEqual(PciCdnLogDelivered(ARCHIVE).decide(item, None, facts).compliance, COMPLIANT)
                    held[name] = kept
        item = distribution()
        del item["ARN"], item["configuration"]["arn"]
        with self.assertRaisesRegex(RuleInputError, "ARN"):
            PciCdnLogDelivered(ARCHIVE).decide(item, None, StatedFacts(scope(region="global"), {}))

    def test_unreadable_input_is_no_verdict(self) -> None:
        missing = distribution()
        missing["configuration"]["distributionConfig"]["logging"] = {}
        for item in (distribution(on=None), distribution(on="true"), missing):
            with self.subTest(), self.assertRaises(RuleInputError):
                judged(item)

    def test_without_an_archive_there_is_no_verdict(self) -> None:
        item = distribution()
        item["configuration"]["distributionConfig"]["logging"] |= {"enabled": True, "bucket": ARCHIVED}
        with self.assertRaises(SettingMissing):
            PciCdnLogDelivered(Settings()).decide(item, None, StatedFacts(scope(Settings())))

    @mock_aws
    def test_live(self) -> None:
        arn = f"arn:aws:cloudfront::{OWN}:distribution/E1"
        self.assertEqual(LogDeliveries.live(Clients(), scope(), arn), [])
        logs = boto3.client("logs", region_name=EAST)
        logs.put_delivery_source(name="cdn", resourceArn=arn, logType="ACCESS_LOGS")
        bucket = "arn:aws:s3:::card-issuer-log-archive-cdn"
        made = logs.put_delivery_destination(
            name="archive", deliveryDestinationConfiguration={"destinationResourceArn": bucket}
        )["deliveryDestination"]
        self.assertEqual(LogDeliveries.live(Clients(), scope(), arn), [])
        logs.create_delivery(deliverySourceName="cdn", deliveryDestinationArn=made["arn"])
        self.assertEqual(LogDeliveries.live(Clients(), scope(), arn), [bucket])
        self.assertEqual(LogDeliveries.live(Clients(), scope(), arn.replace("E1", "E2")), [])

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciCdnLogDelivered().evaluate_parameters({"Bucket": "x"})
