"""Findings to plan for: from a results file of `pci-config assess` (json or jsonl)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pci_config.remediate.plan import PlanError
from pci_config.report.rows import SCHEMA_VERSION, ReportInputError, Row, rows_of


def read_findings(path: Path) -> tuple[tuple[Row, ...], str]:
    """The results of a file, and what to call it. Raises PlanError naming file, place and fault."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    document = _whole(text)
    if document is None:
        document = {"schema_version": SCHEMA_VERSION, "results": _lines(text, path)}
    try:
        rows = rows_of(document, str(path))
    except ReportInputError as error:
        raise PlanError(f"{error}; expected the file of `pci-config assess --format json` or jsonl") from None
    made = document.get("generated_at")
    return rows, f"{path}{f', of {made}' if isinstance(made, str) else ''}"


def _whole(text: str) -> dict[str, Any] | None:
    """The results document; None when the text is one result a line."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "rule" not in document else None


def _lines(text: str, path: Path) -> list[Any]:
    results = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                results.append(json.loads(line))
            except ValueError as error:
                raise PlanError(f"{path}: line {number} is not JSON ({error})") from None
    return results
