"""Decision table of PCI_RECORDER_COVERS_SCOPE."""

from __future__ import annotations

import dataclasses
import unittest
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from moto import mock_aws

from pci_config.configuration_recorder import RecorderState
from pci_config.recorded_types import Need
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
from pci_config.sandbox import recorder_service
from pci_config.settings import SettingMissing, Settings
from PCI_RECORDER_COVERS_SCOPE import ConfigurationRecorder, PciRecorderCoversScope

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOME, AWAY = "eu-west-1", "eu-central-1"
GROUP, FLOW_LOG, USER, DISTRIBUTION = (
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::FlowLog",
    "AWS::IAM::User",
    "AWS::CloudFront::Distribution",
)
NEEDS = {
    DISTRIBUTION: Need(True, "us-east-1"),
    FLOW_LOG: Need(False),
    GROUP: Need(True),
    USER: Need(True, "home"),
}
NOT_IAM = {"allSupported": True, "includeGlobalResourceTypes": False}
EVERYTHING = {"allSupported": True, "includeGlobalResourceTypes": True}
ALL = "ALL_SUPPORTED_RESOURCE_TYPES"
CONTINUOUS = {"recordingFrequency": "CONTINUOUS"}
DAILY = {"recordingFrequency": "DAILY"}
STATUS: dict[str, Any] = {
    "name": "default",
    "recording": True,
    "lastStatus": "Success",
    "lastStartTime": NOW - timedelta(days=90),
    "lastStatusChangeTime": NOW,
}
DELIVERY: dict[str, Any] = {
    "name": "default",
    "configHistoryDeliveryInfo": {"lastStatus": "Success"},
    "configStreamDeliveryInfo": {"lastStatus": "Not_Applicable"},
}


def state(group: Any = EVERYTHING, mode: Any = None, **changed: Any) -> RecorderState:
    recorder = {"name": "default", "recordingGroup": group, **({"recordingMode": mode} if mode else {})}
    right = RecorderState([recorder], [STATUS], [{"name": "default"}], [DELIVERY])
    return dataclasses.replace(right, **changed)


def scope(region: str = HOME, settings: Settings | None = None) -> Scope:
    return Scope("123456789012", region, NOW, settings or Settings(home_region=HOME))


def judged(
    found: Any, region: str = HOME, raw: dict[str, str] | None = None, needs: Any = None, settings: Settings | None = None
) -> Finding:
    class Rule(PciRecorderCoversScope):
        needed_types = staticmethod(lambda: NEEDS if needs is None else needs)

    rule = Rule(Settings())
    facts = StatedFacts(scope(region, settings), {(ConfigurationRecorder,): found})
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw or {}), facts)
    return finding


def strategy(name: str, **group: Any) -> dict[str, Any]:
    return {"allSupported": False, "includeGlobalResourceTypes": False, "recordingStrategy": {"useOnly": name}, **group}


class Table(unittest.TestCase):
    def assert_problem(self, finding: Finding, words: str) -> None:
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(words, finding.annotation)
        self.assertTrue(finding.annotation.endswith("[PCI 12.5.1, 10.7.2]"), finding.annotation)

    def assert_right(self, finding: Finding) -> None:
        self.assertEqual((finding.compliance, finding.resource_id), (COMPLIANT, "123456789012"), finding.annotation)


