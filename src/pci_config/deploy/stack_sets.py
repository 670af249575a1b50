"""What StackSets of service-managed permissions are, as AWS tells, and what differs from what they should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.changes import CREATE, RETRY, UNCHANGED, UPDATE, Change
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import StackSpec
from pci_config.deploy.problems import Failure, code_of, doing
from pci_config.deploy.release import Store
from pci_config.deploy.templates import parameter_differences, same_template
from pci_config.org_names import MEMBER_PREFIX, TAG, TAG_VALUE, template_key

STACK_SET = "stack set"
AS_ADMINISTRATOR = {"CallAs": "DELEGATED_ADMIN"}
Place = tuple[str, str]  # account, Region
SKIPPED = "SKIPPED_SUSPENDED_ACCOUNT"


@dataclass(frozen=True)
class Instance:
    account: str
    region: str
    status: str
    detailed: str
    reason: str
    unit: str

    @property
    def place(self) -> Place:
        return self.account, self.region

    @property
    def failure(self) -> str:
        return self.reason or f"the stack instance is {self.status} ({self.detailed or 'not deployed yet'})"


@dataclass(frozen=True)
class StackSetState:
    name: str
    arn: str
    described: Mapping[str, Any] = field(default_factory=dict)
    instances: Mapping[Place, Instance] = field(default_factory=dict)

    @property
    def units(self) -> frozenset[str]:
        return frozenset(self.described.get("OrganizationalUnitIds") or ()) or frozenset(
            instance.unit for instance in self.instances.values() if instance.unit
        )


def read_stack_set(deployer: Deployer, name: str) -> StackSetState | None:
    with doing(f"read the StackSet {name} (cloudformation:DescribeStackSet, ListStackInstances)"):
        try:
            client = deployer.client("cloudformation")
            described = client.describe_stack_set(StackSetName=name, **AS_ADMINISTRATOR)["StackSet"]
        except ClientError as error:
            if code_of(error).startswith("StackSetNotFound"):
                return None
            raise
        summaries = deployer.pages(
            "cloudformation", "list_stack_instances", "Summaries", StackSetName=name, MaxResults=100, **AS_ADMINISTRATOR
        )
        instances = [_instance(summary) for summary in summaries]
    return StackSetState(name, described["StackSetARN"], described, {instance.place: instance for instance in instances})


def _instance(summary: Mapping[str, Any]) -> Instance:
    detailed = (summary.get("StackInstanceStatus") or {}).get("DetailedStatus") or ""
    unit = summary.get("OrganizationalUnitId") or ""
    return Instance(summary["Account"], summary["Region"], summary["Status"], detailed, summary.get("StatusReason") or "", unit)


def names_of_stack_sets(deployer: Deployer) -> list[str]:
    """Every StackSet of ours that there is."""
    with doing("list the StackSets (cloudformation:ListStackSets)"):
        summaries = deployer.pages(
            "cloudformation", "list_stack_sets", "Summaries", Status="ACTIVE", MaxResults=100, **AS_ADMINISTRATOR
        )
        return sorted(entry["StackSetName"] for entry in summaries if entry["StackSetName"].startswith(MEMBER_PREFIX))


def automatic_deployment(spec: StackSpec, arns: Mapping[str, str]) -> dict[str, Any]:
    """Accounts that join get the stacks, those of what it depends on first; accounts that leave keep none."""
    depends = [arns[name] for name in spec.depends_on if name in arns]
    wanted: dict[str, Any] = {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    return {**wanted, "DependsOn": depends} if depends else wanted


def differences(store: Store, spec: StackSpec, state: StackSetState, arns: Mapping[str, str]) -> Iterator[str]:
    """What UpdateStackSet is to change. Tags of version and bundle follow other changes, and make none by themselves."""
    described = state.described
    if not same_template(described.get("TemplateBody") or "{}", store.text(template_key(spec.template))):
        yield "template"
    yield from parameter_differences(spec, described.get("Parameters") or ())
    tags = {entry["Key"]: entry["Value"] for entry in described.get("Tags") or ()}
    if tags.get(TAG) != TAG_VALUE:
        yield f"tag {TAG}"
    wanted, has = automatic_deployment(spec, arns), described.get("AutoDeployment") or {}
    if any(has.get(key) != value for key, value in wanted.items()):
        yield "automatic deployment"
    if not (described.get("ManagedExecution") or {}).get("Active"):
        yield "managed execution"


@dataclass(frozen=True)
class Gaps:
    """Where instances are not as they should be. `retried`: there, and not deployed; `surplus`: to go."""

    missing: frozenset[Place]
    retried: frozenset[Place]
    surplus: frozenset[Place]
    units_gone: frozenset[str]

    def __iter__(self) -> Iterator[str]:
        """In words."""
        told = (("add", self.missing), ("try again in", self.retried), ("remove from", self.surplus))
        yield from (f"{word} {counted_places(places)}" for word, places in told if places)
        yield from (f"no longer deploy to {unit}" for unit in sorted(self.units_gone))


def gaps(deployer: Deployer, spec: StackSpec, state: StackSetState) -> Gaps:
    """An account that is suspended or left keeps what it has until AWS removes it."""
    organization = deployer.organization
    wanted = {(account, region) for account in organization.members for region in spec.regions}
    there = state.instances
    retried = {place for place in wanted & set(there) if there[place].status != "CURRENT"}
    surplus = {
        (account, region)
        for account, region in there
        if region not in spec.regions or (account in deployer.excluded and account in organization.active)
    }
    gone = state.units - set(organization.units)
    return Gaps(frozenset(wanted - set(there)), frozenset(retried), frozenset(surplus), frozenset(gone))


def stack_set_change(
    deployer: Deployer, store: Store, spec: StackSpec, state: StackSetState | None, arns: Mapping[str, str]
) -> Change:
    """What has to be done to the StackSet and its instances."""
    if state is None:
        places = [(account, region) for account in deployer.organization.members for region in spec.regions]
        return Change(STACK_SET, spec.name, deployer.home, CREATE, (f"add {counted_places(places)}",))
    found = [*differences(store, spec, state, arns)]
    open_gaps = gaps(deployer, spec, state)
    only_retried = bool(open_gaps.retried) and not (found or open_gaps.missing or open_gaps.surplus or open_gaps.units_gone)
    told = (*found, *open_gaps)
    return Change(STACK_SET, spec.name, deployer.home, RETRY if only_retried else UPDATE if told else UNCHANGED, told)


def counted_places(places: Iterable[Place]) -> str:
    """`12 accounts in eu-west-1, 1 account (333333333333) in us-east-1`."""
    by_region: dict[str, list[str]] = defaultdict(list)
    for account, region in sorted(places):
        by_region[region].append(account)
    return ", ".join(
        f"{len(accounts)} account{'s' if len(accounts) > 1 else ''}"
        + (f" ({', '.join(accounts)})" if len(accounts) <= 3 else "")
        + f" in {region}"
        for region, accounts in by_region.items()
    )


def failures(deployer: Deployer, spec: StackSpec, state: StackSetState) -> list[Failure]:
    """Accounts that do not have what they should, by name and with the reason."""
    found = []
    for account in sorted(deployer.organization.members):
        for region in spec.regions:
            instance = state.instances.get((account, region))
            if instance is None or instance.status != "CURRENT":
                reason = instance.failure if instance else "there is no stack instance yet"
                found.append(Failure.because(account, region, spec.name, reason))
    return found
