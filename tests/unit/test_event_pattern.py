"""Event patterns, against the operators of the EventBridge user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pci_config.event_pattern import evaluate, matches

EVENT: dict[str, Any] = {
    "source": "aws.ec2",
    "detail-type": "AWS API Call via CloudTrail",
    "resources": [],
    "detail": {
        "eventName": "DeleteRoute",
        "count": 300,
        "ratio": 300.0,
        "yes": True,
        "nothing": None,
        "tags": ["a", "b"],
        "groups": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}],
        "object": {"inner": "v"},
    },
}


def detail(**wanted: Any) -> dict[str, Any]:
    return {"detail": {name.replace("_", "-"): value for name, value in wanted.items()}}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # values: any of them, all members
        (detail(eventName=["DeleteRoute"]), True),
        (detail(eventName=["CreateRoute", "DeleteRoute"]), True),
        (detail(eventName=["CreateRoute"]), False),
        (detail(eventName=["deleteroute"]), False),
        ({"source": ["aws.ec2"], **detail(eventName=["DeleteRoute"])}, True),
        ({"source": ["aws.s3"], **detail(eventName=["DeleteRoute"])}, False),
        (detail(missing=["x"]), False),
        ({"missing": {"deeper": ["x"]}}, False),
        (detail(object={"inner": ["v"]}), True),
        (detail(object={"inner": ["w"]}), False),
        (detail(object=["v"]), False),
        (detail(eventName={"inner": ["v"]}), False),
        # types count
        (detail(count=[300]), True),
        (detail(count=[301]), False),
        (detail(count=["300"]), False),
        (detail(count=[300.0]), False),
        (detail(ratio=[300]), False),
        (detail(yes=[True]), True),
        (detail(yes=[False]), False),
        (detail(yes=[1]), False),
        (detail(yes=["true"]), False),
        (detail(nothing=[None]), True),
        (detail(nothing=[""]), False),
        (detail(missing=[None]), False),
        # lists of the event: any entry
        (detail(tags=["b"]), True),
        (detail(tags=["c"]), False),
        (detail(groups={"id": [2]}), True),
        (detail(groups={"id": [3]}), False),
        (detail(groups={"id": [1], "name": ["y"]}), False),
        (detail(groups={"id": [2], "name": ["y"]}), True),
        ({"resources": ["x"]}, False),
        # prefix, suffix, case, wildcard
        ({"source": [{"prefix": "aws."}]}, True),
        ({"source": [{"prefix": "AWS."}]}, False),
        ({"source": [{"prefix": "ec2"}]}, False),
        ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "EC2"}}]}, False),
        ({"source": [{"suffix": ".ec2"}]}, True),
        ({"source": [{"suffix": "aws"}]}, False),
        ({"source": [{"suffix": {"equals-ignore-case": ".EC2"}}]}, True),
        (detail(eventName=[{"equals-ignore-case": "deleteroute"}]), True),
        (detail(eventName=[{"equals-ignore-case": "deleterout"}]), False),
        (detail(eventName=[{"wildcard": "Delete*"}]), True),
        (detail(eventName=[{"wildcard": "*Route"}]), True),
        (detail(eventName=[{"wildcard": "D*Ro*e"}]), True),
        (detail(eventName=[{"wildcard": "*"}]), True),
        (detail(eventName=[{"wildcard": "*Route*Table"}]), False),
        (detail(eventName=[{"wildcard": "Delete\\*"}]), False),
        (detail(eventName=[{"wildcard": "Delete.oute"}]), False),
        (detail(count=[{"prefix": "3"}]), False),
        (detail(count=[{"wildcard": "*"}]), False),
        # presence, of leaves only
        (detail(eventName=[{"exists": True}]), True),
        (detail(eventName=[{"exists": False}]), False),
        (detail(missing=[{"exists": False}]), True),
        (detail(missing=[{"exists": True}]), False),
        (detail(nothing=[{"exists": True}]), True),
        (detail(object=[{"exists": True}]), False),
        (detail(object=[{"exists": False}]), True),
        ({"missing": {"deeper": [{"exists": False}]}}, True),
        ({"resources": [{"exists": True}]}, False),
        ({"resources": [{"exists": False}]}, False),
        (detail(errorCode=[{"exists": False}, "x"]), True),
        # anything but
        (detail(eventName=[{"anything-but": "CreateRoute"}]), True),
        (detail(eventName=[{"anything-but": ["CreateRoute", "DeleteRoute"]}]), False),
        (detail(eventName=[{"anything-but": {"prefix": "Create"}}]), True),
        (detail(eventName=[{"anything-but": {"prefix": "Delete"}}]), False),
        (detail(eventName=[{"anything-but": {"prefix": ["Create", "Delete"]}}]), False),
        (detail(eventName=[{"anything-but": {"suffix": "Route"}}]), False),
        (detail(eventName=[{"anything-but": {"wildcard": "*Ro*"}}]), False),
        (detail(eventName=[{"anything-but": {"equals-ignore-case": "deleteroute"}}]), False),
        (detail(eventName=[{"anything-but": {"equals-ignore-case": ["x", "y"]}}]), True),
        (detail(count=[{"anything-but": 300}]), False),
        (detail(count=[{"anything-but": [1, 2]}]), True),
        (detail(count=[{"anything-but": {"prefix": "x"}}]), False),
        (detail(missing=[{"anything-but": "x"}]), False),
        (detail(nothing=[{"anything-but": "x"}]), False),
        (detail(object=[{"anything-but": "x"}]), False),
        # $or
        ({"$or": [{"source": ["aws.s3"]}, {"source": ["aws.ec2"]}]}, True),
        ({"$or": [{"source": ["aws.s3"]}, {"source": ["aws.iam"]}]}, False),
        ({"source": ["aws.s3"], "$or": [{"source": ["aws.ec2"]}, {"resources": ["x"]}]}, False),
        ({"detail": {"$or": [{"count": [1]}, {"eventName": [{"prefix": "Delete"}]}]}}, True),
    ],
)  # fmt: skip
def test_what_a_pattern_matches(pattern: dict[str, Any], expected: bool) -> None:
    outcome = evaluate(pattern, EVENT)
    assert outcome.unread == []
    assert outcome.matched is expected
    assert matches(json.dumps(pattern), EVENT) is expected


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{", "the pattern is no JSON (JSONDecodeError)"),
        ("[" * 100000, "the pattern is no JSON (RecursionError)"),
        ("[]", "no JSON object with members"),
        ("{}", "no JSON object with members"),
        ("null", "no JSON object with members"),
        ({"source": "aws.ec2"}, "source: not a list of values"),
        ({"source": []}, "source: not a list of values"),
        ({"detail": {}}, "detail: an empty object"),
        (detail(count=[{"numeric": [">", 0]}]), "operator numeric"),
        (detail(sourceIPAddress=[{"cidr": "0.0.0.0/0"}]), "operator cidr"),
        (detail(eventName=[["DeleteRoute"]]), "a list inside a list"),
        (detail(eventName=[{}]), "operators missing in one object"),
        (detail(eventName=[{"prefix": "D", "suffix": "e"}]), "operators prefix, suffix in one object"),
        (detail(eventName=[{"prefix": 1}]), "prefix: not a text"),
        (detail(eventName=[{"prefix": {"equals-ignore-case": 1}}]), "prefix: not a text"),
        (detail(eventName=[{"prefix": {"wildcard": "D*"}}]), "prefix: not a text"),
        (detail(eventName=[{"wildcard": "D**"}]), "wildcard: not a valid text"),
        (detail(eventName=[{"wildcard": "D\\x*"}]), "wildcard: not a valid text"),
        (detail(eventName=[{"exists": "yes"}]), "exists: neither true nor false"),
        (detail(eventName=[{"anything-but": []}]), "anything-but: neither texts nor numbers"),
        (detail(eventName=[{"anything-but": [None]}]), "anything-but: neither texts nor numbers"),
        (detail(eventName=[{"anything-but": [True]}]), "anything-but: neither texts nor numbers"),
        (detail(eventName=[{"anything-but": {"prefix": []}}]), "anything-but prefix: an empty list"),
        (detail(eventName=[{"anything-but": {"prefix": "x", "suffix": "y"}}]), "anything-but with several operators"),
        (detail(eventName=[{"anything-but": {"numeric": ["<", 1]}}]), "operator numeric"),
        ({"$or": [{"source": ["aws.ec2"]}]}, "$or without two objects"),
        ({"$or": [{"source": ["aws.ec2"]}, {}]}, "$or without two objects"),
    ],
)
def test_what_is_not_understood_matches_nothing_and_is_said(pattern: Any, told: str) -> None:
    outcome = evaluate(pattern, EVENT)
    assert not outcome.matched
    assert [what for what in outcome.unread if told in what] == outcome.unread != []


def test_what_is_understood_still_matches_beside_what_is_not() -> None:
    outcome = evaluate(detail(eventName=["DeleteRoute", {"numeric": ["=", 1]}], count=[300]), EVENT)
    assert outcome.matched
    assert outcome.unread == ["operator numeric"]
    both = evaluate({"source": [{"cidr": "x"}], **detail(eventName=[{"numeric": []}])}, EVENT)
    assert both.unread == ["operator cidr", "operator numeric"]  # everything, not only the first
    assert evaluate({"$or": [{"source": [{"cidr": "x"}]}, {"source": ["aws.ec2"]}]}, EVENT).matched


def test_a_wildcard_takes_literal_stars_and_backslashes() -> None:
    assert matches({"a": [{"wildcard": "x\\**"}]}, {"a": "x*y"})
    assert matches({"a": [{"wildcard": "x\\\\*"}]}, {"a": "x\\y"})
    assert matches({"a": [{"wildcard": "x*"}]}, {"a": "x\ny"})
