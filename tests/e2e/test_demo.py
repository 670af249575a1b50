"""The whole loop, as `make demo` runs it: every planted mistake is found, nothing else is, and what can be fixed is fixed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from pci_config.catalogue import Catalogue, project_root
from pci_config.sandbox import demo as demo_module
from pci_config.sandbox.demo import Demo, run_demo
from pci_config.sandbox.organization import Planted


class Outcome:
    def __init__(self, folder: Path, code: int, text: str, planted: list[Planted], accounts: dict[str, str]) -> None:
        self.code, self.text = code, text
        self.before = json.loads((folder / "results-before.json").read_text("utf-8"))
        self.after = json.loads((folder / "results-after.json").read_text("utf-8"))
        self.report = (folder / "report.html").read_text("utf-8")
        self.planted = {(p.rule, accounts[p.role], p.region, p.resource_id): p for p in planted}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("demo")
    kept: list[Demo] = []

    class Kept(Demo):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            kept.append(self)

    console = Console(record=True, width=120, file=(folder / "console.txt").open("w", encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_module, "Demo", Kept)
        code = run_demo(project_root(), folder, console=console)
    console.file.close()
    issuer = kept[0].issuer
    assert issuer is not None
    return Outcome(folder, code, console.export_text(), issuer.planted, issuer.accounts)


def found(document: dict[str, Any], compliance: str = "NON_COMPLIANT") -> set[tuple[str, str, str, str]]:
    return {
        (
            r["rule"],
            r["account_id"],
            r["region"],
            r["resource_name"] if r["rule"] == "PCI_TRAIL_DELIVERED" else r["resource_id"],
        )
        for r in document["results"]
        if r["compliance"] == compliance
    }


def test_exactly_the_planted_mistakes_are_found(outcome: Outcome) -> None:
    assert found(outcome.before) == {key for key, planted in outcome.planted.items() if not planted.excepted}
    assert found(outcome.before, "ERROR") == set()


def test_every_rule_finds_something_right_and_something_wrong(outcome: Outcome) -> None:
    rules = set(Catalogue.load().rules)
    assert {key[0] for key in found(outcome.before, "COMPLIANT")} == rules
    assert {key[0] for key in outcome.planted} == rules


def test_what_is_fixable_is_fixed_and_nothing_new_is_broken(outcome: Outcome) -> None:
    assert outcome.code == 0
    assert found(outcome.after) == {key for key, planted in outcome.planted.items() if not planted.fixable}, "none is excepted"
    statuses = {(line["rule"], line["resource_name"] if line["rule"] == "PCI_TRAIL_DELIVERED" else line["resource_id"]): line["status"]
                for line in outcome.after["remediation"]}  # fmt: skip
    assert statuses == {
        (key[0], key[3]): "fixed" if planted.fixable else "needs a human"
        for key, planted in outcome.planted.items()
        if not planted.excepted
    }


def test_what_the_register_accepts_is_shown_with_its_text_and_left_alone(outcome: Outcome) -> None:
    excepted = {key for key, planted in outcome.planted.items() if planted.excepted}
    assert len(excepted) == 1
    for document in (outcome.before, outcome.after):
        assert found(document, "EXCEPTED") == excepted
        (result,) = [r for r in document["results"] if r["compliance"] == "EXCEPTED"]
        assert re.match(
            r"accepted until \d{4}-\d\d-\d\d \(SEC-1234\): Test terminals of series 4 .* port 80: ", result["annotation"]
        )
    for text in ("Excepted (1)", "SEC-1234"):
        assert text in outcome.text
    for text in (
        "Test terminals of series 4",
        "signed parameter files without account data",
        "Chief information security officer",
    ):
        assert text in outcome.report.split('<section id="exceptions"')[1].partition("</section>")[0]


def test_an_exception_that_ended_accepts_nothing(outcome: Outcome) -> None:
    states = [
        {entry["ticket"]: (entry["state"], entry["used"], entry["open"], entry["assessed"]) for entry in document["exceptions"]}
        for document in (outcome.before, outcome.after)
    ]
    assert states[0] == {"SEC-1234": ("in-force", 1, 0, True), "SEC-0987": ("expired", 0, 1, True)}
    assert states[1] == {"SEC-1234": ("in-force", 1, 0, True), "SEC-0987": ("expired", 0, 0, True)}, "fixed like any other"
    assert ("PCI_LOAD_BALANCER_LOG_DELIVERED", "legacy-pos") in {(key[0], key[3]) for key in found(outcome.before)}


def test_results_keep_to_the_public_contract(outcome: Outcome, root: Path) -> None:
    schema = json.loads((root / "docs" / "schemas" / "result.schema.json").read_text("utf-8"))
    for document in (outcome.before, outcome.after):
        jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
        assert document["results"] == sorted(
            document["results"], key=lambda r: (r["rule"], r["account_id"], r["region"], r["resource_type"], r["resource_id"])
        )


def test_the_report_and_the_terminal_tell_it(outcome: Outcome) -> None:
    assert outcome.report.startswith("<!DOCTYPE html>") or outcome.report.startswith("<!doctype html>")
    open_ones = [planted for planted in outcome.planted.values() if not planted.excepted]
    fixable = sum(planted.fixable for planted in open_ones)
    told = (
        "Findings before → after",
        f"Fixed ({fixable})",
        f"Needs a human ({len(open_ones) - fixable})",
        "managed rules",
    )
    for text in told:
        assert text in outcome.text
