"""Who may reach production just now: approvals of memberships, and ways past the groups.

Shared by PCI_PRODUCTION_ACCESS_TIMEBOXED and the document that ends memberships without approval.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.access_records import AccessRecord, MalformedRecordError
from pci_config.iam_users import User, ways

IDENTITY_ROLE = "identity_production"
PARTITIONS = ("aws", "aws-us-gov", "aws-cn")
Attributes = Mapping[str, Any]


def approval_records(dynamodb: Any, table: str, user: str) -> list[Attributes] | None:
    """A user's records in DynamoDB's form; None when there is no such table."""
    pages = dynamodb.get_paginator("query")
    try:
        return [
            item
            for page in pages.paginate(
                TableName=table,
                ConsistentRead=True,
                KeyConditionExpression="#user = :user",
                ExpressionAttributeNames={"#user": "user"},
                ExpressionAttributeValues={":user": {"S": user}},
            )
            for item in page["Items"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def is_access_group(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def approval(
    user: str, group: str, records: Sequence[Attributes], now: datetime, longest_seconds: int
) -> tuple[str, AccessRecord | None]:
    """The record that allows the membership, or why none does: what is wrong with the one that ends last."""
    faults: list[tuple[int, str]] = []
    for attributes in records:
        try:
            record = AccessRecord.from_attributes(attributes)
        except MalformedRecordError as error:
            faults.append((-1, f"a record is malformed ({error})"))
            continue
        if record.group != group or record.user != user:
            continue
        fault = record.fault(now, longest_seconds)
        if not fault:
            return "", record
        faults.append((record.ended, fault))
    return max(faults)[1] if faults else "no record", None


def bypasses(user: User, production: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Policies other than those of production-access groups that let the user into one of these accounts."""
    roles = [f"arn:{partition}:iam::{account}:role/*" for account in production for partition in PARTITIONS]
    return [
        f"{user.name} reaches production past the groups: {grant.name}" + (f" cannot be understood ({why})" if why else "")
        for grant, why in ways(user.grants, "sts:AssumeRole", roles)
        if not (grant.group and is_access_group(grant.group, patterns))
    ]
