"""Whatever the group: a verdict or a clear error, never a false COMPLIANT; and the fix removes what the rule objects to."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import ipaddress
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pci_config import runbook, security_group_fix
from pci_config.catalogue import Catalogue, project_root
from pci_config.network import ALL_PORTS, Network, contained, entries_of
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    Finding,
    NotAssessed,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Flow, Settings

ROOT = project_root()
RULE = Catalogue.load(ROOT).rules["PCI_SECURITY_GROUP_EGRESS_LIMITED"].rule_class
SETTINGS = Settings.from_mapping(json.loads((ROOT / "rdk.json").read_text("utf-8")))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLE = json.loads((Path(__file__).parents[1] / "data/ci/AWS_EC2_SecurityGroup.json").read_text("utf-8"))
ACCOUNT, GROUP_ID = SAMPLE["awsAccountId"], SAMPLE["resourceId"]
VPC_ID = SAMPLE["configuration"]["vpcId"]
SCOPE = Scope(ACCOUNT, "eu-west-1", NOW, SETTINGS)
VPC_CIDRS = ("10.0.0.0/16", "10.1.0.0/16", "2001:db8:1::/56")
OTHER = "sg-0123456789abcdef0"
PREFIX_LISTS = {"pl-0aaa": ["198.51.100.0/28", "198.51.100.16/28"], "pl-0bbb": ["10.0.0.0/24", "203.0.113.0/24"]}
TIERS = [None, *SETTINGS.network_tiers]


def loaded(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


script = loaded(ROOT / "remediation" / "PciConfig-LimitSecurityGroupEgress" / "script.py", "egress_script_under_property_test")


class Nothing:
    """A source that holds no other item."""

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Any]:
        raise NotAssessed(f"no {resource_type} here")


def facts() -> StatedFacts:
    vpc_cidrs, place, prefix_list = RULE.lookups
    known: dict[tuple[Any, ...], Any] = {(vpc_cidrs, VPC_ID): networks(VPC_CIDRS), (place, OTHER, ACCOUNT): (VPC_ID, "service")}
    known |= {(prefix_list, name): networks(cidrs) for name, cidrs in PREFIX_LISTS.items()}
    return StatedFacts(SCOPE, known)


def networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, cidrs))


def judged(item: dict[str, Any], facts: Any, **parameters: str) -> Finding:
    rule = RULE(SETTINGS)
    finding = rule.decide(item, rule.evaluate_parameters(parameters), facts)
    assert isinstance(finding, Finding)
    assert 0 < len(finding.annotation) <= 256
    return finding


# ------------------------------------------------------------------------------------------------- broken items

Path_ = tuple[str | int, ...]


def paths(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Every place in the value, outermost first."""
    if at:
        yield at
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*at, key))


def changed(item: Any, at: Path_, change: Any) -> Any:
    item = copy.deepcopy(item)
    place = item
    for step in at[:-1]:
        place = place[step]
    if change is DELETE:
        del place[at[-1]]
    else:
        place[at[-1]] = change
    return item


