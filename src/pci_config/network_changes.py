"""CloudTrail events that change the network's controls, and what must count them: metric filters, alarms, EventBridge rules.

Event names: the CIS AWS Foundations Benchmark's groups (CloudTrail user guide, "Creating CloudWatch alarms for CloudTrail
events"). `EXTENDED` has calls that the benchmark leaves out although they change the same controls (EC2 API reference).
Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
IDENTITIES: tuple[dict[str, str], ...] = (
    {"type": "AssumedRole", "principalId": "AROAEXAMPLE:session", "arn": "arn:aws:sts::{account}:assumed-role/role/session"},
    {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "userName": "user", "arn": "arn:aws:iam::{account}:user/user"},
    {"type": "Root", "principalId": "{account}", "arn": "arn:aws:iam::{account}:root"},
)
API_CALL = "AWS API Call via CloudTrail"


def event_names(extended: bool) -> dict[str, tuple[str, ...]]:
    """Names by group."""
    return {group: names + (EXTENDED.get(group, ()) if extended else ()) for group, names in CIS.items()}


def trail_event(
    name: str, account_id: str, region: str, identity: Mapping[str, str] = IDENTITIES[0], read_only: bool = False
) -> dict[str, Any]:
    """A successful call, as CloudTrail records it (CloudTrail user guide, "CloudTrail record contents")."""
    user = {member: value.format(account=account_id) for member, value in identity.items()} | {"accountId": account_id}
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


def variants(name: str, home: tuple[str, str], accounts: Iterable[str], regions: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The call as made by each kind of caller, then in each account and in each Region: an alert must not depend on it."""
    account_id, region = home
    for identity in IDENTITIES:
        yield trail_event(name, account_id, region, identity)
    for other in accounts:
        if other != account_id:
            yield trail_event(name, other, region)
    for other in regions:
        if other != region:
            yield trail_event(name, account_id, other)


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


# ------------------------------------------------------------------------------------------------- filters and alarms


def filter_fault(metric_filter: Mapping[str, Any]) -> str | None:
    """Why a metric filter (DescribeMetricFilters) does not count every matching event into one metric, if so."""
    transformations = metric_filter.get("metricTransformations") or []
    if len(transformations) != 1:
        return "has no metric"
    transformation = transformations[0]
    if metric_filter.get("applyOnTransformedLogs"):
        return "works on transformed events, which are not known here"
    if metric_filter.get("fieldSelectionCriteria"):
        return "takes events of some accounts or Regions only"
    if metric_filter.get("emitSystemFieldDimensions") or transformation.get("dimensions"):
        return "splits its metric by dimensions, so that no one alarm sees every event"
    if counted_as(transformation) <= 0:
        return f"adds {transformation.get('metricValue')!r} to its metric, not a count"
    if transformation.get("defaultValue"):
        return "has a default value other than 0, so that its alarm is always on"
    return None


def counted_as(transformation: Mapping[str, Any]) -> float:
    """What one event adds to the metric; 0 when that depends on the event."""
    try:
        value = float(transformation.get("metricValue") or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if value < float("inf") else 0.0


def alarm_fault(alarm: Mapping[str, Any], transformation: Mapping[str, Any]) -> str | None:
    """Why one event alone does not set off an alarm (DescribeAlarms) on the filter's metric, if so."""
    if alarm.get("Dimensions"):
        return "watches a dimension that the metric does not have"
    if alarm.get("Unit") not in (None, transformation.get("unit") or "None"):
        return f"watches the unit {alarm['Unit']}, which the metric does not have"
    diluted = transformation.get("defaultValue") is not None  # every other event adds a zero
    statistics = ("Sum", "Maximum") if diluted else ("Sum", "Maximum", "Average", "Minimum", "SampleCount")
    if alarm.get("Statistic") not in statistics:
        return f"uses {alarm.get('Statistic') or alarm.get('ExtendedStatistic') or 'no statistic'}, use Sum"
    one = 1.0 if alarm["Statistic"] == "SampleCount" else counted_as(transformation)
    threshold, comparison = alarm.get("Threshold"), alarm.get("ComparisonOperator")
    if not isinstance(threshold, (int, float)) or isinstance(threshold, bool):
        return "has no threshold"
    fires = (comparison == "GreaterThanOrEqualToThreshold" and 0 < threshold <= one) or (
        comparison == "GreaterThanThreshold" and 0 <= threshold < one
    )
    if not fires:
        return f"has the threshold {comparison} {threshold:g}, use GreaterThanOrEqualToThreshold 1"
    if (alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods")) != 1:
        return "needs more than one period with events"
    if alarm.get("ActionsEnabled") is not True:
        return "has its actions disabled"
    return None
