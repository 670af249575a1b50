"""What opens administration to the world, and when HTTPS would have no way in left: boundaries of both."""

from __future__ import annotations

from typing import Any

import pytest

from pci_config.ingress import IngressDemands, exposed_admin_ports, last_with_https, open_to_the_world
from pci_config.network import ALL_PORTS, Entry, entries_of
from pci_config.settings import Flow, Tier

TIERS = {
    "dmz": Tier((Flow("tcp", (443, 443), ("internet",)),), ()),
    "by number": Tier((Flow("6", (400, 500), ("vpc",)),), ()),
    "all": Tier((Flow("-1", ALL_PORTS, ("vpc",)),), ()),
    "below": Tier((Flow("tcp", (1, 442), ("vpc",)), Flow("udp", (443, 443), ("vpc",))), ()),
    "above": Tier((Flow("tcp", (444, 65535), ("vpc",)),), ()),
    "closed": Tier((), (Flow("tcp", (443, 443), ("internet",)),)),
}


def entry(protocol: str, first: int | None, last: int | None, peer: str) -> Entry:
    permission: dict[str, Any] = {"IpProtocol": protocol}
    if first is not None:
        permission |= {"FromPort": first, "ToPort": last}
    if peer.startswith("sg-"):
        permission["UserIdGroupPairs"] = [{"GroupId": peer}]
    elif peer.startswith("pl-"):
        permission["PrefixListIds"] = [{"PrefixListId": peer}]
    else:
        permission["Ipv6Ranges" if ":" in peer else "IpRanges"] = [{"CidrIpv6" if ":" in peer else "CidrIp": peer}]
    (found,) = entries_of([permission])
    return found


@pytest.mark.parametrize(
    ("protocol", "first", "last", "peer", "open_to_all"),
    [
        ("tcp", 22, 22, "0.0.0.0/0", True),
        ("tcp", 22, 22, "8.0.0.0/8", True),
        ("tcp", 22, 22, "8.0.0.0/9", False),
        ("tcp", 22, 22, "10.0.0.0/8", False),
        ("tcp", 22, 22, "10.0.0.0/7", True),
        ("tcp", 22, 22, "::/0", True),
        ("tcp", 22, 22, "2a00::/16", True),
        ("tcp", 22, 22, "2a00::/17", False),
        ("tcp", 22, 22, "fd00::/8", False),
        ("tcp", 0, 21, "0.0.0.0/0", False),
        ("tcp", 23, 3388, "0.0.0.0/0", False),
        ("tcp", 22, 23, "0.0.0.0/0", True),
        ("tcp", 3000, 3389, "0.0.0.0/0", True),
        ("udp", 3389, 3389, "0.0.0.0/0", True),
        ("-1", None, None, "0.0.0.0/0", True),
        ("icmp", 8, -1, "0.0.0.0/0", False),
        ("50", None, None, "0.0.0.0/0", False),
        ("tcp", 22, 22, "pl-0aaa", False),
        ("tcp", 22, 22, "sg-0000000000000000b", False),
    ],
)
def test_what_is_open_to_the_world(protocol: str, first: int | None, last: int | None, peer: str, open_to_all: bool) -> None:
    assert open_to_the_world(entry(protocol, first, last, peer), (22, 3389)) is open_to_all
    assert open_to_the_world(entry(protocol, first, last, peer), ()) is False


def test_a_narrow_network_is_exposed_but_not_to_the_world() -> None:
    office = entry("tcp", 22, 22, "203.0.113.0/28")
    assert exposed_admin_ports(office, (22, 3389)) == (22,)
    assert not open_to_the_world(office, (22, 3389))


EVERYTHING, HTTPS, SSH = entry("-1", None, None, "0.0.0.0/0"), entry("tcp", 443, 443, "10.0.0.0/8"), entry("tcp", 22, 22, "0.0.0.0/0")  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "taken"),
    [("dmz", True), ("by number", True), ("all", True), ("below", False), ("above", False), ("closed", False)],
)
def test_a_tier_takes_https_or_does_not(tier: str, taken: bool) -> None:
    demands = IngressDemands(TIERS)
    assert last_with_https([EVERYTHING, SSH], [EVERYTHING], tier, demands) == (EVERYTHING if taken else None)


@pytest.mark.parametrize(
    ("entries", "excess", "last"),
    [
        ([EVERYTHING, HTTPS], [EVERYTHING], None),
        ([EVERYTHING, HTTPS], [EVERYTHING, HTTPS], EVERYTHING),
        ([HTTPS, SSH], [SSH], None),
        ([HTTPS, SSH], [HTTPS], HTTPS),
        ([SSH], [SSH], None),
        ([SSH], [], None),
        ([], [], None),
        ([entry("tcp", 442, 442, "0.0.0.0/0")], [entry("tcp", 442, 442, "0.0.0.0/0")], None),
        ([entry("tcp", 444, 444, "0.0.0.0/0")], [entry("tcp", 444, 444, "0.0.0.0/0")], None),
        ([entry("udp", 443, 443, "0.0.0.0/0")], [entry("udp", 443, 443, "0.0.0.0/0")], None),
        ([entry("tcp", 443, 443, "pl-0aaa")], [entry("tcp", 443, 443, "pl-0aaa")], entry("tcp", 443, 443, "pl-0aaa")),
        ([EVERYTHING, entry("tcp", 80, 443, "10.0.0.0/8")], [EVERYTHING], None),
        ([EVERYTHING, entry("tcp", 443, 500, "10.0.0.0/8")], [EVERYTHING], None),
        ([EVERYTHING, entry("tcp", 444, 500, "10.0.0.0/8")], [EVERYTHING], EVERYTHING),
    ],
)
def test_the_last_way_in_for_https(entries: list[Entry], excess: list[Entry], last: Entry | None) -> None:
    assert last_with_https(entries, excess, "dmz", IngressDemands(TIERS)) == last


@pytest.mark.parametrize(("ports", "taken"), [((), False), ((442, 444), False), ((22, 443), True)])
def test_a_group_without_tier_takes_https_when_internet_ports_say_so(ports: tuple[int, ...], taken: bool) -> None:
    demands = IngressDemands(TIERS, internet_ports=ports)
    assert last_with_https([EVERYTHING], [EVERYTHING], None, demands) == (EVERYTHING if taken else None)
