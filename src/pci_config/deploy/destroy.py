"""Takes away what was deployed, packs first. Evidence and logs stay: their buckets and log groups are retained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.changes import DELETE, Change
from pci_config.deploy.deployer import Deployer, absent
from pci_config.deploy.own_packs import delete_own_pack, read_own_pack
from pci_config.deploy.packs import PACK, delete_pack, read_status
from pci_config.deploy.problems import Failure, Outcome, doing
from pci_config.deploy.release import Store
from pci_config.deploy.stack_set_rollout import delete_stack_set
from pci_config.deploy.stack_sets import STACK_SET, names_of_stack_sets, read_stack_set
from pci_config.deploy.stacks import STACK, delete_stack, read_stack
from pci_config.deploy.waiting import Course
from pci_config.org_names import (
    ADMIN_STACK,
    ARTIFACTS_STACK,
    GLOBAL_PACK,
    GLOBAL_STACK_SET,
    MEMBER_PREFIX,
    REGIONAL_PACK,
    REGIONAL_STACK_SET,
    artifacts_bucket,
)

PACKS = (REGIONAL_PACK, GLOBAL_PACK)


def deployed_regions(deployer: Deployer) -> tuple[str, ...]:
    """Those of rdk.json, and those that it named once and where stacks are still."""
    found = set[str]()
    if not (deployer.single or deployer.management):
        state = read_stack_set(deployer, REGIONAL_STACK_SET)
        found = {region for _, region in state.instances} if state else set()
    return (*deployer.regions, *sorted(found - set(deployer.regions)))


def what_is_there(deployer: Deployer) -> list[Change]:
    """Everything that `destroy` would delete, in its order."""
    regions, found = deployed_regions(deployer), list[Change]()
    if deployer.management:
        return [Change(STACK, name, region, DELETE) for name, region in own_member_stacks(deployer)]
    for region in regions:
        for name in PACKS:
            there = read_own_pack(deployer, name, region) if deployer.single else read_status(deployer, name, region)
            if there is not None and there != "DELETE_SUCCESSFUL":
                found.append(Change(PACK, name, region, DELETE))
    if deployer.single:
        found += [Change(STACK, name, region, DELETE) for name, region in own_member_stacks(deployer)]
    else:
        found += [Change(STACK_SET, name, deployer.home, DELETE) for name in names_of_stack_sets(deployer)]
    own = [(ADMIN_STACK, deployer.home), *((ARTIFACTS_STACK, region) for region in regions)]
    found += [Change(STACK, name, region, DELETE) for name, region in own if read_stack(deployer, name, region)]
    return found


def own_member_stacks(deployer: Deployer) -> list[tuple[str, str]]:
    """Member stacks of a single account with their Regions, the roles last."""
    found = []
    for region in deployer.regions:
        with doing(f"list the stacks in {region} (cloudformation:DescribeStacks)"):
            pages = deployer.pages("cloudformation", "describe_stacks", "Stacks", region)
            names = [stack["StackName"] for stack in pages]
        found += [(name, region) for name in sorted(names) if name.startswith(MEMBER_PREFIX)]
    return sorted(found, key=lambda stack: stack[0] == GLOBAL_STACK_SET)


def destroy(deployer: Deployer, store: Store) -> Outcome:
    """Packs, stacks of every account, then the own stacks. What cannot be deleted is named, and what it needs is kept."""
    outcome = Outcome()
    if deployer.management:  # its packs are the organization's, its artefacts the delegated administrator's
        _delete_own_members(deployer)
        return outcome
    regions = deployed_regions(deployer)
    deployer.tell("# packs")
    outcome.failures += _delete_packs(deployer, store, regions)
    if outcome.failures:
        outcome.stopped = "packs"
        return outcome
    deployer.tell("# stacks of every account" if not deployer.single else "# roles, function and documents")
    if deployer.single:
        _delete_own_members(deployer)
    else:
        outcome.failures += _delete_stack_sets(deployer)
    if outcome.failures:
        outcome.stopped = "stacks of every account"
        return outcome
    deployer.tell("# stack of the delegated administrator" if not deployer.single else "# stack of alarms and evidence")
    deployer.waiting.alone(ADMIN_STACK, delete_stack(deployer, ADMIN_STACK, deployer.home))
    deployer.tell("# artefacts")
    _delete_artefacts(deployer, regions)
    return outcome


def leave_regions(deployer: Deployer, store: Store) -> list[Failure]:
    """Packs and artefacts of Regions that rdk.json names no more. It comes first: which they are is told by their stacks."""
    gone = [region for region in deployed_regions(deployer) if region not in deployer.regions]
    if not gone:
        return []
    deployer.tell(f"# leave {', '.join(gone)}")
    failures = _delete_packs(deployer, store, gone)
    if not failures:
        _delete_artefacts(deployer, gone)
    return failures


def _delete_packs(deployer: Deployer, store: Store, regions: Iterable[str]) -> list[Failure]:
    courses: dict[str, Course[list[Failure]]] = {}
    for region in regions:
        for name in PACKS:
            course = delete_own_pack(deployer, name, region) if deployer.single else delete_pack(deployer, store, name, region)
            courses[f"{name} in {region}"] = course
    return [failure for failures in deployer.waiting.together(courses).values() for failure in failures]


def _delete_stack_sets(deployer: Deployer) -> list[Failure]:
    """Those that depend on the roles first."""
    names = names_of_stack_sets(deployer)
    for batch in ([name for name in names if name != GLOBAL_STACK_SET], [name for name in names if name == GLOBAL_STACK_SET]):
        answers = deployer.waiting.together({name: delete_stack_set(deployer, name) for name in batch})
        found = [failure for failures in answers.values() for failure in failures]
        if found:
            return found
    return []


def _delete_own_members(deployer: Deployer) -> None:
    stacks = own_member_stacks(deployer)
    for last in (False, True):
        batch = [(name, region) for name, region in stacks if (name == GLOBAL_STACK_SET) == last]
        for name, region in batch:
            deployer.tell(str(Change(STACK, name, region, DELETE)))
        deployer.waiting.together({f"{name} in {region}": delete_stack(deployer, name, region) for name, region in batch})


def _delete_artefacts(deployer: Deployer, regions: Iterable[str]) -> None:
    """The home Region last: it knows the releases."""
    for region in sorted(regions, key=lambda each: each == deployer.home):
        if read_stack(deployer, ARTIFACTS_STACK, region):
            _empty(deployer, region)
            deployer.tell(str(Change(STACK, ARTIFACTS_STACK, region, DELETE)))
            deployer.waiting.alone(ARTIFACTS_STACK, delete_stack(deployer, ARTIFACTS_STACK, region))


def _empty(deployer: Deployer, region: str) -> None:
    """Delete every version: CloudFormation deletes no bucket that holds something."""
    s3, bucket = deployer.client("s3", region), artifacts_bucket(deployer.account, region)
    where = {"Bucket": bucket, "ExpectedBucketOwner": deployer.account}
    with doing(f"empty the bucket {bucket}"):
        while True:
            try:
                page: dict[str, Any] = s3.list_object_versions(**where)
            except ClientError as error:
                if absent(error):
                    return
                raise
            found = [*(page.get("Versions") or ()), *(page.get("DeleteMarkers") or ())]
            if not found:
                return
            versions = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
            for start in range(0, len(versions), 1000):  # as many as a request takes
                s3.delete_objects(Delete={"Objects": versions[start : start + 1000], "Quiet": True}, **where)
