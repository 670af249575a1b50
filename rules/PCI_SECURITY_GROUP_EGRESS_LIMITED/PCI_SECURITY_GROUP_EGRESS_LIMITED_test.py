"""Decision table of PCI_SECURITY_GROUP_EGRESS_LIMITED."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from typing import Any

import boto3
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
from pci_config.settings import Flow, Settings, Tier
from PCI_SECURITY_GROUP_EGRESS_LIMITED import (
    PciSecurityGroupEgressLimited,
    PrefixListEntries,
    SecurityGroupPlace,
    VpcCidrs,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
OWN, OTHER, PEERED = "sg-0000000000000000a", "sg-0000000000000000b", "sg-0000000000000000c"
HTTPS = (443, 443)
SETTINGS = Settings(
    network_tiers={
        "dmz": Tier((), (Flow("tcp", HTTPS, ("vpc",)),)),
        "card-api": Tier((), (Flow("tcp", HTTPS, ("198.51.100.0/26",)),)),
        "service": Tier((), (Flow("-1", (0, 65535), ("vpc",)),)),
        "mesh": Tier((), (Flow("tcp", (1024, 2048), ("self", "tier:service", "pl-0aaa")),)),
        "public": Tier((), (Flow("tcp", HTTPS, ("internet",)),)),
        "ping": Tier((), (Flow("icmp", (0, 65535), ("10.0.0.0/8",)),)),
        "database": Tier((), ()),
    }
)
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)
FACTS = {
    (VpcCidrs, "vpc-1"): ("10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56"),
    (SecurityGroupPlace, OWN): ("vpc-1", "mesh"),
    (SecurityGroupPlace, OTHER): ("vpc-1", "service"),
    (SecurityGroupPlace, PEERED): None,
    (PrefixListEntries, "pl-0bbb"): ("198.51.100.0/28", "198.51.100.32/28"),
    (PrefixListEntries, "pl-0ccc"): ("198.51.100.0/28", "203.0.113.0/24"),
    (PrefixListEntries, "pl-0ddd"): None,
}


def permission(protocol: str = "tcp", ports: tuple[int, int] | None = HTTPS, **peers: list[Any]) -> dict[str, Any]:
    """A permission in recorded form; peers by member name (ipv4, ipv6, prefix_lists, groups) or raw members."""
    return {
        "ipProtocol": protocol,
        "fromPort": ports[0] if ports else None,
        "toPort": ports[1] if ports else None,
        "ipv4Ranges": [{"cidrIp": cidr, "description": None} for cidr in peers.get("ipv4", [])],
        "ipRanges": peers.get("legacy", peers.get("ipv4", [])),
        "ipv6Ranges": [{"cidrIpv6": cidr, "description": None} for cidr in peers.get("ipv6", [])],
        "prefixListIds": [{"prefixListId": name, "description": None} for name in peers.get("prefix_lists", [])],
        "userIdGroupPairs": [{"groupId": name, "userId": owner, "vpcId": None} for name, owner in peers.get("groups", [])],
    }


def group(*egress: Any, tier: str | None = None, **configuration: Any) -> dict[str, Any]:
    tags = {"pci:tier": tier} if tier else {}
    return new_item(
        account_id=ACCOUNT,
        region="eu-west-1",
        resource_type="AWS::EC2::SecurityGroup",
        resource_id=OWN,
        capture_time=NOW,
        tags=tags,
        configuration={
            "groupId": OWN,
            "groupName": "g",
            "vpcId": "vpc-1",
            "ipPermissionsEgress": list(egress),
            **configuration,
        },
    )


def judged(item: dict[str, Any], raw: dict[str, str] | None = None) -> Finding:
    rule = PciSecurityGroupEgressLimited(SETTINGS)
    return rule.decide(item, rule.evaluate_parameters(raw or {}), StatedFacts(SCOPE, FACTS))


ALL = permission("-1", None, ipv4=["0.0.0.0/0"])


class TierTest(unittest.TestCase):
    def test_entries_inside_one_flow_are_compliant(self) -> None:
        for name, item in {
            "no entries, any tier": group(tier="database"),
            "the whole VPC": group(permission(ipv4=["10.0.0.0/16"]), tier="dmz"),
            "second CIDR of the VPC": group(permission(ipv4=["10.1.2.0/24"]), tier="dmz"),
            "IPv6 of the VPC": group(permission(ipv6=["2001:db8:1:1::/64"]), tier="dmz"),
            "group of the own VPC": group(permission(groups=[(OTHER, ACCOUNT)]), tier="dmz"),
            "itself counts as own VPC": group(permission(groups=[(OWN, ACCOUNT)]), tier="dmz"),
            "part of a peer": group(permission(ipv4=["198.51.100.16/32"]), tier="card-api"),
            "prefix list inside a peer": group(permission(prefix_lists=["pl-0bbb"]), tier="card-api"),
            "any protocol in a flow of all": group(permission("17", (53, 53), ipv4=["10.0.0.2/32"]), tier="service"),
            "protocol -1 in a flow of all": group(permission("-1", None, ipv4=["10.0.0.0/16"]), tier="service"),
            "numeric tcp": group(permission("6", HTTPS, ipv4=["10.0.0.0/16"]), tier="dmz"),
            "self": group(permission(ports=(1024, 2048), groups=[(OWN, ACCOUNT)]), tier="mesh"),
            "group of an allowed tier": group(permission(ports=(1500, 1500), groups=[(OTHER, ACCOUNT)]), tier="mesh"),
            "prefix list by id": group(permission(ports=(2000, 2000), prefix_lists=["pl-0aaa"]), tier="mesh"),
            "internet where it is allowed": group(permission(ipv4=["0.0.0.0/0"], ipv6=["::/0"]), tier="public"),
            "ICMP types are no ports": group(permission("icmp", (8, -1), ipv4=["10.9.0.0/16"]), tier="ping"),
            "legacy ipRanges only": group(permission(legacy=["10.0.0.0/16"]), tier="dmz"),
        }.items():
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
                self.assertTrue(finding.annotation)

    def test_anything_not_wholly_inside_is_non_compliant(self) -> None:
        for name, item, expected in (
            ("database has no egress", group(permission(ipv4=["10.0.0.1/32"]), tier="database"), "allows no egress; revoke it"),
            ("AWS's default entry", group(ALL, tier="card-api"), "all protocols to 0.0.0.0/0"),
            ("overlaps, but wider", group(permission(ipv4=["198.51.100.0/25"]), tier="card-api"), "198.51.100.0/25"),
            ("port range too wide", group(permission(ports=(443, 444), ipv4=["10.0.0.0/16"]), tier="dmz"), "tcp 443-444"),
            ("other protocol", group(permission("udp", HTTPS, ipv4=["10.0.0.0/16"]), tier="dmz"), "udp 443"),
            ("protocol -1 in a tcp flow", group(permission("-1", None, ipv4=["10.0.0.0/16"]), tier="dmz"), "all protocols"),
            ("ICMP in a tcp flow", group(permission("icmp", (-1, -1), ipv4=["10.0.0.0/16"]), tier="dmz"), "icmp to"),
            ("outside the VPC", group(permission(ipv4=["10.2.0.0/16"]), tier="dmz"), "10.2.0.0/16"),
            ("IPv6 internet", group(permission("-1", None, ipv6=["::/0"]), tier="service"), "::/0"),
            ("prefix list partly outside", group(permission(prefix_lists=["pl-0ccc"]), tier="card-api"), "pl-0ccc"),
            ("prefix list that does not resolve", group(permission(prefix_lists=["pl-0ddd"]), tier="card-api"), "pl-0ddd"),
            ("peered account's group", group(permission(groups=[(PEERED, "210987654321")]), tier="dmz"), PEERED),
            ("peered group in a tier flow", group(permission(ports=(1500, 1500), groups=[(PEERED, "9")]), tier="mesh"), PEERED),
            ("group that does not exist", group(permission(groups=[(PEERED, ACCOUNT)]), tier="dmz"), PEERED),
            ("a group where addresses are allowed", group(permission(groups=[(OTHER, ACCOUNT)]), tier="card-api"), OTHER),
            ("legacy ipRanges only", group(permission(legacy=["0.0.0.0/0"]), tier="dmz"), "0.0.0.0/0"),
        ):  # fmt: skip
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertTrue(finding.annotation.endswith("[PCI 1.3.2]"))

    def test_good_entries_beside_bad_ones_do_not_help(self) -> None:
        item = group(permission(ipv4=["10.0.0.0/16", "203.0.113.7/32"]), ALL, tier="dmz")
        finding = judged(item)
        self.assertTrue(
            finding.annotation.startswith("2 egress entries; first: all protocols to 0.0.0.0/0; tier 'dmz' allows tcp")
        )

    def test_unknown_tier_is_non_compliant(self) -> None:
        finding = judged(group(tier="dnz"))
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn("unknown tier 'dnz'", finding.annotation)
        self.assertIn("card-api", finding.annotation)


class UntaggedTest(unittest.TestCase):
    def test_deny_internet(self) -> None:
        for name, entry, verdict in (
            ("private only", permission("-1", None, ipv4=["10.0.0.0/8"]), COMPLIANT),
            ("a group", permission(groups=[(OTHER, ACCOUNT)]), COMPLIANT),
            ("unique local IPv6", permission(ipv6=["fd00::/8"]), COMPLIANT),
            ("everything", ALL, NON_COMPLIANT),
            ("lower half of the internet", permission("-1", None, ipv4=["0.0.0.0/1"]), NON_COMPLIANT),
            ("upper half of the internet", permission("-1", None, ipv4=["128.0.0.0/1"]), NON_COMPLIANT),
            ("wider than the private range", permission(ipv4=["10.0.0.0/7"]), NON_COMPLIANT),
            ("one public address", permission(ipv4=["8.8.8.8/32"]), NON_COMPLIANT),
            ("IPv6 internet", permission(ipv6=["::/0"]), NON_COMPLIANT),
            ("public prefix list", permission(prefix_lists=["pl-0bbb"]), NON_COMPLIANT),
        ):
            with self.subTest(name):
                self.assertEqual(judged(group(entry)).compliance, verdict)

    def test_internet_ports_are_the_exception(self) -> None:
        entry = permission(ipv4=["0.0.0.0/0"])
        self.assertEqual(judged(group(entry), {"InternetPorts": "443"}).compliance, COMPLIANT)
        self.assertEqual(judged(group(entry), {"InternetPorts": "80"}).compliance, NON_COMPLIANT)
        wide = permission(ports=(443, 444), ipv4=["0.0.0.0/0"])
        self.assertEqual(judged(group(wide), {"InternetPorts": "443"}).compliance, NON_COMPLIANT)
        self.assertEqual(judged(group(ALL), {"InternetPorts": "443"}).compliance, NON_COMPLIANT)

    def test_deny_all_and_ignore(self) -> None:
        private = group(permission(ipv4=["10.0.0.0/8"]))
        self.assertEqual(judged(private, {"UntaggedPolicy": "deny-all"}).compliance, NON_COMPLIANT)
        self.assertEqual(judged(group(), {"UntaggedPolicy": "deny-all"}).compliance, COMPLIANT)
        self.assertEqual(judged(group(ALL), {"UntaggedPolicy": "ignore"}).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(group(ALL, tier="dmz"), {"UntaggedPolicy": "ignore"}).compliance, NON_COMPLIANT)

    def test_the_default_group_is_judged_as_any_other(self) -> None:
        self.assertEqual(judged(group(ALL, groupName="default")).compliance, NON_COMPLIANT)


class BadInputTest(unittest.TestCase):
    def test_unreadable_items_are_errors_never_verdicts(self) -> None:
        for name, item in {
            "no egress member": {**group(), "configuration": {"groupId": OWN, "vpcId": "vpc-1"}},
            "null configuration": {**group(), "configuration": None},
            "no group id": group(groupId=None),
            "egress is an object": {**group(), "configuration": {"groupId": OWN, "vpcId": "v", "ipPermissionsEgress": {}}},
            "no protocol": group({**ALL, "ipProtocol": None}),
            "no peers": group({**ALL, "ipv4Ranges": [], "ipRanges": []}),
            "no ports": group(permission("tcp", None, ipv4=["10.0.0.0/8"])),
            "reversed ports": group(permission("tcp", (9, 1), ipv4=["10.0.0.0/8"])),
            "bad CIDR": group(permission(ipv4=["10.0.0.0/99"])),
            "permission is text": group("tcp"),
        }.items():
            with self.subTest(name), self.assertRaises(RuleInputError):
                judged(item)

    def test_parameters(self) -> None:
        rule = PciSecurityGroupEgressLimited(SETTINGS)
        for raw in (
            {"UntaggedPolicy": "allow"},
            {"InternetPorts": "443,x"},
            {"InternetPorts": "65536"},
            {"Untagged": "ignore"},
        ):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)


class Index:
    def __init__(self, *items: Any) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
        return [item for item in self.items if item["resourceType"] == resource_type]


class LookupTest(unittest.TestCase):
    def test_a_snapshot_answers_where_it_can(self) -> None:
        vpc = new_item(
            account_id=ACCOUNT, region="eu-west-1", resource_type="AWS::EC2::VPC", resource_id="vpc-1", capture_time=NOW,
            configuration={
                "cidrBlock": "10.0.0.0/16",
                "cidrBlockAssociationSet": [
                    {"cidrBlock": "10.1.0.0/16", "cidrBlockState": {"state": "associated"}},
                    {"cidrBlock": "10.2.0.0/16", "cidrBlockState": {"state": "disassociated"}},
                ],
            },
        )  # fmt: skip
        facts = RecordedFacts(Index(vpc, group(tier="mesh")), SCOPE)
        self.assertEqual(facts.get(VpcCidrs, "vpc-1"), ("10.0.0.0/16", "10.1.0.0/16"))
        self.assertEqual(facts.get(SecurityGroupPlace, OWN), ("vpc-1", "mesh"))
        for lookup, key in ((VpcCidrs, "vpc-2"), (SecurityGroupPlace, OTHER), (PrefixListEntries, "pl-1")):
            with self.subTest(lookup), self.assertRaises(NotAssessed):
                facts.get(lookup, key)

    def test_what_a_snapshot_cannot_show_is_not_assessed_unless_wrong_anyway(self) -> None:
        rule = PciSecurityGroupEgressLimited(SETTINGS)
        facts = RecordedFacts(Index(), SCOPE)
        doubtful = permission(prefix_lists=["pl-0bbb"])
        with self.assertRaises(NotAssessed):
            rule.decide(group(doubtful, tier="card-api"), rule.evaluate_parameters({}), facts)
        finding = rule.decide(group(doubtful, ALL, tier="card-api"), rule.evaluate_parameters({}), facts)
        self.assertEqual(finding.compliance, NON_COMPLIANT)

    @mock_aws
    def test_an_account_answers(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        ec2 = boto3.client("ec2", region_name="eu-west-1")
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
        group_id = ec2.create_security_group(
            GroupName="g", Description="d", VpcId=vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "pci:tier", "Value": "mesh"}]}],
        )["GroupId"]  # fmt: skip
        list_id = ec2.create_managed_prefix_list(
            PrefixListName="p", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "10.9.0.0/16"}]
        )["PrefixList"]["PrefixListId"]
        facts = LiveFacts(Clients(), SCOPE)
        self.assertEqual(facts.get(VpcCidrs, vpc_id), ("10.0.0.0/16", "10.1.0.0/16"))
        self.assertEqual(facts.get(SecurityGroupPlace, group_id), (vpc_id, "mesh"))
        self.assertIsNone(facts.get(SecurityGroupPlace, "sg-00000000"))
        self.assertEqual(facts.get(PrefixListEntries, list_id), ("10.9.0.0/16",))


if __name__ == "__main__":
    unittest.main()
