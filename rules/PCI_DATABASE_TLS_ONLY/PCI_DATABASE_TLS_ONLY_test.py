"""Decision table of PCI_DATABASE_TLS_ONLY."""

from __future__ import annotations

import json
import unittest
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber
from moto import mock_aws

from pci_config.database_parameters import OptionGroup, ParameterGroup
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
from PCI_DATABASE_TLS_ONLY import PciDatabaseTlsOnly

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REGION = "eu-west-1"
SCOPE = Scope("123456789012", REGION, NOW, Settings())
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
GROUP, OPTIONS = "cards-group", "cards-options"
FORCED, SECURE = {"rds.force_ssl": "1"}, {"require_secure_transport": "1"}
SQL_SERVER = {"rds.force_ssl": "1", "rds.tls10": "disabled", "rds.tls11": "disabled"}
NETWORK_ENCRYPTION = {"SQLNET.ENCRYPTION_SERVER": "REQUIRED", "SQLNET.ENCRYPTION_TYPES_SERVER": "AES256,AES192"}


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


def instance(engine: str, version: Any, status: str = "in-sync", of: str | None = None, options: str = "in-sync") -> Any:
    item = json.loads((SAMPLES / "AWS_RDS_DBInstance.json").read_text("utf-8"))
    item["configuration"] |= {
        "engine": engine,
        "engineVersion": version,
        "dBClusterIdentifier": of,
        "dBParameterGroups": [{"dBParameterGroupName": GROUP, "parameterApplyStatus": status}],
        "optionGroupMemberships": [{"optionGroupName": OPTIONS, "status": options}],
    }
    return item


def cluster(engine: str, version: str, *statuses: str) -> Any:
    item = json.loads((SAMPLES / "AWS_RDS_DBCluster.json").read_text("utf-8"))
    item["configuration"] |= {
        "engine": engine,
        "engineVersion": version,
        "dbclusterParameterGroup": GROUP,
        "dbclusterMembers": [
            {"dbinstanceIdentifier": f"m{number}", "dbclusterParameterGroupStatus": status}
            for number, status in enumerate(statuses)
        ],
    }
    return item


def judged(
    item: Any, values: Mapping[str, str] | None = None, options: Mapping[str, Mapping[str, str]] | None = None
) -> Finding:
    kind = "cluster" if item["resourceType"] == "AWS::RDS::DBCluster" else "instance"  # never the other group
    known = {(ParameterGroup, kind, GROUP): values or {}, (OptionGroup, OPTIONS): options or {}}
    rule = PciDatabaseTlsOnly()
    return rule.decide(item, rule.evaluate_parameters({}), StatedFacts(SCOPE, known))


class DatabaseTestCase(unittest.TestCase):
    def assert_compliant(self, finding: Finding, *words: str) -> None:
        self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
        for text in words:
            self.assertIn(text, finding.annotation)

    def assert_fault(self, finding: Finding, fault: str) -> None:
        """The one fault, word for word."""
        self.assertEqual((finding.compliance, finding.annotation), (NON_COMPLIANT, f"{fault} [PCI 4.2.1]"))


