"""Old and new of what a document would change, from the state before and the parameters of its calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pci_config.remediate.plan import DryRun

ABSENT = "not set"
MAX_TEXT = 60


def differences(dry_run: DryRun) -> list[str]:
    """`Name: old -> new` for every value of a call whose name is also one of the state before, and differs there."""
    before = dict(_leaves(dry_run.before))
    found: list[str] = []
    for call in dry_run.calls:
        for path, new in _leaves(call.parameters):
            old = _old(before, path)
            if old is not None and old != new:
                found.append(f"{path[-1]}: {_text(old)} -> {_text(new)}")
    return list(dict.fromkeys(found))


def changes(dry_run: DryRun) -> list[str]:
    """What people read: each call's summary, then old and new."""
    return [*(call.summary for call in dry_run.calls), *(f"  {line}" for line in differences(dry_run))]


def _old(before: Mapping[tuple[str, ...], Any], path: tuple[str, ...]) -> Any:
    """The one value before that has the same name, with as much of the way to it as both have."""
    same = [known for known in before if known[-1] == path[-1]]
    return before[same[0]] if len(same) == 1 else None


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no object, by the way to it; lists of Key and Value count as an object."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, (*path, str(name)))
    elif _is_key_values(value):
        for member in value:
            yield (*path, str(member["Key"])), member.get("Value", ABSENT)
    elif path:
        yield path, value


def _is_key_values(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(member, Mapping) and set(member) <= {"Key", "Value"} and "Key" in member for member in value)
    )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
