"""`pci-config rules`: lists, pages and exports, in a checkout and installed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pci_config.catalogue import PACKAGE, Catalogue
from pci_config.cli import app

CATALOGUE = Catalogue.load()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments])


@pytest.mark.parametrize("command", ["list", "show", "export"])
def test_the_example_of_the_help_works_as_printed(command: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    text = " ".join(run(command, "--help").output.split())
    (example,) = re.findall(r"Example: pci-config (rules .+?) ╭", text)
    outcome = CliRunner().invoke(app, shlex.split(example))
    assert outcome.exit_code == 0, outcome.output
    assert "PCI_LISTENER_TLS_ONLY" in outcome.output


def test_list_has_every_rule_once() -> None:
    rows = json.loads(run("list", "--format", "json").output)
    assert [row["id"] for row in rows] == [*CATALOGUE.rules, *CATALOGUE.managed_rules]
    table = run("list").output
    for name in (*CATALOGUE.rules, *CATALOGUE.managed_rules):
        assert len(re.findall(rf"^{name}\b", table, re.MULTILINE)) == 1


def test_list_by_requirement_takes_numbers_below_it_too() -> None:
    def names(number: str) -> set[str]:
        return {row["id"] for row in json.loads(run("list", "--requirement", number, "--format", "json").output)}

    assert "PCI_TRAIL_DELIVERED" in names("10.2.1.5")
    assert "PCI_WAF_LOG_DELIVERED" not in names("10.2.1.5")
    assert {"PCI_TRAIL_DELIVERED", "PCI_WAF_LOG_DELIVERED"} <= names("10.2")
    assert "PCI_PASSWORD_POLICY" not in names("10")
    assert "PCI_PASSWORD_POLICY" in names("8.3")


def test_list_by_severity_has_custom_rules_only() -> None:
    rows = json.loads(run("list", "--severity", "critical", "--format", "json").output)
    assert "PCI_TRAIL_DELIVERED" in {row["id"] for row in rows}
    assert {row["severity"] for row in rows} == {"critical"}
    assert run("list", "--severity", "urgent").exit_code == 2


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("4.2.2", "4.2.2 is not in requirements.yaml; did you mean 4.2.1"),
        ("9.4.1.1", "is about: Offline copies of media in a physical store; instead: 10.3.2"),
        ("x", "requirement 'x': 4.0.1 x is not in requirements.yaml"),
    ],
)
def test_unknown_requirements_are_refused(number: str, message: str) -> None:
    outcome = run("list", "--requirement", number)
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_a_requirement_without_rules_says_why() -> None:
    outcome = run("list", "--requirement", "1.2.7")
    assert outcome.exit_code == 0
    assert "No rule of our own for 1.2.7: A human review." in outcome.output


@pytest.mark.parametrize("rule_id", CATALOGUE.rules)
def test_every_page_shows_what_the_folder_says(rule_id: str) -> None:
    entry = CATALOGUE.rules[rule_id]
    outcome = run("show", rule_id)
    assert outcome.exit_code == 0, outcome.output
    page = outcome.output
    lines = [line.strip() for line in (entry.rule_class.__doc__ or "").splitlines() if line.strip().startswith("| ")]
    assert set(lines) <= set(page.splitlines()), "the decision table stands there as it is"
    for number in entry.requirements["4.0.1"]:
        assert CATALOGUE.requirements[number].title in page
        assert CATALOGUE.requirements[number].evidence_limits.replace("|", "\\|") in page
    for name in entry.parameters:
        assert f"`{name}`" in page
    for lookup in entry.rule_class.lookups:
        assert all(f"`{action}`" in page for action in lookup.actions)
    assert (entry.remediation.document if entry.remediation else "| fix | none |") in page
    assert str(entry.folder) in page


def test_show_takes_managed_rules_under_both_names() -> None:
    page = run("show", "ACCESS_KEYS_ROTATED").output
    assert page == run("show", "PCI_MANAGED_ACCESS_KEYS_ROTATED").output == run("show", "access-keys-rotated").output
    assert "`maxAccessKeyAge=90`" in page
    assert "https://docs.aws.amazon.com/config/latest/developerguide/access-keys-rotated.html" in page
    assert json.loads(run("show", "ACCESS_KEYS_ROTATED", "--format", "json").output)["kind"] == "managed"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PCI_LISTENER_TLS_ONL", "did you mean PCI_LISTENER_TLS_ONLY"),
        ("listener", "did you mean PCI_LISTENER_TLS_ONLY?"),
        ("PASSWORD_POLCY", "did you mean PCI_PASSWORD_POLICY"),
        ("zzz", "no rule 'zzz'; see `pci-config rules list`"),
        ("", "no rule ''"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(name: str, message: str) -> None:
    outcome = run("show", name)
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_show_tells_what_rdk_json_sets(tmp_path: Path, root: Path) -> None:
    settings = json.loads((root / "rdk.json").read_text("utf-8"))
    settings["RuleParameters"] = {"PCI_LISTENER_TLS_ONLY": {"MinimumTlsVersion": "1.3"}}
    (tmp_path / "rdk.json").write_text(json.dumps(settings), "utf-8")
    page = run("show", "PCI_LISTENER_TLS_ONLY", "--settings", str(tmp_path / "rdk.json")).output
    assert re.search(r"\| `MinimumTlsVersion` \| .* \| one of 1\.2, 1\.3 \| `1\.2` \| `1\.3` \|", page)
    document = json.loads(
        run("show", "PCI_LISTENER_TLS_ONLY", "--format", "json", "--settings", str(tmp_path / "rdk.json")).output
    )
    assert document["parameters"][0]["value"] == "1.3"
    assert document["parameters"][0]["default"] == "1.2"


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for command in (["show", "PCI_LISTENER_TLS_ONLY"], ["export"]):
        outcome = run(*command, "--settings", str(tmp_path / "none.json"))
        assert outcome.exit_code == 2
        assert "none.json: cannot be read" in outcome.output


def test_without_settings_the_defaults_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("show", "PCI_LISTENER_TLS_ONLY").exit_code == 0


def test_export_is_whole() -> None:
    document = json.loads(run("export").output)
    assert document["schema_version"] == "1"
    assert [rule["id"] for rule in document["rules"]] == list(CATALOGUE.rules)
    assert [rule["id"] for rule in document["managed_rules"]] == list(CATALOGUE.managed_rules)
    assert [entry["id"] for entry in document["requirements"]] == list(CATALOGUE.requirements)
    (listener,) = (rule for rule in document["rules"] if rule["id"] == "PCI_LISTENER_TLS_ONLY")
    assert listener["requirements"] == {"4.0.1": ["4.2.1", "2.2.7"], "3.2.1": ["4.1"]}
    assert listener["actions"] == ["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules"]
    assert [lookup["in_snapshot"] for lookup in listener["lookups"]] == [False, True]
    assert listener["remediation"]["document"] == "PciConfig-RedirectListenerToHttps"
    assert listener["sweeps"] is True


def test_export_as_csv_and_markdown(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv").output)))
    assert [row["id"] for row in rows] == [*CATALOGUE.rules, *CATALOGUE.managed_rules]
    by_name = {row["id"]: row for row in rows}
    assert by_name["PCI_LISTENER_TLS_ONLY"]["pci_4_0_1"] == "4.2.1 2.2.7"
    assert "MinimumTlsVersion=1.2" in by_name["PCI_LISTENER_TLS_ONLY"]["parameters"]
    assert by_name["ACCESS_KEYS_ROTATED"]["parameters"] == "maxAccessKeyAge=90"
    target = tmp_path / "rules.md"
    assert run("export", "--format", "markdown", "--output", str(target)).exit_code == 0
    assert target.read_text("utf-8").startswith("# Rules\n")
    assert "| PCI_LISTENER_TLS_ONLY |" in target.read_text("utf-8")
    assert run("export", "--output", str(tmp_path / "no" / "x.json")).exit_code == 2


def test_it_works_installed(root: Path, tmp_path: Path) -> None:
    """As the wheel lays it out: rules and documents inside the package, no checkout around."""
    installed = tmp_path / "site" / "pci_config"
    hidden = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, installed, ignore=hidden)
    shutil.copytree(root / "rules", installed / "_rules", ignore=hidden)
    shutil.copytree(root / "remediation", installed / "_remediation", ignore=hidden)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for arguments, words in (
        (["show", "PCI_LISTENER_TLS_ONLY"], str(installed / "_rules" / "PCI_LISTENER_TLS_ONLY")),
        (["list", "--requirement", "4.2.1"], "PCI_LISTENER_TLS_ONLY"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pci_config.cli", "rules", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout


def test_the_module_imports_little() -> None:
    """Listing commands and showing help must not load the catalogue, pydantic or botocore."""
    code = (
        "import sys, pci_config.cli_rules; print(*[m for m in ('yaml', 'pydantic', 'botocore', 'rdklib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