class SwitchTest(DatabaseTestCase):
    def test_values_of_each_switch(self) -> None:
        for item, name in (
            (instance("postgres", "16.4"), "rds.force_ssl"),
            (instance("mysql", "8.4.3"), "require_secure_transport"),
            (instance("mariadb", "11.8.2"), "require_secure_transport"),
            (cluster("aurora-postgresql", "17.4", "in-sync"), "rds.force_ssl"),
            (cluster("aurora-mysql", "8.0.mysql_aurora.3.08.0", "in-sync"), "require_secure_transport"),
            (cluster("postgres", "16.4", "in-sync"), "rds.force_ssl"),
            (cluster("mysql", "8.4.3", "in-sync"), "require_secure_transport"),
        ):
            engine = item["configuration"]["engine"]
            for value in ("1", "ON", "on", "true", " 1 "):
                with self.subTest(engine=engine, value=value):
                    reason = f"{engine} refuses clear text and old TLS ({GROUP})"
                    self.assertEqual(judged(item, {name: value}), Finding(COMPLIANT, reason))
            for value in ("0", "OFF", "off", "False"):
                with self.subTest(engine=engine, value=value):
                    fault = f"{name} is {value} in {GROUP}: clear text is accepted; set it to 1"
                    self.assert_fault(judged(item, {name: value}), fault)
            for value in ("", "2", "{TrueIfReplica}", "required"):
                with self.subTest(engine=engine, value=value):
                    fault = f"{name} has the unknown value {value!r} in {GROUP}; set it to 1"
                    self.assert_fault(judged(item, {name: value}), fault)

    def test_the_default_of_each_version(self) -> None:
        """Around the version from which the switch is on by default."""
        for engine, off, on, name in (
            ("postgres", "14.99", "15", "rds.force_ssl"),
            ("postgres", "13.1", "15.1", "rds.force_ssl"),
            ("aurora-postgresql", "16.99", "17.0", "rds.force_ssl"),
            ("mysql", "9.6.9", "9.7.0", "require_secure_transport"),
            ("mysql", "8.4.3", "10.0.0", "require_secure_transport"),
            ("aurora-mysql", "8.0.mysql_aurora.3.10.0", "8.4.mysql_aurora.8.4.0", "require_secure_transport"),
            ("mariadb", "11.7.9", "11.8.0", "require_secure_transport"),
            ("mariadb", "11.4.4", "12.0.0", "require_secure_transport"),
        ):
            make = cluster if engine.startswith("aurora") else instance
            with self.subTest(engine=engine, off=off, on=on):
                self.assert_compliant(judged(make(engine, on)))
                finding = judged(make(engine, off))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(f"{name} is not set in {GROUP}, and off by default in version ", finding.annotation)
                self.assertIn("; set it to 1 [PCI 4.2.1]", finding.annotation)
                self.assert_compliant(judged(make(engine, off), {name: "1"}))

    def test_what_is_set_beats_the_default(self) -> None:
        self.assert_fault(
            judged(instance("postgres", "16.4"), {"rds.force_ssl": "0"}),
            f"rds.force_ssl is 0 in {GROUP}: clear text is accepted; set it to 1",
        )

    def test_old_mariadb_cannot_require_tls(self) -> None:
        for version, compliance in (("10.4.99", NON_COMPLIANT), ("10.5", COMPLIANT), ("10.5.27", COMPLIANT)):
            with self.subTest(version=version):
                finding = judged(instance("mariadb", version), SECURE)
                self.assertEqual(finding.compliance, compliance)
                if compliance == NON_COMPLIANT:
                    words = "version 10.4.99 has no require_secure_transport; upgrade to 10.5 or newer"
                    self.assertIn(words, finding.annotation)

    def test_other_parameters_do_not_count(self) -> None:
        self.assertEqual(judged(instance("mysql", "8.4.3"), FORCED).compliance, NON_COMPLIANT)
        self.assertEqual(judged(instance("postgres", "14.1"), SECURE).compliance, NON_COMPLIANT)


