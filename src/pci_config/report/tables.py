"""The report's tables, counted from rows: totals, by requirement, by rule, by account and the matrix of rules and accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.report.rows import COMPLIANCE, SEVERITIES, UNASSESSED, Row, number_key


@dataclass(frozen=True, slots=True)
class Tally:
    """Results counted by verdict; every verdict of the contract is present."""

    counts: Mapping[str, int]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Tally:
        found = Counter(row.compliance for row in rows)
        return cls({compliance: found[compliance] for compliance in COMPLIANCE})

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def unassessed(self) -> int:
        return sum(self.counts[compliance] for compliance in UNASSESSED)

    @property
    def non_compliant(self) -> int:
        return self.counts["NON_COMPLIANT"]

    @property
    def standing(self) -> str:
        """What the counts allow to say: findings first, then gaps; the absence of both is not called compliance."""
        if self.non_compliant:
            return "findings"
        if self.unassessed:
            return "gaps"
        if self.counts["EXCEPTED"]:
            return "excepted"
        return "none" if self.counts["COMPLIANT"] else "empty"


@dataclass(frozen=True, slots=True)
class RuleLine:
    rule: str
    description: str
    severity: str
    requirements: Mapping[str, tuple[str, ...]]
    tally: Tally


@dataclass(frozen=True, slots=True)
class RequirementLine:
    number: str
    title: str
    rules: tuple[str, ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class AccountLine:
    account_id: str
    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Rule:
    """What the document says about a rule as such, or else what its results say."""

    description: str
    severity: str
    requirements: Mapping[str, tuple[str, ...]]


def rules_of(document: Mapping[str, Any], rows: tuple[Row, ...]) -> dict[str, Rule]:
    """Every rule of the document, those without a result included: they are evidence for nothing and are shown so."""
    stated: Mapping[str, Any] = document.get("rules") or {}
    from_rows: dict[str, Row] = {}
    for row in rows:
        from_rows.setdefault(row.rule, row)
    rules = {}
    for name in sorted({*stated, *from_rows}):
        about: Mapping[str, Any] = stated.get(name) or {}
        example = from_rows.get(name)
        numbers = about.get("requirements") or (example.requirements if example else {})
        rules[name] = Rule(
            description=str(about.get("description") or ""),
            severity=str(about.get("severity") or (example.severity if example else "")).lower(),
            requirements={str(version): tuple(map(str, found)) for version, found in numbers.items()},
        )
    return rules


def by_rule(rows: Iterable[Row], rules: Mapping[str, Rule]) -> tuple[RuleLine, ...]:
    groups: dict[str, list[Row]] = {name: [] for name in rules}
    for row in rows:
        groups[row.rule].append(row)
    return tuple(
        RuleLine(name, rules[name].description, rules[name].severity, rules[name].requirements, Tally.of(found))
        for name, found in groups.items()
    )


def by_account(rows: Iterable[Row], names: Mapping[str, str]) -> tuple[AccountLine, ...]:
    groups: dict[str, list[Row]] = {account_id: [] for account_id in names}
    for row in rows:
        groups.setdefault(row.account_id, []).append(row)
    return tuple(
        AccountLine(account_id, names.get(account_id, ""), Tally.of(groups[account_id])) for account_id in sorted(groups)
    )


def by_requirement(
    version: str, rows: Iterable[Row], rules: Mapping[str, Rule], titles: Mapping[str, str]
) -> tuple[RequirementLine, ...]:
    """One line for each number of `version`. A result counts for every number that it names."""
    groups: dict[str, list[Row]] = {number: [] for rule in rules.values() for number in rule.requirements.get(version, ())}
    evidence: dict[str, set[str]] = {}
    for name, rule in rules.items():
        for number in rule.requirements.get(version, ()):
            evidence.setdefault(number, set()).add(name)
    for row in rows:
        for number in row.requirements.get(version, ()):
            groups.setdefault(number, []).append(row)
            evidence.setdefault(number, set()).add(row.rule)
    return tuple(
        RequirementLine(number, titles.get(number, ""), tuple(sorted(evidence[number])), Tally.of(groups[number]))
        for number in sorted(groups, key=number_key)
    )


def matrix(rows: Iterable[Row]) -> dict[str, dict[str, Tally]]:
    """Tallies by rule, then account; pairs without a result are absent."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault(row.rule, {}).setdefault(row.account_id, []).append(row)
    return {rule: {account: Tally.of(found) for account, found in accounts.items()} for rule, accounts in groups.items()}


def findings_by_severity(rows: Iterable[Row]) -> tuple[tuple[str, int], ...]:
    """Non-compliant results by severity, the gravest first; severities outside the catalogue's four come last."""
    found = Counter(row.severity or "not stated" for row in rows if row.compliance == "NON_COMPLIANT")
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    return tuple(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))
