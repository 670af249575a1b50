"""Where the routes of a VPC lead, in AWS Config's recorded form (camelCase) or EC2's DescribeRouteTables (PascalCase).

Source: EC2 API reference, Route and RouteTableAssociation; VPC user guide, route tables. Standard library only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pci_config.network import globally_routable

# internet: packets get in and out; outward: only what was begun inside (address translation, egress-only); inside: neither
Reach = Literal["internet", "outward", "inside"]
DESTINATIONS = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
GATEWAYS: Mapping[str, Reach] = {"igw-": "internet", "local": "inside", "vgw-": "inside", "vpce-": "inside"}
# a carrier gateway is to a Wavelength Zone what an internet gateway is to a Region
TARGETS: Mapping[str, Reach] = {
    "carrierGatewayId": "internet",
    "natGatewayId": "outward",
    "egressOnlyInternetGatewayId": "outward",
    "transitGatewayId": "inside",
    "vpcPeeringConnectionId": "inside",
    "localGatewayId": "inside",
    "coreNetworkArn": "inside",
    "odbNetworkArn": "inside",
}
APPLIANCES = ("instanceId", "networkInterfaceId", "ipAddress")  # what an instance does with a packet only it knows
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
    targets = {name: value for name in ("gatewayId", *TARGETS, *APPLIANCES) if (value := _member(route, name))}
    if not targets:
        raise MalformedRouteError(f"the route to {destination} has no target that is known here")
    reaches = {_reach(name, str(value), destination) for name, value in targets.items()}
    state = _member(route, "state")
    if state not in ("active", "blackhole", "filtered"):
        raise MalformedRouteError(f"the route to {destination} has the state {state!r}, which is not known here")
    gravest: Reach = "internet" if "internet" in reaches else "outward" if "outward" in reaches else "inside"
    return Route(destination, str(next(iter(targets.values()))), gravest, state == "blackhole")


def _reach(name: str, target: str, destination: str) -> Reach:
    if name in APPLIANCES:
        return "outward" if _public(destination) else "inside"
    if name in TARGETS:
        return TARGETS[name]
    for prefix, reach in GATEWAYS.items():
        if target.startswith(prefix):
            return reach
    raise MalformedRouteError(f"gatewayId {target!r} is of a kind that is not known here")


def _public(destination: str) -> bool:
    """What a prefix list holds is not asked: it may be public."""
    if destination.startswith("pl-"):
        return True
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
