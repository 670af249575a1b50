"""ECR repositories, recorded in CloudFormation's spelling. How the registry scans is not part of the item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.collect._recording import REGIONAL, Recording
from pci_config.collect._shapes import first_capital, recorded
from pci_config.rule import Clients
from pci_config.tags import tag_map

REPOSITORY = "AWS::ECR::Repository"
RESOURCE_TYPES = (REPOSITORY,)
ACTIONS = ("ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    ecr = clients.build_client("ecr", region)
    recording = Recording(account_id, region, now)
    for page in ecr.get_paginator("describe_repositories").paginate():
        for repository in page["repositories"]:
            yield _repository(ecr, recording, repository)


def _repository(ecr: Any, recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    name, arn = found["repositoryName"], found["repositoryArn"]
    tags = tag_map(ecr.list_tags_for_resource(resourceArn=arn).get("tags"))
    lifecycle = _or_none(ecr.get_lifecycle_policy, "LifecyclePolicyNotFoundException", name)
    policy = _or_none(ecr.get_repository_policy, "RepositoryPolicyNotFoundException", name)
    excluded = found.get("imageTagMutabilityExclusionFilters") or []
    configuration = {
        "Arn": arn,
        "RepositoryName": name,
        "RepositoryUri": found["repositoryUri"],
        "ImageTagMutability": found["imageTagMutability"],
        "ImageScanningConfiguration": recorded(found.get("imageScanningConfiguration") or {}, first_capital),
        "EncryptionConfiguration": recorded(found.get("encryptionConfiguration") or {}, first_capital),
        "LifecyclePolicy": (
            {"LifecyclePolicyText": lifecycle["lifecyclePolicyText"], "RegistryId": lifecycle["registryId"]}
            if lifecycle
            else {}
        ),
        "RepositoryPolicyText": policy["policyText"] if policy else {},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **({"ImageTagMutabilityExclusionFilters": [_exclusion(each) for each in excluded]} if excluded else {}),
    }
    return recording.item(REPOSITORY, name, configuration, arn=arn, name=name, tags=tags, zone=REGIONAL)


def _exclusion(found: Mapping[str, str]) -> dict[str, str]:
    return {
        "ImageTagMutabilityExclusionFilterType": found["filterType"],
        "ImageTagMutabilityExclusionFilterValue": found["filter"],
    }


def _or_none(call: Any, absent: str, name: str) -> Any:
    try:
        return call(repositoryName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == absent:
            return None
        raise
