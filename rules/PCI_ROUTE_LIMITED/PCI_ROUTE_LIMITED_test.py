"""Decision tables of PCI_ROUTE_LIMITED."""

from __future__ import annotations

import ipaddress
import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from pci_config.network_facts import PrefixListEntries
from pci_config.routes import route_table
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
from pci_config.settings import Settings, Tier
from PCI_ROUTE_LIMITED import PciRouteLimited, RouteParameters, RouteTables, SubnetTiers

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "tags": "a subnet without tier is judged by UntaggedPolicy",
    "tags.pci:tier": "a subnet without tier is judged by UntaggedPolicy",
    "configuration.routes.*.carrierGatewayId": "the route's other target decides; a route without any is refused",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
SETTINGS = Settings(network_tiers={name: Tier((), ()) for name in ("dmz", "service", "database")})
ACCOUNT, VPC = "123456789012", "vpc-0a11b22c33d44e55f"
SUBNET, OTHER = "subnet-0d0d0d0d0d0d0d0d1", "subnet-0d0d0d0d0d0d0d0d2"
OWN_TABLE, MAIN_TABLE = "rtb-0b0b0b0b0b0b0b0b1", "rtb-0b0b0b0b0b0b0b0b2"
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)
ANY, ANY_IPV6, PRIVATE, LIST = "0.0.0.0/0", "::/0", "10.99.0.0/16", "pl-0a0a0a0a"


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"AWS_EC2_{name}.json").read_text("utf-8"))
    return item


def subnet(tier: str | None = None, subnet_id: str = SUBNET, **configuration: Any) -> dict[str, Any]:
    item = sample("Subnet")
    tags = {"env": "prod"} | ({"pci:tier": tier} if tier else {})
    item["tags"], item["resourceId"] = tags, subnet_id
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    item["configuration"] |= {"tags": listed, "subnetId": subnet_id, **configuration}
    return item


def route(destination: str, state: str = "active", **target: str) -> dict[str, Any]:
    kind = "PrefixListId" if destination.startswith("pl-") else "Ipv6CidrBlock" if ":" in destination else "CidrBlock"
    blank = dict.fromkeys(sample("RouteTable")["configuration"]["routes"][0])
    return {**blank, f"destination{kind}": destination, "state": state, "origin": "CreateRoute", **target}


LOCAL = route("10.20.0.0/16", gatewayId="local")
TO_INTERNET = route(ANY, gatewayId="igw-1")
TO_NAT = route(ANY, natGatewayId="nat-1")


def association(subnet_id: str | None = None, main: bool = False, state: str = "associated", **more: Any) -> dict[str, Any]:
    (known,) = sample("RouteTable")["configuration"]["associations"]
    return {**known, "subnetId": subnet_id, "main": main, "associationState": {"state": state, "statusMessage": None}, **more}


OF_SUBNET, MAIN = (association(SUBNET),), (association(main=True),)


def table(*routes: dict[str, Any], used_by: Any = OF_SUBNET, table_id: str = OWN_TABLE, **more: Any) -> dict[str, Any]:
    item = sample("RouteTable")
    item["resourceId"] = table_id
    item["configuration"] |= {"routeTableId": table_id, "routes": [LOCAL, *routes], "associations": list(used_by), **more}
    return item


def judged(item: dict[str, Any], *tables: dict[str, Any], tiers: Any = None, lists: Any = None, **raw: str) -> Finding:
    rule = PciRouteLimited(SETTINGS)
    known: dict[tuple[Any, ...], Any] = {
        (RouteTables, VPC): [route_table(each["configuration"]) for each in tables],
        (SubnetTiers, VPC): tiers or {},
    }
    for name, cidrs in (lists or {}).items():
        known[PrefixListEntries, name] = None if cidrs is None else tuple(map(ipaddress.ip_network, cidrs))
    return rule.decide(item, rule.evaluate_parameters(raw), StatedFacts(SCOPE, known))


