"""What the metric filters of a trail's log group see, and which of it somebody hears.

The rule on network change alerts and the fix for it decide by this; what AWS is asked comes through `AlertSurroundings`.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from pci_config.metric_pattern import Expression, PatternError, parse
from pci_config.network_alerts import Alert, alarm_fault, filter_fault
from pci_config.network_changes import UNRELATED, Call, log_group_name, recorded_by, trail_event
from pci_config.trail import member

MAX_TOLD = 80  # characters of an error
ELLIPSIS = chr(0x2026)  # written so that a built document stays plain text


class AlertSurroundings(Protocol):
    """What a trail's events lead to, in the shapes of AWS's answers."""

    def status(self, trail_arn: str) -> Mapping[str, Any]: ...

    def selectors(self, trail_arn: str) -> Mapping[str, Any] | None: ...

    def filters(self, log_group: str) -> Sequence[Mapping[str, Any]]: ...

    def alarms(self, namespace: str, metric: str) -> Sequence[Mapping[str, Any]]: ...

    def action_fault(self, arn: str) -> str | None:
        """Why an action of an alarm reaches nobody, if so."""
        ...


class FilterJudge:
    """`unread` collects filters that no alert can be made of. Methods raise MalformedTrailError."""

    def __init__(self, around: AlertSurroundings, home: tuple[str, str], max_silence_seconds: int) -> None:
        self._around, self._home, self._max_silence_seconds = around, home, max_silence_seconds
        self.unread: list[str] = []

    def alerts(self, trail: Mapping[str, Any], wanted: Sequence[Call]) -> Iterator[Alert]:
        """Of each filter of the trail's log group that sees any of the calls."""
        arn, group = member(trail, "TrailARN", str), log_group_name(trail)
        fault = trail_fault(trail, self._around.status(arn), group)
        selectors = self._around.selectors(arn)
        recorded = [call for call in wanted if recorded_by(trail, selectors, call)]
        for found in self._around.filters(group):
            expression = self._parsed(found)
            sees = frozenset(call for call in recorded if expression and expression.matches(call.event))
            if expression and sees:
                own = fault or self._filter_fault(found, expression)
                transformation = None if own else found["metricTransformations"][0]
                deaf = own or self._unheard(transformation)
                yield Alert(f"filter {found.get('filterName')}", sees, deaf, transformation)

    def _parsed(self, found: Mapping[str, Any]) -> Expression | None:
        try:
            return parse(str(found.get("filterPattern") or ""))
        except PatternError as error:
            self.unread.append(f"filter {found.get('filterName')} does not count: {error}")
            return None

    def _filter_fault(self, found: Mapping[str, Any], expression: Expression) -> str | None:
        fault = filter_fault(found)
        if not fault and expression.matches(trail_event(UNRELATED, *self._home, read_only=True)):
            return f"counts unrelated calls too ({UNRELATED}), so that its alarm is always on"
        return fault

    def _unheard(self, transformation: Any) -> str | None:
        metric = str(transformation.get("metricNamespace")), str(transformation.get("metricName"))
        faults = [self._alarm_fault(alarm, transformation) for alarm in self._around.alarms(*metric)]
        if not faults:
            return f"has no alarm on its metric {'/'.join(metric)}"
        return None if None in faults else faults[0]

    def _alarm_fault(self, alarm: Mapping[str, Any], transformation: Mapping[str, Any]) -> str | None:
        name = f"alarm {alarm.get('AlarmName')}"
        fault = alarm_fault(alarm, transformation, self._max_silence_seconds)
        if fault:
            return f"alerts nobody: {name} {fault}"
        faults = [self._around.action_fault(str(arn)) for arn in alarm.get("AlarmActions") or ()]
        return None if None in faults else f"alerts nobody: {name}: {faults[0]}"


def trail_fault(trail: Mapping[str, Any], status: Mapping[str, Any], group: str) -> str | None:
    """Why no events come to the trail's log group, if so."""
    if status.get("IsLogging") is not True:
        return f"gets no events: trail {member(trail, 'Name', str)} is not logging"
    if error := status.get("LatestCloudWatchLogsDeliveryError"):
        told = " ".join(str(error).split())
        told = told if len(told) <= MAX_TOLD else told[: MAX_TOLD - 2].rstrip() + f" {ELLIPSIS}"
        return f"gets no events: the last delivery to log group {group} failed: {told}"
    return None
