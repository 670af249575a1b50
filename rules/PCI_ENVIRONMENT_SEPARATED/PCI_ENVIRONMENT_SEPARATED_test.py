"""Decision table of PCI_ENVIRONMENT_SEPARATED.

The samples of peerings and transit gateways have the members of AWS Config's published schema; inferred are: the object in a
peering's status (the schema says text, the API gives code and message), the tags, relationships, ARNs and creation times.
"""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.environment_facts import Gateway, GatewayOwner, Gateways, Share, Shares
from pci_config.environments import account_of, must_be_apart
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
from pci_config.sandbox import ram_service
from pci_config.settings import SettingMissing, Settings
from PCI_ENVIRONMENT_SEPARATED import PciEnvironmentSeparated

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "tags": "without environment tag the other lines of the table decide",
    "tags.environment": "without environment tag the other lines of the table decide",
    "tags.env": "without environment tag the other lines of the table decide",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REGION = "eu-west-1"
ACCOUNTS = {
    "management": "100000000001",
    "delegated_admin": "200000000002",
    "log_archive": "300000000003",
    "identity": "400000000004",
    "identity_production": "500000000005",
    "production": "600000000006",
    "staging": "700000000007",
    "development": "800000000008",
}
STRANGER = "999999999999"
SETTINGS = Settings(accounts={role: (account,) for role, account in ACCOUNTS.items()})
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
PEERING, ATTACHMENT, ROLE = "AWS::EC2::VPCPeeringConnection", "AWS::EC2::TransitGatewayAttachment", "AWS::IAM::Role"
GATEWAY_ID = "tgw-0c1d2e3f4a5b6c7d8"
PRODUCTION, NON_PRODUCTION = ("production", "identity_production"), ("staging", "development", "identity")
SHARED = ("management", "delegated_admin", "log_archive")

ABSENT_IS_FINE = {
    "tags": "the types keep their tags in the configuration or its supplement as well",
    "tags.environment": "kept in the configuration or its supplement as well",
    "tags.env": "kept in the configuration or its supplement as well",
}


def sample(resource_type: str, role: str = "production", tags: dict[str, str] | None = None) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{resource_type.replace('::', '_')}.json").read_text("utf-8"))
    item["configuration"] |= {name: [] for name in ("tags", "Tags", "tagList") if name in item["configuration"]}
    item["supplementaryConfiguration"] = {}
    return item | {"awsAccountId": ACCOUNTS.get(role, role), "tags": tags or {}}


def scope(role: str = "production", settings: Settings = SETTINGS) -> Scope:
    return Scope(ACCOUNTS.get(role, role), REGION, NOW, settings)


def judged(
    item: dict[str, Any], known: Any = None, raw: dict[str, str] | None = None, settings: Settings = SETTINGS
) -> Finding:
    rule = PciEnvironmentSeparated(settings)
    facts = StatedFacts(Scope(item["awsAccountId"], REGION, NOW, settings), known)
    return rule.decide(item, rule.evaluate_parameters(raw or {}), facts)


def scheduled(role: str, shares: Any = (), gateways: Any = (), raw: dict[str, str] | None = None) -> list[Finding]:
    rule = PciEnvironmentSeparated(SETTINGS)
    facts = StatedFacts(scope(role), {(Shares,): shares, (Gateways,): gateways})
    return list(rule.decide_account(rule.evaluate_parameters(raw or {}), facts))


class Table(unittest.TestCase):
    def assert_wrong(self, finding: Finding, words: str) -> None:
        self.assertEqual(finding.compliance, NON_COMPLIANT, finding.annotation)
        self.assertIn(words, finding.annotation)
        self.assertTrue(finding.annotation.endswith(" [PCI 6.5.3]"), finding.annotation)
        self.assertLessEqual(len(finding.annotation), 256)