class VersionFloorTest(DatabaseTestCase):
    def test_the_oldest_version_of_postgresql(self) -> None:
        for item in (instance("postgres", "16.4"), cluster("aurora-postgresql", "16.4")):
            for value in ("TLSv1.2", "TLSv1.3", "tlsv1.2"):
                with self.subTest(value=value):
                    self.assert_compliant(judged(item, FORCED | {"ssl_min_protocol_version": value}))
            for value, shown in (("TLSv1", "TLSv1"), ("TLSv1.1", "TLSv1.1"), ("", "every version"), ("TLSv9", "TLSv9")):
                with self.subTest(value=value):
                    finding = judged(item, FORCED | {"ssl_min_protocol_version": value})
                    self.assert_fault(finding, f"ssl_min_protocol_version in {GROUP} accepts {shown}; set it to TLSv1.2")

    def test_the_list_of_mysql(self) -> None:
        for item in (
            instance("mysql", "8.0.40"),
            cluster("aurora-mysql", "8.0.mysql_aurora.3.08.0"),
            instance("mariadb", "11.8"),
        ):
            for value in ("TLSv1.2", "TLSv1.2,TLSv1.3", " TLSv1.3 "):
                with self.subTest(value=value):
                    self.assert_compliant(judged(item, SECURE | {"tls_version": value}))
            for value, shown in (("TLSv1,TLSv1.1,TLSv1.2", "TLSv1, TLSv1.1"), ("TLSv1.1, TLSv1.2", "TLSv1.1")):
                with self.subTest(value=value):
                    finding = judged(item, SECURE | {"tls_version": value})
                    self.assert_fault(finding, f"tls_version in {GROUP} accepts {shown}; set it to TLSv1.2")

    def test_the_default_of_each_version(self) -> None:
        for engine, old, new, values, name in (
            ("postgres", "12.22", "13", FORCED, "ssl_min_protocol_version"),
            ("mysql", "5.7.44", "8.0", SECURE, "tls_version"),
        ):
            with self.subTest(engine=engine):
                self.assert_compliant(judged(instance(engine, new), values))
                fault = f"{name} is not set in {GROUP}, and version {old} may accept older TLS; set it to TLSv1.2"
                self.assert_fault(judged(instance(engine, old), values), fault)
                self.assert_compliant(judged(instance(engine, old), values | {name: "TLSv1.2"}))
        self.assertEqual(judged(cluster("aurora-mysql", "5.7.mysql_aurora.2.12.0"), SECURE).compliance, NON_COMPLIANT)

    def test_clear_text_is_told_before_old_tls(self) -> None:
        finding = judged(instance("mysql", "8.0.40"), {"tls_version": "TLSv1.1"})
        self.assertTrue(finding.annotation.startswith("2 problems; first: require_secure_transport is not set"))


class SqlServerTest(DatabaseTestCase):
    def test_each_edition(self) -> None:
        for engine in ("sqlserver-ee", "sqlserver-se", "sqlserver-ex", "sqlserver-web"):
            with self.subTest(engine=engine):
                item = instance(engine, "16.00.4165.4.v1")
                self.assert_compliant(judged(item, SQL_SERVER), engine)
                self.assert_fault(
                    judged(item, SQL_SERVER | {"rds.force_ssl": "0"}),
                    f"rds.force_ssl is 0 in {GROUP}: clear text is accepted; set it to 1",
                )
                finding = judged(item)
                self.assertIn("3 problems; first: rds.force_ssl is not set", finding.annotation)
                self.assertIn("off by default in version 16.0.4165.4", finding.annotation)

    def test_old_versions_must_be_disabled(self) -> None:
        item = instance("sqlserver-se", "16.00.4165.4.v1")
        for name in ("rds.tls10", "rds.tls11"):
            for value in ("default", "enabled", ""):
                with self.subTest(name=name, value=value):
                    fault = f"{name} is {value} in {GROUP}: old TLS is accepted; disable it".replace("  ", " ")
                    self.assert_fault(judged(item, SQL_SERVER | {name: value}), fault)
            silent = {key: value for key, value in SQL_SERVER.items() if key != name}
            self.assert_fault(judged(item, silent), f"{name} is default in {GROUP}: old TLS is accepted; disable it")


