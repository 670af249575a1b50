"""What `pci-config remediate` does: reads files, asks, starts, tells, and ends with the exit code."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer

from pci_config.assess import Judge
from pci_config.catalogue import Catalogue, CatalogueError, documents_folder, project_root
from pci_config.cli_remediate import ATTENTION, INCOMPLETE, INTERRUPTED, OK, USAGE, Format
from pci_config.exceptions import ExceptionRegister
from pci_config.exceptions_file import ExceptionsError, Known, load_register
from pci_config.rdk_json import RdkJson, SettingsError
from pci_config.remediate import telling
from pci_config.remediate.access import Access, AccessError
from pci_config.remediate.course import Limits
from pci_config.remediate.document_facts import document_facts
from pci_config.remediate.executed import plan_of_execution
from pci_config.remediate.findings import read_findings
from pci_config.remediate.plan import FAILED, Entry, Plan, PlanError, read_plan, write_plan
from pci_config.remediate.planning import Planner, with_dry_runs
from pci_config.remediate.running import Runner, Work, attention, unfinished
from pci_config.remediate.state import only_one, read_state, state_path
from pci_config.report.rows import Row, rows_of
from pci_config.rule import ParameterError
from pci_config.sources.account import AccountPlan, assess_accounts
from pci_config.sources.snapshot import SourceError

INPUT_ERRORS = (PlanError, SettingsError, ExceptionsError, CatalogueError, ParameterError, SourceError, AccessError)
errors = telling.console(stderr=True)


@dataclass(frozen=True)
class Way:
    """How to get into accounts."""

    profile: str | None
    role_name: str | None

    def access(self, home_region: str, purpose: str) -> Access:
        return Access(home_region, self.role_name, self.profile, f"pci-config-{purpose}")


@dataclass(frozen=True)
class Wanted:
    """Which findings a plan is for; nothing named: all."""

    rules: str
    accounts: Sequence[str]
    regions: Sequence[str]

    def takes(self, row: Row) -> bool:
        return (
            any(fnmatch.fnmatchcase(row.rule, pattern.strip()) for pattern in self.rules.split(","))
            and (not self.accounts or row.account_id in self.accounts)
            and (not self.regions or row.region in (*self.regions, "global"))
        )


@dataclass(frozen=True)
class Files:
    settings: Path
    exceptions: Path

    def load(self) -> tuple[RdkJson, Catalogue, ExceptionRegister]:
        rdk_json = RdkJson.load(self.settings)
        catalogue = Catalogue.load()
        return rdk_json, catalogue, load_register(self.exceptions, Known.of(catalogue, rdk_json))


def plan(
    results: Path | None,
    live: bool,
    wanted: Wanted,
    way: Way,
    files: Files,
    offline: bool,
    at_once: int,
    output: Path | None,
    form: Format,
) -> NoReturn:
    """Make a plan, show it, write it."""
    if (results is None) != live:
        _stop("name one source: a results file of `pci-config assess`, or --account")
    if live and offline:
        _stop("--account asks the accounts, and --offline forbids it")
    if output is not None and state_path(output).exists():
        _stop(f"{output} was run, and {state_path(output)} is the record of that: write the new plan to another file")
    with _input_errors():
        rdk_json, catalogue, register = files.load()
        planner = Planner(catalogue, rdk_json, document_facts(documents_folder(project_root())), register)
        rows, source = _live(planner, wanted, way) if live else read_findings(results or Path())
        access = way.access(rdk_json.settings.home_region, "remediate-plan")
        made = planner.plan(filter(wanted.takes, rows), source, _caller(access, offline))
        if made.entries and made.created_by:
            try:
                made = with_dry_runs(made, access, at_once, lambda line: errors.print(line, soft_wrap=True))
            except KeyboardInterrupt:
                errors.print("\ninterrupted: dry runs change nothing, and no plan was written")
                raise typer.Exit(INTERRUPTED) from None
        if output is not None:
            write_plan(made, output)
    if form is Format.JSON:
        typer.echo(json.dumps(telling.plan_json(made), indent=2))
    else:
        telling.tell_plan(made, telling.console())
    if output is not None and made.entries:
        errors.print(f"wrote {output}; to make the changes: pci-config remediate run {output}", soft_wrap=True)
    raise typer.Exit(INCOMPLETE if telling.left_out_of(made, FAILED) else OK)


def _caller(access: Access, offline: bool) -> str:
    """Who plans; nobody when AWS is not to be asked, or cannot be."""
    if offline:
        return ""
    try:
        return access.caller()
    except AccessError as error:
        errors.print(f"no dry run: {error}", soft_wrap=True)
        return ""


def _live(planner: Planner, wanted: Wanted, way: Way) -> tuple[Sequence[Row], str]:
    """The findings of an assessment of the accounts, made now."""
    settings = planner.rdk_json.settings
    entries = [
        entry
        for entry in planner.catalogue.rules.values()
        if any(fnmatch.fnmatchcase(entry.id, pattern.strip()) for pattern in wanted.rules.split(","))
    ]
    if not entries:
        _stop(f"--rules {wanted.rules!r} matches no rule")
    judge = Judge(entries, settings, planner.rdk_json.rule_parameters, planner.exceptions)
    accounts = AccountPlan(
        wanted.accounts, wanted.regions or list(settings.regions), settings.home_region, way.role_name, way.profile
    )
    assessment = assess_accounts(judge, accounts, lambda text: errors.print(f"assessed {text}"))
    for problem in assessment.problems:
        errors.print(f"not read: {problem}", soft_wrap=True)
    return rows_of(assessment.document()), f"{', '.join(assessment.sources)}, at {assessment.generated_at}"


def run(
    path: Path, state: Path | None, only: Sequence[str], way: Way, files: Files, limits: Limits, yes: bool, retry: bool,
    by_config: bool, approval: str, form: Format,
) -> NoReturn:  # fmt: skip
    """Start what the plan says and has not started yet; take up what was started."""
    with _input_errors():
        made = read_plan(path)
        entries = made.chosen(only)
        _, _, register = files.load()
        with _runner(made, state or state_path(path), way, approval) as runner:
            work = runner.work(entries, register, retry)
            telling.tell_skipped(made, work.skipped, errors)
            if work.jobs:
                confirmed = _confirmed(made, work, yes)
                with _interruptible(path):
                    left = runner.run(work, limits, confirmed, by_config)
                _tell_left(len(left))
            _end(runner, entries, form, left=bool(work.jobs and left))


def status(path: Path, state: Path | None, way: Way, offline: bool, form: Format) -> NoReturn:
    """What became of the plan's executions."""
    with _input_errors():
        made = read_plan(path)
        with _runner(made, state or state_path(path), way) as runner:
            problems = [] if offline else runner.refresh()
            if form is Format.JSON:
                typer.echo(json.dumps(telling.status_json(made, runner.state, problems), indent=2))
            else:
                telling.tell_status(made, runner.state, problems, telling.console())
            raise typer.Exit(_code(runner, made.entries, left=bool(problems)))


