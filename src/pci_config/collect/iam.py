"""IAM roles. IAM is global: its items are collected once, in the Region of its API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pci_config.collect._recording import Recording
from pci_config.collect._shapes import recorded, tag_map
from pci_config.rule import Clients

ROLE = "AWS::IAM::Role"
RESOURCE_TYPES = (ROLE,)
ACTIONS = ("iam:GetAccountAuthorizationDetails",)
RECORDED_IN = "us-east-1"


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Relationships to policies and the role's last use are left out."""
    if region != RECORDED_IN:
        return
    iam = clients.build_client("iam", region)
    recording = Recording(account_id, "global", now)
    for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]):
        for role in page["RoleDetailList"]:
            yield recording.item(
                ROLE,
                role["RoleId"],
                _role(role),
                arn=role["Arn"],
                name=role["RoleName"],
                tags=tag_map(role.get("Tags")),
                created=role["CreateDate"],
            )


def _role(found: Mapping[str, Any]) -> dict[str, Any]:
    boundary = found.get("PermissionsBoundary")
    return {
        **recorded({name: found[name] for name in ("Path", "RoleName", "RoleId", "Arn", "CreateDate")}),
        "assumeRolePolicyDocument": _encoded(found["AssumeRolePolicyDocument"]),
        "instanceProfileList": recorded(found.get("InstanceProfileList", [])),
        "rolePolicyList": [
            {"policyName": policy["PolicyName"], "policyDocument": _encoded(policy["PolicyDocument"])}
            for policy in found.get("RolePolicyList", [])
        ],
        "attachedManagedPolicies": recorded(found.get("AttachedManagedPolicies", [])),
        "permissionsBoundary": boundary and recorded(boundary),
        "tags": recorded(found.get("Tags", [])),
        "roleLastUsed": None,
    }


def _encoded(document: Any) -> str:
    """URL-encoded JSON, as items have policies; botocore gives it decoded."""
    return quote(json.dumps(document, separators=(",", ":")), safe="")
