"""Adds to moto's flow logs that a call with a known ClientToken makes nothing more, and ids that follow from what a flow log
records and where, so that runs can be compared.

Source: EC2 API reference, CreateFlowLogs; EC2 developer guide, "Ensuring idempotency".
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.flow_logs import FlowLogsBackend
from moto.ec2.responses.flow_logs import FlowLogs as FlowLogsResponse

_create, _answer = FlowLogsBackend.create_flow_logs, FlowLogsResponse.create_flow_logs


def install() -> None:
    """Teach moto these. Installing again changes nothing."""
    FlowLogsBackend.create_flow_logs = create_flow_logs  # type: ignore[method-assign, assignment]
    FlowLogsResponse.create_flow_logs = create_flow_logs_once  # type: ignore[method-assign]


def create_flow_logs(self: Any, **members: Any) -> tuple[list[Any], list[Any]]:
    made, failed = _create(self, **members)
    for log in made:
        named = "|".join(map(str, (log.resource_id, log.traffic_type, log.log_destination, log.log_group_name)))
        del self.flow_logs[log.id]
        log.id = f"fl-{hashlib.sha256(named.encode()).hexdigest()[:17]}"
        self.flow_logs[log.id] = log
    return made, failed


def create_flow_logs_once(self: Any) -> ActionResult:
    known: dict[str, Any] = self.ec2_backend.__dict__.setdefault("sandbox_flow_log_tokens", {})
    token = self._get_param("ClientToken")
    if token in known:
        return ActionResult(known[token])
    before = set(self.ec2_backend.flow_logs)
    answer = _answer(self)
    made = [name for name in self.ec2_backend.flow_logs if name not in before]
    if token and made:
        known[token] = {"FlowLogIds": made, "Unsuccessful": []}
    return answer
