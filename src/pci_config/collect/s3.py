"""S3 buckets of one Region, with their configuration in the names of the first SDK, as AWS Config records it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.collect._shapes import recorded, tag_map
from pci_config.items import new_item
from pci_config.rule import Clients

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
)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    s3 = clients.build_client("s3", region)
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        # the API says None for us-east-1 and EU for the oldest buckets of eu-west-1
        location = s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1"
        if {"EU": "eu-west-1"}.get(location, location) != region:
            continue
        tags = tag_map((_or_none(s3.get_bucket_tagging, "NoSuchTagSet", name) or {}).get("TagSet"))
        yield new_item(
            account_id=account_id,
            region=region,
            resource_type=BUCKET,
            resource_id=name,
            name=name,
            arn=f"arn:aws:s3:::{name}",
            configuration=recorded({"Name": name, "CreationDate": bucket["CreationDate"], "Region": region}),
            supplementary=dict(_supplementary(s3, name)),
            tags=tags,
            capture_time=now,
        )


def _supplementary(s3: Any, name: str) -> Iterator[tuple[str, Any]]:
    versioning = s3.get_bucket_versioning(Bucket=name)
    deletion = versioning.get("MFADelete")
    yield (
        "BucketVersioningConfiguration",
        {"status": versioning.get("Status", "Off"), "isMfaDeleteEnabled": None if deletion is None else deletion == "Enabled"},
    )
    lifecycle = _or_none(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", name)
    if lifecycle:
        yield "BucketLifecycleConfiguration", {"rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]}
    encryption = _or_none(s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", name)
    if encryption:
        rules = [
            {
                "applyServerSideEncryptionByDefault": {
                    "sseAlgorithm": rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
                    "kmsMasterKeyID": rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"),
                },
                "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
            }
            for rule in encryption["ServerSideEncryptionConfiguration"]["Rules"]
        ]
        yield "ServerSideEncryptionConfiguration", {"rules": rules}
    block = _or_none(s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", name)
    if block:
        yield "PublicAccessBlockConfiguration", recorded(block["PublicAccessBlockConfiguration"])
    policy = _or_none(s3.get_bucket_policy, "NoSuchBucketPolicy", name)
    yield "BucketPolicy", {"policyText": policy["Policy"] if policy else None}
    logging = s3.get_bucket_logging(Bucket=name).get("LoggingEnabled") or {}
    yield (
        "BucketLoggingConfiguration",
        {"destinationBucketName": logging.get("TargetBucket"), "logFilePrefix": logging.get("TargetPrefix")},
    )
    lock = _or_none(s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError", name)
    if lock:
        yield "ObjectLockConfiguration", recorded(lock["ObjectLockConfiguration"])


def _or_none(call: Any, absent: str, name: str) -> Any:
    try:
        return call(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == absent:
            return None
        raise


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One rule in the first SDK's words: -1 where there is no number of days, a predicate where there is a filter."""
    expiration = rule.get("Expiration") or {}
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    abort = rule.get("AbortIncompleteMultipartUpload")
    steps = [
        {"days": step.get("Days", -1), "date": recorded(step.get("Date")), "storageClass": step["StorageClass"]}
        for step in rule.get("Transitions", [])
    ]
    return {
        "id": rule.get("ID"),
        "prefix": rule.get("Prefix"),
        "status": rule["Status"],
        "filter": {"predicate": _predicate(rule["Filter"])} if rule.get("Filter") is not None else None,
        "expirationInDays": expiration.get("Days", -1),
        "expirationDate": recorded(expiration.get("Date")),
        "expiredObjectDeleteMarker": expiration.get("ExpiredObjectDeleteMarker", False),
        "noncurrentVersionExpirationInDays": noncurrent.get("NoncurrentDays", -1),
        "transitions": steps or None,
        "noncurrentVersionTransitions": [
            {"days": step["NoncurrentDays"], "storageClass": step["StorageClass"]}
            for step in rule.get("NoncurrentVersionTransitions", [])
        ]
        or None,
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": abort["DaysAfterInitiation"]} if abort else None,
    }


def _predicate(where: Mapping[str, Any]) -> dict[str, Any] | None:
    if "And" in where:
        operands = [_simple(name, value) for name, value in where["And"].items() if name != "Tags"]
        operands += [_simple("Tag", tag) for tag in where["And"].get("Tags", [])]
        return {"type": "LifecycleAndOperator", "operands": operands}
    for name, value in where.items():
        return _simple(name, value)
    return None


def _simple(name: str, value: Any) -> dict[str, Any]:
    if name == "Prefix":
        return {"type": "LifecyclePrefixPredicate", "prefix": value}
    if name == "Tag":
        return {"type": "LifecycleTagPredicate", "tag": recorded(value)}
    return {"type": f"Lifecycle{name}Predicate", name[:1].lower() + name[1:]: value}
