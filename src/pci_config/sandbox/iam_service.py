"""Mends moto's GetAccountAuthorizationDetails for roles that CloudFormation made, whose inline policies are objects there."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from moto.iam.models import Role


def install() -> None:
    """Teach moto the answer of this module. Installing again changes nothing."""
    Role.role_policy_list = property(role_policy_list)  # type: ignore[method-assign,assignment]


def role_policy_list(self: Any) -> list[dict[str, str]]:
    return [
        {"PolicyName": name, "PolicyDocument": quote(policy if isinstance(policy, str) else json.dumps(policy))}
        for name, policy in self.policies.items()
    ]
