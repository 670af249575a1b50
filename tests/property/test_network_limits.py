"""Routes and ingress against blunt models: what is called compliant lets no packet go where the tier does not allow it."""

from __future__ import annotations

import copy
import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config.catalogue import Catalogue, project_root
from pci_config.network_facts import PrefixListEntries, SecurityGroupPlace, VpcCidrs
from pci_config.routes import route_table
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    NotAssessed,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings

ROOT = project_root()
SETTINGS = Settings.from_mapping(json.loads((ROOT / "rdk.json").read_text("utf-8")))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "data" / "ci"
RULES = Catalogue.load(ROOT).rules
ROUTES, INGRESS = RULES["PCI_ROUTE_LIMITED"].rule_class, RULES["PCI_SECURITY_GROUP_INGRESS_LIMITED"].rule_class
JUNK = st.sampled_from([None, "", "x", 0, -1, 3.5, True, [], {}, ["x"], {"x": 1}, [None], [[]], "x" * 300])


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"AWS_EC2_{name}.json").read_text("utf-8"))
    return item


ACCOUNT = sample("Subnet")["awsAccountId"]
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)


def verdict(rule_class: Any, item: Any, facts: Any, **parameters: str) -> str:
    rule = rule_class(SETTINGS)
    try:
        finding = rule.decide(item, rule.evaluate_parameters(parameters), facts)
    except (RuleInputError, NotAssessed) as error:
        return type(error).__name__
    assert 0 < len(finding.annotation) <= 256
    return str(finding.compliance)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*at, key))


def changed(item: Any, at: tuple[Any, ...], value: Any) -> Any:
    item = copy.deepcopy(item)
    place = item
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = value
    return item


# --------------------------------------------------------------------------------------------------------------- routes

VPC = sample("Subnet")["configuration"]["vpcId"]
SUBNETS = [f"subnet-{number}" for number in range(4)]
TIERS = st.sampled_from([None, "dmz", "service", "database", "card-api"])
ANYWHERE = ["0.0.0.0/0", "::/0", "8.8.8.0/24", "0.0.0.0/1"]
INSIDE = ["10.9.0.0/16", "fd00::/8"]
LISTS = {"pl-private": ["10.0.0.0/8"], "pl-public": ["10.0.0.0/8", "8.8.8.8/32"]}
# what a route with this target gives a subnet: by destination, internet (in and out), outward, or nothing
GATEWAYS = {"gatewayId": "igw-1", "carrierGatewayId": "cagw-1"}
TRANSLATORS = {"natGatewayId": "nat-1", "egressOnlyInternetGatewayId": "eigw-1"}
UNKNOWN = {"transitGatewayId": "tgw-1", "networkInterfaceId": "eni-1", "localGatewayId": "lgw-1"}
HARMLESS = {"vpcPeeringConnectionId": "pcx-1"}


