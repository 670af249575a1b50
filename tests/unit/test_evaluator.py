"""The Lambda side, event by event."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pci_config import evaluator
from pci_config.rule import (
    Facts,
    Finding,
    Lookup,
    ParameterError,
    PciRule,
    RuleInputError,
    about,
    compliant,
    integer,
    non_compliant,
)
from pci_config.settings import Settings

SECURITY_GROUP = "AWS::EC2::SecurityGroup"


@dataclass(frozen=True, slots=True)
class Limit:
    maximum: int = integer(5, 1, 10)


class Owner(Lookup[str]):
    actions = ("sts:GetCallerIdentity",)

    @classmethod
    def live(cls, clients: Any, scope: Any, *key: str) -> str:
        return str(clients.build_client("sts").get_caller_identity()["Account"])


class PciExample(PciRule):
    """Groups named `cde-app-sg` are wrong."""

    resource_types = (SECURITY_GROUP, "AWS::S3::Bucket")
    parameters = Limit
    asks = False
    fails: Exception | None = None

    def decide(self, item: Mapping[str, Any], parameters: Limit, facts: Facts) -> Finding:
        if self.fails:
            raise self.fails
        if self.asks:
            facts.get(Owner)
            facts.get(Owner)
        wrong = item["resourceName"] == "cde-app-sg"
        return non_compliant("wrong name " + "x" * 400) if wrong else compliant(f"fine, {parameters.maximum}")


class PciExamplePeriodic(PciRule):
    periodic_types = ("AWS::EC2::VPC",)
    found: Sequence[Finding] = ()

    def decide_account(self, parameters: Any, facts: Facts) -> Sequence[Finding]:
        assert facts.scope.region == "eu-west-1"
        assert facts.scope.now == datetime(2026, 10, 5, 12, 0, 0, 373000, tzinfo=UTC)
        return self.found


class FakeConfig:
    """Records every call; answers as told."""

    def __init__(self, replies: Mapping[str, Any] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.replies = dict(replies or {})

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.calls.append((operation, parameters))
            reply = self.replies.get(operation, {})
            return reply.pop(0) if isinstance(reply, list) else reply

        return call

    def get_paginator(self, operation: str) -> Any:
        outer = self

        class Paginator:
            def paginate(self, **parameters: Any) -> list[Any]:
                outer.calls.append((operation, parameters))
                return list(outer.replies[operation])

        return Paginator()


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> FakeConfig:
    fake = FakeConfig()

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            assert service == "config"
            return fake

    monkeypatch.setattr(evaluator, "_clients", Clients())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return fake


@pytest.fixture
def change(sample: Callable[[str], Any]) -> dict[str, Any]:
    event: dict[str, Any] = sample("events/change")
    event["ruleParameters"] = '{"RuleId": "PCI_EXAMPLE", "Maximum": "7"}'
    return event


def changed(event: Mapping[str, Any], **replacements: Any) -> dict[str, Any]:
    """The event with members of its configuration item replaced."""
    event = copy.deepcopy(dict(event))
    invoking_event = json.loads(event["invokingEvent"])
    invoking_event["configurationItem"].update(replacements)
    event["invokingEvent"] = json.dumps(invoking_event)
    return event


def rule(cls: type[PciRule] = PciExample, **attributes: Any) -> Any:
    instance = cls(Settings())
    for name, value in attributes.items():
        setattr(instance, name, value)
    return instance


def test_a_change_event_costs_exactly_one_call(config: FakeConfig, change: dict[str, Any]) -> None:
    evaluations = evaluator.handle(rule(), change, None)
    ((operation, parameters),) = config.calls
    assert operation == "put_evaluations"
    assert parameters == {"Evaluations": evaluations, "ResultToken": "eyJlbmNyeXB0ZWREYXRhIjpbMV19", "TestMode": False}
    (evaluation,) = evaluations
    annotation = evaluation.pop("Annotation")
    assert annotation.startswith("wrong name xxx")
    assert len(annotation) == 256
    assert evaluation == {
        "ComplianceResourceType": SECURITY_GROUP,
        "ComplianceResourceId": "sg-0c0ffee1234567890",
        "ComplianceType": "NON_COMPLIANT",
        "OrderingTimestamp": "2026-10-05T08:14:27.381Z",
    }


def test_parameters_reach_the_decision(config: FakeConfig, change: dict[str, Any]) -> None:
    (evaluation,) = evaluator.handle(rule(), changed(change, resourceName="other"), None)
    assert (evaluation["ComplianceType"], evaluation["Annotation"]) == ("COMPLIANT", "fine, 7")


@pytest.mark.parametrize("parameters", ['{"Maximum": "11"}', '{"Maximum": "x"}', '{"Maximun": "5"}', '{"Maximum": 5}'])
def test_bad_parameters_raise_and_nothing_is_put(
    config: FakeConfig, change: dict[str, Any], capsys: pytest.CaptureFixture[str], parameters: str
) -> None:
    with pytest.raises(ParameterError, match="Maxim"):
        evaluator.handle(rule(), change | {"ruleParameters": parameters}, None)
    assert config.calls == []
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["rule"], line["error"]) == ("ERROR", "PCI_EXAMPLE", "ParameterError")


@pytest.mark.parametrize(
    "error",
    [
        RuleInputError("configuration.Port is missing"),
        ValueError("x"),
        KeyError("x"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeVpcs"),
    ],
)
def test_every_error_is_raised_after_one_line(
    config: FakeConfig, change: dict[str, Any], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    with pytest.raises(type(error)):
        evaluator.handle(rule(fails=error), change, None)
    assert config.calls == []
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("name", ["change_deleted", "change_left_scope"])
def test_deleted_and_left_scope_are_not_applicable(config: FakeConfig, sample: Callable[[str], Any], name: str) -> None:
    event = sample(f"events/{name}") | {"ruleParameters": "{}"}
    (evaluation,) = evaluator.handle(rule(fails=AssertionError("must not be asked")), event, None)
    assert evaluation["ComplianceType"] == "NOT_APPLICABLE"
    assert len(config.calls) == 1


@pytest.mark.parametrize("status", ["ResourceNotRecorded", "ResourceDeletedNotRecorded"])
def test_unrecorded_is_not_applicable(config: FakeConfig, change: dict[str, Any], status: str) -> None:
    (evaluation,) = evaluator.handle(rule(fails=AssertionError()), changed(change, configurationItemStatus=status), None)
    assert evaluation["ComplianceType"] == "NOT_APPLICABLE"


def test_other_resource_type_is_not_applicable(config: FakeConfig, change: dict[str, Any]) -> None:
    (evaluation,) = evaluator.handle(rule(), changed(change, resourceType="AWS::EC2::VPC"), None)
    assert evaluation["ComplianceType"] == "NOT_APPLICABLE"


@pytest.mark.parametrize("member", ["resourceType", "resourceId", "configurationItemStatus", "configurationItemCaptureTime"])
def test_missing_header_members_raise(config: FakeConfig, change: dict[str, Any], member: str) -> None:
    with pytest.raises(RuleInputError, match=member):
        evaluator.handle(rule(), changed(change, **{member: None}), None)


def test_oversized_items_are_inflated_from_history_at_their_own_time(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    config.replies["get_resource_config_history"] = sample("forms/get_resource_config_history")
    event = sample("events/oversized") | {"ruleParameters": "{}"}
    (evaluation,) = evaluator.handle(rule(), event, None)
    assert evaluation["ComplianceResourceId"] == "aurum-log-archive-trail"
    assert evaluation["ComplianceType"] == "COMPLIANT"
    assert [operation for operation, _ in config.calls] == ["get_resource_config_history", "put_evaluations"]
    assert config.calls[0][1]["laterTime"] == "2026-10-05T08:14:27.381Z"


def test_oversized_without_history_raises(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    config.replies["get_resource_config_history"] = {"configurationItems": []}
    with pytest.raises(RuleInputError, match="no configuration history"):
        evaluator.handle(rule(), sample("events/oversized") | {"ruleParameters": "{}"}, None)


def stored(*resources: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "EvaluationResults": [
                {"EvaluationResultIdentifier": {"EvaluationResultQualifier": {"ResourceType": t, "ResourceId": i}}}
            ]
        }
        for t, i in resources
    ]


def test_periodic_retires_by_type_and_id(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    config.replies["get_compliance_details_by_config_rule"] = stored(
        ("AWS::EC2::VPC", "vpc-1"), ("AWS::EC2::VPC", "vpc-gone"), ("AWS::EC2::Subnet", "vpc-1"), (SECURITY_GROUP, "sg-1")
    )
    found = [about(compliant("ok"), "AWS::EC2::VPC", "vpc-1"), about(non_compliant("bad"), "AWS::EC2::VPC", "vpc-2")]
    evaluations = evaluator.handle(rule(PciExamplePeriodic, found=found), sample("events/scheduled_no_parameters"), None)
    verdicts = {(e["ComplianceResourceType"], e["ComplianceResourceId"]): e["ComplianceType"] for e in evaluations}
    assert verdicts == {
        ("AWS::EC2::VPC", "vpc-1"): "COMPLIANT",
        ("AWS::EC2::VPC", "vpc-2"): "NON_COMPLIANT",
        ("AWS::EC2::VPC", "vpc-gone"): "NOT_APPLICABLE",
    }, "types that the periodic run does not report are left to change events"
    assert {e["OrderingTimestamp"] for e in evaluations} == {"2026-10-05T12:00:00.373Z"}


def test_periodic_with_nothing_to_judge_still_answers(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    config.replies["get_compliance_details_by_config_rule"] = stored()
    (evaluation,) = evaluator.handle(rule(PciExamplePeriodic), sample("events/scheduled_no_parameters"), None)
    assert (evaluation["ComplianceResourceType"], evaluation["ComplianceType"]) == ("AWS::::Account", "NOT_APPLICABLE")


class PciExampleSweep(PciRule):
    resource_types = (SECURITY_GROUP,)
    sweeps = True

    def decide(self, item: Mapping[str, Any], parameters: Any, facts: Facts) -> Finding:
        if item["configuration"]["groupName"] == "unreadable":
            raise RuleInputError("no such shape")
        return non_compliant("bad") if item["configuration"]["groupName"] == "bad" else compliant("ok")


def base_item(group_id: str, name: str, status: str = "OK") -> dict[str, Any]:
    """As BatchGetResourceConfig gives it."""
    return {
        "version": "1.3", "accountId": "123456789012", "configurationItemCaptureTime": datetime(2026, 10, 1, tzinfo=UTC),
        "configurationItemStatus": status, "configurationStateId": "1", "arn": f"arn:{group_id}", "resourceType": SECURITY_GROUP,
        "resourceId": group_id, "awsRegion": "eu-west-1", "configuration": json.dumps({"groupName": name}),
        "supplementaryConfiguration": {},
    }  # fmt: skip


def key(group_id: str) -> dict[str, str]:
    return {"resourceType": SECURITY_GROUP, "resourceId": group_id}


def sweep(config: FakeConfig, names: Mapping[str, str], replies: list[Any]) -> None:
    config.replies |= {
        "list_discovered_resources": [{"resourceIdentifiers": [key(group)]} for group in names],
        "batch_get_resource_config": replies,
        "get_compliance_details_by_config_rule": stored(
            (SECURITY_GROUP, "sg-gone"), (SECURITY_GROUP, "sg-1"), ("AWS::EC2::VPC", "v")
        ),
    }


def test_a_sweep_judges_every_recorded_item_again_and_retires_the_vanished(
    config: FakeConfig, sample: Callable[[str], Any]
) -> None:
    names = {"sg-1": "bad", "sg-2": "good"}
    sweep(config, names, [
        {"baseConfigurationItems": [base_item("sg-1", "bad")], "unprocessedResourceKeys": [key("sg-2")]},
        {"baseConfigurationItems": [base_item("sg-2", "good")], "unprocessedResourceKeys": []},
    ])  # fmt: skip
    evaluations = evaluator.handle(rule(PciExampleSweep), sample("events/scheduled_no_parameters"), None)
    assert {(e["ComplianceResourceId"], e["ComplianceType"]) for e in evaluations} == {
        ("sg-1", "NON_COMPLIANT"), ("sg-2", "COMPLIANT"), ("sg-gone", "NOT_APPLICABLE"),
    }  # fmt: skip
    assert {e["OrderingTimestamp"] for e in evaluations} == {"2026-10-05T12:00:00.373Z"}
    assert [c["resourceKeys"] for name, c in config.calls if name == "batch_get_resource_config"] == [
        [key("sg-1"), key("sg-2")],
        [key("sg-2")],
    ]


def test_what_a_sweep_cannot_judge_is_raised_after_the_rest_is_reported_and_never_retired(
    config: FakeConfig, sample: Callable[[str], Any]
) -> None:
    unanswered = {"baseConfigurationItems": [], "unprocessedResourceKeys": [key("sg-1")]}
    sweep(config, {"sg-1": "", "sg-2": "", "sg-3": ""}, [
        {"baseConfigurationItems": [base_item("sg-2", "unreadable"), base_item("sg-3", "good")], "unprocessedResourceKeys": [key("sg-1")]},
        *[unanswered] * 9,
    ])  # fmt: skip
    with pytest.raises(
        evaluator.SweepIncomplete, match=r"^2 of .* first: AWS::EC2::SecurityGroup sg-2: RuleInputError: no such shape"
    ):
        evaluator.handle(rule(PciExampleSweep), sample("events/scheduled_no_parameters"), None)
    (put,) = [parameters for name, parameters in config.calls if name == "put_evaluations"]
    assert {(e["ComplianceResourceId"], e["ComplianceType"]) for e in put["Evaluations"]} == {
        ("sg-3", "COMPLIANT"), ("sg-gone", "NOT_APPLICABLE"),
    }  # fmt: skip


def test_a_sweep_over_nothing_still_answers(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    sweep(config, {}, [])
    config.replies["get_compliance_details_by_config_rule"] = stored()
    (evaluation,) = evaluator.handle(rule(PciExampleSweep), sample("events/scheduled_no_parameters"), None)
    assert (evaluation["ComplianceResourceType"], evaluation["ComplianceType"]) == ("AWS::::Account", "NOT_APPLICABLE")


def test_proactive_is_answered_as_not_supported(config: FakeConfig, change: dict[str, Any]) -> None:
    (evaluation,) = evaluator.handle(rule(fails=AssertionError()), change | {"evaluationMode": "PROACTIVE"}, None)
    assert (evaluation["ComplianceType"], evaluation["Annotation"]) == (
        "NOT_APPLICABLE",
        "proactive evaluation is not supported",
    )


def test_proactive_without_a_resource_raises(config: FakeConfig, sample: Callable[[str], Any]) -> None:
    event = sample("events/scheduled_no_parameters") | {"evaluationMode": "PROACTIVE"}
    with pytest.raises(evaluator.UnsupportedEvent, match="proactive"):
        evaluator.handle(rule(), event, None)


def test_other_messages_raise(config: FakeConfig, change: dict[str, Any]) -> None:
    event = change | {"invokingEvent": json.dumps({"messageType": "ConfigurationSnapshotDeliveryCompleted"})}
    with pytest.raises(evaluator.UnsupportedEvent, match="ConfigurationSnapshotDeliveryCompleted"):
        evaluator.handle(rule(), event, None)


def evaluations(count: int) -> list[dict[str, Any]]:
    return [
        {"ComplianceResourceType": "AWS::S3::Bucket", "ComplianceResourceId": f"b{n}", "ComplianceType": "COMPLIANT"}
        for n in range(count)
    ]


def test_evaluations_go_in_batches_of_100() -> None:
    config = FakeConfig()
    evaluator.put_evaluations(config, evaluations(250), "token")
    assert [len(parameters["Evaluations"]) for _, parameters in config.calls] == [100, 100, 50]


def test_refused_evaluations_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    batch = evaluations(3)
    echoed = [dict(batch[1], OrderingTimestamp=datetime(2026, 1, 1, tzinfo=UTC))]
    config = FakeConfig(
        {"put_evaluations": [{"FailedEvaluations": echoed}, {"FailedEvaluations": echoed}, {"FailedEvaluations": []}]}
    )
    evaluator.put_evaluations(config, batch, "token")
    assert [parameters["Evaluations"] for _, parameters in config.calls] == [batch, [batch[1]], [batch[1]]]
    assert waits == [0.2, 0.4]


def test_evaluations_refused_for_good_raise_with_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    batch = evaluations(2)
    config = FakeConfig({"put_evaluations": [{"FailedEvaluations": batch} for _ in range(evaluator.PUT_ATTEMPTS)]})
    with pytest.raises(evaluator.EvaluationsNotAccepted, match=r"2 evaluations 5 times.*b0"):
        evaluator.put_evaluations(config, batch, "token")
    assert len(config.calls) == evaluator.PUT_ATTEMPTS


def test_test_mode_token_of_rdk() -> None:
    config = FakeConfig()
    evaluator.put_evaluations(config, evaluations(1), "TESTMODE")
    assert config.calls[0][1]["TestMode"] is True


def test_clients_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(boto3, "client", lambda service, **rest: built.append((service, rest["region_name"])) or object())
    clients = evaluator.CachedClients()
    assert clients.build_client("ec2") is clients.build_client("ec2")
    assert clients.build_client("ec2", "us-east-1") is not clients.build_client("ec2")
    assert built == [("ec2", None), ("ec2", "us-east-1")]


def test_a_fact_is_asked_once_per_decision(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    asked: list[str] = []

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            asked.append(service)
            return FakeConfig({"get_caller_identity": {"Account": "123456789012"}})

    monkeypatch.setattr(evaluator, "_clients", Clients())
    evaluator.handle(rule(asks=True), change, None)
    assert asked == ["sts", "config"]


@pytest.mark.parametrize("rule_id", [None, "", "PCI_", "../x", "pci_config.evaluator", "PCI_NOT_THERE"])
def test_the_dispatcher_takes_only_bundled_rules(change: dict[str, Any], rule_id: str | None, capsys: Any) -> None:
    event = change | {"ruleParameters": json.dumps({"RuleId": rule_id} if rule_id is not None else {})}
    with pytest.raises(RuleInputError, match="RuleId"):
        evaluator.lambda_handler(event, None)
    assert json.loads(capsys.readouterr().out)["error"] == "RuleInputError"


def test_log_lines_hold_no_item_content(config: FakeConfig, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    with pytest.raises(RuleInputError):
        evaluator.handle(rule(fails=RuleInputError("configuration.Port is missing")), change, None)
    assert "temporary, ticket 4711" not in out.getvalue()
