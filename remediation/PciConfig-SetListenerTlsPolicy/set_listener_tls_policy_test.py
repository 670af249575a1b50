"""PciConfig-SetListenerTlsPolicy: a listener that takes old TLS gets a policy that the rule accepts; nothing else changes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.runbook import Refused
from pci_config.tls import POLICIES, policy_fault
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
NAME = "PciConfig-SetListenerTlsPolicy"
script = load_script(NAME)
run = partial(fix_testing.run, NAME)
restore = partial(fix_testing.restore, NAME)
STRONG, WEAK = "ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-2016-08"
ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/a/1/2"
CLASSIC = "legacy-pos"


def elbv2() -> Any:
    return boto3.client("elbv2", region_name=REGION)


def elb() -> Any:
    return boto3.client("elb", region_name=REGION)


def listener(kind: str, protocol: str, port: int = 443, **more: Any) -> dict[str, str]:
    """A load balancer with one listener that forwards."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    arn = elbv2().create_load_balancer(Name="shop", Subnets=subnets, Type=kind)["LoadBalancers"][0]["LoadBalancerArn"]
    target = "HTTP" if kind == "application" else protocol.replace("TLS", "TCP")
    group = elbv2().create_target_group(Name="t", Protocol=target, Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    if protocol in ("HTTPS", "TLS"):
        made = boto3.client("acm", region_name=REGION).request_certificate(DomainName="shop.example")
        more = {"Certificates": [{"CertificateArn": made["CertificateArn"]}], "SslPolicy": WEAK, **more}
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    made = elbv2().create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=forward, **more)
    return {"ListenerArn": made["Listeners"][0]["ListenerArn"]}


def classic(
    policies: dict[str, dict[str, str]], *listeners: tuple[str, int, Sequence[str]], sticky: bool = False
) -> dict[str, str]:
    elb().create_load_balancer(
        LoadBalancerName=CLASSIC,
        AvailabilityZones=[f"{REGION}a"],
        Listeners=[
            {"Protocol": protocol, "LoadBalancerPort": port, "InstanceProtocol": "HTTP", "InstancePort": 80}
            for protocol, port, _ in listeners
        ],
    )
    for name, attributes in policies.items():
        elb().create_load_balancer_policy(
            LoadBalancerName=CLASSIC,
            PolicyName=name,
            PolicyTypeName="SSLNegotiationPolicyType",
            PolicyAttributes=[{"AttributeName": key, "AttributeValue": value} for key, value in attributes.items()],
        )
    if sticky:
        elb().create_load_balancer_policy(
            LoadBalancerName=CLASSIC,
            PolicyName="sticky",
            PolicyTypeName="LBCookieStickinessPolicyType",
            PolicyAttributes=[{"AttributeName": "CookieExpirationPeriod", "AttributeValue": "60"}],
        )
    for _, port, names in listeners:
        elb().set_load_balancer_policies_of_listener(LoadBalancerName=CLASSIC, LoadBalancerPort=port, PolicyNames=list(names))
    return {"ListenerArn": CLASSIC}


OLD = {"Reference-Security-Policy": WEAK}
GOOD = {"Reference-Security-Policy": "ELBSecurityPolicy-TLS-1-2-2017-01"}
CUSTOM = {"Protocol-TLSv1": "true", "Protocol-TLSv1.2": "true", "ECDHE-RSA-AES128-GCM-SHA256": "true"}
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "HTTPS with an old policy": lambda: listener("application", "HTTPS"),
    "TLS with an old policy": lambda: listener("network", "TLS"),
    "TLS 1.2 where 1.3 is asked": lambda: {
        **listener("application", "HTTPS", SslPolicy=STRONG),
        "MinimumTlsVersion": "1.3",
        "SslPolicy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
    },
    "classic with a predefined policy": lambda: classic({"old": OLD}, ("SSL", 443, ["old"])),
    "classic with policies of its own": lambda: classic(
        {"old": CUSTOM, "good": GOOD},
        *(("HTTPS", 443, ["sticky", "old"]), ("SSL", 8443, ["good"]), ("SSL", 9443, ["old"])),
        sticky=True,
    ),
}
TWO_LISTENERS = VIOLATIONS["classic with policies of its own"]


