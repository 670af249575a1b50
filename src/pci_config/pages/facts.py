"""What a rule's page says, as data: the same for the page, the table and the export."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.catalogue import VERSIONS, Catalogue, Fix, ManagedRule, Remediation, RuleEntry
from pci_config.pages.meanings import meanings
from pci_config.rule import Lookup, PciRule, parameter_name

FREQUENCIES = {
    "One_Hour": "every hour",
    "Three_Hours": "every 3 hours",
    "Six_Hours": "every 6 hours",
    "Twelve_Hours": "every 12 hours",
    "TwentyFour_Hours": "every 24 hours",
}
REGION_SCOPES = {"regional": "every Region", "global": "the home Region only"}


@dataclass(frozen=True)
class ParameterFacts:
    """`value` is what rdk.json sets; None when it leaves the default."""

    name: str
    default: str
    expected: str
    meaning: str
    value: str | None


@dataclass(frozen=True)
class LookupFacts:
    """A fact beyond the item. `in_snapshot`: other items of a snapshot can answer."""

    name: str
    about: str
    actions: tuple[str, ...]
    resource_types: tuple[str, ...]
    in_snapshot: bool


@dataclass(frozen=True)
class RuleFacts:
    """Everything a page says of a custom rule. `decision` is the rest of the class docstring, in Markdown."""

    id: str
    summary: str
    description: str
    decision: str
    severity: str
    region_scope: str
    seed: str
    resource_types: tuple[str, ...]
    periodic: str | None
    judges_accounts: bool
    sweeps: bool
    requirements: Mapping[str, tuple[str, ...]]
    parameters: tuple[ParameterFacts, ...]
    lookups: tuple[LookupFacts, ...]
    remediation: Remediation | None
    further_remediations: tuple[Fix, ...] = ()
    automatic_allowed: bool | Mapping[str, str] = False

    @property
    def fixes(self) -> tuple[Fix, ...]:
        return (*((self.remediation,) if self.remediation else ()), *self.further_remediations)

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(sorted({action for lookup in self.lookups for action in lookup.actions}))

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "kind": "custom",
            "summary": self.summary,
            "description": self.description,
            "severity": self.severity,
            "region_scope": self.region_scope,
            "requirements": {version: list(self.requirements[version]) for version in VERSIONS},
            "resource_types": list(self.resource_types),
            "periodic": self.periodic,
            "judges_accounts": self.judges_accounts,
            "sweeps": self.sweeps,
            "parameters": [dataclasses.asdict(parameter) for parameter in self.parameters],
            "lookups": [
                {**dataclasses.asdict(lookup), "actions": list(lookup.actions), "resource_types": list(lookup.resource_types)}
                for lookup in self.lookups
            ],
            "actions": list(self.actions),
            "remediation": _fix(self.remediation) if self.remediation else None,
            "further_remediations": [_fix(fix) for fix in self.further_remediations],
            "automatic_allowed": (
                dict(self.automatic_allowed) if isinstance(self.automatic_allowed, Mapping) else self.automatic_allowed
            ),
            "decision": self.decision,
        }


def rule_facts(entry: RuleEntry, given: Mapping[str, str]) -> RuleFacts:
    """The facts of a rule; `given` are rdk.json's values for its parameters."""
    rule = entry.rule_class
    summary, _, decision = (inspect.getdoc(rule) or entry.description).partition("\n")
    return RuleFacts(
        id=entry.id,
        summary=summary.strip(),
        description=entry.description,
        decision=decision.strip(),
        severity=entry.severity,
        region_scope=entry.region_scope,
        seed=entry.seed,
        resource_types=entry.resource_types,
        periodic=entry.periodic,
        judges_accounts=rule.judges_accounts(),
        sweeps=rule.sweeps,
        requirements=entry.requirements,
        parameters=_parameters(entry, rule, given),
        lookups=tuple(_lookup(lookup) for lookup in rule.lookups),
        remediation=entry.remediation,
        further_remediations=entry.further_remediations,
        automatic_allowed=entry.automatic_allowed,
    )


def managed_document(rule: ManagedRule, given: Mapping[str, str]) -> dict[str, Any]:
    """The facts of a managed rule, for JSON."""
    return {
        "id": rule.id,
        "kind": "managed",
        "name_in_pack": rule.config_rule_name,
        "region_scope": rule.region_scope,
        "requirements": {version: list(rule.requirements[version]) for version in VERSIONS},
        "parameters": {**rule.parameters, **given},
        "accepts": dict(rule.accepts),
        "why_adequate": rule.why_adequate,
        "known_gap": rule.known_gap,
        "documentation": documentation(rule),
    }


def documentation(rule: ManagedRule) -> str:
    """The rule's page in AWS's developer guide."""
    return f"https://docs.aws.amazon.com/config/latest/developerguide/{rule.id.lower().replace('_', '-')}.html"


def trigger(facts: RuleFacts) -> str:
    """When the rule runs, in words."""
    parts = []
    if facts.resource_types:
        parts.append("a change of " + ", ".join(facts.resource_types))
    if facts.periodic:
        often = FREQUENCIES.get(facts.periodic, facts.periodic)
        looks = ["the account as a whole"] * facts.judges_accounts + ["every recorded item again"] * facts.sweeps
        parts.append(often + (f" ({' and '.join(looks)})" if looks else ""))
    return "; ".join(parts)


def rules_for(catalogue: Catalogue, number: str, version: str = "4.0.1") -> tuple[list[RuleEntry], list[ManagedRule]]:
    """Custom and managed rules that carry a number, or one below it."""

    def fits(numbers: tuple[str, ...]) -> bool:
        return any(found == number or found.startswith(number + ".") for found in numbers)

    custom = [entry for entry in catalogue.rules.values() if fits(entry.requirements[version])]
    managed = [rule for rule in catalogue.managed_rules.values() if fits(rule.requirements[version])]
    return custom, managed


def _parameters(entry: RuleEntry, rule: type[PciRule], given: Mapping[str, str]) -> tuple[ParameterFacts, ...]:
    texts = meanings(rule)
    return tuple(
        ParameterFacts(
            name=name,
            default=entry.parameters.get(name) or "",
            expected=spec.metadata["expected"],
            meaning=texts[name],
            value=given.get(name),
        )
        for spec in dataclasses.fields(rule.parameters)
        for name in [parameter_name(spec.name)]
    )


def _fix(fix: Fix) -> dict[str, Any]:
    return {"document": fix.document, "parameters": dict(fix.parameters)}


def _lookup(lookup: type[Lookup[Any]]) -> LookupFacts:
    about = (inspect.getdoc(lookup) or "").split("\n\n", maxsplit=1)[0]
    return LookupFacts(
        name=lookup.__name__,
        about=" ".join(about.split()),
        actions=lookup.actions,
        resource_types=lookup.resource_types,
        in_snapshot=lookup.recorded.__func__ is not Lookup.recorded.__func__,  # type: ignore[attr-defined]
    )
