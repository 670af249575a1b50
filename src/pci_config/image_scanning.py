"""How a registry scans its repositories, and whether their tags can move.

Source: Amazon ECR user guide, "Scan images for software vulnerabilities", filters and filter wildcards, and image tag
mutability; API reference, RegistryScanningConfiguration, RegistryScanningRule, ImageTagMutability. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCAN_TYPES = ("BASIC", "ENHANCED")
FREQUENCIES = ("CONTINUOUS_SCAN", "SCAN_ON_PUSH", "MANUAL")  # the best first
IMMUTABLE_EXCEPT = "IMMUTABLE_WITH_EXCLUSION"


@dataclass(frozen=True, slots=True)
class ScanningRule:
    frequency: str
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryScanning:
    """The scanning configuration of a registry in one Region."""

    enhanced: bool
    rules: tuple[ScanningRule, ...]

    def frequency_of(self, repository: str) -> str:
        """The best frequency that a rule gives the repository; MANUAL when none does."""
        given = {rule.frequency for rule in self.rules if any(filter_matches(each, repository) for each in rule.filters)}
        return next((frequency for frequency in FREQUENCIES if frequency in given), "MANUAL")


def registry_scanning(described: Mapping[str, Any]) -> RegistryScanning:
    """From GetRegistryScanningConfiguration's scanningConfiguration. Raises ValueError for what is not known."""
    kind = described.get("scanType", "BASIC")  # a registry whose scanning was never configured scans basically
    if kind not in SCAN_TYPES:
        raise ValueError(f"scan type {kind!r} is not known")
    return RegistryScanning(kind == "ENHANCED", tuple(_rule(rule) for rule in described.get("rules") or ()))


def _rule(described: Mapping[str, Any]) -> ScanningRule:
    frequency = described["scanFrequency"]
    if frequency not in FREQUENCIES:
        raise ValueError(f"scan frequency {frequency!r} is not known")
    kinds = {each["filterType"] for each in described["repositoryFilters"]}
    if kinds - {"WILDCARD"}:
        raise ValueError(f"filter type {min(kinds - {'WILDCARD'})!r} is not known")
    return ScanningRule(frequency, tuple(each["filter"] for each in described["repositoryFilters"]))


def filter_matches(pattern: str, name: str) -> bool:
    """Without a wildcard a filter fits every name that contains it; with one, the whole name must fit it."""
    if "*" not in pattern:
        return pattern in name
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), name, re.DOTALL) is not None


def scanning_fault(name: str, own: bool, registry: RegistryScanning, enhanced_only: bool) -> str | None:
    """Why what is pushed to the repository is not scanned as wanted. `own`: its own setting is scan on push."""
    scanned = registry.frequency_of(name) != "MANUAL"
    if registry.enhanced:
        return None if scanned else f"not scanned: enhanced scanning is on, but none of the registry's filters fits {name}"
    if not scanned and not own:
        return "scanned only when somebody starts it; turn on enhanced scanning, or scan on push by a rule of the registry"
    return "basic scanning only, expected enhanced" if enhanced_only else None


def mutability_fault(mutability: str, exclusions: Sequence[str], allowed: Sequence[str]) -> str | None:
    """Why a tag may come to mean another image than the one that was scanned. Raises ValueError for what is not known.

    `exclusions`: the filters of an IMMUTABLE_WITH_EXCLUSION repository; `allowed`: those that it may have.
    """
    match mutability:
        case "IMMUTABLE":
            return None
        case "MUTABLE":
            return "tags are mutable: what was scanned may not be what runs"
        case "MUTABLE_WITH_EXCLUSION":
            return "tags are mutable except for some: what was scanned may not be what runs"
        case "IMMUTABLE_WITH_EXCLUSION":
            others = [each for each in exclusions if each not in allowed]
            if not exclusions:
                return "tags are immutable with exclusions that the item does not show"
            return f"tags like {', '.join(others)} are mutable: MutableTags does not have them" if others else None
        case other:
            raise ValueError(f"{other!r}, which this rule does not know")
