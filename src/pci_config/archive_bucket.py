"""What protects the objects of an archive bucket, read from its configuration item.

Source: Amazon S3 user guide, Object Lock, Versioning, "Blocking public access", default encryption and access control lists;
spellings as AWS Config records them. Runs in Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pci_config.rule import Item, RuleInputError, numbered, optional, reading, required, tags_of
from pci_config.settings import ARCHIVE_TAG, Settings

DAYS_PER_YEAR = 365  # leap days left out: a year of retention is never shorter
BLOCKS = ("blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets")
ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
AWS_MANAGED_KEY = "alias/aws/s3"


def bucket_tags(item: Item) -> Mapping[str, str]:
    """A swept item has no tags of its own: buckets keep them in their tagging configuration, too."""
    if tags := tags_of(item):
        return tags
    tagging = optional(item, "supplementaryConfiguration.BucketTaggingConfiguration", Mapping, {})
    with reading("supplementaryConfiguration.BucketTaggingConfiguration"):
        return {str(key): str(value) for tag_set in tagging.get("tagSets") or [] for key, value in tag_set["tags"].items()}


def is_tagged_archive(item: Item) -> bool:
    return bucket_tags(item).get(ARCHIVE_TAG) == "true"


def is_archive(item: Item, settings: Settings) -> bool:
    """Whether the bucket is an archive by its tag, or by its name in rdk.json. Raises SettingMissing."""
    return is_tagged_archive(item) or settings.is_archive_bucket(required(item, "resourceId", str))


def lock_fault(item: Item, mode: str, days: int) -> str | None:
    """Object Lock must keep every new version for the days, in the mode or a stricter one."""
    where = "supplementaryConfiguration.ObjectLockConfiguration"
    lock = optional(item, where, Mapping, {})
    if optional(lock, "objectLockEnabled", str, "") != "Enabled":
        return "Object Lock is off"
    retention = optional(item, f"{where}.rule.defaultRetention", Mapping, {})
    if not retention:
        return f"Object Lock has no default retention: set {mode}, {days} days"
    found_days, found_years = optional(retention, "days", int, 0), optional(retention, "years", int, 0)
    if min(found_days, found_years) < 0 or bool(found_days) == bool(found_years):
        raise RuleInputError(f"{where}: default retention of {found_days} days and {found_years} years is no period")
    found, kept = required(retention, "mode", str), found_days or found_years * DAYS_PER_YEAR
    if found not in ("GOVERNANCE", "COMPLIANCE"):
        raise RuleInputError(f"{where}: mode {found!r} is not known")
    if kept < days:
        return f"Object Lock keeps objects {numbered(kept, 'day')} only, expected >= {days}"
    if (found, mode) == ("GOVERNANCE", "COMPLIANCE"):
        return "Object Lock retention can be bypassed (mode GOVERNANCE), expected COMPLIANCE"
    return None


def versioning_fault(item: Item) -> str | None:
    status = optional(item, "supplementaryConfiguration.BucketVersioningConfiguration.status", str, "Off")
    return None if status == "Enabled" else f"versioning is {status}, expected Enabled"


def encryption_fault(item: Item) -> str | None:
    """SSE-S3 is enough (load balancers can write with nothing else); a KMS key must be the customer's, or deliveries fail."""
    where = "supplementaryConfiguration.ServerSideEncryptionConfiguration"
    rules = optional(item, f"{where}.rules", list, [])
    with reading(where):
        defaults = [rule["applyServerSideEncryptionByDefault"] for rule in rules]
        defaults = [default for default in defaults if default is not None]
        found = [(default["sseAlgorithm"], default.get("kmsMasterKeyID") or "") for default in defaults]
    if not found:
        return "no default encryption"
    for algorithm, key in found:
        if algorithm not in ALGORITHMS:
            raise RuleInputError(f"{where}: algorithm {algorithm!r} is not known")
        if algorithm != "AES256" and (not key or str(key).endswith(AWS_MANAGED_KEY)):
            return "encrypted with the AWS managed key, under which log services cannot deliver; use SSE-S3 or an own key"
    return None


def open_to_public(item: Item) -> tuple[str, ...]:
    """The public access settings that the bucket itself leaves off."""
    where = "supplementaryConfiguration.PublicAccessBlockConfiguration"
    found = optional(item, where, Mapping, {})
    return tuple(name for name in BLOCKS if not optional(found, name, bool, False))


def acl_fault(item: Item) -> str | None:
    """Grants to others than the owner. None, too, when the item has no list: the bucket's ownership rule decides then."""
    where = "supplementaryConfiguration.AccessControlList"
    acl: Any = (item.get("supplementaryConfiguration") or {}).get("AccessControlList")
    if acl is None:
        return None
    with reading(where):
        while isinstance(acl, str):  # text in an event, text of text from the API
            acl = json.loads(acl)
        owner = acl["owner"]["id"]
        others = [grant for grant in acl["grantList"] if not _is_owner(grant["grantee"], owner)]
        told = [f"{grant['permission']} to {_grantee(grant['grantee'])}" for grant in others]
    return f"the access control list grants {told[0]}" if told else None


def _is_owner(grantee: Any, owner: str) -> bool:
    return isinstance(grantee, Mapping) and grantee.get("id") is not None and grantee["id"] == owner


def _grantee(grantee: Any) -> str:
    if isinstance(grantee, Mapping):
        return str(grantee.get("displayName") or grantee.get("id") or grantee.get("identifier"))
    return str(grantee)
