"""The register of accepted deviations in a results document: what is in force, and what somebody has to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.report.rows import ReportInputError

#: States with their labels, in the order in which people need to see them.
STATES: Mapping[str, str] = {
    "expired": "Expired",
    "unused": "Unused",
    "expires-soon": "Expires soon",
    "in-force": "In force",
    "not-yet": "Not yet in force",
}
MEANINGS: Mapping[str, str] = {
    "expired": "Its findings count again",
    "unused": "In force, but nothing was found that it accepts",
    "expires-soon": "In force for 30 more days at most",
    "in-force": "Accepts findings",
    "not-yet": "Accepts nothing yet",
}
ATTENTION = ("expired", "unused", "expires-soon")
TEXTS = ("rule", "resource", "reason", "approver", "ticket", "compensating_control", "created", "expires")


def entry_state(entry: Mapping[str, Any]) -> str:
    """The state to show: an entry in force that could have been used and was not is called unused."""
    state = str(entry["state"])
    in_force = state in ("in-force", "expires-soon")
    return "unused" if in_force and entry.get("assessed") and not entry.get("used") else state


def exception_lines(record: Any) -> tuple[dict[str, Any], ...] | None:
    """The entries, what needs attention first; None when the document holds no register at all."""
    if record is None:
        return None
    if not isinstance(record, list | tuple):
        raise ReportInputError("'exceptions' is not a list")
    order = {state: rank for rank, state in enumerate(STATES)}
    lines = [_line(entry, position) for position, entry in enumerate(record)]
    return tuple(sorted(lines, key=lambda line: (order[line["state"]], line["expires"], line["rule"], line["resource"])))


def _line(entry: Any, position: int) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise ReportInputError(f"exceptions[{position}]: is not an object")
    state = entry_state(entry) if entry.get("state") else ""
    if state not in STATES:
        raise ReportInputError(f"exceptions[{position}]: state {entry.get('state')!r} is not one of {', '.join(STATES)}")
    return {
        **{name: str(entry.get(name) or "") for name in TEXTS},
        **{name: tuple(map(str, entry.get(name) or ())) for name in ("accounts", "regions")},
        **{name: int(entry.get(name) or 0) for name in ("used", "open")},
        "state": state,
    }
