"""What Systems Manager tells of executions: AutomationExecution, its metadata, and StepExecution.

Source: API reference of GetAutomationExecution, DescribeAutomationExecutions and DescribeAutomationStepExecutions. A step that
has not begun is Pending and has no times; of an execution that did not fail there is no FailureMessage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pci_config.sandbox.automation import DEFAULT_TIMEOUT_SECONDS, OTHER_TIMEOUT_SECONDS, Execution, StepRun
from pci_config.sandbox.automation_document import Document


@dataclass
class Started:
    """An execution as it was asked for."""

    execution: Execution
    document: Document
    version: str
    parameters: Mapping[str, list[str]] = field(default_factory=dict)
    executed_by: str = ""


def metadata(started: Started) -> dict[str, Any]:
    """What the list of executions and the single one have in common."""
    execution = started.execution
    told: dict[str, Any] = {
        "AutomationExecutionId": execution.execution_id,
        "DocumentName": execution.document_name,
        "DocumentVersion": started.version,
        "AutomationExecutionStatus": execution.status,
        "Outputs": execution.outputs,
        "Mode": "Auto",
        "ExecutedBy": started.executed_by,
        **_times(execution.started, execution.ended),
    }
    if execution.status == "Waiting":
        told |= {"CurrentStepName": execution.steps[-1].name, "CurrentAction": execution.steps[-1].action}
    if execution.failure and execution.status not in ("Success", "Waiting"):
        told["FailureMessage"] = execution.failure
    return told


def full(started: Started) -> dict[str, Any]:
    return {
        **metadata(started),
        "Parameters": dict(started.parameters),
        "StepExecutions": step_executions(started),
        "StepExecutionsTruncated": False,
    }


def step_executions(started: Started) -> list[dict[str, Any]]:
    """The steps that began, in their order, then the others in the document's."""
    begun = [_step(started.document.steps[run.name], run) for run in started.execution.steps]
    names = {run.name for run in started.execution.steps}
    return begun + [
        _step(step, StepRun(name, step["action"])) for name, step in started.document.steps.items() if name not in names
    ]


def _step(step: Mapping[str, Any], run: StepRun) -> dict[str, Any]:
    on_failure = str(step.get("onFailure", "Abort"))
    told: dict[str, Any] = {
        "StepExecutionId": run.step_execution_id,
        "StepName": run.name,
        "Action": run.action,
        "StepStatus": run.status,
        "TimeoutSeconds": step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS.get(run.action, OTHER_TIMEOUT_SECONDS)),
        "OnFailure": on_failure,
        "MaxAttempts": step.get("maxAttempts", 1),
        "IsEnd": bool(step.get("isEnd", False)),
        "IsCritical": step.get("isCritical", on_failure != "Continue"),
        "Inputs": {name: json.dumps(value, default=str) for name, value in (run.inputs or {}).items()},
        "Outputs": {name: [v if isinstance(v, str) else json.dumps(v)] for name, v in run.outputs.items()},
        **_times(run.started, run.ended),
    }
    if "nextStep" in step:
        told["NextStep"] = step["nextStep"]
    if run.failure:
        told["FailureMessage"] = run.failure
    return told


def _times(started: datetime | None, ended: datetime | None) -> dict[str, float]:
    found = {"ExecutionStartTime": started, "ExecutionEndTime": ended}
    return {name: moment.timestamp() for name, moment in found.items() if moment}
