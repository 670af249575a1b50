"""Users of an account with every policy that holds for them, as GetAccountAuthorizationDetails gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import Policy, parse_policy


@dataclass(frozen=True, slots=True)
class Grant:
    """A policy that holds for a user: what it is called, and the group it comes by (empty: the user's own)."""

    name: str
    group: str
    document: Any


@dataclass(frozen=True, slots=True)
class User:
    user_id: str
    name: str
    groups: tuple[str, ...]
    grants: tuple[Grant, ...]


def account_users(iam: Any) -> list[User]:
    """Every user with groups and policies, as the client of IAM answers."""
    users: list[Mapping[str, Any]] = []
    groups: dict[str, Mapping[str, Any]] = {}
    policies: dict[str, Any] = {}
    wanted = ["User", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]
    for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=wanted):
        users += page.get("UserDetailList", [])
        groups |= {group["GroupName"]: group for group in page.get("GroupDetailList", [])}
        policies |= {policy["Arn"]: _document_in_force(policy) for policy in page.get("Policies", [])}
    return [_user(user, groups, policies) for user in users]


def _document_in_force(policy: Mapping[str, Any]) -> Any:
    return next((v.get("Document") for v in policy["PolicyVersionList"] if v["IsDefaultVersion"]), None)


def _user(user: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], policies: Mapping[str, Any]) -> User:
    names = tuple(user.get("GroupList", []))
    grants = list(_grants(user, "User", "", policies))
    for name in names:
        grants += _grants(groups[name], "Group", name, policies)
    return User(user["UserId"], user["UserName"], names, tuple(grants))


def _grants(holder: Mapping[str, Any], kind: str, group: str, policies: Mapping[str, Any]) -> Iterator[Grant]:
    where = f"of group {group}" if group else "of the user"
    for inline in holder.get(f"{kind}PolicyList", []):
        yield Grant(f"inline policy {inline['PolicyName']} {where}", group, inline["PolicyDocument"])
    for attached in holder.get("AttachedManagedPolicies", []):
        yield Grant(f"policy {attached['PolicyName']} {where}", group, policies.get(attached["PolicyArn"]))


def ways(grants: Sequence[Grant], action: str, resources: Sequence[str]) -> list[tuple[Grant, str]]:
    """The grants that may let their holder do the action on one of the resources, with "" or why that cannot be told.

    Every Deny of every grant counts where it surely applies; a grant that cannot be understood is a way.
    """
    found: list[tuple[Grant, str]] = []
    parsed: list[tuple[Grant, Policy]] = []
    for grant in grants:
        try:
            parsed.append((grant, parse_policy(grant.document, "it", "refused")))
        except PolicyError as error:
            found.append((grant, str(error)))
    denials = tuple(statement for _, policy in parsed for statement in policy.statements if not statement.allows)
    for grant, policy in parsed:
        held = Policy(policy.statements + denials)
        if any(held.openings(action, resource=resource) for resource in resources):
            found.append((grant, ""))
    return found
