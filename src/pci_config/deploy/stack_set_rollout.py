"""The courses that make a StackSet what it should be, in every account and Region, and that take it away again.

Whatever is under way is waited for first, then everything is read again: a course can be broken off anywhere and begun anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import CAPABILITIES, StackSpec
from pci_config.deploy.problems import DeployError, Failure, code_of, doing
from pci_config.deploy.release import Store
from pci_config.deploy.stack_sets import (
    AS_ADMINISTRATOR,
    Place,
    StackSetState,
    automatic_deployment,
    counted_places,
    differences,
    failures,
    gaps,
    read_stack_set,
)
from pci_config.deploy.templates import parameter_list, place, tag_list
from pci_config.deploy.waiting import Course, until, when_free
from pci_config.org_names import template_key

UNDER_WAY = ("RUNNING", "QUEUED", "STOPPING")
SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class RolledOut:
    """`stopped`: more accounts of a Region failed than rdk.json tolerates."""

    failures: tuple[Failure, ...] = ()
    stopped: bool = False


@dataclass
class StackSetRollout:
    """Of one StackSet. `arns`: those of the StackSets that it may depend on."""

    deployer: Deployer
    store: Store
    spec: StackSpec
    arns: Mapping[str, str]

    def run(self) -> Course[RolledOut]:
        with doing(f"deploy the StackSet {self.spec.name}"):
            yield from settled(self.deployer, self.spec.name)
            state = yield from self._defined()
            if state is None:  # an operation went beyond the tolerance: nothing more of this is rolled out
                return self._outcome(stopped=True)
            succeeded = yield from self._instances(state)
            return self._outcome(stopped=not succeeded)

    # ------------------------------------------------------------------------------------------------------ definition

    def _defined(self) -> Course[StackSetState | None]:
        """The StackSet with the template and parameters of the spec; None when its update failed in too many accounts."""
        state = read_stack_set(self.deployer, self.spec.name)
        if state is None:
            self.deployer.tell(f"create the StackSet {self.spec.name}")
            try:
                yield from when_free(self._client.create_stack_set, PermissionModel="SERVICE_MANAGED", **self._definition(()))
            except ClientError as error:
                if code_of(error) not in ("NameAlreadyExistsException", "NameAlreadyExists"):
                    raise
            return self._read()
        found = list(differences(self.store, self.spec, state, self.arns))
        if not found:
            return state
        self.deployer.tell(f"update the StackSet {self.spec.name}: {'; '.join(found)}")
        kept = [entry["ParameterKey"] for entry in state.described.get("Parameters") or ()]
        definition = self._definition(kept)
        if state.instances:
            definition["OperationPreferences"] = self._preferences()
        succeeded = yield from self._operation("update_stack_set", **definition)
        return self._read() if succeeded or not self._beyond_tolerance() else None

    def _definition(self, kept: Iterable[str]) -> dict[str, Any]:
        text = self.store.text(template_key(self.spec.template))
        return {
            "StackSetName": self.spec.name,
            "Description": "pci-config: see its template. Change it by `pci-config deploy` only.",
            **place(self.deployer, text, self.spec.template),
            "Parameters": parameter_list(self.spec, self.store, kept),
            "Capabilities": CAPABILITIES,
            "Tags": tag_list(self.spec.tags),
            "AutoDeployment": automatic_deployment(self.spec, self.arns),
            "ManagedExecution": {"Active": True},
            **AS_ADMINISTRATOR,
        }

    # ------------------------------------------------------------------------------------------------------- instances

    def _instances(self, state: StackSetState) -> Course[bool]:
        """Take away what is too many, add what is missing, try again what failed. False: beyond the tolerance."""
        found = gaps(self.deployer, self.spec, state)
        for unit in sorted(found.units_gone):
            regions = sorted({i.region for i in state.instances.values() if i.unit in (unit, "")} or set(self.spec.regions))
            yield from self._delete({"OrganizationalUnitIds": [unit]}, regions)
        for regions, accounts in _grouped(found.surplus):
            yield from self._delete(self._only(accounts, state), regions)
        succeeded = True
        new_units = set(self.deployer.organization.units) - state.units
        known_regions = {region for _, region in state.instances}
        for regions, accounts in _grouped(found.missing):
            whole = bool(new_units) or not known_regions.issuperset(regions)
            targets = self._everywhere() if whole else self._only(accounts)
            self.deployer.tell(f"{self.spec.name}: add {counted_places((a, r) for a in accounts for r in regions)}")
            succeeded &= yield from self._on_instances("create_stack_instances", targets, regions)
        for regions, accounts in _grouped(found.retried) if succeeded else ():
            self.deployer.tell(f"{self.spec.name}: try again {counted_places((a, r) for a in accounts for r in regions)}")
            succeeded &= yield from self._on_instances("update_stack_instances", self._only(accounts), regions)
        return succeeded or not self._beyond_tolerance()

    def _everywhere(self) -> dict[str, Any]:
        """The units themselves, so that accounts which join later are deployed to as well."""
        organization = self.deployer.organization
        targets: dict[str, Any] = {"OrganizationalUnitIds": list(organization.units)}
        excluded = sorted(self.deployer.excluded & organization.active)
        return {**targets, "Accounts": excluded, "AccountFilterType": "DIFFERENCE"} if excluded else targets

    def _only(self, accounts: Iterable[str], state: StackSetState | None = None) -> dict[str, Any]:
        units = state.units if state and state.units else self.deployer.organization.units
        return {"OrganizationalUnitIds": sorted(units), "Accounts": sorted(accounts), "AccountFilterType": "INTERSECTION"}

    def _on_instances(self, operation: str, targets: Mapping[str, Any], regions: Iterable[str]) -> Course[bool]:
        request = {"DeploymentTargets": targets, "Regions": list(regions), "OperationPreferences": self._preferences()}
        return (yield from self._operation(operation, StackSetName=self.spec.name, **request, **AS_ADMINISTRATOR))

    def _delete(self, targets: Mapping[str, Any], regions: Iterable[str]) -> Course[bool]:
        told = targets.get("Accounts") or targets["OrganizationalUnitIds"]
        self.deployer.tell(f"{self.spec.name}: remove from {', '.join(told)} in {', '.join(regions)}")
        return (yield from delete_instances(self.deployer, self.spec.name, targets, regions))

    # ------------------------------------------------------------------------------------------------------ operations

    def _operation(self, operation: str, **request: Any) -> Course[bool]:
        """Start it, wait for its end. True: it succeeded, perhaps with failures inside the tolerance."""
        started = yield from when_free(getattr(self._client, operation), **request)
        return (yield from ended(self.deployer, self.spec.name, started["OperationId"]))

    def _preferences(self) -> dict[str, Any]:
        """The tolerance counts accounts of the organization, also when an operation is about a few of them."""
        return {
            "RegionConcurrencyType": "PARALLEL",
            "FailureToleranceCount": self._tolerated,
            "MaxConcurrentPercentage": self.deployer.deployment.max_concurrent_percentage,
            "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        }

    @property
    def _tolerated(self) -> int:
        """Accounts of a Region that may fail, rounded down as StackSets does."""
        return len(self.deployer.organization.members) * self.deployer.deployment.failure_tolerance_percentage // 100

    def _beyond_tolerance(self) -> bool:
        failed = Counter(failure.region for failure in failures(self.deployer, self.spec, self._read()))
        return any(count > self._tolerated for count in failed.values())

    def _outcome(self, stopped: bool) -> RolledOut:
        found = tuple(failures(self.deployer, self.spec, self._read()))
        return RolledOut(found, stopped and bool(found))

    def _read(self) -> StackSetState:
        state = read_stack_set(self.deployer, self.spec.name)
        if state is None:
            raise DeployError(f"the StackSet {self.spec.name} was deleted meanwhile", "deploy again; let nobody else deploy")
        return state

    @property
    def _client(self) -> Any:
        return self.deployer.client("cloudformation")


def settled(deployer: Deployer, name: str) -> Course[None]:
    """Wait for operations that an earlier run, an account that joined or somebody else has begun."""

    def look() -> bool | None:
        client = deployer.client("cloudformation")
        try:
            newest = client.list_stack_set_operations(StackSetName=name, MaxResults=20, **AS_ADMINISTRATOR)["Summaries"]
        except ClientError as error:
            if code_of(error).startswith("StackSetNotFound"):
                return True
            raise
        return None if any(operation["Status"] in UNDER_WAY for operation in newest) else True

    yield from until(look)


def ended(deployer: Deployer, name: str, operation: str) -> Course[bool]:
    def look() -> bool | None:
        request = {"StackSetName": name, "OperationId": operation, **AS_ADMINISTRATOR}
        with doing(f"read an operation of the StackSet {name} (cloudformation:DescribeStackSetOperation)"):
            status = deployer.client("cloudformation").describe_stack_set_operation(**request)["StackSetOperation"]["Status"]
        return None if status in UNDER_WAY else bool(status == SUCCEEDED)

    return (yield from until(look))


def delete_instances(deployer: Deployer, name: str, targets: Mapping[str, Any], regions: Iterable[str]) -> Course[bool]:
    """Delete stacks of the targets. Accounts are tried all: one that fails keeps none of the others."""
    preferences = {
        "RegionConcurrencyType": "PARALLEL",
        "FailureTolerancePercentage": 100,
        "MaxConcurrentPercentage": 100,
        "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
    }
    started = yield from when_free(
        deployer.client("cloudformation").delete_stack_instances,
        StackSetName=name,
        DeploymentTargets=targets,
        Regions=list(regions),
        RetainStacks=False,
        OperationPreferences=preferences,
        **AS_ADMINISTRATOR,
    )
    return (yield from ended(deployer, name, started["OperationId"]))


def delete_stack_set(deployer: Deployer, name: str) -> Course[list[Failure]]:
    """Delete every instance, then the StackSet; the accounts whose stack cannot be deleted keep it, and are named."""
    with doing(f"delete the StackSet {name}"):
        yield from settled(deployer, name)
        state = read_stack_set(deployer, name)
        if state is None:
            return []
        if state.instances:
            deployer.tell(f"delete the stacks of {name}: {counted_places(state.instances)}")
            units = sorted(state.units) or list(deployer.organization.units)
            regions = sorted({region for _, region in state.instances})
            yield from delete_instances(deployer, name, {"OrganizationalUnitIds": units}, regions)
            state = read_stack_set(deployer, name)
        if state and state.instances:
            left = sorted(state.instances.values(), key=lambda instance: instance.place)
            return [Failure.because(each.account, each.region, name, each.failure) for each in left]
        deployer.tell(f"delete the StackSet {name}")
        client = deployer.client("cloudformation")
        try:
            yield from when_free(client.delete_stack_set, StackSetName=name, **AS_ADMINISTRATOR)
        except ClientError as error:
            if not code_of(error).startswith("StackSetNotFound"):
                raise
    return []


def _grouped(places: Iterable[Place]) -> Iterator[tuple[list[str], list[str]]]:
    """Regions with the accounts that are the same in all of them: one operation each."""
    regions_of: dict[str, set[str]] = defaultdict(set)
    for account, region in places:
        regions_of[account].add(region)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for account, regions in sorted(regions_of.items()):
        groups[tuple(sorted(regions))].append(account)
    yield from ((list(regions), accounts) for regions, accounts in groups.items())
