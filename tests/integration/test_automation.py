"""The interpreter of Automation documents, semantic by semantic. Sources: AWS Systems Manager user guide and API reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from pci_config.sandbox.automation import Execution, Executor, SignalRefusedError
from pci_config.sandbox.automation_clock import Clock
from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.automation_values import DocumentError, ParameterRefusedError

ACCOUNT, MEMBER = "123456789012", "210987654321"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def session_for(account_id: str, region: str, role_arn: str | None) -> boto3.Session:
    if role_arn is None:
        return boto3.Session(region_name=region)
    keys = boto3.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region)


def document(steps: str, parameters: str = "{}", **top: Any) -> Document:
    return Document.parse(
        {"schemaVersion": "0.3", "parameters": yaml.safe_load(parameters), "mainSteps": yaml.safe_load(steps), **top}
    )


def run(steps: str, parameters: str = "{}", given: Any = None, clock: Clock | None = None, **top: Any) -> Execution:
    return Executor(session_for, ACCOUNT, "eu-west-1", clock).start(document(steps, parameters, **top), given or {})


def path(execution: Execution) -> list[tuple[str, str]]:
    return [(step.name, step.status) for step in execution.steps]


SCRIPT = """
- name: S
  action: aws:executeScript
  inputs:
    Runtime: python3.11
    Handler: handler
    InputPayload: PAYLOAD
    Script: |
      def handler(events, context):
          BODY
  outputs: OUTPUTS
