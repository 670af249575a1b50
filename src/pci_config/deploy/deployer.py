"""Who deploys, and where to: clients by service and Region, and what Organizations says about the accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

from pci_config import __version__
from pci_config.deploy.problems import DENIED, REGISTER, DeployError, code_of, doing
from pci_config.deploy.waiting import Waiting
from pci_config.org_names import artifacts_bucket
from pci_config.rdk_json import DeploymentModel, RdkJson

# throttled calls are tried again by botocore, with growing pauses
CLIENT = Config(retries={"mode": "standard", "max_attempts": 10}, connect_timeout=10, read_timeout=60)


class Session(Protocol):
    def client(self, service: str, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Organization:
    """`members`: active accounts below the units of rdk.json, without those that are left out; `units`: those units."""

    id: str
    management: str
    units: tuple[str, ...]
    members: frozenset[str]
    active: frozenset[str]


@dataclass
class Deployer:
    """The account whose credentials are used. `single`: it alone is deployed to, and there is no organization. `management`: it
    is the management account, which StackSets do not reach and which gets the members' templates as stacks of its own."""

    session: Session
    rdk_json: RdkJson
    single: bool = False
    waiting: Waiting = field(default_factory=Waiting)
    tell: Callable[[str], None] = lambda _: None
    management: bool = False
    version: str = __version__
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = "") -> Any:
        key = service, region or self.home
        if key not in self._clients:
            self._clients[key] = self.session.client(service, region_name=key[1], config=CLIENT)
        return self._clients[key]

    def pages(self, service: str, operation: str, member: str, region: str = "", **request: Any) -> Iterator[Any]:
        """Every entry of a paged answer."""
        token: dict[str, str] = {}
        while True:
            answer = getattr(self.client(service, region), operation)(**request, **token)
            yield from answer.get(member) or []
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    @property
    def home(self) -> str:
        return self.rdk_json.settings.home_region

    @property
    def regions(self) -> tuple[str, ...]:
        """The home Region first."""
        return (self.home, *(region for region in self.rdk_json.settings.regions if region != self.home))

    @property
    def deployment(self) -> DeploymentModel:
        return self.rdk_json.model.deployment

    def bucket(self, region: str) -> str:
        return artifacts_bucket(self.artefacts_account, region)

    @property
    def artefacts_account(self) -> str:
        """Whose buckets have the artefacts."""
        if not self.management:
            return self.account
        owners = self.rdk_json.settings.accounts.get("delegated_admin") or ("",)
        return owners[0]

    @cached_property
    def account(self) -> str:
        """The caller's account. Raises DeployError when it is not the delegated administrator of rdk.json."""
        with doing("ask who the caller is (sts:GetCallerIdentity)"):
            account = str(self.client("sts").get_caller_identity()["Account"])
        expected = self.rdk_json.settings.accounts.get("delegated_admin", ())
        if self.management:
            return self._checked_management(account)
        if not self.single and account not in expected:
            raise DeployError(
                f"the credentials are of account {account}; {self.rdk_json.path}: Accounts.delegated_admin is "
                f"{' or '.join(expected) or 'not set'}",
                "use that account's credentials (--profile, --role), or --single-account to deploy to the caller's own account",
            )
        return account

    def _checked_management(self, account: str) -> str:
        if account != self.organization.management:
            raise DeployError(
                f"the credentials are of account {account}; the management account is {self.organization.management}",
                "use that account's credentials (--profile, --role), or leave --management-account away",
            )
        return account

    @property
    def pack_accounts(self) -> frozenset[str]:
        """Accounts that are to have the packs."""
        organization = self.organization
        return organization.members | ({organization.management} if self.deployment.management_account else set())

    @cached_property
    def organization(self) -> Organization:
        with doing("read the organization (organizations:DescribeOrganization, ListAccounts, ListRoots)", REGISTER):
            described = self.client("organizations").describe_organization()["Organization"]
            units = tuple(self.deployment.organizational_units) or (self._root(),)
            active = self._active(self.pages("organizations", "list_accounts", "Accounts"))
            whole = any(unit.startswith("r-") for unit in units)
            inside = active if whole else frozenset(account for unit in units for account in self._below(unit))
        management = described["MasterAccountId"]
        members = inside & active - {management} - self.excluded
        if not members:
            raise DeployError("no account is to be deployed to", "see Deployment.OrganizationalUnits and ExcludedAccounts")
        return Organization(described["Id"], management, units, members, active)

    @property
    def excluded(self) -> frozenset[str]:
        return frozenset(self.deployment.excluded_accounts)

    def _root(self) -> str:
        roots: list[dict[str, Any]] = self.client("organizations").list_roots()["Roots"]
        return str(roots[0]["Id"])

    def _below(self, unit: str) -> frozenset[str]:
        """Accounts of a unit and of the units in it."""
        accounts = self._active(self.pages("organizations", "list_accounts_for_parent", "Accounts", ParentId=unit))
        units = self.pages("organizations", "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=unit)
        return accounts.union(*(self._below(child["Id"]) for child in units))

    @staticmethod
    def _active(accounts: Iterator[Any]) -> frozenset[str]:
        return frozenset(a["Id"] for a in accounts if (a.get("State") or a.get("Status")) == "ACTIVE")


def absent(error: ClientError) -> bool:
    """S3 says that an object or bucket is not there. Without s3:ListBucket it would say that it may not be read."""
    return code_of(error) in ("404", "NoSuchKey", "NoSuchBucket", "NotFound")


def denied(error: ClientError) -> bool:
    return code_of(error) in (*DENIED, "403")


def session(profile: str | None, role: str | None, region: str) -> Session:
    """A session of the profile, or of the role that it assumes. Raises DeployError."""
    import boto3  # noqa: PLC0415 - takes a moment
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

    try:
        own: Session = boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        raise DeployError(str(error), "see `aws configure list-profiles`") from None
    if not role:
        return own
    with doing(f"assume the role {role}"):
        keys = own.client("sts").assume_role(RoleArn=role, RoleSessionName="pci-config")["Credentials"]
    assumed: Session = boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=region,
    )
    return assumed