class RecordingGroupTest(Table):
    def test_the_strategies(self) -> None:
        for name, group, region, problem in (
            ("all with IAM", EVERYTHING, HOME, None),
            ("all, named", {**EVERYTHING, "recordingStrategy": {"useOnly": ALL}}, HOME, None),
            ("all without IAM, at home", NOT_IAM, HOME, "not recorded: IAM::User"),
            ("all without IAM, elsewhere", NOT_IAM, AWAY, None),
            ("no list at all", {"allSupported": False}, AWAY, "not recorded: EC2::FlowLog, EC2::SecurityGroup"),
            ("an old list", {"allSupported": False, "resourceTypes": [GROUP, FLOW_LOG]}, AWAY, None),
            (
                "a list",
                strategy("INCLUSION_BY_RESOURCE_TYPES", resourceTypes=[GROUP]),
                AWAY,
                "not recorded: EC2::FlowLog [",
            ),
            ("a list with IAM", strategy("INCLUSION_BY_RESOURCE_TYPES", resourceTypes=[GROUP, FLOW_LOG, USER]), HOME, None),
            (
                "a list ignores the flag",
                {
                    **strategy("INCLUSION_BY_RESOURCE_TYPES", resourceTypes=[GROUP, FLOW_LOG]),
                    "includeGlobalResourceTypes": True,
                },
                HOME,
                "not recorded: IAM::User",
            ),
            (
                "an exclusion",
                strategy("EXCLUSION_BY_RESOURCE_TYPES", exclusionByResourceTypes={"resourceTypes": [GROUP]}),
                AWAY,
                "not recorded: EC2::SecurityGroup",
            ),
            (
                "an exclusion of others records IAM whatever the flag says",
                strategy("EXCLUSION_BY_RESOURCE_TYPES", exclusionByResourceTypes={"resourceTypes": ["AWS::EC2::Volume"]}),
                HOME,
                None,
            ),
            (
                "an exclusion of IAM",
                strategy("EXCLUSION_BY_RESOURCE_TYPES", exclusionByResourceTypes={"resourceTypes": [USER]}),
                HOME,
                "not recorded: IAM::User",
            ),
            (
                "an exclusion without its strategy named",
                {"allSupported": False, "exclusionByResourceTypes": {"resourceTypes": [FLOW_LOG]}},
                AWAY,
                "not recorded: EC2::FlowLog",
            ),
            (
                "an exclusion overrides what is listed besides",
                strategy(
                    "EXCLUSION_BY_RESOURCE_TYPES", exclusionByResourceTypes={"resourceTypes": [GROUP]}, resourceTypes=[GROUP]
                ),
                AWAY,
                "not recorded: EC2::SecurityGroup",
            ),
        ):
            with self.subTest(name):
                finding = judged(state(group), region)
                self.assert_problem(finding, problem) if problem else self.assert_right(finding)

    def test_cloudfront_is_needed_in_its_region_only(self) -> None:
        listed = {"allSupported": False, "resourceTypes": [GROUP, FLOW_LOG]}
        self.assert_problem(judged(state(listed), "us-east-1"), "not recorded: CloudFront::Distribution")
        self.assert_right(judged(state(listed), AWAY))

    def test_four_types_are_named_as_three_and_one_more(self) -> None:
        needs = {f"AWS::EC2::T{number}": Need(True) for number in range(4)}
        nothing = {"allSupported": False, "resourceTypes": []}
        self.assert_problem(judged(state(nothing), needs=needs), "not recorded: EC2::T0, EC2::T1, EC2::T2 and 1 more")
        needs.popitem()
        self.assert_problem(judged(state(nothing), needs=needs), "not recorded: EC2::T0, EC2::T1, EC2::T2 [PCI")

    def test_what_aws_does_not_document_is_no_verdict(self) -> None:
        for group, words in (
            (None, "recordingGroup is missing"),
            ([], "recordingGroup is list"),
            (strategy("SOME"), "useOnly is 'SOME'"),
            (strategy(ALL), "allSupported is not true"),
            ({"allSupported": False, "resourceTypes": GROUP}, "recordingGroup.resourceTypes is not a list"),
            ({"allSupported": False, "resourceTypes": [1]}, "recordingGroup.resourceTypes is not a list"),
        ):
            with self.subTest(group=group), self.assertRaisesRegex(RuleInputError, words):
                judged(state(group))

    def test_no_home_region_is_no_verdict(self) -> None:
        with self.assertRaisesRegex(SettingMissing, "HomeRegion"):
            judged(state(), settings=Settings())

    def test_no_known_needs_are_no_verdict(self) -> None:
        with self.assertRaisesRegex(RuleInputError, "build the bundle again"):
            judged(state(), needs={})


class RecordingModeTest(Table):
    def test_daily_is_enough_only_for_what_is_looked_up(self) -> None:
        def override(frequency: str, *types: str) -> list[dict[str, Any]]:
            return [{"recordingFrequency": frequency, "resourceTypes": list(types)}]

        for name, mode, problem in (
            ("continuous", CONTINUOUS, None),
            ("daily", DAILY, "recorded daily, expected continuously: EC2::SecurityGroup [PCI"),
            ("daily but for the judged", {**DAILY, "recordingModeOverrides": override("CONTINUOUS", GROUP)}, None),
            ("continuous, looked-up daily", {**CONTINUOUS, "recordingModeOverrides": override("DAILY", FLOW_LOG)}, None),
            ("continuous, judged daily", {**CONTINUOUS, "recordingModeOverrides": override("DAILY", GROUP)}, "SecurityGroup"),
            (
                "two overrides: the weaker counts",
                {**DAILY, "recordingModeOverrides": override("DAILY", GROUP) + override("CONTINUOUS", GROUP)},
                "recorded daily",
            ),
        ):
            with self.subTest(name):
                finding = judged(state(mode=mode), AWAY)
                self.assert_problem(finding, problem) if problem else self.assert_right(finding)

    def test_what_is_not_recorded_is_not_called_daily_too(self) -> None:
        listed = {"allSupported": False, "resourceTypes": [FLOW_LOG]}
        finding = judged(state(listed, DAILY), AWAY)
        self.assert_problem(finding, "not recorded: EC2::SecurityGroup")
        self.assertNotIn("daily", finding.annotation)

    def test_unknown_frequencies_are_no_verdict(self) -> None:
        for mode in (
            {"recordingFrequency": "HOURLY"},
            {"recordingModeOverrides": []},
            {**CONTINUOUS, "recordingModeOverrides": {"resourceTypes": [GROUP]}},
            {**CONTINUOUS, "recordingModeOverrides": [{"resourceTypes": [GROUP]}]},
            {**CONTINUOUS, "recordingModeOverrides": [GROUP]},
        ):
            with self.subTest(mode=mode), self.assertRaises(RuleInputError):
                judged(state(mode=mode))