def state(parameters: dict[str, str]) -> Any:
    """Everything of the listener, or of the classic load balancer and its policies."""
    name = parameters["ListenerArn"]
    if name == CLASSIC:
        (found,) = elb().describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        policies = elb().describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"]
        for each in found["ListenerDescriptions"]:
            each["PolicyNames"].sort()  # a set: their order means nothing
        return {"balancer": found, "policies": sorted(policies, key=lambda policy: str(policy["PolicyName"]))}
    return elbv2().describe_listeners(ListenerArns=[name])["Listeners"][0]


def names() -> dict[int, list[str]]:
    listeners = state({"ListenerArn": CLASSIC})["balancer"]["ListenerDescriptions"]
    return {each["Listener"]["LoadBalancerPort"]: each["PolicyNames"] for each in listeners}


def calls(result: dict[str, Any]) -> list[str]:
    return [call["operation"] for call in json.loads(result["Calls"])]


@contextmanager
def before_first(operation: str, act: Callable[[], Any]) -> Iterator[None]:
    """Another run comes in between: it acts right before the first call of the operation."""
    call, waiting = botocore.client.BaseClient._make_api_call, [act]

    def make_api_call(client: Any, called: str, parameters: Any) -> Any:
        if called == operation and waiting:
            waiting.pop()()
        return call(client, called, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = state(parameters)
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], state(parameters)) == ("dry-run", before)
    done = run(**parameters)
    assert (done["Outcome"], calls(done)) == ("changed", calls(dry))
    after = state(parameters)
    again = run(**parameters)
    assert (again["Outcome"], state(parameters)) == ("compliant", after)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_restore_leads_exactly_back(name: str) -> None:
    parameters = VIOLATIONS[name]()
    where = {"ListenerArn": parameters["ListenerArn"]}
    before = state(parameters)
    execution_id = execution_of(run(**parameters))
    dry = restore(execution_id, **where, DryRun="true")
    assert (dry["Outcome"], state(parameters) != before) == ("dry-run", True)
    assert (restore(execution_id, **where)["Outcome"], state(parameters)) == ("changed", before)
    assert restore(execution_id, **where)["Outcome"] == "compliant"


def test_only_the_policy_of_a_listener_changes() -> None:
    parameters = listener("application", "HTTPS")
    before = state(parameters)
    done = run(**parameters)
    assert {**state(parameters), "SslPolicy": WEAK} == before
    (call,) = json.loads(done["Calls"])
    assert call["parameters"] == {"ListenerArn": parameters["ListenerArn"], "SslPolicy": STRONG}
    assert call["summary"] == (
        f"set the security policy {STRONG} (port 443: policy {WEAK} accepts TLS 1.0; expected TLS 1.2 or newer)"
    )
    assert json.loads(done["Before"]) == {"Protocol": "HTTPS", "SslPolicy": WEAK}
    assert json.loads(done["After"]) == {"Protocol": "HTTPS", "SslPolicy": STRONG}


