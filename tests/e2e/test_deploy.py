"""The deployment of an organization of twelve accounts in three nested units and two Regions, against the sandbox's AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment_organization import REGIONS, Deployment, deployment

from pci_config.sandbox.server import MotoServer


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Deployment]:
    with MotoServer("in-process") as server:
        yield deployment(server, tmp_path)


def test_everything_is_deployed_to_every_account_and_a_second_run_finds_nothing_to_do(organization: Deployment) -> None:
    before = organization.plan()
    assert {(change.kind, change.name, change.action) for change in before.changes} == {
        ("stack", "pci-config-artifacts", "create"),
        ("stack", "pci-config-admin", "create"),
        ("stack set", "pci-config-member-global", "create"),
        ("stack set", "pci-config-member-regional", "create"),
        ("stack set", "pci-config-member-documents-1", "create"),
        ("pack", "pci-dss", "create"),
        ("pack", "pci-dss-global", "create"),
    }
    outcome = organization.deploy()
    assert outcome.failures == []
    for account in organization.org.members:
        assert organization.rules_in(account) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
        assert organization.rules_in(account, REGIONS[1]) == {"PCI_ONE", "PCI_TWO"}
    after = organization.plan()
    assert [str(change) for change in after.to_do] == []
    organization.told.clear()
    assert organization.deploy().failures == []
    assert [line for line in organization.told if not line.startswith("#")] == []
