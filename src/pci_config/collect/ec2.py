"""Security groups, VPCs and subnets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import MULTIPLE_ZONES, Recording, Related
from pci_config.collect._shapes import recorded, spelled_out
from pci_config.rule import Clients
from pci_config.tags import tag_map

GROUP, VPC, SUBNET = "AWS::EC2::SecurityGroup", "AWS::EC2::VPC", "AWS::EC2::Subnet"
RESOURCE_TYPES = (GROUP, VPC, SUBNET)
ACTIONS = ("ec2:DescribeSecurityGroups", "ec2:DescribeVpcs", "ec2:DescribeSubnets")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Relationships to network interfaces, route tables and access lists are left out: they would take calls of their own."""
    ec2 = clients.build_client("ec2", region)
    recording = Recording(account_id, region, now)
    arn = f"arn:{ec2.meta.partition}:ec2:{region}:{account_id}"
    contents: dict[str | None, list[Related]] = {}  # by VPC
    for group in _pages(ec2, "describe_security_groups", "SecurityGroups"):
        group_id, vpc_id = group["GroupId"], group.get("VpcId")
        contents.setdefault(vpc_id, []).append(Related(GROUP, "Contains SecurityGroup", group_id))
        yield recording.item(
            GROUP,
            group_id,
            _group(group),
            arn=f"{arn}:security-group/{group_id}",
            name=group["GroupName"],
            tags=tag_map(group.get("Tags")),
            related=[Related(VPC, "Is contained in Vpc", vpc_id)] if vpc_id else [],
        )
    for subnet in _pages(ec2, "describe_subnets", "Subnets"):
        subnet_id, vpc_id = subnet["SubnetId"], subnet["VpcId"]
        contents.setdefault(vpc_id, []).append(Related(SUBNET, "Contains Subnet", subnet_id))
        yield recording.item(
            SUBNET,
            subnet_id,
            _subnet(subnet),
            arn=f"{arn}:subnet/{subnet_id}",
            tags=tag_map(subnet.get("Tags")),
            related=[Related(VPC, "Is contained in Vpc", vpc_id)],
            zone=subnet["AvailabilityZone"],
        )
    for vpc in _pages(ec2, "describe_vpcs", "Vpcs"):
        vpc_id = vpc["VpcId"]
        yield recording.item(
            VPC,
            vpc_id,
            _vpc(vpc),
            arn=f"{arn}:vpc/{vpc_id}",
            tags=tag_map(vpc.get("Tags")),
            related=contents.get(vpc_id, []),
            zone=MULTIPLE_ZONES,
        )


def _pages(ec2: Any, operation: str, member: str) -> Iterator[dict[str, Any]]:
    for page in ec2.get_paginator(operation).paginate():
        yield from page[member]


def _group(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **spelled_out(recorded(found), "description groupName ownerId groupId vpcId", "tags"),
        "ipPermissions": [_permission(permission) for permission in found["IpPermissions"]],
        "ipPermissionsEgress": [_permission(permission) for permission in found["IpPermissionsEgress"]],
    }


def _permission(permission: Mapping[str, Any]) -> dict[str, Any]:
    """AWS Config keeps the ranges twice: as objects (ipv4Ranges) and, from the first days, as texts (ipRanges)."""
    ranges = permission.get("IpRanges", [])
    return {
        **spelled_out(recorded(permission), "ipProtocol fromPort toPort"),
        "ipv4Ranges": [spelled_out(recorded(entry), "cidrIp description") for entry in ranges],
        "ipRanges": [entry["CidrIp"] for entry in ranges],
        "ipv6Ranges": _each(permission, "Ipv6Ranges", "cidrIpv6 description"),
        "prefixListIds": _each(permission, "PrefixListIds", "prefixListId description"),
        "userIdGroupPairs": _each(
            permission,
            "UserIdGroupPairs",
            "groupId groupName userId vpcId vpcPeeringConnectionId peeringStatus description",
        ),
    }


def _each(found: Mapping[str, Any], member: str, names: str) -> list[dict[str, Any]]:
    return [spelled_out(recorded(entry), names) for entry in found.get(member, [])]


def _subnet(found: Mapping[str, Any]) -> dict[str, Any]:
    subnet = spelled_out(
        recorded(found),
        "availabilityZone availabilityZoneId availableIpAddressCount cidrBlock defaultForAz mapPublicIpOnLaunch"
        " mapCustomerOwnedIpOnLaunch customerOwnedIpv4Pool state subnetId vpcId ownerId assignIpv6AddressOnCreation subnetArn"
        " outpostArn",
        "ipv6CidrBlockAssociationSet tags",
    )
    return {**subnet, "mapCustomerOwnedIpOnLaunch": bool(subnet["mapCustomerOwnedIpOnLaunch"])}


def _vpc(found: Mapping[str, Any]) -> dict[str, Any]:
    vpc = spelled_out(
        recorded(found),
        "cidrBlock dhcpOptionsId instanceTenancy isDefault ownerId state vpcId",
        "cidrBlockAssociationSet ipv6CidrBlockAssociationSet tags",
    )
    for association in vpc["cidrBlockAssociationSet"]:
        association["cidrBlockState"] = spelled_out(association.get("cidrBlockState") or {}, "state statusMessage")
    return vpc
