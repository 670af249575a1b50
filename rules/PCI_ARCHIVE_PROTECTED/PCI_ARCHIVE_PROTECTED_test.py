"""Decision table of PCI_ARCHIVE_PROTECTED."""

from __future__ import annotations

import copy
import json
import unittest
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from PCI_ARCHIVE_PROTECTED import (
    AccountPublicAccessBlock,
    ArchiveParameters,
    ObjectOwnership,
    OwnOrganization,
    PciArchiveProtected,
)
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import SettingMissing, Settings

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "ARN": "a bucket's name gives its ARN",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ARCHIVE, MEMBER, FOREIGN, REGION = "300000000003", "600000000006", "999999999999", "eu-west-1"
OWN_ORGANIZATION, OTHER_ORGANIZATION = "o-abcdefghij", "o-zyxwvutsrq"
NAME = "card-issuer-log-archive-trail"
ARN = f"arn:aws:s3:::{NAME}"
SETTINGS = Settings(
    accounts={"log_archive": (ARCHIVE,), "production": (MEMBER,)},
    archive_account=ARCHIVE,
    archive_buckets=("card-issuer-log-archive-*",),
)
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
ALL_ON = dict.fromkeys(("blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets"), True)
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
TRAIL = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudtrail.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": f"{ARN}/AWSLogs/*",
    "Condition": {
        "StringEquals": {
            "s3:x-amz-acl": "bucket-owner-full-control",
            "aws:SourceArn": f"arn:aws:cloudtrail:eu-west-1:{MEMBER}:trail/organization",
        }
    },
}


def allow(principal: Any, actions: Any, resource: str = f"{ARN}/*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def bucket(name: str = NAME, account: str = ARCHIVE, **supplementary: Any) -> dict[str, Any]:
    """The recorded sample as a right archive bucket, except for what is given (None: absent)."""
    item: dict[str, Any] = json.loads((SAMPLES / "AWS_S3_Bucket.json").read_text("utf-8"))
    item |= {"awsAccountId": account, "resourceId": name, "resourceName": name, "ARN": f"arn:aws:s3:::{name}", "tags": {}}
    found = item["supplementaryConfiguration"]
    acl = json.loads(found["AccessControlList"])
    acl["grantList"] = acl["grantList"][:1]
    found |= {"AccessControlList": json.dumps(acl), "BucketPolicy": policy_text(TLS_ONLY, TRAIL)}
    found.pop("BucketTaggingConfiguration")
    for key, value in supplementary.items():
        found[key] = value
        if value is None:
            del found[key]
    return item


def policy_text(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"policyText": json.dumps({"Version": "2012-10-17", "Statement": list(statements)})}


def with_policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return bucket(BucketPolicy=policy_text(*statements))


def lock(mode: Any = "GOVERNANCE", days: Any = None, years: Any = None) -> dict[str, Any]:
    retention = {"mode": mode, "days": days, "years": years}
    return {"objectLockEnabled": "Enabled", "rule": {"defaultRetention": retention}}


def known(**changes: Any) -> dict[tuple[Any, ...], Any]:
    facts = {"ownership": "BucketOwnerEnforced", "account": {}, "organization": OWN_ORGANIZATION} | changes
    return {
        (ObjectOwnership, NAME): facts["ownership"],
        (AccountPublicAccessBlock,): facts["account"],
        (OwnOrganization,): facts["organization"],
    }


def judged(
    item: dict[str, Any],
    parameters: ArchiveParameters | None = None,
    settings: Settings = SETTINGS,
    **changes: Any,
) -> Finding:
    facts = StatedFacts(Scope(item["awsAccountId"], REGION, NOW, settings), known(**changes))
    return PciArchiveProtected(settings).decide(item, parameters or ArchiveParameters(), facts)


class Table(unittest.TestCase):
    def good(self, item: dict[str, Any], *arguments: Any, **changes: Any) -> Finding:
        finding = judged(item, *arguments, **changes)
        self.assertEqual((finding.compliance, finding.annotation[:6]), (COMPLIANT, "locked"), finding.annotation)
        return finding

    def bad(self, item: dict[str, Any], expected: str, *arguments: Any, **changes: Any) -> Finding:
        finding = judged(item, *arguments, **changes)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(expected, finding.annotation)
        self.assertRegex(finding.annotation, r" \[PCI 10\.3\.[123]\]$")
        return finding


class WhichBucketsTest(Table):
    def test_others_are_not_applicable(self) -> None:
        finding = judged(bucket("shop-images"))
        self.assertEqual((finding.compliance, finding.annotation), (NOT_APPLICABLE, "not an archive bucket"))

    def test_right_in_everything(self) -> None:
        finding = self.good(bucket())
        self.assertEqual(
            finding.annotation,
            "locked and protected: only log services and the organization write, nobody outside the account changes anything",
        )

    def test_the_name_in_another_account(self) -> None:
        self.bad(bucket(account=MEMBER), f"named as an archive, but held by account {MEMBER}, not by {ARCHIVE} [PCI 10.3.3]")
        self.bad(bucket(account=FOREIGN), "named as an archive")

    def test_the_tag_makes_an_archive_in_any_account(self) -> None:
        tagging = {"tagSets": [{"tags": {"pci:log-archive": "true"}}]}
        item = bucket("team-logs", MEMBER, BucketTaggingConfiguration=tagging)
        self.assertEqual(judged(item).compliance, NON_COMPLIANT)  # its statements are about another bucket: HTTP is open
        item["supplementaryConfiguration"]["BucketPolicy"]["policyText"] = policy_text(TLS_ONLY, TRAIL)["policyText"].replace(
            NAME, "team-logs"
        )
        facts = known() | {(ObjectOwnership, "team-logs"): "BucketOwnerEnforced"}
        scope = Scope(MEMBER, REGION, NOW, SETTINGS)
        finding = PciArchiveProtected().decide(item, ArchiveParameters(), StatedFacts(scope, facts))
        self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)

    def test_the_tag_as_an_event_has_it_and_as_a_sweep_has_it(self) -> None:
        for tags, tagging, compliance in (
            ({"pci:log-archive": "true"}, None, NON_COMPLIANT),
            ({"pci:log-archive": "false"}, None, NOT_APPLICABLE),
            ({}, {"tagSets": [{"tags": {"pci:log-archive": "true"}}]}, NON_COMPLIANT),
            ({}, {"tagSets": [{"tags": {"pci:log-archive": "no"}}]}, NOT_APPLICABLE),
            ({}, {"tagSets": []}, NOT_APPLICABLE),
            ({}, {"tagSets": None}, NOT_APPLICABLE),
        ):
            with self.subTest(tags=tags, tagging=tagging):
                item = bucket("team-logs", BucketTaggingConfiguration=tagging) | {"tags": tags}
                self.assertEqual(judged(item).compliance, compliance)

    def test_without_settings_nothing_passes(self) -> None:
        for settings in (Settings(), Settings(archive_buckets=SETTINGS.archive_buckets)):
            with self.subTest(settings=settings), self.assertRaises(SettingMissing):
                judged(bucket(), settings=settings)


class LockTest(Table):
    def test_object_lock(self) -> None:
        for value, expected in (
            (None, "Object Lock is off"),
            ({"objectLockEnabled": None, "rule": None}, "Object Lock is off"),
            ({"objectLockEnabled": "Enabled", "rule": None}, "no default retention: set GOVERNANCE, 365 days"),
            ({"objectLockEnabled": "Enabled"}, "no default retention"),
            (lock(days=364), "keeps objects 364 days only, expected >= 365"),
            (lock("COMPLIANCE", days=1), "keeps objects 1 day only"),
        ):
            with self.subTest(expected=expected, value=value):
                self.bad(bucket(ObjectLockConfiguration=value), f"{expected}")
        for value in (lock(days=365), lock(days=366), lock(years=1), lock("COMPLIANCE", days=365), lock(days=365, years=0)):
            with self.subTest(value=value):
                self.good(bucket(ObjectLockConfiguration=value))

    def test_demands_are_parameters(self) -> None:
        strict, long = ArchiveParameters(retention_mode="COMPLIANCE"), ArchiveParameters(retention_days=730)
        self.bad(
            bucket(ObjectLockConfiguration=lock(days=365)), "can be bypassed (mode GOVERNANCE), expected COMPLIANCE", strict
        )
        self.good(bucket(ObjectLockConfiguration=lock("COMPLIANCE", days=365)), strict)
        self.bad(bucket(ObjectLockConfiguration=lock(days=729)), "729 days only, expected >= 730", long)
        self.good(bucket(ObjectLockConfiguration=lock(years=2)), long)

    def test_buckets_that_cannot_be_locked(self) -> None:
        item = bucket(ObjectLockConfiguration=None)
        finding = judged(item, ArchiveParameters(unlocked_buckets=("*-archive-trail",)))
        self.assertEqual(finding.compliance, COMPLIANT)
        self.assertTrue(finding.annotation.startswith("protected without Object Lock: only log services"), finding.annotation)
        self.bad(item, "Object Lock is off", ArchiveParameters(unlocked_buckets=("*-archive-config",)))

    def test_retention_that_cannot_be(self) -> None:
        for retention in (
            lock("LEGAL", days=365),
            lock(days=1, years=1),
            lock(),
            lock(days="365"),
            lock(None, days=9),
            lock(days=-1),
        ):
            with (
                self.subTest(retention=retention),
                self.assertRaisesRegex(RuleInputError, "is no period|not known|days is|mode is"),
            ):
                judged(bucket(ObjectLockConfiguration=retention))


class WritersTest(Table):
    def check(self, statements: dict[str, dict[str, Any]], expected: str, number: str = "10.3.2") -> None:
        for name, statement in statements.items():
            with self.subTest(name):
                finding = self.bad(with_policy(TLS_ONLY, TRAIL, statement), expected)
                self.assertTrue(finding.annotation.endswith(f"[PCI {number}]"), finding.annotation)

    def test_services_and_organization(self) -> None:
        """The statements that AWS asks for, and the organization's own principals."""
        service = {"Service": "delivery.logs.amazonaws.com"}
        balancers = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
        put, path = "s3:PutObject", f"{ARN}/AWSLogs/{MEMBER}/*"
        for name, statement in {
            "source account": allow(service, put, StringEquals={"aws:SourceAccount": [MEMBER, ARCHIVE]}),
            "source ARN": allow(service, put, ArnLike={"aws:SourceArn": f"arn:aws:logs:*:{MEMBER}:*"}),
            "source organization": allow(service, put, StringEquals={"aws:SourceOrgID": OWN_ORGANIZATION}),
            "source paths": allow(service, put, StringLike={"aws:SourceOrgPaths": f"{OWN_ORGANIZATION}/r-1/*"}),
            "config": allow({"Service": "config.amazonaws.com"}, put, StringEquals={"AWS:SourceAccount": MEMBER}),
            "export": allow({"Service": "logs.eu-west-1.amazonaws.com"}, put, StringEquals={"aws:SourceAccount": MEMBER}),
            "acl and list": allow(service, ["s3:GetBucketAcl", "s3:ListBucket"], ARN),
            "balancers by path": allow(balancers, put, path),
            "balancers by prefix and path": allow(balancers, put, f"{ARN}/alb/prod/AWSLogs/{MEMBER}/*"),
            "balancers on Outposts": allow({"Service": "logdelivery.elb.amazonaws.com"}, put, path),
            "balancers of a Region": allow({"AWS": "arn:aws:iam::156460612806:root"}, put, path),
            "balancers by organization": allow(balancers, put, StringEquals={"aws:SourceOrgID": OWN_ORGANIZATION}),
            "member": allow({"AWS": MEMBER}, put),
            "member role": allow({"AWS": f"arn:aws:iam::{MEMBER}:role/firehose"}, "s3:PutObject*"[:-1]),
            "organization": allow("*", put, StringEquals={"aws:PrincipalOrgID": OWN_ORGANIZATION}),
            "own account": allow({"AWS": f"arn:aws:iam::{ARCHIVE}:root"}, "s3:*"),
            "replication": allow({"AWS": f"arn:aws:iam::{MEMBER}:role/replication"}, "s3:ReplicateObject"),
        }.items():
            with self.subTest(name):
                self.good(with_policy(TLS_ONLY, TRAIL, statement))

    def test_others(self) -> None:
        balancers = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
        self.check(
            {
                "plain": allow({"AWS": FOREIGN}, "s3:PutObject"),
                "wildcard action": allow({"AWS": FOREIGN}, "s3:Put?bject"),
                "replication": allow({"AWS": FOREIGN}, "s3:ReplicateObject"),
                "a prefix only": allow({"AWS": FOREIGN}, "s3:PutObject", f"{ARN}/a/*"),
            },
            f"{FOREIGN} may s3:",
        )
        self.check(
            {
                "anyone": allow("*", "s3:PutObject"),
                "if it has the key": allow("*", "s3:PutObject", StringEqualsIfExists={"aws:PrincipalOrgID": OWN_ORGANIZATION}),
            },
            "everyone may s3:PutObject",
        )
        for organizations, told in (
            (OTHER_ORGANIZATION, OTHER_ORGANIZATION),
            ("o-*", "o-*"),
            ([OWN_ORGANIZATION, OTHER_ORGANIZATION], f"{OWN_ORGANIZATION} or {OTHER_ORGANIZATION}"),
        ):
            statement = allow("*", "s3:PutObject", StringLike={"aws:PrincipalOrgID": organizations})
            self.check({told: statement}, f"everyone in {told} may s3:PutObject")
        self.check(
            {
                "without condition": allow({"Service": "delivery.logs.amazonaws.com"}, "s3:PutObject"),
                "for another account": allow(
                    {"Service": "delivery.logs.amazonaws.com"}, "s3:PutObject", StringEquals={"aws:SourceAccount": FOREIGN}
                ),
                "for one of ours and another": allow(
                    {"Service": "delivery.logs.amazonaws.com"},
                    "s3:PutObject",
                    StringEquals={"aws:SourceAccount": [MEMBER, FOREIGN]},
                ),
                "any account's ARN": allow(
                    {"Service": "delivery.logs.amazonaws.com"}, "s3:PutObject", ArnLike={"aws:SourceArn": "arn:aws:logs:*:*:*"}
                ),
                "the ACL alone": allow(
                    {"Service": "delivery.logs.amazonaws.com"},
                    "s3:PutObject",
                    StringEquals={"s3:x-amz-acl": "bucket-owner-full-control"},
                ),
                "by path, which only load balancers keep to": allow(
                    {"Service": "delivery.logs.amazonaws.com"}, "s3:PutObject", f"{ARN}/AWSLogs/{MEMBER}/*"
                ),
            },
            "delivery.logs.amazonaws.com may s3:PutObject",
        )
        self.check(
            {
                "every path": allow(balancers, "s3:PutObject"),
                "every account": allow(balancers, "s3:PutObject", f"{ARN}/AWSLogs/*"),
                "another account": allow(balancers, "s3:PutObject", f"{ARN}/AWSLogs/{FOREIGN}/*"),
                "a wildcard before the account": allow(balancers, "s3:PutObject", f"{ARN}/*/AWSLogs/{MEMBER}/*"),
                "an account that begins so": allow(balancers, "s3:PutObject", f"{ARN}/AWSLogs/{MEMBER}*"),
            },
            "logdelivery.elasticloadbalancing.amazonaws.com may s3:PutObject",
        )
        self.check({"not a log service": allow({"Service": "ses.amazonaws.com"}, "s3:PutObject", StringEquals={
            "aws:SourceAccount": MEMBER})}, "ses.amazonaws.com may s3:PutObject")  # fmt: skip
        self.check({"canonical user": allow({"CanonicalUser": "c4c1ede6"}, "s3:PutObject")}, "c4c1ede6 may s3:PutObject")
        self.check({"all but one": {"Effect": "Allow", "NotPrincipal": {"AWS": MEMBER}, "Action": "s3:PutObject",
                                    "Resource": f"{ARN}/*"}}, "everyone may s3:PutObject")  # fmt: skip

    def test_the_services_are_a_parameter(self) -> None:
        statement = allow({"Service": "ssm.amazonaws.com"}, "s3:PutObject", StringEquals={"aws:SourceAccount": MEMBER})
        self.bad(with_policy(TLS_ONLY, statement), "ssm.amazonaws.com may")
        self.good(with_policy(TLS_ONLY, statement), ArchiveParameters(more_log_services=("ssm.amazonaws.com",)))
        self.good(with_policy(TLS_ONLY, TRAIL), ArchiveParameters(more_log_services=("ssm.amazonaws.com",)))

    def test_which_organization_is_the_own(self) -> None:
        item = with_policy(TLS_ONLY, allow("*", "s3:PutObject", StringEquals={"aws:PrincipalOrgID": OTHER_ORGANIZATION}))
        self.good(item, ArchiveParameters(organization_ids=(OTHER_ORGANIZATION,)))
        self.good(item, organization=OTHER_ORGANIZATION)
        self.bad(item, f"everyone in {OTHER_ORGANIZATION} may", organization=None)
        with self.assertRaises(NotAssessed):
            judged(item, organization=NotAssessed("not recorded"))


class ChangersTest(Table):
    def test_what_nobody_outside_may(self) -> None:
        for action in (
            *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateDelete", "s3:BypassGovernanceRetention"),
            *("s3:PutObjectRetention", "s3:PutObjectLegalHold"),
        ):
            with self.subTest(action):
                self.bad(with_policy(TLS_ONLY, allow({"AWS": MEMBER}, action)), f"{MEMBER} may {action} [PCI 10.3.2]")
                self.good(with_policy(TLS_ONLY, allow({"AWS": ARCHIVE}, action)))
                self.good(with_policy(TLS_ONLY, allow({"AWS": MEMBER}, action, ARN)))  # no objects: grants nothing
        for action in (
            *(
                "s3:DeleteBucket",
                "s3:PutBucketPolicy",
                "s3:DeleteBucketPolicy",
                "s3:PutBucketAcl",
                "s3:PutLifecycleConfiguration",
            ),
            *("s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketOwnershipControls"),
            *("s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration", "s3:PutReplicationConfiguration"),
        ):
            with self.subTest(action):
                self.bad(with_policy(TLS_ONLY, allow({"AWS": MEMBER}, action, ARN)), f"{MEMBER} may {action} [PCI 10.3.2]")
                self.good(with_policy(TLS_ONLY, allow({"AWS": ARCHIVE}, action, ARN)))

    def test_wildcards_and_lists(self) -> None:
        for actions in ("s3:*", "*", "s3:Delete*", ["s3:PutObject", "s3:DeleteObject"]):
            with self.subTest(actions=actions):
                self.bad(with_policy(TLS_ONLY, allow({"AWS": MEMBER}, actions)), f"{MEMBER} may s3:DeleteObject")
        statement = allow({"AWS": MEMBER}, "s3:GetBucketAcl")
        statement["NotAction"] = statement.pop("Action")
        self.bad(with_policy(TLS_ONLY, statement), f"{MEMBER} may s3:DeleteObject and ")

    def test_several_actions_of_one_are_counted(self) -> None:
        statement = allow({"AWS": MEMBER}, ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"])
        self.bad(with_policy(TLS_ONLY, statement), f"{MEMBER} may s3:DeleteObject and 2 more [PCI 10.3.2]")

    def test_a_deny_closes_what_it_surely_covers(self) -> None:
        opening = allow({"AWS": MEMBER}, "s3:DeleteObject*")
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:Delete*", "Resource": f"{ARN}/*"}
        self.good(with_policy(TLS_ONLY, opening, deny))
        self.bad(with_policy(TLS_ONLY, opening, deny | {"Condition": {"Bool": {"aws:PrincipalIsAWSService": "false"}}}), MEMBER)
        self.bad(with_policy(TLS_ONLY, opening, deny | {"Resource": f"{ARN}/AWSLogs/*"}), MEMBER)


class ReadersTest(Table):
    def test_readers(self) -> None:
        siem = f"arn:aws:iam::{MEMBER}:role/siem"
        for statement in (
            allow({"AWS": siem}, "s3:GetObject"),
            allow({"AWS": ARCHIVE}, "s3:GetObject*"),
            allow("*", "s3:GetObject", ArnEquals={"aws:PrincipalArn": siem}),
        ):
            with self.subTest(statement=statement):
                self.good(with_policy(TLS_ONLY, statement))
        for statement, who in (
            (allow({"AWS": MEMBER}, "s3:GetObject"), MEMBER),
            (allow({"AWS": f"arn:aws:iam::{FOREIGN}:role/siem"}, "s3:GetObject"), f"arn:aws:iam::{FOREIGN}:role/siem"),
            (allow("*", "s3:GetObject", StringEquals={"aws:PrincipalOrgID": OWN_ORGANIZATION}), "everyone"),
            (allow({"Service": "athena.amazonaws.com"}, "s3:GetObject", StringEquals={"aws:SourceAccount": ARCHIVE}), "athena"),
        ):
            with self.subTest(who=who):
                finding = self.bad(with_policy(TLS_ONLY, statement), f"{who}")
                self.assertIn("may s3:GetObject [PCI 10.3.1]", finding.annotation)
        self.bad(with_policy(TLS_ONLY, allow({"AWS": MEMBER}, "s3:GetObjectVersion")), f"{MEMBER} may s3:GetObjectVersion")


class PlainHttpTest(Table):
    def test_denied_to_everyone(self) -> None:
        for statements in (
            [TLS_ONLY],
            [TLS_ONLY | {"Principal": {"AWS": "*"}}],
            [TLS_ONLY | {"Action": "*"}],
            [TLS_ONLY | {"Resource": "*"}],
            [TLS_ONLY | {"Resource": f"{ARN}*"}],
            [TLS_ONLY | {"Condition": {"BoolIfExists": {"aws:SecureTransport": False}}}],
            [TLS_ONLY | {"Resource": ARN}, TLS_ONLY | {"Resource": f"{ARN}/*"}],
        ):
            with self.subTest(statements=statements):
                self.good(with_policy(*statements))

    def test_open_in_part(self) -> None:
        both, objects, self_only = "the bucket and objects can be", "first: objects can be", "the bucket can be"
        for statement, expected in (
            (TLS_ONLY | {"Effect": "Allow"}, "everyone may"),
            (TLS_ONLY | {"Resource": ARN}, objects[7:]),
            (TLS_ONLY | {"Resource": f"{ARN}/*"}, self_only),
            (TLS_ONLY | {"Resource": f"{ARN}/AWSLogs/*"}, both),
            (TLS_ONLY | {"Action": ["s3:PutObject", "s3:GetObject"]}, both),
            (TLS_ONLY | {"Principal": {"AWS": MEMBER}}, both),
            (TLS_ONLY | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, both),
            (TLS_ONLY | {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:PrincipalIsAWSService": "false"}}}, both),
        ):
            with self.subTest(expected=expected):
                self.bad(with_policy(statement), expected)

    def test_no_policy(self) -> None:
        for value in (None, {"policyText": None}):
            with self.subTest(value=value):
                self.bad(
                    bucket(BucketPolicy=value), "the bucket and objects can be reached over plain HTTP: deny everyone s3:*"
                )


class SettingsTest(Table):
    def test_versioning(self) -> None:
        for value, expected in (
            (None, "versioning is Off, expected Enabled"),
            ({"status": "Suspended", "isMfaDeleteEnabled": None}, "versioning is Suspended"),
            ({"status": "Off", "isMfaDeleteEnabled": None}, "versioning is Off"),
        ):
            with self.subTest(expected=expected):
                self.bad(bucket(BucketVersioningConfiguration=value), f"{expected}")
        self.good(bucket(BucketVersioningConfiguration={"status": "Enabled", "isMfaDeleteEnabled": True}))

    def test_public_access(self) -> None:
        for name in ALL_ON:
            with self.subTest(name):
                item = bucket(PublicAccessBlockConfiguration=ALL_ON | {name: False})
                self.bad(item, f"public access is not blocked: {name} off in bucket and account [PCI 10.3.1]")
                self.good(item, account={name: True})
                self.bad(item, f"blocked: {name} off", account={name: False})
        self.good(bucket(PublicAccessBlockConfiguration=None), account=ALL_ON)
        self.bad(bucket(PublicAccessBlockConfiguration=None), ", ".join(ALL_ON))

    def test_the_account_is_asked_only_where_the_bucket_leaves_something_open(self) -> None:
        self.good(bucket(), account=NotAssessed("not here"))
        with self.assertRaises(NotAssessed):
            judged(bucket(PublicAccessBlockConfiguration=None), account=NotAssessed("not here"))

    def test_encryption(self) -> None:
        def rules(*defaults: Any) -> dict[str, Any]:
            return {
                "rules": [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": False} for default in defaults]
            }

        key = "arn:aws:kms:eu-west-1:300000000003:key/1"
        for default in (
            {"sseAlgorithm": "AES256", "kmsMasterKeyID": None},
            {"sseAlgorithm": "aws:kms", "kmsMasterKeyID": key},
            {"sseAlgorithm": "aws:kms:dsse", "kmsMasterKeyID": key},
        ):
            with self.subTest(default=default):
                self.good(bucket(ServerSideEncryptionConfiguration=rules(default)))
        for value, expected in (
            (None, "no default encryption [PCI 10.3.2]"),
            ({"rules": []}, "no default encryption"),
            (rules(None), "no default encryption"),
            (rules({"sseAlgorithm": "aws:kms", "kmsMasterKeyID": None}), "encrypted with the AWS managed key"),
            (rules({"sseAlgorithm": "aws:kms", "kmsMasterKeyID": "arn:aws:kms:eu-west-1:1:alias/aws/s3"}), "AWS managed key"),
        ):
            with self.subTest(expected=expected):
                self.bad(bucket(ServerSideEncryptionConfiguration=value), expected)

    def test_ownership(self) -> None:
        for rule, told in (
            (None, "not set"),
            ("BucketOwnerPreferred", "BucketOwnerPreferred"),
            ("ObjectWriter", "ObjectWriter"),
        ):
            with self.subTest(rule=rule):
                self.bad(
                    bucket(),
                    f"ACLs are in force: ownership is {told}, expected BucketOwnerEnforced [PCI 10.3.1]",
                    ownership=rule,
                )

    def test_grants_to_others(self) -> None:
        for grantee, told in (
            ("AllUsers", "Write to AllUsers"),
            ("LogDelivery", "Write to LogDelivery"),
            ({"id": "0ther", "displayName": None}, "Write to 0ther"),
            ({"id": "0ther", "displayName": "team"}, "Write to team"),
            ({"identifier": "http://x/y"}, "Write to http://x/y"),
        ):
            with self.subTest(told=told):
                item = bucket()
                acl = json.loads(item["supplementaryConfiguration"]["AccessControlList"])
                acl["grantList"].append({"grantee": grantee, "permission": "Write"})
                for text in (json.dumps(acl), json.dumps(json.dumps(acl)), acl):
                    item["supplementaryConfiguration"]["AccessControlList"] = text
                    self.bad(item, f"the access control list grants {told}; enforce bucket ownership [PCI 10.3.1]")
        self.good(bucket(AccessControlList=None))


class SourceTest(Table):
    def test_a_snapshot_shows_what_is_wrong_but_never_that_all_is_right(self) -> None:
        class Items:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                raise NotAssessed(f"this source holds no {resource_type}")

        facts = RecordedFacts(Items(), Scope(ARCHIVE, REGION, NOW, SETTINGS))
        rule = PciArchiveProtected(SETTINGS)
        with self.assertRaisesRegex(NotAssessed, "object ownership"):
            rule.decide(bucket(), ArchiveParameters(), facts)
        finding = rule.decide(bucket(ObjectLockConfiguration=None), ArchiveParameters(), facts)
        self.assertEqual((finding.compliance, finding.annotation), (NON_COMPLIANT, "Object Lock is off [PCI 10.3.2]"))
        with self.assertRaisesRegex(NotAssessed, "AccountPublicAccessBlock"):
            rule.decide(bucket(PublicAccessBlockConfiguration=None), ArchiveParameters(), facts)

    def test_the_account_block_of_a_snapshot(self) -> None:
        class Items:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                return [json.loads((SAMPLES / "AWS_S3_AccountPublicAccessBlock.json").read_text("utf-8"))]

        found = AccountPublicAccessBlock.recorded(Items(), Scope(ARCHIVE, REGION, NOW, SETTINGS))
        self.assertEqual(dict(found), ALL_ON | {"restrictPublicBuckets": False})

    def test_most_important_first_and_counted(self) -> None:
        item = bucket(
            account=MEMBER, ObjectLockConfiguration=None, BucketPolicy=None, BucketVersioningConfiguration=None,
            PublicAccessBlockConfiguration=None, ServerSideEncryptionConfiguration=None,
        )  # fmt: skip
        finding = self.bad(item, "7 gaps; first: named as an archive", ownership="ObjectWriter")
        self.assertLessEqual(len(finding.annotation), 256)
        right_place = copy.deepcopy(item) | {"awsAccountId": ARCHIVE}
        self.bad(right_place, "6 gaps; first: Object Lock is off [PCI 10.3.2]", ownership="ObjectWriter")

    def test_unreadable_input_is_no_verdict(self) -> None:
        no_text = {"policyText": "{"}
        changes: list[Callable[[dict[str, Any]], Any]] = [
            lambda item: item.update(supplementaryConfiguration=None),
            lambda item: item.update(resourceId=None),
            lambda item: item["supplementaryConfiguration"].update(BucketPolicy=no_text),
            lambda item: item["supplementaryConfiguration"].update(BucketPolicy=policy_text({"Effect": "Permit"})),
            lambda item: item["supplementaryConfiguration"].update(BucketPolicy=policy_text({**TLS_ONLY, "Principal": {}})),
            lambda item: item["supplementaryConfiguration"].update(AccessControlList="{"),
            lambda item: item["supplementaryConfiguration"].update(AccessControlList="{}"),
            lambda item: item["supplementaryConfiguration"].update(ServerSideEncryptionConfiguration={"rules": ["x"]}),
            lambda item: item["supplementaryConfiguration"].update(PublicAccessBlockConfiguration={"blockPublicAcls": "yes"}),
            lambda item: item["supplementaryConfiguration"].update(BucketVersioningConfiguration="Enabled"),
            lambda item: item["supplementaryConfiguration"].update(
                ServerSideEncryptionConfiguration={"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "rot13"}}]}
            ),
        ]
        words = (
            *("supplementaryConfiguration", "resourceId", "BucketPolicy: policyText", "BucketPolicy: policyText"),
            *("BucketPolicy: policyText", r"supplementaryConfiguration\.AccessControlList has"),
            r"supplementaryConfiguration\.AccessControlList has",
            r"supplementaryConfiguration\.ServerSideEncryptionConfiguration has",
            *("blockPublicAcls is str", "BucketVersioningConfiguration", "algorithm 'rot13' is not known"),
        )
        for change, expected in zip(changes, words, strict=True):
            item = bucket()
            change(item)
            with self.subTest(expected), self.assertRaisesRegex(RuleInputError, expected):
                judged(item)

    def test_the_arn_is_the_items_or_made_from_the_name(self) -> None:
        elsewhere = json.loads(json.dumps(bucket()).replace("arn:aws:s3", "arn:aws-cn:s3"))
        for item in (elsewhere, bucket() | {"ARN": None}):
            with self.subTest(item["ARN"]):
                self.good(item)
        self.bad(bucket() | {"ARN": elsewhere["ARN"]}, "plain HTTP")


class ParametersTest(unittest.TestCase):
    def test_bounds(self) -> None:
        rule = PciArchiveProtected()
        raw = {
            "RetentionMode": "COMPLIANCE", "RetentionDays": "3650", "UnlockedBuckets": "a-config-*", "OrganizationIds": "o-abcdefghij",
            "MoreLogServices": "ssm.amazonaws.com",
        }  # fmt: skip
        self.assertEqual(
            rule.evaluate_parameters(raw),
            ArchiveParameters("COMPLIANCE", 3650, ("a-config-*",), ("o-abcdefghij",), ("ssm.amazonaws.com",)),
        )
        for bad in (
            {"RetentionDays": "364"},
            {"RetentionDays": "36501"},
            {"RetentionMode": "NONE"},
            {"OrganizationIds": "o-*"},
            {"MoreLogServices": "*.amazonaws.com"},
            {"UnlockedBuckets": "A"},
            {"Days": "365"},
        ):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                rule.evaluate_parameters(bad)


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


@mock_aws
class LiveTest(unittest.TestCase):
    def scope(self) -> Scope:
        return Scope("123456789012", REGION, NOW, SETTINGS)

    def test_ownership(self) -> None:
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket="one", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.assertIsNone(ObjectOwnership.live(Clients(), self.scope(), "one"))
        controls: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        s3.put_bucket_ownership_controls(Bucket="one", OwnershipControls=controls)
        self.assertEqual(ObjectOwnership.live(Clients(), self.scope(), "one"), "BucketOwnerPreferred")

    def test_account_block(self) -> None:
        self.assertEqual(AccountPublicAccessBlock.live(Clients(), self.scope()), {})
        settings: Any = {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": False,
        }
        boto3.client("s3control", region_name=REGION).put_public_access_block(
            AccountId="123456789012", PublicAccessBlockConfiguration=settings
        )
        found = AccountPublicAccessBlock.live(Clients(), self.scope())
        self.assertEqual(found, ALL_ON | {"restrictPublicBuckets": False})

    def test_organization(self) -> None:
        self.assertIsNone(OwnOrganization.live(Clients(), self.scope()))
        made = boto3.client("organizations", region_name="us-east-1").create_organization(FeatureSet="ALL")["Organization"]
        self.assertEqual(OwnOrganization.live(Clients(), self.scope()), made["Id"])


if __name__ == "__main__":
    unittest.main()
