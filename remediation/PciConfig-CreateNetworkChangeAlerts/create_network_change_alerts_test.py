"""PciConfig-CreateNetworkChangeAlerts: what nobody hears of gets a filter and an alarm; what others made stays."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.catalogue import Catalogue, project_root
from pci_config.metric_pattern import parse
from pci_config.network_changes import CIS, EXTENDED, trail_event
from pci_config.rule import LiveFacts, Scope
from pci_config.runbook import Refused
from pci_config.sandbox import cloudtrail_service, logs_service
from pci_config.settings import Settings
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-CreateNetworkChangeAlerts"
script = load_script(DOCUMENT)
CATALOGUE = Catalogue.load(project_root())
OTHER, SECOND, GROUP = "600000000006", "us-east-1", "trail"
SETTINGS = {"Accounts": {"management": ACCOUNT, "production": [OTHER]}, "Regions": [REGION, SECOND], "HomeRegion": REGION}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


@functools.cache
def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def arrange(*filters: dict[str, Any], alarms: Any = None, logging: bool = True, **parameters: str) -> dict[str, str]:
    """A trail to a log group with these filters, an alarm on each unless told; the document's parameters."""
    cloudtrail_service.install()
    logs_service.install()
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="card-issuer-log-archive-trail")
    client("logs").create_log_group(logGroupName=GROUP)
    trail("main", IsOrganizationTrail=True, IsMultiRegionTrail=True, CloudWatchLogsLogGroupArn=LOG_GROUP)
    if logging:
        client("cloudtrail").start_logging(Name="main")
    topic("alerts")
    for found in filters:
        client("logs").put_metric_filter(logGroupName=GROUP, **found)
    for made in [alarm(found["filterName"]) for found in filters] if alarms is None else alarms:
        client("cloudwatch").put_metric_alarm(**made)
    return {"ResourceId": ACCOUNT, "TopicArn": TOPIC, **parameters}


def trail(name: str, **members: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/trail"
    members |= {"CloudWatchLogsRoleArn": role} if "CloudWatchLogsLogGroupArn" in members else {}
    client("cloudtrail").create_trail(Name=name, S3BucketName="card-issuer-log-archive-trail", **members)


def topic(name: str, subscribed: bool = True, **attributes: str) -> str:
    arn = client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    if subscribed:
        client("sns").subscribe(TopicArn=arn, Protocol="email", Endpoint="platform@card-issuer.example")
    return str(arn)


def cis(without: str = "", **patterns: str) -> list[dict[str, Any]]:
    """One filter for each group, as the benchmark has them; `patterns` replaces some."""
    found = []
    for group, names in CIS.items():
        name = group.replace(" ", "_")
        pattern = " || ".join(f"($.eventName = {each})" for each in names if each != without)
        found.append(metric_filter(name, patterns.get(name, f"{{ {pattern} }}")))
    return found


def metric_filter(name: str, pattern: str, **changes: Any) -> dict[str, Any]:
    transformation = {"metricName": name, "metricNamespace": "cis", "metricValue": "1", **changes}
    return {"filterName": name, "filterPattern": pattern, "metricTransformations": [transformation]}


def alarm(metric: str, **changes: Any) -> dict[str, Any]:
    return {
        "AlarmName": f"on {metric}", "MetricName": metric, "Namespace": "cis", "Statistic": "Sum", "Period": 300,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "AlarmActions": [TOPIC], **changes,
    }  # fmt: skip


def deaf_topic() -> dict[str, str]:
    parameters = arrange(*cis(), alarms=[])
    deaf = topic("deaf", subscribed=False)
    for group in CIS:
        client("cloudwatch").put_metric_alarm(**alarm(group.replace(" ", "_"), AlarmActions=[deaf]))
    return parameters


VPC_ONLY_USERS = '{ ($.userIdentity.type = "IAMUser") && (' + " || ".join(f"$.eventName = {n}" for n in CIS["VPC"]) + ") }"
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "nothing": arrange,
    "one call forgotten": lambda: arrange(*cis(without="DeleteRoute")),
    "no group for VPCs": lambda: arrange(*cis()[:-1]),
    "filters without alarms": lambda: arrange(*cis(), alarms=[]),
    "an alarm whose actions are off": lambda: arrange(
        *cis(), alarms=[alarm(g.replace(" ", "_"), ActionsEnabled=g != "VPC") for g in CIS]
    ),
    "alarms to a topic that nobody reads": deaf_topic,
    "some callers only": lambda: arrange(*cis(VPC=VPC_ONLY_USERS)),
    "one Region only": lambda: arrange(*cis(gateway='{ $.awsRegion = "eu-west-1" && $.eventName = "*Gateway" }')),
    "a filter that is no JSON pattern": lambda: arrange(*cis(), metric_filter("terms", "CreateVpc"), ExtendedEvents="true"),
    "extended events": lambda: arrange(*cis(), ExtendedEvents="true"),
    "always on": lambda: arrange(metric_filter("everything", "{ $.eventSource = ec2.amazonaws.com }")),
    "silent for too long": lambda: arrange(*cis(), MaxSilenceSeconds="299"),
    "this Region alone": lambda: arrange(*cis(without="CreateVpc"), AlertHome="each-region"),
}


