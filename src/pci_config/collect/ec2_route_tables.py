"""Route tables of VPCs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import recorded, spelled_out
from pci_config.rule import Clients
from pci_config.tags import tag_map

ROUTE_TABLE = "AWS::EC2::RouteTable"
RESOURCE_TYPES = (ROUTE_TABLE,)
ACTIONS = ("ec2:DescribeRouteTables",)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    ec2 = clients.build_client("ec2", region)
    recording = Recording(account_id, region, now)
    for page in ec2.get_paginator("describe_route_tables").paginate():
        for table in page["RouteTables"]:
            table_id = table["RouteTableId"]
            subnets = [entry["SubnetId"] for entry in table["Associations"] if entry.get("SubnetId")]
            yield recording.item(
                ROUTE_TABLE,
                table_id,
                _table(table),
                arn=f"arn:{ec2.meta.partition}:ec2:{region}:{account_id}:route-table/{table_id}",
                tags=tag_map(table.get("Tags")),
                related=[
                    *(Related("AWS::EC2::Subnet", "Contains Subnet", subnet) for subnet in subnets),
                    Related("AWS::EC2::VPC", "Is contained in Vpc", table["VpcId"]),
                ],
            )


def _table(found: Mapping[str, Any]) -> dict[str, Any]:
    table = spelled_out(recorded(found), "ownerId routeTableId vpcId", "propagatingVgws tags")
    associations = [
        {
            **spelled_out(entry, "gatewayId main routeTableAssociationId routeTableId subnetId"),
            "associationState": spelled_out(entry.get("associationState") or {"state": "associated"}, "state statusMessage"),
        }
        for entry in recorded(found["Associations"])
    ]
    names = (
        "carrierGatewayId destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId egressOnlyInternetGatewayId"
        " gatewayId instanceId instanceOwnerId localGatewayId natGatewayId networkInterfaceId origin state transitGatewayId"
        " vpcPeeringConnectionId"
    )
    return {**table, "associations": associations, "routes": [spelled_out(entry, names) for entry in recorded(found["Routes"])]}
