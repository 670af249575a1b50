"""What rules on images look up: which images ECS uses, and what their scans in ECR say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.image_scan import Scan, scan_of
from pci_config.rule import Clients, Lookup, RuleInputError, Scope, reading

SERVICES_PER_CALL, TASKS_PER_CALL, IMAGES_PER_CALL = 10, 100, 100  # DescribeServices, DescribeTasks, DescribeImages
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}  # ECS's words to those of an index
ABSENT = ("ImageNotFoundException", "RepositoryNotFoundException")


@dataclass(frozen=True, slots=True)
class UsedImage:
    """An image that a container of a task definition runs (`digest` known), or would run."""

    task_definition: str
    container: str
    image: str
    digest: str
    architecture: str


@dataclass(frozen=True, slots=True)
class ImageScans:
    """The scan of an image, or of each image of an index; `fault` says why there is none to judge."""

    scans: tuple[Scan, ...]
    fault: str | None = None


class ImagesInUse(Lookup[Sequence[UsedImage]]):
    """Images of running tasks by digest; of what services want and no task runs, by reference. AWS Config records no tasks."""

    actions = (
        *("ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"),
        "ecs:DescribeTaskDefinition",
    )

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[UsedImage]:
        ecs = clients.build_client("ecs", scope.region)
        running: dict[str, list[Mapping[str, Any]]] = {}  # task definition -> containers
        for cluster in _listed(ecs, "list_clusters", "clusterArns"):
            for service in _services(ecs, cluster):
                for wanted in _wanted(service):
                    running.setdefault(wanted, [])
            for task in _tasks(ecs, cluster):
                running.setdefault(task["taskDefinitionArn"], []).extend(task.get("containers") or ())
        used: list[UsedImage] = []
        for arn in sorted(running):
            definition = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
            used += _used(definition, running[arn])
        return used


def _used(definition: Mapping[str, Any], running: Sequence[Mapping[str, Any]]) -> Iterator[UsedImage]:
    """Containers that AWS itself adds to a task (GuardDuty's agent, Service Connect's) are in no definition and left out."""
    arn = definition["taskDefinitionArn"]
    architecture = ARCHITECTURES.get((definition.get("runtimePlatform") or {}).get("cpuArchitecture") or "", "")
    for container in definition["containerDefinitions"]:
        found = {
            (each.get("image") or container["image"], each.get("imageDigest") or "")
            for each in running
            if each.get("name") == container["name"]
        }
        for image, digest in sorted(found or {(container["image"], "")}):
            yield UsedImage(arn, container["name"], image, digest, architecture)


def _wanted(service: Mapping[str, Any]) -> set[str]:
    parts = [service, *(service.get("deployments") or ()), *(service.get("taskSets") or ())]
    return {part["taskDefinition"] for part in parts if part.get("taskDefinition")}


def _services(ecs: Any, cluster: str) -> Iterator[Mapping[str, Any]]:
    arns = _listed(ecs, "list_services", "serviceArns", cluster=cluster)
    for start in range(0, len(arns), SERVICES_PER_CALL):
        yield from ecs.describe_services(cluster=cluster, services=arns[start : start + SERVICES_PER_CALL])["services"]


def _tasks(ecs: Any, cluster: str) -> Iterator[Mapping[str, Any]]:
    arns = _listed(ecs, "list_tasks", "taskArns", cluster=cluster)  # those that shall run: the default
    for start in range(0, len(arns), TASKS_PER_CALL):
        yield from ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + TASKS_PER_CALL])["tasks"]


def _listed(ecs: Any, operation: str, member: str, **parameters: Any) -> list[str]:
    return [arn for page in ecs.get_paginator(operation).paginate(**parameters) for arn in page[member]]


class ScansOfImage(Lookup[ImageScans]):
    """By registry id, Region, repository, digest or tag, and the architecture of an index to look at (empty: all of them)."""

    actions = ("ecr:DescribeImages", "ecr:BatchGetImage", "ecr:DescribeImageScanFindings")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> ImageScans:
        registry, region, repository, wanted, architecture = key
        place = {"registryId": registry, "repositoryName": repository}
        ecr = clients.build_client("ecr", region)
        try:
            (image,) = _described(ecr, place, [wanted])
            images = [image]
            if image.get("imageManifestMediaType") in INDEX_TYPES:
                images = list(_described(ecr, place, _members(ecr, place, image["imageDigest"], architecture)))
            return ImageScans(tuple(_scanned(ecr, place, each) for each in images))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ABSENT:
                return ImageScans((), f"is not in registry {registry} in {region}")
            if code == "AccessDeniedException" and registry != scope.account_id:
                return ImageScans(
                    (), f"cannot be read in account {registry}: its repository policy must let this account see scans"
                )
            raise


def _image_id(wanted: str) -> dict[str, str]:
    return {"imageDigest" if wanted.startswith("sha256:") else "imageTag": wanted}


def _described(ecr: Any, place: Mapping[str, str], wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for start in range(0, len(wanted), IMAGES_PER_CALL):
        some = [_image_id(each) for each in wanted[start : start + IMAGES_PER_CALL]]
        yield from ecr.describe_images(**place, imageIds=some)["imageDetails"]


def _members(ecr: Any, place: Mapping[str, str], digest: str, architecture: str) -> list[str]:
    """Digests of the images of an index: those of the architecture, or all when it has none of it. Attestations are none."""
    reply = ecr.batch_get_image(**place, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=list(INDEX_TYPES))
    with reading(f"the index {place['repositoryName']}@{digest}"):
        entries = json.loads(reply["images"][0]["imageManifest"])["manifests"]
        images = [(each["digest"], each.get("platform") or {}) for each in entries]
        runnable = [(each, platform) for each, platform in images if platform.get("os") != "unknown"]
        fitting = [each for each, platform in runnable if platform.get("architecture") == architecture]
    if not runnable:
        raise RuleInputError(f"the index {place['repositoryName']}@{digest} lists no image")
    return fitting or [each for each, _ in runnable]


def _scanned(ecr: Any, place: Mapping[str, str], image: Mapping[str, Any]) -> Scan:
    digest, pushed = image["imageDigest"], image["imagePushedAt"]
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        **place, imageId={"imageDigest": digest}, PaginationConfig={"PageSize": 1000}
    )
    try:
        return scan_of(digest, pushed, pages)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ScanNotFoundException":
            return Scan(digest, pushed, "")
        raise
