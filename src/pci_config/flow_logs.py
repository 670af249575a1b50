"""Does a VPC's flow log record enough, and does it end in the archive?

Source: EC2 API reference, FlowLog; members in the spelling of recorded items. Standard library only: a fix inlines it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.log_destination import Place, Route, Surroundings, group_route, route


class MalformedFlowLogError(ValueError):
    """The flow log does not say what decides."""


def spelled_as_recorded(log: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeFlowLogs' FlowLog with the names of a recorded item: FlowLogId is flowLogId."""
    return {name[:1].lower() + name[1:]: value for name, value in log.items()}


def judged_flow_log(
    log: Mapping[str, Any], traffic_type: str, place: Place, surroundings: Surroundings
) -> tuple[list[str], Route]:
    """What keeps a flow log from counting, and its way. Raises MalformedFlowLogError."""
    name = flow_log_text(log, "flowLogId")
    faults = []
    status, traffic = flow_log_text(log, "flowLogStatus"), flow_log_text(log, "trafficType")
    if status != "ACTIVE":
        faults.append(f"flow log {name} is {status}, expected ACTIVE")
    if traffic not in {"ALL", traffic_type}:
        faults.append(f"flow log {name} records {traffic} traffic, expected {traffic_type}")
    failing = failing_delivery(log)
    if failing:
        faults.append(f"flow log {name}: {failing}")
    kind, group = flow_log_text(log, "logDestinationType"), log.get("logGroupName")
    if kind == "cloud-watch-logs" and isinstance(group, str) and group:
        way = group_route(group, place, surroundings)
    else:
        way = route(flow_log_text(log, "logDestination"), place, surroundings)
    return faults + ([f"flow log {name} -> {way.told()}"] if way.fault else []), way


def failing_delivery(log: Mapping[str, Any]) -> str | None:
    """Why nothing arrives. Absent until the first delivery was tried."""
    if log.get("deliverLogsStatus") != "FAILED":
        return None
    return f"delivery fails ({log.get('deliverLogsErrorMessage') or 'no reason given'})"


def flow_log_text(log: Mapping[str, Any], name: str) -> str:
    """A member that every flow log has. Raises MalformedFlowLogError."""
    value = log.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedFlowLogError(f"AWS::EC2::FlowLog: {name} is missing")
    return value