class SubnetTest(unittest.TestCase):
    def test_what_each_tier_may_have(self) -> None:
        for tier, routes, verdict, words in (
            ("dmz", [TO_INTERNET], COMPLIANT, "tier 'dmz' may have routes to the internet"),
            ("service", [], COMPLIANT, f"no route of {OWN_TABLE} leads where tier 'service' may not"),
            ("service", [TO_NAT], COMPLIANT, "leads where tier 'service' may not"),
            ("service", [TO_INTERNET], NON_COMPLIANT, f"table {OWN_TABLE}: 0.0.0.0/0 over igw-1; not allowed for tier 'service'"),
            ("database", [], COMPLIANT, "leads where tier 'database' may not"),
            ("database", [TO_NAT], NON_COMPLIANT, "0.0.0.0/0 over nat-1; not allowed for tier 'database'"),
            ("database", [TO_INTERNET], NON_COMPLIANT, "0.0.0.0/0 over igw-1; not allowed for tier 'database'"),
            (None, [TO_NAT], COMPLIANT, "a subnet without the tag pci:tier may not"),
            (None, [TO_INTERNET], NON_COMPLIANT, "not allowed for a subnet without the tag pci:tier; delete the route or give"),
            ("databse", [], NON_COMPLIANT, "tag pci:tier names the unknown tier 'databse'; correct it; known: database, dmz, service"),
        ):  # fmt: skip
            with self.subTest(tier=tier, routes=len(routes)):
                finding = judged(subnet(tier), table(*routes))
                self.assertEqual(finding.compliance, verdict)
                self.assertIn(f" {words}", f" {finding.annotation}")
                self.assertEqual(finding.annotation.endswith(" [PCI 1.4.2]"), verdict == NON_COMPLIANT)

    def test_every_kind_of_way_to_an_internet_gateway_counts(self) -> None:
        for name, found in {
            "IPv6": route(ANY_IPV6, gatewayId="igw-1"),
            "prefix list": route(LIST, gatewayId="igw-1"),
            "part of the internet": route("8.8.8.0/24", gatewayId="igw-1"),
            "private destination": route(PRIVATE, gatewayId="igw-1"),
            "gateway is gone": route(ANY, "blackhole", gatewayId="igw-1"),
            "carrier gateway": route(ANY, carrierGatewayId="cagw-1"),
        }.items():
            with self.subTest(name):
                self.assertEqual(judged(subnet("service"), table(found)).compliance, NON_COMPLIANT)
        blackhole = judged(subnet("service"), table(route(ANY, "blackhole", gatewayId="igw-1"))).annotation
        self.assertIn("0.0.0.0/0 over igw-1 (blackhole); not allowed", blackhole)

    def test_what_counts_as_address_translation(self) -> None:
        for name, found, verdict in (
            ("NAT, IPv6", route("64:ff9b::/96", natGatewayId="nat-1"), NON_COMPLIANT),
            ("NAT, private destination", route(PRIVATE, natGatewayId="nat-1"), NON_COMPLIANT),
            ("NAT, blackhole", route(ANY, "blackhole", natGatewayId="nat-1"), NON_COMPLIANT),
            ("egress-only gateway", route(ANY_IPV6, egressOnlyInternetGatewayId="eigw-1"), NON_COMPLIANT),
            ("NAT instance", route(ANY, instanceId="i-1", networkInterfaceId="eni-1"), NON_COMPLIANT),
            ("appliance's interface", route("8.0.0.0/5", networkInterfaceId="eni-1"), NON_COMPLIANT),
            ("appliance for private addresses", route(PRIVATE, networkInterfaceId="eni-1"), COMPLIANT),
            ("firewall endpoint", route(ANY, gatewayId="vpce-1"), NON_COMPLIANT),
            ("firewall endpoint for private addresses", route(PRIVATE, gatewayId="vpce-1"), COMPLIANT),
            ("gateway endpoint of S3", route(LIST, gatewayId="vpce-1"), COMPLIANT),
            ("transit gateway", route(ANY, transitGatewayId="tgw-1"), NON_COMPLIANT),
            ("transit gateway for private addresses", route(PRIVATE, transitGatewayId="tgw-1"), COMPLIANT),
            ("virtual private gateway", route(ANY, gatewayId="vgw-1"), NON_COMPLIANT),
            ("virtual private gateway for private addresses", route(PRIVATE, gatewayId="vgw-1"), COMPLIANT),
            ("local gateway", route(ANY, localGatewayId="lgw-1"), NON_COMPLIANT),
            ("core network", route(ANY, coreNetworkArn="arn:c"), NON_COMPLIANT),
            ("peering", route(ANY, vpcPeeringConnectionId="pcx-1"), COMPLIANT),
            ("ODB network", route(PRIVATE, odbNetworkArn="arn:o"), COMPLIANT),
        ):
            with self.subTest(name):
                self.assertEqual(judged(subnet("database"), table(found)).compliance, verdict)
                self.assertEqual(judged(subnet("service"), table(found)).compliance, COMPLIANT)

    def test_a_prefix_list_is_what_it_holds(self) -> None:
        found = table(route(LIST, transitGatewayId="tgw-1"))
        for cidrs, verdict in (
            (("10.0.0.0/8",), COMPLIANT),
            (("10.0.0.0/8", "8.8.8.8/32"), NON_COMPLIANT),
            ((), NON_COMPLIANT),
            (None, NON_COMPLIANT),
        ):
            with self.subTest(cidrs):
                finding = judged(subnet("database"), found, lists={LIST: cidrs})
                self.assertEqual(finding.compliance, verdict)
        self.assertIn(f"{LIST} over tgw-1; not allowed for tier 'database'", finding.annotation)
        with self.assertRaisesRegex(NotAssessed, LIST):
            judged(subnet("database"), found)
        self.assertEqual(judged(subnet("service"), found).compliance, COMPLIANT)  # where it does not decide it is not asked
        both = judged(subnet("database"), table(route(LIST, transitGatewayId="tgw-1"), TO_NAT))
        self.assertTrue(both.annotation.startswith(f"table {OWN_TABLE}: 0.0.0.0/0 over nat-1"), both.annotation)

    def test_own_table_before_the_main_one(self) -> None:
        open_main = table(TO_INTERNET, used_by=MAIN, table_id=MAIN_TABLE)
        for name, tables, verdict, words in (
            ("own", (table(), open_main), COMPLIANT, OWN_TABLE),
            ("own, in the other order", (open_main, table()), COMPLIANT, OWN_TABLE),
            ("main", (open_main, table(used_by=(association(OTHER),))), NON_COMPLIANT, f"main table {MAIN_TABLE}: 0.0.0.0/0 over igw-1"),
            ("association ended", (open_main, table(used_by=(association(SUBNET, state="disassociated"),))), NON_COMPLIANT, "main"),
            ("association failed", (open_main, table(used_by=(association(SUBNET, state="failed"),))), NON_COMPLIANT, "main"),
            ("being associated", (open_main, table(used_by=(association(SUBNET, state="associating"),))), COMPLIANT, OWN_TABLE),
            ("state not told", (open_main, table(used_by=(association(SUBNET, associationState=None),))), COMPLIANT, OWN_TABLE),
        ):  # fmt: skip
            with self.subTest(name):
                finding = judged(subnet("service"), *tables)
                self.assertEqual(finding.compliance, verdict)
                self.assertIn(f" {words}", f" {finding.annotation}")
        for tables in ((), (table(used_by=(association(OTHER),)),)):
            with self.assertRaisesRegex(
                NotAssessed, f"^neither a table of {SUBNET} nor the main one of {VPC} is in this source$"
            ):
                judged(subnet("service"), *tables)

    def test_several_routes_are_counted_the_internet_first(self) -> None:
        finding = judged(
            subnet("database"), table(TO_NAT, route(ANY_IPV6, gatewayId="igw-1"), route("8.0.0.0/8", gatewayId="igw-1"))
        )
        self.assertEqual(
            finding.annotation,
            f"3 routes; first: table {OWN_TABLE}: ::/0 over igw-1; not allowed for tier 'database'; delete the route or give the "
            "subnet another table [PCI 1.4.2]",
        )

    def test_parameters(self) -> None:
        self.assertEqual(PciRouteLimited().evaluate_parameters({}), RouteParameters(("dmz",), ("database",), "deny-internet"))
        ignored = judged(subnet(), table(TO_INTERNET), UntaggedPolicy="ignore")
        self.assertEqual(ignored.compliance, NOT_APPLICABLE)
        self.assertEqual(ignored.annotation, "no pci:tier tag, and UntaggedPolicy is ignore")
        self.assertEqual(judged(subnet("service"), table(TO_INTERNET), UntaggedPolicy="ignore").compliance, NON_COMPLIANT)
        self.assertEqual(judged(subnet("service"), table(TO_INTERNET), PublicTiers="dmz,service").compliance, COMPLIANT)
        self.assertEqual(judged(subnet("dmz"), table(TO_INTERNET), PublicTiers="").compliance, NON_COMPLIANT)
        self.assertEqual(judged(subnet("service"), table(TO_NAT), IsolatedTiers="database, service").compliance, NON_COMPLIANT)
        self.assertEqual(judged(subnet("database"), table(TO_NAT), IsolatedTiers="").compliance, COMPLIANT)
        for bad in ({"UntaggedPolicy": "allow"}, {"PublicTiers": "a b"}, {"PublicTier": "dmz"}):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                PciRouteLimited().evaluate_parameters(bad)
        for raw, words in (
            ({"PublicTiers": "dnz"}, "parameter PublicTiers: 'dnz' is no tier of NetworkTiers"),
            ({"IsolatedTiers": "database,databse"}, "parameter IsolatedTiers: 'databse' is no tier"),
            ({"PublicTiers": "dmz,database"}, "tier 'database' is in PublicTiers and in IsolatedTiers"),
        ):
            with self.subTest(words), self.assertRaisesRegex(RuleInputError, words):
                judged(subnet("service"), table(), **raw)

    def test_a_subnet_of_another_account_is_judged_there(self) -> None:
        finding = judged(subnet("database", ownerId="210987654321"), table(TO_INTERNET))
        self.assertEqual(finding.compliance, NOT_APPLICABLE)
        self.assertIn("shared by account 210987654321, where it is judged", finding.annotation)


