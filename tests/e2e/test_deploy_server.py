"""The commands against the sandbox as a server, with credentials from the environment: every request goes over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deployment_organization import REGION, REGIONS, deployment
from typer.testing import CliRunner

from pci_config import cli_deploy
from pci_config.cli import app
from pci_config.deploy import waiting
from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT
from pci_config.sandbox.server import MotoServer

ENVIRONMENT = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}


def test_a_role_of_the_delegated_administrator_deploys_and_destroys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = waiting.Waiting
    monkeypatch.setattr(waiting, "Waiting", lambda timeout: own(timeout, sleep=lambda _: None))
    with MotoServer() as server:
        organization = deployment(server, tmp_path, size=2)
        organization.rdk_json()
        monkeypatch.setattr(cli_deploy, "_release", lambda found, _exceptions: organization.built(found))
        for name, value in server.credentials(MANAGEMENT).items():
            monkeypatch.setenv(ENVIRONMENT[name], value)
        monkeypatch.chdir(tmp_path)
        role = ("--role", f"arn:aws:iam::{ADMIN}:role/pci-config-deployer", "--format", "json")
        assert "credentials are of account" in CliRunner().invoke(app, ["plan"]).stderr
        done = CliRunner().invoke(app, ["deploy", "--yes", *role])
        assert done.exit_code == 0, done.output
        for account in organization.org.members:
            assert organization.rules_in(account, REGION) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
        status = CliRunner().invoke(app, ["status", *role])
        assert len(json.loads(status.stdout)["accounts"]) == 2 * len(REGIONS)
        assert status.exit_code == 0
        gone = CliRunner().invoke(app, ["destroy", "--yes", *role])
        assert gone.exit_code == 0, gone.output
        assert organization.rules_in(organization.org.members[1], REGION) == set()


def test_a_profile_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MotoServer("in-process") as server:
        deployment(server, tmp_path, size=2, recorders=False).rdk_json()
        monkeypatch.chdir(tmp_path)
        refused = CliRunner().invoke(app, ["status", "--profile", "nobody"])
    assert refused.exit_code == 3
    assert "nobody" in refused.stderr
    assert "aws configure list-profiles" in refused.stderr
