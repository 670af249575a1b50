"""Plans and their executions as people read them, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pci_config.remediate import plan as plans
from pci_config.remediate.differences import changes, differences
from pci_config.remediate.plan import Entry, LeftOut, Plan
from pci_config.remediate.running import advice, attention, shortened
from pci_config.remediate.state import BAD, FIX, STARTING, WAITING, Attempt, State

UNKNOWN_CHANGE = "not known: no dry run was made"
HEADINGS = {
    plans.REFUSED: "Need a human: the document refuses",
    plans.FAILED: "No plan: the dry run failed",
    plans.EXCEPTED: "Excepted, skipped",
    plans.NOTHING_TO_DO: "Nothing to do any more",
}


def console(*, stderr: bool = False) -> Console:
    """One that does not cut lines where there is no terminal."""
    made = Console(stderr=stderr, highlight=False, markup=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, markup=False, width=140)


def tell_plan(plan: Plan, out: Console) -> None:
    """What would change, what each document may break, and what is left out."""
    if plan.entries:
        tell_changes(plan, plan.entries, out)
    for why, heading in HEADINGS.items():
        found = [each for each in plan.left_out if each.why == why]
        if found:
            out.print(f"\n{heading} ({len(found)})", style="bold")
        for each in found:
            out.print(f"  {each.rule}  {plan.place(each.account_id, each.region)}  {each.resource_id}", soft_wrap=True)
            out.print(f"    {each.message}", style="dim", soft_wrap=True)
    _tell_counted(plan, plans.NO_FIX, "without a fix, for people to decide", out)
    _tell_counted(plan, plans.NOT_JUDGED, "could not be judged", out)
    out.print(f"\n{_count(len(plan.entries), 'change')} planned. Nothing has been changed.")


def tell_changes(plan: Plan, entries: Sequence[Entry], out: Console) -> None:
    """Each change, and each document with what it may break, who agrees, and the way back."""
    out.print(_table(plan, entries))
    out.print("Documents", style="bold")
    for document in dict.fromkeys(entry.document for entry in entries):
        _tell_document([entry for entry in entries if entry.document == document], out)


def _table(plan: Plan, entries: Sequence[Entry]) -> Table:
    table = Table(title=f"Plan {plan.plan_id}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("entry", no_wrap=True)
    table.add_column("finding", overflow="fold", min_width=44)
    table.add_column("document, and old -> new", overflow="fold")
    for entry in entries:
        where = Text(f"{entry.rule} ({entry.severity})\n{plan.place(entry.account_id, entry.region)}\n{_name(entry)}")
        told = changes(entry.dry_run) if entry.dry_run else [UNKNOWN_CHANGE]
        table.add_row(entry.id, where, Text("\n".join((entry.document, *told))))
    return table


def _name(entry: Entry) -> str:
    """An id that says nothing to people goes with the resource's name."""
    name = entry.resource_name
    return entry.resource_id if not name or name in entry.resource_id else f"{name} ({entry.resource_id})"


def _tell_document(same: Sequence[Entry], out: Console) -> None:
    entry = same[0]
    undo = f"{entry.restore.document}: `pci-config remediate restore`" if entry.restore else f"no document. {entry.undo}"
    approvers = "; ".join(dict.fromkeys(each.approver for each in same))
    out.print(f"  {entry.document} ({len(same)})")
    for title, text in (("may break", entry.may_break), ("approval", approvers), ("undo", undo)):
        out.print(f"    {title + ':':<10} {text}", soft_wrap=True)


def _tell_counted(plan: Plan, why: str, heading: str, out: Console) -> None:
    counts = Counter(each.rule for each in plan.left_out if each.why == why)
    if counts:
        rules = ", ".join(f"{rule} {number}" for rule, number in sorted(counts.items()))
        out.print(f"\n{sum(counts.values())} {heading}: {rules}", soft_wrap=True)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan file's content, with old and new beside each dry run, and counts."""
    document = plan.document()
    for shown, entry in zip(document["entries"], plan.entries, strict=True):
        shown["differences"] = differences(entry.dry_run) if entry.dry_run else None
    counts = Counter(each.why for each in plan.left_out)
    return {**document, "summary": {"planned": len(plan.entries), "left_out": dict(sorted(counts.items()))}}


# ------------------------------------------------------------------------------------------------------ executions


