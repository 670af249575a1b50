"""Decision table of PCI_API_TLS_ONLY."""

from __future__ import annotations

import json
import unittest
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber
from moto import mock_aws

from PCI_API_TLS_ONLY import (
    REST_API,
    DomainName,
    DomainNamePolicy,
    PciApiTlsOnly,
    RestApis,
    UnrecordedDomainNames,
    configured_policies,
    rest_api,
)
from pci_config.api_tls import API_POLICIES, RestApi
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "configuration.SecurityPolicy": "GetDomainName says it when the item does not",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REGION, ACCOUNT = "eu-west-1", "AWS::::Account"
SCOPE = Scope("123456789012", REGION, NOW, Settings())
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
NAME = "pay.aurum.example"
ARN = f"arn:aws:apigateway:{REGION}::/restapis/a1b2c3d4e5"
STRONG, STRONGEST = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", "SecurityPolicy_TLS13_1_3_2025_09"


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


def domain_name(policy: Any = "TLS_1_2", **members: Any) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / "AWS_ApiGateway_DomainName.json").read_text("utf-8"))
    item["configuration"] |= {"SecurityPolicy": policy, **members}
    return item


def judged(item: dict[str, Any], looked_up: str | None = None, **parameters: str) -> Finding:
    rule = PciApiTlsOnly()
    known = {} if looked_up is None else {(DomainNamePolicy, NAME): looked_up}
    return rule.decide(item, rule.evaluate_parameters(parameters), StatedFacts(SCOPE, known))


def api(policy: str = STRONG, types: Sequence[str] = ("REGIONAL",), disabled: bool = False, status: str = "") -> RestApi:
    return RestApi("payments-api", tuple(types), policy, disabled, status)


def scheduled(apis: Sequence[RestApi], domain_names: Sequence[DomainName], parameters: dict[str, str]) -> list[Finding]:
    rule = PciApiTlsOnly()
    known = {(RestApis,): [(ARN, each) for each in apis], (UnrecordedDomainNames,): list(domain_names)}
    return list(rule.decide_account(rule.evaluate_parameters(parameters), StatedFacts(SCOPE, known)))


def account(apis: Sequence[RestApi] = (), **parameters: str) -> Sequence[Finding]:
    """The findings on the APIs; without domain names there is always one more."""
    *findings, last = scheduled(apis, (), parameters)
    assert last == Finding(NOT_APPLICABLE, "no private domain name, and none of HTTP APIs alone", ACCOUNT, SCOPE.account_id)
    return findings


class RecordedDomainNameTest(unittest.TestCase):
    def test_each_policy_against_each_minimum(self) -> None:
        for minimum in ("1.2", "1.3"):
            for policy, known in API_POLICIES.items():
                with self.subTest(policy=policy, minimum=minimum):
                    finding = judged(domain_name(policy), MinimumTlsVersion=minimum)
                    if known.minimum >= minimum:
                        self.assertEqual(finding, Finding(COMPLIANT, f"{NAME}: TLS {minimum} or newer ({policy})"))
                    else:
                        words = f"policy {policy} accepts TLS {known.minimum}; expected TLS {minimum} or newer"
                        self.assertEqual(finding, Finding(NON_COMPLIANT, f"{NAME}: {words} [PCI 4.2.1]"))

    def test_the_recorded_sample_takes_tls_1_0(self) -> None:
        item = json.loads((SAMPLES / "AWS_ApiGateway_DomainName.json").read_text("utf-8"))
        finding = judged(item)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("policy TLS_1_0 accepts TLS 1.0", finding.annotation)

    def test_an_unknown_policy_never_passes(self) -> None:
        for policy in ("TLS_1_3", "tls_1_2", "SecurityPolicy_TLS13_1_3_2031_01", "ELBSecurityPolicy-TLS13-1-3-2021-06"):
            with self.subTest(policy=policy):
                finding = judged(domain_name(policy))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(f"{NAME}: unknown policy {policy} (not in the table of 2026-11)", finding.annotation)

    def test_mutual_tls_changes_nothing(self) -> None:
        trust = {"TruststoreUri": "s3://trust/clients.pem", "TruststoreVersion": "1"}
        for policy in ("TLS_1_0", "TLS_1_2"):
            for mutual in (None, {}, trust):
                with self.subTest(policy=policy, mutual=mutual):
                    self.assertEqual(judged(domain_name(policy, MutualTlsAuthentication=mutual)), judged(domain_name(policy)))

    def test_the_endpoint_type_changes_nothing(self) -> None:
        for types in (["EDGE"], ["REGIONAL"], ["EDGE", "REGIONAL"]):
            with self.subTest(types=types):
                item = domain_name("TLS_1_0", EndpointConfiguration={"Types": types})
                self.assertEqual(judged(item), judged(domain_name("TLS_1_0")))

    def test_a_policy_that_the_item_does_not_show_is_looked_up(self) -> None:
        for absent in (None, ""):
            with self.subTest(absent=absent):
                self.assertEqual(judged(domain_name(absent), "TLS_1_2").compliance, COMPLIANT)
                self.assertEqual(judged(domain_name(absent), "TLS_1_0").compliance, NON_COMPLIANT)
                with self.assertRaisesRegex(RuleInputError, "neither configuration.SecurityPolicy nor GetDomainName"):
                    judged(domain_name(absent), "")
        with self.assertRaisesRegex(NotAssessed, "does not record the domain name policy"):
            PciApiTlsOnly().decide(
                domain_name(None),
                PciApiTlsOnly().evaluate_parameters({}),
                RecordedFacts(None, SCOPE),  # type: ignore[arg-type] # it is never asked
            )

    def test_unreadable_input_is_no_verdict(self) -> None:
        for member in ("DomainName", "SecurityPolicy"):
            item = domain_name()
            item["configuration"][member] = ["TLS_1_2"]
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, member):
                judged(item)


