"""PCI_DATABASE_LOG_DELIVERED: databases write an audit log, export it, and it ends in the central archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.database_logs import ENGINES, exported_to
from pci_config.database_parameters import CLUSTER, INSTANCE, OptionGroup, ParameterGroup, cluster_of, recorded_database
from pci_config.log_destination import group_route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import Facts, Finding, Item, PciRule, compliant, counted, non_compliant, not_applicable, optional

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
        database = recorded_database(item)
        exports = optional(item, "configuration.enabledCloudwatchLogsExports", list, [])
        if database.engine not in ENGINES:
            return non_compliant(
                f"engine {database.engine}: how its audit log is turned on and exported is not known to this rule; "
                f"deliver it to the archive and record an exception{SUFFIX}"
            )
        export, written = ENGINES[database.engine]
        problems = list(written(database, _Looked(facts)))
        if export not in exports:
            problems.append(f"log {export} is not exported to CloudWatch Logs")
            return non_compliant(counted(problems, "problem", SUFFIX))
        way = group_route(exported_to(database, export), place_of(facts), LookedUp(facts))
        if way.fault:
            problems.append(way.told())
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        return compliant(f"{export} log -> {way}")


class _Looked:
    """Groups answered by lookups."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def parameters(self, kind: str, group: str) -> Mapping[str, str]:
        return self._facts.get(ParameterGroup, kind, group)

    def options(self, group: str) -> Mapping[str, Mapping[str, str]]:
        return self._facts.get(OptionGroup, group)


lambda_handler = PciDatabaseLogDelivered.as_lambda_handler()