class Db2Test(DatabaseTestCase):
    def test_protocols(self) -> None:
        for engine in ("db2-ae", "db2-se"):
            item = instance(engine, "11.5.9.0.sb00000000.r1")
            for value in ("SSL", "ssl", " SSL "):
                with self.subTest(engine=engine, value=value):
                    self.assert_compliant(judged(item, {"DB2COMM": value}))
            for value in ("TCPIP,SSL", "SSL,TCPIP", "TCPIP", "SSL,", "TLS"):
                with self.subTest(engine=engine, value=value):
                    fault = f"DB2COMM is {value} in {GROUP}: clear text is accepted; set it to SSL"
                    self.assert_fault(judged(item, {"DB2COMM": value}), fault)
            self.assert_fault(
                judged(item), f"DB2COMM is not set in {GROUP}, and TCPIP by default: clear text is accepted; set it to SSL"
            )


class OracleTest(DatabaseTestCase):
    def test_network_encryption_must_be_required(self) -> None:
        for engine in ("oracle-ee", "oracle-ee-cdb", "oracle-se2", "oracle-se2-cdb"):
            item = instance(engine, "19.0.0.0.ru-2026-07.rur-2026-07.r1")
            for required in ("REQUIRED", "Required"):
                options = {"NATIVE_NETWORK_ENCRYPTION": NETWORK_ENCRYPTION | {"SQLNET.ENCRYPTION_SERVER": required}}
                with self.subTest(engine=engine, required=required):
                    reason = f"{engine} refuses clear text and old TLS ({OPTIONS})"
                    self.assertEqual(judged(item, options=options), Finding(COMPLIANT, reason))
            for value in ("REQUESTED", "ACCEPTED", "REJECTED"):
                options = {"NATIVE_NETWORK_ENCRYPTION": NETWORK_ENCRYPTION | {"SQLNET.ENCRYPTION_SERVER": value}}
                with self.subTest(engine=engine, value=value):
                    self.assert_fault(
                        judged(item, options=options),
                        f"SQLNET.ENCRYPTION_SERVER is {value}: clear text is accepted; set it to REQUIRED",
                    )

    def test_algorithms(self) -> None:
        item = instance("oracle-ee", "19.0.0.0")
        name = "SQLNET.ENCRYPTION_TYPES_SERVER"
        for value, shown in (
            ("AES256,RC4_256", "RC4_256"),
            ("RC4_256,3DES168,DES,AES128", "RC4_256, 3DES168, DES"),
            ("RC4_256,3DES168,DES,DES40,AES128", "RC4_256, 3DES168, DES and 1 more"),
            ("", "RC4 and DES by default"),
        ):
            options = {"NATIVE_NETWORK_ENCRYPTION": NETWORK_ENCRYPTION | {name: value}}
            with self.subTest(value=value):
                self.assert_fault(judged(item, options=options), f"{name} allows {shown}; leave AES only")
        for value in ("AES128", "aes192", "AES256, AES128"):
            options = {"NATIVE_NETWORK_ENCRYPTION": NETWORK_ENCRYPTION | {name: value}}
            with self.subTest(value=value):
                self.assert_compliant(judged(item, options=options))
        finding = judged(item, options={"NATIVE_NETWORK_ENCRYPTION": {}})
        words = "2 problems; first: SQLNET.ENCRYPTION_SERVER is REQUESTED by default: clear text is accepted"
        self.assertIn(words, finding.annotation)

    def test_without_it_the_port_is_clear(self) -> None:
        item = instance("oracle-se2", "19.0.0.0")
        way_out = "; add NATIVE_NETWORK_ENCRYPTION with SQLNET.ENCRYPTION_SERVER REQUIRED"
        self.assert_fault(judged(item, options={"Timezone": {}}), f"clear text is accepted{way_out}")
        self.assert_fault(
            judged(item, options={"SSL": {"SQLNET.SSL_VERSION": "1.2"}}),
            f"clear text is accepted: the SSL option leaves the clear port open{way_out}",
        )
        item["configuration"]["optionGroupMemberships"] = []
        self.assert_fault(judged(item), f"clear text is accepted{way_out}")

    def test_options_that_are_not_applied_yet(self) -> None:
        item = instance("oracle-ee", "19.0.0.0", options="pending-apply")
        self.assert_fault(
            judged(item, options={"NATIVE_NETWORK_ENCRYPTION": NETWORK_ENCRYPTION}),
            f"option group {OPTIONS} is pending-apply, so its options may not be in force",
        )


