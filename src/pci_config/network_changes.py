"""CloudTrail events that change the network's controls, and whether a trail records them.

Event names: the CIS AWS Foundations Benchmark's groups (CloudTrail user guide, "Creating CloudWatch alarms for CloudTrail
events"). `EXTENDED` has calls that the benchmark leaves out although they change the same controls (EC2 API reference).
Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.trail import MalformedTrailError, member

CIS: dict[str, tuple[str, ...]] = {
    "security group": (
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
    ),
    "network ACL": (
        "CreateNetworkAcl",
        "CreateNetworkAclEntry",
        "DeleteNetworkAcl",
        "DeleteNetworkAclEntry",
        "ReplaceNetworkAclEntry",
        "ReplaceNetworkAclAssociation",
    ),
    "gateway": (
        "CreateCustomerGateway",
        "DeleteCustomerGateway",
        "AttachInternetGateway",
        "CreateInternetGateway",
        "DeleteInternetGateway",
        "DetachInternetGateway",
    ),
    "route table": (
        "CreateRoute",
        "CreateRouteTable",
        "ReplaceRoute",
        "ReplaceRouteTableAssociation",
        "DeleteRouteTable",
        "DeleteRoute",
        "DisassociateRouteTable",
    ),
    "VPC": (
        "CreateVpc",
        "DeleteVpc",
        "ModifyVpcAttribute",
        "AcceptVpcPeeringConnection",
        "CreateVpcPeeringConnection",
        "DeleteVpcPeeringConnection",
        "RejectVpcPeeringConnection",
        "AttachClassicLinkVpc",
        "DetachClassicLinkVpc",
        "DisableVpcClassicLink",
        "EnableVpcClassicLink",
    ),
}
EXTENDED: dict[str, tuple[str, ...]] = {
    "security group": ("ModifySecurityGroupRules",),
    "route table": ("AssociateRouteTable",),
}
UNRELATED = "DescribeInstances"  # a filter that counts this too is always in alarm
SESSION = {
    "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::{account}:role/role", "accountId": "{account}", "userName": "role"},
    "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "false"},
}
# CloudTrail user guide, "CloudTrail userIdentity element": who can change a network
IDENTITIES: tuple[dict[str, Any], ...] = (
    {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:session",
        "arn": "arn:aws:sts::{account}:assumed-role/role/session",
        "sessionContext": SESSION,
    },
    {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "user", "arn": "arn:aws:iam::{account}:user/user"},
    {"type": "Root", "principalId": "{account}", "arn": "arn:aws:iam::{account}:root"},
    {"type": "FederatedUser", "principalId": "{account}:name", "arn": "arn:aws:sts::{account}:federated-user/name"},
)
API_CALL = "AWS API Call via CloudTrail"


def event_names(extended: bool) -> dict[str, tuple[str, ...]]:
    """Names by group."""
    return {group: names + (EXTENDED.get(group, ()) if extended else ()) for group, names in CIS.items()}


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """A call that must alert. `told` says how it differs from the ordinary one: "" or `by Root`, `of account …`, `in …`."""

    name: str
    told: str
    account_id: str
    region: str
    event: Mapping[str, Any]


def calls(names: Iterable[str], home: tuple[str, str], accounts: Iterable[str], regions: Iterable[str]) -> tuple[Call, ...]:
    """Each call as made by each kind of caller, then in each account and in each Region: an alert must not depend on it."""
    places = tuple(accounts), tuple(regions)
    return tuple(call for name in names for call in _variants(name, home, *places))


def _variants(name: str, home: tuple[str, str], accounts: Iterable[str], regions: Iterable[str]) -> Iterator[Call]:
    account_id, region = home
    for identity in IDENTITIES:
        told = "" if identity is IDENTITIES[0] else f"by {identity['type']}"
        yield Call(name, told, account_id, region, trail_event(name, account_id, region, identity))
    for other in accounts:
        if other != account_id:
            yield Call(name, f"of account {other}", other, region, trail_event(name, other, region))
    for other in regions:
        if other != region:
            yield Call(name, f"in {other}", account_id, other, trail_event(name, account_id, other))


def trail_event(
    name: str, account_id: str, region: str, identity: Mapping[str, Any] = IDENTITIES[0], read_only: bool = False
) -> dict[str, Any]:
    """A successful call, as CloudTrail records it (CloudTrail user guide, "CloudTrail record contents")."""
    user = {name: _filled(value, account_id) for name, value in identity.items()} | {"accountId": account_id}
    return {
        "eventVersion": "1.11",
        "userIdentity": user,
        "eventTime": "2026-01-01T00:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2",
        "requestParameters": {"dryRun": False},
        "responseElements": {"requestId": "11111111-2222-3333-4444-555555555555"},
        "requestID": "11111111-2222-3333-4444-555555555555",
        "eventID": "66666666-7777-8888-9999-000000000000",
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account_id,
        "eventCategory": "Management",
    }


def _filled(value: Any, account_id: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(each, account_id) for name, each in value.items()}
    return value.replace("{account}", account_id)


def bus_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as EventBridge puts it on a bus (EventBridge user guide, "AWS service events delivered via CloudTrail")."""
    return {
        "version": "0",
        "id": event["eventID"],
        "detail-type": API_CALL,
        "source": "aws.ec2",
        "account": event["recipientAccountId"],
        "time": event["eventTime"],
        "region": event["awsRegion"],
        "resources": [],
        "detail": dict(event),
    }