"""


def script(body: str, payload: str = "{}", outputs: str = "[]") -> str:
    return SCRIPT.replace("BODY", body).replace("PAYLOAD", payload).replace("OUTPUTS", outputs)


def test_next_step_skips_a_step_that_would_delete_the_bucket() -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="keep-me")
    execution = run(
        """
        - {name: Read, action: "aws:executeAwsApi", inputs: {Service: s3, Api: HeadBucket, Bucket: "{{ Name }}"}, nextStep: Put}
        - {name: Danger, action: "aws:executeAwsApi", inputs: {Service: s3, Api: DeleteBucket, Bucket: "{{ Name }}"}}
        - name: Put
          action: aws:executeAwsApi
          inputs:
            Service: s3
            Api: PutBucketTagging
            Bucket: "{{ Name }}"
            Tagging: {TagSet: [{Key: account, Value: "{{ global:ACCOUNT_ID }} in {{ global:REGION }}"}]}
        """,
        "{Name: {type: String}}",
        {"Name": ["keep-me"]},
    )
    assert path(execution) == [("Read", "Success"), ("Put", "Success")]
    tags = boto3.client("s3").get_bucket_tagging(Bucket="keep-me")["TagSet"]
    assert tags == [{"Key": "account", "Value": f"{ACCOUNT} in eu-west-1"}]
    assert [(call.service, call.operation) for call in execution.calls] == [("s3", "HeadBucket"), ("s3", "PutBucketTagging")]


def test_the_assumed_role_decides_the_account_for_api_steps_and_scripts() -> None:
    body = "import boto3; boto3.client('sqs').create_queue(QueueName='q'); return {'account': events['a']}"
    execution = run(
        script(body, '{a: "{{ global:ACCOUNT_ID }}"}', "[{Name: Account, Selector: $.Payload.account, Type: String}]"),
        "{AutomationAssumeRole: {type: 'AWS::IAM::Role::Arn'}}",
        {"AutomationAssumeRole": [f"arn:aws:iam::{MEMBER}:role/Fix"]},
        assumeRole="{{ AutomationAssumeRole }}",
        outputs=["S.Account"],
    )
    assert (execution.status, execution.outputs) == ("Success", {"S.Account": [ACCOUNT]})
    member = session_for(ACCOUNT, "eu-west-1", f"arn:aws:iam::{MEMBER}:role/x").client("sqs")
    assert len(member.list_queues()["QueueUrls"]) == 1
    assert "QueueUrls" not in boto3.client("sqs").list_queues()
    assert execution.calls[0].role_arn == f"arn:aws:iam::{MEMBER}:role/Fix"


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ("{A: {type: String}}", {}, "has no value"),
        ("{A: {type: String}}", {"B": ["x"]}, "B are not declared"),
        ("{A: {type: String}}", {"A": ["x", "y"]}, "2 values for one String"),
        ("{A: {type: String, allowedValues: [a, b]}}", {"A": ["c"]}, "none of"),
        ("{A: {type: String, allowedPattern: '^sg-[0-9a-f]{8}$'}}", {"A": ["sg-1"]}, "does not match"),
        ("{A: {type: String, allowedPattern: '[a-z]+'}}", {"A": ["abc1"]}, "does not match"),
        ("{A: {type: Boolean}}", {"A": ["yes"]}, "is no Boolean"),
        ("{A: {type: Integer}}", {"A": ["1.5"]}, "is no Integer"),
        ("{A: {type: StringMap}}", {"A": ["{"]}, "is no StringMap"),
        ("{A: {type: StringList, maxItems: 1}}", {"A": ["x", "y"]}, "2 items"),
        ("{A: {type: String, maxChars: 2}}", {"A": ["xyz"]}, "3 characters"),
        ("{A: {type: String}}", {"A": [1]}, "values are texts"),
        ("{A: {type: String}}", {"A": [""]}, "a value has 1 to 512 characters, not 0"),
        ("{A: {type: String}}", {"A": ["x" * 513]}, "a value has 1 to 512 characters, not 513"),
        ("{A: {type: StringList}}", {"A": ["x"] * 51}, "and 50 values"),
        ("{A: {type: String}}", {"A" * 51: ["x"]}, "a name has 1 to 50 characters"),
        ("{A: {type: String}}", {f"A{n}": ["x"] for n in range(201)}, "201 parameters; 200 are taken"),
    ],
)
def test_parameters_that_do_not_fit_stop_the_start(spec: str, given: Any, message: str) -> None:
    with pytest.raises(ParameterRefusedError, match=message):
        run("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}}", spec, given)


def test_substitution_keeps_types_and_flattens_lists() -> None:
    outputs = "[{Name: Got, Selector: $.Payload, Type: StringMap}]"
    execution = run(
        script("return events", '{b: "{{ B }}", t: "is {{ B }}", l: ["{{ L }}", "z"], n: "{{ N }}"}', outputs),
        "{B: {type: Boolean}, L: {type: StringList}, N: {type: Integer, default: 3}}",
        {"B": ["true"], "L": ["x", "y"]},
    )
    assert execution.steps[0].outputs["Got"] == {"b": True, "t": "is true", "l": ["x", "y", "z"], "n": 3}


@pytest.mark.parametrize(
    ("spec", "given", "value", "kind"),
    [
        ("{type: Boolean}", ["true"], True, bool),
        ("{type: Boolean}", ["False"], False, bool),
        ("{type: Integer}", ["12"], 12, float),
        ("{type: String}", ["12"], "12", str),
        ("{type: String}", ["true"], "true", str),
        ("{type: StringList}", ["a", "b"], ["a", "b"], list),
        ("{type: StringList}", ["a"], ["a"], list),
        ("{type: StringMap}", ['{"n": 1, "t": true}'], {"n": 1, "t": True}, dict),
        ("{type: Integer, default: 3}", None, 3, float),
        ("{type: String}", ["x" * 512], "x" * 512, str),
    ],
)
def test_what_a_script_gets_of_texts(spec: str, given: list[str] | None, value: Any, kind: type) -> None:
    """Config passes lists of texts (API reference, RemediationParameterValue and StartAutomationExecution); a whole number may
    reach a script as a float (aws-solutions/automated-security-response-on-aws converts them back)."""
    body = "return {'v': events['v'], 't': type(events['v']).__name__}"
    steps = script(body, '{v: "{{ A }}"}', "[{Name: Got, Selector: $.Payload, Type: StringMap}]")
    execution = run(steps, f"{{A: {spec}}}", {"A": given} if given else {})
    assert execution.steps[0].outputs["Got"] == {"v": value, "t": kind.__name__}


def test_api_steps_get_whole_numbers() -> None:
    boto3.client("sqs").create_queue(QueueName="q")
    execution = run(
        "- {name: L, action: 'aws:executeAwsApi', inputs: {Service: sqs, Api: ListQueues, MaxResults: '{{ N }}'}}",
        "{N: {type: Integer}}",
        {"N": ["5"]},
    )
    assert (execution.status, execution.calls[0].parameters) == ("Success", {"MaxResults": 5})


BRANCH = """
- name: B
  action: aws:branch
  inputs:
    Choices: [CHOICE]
    Default: No
