"""The catalogue: what is known of every rule, read from the rule's own folder, and of every AWS managed rule in the packs."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pci_config.requirements import Requirement, RequirementBook, read_yaml
from pci_config.rule import RESERVED_PARAMETERS, PciRule, parameter_name

PACKAGE = Path(__file__).resolve().parent
VERSIONS = ("4.0.1", "3.2.1")
Severity = Literal["low", "medium", "high", "critical"]


class CatalogueError(Exception):
    """A rule's folder contradicts itself; the message names file and field."""


def project_root() -> Path:
    """The folder that holds `rules/`: the checkout, or the data of an installed package."""
    checkout = PACKAGE.parents[1]
    return checkout if (checkout / "rules").is_dir() else PACKAGE


def rules_folder(root: Path) -> Path:
    return root / "rules" if (root / "rules").is_dir() else root / "_rules"


def documents_folder(root: Path) -> Path:
    return root / "remediation" if (root / "remediation").is_dir() else root / "_remediation"


@dataclass(frozen=True)
class Fix:
    """A document that mends findings of a rule, with its parameters in RemediationConfiguration form."""

    document: str
    parameters: Mapping[str, Any]

    @property
    def resource_parameter(self) -> str:
        """The parameter that takes the id of the resource."""
        (name,) = [name for name, value in self.parameters.items() if "ResourceValue" in value]
        return name


@dataclass(frozen=True)
class Remediation(Fix):
    """The fix that AWS Config starts: one for each rule, with limits of its own."""

    maximum_automatic_attempts: int
    retry_attempt_seconds: int


@dataclass(frozen=True)
class RuleEntry:
    """One custom rule. `parameters` maps a parameter's name to its default as text; None when it has none.

    `automatic_allowed`: whether its remediation may be automatic without a written opt-in; or the document's parameters, with
    the values that they must have for that.
    """

    id: str
    folder: Path
    description: str
    resource_types: tuple[str, ...]
    periodic: str | None
    parameters: Mapping[str, str | None]
    requirements: Mapping[str, tuple[str, ...]]
    severity: str
    region_scope: str
    seed: str
    remediation: Remediation | None
    further_remediations: tuple[Fix, ...] = ()
    automatic_allowed: bool | Mapping[str, str] = False

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """Every document that mends findings of this rule; people start those that AWS Config does not know."""
        return (*((self.remediation,) if self.remediation else ()), *self.further_remediations)

    @cached_property
    def rule_class(self) -> type[PciRule]:
        """The rule's class, imported from its folder."""
        path = self.folder / f"{self.id}.py"
        name = f"pci_config_rule_{self.id}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise CatalogueError(f"{path}: cannot be imported")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        for value in vars(sys.modules[name]).values():
            if isinstance(value, type) and issubclass(value, PciRule) and value.rule_id() == self.id:
                return value
        raise CatalogueError(f"{path}: no class derived from PciRule whose name spells {self.id}")


@dataclass(frozen=True)
class ManagedRule:
    """An AWS managed rule of the packs.

    `accepts` maps each parameter that AWS takes to its type; `change_types`: what it judges on change, and so must be recorded.
    """

    id: str
    region_scope: str
    parameters: Mapping[str, str]
    requirements: Mapping[str, tuple[str, ...]]
    accepts: Mapping[str, str]
    why_adequate: str
    known_gap: str
    change_types: tuple[str, ...] = ()

    @property
    def config_rule_name(self) -> str:
        return f"PCI_MANAGED_{self.id}"

    def faults(self, given: Mapping[str, str]) -> list[str]:
        """What is wrong with parameters for this rule: names that AWS does not take, values of another type."""
        found = []
        for name, value in given.items():
            if name not in self.accepts:
                found.append(f"takes no parameter {name!r}; known: {', '.join(self.accepts) or 'none'}")
            elif self.accepts[name] == "int" and not value.isdecimal():
                found.append(f"{name}: {value!r} is no whole number")
            elif self.accepts[name] == "boolean" and value not in ("true", "false"):
                found.append(f"{name}: {value!r} is neither true nor false")
            elif not value:
                found.append(f"{name}: is empty")
        return [f"{self.id}: {fault}" for fault in found]


