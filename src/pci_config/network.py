"""Security group entries and the flows a tier allows: the predicate that rule and document share.

An entry is one protocol, one port range and one peer. It is allowed when it lies wholly inside one allowed flow; overlapping
one is not enough. Shapes: AWS Config's recorded form (camelCase) and EC2's DescribeSecurityGroups (PascalCase).
Standard library only: inlined into the Automation document.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pci_config.settings import Flow

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ALL_PROTOCOLS = "-1"
ALL_PORTS = (0, 65535)
# EC2 API reference, IpPermission: these four go by name, every other protocol by its IANA number
PROTOCOL_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
WITH_PORTS = ("tcp", "udp")
INTERNET = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
# Address space that no router of the internet carries: RFC 1918, 6598, 3927, 1122 (IPv4); RFC 4193, 4291 (IPv6). Not
# `is_global`: its answers changed between Python releases, and rule and document run on different ones. Ranges for
# documentation, multicast and NAT64 count as routable: nothing in a payment network should be opened to them unasked.
PRIVATE = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
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
# where a permission keeps its peers, and the member that identifies one; recorded items repeat ipv4Ranges as ipRanges
PEER_LISTS = {
    "ipv4Ranges": "cidrIp",
    "ipRanges": "cidrIp",
    "ipv6Ranges": "cidrIpv6",
    "prefixListIds": "prefixListId",
    "userIdGroupPairs": "groupId",
}
SCALARS = ("ipProtocol", "fromPort", "toPort")
KNOWN_MEMBERS = frozenset(spelled for name in (*SCALARS, *PEER_LISTS) for spelled in (name, name[:1].upper() + name[1:]))


class MalformedEntryError(ValueError):
    """A permission or VPC lacks a member that decides, or it cannot be read. The message names the member."""


class MalformedFlowError(ValueError):
    """A peer in NetworkTiers is none. The message names it."""


class UnknownFactError(Exception):
    """The source at hand cannot show a fact (the entries of a prefix list, say); the message says which."""


@dataclass(frozen=True)
class Entry:
    """One protocol, port range and peer of a group.

    `ports` is ALL_PORTS where the protocol has none (ICMP keeps types in those members). `peer` is a network, `pl-…` or
    `sg-…`, the latter with the `owner` account ("" when EC2 no longer says). `source` is the permission narrowed to this
    peer, in the form it came in: what a call must say to name exactly this entry.
    """

    protocol: str
    ports: tuple[int, int]
    peer: Network | str
    owner: str = ""
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        if self.protocol in WITH_PORTS:
            return f"{self.protocol} {port_range(self.ports)} to {self.peer}"
        named = "all protocols" if self.protocol == ALL_PROTOCOLS else self.protocol
        return f"{'protocol ' if named.isdigit() else ''}{named} to {self.peer}"


class Surroundings(Protocol):
    """What is known around a group, asked only when an entry depends on it. Each answer may raise UnknownFactError."""

    @property
    def group_id(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    def vpc_cidrs(self) -> Sequence[Network]:
        """Every CIDR of the group's own VPC."""
        ...

    def tier_of(self, group_id: str, owner: str) -> str | None:
        """Tier tag of another group; None when it has none or, in another account, cannot be seen."""
        ...

    def in_own_vpc(self, group_id: str) -> bool:
        """Whether a group of this account is in the group's own VPC."""
        ...

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network] | None:
        """Its networks; None when it does not resolve for this account."""
        ...


