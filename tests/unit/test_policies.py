"""Every IAM policy and every trust policy we ship: narrow, known to AWS, no way to more rights, nobody else's to use."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from generated import artefacts
from iam_calls import FOLDER as IAM_FOLDER
from policy_lint import DATA, FORBIDDEN, IAM_DATA, OWN_ACCOUNT, PERMISSIONS_MANAGEMENT, definitions, faults

from pci_config.catalogue import documents_folder, project_root
from pci_config.document_policies import document_policies
from pci_config.event_forwarding import FORWARDER_ROLE
from pci_config.iam_policy import Policy, Principal, parse_policy
from pci_config.role_trust import Trusted, judge_trust

ROOT = project_root()
OTHER_ACCOUNT, EVIDENCE = "210987654321", "evidence-bucket"
PLACEHOLDERS = {
    "AWS::Partition": "aws", "AWS::AccountId": OWN_ACCOUNT, "AWS::Region": "eu-west-1", "EvidenceBucket": EVIDENCE,
    "EventBus": f"arn:aws:events:eu-west-1:{OTHER_ACCOUNT}:event-bus/pci-config",
}  # fmt: skip
ARTEFACTS = artefacts()
FOLDER = documents_folder(ROOT)
node = pytest.mark.skipif(
    shutil.which("node") is None or not IAM_DATA.is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)


def filled(value: Any) -> Any:
    """Placeholders, Fn::Sub and Ref replaced."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return filled(value["Fn::Sub"])
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return PLACEHOLDERS[value["Ref"]]
    if isinstance(value, dict):
        return {key: filled(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry) for entry in value]
    if isinstance(value, str):
        for name, text in PLACEHOLDERS.items():
            value = value.replace("${" + name + "}", text)
    return value


def templates() -> dict[str, Any]:
    """Every template of org_setup, as built now, and those that nobody generates."""
    found = {path.parent.name: path.read_text("utf-8") for path in ROOT.glob("org_setup/*/template.yaml")}
    found |= {path.parent.name: text for path, text in ARTEFACTS.checked_in.items() if path.match("org_setup/*/template.yaml")}
    return {name: yaml.safe_load(text) for name, text in sorted(found.items())}


