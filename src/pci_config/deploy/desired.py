"""What should be there: stacks, StackSets and packs, from a release and rdk.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from pci_config.deploy.deployer import Deployer, absent
from pci_config.deploy.problems import DeployError, code_of, doing
from pci_config.deploy.release import Release
from pci_config.org_names import (
    ADMIN_STACK,
    ARTIFACTS_STACK,
    BUNDLE_TAG,
    GLOBAL_PACK,
    GLOBAL_STACK_SET,
    PREFIX,
    TAG,
    TAG_VALUE,
    VERSION_TAG,
    artifacts_bucket_prefix,
    bundle_key,
)

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
MOST_EXCLUDED = 1000  # PutOrganizationConformancePack, ExcludedAccounts
EVIDENCE_RESOURCE = "EvidenceBucket"


@dataclass(frozen=True)
class StackSpec:
    """A StackSet, or a stack of the deploying account in each of the Regions. `template` is its hash."""

    name: str
    template: str
    regions: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackSpec:
    name: str
    region: str
    template: str
    excluded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Desired:
    release: Release
    artifacts: StackSpec
    admin: StackSpec
    members: tuple[StackSpec, ...]  # those that others depend on first
    packs: tuple[PackSpec, ...]


def desired(deployer: Deployer, release: Release) -> Desired:
    """Everything. Raises DeployError for what rdk.json asks and this version cannot do."""
    _refuse_unsupported(deployer)
    organization = "" if deployer.single else deployer.organization.id
    tags = {TAG: TAG_VALUE, VERSION_TAG: release.version}
    own = {"OrganizationId": organization}
    admin = dict(own)
    if deployer.rdk_json.evidence_bucket:
        admin["CreateEvidenceBucket"] = "true" if creates_evidence_bucket(deployer) else "false"
    return Desired(
        release,
        StackSpec(ARTIFACTS_STACK, release.templates["artifacts"], deployer.regions, own, tags),
        StackSpec(ADMIN_STACK, release.templates["delegated_admin"], (deployer.home,), admin, tags),
        tuple(_members(deployer, release, tags)),
        tuple(_packs(deployer, release)),
    )


def desired_of_management(deployer: Deployer, release: Release) -> tuple[StackSpec, ...]:
    """Stacks of the management account: those of every member, in the version that the members have."""
    _refuse_unsupported(deployer)
    return tuple(_members(deployer, release, {TAG: TAG_VALUE, VERSION_TAG: release.version}))


def _refuse_unsupported(deployer: Deployer) -> None:
    where, deployment = deployer.rdk_json.path, deployer.deployment
    if deployment.recorder == "create":
        raise DeployError(
            f"{where}: Deployment.Recorder: 'create' cannot be deployed yet", "have recorders in every account, use 'existing'"
        )
    if deployer.single:
        return
    if deployment.packs == "stackset":
        raise DeployError(f"{where}: Deployment.Packs: 'stackset' cannot be deployed yet", "use 'organization'")


def _members(deployer: Deployer, release: Release, tags: Mapping[str, str]) -> Iterator[StackSpec]:
    for folder, template in sorted(release.templates.items(), key=lambda entry: (entry[0] != "member_global", entry[0])):
        if not folder.startswith("member_"):
            continue
        name = f"{PREFIX}-{folder.replace('_', '-')}"
        if folder == "member_global":
            parameters = {"EvidenceBucket": deployer.rdk_json.evidence_bucket or "none"}
            yield StackSpec(name, template, (deployer.home,), parameters, tags)
        elif folder == "member_regional":
            code = {
                "CodeBucketPrefix": artifacts_bucket_prefix(deployer.artefacts_account),
                "CodeKey": bundle_key(release.bundle),
            }
            tags_of_bundle = {**tags, BUNDLE_TAG: release.bundle}
            yield StackSpec(name, template, deployer.regions, code, tags_of_bundle, (GLOBAL_STACK_SET,))
        else:
            yield StackSpec(name, template, deployer.regions, {}, tags, (GLOBAL_STACK_SET,))


def _packs(deployer: Deployer, release: Release) -> Iterator[PackSpec]:
    """An organization pack goes to every account that it does not exclude, also where there are no stacks."""
    excluded = frozenset[str]()
    if not deployer.single:
        excluded = deployer.organization.active - deployer.pack_accounts
        if len(excluded) > MOST_EXCLUDED:
            raise DeployError(
                f"an organization pack can leave out {MOST_EXCLUDED} accounts, and {len(excluded)} are not to be deployed to",
                "deploy to more units (Deployment.OrganizationalUnits)",
            )
    for region in deployer.regions:
        for name, template in release.packs.items():
            if name != GLOBAL_PACK or region == deployer.home:
                yield PackSpec(name, region, template, excluded)


def creates_evidence_bucket(deployer: Deployer) -> bool:
    """Whether the stack makes the bucket: it did already, or there is none. One that a former stack left stays as it is."""
    with doing(f"look at the resources of {ADMIN_STACK} (cloudformation:DescribeStackResource)"):
        try:
            request = {"StackName": ADMIN_STACK, "LogicalResourceId": EVIDENCE_RESOURCE}
            detail = deployer.client("cloudformation").describe_stack_resource(**request)["StackResourceDetail"]
            if not str(detail["ResourceStatus"]).startswith("DELETE"):
                return True
        except ClientError as error:
            if code_of(error) != "ValidationError":  # no such stack, or no such resource in it
                raise
    bucket = deployer.rdk_json.evidence_bucket or ""
    try:
        deployer.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        return absent(error)
    return False
