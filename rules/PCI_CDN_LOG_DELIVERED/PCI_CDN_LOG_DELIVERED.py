"""PCI_CDN_LOG_DELIVERED: access logs of CloudFront distributions end in the central archive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pci_config.log_destination import bucket_route, route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    Scope,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    optional,
    reading,
    required,
)

DISTRIBUTION = "AWS::CloudFront::Distribution"
DELIVERIES_REGION = "us-east-1"  # deliveries of CloudFront are configured there
ACCESS_LOGS = "ACCESS_LOGS"
SUFFIX = " [PCI 10.2.1]"
# The end of a bucket's host name; a bucket's own name may hold ".s3." as well
_HOST_END = re.compile(r"\.s3(?:[.-][a-z]{2}(?:-[a-z]+)+-[0-9])?\.amazonaws\.com(?:\.cn)?$")


class LogDeliveries(Lookup[Sequence[str]]):
    """Destination ARNs of a distribution's standard logs v2, by distribution ARN. AWS Config does not record them."""

    actions = ("logs:DescribeDeliverySources", "logs:DescribeDeliveries", "logs:DescribeDeliveryDestinations")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[str]:
        logs = clients.build_client("logs", DELIVERIES_REGION)
        sources = {
            source["name"]
            for page in logs.get_paginator("describe_delivery_sources").paginate()
            for source in page["deliverySources"]
            if key[0] in source["resourceArns"] and source["logType"] == ACCESS_LOGS
        }
        if not sources:
            return []
        destinations = {
            destination["arn"]: destination["deliveryDestinationConfiguration"]["destinationResourceArn"]
            for page in logs.get_paginator("describe_delivery_destinations").paginate()
            for destination in page["deliveryDestinations"]
        }
        return [
            # a destination of another account is not listed here: its own ARN stands for it
            destinations.get(delivery["deliveryDestinationArn"], delivery["deliveryDestinationArn"])
            for page in logs.get_paginator("describe_deliveries").paginate()
            for delivery in page["deliveries"]
            if delivery["deliverySourceName"] in sources
        ]


class PciCdnLogDelivered(PciRule):
    """Every enabled distribution writes access logs, legacy or v2, that end in the archive.

    PCI DSS 4.0.1: 10.2.1. 3.2.1: 10.1, 10.2. Source: CloudFront developer guide, standard logging (legacy: a bucket in the
    item; v2: CloudWatch Logs deliveries in us-east-1, which the item does not show). AWS Config records distributions in
    us-east-1 only: the rule is part of the regional pack, and in other Regions there is nothing for it to judge. Legacy logs
    need a bucket with ACLs, which PCI_ARCHIVE_PROTECTED does not let an archive have: v2 is the way to a protected archive.

    | distribution | verdict |
    |---|---|
    | legacy log to an archive bucket, or a v2 delivery that ends in the archive | compliant |
    | logs elsewhere only | non-compliant, shows the way |
    | no log | non-compliant |
    | disabled | not applicable: it serves nothing |
    """

    resource_types = (DISTRIBUTION,)
    lookups = (LogDeliveries, *LOG_LOOKUPS)
    sweeps = True  # deliveries are not part of the item

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        if not required(item, "configuration.distributionConfig.enabled", bool):
            return not_applicable("the distribution is disabled and serves nothing")
        routes = []
        log = required(item, "configuration.distributionConfig.logging", Mapping)
        with reading("configuration.distributionConfig.logging"):
            if log["enabled"]:
                routes.append(bucket_route(_HOST_END.sub("", str(log["bucket"])), facts.scope.settings))
        if not any(way.fault is None for way in routes):
            place, surroundings = place_of(facts, DELIVERIES_REGION), LookedUp(facts, DELIVERIES_REGION)
            arn = optional(item, "configuration.arn", str, "") or required(item, "ARN", str)
            routes += [route(destination, place, surroundings) for destination in facts.get(LogDeliveries, arn)]
        good = next((way for way in routes if way.fault is None), None)
        if good:
            return compliant(f"access logs -> {good}")
        if not routes:
            return non_compliant(f"no access log, legacy or v2; deliver one to the archive{SUFFIX}")
        return non_compliant(counted([f"access logs -> {way.told()}" for way in routes], "way", SUFFIX))


lambda_handler = PciCdnLogDelivered.as_lambda_handler()