@dataclass(frozen=True)
class Catalogue:
    rules: Mapping[str, RuleEntry]
    managed_rules: Mapping[str, ManagedRule]
    book: RequirementBook

    @classmethod
    def load(cls, root: Path | None = None) -> Catalogue:
        """Read every rule folder. Raises CatalogueError naming file and field."""
        folder = rules_folder(root or project_root())
        entries = [_entry(path) for path in sorted(folder.glob("*/parameters.json"))]
        if not entries:
            raise CatalogueError(f"{folder}: no rule folder with a parameters.json")
        return cls(
            MappingProxyType({entry.id: entry for entry in entries}),
            MappingProxyType(_managed_rules()),
            RequirementBook.load(),
        )

    @property
    def requirements(self) -> Mapping[str, Requirement]:
        """By number of 4.0.1."""
        return self.book.requirements

    def rules_fixed_by(self, document: str) -> list[str]:
        """Ids of the rules that this document fixes, be it the one that AWS Config starts or a further one."""
        return [entry.id for entry in self.rules.values() if any(fix.document == document for fix in entry.fixes)]

    def titles(self) -> dict[str, str]:
        """Requirement number (4.0.1) to title."""
        return {requirement.id: requirement.title for requirement in self.requirements.values()}


def _entry(path: Path) -> RuleEntry:
    document = _json(path)
    try:
        parameters = document["Parameters"]
        rule_id = parameters["RuleName"]
        tags = {tag["Key"]: tag["Value"] for tag in json.loads(document["Tags"])}
        defaults = {**json.loads(parameters["InputParameters"]), **json.loads(parameters.get("OptionalParameters") or "{}")}
        description, requirements = (
            parameters["Description"],
            {version: tuple(tags[f"pci:{version}"].split()) for version in VERSIONS},
        )
        severity, region_scope, seed = tags["pci:severity"], tags["pci:region-scope"], tags["pci:seed"]
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"{path}: {error!r}: see docs/adding-a-rule.md for the fields a rule needs") from None
    for field, value, allowed in (
        ("RuleName", rule_id, (path.parent.name,)),
        ("Tags pci:severity", severity, ("low", "medium", "high", "critical")),
        ("Tags pci:region-scope", region_scope, ("regional", "global")),
    ):
        if value not in allowed:
            raise CatalogueError(f"{path}: {field}: {value!r} is not valid; expected {' or '.join(allowed)}")
    remediation, further = _remediation(parameters.get("Remediation"), path), _further_remediations(parameters, path)
    declared = _declared_parameters(path.parent / f"{rule_id}.py")
    return RuleEntry(
        id=rule_id,
        folder=path.parent,
        description=description,
        resource_types=tuple(t.strip() for t in parameters.get("SourceEvents", "").split(",") if t.strip()),
        periodic=parameters.get("SourcePeriodic"),
        parameters=MappingProxyType(
            {name: defaults.get(name) for name in sorted({*declared, *defaults} - RESERVED_PARAMETERS)}
        ),
        requirements=MappingProxyType(requirements),
        severity=severity,
        region_scope=region_scope,
        seed=seed,
        remediation=remediation,
        further_remediations=further,
        automatic_allowed=_automatic_allowed(parameters, path),
    )


