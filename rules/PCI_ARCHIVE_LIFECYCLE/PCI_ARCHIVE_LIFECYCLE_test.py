"""Decision table of PCI_ARCHIVE_LIFECYCLE."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import Any

from PCI_ARCHIVE_LIFECYCLE import PciArchiveLifecycle
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

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "supplementaryConfiguration.BucketLifecycleConfiguration.rules.*.expirationDate": "no date: the days decide",
    "supplementaryConfiguration.BucketLifecycleConfiguration.rules.*.transitions.*.date": "no date: the days decide",
    "supplementaryConfiguration.BucketLifecycleConfiguration.rules.*.filter.predicate": "no predicate: every object",
    "supplementaryConfiguration.BucketLifecycleConfiguration.rules.*.prefix": "no prefix: every object",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ARCHIVE = Settings(archive_buckets=("card-issuer-log-archive-*",))
NAME = "card-issuer-log-archive-trail"


def step(days: int, storage_class: str, **members: Any) -> dict[str, Any]:
    return {"days": days, "date": None, "storageClass": storage_class, **members}


def rule(**members: Any) -> dict[str, Any]:
    """A rule in recorded form, right in everything but what is given."""
    return {
        "id": "archive",
        "prefix": None,
        "status": "Enabled",
        "filter": {"predicate": None},
        "expirationInDays": 3650,
        "expirationDate": None,
        "expiredObjectDeleteMarker": False,
        "transitions": [step(30, "STANDARD_IA"), step(90, "GLACIER")],
        "noncurrentVersionExpirationInDays": 3650,
        "noncurrentVersionTransitions": None,
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        **members,
    }


def bucket(
    *rules: Any, name: str = NAME, versioning: Any = "Enabled", tags: Any = None, **supplementary: Any
) -> dict[str, Any]:
    content: dict[str, Any] = {"BucketVersioningConfiguration": {"status": versioning, "isMfaDeleteEnabled": None}}
    if rules:
        content["BucketLifecycleConfiguration"] = {"rules": list(rules)}
    return new_item(
        account_id="300000000003",
        region="eu-west-1",
        resource_type="AWS::S3::Bucket",
        resource_id=name,
        capture_time=NOW,
        tags=tags,
        configuration={"name": name},
        supplementary={**content, **supplementary},
    )


def judged(item: dict[str, Any], raw: dict[str, str] | None = None, settings: Settings = ARCHIVE) -> Finding:
    instance = PciArchiveLifecycle(settings)
    return instance.decide(
        item, instance.evaluate_parameters(raw or {}), StatedFacts(Scope("300000000003", "eu-west-1", NOW, settings))
    )


PREFIX = {"predicate": {"type": "LifecyclePrefixPredicate", "prefix": "AWSLogs/"}}
TAG = {"predicate": {"type": "LifecycleTagPredicate", "tag": {"key": "a", "value": "b"}}}
BOTH = {"predicate": {"type": "LifecycleAndOperator", "operands": [PREFIX["predicate"], TAG["predicate"]]}}
SIZE = {"predicate": {"type": "LifecycleObjectSizeGreaterThanPredicate", "objectSizeGreaterThan": 1}}


class ScopeTest(unittest.TestCase):
    def test_other_buckets_are_not_applicable(self) -> None:
        self.assertEqual(judged(bucket(name="shop-images")).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(bucket(name="shop-images", tags={"pci:log-archive": "false"})).compliance, NOT_APPLICABLE)

    def test_the_tag_makes_any_bucket_an_archive(self) -> None:
        item = bucket(name="shop-images", tags={"pci:log-archive": "true"})
        self.assertEqual(judged(item).compliance, NON_COMPLIANT)
        self.assertEqual(judged(item, settings=Settings()).compliance, NON_COMPLIANT)

    def test_without_configured_archive_nothing_passes(self) -> None:
        with self.assertRaises(SettingMissing):
            judged(bucket(rule()), settings=Settings())


class CompliantTest(unittest.TestCase):
    def test_as_demanded(self) -> None:
        for name, item in {
            "one rule": bucket(rule()),
            "split over two rules": bucket(
                rule(id="a", expirationInDays=-1), rule(id="b", transitions=None, noncurrentVersionExpirationInDays=-1)
            ),
            "empty prefix is the whole bucket": bucket(
                rule(filter={"predicate": {"type": "LifecyclePrefixPredicate", "prefix": ""}})
            ),
            "old style empty prefix": bucket(rule(prefix="", filter=None)),
            "a little longer": bucket(rule(expirationInDays=3680)),
            "never versioned": bucket(rule(noncurrentVersionExpirationInDays=-1), versioning="Off"),
            "newer form of noncurrent expiration": bucket(
                rule(noncurrentVersionExpirationInDays=-1, noncurrentVersionExpiration={"noncurrentDays": 3650})
            ),
            "a disabled rule does nothing": bucket(rule(), rule(id="off", status="Disabled", expirationInDays=1)),
            "a prefix rule that does no harm": bucket(rule(), rule(id="p", filter=PREFIX, transitions=None)),
        }.items():
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
                self.assertIn("3650", finding.annotation)


class NonCompliantTest(unittest.TestCase):
    def check(self, cases: dict[str, tuple[dict[str, Any], str]], kind: str) -> None:
        for name, (item, expected) in cases.items():
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertIn(kind, finding.annotation)
                self.assertTrue(finding.annotation.endswith("[PCI 10.5.1]"))

    def test_no_lifecycle(self) -> None:
        self.check({"none": (bucket(), "no lifecycle")}, "")

    def test_violations_of_pci_dss_itself(self) -> None:
        self.check(
            {
                "deleted within a year": (bucket(rule(expirationInDays=364)), "'archive' deletes after 364 days, expected >= 365"),
                "Glacier too early": (
                    bucket(rule(transitions=[step(30, "STANDARD_IA"), step(89, "GLACIER")])), "to GLACIER after 89 days, expected >= 90"
                ),
                "Deep Archive at once": (bucket(rule(), rule(id="d", transitions=[step(0, "DEEP_ARCHIVE")])), "DEEP_ARCHIVE after 0"),
                "noncurrent versions deleted early": (
                    bucket(rule(noncurrentVersionExpirationInDays=30)), "deletes noncurrent versions after 30 days"
                ),
                "noncurrent versions to Glacier early": (
                    bucket(rule(noncurrentVersionTransitions=[{"days": 1, "storageClass": "GLACIER"}])), "noncurrent versions to GLACIER"
                ),
                "a second rule is earlier": (bucket(rule(), rule(id="tmp", expirationInDays=7)), "rule 'tmp' deletes after 7 days"),
                "a prefix rule is earlier": (bucket(rule(), rule(id="p", filter=PREFIX, expirationInDays=30)), "rule 'p' deletes"),
                "on a date": (bucket(rule(expirationInDays=-1, expirationDate="2027-01-01")), "deletes on a date"),
                "to Glacier on a date": (
                    bucket(rule(), rule(id="x", transitions=[step(-1, "GLACIER", date="2027-01-01")])), "to GLACIER on a date"
                ),
            },
            "PCI DSS violation",
        )  # fmt: skip

    def test_drift_from_policy(self) -> None:
        self.check(
            {
                "deleted before the retention": (bucket(rule(expirationInDays=400)), "deletes after 400 days, expected >= 3650"),
                "deleted too late": (bucket(rule(expirationInDays=3682)), "objects are deleted only after 3682 days"),
                "never deleted": (bucket(rule(expirationInDays=-1)), "objects are never deleted"),
                "noncurrent never deleted": (bucket(rule(noncurrentVersionExpirationInDays=-1)), "noncurrent versions are never deleted"),
                "suspended versioning has noncurrent versions": (
                    bucket(rule(noncurrentVersionExpirationInDays=-1), versioning="Suspended"), "noncurrent versions are never deleted"
                ),
                "infrequent access too early": (bucket(rule(transitions=[step(29, "STANDARD_IA"), step(90, "GLACIER")])), "after 29 days"),
                "infrequent access too late": (
                    bucket(rule(transitions=[step(62, "STANDARD_IA"), step(93, "GLACIER")])), "only after 62 days to STANDARD_IA"
                ),
                "no infrequent access": (bucket(rule(transitions=[step(90, "GLACIER")])), "do not move to STANDARD_IA"),
                "no Glacier": (bucket(rule(transitions=[step(30, "STANDARD_IA")])), "do not move to GLACIER"),
                "Glacier Instant Retrieval is not Flexible": (
                    bucket(rule(transitions=[step(30, "STANDARD_IA"), step(90, "GLACIER_IR")])), "do not move to GLACIER"
                ),
                "uploads not aborted": (bucket(rule(abortIncompleteMultipartUpload=None)), "incomplete uploads are never aborted"),
                "prefix leaves objects out": (bucket(rule(filter=PREFIX)), "5 gaps; first: objects do not move to STANDARD_IA, expected from day 30 (rules for a part leave the rest out)"),
                "tag leaves objects out": (bucket(rule(filter=TAG)), "5 gaps"),
                "prefix and tag": (bucket(rule(filter=BOTH)), "5 gaps"),
                "size leaves objects out": (bucket(rule(filter=SIZE)), "5 gaps"),
                "old style prefix": (bucket(rule(prefix="AWSLogs/", filter=None)), "5 gaps"),
                "only a disabled rule": (bucket(rule(status="Disabled")), "STANDARD_IA, expected from day 30 (drift"),
            },
            "drift from policy",
        )  # fmt: skip

    def test_violations_come_before_drift(self) -> None:
        finding = judged(bucket(rule(transitions=None), rule(id="tmp", expirationInDays=7, transitions=None)))
        self.assertTrue(finding.annotation.startswith("3 gaps; first: rule 'tmp' deletes after 7 days"), finding.annotation)


class ParametersTest(unittest.TestCase):
    def test_the_policy_is_a_parameter(self) -> None:
        item = bucket(rule(expirationInDays=400, noncurrentVersionExpirationInDays=400))
        self.assertEqual(judged(item, {"RetentionDays": "400"}).compliance, COMPLIANT)
        self.assertEqual(judged(item, {"RetentionDays": "365", "RetentionToleranceDays": "34"}).compliance, NON_COMPLIANT)

    def test_it_cannot_go_below_pci_dss(self) -> None:
        instance = PciArchiveLifecycle(ARCHIVE)
        for raw in ({"RetentionDays": "364"}, {"GlacierDays": "89"}, {"StandardDays": "29"}, {"Retention": "3650"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                instance.evaluate_parameters(raw)


class BadInputTest(unittest.TestCase):
    def test_what_cannot_be_read_is_an_error(self) -> None:
        for name, item in {
            "no supplementary configuration": {**bucket(rule()), "supplementaryConfiguration": None},
            "rules missing": bucket(BucketLifecycleConfiguration={}),
            "status missing": bucket(rule(status=None)),
            "unknown status": bucket(rule(status="Paused")),
            "unknown storage class": bucket(rule(transitions=[step(30, "TAPE")])),
            "transition without days": bucket(rule(transitions=[step(-1, "GLACIER")])),
            "days as text": bucket(rule(expirationInDays="3650")),
            "rule is text": bucket("rule"),
            "predicate is text": bucket(rule(filter={"predicate": "x"})),
            "unknown versioning": bucket(rule(), versioning="Perhaps"),
        }.items():
            words = "status is 'Perhaps', which" if name == "unknown versioning" else "upplementaryConfiguration"
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, words):
                judged(item)


if __name__ == "__main__":
    unittest.main()
