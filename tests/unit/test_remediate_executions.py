"""What Systems Manager and AWS Config answer, in the words of the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from pci_config.remediate.executions import Busy, ByConfig, Driver, Job, NotStarted, SystemsManager, Unsure, update
from pci_config.remediate.plan import Call, Entry
from pci_config.remediate.state import Attempt

ACCOUNT, EXECUTION = "111111111111", "11111111-2222-4333-8444-555555555555"
TOKEN = "22222222-2222-4333-8444-555555555555"


def job(**attempt: Any) -> Job:
    entry = Entry(
        id="e", rule="PCI_X", severity="high", account_id=ACCOUNT, region="eu-west-1", resource_type="AWS::EC2::SecurityGroup",
        resource_id="sg-1", resource_name="", annotation="", document="Doc", resource_parameter="GroupId", parameters={},
        may_break="", undo="", approver="",
    )  # fmt: skip
    started = {"started_at": "2026-11-25T12:00:00Z", **attempt}
    return Job(entry, Attempt("fix", 1, TOKEN, "Doc", ACCOUNT, "eu-west-1", **started), {"GroupId": "sg-1", "DryRun": "false"})


def updated(status: str, outputs: Mapping[str, str] | None = None, **more: Any) -> Job:
    one = job(execution_id=EXECUTION)
    given = {f"Remediate.{name}": [value] for name, value in (outputs or {}).items()}
    update(one, {"AutomationExecutionStatus": status, "Outputs": given, **more})
    return one


@pytest.mark.parametrize("outcome", ["changed", "compliant", "gone", "excepted", "dry-run", "switched-off"])
def test_the_outcome_is_the_documents_own(outcome: str) -> None:
    attempt = updated("Success", {"Outcome": outcome, "Message": "m", "Evidence": "s3://b/k"}).attempt
    assert (attempt.status, attempt.outcome, attempt.message, attempt.evidence) == ("Success", outcome, "m", "s3://b/k")
    assert attempt.ended_at


def test_calls_and_the_state_before() -> None:
    call = {"service": "iam", "operation": "op", "parameters": {"A": 1}, "summary": "raise A"}
    one = updated("Success", {"Outcome": "dry-run", "Calls": json.dumps([call]), "Before": '{"A": 0}'})
    assert (one.calls, one.before) == ((Call("iam", "op", {"A": 1}, "raise A"),), {"A": 0})


def test_outputs_that_were_cut_are_not_guessed() -> None:
    one = updated("Success", {"Outcome": "changed", "Calls": '[{"service": "ia', "Before": '{"A": '})
    assert (one.calls, one.before, one.attempt.outcome) == ((), {}, "changed")


@pytest.mark.parametrize("outputs", [{}, {"Outcome": "fine"}])
def test_success_without_an_outcome_is_a_failure(outputs: Mapping[str, str]) -> None:
    attempt = updated("Success", outputs).attempt
    assert attempt.outcome == "failed"
    assert "its output Outcome is" in attempt.message


TRACEBACK = """Step fails when it is Execute/Cancelling action. Traceback (most recent call last):
  File "/tmp/x/customer_script.py", line 8, in script_handler
    return carry_out(events, Fix)
{name}: {text}