def test_a_strong_policy_stays() -> None:
    parameters = listener("application", "HTTPS", SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
    before = state(parameters)
    assert run(**parameters)["Outcome"] == run(**parameters, MinimumTlsVersion="1.3")["Outcome"] == "compliant"
    # a wanted policy is not judged when nothing is to be set
    assert run(**parameters, SslPolicy=WEAK)["Outcome"] == "compliant"
    assert state(parameters) == before


@pytest.mark.parametrize(
    ("minimum", "wanted", "message"),
    [
        (
            "1.2",
            "ELBSecurityPolicy-TLS13-1-1-2021-06",
            r"accepts TLS 1\.1; .*choose one such as ELBSecurityPolicy-TLS13-1-2-Res",
        ),
        ("1.2", WEAK, r"accepts TLS 1\.0; expected TLS 1\.2"),
        ("1.3", STRONG, r"accepts TLS 1\.2; .*choose one such as ELBSecurityPolicy-TLS13-1-3-2021-06$"),
        ("1.2", "ELBSecurityPolicy-TLS13-1-2-2099-01", "unknown policy ELBSecurityPolicy-TLS13-1-2-2099-01"),
        ("1.2", "ELBSecurityPolicy-FS-1-2-2019-08", "is not offered here for application load balancers"),
    ],
)
def test_a_policy_that_the_rule_refuses_is_never_set(minimum: str, wanted: str, message: str) -> None:
    parameters = listener("application", "HTTPS")
    before = state(parameters)
    for dry_run in ("true", "false"):
        with pytest.raises(Refused, match=message):
            run(**parameters, MinimumTlsVersion=minimum, SslPolicy=wanted, DryRun=dry_run)
    assert state(parameters) == before


def test_a_region_that_does_not_know_the_policy_is_told_apart_from_a_denied_call() -> None:
    arn = ARN.replace("/app/", "/net/")
    event = {"ListenerArn": arn, "MinimumTlsVersion": "1.2", "SslPolicy": STRONG, "Region": REGION, "AccountId": ACCOUNT}
    weak = {"Protocol": "TLS", "Port": 443, "SslPolicy": WEAK}
    with (
        answering(DescribeSSLPolicies="SSLPolicyNotFound"),
        pytest.raises(Refused, match="not offered here for network load balancers: choose another"),
    ):
        script.ListenerPolicyFix(event).changes(weak)
    with answering(DescribeSSLPolicies="AccessDenied"), pytest.raises(ClientError, match="AccessDenied"):
        script.ListenerPolicyFix(event).changes(weak)


@pytest.mark.parametrize(
    ("present", "wanted", "loss"),
    [
        ("TLS13-1-0-FIPS-2023-04", "TLS13-1-2-2021-06", "the FIPS module that ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04 has"),
        ("TLS13-1-0-FIPS-2023-04", "TLS13-1-2-FIPS-2023-04", None),
        ("TLS13-1-0-PQ-2025-09", "TLS13-1-2-2021-06", "post-quantum key exchange"),
        ("TLS13-1-0-PQ-2025-09", "TLS13-1-2-PQ-2025-09", None),
        ("TLS13-1-0-FIPS-PQ-2025-09", "TLS13-1-2-PQ-2025-09", "the FIPS module"),
        ("FS-2018-06", "TLS-1-2-2017-01", "ciphers without forward secrecy, which ELBSecurityPolicy-FS-2018-06 has not"),
        ("FS-2018-06", "FS-1-2-2019-08", None),
        ("2016-08", "TLS-1-2-2017-01", None),
        ("Unheard-Of", "TLS-1-2-2017-01", None),
    ],
)
def test_no_strength_is_given_up(present: str, wanted: str, loss: str | None) -> None:
    before, after = f"ELBSecurityPolicy-{present}", f"ELBSecurityPolicy-{wanted}"
    if loss is None:
        assert script.policy_loss(before, after) is None
        return
    event = {"ListenerArn": ARN, "MinimumTlsVersion": "1.2", "SslPolicy": after, "Region": REGION, "AccountId": ACCOUNT}
    fix = script.ListenerPolicyFix(event)
    with pytest.raises(Refused, match=loss) as refused:
        fix.changes({"Protocol": "TLS", "Port": 443, "SslPolicy": before})
    suggested = str(refused.value).rpartition(" ")[2]
    assert policy_fault(suggested, "1.2") is None
    assert script.policy_loss(before, suggested) is None


def test_there_is_always_a_policy_to_suggest() -> None:
    for present, minimum in itertools.product(["", *POLICIES], ["1.2", "1.3"]):
        suggested = script.suggestion(present, minimum).rpartition(" ")[2]
        assert policy_fault(suggested, minimum) is None
        assert script.policy_loss(present, suggested) is None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    present=st.sampled_from([*POLICIES, "", "ELBSecurityPolicy-2099"]),
    wanted=st.sampled_from([*POLICIES, "ELBSecurityPolicy-2099"]),
    minimum=st.sampled_from(["1.2", "1.3"]),
)
def test_what_is_set_is_compliant_and_what_is_compliant_is_not_touched(present: str, wanted: str, minimum: str) -> None:
    event = {"ListenerArn": ARN, "MinimumTlsVersion": minimum, "SslPolicy": wanted, "Region": REGION, "AccountId": ACCOUNT}
    fix = script.ListenerPolicyFix(event)
    fix._require_offered = lambda: None
    try:
        changes = fix.changes({"Protocol": "HTTPS", "Port": 443, "SslPolicy": present})
    except Refused:
        assert policy_fault(present, minimum)
        return
    assert bool(changes) == bool(policy_fault(present, minimum))
    for change in changes:
        assert policy_fault(change.parameters["SslPolicy"], minimum) is None
        assert set(change.parameters) == {"ListenerArn", "SslPolicy"}


@pytest.mark.parametrize(
    ("kind", "protocol", "message"),
    [
        ("application", "HTTP", "a HTTP listener has no security policy: PciConfig-RedirectListenerToHttps redirects it"),
        ("network", "TCP", "a TCP listener has no security policy: make it a TLS listener .*PassThroughPorts"),
        ("network", "UDP", "a UDP listener has no security policy"),
    ],
)
def test_listeners_that_do_not_end_tls_are_refused(kind: str, protocol: str, message: str) -> None:
    parameters = listener(kind, protocol, 80)
    before = state(parameters)
    with pytest.raises(Refused, match=message):
        run(**parameters)
    assert state(parameters) == before


