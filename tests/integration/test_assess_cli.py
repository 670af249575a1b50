"""`pci-config assess` as a user runs it: formats, exit codes, bad input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from pci_config.cli import app

GOOD_GROUP = "sg-0aaaaaaaaaaaaaaaa"


@pytest.fixture
def folder(tmp_path: Path, root: Path, sample: Callable[[str], Any]) -> Path:
    """A folder with settings, an empty register and a snapshot of one wrong and one right group."""
    settings = json.loads((root / "rdk.json").read_text("utf-8"))
    settings["Accounts"]["development"] = ["800000000008", "123456789012"]  # the samples' account
    (tmp_path / "rdk.json").write_text(json.dumps(settings), "utf-8")
    (tmp_path / "exceptions.yaml").write_text("exceptions: []\n", "utf-8")
    group = sample("AWS_EC2_SecurityGroup")
    right = json.loads(json.dumps(group))
    right["resourceId"] = right["configuration"]["groupId"] = GOOD_GROUP
    right["configuration"]["ipPermissionsEgress"] = []
    (tmp_path / "snapshot.json").write_text(json.dumps({"configurationItems": [right, group]}), "utf-8")
    return tmp_path


@pytest.fixture
def assess(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(folder)

    def run(*arguments: str, rules: str = "PCI_SECURITY_GROUP_EGRESS*") -> Any:
        return CliRunner().invoke(app, ["assess", "--rules", rules, *arguments])

    return run


SNAPSHOT = ("--snapshot", "snapshot.json")


def test_json_keeps_to_the_schema_and_the_order(assess: Callable[..., Any], root: Path) -> None:
    run = assess(*SNAPSHOT, "--format", "json")
    document = json.loads(run.stdout)
    schema = json.loads((root / "docs" / "schemas" / "result.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    assert [(r["resource_id"], r["compliance"]) for r in document["results"]] == [
        (GOOD_GROUP, "COMPLIANT"),
        ("sg-0c0ffee1234567890", "NON_COMPLIANT"),
    ]
    assert document["summary"]["by_compliance"]["NON_COMPLIANT"] == 1
    assert document["summary"]["by_requirement"] == {"1.3.2": {"COMPLIANT": 1, "NON_COMPLIANT": 1}}
    assert run.exit_code == 1


def test_several_patterns_choose_rules(assess: Callable[..., Any]) -> None:
    run = assess(*SNAPSHOT, "--format", "jsonl", rules="PCI_SECURITY_GROUP_IN*, PCI_SECURITY_GROUP_*,PCI_TRAIL_DELIVERED")
    rules = [json.loads(line)["rule"] for line in run.stdout.splitlines()]
    assert set(rules) == {"PCI_SECURITY_GROUP_EGRESS_LIMITED", "PCI_SECURITY_GROUP_INGRESS_LIMITED", "PCI_TRAIL_DELIVERED"}
    assert rules.count("PCI_SECURITY_GROUP_INGRESS_LIMITED") == 2
    run = assess(*SNAPSHOT, rules="PCI_SECURITY_GROUP_*,PCI_TRIAL*")
    assert (run.exit_code, "--rules 'PCI_TRIAL*' matches no rule" in run.output) == (2, True)


def test_other_formats(assess: Callable[..., Any]) -> None:
    lines = assess(*SNAPSHOT, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["rule"] for line in lines] == ["PCI_SECURITY_GROUP_EGRESS_LIMITED"] * 2
    rows = list(csv.DictReader(io.StringIO(assess(*SNAPSHOT, "--format", "csv").stdout)))
    assert [row["compliance"] for row in rows] == ["COMPLIANT", "NON_COMPLIANT"]
    assert rows[0]["requirements_3_2_1"] == "1.2.1 1.3.4"
    table = assess(*SNAPSHOT).stdout
    assert "What needs attention" in table
    assert "cde-app-sg" in table
    assert "</html>" in assess(*SNAPSHOT, "--format", "html").stdout


def test_cells_that_a_spreadsheet_would_run_are_disarmed(assess: Callable[..., Any], folder: Path) -> None:
    document = json.loads((folder / "snapshot.json").read_text("utf-8"))
    document["configurationItems"][0]["resourceName"] = "=HYPERLINK(1)"
    (folder / "snapshot.json").write_text(json.dumps(document), "utf-8")
    rows = list(csv.DictReader(io.StringIO(assess(*SNAPSHOT, "--format", "csv").stdout)))
    assert rows[0]["resource_name"] == "'=HYPERLINK(1)"


def test_output_files_are_whole(assess: Callable[..., Any], folder: Path) -> None:
    run = assess(*SNAPSHOT, "--format", "json", "--output", "out/results.json", "--fail-on", "never")
    assert (run.exit_code, run.stdout) == (0, "")
    assert json.loads((folder / "out" / "results.json").read_text("utf-8"))["schema_version"] == "1"
    assert [path.name for path in (folder / "out").iterdir()] == ["results.json"]


def test_two_jobs_give_the_same_results(assess: Callable[..., Any]) -> None:
    one, two = (json.loads(assess(*SNAPSHOT, "--format", "json", "--jobs", jobs).stdout) for jobs in "12")
    for document in (one, two):
        for result in document["results"]:
            result.pop("evaluated_at")
    assert one["results"] == two["results"]


def test_exceptions_are_listed_with_their_text(assess: Callable[..., Any], folder: Path) -> None:
    (folder / "exceptions.yaml").write_text(
        """
