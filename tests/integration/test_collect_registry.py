"""Repositories with everything set, and an account's public access settings, against the recorded samples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from pci_config.catalogue import project_root
from pci_config.collect import ecr, s3control

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, REGION = "123456789012", "eu-west-1"
SAMPLES: Path = project_root() / "tests" / "data" / "ci"


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return found


@mock_aws
def test_repositories() -> None:
    client = boto3.client("ecr", region_name=REGION)
    client.create_repository(repositoryName="plain")
    excluded: Any = [{"filterType": "WILDCARD", "filter": "latest"}]
    client.create_repository(
        repositoryName="team/full",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=excluded,
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "arn:aws:kms:eu-west-1:123456789012:key/1"},
        tags=[{"Key": "pci:scope", "Value": "cde"}],
    )
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.set_repository_policy(repositoryName="team/full", policyText=policy)
    selection = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 20}
    lifecycle = json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
    client.put_lifecycle_policy(repositoryName="team/full", lifecyclePolicyText=lifecycle)

    plain, full = ecr.collect(Clients(), OWN, REGION, NOW)
    recorded = sample("AWS_ECR_Repository")
    for item in (plain, full):
        assert set(item) == set(recorded)
        assert set(item["configuration"]) - {"ImageTagMutabilityExclusionFilters"} == set(recorded["configuration"])
        assert item["resourceId"] == item["configuration"]["RepositoryName"]
    assert plain["configuration"]["RepositoryPolicyText"] == plain["configuration"]["LifecyclePolicy"] == {}
    assert plain["configuration"]["ImageTagMutability"] == "MUTABLE"
    assert plain["configuration"]["ImageScanningConfiguration"] == {"ScanOnPush": False}
    assert (full["resourceId"], full["tags"]) == ("team/full", {"pci:scope": "cde"})
    configuration = full["configuration"]
    assert configuration["Tags"] == [{"Key": "pci:scope", "Value": "cde"}]
    assert configuration["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert configuration["EncryptionConfiguration"]["EncryptionType"] == "KMS"
    assert configuration["ImageTagMutabilityExclusionFilters"] == [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
    ]
    assert json.loads(configuration["RepositoryPolicyText"])["Statement"][0]["Action"] == "ecr:BatchGetImage"
    assert json.loads(configuration["LifecyclePolicy"]["LifecyclePolicyText"])["rules"][0]["rulePriority"] == 1
    assert configuration["LifecyclePolicy"]["RegistryId"] == OWN


@mock_aws
def test_account_public_access_block() -> None:
    assert list(s3control.collect(Clients(), OWN, REGION, NOW)) == []
    settings: Any = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    boto3.client("s3control", region_name=REGION).put_public_access_block(
        AccountId=OWN, PublicAccessBlockConfiguration=settings
    )
    (item,) = s3control.collect(Clients(), OWN, REGION, NOW)
    recorded = sample("AWS_S3_AccountPublicAccessBlock")
    for name in ("resourceType", "resourceId", "resourceName", "ARN", "configuration", "tags", "availabilityZone"):
        assert item[name] == recorded[name], name