def restore(
    path: Path | None, execution: str | None, place: tuple[str | None, str | None], state: Path | None, only: Sequence[str],
    way: Way, settings: Path, limits: Limits, yes: bool, retry: bool, approval: str, form: Format,
) -> NoReturn:  # fmt: skip
    """Lead back what a plan changed, or one execution."""
    account_id, region = place
    with _input_errors():
        if path is not None:
            made, where = read_plan(path), state or state_path(path)
        elif execution and account_id and region:
            rdk_json = RdkJson.load(settings)
            access = way.access(rdk_json.settings.home_region, "remediate-restore")
            facts = document_facts(documents_folder(project_root()))
            made, begun = plan_of_execution(access, rdk_json, facts, execution, account_id, region)
            where = state or Path(f"restore-{execution}.state.json")
        else:
            _stop("name a plan, or --execution-id with --account-id and --region")
        with _runner(made, where, way, approval) as runner:
            if path is None and not runner.state.attempts:
                runner.state.attempts = begun
            entries = made.chosen(only)
            if path is not None and execution:
                entries = _executed(runner, entries, execution)
            work = runner.restores(entries, retry)
            telling.tell_skipped(made, work.skipped, errors)
            if work.jobs:
                confirmed = _confirmed_restore(made, work, yes)
                with _interruptible(path or where):
                    left = runner.restore(work, limits, confirmed)
                _tell_left(len(left))
            # what changed and has no way back is not put back: that must show
            stuck = [entry for entry in entries if runner.state.changing(entry.id) and entry.restore is None]
            _end(runner, entries, form, left=bool(work.jobs and left), stuck=bool(stuck))


