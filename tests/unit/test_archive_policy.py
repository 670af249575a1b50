"""Who a bucket policy lets in, where only one thing about the statement decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pci_config.archive_policy import Owners, Places, accepts_plain_http, changers, readers, writers
from pci_config.iam_policy import Policy, parse_policy

ARCHIVE, MEMBER, FOREIGN = "300000000003", "600000000006", "999999999999"
OWN, OTHER = "o-abcdefghij", "o-zyxwvutsrq"
ARN = "arn:aws:s3:::log-archive"
PLACES, OWNERS = Places(ARN), Owners(ARCHIVE, frozenset({ARCHIVE, MEMBER}), frozenset({OWN}))
OF_OWN = {"StringEquals": {"aws:PrincipalOrgID": OWN}}
IN_MEMBER = {"StringEquals": {"aws:PrincipalAccount": MEMBER, "aws:PrincipalArn": f"arn:aws:iam::{MEMBER}:role/reader"}}


def policy(principal: Any, actions: Any, resource: str = f"{ARN}/*", condition: Any = None, effect: str = "Allow") -> Policy:
    statement = {"Effect": effect, "Principal": principal, "Action": actions, "Resource": resource}
    given = {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    return parse_policy(json.dumps(given), "policy", "required")


@pytest.mark.parametrize("judge", [writers, readers])
def test_object_actions_on_the_bucket_itself_open_nothing(judge: Any) -> None:
    actions = ["s3:PutObject", "s3:GetObject"]
    assert judge(policy("*", actions), PLACES, OWNERS)
    assert judge(policy("*", actions, ARN), PLACES, OWNERS) == []


@pytest.mark.parametrize("principal", [{"Federated": "cognito-identity.amazonaws.com"}, {"CanonicalUser": "c4c1ede6"}])
def test_identities_of_elsewhere_may_not_whatever_their_condition(principal: dict[str, str]) -> None:
    (name,) = principal.values()
    for condition in (OF_OWN, IN_MEMBER, {"StringEquals": {"aws:PrincipalAccount": ARCHIVE}}):
        (told,) = writers(policy(principal, "s3:PutObject", condition=condition), PLACES, OWNERS)
        assert told.endswith("may s3:PutObject")
        assert name in told
        (told,) = readers(policy(principal, "s3:GetObject", condition=condition), PLACES, OWNERS)
        assert told.endswith("may s3:GetObject")


def test_a_service_of_the_archive_may_not_read() -> None:
    condition = {"StringEquals": {"aws:SourceAccount": ARCHIVE}}
    assert readers(policy({"Service": "delivery.logs.amazonaws.com"}, "s3:GetObject", condition=condition), PLACES, OWNERS)


def test_further_actions_are_counted() -> None:
    for actions, told in (
        (["s3:DeleteObject"], f"{FOREIGN} may s3:DeleteObject"),
        (["s3:DeleteObject", "s3:DeleteObjectVersion"], f"{FOREIGN} may s3:DeleteObject and 1 more"),
        (["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"], f"{FOREIGN} may s3:DeleteObject and 2 more"),
    ):
        (found,) = changers(policy({"AWS": FOREIGN}, actions), PLACES, OWNERS)
        assert found == told or found == told.replace(FOREIGN, f"account {FOREIGN}")


def test_the_organization_is_told_of_everyone_only() -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": OTHER}}
    (anyone,) = writers(policy("*", "s3:PutObject", condition=condition), PLACES, OWNERS)
    assert anyone == f"everyone in {OTHER} may s3:PutObject"
    (named,) = writers(policy({"AWS": FOREIGN}, "s3:PutObject", condition=condition), PLACES, OWNERS)
    assert OTHER not in named


def test_plain_http_is_open_in_the_part_that_no_deny_covers() -> None:
    http = {"Bool": {"aws:SecureTransport": "false"}}
    assert accepts_plain_http(policy("*", "s3:*", f"{ARN}/*", http, "Deny"), PLACES) == "the bucket"
    assert accepts_plain_http(policy("*", "s3:*", ARN, http, "Deny"), PLACES) == "objects"
    assert accepts_plain_http(policy("*", "s3:*", f"{ARN}*", http, "Deny"), PLACES) is None
    assert accepts_plain_http(policy("*", "s3:Get*", f"{ARN}*", http, "Deny"), PLACES) == "the bucket and objects"
