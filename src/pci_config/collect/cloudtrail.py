"""CloudTrail trails that the account owns, each in its home Region."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._shapes import recorded
from pci_config.items import new_item
from pci_config.rule import Clients

TRAIL = "AWS::CloudTrail::Trail"
RESOURCE_TYPES = (TRAIL,)
ACTIONS = ("cloudtrail:DescribeTrails",)
OPTIONAL = ("s3KeyPrefix", "cloudWatchLogsLogGroupArn", "cloudWatchLogsRoleArn", "kmsKeyId", "snsTopicARN")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    for trail in clients.build_client("cloudtrail", region).describe_trails(includeShadowTrails=False)["trailList"]:
        if trail["HomeRegion"] != region or trail["TrailARN"].split(":")[4] != account_id:
            continue
        configuration = dict.fromkeys(OPTIONAL) | recorded(trail)
        yield new_item(
            account_id=account_id,
            region=region,
            resource_type=TRAIL,
            resource_id=trail["Name"],
            name=trail["Name"],
            arn=trail["TrailARN"],
            configuration=configuration,
            capture_time=now,
        )
