"""Conformance packs of an organization as they run: into every member account of a Region, a few accounts with every call.

Sources: AWS Config API reference (PutOrganizationConformancePack, OrganizationConformancePackStatus and -DetailedStatus,
ResourceInUseException, PutConfigRule's exceptions) and developer guide (organization conformance packs: what members need, and
seven hours for a recorder). For the role's account see `of_member`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.config.models import config_backends
from moto.ssm.models import ssm_backends

from pci_config.sandbox.config_service import deploy_pack, pseudo_parameters, remove_pack
from pci_config.sandbox.organization_tree import ACTIVE, state_of_account
from pci_config.sandbox.pack_template import ALLOWED_TYPES, PackRefusedError, PackResource, evaluate

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"
SUCCESSFUL, IN_PROGRESS, FAILED = "SUCCESSFUL", "IN_PROGRESS", "FAILED"
NO_RECORDER = "NoAvailableConfigurationRecorderException"
NOT_INVOCABLE = "InsufficientPermissionsException"
NO_DOCUMENT = "ResourceNotFoundException"
CONFIG = "config.amazonaws.com"
RETRIES = 7  # hours that a new account's missing recorder is waited for; here, calls


class MemberFailure(Exception):
    """Why a pack cannot be in an account: the code and the text of its status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Faults:
    """What goes wrong, to be changed in place.

    failing: accounts where the pack fails, with the reason; throttled: asked before every answer, with the operation and the
    request; steps: calls in which all accounts are done, after one that only begins; held: nothing makes progress.
    """

    failing: dict[str, str] = field(default_factory=dict)
    throttled: Callable[[str, Mapping[str, Any]], bool] = lambda _operation, _request: False
    steps: int = 2
    held: bool = False


@dataclass
class Member:
    """A pack in one account. `retries`: how often a recorder that a new account lacks is still waited for."""

    account: str
    action: str = CREATE
    state: str = IN_PROGRESS
    code: str = ""
    message: str = ""
    retries: int = 0
    there: bool = False
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def status(self) -> str:
        return f"{self.action}_{self.state}"


@dataclass
class OrganizationPack:
    """As it was put, with what became of it in each account."""

    name: str
    text: str
    max_bytes: int
    given: dict[str, str]
    excluded: list[str]
    delivery: dict[str, str]
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    action: str = CREATE
    waits: int = 1
    members: dict[str, Member] = field(default_factory=dict)
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def member_name(self) -> str:
        return f"OrgConformsPack-{self.name}-{self.id}"

    @property
    def waiting(self) -> list[Member]:
        return [member for _, member in sorted(self.members.items()) if member.state == IN_PROGRESS]

    @property
    def status(self) -> str:
        """One account that fails makes the whole fail; the others keep their rules."""
        if self.waiting or self.waits:
            return f"{self.action}_{IN_PROGRESS}"
        failed = any(member.state == FAILED for member in self.members.values())
        return f"{self.action}_{FAILED if failed else SUCCESSFUL}"


