"""The members' stacks in the sandbox: what defaults and each parameter make, what a change of it does, what goes with a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.events.models import events_backends

from pci_config.catalogue import Catalogue, project_root
from pci_config.configuration_recorder import Recording, recorder_state, recording_gaps
from pci_config.event_forwarding import FORWARDER_ROLE
from pci_config.function_alarms import ALARMS
from pci_config.org_templates import member_global, member_regional
from pci_config.rdk_json import RdkJson
from pci_config.recorder_template import PACK_COMPLIANCE
from pci_config.recording_needs import needs
from pci_config.sandbox import services
from pci_config.sandbox.server import MotoServer

ROOT = project_root()
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json")
REGIONAL, GLOBAL = member_regional(RDK_JSON, needs(CATALOGUE)), member_global(CATALOGUE, RDK_JSON, {})
MEMBER, CENTRAL, HOME, OTHER = "600000000006", "200000000002", "eu-west-1", "eu-central-1"
BUS = f"arn:aws:events:{HOME}:{CENTRAL}:event-bus/pci-config"
PREFIX, KEY, ARCHIVE = "pci-config-artifacts-test", "bundles/x.zip", "card-issuer-config"
CODE = {"CodeBucketPrefix": PREFIX, "CodeKey": KEY}
RECORDED = {"Recorder": "create", "RecorderBucket": ARCHIVE}
NAMES = {REGIONAL: "pci-config-member-regional", GLOBAL: "pci-config-member-global"}


class Member:
    """One account with what its stacks need."""

    def __init__(self, server: MotoServer) -> None:
        self._server, self._has_roles = server, False
        for region in (HOME, OTHER, "us-east-1"):
            s3 = server.clients(CENTRAL, region).build_client("s3")
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=f"{PREFIX}-{region}", **where)
            s3.put_object(Bucket=f"{PREFIX}-{region}", Key=KEY, Body=b"PK\x05\x06" + bytes(18))

    def client(self, service: str, region: str = HOME, account: str = MEMBER) -> Any:
        return self._server.clients(account, region).build_client(service)

    def archive(self) -> None:
        where = {"LocationConstraint": HOME}
        self.client("s3", account=CENTRAL).create_bucket(Bucket=ARCHIVE, CreateBucketConfiguration=where)

    def bus(self) -> list[dict[str, Any]]:
        """The central bus; what arrives there is in the list."""
        self.client("events", account=CENTRAL).create_event_bus(Name="pci-config")
        arrived: list[dict[str, Any]] = []
        backend = events_backends[CENTRAL][HOME]
        put = backend.put_events
        backend.put_events = lambda events: [arrived.extend(events), put(events)][1]  # type: ignore[method-assign, func-returns-value]
        return arrived

    def put(self, template: str, region: str = HOME, change: bool = False, **parameters: str) -> str:
        if template == REGIONAL and not self._has_roles:
            self.put(GLOBAL)
        self._has_roles = True
        formation = self.client("cloudformation", region)
        given = {**CODE, **parameters} if template == REGIONAL else parameters
        (formation.update_stack if change else formation.create_stack)(
            StackName=NAMES[template],
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = formation.describe_stacks(StackName=NAMES[template])["Stacks"]
        return str(stack["StackStatus"])

    def made(self, template: str = REGIONAL, region: str = HOME) -> set[str]:
        found = self.client("cloudformation", region).describe_stack_resources(StackName=NAMES[template])["StackResources"]
        return {resource["LogicalResourceId"] for resource in found}

    def why(self, template: str = REGIONAL) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=NAMES[template])["StackEvents"]
        return " ".join(str(event.get("ResourceStatusReason")) for event in events)


@pytest.fixture
def member() -> Iterator[Member]:
    with MotoServer("in-process") as server:
        services.install(server)
        yield Member(server)


def test_defaults_make_function_log_switch_and_silent_alarms(member: Member) -> None:
    assert member.put(GLOBAL) == member.put(REGIONAL) == member.put(REGIONAL, OTHER) == "CREATE_COMPLETE"
    assert member.made(GLOBAL) == {"FunctionRole"}
    for region in (HOME, OTHER):
        assert member.made(region=region) == {"LogGroup", "Function", "Permission", "SwitchParameter", *ALARMS}
        alarms = member.client("cloudwatch", region).describe_alarms()["MetricAlarms"]
        assert len(alarms) == len(ALARMS)
        assert [alarm["AlarmActions"] for alarm in alarms] == [[]] * len(ALARMS)
        assert not member.client("config", region).describe_configuration_recorders()["ConfigurationRecorders"]
        assert not member.client("events", region).list_rules()["Rules"]
        (group,) = member.client("logs", region).describe_log_groups()["logGroups"]
        assert group["retentionInDays"] == 400
        concurrency = member.client("lambda", region).get_function_concurrency(FunctionName="pci-config-rules")
        assert "ReservedConcurrentExecutions" not in concurrency
        tags = member.client("ssm", region).list_tags_for_resource(
            ResourceType="Parameter", ResourceId="/pci-config/remediation"
        )["TagList"]
        assert tags == [{"Key": "pci-config", "Value": "managed"}]


def test_alarms_tell_the_topic_of_their_own_region(member: Member) -> None:
    for region in (HOME, OTHER):
        member.put(REGIONAL, region, AlarmTopic=f"{CENTRAL}:pci-config-alarms")
        for alarm in member.client("cloudwatch", region).describe_alarms()["MetricAlarms"]:
            assert alarm["AlarmActions"] == [f"arn:aws:sns:{region}:{CENTRAL}:pci-config-alarms"]
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": "pci-config-rules"}]


def test_concurrency_and_retention_come_and_go_by_parameter(member: Member) -> None:
    function, logs = member.client("lambda"), member.client("logs")

    def reserved() -> Any:
        return function.get_function_concurrency(FunctionName="pci-config-rules").get("ReservedConcurrentExecutions")

    member.put(REGIONAL, ReservedConcurrency="20", LogRetentionDays="731")
    assert (reserved(), logs.describe_log_groups()["logGroups"][0]["retentionInDays"]) == (20, 731)
    assert member.put(REGIONAL, change=True, ReservedConcurrency="5", LogRetentionDays="731") == "UPDATE_COMPLETE"
    assert reserved() == 5
    member.put(REGIONAL, change=True)
    assert (reserved(), logs.describe_log_groups()["logGroups"][0]["retentionInDays"]) == (None, 400)


# ------------------------------------------------------------------------------------------------------------ recorder


@pytest.mark.parametrize("region", [HOME, "us-east-1", OTHER])
def test_a_recorder_covers_in_its_region_what_the_rules_need_and_no_more(member: Member, region: str) -> None:
    member.archive()
    assert member.put(REGIONAL, region, **RECORDED) == "CREATE_COMPLETE"
    state = recorder_state(member.client("config", region))
    (recorder,) = state.recorders
    wanted = {name: need for name, need in needs(CATALOGUE).items() if need.applies(region, RDK_JSON.settings)}
    recording = Recording.of(recorder)
    assert recording_gaps(recording, wanted) == ([], [])
    assert recording.listed == {PACK_COMPLIANCE, *wanted}
    assert all(recording.continuously(name) for name in wanted)
    assert recorder["roleARN"] == f"arn:aws:iam::{MEMBER}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    assert state.statuses[0]["recording"] is True
    (channel,) = state.channels
    assert channel["s3BucketName"] == ARCHIVE
    assert channel["configSnapshotDeliveryProperties"] == {"deliveryFrequency": "TwentyFour_Hours"}


def test_a_recorder_comes_and_goes_by_parameter(member: Member) -> None:
    member.archive()
    config = member.client("config")
    member.put(REGIONAL)
    assert member.put(REGIONAL, change=True, **RECORDED) == "UPDATE_COMPLETE"
    assert len(config.describe_configuration_recorders()["ConfigurationRecorders"]) == 1
    member.put(REGIONAL, change=True)
    assert not config.describe_configuration_recorders()["ConfigurationRecorders"]
    assert not config.describe_delivery_channels()["DeliveryChannels"]


def test_an_account_whose_stack_went_gets_it_again(member: Member) -> None:
    """As StackSets do with an account that moves between organizational units."""
    member.archive()
    for _ in range(2):
        assert member.put(REGIONAL, **RECORDED, EventBus="none") == "CREATE_COMPLETE"
        member.client("cloudformation").delete_stack(StackName=NAMES[REGIONAL])
    assert not member.client("config").describe_configuration_recorders()["ConfigurationRecorders"]
    assert len(member.client("logs").describe_log_groups()["logGroups"]) == 2, "logs stay"


def test_a_recorder_without_a_bucket_fails_and_leaves_nothing(member: Member) -> None:
    assert member.put(REGIONAL, Recorder="create") == "ROLLBACK_COMPLETE"
    assert not member.client("config").describe_configuration_recorders()["ConfigurationRecorders"]


def test_a_second_recorder_is_refused_with_the_reason(member: Member) -> None:
    member.archive()
    role = f"arn:aws:iam::{MEMBER}:role/other"
    member.client("config").put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role})
    assert member.put(REGIONAL, **RECORDED) == "ROLLBACK_COMPLETE"
    assert "MaxNumberOfConfigurationRecordersExceeded" in member.why()
    (kept,) = member.client("config").describe_configuration_recorders()["ConfigurationRecorders"]
    assert kept["name"] == "default"


def test_the_recorders_role_is_made_once_and_stays(member: Member) -> None:
    iam = member.client("iam")
    assert member.put(GLOBAL, ConfigRole="create") == "CREATE_COMPLETE"
    assert iam.get_role(RoleName="AWSServiceRoleForConfig")["Role"]["Path"] == "/aws-service-role/config.amazonaws.com/"
    member.client("cloudformation").delete_stack(StackName=NAMES[GLOBAL])
    assert iam.get_role(RoleName="AWSServiceRoleForConfig")
    assert member.put(GLOBAL, ConfigRole="create") == "ROLLBACK_COMPLETE", "it is taken"
    assert "has been taken in this account" in member.why(GLOBAL)
    assert iam.get_role(RoleName="AWSServiceRoleForConfig"), "what was not made by this stack is not unmade"


# -------------------------------------------------------------------------------------------------------------- events


def test_events_reach_the_central_bus_of_another_account_and_region(member: Member) -> None:
    arrived = member.bus()
    member.put(GLOBAL, EventBus=BUS)
    for region in (HOME, OTHER):
        assert member.put(REGIONAL, region, EventBus=BUS) == "CREATE_COMPLETE"
        detail = json.dumps({"outcome": "changed", "region": region})
        for kind in ("PCI remediation", "PCI other"):
            entry = {"Source": "pci-config", "DetailType": kind, "Detail": detail}
            member.client("events", region).put_events(Entries=[entry])
    assert [(one["DetailType"], json.loads(one["Detail"])["region"]) for one in arrived] == [
        ("PCI remediation", HOME),
        ("PCI remediation", OTHER),
    ]
    role = member.client("iam").get_role(RoleName=FORWARDER_ROLE)["Role"]
    for rule in member.client("events", OTHER).list_rules()["Rules"]:
        (target,) = member.client("events", OTHER).list_targets_by_rule(Rule=rule["Name"])["Targets"]
        assert (target["Arn"], target["RoleArn"]) == (BUS, role["Arn"])
    policy = member.client("iam").get_role_policy(RoleName=FORWARDER_ROLE, PolicyName="forward")["PolicyDocument"]
    assert [statement["Resource"] for statement in policy["Statement"]] == [BUS]


def test_forwarding_comes_and_goes_by_parameter(member: Member) -> None:
    member.bus()
    for change, bus, rules in ((False, "none", 0), (True, BUS, 3), (True, "none", 0)):
        member.put(GLOBAL, change=change, EventBus=bus)
        member.put(REGIONAL, change=change, EventBus=bus)
        assert len(member.client("events").list_rules()["Rules"]) == rules
        assert ("EventForwarderRole" in member.made(GLOBAL)) == bool(rules)
