"""Reads `exceptions.yaml` and validates it in full. Every fault names file, line of the field, value and what is expected."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from pci_config.catalogue import Catalogue
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.rdk_json import RdkJson
from pci_config.resource_pattern import contradictions, resource_fault

TEXTS = ("rule", "resource", "reason", "approver", "ticket", "compensating_control")
LISTS = ("accounts", "regions")
DATES = ("created", "expires")
FIELDS = (
    "rule", "accounts", "regions", "resource", "reason", "approver", "ticket", "compensating_control", "created", "expires",
)  # fmt: skip
LONGEST_TEXT = {"reason": 500, "compensating_control": 500, "approver": 100, "ticket": 100}
# A word that says "to be filled in", or that nobody in particular (or a machine) approved.
PLACEHOLDERS = frozenset({
    "tbd", "tba", "todo", "fixme", "none", "null", "nil", "unknown", "pending", "test", "example", "xxx", "various", "nobody",
    "noone", "anybody", "anyone", "somebody", "someone", "everybody", "everyone", "myself", "self", "owner", "theowner",
    "resourceowner", "automatic", "automation", "system", "bot", "robot", "script", "pipeline", "terraform", "admin", "root",
    "approver", "approved", "yes", "reason", "ticket",
})  # fmt: skip
# Characters that are invisible or change the order of others: what a reviewer sees would not be what is there.
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    field: str
    message: str


class ExceptionsError(Exception):
    """exceptions.yaml cannot be used; `problems` has one line for each fault, with its line number."""

    def __init__(self, path: Path, found: Sequence[Problem]) -> None:
        self.path, self.found = path, sorted(found, key=lambda problem: problem.line)
        self.problems = [
            f"{path}: " + (f"line {p.line}: " if p.line else "") + (f"{p.field}: " if p.field else "") + p.message
            for p in self.found
        ]
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Known:
    """What entries may speak of: rule ids of the catalogue, accounts and Regions of rdk.json."""

    rules: frozenset[str]
    managed_rules: frozenset[str]
    accounts: frozenset[str]
    regions: frozenset[str]
    home_region: str = ""

    @classmethod
    def of(cls, catalogue: Catalogue, rdk_json: RdkJson) -> Known:
        settings = rdk_json.settings
        managed = {name for rule in catalogue.managed_rules.values() for name in (rule.id, rule.config_rule_name)}
        accounts = {account for accounts in settings.accounts.values() for account in accounts}
        return cls(
            frozenset(catalogue.rules),
            frozenset(managed),
            frozenset(accounts),
            frozenset(settings.regions),
            settings.home_region,
        )


@dataclass(frozen=True)
class ExceptionsFile:
    """A validated register, and the line of each of its entries."""

    register: ExceptionRegister
    lines: tuple[int, ...] = field(default=())


def load_register(path: Path, known: Known | None = None, today: date | None = None) -> ExceptionRegister:
    """The validated register. Raises ExceptionsError, for a missing file too."""
    return read_exceptions(path, known, today).register


def read_exceptions(path: Path, known: Known | None = None, today: date | None = None) -> ExceptionsFile:
    """Read and validate. Without `known`, rules, accounts and Regions are checked for their form only."""
    entries = _entry_nodes(path, _text(path))
    problems: list[Problem] = []
    parsed: list[ExceptionEntry] = []
    for node in entries:
        reader = _EntryReader(node, known, today or datetime.now(UTC).date())
        entry = reader.read()
        problems += reader.problems
        if entry:
            parsed.append(entry)
    if problems:
        raise ExceptionsError(path, problems)
    return ExceptionsFile(ExceptionRegister(tuple(parsed)), tuple(_line(node) for node in entries))


# ---------------------------------------------------------------------------------------------------- the file as YAML


def _text(path: Path) -> str:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ExceptionsError(path, [Problem(0, "", f"cannot be read ({error.strerror or error})")]) from None
    except UnicodeDecodeError as error:
        raise ExceptionsError(path, [Problem(0, "", f"is not UTF-8 text (byte {error.start})")]) from None
    hidden = [
        Problem(number, "", f"holds the hidden character U+{ord(character):04X}; remove it")
        for number, line in enumerate(text.split("\n"), 1)
        for character in _hidden(line.removesuffix("\r").replace("\t", " "))
    ]
    if hidden:
        raise ExceptionsError(path, hidden)
    return text


def _hidden(text: str) -> Iterable[str]:
    return dict.fromkeys(character for character in text if unicodedata.category(character) in HIDDEN)


def _entry_nodes(path: Path, text: str) -> list[yaml.Node]:
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if getattr(event, "anchor", None):
                line = _mark(event)
                raise ExceptionsError(
                    path, [Problem(line, "", "anchors and aliases hide what an entry says; write it in full")]
                )
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"is not YAML: {getattr(error, 'problem', None) or error}"
        raise ExceptionsError(path, [Problem(mark.line + 1 if mark else 0, "", message)]) from None
    except RecursionError:
        raise ExceptionsError(path, [Problem(0, "", "is not YAML: nested too deeply")]) from None
    if root is None:
        return []
    expected = "expected one key, 'exceptions', with a list of entries"
    if not isinstance(root, yaml.MappingNode):
        raise ExceptionsError(path, [Problem(_line(root), "", expected)])
    found: list[yaml.Node] | None = None
    for key, value in root.value:
        if key.value != "exceptions" or found is not None or not isinstance(value, yaml.SequenceNode | yaml.ScalarNode):
            raise ExceptionsError(path, [Problem(_line(key), "", expected + (", once" if found is not None else ""))])
        if isinstance(value, yaml.ScalarNode) and value.tag != "tag:yaml.org,2002:null":
            raise ExceptionsError(path, [Problem(_line(value), "", expected)])
        found = value.value if isinstance(value, yaml.SequenceNode) else []
    if found is None:
        raise ExceptionsError(path, [Problem(_line(root), "", expected)])
    return found


def _mark(place: Any) -> int:
    return int(place.start_mark.line) + 1


def _line(node: yaml.Node) -> int:
    return _mark(node)


# ------------------------------------------------------------------------------------------------------------ an entry


class _EntryReader:
    """One entry's node: its values, and every fault with the line of its field."""

    def __init__(self, node: yaml.Node, known: Known | None, today: date) -> None:
        self._node, self._known, self._today = node, known, today
        self._lines: dict[str, int] = {}
        self.problems: list[Problem] = []

    def read(self) -> ExceptionEntry | None:
        nodes = self._fields()
        if self.problems:
            return None
        values: dict[str, Any] = {name: self._scalar(name, nodes[name]) for name in TEXTS}
        values |= {name: self._list(name, nodes[name]) for name in LISTS}
        values |= {name: self._date(name, nodes[name]) for name in DATES}
        if None not in values.values():
            for name, message in self._faults(values):
                self._problem(name, message)
        return None if self.problems else ExceptionEntry(**values)

    def _problem(self, name: str, message: str, line: int | None = None) -> None:
        self.problems.append(Problem(line or self._lines.get(name) or _line(self._node), name, message))

    def _fields(self) -> dict[str, yaml.Node]:
        if not isinstance(self._node, yaml.MappingNode):
            self._problem("", f"an entry is an object with the fields {', '.join(FIELDS)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in self._node.value:
            name = str(key.value)
            if name in found:
                self._problem(name, f"stands twice in this entry (first on line {self._lines[name]}); keep one", _line(key))
            elif name not in FIELDS:
                self._problem(name, f"is no field of an exception; expected {', '.join(FIELDS)}", _line(key))
            else:
                found[name], self._lines[name] = value, _line(key)
        for name in FIELDS:
            if name not in found or found[name].value in ("", []) or found[name].tag == "tag:yaml.org,2002:null":
                self._problem(name, "is missing")
        return found

    def _scalar(self, name: str, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or node.tag != STRING:
            self._problem(name, f"{_shown(node)} is not text; write it in quotes", _line(node))
            return None
        text = node.value.strip()
        for character in _hidden(text):
            what = "a line break" if character in "\r\n" else f"the hidden character U+{ord(character):04X}"
            self._problem(name, f"holds {what}; write it as one line of plain text")
            return None
        return str(text)

    def _list(self, name: str, node: yaml.Node) -> tuple[str, ...] | None:
        expected, pattern = {
            "accounts": ("account ids of 12 digits, as text in quotes", r"[0-9]{12}"),
            "regions": ("Regions such as eu-west-1", r"[a-z]{2}(-[a-z]+)+-[0-9]"),
        }[name]
        if not isinstance(node, yaml.SequenceNode):
            self._problem(name, f"{_shown(node)} is not a list; expected {expected}")
            return None
        allowed = None if self._known is None else getattr(self._known, name)
        values: list[str] = []
        for member in node.value:
            if member.tag != STRING or not re.fullmatch(pattern, member.value):
                self._problem(name, f"{_shown(member)} is not valid; expected {expected}", _line(member))
            elif member.value in values:
                self._problem(name, f"{member.value!r} stands twice; keep one", _line(member))
            elif allowed is not None and member.value not in allowed:
                self._problem(name, f"{member.value!r} is not in rdk.json{_meant(member.value, allowed)}", _line(member))
            else:
                values.append(member.value)
        return tuple(values) if len(values) == len(node.value) else None

    def _date(self, name: str, node: yaml.Node) -> date | None:
        text = str(node.value)
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self._problem(name, f"{_shown(node)} is no date; created and expires are dates such as 2026-11-24")
        return None

    def _faults(self, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield from _rule_faults(values["rule"], self._known)
        fault = resource_fault(values["resource"])
        if fault:
            yield "resource", f"{values['resource']!r} {fault}"
        else:
            yield from contradictions(values["resource"], values["accounts"], values["regions"])
            service = values["resource"].split(":")[2:3] or [""]
            judged = {"iam": self._known.home_region if self._known else "", "cloudfront": "us-east-1"}.get(service[0])
            if judged and values["regions"] != (judged,):
                yield "regions", f"what has no Region of its own is excepted where it is judged; expected [{judged}]"
        for name in ("reason", "approver", "ticket", "compensating_control"):
            yield from _wording_faults(name, values[name])
        created, expires = values["created"], values["expires"]
        if created > self._today:
            yield "created", f"{created} is in the future (today is {self._today}, UTC)"
        if not created < expires <= _a_year_after(created):
            yield "expires", f"{expires} is not within 12 months after created ({created})"


def _rule_faults(rule: str, known: Known | None) -> Iterator[tuple[str, str]]:
    if known and rule in known.managed_rules:
        yield (
            "rule",
            f"{rule!r} is evaluated by AWS: no exception can be in force there; fix it or take the rule out of the pack",
        )
    elif not re.fullmatch(r"PCI(_[A-Z0-9]+)+", rule):
        yield "rule", f"{rule!r} is not a rule id; an exception names one rule"
    elif known and rule not in known.rules:
        yield "rule", f"{rule!r} is no rule of this catalogue{_meant(rule, known.rules)}"


def _wording_faults(name: str, text: str) -> Iterator[tuple[str, str]]:
    said = "".join(character for character in text.casefold() if character.isalnum())
    if "{{" in text or "}}" in text:
        yield name, "double braces are variables in Automation documents; write it another way"
    elif len(text) > LONGEST_TEXT[name]:
        yield name, f"has {len(text)} characters; at most {LONGEST_TEXT[name]}, details belong in the ticket"
    elif name == "ticket":
        if not re.fullmatch(r"[!-~]*[0-9][!-~]*", text):
            yield name, f"{text!r} is no ticket; expected its number or address, such as SEC-1234"
    elif said in PLACEHOLDERS or sum(character.isalpha() for character in text) < 3:
        expected = "a person or a function" if name == "approver" else "what an assessor can check"
        yield name, f"{text!r} says nothing; expected {expected}"
    elif name == "approver" and re.match(r"arn:|https?:|PCI_|[A-Za-z]+-[0-9]+$|.*[0-9]{12}", text):
        yield name, f"{text!r} is neither a person nor a function"


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return date(day.year + 1, 2, 28)


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "this"


def _meant(value: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, sorted(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
