"""Gathers what `pci-config preflight` decides on. Read-only; a refusal is kept as a fact of its own.

Accounts are entered by a role when one is named; calls for each account and Region are then constant in number but for pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pci_config.catalogue import Catalogue, documents_folder
from pci_config.deploy.preflight_account_reading import (
    Clients,
    account_facts,
    attempt,
    code_of,
    pages,
    place_facts,
    reason_of,
    tagged,
)
from pci_config.deploy.preflight_check import CONFIG, CONFIG_PACKS, CONTROL_TOWER, STACK_SETS
from pci_config.deploy.preflight_facts import (
    AccountFacts,
    Aggregator,
    Demand,
    Facts,
    LandingZone,
    Named,
    Organization,
    Place,
    PlaceFacts,
    Read,
    Unread,
)
from pci_config.document_stacks import assigned, read_assignment
from pci_config.org_names import (
    ADMIN_STACK,
    ARTIFACTS_STACK,
    MEMBER_PREFIX,
    artifacts_bucket,
)
from pci_config.rdk_json import RdkJson

WORKERS = 8
AS_ADMINISTRATOR = {"CallAs": "DELEGATED_ADMIN"}
OWN_ACTIONS = (
    "sts:GetCallerIdentity",
    "account:ListRegions",
    "cloudformation:DescribeOrganizationsAccess",
    "cloudformation:DescribeStackSet",
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackSets",
    "config:DescribeConfigurationAggregatorSourcesStatus",
    "config:DescribeConfigurationAggregators",
    "config:DescribeOrganizationConformancePacks",
    "config:GetAggregateDiscoveredResourceCounts",
    "controltower:GetLandingZone",
    "controltower:ListLandingZones",
    "organizations:DescribeOrganization",
    "organizations:ListAWSServiceAccessForOrganization",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListDelegatedAdministrators",
    "organizations:ListOrganizationalUnitsForParent",
    "s3:ListBucket",
    "servicequotas:ListServiceQuotas",
)


Enter = Callable[[str], "Clients | str"]  # clients of an account, or why there are none


def demand(catalogue: Catalogue, root: Path) -> Demand:
    """What a deployment of this catalogue adds to every account."""
    scopes = [entry.region_scope for entry in catalogue.rules.values()]
    scopes += [managed.region_scope for managed in catalogue.managed_rules.values()]
    folder = documents_folder(root)
    documents = len([*folder.glob("*/document.yaml"), *folder.glob("*/restore.yaml")])
    fixes = {fix.document for entry in catalogue.rules.values() for fix in entry.fixes}
    stack_sets = 2 + len(assigned(read_assignment(root), fixes))
    return Demand(scopes.count("regional"), scopes.count("global"), documents, stack_sets)


def read_facts(
    clients: Clients, rdk_json: RdkJson, role_name: str = "", enter: Enter | None = None, tell: Callable[[str], None] = print
) -> Facts:
    """Everything, by the caller's clients; other accounts by those that `enter` gives."""
    return _Reading(clients, rdk_json).facts(role_name, enter, tell)


