"""Which other resources use a security group, and what scope their tags say: asked of the services, or of recorded items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from pci_config.rule import Clients, ItemIndex, Lookup, NotAssessed, Scope
from pci_config.scope_tags import GROUP, GROUPS, all_tags, groups_of, scope_of

SERVICES_PER_CALL = 10  # DescribeServices, Amazon ECS API reference


@dataclass(frozen=True, slots=True)
class User:
    """A resource that uses a group (or the group itself) and the scope that its tags say."""

    group: str
    name: str
    scope: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """The users that were seen, and the types that the source does not hold."""

    users: tuple[User, ...]
    unseen: tuple[str, ...] = ()


Found = Iterator[tuple[str, Iterable[str], Callable[[], Mapping[str, str]]]]  # name, groups, and the tags if they are wanted


class GroupUse(Lookup[Use]):
    """Users of the security groups given by id, in this account and Region."""

    actions = (
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "lambda:ListFunctions",
        "lambda:ListTags",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
    )
    resource_types = (GROUP, *GROUPS)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Use:
        users = []
        finds = (_balancers, _classic, _databases, _services, _functions)
        found = (_groups(clients, key), _instances(clients, key), *(find(clients) for find in finds))
        for name, groups, tags in chain.from_iterable(found):
            hit = set(groups) & set(key)
            said = scope_of(tags()) if hit else None
            users += [User(group, name, said) for group in sorted(hit)]
        return Use(tuple(users))

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Use:
        users, unseen = [], []
        for resource_type in cls.resource_types:
            try:
                found = items.find(resource_type, scope.account_id, scope.region)
            except NotAssessed:
                unseen.append(resource_type)
                continue
            for item in found:
                hit = set(groups_of(item)) & set(key)
                name = f"{resource_type.removeprefix('AWS::')} {item.get('resourceName') or item['resourceId']}"
                users += [User(group, name, scope_of(all_tags(item))) for group in sorted(hit)]
        return Use(tuple(users), tuple(unseen))


def _pairs(tags: Iterable[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {tag[key]: tag.get(value, "") for tag in tags or ()}


def _known(tags: Mapping[str, str]) -> Mapping[str, str]:
    return tags


def _groups(clients: Clients, wanted: tuple[str, ...]) -> Found:
    named = [{"Name": "group-id", "Values": list(wanted)}]
    for group in clients.build_client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]:
        yield f"security group {group['GroupName']}", [group["GroupId"]], partial(_pairs, group.get("Tags"))


def _instances(clients: Clients, wanted: tuple[str, ...]) -> Found:
    pages = clients.build_client("ec2").get_paginator("describe_instances")
    for page in pages.paginate(Filters=[{"Name": "instance.group-id", "Values": list(wanted)}]):
        for instance in (entry for reservation in page["Reservations"] for entry in reservation["Instances"]):
            groups = [group["GroupId"] for group in instance.get("SecurityGroups", [])]
            yield f"instance {instance['InstanceId']}", groups, partial(_pairs, instance.get("Tags"))


def _balancers(clients: Clients) -> Found:
    elb = clients.build_client("elbv2")
    for page in elb.get_paginator("describe_load_balancers").paginate():
        for balancer in page["LoadBalancers"]:
            tags = partial(_balancer_tags, elb, ResourceArns=[balancer["LoadBalancerArn"]])
            yield f"load balancer {balancer['LoadBalancerName']}", balancer.get("SecurityGroups", []), tags


def _classic(clients: Clients) -> Found:
    elb = clients.build_client("elb")
    for page in elb.get_paginator("describe_load_balancers").paginate():
        for balancer in page["LoadBalancerDescriptions"]:
            name = balancer["LoadBalancerName"]
            tags = partial(_balancer_tags, elb, LoadBalancerNames=[name])
            yield f"classic load balancer {name}", balancer.get("SecurityGroups", []), tags


def _balancer_tags(elb: Any, **which: list[str]) -> Mapping[str, str]:
    return _pairs(elb.describe_tags(**which)["TagDescriptions"][0]["Tags"])


def _databases(clients: Clients) -> Found:
    rds = clients.build_client("rds")
    for operation, member, what, name in (
        ("describe_db_clusters", "DBClusters", "database cluster", "DBClusterIdentifier"),
        ("describe_db_instances", "DBInstances", "database", "DBInstanceIdentifier"),
    ):
        for page in rds.get_paginator(operation).paginate():
            for database in page[member]:
                groups = [entry["VpcSecurityGroupId"] for entry in database.get("VpcSecurityGroups", [])]
                yield f"{what} {database[name]}", groups, partial(_pairs, database.get("TagList"))


def _services(clients: Clients) -> Found:
    ecs = clients.build_client("ecs")
    clusters = [arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
    for cluster in clusters:
        pages = ecs.get_paginator("list_services").paginate(cluster=cluster)
        arns = [arn for page in pages for arn in page["serviceArns"]]
        for start in range(0, len(arns), SERVICES_PER_CALL):
            some = arns[start : start + SERVICES_PER_CALL]
            for service in ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]:
                network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
                tags = _pairs(service.get("tags"), "key", "value")
                yield f"service {service['serviceName']}", network.get("securityGroups") or [], partial(_known, tags)


def _functions(clients: Clients) -> Found:
    functions = clients.build_client("lambda")
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            groups = (function.get("VpcConfig") or {}).get("SecurityGroupIds") or []
            yield f"function {function['FunctionName']}", groups, partial(_function_tags, functions, function["FunctionArn"])


def _function_tags(functions: Any, arn: str) -> Mapping[str, str]:
    tags: Mapping[str, str] = functions.list_tags(Resource=arn.removesuffix(":$LATEST")).get("Tags", {})
    return tags
