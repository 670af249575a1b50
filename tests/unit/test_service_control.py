"""The service control policy: what it refuses to whom, and what it leaves alone, by a policy simulator and by our own parser."""

from __future__ import annotations

import fnmatch
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from generated import artefacts
from iam_calls import FOLDER as IAM_FOLDER
from policy_lint import definitions, listed

from pci_config.catalogue import CatalogueError, project_root
from pci_config.iam_policy import parse_policy
from pci_config.pack import FUNCTION_NAME
from pci_config.rdk_json import RdkJson, SettingsError
from pci_config.runbook import SWITCH_PARAMETER
from pci_config.service_control import (
    DOCUMENT_PREFIX,
    FOLDER,
    MAX_POLICY_CHARACTERS,
    OWN_PREFIX,
    control_files,
    policy_text,
    service_control_policy,
)

ROOT = project_root()
RDK_JSON = RdkJson.load(ROOT / "rdk.json")
POLICY = service_control_policy(RDK_JSON)
ACCOUNT, OTHER, REGION = "600000000006", "700000000007", "eu-west-1"
IAM, BUCKET = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:s3:::{RDK_JSON.evidence_bucket}"
ADMIN, OPERATOR, DEPLOYER = (
    f"{IAM}:role/admin",
    f"{IAM}:role/pci-config-operator",
    f"{IAM}:role/stacksets-exec-0123456789abcdef",
)
FIX = f"{IAM}:role/PciConfig-SetPasswordPolicy"
DOCUMENT = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/PciConfig-SetPasswordPolicy"
SWITCH = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{SWITCH_PARAMETER}"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION_NAME}"
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{FUNCTION_NAME}"
FORWARD = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pci-config-forward-compliance"
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:pci-config-rules-errors"
RECORD = f"{BUCKET}/remediation/{ACCOUNT}/{REGION}/PciConfig-SetPasswordPolicy/{ACCOUNT}/id/before.json"
PASSED = {"iam:PassedToService": "ssm.amazonaws.com"}

