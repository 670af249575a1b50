"""What StackSets answer about their instances and operations: create, update, delete, describe, list and stop.

Source: CloudFormation API reference of each operation. How operations run is in `stack_sets`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.exceptions import StackInstanceNotFound, ValidationError

from pci_config.sandbox.stack_set_requests import (
    InvalidOperation,
    OperationIdAlreadyExists,
    OperationInProgress,
    OperationNotFound,
    Request,
    asked_accounts,
    asked_overrides,
    asked_regions,
    asked_units,
    check_preferences,
    in_order,
    is_true,
    named_set,
    page,
)
from pci_config.sandbox.stack_sets import (
    CREATE,
    DELETE,
    INOPERABLE,
    QUEUED,
    RUNNING,
    UPDATE,
    Instance,
    Operation,
    StackSet,
    StackSets,
)


def create_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    targets = request.get("DeploymentTargets") or {}
    if targets.get("AccountFilterType", "UNION" if targets.get("Accounts") else "NONE") == "UNION":
        raise ValidationError(message="AccountFilterType UNION is not supported for CreateStackInstances")
    accounts, regions = asked_accounts(known, request), asked_regions(request)
    overrides = asked_overrides(stack_set, request, {})

    def begin() -> Mapping[str, Mapping[str, str]]:
        for unit in targets["OrganizationalUnitIds"]:
            watched = stack_set.targets.setdefault(unit, [])
            watched += [region for region in regions if region not in watched]
            for account in known.deployable([unit]):
                stack_set.seen.setdefault(account, set()).add(unit)
        for account, unit in accounts.items():
            for region in regions:
                instance = stack_set.instances.setdefault((account, region), Instance(account, region, unit))
                if overrides is not None:
                    instance.overrides = dict(overrides)
        return dict.fromkeys(regions, accounts)

    return submit(known, stack_set, request, CREATE, begin)


def update_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    accounts, regions = asked_accounts(known, request), asked_regions(request)
    asked_overrides(stack_set, request, {})
    if not any((account, region) in stack_set.instances for account in accounts for region in regions):
        raise StackInstanceNotFound

    def begin() -> Mapping[str, Mapping[str, str]]:
        work = existing(stack_set, request, accounts, operable=True)
        for region, ones in work.items():
            for account in ones:
                instance = stack_set.instances[account, region]
                changed = asked_overrides(stack_set, request, instance.overrides)
                instance.overrides = instance.overrides if changed is None else changed
        return work

    return submit(known, stack_set, request, UPDATE, begin)


def delete_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    if "RetainStacks" not in request:
        raise ValidationError(message="RetainStacks must be specified")
    targets = request.get("DeploymentTargets") or {}
    accounts, regions = asked_accounts(known, request), asked_regions(request)

    def begin() -> Mapping[str, Mapping[str, str]]:
        if not targets.get("Accounts"):
            for unit in targets["OrganizationalUnitIds"]:
                left = [region for region in stack_set.targets.get(unit, []) if region not in regions]
                stack_set.targets.pop(unit, None)
                if left:
                    stack_set.targets[unit] = left
        return existing(stack_set, request, accounts, operable=False)

    return submit(known, stack_set, request, DELETE, begin, retain=is_true(request["RetainStacks"]))


def describe_stack_instance(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    instance = stack_set.instances.get((request["StackInstanceAccount"], request["StackInstanceRegion"]))
    if instance is None:
        raise StackInstanceNotFound
    overrides = [{"ParameterKey": key, "ParameterValue": value} for key, value in instance.overrides.items()]
    return {"StackInstance": {**_instance(stack_set, instance), "ParameterOverrides": overrides}}


def list_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    wanted = {"account": request.get("StackInstanceAccount"), "region": request.get("StackInstanceRegion")}
    fields = {"DETAILED_STATUS": "detailed", "LAST_OPERATION_ID": "operation"}
    for entry in request.get("Filters") or []:
        if entry["Name"] not in fields:
            raise ValidationError(message=f"The sandbox does not imitate the filter {entry['Name']}")
        wanted[fields[entry["Name"]]] = entry["Values"]
    found = [
        _instance(stack_set, instance)
        for _, instance in sorted(stack_set.instances.items())
        if all(value is None or getattr(instance, name) == value for name, value in wanted.items())
    ]
    return page(request, found)


def _instance(stack_set: StackSet, instance: Instance) -> dict[str, Any]:
    about = {
        "StackSetId": stack_set.id,
        "Account": instance.account,
        "Region": instance.region,
        "StackId": instance.stack_id,
        "OrganizationalUnitId": instance.unit,
        "LastOperationId": instance.operation,
        "StatusReason": instance.reason,
    }
    return {
        **{name: value for name, value in about.items() if value},
        "Status": instance.status,
        "StackInstanceStatus": {"DetailedStatus": instance.detailed},
        "DriftStatus": "NOT_CHECKED",
    }


def existing(
    stack_set: StackSet, request: Request, accounts: Mapping[str, str] | None, operable: bool
) -> dict[str, dict[str, str]]:
    """The instances in question by Region. `accounts`: None for all; `operable`: without those that a failed deletion left."""
    regions = request.get("Regions") or sorted({region for _, region in stack_set.instances})
    found: dict[str, dict[str, str]] = {}
    for region in in_order(request, regions):
        for (account, where), instance in sorted(stack_set.instances.items()):
            meant = accounts is None or account in accounts or instance.unit in asked_units(request)
            excluded = accounts is not None and account not in accounts and (request["DeploymentTargets"].get("Accounts"))
            if where == region and meant and not excluded and not (operable and instance.status == INOPERABLE):
                found.setdefault(region, {})[account] = instance.unit
    return found


# ---------------------------------------------------------------------------------------------------------- operations


def describe_stack_set_operation(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    operation = _operation(stack_set, request)
    about = {
        **_operation_summary(operation),
        "StackSetId": stack_set.id,
        "DeploymentTargets": dict(operation.request.get("DeploymentTargets") or {}),
        **({"RetainStacks": operation.retain} if operation.action == DELETE else {}),
    }
    return {"StackSetOperation": about}


def list_stack_set_operations(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    return page(request, [_operation_summary(operation) for operation in reversed(named_set(known, request).operations)])


def list_stack_set_operation_results(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    operation = _operation(named_set(known, request), request)
    wanted = {entry["Values"] for entry in request.get("Filters") or []}
    found = [
        {
            "Account": account,
            "Region": region,
            "Status": result.status,
            **({"StatusReason": result.reason} if result.reason else {}),
            **({"OrganizationalUnitId": result.unit} if result.unit else {}),
            "AccountGateResult": {"Status": "SKIPPED", "StatusReason": "no account gate function"},
        }
        for (account, region), result in operation.results.items()
        if not wanted or result.status in wanted
    ]
    return page(request, found)


def stop_stack_set_operation(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    operation = _operation(stack_set, request)
    if operation.status not in (RUNNING, QUEUED):
        raise InvalidOperation(f"Operation {operation.id} is not in progress")
    known.stop(stack_set, operation)
    return {}


def _operation_summary(operation: Operation) -> dict[str, Any]:
    return {
        "OperationId": operation.id,
        "Action": operation.action,
        "Status": operation.status,
        "CreationTimestamp": operation.created,
        "StatusDetails": {"FailedStackInstancesCount": operation.failures},
        "OperationPreferences": dict(operation.preferences),
        **({"StatusReason": operation.reason} if operation.reason else {}),
        **({"EndTimestamp": operation.ended} if operation.ended else {}),
    }


def submit(
    known: StackSets,
    stack_set: StackSet,
    request: Request,
    action: str,
    begin: Callable[[], Mapping[str, Mapping[str, str]]],
    retain: bool = False,
) -> dict[str, Any]:
    """The same id with the same request is the same operation: that is how a request is tried again."""
    check_preferences(request.get("OperationPreferences") or {})
    operation_id = request.get("OperationId") or str(uuid.uuid4())
    for one in stack_set.operations:
        if one.id == operation_id:
            if one.request == request:
                return {"OperationId": operation_id}
            raise OperationIdAlreadyExists(f"Operation {operation_id} already exists")
    if stack_set.unfinished() and not stack_set.managed:
        raise OperationInProgress
    known.submit(stack_set, Operation(operation_id, action, begin, request, retain=retain))
    return {"OperationId": operation_id}


def _operation(stack_set: StackSet, request: Request) -> Operation:
    for operation in stack_set.operations:
        if operation.id == request["OperationId"]:
            return operation
    raise OperationNotFound(f"Operation {request['OperationId']} not found")