def status_json(plan: Plan, state: State, problems: Sequence[str]) -> dict[str, Any]:
    """Every entry with its executions, in the plan's order."""
    entries = [
        {
            **{name: getattr(entry, name) for name in ("id", "rule", "account_id", "region", "resource_id", "document")},
            "restore_document": entry.restore.document if entry.restore else None,
            "status": standing(state, entry),
            "executions": [msgspec.to_builtins(attempt) for attempt in state.attempts.get(entry.id, [])],
        }
        for entry in plan.entries
    ]
    return {
        "schema_version": plans.SCHEMA_VERSION,
        "plan_id": plan.plan_id,
        "runs": msgspec.to_builtins(state.runs),
        "summary": dict(sorted(Counter(str(entry["status"]) for entry in entries).items())),
        "entries": entries,
        "problems": list(problems),
    }


def standing(state: State, entry: Entry) -> str:
    """In one word or two: how it stands with an entry."""
    attempts = state.attempts.get(entry.id, [])
    if not attempts:
        return "not started yet"
    last = attempts[-1]
    if not last.outcome:
        known = {WAITING: "waits for approval", STARTING: "start not known"}
        return known.get(last.status, "running" if last.kind == FIX else "being put back")
    if last.kind == "restore":
        return "put back" if last.outcome in ("changed", "compliant") else f"putting back {last.outcome}"
    return last.outcome


def tell_status(plan: Plan, state: State, problems: Sequence[str], out: Console) -> None:
    out.print(f"Plan {plan.plan_id}", style="bold")
    for entry in plan.entries:
        place = plan.place(entry.account_id, entry.region)
        out.print(f"  {entry.id}  {standing(state, entry):<16} {entry.rule}  {place}  {_name(entry)}", soft_wrap=True)
        for attempt in state.attempts.get(entry.id, []):
            _tell_attempt(attempt, out)
    out.print("\n" + summary(Counter(standing(state, entry) for entry in plan.entries)))
    for run in state.runs:
        approval = f"; approved: {run.approval}" if run.approval else ""
        out.print(f"{run.command} at {run.at} by {run.by} ({run.confirmed}){approval}", style="dim", soft_wrap=True)
    for problem in problems:
        out.print(f"not known: {problem}", soft_wrap=True)


def _tell_attempt(attempt: Attempt, out: Console) -> None:
    how = f"AWS Config as {attempt.rule_name}" if attempt.rule_name else attempt.document
    out.print(f"      {attempt.execution_id or 'no execution'} {how}, {attempt.started_at or 'not started'}", soft_wrap=True)
    for step in attempt.steps:
        out.print(f"        step {step.name}: {step.status}", soft_wrap=True)
    if attempt.message:
        out.print(f"        {attempt.outcome}: {shortened(attempt.message)}", style="dim", soft_wrap=True)
    if attempt.evidence:
        out.print(f"        evidence: {attempt.evidence}", soft_wrap=True)


def tell_attention(plan: Plan, state: State, entries: Sequence[Entry], out: Console) -> None:
    """What failed and what to do about it."""
    for entry, attempt in attention(state, entries):
        out.print(f"\n{entry.id} {attempt.document} {entry.resource_id}: {BAD[attempt.outcome]}", style="bold", soft_wrap=True)
        out.print(f"  {' '.join(attempt.message.split('; state before is recorded in ')[0].split())}", soft_wrap=True)
        out.print(f"  What to do: {advice(plan, entry, attempt)}", soft_wrap=True)
        if attempt.evidence:
            out.print(f"  Evidence: {attempt.evidence}", soft_wrap=True)


def tell_skipped(plan: Plan, skipped: Sequence[tuple[Entry, str]], out: Console) -> None:
    for entry, why in skipped:
        out.print(f"skipped {entry.id} {plan.place(entry.account_id, entry.region)} {_name(entry)}: {why}", soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def tell_outcomes(plan: Plan, state: State, entries: Sequence[Entry], out: Console) -> None:
    """A line for each entry, and how many of each there are."""
    for entry in entries:
        attempts = state.attempts.get(entry.id, [])
        place = plan.place(entry.account_id, entry.region)
        out.print(f"{entry.id}  {standing(state, entry):<16} {entry.document}  {place}  {_name(entry)}", soft_wrap=True)
        if attempts and attempts[-1].evidence:
            out.print(f"              evidence: {attempts[-1].evidence}", soft_wrap=True)
    out.print(summary(Counter(standing(state, entry) for entry in entries)))


def left_out_of(plan: Plan, why: str) -> list[LeftOut]:
    return [each for each in plan.left_out if each.why == why]


def summary(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "nothing"