- {name: Yes_, action: "aws:sleep", inputs: {Duration: PT1S}, isEnd: true}
- {name: No, action: "aws:sleep", inputs: {Duration: PT1S}}
""".replace("No", "Other")


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        ("{NextStep: Yes_, Variable: '{{ A }}', StringEquals: five}", False),
        ("{NextStep: Yes_, Variable: '{{ A }}', EqualsIgnoreCase: ABC5}", True),
        ("{NextStep: Yes_, Variable: '{{ A }}', StartsWith: ab}", True),
        ("{NextStep: Yes_, Variable: '{{ A }}', EndsWith: c5}", True),
        ("{NextStep: Yes_, Variable: '{{ A }}', Contains: x}", False),
        ("{NextStep: Yes_, Variable: '{{ N }}', NumericEquals: 5}", True),
        ("{NextStep: Yes_, Variable: '{{ N }}', NumericGreater: 5}", False),
        ("{NextStep: Yes_, Variable: '{{ N }}', NumericLesserOrEquals: 5}", True),
        ("{NextStep: Yes_, Variable: '{{ T }}', BooleanEquals: true}", True),
        ("{NextStep: Yes_, Not: {Variable: '{{ T }}', BooleanEquals: true}}", False),
        ("{NextStep: Yes_, And: [{Variable: '{{ T }}', BooleanEquals: true}, {Variable: '{{ N }}', NumericLesser: 5}]}", False),
        (
            "{NextStep: Yes_, Or: [{Variable: '{{ N }}', NumericGreaterOrEquals: 6}, {Variable: '{{ A }}', StringEquals: abc5}]}",
            True,
        ),
    ],
)
def test_branches(choice: str, taken: bool) -> None:
    parameters = "{A: {type: String, default: abc5}, N: {type: Integer, default: 5}, T: {type: Boolean, default: true}}"
    execution = run(BRANCH.replace("CHOICE", choice), parameters)
    assert [step.name for step in execution.steps] == ["B", "Yes_" if taken else "Other"]


FAIL = "{name: F, action: 'aws:executeAwsApi', inputs: {Service: s3, Api: HeadBucket, Bucket: not-there}"
AFTER = "- {name: After, action: 'aws:sleep', inputs: {Duration: PT1S}}"


@pytest.mark.parametrize(
    ("handling", "status", "names"),
    [
        ("", "Failed", ["F"]),
        (", onFailure: Abort", "Failed", ["F"]),
        (", onFailure: Continue", "Success", ["F", "After"]),
        (", onFailure: Continue, isCritical: true", "Failed", ["F", "After"]),
        (", onFailure: 'step:Last'", "Failed", ["F", "Last"]),
        (", onFailure: 'step:Last', isCritical: false", "Success", ["F", "Last"]),
        (", onFailure: Continue, isEnd: true", "Success", ["F"]),
    ],
)
def test_what_happens_on_failure(handling: str, status: str, names: list[str]) -> None:
    last = "- {name: Last, action: 'aws:sleep', inputs: {Duration: PT1S}}"
    execution = run(f"- {FAIL}{handling}}}\n{AFTER}\n{last}" if "Last" in handling else f"- {FAIL}{handling}}}\n{AFTER}")
    assert (execution.status, [step.name for step in execution.steps]) == (status, names)
    assert "HeadBucket" in execution.failure


def test_attempts() -> None:
    execution = run(f"- {FAIL}, maxAttempts: 3}}")
    assert (execution.status, execution.steps[0].attempts) == ("Failed", 3)


ASSERT = """
- name: A
  action: aws:assertAwsResourceProperty
  inputs: {Service: s3, Api: GetBucketVersioning, Bucket: b-ucket, PropertySelector: $.Status, DesiredValues: [WANTED]}
