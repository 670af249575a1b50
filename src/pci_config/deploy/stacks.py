"""Stacks of the deploying account: what differs, and the course that makes them so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.changes import CREATE, DELETE, UNCHANGED, UPDATE, Change
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import CAPABILITIES, StackSpec
from pci_config.deploy.problems import DeployError, account_fix, code_of, doing
from pci_config.deploy.release import Store
from pci_config.deploy.templates import parameter_differences, parameter_list, place, same_template, tag_list
from pci_config.deploy.waiting import Course, until, when_free
from pci_config.org_names import template_key

STACK = "stack"
# a stack in one of these was never made, or is half gone: only deleting helps
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


def read_stack(deployer: Deployer, name: str, region: str) -> dict[str, Any] | None:
    with doing(f"read the stack {name} in {region} (cloudformation:DescribeStacks)"):
        try:
            stacks: list[dict[str, Any]] = deployer.client("cloudformation", region).describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    return stacks[0]


def stack_change(deployer: Deployer, store: Store, spec: StackSpec, region: str) -> Change:
    """What has to be done to the stack of one Region."""
    stack = read_stack(deployer, spec.name, region)
    if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
        return Change(STACK, spec.name, region, CREATE)
    if stack["StackStatus"] in BROKEN:
        return Change(STACK, spec.name, region, CREATE, (f"deletes what is there: {stack['StackStatus']}",))
    formation = deployer.client("cloudformation", region)
    with doing(f"read the template of {spec.name} in {region} (cloudformation:GetTemplate)"):
        body = formation.get_template(StackName=spec.name)["TemplateBody"]
    differences = parameter_differences(spec, stack.get("Parameters") or ())
    if not isinstance(body, str) or not same_template(body, store.text(template_key(spec.template))):
        differences.insert(0, "template")
    return Change(STACK, spec.name, region, UPDATE if differences else UNCHANGED, tuple(differences))


def roll_out_stack(deployer: Deployer, store: Store, spec: StackSpec, region: str) -> Course[Change]:
    """Make the stack what the spec says, and wait for it. Raises DeployError when it fails."""
    formation = deployer.client("cloudformation", region)
    yield from _settled(deployer, spec.name, region)
    change = stack_change(deployer, store, spec, region)
    if change.action == UNCHANGED:
        return change
    deployer.tell(str(change))
    if change.action == CREATE and change.differences:
        yield from delete_stack(deployer, spec.name, region)
    stack = read_stack(deployer, spec.name, region) if change.action == UPDATE else None
    kept = [entry["ParameterKey"] for entry in (stack or {}).get("Parameters") or ()]
    text = store.text(template_key(spec.template))
    request = {
        "StackName": spec.name,
        **place(deployer, text, spec.template),
        "Parameters": parameter_list(spec, store, kept),
        "Capabilities": CAPABILITIES,
        "Tags": tag_list(spec.tags),
    }
    with doing(f"{change.action} the stack {spec.name} in {region}"):
        call: Callable[..., Any] = formation.create_stack if change.action == CREATE else formation.update_stack
        try:
            yield from when_free(call, **request)
        except ClientError as error:
            if code_of(error) == "AlreadyExistsException":  # an interrupted run has begun it
                return (yield from roll_out_stack(deployer, store, spec, region))
            if "No updates are to be performed" not in str(error):
                raise
    status = yield from _settled(deployer, spec.name, region)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reason = _reason(deployer, spec.name, region)
        raise DeployError(f"the stack {spec.name} in {region} is {status}: {reason}", account_fix(reason))
    return change


def delete_stack(deployer: Deployer, name: str, region: str) -> Course[Change]:
    """Delete the stack and wait. Raises DeployError when something of it stays that should not."""
    change = Change(STACK, name, region, DELETE)
    formation = deployer.client("cloudformation", region)
    yield from _settled(deployer, name, region)
    if read_stack(deployer, name, region) is None:
        return Change(STACK, name, region, UNCHANGED)
    with doing(f"delete the stack {name} in {region}"):
        yield from when_free(formation.delete_stack, StackName=name)
    status = yield from _settled(deployer, name, region)
    if status not in ("DELETE_COMPLETE", ""):
        reason = _reason(deployer, name, region)
        raise DeployError(f"the stack {name} in {region} is {status}: {reason}", account_fix(reason))
    return change


def _settled(deployer: Deployer, name: str, region: str) -> Course[str]:
    """The stack's status once nothing is under way; empty when there is none."""

    def look() -> str | None:
        stack = read_stack(deployer, name, region)
        if stack is None:
            return ""
        status = str(stack["StackStatus"])
        under_way = status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
        return None if under_way else status

    return (yield from until(look))


def _reason(deployer: Deployer, name: str, region: str) -> str:
    """What failed first in the newest attempt, as the stack's events tell."""
    with doing(f"read the events of {name} in {region} (cloudformation:DescribeStackEvents)"):
        events = deployer.client("cloudformation", region).describe_stack_events(StackName=name)["StackEvents"]
    first = ""
    for event in events:  # the newest first
        status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
        if status.endswith("_FAILED") and "cancelled" not in reason:
            first = f"{event.get('LogicalResourceId')}: {reason}"
        if reason == "User Initiated":
            break
    return first or "its events name no reason"
