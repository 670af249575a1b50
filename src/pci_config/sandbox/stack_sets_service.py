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
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.exceptions import (
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
    all_features,
    is_delegated,
    is_trusted,
    management_account,
    organization_of,
)
from pci_config.sandbox.stack_instances import (
    create_stack_instances,
    delete_stack_instances,
    describe_stack_instance,
    describe_stack_set_operation,
    existing,
    list_stack_instances,
    list_stack_set_operation_results,
    list_stack_set_operations,
    stop_stack_set_operation,
    submit,
    update_stack_instances,
)
from pci_config.sandbox.stack_set_requests import (
    InvalidOperation,
    NameAlreadyExists,
    OperationInProgress,
    Request,
    Throttling,
    asked_accounts,
    asked_tags,
    is_true,
    named_set,
    page,
    refuse,
)
from pci_config.sandbox.stack_sets import (
    INOPERABLE,
    OUTDATED,
    UPDATE,
    WAITING,
    Faults,
    StackSet,
    StackSets,
)

NOT_ADMINISTRATOR = (
    "You must be the management account or delegated admin account of an organization "
    "before operating a SERVICE_MANAGED stack set"
)
NO_ACCESS = "You must enable organizations access to operate a service managed stack set"
NOT_DELEGATED = "Account used is not a delegated administrator"
_STATE, _ACTIVATED = "sandbox_stack_sets", "sandbox_stack_sets_access"
_LOCK = threading.RLock()


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
    refuse(request, "AdministrationRoleARN", "ExecutionRoleName", "StackId")
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
        tags=asked_tags(request),
        capabilities=capabilities,
        description=request.get("Description") or "",
        automatic=_automatic(known, request.get("AutoDeployment")),
        managed=is_true(request.get("ManagedExecution", {}).get("Active")),
    )
    made.id = f"{name}:{uuid.uuid4()}"
    made.arn = f"arn:aws:cloudformation:{known.region}:{known.management}:stackset/{made.id}"
    known.sets.append(made)
    return {"StackSetId": made.id}


def update_stack_set(known: StackSets, request: Request, caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    refuse(request, "AdministrationRoleARN", "ExecutionRoleName", "Accounts")
    sources = [name for name in ("TemplateBody", "TemplateURL") if request.get(name)]
    if len(sources) + is_true(request.get("UsePreviousTemplate")) != 1:
        raise ValidationError(message="Specify exactly one of TemplateBody, TemplateURL and UsePreviousTemplate")
    if "AutoDeployment" in request and ("DeploymentTargets" in request or "Regions" in request):
        raise ValidationError(message="If you specify AutoDeployment, don't specify DeploymentTargets or Regions")
    if ("DeploymentTargets" in request) != ("Regions" in request):
        raise ValidationError(message="DeploymentTargets and Regions must be specified together")
    execution = request.get("ManagedExecution")
    if execution is not None and stack_set.unfinished() and is_true(execution.get("Active")) != stack_set.managed:
        raise InvalidOperation("The execution configuration cannot be changed while operations are running or queued")
    text = member_stacks.template_text(request, caller) or stack_set.text
    template = member_stacks.parsed(text)
    capabilities = list(request.get("Capabilities") or [])
    member_stacks.check_capabilities(template, capabilities)
    parameters = member_stacks.resolved(template, request.get("Parameters") or [], stack_set.parameters)
    automatic = _automatic(known, request["AutoDeployment"]) if "AutoDeployment" in request else stack_set.automatic
    tags = asked_tags(request) if "Tags" in request else stack_set.tags
    chosen = asked_accounts(known, request) if "DeploymentTargets" in request else None

    def begin() -> Mapping[str, Mapping[str, str]]:
        stack_set.text, stack_set.parameters, stack_set.tags = text, parameters, tags
        stack_set.capabilities, stack_set.automatic = capabilities, automatic
        stack_set.description = request.get("Description") or stack_set.description
        if execution is not None:
            stack_set.managed = is_true(execution.get("Active"))
        if sources or "Parameters" in request:
            for instance in stack_set.instances.values():
                if instance.status != INOPERABLE:
                    instance.status, instance.detailed = OUTDATED, WAITING
        return existing(stack_set, request, chosen, operable=True)

    return submit(known, stack_set, request, UPDATE, begin)


def delete_stack_set(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
    if stack_set.unfinished():
        raise OperationInProgress
    if stack_set.instances:
        raise StackSetNotEmpty
    stack_set.status = "DELETED"
    return {}


def describe_stack_set(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    stack_set = named_set(known, request)
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
    return page(request, [_summary(one) for one in known.sets if not wanted or one.status == wanted])


def list_stack_set_auto_deployment_targets(known: StackSets, request: Request, _caller: str) -> dict[str, Any]:
    targets = sorted(named_set(known, request).targets.items())
    return page(request, [{"OrganizationalUnitId": unit, "Regions": regions} for unit, regions in targets])


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
    enabled = is_true(given["Enabled"])
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
    return {"Enabled": True, "RetainStacksOnAccountRemoval": is_true(given["RetainStacksOnAccountRemoval"]), **depends}
