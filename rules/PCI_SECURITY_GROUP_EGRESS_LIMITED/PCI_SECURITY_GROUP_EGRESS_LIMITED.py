"""PCI_SECURITY_GROUP_EGRESS_LIMITED: traffic leaving a security group stays within the flows of its tier."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.network import (
    EgressDemands,
    MalformedEntryError,
    Network,
    UnknownFactError,
    broadest_first,
    egress_excess,
    entries_of,
)
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
    choice,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    ports,
    required,
    tags_of,
)

GROUP = "AWS::EC2::SecurityGroup"
VPC = "AWS::EC2::VPC"
TIER_TAG = "pci:tier"
SUFFIX = " [PCI 1.3.2]"


@dataclass(frozen=True, slots=True)
class EgressParameters:
    untagged_policy: str = choice("deny-internet", ("deny-internet", "deny-all", "ignore"))
    internet_ports: tuple[int, ...] = ports()


class VpcCidrs(Lookup[tuple[str, ...]]):
    """Every IPv4 and IPv6 CIDR associated with a VPC."""

    actions = ("ec2:DescribeVpcs",)
    resource_types = (VPC,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[str, ...]:
        (vpc,) = clients.build_client("ec2").describe_vpcs(VpcIds=list(key))["Vpcs"]
        ipv4 = [a["CidrBlock"] for a in vpc.get("CidrBlockAssociationSet", []) if _associated(a, "CidrBlockState", "State")]
        ipv6 = [
            a["Ipv6CidrBlock"]
            for a in vpc.get("Ipv6CidrBlockAssociationSet", [])
            if _associated(a, "Ipv6CidrBlockState", "State")
        ]
        return tuple(dict.fromkeys([vpc["CidrBlock"], *ipv4, *ipv6]))

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> tuple[str, ...]:
        for item in items.find(VPC, scope.account_id, scope.region):
            if item["resourceId"] == key[0]:
                vpc = required(item, "configuration", Mapping)  # type: ignore[type-abstract]
                ipv4 = [
                    a["cidrBlock"]
                    for a in vpc.get("cidrBlockAssociationSet") or []
                    if _associated(a, "cidrBlockState", "state")
                ]
                ipv6 = [
                    a["ipv6CidrBlock"]
                    for a in vpc.get("ipv6CidrBlockAssociationSet") or []
                    if _associated(a, "ipv6CidrBlockState", "state")
                ]
                return tuple(dict.fromkeys([required(item, "configuration.cidrBlock", str), *ipv4, *ipv6]))
        raise NotAssessed(f"{key[0]} is not in this source, so its address range is not known")


def _associated(association: Mapping[str, Any], state: str, member: str) -> bool:
    return (association.get(state) or {}).get(member, "associated") in ("associated", "associating")


class SecurityGroupPlace(Lookup[tuple[str, str | None] | None]):
    """(VPC id, tier tag) of another group; None when there is no such group in this account and Region."""

    actions = ("ec2:DescribeSecurityGroups",)
    resource_types = (GROUP,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[str, str | None] | None:
        try:
            (group,) = clients.build_client("ec2").describe_security_groups(GroupIds=list(key))["SecurityGroups"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidGroup.NotFound":
                return None
            raise
        tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
        return group.get("VpcId", ""), tags.get(TIER_TAG)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> tuple[str, str | None] | None:
        for item in items.find(GROUP, scope.account_id, scope.region):
            if item["resourceId"] == key[0]:
                return required(item, "configuration.vpcId", str), tags_of(item).get(TIER_TAG)
        raise NotAssessed(f"{key[0]} is not in this source, so its tier is not known")


class PrefixListEntries(Lookup[tuple[str, ...] | None]):
    """CIDRs of a prefix list; None when it cannot be resolved. AWS Config does not record the entries."""

    actions = ("ec2:GetManagedPrefixListEntries",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> tuple[str, ...] | None:
        pages = clients.build_client("ec2").get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=key[0])
        try:
            return tuple(entry["Cidr"] for page in pages for entry in page["Entries"])
        except ClientError as error:
            if error.response["Error"]["Code"].startswith("InvalidPrefixList"):
                return None
            raise


@dataclass(frozen=True, slots=True)
class FactPeers:
    """The predicate's view of the surroundings, answered by facts."""

    group_id: str
    account_id: str
    vpc_id: str
    facts: Facts

    def vpc_cidrs(self) -> Sequence[Network]:
        return [ipaddress.ip_network(cidr) for cidr in self.facts.get(VpcCidrs, self.vpc_id)]

    def tier_of(self, group_id: str) -> str | None:
        place = self._place(group_id)
        return place[1] if place else None

    def in_own_vpc(self, group_id: str) -> bool:
        place = self._place(group_id)
        return place is not None and place[0] == self.vpc_id

    def _place(self, group_id: str) -> tuple[str, str | None] | None:
        try:
            return self.facts.get(SecurityGroupPlace, group_id)
        except NotAssessed as error:
            raise UnknownFactError(str(error)) from None

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network]:
        try:
            cidrs = self.facts.get(PrefixListEntries, prefix_list_id)
        except NotAssessed:
            raise UnknownFactError(f"the entries of {prefix_list_id} are not in this source") from None
        # one that does not resolve for the account that uses it allows nothing we could vouch for
        return [ipaddress.ip_network(cidr) for cidr in cidrs or ()]


