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
from typing import Any, Protocol

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


class Expression(Protocol):
    """A parsed pattern."""

    def matches(self, event: Any) -> bool:
        """Whether the event is one that the pattern is after."""
        ...


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
    return _Parser(pattern).whole()


# -------------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Selector:
    """`$.users[0].id` as its steps."""

    steps: tuple[str | int, ...]

    def of(self, event: Any) -> Any:
        """The value there, or MISSING."""
        value = event
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else MISSING
        return value


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Expression, ...]

    def matches(self, event: Any) -> bool:
        return all(part.matches(event) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Expression, ...]

    def matches(self, event: Any) -> bool:
        return any(part.matches(event) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Is:
    """IS NULL, IS TRUE, IS FALSE."""

    selector: Selector
    constant: bool | None

    def matches(self, event: Any) -> bool:
        return self.selector.of(event) is self.constant


@dataclass(frozen=True, slots=True)
class Exists:
    selector: Selector
    wanted: bool

    def matches(self, event: Any) -> bool:
        return (self.selector.of(event) is not MISSING) is self.wanted


@dataclass(frozen=True, slots=True)
class Compared:
    """A value node against a text, regex or number; `equal` is false for `!=`."""

    selector: Selector
    test: Callable[[str | Decimal], bool]
    equal: bool = True

    def matches(self, event: Any) -> bool:
        value = _value_node(self.selector.of(event))
        return value is not None and self.test(value) is self.equal


def _value_node(value: Any) -> str | Decimal | None:
    """Strings and numbers; None for everything that no comparison applies to."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    return number if number.is_finite() else None


def _text_test(text: str) -> Callable[[str | Decimal], bool]:
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


def _number_test(token: _Token, operator: str) -> Callable[[str | Decimal], bool]:
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

    def whole(self) -> Expression:
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

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._here.text == "||" and self._here.kind == "operator":
            self._next += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._unit()]
        while self._here.text == "&&" and self._here.kind == "operator":
            self._next += 1
            parts.append(self._unit())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _unit(self) -> Expression:
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

    def _condition(self) -> Expression:
        selector = _selector(self._take("selector").text)
        if self._here.kind == "word":
            return self._keyword(selector)
        operator = self._take("operator", "=", "!=", "<", "<=", ">", ">=").text
        value = self._here
        self._next += 1
        if value.kind == "word" and _NUMBER.fullmatch(value.text):
            return Compared(selector, _number_test(value, operator), operator != "!=")
        if value.kind not in ("word", "quoted", "regex"):
            raise PatternError(f"expected a string, number or %regex%, found {value.text!r}", value.position)
        if operator not in ("=", "!="):
            raise PatternError(f"{operator} needs a number, found {value.text!r}", value.position)
        test = _regex_test(value) if value.kind == "regex" else _text_test(value.text)
        return Compared(selector, test, operator == "=")

    def _keyword(self, selector: Selector) -> Expression:
        match self._take("word", "IS", "NOT", "EXISTS").text:
            case "IS":
                return Is(selector, _CONSTANTS[self._take("word", *_CONSTANTS).text])
            case "NOT":
                self._take("word", "EXISTS")
                return Exists(selector, wanted=False)
        return Exists(selector, wanted=True)


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


def _selector(text: str) -> Selector:
    steps: list[str | int] = []
    for step in _STEP.finditer(text):
        index = step.group("index")
        steps.append(int(index) if index is not None else step.group("name") or step.group("quoted"))
    return Selector(tuple(steps))


def _regex_test(token: _Token) -> Callable[[str | Decimal], bool]:
    if not _REGEX.fullmatch(token.text):
        raise PatternError("the regex has a character that CloudWatch Logs does not take", token.position)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a set inside a set, say, is read differently by others
            compiled = re.compile(token.text, re.ASCII)
    except (re.error, Warning, OverflowError) as error:
        raise PatternError(f"regex: {error}", token.position) from None
    return lambda value: compiled.search(str(value)) is not None