def port_range(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


# ----------------------------------------------------------------------------------------------------------- parsing


def entries_of(permissions: Iterable[Any]) -> list[Entry]:
    """Every entry of a list of permissions, in either form. Raises MalformedEntryError."""
    return [entry for permission in permissions for entry in _entries(permission)]


def _entries(permission: Any) -> list[Entry]:
    if not isinstance(permission, Mapping):
        raise MalformedEntryError(f"a permission is {type(permission).__name__}, expected an object")
    protocol = _protocol(permission)
    _require_known_members(permission, protocol)
    ports = _ports(permission, protocol)
    scalars = {key: value for key, value in permission.items() if _camel(key) in SCALARS and value is not None}
    found: list[Entry] = []
    for name in PEER_LISTS:
        for element in _list(permission, name):
            peer, owner = _peer(element, name)
            key = name if name in permission else _pascal(name)
            found.append(Entry(protocol, ports, peer, owner, {**scalars, key: [element]}))
    if not found:
        raise MalformedEntryError(f"a permission for {protocol} names no peer")
    return list(dict.fromkeys(found))


def _peer(element: Any, name: str) -> tuple[Network | str, str]:
    identifier = PEER_LISTS[name]
    text = element if name == "ipRanges" and isinstance(element, str) else _text(element, identifier)
    if identifier.startswith("cidr"):
        return _network(text, identifier), ""
    if not text.startswith("pl-" if identifier == "prefixListId" else "sg-"):
        raise MalformedEntryError(f"{identifier} {text!r} is no such id")
    return text, str(_member(element, "userId") or "") if identifier == "groupId" else ""


def _require_known_members(permission: Mapping[str, Any], protocol: str) -> None:
    """A peer list that is absent, or of a kind this code does not know, must not make a group look closed."""
    unknown = [key for key, value in permission.items() if value and key not in KNOWN_MEMBERS]
    if unknown:
        raise MalformedEntryError(f"a permission for {protocol} has the unknown member {unknown[0]}")
    if "ipProtocol" in permission:  # items before 2017 know neither ipv4Ranges nor ipv6Ranges
        ranges = ("ipv4Ranges", "ipv6Ranges") if "ipv4Ranges" in permission or "ipv6Ranges" in permission else ("ipRanges",)
        for name in (*ranges, "prefixListIds", "userIdGroupPairs"):
            if name not in permission and not (name == "ipv4Ranges" and "ipRanges" in permission):
                raise MalformedEntryError(f"a permission for {protocol} has no {name}; AWS Config records even an empty list")


def protocol_name(text: str) -> str:
    """`6` and `TCP` are `tcp`; a protocol without a name stays a number; `-1` is all. Raises ValueError."""
    name = PROTOCOL_NAMES.get(text.lower(), text.lower())
    if name == ALL_PROTOCOLS or name in PROTOCOL_NAMES.values():
        return name
    if not (name.isascii() and name.isdigit() and int(name) <= 255):
        raise ValueError(f"{text!r} is no protocol")
    return PROTOCOL_NAMES.get(str(int(name)), str(int(name)))


def _protocol(permission: Mapping[str, Any]) -> str:
    value = _member(permission, "ipProtocol")
    try:
        return protocol_name(value)
    except (AttributeError, ValueError):
        raise MalformedEntryError(f"ipProtocol is {value!r}, expected a protocol's name, its number or '-1'") from None


def _ports(permission: Mapping[str, Any], protocol: str) -> tuple[int, int]:
    """EC2 API reference, IpPermission: protocols other than TCP, UDP and ICMP cover all ports whatever range is given."""
    if protocol not in WITH_PORTS:
        return ALL_PORTS
    first, last = _member(permission, "fromPort"), _member(permission, "toPort")
    if type(first) is not int or type(last) is not int:
        raise MalformedEntryError(f"a permission for {protocol} has fromPort {first!r} and toPort {last!r}, expected numbers")
    if (first, last) == (-1, -1):
        return ALL_PORTS
    if not 0 <= first <= last <= 65535:
        raise MalformedEntryError(f"fromPort {first} and toPort {last} are no port range")
    return first, last


def vpc_networks(vpc: Mapping[str, Any]) -> tuple[Network, ...]:
    """Every CIDR associated with a VPC, of DescribeVpcs or of a recorded item. Raises MalformedEntryError."""
    found = [_network(_text(vpc, "cidrBlock"), "cidrBlock")]
    for version in ("cidrBlock", "ipv6CidrBlock"):
        for association in _list(vpc, f"{version}AssociationSet"):
            state = _member(association, f"{version}State")
            if isinstance(state, Mapping) and _member(state, "state") == "associated":
                found.append(_network(_text(association, version), version))
    return tuple(dict.fromkeys(found))


@functools.lru_cache(256)
def _camel(key: str) -> str:
    return key[:1].lower() + key[1:]


@functools.lru_cache(256)
def _pascal(key: str) -> str:
    return key[:1].upper() + key[1:]


def _member(value: Mapping[str, Any], name: str) -> Any:
    """A member in the recorded spelling, or in EC2's, which capitalizes the first letter."""
    return value[name] if name in value else value.get(_pascal(name))


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = _member(value, name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedEntryError(f"{name} is {type(found).__name__}, expected a list")
    return found


def _text(value: Any, name: str) -> str:
    text = _member(value, name) if isinstance(value, Mapping) else None
    if not isinstance(text, str) or not text:
        raise MalformedEntryError(f"{name} is missing or no text")
    return text


@functools.lru_cache(4096)  # an organization's groups name the same few networks again and again
def _network(text: str, name: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise MalformedEntryError(f"{name} {text!r} is no CIDR") from None
    if network.version != (6 if "v6" in name else 4):
        raise MalformedEntryError(f"{name} {text!r} is of the other IP version")
    return network


# ---------------------------------------------------------------------------------------------------------- deciding


@functools.lru_cache(4096)
def globally_routable(network: Network) -> bool:
    """Whether any of its addresses is: a network is private only when it lies wholly inside one private range."""
    return not any(_subnet(network, private) for private in PRIVATE)


def contained(entry: Entry, flows: Sequence[Flow], around: Surroundings) -> bool:
    """Whether the entry lies wholly inside one flow: protocol, port range and every address.

    An entry without ports (all protocols, ICMP, protocol numbers) lies only in a flow of all ports. Raises
    UnknownFactError when a fact that the source cannot show decides, MalformedFlowError.
    """
    doubt: UnknownFactError | None = None
    for flow in flows:
        try:
            if _carries(flow, entry) and _reaches_only(flow.peers, entry, around):
                return True
        except UnknownFactError as error:
            doubt = error
    if doubt is not None:
        raise doubt
    return False


def _carries(flow: Flow, entry: Entry) -> bool:
    fits = protocol_name(flow.protocol) in (ALL_PROTOCOLS, entry.protocol)
    return fits and flow.ports[0] <= entry.ports[0] and entry.ports[1] <= flow.ports[1]


def _reaches_only(allowed: Sequence[str], entry: Entry, around: Surroundings) -> bool:
    addresses = [peer for peer in allowed if peer != "self" and not peer.startswith("tier:")]
    if not isinstance(entry.peer, str):
        return _covers([entry.peer], addresses, around)
    if entry.peer.startswith("sg-"):
        return _covers_group(allowed, addresses, entry, around)
    if entry.peer in allowed or "internet" in allowed:
        return True
    # one without entries today may have some tomorrow, so it is inside nothing
    networks = around.prefix_list(entry.peer) if addresses else None
    return bool(networks) and _covers(networks or (), addresses, around)


def _covers_group(allowed: Sequence[str], addresses: Sequence[str], entry: Entry, around: Surroundings) -> bool:
    """A group of the own VPC stands for the VPC's addresses; one of another VPC or account is covered by its tier only."""
    group_id, owner = str(entry.peer), entry.owner
    if group_id == around.group_id and "self" in allowed:
        return True
    tiers = {peer.removeprefix("tier:") for peer in allowed if peer.startswith("tier:")}
    if tiers and around.tier_of(group_id, owner) in tiers:
        return True
    if not addresses or owner != around.account_id or not (group_id == around.group_id or around.in_own_vpc(group_id)):
        return False
    return "vpc" in addresses or _covers(around.vpc_cidrs(), addresses, around)


def _covers(networks: Sequence[Network], allowed: Sequence[str], around: Surroundings) -> bool:
    """Whether the union of the allowed peers holds every network. Facts are asked last, one after the other."""
    union: tuple[Network, ...] = ()
    doubt: UnknownFactError | None = None
    for peer in sorted(allowed, key=lambda peer: (peer.startswith("pl-"), peer == "vpc")):
        try:
            union = _union((*union, *_networks_of(peer, around)))
        except UnknownFactError as error:
            doubt = error
        if all(_inside(network, union) for network in networks):
            return True
    if doubt is not None:
        raise doubt
    return False


def _networks_of(peer: str, around: Surroundings) -> Sequence[Network]:
    if peer == "internet":
        return INTERNET
    if peer == "vpc":
        return around.vpc_cidrs()
    if peer.startswith("pl-"):
        return around.prefix_list(peer) or ()
    try:
        return (_flow_network(peer),)
    except ValueError as error:
        raise MalformedFlowError(f"rdk.json: NetworkTiers: peer {peer!r} is no CIDR ({error})") from None


_flow_network = functools.lru_cache(512)(ipaddress.ip_network)


@functools.lru_cache(512)
def _union(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    """The fewest networks with the same addresses: what lies in the union lies in one of them."""
    ipv4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    ipv6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(ipv4), *ipaddress.collapse_addresses(ipv6))


@functools.lru_cache(4096)
def _inside(network: Network, union: tuple[Network, ...]) -> bool:
    return any(_subnet(network, whole) for whole in union)


def _subnet(network: Network, whole: Network) -> bool:
    return network.version == whole.version and network.subnet_of(whole)  # type: ignore[arg-type]
