"""AWS Config in the sandbox, through boto3: packs, events, evaluations, history, remediation; in process and over HTTP."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.items import to_event_form
from pci_config.sandbox import config_service, ssm_service
from pci_config.sandbox.automatic import remediate
from pci_config.sandbox.recorder import Recorder, current_items
from pci_config.sandbox.runtime import BundleRuntime, FunctionError, SourceRuntime
from pci_config.sandbox.server import MotoServer
from pci_config.sandbox.triggering import Trigger

ACCOUNT, REGION = "600000000006", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pci-config-rules"
DETAILS = [
    {"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"},
    {"EventSource": "aws.config", "MessageType": "OversizedConfigurationItemChangeNotification"},
    {"EventSource": "aws.config", "MessageType": "ScheduledNotification", "MaximumExecutionFrequency": "TwentyFour_Hours"},
]


def pack(*names: str, remediation: str = "") -> str:
    resources: dict[str, Any] = {
        name: {
            "Type": "AWS::Config::ConfigRule",
            "Properties": {
                "ConfigRuleName": name,
                "InputParameters": {"RuleId": "PCI_X"},
                "Scope": {"ComplianceResourceTypes": ["AWS::EC2::SecurityGroup"]},
                "Source": {"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": FUNCTION, "SourceDetails": DETAILS},
            },
        }
        for name in names
    }
    if remediation:
        resources["Fix"] = {
            "Type": "AWS::Config::RemediationConfiguration",
            "Properties": {
                "ConfigRuleName": names[0],
                "TargetType": "SSM_DOCUMENT",
                "TargetId": remediation,
                "Parameters": {"Id": {"ResourceValue": {"Value": "RESOURCE_ID"}}, "N": {"StaticValue": {"Values": ["1"]}}},
            },
        }
    return json.dumps({"Resources": resources})


@pytest.fixture(params=["in-process", "http"])
def server(request: pytest.FixtureRequest) -> Iterator[MotoServer]:
    with MotoServer(request.param) as started:
        config_service.install()
        ssm_service.install(started.session_for_role)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("x.py", "")
        iam = started.clients(ACCOUNT, REGION).build_client("iam")
        role = iam.create_role(RoleName="pci-config-rules", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        started.clients(ACCOUNT, REGION).build_client("lambda").create_function(
            FunctionName="pci-config-rules", Runtime="python3.13", Role=role, Handler="x.y", Code={"ZipFile": code.getvalue()}
        )
        yield started


class Handler:
    """Judges every group as the test says; keeps the events."""

    def __init__(self, config: Any, verdict: str = "NON_COMPLIANT") -> None:
        self.events: list[Mapping[str, Any]] = []
        self._config, self._verdict = config, verdict

    def __call__(self, event: Mapping[str, Any], context: Any) -> None:
        self.events.append(event)
        invoking = json.loads(event["invokingEvent"])
        item = invoking.get("configurationItem") or invoking.get("configurationItemSummary")
        if self._verdict == "raise":
            raise ValueError("broken rule")
        evaluation = {
            "ComplianceResourceType": item["resourceType"] if item else "AWS::::Account",
            "ComplianceResourceId": item["resourceId"] if item else ACCOUNT,
            "ComplianceType": self._verdict,
            "OrderingTimestamp": item["configurationItemCaptureTime"] if item else invoking["notificationCreationTime"],
            "Annotation": "said so",
        }
        self._config.put_evaluations(Evaluations=[evaluation], ResultToken=event["resultToken"])


def parts(server: MotoServer, verdict: str = "NON_COMPLIANT") -> tuple[Any, Any, Handler, Recorder]:
    config = server.clients(ACCOUNT, REGION).build_client("config")
    return config, config_service.state(ACCOUNT, REGION), Handler(config, verdict), Recorder()


def record(server: MotoServer, recorder: Recorder) -> list[dict[str, Any]]:
    return recorder.record(server.clients(ACCOUNT, REGION), ACCOUNT, REGION, config_service.state(ACCOUNT, REGION))


def trigger(handler: Handler, **options: Any) -> Trigger:
    state = config_service.state(ACCOUNT, REGION)
    return Trigger(SourceRuntime(handler), ACCOUNT, REGION, state, config_service.rules(ACCOUNT, REGION), **options)


def test_rules_of_a_pack_have_suffixes_are_triggered_and_stored(server: MotoServer) -> None:
    config, _, handler, recorder = parts(server)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X"))
    ec2 = server.clients(ACCOUNT, REGION).build_client("ec2")
    changed = record(server, recorder)
    groups = [item for item in changed if item["resourceType"] == "AWS::EC2::SecurityGroup"]
    tally = trigger(handler).changes(changed)
    assert tally.invocations == len(groups) == len(ec2.describe_security_groups()["SecurityGroups"])

    (name,) = [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]]
    assert name.startswith("PCI_X-conformance-pack-")
    details = config.get_compliance_details_by_config_rule(ConfigRuleName=name)["EvaluationResults"]
    assert [d["ComplianceType"] for d in details] == ["NON_COMPLIANT"] * len(groups)
    assert details[0]["Annotation"] == "said so"
    found = config.describe_compliance_by_config_rule()["ComplianceByConfigRules"]
    assert found[0]["Compliance"]["ComplianceType"] == "NON_COMPLIANT"

    event = handler.events[0]
    assert json.loads(event["ruleParameters"]) == {"RuleId": "PCI_X"}
    item = json.loads(event["invokingEvent"])["configurationItem"]
    assert to_event_form(item) == item
    assert len(item) == 18


def test_a_long_template_comes_from_a_bucket(server: MotoServer) -> None:
    config, *_ = parts(server)
    s3 = server.clients(ACCOUNT, REGION).build_client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    body = pack("PCI_X") + " " * 51_200
    s3.put_object(Bucket="templates", Key="packs/pci.yaml", Body=body.encode())
    s3.put_object(Bucket="templates", Key="packs/long.yaml", Body=body.encode() + b" " * 300_000)
    config.put_conformance_pack(ConformancePackName="pci", TemplateS3Uri="s3://templates/packs/pci.yaml")
    assert len(config.describe_config_rules()["ConfigRules"]) == 1
    for place, message in (
        ("s3://templates/packs/none.yaml", "NoSuchKey"),
        ("s3://templates/packs/long.yaml", "a pack takes 300000"),
    ):
        with pytest.raises(ClientError, match=message):
            config.put_conformance_pack(ConformancePackName="pci", TemplateS3Uri=place)


def test_only_what_changed_is_judged_again_and_the_deleted_too(server: MotoServer) -> None:
    config, state, handler, recorder = parts(server)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X"))
    ec2 = server.clients(ACCOUNT, REGION).build_client("ec2")
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])["GroupId"]
    record(server, recorder)
    assert record(server, recorder) == []
    ec2.create_tags(Resources=[group], Tags=[{"Key": "pci:tier", "Value": "dmz"}])
    (item,) = record(server, recorder)
    assert (item["resourceId"], item["tags"]) == (group, {"pci:tier": "dmz"})
    ec2.delete_security_group(GroupId=group)
    # its VPC no longer contains it, which is a change of the VPC
    gone, vpc = sorted(record(server, recorder), key=lambda changed: changed["resourceType"])
    assert (vpc["resourceType"], vpc["configurationItemStatus"]) == ("AWS::EC2::VPC", "OK")
    assert (gone["configurationItemStatus"], gone["configuration"], gone["tags"]) == ("ResourceDeleted", None, {})
    assert group not in {current["resourceId"] for current in current_items(state)}
    trigger(handler).changes([gone])
    assert json.loads(handler.events[-1]["invokingEvent"])["configurationItem"]["configuration"] is None

    history = config.get_resource_config_history(resourceType="AWS::EC2::SecurityGroup", resourceId=group)["configurationItems"]
    assert [version["configurationItemStatus"] for version in history] == ["ResourceDeleted", "OK", "ResourceDiscovered"]
    assert isinstance(history[1]["configuration"], str)
    assert to_event_form(history[1])["tags"] == {"pci:tier": "dmz"}


def test_schedules_oversized_items_and_new_evaluations(server: MotoServer) -> None:
    config, _, handler, recorder = parts(server)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X"))
    assert trigger(handler).schedules().invocations == 1
    assert json.loads(handler.events[-1]["invokingEvent"])["messageType"] == "ScheduledNotification"
    changed = record(server, recorder)
    trigger(handler, oversized_bytes=10).changes(changed)
    message = json.loads(handler.events[-1]["invokingEvent"])
    assert message["messageType"] == "OversizedConfigurationItemChangeNotification"
    assert "configurationItem" not in message
    count = len(handler.events)
    (name,) = [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]]
    assert trigger(handler).changes([]).invocations == 0
    config.start_config_rules_evaluation(ConfigRuleNames=[name])
    assert trigger(handler).changes([]).invocations > 0
    assert len(handler.events) > count


def test_errors_of_a_function_are_kept_and_are_no_evaluations(server: MotoServer) -> None:
    config, _, handler, _ = parts(server, "raise")
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X"))
    tally = trigger(handler).schedules()
    assert (tally.invocations, tally.errors) == (1, 1)
    (status,) = config.describe_config_rule_evaluation_status()["ConfigRulesEvaluationStatus"]
    assert status["LastErrorMessage"] == "ValueError: broken rule"
    name = status["ConfigRuleName"]
    assert config.get_compliance_details_by_config_rule(ConfigRuleName=name)["EvaluationResults"] == []


def test_an_updated_pack_drops_rules_and_a_deleted_one_all(server: MotoServer) -> None:
    config, *_ = parts(server)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X", "PCI_Y"))
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_Y"))
    assert [rule["ConfigRuleName"].split("-")[0] for rule in config.describe_config_rules()["ConfigRules"]] == ["PCI_Y"]
    assert len(config.describe_conformance_packs()["ConformancePackDetails"]) == 1
    assert (
        config.describe_conformance_pack_status()["ConformancePackStatusDetails"][0]["ConformancePackState"]
        == "CREATE_COMPLETE"
    )
    config.delete_conformance_pack(ConformancePackName="pci")
    assert config.describe_config_rules()["ConfigRules"] == []
    with pytest.raises(ClientError, match="NoSuchConformancePackException"):
        config.delete_conformance_pack(ConformancePackName="pci")


def test_refusals_have_aws_names(server: MotoServer) -> None:
    config, *_ = parts(server)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X"))
    (name,) = [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]]
    fix = {"ConfigRuleName": name, "TargetType": "SSM_DOCUMENT", "TargetId": "X"}
    for call, code in (
        (lambda: config.put_evaluations(Evaluations=[], ResultToken="made up"), "InvalidResultTokenException"),
        (lambda: config.put_conformance_pack(ConformancePackName="p", TemplateBody="{Resources: {B: {Type: X}}}"), "ConformancePackTemplateValidationException"),
        (lambda: config.put_remediation_configurations(RemediationConfigurations=[fix]), "InsufficientPermissionsException"),
        (lambda: config.get_compliance_details_by_config_rule(ConfigRuleName="nope"), "NoSuchConfigRuleException"),
        (lambda: config.get_resource_config_history(resourceType="AWS::EC2::VPC", resourceId="nope"), "ResourceNotDiscoveredException"),
        (lambda: config.start_remediation_execution(ConfigRuleName=name, ResourceKeys=[{"resourceType": "AWS::EC2::VPC", "resourceId": "v"}]), "NoSuchRemediationConfigurationException"),
    ):  # fmt: skip
        with pytest.raises(ClientError, match=code):
            call()


DOCUMENT = """
schemaVersion: "0.3"
parameters: {Id: {type: String}, N: {type: Integer}}
mainSteps:
- name: Do
  action: aws:executeAwsApi
  inputs: {Service: sqs, Api: CreateQueue, QueueName: "{{ Id }}"}
  outputs: [{Name: Url, Selector: $.QueueUrl, Type: String}]
