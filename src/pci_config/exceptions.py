"""The register of accepted deviations, `exceptions.yaml`: reviewed, with approver, reason, compensating control and expiry.

A resource owner cannot grant himself one: only this file does it, never a tag. Matching runs in Lambda (standard library
only); reading the YAML file happens outside, and the function's bundle carries the validated entries as JSON.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

LONGEST = timedelta(days=366)  # twelve months, leap years included
FIELDS = (
    "rule", "accounts", "regions", "resource", "reason", "approver", "ticket", "compensating_control", "created", "expires",
)  # fmt: skip


class ExceptionsError(Exception):
    """exceptions.yaml cannot be used; `problems` has one line for each fault, with its line number."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class ExceptionEntry:
    """One accepted deviation. `resource` is an id or ARN, or a shell-style pattern of one."""

    rule: str
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    resource: str
    reason: str
    approver: str
    ticket: str
    compensating_control: str
    created: date
    expires: date

    def covers(self, rule: str, account_id: str, region: str, resource_id: str, arn: str | None, on: date) -> bool:
        return (
            rule == self.rule
            and account_id in self.accounts
            and (region in self.regions or region == "global")
            and any(fnmatch.fnmatchcase(name, self.resource) for name in (resource_id, arn or "") if name)
            and self.created <= on <= self.expires
        )


@dataclass(frozen=True, slots=True)
class ExceptionRegister:
    entries: tuple[ExceptionEntry, ...] = ()

    def match(
        self, rule: str, account_id: str, region: str, resource_id: str, arn: str | None, on: date
    ) -> ExceptionEntry | None:
        """The first entry in force on that day for that resource, if any."""
        return next((e for e in self.entries if e.covers(rule, account_id, region, resource_id, arn, on)), None)

    @classmethod
    def load(cls, path: Path) -> ExceptionRegister:
        """Read and validate exceptions.yaml. Raises ExceptionsError, for a missing file too."""
        import yaml  # noqa: PLC0415 - not in Lambda

        try:
            text = path.read_text("utf-8")
            root = yaml.compose(text, yaml.SafeLoader)
            document = yaml.safe_load(text)
        except OSError as error:
            raise ExceptionsError([f"{path}: cannot be read ({error.strerror or error})"]) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f" line {mark.line + 1}:" if mark else ""
            raise ExceptionsError([f"{path}:{where} is not YAML: {getattr(error, 'problem', None) or error}"]) from None
        entries = (document or {}).get("exceptions") if isinstance(document or {}, dict) else None
        if not isinstance(document or {}, dict) or set(document or {}) - {"exceptions"} or not isinstance(entries or [], list):
            raise ExceptionsError([f"{path}: line 1: expected one key, 'exceptions', with a list of entries"])
        lines = [node.start_mark.line + 1 for key, value in (root.value if root else []) for node in value.value]
        return cls.from_entries(entries or [], [f"{path}: line {line}" for line in lines])

    @classmethod
    def from_entries(cls, entries: Sequence[Any], places: Sequence[str] | None = None) -> ExceptionRegister:
        """From parsed entries. Raises ExceptionsError with every fault found."""
        problems: list[str] = []
        parsed: list[ExceptionEntry] = []
        for position, raw in enumerate(entries):
            place = places[position] if places else f"exception {position + 1}"
            faults = _faults(raw)
            problems += [f"{place}: {fault}" for fault in faults]
            if not faults:
                parsed.append(_entry(raw))
        if problems:
            raise ExceptionsError(problems)
        return cls(tuple(parsed))


def _entry(raw: Mapping[str, Any]) -> ExceptionEntry:
    texts = {name: str(raw[name]) for name in ("rule", "resource", "reason", "approver", "ticket", "compensating_control")}
    return ExceptionEntry(
        accounts=tuple(str(account) for account in raw["accounts"]),
        regions=tuple(str(region) for region in raw["regions"]),
        created=_date(raw["created"]) or date.min,
        expires=_date(raw["expires"]) or date.min,
        **texts,
    )


def _faults(raw: Any) -> list[str]:
    if not isinstance(raw, Mapping):
        return [f"an entry is an object with the fields {', '.join(FIELDS)}"]
    faults = [f"{name} is missing" for name in FIELDS if raw.get(name) in (None, "", [])]
    faults += [f"{name} is no field of an exception; expected {', '.join(FIELDS)}" for name in sorted(set(raw) - set(FIELDS))]
    if faults:
        return faults
    if not re.fullmatch(r"PCI(_[A-Z0-9]+)+", str(raw["rule"])):
        faults.append(f"rule: {raw['rule']!r} is not a rule id; an exception names one rule")
    faults += _list_faults(raw, "accounts", r"[0-9]{12}", "account ids of 12 digits, as text in quotes")
    faults += _list_faults(raw, "regions", r"[a-z]{2}(-[a-z]+)+-[0-9]", "Regions such as eu-west-1")
    if len(re.sub(r"[*?\[\]]", "", str(raw["resource"]))) < 4:
        faults.append(
            f"resource: {raw['resource']!r} matches nearly everything; name the resource (at least 4 fixed characters)"
        )
    created, expires = _date(raw["created"]), _date(raw["expires"])
    if created is None or expires is None:
        faults.append("created and expires are dates such as 2026-11-24")
    elif not created < expires <= created + LONGEST:
        faults.append(f"expires: {expires} is not within 12 months after created ({created})")
    return faults


def _list_faults(raw: Mapping[str, Any], name: str, pattern: str, expected: str) -> list[str]:
    values = raw[name]
    if not isinstance(values, list):
        return [f"{name}: {values!r} is not a list; expected {expected}"]
    return [f"{name}: {v!r} is not valid; expected {expected}" for v in values if not re.fullmatch(pattern, str(v))]


def _date(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
