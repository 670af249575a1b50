"""Adds to moto's CloudTrail that an organization trail acts on, and is shown in, every account of the organization.

Source: CloudTrail user guide, "Creating a trail for an organization"; API reference, DescribeTrails (includeShadowTrails).
"""

from __future__ import annotations

from typing import Any

from moto.cloudtrail.models import CloudTrailBackend, cloudtrail_backends

_own_trails = CloudTrailBackend.describe_trails


def install() -> None:
    """Teach moto to show organization trails to members. Installing again changes nothing."""
    CloudTrailBackend.describe_trails = describe_trails  # type: ignore[method-assign]


def describe_trails(self: Any, include_shadow_trails: bool) -> list[Any]:
    found = list(_own_trails(self, include_shadow_trails))
    if include_shadow_trails:
        for account_id, regions in list(cloudtrail_backends.items()):
            for backend in list(regions.values()) if account_id != self.account_id else []:
                found += [trail for trail in backend.trails.values() if trail.is_org_trail and trail.is_multi_region]
    return found
