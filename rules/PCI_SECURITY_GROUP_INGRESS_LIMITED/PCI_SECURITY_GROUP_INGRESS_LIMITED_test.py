"""Decision table of PCI_SECURITY_GROUP_INGRESS_LIMITED."""

from __future__ import annotations

import ipaddress
import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
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
from PCI_SECURITY_GROUP_INGRESS_LIMITED import PciSecurityGroupIngressLimited

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "tags.pci:tier": "a group without tier is judged by UntaggedPolicy",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT, FOREIGN_ACCOUNT = "123456789012", "210987654321"
OWN, OTHER, GONE = "sg-0000000000000000a", "sg-0000000000000000b", "sg-0000000000000000c"
ELSEWHERE, FOREIGN = "sg-0000000000000000d", "sg-0000000000000000e"
HTTPS, ALL_PORTS = (443, 443), (0, 65535)
SETTINGS = Settings(
    network_tiers={
        "dmz": Tier((Flow("tcp", HTTPS, ("internet",)),), (Flow("tcp", (22, 22), ("internet",)),)),
        "vpc-link": Tier((Flow("tcp", HTTPS, ("vpc",)),), ()),
        "card-api": Tier((Flow("-1", ALL_PORTS, ("vpc",)),), ()),
        "service": Tier((Flow("-1", ALL_PORTS, ("tier:card-api", "self")),), ()),
        "database": Tier((Flow("tcp", (5432, 5432), ("tier:service",)),), ()),
        "closed": Tier((), (Flow("-1", ALL_PORTS, ("internet",)),)),
        "partner": Tier((Flow("tcp", HTTPS, ("198.51.100.0/29", "198.51.100.8/29", "pl-0aaa")),), ()),
        "many": Tier(tuple(Flow("tcp", (port, port), ("198.51.100.0/26",)) for port in range(8000, 8020)), ()),
    }
)
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)


def networks(*cidrs: str) -> tuple[Any, ...]:
    return tuple(map(ipaddress.ip_network, cidrs))


FACTS: dict[tuple[Any, ...], Any] = {
    (VpcCidrs, "vpc-1"): networks("10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56"),
    (SecurityGroupPlace, OTHER, ACCOUNT): ("vpc-1", "card-api"),
    (SecurityGroupPlace, GONE, ACCOUNT): None,
    (SecurityGroupPlace, ELSEWHERE, ACCOUNT): ("vpc-2", "service"),
    (SecurityGroupPlace, FOREIGN, FOREIGN_ACCOUNT): ("vpc-3", "service"),
    (PrefixListEntries, "pl-0aaa"): networks("198.51.100.64/29"),
    (PrefixListEntries, "pl-0bbb"): networks("198.51.100.0/29", "198.51.100.8/30"),
    (PrefixListEntries, "pl-0ccc"): networks("198.51.100.0/29", "203.0.113.0/24"),
    (PrefixListEntries, "pl-0ddd"): None,
    (PrefixListEntries, "pl-0eee"): (),
    (PrefixListEntries, "pl-0fff"): networks("10.0.0.0/16"),
}


def permission(protocol: str = "tcp", ports: tuple[int, int] | None = HTTPS, **peers: list[Any]) -> dict[str, Any]:
    """A permission in recorded form; peers by member name (ipv4, ipv6, prefix_lists, groups)."""
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


def group(*ingress: Any, tier: str | None = None, **configuration: Any) -> dict[str, Any]:
    """A group with this ingress, and AWS's default egress, which this rule does not look at."""
    return new_item(
        account_id=ACCOUNT,
        region="eu-west-1",
        resource_type="AWS::EC2::SecurityGroup",
        resource_id=OWN,
        capture_time=NOW,
        tags={"pci:tier": tier} if tier else {},
        configuration={
            "groupId": OWN,
            "groupName": "g",
            "vpcId": "vpc-1",
            "ipPermissions": list(ingress),
            "ipPermissionsEgress": [permission("-1", None, ipv4=["0.0.0.0/0"])],
            **configuration,
        },
    )