class ApplyStatusTest(DatabaseTestCase):
    def test_what_waits_for_a_reboot_is_not_in_force(self) -> None:
        for status in ("pending-reboot", "applying", "unknown"):
            fault = f"parameter group {GROUP} is {status}, so its values may not be in force"
            with self.subTest(status=status):
                self.assert_fault(judged(instance("sqlserver-ee", "16.00.1", status), SQL_SERVER), fault)
                self.assert_fault(judged(instance("postgres", "16.4", status)), fault)  # the group may be new to it
                self.assert_fault(judged(cluster("aurora-postgresql", "17.4", "in-sync", status), FORCED), fault)
        self.assert_compliant(judged(cluster("aurora-postgresql", "17.4", "in-sync", "in-sync"), FORCED))
        self.assert_compliant(judged(cluster("aurora-postgresql", "17.4"), FORCED))

    def test_a_wrong_value_is_told_before_the_wait(self) -> None:
        finding = judged(instance("sqlserver-ee", "16.00.1", "pending-reboot"), SQL_SERVER | {"rds.force_ssl": "0"})
        self.assertTrue(finding.annotation.startswith("2 problems; first: rds.force_ssl is 0"), finding.annotation)


class MemberTest(DatabaseTestCase):
    def test_members_are_judged_at_their_cluster(self) -> None:
        for engine in ("aurora-mysql", "aurora-postgresql", "postgres", "mysql"):
            with self.subTest(engine=engine):
                finding = judged(instance(engine, "16.4", of="cards"))
                self.assertEqual(finding, Finding(NOT_APPLICABLE, "member of cluster cards, which is judged"))

    def test_other_engines_have_no_cluster_that_answers_for_them(self) -> None:
        self.assert_compliant(judged(instance("mariadb", "11.8.2", of="cards"), SECURE))
        for engine in ("docdb", "neptune"):
            with self.subTest(engine=engine):
                self.assertEqual(judged(instance(engine, "5.0.0", of="cards")).compliance, NON_COMPLIANT)

    def test_an_instance_of_aurora_without_a_cluster_is_no_verdict(self) -> None:
        for engine in ("aurora-mysql", "aurora-postgresql"):
            with self.subTest(engine=engine), self.assertRaisesRegex(RuleInputError, "dBClusterIdentifier is missing"):
                judged(instance(engine, "17.4"), FORCED | SECURE)


class UnknownTest(DatabaseTestCase):
    def test_unknown_engines_never_pass(self) -> None:
        for engine in (
            "docdb",
            "neptune",
            "custom-oracle-ee",
            "custom-sqlserver-se",
            "aurora",
            "Postgres",
            "something-new",
            "",
        ):
            for item in (instance(engine, "16.4"), cluster(engine, "16.4", "in-sync")):
                with self.subTest(engine=engine, kind=item["resourceType"]):
                    finding = judged(item, FORCED | SECURE)
                    self.assertEqual(finding.compliance, NON_COMPLIANT)
                    self.assertIn("is not known to this rule", finding.annotation)

    def test_unreadable_input_is_no_verdict(self) -> None:
        for member, broken in (
            ("engine", None),
            ("engineVersion", None),
            ("engineVersion", "latest"),
            ("engineVersion", 16),
            ("dBParameterGroups", None),
            ("dBParameterGroups", []),
            ("dBParameterGroups", [{}]),
            ("dBInstanceIdentifier", None),
            ("optionGroupMemberships", [{}]),
        ):
            item = instance("postgres", "16.4")
            item["configuration"][member] = broken
            with self.subTest(member=member, broken=broken), self.assertRaisesRegex(RuleInputError, member):
                judged(item, FORCED)
        for member in ("dbclusterParameterGroup", "dbclusterIdentifier"):
            item = cluster("aurora-postgresql", "17.4")
            item["configuration"][member] = None
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, member):
                judged(item, FORCED)
        item = cluster("aurora-postgresql", "17.4")
        item["configuration"]["dbclusterMembers"] = ["x"]
        with self.assertRaisesRegex(RuleInputError, "dbclusterMembers"):
            judged(item, FORCED)

    def test_a_snapshot_cannot_show_groups(self) -> None:
        facts = RecordedFacts(None, SCOPE)  # type: ignore[arg-type] # it is never asked
        for item, words in ((instance("postgres", "16.4"), "parameter group"), (instance("oracle-ee", "19.0"), "option group")):
            with self.subTest(words=words), self.assertRaisesRegex(NotAssessed, f"does not record the {words}"):
                PciDatabaseTlsOnly().decide(item, None, facts)

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciDatabaseTlsOnly().evaluate_parameters({"Engines": "mysql"})


