"""Why nobody hears of an event, link by link; and what nobody hears of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pci_config.network_alert_topics import topic_fault
from pci_config.network_alerts import (
    ALARMS,
    RULES,
    Alert,
    Topic,
    alarm_fault,
    counted_as,
    filter_fault,
    gaps,
)
from pci_config.network_changes import Call, calls

OWN, OTHER, REGION = "100000000001", "200000000002", "eu-west-1"


# ------------------------------------------------------------------------------------------------------------- coverage

GROUPS = {"route table": calls(["CreateRoute", "DeleteRoute"], (OWN, REGION), [OTHER], []), "VPC": calls(["CreateVpc"], (OWN, REGION), [], [])}  # fmt: skip
EVERY = [call for found in GROUPS.values() for call in found]


def alert(name: str, *names: str, fault: str | None = None, without: str | None = None) -> Alert:
    return Alert(name, frozenset(call for call in EVERY if call.name in names and call.told != without), fault)


ALL = ("CreateRoute", "DeleteRoute", "CreateVpc")


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ([alert("filter a", *ALL)], []),
        ([alert("filter a", "CreateRoute"), alert("filter b", "DeleteRoute"), alert("rule c", "CreateVpc")], []),
        ([alert("filter a", *ALL), alert("filter b", *ALL, fault="is broken")], []),
        ([], ["nothing alerts on route table changes", "nothing alerts on VPC changes"]),
        ([alert("filter a", "CreateRoute", "DeleteRoute")], ["nothing alerts on VPC changes"]),
        ([alert("filter a", "CreateRoute", "CreateVpc")], ["route table changes: filter a misses DeleteRoute"]),
        (
            [alert("filter a", *ALL, fault="has no alarm")],
            ["route table changes: filter a has no alarm", "VPC changes: filter a has no alarm"],
        ),
        (
            [alert("filter a", "CreateRoute", "CreateVpc"), alert("filter b", "DeleteRoute", fault="is broken")],
            ["route table changes: filter b is broken"],
        ),
        (
            [alert("filter a", "CreateRoute", fault="is broken")],
            ["nothing alerts on VPC changes", "route table changes: filter a is broken", "route table changes: filter a misses DeleteRoute"],
        ),
        ([alert("filter a", *ALL, without="by Root")], ["route table changes: filter a misses CreateRoute by Root, DeleteRoute by Root",
                                                         "VPC changes: filter a misses CreateVpc by Root"]),
        ([alert("filter a", *ALL, without="")], ["route table changes: filter a misses CreateRoute by AssumedRole, DeleteRoute by AssumedRole",
                                                  "VPC changes: filter a misses CreateVpc by AssumedRole"]),
        ([alert("filter a", *ALL, without=f"of account {OTHER}")],
         [f"route table changes: filter a misses CreateRoute of account {OTHER}, DeleteRoute of account {OTHER}"]),
    ],
)  # fmt: skip
def test_what_nobody_hears_of(alerts: list[Alert], expected: list[str]) -> None:
    assert gaps(GROUPS, alerts) == expected


def test_alerts_and_topics_do_not_change() -> None:
    with pytest.raises(AttributeError):
        alert("a").fault = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        topic().confirmed = 1  # type: ignore[misc]


def test_the_widest_is_named_and_the_rest_is_counted() -> None:
    names = [f"Call{number}" for number in range(6)]
    group: dict[str, tuple[Call, ...]] = {"VPC": calls(names, (OWN, REGION), [], [])}

    def seeing(name: str, *seen: str, fault: str | None = None) -> Alert:
        return Alert(name, frozenset(call for call in group["VPC"] if call.name in seen), fault)

    small, wide = seeing("filter small", "Call0"), seeing("filter wide", "Call1", "Call2")
    assert gaps(group, [small, wide]) == ["VPC changes: filter wide misses Call3, Call4, Call5"]
    assert gaps(group, [small]) == ["VPC changes: filter small misses Call1, Call2, Call3 and 2 more"]
    worse = seeing("filter worse", "Call1", "Call2", "Call3", "Call4", "Call5", fault="is dead")
    assert gaps(group, [small, seeing("filter dead", "Call1", fault="is gone"), worse]) == ["VPC changes: filter worse is dead"]
    assert gaps(group, [seeing("filter broken", "Call1", "Call2", fault="is gone"), small]) == [
        "VPC changes: filter broken is gone",
        "VPC changes: filter small misses Call3, Call4, Call5",
    ]


# ------------------------------------------------------------------------------------------------- filters and alarms


def counting(**members: Any) -> dict[str, Any]:
    return {"metricName": "m", "metricNamespace": "n", "metricValue": "1", **members}


def metric_filter(*transformations: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"filterName": "f", "metricTransformations": list(transformations), **members}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (metric_filter(counting()), None),
        (metric_filter(counting(defaultValue=0)), None),
        (metric_filter(counting(defaultValue=0.0)), None),
        (metric_filter(counting(metricValue="2")), None),
        (metric_filter(counting(unit="Count")), None),
        (metric_filter(counting(dimensions={})), None),
        (metric_filter(), "has no metric"),
        ({"filterName": "f"}, "has no metric"),
        (metric_filter(counting(), counting()), "has no metric"),
        (metric_filter(counting(), applyOnTransformedLogs=True), "works on transformed events"),
        (metric_filter(counting(), applyOnTransformedLogs=False), None),
        (
            metric_filter(counting(), fieldSelectionCriteria='@aws.account = "1"'),
            "takes events of some accounts or Regions only",
        ),
        (metric_filter(counting(), emitSystemFieldDimensions=["@aws.account"]), "splits its metric by dimensions"),
        (metric_filter(counting(dimensions={"who": "$.user"})), "splits its metric by dimensions"),
        (metric_filter(counting(metricValue="0")), "adds '0' to its metric, not a count"),
        (metric_filter(counting(metricValue="-1")), "adds '-1'"),
        (metric_filter(counting(metricValue="$.size")), "adds '$.size'"),
        (metric_filter(counting(metricValue="inf")), "adds 'inf'"),
        (metric_filter(counting(metricValue="nan")), "adds 'nan'"),
        (metric_filter(counting(metricValue=None)), "adds None"),
        (metric_filter(counting(metricValue=[])), "adds []"),
        (metric_filter(counting(defaultValue=1)), "has a default value other than 0"),
        (metric_filter(counting(defaultValue=-1)), "has a default value other than 0"),
    ],
)
def test_a_filter_that_does_not_count(found: dict[str, Any], expected: str | None) -> None:
    fault = filter_fault(found)
    assert fault is None if expected is None else f" {expected}" in f" {fault}"


def test_what_an_event_counts() -> None:
    assert [counted_as(counting(metricValue=value)) for value in ("1", "0.5", "3e2", "x", None)] == [1, 0.5, 300, 0, 0]


GOOD: dict[str, Any] = {
    "AlarmName": "a",
    "Statistic": "Sum",
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Period": 300,
    "EvaluationPeriods": 1,
    "ActionsEnabled": True,
    "AlarmActions": ["arn:aws:sns:eu-west-1:100000000001:t"],
}


@pytest.mark.parametrize(
    ("changed", "transformed", "expected"),
    [
        ({}, {}, None),
        ({"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}, {}, None),
        ({"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0.5}, {}, None),
        ({"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1}, {}, "has the threshold GreaterThanThreshold 1, use"),
        ({"ComparisonOperator": "GreaterThanThreshold", "Threshold": 4}, {"metricValue": "5"}, None),
        ({"ComparisonOperator": "GreaterThanThreshold", "Threshold": -1}, {}, "has the threshold GreaterThanThreshold -1"),
        ({"ComparisonOperator": "LessThanThreshold"}, {}, "has the threshold LessThanThreshold 1"),
        ({"ComparisonOperator": "LessThanOrEqualToThreshold"}, {}, "has the threshold"),
        ({"ComparisonOperator": None}, {}, "has the threshold"),
        ({"Threshold": 0}, {}, "has the threshold GreaterThanOrEqualToThreshold 0, use GreaterThanOrEqualToThreshold 1"),
        ({"Threshold": 0.5}, {}, None),
        ({"Threshold": 1.1}, {}, "has the threshold GreaterThanOrEqualToThreshold 1.1"),
        ({"Threshold": 2}, {}, "has the threshold GreaterThanOrEqualToThreshold 2"),
        ({"Threshold": 2}, {"metricValue": "2"}, None),
        ({"Threshold": 1}, {"metricValue": "0.9"}, "has the threshold"),
        ({"Threshold": None}, {}, "has no threshold"),
        ({"Threshold": True}, {}, "has no threshold"),
        ({"Statistic": "Maximum"}, {}, None),
        ({"Statistic": "Average"}, {}, None),
        ({"Statistic": "Minimum"}, {}, None),
        ({"Statistic": "SampleCount"}, {}, None),
        ({"Statistic": "SampleCount", "Threshold": 2}, {"metricValue": "5"}, "has the threshold"),
        ({"Statistic": "Sum"}, {"defaultValue": 0}, None),
        ({"Statistic": "Maximum"}, {"defaultValue": 0}, None),
        ({"Statistic": "Average"}, {"defaultValue": 0}, "uses Average, use Sum"),
        ({"Statistic": "SampleCount"}, {"defaultValue": 0}, "uses SampleCount, use Sum"),
        ({"Statistic": None, "ExtendedStatistic": "p90"}, {}, "uses p90, use Sum"),
        ({"Statistic": None}, {}, "uses no statistic"),
        ({"Dimensions": [{"Name": "x", "Value": "y"}]}, {}, "watches a dimension"),
        ({"Dimensions": []}, {}, None),
        ({"Unit": "Count"}, {}, "watches the unit Count, which the metric does not have"),
        ({"Unit": "None"}, {}, None),
        ({"Unit": "Count"}, {"unit": "Count"}, None),
        ({"Unit": "None"}, {"unit": "Count"}, "watches the unit None"),
        ({"EvaluationPeriods": 2}, {}, "needs more than one period with events"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 2}, {}, "needs more than one period"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 1}, {}, None),
        ({"EvaluationPeriods": None}, {}, "needs more than one period"),
        ({"ActionsEnabled": False}, {}, "has its actions disabled"),
        ({"ActionsEnabled": None}, {}, "has its actions disabled"),
        ({"AlarmActions": []}, {}, "has no action"),
        ({"AlarmActions": [], "OKActions": ["arn:aws:sns:eu-west-1:100000000001:t"]}, {}, "has no action"),
        ({"TreatMissingData": "missing"}, {}, None),
        ({"TreatMissingData": "notBreaching"}, {}, None),
        ({"TreatMissingData": "breaching"}, {}, "treats missing data as breaching, so it is on before"),
        ({"TreatMissingData": "ignore"}, {}, "ignores missing data and its metric has no default value, so it stays on"),
        ({"TreatMissingData": "ignore"}, {"defaultValue": 0}, None),
        ({"Period": 600}, {}, None),
        ({"Period": 601}, {}, "stays on for 601 s after an event and is silent meanwhile; the limit is 600 s"),
        ({"Period": 300, "EvaluationPeriods": 3, "DatapointsToAlarm": 1}, {}, "stays on for 900 s"),
        ({"Period": None}, {}, "has no period"),
        ({"EvaluationPeriods": 1.0}, {}, "has no period"),
    ],
)
def test_an_alarm_that_does_not_act(changed: dict[str, Any], transformed: dict[str, Any], expected: str | None) -> None:
    fault = alarm_fault({**GOOD, **changed}, counting(**transformed), 600)
    assert fault is None if expected is None else f" {expected}" in f" {fault}"


# ---------------------------------------------------------------------------------------------------------------- topics

ARN = f"arn:aws:sns:{REGION}:{OWN}:t"


def statement(effect: str = "Allow", principal: Any = "*", action: Any = "sns:Publish", **condition: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": effect, "Principal": principal, "Action": action, "Resource": ARN}
    return found | ({"Condition": condition} if condition else {})


DEFAULT = statement(principal={"AWS": "*"}, action=["SNS:Publish"], StringEquals={"AWS:SourceOwner": OWN})
SERVICES = statement(principal={"Service": [ALARMS, RULES]})


def topic(*statements: dict[str, Any], confirmed: int = 1, key: str | None = None) -> Topic:
    return Topic(ARN, confirmed, key, json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


@pytest.mark.parametrize(
    ("found", "publisher", "expected"),
    [
        (topic(DEFAULT), ALARMS, None),
        (topic(DEFAULT), RULES, "has no policy that lets events.amazonaws.com publish"),
        (topic(SERVICES), ALARMS, None),
        (topic(SERVICES), RULES, None),
        (topic(DEFAULT, SERVICES), RULES, None),
        (topic(statement(principal={"Service": ALARMS})), RULES, "has no policy"),
        (topic(statement(principal={"Service": RULES}, action="sns:*")), RULES, None),
        (topic(statement(principal={"Service": RULES}, action="sns:Subscribe")), RULES, "has no policy"),
        (topic(statement(principal={"Service": RULES}, StringEquals={"aws:SourceAccount": OWN})), RULES, None),
        (topic(statement(principal={"Service": RULES}, StringEquals={"aws:SourceAccount": OTHER})), RULES, "has no policy"),
        (topic(statement(principal={"Service": RULES}, ArnLike={"aws:SourceArn": "arn:aws:events:*"})), RULES, None),
        (topic(SERVICES, statement("Deny")), RULES, "has no policy"),
        (topic(SERVICES, statement("Deny", Bool={"aws:SecureTransport": "false"})), RULES, None),
        (topic(statement(principal={"AWS": "*"}, action=["SNS:Publish"], StringEquals={"AWS:SourceOwner": OTHER})), ALARMS, "has no policy"),
        (None, ALARMS, "does not exist"),
        (topic(SERVICES, confirmed=0), ALARMS, "has no confirmed subscription"),
        (topic(SERVICES, confirmed=2), ALARMS, None),
        (topic(SERVICES, key="alias/aws/sns"), ALARMS, "is encrypted with alias/aws/sns, which cloudwatch.amazonaws.com cannot use"),
        (topic(SERVICES, key=f"arn:aws:kms:{REGION}:{OWN}:alias/aws/sns"), RULES, "is encrypted with alias/aws/sns, which events.amazonaws.com cannot use"),
        (topic(SERVICES, key=f"arn:aws:kms:{REGION}:{OWN}:key/k"), RULES, None),
        (Topic(ARN, 1, None, "{"), RULES, "cannot be judged: its policy is not JSON:"),
        (Topic(ARN, 1, None, "{}"), RULES, "cannot be judged"),
    ],
)  # fmt: skip
def test_a_topic_that_reaches_nobody(found: Topic | None, publisher: str, expected: str | None) -> None:
    fault = topic_fault(found, publisher, OWN)
    assert fault is None if expected is None else f" {expected}" in f" {fault}"


def test_a_role_needs_no_policy_but_all_the_rest() -> None:
    assert topic_fault(topic(DEFAULT), RULES, OWN, by_role=True) is None
    assert topic_fault(topic(DEFAULT, confirmed=0), RULES, OWN, by_role=True) == "has no confirmed subscription"
    assert "cannot use" in str(topic_fault(topic(DEFAULT, key="alias/aws/sns"), RULES, OWN, by_role=True))
