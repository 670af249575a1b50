"""The real artefacts, as `pci-config build` makes them, deployed to an organization by the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deployment_organization import OTHER_REGION, REGION, REGIONS, deployment
from typer.testing import CliRunner

from pci_config import build
from pci_config.cli import app
from pci_config.deploy import deployer, waiting
from pci_config.sandbox.bare_organization import ADMIN
from pci_config.sandbox.server import MotoServer


def test_what_is_built_is_deployed(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = json.loads((root / "rdk.json").read_text())
    settings["Accounts"] = {"delegated_admin": ADMIN}
    settings["LogArchive"]["Account"] = ADMIN
    (tmp_path / "rdk.json").write_text(json.dumps(settings))
    (tmp_path / "exceptions.yaml").write_text("exceptions: []\n")
    monkeypatch.setattr(build, "drift", lambda *_: [])  # what is checked in is the sample issuer's
    monkeypatch.setattr(build, "BUNDLE", tmp_path / "bundle.zip")
    own = waiting.Waiting
    monkeypatch.setattr(waiting, "Waiting", lambda timeout: own(timeout, sleep=lambda _: None))
    with MotoServer("in-process") as server:
        organization = deployment(server, tmp_path, size=2)
        monkeypatch.setattr(deployer, "session", lambda *_: server.session(ADMIN, REGION))
        command = ["deploy", "--yes", "--format", "json", "--settings", str(tmp_path / "rdk.json")]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
        plan = json.loads(done.stdout)["plan"]
        for account in organization.org.members:
            for region in REGIONS:
                pages = organization.client(account, "ssm", region).get_paginator("list_documents").paginate()
                documents = {document["Name"] for page in pages for document in page["DocumentIdentifiers"]}
                assert {"PciConfig-LimitSecurityGroupEgress", "PciConfig-RestoreTrail"} <= documents
            assert "PCI_SECURITY_GROUP_EGRESS_LIMITED" in organization.rules_in(account, OTHER_REGION)
            assert "PCI_PASSWORD_POLICY" in organization.rules_in(account, REGION)
            assert "PCI_PASSWORD_POLICY" not in organization.rules_in(account, OTHER_REGION)
        status = CliRunner().invoke(app, ["status", "--format", "json", "--settings", str(tmp_path / "rdk.json")])
        assert status.exit_code == 0, status.stdout
        assert {place["bundle"] for place in json.loads(status.stdout)["accounts"]} == {plan["release"]["bundle"]}