class RunningTest(Table):
    def test_no_recorder(self) -> None:
        finding = judged(RecorderState())
        self.assert_problem(finding, "no configuration recorder in eu-west-1: nothing is recorded")
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", "123456789012"))

    def test_the_status(self) -> None:
        stop = datetime(2026, 10, 5, tzinfo=UTC)
        for name, status, problem in (
            ("never started", [], "the recorder was never started"),
            ("off", [{**STATUS, "recording": False}], "the recorder is off; start it"),
            ("off since", [{**STATUS, "recording": False, "lastStopTime": stop}], "off since 2026-10-05; start it"),
            ("not said", [{**STATUS, "recording": None}], "the recorder is off"),
            ("failing", [{**STATUS, "lastStatus": "Failure", "lastErrorCode": "AccessDenied"}], "Failure (AccessDenied), exp"),
            ("failing silently", [{**STATUS, "lastStatus": "Failure"}], "last status is Failure, expected Success"),
            ("message only", [{**STATUS, "lastStatus": "Failure", "lastErrorMessage": "no"}], "Failure (no)"),
            ("nothing yet", [{**STATUS, "lastStatus": None}], "last status is missing"),
            ("does not apply", [{**STATUS, "lastStatus": "NotApplicable"}], "NotApplicable"),
            ("pending 24 h", [{**STATUS, "lastStatus": "Pending", "lastStatusChangeTime": NOW - 24 * HOUR}], None),
            ("pending longer", [{**STATUS, "lastStatus": "Pending", "lastStatusChangeTime": NOW - 25 * HOUR}], "Pending"),
            ("pending, no time", [{**STATUS, "lastStatus": "Pending", "lastStatusChangeTime": None}], "Pending"),
        ):
            with self.subTest(name):
                finding = judged(state(statuses=status))
                self.assert_problem(finding, problem) if problem else self.assert_right(finding)


class DeliveryTest(Table):
    def test_deliveries(self) -> None:
        failed = {"lastStatus": "Failure", "lastErrorCode": "NoSuchBucket"}
        new, old = [{**STATUS, "lastStartTime": NOW - 24 * HOUR}], [{**STATUS, "lastStartTime": NOW - 25 * HOUR}]
        for name, delivery, statuses, problem in (
            ("history failed", {"configHistoryDeliveryInfo": failed}, old, "last history delivery was Failure (NoSuchBucket)"),
            (
                "snapshot failed",
                {**DELIVERY, "configSnapshotDeliveryInfo": failed},
                old,
                "last snapshot delivery was Failure (NoSuchBucket)",
            ),
            ("notice failed", {**DELIVERY, "configStreamDeliveryInfo": failed}, old, "last notification delivery was Failure"),
            (
                "snapshots are not wanted",
                {**DELIVERY, "configSnapshotDeliveryInfo": {"lastStatus": "Not_Applicable"}},
                old,
                None,
            ),
            ("no history, new", {}, new, None),
            ("no history, old", {}, old, "no history file was delivered yet"),
            ("history does not apply, old", {"configHistoryDeliveryInfo": {"lastStatus": "Not_Applicable"}}, old, "no history"),
            ("history failed, new", {"configHistoryDeliveryInfo": failed}, new, "last history delivery was Failure"),
            ("no start time", {}, [{**STATUS, "lastStartTime": None}], "no history file was delivered yet"),
        ):
            with self.subTest(name):
                finding = judged(state(deliveries=[delivery], statuses=statuses))
                self.assert_problem(finding, problem) if problem else self.assert_right(finding)
        self.assert_problem(judged(state(deliveries=[])), "no history file was delivered yet")

    def test_no_channel(self) -> None:
        finding = judged(state(channels=[], deliveries=[]))
        self.assert_problem(finding, "there is no delivery channel; make one")
        self.assertNotIn("problems", finding.annotation)

    def test_an_unreadable_status_is_no_verdict(self) -> None:
        with self.assertRaisesRegex(RuleInputError, "configHistoryDeliveryInfo is str"):
            judged(state(deliveries=[{"configHistoryDeliveryInfo": "fine"}]))


