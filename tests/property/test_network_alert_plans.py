"""Whatever filters and alarms there are, the plan of PciConfig-CreateNetworkChangeAlerts closes every gap and touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config.metric_pattern import MAX_CHARACTERS
from pci_config.network_changes import CIS, event_names
from pci_config.runbook import Refused
from script_loader import load_script

script = load_script("PciConfig-CreateNetworkChangeAlerts")
OWN, OTHER, REGION = "123456789012", "600000000006", "eu-west-1"
TOPIC, DEAF = (f"arn:aws:sns:{REGION}:{OWN}:{name}" for name in ("alerts", "deaf"))
TRAIL = {
    "Name": "main", "TrailARN": f"arn:aws:cloudtrail:{REGION}:{OWN}:trail/main", "HomeRegion": REGION,
    "IsOrganizationTrail": True, "IsMultiRegionTrail": True,
    "CloudWatchLogsLogGroupArn": f"arn:aws:logs:{REGION}:{OWN}:log-group:trail:*",
}  # fmt: skip
EVENT = {
    "ResourceId": OWN, "AccountId": OWN, "Region": REGION, "TopicArn": TOPIC, "AlertHome": "trail", "MaxSilenceSeconds": "3600",
    "TrustedTargets": "none",
}  # fmt: skip
NAMES = [name for names in CIS.values() for name in names]
LIMITS = ("", '$.userIdentity.type = "Root" && ', f'$.awsRegion = "{REGION}" && ', '$.recipientAccountId != "600000000006" && ')


class InMemory:
    """What AWS would answer."""

    logging, alarms_there = True, list[dict[str, Any]]()

    def __init__(self, action_fault: Any, state: Mapping[str, Any], filters: Sequence[Any], alarms: Sequence[Any]) -> None:
        self.action_fault = action_fault
        self._filters, self._alarms = [*state["filters"], *filters], [*self.alarms_there, *alarms]

    def status(self, _: str) -> Mapping[str, Any]:
        return {"IsLogging": self.logging}

    def selectors(self, _: str) -> Mapping[str, Any]:
        return {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}

    def filters(self, _: str) -> Sequence[Any]:
        return self._filters

    def alarms(self, namespace: str, metric: str) -> Sequence[Any]:
        return [each for each in self._alarms if (each["Namespace"], each["MetricName"]) == (namespace, metric)]


@st.composite
def filters(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A filter of any name, pattern and value, and up to two alarms on its metric."""
    name = draw(st.sampled_from(["VPC", "mine", "PciConfig-VPC-changes", "PciConfig-gateway-changes", "PciConfig-mine"]))
    counted = " || ".join(f"$.eventName = {each}" for each in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=20)))
    pattern = draw(st.sampled_from([f"{{ {limit}({counted}) }}" for limit in LIMITS] + ["", "terms", "{ $.eventName = * }"]))
    transformation = {
        "metricName": name,
        "metricNamespace": "cis",
        "metricValue": draw(st.sampled_from(["1", "0.5", "0", "$.x"])),
    }
    alarms = [
        {
            "AlarmName": draw(st.sampled_from(["a", "PciConfig-VPC", "PciConfig-mine"])), "Namespace": "cis", "MetricName": name,
            "Statistic": "Sum", "Period": draw(st.sampled_from([300, 3600, 7200])), "EvaluationPeriods": 1,
            "Threshold": draw(st.sampled_from([1.0, 2.0])), "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "ActionsEnabled": draw(st.booleans()), "AlarmActions": [draw(st.sampled_from([TOPIC, DEAF]))],
        }
        for _ in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    return {"filterName": name, "filterPattern": pattern, "metricTransformations": [transformation]}, alarms


def planner(monkeypatch: pytest.MonkeyPatch, extended: str) -> Any:
    monkeypatch.setattr(script, "SETTINGS", {"Accounts": {"a": OWN, "b": [OTHER]}, "Regions": [REGION, "us-east-1"]})
    monkeypatch.setattr(script, "AskedAlerts", InMemory)
    fix = script.AlertFix({**EVENT, "ExtendedEvents": extended})
    monkeypatch.setattr(fix, "_check_topic", lambda: None)
    monkeypatch.setattr(fix, "_action_fault", lambda arn: None if arn == TOPIC else "is deaf")
    return fix


@settings(max_examples=60, deadline=None)
@given(st.lists(filters(), max_size=4, unique_by=lambda found: found[0]["filterName"]), st.booleans(), st.booleans())
def test_the_plan_closes_every_gap(
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]], extended: bool, logging: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        fix = planner(monkeypatch, str(extended).lower())
        named = {alarm["AlarmName"]: alarm for _, alarms in found for alarm in alarms}
        monkeypatch.setattr(InMemory, "alarms_there", list(named.values()))
        monkeypatch.setattr(InMemory, "logging", logging)
        own = [alarm for name, alarm in named.items() if name.startswith("PciConfig-")]
        state = {"trails": [TRAIL], "elsewhere": [], "group": "trail", "filters": [each for each, _ in found], "alarms": own}
        if not logging:
            with pytest.raises(Refused, match="PciConfig-RepairTrail first"):
                fix.changes(state)
            return
        plan = fix.changes(state)
        new = [change.parameters for change in plan if change.operation == "put_metric_filter"]
        alarms = [change.parameters for change in plan if change.operation == "put_metric_alarm"]
        assert len(plan) == len(new) + len(alarms)

        names = {each["filterName"] for each, _ in found}
        assert not names & {each["filterName"] for each in new}, "no filter is replaced"
        assert not set(named) & {each["AlarmName"] for each in alarms}, "no alarm is replaced"
        assert len({each["AlarmName"] for each in alarms}) == len(alarms)
        assert all(each["AlarmName"].startswith("PciConfig-") for each in alarms)
        assert all(len(each["filterPattern"]) <= MAX_CHARACTERS for each in new)

        monkeypatch.setattr(InMemory, "alarms_there", [*named.values(), *alarms])
        after = {**state, "filters": [*state["filters"], *new], "alarms": [*own, *alarms]}
        assert fix.changes(after) == []
        heard = fix._alerts(after, fix._groups([TRAIL]), [], [])
        told = {call.name for alert in heard if not alert.fault for call in alert.sees}
        assert told >= {name for group in event_names(extended).values() for name in group}
