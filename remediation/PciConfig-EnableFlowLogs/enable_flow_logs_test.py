"""PciConfig-EnableFlowLogs: one flow log more, to the archive, and nobody's flow log less."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.vpcs import VPC

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.catalogue import Catalogue, project_root
from pci_config.items import new_item
from pci_config.rule import LiveFacts, Scope
from pci_config.runbook import Refused
from pci_config.sandbox import logs_service
from pci_config.settings import Settings
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-EnableFlowLogs"
script = load_script(DOCUMENT)
ARCHIVE, SECOND, TEAM = "card-issuer-log-archive-flow-eu-west-1", "card-issuer-log-archive-other", "team-logs"
SETTINGS = {"LogArchive": {"Account": "300000000003", "Buckets": ["card-issuer-log-archive-*"]}}
VPC_TAGS = [{"Key": "pci:scope", "Value": "cde"}]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/logs"
CATALOGUE = Catalogue.load(project_root())
Log = dict[str, str]


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def vpc(*logs: Log, tags: Any = VPC_TAGS, **parameters: str) -> dict[str, str]:
    """A VPC with these flow logs; the document's parameters for it."""
    logs_service.install()
    there = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
    for name in {ARCHIVE, SECOND, TEAM} - there:
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    made = client("ec2").create_vpc(
        CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}] if tags else []
    )["Vpc"]["VpcId"]
    for log in logs:
        record(made, **log)
    return {"ResourceId": made, "ArchiveBucket": ARCHIVE, **parameters}


def record(vpc_id: str, bucket: str = "", group: str = "", traffic: str = "ALL", **members: str) -> str:
    where = (
        {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{bucket}"}
        if bucket
        else {"LogGroupName": group, "DeliverLogsPermissionArn": ROLE}
    )
    (made,) = client("ec2").create_flow_logs(ResourceIds=[vpc_id], ResourceType="VPC", TrafficType=traffic, **where)[
        "FlowLogIds"
    ]
    for name, value in members.items():
        setattr(ec2_backends[ACCOUNT][REGION].flow_logs[made], name, value)
    return str(made)


def group(bucket: str = "", pattern: str = "", name: str = "flow") -> Log:
    """A log group, subscribed by a stream to the bucket if one is given."""
    client("logs").create_log_group(logGroupName=name)
    if bucket:
        client("iam").create_role(RoleName="logs", AssumeRolePolicyDocument="{}")
        s3 = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{bucket}"}
        arn = client("firehose").create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=s3)
        client("logs").put_subscription_filter(
            logGroupName=name, filterName="all", filterPattern=pattern, destinationArn=arn["DeliveryStreamARN"], roleArn=ROLE
        )
    return {"group": name}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "no flow log": vpc,
    "to another bucket": lambda: vpc({"bucket": TEAM}),
    "rejected traffic only": lambda: vpc({"bucket": SECOND, "traffic": "REJECT"}),
    "accepted traffic, rejected wanted": lambda: vpc({"bucket": SECOND, "traffic": "ACCEPT"}, TrafficType="REJECT"),
    "delivery fails": lambda: vpc({"bucket": SECOND, "deliver_logs_status": "FAILED"}),
    "not active": lambda: vpc({"bucket": SECOND, "flow_log_status": "INACTIVE"}),
    "a log group that stays": lambda: vpc(group()),
    "a log group that does not exist": lambda: vpc({"group": "gone"}),
    "a log group that ends elsewhere": lambda: vpc(group(TEAM)),
    "several that all miss": lambda: vpc({"bucket": TEAM}, group(ARCHIVE, "REJECT"), {"bucket": SECOND, "traffic": "ACCEPT"}),
}


def flow_logs(vpc_id: str) -> dict[str, dict[str, Any]]:
    """Everything that EC2 tells of the VPC's flow logs, by id."""
    found = client("ec2").describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc_id]}])["FlowLogs"]
    return {log["FlowLogId"]: log for log in found}


def verdict(vpc_id: str, traffic: str = "ALL") -> tuple[str, str]:
    """The rule's, live."""
    now, settings = datetime(2026, 11, 1, tzinfo=UTC), Settings.from_mapping(SETTINGS)
    item = new_item(
        account_id=ACCOUNT, region=REGION, resource_type="AWS::EC2::VPC", resource_id=vpc_id,
        configuration={"vpcId": vpc_id}, supplementary={}, capture_time=now,
    )  # fmt: skip
    rule = CATALOGUE.rules["PCI_FLOW_LOG_DELIVERED"].rule_class(settings)

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            assert region in (None, REGION)
            return client(service)

    facts = LiveFacts(Clients(), Scope(ACCOUNT, REGION, now, settings))
    finding = rule.decide(item, rule.evaluate_parameters({"TrafficType": traffic}), facts)
    return finding.compliance, finding.annotation


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{**parameters, **changes})


