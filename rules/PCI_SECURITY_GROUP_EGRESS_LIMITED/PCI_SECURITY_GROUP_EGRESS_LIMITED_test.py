"""Decision table of PCI_SECURITY_GROUP_EGRESS_LIMITED."""

from __future__ import annotations

import ipaddress
import unittest
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from pci_config.items import new_item
from pci_config.network_facts import PrefixListEntries, SecurityGroupPlace, VpcCidrs
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
)

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "tags.pci:tier": "a group without tier is judged by UntaggedPolicy",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
OWN, OTHER, PEERED = "sg-0000000000000000a", "sg-0000000000000000b", "sg-0000000000000000c"
ELSEWHERE, FOREIGN = "sg-0000000000000000d", "sg-0000000000000000e"
FOREIGN_ACCOUNT = "210987654321"
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
        "halves": Tier(
            (), (Flow("tcp", HTTPS, ("198.51.100.0/29", "198.51.100.8/29")), Flow("tcp", (80, 80), ("vpc", "pl-0bbb")))
        ),
        "ring": Tier((), (Flow("tcp", HTTPS, ("tier:ring",)),)),
        "loop": Tier((), (Flow("tcp", HTTPS, ("self",)),)),
        "wide": Tier((), (Flow("tcp", HTTPS, ("10.0.0.0/8", "2001:db8::/32")),)),
        "many": Tier((), tuple(Flow("tcp", (port, port), ("198.51.100.0/26",)) for port in range(8000, 8020))),
    }
)
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)


def networks(*cidrs: str) -> tuple[Any, ...]:
    return tuple(map(ipaddress.ip_network, cidrs))