class AccountsTest(Table):
    def test_who_must_be_apart(self) -> None:
        for one in (*ACCOUNTS, STRANGER):
            for other in (*ACCOUNTS, STRANGER):
                strangers = (*NON_PRODUCTION, STRANGER)
                apart = (one in PRODUCTION and other in strangers) or (other in PRODUCTION and one in strangers)
                with self.subTest(one=one, other=other):
                    pair = [account_of(ACCOUNTS.get(role, role), SETTINGS) for role in (one, other)]
                    self.assertEqual(must_be_apart(*pair), apart)

    def test_accounts_without_role_are_errors(self) -> None:
        with self.assertRaisesRegex(SettingMissing, f"names no role of {STRANGER}"):
            judged(sample(PEERING, STRANGER))
        with self.assertRaisesRegex(SettingMissing, "Accounts.production is not set"):
            judged(sample(PEERING, "staging"), settings=Settings(accounts={"staging": (ACCOUNTS["staging"],)}))
        rule = PciEnvironmentSeparated(SETTINGS)
        with self.assertRaises(SettingMissing):
            rule.decide_account(rule.evaluate_parameters({}), StatedFacts(scope(STRANGER), {}))


class TagsTest(Table):
    def test_every_type(self) -> None:
        known = {(GatewayOwner, GATEWAY_ID): ACCOUNTS["production"]}
        for resource_type in PciEnvironmentSeparated.resource_types:
            with self.subTest(resource_type):
                self.assert_wrong(
                    judged(sample(resource_type, tags={"environment": "staging"}), known),
                    "tagged 'staging', but the account is 600000000006 (production); one account holds one environment",
                )

    def test_values(self) -> None:
        bucket = "AWS::S3::Bucket"
        for role, tags, compliance, words in (
            ("production", {"environment": "production"}, COMPLIANT, "tagged production in 600000000006 (production)"),
            ("production", {"Environment": "PROD "}, COMPLIANT, "tagged PROD in"),
            ("production", {"env": "live"}, COMPLIANT, "tagged live"),
            ("production", {"ENV": "test"}, NON_COMPLIANT, "tagged 'test'"),
            ("production", {"environment": "production", "env": "dev"}, NON_COMPLIANT, "tagged 'dev'"),
            (
                "production",
                {"environment": "qa"},
                NON_COMPLIANT,
                "environment 'qa' is none known (dev, development, live, prod,",
            ),
            ("production", {"environment": ""}, NON_COMPLIANT, "environment '' is none known"),
            ("identity_production", {"env": "prod"}, COMPLIANT, "500000000005 (identity production)"),
            ("identity_production", {"env": "staging"}, NON_COMPLIANT, "(identity production)"),
            ("staging", {"env": "stage"}, COMPLIANT, "tagged stage in 700000000007 (staging)"),
            ("staging", {"env": "prod"}, NON_COMPLIANT, "tagged 'prod', but the account is 700000000007 (staging)"),
            ("staging", {"env": "dev"}, NON_COMPLIANT, "tagged 'dev', but the account is 700000000007 (staging)"),
            ("development", {"env": "staging"}, NON_COMPLIANT, "(development)"),
            ("identity", {"env": "dev"}, COMPLIANT, "400000000004 (identity)"),
            ("identity", {"env": "staging"}, COMPLIANT, "400000000004 (identity)"),
            ("identity", {"env": "prod"}, NON_COMPLIANT, "tagged 'prod'"),
            ("log_archive", {"env": "prod"}, NOT_APPLICABLE, "names no environment; the account is log archive"),
            ("production", {"stage": "dev"}, NOT_APPLICABLE, "names no environment; the account is production"),
            ("production", {}, NOT_APPLICABLE, "names no environment"),
        ):
            with self.subTest(role=role, tags=tags):
                finding = judged(sample(bucket, role, tags))
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_parameters(self) -> None:
        item = sample("AWS::S3::Bucket", tags={"stage": "qa"})
        raw = {"TagKeys": "Stage", "TagValues": "QA=staging,PRD=production"}
        self.assert_wrong(judged(item, raw=raw), "tagged 'qa'")
        self.assertEqual(judged(item | {"tags": {"STAGE": "prd"}}, raw=raw).compliance, COMPLIANT)
        for bad in ({"TagValues": "qa"}, {"TagValues": "qa=quality"}, {"ProductionUnits": "ou-1"}, {"Tags": "x"}):
            with self.subTest(bad), self.assertRaises(ParameterError):
                PciEnvironmentSeparated().evaluate_parameters(bad)

    def test_an_item_without_content_is_no_verdict(self) -> None:
        for resource_type in PciEnvironmentSeparated.resource_types:
            with self.subTest(resource_type), self.assertRaises(RuleInputError):
                judged(sample(resource_type) | {"configuration": None})


