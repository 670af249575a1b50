"""Teaches moto's CloudFormation types that it lacks: each with the properties that are imitated; others are refused.

moto asks a class per type; here one is made from a `StackType`. Source: CloudFormation's resource schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError
from moto.core.common_models import CloudFormationModel

Properties = Mapping[str, Any]
_CLASSES: list[type[CloudFormationModel]] = []  # moto finds them as subclasses, which do not keep themselves alive


class Where(NamedTuple):
    account: str
    region: str


@dataclass(frozen=True)
class Made:
    """What Ref and Fn::GetAtt give."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StackType:
    """`put` makes a resource or brings it to these properties; its second argument is the name, given or drawn."""

    type: str
    properties: frozenset[str]
    put: Callable[[Where, str, Properties], Made]
    delete: Callable[[Where, str, Properties], None]
    name: str = ""  # the property with the name
    attributes: frozenset[str] = frozenset()


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def register(*kinds: StackType) -> None:
    """Make the types known to moto. Registering again changes nothing."""
    known = parsing.get_model_map()
    for kind in kinds:
        if kind.type not in known:
            _CLASSES.append(_class(kind))
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()


def _checked(kind: StackType, content: Mapping[str, Any]) -> Properties:
    properties: Properties = content.get("Properties") or {}
    unknown = sorted(set(properties) - kind.properties)
    if unknown:
        raise ValidationError(message=f"The sandbox does not imitate {', '.join(unknown)} of {kind.type}")
    return properties


def _class(kind: StackType) -> type[CloudFormationModel]:
    class Resource(CloudFormationModel):
        __module__ = "moto.cloudformation.sandbox"  # where moto's tracker of instances looks for the service
        physical_resource_id: str
        made: Made
        properties: Properties

        @staticmethod
        def cloudformation_name_type() -> str:
            return kind.name

        @staticmethod
        def cloudformation_type() -> str:
            return kind.type

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in kind.attributes

        def get_cfn_attribute(self, attribute_name: str) -> Any:
            if attribute_name not in self.made.attributes:
                raise UnformattedGetAttTemplateException
            return self.made.attributes[attribute_name]

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
        ) -> Any:
            resource = cls()
            resource.properties = _checked(kind, cloudformation_json)
            resource.made = kind.put(Where(account_id, region_name), resource_name, resource.properties)
            resource.physical_resource_id = resource.made.id
            return resource

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
        ) -> Any:
            """In place where the name stays; else the new one is made before the old one goes."""
            given = (cloudformation_json.get("Properties") or {}).get(kind.name)
            name = given or original_resource.physical_resource_id
            resource = cls.create_from_cloudformation_json(name, cloudformation_json, account_id, region_name)
            if resource.physical_resource_id != original_resource.physical_resource_id:
                original_resource.delete(account_id, region_name)
            return resource

        def delete(self, account_id: str, region_name: str) -> None:
            kind.delete(Where(account_id, region_name), self.physical_resource_id, self.properties)

        def is_created(self) -> bool:
            return True

    return Resource
