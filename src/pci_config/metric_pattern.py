"""CloudWatch Logs filter patterns for JSON events: the grammar, and what a pattern matches.

Source: CloudWatch Logs user guide, "Filter pattern syntax" (JSON log events, compound expressions, regular expressions):

- `()` binds before `&&`, which binds before `||`; everything is case sensitive;
- a selector must lead to a string or a number, otherwise neither `=` nor `!=` matches. So a member that is missing does
  not match `!=` either (the documents do not spell that out; the console's pattern test shows it: DataBiosphere/azul 5884);
- `*` is a wildcard at the beginning and at the end of a string only, `Ev*ent` is that text; `= *` is any value;
- `%regex%` is found anywhere in the value, and knows no parentheses.

UNVERIFIED, since the documents do not say: `EXISTS` without NOT, `["name"]` selectors, an unquoted number against a text (here:
compared as text), a wildcard or regex against a number (here: against its digits).

A pattern that is no `{ ... }` expression (terms, space-delimited, empty) is refused: on a trail's log group it counts nearly
everything, and an alarm that is always on tells nobody about a change.

Standard library only.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_CHARACTERS = 1024  # CloudWatch Logs API reference, FilterPattern
MAX_DEPTH = 64
MISSING = object()

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>&&|\|\||!=|<=|>=|[=<>()])
      |(?P<selector>\$(?:\.[A-Za-z0-9_-]+|\[[0-9]+\]|\.?\["[^"\\]+"\])+)
      |"(?P<quoted>(?:[^"\\]|\\["\\])*)"
      |%(?P<regex>(?:[^%\\]|\\.)+)%
      |(?P<word>[A-Za-z0-9_.*+-]+))""",
    re.VERBOSE,
)
_STEP = re.compile(r'\.(?P<name>[A-Za-z0-9_-]+)|\[(?P<index>[0-9]+)\]|\.?\["(?P<quoted>[^"\\]+)"\]')
_REGEX = re.compile(r"[A-Za-z0-9 :_#=@/;,\-^$?\[\]{}|\\*+.]+")  # the symbols and operators that the user guide lists


class PatternError(ValueError):
    """The text is no JSON filter pattern. `position` is where, counted from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at position {position}")
        self.position = position


Test = Callable[[Any], bool]  # of an event, or of a value in it


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed pattern; `matches` says whether an event is one that it is after."""

    matches: Test


def matches(pattern: str, event: Mapping[str, Any]) -> bool:
    """Whether a metric filter with this pattern counts the event. Raises PatternError.

    >>> matches('{ ($.eventName = CreateVpc) || ($.eventName = "Delete*") }', {"eventName": "DeleteVpc"})
    True
    """
    return parse(pattern).matches(event)


def parse(pattern: str) -> Expression:
    """The expression that the text stands for. Raises PatternError."""
    if len(pattern) > MAX_CHARACTERS:
        raise PatternError(f"more than {MAX_CHARACTERS} characters", MAX_CHARACTERS)
    return Expression(_Parser(pattern).whole())


# -------------------------------------------------------------------------------------------------------- expressions


def _value_at(steps: tuple[str | int, ...], event: Any) -> Any:
    """What a selector (`$.users[0].id` as its steps) leads to, or MISSING."""
    value = event
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else MISSING
    return value


def _compared(steps: tuple[str | int, ...], test: Test, equal: bool) -> Test:
    """A value node against a text, regex or number; `equal` is false for `!=`."""

    def matches(event: Any) -> bool:
        value = _value_node(_value_at(steps, event))
        return value is not None and test(value) is equal

    return matches


