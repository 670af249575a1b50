"""Decision table of PCI_ROLE_TRUST_LIMITED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from moto import mock_aws

from pci_config.role_trust import narrow_subject, service_name
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Facts,
    Finding,
    LiveFacts,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import SettingMissing, Settings
from PCI_ROLE_TRUST_LIMITED import LongestSession, PciRoleTrustLimited, TrustParameters

NOW = datetime(2026, 11, 1, tzinfo=UTC)
IDENTITY, IDENTITY_PRODUCTION, PRODUCTION, STAGING = "400000000004", "500000000005", "600000000006", "700000000007"
ADMIN, STRANGER = "200000000002", "999999999999"
ACCOUNTS = {
    "delegated_admin": (ADMIN,),
    "identity": (IDENTITY,),
    "identity_production": (IDENTITY_PRODUCTION,),
    "production": (PRODUCTION, "600000000016"),
    "staging": (STAGING,),
}
SETTINGS = Settings(accounts=ACCOUNTS)
SAMPLE = json.loads((Path(__file__).resolve().parents[2] / "tests/data/ci/AWS_IAM_Role.json").read_text("utf-8"))
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
SUFFIX = " [PCI 7.2.2, 8.4.2]"
GITHUB = "token.actions.githubusercontent.com"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
SAML_URL = "https://signin.aws.amazon.com/saml"


def allow(principal: Any, action: Any = "sts:AssumeRole", **condition: Any) -> dict[str, Any]:
    who = principal if isinstance(principal, dict) or principal == "*" else {"AWS": principal}
    return {"Effect": "Allow", "Principal": who, "Action": action} | ({"Condition": condition} if condition else {})


def deny(principal: Any, **condition: Any) -> dict[str, Any]:
    return allow(principal, **condition) | {"Effect": "Deny"}


def root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def role(*statements: dict[str, Any], account: str = PRODUCTION, path: str = "/", name: str = "admin") -> dict[str, Any]:
    document = quote(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), safe="")
    configuration = {**SAMPLE["configuration"], "assumeRolePolicyDocument": document, "path": path, "roleName": name}
    return {**SAMPLE, "configuration": configuration, "awsAccountId": account, "resourceName": name}


def judged(
    item: dict[str, Any], raw: dict[str, str] | None = None, settings: Settings = SETTINGS, session: Any = None
) -> Finding:
    rule = PciRoleTrustLimited(settings)
    known = {} if session is None else {(LongestSession, item["configuration"]["roleName"]): session}
    facts: Facts = StatedFacts(Scope(item["awsAccountId"], "global", NOW, settings), known)
    return rule.decide(item, rule.evaluate_parameters(raw or {}), facts)


def oidc(host: str, account: str = PRODUCTION, **condition: Any) -> dict[str, Any]:
    provider = {"Federated": f"arn:aws:iam::{account}:oidc-provider/{host}"}
    return allow(provider, "sts:AssumeRoleWithWebIdentity", **condition)


def saml(account: str = PRODUCTION, **condition: Any) -> dict[str, Any]:
    return allow({"Federated": f"arn:aws:iam::{account}:saml-provider/corporate"}, "sts:AssumeRoleWithSAML", **condition)


def service(name: str, **condition: Any) -> dict[str, Any]:
    return allow({"Service": name}, **condition)


class TableCase(unittest.TestCase):
    def check(self, finding: Finding, compliance: str, words: str) -> None:
        self.assertIn(words, finding.annotation)
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        self.assertLessEqual(len(finding.annotation), 256)
        self.assertEqual(finding.annotation.endswith(SUFFIX), compliance == NON_COMPLIANT)


class PeopleTest(TableCase):
    def test_the_identity_account_of_the_environment_with_mfa(self) -> None:
        for account, identity in (
            (PRODUCTION, IDENTITY_PRODUCTION),
            ("600000000016", IDENTITY_PRODUCTION),
            (IDENTITY_PRODUCTION, IDENTITY_PRODUCTION),
            (STAGING, IDENTITY),
            (ADMIN, IDENTITY),
            (IDENTITY, IDENTITY),
        ):
            other = IDENTITY if identity == IDENTITY_PRODUCTION else IDENTITY_PRODUCTION
            with self.subTest(account=account):
                finding = judged(role(allow(root(identity), **MFA), account=account))
                self.check(finding, COMPLIANT, f"trusts account {identity} with MFA")
                finding = judged(role(allow(root(other), **MFA), account=account))
                self.check(finding, NON_COMPLIANT, f"people come from {identity} only")

    def test_forms_of_trusting_it(self) -> None:
        user = f"arn:aws:iam::{IDENTITY_PRODUCTION}:user/people/alice"
        for name, statements, compliance, words in (
            ("the id", [allow(IDENTITY_PRODUCTION, **MFA)], COMPLIANT, f"account {IDENTITY_PRODUCTION}"),
            ("a user", [allow(user, **MFA)], COMPLIANT, f"trusts {user}"),
            ("a user without MFA", [allow(user)], NON_COMPLIANT, f"user/people/alice in {IDENTITY_PRODUCTION} may assume it without MFA"),
            ("a role", [allow(f"arn:aws:iam::{IDENTITY_PRODUCTION}:role/ops", **MFA)], COMPLIANT, "role/ops"),
            ("a role without MFA", [allow(f"arn:aws:iam::{IDENTITY_PRODUCTION}:role/ops")], NON_COMPLIANT, "role/ops in 5"),
            ("all actions of STS", [allow(root(IDENTITY_PRODUCTION), "sts:*", **MFA)], COMPLIANT, "trusts account"),
            ("a list of actions", [allow(root(IDENTITY_PRODUCTION), ["sts:TagSession", "sts:AssumeRole"], **MFA)], COMPLIANT, ""),
            ("tags only", [allow(root(STRANGER), "sts:TagSession")], COMPLIANT, "nobody may assume it"),
            ("not the action", [allow(root(STRANGER), "sts:AssumeRoleWithSAML")], COMPLIANT, "nobody may assume it"),
        ):  # fmt: skip
            with self.subTest(name):
                self.check(judged(role(*statements)), compliance, words)

    def test_mfa(self) -> None:
        who = root(IDENTITY_PRODUCTION)
        without = (
            f"account {IDENTITY_PRODUCTION} may assume it without MFA: require Bool aws:MultiFactorAuthPresent true, not Bool"
        )
        plain = allow(who)
        for name, statements, compliance in (
            ("no condition", [plain], NON_COMPLIANT),
            ("BoolIfExists", [allow(who, BoolIfExists={"aws:MultiFactorAuthPresent": "true"})], NON_COMPLIANT),
            ("false", [allow(who, Bool={"aws:MultiFactorAuthPresent": "false"})], NON_COMPLIANT),
            ("key in small letters", [allow(who, Bool={"aws:multifactorauthpresent": "true"})], COMPLIANT),
            ("age", [allow(who, NumericLessThan={"aws:MultiFactorAuthAge": "3600"})], COMPLIANT),
            ("an external id", [allow(who, StringEquals={"sts:ExternalId": "x"})], NON_COMPLIANT),
            ("one statement with, one without", [allow(who, **MFA), plain], NON_COMPLIANT),
            ("denied without", [plain, deny("*", BoolIfExists={"aws:MultiFactorAuthPresent": "false"})], COMPLIANT),
            ("denied with false only", [plain, deny("*", Bool={"aws:MultiFactorAuthPresent": "false"})], NON_COMPLIANT),
            ("denied altogether", [plain, deny("*")], COMPLIANT),
        ):
            with self.subTest(name):
                words = without if compliance == NON_COMPLIANT else ""
                self.check(judged(role(*statements)), compliance, words)

    def test_everyone(self) -> None:
        everyone = "anyone may assume it (Principal *): name the identity account"
        for name, statement in (
            ("star", allow("*")),
            ("star of AWS", allow({"AWS": "*"}, **MFA)),
            ("star in a list", allow([root(IDENTITY_PRODUCTION), "*"], **MFA)),
            ("limited to an account", allow("*", StringEquals={"aws:PrincipalAccount": IDENTITY_PRODUCTION}, **MFA)),
            ("limited to an organization", allow("*", StringEquals={"aws:PrincipalOrgID": "o-abcdefghij"}, **MFA)),
            ("star of services", allow({"Service": "*"})),
            ("all but one", {"Effect": "Allow", "NotPrincipal": {"AWS": root(STRANGER)}, "Action": "sts:AssumeRole"}),
            ("with a token", allow("*", "sts:AssumeRoleWithWebIdentity")),
        ):
            with self.subTest(name):
                self.check(judged(role(statement)), NON_COMPLIANT, everyone)
        closed = judged(role(allow("*"), deny("*")))
        self.check(closed, COMPLIANT, "nobody may assume it")

    def test_other_accounts(self) -> None:
        for name, principal, words in (
            ("unknown", root(STRANGER), f"trusts account {STRANGER}: not an account of the organization"),
            ("a role of it", f"arn:aws:iam::{STRANGER}:role/ci", f"trusts role/ci in {STRANGER}: not an account of"),
            ("staging", root(STAGING), f"trusts account {STAGING} (staging); people come from {IDENTITY_PRODUCTION}"),
            ("delegated", root(ADMIN), f"trusts account {ADMIN} (delegated admin); people come from"),
            ("a role of staging", f"arn:aws:iam::{STAGING}:role/ci", f"trusts role/ci in {STAGING} (staging); people come"),
            ("the own account", root(PRODUCTION), f"trusts account {PRODUCTION} (its own account); people come from"),
            ("an own user", f"arn:aws:iam::{PRODUCTION}:user/x", f"trusts user/x in {PRODUCTION} (its own account)"),
            ("an own federated user", f"arn:aws:sts::{PRODUCTION}:federated-user/x", "federated-user/x in"),
            ("a deleted one", "AIDAEXAMPLEUSER000001", "trusts AIDAEXAMPLEUSER000001, which no longer exists"),
            ("a canonical user", {"CanonicalUser": "79a59df900b949e55d96"}, "trusts 79a59df900b949e55d96, which is no principal"),
        ):  # fmt: skip
            with self.subTest(name):
                self.check(judged(role(allow(principal, **MFA))), NON_COMPLIANT, words)

    def test_named_roles_of_the_own_account_and_of_automation(self) -> None:
        own, session = f"arn:aws:iam::{PRODUCTION}:role/app", f"arn:aws:sts::{PRODUCTION}:assumed-role/app/s"
        self.check(judged(role(allow(own))), COMPLIANT, f"trusts {own}")
        self.check(judged(role(allow(session))), COMPLIANT, f"trusts {session}")
        deployer = f"arn:aws:iam::{ADMIN}:role/deployer"
        self.check(judged(role(allow(deployer))), NON_COMPLIANT, f"trusts role/deployer in {ADMIN} (delegated admin)")
        raw = {"AutomationAccounts": "delegated_admin"}
        self.check(judged(role(allow(deployer)), raw), COMPLIANT, f"trusts {deployer}")
        self.check(judged(role(allow(root(ADMIN))), raw), NON_COMPLIANT, f"account {ADMIN}")
        self.check(judged(role(allow(f"arn:aws:iam::{ADMIN}:user/x")), raw), NON_COMPLIANT, f"user/x in {ADMIN}")

    def test_which_accounts_are_production_is_a_parameter(self) -> None:
        raw = {"ProductionAccounts": "production,delegated_admin"}
        item = role(allow(root(IDENTITY_PRODUCTION), **MFA), account=ADMIN)
        self.check(judged(item), NON_COMPLIANT, f"people come from {IDENTITY} only")
        self.check(judged(item, raw), COMPLIANT, f"trusts account {IDENTITY_PRODUCTION}")

    def test_the_worst_comes_first_and_the_rest_is_counted(self) -> None:
        statements = [
            service("logs.amazonaws.com"),
            allow(root(IDENTITY_PRODUCTION)),
            allow(root(STAGING)),
            allow(root(STRANGER)),
            allow("*"),
        ]
        for count in range(5, 1, -1):
            first = ["without MFA", "(staging); people", "not an account", "anyone may assume it"][count - 2]
            with self.subTest(count):
                finding = judged(role(*statements[:count]))
                self.check(finding, NON_COMPLIANT, first)
                self.assertTrue(finding.annotation.startswith(f"{count} problems; first: "), finding.annotation)

    def test_accounts_that_rdk_json_does_not_name(self) -> None:
        item = role(allow(root(IDENTITY), **MFA), account="123456789012")
        with self.assertRaisesRegex(SettingMissing, "Accounts does not name 123456789012"):
            judged(item)
        self.check(judged(role(service("ec2.amazonaws.com"), account="123456789012")), COMPLIANT, "ec2.amazonaws.com")
        self.check(judged(role(allow(root(STRANGER)), account="123456789012")), NON_COMPLIANT, "not an account")
        settings = Settings(accounts={"production": (PRODUCTION,), "identity": (IDENTITY,)})
        with self.assertRaisesRegex(SettingMissing, r"Accounts\.identity_production is not set"):
            judged(role(allow(root(IDENTITY), **MFA)), settings=settings)
        with self.assertRaisesRegex(SettingMissing, r"Accounts\.tooling is not set"):
            judged(role(allow(root(IDENTITY), **MFA)), {"AutomationAccounts": "tooling"})


class ServicesTest(TableCase):
    def test_services_of_the_own_account(self) -> None:
        for name in ("ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "ssm.amazonaws.com"):
            with self.subTest(name):
                self.check(judged(role(service(name))), COMPLIANT, f"trusts {name}")

    def test_services_that_write_for_others_say_for_whom(self) -> None:
        confused = f"may come for any account (confused deputy): require aws:SourceAccount {PRODUCTION}"
        for name in ("logs.amazonaws.com", "delivery.logs.amazonaws.com", "vpc-flow-logs.amazonaws.com"):
            source = f"arn:aws:logs:eu-west-1:{PRODUCTION}:*"
            for condition, compliance, words in (
                ({}, NON_COMPLIANT, f"{name} {confused}"),
                ({"StringEquals": {"aws:SourceAccount": PRODUCTION}}, COMPLIANT, f"trusts {name}"),
                ({"StringEquals": {"aws:SourceAccount": [PRODUCTION, STAGING]}}, COMPLIANT, f"trusts {name}"),
                ({"ArnLike": {"aws:SourceArn": source}}, COMPLIANT, f"trusts {name}"),
                ({"StringLike": {"aws:SourceArn": source}}, COMPLIANT, f"trusts {name}"),
                ({"StringEquals": {"sts:ExternalId": PRODUCTION}}, COMPLIANT, f"trusts {name}"),
                ({"StringEquals": {"sts:ExternalId": STAGING}}, NON_COMPLIANT, confused),
                ({"StringEqualsIfExists": {"aws:SourceAccount": PRODUCTION}}, NON_COMPLIANT, confused),
                ({"ArnLike": {"aws:SourceArn": "arn:aws:logs:*:*:*"}}, NON_COMPLIANT, confused),
                ({"StringEquals": {"aws:SourceOrgID": "o-abcdefghij"}}, NON_COMPLIANT, confused),
                ({"StringEquals": {"aws:SourceAccount": STRANGER}}, NON_COMPLIANT, f"{name} may come for {STRANGER}: not an"),
            ):
                with self.subTest(name=name, condition=condition):
                    self.check(judged(role(service(name, **condition))), compliance, words)

    def test_regional_names_and_other_lists(self) -> None:
        self.check(judged(role(service("logs.eu-west-1.amazonaws.com"))), NON_COMPLIANT, "logs.amazonaws.com may come")
        raw = {"SourceConditionServices": "ec2.amazonaws.com"}
        self.check(judged(role(service("logs.amazonaws.com")), raw), COMPLIANT, "trusts logs")
        self.check(judged(role(service("ec2.amazonaws.com")), raw), NON_COMPLIANT, "ec2.amazonaws.com may come")
        raw = {"OrganizationIds": "o-abcdefghij"}
        for organization, compliance in (("o-abcdefghij", COMPLIANT), ("o-zzzzzzzzzz", NON_COMPLIANT)):
            condition = {"StringEquals": {"aws:SourceOrgID": organization}}
            self.check(judged(role(service("logs.amazonaws.com", **condition)), raw), compliance, "logs.amazonaws.com")

    def test_any_service_that_comes_for_strangers(self) -> None:
        condition = {"StringEquals": {"aws:SourceAccount": [PRODUCTION, STRANGER]}}
        finding = judged(role(service("lambda.amazonaws.com", **condition)))
        self.check(finding, NON_COMPLIANT, f"lambda.amazonaws.com may come for {STRANGER}: not an account")

    def test_service_names(self) -> None:
        for principal, name in (
            ("logs.us-gov-west-1.amazonaws.com", "logs.amazonaws.com"),
            ("logs.cn-north-1.amazonaws.com.cn", "logs.amazonaws.com.cn"),
            ("delivery.logs.amazonaws.com", "delivery.logs.amazonaws.com"),
            ("eu-west-1.amazonaws.com", "eu-west-1.amazonaws.com"),
        ):
            self.assertEqual(service_name(principal), name)


class ProvidersTest(TableCase):
    def test_saml(self) -> None:
        for condition, compliance, words in (
            ({"StringEquals": {"SAML:aud": SAML_URL}}, COMPLIANT, "trusts corporate (MFA is its own)"),
            (
                {"StringEquals": {"saml:AUD": [SAML_URL, "https://eu-west-1.signin.aws.amazon.com/saml"]}},
                COMPLIANT,
                "corporate",
            ),
            ({}, NON_COMPLIANT, "SAML provider corporate: no condition on the audience (SAML:aud)"),
            ({"StringLike": {"SAML:aud": "https://*"}}, NON_COMPLIANT, "no condition on the audience"),
            ({"StringEqualsIfExists": {"SAML:aud": SAML_URL}}, NON_COMPLIANT, "no condition on the audience"),
        ):
            with self.subTest(condition=condition):
                self.check(judged(role(saml(**condition))), compliance, words)
        foreign = judged(role(saml(STAGING, StringEquals={"SAML:aud": SAML_URL})))
        self.check(foreign, NON_COMPLIANT, f"trusts provider corporate of account {STAGING}")

    def test_tokens(self) -> None:
        aud, sub = f"{GITHUB}:aud", f"{GITHUB}:sub"
        good = {aud: "sts.amazonaws.com", sub: "repo:card-issuer/payments:ref:refs/heads/main"}
        no_subject = f"provider {GITHUB}: no condition on the subject (sub) that names who may come"
        for condition, compliance, words in (
            ({"StringEquals": good}, COMPLIANT, f"trusts {GITHUB}"),
            ({"StringEquals": {aud: "x"}, "StringLike": {sub: "repo:card-issuer/*"}}, COMPLIANT, f"trusts {GITHUB}"),
            ({"StringEquals": {aud: "x"}, "ForAnyValue:StringLike": {sub: "repo:card-issuer/a:*"}}, COMPLIANT, GITHUB),
            ({"StringEquals": {aud: "x"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringLike": {sub: "*"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringLike": {sub: "repo:*"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringLike": {sub: ["repo:card-issuer/*", "repo:*"]}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringLike": {sub: "repo:card-issuer*"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringEqualsIfExists": {sub: good[sub]}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "StringNotLike": {sub: "repo:x/*"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {aud: "x"}, "ForAllValues:StringLike": {sub: "repo:a/b"}}, NON_COMPLIANT, no_subject),
            ({"StringEquals": {sub: good[sub]}}, NON_COMPLIANT, f"provider {GITHUB}: no condition on the audience (aud)"),
            ({}, NON_COMPLIANT, f"{no_subject} and audience (aud)"),
        ):
            with self.subTest(condition=condition):
                self.check(judged(role(oidc(GITHUB, **condition))), compliance, words)
        foreign = judged(role(oidc(GITHUB, STAGING, StringEquals=good)))
        self.check(foreign, NON_COMPLIANT, f"trusts provider {GITHUB} of account {STAGING}")

    def test_public_providers_have_keys_of_their_own(self) -> None:
        cognito = "cognito-identity.amazonaws.com"
        signed_in = {"StringEquals": {f"{cognito}:aud": "p"}, "ForAnyValue:StringLike": {f"{cognito}:amr": "authenticated"}}
        guests = {"StringEquals": {f"{cognito}:aud": "p"}, "ForAnyValue:StringLike": {f"{cognito}:amr": "unauthenticated"}}
        facebook = {"StringEquals": {"graph.facebook.com:app_id": "1", "graph.facebook.com:id": "2"}}
        for provider, condition, compliance, words in (
            (cognito, signed_in, COMPLIANT, f"trusts {cognito}"),
            (cognito, guests, NON_COMPLIANT, "no condition on the sign-in (amr authenticated), so guests may come"),
            (cognito, {}, NON_COMPLIANT, "audience (aud) and sign-in"),
            ("graph.facebook.com", facebook, COMPLIANT, "trusts graph.facebook.com"),
            ("graph.facebook.com", {}, NON_COMPLIANT, "subject (id) that names who may come and audience (app_id)"),
            ("www.amazon.com", {}, NON_COMPLIANT, "subject (user_id)"),
            ("accounts.google.com", {}, NON_COMPLIANT, "subject (sub)"),
        ):
            with self.subTest(provider=provider, condition=condition):
                statement = allow({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", **condition)
                self.check(judged(role(statement)), compliance, words)

    def test_actions_that_a_provider_cannot_use_open_nothing(self) -> None:
        for statement in (saml() | {"Action": "sts:AssumeRole"}, oidc(GITHUB) | {"Action": "sts:AssumeRoleWithSAML"}):
            self.check(judged(role(statement)), COMPLIANT, "nobody may assume it")

    def test_subjects(self) -> None:
        for provider, subject, narrow in (
            (GITHUB, "repo:o/r:environment:prod", True),
            (GITHUB, "repo:o/*", True),
            (GITHUB, "repo:o*/x", False),
            (GITHUB, "repo:?/x", False),
            (f"{GITHUB}/enterprise", "repo:*", False),
            (GITHUB, "repository_owner_id:1234:*", True),
            (EKS, "system:serviceaccount:payments:api", True),
            (EKS, "system:serviceaccount:payments:*", True),
            (EKS, "system:serviceaccount:*:api", False),
            (EKS, "system:serviceaccount:pay*", False),
            ("gitlab.com", "project_path:card-issuer/*", True),
            ("gitlab.com", "project_path:*", False),
            ("gitlab.com", "${aws:username}", False),
            ("accounts.google.com", "1234567890", True),
            ("accounts.google.com", "12*", True),
            ("accounts.google.com", "*", False),
            ("accounts.google.com", "", False),
        ):
            with self.subTest(provider=provider, subject=subject):
                self.assertIs(narrow_subject(provider, subject), narrow)


class KeptByAwsTest(TableCase):
    def test_service_linked_roles(self) -> None:
        path = "/aws-service-role/config.amazonaws.com/"
        finding = judged(role(service("logs.amazonaws.com"), path=path))
        self.check(finding, NOT_APPLICABLE, "a service-linked role: AWS keeps its trust")
        self.check(judged(role(allow("*"), path=path)), NON_COMPLIANT, "anyone")
        self.check(judged(role(service("x.example.com"), allow(root(STRANGER)), path=path)), NON_COMPLIANT, STRANGER)
        self.check(judged(role(service("logs.amazonaws.com"), path="/team/")), NON_COMPLIANT, "confused deputy")

    def test_roles_of_identity_center(self) -> None:
        path = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
        provider = {"Federated": f"arn:aws:iam::{PRODUCTION}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"}
        statement = allow(provider, ["sts:AssumeRoleWithSAML", "sts:TagSession"])
        self.check(judged(role(statement, path=path)), NOT_APPLICABLE, "a role of Identity Center")
        self.check(judged(role(statement)), NON_COMPLIANT, "no condition on the audience")
        self.check(judged(role(statement, allow(root(STRANGER)), path=path)), NON_COMPLIANT, STRANGER)
        self.check(judged(role(saml(), path=path)), NON_COMPLIANT, "SAML provider corporate")


class SessionTest(TableCase):
    def test_longest_session(self) -> None:
        item = role(allow(root(IDENTITY_PRODUCTION), **MFA))
        for seconds, compliance, words in (
            (28800, COMPLIANT, "with MFA"),
            (28801, NON_COMPLIANT, "sessions last up to 8 h, expected <= 8 h"),
            (43200, NON_COMPLIANT, "sessions last up to 12 h, expected <= 8 h"),
        ):
            self.check(judged(item, {"MaxSessionHours": "8"}, session=seconds), compliance, words)
        self.check(judged(item), COMPLIANT, "with MFA")  # twelve hours is all that IAM knows: nothing to look up

    def test_machines_have_no_limit(self) -> None:
        for statement in (service("ec2.amazonaws.com"), allow(f"arn:aws:iam::{PRODUCTION}:role/app")):
            self.check(judged(role(statement), {"MaxSessionHours": "1"}), COMPLIANT, "trusts")
        person = role(saml(StringEquals={"SAML:aud": SAML_URL}))
        self.check(judged(person, {"MaxSessionHours": "1"}, session=3601), NON_COMPLIANT, "sessions last up to 1 h")
        elsewhere = role(allow(f"arn:aws:iam::{IDENTITY_PRODUCTION}:role/person", **MFA))
        self.check(judged(elsewhere, {"MaxSessionHours": "1"}, session=7200), NON_COMPLIANT, "sessions last up to 2 h")

    def test_a_snapshot_cannot_show_it_but_shows_what_is_worse(self) -> None:
        class Nothing:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                raise NotAssessed("nothing here")

        rule = PciRoleTrustLimited(SETTINGS)
        facts = RecordedFacts(Nothing(), Scope(PRODUCTION, "global", NOW, SETTINGS))
        parameters = rule.evaluate_parameters({"MaxSessionHours": "8"})
        with self.assertRaisesRegex(NotAssessed, "longest session"):
            rule.decide(role(allow(root(IDENTITY_PRODUCTION), **MFA)), parameters, facts)
        self.check(rule.decide(role(allow("*")), parameters, facts), NON_COMPLIANT, "anyone")

    @mock_aws
    def test_live(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region or "eu-west-1")

        document = json.dumps({"Version": "2012-10-17", "Statement": [allow(root(IDENTITY_PRODUCTION), **MFA)]})
        iam = boto3.client("iam", region_name="eu-west-1")
        iam.create_role(RoleName="admin", AssumeRolePolicyDocument=document, MaxSessionDuration=7200)
        facts = LiveFacts(Clients(), Scope(PRODUCTION, "global", NOW, SETTINGS))
        self.assertEqual(facts.get(LongestSession, "admin"), 7200)


class InputTest(unittest.TestCase):
    def test_parameters(self) -> None:
        rule = PciRoleTrustLimited(SETTINGS)
        self.assertEqual(rule.evaluate_parameters({}), TrustParameters())
        for raw in (
            {"MaxSessionHours": "13"},
            {"MaxSessionHours": "0"},
            {"ProductionAccounts": "123456789012"},
            {"OrganizationIds": "abc"},
            {"SourceConditionServices": "logs"},
            {"Trusted": "x"},
        ):
            with self.subTest(raw), self.assertRaises(ParameterError):
                rule.evaluate_parameters(raw)

    def test_what_cannot_be_understood_is_no_verdict(self) -> None:
        for document, words in (
            (None, "the trust policy is NoneType"),
            ("%7B", "the trust policy is not JSON"),
            ({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}, "Principal is missing"),
            ({"Statement": [allow("arn:aws:iam::123456789012:role/*")]}, "has a wildcard"),
        ):
            item = role(allow("*"))
            item["configuration"]["assumeRolePolicyDocument"] = document
            with self.subTest(document=document), self.assertRaisesRegex(RuleInputError, words):
                judged(item)
        with self.assertRaisesRegex(RuleInputError, "configuration is missing"):
            PciRoleTrustLimited(SETTINGS).decide(
                {**SAMPLE, "configuration": None}, TrustParameters(), StatedFacts(Scope(PRODUCTION, "global", NOW, SETTINGS))
            )

    def test_the_document_may_be_an_object(self) -> None:
        item = role(allow("*"))
        item["configuration"]["assumeRolePolicyDocument"] = {"Version": "2012-10-17", "Statement": [allow("*")]}
        self.assertEqual(judged(item).compliance, NON_COMPLIANT)


if __name__ == "__main__":
    unittest.main()