DELETE = object()
JUNK = st.one_of(
    st.just(DELETE),
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["tcp", "-1", "10.0.0.0/8", "0.0.0.0/0", "::/0", "pl-1", "sg-1", GROUP_ID]),
    st.lists(st.none() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


def tagged(item: Any, tier: str | None) -> Any:
    tags = {} if tier is None else {"pci:tier": tier}
    item = copy.deepcopy(item)
    item["tags"] = tags
    item["configuration"]["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    return item


PERMISSION = {
    "ipProtocol": "tcp",
    "fromPort": 443,
    "toPort": 443,
    "ipv4Ranges": [{"cidrIp": "198.51.100.0/28", "description": None}],
    "ipRanges": ["198.51.100.0/28"],
    "ipv6Ranges": [],
    "prefixListIds": [],
    "userIdGroupPairs": [],
}
ALLOWED = tagged(changed(SAMPLE, ("configuration", "ipPermissionsEgress"), [PERMISSION]), "card-api")
DECIDING = [
    ("tags",),
    ("configuration",),
    ("awsAccountId",),
    *(("configuration", name) for name in ("groupId", "vpcId", "ipPermissionsEgress")),
    *(("configuration", "ipPermissionsEgress", 0, name) for name in ("ipProtocol", "fromPort", "toPort")),
    *(("configuration", "ipPermissionsEgress", 0, name) for name in ("ipv6Ranges", "prefixListIds", "userIdGroupPairs")),
    ("configuration", "ipPermissionsEgress", 0, "ipv4Ranges", 0, "cidrIp"),
]


@pytest.mark.parametrize("at", DECIDING, ids=lambda at: ".".join(map(str, at)))
def test_a_group_without_a_deciding_member_is_an_error(at: Path_) -> None:
    assert judged(ALLOWED, facts()).compliance == COMPLIANT
    for change in (DELETE, None) if at[-1] not in ("ipv6Ranges", "prefixListIds", "userIdGroupPairs") else (DELETE,):
        with pytest.raises(RuleInputError):
            judged(changed(ALLOWED, at, change), facts())


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(TIERS), st.booleans())
def test_any_item_gives_a_verdict_or_a_clear_error(data: st.DataObject, tier: str | None, snapshot: bool) -> None:
    item = tagged(data.draw(st.sampled_from([SAMPLE, ALLOWED])), tier)
    for _ in range(data.draw(st.integers(1, 3))):
        item = changed(item, data.draw(st.sampled_from(list(paths(item)))), data.draw(JUNK))
    source = RecordedFacts(Nothing(), SCOPE) if snapshot else facts()
    with contextlib.suppress(RuleInputError, NotAssessed):
        if judged(item, source).compliance == COMPLIANT:
            assert_nothing_open(item)


def assert_nothing_open(item: Any) -> None:
    """An independent, blunt look at a group that was called compliant: no range in its egress is a way to the internet."""
    egress = item["configuration"]["ipPermissionsEgress"]
    for at in paths(egress):
        if at[-1] in ("cidrIp", "cidrIpv6") or at[-2:-1] == ("ipRanges",):
            value: Any = egress
            for step in at:
                value = value[step]
            assert value not in ("0.0.0.0/0", "::/0")


# ------------------------------------------------------------------------------------------------------ the fix

CIDRS = st.sampled_from(
    [
        *("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/7", "10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/16", "10.1.2.0/24"),
        *("198.51.100.0/26", "198.51.100.0/25", "203.0.113.0/28", "8.8.8.8/32", "192.168.0.0/16"),
    ]
)
IPV6 = st.sampled_from(["::/0", "2000::/3", "2001:db8:1::/64", "2001:db8:1::/56", "2001:db8::/32", "fd00::/8"])
PEERS = st.one_of(
    CIDRS.map(lambda cidr: ("IpRanges", {"CidrIp": cidr, "Description": f"to {cidr}"})),
    IPV6.map(lambda cidr: ("Ipv6Ranges", {"CidrIpv6": cidr})),
    st.sampled_from(sorted(PREFIX_LISTS)).map(lambda name: ("PrefixListIds", {"PrefixListId": name, "Description": "list"})),
    st.sampled_from([GROUP_ID, OTHER]).map(lambda name: ("UserIdGroupPairs", {"GroupId": name, "UserId": ACCOUNT})),
)
TRAFFIC = st.one_of(
    st.sampled_from([{"IpProtocol": "-1"}, {"IpProtocol": "50"}, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}]),
    st.tuples(
        st.sampled_from(["tcp", "udp"]), st.sampled_from([(443, 443), (80, 443), (443, 444), (5432, 5432), ALL_PORTS])
    ).map(lambda drawn: {"IpProtocol": drawn[0], "FromPort": drawn[1][0], "ToPort": drawn[1][1]}),
)
PERMISSIONS = st.lists(
    st.tuples(TRAFFIC, st.lists(PEERS, min_size=1, max_size=4, unique_by=str)).map(lambda drawn: permission(*drawn)),
    max_size=4,
    unique_by=lambda found: (found["IpProtocol"], found.get("FromPort"), found.get("ToPort")),
)