def filters() -> dict[str, Any]:
    found = client("logs").describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    assert len({each["filterName"] for each in found}) == len(found)
    return {each["filterName"]: {k: v for k, v in each.items() if k != "creationTime"} for each in found}


def alarms() -> dict[str, Any]:
    return {
        each["AlarmName"]: {name: each.get(name) for name in script.ALARM}
        for each in client("cloudwatch").describe_alarms()["MetricAlarms"]
    }


def state() -> tuple[dict[str, Any], dict[str, Any]]:
    return filters(), alarms()


def verdict(parameters: dict[str, str]) -> tuple[str, str]:
    """The rule's, live."""
    now, settings = datetime(2026, 11, 1, tzinfo=UTC), Settings.from_mapping(SETTINGS)
    rule = CATALOGUE.rules["PCI_NETWORK_CHANGE_ALERTED"].rule_class(settings)
    own = {
        name: parameters[name]
        for name in ("ExtendedEvents", "AlertHome", "MaxSilenceSeconds", "TrustedTargets")
        if name in parameters
    }

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            assert region in (None, REGION)
            return client(service)

    (finding,) = rule.decide_account(rule.evaluate_parameters(own), LiveFacts(Clients(), Scope(ACCOUNT, REGION, now, settings)))
    return finding.compliance, finding.annotation


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{**parameters, **changes})


