"""Adds to moto's CloudWatch Logs the account-level policies (PutAccountPolicy, DescribeAccountPolicies).

Source: CloudWatch Logs API reference.
"""

from __future__ import annotations

import json
from typing import Any

from moto.logs.responses import LogsResponse


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for action in (put_account_policy, describe_account_policies):
        setattr(LogsResponse, action.__name__, action)


def _policies(self: Any) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = self.logs_backend.__dict__.setdefault("sandbox_account_policies", {})
    return found


def put_account_policy(self: Any) -> str:
    request = json.loads(self.body)
    names = ("policyName", "policyDocument", "policyType", "scope", "selectionCriteria")
    policy = {name: request[name] for name in names if name in request} | {"accountId": self.current_account}
    _policies(self)[policy["policyType"], policy["policyName"]] = policy
    return json.dumps({"accountPolicy": policy})


def describe_account_policies(self: Any) -> str:
    request = json.loads(self.body)
    found = [
        policy
        for (kind, name), policy in sorted(_policies(self).items())
        if kind == request["policyType"] and request.get("policyName") in (None, name)
    ]
    return json.dumps({"accountPolicies": found})
