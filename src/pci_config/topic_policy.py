"""Does the policy of an SNS topic let a service publish? Answers for the usual forms, in few lines.

A document is too small for `pci_config.iam_policy`. This says yes only where that does: a yes is sure, a no may be a form that
is not known here. Sources: SNS developer guide, default access policy (AWS:SourceOwner) and "Example cases for Amazon SNS
access control" (a service as principal, aws:SourceAccount). Standard library only: inlined into documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MEMBERS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
ANYBODY = ("*", {"AWS": "*"})


def plainly_publishes(policy: str, service: str, topic_arn: str, account_id: str) -> bool:
    """Whether one statement surely lets the service publish in the account's name, and none denies anything."""
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError):
        return False
    statements = statements if isinstance(statements, list) else [statements]
    plain = all(isinstance(s, Mapping) and set(s) <= MEMBERS and s.get("Effect") == "Allow" for s in statements)
    return plain and any(_lets(s, service, topic_arn, account_id) for s in statements)


def _lets(statement: Mapping[str, Any], service: str, topic_arn: str, account_id: str) -> bool:
    principal, actions = statement.get("Principal"), {str(action).lower() for action in _listed(statement.get("Action"))}
    if not actions & {"sns:publish", "sns:*"} or not {topic_arn, "*"} & set(map(str, _listed(statement.get("Resource")))):
        return False
    owner = _only_condition(statement.get("Condition"))
    if principal in ANYBODY:
        return owner == ("aws:sourceowner", account_id)
    named = isinstance(principal, Mapping) and set(principal) == {"Service"} and service in _listed(principal["Service"])
    return named and ("Condition" not in statement or owner == ("aws:sourceaccount", account_id))


def _only_condition(condition: Any) -> tuple[str, str] | None:
    """Key and value of a condition that is one StringEquals of one value."""
    if not isinstance(condition, Mapping) or set(condition) != {"StringEquals"} or len(condition["StringEquals"]) != 1:
        return None
    ((key, value),) = condition["StringEquals"].items()
    values = _listed(value)
    return (key.lower(), values[0]) if len(values) == 1 and isinstance(values[0], str) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
