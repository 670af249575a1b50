"""Decision table of PCI_BUCKET_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from PCI_BUCKET_LOG_DELIVERED import BucketLogParameters, ObjectEventTrails, PciBucketLogDelivered
from pci_config.log_destination import Stream
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
from pci_config.settings import Settings

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


NAME = "card-data"
LOGGING: dict[str, Any] = {"IsLogging": True}


def bucket(name: str = NAME, target: Any = None, **tags: str) -> dict[str, Any]:
    item = sample("AWS_S3_Bucket")
    item |= {"resourceId": name, "tags": {key.replace("_", ":"): value for key, value in tags.items()}}
    item["supplementaryConfiguration"].pop("BucketTaggingConfiguration", None)
    item["supplementaryConfiguration"]["BucketLoggingConfiguration"] = {"destinationBucketName": target, "logFilePrefix": None}
    return item


def trail(
    arn_prefix: str = "arn:aws:s3:::card-data/", kind: str = "All", to: str = "card-issuer-log-archive-trail", **status: Any
) -> dict[str, Any]:
    data = {"Type": "AWS::S3::Object", "Values": [arn_prefix]}
    selector = {"ReadWriteType": kind, "IncludeManagementEvents": True, "DataResources": [data]}
    return {"name": "trail", "bucket": to, "status": LOGGING | status, "selectors": {"EventSelectors": [selector]}}


def judged(item: dict[str, Any], *trails: dict[str, Any], cde_buckets: tuple[str, ...] = ()) -> Finding:
    facts = StatedFacts(scope(), {(ObjectEventTrails,): list(trails)})
    return PciBucketLogDelivered(ARCHIVE).decide(item, BucketLogParameters(cde_buckets), facts)


class DecisionTableTest(unittest.TestCase):
    def test_card_data_buckets(self) -> None:
        tagged = {"pci_scope": "cde"}
        for item, trails, compliance, words in (
            (bucket(target="access-logs", **tagged), (), COMPLIANT, "server access logs go to access-logs"),
            (bucket(**tagged), (trail(),), COMPLIANT, "trail trail records its object events"),
            (bucket(**tagged), (trail("arn:aws:s3"),), COMPLIANT, "trail trail"),
            (bucket(**tagged), (), NON_COMPLIANT, "no server access logs, and no trail"),
            (bucket(**tagged), (trail("arn:aws:s3:::other/"),), NON_COMPLIANT, "object events of card-data"),
            (bucket(**tagged), (trail("arn:aws:s3:::card-data/public/"),), NON_COMPLIANT, "object events"),
            (bucket(**tagged), (trail(kind="WriteOnly"),), NON_COMPLIANT, "object events"),
            (bucket(**tagged), (trail(IsLogging=False),), NON_COMPLIANT, "object events"),
            (bucket(**tagged), (trail(LatestDeliveryError="AccessDenied"),), NON_COMPLIANT, "object events"),
            (bucket(**tagged), (trail(IsLogging=False), trail()), COMPLIANT, "trail trail"),
            (bucket(**tagged), (trail(to="team"), trail()), COMPLIANT, "trail trail"),
            (bucket(**tagged), (trail(to="team"),), NON_COMPLIANT, "but delivers to team, not to the archive [PCI 10.2.1.1]"),
            (bucket(**tagged), (trail(to="a"), trail(to="b")), NON_COMPLIANT, "2 trails; first: trail trail records"),
        ):
            with self.subTest(words=words, trails=trails):
                finding = judged(item, *trails)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_which_buckets_hold_card_data(self) -> None:
        for item, named, compliance in (
            (bucket(), (), NOT_APPLICABLE),
            (bucket(pci_scope="out"), (), NOT_APPLICABLE),
            (bucket(), ("card-*",), NON_COMPLIANT),
            (bucket(), ("card-data",), NON_COMPLIANT),
            (bucket(), ("other",), NOT_APPLICABLE),
            (bucket(pci_scope="out"), ("card-data",), NON_COMPLIANT),
            (bucket("card-issuer-log-archive-x", pci_scope="cde"), ("*-archive-*",), NOT_APPLICABLE),
        ):
            with self.subTest(tags=item["tags"], named=named):
                self.assertEqual(judged(item, cde_buckets=named).compliance, compliance)

    def test_a_swept_item_has_its_tags_in_the_tagging_configuration(self) -> None:
        item = bucket() | {"tags": {}}
        item["supplementaryConfiguration"]["BucketTaggingConfiguration"] = {"tagSets": [{"tags": {"pci:scope": "cde"}}]}
        self.assertEqual(judged(item).compliance, NON_COMPLIANT)
        item["supplementaryConfiguration"]["BucketTaggingConfiguration"] = {"tagSets": [{"tags": {"pci:scope": "out"}}]}
        self.assertEqual(judged(item).compliance, NOT_APPLICABLE)
        self.assertTrue(PciBucketLogDelivered.sweeps)

    def test_a_bucket_whose_logging_was_never_set(self) -> None:
        item = bucket(pci_scope="cde")
        del item["supplementaryConfiguration"]["BucketLoggingConfiguration"]
        self.assertEqual(judged(item).compliance, NON_COMPLIANT)

    def test_unreadable_input_is_no_verdict(self) -> None:
        for changed in ({"supplementaryConfiguration": None}, {"resourceId": None}):
            with self.subTest(changed=changed), self.assertRaises(RuleInputError):
                judged(bucket(pci_scope="cde") | changed)
        with self.assertRaises(RuleInputError):
            judged(bucket(target=7, pci_scope="cde"))

    def test_a_snapshot_cannot_show_selectors(self) -> None:
        facts = RecordedFacts(NoItems(), scope())
        rule = PciBucketLogDelivered(ARCHIVE)
        with self.assertRaises(NotAssessed):
            rule.decide(bucket(pci_scope="cde"), BucketLogParameters(), facts)
        self.assertEqual(rule.decide(bucket(target="t", pci_scope="cde"), BucketLogParameters(), facts).compliance, COMPLIANT)

    def test_parameters(self) -> None:
        rule = PciBucketLogDelivered()
        self.assertEqual(rule.evaluate_parameters({"CdeBuckets": "a-*, bcd"}), BucketLogParameters(("a-*", "bcd")))
        for bad in ({"CdeBuckets": "UPPER"}, {"Buckets": "abc"}):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                rule.evaluate_parameters(bad)

    @mock_aws
    def test_live(self) -> None:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="trail-logs")
        cloudtrail = boto3.client("cloudtrail", region_name=REGION)
        self.assertEqual(ObjectEventTrails.live(Clients(), scope()), [])
        cloudtrail.create_trail(Name="own", S3BucketName="trail-logs")
        (found,) = ObjectEventTrails.live(Clients(), scope())
        self.assertEqual((found["name"], found["bucket"], found["status"]["IsLogging"]), ("own", "trail-logs", False))
        self.assertIn("EventSelectors", found["selectors"])

    def test_selectors_that_another_account_keeps(self) -> None:
        asked: list[Any] = []

        class Cloudtrail:
            def __init__(self, owner: str, code: str) -> None:
                self.arn, self.code = f"arn:aws:cloudtrail:{REGION}:{owner}:trail/{NAME}", code

            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def describe_trails(self, **more: Any) -> Any:
                asked.append(more)
                return {"trailList": [{"TrailARN": self.arn, "Name": NAME, "S3BucketName": "b"}]}

            def get_event_selectors(self, **_: Any) -> Any:
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetEventSelectors")

        for code in ("AccessDeniedException", "TrailNotFoundException"):
            self.assertEqual(ObjectEventTrails.live(Cloudtrail("300000000003", code), scope()), [], code)
        for owner, code in ((OWN, "AccessDeniedException"), ("300000000003", "ThrottlingException")):
            with self.subTest(owner=owner, code=code), self.assertRaises(ClientError):
                ObjectEventTrails.live(Cloudtrail(owner, code), scope())
        self.assertEqual(asked[0], {"includeShadowTrails": True})
