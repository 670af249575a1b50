"""What `pci-config assess` does: one source, the rules, one writer, and the exit code."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from pci_config.assess import Assessment, Judge, assess_snapshot
from pci_config.catalogue import Catalogue, CatalogueError, RuleEntry
from pci_config.cli_assess import FINDINGS, INCOMPLETE, OK, USAGE, FailOn, Format
from pci_config.exceptions_file import ExceptionsError, Known, load_register
from pci_config.exceptions_use import entries_of_assessment
from pci_config.rdk_json import RdkJson, SettingsError
from pci_config.report import html
from pci_config.report.csv_report import render_csv
from pci_config.report.json_report import render_json, render_jsonl
from pci_config.report.table import render_table, renderable
from pci_config.rule import ParameterError
from pci_config.sources import snapshot
from pci_config.sources.account import AccountPlan, assess_accounts
from pci_config.sources.aggregator import AggregatorPlan, assess_aggregator

errors = Console(stderr=True, highlight=False, soft_wrap=True)

WRITERS: Mapping[Format, Callable[[Mapping[str, Any]], str]] = {
    Format.TABLE: render_table,
    Format.JSON: render_json,
    Format.JSONL: render_jsonl,
    Format.CSV: render_csv,
    Format.HTML: lambda document: html.render(document, title="PCI DSS configuration report"),
}


@dataclass(frozen=True)
class Source:
    """What was asked for on the command line, of which exactly one of the first three must be there."""

    snapshots: list[str]
    account: bool
    aggregator: str | None
    profile: str | None
    region: str | None
    role_name: str | None
    accounts: list[str]
    regions: list[str]
    jobs: int

    def fault(self) -> str | None:
        if bool(self.snapshots) + self.account + (self.aggregator is not None) != 1:
            return "name one source: --snapshot PATH, --account or --aggregator NAME"
        if not self.account and (self.role_name or self.accounts or self.regions):
            return "--role-name, --accounts and --regions go with --account only"
        if self.aggregator is None and self.region:
            return "--region goes with --aggregator only; --account has --regions"
        return None


def run(
    source: Source, rules: str, output_format: Format, output: Path | None, fail_on: FailOn, settings: Path, exceptions: Path
) -> NoReturn:
    """Assess, write, and end with the exit code."""
    fault = source.fault()
    if fault:
        _stop(fault)
    try:
        rdk_json = RdkJson.load(settings)
        catalogue = Catalogue.load()
        entries = _chosen(catalogue, rules)
        register = load_register(exceptions, Known.of(catalogue, rdk_json))
        for warning in rdk_json.warnings():
            errors.print(f"warning: {warning}", markup=False)
        judge = Judge(entries, rdk_json.settings, rdk_json.rule_parameters, register)
        with _progress() as tell:
            assessment = _assessed(judge, source, tell)
    except (SettingsError, ExceptionsError, CatalogueError, ParameterError, snapshot.SourceError) as error:
        _stop(str(error))
    except (ClientError, BotoCoreError) as error:
        _stop(f"AWS: {error}")
    assessment.exceptions = entries_of_assessment(judge, assessment)
    document = assessment.document()
    if output is None and output_format is Format.TABLE:
        Console().print(renderable(document))
    else:
        _write(WRITERS[output_format](document), output)
    for problem in assessment.problems:
        errors.print(f"not read: {problem}", markup=False)
    raise typer.Exit(exit_code(assessment, fail_on))


def _chosen(catalogue: Catalogue, patterns: str) -> list[RuleEntry]:
    """The rules that match one of the patterns, in the catalogue's order; a pattern that matches none is a mistake."""
    chosen: set[str] = set()
    for pattern in (each.strip() for each in patterns.split(",")):
        found = {name for name in catalogue.rules if fnmatch.fnmatchcase(name, pattern)}
        if not found:
            _stop(f"--rules {pattern!r} matches no rule")
        chosen |= found
    return [entry for entry in catalogue.rules.values() if entry.id in chosen]


def exit_code(assessment: Assessment, fail_on: FailOn) -> int:
    """The contract: incomplete outranks findings, and `never` still tells when something could not be read."""
    counts = assessment.counts()
    if assessment.problems or counts["ERROR"]:
        return OK if fail_on is FailOn.NEVER and not assessment.problems else INCOMPLETE
    if fail_on is FailOn.NON_COMPLIANT and counts["NON_COMPLIANT"]:
        return FINDINGS
    return OK


def _assessed(judge: Judge, source: Source, tell: Callable[[str], None]) -> Assessment:
    settings = judge.settings
    if source.account:
        plan = AccountPlan(
            accounts=source.accounts,
            regions=source.regions or list(settings.regions),
            home_region=settings.home_region,
            role_name=source.role_name,
            profile=source.profile,
        )
        return assess_accounts(judge, plan, tell)
    if source.aggregator is not None:
        region = source.region or settings.home_region
        return assess_aggregator(judge, AggregatorPlan(source.aggregator, region, source.profile), tell)
    read = snapshot.read(source.snapshots, judge.needed_types, source.jobs)
    results, problems = assess_snapshot(judge, read, source.jobs)
    return Assessment(read.sources, results, read.problems + problems)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on a terminal, nothing otherwise."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=errors, transient=True) as progress:
        task = progress.add_task("assessing …")
        yield lambda text: progress.update(task, description=f"assessed {text}")


def _write(text: str, output: Path | None) -> None:
    """To standard output, or to a file that appears whole or not at all."""
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=output.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, output)  # noqa: PTH105 - same thing, one import less
    except OSError as error:
        _stop(f"{output}: cannot be written ({error.strerror or error})")


def _stop(message: str) -> NoReturn:
    errors.print(message, markup=False)
    raise typer.Exit(USAGE)
