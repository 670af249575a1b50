"""What a log's destination leads to, as a document asks AWS for it in its own account and Region.

Rules ask the same by lookups (`pci_config.log_facts`), which answer from a snapshot too.
"""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from pci_config.log_destination import Stream, Subscription, described_stream, policy_subscription
from pci_config.runbook import Refused, aws


class LiveSurroundings:
    """`pci_config.log_destination.Surroundings` answered by calls. Raises Refused for what is not understood."""

    def stream(self, name: str) -> Stream | None:
        try:
            described = aws("firehose").describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return described_stream(described)

    def subscriptions(self, log_group: str) -> Sequence[Subscription]:
        logs, found = aws("logs"), []
        try:
            for page in logs.get_paginator("describe_subscription_filters").paginate(logGroupName=log_group):
                found += [
                    Subscription(each["filterName"], each["destinationArn"], each.get("filterPattern") or "")
                    for each in page["subscriptionFilters"]
                ]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return []  # a group that does not exist sends nothing on
        policies = logs.describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY").get("accountPolicies", [])
        for policy in policies:
            try:
                subscription = policy_subscription(policy, log_group)
            except (KeyError, ValueError) as error:
                raise Refused(f"account-level subscription policy: {error}") from None
            found += [subscription] if subscription else []
        return found