def peering(one: str, other: str, status: Any) -> dict[str, Any]:
    item = sample(PEERING, one if one in ACCOUNTS else other)
    item["configuration"]["requesterVpcInfo"]["ownerId"] = ACCOUNTS.get(one, one)
    item["configuration"]["accepterVpcInfo"]["ownerId"] = ACCOUNTS.get(other, other)
    item["configuration"]["status"] = status
    return item


class PeeringTest(Table):
    def test_every_status_in_both_shapes(self) -> None:
        for code, compliance in (
            *[(code, NON_COMPLIANT) for code in ("active", "initiating-request", "pending-acceptance", "provisioning")],
            *[(code, NOT_APPLICABLE) for code in ("deleted", "deleting", "rejected", "failed", "expired")],
        ):
            for status in (code, {"code": code, "message": "x"}):
                with self.subTest(status=status):
                    finding = judged(peering("production", "development", status))
                    self.assertEqual(finding.compliance, compliance)
                    if compliance == NON_COMPLIANT:
                        words = (
                            f"peering of 600000000006 (production) with 800000000008 (development) is {code}; delete or reject"
                        )
                        self.assert_wrong(finding, words)
                    else:
                        self.assertEqual(finding.annotation, f"the peering is {code}")
        for status in (None, "", "Active", {}, {"code": None}, ["active"]):
            with self.subTest(status=status), self.assertRaisesRegex(RuleInputError, "configuration.status"):
                judged(peering("production", "development", status))

    def test_every_pair(self) -> None:
        for one in (*ACCOUNTS, STRANGER):
            for other in ACCOUNTS:
                strangers = (*NON_PRODUCTION, STRANGER)
                apart = (one in PRODUCTION and other in strangers) or (other in PRODUCTION and one in strangers)
                with self.subTest(one=one, other=other):
                    finding = judged(peering(one, other, "active"))
                    self.assertEqual(finding.compliance, NON_COMPLIANT if apart else COMPLIANT)
        self.assert_wrong(
            judged(peering(STRANGER, "production", "active")), "999999999999 (not of this organization) with 6000"
        )
        self.assertIn("joins no environments", judged(peering("staging", "development", "active")).annotation)

    def test_a_side_without_owner_is_no_verdict(self) -> None:
        for side in ("requesterVpcInfo", "accepterVpcInfo"):
            item = peering("production", "staging", "active")
            item["configuration"][side]["ownerId"] = None
            with self.subTest(side), self.assertRaisesRegex(RuleInputError, f"{side}.ownerId"):
                judged(item)


