"""Templates of the documents: far from CloudFormation's limit, and no document moves when another comes or goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from generated import artefacts
from hypothesis import given
from hypothesis import strategies as st

from pci_config import build
from pci_config.catalogue import CatalogueError, documents_folder, project_root
from pci_config.document_stacks import (
    ASSIGNMENT,
    FIXES_OF_A_TEMPLATE,
    KEPT_FREE,
    MAX_TEMPLATE_BYTES,
    assigned,
    assignment_text,
    document_templates,
    read_assignment,
)
from pci_config.documents import MAX_DOCUMENT_BYTES, document_names, restore_names
from pci_config.pack_limits import MAX_TEMPLATE_BYTES as MAX_REQUEST_BYTES

ROOT = project_root()
ARTEFACTS = artefacts()
FOLDER = documents_folder(ROOT)
TEMPLATES = {path: text for path, text in ARTEFACTS.checked_in.items() if path.match("org_setup/*/template.yaml")}
OF_DOCUMENTS = {path: yaml.safe_load(text) for path, text in TEMPLATES.items() if "member_documents_" in str(path)}
USABLE = int(MAX_TEMPLATE_BYTES * (1 - KEPT_FREE))
NAMES = st.integers(1, 40).map(lambda number: f"PciConfig-Fix{number:02}")


def test_every_template_is_far_from_the_limit() -> None:
    sizes = {str(path): len(text.encode()) for path, text in TEMPLATES.items()}
    assert all(size <= USABLE for size in sizes.values()), f"of {MAX_TEMPLATE_BYTES}: {sizes}"
    assert sizes["org_setup/member_regional/template.yaml"] <= MAX_REQUEST_BYTES, "goes in the request"


def test_a_template_takes_its_fixes_whatever_size_they_grow_to() -> None:
    for path, template in OF_DOCUMENTS.items():
        documents = sum(
            len(ARTEFACTS.built[Path(f"build/documents/{resource['Properties']['Name']}.yaml")].encode())
            for resource in template["Resources"].values()
        )
        growth = len(TEMPLATES[path].encode()) / documents  # indentation, and the resource around the document
        assert growth * MAX_DOCUMENT_BYTES * 2 * FIXES_OF_A_TEMPLATE <= USABLE, f"{path}: {growth:.3f}"


def test_every_document_is_made_by_one_stack_and_a_restore_stands_beside_its_fix() -> None:
    where = [
        (resource["Properties"]["Name"], path)
        for path, template in OF_DOCUMENTS.items()
        for resource in template["Resources"].values()
    ]
    assert sorted(name for name, _ in where) == sorted(ARTEFACTS.documents)
    for fix, restore in restore_names(FOLDER).items():
        assert dict(where)[fix] == dict(where)[restore]
    for template in OF_DOCUMENTS.values():
        for resource in template["Resources"].values():
            assert resource["Properties"]["Content"] == ARTEFACTS.documents[resource["Properties"]["Name"]]


def test_the_assignment_that_is_kept_holds_every_fix() -> None:
    kept = read_assignment(ROOT)
    assert assigned(kept, document_names(FOLDER)) == kept, "run `pci-config build`"


@given(st.lists(st.sets(NAMES, max_size=25), min_size=2, max_size=6))
def test_nothing_moves_and_nothing_overflows(versions: list[set[str]]) -> None:
    """Any history of releases, each with its set of fixes."""
    before: dict[int, list[str]] = {}
    for fixes in versions:
        now = assigned(before, fixes)
        place = {fix: number for number, had in now.items() for fix in had}
        assert set(place) == fixes
        assert sum(len(had) for had in now.values()) == len(fixes), "each once"
        assert all(len(had) <= FIXES_OF_A_TEMPLATE for had in now.values())
        for number, had in before.items():
            assert all(place.get(fix, number) == number for fix in had), "nothing moves"
        assert assigned(now, fixes) == now
        assert yaml.safe_load(assignment_text(now)) == now
        before = now


def test_new_fixes_fill_a_template_before_they_open_the_next() -> None:
    full = {1: [f"PciConfig-{letter}" for letter in "abcde"]}
    names = [*full[1], "PciConfig-f"]
    assert assigned(full, names) == {**full, 2: ["PciConfig-f"]}
    assert assigned({1: full[1], 3: ["PciConfig-g"]}, [*names, "PciConfig-g"])[3] == ["PciConfig-g", "PciConfig-f"]
    assert assigned({2: full[1]}, names) == {2: full[1], 3: ["PciConfig-f"]}


def document(name: str) -> dict[str, Any]:
    return {"description": name}


def test_a_template_without_fixes_is_not_made_and_a_deleted_restore_is_not_there() -> None:
    made = document_templates(
        {1: ["PciConfig-A"], 2: []}, {"PciConfig-A": "PciConfig-B"}, {n: document(n) for n in ("PciConfig-A", "PciConfig-B")}
    )
    (text,) = made.values()
    assert list(yaml.safe_load(text)["Resources"]) == ["PciConfigA", "PciConfigB"]
    assert list(made) == [Path("org_setup/member_documents_1/template.yaml")]
    (text,) = document_templates({1: ["PciConfig-A"]}, {}, {"PciConfig-A": document("a")}).values()
    assert list(yaml.safe_load(text)["Resources"]) == ["PciConfigA"]


@pytest.mark.parametrize(("size", "refused"), [(USABLE - 1000, False), (USABLE, True)])
def test_a_template_that_outgrows_what_we_use_stops_the_build(size: int, refused: bool) -> None:
    documents = {"PciConfig-A": {"description": "x" * size}}
    if refused:
        with pytest.raises(CatalogueError, match=r"member_documents_7/template.yaml: .* bytes; 900000 is what we use"):
            document_templates({7: ["PciConfig-A"]}, {}, documents)
    else:
        assert document_templates({7: ["PciConfig-A"]}, {}, documents)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected numbers of templates"),
        ("a: [b]\n", "expected numbers of templates"),
        ("0: [b]\n", "expected numbers of templates"),
        ("1: b\n", "expected numbers of templates"),
        ("1: [2]\n", "expected numbers of templates"),
        ("1: [b]\n2: [b]\n", "b: stands twice"),
        ("1: [a, b, c, d, e, f]\n", "1: more than 5 fixes"),
    ],
)
def test_a_broken_assignment_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / ASSIGNMENT
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    with pytest.raises(CatalogueError, match=message):
        read_assignment(tmp_path)


def test_without_a_file_nothing_is_assigned_yet(tmp_path: Path) -> None:
    assert read_assignment(tmp_path) == {}


def test_a_template_that_is_no_more_is_drift(tmp_path: Path) -> None:
    left = tmp_path / "org_setup" / "member_documents_99" / "template.yaml"
    left.parent.mkdir(parents=True)
    left.write_text("", "utf-8")
    assert left.relative_to(tmp_path) in build.drift(tmp_path, ARTEFACTS)
