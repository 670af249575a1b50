"""Revokes the egress entries of a security group that its tier does not allow; all others stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pci_config.egress import EgressDemands, judged_egress
from pci_config.network import Entry, Surroundings
from pci_config.runbook import carry_out, put_back
from pci_config.security_group_fix import EGRESS, GroupFix, GroupRestore

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content


class EgressFix(GroupFix):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event, EGRESS, SETTINGS)

    def excess(self, entries: Sequence[Entry], tier: str | None, around: Surroundings) -> Sequence[Entry]:
        judgement = judged_egress(entries, tier, EgressDemands(self.tiers, self.untagged, self.internet_ports), around)
        self.require_certain(judgement.doubts)
        return judgement.excess


class EgressRestore(GroupRestore):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event, EGRESS)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, EgressFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, EgressRestore)
