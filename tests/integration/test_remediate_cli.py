"""`pci-config remediate`: what a person sees when something is not as it should be, before AWS is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from typer.testing import CliRunner

from pci_config.catalogue import project_root
from pci_config.cli import app
from pci_config.remediate.state import only_one

ROOT = project_root()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings and one finding in the current folder; nobody is signed in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rdk.json").write_text((ROOT / "rdk.json").read_text("utf-8"), "utf-8")
    (tmp_path / "exceptions.yaml").write_text("exceptions: []\n", "utf-8")
    result = {
        "rule": "PCI_SECURITY_GROUP_EGRESS_LIMITED", "account_id": "600000000006", "region": "eu-west-1",
        "resource_type": "AWS::EC2::SecurityGroup", "resource_id": "sg-0c0ffee1234567890", "resource_name": "worker",
        "compliance": "NON_COMPLIANT", "annotation": "open", "requirements": {},
    }  # fmt: skip
    (tmp_path / "results.jsonl").write_text(json.dumps(result), "utf-8")

    def no_credentials(self: Any, *_: Any, **__: Any) -> Any:
        raise NoCredentialsError

    monkeypatch.setattr(boto3.Session, "client", no_credentials)
    return tmp_path


def remediate(*arguments: str, code: int) -> Any:
    result = CliRunner().invoke(app, ["remediate", *arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result


def plan(*more: str, code: int = 0) -> Any:
    return remediate("plan", "results.jsonl", "--output", "plan.json", *more, code=code)


def test_without_credentials_there_is_a_plan_without_dry_runs() -> None:
    made = plan()
    assert "no dry run: no usable AWS credentials" in made.stderr
    assert "not known: no dry run was made" in made.stdout
    assert "1 change planned. Nothing has been changed." in made.stdout
    assert "to make the changes: pci-config remediate run plan.json" in made.stderr
    assert "no usable AWS credentials" in remediate("run", "plan.json", "--yes", code=2).stderr


def test_a_plan_is_json_for_machines() -> None:
    made = json.loads(plan("--offline", "--format", "json").stdout)
    assert made["summary"] == {"planned": 1, "left_out": {}}
    assert made["entries"][0]["differences"] is None
    kept = json.loads(Path("plan.json").read_text("utf-8"))
    assert kept["plan_id"] == made["plan_id"]
    assert {key: value for key, value in made.items() if key not in ("entries", "summary")} == {
        key: value for key, value in kept.items() if key != "entries"
    }


@pytest.mark.parametrize(
    ("more", "number"),
    [
        (("--rules", "PCI_SECURITY_*"), 1),
        (("--rules", "PCI_TRAIL_*, PCI_SECURITY_*"), 1),
        (("--rules", "PCI_TRAIL_*"), 0),
        (("--accounts", "600000000006,700000000007"), 1),
        (("--accounts", "700000000007"), 0),
        (("--regions", "eu-west-1"), 1),
        (("--regions", "us-east-1"), 0),
    ],
)
def test_only_some_findings(more: tuple[str, ...], number: int) -> None:
    assert json.loads(plan("--offline", "--format", "json", *more).stdout)["summary"]["planned"] == number


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan",), "name one source"),
        (("plan", "results.jsonl", "--account"), "name one source"),
        (("plan", "--account", "--offline"), "--offline forbids it"),
        (("plan", "--account", "--rules", "PCI_NONE"), "--rules 'PCI_NONE' matches no rule"),
        (("plan", "--account"), "no usable AWS credentials"),
        (("plan", "absent.json"), "absent.json: cannot be read"),
        (("plan", "results.jsonl", "--offline", "--settings", "absent.json"), "absent.json: cannot be read"),
        (("plan", "results.jsonl", "--offline", "--output", "rdk.json/plan.json"), "rdk.json/plan.json: cannot be written"),
        (("run", "absent.json"), "absent.json: cannot be read"),
        (("run", "rdk.json"), "rdk.json: is no plan"),
        (("status", "absent.json"), "absent.json: cannot be read"),
        (("restore",), "name a plan, or --execution-id with --account-id and --region"),
        (("restore", "--execution-id", "x", "--region", "eu-west-1"), "name a plan, or --execution-id"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: tuple[str, ...], message: str) -> None:
    assert message in remediate(*arguments, code=2).stderr


def test_only_unknown_entries() -> None:
    plan("--offline")
    assert "the plan has no entry 123" in remediate("run", "plan.json", "--only", "123", code=2).stderr


def test_the_state_of_another_plan() -> None:
    plan("--offline")
    Path("plan.state.json").write_text('{"schema_version": "1", "plan_id": "other"}', "utf-8")
    assert "belongs to plan other" in remediate("run", "plan.json", "--yes", code=2).stderr


def test_a_plan_that_was_run_is_not_written_over() -> None:
    plan("--offline")
    plan("--offline")
    Path("plan.state.json").write_text("{}", "utf-8")
    before = Path("plan.json").read_bytes()
    assert "plan.json was run, and plan.state.json is the record of that" in plan("--offline", code=2).stderr
    assert Path("plan.json").read_bytes() == before


def test_two_runs_at_once() -> None:
    plan("--offline")
    with only_one(Path("plan.state.json")):
        assert "another `pci-config remediate` works on this plan" in remediate("run", "plan.json", "--yes", code=2).stderr


def test_the_status_of_a_plan_that_was_never_run() -> None:
    plan("--offline")
    assert "1 not started yet" in remediate("status", "plan.json", code=0).stdout
    found = json.loads(remediate("status", "plan.json", "--format", "json", "--offline", code=0).stdout)
    assert (found["summary"], found["runs"], found["problems"]) == ({"not started yet": 1}, [], [])
    assert not Path("plan.state.json").exists(), "asking records nothing"


def test_nothing_to_put_back() -> None:
    plan("--offline")
    assert "the plan changed nothing on it" in remediate("restore", "plan.json", "--yes", code=0).stderr


@pytest.mark.parametrize("command", ["plan", "run", "status", "restore"])
def test_help_has_an_example(command: str) -> None:
    assert f"Example: pci-config remediate {command}" in " ".join(remediate(command, "--help", code=0).stdout.split())
