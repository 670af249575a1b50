"""Does a log end in the central archive? Follows a destination from hop to hop and keeps the way it went.

Sources: Amazon Data Firehose API reference (DescribeDeliveryStream); CloudWatch Logs API reference
(DescribeSubscriptionFilters, DescribeAccountPolicies) and user guide, account-level subscription filters and cross-account
destinations. What AWS is asked on the way comes through `Surroundings`, so that the decision itself is pure. Standard library
only: fixes inline it.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pci_config.settings import Settings

MAX_HOPS = 4  # log group, Firehose, bucket, and one to spare
_NOT_IN = re.compile(r"^\s*LogGroupName\s+NOT\s+IN\s+(\[.*\])\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stream:
    """A Firehose stream: `bucket` is None when it delivers to something else, which `kind` names."""

    name: str
    status: str
    bucket: str | None
    kind: str = "S3"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription filter of a log group, or an account's subscription policy that takes the group in."""

    name: str
    destination: str
    pattern: str


class Surroundings(Protocol):
    """What a destination leads to. Both may raise what the source raises when it cannot know."""

    def stream(self, name: str) -> Stream | None:
        """The Firehose stream of the own account and Region; None when there is none of that name."""
        ...

    def subscriptions(self, log_group: str) -> Sequence[Subscription]:
        """Everything that takes events out of the log group."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a log. `fault` is None when it ends in the archive."""

    hops: tuple[str, ...]
    fault: str | None

    def __str__(self) -> str:
        return " -> ".join(self.hops)

    def told(self) -> str:
        """The way and what is wrong with its end."""
        return f"{self}: {self.fault}" if self.fault else str(self)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the log is written: destinations of the same account and Region can be looked into."""

    account_id: str
    region: str
    settings: Settings


def bucket_route(bucket: str, settings: Settings, hops: tuple[str, ...] = ()) -> Route:
    """The end of a way at a bucket."""
    archived = settings.is_archive_bucket(bucket)
    return Route(
        (*hops, f"s3://{bucket}"), None if archived else f"is not the archive ({' or '.join(settings.archive_buckets)})"
    )


def route(arn: str, place: Place, surroundings: Surroundings) -> Route:
    """Where a destination ARN leads. A destination that cannot be looked into is at fault, unless rdk.json vouches for it."""
    return _follow(arn, place, surroundings, ())


def group_route(name: str, place: Place, surroundings: Surroundings, hops: tuple[str, ...] = ()) -> Route:
    """Where the events of a log group of the own account and Region lead: the best of its subscriptions."""
    here = (*hops, f"log group {name}")
    if len(hops) >= MAX_HOPS:
        return Route(here, "goes in circles")
    found = surroundings.subscriptions(name)
    if not found:
        return Route(here, "has no subscription that sends it on to the archive")
    routes = [_subscribed(subscription, place, surroundings, here) for subscription in found]
    return next((way for way in routes if way.fault is None), routes[0])


def _subscribed(subscription: Subscription, place: Place, surroundings: Surroundings, hops: tuple[str, ...]) -> Route:
    if subscription.pattern.strip():
        return Route(hops, f"subscription {subscription.name} passes only events that match {subscription.pattern.strip()!r}")
    return _follow(subscription.destination, place, surroundings, hops)


def _follow(arn: str, place: Place, surroundings: Surroundings, hops: tuple[str, ...]) -> Route:
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return Route((*hops, arn or "nowhere"), "is no ARN of a destination")
    _, _, service, region, account, name = parts
    if service == "s3":
        return bucket_route(name.split("/", 1)[0], place.settings, hops)
    where = "" if account == place.account_id else f" (account {account})"
    if any(fnmatch.fnmatchcase(arn.removesuffix(":*"), pattern) for pattern in place.settings.trusted_destinations):
        return Route((*hops, f"{_words(service, name)}{where}, which rdk.json vouches for"), None)
    here = (*hops, f"{_words(service, name)}{where}")
    if account != place.account_id or region != place.region:
        return Route(
            here, "cannot be looked into from here; if it ends in the archive, name it in LogArchive.TrustedDestinations"
        )
    if service == "firehose" and name.startswith("deliverystream/"):
        return _streamed(name.removeprefix("deliverystream/"), place, surroundings, here)
    if service == "logs" and name.startswith("log-group:"):
        return group_route(name.removeprefix("log-group:").removesuffix(":*"), place, surroundings, hops)
    return Route(here, "may lead anywhere; if it ends in the archive, name it in LogArchive.TrustedDestinations")


def _streamed(name: str, place: Place, surroundings: Surroundings, hops: tuple[str, ...]) -> Route:
    stream = surroundings.stream(name)
    if stream is None:
        return Route(hops, "does not exist")
    if stream.status != "ACTIVE":
        return Route(hops, f"is {stream.status}, expected ACTIVE")
    if stream.bucket is None:
        return Route((*hops, stream.kind), f"is not the archive ({' or '.join(place.settings.archive_buckets)})")
    return bucket_route(stream.bucket, place.settings, hops)


def _words(service: str, name: str) -> str:
    kind, _, rest = name.replace("/", ":", 1).partition(":")
    known = {"deliverystream": "Firehose", "destination": "Logs destination", "stream": "Kinesis stream", "function": "Lambda"}
    return f"{known.get(kind, service + ' ' + kind)} {rest.split(':')[0]}".strip()


def described_stream(described: Mapping[str, Any]) -> Stream:
    """From DescribeDeliveryStream's DeliveryStreamDescription."""
    destination = (described.get("Destinations") or [{}])[0]
    s3 = destination.get("ExtendedS3DestinationDescription") or destination.get("S3DestinationDescription")
    others = [key.removesuffix("DestinationDescription") for key in destination if key.endswith("DestinationDescription")]
    other = next((kind for kind in others if kind not in ("S3", "ExtendedS3")), None)  # beside it, S3 is a backup only
    bucket = None if other or not s3 else str(s3["BucketARN"]).rpartition(":::")[2]
    return Stream(described["DeliveryStreamName"], described["DeliveryStreamStatus"], bucket, other or "S3")


def policy_subscription(policy: Mapping[str, Any], log_group: str) -> Subscription | None:
    """An account-level subscription policy as a subscription of the group; None when the group is left out.

    Raises ValueError for selection criteria of an unknown form: whether they take the group in cannot be known.
    """
    criteria = str(policy.get("selectionCriteria") or policy.get("SelectionCriteria") or "")
    if criteria.strip():
        listed = _NOT_IN.match(criteria)
        if not listed:
            raise ValueError(f"selection criteria {criteria!r} of policy {policy.get('policyName')} are not understood")
        if log_group in json.loads(listed[1]):
            return None
    document = json.loads(policy["policyDocument"])
    return Subscription(str(policy.get("policyName")), document["DestinationArn"], document.get("FilterPattern") or "")