class _Reading:
    def __init__(self, clients: Clients, rdk_json: RdkJson) -> None:
        self.clients = clients
        self.rdk_json = rdk_json
        self.home = rdk_json.settings.home_region
        self.regions = rdk_json.settings.regions

    def facts(self, role_name: str, enter: Enter | None, tell: Callable[[str], None]) -> Facts:
        caller = attempt(lambda: str(self._client("sts").get_caller_identity()["Account"]))
        if isinstance(caller, Unread):
            return Facts(caller=caller)
        tell("organization")
        organization = attempt(self._organization)
        active = attempt(self._active)
        units, members = self._members(organization, active)
        trusted = attempt(self._trusted)
        tell("StackSets, aggregators and packs")
        entered, refused = self._entered(caller, members, enter, tell)
        accounts, places = self._in_accounts(entered, tell)
        return Facts(
            caller=caller,
            organization=organization,
            active=active if isinstance(active, Unread) else frozenset(active),
            units=units,
            members=members,
            trusted=trusted,
            stack_sets_access=attempt(
                lambda: str(self._client("cloudformation").describe_organizations_access(**AS_ADMINISTRATOR)["Status"])
            ),
            administrators={principal: self._administrators(principal) for principal in (CONFIG, CONFIG_PACKS, STACK_SETS)},
            landing_zone=self._landing_zone(trusted),
            aggregators=attempt(self._aggregators),
            organization_packs={region: self._organization_packs(region) for region in self.regions},
            named=attempt(lambda: tuple(self._named(caller))),
            stack_sets=attempt(lambda: sum(not name.startswith(MEMBER_PREFIX) for name in self._stack_sets())),
            limits=attempt(self._limits),
            accounts=accounts,
            places=places,
            entered_by=role_name,
            not_entered=refused,
        )

    def _client(self, service: str, region: str = "") -> Any:
        return self.clients.build_client(service, region or self.home)

    # -------------------------------------------------------------------------------------------------- organization

    def _organization(self) -> Organization:
        told = self._client("organizations").describe_organization()["Organization"]
        return Organization(str(told["Id"]), str(told["MasterAccountId"]), str(told.get("FeatureSet", "unknown")))

    def _active(self) -> dict[str, str]:
        return _names_of(pages(self._client("organizations").list_accounts, "Accounts"))

    def _members(
        self, organization: Read[Organization], active: Read[dict[str, str]]
    ) -> tuple[dict[str, Read[bool]], Read[Mapping[str, str]]]:
        """The units, and the accounts that get stacks: those of the units without the excluded and the management account."""
        deployment = self.rdk_json.model.deployment
        units: dict[str, Read[bool]] = {}
        for read in (organization, active):
            if isinstance(read, Unread):
                return units, read
        assert not isinstance(organization, Unread)  # noqa: S101 - for mypy
        assert not isinstance(active, Unread)  # noqa: S101
        inside = {} if deployment.organizational_units else dict(active)
        unread: Unread | None = None
        for unit in deployment.organizational_units:
            below = self._below(unit)
            units[unit] = below is not None if not isinstance(below, Unread) else below
            if isinstance(below, Unread):
                unread = below
            inside |= below if isinstance(below, dict) else {}
        left_out = set(deployment.excluded_accounts)
        if not deployment.management_account:
            left_out.add(organization.management)
        found = {account: name for account, name in inside.items() if account not in left_out}
        return units, unread or found

    def _below(self, unit: str) -> dict[str, str] | Unread | None:
        """Accounts of a unit and of the units in it; None when there is no such unit."""
        organizations = self._client("organizations")
        found: dict[str, str] = {}
        waiting = [unit]
        try:
            while waiting:
                parent = waiting.pop()
                found |= _names_of(pages(organizations.list_accounts_for_parent, "Accounts", ParentId=parent))
                children = pages(organizations.list_organizational_units_for_parent, "OrganizationalUnits", ParentId=parent)
                waiting += [str(child["Id"]) for child in children]
        except ClientError as error:
            if code_of(error) in ("ParentNotFoundException", "OrganizationalUnitNotFoundException"):
                return None
            return Unread(reason_of(error))
        except BotoCoreError as error:
            return Unread(reason_of(error))
        return found

    def _trusted(self) -> frozenset[str]:
        listed = self._client("organizations").list_aws_service_access_for_organization
        return frozenset(str(each["ServicePrincipal"]) for each in pages(listed, "EnabledServicePrincipals"))

    def _administrators(self, principal: str) -> Read[frozenset[str]]:
        listed = self._client("organizations").list_delegated_administrators
        return attempt(
            lambda: frozenset(str(a["Id"]) for a in pages(listed, "DelegatedAdministrators", ServicePrincipal=principal))
        )

    def _landing_zone(self, trusted: Read[frozenset[str]]) -> Read[LandingZone | None]:
        """Asked for only where Control Tower is in use; an empty answer outside the management account says nothing."""
        if isinstance(trusted, Unread) or CONTROL_TOWER not in trusted:
            return Unread("Control Tower is not known to be in use")

        def read() -> LandingZone | None:
            client = self._client("controltower")
            for zone in client.list_landing_zones().get("landingZones", []):
                told = client.get_landing_zone(landingZoneIdentifier=zone["arn"])["landingZone"]
                drift = (told.get("driftStatus") or {}).get("status", "")
                return LandingZone(str(told.get("version", "")), str(told.get("status", "unknown")), str(drift))
            return None

        return attempt(read)

    # ------------------------------------------------------------------------------------------------ what is deployed

    def _aggregators(self) -> tuple[Aggregator, ...]:
        config = self._client("config")
        found = []
        for told in pages(config.describe_configuration_aggregators, "ConfigurationAggregators"):
            source = told.get("OrganizationAggregationSource")
            name = str(told["ConfigurationAggregatorName"])
            regions = None if not source or source.get("AllAwsRegions") else frozenset(source.get("AwsRegions") or ())
            wanted = bool(source) or name == self.rdk_json.model.deployment.aggregator
            states, held = (self._states(name), self._held(name)) if wanted else (Unread("not asked"), Unread("not asked"))
            found.append(Aggregator(name, bool(source), regions, states, held))
        return tuple(found)

    def _states(self, name: str) -> Read[Mapping[Place, str]]:
        listed = self._client("config").describe_configuration_aggregator_sources_status

        def read() -> dict[Place, str]:
            return {
                (str(each["SourceId"]), str(each["AwsRegion"])): str(each.get("LastUpdateStatus"))
                for each in pages(listed, "AggregatedSourceStatusList", ConfigurationAggregatorName=name, Limit=100)
                if each.get("SourceType") == "ACCOUNT"
            }

        return attempt(read)

    def _held(self, name: str) -> Read[Mapping[Place, int]]:
        listed = self._client("config").get_aggregate_discovered_resource_counts

        def read() -> dict[Place, int]:
            counts: Counter[Place] = Counter()
            for region in self.regions:
                request = {"ConfigurationAggregatorName": name, "GroupByKey": "ACCOUNT_ID", "Filters": {"Region": region}}
                for group in pages(listed, "GroupedResourceCounts", **request):
                    counts[str(group["GroupName"]), region] += int(group["ResourceCount"])
            return counts

        return attempt(read)

    def _organization_packs(self, region: str) -> Read[frozenset[str]]:
        listed = self._client("config", region).describe_organization_conformance_packs
        member = "OrganizationConformancePacks"
        return attempt(lambda: frozenset(str(p["OrganizationConformancePackName"]) for p in pages(listed, member)))

    def _stack_sets(self) -> list[str]:
        listed = self._client("cloudformation").list_stack_sets
        return [str(each["StackSetName"]) for each in pages(listed, "Summaries", Status="ACTIVE", **AS_ADMINISTRATOR)]

    def _named(self, caller: str) -> Iterator[Named]:
        cloudformation = self._client("cloudformation")
        for name in self._stack_sets():
            if name.startswith(MEMBER_PREFIX):
                described = attempt(
                    lambda name=name: cloudformation.describe_stack_set(StackSetName=name, **AS_ADMINISTRATOR)["StackSet"]  # type: ignore[misc]
                )
                yield Named("StackSet", name, described if isinstance(described, Unread) else tagged(described.get("Tags")))
        yield from self._stacks(ADMIN_STACK, self.home)
        for region in self.regions:
            stacks = list(self._stacks(ARTIFACTS_STACK, region))
            yield from stacks
            bucket = artifacts_bucket(caller, region)
            there = self._bucket(bucket, region, caller)
            if there is not False:
                yield Named("bucket", bucket, there if isinstance(there, Unread) else any(s.ours is True for s in stacks))

    def _stacks(self, name: str, region: str) -> Iterator[Named]:
        try:
            stacks = self._client("cloudformation", region).describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return
            yield Named("stack", f"{name} in {region}", Unread(reason_of(error)))
            return
        for stack in stacks:
            yield Named("stack", f"{name} in {region}", tagged(stack.get("Tags")))

    def _bucket(self, name: str, region: str, owner: str) -> Read[bool]:
        """Whether it is there; of somebody else's, S3 says only that it may not be read."""
        try:
            self._client("s3", region).head_bucket(Bucket=name, ExpectedBucketOwner=owner)
        except ClientError as error:
            return False if code_of(error) in ("404", "NoSuchBucket", "NotFound") else Unread(reason_of(error))
        return True

    def _limits(self) -> dict[str, int]:
        listed = self._client("service-quotas").list_service_quotas
        return {
            str(quota["QuotaName"]).lower(): int(quota["Value"])
            for quota in pages(listed, "Quotas", ServiceCode="config")
            if "Value" in quota and "ErrorReason" not in quota
        }

    # ---------------------------------------------------------------------------------------------------- in accounts

    def _entered(
        self, caller: str, members: Read[Mapping[str, str]], enter: Enter | None, tell: Callable[[str], None]
    ) -> tuple[dict[str, Clients], dict[str, str]]:
        """Clients of every account that can be entered, the caller's own among them, and why the others cannot."""
        entered: dict[str, Clients] = {caller: self.clients}
        refused: dict[str, str] = {}
        others = [] if isinstance(members, Unread) else sorted(set(members) - {caller})
        if enter is None:
            return entered, dict.fromkeys(others, "no role is named")
        tell(f"entering {len(others)} accounts")
        with ThreadPoolExecutor(WORKERS) as pool:
            for account, answer in zip(others, pool.map(enter, others), strict=True):
                if isinstance(answer, str):
                    refused[account] = answer
                else:
                    entered[account] = answer
        return entered, refused

    def _in_accounts(
        self, entered: Mapping[str, Clients], tell: Callable[[str], None]
    ) -> tuple[dict[str, AccountFacts], dict[Place, PlaceFacts]]:
        work = [(account, region) for account in entered for region in self.regions]
        with ThreadPoolExecutor(WORKERS) as pool:
            accounts = dict(zip(entered, pool.map(lambda a: account_facts(entered[a], self.home), entered), strict=True))
            places = {}
            for place, facts in zip(work, pool.map(lambda w: place_facts(entered[w[0]], w[1]), work), strict=True):
                places[place] = facts
                tell(f"{place[0]} {place[1]}")
        return accounts, places


def _names_of(accounts: Iterator[Mapping[str, Any]]) -> dict[str, str]:
    """Active accounts with their names."""
    return {str(a["Id"]): str(a.get("Name", "")) for a in accounts if (a.get("State") or a.get("Status")) == "ACTIVE"}
