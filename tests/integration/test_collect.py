"""Collectors against the recorded shapes: every member that a rule reads is where AWS Config has it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from pci_config.catalogue import Catalogue, project_root
from pci_config.collect import HOME_REGION, collectors, for_types
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.organization import build_issuer
from pci_config.sandbox.server import MotoServer

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RDK_JSON = RdkJson.load(project_root() / "rdk.json")


@pytest.fixture(scope="module")
def items() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with MotoServer("in-process") as server:
        issuer = build_issuer(server, RDK_JSON)
        for account in issuer.accounts.values():
            for region in RDK_JSON.settings.regions:
                for collector in collectors():
                    if collector.recorded_in == HOME_REGION and region != RDK_JSON.settings.home_region:
                        continue
                    for item in collector.collect(server.clients(account, region), account, region, NOW):
                        assert item["resourceType"] in collector.resource_types
                        found.setdefault(item["resourceType"], []).append(item)
    return found


def kinds(value: Any, prefix: str = "") -> dict[str, str]:
    """Path to type of every member; lists by their first entry."""
    if isinstance(value, dict):
        return {p: k for name, entry in value.items() for p, k in kinds(entry, f"{prefix}.{name}".lstrip(".")).items()} or {
            prefix: "dict"
        }
    if isinstance(value, list):
        return kinds(value[0], f"{prefix}[]") if value else {prefix: "list"}
    return {prefix: type(value).__name__}


READ_BY_RULES = {
    "AWS::EC2::SecurityGroup": ["configuration.groupId", "configuration.vpcId", "configuration.ipPermissions[].ipProtocol", "configuration.ipPermissionsEgress[].ipv4Ranges[].cidrIp"],
    "AWS::EC2::VPC": ["configuration.cidrBlock", "configuration.cidrBlockAssociationSet[].cidrBlock"],
    "AWS::EC2::Subnet": ["configuration.subnetId", "configuration.vpcId", "configuration.ownerId", "configuration.tags[].key"],
    "AWS::EC2::RouteTable": ["configuration.routeTableId", "configuration.vpcId", "configuration.ownerId", "configuration.associations[].main", "configuration.associations[].associationState.state", "configuration.routes[].destinationCidrBlock", "configuration.routes[].gatewayId", "configuration.routes[].state"],
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ["configuration.type", "configuration.scheme", "supplementaryConfiguration.LoadBalancerAttributes[].key", "supplementaryConfiguration.LoadBalancerAttributes[].value"],
    "AWS::ElasticLoadBalancingV2::Listener": ["configuration.ListenerArn", "configuration.LoadBalancerArn", "configuration.Protocol", "configuration.Port", "configuration.DefaultActions[].Type"],
    "AWS::ElasticLoadBalancing::LoadBalancer": ["configuration.listenerDescriptions[].listener.protocol", "configuration.listenerDescriptions[].listener.loadBalancerPort", "supplementaryConfiguration.LoadBalancerAttributes.accessLog.enabled"],
    "AWS::CloudFront::Distribution": ["configuration.distributionConfig.enabled", "configuration.distributionConfig.viewerCertificate.cloudFrontDefaultCertificate", "configuration.distributionConfig.viewerCertificate.acmCertificateArn", "configuration.distributionConfig.viewerCertificate.minimumProtocolVersion", "configuration.distributionConfig.defaultCacheBehavior.viewerProtocolPolicy", "configuration.distributionConfig.cacheBehaviors.quantity", "configuration.distributionConfig.origins.quantity", "configuration.distributionConfig.origins.items[].domainName", "configuration.distributionConfig.origins.items[].customOriginConfig.originProtocolPolicy", "configuration.distributionConfig.origins.items[].customOriginConfig.originSslProtocols.items[]"],
    "AWS::ApiGateway::DomainName": ["configuration.DomainName", "configuration.SecurityPolicy", "configuration.EndpointConfiguration.Types[]"],
    "AWS::RDS::DBCluster": ["configuration.engine", "configuration.engineVersion", "configuration.dbclusterIdentifier", "configuration.dbclusterParameterGroup"],
    "AWS::RDS::DBInstance": ["configuration.engine", "configuration.engineVersion", "configuration.dBInstanceIdentifier", "configuration.dBParameterGroups[].dBParameterGroupName", "configuration.dBParameterGroups[].parameterApplyStatus", "configuration.optionGroupMemberships[].optionGroupName", "configuration.optionGroupMemberships[].status"],
    "AWS::S3::Bucket": ["supplementaryConfiguration.BucketVersioningConfiguration.status", "supplementaryConfiguration.BucketLifecycleConfiguration.rules[].status", "supplementaryConfiguration.BucketLifecycleConfiguration.rules[].filter.predicate.prefix", "supplementaryConfiguration.BucketLifecycleConfiguration.rules[].expirationInDays", "supplementaryConfiguration.BucketLifecycleConfiguration.rules[].transitions[].storageClass", "supplementaryConfiguration.ObjectLockConfiguration.rule.defaultRetention.mode", "supplementaryConfiguration.ObjectLockConfiguration.rule.defaultRetention.days", "supplementaryConfiguration.BucketPolicy.policyText", "supplementaryConfiguration.AccessControlList", "supplementaryConfiguration.PublicAccessBlockConfiguration.restrictPublicBuckets", "supplementaryConfiguration.ServerSideEncryptionConfiguration.rules[].applyServerSideEncryptionByDefault.sseAlgorithm"],
    "AWS::ECR::Repository": ["configuration.RepositoryName", "configuration.ImageTagMutability", "configuration.ImageScanningConfiguration.ScanOnPush"],
    "AWS::IAM::Role": ["configuration.roleName", "configuration.path", "configuration.assumeRolePolicyDocument"],
    "AWS::IAM::User": ["configuration.userName", "configuration.userPolicyList[].policyDocument", "configuration.groupList[]"],
    "AWS::IAM::Group": ["configuration.groupName", "configuration.groupPolicyList[].policyDocument"],
    "AWS::CloudTrail::Trail": ["configuration.trailARN", "configuration.s3BucketName", "configuration.homeRegion", "configuration.isOrganizationTrail", "configuration.isMultiRegionTrail", "configuration.logFileValidationEnabled", "configuration.includeGlobalServiceEvents"],
}  # fmt: skip


@pytest.mark.parametrize("resource_type", READ_BY_RULES)
def test_what_rules_read_is_where_it_is_recorded(items: dict[str, list[dict[str, Any]]], resource_type: str) -> None:
    sample = json.loads(
        (project_root() / "tests" / "data" / "ci" / f"{resource_type.replace('::', '_')}.json").read_text("utf-8")
    )
    recorded = kinds(sample)
    collected: dict[str, str] = {}
    for item in items[resource_type]:
        collected |= kinds(item)
    for path in READ_BY_RULES[resource_type]:
        assert path in recorded, f"the sample has no {path}"
        assert collected.get(path) == recorded[path], f"{path}: collected {collected.get(path)}, recorded {recorded[path]}"


def members(value: Any, prefix: str = "") -> set[str]:
    """Path of every member, through lists."""
    if isinstance(value, dict):
        return {p for name, entry in value.items() for p in {f"{prefix}.{name}"} | members(entry, f"{prefix}.{name}")}
    return {p for entry in value for p in members(entry, f"{prefix}[]")} if isinstance(value, list) else set()


# Recorded only where they are set, which they are not in the sample; and what moto's answers have beyond the API's
NOT_IN_THE_SAMPLE = {
    "AWS::ApiGateway::Stage": ".description",
    "AWS::CloudFront::Distribution": ".activeTrusted .distributionConfig",
    "AWS::EC2::FlowLog": ".deliverLogsPermissionArn .logGroupName",
    "AWS::ECS::Cluster": ".Configuration.ExecuteCommandConfiguration.LogConfiguration.",
    "AWS::ECS::TaskDefinition": ".ContainerDefinitions[].LogConfiguration.Options. .ContainerDefinitions[].FirelensConfiguration",
    "AWS::ElasticLoadBalancingV2::Listener": ".DefaultActions[].RedirectConfig",
    "AWS::Lambda::Function": ".Tags",
    "AWS::RDS::DBCluster": ".publiclyAccessible",
    "AWS::S3::Bucket": ".BucketTaggingConfiguration.tagSets[].tags.",  # the user's own keys
}


def test_nothing_is_collected_that_is_not_recorded(items: dict[str, list[dict[str, Any]]]) -> None:
    assert len(items) >= 15
    for resource_type, found in items.items():
        path = project_root() / "tests" / "data" / "ci" / f"{resource_type.replace('::', '_')}.json"
        sample = json.loads(path.read_text("utf-8"))
        allowed = tuple(NOT_IN_THE_SAMPLE.get(resource_type, "-").split())
        for part in ("configuration", "supplementaryConfiguration"):
            collected = {p for item in found for p in members(item[part]) if not p.startswith(allowed)}
            assert collected <= members(sample[part]), resource_type


def test_every_item_has_the_18_members_of_an_event(items: dict[str, list[dict[str, Any]]]) -> None:
    sample = json.loads((project_root() / "tests" / "data" / "ci" / "AWS_S3_Bucket.json").read_text("utf-8"))
    for found in items.values():
        for item in found:
            assert set(item) == set(sample)
            json.dumps(item)


def test_each_resource_is_collected_once(items: dict[str, list[dict[str, Any]]]) -> None:
    keys = Counter(
        (i["resourceType"], i["awsAccountId"], i["awsRegion"], i["resourceId"]) for found in items.values() for i in found
    )
    assert [key for key, count in keys.items() if count > 1] == []
    buckets = {item["resourceId"]: item["awsRegion"] for item in items["AWS::S3::Bucket"]}
    assert buckets["card-issuer-log-archive-elb-us-east-1"] == "us-east-1"
    assert buckets["card-issuer-log-archive-elb-eu-west-1"] == "eu-west-1"


def test_collectors_cover_every_rule() -> None:
    covered = {name for collector in collectors() for name in collector.resource_types}
    for entry in Catalogue.load().rules.values():
        assert set(entry.resource_types) <= covered, entry.id
    assert [collector.name for collector in for_types(frozenset({"AWS::S3::Bucket"}))] == ["s3"]