FACTS: dict[tuple[Any, ...], Any] = {
    (VpcCidrs, "vpc-1"): networks("10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56"),
    (SecurityGroupPlace, OTHER, ACCOUNT): ("vpc-1", "service"),
    (SecurityGroupPlace, PEERED, ACCOUNT): None,
    (SecurityGroupPlace, ELSEWHERE, ACCOUNT): ("vpc-2", "service"),
    (SecurityGroupPlace, FOREIGN, FOREIGN_ACCOUNT): ("vpc-3", "service"),
    (PrefixListEntries, "pl-0bbb"): networks("198.51.100.0/28", "198.51.100.32/28"),
    (PrefixListEntries, "pl-0ccc"): networks("198.51.100.0/28", "203.0.113.0/24"),
    (PrefixListEntries, "pl-0ddd"): None,
    (PrefixListEntries, "pl-0eee"): (),
    (PrefixListEntries, "pl-0fff"): networks("10.0.0.0/16", "10.1.0.0/17"),
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


def without(permission: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in permission.items() if key not in names}


def judged(item: dict[str, Any], raw: dict[str, str] | None = None) -> Finding:
    rule = PciSecurityGroupEgressLimited(SETTINGS)
    return rule.decide(item, rule.evaluate_parameters(raw or {}), StatedFacts(SCOPE, FACTS))


ALL = permission("-1", None, ipv4=["0.0.0.0/0"])
ALL_443 = permission(ipv4=["0.0.0.0/0"])


class TierTest(unittest.TestCase):
    def test_entries_inside_one_flow_are_compliant(self) -> None:
        for name, item in {
            "no entries, any tier": group(tier="database"),
            "the whole VPC": group(permission(ipv4=["10.0.0.0/16"]), tier="dmz"),
            "second CIDR of the VPC": group(permission(ipv4=["10.1.2.0/24"]), tier="dmz"),
            "IPv6 of the VPC": group(permission(ipv6=["2001:db8:1:1::/64"]), tier="dmz"),
            "group of the own VPC": group(permission(groups=[(OTHER, ACCOUNT)]), tier="dmz"),
            "itself counts as own VPC": group(permission(groups=[(OWN, ACCOUNT)]), tier="dmz"),
            "both CIDRs of the VPC in one entry": group(permission(ipv4=["10.0.0.0/15"]), tier="dmz"),
            "both peers of a flow in one entry": group(permission(ipv4=["198.51.100.0/28"]), tier="halves"),
            "inside an allowed prefix list": group(permission(ports=(80, 80), ipv4=["198.51.100.33/32"]), tier="halves"),
            "prefix list inside the VPC": group(permission(prefix_lists=["pl-0fff"]), tier="dmz"),
            "any prefix list where the internet is allowed": group(permission(prefix_lists=["pl-0ddd"]), tier="public"),
            "own VPC's group where its addresses are allowed": group(permission(groups=[(OTHER, ACCOUNT)]), tier="wide"),
            "peered account's group whose tier is known": group(
                permission(ports=(1500, 1500), groups=[(FOREIGN, FOREIGN_ACCOUNT)]), tier="mesh"
            ),
            "other VPC's group of an allowed tier": group(
                permission(ports=(1500, 1500), groups=[(ELSEWHERE, ACCOUNT)]), tier="mesh"
            ),
            "no protocol number has ports": group(permission("50", None, ipv4=["10.0.0.0/16"]), tier="service"),
            "tcp -1 is all ports": group(permission("tcp", (-1, -1), ipv4=["10.0.0.0/16"]), tier="service"),
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
            ("peered account's group", group(permission(groups=[(FOREIGN, FOREIGN_ACCOUNT)]), tier="dmz"), f"{FOREIGN} of account 2"),
            ("peered group whose tier is not known",
             group(permission(ports=(1500, 1500), groups=[(PEERED, FOREIGN_ACCOUNT)]), tier="mesh"), PEERED),
            ("group EC2 names no owner of", group(permission(groups=[(OTHER, None)]), tier="dmz"), OTHER),
            ("group of another VPC", group(permission(groups=[(ELSEWHERE, ACCOUNT)]), tier="dmz"), ELSEWHERE),
            ("group of another VPC, internet allowed", group(permission(groups=[(ELSEWHERE, ACCOUNT)]), tier="public"), ELSEWHERE),
            ("another group where only self is allowed", group(permission(groups=[(OTHER, ACCOUNT)]), tier="loop"), OTHER),
            ("an address where only self is allowed", group(permission(ipv4=["10.0.0.1/32"]), tier="loop"), "10.0.0.1/32"),
            ("a prefix list where only self is allowed", group(permission(prefix_lists=["pl-0bbb"]), tier="loop"), "pl-0bbb"),
            ("wider than two allowed halves", group(permission(ipv4=["198.51.100.0/27"]), tier="halves"), "198.51.100.0/27"),
            ("peers of two flows are not one", group(permission(ipv4=["10.0.0.0/16"]), tier="halves"), "10.0.0.0/16"),
            ("split halves of the internet", group(permission("-1", None, ipv4=["0.0.0.0/1", "128.0.0.0/1"]), tier="service"),
             "2 egress entries"),
            ("prefix list without entries", group(permission(prefix_lists=["pl-0eee"]), tier="card-api"), "pl-0eee"),
            ("protocol number in a tcp flow", group(permission("132", HTTPS, ipv4=["10.0.0.0/16"]), tier="dmz"), "protocol 132"),
            ("one ICMP type in a flow of ports", group(permission("1", (8, 0), ipv4=["10.0.0.0/16"]), tier="dmz"), "icmp to"),
            ("ipRanges names more than ipv4Ranges",
             group(permission(ipv4=["10.0.0.0/16"], legacy=["0.0.0.0/0", "10.0.0.0/16"]), tier="dmz"), "tcp 443 to 0.0.0.0/0"),
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
        self.assertEqual(
            judged(item).annotation,
            "2 egress entries; first: all protocols to 0.0.0.0/0; tier 'dmz' allows tcp 443 to vpc; "
            "revoke it or widen NetworkTiers in rdk.json [PCI 1.3.2]",
        )

    def test_the_annotation_names_the_most_exposed_entry_first(self) -> None:
        item = group(
            permission(ipv4=["10.0.0.0/8", "198.51.100.0/24"]),
            permission(ports=(0, 65535), ipv4=["0.0.0.0/0"]),
            tier="database",
        )
        self.assertEqual(
            judged(item).annotation,
            "3 egress entries; first: tcp 0-65535 to 0.0.0.0/0; tier 'database' allows no egress; "
            "revoke it or widen NetworkTiers in rdk.json [PCI 1.3.2]",
        )
        two = group(permission(ipv4=["10.0.0.0/8", "203.0.113.9/32"]), tier="database")
        self.assertIn("first: tcp 443 to 203.0.113.9/32;", judged(two).annotation)

    def test_long_texts_lose_neither_the_advice_nor_the_requirement(self) -> None:
        for item, kept in (
            (group(permission("-1", None, ipv6=["2001:db8:ffff:ffff:ffff:ffff::/96"]), tier="many"), "widen NetworkTiers in rdk.json"),
            (group(tier="x" * 256), "correct it; known: card-api"),
        ):  # fmt: skip
            with self.subTest(kept):
                annotation = judged(item).annotation
                self.assertLessEqual(len(annotation), 256)
                self.assertIn(kept, annotation)
                self.assertTrue(annotation.endswith(" [PCI 1.3.2]"))

    def test_a_compliant_verdict_says_why(self) -> None:
        inside = permission(ipv4=["10.0.0.0/16", "10.1.0.0/16"])
        for item, raw, reason in (
            (group(tier="dmz"), {}, "no egress entries"),
            (group(inside, tier="dmz"), {}, "2 egress entries within tier 'dmz'"),
            (group(permission(ipv4=["10.0.0.0/8"])), {}, "1 egress entry, none reaches the internet"),
            (group(ALL_443), {"InternetPorts": "80,443"}, "1 egress entry, none reaches the internet except on 80, 443"),
        ):
            with self.subTest(reason):
                self.assertEqual(judged(item, raw).annotation, reason)

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
            ("private prefix list", permission(prefix_lists=["pl-0fff"]), COMPLIANT),
            ("prefix list that does not resolve", permission(prefix_lists=["pl-0ddd"]), NON_COMPLIANT),
            ("peered account's group", permission(groups=[(FOREIGN, FOREIGN_ACCOUNT)]), COMPLIANT),
            ("shared address space", permission(ipv4=["100.64.0.0/10"]), COMPLIANT),
            ("wider than shared address space", permission(ipv4=["100.64.0.0/9"]), NON_COMPLIANT),
            ("link-local: instance metadata", permission(ipv4=["169.254.169.254/32"]), COMPLIANT),
            ("NAT64", permission(ipv6=["64:ff9b::/96"]), NON_COMPLIANT),
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
        self.assertIn("none to the internet except on 443;", judged(group(ALL), {"InternetPorts": "443"}).annotation)
        two = permission(ports=(443, 444), ipv4=["0.0.0.0/0"])
        self.assertEqual(judged(group(two), {"InternetPorts": "443,444"}).compliance, COMPLIANT)
        icmp = permission("icmp", (-1, -1), ipv4=["0.0.0.0/0"])
        self.assertEqual(judged(group(icmp), {"InternetPorts": "443"}).compliance, NON_COMPLIANT)
        listed = permission(prefix_lists=["pl-0ccc"])
        self.assertEqual(judged(group(listed), {"InternetPorts": "443"}).compliance, COMPLIANT)

    def test_deny_all_and_ignore(self) -> None:
        private = group(permission(ipv4=["10.0.0.0/8"]))
        self.assertEqual(judged(private, {"UntaggedPolicy": "deny-all"}).compliance, NON_COMPLIANT)
        self.assertEqual(judged(group(), {"UntaggedPolicy": "deny-all"}).compliance, COMPLIANT)
        self.assertEqual(judged(group(ALL), {"UntaggedPolicy": "ignore"}).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(group(ALL, tier="dmz"), {"UntaggedPolicy": "ignore"}).compliance, NON_COMPLIANT)
        denied = judged(group(permission(groups=[(OWN, ACCOUNT)])), {"UntaggedPolicy": "deny-all", "InternetPorts": "443"})
        self.assertEqual(
            denied.annotation,
            f"tcp 443 to {OWN}; a group without the tag pci:tier may have none; revoke it or tag the group [PCI 1.3.2]",
        )

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
            "no tags member": {**group(ALL), "tags": None},
            "no VPC": group(vpcId=None),
            "no such protocol": group(permission("tpc", HTTPS, ipv4=["10.0.0.0/16"]), tier="service"),
            "protocol number out of range": group(permission("256", None, ipv4=["10.0.0.0/16"]), tier="service"),
            "protocol is no text": group({**ALL, "ipProtocol": -1}),
            "ports are texts": group({**ALL_443, "fromPort": "443", "toPort": "443"}),
            "port is a Boolean": group({**ALL_443, "fromPort": True, "toPort": True}),
            "port beyond the last": group(permission("tcp", (0, 65536), ipv4=["10.0.0.0/8"])),
            "CIDR missing in its range": group({**ALL_443, "ipv4Ranges": [{"description": "x"}]}),
            "IPv6 in an IPv4 range": group(permission(ipv4=["::/0"])),
            "ranges are an object": group({**ALL_443, "ipv6Ranges": {}}),
            "prefix list without id": group({**ALL_443, "prefixListIds": [{}]}),
            "reference by name only": group({**ALL_443, "userIdGroupPairs": [{"groupName": "g", "groupId": None}]}),
            "group id that is none": group(permission(groups=[("pl-0aaa", ACCOUNT)])),
            "a kind of peer unknown here": group({**permission(ipv4=["10.0.0.0/8"]), "serviceNetworkIds": [{"id": "sn-1"}]}),
            **{
                f"{name} not recorded": group(without(permission(ipv4=["10.0.0.0/8"]), name))
                for name in ("ipv6Ranges", "prefixListIds", "userIdGroupPairs")
            },
            "no IPv4 ranges recorded": group(without(permission(ipv6=["fd00::/8"]), "ipv4Ranges", "ipRanges")),
        }.items():
            with self.subTest(name), self.assertRaisesRegex(RuleInputError, "onfiguration|tags is missing"):
                judged(item)

    def test_items_of_before_2017_are_read(self) -> None:
        old = without(permission(legacy=["10.0.0.0/8"]), "ipv4Ranges", "ipv6Ranges")
        self.assertEqual(judged(group(old)).compliance, COMPLIANT)
        self.assertEqual(judged(group({**old, "ipRanges": ["0.0.0.0/0"]})).compliance, NON_COMPLIANT)

    def test_a_peer_in_the_settings_that_is_none_is_an_error(self) -> None:
        settings = Settings(network_tiers={"dmz": Tier((), (Flow("tcp", HTTPS, ("10.0.0.1/8",)),))})
        scope = Scope(ACCOUNT, "eu-west-1", NOW, settings)
        rule = PciSecurityGroupEgressLimited(settings)
        with self.assertRaisesRegex(RuleInputError, "NetworkTiers: peer '10.0.0.1/8'"):
            rule.decide(group(ALL_443, tier="dmz"), rule.evaluate_parameters({}), StatedFacts(scope))

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
        found = [i for i in self.items if (i["resourceType"], i["awsAccountId"]) == (resource_type, account_id)]
        if not found:
            raise NotAssessed(f"no {resource_type} of {account_id} in this source")
        return found


class SnapshotTest(unittest.TestCase):
    def setUp(self) -> None:
        self.rule = PciSecurityGroupEgressLimited(SETTINGS)

    def decided(self, item: dict[str, Any], *others: Any) -> Finding:
        facts = RecordedFacts(Index(item, *others), SCOPE)
        return self.rule.decide(item, self.rule.evaluate_parameters({}), facts)

    @staticmethod
    def vpc(**configuration: Any) -> dict[str, Any]:
        return new_item(
            account_id=ACCOUNT,
            region="eu-west-1",
            resource_type="AWS::EC2::VPC",
            resource_id="vpc-1",
            capture_time=NOW,
            configuration={
                "cidrBlock": "10.0.0.0/16",
                "cidrBlockAssociationSet": [
                    {"cidrBlock": "10.0.0.0/16", "cidrBlockState": {"state": "associated"}},
                    {"cidrBlock": "10.1.0.0/16", "cidrBlockState": {"state": "associated"}},
                    {"cidrBlock": "10.2.0.0/16", "cidrBlockState": {"state": "disassociated"}},
                ],
                "ipv6CidrBlockAssociationSet": [
                    {"ipv6CidrBlock": "2001:db8:1::/56", "ipv6CidrBlockState": {"state": "associated"}},
                    {"ipv6CidrBlock": "2001:db8:2::/56", "ipv6CidrBlockState": {"state": "failed"}},
                ],
                **configuration,
            },
        )

    def test_other_items_answer_where_they_can(self) -> None:
        facts = RecordedFacts(Index(self.vpc(), group(tier="mesh")), SCOPE)
        self.assertEqual(facts.get(VpcCidrs, "vpc-1"), networks("10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56"))
        self.assertEqual(facts.get(SecurityGroupPlace, OWN, ACCOUNT), ("vpc-1", "mesh"))
        unknown: list[Any] = [(VpcCidrs, "vpc-2"), (SecurityGroupPlace, OTHER, ACCOUNT), (PrefixListEntries, "pl-1")]
        for lookup, *key in unknown:
            with self.subTest(lookup), self.assertRaisesRegex(NotAssessed, " "):
                facts.get(lookup, *key)

    def test_verdicts_from_other_items(self) -> None:
        self.assertEqual(self.decided(group(permission(ipv4=["10.1.0.0/16"]), tier="dmz"), self.vpc()).compliance, COMPLIANT)
        outside = group(permission(ipv4=["10.2.0.0/16"]), tier="dmz")
        self.assertEqual(self.decided(outside, self.vpc()).compliance, NON_COMPLIANT)
        with self.assertRaisesRegex(RuleInputError, "cidrBlock"):
            self.decided(outside, self.vpc(cidrBlock="ten"))

    def test_what_a_snapshot_cannot_show_is_not_assessed_unless_wrong_anyway(self) -> None:
        for name, doubtful, tier in (
            ("prefix list", permission(prefix_lists=["pl-0bbb"]), "card-api"),
            ("prefix list, no tier", permission(prefix_lists=["pl-0bbb"]), None),
            ("VPC", permission(ipv4=["10.0.0.0/16"]), "dmz"),
            ("group", permission(groups=[(OTHER, ACCOUNT)]), "dmz"),
        ):
            with self.subTest(name):
                with self.assertRaises(NotAssessed):
                    self.decided(group(doubtful, tier=tier))
                if name != "VPC":
                    finding = self.decided(group(doubtful, ALL, tier=tier), self.vpc())
                    self.assertEqual(finding.compliance, NON_COMPLIANT)
                    self.assertTrue(finding.annotation.startswith("all protocols to 0.0.0.0/0"))
        finding = self.decided(group(permission(ipv4=["10.0.0.0/16"]), ALL, tier="dmz"))
        self.assertEqual(finding.compliance, NON_COMPLIANT, "protocol -1 fits no flow, whatever the VPC's range")

    def test_facts_are_asked_only_when_they_decide(self) -> None:
        """The source shows nothing else at all."""
        for name, item in {
            "prefix list by id": group(permission(ports=(2000, 2000), prefix_lists=["pl-0aaa"]), tier="mesh"),
            "itself": group(permission(groups=[(OWN, ACCOUNT)]), tier="dmz"),
            "internet": group(permission(prefix_lists=["pl-0bbb"]), tier="public"),
            "itself by its tier": group(permission(groups=[(OWN, ACCOUNT)]), tier="ring"),
            "a literal peer": group(permission(ipv4=["198.51.100.0/26"]), tier="card-api"),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.decided(item).compliance, COMPLIANT)

    def test_a_peered_accounts_group_counts_when_the_source_shows_its_tier(self) -> None:
        item = group(permission(ports=(1500, 1500), groups=[(FOREIGN, FOREIGN_ACCOUNT)]), tier="mesh")
        self.assertEqual(self.decided(item).compliance, NON_COMPLIANT)
        for tier, verdict in (("service", COMPLIANT), ("database", NON_COMPLIANT)):
            foreign = {**group(tier=tier), "awsAccountId": FOREIGN_ACCOUNT, "resourceId": FOREIGN}
            with self.subTest(tier):
                self.assertEqual(self.decided(item, foreign).compliance, verdict)


class AccountTest(unittest.TestCase):
    @mock_aws
    def test_an_account_answers(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        ec2 = Clients().build_client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
        group_id = ec2.create_security_group(
            GroupName="g",
            Description="d",
            VpcId=vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "pci:tier", "Value": "mesh"}]}],
        )["GroupId"]
        list_id = ec2.create_managed_prefix_list(
            PrefixListName="p", MaxEntries=2, AddressFamily="IPv4", Entries=[{"Cidr": "10.9.0.0/16"}]
        )["PrefixList"]["PrefixListId"]
        facts = LiveFacts(Clients(), SCOPE)
        self.assertEqual(facts.get(VpcCidrs, vpc_id), networks("10.0.0.0/16", "10.1.0.0/16"))
        self.assertEqual(facts.get(SecurityGroupPlace, group_id, ACCOUNT), (vpc_id, "mesh"))
        self.assertIsNone(facts.get(SecurityGroupPlace, "sg-00000000", ACCOUNT))
        self.assertEqual(facts.get(PrefixListEntries, list_id), networks("10.9.0.0/16"))

    def test_a_prefix_list_is_unresolvable_only_when_ec2_says_it_is_not_there(self) -> None:
        for code, expected in (("InvalidPrefixListID.NotFound", None), ("UnauthorizedOperation", ClientError)):
            client = boto3.client("ec2", "eu-west-1")
            with self.subTest(code), Stubber(client) as stub:
                stub.add_client_error("get_managed_prefix_list_entries", code)
                facts = LiveFacts(SimpleNamespace(build_client=lambda service, client=client: client), SCOPE)
                if expected:
                    with self.assertRaises(expected):
                        facts.get(PrefixListEntries, "pl-1")
                else:
                    self.assertIsNone(facts.get(PrefixListEntries, "pl-1"))


if __name__ == "__main__":
    unittest.main()
