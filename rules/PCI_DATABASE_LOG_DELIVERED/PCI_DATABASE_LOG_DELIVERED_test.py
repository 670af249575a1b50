"""Decision table of PCI_DATABASE_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from pci_config.log_destination import Stream, Subscription
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_DATABASE_LOG_DELIVERED import OptionGroup, ParameterGroup, PciDatabaseLogDelivered

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, REGION = "123456789012", "eu-west-1"
ARCHIVE = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-*",))
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
TO_ARCHIVE, TO_TEAM = (Stream("good", "ACTIVE", "card-issuer-log-archive-x"), Stream("bad", "ACTIVE", "team-logs"))


def firehose(name: str, region: str = REGION) -> str:
    return f"arn:aws:firehose:{region}:{OWN}:deliverystream/{name}"


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return item


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class NoItems:
    """A snapshot without the items that a lookup wants."""

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        raise NotAssessed(f"this source holds no {resource_type} of {account_id} in {region}")


def scope(settings: Settings = ARCHIVE, region: str = REGION) -> Scope:
    return Scope(OWN, region, NOW, settings)


AUDITED = {"server_audit_logging": "1", "server_audit_events": "CONNECT,QUERY"}
PGAUDIT = {"shared_preload_libraries": "pg_stat_statements, pgaudit", "pgaudit.log": "read,write"}


def cluster(engine: str = "aurora-mysql", exports: Any = ("audit",), status: str = "in-sync") -> dict[str, Any]:
    item = sample("AWS_RDS_DBCluster")
    item["configuration"] |= {
        "engine": engine,
        "dbclusterIdentifier": "cards",
        "dbclusterParameterGroup": "cards-group",
        "enabledCloudwatchLogsExports": exports if exports is None else list(exports),
        "dbclusterMembers": [
            {"dbinstanceIdentifier": "a", "dbclusterParameterGroupStatus": "in-sync"},
            {"dbinstanceIdentifier": "b", "dbclusterParameterGroupStatus": status},
        ],
    }
    return item


def instance(
    engine: str = "mysql", exports: Any = ("audit",), of: str | None = None, status: str = "in-sync"
) -> dict[str, Any]:
    item = sample("AWS_RDS_DBInstance")
    item["configuration"] |= {
        "engine": engine,
        "dBInstanceIdentifier": "shop",
        "dBClusterIdentifier": of,
        "dBParameterGroups": [{"dBParameterGroupName": "shop-group", "parameterApplyStatus": status}],
        "optionGroupMemberships": [{"optionGroupName": "shop-options", "status": "in-sync"}],
        "enabledCloudwatchLogsExports": list(exports),
    }
    return item


def judged(
    item: dict[str, Any],
    values: dict[str, str] | None = None,
    options: Sequence[str] | dict[str, dict[str, str]] = (),
    sent: bool = True,
) -> Finding:
    known: dict[tuple[Any, ...], Any] = {
        (ParameterGroup, "cluster", "cards-group"): values or {},
        (ParameterGroup, "instance", "shop-group"): values or {},
        (OptionGroup, "shop-options"): options if isinstance(options, dict) else {name: {} for name in options},
        (DeliveryStream, REGION, "good"): TO_ARCHIVE,
    }
    for name in ("cluster/cards/audit", "cluster/cards/postgresql", "instance/shop/audit", "instance/shop/postgresql"):
        known[Subscriptions, REGION, f"/aws/rds/{name}"] = [Subscription("all", firehose("good"), "")] if sent else []
    return PciDatabaseLogDelivered(ARCHIVE).decide(item, None, StatedFacts(scope(), known))


class DecisionTableTest(unittest.TestCase):
    def assert_finding(self, finding: Finding, compliance: str, words: str) -> None:
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        self.assertIn(words, finding.annotation)

    def test_aurora_mysql(self) -> None:
        way = "audit log -> log group /aws/rds/cluster/cards/audit -> Firehose good -> s3://card-issuer-log-archive-x"
        self.assert_finding(judged(cluster(), AUDITED), COMPLIANT, way)
        self.assert_finding(judged(cluster(), AUDITED | {"server_audit_logging": "ON"}), COMPLIANT, way)
        for events in ("query", "CONNECT, QUERY_DML", "CONNECT,TABLE"):
            with self.subTest(events=events):
                self.assert_finding(judged(cluster(), AUDITED | {"server_audit_events": events}), COMPLIANT, way)
        for values, words in (
            ({}, "server_audit_logging is off in cards-group"),
            (AUDITED | {"server_audit_logging": "0"}, "server_audit_logging is off"),
            ({"server_audit_logging": "1"}, "server_audit_events is empty in cards-group"),
            (AUDITED | {"server_audit_events": "CONNECT"}, "server_audit_events in cards-group leaves out queries"),
            (
                AUDITED | {"server_audit_events": "CONNECT,QUERY_DDL,QUERY_DCL"},
                "leaves out queries (CONNECT,QUERY_DDL,QUERY_DCL); add QUERY",
            ),
        ):
            with self.subTest(values=values):
                self.assert_finding(judged(cluster(), values), NON_COMPLIANT, words)

    def test_postgresql_of_both_kinds(self) -> None:
        for item, log in (
            (cluster("aurora-postgresql", ["postgresql"]), "cluster/cards"),
            (instance("postgres", ["postgresql"]), "instance/shop"),
        ):
            for values, compliance in (
                (PGAUDIT, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "all"}, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "ALL, -misc"}, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "-read,all"}, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "none,read,write"}, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "all,-read"}, NON_COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "all,-write"}, NON_COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "read,write,-all"}, NON_COMPLIANT),
                ({"log_statement": "all"}, COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "write,ddl"}, NON_COMPLIANT),
                (PGAUDIT | {"pgaudit.log": "none"}, NON_COMPLIANT),
                ({"pgaudit.log": "all"}, NON_COMPLIANT),
                ({"log_statement": "ddl"}, NON_COMPLIANT),
                ({}, NON_COMPLIANT),
            ):
                with self.subTest(values=values, log=log):
                    words = f"/aws/rds/{log}/postgresql" if compliance == COMPLIANT else "logs no reads and writes"
                    self.assert_finding(judged(item, values), compliance, words)

    def test_the_audit_plugin_of_mysql_and_mariadb(self) -> None:
        for engine in ("mysql", "mariadb"):
            with self.subTest(engine=engine):
                self.assert_finding(
                    judged(instance(engine), options=["MARIADB_AUDIT_PLUGIN"]), COMPLIANT, "instance/shop/audit"
                )
                self.assert_finding(
                    judged(instance(engine), options=["MEMCACHED"]), NON_COMPLIANT, "MARIADB_AUDIT_PLUGIN is in none"
                )

    def test_the_events_of_the_audit_plugin(self) -> None:
        for events, compliance, words in (
            ("CONNECT,QUERY", COMPLIANT, "instance/shop/audit"),
            ("connect,query_dml,query_ddl", COMPLIANT, "instance/shop/audit"),
            ("", COMPLIANT, "instance/shop/audit"),  # AWS's default is CONNECT,QUERY
            ("CONNECT", NON_COMPLIANT, "SERVER_AUDIT_EVENTS in shop-options leaves out queries (CONNECT); add QUERY"),
            ("CONNECT,QUERY_DML_NO_SELECT", NON_COMPLIANT, "leaves out queries"),
        ):
            with self.subTest(events=events):
                options = {"MARIADB_AUDIT_PLUGIN": {"SERVER_AUDIT_EVENTS": events}}
                self.assert_finding(judged(instance(), options=options), compliance, words)

    def test_an_option_group_that_is_not_in_force(self) -> None:
        for status in ("pending-apply", "pending-maintenance-apply", "applying", "failed"):
            item = instance()
            item["configuration"]["optionGroupMemberships"][0]["status"] = status
            with self.subTest(status=status):
                finding = judged(item, options=["MARIADB_AUDIT_PLUGIN"])
                self.assert_finding(finding, NON_COMPLIANT, f"option group shop-options is {status}")

    def test_export_and_way(self) -> None:
        for exports in ((), None, ("error", "slowquery")):
            with self.subTest(exports=exports):
                self.assert_finding(judged(cluster(exports=exports), AUDITED), NON_COMPLIANT, "log audit is not exported")
        finding = judged(cluster(), AUDITED, sent=False)
        self.assert_finding(finding, NON_COMPLIANT, "log group /aws/rds/cluster/cards/audit: has no subscription")
        self.assertTrue(judged(cluster(exports=())).annotation.startswith("2 problems; first: server_audit_logging is off"))

    def test_what_waits_for_a_reboot_is_not_in_force(self) -> None:
        self.assert_finding(judged(cluster(status="pending-reboot"), AUDITED), NON_COMPLIANT, "cards-group is pending-reboot")
        waiting = instance("postgres", ["postgresql"], status="pending-reboot")
        self.assert_finding(judged(waiting, PGAUDIT), NON_COMPLIANT, "shop-group is pending-reboot")

    def test_members_are_judged_at_their_cluster(self) -> None:
        self.assert_finding(judged(instance("aurora-mysql", of="cards")), NOT_APPLICABLE, "member of cluster cards")

    def test_engines_that_are_not_known(self) -> None:
        for engine in ("oracle-ee", "sqlserver-se", "db2-se", "docdb", "something-new"):
            with self.subTest(engine=engine):
                self.assert_finding(judged(instance(engine)), NON_COMPLIANT, f"engine {engine}: how its audit log is turned on")

    def test_unreadable_input_is_no_verdict(self) -> None:
        for member in ("engine", "dbclusterParameterGroup", "dbclusterIdentifier"):
            item = cluster()
            item["configuration"][member] = None
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, member):
                judged(item, AUDITED)
        for member in ("dBParameterGroups", "dBInstanceIdentifier"):
            item = instance("postgres")
            item["configuration"][member] = None
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, member):
                judged(item)

    def test_a_database_without_a_group_is_no_verdict(self) -> None:
        item = instance("postgres", ["postgresql"])
        item["configuration"]["dBParameterGroups"] = []
        with self.assertRaisesRegex(RuleInputError, "dBParameterGroups names no group"):
            judged(item, PGAUDIT)

    def test_a_snapshot_cannot_show_groups(self) -> None:
        with self.assertRaisesRegex(NotAssessed, "does not record the parameter group"):
            PciDatabaseLogDelivered(ARCHIVE).decide(cluster(), None, RecordedFacts(NoItems(), scope()))

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciDatabaseLogDelivered().evaluate_parameters({"Engines": "mysql"})

    @mock_aws
    def test_live(self) -> None:
        rds = boto3.client("rds", region_name=REGION)
        rds.create_db_parameter_group(DBParameterGroupName="g", DBParameterGroupFamily="postgres16", Description="d")
        rds.modify_db_parameter_group(
            DBParameterGroupName="g",
            Parameters=[{"ParameterName": "log_statement", "ParameterValue": "all", "ApplyMethod": "immediate"}],
        )
        self.assertEqual(ParameterGroup.live(Clients(), scope(), "instance", "g").get("log_statement"), "all")
        rds.create_option_group(
            OptionGroupName="o", EngineName="mariadb", MajorEngineVersion="10.6", OptionGroupDescription="d"
        )
        self.assertEqual(OptionGroup.live(Clients(), scope(), "o"), {})
