"""Pages: complete, linked, honest about snapshots, and true to the words beside each parameter."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pci_config import build
from pci_config.catalogue import Catalogue, Fix, Remediation, project_root
from pci_config.pack_limits import pack_counts
from pci_config.pages import site
from pci_config.pages.coverage import bearing, covered_by, not_covered
from pci_config.pages.facts import rule_facts, rules_for, trigger
from pci_config.pages.index import index_page
from pci_config.pages.markdown import cell, code, page, table
from pci_config.pages.meanings import meanings
from pci_config.pages.packs import packs_page
from pci_config.pages.rule import rule_page, snapshot_text
from pci_config.rdk_json import RdkJson
from pci_config.rule import Finding, Item, ItemIndex, Lookup, PciRule, Scope, choice, compliant, flag, integer, words

ROOT = project_root()
CATALOGUE = Catalogue.load(ROOT)
RDK_JSON = RdkJson.load(ROOT / "rdk.json")


@dataclass(frozen=True, slots=True)
class ManyParameters:
    below: int = integer(1, 0, 9)
    """Days that
    pass."""
    beside: int = integer(1, 0, 9)  # Hours of rest
    # Minutes of
    # silence
    above: bool = flag(False)
    in_table: str = choice("a", ("a", "b"))
    in_sentence: tuple[str, ...] = words()
    by_its_name: str = choice("a", ("a",))  # noqa: RUF100


class Live(Lookup[str]):
    """Asked of AWS.

    More."""

    actions = ("a:B",)


class Recorded(Lookup[str]):
    """Also recorded."""

    actions = ("a:A",)
    resource_types = ("AWS::EC2::VPC",)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> str:
        return ""


class PciMade(PciRule):
    """What is demanded.

    Nothing passes beyond `InSentence`; the rest stays. More text.

    | case | verdict |
    |---|---|
    | listed in `InTable` | compliant |
    """

    parameters = ManyParameters

    def decide(self, item: Item, parameters: Any, facts: Any) -> Finding:
        return compliant("x")


def test_meanings_come_from_the_nearest_words() -> None:
    assert meanings(PciMade) == {
        "Below": "Days that pass.",
        "Beside": "Hours of rest",
        "Above": "Minutes of silence",
        "InTable": "listed in `InTable`: compliant",
        "InSentence": "Nothing passes beyond `InSentence`;",
        "ByItsName": "by its name",
    }


def test_a_rule_without_parameters_has_no_meanings() -> None:
    class PciBare(PciRule):
        pass

    assert meanings(PciBare) == {}


@pytest.mark.parametrize("rule_id", CATALOGUE.rules)
def test_every_parameter_has_a_meaning(rule_id: str) -> None:
    found = meanings(CATALOGUE.rules[rule_id].rule_class)
    assert set(found) == set(CATALOGUE.rules[rule_id].parameters)
    assert all(found.values())


def facts_of(**changes: Any) -> Any:
    import dataclasses

    entry = CATALOGUE.rules["PCI_LISTENER_TLS_ONLY"]
    return dataclasses.replace(rule_facts(entry, {}), **changes)


def lookup_facts(*lookups: type[Lookup[Any]]) -> Any:
    from pci_config.pages.facts import _lookup

    return tuple(_lookup(lookup) for lookup in lookups)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lookups": ()}, "Judged in full: the item says everything."),
        (
            {"lookups": lookup_facts(Recorded)},
            "Judged as far as the item itself decides. `Recorded` is answered by other items, when the snapshot holds `AWS::EC2::VPC`.",
        ),
        (
            {"lookups": lookup_facts(Live)},
            "Judged as far as the item itself decides. `Live` is in no snapshot: items that need it are not assessed.",
        ),
        (
            {"lookups": lookup_facts(Live, Live), "judges_accounts": True},
            (
                "Judged as far as the item itself decides. `Live`, `Live` are in no snapshot: items that need them are not assessed. "
                "The account as a whole is not assessed, unless the answers above are enough."
            ),
        ),
        (
            {"lookups": lookup_facts(Live), "resource_types": ()},
            "Not assessed: the rule reads the account itself. Use `pci-config assess --account`.",
        ),
        ({"lookups": lookup_facts(Recorded), "resource_types": ()}, "Judged, when the snapshot holds `AWS::EC2::VPC`."),
        (
            {"lookups": lookup_facts(Recorded, Live), "resource_types": ()},
            "Not assessed: the rule reads the account itself. Use `pci-config assess --account`.",
        ),
    ],
)
def test_what_a_snapshot_can_show(changes: dict[str, Any], text: str) -> None:
    assert snapshot_text(facts_of(**changes)) == text


def test_lookups_are_described_by_their_first_paragraph() -> None:
    (live,) = lookup_facts(Live)
    assert (live.about, live.actions, live.in_snapshot) == ("Asked of AWS.", ("a:B",), False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"periodic": None, "resource_types": ("A", "B")}, "a change of A, B"),
        (
            {"periodic": "One_Hour", "resource_types": (), "judges_accounts": True, "sweeps": False},
            "every hour (the account as a whole)",
        ),
        ({"resource_types": ("A",)}, "a change of A; every 24 hours (every recorded item again)"),
        (
            {"resource_types": (), "judges_accounts": True},
            "every 24 hours (the account as a whole and every recorded item again)",
        ),
        ({"resource_types": (), "sweeps": False}, "every 24 hours"),
    ],
)
def test_triggers_in_words(changes: dict[str, Any], text: str) -> None:
    assert trigger(facts_of(**changes)) == text


def test_a_rule_without_parameters_lookups_and_fix_says_so() -> None:
    text = rule_page(facts_of(parameters=(), lookups=(), remediation=None, further_remediations=()), CATALOGUE.book, {})
    assert "## Parameters\n\nNone.\n" in text
    assert "No IAM action but `config:PutEvaluations`." in text
    assert "## Fix\n\nNone: what is right here is a decision of people." in text


def test_every_fix_is_shown_and_only_one_is_the_packs() -> None:
    given = {"Name": {"ResourceValue": {"Value": "RESOURCE_ID"}}}
    facts = facts_of(remediation=Remediation("FixA", given, 3, 86400), further_remediations=(Fix("FixB", given),))
    text = rule_page(facts, CATALOGUE.book, {"FixA": "../../a.yaml", "FixB": "../../b.yaml"})
    assert "| fix | FixA, FixB |" in text
    by_hand = "[FixA](../../a.yaml), started by hand unless rdk.json says otherwise. "
    assert f"{by_hand}To make it automatic takes a written opt-in.\n\n| parameter | value |" in text
    assert "|\n\nAutomation document [FixB](../../b.yaml), started by hand: AWS Config knows one fix for each rule" in text
    for allowed, told in (
        (True, "It may be automatic."),
        ({"A": "true", "B": "x"}, "It may be automatic with A true, B x only."),
    ):
        automatic = dataclasses.replace(facts, automatic_allowed=allowed)
        assert f"{by_hand}{told}\n" in rule_page(automatic, CATALOGUE.book, {"FixA": "../../a.yaml"})
        assert automatic.document()["automatic_allowed"] == allowed
    assert text.endswith("- document: [a.yaml](../../a.yaml)\n- document: [b.yaml](../../b.yaml)\n")
    assert "| FixA, FixB |" in index_page(CATALOGUE, [facts], {}, str)
    document = facts.document()
    assert document["remediation"] == {"document": "FixA", "parameters": given}
    assert document["further_remediations"] == [{"document": "FixB", "parameters": given}]
    only = rule_page(facts_of(remediation=None, further_remediations=(Fix("FixB", given),)), CATALOGUE.book, {})
    assert "| fix | FixB |" in only
    assert "Automation document `FixB`, started by hand: AWS Config" in only


def test_rules_for_a_number_and_below() -> None:
    custom, managed = rules_for(CATALOGUE, "4.2")
    assert "PCI_LISTENER_TLS_ONLY" in {entry.id for entry in custom}
    assert [rule.id for rule in managed] == ["S3_BUCKET_SSL_REQUESTS_ONLY"]
    assert rules_for(CATALOGUE, "4.2.10") == ([], [])
    assert "PCI_LISTENER_TLS_ONLY" in {entry.id for entry in rules_for(CATALOGUE, "4.1", "3.2.1")[0]}


# --------------------------------------------------------------------------------------------------------------- site


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    return site.pages(CATALOGUE, RDK_JSON, {name: (ROOT / name).read_text("utf-8") for name in ("conformance_pack.yaml",)})


def test_there_is_a_page_for_every_rule(pages: dict[Path, str]) -> None:
    assert {path.stem for path in pages if path.parent == site.FOLDER} == {*CATALOGUE.rules, "README"}
    for path, text in pages.items():
        assert text.startswith("<!-- Generated by `pci-config build` from "), path
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_tables_have_as_many_cells_in_every_row(pages: dict[Path, str]) -> None:
    for path, text in pages.items():
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            head, _, *rows = block.splitlines()
            for row in rows:
                assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"(?<!\\)\|", head)), f"{path}: {row}"


def test_links_lead_to_files_and_anchors(pages: dict[Path, str]) -> None:
    for path, text in pages.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("https://"):
                continue
            name, _, anchor = target.partition("#")
            where = Path(*(ROOT / path.parent / name).resolve().relative_to(ROOT.resolve()).parts) if name else path
            assert where in pages or (ROOT / where).exists(), f"{path}: {target}"
            if anchor:
                assert f'<a id="{anchor}"></a>' in pages[where], f"{path}: {target}"


def test_coverage_has_every_requirement_once_with_reason_and_limits(pages: dict[Path, str]) -> None:
    text = pages[Path("docs/requirements.md")]
    for requirement in CATALOGUE.requirements.values():
        (section,) = re.findall(rf'<a id="{re.escape(requirement.id)}"></a>\n(.*?)(?=\n<a id|\n## |\Z)', text, re.DOTALL)
        assert f"### {requirement.id} {requirement.title}" in section
        assert requirement.evidence_limits in section
        assert (requirement.no_rule or requirement.why_custom or "?").rstrip(".") in section
        for entry in covered_by(CATALOGUE, requirement.id)[0]:
            assert f"[{entry.id}](rules/{entry.id}.md)" in section
        for rule in covered_by(CATALOGUE, requirement.id)[1]:
            assert rule.id in section
        if requirement.in_force:
            assert f"in force since {requirement.in_force}" in section
        if requirement.ask_the_assessor:
            assert requirement.ask_the_assessor in section
    for misnomer in CATALOGUE.book.misnomers:
        assert misnomer.about in text


def test_coverage_totals_add_up(pages: dict[Path, str]) -> None:
    numbers = re.search(
        r"Of (\d+) requirements, (\d+) have rules of our own, (\d+) only .* and (\d+) no rule",
        pages[Path("docs/requirements.md")],
    )
    assert numbers
    total, own, managed, none = map(int, numbers.groups())
    assert total == len(CATALOGUE.requirements) == own + managed + none
    assert own >= 25


def test_rules_that_bear_on_a_requirement_are_told_apart() -> None:
    book = CATALOGUE.requirements
    assert {entry.id for entry in bearing(CATALOGUE, book["1.2.5"])} == {
        "PCI_SECURITY_GROUP_INGRESS_LIMITED",
        "PCI_SECURITY_GROUP_EGRESS_LIMITED",
    } - {entry.id for entry in covered_by(CATALOGUE, "1.2.5")[0]}
    assert "PCI_SECURITY_GROUP_EGRESS_LIMITED" not in {entry.id for entry in bearing(CATALOGUE, book["1.4.4"])}
    assert not_covered(CATALOGUE, book["1.2.7"]).startswith("A human review")
    assert not_covered(CATALOGUE, book["4.2.1"]) == ""


def test_pages_of_rules_that_are_no_more_are_drift(tmp_path: Path) -> None:
    artefacts = build.Artefacts({Path("docs/rules/PCI_A.md"): "a\n"}, {}, {})
    (tmp_path / "docs" / "rules").mkdir(parents=True)
    (tmp_path / "docs" / "rules" / "PCI_A.md").write_text("a\n", "utf-8")
    assert build.drift(tmp_path, artefacts) == []
    (tmp_path / "docs" / "rules" / "PCI_GONE.md").write_text("b\n", "utf-8")
    assert build.drift(tmp_path, artefacts) == [Path("docs/rules/PCI_GONE.md")]
    (tmp_path / "docs" / "rules" / "PCI_A.md").write_text("old\n", "utf-8")
    assert build.drift(tmp_path, artefacts) == [Path("docs/rules/PCI_A.md"), Path("docs/rules/PCI_GONE.md")]
    changed, _ = build.write(tmp_path, artefacts, CATALOGUE, RDK_JSON)
    assert len(changed) == 2
    assert [path.name for path in (tmp_path / "docs" / "rules").iterdir()] == ["PCI_A.md"]
    assert (tmp_path / "docs" / "rules" / "PCI_A.md").read_text("utf-8") == "a\n"


def test_packs_say_how_they_travel() -> None:
    short = (ROOT / "conformance_pack_global.yaml").read_text("utf-8")
    text = packs_page({"short.yaml": short, "long.yaml": short + "#" + "x" * 60_000})
    assert "`short.yaml`" in text
    assert "it fits into the request (`TemplateBody`)" in text
    assert "it goes by way of a bucket (`TemplateS3Uri`)" in text
    used = pack_counts(short)["parameters"]
    assert f"| parameters | 60 | {used} | {used} | {60 - used} |" in text
    assert f"{2 * pack_counts(short)['rules']} of 150" in text


def test_the_index_links_as_asked() -> None:
    facts = [rule_facts(entry, {}) for entry in CATALOGUE.rules.values()]
    text = index_page(CATALOGUE, facts, {"ACCESS_KEYS_ROTATED": {"maxAccessKeyAge": "30"}}, lambda name: f"<{name}>", "head")
    assert text.startswith("head\n# Rules\n")
    assert "| <PCI_LISTENER_TLS_ONLY> |" in text
    assert "`maxAccessKeyAge=30`" in text


@pytest.mark.parametrize(("text", "expected"), [("a | b\n c", "a \\| b c"), ("", "")])
def test_cells_hold_any_text(text: str, expected: str) -> None:
    assert cell(text) == expected


def test_small_pieces() -> None:
    assert table(["a", "b"], [("1", "2")]) == ["| a | b |", "|---|---|", "| 1 | 2 |"]
    assert table(["a"], []) == ["| a |", "|---|"]
    assert code(["x", "y"]) == "`x`, `y`"
    assert code([]) == "-"
    assert page(["a", "", ""]) == "a\n"
