"""Security groups as documents read, limit and restore them: what those for ingress and for egress have in common.

Which entries must go is decided by the rules' own predicates (pci_config.egress, pci_config.ingress). Standard library and
boto3 only: inlined into the documents.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.egress import TIER_TAG, UNTAGGED_POLICIES
from pci_config.network import (
    Entry,
    MalformedEntryError,
    MalformedFlowError,
    Network,
    Surroundings,
    UnknownFactError,
    entries_of,
    vpc_networks,
)
from pci_config.runbook import Change, Refused, aws
from pci_config.settings import Settings, parse_ports
from pci_config.tags import tag_map

NOT_SENT_BACK = ("GroupName", "PeeringStatus")  # EC2 gives these to read; the group's id names the peer


@dataclass(frozen=True)
class Side:
    """One direction of a group's entries: where EC2 lists them, the calls that change them, and how they are told."""

    member: str
    authorize: str
    revoke: str
    preposition: str

    def told(self, entry: Entry) -> str:
        return str(entry).replace(" to ", f" {self.preposition} ", 1)


INGRESS = Side("IpPermissions", "authorize_security_group_ingress", "revoke_security_group_ingress", "from")
EGRESS = Side("IpPermissionsEgress", "authorize_security_group_egress", "revoke_security_group_egress", "to")


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

    def tier_of(self, group_id: str, owner: str) -> str | None:  # noqa: ARG002 - the protocol passes it
        return tier_tag(self._group(group_id))

    def in_own_vpc(self, group_id: str) -> bool:
        return bool(self._group(group_id).get("VpcId") == self._vpc_id)

    def _group(self, group_id: str) -> Mapping[str, Any]:
        if group_id not in self._groups:
            self._groups[group_id] = described_group(group_id) or {}
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


def described_group(group_id: str) -> Mapping[str, Any] | None:
    try:
        (group,) = aws("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidGroup.NotFound":
            return None
        raise
    found: Mapping[str, Any] = group
    return found


def tier_tag(group: Mapping[str, Any]) -> str | None:
    return tag_map(group.get("Tags")).get(TIER_TAG)


def ports_of(event: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """`none` or ports separated by commas."""
    text = event[name]
    try:
        return () if text in ("", "none") else tuple(parse_ports(str(int(port)))[0] for port in text.split(","))
    except ValueError:
        raise Refused(f"{name} is {text!r}; expected none or ports separated by commas") from None


def exactly(entry: Entry) -> dict[str, Any]:
    """The permission that names this entry alone, with its description."""
    return {
        name: [{key: text for key, text in peer.items() if key not in NOT_SENT_BACK} for peer in value]
        if isinstance(value, list)
        else value
        for name, value in entry.source.items()
    }


class OwnGroup:
    """One side of a security group of this account. State: the group as DescribeSecurityGroups has it."""

    def __init__(self, event: Mapping[str, Any], side: Side) -> None:
        self.resource_id = str(event["GroupId"])
        self._account_id = event["AccountId"]
        self._side = side

    def read(self) -> Mapping[str, Any] | None:
        group = described_group(self.resource_id)
        if group is None:
            return None
        missing = [name for name in ("GroupId", "OwnerId", "VpcId", self._side.member) if name not in group]
        if missing:
            raise Refused(f"{self.resource_id}: EC2 gives no {missing[0]}")
        if group["OwnerId"] != self._account_id:
            raise Refused(f"{self.resource_id} belongs to account {group['OwnerId']}, not to {self._account_id}")
        return group

    def entries(self, group: Mapping[str, Any]) -> list[Entry]:
        try:
            return entries_of(group[self._side.member])
        except MalformedEntryError as error:
            raise Refused(f"{self.resource_id}: {error}") from None

    def record(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Every entry of that side by itself, in a fixed order, as the Authorize call takes them."""
        return {"GroupId": self.resource_id, "IpPermissions": _sorted([exactly(entry) for entry in self.entries(group)])}

    def call(self, operation: str, permissions: Sequence[Mapping[str, Any]], summary: str) -> Change:
        return Change("ec2", operation, {"GroupId": self.resource_id, "IpPermissions": list(permissions)}, summary)


class GroupFix(OwnGroup):
    """Revokes what `excess` names; all other entries stay as they are."""

    def __init__(self, event: Mapping[str, Any], side: Side, settings: Mapping[str, Any]) -> None:
        super().__init__(event, side)
        self.tiers = Settings.from_mapping(settings).network_tiers
        if not self.tiers:
            raise Refused("the document was built without NetworkTiers; build it again with a complete rdk.json")
        self.untagged = event["UntaggedPolicy"]
        if self.untagged not in UNTAGGED_POLICIES:
            raise Refused(f"UntaggedPolicy is {self.untagged!r}; expected one of {', '.join(UNTAGGED_POLICIES)}")
        self.internet_ports = ports_of(event, "InternetPorts")

    def excess(self, entries: Sequence[Entry], tier: str | None, around: Surroundings) -> Sequence[Entry]:
        """The entries that must go. Raises Refused, MalformedEntryError, MalformedFlowError."""
        raise NotImplementedError

    def note(self) -> str:
        """What the summary of the call says besides."""
        return ""

    def tags(self, group: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(group.get("Tags"))

    def changes(self, group: Mapping[str, Any]) -> Sequence[Change]:
        tier = tier_tag(group)
        if tier is None and self.untagged == "ignore":
            return []
        if tier is not None and tier not in self.tiers:
            raise Refused(f"{self.resource_id}: tag {TIER_TAG} names the unknown tier {tier!r}; correct the tag first")
        try:
            excess = self.excess(self.entries(group), tier, LiveSurroundings(group))
        except (MalformedEntryError, MalformedFlowError) as error:
            raise Refused(f"{self.resource_id}: {error}") from None
        if not excess:
            return []
        summary = "revoke " + "; ".join(map(self._side.told, excess)) + self.note()
        return [self.call(self._side.revoke, [exactly(entry) for entry in excess], summary)]

    def require_certain(self, doubts: Sequence[str]) -> None:
        if doubts:
            raise Refused(f"{self.resource_id}: {doubts[0]}; decide on this entry by hand first")


class GroupRestore(OwnGroup):
    """Authorizes again what a fix revoked."""

    def undo(self, before: Mapping[str, Any], group: Mapping[str, Any]) -> Sequence[Change]:
        """A fix adds nothing: an entry that was not there before is another's, made while it ran, and is not revoked here."""
        then, now = before["IpPermissions"], self.record(group)["IpPermissions"]
        others = [permission for permission in now if permission not in then]
        if others:
            raise Refused(
                f"{self.resource_id} got entries while that execution ran ({self._told(others)}): authorize by hand what is"
                " to come back"
            )
        missing = [permission for permission in then if permission not in now]
        return [self.call(self._side.authorize, missing, f"authorize again {self._told(missing)}")]

    def _told(self, permissions: Sequence[Mapping[str, Any]]) -> str:
        return "; ".join(map(self._side.told, entries_of(permissions)))


def _sorted(permissions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(permissions, key=lambda permission: json.dumps(permission, sort_keys=True))
