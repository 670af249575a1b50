"""How executions are started and waited for: limits, failures, interruptions. Time passes only when the course waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from pci_config.remediate.access import AccessError
from pci_config.remediate.course import Course, Limits
from pci_config.remediate.executions import Busy, Job, NotStarted, Unsure
from pci_config.remediate.plan import Entry
from pci_config.remediate.state import STARTING, Attempt, Step


def job(name: str, account: str = "111111111111", resource: str | None = None) -> Job:
    entry = Entry(
        id=name, rule="PCI_X", severity="high", account_id=account, region="eu-west-1", resource_type="T",
        resource_id=resource or name, resource_name="", annotation="", document="D", resource_parameter="Id", parameters={},
        may_break="", undo="", approver="",
    )  # fmt: skip
    return Job(entry, Attempt("fix", 1, "token", "D", account, "eu-west-1"), {})


@dataclass
class Cloud:
    """A driver whose executions take so many seconds and end as told."""

    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    starts: dict[str, Callable[[], None]] = field(default_factory=dict)
    looks: dict[str, Callable[[Job], None]] = field(default_factory=dict)
    now: float = 0
    begun: dict[str, float] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    together: list[set[str]] = field(default_factory=list)
    open: list[Job] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)

    def start(self, job: Job, interrupted: bool) -> None:
        name = job.entry.id
        self.interrupted += [name] if interrupted else []
        if name in self.starts:
            self.starts[name]()
        job.attempt.execution_id, job.attempt.status = f"e-{name}", "InProgress"
        self.begun[name] = self.now
        self.open.append(job)
        self.together.append({each.entry.resource_id for each in self.open})
        assert len({each.entry.resource_id for each in self.open}) == len(self.open), "two on one resource"
        for key, number in (("all", len(self.open)), *Counter(each.entry.account_id for each in self.open).items()):
            self.most[key] = max(self.most[key], number)

    def look(self, job: Job) -> None:
        name = job.entry.id
        if name in self.looks:
            self.looks[name](job)
            return
        if self.now - self.begun[name] >= self.seconds.get(name, 0):
            job.attempt.status = "Success"
            job.attempt.steps = [Step("Remediate", "Success")]
            job.attempt.end(self.outcomes.get(name, "changed"), f"{name} is done")
            self.open.remove(job)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@dataclass
class Told:
    lines: list[str] = field(default_factory=list)
    kept: list[tuple[str, str, str]] = field(default_factory=list)

    def tell(self, job: Job, line: str) -> None:
        self.lines.append(f"{job.entry.id} {line}")

    def keep(self, job: Job) -> None:
        self.kept.append((job.entry.id, job.attempt.status, job.attempt.execution_id))


def carry_out(cloud: Cloud, jobs: Sequence[Job], limits: Limits | None = None) -> tuple[Told, list[str]]:
    told = Told()
    course = Course(cloud, limits or Limits(), told.keep, told.tell, cloud.sleep, lambda: cloud.now)
    return told, [job.entry.id for job in course.carry_out(jobs)]


def test_limits_hold_in_all_and_in_each_account() -> None:
    jobs = [job(f"{account}-{number}", account) for account in ("1", "2", "3") for number in range(6)]
    cloud = Cloud(seconds={each.entry.id: 10 for each in jobs})
    told, left = carry_out(cloud, jobs, Limits(at_once=5, per_account=2))
    assert left == []
    assert {each.attempt.outcome for each in jobs} == {"changed"}
    assert cloud.most == {"all": 5, "1": 2, "2": 2, "3": 2}
    assert sum(line.endswith(" is done") for line in told.lines) == 18


def test_two_documents_never_change_one_resource_at_once_and_keep_their_order() -> None:
    jobs = [job("first", resource="r"), job("second", resource="r"), job("other")]
    cloud = Cloud(seconds={"first": 7})
    carry_out(cloud, jobs, Limits(at_once=5, per_account=5))
    assert cloud.begun["first"] == cloud.begun["other"] == 0
    assert cloud.begun["second"] >= 7


def test_progress_and_record_of_one_execution() -> None:
    cloud = Cloud()
    told, _ = carry_out(cloud, [job("a")])
    assert told.lines == ["a started e-a", "a step Remediate: Success", "a changed: a is done"]
    assert told.kept[0] == ("a", STARTING, ""), "recorded before it is started"
    assert told.kept[1] == ("a", "InProgress", "e-a")
    assert told.kept[-1] == ("a", "Success", "e-a")


@pytest.mark.parametrize(("most", "left"), [(1, ["c", "d"]), (2, ["d"]), (0, [])])
def test_after_failures_nothing_more_is_started(most: int, left: list[str]) -> None:
    jobs = [job(name) for name in "abcd"]
    cloud = Cloud(outcomes={"b": "failed", "c": "failed"})
    _, found = carry_out(cloud, jobs, Limits(at_once=1, max_failures=most))
    assert found == left
    assert [each.attempt.outcome for each in jobs if each.entry.id in left] == [""] * len(left)
    assert [each.attempt.status for each in jobs if each.entry.id in left] == [""] * len(left), "not even recorded as starting"


def test_a_refusal_is_no_failure() -> None:
    jobs = [job(name) for name in "abc"]
    _, left = carry_out(Cloud(outcomes={"a": "refused", "b": "switched-off"}), jobs, Limits(at_once=1))
    assert left == []
    assert [each.attempt.outcome for each in jobs] == ["refused", "switched-off", "changed"]


def test_what_runs_is_waited_for_after_a_failure() -> None:
    jobs = [job(name, account=name) for name in "abc"]
    cloud = Cloud(seconds={"b": 20}, outcomes={"a": "failed"})
    _, left = carry_out(cloud, jobs, Limits(at_once=2))
    assert (left, jobs[1].attempt.outcome) == (["c"], "changed")


def raising(error: Exception) -> Callable[[], None]:
    def start() -> None:
        raise error

    return start


@pytest.mark.parametrize("error", [NotStarted("no document"), AccessError("no way in")])
def test_what_cannot_be_started_says_why(error: Exception) -> None:
    jobs = [job("a"), job("b")]
    told, left = carry_out(Cloud(starts={"a": raising(error)}), jobs, Limits(at_once=1))
    assert (jobs[0].attempt.outcome, jobs[0].attempt.message) == ("not started", str(error))
    assert left == ["b"]
    assert f"a not started: {error}" in told.lines


def test_an_unsure_start_stays_open_and_stops_further_ones() -> None:
    jobs = [job("a"), job("b")]
    told, left = carry_out(Cloud(starts={"a": raising(Unsure("time out"))}), jobs, Limits(at_once=1))
    assert (jobs[0].attempt.status, jobs[0].attempt.outcome, left) == (STARTING, "", ["b"])
    assert "a not known whether it was started; run again to find out (time out)" in told.lines


def test_an_interrupted_start_is_taken_up_as_such() -> None:
    again = job("a")
    again.attempt.status, again.attempt.started_at = STARTING, "2026-01-01T00:00:00Z"
    cloud = Cloud()
    carry_out(cloud, [again, job("b")])
    assert cloud.interrupted == ["a"]
    assert again.attempt.started_at == "2026-01-01T00:00:00Z"


def test_what_was_started_before_is_only_waited_for() -> None:
    known = job("a")
    known.attempt.execution_id, known.attempt.status = "e-a", "InProgress"
    cloud = Cloud(begun={"a": 0}, open=[known], starts={"a": raising(AssertionError("twice"))})
    _, left = carry_out(cloud, [known])
    assert (known.attempt.outcome, left) == ("changed", [])


def test_aws_takes_no_more_for_a_while() -> None:
    refused = iter([True, True, False])

    def start() -> None:
        if next(refused):
            raise Busy("100 run")

    one = job("a")
    cloud = Cloud(starts={"a": start})
    told, _ = carry_out(cloud, [one])
    assert one.attempt.outcome == "changed"
    assert cloud.interrupted == ["a", "a"], "the token is the same, so it may be asked again"
    assert told.lines.count("a AWS takes no more now, waiting (100 run)") == 1
    assert cloud.now > 0


def test_aws_takes_no_more_for_ever() -> None:
    one = job("a")
    _, left = carry_out(Cloud(starts={"a": raising(Busy("100 run"))}), [one], Limits(timeout_seconds=60))
    assert (one.attempt.outcome, left) == ("not started", [])
    assert "for a long time (100 run)" in one.attempt.message


def test_an_execution_that_takes_too_long_is_left_running() -> None:
    slow, quick = job("a"), job("b")
    cloud = Cloud(seconds={"a": 10_000})
    told, _ = carry_out(cloud, [slow, quick], Limits(timeout_seconds=120))
    assert (slow.attempt.outcome, slow.attempt.status, quick.attempt.outcome) == ("", "InProgress", "changed")
    assert "a still InProgress after 2 minutes; not waiting longer" in told.lines
    assert 120 < cloud.now < 140


def test_an_approval_is_not_waited_for() -> None:
    def waits(job: Job) -> None:
        job.attempt.status = "Waiting"

    one = job("a")
    told, _ = carry_out(Cloud(looks={"a": waits}), [one])
    assert one.attempt.outcome == ""
    assert "a waits for an approval in Systems Manager: execution e-a" in told.lines


def test_a_question_that_fails_is_asked_again() -> None:
    answers = iter([Unsure("throttled"), Unsure("throttled"), AccessError("expired"), None])

    def look(job: Job) -> None:
        error = next(answers)
        if error:
            raise error
        job.attempt.status = "Success"
        job.attempt.end("changed", "done")

    one = job("a")
    told, _ = carry_out(Cloud(looks={"a": look}), [one])
    assert one.attempt.outcome == "changed"
    assert [line for line in told.lines if "cannot" in line] == [
        "a cannot be asked now (throttled)",
        "a cannot be asked now (expired)",
    ]


def test_an_interrupt_comes_through_with_everything_recorded() -> None:
    jobs = [job("a"), job("b"), job("c")]

    def interrupt() -> None:
        raise KeyboardInterrupt

    cloud = Cloud(starts={"b": interrupt}, seconds={"a": 100})
    told = Told()
    with pytest.raises(KeyboardInterrupt):
        Course(cloud, Limits(per_account=5), told.keep, told.tell, cloud.sleep, lambda: cloud.now).carry_out(jobs)
    assert told.kept == [("a", STARTING, ""), ("a", "InProgress", "e-a"), ("b", STARTING, "")]


def test_nothing_to_do_ends_at_once() -> None:
    assert carry_out(Cloud(), []) == (Told(), [])
