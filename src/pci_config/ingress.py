"""Which ingress entries of a security group must go: decided alike by the rule and by a document that fixes it.

PCI DSS 4.0.1: 1.3.1, 1.4.2. Standard library only, so that it can be inlined into an Automation document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pci_config.egress import EgressDemands, judged_egress, most_exposed_first
from pci_config.network import ALL_PROTOCOLS, WITH_PORTS, Entry, Surroundings, globally_routable, protocol_name
from pci_config.settings import Tier

ADMIN_PORTS = (22, 3389)  # SSH and RDP
HTTPS_PORT = 443
# By IP version: a network as wide as this stands for everybody. To let as many in, narrower ones would need hundreds of
# entries; a partner's or an office's network is narrower.
WORLD_PREFIX_LENGTH = {4: 8, 6: 16}


@dataclass(frozen=True)
class IngressDemands:
    """What decides on a group's ingress: the tiers, and for a group without one `untagged` (deny-internet or deny-all).

    `internet_ports` are the TCP and UDP ports that a group without a tier may open to any address. `admin_ports` decide on
    nothing but what is named first.
    """

    tiers: Mapping[str, Tier]
    untagged: str = "deny-internet"
    internet_ports: tuple[int, ...] = ()
    admin_ports: tuple[int, ...] = ADMIN_PORTS


@dataclass(frozen=True)
class IngressJudgement:
    """`excess` must go, in the order of the group; `doubts` say which entries could not be judged, and why."""

    excess: tuple[Entry, ...]
    doubts: tuple[str, ...]


def judged_ingress(
    entries: Sequence[Entry], tier: str | None, demands: IngressDemands, around: Surroundings
) -> IngressJudgement:
    """Judge each entry by itself, as egress entries are judged, by the tier's other flows. Raises MalformedFlowError."""
    turned = {name: Tier(found.egress, found.ingress) for name, found in demands.tiers.items()}
    judgement = judged_egress(entries, tier, EgressDemands(turned, demands.untagged, demands.internet_ports), around)
    return IngressJudgement(judgement.excess, tuple(_turned(doubt) for doubt in judgement.doubts))


def described(entry: Entry) -> str:
    """The entry as ingress: `tcp 443 from 0.0.0.0/0`."""
    return _turned(str(entry))


def exposed_admin_ports(entry: Entry, admin_ports: Sequence[int]) -> tuple[int, ...]:
    """The ports of administration that the entry opens to globally routable addresses (RDP is on UDP as well as TCP)."""
    if isinstance(entry.peer, str) or not globally_routable(entry.peer):
        return ()
    if entry.protocol not in (*WITH_PORTS, ALL_PROTOCOLS):
        return ()
    return tuple(port for port in admin_ports if entry.ports[0] <= port <= entry.ports[1])


def open_to_the_world(entry: Entry, admin_ports: Sequence[int]) -> bool:
    """Whether the entry opens administration not to some network on the internet but to everybody there."""
    if isinstance(entry.peer, str) or not exposed_admin_ports(entry, admin_ports):
        return False
    return entry.peer.prefixlen <= WORLD_PREFIX_LENGTH[entry.peer.version]


def last_with_https(
    entries: Sequence[Entry], excess: Sequence[Entry], tier: str | None, demands: IngressDemands
) -> Entry | None:
    """The entry among `excess` without which HTTPS would no longer enter a group that may take it; None when another stays."""
    if tier is None:
        taken = HTTPS_PORT in demands.internet_ports
    else:
        taken = any(_carries_https(protocol_name(flow.protocol), flow.ports) for flow in demands.tiers[tier].ingress)
    carrying = [entry for entry in entries if _carries_https(entry.protocol, entry.ports)]
    going = [entry for entry in carrying if entry in excess]
    return going[0] if taken and going and len(going) == len(carrying) else None


def _carries_https(protocol: str, ports: tuple[int, int]) -> bool:
    return protocol in (ALL_PROTOCOLS, "tcp") and ports[0] <= HTTPS_PORT <= ports[1]


def gravest_first(entries: Sequence[Entry], admin_ports: Sequence[int]) -> list[Entry]:
    """Entries that open administration to the internet first, then as `most_exposed_first` has them."""
    return sorted(most_exposed_first(entries), key=lambda entry: not exposed_admin_ports(entry, admin_ports))


def _turned(text: str) -> str:
    return text.replace(" to ", " from ", 1)
