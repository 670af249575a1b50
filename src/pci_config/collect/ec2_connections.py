"""VPC peerings, recorded in the SDK's spelling, and transit gateways and their VPC attachments, in CloudFormation's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import only, recorded, spelled_out
from pci_config.rule import Clients
from pci_config.tags import tag_map

PEERING, GATEWAY = "AWS::EC2::VPCPeeringConnection", "AWS::EC2::TransitGateway"
ATTACHMENT = "AWS::EC2::TransitGatewayAttachment"
RESOURCE_TYPES = (PEERING, GATEWAY, ATTACHMENT)
ACTIONS = (
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeTransitGatewayVpcAttachments",
)
_SIDE = "cidrBlock ownerId peeringOptions vpcId region"
_OPTIONS = (
    "allowDnsResolutionFromRemoteVpc allowEgressFromLocalClassicLinkToRemoteVpc allowEgressFromLocalVpcToRemoteClassicLink"
)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Each account records its own: gateways their owner, attachments the owner of the VPC, peerings both sides."""
    ec2 = clients.build_client("ec2", region)
    recording = Recording(account_id, region, now)
    arn = f"arn:{ec2.meta.partition}:ec2:{region}:{account_id}"
    for peering in _pages(ec2, "describe_vpc_peering_connections", "VpcPeeringConnections"):
        peering_id = peering["VpcPeeringConnectionId"]
        yield recording.item(
            PEERING,
            peering_id,
            _peering(peering),
            arn=f"{arn}:vpc-peering-connection/{peering_id}",
            tags=tag_map(peering.get("Tags")),
            related=[Related("AWS::EC2::VPC", "Is associated with Vpc", vpc_id) for vpc_id in _own(peering, account_id)],
        )
    for gateway in _pages(ec2, "describe_transit_gateways", "TransitGateways"):
        if gateway["OwnerId"] == account_id and gateway.get("State") != "deleted":
            yield _gateway(recording, gateway)
    for attachment in _pages(ec2, "describe_transit_gateway_vpc_attachments", "TransitGatewayVpcAttachments"):
        if attachment["VpcOwnerId"] == account_id and attachment.get("State") != "deleted":
            yield _attachment(recording, arn, attachment)


def _pages(ec2: Any, operation: str, member: str) -> Iterator[dict[str, Any]]:
    for page in ec2.get_paginator(operation).paginate():
        yield from page[member]


def _own(peering: Mapping[str, Any], account_id: str) -> list[str]:
    sides = [peering["RequesterVpcInfo"], peering["AccepterVpcInfo"]]
    return sorted({side["VpcId"] for side in sides if side.get("OwnerId") == account_id and side.get("VpcId")})


def _peering(found: Mapping[str, Any]) -> dict[str, Any]:
    spelled = recorded(found)
    return {
        **spelled_out(spelled, "expirationTime status vpcPeeringConnectionId", "tags"),
        "status": spelled_out(spelled.get("status") or {}, "code message"),
        **{side: _side(spelled[side]) for side in ("accepterVpcInfo", "requesterVpcInfo")},
    }


def _side(side: Mapping[str, Any]) -> dict[str, Any]:
    options = side.get("peeringOptions")
    return {
        **spelled_out(side, _SIDE, "cidrBlockSet ipv6CidrBlockSet"),
        "peeringOptions": options and spelled_out(options, _OPTIONS),
    }


def _gateway(recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    options = found.get("Options") or {}
    configuration = {"Id": found["TransitGatewayId"], "Tags": found.get("Tags", []), **only(found, "Description")}
    configuration |= only(
        options,
        "AmazonSideAsn AutoAcceptSharedAttachments DefaultRouteTableAssociation AssociationDefaultRouteTableId"
        " DefaultRouteTablePropagation PropagationDefaultRouteTableId VpnEcmpSupport DnsSupport MulticastSupport"
        " TransitGatewayCidrBlocks",
    )
    return recording.item(
        GATEWAY,
        found["TransitGatewayId"],
        configuration,
        arn=found["TransitGatewayArn"],
        tags=tag_map(found.get("Tags")),
        created=found.get("CreationTime"),
    )


def _attachment(recording: Recording, arn: str, found: Mapping[str, Any]) -> dict[str, Any]:
    attachment_id = found["TransitGatewayAttachmentId"]
    configuration = {"Id": attachment_id, "Tags": found.get("Tags", []), **only(found, "TransitGatewayId VpcId SubnetIds")}
    return recording.item(
        ATTACHMENT,
        attachment_id,
        configuration,
        arn=f"{arn}:transit-gateway-attachment/{attachment_id}",
        tags=tag_map(found.get("Tags")),
        created=found.get("CreationTime"),
    )