def restored(result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), ResourceId=ACCOUNT, **changes)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    assert verdict(parameters)[0] == "NON_COMPLIANT"
    assert (run(parameters, DryRun="true")["Outcome"], state()) == ("dry-run", before)
    assert run(parameters)["Outcome"] == "changed"
    after = state()
    assert verdict(parameters)[0] == "COMPLIANT", verdict(parameters)
    for old, new in zip(before, after, strict=True):
        assert {name: entry for name, entry in new.items() if name in old} == old, "what others made stays"
        assert all(name.startswith("PciConfig-") for name in set(new) - set(old))
    assert (run(parameters)["Outcome"], state()) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_deletes_exactly_what_the_fix_made(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    result = run(parameters)
    after = state()
    assert (restored(result, DryRun="true")["Outcome"], state()) == ("dry-run", after)
    assert (restored(result)["Outcome"], state()) == ("changed", before)
    assert restored(result)["Outcome"] == "compliant"


@pytest.mark.parametrize(
    ("violation", "new_filters", "new_alarms"),
    [
        ("nothing", {f"PciConfig-{group.replace(' ', '-')}-changes" for group in CIS}, set()),
        ("one call forgotten", {"PciConfig-route-table-changes"}, set()),
        ("filters without alarms", set(), {f"PciConfig-{group.replace(' ', '_')}" for group in CIS}),
        ("an alarm whose actions are off", set(), {"PciConfig-VPC"}),
        ("some callers only", {"PciConfig-VPC-changes"}, set()),
        ("extended events", {"PciConfig-security-group-changes", "PciConfig-route-table-changes"}, set()),
    ],
)
def test_only_what_is_missing_is_made(violation: str, new_filters: set[str], new_alarms: set[str]) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    run(parameters)
    assert set(filters()) - set(before[0]) == new_filters
    assert set(alarms()) - set(before[1]) == new_filters | new_alarms


def test_a_new_filter_counts_what_was_missing_and_nothing_else() -> None:
    run(arrange(*cis(without="DeleteRoute")))
    made = filters()["PciConfig-route-table-changes"]
    assert made["filterPattern"] == "{ ($.eventName = DeleteRoute) }"
    assert made["metricTransformations"] == [
        {"metricName": "PciConfig-route-table-changes", "metricNamespace": "PciConfig", "metricValue": "1"}
    ]
    run(arrange_anew(ExtendedEvents="true"))
    every = parse(filters()["PciConfig-route-table-changes-2"]["filterPattern"])
    assert not every.matches(trail_event("DeleteRoute", ACCOUNT, REGION)), "that one is heard already"
    assert every.matches(trail_event(EXTENDED["route table"][0], OTHER, SECOND))
    assert not every.matches(trail_event("DescribeInstances", ACCOUNT, REGION, read_only=True))


def arrange_anew(**parameters: str) -> dict[str, str]:
    return {"ResourceId": ACCOUNT, "TopicArn": TOPIC, **parameters}


def test_a_new_alarm_is_the_benchmarks() -> None:
    run(arrange())
    assert alarms()["PciConfig-VPC-changes"] == {
        "AlarmName": "PciConfig-VPC-changes",
        "MetricName": "PciConfig-VPC-changes",
        "Namespace": "PciConfig",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
    }


@pytest.mark.parametrize(
    ("silence", "period"), [("60", 60), ("119", 60), ("120", 120), ("299", 240), ("300", 300), ("86400", 300)]
)
def test_an_alarm_is_over_in_time(silence: str, period: int) -> None:
    run(arrange(MaxSilenceSeconds=silence))
    assert {each["Period"] for each in alarms().values()} == {period}


def test_an_alarm_on_another_metric_suits_it() -> None:
    small = [
        {**f, "metricTransformations": [{**f["metricTransformations"][0], "metricValue": "0.5", "defaultValue": 0.0}]}
        for f in cis()
    ]
    parameters = arrange(*small, alarms=[])
    run(parameters)
    assert {each["Threshold"] for each in alarms().values()} == {0.5}
    assert verdict(parameters)[0] == "COMPLIANT"


def test_names_that_are_taken_are_not_taken_again() -> None:
    parameters = arrange(
        metric_filter("PciConfig-VPC-changes", "{ $.eventName = Nothing }"),
        alarms=[alarm("x", AlarmName="PciConfig-VPC-changes-2")],
    )
    before = state()
    result = run(parameters)
    assert "PciConfig-VPC-changes-3" in filters()
    assert filters()["PciConfig-VPC-changes"] == before[0]["PciConfig-VPC-changes"]
    assert alarms()["PciConfig-VPC-changes-2"] == before[1]["PciConfig-VPC-changes-2"]
    restored(result)
    assert state() == before


@pytest.mark.parametrize("length", [199, 200, 201, 512])
def test_long_names_become_names_of_alarms(length: int) -> None:
    taken: set[str] = set()
    assert script.free("x" * length, taken) == "PciConfig-" + "x" * min(length, 200)
    assert script.free("x" * length, taken) == "PciConfig-" + "x" * min(length, 200) + "-2"
    assert len(max(taken, key=len)) <= 255


def test_what_alerts_already_is_left_alone() -> None:
    parameters = arrange(*cis())
    before = state()
    assert verdict(parameters)[0] == "COMPLIANT"
    assert (run(parameters, TopicArn="none")["Outcome"], state()) == ("compliant", before)


def test_a_trusted_action_counts() -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:notify"
    parameters = arrange(*cis(), alarms=[alarm(g.replace(" ", "_"), AlarmActions=[function]) for g in CIS])
    assert run(parameters, DryRun="true")["Outcome"] == "dry-run"
    trusted = {**parameters, "TrustedTargets": f"arn:aws:sqs:*, arn:aws:lambda:*:{ACCOUNT}:function:notify"}
    assert verdict(trusted)[0] == "COMPLIANT"
    assert run(trusted)["Outcome"] == "compliant"


@pytest.mark.parametrize(
    "action", [f"arn:aws:sns:{SECOND}:{ACCOUNT}:alerts", f"arn:aws:sns:{REGION}:{OTHER}:alerts", "arn:aws:sns"]
)
def test_actions_that_cannot_be_looked_into_do_not_count(action: str) -> None:
    parameters = arrange(*cis(), alarms=[alarm(g.replace(" ", "_"), AlarmActions=[action]) for g in CIS])
    assert len(json.loads(run(parameters, DryRun="true")["Calls"])) == len(CIS)


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TopicArn": "none"}, "somebody must be told: run with TopicArn"),
        ({"TopicArn": TOPIC.replace(ACCOUNT, OTHER)}, f"is not in {ACCOUNT} and {REGION}"),
        ({"TopicArn": TOPIC.replace(REGION, SECOND)}, f"is not in {ACCOUNT} and {REGION}"),
        ({"TopicArn": TOPIC + "-missing"}, "would tell nobody: it does not exist"),
        ({"ResourceId": OTHER}, f"{OTHER} is not the account this runs in"),
        ({"AccountId": OTHER}, f"{ACCOUNT} is not the account this runs in"),
        ({"MaxSilenceSeconds": "59"}, "MaxSilenceSeconds is 59; expected 60 or more"),
        ({"MaxSilenceSeconds": "long"}, "MaxSilenceSeconds is 'long'"),
        ({"ExtendedEvents": "maybe"}, "ExtendedEvents is 'maybe'"),
        ({"DryRun": ""}, "DryRun is ''"),
        ({"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = arrange(*cis(without="DeleteRoute"))
    before = state()
    with pytest.raises(Refused, match=message):
        run(parameters, **changes)
    assert state() == before


DENIED = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sns:*", "Resource": "*"}]}
)


@pytest.mark.parametrize(
    ("subscribed", "attributes", "message"),
    [
        (False, {}, "has no confirmed subscription"),
        (True, {"KmsMasterKeyId": "alias/aws/sns"}, "is encrypted with alias/aws/sns"),
        (True, {"Policy": DENIED}, "has no policy that plainly lets cloudwatch.amazonaws.com publish"),
    ],
)
def test_a_topic_that_tells_nobody_is_refused(subscribed: bool, attributes: dict[str, str], message: str) -> None:
    parameters = arrange()
    silent = topic("silent", subscribed, **attributes)
    with pytest.raises(Refused, match=f"an alarm to {silent} would tell nobody: it {message}"):
        run(parameters, TopicArn=silent)
    assert state() == ({}, {})


def test_where_the_trails_log_group_is_elsewhere_it_says_where() -> None:
    parameters = arrange(*cis())
    client("cloudtrail").delete_trail(Name="main")
    with pytest.raises(Refused, match="no trail sends events to a log group here: PciConfig-RepairTrail"):
        run(parameters)
    trail("local")
    trail(
        "central", IsOrganizationTrail=True, CloudWatchLogsLogGroupArn=LOG_GROUP.replace(ACCOUNT, OTHER).replace(REGION, SECOND)
    )
    before = state()
    with pytest.raises(Refused, match=f"trail central alerts from its log group in account {OTHER}, {SECOND}: run this there"):
        run(parameters)
    assert state() == before


def test_the_log_group_must_exist() -> None:
    parameters = arrange()
    client("logs").delete_log_group(logGroupName=GROUP)
    with pytest.raises(Refused, match=r"log group trail, to which .* does not exist"):
        run(parameters)
    assert alarms() == {}


def test_a_trail_that_brings_nothing_is_mended_first() -> None:
    parameters = arrange(*cis(without="DeleteRoute"), logging=False)
    before = state()
    with pytest.raises(Refused, match=r"would still miss .*trail main is not logging\): PciConfig-RepairTrail first"):
        run(parameters)
    assert state() == before


def test_a_trail_that_does_not_record_the_calls_is_mended_first() -> None:
    parameters = arrange()
    reads = [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True, "DataResources": []}]
    client("cloudtrail").put_event_selectors(TrailName="main", EventSelectors=reads)
    with pytest.raises(Refused, match=r"still miss AuthorizeSecurityGroupIngress, .*does not record it"):
        run(parameters)
    assert state() == ({}, {})


def test_the_widest_trail_is_the_one_to_alert_from() -> None:
    parameters = arrange()
    client("logs").create_log_group(logGroupName="local")
    trail("aaa", CloudWatchLogsLogGroupArn=LOG_GROUP.replace(f":{GROUP}:", ":local:"))
    trail("zzz", CloudWatchLogsLogGroupArn=LOG_GROUP.replace(f":{GROUP}:", ":local:"))
    run(parameters)
    assert len(filters()) == len(CIS)
    assert verdict(parameters)[0] == "COMPLIANT"


@pytest.mark.parametrize("member", ["IsOrganizationTrail", "IsMultiRegionTrail", "CloudWatchLogsLogGroupArn"])
def test_a_trail_that_is_not_understood_is_refused(member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = arrange()
    (described,) = client("cloudtrail").describe_trails()["trailList"]
    odd = {**described, member: "odd"}
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(self: Any, operation: str, given: Any) -> Any:
        return {"trailList": [odd]} if operation == "DescribeTrails" else call(self, operation, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    with pytest.raises(Refused, match="a trail is not understood"):
        run(parameters)


@pytest.mark.parametrize(
    "operation", ["DescribeTrails", "GetTrailStatus", "GetEventSelectors", "DescribeMetricFilters", "GetTopicAttributes"]
)
def test_what_cannot_be_read_is_no_reason_to_act(operation: str) -> None:
    parameters = arrange(*cis(without="DeleteRoute"))
    before = state()
    with answering(**{operation: "AccessDeniedException"}), pytest.raises(ClientError):
        run(parameters)
    assert state() == before


# ----------------------------------------------------------------------------------- failures, deletion, two at once


@pytest.mark.parametrize("operation", ["PutMetricFilter", "PutMetricAlarm"])
def test_a_failure_tells_what_was_done_and_can_be_restored(operation: str) -> None:
    parameters = arrange(*cis(without="DeleteRoute"))
    before, execution = state(), "11111111-2222-4333-8444-555555555555"
    with (
        answering(**{operation: "LimitExceededException"}),
        pytest.raises(RuntimeError, match=r"LimitExceededException.*still needs"),
    ):
        run(parameters, ExecutionId=execution)
    assert (state() == before) is (operation == "PutMetricFilter")
    evidence = {"Evidence": f"s3://b/k/{execution}/before.json"}
    assert restored(evidence)["Outcome"] == ("compliant" if operation == "PutMetricFilter" else "changed")
    assert state() == before


def while_calling(monkeypatch: pytest.MonkeyPatch, operation: str, meanwhile: Callable[[], Any]) -> None:
    """Do something just before the first call of that operation."""
    call = botocore.client.BaseClient._make_api_call
    waiting = [meanwhile]

    def make_api_call(self: Any, name: str, given: Any) -> Any:
        if name == operation and waiting:
            waiting.pop()()
        return call(self, name, given)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)


@pytest.mark.parametrize("operation", ["PutMetricFilter", "PutMetricAlarm"])
def test_two_runs_at_once_make_one_set(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = arrange(*cis(without="DeleteRoute"))
    before, first = state(), list[dict[str, Any]]()
    while_calling(monkeypatch, operation, lambda: first.append(run(parameters)))
    second = run(parameters)
    assert len(filters()) == len(before[0]) + 1
    assert len(alarms()) == len(before[1]) + 1
    assert verdict(parameters)[0] == "COMPLIANT"
    restored(second)
    assert filters() == before[0]


def deleted_trail() -> None:
    client("cloudtrail").delete_trail(Name="main")


def deleted_group() -> None:
    client("logs").delete_log_group(logGroupName=GROUP)


def test_a_trail_and_its_log_group_that_are_deleted_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = arrange()

    def deleted() -> None:
        deleted_trail()
        deleted_group()

    while_calling(monkeypatch, "GetParameter", deleted)
    assert (run(parameters)["Outcome"], alarms()) == ("gone", {})


def test_a_log_group_that_is_deleted_in_between_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = arrange()
    while_calling(monkeypatch, "GetParameter", deleted_group)
    message = r"put_metric_filter failed .*done before that: nothing; it still needs: .*log group trail.*does not exist"
    with pytest.raises(RuntimeError, match=message):
        run(parameters)
    assert alarms() == {}


# ------------------------------------------------------------------------------------------------------------ restore


def other_alarm() -> None:
    client("cloudwatch").put_metric_alarm(**alarm("x", AlarmName="PciConfig-mine"))


def changed_alarm() -> None:
    client("cloudwatch").put_metric_alarm(**{**alarms()["PciConfig-VPC-changes"], "Period": 60})


def deleted_filter() -> None:
    client("logs").delete_metric_filter(logGroupName=GROUP, filterName="PciConfig-VPC-changes")


@pytest.mark.parametrize("change", [other_alarm, changed_alarm, deleted_filter])
def test_a_restore_refuses_what_changed_since(change: Callable[[], None]) -> None:
    result = run(arrange())
    change()
    after = state()
    with pytest.raises(Refused, match="was changed after"):
        restored(result)
    assert state() == after


def test_a_restore_cannot_bring_back_what_others_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = arrange(metric_filter("PciConfig-VPC-changes", "{ $.eventName = Nothing }"))
    while_calling(monkeypatch, "PutMetricFilter", deleted_filter)
    result = run(parameters)
    with pytest.raises(Refused, match="were there before the fix are no longer so"):
        restored(result)


def test_what_has_another_name_does_not_stop_a_restore() -> None:
    result = run(arrange())
    client("cloudwatch").put_metric_alarm(**alarm("x"))
    client("logs").put_metric_filter(logGroupName=GROUP, **metric_filter("mine", "{ $.eventName = x }"))
    assert restored(result)["Outcome"] == "changed"
    assert (list(filters()), list(alarms())) == (["mine"], ["on x"])


def test_a_restore_is_for_the_account_it_runs_in() -> None:
    result = run(arrange())
    with pytest.raises(Refused, match=re.escape(f"{OTHER} is not the account this runs in")):
        fix_testing.restore(DOCUMENT, execution_of(result), ResourceId=OTHER)
