"""Entries of security groups in both forms, and whether they lie inside flows and private address space."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pci_config.egress import EgressDemands, judged_egress, most_exposed_first
from pci_config.network import (
    ALL_PORTS,
    Entry,
    MalformedEntryError,
    MalformedFlowError,
    Network,
    UnknownFactError,
    contained,
    entries_of,
    globally_routable,
    protocol_name,
    vpc_networks,
)
from pci_config.settings import Flow, Tier

OWN, OTHER = "sg-0000000000000000a", "sg-0000000000000000b"


def network(text: str) -> Network:
    return ipaddress.ip_network(text)


@dataclass
class Around:
    """Counts what it is asked; a missing fact is unknown."""

    vpc: tuple[str, ...] | None = ("10.0.0.0/16", "10.1.0.0/16")
    tiers: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    group_id: str = OWN
    account_id: str = "123456789012"

    def vpc_cidrs(self) -> Sequence[Network]:
        self.asked.append("vpc")
        if self.vpc is None:
            raise UnknownFactError("vpc")
        return [network(cidr) for cidr in self.vpc]

    def tier_of(self, group_id: str, owner: str) -> str | None:
        self.asked.append(f"tier of {group_id} of {owner}")
        return self.tiers.get(group_id)

    def in_own_vpc(self, group_id: str) -> bool:
        self.asked.append(f"place of {group_id}")
        return group_id in self.tiers

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network] | None:
        self.asked.append(prefix_list_id)
        if prefix_list_id not in self.lists:
            raise UnknownFactError(prefix_list_id)
        cidrs = self.lists[prefix_list_id]
        return None if cidrs is None else [network(cidr) for cidr in cidrs]


def flow(*peers: str, protocol: str = "tcp", ports: tuple[int, int] = (443, 443)) -> Flow:
    return Flow(protocol, ports, peers)


def entry(peer: str, protocol: str = "tcp", ports: tuple[int, int] = (443, 443), owner: str = "123456789012") -> Entry:
    if peer.startswith(("sg-", "pl-")):
        return Entry(protocol, ports, peer, owner if peer.startswith("sg-") else "")
    return Entry(protocol, ports, network(peer))


# ----------------------------------------------------------------------------------------------------------- parsing


def test_one_entry_for_every_peer_of_the_recorded_sample(sample: Callable[[str], Any]) -> None:
    configuration = sample("AWS_EC2_SecurityGroup")["configuration"]
    egress = entries_of(configuration["ipPermissionsEgress"])
    assert [str(e) for e in egress] == ["all protocols to 0.0.0.0/0", "all protocols to pl-6da54004"]
    ingress = entries_of(configuration["ipPermissions"])
    assert {(e.protocol, e.ports, str(e.peer), e.owner) for e in ingress} == {
        ("tcp", (443, 443), "sg-0a1b0a1b0a1b0a1b0", "123456789012"),
        ("tcp", (22, 22), "0.0.0.0/0", ""),
        ("tcp", (22, 22), "::/0", ""),
        ("icmp", ALL_PORTS, "10.20.0.0/16", ""),
    }


def test_both_forms_give_the_same_entries_and_name_each_alone() -> None:
    recorded = {
        "ipProtocol": "udp",
        "fromPort": 1000,
        "toPort": 2000,
        "ipv4Ranges": [{"cidrIp": "10.0.0.0/8", "description": "inside"}],
        "ipRanges": ["10.0.0.0/8"],
        "ipv6Ranges": [{"cidrIpv6": "fd00::/8", "description": None}],
        "prefixListIds": [{"prefixListId": "pl-1", "description": None}],
        "userIdGroupPairs": [{"groupId": "sg-1", "userId": "1", "vpcId": None}],
    }
    api = {
        "IpProtocol": "udp",
        "FromPort": 1000,
        "ToPort": 2000,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}],
        "Ipv6Ranges": [{"CidrIpv6": "fd00::/8"}],
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
        "UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "1"}],
    }
    assert set(entries_of([recorded])) == set(entries_of([api]))
    assert len(entries_of([recorded])) == 4
    scalars = {"IpProtocol": "udp", "FromPort": 1000, "ToPort": 2000}
    assert [e.source for e in entries_of([api])] == [
        {**scalars, name: value} for name, value in api.items() if isinstance(value, list)
    ]
    (ipv4,) = [e for e in entries_of([recorded]) if e.peer == network("10.0.0.0/8")]
    assert ipv4.source["ipv4Ranges"][0]["description"] == "inside"


@pytest.mark.parametrize(
    ("written", "name"),
    {
        "tcp": "tcp",
        "TCP": "tcp",
        "6": "tcp",
        "06": "tcp",
        "17": "udp",
        "1": "icmp",
        "58": "icmpv6",
        "-1": "-1",
        "50": "50",
    }.items(),
)
def test_protocols_have_one_name(written: str, name: str) -> None:
    assert protocol_name(written) == name


@pytest.mark.parametrize("written", ["", "256", "-2", "tpc", "all", "1.5", "\u0661"])
def test_other_texts_are_no_protocol(written: str) -> None:
    with pytest.raises(ValueError, match="is no protocol"):
        protocol_name(written)


@pytest.mark.parametrize(
    ("protocol", "first", "last", "ports"),
    [
        ("tcp", 443, 444, (443, 444)),
        ("udp", 0, 65535, ALL_PORTS),
        ("tcp", -1, -1, ALL_PORTS),
        ("icmp", 8, 0, ALL_PORTS),  # type 8, code 0: no ports
        ("icmpv6", None, None, ALL_PORTS),
        ("-1", None, None, ALL_PORTS),
        ("132", 443, 443, ALL_PORTS),  # EC2 lets every port pass whatever is written there
    ],
)
def test_ports(protocol: str, first: int | None, last: int | None, ports: tuple[int, int]) -> None:
    permission = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    (found,) = entries_of([permission])
    assert found.ports == ports


@pytest.mark.parametrize(
    "change",
    [
        {"IpProtocol": None},
        {"FromPort": None},
        {"FromPort": 9, "ToPort": 1},
        {"FromPort": -1, "ToPort": 443},
        {"FromPort": True, "ToPort": True},
        {"IpRanges": [{"CidrIp": "10.0.0.0/33"}]},
        {"IpRanges": [{"CidrIp": "::/0"}]},
        {"Ipv6Ranges": [{"CidrIpv6": "0.0.0.0/0"}]},
        {"IpRanges": [{}]},
        {"IpRanges": "10.0.0.0/8"},
        {"IpRanges": []},
        {"PrefixListIds": [{"PrefixListId": "sg-1"}]},
        {"UserIdGroupPairs": [{"GroupName": "default"}]},
        {"Unheard": ["of"]},
    ],
)
def test_what_cannot_be_read_is_an_error(change: dict[str, Any]) -> None:
    good = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    assert len(entries_of([good])) == 1
    with pytest.raises(MalformedEntryError, match=r"[a-zA-Z]+ "):
        entries_of([good, {**good, **change}])


def test_refusals_name_the_protocol_and_the_member() -> None:
    ranges = {"ipRanges": [], "ipv4Ranges": [{"cidrIp": "10.0.0.0/8"}], "prefixListIds": [], "userIdGroupPairs": []}
    recorded = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipv6Ranges": [], **ranges}
    assert len(entries_of([recorded])) == 1
    for permission, words in (
        ({**recorded, "unheard": ["of"]}, "a permission for tcp has the unknown member unheard"),
        ({**recorded, "fromPort": None}, "a permission for tcp has fromPort None and toPort 443, expected numbers"),
        *(
            ({key: value for key, value in recorded.items() if key != name}, f"a permission for tcp has no {name}; AWS Config")
            for name in ("ipv6Ranges", "prefixListIds", "userIdGroupPairs")
        ),
    ):
        with pytest.raises(MalformedEntryError, match=words):
            entries_of([permission])
    only_ipv6 = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "ipv6Ranges": [{"cidrIpv6": "::/0"}]}
    with pytest.raises(MalformedEntryError, match="a permission for tcp has no ipv4Ranges"):
        entries_of([only_ipv6 | {"prefixListIds": [], "userIdGroupPairs": []}])


def test_only_associated_ranges_of_a_vpc_count() -> None:
    vpc = {
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {"CidrBlock": f"10.{number}.0.0/16", "CidrBlockState": {"State": state}}
            for number, state in enumerate(["associated", "associated", "associating", "disassociated", "failed"])
        ],
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}},
            {"Ipv6CidrBlock": "2001:db8:1::/56"},
        ],
    }
    assert [str(found) for found in vpc_networks(vpc)] == ["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"]


def test_a_recorded_vpc_is_read(sample: Callable[[str], Any]) -> None:
    assert vpc_networks(sample("AWS_EC2_VPC")["configuration"]) == (network("10.20.0.0/16"),)


# ---------------------------------------------------------------------------------------------------------- deciding


@pytest.mark.parametrize(
    "cidr",
    [
        "10.0.0.0/7",
        "172.0.0.0/11",
        "172.32.0.0/16",
        "192.168.0.0/15",
        "100.128.0.0/32",
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "198.51.100.0/24",
        "224.0.0.0/4",
        "fc00::/6",
        "::/0",
        "2000::/3",
        "64:ff9b::/96",
        "::ffff:0:0/96",
    ],
)
def test_globally_routable(cidr: str) -> None:
    assert globally_routable(network(cidr))


@pytest.mark.parametrize(
    "cidr",
    [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "172.31.255.0/24",
        "192.168.255.0/24",
        "100.64.0.0/10",
        "100.127.255.255/32",
        "169.254.169.254/32",
        "127.0.0.0/8",
        "fd00::/8",
        "fc00::/7",
        "fe80::/64",
        "::1/128",
    ],
)
def test_private(cidr: str) -> None:
    assert not globally_routable(network(cidr))


@pytest.mark.parametrize(
    ("candidate", "flows", "inside"),
    [
        (entry("10.0.0.0/15"), [flow("vpc")], True),
        (entry("10.0.0.0/14"), [flow("vpc")], False),
        (entry("10.0.0.0/16"), [flow("10.0.0.0/17", "10.0.128.0/17")], True),
        (entry("10.0.0.0/16"), [flow("10.0.0.0/17"), flow("10.0.128.0/17")], False),
        (entry("10.0.0.0/15"), [flow("10.0.0.0/16", "pl-1")], True),
        (entry("10.0.0.0/16", ports=(443, 444)), [flow("vpc"), flow("vpc", ports=(444, 444))], False),
        (entry("10.0.0.0/16", ports=(443, 444)), [flow("vpc", ports=(400, 444))], True),
        (entry("10.0.0.0/16", ports=(442, 443)), [flow("vpc", ports=(443, 444))], False),
        (entry("10.0.0.0/16", "udp"), [flow("vpc")], False),
        (entry("10.0.0.0/16", "udp"), [flow("vpc", protocol="17")], True),
        (entry("10.0.0.0/16", "-1", ALL_PORTS), [flow("vpc", protocol="tcp", ports=ALL_PORTS)], False),
        (entry("10.0.0.0/16", "icmp", ALL_PORTS), [flow("vpc", protocol="-1", ports=ALL_PORTS)], True),
        (entry("10.0.0.0/16", "icmp", ALL_PORTS), [flow("vpc", protocol="icmp", ports=(8, 8))], False),
        (entry("0.0.0.0/0"), [flow("internet")], True),
        (entry("::/0"), [flow("internet")], True),
        (entry("::/0"), [flow("0.0.0.0/0")], False),
        (entry("pl-1"), [flow("vpc")], True),
        (entry("pl-2"), [flow("vpc")], False),
        (entry("pl-2"), [flow("pl-2")], True),
        (entry("pl-2"), [flow("0.0.0.0/0")], False),
        (entry("pl-3"), [flow("0.0.0.0/0", "::/0")], False),
        (entry(OTHER), [flow("tier:service")], True),
        (entry(OTHER), [flow("tier:database")], False),
        (entry(OTHER), [flow("vpc")], True),
        (entry(OTHER), [flow("10.0.0.0/8")], True),
        (entry(OTHER), [flow("10.0.0.0/16")], False),
        (entry(OTHER, owner="210987654321"), [flow("vpc", "internet", "self")], False),
        (entry(OTHER, owner="210987654321"), [flow("tier:service")], True),
        (entry(OWN), [flow("self")], True),
        (entry(OTHER), [flow("self")], False),
        (entry(OWN), [flow("198.51.100.0/26", "tier:service")], False),
        (entry("10.0.0.1/32"), [flow("self", "tier:service")], False),
        (entry("10.0.0.1/32"), [], False),
    ],
)
def test_contained(candidate: Entry, flows: list[Flow], inside: bool) -> None:
    around = Around(
        tiers={OTHER: "service"}, lists={"pl-1": ("10.1.0.0/16",), "pl-2": ("10.1.0.0/16", "fd00::/8"), "pl-3": None}
    )
    assert contained(candidate, flows, around) is inside


@pytest.mark.parametrize(
    ("candidate", "flows", "asked"),
    [
        (entry("10.9.0.0/16"), [flow("vpc", protocol="udp")], []),
        (entry("10.9.0.0/16"), [flow("pl-1", "vpc", "10.9.0.0/16")], []),
        (entry("10.1.0.0/16"), [flow("pl-1", "vpc")], ["vpc"]),
        (entry("pl-1"), [flow("pl-1")], []),
        (entry("pl-1"), [flow("internet")], []),
        (entry("pl-1"), [flow("self", "tier:service")], []),
        (entry(OWN), [flow("self", "tier:service")], []),
        (entry(OWN), [flow("vpc")], []),
        (entry(OTHER, owner=""), [flow("vpc")], []),
    ],
)
def test_facts_are_asked_only_when_they_decide(candidate: Entry, flows: list[Flow], asked: list[str]) -> None:
    around = Around()
    contained(candidate, flows, around)
    assert around.asked == asked


def test_an_unknown_fact_is_no_answer_unless_another_flow_gives_one() -> None:
    with pytest.raises(UnknownFactError):
        contained(entry("pl-9"), [flow("vpc")], Around())
    with pytest.raises(UnknownFactError):
        contained(entry("10.0.0.0/16"), [flow("vpc"), flow("10.2.0.0/16")], Around(vpc=None))
    assert contained(entry("10.0.0.0/16"), [flow("vpc"), flow("10.0.0.0/8")], Around(vpc=None))
    assert contained(entry("10.2.0.0/16"), [flow("vpc", "pl-1")], Around(vpc=None, lists={"pl-1": ("10.0.0.0/8",)}))


def test_a_peer_of_the_settings_that_is_none_is_named() -> None:
    with pytest.raises(MalformedFlowError, match=r"peer '10\.0\.0\.1/8' is no CIDR"):
        contained(entry("10.0.0.0/16"), [flow("10.0.0.1/8")], Around())


def test_each_entry_is_judged_by_itself() -> None:
    demands = EgressDemands({"dmz": Tier((), (flow("vpc"),))})
    good, bad, doubtful = entry("10.0.0.0/24"), entry("8.8.8.8/32"), entry("pl-9")
    judgement = judged_egress([doubtful, good, bad], "dmz", demands, Around())
    assert judgement.excess == (bad,)
    assert judgement.doubts == ("tcp 443 to pl-9: pl-9",)
    assert judged_egress([good], "dmz", demands, Around()).excess == ()
    with pytest.raises(KeyError):
        judged_egress([good], "dnz", demands, Around())


@pytest.mark.parametrize(
    ("candidate", "fine"),
    [
        (entry("0.0.0.0/0"), True),
        (entry("0.0.0.0/0", "udp"), True),
        (entry("0.0.0.0/0", ports=(443, 444)), False),
        (entry("0.0.0.0/0", "-1", ALL_PORTS), False),
        (entry("0.0.0.0/0", "132", ALL_PORTS), False),
        (entry("10.0.0.0/8", ports=(22, 22)), True),
        (entry("pl-9"), True),
        (entry("pl-1", ports=(22, 22)), True),
        (entry("pl-2", ports=(22, 22)), False),
        (entry("pl-3", ports=(22, 22)), False),
        (entry(OTHER, ports=(22, 22)), True),
    ],
)
def test_groups_without_a_tier_reach_the_internet_on_its_ports_only(candidate: Entry, fine: bool) -> None:
    around = Around(lists={"pl-1": ("10.0.0.0/8",), "pl-2": ("10.0.0.0/8", "8.8.8.8/32"), "pl-3": ()})
    judgement = judged_egress([candidate], None, EgressDemands({}, internet_ports=(443,)), around)
    assert judgement.excess == (() if fine else (candidate,))
    every_port = EgressDemands({}, internet_ports=tuple(range(65536)))
    assert bool(judged_egress([entry("0.0.0.0/0", "icmp", ALL_PORTS)], None, every_port, around).excess)
    assert judged_egress([candidate], None, EgressDemands({}, "deny-all", (443,)), around).excess == (candidate,)


def test_the_most_exposed_entry_comes_first() -> None:
    ordered = [
        entry("0.0.0.0/0", ports=ALL_PORTS),
        entry("0.0.0.0/0"),
        entry("8.0.0.0/8"),
        entry("8.8.8.8/32"),
        entry("10.0.0.0/8"),
        entry("pl-1"),
    ]
    assert most_exposed_first(list(reversed(ordered))) == ordered


def test_entries_read_as_people_write_them() -> None:
    assert str(entry("10.0.0.0/8")) == "tcp 443 to 10.0.0.0/8"
    assert str(entry("pl-1", ports=(1, 2))) == "tcp 1-2 to pl-1"
    assert str(entry("::/0", "icmpv6", ALL_PORTS)) == "icmpv6 to ::/0"
    assert str(entry("::/0", "50", ALL_PORTS)) == "protocol 50 to ::/0"