def judged(item: dict[str, Any], raw: dict[str, str] | None = None) -> Finding:
    rule = PciSecurityGroupIngressLimited(SETTINGS)
    return rule.decide(item, rule.evaluate_parameters(raw or {}), StatedFacts(SCOPE, FACTS))


ALL = permission("-1", None, ipv4=["0.0.0.0/0"])
WORLD_443 = permission(ipv4=["0.0.0.0/0"])
SSH = permission(ports=(22, 22), ipv4=["0.0.0.0/0"])


class TierTest(unittest.TestCase):
    def test_entries_inside_one_flow_are_compliant(self) -> None:
        for name, item in {
            "no entries, whatever the egress": group(tier="closed"),
            "443 from the internet in the DMZ": group(WORLD_443, permission(ipv6=["::/0"]), tier="dmz"),
            "443 from one address in the DMZ": group(permission(ipv4=["203.0.113.7/32"]), tier="dmz"),
            "numeric tcp": group(permission("6", HTTPS, ipv4=["0.0.0.0/0"]), tier="dmz"),
            "any prefix list where the internet is allowed": group(permission(prefix_lists=["pl-0ddd"]), tier="dmz"),
            "second CIDR of the VPC": group(permission(ipv4=["10.1.2.0/24"]), tier="vpc-link"),
            "both CIDRs of the VPC in one entry": group(permission(ipv4=["10.0.0.0/15"]), tier="vpc-link"),
            "IPv6 of the VPC": group(permission(ipv6=["2001:db8:1:1::/64"]), tier="vpc-link"),
            "group of the own VPC": group(permission(groups=[(OTHER, ACCOUNT)]), tier="vpc-link"),
            "all protocols from the VPC": group(permission("-1", None, ipv4=["10.0.0.0/16"]), tier="card-api"),
            "ICMP in a flow of all": group(permission("icmp", (8, -1), ipv4=["10.0.0.0/16"]), tier="card-api"),
            "group of an allowed tier": group(permission("-1", None, groups=[(OTHER, ACCOUNT)]), tier="service"),
            "self": group(permission("-1", None, groups=[(OWN, ACCOUNT)]), tier="service"),
            "other VPC's group of an allowed tier": group(
                permission(ports=(5432, 5432), groups=[(ELSEWHERE, ACCOUNT)]), tier="database"
            ),
            "peered account's group whose tier is known": group(
                permission(ports=(5432, 5432), groups=[(FOREIGN, FOREIGN_ACCOUNT)]), tier="database"
            ),
            "two allowed peers in one entry": group(permission(ipv4=["198.51.100.0/28"]), tier="partner"),
            "prefix list by id": group(permission(prefix_lists=["pl-0aaa"]), tier="partner"),
            "prefix list inside the peers": group(permission(prefix_lists=["pl-0bbb"]), tier="partner"),
            "legacy ipRanges only": group(permission(legacy=["10.0.0.0/16"]), tier="vpc-link"),
        }.items():
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)

    def test_anything_not_wholly_inside_is_non_compliant(self) -> None:
        for name, item, expected in (
            ("other port in the DMZ", group(permission(ports=(8443, 8443), ipv4=["0.0.0.0/0"]), tier="dmz"), "tcp 8443 from"),
            ("wider port range in the DMZ", group(permission(ports=(443, 444), ipv4=["0.0.0.0/0"]), tier="dmz"), "tcp 443-444"),
            ("what egress allows", group(SSH, tier="dmz"), "tcp 22 from 0.0.0.0/0; tier 'dmz' allows tcp 443 from internet"),
            ("UDP in the DMZ", group(permission("udp", HTTPS, ipv4=["0.0.0.0/0"]), tier="dmz"), "udp 443 from 0.0.0.0/0"),
            ("all protocols in the DMZ", group(ALL, tier="dmz"), "all protocols from 0.0.0.0/0"),
            ("ICMP in the DMZ", group(permission("icmp", (-1, -1), ipv4=["0.0.0.0/0"]), tier="dmz"), "icmp from"),
            ("no ingress allowed", group(permission(ipv4=["10.0.0.1/32"]), tier="closed"), "allows no ingress; revoke it"),
            ("outside the VPC", group(permission(ipv4=["10.2.0.0/16"]), tier="vpc-link"), "10.2.0.0/16"),
            ("halves of the internet", group(permission(ipv4=["0.0.0.0/1", "128.0.0.0/1"]), tier="vpc-link"), "2 ingress entries"),
            ("IPv6 internet", group(permission("-1", None, ipv6=["::/0"]), tier="card-api"), "from ::/0"),
            ("addresses where a tier is asked", group(permission(ports=(5432, 5432), ipv4=["10.0.0.0/16"]), tier="database"), "tcp 5432"),
            ("group of another tier", group(permission(ports=(5432, 5432), groups=[(OTHER, ACCOUNT)]), tier="database"), OTHER),
            ("other port of the right tier", group(permission(groups=[(ELSEWHERE, ACCOUNT)]), tier="database"), "tcp 443 from"),
            ("group that does not exist", group(permission(groups=[(GONE, ACCOUNT)]), tier="service"), GONE),
            ("peered account's group", group(permission(groups=[(FOREIGN, FOREIGN_ACCOUNT)]), tier="vpc-link"), f"{FOREIGN} of account 2"),
            ("group EC2 names no owner of", group(permission(groups=[(OTHER, None)]), tier="vpc-link"), OTHER),
            ("group of another VPC", group(permission(groups=[(ELSEWHERE, ACCOUNT)]), tier="vpc-link"), ELSEWHERE),
            ("prefix list partly outside", group(permission(prefix_lists=["pl-0ccc"]), tier="partner"), "pl-0ccc"),
            ("prefix list that does not resolve", group(permission(prefix_lists=["pl-0ddd"]), tier="vpc-link"), "pl-0ddd"),
            ("prefix list without entries", group(permission(prefix_lists=["pl-0eee"]), tier="vpc-link"), "pl-0eee"),
            ("wider than the peers", group(permission(ipv4=["198.51.100.0/27"]), tier="vpc-link"), "198.51.100.0/27"),
            ("ipRanges names more than ipv4Ranges",
             group(permission(ipv4=["10.0.0.0/16"], legacy=["10.0.0.0/16", "0.0.0.0/0"]), tier="vpc-link"), "tcp 443 from 0.0.0.0/0"),
            ("unknown tier", group(tier="dnz"), "unknown tier 'dnz'; correct it; known: card-api, closed"),
        ):  # fmt: skip
            with self.subTest(name):
                finding = judged(item)
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(expected, finding.annotation)
                self.assertTrue(finding.annotation.endswith("[PCI 1.3.1]"))

    def test_administration_is_called_out_first(self) -> None:
        telnet, narrow = permission(ports=(23, 23), ipv4=["0.0.0.0/0"]), permission(ports=(22, 22), ipv4=["203.0.113.7/32"])
        self.assertEqual(
            judged(group(telnet, WORLD_443, narrow, tier="dmz")).annotation,
            "2 ingress entries; first: administration (22) open to the internet: tcp 22 from 203.0.113.7/32; "
            "tier 'dmz' allows tcp 443 from internet; revoke it or widen NetworkTiers in rdk.json [PCI 1.3.1]",
        )
        for raw, item, expected in (
            ({}, group(ALL), "administration (22, 3389) open to the internet: all protocols from"),
            ({}, group(permission("udp", (3000, 4000), ipv6=["2000::/3"])), "administration (3389) open"),
            ({"AdminPorts": "23"}, group(SSH, telnet), "2 ingress entries; first: administration (23) open"),
        ):
            with self.subTest(expected):
                self.assertIn(expected, judged(item, raw).annotation)
        inside = judged(group(permission(ports=(22, 22), ipv4=["10.0.0.0/8"]), tier="dmz")).annotation
        self.assertTrue(inside.startswith("tcp 22 from 10.0.0.0/8; tier"))
        self.assertNotIn("administration", judged(group(permission("icmp", (0, -1), ipv4=["0.0.0.0/0"]))).annotation)

    def test_long_texts_lose_neither_the_advice_nor_the_requirement(self) -> None:
        ports = {"InternetPorts": ",".join(map(str, range(50000, 50050))), "AdminPorts": ",".join(map(str, range(1, 90)))}
        wide = permission("-1", None, ipv6=["2001:db8:ffff:ffff:ffff:ffff::/96"])
        for item, kept in ((group(wide, tier="many"), "widen NetworkTiers in rdk.json"), (group(wide), "tag the group")):
            with self.subTest(kept):
                annotation = judged(item, ports).annotation
                self.assertLessEqual(len(annotation), 256)
                self.assertTrue(annotation.endswith(f"{kept} [PCI 1.3.1]"), annotation)

    def test_a_compliant_verdict_says_why(self) -> None:
        for item, raw, reason in (
            (group(tier="dmz"), {}, "no ingress entries"),
            (group(WORLD_443, permission(ipv6=["::/0"]), tier="dmz"), {}, "2 ingress entries within tier 'dmz'"),
            (group(permission(ipv4=["10.0.0.0/8"])), {}, "1 ingress entry, none open to the internet"),
            (group(WORLD_443), {"InternetPorts": "80,443"}, "1 ingress entry, none open to the internet except on 80, 443"),
        ):
            with self.subTest(reason):
                self.assertEqual(judged(item, raw).annotation, reason)


