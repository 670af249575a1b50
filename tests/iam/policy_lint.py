"""What our own IAM policies must be: narrow, known to AWS, without a way to more rights. Used by tests/unit/test_policies.py.

Actions, their access levels and resource types are those of the Service Authorization Reference, as `parliament` carries them and,
where it is installed, as the simulator's younger data has them.
A wildcard resource needs a reason, written as part of the statement's Sid, the one place in a policy that AWS takes words in:

- `…HasNoResourceLevel…`: AWS knows no resource for these actions; the data must agree;
- `…HasNoResourceLevelForAll…`: whoever asks for all of a type names none; no data, reading only;
- `…OtherAccounts…`: what is read belongs to other accounts or to AWS; reading only, or TELLING one resource that is named;
- `…RulesJudgeEveryResource…`: the rules' function reads the configuration of every resource of a type; no data, reading only.
"""

from __future__ import annotations

import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import parse_policy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament

NO_RESOURCE_LEVEL, OTHER_ACCOUNTS, EVERY_RESOURCE = "HasNoResourceLevel", "OtherAccounts", "RulesJudgeEveryResource"
FOR_ALL = f"{NO_RESOURCE_LEVEL}ForAll"
OWN_ACCOUNT = "123456789012"
IAM_DATA = Path(__file__).resolve().parent / "node_modules" / "@cloud-copilot" / "iam-data" / "data" / "actions"
READING = {"Read", "List"}
MEMBERS = {"Sid", "Effect", "Action", "Resource", "Condition"}
MAX_ROLE_POLICY_CHARACTERS = 10_240  # all inline policies of a role, without white space (IAM quotas)
# The linter's findings that are meant. The first two are judged here, more strictly. The third: a lifecycle can delete logs,
# which is why that document sets expirations only when told to.
MEANT = {"RESOURCE_STAR", "RESOURCE_EFFECTIVELY_STAR", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"}
# Access level "Permissions management" needs a reason: action to why a fix may.
PERMISSIONS_MANAGEMENT = {
    "iam:UpdateAccountPasswordPolicy": "demands on passwords; gives nobody a right",
    "iam:DeleteAccountPasswordPolicy": "taking back the first policy of an account",
    "logs:PutResourcePolicy": "WAF lets log delivery write into the log group that it is pointed at",
    "s3:PutBucketPublicAccessBlock": "blocks public access",
    "s3:PutAccountPublicAccessBlock": "blocks public access",
    "s3:PutBucketOwnershipControls": "switches access lists off",
}
# Ways to more rights than one was given. Sources: Rhino Security Labs, "AWS IAM Privilege Escalation - Methods and Mitigation";
# Bishop Fox, "5 Privesc Attack Vectors in AWS" (both as carried by parliament's auditor and by pacu); and their kin in services
# that came later: whoever may run code, or change what runs, has the rights of that code's role.
ESCALATION = {
    "iam": (
        "AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy "
        "AttachUserPolicy CreateAccessKey CreateLoginProfile CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion "
        "CreateRole CreateSAMLProvider CreateServiceSpecificCredential CreateUser CreateVirtualMFADevice DeactivateMFADevice "
        "DeleteRolePermissionsBoundary DeleteUserPermissionsBoundary EnableMFADevice PutGroupPolicy PutRolePermissionsBoundary "
        "PutRolePolicy PutUserPermissionsBoundary PutUserPolicy ResetServiceSpecificCredential ResyncMFADevice "
        "SetDefaultPolicyVersion UpdateAssumeRolePolicy UpdateLoginProfile UpdateOpenIDConnectProviderThumbprint "
        "UpdateSAMLProvider UploadSSHPublicKey UploadSigningCertificate"
    ),
    "sts": "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity GetFederationToken GetSessionToken",
    "lambda": "AddPermission CreateEventSourceMapping CreateFunction InvokeFunction UpdateFunctionCode UpdateFunctionConfiguration",
    "ec2": "AssociateIamInstanceProfile ModifyInstanceAttribute ReplaceIamInstanceProfileAssociation RunInstances",
    "ec2-instance-connect": "SendSSHPublicKey SendSerialConsoleSSHPublicKey",
    "ssm": (
        "CreateAssociation CreateDocument ModifyDocumentPermission PutParameter SendCommand StartAutomationExecution StartSession "
        "UpdateAssociation UpdateDocument UpdateDocumentDefaultVersion"
    ),
    "cloudformation": "CreateChangeSet CreateStack CreateStackInstances CreateStackSet ExecuteChangeSet UpdateStack UpdateStackSet",
    "glue": "CreateDevEndpoint CreateJob CreateSession UpdateDevEndpoint UpdateJob",
    "datapipeline": "CreatePipeline PutPipelineDefinition",
    "sagemaker": (
        "CreateNotebookInstance CreatePresignedNotebookInstanceUrl CreateProcessingJob CreateTrainingJob "
        "UpdateNotebookInstanceLifecycleConfig"
    ),
    "codebuild": "CreateProject StartBuild StartBuildBatch UpdateProject",
    "codestar": "AssociateTeamMember CreateProject",
    "ecs": "ExecuteCommand RunTask StartTask",
    "states": "CreateStateMachine StartExecution UpdateStateMachine",
    "kms": "CreateGrant PutKeyPolicy",
    "organizations": "AttachPolicy CreatePolicy DeletePolicy DetachPolicy DisablePolicyType LeaveOrganization UpdatePolicy",
    "sso": "AttachManagedPolicyToPermissionSet CreateAccountAssignment PutInlinePolicyToPermissionSet",
}
FORBIDDEN = {f"{service}:{name}".lower() for service, names in ESCALATION.items() for name in names.split()}
# They hand a fact to whoever is named, and change nothing there.
TELLING = {"events:putevents"}
# They read data or secrets, not configuration: only of what is named.
READING_DATA = {
    "dynamodb": "BatchGetItem GetItem Query Scan",
    "kinesis": "GetRecords",
    "kms": "Decrypt",
    "lambda": "GetFunction",
    "logs": "FilterLogEvents GetLogEvents StartQuery",
    "rds-data": "ExecuteStatement",
    "s3": "GetObject GetObjectVersion",
    "secretsmanager": "BatchGetSecretValue GetSecretValue",
    "sqs": "ReceiveMessage",
    "ssm": "GetParameter GetParameterHistory GetParameters GetParametersByPath",
}
DATA = {f"{service}:{name}".lower() for service, names in READING_DATA.items() for name in names.split()}


@functools.cache
def definitions() -> Mapping[str, tuple[str, bool]]:
    """Action in small letters to its access level and whether it has a resource level."""
    return {
        f"{service['prefix']}:{entry['privilege']}".lower(): (
            entry["access_level"],
            any(kind["resource_type"] for kind in entry["resource_types"]),
        )
        for service in parliament.iam_definition
        for entry in service["privileges"]
    }


def newest(policy: Mapping[str, Any]) -> Mapping[str, tuple[str, bool]]:
    """What the simulator's data says of the policy's services; nothing where it is not installed."""
    found = {}
    for service in {action.split(":")[0].lower() for s in policy["Statement"] for action in listed(s.get("Action", []))}:
        path = IAM_DATA / f"{service}.json"
        for name, entry in (json.loads(path.read_text("utf-8")) if path.is_file() else {}).items():
            found[f"{service}:{name}"] = (entry["accessLevel"], bool(entry["resourceTypes"]))
    return found


def faults(policy: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with an identity policy whose placeholders are filled in."""
    found = list(_form(policy))
    if found:
        return found
    known = {**definitions(), **newest(policy)}
    for statement in policy["Statement"]:
        for fault in _statement(statement, known):
            found.append(f"{statement['Sid']}: {fault}")
    size = len(re.sub(r"\s", "", json.dumps(policy)))
    if size > MAX_ROLE_POLICY_CHARACTERS:
        found.append(f"{size} characters; a role takes {MAX_ROLE_POLICY_CHARACTERS}")
    return found + list(_parliament(policy, known))


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _form(policy: Mapping[str, Any]) -> Iterator[str]:
    if policy.get("Version") != "2012-10-17":
        yield "Version is not 2012-10-17"
    sids = [statement.get("Sid") for statement in policy["Statement"]]
    if None in sids or len(set(sids)) != len(sids):
        yield "every statement needs a Sid of its own"
    for statement in policy["Statement"]:
        if set(statement) - MEMBERS or statement.get("Effect") != "Allow" or not {"Action", "Resource"} <= set(statement):
            yield f"{statement.get('Sid')}: expected Allow, Action and Resource, and at most a Condition"
    try:
        parse_policy(policy, principals="refused")
    except PolicyError as error:
        yield str(error)


def _statement(statement: Mapping[str, Any], known: Mapping[str, tuple[str, bool]]) -> Iterator[str]:
    actions, sid = listed(statement["Action"]), statement["Sid"]
    for action in actions:
        if "*" in action or "?" in action:
            yield f"{action} is a wildcard"
        elif action.lower() not in known:
            yield f"{action} is no action of AWS"
        else:
            yield from _action(action, *known[action.lower()])
    if any("*" in action or action.lower() not in known for action in actions):
        return
    for resource in listed(statement["Resource"]):
        yield from _resource(resource, actions, sid, statement.get("Condition") or {}, known)
    if "iam:passrole" in {action.lower() for action in actions}:
        yield from _passing(statement)
    yield from _conditions(statement.get("Condition") or {})


def _action(action: str, level: str, _: bool) -> Iterator[str]:
    if action.lower() in FORBIDDEN:
        yield f"{action} is a way to more rights"
    elif level.startswith("Permissions management") and action not in PERMISSIONS_MANAGEMENT and action != "iam:PassRole":
        yield f"{action} manages permissions; say in PERMISSIONS_MANAGEMENT why a fix may"


def _resource(
    resource: str, actions: list[str], sid: str, condition: Mapping[str, Any], known: Mapping[str, tuple[str, bool]]
) -> Iterator[str]:
    changing = [action for action in actions if not set(known[action.lower()][0].split(", ")) <= READING]
    if resource == "*":
        if EVERY_RESOURCE in sid or FOR_ALL in sid:
            yield from (f"{action} changes things and is not for every resource" for action in changing)
            yield from (f"{action} reads data and is not for every resource" for action in actions if action.lower() in DATA)
        elif NO_RESOURCE_LEVEL not in sid:
            yield f"Resource is a wildcard; say why in the Sid ({NO_RESOURCE_LEVEL})"
        else:
            limitable = [action for action in actions if known[action.lower()][1]]
            yield from (f"{action} has a resource level: limit it, or move it to another statement" for action in limitable)
        return
    parts = resource.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] in ("", "*"):
        yield f"{resource} is no ARN of one service"
        return
    service, account, name = parts[2], parts[4], parts[5]
    if name.startswith("*") and any(action.lower() in DATA for action in actions):
        yield f"{resource}: data is read of what is named only"
    mine = account == OWN_ACCOUNT
    if service == "s3" and not account:
        limited = (condition.get("StringEquals") or {}).get("s3:ResourceAccount") == OWN_ACCOUNT
        mine = limited or not name.startswith(("*", "?"))
    elif service == "apigateway" and not account:
        mine = True  # its ARNs have no account, and it serves the caller's own
    if not mine and OTHER_ACCOUNTS not in sid:
        yield f"{resource} is not limited to the own account; say why in the Sid ({OTHER_ACCOUNTS})"
    elif not mine and changing and not ({action.lower() for action in changing} <= TELLING and not set("*?") & set(resource)):
        yield f"{resource} is not limited to the own account, and {', '.join(changing)} changes things"


def _passing(statement: Mapping[str, Any]) -> Iterator[str]:
    services = listed(((statement.get("Condition") or {}).get("StringEquals") or {}).get("iam:PassedToService") or [])
    if not services or any("*" in service or not service.endswith(".amazonaws.com") for service in services):
        yield "iam:PassRole needs StringEquals iam:PassedToService with a service"
    if listed(statement["Action"]) not in (["iam:PassRole"],):
        yield "iam:PassRole stands in a statement of its own"
    for resource in listed(statement["Resource"]):
        if not re.match(rf"arn:[a-z-]+:iam::{OWN_ACCOUNT}:role/[\w+=,.@/-]{{4,}}", resource):
            yield f"iam:PassRole on {resource}: name the role, or how its name begins"


def _conditions(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    demanded = {
        key.lower()
        for key, value in (condition.get("Null") or {}).items()
        if [str(v).lower() for v in listed(value)] == ["false"]
    }
    for operator, keys in condition.items():
        for key, value in keys.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9:/._${}-]+", key):
                yield f"{key} is no condition key"
            if not listed(value) or any(isinstance(entry, str) and ("${" in entry or not entry) for entry in listed(value)):
                yield f"{operator} {key}: {value!r} is no value"
            passes_without = "Not" in operator or operator.startswith("ForAllValues:")  # IfExists says so itself
            if passes_without and key.lower() not in demanded and not operator.endswith("IfExists"):
                yield f"{operator} {key} lets requests without the key pass; add Null false"


def _parliament(policy: Mapping[str, Any], known: Mapping[str, tuple[str, bool]]) -> Iterator[str]:
    for finding in parliament.analyze_policy_string(json.dumps(policy)).findings:
        if finding.issue == "RESOURCE_MISMATCH":
            yield from (f"RESOURCE_MISMATCH: {entry}" for entry in finding.detail if not _narrowed(entry, known))
        elif finding.issue not in MEANT:
            yield f"{finding.issue}: {finding.detail} {finding.location}"


def _narrowed(mismatch: Mapping[str, str], known: Mapping[str, tuple[str, bool]]) -> bool:
    """It wants a listener's ARN to fit every kind of load balancer, and ours may be limited to one; and it knows no resource of
    some actions that have got one since: whether ours fits those, the simulator tells."""
    since = mismatch["required_format"] == "*" and known[mismatch["action"].lower()][1]
    return bool(since or mismatch["action"].startswith("elasticloadbalancing:Modify"))
