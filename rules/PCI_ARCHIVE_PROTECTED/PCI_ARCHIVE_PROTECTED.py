"""PCI_ARCHIVE_PROTECTED: nobody can alter, delete or publish an audit log in the central archive."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from pci_config.archive_bucket import (
    BLOCKS,
    acl_fault,
    encryption_fault,
    is_archive,
    is_tagged_archive,
    lock_fault,
    open_to_public,
    versioning_fault,
)
from pci_config.archive_policy import (
    LOG_SERVICES,
    Owners,
    Places,
    accepts_plain_http,
    changers,
    names_organization,
    readers,
    writers,
)
from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import Policy, parse_policy
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    ItemIndex,
    Lookup,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    choice,
    compliant,
    counted,
    integer,
    non_compliant,
    not_applicable,
    optional,
    required,
    words,
)
from pci_config.settings import SettingMissing

BUCKET, ACCOUNT_BLOCK = "AWS::S3::Bucket", "AWS::S3::AccountPublicAccessBlock"
ENFORCED = "BucketOwnerEnforced"
Gap = tuple[str, str]  # what is wrong, and the requirement that wants it otherwise


@dataclass(frozen=True, slots=True)
class ArchiveParameters:
    """`unlocked_buckets`: those that AWS Config or S3 server access logs deliver to, which Object Lock would stop.
    `organization_ids`: when empty, AWS is asked. `more_log_services`: service principals
    that may write besides AWS's own log services."""

    retention_mode: str = choice("GOVERNANCE", ("GOVERNANCE", "COMPLIANCE"))
    retention_days: int = integer(365, 365, 36500)
    unlocked_buckets: tuple[str, ...] = words(
        pattern=r"[a-z0-9.*?-]{3,63}", expected="bucket names or patterns, separated by commas"
    )
    organization_ids: tuple[str, ...] = words(pattern=r"o-[a-z0-9]{10,32}", expected="organization ids, separated by commas")
    more_log_services: tuple[str, ...] = words(
        pattern=r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", expected="service principals, separated by commas"
    )


class AccountPublicAccessBlock(Lookup[Mapping[str, bool]]):
    """The public access settings of the account as a whole, in AWS Config's spelling; empty when never set."""

    actions = ("s3:GetAccountPublicAccessBlock",)
    resource_types = (ACCOUNT_BLOCK,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, bool]:
        try:
            found = clients.build_client("s3control").get_public_access_block(AccountId=scope.account_id)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration":
                return {}
            raise
        return {name: found["PublicAccessBlockConfiguration"].get(name[0].upper() + name[1:], False) for name in BLOCKS}

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Mapping[str, bool]:
        (item,) = items.find(ACCOUNT_BLOCK, scope.account_id, scope.region)
        return {name: optional(item, f"configuration.{name}", bool, False) for name in BLOCKS}


