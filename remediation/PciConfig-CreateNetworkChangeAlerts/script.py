"""Adds what is missing so that the metric filters on a trail's log group alert on every change of the network's controls.

Nothing that others made is changed: where a filter counts rightly and only its alarm is missing, an alarm is added; what no
filter counts gets a filter and an alarm of this document's own. Before that, the plan is judged as if it were there already.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.network_alert_filters import FilterJudge
from pci_config.network_alerts import ALARMS, Alert, Topic, counted_as, deaf_topic_fault
from pci_config.network_changes import calls, event_names, log_group_name, log_group_place, places_left_to, width
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, integer, put_back, require_own
from pci_config.topic_policy import plainly_publishes
from pci_config.trail import MalformedTrailError

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

PREFIX = "PciConfig-"  # of everything that is made here; the role may make and delete no other alarm
NAMESPACE = "PciConfig"
LONGEST_NAME = 200  # an alarm's name has 255 characters at most
PERIOD = 300
FILTER = ("filterName", "filterPattern", "metricTransformations")
ALARM = (
    *("AlarmName", "MetricName", "Namespace", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator"),
    *("TreatMissingData", "ActionsEnabled", "AlarmActions"),
)
Found = Mapping[str, Any]


class AlertHome:
    """The log group of this account and Region to which the widest trail sends its events.

    State: {"trails": those that send here, the widest first; "elsewhere": the others; "group": of the widest, or None;
    "filters": of that group, None when it does not exist; "alarms": those made here}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ResourceId"])
        self._home = str(event["AccountId"]), str(event["Region"])
        self._seen = False
        if self.resource_id != self._home[0]:
            raise Refused(f"{self.resource_id} is not the account this runs in ({self._home[0]})")

    def read(self) -> dict[str, Any] | None:
        trails = aws("cloudtrail").describe_trails(includeShadowTrails=True)["trailList"]
        try:
            trails = sorted(trails, key=lambda trail: (width(trail), trail["TrailARN"]), reverse=True)
            here = [trail for trail in trails if log_group_place(trail) == self._home]
        except MalformedTrailError as error:
            raise Refused(f"a trail is not understood: {error}") from error
        if self._seen and not here:
            return None
        self._seen = bool(here)
        group = log_group_name(here[0]) if here else None
        pages = aws("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=PREFIX)
        return {
            "trails": here,
            "elsewhere": [trail for trail in trails if trail not in here],
            "group": group,
            "filters": filters_of(group) if group else None,
            "alarms": [alarm for page in pages for alarm in page["MetricAlarms"]],
        }

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        own = [found for found in state["filters"] or () if str(found["filterName"]).startswith(PREFIX)]
        return {
            "LogGroup": state["group"],
            "Filters": sorted(({name: f.get(name) for name in FILTER} for f in own), key=lambda f: str(f["filterName"])),
            "Alarms": sorted(
                ({name: a.get(name) for name in ALARM} for a in state["alarms"]), key=lambda a: str(a["AlarmName"])
            ),
        }


class AlertFix(AlertHome):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._event = event
        self._topic = str(event["TopicArn"])
        self._extended, self._silence = boolean(event, "ExtendedEvents"), integer(event, "MaxSilenceSeconds")
        self._here_only = str(event["AlertHome"]) == "each-region"
        if self._silence < 60:
            raise Refused(f"MaxSilenceSeconds is {self._silence}; expected 60 or more")
        trusted = str(event["TrustedTargets"])
        self._trusted = [] if trusted == "none" else [pattern.strip() for pattern in trusted.split(",")]

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return {}  # of the account; nothing that a template describes is changed

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        try:
            return self._planned(state)
        except MalformedTrailError as error:
            raise Refused(f"a trail is not understood: {error}") from error

    def _planned(self, state: Mapping[str, Any]) -> Sequence[Change]:
        if not state["trails"]:
            raise Refused(self._where(state["elsewhere"]))
        if state["filters"] is None:
            raise Refused(f"log group {state['group']}, to which the trail sends events, does not exist: PciConfig-RepairTrail")
        groups = self._groups(state["trails"])
        alerts = self._alerts(state, groups, [], [])
        if not unheard(groups, alerts):
            return []
        self._check_topic()
        filters, alarms = self._missing(state, groups, alerts)
        left = unheard(groups, self._alerts(state, groups, filters, alarms))
        if left:
            why = next((alert.fault for alert in alerts if alert.fault), "the trail does not record it or is not logging")
            raise Refused(f"alerts would still miss {', '.join(left[:3])} ({why}): PciConfig-RepairTrail first")
        return [
            *(
                Change("logs", "put_metric_filter", {"logGroupName": state["group"], **f}, f"filter {f['filterName']}")
                for f in filters
            ),
            *(Change("cloudwatch", "put_metric_alarm", alarm, f"alarm {alarm['AlarmName']}") for alarm in alarms),
        ]

    def _where(self, elsewhere: Sequence[Found]) -> str:
        for trail in elsewhere:
            place = log_group_place(trail)
            if place:
                return f"trail {trail['Name']} alerts from its log group in account {place[0]}, {place[1]}: run this there"
        return "no trail sends events to a log group here: PciConfig-RepairTrail gives the organization trail one"

    def _groups(self, trails: Sequence[Found]) -> dict[str, Any]:
        every = SETTINGS.get("Accounts", {}).values()
        accounts = sorted({account for ids in every for account in ([ids] if isinstance(ids, str) else ids)})
        places = ((), ()) if self._here_only else places_left_to(trails, accounts, SETTINGS.get("Regions", []))
        return {group: calls(names, self._home, *places) for group, names in event_names(self._extended).items()}

    def _alerts(
        self, state: Found, groups: Mapping[str, Any], filters: Sequence[Found], alarms: Sequence[Found]
    ) -> list[Alert]:
        """What alerts now, and would with these filters and alarms more."""
        wanted = [call for found in groups.values() for call in found]
        judge = FilterJudge(AskedAlerts(self._action_fault, state, filters, alarms), self._home, self._silence)
        return [alert for trail in state["trails"] for alert in judge.alerts(trail, wanted)]

    def _missing(
        self, state: Found, groups: Mapping[str, Any], alerts: Sequence[Alert]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Filters that count what none counts, and an alarm on each metric of a right filter that has none."""
        filters: list[dict[str, Any]] = []
        alarms: list[dict[str, Any]] = []
        named = {str(alarm["AlarmName"]) for alarm in state["alarms"]}
        taken = {str(found["filterName"]) for found in state["filters"]} | named
        heard = {call for alert in alerts if not alert.fault for call in alert.sees}
        for alert in alerts:
            if alert.fault and alert.transformation and not alert.sees <= heard:
                alarms.append(self._alarm(free(alert.name.removeprefix("filter "), named), alert.transformation))
                heard |= alert.sees
        for group, found in groups.items():
            names = dict.fromkeys(call.name for call in found if call not in heard)
            if names:
                name = free(f"{group.replace(' ', '-')}-changes", taken | named)
                transformation = {"metricName": name, "metricNamespace": NAMESPACE, "metricValue": "1"}
                pattern = "{ " + " || ".join(f"($.eventName = {each})" for each in names) + " }"
                filters.append({"filterName": name, "filterPattern": pattern, "metricTransformations": [transformation]})
                alarms.append(self._alarm(name, transformation))
        return filters, alarms

    def _alarm(self, name: str, transformation: Found) -> dict[str, Any]:
        return {
            "AlarmName": name,
            "MetricName": transformation["metricName"],
            "Namespace": transformation["metricNamespace"],
            "Statistic": "Sum",
            "Period": min(PERIOD, self._silence // 60 * 60),
            "EvaluationPeriods": 1,
            "Threshold": min(1.0, counted_as(transformation)),
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": True,
            "AlarmActions": [self._topic],
        }

    def _check_topic(self) -> None:
        if self._topic == "none":
            raise Refused("somebody must be told: run with TopicArn, a topic of this account and Region")
        require_own(self._event, self._topic)
        fault = self._topic_fault(self._topic)
        if fault:
            raise Refused(f"an alarm to {self._topic} would tell nobody: it {fault}")

    def _action_fault(self, arn: str) -> str | None:
        if any(fnmatch.fnmatchcase(arn, pattern) for pattern in self._trusted):
            return None
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2:5] != ["sns", self._home[1], self._home[0]]:
            return f"{arn} cannot be looked into"
        return self._topic_fault(arn)

    def _topic_fault(self, arn: str) -> str | None:
        topic = topic_of(arn)
        fault = deaf_topic_fault(topic, ALARMS)
        if fault or topic is None or plainly_publishes(topic.policy, ALARMS, arn, self._home[0]):
            return fault
        return f"has no policy that plainly lets {ALARMS} publish"


class AlertRestore(AlertHome):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        now = self.record(state)
        filters, alarms = (added(before[kind], now[kind]) for kind in ("Filters", "Alarms"))
        found = []
        if alarms:
            names = [alarm["AlarmName"] for alarm in alarms]
            found.append(Change("cloudwatch", "delete_alarms", {"AlarmNames": names}, f"delete {', '.join(names)}"))
        for each in filters:
            parameters = {"logGroupName": now["LogGroup"], "filterName": each["filterName"]}
            found.append(Change("logs", "delete_metric_filter", parameters, f"delete filter {each['filterName']}"))
        return found


class AskedAlerts:
    """`AlertSurroundings` answered by calls, with filters and alarms that are planned only."""

    def __init__(self, action_fault: Any, state: Found, filters: Sequence[Found], alarms: Sequence[Found]) -> None:
        self.action_fault = action_fault
        self._state, self._filters, self._alarms = state, filters, alarms

    def status(self, trail_arn: str) -> Found:
        found: Found = aws("cloudtrail").get_trail_status(Name=trail_arn)
        return found

    def selectors(self, trail_arn: str) -> Found:
        found: Found = aws("cloudtrail").get_event_selectors(TrailName=trail_arn)
        return found

    def filters(self, log_group: str) -> Sequence[Found]:
        if log_group == self._state["group"]:
            return [*self._state["filters"], *self._filters]
        return filters_of(log_group) or []

    def alarms(self, namespace: str, metric: str) -> Sequence[Found]:
        found = aws("cloudwatch").describe_alarms_for_metric(Namespace=namespace, MetricName=metric)["MetricAlarms"]
        return [*found, *(a for a in self._alarms if (a["Namespace"], a["MetricName"]) == (namespace, metric))]


def unheard(groups: Mapping[str, Any], alerts: Iterable[Alert]) -> list[str]:
    heard = {call for alert in alerts if alert.fault is None for call in alert.sees}
    return list(dict.fromkeys(call.name for found in groups.values() for call in found if call not in heard))


def added(before: Sequence[Found], now: Sequence[Found]) -> list[Found]:
    """What is there now and was not before. Raises Refused when something of before is no longer as it was."""
    if any(entry not in now for entry in before):
        raise Refused("filters or alarms that were there before the fix are no longer so: restoring cannot bring them back")
    return [entry for entry in now if entry not in before]


def free(text: str, taken: set[str]) -> str:
    """A name that nothing has, since a Put would replace what has it."""
    name = stem = PREFIX + text.removeprefix(PREFIX)[:LONGEST_NAME]
    number = 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name


def filters_of(group: str) -> list[Found] | None:
    """The metric filters of a log group; None when there is no such group."""
    pages = aws("logs").get_paginator("describe_metric_filters").paginate(logGroupName=group)
    try:
        return [found for page in pages for found in page["metricFilters"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def topic_of(arn: str) -> Topic | None:
    try:
        attributes = aws("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        pages = aws("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        subscriptions = [each for page in pages for each in page["Subscriptions"]]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NotFound", "NotFoundException"):
            return None
        raise
    confirmed = sum(each["SubscriptionArn"].startswith("arn:") for each in subscriptions)
    return Topic(arn, confirmed, attributes.get("KmsMasterKeyId") or None, attributes["Policy"])


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, AlertFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, AlertRestore)
