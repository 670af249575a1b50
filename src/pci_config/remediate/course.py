"""Carries jobs out: so many at once in all and in each account, never two on one resource, and no more after failures.

One thread; what is open is asked again and again. An interrupt (Ctrl-C) leaves everything recorded: what runs goes on in AWS.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pci_config.remediate.access import AccessError
from pci_config.remediate.executions import Busy, Driver, Job, NotStarted, Unsure
from pci_config.remediate.state import STARTING, WAITING, now

PAUSES_SECONDS = (0.5, 1, 2, 3, 5)  # between rounds in which nothing happened


@dataclass(frozen=True)
class Limits:
    """`max_failures`: start nothing more after so many executions failed; 0: go on. A refusal is no failure."""

    at_once: int = 5
    per_account: int = 2
    max_failures: int = 1
    timeout_seconds: float = 1800


@dataclass
class Course:
    """`keep` is called after every change of an attempt, `tell` with each line of progress."""

    driver: Driver
    limits: Limits
    keep: Callable[[Job], None]
    tell: Callable[[Job, str], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _waiting: list[Job] = field(default_factory=list)
    _running: list[tuple[Job, float]] = field(default_factory=list)
    _failures: int = 0
    _busy: bool = False
    _busy_since: float | None = None
    _doubts: dict[str, str] = field(default_factory=dict)  # the last one told of each entry

    def carry_out(self, jobs: Sequence[Job]) -> list[Job]:
        """Start the jobs, take up those that were started before, and wait. Returns the jobs that were not started."""
        self._running = [(job, self.clock()) for job in jobs if job.attempt.execution_id or job.attempt.rule_name]
        self._waiting = [job for job in jobs if not (job.attempt.execution_id or job.attempt.rule_name)]
        quiet = 0
        while self._running or (self._waiting and not self._stopped()):
            moved = self._start_what_may() + self._look()
            quiet = 0 if moved else quiet + 1
            if self._running or (self._waiting and not self._stopped() and not moved):
                self.sleep(PAUSES_SECONDS[min(quiet, len(PAUSES_SECONDS) - 1)])
        return self._waiting

    def _stopped(self) -> bool:
        return 0 < self.limits.max_failures <= self._failures

    def _start_what_may(self) -> int:
        started = 0
        self._busy = False
        for job in list(self._waiting):
            if self._stopped() or self._busy or len(self._running) >= self.limits.at_once:
                break
            accounts = Counter(running.entry.account_id for running, _ in self._running)
            taken = {running.entry.resource for running, _ in self._running}
            if accounts[job.entry.account_id] >= self.limits.per_account or job.entry.resource in taken:
                continue
            started += self._start(job)
        return started

    def _start(self, job: Job) -> bool:
        interrupted = job.attempt.status == STARTING
        if not interrupted:
            job.attempt.status, job.attempt.started_at = STARTING, now()
        self.keep(job)  # first: an interrupted start must be known
        try:
            self.driver.start(job, interrupted)
        except Busy as busy:
            self._wait_for_aws(job, busy)
            return False
        except (NotStarted, AccessError) as refusal:
            self._waiting.remove(job)
            job.attempt.end("not started", str(refusal))
            self._ended(job)
            return True
        except Unsure as doubt:
            self._waiting.remove(job)
            self.keep(job)
            self._failures += 1  # the network or AWS itself is in trouble: no time to start more
            self.tell(job, f"not known whether it was started; run again to find out ({doubt})")
            return True
        self._waiting.remove(job)
        self._running.append((job, self.clock()))
        self._busy_since = None
        self.keep(job)
        self.tell(job, f"started {job.attempt.execution_id or f'by AWS Config as {job.attempt.rule_name}'}")
        return True

    def _wait_for_aws(self, job: Job, busy: Busy) -> None:
        """Once told, and not for ever: other executions of the account may hold the places."""
        self._busy = True
        if self._busy_since is None:
            self._busy_since = self.clock()
            self.tell(job, f"AWS takes no more now, waiting ({busy})")
        elif self.clock() - self._busy_since > self.limits.timeout_seconds:
            self._waiting.remove(job)
            job.attempt.end("not started", f"AWS took no more executions for a long time ({busy})")
            self._ended(job)

    def _look(self) -> int:
        moved = 0
        for job, since in list(self._running):
            seen = job.attempt.status, [(step.name, step.status) for step in job.attempt.steps]
            try:
                self.driver.look(job)
            except (Unsure, AccessError, Busy, NotStarted) as doubt:
                if self._doubts.get(job.entry.id) != str(doubt):
                    self.tell(job, f"cannot be asked now ({doubt})")
                self._doubts[job.entry.id] = str(doubt)
            found = job.attempt.status, [(step.name, step.status) for step in job.attempt.steps]
            if found != seen:
                moved += 1
                self.keep(job)
                for name, status in found[1]:
                    if (name, status) not in seen[1]:
                        self.tell(job, f"step {name}: {status}")
            if job.attempt.outcome:
                self._running.remove((job, since))
                self._ended(job)
                moved += 1
            elif job.attempt.status == WAITING:
                self._running.remove((job, since))
                self.tell(job, f"waits for an approval in Systems Manager: execution {job.attempt.execution_id}")
            elif self.clock() - since > self.limits.timeout_seconds:
                self._running.remove((job, since))
                self.tell(
                    job, f"still {job.attempt.status} after {self.limits.timeout_seconds / 60:.0f} minutes; not waiting longer"
                )
        return moved

    def _ended(self, job: Job) -> None:
        self._failures += job.attempt.outcome in ("failed", "not started")
        self.keep(job)
        self.tell(job, f"{job.attempt.outcome}: {job.attempt.message}")
