"""Revokes ingress entries of a security group that its tier does not allow: all, or those for administration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pci_config.ingress import IngressDemands, described, judged_ingress, last_with_https, open_to_the_world
from pci_config.network import Entry, Surroundings
from pci_config.runbook import Refused, boolean, carry_out, put_back
from pci_config.security_group_fix import INGRESS, GroupFix, GroupRestore, ports_of

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content


class IngressFix(GroupFix):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event, INGRESS, SETTINGS)
        self._admin_ports_only = boolean(event, "AdminPortsOnly")
        admin_ports = ports_of(event, "AdminPorts")
        self._demands = IngressDemands(self.tiers, self.untagged, self.internet_ports, admin_ports)
        self._left: tuple[str, ...] = ()
        self._planned = False

    def excess(self, entries: Sequence[Entry], tier: str | None, around: Surroundings) -> Sequence[Entry]:
        meant = [entry for entry in entries if self._is_meant(entry)]
        judgement = judged_ingress(meant, tier, self._demands, around)
        self.require_certain(judgement.doubts)
        others = judged_ingress([entry for entry in entries if entry not in meant], tier, self._demands, around)
        self._left = (*map(described, others.excess), *others.doubts)
        if self._left and not judgement.excess and not self._planned:
            raise Refused(
                f"needs a human: {self.resource_id} opens no port of administration to the world, but violates:"
                f" {self._told_left()}; look at the traffic, then run with AdminPortsOnly false"
            )
        last = last_with_https(entries, judgement.excess, tier, self._demands)
        if last:
            raise Refused(
                f"needs a human: {described(last)} has to go, but nothing else lets HTTPS into {self.resource_id},"
                " which may take it; authorize what it needs first"
            )
        self._planned = self._planned or bool(judgement.excess)
        return judgement.excess

    def _is_meant(self, entry: Entry) -> bool:
        return not self._admin_ports_only or open_to_the_world(entry, self._demands.admin_ports)

    def note(self) -> str:
        return f"; left to people, as AdminPortsOnly is true: {self._told_left()}" if self._left else ""

    def _told_left(self) -> str:
        more = f" and {len(self._left) - 5} more" if len(self._left) > 5 else ""
        return "; ".join(self._left[:5]) + more


class IngressRestore(GroupRestore):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event, INGRESS)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, IngressFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, IngressRestore)
