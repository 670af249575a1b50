"""Calls that change the network, and which trails record them."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from pci_config.network_changes import (
    CIS,
    EXTENDED,
    IDENTITIES,
    UNRELATED,
    bus_event,
    calls,
    event_names,
    log_group_name,
    log_group_place,
    recorded_by,
    trail_event,
    width,
)
from pci_config.trail import MalformedTrailError

OWN, OTHER, HOME, REGION = "100000000001", "200000000002", "eu-west-1", "us-east-1"


def test_every_name_is_a_call_of_ec2() -> None:
    operations = set(botocore.session.get_session().get_service_model("ec2").operation_names)
    named = {name for group in event_names(extended=True).values() for name in group}
    # withdrawn from the API with EC2-Classic, still in the benchmark
    assert named - operations <= {
        "AttachClassicLinkVpc",
        "DetachClassicLinkVpc",
        "DisableVpcClassicLink",
        "EnableVpcClassicLink",
    }
    assert len(named) == sum(len(names) for names in event_names(extended=True).values())
    assert {group: len(names) for group, names in CIS.items()} == {
        "security group": 6, "network ACL": 6, "gateway": 6, "route table": 7, "VPC": 11,
    }  # fmt: skip


def test_extended_names_are_added_on_request() -> None:
    assert event_names(extended=False) == CIS
    assert event_names(extended=True)["security group"] == (*CIS["security group"], "ModifySecurityGroupRules")
    assert event_names(extended=True)["route table"] == (*CIS["route table"], "AssociateRouteTable")
    assert set(EXTENDED) <= set(CIS)


def test_a_call_comes_from_every_kind_of_caller_account_and_region() -> None:
    found = calls(["CreateVpc", "DeleteVpc"], (OWN, HOME), [OTHER, OWN], [HOME, REGION])
    assert [(call.name, call.told, call.account_id, call.region) for call in found[: len(found) // 2]] == [
        ("CreateVpc", "", OWN, HOME),
        ("CreateVpc", "by IAMUser", OWN, HOME),
        ("CreateVpc", "by Root", OWN, HOME),
        ("CreateVpc", "by FederatedUser", OWN, HOME),
        ("CreateVpc", f"of account {OTHER}", OTHER, HOME),
        ("CreateVpc", f"in {REGION}", OWN, REGION),
    ]
    assert {call.name for call in found[len(found) // 2 :]} == {"DeleteVpc"}
    for call in found:
        event = call.event
        assert (event["eventName"], event["recipientAccountId"], event["awsRegion"]) == (
            call.name,
            call.account_id,
            call.region,
        )
        assert event["userIdentity"]["accountId"] == call.account_id
        assert "{account}" not in str(event)
    assert len(set(found)) == len(found)


def test_an_event_is_as_cloudtrail_records_it() -> None:
    event = trail_event("CreateVpc", OWN, HOME)
    assert (event["eventSource"], event["eventType"], event["eventCategory"]) == (
        "ec2.amazonaws.com",
        "AwsApiCall",
        "Management",
    )
    assert event["readOnly"] is False
    assert "errorCode" not in event
    assert event["userIdentity"]["type"] == "AssumedRole"
    assert event["userIdentity"]["arn"] == f"arn:aws:sts::{OWN}:assumed-role/role/session"
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == f"arn:aws:iam::{OWN}:role/role"
    assert trail_event("DescribeVpcs", OWN, HOME, read_only=True)["readOnly"] is True
    assert trail_event("CreateVpc", OWN, HOME, IDENTITIES[2])["userIdentity"] == {
        "type": "Root", "principalId": OWN, "arn": f"arn:aws:iam::{OWN}:root", "accountId": OWN,
    }  # fmt: skip


def test_the_members_of_an_event() -> None:
    """By the CloudTrail user guide's record contents: a filter may ask for any of them."""
    event = trail_event(UNRELATED, OWN, HOME)
    assert UNRELATED == "DescribeInstances"
    assert " ".join(event) == (
        "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent requestParameters "
        "responseElements requestID eventID readOnly eventType managementEvent recipientAccountId eventCategory"
    )
    assert event["eventVersion"].count(".") == 1
    assert event["eventVersion"][0] == "1"
    assert list(event["responseElements"]) == ["requestId"]
    issuer = event["userIdentity"]["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["userName"]) == ("Role", "role")
    for identity in IDENTITIES:
        user = trail_event("CreateVpc", OWN, HOME, identity)["userIdentity"]
        assert {"type", "principalId", "arn", "accountId"} <= set(user)
        assert user["arn"].startswith(("arn:aws:iam::", "arn:aws:sts::"))
    assert " ".join(bus_event(event)) == "version id detail-type source account time region resources detail"


def test_an_event_on_the_bus() -> None:
    event = trail_event("CreateVpc", OWN, REGION)
    found = bus_event(event)
    assert found["detail"] == event
    assert (found["source"], found["detail-type"]) == ("aws.ec2", "AWS API Call via CloudTrail")
    assert (found["account"], found["region"], found["time"], found["id"]) == (
        OWN,
        REGION,
        event["eventTime"],
        event["eventID"],
    )


# -------------------------------------------------------------------------------------------------------------- trails


def trail(organization: bool = True, multi_region: bool = True, **members: Any) -> dict[str, Any]:
    return {
        "Name": "t",
        "TrailARN": f"arn:aws:cloudtrail:{HOME}:{OWN}:trail/t",
        "HomeRegion": HOME,
        "IsOrganizationTrail": organization,
        "IsMultiRegionTrail": multi_region,
        "CloudWatchLogsLogGroupArn": f"arn:aws:logs:{HOME}:{OWN}:log-group:t:*",
        **members,
    }


@pytest.mark.parametrize(
    ("organization", "multi_region", "recorded"),
    [
        (True, True, {(OWN, HOME), (OTHER, HOME), (OWN, REGION)}),
        (True, False, {(OWN, HOME), (OTHER, HOME)}),
        (False, True, {(OWN, HOME), (OWN, REGION)}),
        (False, False, {(OWN, HOME)}),
    ],
)
def test_a_trail_records_its_accounts_and_regions(organization: bool, multi_region: bool, recorded: Any) -> None:
    found = calls(["CreateVpc"], (OWN, HOME), [OTHER], [REGION])
    asked = trail(organization, multi_region)
    assert {(call.account_id, call.region) for call in found if recorded_by(asked, None, call)} == recorded
    assert width(asked) == (organization, multi_region)


def basic(read_write: str = "All", management: bool = True, excluded: Any = ()) -> dict[str, Any]:
    return {
        "ReadWriteType": read_write,
        "IncludeManagementEvents": management,
        "ExcludeManagementEventSources": list(excluded),
    }


def advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, *fields]}