class TransitGatewayTest(Table):
    def test_attachments_by_owner_of_the_gateway(self) -> None:
        for role, owner, wrong in (
            ("production", "production", False),
            ("production", "delegated_admin", False),
            ("production", "staging", True),
            ("production", STRANGER, True),
            ("staging", "production", True),
            ("staging", "development", False),
            ("staging", STRANGER, False),
            ("log_archive", "production", False),
        ):
            with self.subTest(role=role, owner=owner):
                finding = judged(sample(ATTACHMENT, role), {(GatewayOwner, GATEWAY_ID): ACCOUNTS.get(owner, owner)})
                if wrong:
                    self.assert_wrong(finding, f"({role}) is attached to {GATEWAY_ID} of {ACCOUNTS.get(owner, owner)} (")
                else:
                    self.assertEqual(finding.compliance, COMPLIANT)
                    self.assertIn("its routes are judged there", finding.annotation)
        item = sample(ATTACHMENT)
        item["configuration"]["TransitGatewayId"] = None
        with self.assertRaisesRegex(RuleInputError, "TransitGatewayId"):
            judged(item)

    def test_routes_of_a_gateway(self) -> None:
        owners = {"a": ACCOUNTS["production"], "b": ACCOUNTS["staging"], "c": ACCOUNTS["log_archive"], "d": STRANGER}
        for routes, problem in (
            (set(), None),
            ({("a", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("b", "d")}, None),
            ({("a", "gone"), ("gone", "a")}, None),
            ({("a", "b")}, "tgw-1 has a route from 600000000006 (production) to 700000000007 (staging); use"),
            ({("b", "a")}, "tgw-1 has a route from 700000000007 (staging) to 600000000006 (production); use"),
            ({("d", "a")}, "from 999999999999 (not of this organization) to 600000000006 (production)"),
            ({("a", "b"), ("b", "a")}, "from 600000000006 (production) to 700000000007 (staging) and 1 more; use"),
        ):
            with self.subTest(routes=routes):
                shares, finding = scheduled("delegated_admin", gateways=[Gateway("tgw-1", owners, frozenset(routes))])
                self.assertEqual(shares.compliance, COMPLIANT)
                self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::EC2::TransitGateway", "tgw-1"))
                if problem:
                    self.assert_wrong(finding, problem)
                else:
                    self.assertEqual(finding.compliance, COMPLIANT)
                    self.assertIn("no route between environments among 4 attachments", finding.annotation)


ORGANIZATION = "arn:aws:organizations::100000000001:organization/o-card1ssuer"
UNIT = "arn:aws:organizations::100000000001:ou/o-card1ssuer/ou-abcd-production"


class SharesTest(Table):
    def test_shares_of_this_account(self) -> None:
        role_arn = f"arn:aws:iam::{ACCOUNTS['staging']}:role/builder"
        for owner, principals, problem in (
            ("production", (), None),
            ("production", (ACCOUNTS["identity_production"], ACCOUNTS["log_archive"]), None),
            (
                "production",
                (ACCOUNTS["staging"],),
                "share data of 600000000006 (production) goes to 700000000007 (staging); rem",
            ),
            ("production", (STRANGER,), "goes to 999999999999 (not of this organization)"),
            ("production", (role_arn,), "goes to 700000000007 (staging)"),
            ("production", (f"arn:aws:iam::{ACCOUNTS['production']}:user/x",), None),
            ("production", (ORGANIZATION,), "goes to the organization o-card1ssuer, which may hold another environment"),
            ("production", (UNIT,), "goes to the unit ou-abcd-production, which may hold another environment"),
            ("production", ("pca-connector-ad.amazonaws.com",), None),
            ("production", (ACCOUNTS["staging"], ACCOUNTS["identity"]), "and 1 more; remove"),
            ("staging", (ACCOUNTS["production"],), "of 700000000007 (staging) goes to 600000000006 (production)"),
            ("staging", (ACCOUNTS["development"], STRANGER), None),
            ("staging", (ORGANIZATION,), "the organization"),
            ("delegated_admin", (ORGANIZATION, UNIT, ACCOUNTS["production"], ACCOUNTS["staging"], STRANGER), None),
        ):
            with self.subTest(owner=owner, principals=principals):
                (finding,) = scheduled(owner, [Share("arn:share/1", "data", ACCOUNTS[owner], principals)])
                self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::::Account", ACCOUNTS[owner]))
                if problem:
                    self.assert_wrong(finding, problem)
                else:
                    self.assertEqual(finding.compliance, COMPLIANT)
                    self.assertTrue(finding.annotation.startswith("1 resource share of or with "), finding.annotation)

    def test_units_of_production_by_parameter(self) -> None:
        raw = {"ProductionUnits": UNIT}
        for owner, compliance in (("production", COMPLIANT), ("staging", NON_COMPLIANT)):
            (finding,) = scheduled(owner, [Share("arn:share/1", "", ACCOUNTS[owner], (UNIT,))], raw=raw)
            self.assertEqual(finding.compliance, compliance)
            if compliance == NON_COMPLIANT:
                self.assertIn("share 1 of", finding.annotation)  # without a name, by the end of its ARN

    def test_one_finding_tells_of_all(self) -> None:
        good = Share("arn:share/1", "good", ACCOUNTS["production"], (ACCOUNTS["production"],))
        bad = Share("arn:share/2", "bad", ACCOUNTS["production"], (ACCOUNTS["staging"],))
        worse = Share("arn:share/3", "w" * 90, STRANGER)
        (finding,) = scheduled("production", [good, good])
        self.assertEqual(finding.annotation, "2 resource shares of or with 600000000006 (production): none joins environments")
        (finding,) = scheduled("production", [good, bad])
        self.assert_wrong(finding, "share bad of 600000000006 (production) goes to 700000000007 (staging); remove")
        self.assertTrue(finding.annotation.startswith("share bad"), finding.annotation)
        (finding,) = scheduled("production", [worse, good, bad])
        self.assert_wrong(finding, "2 resource shares; first: share wwww")
        self.assert_wrong(finding, "… comes from 999999999999 (not of this organization) to 600000000006 (production); leave")

    def test_shares_of_others(self) -> None:
        for owner, role, problem in (
            ("staging", "production", "share data comes from 700000000007 (staging) to 600000000006 (production); leave it"),
            (STRANGER, "production", "comes from 999999999999"),
            ("production", "development", "comes from 600000000006 (production)"),
            ("delegated_admin", "production", None),
            ("staging", "development", None),
        ):
            with self.subTest(owner=owner, role=role):
                (finding,) = scheduled(role, [Share("arn:share/1", "data", ACCOUNTS.get(owner, owner))])
                if problem:
                    self.assert_wrong(finding, problem)
                else:
                    self.assertEqual(finding.compliance, COMPLIANT)
                    self.assertIn("none joins environments", finding.annotation)

    def test_nothing_shared(self) -> None:
        (finding,) = scheduled("production")
        self.assertEqual((finding.compliance, finding.resource_id), (COMPLIANT, ACCOUNTS["production"]))
        self.assertIn("has no resource share in eu-west-1", finding.annotation)


def trusting(principal: Any, condition: Any = None, effect: str = "Allow", action: Any = "sts:AssumeRole") -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": effect, "Action": action}
    statement |= {"NotPrincipal": principal["Not"]} if "Not" in principal else {"Principal": principal}
    return statement | ({"Condition": condition} if condition else {})


def role(*statements: dict[str, Any], account: str = "production", encoded: bool = True) -> dict[str, Any]:
    item = sample(ROLE, account)
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    item["configuration"]["assumeRolePolicyDocument"] = quote(text) if encoded else text
    return item


class RoleTest(Table):
    def test_trusts(self) -> None:
        staging, identity, production = (ACCOUNTS[name] for name in ("staging", "identity", "identity_production"))
        root = f"arn:aws:iam::{staging}:root"
        for name, statements, problem in (
            ("production's identity account", [trusting({"AWS": production})], None),
            (
                "a non-production account",
                [trusting({"AWS": root})],
                "role of 600000000006 (production) trusts 700000000007 (stag",
            ),
            ("its role", [trusting({"AWS": f"arn:aws:iam::{staging}:role/builder"})], "trusts 700000000007 (staging); prod"),
            ("several", [trusting({"AWS": [production, staging, identity]})], "400000000004 (identity) and 1 more; production"),
            ("a service", [trusting({"Service": "ec2.amazonaws.com"})], None),
            (
                "a service on behalf of staging",
                [trusting({"Service": "config.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": staging}})],
                "700000000007 (staging)",
            ),
            ("everyone", [trusting({"AWS": "*"})], "trusts everyone, other environments too"),
            ("really everyone", [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}], "everyone"),
            ("all but one", [trusting({"Not": {"AWS": production}})], "everyone"),
            (
                "everyone of the organization",
                [trusting({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-card1ssuer"}})],
                "everyone",
            ),
            (
                "everyone of production",
                [trusting({"AWS": "*"}, {"StringEquals": {"aws:PrincipalAccount": [production]}})],
                None,
            ),
            ("denied again", [trusting({"AWS": staging}), trusting({"AWS": staging}, effect="Deny")], None),
            ("a stranger is another rule's", [trusting({"AWS": STRANGER})], None),
            (
                "single sign-on",
                [
                    trusting(
                        {"Federated": f"arn:aws:iam::{ACCOUNTS['production']}:saml-provider/idp"},
                        action="sts:AssumeRoleWithSAML",
                    )
                ],
                None,
            ),
            ("tagging only", [trusting({"AWS": staging}, action="sts:TagSession")], None),
            ("any action", [trusting({"AWS": staging}, action="sts:*")], "700000000007 (staging)"),
        ):
            for encoded in (True, False):
                with self.subTest(name, encoded=encoded):
                    finding = judged(role(*statements, encoded=encoded))
                    if problem:
                        self.assert_wrong(finding, problem)
                    else:
                        self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
                        self.assertEqual(finding.annotation, "trusts no account of another environment")

    def test_roles_elsewhere(self) -> None:
        item = role(trusting({"AWS": ACCOUNTS["production"]}), account="staging")
        self.assertEqual(judged(item).compliance, NOT_APPLICABLE)
        self.assertIn("700000000007 (staging) is not production", judged(item).annotation)
        self.assert_wrong(judged(role(trusting({"AWS": ACCOUNTS["identity"]}), account="identity_production")), "trusts 4000")

    def test_policies_that_cannot_be_read_are_no_verdict(self) -> None:
        for document in (None, "", "%7B", "[]", '{"Statement": [{"Effect": "Maybe"}]}'):
            item = sample(ROLE)
            item["configuration"]["assumeRolePolicyDocument"] = document
            with self.subTest(document=document), self.assertRaisesRegex(RuleInputError, "assumeRolePolicyDocument"):
                judged(item)


class Clients:
    def __init__(self, account: str = "123456789012") -> None:
        self.account = account

    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION, **keys(self.account))


def keys(account: str) -> dict[str, str]:
    sts = boto3.client("sts", region_name=REGION)
    found = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/r", RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


class LookupTest(unittest.TestCase):
    @mock_aws
    def test_shares_live(self) -> None:
        ram_service.install()
        production, staging = ACCOUNTS["production"], ACCOUNTS["staging"]
        ram = Clients(production).build_client("ram")
        made = ram.create_resource_share(name="subnets", principals=[staging])["resourceShare"]["resourceShareArn"]
        gone = ram.create_resource_share(name="gone", principals=[staging])["resourceShare"]["resourceShareArn"]
        ram.delete_resource_share(resourceShareArn=gone)
        own = Shares.live(Clients(production), scope("production"))
        self.assertEqual(own, [Share(made, "subnets", production, (staging,))])
        self.assertEqual(Shares.live(Clients(staging), scope("staging")), [Share(made, "subnets", production)])
        self.assertEqual(Shares.live(Clients(ACCOUNTS["identity"]), scope("identity")), [])

    @mock_aws
    def test_gateways_live(self) -> None:
        account = ACCOUNTS["production"]
        clients = Clients(account)
        ec2 = clients.build_client("ec2")
        self.assertEqual(Gateways.live(clients, scope()), [])
        gateway = ec2.create_transit_gateway(Description="hub")["TransitGateway"]["TransitGatewayId"]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        made = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet])
        attachment = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
        self.assertEqual(GatewayOwner.live(clients, scope(), gateway), account)
        self.assertEqual(Gateways.live(clients, scope()), [Gateway(gateway, {attachment: account}, frozenset())])
        self.assertEqual(Gateways.live(clients, scope("staging")), [])

    def test_routes_are_read_per_table(self) -> None:
        client = Ec2Double()
        (gateway,) = Gateways.live(client, scope("delegated_admin"))
        self.assertEqual(gateway.owners, {"a": "1", "b": "2", "d": "3"})
        self.assertEqual(gateway.routes, frozenset({("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")}))
        self.assertEqual(client.searched, ["rtb"])
        client.more = True
        with self.assertRaisesRegex(RuleInputError, "rtb has more routes than AWS lists"):
            Gateways.live(client, scope("delegated_admin"))

    def test_a_gateway_that_is_not_visible_is_no_verdict(self) -> None:
        for code, error in (("InvalidTransitGatewayID.NotFound", RuleInputError), ("UnauthorizedOperation", ClientError)):
            with self.subTest(code), self.assertRaises(error):
                GatewayOwner.live(Refusing(code), scope(), "tgw-1")

    def test_a_snapshot_shows_own_gateways_only(self) -> None:
        class Items:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                return [sample("AWS::EC2::TransitGateway")]

        self.assertEqual(GatewayOwner.recorded(Items(), scope(), GATEWAY_ID), ACCOUNTS["production"])
        with self.assertRaisesRegex(NotAssessed, "belongs to another account"):
            GatewayOwner.recorded(Items(), scope(), "tgw-other")
        for lookup in (Shares, Gateways):
            with self.subTest(lookup.__name__), self.assertRaises(NotAssessed):
                RecordedFacts(Items(), scope()).get(lookup)


