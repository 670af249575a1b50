"""Creates, updates and deletes the stacks of other accounts, and puts back what a failed step has left.

A type that the sandbox does not imitate is refused before anything is made: moto itself would leave it out and call the stack
complete. Source: AWS CloudFormation API reference, CreateStackSet (capabilities, macros) and user guide (StackSets).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlparse

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import Stack, cloudformation_backends
from moto.cloudformation.parsing import NULL_MODELS, get_model_map
from moto.s3.models import s3_backends

MAX_BODY, MAX_OBJECT = 51_200, 1_000_000
NESTED = "AWS::CloudFormation::Stack"
# CreateStackSet, Capabilities: the types that need CAPABILITY_IAM, and the property that names one (CAPABILITY_NAMED_IAM).
IAM_NAMES = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": "",
}


class InsufficientCapabilities(CloudFormationError):
    code = "InsufficientCapabilitiesException"


class StackFailed(Exception):
    """A resource could not be made, changed or deleted."""


def reason(error: Exception) -> str:
    """What went wrong, as the events of a stack say it."""
    if isinstance(error, StackFailed):
        return str(error)
    code = getattr(error, "error_type", "") or getattr(error, "code", "") or type(error).__name__
    return f"{code}: {getattr(error, 'message', '') or error}"


def template_text(request: Mapping[str, Any], caller: str) -> str | None:
    """The template of a request: in itself, or an object that the caller reads. None if it names neither."""
    if request.get("TemplateBody") and request.get("TemplateURL"):
        raise ValidationError(message="You can specify either TemplateBody or TemplateURL, but not both.")
    if request.get("TemplateBody"):
        text = str(request["TemplateBody"])
        if len(text.encode()) > MAX_BODY:
            raise ValidationError(message=f"'templateBody' must have length less than or equal to {MAX_BODY}")
        return text
    if request.get("TemplateURL"):
        return object_text(str(request["TemplateURL"]), caller)
    return None


def object_text(url: str, caller: str) -> str:
    """https://<bucket>.s3.<region>.amazonaws.com/<key> or https://s3.<region>.amazonaws.com/<bucket>/<key>."""
    parts = urlparse(url)
    if parts.scheme != "https" or not parts.netloc.endswith(".amazonaws.com") or ".s3-website" in parts.netloc:
        raise ValidationError(message="TemplateURL must reference a valid S3 object to which you have access.")
    bucket, key = parts.netloc.split(".s3")[0], parts.path.lstrip("/")
    if parts.netloc.startswith("s3"):
        bucket, _, key = key.partition("/")
    if not any(bucket in backend["aws"].buckets for backend in list(s3_backends.values())):
        raise ValidationError(message="S3 error: The specified bucket does not exist")
    found = s3_backends[caller]["aws"].get_object(bucket, key)
    if found is None:
        raise ValidationError(message="S3 error: The specified key does not exist.")
    if len(found.value) > MAX_OBJECT:
        raise ValidationError(message=f"Template may not exceed {MAX_OBJECT} bytes in size.")
    return str(found.value.decode("utf-8"))


def check_types(template: Mapping[str, Any]) -> None:
    """Refuse what moto would silently leave out."""
    known = {*get_model_map(), *NULL_MODELS}
    types = {resource.get("Type", "") for resource in template.get("Resources", {}).values()}
    unknown = sorted(kind for kind in types if kind not in known and not kind.startswith("Custom::"))
    if unknown:
        raise ValidationError(message=f"The sandbox does not imitate {', '.join(unknown)}")


def check_capabilities(template: Mapping[str, Any], capabilities: list[str]) -> None:
    needed = ""
    for resource in template["Resources"].values():
        if resource["Type"] in IAM_NAMES:
            name = IAM_NAMES[resource["Type"]]
            named = bool(name) and name in (resource.get("Properties") or {})
            needed = "CAPABILITY_NAMED_IAM" if named else needed or "CAPABILITY_IAM"
    if needed and "CAPABILITY_NAMED_IAM" not in capabilities and needed not in capabilities:
        raise InsufficientCapabilities(f"Requires capabilities : [{needed}]")


def parsed(text: str) -> dict[str, Any]:
    """The template, checked for what a StackSet of service-managed permissions takes."""
    template: Any = Stack.parse_template(text)
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ValidationError(message="Template format error: At least one Resources member must be defined.")
    kinds = {resource.get("Type") for resource in template["Resources"].values()}
    if "Transform" in template:
        raise ValidationError(message="StackSets of service-managed permissions take no macros")
    if NESTED in kinds:
        raise ValidationError(message="StackSets of service-managed permissions take no nested stacks")
    check_types(template)
    return template


def resolved(template: Mapping[str, Any], given: Sequence[Mapping[str, Any]], before: Mapping[str, str]) -> dict[str, str]:
    """Values of parameters: what is given, or what was before where the request says so, else the template's default."""
    declared = template.get("Parameters") or {}
    values = {}
    for entry in given:
        key = entry["ParameterKey"]
        if str(entry.get("UsePreviousValue", "")).lower() == "true":
            if "ParameterValue" in entry:
                raise ValidationError(message=f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true")
            if key in before:
                values[key] = before[key]
        else:
            values[key] = str(entry["ParameterValue"])
    unknown = sorted(set(values) - set(declared))
    missing = sorted(key for key, slot in declared.items() if key not in values and "Default" not in slot)
    if unknown:
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    return values


# ------------------------------------------------------------------------------------------------------------- stacks


def create(account: str, region: str, name: str, text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Make the stack; returns its id. Raises StackFailed, or what the sandbox refuses; then nothing of it is left."""
    backend = cloudformation_backends[account][region]
    stack = backend.create_stack(name=name, template=text, parameters=_complete(text, parameters), tags=dict(tags))
    if stack.status != "CREATE_COMPLETE":
        backend.stacks.pop(stack.stack_id)
        raise StackFailed(stack.events[-1].resource_status_reason)
    return str(stack.stack_id)


def update(account: str, region: str, stack_id: str, text: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Bring the stack to this template. Raises whatever a resource raised, after going back to the template before."""
    stack = cloudformation_backends[account][region].stacks[stack_id]
    before, parameters_before, tags_before = str(stack.template), dict(stack.parameters), dict(stack.tags)
    try:
        stack.update(text, parameters=_complete(text, parameters), tags=dict(tags))
    except Exception:
        with contextlib.suppress(Exception):
            stack.update(before, parameters=parameters_before, tags=tags_before)
        stack.status = "UPDATE_ROLLBACK_COMPLETE"
        raise


def _complete(text: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """With every default: moto would keep the value before where none is given."""
    declared = Stack.parse_template(text).get("Parameters") or {}
    return {**{key: str(slot["Default"]) for key, slot in declared.items() if "Default" in slot}, **parameters}


def delete(account: str, region: str, stack_id: str) -> None:
    """Raises what a resource's deletion raised."""
    backend = cloudformation_backends[account][region]
    backend.delete_stack(stack_id)
    if stack_id in backend.stacks:
        raise StackFailed(backend.stacks[stack_id].events[-1].resource_status_reason)


def exists(account: str, region: str, stack_id: str) -> bool:
    return stack_id in cloudformation_backends[account][region].stacks
