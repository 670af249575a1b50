"""Decision table of PCI_SHELL_LOG_DELIVERED."""

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
from PCI_SHELL_LOG_DELIVERED import PREFERENCES, PciShellLogDelivered, SessionPreferences, ShellParameters

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


LOOKED_UP: dict[tuple[Any, ...], Any] = {
    (DeliveryStream, REGION, "good"): TO_ARCHIVE,
    (Subscriptions, REGION, "sent"): [Subscription("all", firehose("good"), "")],
    (Subscriptions, REGION, "kept"): [],
}
BUCKET = "card-issuer-log-archive-shell"


def cluster(setting: Any) -> dict[str, Any]:
    item = sample("AWS_ECS_Cluster")
    item["configuration"]["Configuration"] = {"ExecuteCommandConfiguration": setting} if setting is not None else {}
    return item


def of_cluster(setting: Any) -> Finding:
    return PciShellLogDelivered(ARCHIVE).decide(cluster(setting), ShellParameters(), StatedFacts(scope(), LOOKED_UP))


def of_account(inputs: Any, minutes: int = 15) -> Finding:
    facts = StatedFacts(scope(), LOOKED_UP | {(SessionPreferences,): inputs})
    (finding,) = PciShellLogDelivered(ARCHIVE).decide_account(ShellParameters(minutes), facts)
    return finding


class ClusterTest(unittest.TestCase):
    def test_the_table(self) -> None:
        for log, compliance, words in (
            ({"S3BucketName": BUCKET, "S3EncryptionEnabled": True}, COMPLIANT, f"ECS Exec -> s3://{BUCKET}, encrypted"),
            ({"S3BucketName": BUCKET, "S3EncryptionEnabled": False}, NON_COMPLIANT, f"s3://{BUCKET} without encryption"),
            ({"S3BucketName": BUCKET}, NON_COMPLIANT, "without encryption"),
            ({"S3BucketName": "team", "S3EncryptionEnabled": True}, NON_COMPLIANT, "s3://team: is not the archive"),
            (
                {"CloudWatchLogGroupName": "sent", "CloudWatchEncryptionEnabled": True},
                COMPLIANT,
                "log group sent -> Firehose good",
            ),
            ({"CloudWatchLogGroupName": "sent"}, NON_COMPLIANT, "without encryption"),
            ({"CloudWatchLogGroupName": "kept", "CloudWatchEncryptionEnabled": True}, NON_COMPLIANT, "log group kept: has no"),
            (
                {"S3BucketName": "team", "CloudWatchLogGroupName": "sent", "CloudWatchEncryptionEnabled": True},
                COMPLIANT,
                "log group sent",
            ),
            (
                {"S3BucketName": BUCKET, "CloudWatchLogGroupName": "sent", "CloudWatchEncryptionEnabled": True},
                COMPLIANT,
                "log group sent",
            ),
            (
                {"S3BucketName": "team", "S3EncryptionEnabled": True, "CloudWatchLogGroupName": "sent"}
                | {"CloudWatchEncryptionEnabled": True},
                COMPLIANT,
                "log group sent",
            ),
            ({}, NON_COMPLIANT, "ECS Exec names no destination"),
        ):
            with self.subTest(log=log):
                finding = of_cluster({"Logging": "OVERRIDE", "LogConfiguration": log})
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_an_override_without_a_destination(self) -> None:
        finding = of_cluster({"Logging": "OVERRIDE"})
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("ECS Exec names no destination", finding.annotation)

    def test_default_and_none_are_not_enough(self) -> None:
        for setting, said in (
            ({"Logging": "NONE"}, "NONE"),
            ({"Logging": "DEFAULT"}, "DEFAULT"),
            ({}, "not set"),
            (None, "not set"),
        ):
            with self.subTest(setting=setting):
                finding = of_cluster(setting)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(f"ECS Exec logging is {said}", finding.annotation)

    def test_unreadable_input_is_no_verdict(self) -> None:
        good = {"Logging": "OVERRIDE", "LogConfiguration": {"S3BucketName": BUCKET, "S3EncryptionEnabled": "yes"}}
        for setting in ({"Logging": "SOMETIMES"}, "x", {"Logging": 7}, good):
            with self.subTest(setting=setting), self.assertRaises(RuleInputError):
                of_cluster(setting)
        item = cluster({})
        item["configuration"] = None
        with self.assertRaises(RuleInputError):
            PciShellLogDelivered(ARCHIVE).decide(item, ShellParameters(), StatedFacts(scope()))


