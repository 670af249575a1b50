"""CloudTrail trails that the account owns, each once, in its home Region.

Copies in other Regions and an organization trail's copies in member accounts (shadow trails) are left out: the same trail is
an item where it was made. Whether it is logging, and its event selectors, are not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import REGIONAL, Recording
from pci_config.collect._shapes import recorded, spelled_out
from pci_config.rule import Clients

TRAIL = "AWS::CloudTrail::Trail"
RESOURCE_TYPES = (TRAIL,)
ACTIONS = ("cloudtrail:DescribeTrails",)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    recording = Recording(account_id, region, now)
    for trail in clients.build_client("cloudtrail", region).describe_trails(includeShadowTrails=False)["trailList"]:
        if trail["HomeRegion"] != region or trail["TrailARN"].split(":")[4] != account_id:
            continue
        configuration = spelled_out(
            recorded(trail),
            "name s3BucketName s3KeyPrefix snsTopicName snsTopicARN includeGlobalServiceEvents isMultiRegionTrail homeRegion"
            " trailARN logFileValidationEnabled cloudWatchLogsLogGroupArn cloudWatchLogsRoleArn kmsKeyId"
            " hasCustomEventSelectors hasInsightSelectors isOrganizationTrail",
        )
        # trails are recorded without tags (AWS Config developer guide)
        yield recording.item(
            TRAIL,
            trail["Name"],
            configuration,
            arn=trail["TrailARN"],
            name=trail["Name"],
            supplementary={"Tags": []},
            zone=REGIONAL,
        )
