"""Revokes the egress entries of a security group that its tier does not allow; all others stay as they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.network import (
    EgressDemands,
    Entry,
    MalformedEntryError,
    Network,
    UnknownFactError,
    egress_excess,
    entries_of,
    internet_ports,
)
from pci_config.runbook import Change, Refused, aws, carry_out
from pci_config.settings import Settings

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

TIER_TAG = "pci:tier"
UNTAGGED_POLICIES = ("deny-internet", "deny-all", "ignore")


class LivePeers:
    """What the predicate may ask, answered by EC2, each question once."""

    def __init__(self, group: Mapping[str, Any]) -> None:
        self.group_id = str(group["GroupId"])
        self.account_id = str(group["OwnerId"])
        self._vpc_id = group["VpcId"]
        self._groups: dict[str, Mapping[str, Any]] = {}

    def vpc_cidrs(self) -> Sequence[Network]:
        (vpc,) = aws("ec2").describe_vpcs(VpcIds=[self._vpc_id])["Vpcs"]
        ipv4 = [entry["CidrBlock"] for entry in vpc.get("CidrBlockAssociationSet", [])]
        ipv6 = [entry["Ipv6CidrBlock"] for entry in vpc.get("Ipv6CidrBlockAssociationSet", [])]
        return [ipaddress.ip_network(cidr) for cidr in {vpc["CidrBlock"], *ipv4, *ipv6}]

    def tier_of(self, group_id: str) -> str | None:
        return tier_of(self._group(group_id))

    def in_own_vpc(self, group_id: str) -> bool:
        return self._group(group_id).get("VpcId") == self._vpc_id

    def _group(self, group_id: str) -> Mapping[str, Any]:
        if group_id not in self._groups:
            self._groups[group_id] = described(group_id) or {}
        return self._groups[group_id]

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network]:
        pages = aws("ec2").get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=prefix_list_id)
        try:
            return [ipaddress.ip_network(entry["Cidr"]) for page in pages for entry in page["Entries"]]
        except ClientError as error:
            raise UnknownFactError(f"{prefix_list_id} cannot be resolved: {error}") from None


def described(group_id: str) -> Mapping[str, Any] | None:
    try:
        (group,) = aws("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidGroup.NotFound":
            return None
        raise
    found: Mapping[str, Any] = group
    return found


def tier_of(group: Mapping[str, Any]) -> str | None:
    return {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}.get(TIER_TAG)


class EgressFix:
    def __init__(self, event: Mapping[str, Any]) -> None:
        settings = Settings.from_mapping(SETTINGS)
        if not settings.network_tiers:
            raise Refused("the document was built without NetworkTiers; build it again with a complete rdk.json")
        if event["UntaggedPolicy"] not in UNTAGGED_POLICIES:
            raise Refused(f"UntaggedPolicy is {event['UntaggedPolicy']!r}; expected one of {', '.join(UNTAGGED_POLICIES)}")
        self.resource_id = str(event["GroupId"])
        self._account_id = event["AccountId"]
        self._demands = EgressDemands(settings.network_tiers, event["UntaggedPolicy"], internet_ports(event["InternetPorts"]))

    def read(self) -> Mapping[str, Any] | None:
        return described(self.resource_id)

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        excess = self._excess(state)
        if not excess:
            return []
        parameters = {"GroupId": self.resource_id, "IpPermissions": [permission_of(entry) for entry in excess]}
        return [Change("ec2", "revoke_security_group_egress", parameters, "revoke " + "; ".join(map(str, excess)))]

    def _excess(self, state: Mapping[str, Any]) -> list[Entry]:
        if state["OwnerId"] != self._account_id:
            raise Refused(f"{self.resource_id} belongs to account {state['OwnerId']}, not to {self._account_id}")
        tier = tier_of(state)
        if tier is None and self._demands.untagged == "ignore":
            return []
        if tier is not None and tier not in self._demands.tiers:
            raise Refused(f"tag {TIER_TAG} names the unknown tier {tier!r}; correct the tag first")
        try:
            return egress_excess(entries_of(state["IpPermissionsEgress"]), tier, self._demands, LivePeers(state))
        except (MalformedEntryError, UnknownFactError) as error:
            raise Refused(f"{self.resource_id}: {error}") from None

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {"IpPermissionsEgress": state["IpPermissionsEgress"]}


def permission_of(entry: Entry) -> dict[str, Any]:
    """The entry alone, as RevokeSecurityGroupEgress takes it."""
    permission: dict[str, Any] = {"IpProtocol": entry.protocol}
    if entry.raw_ports is not None:
        permission |= {"FromPort": entry.raw_ports[0], "ToPort": entry.raw_ports[1]}
    if isinstance(entry.peer, ipaddress.IPv4Network):
        return permission | {"IpRanges": [{"CidrIp": str(entry.peer)}]}
    if isinstance(entry.peer, ipaddress.IPv6Network):
        return permission | {"Ipv6Ranges": [{"CidrIpv6": str(entry.peer)}]}
    if str(entry.peer).startswith("pl-"):
        return permission | {"PrefixListIds": [{"PrefixListId": entry.peer}]}
    return permission | {"UserIdGroupPairs": [{"GroupId": entry.peer, **({"UserId": entry.owner} if entry.owner else {})}]}


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, EgressFix(events))
