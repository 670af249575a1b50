"""`pci-config assess`: the rules over a snapshot or over accounts, without deploying anything."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from pci_config.assess import Assessment, Judge, assess_snapshot
from pci_config.catalogue import Catalogue, CatalogueError
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

OK, FINDINGS, USAGE, INCOMPLETE = 0, 1, 2, 3
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


class FailOn(StrEnum):
    NON_COMPLIANT = "non-compliant"
    ERROR = "error"
    NEVER = "never"


WRITERS: Mapping[Format, Callable[[Mapping[str, Any]], str]] = {
    Format.TABLE: render_table,
    Format.JSON: render_json,
    Format.JSONL: render_jsonl,
    Format.CSV: render_csv,
    Format.HTML: lambda document: html.render(document, title="PCI DSS configuration report"),
}


def assess_command(
    snapshots: Annotated[
        list[str] | None,
        typer.Option("--snapshot", help="Config snapshot, history file, item or folder; or s3://bucket/prefix."),
    ] = None,
    account: Annotated[bool, typer.Option("--account", help="Ask the accounts' own APIs.")] = False,
    profile: Annotated[str | None, typer.Option(help="AWS profile for --account.")] = None,
    role_name: Annotated[str | None, typer.Option(help="Role to assume in each account.")] = None,
    accounts: Annotated[str | None, typer.Option(help="Account ids, separated by commas; default: the caller's own.")] = None,
    regions: Annotated[str | None, typer.Option(help="Regions, separated by commas; default: those of rdk.json.")] = None,
    rules: Annotated[str, typer.Option(help="Only rules whose id matches this pattern.")] = "*",
    output_format: Annotated[Format, typer.Option("--format", help="How to write the results.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    fail_on: Annotated[FailOn, typer.Option(help="What makes the exit code 1.")] = FailOn.NON_COMPLIANT,
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("rdk.json"),
    exceptions: Annotated[Path, typer.Option(help="The register of exceptions.")] = Path("exceptions.yaml"),
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes for --snapshot.")] = 1,
) -> None:
    """Assess a Config snapshot or accounts against the rules.

    Exit codes: 0 nothing found, 1 findings, 2 usage or input error, 3 incomplete (something could not be read or judged).

    Example: pci-config assess --snapshot tests/data/ci/AWS_EC2_SecurityGroup.json --format csv --fail-on never
    """
    if bool(snapshots) == account:
        _stop("name one source: --snapshot PATH or --account")
    try:
        rdk_json = RdkJson.load(settings)
        catalogue = Catalogue.load()
        entries = [entry for entry in catalogue.rules.values() if fnmatch.fnmatchcase(entry.id, rules)]
        if not entries:
            _stop(f"--rules {rules!r} matches no rule")
        register = load_register(exceptions, Known.of(catalogue, rdk_json))
        judge = Judge(entries, rdk_json.settings, rdk_json.rule_parameters, register)
        with _progress() as tell:
            if account:
                plan = AccountPlan(
                    accounts=_listed(accounts),
                    regions=_listed(regions) or list(rdk_json.settings.regions),
                    home_region=rdk_json.settings.home_region,
                    role_name=role_name,
                    profile=profile,
                )
                assessment = assess_accounts(judge, plan, tell)
            else:
                assessment = _over_snapshot(judge, snapshots or [], jobs)
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


def exit_code(assessment: Assessment, fail_on: FailOn) -> int:
    """The contract: incomplete outranks findings, and `never` still tells when something could not be read."""
    counts = assessment.counts()
    if assessment.problems or counts["ERROR"]:
        return OK if fail_on is FailOn.NEVER and not assessment.problems else INCOMPLETE
    if fail_on is FailOn.NON_COMPLIANT and counts["NON_COMPLIANT"]:
        return FINDINGS
    return OK


def _over_snapshot(judge: Judge, places: list[str], jobs: int) -> Assessment:
    read = snapshot.read(places, judge.needed_types, jobs)
    results, problems = assess_snapshot(judge, read, jobs)
    return Assessment(read.sources, results, read.problems + problems)


def _listed(text: str | None) -> list[str]:
    return [entry.strip() for entry in (text or "").split(",") if entry.strip()]


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


def _stop(message: str) -> None:
    errors.print(message, markup=False)
    raise typer.Exit(USAGE)
