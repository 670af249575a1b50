"""What AWS Config takes in a conformance pack, and how much of it a generated pack uses.

Source: Config API reference (PutConformancePack, PutOrganizationConformancePack, PutConfigRule, PutRemediationConfigurations),
2026; numbers of rules: Config developer guide, service limits (April 2023, the last public text: ask Service Quotas).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.requirements import parsed_yaml

MAX_TEMPLATE_BYTES = 51_200  # in the request itself
MAX_S3_TEMPLATE_BYTES = 300_000  # "300 KB" behind TemplateS3Uri
MAX_PARAMETERS = 60
MAX_RULES = 130
MAX_RULES_OF_ALL_PACKS = 150  # single-account packs; organization packs have 350
MAX_INPUT_CHARACTERS = 1024
MAX_DESCRIPTION_CHARACTERS = 256
MAX_RULE_NAME_CHARACTERS = 64  # of 128: DeleteEvaluationResults takes 64, and a pack adds a suffix
MAX_PARAMETER_VALUE_CHARACTERS = 4096
MAX_SCOPE_TYPES = 100
MAX_REMEDIATION_PARAMETERS = 25
ASSUMED_VALUE_CHARACTERS = 60  # of a pack parameter, unless its default is longer
TEMPLATE_BODY, TEMPLATE_S3_URI = "TemplateBody", "TemplateS3Uri"


@dataclass(frozen=True)
class Use:
    """How much of a limit a pack uses."""

    what: str
    used: int
    limit: int

    @property
    def free(self) -> int:
        return self.limit - self.used

    def __str__(self) -> str:
        return f"{self.what}: {self.used} of {self.limit}, {self.free} free"


def delivery(text: str) -> str:
    """The member of PutConformancePack that takes the template: its text, or its place in a bucket when that is too long."""
    return TEMPLATE_BODY if len(text.encode()) <= MAX_TEMPLATE_BYTES else TEMPLATE_S3_URI


def rules_of_all(texts: Iterable[str]) -> Use:
    """Rules that an account has in one Region from all packs together: the home Region has every pack."""
    return Use("rules of all packs", sum(pack_counts(text)["rules"] for text in texts), MAX_RULES_OF_ALL_PACKS)


def uses(text: str) -> list[Use]:
    """Every limit with what the template uses of it."""
    template = parsed_yaml(text)
    rules = [properties for _, properties in _of(template, "ConfigRule")]
    fixes = [properties for _, properties in _of(template, "RemediationConfiguration")]
    defaults = {name: str(spec.get("Default", "")) for name, spec in template["Parameters"].items()}
    inputs = [len(json.dumps(_longest(rule.get("InputParameters", {}), defaults))) for rule in rules]
    return [
        Use("bytes of the template", len(text.encode()), MAX_S3_TEMPLATE_BYTES),
        Use("parameters", len(defaults), MAX_PARAMETERS),
        Use(
            "characters of a parameter's value",
            _most(len(value) for value in defaults.values()),
            MAX_PARAMETER_VALUE_CHARACTERS,
        ),
        Use("rules", len(rules), MAX_RULES),
        Use("characters of a rule's name", _most(len(rule["ConfigRuleName"]) for rule in rules), MAX_RULE_NAME_CHARACTERS),
        Use(
            "characters of a rule's description",
            _most(len(rule.get("Description", "")) for rule in rules),
            MAX_DESCRIPTION_CHARACTERS,
        ),
        Use("characters of a rule's InputParameters", _most(inputs), MAX_INPUT_CHARACTERS),
        Use(
            "resource types of a rule's scope",
            _most(len(rule.get("Scope", {}).get("ComplianceResourceTypes", [])) for rule in rules),
            MAX_SCOPE_TYPES,
        ),
        Use(
            "parameters of a remediation",
            _most(len(fix.get("Parameters", {})) for fix in fixes),
            MAX_REMEDIATION_PARAMETERS,
        ),
    ]


def pack_counts(text: str) -> dict[str, int]:
    """Rules, remediations, parameters and bytes of a template."""
    template = parsed_yaml(text)
    return {
        "rules": len(list(_of(template, "ConfigRule"))),
        "remediations": len(list(_of(template, "RemediationConfiguration"))),
        "parameters": len(template["Parameters"]),
        "bytes": len(text.encode()),
    }


def _of(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == f"AWS::Config::{kind}":
            yield logical_id, resource["Properties"]


def _most(numbers: Iterable[int]) -> int:
    return max(numbers, default=0)


def _longest(inputs: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, str]:
    """InputParameters with every reference replaced by the longest value to reckon with."""

    def length(value: Any) -> int:
        named = value.get("Ref") or value["Fn::If"][1]["Ref"]
        return max(ASSUMED_VALUE_CHARACTERS, len(defaults[named]))

    return {name: value if isinstance(value, str) else "x" * length(value) for name, value in inputs.items()}
