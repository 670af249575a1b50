"""Conditions in the sandbox's CloudFormation: what a parameter decides when a stack is made, and when it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox import services
from pci_config.sandbox.conditions_service import decided
from pci_config.sandbox.server import MotoServer

ACCOUNT, REGION = "600000000006", "eu-west-1"
NO_VALUE = {"Ref": "AWS::NoValue"}
TEMPLATE: dict[str, Any] = {
    "Parameters": {"MakeSecond": {"Type": "String", "Default": "no"}, "MakeKept": {"Type": "String", "Default": "no"}},
    "Conditions": {
        "HasSecond": {"Fn::Equals": [{"Ref": "MakeSecond"}, "yes"]},
        "HasKept": {"Fn::And": [{"Condition": "HasSecond"}, {"Fn::Equals": [{"Ref": "MakeKept"}, "yes"]}]},
    },
    "Resources": {
        "First": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "first"}},
        "Second": {"Type": "AWS::SNS::Topic", "Condition": "HasSecond", "Properties": {"TopicName": "second"}},
        "Kept": {
            "Type": "AWS::SNS::Topic",
            "Condition": "HasKept",
            "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {"TopicName": "kept"},
        },
    },
}


@pytest.fixture
def server() -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        services.install(started)
        yield started


def topics(server: MotoServer) -> list[str]:
    found = server.clients(ACCOUNT, REGION).build_client("sns").list_topics()["Topics"]
    return sorted(topic["TopicArn"].rsplit(":", 1)[-1] for topic in found)


def send(server: MotoServer, call: str, **parameters: str) -> list[str]:
    """The logical ids of the stack's resources afterwards."""
    formation = server.clients(ACCOUNT, REGION).build_client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    getattr(formation, call)(StackName="topics", TemplateBody=json.dumps(TEMPLATE), Parameters=given)
    found = formation.describe_stack_resources(StackName="topics")["StackResources"]
    assert formation.describe_stacks(StackName="topics")["Stacks"][0]["StackStatus"].endswith("E_COMPLETE")
    return sorted(resource["LogicalResourceId"] for resource in found)


def test_a_changed_parameter_makes_and_takes_away(server: MotoServer) -> None:
    assert send(server, "create_stack") == ["First"]
    assert send(server, "update_stack", MakeSecond="yes") == ["First", "Second"]
    assert topics(server) == ["first", "second"]
    assert send(server, "update_stack", MakeSecond="no") == ["First"]
    assert topics(server) == ["first"]


def test_what_is_to_be_retained_stays_when_its_condition_no_longer_holds(server: MotoServer) -> None:
    assert send(server, "create_stack", MakeSecond="yes", MakeKept="yes") == ["First", "Kept", "Second"]
    assert send(server, "update_stack") == ["First"]
    assert topics(server) == ["first", "kept"]
    server.clients(ACCOUNT, REGION).build_client("cloudformation").delete_stack(StackName="topics")
    assert topics(server) == ["kept"]


def test_an_update_that_changes_nothing_is_refused(server: MotoServer) -> None:
    send(server, "create_stack", MakeSecond="yes")
    with pytest.raises(ClientError, match="No updates are to be performed"):
        send(server, "update_stack", MakeSecond="yes")


def test_of_a_template_the_branches_that_are_taken_are_left() -> None:
    nested = {"Fn::If": ["A", {"Fn::If": ["B", "both", "one"]}, NO_VALUE]}
    policy = {"Condition": {"StringEquals": {"Fn::If": ["B", {"k": "b"}, {"k": "a"}]}}}
    template = {
        "Conditions": {"A": {}, "B": {}},
        "Resources": {"R": {"Type": "T", "Condition": "A", "Properties": {"List": [nested, "x"], "One": nested, **policy}}},
    }
    left = {"List": ["one", "x"], "One": "one", "Condition": {"StringEquals": {"k": "a"}}}
    assert decided(template, {"A": True, "B": False})["Resources"] == {"R": {"Type": "T", "Properties": left}}
    assert decided(template, {"A": False, "B": True})["Resources"] == {}
    del template["Resources"]["R"]["Condition"]
    absent = {"List": ["x"], "Condition": {"StringEquals": {"k": "b"}}}
    assert decided(template, {"A": False, "B": True})["Resources"] == {"R": {"Type": "T", "Properties": absent}}
    without = {"Resources": {"R": nested}}
    assert decided(without, {}) is without
