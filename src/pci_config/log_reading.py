"""Asks Firehose and CloudWatch Logs what `pci_config.log_destination` wants to know: rules and documents ask alike.

Source: API references of Amazon Data Firehose (DescribeDeliveryStream) and CloudWatch Logs (DescribeSubscriptionFilters,
DescribeAccountPolicies). Standard library and botocore only: inlined into documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from pci_config.log_destination import Subscription, policy_subscription


def described_or_none(firehose: Any, name: str) -> Mapping[str, Any] | None:
    """DescribeDeliveryStream's description; None when the stream does not exist."""
    try:
        described: Mapping[str, Any] = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return described


def subscription_filters(logs: Any, log_group: str) -> list[Mapping[str, Any]] | None:
    """The group's own subscription filters; None when the group does not exist."""
    found: list[Mapping[str, Any]] = []
    try:
        for page in logs.get_paginator("describe_subscription_filters").paginate(logGroupName=log_group):
            found += page["subscriptionFilters"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return found


def found_subscriptions(logs: Any, log_group: str) -> list[Subscription]:
    """Everything that takes events out of the group. Raises ValueError when a policy of the account is not understood."""
    filters = subscription_filters(logs, log_group)
    if filters is None:
        return []  # a group that does not exist sends nothing on
    found = [Subscription(each["filterName"], each["destinationArn"], each.get("filterPattern") or "") for each in filters]
    policies = logs.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY").get("accountPolicies", [])
    for policy in policies:
        try:
            subscription = policy_subscription(policy, log_group)
        except (KeyError, ValueError) as error:
            raise ValueError(f"account-level subscription policy: {error}") from None
        found += [subscription] if subscription else []
    return found