class PciSecurityGroupEgressLimited(PciRule):
    """Every egress entry of a security group lies within a flow that its tier allows.

    PCI DSS 4.0.1: 1.3.2. 3.2.1: 1.2.1, 1.3.4. Source: EC2 API reference, IpPermission; network tiers of rdk.json.

    | group | verdict |
    |---|---|
    | no egress entries | compliant |
    | tier tag `pci:tier` known | each entry inside one allowed flow (protocol, ports and addresses), else non-compliant |
    | tier tag unknown | non-compliant |
    | no tier tag, `UntaggedPolicy` deny-internet | no entry reaches a globally routable address, except on `InternetPorts` |
    | no tier tag, deny-all | no entry at all |
    | no tier tag, ignore | not applicable |
    """

    resource_types = (GROUP,)
    parameters = EgressParameters
    lookups = (VpcCidrs, SecurityGroupPlace, PrefixListEntries)

    def decide(self, item: Item, parameters: EgressParameters, facts: Facts) -> Finding:
        permissions = required(item, "configuration.ipPermissionsEgress", list)
        group_id = required(item, "configuration.groupId", str)
        tier = tags_of(item).get(TIER_TAG)
        tiers = facts.scope.settings.network_tiers
        if tier is None and parameters.untagged_policy == "ignore":
            return not_applicable(f"no {TIER_TAG} tag, and UntaggedPolicy is ignore")
        if tier is not None and tier not in tiers:
            return non_compliant(
                f"unknown tier {tier!r} in tag {TIER_TAG}; known: {', '.join(sorted(tiers)) or 'none'}{SUFFIX}"
            )
        peers = FactPeers(group_id, required(item, "awsAccountId", str), required(item, "configuration.vpcId", str), facts)
        demands = EgressDemands(tiers, parameters.untagged_policy, parameters.internet_ports)
        try:
            entries = entries_of(permissions)
            excess = egress_excess(entries, tier, demands, peers)
        except MalformedEntryError as error:
            raise RuleInputError(f"{group_id}: configuration.ipPermissionsEgress: {error}") from None
        except UnknownFactError as error:
            raise NotAssessed(str(error)) from None
        if excess:
            worst = broadest_first(excess)
            problems = [f"{worst[0]}; {_expected(tier, demands)}", *map(str, worst[1:])]
            return non_compliant(counted(problems, "egress entry", SUFFIX))
        return compliant(_reason(len(entries), tier))


def _expected(tier: str | None, demands: EgressDemands) -> str:
    if tier is None:
        allowed = "no tier tag: none may" if demands.untagged == "deny-all" else "no tier tag: internet not"
        return f"{allowed} be reached; revoke it or tag the group with {TIER_TAG}"
    flows = demands.tiers[tier].egress
    if not flows:
        return f"tier {tier!r} allows no egress; revoke it"
    allowed = ", ".join(f"{'any' if f.protocol == '-1' else f.protocol} {_span(f.ports)} to {'/'.join(f.peers)}" for f in flows)
    return f"tier {tier!r} allows {allowed}; revoke it or widen NetworkTiers"


def _span(span: tuple[int, int]) -> str:
    return "all" if span == (0, 65535) else str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def _reason(count: int, tier: str | None) -> str:
    if not count:
        return "no egress entries"
    entries = "1 egress entry" if count == 1 else f"{count} egress entries"
    return f"{entries} within tier {tier!r}" if tier else f"{entries}, none reaches the internet"


lambda_handler = PciSecurityGroupEgressLimited.as_lambda_handler()
