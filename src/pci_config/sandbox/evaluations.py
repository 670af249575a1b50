"""Evaluations as AWS Config keeps them: per rule and resource, the newest by ordering timestamp.

Source: Config API reference, PutEvaluations, Evaluation and GetComplianceDetailsByConfigRule.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ACCEPTED = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE")  # INSUFFICIENT_DATA is not accepted from rules
MAX_EVALUATIONS = 100
MAX_ANNOTATION_CHARACTERS = 256


class EvaluationRefusedError(Exception):
    """The call is refused as a whole; `code` is the exception that Config would answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class StoredEvaluation:
    rule_name: str
    resource_type: str
    resource_id: str
    compliance: str
    annotation: str
    ordering_timestamp: datetime
    invoked: datetime
    recorded: datetime


@dataclass
class EvaluationStore:
    """Of one account and Region."""

    _evaluations: dict[tuple[str, str, str], StoredEvaluation] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def token_for(self, rule_name: str, now: datetime) -> str:
        """A result token: it ties the evaluations to one invocation of one rule."""
        token = f"sandbox-{next(self._numbers)}-{rule_name}"
        self._tokens[token] = rule_name, now
        return token

    def put(self, token: str, evaluations: Sequence[Mapping[str, Any]], test_mode: bool = False) -> None:
        """Store evaluations. Raises EvaluationRefusedError and stores nothing when the call breaks a rule of the API."""
        if token not in self._tokens and not test_mode:
            raise EvaluationRefusedError("InvalidResultTokenException", "the result token is not known")
        if len(evaluations) > MAX_EVALUATIONS:
            raise EvaluationRefusedError("ValidationException", f"{len(evaluations)} evaluations; at most {MAX_EVALUATIONS}")
        parsed = [_parsed(entry) for entry in evaluations]
        if test_mode:
            return
        rule_name, invoked = self._tokens[token]
        for entry in parsed:
            key = rule_name, entry["ComplianceResourceType"], entry["ComplianceResourceId"]
            before = self._evaluations.get(key)
            if before and before.ordering_timestamp > entry["OrderingTimestamp"]:
                continue  # an older event came late
            self._evaluations[key] = StoredEvaluation(
                *key,
                entry["ComplianceType"],
                entry.get("Annotation", ""),
                entry["OrderingTimestamp"],
                invoked,
                datetime.now(UTC),
            )

    def results(self, rule_name: str | None = None, compliance: Sequence[str] = ()) -> list[StoredEvaluation]:
        """Results, sorted; without a filter NOT_APPLICABLE ones are left out, as Config leaves them out."""
        wanted = compliance or ("COMPLIANT", "NON_COMPLIANT")
        return [
            entry
            for key, entry in sorted(self._evaluations.items())
            if (rule_name is None or key[0] == rule_name) and entry.compliance in wanted
        ]

    def forget(self, rule_name: str) -> None:
        """DeleteEvaluationResults, or the rule is gone."""
        self._evaluations = {key: entry for key, entry in self._evaluations.items() if key[0] != rule_name}


def _parsed(entry: Mapping[str, Any]) -> dict[str, Any]:
    compliance, annotation = entry.get("ComplianceType"), entry.get("Annotation")
    if compliance not in ACCEPTED:
        raise EvaluationRefusedError(
            "InvalidParameterValueException", f"ComplianceType {compliance} is not accepted from rules"
        )
    if annotation is not None and not 1 <= len(annotation) <= MAX_ANNOTATION_CHARACTERS:
        raise EvaluationRefusedError(
            "ValidationException", f"an annotation of {len(annotation)} characters; 1 to 256 are taken"
        )
    if not 1 <= len(entry.get("ComplianceResourceId") or "") <= 768:
        raise EvaluationRefusedError("ValidationException", "ComplianceResourceId has 1 to 768 characters")
    return {**entry, "OrderingTimestamp": moment(entry["OrderingTimestamp"])}


def moment(value: Any) -> datetime:
    """A time as it comes over the wire: epoch seconds, ISO text, or parsed already."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    parsed: datetime = value
    return parsed
