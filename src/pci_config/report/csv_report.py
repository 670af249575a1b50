"""Results as CSV (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

COLUMNS = (
    "rule", "compliance", "severity", "account_id", "region", "resource_type", "resource_id", "resource_name", "annotation",
    "requirements_4_0_1", "requirements_3_2_1", "evaluated_at", "configuration_item_captured_at",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render_csv(document: Mapping[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for result in document["results"]:
        row = {
            **result,
            "requirements_4_0_1": " ".join(result["requirements"].get("4.0.1", [])),
            "requirements_3_2_1": " ".join(result["requirements"].get("3.2.1", [])),
        }
        writer.writerow([_safe(row[column]) for column in COLUMNS])
    return out.getvalue()


def _safe(value: Any) -> str:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
