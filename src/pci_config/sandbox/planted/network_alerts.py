"""Alerts on network changes in the sample issuer: filters on the organization trail, and one account with a rule of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pci_config.network_changes import API_CALL, event_names

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

ALERTED = "PCI_NETWORK_CHANGE_ALERTED"
NAMES = event_names(extended=True)
FORGOTTEN = "DeleteRoute"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    """The management account alerts for everybody, but forgot one call; staging also tells its own team, of every call."""
    home = rdk_json.settings.home_region
    _filters(server, issuer, home)
    issuer.plant("management", home, ALERTED, issuer.accounts["management"], f"no filter counts {FORGOTTEN}")
    _event_rule(server, issuer, home)


def _topic(server: MotoServer, account_id: str, region: str, service: str) -> str:
    sns = server.clients(account_id, region).build_client("sns")
    arn = str(sns.create_topic(Name="network-changes")["TopicArn"])
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="platform@card-issuer.example")
    return arn


def _filters(server: MotoServer, issuer: Issuer, region: str) -> None:
    account = issuer.accounts["management"]
    clients = server.clients(account, region)
    logs, cloudwatch = clients.build_client("logs"), clients.build_client("cloudwatch")
    topic = _topic(server, account, region, "cloudwatch.amazonaws.com")
    for group, names in NAMES.items():
        name = group.title().replace(" ", "") + "Changes"
        pattern = "{ " + " || ".join(f"($.eventName = {each})" for each in names if each != FORGOTTEN) + " }"
        metric = {"metricName": name, "metricNamespace": "NetworkChanges", "metricValue": "1"}
        logs.put_metric_filter(
            logGroupName="organization-trail", filterName=name, filterPattern=pattern, metricTransformations=[metric]
        )
        cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName=name, Namespace="NetworkChanges", Statistic="Sum", Period=300, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[topic],
        )  # fmt: skip


def _event_rule(server: MotoServer, issuer: Issuer, region: str) -> None:
    account = issuer.accounts["staging"]
    events = server.clients(account, region).build_client("events")
    detail = {"eventSource": ["ec2.amazonaws.com"], "eventName": [name for names in NAMES.values() for name in names]}
    pattern = {"source": ["aws.ec2"], "detail-type": [API_CALL], "detail": detail}
    events.put_rule(Name="network-changes", EventPattern=json.dumps(pattern))
    topic = _topic(server, account, region, "events.amazonaws.com")
    events.put_targets(Rule="network-changes", Targets=[{"Id": "team", "Arn": topic}])