"""


@pytest.mark.parametrize(("wanted", "status"), [("Enabled", "Success"), ("Suspended", "Failed")])
def test_assert_compares_as_text(wanted: str, status: str) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="b-ucket")
    s3.put_bucket_versioning(Bucket="b-ucket", VersioningConfiguration={"Status": "Enabled"})
    assert run(ASSERT.replace("WANTED", wanted)).status == status


def test_wait_polls_until_the_step_times_out_without_real_waiting() -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="b-ucket")
    boto3.client("s3").put_bucket_versioning(Bucket="b-ucket", VersioningConfiguration={"Status": "Suspended"})
    clock = Clock()
    start = clock.now
    waiting = ASSERT.replace("assert", "waitFor").replace("WANTED", "Enabled") + "  timeoutSeconds: 60\n"
    execution = run(waiting, clock=clock)
    assert (execution.status, execution.steps[0].status) == ("TimedOut", "TimedOut")
    assert 50 <= clock.now - start <= 60


def test_sleep_and_scripts_use_the_clock() -> None:
    clock = Clock()
    start = clock.now
    run("- {name: W, action: 'aws:sleep', inputs: {Duration: P1DT2H3M4S}}", clock=clock)
    run(script("import time; time.sleep(100); return {}"), clock=clock)
    assert round(clock.now - start) == 86400 + 7384 + 100


SLEEPER = (
    "import time\n          try:\n              time.sleep(events['s'])\n          except Exception: pass\n          return {}"
)


@pytest.mark.parametrize(
    ("seconds", "timeout", "status"),
    [(600, 600, "Success"), (601, 600, "TimedOut"), (30, 30, "Success"), (31, 30, "TimedOut"), (601, None, "TimedOut")],
)
def test_a_script_ends_when_its_time_is_over(seconds: int, timeout: int | None, status: str) -> None:
    """User guide, aws:executeScript: 600 seconds at most, less by timeoutSeconds; no handler of the script prevents it."""
    steps = script(SLEEPER, f"{{s: {seconds}}}") + (f"  timeoutSeconds: {timeout}\n" if timeout else "")
    execution = run(steps)
    assert (execution.status, execution.steps[0].status) == (status, status)
    assert ("its time is over" in execution.failure) == (status == "TimedOut")


def test_each_attempt_has_the_time_of_the_step() -> None:
    """User guide, timeoutSeconds: with maxAttempts, it has timed out only after all of them."""
    clock = Clock()
    start = clock.now
    execution = run(script(SLEEPER, "{s: 100}") + "  timeoutSeconds: 60\n  maxAttempts: 3\n", clock=clock)
    assert (execution.status, execution.steps[0].attempts, round(clock.now - start)) == ("TimedOut", 3, 180)
    flaky = "import os; n = int(os.environ.get('N', 0)); os.environ['N'] = str(n + 1); 1 // n; return {}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("N", "0")
        again = run(script(flaky) + "  maxAttempts: 2\n")
    assert (again.status, again.failure, again.steps[0].attempts) == ("Success", "", 2)


@pytest.mark.parametrize(
    ("handling", "status", "names"),
    [
        ("", "TimedOut", ["W"]),
        ("onFailure: Continue", "Success", ["W", "Last"]),
        ("onFailure: 'step:Last'", "TimedOut", ["W", "Last"]),
        ("isCritical: false, onFailure: 'step:Last'", "Success", ["W", "Last"]),
    ],
)
def test_what_happens_when_a_step_times_out(handling: str, status: str, names: list[str]) -> None:
    """User guide, "Handling timeouts in runbooks"."""
    clock = Clock()
    start = clock.now
    execution = run(
        f"""
        - {{name: W, action: "aws:sleep", timeoutSeconds: 60, inputs: {{Duration: PT2M}}, {handling}}}
        - {{name: Last, action: "aws:sleep", inputs: {{Duration: PT1S}}}}
        """,
        clock=clock,
    )
    assert (execution.status, [step.name for step in execution.steps]) == (status, names)
    assert round(clock.now - start) == 60 + len(names) - 1


def test_the_longest_delay() -> None:
    """User guide, aws:sleep: 604800 seconds."""
    assert run("- {name: W, action: 'aws:sleep', inputs: {Duration: P7D}}").status == "Success"
    assert "604800 are taken" in run("- {name: W, action: 'aws:sleep', inputs: {Duration: P7DT1S}}").failure


@pytest.mark.parametrize(
    ("body", "outputs", "message"),
    [
        ("raise ValueError('odd')", "[]", "ValueError - odd"),
        ("return {1, 2}", "[]", "is not JSON"),
        ("return {'t': 'x' * 100001}", "[]", "100000 are kept"),
        ("return {'t': 'True'}", "[{Name: T, Selector: $.Payload.t, Type: Boolean}]", "declared Boolean, but is str"),
        ("return {}", "[{Name: T, Selector: $.Payload.t, Type: String}]", "finds nothing"),
        ("return {'n': 1.5}", "[{Name: N, Selector: $.Payload.n, Type: Integer}]", "declared Integer, but is float"),
    ],
)
def test_scripts_that_fail(body: str, outputs: str, message: str) -> None:
    execution = run(script(body, outputs=outputs))
    assert execution.status == "Failed"
    assert message in execution.failure


def test_whole_floats_are_integers_and_prints_are_kept() -> None:
    execution = run(script("print('hello'); return {'n': 3.0}", outputs="[{Name: N, Selector: $.Payload.n, Type: Integer}]"))
    assert (execution.steps[0].outputs, execution.log) == ({"N": 3}, "hello\n")


APPROVE = """
- name: Ask
  action: aws:approve
  inputs: {Approvers: [a, b, c], MinRequiredApprovals: 2}
