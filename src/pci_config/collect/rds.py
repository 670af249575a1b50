"""Database clusters and instances of RDS and Aurora (and of Neptune and DocumentDB, which share the API)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pci_config.collect._recording import MULTIPLE_ZONES, Recording, Related
from pci_config.collect._shapes import capitals_small, epoch_time, recorded, spelled_out, tag_list
from pci_config.rule import Clients
from pci_config.tags import tag_map

CLUSTER, INSTANCE = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"
RESOURCE_TYPES = (CLUSTER, INSTANCE)
ACTIONS = ("rds:DescribeDBClusters", "rds:DescribeDBInstances")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    rds = clients.build_client("rds", region)
    recording = Recording(account_id, region, now)
    for page in rds.get_paginator("describe_db_clusters").paginate():
        for cluster in page["DBClusters"]:
            yield _cluster(recording, cluster)
    for page in rds.get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            yield _instance(recording, instance)


def _cluster(recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    tags = tag_map(found.get("TagList"))
    configuration = spelled_out(
        recorded(found, capitals_small, epoch_time),
        "allocatedStorage backupRetentionPeriod databaseName status endpoint readerEndpoint multiAZ engine engineVersion port"
        " masterUsername preferredBackupWindow preferredMaintenanceWindow hostedZoneId storageEncrypted kmsKeyId"
        " dbClusterResourceId clusterCreateTime engineMode deletionProtection httpEndpointEnabled activityStreamStatus"
        " copyTagsToSnapshot crossAccountClone autoMinorVersionUpgrade publiclyAccessible dbclusterIdentifier"
        " iamdatabaseAuthenticationEnabled dbsubnetGroup dbclusterParameterGroup dbclusterArn",
        "availabilityZones customEndpoints readReplicaIdentifiers vpcSecurityGroups associatedRoles"
        " enabledCloudwatchLogsExports domainMemberships tagList dbclusterOptionGroupMemberships dbclusterMembers",
    )
    for cluster_member in configuration["dbclusterMembers"]:  # the bean has the flag under two names
        cluster_member["clusterWriter"] = cluster_member.get("isClusterWriter")
    return recording.item(
        CLUSTER,
        found["DbClusterResourceId"],
        configuration,
        arn=found["DBClusterArn"],
        name=found["DBClusterIdentifier"],
        tags=tags,
        supplementary={"Tags": tag_list(tags)},
        related=_related_to_cluster(found),
        zone=MULTIPLE_ZONES,
        created=found.get("ClusterCreateTime"),
    )


def _related_to_cluster(found: Mapping[str, Any]) -> Iterator[Related]:
    for group in found.get("VpcSecurityGroups", []):
        yield Related("AWS::EC2::SecurityGroup", "Is associated with ", group["VpcSecurityGroupId"])
    if found.get("DBSubnetGroup"):
        yield Related("AWS::RDS::DBSubnetGroup", "Is associated with ", resource_name=found["DBSubnetGroup"])
    for cluster_member in found.get("DBClusterMembers", []):
        yield Related(INSTANCE, "Contains ", resource_name=cluster_member["DBInstanceIdentifier"])


_PENDING = (
    "dBInstanceClass allocatedStorage masterUserPassword port backupRetentionPeriod multiAZ engineVersion licenseModel iops"
    " dBInstanceIdentifier storageType cACertificateIdentifier dBSubnetGroupName"
)


def _instance(recording: Recording, found: Mapping[str, Any]) -> dict[str, Any]:
    tags = tag_map(found.get("TagList"))
    configuration = spelled_out(
        recorded(found),
        "dBInstanceIdentifier dBInstanceClass engine dBInstanceStatus masterUsername dBName endpoint allocatedStorage"
        " instanceCreateTime preferredBackupWindow backupRetentionPeriod availabilityZone dBSubnetGroup"
        " preferredMaintenanceWindow latestRestorableTime multiAZ engineVersion autoMinorVersionUpgrade"
        " readReplicaSourceDBInstanceIdentifier licenseModel iops characterSetName secondaryAvailabilityZone"
        " publiclyAccessible storageType tdeCredentialArn dbInstancePort dBClusterIdentifier storageEncrypted kmsKeyId"
        " dbiResourceId cACertificateIdentifier copyTagsToSnapshot monitoringInterval enhancedMonitoringResourceArn"
        " monitoringRoleArn promotionTier dBInstanceArn timezone iAMDatabaseAuthenticationEnabled performanceInsightsEnabled"
        " performanceInsightsKMSKeyId performanceInsightsRetentionPeriod deletionProtection listenerEndpoint"
        " maxAllocatedStorage",
        "dBSecurityGroups vpcSecurityGroups dBParameterGroups readReplicaDBInstanceIdentifiers"
        " readReplicaDBClusterIdentifiers optionGroupMemberships statusInfos domainMemberships enabledCloudwatchLogsExports"
        " processorFeatures associatedRoles",
    )
    configuration["pendingModifiedValues"] = spelled_out(recorded(found.get("PendingModifiedValues") or {}), _PENDING)
    group = configuration["dBSubnetGroup"]
    if group:
        configuration["dBSubnetGroup"] = _subnet_group(group)
    return recording.item(
        INSTANCE,
        found["DbiResourceId"],
        configuration,
        arn=found["DBInstanceArn"],
        name=found["DBInstanceIdentifier"],
        tags=tags,
        supplementary={"Tags": tag_list(tags)},
        related=_related_to_instance(found),
        zone=MULTIPLE_ZONES if found.get("MultiAZ") else found.get("AvailabilityZone", "Not Applicable"),
        created=found.get("InstanceCreateTime"),
    )


def _subnet_group(group: Mapping[str, Any]) -> dict[str, Any]:
    names = "dBSubnetGroupName dBSubnetGroupDescription vpcId subnetGroupStatus dBSubnetGroupArn"
    subnets = [
        {
            **spelled_out(subnet, "subnetIdentifier subnetStatus"),
            "subnetAvailabilityZone": spelled_out(subnet.get("subnetAvailabilityZone") or {}, "name"),
            "subnetOutpost": spelled_out(subnet.get("subnetOutpost") or {}, "arn"),
        }
        for subnet in group.get("subnets", [])
    ]
    return {**spelled_out(group, names), "subnets": subnets}


def _related_to_instance(found: Mapping[str, Any]) -> Iterator[Related]:
    if found.get("DBSubnetGroup"):
        group = found["DBSubnetGroup"]["DBSubnetGroupName"]
        yield Related("AWS::RDS::DBSubnetGroup", "Is associated with DBSubnetGroup", group)
    for entry in found.get("VpcSecurityGroups", []):
        yield Related("AWS::EC2::SecurityGroup", "Is associated with SecurityGroup", entry["VpcSecurityGroupId"])
