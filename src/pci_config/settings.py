"""The organization's settings as rules see them. The same file, `rdk.json`, is validated in full by `pci_config.rdk_json`.

Runs in Lambda (bundled as `settings.json`) and inside Automation documents: standard library only.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ARCHIVE_TAG = "pci:log-archive"


class SettingMissing(Exception):
    """A rule needs a setting that rdk.json does not give. Never a reason to pass."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Traffic a tier allows. `ports` is (first, last); (0, 65535) is all. Peers as in the catalogue, unparsed."""

    protocol: str
    ports: tuple[int, int]
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tier:
    ingress: tuple[Flow, ...]
    egress: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings shared by rules.

    accounts: role (`log_archive`, `production`, …) to account ids; archive_buckets: names or shell-style patterns;
    trusted_destinations: ARNs or patterns of log destinations that cannot be looked into and are known to end in the archive;
    home_region: the one Region in which rules on global resources run.
    """

    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    archive_account: str = ""
    archive_buckets: tuple[str, ...] = ()
    trusted_destinations: tuple[str, ...] = ()
    network_tiers: Mapping[str, Tier] = field(default_factory=dict)
    home_region: str = ""
    regions: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> Settings:
        """From the content of rdk.json (already validated when it was bundled)."""
        archive = document.get("LogArchive") or {}
        return cls(
            accounts={
                role: (ids,) if isinstance(ids, str) else tuple(ids) for role, ids in (document.get("Accounts") or {}).items()
            },
            archive_account=archive.get("Account") or "",
            archive_buckets=tuple(archive.get("Buckets") or ()),
            trusted_destinations=tuple(archive.get("TrustedDestinations") or ()),
            network_tiers={
                name: Tier(_flows(tier.get("Ingress")), _flows(tier.get("Egress")))
                for name, tier in (document.get("NetworkTiers") or {}).items()
            },
            home_region=document.get("HomeRegion") or "",
            regions=tuple(document.get("Regions") or ()),
        )

    @classmethod
    def bundled(cls) -> Settings:
        """The settings file beside the package: `settings.json` in the function's bundle, `rdk.json` in a checkout."""
        package = Path(__file__).resolve().parent
        for candidate in (package.parent / "settings.json", package.parents[1] / "rdk.json"):
            if candidate.is_file():
                return cls.from_mapping(json.loads(candidate.read_text("utf-8")))
        return cls()

    def accounts_of(self, role: str) -> tuple[str, ...]:
        """Account ids of a role. Raises SettingMissing when the role is not set."""
        if not self.accounts.get(role):
            raise SettingMissing(f"rdk.json: Accounts.{role} is not set; this rule needs it")
        return self.accounts[role]

    def is_archive_bucket(self, name: str) -> bool:
        """Whether the name is that of a central archive bucket. Raises SettingMissing when none is configured."""
        if not self.archive_buckets:
            raise SettingMissing("rdk.json: LogArchive.Buckets is not set; this rule needs it")
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.archive_buckets)


def _flows(entries: Any) -> tuple[Flow, ...]:
    return tuple(Flow(str(e["Protocol"]), parse_ports(str(e["Ports"])), tuple(e["Peers"])) for e in entries or ())


def parse_ports(text: str) -> tuple[int, int]:
    """`"443"`, `"1024-65535"` or `"all"` as (first, last). Raises ValueError."""
    if text == "all":
        return 0, 65535
    first, _, last = text.partition("-")
    ports = int(first), int(last or first)
    if not 0 <= ports[0] <= ports[1] <= 65535:
        raise ValueError(f"{text!r} is no port range")
    return ports
