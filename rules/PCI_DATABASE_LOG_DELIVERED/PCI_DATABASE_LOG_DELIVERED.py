"""PCI_DATABASE_LOG_DELIVERED: databases write an audit log, export it, and it ends in the central archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pci_config.database_parameters import (
    CLUSTER,
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
SUFFIX = " [PCI 10.2.1]"


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
        elif not values.get("server_audit_events", "").strip():
            problems.append(f"server_audit_events is empty in {group}: nothing is audited")
    return problems


def _pgaudit(database: Database, facts: Facts) -> Sequence[str]:
    """PostgreSQL and Aurora PostgreSQL: pgAudit of reads and writes, or log_statement all."""
    problems = database.pending()
    for group in database.group_names:
        values = facts.get(ParameterGroup, database.kind, group)
        loaded = "pgaudit" in values_listed(values.get("shared_preload_libraries", ""))
        audited = values_listed(values.get("pgaudit.log", ""))
        if values.get("log_statement", "").lower() != "all" and not (
            loaded and ("all" in audited or {"read", "write"} <= audited)
        ):
            problems.append(
                f"{group} logs no reads and writes: load pgaudit and set pgaudit.log to all, or log_statement to all"
            )
    return problems


def _audit_plugin(database: Database, facts: Facts) -> Sequence[str]:
    """RDS for MySQL and MariaDB."""
    if any(AUDIT_PLUGIN in facts.get(OptionGroup, group) for group, _ in database.option_groups):
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


lambda_handler = PciDatabaseLogDelivered.as_lambda_handler()
