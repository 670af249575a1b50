"""Metric filter and event patterns against evaluators that never see the text: what is written is what is matched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config.event_pattern import evaluate
from pci_config.metric_pattern import PatternError, matches, parse

Meaning = Callable[[dict[str, Any]], bool]
ABSENT = object()

NAMES = st.sampled_from(["eventName", "a", "b-c", "d_e"])
TEXTS = st.sampled_from(
    ["", "x", "xy", "x*y", "CreateRoute", "DeleteRoute", "Route", "12", "1.5", 'say "hi"', "a\\b", "&&", ") || ("]
)
NUMBERS = st.sampled_from([0, 1, 12, -3, 1.5, 400])
LEAVES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
EVENTS = st.dictionaries(
    NAMES,
    st.one_of(LEAVES, st.lists(LEAVES, max_size=2), st.dictionaries(NAMES, LEAVES, max_size=2)),
    max_size=4,
)
SPACES = st.sampled_from(["", " ", "  ", "\n", "\t"])


# --------------------------------------------------------------------------------------------------- metric patterns


@st.composite
def selectors(draw: st.DrawFn) -> tuple[str, Callable[[dict[str, Any]], Any]]:
    """A selector as text, and what it selects."""
    name = draw(NAMES)
    text = draw(st.sampled_from([f"$.{name}", f'$["{name}"]', f'$.["{name}"]']))
    match draw(st.sampled_from(["whole", "member", "entry"])):
        case "member":
            inner = draw(NAMES)

            def of_member(event: dict[str, Any]) -> Any:
                value = event.get(name, ABSENT)
                return value.get(inner, ABSENT) if isinstance(value, dict) else ABSENT

            return f"{text}.{inner}", of_member
        case "entry":
            number = draw(st.integers(0, 2))

            def of_entry(event: dict[str, Any]) -> Any:
                value = event.get(name, ABSENT)
                return value[number] if isinstance(value, list) and number < len(value) else ABSENT

            return f"{text}[{number}]", of_entry
    return text, lambda event: event.get(name, ABSENT)


def comparable(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Meaning]:
    text, select = draw(selectors())
    gap = draw(SPACES)
    match draw(st.sampled_from(["equal", "wildcard", "number", "constant", "exists"])):
        case "equal":
            wanted, equal = draw(TEXTS), draw(st.booleans())
            plain = bool(wanted) and wanted.isascii() and wanted.isalpha()
            shown = wanted if plain and draw(st.booleans()) else quoted(wanted)

            def is_text(event: dict[str, Any]) -> bool:
                value = select(event)
                return comparable(value) and (str(value) == wanted) is equal

            return f"{text}{gap}{'=' if equal else '!='}{gap}{shown}", is_text
        case "wildcard":
            core, before, after = draw(st.sampled_from(["Route", "Create", "x"])), draw(st.booleans()), draw(st.booleans())

            def fits(event: dict[str, Any]) -> bool:
                value = str(select(event)) if comparable(select(event)) else None
                if value is None:
                    return False
                places = [at for at in range(len(value)) if value[at : at + len(core)] == core]
                ends = [at for at in places if (before or at == 0) and (after or at + len(core) == len(value))]
                return bool(ends)

            star = f"{'*' if before else ''}{core}{'*' if after else ''}"
            return f"{text}{gap}={gap}{star if draw(st.booleans()) else quoted(star)}", fits
        case "number":
            number, operator = draw(NUMBERS), draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
            shown = draw(st.sampled_from([str(number), f"+{number}" if number >= 0 else str(number), f"{number}e0"]))

            def compares(event: dict[str, Any]) -> bool:
                value = select(event)
                if not comparable(value):
                    return False
                if isinstance(value, str):
                    return (value == shown) is (operator == "=") if operator in ("=", "!=") else False
                return {
                    "=": value == number, "!=": value != number, "<": value < number,
                    "<=": value <= number, ">": value > number, ">=": value >= number,
                }[operator]  # fmt: skip

            return f"{text}{gap}{operator}{gap}{shown}", compares
        case "constant":
            name, constant = draw(st.sampled_from([("NULL", None), ("TRUE", True), ("FALSE", False)]))
            return f"{text} IS {name}", lambda event: select(event) is constant
    wanted_there = draw(st.booleans())
    return f"{text} {'' if wanted_there else 'NOT '}EXISTS", lambda event: (select(event) is not ABSENT) is wanted_there


@st.composite
def combined(draw: st.DrawFn, inner: st.SearchStrategy[tuple[str, Meaning]]) -> tuple[str, Meaning]:
    """Alternatives of conjunctions, written without a parenthesis more than needed: so precedence is tried."""
    alternatives = [draw(st.lists(inner, min_size=1, max_size=3)) for _ in range(draw(st.integers(1, 3)))]
    gap = draw(SPACES)
    text = f"{gap}||{gap}".join(f"{gap}&&{gap}".join(part for part, _ in each) for each in alternatives)
    meanings = [[meaning for _, meaning in each] for each in alternatives]
    return text, lambda event: any(all(meaning(event) for meaning in each) for each in meanings)


PATTERNS = st.recursive(
    conditions(),
    lambda inner: combined(st.one_of(conditions(), inner.map(lambda made: (f"( {made[0]})", made[1])))),
    max_leaves=6,
).filter(lambda made: len(made[0]) < 1000)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(EVENTS, min_size=1, max_size=5), SPACES)
def test_a_filter_matches_what_was_meant(made: tuple[str, Meaning], events: list[dict[str, Any]], gap: str) -> None:
    text, meaning = made
    for event in events:
        assert matches(f"{{{gap}{text}{gap}}}", event) is meaning(event), (text, event)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=40), st.text('{}()$.=!<>&|%*"\\[] aIS1', max_size=30).map(lambda text: "{" + text + "}")), EVENTS
)
def test_any_text_is_a_pattern_or_refused_with_its_place(text: str, event: dict[str, Any]) -> None:
    refused = None
    try:
        assert parse(text).matches(event) in (True, False)
    except PatternError as error:
        refused = error
    assert refused is None or 0 <= refused.position <= max(len(text), 1)


# ---------------------------------------------------------------------------------------------------- event patterns


@st.composite
def values(draw: st.DrawFn) -> tuple[Any, Callable[[Any], bool]]:
    """One value of an event pattern, and whether it takes a leaf of the event (ABSENT: there is none)."""
    match draw(st.sampled_from(["exact", "prefix", "suffix", "folded", "wildcard", "but", "but prefix", "exists"])):
        case "exact":
            wanted = draw(LEAVES)
            return wanted, lambda leaf: type(leaf) is type(wanted) and leaf == wanted
        case "prefix":
            start = draw(TEXTS)
            return {"prefix": start}, lambda leaf: isinstance(leaf, str) and leaf[: len(start)] == start
        case "suffix":
            end = draw(TEXTS)
            return {
                "suffix": end
            }, lambda leaf: isinstance(leaf, str) and leaf[len(leaf) - len(end) :] == end and len(leaf) >= len(end)
        case "folded":
            text = draw(TEXTS)
            return {"equals-ignore-case": text.upper()}, lambda leaf: isinstance(leaf, str) and leaf.lower() == text.lower()
        case "wildcard":
            first, last = draw(st.sampled_from(["", "x", "Create", "Del"])), draw(st.sampled_from(["", "y", "Route"]))

            def between(leaf: Any) -> bool:
                long_enough = isinstance(leaf, str) and len(leaf) >= len(first) + len(last)
                return long_enough and leaf.startswith(first) and leaf.endswith(last)

            return {"wildcard": f"{first}*{last}"}, between
        case "but":
            refused = draw(st.lists(st.one_of(TEXTS, NUMBERS), min_size=1, max_size=3))

            def is_other(leaf: Any) -> bool:
                return isinstance(leaf, (str, int, float)) and not any(type(leaf) is type(r) and leaf == r for r in refused)

            return {"anything-but": refused}, is_other
        case "but prefix":
            start = draw(TEXTS)
            return {"anything-but": {"prefix": start}}, lambda leaf: isinstance(leaf, str) and leaf[: len(start)] != start
    there = draw(st.booleans())
    return {"exists": there}, lambda leaf: (leaf is not ABSENT) is there


Pattern = tuple[dict[str, Any], Meaning]
WANTED = st.lists(values(), min_size=1, max_size=3)
MEMBERS = st.lists(NAMES, min_size=1, max_size=2, unique=True)


@st.composite
def event_patterns(draw: st.DrawFn, inner: st.SearchStrategy[Pattern] | None) -> Pattern:
    pattern: dict[str, Any] = {}
    meanings: list[Meaning] = []
    for name in draw(MEMBERS):
        if inner is not None and draw(st.booleans()):
            pattern[name], meaning = draw(inner)
            meanings.append(lambda event, n=name, m=meaning: any(m(e) for e in objects(event.get(n, ABSENT))))
            continue
        wanted = draw(WANTED)
        pattern[name] = [value for value, _ in wanted]
        tests = [test for _, test in wanted]
        meanings.append(lambda event, n=name, t=tests: any(test(leaf) for test in t for leaf in leaves(event.get(n, ABSENT))))
    if inner is not None and draw(st.booleans()):
        branches = [draw(FLAT), draw(FLAT)]
        pattern["$or"] = [branch for branch, _ in branches]
        either = [meaning for _, meaning in branches]
        meanings.append(lambda event, e=either: any(meaning(event) for meaning in e))
    return pattern, lambda event: all(meaning(event) for meaning in meanings)


FLAT = event_patterns(None)
EVENT_PATTERNS = event_patterns(event_patterns(FLAT))


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [ABSENT]
    return value if isinstance(value, list) else [value]


def objects(value: Any) -> list[dict[str, Any]]:
    """What of a value a nested pattern is held against: one without members where it is no object."""
    return [each if isinstance(each, dict) else {} for each in (value if isinstance(value, list) else [value])]


@settings(max_examples=250, deadline=None)
@given(EVENT_PATTERNS, st.lists(EVENTS, min_size=1, max_size=5))
def test_an_event_pattern_matches_what_was_meant(made: Pattern, events: list[dict[str, Any]]) -> None:
    pattern, meaning = made
    for event in events:
        outcome = evaluate(json.dumps(pattern), event)
        assert outcome.unread == []
        assert outcome.matched is meaning(event), (pattern, event)


ANY_JSON = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(
    ["a", "eventName", "$or", "prefix", "suffix", "exists", "anything-but", "wildcard", "numeric", "cidr"]), inner, max_size=3)), max_leaves=8)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(ANY_JSON, EVENTS)
def test_whatever_is_not_understood_does_not_match_by_itself(pattern: Any, event: dict[str, Any]) -> None:
    outcome = evaluate(json.dumps(pattern), event)
    if not isinstance(pattern, dict) or not pattern:
        assert not outcome.matched
        assert outcome.unread
    for name, wanted in pattern.items() if isinstance(pattern, dict) else ():
        if not isinstance(wanted, (dict, list)) or not wanted:
            assert not outcome.matched, name
