"""What became of the findings of an earlier assessment: an account that adds up, and never calls the unknown fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pci_config.report.rows import COMPLIANCE, UNASSESSED, Identity, Row

Key = TypeVar("Key")
URGENCY = {compliance: rank for rank, compliance in enumerate(COMPLIANCE)}

#: What can become of a finding, with the label that tables and filters show.
OUTCOMES: Mapping[str, str] = {
    "fixed": "Fixed",
    "excepted": "Excepted since",
    "gone": "No longer found",
    "unknown": "Cannot be told",
    "open": "Still open",
    "new": "Newly found",
}


@dataclass(frozen=True, slots=True)
class Movement:
    """Findings counted by outcome. before - (fixed + excepted + gone + unknown) + new = now."""

    fixed: int = 0
    excepted: int = 0
    gone: int = 0
    unknown: int = 0
    open: int = 0
    new: int = 0

    @property
    def before(self) -> int:
        return self.fixed + self.excepted + self.gone + self.unknown + self.open

    @property
    def now(self) -> int:
        return self.open + self.new


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcomes of all findings of two documents; `outcomes` by result, the movements by rule and account."""

    outcomes: Mapping[Identity, str]
    total: Movement
    by_rule: Mapping[str, Movement]
    by_account: Mapping[str, Movement]
    by_rule_and_account: Mapping[tuple[str, str], Movement]


def compare(before: Iterable[Row], after: Iterable[Row]) -> Comparison:
    """Follow every finding of `before` into `after`; what is found only in `after` is new."""
    after = tuple(after)
    earlier, later = _verdicts(before), _verdicts(after)
    unread = {(row.rule, row.account_id) for row in after if row.compliance in UNASSESSED}
    outcomes = {
        identity: _outcome(later.get(identity), unread=(identity[0], identity[1]) in unread)
        for identity, verdict in earlier.items()
        if verdict == "NON_COMPLIANT"
    }
    for identity, verdict in later.items():
        if verdict == "NON_COMPLIANT" and identity not in outcomes:
            outcomes[identity] = "new"
    return Comparison(
        outcomes=outcomes,
        total=_movement(outcomes.values()),
        by_rule=_grouped({identity: identity[0] for identity in outcomes}, outcomes),
        by_account=_grouped({identity: identity[1] for identity in outcomes}, outcomes),
        by_rule_and_account=_grouped({identity: (identity[0], identity[1]) for identity in outcomes}, outcomes),
    )


def _outcome(verdict: str | None, *, unread: bool) -> str:
    match verdict:
        case "NON_COMPLIANT":
            return "open"
        case "COMPLIANT":
            return "fixed"
        case "EXCEPTED":
            return "excepted"
        case "NOT_APPLICABLE":
            return "gone"
        case None if not unread:
            return "gone"
        case _:
            return "unknown"


def _verdicts(rows: Iterable[Row]) -> dict[Identity, str]:
    """The verdict on each thing; should a document hold two, the more urgent one."""
    verdicts: dict[Identity, str] = {}
    for row in rows:
        known = verdicts.get(row.identity)
        if known is None or URGENCY[row.compliance] < URGENCY[known]:
            verdicts[row.identity] = row.compliance
    return verdicts


def _movement(outcomes: Iterable[str]) -> Movement:
    return Movement(**Counter(outcomes))


def _grouped(groups: Mapping[Identity, Key], outcomes: Mapping[Identity, str]) -> dict[Key, Movement]:
    gathered: dict[Key, list[str]] = {}
    for identity, group in groups.items():
        gathered.setdefault(group, []).append(outcomes[identity])
    return {group: _movement(found) for group, found in gathered.items()}