class DeclarationTest(unittest.TestCase):
    def test_what_it_judges_and_when(self) -> None:
        self.assertEqual(PciDatabaseTlsOnly.resource_types, ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"))
        self.assertTrue(PciDatabaseTlsOnly.sweeps)  # a group changes without the database's item
        self.assertEqual(
            {action for lookup in PciDatabaseTlsOnly.lookups for action in lookup.actions},
            {"rds:DescribeDBParameters", "rds:DescribeDBClusterParameters", "rds:DescribeOptionGroups"},
        )


class LiveTest(unittest.TestCase):
    @mock_aws
    def test_groups_of_moto(self) -> None:
        rds = boto3.client("rds", region_name=REGION)
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="g", DBParameterGroupFamily="aurora-postgresql16", Description="d"
        )
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName="g",
            Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}],
        )
        self.assertEqual(ParameterGroup.live(Clients(), SCOPE, "cluster", "g"), FORCED)

    def test_every_page_is_read_and_absent_values_stay_absent(self) -> None:
        rds = boto3.client("rds", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106

        class Stubbed:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return rds

        pages: list[dict[str, Any]] = [
            {"Parameters": [{"ParameterName": "rds.force_ssl", "Source": "engine-default"}], "Marker": "more"},
            {"Parameters": [{"ParameterName": "ssl_min_protocol_version", "ParameterValue": "TLSv1.2", "Source": "system"}]},
        ]
        with Stubber(rds) as stub:
            stub.add_response("describe_db_parameters", pages[0], {"DBParameterGroupName": "g"})
            stub.add_response("describe_db_parameters", pages[1], {"DBParameterGroupName": "g", "Marker": "more"})
            found = ParameterGroup.live(Stubbed(), SCOPE, "instance", "g")
            self.assertEqual(found, {"ssl_min_protocol_version": "TLSv1.2"})
            settings = [{"Name": "SQLNET.ENCRYPTION_SERVER", "Value": "REQUIRED"}, {"Name": "SQLNET.CRYPTO_CHECKSUM_SERVER"}]
            options = [{"OptionName": "NATIVE_NETWORK_ENCRYPTION", "OptionSettings": settings}, {"OptionName": "Timezone"}]
            groups = {"OptionGroupsList": [{"OptionGroupName": "o", "Options": options}]}
            stub.add_response("describe_option_groups", groups, {"OptionGroupName": "o"})
            wanted = {"SQLNET.ENCRYPTION_SERVER": "REQUIRED", "SQLNET.CRYPTO_CHECKSUM_SERVER": ""}
            self.assertEqual(OptionGroup.live(Stubbed(), SCOPE, "o"), {"NATIVE_NETWORK_ENCRYPTION": wanted, "Timezone": {}})