class ReferenceMatrixTest(unittest.TestCase):
    """The matrix that rdk.json ships with, line by line."""

    SETTINGS = Settings.from_mapping(json.loads((Path(__file__).resolve().parents[2] / "rdk.json").read_text("utf-8")))

    def judged(self, entry: dict[str, Any], tier: str) -> str:
        tiers = ("dmz", "vpc-link", "card-api", "external-api", "service", "database")
        known: dict[tuple[Any, ...], Any] = {(VpcCidrs, "vpc-1"): networks("10.0.0.0/16", "10.1.0.0/16")}
        known |= {(SecurityGroupPlace, f"sg-{name}", ACCOUNT): ("vpc-1", name) for name in tiers}
        known[SecurityGroupPlace, "sg-none", ACCOUNT] = ("vpc-1", None)
        rule = PciSecurityGroupIngressLimited(self.SETTINGS)
        facts = StatedFacts(Scope(ACCOUNT, "eu-west-1", NOW, self.SETTINGS), known)
        return rule.decide(group(entry, tier=tier), rule.evaluate_parameters({}), facts).compliance

    def test_addresses(self) -> None:
        own, whole, world = ["10.0.0.0/16"], ["10.0.0.0/15"], ["0.0.0.0/0"]
        for tier, entry, verdict in (
            ("dmz", permission(ipv4=world), COMPLIANT),
            ("dmz", permission(ipv6=["::/0"]), COMPLIANT),
            ("dmz", permission(ports=(80, 80), ipv4=world), NON_COMPLIANT),
            ("dmz", permission(ports=(442, 443), ipv4=world), NON_COMPLIANT),
            ("dmz", permission(ports=(443, 444), ipv4=world), NON_COMPLIANT),
            ("dmz", permission("udp", ipv4=world), NON_COMPLIANT),
            ("dmz", permission("-1", None, ipv4=own), NON_COMPLIANT),
            ("vpc-link", permission(ipv4=own), COMPLIANT),
            ("vpc-link", permission(ipv4=whole), COMPLIANT),
            ("vpc-link", permission(ports=(8443, 8443), ipv4=own), NON_COMPLIANT),
            ("vpc-link", permission(ipv4=["10.0.0.0/14"]), NON_COMPLIANT),
            ("vpc-link", permission(ipv4=world), NON_COMPLIANT),
            ("card-api", permission("-1", None, ipv4=whole), COMPLIANT),
            ("card-api", permission(ipv4=world), NON_COMPLIANT),
            ("external-api", permission("udp", (53, 53), ipv4=own), COMPLIANT),
            ("external-api", permission(ipv4=["203.0.113.0/28"]), NON_COMPLIANT),
            ("service", permission(ipv4=own), NON_COMPLIANT),
            ("database", permission(ports=(5432, 5432), ipv4=own), NON_COMPLIANT),
        ):
            with self.subTest(tier=tier, entry=entry["ipProtocol"], ports=entry["fromPort"]):
                self.assertEqual(self.judged(entry, tier), verdict)

    def test_groups(self) -> None:
        database = (5432, 5432)
        for tier, ports, allowed in (
            ("service", HTTPS, {"card-api", "external-api", "service"}),
            ("database", database, {"service"}),
            ("database", (5432, 5433), set()),
            ("database", HTTPS, set()),
            ("card-api", HTTPS, {"dmz", "vpc-link", "card-api", "external-api", "service", "database", "none"}),
        ):
            for name in ("dmz", "vpc-link", "card-api", "external-api", "service", "database", "none"):
                with self.subTest(tier=tier, ports=ports, peer=name):
                    verdict = self.judged(permission(ports=ports, groups=[(f"sg-{name}", ACCOUNT)]), tier)
                    self.assertEqual(verdict, COMPLIANT if name in allowed else NON_COMPLIANT)
        # a group that refers to itself is of its own tier
        self.assertEqual(self.judged(permission("-1", None, groups=[(OWN, ACCOUNT)]), "service"), COMPLIANT)
        self.assertEqual(self.judged(permission(ports=database, groups=[(OWN, ACCOUNT)]), "database"), NON_COMPLIANT)