class RetentionTest(Table):
    def test_bounds(self) -> None:
        for days, raw, problem in (
            (364, {}, "history is kept 364 days, expected >= 365"),
            (365, {}, None),
            (366, {}, None),
            (1000, {"MinimumRetentionDays": "1001"}, "history is kept 1000 days, expected >= 1001"),
            (1001, {"MinimumRetentionDays": "1001"}, None),
        ):
            with self.subTest(days=days, raw=raw):
                finding = judged(state(retentions=[{"Name": "default", "RetentionPeriodInDays": days}]), raw=raw)
                if problem:
                    self.assert_problem(finding, problem)
                else:
                    self.assert_right(finding)
                    self.assertEqual(
                        finding.annotation, f"all 3 types that the rules need are recorded; history is kept {days} days"
                    )

    def test_nothing_configured_is_seven_years(self) -> None:
        self.assertIn("history is kept 2557 days", judged(state()).annotation)

    def test_an_unreadable_retention_is_no_verdict(self) -> None:
        for days in (None, "365", True):
            with self.subTest(days=days), self.assertRaisesRegex(RuleInputError, "RetentionPeriodInDays"):
                judged(state(retentions=[{"RetentionPeriodInDays": days}]))

    def test_parameters(self) -> None:
        rule = PciRecorderCoversScope(Settings())
        for bad in ("364", "2558", "a year"):
            with self.subTest(bad), self.assertRaises(ParameterError):
                rule.evaluate_parameters({"MinimumRetentionDays": bad})
        self.assertEqual(rule.evaluate_parameters({"MinimumRetentionDays": "2557"}).minimum_retention_days, 2557)


class SeveralProblemsTest(Table):
    def test_they_are_counted_and_told_in_order(self) -> None:
        off = [{**STATUS, "recording": False}]
        kept = [{"RetentionPeriodInDays": 30}]
        finding = judged(state(NOT_IAM, DAILY, statuses=off, channels=[], retentions=kept))
        self.assert_problem(finding, "5 problems: the recorder is off; start it; not recorded: IAM::User; recorded daily")
        self.assertLessEqual(len(finding.annotation), 256)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or HOME)


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_live(self) -> None:
        recorder_service.install()
        config = boto3.client("config", region_name=HOME)
        self.assertEqual(LiveFacts(Clients(), scope()).get(ConfigurationRecorder), RecorderState([], [], [], [], []))
        role = "arn:aws:iam::123456789012:role/config"
        daily = {"recordingFrequency": "DAILY", "recordingModeOverrides": []}
        config.put_configuration_recorder(
            ConfigurationRecorder={"name": "default", "roleARN": role, "recordingGroup": EVERYTHING, "recordingMode": daily}
        )
        config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "card-issuer-config"})
        config.start_configuration_recorder(ConfigurationRecorderName="default")
        config.put_retention_configuration(RetentionPeriodInDays=400)
        found = LiveFacts(Clients(), scope()).get(ConfigurationRecorder)
        self.assertEqual(found.recorders[0]["recordingMode"], daily)
        self.assertEqual((found.statuses[0]["recording"], found.statuses[0]["lastStatus"]), (True, "Success"))
        self.assertEqual(found.deliveries[0]["configHistoryDeliveryInfo"]["lastErrorCode"], "NoSuchBucket")
        self.assertEqual(found.retentions[0]["RetentionPeriodInDays"], 400)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="card-issuer-config")
        found = LiveFacts(Clients(), scope()).get(ConfigurationRecorder)
        self.assertEqual(found.deliveries[0]["configHistoryDeliveryInfo"]["lastStatus"], "Success")

    def test_recorders_of_services_do_not_count(self) -> None:
        class Config:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def describe_configuration_recorders(self) -> Any:
                return {
                    "ConfigurationRecorders": [{"name": "AWSConfigurationRecorderForX", "servicePrincipal": "x.amazonaws.com"}]
                }

            def describe_configuration_recorder_status(self) -> Any:
                return {"ConfigurationRecordersStatus": [{"recording": True, "servicePrincipal": "x.amazonaws.com"}]}

            def describe_delivery_channels(self) -> Any:
                return {"DeliveryChannels": []}

            def describe_delivery_channel_status(self) -> Any:
                return {"DeliveryChannelsStatus": []}

            def describe_retention_configurations(self) -> Any:
                return {"RetentionConfigurations": []}

        self.assertEqual(ConfigurationRecorder.live(Config(), scope()), RecorderState([], [], [], [], []))

    def test_a_snapshot_cannot_show_it(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
                return []

        facts = RecordedFacts(Nothing(), scope())
        with self.assertRaises(NotAssessed):
            PciRecorderCoversScope(Settings()).decide_account(None, facts)  # type: ignore[arg-type]

    def test_the_rule_knows_what_the_catalogue_needs(self) -> None:
        self.assertTrue(PciRecorderCoversScope.needed_types()[GROUP].continuous)


if __name__ == "__main__":
    unittest.main()
