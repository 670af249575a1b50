"""docs/preparing-a-deployment.md grants what the commands call, and its commands have those options."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from policy_lint import IAM_DATA, READING, definitions, newest
from typer.testing import CliRunner

from pci_config.cli import app
from pci_config.deploy.preflight import DECISIONS
from pci_config.deploy.preflight_account_reading import MEMBER_ACTIONS
from pci_config.deploy.preflight_reading import OWN_ACTIONS
from pci_config.deploy.prices import load_prices
from pci_config.init_organization import ACTIONS


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "preparing-a-deployment.md").read_text("utf-8")


def policies(page: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def test_the_policies_allow_what_is_called_and_nothing_else(page: str) -> None:
    members, own = policies(page)
    assert members["Statement"][0]["Action"] == sorted(MEMBER_ACTIONS)
    # GetCallerIdentity needs no permission
    assert own["Statement"][0]["Action"] == sorted({*OWN_ACTIONS, *ACTIONS} - {"sts:GetCallerIdentity"})


def test_the_actions_are_known_to_aws_and_read_only(page: str) -> None:
    young = IAM_DATA.is_dir()  # the other data is older than some of the actions
    for policy in policies(page):
        known = {**definitions(), **newest(policy)}
        for action in policy["Statement"][0]["Action"]:
            assert action.lower() in known or not young, action
            assert known.get(action.lower(), ("Read", True))[0] in READING, action


def test_the_commands_exist_with_their_options(page: str) -> None:
    commands = [shlex.split(line) for line in re.findall(r"^    pci-config (.+)$", page, re.MULTILINE)]
    assert {command[0] for command in commands} == {"init", "preflight", "cost"}
    for command, *options in commands:
        told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        for option in options:
            if option.startswith("--"):
                assert option in told.output


def test_the_example_of_own_prices_is_valid(page: str, tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "prices.yaml"
    path.write_text(example, "utf-8")
    assert load_prices(path).changes("AWS::ECS::Service") == 60


def test_every_condition_has_a_line(page: str) -> None:
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| check", "|---"))]
    assert len(lines) == 11
    assert len(DECISIONS) == 16
