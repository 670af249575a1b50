"""The deployment itself, phase by phase. Each reads what is there, does what is missing and waits; any can be interrupted."""

from __future__ import annotations

from collections.abc import Sequence

from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import Desired, StackSpec
from pci_config.deploy.destroy import leave_regions
from pci_config.deploy.own_packs import roll_out_own_pack
from pci_config.deploy.packs import NOT_READY, PackRollout
from pci_config.deploy.plan import surplus_stack_sets, surplus_stacks
from pci_config.deploy.problems import Failure, Outcome
from pci_config.deploy.release import Store
from pci_config.deploy.stack_set_rollout import RolledOut, StackSetRollout, delete_stack_set
from pci_config.deploy.stack_sets import read_stack_set
from pci_config.deploy.stacks import delete_stack, roll_out_stack
from pci_config.org_names import GLOBAL_STACK_SET


def deploy(deployer: Deployer, store: Store, wanted: Desired, rollback: bool = False) -> Outcome:
    """Everything, in the order in which one part needs the other. Raises DeployError."""
    outcome = Outcome()
    _artefacts(deployer, store, wanted)
    before = store.history()
    history = before.gone_back() if rollback else before.begun(wanted.release)
    if history != before:
        store.keep(history)
    outcome.failures += leave_regions(deployer, store)
    deployer.tell("# stack of the delegated administrator" if not deployer.single else "# stack of alarms and evidence")
    admin = roll_out_stack(deployer, store, wanted.admin, deployer.home)
    deployer.waiting.alone(wanted.admin.name, admin)
    if deployer.single:
        _own_members(deployer, store, wanted.members)
        _own_packs(deployer, store, wanted, outcome)
    elif _members(deployer, store, wanted, outcome):
        _packs(deployer, store, wanted, outcome)
    if not outcome.stopped and not history.completed:
        store.keep(history.ended())
    return outcome


def _artefacts(deployer: Deployer, store: Store, wanted: Desired) -> None:
    deployer.tell("# artefacts")
    stacks = {region: roll_out_stack(deployer, store, wanted.artifacts, region) for region in wanted.artifacts.regions}
    deployer.waiting.together(stacks)
    for region in wanted.artifacts.regions:
        put = store.upload(region, wanted.release.keys(region == deployer.home))
        if put:
            deployer.tell(f"put {put} object{'s' if put > 1 else ''} into {deployer.bucket(region)}")


def _members(deployer: Deployer, store: Store, wanted: Desired, outcome: Outcome) -> bool:
    """Stacks of every account. False: too many accounts failed, so the packs are left as they are."""
    arns = dict[str, str]()
    first = [spec for spec in wanted.members if not spec.depends_on]
    then = [spec for spec in wanted.members if spec.depends_on]
    for title, specs in (("# roles of every account", first), ("# function and documents of every account", then)):
        deployer.tell(title)
        rollouts = {spec.name: StackSetRollout(deployer, store, spec, arns).run() for spec in specs}
        rolled_out: dict[str, RolledOut] = deployer.waiting.together(rollouts)
        outcome.failures += [failure for each in rolled_out.values() for failure in each.failures]
        if any(each.stopped for each in rolled_out.values()):
            outcome.stopped = title.removeprefix("# ")
            return False
        for spec in specs:
            state = read_stack_set(deployer, spec.name)
            arns |= {spec.name: state.arn} if state else {}
    surplus = {name: delete_stack_set(deployer, name) for name in surplus_stack_sets(deployer, wanted)}
    for failures in deployer.waiting.together(surplus).values():
        outcome.failures += failures
    return True


def _packs(deployer: Deployer, store: Store, wanted: Desired, outcome: Outcome) -> None:
    deployer.tell("# packs")
    failed = {(failure.account, failure.region) for failure in outcome.failures}
    without_roles = {failure.account for failure in outcome.failures if failure.of == GLOBAL_STACK_SET}
    not_ours = without_roles | {deployer.organization.management}
    rollouts = {}
    for spec in wanted.packs:
        unready = frozenset(account for account, region in failed if region == spec.region) | not_ours
        rollouts[f"{spec.name} in {spec.region}"] = PackRollout(deployer, store, spec, unready).run()
    for failures in deployer.waiting.together(rollouts).values():
        explained = [_explained(failure, failed, without_roles) for failure in failures]
        outcome.failures += [_of_management(failure, deployer.organization.management) for failure in explained]


def _explained(failure: Failure, failed: set[tuple[str, str]], without_roles: set[str]) -> Failure:
    """A pack that failed where the stacks failed is a consequence, and is told as one."""
    if (failure.account, failure.region) not in failed and failure.account not in without_roles:
        return failure
    return Failure(failure.account, failure.region, failure.of, f"{NOT_READY}: {failure.reason}", "mend the account's stacks")


def _of_management(failure: Failure, management: str) -> Failure:
    """No StackSet reaches it, so its stacks may be what the pack lacks."""
    if failure.account != management or "ecorder" in failure.reason:
        return failure
    fix = "with that account's credentials run `pci-config deploy --management-account`, then deploy again"
    return Failure(failure.account, failure.region, failure.of, failure.reason, fix)


def deploy_to_management(deployer: Deployer, store: Store, specs: Sequence[StackSpec]) -> Outcome:
    """The members' stacks in the management account. Its packs are the organization's. Raises DeployError."""
    _own_members(deployer, store, specs)
    return Outcome()


def _own_members(deployer: Deployer, store: Store, members: Sequence[StackSpec]) -> None:
    deployer.tell("# roles, function and documents")
    for specs in ([s for s in members if not s.depends_on], [s for s in members if s.depends_on]):
        deployer.waiting.together(
            {
                f"{spec.name} in {region}": roll_out_stack(deployer, store, spec, region)
                for spec in specs
                for region in spec.regions
            }
        )
    surplus = {
        f"{name} in {region}": delete_stack(deployer, name, region) for name, region in surplus_stacks(deployer, members)
    }
    deployer.waiting.together(surplus)


def _own_packs(deployer: Deployer, store: Store, wanted: Desired, outcome: Outcome) -> None:
    deployer.tell("# packs")
    courses = {f"{pack.name} in {pack.region}": roll_out_own_pack(deployer, store, pack) for pack in wanted.packs}
    for failures in deployer.waiting.together(courses).values():
        outcome.failures += failures
