"""What rules on RDS databases read: the database itself, its parameter groups and its option groups.

AWS Config records neither kind of group, and a change in one makes no item of the databases that use it.
Source: RDS API reference (DescribeDBParameters: a parameter without ParameterValue has the engine's default).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.rule import Clients, Item, Lookup, RuleInputError, Scope, optional, reading, required

INSTANCE, CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
IN_FORCE = "in-sync"


class ParameterGroup(Lookup[Mapping[str, str]]):
    """Values in a DB parameter group (`instance`) or DB cluster parameter group (`cluster`), by kind and name; not recorded."""

    actions = ("rds:DescribeDBParameters", "rds:DescribeDBClusterParameters")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, str]:
        kind, group = key
        operation, name = {
            "instance": ("describe_db_parameters", "DBParameterGroupName"),
            "cluster": ("describe_db_cluster_parameters", "DBClusterParameterGroupName"),
        }[kind]
        pages = clients.build_client("rds").get_paginator(operation).paginate(**{name: group})
        parameters = [parameter for page in pages for parameter in page["Parameters"]]
        return {p["ParameterName"]: p["ParameterValue"] for p in parameters if "ParameterValue" in p}


class OptionGroup(Lookup[Mapping[str, Mapping[str, str]]]):
    """Options of an option group with their settings; not recorded."""

    actions = ("rds:DescribeOptionGroups",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Mapping[str, str]]:
        (group,) = clients.build_client("rds").describe_option_groups(OptionGroupName=key[0])["OptionGroupsList"]
        return {option["OptionName"]: _settings(option) for option in group.get("Options", [])}


def _settings(option: Mapping[str, Any]) -> dict[str, str]:
    return {setting["Name"]: setting.get("Value") or "" for setting in option.get("OptionSettings", [])}


@dataclass(frozen=True, slots=True)
class Database:
    """An instance or a cluster, with the groups that configure it."""

    kind: str  # instance or cluster
    name: str
    engine: str
    parameter_groups: tuple[tuple[str, str], ...]  # (name, apply status)
    option_groups: tuple[tuple[str, str], ...]  # (name, status)

    @classmethod
    def from_item(cls, item: Item) -> Database:
        engine = required(item, "configuration.engine", str)
        if required(item, "resourceType", str) == CLUSTER:
            group = required(item, "configuration.dbclusterParameterGroup", str)
            name = required(item, "configuration.dbclusterIdentifier", str)
            with reading("configuration.dbclusterMembers"):
                members = required(item, "configuration.dbclusterMembers", list)  # empty for a cluster without instances
                statuses = {required(each, "dbclusterParameterGroupStatus", str) for each in members} or {IN_FORCE}
            return cls("cluster", name, engine, tuple((group, status) for status in sorted(statuses)), ())
        name = required(item, "configuration.dBInstanceIdentifier", str)
        with reading("configuration.dBParameterGroups"):
            used = required(item, "configuration.dBParameterGroups", list)
            groups = tuple((required(g, "dBParameterGroupName", str), required(g, "parameterApplyStatus", str)) for g in used)
        if not groups:
            raise RuleInputError("configuration.dBParameterGroups names no group")
        with reading("configuration.optionGroupMemberships"):
            memberships = optional(item, "configuration.optionGroupMemberships", list, [])
            options = tuple((required(o, "optionGroupName", str), required(o, "status", str)) for o in memberships)
        return cls("instance", name, engine, groups, options)

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


def cluster_of(item: Item) -> str:
    """The cluster of which an instance is a member; "" for other instances, and for clusters."""
    if required(item, "resourceType", str) != INSTANCE:
        return ""
    return optional(item, "configuration.dBClusterIdentifier", str, "")


def values_listed(value: str) -> set[str]:
    """Entries of a parameter that is a list."""
    return {entry.strip().lower() for entry in value.split(",") if entry.strip()}