class TableTest(unittest.TestCase):
    def test_a_table_is_as_its_subnets_are(self) -> None:
        for name, item, tiers, verdict, words in (
            ("nothing leads out", table(), {}, COMPLIANT, "no route to an internet gateway or a NAT"),
            ("no user", table(TO_INTERNET, used_by=()), {}, NOT_APPLICABLE, "no subnet uses this table"),
            ("of a gateway", table(TO_INTERNET, used_by=(association(gatewayId="igw-1"),)), {}, NOT_APPLICABLE, "no subnet uses"),
            ("DMZ", table(TO_INTERNET), {SUBNET: "dmz"}, COMPLIANT, "its routes lead where its subnets may: dmz"),
            ("service over NAT", table(TO_NAT), {SUBNET: "service"}, COMPLIANT, "its subnets may: service"),
            ("no tier over NAT", table(TO_NAT), {SUBNET: None}, COMPLIANT, "its subnets may: no tier"),
            ("service", table(TO_INTERNET), {SUBNET: "service"}, NON_COMPLIANT, f"{SUBNET}: 0.0.0.0/0 over igw-1; not allowed for tier 'service'"),
            ("database over NAT", table(TO_NAT), {SUBNET: "database"}, NON_COMPLIANT, "not allowed for tier 'database'"),
            ("no tier", table(TO_INTERNET), {SUBNET: None}, NON_COMPLIANT, "a subnet without the tag pci:tier"),
            ("unknown tier", table(TO_INTERNET), {SUBNET: "dnz"}, NON_COMPLIANT, "not allowed for tier 'dnz'"),
        ):  # fmt: skip
            with self.subTest(name):
                finding = judged(item, item, tiers=tiers)
                self.assertEqual(finding.compliance, verdict)
                self.assertIn(f" {words}", f" {finding.annotation}")
                self.assertEqual(finding.annotation.endswith(" [PCI 1.4.2]"), verdict == NON_COMPLIANT)

    def test_the_tiers_of_a_right_table_are_told(self) -> None:
        users = table(TO_NAT, used_by=(association(SUBNET), association(OTHER)))
        for tiers, told in (
            ({SUBNET: "service", OTHER: None}, "no tier, service"),
            ({SUBNET: "service", OTHER: "service"}, "service"),
        ):
            self.assertEqual(judged(users, users, tiers=tiers).annotation, f"its routes lead where its subnets may: {told}")

    def test_untagged_subnets_can_be_ignored(self) -> None:
        item = table(TO_INTERNET)
        self.assertEqual(judged(item, item, tiers={SUBNET: None}, UntaggedPolicy="ignore").compliance, COMPLIANT)

    def test_the_main_table_is_that_of_subnets_without_one(self) -> None:
        main = table(TO_INTERNET, used_by=MAIN, table_id=MAIN_TABLE)
        own = table(used_by=(association(SUBNET),))
        tiers = {SUBNET: "database", OTHER: "service"}
        finding = judged(main, main, own, tiers=tiers)
        self.assertIn(f"{OTHER}: 0.0.0.0/0 over igw-1", finding.annotation)
        self.assertNotIn(SUBNET, finding.annotation)
        self.assertEqual(judged(main, main, own, tiers={SUBNET: "database"}).compliance, NOT_APPLICABLE)
        both = table(TO_INTERNET, used_by=(*MAIN, association(SUBNET)), table_id=MAIN_TABLE)
        self.assertIn("2 subnets; first:", judged(both, both, tiers=tiers).annotation)

    def test_the_gravest_subnet_is_named_first(self) -> None:
        third = "subnet-0d0d0d0d0d0d0d0d0"
        users = tuple(association(each) for each in (SUBNET, OTHER, third))
        mixed = table(TO_NAT, route(ANY_IPV6, gatewayId="igw-1"), used_by=users)
        finding = judged(mixed, mixed, tiers={SUBNET: "service", OTHER: "database", third: "dmz"})
        self.assertTrue(finding.annotation.startswith(f"2 subnets; first: {SUBNET}: ::/0 over igw-1; not allowed for tier"))
        nat = table(TO_NAT, used_by=users)
        finding = judged(nat, nat, tiers={SUBNET: "service", OTHER: "database", third: "database"})
        self.assertTrue(finding.annotation.startswith(f"2 subnets; first: {third}: 0.0.0.0/0 over nat-1"), finding.annotation)
        last = table(route(ANY, gatewayId="igw-1"), TO_NAT, used_by=users)
        finding = judged(last, last, tiers={SUBNET: "database", OTHER: "dmz", third: "dmz"})
        self.assertTrue(finding.annotation.startswith(f"{SUBNET}: 0.0.0.0/0 over igw-1; not allowed"), finding.annotation)

    def test_a_table_of_another_account_is_judged_there(self) -> None:
        self.assertEqual(judged(table(TO_INTERNET, ownerId="210987654321")).compliance, NOT_APPLICABLE)

    def test_a_subnet_that_the_source_does_not_show_is_no_verdict(self) -> None:
        item = table(TO_INTERNET)
        with self.assertRaisesRegex(NotAssessed, f"{SUBNET} uses this table and is not in this source"):
            judged(item, item, tiers={OTHER: "dmz"})

    def test_the_recorded_sample(self) -> None:
        finding = judged(sample("RouteTable"), tiers={SUBNET: None})
        self.assertIn(f"{SUBNET}: 0.0.0.0/0 over igw-0e0e0e0e0e0e0e0e1; not allowed", finding.annotation)


