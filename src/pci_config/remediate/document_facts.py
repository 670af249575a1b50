"""What people and a start need to know of each Automation document, from its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pci_config.catalogue import Fix, RuleEntry
from pci_config.documents import ASSUME_ROLE, FIX_PARAMETERS, RESTORE_PARAMETERS, document_names
from pci_config.pack import NOTHING, effective_parameters, fix_parameters, partition
from pci_config.rdk_json import RdkJson
from pci_config.requirements import read_yaml

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
GIVEN_AT_START = ("AutomationAssumeRole", "DryRun", "FixExecutionId")


@dataclass(frozen=True)
class DocumentFacts:
    """`parameters` are those that the document declares. `restore`: name of the document that leads back, if there is one."""

    name: str
    may_break: str
    undo: str
    parameters: Mapping[str, Any]
    restore: str | None
    restore_parameters: frozenset[str]

    def why_no_restore(self) -> str:
        return f"{self.name} has no document that leads back. By hand: {self.undo}"


def document_facts(folder: Path) -> dict[str, DocumentFacts]:
    """Of every fix, by name."""
    return {name: _facts(folder / name) for name in document_names(folder)}


def _facts(folder: Path) -> DocumentFacts:
    source = read_yaml(folder / "document.yaml")
    parts = _SECTION.split(source["description"])
    sections = {title: " ".join(text.split()) for title, text in zip(parts[1::2], parts[2::2], strict=True)}
    back = read_yaml(folder / "restore.yaml") if (folder / "restore.yaml").is_file() else None
    return DocumentFacts(
        name=folder.name,
        may_break=sections.get("What it may break", ""),
        undo=sections.get("How to undo", ""),
        parameters={"AutomationAssumeRole": ASSUME_ROLE, **(source.get("parameters") or {}), **FIX_PARAMETERS},
        restore=None if back is None else str(back["name"]),
        restore_parameters=frozenset({} if back is None else {**(back.get("parameters") or {}), **RESTORE_PARAMETERS}),
    )


def concrete_parameters(
    entry: RuleEntry,
    fix: Fix,
    rdk_json: RdkJson,
    facts: Mapping[str, DocumentFacts],
    account_id: str,
    region: str,
    resource_id: str,
) -> dict[str, str]:
    """What the document gets on this resource, as the pack would pass it in that account and Region; all but DryRun.

    Raises CatalogueError and ParameterError.
    """
    declared = {name: {"parameters": each.parameters} for name, each in facts.items()}
    own = effective_parameters(entry, rdk_json)
    pseudos = {"Region": region, "AccountId": account_id, "Partition": partition(rdk_json)}
    found = {}
    for name, value in fix_parameters(entry, fix, rdk_json, declared).items():
        if "ResourceValue" in value:
            found[name] = resource_id
            continue
        (given,) = value["StaticValue"]["Values"]
        match given:
            case str():
                found[name] = given
            case {"Fn::Sub": str() as text}:
                for pseudo, meant in pseudos.items():
                    text = text.replace(f"${{AWS::{pseudo}}}", meant)
                found[name] = text
            case _:  # a reference to the pack's parameter, which has the rule's value
                found[name] = own[name] or NOTHING
    found["AutomationAssumeRole"] = role_arn(rdk_json, account_id, fix.document)
    return {name: value for name, value in found.items() if name != "DryRun"}


def role_arn(rdk_json: RdkJson, account_id: str, document: str) -> str:
    """The document's role in the account in which it runs."""
    return f"arn:{partition(rdk_json)}:iam::{account_id}:role/{document}"