class Refusing:
    def __init__(self, code: str) -> None:
        self.code = code

    def build_client(self, service: str, region: str | None = None) -> Any:
        return self

    def describe_transit_gateways(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "DescribeTransitGateways")


class Ec2Double:
    """One gateway with attachments of three accounts; two share a route table, one has none, one is deleted."""

    def __init__(self) -> None:
        self.searched: list[str] = []
        self.more = False

    def build_client(self, service: str, region: str | None = None) -> Any:
        return self

    def get_paginator(self, operation: str) -> Any:
        class Pages:
            def paginate(self, **_: Any) -> Any:
                if operation == "describe_transit_gateways":
                    gone = {"TransitGatewayId": "x", "OwnerId": ACCOUNTS["delegated_admin"], "State": "deleted"}
                    return [{"TransitGateways": [{"TransitGatewayId": "tgw", "OwnerId": ACCOUNTS["delegated_admin"]}, gone]}]
                table = {"Association": {"TransitGatewayRouteTableId": "rtb"}}
                entries = [("a", "1", table, "available"), ("b", "2", table, "pending"), ("c", "2", table, "deleted"),
                           ("d", "3", {}, "available")]  # fmt: skip
                return [
                    {
                        "TransitGatewayAttachments": [
                            {"TransitGatewayAttachmentId": name, "ResourceOwnerId": owner, "State": state, **association}
                            for name, owner, association, state in entries
                        ]
                    }
                ]

        return Pages()

    def search_transit_gateway_routes(self, **request: Any) -> Any:
        self.searched.append(request["TransitGatewayRouteTableId"])
        assert request["Filters"] == [{"Name": "state", "Values": ["active"]}]
        routes = [{"TransitGatewayAttachments": [{"TransitGatewayAttachmentId": name}]} for name in ("a", "b")]
        return {"Routes": [*routes, {"PrefixListId": "pl-1"}], "AdditionalRoutesAvailable": self.more}


if __name__ == "__main__":
    unittest.main()