class BadInputTest(unittest.TestCase):
    def test_unreadable_tables_are_errors_never_verdicts(self) -> None:
        broken: dict[str, tuple[Any, str]] = {
            "no routes": (table(routes=None), "routes is NoneType, expected a list"),
            "no associations": (table(associations=None), "associations is NoneType"),
            "no id": (table(routeTableId=None), "routeTableId is missing"),
            "empty VPC": (table(vpcId=""), "vpcId is missing"),
            "a route is text": (table(routes=["x"]), "a route is str"),
            "an association is text": (table(used_by=("x",)), "an association is str"),
            "association of nothing": (table(used_by=(association(main=None),)), "an association says neither"),
            "main is text": (table(used_by=(association(SUBNET, main="no"),)), "main is 'no'"),
            "no destination": (table(route(ANY, destinationCidrBlock=None, gatewayId="igw-1")), "a route has no destination"),
            "no CIDR": (table(route("10.0.0.0/99", transitGatewayId="tgw-1")), "'10.0.0.0/99' is no CIDR"),
            "no target": (table(route(ANY)), "the route to 0.0.0.0/0 has no target that is known here"),
            "new kind of gateway": (table(route(ANY, gatewayId="xgw-1")), "gatewayId 'xgw-1' is of a kind"),
            "new state": (table(route(ANY, "resting", natGatewayId="nat-1")), "has the state 'resting'"),
            "no state": (table(route(ANY, state=None, natGatewayId="nat-1")), "has the state None"),
            "no owner": (table(ownerId=None), "configuration.ownerId is missing"),
            "no configuration": ({**table(), "configuration": None}, "configuration"),
        }  # fmt: skip
        for name, (item, words) in broken.items():
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, words) as refused:
                judged(item)
            self.assertTrue(str(refused.exception).startswith((f"{OWN_TABLE}: ", "AWS::EC2::RouteTable: ")))

    def test_unreadable_subnets(self) -> None:
        for name in ("subnetId", "vpcId", "ownerId", "tags"):
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, name):
                judged(subnet("dmz", **{name: None}), table())

    def test_several_targets_count_as_the_gravest(self) -> None:
        odd = table(route(PRIVATE, gatewayId="local", natGatewayId="nat-1"))
        self.assertEqual(judged(subnet("database"), odd).compliance, NON_COMPLIANT)


