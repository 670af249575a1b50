"""Evaluates a conformance pack's template: parameters, conditions and intrinsic functions, within what Config allows in a pack.

Source: Config API reference, PutConformancePack; CloudFormation user guide, intrinsic functions.
"""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pci_config.pack_limits import MAX_PARAMETERS, MAX_TEMPLATE_BYTES

ALLOWED_TYPES = ("AWS::Config::ConfigRule", "AWS::Config::RemediationConfiguration")
ABSENT = object()  # AWS::NoValue


class PackRefusedError(Exception):
    """Config would answer ConformancePackTemplateValidationException, or the sandbox does not imitate what stands there."""


@dataclass(frozen=True)
class PackResource:
    logical_id: str
    type: str
    properties: Mapping[str, Any]


class _Loader(yaml.SafeLoader):
    """Takes the short forms (!Sub, !Ref, …) of intrinsic functions."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise PackRefusedError(f"!{tag} takes a text or a list")
    return {tag if tag == "Ref" else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def evaluate(
    text: str, given: Mapping[str, str], pseudo: Mapping[str, str], max_bytes: int = MAX_TEMPLATE_BYTES
) -> list[PackResource]:
    """The pack's resources with everything resolved. `pseudo` holds AWS::AccountId, AWS::Region and AWS::Partition.

    Raises PackRefusedError.
    """
    if len(text.encode()) > max_bytes:
        raise PackRefusedError(f"the template has {len(text.encode())} bytes; a pack takes {max_bytes}")
    template = pickle.loads(_pickled(text))  # noqa: S301 - its own bytes
    unknown = sorted(
        set(template) - {"AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Mappings", "Resources"}
    )
    if unknown:
        raise PackRefusedError(f"{', '.join(unknown)} cannot stand in a pack")
    resolver = _Resolver(template, _parameters(template.get("Parameters") or {}, given), pseudo)
    resources = []
    for logical_id, resource in template["Resources"].items():
        if resource.get("Type") not in ALLOWED_TYPES:
            raise PackRefusedError(f"{logical_id}: a pack holds no {resource.get('Type')}")
        if resource["Type"] == ALLOWED_TYPES[0] and not isinstance(resource["Properties"].get("ConfigRuleName"), str):
            raise PackRefusedError(f"{logical_id}: ConfigRuleName must be a literal text")
        if "Condition" in resource and not resolver.condition(resource["Condition"]):
            continue
        resources.append(PackResource(logical_id, resource["Type"], resolver.value(resource["Properties"])))
    _check_references(resources)
    return resources


@functools.lru_cache(maxsize=16)
def _pickled(text: str) -> bytes:
    """The template, read once for all accounts."""
    try:
        return pickle.dumps(yaml.load(text, Loader=_Loader))  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError as error:
        raise PackRefusedError(f"the template is not YAML: {error}") from None


def _check_references(resources: list[PackResource]) -> None:
    rules = {r.properties["ConfigRuleName"] for r in resources if r.type == ALLOWED_TYPES[0]}
    for resource in resources:
        if resource.type == ALLOWED_TYPES[1] and resource.properties["ConfigRuleName"] not in rules:
            raise PackRefusedError(f"{resource.logical_id}: the pack has no rule {resource.properties['ConfigRuleName']}")


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    if len(declared) > MAX_PARAMETERS:
        raise PackRefusedError(f"{len(declared)} parameters; a pack takes {MAX_PARAMETERS}")
    unknown = sorted(set(given) - set(declared))
    missing = sorted(name for name, spec in declared.items() if name not in given and "Default" not in spec)
    if unknown or missing:
        raise PackRefusedError(f"parameters: unknown {unknown or 'none'}, without a value {missing or 'none'}")
    return {name: str(given.get(name, spec.get("Default"))) for name, spec in declared.items()}


class _Resolver:
    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], pseudo: Mapping[str, str]) -> None:
        self._conditions = template.get("Conditions") or {}
        self._mappings = template.get("Mappings") or {}
        self._names = {**parameters, **pseudo}

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            raise PackRefusedError(f"there is no condition {name}")
        return bool(self.value(self._conditions[name]))

    def value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((function, argument),) = value.items()
                if function in ("Ref", "Condition") or str(function).startswith("Fn::"):
                    return self._function(str(function), argument)
            resolved = {name: self.value(entry) for name, entry in value.items()}
            return {name: entry for name, entry in resolved.items() if entry is not ABSENT}
        if isinstance(value, list):
            return [entry for entry in map(self.value, value) if entry is not ABSENT]
        return value

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return ABSENT if argument == "AWS::NoValue" else self._named(argument)
            case "Condition":
                return self.condition(argument)
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::If":
                return self.value(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Equals":
                return self.value(argument[0]) == self.value(argument[1])
            case "Fn::Not":
                return not self.value(argument[0])
            case "Fn::And":
                return all(self.value(entry) for entry in argument)
            case "Fn::Or":
                return any(self.value(entry) for entry in argument)
            case "Fn::Join":
                return str(argument[0]).join(str(entry) for entry in self.value(argument[1]))
            case "Fn::Select":
                return self.value(argument[1])[int(self.value(argument[0]))]
            case "Fn::Split":
                return str(self.value(argument[1])).split(argument[0])
            case "Fn::FindInMap":
                top, second = self.value(argument[1]), self.value(argument[2])
                return self._mappings[argument[0]][top][second]
        raise PackRefusedError(f"{name} is not imitated by the sandbox")

    def _named(self, name: str) -> str:
        if name not in self._names:
            raise PackRefusedError(f"Ref {name}: neither a parameter nor a pseudo parameter")
        return self._names[name]

    def _sub(self, argument: Any) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else (argument[0], self.value(argument[1]))
        return re.sub(r"\$\{([^}!]+)\}", lambda m: str(local.get(m.group(1)) or self._named(m.group(1))), text)
