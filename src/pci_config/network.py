"""Security group entries and the flows a tier allows: the predicate that rule and document share.

An entry is one protocol, one port range and one peer. It is allowed when it lies wholly inside one allowed flow; overlapping
one is not enough. Shapes: AWS Config's recorded form (camelCase) and EC2's DescribeSecurityGroups (PascalCase).
Standard library only: inlined into the Automation document.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pci_config.settings import Flow, Tier, parse_ports

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ALL_PORTS = (0, 65535)
PORTLESS = frozenset({"icmp", "icmpv6"})
# IANA protocol numbers; EC2 writes these four by name and every other one by number.
PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
INTERNET = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
# Address space that no router of the internet carries: RFC 1918, 6598, 3927, 5735 and 4193, 4291. Everything else counts as
# globally routable, documentation ranges too: nothing in a payment network should be opened towards them by mistake.
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


class MalformedEntryError(ValueError):
    """A permission lacks its protocol, peer or ports, or they cannot be read. The message names the member."""


class UnknownFactError(Exception):
    """A peer could not be resolved (a prefix list that the source cannot show, say)."""


@dataclass(frozen=True)
class Entry:
    """One protocol, port range and peer of a group. `peer` is a network, `sg-…` or `pl-…`; `owner` the group's account.

    `raw_ports` are fromPort and toPort as they stand there (ICMP type and code, or none), for calls that name the entry.
    """

    protocol: str
    ports: tuple[int, int]
    peer: Network | str
    owner: str = ""
    raw_ports: tuple[int, int] | None = None

    def __str__(self) -> str:
        protocol = "all protocols" if self.protocol == "-1" else self.protocol
        first, last = self.ports
        if (
            self.protocol == "-1"
            or self.protocol in PORTLESS
            or (self.ports == ALL_PORTS and self.protocol not in ("tcp", "udp"))
        ):
            return f"{protocol} to {self.peer}"
        return f"{protocol} {first}{'' if first == last else f'-{last}'} to {self.peer}"


class Peers(Protocol):
    """What is known of the group's surroundings, asked only when an entry depends on it."""

    @property
    def group_id(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    def vpc_cidrs(self) -> Sequence[Network]:
        """Every CIDR of the group's own VPC."""
        ...

    def tier_of(self, group_id: str) -> str | None:
        """Tier tag of a group of this account; None when it has none. Raises UnknownFactError when it cannot be seen."""
        ...

    def in_own_vpc(self, group_id: str) -> bool: ...

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network]:
        """Raises UnknownFactError when it cannot be resolved."""
        ...


# ----------------------------------------------------------------------------------------------------------- parsing


