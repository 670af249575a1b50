"""Replaces moto's StackSets (self-managed, at once) by those of service-managed permissions, as an organization has them.

They belong to the management account; a delegated administrator reaches them with CallAs DELEGATED_ADMIN. Self-managed ones,
imports, drift and AccountsUrl are refused. How operations run is in `stack_sets`.
Sources: CloudFormation API reference; the texts of refusals for missing access as reported in hashicorp/terraform-provider-aws
issue 32536, pepperize/cdk-organizations issue 1718 and cdklabs/cdk-stacksets issue 265.
"""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore import xform_name
from moto.cloudformation.exceptions import (
    CloudFormationError,
    StackInstanceNotFound,
    StackSetNotEmpty,
    StackSetNotFoundException,
    ValidationError,
)
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.errors import COMMON_ERROR_CODES
from moto.core.responses import ActionResult

from pci_config.sandbox import member_stacks
from pci_config.sandbox.organization_tree import (
    STACK_SETS,
    accounts_below,
    all_features,
    has_unit,
    is_delegated,
    is_trusted,
    management_account,
    organization_of,
)
from pci_config.sandbox.stack_sets import (
    CREATE,
    DELETE,
    INOPERABLE,
    OUTDATED,
    QUEUED,
    RUNNING,
    UPDATE,
    WAITING,
    Faults,
    Instance,
    Operation,
    StackSet,
    StackSets,
)

NOT_ADMINISTRATOR = (
    "You must be the management account or delegated admin account of an organization "
    "before operating a SERVICE_MANAGED stack set"
)
NO_ACCESS = "You must enable organizations access to operate a service managed stack set"
NOT_DELEGATED = "Account used is not a delegated administrator"
MOST_UNITS, MOST_TAGS, LARGEST_PAGE = 50, 50, 100
_STATE, _ACTIVATED = "sandbox_stack_sets", "sandbox_stack_sets_access"
_LOCK = threading.RLock()

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


def faults(account_id: str, region: str) -> Faults:
    """What goes wrong with the StackSets of an account's organization, to be changed in place; it goes when moto is reset."""
    return _stack_sets(_organization(account_id), region).faults


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for work in (
        create_stack_set,
        update_stack_set,
        delete_stack_set,
        describe_stack_set,
        list_stack_sets,
        create_stack_instances,
        update_stack_instances,
        delete_stack_instances,
        describe_stack_instance,
        list_stack_instances,
        describe_stack_set_operation,
        list_stack_set_operations,
        list_stack_set_operation_results,
        stop_stack_set_operation,
        list_stack_set_auto_deployment_targets,
    ):
        setattr(CloudFormationResponse, work.__name__, _action(work))
    if Throttling.code not in COMMON_ERROR_CODES:
        COMMON_ERROR_CODES.append(Throttling.code)
    for action in (activate_organizations_access, deactivate_organizations_access, describe_organizations_access):
        setattr(CloudFormationResponse, action.__name__, action)


def _action(work: Callable[[StackSets, Request, str], dict[str, Any]]) -> Callable[[Any], ActionResult]:
    @functools.wraps(work)
    def action(self: Any) -> ActionResult:
        request = self._get_params()
        with _LOCK:
            known = _reached(self, request, work.__name__)
            if known is None:
                return ActionResult({"Summaries": []})
            if known.faults.throttled(self._get_action(), request):
                raise Throttling
            try:
                return ActionResult(work(known, request, self.current_account))
            finally:
                known.step()

    return action


# -------------------------------------------------------------------------------------------------------------- access


def _organization(account_id: str) -> Any:
    organization = organization_of(account_id)
    if organization is None:
        raise ValidationError(message=NOT_ADMINISTRATOR)
    return organization


def _stack_sets(organization: Any, region: str) -> StackSets:
    backend = cloudformation_backends[management_account(organization)][region]
    found: StackSets = backend.__dict__.setdefault(_STATE, StackSets(organization, region))
    return found