class RestApiTest(unittest.TestCase):
    def only(self, each: RestApi, **parameters: str) -> Finding:
        (finding,) = account([each], **parameters)
        self.assertEqual((finding.resource_type, finding.resource_id), (REST_API, ARN))
        return finding

    def test_each_policy_against_each_minimum(self) -> None:
        for minimum in ("1.2", "1.3"):
            for policy, known in API_POLICIES.items():
                with self.subTest(policy=policy, minimum=minimum):
                    finding = self.only(api(policy), MinimumTlsVersion=minimum)
                    self.assertEqual(finding.compliance, COMPLIANT if known.minimum >= minimum else NON_COMPLIANT)
                    self.assertIn(policy, finding.annotation)
        self.assertEqual(self.only(api()).annotation, f"payments-api: TLS 1.2 or newer ({STRONG})")

    def test_without_a_policy_the_endpoint_type_decides(self) -> None:
        for types, compliance in (
            (["REGIONAL"], NON_COMPLIANT),
            (["EDGE"], NON_COMPLIANT),
            (["PRIVATE"], COMPLIANT),
            (["PRIVATE", "REGIONAL"], NON_COMPLIANT),
            ([], NON_COMPLIANT),
            (["SATELLITE"], NON_COMPLIANT),
        ):
            with self.subTest(types=types):
                self.assertEqual(self.only(api("", types)).compliance, compliance)
        self.assertEqual(
            self.only(api("")).annotation,
            "payments-api (default endpoint open): by default policy TLS_1_0 accepts TLS 1.0; expected TLS 1.2 or newer"
            " [PCI 4.2.1]",
        )
        self.assertEqual(self.only(api("", ["PRIVATE"]), MinimumTlsVersion="1.3").compliance, NON_COMPLIANT)

    def test_an_unknown_policy_never_passes(self) -> None:
        finding = self.only(api("TLS_1_3"))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("unknown policy TLS_1_3", finding.annotation)

    def test_a_disabled_endpoint_does_not_excuse_the_policy(self) -> None:
        finding = self.only(api("TLS_1_0", disabled=True))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("(default endpoint disabled, domain names use the API's policy): policy TLS_1_0", finding.annotation)

    def test_unless_it_is_said_to(self) -> None:
        for policy in ("TLS_1_0", "", "TLS_9"):
            with self.subTest(policy=policy):
                finding = self.only(api(policy, disabled=True), AcceptDisabledEndpoints="true")
                self.assertEqual(finding.compliance, COMPLIANT)
                self.assertIn("default endpoint disabled, and AcceptDisabledEndpoints", finding.annotation)
                self.assertEqual(self.only(api(policy), AcceptDisabledEndpoints="true").compliance, NON_COMPLIANT)
        strong = self.only(api(disabled=True), AcceptDisabledEndpoints="true")
        self.assertEqual(strong.annotation, f"payments-api: TLS 1.2 or newer ({STRONG})")

    def test_an_update_that_failed(self) -> None:
        for status, compliance in (("FAILED", NON_COMPLIANT), ("AVAILABLE", COMPLIANT), ("", COMPLIANT)):
            with self.subTest(status=status):
                self.assertEqual(self.only(api(status=status)).compliance, compliance)
        self.assertIn("last change of it failed, so policy", self.only(api(status="FAILED", disabled=True)).annotation)

    def test_every_api_is_reported(self) -> None:
        self.assertEqual([f.compliance for f in account([api(), api("TLS_1_0")])], [COMPLIANT, NON_COMPLIANT])
        self.assertEqual(account(), [])

    def test_an_api_as_aws_describes_it(self) -> None:
        described = {
            "id": "a1",
            "name": "cards",
            "endpointConfiguration": {"types": ["PRIVATE"]},
            "securityPolicy": "TLS_1_2",
            "disableExecuteApiEndpoint": True,
            "apiStatus": "AVAILABLE",
        }
        self.assertEqual(rest_api(described), RestApi("cards", ("PRIVATE",), "TLS_1_2", True, "AVAILABLE"))
        self.assertEqual(rest_api({"id": "a1"}), RestApi("a1", (), "", False, ""))
        self.assertFalse(rest_api({"id": "a1", "disableExecuteApiEndpoint": "true"}).endpoint_disabled)