class UntaggedTest(unittest.TestCase):
    def test_deny_internet(self) -> None:
        for name, entry, verdict in (
            ("private only", permission("-1", None, ipv4=["10.0.0.0/8"]), COMPLIANT),
            ("a group, of another account too", permission(groups=[(FOREIGN, FOREIGN_ACCOUNT)]), COMPLIANT),
            ("unique local IPv6", permission(ipv6=["fd00::/8"]), COMPLIANT),
            ("private prefix list", permission(prefix_lists=["pl-0fff"]), COMPLIANT),
            ("everything", ALL, NON_COMPLIANT),
            ("443 from everywhere", WORLD_443, NON_COMPLIANT),
            ("upper half of the internet", permission("-1", None, ipv4=["128.0.0.0/1"]), NON_COMPLIANT),
            ("wider than the private range", permission(ipv4=["10.0.0.0/7"]), NON_COMPLIANT),
            ("one public address", permission(ipv4=["8.8.8.8/32"]), NON_COMPLIANT),
            ("IPv6 internet", permission(ipv6=["::/0"]), NON_COMPLIANT),
            ("public prefix list", permission(prefix_lists=["pl-0bbb"]), NON_COMPLIANT),
            ("prefix list that does not resolve", permission(prefix_lists=["pl-0ddd"]), NON_COMPLIANT),
        ):
            with self.subTest(name):
                self.assertEqual(judged(group(entry)).compliance, verdict)

    def test_internet_ports_are_the_exception(self) -> None:
        for ports, entry, verdict in (
            ("443", WORLD_443, COMPLIANT),
            ("80", WORLD_443, NON_COMPLIANT),
            ("443", permission(ports=(443, 444), ipv4=["0.0.0.0/0"]), NON_COMPLIANT),
            ("443", permission("icmp", (-1, -1), ipv4=["0.0.0.0/0"]), NON_COMPLIANT),
            ("443", ALL, NON_COMPLIANT),
        ):
            with self.subTest(ports):
                self.assertEqual(judged(group(entry), {"InternetPorts": ports}).compliance, verdict)

    def test_deny_all_and_ignore(self) -> None:
        own = group(permission(groups=[(OWN, ACCOUNT)]), groupName="default")  # as AWS makes a VPC's default group
        self.assertEqual(judged(own).compliance, COMPLIANT)
        self.assertEqual(
            judged(own, {"UntaggedPolicy": "deny-all"}).annotation,
            f"tcp 443 from {OWN}; a group without the tag pci:tier may have none; revoke it or tag the group [PCI 1.3.1]",
        )
        self.assertEqual(judged(group(), {"UntaggedPolicy": "deny-all"}).compliance, COMPLIANT)
        self.assertEqual(judged(group(ALL), {"UntaggedPolicy": "ignore"}).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(group(ALL, tier="dmz"), {"UntaggedPolicy": "ignore"}).compliance, NON_COMPLIANT)