{name} - {text}"""


@pytest.mark.parametrize(
    ("message", "outcome", "told"),
    [
        ("step Remediate: StepFailedError: Refused - sg-1 is managed by Terraform", "refused", "sg-1 is managed by Terraform"),
        (TRACEBACK.format(name="Refused", text="not understood"), "refused", "not understood"),
        (TRACEBACK.format(name="RuntimeError", text="it broke"), "failed", "it broke"),
        ("step Remediate: StepFailedError: ClientError - An error occurred", "failed", "An error occurred"),
        ("RuntimeError - sg-1: NotRefused - it broke", "failed", "sg-1: NotRefused - it broke"),
        ("Role cannot be assumed", "failed", "Role cannot be assumed"),
    ],
)
def test_failures(message: str, outcome: str, told: str) -> None:
    attempt = updated("Failed", FailureMessage=message).attempt
    assert (attempt.outcome, attempt.message) == (outcome, told)
    assert not attempt.may_have_changed


def test_a_failure_half_way_names_its_evidence() -> None:
    where = "s3://b/remediation/1/eu-west-1/Doc/sg-1/e/before.json?versionId=v1.2_3"
    attempt = updated(
        "Failed", FailureMessage=f"RuntimeError - sg-1: it broke; state before is recorded in {where}: {{}}"
    ).attempt
    assert (attempt.evidence, attempt.may_have_changed) == (where, True)
    attempt = updated("Failed", FailureMessage=f"RuntimeError - sg-1: Refused - odd; recorded in {where}").attempt
    assert attempt.outcome == "failed", "what has begun to change was not refused"


@pytest.mark.parametrize("status", ["TimedOut", "Cancelled", "Exited", "Rejected", "CompletedWithFailure"])
def test_an_execution_that_was_cut_off_may_have_changed_something(status: str) -> None:
    steps = [{"StepName": "Remediate", "StepStatus": status, "FailureMessage": "cut"}]
    attempt = updated(status, StepExecutions=steps).attempt
    assert (attempt.outcome, attempt.message, attempt.may_have_changed) == ("failed", f"{status}: cut", True)
    assert [(step.name, step.status, step.message) for step in attempt.steps] == [("Remediate", status, "cut")]


@pytest.mark.parametrize(
    ("status", "told"), [("InProgress", "InProgress"), ("PendingApproval", "Waiting"), ("Waiting", "Waiting")]
)
def test_what_goes_on_has_no_outcome(status: str, told: str) -> None:
    attempt = updated(status).attempt
    assert (attempt.outcome, attempt.status, attempt.ended_at) == ("", told, "")


class Way:
    """An Access whose clients are stubbed."""

    def __init__(self) -> None:
        self.clients = {name: boto3.client(name, "eu-west-1") for name in ("ssm", "config")}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def client(self, service: str, account_id: str, region: str) -> Any:
        assert (account_id, region) == (ACCOUNT, "eu-west-1")
        return self.clients[service]


def test_a_start_has_the_token_and_the_parameters_as_lists() -> None:
    way, one = Way(), job()
    way.stubs["ssm"].add_response(
        "start_automation_execution",
        {"AutomationExecutionId": EXECUTION},
        {"DocumentName": "Doc", "Parameters": {"GroupId": ["sg-1"], "DryRun": ["false"]}, "ClientToken": TOKEN},
    )
    SystemsManager(way).start(one, False)  # type: ignore[arg-type]
    assert (one.attempt.execution_id, one.attempt.status) == (EXECUTION, "InProgress")


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("AutomationExecutionLimitExceededException", 400, Busy, "Doc in 111111111111 eu-west-1"),
        ("ThrottlingException", 400, Busy, "told"),
        ("InternalServerError", 500, Unsure, "InternalServerError"),
        ("AutomationDefinitionNotFoundException", 400, NotStarted, "update the stacks of org_setup"),
        ("InvalidAutomationExecutionParametersException", 400, NotStarted, "make a new plan"),
        ("AccessDeniedException", 400, NotStarted, "iam:PassRole"),
        ("IdempotentParameterMismatch", 400, NotStarted, "this plan started it before"),
        ("Surprise", 400, NotStarted, "Surprise: told"),
    ],
)
def test_refusals_of_a_start(code: str, status: int, kind: type[Exception], words: str) -> None:
    way, one = Way(), job()
    way.stubs["ssm"].add_client_error("start_automation_execution", code, "told", http_status_code=status)
    with pytest.raises(kind, match=words):
        SystemsManager(way).start(one, False)  # type: ignore[arg-type]
    assert one.attempt.execution_id == ""


@pytest.mark.parametrize("driver", [SystemsManager, ByConfig])
def test_a_connection_that_breaks_leaves_it_open(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    way, one = Way(), job()

    def broken(*_: Any, **__: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://ssm")

    for client in way.clients.values():
        monkeypatch.setattr(type(client), "_make_api_call", broken)
    started: Driver = driver(way)
    with pytest.raises(Unsure, match="Could not connect"):
        started.start(one, False)
    one.attempt.execution_id = EXECUTION
    with pytest.raises(Unsure, match="Could not connect"):
        started.look(one)
    assert one.attempt.outcome == ""


# ------------------------------------------------------------------------------------------------------- by AWS Config

NAME = "PCI_X-conformance-pack-abc"
KEY = {"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1"}


def deployed(way: Way, dry_run: str = "false", document: str = "Doc", rules: tuple[str, ...] = ("PCI_XY-1", NAME)) -> None:
    way.stubs["config"].add_response(
        "describe_config_rules", {"ConfigRules": [{"ConfigRuleName": n, "Source": {"Owner": "AWS"}} for n in rules]}
    )
    if NAME in rules:
        remediation = {
            "ConfigRuleName": NAME,
            "TargetType": "SSM_DOCUMENT",
            "TargetId": document,
            "Parameters": {"DryRun": {"StaticValue": {"Values": [dry_run]}}},
        }
        way.stubs["config"].add_response(
            "describe_remediation_configurations", {"RemediationConfigurations": [remediation]}, {"ConfigRuleNames": [NAME]}
        )


def test_config_starts_the_packs_rule() -> None:
    way, one = Way(), job()
    deployed(way)
    way.stubs["config"].add_response("start_remediation_execution", {}, {"ConfigRuleName": NAME, "ResourceKeys": [KEY]})
    ByConfig(way).start(one, False)  # type: ignore[arg-type]
    assert (one.attempt.rule_name, one.attempt.status, one.attempt.execution_id) == (NAME, "InProgress", "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dry_run": "true"}, "DryRun true, so a start by AWS Config changes nothing"),
        ({"document": "Other"}, "has the fix Other, not Doc; run without --by-config"),
        ({"rules": ("PCI_XY-1",)}, "is the pack deployed there"),
    ],
)
def test_a_pack_that_cannot_do_it_is_told(given: dict[str, Any], words: str) -> None:
    way = Way()
    deployed(way, **given)
    with pytest.raises(NotStarted, match=words):
        ByConfig(way).start(job(), False)  # type: ignore[arg-type]


def test_config_may_start_nothing() -> None:
    way = Way()
    deployed(way)
    way.stubs["config"].add_response("start_remediation_execution", {"FailureMessage": "is compliant", "FailedItems": [KEY]})
    one = job()
    with pytest.raises(NotStarted, match="starts nothing on sg-1: is compliant"):
        ByConfig(way).start(one, False)  # type: ignore[arg-type]
    assert one.attempt.rule_name == "", "or it would be waited for"


def executions(way: Way, *found: tuple[str, timedelta, dict[str, list[str]]]) -> None:
    """Executions as Systems Manager lists them: id, time after the start, parameters."""
    began = datetime(2026, 11, 25, 12, tzinfo=UTC)
    listed = [{"AutomationExecutionId": i, "DocumentName": "Doc", "ExecutionStartTime": began + after} for i, after, _ in found]
    way.stubs["ssm"].add_response("describe_automation_executions", {"AutomationExecutionMetadataList": listed})
    for execution_id, after, parameters in found:
        if after >= timedelta(seconds=-5):
            way.stubs["ssm"].add_response(
                "get_automation_execution",
                {"AutomationExecution": {"AutomationExecutionStatus": "InProgress", "Parameters": parameters}},
                {"AutomationExecutionId": execution_id},
            )


def test_the_execution_that_config_started_is_found() -> None:
    way, one = Way(), job(rule_name=NAME, status="InProgress")
    real = {"GroupId": ["sg-1"], "DryRun": ["false"]}
    others = [f"{number}1111111-2222-4333-8444-555555555555" for number in "2345"]
    executions(
        way,
        (others[0], timedelta(seconds=-6), real),
        (others[1], timedelta(seconds=1), {**real, "DryRun": ["true"]}),
        (others[2], timedelta(seconds=1), {**real, "GroupId": ["sg-2"]}),
        (EXECUTION, timedelta(seconds=2), real),
    )
    way.stubs["ssm"].add_response(
        "get_automation_execution",
        {"AutomationExecution": {"AutomationExecutionStatus": "InProgress"}},
        {"AutomationExecutionId": EXECUTION},
    )
    ByConfig(way).look(one)  # type: ignore[arg-type]
    assert (one.attempt.execution_id, one.attempt.status) == (EXECUTION, "InProgress")


def test_what_config_could_not_start_fails_with_its_reason() -> None:
    way, one = Way(), job(rule_name=NAME, status="InProgress")
    executions(way)
    began = datetime(2026, 11, 25, 12, tzinfo=UTC)
    earlier = {"ResourceKey": KEY, "State": "SUCCEEDED", "InvocationTime": began - timedelta(days=1)}
    now = {
        "ResourceKey": KEY,
        "State": "FAILED",
        "InvocationTime": began,
        "StepDetails": [{"Name": "Remediate", "State": "FAILED", "ErrorMessage": "the role cannot be passed"}],
    }
    way.stubs["config"].add_response(
        "describe_remediation_execution_status",
        {"RemediationExecutionStatuses": [earlier, now]},
        {"ConfigRuleName": NAME, "ResourceKeys": [KEY]},
    )
    ByConfig(way).look(one)  # type: ignore[arg-type]
    assert (one.attempt.outcome, one.attempt.message) == ("failed", "the role cannot be passed")


def test_an_interrupted_start_by_config_is_looked_for_first() -> None:
    way, one = Way(), job(status="starting")
    executions(way, (EXECUTION, timedelta(seconds=1), {"GroupId": ["sg-1"], "DryRun": ["false"]}))
    ByConfig(way).start(one, True)  # type: ignore[arg-type]
    assert one.attempt.execution_id == EXECUTION