outputs: [Do.Url]
"""


def test_remediation_runs_the_document_with_texts_and_tells_the_state(server: MotoServer) -> None:
    config, *_ = parts(server)
    ssm = server.clients(ACCOUNT, REGION).build_client("ssm")
    ssm.create_document(Name="MakeQueue", DocumentType="Automation", DocumentFormat="YAML", Content=DOCUMENT)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=pack("PCI_X", remediation="MakeQueue"))
    (name,) = [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]]
    assert (
        config.describe_remediation_configurations(ConfigRuleNames=[name])["RemediationConfigurations"][0]["TargetId"]
        == "MakeQueue"
    )
    keys = [{"resourceType": "AWS::EC2::VPC", "resourceId": "a-queue"}]
    config.start_remediation_execution(ConfigRuleName=name, ResourceKeys=keys)
    (status,) = config.describe_remediation_execution_status(ConfigRuleName=name)["RemediationExecutionStatuses"]
    assert (status["State"], status["StepDetails"][0]["State"]) == ("SUCCEEDED", "SUCCEEDED")
    queues = server.clients(ACCOUNT, REGION).build_client("sqs").list_queues()["QueueUrls"]
    assert queues[0].endswith("/a-queue")
    (execution,) = ssm.describe_automation_executions()["AutomationExecutionMetadataList"]
    assert execution["AutomationExecutionStatus"] == "Success"
    with pytest.raises(ClientError, match="InvalidAutomationExecutionParametersException"):
        ssm.start_automation_execution(DocumentName="MakeQueue", Parameters={"Id": ["x"], "N": ["one"]})
    with pytest.raises(ClientError, match="AutomationDefinitionNotFoundException"):
        ssm.start_automation_execution(DocumentName="Nothing")


def test_a_client_token_starts_one_execution(server: MotoServer) -> None:
    ssm = server.clients(ACCOUNT, REGION).build_client("ssm")
    ssm.create_document(Name="MakeQueue", DocumentType="Automation", DocumentFormat="YAML", Content=DOCUMENT)
    request = {"DocumentName": "MakeQueue", "Parameters": {"Id": ["once"], "N": ["1"]}}
    token = "0f9e8d7c-0000-4000-8000-00000000abcd"
    first = ssm.start_automation_execution(**request, ClientToken=token)["AutomationExecutionId"]
    assert ssm.start_automation_execution(**request, ClientToken=token.upper())["AutomationExecutionId"] == first
    (known,) = ssm.describe_automation_executions()["AutomationExecutionMetadataList"]
    assert known["AutomationExecutionId"] == first
    found = ssm.get_automation_execution(AutomationExecutionId=first)["AutomationExecution"]
    assert found["Parameters"] == request["Parameters"]
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ssm.start_automation_execution(DocumentName="MakeQueue", Parameters={"Id": ["x"], "N": ["1"]}, ClientToken=token)
    assert ssm.start_automation_execution(**request)["AutomationExecutionId"] != first


def test_approvals_over_the_api(server: MotoServer) -> None:
    ssm = server.clients(ACCOUNT, REGION).build_client("ssm")
    content = DOCUMENT.replace(
        "mainSteps:",
        "mainSteps:\n- {name: Ask, action: 'aws:approve', inputs: {Approvers: ['arn:aws:iam::600000000006:role/OrganizationAccountAccessRole']}}",
    )
    ssm.create_document(Name="AskFirst", DocumentType="Automation", DocumentFormat="YAML", Content=content)
    started = ssm.start_automation_execution(DocumentName="AskFirst", Parameters={"Id": ["asked"], "N": ["1"]})
    key = started["AutomationExecutionId"]
    assert (
        ssm.get_automation_execution(AutomationExecutionId=key)["AutomationExecution"]["AutomationExecutionStatus"] == "Waiting"
    )
    ssm.send_automation_signal(AutomationExecutionId=key, SignalType="Approve")
    assert (
        ssm.get_automation_execution(AutomationExecutionId=key)["AutomationExecution"]["AutomationExecutionStatus"] == "Success"
    )
    with pytest.raises(ClientError, match="InvalidAutomationSignalException"):
        ssm.send_automation_signal(AutomationExecutionId=key, SignalType="Approve")


def test_the_bundle_process_has_only_what_lambda_has(tmp_path: Any) -> None:
    bundle = tmp_path / "b.zip"
    with MotoServer() as server:
        for content, message in (
            ("import yaml", "ModuleNotFoundError: yaml is neither in the bundle nor provided by Lambda"),
            ("import msgspec", "ModuleNotFoundError: msgspec"),
            ("import boto3\ndef lambda_handler(e, c): raise RuntimeError('x' + e['a'])", "RuntimeError: xb"),
        ):
            with zipfile.ZipFile(bundle, "w") as archive:
                archive.writestr("pci_config/__init__.py", "")
                archive.writestr("pci_config/evaluator.py", content)
            with BundleRuntime(bundle, server) as runtime, pytest.raises(FunctionError, match=message):
                runtime.invoke("pci-config-rules", ACCOUNT, REGION, {"a": "b"})


def test_automatic_remediation_stops_after_too_many_attempts(server: MotoServer) -> None:
    config, state, handler, _ = parts(server)
    ssm = server.clients(ACCOUNT, REGION).build_client("ssm")
    ssm.create_document(Name="MakeQueue", DocumentType="Automation", DocumentFormat="YAML", Content=DOCUMENT)
    template = json.loads(pack("PCI_X", remediation="MakeQueue"))
    limits = {"Automatic": True, "MaximumAutomaticAttempts": 2, "RetryAttemptSeconds": 3600}
    template["Resources"]["Fix"]["Properties"].update(limits)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=json.dumps(template))
    trigger(handler).schedules()
    (name,) = [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]]

    def start(rule_name: str, key: dict[str, str]) -> None:
        config.start_remediation_execution(ConfigRuleName=rule_name, ResourceKeys=[key])

    now = datetime(2026, 11, 1, tzinfo=UTC)
    counts = [remediate(state, start, now + timedelta(minutes=minutes)) for minutes in (0, 10, 20, 500)]
    assert counts == [1, 1, 0, 0], "the third look finds two attempts within the hour and puts an exception, which stays"
    (exception,) = config.describe_remediation_exceptions(ConfigRuleName=name)["RemediationExceptions"]
    assert exception["ResourceId"] == ACCOUNT
    keys = [{"ResourceType": "AWS::::Account", "ResourceId": ACCOUNT}]
    config.delete_remediation_exceptions(ConfigRuleName=name, ResourceKeys=keys)
    assert remediate(state, start, now + timedelta(minutes=501)) == 1


def test_attempts_outside_the_window_do_not_count(server: MotoServer) -> None:
    config, state, handler, _ = parts(server)
    template = json.loads(pack("PCI_X", remediation="Any"))
    template["Resources"]["Fix"]["Properties"].update(Automatic=True, MaximumAutomaticAttempts=1, RetryAttemptSeconds=60)
    config.put_conformance_pack(ConformancePackName="pci", TemplateBody=json.dumps(template))
    trigger(handler).schedules()
    started: list[str] = []
    now = datetime(2026, 11, 1, tzinfo=UTC)
    for minutes in (0, 2, 4):
        remediate(state, lambda rule, key: started.append(key["resourceId"]), now + timedelta(minutes=minutes))
    assert started == [ACCOUNT] * 3
