"""IAM users, groups, roles and customer managed policies. They belong to no Region: the recorder of the home Region has them.

GetAccountAuthorizationDetails gives all of them at once; botocore has decoded the policies, which items have URL-encoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pci_config.collect import HOME_REGION
from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import recorded, spelled_out
from pci_config.rule import Clients
from pci_config.tags import tag_map

USER, GROUP, ROLE, POLICY = (f"AWS::IAM::{kind}" for kind in ("User", "Group", "Role", "Policy"))
RESOURCE_TYPES = (USER, GROUP, ROLE, POLICY)
ACTIONS = ("iam:GetAccountAuthorizationDetails",)
RECORDED_IN = HOME_REGION
Details = dict[str, list[dict[str, Any]]]


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    recording = Recording(account_id, "global", now)
    details = _details(clients.build_client("iam", region))
    for user in details["UserDetailList"]:
        yield _item(recording, USER, "User", user, _attached_to_user(user, details))
    for group in details["GroupDetailList"]:
        members = [user for user in details["UserDetailList"] if group["GroupName"] in user.get("GroupList", [])]
        contained = [Related(USER, "Contains User", user["UserId"], user["UserName"]) for user in members]
        yield _item(recording, GROUP, "Group", group, [*contained, *_policies(group, details)])
    for role in details["RoleDetailList"]:
        yield _item(recording, ROLE, "Role", role, _policies(role, details))
    for policy in details["Policies"]:
        yield _item(recording, POLICY, "Policy", policy, _holders(policy, details))


def _details(iam: Any) -> Details:
    kinds = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    found: Details = {kind: [] for kind in kinds}
    wanted = ["User", "Group", "Role", "LocalManagedPolicy"]
    for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=wanted):
        for kind in kinds:
            found[kind] += page.get(kind, [])
    return found


def _item(
    recording: Recording, resource_type: str, kind: str, found: Mapping[str, Any], related: Sequence[Related]
) -> dict[str, Any]:
    configuration = spelled_out(recorded(_encoded(found)), *_MEMBERS[resource_type])
    return recording.item(
        resource_type,
        found[f"{kind}Id"],
        configuration,
        arn=found["Arn"],
        name=found[f"{kind}Name"],
        tags=tag_map(found.get("Tags")),
        related=related,
        created=found["CreateDate"],
    )


_POLICY_REST = "isAttachable description createDate updateDate"
_MEMBERS = {
    USER: (
        "path userName userId arn createDate permissionsBoundary",
        "userPolicyList groupList attachedManagedPolicies tags",
    ),
    GROUP: ("path groupName groupId arn createDate", "groupPolicyList attachedManagedPolicies"),
    ROLE: (
        "path roleName roleId arn createDate assumeRolePolicyDocument permissionsBoundary roleLastUsed",
        "instanceProfileList rolePolicyList attachedManagedPolicies tags",
    ),
    POLICY: (
        "policyName policyId arn path defaultVersionId attachmentCount permissionsBoundaryUsageCount " + _POLICY_REST,
        "policyVersionList",
    ),
}
_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")


def _encoded(value: Any) -> Any:
    """Policy documents as URL-encoded JSON."""
    if isinstance(value, list):
        return [_encoded(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    return {name: _document(entry) if name in _DOCUMENTS else _encoded(entry) for name, entry in value.items()}


def _document(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return quote(text, safe="")


# -------------------------------------------------------------------------------------------------------- relationships


def _attached_to_user(user: Mapping[str, Any], details: Details) -> list[Related]:
    names = user.get("GroupList", [])
    groups = [group for group in details["GroupDetailList"] if group["GroupName"] in names]
    attached = [Related(GROUP, "Is attached to Group", group["GroupId"], group["GroupName"]) for group in groups]
    return attached + _policies(user, details)


def _policies(holder: Mapping[str, Any], details: Details) -> list[Related]:
    """Customer managed policies; AWS's own are no items."""
    ids = {policy["Arn"]: policy["PolicyId"] for policy in details["Policies"]}
    return [
        Related(POLICY, "Is attached to CustomerManagedPolicy", ids[policy["PolicyArn"]], policy["PolicyName"])
        for policy in holder.get("AttachedManagedPolicies", [])
        if policy["PolicyArn"] in ids
    ]


def _holders(policy: Mapping[str, Any], details: Details) -> list[Related]:
    found = []
    for kind, resource_type in (("User", USER), ("Group", GROUP), ("Role", ROLE)):
        for holder in details[f"{kind}DetailList"]:
            if policy["Arn"] in {attached["PolicyArn"] for attached in holder.get("AttachedManagedPolicies", [])}:
                found.append(Related(resource_type, f"Is attached to {kind}", holder[f"{kind}Id"], holder[f"{kind}Name"]))
    return found
