"""StackSets of service-managed permissions as they run: operations that take several calls to finish, account by account.

There is no clock: every call to StackSets lets one step of time pass after it was answered. In a step an operation deploys as
many accounts of a Region as its preferences allow; queued operations start; accounts that joined or left are noticed.
Sources: CloudFormation API reference (UpdateStackSet, CreateStackInstances, DeleteStackInstances, StackSetOperationPreferences,
AutoDeployment, ManagedExecution, StackInstance) and user guide (StackSets status codes, automatic deployments).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pci_config.sandbox import member_stacks
from pci_config.sandbox.organization_tree import ACTIVE, accounts_below, management_account, state_of_account

Place = tuple[str, str]  # account, Region
WAITING, RUNNING, DONE, FAILED, CANCELLED = "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"
CURRENT, OUTDATED, INOPERABLE = "CURRENT", "OUTDATED", "INOPERABLE"
QUEUED, STOPPING, STOPPED = "QUEUED", "STOPPING", "STOPPED"
SKIPPED_ACCOUNT = "SKIPPED_SUSPENDED_ACCOUNT"
CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"


@dataclass
class Faults:
    """What goes wrong, to be changed in place.

    failing: accounts, or accounts and Regions, where a stack cannot be created or updated, with the reason; failing_deletes:
    where none can be deleted; throttled: asked before every answer, with the operation and the request; polls: calls that pass
    before an operation begins with its first accounts; held: nothing makes progress.
    """

    failing: dict[str | Place, str] = field(default_factory=dict)
    failing_deletes: dict[str | Place, str] = field(default_factory=dict)
    throttled: Callable[[str, Mapping[str, Any]], bool] = lambda _operation, _request: False
    polls: int = 1
    held: bool = False


@dataclass
class Instance:
    """A stack instance: it exists from the start of the operation that makes it, also where no stack could be made."""

    account: str
    region: str
    unit: str
    overrides: dict[str, str] = field(default_factory=dict)
    status: str = OUTDATED
    detailed: str = WAITING
    reason: str = ""
    operation: str = ""
    stack_id: str = ""
    deployed: Any = None  # template, parameters and tags of the stack that is there


@dataclass
class Result:
    unit: str
    status: str = WAITING
    reason: str = ""
    skipped: bool = False  # nothing had to be done


@dataclass
class Operation:
    """`begin` is called when it starts and says which accounts of which unit it is about, by Region in order."""

    id: str
    action: str
    begin: Callable[[], Mapping[str, Mapping[str, str]]]
    request: Mapping[str, Any] = field(default_factory=dict)
    automatic: bool = False
    retain: bool = False
    status: str = QUEUED
    reason: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    waits: int = 0
    results: dict[Place, Result] = field(default_factory=dict)

    @property
    def preferences(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.request.get("OperationPreferences") or {}
        return found

    def of(self, region: str, *statuses: str) -> list[Place]:
        return [place for place, result in self.results.items() if place[1] == region and result.status in statuses]

    @property
    def regions(self) -> list[str]:
        return list(dict.fromkeys(region for _, region in self.results))

    @property
    def failures(self) -> int:
        return sum(result.status == FAILED for result in self.results.values())

    def tolerance(self, region: str) -> int:
        """Accounts of a Region that may fail. A percentage is rounded down."""
        if "FailureTolerancePercentage" in self.preferences:
            return int(self.preferences["FailureTolerancePercentage"]) * self._size(region) // 100
        return int(self.preferences.get("FailureToleranceCount") or 0)

    def concurrency(self, region: str) -> int:
        """Accounts of a Region at one time: in the strict mode never more than may still fail, and one."""
        if self.automatic:  # preferences do not apply to automatic deployments
            return self._size(region)
        most = int(self.preferences.get("MaxConcurrentCount") or 1)
        if "MaxConcurrentPercentage" in self.preferences:
            most = max(1, int(self.preferences["MaxConcurrentPercentage"]) * self._size(region) // 100)
        if self.preferences.get("ConcurrencyMode") == "SOFT_FAILURE_TOLERANCE":
            return most
        return max(1, min(most, self.tolerance(region) + 1 - len(self.of(region, FAILED))))

    def _size(self, region: str) -> int:
        return sum(place[1] == region for place in self.results)


@dataclass
class StackSet:
    """A StackSet with its instances, operations and the units that automatic deployment watches."""

    name: str
    arn: str
    text: str
    parameters: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    description: str
    automatic: dict[str, Any]
    managed: bool
    id: str = ""
    status: str = "ACTIVE"
    instances: dict[Place, Instance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    targets: dict[str, list[str]] = field(default_factory=dict)  # unit: Regions
    seen: dict[str, set[str]] = field(default_factory=dict)  # account: target units above it

    def unfinished(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.status in (QUEUED, RUNNING, STOPPING)]

    def wanted(self, instance: Instance) -> Any:
        return self.text, {**self.parameters, **instance.overrides}, dict(self.tags)


@dataclass
class StackSets:
    """Every StackSet of an organization in one Region. They are the management account's, whoever made them."""

    organization: Any
    region: str
    sets: list[StackSet] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    _places: Any = None

    @property
    def management(self) -> str:
        return management_account(self.organization)

    def named(self, name: str) -> StackSet | None:
        """By name or id. A deleted one is not found."""
        return next((one for one in self.sets if one.status == "ACTIVE" and name in (one.name, one.id)), None)

    def submit(self, stack_set: StackSet, operation: Operation) -> None:
        """Start the operation, or queue it behind what is not finished."""
        idle = not stack_set.unfinished()
        stack_set.operations.append(operation)
        if idle and not operation.automatic:
            self._start(stack_set, operation)
            operation.waits += 1  # the call that made it

    def step(self) -> None:
        """One step of time for every StackSet."""
        if self.faults.held:
            return
        for stack_set in self.sets:
            for operation in stack_set.unfinished()[:1]:
                if operation.status == STOPPING:
                    self._finish(stack_set, operation, STOPPED, "The operation was stopped by the user")
                elif operation.status == QUEUED:
                    self._start_queued(stack_set, operation)
                elif operation.waits > 0:
                    operation.waits -= 1
                else:
                    self._advance(stack_set, operation)
        self._notice_accounts()

    def stop(self, stack_set: StackSet, operation: Operation) -> None:
        if operation.status == QUEUED:
            self._finish(stack_set, operation, STOPPED, "The operation was stopped by the user")
        operation.status = STOPPING if operation.status == RUNNING else operation.status

    # ------------------------------------------------------------------------------------------------------ operations

    def _start(self, stack_set: StackSet, operation: Operation) -> None:
        operation.status, operation.waits = RUNNING, self.faults.polls
        for region, accounts in operation.begin().items():
            for account, unit in accounts.items():
                self._prepare(stack_set, operation, account, region, unit)

    def _prepare(self, stack_set: StackSet, operation: Operation, account: str, region: str, unit: str) -> None:
        operation.results[account, region] = Result(unit)
        if operation.action == CREATE:
            stack_set.instances.setdefault((account, region), Instance(account, region, unit))
        instance = stack_set.instances.get((account, region))
        if instance:
            instance.operation, instance.detailed = operation.id, WAITING

    def _start_queued(self, stack_set: StackSet, operation: Operation) -> None:
        """An automatic deployment waits for those of the StackSets that it depends on, and ends if one of them failed."""
        if operation.automatic and operation.action == CREATE:
            depends = stack_set.automatic.get("DependsOn") or []
            others = [one for one in self.sets if one.arn in depends and one.status == "ACTIVE"]
            ahead = [o for one in others for o in one.operations if o.automatic and o.action == CREATE]
            if any(o.status in (QUEUED, RUNNING, STOPPING) for o in ahead):
                return
            self._start(stack_set, operation)
            joined = {account for account, _ in operation.results}
            failed = [o for o in ahead if o.status != DONE and joined & {account for account, _ in o.results}]
            if failed:
                self._finish(stack_set, operation, FAILED, "A StackSet that this one depends on failed")
            return
        self._start(stack_set, operation)

    def _advance(self, stack_set: StackSet, operation: Operation) -> None:
        """The next accounts of the Region in turn, or of every Region at once."""
        waiting = [region for region in operation.regions if operation.of(region, WAITING)]
        parallel = operation.automatic or operation.preferences.get("RegionConcurrencyType") == "PARALLEL"
        for region in waiting if parallel else waiting[:1]:
            for place in operation.of(region, WAITING)[: operation.concurrency(region)]:
                self._perform(stack_set, operation, place)
            if len(operation.of(region, FAILED)) > operation.tolerance(region):
                left = operation.regions[operation.regions.index(region) :] if not parallel else [region]
                self._cancel(stack_set, operation, left)
        if not any(operation.of(region, WAITING) for region in operation.regions):
            over = any(len(operation.of(region, FAILED)) > operation.tolerance(region) for region in operation.regions)
            self._finish(stack_set, operation, FAILED if over else DONE, "The failure tolerance was exceeded" if over else "")

    def _cancel(self, stack_set: StackSet, operation: Operation, regions: Iterable[str]) -> None:
        for region in regions:
            for place in operation.of(region, WAITING, RUNNING):
                operation.results[place].status = CANCELLED
                operation.results[place].reason = "Cancelled since failure tolerance has exceeded or the operation was stopped"
                instance = stack_set.instances.get(place)
                if instance:
                    instance.detailed = CANCELLED

    def _finish(self, stack_set: StackSet, operation: Operation, status: str, reason: str) -> None:
        self._cancel(stack_set, operation, operation.regions)
        operation.status, operation.reason, operation.ended = status, reason, datetime.now(UTC)

    # ---------------------------------------------------------------------------------------------------------- stacks

    def _perform(self, stack_set: StackSet, operation: Operation, place: Place) -> None:
        result, instance = operation.results[place], stack_set.instances.get(place)
        result.status = DONE
        if instance is None:
            result.skipped = True
        elif operation.action == DELETE:
            self._remove(stack_set, operation, instance, result)
        elif state_of_account(self.organization, instance.account) != ACTIVE:
            result.status, result.reason = CANCELLED, "The account is suspended"
            instance.status, instance.detailed = OUTDATED, SKIPPED_ACCOUNT
        else:
            self._deploy(stack_set, instance, result)

    def _deploy(self, stack_set: StackSet, instance: Instance, result: Result) -> None:
        account, region = instance.account, instance.region
        wanted = stack_set.wanted(instance)
        if instance.deployed == wanted and member_stacks.exists(account, region, instance.stack_id):
            result.skipped = True
        else:
            result.reason = self._failing(self.faults.failing, instance) or self._deployed(stack_set, instance)
        result.status = instance.detailed = FAILED if result.reason else DONE
        instance.status, instance.reason = OUTDATED if result.reason else CURRENT, result.reason
        if not result.reason:
            instance.deployed = wanted

    def _deployed(self, stack_set: StackSet, instance: Instance) -> str:
        """Make or change the stack; the reason if it fails."""
        text, parameters, tags = stack_set.wanted(instance)
        place = instance.account, instance.region
        try:
            if instance.stack_id and member_stacks.exists(*place, instance.stack_id):
                member_stacks.update(*place, instance.stack_id, text, parameters, tags)
            else:
                name = f"StackSet-{stack_set.name}-{uuid.uuid4()}"
                instance.stack_id = member_stacks.create(*place, name, text, parameters, tags)
        except Exception as error:
            return member_stacks.reason(error)
        return ""

    def _remove(self, stack_set: StackSet, operation: Operation, instance: Instance, result: Result) -> None:
        reason = ""
        if not operation.retain and instance.stack_id:
            reason = self._failing(self.faults.failing_deletes, instance)
            try:
                if not reason:
                    member_stacks.delete(instance.account, instance.region, instance.stack_id)
            except Exception as error:
                reason = member_stacks.reason(error)
        if reason:
            result.status, result.reason = FAILED, reason
            instance.status, instance.detailed, instance.reason = INOPERABLE, INOPERABLE, reason
        else:
            del stack_set.instances[instance.account, instance.region]

    @staticmethod
    def _failing(faults: Mapping[str | Place, str], instance: Instance) -> str:
        return faults.get((instance.account, instance.region)) or faults.get(instance.account) or ""

    # --------------------------------------------------------------------------------------------- automatic deployment

    def _notice_accounts(self) -> None:
        places = tuple((a.id, a.parent_id, a.state) for a in list(self.organization.accounts))
        if places == self._places:
            return
        self._places = places
        for stack_set in self.sets:
            if stack_set.status == "ACTIVE" and stack_set.automatic.get("Enabled"):
                self._notice(stack_set)

    def _notice(self, stack_set: StackSet) -> None:
        """Filters are not considered: whoever comes into a target unit gets the stacks, whoever leaves it loses them."""
        now: dict[str, set[str]] = {}
        for unit in stack_set.targets:
            for account in self.deployable([unit]):
                now.setdefault(account, set()).add(unit)
        gone = {account for account, units in stack_set.seen.items() if units and not units & now.get(account, set())}
        come = {a for a, units in now.items() if not units <= stack_set.seen.get(a, set()) or a in gone}
        come = {a for a in come if state_of_account(self.organization, a) == ACTIVE}
        before, stack_set.seen = stack_set.seen, now
        lost = {region: dict.fromkeys(gone, "") for region in self._regions_of(stack_set, gone)}
        if gone and lost:
            retain = bool(stack_set.automatic.get("RetainStacksOnAccountRemoval"))
            self._queue(stack_set, DELETE, lost, retain)
        gained: dict[str, dict[str, str]] = {}
        for unit, regions in stack_set.targets.items():
            for account in sorted(come):
                if unit in now[account] and (account in gone or unit not in before.get(account, set())):
                    for region in regions:
                        gained.setdefault(region, {}).setdefault(account, unit)
        if gained:
            self._queue(stack_set, CREATE, gained)

    def _queue(self, stack_set: StackSet, action: str, work: Mapping[str, Mapping[str, str]], retain: bool = False) -> None:
        operation = Operation(str(uuid.uuid4()), action, lambda: work, automatic=True, retain=retain)
        self.submit(stack_set, operation)

    def deployable(self, units: Iterable[str]) -> list[str]:
        """Accounts below these units. Nothing is ever deployed to the management account."""
        return [account for account in accounts_below(self.organization, units) if account != self.management]

    @staticmethod
    def _regions_of(stack_set: StackSet, accounts: Iterable[str]) -> Iterator[str]:
        wanted = set(accounts)
        yield from dict.fromkeys(region for account, region in stack_set.instances if account in wanted)