class UnrecordedDomainNameTest(unittest.TestCase):
    def test_every_configuration_is_judged(self) -> None:
        for policies, compliance, words in (
            (("TLS_1_2",), COMPLIANT, "1 domain name of private and HTTP APIs: TLS 1.2 or newer"),
            ((STRONG, "TLS_1_2", "TLS_1_2"), COMPLIANT, "1 domain name of"),
            (("TLS_1_2", "TLS_1_0"), NON_COMPLIANT, "v2.example: policy TLS_1_0 accepts TLS 1.0"),
            (("TLS_1_2", ""), NON_COMPLIANT, "v2.example: names no security policy; expected one of TLS 1.2 or newer"),
            ((), NON_COMPLIANT, "v2.example: names no security policy"),
        ):
            with self.subTest(policies=policies):
                (finding,) = scheduled([], [DomainName("v2.example", policies)], {})
                self.assertEqual((finding.resource_type, finding.resource_id), (ACCOUNT, SCOPE.account_id))
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_one_finding_tells_of_all(self) -> None:
        good, bad, other = (
            DomainName("good.example", (STRONG,)),
            DomainName("bad.example", ("TLS_1_0",)),
            DomainName("other.example", ()),
        )
        (finding,) = scheduled([], [good, good], {})
        self.assertEqual(finding.annotation, "2 domain names of private and HTTP APIs: TLS 1.2 or newer")
        (finding,) = scheduled([], [good, bad], {})
        self.assertEqual(
            finding.annotation, "bad.example: policy TLS_1_0 accepts TLS 1.0; expected TLS 1.2 or newer [PCI 4.2.1]"
        )
        (finding,) = scheduled([], [good, bad, other], {})
        self.assertTrue(finding.annotation.startswith("2 domain names; first: bad.example: policy"), finding.annotation)
        self.assertEqual(len(scheduled([api(), api()], [good], {})), 3)

    def test_a_minimum_holds_for_them_too(self) -> None:
        (finding,) = scheduled([], [DomainName("v2.example", ("TLS_1_2",))], {"MinimumTlsVersion": "1.3"})
        self.assertIn("accepts TLS 1.2; expected TLS 1.3 or newer [PCI 4.2.1]", finding.annotation)

    def test_configurations_as_aws_describes_them(self) -> None:
        described = {"DomainNameConfigurations": [{"SecurityPolicy": "TLS_1_2"}, {}, {"SecurityPolicy": "TLS_1_0"}]}
        self.assertEqual(list(configured_policies(described)), ["TLS_1_2", "", "TLS_1_0"])
        self.assertEqual(list(configured_policies({})), [])


