"""What is known of the PCI DSS requirements: requirements.yaml, read and typed."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

PATH = Path(__file__).resolve().parent / "requirements.yaml"
EVERY_RULE = "all"


@dataclass(frozen=True)
class Requirement:
    """A PCI DSS 4.0.1 requirement with our own short title and the numbers it had in 3.2.1."""

    id: str
    predecessors: tuple[str, ...]
    title: str
    evidence_limits: str
    checks: str = ""
    in_force: str | None = None
    managed_rules: tuple[str, ...] = ()
    custom_rules: tuple[str, ...] = ()
    why_custom: str | None = None
    no_rule: str | None = None
    ask_the_assessor: str | None = None


@dataclass(frozen=True)
class Misnomer:
    """A number that is easily taken for another one. `number` may be a pattern; `rules` is None when no rule may carry it."""

    number: str
    version: str
    about: str
    instead: str
    rules: tuple[str, ...] | None
    unless: tuple[str, ...]

    def forbids(self, version: str, number: str, rule_id: str) -> bool:
        """Whether the rule must not claim the number of that version."""
        if version != self.version or not fnmatch.fnmatchcase(number, self.number) or rule_id in self.unless:
            return False
        return self.rules is None or rule_id in self.rules


@dataclass(frozen=True)
class RequirementBook:
    """Everything requirements.yaml says."""

    standard: str
    requirements: Mapping[str, Requirement]
    predecessor_index: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    misnomers: tuple[Misnomer, ...] = ()

    @classmethod
    def load(cls) -> RequirementBook:
        document = read_yaml(PATH)
        return cls(
            document["standard"],
            MappingProxyType({entry["id"]: _requirement(entry) for entry in document["requirements"]}),
            MappingProxyType({number: tuple(after) for number, after in document["predecessor_index"].items()}),
            tuple(_misnomer(entry) for entry in document["do_not_map"]),
        )

    def refusal(self, version: str, number: str, rule_id: str) -> str | None:
        """Why a rule must not claim a number; None when it may."""
        for misnomer in self.misnomers:
            if misnomer.forbids(version, number, rule_id):
                return f"{version} {number} is about: {misnomer.about}; instead: {misnomer.instead}"
        known = self.requirements if version == "4.0.1" else self.predecessor_index
        return None if number in known else f"{version} {number} is not in requirements.yaml"


def read_yaml(path: Path) -> Any:
    return parsed_yaml(path.read_text("utf-8"))


def parsed_yaml(text: str) -> Any:
    """The document; by the parser in C where PyYAML has it, which is eight times as quick."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe


def order(number: str) -> tuple[int, ...]:
    """The key that sorts numbers as the standard does: 10.2.1.2 after 10.2.1, 10 after 9."""
    return tuple(int(part) for part in number.split("."))


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    lists = {name: tuple(entry.get(name) or ()) for name in ("predecessors", "managed_rules", "custom_rules")}
    texts = {name: str(value) for name, value in entry.items() if name not in lists}
    return Requirement(**{**texts, **lists})  # type: ignore[arg-type]


def _misnomer(entry: Mapping[str, Any]) -> Misnomer:
    rules = None if entry["rules"] == EVERY_RULE else tuple(entry["rules"])
    return Misnomer(
        entry["number"], entry["version"], entry["about"], entry["instead"], rules, tuple(entry.get("unless") or ())
    )
