"""Mends moto's buckets: policies with conditions, and a default retention in days or in years.

moto takes a statement whose condition is not met as a refusal, where AWS leaves it out. Here a statement with a condition is
left out altogether: the sandbox knows neither transport nor organization of a request.
Source: IAM user guide, policy evaluation logic; S3 API reference, DefaultRetention.
"""

from __future__ import annotations

import json
from typing import Any

from moto.s3.models import FakeBucket

_moto_default_retention = FakeBucket.default_retention


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    FakeBucket.get_permission = _get_permission  # type: ignore[method-assign]
    FakeBucket.default_retention = _default_retention  # type: ignore[method-assign]


def _default_retention(self: FakeBucket) -> str:
    """moto adds days and years, of which a bucket has one."""
    given = self.default_lock_days, self.default_lock_years
    self.default_lock_days, self.default_lock_years = given[0] or 0, given[1] or 0
    try:
        return str(_moto_default_retention(self))
    finally:
        self.default_lock_days, self.default_lock_years = given


def _get_permission(self: FakeBucket, action: str, resource: str) -> Any:
    from moto.iam.access_control import IAMPolicy, PermissionResult  # noqa: PLC0415 - as moto does

    if self.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(self.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    judged = [statement for statement in statements if not statement.get("Condition")]
    return IAMPolicy(json.dumps({**document, "Statement": judged})).is_action_permitted(action, resource)
