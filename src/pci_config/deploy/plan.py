"""What a deployment would do: the desired state against what AWS says. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.deploy.changes import ACTIONS, DELETE, UNCHANGED, Change
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import Desired, StackSpec
from pci_config.deploy.own_packs import own_pack_change
from pci_config.deploy.packs import pack_change, read_pack
from pci_config.deploy.release import Release, Store
from pci_config.deploy.stack_sets import STACK_SET, names_of_stack_sets, read_stack_set, stack_set_change
from pci_config.deploy.stacks import STACK, stack_change
from pci_config.org_names import DOCUMENTS_STACK_SET


@dataclass(frozen=True)
class Plan:
    account: str
    organization: str
    members: int
    release: Release
    deployed: Release | None
    changes: tuple[Change, ...]

    @property
    def to_do(self) -> list[Change]:
        return [change for change in self.changes if change.action != UNCHANGED]

    def counts(self) -> dict[str, int]:
        found = Counter(change.action for change in self.changes)
        return {action: found[action] for action in ACTIONS}

    def document(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "organization": self.organization or None,
            "accounts": self.members,
            "release": self.release.document(),
            "deployed": self.deployed.document() if self.deployed else None,
            "summary": self.counts(),
            "changes": [change.document() for change in self.changes],
        }


def plan_of_management(deployer: Deployer, store: Store, specs: Sequence[StackSpec], release: Release) -> Plan:
    return Plan(deployer.account, "", 1, release, release, tuple(_own_changes(deployer, store, specs)))


def make_plan(deployer: Deployer, store: Store, wanted: Desired) -> Plan:
    history = store.history()
    organization = None if deployer.single else deployer.organization
    return Plan(
        deployer.account,
        organization.id if organization else "",
        len(organization.members) if organization else 1,
        wanted.release,
        history.newest,
        tuple(_changes(deployer, store, wanted)),
    )


def _changes(deployer: Deployer, store: Store, wanted: Desired) -> Iterator[Change]:
    for region in wanted.artifacts.regions:
        yield stack_change(deployer, store, wanted.artifacts, region)
    yield stack_change(deployer, store, wanted.admin, deployer.home)
    if deployer.single:
        yield from _own_changes(deployer, store, wanted.members)
        yield from (own_pack_change(deployer, store, pack) for pack in wanted.packs)
        return
    arns = dict[str, str]()
    for spec in wanted.members:
        state = read_stack_set(deployer, spec.name)
        if state:
            arns[spec.name] = state.arn
        yield stack_set_change(deployer, store, spec, state, arns)
    yield from (Change(STACK_SET, name, deployer.home, DELETE) for name in surplus_stack_sets(deployer, wanted))
    for pack in wanted.packs:
        yield pack_change(deployer, pack, read_pack(deployer, store, pack.name, pack.region))


def _own_changes(deployer: Deployer, store: Store, specs: Sequence[StackSpec]) -> Iterator[Change]:
    for spec in specs:
        for region in spec.regions:
            yield stack_change(deployer, store, spec, region)
    yield from (Change(STACK, name, region, DELETE) for name, region in surplus_stacks(deployer, specs))


def surplus_stack_sets(deployer: Deployer, wanted: Desired) -> list[str]:
    """StackSets of ours that the release no longer has."""
    return [name for name in names_of_stack_sets(deployer) if name not in {spec.name for spec in wanted.members}]


def surplus_stacks(deployer: Deployer, specs: Sequence[StackSpec]) -> list[tuple[str, str]]:
    """In one account: stacks of documents that the release no longer has, with their Regions."""
    names = {spec.name for spec in specs}
    found = []
    for region in deployer.regions:
        pages = deployer.pages("cloudformation", "describe_stacks", "Stacks", region)
        there = [stack["StackName"] for stack in pages if stack["StackName"].startswith(DOCUMENTS_STACK_SET)]
        found += [(name, region) for name in sorted(there) if name not in names]
    return found
