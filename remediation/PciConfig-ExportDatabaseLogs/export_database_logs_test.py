"""PciConfig-ExportDatabaseLogs: the audit log leaves the database for the archive; what writes it is told, not changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-ExportDatabaseLogs"
script = load_script(DOCUMENT)
OTHER = "210987654321"
SETTINGS = {"LogArchive": {"Account": OTHER, "Buckets": ["card-issuer-log-archive-*"]}}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pci-config-logs-to-firehose"
USER: dict[str, Any] = {"MasterUsername": "owner", "MasterUserPassword": "not-a-real-password"}
AUDITED = {
    "aurora-postgresql": {"shared_preload_libraries": "pgaudit", "pgaudit.log": "all"},
    "postgres": {"log_statement": "all"},
    "aurora-mysql": {"server_audit_logging": "1", "server_audit_events": "CONNECT,QUERY"},
}
UNAUDITED = {"aurora-mysql": {"server_audit_logging": "0"}, "postgres": {"log_statement": "ddl"},
             "aurora-postgresql": {"log_statement": "none"}}  # fmt: skip


def stream(name: str) -> str:
    return f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}"


GOOD, TEAM = stream("application-logs"), stream("team")


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def make_streams() -> None:
    for name, bucket in (("application-logs", "card-issuer-log-archive-app"), ("team", "team-logs")):
        target = {"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}"}
        client("firehose").create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=target)


def parameters_of(kind: str, values: dict[str, str]) -> str:
    """A new parameter group with these values."""
    rds, name = client("rds"), f"audited-{kind}"
    listed = [{"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"} for key, value in values.items()]
    if kind == "cluster":
        rds.create_db_cluster_parameter_group(DBClusterParameterGroupName=name, DBParameterGroupFamily="f", Description="d")
        rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=listed)
    else:
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="d")
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=listed)
    return name


def options_of(events: str = "") -> str:
    rds = client("rds")
    rds.create_option_group(OptionGroupName="audit", EngineName="mysql", MajorEngineVersion="8.0", OptionGroupDescription="d")
    settings = [{"Name": "SERVER_AUDIT_EVENTS", "Value": events}] if events else []
    option = {"OptionName": "MARIADB_AUDIT_PLUGIN", "OptionSettings": settings}
    rds.modify_option_group(OptionGroupName="audit", OptionsToInclude=[option], ApplyImmediately=True)
    return "audit"


def given_parameters(resource_id: str) -> dict[str, str]:
    return {"Database": resource_id, "Destination": GOOD, "SubscriptionRole": ROLE}


def group_of(kind: str, export: str, subscribed: str | None = None, pattern: str = "") -> str:
    name = f"/aws/rds/{kind}/payments/{export}"
    client("logs").create_log_group(logGroupName=name)
    if subscribed:
        client("logs").put_subscription_filter(
            logGroupName=name, filterName="own", filterPattern=pattern, destinationArn=subscribed, roleArn=ROLE
        )
    return name


def cluster(
    engine: str = "aurora-postgresql", exports: tuple[str, ...] = (), audited: bool = True, **members: Any
) -> dict[str, str]:
    """A cluster that writes its audit log, and exports these; its parameters for the document."""
    make_streams()
    values = (AUDITED if audited else UNAUDITED)[engine]
    made = client("rds").create_db_cluster(
        DBClusterIdentifier="payments",
        Engine=engine,
        DBClusterParameterGroupName=parameters_of("cluster", values),
        EnableCloudwatchLogsExports=list(exports),
        **USER,
        **members,
    )
    return given_parameters(made["DBCluster"]["DbClusterResourceId"])


def instance(engine: str = "postgres", exports: tuple[str, ...] = (), **members: Any) -> dict[str, str]:
    make_streams()
    named: dict[str, Any] = {}
    if engine == "postgres":
        named["DBParameterGroupName"] = parameters_of("instance", AUDITED[engine])
    else:
        named["OptionGroupName"] = options_of()
    made = client("rds").create_db_instance(
        DBInstanceIdentifier="payments",
        Engine=engine,
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        EnableCloudwatchLogsExports=list(exports),
        **USER,
        **{**named, **members},
    )
    return given_parameters(made["DBInstance"]["DbiResourceId"])


def with_group(make: Callable[..., dict[str, str]], kind: str, export: str, *subscribed: str, **more: Any) -> dict[str, str]:
    parameters = make(**more)
    group_of(kind, export, *subscribed)
    return parameters


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "Aurora PostgreSQL: nothing": cluster,
    "Aurora MySQL: exports other logs": partial(cluster, "aurora-mysql", ("error", "slowquery")),
    "PostgreSQL: nothing": instance,
    "MySQL: nothing": partial(instance, "mysql"),
    "exported, nothing subscribed": partial(with_group, cluster, "cluster", "postgresql", exports=("postgresql",)),
    "instance exported, nothing subscribed": partial(with_group, instance, "instance", "postgresql", exports=("postgresql",)),
    "subscribed, not exported": partial(with_group, cluster, "cluster", "postgresql", GOOD),
}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{**parameters, **changes})


def restored(parameters: dict[str, str], result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), **{"Database": parameters["Database"], **changes})


def described() -> dict[str, Any]:
    """Of the one database, without what a modification always touches."""
    rds = client("rds")
    found = [*rds.describe_db_clusters()["DBClusters"], *rds.describe_db_instances()["DBInstances"]][0]
    return {
        name: value for name, value in found.items() if name not in ("LatestRestorableTime", "EarliestRestorableTime", "Status")
    }


def state() -> dict[str, Any]:
    """Exports, and each log group with its subscriptions."""
    logs = client("logs")
    names = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    filters = {name: logs.describe_subscription_filters(logGroupName=name)["subscriptionFilters"] for name in names}
    return {"exports": sorted(described().get("EnabledCloudwatchLogsExports", [])), "filters": filters}


def without_empty_groups(found: dict[str, Any]) -> dict[str, Any]:
    """Log groups stay."""
    return {**found, "filters": {name: filters for name, filters in found["filters"].items() if filters}}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before, whole = state(), described()
    dry = run(parameters, DryRun="true")
    assert (dry["Outcome"], state()) == ("dry-run", before)
    assert run(parameters)["Outcome"] == "changed"
    after = state()
    (group,) = after["filters"]
    assert [(each["destinationArn"], each["filterPattern"]) for each in after["filters"][group]] == [(GOOD, "")]
    (export,) = {group.rpartition("/")[2]}
    assert after["exports"] == sorted({*before["exports"], export})
    name = "EnabledCloudwatchLogsExports"
    assert {**described(), name: None} == {**whole, name: None}, "nothing else changed"
    assert (run(parameters)["Outcome"], state()) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_leads_back(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    result = run(parameters)
    assert restored(parameters, result, DryRun="true")["Outcome"] == "dry-run"
    assert restored(parameters, result)["Outcome"] == "changed"
    assert without_empty_groups(state()) == without_empty_groups(before)
    assert restored(parameters, result)["Outcome"] == "compliant"
    assert run(parameters)["Outcome"] == "changed"


@pytest.mark.parametrize(
    ("violation", "operations"),
    [
        ("Aurora PostgreSQL: nothing", ["modify_db_cluster", "create_log_group", "put_subscription_filter"]),
        ("PostgreSQL: nothing", ["modify_db_instance", "create_log_group", "put_subscription_filter"]),
        ("exported, nothing subscribed", ["put_subscription_filter"]),
        ("subscribed, not exported", ["modify_db_cluster"]),
    ],
)
def test_only_the_calls_that_are_needed_are_made(violation: str, operations: list[str]) -> None:
    calls = json.loads(run(VIOLATIONS[violation]())["Calls"])
    assert [call["operation"] for call in calls] == operations
    for call in calls:
        if call["service"] == "rds":
            assert set(call["parameters"]) <= {
                "DBClusterIdentifier", "DBInstanceIdentifier", "CloudwatchLogsExportConfiguration"
            }, "ApplyImmediately would apply what else is pending"  # fmt: skip
            assert call["parameters"]["CloudwatchLogsExportConfiguration"] == {"EnableLogTypes": ["postgresql"]}


@pytest.mark.parametrize("destination", [GOOD, "none"])
def test_an_audit_log_that_is_off_is_told_and_not_changed(destination: str) -> None:
    parameters = {**cluster("aurora-mysql", audited=False), "Destination": destination}
    result = run(parameters)
    assert result["Outcome"] == "changed"
    assert "not mended here: server_audit_logging is off in audited-cluster" in result["Message"]
    values = client("rds").describe_db_cluster_parameters(DBClusterParameterGroupName="audited-cluster")["Parameters"]
    assert [(each["ParameterName"], each["ParameterValue"]) for each in values] == [("server_audit_logging", "0")]
    with pytest.raises(Refused, match="needs a human: server_audit_logging is off in audited-cluster"):
        run(parameters)


def test_a_plugin_that_is_missing_is_told() -> None:
    parameters = instance("mysql")
    client("rds").modify_option_group(OptionGroupName="audit", OptionsToRemove=["MARIADB_AUDIT_PLUGIN"], ApplyImmediately=True)
    result = run(parameters, DryRun="true")
    assert "option MARIADB_AUDIT_PLUGIN is in none of its option groups" in result["Message"]


def test_a_group_that_waits_for_a_reboot_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = instance()
    found = client("rds").describe_db_instances()["DBInstances"][0]
    found["DBParameterGroups"][0]["ParameterApplyStatus"] = "pending-reboot"
    monkeypatch.setattr(script.LoggedDatabase, "_described", lambda self: found)
    message = run(parameters, DryRun="true")["Message"]
    assert "parameter group audited-instance is pending-reboot" in message


def test_without_a_destination_only_the_export_is_turned_on() -> None:
    parameters = {**cluster(), "Destination": "none"}
    result = run(parameters)
    assert state() == {"exports": ["postgresql"], "filters": {}}
    assert "has no subscription that sends it on to the archive; run with Destination" in result["Message"]
    with pytest.raises(Refused, match=r"needs a human: log group .*; run with Destination"):
        run(parameters)


@pytest.mark.parametrize(
    ("subscribed", "pattern", "message"),
    [(TEAM, "", "s3://team-logs: is not the archive"), (GOOD, "ERROR", "passes only events that match 'ERROR'")],
)
def test_a_subscription_that_leads_elsewhere_is_told_and_stays(subscribed: str, pattern: str, message: str) -> None:
    parameters = with_group(cluster, "cluster", "postgresql", subscribed, pattern)
    filters = state()["filters"]
    assert message in run(parameters)["Message"]
    assert state() == {"exports": ["postgresql"], "filters": filters}
    with pytest.raises(Refused, match=f"needs a human: .*{message}.*; mend that subscription"):
        run(parameters)


def test_a_policy_of_the_account_is_a_subscription_too() -> None:
    parameters = with_group(cluster, "cluster", "postgresql", exports=("postgresql",))
    document = json.dumps({"DestinationArn": TEAM, "RoleArn": ROLE, "FilterPattern": "", "Distribution": "Random"})
    policy = {"policyName": "p", "policyDocument": document, "policyType": "SUBSCRIPTION_FILTER_POLICY", "scope": "ALL"}
    client("logs").put_account_policy(**policy)
    with pytest.raises(Refused, match="mend that subscription"):
        run(parameters)
    client("logs").put_account_policy(**policy, selectionCriteria='LogGroupName IN ["a"]')
    with pytest.raises(Refused, match="account-level subscription policy: selection criteria"):
        run(parameters)
    good = document.replace(TEAM, GOOD)
    client("logs").put_account_policy(**{**policy, "policyDocument": good})
    assert run(parameters)["Outcome"] == "compliant"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Destination": stream("gone")}, "Firehose gone: does not exist"),
        ({"Destination": TEAM}, "s3://team-logs: is not the archive"),
        ({"Destination": GOOD.replace(ACCOUNT, OTHER)}, "cannot be looked into from here"),
        ({"Destination": GOOD.replace(REGION, "us-east-1")}, "cannot be looked into from here"),
        ({"Destination": "arn:aws:s3:::card-issuer-log-archive-app"}, "cannot take these logs: expected deliverystream/"),
        ({"SubscriptionRole": "none"}, "SubscriptionRole is none"),
        ({"SubscriptionRole": f"arn:aws:iam::{ACCOUNT}:role/admin"}, "may pass CloudWatch Logs roles named pci-config-logs-"),
        ({"SubscriptionRole": ROLE.replace(ACCOUNT, OTHER)}, f"is not in {ACCOUNT}"),
        ({"AccountId": OTHER}, f"is not in {OTHER}"),
        ({"Region": "us-east-1"}, "is not in .* us-east-1"),
        ({"DryRun": "maybe"}, "DryRun is 'maybe'"),
        ({"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = cluster()
    before = state()
    with pytest.raises(Refused, match=message):
        run(parameters, **changes)
    assert state() == before


def test_members_other_engines_and_what_is_gone() -> None:
    parameters = cluster()
    assert run(parameters, Database="cluster-GONE")["Outcome"] == "gone"
    assert run(parameters, Database="db-GONE")["Outcome"] == "gone"
    rds = client("rds")
    member = rds.create_db_instance(
        DBInstanceIdentifier="one", DBClusterIdentifier="payments", Engine="aurora-postgresql", DBInstanceClass="db.r6g.large"
    )["DBInstance"]["DbiResourceId"]
    with pytest.raises(Refused, match="is a member of cluster payments: run this for the cluster"):
        run(parameters, Database=member)
    graph = rds.create_db_cluster(DBClusterIdentifier="graph", Engine="neptune", **USER)["DBCluster"]["DbClusterResourceId"]
    with pytest.raises(Refused, match="engine neptune: how its audit log is turned on and exported is not known"):
        run(parameters, Database=graph)


@pytest.mark.parametrize("status", ["stopped", "modifying"])
def test_a_database_that_is_not_available_is_left_for_later(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = cluster()
    found = {**client("rds").describe_db_clusters()["DBClusters"][0], "Status": status}
    monkeypatch.setattr(script.LoggedDatabase, "_described", lambda self: found)
    with pytest.raises(Refused, match=f"is {status}: its exports can be changed when it is available"):
        run(parameters)


def test_an_export_that_is_being_applied_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = with_group(cluster, "cluster", "postgresql", GOOD)
    found = client("rds").describe_db_clusters()["DBClusters"][0]
    found = {
        **found,
        "Status": "modifying",
        "PendingModifiedValues": {"PendingCloudwatchLogsExports": {"LogTypesToEnable": ["postgresql"]}},
    }
    monkeypatch.setattr(script.LoggedDatabase, "_described", lambda self: found)
    assert run(parameters)["Outcome"] == "compliant"


def test_an_answer_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = cluster()
    found = client("rds").describe_db_clusters()["DBClusters"][0]
    del found["DBClusterParameterGroup"]
    monkeypatch.setattr(script.LoggedDatabase, "_described", lambda self: found)
    with pytest.raises(Refused, match="is not understood"):
        run(parameters)


def test_managed_databases_are_left_to_their_templates() -> None:
    parameters = cluster(Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "payments"}])
    before = state()
    with pytest.raises(Refused, match="managed by CloudFormation stack payments"):
        run(parameters)
    assert state() == before
    assert run(parameters, AllowManaged="true")["Outcome"] == "changed"


def between(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Let this happen between a run's reading and its changing."""
    tags = script.DatabaseLogs.tags

    def tags_and_action(self: Any, found: Any) -> Any:
        monkeypatch.setattr(script.DatabaseLogs, "tags", tags)
        action()
        return tags(self, found)

    monkeypatch.setattr(script.DatabaseLogs, "tags", tags_and_action)