def restored(result: dict[str, Any], parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), ResourceId=parameters["ResourceId"], **changes)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    vpc_id, traffic = parameters["ResourceId"], parameters.get("TrafficType", "ALL")
    before = flow_logs(vpc_id)
    assert verdict(vpc_id, traffic)[0] == "NON_COMPLIANT"
    dry = run(parameters, DryRun="true")
    assert (dry["Outcome"], flow_logs(vpc_id)) == ("dry-run", before)
    result = run(parameters)
    after = flow_logs(vpc_id)
    assert result["Outcome"] == "changed"
    assert verdict(vpc_id, traffic)[0] == "COMPLIANT"
    (made,) = set(after) - set(before)
    assert {name: log for name, log in after.items() if name != made} == before
    assert after[made]["LogDestination"] == f"arn:aws:s3:::{ARCHIVE}"
    assert (after[made]["LogDestinationType"], after[made]["TrafficType"]) == ("s3", traffic)
    assert after[made]["Tags"] == [{"Key": "pci:created-by", "Value": f"{DOCUMENT}/{execution_of(result)}"}]
    assert (run(parameters)["Outcome"], flow_logs(vpc_id)) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_deletes_exactly_what_the_fix_made(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = flow_logs(parameters["ResourceId"])
    result = run(parameters)
    after = flow_logs(parameters["ResourceId"])
    dry = restored(result, parameters, DryRun="true")
    assert (dry["Outcome"], flow_logs(parameters["ResourceId"])) == ("dry-run", after)
    (call,) = json.loads(dry["Calls"])
    assert call["parameters"] == {"FlowLogIds": sorted(set(after) - set(before))}
    assert (restored(result, parameters)["Outcome"], flow_logs(parameters["ResourceId"])) == ("changed", before)
    assert restored(result, parameters)["Outcome"] == "compliant"


@pytest.mark.parametrize(
    "arrange",
    [
        lambda: vpc({"bucket": ARCHIVE}),
        lambda: vpc({"bucket": SECOND, "deliver_logs_status": None}),
        lambda: vpc(group(SECOND)),
        lambda: vpc({"bucket": TEAM}, {"bucket": SECOND}),
        lambda: vpc({"bucket": ARCHIVE, "traffic": "REJECT"}, TrafficType="REJECT"),
        lambda: vpc({"bucket": ARCHIVE}, TrafficType="REJECT"),
    ],
)
def test_a_vpc_that_is_right_is_left_alone(arrange: Callable[[], dict[str, str]]) -> None:
    parameters = arrange()
    before = flow_logs(parameters["ResourceId"])
    assert (run(parameters)["Outcome"], flow_logs(parameters["ResourceId"])) == ("compliant", before)


def test_what_rdk_json_vouches_for_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = f"arn:aws:firehose:{REGION}:300000000003:deliverystream/flow"
    parameters = vpc({"bucket": TEAM, "log_destination_type": "kinesis-data-firehose", "log_destination": trusted})
    assert "cannot be looked into" in run(parameters, DryRun="true")["Message"]
    archive = {**SETTINGS["LogArchive"], "TrustedDestinations": [trusted]}
    monkeypatch.setattr(script, "SETTINGS", {"LogArchive": archive})
    assert run(parameters)["Outcome"] == "compliant"


def test_the_summary_says_what_is_wrong_with_the_nearest() -> None:
    parameters = vpc({"bucket": TEAM, "traffic": "REJECT"}, {"bucket": SECOND, "traffic": "REJECT"})
    message = run(parameters, DryRun="true")["Message"]
    assert f"record ALL traffic of {parameters['ResourceId']} in {ARCHIVE} (flow log fl-" in message
    assert "records REJECT traffic, expected ALL)" in message
    assert "has no flow log)" in run(vpc(), DryRun="true")["Message"]


def test_the_same_execution_makes_no_second_one() -> None:
    parameters, execution = vpc(), "11111111-2222-4333-8444-555555555555"
    (call,) = json.loads(run(parameters, DryRun="true", ExecutionId=execution)["Calls"])
    assert call["parameters"]["ClientToken"] == execution
    first, second = (client("ec2").create_flow_logs(**call["parameters"])["FlowLogIds"] for _ in range(2))
    assert first == second == list(flow_logs(parameters["ResourceId"]))


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ArchiveBucket": TEAM}, r"team-logs is no archive bucket \(card-issuer-log-archive-\*\)"),
        ({"ArchiveBucket": "none"}, "none is no archive bucket"),
        ({"ArchiveBucket": "card-issuer-log-archive-missing"}, "card-issuer-log-archive-missing does not exist"),
        ({"TrafficType": "ACCEPT"}, "TrafficType is 'ACCEPT'; expected ALL or REJECT"),
        ({"ResourceId": "subnet-0123456789abcdef0"}, "subnet-0123456789abcdef0 is no id of a VPC or flow log"),
        ({"DryRun": ""}, "DryRun is ''"),
        ({"AllowManaged": "perhaps"}, "AllowManaged is 'perhaps'"),
        ({"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = vpc({"bucket": TEAM})
    before = flow_logs(parameters["ResourceId"])
    with pytest.raises(Refused, match=message):
        run(parameters, **changes)
    assert flow_logs(parameters["ResourceId"]) == before


@pytest.mark.parametrize("settings", [{}, {"LogArchive": {"Account": "300000000003"}}])
def test_a_document_without_archive_is_refused(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", settings)
    with pytest.raises(Refused, match=r"built without LogArchive\.Buckets"):
        run(vpc())


@pytest.mark.parametrize("code", ["403", "400", "301"])
def test_a_bucket_that_exists_elsewhere_is_left_to_ec2_to_check(code: str) -> None:
    parameters = vpc()
    with answering(HeadBucket=code):
        assert run(parameters)["Outcome"] == "changed"


@pytest.mark.parametrize("code", ["404", "NoSuchBucket"])
def test_no_bucket_is_no_destination(code: str) -> None:
    parameters = vpc()
    with answering(HeadBucket=code), pytest.raises(Refused, match=f"{ARCHIVE} does not exist"):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == {}


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ([{"Key": "terraform", "Value": "true"}], "Terraform"),
        ([{"Key": "aws:cloudformation:stack-name", "Value": "network"}], "CloudFormation stack network"),
    ],
)
def test_a_managed_vpc_is_mended_in_its_template(tags: Any, owner: str) -> None:
    parameters = vpc()
    ec2_backends[ACCOUNT][REGION].create_tags([parameters["ResourceId"]], {tag["Key"]: tag["Value"] for tag in tags})
    with pytest.raises(Refused, match=f"managed by {owner}"):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == {}
    assert run(parameters, AllowManaged="true")["Outcome"] == "changed"


def test_a_shared_vpc_is_its_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = vpc()
    monkeypatch.setattr(VPC, "owner_id", "600000000006")
    with pytest.raises(Refused, match="is a VPC of 600000000006, shared"):
        run(parameters)


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ({"deliver_logs_status": "FAILED", "deliver_logs_error_message": "Access error"}, "delivery fails .Access error"),
        ({"flow_log_status": "INACTIVE"}, "is INACTIVE, expected ACTIVE"),
        ({"log_destination": f"arn:aws:s3:::{ARCHIVE}/", "flow_log_status": "INACTIVE"}, "is INACTIVE"),
    ],
)
def test_no_second_flow_log_beside_one_that_goes_there_already(log: Log, fault: str) -> None:
    parameters = vpc({"bucket": TEAM}, {"bucket": ARCHIVE, **log})
    before = flow_logs(parameters["ResourceId"])
    with pytest.raises(Refused, match=rf"{fault}.*goes to {ARCHIVE} already: mend what keeps it from arriving"):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == before