# (action, resource): nobody but the deployers may
FOR_DEPLOYERS = [
    *((f"ssm:{action}", DOCUMENT) for action in ("UpdateDocument", "UpdateDocumentDefaultVersion", "UpdateDocumentMetadata")),
    *((f"ssm:{action}", DOCUMENT) for action in ("CreateDocument", "DeleteDocument", "ModifyDocumentPermission")),
    *(
        (f"iam:{action}", role)
        for action in (
            "AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy",
            "PutRolePermissionsBoundary", "PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole",
            "UpdateRoleDescription",
        )
        for role in (FIX, f"{IAM}:role/pci-config-rules", OPERATOR, DEPLOYER)
    ),
    ("iam:PassRole", f"{IAM}:role/pci-config-rules"),
    *(
        (f"lambda:{action}", FUNCTION)
        for action in (
            "AddPermission", "CreateFunction", "DeleteFunction", "DeleteFunctionConcurrency", "PublishVersion", "PutFunctionConcurrency",
            "PutFunctionEventInvokeConfig", "RemovePermission", "UpdateFunctionCode", "UpdateFunctionConfiguration",
        )
    ),
    ("lambda:DeleteFunction", f"{FUNCTION}:1"),
    ("iam:PassRole", f"{IAM}:role/pci-config-event-forwarder"),
    *((f"events:{action}", FORWARD) for action in ("DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets")),
    *((f"cloudwatch:{action}", ALARM) for action in ("DeleteAlarms", "DisableAlarmActions", "PutMetricAlarm", "SetAlarmState")),
    *((f"logs:{action}", LOG) for action in ("DeleteLogGroup", "DeleteRetentionPolicy", "PutRetentionPolicy")),
    ("logs:DeleteLogStream", f"{LOG}:log-stream:2026/11/25/x"),
    *(
        (f"s3:{action}", BUCKET)
        for action in (
            "DeleteBucket", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketObjectLockConfiguration", "PutBucketOwnershipControls",
            "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketVersioning", "PutEncryptionConfiguration",
            "PutLifecycleConfiguration", "PutReplicationConfiguration",
        )
    ),
    *(
        (f"s3:{action}", RECORD)
        for action in (
            "BypassGovernanceRetention", "DeleteObject", "DeleteObjectVersion", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention",
            "PutObjectVersionAcl", "ReplicateDelete", "ReplicateObject",
        )
    ),
]  # fmt: skip
# nobody but the deployers and the documents may
FOR_FIXES = [
    *(
        (f"config:{action}ConfigurationRecorder", f"arn:aws:config:{REGION}:{ACCOUNT}:configuration-recorder/pci-config/1a2b")
        for action in ("Delete", "Put", "Stop")
    )
]
# the operators too
FOR_OPERATORS = [
    ("iam:PassRole", FIX),
    *((f"ssm:{action}", SWITCH) for action in ("PutParameter", "DeleteParameter", "DeleteParameters", "LabelParameterVersion")),
]
EVIDENCE = [("s3:PutObject", RECORD), ("s3:PutObject", f"{BUCKET}/other")]
# and what it is nothing to us
ANYONE = [
    ("ssm:GetDocument", DOCUMENT),
    ("ssm:DescribeDocument", DOCUMENT),
    ("ssm:StartAutomationExecution", DOCUMENT.replace(":document/", ":automation-definition/") + ":1"),
    ("ssm:UpdateDocument", DOCUMENT.replace("PciConfig-", "Team-")),
    ("ssm:UpdateDocument", DOCUMENT.replace("document/", "document/My")),
    ("ssm:GetParameter", SWITCH),
    ("ssm:PutParameter", SWITCH + "-of-a-team"),
    ("ssm:PutParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/team/remediation"),
    ("iam:GetRole", FIX),
    ("iam:ListRolePolicies", FIX),
    ("iam:PassRole", f"{IAM}:role/team"),
    ("iam:PutRolePolicy", f"{IAM}:role/team"),
    ("iam:CreateRole", f"{IAM}:role/team/PciConfig-X"),
    ("iam:CreateUser", f"{IAM}:user/PciConfig-X"),
    ("lambda:InvokeFunction", FUNCTION),
    ("lambda:GetFunction", FUNCTION),
    ("lambda:UpdateFunctionCode", FUNCTION + "-of-a-team"),
    ("logs:FilterLogEvents", LOG),
    ("events:PutRule", FORWARD.replace("pci-config-", "team-")),
    ("events:PutEvents", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"),
    ("cloudwatch:PutMetricAlarm", ALARM.replace("pci-config-", "team-")),
    ("config:StopConfigurationRecorder", f"arn:aws:config:{REGION}:{ACCOUNT}:configuration-recorder/default/1a2b"),
    ("config:StartConfigurationRecorder", f"arn:aws:config:{REGION}:{ACCOUNT}:configuration-recorder/pci-config/1a2b"),
    ("logs:DeleteLogGroup", LOG.replace("/aws/lambda/", "/team/")),
    ("s3:GetObject", RECORD),
    ("s3:ListBucket", BUCKET),
    ("s3:PutObject", "arn:aws:s3:::team-bucket/key"),
    ("s3:DeleteObject", f"{BUCKET}-of-a-team/key"),
]
OTHERS = {
    "an administrator": ADMIN,
    "the root user": f"{IAM}:root",
    "a user of a document's name": f"{IAM}:user/PciConfig-SetPasswordPolicy",
    "a role whose name ends like a deployer's": f"{IAM}:role/my-stacksets-exec-1",
    "a role with a deployer's name behind a path": f"{IAM}:role/team/stacksets-exec-1",
    "a role that looks like the operators'": f"{IAM}:role/pci-config-operators",
    "the function": f"{IAM}:role/pci-config-rules",
}
node = pytest.mark.skipif(
    shutil.which("node") is None or not (IAM_FOLDER / "node_modules").is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)


def verdicts(principal: str, asked: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What comes of each request when the principal's own policies allow everything."""
    requests = [
        {
            "principal": principal,
            "action": action,
            "resource": resource,
            "account": ACCOUNT,
            "context": {"aws:PrincipalArn": principal, **(PASSED if action == "iam:PassRole" else {})},
        }
        for action, resource in asked
    ]
    payload = json.dumps({"policy": POLICY, "requests": requests})
    run = subprocess.run(
        ["node", str(IAM_FOLDER / "simulate_control.mjs")], input=payload, capture_output=True, text=True, check=True
    )
    return dict(zip(asked, json.loads(run.stdout), strict=True))


def of(asked: list[tuple[str, str]], verdict: str) -> dict[tuple[str, str], str]:
    return dict.fromkeys(asked, verdict)


@node
@pytest.mark.parametrize("who", OTHERS)
def test_nobody_else_changes_or_uses_what_is_deployed(who: str) -> None:
    denied = [*FOR_DEPLOYERS, *FOR_FIXES, *FOR_OPERATORS, *EVIDENCE]
    assert verdicts(OTHERS[who], denied) == of(denied, "ExplicitlyDenied")
    assert verdicts(OTHERS[who], ANYONE) == of(ANYONE, "Allowed")


@node
def test_deployers_change_everything_but_evidence() -> None:
    allowed = [*FOR_DEPLOYERS, *FOR_FIXES, *FOR_OPERATORS, *ANYONE]
    assert verdicts(DEPLOYER, allowed) == of(allowed, "Allowed")
    assert verdicts(DEPLOYER, EVIDENCE) == of(EVIDENCE, "ExplicitlyDenied")


@node
def test_operators_start_fixes_and_turn_the_switch_and_no_more() -> None:
    allowed = [*FOR_OPERATORS, *ANYONE]
    assert verdicts(OPERATOR, allowed) == of(allowed, "Allowed")
    denied = [*FOR_DEPLOYERS, *FOR_FIXES, *EVIDENCE]
    assert verdicts(OPERATOR, denied) == of(denied, "ExplicitlyDenied")


@node
def test_a_document_writes_evidence_and_changes_nothing_of_its_own() -> None:
    assert verdicts(FIX, [*EVIDENCE, *FOR_FIXES]) == of([*EVIDENCE, *FOR_FIXES], "Allowed")
    denied = [*FOR_DEPLOYERS, *FOR_OPERATORS]
    assert verdicts(FIX, denied) == of(denied, "ExplicitlyDenied")


@node
def test_another_accounts_roles_are_bound_alike() -> None:
    assert verdicts(ADMIN.replace(ACCOUNT, OTHER), EVIDENCE) == of(EVIDENCE, "ExplicitlyDenied")


# -------------------------------------------------------------------------------------------------------- what it covers


def covered(kind: str, name: str) -> bool:
    (statement,) = [s for s in POLICY["Statement"] if s["Sid"] == kind]
    return any(fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in listed(statement["Resource"]))


def test_it_covers_everything_that_the_templates_deploy() -> None:
    built = artefacts()
    kinds = set()
    for path, text in built.checked_in.items():
        if not path.match("org_setup/member_*/template.yaml"):
            continue
        for resource in yaml.safe_load(text)["Resources"].values():
            properties, kind = resource["Properties"], resource["Type"]
            kinds.add(kind)
            if kind == "AWS::IAM::Role":
                assert covered("Roles", f"{IAM}:role/{properties['RoleName']}")
                use = "UseOfOwnRoles" if properties["RoleName"].startswith(OWN_PREFIX) else "UseOfDocumentRoles"
                assert covered(use, f"{IAM}:role/{properties['RoleName']}")
            elif kind == "AWS::SSM::Document":
                assert covered("Documents", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/{properties['Name']}")
            elif kind == "AWS::SSM::Parameter":
                assert covered("Switch", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{properties['Name']}")
            elif kind == "AWS::Lambda::Function":
                assert covered("Function", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{properties['FunctionName']}")
            elif kind == "AWS::Logs::LogGroup":
                begins, _of_the_stack = properties["LogGroupName"]["Fn::Join"][1]
                assert covered("FunctionLog", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{begins}-1a2b")
            elif kind == "AWS::Events::Rule":
                assert covered("Reports", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{properties['Name']}")
            elif kind == "AWS::CloudWatch::Alarm":
                assert covered("Reports", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{properties['AlarmName']}")
            elif kind == "AWS::Config::ConfigurationRecorder":
                assert covered(
                    "Recorder", f"arn:aws:config:{REGION}:{ACCOUNT}:configuration-recorder/{properties['Name']}/1a2b"
                )
    known = {"AWS::IAM::Role", "AWS::SSM::Document", "AWS::SSM::Parameter", "AWS::Lambda::Function", "AWS::Logs::LogGroup"}
    known |= {"AWS::Events::Rule", "AWS::CloudWatch::Alarm", "AWS::Config::ConfigurationRecorder"}
    beside = {
        "AWS::Lambda::Permission": "part of the function",
        "AWS::Config::DeliveryChannel": "AWS Config keeps the channel of a recorder that runs",
        "AWS::IAM::ServiceLinkedRole": "AWS protects it",
    }
    assert kinds - known == set(beside), "a new kind needs a statement"


def test_it_only_denies_and_every_action_exists() -> None:
    parsed = parse_policy(POLICY, principals="refused")
    assert not any(statement.allows for statement in parsed.statements)
    for statement in POLICY["Statement"]:
        assert list(statement["Condition"]) == ["ArnNotLike"]
        assert statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"], "someone must be able to"
        for action in listed(statement["Action"]):
            assert action.count("*") == action.endswith("*"), "Organizations takes a wildcard at the end only"
            assert fnmatch.filter(definitions(), action.lower()), f"{action} is no action of AWS"


def test_it_stays_far_from_the_limit() -> None:
    assert MAX_POLICY_CHARACTERS == 5120
    assert len(policy_text(POLICY)) <= MAX_POLICY_CHARACTERS - 1500, "room for names of roles"
    assert json.loads(policy_text(POLICY)) == POLICY


def test_prefixes_are_those_of_the_names() -> None:
    assert FUNCTION_NAME.startswith(OWN_PREFIX)
    assert all(name.startswith(DOCUMENT_PREFIX) for name in artefacts().documents)


# ------------------------------------------------------------------------------------------------------------- settings


def loaded(tmp_path: Path, **changes: Any) -> RdkJson:
    path = tmp_path / "rdk.json"
    path.write_text(json.dumps(RDK_JSON.document | changes), "utf-8")
    return RdkJson.load(path)


def test_without_an_evidence_bucket_there_is_none_to_protect(tmp_path: Path) -> None:
    policy = service_control_policy(loaded(tmp_path, Remediation={}))
    assert [s["Sid"] for s in POLICY["Statement"] if s not in policy["Statement"]] == ["Evidence", "EvidenceByDocumentsOnly"]


def test_without_operators_only_config_starts_fixes(tmp_path: Path) -> None:
    policy = service_control_policy(loaded(tmp_path, Protection={}))
    found = {s["Sid"]: s["Condition"]["ArnNotLike"]["aws:PrincipalArn"] for s in policy["Statement"]}
    assert found["UseOfDocumentRoles"] == ["arn:aws:iam::*:role/stacksets-exec-*"]


def test_exempt_roles_are_protected_but_for_those_of_identity_center(tmp_path: Path) -> None:
    reserved = "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_PciOperator_*"
    policy = service_control_policy(
        loaded(tmp_path, Protection={"Deployers": ["deploy"], "Operators": [reserved, "pci-config-x"]})
    )
    found = {s["Sid"]: s for s in policy["Statement"]}
    prefix = "arn:aws:iam::*:role/"
    assert found["Roles"]["Resource"] == [f"{prefix}PciConfig-*", f"{prefix}pci-config-*", f"{prefix}deploy"]
    exempt = found["Switch"]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    assert exempt == [f"{prefix}deploy", f"{prefix}{reserved}", f"{prefix}pci-config-x"]


@pytest.mark.parametrize(
    ("home", "partition"),
    [
        ("eu-west-1", "aws"),
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("ap-southeast-2", "aws"),
    ],
)
def test_names_are_of_the_organizations_partition(tmp_path: Path, home: str, partition: str) -> None:
    text = policy_text(service_control_policy(loaded(tmp_path, HomeRegion=home, Regions=[home])))
    assert text.count(f"arn:{partition}:") == text.count("arn:")


def test_too_many_roles_stop_the_build(tmp_path: Path) -> None:
    def many(count: int) -> dict[str, Any]:
        return {"Operators": [f"team-with-a-long-name-{number:03}" for number in range(count)]}

    assert control_files(loaded(tmp_path, Protection=many(10)))
    with pytest.raises(CatalogueError, match=r"Protection: the service control policy has \d+ characters; AWS takes 5120"):
        control_files(loaded(tmp_path, Protection=many(60)))


@pytest.mark.parametrize(
    "pattern",
    ["*", "a*", "abc*", "*admin", "admin role", "aws-reserved/*", "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_*", "?dmin"],
)
def test_patterns_that_let_anyone_through_are_refused(tmp_path: Path, pattern: str) -> None:
    for field in ("Deployers", "Operators"):
        with pytest.raises(SettingsError, match="a pattern that begins with 4 characters of it"):
            loaded(tmp_path, Protection={field: [pattern]})


def test_nobody_to_deploy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one entry"):
        loaded(tmp_path, Protection={"Deployers": []})


@pytest.mark.parametrize(
    "pattern", ["deploy", "abcd*", "team/deploy-?", "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Ops_*"]
)
def test_names_and_patterns_are_taken(tmp_path: Path, pattern: str) -> None:
    assert loaded(tmp_path, Protection={"Deployers": [pattern]}).model.protection.deployers == [pattern]


# ------------------------------------------------------------------------------------------------------------- template


def test_the_template_attaches_the_policy_where_it_is_told_to() -> None:
    template = yaml.safe_load(control_files(RDK_JSON)[FOLDER / "template.yaml"])
    (policy,) = template["Resources"].values()
    assert policy["Properties"]["Content"] == POLICY
    assert policy["Properties"]["Type"] == "SERVICE_CONTROL_POLICY"
    assert policy["Properties"]["TargetIds"] == {"Ref": "TargetIds"}
    assert "Default" not in template["Parameters"]["TargetIds"], "where it binds is a decision"
    assert (ROOT / FOLDER / "README.md").is_file()
