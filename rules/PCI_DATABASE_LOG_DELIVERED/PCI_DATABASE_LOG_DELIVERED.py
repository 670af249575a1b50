"""PCI_DATABASE_LOG_DELIVERED: databases write an audit log, export it, and it ends in the central archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.log_destination import group_route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    Scope,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    optional,
    reading,
    required,
)

INSTANCE, CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
AUDIT_PLUGIN = "MARIADB_AUDIT_PLUGIN"
SUFFIX = " [PCI 10.2.1]"


class ParameterGroup(Lookup[Mapping[str, str]]):
    """Values that a DB parameter group (`instance`) or DB cluster parameter group (`cluster`) sets; not recorded."""

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


class OptionGroup(Lookup[frozenset[str]]):
    """Names of the options in an option group; not recorded."""

    actions = ("rds:DescribeOptionGroups",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> frozenset[str]:
        (group,) = clients.build_client("rds").describe_option_groups(OptionGroupName=key[0])["OptionGroupsList"]
        return frozenset(option["OptionName"] for option in group.get("Options", []))


@dataclass(frozen=True, slots=True)
class Database:
    """What the decision needs of an instance or a cluster."""

    kind: str  # instance or cluster
    name: str
    engine: str
    exports: tuple[str, ...]
    parameter_groups: tuple[tuple[str, str], ...]  # (name, apply status)
    option_groups: tuple[str, ...]

    @property
    def log_group(self) -> str:
        return f"/aws/rds/{self.kind}/{self.name}/"


class PciDatabaseLogDelivered(PciRule):
    """The audit log is on in the parameter or option group, exported to CloudWatch Logs, and subscribed into the archive.

    PCI DSS 4.0.1: 10.2.1, 10.3.3. 3.2.1: 10.1, 10.2, 10.5.3. Source: Amazon RDS and Aurora user guides: publishing database
    logs, Advanced Auditing (server_audit_logging, server_audit_events), pgAudit, MariaDB audit plugin. An export of a log that
    is never written is empty: so the groups are read.

    | database | verdict |
    |---|---|
    | audit log on, exported, log group subscribed on a way that ends in the archive | compliant |
    | not on, on but pending a reboot, not exported, or the way ends elsewhere | non-compliant, names each |
    | member of a cluster | not applicable: judged at the cluster |
    | engine whose audit log this rule does not know | non-compliant |
    """

    resource_types = (INSTANCE, CLUSTER)
    lookups = (ParameterGroup, OptionGroup, *LOG_LOOKUPS)
    sweeps = True  # a group's parameters change without the database's item

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        if required(item, "resourceType", str) == INSTANCE:
            cluster = optional(item, "configuration.dBClusterIdentifier", str, "")
            if cluster:
                return not_applicable(f"member of cluster {cluster}, which is judged")
        database = database_of(item)
        if database.engine not in ENGINES:
            return non_compliant(
                f"engine {database.engine}: how its audit log is turned on and exported is not known to this rule; "
                f"deliver it to the archive and record an exception{SUFFIX}"
            )
        export, written = ENGINES[database.engine]
        problems = list(written(database, facts))
        if export not in database.exports:
            problems.append(f"log {export} is not exported to CloudWatch Logs")
            return non_compliant(counted(problems, "problem", SUFFIX))
        way = group_route(database.log_group + export, place_of(facts), LookedUp(facts))
        if way.fault:
            problems.append(way.told())
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        return compliant(f"{export} log -> {way}")


def database_of(item: Item) -> Database:
    engine = required(item, "configuration.engine", str)
    exports = tuple(optional(item, "configuration.enabledCloudwatchLogsExports", list, []))
    if required(item, "resourceType", str) == CLUSTER:
        group = required(item, "configuration.dbclusterParameterGroup", str)
        name = required(item, "configuration.dbclusterIdentifier", str)
        with reading("configuration.dbclusterMembers"):
            members = required(item, "configuration.dbclusterMembers", list)  # empty for a cluster without instances
            statuses = {required(each, "dbclusterParameterGroupStatus", str) for each in members} or {"in-sync"}
        groups = tuple((group, status) for status in sorted(statuses))
        return Database("cluster", name, engine, exports, groups, ())
    with reading("configuration.dBParameterGroups"):
        used = required(item, "configuration.dBParameterGroups", list)
        groups = tuple((required(g, "dBParameterGroupName", str), required(g, "parameterApplyStatus", str)) for g in used)
        memberships = optional(item, "configuration.optionGroupMemberships", list, [])
        options = tuple(required(o, "optionGroupName", str) for o in memberships)
    return Database("instance", required(item, "configuration.dBInstanceIdentifier", str), engine, exports, groups, options)


def _advanced_auditing(database: Database, facts: Facts) -> Sequence[str]:
    """Aurora MySQL."""
    problems = _pending(database)
    for group in _groups(database):
        values = facts.get(ParameterGroup, database.kind, group)
        if values.get("server_audit_logging", "0").lower() not in ("1", "on"):
            problems.append(f"server_audit_logging is off in {group}")
        elif not values.get("server_audit_events", "").strip():
            problems.append(f"server_audit_events is empty in {group}: nothing is audited")
    return problems


def _pgaudit(database: Database, facts: Facts) -> Sequence[str]:
    """PostgreSQL and Aurora PostgreSQL: pgAudit of reads and writes, or log_statement all."""
    problems = _pending(database)
    for group in _groups(database):
        values = facts.get(ParameterGroup, database.kind, group)
        loaded = "pgaudit" in _list(values.get("shared_preload_libraries", ""))
        audited = _list(values.get("pgaudit.log", ""))
        if values.get("log_statement", "").lower() != "all" and not (
            loaded and ("all" in audited or {"read", "write"} <= audited)
        ):
            problems.append(
                f"{group} logs no reads and writes: load pgaudit and set pgaudit.log to all, or log_statement to all"
            )
    return problems


def _audit_plugin(database: Database, facts: Facts) -> Sequence[str]:
    """RDS for MySQL and MariaDB."""
    if any(AUDIT_PLUGIN in facts.get(OptionGroup, group) for group in database.option_groups):
        return []
    return [f"option {AUDIT_PLUGIN} is in none of its option groups: no audit log is written"]


# engine -> (name of the exported log, what is missing before anything is written to it)
ENGINES: Mapping[str, tuple[str, Callable[[Database, Facts], Sequence[str]]]] = {
    "aurora-mysql": ("audit", _advanced_auditing),
    "aurora-postgresql": ("postgresql", _pgaudit),
    "postgres": ("postgresql", _pgaudit),
    "mysql": ("audit", _audit_plugin),
    "mariadb": ("audit", _audit_plugin),
}


def _pending(database: Database) -> list[str]:
    return [
        f"parameter group {name} is {status}, so its values may not be in force"
        for name, status in database.parameter_groups
        if status != "in-sync"
    ]


def _groups(database: Database) -> list[str]:
    return sorted({name for name, _ in database.parameter_groups})


def _list(value: str) -> set[str]:
    return {entry.strip().lower() for entry in value.split(",")}


lambda_handler = PciDatabaseLogDelivered.as_lambda_handler()
