"""Classic Load Balancers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._shapes import batches, recorded, tag_map
from pci_config.items import new_item
from pci_config.rule import Clients

CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancing::LoadBalancer"
RESOURCE_TYPES = (CLASSIC_LOAD_BALANCER,)
ACTIONS = (
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancerPolicies",
    "elasticloadbalancing:DescribeTags",
)
NAMES_PER_CALL = 20  # DescribeTags, Elastic Load Balancing API reference 2012-06-01


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    elb = clients.build_client("elb", region)
    balancers = [
        b for page in elb.get_paginator("describe_load_balancers").paginate() for b in page["LoadBalancerDescriptions"]
    ]
    tags: dict[str, dict[str, str]] = {}
    for names in batches((b["LoadBalancerName"] for b in balancers), NAMES_PER_CALL):
        described = elb.describe_tags(LoadBalancerNames=names)["TagDescriptions"]
        tags |= {entry["LoadBalancerName"]: tag_map(entry["Tags"]) for entry in described}
    for balancer in balancers:
        name = balancer["LoadBalancerName"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
        policies = elb.describe_load_balancer_policies(LoadBalancerName=name)["PolicyDescriptions"]
        yield new_item(
            account_id=account_id,
            region=region,
            resource_type=CLASSIC_LOAD_BALANCER,
            resource_id=name,
            name=name,
            arn=f"arn:aws:elasticloadbalancing:{region}:{account_id}:loadbalancer/{name}",
            configuration=_configuration(balancer),
            supplementary={"LoadBalancerAttributes": recorded(attributes), "LoadBalancerPolicies": recorded(policies)},
            tags=tags.get(name, {}),
            capture_time=now,
        )


def _configuration(balancer: Mapping[str, Any]) -> dict[str, Any]:
    """Names that the first SDK spelled otherwise than by a small first letter."""
    configuration: dict[str, Any] = recorded(balancer)
    for ours, theirs in (("dNSName", "dnsname"), ("vPCId", "vpcid")):
        if ours in configuration:
            configuration[theirs] = configuration.pop(ours)
    for description in configuration.get("listenerDescriptions", []):
        listener = description["listener"]
        if "sSLCertificateId" in listener:
            listener["sslcertificateId"] = listener.pop("sSLCertificateId")
        description.setdefault("policyNames", [])
    return configuration