class BadInputTest(unittest.TestCase):
    def test_unreadable_items_are_errors_never_verdicts(self) -> None:
        for name, item in {
            "no ingress member": {**group(), "configuration": {"groupId": OWN, "vpcId": "vpc-1", "ipPermissionsEgress": []}},
            "ingress is null": group(ipPermissions=None),
            "ingress is an object": group(ipPermissions={}),
            "null configuration": {**group(), "configuration": None},
            "no group id": group(groupId=None),
            "no VPC": group(vpcId=None),
            "no tags member": {**group(ALL), "tags": None},
            "no account": {**group(), "awsAccountId": None},
            "no protocol": group({**ALL, "ipProtocol": None}),
            "no such protocol": group(permission("tpc", HTTPS, ipv4=["10.0.0.0/16"]), tier="card-api"),
            "no peers": group({**ALL, "ipv4Ranges": [], "ipRanges": []}),
            "no ports": group(permission("tcp", None, ipv4=["10.0.0.0/8"])),
            "bad CIDR": group(permission(ipv4=["10.0.0.0/99"])),
            "a kind of peer unknown here": group({**permission(ipv4=["10.0.0.0/8"]), "serviceNetworkIds": [{"id": "sn-1"}]}),
        }.items():
            with self.subTest(name), self.assertRaises(RuleInputError):
                judged(item)

    def test_a_peer_in_the_settings_that_is_none_is_an_error(self) -> None:
        settings = Settings(network_tiers={"dmz": Tier((Flow("tcp", HTTPS, ("10.0.0.1/8",)),), ())})
        rule = PciSecurityGroupIngressLimited(settings)
        facts = StatedFacts(Scope(ACCOUNT, "eu-west-1", NOW, settings))
        with self.assertRaisesRegex(RuleInputError, "NetworkTiers: peer '10.0.0.1/8'"):
            rule.decide(group(WORLD_443, tier="dmz"), rule.evaluate_parameters({}), facts)

    def test_parameters(self) -> None:
        rule = PciSecurityGroupIngressLimited(SETTINGS)
        self.assertEqual(rule.evaluate_parameters({}).admin_ports, (22, 3389))
        for raw in ({"UntaggedPolicy": "x"}, {"InternetPorts": "443,x"}, {"AdminPorts": "65536"}, {"AdminPort": "22"}):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)