@st.composite
def route_entries(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A route as recorded, and what it gives."""
    destination = draw(st.sampled_from([*ANYWHERE, *INSIDE, *LISTS]))
    name, target = draw(st.sampled_from([*GATEWAYS.items(), *TRANSLATORS.items(), *UNKNOWN.items(), *HARMLESS.items()]))
    kind = "PrefixListId" if destination.startswith("pl-") else "Ipv6CidrBlock" if ":" in destination else "CidrBlock"
    blank: dict[str, Any] = dict.fromkeys(sample("RouteTable")["configuration"]["routes"][0])
    entry = {**blank, f"destination{kind}": destination, name: target, "state": draw(st.sampled_from(["active", "blackhole"]))}
    public = destination in ANYWHERE or destination == "pl-public"
    gives = "internet" if name in GATEWAYS else "outward" if name in TRANSLATORS or (name in UNKNOWN and public) else "nothing"
    return entry, gives


@st.composite
def networks(draw: st.DrawFn) -> tuple[dict[str, str | None], list[dict[str, Any]], dict[str, set[str]]]:
    """Tiers by subnet, tables as recorded (the first is the main one), and what each subnet gets."""
    tiers = {subnet: draw(TIERS) for subnet in SUBNETS}
    owner = {subnet: draw(st.integers(0, 2)) for subnet in SUBNETS}
    tables, gets = [], {}
    for number in range(3):
        made = draw(st.lists(route_entries(), max_size=3))
        explicit = [subnet for subnet in SUBNETS if owner[subnet] == number and (number or draw(st.booleans()))]
        tables.append(table(f"rtb-{number}", [entry for entry, _ in made], explicit, main=number == 0))
        gets |= {subnet: {gives for _, gives in made} for subnet in SUBNETS if owner[subnet] == number}
    return tiers, draw(st.permutations(tables)), gets


def table(table_id: str, routes: list[Any], subnets: list[str], main: bool) -> dict[str, Any]:
    item = sample("RouteTable")
    (known,) = item["configuration"]["associations"]
    associations = [{**known, "subnetId": subnet} for subnet in subnets]
    if main:
        associations.append({**known, "subnetId": None, "main": True})
    item["resourceId"] = table_id
    item["configuration"] |= {"routeTableId": table_id, "routes": routes, "associations": associations}
    return item


def subnet_item(subnet_id: str, tier: str | None) -> dict[str, Any]:
    item = sample("Subnet")
    item["resourceId"] = subnet_id
    tags = {"pci:tier": tier} if tier else {}
    item["tags"] = tags
    item["configuration"] |= {"subnetId": subnet_id, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    return item


def route_facts(tiers: Mapping[str, str | None], tables: Sequence[dict[str, Any]]) -> StatedFacts:
    subnet_tiers, route_tables, _ = ROUTES.lookups
    known: dict[tuple[Any, ...], Any] = {(subnet_tiers, VPC): tiers}
    known[route_tables, VPC] = [route_table(each["configuration"]) for each in tables]
    known |= {(PrefixListEntries, name): tuple(map(ipaddress.ip_network, cidrs)) for name, cidrs in LISTS.items()}
    return StatedFacts(SCOPE, known)


def allowed(tier: str | None, gets: set[str]) -> bool:
    forbidden = {"dmz": set(), "database": {"internet", "outward"}}.get(tier or "", {"internet"})
    return not forbidden & gets


@settings(max_examples=200, deadline=None)
@given(networks())
def test_subnets_and_tables_get_the_verdict_of_the_model(made: Any) -> None:
    tiers, tables, gets = made
    facts = route_facts(tiers, tables)
    for subnet, tier in tiers.items():
        expected = COMPLIANT if allowed(tier, gets[subnet]) else NON_COMPLIANT
        assert verdict(ROUTES, subnet_item(subnet, tier), facts) == expected
    for each in tables:
        explicit = {entry["subnetId"] for entry in each["configuration"]["associations"] if entry["subnetId"]}
        elsewhere = {a["subnetId"] for other in tables if other is not each for a in other["configuration"]["associations"]}
        main = any(entry["main"] for entry in each["configuration"]["associations"])
        users = explicit | (set(SUBNETS) - elsewhere if main else set())
        found = verdict(ROUTES, each, facts)
        assert (found == NON_COMPLIANT) is any(not allowed(tiers[user], gets[user]) for user in users)
        assert users or found in (COMPLIANT, NOT_APPLICABLE)


@settings(max_examples=200, deadline=None)
@given(networks())
def test_ec2_and_recorded_tables_read_the_same(made: Any) -> None:
    def spelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key[:1].upper() + key[1:]: spelled(child) for key, child in value.items() if child is not None}
        return [spelled(child) for child in value] if isinstance(value, list) else value

    for each in made[1]:
        assert route_table(spelled(each["configuration"])) == route_table(each["configuration"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_broken_route_table_never_hides_a_way_out(data: st.DataObject) -> None:
    out = {**dict.fromkeys(sample("RouteTable")["configuration"]["routes"][0]), "destinationCidrBlock": "0.0.0.0/0"}
    item = table("rtb-0", [{**out, "gatewayId": "igw-1", "state": "active"}], ["subnet-0"], main=False)
    tiers = {"subnet-0": "database"}
    assert verdict(ROUTES, item, route_facts(tiers, [item])) == NON_COMPLIANT
    # what says that the way is there; a whole list that is replaced by an empty one says that it is not
    deciding = [at for at in paths(item) if at[0] == "configuration" and "tags" not in at and len(at) > 1]
    at = data.draw(st.sampled_from(deciding))
    value = data.draw(JUNK)
    broken = changed(item, at, value)
    found = verdict(ROUTES, broken, route_facts(tiers, [item]))
    emptied = value == [] and at[-1] in ("routes", "associations")
    if not emptied and at[-1] in (
        "routes",
        "associations",
        "state",
        "destinationCidrBlock",
        "gatewayId",
        0,
        "main",
        "ownerId",
        "vpcId",
    ):
        assert found != COMPLIANT, (at, value)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["Subnet", "RouteTable", "SecurityGroup"]))
def test_any_item_gives_a_verdict_or_a_known_error(data: st.DataObject, name: str) -> None:
    item = sample(name)
    for _ in range(data.draw(st.integers(1, 3))):
        places = [at for at in paths(item) if at[0] not in ("resourceType", "awsRegion")]
        item = changed(item, data.draw(st.sampled_from(places)), data.draw(JUNK))
    nothing = RecordedFacts(Nothing(), SCOPE)
    assert verdict(INGRESS if name == "SecurityGroup" else ROUTES, item, nothing) in (
        COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE, "RuleInputError", "NotAssessed",
    )  # fmt: skip


class Nothing:
    """A source that holds no other item."""

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Any]:
        raise NotAssessed(f"no {resource_type} here")


# -------------------------------------------------------------------------------------------------------------- ingress

GROUP_VPC, GROUP = sample("SecurityGroup")["configuration"]["vpcId"], sample("SecurityGroup")["resourceId"]
PEERS = {f"sg-{tier or 'none'}": tier for tier in (None, *SETTINGS.network_tiers)}
VPC_CIDR = ipaddress.ip_network("10.0.0.0/16")
CIDRS = st.sampled_from(
    ["0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/16", "10.0.0.0/8", "10.0.7.0/24", "203.0.113.7/32", "::/0", "fd00::/8"]
)
TRAFFIC = st.one_of(
    st.sampled_from([("-1", 0, 65535), ("icmp", 0, 65535), ("50", 0, 65535)]),
    st.tuples(
        st.sampled_from(["tcp", "udp", "6", "17"]),
        st.sampled_from([(443, 443), (442, 443), (443, 444), (5432, 5432), (0, 65535)]),
    ).map(lambda drawn: (drawn[0], *drawn[1])),
)
# points of traffic: protocol, port, and where from (an address, or the tier of a group)
PROTOCOLS, PORTS = ("tcp", "udp", "icmp", "50"), (80, 442, 443, 444, 5432, 5433)
SOURCES = [ipaddress.ip_address(each) for each in ("8.8.8.8", "200.0.0.1", "10.0.7.7", "10.200.0.1", "203.0.113.7", "2001:db8::1", "fd00::1")]  # fmt: skip
NUMBERS = {"6": "tcp", "17": "udp"}


def permission(protocol: str, first: int, last: int, peer: str) -> dict[str, Any]:
    ported = protocol in ("tcp", "udp", "6", "17")
    lists: dict[str, list[Any]] = {
        name: [] for name in ("ipv4Ranges", "ipRanges", "ipv6Ranges", "prefixListIds", "userIdGroupPairs")
    }
    if peer.startswith("sg-"):
        lists["userIdGroupPairs"] = [{"groupId": peer, "userId": ACCOUNT}]
    elif ":" in peer:
        lists["ipv6Ranges"] = [{"cidrIpv6": peer}]
    else:
        lists["ipv4Ranges"], lists["ipRanges"] = [{"cidrIp": peer}], [peer]
    return {"ipProtocol": protocol, "fromPort": first if ported else None, "toPort": last if ported else None, **lists}


ENTRIES = st.tuples(TRAFFIC, st.one_of(CIDRS, st.sampled_from(sorted(PEERS)))).map(
    lambda drawn: permission(*drawn[0], drawn[1])
)


def group(entries: list[Any], tier: str | None) -> dict[str, Any]:
    item = sample("SecurityGroup")
    item["tags"] = {"pci:tier": tier} if tier else {}
    item["configuration"]["tags"] = [{"key": "pci:tier", "value": tier}] if tier else []
    item["configuration"]["ipPermissions"] = entries
    return item


def group_facts() -> StatedFacts:
    known: dict[tuple[Any, ...], Any] = {(VpcCidrs, GROUP_VPC): (VPC_CIDR,)}
    known |= {(SecurityGroupPlace, name, ACCOUNT): (GROUP_VPC, tier) for name, tier in PEERS.items()}
    return StatedFacts(SCOPE, known)


def lets_in(entry: dict[str, Any], protocol: str, port: int, source: Any) -> bool:
    """As EC2 does, for one packet."""
    wanted = NUMBERS.get(entry["ipProtocol"], entry["ipProtocol"])
    if wanted not in ("-1", protocol):
        return False
    if wanted in ("tcp", "udp") and not entry["fromPort"] <= port <= entry["toPort"]:
        return False
    if isinstance(source, str):
        return any(pair["groupId"] == source for pair in entry["userIdGroupPairs"])
    ranges = [r["cidrIp"] for r in entry["ipv4Ranges"]] + [r["cidrIpv6"] for r in entry["ipv6Ranges"]]
    return any(source in ipaddress.ip_network(cidr) for cidr in ranges)


def may_come_in(tier: str, protocol: str, port: int, source: Any) -> bool:
    """As rdk.json says, for one packet."""
    for flow in SETTINGS.network_tiers[tier].ingress:
        if flow.protocol not in ("-1", protocol):
            continue
        if flow.ports != (0, 65535) and not (protocol in ("tcp", "udp") and flow.ports[0] <= port <= flow.ports[1]):
            continue
        for peer in flow.peers:
            if peer == "internet" or (peer == "vpc" and (isinstance(source, str) or source in VPC_CIDR)):
                return True
            if peer.startswith("tier:") and isinstance(source, str) and PEERS[source] == peer.removeprefix("tier:"):
                return True
    return False


@settings(max_examples=300, deadline=None)
@given(st.lists(ENTRIES, max_size=4), st.sampled_from(sorted(SETTINGS.network_tiers)))
def test_no_packet_comes_into_a_compliant_group_that_its_tier_does_not_take(entries: list[Any], tier: str) -> None:
    found = verdict(INGRESS, group(entries, tier), group_facts())
    assert found in (COMPLIANT, NON_COMPLIANT)
    wrong = [
        (protocol, port, str(source))
        for entry in entries
        for protocol in PROTOCOLS
        for port in PORTS
        for source in [*SOURCES, *PEERS]
        if lets_in(entry, protocol, port, source) and not may_come_in(tier, protocol, port, source)
    ]
    assert not (found == COMPLIANT and wrong), wrong[:3]
    each = [verdict(INGRESS, group([entry], tier), group_facts()) for entry in entries]
    assert (found == COMPLIANT) is all(one == COMPLIANT for one in each)  # entries are judged one by one


@settings(max_examples=200, deadline=None)
@given(st.lists(ENTRIES, max_size=4))
def test_no_packet_from_the_internet_comes_into_a_compliant_group_without_tier(entries: list[Any]) -> None:
    found = verdict(INGRESS, group(entries, None), group_facts())
    public = [source for source in SOURCES if str(source) in ("8.8.8.8", "200.0.0.1", "203.0.113.7", "2001:db8::1")]
    wrong = [e for e in entries for protocol in PROTOCOLS for port in PORTS for s in public if lets_in(e, protocol, port, s)]
    assert not (found == COMPLIANT and wrong)
    assert verdict(INGRESS, group(entries, None), group_facts(), UntaggedPolicy="deny-all") == (
        NON_COMPLIANT if entries else COMPLIANT
    )
