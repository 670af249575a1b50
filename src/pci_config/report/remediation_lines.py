"""The remediation record of a results document: what was fixed, and what needs a human and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.report.rows import ReportInputError

#: Status of a remediation with what it means, in the order in which people need to see it.
REMEDIATION: Mapping[str, str] = {
    "needs a human": "Nothing was changed; somebody has to decide",
    "failed": "The document stopped with an error; check the resource",
    "dry run": "Nothing was changed; the document only said what it would do",
    "fixed": "Changed, and verified by the document",
}
FIELDS = ("status", "rule", "account_id", "region", "resource_id", "document", "message")


def remediation_lines(record: Any) -> tuple[dict[str, str], ...] | None:
    """The record's entries, what needs attention first; None when the document holds no record at all."""
    if record is None:
        return None
    if not isinstance(record, list | tuple):
        raise ReportInputError("'remediation' is not a list")
    lines = [_line(entry, position) for position, entry in enumerate(record)]
    order = {status: rank for rank, status in enumerate(REMEDIATION)}
    return tuple(sorted(lines, key=lambda line: (order.get(line["status"], -1), *line.values())))


def _line(entry: Any, position: int) -> dict[str, str]:
    if not isinstance(entry, Mapping):
        raise ReportInputError(f"remediation[{position}]: is not an object")
    if not entry.get("status"):
        raise ReportInputError(f"remediation[{position}]: 'status' is missing")
    return {field: str(entry.get(field) or "") for field in FIELDS}
