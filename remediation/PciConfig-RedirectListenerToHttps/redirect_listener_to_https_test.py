"""PciConfig-RedirectListenerToHttps: every request of an HTTP listener goes to HTTPS, where there is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pci_config.runbook import Refused
from pci_config.tls import redirect_fault
from script_loader import load_script

script = load_script("PciConfig-RedirectListenerToHttps")
ACCOUNT = "123456789012"
REDIRECT = script.redirect_to(443)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        yield


def elb() -> Any:
    return boto3.client("elbv2", region_name="eu-west-1")


def certificates() -> list[dict[str, str]]:
    made = boto3.client("acm", region_name="eu-west-1").request_certificate(DomainName="shop.example")
    return [{"CertificateArn": made["CertificateArn"]}]


def balancer(kind: str = "application") -> tuple[str, str]:
    """(load balancer, target group)"""
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    made = elb().create_load_balancer(Name="shop", Subnets=subnets, Type=kind)["LoadBalancers"][0]["LoadBalancerArn"]
    protocol = "HTTP" if kind == "application" else "TCP"
    target = elb().create_target_group(Name="t", Protocol=protocol, Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    return made, target


def listener(arn: str, protocol: str, port: int, *actions: Any, **more: Any) -> str:
    made = elb().create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=list(actions), **more)
    return str(made["Listeners"][0]["ListenerArn"])


def shop(*rules: Any, default: Any = None, https: bool = True) -> dict[str, str]:
    arn, target = balancer()
    forward = {"Type": "forward", "TargetGroupArn": target}
    if https:
        listener(arn, "HTTPS", 443, forward, Certificates=certificates())
    http = listener(arn, "HTTP", 80, default or forward)
    for position, action in enumerate(rules, 1):
        elb().create_rule(
            ListenerArn=http,
            Priority=position,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{position}/*"]}],
            Actions=[action or forward],
        )
    return {"ListenerArn": http}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "forwards": shop,
    "one rule still forwards": lambda: shop(REDIRECT, None, default=REDIRECT),
    "default and rules forward": lambda: shop(None, None),
}


def actions(arn: str) -> list[Any]:
    default = elb().describe_listeners(ListenerArns=[arn])["Listeners"][0]["DefaultActions"]
    return [default, *(rule["Actions"] for rule in elb().describe_rules(ListenerArn=arn)["Rules"] if not rule["IsDefault"])]


def run(arn: str, **changes: str) -> dict[str, Any]:
    events = {
        "ListenerArn": arn,
        "DryRun": "false",
        "EvidenceBucket": "none",
        "Document": "PciConfig-RedirectListenerToHttps",
        "ExecutionId": "e-1",
        "AccountId": ACCOUNT,
        "Region": "eu-west-1",
    }
    result: dict[str, Any] = script.handler(events | changes, None)
    return result


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    arn = VIOLATIONS[name]()["ListenerArn"]
    before = actions(arn)
    dry = run(arn, DryRun="true")
    assert (dry["Changed"], actions(arn)) == (False, before)
    assert json.loads(dry["Calls"])
    assert run(arn)["Changed"] is True
    after = actions(arn)
    assert [redirect_fault(entry) for entry in after] == [None] * len(after)
    assert (run(arn)["Changed"], actions(arn)) == (False, after)


def test_rules_that_redirect_already_are_not_touched() -> None:
    temporary = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "8443", "StatusCode": "HTTP_302"}}
    arn = shop(temporary, None)["ListenerArn"]
    kept = actions(arn)[1]
    result = run(arn)
    assert actions(arn)[1] == kept
    assert [call["operation"] for call in json.loads(result["Calls"])] == ["modify_listener", "modify_rule"]
    assert len(json.loads(result["Before"])["Rules"]) == 2


def test_without_https_listener_a_human_is_needed() -> None:
    arn = shop(https=False)["ListenerArn"]
    before = actions(arn)
    with pytest.raises(Refused, match="no HTTPS listener with a certificate"):
        run(arn)
    assert actions(arn) == before


def test_other_listeners_are_refused_or_left() -> None:
    arn, target = balancer()
    forward = {"Type": "forward", "TargetGroupArn": target}
    more = {"Certificates": certificates()}
    strong = listener(arn, "HTTPS", 443, forward, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", **more)
    assert run(strong)["Changed"] is False
    weak = listener(arn, "HTTPS", 8443, forward, SslPolicy="ELBSecurityPolicy-2016-08", **more)
    with pytest.raises(Refused, match="weak policy"):
        run(weak)
    network, target = balancer_named("net")
    tcp = listener(network, "TCP", 443, {"Type": "forward", "TargetGroupArn": target})
    with pytest.raises(Refused, match="a TCP listener cannot redirect"):
        run(tcp)


def balancer_named(name: str) -> tuple[str, str]:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    arn = elb().create_load_balancer(Name=name, Subnets=[subnet], Type="network")["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb().create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    return arn, target


def test_gone_foreign_and_classic() -> None:
    arn = shop()["ListenerArn"]
    elb().delete_listener(ListenerArn=arn)
    assert "no longer exists" in run(arn)["Message"]
    for odd in (arn.replace(ACCOUNT, "210987654321"), arn.replace("eu-west-1", "us-east-1"), "legacy-pos"):
        with pytest.raises(Refused, match="is not a listener of"):
            run(odd)
