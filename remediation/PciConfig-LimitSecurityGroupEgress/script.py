"""Revokes the egress entries of a security group that its tier does not allow; all others stay as they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.egress import TIER_TAG, UNTAGGED_POLICIES, EgressDemands, judged_egress
from pci_config.network import (
    Entry,
    MalformedEntryError,
    MalformedFlowError,
    Network,
    UnknownFactError,
    entries_of,
    vpc_networks,
)
from pci_config.runbook import Change, Refused, aws, carry_out
from pci_config.settings import Settings, parse_ports
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

NOT_REVOKED_BY = ("GroupName", "PeeringStatus")  # EC2 gives these to read; the group's id names the peer


@dataclass(frozen=True)
class GroupState:
    """A group as DescribeSecurityGroups has it, and the entries that must go."""

    group: Mapping[str, Any]
    excess: tuple[Entry, ...]


class LiveSurroundings:
    """What is known around the group, answered by EC2; each question is asked once."""

    def __init__(self, group: Mapping[str, Any]) -> None:
        self.group_id = str(group["GroupId"])
        self.account_id = str(group["OwnerId"])
        self._vpc_id = group["VpcId"]
        self._groups: dict[str, Mapping[str, Any]] = {self.group_id: group}
        self._networks: dict[str, Sequence[Network]] = {}

    def vpc_cidrs(self) -> Sequence[Network]:
        if self._vpc_id not in self._networks:
            (vpc,) = aws("ec2").describe_vpcs(VpcIds=[self._vpc_id])["Vpcs"]
            self._networks[self._vpc_id] = vpc_networks(vpc)
        return self._networks[self._vpc_id]

    def tier_of(self, group_id: str, owner: str) -> str | None:
        return tier_tag(self._group(group_id))

    def in_own_vpc(self, group_id: str) -> bool:
        return bool(self._group(group_id).get("VpcId") == self._vpc_id)

    def _group(self, group_id: str) -> Mapping[str, Any]:
        if group_id not in self._groups:
            self._groups[group_id] = described(group_id) or {}
        return self._groups[group_id]

    def prefix_list(self, prefix_list_id: str) -> Sequence[Network]:
        """The rule takes a prefix list that does not resolve for a violation; to cut traffic that is too little to go by."""
        if prefix_list_id not in self._networks:
            pages = aws("ec2").get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=prefix_list_id)
            try:
                found = [ipaddress.ip_network(entry["Cidr"]) for page in pages for entry in page["Entries"]]
            except ClientError as error:
                raise UnknownFactError(f"its entries cannot be read ({error})") from None
            self._networks[prefix_list_id] = found
        return self._networks[prefix_list_id]


def described(group_id: str) -> Mapping[str, Any] | None:
    try:
        (group,) = aws("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidGroup.NotFound":
            return None
        raise
    found: Mapping[str, Any] = group
    return found


def tier_tag(group: Mapping[str, Any]) -> str | None:
    return {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}.get(TIER_TAG)


def ports_of(text: str) -> tuple[int, ...]:
    """`none` or ports separated by commas."""
    try:
        return () if text in ("", "none") else tuple(parse_ports(str(int(port)))[0] for port in text.split(","))
    except ValueError:
        raise Refused(f"InternetPorts is {text!r}; expected none or ports separated by commas") from None


class EgressFix:
    def __init__(self, event: Mapping[str, Any]) -> None:
        tiers = Settings.from_mapping(SETTINGS).network_tiers
        if not tiers:
            raise Refused("the document was built without NetworkTiers; build it again with a complete rdk.json")
        untagged = event["UntaggedPolicy"]
        if untagged not in UNTAGGED_POLICIES:
            raise Refused(f"UntaggedPolicy is {untagged!r}; expected one of {', '.join(UNTAGGED_POLICIES)}")
        self.resource_id = str(event["GroupId"])
        self._account_id = event["AccountId"]
        self._demands = EgressDemands(tiers, untagged, ports_of(event["InternetPorts"]))

    def read(self) -> GroupState | None:
        group = described(self.resource_id)
        if group is None:
            return None
        missing = [name for name in ("GroupId", "OwnerId", "VpcId", "IpPermissionsEgress") if name not in group]
        if missing:
            raise Refused(f"{self.resource_id}: EC2 gives no {missing[0]}")
        if group["OwnerId"] != self._account_id:
            raise Refused(f"{self.resource_id} belongs to account {group['OwnerId']}, not to {self._account_id}")
        return GroupState(group, self._excess(group))

    def _excess(self, group: Mapping[str, Any]) -> tuple[Entry, ...]:
        tier = tier_tag(group)
        if tier is None and self._demands.untagged == "ignore":
            return ()
        if tier is not None and tier not in self._demands.tiers:
            raise Refused(f"{self.resource_id}: tag {TIER_TAG} names the unknown tier {tier!r}; correct the tag first")
        try:
            entries = entries_of(group["IpPermissionsEgress"])
            judgement = judged_egress(entries, tier, self._demands, LiveSurroundings(group))
        except (MalformedEntryError, MalformedFlowError) as error:
            raise Refused(f"{self.resource_id}: {error}") from None
        if judgement.doubts:
            raise Refused(f"{self.resource_id}: {judgement.doubts[0]}; decide on this entry by hand first")
        return judgement.excess

    def changes(self, state: GroupState) -> Sequence[Change]:
        if not state.excess:
            return []
        parameters = {"GroupId": self.resource_id, "IpPermissions": [exactly(entry) for entry in state.excess]}
        return [Change("ec2", "revoke_security_group_egress", parameters, "revoke " + "; ".join(map(str, state.excess)))]

    def tags(self, state: GroupState) -> Mapping[str, str]:
        return tag_map(state.group.get("Tags"))

    def record(self, state: GroupState) -> dict[str, Any]:
        """The entries to be revoked, as AuthorizeSecurityGroupEgress takes them back, and how many stay untouched."""
        stay = len(entries_of(state.group["IpPermissionsEgress"])) - len(state.excess)
        return {"GroupId": self.resource_id, "IpPermissions": [exactly(entry) for entry in state.excess], "Untouched": stay}


def exactly(entry: Entry) -> dict[str, Any]:
    """The permission that names this entry alone, with its description."""
    return {
        name: [{key: text for key, text in peer.items() if key not in NOT_REVOKED_BY} for peer in value]
        if isinstance(value, list)
        else value
        for name, value in entry.source.items()
    }


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, EgressFix)
