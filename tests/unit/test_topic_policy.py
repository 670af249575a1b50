"""A yes of `plainly_publishes` is a yes of the whole evaluation; the usual forms get one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pci_config.network_alert_topics import topic_fault
from pci_config.network_alerts import ALARMS, RULES, Topic
from pci_config.topic_policy import plainly_publishes

OWN, OTHER = "100000000001", "200000000002"
ARN = f"arn:aws:sns:eu-west-1:{OWN}:alerts"
DEFAULT = {"StringEquals": {"AWS:SourceOwner": OWN}}
SOURCE = {"StringEquals": {"aws:SourceAccount": OWN}}


def statement(principal: Any = None, **changes: Any) -> dict[str, Any]:
    made = {
        "Sid": "x",
        "Effect": "Allow",
        "Principal": {"Service": ALARMS} if principal is None else principal,
        "Action": "sns:Publish",
        "Resource": ARN,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    "found",
    [
        statement(),
        statement({"Service": [RULES, ALARMS]}),
        statement({"AWS": "*"}, Action=["SNS:GetTopicAttributes", "SNS:Publish"], Condition=DEFAULT),
        statement("*", Condition=DEFAULT),
        statement(Condition=SOURCE),
        statement(Condition={"StringEquals": {"AWS:SourceAccount": [OWN]}}),
        statement(Action="sns:*", Resource="*"),
        statement(Resource=["arn:aws:sns:eu-west-1:100000000001:else", ARN]),
    ],
)
def test_the_usual_forms(found: dict[str, Any]) -> None:
    for text in (policy(found), policy(statement({"Service": RULES}), found), json.dumps({"Statement": found})):
        assert plainly_publishes(text, ALARMS, ARN, OWN)
        assert topic_fault(Topic(ARN, 1, None, text), ALARMS, OWN) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        policy(),
        policy("x"),
        policy(statement({"Service": RULES})),
        policy(statement({"AWS": OWN})),
        policy(statement({"Service": ALARMS, "AWS": OWN})),
        policy(statement("*")),
        policy(statement({"AWS": "*"})),
        policy(statement({"AWS": "*"}, Condition=SOURCE)),
        policy(statement("*", Condition={"StringEquals": {"AWS:SourceOwner": OTHER}})),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": OTHER}})),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": [OWN, OTHER]}})),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": []}})),
        policy(statement(Condition={"StringNotEquals": {"aws:SourceAccount": OWN}})),
        policy(statement(Condition={**SOURCE, "Bool": {"aws:SecureTransport": "true"}})),
        policy(statement(Condition={"StringEquals": {"aws:SourceAccount": OWN, "aws:x": "y"}})),
        policy(statement(Condition={})),
        policy(statement(Action="sns:Subscribe")),
        policy(statement(Action=None, NotAction="sns:Subscribe")),
        policy(statement(Action=None)),
        policy(statement(Resource=ARN + "x")),
        policy(statement(Resource=None)),
        policy(statement(), statement(Effect="Deny", Action="sns:Subscribe")),
        policy(statement(), statement(Effect=None)),
        policy(statement(), statement(Else="x")),
    ],
)
def test_what_is_not_plain(text: str) -> None:
    assert not plainly_publishes(text, ALARMS, ARN, OWN)


principals = st.sampled_from(
    [
        "*",
        {"AWS": "*"},
        {"Service": ALARMS},
        {"Service": [RULES, ALARMS]},
        {"Service": RULES},
        {"AWS": OWN},
        {"AWS": [OWN, OTHER]},
    ]
)
conditions = st.sampled_from(
    [None, DEFAULT, SOURCE, {"StringLike": {"aws:SourceAccount": "*"}}, {"StringEquals": {"aws:SourceArn": "x"}},
     {"StringEquals": {"AWS:SourceOwner": [OWN]}}, {"StringEquals": {"AWS:SourceOwner": OTHER}}]
)  # fmt: skip
statements = st.builds(
    statement,
    principals,
    Effect=st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    Action=st.sampled_from(["sns:Publish", "SNS:*", ["sns:Subscribe"], ["sns:Subscribe", "SNS:publish"]]),
    Resource=st.sampled_from([ARN, "*", [ARN], "arn:aws:sns:*:*:else"]),
    Condition=conditions,
)


@given(st.lists(statements, min_size=1, max_size=3))
def test_a_yes_is_sure(found: list[dict[str, Any]]) -> None:
    text = policy(*found)
    if plainly_publishes(text, ALARMS, ARN, OWN):
        assert topic_fault(Topic(ARN, 1, None, text), ALARMS, OWN) is None
