"""S3 buckets of one Region, with their configuration in the names of the first SDK, as AWS Config records it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.collect._deferred import ABSENT, Deferred
from pci_config.collect._lifecycle import lifecycle_rule
from pci_config.collect._recording import REGIONAL, Recording
from pci_config.collect._shapes import recorded, spelled_out
from pci_config.parallel import each
from pci_config.rule import Clients
from pci_config.tags import tag_map

BUCKET = "AWS::S3::Bucket"
RESOURCE_TYPES = (BUCKET,)
ACTIONS = (
    "s3:ListAllMyBuckets",
    "s3:GetBucketLocation",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketPolicy",
    "s3:GetBucketLogging",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketAcl",
)
BUCKETS_PER_PAGE = 1000
# Group grantees by the last part of their URI, as the first SDK names them (Amazon S3 user guide, access control lists)
GRANTEE_GROUPS = ("AllUsers", "AuthenticatedUsers", "LogDelivery")
PERMISSIONS = {
    "FULL_CONTROL": "FullControl",
    "READ": "Read",
    "READ_ACP": "ReadAcp",
    "WRITE": "Write",
    "WRITE_ACP": "WriteAcp",
}


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Acceleration, notification, replication, website, CORS and requester-pays settings are left out."""
    s3 = clients.build_client("s3", region)
    recording = Recording(account_id, region, now)

    def described(bucket: Mapping[str, Any]) -> dict[str, Any] | None:
        return _bucket(s3, recording, bucket, owner) if _region_of(s3, bucket) == region else None

    for page in s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": BUCKETS_PER_PAGE}):
        owner = page["Owner"]  # of every bucket listed
        yield from filter(None, each(described, page["Buckets"]))


def _region_of(s3: Any, bucket: Mapping[str, Any]) -> str:
    """None stands for us-east-1 and EU for eu-west-1 (Amazon S3 API reference, GetBucketLocation)."""
    location = bucket.get("BucketRegion") or s3.get_bucket_location(Bucket=bucket["Name"])["LocationConstraint"]
    return "us-east-1" if location is None else "eu-west-1" if location == "EU" else str(location)


def _bucket(s3: Any, recording: Recording, bucket: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    """The owner and the tags are there; every other part is asked for when it is read."""
    name = bucket["Name"]
    tagging = _or_none(s3.get_bucket_tagging, "NoSuchTagSet", name)
    tags = tag_map(tagging["TagSet"]) if tagging else {}
    stated = {"BucketTaggingConfiguration": {"tagSets": [{"tags": tags}]}} if tags else {}
    configuration = {"name": name, "owner": _owner(owner), "creationDate": bucket["CreationDate"], "region": recording.region}
    return recording.item(
        BUCKET,
        name,
        recorded(configuration),
        arn=f"arn:{s3.meta.partition}:s3:::{name}",
        name=name,
        tags=tags,
        supplementary=Deferred(stated, {part: functools.partial(ask, s3, name) for part, ask in PARTS.items()}),
        zone=REGIONAL,
        created=bucket["CreationDate"],
    )


def _versioning(s3: Any, name: str) -> dict[str, Any]:
    versioning = s3.get_bucket_versioning(Bucket=name)
    deletion = versioning.get("MFADelete")
    return {
        "status": versioning.get("Status", "Off"),
        "isMfaDeleteEnabled": None if deletion is None else deletion == "Enabled",
    }


def _lifecycle(s3: Any, name: str) -> Any:
    lifecycle = _or_none(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", name)
    return {"rules": [lifecycle_rule(rule) for rule in lifecycle["Rules"]]} if lifecycle else ABSENT


def _encryption(s3: Any, name: str) -> Any:
    encryption = _or_none(s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", name)
    if not encryption:
        return ABSENT
    return {"rules": [_encryption_rule(rule) for rule in encryption["ServerSideEncryptionConfiguration"]["Rules"]]}


def _public_access_block(s3: Any, name: str) -> Any:
    block = _or_none(s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", name)
    return recorded(block["PublicAccessBlockConfiguration"]) if block else ABSENT


def _policy(s3: Any, name: str) -> dict[str, Any]:
    policy = _or_none(s3.get_bucket_policy, "NoSuchBucketPolicy", name)
    return {"policyText": policy["Policy"] if policy else None}


def _logging(s3: Any, name: str) -> dict[str, Any]:
    logging = s3.get_bucket_logging(Bucket=name).get("LoggingEnabled") or {}
    return {"destinationBucketName": logging.get("TargetBucket"), "logFilePrefix": logging.get("TargetPrefix")}


def _lock(s3: Any, name: str) -> Any:
    lock = _or_none(s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError", name)
    return _object_lock(lock["ObjectLockConfiguration"]) if lock else ABSENT


def _or_none(call: Any, absent: str, name: str) -> Any:
    try:
        return call(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == absent:
            return None
        raise


def _encryption_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    default = rule.get("ApplyServerSideEncryptionByDefault")
    return {
        "applyServerSideEncryptionByDefault": default
        and {"sseAlgorithm": default["SSEAlgorithm"], "kmsMasterKeyID": default.get("KMSMasterKeyID")},
        "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


def _object_lock(lock: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = recorded(lock)
    retention = (found.get("rule") or {}).get("defaultRetention")
    return found | ({"rule": {"defaultRetention": spelled_out(retention, "mode days years")}} if retention else {})


def _owner(owner: Mapping[str, Any]) -> dict[str, Any]:
    return spelled_out({"id": owner.get("ID"), "displayName": owner.get("DisplayName")}, "displayName id")


def _access_control_list(s3: Any, name: str) -> str:
    """JSON as text, which this part is also inside an item."""
    acl = s3.get_bucket_acl(Bucket=name)
    grants = [
        {"grantee": _grantee(grant["Grantee"]), "permission": PERMISSIONS.get(grant["Permission"], grant["Permission"])}
        for grant in acl["Grants"]
    ]
    content = {"grantSet": None, "grantList": grants, "owner": _owner(acl["Owner"]), "isRequesterCharged": False}
    return json.dumps(content, separators=(",", ":"))


def _grantee(grantee: Mapping[str, Any]) -> Any:
    if grantee["Type"] == "CanonicalUser":
        return {"id": grantee.get("ID"), "displayName": grantee.get("DisplayName")}
    group = str(grantee.get("URI", grantee.get("EmailAddress"))).rpartition("/")[2]
    return group if group in GRANTEE_GROUPS else {"identifier": grantee.get("URI", grantee.get("EmailAddress"))}


# Each part under its recorded name; what was never configured is absent
PARTS = {
    "AccessControlList": _access_control_list,
    "BucketVersioningConfiguration": _versioning,
    "BucketLifecycleConfiguration": _lifecycle,
    "ServerSideEncryptionConfiguration": _encryption,
    "PublicAccessBlockConfiguration": _public_access_block,
    "BucketPolicy": _policy,
    "BucketLoggingConfiguration": _logging,
    "ObjectLockConfiguration": _lock,
}