# -------------------------------------------------------------------------------------------------------------- trails


def log_group_place(trail: Mapping[str, Any]) -> tuple[str, str] | None:
    """Account and Region of the log group that a trail sends events to, if any. Raises MalformedTrailError."""
    arn = member(trail, "CloudWatchLogsLogGroupArn", str, needed=False)
    if not arn:
        return None
    parts = arn.split(":")
    if len(parts) < 7 or parts[5] != "log-group":
        raise MalformedTrailError(f"CloudWatchLogsLogGroupArn {arn!r} is no ARN of a log group")
    return parts[4], parts[3]


def log_group_name(trail: Mapping[str, Any]) -> str:
    """Of a trail that has a log group."""
    return str(member(trail, "CloudWatchLogsLogGroupArn", str)).split(":")[6]


def width(trail: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether it records all accounts, and whether all Regions: the greater, the wider."""
    return member(trail, "IsOrganizationTrail", bool), member(trail, "IsMultiRegionTrail", bool)


def places_left_to(
    trails: Iterable[Mapping[str, Any]], accounts: Sequence[str], regions: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """The accounts and Regions whose calls these trails bring here. Raises MalformedTrailError."""
    widths = [width(trail) for trail in trails]
    return accounts if any(every for every, _ in widths) else (), regions if any(every for _, every in widths) else ()


def recorded_by(trail: Mapping[str, Any], selectors: Mapping[str, Any] | None, call: Call) -> bool:
    """Whether a trail (DescribeTrails) with these selectors (GetEventSelectors; None: not known here) records the call.

    Raises MalformedTrailError.
    """
    owner = member(trail, "TrailARN", str).split(":")[4]
    if call.account_id != owner and not member(trail, "IsOrganizationTrail", bool):
        return False
    if call.region != member(trail, "HomeRegion", str) and not member(trail, "IsMultiRegionTrail", bool):
        return False
    return selectors is None or _selected(selectors, call.event)


def _selected(selectors: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Any selector is enough. What one does not understand selects nothing."""
    source = event["eventSource"]
    for basic in selectors.get("EventSelectors") or ():
        management = basic.get("IncludeManagementEvents") and basic.get("ReadWriteType") in ("All", "WriteOnly")
        if management and source not in (basic.get("ExcludeManagementEventSources") or ()):
            return True
    values = {name: event[name] for name in ("eventCategory", "eventSource", "eventName", "eventType")}
    values |= {"readOnly": str(event["readOnly"]).lower(), "userIdentity.arn": event["userIdentity"]["arn"]}
    for advanced in selectors.get("AdvancedEventSelectors") or ():
        fields = advanced.get("FieldSelectors") or ()
        if fields and all(_fits(field, values.get(field.get("Field"))) for field in fields):
            return True
    return False


def _fits(field: Mapping[str, Any], value: str | None) -> bool:
    """Of the values of one operator any is enough, unless it is a negation; all operators of a field must hold."""
    if value is None:
        return False
    for operator, wanted in field.items():
        if operator == "Field" or not wanted:
            continue
        if not _holds(operator, wanted, value):
            return False
    return True


def _holds(operator: str, wanted: Sequence[str], value: str) -> bool:
    match operator.removeprefix("Not"):
        case "Equals":
            found = value in wanted
        case "StartsWith":
            found = value.startswith(tuple(wanted))
        case "EndsWith":
            found = value.endswith(tuple(wanted))
        case _:
            return False
    return found is not operator.startswith("Not")
