"""Audit logs of databases: what the rule and its document agree on.

Sources: Amazon RDS and Aurora user guides: publishing database logs, Advanced Auditing (server_audit_logging,
server_audit_events), pgAudit, MariaDB audit plugin. Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pci_config.database import IN_FORCE, Database, values_listed

AUDIT_PLUGIN = "MARIADB_AUDIT_PLUGIN"
PLUGIN_EVENTS = "CONNECT,QUERY"  # RDS user guide: the default of SERVER_AUDIT_EVENTS
QUERY_EVENTS = frozenset({"query", "query_dml", "table"})  # each of them has reads as well as writes
PGAUDIT_CLASSES = frozenset({"read", "write", "function", "role", "ddl", "misc", "misc_set"})


class Groups(Protocol):
    """What parameter and option groups hold."""

    def parameters(self, kind: str, group: str) -> Mapping[str, str]: ...

    def options(self, group: str) -> Mapping[str, Mapping[str, str]]: ...


def exported_to(database: Database, export: str) -> str:
    """The log group that RDS writes an exported log to."""
    return f"/aws/rds/{database.kind}/{database.name}/{export}"


def _advanced_auditing(database: Database, groups: Groups) -> Sequence[str]:
    """Aurora MySQL."""
    problems = database.pending()
    for group in database.group_names:
        values = groups.parameters(database.kind, group)
        if values.get("server_audit_logging", "0").lower() not in ("1", "on"):
            problems.append(f"server_audit_logging is off in {group}")
        elif not (events := values.get("server_audit_events", "").strip()):
            problems.append(f"server_audit_events is empty in {group}: nothing is audited")
        elif not values_listed(events) & QUERY_EVENTS:
            problems.append(f"server_audit_events in {group} leaves out queries ({events}); add QUERY")
    return problems


def _pgaudit(database: Database, groups: Groups) -> Sequence[str]:
    """PostgreSQL and Aurora PostgreSQL: pgAudit of reads and writes, or log_statement all."""
    problems = database.pending()
    for group in database.group_names:
        values = groups.parameters(database.kind, group)
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


def _audit_plugin(database: Database, groups: Groups) -> Sequence[str]:
    """RDS for MySQL and MariaDB."""
    found = {group: (groups.options(group), status) for group, status in database.option_groups}
    holding = {group: (options[AUDIT_PLUGIN], status) for group, (options, status) in found.items() if AUDIT_PLUGIN in options}
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
ENGINES: Mapping[str, tuple[str, Callable[[Database, Groups], Sequence[str]]]] = {
    "aurora-mysql": ("audit", _advanced_auditing),
    "aurora-postgresql": ("postgresql", _pgaudit),
    "postgres": ("postgresql", _pgaudit),
    "mysql": ("audit", _audit_plugin),
    "mariadb": ("audit", _audit_plugin),
}
