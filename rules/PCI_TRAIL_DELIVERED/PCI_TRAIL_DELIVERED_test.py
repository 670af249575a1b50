"""Decision table of PCI_TRAIL_DELIVERED."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.items import new_item
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
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
from PCI_TRAIL_DELIVERED import EventSelectors, PciTrailDelivered, Trails, TrailStatus

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT, OWNER = "123456789012", "100000000001"
SETTINGS = Settings(archive_buckets=("card-issuer-log-archive-*",))
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)
ARN = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/organization"
FOREIGN = f"arn:aws:cloudtrail:eu-west-1:{OWNER}:trail/organization"
GOOD: dict[str, Any] = {
    "Name": "organization",
    "S3BucketName": "card-issuer-log-archive-trail",
    "IncludeGlobalServiceEvents": True,
    "IsMultiRegionTrail": True,
    "HomeRegion": "eu-west-1",
    "TrailARN": ARN,
    "LogFileValidationEnabled": True,
    "CloudWatchLogsLogGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:trail:*",
    "KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/k",
    "IsOrganizationTrail": True,
}
STATUS = {"IsLogging": True, "LatestDeliveryTime": NOW}
MANAGEMENT = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}


def data(*prefixes: str, **fields: Any) -> dict[str, Any]:
    selectors = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]
    if prefixes:
        selectors.append({"Field": "resources.ARN", "StartsWith": list(prefixes)})
    return {"FieldSelectors": [*selectors, *({"Field": name, **value} for name, value in fields.items())]}


ARCHIVE_OBJECTS = data("arn:aws:s3:::card-issuer-log-archive-")
ADVANCED = {"AdvancedEventSelectors": [MANAGEMENT, ARCHIVE_OBJECTS]}


def basic(
    read_write: str = "All", management: bool = True, excluded: Any = (), values: Any = ("arn:aws:s3",)
) -> dict[str, Any]:
    return {
        "ReadWriteType": read_write,
        "IncludeManagementEvents": management,
        "ExcludeManagementEventSources": list(excluded),
        "DataResources": [{"Type": "AWS::S3::Object", "Values": list(values)}] if values else [],
    }


def account(
    *trails: Any, status: Any = STATUS, selectors: Any = ADVANCED, raw: Any = None, settings: Any = SETTINGS
) -> Finding:
    known: dict[Any, Any] = {(Trails,): trails}
    for trail in trails:
        known[TrailStatus, trail["TrailARN"]] = status
        known[EventSelectors, trail["TrailARN"]] = selectors
    instance = PciTrailDelivered(settings)
    scope = Scope(ACCOUNT, "eu-west-1", NOW, settings)
    (finding,) = instance.decide_account(instance.evaluate_parameters(raw or {}), StatedFacts(scope, known))
    return finding


def item(region: str = "eu-west-1", **members: Any) -> dict[str, Any]:
    recorded = {name[0].lower() + name[1:]: value for name, value in {**GOOD, **members}.items()}
    recorded["trailARN"] = recorded.pop("trailARN", ARN)
    return new_item(
        account_id=ACCOUNT, region=region, resource_type="AWS::CloudTrail::Trail", resource_id="organization",
        configuration=recorded, capture_time=NOW,
    )  # fmt: skip


def changed(trail: dict[str, Any], status: Any = STATUS, selectors: Any = ADVANCED) -> Finding:
    instance = PciTrailDelivered(SETTINGS)
    facts = StatedFacts(SCOPE, {(TrailStatus, ARN): status, (EventSelectors, ARN): selectors})
    return instance.decide(trail, instance.evaluate_parameters({}), facts)


class AccountTest(unittest.TestCase):
    def test_a_complete_organization_trail_is_compliant(self) -> None:
        for name, selectors in {
            "advanced selectors": ADVANCED,
            "all objects": {"AdvancedEventSelectors": [MANAGEMENT, data()]},
            "read and write apart": {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [*MANAGEMENT["FieldSelectors"], {"Field": "readOnly", "Equals": ["true"]}]},
                    {"FieldSelectors": [*MANAGEMENT["FieldSelectors"], {"Field": "readOnly", "Equals": ["false"]}]},
                    ARCHIVE_OBJECTS,
                ]
            },
            "basic selectors": {"EventSelectors": [basic()]},
            "basic, read and write apart": {"EventSelectors": [basic("ReadOnly"), basic("WriteOnly")]},
        }.items():
            with self.subTest(name):
                finding = account(GOOD, selectors=selectors)
                self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
                self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", ACCOUNT))

    def test_no_trail(self) -> None:
        finding = account()
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("no trail acts on this account", finding.annotation)

    def test_each_gap_is_named(self) -> None:
        for change, expected in (
            ({"IsOrganizationTrail": False}, "is no organization trail"),
            ({"IsMultiRegionTrail": False}, "covers one Region only"),
            ({"IncludeGlobalServiceEvents": False}, "leaves out global services"),
            ({"LogFileValidationEnabled": False}, "log file validation is off"),
            ({"KmsKeyId": None}, "not encrypted with a KMS key"),
            ({"S3BucketName": "team-logs"}, "delivers to team-logs, not to the archive"),
            ({"CloudWatchLogsLogGroupArn": None}, "does not send events to CloudWatch Logs"),
        ):
            with self.subTest(expected):
                finding = account({**GOOD, **change})
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertTrue(finding.annotation.endswith("[PCI 10.2.1]"))

    def test_status_and_selectors(self) -> None:
        for name, status, selectors, expected in (
            ("stopped", {"IsLogging": False}, ADVANCED, "is not logging"),
            ("delivery fails", {**STATUS, "LatestDeliveryError": "AccessDenied"}, ADVANCED, "the archive failed: AccessDenied"),
            ("alerts fail", {**STATUS, "LatestCloudWatchLogsDeliveryError": "x"}, ADVANCED, "CloudWatch Logs failed: x"),
            ("write only", STATUS, {"EventSelectors": [basic("WriteOnly")]}, "misses management events (read"),
            ("no management", STATUS, {"EventSelectors": [basic(management=False)]}, "misses management events (read and write"),
            ("KMS excluded", STATUS, {"EventSelectors": [basic(excluded=["kms.amazonaws.com"])]}, "excluded: kms.amazonaws.com"),
            ("nothing selected", STATUS, {}, "misses management events"),
            (
                "advanced exclusion",
                STATUS,
                {
                    "AdvancedEventSelectors": [
                        {"FieldSelectors": [*MANAGEMENT["FieldSelectors"], {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}]},
                        ARCHIVE_OBJECTS,
                    ]
                },
                "excluded: by eventSource",
            ),
            ("no object events", STATUS, {"AdvancedEventSelectors": [MANAGEMENT]}, "misses object events of card-issuer-log-archive-*"),
            ("of another bucket", STATUS, {"AdvancedEventSelectors": [MANAGEMENT, data("arn:aws:s3:::other/")]}, "misses object events"),
            ("reads only", STATUS, {"AdvancedEventSelectors": [MANAGEMENT, data(readOnly={"Equals": ["true"]})]}, "misses object events"),
            ("some excluded", STATUS, {"AdvancedEventSelectors": [MANAGEMENT, data(eventName={"NotEquals": ["GetObject"]})]}, "misses object"),
            ("one bucket of the pattern", STATUS, {"EventSelectors": [basic(values=["arn:aws:s3:::card-issuer-log-archive-elb/"])]}, "misses object"),
        ):  # fmt: skip
            with self.subTest(name):
                finding = account(GOOD, status=status, selectors=selectors)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)

    def test_the_best_of_several_trails_speaks(self) -> None:
        worse = {**GOOD, "Name": "team", "TrailARN": ARN + "2", "IsOrganizationTrail": False, "KmsKeyId": None}
        self.assertEqual(account(worse, GOOD).compliance, COMPLIANT)
        finding = account(worse, {**GOOD, "KmsKeyId": None})
        self.assertIn("trail organization log files are not encrypted", finding.annotation)

    def test_cde_buckets_are_a_parameter(self) -> None:
        self.assertIn("misses object events of cards", account(GOOD, raw={"CdeBuckets": "cards"}).annotation)
        both = {"AdvancedEventSelectors": [MANAGEMENT, ARCHIVE_OBJECTS, data("arn:aws:s3:::cards/")]}
        self.assertEqual(account(GOOD, selectors=both, raw={"CdeBuckets": "cards"}).compliance, COMPLIANT)

    def test_a_trail_of_another_account_is_judged_there(self) -> None:
        finding = account({**GOOD, "TrailARN": FOREIGN}, selectors=None)
        self.assertEqual(finding.compliance, NOT_APPLICABLE)
        self.assertIn(OWNER, finding.annotation)
        stopped = account({**GOOD, "TrailARN": FOREIGN}, status={"IsLogging": False}, selectors=None)
        self.assertEqual(stopped.compliance, NON_COMPLIANT)


class ChangeTest(unittest.TestCase):
    def test_organization_trails(self) -> None:
        self.assertEqual(changed(item()).compliance, COMPLIANT)
        self.assertEqual(changed(item(KmsKeyId=None)).compliance, NON_COMPLIANT)
        self.assertEqual(changed(item(), status={"IsLogging": False}).compliance, NON_COMPLIANT)
        self.assertEqual(changed(item(), selectors={}).compliance, NON_COMPLIANT)

    def test_additional_trails_must_be_kept_safely(self) -> None:
        local = {"IsOrganizationTrail": False, "IsMultiRegionTrail": False, "CloudWatchLogsLogGroupArn": None}
        self.assertEqual(changed(item(**local)).compliance, COMPLIANT)
        for change in ({"S3BucketName": "team-logs"}, {"LogFileValidationEnabled": False}, {"KmsKeyId": None}):
            with self.subTest(change):
                self.assertEqual(changed(item(**local, **change)).compliance, NON_COMPLIANT)

    def test_copies_in_other_regions(self) -> None:
        self.assertEqual(changed(item("us-east-1")).compliance, NOT_APPLICABLE)

    def test_a_snapshot_shows_faults_but_never_that_all_is_well(self) -> None:
        instance = PciTrailDelivered(SETTINGS)

        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
                return []

        facts = RecordedFacts(Nothing(), SCOPE)
        parameters = instance.evaluate_parameters({})
        self.assertEqual(instance.decide(item(KmsKeyId=None), parameters, facts).compliance, NON_COMPLIANT)
        with self.assertRaises(NotAssessed):
            instance.decide(item(), parameters, facts)
        with self.assertRaises(NotAssessed):
            instance.decide_account(parameters, facts)

    def test_selectors_that_cannot_be_read_are_not_assessed(self) -> None:
        with self.assertRaisesRegex(NotAssessed, "selectors cannot be read from this account"):
            changed(item(), selectors=None)


class BadInputTest(unittest.TestCase):
    def test_missing_members_are_errors(self) -> None:
        for name in (
            "S3BucketName",
            "HomeRegion",
            "IsOrganizationTrail",
            "IsMultiRegionTrail",
            "LogFileValidationEnabled",
            "TrailARN",
        ):
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, f"configuration: .*{name[1:]}"):
                changed(item(**{name: None}))
        with self.assertRaises(RuleInputError):
            changed({**item(), "configuration": None})
        with self.assertRaises(RuleInputError):
            account(GOOD, status={})

    def test_without_configured_archive_nothing_passes(self) -> None:
        with self.assertRaises(SettingMissing):
            account(GOOD, settings=Settings())

    def test_parameters(self) -> None:
        for raw in ({"CdeBuckets": "Not A Bucket"}, {"Buckets": "x"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                PciTrailDelivered(SETTINGS).evaluate_parameters(raw)


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_an_account_answers(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="card-issuer-log-archive-trail")
        trail = Clients().build_client("cloudtrail")
        arn = trail.create_trail(Name="trail", S3BucketName="card-issuer-log-archive-trail", IsMultiRegionTrail=True)[
            "TrailARN"
        ]
        trail.start_logging(Name=arn)
        trail.put_event_selectors(TrailName=arn, AdvancedEventSelectors=[MANAGEMENT, ARCHIVE_OBJECTS])
        facts = LiveFacts(Clients(), SCOPE)
        self.assertEqual([entry["TrailARN"] for entry in facts.get(Trails)], [arn])
        self.assertTrue(facts.get(TrailStatus, arn)["IsLogging"])
        selectors = facts.get(EventSelectors, arn)
        self.assertEqual(len((selectors or {})["AdvancedEventSelectors"]), 2)

    def test_refused_selectors_are_none_only_for_trails_of_others(self) -> None:
        class Refusing:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_event_selectors(self, TrailName: str) -> Any:  # noqa: N803
                raise ClientError({"Error": {"Code": "TrailNotFoundException", "Message": "no"}}, "GetEventSelectors")

        self.assertIsNone(EventSelectors.live(Refusing(), SCOPE, FOREIGN))
        with self.assertRaises(ClientError):
            EventSelectors.live(Refusing(), SCOPE, ARN)


if __name__ == "__main__":
    unittest.main()
