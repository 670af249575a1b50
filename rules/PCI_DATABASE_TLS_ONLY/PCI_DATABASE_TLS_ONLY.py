"""PCI_DATABASE_TLS_ONLY: databases refuse connections that are not encrypted."""

from __future__ import annotations

from typing import Any

from pci_config.database import IN_FORCE, Database
from pci_config.database_parameters import CLUSTER, INSTANCE, OptionGroup, ParameterGroup, cluster_of, recorded_database
from pci_config.database_tls import AURORA, CLUSTERED, ORACLE, known, oracle_faults, parameter_faults, version_of
from pci_config.rule import (
    Facts,
    Finding,
    Item,
    PciRule,
    RuleInputError,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    required,
)

SUFFIX = " [PCI 4.2.1]"


class PciDatabaseTlsOnly(PciRule):
    """The parameter or option group of a database makes it refuse clear text and TLS before 1.2.

    PCI DSS 4.0.1: 4.2.1, 2.2.7, 8.3.2. 3.2.1: 2.3, 4.1. Source: Amazon RDS and Aurora user guides (tables in
    pci_config/database_tls.py). Groups are read as they are; a value that is not set is the default of the engine's version.

    | engine | what makes it compliant |
    |---|---|
    | postgres, aurora-postgresql | rds.force_ssl on; ssl_min_protocol_version TLSv1.2 or newer |
    | mysql, aurora-mysql, mariadb | require_secure_transport on; tls_version without TLSv1 and TLSv1.1 |
    | sqlserver-ee, -se, -ex, -web | rds.force_ssl on; rds.tls10 and rds.tls11 disabled |
    | db2-ae, db2-se | DB2COMM is SSL and nothing else |
    | oracle-* | option NATIVE_NETWORK_ENCRYPTION, required and with AES only; the SSL option leaves a clear port |

    | database | verdict |
    |---|---|
    | as above, and every group is in-sync | compliant |
    | not so, or a group waits for a reboot or is being applied | non-compliant, names each |
    | member of a cluster of an engine whose cluster has the group | not applicable: judged at the cluster |
    | an engine or a value that is not known | non-compliant |
    """

    resource_types = (INSTANCE, CLUSTER)
    lookups = (ParameterGroup, OptionGroup)
    sweeps = True  # a group's parameters change without the database's item

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        engine = required(item, "configuration.engine", str)
        if not known(engine):
            return non_compliant(
                f"engine {engine}: how it is made to refuse clear text is not known to this rule;"
                f" make it, and record an exception{SUFFIX}"
            )
        cluster = cluster_of(item)
        if cluster and engine in CLUSTERED:
            return not_applicable(f"member of cluster {cluster}, which is judged")
        database = recorded_database(item)
        if database.kind == "instance" and engine in AURORA:
            raise RuleInputError(f"{INSTANCE}: configuration.dBClusterIdentifier is missing for engine {engine}")
        faults = option_group_faults(database, facts) if engine in ORACLE else parameter_group_faults(database, item, facts)
        if faults:
            return non_compliant(counted(faults, "problem", SUFFIX))
        groups = [name for name, _ in database.option_groups] if engine in ORACLE else database.group_names
        return compliant(f"{engine} refuses clear text and old TLS ({', '.join(groups)})")


def parameter_group_faults(database: Database, item: Item, facts: Facts) -> list[str]:
    try:
        version = version_of(required(item, "configuration.engineVersion", str))
    except ValueError as error:
        raise RuleInputError(f"configuration.engineVersion: {error}") from None
    faults = [
        fault
        for group in database.group_names
        for fault in parameter_faults(database.engine, version, facts.get(ParameterGroup, database.kind, group), group)
    ]
    return faults + database.pending()


def option_group_faults(database: Database, facts: Facts) -> list[str]:
    options = {name: used for group, _ in database.option_groups for name, used in facts.get(OptionGroup, group).items()}
    waiting = [
        f"option group {name} is {status}, so its options may not be in force"
        for name, status in database.option_groups
        if status != IN_FORCE
    ]
    return oracle_faults(options) + waiting


lambda_handler = PciDatabaseTlsOnly.as_lambda_handler()
