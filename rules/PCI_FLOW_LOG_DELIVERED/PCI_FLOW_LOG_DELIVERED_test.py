"""Decision table of PCI_FLOW_LOG_DELIVERED."""

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
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_FLOW_LOG_DELIVERED import FlowLogParameters, FlowLogs, PciFlowLogDelivered

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


VPC_ID = "vpc-0a1b2c3d4e5f60718"
LOG: dict[str, Any] = {
    "flowLogId": "fl-1",
    "resourceId": VPC_ID,
    "flowLogStatus": "ACTIVE",
    "trafficType": "ALL",
    "logDestinationType": "s3",
    "logDestination": "arn:aws:s3:::card-issuer-log-archive-flow/prefix/",
    "deliverLogsStatus": "SUCCESS",
}
GROUP = {"logDestinationType": "cloud-watch-logs", "logDestination": f"arn:aws:logs:{REGION}:{OWN}:log-group:flow"}


def vpc() -> dict[str, Any]:
    item = sample("AWS_EC2_VPC")
    item["configuration"]["vpcId"] = VPC_ID
    return item


def flow_log(**changed: Any) -> dict[str, Any]:
    item = sample("AWS_EC2_FlowLog")
    item["configuration"] |= {"resourceId": VPC_ID, "deliverLogsStatus": "SUCCESS", **changed}
    return item


def judged(*logs: dict[str, Any], traffic_type: str = "ALL") -> Finding:
    known: dict[tuple[Any, ...], Any] = {
        (FlowLogs, VPC_ID): [LOG | log for log in logs],
        (DeliveryStream, REGION, "good"): TO_ARCHIVE,
        (Subscriptions, REGION, "flow"): [Subscription("all", firehose("good"), "")],
        (Subscriptions, REGION, "kept"): [],
    }
    return PciFlowLogDelivered(ARCHIVE).decide(vpc(), FlowLogParameters(traffic_type), StatedFacts(scope(), known))


class VpcTest(unittest.TestCase):
    def test_the_table(self) -> None:
        for changed, compliance, words in (
            ({}, COMPLIANT, "flow log fl-1 -> s3://card-issuer-log-archive-flow"),
            ({"deliverLogsStatus": None}, COMPLIANT, "fl-1"),
            ({"logDestinationType": "kinesis-data-firehose", "logDestination": firehose("good")}, COMPLIANT, "Firehose good"),
            (GROUP, COMPLIANT, "log group flow -> Firehose good"),
            (GROUP | {"logDestination": None, "logGroupName": "flow"}, COMPLIANT, "log group flow -> Firehose good"),
            (GROUP | {"logGroupName": "kept"}, NON_COMPLIANT, "log group kept: has no subscription"),
            ({"logDestination": "arn:aws:s3:::team"}, NON_COMPLIANT, "flow log fl-1 -> s3://team: is not the archive"),
            ({"flowLogStatus": "INACTIVE"}, NON_COMPLIANT, "flow log fl-1 is INACTIVE, expected ACTIVE"),
            ({"trafficType": "REJECT"}, NON_COMPLIANT, "flow log fl-1 records REJECT traffic, expected ALL"),
            ({"trafficType": "ACCEPT"}, NON_COMPLIANT, "records ACCEPT traffic"),
            (
                {"deliverLogsStatus": "FAILED", "deliverLogsErrorMessage": "Access error"},
                NON_COMPLIANT,
                "flow log fl-1: delivery fails (Access error)",
            ),
            ({"deliverLogsStatus": "FAILED"}, NON_COMPLIANT, "no reason given"),
        ):
            with self.subTest(changed=changed):
                finding = judged(changed)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_no_flow_log(self) -> None:
        finding = judged()
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(f"{VPC_ID} has no flow log; make one of ALL traffic", finding.annotation)

    def test_rejected_traffic_is_enough_where_the_parameter_says_so(self) -> None:
        for traffic, compliance in (("REJECT", COMPLIANT), ("ALL", COMPLIANT), ("ACCEPT", NON_COMPLIANT)):
            with self.subTest(traffic=traffic):
                self.assertEqual(judged({"trafficType": traffic}, traffic_type="REJECT").compliance, compliance)

    def test_one_good_log_is_enough_and_else_the_nearest_miss_is_told(self) -> None:
        worse = {"flowLogId": "fl-2", "flowLogStatus": "INACTIVE", "trafficType": "REJECT"}
        self.assertEqual(judged(worse, {}).compliance, COMPLIANT)
        finding = judged(worse, {"trafficType": "REJECT"})
        self.assertEqual(finding.annotation, "flow log fl-1 records REJECT traffic, expected ALL [PCI 10.2.1]")

    def test_a_log_that_does_not_say_is_no_verdict(self) -> None:
        for member in ("flowLogId", "flowLogStatus", "trafficType", "logDestinationType", "logDestination"):
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, member):
                judged({member: None})

    def test_a_vpc_without_id_is_no_verdict(self) -> None:
        item = vpc()
        del item["configuration"]["vpcId"]
        with self.assertRaises(RuleInputError):
            PciFlowLogDelivered(ARCHIVE).decide(item, FlowLogParameters(), StatedFacts(scope()))


class FlowLogTest(unittest.TestCase):
    def test_flow_logs_are_judged_at_their_vpc_unless_they_fail(self) -> None:
        for changed, compliance, words in (
            ({}, NOT_APPLICABLE, f"judged at {VPC_ID}"),
            ({"resourceId": "eni-1"}, NOT_APPLICABLE, "flow log of eni-1; VPCs are judged"),
            ({"deliverLogsStatus": "FAILED"}, NON_COMPLIANT, "delivery fails"),
        ):
            with self.subTest(changed=changed):
                finding = PciFlowLogDelivered(ARCHIVE).decide(flow_log(**changed), FlowLogParameters(), StatedFacts(scope()))
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)


class Items:
    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        return self.items


class LookupTest(unittest.TestCase):
    def test_a_snapshot_answers_with_its_flow_logs(self) -> None:
        own, other = flow_log(), flow_log(resourceId="vpc-2")
        found = FlowLogs.recorded(Items(own, other), scope(), VPC_ID)
        self.assertEqual(found, [own["configuration"]])
        with self.assertRaisesRegex(NotAssessed, "no flow log is recorded here"):
            FlowLogs.recorded(NoItems(), scope(), VPC_ID)

    @mock_aws
    def test_live(self) -> None:
        ec2 = boto3.client("ec2", region_name=REGION)
        made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.assertEqual(FlowLogs.live(Clients(), scope(), made), [])
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="card-issuer-log-archive-flow")
        ec2.create_flow_logs(
            ResourceIds=[made],
            ResourceType="VPC",
            TrafficType="REJECT",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::card-issuer-log-archive-flow",
        )
        (log,) = FlowLogs.live(Clients(), scope(), made)
        self.assertEqual((log["resourceId"], log["trafficType"], log["flowLogStatus"]), (made, "REJECT", "ACTIVE"))

    def test_parameters(self) -> None:
        self.assertEqual(PciFlowLogDelivered().evaluate_parameters({"TrafficType": "REJECT"}), FlowLogParameters("REJECT"))
        for bad in ({"TrafficType": "ACCEPT"}, {"Traffic": "ALL"}):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                PciFlowLogDelivered().evaluate_parameters(bad)
