"""Classic Load Balancers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import MULTIPLE_ZONES, Recording, Related
from pci_config.collect._shapes import batches, capitals_small, epoch_time, recorded, spelled_out, tag_list
from pci_config.rule import Clients
from pci_config.tags import tag_map

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
    recording = Recording(account_id, region, now)
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
        own_tags = tags.get(name, {})
        yield recording.item(
            CLASSIC_LOAD_BALANCER,
            name,
            _configuration(balancer),
            arn=f"arn:{elb.meta.partition}:elasticloadbalancing:{region}:{account_id}:loadbalancer/{name}",
            name=name,
            tags=own_tags,
            supplementary={
                "LoadBalancerAttributes": {"additionalAttributes": [], **recorded(attributes, capitals_small)},
                "LoadBalancerPolicies": recorded(policies, capitals_small),
                "Tags": tag_list(own_tags),
            },
            related=_related(balancer),
            zone=MULTIPLE_ZONES,
            created=balancer.get("CreatedTime"),
        )


def _configuration(found: Mapping[str, Any]) -> dict[str, Any]:
    configuration = spelled_out(
        recorded(found, capitals_small, epoch_time),
        "loadBalancerName canonicalHostedZoneName canonicalHostedZoneNameID policies sourceSecurityGroup healthCheck"
        " createdTime scheme dnsname vpcid",
        "listenerDescriptions backendServerDescriptions availabilityZones subnets instances securityGroups",
    )
    for description in configuration["listenerDescriptions"]:
        description.setdefault("policyNames", [])
    return configuration


def _related(found: Mapping[str, Any]) -> Iterator[Related]:
    for group in found.get("SecurityGroups", []):
        yield Related("AWS::EC2::SecurityGroup", "Is associated with ", group)
    for subnet in found.get("Subnets", []):
        yield Related("AWS::EC2::Subnet", "Is attached to ", subnet)
    if found.get("VPCId"):
        yield Related("AWS::EC2::VPC", "Is contained in ", found["VPCId"])
