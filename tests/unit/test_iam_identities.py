"""Users with the policies that hold for them, gathered over the pages of GetAccountAuthorizationDetails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pci_config.iam_identities import AccountUsers
from pci_config.iam_users import Grant, User
from pci_config.rule import Scope
from pci_config.settings import Settings

OWN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
ASSUME = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
CUSTOM, MANAGED = "arn:aws:iam::500000000005:policy/custom", "arn:aws:iam::aws:policy/AdministratorAccess"


class Iam:
    """Answers in pages, and remembers what it was asked."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages, self.asked = pages, list[Any]()

    def build_client(self, service: str, region: str | None = None) -> Any:
        assert service == "iam"
        return self

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_account_authorization_details"
        return self

    def paginate(self, **request: Any) -> Any:
        self.asked.append(request)
        return self.pages


def users(*pages: dict[str, Any]) -> Any:
    return AccountUsers.live(Iam(*pages), Scope("500000000005", "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), Settings()))


def managed(arn: str, *versions: tuple[Any, bool]) -> dict[str, Any]:
    return {"Arn": arn, "PolicyVersionList": [{"Document": document, "IsDefaultVersion": now} for document, now in versions]}


def test_every_page_adds_users_groups_and_policies() -> None:
    jane = {
        "UserId": "AIDAJANE",
        "UserName": "jane",
        "GroupList": ["a", "b"],
        "UserPolicyList": [{"PolicyName": "adhoc", "PolicyDocument": OWN}],
        "AttachedManagedPolicies": [{"PolicyName": "custom", "PolicyArn": CUSTOM}],
    }
    group_a = {"GroupName": "a", "GroupPolicyList": [{"PolicyName": "assume", "PolicyDocument": ASSUME}]}
    group_b = {"GroupName": "b", "AttachedManagedPolicies": [{"PolicyName": "AdministratorAccess", "PolicyArn": MANAGED}]}
    found = users(
        {"UserDetailList": [jane]},
        {"UserDetailList": [{"UserId": "AIDAOMAR", "UserName": "omar"}], "GroupDetailList": [group_a]},
        {"GroupDetailList": [group_b], "Policies": [managed(CUSTOM, (OWN, False), (ASSUME, True))]},
        {"Policies": [managed(MANAGED, (OWN, True))]},
    )
    assert found == [
        User(
            "AIDAJANE",
            "jane",
            ("a", "b"),
            (
                Grant("inline policy adhoc of the user", "", OWN),
                Grant("policy custom of the user", "", ASSUME),
                Grant("inline policy assume of group a", "a", ASSUME),
                Grant("policy AdministratorAccess of group b", "b", OWN),
            ),
        ),
        User("AIDAOMAR", "omar", (), ()),
    ]


def test_a_policy_that_is_not_listed_or_has_no_version_in_force_is_unknown() -> None:
    attached = [{"PolicyName": "x", "PolicyArn": CUSTOM}, {"PolicyName": "y", "PolicyArn": MANAGED}]
    jane = {"UserId": "AIDAJANE", "UserName": "jane", "AttachedManagedPolicies": attached}
    (found,) = users({"UserDetailList": [jane], "Policies": [managed(CUSTOM, (OWN, False))]})
    assert [grant.document for grant in found.grants] == [None, None]


def test_awss_own_policies_are_asked_for_too() -> None:
    iam = Iam()
    AccountUsers.live(iam, Scope("500000000005", "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), Settings()))
    assert iam.asked == [{"Filter": ["User", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]}]
