"""The operator's page of each Automation document, and their index: `docs/documents`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pci_config.catalogue import Catalogue, CatalogueError
from pci_config.document_policies import document_policies
from pci_config.documents import FIX_PARAMETERS, RESTORE_PARAMETERS, document_names, restore_names
from pci_config.pages.facts import REGION_SCOPES
from pci_config.pages.markdown import code, generated, page, table
from pci_config.pages.permissions import actions_of, permissions_table
from pci_config.runbook import MAX_RECORD_CHARACTERS, SWITCH_ON, SWITCH_PARAMETER

FOLDER = Path("docs/documents")
SECTIONS = ("What it does", "What it may break", "How to undo")
COMMON = {*FIX_PARAMETERS, *RESTORE_PARAMETERS, "AutomationAssumeRole"}
ROLE = "AutomationAssumeRole"
COURSE = f"""\
## What every fix does

1. Reads the resource as it is now and judges it as the rule does, by the same code. Gone, compliant or excepted: it ends in
   success and changes nothing. AWS Config may start a fix on an old result; that does no harm.
2. Refuses what it does not understand, what belongs to another account or Region, and, unless `AllowManaged` is true, what by
   its tags CloudFormation or Terraform manages. A refusal is a failed execution whose message starts with `Refused`.
3. With `DryRun` true, the default, it lists its calls and ends.
4. Reads the switch, parameter `{SWITCH_PARAMETER}` of the account and Region: anything but `{SWITCH_ON}` ends it, unchanged.
5. Writes the state before to the evidence bucket. Without a bucket, or with one that keeps no versions, it refuses.
6. Changes only what violates, reads again until the change shows, and writes the state after, also when it failed half way.
7. Sends an event (source `pci-config`, type `PCI remediation`) to the default bus of the account.

A restore takes the same course, but for two things: it refuses when the resource is no longer as the fix left it, and the
switch does not stop it.

