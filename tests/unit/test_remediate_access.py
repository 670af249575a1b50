"""The way into accounts: whose credentials, which session, renewed in time, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from pci_config.remediate import access as access_module
from pci_config.remediate.access import RENEW_AFTER_SECONDS, Access, AccessError

OWN, OTHER = "123456789012", "210987654321"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def access(role: str | None = None, profile: str | None = None, session: str = "pci-config-remediate-1") -> Access:
    return Access("eu-west-1", role, profile, session)


def who(way: Access, account: str, region: str = "eu-west-1") -> str:
    return str(way.client("sts", account, region).get_caller_identity()["Arn"])


def test_the_callers_own_account_needs_no_role() -> None:
    way = access()
    assert way.caller().startswith(f"arn:aws:sts::{OWN}:")
    assert who(way, OWN) == way.caller()
    with pytest.raises(AccessError, match=rf"account {OTHER} is not the caller's own \({OWN}\); name the role .* --role-name"):
        way.client("ssm", OTHER, "eu-west-1")


def test_a_role_is_assumed_in_every_account_under_a_name_that_the_trail_shows() -> None:
    way = access("pci-operator")
    for account in (OWN, OTHER):
        assert who(way, account) == f"arn:aws:sts::{account}:assumed-role/pci-operator/pci-config-remediate-1"
    assert who(access("pci-operator", session="x" * 80), OTHER).endswith("/" + "x" * 64)


def test_clients_are_kept_by_account_region_and_service() -> None:
    way = access("pci-operator")
    first = way.client("ssm", OTHER, "eu-west-1")
    assert way.client("ssm", OTHER, "eu-west-1") is first
    assert way.client("ssm", OTHER, "us-east-1").meta.region_name == "us-east-1"
    assert way.client("config", OTHER, "eu-west-1").meta.service_model.service_name == "config"


def test_a_session_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(access_module.time, "monotonic", lambda: now)
    way = access("pci-operator")
    first, own = way.client("ssm", OTHER, "eu-west-1"), way.client("ssm", OWN, "eu-west-1")
    now += RENEW_AFTER_SECONDS
    assert way.client("ssm", OTHER, "eu-west-1") is first
    now += 1
    second = way.client("ssm", OTHER, "eu-west-1")
    assert second is not first
    assert way.client("ssm", OTHER, "eu-west-1") is second
    assert way.client("ssm", OWN, "eu-west-1") is not own


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception, operation: str) -> None:
    real = boto3.Session.client

    def client(self: Any, service: str, *arguments: Any, **options: Any) -> Any:
        made = real(self, service, *arguments, **options)
        if service == "sts":

            def refused(**_: Any) -> Any:
                raise error

            setattr(made, operation, refused)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "AssumeRole")


def test_a_role_that_cannot_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, DENIED, "assume_role")
    with pytest.raises(AccessError, match=rf"arn:aws:iam::{OTHER}:role/pci-operator cannot be assumed \(.*not you"):
        access("pci-operator").client("ssm", OTHER, "eu-west-1")


@pytest.mark.parametrize(
    ("error", "message"),
    [(NoCredentialsError(), "no usable AWS credentials .*--profile"), (DENIED, "cannot be used .*sign in again")],
)
def test_credentials_that_are_not_there_or_over(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    refusing(monkeypatch, error, "get_caller_identity")
    with pytest.raises(AccessError, match=message):
        access().caller()


def test_an_unknown_profile() -> None:
    with pytest.raises(AccessError, match="nobody"):
        access(profile="nobody").caller()
