"""Which egress entries of a security group must go: decided alike by the rule and by the document that fixes it.

PCI DSS 4.0.1: 1.3.2. Standard library only: inlined into the Automation document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pci_config.network import WITH_PORTS, Entry, Surroundings, UnknownFactError, contained, globally_routable
from pci_config.settings import Tier

TIER_TAG = "pci:tier"
UNTAGGED_POLICIES = ("deny-internet", "deny-all", "ignore")


@dataclass(frozen=True)
class EgressDemands:
    """What decides on a group's egress: the tiers, and for a group without one `untagged` (deny-internet or deny-all).

    `internet_ports` are the TCP and UDP ports on which a group without a tier may reach any address.
    """

    tiers: Mapping[str, Tier]
    untagged: str = "deny-internet"
    internet_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class EgressJudgement:
    """`excess` must go, in the order of the group; `doubts` say which entries could not be judged, and why."""

    excess: tuple[Entry, ...]
    doubts: tuple[str, ...]


def judged_egress(entries: Sequence[Entry], tier: str | None, demands: EgressDemands, around: Surroundings) -> EgressJudgement:
    """Judge each entry by itself. `tier` is a key of `demands.tiers` or None. Raises MalformedFlowError."""
    excess: list[Entry] = []
    doubts: list[str] = []
    for entry in entries:
        try:
            if tier is not None:
                fine = contained(entry, demands.tiers[tier].egress, around)
            else:
                fine = demands.untagged == "deny-internet" and _stays_inside(entry, demands.internet_ports, around)
        except UnknownFactError as error:
            doubts.append(f"{entry}: {error}")
            continue
        if not fine:
            excess.append(entry)
    return EgressJudgement(tuple(excess), tuple(doubts))


def _stays_inside(entry: Entry, internet_ports: tuple[int, ...], around: Surroundings) -> bool:
    """Whether the entry holds no globally routable address, or only ports on which it may."""
    first, last = entry.ports
    few = last - first < len(internet_ports)
    if entry.protocol in WITH_PORTS and few and all(port in internet_ports for port in range(first, last + 1)):
        return True
    if not isinstance(entry.peer, str):
        return not globally_routable(entry.peer)
    if entry.peer.startswith("sg-"):
        return True  # EC2 matches a referenced group by the private addresses of its interfaces
    networks = around.prefix_list(entry.peer)
    return bool(networks) and not any(globally_routable(network) for network in networks or ())


def most_exposed_first(entries: Sequence[Entry]) -> list[Entry]:
    """Entries that reach the internet first, then by the size of what they reach, then by ports."""

    def exposure(entry: Entry) -> tuple[bool, int, int]:
        ports = entry.ports[0] - entry.ports[1]
        if isinstance(entry.peer, str):
            return True, 129, ports
        return not globally_routable(entry.peer), entry.peer.prefixlen, ports

    return sorted(entries, key=exposure)