def _declared_parameters(path: Path) -> set[str]:
    """Names of the parameters in the rule's source, without importing it: every rule stays cheap to list."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    used = {
        statement.value.id
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id == "parameters"
    }
    return {
        parameter_name(statement.target.id)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in used
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def _remediation(block: Mapping[str, Any] | None, path: Path) -> Remediation | None:
    if not block:
        return None
    fix = _fix(block, f"{path}: Remediation")
    try:
        attempts, seconds = int(block["MaximumAutomaticAttempts"]), int(block["RetryAttemptSeconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"{path}: Remediation: {error!r}; expected numbers of attempts and seconds") from None
    return Remediation(fix.document, fix.parameters, attempts, seconds)


def _further_remediations(parameters: Mapping[str, Any], path: Path) -> tuple[Fix, ...]:
    """AWS Config takes one remediation for each rule, so these have nothing of what only Config reads."""
    blocks = parameters.get("FurtherRemediations", [])
    if not isinstance(blocks, list):
        raise CatalogueError(f"{path}: FurtherRemediations is no list; expected [{{TargetId, Parameters}}, …]")
    documents = [block["TargetId"] for block in (parameters.get("Remediation"),) if block]
    found = []
    for position, block in enumerate(blocks):
        place = f"{path}: FurtherRemediations.{position}"
        fix = _fix(block, place)
        surplus = sorted(set(block) - {"TargetId", "Parameters"})
        if surplus:
            raise CatalogueError(f"{place}: {', '.join(surplus)}: only people start it; leave TargetId and Parameters")
        if fix.document in documents:
            raise CatalogueError(f"{place}: {fix.document} is there already")
        documents.append(fix.document)
        found.append(fix)
    return tuple(found)


def _automatic_allowed(parameters: Mapping[str, Any], path: Path) -> bool | Mapping[str, str]:
    match parameters.get("AutomaticAllowed", False):
        case bool() as allowed:
            return allowed
        case {**demanded} if demanded and all(isinstance(value, str) and value for value in demanded.values()):
            return MappingProxyType({str(name): str(value) for name, value in demanded.items()})
        case other:
            expected = "true, false or the document's parameters with the values that they must have"
            raise CatalogueError(f"{path}: AutomaticAllowed: {other!r} is not valid; expected {expected}")


def _fix(block: Any, place: str) -> Fix:
    if not isinstance(block, Mapping) or not isinstance(block.get("TargetId"), str) or not block["TargetId"]:
        raise CatalogueError(f"{place}: expected an object with TargetId, a document's name, and Parameters")
    parameters = block.get("Parameters")
    if not isinstance(parameters, Mapping):
        raise CatalogueError(f"{place}: Parameters is no object")
    taking = []
    for name, value in parameters.items():
        match value:
            case {"ResourceValue": {"Value": "RESOURCE_ID"}, **rest} if not rest:
                taking.append(name)
            case {"StaticValue": {"Values": [str(), *_] as values}, **rest} if not rest and all(
                isinstance(text, str) and text for text in values
            ):
                pass
            case _:
                expected = '{"ResourceValue": {"Value": "RESOURCE_ID"}} or {"StaticValue": {"Values": [text, …]}}'
                raise CatalogueError(f"{place}: Parameters.{name} is {value!r}; expected {expected}")
    if len(taking) != 1:
        raise CatalogueError(f"{place}: {', '.join(taking) or 'no parameter'}: exactly one takes RESOURCE_ID")
    return Fix(block["TargetId"], MappingProxyType(dict(parameters)))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{path}: {error}") from None


def _managed_rules() -> dict[str, ManagedRule]:
    document = read_yaml(PACKAGE / "managed_rules.yaml")
    return {
        rule_id: ManagedRule(
            rule_id,
            entry["region_scope"],
            MappingProxyType(entry.get("parameters") or {}),
            MappingProxyType({version: tuple(entry["requirements"][version]) for version in VERSIONS}),
            MappingProxyType(entry.get("accepts") or {}),
            entry["why_adequate"],
            entry["known_gap"],
            tuple(entry.get("change_types") or ()),
        )
        for rule_id, entry in document["managed_rules"].items()
    }


def default_text(rule: type[PciRule]) -> dict[str, str]:
    """Each typed parameter's default as the text Config would pass, for the drift test against parameters.json."""
    texts = {}
    for spec in dataclasses.fields(rule.parameters):
        value = spec.default
        if isinstance(value, tuple):
            texts[parameter_name(spec.name)] = ",".join(str(entry) for entry in value)
        else:
            texts[parameter_name(spec.name)] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts
