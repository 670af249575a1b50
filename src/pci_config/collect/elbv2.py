"""Application, Network and Gateway Load Balancers and their listeners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._shapes import batches, plain, recorded, tag_map
from pci_config.items import new_item
from pci_config.rule import Clients

LOAD_BALANCER, LISTENER = "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::Listener"
RESOURCE_TYPES = (LOAD_BALANCER, LISTENER)
ACTIONS = (
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeTags",
)
ARNS_PER_CALL = 20  # DescribeTags, Elastic Load Balancing API reference


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    elb = clients.build_client("elbv2", region)
    balancers = [b for page in elb.get_paginator("describe_load_balancers").paginate() for b in page["LoadBalancers"]]
    tags: dict[str, dict[str, str]] = {}
    for arns in batches((b["LoadBalancerArn"] for b in balancers), ARNS_PER_CALL):
        described = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
        tags |= {entry["ResourceArn"]: tag_map(entry["Tags"]) for entry in described}
    for balancer in balancers:
        arn = balancer["LoadBalancerArn"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        yield new_item(
            account_id=account_id,
            region=region,
            resource_type=LOAD_BALANCER,
            resource_id=arn,
            name=balancer["LoadBalancerName"],
            arn=arn,
            configuration=_named(recorded(balancer)),
            supplementary={
                "LoadBalancerAttributes": recorded(attributes),
                "Tags": [{"key": key, "value": value} for key, value in tags.get(arn, {}).items()],
            },
            tags=tags.get(arn, {}),
            capture_time=now,
            relationships=[("AWS::EC2::SecurityGroup", group) for group in balancer.get("SecurityGroups", [])],
        )
        for page in elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn):
            for listener in page["Listeners"]:
                yield new_item(
                    account_id=account_id,
                    region=region,
                    resource_type=LISTENER,
                    resource_id=listener["ListenerArn"],
                    arn=listener["ListenerArn"],
                    configuration=plain(listener),
                    capture_time=now,
                )


def _named(configuration: dict[str, Any]) -> dict[str, Any]:
    """`DNSName` is recorded as `dNSName`, which lower-casing the first letter already gives."""
    return {"customerOwnedIpv4Pool": None, **configuration}