def test_protocols_that_moto_does_not_know() -> None:
    event = {"ListenerArn": ARN, "MinimumTlsVersion": "1.2", "SslPolicy": STRONG, "Region": REGION, "AccountId": ACCOUNT}
    assert script.ListenerPolicyFix(event).changes({"Protocol": "QUIC", "Port": 443}) == []
    for protocol in ("TCP_QUIC", "GENEVE", "SPDY", None):
        with pytest.raises(Refused, match=f"a {protocol} listener has no security policy"):
            script.ListenerPolicyFix(event).changes({"Protocol": protocol, "Port": 443})


def test_only_the_policies_at_fault_of_a_classic_load_balancer_change() -> None:
    parameters = TWO_LISTENERS()
    before = state(parameters)
    done = run(**parameters)
    assert names() == {443: [script.OWN_POLICY, "sticky"], 8443: ["good"], 9443: [script.OWN_POLICY]}
    assert calls(done) == ["create_load_balancer_policy", *["set_load_balancer_policies_of_listener"] * 2]
    after = state(parameters)
    assert [policy for policy in after["policies"] if policy["PolicyName"] != script.OWN_POLICY] == before["policies"]
    (own,) = [policy for policy in after["policies"] if policy["PolicyName"] == script.OWN_POLICY]
    assert own["PolicyAttributeDescriptions"] == [
        {"AttributeName": "Reference-Security-Policy", "AttributeValue": script.CLASSIC_POLICY}
    ]
    assert json.loads(done["Before"]) == {
        "Listeners": [
            {"Port": 443, "PolicyNames": ["old", "sticky"]},
            {"Port": 8443, "PolicyNames": ["good"]},
            {"Port": 9443, "PolicyNames": ["old"]},
        ],
        "OwnPolicy": False,
    }


def test_an_own_policy_of_an_earlier_run_is_taken_and_stays() -> None:
    parameters = classic({"old": OLD, script.OWN_POLICY: GOOD}, ("SSL", 443, ["old"]))
    before = state(parameters)
    done = run(**parameters)
    assert calls(done) == ["set_load_balancer_policies_of_listener"]
    assert restore(execution_of(done), **parameters)["Outcome"] == "changed"
    assert state(parameters) == before


def test_a_classic_load_balancer_that_is_right_is_left() -> None:
    parameters = classic({"good": GOOD}, ("HTTPS", 443, ["good"]))
    assert run(**parameters)["Outcome"] == "compliant"
    elb().delete_load_balancer(LoadBalancerName=CLASSIC)
    assert run(**parameters)["Outcome"] == "gone"


@pytest.mark.parametrize(
    ("policies", "listeners", "parameters", "message"),
    [
        ({"old": OLD}, [("SSL", 443, ["old"]), ("HTTP", 80, [])], {}, "needs a human: port 80 takes HTTP, which no policy"),
        ({"old": OLD}, [("TCP", 25, []), ("SSL", 443, ["old"])], {}, "needs a human: port 25 takes TCP"),
        ({"good": GOOD}, [("SSL", 443, ["good"])], {"MinimumTlsVersion": "1.3"}, r"have no stronger policy .*TLS 1\.3"),
        ({}, [("SSL", 443, [])], {}, "port 443: no SSL negotiation policy cannot be read"),
        ({"old": OLD}, [("SSL", 443, ["old", "other"])], {}, "port 443: other cannot be read"),
        ({"old": OLD, "PciConfig-TLS-1-2-2017-01": CUSTOM}, [("SSL", 443, ["old"])], {}, "is not what this makes: delete it"),
        (
            {"odd": {"Protocol-TLSv1": "perhaps"}},
            [("SSL", 443, ["odd"])],
            {},
            "cannot be read: odd: attribute 'Protocol-TLSv1'",
        ),
    ],
)
def test_classic_load_balancers_that_need_a_human(
    policies: dict[str, dict[str, str]],
    listeners: list[tuple[str, int, list[str]]],
    parameters: dict[str, str],
    message: str,
) -> None:
    where = classic(policies, *listeners)
    before = state(where)
    with pytest.raises(Refused, match=message):
        run(**where, **parameters)
    assert state(where) == before


