"""Results for the terminal: totals by rule, then what needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pci_config.report.exception_lines import ATTENTION, STATES, entry_state

SHOWN = ("NON_COMPLIANT", "ERROR", "NOT_ASSESSED", "EXCEPTED", "COMPLIANT", "NOT_APPLICABLE")
STYLES = {"NON_COMPLIANT": "red", "ERROR": "bold red", "NOT_ASSESSED": "yellow", "EXCEPTED": "cyan", "COMPLIANT": "green"}
SEVERITIES = ("critical", "high", "medium", "low")


def render_table(document: Mapping[str, Any], width: int = 160) -> str:
    """The results as text without colours, for files and pipes."""
    console = Console(width=width, record=True, file=None, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable(document))
    return capture.get()


def renderable(document: Mapping[str, Any]) -> RenderableType:
    """For a rich console."""
    parts: list[RenderableType] = [_totals(document)]
    findings = [r for r in document["results"] if r["compliance"] in ("NON_COMPLIANT", "ERROR")]
    if findings:
        parts.append(_findings(findings))
    excepted = [r for r in document["results"] if r["compliance"] == "EXCEPTED"]
    if excepted:
        parts.append(_excepted(excepted))
    register = [entry for entry in document.get("exceptions") or [] if entry_state(entry) in ATTENTION]
    if register:
        parts.append(_register(register))
    unseen = [r for r in document["results"] if r["compliance"] == "NOT_ASSESSED"]
    if unseen:
        reasons = sorted({result["annotation"] for result in unseen})
        parts.append(Text(f"Not assessed: {len(unseen)}, because " + "; ".join(reasons[:3]) + ("; …" if reasons[3:] else "")))
    return Group(*parts)


def _totals(document: Mapping[str, Any]) -> Table:
    table = Table(title="Results by rule", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("rule", no_wrap=True)
    totals = document["summary"]["by_compliance"]
    shown = [name for name in SHOWN if totals[name] or name in ("NON_COMPLIANT", "COMPLIANT")]
    for name in shown:
        table.add_column(name.lower().replace("_", "\n"), justify="right")
    for rule, counts in document["summary"]["by_rule"].items():
        cells = [Text(str(counts.get(name, 0)), style=STYLES.get(name, "") if counts.get(name) else "dim") for name in shown]
        table.add_row(rule, *cells)
    table.add_section()
    table.add_row("all", *(str(totals[name]) for name in shown))
    return table


def _findings(findings: list[Mapping[str, Any]]) -> Text:
    text = Text("What needs attention\n", style="bold")
    for r in sorted(findings, key=lambda result: SEVERITIES.index(result["severity"])):
        where = f"{r['account_id']} {r['region']}  {r['resource_name'] or r['resource_id']}"
        style = "red" if r["severity"] in ("critical", "high") else "yellow"
        text.append(f"{r['severity']:<9}", style=style)
        text.append(f"{r['rule']}  ", style="not bold")
        text.append(f"{where}\n", style="not bold dim")
        text.append(f"         {r['annotation']}\n", style="not bold")
    return text


def _excepted(results: list[Mapping[str, Any]]) -> Text:
    text = Text("Accepted deviations\n", style="bold")
    for r in results:
        text.append("excepted ", style="cyan not bold")
        text.append(f"{r['rule']}  ", style="not bold")
        text.append(f"{r['account_id']} {r['region']}  {r['resource_name'] or r['resource_id']}\n", style="not bold dim")
        text.append(f"         {r['annotation']}\n", style="not bold")
    return text


def _register(entries: list[Mapping[str, Any]]) -> Text:
    """Entries of the register that somebody has to look at."""
    text = Text("Exceptions to look at\n", style="bold")
    for state in ATTENTION:
        for entry in (each for each in entries if entry_state(each) == state):
            text.append(f"{STATES[state].lower()}: ", style="yellow not bold")
            text.append(f"{entry['rule']}  ", style="not bold")
            text.append(
                f"{entry['ticket']}, {entry['created']} to {entry['expires']}  {entry['resource']}", style="not bold dim"
            )
            if entry.get("open"):
                text.append(f"  counts again: {entry['open']}", style="red not bold")
            text.append("\n")
    return text
