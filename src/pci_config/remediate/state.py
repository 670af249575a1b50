"""What was started for a plan and what became of it: the state file beside the plan, written after every step.

It is the record that makes a second run start nothing twice. Client tokens, computed from plan and entry, guard the moment
between a start and its record: Systems Manager takes each token once.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pci_config.remediate.plan import Plan, PlanError, write_whole

SCHEMA_VERSION = "1"
FIX: Literal["fix"] = "fix"
RESTORE: Literal["restore"] = "restore"
_TOKENS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:pci-config:remediate")

#: An outcome with what it means; those of documents, and those of executions that did not end well.
GOOD = {
    "changed": "changed and verified",
    "compliant": "nothing to do: it is as it should be",
    "gone": "nothing to do: it no longer exists",
    "excepted": "nothing done: an exception accepts it",
    "dry-run": "dry run: nothing changed",
}
BAD = {
    "refused": "the document refused: nothing changed, somebody has to decide",
    "switched-off": "nothing changed: the switch is off",
    "not started": "could not be started: nothing changed",
    "failed": "the document failed: look at the resource",
}
STARTING = "starting"  # recorded before the call, so that an interrupted start is known
WAITING = "Waiting"  # for an approval


class Step(msgspec.Struct):
    name: str
    status: str
    message: str = ""


class Attempt(msgspec.Struct):
    """One execution. `rule_name` is set when AWS Config started it; an open one has no outcome."""

    kind: Literal["fix", "restore"]
    number: int
    token: str
    document: str
    account_id: str
    region: str
    started_at: str = ""
    execution_id: str = ""
    rule_name: str = ""
    restores: str = ""
    ended_at: str = ""
    status: str = ""
    outcome: str = ""
    message: str = ""
    evidence: str = ""
    steps: list[Step] = []

    @property
    def may_have_changed(self) -> bool:
        """A failed execution names its evidence when it had begun to change; one that was cut off cannot."""
        cut_off = self.outcome == "failed" and bool(self.execution_id) and self.status != "Failed"
        return self.outcome == "changed" or cut_off or (self.outcome == "failed" and bool(self.evidence))

    def end(self, outcome: str, message: str) -> None:
        self.outcome, self.message, self.ended_at = outcome, message, now()


class Run(msgspec.Struct):
    """Who started a run or a restore, how they agreed, and whose approval they named."""

    at: str
    by: str
    command: str
    confirmed: str
    approval: str = ""


class State(msgspec.Struct):
    """Attempts by entry, in the order of their starts."""

    schema_version: str
    plan_id: str
    runs: list[Run] = []
    attempts: dict[str, list[Attempt]] = {}

    def last(self, entry_id: str, kind: Literal["fix", "restore"]) -> Attempt | None:
        found = [attempt for attempt in self.attempts.get(entry_id, []) if attempt.kind == kind]
        return found[-1] if found else None

    def changing(self, entry_id: str) -> Attempt | None:
        """The fix whose change can be led back: the last one that changed the resource, or may have, and was not put back."""
        attempts = self.attempts.get(entry_id, [])
        put_back = {attempt.restores for attempt in attempts if attempt.kind == RESTORE and attempt.outcome in GOOD}
        found = [
            attempt
            for attempt in attempts
            if attempt.kind == FIX and attempt.may_have_changed and attempt.execution_id not in put_back
        ]
        return found[-1] if found else None

    def next_attempt(self, plan: Plan, entry_id: str, kind: Literal["fix", "restore"], document: str, **more: Any) -> Attempt:
        """A new attempt, not yet part of the state. Its token is the same whenever the same plan comes to the same number."""
        number = 1 + sum(attempt.kind == kind for attempt in self.attempts.get(entry_id, []))
        entry = next(entry for entry in plan.entries if entry.id == entry_id)
        token = str(uuid.uuid5(_TOKENS, f"{plan.plan_id} {entry_id} {kind} {number}"))
        return Attempt(kind, number, token, document, entry.account_id, entry.region, **more)

    def keep(self, entry_id: str, attempt: Attempt) -> None:
        known = self.attempts.setdefault(entry_id, [])
        if not any(each is attempt for each in known):
            known.append(attempt)


def state_path(plan: Path) -> Path:
    return plan.with_name(f"{plan.stem}.state.json")


def read_state(path: Path, plan: Plan) -> State:
    """The state, or a new one when there is no file yet. Raises PlanError when it belongs to another plan."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return State(SCHEMA_VERSION, plan.plan_id)
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: is no state of a plan ({error}); do not delete it before you know what was started") from None
    if state.schema_version != SCHEMA_VERSION or state.plan_id != plan.plan_id:
        raise PlanError(f"{path}: belongs to plan {state.plan_id}, not to {plan.plan_id}; name another file with --state")
    return state


def write_state(state: State, path: Path) -> None:
    write_whole(path, msgspec.json.format(msgspec.json.encode(state), indent=2).decode() + "\n")


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Raises PlanError when another process works on the same plan with the same state file."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows, where the client tokens alone have to do
    except ImportError:
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise PlanError(f"{lock}: cannot be written ({error.strerror or error})") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PlanError(f"{path}: another `pci-config remediate` works on this plan; wait until it has ended") from None
        yield


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
