"""The rows of a results document, checked and sorted: what every table of the report is counted from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = "1"

#: Verdicts of the results contract with their labels, the most urgent first.
COMPLIANCE: Mapping[str, str] = {
    "NON_COMPLIANT": "Non-compliant",
    "ERROR": "Error",
    "NOT_ASSESSED": "Not assessed",
    "EXCEPTED": "Excepted",
    "COMPLIANT": "Compliant",
    "NOT_APPLICABLE": "Not applicable",
}
#: Verdicts that say nothing about the resource, for or against.
UNASSESSED = ("ERROR", "NOT_ASSESSED")
SEVERITIES = ("critical", "high", "medium", "low")

Identity = tuple[str, str, str, str, str]


class ReportInputError(ValueError):
    """A results document cannot be shown as a report; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One result. `requirements` maps a version of the standard to the numbers in it that the result is evidence for."""

    rule: str
    account_id: str
    region: str
    resource_type: str
    resource_id: str
    resource_name: str
    compliance: str
    annotation: str
    requirements: Mapping[str, tuple[str, ...]]
    severity: str
    evaluated_at: str
    configuration_item_captured_at: str

    @property
    def identity(self) -> Identity:
        """What makes two results of different documents results about the same thing."""
        return (self.rule, self.account_id, self.region, self.resource_type, self.resource_id)


def rows_of(document: Mapping[str, Any], name: str = "the results document") -> tuple[Row, ...]:
    """The results of a document in the contract's order. Raises ReportInputError for anything outside the contract."""
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ReportInputError(f"{name}: schema_version is {version!r}; this report reads version {SCHEMA_VERSION!r}")
    results = document.get("results")
    if not isinstance(results, list):
        raise ReportInputError(f"{name}: 'results' is missing or not a list")
    rows = [_row(result, f"{name}: results[{position}]") for position, result in enumerate(results)]
    return tuple(sorted(rows, key=lambda row: (row.identity, row.compliance, row.annotation)))


def _row(result: Any, where: str) -> Row:
    if not isinstance(result, Mapping):
        raise ReportInputError(f"{where}: is not an object")
    compliance = _required(result, "compliance", where)
    if compliance not in COMPLIANCE:
        raise ReportInputError(f"{where}: compliance {compliance!r} is not one of {', '.join(COMPLIANCE)}")
    requirements = result.get("requirements") or {}
    if not isinstance(requirements, Mapping) or not all(isinstance(numbers, list | tuple) for numbers in requirements.values()):
        raise ReportInputError(f"{where}: 'requirements' is not an object of lists")
    return Row(
        rule=_required(result, "rule", where),
        account_id=_required(result, "account_id", where),
        region=_required(result, "region", where),
        resource_type=_required(result, "resource_type", where),
        resource_id=_required(result, "resource_id", where),
        resource_name=str(result.get("resource_name") or ""),
        compliance=compliance,
        annotation=str(result.get("annotation") or ""),
        requirements={str(version): tuple(map(str, numbers)) for version, numbers in requirements.items()},
        severity=str(result.get("severity") or "").lower(),
        evaluated_at=str(result.get("evaluated_at") or ""),
        configuration_item_captured_at=str(result.get("configuration_item_captured_at") or ""),
    )


def _required(result: Mapping[str, Any], field: str, where: str) -> str:
    value = result.get(field)
    if not isinstance(value, str) or not value:
        raise ReportInputError(f"{where}: '{field}' is missing or not text")
    return value


def number_key(number: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts requirement numbers as the standard does: 2.2.1 before 10.2.1, A1.2 after 12.10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|[^\d.]+", number))


def versions_of(rows: tuple[Row, ...], *declared: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions of the standard that rows or rules name, the newest first."""
    found = {version for row in rows for version in row.requirements} | {
        str(version) for names in declared for version in names
    }
    return tuple(sorted(found, key=number_key, reverse=True))
