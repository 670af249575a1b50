"""Systems Manager Automation over its API in the sandbox: who may be acted for, who approves, what is told, how many run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox import ssm_service
from pci_config.sandbox.automation_clock import Clock
from pci_config.sandbox.server import MotoServer

ACCOUNT, MEMBER, REGION = "123456789012", "210987654321", "eu-west-1"
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"
QUEUE = "inputs: {Service: sqs, Api: CreateQueue, QueueName: '{{ Name }}'}"
DOCUMENT = f"""
schemaVersion: '0.3'
assumeRole: "{{{{ AutomationAssumeRole }}}}"
parameters:
  AutomationAssumeRole: {{type: String, default: ''}}
  Name: {{type: String, default: made}}
mainSteps:
- {{name: Make, action: "aws:executeAwsApi", maxAttempts: 2, onFailure: "step:Never", {QUEUE}, nextStep: Ask}}
- name: Ask
  action: aws:approve
  timeoutSeconds: 86400
  inputs: {{Approvers: [APPROVERS], MinRequiredApprovals: 1}}
- {{name: After, action: "aws:sleep", inputs: {{Duration: PT1M}}, isEnd: true}}
- {{name: Never, action: "aws:sleep", inputs: {{Duration: PT1S}}, isCritical: false}}
outputs: [Ask.ApprovalStatus]
"""
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "ssm.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{ACCOUNT}:automation-execution/*"},
    },
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        ssm_service.install(started.session_for_role, clock)
        yield started


@pytest.fixture
def ssm(server: MotoServer) -> Any:
    client = server.clients(ACCOUNT, REGION).build_client("ssm")
    create(client)
    return client


def create(client: Any, approvers: str = ADMINISTRATOR) -> None:
    content = DOCUMENT.replace("APPROVERS", approvers)
    client.create_document(Name="AskFirst", DocumentType="Automation", DocumentFormat="YAML", Content=content)


def start(client: Any, **parameters: str) -> str:
    given = {name: [value] for name, value in parameters.items()}
    found: str = client.start_automation_execution(DocumentName="AskFirst", Parameters=given)["AutomationExecutionId"]
    return found


def told(client: Any, execution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_automation_execution(AutomationExecutionId=execution_id)["AutomationExecution"]
    return found


def role(server: MotoServer, *statements: dict[str, Any], account: str = ACCOUNT) -> str:
    iam = server.clients(account, REGION).build_client("iam")
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return str(iam.create_role(RoleName="fix", AssumeRolePolicyDocument=policy)["Role"]["Arn"])


def conditioned(operator: str, **values: str) -> dict[str, Any]:
    return {**TRUST, "Condition": {operator: {f"aws:{name}": value for name, value in values.items()}}}


@pytest.mark.parametrize(
    ("statements", "assumed"),
    [
        ([TRUST], True),
        ([{**TRUST, "Condition": {}}], True),
        ([{**TRUST, "Principal": {"Service": ["ec2.amazonaws.com", "ssm.amazonaws.com"]}}], True),
        ([{**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}], False),
        ([{**TRUST, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}], False),
        ([{**TRUST, "Action": "sts:TagSession"}], False),
        ([conditioned("StringEquals", SourceAccount=MEMBER)], False),
        ([conditioned("ArnLike", SourceArn=f"arn:aws:ssm:us-east-1:{ACCOUNT}:automation-execution/*")], False),
        ([conditioned("ArnLike", SourceArn=f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/*")], False),
        ([conditioned("ArnLike", SourceArn=f"arn:aws:ssm:{REGION}:{ACCOUNT}:*")], True),
        ([conditioned("StringEquals", PrincipalOrgID="o-1")], False),
        ([TRUST, {**TRUST, "Effect": "Deny"}], False),
        ([TRUST, {**TRUST, "Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], False),
    ],
)  # fmt: skip
def test_the_trust_policy_decides_whether_an_execution_starts(
    server: MotoServer, ssm: Any, statements: list[dict[str, Any]], assumed: bool
) -> None:
    """User guide, "Use IAM to configure roles for Automation" and "Troubleshooting Systems Manager Automation"."""
    arn = role(server, *statements)
    if assumed:
        assert told(ssm, start(ssm, AutomationAssumeRole=arn))["AutomationExecutionStatus"] == "Waiting"
    else:
        with pytest.raises(ClientError, match=r"InvalidAutomationExecutionParametersException.*unable to be assumed"):
            start(ssm, AutomationAssumeRole=arn)
        assert ssm.describe_automation_executions()["AutomationExecutionMetadataList"] == []


def test_a_role_that_is_missing_malformed_or_of_another_account(server: MotoServer, ssm: Any) -> None:
    """Same source; iam:PassRole passes roles of its own account only."""
    with pytest.raises(ClientError, match="unable to be assumed"):
        start(ssm, AutomationAssumeRole=f"arn:aws:iam::{ACCOUNT}:role/missing")
    with pytest.raises(ClientError, match="format of the supplied assume role ARN is invalid"):
        start(ssm, AutomationAssumeRole="fix")
    with pytest.raises(ClientError, match="unable to be assumed"):
        start(ssm, AutomationAssumeRole=role(server, TRUST, account=MEMBER))


def test_a_role_that_is_deleted_while_an_approval_is_awaited(server: MotoServer, ssm: Any) -> None:
    execution_id = start(ssm, AutomationAssumeRole=role(server, TRUST))
    server.clients(ACCOUNT, REGION).build_client("iam").delete_role(RoleName="fix")
    ssm.send_automation_signal(AutomationExecutionId=execution_id, SignalType="Approve")
    found = told(ssm, execution_id)
    assert (found["AutomationExecutionStatus"], found["FailureMessage"]) == (
        "Failed",
        "The defined assume role is unable to be assumed.",
    )


@pytest.mark.parametrize(
    ("approver", "may"),
    [
        ("alice", True),
        (f"arn:aws:iam::{ACCOUNT}:user/alice", True),
        ("bob", False),
        (f"arn:aws:iam::{MEMBER}:user/alice", False),
        (ADMINISTRATOR, False),
    ],
)
def test_a_user_approves_by_name_or_arn(server: MotoServer, approver: str, may: bool) -> None:
    """User guide, aws:approve, Approvers: user name, user ARN, role ARN, assumed-role ARN."""
    administrator = server.clients(ACCOUNT, REGION)
    create(administrator.build_client("ssm"), approver)
    execution_id = start(administrator.build_client("ssm"))
    iam = administrator.build_client("iam")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = boto3.client("ssm", REGION, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    if may:
        alice.send_automation_signal(AutomationExecutionId=execution_id, SignalType="Approve")
    else:
        with pytest.raises(ClientError, match=r"InvalidAutomationSignalException.*alice is no approver"):
            alice.send_automation_signal(AutomationExecutionId=execution_id, SignalType="Approve")
    assert told(alice, execution_id)["AutomationExecutionStatus"] == ("Success" if may else "Waiting")


@pytest.mark.parametrize("session", ["", "/sandbox"])
def test_a_role_approves_by_its_arn_or_its_sessions(server: MotoServer, session: str) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/OrganizationAccountAccessRole{session}" if session else ADMINISTRATOR
    client = server.clients(ACCOUNT, REGION).build_client("ssm")
    create(client, arn)
    execution_id = start(client)
    client.send_automation_signal(AutomationExecutionId=execution_id, SignalType="Approve")
    assert told(client, execution_id)["AutomationExecutionStatus"] == "Success"


def test_what_is_told_of_an_execution(ssm: Any, clock: Clock) -> None:
    """API reference, AutomationExecution and StepExecution."""
    execution_id = start(ssm, Name="told")
    waiting = told(ssm, execution_id)
    assert (waiting["CurrentStepName"], waiting["CurrentAction"]) == ("Ask", "aws:approve")
    assert "ExecutionEndTime" not in waiting
    assert [step["StepStatus"] for step in waiting["StepExecutions"]] == ["Success", "Waiting", "Pending", "Pending"]
    clock.sleep(3600)
    ssm.send_automation_signal(AutomationExecutionId=execution_id, SignalType="Approve")

    found = told(ssm, execution_id)
    assert found["AutomationExecutionStatus"] == "Success"
    assert (found["DocumentName"], found["DocumentVersion"], found["Parameters"]) == ("AskFirst", "1", {"Name": ["told"]})
    assert found["ExecutedBy"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/OrganizationAccountAccessRole/sandbox"
    assert found["Outputs"] == {"Ask.ApprovalStatus": ["Approved"]}
    assert "CurrentStepName" not in found
    assert "FailureMessage" not in found
    make, ask, after, never = found["StepExecutions"]
    assert (make["MaxAttempts"], make["OnFailure"], make["TimeoutSeconds"], make["NextStep"]) == (2, "step:Never", 3600, "Ask")
    assert make["Inputs"] == {"Service": '"sqs"', "Api": '"CreateQueue"', "QueueName": '"told"'}
    assert (ask["TimeoutSeconds"], ask["Outputs"]["ApprovalStatus"]) == (86400, ["Approved"])
    assert round((ask["ExecutionEndTime"] - ask["ExecutionStartTime"]).total_seconds()) == 3600
    assert round((after["ExecutionEndTime"] - after["ExecutionStartTime"]).total_seconds()) == 60
    assert round((found["ExecutionEndTime"] - found["ExecutionStartTime"]).total_seconds()) == 3660
    assert (after["IsEnd"], after["IsCritical"], never["IsCritical"]) == (True, True, False)
    assert never["StepStatus"] == "Pending", "a step that was never reached"
    assert not {"ExecutionStartTime", "ExecutionEndTime"} & set(never)
    assert len({step["StepExecutionId"] for step in found["StepExecutions"]}) == 4
    steps = ssm.describe_automation_step_executions(AutomationExecutionId=execution_id)["StepExecutions"]
    assert [step["StepStatus"] for step in steps] == ["Success", "Success", "Success", "Pending"]


def test_what_is_told_of_a_failure(ssm: Any) -> None:
    content = DOCUMENT.replace("CreateQueue, QueueName", "DeleteQueue, QueueUrl").replace("APPROVERS", "a")
    ssm.update_document(Name="AskFirst", Content=content, DocumentFormat="YAML", DocumentVersion="$LATEST")
    ssm.update_document_default_version(Name="AskFirst", DocumentVersion="2")
    found = told(ssm, start(ssm, Name="https://sqs.eu-west-1.amazonaws.com/123456789012/none"))
    make, never, *_ = found["StepExecutions"]
    assert (found["AutomationExecutionStatus"], found["DocumentVersion"]) == ("Failed", "2")
    assert found["FailureMessage"].startswith("step Make: ")
    assert (make["StepStatus"], never["StepName"], never["StepStatus"]) == ("Failed", "Never", "Success")
    assert "DeleteQueue" in make["FailureMessage"]
    assert "FailureMessage" not in never


def test_an_approval_times_out_and_is_stopped_by_whoever_looks(ssm: Any, clock: Clock) -> None:
    execution_id = start(ssm)
    clock.sleep(86401)
    found = told(ssm, execution_id)
    assert (found["AutomationExecutionStatus"], found["StepExecutions"][1]["StepStatus"]) == ("TimedOut", "TimedOut")
    with pytest.raises(ClientError, match="InvalidAutomationStatusUpdateException"):
        ssm.stop_automation_execution(AutomationExecutionId=execution_id)
    second = start(ssm, Name="second")
    ssm.stop_automation_execution(AutomationExecutionId=second)
    assert told(ssm, second)["AutomationExecutionStatus"] == "Cancelled"


def test_executions_are_found_by_their_filters(ssm: Any) -> None:
    """API reference, AutomationExecutionFilter; the newest come first."""
    first, second = start(ssm), start(ssm, Name="second")
    ssm.send_automation_signal(AutomationExecutionId=first, SignalType="Approve")

    def found(key: str, value: str) -> list[str]:
        answer = ssm.describe_automation_executions(Filters=[{"Key": key, "Values": [value]}])
        return [each["AutomationExecutionId"] for each in answer["AutomationExecutionMetadataList"]]

    assert found("DocumentNamePrefix", "Ask") == [second, first]
    assert found("DocumentNamePrefix", "First") == []
    assert found("ExecutionStatus", "Waiting") == [second]
    assert found("ExecutionId", first) == [first]
    assert found("CurrentAction", "aws:approve") == [second]
    with pytest.raises(ClientError, match="InvalidFilterKey"):
        found("TagKey", "x")


def test_an_execution_is_started_once_for_each_client_token(ssm: Any) -> None:
    """API reference, StartAutomationExecution, ClientToken."""
    asked: dict[str, Any] = {"DocumentName": "AskFirst", "ClientToken": "11111111-2222-4333-8444-555555555555"}
    once, again = (ssm.start_automation_execution(**asked)["AutomationExecutionId"] for _ in range(2))
    assert once == again
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ssm.start_automation_execution(**asked, Parameters={"Name": ["other"]})


def test_how_many_run_and_wait_in_the_queue(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """User guide, "Automation quota" and "Automation queue quota": what waits for approval counts."""
    assert (ssm_service.MAX_RUNNING, ssm_service.MAX_QUEUED) == (100, 1000)
    monkeypatch.setattr(ssm_service, "MAX_RUNNING", 2)
    monkeypatch.setattr(ssm_service, "MAX_QUEUED", 1)
    first, second, third = (start(ssm, Name=f"q{n}") for n in range(3))
    assert [told(ssm, each)["AutomationExecutionStatus"] for each in (first, second, third)] == [
        "Waiting",
        "Waiting",
        "Pending",
    ]
    assert {step["StepStatus"] for step in told(ssm, third)["StepExecutions"]} == {"Pending"}
    with pytest.raises(ClientError, match=r"AutomationExecutionLimitExceededException.*2 executions run, 1 are queued"):
        start(ssm)
    ssm.send_automation_signal(AutomationExecutionId=first, SignalType="Reject")
    assert told(ssm, third)["AutomationExecutionStatus"] == "Waiting", "the first of the queue began"