class ObjectOwnership(Lookup[str | None]):
    """The ownership rule of a bucket, by name; None when there is none. AWS Config does not record it."""

    actions = ("s3:GetBucketOwnershipControls",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> str | None:
        try:
            found = clients.build_client("s3", scope.region).get_bucket_ownership_controls(Bucket=key[0])
        except ClientError as error:
            if error.response["Error"]["Code"] == "OwnershipControlsNotFoundError":
                return None
            raise
        return str(found["OwnershipControls"]["Rules"][0]["ObjectOwnership"])


class OwnOrganization(Lookup[str | None]):
    """The id of the organization that the account belongs to; None when it belongs to none. Not recorded."""

    actions = ("organizations:DescribeOrganization",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> str | None:
        try:
            return str(clients.build_client("organizations").describe_organization()["Organization"]["Id"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "AWSOrganizationsNotInUseException":
                return None
            raise


class PciArchiveProtected(PciRule):
    """Every archive bucket keeps its objects unaltered and private: the name, a pattern of rdk.json or the tag
    `pci:log-archive` = true makes a bucket an archive.

    PCI DSS 4.0.1: 10.3.1, 10.3.2, 10.3.3, 10.3.4. 3.2.1: 10.5.1, 10.5.2, 10.5.3, 10.5.5. Source: Amazon S3 user guide, Object
    Lock, Object Ownership, "Blocking public access"; the bucket policies that CloudTrail, AWS Config, CloudWatch Logs and
    Elastic Load Balancing ask for.

    | bucket | verdict |
    |---|---|
    | no archive | not applicable |
    | named as an archive, but held by another account than LogArchive.Account | non-compliant |
    | Object Lock off, no default retention, shorter than RetentionDays or weaker than RetentionMode | non-compliant |
    | the same in a bucket of UnlockedBuckets | not asked for |
    | the policy lets others than the bucket's account delete, or change what protects the logs | non-compliant |
    | the policy lets others write than log services for the organization, and the organization | non-compliant |
    | the policy lets others read than the bucket's account and named roles of the organization | non-compliant |
    | versioning not enabled (MFA delete is not asked for: it forbids the lifecycle) | non-compliant |
    | a public access setting off in the bucket and in its account | non-compliant |
    | no Deny that refuses everyone everything over plain HTTP, on bucket and objects | non-compliant |
    | ACLs in force (ownership not BucketOwnerEnforced) or grants to others | non-compliant |
    | no default encryption, or under the AWS managed key | non-compliant; SSE-S3 is enough, all that load balancers can use |
    | all right | compliant |

    Services write for the organization when a condition says so (aws:SourceAccount, aws:SourceArn, aws:SourceOrgID,
    aws:SourceOrgPaths), load balancers also when the path names an account of the organization. Identity policies in the
    archive's account and the policies of keys are not judged here.
    """

    resource_types = (BUCKET,)
    parameters = ArchiveParameters
    lookups = (AccountPublicAccessBlock, ObjectOwnership, OwnOrganization)
    sweeps = True  # neither the account's settings nor the ownership rule are part of the item

    def decide(self, item: Item, parameters: ArchiveParameters, facts: Facts) -> Finding:
        if not is_archive(item, facts.scope.settings):
            return not_applicable("not an archive bucket")
        required(item, "supplementaryConfiguration", Mapping)
        gaps: list[Gap] = []
        unknown: NotAssessed | None = None
        parts: tuple[Callable[[Item, ArchiveParameters, Facts], list[Gap]], ...] = (
            place_gaps, lock_gaps, policy_gaps, versioning_gaps, public_gaps, http_gaps, ownership_gaps, encryption_gaps
        )  # fmt: skip
        for part in parts:
            try:
                gaps += part(item, parameters, facts)
            except NotAssessed as error:  # what is known to be wrong is wrong whatever else cannot be known
                unknown = unknown or error
        if gaps:
            return non_compliant(counted([text for text, _ in gaps], "gap", f" [PCI {gaps[0][1]}]"))
        if unknown:
            raise unknown
        locked = "protected without Object Lock" if is_unlocked(item, parameters) else "locked and protected"
        return compliant(f"{locked}: only log services and the organization write, nobody outside the account changes anything")


def place_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    """A tag makes an archive wherever the bucket is; the name alone does not let a bucket elsewhere pass for one."""
    del parameters
    settings, account = facts.scope.settings, required(item, "awsAccountId", str)
    if is_tagged_archive(item):
        return []
    if not settings.archive_account:
        raise SettingMissing("rdk.json: LogArchive.Account is not set; this rule needs it")
    if account == settings.archive_account:
        return []
    return [(f"named as an archive, but held by account {account}, not by {settings.archive_account}", "10.3.3")]


def is_unlocked(item: Item, parameters: ArchiveParameters) -> bool:
    name = required(item, "resourceId", str)
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in parameters.unlocked_buckets)


def lock_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    del facts
    if is_unlocked(item, parameters):
        return []
    fault = lock_fault(item, parameters.retention_mode, parameters.retention_days)
    return [(fault, "10.3.2")] if fault else []


def policy_of(item: Item) -> Policy | None:
    text = optional(item, "supplementaryConfiguration.BucketPolicy.policyText", str, "")
    if not text:
        return None
    try:
        return parse_policy(text, "policyText", "required")
    except PolicyError as error:
        raise RuleInputError(f"supplementaryConfiguration.BucketPolicy: {error}") from None


def places_of(item: Item) -> Places:
    return Places(optional(item, "ARN", str, "") or f"arn:aws:s3:::{required(item, 'resourceId', str)}")


def policy_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    policy, places = policy_of(item), places_of(item)
    if policy is None:
        return []  # lets in nobody outside the account; that plain HTTP stays open is another gap
    settings = facts.scope.settings
    account = required(item, "awsAccountId", str)
    accounts = frozenset(account for ids in settings.accounts.values() for account in ids)
    organizations = frozenset(parameters.organization_ids)
    if not organizations and names_organization(policy):
        own = facts.get(OwnOrganization)
        organizations = frozenset({own} if own else ())
    owners = Owners(account, accounts | {account}, organizations, (*LOG_SERVICES, *parameters.more_log_services))
    return [
        *((told, "10.3.2") for told in changers(policy, places, owners)),
        *((told, "10.3.2") for told in writers(policy, places, owners)),
        *((told, "10.3.1") for told in readers(policy, places, owners)),
    ]


def versioning_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    del parameters, facts
    fault = versioning_fault(item)
    return [(fault, "10.3.2")] if fault else []


def public_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    """The stricter of the bucket's and the account's settings counts."""
    del parameters
    off = open_to_public(item)
    if off:
        account = facts.get(AccountPublicAccessBlock)
        off = tuple(name for name in off if not account.get(name))
    return [(f"public access is not blocked: {', '.join(off)} off in bucket and account", "10.3.1")] if off else []


def http_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    del parameters, facts
    policy = policy_of(item)
    reached = accepts_plain_http(policy, places_of(item)) if policy else "the bucket and objects"
    return (
        [(f"{reached} can be reached over plain HTTP: deny everyone s3:* unless aws:SecureTransport", "10.3.1")]
        if reached
        else []
    )


def ownership_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    del parameters
    fault = acl_fault(item)
    if fault:
        return [(f"{fault}; enforce bucket ownership", "10.3.1")]
    found = facts.get(ObjectOwnership, required(item, "resourceId", str))
    return (
        [] if found == ENFORCED else [(f"ACLs are in force: ownership is {found or 'not set'}, expected {ENFORCED}", "10.3.1")]
    )


def encryption_gaps(item: Item, parameters: ArchiveParameters, facts: Facts) -> list[Gap]:
    del parameters, facts
    fault = encryption_fault(item)
    return [(fault, "10.3.2")] if fault else []


lambda_handler = PciArchiveProtected.as_lambda_handler()
