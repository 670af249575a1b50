"""Mends moto's CloudFormation where conditions decide: in an update as in a creation, and in the list of a stack's resources.

moto looks at conditions when it makes a stack, and not again: a changed parameter neither makes nor takes away what depends on
it, an entry of a list that is AWS::NoValue becomes None, and a resource that was not made is listed without a name. Here the
template is decided first: what moto sees has no conditions left. What an update takes away and is to be retained, stays.

Source: CloudFormation user guide, condition functions and DeletionPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.cloudformation.parsing import ResourceMap

NO_VALUE = {"Ref": "AWS::NoValue"}
RETAINING = ("Retain", "RetainExceptOnCreate")
_ABSENT = object()
_moto_create = ResourceMap.create
_moto_update = ResourceMap.update


def install() -> None:
    """Mend moto. Installing again changes nothing."""
    ResourceMap.create = create  # type: ignore[method-assign]
    ResourceMap.update = update  # type: ignore[method-assign]


def create(self: ResourceMap, template: dict[str, Any]) -> bool:
    return _moto_create(self, decided(template, self.lazy_condition_map))


def update(self: ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    given = self.input_parameters if parameters is None else parameters
    ahead = ResourceMap(
        self.stack_id,
        self["AWS::StackName"],  # type: ignore[arg-type]
        given,
        self.tags,
        account_id=self._account_id,
        region_name=self._region_name,
        template=template,
        cross_stack_resources=self.cross_stack_resources,
    )
    ahead.load()
    wanted = decided(template, ahead.lazy_condition_map)
    for logical_id, resource in list(self._resource_json_map.items()):
        if logical_id not in wanted["Resources"] and resource.get("DeletionPolicy") in RETAINING:
            del self._resource_json_map[logical_id]
            self._parsed_resources.pop(logical_id, None)
    _moto_update(self, wanted, parameters)


def decided(template: dict[str, Any], conditions: Mapping[str, bool]) -> dict[str, Any]:
    """The template with the resources whose condition holds, and of each Fn::If the branch that is taken."""
    if not template.get("Conditions"):
        return template
    resources = {
        logical_id: _branch({key: value for key, value in resource.items() if key != "Condition"}, conditions)
        for logical_id, resource in template["Resources"].items()
        if "Condition" not in resource or conditions[resource["Condition"]]
    }
    return {**template, "Resources": resources}


def _branch(value: Any, conditions: Mapping[str, bool]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            condition, holds, otherwise = value["Fn::If"]
            return _branch(holds if conditions[condition] else otherwise, conditions)
        if value == NO_VALUE:
            return _ABSENT
        pairs = {key: _branch(entry, conditions) for key, entry in value.items()}
        return {key: entry for key, entry in pairs.items() if entry is not _ABSENT}
    if isinstance(value, list):
        return [entry for entry in (_branch(each, conditions) for each in value) if entry is not _ABSENT]
    return value