- {name: Do, action: "aws:sleep", inputs: {Duration: PT1S}}
"""


ASKED = APPROVE.replace("- name: Ask", f"{script('events.clear(); return {}')}- name: Ask")


def asked(steps: str = ASKED, clock: Clock | None = None) -> tuple[Executor, Execution]:
    executor = Executor(session_for, ACCOUNT, "eu-west-1", clock)
    return executor, executor.start(document(steps), {})


@pytest.mark.parametrize(
    ("decisions", "status", "names"),
    [
        ("", "Waiting", ["S", "Ask"]),
        ("a+", "Waiting", ["S", "Ask"]),
        ("a+ a+", "Waiting", ["S", "Ask"]),
        ("a+ b+", "Success", ["S", "Ask", "Do"]),
        ("c+ b+", "Success", ["S", "Ask", "Do"]),
        ("a-", "Failed", ["S", "Ask"]),
        ("a+ b-", "Failed", ["S", "Ask"]),
    ],
)
def test_approvals(decisions: str, status: str, names: list[str]) -> None:
    """User guide, aws:approve: it resumes after the required number of approvals; each approver counts once."""
    executor, execution = asked()
    for decision in decisions.split():
        executor.signal(execution, [decision[0]], {"+": "Approve", "-": "Reject"}[decision[1]])
    assert (execution.status, [step.name for step in execution.steps]) == (status, names)
    assert (execution.ended is None) == (status == "Waiting")
    told = execution.steps[1].outputs
    assert told["ApprovalStatus"] == {"Success": "Approved", "Failed": "Rejected"}.get(status, "Waiting")
    assert {given["approver"] for given in told["ApproverDecisions"]} == {decision[0] for decision in decisions.split()}


def test_an_approved_execution_goes_on_where_it_waits() -> None:
    """User guide, aws:approve: the automation resumes; what ran before does not run again."""
    make = script("import boto3; boto3.client('sqs').create_queue(QueueName='q'); return {}")
    executor, execution = asked(make + "- {name: Ask, action: 'aws:approve', inputs: {Approvers: [a]}}")
    executor.signal(execution, ["a"], "Approve")
    assert path(execution) == [("S", "Success"), ("Ask", "Success")]
    assert [call.operation for call in execution.calls] == ["CreateQueue"]


def test_only_approvers_decide_and_only_while_they_are_asked() -> None:
    """API reference, SendAutomationSignal: InvalidAutomationSignalException."""
    executor, execution = asked()
    with pytest.raises(SignalRefusedError, match="stranger is no approver of step Ask"):
        executor.signal(execution, ["stranger"], "Approve")
    with pytest.raises(SignalRefusedError, match="does not wait for that signal"):
        executor.signal(execution, ["a"], "Resume")
    executor.signal(execution, ["arn:aws:iam::123456789012:user/a", "a"], "Reject")
    with pytest.raises(SignalRefusedError, match="does not wait"):
        executor.signal(execution, ["b"], "Approve")
    assert execution.failure == "step Ask: StepFailedError: an approver rejected"


@pytest.mark.parametrize(("timeout", "seconds"), [("", 604800), ("\n  timeoutSeconds: 60", 60)])
def test_an_approval_that_comes_too_late(timeout: str, seconds: int) -> None:
    """User guide, aws:approve: 7 days unless the step says otherwise, then the step and the automation are TimedOut."""
    clock = Clock()
    executor, execution = asked(APPROVE.replace("MinRequiredApprovals: 2}", "MinRequiredApprovals: 2}" + timeout), clock)
    executor.signal(execution, ["a"], "Approve")
    clock.sleep(seconds)
    executor.expire(execution)
    assert execution.status == "Waiting", "the last second counts"
    clock.sleep(1)
    with pytest.raises(SignalRefusedError):
        executor.signal(execution, ["b"], "Approve")
    assert (execution.status, execution.steps[0].status) == ("TimedOut", "TimedOut")
    assert execution.failure == "step Ask: 1 of 2 approvals came in time"


@pytest.mark.parametrize("required", [0, 4])
def test_more_approvals_than_approvers(required: int) -> None:
    """User guide, aws:approve: MinRequiredApprovals is positive and at most the number of approvers."""
    _, execution = asked(APPROVE.replace("MinRequiredApprovals: 2", f"MinRequiredApprovals: {required}"))
    assert execution.status == "Failed"
    assert f"{required} approvals are required of 3 approvers" in execution.failure


def test_a_waiting_execution_can_be_cancelled() -> None:
    """API reference, StopAutomationExecution."""
    executor, execution = asked()
    executor.cancel(execution)
    assert (execution.status, path(execution)[-1]) == ("Cancelled", ("Ask", "Cancelled"))
    with pytest.raises(SignalRefusedError, match="has ended"):
        executor.cancel(execution)


SLEEP = "- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}}"


@pytest.mark.parametrize(
    ("steps", "parameters", "top", "message"),
    [
        (SLEEP, "{}", {"schemaVersion": "2.2"}, "schemaVersion"),
        (SLEEP, "{}", {"variables": {}}, "variables is not imitated"),
        (SLEEP, "{A: {type: Secret}}", {}, "type 'Secret'"),
        ("[]", "{}", {}, "mainSteps is empty"),
        ("- {name: L, action: 'aws:loop', inputs: {}}", "{}", {}, "action aws:loop is not imitated"),
        ("- {name: 'a b', action: 'aws:sleep', inputs: {}}", "{}", {}, "step name 'a b'"),
        (f"{SLEEP}\n{SLEEP}", "{}", {}, "step name 'W' is not unique"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}, nextStep: X}", "{}", {}, "there is no step X"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}, retries: 3}", "{}", {}, "retries is not imitated"),
        ("- {name: W, action: 'aws:sleep', inputs: {}, onFailure: Retry}", "{}", {}, "onFailure 'Retry'"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: '{{ A }}'}}", "{}", {}, "variable {{ A }} is neither"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: '{{ ssm:x }}'}}", "{}", {}, "ssm:x"),
        ("- {name: C, action: 'aws:executeAwsApi', inputs: {Service: s4, Api: X}}", "{}", {}, "no service s4"),
        ("- {name: C, action: 'aws:executeAwsApi', inputs: {Service: s3, Api: HeadBuckets}}", "{}", {}, "no operation HeadBuckets"),
        ("- {name: C, action: 'aws:executeAwsApi', inputs: {Service: s3, Api: HeadBucket, Bukkit: b}}", "{}", {}, "takes no Bukkit"),
        (script("return {}") + "  timeoutSeconds: 601\n", "{}", {}, "aws:executeScript runs for 600 seconds at most, not 601"),
        (script("return {}") + "  timeoutSeconds: 0\n", "{}", {}, "timeoutSeconds is 0, which is no positive number"),
        (APPROVE.replace("- {name: Do", "  timeoutSeconds: 2592001\n- {name: Do"), "{}", {}, "runs for 2592000 seconds at most"),
        (APPROVE.replace("[a, b, c]", "[a, b, c, d, e, f, g, h, i, j, k]"), "{}", {}, "11 approvers; 10 are taken"),
        (APPROVE.replace("Approvers: [a, b, c], ", ""), "{}", {}, "Approvers is needed"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}, maxAttempts: '3'}", "{}", {}, "maxAttempts is '3'"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}, isEnd: 'yes'}", "{}", {}, "isEnd is 'yes'"),
        (script("return {}").replace("python3.11", "python3.8"), "{}", {}, "runtime python3.8"),
        (script("return '{{ A }}'"), "{A: {type: String}}", {}, "invite injection"),
        ("- {name: W, action: 'aws:sleep', inputs: {Duration: PT1S}, nextStep: W}", "{}", {}, "go round in a loop"),
        (SLEEP, "{A: {type: String, default: '{{ B }}'}, B: {type: String}}", {}, "cannot refer to others"),
        (SLEEP, "{}", {"outputs": ["W.Nothing"]}, "output W.Nothing is of no step"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_by_name(steps: str, parameters: str, top: dict[str, Any], message: str) -> None:
    source = {"schemaVersion": "0.3", "parameters": yaml.safe_load(parameters), "mainSteps": yaml.safe_load(steps), **top}
    with pytest.raises(DocumentError, match=message.replace("{", r"\{")):
        Document.parse(source)


def test_text_of_documents() -> None:
    assert Document.parse(json.dumps({"schemaVersion": "0.3", "mainSteps": yaml.safe_load(SLEEP)})).steps
    with pytest.raises(DocumentError, match="neither YAML nor JSON"):
        Document.parse("a: b: c")
    with pytest.raises(DocumentError, match="a document may have"):
        Document.parse("x" * 70000)
