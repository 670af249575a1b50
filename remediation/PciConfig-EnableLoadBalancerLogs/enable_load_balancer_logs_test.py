"""PciConfig-EnableLoadBalancerLogs: logs on, to the archive, and nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pci_config.runbook import Refused
from script_loader import load_script

script = load_script("PciConfig-EnableLoadBalancerLogs")
ACCOUNT = "123456789012"
ARCHIVE = "card-issuer-log-archive-elb-eu-west-1"
SETTINGS = {"LogArchive": {"Account": "300000000003", "Buckets": ["card-issuer-log-archive-*"]}}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)
    with mock_aws():
        yield


def bucket(name: str) -> None:
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )


def balancer(kind: str = "application", **attributes: str) -> dict[str, str]:
    for name in {ARCHIVE, attributes.get("access_logs.s3.bucket", ARCHIVE)}:
        bucket(name)
    ec2, elb = (boto3.client(service, region_name="eu-west-1") for service in ("ec2", "elbv2"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    arn = elb.create_load_balancer(Name="shop", Subnets=subnets, Type=kind)["LoadBalancers"][0]["LoadBalancerArn"]
    # AWS lists the attribute from the start; moto only once it was set
    pairs = [{"Key": key, "Value": value} for key, value in {"access_logs.s3.enabled": "false", **attributes}.items()]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)
    return {"LoadBalancer": arn, "ArchiveBucket": ARCHIVE}


def classic() -> dict[str, str]:
    bucket(ARCHIVE)
    boto3.client("elb", region_name="eu-west-1").create_load_balancer(
        LoadBalancerName="legacy",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=["eu-west-1a"],
    )
    return {"LoadBalancer": "legacy", "ArchiveBucket": ARCHIVE}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "application without logs": balancer,
    "network without logs": lambda: balancer("network"),
    "classic without logs": classic,
    "logs to another bucket, with Repoint": lambda: {
        **balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "team-logs"}),
        "Repoint": "true",
    },
}


def attributes(balancer: str) -> dict[str, Any]:
    if not balancer.startswith("arn:"):
        found: dict[str, Any] = boto3.client("elb", region_name="eu-west-1").describe_load_balancer_attributes(
            LoadBalancerName=balancer
        )["LoadBalancerAttributes"]
        return found
    client = boto3.client("elbv2", region_name="eu-west-1")
    return {a["Key"]: a["Value"] for a in client.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]}


def run(**changes: str) -> dict[str, Any]:
    events = {
        "ArchiveBucket": ARCHIVE,
        "Repoint": "false",
        "DryRun": "false",
        "EvidenceBucket": "none",
        "Document": "PciConfig-EnableLoadBalancerLogs",
        "ExecutionId": "e-1",
        "AccountId": ACCOUNT,
        "Region": "eu-west-1",
    }
    result: dict[str, Any] = script.handler(events | changes, None)
    return result


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = attributes(parameters["LoadBalancer"])
    dry = run(**parameters, DryRun="true")
    assert (dry["Changed"], attributes(parameters["LoadBalancer"])) == (False, before)
    assert len(json.loads(dry["Calls"])) == 1
    assert run(**parameters)["Changed"] is True
    after = attributes(parameters["LoadBalancer"])
    touched = {key for key in after if after[key] != before.get(key)}
    # AdditionalAttributes: moto invents an entry there with every modification
    assert touched <= {"AccessLog", "AdditionalAttributes", "access_logs.s3.enabled", "access_logs.s3.bucket"}
    assert ARCHIVE in json.dumps(after)
    assert (run(**parameters)["Changed"], attributes(parameters["LoadBalancer"])) == (False, after)


def test_logs_elsewhere_are_not_moved_unasked() -> None:
    parameters = balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "team-logs"})
    with pytest.raises(Refused, match=r"go to team-logs.*Repoint"):
        run(**parameters)
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.bucket"] == "team-logs"


def test_a_prefix_is_kept() -> None:
    parameters = balancer(**{"access_logs.s3.prefix": "shop"})
    run(**parameters)
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.prefix"] == "shop"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ArchiveBucket": "team-logs"}, "team-logs is no archive bucket"),
        ({"AccountId": "210987654321"}, "is not in 210987654321"),
        ({"Region": "us-east-1"}, "is not in"),
        ({"Repoint": "perhaps"}, "Repoint is 'perhaps'"),
        ({"DryRun": ""}, "DryRun"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = balancer()
    before = attributes(parameters["LoadBalancer"])
    with pytest.raises(Refused, match=message):
        run(**{**parameters, **changes})
    assert attributes(parameters["LoadBalancer"]) == before


def test_gone_gateway_and_missing_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = balancer()["LoadBalancer"]
    boto3.client("elbv2", region_name="eu-west-1").delete_load_balancer(LoadBalancerArn=arn)
    assert "no longer exists" in run(LoadBalancer=arn)["Message"]
    with pytest.raises(Refused, match="Gateway"):
        run(LoadBalancer=arn.replace("/app/", "/gwy/"))
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"without LogArchive\.Buckets"):
        run(LoadBalancer=arn)
