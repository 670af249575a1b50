"""`pci-config init --from-organization` against moto: what it reads, and what it says when it may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from pci_config.cli import app
from pci_config.init_organization import ACTIONS, PACKS, read_organization
from pci_config.init_settings import Account
from pci_config.sandbox import services

REGION = "eu-west-1"


@pytest.fixture
def accounts() -> Iterator[dict[str, str]]:
    """An organization with a unit in a unit, a delegated administrator, a closed account and two Regions that record."""
    services.install()
    with mock_aws():
        organizations = boto3.client("organizations", region_name="us-east-1")
        organizations.create_organization(FeatureSet="ALL")
        root = organizations.list_roots()["Roots"][0]["Id"]
        outer = organizations.create_organizational_unit(ParentId=root, Name="Workloads")["OrganizationalUnit"]["Id"]
        inner = organizations.create_organizational_unit(ParentId=outer, Name="Production")["OrganizationalUnit"]["Id"]
        ids = {}
        for name, unit in (("security", root), ("log-archive", root), ("cards", inner), ("cards-dev", outer), ("gone", root)):
            made = organizations.create_account(AccountName=name, Email=f"{name}@issuer.example")
            ids[name] = made["CreateAccountStatus"]["AccountId"]
            if unit != root:
                organizations.move_account(AccountId=ids[name], SourceParentId=root, DestinationParentId=unit)
        organizations.close_account(AccountId=ids["gone"])
        organizations.enable_aws_service_access(ServicePrincipal=PACKS)
        organizations.register_delegated_administrator(AccountId=ids["security"], ServicePrincipal=PACKS)
        for region in (REGION, "us-east-1"):
            boto3.client("config", region_name=region).put_configuration_recorder(
                ConfigurationRecorder={"name": "default", "roleARN": "arn:aws:iam::123456789012:role/config"}
            )
        yield ids


def read() -> Any:
    return read_organization(boto3.Session(region_name=REGION), REGION)


def test_accounts_units_administrators_and_regions_are_read(accounts: dict[str, str]) -> None:
    found = read()
    assert found.management == found.own_account == "123456789012"
    assert Account(accounts["cards"], "cards", ("Workloads", "Production")) in found.accounts
    assert accounts["gone"] not in {account.id for account in found.accounts}
    assert found.administrators == (accounts["security"],)
    assert found.regions == (REGION, "us-east-1")
    assert "Regions in which this account has a recorder" in found.notes[-1]


def test_the_command_writes_what_it_read(accounts: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    told = CliRunner().invoke(
        app, ["init", "--from-organization", "--yes", "--settings", str(path), "--archive-buckets", "logs-*"]
    )
    assert told.exit_code == 0, told.output
    content = json.loads(path.read_text("utf-8"))
    assert content["Regions"] == [REGION, "us-east-1"]
    assert content["Accounts"] == {
        "management": "123456789012",
        "delegated_admin": accounts["security"],
        "log_archive": accounts["log-archive"],
        "production": accounts["cards"],
        "development": accounts["cards-dev"],
    }
    assert f"{accounts['cards']}  Workloads/Production/cards" in told.output


def test_an_aggregator_tells_the_regions(accounts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("config", region_name=REGION).put_configuration_aggregator(
        ConfigurationAggregatorName="organization",
        OrganizationAggregationSource={"RoleArn": "arn:aws:iam::123456789012:role/a", "AllAwsRegions": True},
    )
    counted = json.dumps(
        {
            "GroupedResourceCounts": [
                {"GroupName": name, "ResourceCount": number}
                for name, number in (("eu-north-1", 3), ("global", 2), ("eu-west-3", 0))
            ]
        }
    )
    monkeypatch.setattr("moto.config.responses.ConfigResponse.get_aggregate_discovered_resource_counts", lambda _: counted)
    found = read()
    assert (found.aggregators, found.regions) == (("organization",), ("eu-north-1",))


def test_what_may_not_be_read_is_said_and_proposes_nothing() -> None:
    services.install()
    with mock_aws():
        found = read()
    assert (found.management, found.accounts, found.regions) == ("", (), ())
    assert "the organization cannot be read" in found.notes[0]
    assert found.notes[-1].startswith("no Region has a recorder")


def test_the_actions_are_those_that_it_calls(accounts: dict[str, str]) -> None:
    del accounts
    session, called = boto3.Session(region_name=REGION), set()
    session.events.register("before-call", lambda model, **_: called.add(f"{model.service_model.endpoint_prefix}:{model.name}"))
    boto3.client("config", region_name=REGION).put_configuration_aggregator(
        ConfigurationAggregatorName="empty",
        OrganizationAggregationSource={"RoleArn": "arn:aws:iam::123456789012:role/a", "AllAwsRegions": True},
    )
    read_organization(session, REGION)
    assert sorted(called) == sorted(ACTIONS)
