"""Alarms on the rules' function: verdicts that are not reached, in each account and Region.

There is no dead-letter queue. AWS Config invokes the function asynchronously, and Lambda tries an event three times. An alarm
tells of what is lost then, and StartConfigRulesEvaluation judges again from the item that AWS Config has kept. An event of a
queue would need a result token that still holds, and is a copy of the configuration in one more place that has to be guarded.

Source: Lambda developer guide, types of metrics and asynchronous invocation; CloudWatch user guide (an alarm tells topics of
its own Region only).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.org_names import PREFIX
from pci_config.template_forms import is_given, managed_tags, only_if, optional

PERIOD_SECONDS = 300
ALARM_PREFIX = f"{PREFIX}-rules-"
HAS_TOPIC = "HasAlarmTopic"


@dataclass(frozen=True, slots=True)
class FunctionAlarm:
    """More than nothing of the metric in each of so many periods of five minutes."""

    name: str
    metric: str
    periods: int
    meaning: str


ALARMS: Mapping[str, FunctionAlarm] = {
    "ErrorAlarm": FunctionAlarm(
        "errors", "Errors", 1, "A rule failed: a parameter, a right or a call of AWS. Its log line says which and why"
    ),
    # Lambda keeps throttled events for six hours: a burst, as when packs come, drains by itself
    "ThrottleAlarm": FunctionAlarm(
        "throttles", "Throttles", 3, "The function has been throttled for a quarter of an hour: verdicts are late"
    ),
    "DroppedEventAlarm": FunctionAlarm(
        "dropped-events", "AsyncEventsDropped", 1, "Changes were not judged, after every retry: evaluate the rules again"
    ),
}


def alarm_parameters() -> dict[str, Any]:
    what = "SNS topic of each Region that alarms tell, as account:name; none: alarms without action"
    return {"AlarmTopic": optional(what, "[0-9]{12}:[A-Za-z0-9_-]{1,256}")}


def alarm_conditions() -> dict[str, Any]:
    return {HAS_TOPIC: is_given("AlarmTopic")}


def alarm_resources(function: str) -> dict[str, Any]:
    """`function` is the logical id of the function."""
    return {logical_id: _alarm(alarm, function) for logical_id, alarm in ALARMS.items()}


def _alarm(alarm: FunctionAlarm, function: str) -> dict[str, Any]:
    topic = {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AlarmTopic}"}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"{ALARM_PREFIX}{alarm.name}",
            "AlarmDescription": alarm.meaning,
            "Namespace": "AWS/Lambda",
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": function}}],
            "Statistic": "Sum",
            "Period": PERIOD_SECONDS,
            "EvaluationPeriods": alarm.periods,
            "DatapointsToAlarm": alarm.periods,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "TreatMissingData": "notBreaching",  # no invocation, no metric
            "AlarmActions": only_if(HAS_TOPIC, [topic]),
            "Tags": managed_tags(),
        },
    }