class DeclarationTest(unittest.TestCase):
    def test_what_it_judges_and_when(self) -> None:
        self.assertEqual(PciApiTlsOnly.resource_types, (domain_name()["resourceType"],))
        types = ("AWS::ApiGateway::RestApi", "AWS::::Account")
        self.assertEqual(PciApiTlsOnly.periodic_types, types)  # what is gone is retired by these
        self.assertTrue(PciApiTlsOnly.is_periodic())
        self.assertEqual({action for lookup in PciApiTlsOnly.lookups for action in lookup.actions}, {"apigateway:GET"})
        self.assertEqual(set(PciApiTlsOnly.lookups), {DomainNamePolicy, RestApis, UnrecordedDomainNames})

    def test_an_answer_of_another_shape_is_no_verdict(self) -> None:
        rule = PciApiTlsOnly()
        facts = StatedFacts(SCOPE, {(RestApis,): KeyError("id")})
        with self.assertRaisesRegex(RuleInputError, "GetRestApis, GetDomainNames has an unexpected shape"):
            rule.decide_account(rule.evaluate_parameters({}), facts)


class ParameterTest(unittest.TestCase):
    def test_bounds(self) -> None:
        for name, value in (("MinimumTlsVersion", "1.1"), ("AcceptDisabledEndpoints", "yes"), ("MinimumTls", "1.2")):
            with self.subTest(name=name), self.assertRaisesRegex(ParameterError, name):
                PciApiTlsOnly().evaluate_parameters({name: value})


class LiveTest(unittest.TestCase):
    @mock_aws
    def test_live(self) -> None:
        rest, http = boto3.client("apigateway", region_name=REGION), boto3.client("apigatewayv2", region_name=REGION)
        self.assertEqual(RestApis.live(Clients(), SCOPE), [])
        self.assertEqual(UnrecordedDomainNames.live(Clients(), SCOPE), [])
        made = rest.create_rest_api(name="cards", endpointConfiguration={"types": ["EDGE"]}, disableExecuteApiEndpoint=True)
        (found,) = RestApis.live(Clients(), SCOPE)
        arn = f"arn:aws:apigateway:{REGION}::/restapis/{made['id']}"
        self.assertEqual((found[0], found[1].endpoint_types, found[1].endpoint_disabled), (arn, ("EDGE",), True))
        for name, policy in (("pay.example", "TLS_1_0"), ("silent.example", "")):
            given = {"securityPolicy": policy} if policy else {}
            rest.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]}, **given)
            self.assertEqual(DomainNamePolicy.live(Clients(), SCOPE, name), policy)
        for name in ("partners.example", "pay.example"):  # as in AWS, both APIs show the latter
            http.create_domain_name(
                DomainName=name,
                DomainNameConfigurations=[{"EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}],
            )
        self.assertEqual(
            UnrecordedDomainNames.live(Clients(), SCOPE),
            [DomainName("partners.example", ("TLS_1_2",))],
        )

    def test_private_domain_names(self) -> None:
        keys = {"region_name": REGION, "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        clients = {name: boto3.client(name, **keys) for name in ("apigateway", "apigatewayv2")}  # type: ignore[call-overload]

        class Stubbed:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return clients[service]

        arn = f"arn:aws:apigateway:{REGION}:123456789012:/domainnames/inside.example+x1"
        names = [
            {"domainName": "inside.example", "domainNameArn": arn, "endpointConfiguration": {"types": ["PRIVATE"]}},
            {"domainName": "pay.example", "endpointConfiguration": {"types": ["EDGE"]}, "securityPolicy": "TLS_1_0"},
        ]
        with Stubber(clients["apigateway"]) as first, Stubber(clients["apigatewayv2"]) as second:
            first.add_response(
                "get_domain_names", {"items": [names[0] | {"securityPolicy": STRONGEST}], "position": "next"}, {}
            )
            first.add_response("get_domain_names", {"items": names}, {"position": "next"})
            second.add_response("get_domain_names", {"Items": []}, {})
            found = UnrecordedDomainNames.live(Stubbed(), SCOPE)
        self.assertEqual(found, [DomainName("inside.example", (STRONGEST,)), DomainName("inside.example", ("",))])
