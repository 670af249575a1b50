"""Mends moto's CloudFormation: an unknown type is refused, an update that changes nothing, too; a parameter that Fn::Sub uses
counts; what fails is rolled back, and the stack's status and events say so; a template is read once.

moto leaves out a type that it does not know and calls the stack complete: nothing would be deployed, and nobody would see it.
Source: CloudFormation API reference, CreateStack, UpdateStack, DeleteStack, and user guide, stack failure options.
"""

from __future__ import annotations

import contextlib
import functools
import json
import pickle
import re
from typing import Any

import yaml
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse

from pci_config.sandbox import member_stacks
from pci_config.sandbox.member_stacks import reason

_moto_parse = Stack.parse_template
_moto_create = CloudFormationBackend.create_stack
_moto_update = CloudFormationBackend.update_stack
_moto_delete = CloudFormationBackend.delete_stack
REFUSALS = (CloudFormationError, NotImplementedError)
_PLACEHOLDER = re.compile(r"\$\{([^!}.]+)(?:\.[^}]*)?\}")


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    Stack.parse_template = staticmethod(parse_template)  # type: ignore[method-assign]
    parsing.get_references_from_template = references
    CloudFormationBackend.update_stack = update_stack  # type: ignore[method-assign]
    CloudFormationBackend.create_stack = create_stack  # type: ignore[method-assign]
    CloudFormationBackend.delete_stack = delete_stack  # type: ignore[method-assign]
    CloudFormationResponse._get_stack_from_s3_url = _template_at  # type: ignore[method-assign]


@functools.lru_cache(maxsize=64)
def _pickled(text: str) -> bytes:
    try:
        return pickle.dumps(_moto_parse(text))
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValidationError(message=f"Template format error: {error}") from None


def parse_template(template: str) -> Any:
    """Documents make templates large, and moto reads them twice for each stack."""
    return pickle.loads(_pickled(template))  # noqa: S301 - its own bytes


def references(template: Any) -> list[str]:
    """Names in Ref, as moto, and in Fn::Sub and Fn::GetAtt as well."""
    if isinstance(template, list):
        return [name for entry in template for name in references(entry)]
    if not isinstance(template, dict):
        return []
    found = []
    for key, value in template.items():
        if key == "Ref":
            found.append(value)
        elif key == "Fn::Sub":
            found += _PLACEHOLDER.findall(value if isinstance(value, str) else value[0])
            found += references(value)
        elif key == "Fn::GetAtt":
            found.append(value[0])
        else:
            found += references(value)
    return found


def create_stack(self: CloudFormationBackend, name: str, template: str, *arguments: Any, **options: Any) -> Stack:
    """What a resource raises does not fail the call, but the stack. What the sandbox refuses fails the call."""
    member_stacks.check_types(Stack.parse_template(template))
    known = set(self.stacks)
    try:
        return _moto_create(self, name, template, *arguments, **options)
    except Exception as error:
        for stack_id in set(self.stacks) - known:
            stack = self.stacks[stack_id]
            with contextlib.suppress(Exception):
                stack.resource_map.delete()
            if not isinstance(error, REFUSALS):
                # moto makes a resource as soon as an output asks for it
                stack.output_map = parsing.OutputMap(stack.resource_map, {"Outputs": {}}, stack_id)
                stack.resource_map._resource_json_map = {}
                return _failed(stack, "ROLLBACK_COMPLETE", error)
            del self.stacks[stack_id]
        raise


def update_stack(
    self: CloudFormationBackend, name: str, template: str, role_arn: Any, parameters: list[dict[str, Any]], tags: Any
) -> Stack:
    stack = self.get_stack(name)
    parsed = Stack.parse_template(template)
    member_stacks.check_types(parsed)
    values = member_stacks.resolved(parsed, parameters, stack.parameters)
    defaults = {key: slot["Default"] for key, slot in (parsed.get("Parameters") or {}).items() if "Default" in slot}
    before = stack.template, {**defaults, **stack.parameters}, dict(stack.tags)
    if before == (template, {**defaults, **values}, dict(stack.tags if tags is None else tags)):
        raise ValidationError(message="No updates are to be performed.")
    given = [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in {**defaults, **values}.items()]
    parameters_before = dict(stack.parameters)
    try:
        return _moto_update(self, name, template, role_arn, given, tags)
    except Exception as error:
        with contextlib.suppress(Exception):
            stack.update(before[0], parameters=parameters_before, tags=before[2])  # type: ignore[arg-type]
        if isinstance(error, REFUSALS):
            raise
        return _failed(stack, "UPDATE_ROLLBACK_COMPLETE", error)


def _failed(stack: Stack, status: str, error: Exception) -> Stack:
    stack.status = status
    stack._add_stack_event(status, reason(error))
    return stack


def delete_stack(self: CloudFormationBackend, name_or_stack_id: str) -> None:
    """The call succeeds also where a resource cannot be deleted; then the stack stays, and its events say why."""
    stacks = dict(self.stacks)
    try:
        _moto_delete(self, name_or_stack_id)
    except Exception as error:
        for stack_id, stack in stacks.items():
            if stack_id not in self.stacks and name_or_stack_id in (stack_id, stack.name):
                self.stacks[stack_id] = stack
                _failed(stack, "DELETE_FAILED", error)


def _template_at(self: CloudFormationResponse, template_url: str) -> str:
    return member_stacks.object_text(template_url, self.current_account)
