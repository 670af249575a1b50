"""What rules on RDS databases read: the database itself, its parameter groups and its option groups.

AWS Config records neither kind of group, and a change in one makes no item of the databases that use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pci_config.database import IN_FORCE, Database, option_settings, parameter_values
from pci_config.rule import Clients, Item, Lookup, RuleInputError, Scope, optional, reading, required

INSTANCE, CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"


class ParameterGroup(Lookup[Mapping[str, str]]):
    """Values in a DB parameter group (`instance`) or DB cluster parameter group (`cluster`), by kind and name; not recorded."""

    actions = ("rds:DescribeDBParameters", "rds:DescribeDBClusterParameters")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, str]:
        kind, group = key
        return parameter_values(clients.build_client("rds"), kind, group)


class OptionGroup(Lookup[Mapping[str, Mapping[str, str]]]):
    """Options of an option group with their settings; not recorded."""

    actions = ("rds:DescribeOptionGroups",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Mapping[str, str]]:
        return option_settings(clients.build_client("rds"), key[0])


def recorded_database(item: Item) -> Database:
    """A recorded database. Raises RuleInputError when the item does not say what configures it."""
    engine = required(item, "configuration.engine", str)
    if required(item, "resourceType", str) == CLUSTER:
        group = required(item, "configuration.dbclusterParameterGroup", str)
        name = required(item, "configuration.dbclusterIdentifier", str)
        with reading("configuration.dbclusterMembers"):
            members = required(item, "configuration.dbclusterMembers", list)  # empty for a cluster without instances
            statuses = {required(each, "dbclusterParameterGroupStatus", str) for each in members} or {IN_FORCE}
        return Database("cluster", name, engine, tuple((group, status) for status in sorted(statuses)), ())
    name = required(item, "configuration.dBInstanceIdentifier", str)
    with reading("configuration.dBParameterGroups"):
        used = required(item, "configuration.dBParameterGroups", list)
        groups = tuple((required(g, "dBParameterGroupName", str), required(g, "parameterApplyStatus", str)) for g in used)
    if not groups:
        raise RuleInputError("configuration.dBParameterGroups names no group")
    with reading("configuration.optionGroupMemberships"):
        memberships = optional(item, "configuration.optionGroupMemberships", list, [])
        options = tuple((required(o, "optionGroupName", str), required(o, "status", str)) for o in memberships)
    return Database("instance", name, engine, groups, options)


def cluster_of(item: Item) -> str:
    """The cluster of which an instance is a member; "" for other instances, and for clusters."""
    if required(item, "resourceType", str) != INSTANCE:
        return ""
    return optional(item, "configuration.dBClusterIdentifier", str, "")