def _value_node(value: Any) -> str | Decimal | None:
    """Strings and numbers; None for everything that no comparison applies to."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    return number if number.is_finite() else None


def _text_test(text: str) -> Test:
    begins, ends = text.startswith("*"), text.endswith("*")
    core = text.strip("*")

    def test(value: str | Decimal) -> bool:
        found = str(value)
        if begins and ends:
            return core in found
        if begins:
            return found.endswith(core)
        return found.startswith(core) if ends else found == text

    return test


def _number_test(token: _Token, operator: str) -> Test:
    try:
        number = Decimal(token.text)
    except InvalidOperation:
        raise PatternError(f"the number {token.text!r} is out of range", token.position) from None

    def test(value: str | Decimal) -> bool:
        if isinstance(value, str):
            return operator in ("=", "!=") and value == token.text
        match operator:
            case "<":
                return value < number
            case "<=":
                return value <= number
            case ">":
                return value > number
            case ">=":
                return value >= number
        return value == number

    return test


# ------------------------------------------------------------------------------------------------------------- parser


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


_CONSTANTS: dict[str, bool | None] = {"NULL": None, "TRUE": True, "FALSE": False}


class _Parser:
    """Recursive descent: any := all {"||" all}; all := unit {"&&" unit}; unit := "(" any ")" | condition."""

    def __init__(self, pattern: str) -> None:
        inner = pattern.strip()
        if not (inner.startswith("{") and inner.endswith("}") and len(inner) > 1):
            raise PatternError("a JSON pattern is enclosed in { }", 0)
        start = pattern.index("{") + 1
        self._tokens = _tokens(pattern, start, pattern.rindex("}"))
        self._next = 0
        self._depth = 0

    def whole(self) -> Test:
        expression = self._any()
        if self._here.kind != "end":
            raise PatternError(f"unexpected {self._here.text!r}", self._here.position)
        return expression

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str, *texts: str) -> _Token:
        token = self._here
        if token.kind != kind or (texts and token.text not in texts):
            raise PatternError(f"expected {' or '.join(texts) or kind}, found {token.text!r}", token.position)
        self._next += 1
        return token

    def _parts(self, operator: str, read: Callable[[], Test]) -> list[Test]:
        parts = [read()]
        while self._here.text == operator and self._here.kind == "operator":
            self._next += 1
            parts.append(read())
        return parts

    def _any(self) -> Test:
        parts = self._parts("||", self._all)
        return lambda event: any(part(event) for part in parts)

    def _all(self) -> Test:
        parts = self._parts("&&", self._unit)
        return lambda event: all(part(event) for part in parts)

    def _unit(self) -> Test:
        if self._here.kind != "operator":
            return self._condition()
        opening = self._take("operator", "(")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PatternError("too many nested parentheses", opening.position)
        inner = self._any()
        self._take("operator", ")")
        self._depth -= 1
        return inner

    def _condition(self) -> Test:
        steps = _steps(self._take("selector").text)
        if self._here.kind == "word":
            return self._keyword(steps)
        operator = self._take("operator", "=", "!=", "<", "<=", ">", ">=").text
        value = self._here
        self._next += 1
        if value.kind == "word" and _NUMBER.fullmatch(value.text):
            return _compared(steps, _number_test(value, operator), operator != "!=")
        if value.kind not in ("word", "quoted", "regex"):
            raise PatternError(f"expected a string, number or %regex%, found {value.text!r}", value.position)
        if operator not in ("=", "!="):
            raise PatternError(f"{operator} needs a number, found {value.text!r}", value.position)
        test = _regex_test(value) if value.kind == "regex" else _text_test(value.text)
        return _compared(steps, test, operator == "=")

    def _keyword(self, steps: tuple[str | int, ...]) -> Test:
        """IS NULL, IS TRUE, IS FALSE, NOT EXISTS, EXISTS."""
        match self._take("word", "IS", "NOT", "EXISTS").text:
            case "IS":
                constant = _CONSTANTS[self._take("word", *_CONSTANTS).text]
                return lambda event: _value_at(steps, event) is constant
            case "NOT":
                self._take("word", "EXISTS")
                return lambda event: _value_at(steps, event) is MISSING
        return lambda event: _value_at(steps, event) is not MISSING


def _tokens(pattern: str, start: int, end: int) -> list[_Token]:
    found, position = [], start
    while pattern[position:end].strip():
        token = _TOKEN.match(pattern, position, end)
        if token is None or token.lastgroup is None:
            position += len(pattern[position:end]) - len(pattern[position:end].lstrip())
            raise PatternError(f"cannot read {pattern[position : min(position + 12, end)]!r}", position)
        text = token.group(token.lastgroup)
        if token.lastgroup == "quoted":
            text = re.sub(r'\\(["\\])', r"\1", text)
        found.append(_Token(token.lastgroup, text, token.start(token.lastgroup)))
        position = token.end()
    return [*found, _Token("end", "end of the pattern", end)]


def _steps(text: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for step in _STEP.finditer(text):
        index = step.group("index")
        steps.append(int(index) if index is not None else step.group("name") or step.group("quoted"))
    return tuple(steps)


def _regex_test(token: _Token) -> Test:
    if not _REGEX.fullmatch(token.text):
        raise PatternError("the regex has a character that CloudWatch Logs does not take", token.position)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a set inside a set, say, is read differently by others
            compiled = re.compile(token.text, re.ASCII)
    except (re.error, Warning, OverflowError) as error:
        raise PatternError(f"regex: {error}", token.position) from None
    return lambda value: compiled.search(str(value)) is not None
