"""All generated pages, by path below the project's root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pci_config.catalogue import Catalogue, RuleEntry
from pci_config.pages.coverage import coverage_page
from pci_config.pages.facts import rule_facts
from pci_config.pages.index import index_page
from pci_config.pages.markdown import generated
from pci_config.pages.packs import packs_page
from pci_config.pages.rule import rule_page
from pci_config.rdk_json import RdkJson

FOLDER = Path("docs/rules")


def pages(catalogue: Catalogue, rdk_json: RdkJson, packs: Mapping[str, str]) -> dict[Path, str]:
    """Path to text; `packs` are the templates by file name."""
    facts = {entry.id: rule_facts(entry, rdk_json.rule_parameters.get(entry.id, {})) for entry in catalogue.rules.values()}
    found = {
        FOLDER / f"{rule_id}.md": rule_page(
            rule, catalogue.book, _links(catalogue.rules[rule_id]), generated(f"rules/{rule_id} and rdk.json")
        )
        for rule_id, rule in facts.items()
    }
    head = generated("rules/, managed_rules.yaml and rdk.json")
    found[FOLDER / "README.md"] = index_page(
        catalogue, facts.values(), rdk_json.managed_rules, lambda rule_id: f"[{rule_id}]({rule_id}.md)", head
    )
    found[Path("docs/requirements.md")] = coverage_page(catalogue)
    found[Path("docs/packs.md")] = packs_page(packs)
    return found


def stale(root: Path, current: Mapping[Path, str]) -> list[Path]:
    """Pages of rules that are no more."""
    return [path for path in sorted(_relative(root)) if path not in current]


def _relative(root: Path) -> list[Path]:
    return [path.relative_to(root) for path in (root / FOLDER).glob("*.md")]


def _links(entry: RuleEntry) -> dict[str, str]:
    folder = f"../../rules/{entry.id}"
    links = {
        "requirements": "../requirements.md",
        "decision": f"{folder}/{entry.id}.py",
        "tests": f"{folder}/{entry.id}_test.py",
        "metadata": f"{folder}/parameters.json",
    }
    return links | {fix.document: f"../../remediation/{fix.document}/document.yaml" for fix in entry.fixes}