def test_other_traffic_to_the_same_bucket_is_for_ec2_to_refuse() -> None:
    """moto takes no second flow log to one bucket, whatever its traffic."""
    parameters = vpc({"bucket": ARCHIVE, "traffic": "REJECT"})
    before = flow_logs(parameters["ResourceId"])
    with pytest.raises(RuntimeError, match=r"FlowLogAlreadyExists.*done before that: nothing.*still needs"):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == before


@pytest.mark.parametrize("member", ["flow_log_status", "traffic_type", "log_destination_type", "log_destination"])
def test_a_flow_log_that_does_not_say_is_refused(member: str) -> None:
    parameters = vpc({"bucket": TEAM, member: ""})
    with pytest.raises(Refused, match="is not understood: AWS::EC2::FlowLog: "):
        run(parameters)


def test_a_subscription_policy_that_is_not_understood_is_refused() -> None:
    parameters = vpc(group())
    document = json.dumps({"DestinationArn": "arn:aws:firehose:x", "FilterPattern": ""})
    client("logs").put_account_policy(
        policyName="odd",
        policyType="SUBSCRIPTION_FILTER_POLICY",
        policyDocument=document,
        selectionCriteria="LogGroupName LIKE 'x'",
    )
    with pytest.raises(Refused, match="account-level subscription policy: selection criteria"):
        run(parameters)


