"""What the rule on network change alerts looks up: filters, alarms, EventBridge rules, topics and other targets. Live only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.network_alerts import Topic
from pci_config.rule import Clients, Lookup, Scope

Found = Sequence[Mapping[str, Any]]
NO_RIGHT = ("AuthorizationError", "AccessDenied", "AccessDeniedException")


class MetricFilters(Lookup[Found | None]):
    """The metric filters of a log group, by its name; None when the group does not exist."""

    actions = ("logs:DescribeMetricFilters",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Found | None:
        pages = clients.build_client("logs").get_paginator("describe_metric_filters").paginate(logGroupName=key[0])
        try:
            return [each for page in pages for each in page["metricFilters"]]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise


class MetricAlarms(Lookup[Found]):
    """The alarms on one metric, by its namespace and name. Alarms on expressions, and on other alarms, are not among them."""

    actions = ("cloudwatch:DescribeAlarmsForMetric",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Found:
        cloudwatch = clients.build_client("cloudwatch")
        found: Found = cloudwatch.describe_alarms_for_metric(Namespace=key[0], MetricName=key[1])["MetricAlarms"]
        return found


class EventRules(Lookup[Found]):
    """The rules on the default event bus, to which AWS services send their events."""

    actions = ("events:ListRules",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Found:
        pages = clients.build_client("events").get_paginator("list_rules").paginate()
        return [rule for page in pages for rule in page["Rules"]]


class EventTargets(Lookup[Found]):
    """The targets of a rule on the default event bus, by the rule's name."""

    actions = ("events:ListTargetsByRule",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Found:
        pages = clients.build_client("events").get_paginator("list_targets_by_rule").paginate(Rule=key[0])
        return [target for page in pages for target in page["Targets"]]


class AlertTopic(Lookup[Topic | bool | None]):
    """An SNS topic by ARN; None when it does not exist, False when another account's topic does not let this one see it."""

    actions = ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Topic | bool | None:
        (arn,) = key
        region, account = arn.split(":")[3:5]
        sns = clients.build_client("sns", region)
        try:
            attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
            subscriptions = [each for page in pages for each in page["Subscriptions"]]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("NotFound", "NotFoundException"):
                return None
            if code in NO_RIGHT and account != scope.account_id:
                return False
            raise
        confirmed = sum(each["SubscriptionArn"].startswith("arn:") for each in subscriptions)  # or PendingConfirmation
        return Topic(arn, confirmed, attributes.get("KmsMasterKeyId") or None, attributes["Policy"])


class TargetExists(Lookup[bool | None]):
    """Whether a target of this account exists, by ARN; None for kinds that are not looked up."""

    actions = ("lambda:GetFunctionConfiguration", "sqs:GetQueueUrl", "states:DescribeStateMachine")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> bool | None:
        _, _, service, region, account, name = key[0].split(":", 5)
        if account != scope.account_id or service not in _ASKED:
            return None
        client_name, operation, parameter = _ASKED[service]
        asked = name if service == "sqs" else key[0]
        try:
            getattr(clients.build_client(client_name, region), operation)(**{parameter: asked})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("ResourceNotFoundException", "StateMachineDoesNotExist") or code.endswith(_NO_QUEUE):
                return False
            raise
        return True


_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")
_ASKED = {
    "lambda": ("lambda", "get_function_configuration", "FunctionName"),
    "sqs": ("sqs", "get_queue_url", "QueueName"),
    "states": ("stepfunctions", "describe_state_machine", "stateMachineArn"),
}
ALERT_LOOKUPS: tuple[type[Lookup[Any]], ...] = (MetricFilters, MetricAlarms, EventRules, EventTargets, AlertTopic, TargetExists)
