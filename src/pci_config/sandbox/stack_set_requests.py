"""What requests to StackSets say: which StackSet, which accounts and Regions, which values; and AWS's refusals of them.

Source: CloudFormation API reference, DeploymentTargets, StackSetOperationPreferences and the errors of each operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, StackSetNotFoundException, ValidationError

from pci_config.sandbox import member_stacks
from pci_config.sandbox.organization_tree import accounts_below, has_unit
from pci_config.sandbox.stack_sets import StackSet, StackSets

MOST_UNITS, MOST_TAGS, LARGEST_PAGE = 50, 50, 100

Request = Mapping[str, Any]


class OperationInProgress(CloudFormationError):
    code = "OperationInProgressException"
    message = "Another Operation on StackSet is in progress. Please try again after some time."


class OperationIdAlreadyExists(CloudFormationError):
    code = "OperationIdAlreadyExistsException"


class OperationNotFound(CloudFormationError):
    code = "OperationNotFoundException"


class InvalidOperation(CloudFormationError):
    code = "InvalidOperationException"


class NameAlreadyExists(CloudFormationError):
    code = "NameAlreadyExistsException"


class Throttling(CloudFormationError):
    code = "Throttling"
    message = "Rate exceeded"


def named_set(known: StackSets, request: Request) -> StackSet:
    stack_set = known.named(request["StackSetName"])
    if stack_set is None:
        raise StackSetNotFoundException(request["StackSetName"])
    return stack_set


def asked_units(request: Request) -> list[str]:
    return list((request.get("DeploymentTargets") or {}).get("OrganizationalUnitIds") or [])


def asked_regions(request: Request) -> list[str]:
    regions = request.get("Regions") or []
    if not regions:
        raise ValidationError(message="You must specify at least one value for Regions")
    return in_order(request, regions)


def in_order(request: Request, regions: Sequence[str]) -> list[str]:
    order = (request.get("OperationPreferences") or {}).get("RegionOrder") or []
    if set(order) - set(regions):
        raise ValidationError(message="RegionOrder names Regions that the operation is not about")
    return [*order, *(region for region in regions if region not in order)]


def asked_accounts(known: StackSets, request: Request) -> dict[str, str]:
    """The accounts that the targets come to, with the unit that each was found below."""
    targets = request.get("DeploymentTargets") or {}
    if request.get("Accounts") or not targets.get("OrganizationalUnitIds"):
        raise ValidationError(
            message="StackSets of service-managed permissions need DeploymentTargets with OrganizationalUnitIds"
        )
    if targets.get("AccountsUrl"):
        raise ValidationError(message="The sandbox does not imitate AccountsUrl")
    units = targets["OrganizationalUnitIds"]
    if len(units) > MOST_UNITS:
        raise ValidationError(message=f"An operation takes {MOST_UNITS} organizational units")
    unknown = [unit for unit in units if not has_unit(known.organization, unit)]
    if unknown:
        raise ValidationError(message=f"No such organizational units: {', '.join(unknown)}")
    inside: dict[str, str] = {}
    for unit in units:
        for account in known.deployable([unit]):
            inside.setdefault(account, unit)
    named = list(targets.get("Accounts") or [])
    match targets.get("AccountFilterType") or ("UNION" if named else "NONE"):
        case "NONE" if not named:
            return inside
        case "INTERSECTION" if named:
            return {account: unit for account, unit in inside.items() if account in named}
        case "DIFFERENCE" if named:
            return {account: unit for account, unit in inside.items() if account not in named}
        case "UNION" if named:
            everyone = set(accounts_below(known.organization, [known.organization.org.root_id])) - {known.management}
            return {**{account: "" for account in named if account in everyone}, **inside}
    raise ValidationError(message="AccountFilterType and Accounts do not go together")


def asked_overrides(stack_set: StackSet, request: Request, before: Mapping[str, str]) -> dict[str, str] | None:
    """None: the request says nothing of them, they stay."""
    if "ParameterOverrides" not in request:
        return None
    declared = member_stacks.parsed(stack_set.text).get("Parameters") or {}
    given = {entry["ParameterKey"]: entry for entry in request["ParameterOverrides"]}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return {
        key: before[key] if is_true(entry.get("UsePreviousValue")) else str(entry["ParameterValue"])
        for key, entry in given.items()
        if key in before or not is_true(entry.get("UsePreviousValue"))
    }


def asked_tags(request: Request) -> dict[str, str]:
    tags = {entry["Key"]: entry["Value"] for entry in request.get("Tags") or []}
    if len(tags) > MOST_TAGS:
        raise ValidationError(message=f"A StackSet takes {MOST_TAGS} tags")
    return tags


def refuse(request: Request, *names: str) -> None:
    for name in names:
        if request.get(name):
            raise ValidationError(message=f"{name} is not for StackSets of service-managed permissions")


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def page(request: Request, entries: Sequence[Any]) -> dict[str, Any]:
    size = int(request.get("MaxResults") or LARGEST_PAGE)
    token = request.get("NextToken") or "0"
    if not 1 <= size <= LARGEST_PAGE or not token.isdecimal():
        raise ValidationError(message=f"MaxResults must be between 1 and {LARGEST_PAGE}, NextToken one of an answer")
    end = int(token) + size
    return {"Summaries": list(entries[int(token) : end]), **({"NextToken": str(end)} if end < len(entries) else {})}


def check_preferences(preferences: Mapping[str, Any]) -> None:
    for name in ("FailureTolerance", "MaxConcurrent"):
        if f"{name}Count" in preferences and f"{name}Percentage" in preferences:
            raise ValidationError(message=f"You can specify either {name}Count or {name}Percentage, but not both")
    for name, least, most in (
        ("FailureTolerancePercentage", 0, 100),
        ("MaxConcurrentPercentage", 1, 100),
        ("MaxConcurrentCount", 1, 1 << 31),
        ("FailureToleranceCount", 0, 1 << 31),
    ):
        if name in preferences and not least <= int(preferences[name]) <= most:
            raise ValidationError(message=f"{name} must be between {least} and {most}")
