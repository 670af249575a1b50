"""Every document and every violation, with each of its AWS calls throttled, denied, or its answer lost.

Whatever happens, the resource is as it was, or it was changed and that is recorded and told: evidence of the state before, and
of the state after or an error and an event that tell of the failure. A run that ends in success says what is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from document_world import Fault, Run, arranged, evidence, of_restore, quick_clients, script, snapshot, without_new_ids
from moto import mock_aws
from test_built_documents import CASES, RESTORES

from pci_config.sandbox import services

__all__ = ["quick_clients"]


@pytest.fixture(autouse=True)
def aws(quick_clients: None) -> Iterator[None]:
    services.install()
    with mock_aws():
        yield


_failed_one_by_one: set[tuple[str, tuple[str, ...]]] = set()  # calls in their order; a second time only changes are failed


@dataclass
class World:
    """A violation, or one that was fixed and is to be restored, and the run in which nothing goes wrong."""

    name: str
    violation: str
    restoring: bool

    def __post_init__(self) -> None:
        self.parameters = arranged(self.name, self.violation)
        self.script = script(self.name)
        if self.restoring:
            fix = self.script.run(self.parameters)
            assert fix.outcome == "changed", fix.message
            self.parameters = of_restore(self.name, self.parameters, fix)
            self.script = script(RESTORES[self.name])
        self.live = self.script.watch(self.parameters)
        self.before = self.live()
        self._back = snapshot()
        self.clean = self.script.run(self.parameters)
        assert self.clean.outcome == "changed", self.clean.message
        self.after = self.live()
        assert self.after != self.before
        self._back()
        assert self.live() == self.before
        made = self.script.name, tuple(call.operation for call in self.clean.calls)
        self.calls_are_new = made not in _failed_one_by_one
        _failed_one_by_one.add(made)

    def run(self, fault: Fault) -> Run:
        """Run with the fault, hold it to the rule, and go back when the run changed something."""
        run = self.script.run(self.parameters, fault)
        tried = any(call.changing for call in run.calls)
        now = self.live() if tried else self.before
        self._hold(run, now)
        if run.changes() or now != self.before:
            self._back()
        return run

    def _hold(self, run: Run, now: Any) -> None:
        if not run.changes():
            assert now == self.before
        if run.error is None:
            self._hold_success(run, now)
        elif run.changes():
            self._hold_failure(run, now)
        else:
            assert run.message, "a failure has its reason"
            assert all(event["outcome"] in ("failed", "refused") for event in run.events())

    def _hold_success(self, run: Run, now: Any) -> None:
        assert run.outcome == "changed" or "by this call, its answer lost" in run.message, run.message
        assert without_new_ids(now, self.before) == without_new_ids(self.after, self.before)
        assert self._kept(run, "before") == self.before
        assert self._kept(run, "after") == now
        if any(call.changing and call.raised for call in run.calls):
            assert " failed (" in run.message, "a call that failed is told, also when nothing is missing"
        if not run.events():
            assert "no event was sent" in run.message

    def _hold_failure(self, run: Run, now: Any) -> None:
        assert self._kept(run, "before") == self.before, "evidence comes before the change"
        assert "state before is recorded in s3://" in run.message
        assert (
            "done before that: " in run.message or "it still needs: " in run.message or "could not be recorded" in run.message
        )
        if self._kept(run, "after") != now:
            assert "the state after it could not be recorded" in run.message
        (event,) = run.events() or [{"outcome": "failed"}]
        assert event["outcome"] == "failed"
        assert run.events() or any(c.operation == "PutEvents" and not c.succeeded for c in run.calls)

    def _kept(self, run: Run, which: str) -> Any:
        return evidence(self.script.name, run, which)


ALL = [*((*case, False) for case in CASES), *((*case, True) for case in CASES if case[0] in RESTORES)]


@pytest.mark.parametrize(("name", "violation", "restoring"), ALL)
def test_a_failing_call_leaves_nothing_half_and_silent(name: str, violation: str, restoring: bool) -> None:
    world = World(name, violation, restoring)
    calls = world.clean.calls
    run = world.run(lambda position, attempt, operation: "throttled" if attempt == 1 else "")
    assert run.outcome == "changed", "each call may be throttled once"
    assert all(call.attempts == 2 for call in run.calls)
    for position, call in enumerate(calls):
        if world.calls_are_new:
            world.run(lambda at, attempt, operation, p=position: "throttled" if at == p else "")
        if world.calls_are_new or call.changing:
            world.run(
                lambda at, attempt, operation, p=position: "denied" if at >= p and operation == calls[p].operation else ""
            )
        if call.changing:
            world.run(lambda at, attempt, operation, p=position: "lost" if at == p and attempt == 1 else "")
            world.run(lambda at, attempt, operation, p=position: ("lost" if attempt == 1 else "denied") if at == p else "")


@pytest.mark.parametrize(("silenced", "lost"), [("_keep_evidence", "evidence"), ("_announce", ""), ("_what_is_missing", "")])
def test_a_course_that_keeps_silent_is_caught(silenced: str, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two changes the second is denied."""
    world = World("PciConfig-RedirectListenerToHttps", "default and rules forward", False)
    monkeypatch.setattr(world.script.module, silenced, lambda *_: lost)

    def denied(at: int, attempt: int, operation: str) -> str:
        return "denied" if operation == "ModifyRule" else ""

    with pytest.raises(AssertionError):
        world.run(denied)
