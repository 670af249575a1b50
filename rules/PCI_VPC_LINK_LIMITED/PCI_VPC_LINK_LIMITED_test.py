"""Decision table of PCI_VPC_LINK_LIMITED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.stub import Stubber
from moto import mock_aws

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
from PCI_VPC_LINK_LIMITED import (
    HTTP_LINK,
    REST_LINK,
    BalancerTiers,
    Integration,
    Link,
    LinkIntegrations,
    LinkParameters,
    PciVpcLinkLimited,
    VpcLinks,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, OTHER, REGION = "123456789012", "210987654321", "eu-west-1"
SCOPE = Scope(OWN, REGION, NOW, Settings())
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"


def balancer(name: str, kind: str = "net", account: str = OWN, region: str = REGION) -> str:
    return f"arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{kind}/{name}/50dc6c495c0c9188"


def listener(name: str, kind: str = "app", account: str = OWN) -> str:
    return f"{balancer(name, kind, account).replace(':loadbalancer/', ':listener/')}/f2f7dc8efc522ab2"


TIERS: dict[str, str | None] = {
    balancer("services"): "vpc-link",
    balancer("services", "app"): "vpc-link",
    balancer("public"): "dmz",
    balancer("public", "app"): "dmz",
    balancer("plain"): None,
    balancer("batch"): None,
}
CLOUD_MAP = f"arn:aws:servicediscovery:{REGION}:{OWN}:service/srv-1"


def judged(*links: Link, integrations: Any = (), known: Any = None, **raw: str) -> Finding:
    facts = {(VpcLinks,): links, (LinkIntegrations,): integrations, (BalancerTiers,): TIERS} | (known or {})
    rule = PciVpcLinkLimited(Settings())
    (finding,) = rule.decide_account(rule.evaluate_parameters(raw), StatedFacts(SCOPE, facts))
    assert (finding.resource_type, finding.resource_id) == ("AWS::::Account", OWN)
    return finding


def of_rest_link(*targets: str, status: str = "AVAILABLE", **raw: str) -> Finding:
    return judged(Link(REST_LINK, "l1", "to-services", status, targets), **raw)


def of_http_link(*targets: str, link_id: str = "l2", known: Any = None, **raw: str) -> Finding:
    integrations = [Integration("api1", link_id, target) for target in targets]
    return judged(Link(HTTP_LINK, "l2", "to-partners", "AVAILABLE"), integrations=integrations, known=known, **raw)


class TargetTest(unittest.TestCase):
    def assert_judged(self, finding: Finding, compliance: str, told: str) -> None:
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        self.assertIn(f" {told}", f" {finding.annotation}")
        self.assertEqual(finding.annotation.endswith(" [PCI 1.4.2]"), compliance == NON_COMPLIANT)
        self.assertLessEqual(len(finding.annotation), 256)

    def test_targets_of_a_rest_link(self) -> None:
        for target, compliance, told in (
            (balancer("services"), COMPLIANT, "1 VPC link targets only services"),
            (balancer("public"), NON_COMPLIANT, "load balancer public is of tier 'dmz', expected vpc-link; target another, or list it in LoadBalancers"),
            (balancer("plain"), NON_COMPLIANT, "load balancer plain has no tag pci:tier, expected vpc-link"),
            (balancer("gone"), NON_COMPLIANT, "load balancer gone does not exist here"),
            (balancer("services", region="us-east-1"), NON_COMPLIANT, "load balancer services does not exist here"),
            (balancer("services", account=OTHER), NON_COMPLIANT, f"load balancer services is of account {OTHER}; target one of this account"),
            (balancer("services", "gwy"), NON_COMPLIANT, "is no load balancer, so what it leads to is not limited"),
            ("", NON_COMPLIANT, "is no load balancer"),
        ):  # fmt: skip
            with self.subTest(target):
                finding = of_rest_link(target)
                self.assert_judged(finding, compliance, told)
                self.assertEqual(finding.annotation.startswith("VPC link l1 (to-services): "), compliance == NON_COMPLIANT)

    def test_targets_of_the_integrations_of_the_other_links(self) -> None:
        for target, compliance, told in (
            (listener("services"), COMPLIANT, "1 VPC link targets only services"),
            (listener("services", "net"), COMPLIANT, "1 VPC link targets only services"),
            (balancer("services", "app"), COMPLIANT, "1 VPC link targets only services"),
            (listener("public"), NON_COMPLIANT, "API api1: load balancer public is of tier 'dmz'"),
            (listener("services", account=OTHER), NON_COMPLIANT, f"API api1: load balancer services is of account {OTHER}"),
            (listener("gone"), NON_COMPLIANT, "load balancer gone does not exist here"),
            (CLOUD_MAP, NON_COMPLIANT, f"API api1: {CLOUD_MAP} is no load balancer"),
            ("https://internal.example", NON_COMPLIANT, "https://internal.example is no load balancer"),
            ("${stageVariables.target}", NON_COMPLIANT, "${stageVariables.target} is set elsewhere, by a stage variable"),
            (listener("services") + "/more", NON_COMPLIANT, "is no load balancer"),
        ):
            with self.subTest(target):
                finding = of_http_link(target)
                self.assert_judged(finding, compliance, told)
                self.assertEqual(
                    finding.annotation.startswith("VPC link l2 (to-partners): API api1: "), compliance == NON_COMPLIANT
                )

    def test_a_list_instead_of_a_tag(self) -> None:
        for listed, compliance in (
            ("plain", COMPLIANT),
            ("pla*", COMPLIANT),
            (balancer("plain"), COMPLIANT),
            ("other,plain", COMPLIANT),
            ("plai", NON_COMPLIANT),
            ("Plain", NON_COMPLIANT),
            (balancer("plain", "app"), NON_COMPLIANT),
        ):
            with self.subTest(listed):
                self.assertEqual(of_rest_link(balancer("plain"), LoadBalancers=listed).compliance, compliance)
        self.assertEqual(of_rest_link(balancer("plain", account=OTHER), LoadBalancers="plain").compliance, NON_COMPLIANT)
        self.assertEqual(of_rest_link(balancer("gone"), LoadBalancers="gone").compliance, NON_COMPLIANT)
        self.assertEqual(of_rest_link(balancer("services"), LoadBalancers="plain").compliance, COMPLIANT)

    def test_tiers(self) -> None:
        self.assertEqual(of_rest_link(balancer("public"), LoadBalancerTiers="vpc-link,dmz").compliance, COMPLIANT)
        self.assertEqual(of_rest_link(balancer("services"), LoadBalancerTiers="dmz").compliance, NON_COMPLIANT)
        self.assert_judged(
            of_rest_link(balancer("services"), LoadBalancerTiers=""), NON_COMPLIANT, "expected none; target another"
        )
        self.assert_judged(of_rest_link(balancer("plain"), LoadBalancerTiers="a,b"), NON_COMPLIANT, "expected a or b")

    def test_every_target_counts(self) -> None:
        self.assert_judged(
            of_http_link(listener("services"), listener("public"), CLOUD_MAP),
            NON_COMPLIANT,
            "2 targets; first: VPC link l2 (to-partners): API api1: ",
        )
        wide = [listener(name) for name in ("a", "b", "c", "d")]
        known = {(BalancerTiers,): {balancer(name, "app"): "vpc-link" for name in ("a", "b", "c", "d")}}
        self.assert_judged(of_http_link(*wide, known=known), COMPLIANT, "1 VPC link targets only a, b, c and 1 more")
        self.assert_judged(of_http_link(*wide[:3], known=known), COMPLIANT, "1 VPC link targets only a, b, c")

    def test_links_without_targets(self) -> None:
        self.assert_judged(of_http_link(), COMPLIANT, "no integration uses a VPC link")
        self.assert_judged(of_http_link(listener("public"), link_id="other"), COMPLIANT, "no integration uses a VPC link")
        self.assert_judged(of_rest_link(balancer("public"), status="DELETING"), NOT_APPLICABLE, "no VPC link here")
        self.assertEqual(of_rest_link(balancer("public"), status="FAILED").compliance, NON_COMPLIANT)
        self.assert_judged(judged(), NOT_APPLICABLE, "no VPC link here")

    def test_several_links(self) -> None:
        good, bad = (
            Link(REST_LINK, name, name, "AVAILABLE", (balancer(to),)) for name, to in (("a", "services"), ("b", "public"))
        )
        gone = Link(REST_LINK, "c", "c", "DELETING", (balancer("public"),))
        http = Link(HTTP_LINK, "d", "d" * 50, "AVAILABLE")
        self.assert_judged(judged(good, gone, http), COMPLIANT, "2 VPC links target only services")
        self.assert_judged(judged(good, gone, bad), NON_COMPLIANT, "VPC link b (b): load balancer public is of tier 'dmz'")
        both = judged(good, bad, http, integrations=[Integration("x", "d", CLOUD_MAP)])
        self.assert_judged(both, NON_COMPLIANT, "2 targets; first: VPC link b (b): ")
        only = judged(http, integrations=[Integration("x", "d", CLOUD_MAP)])
        self.assert_judged(only, NON_COMPLIANT, f"VPC link d ({'d' * 38} …): API x: {CLOUD_MAP} is no load balancer")

    def test_a_stage_variable_may_name_any_link(self) -> None:
        named = "${stageVariables.link}"
        self.assert_judged(
            of_http_link(listener("public"), link_id=named), NON_COMPLIANT, "load balancer public is of tier 'dmz'"
        )
        self.assertEqual(of_http_link(listener("services"), link_id=named).compliance, COMPLIANT)
        rest = Link(REST_LINK, "l1", "x", "AVAILABLE", (balancer("services"),))
        leads = [Integration("a", named, listener("public"))]
        self.assertEqual(judged(rest, integrations=leads).compliance, COMPLIANT)
        self.assertEqual(judged(rest, Link(HTTP_LINK, "l2", "y", "AVAILABLE"), integrations=leads).compliance, NON_COMPLIANT)

    def test_parameters(self) -> None:
        rule = PciVpcLinkLimited()
        self.assertEqual(rule.evaluate_parameters({}), LinkParameters((), ("vpc-link",)))
        for raw in ({"LoadBalancers": "a b"}, {"Tiers": "dmz"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)

    def test_what_cannot_be_known_is_no_verdict(self) -> None:
        with self.assertRaisesRegex(NotAssessed, "vpc links"):
            PciVpcLinkLimited().decide_account(LinkParameters(), RecordedFacts(SimpleNamespace(find=lambda *key: []), SCOPE))
        for missing in (LinkIntegrations, BalancerTiers):
            with self.subTest(missing), self.assertRaises(NotAssessed):
                of_http_link(listener("services"), known={(missing,): NotAssessed("unknown")})


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class SourceTest(unittest.TestCase):
    def test_what_the_rule_asks_of_aws(self) -> None:
        actions = {action for lookup in PciVpcLinkLimited.lookups for action in lookup.actions}
        balancers = {"elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"}
        self.assertEqual(actions, {"apigateway:GET"} | balancers)

    def test_a_snapshot_has_the_tiers(self) -> None:
        item = json.loads((SAMPLES / "AWS_ElasticLoadBalancingV2_LoadBalancer.json").read_text("utf-8"))
        facts = RecordedFacts(SimpleNamespace(find=lambda *key: [item | {"tags": {"pci:tier": "vpc-link"}}]), SCOPE)
        self.assertEqual(facts.get(BalancerTiers), {item["configuration"]["loadBalancerArn"]: "vpc-link"})

    @mock_aws
    def test_an_account_answers(self) -> None:
        clients = Clients()
        ec2, elb, rest, http = (clients.build_client(name) for name in ("ec2", "elbv2", "apigateway", "apigatewayv2"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        made = {}
        for number in range(21):  # one more than a call takes
            tags = [{"Key": "pci:tier", "Value": "vpc-link"}] if number == 20 else [{"Key": "a", "Value": "b"}]
            answer = elb.create_load_balancer(Name=f"n{number}", Subnets=[subnet], Type="network", Tags=tags)
            made[number] = answer["LoadBalancers"][0]["LoadBalancerArn"]
        v1 = rest.create_vpc_link(name="v1", targetArns=[made[20]])["id"]
        v2 = http.create_vpc_link(Name="v2", SubnetIds=[subnet])["VpcLinkId"]
        api = http.create_api(Name="h", ProtocolType="HTTP")["ApiId"]
        private = {"ConnectionType": "VPC_LINK", "ConnectionId": v2, "IntegrationUri": listener("n1", "net")}
        http.create_integration(
            ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", PayloadFormatVersion="1.0", **private
        )
        http.create_integration(
            ApiId=api,
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="ANY",
            PayloadFormatVersion="1.0",
            IntegrationUri="https://x.example",
        )
        socket = http.create_api(Name="w", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a")["ApiId"]
        http.create_integration(
            ApiId=socket,
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="ANY",
            ConnectionType="VPC_LINK",
            ConnectionId=v1,
            IntegrationUri="http://nlb.example",
        )
        facts = LiveFacts(clients, SCOPE)
        self.assertEqual(
            facts.get(VpcLinks), [Link(REST_LINK, v1, "v1", "AVAILABLE", (made[20],)), Link(HTTP_LINK, v2, "v2", "AVAILABLE")]
        )
        self.assertEqual(facts.get(LinkIntegrations), [Integration(api, v2, listener("n1", "net"))])
        tiers = facts.get(BalancerTiers)
        self.assertEqual((len(tiers), tiers[made[20]], tiers[made[0]]), (21, "vpc-link", None))

    def test_rest_integrations_and_pages(self) -> None:
        """What moto does not have: pages of links, and integrations with a target of their own."""
        rest, http = boto3.client("apigateway", REGION), boto3.client("apigatewayv2", REGION)
        facts = LiveFacts(
            SimpleNamespace(build_client=lambda name, region=None: {"apigateway": rest, "apigatewayv2": http}[name]), SCOPE
        )

        def link(name: str) -> dict[str, Any]:
            return {"VpcLinkId": name, "VpcLinkStatus": "AVAILABLE", "SubnetIds": [], "SecurityGroupIds": [], "Name": name}

        private = {"connectionType": "VPC_LINK", "connectionId": "b"}
        integrations = {
            "GET": private | {"integrationTarget": balancer("services", "app")},
            "PUT": private,
            "POST": {"connectionType": "INTERNET", "integrationTarget": "x"},
        }
        methods = {name: {"httpMethod": name, "methodIntegration": each} for name, each in integrations.items()}
        with Stubber(rest) as rest_stub, Stubber(http) as http_stub:
            rest_stub.add_response("get_vpc_links", {"items": []})
            http_stub.add_response("get_vpc_links", {"Items": [link("a")], "NextToken": "more"}, {})
            http_stub.add_response("get_vpc_links", {"Items": [link("b")]}, {"NextToken": "more"})
            self.assertEqual([each.link_id for each in facts.get(VpcLinks)], ["a", "b"])
            http_stub.add_response("get_apis", {"Items": []})
            rest_stub.add_response("get_rest_apis", {"items": [{"id": "r"}]})
            resources = {"items": [{"id": "1", "resourceMethods": methods | {"OPTIONS": {}}}, {"id": "2"}]}
            rest_stub.add_response("get_resources", resources, {"restApiId": "r", "embed": ["methods"]})
            self.assertEqual(facts.get(LinkIntegrations), [Integration("r", "b", balancer("services", "app"))])

    def test_an_answer_of_another_shape_is_no_verdict(self) -> None:
        rest = boto3.client("apigateway", REGION)
        facts = LiveFacts(SimpleNamespace(build_client=lambda name, region=None: rest), SCOPE)
        with Stubber(rest) as stub:
            stub.add_response("get_vpc_links", {"items": [{"id": "a", "status": "AVAILABLE"}]})
            with self.assertRaisesRegex(RuleInputError, "a VPC link has an unexpected shape"):
                facts.get(VpcLinks)


if __name__ == "__main__":
    unittest.main()
