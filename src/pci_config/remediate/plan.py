"""The plan file: which documents are to be started on which findings, and what was left out and why.

A plan holds everything that `run`, `status` and `restore` need, so that what was approved is what is started. Its id is
computed from its content: a plan that was edited by hand is refused.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

SCHEMA_VERSION = "1"

# why a finding is in no entry of the plan
EXCEPTED, NO_FIX, REFUSED, NOTHING_TO_DO, FAILED, NOT_JUDGED = (
    "excepted",
    "no fix",
    "refused",
    "nothing to do",
    "dry run failed",
    "not judged",
)


class PlanError(Exception):
    """A file cannot be used; the message names it, and says what to do."""


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One AWS call that a document would make, as its dry run told."""

    service: str
    operation: str
    parameters: dict[str, Any]
    summary: str


class DryRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the document said that it would do."""

    execution_id: str
    message: str
    calls: tuple[Call, ...]
    before: dict[str, Any]


class Restoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document that leads back, and what it gets beside the execution's id."""

    document: str
    parameters: dict[str, str]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One document to be started on one resource. `region` is where it is started; `parameters` has all but DryRun."""

    id: str
    rule: str
    severity: str
    account_id: str
    region: str
    resource_type: str
    resource_id: str
    resource_name: str
    annotation: str
    document: str
    resource_parameter: str
    parameters: dict[str, str]
    may_break: str
    undo: str
    approver: str
    restore: Restoring | None = None
    dry_run: DryRun | None = None

    @property
    def resource(self) -> tuple[str, str, str]:
        """What two documents may not change at once."""
        return self.account_id, self.region, self.resource_id


class LeftOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding for which the plan starts nothing."""

    why: str
    rule: str
    account_id: str
    region: str
    resource_type: str
    resource_id: str
    message: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: str
    plan_id: str
    created_at: str
    created_by: str
    source: str
    home_region: str
    accounts: dict[str, str]
    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]

    def document(self) -> dict[str, Any]:
        """The plan's content, ready for JSON."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    def place(self, account_id: str, region: str) -> str:
        """An account and Region for people: with the account's role in the organization, when it is known."""
        return " ".join(part for part in (self.accounts.get(account_id, ""), account_id, region) if part)

    def chosen(self, wanted: Iterable[str]) -> tuple[Entry, ...]:
        """The entries with these ids, or all when none is named. Raises PlanError for an id that the plan does not have."""
        ids = set(wanted)
        unknown = sorted(ids - {entry.id for entry in self.entries})
        if unknown:
            raise PlanError(f"the plan has no entry {', '.join(unknown)}; its entries: {', '.join(e.id for e in self.entries)}")
        return tuple(entry for entry in self.entries if not ids or entry.id in ids)


def entry_id(*parts: str) -> str:
    """The same for the same finding and document, in every plan."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def plan_id(plan: Plan) -> str:
    """From everything that the plan says, the moment included: a new plan can be run although an older one was."""
    content = msgspec.json.encode(msgspec.structs.replace(plan, plan_id=""), order="deterministic")
    return hashlib.sha256(content).hexdigest()[:16]


def write_plan(plan: Plan, path: Path) -> None:
    """Whole or not at all. Raises PlanError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(plan), indent=2).decode() + "\n")


def read_plan(path: Path) -> Plan:
    """Raises PlanError when it is no plan of this version, or no longer as it was written."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror or error})") from None
    except msgspec.ValidationError as error:
        raise PlanError(f"{path}: is no plan of `pci-config remediate plan` ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: is not JSON ({error})") from None
    if plan.schema_version != SCHEMA_VERSION:
        raise PlanError(f"{path}: schema_version is {plan.schema_version!r}; this program reads {SCHEMA_VERSION!r}")
    if plan.plan_id != plan_id(plan):
        raise PlanError(f"{path}: was changed after it was made; make a new plan, or choose entries of this one with --only")
    return plan


def write_whole(path: Path, text: str) -> None:
    """A file that appears whole or not at all, and stays after a power cut. Raises PlanError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)  # noqa: PTH105 - same thing, one import less
    except OSError as error:
        raise PlanError(f"{path}: cannot be written ({error.strerror or error})") from None
