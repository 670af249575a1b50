"""Who hears of an event: from a metric filter or an EventBridge rule to somebody who is told. And what nobody hears of.

Sources: CloudWatch Logs API reference (MetricFilter, MetricTransformation); CloudWatch API reference (MetricAlarm) and user
guide, "Configuring how CloudWatch alarms treat missing data"; SNS developer guide, "Key management"; EventBridge API reference,
Rule. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.network_changes import Call

ALARMS, RULES = "cloudwatch.amazonaws.com", "events.amazonaws.com"  # the services that publish
MANAGED_KEY = "alias/aws/sns"  # nobody can let another service use it
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Alert:
    """A filter or rule: the calls it sees, and why nobody hears of them, if so.

    `transformation` is that of a filter which counts them rightly: where there is a fault, only an alarm is missing.
    """

    name: str
    sees: frozenset[Call]
    fault: str | None = None
    transformation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic. `confirmed` counts its subscriptions without those that wait for a confirmation."""

    arn: str
    confirmed: int
    key: str | None
    policy: str


# ------------------------------------------------------------------------------------------------------------- coverage


def gaps(groups: Mapping[str, Sequence[Call]], alerts: Sequence[Alert]) -> list[str]:
    """What no one hears of, group by group: nothing alerts, then what alerts in vain, then what is missed."""
    nothing, in_vain, missed = [], [], []
    for group, calls in groups.items():
        heard = frozenset[Call]().union(*(alert.sees for alert in alerts if alert.fault is None))
        unheard = [call for call in calls if call not in heard]
        if not unheard:
            continue
        related = [alert for alert in alerts if not alert.sees.isdisjoint(calls)]
        if not related:
            nothing.append(f"nothing alerts on {group} changes")
            continue
        broken = [alert for alert in related if alert.fault is not None and not alert.sees.isdisjoint(unheard)]
        if broken:
            worst = max(broken, key=lambda alert: len(alert.sees.intersection(unheard)))
            in_vain.append(f"{group} changes: {worst.name} {worst.fault}")
        left = [call for call in unheard if not any(call in alert.sees for alert in broken)]
        if left:
            widest = max(related, key=lambda alert: (alert.fault is None, len(alert.sees.intersection(calls))))
            missed.append(f"{group} changes: {widest.name} misses {_told(left, calls)}")
    return nothing + in_vain + missed


def _told(left: Sequence[Call], calls: Sequence[Call]) -> str:
    """Names of calls; where one is missed in some cases only, the first of those."""
    named = []
    for name in dict.fromkeys(call.name for call in left):
        cases = [call for call in left if call.name == name]
        always = len(cases) == sum(call.name == name for call in calls)
        named.append(name if always else f"{name} {cases[0].told or 'by AssumedRole'}")
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return ", ".join(named[:MAX_NAMED]) + more


# ------------------------------------------------------------------------------------------------- filters and alarms


def filter_fault(metric_filter: Mapping[str, Any]) -> str | None:
    """Why a metric filter (DescribeMetricFilters) does not count every matching event into one metric, if so."""
    transformations = metric_filter.get("metricTransformations") or []
    if len(transformations) != 1:
        return "has no metric"
    transformation = transformations[0]
    if metric_filter.get("applyOnTransformedLogs"):
        return "works on transformed events, which are not known here"
    if metric_filter.get("fieldSelectionCriteria"):
        return "takes events of some accounts or Regions only"
    if metric_filter.get("emitSystemFieldDimensions") or transformation.get("dimensions"):
        return "splits its metric by dimensions, so that no one alarm sees every event"
    if counted_as(transformation) <= 0:
        return f"adds {transformation.get('metricValue')!r} to its metric, not a count"
    if transformation.get("defaultValue"):
        return "has a default value other than 0, so that its alarm is always on"
    return None


def counted_as(transformation: Mapping[str, Any]) -> float:
    """What one event adds to the metric; 0 when that depends on the event."""
    try:
        value = float(transformation.get("metricValue") or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if value < float("inf") else 0.0


def alarm_fault(alarm: Mapping[str, Any], transformation: Mapping[str, Any], max_window_seconds: int) -> str | None:
    """Why one event alone does not set off an alarm (DescribeAlarms) on the filter's metric, or not again soon, if so."""
    return _never_fires(alarm, transformation) or _stays_on(alarm, transformation, max_window_seconds)


def _never_fires(alarm: Mapping[str, Any], transformation: Mapping[str, Any]) -> str | None:
    if alarm.get("Dimensions"):
        return "watches a dimension that the metric does not have"
    if alarm.get("Unit") not in (None, transformation.get("unit") or "None"):
        return f"watches the unit {alarm['Unit']}, which the metric does not have"
    diluted = transformation.get("defaultValue") is not None  # every other event adds a zero
    statistics = ("Sum", "Maximum") if diluted else ("Sum", "Maximum", "Average", "Minimum", "SampleCount")
    if alarm.get("Statistic") not in statistics:
        return f"uses {alarm.get('Statistic') or alarm.get('ExtendedStatistic') or 'no statistic'}, use Sum"
    one = 1.0 if alarm["Statistic"] == "SampleCount" else counted_as(transformation)
    threshold, comparison = alarm.get("Threshold"), alarm.get("ComparisonOperator")
    if not isinstance(threshold, (int, float)) or isinstance(threshold, bool):
        return "has no threshold"
    fires = (comparison == "GreaterThanOrEqualToThreshold" and 0 < threshold <= one) or (
        comparison == "GreaterThanThreshold" and 0 <= threshold < one
    )
    if not fires:
        return f"has the threshold {comparison} {threshold:g}, use GreaterThanOrEqualToThreshold 1"
    if (alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods")) != 1:
        return "needs more than one period with events"
    if alarm.get("ActionsEnabled") is not True:
        return "has its actions disabled"
    return None if alarm.get("AlarmActions") else "has no action"


def _stays_on(alarm: Mapping[str, Any], transformation: Mapping[str, Any], max_window_seconds: int) -> str | None:
    """An alarm acts when it changes into alarm, so one that stays there is silent."""
    missing = alarm.get("TreatMissingData") or "missing"
    if missing == "breaching":
        return "treats missing data as breaching, so it is on before anything happens"
    if missing == "ignore" and transformation.get("defaultValue") is None:
        return "ignores missing data and its metric has no default value, so it stays on after the first event"
    period, periods = alarm.get("Period"), alarm.get("EvaluationPeriods")
    if type(period) is not int or type(periods) is not int:
        return "has no period"
    if period * periods > max_window_seconds:
        return f"stays on for {period * periods} s after an event and is silent meanwhile; the limit is {max_window_seconds} s"
    return None


# ---------------------------------------------------------------------------------------------------------------- topics


def deaf_topic_fault(topic: Topic | None, publisher: str) -> str | None:
    """Why what is published to a topic reaches nobody, whoever may publish, if so."""
    if topic is None:
        return "does not exist"
    if not topic.confirmed:
        return "has no confirmed subscription"
    if topic.key and topic.key.endswith(MANAGED_KEY):
        return f"is encrypted with {MANAGED_KEY}, which {publisher} cannot use"
    return None