def test_restore_refuses_what_was_changed_since() -> None:
    parameters = VIOLATIONS["HTTPS with an old policy"]()
    execution_id = execution_of(run(**parameters))
    elbv2().modify_listener(ListenerArn=parameters["ListenerArn"], SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_id, **parameters)
    parameters = TWO_LISTENERS()
    execution_id = execution_of(run(**parameters))
    elb().set_load_balancer_policies_of_listener(LoadBalancerName=CLASSIC, LoadBalancerPort=8443, PolicyNames=["old"])
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_id, **parameters)
    assert names()[443] == [script.OWN_POLICY, "sticky"]


def test_restore_of_something_else_is_refused() -> None:
    event = {"ListenerArn": ARN, "Region": REGION, "AccountId": ACCOUNT}
    before = {"Protocol": "HTTPS", "SslPolicy": WEAK}
    for now, then in (({"Protocol": "HTTP"}, before), ({"Protocol": "HTTPS"}, {"Protocol": "HTTPS", "SslPolicy": None})):
        with pytest.raises(Refused, match="is no HTTPS listener any more, or had no security policy"):
            script.ListenerPolicyRestore(event).undo(then, now)
    listeners = [{"Listener": {"LoadBalancerPort": 443}, "PolicyNames": ["a"]}]
    with pytest.raises(Refused, match="has other listeners than before"):
        script.ClassicPoliciesRestore({"ListenerArn": CLASSIC}).undo(
            {"Listeners": [], "OwnPolicy": False}, {"listeners": listeners, "policies": []}
        )


@pytest.mark.parametrize("name", ["HTTPS with an old policy", "classic with policies of its own"])
def test_two_runs_at_once_end_well(name: str) -> None:
    parameters = VIOLATIONS[name]()
    first = "ModifyListener" if "HTTPS" in name else "CreateLoadBalancerPolicy"
    with before_first(first, lambda: run(**parameters)):
        assert run(**parameters)["Outcome"] == "changed"
    assert run(**parameters)["Outcome"] == "compliant"


def test_a_listener_that_is_deleted_meanwhile_is_gone() -> None:
    parameters = VIOLATIONS["TLS with an old policy"]()
    with before_first("ModifyListener", lambda: elbv2().delete_listener(**parameters)):
        assert run(**parameters)["Outcome"] == "gone"
    assert run(**parameters)["Outcome"] == "gone"


def test_a_failure_half_way_says_what_was_done() -> None:
    parameters = TWO_LISTENERS()
    with (
        answering(SetLoadBalancerPoliciesOfListener="AccessDenied"),
        pytest.raises(RuntimeError, match=r"failed .*done before that: make the policy PciConfig-TLS-1-2-2017-01"),
    ):
        run(**parameters)
    assert names()[443] == ["old", "sticky"]
    assert run(**parameters)["Outcome"] == "changed"


@pytest.mark.parametrize("name", ["HTTPS with an old policy", "classic with a predefined policy"])
def test_managed_ones_are_refused_unless_allowed(name: str) -> None:
    parameters = VIOLATIONS[name]()
    tag = [{"Key": "managed-by", "Value": "terraform"}]
    if parameters["ListenerArn"] == CLASSIC:
        elb().add_tags(LoadBalancerNames=[CLASSIC], Tags=tag)
    else:
        elbv2().add_tags(ResourceArns=[parameters["ListenerArn"]], Tags=tag)
    with pytest.raises(Refused, match="is managed by terraform"):
        run(**parameters)
    assert run(**parameters, AllowManaged="true")["Outcome"] == "changed"


def test_foreign_and_odd_input_is_refused() -> None:
    parameters = VIOLATIONS["HTTPS with an old policy"]()
    arn = parameters["ListenerArn"]
    for odd in (
        {"ListenerArn": arn.replace(ACCOUNT, "210987654321")},
        {"ListenerArn": arn.replace(REGION, "us-east-1")},
        {"ListenerArn": arn, "MinimumTlsVersion": "1.1"},
        {"ListenerArn": CLASSIC, "MinimumTlsVersion": ""},
        {"ListenerArn": arn, "DryRun": "maybe"},
    ):
        with pytest.raises(Refused):
            run(**odd)
    with pytest.raises(Refused, match="is not in"):
        restore("00000000-0000-4000-8000-000000000000", ListenerArn=arn.replace(REGION, "us-east-1"))
    assert state(parameters)["SslPolicy"] == WEAK
