"""PCI_TASK_LOG_DELIVERED: every essential container of a task definition in use logs into the central archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.log_destination import Route, bucket_route, route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    ItemIndex,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    optional,
    reading,
    required,
)

TASK_DEFINITION, SERVICE = "AWS::ECS::TaskDefinition", "AWS::ECS::Service"
SERVICES_PER_CALL, TASKS_PER_CALL = 10, 100  # DescribeServices, DescribeTasks, Amazon ECS API reference
FIRELENS_FILTERS = ("include-pattern", "exclude-pattern")  # Amazon ECS developer guide, filtering logs
SUFFIX = " [PCI 10.2.1]"


class TaskDefinitionsInUse(Lookup[frozenset[str]]):
    """ARNs of the task definitions that a service wants or a task runs, in this account and Region."""

    actions = ("ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks")
    resource_types = (SERVICE,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> frozenset[str]:
        ecs = clients.build_client("ecs")
        used: set[str] = set()
        for cluster in _listed(ecs, "list_clusters", "clusterArns"):
            services = _listed(ecs, "list_services", "serviceArns", cluster=cluster)
            for start in range(0, len(services), SERVICES_PER_CALL):
                some = services[start : start + SERVICES_PER_CALL]
                for service in ecs.describe_services(cluster=cluster, services=some)["services"]:
                    used |= wanted_definitions(service)
            tasks = _listed(ecs, "list_tasks", "taskArns", cluster=cluster)
            for start in range(0, len(tasks), TASKS_PER_CALL):
                some = tasks[start : start + TASKS_PER_CALL]
                used |= {t["taskDefinitionArn"] for t in ecs.describe_tasks(cluster=cluster, tasks=some)["tasks"]}
        return frozenset(used)

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> frozenset[str]:
        """Services only: tasks are not recorded, so a definition that only a task runs counts as unused."""
        services = items.find(SERVICE, scope.account_id, scope.region)
        return frozenset(optional(item, "configuration.TaskDefinition", str, "") for item in services) - {""}


def wanted_definitions(service: Mapping[str, Any]) -> set[str]:
    """A service that an external controller deploys has none of its own, but those of its task sets."""
    parts = [service, *(service.get("taskSets") or ())]
    return {part["taskDefinition"] for part in parts if part.get("taskDefinition")}


def _listed(ecs: Any, operation: str, member: str, **parameters: Any) -> list[str]:
    return [arn for page in ecs.get_paginator(operation).paginate(**parameters) for arn in page[member]]


class PciTaskLogDelivered(PciRule):
    """Every essential container of a task definition in use logs by awslogs or FireLens to a target that ends in the archive.

    PCI DSS 4.0.1: 10.2.1, 10.3.3. 3.2.1: 10.1, 10.2, 10.5.3. Source: Amazon ECS API reference, LogConfiguration; developer
    guide, custom log routing (options name the Fluent Bit output: firehose, kinesis_firehose, cloudwatch, cloudwatch_logs, s3).

    | task definition | verdict |
    |---|---|
    | every essential container logs on a way that ends in the archive | compliant |
    | a container without log configuration, or with a driver whose way cannot be followed | non-compliant |
    | a way that ends elsewhere | non-compliant, shows the way |
    | FireLens filters what it sends (include-pattern, exclude-pattern) | non-compliant |
    | inactive, or wanted by no service and run by no task | not applicable |

    The log router itself is left out: its own output is not the application's log. An essential container is one that does not
    say `essential: false`.
    """

    resource_types = (TASK_DEFINITION,)
    lookups = (TaskDefinitionsInUse, *LOG_LOOKUPS)
    sweeps = True  # a definition comes into use, and a subscription goes, without a change of the definition

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        arn = required(item, "configuration.TaskDefinitionArn", str)
        containers = required(item, "configuration.ContainerDefinitions", list)
        if optional(item, "configuration.Status", str, "ACTIVE") != "ACTIVE":
            return not_applicable("an inactive revision")
        if arn not in facts.get(TaskDefinitionsInUse):
            return not_applicable("no service wants this revision and no task runs it")
        problems, good = [], []
        with reading("configuration.ContainerDefinitions"):
            judged = [c for c in containers if c.get("Essential") is not False and not c.get("FirelensConfiguration")]
            if not judged:
                raise RuleInputError("configuration.ContainerDefinitions holds no essential container besides log routers")
            for container in judged:
                name, way = container["Name"], log_route(container.get("LogConfiguration") or {}, facts)
                if way.fault:
                    problems.append(f"container {name} -> {way.told()}" if way.hops else f"container {name} {way.fault}")
                else:
                    good.append(f"{name} -> {way}")
        if problems:
            return non_compliant(counted(problems, "container", SUFFIX))
        return compliant("; ".join(good))


def log_route(configuration: Mapping[str, Any], facts: Facts) -> Route:
    driver, options = configuration.get("LogDriver"), configuration.get("Options") or {}
    if not driver:
        return Route((), "has no log configuration; add awslogs or awsfirelens to the archive")
    if driver == "awslogs":
        return _group(options.get("awslogs-group"), options.get("awslogs-region"), facts)
    if driver == "awsfirelens":
        return _firelens(options, facts)
    return Route((f"log driver {driver}",), "cannot be followed; use awslogs or awsfirelens to the archive")


def _firelens(options: Mapping[str, str], facts: Facts) -> Route:
    filters = [name for name in FIRELENS_FILTERS if options.get(name)]
    if filters:
        return Route(("FireLens",), f"drops part of the log by {' and '.join(filters)}")
    output, region = options.get("Name"), options.get("region") or facts.scope.region
    if output in ("firehose", "kinesis_firehose"):
        name = options.get("delivery_stream") or ""
        return route(
            f"arn:aws:firehose:{region}:{facts.scope.account_id}:deliverystream/{name}", place_of(facts), LookedUp(facts)
        )
    if output in ("cloudwatch", "cloudwatch_logs"):
        return _group(options.get("log_group_name"), region, facts)
    if output == "s3":
        return bucket_route(options.get("bucket") or "", facts.scope.settings, ("FireLens",))
    if not output:
        return Route(("FireLens",), "its output is not in the options, so it cannot be followed; set Name and its options here")
    return Route((f"FireLens {output}",), "cannot be followed; use firehose, cloudwatch_logs or s3")


def _group(name: str | None, region: str | None, facts: Facts) -> Route:
    if not name:
        return Route(("log group",), "is not named")
    arn = f"arn:aws:logs:{region or facts.scope.region}:{facts.scope.account_id}:log-group:{name}"
    return route(arn, place_of(facts), LookedUp(facts))


lambda_handler = PciTaskLogDelivered.as_lambda_handler()