def _reached(self: Any, request: Request, action: str) -> StackSets | None:
    """The StackSets that the caller may use. None: its own self-managed ones, of which there are none."""
    account, delegated = self.current_account, request.get("CallAs") == "DELEGATED_ADMIN"
    organization = organization_of(account)
    manages = organization is not None and account == management_account(organization)
    if delegated and manages:
        raise ValidationError(message=NOT_DELEGATED)
    if organization is None or (delegated and not is_delegated(organization, account, STACK_SETS)):
        raise ValidationError(message=NOT_ADMINISTRATOR)
    if not delegated and not manages:
        if action == list_stack_sets.__name__:
            return None
        if action == create_stack_set.__name__:
            raise ValidationError(message=NOT_ADMINISTRATOR)
        raise StackSetNotFoundException(request["StackSetName"])
    if not _activated(organization) or not all_features(organization):
        raise ValidationError(message=NO_ACCESS)
    return _stack_sets(organization, self.region)


def _activated(organization: Any) -> bool:
    """Trust by Organizations alone is not enough: StackSets must have made its role (issue 1718, see above)."""
    return bool(organization.__dict__.get(_ACTIVATED)) and is_trusted(organization, STACK_SETS)


def activate_organizations_access(self: Any) -> ActionResult:
    organization = organization_of(self.current_account)
    if organization is None or self.current_account != management_account(organization):
        raise InvalidOperation("Only the management account of an organization can activate trusted access")
    if not all_features(organization):
        raise InvalidOperation("Your organization does not have all features enabled")
    organization.enable_aws_service_access(ServicePrincipal=STACK_SETS)
    organization.__dict__[_ACTIVATED] = True
    return ActionResult({})


def deactivate_organizations_access(self: Any) -> ActionResult:
    organization = organization_of(self.current_account)
    if organization is None or self.current_account != management_account(organization):
        raise InvalidOperation("Only the management account of an organization can deactivate trusted access")
    organization.disable_aws_service_access(ServicePrincipal=STACK_SETS)
    organization.__dict__[_ACTIVATED] = False
    return ActionResult({})


def describe_organizations_access(self: Any) -> ActionResult:
    organization = organization_of(self.current_account)
    delegated = self._get_params().get("CallAs") == "DELEGATED_ADMIN"
    manages = organization is not None and self.current_account == management_account(organization)
    if organization is None or not (is_delegated(organization, self.current_account, STACK_SETS) if delegated else manages):
        raise InvalidOperation(NOT_ADMINISTRATOR)
    return ActionResult({"Status": "ENABLED" if _activated(organization) else "DISABLED"})


# ----------------------------------------------------------------------------------------------------------- StackSets


def create_stack_set(known: StackSets, request: Request, caller: str) -> dict[str, Any]:
    name = request["StackSetName"]
    if request.get("PermissionModel") != "SERVICE_MANAGED":
        raise ValidationError(message="The sandbox imitates StackSets of service-managed permissions only")
    _refuse(request, "AdministrationRoleARN", "ExecutionRoleName", "StackId")
    if not 1 <= len(name) <= 128 or not name[0].isalpha() or not name.replace("-", "").isalnum() or not name.isascii():
        raise ValidationError(message=f"Value '{name}' at 'stackSetName' must satisfy [a-zA-Z][-a-zA-Z0-9]*")
    if known.named(name):
        raise NameAlreadyExists(f"StackSet {name} already exists")
    text = member_stacks.template_text(request, caller)
    if text is None:
        raise ValidationError(message="Either TemplateURL or TemplateBody must be specified")
    template = member_stacks.parsed(text)
    capabilities = list(request.get("Capabilities") or [])
    member_stacks.check_capabilities(template, capabilities)
    made = StackSet(
        name=name,
        arn="",
        text=text,
        parameters=member_stacks.resolved(template, request.get("Parameters") or [], {}),
        tags=_tags(request),
        capabilities=capabilities,
        description=request.get("Description") or "",
        automatic=_automatic(known, request.get("AutoDeployment")),
        managed=_true(request.get("ManagedExecution", {}).get("Active")),
    )
    made.id = f"{name}:{uuid.uuid4()}"
    made.arn = f"arn:aws:cloudformation:{known.region}:{known.management}:stackset/{made.id}"
    known.sets.append(made)
    return {"StackSetId": made.id}


