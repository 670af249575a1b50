"""The Condition block of a policy: its operators, what they say of a request, and IAM's wildcards.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" (missing keys, IfExists, Null, ARN parts) and
"Single-valued vs. multivalued context keys". Every answer is True, False or None: None when the request is not known well
enough, or AWS does not document the case. Standard library only.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Condition key in small letters to its value or values; None: the request surely lacks it. Keys not named are unknown.
Context = Mapping[str, str | Sequence[str] | None]

ARN_PARTS = 6
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda value, wanted: value == wanted,
    "LessThan": lambda value, wanted: value < wanted,
    "LessThanEquals": lambda value, wanted: value <= wanted,
    "GreaterThan": lambda value, wanted: value > wanted,
    "GreaterThanEquals": lambda value, wanted: value >= wanted,
}
_OPERATORS = {
    *["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"],
    *["Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"],
    *(kind + order for kind in ("Numeric", "Date") for order in ("NotEquals", *_ORDERS)),
}
_OPERATOR = re.compile(r"(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?")


class PolicyError(ValueError):
    """The policy cannot be understood, so it cannot be judged; the message names the place."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a Condition block; `operator` is without qualifier and IfExists, `key` in small letters."""

    operator: str
    key: str
    values: tuple[str, ...]
    qualifier: str = ""
    if_exists: bool = False

    def holds(self, context: Context) -> bool | None:
        """None when the context does not tell."""
        if self.key not in context:
            return None
        found = context[self.key]
        if self.operator == "Null":
            return any((wanted.lower() == "true") == (found is None) for wanted in self.values)
        values = [found] if isinstance(found, str) else list(found or ())
        if not values:
            return self._holds_without_value()
        answers = [self._fits(value) for value in values]
        if self.qualifier == "ForAnyValue":
            return any_of(answers)
        if self.qualifier == "ForAllValues":
            return all_of(answers)
        return answers[0] if isinstance(found, str) else None

    def _holds_without_value(self) -> bool | None:
        if self.qualifier == "ForAnyValue":
            return None if self.if_exists else False
        return self.if_exists or self.qualifier == "ForAllValues" or self.negated

    def _fits(self, value: str) -> bool | None:
        """Whether one value of the request fits one of the policy's; for a negated operator, none of them."""
        found = any_of(_equals(self.operator.replace("Not", ""), wanted, value) for wanted in self.values)
        return not found if self.negated and found is not None else found

    @property
    def negated(self) -> bool:
        return "Not" in self.operator

    @property
    def demands_value(self) -> bool:
        """Whether it holds only for requests that have the key, with one of the values."""
        positive = self.operator != "Null" and not self.negated and "Than" not in self.operator
        return positive and not self.if_exists and self.qualifier != "ForAllValues"


# ------------------------------------------------------------------------------------------------- three-valued logic


def any_of(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return True if True in found else None if None in found else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return False if False in found else None if None in found else True


# ---------------------------------------------------------------------------------------------------------- wildcards


def covers(pattern: str, asked: str) -> bool:
    """Whether the pattern spells whatever `asked` (text or pattern) may be."""
    return _meet(pattern, asked, whole=True)


def overlaps(pattern: str, asked: str) -> bool:
    """Whether the two, texts or patterns, have a spelling in common."""
    return _meet(pattern, asked, whole=False)


@functools.lru_cache(4096)  # the same few patterns and actions, statement after statement
def _meet(pattern: str, asked: str, *, whole: bool) -> bool:
    pending, seen = [(0, 0)], set()
    while pending:
        here = i, j = pending.pop()
        if here in seen:
            continue
        seen.add(here)
        mine, other = pattern[i : i + 1], asked[j : j + 1]
        if not mine and not other:
            return True
        if mine == "*" or (other == "*" and not whole):
            pending += [(i + 1, j)] * bool(mine) + [(i, j + 1)] * bool(other)
        elif mine and other and (mine == other or (mine == "?" and other != "*") or (other == "?" and not whole)):
            pending.append((i + 1, j + 1))
    return False


def arn_covers(pattern: str, asked: str) -> bool | None:
    """As `covers`, for ARNs: a wildcard stays inside its part. None when either is no ARN, which AWS leaves open."""
    mine, other = pattern.split(":", ARN_PARTS - 1), asked.split(":", ARN_PARTS - 1)
    if len(mine) < ARN_PARTS or len(other) < ARN_PARTS:
        return None
    return all(covers(part, found) for part, found in zip(mine, other, strict=True))


# ------------------------------------------------------------------------------------------------------- comparisons


def _equals(operator: str, wanted: str, value: str) -> bool | None:
    """Whether a value of the request fits a value of the policy, by an operator without its Not."""
    if "${" in wanted:
        return None  # a policy variable, or an escaped wildcard
    if operator.startswith("Numeric"):
        return _ordered(operator.removeprefix("Numeric"), _number(wanted), _number(value))
    if operator.startswith("Date"):
        return _ordered(operator.removeprefix("Date"), _moment(wanted), _moment(value))
    match operator:
        case "StringEquals" | "BinaryEquals":
            return wanted == value
        case "StringEqualsIgnoreCase" | "Bool":
            return wanted.lower() == value.lower()
        case "StringLike":
            return covers(wanted, value)
        case "ArnEquals" | "ArnLike":  # the same since wildcards were allowed in both
            return arn_covers(wanted, value)
        case _:
            return _in_range(wanted, value)


def _ordered(order: str, wanted: float | None, value: float | None) -> bool | None:
    return None if wanted is None or value is None else _ORDERS[order](value, wanted)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text) else None


def _moment(text: str) -> float | None:
    """Seconds since 1970, of ISO 8601 or such a number; IAM takes both."""
    if re.fullmatch(r"[0-9]+", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _in_range(wanted: str, value: str) -> bool | None:
    try:
        network, address = ipaddress.ip_network(wanted, strict=False), ipaddress.ip_address(value)
    except ValueError:
        return None
    return address.version == network.version and address in network


# ------------------------------------------------------------------------------------------------------------ parsing


def parse_conditions(found: Any, place: str) -> tuple[Condition, ...]:
    """Every key of a Condition block. Raises PolicyError."""
    if not isinstance(found, Mapping):
        raise PolicyError(f"{place} is {type(found).__name__}, not an object")
    conditions = []
    for name, keys in found.items():
        form = _OPERATOR.fullmatch(name) if isinstance(name, str) else None
        if not form or form[2] not in _OPERATORS or (form[2] == "Null" and (form[1] or form[3])):
            raise PolicyError(f"{place}: operator {name!r} is not known")
        if not isinstance(keys, Mapping) or not all(isinstance(key, str) and key for key in keys):
            raise PolicyError(f"{place}.{name} is not an object of condition keys")
        for key, value in keys.items():
            values = _values(value, f"{place}.{name}.{key}")
            if form[2] in ("Bool", "Null") and not {entry.lower() for entry in values} <= {"true", "false"}:
                raise PolicyError(f"{place}.{name}.{key} is neither true nor false")
            conditions.append(Condition(form[2], key.lower(), values, form[1] or "", bool(form[3])))
    return tuple(conditions)


def _values(value: Any, place: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(entry, str | bool | int | float) for entry in values):
        raise PolicyError(f"{place} is neither a value nor a list of values")
    return tuple(str(entry).lower() if isinstance(entry, bool) else str(entry) for entry in values)
