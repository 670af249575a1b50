"""An IAM policy in words, for people who must say yes to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pci_config.pages.markdown import code, table

READING = ("Describe", "Get", "List", "BatchGet", "Search", "Query", "Head")
OPERATORS = {
    "StringEquals": "is",
    "StringEqualsIgnoreCase": "is",
    "StringNotEquals": "is not",
    "StringLike": "is like",
    "StringNotLike": "is not like",
    "ArnEquals": "is",
    "ArnLike": "is like",
    "ArnNotLike": "is not like",
    "Bool": "is",
}
QUANTIFIERS = {"ForAllValues": "every value of ", "ForAnyValue": "a value of "}
ACCOUNT = "ACCOUNT"
PLACEHOLDERS = {
    "${AWS::Partition}": "aws",
    "${AWS::AccountId}": ACCOUNT,
    "${AWS::Region}": "REGION",
    "${EvidenceBucket}": "EVIDENCE-BUCKET",
}
NO_RESOURCE_LEVEL = "HasNoResourceLevel"  # in a Sid: why the resource is a wildcard


def permissions_table(policy: Mapping[str, Any]) -> list[str]:
    """One row for each statement: what it is for, what it reads and changes, on what, and on which condition."""
    return table(["for", "reads", "changes", "on", "only if"], (_row(statement) for statement in policy["Statement"]))


def actions_of(policy: Mapping[str, Any]) -> list[str]:
    """Every action that the policy allows, once."""
    return sorted({action for statement in policy["Statement"] for action in listed(statement["Action"])})


def listed(value: Any) -> list[Any]:
    """A policy may have one text where several could stand."""
    return list(value) if isinstance(value, list) else [value]


def reads(action: str) -> bool:
    """By the action's name, as AWS names its actions."""
    return action.split(":")[1].startswith(READING)


def _row(statement: Mapping[str, Any]) -> tuple[str, ...]:
    actions = listed(statement["Action"])
    return (
        purpose(statement["Sid"]),
        code(action for action in actions if reads(action)),
        code(action for action in actions if not reads(action)),
        "; ".join(place(resource) for resource in listed(statement["Resource"])),
        "; ".join(conditions(statement.get("Condition") or {})) or "-",
    )


def purpose(sid: str) -> str:
    """A statement's Sid as words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", sid.replace(NO_RESOURCE_LEVEL, ""))
    return words[:1] + words[1:].lower()


def place(resource: str) -> str:
    """Which resources a pattern names."""
    if resource == "*":
        return "everything: AWS has no narrower resource for these"
    _, _, service, region, account, name = _plain(resource).split(":", 5)
    owner = {ACCOUNT: ", own account", "*": ", any account"}.get(account, f", account {account}" if account else "")
    where = {"*": ", any Region", "": ""}.get(region, f", {region}")
    return f"{service} `{name}`{owner}{where}"


def conditions(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Each condition as words."""
    for operator, keys in condition.items():
        quantifier, _, plain = operator.rpartition(":")
        for key, value in keys.items():
            values = " or ".join(f"`{_plain(str(entry))}`" for entry in listed(value))
            if plain == "Null":
                yield f"`{key}` is {'there' if str(value).lower() == 'false' else 'not there'}"
            else:
                missing = " or is not there" if plain.endswith("IfExists") else ""
                verb = OPERATORS.get(plain.removesuffix("IfExists"), plain)
                yield f"{QUANTIFIERS.get(quantifier, '')}`{key}` {verb} {values}{missing}"


def _plain(text: str) -> str:
    for placeholder, word in PLACEHOLDERS.items():
        text = text.replace(placeholder, word)
    return text
