"""What `pci-config init` reads for its proposal: accounts and units, delegated administrators, Regions in use.

Read-only. What cannot be read is left out and said, so that the proposal never looks more certain than it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pci_config.init_settings import Account, Found
from pci_config.sources.account import SessionClients

PACKS = "config-multiaccountsetup.amazonaws.com"
WORKERS = 8
ACTIONS = (
    "sts:GetCallerIdentity",
    "organizations:DescribeOrganization",
    "organizations:ListAccountsForParent",
    "organizations:ListDelegatedAdministrators",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListRoots",
    "config:DescribeConfigurationAggregators",
    "config:DescribeConfigurationRecorders",
    "config:GetAggregateDiscoveredResourceCounts",
    "ec2:DescribeRegions",
)


def read_organization(session: Any, region: str) -> Found:
    """Everything that the credentials let us see. Raises ClientError or BotoCoreError when they cannot be used at all."""
    clients = SessionClients(session, region)
    notes: list[str] = []
    own = str(clients.build_client("sts").get_caller_identity()["Account"])
    management = ""
    accounts: tuple[Account, ...] = ()
    administrators: tuple[str, ...] = ()
    try:
        organizations = clients.build_client("organizations")
        management = str(organizations.describe_organization()["Organization"]["MasterAccountId"])
        accounts = tuple(sorted(_accounts(organizations), key=lambda account: account.id))
        notes.append(f"{len(accounts)} active accounts in AWS Organizations")
        administrators = tuple(
            sorted(
                str(each["Id"])
                for each in _pages(
                    organizations.list_delegated_administrators, "DelegatedAdministrators", ServicePrincipal=PACKS
                )
            )
        )
    except (ClientError, BotoCoreError) as error:
        notes.append(f"the organization cannot be read ({error}); the management account and delegated administrators may")
    aggregators = _aggregators(clients, notes)
    regions = _regions(clients, region, aggregators, notes)
    return Found(own, region, management, accounts, administrators, regions, aggregators, tuple(notes))


def _accounts(organizations: Any) -> Iterator[Account]:
    """Active accounts with the names of the units above them."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(str(root["Id"]), ()) for root in _pages(organizations.list_roots, "Roots")]
    while waiting:
        parent, units = waiting.pop()
        for account in _pages(organizations.list_accounts_for_parent, "Accounts", ParentId=parent):
            if (account.get("State") or account.get("Status")) == "ACTIVE":
                yield Account(str(account["Id"]), str(account.get("Name", "")), units)
        for unit in _pages(organizations.list_organizational_units_for_parent, "OrganizationalUnits", ParentId=parent):
            waiting.append((str(unit["Id"]), (*units, str(unit["Name"]))))


def _aggregators(clients: SessionClients, notes: list[str]) -> tuple[str, ...]:
    """Names of the aggregators of an organization in this account and Region."""
    try:
        pages = _pages(clients.build_client("config").describe_configuration_aggregators, "ConfigurationAggregators")
        return tuple(
            sorted(str(each["ConfigurationAggregatorName"]) for each in pages if each.get("OrganizationAggregationSource"))
        )
    except (ClientError, BotoCoreError) as error:
        notes.append(f"aggregators cannot be listed ({error})")
        return ()


def _regions(clients: SessionClients, region: str, aggregators: tuple[str, ...], notes: list[str]) -> tuple[str, ...]:
    """Regions in use: where an aggregator holds resources, else where this account has a recorder."""
    for name in aggregators:
        try:
            counted = clients.build_client("config").get_aggregate_discovered_resource_counts(
                ConfigurationAggregatorName=name, GroupByKey="AWS_REGION"
            )
        except (ClientError, BotoCoreError) as error:
            notes.append(f"aggregator {name} cannot be asked for its Regions ({error})")
            continue
        held = {str(group["GroupName"]) for group in counted["GroupedResourceCounts"] if group["ResourceCount"]} - {"global"}
        if held:
            notes.append(f"Regions in which the aggregator {name} holds resources")
            return tuple(sorted(held))
    try:
        enabled = [str(each["RegionName"]) for each in clients.build_client("ec2").describe_regions()["Regions"]]
    except (ClientError, BotoCoreError) as error:
        notes.append(f"Regions cannot be listed ({error})")
        return ()

    def recorded(place: str) -> bool | str:
        try:
            return bool(clients.build_client("config", place).describe_configuration_recorders()["ConfigurationRecorders"])
        except (ClientError, BotoCoreError) as error:
            return str(error)

    with ThreadPoolExecutor(WORKERS) as pool:
        answers: Mapping[str, bool | str] = dict(zip(enabled, pool.map(recorded, enabled), strict=True))
    unread = [place for place, answer in answers.items() if isinstance(answer, str)]
    if unread:
        notes.append(f"{len(unread)} Regions cannot be read, {unread[0]} first ({answers[unread[0]]})")
    found = sorted(place for place, answer in answers.items() if answer is True)
    if found:
        notes.append("Regions in which this account has a recorder of AWS Config; other accounts may use more")
    else:
        notes.append(f"no Region has a recorder of AWS Config in this account; proposed is {region} alone")
    return tuple(found)


def _pages(call: Any, member: str, **request: Any) -> Iterator[Mapping[str, Any]]:
    token: dict[str, str] = {}
    while True:
        answer = call(**request, **token)
        yield from answer.get(member) or []
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}
