"""Runs a plan, asks what became of it, and leads it back. Everything is in the plan file and the state file beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pci_config.exceptions import ExceptionRegister
from pci_config.pack import NOTHING
from pci_config.remediate.access import Access, AccessError
from pci_config.remediate.course import Course, Limits
from pci_config.remediate.executions import ByConfig, Driver, Job, NotStarted, SystemsManager, Unsure
from pci_config.remediate.plan import Entry, Plan, PlanError
from pci_config.remediate.state import BAD, FIX, GOOD, RESTORE, Attempt, Run, State, now, write_state

Tell = Callable[[str], None]
MAX_LINE = 400


@dataclass(frozen=True)
class Work:
    """What a run or a restore is going to do. `skipped` says why for each entry with which nothing is done now."""

    jobs: tuple[Job, ...]
    skipped: tuple[tuple[Entry, str], ...] = ()


@dataclass
class Runner:
    """A plan with its state. `path` is the state file."""

    plan: Plan
    state: State
    path: Path
    access: Access
    tell: Tell
    approval: str = ""

    # ------------------------------------------------------------------------------------------------------------- run

    def work(self, entries: Sequence[Entry], register: ExceptionRegister, retry: bool) -> Work:
        """The entries that are to be started now. What was started is not started again; `retry`: unless it came to nothing.

        Raises PlanError when nothing could be recorded.
        """
        if any(entry.parameters.get("EvidenceBucket", NOTHING) == NOTHING for entry in entries):
            raise PlanError(
                "the plan has no evidence bucket, so nothing may be changed: set Remediation.EvidenceBucket in rdk.json, "
                "build, update the stacks, and make a new plan"
            )
        jobs: list[Job] = []
        skipped: list[tuple[Entry, str]] = []
        for entry in entries:
            last = self.state.last(entry.id, FIX)
            if last is None or (retry and last.outcome in BAD):
                excepted = _excepted(entry, register)
                if excepted:
                    skipped.append((entry, excepted))
                    continue
                attempt = self.state.next_attempt(self.plan, entry.id, FIX, entry.document)
                jobs.append(Job(entry, attempt, {**entry.parameters, "DryRun": "false"}))
            elif not last.outcome:
                jobs.append(Job(entry, last, {**entry.parameters, "DryRun": "false"}))
            else:
                again = "; --retry starts it again" if last.outcome in BAD else ""
                skipped.append((entry, f"was started before ({last.outcome}, execution {last.execution_id or 'none'}){again}"))
        return Work(tuple(jobs), tuple(skipped))

    def run(self, work: Work, limits: Limits, confirmed: str, by_config: bool) -> list[Job]:
        """Carry the work out. Returns the jobs that were not started. Raises AccessError when there are no credentials."""
        return self._carry_out("run", work, limits, confirmed, by_config)

    # --------------------------------------------------------------------------------------------------------- restore

    def restores(self, entries: Sequence[Entry], retry: bool) -> Work:
        """The way back of every entry that changed something, the last change first."""
        jobs: list[Job] = []
        skipped: list[tuple[Entry, str]] = []
        for entry in entries:
            fix = self.state.changing(entry.id)
            last = self.state.last(entry.id, RESTORE)
            if fix is None:
                before = last is not None and last.outcome in GOOD
                skipped.append((entry, "was put back before" if before else "the plan changed nothing on it"))
            elif entry.restore is None:
                skipped.append((entry, f"{entry.document} has no document that leads back. By hand: {entry.undo}"))
            elif last and last.restores == fix.execution_id and last.outcome in BAD and not retry:
                skipped.append((entry, f"putting it back came to nothing ({last.outcome}); --retry tries again"))
            else:
                jobs.append(self._restore_job(entry, fix, last))
        position = {entry.id: number for number, entry in enumerate(self.plan.entries)}
        jobs.sort(key=lambda job: (self._ended_at(job.entry), position[job.entry.id]), reverse=True)
        return Work(tuple(jobs), tuple(skipped))

    def _restore_job(self, entry: Entry, fix: Attempt, last: Attempt | None) -> Job:
        assert entry.restore is not None  # noqa: S101 - the caller asked
        going_on = last is not None and not last.outcome
        attempt = (
            last
            if last is not None and going_on
            else self.state.next_attempt(self.plan, entry.id, RESTORE, entry.restore.document, restores=fix.execution_id)
        )
        parameters = {**entry.restore.parameters, "FixExecutionId": attempt.restores, "DryRun": "false"}
        return Job(entry, attempt, parameters)

    def _ended_at(self, entry: Entry) -> str:
        fix = self.state.changing(entry.id)
        return fix.ended_at if fix else ""

    def restore(self, work: Work, limits: Limits, confirmed: str) -> list[Job]:
        return self._carry_out("restore", work, limits, confirmed, by_config=False)

    # ---------------------------------------------------------------------------------------------------------- status

    def refresh(self) -> list[str]:
        """Ask AWS about everything that was started and has no outcome. Returns what could not be asked."""
        problems = []
        for entry in self.plan.entries:
            for attempt in self.state.attempts.get(entry.id, []):
                if attempt.outcome:
                    continue
                job = Job(entry, attempt, {})
                if not attempt.execution_id and not attempt.rule_name:
                    problems.append(f"{entry.id}: its start was interrupted; `pci-config remediate run` takes it up again")
                    continue
                try:
                    self._driver(attempt).look(job)
                except (Unsure, NotStarted, AccessError) as error:
                    problems.append(f"{entry.id}: {error}")
        if self.state.attempts:
            write_state(self.state, self.path)
        return problems

    # ---------------------------------------------------------------------------------------------------------- common

    def _driver(self, attempt: Attempt) -> Driver:
        return ByConfig(self.access) if attempt.rule_name else SystemsManager(self.access)

    def _carry_out(self, command: str, work: Work, limits: Limits, confirmed: str, by_config: bool) -> list[Job]:
        self.state.runs.append(Run(now(), self.access.caller(), command, confirmed, self.approval))
        write_state(self.state, self.path)
        number = {id(job): position for position, job in enumerate(work.jobs, 1)}

        def tell(job: Job, line: str) -> None:
            place = self.plan.place(job.entry.account_id, job.entry.region)
            said = shortened(line)
            self.tell(f"[{number[id(job)]}/{len(work.jobs)}] {place} {job.attempt.document} {job.entry.resource_id}: {said}")

        def keep(job: Job) -> None:
            self.state.keep(job.entry.id, job.attempt)
            write_state(self.state, self.path)

        driver: Driver = ByConfig(self.access) if by_config else _Either(self.access)
        return Course(driver, limits, keep, tell).carry_out(work.jobs)


def shortened(message: str) -> str:
    """One line that can be read; the record has the rest."""
    line = " ".join(message.split())
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


class _Either:
    """Systems Manager for what is new; what AWS Config was asked to start is looked for there."""

    def __init__(self, access: Access) -> None:
        self._manager, self._config = SystemsManager(access), ByConfig(access)

    def start(self, job: Job, interrupted: bool) -> None:
        self._manager.start(job, interrupted)

    def look(self, job: Job) -> None:
        (self._config if job.attempt.rule_name else self._manager).look(job)


def _excepted(entry: Entry, register: ExceptionRegister) -> str:
    """An exception that was made after the plan."""
    arn = entry.resource_id if entry.resource_id.startswith("arn:") else None
    found = register.match(entry.rule, entry.account_id, entry.region, entry.resource_id, arn, datetime.now(UTC).date())
    return f"is excepted: {found.accepted(entry.annotation)}" if found else ""


def attention(state: State, entries: Sequence[Entry]) -> list[tuple[Entry, Attempt]]:
    """The last attempt of every entry that came to nothing good."""
    found = []
    for entry in entries:
        attempts = state.attempts.get(entry.id, [])
        if attempts and attempts[-1].outcome in BAD:
            found.append((entry, attempts[-1]))
    return found


def unfinished(state: State, entries: Sequence[Entry]) -> list[tuple[Entry, Attempt]]:
    return [
        (entry, attempt)
        for entry in entries
        for attempt in state.attempts.get(entry.id, [])
        if attempt.outcome not in {**GOOD, **BAD}
    ]


def advice(plan: Plan, entry: Entry, attempt: Attempt) -> str:
    """What to do about an attempt that came to nothing good."""
    match attempt.outcome:
        case "refused" if "is managed by" in attempt.message:
            return "change it where it is managed; only if that owner agrees, run the document by hand with AllowManaged true"
        case "refused":
            return "nothing was changed: clear the reason, make a new plan, or accept the finding in exceptions.yaml"
        case "switched-off":
            return (
                f"set /pci-config/remediation to on in {plan.place(entry.account_id, entry.region)} if fixes may run there, "
                "then run the plan again with --retry"
            )
        case "not started":
            return "nothing was changed: clear the reason, then run the plan again with --retry"
        case _ if attempt.kind == RESTORE:
            return "look at the resource and at the evidence; mend it by hand, or restore again with --retry"
        case _:
            back = "`pci-config remediate restore` leads it back" if entry.restore else f"to lead it back: {entry.undo}"
            again = "run again with --retry once the reason is clear"
            return f"look at the resource: part of the change may be done; {again}, or {back}"
