"""PCI_ROUTE_LIMITED: only subnets of the DMZ are routed to the internet, and databases nowhere outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.egress import TIER_TAG
from pci_config.network import globally_routable
from pci_config.network_facts import PrefixListEntries
from pci_config.routes import MalformedRouteError, Route, RouteTable, route_table, table_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    ItemIndex,
    Lookup,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    bounded,
    choice,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    required,
    tags_of,
    words,
)

ROUTE_TABLE, SUBNET = "AWS::EC2::RouteTable", "AWS::EC2::Subnet"
SUFFIX = " [PCI 1.4.2]"
Tiers = Mapping[str, str | None]  # tier tag by subnet id


@dataclass(frozen=True, slots=True)
class RouteParameters:
    public_tiers: tuple[str, ...] = words(("dmz",))
    isolated_tiers: tuple[str, ...] = words(("database",))
    untagged_policy: str = choice("deny-internet", ("deny-internet", "ignore"))


class SubnetTiers(Lookup[Tiers]):
    """The tier tag of every subnet of a VPC."""

    actions = ("ec2:DescribeSubnets",)
    resource_types = (SUBNET,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Tiers:
        return {
            subnet["SubnetId"]: {tag["Key"]: tag["Value"] for tag in subnet.get("Tags", [])}.get(TIER_TAG)
            for subnet in _of_vpc(clients, "describe_subnets", "Subnets", key[0])
        }

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Tiers:
        subnets = items.find(SUBNET, scope.account_id, scope.region)
        mine = [item for item in subnets if required(item, "configuration.vpcId", str) == key[0]]
        return {item["resourceId"]: _tier(item) for item in mine}


class RouteTables(Lookup[Sequence[RouteTable]]):
    """Every route table of a VPC."""

    actions = ("ec2:DescribeRouteTables",)
    resource_types = (ROUTE_TABLE,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[RouteTable]:
        return [route_table(found) for found in _of_vpc(clients, "describe_route_tables", "RouteTables", key[0])]

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Sequence[RouteTable]:
        tables = (_table(item) for item in items.find(ROUTE_TABLE, scope.account_id, scope.region))
        return [table for table in tables if table.vpc_id == key[0]]


def _of_vpc(clients: Clients, operation: str, member: str, vpc_id: str) -> Iterator[dict[str, Any]]:
    pages = clients.build_client("ec2").get_paginator(operation).paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    for page in pages:
        yield from page[member]


class PciRouteLimited(PciRule):
    """Subnets outside the DMZ have no route to an internet gateway; those of databases none to a NAT either.

    PCI DSS 4.0.1: 1.4.2, 1.4.4. 3.2.1: 1.3. Source: VPC user guide, route tables; EC2 API reference, Route.

    | subnet, by its tag `pci:tier` | verdict |
    |---|---|
    | one of `PublicTiers` (dmz) | compliant |
    | one of `IsolatedTiers` (database) | no route to an internet gateway, a NAT or an egress-only gateway |
    | another known tier | no route to an internet gateway |
    | unknown tier | non-compliant |
    | no tier, `UntaggedPolicy` deny-internet | no route to an internet gateway |
    | no tier, ignore; or shared by another account | not applicable |

    | route table | verdict |
    |---|---|
    | leads neither to the internet nor to a NAT | compliant |
    | no subnet uses it | not applicable |
    | otherwise | as the subnets that use it, each named with what it may not have |

    A subnet without a table of its own uses the main one. Every destination counts (IPv4, IPv6, prefix list), a blackhole too.
    A carrier gateway counts as internet; an appliance, a firewall's endpoint, a transit, local or virtual private gateway and a
    core network count as NAT where the destination holds a public address. Routes are no part of a subnet's item: subnets are
    judged again on schedule.
    """

    resource_types = (ROUTE_TABLE, SUBNET)
    parameters = RouteParameters
    lookups = (SubnetTiers, RouteTables, PrefixListEntries)
    sweeps = True

    def decide(self, item: Item, parameters: RouteParameters, facts: Facts) -> Finding:
        _require_known_tiers(parameters, facts)
        kind, owner = required(item, "resourceType", str), required(item, "configuration.ownerId", str)
        if owner != facts.scope.account_id:
            return not_applicable(f"shared by account {owner}, where it is judged")
        try:
            if kind == ROUTE_TABLE:
                return self._judge_table(_table(item), parameters, facts)
            return self._judge_subnet(item, parameters, facts)
        except MalformedRouteError as error:
            raise RuleInputError(f"{item.get('resourceId')}: {error}") from None

    def _judge_subnet(self, item: Item, parameters: RouteParameters, facts: Facts) -> Finding:
        subnet_id, vpc_id = required(item, "configuration.subnetId", str), required(item, "configuration.vpcId", str)
        tier = _tier(item)
        if tier is None and parameters.untagged_policy == "ignore":
            return not_applicable(f"no {TIER_TAG} tag, and UntaggedPolicy is ignore")
        known = sorted(facts.scope.settings.network_tiers)
        if tier is not None and tier not in known:
            problem = f"tag {TIER_TAG} names the unknown tier {bounded(tier, 60)!r}; correct it; known: {', '.join(known)}"
            return non_compliant(counted([problem], "problem", SUFFIX))
        if tier in parameters.public_tiers:
            return compliant(f"tier {tier!r} may have routes to the internet")
        tables = facts.get(RouteTables, vpc_id)
        table = table_of(subnet_id, tables)
        if table is None:
            raise NotAssessed(f"neither a table of {subnet_id} nor the main one of {vpc_id} is in this source")
        excess = _excess(table, tier, parameters, facts)
        if excess:
            where = f"{'main table' if subnet_id not in table.subnets else 'table'} {table.table_id}"
            problems = [f"{where}: {excess[0]}; {_advice(tier)}", *map(str, excess[1:])]
            return non_compliant(counted(problems, "route", SUFFIX))
        return compliant(f"no route of {table.table_id} leads where {_named(tier)} may not")

    def _judge_table(self, table: RouteTable, parameters: RouteParameters, facts: Facts) -> Finding:
        if all(route.reach == "inside" for route in table.routes):
            return compliant("no route to an internet gateway or a NAT")
        users = _users(table, facts)
        if not users:
            return not_applicable("no subnet uses this table")
        judged = ((subnet, tier, _excess(table, tier, parameters, facts)) for subnet, tier in users.items())
        wrong = [(subnet, tier, routes) for subnet, tier, routes in judged if routes]
        if wrong:
            wrong.sort(key=lambda entry: (entry[2][0].reach != "internet", entry[0]))
            subnet, tier, routes = wrong[0]
            first = f"{subnet}: {routes[0]}; {_advice(tier)}"
            return non_compliant(counted([first, *(entry[0] for entry in wrong[1:])], "subnet", SUFFIX))
        tiers = sorted({tier or "no tier" for tier in users.values()})
        return compliant(f"its routes lead where its subnets may: {', '.join(tiers)}")


def _users(table: RouteTable, facts: Facts) -> Tiers:
    """The subnets that use the table, with their tiers."""
    if not table.subnets and not table.main:
        return {}
    tiers = facts.get(SubnetTiers, table.vpc_id)
    missing = [subnet for subnet in table.subnets if subnet not in tiers]
    if missing:
        raise NotAssessed(f"{missing[0]} uses this table and is not in this source, so its tier is not known")
    users = set(table.subnets)
    if table.main:
        others = [other for other in facts.get(RouteTables, table.vpc_id) if other.table_id != table.table_id]
        users |= tiers.keys() - {subnet for other in others for subnet in other.subnets}
    return {subnet: tiers[subnet] for subnet in sorted(users)}


def _excess(table: RouteTable, tier: str | None, parameters: RouteParameters, facts: Facts) -> list[Route]:
    """Routes that the tier may not have, those to the internet first."""
    if tier in parameters.public_tiers or (tier is None and parameters.untagged_policy == "ignore"):
        return []
    excess = [route for route in table.routes if route.reach == "internet"]
    if tier in parameters.isolated_tiers:
        excess += [route for route in table.routes if route.reach == "outward"]
        if not excess:  # a prefix list is looked into only where it decides
            excess = [r for r in table.routes if r.reach == "listed" and _holds_public(r.destination, facts)]
    return excess


def _holds_public(prefix_list_id: str, facts: Facts) -> bool:
    """One without entries today, or that does not resolve, may have public ones tomorrow."""
    networks = facts.get(PrefixListEntries, prefix_list_id)
    return not networks or any(globally_routable(network) for network in networks)


def _require_known_tiers(parameters: RouteParameters, facts: Facts) -> None:
    """A tier misspelt in a parameter must not set its subnets free."""
    tiers = facts.scope.settings.network_tiers
    for name, listed in (("PublicTiers", parameters.public_tiers), ("IsolatedTiers", parameters.isolated_tiers)):
        for tier in listed:
            if tier not in tiers:
                raise RuleInputError(f"parameter {name}: {tier!r} is no tier of NetworkTiers in rdk.json")
    for tier in parameters.public_tiers:
        if tier in parameters.isolated_tiers:
            raise RuleInputError(f"tier {tier!r} is in PublicTiers and in IsolatedTiers; it can be in one of them only")


def _advice(tier: str | None) -> str:
    return f"not allowed for {_named(tier)}; delete the route or give the subnet another table"


def _named(tier: str | None) -> str:
    return f"tier {bounded(tier, 40)!r}" if tier else f"a subnet without the tag {TIER_TAG}"


def _tier(item: Item) -> str | None:
    required(item, "configuration.tags", list)  # without tags nobody knows the tier
    return tags_of(item).get(TIER_TAG)


def _table(item: Item) -> RouteTable:
    return route_table(required(item, "configuration", Mapping))


lambda_handler = PciRouteLimited.as_lambda_handler()
