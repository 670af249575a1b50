"""Runs Automation documents against moto as Systems Manager would: flow, attempts, roles, outputs, approvals.

Semantics: AWS Systems Manager user guide, "Automation action reference", "Using conditional statements in runbooks" and
"Handling timeouts"; API reference of StartAutomationExecution and SendAutomationSignal.
"""

from __future__ import annotations

import io
import json
import re
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.automation_values import (
    StepFailedError,
    checked_output,
    selected,
    started_parameters,
    substituted,
)

MAX_SCRIPT_OUTPUT_CHARACTERS = 100_000
DEFAULT_TIMEOUT_SECONDS = 3600
POLL_SECONDS = 5
SessionFor = Callable[[str, str, str | None], boto3.Session]
_scripts = threading.Lock()


@dataclass(frozen=True)
class RecordedCall:
    """One AWS call that a document made."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account_id: str
    region: str
    role_arn: str


@dataclass
class StepRun:
    name: str
    action: str
    status: str = "Pending"
    inputs: Any = None
    outputs: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    attempts: int = 0


@dataclass
class Execution:
    """A run of a document. `status` is Success, Failed, TimedOut, Waiting or Cancelled."""

    execution_id: str
    document_name: str
    account_id: str
    region: str
    parameters: dict[str, Any]
    status: str = "InProgress"
    steps: list[StepRun] = field(default_factory=list)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    failure: str = ""
    calls: list[RecordedCall] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    log: str = ""


class Clock:
    """Time that passes only when somebody waits for it."""

    def __init__(self) -> None:
        self.now = time.time()

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Executor:
    """Runs documents in one account and Region. `session_for(account, region, role ARN or None)` gives a new session."""

    def __init__(self, session_for: SessionFor, account_id: str, region: str, clock: Clock | None = None) -> None:
        self._session_for = session_for
        self._account_id = account_id
        self._region = region
        self._clock = clock or Clock()

    def start(
        self,
        document: Document,
        parameters: Mapping[str, Sequence[str]],
        *,
        name: str = "document",
        decisions: Sequence[str] = (),
        execution_id: str | None = None,
    ) -> Execution:
        """Run to the end, or to an `aws:approve` step that `decisions` (Approve, Reject) do not answer.

        Raises ParameterRefusedError before anything runs. A waiting execution is run again from the start of its steps by
        calling `start` with more decisions and the same id; scripts must be idempotent anyway.
        """
        values = started_parameters(document.parameters, parameters)
        execution = Execution(execution_id or str(uuid.uuid4()), name, self._account_id, self._region, values)
        run = _Run(self._session_for, self._clock, document, execution, list(decisions))
        run.all()
        execution.ended = None if execution.status == "Waiting" else datetime.now(UTC)
        return execution


class _WaitingError(Exception):
    pass


class _Run:
    def __init__(
        self, session_for: SessionFor, clock: Clock, document: Document, execution: Execution, decisions: list[str]
    ) -> None:
        self._clock = clock
        self._document = document
        self._execution = execution
        self._decisions = decisions
        moment = datetime.fromtimestamp(clock.now, UTC)
        self._names: dict[str, Any] = {
            **execution.parameters,
            "automation:EXECUTION_ID": execution.execution_id,
            "global:DATE": moment.strftime("%Y-%m-%d"),
            "global:DATE_TIME": moment.strftime("%Y-%m-%d_%H.%M.%S"),
            "global:REGION": execution.region,
            "global:ACCOUNT_ID": execution.account_id,
            "global:AWS_PARTITION": "aws",
        }
        self._role = str(substituted(document.assume_role, self._names) or "")
        self._session = session_for(execution.account_id, execution.region, self._role or None)
        self._session.events.register("provide-client-params", self._record, unique_id="sandbox-recorder")

    def _record(self, params: Any, model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        self._execution.calls.append(
            RecordedCall(
                service, model.name, json.loads(json.dumps(params, default=repr)), self._execution.account_id,
                self._execution.region, self._role,
            )
        )  # fmt: skip

    def all(self) -> None:
        order = list(self._document.steps)
        current: str | None = order[0]
        failed = False
        try:
            while current is not None:
                step = self._document.steps[current]
                run = StepRun(current, step["action"])
                self._execution.steps.append(run)
                target = self._attempt(step, run)
                if run.status != "Success":
                    on_failure = str(step.get("onFailure", "Abort"))
                    critical = step.get("isCritical", on_failure != "Continue")
                    failed = failed or bool(critical)
                    self._execution.failure = self._execution.failure or f"step {current}: {run.failure}"
                    if on_failure == "Abort" or step.get("isEnd"):
                        break
                    current = on_failure.removeprefix("step:") if on_failure.startswith("step:") else self._after(step, order)
                    continue
                current = None if step.get("isEnd") and target is None else target or self._after(step, order)
        except _WaitingError:
            self._execution.status = "Waiting"
            return
        finally:
            self._session.events.unregister("provide-client-params", unique_id="sandbox-recorder")
        timed_out = any(run.status == "TimedOut" for run in self._execution.steps)
        self._execution.status = "Success" if not failed else "TimedOut" if timed_out else "Failed"
        for name in self._document.outputs:
            if name in self._names:
                value = self._names[name]
                self._execution.outputs[name] = [value if isinstance(value, str) else json.dumps(value, default=str)]

    def _after(self, step: Mapping[str, Any], order: Sequence[str]) -> str | None:
        if step.get("isEnd"):
            return None
        if "nextStep" in step:
            return str(step["nextStep"])
        position = order.index(step["name"]) + 1
        return order[position] if position < len(order) else None

    def _attempt(self, step: Mapping[str, Any], run: StepRun) -> str | None:
        """Run a step up to maxAttempts times. Returns the step that a branch chose, if any."""
        limit = self._clock.now + float(step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS))
        for _ in range(int(step.get("maxAttempts", 1))):
            run.attempts += 1
            try:
                run.inputs = self._inputs(step)
                response, target = self._act(step, run.inputs, limit)
                for output in step.get("outputs") or []:
                    value = checked_output(output["Name"], output["Type"], selected(response, output["Selector"]))
                    run.outputs[output["Name"]] = value
                    self._names[f"{step['name']}.{output['Name']}"] = value
                run.status, run.failure = "Success", ""
                return target
            except _WaitingError:
                run.status = "Waiting"
                raise
            except TimeoutError as error:
                run.status, run.failure = "TimedOut", str(error)
                return None
            except (StepFailedError, ClientError, BotoCoreError) as error:
                run.status, run.failure = "Failed", f"{type(error).__name__}: {error}"
        return None

    def _inputs(self, step: Mapping[str, Any]) -> Any:
        inputs = dict(step.get("inputs") or {})
        script = inputs.pop("Script", None)
        replaced = substituted(inputs, self._names) if step["action"] != "aws:branch" else inputs
        return {**replaced, "Script": script} if script is not None else replaced

    def _act(self, step: Mapping[str, Any], inputs: Mapping[str, Any], limit: float) -> tuple[Any, str | None]:
        match step["action"]:
            case "aws:executeAwsApi":
                return self._call(inputs), None
            case "aws:executeScript":
                payload = self._script(inputs)
                self._names[f"{step['name']}.Payload"] = payload
                return {"Payload": payload}, None
            case "aws:assertAwsResourceProperty":
                self._desired(inputs, self._call(inputs))
                return {}, None
            case "aws:waitForAwsResourceProperty":
                self._wait(inputs, limit)
                return {}, None
            case "aws:branch":
                return {}, self._branch(step, inputs)
            case "aws:sleep":
                self._clock.sleep(_seconds(str(inputs.get("Duration"))))
                return {}, None
            case _:
                return self._approve(step, inputs), None

    def _call(self, inputs: Mapping[str, Any]) -> Any:
        own = {"Service", "Api", "PropertySelector", "DesiredValues"}
        client = self._session.client(str(inputs["Service"]))
        parameters = {name: value for name, value in inputs.items() if name not in own}
        response = getattr(client, xform_name(str(inputs["Api"])))(**parameters)
        return json.loads(json.dumps({k: v for k, v in response.items() if k != "ResponseMetadata"}, default=str))

    def _desired(self, inputs: Mapping[str, Any], response: Any) -> None:
        value = selected(response, str(inputs["PropertySelector"]))
        # DesiredValues are texts; a Boolean reads True or False
        if str(value) not in [str(desired) for desired in inputs["DesiredValues"]]:
            raise StepFailedError(f"{inputs['PropertySelector']} is {value}, desired {inputs['DesiredValues']}")

    def _wait(self, inputs: Mapping[str, Any], limit: float) -> None:
        while True:
            try:
                self._desired(inputs, self._call(inputs))
            except StepFailedError as error:
                if self._clock.now + POLL_SECONDS > limit:
                    raise TimeoutError(f"{error} until the step timed out") from None
                self._clock.sleep(POLL_SECONDS)
            else:
                return

    def _script(self, inputs: Mapping[str, Any]) -> Any:
        """Run Handler(events, context) with the role's session as boto3's default one."""
        module = types.ModuleType(f"automation_script_{uuid.uuid4().hex}")
        events = json.loads(json.dumps(inputs.get("InputPayload") or {}))
        printed = io.StringIO()
        with _scripts, self._as_default_session(), self._patched_sleep(), redirect_stdout(printed):
            sys.modules[module.__name__] = module  # dataclasses look their module up
            try:
                exec(compile(inputs["Script"], "<Script>", "exec"), module.__dict__)  # noqa: S102 - that is the action
                result = getattr(module, str(inputs["Handler"]))(events, {})
            except Exception as error:
                raise StepFailedError(f"{type(error).__name__} - {error}") from error
            finally:
                del sys.modules[module.__name__]
                self._execution.log += printed.getvalue()
        try:
            text = json.dumps(result)
        except TypeError as error:
            raise StepFailedError(f"the handler's result is not JSON: {error}") from None
        if len(text) > MAX_SCRIPT_OUTPUT_CHARACTERS:
            raise StepFailedError(f"the handler's result has {len(text)} characters; {MAX_SCRIPT_OUTPUT_CHARACTERS} are kept")
        return json.loads(text)

    @contextmanager
    def _as_default_session(self) -> Iterator[None]:
        before = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = self._session
        try:
            yield
        finally:
            boto3.DEFAULT_SESSION = before

    @contextmanager
    def _patched_sleep(self) -> Iterator[None]:
        """Scripts wait on the sandbox's clock; other threads keep the real one."""
        real, thread = time.sleep, threading.get_ident()

        def sleep(seconds: Any) -> None:
            if threading.get_ident() == thread:
                self._clock.sleep(seconds)
            else:
                real(seconds)

        time.sleep = sleep
        try:
            yield
        finally:
            time.sleep = real

    def _branch(self, step: Mapping[str, Any], inputs: Mapping[str, Any]) -> str | None:
        for choice in inputs.get("Choices") or []:
            if self._holds(choice):
                return str(choice["NextStep"])
        if "Default" in inputs:
            return str(inputs["Default"])
        if step.get("isEnd"):
            return None
        return self._after(step, list(self._document.steps))

    def _holds(self, choice: Mapping[str, Any]) -> bool:
        if "And" in choice:
            return all(self._holds(part) for part in choice["And"])
        if "Or" in choice:
            return any(self._holds(part) for part in choice["Or"])
        if "Not" in choice:
            return not self._holds(choice["Not"])
        value = substituted(choice["Variable"], self._names)
        for name, compare in _COMPARE.items():
            if name in choice:
                wanted = substituted(choice[name], self._names)
                try:
                    return bool(compare(value, wanted))
                except (TypeError, ValueError, AttributeError):
                    raise StepFailedError(f"{name} cannot compare {value!r} with {wanted!r}") from None
        raise StepFailedError("a choice has no comparison")

    def _approve(self, step: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        needed = int(inputs.get("MinRequiredApprovals", 1))
        approvers = inputs.get("Approvers") or []
        if needed > len(approvers):
            raise StepFailedError(f"{needed} approvals are required of {len(approvers)} approvers")
        given = self._decisions[:needed]
        if "Reject" in given:
            raise StepFailedError("an approver rejected")
        if len(given) < needed:
            raise _WaitingError
        del self._decisions[:needed]
        self._names[f"{step['name']}.ApprovalStatus"] = "Approved"
        return {"ApprovalStatus": "Approved"}


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "EqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StartsWith": lambda value, wanted: value.startswith(wanted),
    "EndsWith": lambda value, wanted: value.endswith(wanted),
    "Contains": lambda value, wanted: wanted in value,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericGreater": lambda value, wanted: float(value) > float(wanted),
    "NumericLesser": lambda value, wanted: float(value) < float(wanted),
    "NumericGreaterOrEquals": lambda value, wanted: float(value) >= float(wanted),
    "NumericLesserOrEquals": lambda value, wanted: float(value) <= float(wanted),
    "BooleanEquals": lambda value, wanted: _boolean(value) == _boolean(wanted),
}


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()]


def _seconds(duration: str) -> float:
    """An ISO-8601 duration such as PT10M, up to days."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", duration)
    if not match or duration in ("P", "PT"):
        raise StepFailedError(f"Duration {duration!r} is not ISO 8601, such as PT10M")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
