"""How a registry scans its repositories.

Source: Amazon ECR user guide, "Scan images for software vulnerabilities", filters and filter wildcards; API reference,
RegistryScanningConfiguration, RegistryScanningRule. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCAN_TYPES = ("BASIC", "ENHANCED")
FREQUENCIES = ("CONTINUOUS_SCAN", "SCAN_ON_PUSH", "MANUAL")  # the best first


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
