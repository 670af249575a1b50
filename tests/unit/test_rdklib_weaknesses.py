"""What rdklib 0.3.10 does, run as it is, beside what our evaluator does: the reason that the evaluator exists.

If a test here fails after an update of rdklib, the weakness is gone and that part of the evaluator may go too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from rdklib import ComplianceType, ConfigRule, Evaluation, Evaluator
from rdklib.errors import InvalidParametersError

from pci_config import evaluator
from pci_config.rule import ParameterError, PciRule, about, compliant
from pci_config.settings import Settings

VPC = "AWS::EC2::VPC"


class Calls:
    """Stands in for boto3.client: counts clients and calls, answers from a table."""

    def __init__(self, replies: dict[str, Any] | None = None) -> None:
        self.clients: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.replies = replies or {}

    def client(self, service: str, *_: Any, **__: Any) -> Any:
        self.clients.append(service)
        outer = self

        class Client:
            def __getattr__(self, operation: str) -> Any:
                def call(**parameters: Any) -> Any:
                    outer.calls.append((operation, parameters))
                    if operation == "assume_role":
                        return {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}}
                    return outer.replies.get(operation, {})

                return call

            def get_paginator(self, operation: str) -> Any:
                outer.calls.append((operation, {}))
                pages = [outer.replies[operation]]
                return type("Paginator", (), {"paginate": lambda self, **_: pages})()

        return Client()

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    recorded = Calls()
    monkeypatch.setattr(boto3, "client", recorded.client)
    monkeypatch.setattr(evaluator, "_clients", evaluator.CachedClients())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return recorded


class Theirs(ConfigRule):  # type: ignore[misc]
    error: Exception | None = None

    def evaluate_parameters(self, rule_parameters: Any) -> Any:
        if isinstance(self.error, InvalidParametersError):
            raise self.error
        return rule_parameters

    def evaluate_change(self, event: Any, client_factory: Any, configuration_item: Any, valid_rule_parameters: Any) -> Any:
        if self.error:
            raise self.error
        return [Evaluation(ComplianceType.COMPLIANT)]

    def evaluate_periodic(self, event: Any, client_factory: Any, valid_rule_parameters: Any) -> Any:
        return [Evaluation(ComplianceType.COMPLIANT, "shared-name", "AWS::EC2::Subnet")]


class PciOurs(PciRule):
    resource_types = ("AWS::EC2::SecurityGroup",)
    periodic_types = (VPC, "AWS::EC2::Subnet")
    error: Exception | None = None

    def evaluate_parameters(self, rule_parameters: Any) -> Any:
        if isinstance(self.error, InvalidParametersError):
            raise self.error
        return super().evaluate_parameters({})

    def decide(self, item: Any, parameters: Any, facts: Any) -> Any:
        if self.error:
            raise self.error
        return compliant("fine")

    def decide_account(self, parameters: Any, facts: Any) -> Any:
        return [about(compliant("fine"), "AWS::EC2::Subnet", "shared-name")]


def ours(error: Exception | None = None) -> Any:
    rule = PciOurs(Settings())
    rule.error = error
    return rule


def theirs(error: Exception | None = None) -> Any:
    rule = Theirs()
    rule.error = error
    return Evaluator(rule, ["AWS::EC2::SecurityGroup"])


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeVpcs")


@pytest.mark.parametrize("error", [DENIED, ValueError("odd"), ParameterError("bad")], ids=["denied", "value", "parameter"])
def test_errors_look_like_success_in_rdklib_and_raise_here(
    calls: Calls, sample: Callable[[str], Any], error: Exception
) -> None:
    event = sample("events/change")
    answer = theirs(error).handle(event, None)
    assert isinstance(answer, dict), "Lambda counts this invocation as a success"
    assert "put_evaluations" not in calls.operations, "and no evaluation is put: the old verdict stays"
    with pytest.raises(type(error)):
        evaluator.handle(ours(error), event, None)


def test_rdklib_assumes_a_role_and_builds_clients_for_every_event(calls: Calls, sample: Callable[[str], Any]) -> None:
    event = sample("events/change")
    for _ in range(3):
        theirs().handle(event, None)
    assert calls.operations == ["assume_role", "put_evaluations"] * 3
    assert calls.clients == ["sts", "config"] * 3

    calls.calls.clear()
    calls.clients.clear()
    for _ in range(3):
        evaluator.handle(ours(), event, None)
    assert calls.operations == ["put_evaluations"] * 3
    assert calls.clients == ["config"]


def test_rdklib_retires_by_id_alone(calls: Calls, sample: Callable[[str], Any]) -> None:
    vanished = {"EvaluationResultIdentifier": {"EvaluationResultQualifier": {"ResourceType": VPC, "ResourceId": "shared-name"}}}
    calls.replies["get_compliance_details_by_config_rule"] = {"EvaluationResults": [vanished]}
    event = sample("events/scheduled")

    answer = theirs().handle(event, None)
    assert [e["ComplianceResourceType"] for e in answer] == ["AWS::EC2::Subnet"], "the vanished VPC keeps its verdict for ever"

    evaluations = evaluator.handle(ours(), event, None)
    assert (VPC, "NOT_APPLICABLE") in {(e["ComplianceResourceType"], e["ComplianceType"]) for e in evaluations}


def test_rdklib_does_not_read_failed_evaluations(calls: Calls, sample: Callable[[str], Any]) -> None:
    event = sample("events/change")
    failed = {"ComplianceResourceType": "AWS::EC2::SecurityGroup", "ComplianceResourceId": "sg-0c0ffee1234567890"}
    calls.replies["put_evaluations"] = {"FailedEvaluations": [failed]}
    assert isinstance(theirs().handle(event, None), list), "refused by Config, reported as done"
    with pytest.raises(evaluator.EvaluationsNotAccepted):
        evaluator.handle(ours(), event, None)


def test_rdklib_inflates_to_another_shape_than_the_event(calls: Calls, sample: Callable[[str], Any]) -> None:
    from rdklib.util.service import convert_into_notification_config_item

    from pci_config.items import to_event_form

    raw = sample("forms/get_resource_config_history")["configurationItems"][0]
    inflated = convert_into_notification_config_item(raw)
    assert "configurationItemVersion" not in inflated
    assert isinstance(inflated["configurationStateId"], str)
    event_form = sample("AWS_S3_Bucket")
    assert json.dumps(to_event_form(raw), sort_keys=True) == json.dumps(event_form, sort_keys=True)
