"""PciConfig-RedirectListenerToHttps: every request of an HTTP listener goes to HTTPS, where there is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

import fix_testing
from fix_testing import ACCOUNT, account, answering, execution_of, meanwhile, unchanged_without_switch_or_evidence
from pci_config import runbook
from pci_config.catalogue import Catalogue, project_root
from pci_config.items import new_item
from pci_config.rule import LiveFacts, Scope
from pci_config.runbook import Refused
from pci_config.settings import Settings
from pci_config.tls import redirect_fault
from script_loader import load_script

DOCUMENT = "PciConfig-RedirectListenerToHttps"
script = load_script(DOCUMENT)
__all__ = ["account"]  # the fixture that starts moto
REDIRECT = script.redirect_to(443)
FIXED = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "up"},
}
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


def split() -> dict[str, str]:
    """A listener that splits its requests over two target groups, and answers some of them itself."""
    arn = shop(FIXED)["ListenerArn"]
    (listener_,) = elb().describe_listeners(ListenerArns=[arn])["Listeners"]
    (first,) = elb().describe_target_groups()["TargetGroups"]
    second = elb().create_target_group(Name="b", Protocol="HTTP", Port=80, VpcId=first["VpcId"])["TargetGroups"][0]
    groups = [{"TargetGroupArn": found["TargetGroupArn"], "Weight": weight} for found, weight in ((second, 1), (first, 3))]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    elb().modify_listener(ListenerArn=listener_["ListenerArn"], DefaultActions=[action])
    return {"ListenerArn": arn}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "splits and answers": split,
    "forwards": shop,
    "one rule still forwards": lambda: shop(REDIRECT, None, default=REDIRECT),
    "default and rules forward": lambda: shop(None, None),
}


def actions(arn: str) -> list[Any]:
    default = elb().describe_listeners(ListenerArns=[arn])["Listeners"][0]["DefaultActions"]
    return [default, *(rule["Actions"] for rule in elb().describe_rules(ListenerArn=arn)["Rules"] if not rule["IsDefault"])]


def run(arn: str, **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, ListenerArn=arn, **changes)


def restore(arn: str, result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), ListenerArn=arn, **changes)


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
    before, after = json.loads(result["Before"])["Rules"], json.loads(result["After"])["Rules"]
    assert [rule["RuleArn"] for rule in before] == sorted(rule["RuleArn"] for rule in after)
    assert sorted(rule["Actions"][0]["Type"] for rule in before) == ["forward", "redirect"]
    assert sorted(rule["Actions"][0]["RedirectConfig"]["Port"] for rule in after) == ["443", "8443"]
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


@pytest.mark.parametrize("name", VIOLATIONS)
def test_restore_leads_back(name: str) -> None:
    arn = VIOLATIONS[name]()["ListenerArn"]
    before = actions(arn)
    result = run(arn)
    after = actions(arn)
    dry = restore(arn, result, DryRun="true")
    assert (dry["Outcome"], actions(arn)) == ("dry-run", after)
    back = restore(arn, result)
    assert (back["Outcome"], actions(arn)) == ("changed", before)
    assert json.loads(back["After"]) == json.loads(result["Before"])
    assert restore(arn, result)["Outcome"] == "compliant"


def test_restore_sets_only_what_the_fix_changed_and_says_to_what() -> None:
    arn = shop(REDIRECT, FIXED, None, default=REDIRECT)["ListenerArn"]
    result = run(arn)
    report = restore(arn, result)
    assert [call["operation"] for call in json.loads(report["Calls"])] == ["modify_rule", "modify_rule"]
    assert sorted(report["Message"].split("; ")) == ["put rule 2 back: fixed-response", "put rule 3 back: forward"]
    assert actions(arn)[1] == [REDIRECT]


def test_restore_refuses_what_was_changed_since_and_what_is_gone() -> None:
    arn = shop(None)["ListenerArn"]
    result = run(arn)
    elb().modify_listener(ListenerArn=arn, DefaultActions=[FIXED])
    with pytest.raises(Refused, match="was changed after"):
        restore(arn, result)
    assert actions(arn)[0][0]["Type"] == "fixed-response"
    elb().delete_listener(ListenerArn=arn)
    with pytest.raises(Refused, match="no longer exists; its state before is in remediation/"):
        restore(arn, result)
    for odd in (arn.replace(ACCOUNT, "210987654321"), arn.replace("eu-west-1", "us-east-1"), arn.replace(ACCOUNT, "")):
        with pytest.raises(Refused, match=f"is not in {ACCOUNT} and eu-west-1"):
            restore(odd, result)


def test_restore_refuses_when_a_rule_was_added_after_the_fix_or_while_it_ran() -> None:
    arn = shop(None)["ListenerArn"]

    def add(priority: int) -> None:
        conditions = [{"Field": "path-pattern", "Values": ["/new"]}]
        elb().create_rule(ListenerArn=arn, Priority=priority, Conditions=conditions, Actions=[REDIRECT])

    with meanwhile(ModifyListener=lambda: add(10)):
        result = run(arn)
    after = actions(arn)
    with pytest.raises(Refused, match="were added or deleted while that execution ran"):
        restore(arn, result)
    add(11)
    with pytest.raises(Refused, match="was changed after"):
        restore(arn, result)
    assert actions(arn)[:3] == after


def test_two_runs_and_two_restores_at_once() -> None:
    arn = shop(None)["ListenerArn"]
    before = actions(arn)
    others: list[dict[str, Any]] = []
    with meanwhile(ModifyListener=lambda: others.append(run(arn))):
        run(arn)
    (result,) = others
    assert [redirect_fault(entry) for entry in actions(arn)] == [None, None]
    with meanwhile(ModifyListener=lambda: restore(arn, result)):
        restore(arn, result)
    assert actions(arn) == before


def test_a_listener_deleted_in_between() -> None:
    arn = shop(None)["ListenerArn"]
    delete = elb().delete_listener
    # ELB answers ListenerNotFound then; moto fails in another way
    with answering(ModifyListener="ListenerNotFound"), meanwhile(ModifyListener=lambda: delete(ListenerArn=arn)):
        report = run(arn)
    assert (report["Outcome"], "is gone meanwhile" in report["Message"]) == ("gone", True)


def test_a_restore_that_fails_half_way_says_what_was_done() -> None:
    arn = shop(None)["ListenerArn"]
    before = actions(arn)
    result = run(arn)
    failed = pytest.raises(RuntimeError, match=r"modify_rule failed .*done before that: put the default action back: forward")
    with answering(ModifyRule="TargetGroupNotFound"), failed:
        restore(arn, result)
    assert [entry == was for entry, was in zip(actions(arn), before, strict=True)] == [True, False]


def test_what_could_not_be_put_back_is_not_changed() -> None:
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:listener/app/a/1/2"
    fix = script.RedirectFix({"ListenerArn": arn, "MinimumTlsVersion": "1.2", "Region": "eu-west-1", "AccountId": ACCOUNT})
    oidc = [{"Type": "authenticate-oidc", "Order": 1}, {"Type": "forward", "Order": 2}]
    for default, rules in ((oidc, []), ([REDIRECT], [{"RuleArn": "r", "Priority": "1", "Actions": oidc}])):
        state = {"listener": {"Protocol": "HTTP", "DefaultActions": default}, "rules": rules, "listeners": []}
        with pytest.raises(Refused, match="needs a human: an action authenticates by OIDC"):
            fix.changes(state)


def test_the_order_in_which_target_groups_are_described_means_nothing() -> None:
    def forward(*groups: str) -> dict[str, Any]:
        return {"Type": "forward", "Order": 2, "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": g} for g in groups]}}

    cognito = {"Type": "authenticate-cognito", "Order": 1}
    assert script.ordered_actions([forward("b", "a"), cognito]) == [cognito, forward("a", "b")]
    assert script.told([cognito, forward("a")]) == "authenticate-cognito, then forward"


def test_nothing_changes_when_switched_off_or_without_kept_evidence() -> None:
    arn = shop(None)["ListenerArn"]
    before = actions(arn)
    unchanged_without_switch_or_evidence(lambda **changes: run(arn, **changes))
    assert actions(arn) == before


@pytest.mark.parametrize(("key", "value"), [("aws:cloudformation:stack-name", "shop"), ("ManagedBy", "Terraform")])
def test_what_a_template_describes_is_mended_there(key: str, value: str) -> None:
    arn = shop(None)["ListenerArn"]
    before = actions(arn)
    elb().add_tags(ResourceArns=[arn], Tags=[{"Key": key, "Value": value}])
    with pytest.raises(Refused, match=r"is managed by .*mend it there"):
        run(arn)
    assert actions(arn) == before
    assert run(arn, AllowManaged="true")["Outcome"] == "changed"
