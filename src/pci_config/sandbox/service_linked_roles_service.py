"""Adds service-linked roles to moto's CloudFormation, and gives the one of AWS Config its name.

Source: CloudFormation template reference, AWS::IAM::ServiceLinkedRole (Ref is the role's name; one that is there is refused).
"""

from __future__ import annotations

from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.models import SERVICE_NAME_CONVERSION, iam_backends

from pci_config.sandbox.member_stacks import StackFailed
from pci_config.sandbox.stack_types import Made, Properties, StackType, Where, register, words


def install() -> None:
    """Teach moto the type of this module. Installing again changes nothing."""
    SERVICE_NAME_CONVERSION["config"] = "Config"
    register(SERVICE_LINKED_ROLE)


def _make(where: Where, _name: str, properties: Properties) -> Made:
    service = properties["AWSServiceName"]
    try:
        role = iam_backends[where.account]["aws"].create_service_linked_role(service, properties.get("Description", ""), "")
    except EntityAlreadyExists:
        raise StackFailed(f"InvalidInput: the role of {service} has been taken in this account") from None
    return Made(role.name, {"RoleName": role.name})


def _delete(where: Where, name: str, _properties: Properties) -> None:
    iam_backends[where.account]["aws"].delete_service_linked_role(name)


SERVICE_LINKED_ROLE = StackType(
    "AWS::IAM::ServiceLinkedRole", words("AWSServiceName Description"), _make, _delete, attributes=words("RoleName")
)
