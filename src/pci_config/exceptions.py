"""The register of accepted deviations at work: which entry accepts what, and until when.

A resource owner cannot grant himself one: only the reviewed file `exceptions.yaml` does it, never a tag. The file is read and
validated by `pci_config.exceptions_file`; the function's bundle and the Automation documents carry the validated entries.

Runs in Lambda (entries bundled as `exceptions.json`) and inside Automation documents: standard library only.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ACCEPTED = "accepted until "  # how the annotation of an accepted deviation begins, wherever it is shown
SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class ExceptionEntry:
    """One accepted deviation.

    `resource` is an id or ARN as AWS Config reports it, or an ARN with the wildcards * (any text) and ? (one character).
    What has no Region of its own is excepted where its rule runs: users in the home Region, distributions in us-east-1.
    """

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

    def names(self, rule: str, account_id: str, region: str, resource_id: str, arn: str | None) -> bool:
        """Whether the entry is about this rule and resource, whatever the day."""
        return (
            rule == self.rule
            and account_id in self.accounts
            and region in self.regions
            and self._is_about(account_id, region, resource_id, arn)
        )

    def _is_about(self, account_id: str, region: str, resource_id: str, arn: str | None) -> bool:
        if not self.resource.startswith("arn:"):
            return resource_id == self.resource
        if arn or resource_id.startswith("arn:"):
            return any(_alike(self.resource, name) for name in (arn, resource_id) if name)
        # only the id is known (in a document, of a periodic finding): in an ARN it stands after the resource type, if any
        _, _, _, place, owner, resource = self.resource.split(":", 5)
        parts = re.split("[/:]", resource.lstrip("/"), maxsplit=1)
        return (
            (not place or _alike(place, region))
            and (not owner or _alike(owner, account_id))
            and any(_alike(part, resource_id) for part in {resource, parts[-1]})
        )

    def state(self, on: date, soon_days: int = SOON_DAYS) -> str:
        """`not-yet`, `in-force`, `expires-soon` (in force still) or `expired`; the last day is included."""
        if on < self.created:
            return "not-yet"
        if on > self.expires:
            return "expired"
        return "expires-soon" if self.expires - on <= timedelta(days=soon_days) else "in-force"

    def covers(self, rule: str, account_id: str, region: str, resource_id: str, arn: str | None, on: date) -> bool:
        """Whether the entry accepts a finding of that day."""
        return self.created <= on <= self.expires and self.names(rule, account_id, region, resource_id, arn)

    def accepted(self, annotation: str) -> str:
        """The annotation of a finding that this entry accepts."""
        return f"{ACCEPTED}{self.expires} ({self.ticket}): {self.reason.rstrip('.')}. {annotation}"

    def as_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else str(value) if isinstance(value, date) else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ExceptionEntry:
        """An entry that was validated when it was built in; texts that matching does not need may be absent."""
        texts = ("rule", "resource", "reason", "approver", "ticket", "compensating_control")
        return cls(
            accounts=tuple(raw["accounts"]),
            regions=tuple(raw["regions"]),
            created=date.fromisoformat(raw["created"]),
            expires=date.fromisoformat(raw["expires"]),
            **{name: raw.get(name, "") for name in texts},
        )


def _alike(pattern: str, name: str) -> bool:
    """* and ? as in a shell; [ is itself, and letters count as they are written."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


@dataclass(frozen=True, slots=True)
class ExceptionRegister:
    entries: tuple[ExceptionEntry, ...] = ()

    def match(
        self, rule: str, account_id: str, region: str, resource_id: str, arn: str | None, on: date
    ) -> ExceptionEntry | None:
        """The entry that accepts the resource longest on that day, if any."""
        found = [e for e in self.entries if e.covers(rule, account_id, region, resource_id, arn, on)]
        return max(found, key=lambda entry: entry.expires, default=None)

    def of_rules(self, rules: Sequence[str]) -> ExceptionRegister:
        return ExceptionRegister(tuple(entry for entry in self.entries if entry.rule in rules))

    def as_json(self) -> list[dict[str, Any]]:
        return [entry.as_json() for entry in self.entries]

    @classmethod
    def from_json(cls, raw: Sequence[Mapping[str, Any]]) -> ExceptionRegister:
        return cls(tuple(ExceptionEntry.from_json(entry) for entry in raw))

    @classmethod
    def bundled(cls) -> ExceptionRegister:
        """The entries beside the package in the function's bundle; none elsewhere."""
        path = Path(__file__).resolve().parents[1] / "exceptions.json"
        return cls.from_json(json.loads(path.read_text("utf-8"))) if path.is_file() else cls()
