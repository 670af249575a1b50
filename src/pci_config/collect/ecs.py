"""ECS clusters, services and task definitions, recorded in CloudFormation's spelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import REGIONAL, Recording
from pci_config.collect._shapes import batches, first_capital, only, recorded
from pci_config.rule import Clients

CLUSTER, SERVICE, TASK_DEFINITION = "AWS::ECS::Cluster", "AWS::ECS::Service", "AWS::ECS::TaskDefinition"
RESOURCE_TYPES = (CLUSTER, SERVICE, TASK_DEFINITION)
ACTIONS = (
    "ecs:ListClusters",
    "ecs:DescribeClusters",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:ListTaskDefinitions",
    "ecs:DescribeTaskDefinition",
)
CLUSTERS_PER_CALL, SERVICES_PER_CALL = 100, 10  # DescribeClusters, DescribeServices, Amazon ECS API reference
FREE_FORM = frozenset({"Options", "DockerLabels"})  # keys are the user's own
# CloudFormation's names where they are not the API's with a capital letter
_CLUSTER_NAMES = {"ClusterArn": "Arn", "Settings": "ClusterSettings"}
_SERVICE_NAMES = {"ClusterArn": "Cluster", "RoleArn": "Role", "PlacementStrategy": "PlacementStrategies"}


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Task definitions: the active revisions."""
    ecs = clients.build_client("ecs", region)
    recording = Recording(account_id, region, now)
    arns = _listed(ecs, "list_clusters", "clusterArns")
    for some in batches(arns, CLUSTERS_PER_CALL):
        described = ecs.describe_clusters(clusters=some, include=["TAGS", "SETTINGS", "CONFIGURATIONS"])
        for cluster in described["clusters"]:
            yield _cluster(recording, cluster)
    for cluster_arn in arns:
        for some in batches(_listed(ecs, "list_services", "serviceArns", cluster=cluster_arn), SERVICES_PER_CALL):
            for service in ecs.describe_services(cluster=cluster_arn, services=some, include=["TAGS"])["services"]:
                yield _service(recording, service)
    for arn in _listed(ecs, "list_task_definitions", "taskDefinitionArns", status="ACTIVE"):
        described = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        yield _task_definition(recording, described["taskDefinition"], described.get("tags", []))


def _listed(ecs: Any, operation: str, member: str, **parameters: Any) -> list[str]:
    return [arn for page in ecs.get_paginator(operation).paginate(**parameters) for arn in page[member]]


def _registry(found: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    spelled = recorded(found, first_capital, as_is=FREE_FORM)
    return {(names or {}).get(name, name): value for name, value in spelled.items()}


def _filled(configuration: dict[str, Any], lists: str, objects: str = "") -> dict[str, Any]:
    """CloudFormation-modelled items have [] and {} where there is nothing."""
    return {**{name: [] for name in lists.split()}, **{name: {} for name in objects.split()}, **configuration}


def _tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in tags}


def _cluster(recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    names = "Arn ClusterName ClusterSettings CapacityProviders DefaultCapacityProviderStrategy Configuration Tags"
    configuration = only(_registry(found, _CLUSTER_NAMES), names)
    return recording.item(
        CLUSTER,
        found["clusterName"],
        _filled(configuration, "ClusterSettings CapacityProviders DefaultCapacityProviderStrategy Tags", "Configuration"),
        arn=found["clusterArn"],
        name=found["clusterName"],
        tags=_tags(found.get("tags", [])),
        zone=REGIONAL,
    )


def _service(recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    configuration = only(
        _registry(found, _SERVICE_NAMES),
        "ServiceArn ServiceName Cluster TaskDefinition LaunchType PlatformVersion DesiredCount EnableECSManagedTags"
        " EnableExecuteCommand PropagateTags SchedulingStrategy Role CapacityProviderStrategy DeploymentConfiguration"
        " DeploymentController HealthCheckGracePeriodSeconds LoadBalancers NetworkConfiguration PlacementConstraints"
        " PlacementStrategies ServiceRegistries Tags",
    )
    lists = "CapacityProviderStrategy LoadBalancers PlacementConstraints PlacementStrategies ServiceRegistries Tags"
    return recording.item(
        SERVICE,
        found["serviceArn"],
        _filled(configuration | {"Name": found["serviceName"]}, lists, "NetworkConfiguration"),
        arn=found["serviceArn"],
        name=found["serviceName"],
        tags=_tags(found.get("tags", [])),
        zone=REGIONAL,
    )


_CONTAINER_LISTS = (
    "PortMappings Environment Secrets Links EntryPoint Command EnvironmentFiles MountPoints VolumesFrom DependsOn DnsServers"
    " DnsSearchDomains ExtraHosts DockerSecurityOptions Ulimits SystemControls ResourceRequirements"
)


def _task_definition(recording: Recording, found: Mapping[str, Any], tags: list[Mapping[str, str]]) -> dict[str, Any]:
    configuration = only(
        _registry({**found, "tags": tags}),
        "Family TaskDefinitionArn Status Cpu Memory NetworkMode PidMode IpcMode RequiresCompatibilities ExecutionRoleArn"
        " TaskRoleArn InferenceAccelerators PlacementConstraints ProxyConfiguration EphemeralStorage RuntimePlatform Volumes"
        " ContainerDefinitions Tags",
    )
    containers = [_container(container) for container in configuration.get("ContainerDefinitions", [])]
    lists = "RequiresCompatibilities InferenceAccelerators PlacementConstraints Volumes Tags"
    return recording.item(
        TASK_DEFINITION,
        found["taskDefinitionArn"],
        _filled(configuration | {"ContainerDefinitions": containers}, lists),
        arn=found["taskDefinitionArn"],
        name=f"{found['family']}:{found['revision']}",
        tags=_tags(tags),
        zone=REGIONAL,
    )


def _container(container: dict[str, Any]) -> dict[str, Any]:
    container = _filled(container, _CONTAINER_LISTS, "DockerLabels")
    if "LogConfiguration" in container:
        container["LogConfiguration"] = _filled(container["LogConfiguration"], "SecretOptions", "Options")
    return container
