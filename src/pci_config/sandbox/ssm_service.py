"""Adds Systems Manager Automation to moto: executions of documents that CreateDocument stored, in process and over HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ssm.responses import SimpleSystemManagerResponse

from pci_config.sandbox.automation import Clock, Execution, Executor, SessionFor
from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.automation_values import DocumentError, ParameterRefusedError

_installed: dict[str, Any] = {}
STEP_STATUS = {"Pending": "Pending", "Success": "Success", "Failed": "Failed", "TimedOut": "TimedOut", "Waiting": "Waiting"}


def install(session_for: SessionFor, clock: Clock | None = None) -> None:
    """Teach moto the Automation actions. Installing again replaces the session source and the clock."""
    _installed.update(session_for=session_for, clock=clock or Clock())
    for action in (
        start_automation_execution,
        get_automation_execution,
        describe_automation_executions,
        describe_automation_step_executions,
        send_automation_signal,
        stop_automation_execution,
    ):
        setattr(SimpleSystemManagerResponse, action.__name__, action)


def executions_of(backend: Any) -> dict[str, dict[str, Any]]:
    """Executions of one account and Region: id to {"execution", "document", "parameters", "decisions"}."""
    found: dict[str, dict[str, Any]] = backend.__dict__.setdefault("sandbox_automation_executions", {})
    return found


def _tokens_of(backend: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Client tokens with the execution that each started, and the request."""
    found: dict[str, tuple[str, dict[str, Any]]] = backend.__dict__.setdefault("sandbox_automation_tokens", {})
    return found


def start_automation_execution(self: Any) -> str:
    request = json.loads(self.body)
    name = request["DocumentName"].split("document/")[-1]
    document = _document(self.ssm_backend, name, request.get("DocumentVersion"))
    given = request.get("Parameters") or {}
    execution_id = str(uuid.uuid4())
    token = (request.get("ClientToken") or execution_id).lower()
    asked = {key: value for key, value in request.items() if key != "ClientToken"}
    known = _tokens_of(self.ssm_backend).get(token)
    if known:
        if known[1] != asked:
            raise JsonRESTError("IdempotentParameterMismatch", "the client token was used with other parameters")
        return json.dumps({"AutomationExecutionId": known[0]})
    record = {"name": name, "document": document, "parameters": given, "decisions": []}
    try:
        record["execution"] = _run(self, record, execution_id)
    except ParameterRefusedError as error:
        raise JsonRESTError("InvalidAutomationExecutionParametersException", str(error)) from None
    executions_of(self.ssm_backend)[execution_id] = record
    _tokens_of(self.ssm_backend)[token] = execution_id, asked
    return json.dumps({"AutomationExecutionId": execution_id})


def _document(backend: Any, name: str, version: str | None) -> Document:
    from moto.ssm.exceptions import InvalidDocument  # noqa: PLC0415 - only the sandbox needs it

    try:
        found = backend.get_document(name, None if version in (None, "$DEFAULT") else version, None, "YAML")
    except InvalidDocument:
        raise JsonRESTError("AutomationDefinitionNotFoundException", f"document {name} does not exist") from None
    try:
        return Document.parse(found["Content"])
    except DocumentError as error:
        raise JsonRESTError("InvalidAutomationExecutionParametersException", f"{name}: {error}") from None


def _run(self: Any, record: Mapping[str, Any], execution_id: str) -> Execution:
    executor = Executor(_installed["session_for"], self.current_account, self.region, _installed["clock"])
    return executor.start(
        record["document"],
        record["parameters"],
        name=record["name"],
        decisions=record["decisions"],
        execution_id=execution_id,
    )


def _found(self: Any, execution_id: str) -> dict[str, Any]:
    try:
        return executions_of(self.ssm_backend)[execution_id]
    except KeyError:
        raise JsonRESTError("AutomationExecutionNotFoundException", f"execution {execution_id} does not exist") from None


def get_automation_execution(self: Any) -> str:
    record = _found(self, json.loads(self.body)["AutomationExecutionId"])
    found = {**_summary(record), "Parameters": record["parameters"], "StepExecutions": _steps(record["execution"])}
    return json.dumps({"AutomationExecution": found})


def describe_automation_executions(self: Any) -> str:
    records = executions_of(self.ssm_backend).values()
    return json.dumps({"AutomationExecutionMetadataList": [_summary(record) for record in records]})


def describe_automation_step_executions(self: Any) -> str:
    record = _found(self, json.loads(self.body)["AutomationExecutionId"])
    return json.dumps({"StepExecutions": _steps(record["execution"])})


def send_automation_signal(self: Any) -> str:
    request = json.loads(self.body)
    record = _found(self, request["AutomationExecutionId"])
    if record["execution"].status != "Waiting" or request["SignalType"] not in ("Approve", "Reject"):
        raise JsonRESTError("InvalidAutomationSignalException", "the execution does not wait for that signal")
    record["decisions"].append(request["SignalType"])
    record["execution"] = _run(self, record, request["AutomationExecutionId"])
    return "{}"


def stop_automation_execution(self: Any) -> str:
    record = _found(self, json.loads(self.body)["AutomationExecutionId"])
    if record["execution"].status == "Waiting":
        record["execution"].status = "Cancelled"
    return "{}"


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    execution: Execution = record["execution"]
    summary: dict[str, Any] = {
        "AutomationExecutionId": execution.execution_id,
        "DocumentName": execution.document_name,
        "AutomationExecutionStatus": execution.status,
        "ExecutionStartTime": execution.started.timestamp(),
        "Outputs": execution.outputs,
        "Mode": "Auto",
    }
    if execution.ended:
        summary["ExecutionEndTime"] = execution.ended.timestamp()
    if execution.failure:
        summary["FailureMessage"] = execution.failure
    return summary


def _steps(execution: Execution) -> list[dict[str, Any]]:
    return [
        {
            "StepName": step.name,
            "Action": step.action,
            "StepStatus": STEP_STATUS[step.status],
            "Outputs": {name: [v if isinstance(v, str) else json.dumps(v)] for name, v in step.outputs.items()},
            **({"FailureMessage": step.failure} if step.failure else {}),
        }
        for step in execution.steps
    ]
