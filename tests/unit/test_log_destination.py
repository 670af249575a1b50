"""Where a log ends: every kind of hop, and every way to miss the archive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from pci_config.log_destination import (
    Place,
    Stream,
    Subscription,
    described_stream,
    group_route,
    policy_subscription,
    route,
)
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rule import NotAssessed, RuleInputError, Scope
from pci_config.sandbox import logs_service
from pci_config.settings import SettingMissing, Settings

OWN, ARCHIVE_ACCOUNT = "123456789012", "300000000003"
SETTINGS = Settings(
    archive_buckets=("archive-*",),
    trusted_destinations=(
        f"arn:aws:logs:eu-west-1:{ARCHIVE_ACCOUNT}:destination:archive",
        f"arn:aws:kinesis:*:{ARCHIVE_ACCOUNT}:stream/x-*",
    ),
)
PLACE = Place(OWN, "eu-west-1", SETTINGS)
GOOD, BAD = Stream("good", "ACTIVE", "archive-api"), Stream("bad", "ACTIVE", "team-logs")


class Known:
    """Surroundings as told."""

    def __init__(self, **groups: Sequence[Subscription]) -> None:
        self.groups = groups

    def stream(self, name: str) -> Stream | None:
        streams = (GOOD, BAD, Stream("new", "CREATING", "archive-api"), Stream("splunk", "ACTIVE", None, "Splunk"))
        return next((stream for stream in streams if stream.name == name), None)

    def subscriptions(self, log_group: str) -> Sequence[Subscription]:
        return self.groups.get(log_group, ())


def firehose(name: str, account: str = OWN, region: str = "eu-west-1") -> str:
    return f"arn:aws:firehose:{region}:{account}:deliverystream/{name}"


def group(name: str) -> str:
    return f"arn:aws:logs:eu-west-1:{OWN}:log-group:{name}"


CASES = [
    ("arn:aws:s3:::archive-waf", "s3://archive-waf", None),
    ("arn:aws:s3:::archive-waf/AWSLogs/prefix", "s3://archive-waf", None),
    ("arn:aws:s3:::team-logs", "s3://team-logs", "is not the archive (archive-*)"),
    (firehose("good"), "Firehose good -> s3://archive-api", None),
    (firehose("bad"), "Firehose bad -> s3://team-logs", "is not the archive (archive-*)"),
    (firehose("splunk"), "Firehose splunk -> Splunk", "is not the archive (archive-*)"),
    (firehose("new"), "Firehose new", "is CREATING, expected ACTIVE"),
    (firehose("gone"), "Firehose gone", "does not exist"),
    (firehose("good", account=ARCHIVE_ACCOUNT), f"Firehose good (account {ARCHIVE_ACCOUNT})", "cannot be looked into from here"),
    (firehose("good", region="us-east-1"), "Firehose good", "cannot be looked into from here"),
    (f"arn:aws:kinesis:eu-west-1:{OWN}:stream/s", "Kinesis stream s", "may lead anywhere"),
    (f"arn:aws:kinesis:eu-west-1:{ARCHIVE_ACCOUNT}:stream/x-1", f"Kinesis stream x-1 (account {ARCHIVE_ACCOUNT}), which rdk.json vouches for", None),
    (f"arn:aws:logs:eu-west-1:{ARCHIVE_ACCOUNT}:destination:archive", f"Logs destination archive (account {ARCHIVE_ACCOUNT}), which rdk.json vouches for", None),
    (f"arn:aws:logs:eu-west-1:{ARCHIVE_ACCOUNT}:destination:other", f"Logs destination other (account {ARCHIVE_ACCOUNT})", "cannot be looked into from here"),
    (f"arn:aws:lambda:eu-west-1:{OWN}:function:f", "Lambda f", "may lead anywhere"),
    (group("plain") + ":*", "log group plain", "has no subscription that sends it on to the archive"),
    (group("sent"), "log group sent -> Firehose good -> s3://archive-api", None),
    (group("sent") + ":*", "log group sent -> Firehose good -> s3://archive-api", None),
    (group("second"), "log group second -> Firehose good -> s3://archive-api", None),
    (group("lost"), "log group lost -> Firehose bad -> s3://team-logs", "is not the archive (archive-*)"),
    (group("some"), "log group some", "subscription errors passes only events that match 'ERROR'"),
    (group("circle"), "log group circle -> log group circle -> log group circle -> log group circle -> log group circle", "goes in circles"),
    ("archive-waf", "archive-waf", "is no ARN of a destination"),
    ("", "nowhere", "is no ARN of a destination"),
]  # fmt: skip
SURROUNDINGS = Known(
    sent=[Subscription("all", firehose("good"), "")],
    second=[Subscription("errors", firehose("good"), "ERROR"), Subscription("all", firehose("good"), " ")],
    lost=[Subscription("all", firehose("bad"), "")],
    some=[Subscription("errors", firehose("good"), "ERROR")],
    circle=[Subscription("round", group("circle"), "")],
)


@pytest.mark.parametrize(("arn", "way", "fault"), CASES, ids=[arn for arn, _, _ in CASES])
def test_ways(arn: str, way: str, fault: str | None) -> None:
    found = route(arn, PLACE, SURROUNDINGS)
    assert str(found) == way
    assert (found.fault or "").startswith(fault or "")
    assert (found.fault is None) == (fault is None)
    assert found.told() == (f"{way}: {found.fault}" if fault else way)


def test_without_an_archive_nothing_is_decided() -> None:
    with pytest.raises(SettingMissing):
        route("arn:aws:s3:::archive-waf", Place(OWN, "eu-west-1", Settings()), SURROUNDINGS)


def test_what_firehose_describes() -> None:
    def stream(**destination: object) -> Stream:
        return described_stream({"DeliveryStreamName": "n", "DeliveryStreamStatus": "ACTIVE", "Destinations": [destination]})

    s3 = {"BucketARN": "arn:aws:s3:::archive-x"}
    assert stream(ExtendedS3DestinationDescription=s3).bucket == "archive-x"
    assert stream(S3DestinationDescription=s3).bucket == "archive-x"
    beside = stream(HttpEndpointDestinationDescription={}, S3DestinationDescription=s3)
    assert (beside.bucket, beside.kind) == (None, "HttpEndpoint")
    assert stream().bucket is None


def policy(**more: str) -> dict[str, str]:
    return {"policyName": "all-groups", "policyDocument": json.dumps({"DestinationArn": firehose("good")}), **more}


def test_account_policies_take_groups_in_or_leave_them_out() -> None:
    everything = policy_subscription(policy(), "any")
    assert everything == Subscription("all-groups", firehose("good"), "")
    criteria = 'LogGroupName NOT IN ["left-out", "too"]'
    assert policy_subscription(policy(selectionCriteria=criteria), "left-out") is None
    assert policy_subscription(policy(selectionCriteria=criteria), "in") == everything
    with pytest.raises(ValueError, match="are not understood"):
        policy_subscription(policy(selectionCriteria='LogGroupNamePrefix IN ["a"]'), "in")


SCOPE = Scope(OWN, "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), SETTINGS)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> object:
        return boto3.client(service, region_name=region)


@mock_aws
def test_live_answers_come_from_firehose_and_logs() -> None:
    logs_service.install()
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName="good",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{OWN}:role/firehose",
            "BucketARN": "arn:aws:s3:::archive-api",
        },
    )
    assert DeliveryStream.live(Clients(), SCOPE, "eu-west-1", "good") == GOOD
    assert DeliveryStream.live(Clients(), SCOPE, "eu-west-1", "gone") is None
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="g")
    assert Subscriptions.live(Clients(), SCOPE, "eu-west-1", "g") == []
    logs.put_subscription_filter(
        logGroupName="g",
        filterName="f",
        filterPattern="",
        destinationArn=firehose("good"),
        roleArn="arn:aws:iam::123456789012:role/r",
    )
    logs.put_account_policy(
        policyName="all-groups", policyType="SUBSCRIPTION_FILTER_POLICY", policyDocument=policy()["policyDocument"], scope="ALL"
    )
    found = Subscriptions.live(Clients(), SCOPE, "eu-west-1", "g")
    assert found == [Subscription("f", firehose("good"), ""), Subscription("all-groups", firehose("good"), "")]
    assert str(group_route("g", PLACE, Known(g=found))) == "log group g -> Firehose good -> s3://archive-api"
    assert Subscriptions.live(Clients(), SCOPE, "eu-west-1", "gone") == []
    logs.put_account_policy(policyName="odd", policyType="SUBSCRIPTION_FILTER_POLICY", policyDocument="{}", scope="ALL")
    with pytest.raises(RuleInputError, match="account-level subscription policy"):
        Subscriptions.live(Clients(), SCOPE, "eu-west-1", "g")


class Items:
    def __init__(self, *configurations: dict[str, object]) -> None:
        self.items = [{"configuration": configuration} for configuration in configurations]

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[dict[str, object]]:
        assert (resource_type, account_id, region) == ("AWS::KinesisFirehose::DeliveryStream", OWN, "eu-west-1")
        return self.items


def test_recorded_streams_answer_where_their_item_shows_the_bucket() -> None:
    shown = {"DeliveryStreamName": "good", "ExtendedS3DestinationConfiguration": {"BucketARN": "arn:aws:s3:::archive-api"}}
    hidden = {"DeliveryStreamName": "hidden"}
    items = Items(hidden, shown)
    assert DeliveryStream.recorded(items, SCOPE, "eu-west-1", "good") == GOOD
    assert DeliveryStream.recorded(items, SCOPE, "eu-west-1", "gone") is None
    with pytest.raises(NotAssessed, match="does not show its destination"):
        DeliveryStream.recorded(items, SCOPE, "eu-west-1", "hidden")
    with pytest.raises(NotAssessed, match="does not record the subscriptions"):
        Subscriptions.recorded(items, SCOPE, "eu-west-1", "g")


@pytest.mark.parametrize(
    ("arn", "told"),
    [
        ("arn:aws:firehose:eu-west-1", "arn:aws:firehose:eu-west-1: is no ARN of a destination"),
        ("urn:aws:s3:::archive-x", "urn:aws:s3:::archive-x: is no ARN of a destination"),
        ("", "nowhere: is no ARN of a destination"),
        (f"arn:aws:logs:eu-west-1:{OWN}:deliverystream/good", "may lead anywhere"),
        (f"arn:aws:firehose:eu-west-1:{OWN}:log-group:sent", "may lead anywhere"),
    ],
)
def test_what_only_looks_like_a_destination(arn: str, told: str) -> None:
    surroundings = Known(sent=[Subscription("s", firehose("good"), "")])
    found = route(arn, PLACE, surroundings)
    assert found.fault is not None
    assert told in found.told()


@pytest.mark.parametrize("member", ["selectionCriteria", "SelectionCriteria"])
def test_an_account_policy_keeps_its_pattern_and_its_criteria(member: str) -> None:
    document = json.dumps({"DestinationArn": firehose("good"), "FilterPattern": "ERROR"})
    policy = {"policyName": "p", "policyDocument": document, member: 'LogGroupName NOT IN ["out"]'}
    assert policy_subscription(policy, "in") == Subscription("p", firehose("good"), "ERROR")
    assert policy_subscription(policy, "out") is None
    without = {"policyName": "p", "policyDocument": json.dumps({"DestinationArn": firehose("good")})}
    assert policy_subscription(without, "in") == Subscription("p", firehose("good"), "")
