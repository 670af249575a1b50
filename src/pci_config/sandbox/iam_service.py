"""Mends moto's IAM: a role that CloudFormation makes keeps its inline policies as objects, where the API answers with text."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import Role

_moto_put_policy = Role.put_policy


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    Role.put_policy = _put_policy  # type: ignore[method-assign]


def _put_policy(self: Role, policy_name: str, policy_json: Any) -> None:
    text = policy_json if isinstance(policy_json, str) else json.dumps(policy_json)
    _moto_put_policy(self, policy_name, text)
