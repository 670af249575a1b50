"""Which template puts which document into every account, and those templates: `org_setup/member_documents_N`.

All documents together would outgrow a template. A fix and its restore go together, `FIXES_OF_A_TEMPLATE` to a template: so many
fit even when each document is as large as Systems Manager takes. The assignment is kept in `org_setup/member_documents.yaml`
and only added to: a document that moved would be made by one stack before the other has deleted it, and names are unique.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pci_config.catalogue import CatalogueError
from pci_config.documents import yaml_text
from pci_config.org_templates import HEADER, MANAGED_TAGS, logical_id
from pci_config.requirements import read_yaml

ASSIGNMENT = Path("org_setup/member_documents.yaml")
PATTERN = "org_setup/member_documents_*/template.yaml"
FIXES_OF_A_TEMPLATE = 5
MAX_TEMPLATE_BYTES = 1_000_000  # CreateStackSet TemplateURL: 1 MB
KEPT_FREE = 0.1  # of that; exceptions make documents grow from one build to the next
COMMENT = """\
# Which org_setup/member_documents_N holds which fix (and its restore). `pci-config build` adds new ones; never move an entry:
# one stack would make the document while the other still has it.
"""


def read_assignment(root: Path) -> dict[int, list[str]]:
    """Template number to fixes, as kept; nothing when there is no file yet. Raises CatalogueError."""
    path = root / ASSIGNMENT
    if not path.is_file():
        return {}
    kept = read_yaml(path) or {}
    well_formed = isinstance(kept, dict) and all(
        isinstance(number, int) and number > 0 and isinstance(fixes, list) and all(isinstance(fix, str) for fix in fixes)
        for number, fixes in kept.items()
    )
    if not well_formed:
        raise CatalogueError(f"{path}: expected numbers of templates, each with a list of documents")
    names = [fix for fixes in kept.values() for fix in fixes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CatalogueError(f"{path}: {', '.join(twice)}: stands twice; a document is made by one stack")
    full = sorted(number for number, fixes in kept.items() if len(fixes) > FIXES_OF_A_TEMPLATE)
    if full:
        raise CatalogueError(f"{path}: {full[0]}: more than {FIXES_OF_A_TEMPLATE} fixes; move the newest to the next number")
    return dict(kept)


def assigned(kept: Mapping[int, Iterable[str]], fixes: Iterable[str]) -> dict[int, list[str]]:
    """The assignment with new fixes added where there is room, and without those that are no more. Nothing moves."""
    names = sorted(fixes)
    found = {number: [fix for fix in had if fix in names] for number, had in sorted(kept.items())}
    placed = {fix for had in found.values() for fix in had}
    for fix in names:
        if fix not in placed:
            number = next((n for n, had in found.items() if len(had) < FIXES_OF_A_TEMPLATE), max(found, default=0) + 1)
            found.setdefault(number, []).append(fix)
    return found


def assignment_text(assignment: Mapping[int, Iterable[str]]) -> str:
    return COMMENT + yaml_text({number: list(fixes) for number, fixes in assignment.items()})


def document_templates(
    assignment: Mapping[int, Iterable[str]], restores: Mapping[str, str], documents: Mapping[str, Mapping[str, Any]]
) -> dict[Path, str]:
    """Every template by path. A number without fixes has none: CloudFormation takes no template without resources.

    `restores` maps a fix to its restore, `documents` holds both by name. Raises CatalogueError when one is too large.
    """
    found = {}
    for number, fixes in assignment.items():
        names = sorted(name for fix in fixes for name in (fix, restores.get(fix)) if name)
        if names:
            path = Path(PATTERN.replace("*", str(number)))
            found[path] = _template({name: documents[name] for name in names})
            size, limit = len(found[path].encode()), int(MAX_TEMPLATE_BYTES * (1 - KEPT_FREE))
            if size > limit:
                raise CatalogueError(f"{path}: {size} bytes; {limit} is what we use of CloudFormation's {MAX_TEMPLATE_BYTES}")
    return found


def _template(documents: Mapping[str, Mapping[str, Any]]) -> str:
    return HEADER + yaml_text(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "pci-config: remediation documents. Every Region.",
            "Resources": {
                logical_id(name): {
                    "Type": "AWS::SSM::Document",
                    "Properties": {
                        "Name": name,
                        "DocumentType": "Automation",
                        "DocumentFormat": "YAML",
                        "UpdateMethod": "NewVersion",
                        "Content": document,
                        "Tags": [dict(tag) for tag in MANAGED_TAGS],
                    },
                }
                for name, document in documents.items()
            },
        }
    )
