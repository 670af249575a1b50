"""What rules on security groups look up: address ranges, other groups and prefix lists, for `pci_config.network`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from pci_config.egress import TIER_TAG
from pci_config.network import Network, UnknownFactError, vpc_networks
from pci_config.rule import Clients, Facts, ItemIndex, Lookup, NotAssessed, Scope, required, tags_of

GROUP = "AWS::EC2::SecurityGroup"
VPC = "AWS::EC2::VPC"
T = TypeVar("T")


class VpcCidrs(Lookup[tuple[Network, ...]]):
    """Every IPv4 and IPv6 CIDR associated with a VPC."""

    actions = ("ec2:DescribeVpcs",)
    resource_types = (VPC,)
    read_first = True

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
    read_first = True

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
    """What is known around a group, answered by facts; what the source cannot show is an UnknownFactError."""

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


GROUP_LOOKUPS: tuple[type[Lookup[Any]], ...] = (VpcCidrs, SecurityGroupPlace, PrefixListEntries)
