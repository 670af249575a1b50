"""Security groups, VPCs and subnets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._shapes import recorded, tag_map
from pci_config.items import new_item
from pci_config.rule import Clients

GROUP, VPC, SUBNET = "AWS::EC2::SecurityGroup", "AWS::EC2::VPC", "AWS::EC2::Subnet"
RESOURCE_TYPES = (GROUP, VPC, SUBNET)
ACTIONS = ("ec2:DescribeSecurityGroups", "ec2:DescribeVpcs", "ec2:DescribeSubnets")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    ec2 = clients.build_client("ec2", region)
    for kind, operation, member, key in (
        (GROUP, "describe_security_groups", "SecurityGroups", "GroupId"),
        (VPC, "describe_vpcs", "Vpcs", "VpcId"),
        (SUBNET, "describe_subnets", "Subnets", "SubnetId"),
    ):
        for page in ec2.get_paginator(operation).paginate():
            for found in page[member]:
                resource_id = found[key]
                yield new_item(
                    account_id=account_id,
                    region=region,
                    resource_type=kind,
                    resource_id=resource_id,
                    name=found.get("GroupName"),
                    arn=f"arn:aws:ec2:{region}:{account_id}:{_ARN_PART[kind]}/{resource_id}",
                    configuration=_group(found) if kind == GROUP else recorded(found),
                    tags=tag_map(found.get("Tags")),
                    capture_time=now,
                    relationships=[(VPC, found["VpcId"])] if kind != VPC and found.get("VpcId") else [],
                )


_ARN_PART = {GROUP: "security-group", VPC: "vpc", SUBNET: "subnet"}


def _group(found: Mapping[str, Any]) -> dict[str, Any]:
    configuration: dict[str, Any] = recorded(found)
    configuration["ipPermissions"] = [_permission(p) for p in found["IpPermissions"]]
    configuration["ipPermissionsEgress"] = [_permission(p) for p in found["IpPermissionsEgress"]]
    return configuration


def _permission(permission: Mapping[str, Any]) -> dict[str, Any]:
    """AWS Config keeps the ranges twice: as objects (ipv4Ranges) and, from the first days, as texts (ipRanges)."""
    ranges = permission.get("IpRanges", [])
    return {
        "ipProtocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort"),
        "toPort": permission.get("ToPort"),
        "ipv4Ranges": [{"cidrIp": r["CidrIp"], "description": r.get("Description")} for r in ranges],
        "ipRanges": [r["CidrIp"] for r in ranges],
        "ipv6Ranges": [
            {"cidrIpv6": r["CidrIpv6"], "description": r.get("Description")} for r in permission.get("Ipv6Ranges", [])
        ],
        "prefixListIds": [
            {"prefixListId": p["PrefixListId"], "description": p.get("Description")}
            for p in permission.get("PrefixListIds", [])
        ],
        "userIdGroupPairs": [
            {
                "groupId": pair.get("GroupId"),
                "groupName": None,
                "userId": pair.get("UserId"),
                "vpcId": pair.get("VpcId"),
                "vpcPeeringConnectionId": pair.get("VpcPeeringConnectionId"),
                "peeringStatus": pair.get("PeeringStatus"),
                "description": pair.get("Description"),
            }
            for pair in permission.get("UserIdGroupPairs", [])
        ],
    }
