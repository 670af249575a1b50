"""`pci-config rules`: the catalogue, one rule's page, and the whole of it for machines.

Imports what it needs inside each command: the command line stays quick.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pci_config.catalogue import Catalogue, RuleEntry
    from pci_config.pages.facts import RuleFacts
    from pci_config.rdk_json import RdkJson

USAGE_ERROR = 2
EXPORT_SCHEMA_VERSION = "1"
DEFAULT_SETTINGS = Path("rdk.json")
CSV_COLUMNS = (
    "id",
    "kind",
    "severity",
    "region_scope",
    "pci_4_0_1",
    "pci_3_2_1",
    "resource_types",
    "periodic",
    "fix",
    "parameters",
    "summary",
)


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class ListFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


class PageFormat(StrEnum):
    PAGE = "page"
    JSON = "json"


class ExportFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


rules_app = typer.Typer(
    help="Show the rules: what each demands, decides, asks for and fixes.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", help="The settings file whose parameters are shown. [default: rdk.json, if it is there]"),
]


@rules_app.command("list")
def list_command(
    requirement: Annotated[
        str | None, typer.Option(help="Only rules for this number of PCI DSS 4.0.1, or for numbers below it.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only custom rules of this severity.")] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="How to show them.")] = ListFormat.TABLE,
) -> None:
    """List custom and AWS managed rules.

    Example: pci-config rules list --requirement 4.2.1
    """
    from pci_config.pages.facts import rules_for  # noqa: PLC0415

    catalogue = _catalogue()
    if requirement is None:
        custom, managed = list(catalogue.rules.values()), list(catalogue.managed_rules.values())
    else:
        _check_number(catalogue, requirement)
        custom, managed = rules_for(catalogue, requirement)
    if severity is not None:
        custom, managed = [entry for entry in custom if entry.severity == severity], []
    rows: list[dict[str, Any]] = [
        {
            "id": entry.id,
            "kind": "custom",
            "severity": entry.severity,
            "requirements": {version: list(numbers) for version, numbers in entry.requirements.items()},
            "region_scope": entry.region_scope,
            "fix": ", ".join(fix.document for fix in entry.fixes) or None,
            "description": entry.description,
        }
        for entry in custom
    ]
    rows += [
        {
            "id": rule.id,
            "kind": "managed",
            "severity": None,
            "requirements": {version: list(numbers) for version, numbers in rule.requirements.items()},
            "region_scope": rule.region_scope,
            "fix": None,
            "description": rule.why_adequate,
        }
        for rule in managed
    ]
    if output is ListFormat.JSON:
        typer.echo(json.dumps(rows, indent=2))
        return
    if rows:
        _print_table(rows)
    if not custom and requirement is not None:
        _explain_absence(catalogue, requirement)


@rules_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="The rule's name.")],
    output: Annotated[PageFormat, typer.Option("--format", help="How to show it.")] = PageFormat.PAGE,
    settings: SettingsOption = None,
) -> None:
    """Show a rule's page: decision table, parameters, requirements, IAM actions, fix.

    Example: pci-config rules show PCI_LISTENER_TLS_ONLY
    """
    from pci_config.pages.facts import managed_document  # noqa: PLC0415
    from pci_config.pages.rule import managed_page, rule_page  # noqa: PLC0415

    catalogue, rdk_json = _catalogue(), _settings(settings)
    wanted = name.upper().replace("-", "_").removeprefix("PCI_MANAGED_")
    if wanted in catalogue.managed_rules:
        rule = catalogue.managed_rules[wanted]
        given = rdk_json.managed_rules.get(rule.id, {}) if rdk_json else {}
        page, document = managed_page(rule, given, catalogue.book), managed_document(rule, given)
    elif wanted in catalogue.rules:
        facts = _facts(catalogue.rules[wanted], rdk_json)
        page, document = rule_page(facts, catalogue.book, _places(catalogue.rules[wanted])), facts.document()
    else:
        _refuse_name(catalogue, name, wanted)
    if output is PageFormat.JSON:
        typer.echo(json.dumps(document, indent=2))
    else:
        _print_markdown(page)


@rules_app.command("export")
def export_command(
    form: Annotated[
        ExportFormat, typer.Option("--format", help="json: everything; csv: a line for each rule.")
    ] = ExportFormat.JSON,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    settings: SettingsOption = None,
) -> None:
    """Export the whole catalogue, AWS managed rules and requirements included.

    Example: pci-config rules export --format csv
    """
    catalogue, rdk_json = _catalogue(), _settings(settings)
    if form is ExportFormat.MARKDOWN:
        from pci_config.pages.index import index_page, managed_parameters  # noqa: PLC0415

        facts = [_facts(entry, rdk_json) for entry in catalogue.rules.values()]
        text = index_page(catalogue, facts, managed_parameters(rdk_json), str)
    elif form is ExportFormat.CSV:
        text = _csv(_export(catalogue, rdk_json))
    else:
        text = json.dumps(_export(catalogue, rdk_json), indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, "utf-8", newline="")
    except OSError as error:
        _refuse(f"{output}: cannot be written ({error.strerror or error})")
    typer.echo(f"wrote {output}", err=True)


def _catalogue() -> Catalogue:
    from pci_config.catalogue import Catalogue, CatalogueError  # noqa: PLC0415

    try:
        return Catalogue.load()
    except CatalogueError as error:
        _refuse(str(error))


def _settings(path: Path | None) -> RdkJson | None:
    """The settings, if there are any: a rule can be read without them."""
    if path is None and not DEFAULT_SETTINGS.is_file():
        return None
    from pci_config.rdk_json import RdkJson, SettingsError  # noqa: PLC0415

    try:
        return RdkJson.load(path or DEFAULT_SETTINGS)
    except SettingsError as error:
        _refuse(str(error))


def _facts(entry: RuleEntry, rdk_json: RdkJson | None) -> RuleFacts:
    from pci_config.catalogue import CatalogueError  # noqa: PLC0415
    from pci_config.pages.facts import rule_facts  # noqa: PLC0415

    try:
        return rule_facts(entry, rdk_json.rule_parameters.get(entry.id, {}) if rdk_json else {})
    except CatalogueError as error:
        _refuse(str(error))


def _places(entry: RuleEntry) -> dict[str, str]:
    found = {
        "decision": entry.folder / f"{entry.id}.py",
        "tests": entry.folder / f"{entry.id}_test.py",
        "metadata": entry.folder / "parameters.json",
    }
    return {what: str(path) for what, path in found.items() if path.is_file()}


def _export(catalogue: Catalogue, rdk_json: RdkJson | None) -> dict[str, Any]:
    import dataclasses  # noqa: PLC0415

    from pci_config.pages.facts import managed_document  # noqa: PLC0415

    managed = rdk_json.managed_rules if rdk_json else {}
    return {
        "schema_version": EXPORT_SCHEMA_VERSION,
        "standard": catalogue.book.standard,
        "rules": [_facts(entry, rdk_json).document() for entry in catalogue.rules.values()],
        "managed_rules": [managed_document(rule, managed.get(rule.id, {})) for rule in catalogue.managed_rules.values()],
        "requirements": [dataclasses.asdict(requirement) for requirement in catalogue.requirements.values()],
    }


def _csv(export: Mapping[str, Any]) -> str:
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for rule in (*export["rules"], *export["managed_rules"]):
        custom = rule["kind"] == "custom"
        named = {p["name"]: p["value"] or p["default"] for p in rule["parameters"]} if custom else rule["parameters"]
        writer.writerow(
            {
                "id": rule["id"],
                "kind": rule["kind"],
                "severity": rule.get("severity", ""),
                "region_scope": rule["region_scope"],
                "pci_4_0_1": " ".join(rule["requirements"]["4.0.1"]),
                "pci_3_2_1": " ".join(rule["requirements"]["3.2.1"]),
                "resource_types": " ".join(rule.get("resource_types", [])),
                "periodic": rule.get("periodic") or "",
                "fix": " ".join(_documents(rule)),
                "parameters": " ".join(f"{name}={value}" for name, value in named.items()),
                "summary": rule["summary"] if custom else rule["why_adequate"],
            }
        )
    return stream.getvalue()


def _documents(rule: Mapping[str, Any]) -> list[str]:
    fixes = [rule.get("remediation"), *rule.get("further_remediations", [])]
    return [fix["document"] for fix in fixes if fix]


def _check_number(catalogue: Catalogue, number: str) -> None:
    known = catalogue.requirements
    if number in known or any(found.startswith(number + ".") for found in known):
        return
    refused = catalogue.book.refusal("4.0.1", number, "")
    chapter = [found for found in known if found.partition(".")[0] == number.partition(".")[0]]
    close = difflib.get_close_matches(number, chapter, n=3)
    _refuse(f"requirement {number!r}: {refused}" + (f"; did you mean {', '.join(close)}?" if close else ""))


def _explain_absence(catalogue: Catalogue, number: str) -> None:
    requirement = catalogue.requirements.get(number)
    reason = (requirement.no_rule if requirement else None) or "there is none yet."
    typer.echo(f"No rule of our own for {number}: {reason}", err=True)


def _refuse_name(catalogue: Catalogue, name: str, wanted: str) -> NoReturn:
    names = [*catalogue.rules, *catalogue.managed_rules]
    parts = [known for known in names if wanted and wanted in known]
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5) or difflib.get_close_matches(f"PCI_{wanted}", names, n=3)
    suggestions = list(dict.fromkeys([*parts[:5], *close]))
    hint = f"; did you mean {', '.join(suggestions)}?" if suggestions else "; see `pci-config rules list`"
    _refuse(f"no rule {name!r}{hint}")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(USAGE_ERROR)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "PCI DSS 4.0.1", "severity", "runs in", "fix"):
        table.add_column(column, overflow="fold")
    for row in rows:
        numbers = ", ".join(row["requirements"]["4.0.1"])
        table.add_row(row["id"], numbers, row["severity"] or "managed", row["region_scope"], row["fix"] or "")
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, highlight=False).print(table)


def _print_markdown(page: str) -> None:
    """Rendered on a terminal; elsewhere the Markdown itself."""
    if not sys.stdout.isatty():
        typer.echo(page, nl=False)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.markdown import Markdown  # noqa: PLC0415

    Console().print(Markdown(page))
