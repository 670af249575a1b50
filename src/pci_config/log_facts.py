"""What rules on logs look up: Firehose streams and subscriptions, as `pci_config.log_destination` asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pci_config.log_destination import Place, Stream, Subscription, described_stream
from pci_config.log_reading import described_or_none, found_subscriptions
from pci_config.rule import Clients, Facts, ItemIndex, Lookup, NotAssessed, RuleInputError, Scope, optional, required

FIREHOSE = "AWS::KinesisFirehose::DeliveryStream"


def place_of(facts: Facts, region: str | None = None) -> Place:
    """The place of the item that is judged. CloudFront's logs are in us-east-1, say: then `region` is given."""
    scope = facts.scope
    return Place(scope.account_id, region or scope.region, scope.settings)


class DeliveryStream(Lookup[Stream | None]):
    """A Firehose stream by Region and name."""

    actions = ("firehose:DescribeDeliveryStream",)
    resource_types = (FIREHOSE,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Stream | None:
        region, name = key
        described = described_or_none(clients.build_client("firehose", region), name)
        return None if described is None else described_stream(described)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Stream | None:
        """Items may lack the destination (some kinds are write-only in the type's schema): then it is not known."""
        region, name = key
        for item in items.find(FIREHOSE, scope.account_id, region):
            if required(item, "configuration.DeliveryStreamName", str) != name:
                continue
            bucket = optional(item, "configuration.ExtendedS3DestinationConfiguration.BucketARN", str, "")
            if not bucket:
                raise NotAssessed(f"the recorded item of Firehose {name} does not show its destination")
            return Stream(name, "ACTIVE", bucket.rpartition(":::")[2])
        return None


class Subscriptions(Lookup[Sequence[Subscription]]):
    """Everything that takes events out of a log group, by Region and name. AWS Config records none of it."""

    actions = ("logs:DescribeSubscriptionFilters", "logs:DescribeAccountPolicies")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Subscription]:
        region, name = key
        try:
            return found_subscriptions(clients.build_client("logs", region), name)
        except ValueError as error:
            raise RuleInputError(str(error)) from None


class LookedUp:
    """`Surroundings` answered by lookups."""

    def __init__(self, facts: Facts, region: str | None = None) -> None:
        self._facts = facts
        self._region = region or facts.scope.region

    def stream(self, name: str) -> Stream | None:
        return self._facts.get(DeliveryStream, self._region, name)

    def subscriptions(self, log_group: str) -> Sequence[Subscription]:
        return self._facts.get(Subscriptions, self._region, log_group)


LOG_LOOKUPS: tuple[type[Lookup[Any]], ...] = (DeliveryStream, Subscriptions)
