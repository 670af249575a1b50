"""The tags that say how a resource stands to the cardholder data environment, and which security groups a resource uses.

Where the types keep their tags: facts on items' `tags` (a map beside the configuration; a list in it or in the supplementary
part, which BatchGetResourceConfig gives alone). Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pci_config.rule import Item, optional, reading, required, tags_of

SCOPE_TAG, TIER_TAG = "pci:scope", "pci:tier"
CDE, CONNECTED, OUT = "cde", "connected", "out"
SCOPES = (CDE, CONNECTED, OUT)

GROUP, BUCKET = "AWS::EC2::SecurityGroup", "AWS::S3::Bucket"
INSTANCE = "AWS::EC2::Instance"
LOAD_BALANCER, CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancing::LoadBalancer"
DB_CLUSTER, DB_INSTANCE = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"
SERVICE, FUNCTION = "AWS::ECS::Service", "AWS::Lambda::Function"

Groups = Callable[[Mapping[str, Any]], Sequence[str]]


def _vpc_groups(configuration: Mapping[str, Any]) -> Sequence[str]:
    return [entry["vpcSecurityGroupId"] for entry in configuration["vpcSecurityGroups"]]


def _service_groups(configuration: Mapping[str, Any]) -> Sequence[str]:
    """Without a network of its own a service has no group; with one and no group named it would have its VPC's default."""
    network = (configuration.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration")
    groups: Sequence[str] = network["SecurityGroups"] if network else []
    return groups


def _function_groups(configuration: Mapping[str, Any]) -> Sequence[str]:
    network = configuration.get("vpcConfig")
    groups: Sequence[str] = network["securityGroupIds"] if network else []
    return groups


# How each type names the security groups that it uses.
GROUPS: Mapping[str, Groups] = {
    INSTANCE: lambda c: [entry["groupId"] for entry in c.get("securityGroups") or []],
    LOAD_BALANCER: lambda c: c.get("securityGroups") or [],
    CLASSIC_LOAD_BALANCER: lambda c: c.get("securityGroups") or [],
    DB_CLUSTER: _vpc_groups,
    DB_INSTANCE: _vpc_groups,
    SERVICE: _service_groups,
    FUNCTION: _function_groups,
}


def groups_of(item: Item) -> tuple[str, ...]:
    """Ids of the groups that the resource uses; a group is its own."""
    resource_type = required(item, "resourceType", str)
    if resource_type == GROUP:
        return (required(item, "configuration.groupId", str),)
    if resource_type not in GROUPS:
        return ()
    with reading(f"{resource_type}: security groups"):
        groups = tuple(GROUPS[resource_type](required(item, "configuration", dict)))
        if not all(isinstance(group, str) and group for group in groups):
            raise ValueError("an id is no text")
    return groups


def all_tags(item: Item) -> dict[str, str]:
    """The tags, also those that buckets keep as tag sets."""
    found = tags_of(item)
    if found or item.get("resourceType") != BUCKET:
        return found
    sets = optional(item, "supplementaryConfiguration.BucketTaggingConfiguration.tagSets", list, [])
    with reading("BucketTaggingConfiguration"):
        return {key: str(value) for entry in sets for key, value in entry["tags"].items()}


def scope_of(tags: Mapping[str, str]) -> str | None:
    """The scope, however it is written: for other resources' sake a wrongly written `CDE` is in scope as well."""
    return next((value.strip().lower() for key, value in tags.items() if _plain(key) == _plain(SCOPE_TAG)), None)


def tag_fault(tags: Mapping[str, str], name: str, allowed: Collection[str]) -> str | None:
    """What is wrong with a tag that must have one of the values; None when nothing is."""
    expected = ", ".join(sorted(allowed))
    value = tags.get(name)
    if value is None:
        near = [key for key in tags if _plain(key) == _plain(name)]
        return f"tag {near[0]!r} must be written {name!r}" if near else f"has no tag {name} (one of {expected})"
    if value in allowed:
        return None
    written = value.strip().lower()
    if written in allowed:
        return f"tag {name} is {value!r}, write {written!r}"
    return f"tag {name} is {value!r}, none of {expected}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
