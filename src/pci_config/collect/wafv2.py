"""Web ACLs of AWS WAF: regional ones where they are, CloudFront's in us-east-1. Logging is not part of the item."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording
from pci_config.collect._shapes import only, recorded
from pci_config.rule import Clients
from pci_config.tags import tag_map

WEB_ACL = "AWS::WAFv2::WebACL"
RESOURCE_TYPES = (WEB_ACL,)
ACTIONS = ("wafv2:ListWebACLs", "wafv2:GetWebACL", "wafv2:ListTagsForResource")
CLOUDFRONT_REGION = "us-east-1"


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    wafv2 = clients.build_client("wafv2", region)
    recording = Recording(account_id, region, now)
    for scope in ("REGIONAL", *(["CLOUDFRONT"] if region == CLOUDFRONT_REGION else [])):
        for summary in _summaries(wafv2, scope):
            acl = wafv2.get_web_acl(Name=summary["Name"], Id=summary["Id"], Scope=scope)["WebACL"]
            arn = acl["ARN"]
            tags = wafv2.list_tags_for_resource(ResourceARN=arn)["TagInfoForResource"]["TagList"]
            configuration = only(recorded(acl), "name id defaultAction description capacity visibilityConfig rules")
            yield recording.item(
                WEB_ACL, arn, {**configuration, "resourceARN": arn}, arn=arn, name=acl["Name"], tags=tag_map(tags)
            )


def _summaries(wafv2: Any, scope: str) -> Iterator[dict[str, Any]]:
    """ListWebACLs has pages and no paginator."""
    marker: dict[str, str] = {}
    while True:
        page = wafv2.list_web_acls(Scope=scope, Limit=100, **marker)
        yield from page["WebACLs"]
        if not page.get("NextMarker") or not page["WebACLs"]:
            return
        marker = {"NextMarker": page["NextMarker"]}
