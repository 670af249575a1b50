"""Adds to moto's CloudWatch Logs the account-level policies (PutAccountPolicy, DescribeAccountPolicies), and that metric
filters are of a log group that exists and replace the one of the same name.

Source: CloudWatch Logs API reference.
"""

from __future__ import annotations

import json
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

_put_filter, _filters = LogsBackend.put_metric_filter, LogsBackend.describe_metric_filters


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for action in (put_account_policy, describe_account_policies):
        setattr(LogsResponse, action.__name__, action)
    LogsBackend.put_metric_filter = put_metric_filter  # type: ignore[method-assign]
    LogsBackend.describe_metric_filters = describe_metric_filters  # type: ignore[method-assign]


def put_metric_filter(
    self: Any, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: Any
) -> None:
    _existing(self, log_group_name)
    self.filters.delete_filter(filter_name, log_group_name)
    _put_filter(self, filter_name, filter_pattern, log_group_name, metric_transformations)


def describe_metric_filters(
    self: Any,
    prefix: str | None = None,
    log_group_name: str | None = None,
    metric_name: str | None = None,
    metric_namespace: str | None = None,
) -> list[dict[str, Any]]:
    _existing(self, log_group_name)
    return _filters(self, prefix, log_group_name, metric_name, metric_namespace)


def _existing(backend: Any, log_group_name: str | None) -> None:
    if log_group_name and log_group_name not in backend.groups:
        raise ResourceNotFoundException("The specified log group does not exist.")


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
