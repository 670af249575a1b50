"""Adds to moto's CloudTrail that an organization trail acts on, and is shown in, every account of the organization, that a
trail has basic or advanced selectors (basic ones for all management events at first), and that it cannot move to no bucket.

Source: CloudTrail user guide, "Creating a trail for an organization"; API reference, DescribeTrails (includeShadowTrails),
PutEventSelectors and UpdateTrail.
"""

from __future__ import annotations

from typing import Any

from moto.cloudtrail.exceptions import S3BucketDoesNotExistException
from moto.cloudtrail.models import CloudTrailBackend, Trail, cloudtrail_backends
from moto.s3.models import s3_backends

AT_FIRST = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}]
_own_trails = CloudTrailBackend.describe_trails
_update = Trail.update


def install() -> None:
    """Teach moto these. Installing again changes nothing."""
    CloudTrailBackend.describe_trails = describe_trails  # type: ignore[method-assign]
    Trail.put_event_selectors = put_event_selectors  # type: ignore[method-assign]
    Trail.get_event_selectors = get_event_selectors  # type: ignore[method-assign]
    Trail.update = update  # type: ignore[method-assign, assignment]


def describe_trails(self: Any, include_shadow_trails: bool) -> list[Any]:
    found = list(_own_trails(self, include_shadow_trails))
    if include_shadow_trails:
        for account_id, regions in list(cloudtrail_backends.items()):
            for backend in list(regions.values()) if account_id != self.account_id else []:
                found += [trail for trail in backend.trails.values() if trail.is_org_trail and trail.is_multi_region]
    return found


def put_event_selectors(self: Any, event_selectors: Any, advanced_event_selectors: Any) -> None:
    self.event_selectors = event_selectors or []
    self.advanced_event_selectors = [] if event_selectors else advanced_event_selectors or []


def get_event_selectors(self: Any) -> tuple[list[Any], list[Any]]:
    if not self.event_selectors and not self.advanced_event_selectors:
        return AT_FIRST, []
    return self.event_selectors, self.advanced_event_selectors


def update(self: Any, s3_bucket_name: str | None, **members: Any) -> None:
    known = {name for backend in list(s3_backends.values()) for name in backend[self.partition].buckets}
    if s3_bucket_name is not None and s3_bucket_name not in known:
        raise S3BucketDoesNotExistException(f"S3 bucket {s3_bucket_name} does not exist!")
    _update(self, s3_bucket_name=s3_bucket_name, **members)
