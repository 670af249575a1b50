"""The sandbox answers the queries that assessments send, and refuses every other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pci_config.sandbox.query_language import LONGEST, QueryRefusedError, parse


def test_conditions_are_joined_by_and(sample: Callable[[str], Any]) -> None:
    group = sample("AWS_EC2_SecurityGroup")
    where = "resourceType IN ('AWS::S3::Bucket', 'AWS::EC2::SecurityGroup') AND accountId = '123456789012'"
    assert parse(f"SELECT resourceId WHERE {where}").selects(group)
    assert parse(f"select resourceId where {where} and awsRegion in ('eu-west-1')").selects(group)
    assert not parse(f"SELECT resourceId WHERE {where} AND awsRegion = 'us-east-1'").selects(group)
    assert not parse("SELECT resourceId WHERE resourceType = 'AWS::EC2::VPC'").selects(group)


def test_members_and_their_encoding(sample: Callable[[str], Any]) -> None:
    group = sample("AWS_EC2_SecurityGroup")
    row = json.loads(parse("SELECT resourceId, arn, tags, configuration WHERE resourceType = 'x'").result(group))
    assert list(row) == ["resourceId", "arn", "tags", "configuration"]
    assert row["arn"] == group["ARN"]
    key, value = next(iter(group["tags"].items()))
    assert row["tags"][0] == {"key": key, "value": value, "tag": f"{key}={value}"}
    port = row["configuration"]["ipPermissions"][0]["fromPort"]
    assert (port, type(port)) == (443, float)
    assert "null" not in json.dumps(row)
    balancer = json.loads(
        parse("SELECT configuration WHERE resourceType = 'x'").result(sample("AWS_ElasticLoadBalancingV2_LoadBalancer"))
    )
    assert all(set(entry) == {"value"} for entry in balancer["configuration"]["securityGroups"])
    assert isinstance(balancer["configuration"]["availabilityZones"][0]["subnetId"], str)


def test_a_star_is_the_plain_members_only(sample: Callable[[str], Any]) -> None:
    row = json.loads(parse("SELECT * WHERE resourceType = 'x'").result(sample("AWS_EC2_SecurityGroup")))
    assert "resourceId" in row
    assert not {"configuration", "tags", "supplementaryConfiguration", "relationships"} & set(row)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "has 0 characters"),
        ("SELECT resourceId WHERE resourceType = '" + "x" * LONGEST, "1 to 4096 are allowed"),
        ("SELECT resourceId", "SELECT members WHERE conditions"),
        ("DELETE resourceId WHERE resourceType = 'x'", "SELECT members WHERE conditions"),
        ("SELECT configuration.groupId WHERE resourceType = 'x'", "no member 'configuration.groupId'"),
        ("SELECT COUNT(*) WHERE resourceType = 'x'", "no member"),
        ("SELECT resourceId WHERE configuration.groupId = 'x'", "= and IN on"),
        ("SELECT resourceId WHERE resourceType LIKE 'x%'", "= and IN on"),
        ("SELECT resourceId WHERE resourceType = 'x' OR accountId = '1'", "joined by AND"),
        ("SELECT resourceId WHERE resourceType = 'x' ORDER BY resourceId", "joined by AND"),
        ("SELECT resourceId WHERE resourceType IN ()", "= and IN on"),
        ("SELECT resourceId WHERE resourceType = 'x' AND", "joined by AND"),
    ],
)
def test_the_rest_is_refused(expression: str, message: str) -> None:
    with pytest.raises(QueryRefusedError, match="(?s)" + message.replace("*", r"\*")):
        parse(expression)


def test_the_longest_expression_is_taken() -> None:
    start = "SELECT resourceId WHERE resourceType = '"
    assert parse(start + "x" * (LONGEST - len(start) - 1) + "'").wanted[0][0] == "resourceType"
