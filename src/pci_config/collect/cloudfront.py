"""CloudFront distributions. They belong to no Region; AWS Config records them in us-east-1, as Region `global`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import acronym_small, only, recorded
from pci_config.rule import Clients
from pci_config.tags import tag_map

DISTRIBUTION = "AWS::CloudFront::Distribution"
RESOURCE_TYPES = (DISTRIBUTION,)
ACTIONS = ("cloudfront:ListDistributions", "cloudfront:GetDistribution", "cloudfront:ListTagsForResource")
RECORDED_IN = "us-east-1"


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    if region != RECORDED_IN:
        return
    cloudfront = clients.build_client("cloudfront", region)
    recording = Recording(account_id, "global", now)
    for page in cloudfront.get_paginator("list_distributions").paginate():
        for summary in page["DistributionList"].get("Items", []):
            distribution = cloudfront.get_distribution(Id=summary["Id"])["Distribution"]
            tags = cloudfront.list_tags_for_resource(Resource=distribution["ARN"])["Tags"].get("Items", [])
            configuration = only(
                recorded(distribution, acronym_small),
                "id arn domainName lastModifiedTime activeTrustedSigners activeTrustedKeyGroups distributionConfig",
            )
            configuration["isStaging"] = distribution["DistributionConfig"].get("Staging", False)
            certificate = distribution["DistributionConfig"].get("ViewerCertificate", {}).get("ACMCertificateArn")
            yield recording.item(
                DISTRIBUTION,
                distribution["Id"],
                configuration,
                arn=distribution["ARN"],
                tags=tag_map(tags),
                related=[Related("AWS::ACM::Certificate", "Is associated with ", certificate)] if certificate else [],
                created=None,  # the API does not give it
            )
