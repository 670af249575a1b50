"""PCI_DATABASE_LOG_DELIVERED: databases write an audit log, export it, and it ends in the central archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pci_config.database_parameters import (
    CLUSTER,
    IN_FORCE,
    INSTANCE,
    Database,
    OptionGroup,
    ParameterGroup,
    cluster_of,
    values_listed,
)
from pci_config.log_destination import group_route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import Facts, Finding, Item, PciRule, compliant, counted, non_compliant, not_applicable, optional

AUDIT_PLUGIN = "MARIADB_AUDIT_PLUGIN"
PLUGIN_EVENTS = "CONNECT,QUERY"  # RDS user guide: the default of SERVER_AUDIT_EVENTS
QUERY_EVENTS = frozenset({"query", "query_dml", "table"})  # each of them has reads as well as writes
PGAUDIT_CLASSES = frozenset({"read", "write", "function", "role", "ddl", "misc", "misc_set"})
SUFFIX = " [PCI 10.2.1]"


class PciDatabaseLogDelivered(PciRule):
    """The audit log is on in the parameter or option group, exported to CloudWatch Logs, and subscribed into the archive.

    PCI DSS 4.0.1: 10.2.1, 10.3.3. 3.2.1: 10.1, 10.2, 10.5.3. Source: Amazon RDS and Aurora user guides: publishing database
    logs, Advanced Auditing (server_audit_logging, server_audit_events), pgAudit, MariaDB audit plugin. An export of a log that
    is never written is empty: so the groups are read.

    | database | verdict |
    |---|---|
    | audit log on, exported, log group subscribed on a way that ends in the archive | compliant |
    | not on, on but not in force yet, not exported, or the way ends elsewhere | non-compliant, names each |
    | on, and leaves out who reads or who writes data | non-compliant |
    | member of a cluster | not applicable: judged at the cluster |
    | engine whose audit log this rule does not know | non-compliant |
    """

    resource_types = (INSTANCE, CLUSTER)
    lookups = (ParameterGroup, OptionGroup, *LOG_LOOKUPS)
    sweeps = True  # a group's parameters change without the database's item

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        if cluster := cluster_of(item):
            return not_applicable(f"member of cluster {cluster}, which is judged")
        database = Database.from_item(item)
        exports = optional(item, "configuration.enabledCloudwatchLogsExports", list, [])
        if database.engine not in ENGINES:
            return non_compliant(
                f"engine {database.engine}: how its audit log is turned on and exported is not known to this rule; "
                f"deliver it to the archive and record an exception{SUFFIX}"
            )
        export, written = ENGINES[database.engine]
        problems = list(written(database, facts))
        if export not in exports:
            problems.append(f"log {export} is not exported to CloudWatch Logs")
            return non_compliant(counted(problems, "problem", SUFFIX))
        way = group_route(f"/aws/rds/{database.kind}/{database.name}/{export}", place_of(facts), LookedUp(facts))
        if way.fault:
            problems.append(way.told())
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        return compliant(f"{export} log -> {way}")


def _advanced_auditing(database: Database, facts: Facts) -> Sequence[str]:
    """Aurora MySQL."""
    problems = database.pending()
    for group in database.group_names:
        values = facts.get(ParameterGroup, database.kind, group)
        if values.get("server_audit_logging", "0").lower() not in ("1", "on"):
            problems.append(f"server_audit_logging is off in {group}")
        elif not (events := values.get("server_audit_events", "").strip()):
            problems.append(f"server_audit_events is empty in {group}: nothing is audited")
        elif not values_listed(events) & QUERY_EVENTS:
            problems.append(f"server_audit_events in {group} leaves out queries ({events}); add QUERY")
    return problems


def _pgaudit(database: Database, facts: Facts) -> Sequence[str]:
    """PostgreSQL and Aurora PostgreSQL: pgAudit of reads and writes, or log_statement all."""
    problems = database.pending()
    for group in database.group_names:
        values = facts.get(ParameterGroup, database.kind, group)
        loaded = "pgaudit" in values_listed(values.get("shared_preload_libraries", ""))
        audited = audited_classes(values.get("pgaudit.log", ""))
        if values.get("log_statement", "").lower() != "all" and not (loaded and {"read", "write"} <= audited):
            problems.append(
                f"{group} logs no reads and writes: load pgaudit and set pgaudit.log to all, or log_statement to all"
            )
    return problems


def audited_classes(value: str) -> set[str]:
    """Classes that a value of pgaudit.log leaves on: read from left to right, `all` adds each, `-` takes away."""
    found = set[str]()
    for entry in value.lower().split(","):
        name = entry.strip().removeprefix("-")
        classes = PGAUDIT_CLASSES if name == "all" else PGAUDIT_CLASSES & {name}
        found = found - classes if entry.strip().startswith("-") else found | classes
    return found


def _audit_plugin(database: Database, facts: Facts) -> Sequence[str]:
    """RDS for MySQL and MariaDB."""
    groups = {group: (facts.get(OptionGroup, group), status) for group, status in database.option_groups}
    holding = {group: (options[AUDIT_PLUGIN], status) for group, (options, status) in groups.items() if AUDIT_PLUGIN in options}
    if not holding:
        return [f"option {AUDIT_PLUGIN} is in none of its option groups: no audit log is written"]
    problems = []
    for group, (option, status) in holding.items():
        if status != IN_FORCE:
            problems.append(f"option group {group} is {status}, so the audit log may not be on")
        events = option.get("SERVER_AUDIT_EVENTS", "").strip() or PLUGIN_EVENTS
        if not values_listed(events) & QUERY_EVENTS:
            problems.append(f"SERVER_AUDIT_EVENTS in {group} leaves out queries ({events}); add QUERY")
    return problems


# engine -> (name of the exported log, what is missing before anything is written to it)
ENGINES: Mapping[str, tuple[str, Callable[[Database, Facts], Sequence[str]]]] = {
    "aurora-mysql": ("audit", _advanced_auditing),
    "aurora-postgresql": ("postgresql", _pgaudit),
    "postgres": ("postgresql", _pgaudit),
    "mysql": ("audit", _audit_plugin),
    "mariadb": ("audit", _audit_plugin),
}


lambda_handler = PciDatabaseLogDelivered.as_lambda_handler()
