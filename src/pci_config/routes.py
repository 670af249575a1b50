"""Where the routes of a VPC lead, in AWS Config's recorded form (camelCase) or EC2's DescribeRouteTables (PascalCase).

Source: EC2 API reference, Route and RouteTableAssociation; VPC user guide, route tables. Standard library only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pci_config.network import globally_routable

# internet: packets get in and out; outward: only what was begun inside (address translation, egress-only); inside: neither;
# listed: outward if the prefix list that is the destination holds a public address, which only a look into it shows
Reach = Literal["internet", "outward", "inside", "listed"]
DESTINATIONS = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
GATEWAYS: Mapping[str, Reach | None] = {"igw-": "internet", "local": "inside", "vgw-": None, "vpce-": None}
# None: what lies behind only its owner knows, so a public destination counts as address translation there. A carrier gateway
# is to a Wavelength Zone what an internet gateway is to a Region. Through a peering nobody reaches the other VPC's gateways.
TARGETS: Mapping[str, Reach | None] = {
    "carrierGatewayId": "internet",
    "natGatewayId": "outward",
    "egressOnlyInternetGatewayId": "outward",
    "transitGatewayId": None,
    "coreNetworkArn": None,
    "localGatewayId": None,
    "instanceId": None,
    "networkInterfaceId": None,
    "ipAddress": None,
    "vpcPeeringConnectionId": "inside",
    "odbNetworkArn": "inside",
}
GRAVEST_FIRST: tuple[Reach, ...] = ("internet", "outward", "listed", "inside")
GONE = ("disassociated", "failed")


class MalformedRouteError(ValueError):
    """A route table lacks a member that decides, or it cannot be read. The message names the member."""


@dataclass(frozen=True)
class Route:
    """One route. One whose target is gone (`blackhole`) counts as any other: the target may come back."""

    destination: str
    target: str
    reach: Reach
    blackhole: bool = False

    def __str__(self) -> str:
        return f"{self.destination} over {self.target}" + (" (blackhole)" if self.blackhole else "")


@dataclass(frozen=True)
class RouteTable:
    """`subnets` are those associated with it by name; the main table is also that of every subnet without a table."""

    table_id: str
    vpc_id: str
    main: bool
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


def route_table(found: Mapping[str, Any]) -> RouteTable:
    """The table in either form. Raises MalformedRouteError."""
    associations = [entry for entry in _list(found, "associations") if _state(entry) not in GONE]
    for entry in associations:
        if not any(_member(entry, name) for name in ("main", "subnetId", "gatewayId", "publicIpv4Pool")):
            raise MalformedRouteError("an association says neither what it is with nor that it is the main one")
    subnets = [_member(entry, "subnetId") for entry in associations]
    return RouteTable(
        _text(found, "routeTableId"),
        _text(found, "vpcId"),
        any(_flag(entry, "main") for entry in associations),
        tuple(str(subnet) for subnet in subnets if subnet),
        tuple(_route(entry) for entry in _list(found, "routes")),
    )


def table_of(subnet_id: str, tables: Iterable[RouteTable]) -> RouteTable | None:
    """The subnet's own table, or else the main one; None when neither is among the tables."""
    main = None
    for table in tables:
        if subnet_id in table.subnets:
            return table
        main = table if table.main else main
    return main


def _route(route: Any) -> Route:
    if not isinstance(route, Mapping):
        raise MalformedRouteError(f"a route is {type(route).__name__}, expected an object")
    destination = next((str(value) for name in DESTINATIONS if (value := _member(route, name))), "")
    if not destination:
        raise MalformedRouteError("a route has no destination")
    targets = {name: value for name in ("gatewayId", *TARGETS) if (value := _member(route, name))}
    if not targets:
        raise MalformedRouteError(f"the route to {destination} has no target that is known here")
    reaches = {_reach(name, str(value), destination) for name, value in targets.items()}
    state = _member(route, "state")
    if state not in ("active", "blackhole", "filtered"):
        raise MalformedRouteError(f"the route to {destination} has the state {state!r}, which is not known here")
    gravest = next(reach for reach in GRAVEST_FIRST if reach in reaches)
    return Route(destination, str(next(iter(targets.values()))), gravest, state == "blackhole")


def _reach(name: str, target: str, destination: str) -> Reach:
    known = TARGETS[name] if name in TARGETS else _gateway_reach(target)
    if known:
        return known
    if not destination.startswith("pl-"):
        return "outward" if _public(destination) else "inside"
    # a prefix list over an endpoint is an AWS service (S3, DynamoDB) over a gateway endpoint
    return "inside" if target.startswith("vpce-") else "listed"


def _gateway_reach(target: str) -> Reach | None:
    for prefix, reach in GATEWAYS.items():
        if target.startswith(prefix):
            return reach
    raise MalformedRouteError(f"gatewayId {target!r} is of a kind that is not known here")


def _public(destination: str) -> bool:
    try:
        return globally_routable(ipaddress.ip_network(destination, strict=False))
    except ValueError:
        raise MalformedRouteError(f"destination {destination!r} is no CIDR") from None


def _state(association: Any) -> Any:
    if not isinstance(association, Mapping):
        raise MalformedRouteError(f"an association is {type(association).__name__}, expected an object")
    state = _member(association, "associationState")
    return _member(state, "state") if isinstance(state, Mapping) else None


def _member(value: Mapping[str, Any], name: str) -> Any:
    """A member in the recorded spelling, or in EC2's, which capitalizes the first letter."""
    return value.get(name, value.get(name[:1].upper() + name[1:]))


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = _member(value, name)
    if not isinstance(found, list):
        raise MalformedRouteError(f"{name} is {type(found).__name__}, expected a list")
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = _member(value, name)
    if not isinstance(found, str) or not found:
        raise MalformedRouteError(f"{name} is missing or no text")
    return found


def _flag(value: Mapping[str, Any], name: str) -> bool:
    found = _member(value, name)
    if not isinstance(found, bool):
        raise MalformedRouteError(f"{name} is {found!r}, expected true or false")
    return found
