"""Policies against an independent evaluator: what is sure is what it says too, and no way in is ever missed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pci_config.iam_condition import Context, PolicyError, all_of, any_of, covers, overlaps
from pci_config.iam_policy import Policy, Principal, matches, parse_policy

SIMULATOR = Path(__file__).resolve().parents[1] / "iam" / "simulate_requests.mjs"
needs_simulator = pytest.mark.skipif(
    shutil.which("node") is None or not (SIMULATOR.parent / "node_modules").is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)
OWN, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWN}:role/r"
USER = f"arn:aws:iam::{OTHER}:user/alice"
PRINCIPALS = ["*", OTHER, f"arn:aws:iam::{OTHER}:root", USER, f"arn:aws:iam::{OTHER}:user/bob", "777788889999"]
PRINCIPALS += [f"arn:aws:iam::{OTHER}:role/alice"]
OBJECT = "arn:aws:s3:::bucket/key"
VALUES: dict[str, list[str]] = {  # request's values of keys that a request to S3 and to STS may both have
    "aws:MultiFactorAuthPresent": ["true", "false"],
    "aws:MultiFactorAuthAge": ["0", "60", "3600", "7200"],
    "aws:UserAgent": ["cli", "CLI", "client", "console"],
    "aws:CurrentTime": ["2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z"],
    "aws:SourceIp": ["10.0.0.1", "10.1.0.1", "203.0.113.7"],
    "aws:SourceArn": ["arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:sns:us-east-1:444455556666:topic:more"],
}
LISTS = {"aws:TagKeys": ["owner", "pci:scope", "pci:tier"]}
ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
STRINGS = [
    ("String" + form, ["cli", "CLI", "cl*", "c?i", "*", "console", "x"])
    for form in ("Equals", "NotEquals", "Like", "NotLike", "EqualsIgnoreCase", "NotEqualsIgnoreCase")
]
TAGS = [(name, ["owner", "OWNER", "pci:*", "pci:????", "*", "x"]) for name, _ in STRINGS]
ARNS = ["arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:sns:*:444455556666:*", "arn:aws:sns:*:topic:more", "arn:*:*:*:*:*"]
OPERATORS: dict[str, list[tuple[str, list[str]]]] = {
    "aws:MultiFactorAuthPresent": [("Bool", ["true", "false"])],
    "aws:MultiFactorAuthAge": [("Numeric" + order, ["60", "3600", "3600.0", "-1"]) for order in ORDERS],
    "aws:UserAgent": STRINGS,
    "aws:CurrentTime": [("Date" + order, ["2026-06-01T00:00:00Z", "2026-06-01"]) for order in ORDERS],
    "aws:SourceIp": [(name, ["10.0.0.0/16", "10.1.0.1", "203.0.113.0/24"]) for name in ("IpAddress", "NotIpAddress")],
    "aws:SourceArn": [("Arn" + form, ARNS) for form in ("Equals", "NotEquals", "Like", "NotLike")],
    "aws:TagKeys": TAGS,
}


def one_or_more(values: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(sorted(OPERATORS)))
        if draw(st.integers(0, 6)) == 0:
            block.setdefault("Null", {})[key] = draw(one_or_more(["true", "false"]))
            continue
        name, values = draw(st.sampled_from(OPERATORS[key]))
        qualifier = draw(
            st.sampled_from(
                ["", "", "ForAnyValue:", "ForAllValues:"] if key not in LISTS else ["ForAnyValue:", "ForAllValues:"]
            )
        )
        block.setdefault(qualifier + name + draw(st.sampled_from(["", "", "IfExists"])), {})[key] = draw(one_or_more(values))
    return block


@st.composite
def statements(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    own = ["s3:GetObject", "s3:Get*", "s3:*", "*", "s3:PutObject", "S3:getobject", "s3:Get?bject"]
    actions = own if kind == "identity" else ["sts:AssumeRole", "sts:*", "sts:TagSession", "STS:assume*"]
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    statement[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(one_or_more(actions))
    if kind == "identity":
        resources = ["*", OBJECT, "arn:aws:s3:::bucket/*", "arn:aws:s3:::*", "arn:aws:s3:::b?cket/k*", "arn:aws:s3:::other/*"]
        statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(one_or_more(resources))
    else:
        named = draw(st.just("*") | one_or_more(PRINCIPALS).map(lambda value: {"AWS": value}))
        statement[draw(st.sampled_from(["Principal"] * 3 + ["NotPrincipal"]))] = named
    if block := draw(conditions()):
        statement["Condition"] = block
    return statement


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["identity", "resource"]))
    context: dict[str, Any] = {}
    for key, values in VALUES.items():
        if draw(st.booleans()):
            context[key] = draw(st.sampled_from(values))
    if draw(st.booleans()):
        context["aws:TagKeys"] = draw(st.lists(st.sampled_from(LISTS["aws:TagKeys"]), min_size=1, max_size=2, unique=True))
    return {
        "kind": kind,
        "policy": {"Version": "2012-10-17", "Statement": draw(st.lists(statements(kind), min_size=1, max_size=3))},
        "principal": USER if kind == "resource" else f"arn:aws:iam::{OWN}:user/me",
        "action": "sts:AssumeRole" if kind == "resource" else "s3:GetObject",
        "resource": ROLE if kind == "resource" else OBJECT,
        "account": OWN,
        "context": context,
    }


def simulated(asked: list[dict[str, Any]]) -> list[str]:
    run = subprocess.run(["node", str(SIMULATOR)], input=json.dumps(asked), capture_output=True, text=True, check=True)
    verdicts: list[str] = json.loads(run.stdout)
    return verdicts


def known(asked: dict[str, Any]) -> Context:
    """Every key that conditions may name: what the request does not have, it surely lacks."""
    given_keys = {key.lower(): value for key, value in asked["context"].items()}
    return {key.lower(): None for key in OPERATORS} | given_keys


def verdict(policy: Policy, asked: dict[str, Any]) -> bool | None:
    """True or False where the evaluation is sure."""
    subject = Principal("AWS", asked["principal"])
    resource = asked["resource"] if asked["kind"] == "identity" else None
    answers: dict[bool, list[bool | None]] = {True: [False], False: [False]}
    for statement in policy.statements:
        answers[statement.allows].append(statement.applies(subject, asked["action"], resource, known(asked)))
    denied = any_of(answers[False])
    return all_of([any_of(answers[True]), None if denied is None else not denied])


@needs_simulator
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], derandomize=True)
@given(st.lists(requests(), min_size=60, max_size=60))
def test_what_is_sure_is_what_an_independent_evaluator_says(asked: list[dict[str, Any]]) -> None:
    for case, said in zip(asked, simulated(asked), strict=True):
        assert said in ("Allowed", "ImplicitlyDenied", "ExplicitlyDenied"), said
        policy = parse_policy(case["policy"])
        sure = verdict(policy, case)
        assert sure in (None, said == "Allowed"), (said, case)
        resource = case["resource"] if case["kind"] == "identity" else None
        if said == "Allowed":
            assert policy.openings(case["action"], resource=resource, context=known(case)), case
            assert policy.openings(case["action"]), case  # also when nothing is known of the request


TEXTS = st.text("ab*?:/", max_size=7)


@given(TEXTS, TEXTS)
def test_what_a_pattern_covers_it_overlaps(pattern: str, asked: str) -> None:
    if covers(pattern, asked):
        assert overlaps(pattern, asked)
    assert overlaps(pattern, asked) == overlaps(asked, pattern)


@given(TEXTS, st.text("ab:/", max_size=7))
def test_patterns_are_globs(pattern: str, text: str) -> None:
    import re

    model = re.fullmatch("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), text)
    assert covers(pattern, text) == overlaps(pattern, text) == (model is not None)
    assert (matches(pattern, text) is not False) == (model is not None)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["Allow", "*", "sts:AssumeRole", "2012-10-17"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "NotAction", "Principal", "NotPrincipal", "Condition", "AWS"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_the_document_it_is_a_policy_or_a_clear_error(document: Any) -> None:
    for form in (document, json.dumps(document)):
        said = ""
        try:
            assert parse_policy(form, "the trust policy").statements
        except PolicyError as error:
            said = str(error)
        assert not said or "the trust policy" in said