exceptions:
  - {rule: PCI_SECURITY_GROUP_EGRESS_LIMITED, accounts: ["123456789012"], regions: [eu-west-1], resource: sg-0c0ffee1234567890,
     reason: Terminals, approver: CISO, ticket: SEC-9, compensating_control: VPN, created: 2026-01-01, expires: 2026-12-31}
""",
        "utf-8",
    )
    run = assess(*SNAPSHOT, "--format", "json")
    excepted = json.loads(run.stdout)["results"][1]
    assert excepted["compliance"] in ("EXCEPTED", "NON_COMPLIANT")
    if excepted["compliance"] == "EXCEPTED":  # until the end of its year
        assert excepted["annotation"].startswith("accepted until 2026-12-31 (SEC-9): Terminals. all protocols")
        assert run.exit_code == 0


def test_what_a_snapshot_cannot_show_is_counted(assess: Callable[..., Any]) -> None:
    run = assess(*SNAPSHOT, "--format", "json", rules="PCI_PASSWORD_POLICY")
    (result,) = json.loads(run.stdout)["results"]
    assert (result["compliance"], result["resource_type"]) == ("NOT_ASSESSED", "AWS::::Account")
    assert "does not record the account password policy" in result["annotation"]
    assert run.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one source"),
        ((*SNAPSHOT, "--account"), "name one source"),
        (("--snapshot", "absent.json"), "absent.json: there is no such file"),
        ((*SNAPSHOT, "--settings", "absent.json"), "absent.json: cannot be read"),
        ((*SNAPSHOT, "--exceptions", "absent.yaml"), "absent.yaml: cannot be read"),
        ((*SNAPSHOT, "--format", "json", "--output", "rdk.json/x"), "cannot be written"),
    ],
)
def test_usage_errors(assess: Callable[..., Any], arguments: tuple[str, ...], message: str) -> None:
    run = assess(*arguments)
    assert run.exit_code == 2
    assert message in run.output
    assert "Traceback" not in run.output


def test_a_pattern_without_rules(assess: Callable[..., Any]) -> None:
    run = assess(*SNAPSHOT, rules="PCI_NOPE*")
    assert run.exit_code == 2
    assert "'PCI_NOPE*' matches no rule" in run.output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"Untagged": "ignore"}, "unknown parameter 'Untagged'"), ({"InternetPorts": "70000"}, "is not a port")],
)
def test_bad_rule_parameters(assess: Callable[..., Any], folder: Path, parameters: dict[str, str], message: str) -> None:
    settings = json.loads((folder / "rdk.json").read_text("utf-8"))
    settings["RuleParameters"] = {"PCI_SECURITY_GROUP_EGRESS_LIMITED": parameters}
    (folder / "rdk.json").write_text(json.dumps(settings), "utf-8")
    run = assess(*SNAPSHOT)
    assert (run.exit_code, message in run.output) == (2, True)


def test_malformed_settings_and_registers(assess: Callable[..., Any], folder: Path) -> None:
    (folder / "exceptions.yaml").write_text("exceptions:\n  - rule: x\n", "utf-8")
    run = assess(*SNAPSHOT)
    assert (run.exit_code, "line 2" in run.output) == (2, True)
    (folder / "rdk.json").write_text("{", "utf-8")
    run = assess(*SNAPSHOT)
    assert (run.exit_code, "rdk.json: line 1" in run.output) == (2, True)


@pytest.mark.parametrize(
    ("change", "compliance"),
    [
        ({"configuration": None}, "ERROR"),
        ({"configurationItemStatus": "ResourceDeleted"}, None),
        ({"configurationItemStatus": "SomethingNew"}, None),
        ({"supplementaryConfiguration": None}, "NON_COMPLIANT"),
    ],
)
def test_odd_items(assess: Callable[..., Any], folder: Path, change: dict[str, Any], compliance: str | None) -> None:
    document = json.loads((folder / "snapshot.json").read_text("utf-8"))
    document["configurationItems"] = [{**document["configurationItems"][1], **change}]
    (folder / "snapshot.json").write_text(json.dumps(document), "utf-8")
    run = assess(*SNAPSHOT, "--format", "json")
    assert [r["compliance"] for r in json.loads(run.stdout)["results"]] == ([compliance] if compliance else [])
    assert run.exit_code == {"ERROR": 3, "NON_COMPLIANT": 1, None: 0}[compliance]


def test_bad_files_make_it_incomplete_and_the_rest_is_reported(assess: Callable[..., Any], folder: Path) -> None:
    (folder / "bad.json").write_text("nonsense", "utf-8")
    run = assess(*SNAPSHOT, "--snapshot", "bad.json", "--format", "json")
    assert run.exit_code == 3
    document = json.loads(run.stdout[: run.stdout.rindex("}") + 1])
    assert len(document["results"]) == 2
    assert "bad.json: is not JSON" in document["summary"]["problems"][0]
    assert assess(*SNAPSHOT, "--snapshot", "bad.json", "--fail-on", "never").exit_code == 3


def test_help_has_an_example() -> None:
    run = CliRunner().invoke(app, ["assess", "--help"])
    assert run.exit_code == 0
    assert "Example: pci-config assess --snapshot" in run.output
