"""Generates everything a user deploys from the rules' folders, rdk.json and exceptions.yaml; tells what is out of date."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pci_config import rdk_json as settings_file
from pci_config.admin_templates import artifacts, delegated_admin
from pci_config.bundle import build_bundle
from pci_config.catalogue import Catalogue, documents_folder
from pci_config.document_policies import document_policies
from pci_config.document_stacks import ASSIGNMENT, PATTERN, assigned, assignment_text, document_templates, read_assignment
from pci_config.documents import build_document, build_restore, document_names, restore_names
from pci_config.exceptions import ExceptionRegister
from pci_config.org_templates import member_global, member_regional
from pci_config.pack import build_pack
from pci_config.pages import site
from pci_config.pages.compared import compared_pages
from pci_config.pages.document import FOLDER as DOCUMENT_PAGES
from pci_config.pages.document import document_pages
from pci_config.pages.stacks import stacks_page
from pci_config.rdk_json import RdkJson
from pci_config.recording_needs import needs
from pci_config.requirements import parsed_yaml
from pci_config.service_control import control_files

OWN_ACCOUNT = Path("build/own_account")  # packs for one account, without an organization
BUNDLE = Path("build/lambda/pci-config-rules.zip")
NO_EXCEPTIONS = ExceptionRegister()


@dataclass(frozen=True)
class Artefacts:
    """Generated texts by path below the project's root. `checked_in` ones are under version control."""

    checked_in: Mapping[Path, str]
    built: Mapping[Path, str]
    documents: Mapping[str, Mapping[str, Any]]


def generate(root: Path, catalogue: Catalogue, rdk_json: RdkJson, exceptions: ExceptionRegister = NO_EXCEPTIONS) -> Artefacts:
    """Every generated text, without writing any. Raises CatalogueError."""
    folder = documents_folder(root)
    texts = {
        name: build_document(folder / name, rdk_json.document, exceptions.of_rules(catalogue.rules_fixed_by(name)))
        for name in document_names(folder)
    }
    texts |= {restore: build_restore(folder / fix, rdk_json.document) for fix, restore in restore_names(folder).items()}
    documents = {name: parsed_yaml(text) for name, text in texts.items()}
    assignment = assigned(read_assignment(root), document_names(folder))
    packs = {
        "conformance_pack.yaml": build_pack(catalogue, rdk_json, "regional", documents, exceptions),
        "conformance_pack_global.yaml": build_pack(catalogue, rdk_json, "global", documents, exceptions),
    }
    templates = {
        Path("org_setup/artifacts/template.yaml"): artifacts(),
        Path("org_setup/delegated_admin/template.yaml"): delegated_admin(rdk_json),
        Path("org_setup/member_global/template.yaml"): member_global(catalogue, rdk_json, document_policies(folder)),
        Path("org_setup/member_regional/template.yaml"): member_regional(rdk_json, needs(catalogue)),
        **document_templates(assignment, restore_names(folder), documents),
    }
    checked_in = {
        **{Path(name): text for name, text in packs.items()},
        **templates,
        ASSIGNMENT: assignment_text(assignment),
        Path("org_setup/README.md"): stacks_page(templates),
        **control_files(rdk_json),
        Path("docs/schemas/rdk.schema.json"): json.dumps(settings_file.json_schema(), indent=2) + "\n",
        **site.pages(catalogue, rdk_json, packs),
        **document_pages(catalogue, folder, documents, rdk_json.evidence_bucket),
        **compared_pages(root),
    }
    built = {Path(f"build/documents/{name}.yaml"): text for name, text in texts.items()}
    for name, scope in (("conformance_pack.yaml", "regional"), ("conformance_pack_global.yaml", "global")):
        built[OWN_ACCOUNT / name] = build_pack(catalogue, rdk_json, scope, documents, exceptions, own_account=True)
    return Artefacts(checked_in, built, documents)


def drift(root: Path, artefacts: Artefacts) -> list[Path]:
    """Checked-in files that differ from what would be generated, and pages and templates of what is no more."""
    differing = [
        path
        for path, text in artefacts.checked_in.items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    ]
    there = [path.relative_to(root) for pattern in (PATTERN, f"{DOCUMENT_PAGES}/*.md") for path in sorted(root.glob(pattern))]
    return differing + site.stale(root, artefacts.checked_in) + [path for path in there if path not in artefacts.checked_in]


def write(
    root: Path,
    artefacts: Artefacts,
    catalogue: Catalogue,
    rdk_json: RdkJson,
    exceptions: ExceptionRegister = NO_EXCEPTIONS,
) -> tuple[list[Path], str]:
    """Write what changed, and the bundle. Returns the changed checked-in files and the bundle's SHA-256."""
    changed = drift(root, artefacts)
    for path in changed:
        if path not in artefacts.checked_in:
            (root / path).unlink()
    texts = {path: artefacts.checked_in[path] for path in changed if path in artefacts.checked_in}
    for path, text in {**texts, **artefacts.built}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return changed, build_bundle(root / BUNDLE, catalogue, rdk_json, exceptions)
