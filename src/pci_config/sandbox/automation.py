"""Runs Automation documents against moto as Systems Manager would: flow, attempts, time limits, roles, outputs, approvals.

Semantics: AWS Systems Manager user guide, "Properties shared by all actions", "aws:approve", "Handling timeouts in runbooks",
"Using conditional statements in runbooks"; API reference of StartAutomationExecution and SendAutomationSignal.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pci_config.sandbox.automation_actions import Actions
from pci_config.sandbox.automation_clock import Clock
from pci_config.sandbox.automation_document import MAX_APPROVERS, MAX_SCRIPT_SECONDS, Document
from pci_config.sandbox.automation_values import (
    ParameterRefusedError,
    StepFailedError,
    checked_output,
    selected,
    started_parameters,
    substituted,
)

DEFAULT_TIMEOUT_SECONDS = {"aws:approve": 7 * 24 * 3600, "aws:executeScript": MAX_SCRIPT_SECONDS, "aws:sleep": 7 * 24 * 3600}
OTHER_TIMEOUT_SECONDS = 3600
SessionFor = Callable[[str, str, str | None], boto3.Session]
Trust = Callable[[str, str, str, str], None]  # role ARN, account, Region, execution id


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
    """One step as StepExecution has it. `decisions` are those of an `aws:approve` step, by approver: Approve or Reject."""

    name: str
    action: str
    status: str = "Pending"
    inputs: Any = None
    outputs: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    attempts: int = 0
    decisions: dict[str, str] = field(default_factory=dict)
    deadline: float = 0.0
    started: datetime | None = None
    ended: datetime | None = None
    step_execution_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Execution:
    """A run of a document. `status` is Success, Failed, TimedOut, Waiting or Cancelled; `steps` are those that began."""

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
    run: Any = field(default=None, repr=False, compare=False)


class SignalRefusedError(Exception):
    """SendAutomationSignal would answer InvalidAutomationSignalException."""


class Executor:
    """Runs documents in one account and Region. `session_for(account, region, role ARN or None)` gives a new session.

    `trust` raises ParameterRefusedError when the role cannot be assumed; without it every role can.
    """

    def __init__(
        self, session_for: SessionFor, account_id: str, region: str, clock: Clock | None = None, trust: Trust | None = None
    ) -> None:
        self.session_for, self.account_id, self.region = session_for, account_id, region
        self.clock, self.trust = clock or Clock(), trust

    def start(
        self,
        document: Document,
        parameters: Mapping[str, Sequence[str]],
        *,
        name: str = "document",
        execution_id: str | None = None,
        queued: bool = False,
    ) -> Execution:
        """Run to the end, or to an `aws:approve` step; a queued one is Pending until `run.go()`.

        Raises ParameterRefusedError before anything runs.
        """
        values = started_parameters(document.parameters, parameters)
        execution = Execution(
            execution_id or str(uuid.uuid4()), name, self.account_id, self.region, values, started=self.clock.moment()
        )
        execution.run = _Run(self, document, execution)
        execution.run.require_trust()
        if queued:
            execution.status = "Pending"
        else:
            execution.run.go()
        return execution

    def signal(self, execution: Execution, caller: Collection[str], decision: str) -> None:
        """A decision (Approve or Reject) of the caller, by every name it has: user name, user, role or assumed-role ARN.

        The execution goes on at the step that waits, once enough approvers approved; one rejection fails the step. Each
        approver counts once. Raises SignalRefusedError when nobody is asked, or somebody else.
        """
        self.expire(execution)
        if execution.status != "Waiting" or decision not in ("Approve", "Reject"):
            raise SignalRefusedError("the execution does not wait for that signal")
        step = execution.steps[-1]
        approver = next((name for name in step.inputs["Approvers"] if name in caller), None)
        if approver is None:
            raise SignalRefusedError(f"{' or '.join(sorted(caller))} is no approver of step {step.name}")
        step.decisions[approver] = decision
        execution.run.go()

    def expire(self, execution: Execution) -> None:
        """Let a waiting step time out when its time is over; whoever looks at an execution asks for it first."""
        if execution.status == "Waiting" and self.clock.now > execution.steps[-1].deadline:
            execution.run.go()

    def cancel(self, execution: Execution) -> None:
        """Raises SignalRefusedError when it has ended."""
        self.expire(execution)
        if execution.status not in ("Waiting", "Pending"):
            raise SignalRefusedError("the execution has ended")
        for step in execution.steps[-1:]:
            step.status, step.ended = "Cancelled", self.clock.moment()
        execution.status, execution.ended = "Cancelled", self.clock.moment()


class _WaitingError(Exception):
    pass


class _Run:
    """Where an execution stands. `go` runs on from there."""

    def __init__(self, executor: Executor, document: Document, execution: Execution) -> None:
        self._executor, self._clock = executor, executor.clock
        self._document, self._execution = document, execution
        self._next: str | None = next(iter(document.steps))
        self._failed = ""  # the status that the first critical failure gives to the execution
        moment = datetime.fromtimestamp(self._clock.now, UTC)
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
        self._actions = Actions(self._clock, self._names, self._log)

    def _log(self, text: str) -> None:
        self._execution.log += text

    def _record(self, params: Any, model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        self._execution.calls.append(
            RecordedCall(
                service, model.name, json.loads(json.dumps(params, default=repr)), self._execution.account_id,
                self._execution.region, self._role,
            )
        )  # fmt: skip

    def go(self) -> None:
        """Run to the end, or to a step that waits. The role is assumed anew: an approval may take days."""
        where = self._execution.account_id, self._execution.region
        try:
            self.require_trust()
        except ParameterRefusedError as refusal:
            self._end("Failed", str(refusal))
            return
        session = self._actions.session = self._executor.session_for(*where, self._role or None)
        session.events.register("provide-client-params", self._record, unique_id="sandbox-recorder")
        try:
            while self._next is not None:
                self._next = self._one(self._document.steps[self._next])
        except _WaitingError:
            self._execution.status = "Waiting"
            return
        finally:
            session.events.unregister("provide-client-params", unique_id="sandbox-recorder")
        self._execution.status = self._failed or "Success"
        self._execution.ended = self._clock.moment()
        for name in self._document.outputs:
            if name in self._names:
                value = self._names[name]
                self._execution.outputs[name] = [value if isinstance(value, str) else json.dumps(value, default=str)]

    def require_trust(self) -> None:
        """Raises ParameterRefusedError when the role cannot be assumed now."""
        if self._role and self._executor.trust:
            where = self._execution.account_id, self._execution.region
            self._executor.trust(self._role, *where, self._execution.execution_id)

    def _end(self, status: str, failure: str) -> None:
        self._execution.status, self._execution.failure = status, failure
        self._execution.ended = self._clock.moment()
        for step in self._execution.steps[-1:]:
            step.status, step.failure, step.ended = status, failure, self._execution.ended

    def _one(self, step: Mapping[str, Any]) -> str | None:
        """Run one step, with all its attempts. Returns the next one, or None at the end."""
        steps = self._execution.steps
        if not steps or steps[-1].status != "Waiting":
            steps.append(StepRun(step["name"], step["action"], started=self._clock.moment()))
        run = steps[-1]
        chosen = self._attempts(step, run)
        run.ended = self._clock.moment()
        if run.status == "Success":
            return chosen or self._after(step)
        on_failure = str(step.get("onFailure", "Abort"))
        if step.get("isCritical", on_failure != "Continue"):
            self._failed = self._failed or run.status
        self._execution.failure = self._execution.failure or f"step {run.name}: {run.failure}"
        if on_failure == "Abort" or step.get("isEnd"):
            return None
        return on_failure.removeprefix("step:") if on_failure.startswith("step:") else self._after(step)

    def _after(self, step: Mapping[str, Any]) -> str | None:
        if step.get("isEnd"):
            return None
        if "nextStep" in step:
            return str(step["nextStep"])
        order = list(self._document.steps)
        position = order.index(step["name"]) + 1
        return order[position] if position < len(order) else None

    def _attempts(self, step: Mapping[str, Any], run: StepRun) -> str | None:
        """Up to maxAttempts, each with the step's time; it has failed or timed out only when the last one has.

        Returns the step that a branch chose, if any.
        """
        seconds = step.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS.get(run.action, OTHER_TIMEOUT_SECONDS))
        while run.status == "Waiting" or run.attempts < int(step.get("maxAttempts", 1)):
            if run.status != "Waiting":
                run.attempts += 1
                run.deadline = self._clock.now + float(seconds)
                run.decisions.clear()
            try:
                return self._attempt(step, run)
            except _WaitingError:
                run.status = "Waiting"
                raise
            except TimeoutError as error:
                run.status, run.failure = "TimedOut", str(error)
            except (StepFailedError, ClientError, BotoCoreError) as error:
                run.status, run.failure = "Failed", f"{type(error).__name__}: {error}"
        return None

    def _attempt(self, step: Mapping[str, Any], run: StepRun) -> str | None:
        run.inputs = self._actions.inputs(step)
        if run.action == "aws:approve":
            response, chosen = self._approval(run), None
            self._names[f"{run.name}.ApprovalStatus"] = "Approved"
            self._names[f"{run.name}.ApproverDecisions"] = response["ApproverDecisions"]
            run.outputs.update(response)
        else:
            response, chosen = self._actions.act(step, run.inputs, run.deadline)
        for output in step.get("outputs") or []:
            value = checked_output(output["Name"], output["Type"], selected(response, output["Selector"]))
            run.outputs[output["Name"]] = value
            self._names[f"{run.name}.{output['Name']}"] = value
        run.status, run.failure = "Success", ""
        return chosen

    def _approval(self, run: StepRun) -> dict[str, Any]:
        needed, approvers = int(run.inputs.get("MinRequiredApprovals", 1)), run.inputs.get("Approvers") or []
        if not 1 <= needed <= len(approvers) <= MAX_APPROVERS:
            raise StepFailedError(f"{needed} approvals are required of {len(approvers)} approvers (at most {MAX_APPROVERS})")
        given = [{"approver": approver, "decision": decision} for approver, decision in run.decisions.items()]
        if "Reject" in run.decisions.values():
            run.outputs = {"ApprovalStatus": "Rejected", "ApproverDecisions": given}
            raise StepFailedError("an approver rejected")
        if self._clock.now > run.deadline:
            raise TimeoutError(f"{len(given)} of {needed} approvals came in time")
        if len(given) < needed:
            run.outputs = {"ApprovalStatus": "Waiting", "ApproverDecisions": given}
            raise _WaitingError
        return {"ApprovalStatus": "Approved", "ApproverDecisions": given}