class AccountTest(unittest.TestCase):
    def test_the_table(self) -> None:
        good = {"s3BucketName": BUCKET, "s3EncryptionEnabled": True, "idleSessionTimeout": "15"}
        for changed, compliance, words in (
            ({}, COMPLIANT, f"Session Manager -> s3://{BUCKET}, encrypted"),
            ({"idleSessionTimeout": "16"}, NON_COMPLIANT, "idle sessions end after 16 minutes, expected <= 15"),
            ({"idleSessionTimeout": ""}, NON_COMPLIANT, "idleSessionTimeout is not set"),
            ({"s3EncryptionEnabled": False}, NON_COMPLIANT, "without encryption"),
            ({"s3BucketName": ""}, NON_COMPLIANT, "Session Manager names no destination"),
            (
                {"s3BucketName": "", "cloudWatchLogGroupName": "sent", "cloudWatchEncryptionEnabled": True},
                COMPLIANT,
                "log group sent -> Firehose good -> s3://card-issuer-log-archive-x",
            ),
            (
                {"s3BucketName": "team", "idleSessionTimeout": "60"},
                NON_COMPLIANT,
                "2 problems; first: Session Manager -> s3://team",
            ),
        ):
            with self.subTest(changed=changed):
                finding = of_account(good | changed)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)
                self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", OWN))

    def test_what_preferences_do_not_say_is_not_so(self) -> None:
        sent, encrypted = {"cloudWatchLogGroupName": "sent"}, {"cloudWatchEncryptionEnabled": True}
        for inputs, words in (
            ({"s3BucketName": BUCKET, "idleSessionTimeout": "15"}, f"s3://{BUCKET} without encryption"),
            (sent | {"idleSessionTimeout": "15"}, "card-issuer-log-archive-x without encryption"),
            ({"idleSessionTimeout": "15"}, "Session Manager names no destination"),
            (sent | encrypted, "idleSessionTimeout is not set (20 minutes by default), expected <= 15"),
        ):
            with self.subTest(words):
                finding = of_account(inputs)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(words, finding.annotation)
        self.assertEqual(of_account(sent | encrypted | {"idleSessionTimeout": "15"}).compliance, COMPLIANT)

    def test_no_preferences_mean_no_record(self) -> None:
        finding = of_account(None)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(PREFERENCES, finding.annotation)

    def test_the_limit_is_a_parameter(self) -> None:
        good = {"s3BucketName": BUCKET, "s3EncryptionEnabled": True, "idleSessionTimeout": "10"}
        self.assertEqual(of_account(good, minutes=5).compliance, NON_COMPLIANT)
        self.assertEqual(PciShellLogDelivered().evaluate_parameters({"MaxIdleMinutes": "5"}), ShellParameters(5))
        for bad in ({"MaxIdleMinutes": "0"}, {"MaxIdleMinutes": "61"}, {"Minutes": "5"}):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                PciShellLogDelivered().evaluate_parameters(bad)

    def test_odd_preferences_are_no_verdict(self) -> None:
        for inputs in ({"idleSessionTimeout": "soon"}, {"idleSessionTimeout": 15}, {"s3BucketName": 7}):
            with self.subTest(inputs=inputs), self.assertRaises(RuleInputError):
                of_account(inputs)

    def test_a_snapshot_cannot_show_preferences(self) -> None:
        with self.assertRaises(NotAssessed):
            PciShellLogDelivered(ARCHIVE).decide_account(ShellParameters(), RecordedFacts(NoItems(), scope()))

    @mock_aws
    def test_live(self) -> None:
        ssm = boto3.client("ssm", region_name=REGION)
        self.assertIsNone(SessionPreferences.live(Clients(), scope()))
        content = {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"idleSessionTimeout": "15"}}
        ssm.create_document(Name=PREFERENCES, Content=json.dumps(content), DocumentType="Session", DocumentFormat="JSON")
        self.assertEqual(SessionPreferences.live(Clients(), scope()), {"idleSessionTimeout": "15"})
        for odd, words in (
            ({"schemaVersion": "1.0"}, "is no session document"),
            ({"schemaVersion": "1.0", "inputs": []}, "inputs is list, expected an object"),
        ):
            with self.subTest(odd=odd):
                ssm.delete_document(Name=PREFERENCES)
                ssm.create_document(Name=PREFERENCES, Content=json.dumps(odd), DocumentType="Session", DocumentFormat="JSON")
                with self.assertRaisesRegex(RuleInputError, f"{PREFERENCES}: {words}"):
                    SessionPreferences.live(Clients(), scope())
