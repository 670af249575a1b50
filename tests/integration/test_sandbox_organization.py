"""Organizations in the sandbox: who may read it, pages, delegated administrators, accounts that join and leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT, REGION, Organization, organization
from pci_config.sandbox.server import MotoServer


@pytest.fixture
def server() -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        yield started


@pytest.fixture
def org(server: MotoServer) -> Organization:
    return organization(server)


def refused(code: str, call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**request)
    assert raised.value.response["Error"]["Code"] == code
    return str(raised.value.response["Error"]["Message"])


def client(server: MotoServer, account: str) -> Any:
    return server.clients(account, REGION).build_client("organizations")


def test_a_delegated_administrator_reads_the_organization_and_changes_nothing(server: MotoServer, org: Organization) -> None:
    admin = client(server, ADMIN)
    accounts = [a["Id"] for page in admin.get_paginator("list_accounts").paginate() for a in page["Accounts"]]
    assert sorted(accounts) == sorted([MANAGEMENT, *org.members])
    assert admin.list_roots()["Roots"][0]["Id"] == org.root
    assert [u["Id"] for u in admin.list_organizational_units_for_parent(ParentId=org.root)["OrganizationalUnits"]] == [
        org.outer
    ]
    assert admin.list_parents(ChildId=org.inner)["Parents"] == [{"Id": org.middle, "Type": "ORGANIZATIONAL_UNIT"}]
    assert admin.describe_account(AccountId=org.members[0])["Account"]["State"] == "ACTIVE"
    assert admin.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT
    refused("AccessDeniedException", admin.close_account, AccountId=org.members[-1])
    refused("AccessDeniedException", admin.create_account, AccountName="x", Email="x@card-issuer.example")


def test_a_member_sees_only_which_organization_it_belongs_to(server: MotoServer, org: Organization) -> None:
    member = client(server, org.members[3])
    assert member.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT
    refused("AccessDeniedException", member.list_accounts)
    refused("AccessDeniedException", member.list_delegated_administrators)
    refused("AWSOrganizationsNotInUseException", client(server, "999999999999").list_accounts)


def test_pages_hold_twenty_at_most(server: MotoServer, org: Organization) -> None:
    management = client(server, MANAGEMENT)
    for number in range(10):
        org.join(f"late-{number}", org.root)
    first = management.list_accounts()
    assert len(first["Accounts"]) == 20
    second = management.list_accounts(NextToken=first["NextToken"])
    assert len(second["Accounts"]) == 3
    assert "NextToken" not in second
    assert len(management.list_accounts(MaxResults=2)["Accounts"]) == 2
    refused("InvalidInputException", management.list_accounts, MaxResults=21)
    outside = {MANAGEMENT, ADMIN}
    assert {a["Id"] for a in management.list_accounts_for_parent(ParentId=org.root)["Accounts"]} >= outside


def test_services_are_delegated_one_by_one(server: MotoServer, org: Organization) -> None:
    management = client(server, MANAGEMENT)
    given = {
        s["ServicePrincipal"] for s in management.list_delegated_services_for_account(AccountId=ADMIN)["DelegatedServices"]
    }
    assert given == {
        "config.amazonaws.com",
        "config-multiaccountsetup.amazonaws.com",
        "member.org.stacksets.cloudformation.amazonaws.com",
    }
    for member in org.members[1:3]:
        management.register_delegated_administrator(AccountId=member, ServicePrincipal="config-multiaccountsetup.amazonaws.com")
    packs = management.list_delegated_administrators(ServicePrincipal="config-multiaccountsetup.amazonaws.com")
    assert [a["Id"] for a in packs["DelegatedAdministrators"]] == [ADMIN, *org.members[1:3]]
    message = refused(
        "ConstraintViolationException",
        management.register_delegated_administrator,
        AccountId=org.members[4],
        ServicePrincipal="config-multiaccountsetup.amazonaws.com",
    )
    assert "number of delegated administrators" in message
    refused(
        "InvalidInputException",
        management.enable_aws_service_access,
        ServicePrincipal="stacksets.cloudformation.amazonaws.com",
    )


def test_accounts_are_closed_and_leave(server: MotoServer, org: Organization) -> None:
    management = client(server, MANAGEMENT)
    management.close_account(AccountId=org.members[5])
    assert management.describe_account(AccountId=org.members[5])["Account"]["State"] == "SUSPENDED"
    management.remove_account_from_organization(AccountId=org.members[6])
    refused("AccountNotFoundException", management.describe_account, AccountId=org.members[6])
    refused("ConstraintViolationException", management.remove_account_from_organization, AccountId=ADMIN)