def field(name: str, **operators: list[str]) -> dict[str, Any]:
    return {"Field": name, **operators}


@pytest.mark.parametrize(
    ("selectors", "recorded"),
    [
        ({}, False),
        ({"EventSelectors": [], "AdvancedEventSelectors": []}, False),
        ({"EventSelectors": [basic()]}, True),
        ({"EventSelectors": [basic("WriteOnly")]}, True),
        ({"EventSelectors": [basic("ReadOnly")]}, False),
        ({"EventSelectors": [basic("ReadOnly"), basic("WriteOnly")]}, True),
        ({"EventSelectors": [basic(management=False)]}, False),
        ({"EventSelectors": [basic(excluded=["kms.amazonaws.com"])]}, True),
        ({"EventSelectors": [basic(excluded=["ec2.amazonaws.com"])]}, False),
        ({"AdvancedEventSelectors": [advanced()]}, True),
        ({"AdvancedEventSelectors": [{"FieldSelectors": []}]}, False),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [field("eventCategory", Equals=["Data"])]}]}, False),
        ({"AdvancedEventSelectors": [advanced(field("readOnly", Equals=["false"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("readOnly", Equals=["true"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("readOnly", Equals=["true"])), advanced(field("readOnly", Equals=["false"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventSource", NotEquals=["kms.amazonaws.com"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventSource", NotEquals=["ec2.amazonaws.com"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventSource", NotEquals=["kms.amazonaws.com", "ec2.amazonaws.com"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", Equals=["DeleteVpc", "CreateVpc"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventName", Equals=["DeleteVpc"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", StartsWith=["Create"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventName", StartsWith=["Delete"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", NotStartsWith=["Create"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", EndsWith=["Vpc"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventName", NotEndsWith=["Vpc"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", StartsWith=["Create"], NotEquals=["CreateVpc"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventName", Equals=["CreateVpc"], NotEquals=[]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("eventName", Resembles=["CreateVpc"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("eventType", Equals=["AwsApiCall"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("userIdentity.arn", NotStartsWith=[f"arn:aws:sts::{OWN}:assumed-role/ci"]))]}, True),
        ({"AdvancedEventSelectors": [advanced(field("userIdentity.arn", NotStartsWith=[f"arn:aws:sts::{OWN}:assumed-role/r"]))]}, False),
        ({"AdvancedEventSelectors": [advanced(field("sessionCredentialFromConsole", NotEquals=["true"]))]}, False),
    ],
)  # fmt: skip
def test_selectors_are_evaluated_on_the_call(selectors: dict[str, Any], recorded: bool) -> None:
    (call, *_) = calls(["CreateVpc"], (OWN, HOME), [], [])
    assert recorded_by(trail(), selectors, call) is recorded


def test_where_a_trail_sends_its_events() -> None:
    assert log_group_place(trail()) == (OWN, HOME)
    assert log_group_name(trail()) == "t"
    for absent in (None, ""):
        assert log_group_place(trail(CloudWatchLogsLogGroupArn=absent)) is None
    for odd in ("t", f"arn:aws:logs:{HOME}:{OWN}:log-group", f"arn:aws:logs:{HOME}:{OWN}:destination:t"):
        with pytest.raises(MalformedTrailError, match="is no ARN of a log group"):
            log_group_place(trail(CloudWatchLogsLogGroupArn=odd))


@pytest.mark.parametrize("name", ["TrailARN", "HomeRegion", "IsOrganizationTrail", "IsMultiRegionTrail"])
def test_a_trail_that_does_not_say_is_no_verdict(name: str) -> None:
    found = calls(["CreateVpc"], (OWN, HOME), [OTHER], [REGION])
    with pytest.raises(MalformedTrailError):
        [recorded_by(trail(**{name: None}), None, call) for call in found]
