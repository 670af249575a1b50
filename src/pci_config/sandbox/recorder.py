"""The configuration recorder: collects an account's resources as items and keeps every version with its capture time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pci_config.collect import HOME_REGION, Collector, collectors
from pci_config.rule import Clients
from pci_config.sandbox.config_service import ConfigState

_COMPARED = ("configuration", "supplementaryConfiguration", "tags", "relationships")


@dataclass
class Recorder:
    """Records into `state.history`. Capture times never repeat and never go back, as ordering timestamps demand."""

    sources: Sequence[Collector] = field(default_factory=collectors)
    home_region: str = ""  # where global resources are recorded
    _last: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))

    def record(self, clients: Clients, account_id: str, region: str, state: ConfigState) -> list[dict[str, Any]]:
        """Collect once; returns the items that are new, changed or gone (event form; `ResourceDeleted` has null content)."""
        now = self._tick()
        found = {
            (item["resourceType"], item["resourceId"]): item
            for source in self.sources
            if source.recorded_in != HOME_REGION or region == self.home_region
            for item in source.collect(clients, account_id, region, now)
        }
        changed = [item for key, item in found.items() if _differs(state.history.get(key), item)]
        for key, versions in state.history.items():
            if key not in found and versions[-1]["configurationItemStatus"] != "ResourceDeleted":
                changed.append(_deleted(versions[-1], now))
        for item in changed:
            key = item["resourceType"], item["resourceId"]
            if key not in state.history:
                item["configurationItemStatus"] = "ResourceDiscovered"
            state.history.setdefault(key, []).append(item)
        return changed

    def _tick(self) -> datetime:
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last


def current_items(state: ConfigState) -> list[dict[str, Any]]:
    """The newest version of everything that exists."""
    newest = (versions[-1] for _, versions in sorted(state.history.items()))
    return [item for item in newest if item["configurationItemStatus"] != "ResourceDeleted"]


def _differs(versions: list[dict[str, Any]] | None, item: dict[str, Any]) -> bool:
    if not versions or versions[-1]["configurationItemStatus"] == "ResourceDeleted":
        return True
    return any(versions[-1][name] != item[name] for name in _COMPARED)


def _deleted(item: dict[str, Any], now: datetime) -> dict[str, Any]:
    """As AWS Config sends it: identity kept, everything else null or empty."""
    text = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    return {
        **item,
        "configuration": None,
        "supplementaryConfiguration": {},
        "relationships": [],
        "tags": {},
        "resourceName": None,
        "availabilityZone": None,
        "resourceCreationTime": None,
        "configurationItemStatus": "ResourceDeleted",
        "configurationItemCaptureTime": text,
        "configurationStateId": int(now.timestamp() * 1000),
    }
