"""PciConfig-RedirectListenerToHttps: every request of an HTTP listener goes to HTTPS, where there is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

import fix_testing
from fix_testing import ACCOUNT, account
from pci_config import runbook
from pci_config.catalogue import Catalogue, project_root
from pci_config.items import new_item
from pci_config.rule import LiveFacts, Scope
from pci_config.runbook import Refused
from pci_config.settings import Settings
from pci_config.tls import redirect_fault
from script_loader import load_script

script = load_script("PciConfig-RedirectListenerToHttps")
__all__ = ["account"]  # the fixture that starts moto
REDIRECT = script.redirect_to(443)
ROOT = project_root()
STRONG = "ELBSecurityPolicy-TLS13-1-2-2021-06"


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
    return fix_testing.run("PciConfig-RedirectListenerToHttps", ListenerArn=arn, **changes)


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
    (before,) = json.loads(result["Before"])["Rules"]
    assert before["Actions"][0]["Type"] == "forward"
    (after,) = json.loads(result["After"])["Rules"]
    assert after == {"RuleArn": before["RuleArn"], "Actions": [REDIRECT]}
    assert json.loads(result["Before"])["DefaultActions"][0]["Type"] == "forward"
    assert json.loads(result["After"])["DefaultActions"] == [REDIRECT]


def test_priority_and_conditions_of_a_rule_stay() -> None:
    arn = shop(None)["ListenerArn"]

    def described() -> list[Any]:
        return [(r["RuleArn"], r["Priority"], r["Conditions"]) for r in elb().describe_rules(ListenerArn=arn)["Rules"]]

    before = described()
    run(arn)
    assert described() == before


def test_the_rule_finds_the_fixed_listener_compliant() -> None:
    """With the listener as it is then, read live as in an account."""
    arn = shop(None, REDIRECT)["ListenerArn"]
    run(arn)
    entry = Catalogue.load(ROOT).rules["PCI_LISTENER_TLS_ONLY"]
    (described,) = elb().describe_listeners(ListenerArns=[arn])["Listeners"]
    now = datetime(2026, 11, 1, tzinfo=UTC)
    item = new_item(
        account_id=ACCOUNT,
        region="eu-west-1",
        resource_type="AWS::ElasticLoadBalancingV2::Listener",
        resource_id=arn,
        configuration=described,
        capture_time=now,
    )

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            return boto3.client(service, region_name=region or "eu-west-1")

    rule = entry.rule_class(Settings())
    facts = LiveFacts(Clients(), Scope(ACCOUNT, "eu-west-1", now, Settings()))
    finding = rule.decide(item, rule.evaluate_parameters({}), facts)
    assert (finding.compliance, finding.annotation) == (
        "COMPLIANT",
        "port 80: redirects to HTTPS (default action and 2 rules)",
    )


def test_the_redirect_keeps_host_path_and_query_and_goes_to_the_https_port() -> None:
    arn, target = balancer()
    forward = {"Type": "forward", "TargetGroupArn": target}
    for port in (9443, 8443):
        listener(arn, "HTTPS", port, forward, Certificates=certificates(), SslPolicy=STRONG)
    http = listener(arn, "HTTP", 80, forward)
    assert "note" not in run(http)["Message"]
    (action,) = actions(http)[0]
    assert action["RedirectConfig"] == {
        "Protocol": "HTTPS",
        "Port": "8443",
        "Host": "#{host}",
        "Path": "/#{path}",
        "Query": "#{query}",
        "StatusCode": "HTTP_301",
    }
    elb().modify_listener(ListenerArn=http, DefaultActions=[forward])
    listener(arn, "HTTPS", 443, forward, Certificates=certificates(), SslPolicy=STRONG)
    run(http)
    assert actions(http)[0][0]["RedirectConfig"]["Port"] == "443"


@pytest.mark.parametrize(("minimum", "note"), [("1.2", False), ("1.3", True)])
def test_a_weak_policy_of_the_https_listener_is_said(minimum: str, note: bool) -> None:
    arn, target = balancer()
    forward = {"Type": "forward", "TargetGroupArn": target}
    listener(arn, "HTTPS", 443, forward, Certificates=certificates(), SslPolicy=STRONG)
    http = listener(arn, "HTTP", 80, forward)
    result = run(http, MinimumTlsVersion=minimum)
    assert result["Changed"] is True
    assert ("HTTPS:443 itself needs a stronger policy" in result["Message"]) == note
    assert (f"policy {STRONG} accepts TLS 1.2" in result["Message"]) == note


def test_without_https_listener_a_human_is_needed() -> None:
    arn = shop(https=False)["ListenerArn"]
    before = actions(arn)
    with pytest.raises(Refused, match="needs a human: no HTTPS listener with a certificate"):
        run(arn)
    assert actions(arn) == before


def test_an_https_listener_of_another_load_balancer_is_no_target() -> None:
    arn = shop(https=False)["ListenerArn"]
    other = elb().create_load_balancer(Name="other", Subnets=subnets_of("10.2"))["LoadBalancers"][0]["LoadBalancerArn"]
    listener(other, "HTTPS", 443, REDIRECT, Certificates=certificates())
    with pytest.raises(Refused, match="no HTTPS listener with a certificate"):
        run(arn)


def test_https_and_tls_listeners_are_left_or_refused() -> None:
    arn, target = balancer()
    network, tcp_target = balancer_named("net")
    for balancer_arn, protocol, group in ((arn, "HTTPS", target), (network, "TLS", tcp_target)):
        forward = {"Type": "forward", "TargetGroupArn": group}
        more = {"Certificates": certificates()}
        strong = listener(balancer_arn, protocol, 443, forward, SslPolicy=STRONG, **more)
        assert run(strong)["Changed"] is False
        with pytest.raises(Refused, match=rf"this {protocol} listener has a weak policy .*accepts TLS 1\.2"):
            run(strong, MinimumTlsVersion="1.3")
        weak = listener(balancer_arn, protocol, 8443, forward, SslPolicy="ELBSecurityPolicy-2016-08", **more)
        with pytest.raises(Refused, match=rf"this {protocol} listener has a weak policy .*ELBSecurityPolicy-2016-08"):
            run(weak)


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "TCP_UDP"])
def test_pass_through_listeners_are_refused(protocol: str) -> None:
    network, target = balancer_named("net", protocol)
    passing = listener(network, protocol, 443, {"Type": "forward", "TargetGroupArn": target})
    before = actions(passing)
    with pytest.raises(Refused, match=f"needs a human: a {protocol} listener cannot redirect; .*PassThroughPorts"):
        run(passing)
    assert actions(passing) == before


@pytest.mark.parametrize(("protocol", "refused"), [("QUIC", False), ("TCP_QUIC", True), ("GENEVE", True), ("SPDY", True)])
def test_protocols_that_moto_does_not_know(protocol: str, refused: bool) -> None:
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:listener/net/a/1/2"
    fix = script.RedirectFix({"ListenerArn": arn, "MinimumTlsVersion": "1.2", "Region": "eu-west-1", "AccountId": ACCOUNT})
    state = {"listener": {"Protocol": protocol, "Port": 443}, "rules": [], "listeners": []}
    if refused:
        with pytest.raises(Refused, match="cannot redirect"):
            fix.changes(state)
    else:
        assert fix.changes(state) == []


def subnets_of(network: str) -> list[str]:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc = ec2.create_vpc(CidrBlock=f"{network}.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{network}.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]


def balancer_named(name: str, protocol: str = "TCP") -> tuple[str, str]:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    arn = elb().create_load_balancer(Name=name, Subnets=[subnet], Type="network")["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb().create_target_group(Name=name, Protocol=protocol, Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    return arn, target


def test_gone_foreign_and_classic() -> None:
    arn = shop()["ListenerArn"]
    elb().delete_listener(ListenerArn=arn)
    assert "no longer exists" in run(arn)["Message"]
    for odd in (
        arn.replace(ACCOUNT, "210987654321"),
        arn.replace("eu-west-1", "us-east-1"),
        arn.replace(ACCOUNT, ""),
        arn.replace("eu-west-1", ""),
    ):
        with pytest.raises(Refused, match=f"is not in {ACCOUNT} and eu-west-1"):
            run(odd)
    with pytest.raises(Refused, match="needs a human: legacy-pos is a classic load balancer, which cannot redirect"):
        run("legacy-pos")


def test_odd_input_is_refused_unchanged() -> None:
    arn = shop()["ListenerArn"]
    before = actions(arn)
    for changes in ({"MinimumTlsVersion": "1.1"}, {"DryRun": "maybe"}):
        with pytest.raises(Refused):
            run(arn, **changes)
    assert actions(arn) == before


def test_a_failure_half_way_says_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = shop(None)["ListenerArn"]
    client = runbook.aws("elbv2")

    def refused(**parameters: Any) -> None:
        raise RuntimeError("AccessDenied")

    with monkeypatch.context() as patch:
        patch.setattr(client, "modify_rule", refused)
        with pytest.raises(RuntimeError, match=r"modify_rule failed .*done before that: redirect the default action"):
            run(arn)
    assert run(arn)["Changed"] is True
    assert [redirect_fault(entry) for entry in actions(arn)] == [None, None]
