"""`pci-config exceptions`: is the register of accepted deviations valid, and what is over, ends soon or is not needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.exceptions_file import ExceptionsFile

OK, ATTENTION, USAGE = 0, 1, 2
STATES = {
    "expired": "Expired: its findings count again; delete the entry once they are fixed",
    "unused": "Unused: nothing was found that it accepts; delete the entry",
    "expires-soon": "Expires soon: fix the resource, or have the deviation approved again",
    "in-force": "In force",
    "not-yet": "Not yet in force",
}
exceptions_app = typer.Typer(help="The register of accepted deviations, exceptions.yaml.", no_args_is_help=True)


class CheckFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@exceptions_app.callback()
def _group() -> None:
    """The register of accepted deviations, exceptions.yaml."""


@exceptions_app.command("check")
def check_command(
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("rdk.json"),
    exceptions: Annotated[Path, typer.Option(help="The register of exceptions.")] = Path("exceptions.yaml"),
    results: Annotated[
        Path | None, typer.Option(help="A results document (assess --format json): also tell which entries are unused.")
    ] = None,
    within: Annotated[int, typer.Option(min=0, max=366, help="Days before its end in which an entry ends soon.")] = 30,
    output_format: Annotated[CheckFormat, typer.Option("--format", help="How to write it.")] = CheckFormat.TEXT,
) -> None:
    """Validate the register and say what state each entry is in.

    Exit codes: 0 every entry is in force (those that end soon are named), 1 an entry is expired or unused, 2 the register, the
    settings or the results cannot be used.

    Example: pci-config exceptions check --within 60
    """
    from pci_config.catalogue import Catalogue, CatalogueError  # noqa: PLC0415 - so that other commands start quickly
    from pci_config.exceptions_file import ExceptionsError, Known, read_exceptions  # noqa: PLC0415
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415

    as_json = output_format is CheckFormat.JSON
    try:
        rdk_json = RdkJson.load(settings)
        catalogue = Catalogue.load()
        read = read_exceptions(exceptions, Known.of(catalogue, rdk_json))
    except ExceptionsError as error:
        found = [{"line": p.line or None, "field": p.field or None, "message": p.message} for p in error.found]
        _refuse(error.problems, as_json, found)
    except (SettingsError, CatalogueError) as error:
        _refuse(str(error).splitlines(), as_json)
    told = None if results is None else _document(results, as_json)
    entries = read.register.as_json()
    if told is not None:
        from pci_config.exceptions_use import entries_of_document  # noqa: PLC0415 - botocore takes a moment to import

        try:
            entries = entries_of_document(read.register, told, catalogue.rules, rdk_json.settings.home_region)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            _refuse([f"{results}: is no results document of `pci-config assess --format json` ({error!r})"], as_json)
    _state(entries, read, within)
    if as_json:
        typer.echo(json.dumps({"valid": True, "entries": entries, "problems": []}, indent=2, ensure_ascii=False))
    else:
        _tell(entries, exceptions, judged=results is not None)
    raise typer.Exit(ATTENTION if any(entry["shown_as"] in ("expired", "unused") for entry in entries) else OK)


def _document(results: Path, as_json: bool) -> Any:
    try:
        return json.loads(results.read_text("utf-8"))
    except OSError as error:
        _refuse([f"{results}: cannot be read ({error.strerror or error})"], as_json)
    except ValueError as error:
        _refuse([f"{results}: is not JSON ({error})"], as_json)


def _state(entries: Sequence[dict[str, Any]], read: ExceptionsFile, within: int) -> None:
    """Adds line and state; `shown_as` is `unused` for an entry in force that could have been used and was not."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from pci_config.report.exception_lines import entry_state  # noqa: PLC0415

    today = datetime.now(UTC).date()
    for entry, line, each in zip(entries, read.lines, read.register.entries, strict=True):
        entry["line"] = line
        entry["state"] = each.state(today, within)
        entry["shown_as"] = entry_state(entry)


def _tell(entries: Sequence[dict[str, Any]], path: Path, judged: bool) -> None:
    for state, meaning in STATES.items():
        shown = [entry for entry in entries if entry["shown_as"] == state]
        if shown:
            typer.echo(f"{meaning} ({len(shown)})")
        for entry in shown:
            until = f"{entry['created']} to {entry['expires']}"
            typer.echo(f"  {path}: line {entry['line']}: {entry['rule']} {entry['resource']}")
            typer.echo(f"    {until}, {entry['ticket']}, approved by {entry['approver']}: {entry['reason']}")
            if entry.get("open"):
                typer.echo(f"    {entry['open']} of its findings count{'s' if entry['open'] == 1 else ''} now")
    unjudged = sum(not entry.get("assessed") for entry in entries) if judged else 0
    if unjudged:
        typer.echo(f"{unjudged} cannot be called used or unused: the results do not cover its rule, accounts and Regions")
    typer.echo(f"{len(entries)} valid {'entry' if len(entries) == 1 else 'entries'}")


def _refuse(lines: Sequence[str], as_json: bool, found: Sequence[dict[str, Any]] | None = None) -> NoReturn:
    if as_json:
        problems = list(found) if found is not None else [{"line": None, "field": None, "message": line} for line in lines]
        typer.echo(json.dumps({"valid": False, "entries": [], "problems": problems}, indent=2, ensure_ascii=False))
    else:
        for line in lines:
            typer.echo(line, err=True)
    raise typer.Exit(USAGE)
