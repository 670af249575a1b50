"""The README's commands work as printed, and what it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pci_config.catalogue import Catalogue
from pci_config.cli import app


def commands(root: Path) -> list[list[str]]:
    lines = re.findall(r"^    \.venv/bin/pci-config (.+?)(?:\s+#.*)?$", (root / "README.md").read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_every_command_exists_with_its_options(root: Path) -> None:
    found = commands(root)
    assert len(found) >= 4
    for arguments in found:
        run = CliRunner().invoke(app, [arguments[0], "--help"])
        assert run.exit_code == 0
        for option in (a for a in arguments if a.startswith("--")):
            assert option in run.output


def test_the_snapshot_example_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (example,) = (arguments for arguments in commands(root) if "--snapshot" in arguments)
    run = CliRunner().invoke(app, example)
    assert run.exit_code == 0, run.output
    assert "PCI_SECURITY_GROUP_EGRESS_LIMITED" in run.output


def test_every_rule_is_in_the_index_with_its_document(root: Path) -> None:
    assert "(docs/rules/README.md)" in (root / "README.md").read_text("utf-8")
    text = (root / "docs" / "rules" / "README.md").read_text("utf-8")
    for entry in Catalogue.load().rules.values():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| [{entry.id}]"))
        assert (entry.remediation.document if entry.remediation else "|") in line


def test_the_readme_counts_right(root: Path) -> None:
    catalogue = Catalogue.load()
    text = (root / "README.md").read_text("utf-8")
    assert f"{len(catalogue.rules)} rules of our own" in text
    assert f"{len(catalogue.managed_rules)} AWS managed rules" in text


def test_links_lead_somewhere(root: Path) -> None:
    for path in [root / "README.md", *root.glob("docs/**/*.md")]:
        text = re.sub(r"`[^`]*`", "", path.read_text("utf-8"))  # a pattern may look like a link
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