@dataclass
class OrganizationPacks:
    """The packs that one account put in one Region. Those of another account are not seen."""

    organization: Any
    deployer: str
    region: str
    packs: dict[str, OrganizationPack] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def put(self, wanted: OrganizationPack) -> OrganizationPack:
        """Create, or update every account: also those where nothing has changed."""
        pack = self.packs.setdefault(wanted.name, wanted)
        if pack is not wanted:
            pack.text, pack.max_bytes, pack.given = wanted.text, wanted.max_bytes, wanted.given
            pack.excluded, pack.delivery, pack.action = wanted.excluded, wanted.delivery, UPDATE
            pack.updated, pack.waits = datetime.now(UTC), 1
        accounts = self.accounts(pack)
        for account in accounts:
            before = pack.members.get(account)
            there = before is not None and before.there
            pack.members[account] = Member(account, UPDATE if there else CREATE, there=there)
        for account in [account for account in pack.members if account in pack.excluded]:
            pack.members[account] = Member(account, DELETE)
        return pack

    def delete(self, pack: OrganizationPack) -> None:
        pack.action, pack.waits, pack.updated = DELETE, 1, datetime.now(UTC)
        for account, member in pack.members.items():
            pack.members[account] = Member(account, DELETE, there=member.there)

    def step(self) -> None:
        """One step of time: some accounts of every pack that is in progress, and accounts that joined or left."""
        if self.faults.held:
            return
        for name, pack in list(self.packs.items()):
            if pack.waits:
                pack.waits -= 1
                continue
            if pack.action != DELETE:
                self._notice_accounts(pack)
            at_once = -(-len(pack.members) // max(1, self.faults.steps))
            for member in pack.waiting[:at_once]:
                self._perform(pack, member)
            for account, member in list(pack.members.items()):
                if member.status == f"{DELETE}_{SUCCESSFUL}":
                    del pack.members[account]
            if pack.action == DELETE and not pack.members:
                del self.packs[name]

    def accounts(self, pack: OrganizationPack) -> list[str]:
        """Every active account of the organization, the management account among them, but those that are excluded."""
        ids = [account.id for account in list(self.organization.accounts)]
        return sorted(one for one in ids if one not in pack.excluded and state_of_account(self.organization, one) == ACTIVE)

    def _notice_accounts(self, pack: OrganizationPack) -> None:
        accounts = self.accounts(pack)
        for account in accounts:
            if account not in pack.members:
                pack.action = UPDATE
                pack.members[account] = Member(account, retries=RETRIES)
        for account in [account for account in pack.members if not state_of_account(self.organization, account)]:
            del pack.members[account]  # it has left the organization
            remove_pack(config_backends[account][self.region], pack.member_name)

    def _perform(self, pack: OrganizationPack, member: Member) -> None:
        member.updated = datetime.now(UTC)
        try:
            if member.account in self.faults.failing:
                raise MemberFailure("InternalError", self.faults.failing[member.account])
            if member.action == DELETE:
                remove_pack(config_backends[member.account][self.region], pack.member_name)
            else:
                self._deploy(pack, member.account)
                member.there = True
        except MemberFailure as failure:
            if failure.code == NO_RECORDER and member.retries > 0:
                member.retries -= 1
                return
            member.state, member.code, member.message = FAILED, failure.code, failure.message
        else:
            member.state, member.code, member.message = SUCCESSFUL, "", ""

    def _deploy(self, pack: OrganizationPack, account: str) -> None:
        backend = config_backends[account][self.region]
        try:
            found = evaluate(pack.text, pack.given, pseudo_parameters(backend), pack.max_bytes)
            resources = [
                PackResource(one.logical_id, one.type, of_member(one.properties, self.deployer, account)) for one in found
            ]
            check_member(backend, resources)
            deployed = deploy_pack(backend, pack.member_name, resources)
        except PackRefusedError as error:
            raise MemberFailure("ConformancePackTemplateValidationException", str(error)) from None
        except MemberFailure:
            raise
        except Exception as error:
            code = getattr(error, "error_type", "") or getattr(error, "code", "") or type(error).__name__
            raise MemberFailure(str(code), str(getattr(error, "message", error))) from None
        deployed["organization"] = True


def of_member(value: Any, deployer: str, account: str) -> Any:
    """A pack names the deployer's role as a literal, and Config puts the member's account id in its place.

    No document says so, but AWS's own samples work only if it does (aws-config-tagging-remediation-example,
    aws-cloud-compliance-assurance).
    """
    if isinstance(value, str):
        return value.replace(f"arn:aws:iam::{deployer}:role/", f"arn:aws:iam::{account}:role/")
    if isinstance(value, Mapping):
        return {key: of_member(entry, deployer, account) for key, entry in value.items()}
    return [of_member(entry, deployer, account) for entry in value] if isinstance(value, list) else value


def check_member(backend: Any, resources: Iterable[PackResource]) -> None:
    """What an account must have before a pack can be in it. Raises MemberFailure."""
    if not backend.recorders:
        raise MemberFailure(NO_RECORDER, "Configuration recorder is not available to put the Config rules.")
    for resource in resources:
        if resource.type == ALLOWED_TYPES[0]:
            source = resource.properties["Source"]
            if source["Owner"] == "CUSTOM_LAMBDA" and not invocable(source["SourceIdentifier"], backend.account_id):
                raise MemberFailure(
                    NOT_INVOCABLE,
                    f"The AWS Lambda function {source['SourceIdentifier']} cannot be invoked. "
                    "Check the specified function ARN, and check the function's permissions.",
                )
        elif not _has_document(resource.properties["TargetId"], backend):
            raise MemberFailure(NO_DOCUMENT, f"The document {resource.properties['TargetId']} does not exist.")


def invocable(arn: str, account: str) -> bool:
    """Whether the function is there and its policy lets Config invoke it for this account."""
    _, _, service, region, owner, *rest = [*arn.split(":"), "", "", "", "", ""]
    if service != "lambda" or not owner:
        return False
    backend = lambda_backends[owner][region]
    try:
        function = backend.get_function(rest[1])
    except Exception:
        return False
    return any(_allows(statement, account) for statement in function.policy.statements)


def _allows(statement: Mapping[str, Any], account: str) -> bool:
    principal = statement.get("Principal") or {}
    service = principal.get("Service") if isinstance(principal, Mapping) else principal
    wanted = [
        value
        for conditions in (statement.get("Condition") or {}).values()
        for key, value in conditions.items()
        if key.lower() == "aws:sourceaccount"
    ]
    return (
        statement.get("Effect") == "Allow"
        and CONFIG in (service if isinstance(service, list) else [service])
        and statement.get("Action") in ("lambda:InvokeFunction", "lambda:*")
        and all(account == value or account in value for value in wanted)
    )


def _has_document(target: str, backend: Any) -> bool:
    """By name in the account and Region, or by ARN where the owner has it. AWS's own documents are always there."""
    owner, region, name = backend.account_id, backend.region_name, target
    if target.startswith("arn:"):
        parts = target.split(":", 5)
        region, owner, name = parts[3], parts[4], parts[5].removeprefix("document/")
    return name.startswith("AWS-") or name in ssm_backends[owner][region]._documents
