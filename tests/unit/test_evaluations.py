"""The sandbox's evaluation store against the Config API reference (PutEvaluations, Evaluation)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pci_config.sandbox.evaluations import EvaluationRefusedError, EvaluationStore

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def evaluation(
    compliance: str = "COMPLIANT", at: str = "2026-11-01T00:00:00Z", resource: str = "b", **more: Any
) -> dict[str, Any]:
    return {
        "ComplianceResourceType": "AWS::S3::Bucket",
        "ComplianceResourceId": resource,
        "ComplianceType": compliance,
        "OrderingTimestamp": at,
        **more,
    }


def test_a_later_event_replaces_and_an_earlier_one_does_not() -> None:
    store = EvaluationStore()
    token = store.token_for("rule", NOW)
    store.put(token, [evaluation("NON_COMPLIANT", "2026-11-01T00:00:02Z")])
    store.put(token, [evaluation("COMPLIANT", "2026-11-01T00:00:01Z")])
    assert [entry.compliance for entry in store.results("rule")] == ["NON_COMPLIANT"]
    store.put(token, [evaluation("COMPLIANT", "2026-11-01T00:00:02Z")])
    assert [entry.compliance for entry in store.results("rule")] == ["COMPLIANT"]


def test_not_applicable_is_kept_but_not_shown_unasked() -> None:
    store = EvaluationStore()
    store.put(store.token_for("rule", NOW), [evaluation("NOT_APPLICABLE")])
    assert store.results("rule") == []
    assert len(store.results("rule", ["NOT_APPLICABLE"])) == 1


def test_results_are_per_rule_and_can_be_forgotten() -> None:
    store = EvaluationStore()
    store.put(store.token_for("one", NOW), [evaluation()])
    store.put(store.token_for("two", NOW), [evaluation("NON_COMPLIANT", resource="c")])
    assert [entry.resource_id for entry in store.results("one")] == ["b"]
    store.forget("one")
    assert [entry.rule_name for entry in store.results()] == ["two"]


@pytest.mark.parametrize(
    ("evaluations", "code"),
    [
        ([evaluation() for _ in range(101)], "ValidationException"),
        ([evaluation("INSUFFICIENT_DATA")], "InvalidParameterValueException"),
        ([evaluation(Annotation="x" * 257)], "ValidationException"),
        ([evaluation(Annotation="")], "ValidationException"),
        ([evaluation(resource="")], "ValidationException"),
        ([evaluation(resource="x" * 769)], "ValidationException"),
    ],
)
def test_a_bad_call_is_refused_whole(evaluations: list[Any], code: str) -> None:
    store = EvaluationStore()
    token = store.token_for("rule", NOW)
    with pytest.raises(EvaluationRefusedError) as caught:
        store.put(token, [evaluation(resource="good"), *evaluations])
    assert caught.value.code == code
    assert store.results() == []


def test_unknown_tokens_are_refused_and_test_mode_stores_nothing() -> None:
    store = EvaluationStore()
    with pytest.raises(EvaluationRefusedError, match="result token"):
        store.put("made-up", [evaluation()])
    store.put("TESTMODE", [evaluation()], test_mode=True)
    assert store.results() == []
