"""PCI_SECURITY_GROUP_EGRESS_LIMITED: traffic leaving a security group stays within the flows of its tier."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

from pci_config.egress import TIER_TAG, UNTAGGED_POLICIES, EgressDemands, judged_egress, most_exposed_first
from pci_config.network import (
    ALL_PORTS,
    ALL_PROTOCOLS,
    Entry,
    MalformedEntryError,
    MalformedFlowError,
    Network,
    UnknownFactError,
    entries_of,
    port_range,
    vpc_networks,
)
from pci_config.rule import (
    MAX_ANNOTATION_CHARACTERS,
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
    ports,
    required,
    tags_of,
)
from pci_config.settings import Flow

GROUP = "AWS::EC2::SecurityGroup"
VPC = "AWS::EC2::VPC"
SUFFIX = " [PCI 1.3.2]"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EgressParameters:
    untagged_policy: str = choice("deny-internet", UNTAGGED_POLICIES)
    """How a group without a tier is judged: nothing beyond private addresses, nothing at all, or not."""
    internet_ports: tuple[int, ...] = ports()
    """Ports on which a group without a tier may reach the internet."""


class VpcCidrs(Lookup[tuple[Network, ...]]):
    """Every IPv4 and IPv6 CIDR associated with a VPC."""

    actions = ("ec2:DescribeVpcs",)
    resource_types = (VPC,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[Network, ...]:
        (vpc,) = clients.build_client("ec2").describe_vpcs(VpcIds=list(key))["Vpcs"]
        return vpc_networks(vpc)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> tuple[Network, ...]:
        for item in items.find(VPC, scope.account_id, scope.region):
            if item["resourceId"] == key[0]:
                return vpc_networks(required(item, "configuration", Mapping))
        raise NotAssessed(f"{key[0]} is not in this source, so its address range is not known")


class SecurityGroupPlace(Lookup[tuple[str, str | None] | None]):
    """(VPC id, tier tag) of another group, by group id and owner account; None when it does not exist or is not visible."""

    actions = ("ec2:DescribeSecurityGroups",)
    resource_types = (GROUP,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[str, str | None] | None:
        try:
            (group,) = clients.build_client("ec2").describe_security_groups(GroupIds=[key[0]])["SecurityGroups"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidGroup.NotFound":
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
        return group.get("VpcId", ""), tags.get(TIER_TAG)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> tuple[str, str | None] | None:
        group_id, owner = key
        for item in items.find(GROUP, owner, scope.region):
            if item["resourceId"] == group_id:
                return required(item, "configuration.vpcId", str), tags_of(item).get(TIER_TAG)
        raise NotAssessed(f"{group_id} is not in this source, so its tier is not known")


class PrefixListEntries(Lookup[tuple[Network, ...] | None]):
    """CIDRs of a prefix list as they are now; None when it does not resolve. AWS Config does not record them."""

    actions = ("ec2:GetManagedPrefixListEntries",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[Network, ...] | None:
        pages = clients.build_client("ec2").get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=key[0])
        try:
            return tuple(ipaddress.ip_network(entry["Cidr"]) for page in pages for entry in page["Entries"])
        except ClientError as error:
            if error.response["Error"]["Code"].lower().startswith("invalidprefixlist"):
                return None
            raise


@dataclass(frozen=True, slots=True)
class FactSurroundings:
    """What is known around the group, answered by facts; what the source cannot show is an UnknownFactError."""

    group_id: str
    account_id: str
    vpc_id: str
    tier: str | None
    facts: Facts

    def vpc_cidrs(self) -> Sequence[Network]:
        return self._known(VpcCidrs, self.vpc_id)

    def tier_of(self, group_id: str, owner: str) -> str | None:
        place = self._place(group_id, owner)
        return place[1] if place else None

    def in_own_vpc(self, group_id: str) -> bool:
        place = self._place(group_id, self.account_id)
        return place is not None and place[0] == self.vpc_id

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network] | None:
        return self._known(PrefixListEntries, prefix_list_id)

    def _place(self, group_id: str, owner: str) -> tuple[str, str | None] | None:
        if group_id == self.group_id:
            return self.vpc_id, self.tier
        try:
            return self._known(SecurityGroupPlace, group_id, owner)
        except UnknownFactError:
            if owner == self.account_id:
                raise
            return None  # an account cannot see the tags of another's group either

    def _known(self, lookup: type[Lookup[T]], *key: str) -> T:
        try:
            return self.facts.get(lookup, *key)
        except NotAssessed as error:
            raise UnknownFactError(str(error)) from None


class PciSecurityGroupEgressLimited(PciRule):
    """Every egress entry of a security group lies within a flow that its tier allows.

    PCI DSS 4.0.1: 1.3.2. 3.2.1: 1.2.1, 1.3.4. Source: EC2 API reference, IpPermission; NetworkTiers of rdk.json.

    | group | verdict |
    |---|---|
    | no egress entries | compliant |
    | tier tag `pci:tier` known | each entry inside one allowed flow (protocol, ports and addresses), else non-compliant |
    | tier tag unknown | non-compliant |
    | no tier tag, `UntaggedPolicy` deny-internet | no entry reaches a globally routable address, except on `InternetPorts` |
    | no tier tag, deny-all | no entry at all |
    | no tier tag, ignore | not applicable |

    A prefix list counts with the entries it has at that moment: when they change, AWS Config does not ask again.
    """

    resource_types = (GROUP,)
    parameters = EgressParameters
    lookups = (VpcCidrs, SecurityGroupPlace, PrefixListEntries)

    def decide(self, item: Item, parameters: EgressParameters, facts: Facts) -> Finding:
        entries, around = _read(item, facts)
        tiers = facts.scope.settings.network_tiers
        if around.tier is None and parameters.untagged_policy == "ignore":
            return not_applicable(f"no {TIER_TAG} tag, and UntaggedPolicy is ignore")
        if around.tier is not None and around.tier not in tiers:
            known = ", ".join(sorted(tiers)) or "none"
            problem = f"tag {TIER_TAG} names the unknown tier {bounded(around.tier, 60)!r}; correct it; known: {known}"
            return non_compliant(counted([problem], "problem", SUFFIX))
        demands = EgressDemands(tiers, parameters.untagged_policy, parameters.internet_ports)
        try:
            judgement = judged_egress(entries, around.tier, demands, around)
        except (MalformedEntryError, MalformedFlowError) as error:
            raise RuleInputError(f"{around.group_id}: {error}") from None
        if judgement.excess:
            return non_compliant(_objection(judgement.excess, around, demands))
        if judgement.doubts:
            raise NotAssessed(judgement.doubts[0])
        return compliant(_reason(len(entries), around.tier, demands))


def _read(item: Item, facts: Facts) -> tuple[list[Entry], FactSurroundings]:
    group_id = required(item, "configuration.groupId", str)
    required(item, "tags", Mapping)  # without tags nobody knows the tier
    around = FactSurroundings(
        group_id,
        required(item, "awsAccountId", str),
        required(item, "configuration.vpcId", str),
        tags_of(item).get(TIER_TAG),
        facts,
    )
    try:
        return entries_of(required(item, "configuration.ipPermissionsEgress", list)), around
    except MalformedEntryError as error:
        raise RuleInputError(f"{group_id}: configuration.ipPermissionsEgress: {error}") from None


def _objection(excess: Sequence[Entry], around: FactSurroundings, demands: EgressDemands) -> str:
    worst, *others = most_exposed_first(excess)
    foreign = f" of account {worst.owner}" if worst.owner not in ("", around.account_id) else ""
    head = f"{worst}{foreign}; "
    if around.tier is None:
        allowed = "none" if demands.untagged == "deny-all" else "none to the internet" + _on_ports(demands)
        problem = f"{head}a group without the tag {TIER_TAG} may have {allowed}; revoke it or tag the group"
    else:
        advice = "; revoke it or widen NetworkTiers in rdk.json"
        room = MAX_ANNOTATION_CHARACTERS - len(f"999 egress entries; first: {head}{advice}{SUFFIX}")
        problem = head + bounded(f"tier {around.tier!r} allows {_flows(demands.tiers[around.tier].egress)}", room) + advice
    return counted([problem, *map(str, others)], "egress entry", SUFFIX)


def _flows(flows: Sequence[Flow]) -> str:
    return ", ".join(
        ("all protocols" if flow.protocol == ALL_PROTOCOLS else flow.protocol)
        + ("" if flow.ports == ALL_PORTS else f" {port_range(flow.ports)}")
        + f" to {'/'.join(flow.peers)}"
        for flow in flows
    ) or "no egress"  # fmt: skip


def _on_ports(demands: EgressDemands) -> str:
    return f" except on {', '.join(map(str, demands.internet_ports))}" if demands.internet_ports else ""


def _reason(count: int, tier: str | None, demands: EgressDemands) -> str:
    if not count:
        return "no egress entries"
    entries = "1 egress entry" if count == 1 else f"{count} egress entries"
    return f"{entries} within tier {tier!r}" if tier else f"{entries}, none reaches the internet{_on_ports(demands)}"


lambda_handler = PciSecurityGroupEgressLimited.as_lambda_handler()
