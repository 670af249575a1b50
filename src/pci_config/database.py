"""Databases of RDS and Aurora with the groups that configure them, as the RDS API describes them.

Source: RDS API reference (DescribeDBParameters: a parameter without ParameterValue has the engine's default). Standard library
only: inlined into documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

IN_FORCE = "in-sync"


@dataclass(frozen=True, slots=True)
class Database:
    """An instance or a cluster, with the groups that configure it."""

    kind: str  # instance or cluster
    name: str
    engine: str
    parameter_groups: tuple[tuple[str, str], ...]  # (name, apply status)
    option_groups: tuple[tuple[str, str], ...]  # (name, status)

    @property
    def group_names(self) -> list[str]:
        """Of its parameter groups, each once."""
        return sorted({name for name, _ in self.parameter_groups})

    def pending(self) -> list[str]:
        """Parameter groups that wait for a reboot or are being applied: what they say may not be in force."""
        return [
            f"parameter group {name} is {status}, so its values may not be in force"
            for name, status in self.parameter_groups
            if status != IN_FORCE
        ]


def described_cluster(found: Mapping[str, Any]) -> Database:
    """From DescribeDBClusters. Raises KeyError when a member is missing."""
    statuses = {each["DBClusterParameterGroupStatus"] for each in found.get("DBClusterMembers") or []} or {IN_FORCE}
    groups = tuple((found["DBClusterParameterGroup"], status) for status in sorted(statuses))
    return Database("cluster", found["DBClusterIdentifier"], found["Engine"], groups, ())


def described_instance(found: Mapping[str, Any]) -> Database:
    """From DescribeDBInstances. Raises KeyError when a member is missing."""
    groups = tuple((each["DBParameterGroupName"], each["ParameterApplyStatus"]) for each in found["DBParameterGroups"])
    options = tuple((each["OptionGroupName"], each["Status"]) for each in found.get("OptionGroupMemberships") or [])
    return Database("instance", found["DBInstanceIdentifier"], found["Engine"], groups, options)


def parameter_values(rds: Any, kind: str, group: str) -> dict[str, str]:
    """Values in a DB parameter group (`instance`) or DB cluster parameter group (`cluster`)."""
    operation, name = {
        "instance": ("describe_db_parameters", "DBParameterGroupName"),
        "cluster": ("describe_db_cluster_parameters", "DBClusterParameterGroupName"),
    }[kind]
    parameters = [each for page in rds.get_paginator(operation).paginate(**{name: group}) for each in page["Parameters"]]
    return {each["ParameterName"]: each["ParameterValue"] for each in parameters if "ParameterValue" in each}


def option_settings(rds: Any, group: str) -> dict[str, dict[str, str]]:
    """Options of an option group with their settings."""
    (found,) = rds.describe_option_groups(OptionGroupName=group)["OptionGroupsList"]
    return {option["OptionName"]: _settings(option.get("OptionSettings") or []) for option in found.get("Options", [])}


def _settings(settings: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {setting["Name"]: setting.get("Value") or "" for setting in settings}


def values_listed(value: str) -> set[str]:
    """Entries of a parameter that is a list."""
    return {entry.strip().lower() for entry in value.split(",") if entry.strip()}
