"""One look at one account and Region: what every item of it has in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pci_config.items import new_item

MULTIPLE_ZONES = "Multiple Availability Zones"
REGIONAL = "Regional"


@dataclass(frozen=True)
class Related:
    """A relationship as AWS Config words it. Types differ in the wording and in whether they give an id or a name."""

    resource_type: str
    wording: str
    resource_id: str | None = None
    resource_name: str | None = None


@dataclass(frozen=True)
class Recording:
    account_id: str
    region: str
    now: datetime

    def item(
        self,
        resource_type: str,
        resource_id: str,
        configuration: Any,
        *,
        arn: str | None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        supplementary: Mapping[str, Any] | None = None,
        related: Iterable[Related] = (),
        zone: str = "Not Applicable",
        created: datetime | None = None,
    ) -> dict[str, Any]:
        """An item in event form."""
        item = new_item(
            account_id=self.account_id,
            region=self.region,
            resource_type=resource_type,
            resource_id=resource_id,
            configuration=configuration,
            capture_time=self.now,
            arn=arn,
            name=name,
            tags=tags,
            supplementary=supplementary,
            created=created,
        )
        item["availabilityZone"] = zone
        item["relationships"] = [
            {
                "resourceId": entry.resource_id,
                "resourceName": entry.resource_name,
                "resourceType": entry.resource_type,
                "name": entry.wording,
            }
            for entry in related
        ]
        return item
