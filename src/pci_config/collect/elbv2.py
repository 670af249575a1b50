"""Application, Network and Gateway Load Balancers and their listeners. Listener rules are not recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._deferred import Deferred
from pci_config.collect._recording import MULTIPLE_ZONES, REGIONAL, Recording, Related
from pci_config.collect._shapes import batches, only, recorded, spelled_out, tag_list
from pci_config.parallel import each
from pci_config.rule import Clients
from pci_config.tags import tag_map

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
    recording = Recording(account_id, region, now)
    balancers = [b for page in elb.get_paginator("describe_load_balancers").paginate() for b in page["LoadBalancers"]]
    tags: dict[str, dict[str, str]] = {}
    for arns in batches((b["LoadBalancerArn"] for b in balancers), ARNS_PER_CALL):
        answer = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
        tags |= {entry["ResourceArn"]: tag_map(entry["Tags"]) for entry in answer}

    def described(balancer: Mapping[str, Any]) -> list[dict[str, Any]]:
        return list(_items(elb, recording, balancer, tags.get(balancer["LoadBalancerArn"], {})))

    for items in each(described, balancers):
        yield from items


def _items(elb: Any, recording: Recording, balancer: Mapping[str, Any], own_tags: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A load balancer and its listeners."""
    arn = balancer["LoadBalancerArn"]

    def attributes() -> Any:
        return recorded(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])

    yield recording.item(
        LOAD_BALANCER,
        arn,
        _balancer(balancer),
        arn=arn,
        name=balancer["LoadBalancerName"],
        tags=own_tags,
        supplementary=Deferred({"Tags": tag_list(own_tags)}, {"LoadBalancerAttributes": attributes}),
        related=_related(balancer),
        zone=MULTIPLE_ZONES,
        created=balancer.get("CreatedTime"),
    )
    for page in elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn):
        for listener in page["Listeners"]:
            yield recording.item(
                LISTENER, listener["ListenerArn"], _listener(listener), arn=listener["ListenerArn"], zone=REGIONAL
            )


def _balancer(found: Mapping[str, Any]) -> dict[str, Any]:
    balancer = spelled_out(
        recorded(found),
        "loadBalancerArn dNSName canonicalHostedZoneId createdTime loadBalancerName scheme vpcId state type ipAddressType"
        " customerOwnedIpv4Pool",
        "availabilityZones securityGroups",
    )
    balancer["state"] = spelled_out(balancer["state"] or {}, "code reason")
    balancer["availabilityZones"] = [
        spelled_out(zone, "zoneName subnetId outpostId", "loadBalancerAddresses") for zone in balancer["availabilityZones"]
    ]
    return balancer


def _related(found: Mapping[str, Any]) -> Iterator[Related]:
    for group in found.get("SecurityGroups", []):
        yield Related("AWS::EC2::SecurityGroup", "Is associated with SecurityGroup", group)
    for zone in found.get("AvailabilityZones", []):
        yield Related("AWS::EC2::Subnet", "Is attached to Subnet", zone["SubnetId"])
    yield Related("AWS::EC2::VPC", "Is contained in Vpc", found["VpcId"])


def _listener(found: Mapping[str, Any]) -> dict[str, Any]:
    """In CloudFormation's spelling, which is the API's; a listener without TLS has no SslPolicy at all."""
    return {
        "Certificates": [],
        "AlpnPolicy": [],
        **only(found, "ListenerArn LoadBalancerArn Port Protocol SslPolicy Certificates AlpnPolicy DefaultActions"),
    }