def resources(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for template in templates().values():
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                yield (
                    resource["Properties"].get("RoleName") or resource["Properties"].get("FunctionName"),
                    resource["Properties"],
                )


ROLES = {name: filled(properties) for name, properties in resources("AWS::IAM::Role")}
POLICIES = {
    name: {"Version": "2012-10-17", "Statement": [s for p in role["Policies"] for s in p["PolicyDocument"]["Statement"]]}
    for name, role in ROLES.items()
    if "Policies" in role
}
# roles that have a policy of AWS alone, because a service asks for it
OF_AWS = {"pci-config-aggregator": ["arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"]}
DOCUMENTS = sorted(ARTEFACTS.documents)


# ------------------------------------------------------------------------------------------------------------ policies


def test_every_document_has_a_role_of_its_own_with_its_own_policy() -> None:
    assert set(DOCUMENTS) <= set(ROLES)
    for name, policy in document_policies(FOLDER).items():
        assert POLICIES[name] == filled(policy)
        assert set(ROLES[name]) == {"RoleName", "Description", "AssumeRolePolicyDocument", "Policies", "Tags"}, (
            "nothing beside it"
        )


def test_policies_of_aws_are_used_only_where_a_service_asks_for_one() -> None:
    assert {name: role["ManagedPolicyArns"] for name, role in ROLES.items() if "ManagedPolicyArns" in role} == OF_AWS
    assert set(POLICIES) | set(OF_AWS) == set(ROLES)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_policies_are_clean(name: str) -> None:
    assert faults(POLICIES[name]) == []


def test_only_the_function_reads_every_resource_of_a_type() -> None:
    using = {name for name, policy in POLICIES.items() for s in policy["Statement"] if "RulesJudgeEveryResource" in s["Sid"]}
    assert using == {"pci-config-rules"}


def test_permissions_are_managed_only_where_it_is_meant() -> None:
    assert {action.lower() for action in PERMISSIONS_MANAGEMENT} <= set(definitions())
    assert all(len(reason) > 10 for reason in PERMISSIONS_MANAGEMENT.values())


ACCEPTED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "DescribeHasNoResourceLevel", "Effect": "Allow", "Action": ["ec2:DescribeSecurityGroups"], "Resource": "*"},
        {
            "Sid": "Revoke",
            "Effect": "Allow",
            "Action": "ec2:RevokeSecurityGroupEgress",
            "Resource": f"arn:aws:ec2:*:{OWN_ACCOUNT}:security-group/*",
        },
        {
            "Sid": "Pass",
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/pci-config-trail-*",
            "Condition": {"StringEquals": {"iam:PassedToService": "cloudtrail.amazonaws.com"}},
        },
    ],
}
DESCRIBE, REVOKE, PASS = 0, 1, 2
BUSES = f"arn:aws:events:eu-west-1:{OTHER_ACCOUNT}:event-bus"
GROUPS = f"arn:aws:ec2:*:{OWN_ACCOUNT}:security-group/*"
BROKEN: list[tuple[int, dict[str, Any], str]] = [
    (REVOKE, {"Sid": None}, "every statement needs a Sid of its own"),
    (REVOKE, {"Sid": "Pass"}, "every statement needs a Sid of its own"),
    (REVOKE, {"Effect": "Deny"}, "expected Allow, Action and Resource"),
    (REVOKE, {"Resource": None}, "expected Allow, Action and Resource"),
    (REVOKE, {"NotAction": "s3:*"}, "expected Allow, Action and Resource"),
    (REVOKE, {"Condition": {"StringEqual": {"aws:SourceAccount": "1"}}}, "StringEqual"),
    (REVOKE, {"Action": "ec2:Revoke*"}, "ec2:Revoke* is a wildcard"),
    (REVOKE, {"Action": "*"}, "* is a wildcard"),
    (REVOKE, {"Action": "ec2:RevokeSecurityGroup"}, "ec2:RevokeSecurityGroup is no action of AWS"),
    (REVOKE, {"Resource": "*"}, "Resource is a wildcard; say why in the Sid"),
    (REVOKE, {"Resource": "*", "Sid": "RevokeHasNoResourceLevel"}, "ec2:RevokeSecurityGroupEgress has a resource level"),
    (
        REVOKE,
        {"Resource": "*", "Sid": "RulesJudgeEveryResource"},
        "ec2:RevokeSecurityGroupEgress changes things and is not for",
    ),
    (REVOKE, {"Resource": "arn:aws:*:*:*:*"}, "is no ARN of one service"),
    (REVOKE, {"Resource": "security-group/*"}, "is no ARN of one service"),
    (REVOKE, {"Resource": "arn:aws:ec2:*:*:security-group/*"}, "is not limited to the own account; say why"),
    (REVOKE, {"Resource": f"arn:aws:ec2:*:{OTHER_ACCOUNT}:security-group/*"}, "is not limited to the own account; say why"),
    (
        REVOKE,
        {"Resource": "arn:aws:ec2:*:*:security-group/*", "Sid": "OfOtherAccounts"},
        "and ec2:RevokeSecurityGroupEgress changes things",
    ),
    (REVOKE, {"Resource": [GROUPS, "*"]}, "Resource is a wildcard; say why in the Sid"),
    (REVOKE, {"Action": "events:PutEvents", "Resource": f"{BUSES}/x"}, "is not limited to the own account; say why"),
    (
        REVOKE,
        {"Action": "events:PutEvents", "Resource": f"{BUSES}/*", "Sid": "OfOtherAccounts"},
        "and events:PutEvents changes things",
    ),
    (
        REVOKE,
        {"Action": ["events:PutEvents", "events:PutRule"], "Resource": f"{BUSES}/x", "Sid": "OfOtherAccounts"},
        "changes things",
    ),
    (
        DESCRIBE,
        {"Action": "dynamodb:Query", "Sid": "RulesJudgeEveryResource"},
        "dynamodb:Query reads data and is not for every",
    ),
    (DESCRIBE, {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/evidence"}, "data is read of what is named only"),
    (DESCRIBE, {"Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::*"}, "arn:aws:s3:::* is not limited to the own account"),
    (
        DESCRIBE,
        {
            "Action": "s3:GetBucketAcl",
            "Resource": "arn:aws:s3:::*",
            "Condition": {"StringEquals": {"s3:ResourceAccount": OTHER_ACCOUNT}},
        },
        "arn:aws:s3:::* is not limited to the own account",
    ),
    (
        REVOKE,
        {"Action": "iam:PutRolePolicy", "Resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/x"},
        "iam:PutRolePolicy is a way to more",
    ),
    (REVOKE, {"Action": "IAM:putrolepolicy", "Resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/x"}, "is a way to more rights"),
    (REVOKE, {"Action": "ssm:StartSession", "Resource": f"arn:aws:ec2:*:{OWN_ACCOUNT}:instance/*"}, "is a way to more rights"),
    (REVOKE, {"Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::logs-*"}, "s3:PutBucketPolicy manages permissions"),
    (PASS, {"Condition": None}, "iam:PassRole needs StringEquals iam:PassedToService"),
    (PASS, {"Condition": {"StringLike": {"iam:PassedToService": "*"}}}, "iam:PassRole needs StringEquals iam:PassedToService"),
    (
        PASS,
        {"Condition": {"StringEquals": {"iam:PassedToService": "*"}}},
        "iam:PassRole needs StringEquals iam:PassedToService",
    ),
    (PASS, {"Resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/*"}, "name the role, or how its name begins"),
    (PASS, {"Resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/pci*"}, "name the role, or how its name begins"),
    (PASS, {"Resource": "arn:aws:iam::*:role/pci-config-trail-*"}, "name the role, or how its name begins"),
    (PASS, {"Action": ["iam:PassRole", "iam:GetRole"]}, "iam:PassRole stands in a statement of its own"),
    (REVOKE, {"Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}, "lets requests without the key pass"),
    (
        REVOKE,
        {"Resource": "*", "Sid": "RevokeHasNoResourceLevelForAll"},
        "ec2:RevokeSecurityGroupEgress changes things and is not for",
    ),
    (
        DESCRIBE,
        {"Action": "dynamodb:Scan", "Sid": "ScanHasNoResourceLevelForAll"},
        "dynamodb:Scan reads data and is not for every",
    ),
    (REVOKE, {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}}, "lets requests without the key pass"),
    (REVOKE, {"Condition": {"StringEquals": {"aws:RequestedRegion": ""}}}, "is no value"),
    (REVOKE, {"Condition": {"StringEquals": {"aws:RequestedRegion": "${Region}"}}}, "is no value"),
    (REVOKE, {"Condition": {"StringEquals": {"requestedregion": "eu-west-1"}}}, "requestedregion is no condition key"),
    (REVOKE, {"Condition": {"StringEquals": {"s3:prefix": "a"}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
    (REVOKE, {"Action": "rds:ModifyDBCluster"}, "RESOURCE_MISMATCH"),
]


@pytest.mark.parametrize(
    ("position", "change", "fault"), BROKEN, ids=[f"{n} {fault}" for n, (_, _, fault) in enumerate(BROKEN)]
)
def test_the_linter_names_what_is_wrong(position: int, change: dict[str, Any], fault: str) -> None:
    policy = copy.deepcopy(ACCEPTED)
    statement = {**policy["Statement"][position], **change}  # type: ignore[dict-item]
    policy["Statement"][position] = {key: value for key, value in statement.items() if value is not None}  # type: ignore[index]
    found = faults(policy)
    assert any(fault in text for text in found), found


RIGHT: list[tuple[int, dict[str, Any]]] = [
    (DESCRIBE, {"Action": "config:DescribeConfigurationRecorders", "Sid": "RecordersHasNoResourceLevelForAll"}),
    (
        DESCRIBE,
        {"Action": "ec2:GetManagedPrefixListEntries", "Resource": "arn:aws:ec2:*:*:prefix-list/*", "Sid": "OfOtherAccounts"},
    ),
    (REVOKE, {"Condition": {"StringEqualsIfExists": {"aws:RequestedRegion": "eu-west-1"}}}),
    (REVOKE, {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}}),
    (PASS, {"Resource": [f"arn:aws:iam::{OWN_ACCOUNT}:role/aws-service-role/config.amazonaws.com/*"]}),
]


@pytest.mark.parametrize(("position", "change"), RIGHT)
def test_the_linter_accepts_what_is_narrow_enough(position: int, change: dict[str, Any]) -> None:
    policy = copy.deepcopy(ACCEPTED)
    policy["Statement"][position] = {**policy["Statement"][position], **change}  # type: ignore[dict-item, index]
    assert faults(policy) == []


def test_the_linter_accepts_what_is_right() -> None:
    assert faults(ACCEPTED) == []
    assert "Version is not 2012-10-17" in faults({**ACCEPTED, "Version": "2008-10-17"})


def test_the_linters_lists_name_actions_that_exist() -> None:
    assert FORBIDDEN - set(definitions()) == set()
    assert DATA - set(definitions()) == set()
    assert not FORBIDDEN & {action.lower() for action in PERMISSIONS_MANAGEMENT}


def test_a_policy_larger_than_a_role_takes_is_named() -> None:
    many = [f"arn:aws:ec2:*:{OWN_ACCOUNT}:security-group/sg-{number:017}" for number in range(160)]
    policy = copy.deepcopy(ACCEPTED)
    policy["Statement"][REVOKE]["Resource"] = many  # type: ignore[index]
    assert any("characters; a role takes 10240" in fault for fault in faults(policy))


# --------------------------------------------------------------------------------------------------------------- trust

AUTOMATION, EXECUTION = "ssm.amazonaws.com", "automation-execution/11111111-2222-4333-8444-555555555555"
SERVICES = ("ec2.amazonaws.com", "lambda.amazonaws.com", "config.amazonaws.com", "remediation.config.amazonaws.com")


def origin(account: str, what: str = EXECUTION, region: str = "eu-west-1", service: str = "ssm") -> dict[str, str]:
    return {"aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:{service}:{region}:{account}:{what}"}


ASKED: list[tuple[str, str, dict[str, str], bool]] = [
    ("an execution of the account", AUTOMATION, origin(OWN_ACCOUNT), True),
    ("one of another Region", AUTOMATION, origin(OWN_ACCOUNT, region="us-east-1"), True),
    ("one of another account", AUTOMATION, origin(OTHER_ACCOUNT), False),
    ("another account's execution, our account", AUTOMATION, origin(OTHER_ACCOUNT) | {"aws:SourceAccount": OWN_ACCOUNT}, False),
    ("our execution, another account", AUTOMATION, origin(OWN_ACCOUNT) | {"aws:SourceAccount": OTHER_ACCOUNT}, False),
    ("no origin", AUTOMATION, {}, False),
    ("no source ARN", AUTOMATION, {"aws:SourceAccount": OWN_ACCOUNT}, False),
    ("Run Command", AUTOMATION, origin(OWN_ACCOUNT, "managed-instance/mi-1"), False),
    ("a maintenance window", AUTOMATION, origin(OWN_ACCOUNT, "windowtarget/1"), False),
    ("another service's ARN", AUTOMATION, origin(OWN_ACCOUNT, service="ssm-incidents"), False),
    *((service, service, origin(OWN_ACCOUNT), False) for service in SERVICES),
]
PEOPLE = (
    f"arn:aws:iam::{OWN_ACCOUNT}:user/admin",
    f"arn:aws:iam::{OWN_ACCOUNT}:role/admin",
    f"arn:aws:iam::{OTHER_ACCOUNT}:role/admin",
)


def trust(name: str) -> Policy:
    return parse_policy(ROLES[name]["AssumeRolePolicyDocument"], principals="required")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_documents_role_trusts_automation_of_its_own_account_only(name: str) -> None:
    (statement,) = ROLES[name]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": AUTOMATION},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": OWN_ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{OWN_ACCOUNT}:automation-execution/*"},
        },
    }
    (opening,) = trust(name).openings("sts:*")
    assert (opening.principal, opening.action) == (Principal("Service", AUTOMATION), "sts:*")
    assert opening.source_accounts() == {OWN_ACCOUNT}


@pytest.mark.parametrize(("what", "service", "context", "may"), ASKED, ids=[what for what, *_ in ASKED])
@pytest.mark.parametrize("name", DOCUMENTS[:1])
def test_trust_by_our_own_evaluation(name: str, what: str, service: str, context: dict[str, str], may: bool) -> None:
    known = {"aws:sourceaccount": None, "aws:sourcearn": None} | {key.lower(): value for key, value in context.items()}
    (statement,) = trust(name).statements
    assert (statement.applies(Principal("Service", service), "sts:AssumeRole", None, known) is True) == may


@node
@pytest.mark.parametrize("name", DOCUMENTS)
def test_trust_by_the_simulator(name: str) -> None:
    arn = f"arn:aws:iam::{OWN_ACCOUNT}:role/{name}"
    policy = ROLES[name]["AssumeRolePolicyDocument"]
    common = {"policy": policy, "kind": "resource", "action": "sts:AssumeRole", "resource": arn, "account": OWN_ACCOUNT}
    requests = [{**common, "principal": service, "context": context} for _, service, context, _ in ASKED]
    requests += [{**common, "principal": person, "context": {}} for person in PEOPLE]
    verdicts = [verdict == "Allowed" for verdict in simulated(requests)]
    expected = [*(may for *_, may in ASKED), *(False for _ in PEOPLE)]
    names = [*(what for what, *_ in ASKED), *PEOPLE]
    assert dict(zip(names, verdicts, strict=True)) == dict(zip(names, expected, strict=True))


@node
def test_the_simulator_sees_a_trust_that_is_too_wide() -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": AUTOMATION}, "Action": "sts:AssumeRole"}
    asked = {"policy": {"Version": "2012-10-17", "Statement": [statement]}, "kind": "resource", "principal": AUTOMATION}
    asked |= {"action": "sts:AssumeRole", "resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/wide", "account": OWN_ACCOUNT}
    assert simulated([{**asked, "context": origin(OTHER_ACCOUNT)}, {**asked, "context": {}}]) == ["Allowed", "Allowed"]


def simulated(requests: list[dict[str, Any]]) -> list[str]:
    run = subprocess.run(
        ["node", str(IAM_FOLDER / "simulate_requests.mjs")],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("name", sorted(ROLES))
def test_every_role_of_the_templates_passes_our_own_rule_on_trust(name: str) -> None:
    trusted = Trusted(OWN_ACCOUNT, frozenset, {OWN_ACCOUNT: "own"}, guarded_services=frozenset({AUTOMATION}))
    judged = judge_trust(trust(name), trusted)
    assert judged.faults == ()
    assert not judged.people
    assert {o.principal.kind for o in trust(name).openings("sts:*")} == {"Service"}


@node
def test_no_role_of_the_templates_may_pass_a_documents_role_or_change_one() -> None:
    """To Automation or anything else: only Config's service-linked role and the operators of the organization do."""
    requests = [
        {
            "policy": policy,
            "kind": "identity",
            "principal": f"arn:aws:iam::{OWN_ACCOUNT}:role/{name}",
            "action": action,
            "resource": f"arn:aws:iam::{OWN_ACCOUNT}:role/{document}",
            "account": OWN_ACCOUNT,
            "context": {"iam:PassedToService": service} if action == "iam:PassRole" else {},
        }
        for name, policy in POLICIES.items()
        for document in ("pci-config-rules", *DOCUMENTS)
        for action, service in (
            *(("iam:PassRole", service) for service in (AUTOMATION, "lambda.amazonaws.com", "cloudtrail.amazonaws.com")),
            ("iam:PutRolePolicy", ""),
            ("iam:UpdateAssumeRolePolicy", ""),
            ("sts:AssumeRole", ""),
        )
    ]
    assert set(simulated(requests)) == {"ImplicitlyDenied"}


def test_the_function_is_invoked_by_config_of_its_own_account_only() -> None:
    (permission,) = [
        resource["Properties"]
        for template in templates().values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Permission"
    ]
    assert permission["Principal"] == "config.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_the_forwarder_is_assumed_by_rules_that_forward_only() -> None:
    (statement,) = ROLES[FORWARDER_ROLE]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": OWN_ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{OWN_ACCOUNT}:rule/pci-config-forward-*"},
    }
    rules = [properties["Name"] for _, properties in resources("AWS::Events::Rule")]
    assert rules
    assert all(name.startswith("pci-config-forward-") for name in rules)


def test_roles_have_no_path_and_a_name_that_iam_takes() -> None:
    for name, role in ROLES.items():
        assert re.fullmatch(r"[A-Za-z0-9-]{1,64}", name)
        assert "Path" not in role, "the pack names them without one"
    assert len({name.lower() for name in ROLES}) == len(ROLES), "IAM does not tell names apart by case"


def test_templates_hold_no_other_way_in() -> None:
    """No users, keys, groups or policies that reach further than a role of one stack."""
    kinds = {resource["Type"] for template in templates().values() for resource in template["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith("AWS::IAM::")} - {"AWS::IAM::Role", "AWS::IAM::ServiceLinkedRole"}
    (linked,) = [properties for _, properties in resources("AWS::IAM::ServiceLinkedRole")]
    assert linked == {"AWSServiceName": "config.amazonaws.com"}, "AWS writes its policy, and nobody passes it on"
    assert Path(IAM_FOLDER / "simulate_requests.mjs").is_file()