def entries_of(permissions: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Every entry of a list of permissions, in either form. Raises MalformedEntryError."""
    return [entry for permission in permissions for entry in _entries(permission)]


def _entries(permission: Mapping[str, Any]) -> list[Entry]:
    if not isinstance(permission, Mapping):
        raise MalformedEntryError(f"a permission is {type(permission).__name__}, expected an object")
    protocol = _member(permission, "ipProtocol")
    if not isinstance(protocol, str) or not re.fullmatch(r"-1|[a-z0-9]+", protocol.lower()):
        raise MalformedEntryError(f"ipProtocol is {protocol!r}, expected a protocol name or number")
    protocol = PROTOCOL_NAMES.get(protocol.lower(), protocol.lower())
    ports = _ports(permission, protocol)
    first, last = _member(permission, "fromPort"), _member(permission, "toPort")
    raw = (first, last) if isinstance(first, int) and isinstance(last, int) else None
    found = [Entry(protocol, ports, network, raw_ports=raw) for network in _networks(permission)]
    for prefix_list in _list(permission, "prefixListIds"):
        found.append(Entry(protocol, ports, _text(prefix_list, "prefixListId"), raw_ports=raw))
    for pair in _list(permission, "userIdGroupPairs"):
        found.append(Entry(protocol, ports, _text(pair, "groupId"), str(_member(pair, "userId") or ""), raw))
    if not found:
        raise MalformedEntryError(f"a {protocol} permission names no peer")
    return found


def _networks(permission: Mapping[str, Any]) -> list[Network]:
    recorded = _list(permission, "ipv4Ranges")
    if not recorded:
        # DescribeSecurityGroups calls the same list IpRanges; items before 2017 have plain texts under ipRanges
        recorded = [entry if isinstance(entry, Mapping) else {"cidrIp": entry} for entry in _list(permission, "ipRanges")]
    ipv6 = [_cidr(entry, "cidrIpv6") for entry in _list(permission, "ipv6Ranges")]
    return [*(_cidr(entry, "cidrIp") for entry in recorded), *ipv6]


def _ports(permission: Mapping[str, Any], protocol: str) -> tuple[int, int]:
    first, last = _member(permission, "fromPort"), _member(permission, "toPort")
    if protocol in PORTLESS or protocol not in ("tcp", "udp"):
        return ALL_PORTS  # ICMP keeps types there; other protocols have no ports
    if not isinstance(first, int) or not isinstance(last, int) or isinstance(first, bool) or isinstance(last, bool):
        raise MalformedEntryError(f"a {protocol} permission has no fromPort and toPort")
    if (first, last) == (-1, -1):
        return ALL_PORTS
    if not 0 <= first <= last <= 65535:
        raise MalformedEntryError(f"ports {first}-{last} are no range")
    return first, last


def _member(value: Mapping[str, Any], name: str) -> Any:
    """A member in the recorded spelling, or in EC2's, which capitalizes the first letter."""
    return value.get(name, value.get(name[0].upper() + name[1:]))


def _list(permission: Mapping[str, Any], name: str) -> list[Any]:
    value = _member(permission, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedEntryError(f"{name} is {type(value).__name__}, expected a list")
    return value


def _text(value: Any, name: str) -> str:
    text = _member(value, name) if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not text:
        raise MalformedEntryError(f"{name} is missing")
    return text


def _cidr(value: Any, name: str) -> Network:
    text = _text(value, name)
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise MalformedEntryError(f"{name} {text!r} is no CIDR") from None


# ---------------------------------------------------------------------------------------------------------- deciding


def globally_routable(network: Network) -> bool:
    """Whether any address of the network is: a network is private only when it lies wholly inside one private range."""
    return not any(network.version == private.version and network.subnet_of(private) for private in PRIVATE)  # type: ignore[arg-type]


def contained(entry: Entry, flows: Sequence[Flow], peers: Peers) -> bool:
    """Whether the entry lies wholly inside one of the flows. Raises UnknownFactError when a doubtful peer decides it."""
    doubt: UnknownFactError | None = None
    for flow in flows:
        if flow.protocol != "-1" and PROTOCOL_NAMES.get(flow.protocol, flow.protocol) != entry.protocol:
            continue
        if not flow.ports[0] <= entry.ports[0] <= entry.ports[1] <= flow.ports[1]:
            continue
        for peer in flow.peers:
            try:
                if _covers(peer, entry, peers):
                    return True
            except UnknownFactError as error:
                doubt = error
    if doubt:
        raise doubt
    return False


def _covers(allowed: str, entry: Entry, peers: Peers) -> bool:
    peer = entry.peer
    if isinstance(peer, str) and peer.startswith("sg-"):
        return _covers_group(allowed, peer, entry.owner, peers)
    if allowed == peer:
        return True
    if isinstance(peer, str):  # a prefix list: every one of its networks must be inside
        if allowed in ("self",) or allowed.startswith(("tier:", "pl-")):
            return False
        networks = peers.prefix_list(peer)
        return bool(networks) and all(_covers(allowed, Entry(entry.protocol, entry.ports, n), peers) for n in networks)
    if allowed == "internet":
        return True
    if allowed == "vpc":
        return any(_inside(peer, cidr) for cidr in peers.vpc_cidrs())
    if allowed.startswith("pl-"):
        return any(_inside(peer, network) for network in peers.prefix_list(allowed))
    if allowed == "self" or allowed.startswith("tier:"):
        return False
    return _inside(peer, ipaddress.ip_network(allowed, strict=False))


def _covers_group(allowed: str, group_id: str, owner: str, peers: Peers) -> bool:
    if allowed == "self":
        return group_id == peers.group_id
    if owner and owner != peers.account_id:
        return False  # a peered account's group: its tag is not ours to trust
    if allowed == "internet":
        return True  # what may talk to every address may talk to a group
    if allowed == "vpc":
        return group_id == peers.group_id or peers.in_own_vpc(group_id)
    return allowed.startswith("tier:") and peers.tier_of(group_id) == allowed.removeprefix("tier:")


def _inside(network: Network, allowed: Network) -> bool:
    return network.version == allowed.version and network.subnet_of(allowed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class EgressDemands:
    """What decides on a group's egress. `untagged` is deny-internet, deny-all or ignore."""

    tiers: Mapping[str, Tier]
    untagged: str
    internet_ports: tuple[int, ...]


def egress_excess(entries: Sequence[Entry], tier: str | None, demands: EgressDemands, peers: Peers) -> list[Entry]:
    """The entries that must go, in the order of the group. Raises KeyError for an unknown tier, UnknownFactError.

    When one entry is in doubt but others must go for certain, those are returned: the group is wrong either way.
    """
    excess: list[Entry] = []
    doubt: UnknownFactError | None = None
    for entry in entries:
        try:
            if tier is None:
                fine = _untagged_fine(entry, demands, peers)
            else:
                fine = contained(entry, demands.tiers[tier].egress, peers)
        except UnknownFactError as error:
            doubt = error
            continue
        if not fine:
            excess.append(entry)
    if doubt and not excess:
        raise doubt
    return excess


def _untagged_fine(entry: Entry, demands: EgressDemands, peers: Peers) -> bool:
    if demands.untagged == "deny-all":
        return False
    if isinstance(entry.peer, str):
        if entry.peer.startswith("sg-"):
            return True  # a group is no address of the internet
        networks: Sequence[Network] = peers.prefix_list(entry.peer)
    else:
        networks = (entry.peer,)
    if not any(globally_routable(network) for network in networks):
        return bool(networks)
    first, last = entry.ports
    in_ports = entry.protocol in ("tcp", "udp") and all(port in demands.internet_ports for port in range(first, last + 1))
    return in_ports and bool(demands.internet_ports)


def broadest_first(entries: Sequence[Entry]) -> list[Entry]:
    """The most exposed entry first: by addresses reached, then by ports."""

    def reach(entry: Entry) -> tuple[int, int]:
        size = entry.peer.num_addresses if isinstance(entry.peer, (ipaddress.IPv4Network, ipaddress.IPv6Network)) else 0
        bits = 32 if isinstance(entry.peer, ipaddress.IPv4Network) else 128
        return (-(size.bit_length() - bits) if size else 999, entry.ports[0] - entry.ports[1])

    return sorted(entries, key=reach)


def internet_ports(text: str) -> tuple[int, ...]:
    """A document's parameter: `none` or ports separated by commas."""
    return () if text in ("", "none") else tuple(parse_ports(port.strip())[0] for port in text.split(","))
