"""The aggregator of a part of the sample issuer, asked from the delegated administrator's account as an operator would ask it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pci_config.catalogue import project_root
from pci_config.cli import app
from pci_config.rdk_json import RdkJson
from pci_config.sandbox import aggregator_service, cloudtrail_service, config_service, logs_service
from pci_config.sandbox.organization import Issuer, _archive, _organization
from pci_config.sandbox.organization_network import build_workload
from pci_config.sandbox.planted import aggregator as planted_aggregator
from pci_config.sandbox.recorder import Recorder, current_items
from pci_config.sandbox.server import MotoServer
from pci_config.sources import aggregated
from pci_config.sources.patience import Patient

RECORDED = ("log_archive", "production", "staging", "development")
ACCOUNT_TYPE = "AWS::::Account"


@dataclass
class Organization:
    server: MotoServer
    issuer: Issuer
    snapshot: Path

    @property
    def faults(self) -> aggregator_service.Faults:
        return aggregator_service.faults(self.issuer.accounts["delegated_admin"], "eu-west-1")


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    rdk_json = RdkJson.load(project_root() / "rdk.json")
    home = rdk_json.settings.home_region
    for service in (config_service, aggregator_service, cloudtrail_service, logs_service):
        service.install()
    snapshot = tmp_path_factory.mktemp("snapshot") / "snapshot.json"
    with MotoServer("in-process") as server:
        issuer = Issuer({role: ids[0] for role, ids in rdk_json.settings.accounts.items()})
        _organization(server, issuer)
        _archive(server, issuer, home, home=True)
        for role in ("production", "staging"):
            build_workload(server, issuer, role, home)
        planted_aggregator.build(server, issuer, rdk_json)
        recorder, items = Recorder(), []
        for account in (issuer.accounts[role] for role in RECORDED):
            recorder.record(server.clients(account, home), account, home, config_service.state(account, home))
            items += current_items(config_service.state(account, home))
        snapshot.write_text(json.dumps({"configurationItems": items}, default=str), "utf-8")
        yield Organization(server, issuer, snapshot)


@pytest.fixture
def assess(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    keys = organization.server.credentials(organization.issuer.accounts["delegated_admin"])
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setattr("pci_config.sources.aggregator.Patient", lambda client: Patient(client, 3, sleep=lambda _: None))
    monkeypatch.chdir(project_root())

    def run(*arguments: str) -> Any:
        ended = CliRunner().invoke(app, ["assess", *arguments, "--format", "json"])
        assert ended.exit_code in (0, 1, 3), ended.output
        return ended.exit_code, json.loads(ended.stdout)

    yield run
    vars(organization.faults).update(vars(aggregator_service.Faults()))


def of_items(document: Mapping[str, Any], without: tuple[str, str] | None = None) -> list[Mapping[str, Any]]:
    return [
        {name: value for name, value in result.items() if name != "evaluated_at"}
        for result in document["results"]
        if result["resource_type"] != ACCOUNT_TYPE and (result["account_id"], result["region"]) != without
    ]


def test_the_same_verdicts_as_from_a_snapshot(assess: Callable[..., Any], organization: Organization) -> None:
    _, expected = assess("--snapshot", str(organization.snapshot))
    _, document = assess("--aggregator", "organization")
    assert of_items(document) == of_items(expected)
    assert len(of_items(document)) > 50
    unrecorded = sorted(
        f"aggregator organization: account {account} in {region}: nothing is held; is a recorder on there?"
        for role, account in organization.issuer.accounts.items()
        for region in ("eu-west-1", "us-east-1")
        if region == "us-east-1" or role not in RECORDED
    )
    assert sorted(document["summary"]["problems"]) == unrecorded
    periodic = {(r["account_id"], r["compliance"]) for r in document["results"] if r["rule"] == "PCI_PASSWORD_POLICY"}
    assert periodic == {(account, "NOT_ASSESSED") for account in organization.issuer.accounts.values()}


def test_planted_mistakes_that_items_show_are_found(assess: Callable[..., Any], organization: Organization) -> None:
    code, document = assess("--aggregator", "organization", "--rules", "PCI_SECURITY_GROUP_EGRESS_LIMITED")
    found = {
        (r["account_id"], r["region"], r["resource_id"]) for r in document["results"] if r["compliance"] == "NON_COMPLIANT"
    }
    planted = {
        (organization.issuer.accounts[p.role], p.region, p.resource_id)
        for p in organization.issuer.planted
        if p.rule == "PCI_SECURITY_GROUP_EGRESS_LIMITED" and p.region == "eu-west-1"
    }
    assert found == planted
    assert code == 3


def test_throttled_again_and_again_the_outcome_is_the_same(
    assess: Callable[..., Any], organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregated, "PAGE", 5)
    monkeypatch.setattr(aggregated, "PART", 20)
    _, expected = assess("--aggregator", "organization")
    turns = itertools.count()
    organization.faults.throttled = lambda _operation, _request: next(turns) % 3 == 1
    _, document = assess("--aggregator", "organization")
    assert next(turns) > 20
    assert of_items(document) == of_items(expected)
    assert document["summary"]["problems"] == expected["summary"]["problems"]


def test_one_failing_source_is_named_and_the_others_are_assessed(
    assess: Callable[..., Any], organization: Organization
) -> None:
    staging = organization.issuer.accounts["staging"], "eu-west-1"
    _, expected = assess("--aggregator", "organization")
    organization.faults.failing[staging] = ("FAILED", "AuthorizationError", "not authorized by the source account")
    code, document = assess("--aggregator", "organization")
    assert code == 3
    (new,) = set(document["summary"]["problems"]) - set(expected["summary"]["problems"])
    assert new.startswith(
        f"aggregator organization: account {staging[0]} in eu-west-1: its last update is FAILED (Authorization"
    )
    assert of_items(document) == of_items(expected, without=staging)
