"""What rules look up about CloudTrail trails. AWS Config records neither their status nor their selectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.rule import Clients, Lookup, Scope


class Trails(Lookup[Sequence[Mapping[str, Any]]]):
    """Every trail that acts on this account and Region, the organization's too, as DescribeTrails gives them."""

    actions = ("cloudtrail:DescribeTrails",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = clients.build_client("cloudtrail").describe_trails(includeShadowTrails=True)[
            "trailList"
        ]
        return found


class TrailStatus(Lookup[Mapping[str, Any]]):
    """GetTrailStatus by ARN. AWS Config does not record it."""

    actions = ("cloudtrail:GetTrailStatus",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Any]:
        status: Mapping[str, Any] = clients.build_client("cloudtrail").get_trail_status(Name=key[0])
        return status


class EventSelectors(Lookup[Mapping[str, Any] | None]):
    """GetEventSelectors by ARN; None when the account that owns the trail does not let this one read them."""

    actions = ("cloudtrail:GetEventSelectors",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Any] | None:
        try:
            selectors: Mapping[str, Any] = clients.build_client("cloudtrail").get_event_selectors(TrailName=key[0])
        except ClientError as error:
            own = key[0].split(":")[4] == scope.account_id
            if not own and error.response["Error"]["Code"] in ("AccessDeniedException", "TrailNotFoundException"):
                return None
            raise
        return selectors