def permission(traffic: dict[str, Any], peers: Sequence[tuple[str, dict[str, str]]]) -> dict[str, Any]:
    lists: dict[str, Any] = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    for name, peer in peers:
        lists[name].append(peer)
    return {**traffic, **lists}


class Ec2:
    """EC2 as far as the document needs it: what is revoked must match an entry exactly."""

    def __init__(self, permissions: Sequence[dict[str, Any]], tier: str | None) -> None:
        self.permissions = copy.deepcopy(list(permissions))
        self.tags = [] if tier is None else [{"Key": "pci:tier", "Value": tier}]

    def describe_security_groups(self, GroupIds: list[str]) -> Any:  # noqa: N803
        if GroupIds == [OTHER]:
            return {"SecurityGroups": [{"GroupId": OTHER, "VpcId": VPC_ID, "Tags": [{"Key": "pci:tier", "Value": "service"}]}]}
        group = {"GroupId": GROUP_ID, "OwnerId": ACCOUNT, "VpcId": VPC_ID, "Tags": self.tags}
        return {"SecurityGroups": [{**group, "IpPermissionsEgress": copy.deepcopy(self.permissions)}]}

    def describe_vpcs(self, VpcIds: list[str]) -> Any:  # noqa: N803
        sets: dict[str, Any] = {
            "CidrBlockAssociationSet": [{"CidrBlock": c, "CidrBlockState": {"State": "associated"}} for c in VPC_CIDRS[:2]],
            "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": VPC_CIDRS[2], "Ipv6CidrBlockState": {"State": "associated"}},
            ],
        }
        return {"Vpcs": [{"VpcId": VpcIds[0], "CidrBlock": VPC_CIDRS[0], **sets}]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_managed_prefix_list_entries"
        return self

    def paginate(self, PrefixListId: str) -> Any:  # noqa: N803
        return [{"Entries": [{"Cidr": cidr} for cidr in PREFIX_LISTS[PrefixListId]]}]

    def revoke_security_group_egress(self, GroupId: str, IpPermissions: list[dict[str, Any]]) -> None:  # noqa: N803
        assert GroupId == GROUP_ID
        for revoked in IpPermissions:
            ((name, (peer,)),) = [(name, value) for name, value in revoked.items() if isinstance(value, list)]
            matching = [p for p in self.permissions if traffic_of(p) == traffic_of(revoked) and peer in p[name]]
            if not matching:
                raise ClientError({"Error": {"Code": "InvalidPermission.NotFound"}}, "RevokeSecurityGroupEgress")
            matching[0][name].remove(peer)
        self.permissions = [p for p in self.permissions if any(isinstance(v, list) and v for v in p.values())]


class Surroundings:
    """What every fix asks beside EC2: the switch, the evidence bucket and EventBridge."""

    def get_parameter(self, Name: str) -> Any:  # noqa: N803
        return {"Parameter": {"Name": Name, "Value": "on"}}

    def put_object(self, **parameters: Any) -> Any:
        return {"VersionId": "1"}

    def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803
        return {"FailedEntryCount": 0}


def traffic_of(permission: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(permission.get(name) for name in ("IpProtocol", "FromPort", "ToPort"))


def recorded(permissions: Sequence[dict[str, Any]], tier: str | None) -> Any:
    """The group as AWS Config records it after EC2 has it."""

    def spelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key[0].lower() + key[1:]: spelled(child) for key, child in value.items()}
        return [spelled(child) for child in value] if isinstance(value, list) else value

    found = []
    for each in permissions:
        camel = {"fromPort": None, "toPort": None, **spelled(each)}
        ipv4 = camel.pop("ipRanges")
        found.append({**camel, "ipv4Ranges": ipv4, "ipRanges": [entry["cidrIp"] for entry in ipv4]})
    return tagged(changed(SAMPLE, ("configuration", "ipPermissionsEgress"), found), tier)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PERMISSIONS, st.sampled_from(TIERS), st.sampled_from(["deny-internet", "deny-all"]), st.sampled_from(["none", "443"]))