class SourceTest(unittest.TestCase):
    def decided(self, item: dict[str, Any], *others: Any) -> Finding:
        def find(resource_type: str, account_id: str, region: str) -> list[Any]:
            key = resource_type, account_id, region
            found = [i for i in (item, *others) if (i["resourceType"], i["awsAccountId"], i["awsRegion"]) == key]
            if not found:
                raise NotAssessed(f"no {resource_type} of {account_id} in this source")
            return found

        rule = PciSecurityGroupIngressLimited(SETTINGS)
        return rule.decide(item, rule.evaluate_parameters({}), RecordedFacts(SimpleNamespace(find=find), SCOPE))

    def test_what_a_snapshot_cannot_show_is_not_assessed_unless_wrong_anyway(self) -> None:
        for name, doubtful, tier in (
            ("prefix list", permission(prefix_lists=["pl-0bbb"]), "partner"),
            ("prefix list, no tier", permission(prefix_lists=["pl-0bbb"]), None),
            ("VPC", permission(ipv4=["10.0.0.0/16"]), "vpc-link"),
            ("group", permission(groups=[(OTHER, ACCOUNT)]), "service"),
        ):
            with self.subTest(name):
                with self.assertRaisesRegex(NotAssessed, "tcp 443 from"):
                    self.decided(group(doubtful, tier=tier))
                self.assertEqual(self.decided(group(doubtful, SSH, tier=tier)).compliance, NON_COMPLIANT)

    def test_other_items_answer(self) -> None:
        item = group(permission(groups=[(OTHER, ACCOUNT)]), tier="service")
        for tier, verdict in (("card-api", COMPLIANT), ("dmz", NON_COMPLIANT)):
            other = {**group(tier=tier), "resourceId": OTHER}
            self.assertEqual(self.decided(item, other).compliance, verdict)
        vpc = new_item(
            account_id=ACCOUNT,
            region="eu-west-1",
            resource_type="AWS::EC2::VPC",
            resource_id="vpc-1",
            capture_time=NOW,
            configuration={"cidrBlock": "10.0.0.0/16"},
        )
        self.assertEqual(self.decided(group(permission(ipv4=["10.0.7.0/24"]), tier="vpc-link"), vpc).compliance, COMPLIANT)
        self.assertEqual(self.decided(group(permission(ipv4=["10.1.0.0/24"]), tier="vpc-link"), vpc).compliance, NON_COMPLIANT)

    @mock_aws
    def test_an_account_answers(self) -> None:
        clients = SimpleNamespace(build_client=lambda service, region=None: boto3.client(service, region_name="eu-west-1"))
        ec2 = clients.build_client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
        tags = [{"ResourceType": "security-group", "Tags": [{"Key": "pci:tier", "Value": "service"}]}]
        group_id = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc_id, TagSpecifications=tags)["GroupId"]
        entries = [{"Cidr": "10.9.0.0/16"}]
        made = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=2, AddressFamily="IPv4", Entries=entries)
        facts = LiveFacts(clients, SCOPE)
        self.assertEqual(facts.get(VpcCidrs, vpc_id), networks("10.0.0.0/16", "10.1.0.0/16"))
        self.assertEqual(facts.get(SecurityGroupPlace, group_id, ACCOUNT), (vpc_id, "service"))
        self.assertIsNone(facts.get(SecurityGroupPlace, "sg-00000000", ACCOUNT))
        self.assertEqual(facts.get(PrefixListEntries, made["PrefixList"]["PrefixListId"]), networks("10.9.0.0/16"))

    def test_a_prefix_list_is_unresolvable_only_when_ec2_says_it_is_not_there(self) -> None:
        client = boto3.client("ec2", "eu-west-1")
        facts = LiveFacts(SimpleNamespace(build_client=lambda service, region=None: client), SCOPE)
        with Stubber(client) as stub:
            stub.add_client_error("get_managed_prefix_list_entries", "UnauthorizedOperation")
            with self.assertRaises(ClientError):
                facts.get(PrefixListEntries, "pl-1")
            stub.add_client_error("get_managed_prefix_list_entries", "InvalidPrefixListID.NotFound")
            self.assertIsNone(facts.get(PrefixListEntries, "pl-1"))


if __name__ == "__main__":
    unittest.main()