def update_stack_set(known: StackSets, request: Request, caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    _refuse(request, "AdministrationRoleARN", "ExecutionRoleName", "Accounts")
    sources = [name for name in ("TemplateBody", "TemplateURL") if request.get(name)]
    if len(sources) + _true(request.get("UsePreviousTemplate")) != 1:
        raise ValidationError(message="Specify exactly one of TemplateBody, TemplateURL and UsePreviousTemplate")
    if "AutoDeployment" in request and ("DeploymentTargets" in request or "Regions" in request):
        raise ValidationError(message="If you specify AutoDeployment, don't specify DeploymentTargets or Regions")
    if ("DeploymentTargets" in request) != ("Regions" in request):
        raise ValidationError(message="DeploymentTargets and Regions must be specified together")
    execution = request.get("ManagedExecution")
    if execution is not None and stack_set.unfinished() and _true(execution.get("Active")) != stack_set.managed:
        raise InvalidOperation("The execution configuration cannot be changed while operations are running or queued")
    text = member_stacks.template_text(request, caller) or stack_set.text
    template = member_stacks.parsed(text)
    capabilities = list(request.get("Capabilities") or [])
    member_stacks.check_capabilities(template, capabilities)
    parameters = member_stacks.resolved(template, request.get("Parameters") or [], stack_set.parameters)
    automatic = _automatic(known, request["AutoDeployment"]) if "AutoDeployment" in request else stack_set.automatic
    tags = _tags(request) if "Tags" in request else stack_set.tags
    chosen = _accounts(known, request) if "DeploymentTargets" in request else None

    def begin() -> Mapping[str, Mapping[str, str]]:
        stack_set.text, stack_set.parameters, stack_set.tags = text, parameters, tags
        stack_set.capabilities, stack_set.automatic = capabilities, automatic
        stack_set.description = request.get("Description") or stack_set.description
        if execution is not None:
            stack_set.managed = _true(execution.get("Active"))
        if sources or "Parameters" in request:
            for instance in stack_set.instances.values():
                if instance.status != INOPERABLE:
                    instance.status, instance.detailed = OUTDATED, WAITING
        return _existing(stack_set, request, chosen, operable=True)

    return _submit(known, stack_set, request, UPDATE, begin)


def delete_stack_set(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    if stack_set.unfinished():
        raise OperationInProgress
    if stack_set.instances:
        raise StackSetNotEmpty
    stack_set.status = "DELETED"
    return {}


def describe_stack_set(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    about = {
        **_summary(stack_set),
        "StackSetARN": stack_set.arn,
        "TemplateBody": stack_set.text,
        "Parameters": dict(stack_set.parameters),
        "Tags": dict(stack_set.tags),
        "Capabilities": stack_set.capabilities,
        "OrganizationalUnitIds": sorted(stack_set.targets),
        "Regions": sorted({region for _, region in stack_set.instances}),
        "StackSetDriftDetectionDetails": {"DriftStatus": "NOT_CHECKED"},
    }
    return {"StackSet": about}


def list_stack_sets(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    wanted = request.get("Status")
    return _page(request, [_summary(one) for one in known.sets if not wanted or one.status == wanted])


def list_stack_set_auto_deployment_targets(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    targets = sorted(_named(known, request).targets.items())
    return _page(request, [{"OrganizationalUnitId": unit, "Regions": regions} for unit, regions in targets])


def _summary(stack_set: StackSet) -> dict[str, Any]:
    return {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.id,
        "Status": stack_set.status,
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": stack_set.automatic,
        "ManagedExecution": {"Active": stack_set.managed},
        "DriftStatus": "NOT_CHECKED",
        **({"Description": stack_set.description} if stack_set.description else {}),
    }


def _automatic(known: StackSets, given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None or "Enabled" not in given:
        raise ValidationError(message="AutoDeployment is required for StackSets of service-managed permissions")
    enabled = _true(given["Enabled"])
    if not enabled and ("RetainStacksOnAccountRemoval" in given or given.get("DependsOn")):
        raise ValidationError(message="RetainStacksOnAccountRemoval and DependsOn go with enabled automatic deployment only")
    unknown = sorted(set(given.get("DependsOn") or []) - {one.arn for one in known.sets if one.status == "ACTIVE"})
    if unknown:
        raise ValidationError(message=f"AutoDeployment depends on StackSets that do not exist: {', '.join(unknown)}")
    if not enabled:
        return {"Enabled": False}
    if "RetainStacksOnAccountRemoval" not in given:
        raise ValidationError(message="RetainStacksOnAccountRemoval must be specified when automatic deployment is enabled")
    depends = {"DependsOn": list(given["DependsOn"])} if given.get("DependsOn") else {}
    return {"Enabled": True, "RetainStacksOnAccountRemoval": _true(given["RetainStacksOnAccountRemoval"]), **depends}


# ----------------------------------------------------------------------------------------------------- stack instances


def create_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    targets = request.get("DeploymentTargets") or {}
    if targets.get("AccountFilterType", "UNION" if targets.get("Accounts") else "NONE") == "UNION":
        raise ValidationError(message="AccountFilterType UNION is not supported for CreateStackInstances")
    accounts, regions = _accounts(known, request), _regions(request)
    overrides = _overrides(stack_set, request, {})

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

    return _submit(known, stack_set, request, CREATE, begin)


def update_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    accounts, regions = _accounts(known, request), _regions(request)
    _overrides(stack_set, request, {})
    if not any((account, region) in stack_set.instances for account in accounts for region in regions):
        raise StackInstanceNotFound

    def begin() -> Mapping[str, Mapping[str, str]]:
        work = _existing(stack_set, request, accounts, operable=True)
        for region, ones in work.items():
            for account in ones:
                instance = stack_set.instances[account, region]
                changed = _overrides(stack_set, request, instance.overrides)
                instance.overrides = instance.overrides if changed is None else changed
        return work

    return _submit(known, stack_set, request, UPDATE, begin)


def delete_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    if "RetainStacks" not in request:
        raise ValidationError(message="RetainStacks must be specified")
    targets = request.get("DeploymentTargets") or {}
    accounts, regions = _accounts(known, request), _regions(request)

    def begin() -> Mapping[str, Mapping[str, str]]:
        if not targets.get("Accounts"):
            for unit in targets["OrganizationalUnitIds"]:
                left = [region for region in stack_set.targets.get(unit, []) if region not in regions]
                stack_set.targets.pop(unit, None)
                if left:
                    stack_set.targets[unit] = left
        return _existing(stack_set, request, accounts, operable=False)

    return _submit(known, stack_set, request, DELETE, begin, retain=_true(request["RetainStacks"]))


def describe_stack_instance(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    instance = stack_set.instances.get((request["StackInstanceAccount"], request["StackInstanceRegion"]))
    if instance is None:
        raise StackInstanceNotFound
    overrides = [{"ParameterKey": key, "ParameterValue": value} for key, value in instance.overrides.items()]
    return {"StackInstance": {**_instance(stack_set, instance), "ParameterOverrides": overrides}}


def list_stack_instances(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
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
    return _page(request, found)


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


def _existing(
    stack_set: StackSet, request: Request, accounts: Mapping[str, str] | None, operable: bool
) -> dict[str, dict[str, str]]:
    """The instances in question by Region. `accounts`: None for all; `operable`: without those that a failed deletion left."""
    regions = request.get("Regions") or sorted({region for _, region in stack_set.instances})
    found: dict[str, dict[str, str]] = {}
    for region in _ordered(request, regions):
        for (account, where), instance in sorted(stack_set.instances.items()):
            meant = accounts is None or account in accounts or instance.unit in _units(request)
            excluded = accounts is not None and account not in accounts and (request["DeploymentTargets"].get("Accounts"))
            if where == region and meant and not excluded and not (operable and instance.status == INOPERABLE):
                found.setdefault(region, {})[account] = instance.unit
    return found


# ---------------------------------------------------------------------------------------------------------- operations


def describe_stack_set_operation(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
    operation = _operation(stack_set, request)
    about = {
        **_operation_summary(operation),
        "StackSetId": stack_set.id,
        "DeploymentTargets": dict(operation.request.get("DeploymentTargets") or {}),
        **({"RetainStacks": operation.retain} if operation.action == DELETE else {}),
    }
    return {"StackSetOperation": about}


def list_stack_set_operations(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    return _page(request, [_operation_summary(operation) for operation in reversed(_named(known, request).operations)])


def list_stack_set_operation_results(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    operation = _operation(_named(known, request), request)
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
    return _page(request, found)


def stop_stack_set_operation(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = _named(known, request)
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


def _submit(
    known: StackSets,
    stack_set: StackSet,
    request: Request,
    action: str,
    begin: Callable[[], Mapping[str, Mapping[str, str]]],
    retain: bool = False,
) -> dict[str, Any]:
    """The same id with the same request is the same operation: that is how a request is tried again."""
    _check_preferences(request.get("OperationPreferences") or {})
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


def _check_preferences(preferences: Mapping[str, Any]) -> None:
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


# ------------------------------------------------------------------------------------------------------------ requests


def _named(known: StackSets, request: Request) -> StackSet:
    stack_set = known.named(request["StackSetName"])
    if stack_set is None:
        raise StackSetNotFoundException(request["StackSetName"])
    return stack_set


def _units(request: Request) -> list[str]:
    return list((request.get("DeploymentTargets") or {}).get("OrganizationalUnitIds") or [])


def _regions(request: Request) -> list[str]:
    regions = request.get("Regions") or []
    if not regions:
        raise ValidationError(message="You must specify at least one value for Regions")
    return _ordered(request, regions)


def _ordered(request: Request, regions: Sequence[str]) -> list[str]:
    order = (request.get("OperationPreferences") or {}).get("RegionOrder") or []
    if set(order) - set(regions):
        raise ValidationError(message="RegionOrder names Regions that the operation is not about")
    return [*order, *(region for region in regions if region not in order)]


def _accounts(known: StackSets, request: Request) -> dict[str, str]:
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


def _overrides(stack_set: StackSet, request: Request, before: Mapping[str, str]) -> dict[str, str] | None:
    """None: the request says nothing of them, they stay."""
    if "ParameterOverrides" not in request:
        return None
    declared = member_stacks.parsed(stack_set.text).get("Parameters") or {}
    given = {entry["ParameterKey"]: entry for entry in request["ParameterOverrides"]}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return {
        key: before[key] if _true(entry.get("UsePreviousValue")) else str(entry["ParameterValue"])
        for key, entry in given.items()
        if key in before or not _true(entry.get("UsePreviousValue"))
    }


def _tags(request: Request) -> dict[str, str]:
    tags = {entry["Key"]: entry["Value"] for entry in request.get("Tags") or []}
    if len(tags) > MOST_TAGS:
        raise ValidationError(message=f"A StackSet takes {MOST_TAGS} tags")
    return tags


def _refuse(request: Request, *names: str) -> None:
    for name in names:
        if request.get(name):
            raise ValidationError(message=f"{name} is not for StackSets of service-managed permissions ({xform_name(name)})")


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _page(request: Request, entries: Sequence[Any]) -> dict[str, Any]:
    size = int(request.get("MaxResults") or LARGEST_PAGE)
    token = request.get("NextToken") or "0"
    if not 1 <= size <= LARGEST_PAGE or not token.isdecimal():
        raise ValidationError(message=f"MaxResults must be between 1 and {LARGEST_PAGE}, NextToken one of an answer")
    end = int(token) + size
    return {"Summaries": list(entries[int(token) : end]), **({"NextToken": str(end)} if end < len(entries) else {})}