def test_after_the_fix_the_rule_is_content_and_allowed_entries_are_untouched(
    permissions: list[Any], tier: str | None, untagged: str, internet_ports: str
) -> None:
    ec2 = Ec2(permissions, tier)
    parameters = {"UntaggedPolicy": untagged} | ({} if internet_ports == "none" else {"InternetPorts": internet_ports})
    before = judged(recorded(permissions, tier), facts(), **parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "SETTINGS", json.loads((ROOT / "rdk.json").read_text("utf-8")))
        for module in (security_group_fix, runbook):
            patch.setattr(module, "aws", lambda service: ec2 if service == "ec2" else Surroundings())
        patch.setattr("time.sleep", lambda seconds: None)
        event = {
            "GroupId": GROUP_ID,
            "DryRun": "true",
            "EvidenceBucket": "evidence",
            "AccountId": ACCOUNT,
            "Region": "eu-west-1",
        }
        event |= {
            "Document": "d",
            "ExecutionId": "e",
            "AllowManaged": "false",
            "UntaggedPolicy": untagged,
            "InternetPorts": internet_ports,
        }
        dry = script.handler(event, None)
        assert ec2.permissions == permissions
        report = script.handler({**event, "DryRun": "false"}, None)
    # rule and document agree on what is wrong, and on nothing else
    assert report["Changed"] is (before.compliance == NON_COMPLIANT)
    assert dry["Calls"] == report["Calls"]
    assert judged(recorded(ec2.permissions, tier), facts(), **parameters).compliance == COMPLIANT
    assert_only_bad_entries_went(permissions, ec2.permissions, tier, parameters)
    if report["Changed"]:  # the record has exactly what was there
        kept = entries_of(json.loads(report["Before"])["IpPermissions"])
        assert sorted(map(str, kept)) == sorted(map(str, entries_of(permissions)))


def assert_only_bad_entries_went(before: list[Any], after: list[Any], tier: str | None, parameters: dict[str, str]) -> None:
    """Each entry, alone in a group of its own, is compliant exactly when it was left."""
    left = entries_of(after)
    for entry in entries_of(before):
        empty: dict[str, list[Any]] = {name: [] for name in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")}
        alone = judged(recorded([{**empty, **entry.source}], tier), facts(), **parameters)
        assert (alone.compliance == COMPLIANT) is (entry in left), str(entry)
    assert [e.source for e in left] == [e.source for e in entries_of(before) if e in left]


# ------------------------------------------------------------------------------------------------- address sets


@given(st.lists(st.integers(0, 15), min_size=1, max_size=16, unique=True), st.integers(0, 4), st.integers(0, 15))
def test_containment_is_that_of_the_address_sets(allowed: list[int], bits: int, start: int) -> None:
    """Over the sixteen addresses of 192.0.2.0/28, against plain sets of numbers."""
    first = start >> bits << bits
    peers = tuple(f"192.0.2.{number}/32" for number in allowed)
    cidr = f"192.0.2.{first}/{32 - bits}"
    (entry,) = entries_of([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": cidr}]}])
    inside = set(range(first, first + 2**bits)) <= set(allowed)
    assert contained(entry, [Flow("tcp", (443, 443), peers)], security_group_fix.LiveSurroundings(SURELY_UNASKED)) is inside


SURELY_UNASKED = {"GroupId": GROUP_ID, "OwnerId": ACCOUNT, "VpcId": VPC_ID}
