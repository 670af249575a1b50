"""Decision table of PCI_LISTENER_TLS_ONLY."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
from moto import mock_aws

from pci_config.items import new_item
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_LISTENER_TLS_ONLY import ListenerRules, LoadBalancerScheme, PciListenerTlsOnly

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCOPE = Scope("123456789012", "eu-west-1", NOW, Settings())
BASE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
LOAD_BALANCER_ARN = BASE + "loadbalancer/app/checkout/50dc6c495c0c9188"
LISTENER_ARN = BASE + "listener/app/checkout/50dc6c495c0c9188/f2f7dc8efc522ab2"
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
FORWARD = {"Type": "forward", "TargetGroupArn": BASE + "targetgroup/t/1"}


def redirect(**config: Any) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {**REDIRECT["RedirectConfig"], **config}}  # type: ignore[dict-item]


def item_of(resource_type: str, resource_id: str, configuration: Any, supplementary: Any = None) -> dict[str, Any]:
    return new_item(
        account_id="123456789012",
        region="eu-west-1",
        resource_type=resource_type,
        resource_id=resource_id,
        configuration=configuration,
        supplementary=supplementary,
        capture_time=NOW,
    )


def listener(protocol: str, port: int = 443, actions: Sequence[Any] = (FORWARD,), **members: Any) -> dict[str, Any]:
    configuration = {
        "ListenerArn": LISTENER_ARN,
        "LoadBalancerArn": LOAD_BALANCER_ARN,
        "Port": port,
        "Protocol": protocol,
        "DefaultActions": list(actions),
        **members,
    }
    return item_of("AWS::ElasticLoadBalancingV2::Listener", LISTENER_ARN, configuration)


def https(policy: str) -> dict[str, Any]:
    return listener("HTTPS", SslPolicy="ELBSecurityPolicy-" + policy)


def classic(*listeners: tuple[str, int, list[str]], policies: Sequence[Any] = ()) -> dict[str, Any]:
    descriptions = [
        {"listener": {"protocol": protocol, "loadBalancerPort": port}, "policyNames": names}
        for protocol, port, names in listeners
    ]
    configuration = {"loadBalancerName": "legacy", "listenerDescriptions": descriptions}
    return item_of("AWS::ElasticLoadBalancing::LoadBalancer", "legacy", configuration, {"LoadBalancerPolicies": list(policies)})


def negotiation(name: str, **attributes: str) -> dict[str, Any]:
    described = [
        {"attributeName": key.replace("__", "-").replace("_", "."), "attributeValue": v} for key, v in attributes.items()
    ]
    return {"policyName": name, "policyTypeName": "SSLNegotiationPolicyType", "policyAttributeDescriptions": described}


GOOD = {"Protocol__TLSv1_2": "true", "ECDHE__RSA__AES128__GCM__SHA256": "true", "Protocol__SSLv3": "false"}


def judged(
    item: dict[str, Any], raw: dict[str, str] | None = None, rules: Any = (), scheme: Any = "internet-facing"
) -> Finding:
    rule = PciListenerTlsOnly(Settings())
    facts = StatedFacts(SCOPE, {(ListenerRules, LISTENER_ARN): rules, (LoadBalancerScheme, LOAD_BALANCER_ARN): scheme})
    return rule.decide(item, rule.evaluate_parameters(raw or {}), facts)


def rule(*actions: Any, priority: str = "1") -> dict[str, Any]:
    return {"Priority": priority, "Actions": list(actions), "IsDefault": False}


class TlsListenerTest(unittest.TestCase):
    def test_strong_policies(self) -> None:
        for policy in (
            "TLS13-1-2-2021-06",
            "TLS13-1-3-2021-06",
            "FS-1-2-Res-2020-10",
            "TLS-1-2-2017-01",
            "TLS13-1-2-Res-PQ-2025-09",
        ):
            with self.subTest(policy):
                finding = judged(https(policy))
                self.assertEqual(finding.compliance, COMPLIANT)
                self.assertIn(policy, finding.annotation)

    def test_weak_policies_are_named(self) -> None:
        for policy, version in (
            ("2016-08", "1.0"),
            ("TLS13-1-0-2021-06", "1.0"),
            ("TLS13-1-1-2021-06", "1.1"),
            ("FS-1-1-2019-08", "1.1"),
        ):
            with self.subTest(policy):
                finding = judged(https(policy))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(
                    f"ELBSecurityPolicy-{policy} accepts TLS {version}; expected TLS 1.2 or newer", finding.annotation
                )

    def test_unknown_policies_never_pass(self) -> None:
        finding = judged(https("TLS13-1-9-2031-01"))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("unknown policy ELBSecurityPolicy-TLS13-1-9-2031-01", finding.annotation)

    def test_missing_forward_secrecy_is_said(self) -> None:
        said = "some ciphers without forward secrecy"
        self.assertIn(said, judged(https("TLS-1-2-2017-01")).annotation)
        self.assertNotIn(said, judged(https("FS-1-2-Res-2020-10")).annotation)

    def test_policies_of_classic_load_balancers_are_unknown_here(self) -> None:
        self.assertIn("unknown policy ELBSecurityPolicy-2014-01", judged(https("2014-01")).annotation)

    def test_minimum_version_is_a_parameter(self) -> None:
        self.assertEqual(judged(https("TLS13-1-2-2021-06"), {"MinimumTlsVersion": "1.3"}).compliance, NON_COMPLIANT)
        self.assertEqual(judged(https("TLS13-1-3-2021-06"), {"MinimumTlsVersion": "1.3"}).compliance, COMPLIANT)

    def test_tls_listeners_of_network_load_balancers(self) -> None:
        self.assertEqual(judged(listener("TLS", SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")).compliance, COMPLIANT)
        self.assertEqual(judged(listener("TLS", SslPolicy="ELBSecurityPolicy-2016-08")).compliance, NON_COMPLIANT)


class HttpListenerTest(unittest.TestCase):
    def test_a_redirect_everywhere_is_compliant(self) -> None:
        for name, rules in (("no rules", ()), ("301", [rule(REDIRECT)]), ("302", [rule(redirect(StatusCode="HTTP_302"))])):
            with self.subTest(name):
                finding = judged(listener("HTTP", 80, [REDIRECT]), rules=rules)
                self.assertEqual(finding.compliance, COMPLIANT)
                self.assertIn("redirects to HTTPS", finding.annotation)

    def test_a_default_action_that_serves_http(self) -> None:
        for name, action, expected in (
            ("forward", FORWARD, "does forward over HTTP"),
            ("fixed response", {"Type": "fixed-response"}, "does fixed-response over HTTP"),
            ("authenticate", {"Type": "authenticate-oidc"}, "does authenticate-oidc over HTTP"),
            ("redirect to HTTP", redirect(Protocol="HTTP"), "keeps HTTP"),
            ("redirect that keeps the protocol", redirect(Protocol="#{protocol}"), "keeps #{protocol}"),
            (
                "redirect without protocol",
                {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}},
                "keeps the protocol",
            ),
            ("odd status", redirect(StatusCode="HTTP_307"), "status HTTP_307"),
            ("redirect of another shape", {"Type": "redirect", "RedirectConfig": "HTTPS"}, "keeps the protocol"),
            ("action without type", {}, "something unknown"),
            ("action of another shape", "redirect", "something unknown"),
        ):
            with self.subTest(name):
                finding = judged(listener("HTTP", 80, [action]), rules=NotAssessed("not asked"))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)

    def test_every_action_of_a_list_counts(self) -> None:
        for actions in ([REDIRECT, FORWARD], [FORWARD, REDIRECT]):
            self.assertIn("does forward over HTTP", judged(listener("HTTP", 80, actions)).annotation)

    def test_no_action_is_no_redirect(self) -> None:
        self.assertEqual(judged(listener("HTTP", 80, [])).compliance, NON_COMPLIANT)
        self.assertIn("rule 1 has no action", judged(listener("HTTP", 80, [REDIRECT]), rules=[rule()]).annotation)

    def test_one_path_that_still_forwards(self) -> None:
        finding = judged(listener("HTTP", 80, [REDIRECT]), rules=[rule(REDIRECT), rule(FORWARD, priority="7")])
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("1 of 2 rules sends requests on: rule 7 does forward over HTTP", finding.annotation)

    def test_a_snapshot_cannot_show_the_rules(self) -> None:
        with self.assertRaises(NotAssessed):
            judged(listener("HTTP", 80, [REDIRECT]), rules=NotAssessed("rules are not recorded"))


class OtherProtocolTest(unittest.TestCase):
    def test_pass_through(self) -> None:
        for protocol in ("TCP", "UDP", "TCP_UDP", "TCP_QUIC"):
            with self.subTest(protocol):
                self.assertEqual(judged(listener(protocol)).compliance, NON_COMPLIANT)
                self.assertEqual(judged(listener(protocol), scheme="internal").compliance, NON_COMPLIANT)
                listed = judged(listener(protocol, 5432), {"PassThroughPorts": "5432,443"})
                self.assertEqual(listed.compliance, COMPLIANT)
                self.assertIn("PassThroughPorts", listed.annotation)
                internal = judged(listener(protocol), {"Scope": "internet-facing"}, scheme="internal")
                self.assertEqual(internal.compliance, COMPLIANT)
                self.assertIn("internal", internal.annotation)
                self.assertEqual(judged(listener(protocol), {"Scope": "internet-facing"}).compliance, NON_COMPLIANT)

    def test_geneve_and_quic(self) -> None:
        self.assertEqual(judged(listener("GENEVE", Port=None)).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(listener("QUIC")).compliance, COMPLIANT)

    def test_every_protocol_that_aws_has_gets_a_verdict(self) -> None:
        model = botocore.session.get_session().get_service_model("elbv2")
        for protocol in model.shape_for("ProtocolEnum").enum:
            with self.subTest(protocol):
                policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
                self.assertTrue(judged(listener(protocol, 80, [REDIRECT], SslPolicy=policy)).annotation)

    def test_unknown_protocols_and_missing_fields_are_errors(self) -> None:
        for name, item in {
            "unknown protocol": listener("SPDY"),
            "no protocol": listener("HTTPS", Protocol=None),
            "no policy": listener("HTTPS"),
            "policy is null": listener("TLS", SslPolicy=None),
            "no actions": listener("HTTP", DefaultActions=None),
            "no port": listener("HTTPS", SslPolicy="x", Port=None),
            "null configuration": {**listener("HTTPS"), "configuration": None},
        }.items():
            with self.subTest(name), self.assertRaises(RuleInputError):
                judged(item)

    def test_parameters(self) -> None:
        rule = PciListenerTlsOnly(Settings())
        for raw in ({"MinimumTlsVersion": "1.1"}, {"Scope": "none"}, {"PassThroughPorts": "70000"}, {"MinimumTls": "1.2"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)

    def test_the_scheme_is_asked_for_only_when_it_decides(self) -> None:
        unknown = NotAssessed("its load balancer is not in this source")
        with self.assertRaises(NotAssessed):
            judged(listener("TCP"), {"Scope": "internet-facing"}, scheme=unknown)
        self.assertEqual(judged(listener("TCP"), scheme=unknown).compliance, NON_COMPLIANT)
        listed = {"Scope": "internet-facing", "PassThroughPorts": "443"}
        self.assertEqual(judged(listener("TCP"), listed, scheme=unknown).compliance, COMPLIANT)

    def test_scope_does_not_excuse_http(self) -> None:
        plain = listener("HTTP", 80)
        self.assertEqual(judged(plain, {"Scope": "internet-facing"}, scheme="internal").compliance, NON_COMPLIANT)


class ClassicTest(unittest.TestCase):
    def test_clear_text_listeners(self) -> None:
        for protocol in ("HTTP", "TCP"):
            with self.subTest(protocol):
                finding = judged(classic((protocol, 80, [])))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(f"port 80: {protocol} is not encrypted", finding.annotation)

    def test_reference_policies(self) -> None:
        for policy, expected in (
            ("TLS-1-2-2017-01", ""),
            ("TLS-1-1-2017-01", "accepts TLS 1.1"),
            ("2016-08", "accepts TLS 1.0"),
            ("2011-08", "accepts TLS 1.0"),
            ("2031-01", "unknown policy ELBSecurityPolicy-2031-01"),
            ("TLS13-1-3-2021-06", "unknown policy"),
        ):
            with self.subTest(policy):
                attributes = {"Reference__Security__Policy": f"ELBSecurityPolicy-{policy}"}
                finding = judged(classic(("HTTPS", 443, ["p"]), policies=[negotiation("p", **attributes)]))
                self.assertEqual(finding.compliance, NON_COMPLIANT if expected else COMPLIANT)
                self.assertIn(expected, finding.annotation)

    def test_attributes_beside_a_reference_policy_count_too(self) -> None:
        reference = {"Reference__Security__Policy": "ELBSecurityPolicy-TLS-1-2-2017-01"}
        for name, attributes, expected in (
            ("as strong", GOOD, ""),
            ("an order only", {"Server__Defined__Cipher__Order": "true"}, ""),
            ("weaker", {**GOOD, "Protocol__TLSv1": "true"}, "policy p accepts TLSv1"),
        ):
            with self.subTest(name):
                finding = judged(classic(("SSL", 443, ["p"]), policies=[negotiation("p", **reference, **attributes)]))
                self.assertEqual(finding.compliance, NON_COMPLIANT if expected else COMPLIANT, finding.annotation)
                self.assertIn(expected, finding.annotation)

    def test_own_policies_are_judged_by_protocol_and_cipher(self) -> None:
        for name, attributes, expected in (
            ("good", GOOD, ""),
            ("order", {**GOOD, "Server__Defined__Cipher__Order": "true"}, ""),
            ("TLS 1.0", {**GOOD, "Protocol__TLSv1": "true"}, "policy p accepts TLSv1; expected TLS 1.2 or newer"),
            ("TLS 1.1", {**GOOD, "Protocol__TLSv1_1": "true"}, "accepts TLSv1.1"),
            ("SSLv3", {**GOOD, "Protocol__SSLv3": "true"}, "accepts SSLv3"),
            ("unknown protocol", {**GOOD, "Protocol__QTLS": "true"}, "accepts QTLS"),
            ("RC4", {**GOOD, "ECDHE__RSA__RC4__SHA": "true"}, "weak ciphers: ECDHE-RSA-RC4-SHA"),
            ("DES", {**GOOD, "DES__CBC__SHA": "true"}, "weak ciphers: DES-CBC-SHA"),
            ("3DES", {**GOOD, "DES__CBC3__SHA": "true"}, "weak ciphers: DES-CBC3-SHA"),
            ("3DES by its other name", {**GOOD, "KRB5__3DES": "true"}, "weak ciphers: KRB5-3DES"),
            ("export strength", {**GOOD, "EXP1024__AES": "true"}, "weak ciphers: EXP1024-AES"),
            ("no encryption", {**GOOD, "ECDHE__NULL__SHA": "true"}, "weak ciphers: ECDHE-NULL-SHA"),
            ("no authentication", {**GOOD, "ADH__AES256__SHA": "true"}, "weak ciphers: ADH-AES256-SHA"),
            ("no authentication, as a group", {**GOOD, "aNULL": "true"}, "weak ciphers: aNULL"),
            ("MD5", {**GOOD, "AES128__MD5": "true"}, "weak ciphers: AES128-MD5"),
            ("unknown cipher", {**GOOD, "ECDHE__RSA__FROG128": "true"}, "unknown ciphers: ECDHE-RSA-FROG128"),
            ("weak, but off", {**GOOD, "RC4__SHA": "false"}, ""),
            ("no protocol", {"ECDHE__RSA__AES128__GCM__SHA256": "true"}, "enables no protocol"),
            ("no cipher", {"Protocol__TLSv1_2": "true"}, "enables no cipher"),
        ):
            with self.subTest(name):
                finding = judged(classic(("SSL", 443, ["p"]), policies=[negotiation("p", **attributes)]))
                self.assertEqual(finding.compliance, NON_COMPLIANT if expected else COMPLIANT, finding.annotation)
                self.assertIn(expected, finding.annotation)

    def test_an_attribute_said_twice_is_on_when_either_says_so(self) -> None:
        for values in (("true", "false"), ("false", "true")):
            policy = negotiation("p", **GOOD)
            policy["policyAttributeDescriptions"] += [
                {"attributeName": "Protocol-TLSv1", "attributeValue": value} for value in values
            ]
            self.assertIn("accepts TLSv1", judged(classic(("SSL", 443, ["p"]), policies=[policy])).annotation)

    def test_many_weak_ciphers_are_counted(self) -> None:
        weak = dict.fromkeys(("RC4__SHA", "DES__CBC__SHA", "EXP__AES", "NULL__SHA", "AES128__MD5"), "true")
        finding = judged(classic(("SSL", 443, ["p"]), policies=[negotiation("p", **GOOD, **weak)]))
        self.assertIn("weak ciphers: AES128-MD5, DES-CBC-SHA, EXP-AES and 2 more", finding.annotation)

    def test_no_classic_policy_reaches_tls_1_3(self) -> None:
        for policy in (
            negotiation("p", **GOOD),
            negotiation("p", Reference__Security__Policy="ELBSecurityPolicy-TLS-1-2-2017-01"),
        ):
            finding = judged(classic(("SSL", 443, ["p"]), policies=[policy]), {"MinimumTlsVersion": "1.3"})
            self.assertEqual(finding.compliance, NON_COMPLIANT)
            self.assertIn("expected TLS 1.3 or newer", finding.annotation)

    def test_the_second_negotiation_policy_counts_too(self) -> None:
        policies = [negotiation("good", **GOOD), negotiation("bad", **GOOD, Protocol__TLSv1="true")]
        self.assertIn("policy bad accepts TLSv1", judged(classic(("SSL", 443, ["good", "bad"]), policies=policies)).annotation)
        self.assertEqual(judged(classic(("SSL", 443, ["good"]), policies=policies)).compliance, COMPLIANT)

    def test_policies_of_other_types_do_not_matter(self) -> None:
        sticky = {"policyName": "sticky", "policyTypeName": "LBCookieStickinessPolicyType", "policyAttributeDescriptions": [{}]}
        item = classic(("HTTPS", 443, ["sticky", "p"]), policies=[sticky, negotiation("p", **GOOD)])
        finding = judged(item)
        self.assertEqual((finding.compliance, finding.annotation), (COMPLIANT, "1 listener with TLS 1.2 or newer"))

    def test_several_listeners_are_counted(self) -> None:
        finding = judged(classic(("HTTP", 80, []), ("TCP", 25, [])))
        self.assertTrue(finding.annotation.startswith("2 listeners; first: port 80"))

    def test_what_cannot_be_read_is_an_error(self) -> None:
        good = negotiation("p", **GOOD)
        broken = {
            "no policy named": classic(("HTTPS", 443, []), policies=[good]),
            "policy not described": classic(("HTTPS", 443, ["p"])),
            "one of two not described": classic(("HTTPS", 443, ["p", "q"]), policies=[good]),
            "no policies recorded": {**classic(("HTTPS", 443, ["p"])), "supplementaryConfiguration": {}},
            "policy of another type": classic(("HTTPS", 443, ["p"]), policies=[{**good, "policyTypeName": "Other"}]),
            "silent attribute": classic(
                ("SSL", 443, ["p"]),
                policies=[negotiation("p", **GOOD, Protocol__TLSv1=None)],  # type: ignore[arg-type]
            ),
            "odd attribute": classic(("SSL", 443, ["p"]), policies=[negotiation("p", **GOOD, Protocol__TLSv1="on")]),
            "attribute of another shape": classic(
                ("SSL", 443, ["p"]), policies=[{**good, "policyAttributeDescriptions": ["x"]}]
            ),
            "unknown protocol": classic(("GOPHER", 70, [])),
            "no protocol": classic((None, 443, [])),  # type: ignore[arg-type]
            "no port": classic(("HTTP", None, [])),  # type: ignore[arg-type]
            "policy names of another shape": classic(("HTTPS", 443, "p"), policies=[good]),  # type: ignore[arg-type]
        }
        for name, item in broken.items():
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, "onfiguration|listenerDescriptions|policy"):
                judged(item)
        with self.assertRaisesRegex(RuleInputError, "listenerDescriptions: protocol 'GOPHER' is not known"):
            judged(broken["unknown protocol"])
        with self.assertRaisesRegex(RuleInputError, "listenerDescriptions: .*listener.protocol is missing"):
            judged(broken["no protocol"])
        for value in (None, "x", [None], [{}], [{"listener": None}]):
            with self.subTest(value), self.assertRaises(RuleInputError):
                item = classic()
                item["configuration"]["listenerDescriptions"] = value
                judged(item)

    def test_a_clear_text_listener_decides_whatever_else_cannot_be_read(self) -> None:
        finding = judged(classic(("HTTPS", 443, ["p"]), ("HTTP", 80, [])))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("port 80: HTTP is not encrypted", finding.annotation)

    def test_no_listeners(self) -> None:
        finding = judged(classic())
        self.assertEqual((finding.compliance, finding.annotation), (COMPLIANT, "no listeners"))


class LookupTest(unittest.TestCase):
    def test_the_scheme_is_answered_by_the_load_balancer_of_the_same_snapshot(self) -> None:
        balancer = item_of("AWS::ElasticLoadBalancingV2::LoadBalancer", LOAD_BALANCER_ARN, {"scheme": "internal"})

        class Index:
            def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
                return [balancer] if region == SCOPE.region else []

        facts = RecordedFacts(Index(), SCOPE)
        self.assertEqual(facts.get(LoadBalancerScheme, LOAD_BALANCER_ARN), "internal")
        with self.assertRaises(NotAssessed):
            facts.get(LoadBalancerScheme, "another")
        with self.assertRaises(NotAssessed):
            facts.get(ListenerRules, LISTENER_ARN)

    @mock_aws
    def test_an_account_answers(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        ec2, elb = Clients().build_client("ec2"), Clients().build_client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = ("eu-west-1a", "eu-west-1b")
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for n, zone in enumerate(zones)
        ]
        balancer = elb.create_load_balancer(Name="a", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
        arn = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[REDIRECT])["Listeners"][
            0
        ]["ListenerArn"]
        target = elb.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        elb.create_rule(
            ListenerArn=arn,
            Priority=5,
            Conditions=[{"Field": "path-pattern", "Values": ["/old/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": target}],
        )
        facts = LiveFacts(Clients(), SCOPE)
        self.assertEqual(facts.get(LoadBalancerScheme, balancer), "internal")
        (found,) = facts.get(ListenerRules, arn)
        self.assertEqual((found["Priority"], found["Actions"][0]["Type"]), ("5", "forward"))


if __name__ == "__main__":
    unittest.main()