@pytest.mark.parametrize(
    "operation", ["DescribeSubscriptionFilters", "DescribeDeliveryStream", "DescribeFlowLogs", "DescribeVpcs"]
)
def test_what_cannot_be_read_is_no_reason_to_act(operation: str) -> None:
    parameters = vpc(group(TEAM))
    before = flow_logs(parameters["ResourceId"])
    with answering(**{operation: "AccessDeniedException"}), pytest.raises(ClientError):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == before


def test_a_stream_that_is_gone_leads_nowhere() -> None:
    parameters = vpc(group(SECOND))
    client("firehose").delete_delivery_stream(DeliveryStreamName="flow")
    assert "does not exist" in run(parameters, DryRun="true")["Message"]


# ----------------------------------------------------------------------------------- failures, deletion, two at once


def test_what_ec2_could_not_do_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """CreateFlowLogs tells it in a successful answer."""
    parameters = vpc()
    call = botocore.client.BaseClient._make_api_call
    # between the check of the bucket and the call, the bucket is deleted

    def make_api_call(self: Any, operation: str, given: Any) -> Any:
        if operation == "CreateFlowLogs":
            client("s3").delete_bucket(Bucket=ARCHIVE)
        return call(self, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    with pytest.raises(RuntimeError, match=rf"create_flow_logs failed.*{ARCHIVE} does not exist.*done before that: nothing"):
        run(parameters)
    assert flow_logs(parameters["ResourceId"]) == {}


@pytest.mark.parametrize("parsed", [{}, {"Unsuccessful": []}, {"Unsuccessful": None}])
def test_an_answer_without_failures_is_a_success(parsed: dict[str, Any]) -> None:
    script.raise_unsuccessful(parsed=parsed, model=None)


def test_a_failure_without_reason_is_one_too() -> None:
    class Model:
        name = "DeleteFlowLogs"

    with pytest.raises(ClientError, match=r"\(Unsuccessful\).*DeleteFlowLogs.*no reason given"):
        script.raise_unsuccessful(parsed={"Unsuccessful": [{"ResourceId": "fl-1"}]}, model=Model)


def while_calling(monkeypatch: pytest.MonkeyPatch, operation: str, meanwhile: Callable[[], Any]) -> None:
    """Do something just before the first call of that operation."""
    call = botocore.client.BaseClient._make_api_call
    waiting = [meanwhile]

    def make_api_call(self: Any, name: str, given: Any) -> Any:
        if name == operation and waiting:
            waiting.pop()()
        return call(self, name, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)


def test_two_runs_at_once_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = vpc({"bucket": TEAM})
    first: list[dict[str, Any]] = []
    while_calling(monkeypatch, "CreateFlowLogs", lambda: first.append(run(parameters)))
    second = run(parameters)
    assert (first[0]["Outcome"], second["Outcome"]) == ("changed", "compliant")
    assert "is right meanwhile" in second["Message"]
    assert len(flow_logs(parameters["ResourceId"])) == 2


def test_a_vpc_that_is_deleted_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = vpc()
    while_calling(monkeypatch, "CreateFlowLogs", lambda: client("ec2").delete_vpc(VpcId=parameters["ResourceId"]))
    result = run(parameters)
    assert (result["Outcome"], result["Changed"]) == ("gone", False)


def test_a_vpc_or_flow_log_that_is_gone() -> None:
    parameters = vpc()
    client("ec2").delete_vpc(VpcId=parameters["ResourceId"])
    assert run(parameters)["Outcome"] == "gone"
    assert run(parameters, ResourceId="fl-0123456789abcdef0")["Outcome"] == "gone"
    with answering(DescribeFlowLogs="InvalidFlowLogId.NotFound"):
        assert run(parameters, ResourceId="fl-0123456789abcdef0")["Outcome"] == "gone"


def test_a_flow_log_by_itself_is_judged_only() -> None:
    good, failing = (
        {"bucket": TEAM},
        {"bucket": SECOND, "deliver_logs_status": "FAILED", "deliver_logs_error_message": "Access error"},
    )
    parameters = vpc()
    fine, broken = (record(parameters["ResourceId"], **log) for log in (good, failing))
    before = flow_logs(parameters["ResourceId"])
    assert run(parameters, ResourceId=fine)["Outcome"] == "compliant"
    with pytest.raises(Refused, match=rf"{broken} to arn:aws:s3:::{SECOND}: delivery fails \(Access error\); mend the policy"):
        run(parameters, ResourceId=broken)
    assert flow_logs(parameters["ResourceId"]) == before


# ------------------------------------------------------------------------------------------------------------ restore


def added(parameters: dict[str, str]) -> Any:
    return record(parameters["ResourceId"], SECOND)


def removed(parameters: dict[str, str]) -> Any:
    team = [name for name, log in flow_logs(parameters["ResourceId"]).items() if TEAM in log["LogDestination"]]
    client("ec2").delete_flow_logs(FlowLogIds=team)


@pytest.mark.parametrize("change", [added, removed])
def test_a_restore_refuses_what_changed_since(change: Callable[[dict[str, str]], Any]) -> None:
    parameters = vpc({"bucket": TEAM})
    result = run(parameters)
    change(parameters)
    after = flow_logs(parameters["ResourceId"])
    with pytest.raises(Refused, match="was changed after"):
        restored(result, parameters)
    assert flow_logs(parameters["ResourceId"]) == after


@pytest.mark.parametrize("change", [added, removed])
def test_a_restore_refuses_what_others_did_meanwhile(
    change: Callable[[dict[str, str]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = vpc({"bucket": TEAM})
    while_calling(monkeypatch, "CreateFlowLogs", partial(change, parameters))
    result = run(parameters)
    assert result["Outcome"] == "changed"
    after = flow_logs(parameters["ResourceId"])
    with pytest.raises(Refused, match=rf"not everything that changed was done by {DOCUMENT}/.*fl-.*delete by hand"):
        restored(result, parameters)
    assert flow_logs(parameters["ResourceId"]) == after


@pytest.mark.parametrize("value", [f"{DOCUMENT}/another-execution", ""])
def test_a_restore_knows_its_own_by_the_tag(value: str) -> None:
    parameters = vpc()
    result = run(parameters)
    (made,) = flow_logs(parameters["ResourceId"])
    client("ec2").delete_tags(Resources=[made], Tags=[{"Key": "pci:created-by"}])
    if value:
        client("ec2").create_tags(Resources=[made], Tags=[{"Key": "pci:created-by", "Value": value}])
    with pytest.raises(Refused, match=rf"not everything .*\({made}\)"):
        restored(result, parameters)
    assert list(flow_logs(parameters["ResourceId"])) == [made]


def test_a_status_that_changes_by_itself_does_not_stop_a_restore() -> None:
    parameters = vpc({"bucket": TEAM, "deliver_logs_status": None})
    result = run(parameters)
    for log in ec2_backends[ACCOUNT][REGION].flow_logs.values():
        log.deliver_logs_status, log.deliver_logs_error_message = "FAILED", "Access error"
    assert restored(result, parameters)["Outcome"] == "changed"


def test_a_restore_of_a_vpc_that_is_gone_is_refused() -> None:
    parameters = vpc()
    result = run(parameters)
    client("ec2").delete_flow_logs(FlowLogIds=list(flow_logs(parameters["ResourceId"])))
    client("ec2").delete_vpc(VpcId=parameters["ResourceId"])
    with pytest.raises(Refused, match="no longer exists"):
        restored(result, parameters)


def test_a_deletion_that_ec2_could_not_do_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = vpc()
    result = run(parameters)
    failing = [{"ResourceId": "fl", "Error": {"Code": "InternalError", "Message": "try again"}}]
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(self: Any, operation: str, given: Any) -> Any:
        if operation == "DeleteFlowLogs":
            self.meta.events.emit(
                "after-call.ec2.DeleteFlowLogs",
                parsed={"Unsuccessful": failing}, http_response=None, context={},
                model=self.meta.service_model.operation_model(operation),
            )  # fmt: skip
        return call(self, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    with pytest.raises(RuntimeError, match=r"InternalError.*try again"):
        restored(result, parameters)