def _executed(runner: Runner, entries: Sequence[Entry], execution: str) -> tuple[Entry, ...]:
    """The entry that this execution belongs to."""
    found = tuple(
        entry for entry in entries if any(a.execution_id == execution for a in runner.state.attempts.get(entry.id, []))
    )
    if not found:
        raise PlanError(f"{runner.path}: the plan has no execution {execution}; `pci-config remediate status` shows them")
    return found


@contextmanager
def _runner(made: Plan, state: Path, way: Way, approval: str = "") -> Iterator[Runner]:
    with only_one(state):
        access = way.access(made.home_region, f"remediate-{made.plan_id}")
        yield Runner(made, read_state(state, made), state, access, lambda line: errors.print(line, soft_wrap=True), approval)


def _confirmed(made: Plan, work: Work, yes: bool) -> str:
    """Ask, unless that was agreed already. Returns how it was agreed."""
    shown = {job.entry.id for job in work.jobs}
    if yes:
        return "--yes"
    telling.tell_changes(made, [entry for entry in made.entries if entry.id in shown], errors)
    return _asked(f"Change {len(work.jobs)} {'resource' if len(work.jobs) == 1 else 'resources'} now?")


def _confirmed_restore(made: Plan, work: Work, yes: bool) -> str:
    if yes:
        return "--yes"
    errors.print("These go back to how they were, violations included:")
    for job in work.jobs:
        place = made.place(job.entry.account_id, job.entry.region)
        errors.print(f"  {job.attempt.document}  {place}  {job.entry.resource_id}", soft_wrap=True)
    return _asked(f"Put {len(work.jobs)} back now?")


def _asked(question: str) -> str:
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        errors.print("")
        _stop("not confirmed, nothing was started: answer y, or run with --yes")
    if not agreed:
        _stop("nothing was started")
    return "asked"


def _tell_left(number: int) -> None:
    if number:
        errors.print(f"{number} not started because of the failures; run again to start them, or with --max-failures 0")


def _end(runner: Runner, entries: Sequence[Entry], form: Format, left: bool, stuck: bool = False) -> NoReturn:
    if form is Format.JSON:
        typer.echo(json.dumps(telling.status_json(runner.plan, runner.state, []), indent=2))
    else:
        telling.tell_outcomes(runner.plan, runner.state, entries, telling.console())
    telling.tell_attention(runner.plan, runner.state, entries, errors)
    raise typer.Exit(ATTENTION if stuck else _code(runner, entries, left))


def _code(runner: Runner, entries: Sequence[Entry], left: bool) -> int:
    if attention(runner.state, entries):
        return ATTENTION
    return INCOMPLETE if left or unfinished(runner.state, entries) else OK


@contextmanager
def _interruptible(path: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        errors.print("\ninterrupted: nothing more is started; what was started goes on in AWS and is recorded")
        errors.print(f"  pci-config remediate status {path}    shows it; the same command again goes on", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _input_errors() -> Iterator[None]:
    try:
        yield
    except INPUT_ERRORS as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    errors.print(message, soft_wrap=True)
    raise typer.Exit(USAGE)


def listed(text: str | None) -> list[str]:
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()]