| outcome | meaning |
|---|---|
| `changed` | changed and verified; `Before`, `After` and `Evidence` say from what to what |
| `compliant` | nothing to do: it is right already |
| `gone` | nothing to do: the resource is no more |
| `excepted` | nothing done: an exception in force accepts the finding |
| `dry-run` | nothing changed: `Calls` has what would be called |
| `switched-off` | nothing changed: the switch is not `{SWITCH_ON}` |
"""


def document_pages(
    catalogue: Catalogue, folder: Path, documents: Mapping[str, Mapping[str, Any]], evidence_bucket: str | None
) -> dict[Path, str]:
    """Every page by path. `documents` are the built ones by name. Raises CatalogueError when a description lacks a section."""
    policies, restores = document_policies(folder), restore_names(folder)
    found = {}
    for fix in document_names(folder):
        restore = restores.get(fix)
        rules = catalogue.rules_fixed_by(fix)
        found[FOLDER / f"{fix}.md"] = _page(
            fix, documents[fix], policies[fix], _fix_overview(catalogue, rules, restore), fix, evidence_bucket
        )
        if restore:
            overview = [("takes back", f"[{fix}]({fix}.md)"), ("needs", "the id of the execution that it takes back")]
            found[FOLDER / f"{restore}.md"] = _page(
                restore, documents[restore], policies[restore], overview, fix, evidence_bucket
            )
    found[FOLDER / "README.md"] = _index(catalogue, folder, documents)
    return found


def sections(name: str, document: Mapping[str, Any]) -> dict[str, str]:
    """The sections of the description by heading. Raises CatalogueError when one is missing or not known."""
    parts = re.split(r"^## (.+)$", str(document["description"]), flags=re.MULTILINE)
    found = {heading.strip(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}
    if list(found) != list(SECTIONS) or not all(found.values()) or parts[0].strip():
        raise CatalogueError(f"{name}: description: expected the sections {', '.join(SECTIONS)}, each with a text")
    return found


def _page(
    name: str,
    document: Mapping[str, Any],
    policy: Mapping[str, Any],
    overview: list[tuple[str, str]],
    folder: str,
    evidence_bucket: str | None,
) -> str:
    (first, *rest) = overview
    lines = [generated(f"remediation/{folder}"), f"# {name}", "", *table(first, rest), ""]
    for heading, text in sections(name, document).items():
        lines += [f"## {heading}", "", text, ""]
    lines += ["## Parameters", "", *_parameters(document), "", "## Start it", "", *_start(name, document, evidence_bucket)]
    lines += ["", "## What its role may do", ""]
    lines += [f"Role `{name}`, which only Automation of the same account can assume. Everything it may do:", ""]
    lines += permissions_table(policy)
    lines += ["", f"Actions: {code(actions_of(policy))}.", "", "## Evidence", "", *_evidence(name, name == folder)]
    where = f"../../remediation/{folder}"
    files = (
        ["document.yaml", "script.py", "policy.json"]
        if name == folder
        else ["restore.yaml", "script.py", "restore_policy.json"]
    )
    lines += ["", "## Where it is", "", *(f"- [{file}]({where}/{file})" for file in files)]
    return page(lines)


def _fix_overview(catalogue: Catalogue, rules: list[str], restore: str | None) -> list[tuple[str, str]]:
    entries = [catalogue.rules[rule] for rule in rules]
    numbers = sorted({number for entry in entries for number in entry.requirements["4.0.1"]}, key=_by_number)
    scopes = sorted({REGION_SCOPES[entry.region_scope] for entry in entries})
    return [
        ("fixes", ", ".join(f"[{rule}](../rules/{rule}.md)" for rule in rules) or "no rule starts it"),
        ("PCI DSS 4.0.1", ", ".join(f"[{number}](../requirements.md#{number})" for number in numbers) or "none"),
        ("rules run in", "; ".join(scopes) or "-"),
        ("way back", f"[{restore}]({restore}.md)" if restore else "no document: see below"),
    ]


def _by_number(number: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else 0, part) for part in number.split(".")]


def _parameters(document: Mapping[str, Any]) -> list[str]:
    declared = document["parameters"]
    order = sorted(declared, key=lambda name: name in COMMON)  # its own first
    return table(
        ["parameter", "means", "takes", "default"],
        (
            (
                f"`{name}`",
                str(declared[name]["description"]),
                _takes(declared[name]),
                f"`{declared[name]['default']}`" if "default" in declared[name] else "must be given",
            )
            for name in order
        ),
    )


def _takes(spec: Mapping[str, Any]) -> str:
    if "allowedValues" in spec:
        return code((str(value) for value in spec["allowedValues"]), " or ")
    return f"`{spec['allowedPattern']}`" if "allowedPattern" in spec else str(spec["type"])


def _start(name: str, document: Mapping[str, Any], evidence_bucket: str | None) -> Iterator[str]:
    given: dict[str, list[str]] = {ROLE: [f"arn:aws:iam::ACCOUNT:role/{name}"]}
    for parameter, spec in document["parameters"].items():
        if "default" not in spec and parameter not in COMMON:
            given[parameter] = [str(spec["allowedValues"][0]) if "allowedValues" in spec else "…"]
    if "FixExecutionId" in document["parameters"]:
        given["FixExecutionId"] = ["…"]
    given |= {"EvidenceBucket": [evidence_bucket or "…"], "DryRun": ["true"]}
    yield "A dry run first; then the same with `DryRun` false."
    yield ""
    yield "```sh"
    yield f"aws ssm start-automation-execution --document-name {name} --parameters '"
    entries = [f"  {json.dumps(parameter)}: {json.dumps(values, ensure_ascii=False)}" for parameter, values in given.items()]
    yield "{\n" + ",\n".join(entries) + "\n}'"
    yield "aws ssm get-automation-execution --automation-execution-id ID"
    yield "```"


def _evidence(name: str, is_fix: bool) -> Iterator[str]:
    yield "In the evidence bucket, for every run that changes something or tries to:"
    yield ""
    for which, what in (
        ("before", "the state before, and the calls"),
        ("after", "the state after, what was done, what failed"),
    ):
        yield f"- `remediation/ACCOUNT/REGION/{name}/RESOURCE/EXECUTION-ID/{which}.json`: {what}"
    yield ""
    yield (
        f"The execution's outputs have the same (to {MAX_RECORD_CHARACTERS:,} characters) with the version of the object; "
        "Systems Manager forgets them after 30 days. An event tells of the outcome and of refusals."
    )
    if not is_fix:
        yield "It also reads the two records of the fix that it takes back, and refuses when they were altered."


def _index(catalogue: Catalogue, folder: Path, documents: Mapping[str, Mapping[str, Any]]) -> str:
    restores = restore_names(folder)
    rows = []
    for fix in document_names(folder):
        what = sections(fix, documents[fix])["What it does"]
        restore = restores.get(fix)
        rules = ", ".join(f"[{rule}](../rules/{rule}.md)" for rule in catalogue.rules_fixed_by(fix))
        rows.append(
            (f"[{fix}]({fix}.md)", _first_sentence(what), rules or "-", f"[{restore}]({restore}.md)" if restore else "-")
        )
    lines = [generated("remediation/"), f"# Automation documents ({len(documents)})", ""]
    lines += ["Fixes of findings, started by hand unless the pack says otherwise, each with a role of its own.", ""]
    lines += table(["fix", "what it does", "fixes findings of", "way back"], rows)
    return page([*lines, "", *COURSE.splitlines()])


def _first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence."""
    return re.split(r"(?<=[a-z)0-9])\.(?=\s|$)", " ".join(text.split()), maxsplit=1)[0] + "."
