"""Which events an Amazon EventBridge rule matches: the operators that rules on CloudTrail events use.

Source: EventBridge user guide, "Comparison operators for use in event patterns", and the README of aws/event-ruler.
All members of a pattern must match, one of the values of each is enough, a list in the event matches by any of its entries.
`numeric`, `cidr` and whatever is not known here match nothing, and `unread` says so: a verdict may then be too strict, never
too mild. Exact numbers match only in the same spelling (300 is not 300.0), as the guide has it.

Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Test = Callable[[str], bool]


@dataclass
class Outcome:
    """Whether the event matches, and what of the pattern could not be read (those parts match nothing)."""

    matched: bool = False
    unread: list[str] = field(default_factory=list)


def matches(pattern: str | Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the rule's pattern matches the event.

    >>> matches({"source": [{"prefix": "aws."}], "detail": {"error": [{"exists": False}]}}, {"source": "aws.ec2"})
    True
    """
    return evaluate(pattern, event).matched


def evaluate(pattern: str | Mapping[str, Any], event: Mapping[str, Any]) -> Outcome:
    """The same, with what could not be read."""
    outcome = Outcome()
    try:
        parsed = json.loads(pattern) if isinstance(pattern, str) else pattern
    except (ValueError, RecursionError) as error:
        outcome.unread.append(f"the pattern is no JSON ({type(error).__name__})")
        return outcome
    if not isinstance(parsed, Mapping) or not parsed:
        outcome.unread.append("the pattern is no JSON object with members")
        return outcome
    outcome.matched = _Matcher(outcome.unread).members(parsed, event)
    outcome.unread = sorted(set(outcome.unread))
    return outcome


class _Unread(Exception):
    """A value of the pattern that is not understood."""


@dataclass
class _Matcher:
    unread: list[str]

    def members(self, pattern: Mapping[str, Any], event: Any) -> bool:
        """Every member of the pattern; the whole of it is looked at, so that everything unread is said."""
        return all([self._member(name, wanted, event) for name, wanted in pattern.items()])  # noqa: C419 - no short cut

    def _member(self, name: str, wanted: Any, event: Any) -> bool:
        if name == "$or" and isinstance(wanted, list):
            if len(wanted) < 2 or not all(isinstance(branch, Mapping) and branch for branch in wanted):
                return self._say("$or without two objects")
            return any([self.members(branch, event) for branch in wanted])  # noqa: C419 - no short cut
        found = event.get(name) if isinstance(event, Mapping) else None
        there = isinstance(event, Mapping) and name in event
        if isinstance(wanted, Mapping):
            if not wanted:
                return self._say(f"{name}: an empty object")
            return any([self.members(wanted, entry) for entry in (found if isinstance(found, list) else [found])])  # noqa: C419 - no short cut
        if not isinstance(wanted, list) or not wanted:
            return self._say(f"{name}: not a list of values")
        return any([self._value(entry, found, there) for entry in wanted])  # noqa: C419 - no short cut

    def _value(self, wanted: Any, found: Any, there: bool) -> bool:
        if isinstance(wanted, Mapping) and set(wanted) == {"exists"}:
            if not isinstance(wanted["exists"], bool):
                return self._say("exists: neither true nor false")
            if found == [] and there:  # an empty list has no leaf to look at: surely neither
                return False
            leaf = there and not isinstance(found, Mapping)  # `exists` is about leaves only
            return leaf is wanted["exists"]
        try:
            test = _test(wanted)
        except _Unread as error:
            return self._say(str(error))
        if not there:
            return False
        return any(test(entry) for entry in (found if isinstance(found, list) else [found]))

    def _say(self, what: str) -> bool:
        self.unread.append(what)
        return False


def _test(wanted: Any) -> Callable[[Any], bool]:
    """The test that one value of the pattern stands for. Raises _Unread."""
    if not isinstance(wanted, Mapping):
        if isinstance(wanted, Sequence) and not isinstance(wanted, str):
            raise _Unread("a list inside a list")
        return lambda found: _same(wanted, found)
    if len(wanted) != 1:
        raise _Unread(f"operators {', '.join(sorted(wanted)) or 'missing'} in one object")
    ((operator, operand),) = wanted.items()
    if operator == "anything-but":
        return _anything_but(operand)
    test = _text_test(operator, operand)
    return lambda found: isinstance(found, str) and test(found)


def _same(wanted: Any, found: Any) -> bool:
    return type(wanted) is type(found) and bool(wanted == found)


def _anything_but(operand: Any) -> Callable[[Any], bool]:
    """What is there and is none of the values. Objects and null are no values to compare."""
    if isinstance(operand, Mapping):
        if len(operand) != 1:
            raise _Unread("anything-but with several operators")
        ((operator, values),) = operand.items()
        tests = [_text_test(operator, value) for value in (values if isinstance(values, list) else [values])]
        if not tests:
            raise _Unread(f"anything-but {operator}: an empty list")
        return lambda found: isinstance(found, str) and not any(test(found) for test in tests)
    values = operand if isinstance(operand, list) else [operand]
    if not values or any(isinstance(value, bool) or not isinstance(value, (str, int, float)) for value in values):
        raise _Unread("anything-but: neither texts nor numbers")
    return lambda found: isinstance(found, (str, int, float)) and not any(_same(value, found) for value in values)


def _text_test(operator: str, operand: Any) -> Test:
    """prefix, suffix (both also regardless of case), equals-ignore-case and wildcard. Raises _Unread."""
    if operator in ("prefix", "suffix") and isinstance(operand, Mapping) and set(operand) == {"equals-ignore-case"}:
        inner = _text_test(operator, _fold(operand["equals-ignore-case"]))
        return lambda found: inner(found.casefold())
    if not isinstance(operand, str):
        raise _Unread(f"{operator}: not a text" if operator in _OPERATORS else f"operator {operator}")
    match operator:
        case "prefix":
            return lambda found: found.startswith(operand)
        case "suffix":
            return lambda found: found.endswith(operand)
        case "equals-ignore-case":
            return lambda found: found.casefold() == operand.casefold()
        case "wildcard":
            expression = re.compile(_wildcard(operand), re.DOTALL)
            return lambda found: expression.fullmatch(found) is not None
    raise _Unread(f"operator {operator}")


_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard")


def _fold(text: Any) -> Any:
    return text.casefold() if isinstance(text, str) else text


def _wildcard(text: str) -> str:
    """As a regular expression. `\\*` and `\\\\` are the characters themselves; two wildcards in a row are not allowed."""
    parts = re.findall(r"\\[*\\]|[^\\]", text)
    if "".join(parts) != text or any(a == b == "*" for a, b in pairwise(parts)):
        raise _Unread("wildcard: not a valid text")
    return "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)
