"""Adds Systems Manager Automation to moto: executions of documents that CreateDocument stored, in process and over HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.iam.models import iam_backends
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.models import sts_backends

from pci_config.sandbox.automation import Executor, SessionFor, SignalRefusedError
from pci_config.sandbox.automation_clock import Clock
from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.automation_history import Started, full, metadata, step_executions
from pci_config.sandbox.automation_role import require_trust
from pci_config.sandbox.automation_values import DocumentError, ParameterRefusedError

# Quotas of the user guide, "Automation quota" and "Automation queue quota"; those that wait for approval count as running
MAX_RUNNING, MAX_QUEUED = 100, 1000
FILTERS: Mapping[str, Callable[[Mapping[str, Any], str], bool]] = {
    "DocumentNamePrefix": lambda told, value: told["DocumentName"].startswith(value),
    "ExecutionStatus": lambda told, value: told["AutomationExecutionStatus"] == value,
    "ExecutionId": lambda told, value: told["AutomationExecutionId"] == value,
    "CurrentAction": lambda told, value: told.get("CurrentAction") == value,
}
_installed: dict[str, Any] = {}


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


def executions_of(backend: Any) -> dict[str, Started]:
    """Executions of one account and Region by id, in the order they were started."""
    found: dict[str, Started] = backend.__dict__.setdefault("sandbox_automation_executions", {})
    return found


def _tokens_of(backend: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Client tokens with the execution that each started, and the request."""
    found: dict[str, tuple[str, dict[str, Any]]] = backend.__dict__.setdefault("sandbox_automation_tokens", {})
    return found


def start_automation_execution(self: Any) -> str:
    request = json.loads(self.body)
    execution_id = str(uuid.uuid4())
    token = (request.get("ClientToken") or execution_id).lower()
    asked = {key: value for key, value in request.items() if key != "ClientToken"}
    known = _tokens_of(self.ssm_backend).get(token)
    if known:
        if known[1] != asked:
            raise JsonRESTError("IdempotentParameterMismatch", "the client token was used with other parameters")
        return json.dumps({"AutomationExecutionId": known[0]})
    name = request["DocumentName"].split("document/")[-1]
    document, version = _document(self.ssm_backend, name, request.get("DocumentVersion"))
    given, executions = request.get("Parameters") or {}, executions_of(self.ssm_backend)
    running, queued = (_count(self, status) for status in ("Waiting", "Pending"))
    if queued >= MAX_QUEUED:
        raise JsonRESTError("AutomationExecutionLimitExceededException", f"{running} executions run, {queued} are queued")
    try:
        execution = _executor(self).start(document, given, name=name, execution_id=execution_id, queued=running >= MAX_RUNNING)
    except ParameterRefusedError as error:
        raise JsonRESTError("InvalidAutomationExecutionParametersException", str(error)) from None
    executions[execution_id] = Started(execution, document, version, given, _caller(self)[0])
    _tokens_of(self.ssm_backend)[token] = execution_id, asked
    return json.dumps({"AutomationExecutionId": execution_id})


def _document(backend: Any, name: str, version: str | None) -> tuple[Document, str]:
    from moto.ssm.exceptions import InvalidDocument  # noqa: PLC0415 - only the sandbox needs it

    try:
        found = backend.get_document(name, None if version in (None, "$DEFAULT") else version, None, "YAML")
    except InvalidDocument:
        raise JsonRESTError("AutomationDefinitionNotFoundException", f"document {name} does not exist") from None
    try:
        return Document.parse(found["Content"]), str(found["DocumentVersion"])
    except DocumentError as error:
        raise JsonRESTError("InvalidAutomationExecutionParametersException", f"{name}: {error}") from None


def _executor(self: Any) -> Executor:
    return Executor(_installed["session_for"], self.current_account, self.region, _installed["clock"], require_trust)


def _count(self: Any, status: str) -> int:
    return sum(started.execution.status == status for started in executions_of(self.ssm_backend).values())


def _looked_at(self: Any) -> dict[str, Started]:
    """The executions, with the time that has passed, and queued ones begun where others ended."""
    executions = executions_of(self.ssm_backend)
    for started in executions.values():
        _executor(self).expire(started.execution)
    for started in executions.values():
        if started.execution.status == "Pending" and _count(self, "Waiting") < MAX_RUNNING:
            started.execution.run.go()
    return executions


def _found(self: Any, execution_id: str) -> Started:
    try:
        return _looked_at(self)[execution_id]
    except KeyError:
        raise JsonRESTError("AutomationExecutionNotFoundException", f"execution {execution_id} does not exist") from None


def get_automation_execution(self: Any) -> str:
    return json.dumps({"AutomationExecution": full(_found(self, json.loads(self.body)["AutomationExecutionId"]))})


def describe_automation_executions(self: Any) -> str:
    told = [metadata(started) for started in reversed(_looked_at(self).values())]
    for wanted in json.loads(self.body or "{}").get("Filters") or []:
        fits = FILTERS.get(wanted["Key"])
        if fits is None:
            raise JsonRESTError("InvalidFilterKey", f"the sandbox does not imitate the filter {wanted['Key']}")
        told = [one for one in told if any(fits(one, value) for value in wanted["Values"])]
    return json.dumps({"AutomationExecutionMetadataList": told})


def describe_automation_step_executions(self: Any) -> str:
    started = _found(self, json.loads(self.body)["AutomationExecutionId"])
    return json.dumps({"StepExecutions": step_executions(started)})


def send_automation_signal(self: Any) -> str:
    request = json.loads(self.body)
    started = _found(self, request["AutomationExecutionId"])
    try:
        _executor(self).signal(started.execution, _caller(self), request["SignalType"])
    except SignalRefusedError as refusal:
        raise JsonRESTError("InvalidAutomationSignalException", str(refusal)) from None
    return "{}"


def stop_automation_execution(self: Any) -> str:
    started = _found(self, json.loads(self.body)["AutomationExecutionId"])
    try:
        _executor(self).cancel(started.execution)
    except SignalRefusedError as refusal:
        raise JsonRESTError("InvalidAutomationStatusUpdateException", str(refusal)) from None
    return "{}"


def _caller(self: Any) -> list[str]:
    """Every name of whoever calls that an approver may be given by; the ARN comes first."""
    account, key = self.current_account, self.get_access_key()
    assumed = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if assumed:
        return [assumed.arn, assumed.role_arn]
    user = iam_backends[account]["aws"].get_user_from_access_key_id(key)
    return [user.arn, user.name] if user else [f"arn:aws:iam::{account}:root"]