class Items:
    """A snapshot."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> list[dict[str, Any]]:
        assert (account_id, region) == (ACCOUNT, "eu-west-1")
        found = [item for item in self.items if item["resourceType"] == resource_type]
        if not found:
            raise NotAssessed(f"no {resource_type} here")
        return found


class SourceTest(unittest.TestCase):
    def test_subnets_are_judged_again_on_schedule(self) -> None:
        self.assertTrue(PciRouteLimited.sweeps)
        actions = {action for lookup in PciRouteLimited.lookups for action in lookup.actions}
        self.assertEqual(actions, {"ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:GetManagedPrefixListEntries"})
        with self.assertRaises(AttributeError):
            RouteParameters().untagged_policy = "ignore"  # type: ignore[misc]

    def test_a_snapshot_answers(self) -> None:
        own, other = subnet("database"), subnet("dmz", OTHER, vpcId="vpc-2")
        nat = table(TO_NAT)
        elsewhere = table(TO_INTERNET, used_by=MAIN, table_id=MAIN_TABLE, vpcId="vpc-2")
        facts = RecordedFacts(Items(own, other, nat, elsewhere), SCOPE)
        rule = PciRouteLimited(SETTINGS)
        self.assertEqual(facts.get(SubnetTiers, VPC), {SUBNET: "database"})
        self.assertEqual([found.table_id for found in facts.get(RouteTables, "vpc-2")], [MAIN_TABLE])
        for item, verdict in ((own, NON_COMPLIANT), (nat, NON_COMPLIANT), (other, COMPLIANT), (elsewhere, COMPLIANT)):
            self.assertEqual(rule.decide(item, RouteParameters(), facts).compliance, verdict)
        with self.assertRaises(NotAssessed):
            rule.decide(subnet("service"), RouteParameters(), RecordedFacts(Items(own), SCOPE))

    @mock_aws
    def test_an_account_answers(self) -> None:
        ec2 = boto3.client("ec2", region_name="eu-west-1")
        clients = SimpleNamespace(build_client=lambda service, region=None: {"ec2": ec2}[service])
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        first = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        second = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
        ec2.create_tags(Resources=[first], Tags=[{"Key": "pci:tier", "Value": "dmz"}])
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        made = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=made, DestinationCidrBlock=ANY, GatewayId=gateway)
        ec2.associate_route_table(RouteTableId=made, SubnetId=first)
        facts = LiveFacts(clients, SCOPE)
        self.assertEqual(facts.get(SubnetTiers, vpc), {first: "dmz", second: None})
        tables = {found.main: found for found in facts.get(RouteTables, vpc)}
        self.assertEqual((tables[False].table_id, tables[False].subnets), (made, (first,)))
        self.assertEqual([str(found) for found in tables[False].routes if found.reach != "inside"], [f"{ANY} over {gateway}"])
        self.assertEqual([found.reach for found in tables[True].routes], ["inside"])


if __name__ == "__main__":
    unittest.main()
