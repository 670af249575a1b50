"""What joins accounts and no item shows: shares of AWS RAM, owners of transit gateways and the routes between attachments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.rule import Clients, ItemIndex, Lookup, NotAssessed, RuleInputError, Scope, required

GATEWAY = "AWS::EC2::TransitGateway"
GONE = ("deleted", "deleting", "failed", "failing", "rejected", "rejecting")  # states of an attachment that carries nothing


@dataclass(frozen=True, slots=True)
class Share:
    """A resource share that this account owns (`principals`: with whom) or was given (`owner`: by whom)."""

    arn: str
    name: str
    owner: str
    principals: tuple[str, ...] = ()


class Shares(Lookup[Sequence[Share]]):
    """Active shares of this account and Region, own ones first. AWS Config does not record them."""

    actions = ("ram:GetResourceShares", "ram:GetResourceShareAssociations")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Share]:
        ram = clients.build_client("ram")
        principals: dict[str, list[str]] = {}
        for page in ram.get_paginator("get_resource_share_associations").paginate(associationType="PRINCIPAL"):
            for entry in page["resourceShareAssociations"]:
                if entry.get("status") not in ("DISASSOCIATED", "FAILED"):
                    principals.setdefault(entry["resourceShareArn"], []).append(entry["associatedEntity"])
        return [
            Share(
                share["resourceShareArn"],
                share.get("name", ""),
                share["owningAccountId"],
                tuple(sorted(principals.get(share["resourceShareArn"], ()))) if owner == "SELF" else (),
            )
            for owner in ("SELF", "OTHER-ACCOUNTS")
            for page in ram.get_paginator("get_resource_shares").paginate(resourceOwner=owner)
            for share in page["resourceShares"]
            if share.get("status") in ("ACTIVE", "PENDING")
        ]


class GatewayOwner(Lookup[str]):
    """The account that owns a transit gateway, by its id."""

    actions = ("ec2:DescribeTransitGateways",)
    resource_types = (GATEWAY,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> str:
        try:
            (gateway,) = clients.build_client("ec2").describe_transit_gateways(TransitGatewayIds=list(key))["TransitGateways"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidTransitGatewayID.NotFound":
                raise RuleInputError(f"{key[0]} is not visible here, so its owner is not known") from None
            raise
        return str(gateway["OwnerId"])

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> str:
        """AWS Config records a gateway in its owner's account only."""
        for item in items.find(GATEWAY, scope.account_id, scope.region):
            if required(item, "configuration.Id", str) == key[0]:
                return scope.account_id
        raise NotAssessed(f"{key[0]} belongs to another account, which this source does not tell")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A transit gateway of this account: owners of the resources that are attached, by attachment; and the pairs of
    attachments of which the first has a route to the second."""

    id: str
    owners: Mapping[str, str]
    routes: frozenset[tuple[str, str]]


class Gateways(Lookup[Sequence[Gateway]]):
    """The account's own transit gateways. AWS Config records neither whose the attachments are nor the routes between them."""

    actions = (
        "ec2:DescribeTransitGateways",
        "ec2:DescribeTransitGatewayAttachments",
        "ec2:SearchTransitGatewayRoutes",
    )

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Gateway]:
        ec2 = clients.build_client("ec2")
        pages = ec2.get_paginator("describe_transit_gateways").paginate()
        return [
            _gateway(ec2, gateway["TransitGatewayId"])
            for page in pages
            for gateway in page["TransitGateways"]
            if gateway["OwnerId"] == scope.account_id and gateway.get("State") != "deleted"
        ]


def _gateway(ec2: Any, gateway_id: str) -> Gateway:
    wanted = [{"Name": "transit-gateway-id", "Values": [gateway_id]}]
    pages = ec2.get_paginator("describe_transit_gateway_attachments").paginate(Filters=wanted)
    attachments = [a for page in pages for a in page["TransitGatewayAttachments"] if a.get("State") not in GONE]
    owners = {a["TransitGatewayAttachmentId"]: str(a.get("ResourceOwnerId", "")) for a in attachments}
    if len(set(owners.values())) < 2:
        return Gateway(gateway_id, owners, frozenset())
    tables: dict[str, set[str]] = {}  # targets by route table
    routes = set()
    for attachment in attachments:
        table = (attachment.get("Association") or {}).get("TransitGatewayRouteTableId")
        if table:
            if table not in tables:
                tables[table] = _targets(ec2, table)
            routes |= {(attachment["TransitGatewayAttachmentId"], target) for target in tables[table]}
    return Gateway(gateway_id, owners, frozenset(routes))


def _targets(ec2: Any, table: str) -> set[str]:
    """Attachments to which the table has an active route. AWS gives 1000 routes at most and says when there are more."""
    active = [{"Name": "state", "Values": ["active"]}]
    reply = ec2.search_transit_gateway_routes(TransitGatewayRouteTableId=table, Filters=active)
    if reply.get("AdditionalRoutesAvailable"):
        raise RuleInputError(f"{table} has more routes than AWS lists, so what it joins is not known")
    return {entry["TransitGatewayAttachmentId"] for r in reply["Routes"] for entry in r.get("TransitGatewayAttachments", [])}