def test_another_run_may_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = VIOLATIONS["exported, nothing subscribed"]()
    between(monkeypatch, lambda: run(parameters))
    assert run(parameters)["Outcome"] == "changed"
    assert [len(filters) for filters in state()["filters"].values()] == [1]
    assert run(parameters)["Outcome"] == "compliant"


def test_a_group_that_another_run_made_meanwhile_ends_right(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = cluster()
    between(monkeypatch, lambda: run(parameters))
    assert run(parameters)["Outcome"] == "changed"
    assert (state()["exports"], [len(filters) for filters in state()["filters"].values()]) == (["postgresql"], [1])
    assert run(parameters)["Outcome"] == "compliant"


def test_a_database_that_is_deleted_meanwhile_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = with_group(cluster, "cluster", "postgresql", GOOD)
    between(monkeypatch, lambda: client("rds").delete_db_cluster(DBClusterIdentifier="payments", SkipFinalSnapshot=True))
    with answering(ModifyDBCluster="DBClusterNotFoundFault"):  # moto fails in another way
        assert run(parameters)["Outcome"] == "gone"


@pytest.mark.parametrize("operation", ["CreateLogGroup", "PutSubscriptionFilter"])
def test_a_subscription_that_fails_is_told_and_the_export_can_be_taken_back(operation: str) -> None:
    parameters = cluster()
    execution = "11111111-2222-4333-8444-555555555555"
    with (
        answering(**{operation: "InvalidParameterException"}),
        pytest.raises(RuntimeError, match=r"done before that: export log .*still needs"),
    ):
        run(parameters, ExecutionId=execution)
    assert state()["exports"] == ["postgresql"]
    assert restored(parameters, {"Evidence": f"s3://b/k/{execution}/before.json"})["Outcome"] == "changed"
    assert without_empty_groups(state()) == {"exports": [], "filters": {}}


def test_an_export_that_rds_refuses_changes_nothing() -> None:
    parameters = cluster()
    before = state()
    refused = "InvalidParameterCombination"
    with answering(ModifyDBCluster=refused), pytest.raises(RuntimeError, match=f"{refused}.*done before that: nothing"):
        run(parameters)
    assert state() == before


def test_an_export_whose_group_is_gone_gets_a_new_one() -> None:
    parameters = cluster(exports=("postgresql",))
    result = run(parameters)
    assert [call["operation"] for call in json.loads(result["Calls"])] == ["create_log_group", "put_subscription_filter"]
    assert run(parameters)["Outcome"] == "compliant"
    assert restored(parameters, result)["Outcome"] == "changed"
    assert without_empty_groups(state()) == {"exports": ["postgresql"], "filters": {}}


def test_restore_refuses_what_was_changed_since() -> None:
    parameters = cluster()
    result = run(parameters)
    (group,) = state()["filters"]
    client("logs").put_subscription_filter(
        logGroupName=group, filterName="second", filterPattern="", destinationArn=TEAM, roleArn=ROLE
    )
    before = state()
    with pytest.raises(Refused, match="was changed after"):
        restored(parameters, result)
    assert state() == before


def test_without_an_archive_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"without LogArchive\.Buckets"):
        run(given_parameters("cluster-A"))


TYPES = st.lists(st.sampled_from(["audit", "error", "general", "postgresql"]), unique=True)


@given(TYPES, TYPES, TYPES)
def test_exports_are_those_after_what_is_pending(enabled: list[str], on: list[str], off: list[str]) -> None:
    pending = {"PendingCloudwatchLogsExports": {"LogTypesToEnable": on, "LogTypesToDisable": off}}
    found = script.exports({"EnabledCloudwatchLogsExports": enabled, "PendingModifiedValues": pending})
    assert found == sorted(found)
    assert set(found) == (set(enabled) | set(on)) - set(off)
    assert script.exports({"EnabledCloudwatchLogsExports": enabled}) == sorted(enabled)
