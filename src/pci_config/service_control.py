"""Generates the service control policy that keeps an account's own administrators from what pci-config put into it.

Without it an administrator of a member account rewrites a document and runs code with its role, passes the role to something
else, turns the switch, or alters the evidence that a restore relies on. `org_setup/service_control_policy` has the policy, and
the template that attaches it. It grants nothing. It does not bind the management account, nor service-linked roles: AWS Config
starts fixes by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pci_config.catalogue import CatalogueError
from pci_config.documents import yaml_text
from pci_config.event_forwarding import FORWARDER_ROLE, RULE_PREFIX
from pci_config.function_alarms import ALARM_PREFIX
from pci_config.org_templates import FUNCTION_ROLE, HEADER
from pci_config.pack import FUNCTION_NAME
from pci_config.rdk_json import RdkJson
from pci_config.recorder_template import RECORDER
from pci_config.runbook import SWITCH_PARAMETER

FOLDER = Path("org_setup/service_control_policy")
MAX_POLICY_CHARACTERS = 5120  # Organizations quotas: a service control policy as it is sent, white space included
DOCUMENT_PREFIX = "PciConfig-"  # of documents and of their roles
OWN_PREFIX = "pci-config-"  # of the function, and of roles that are no document's
CHANGING_ROLES = ("Add", "Attach", "Create", "Delete", "Detach", "Put", "Remove", "Tag", "Untag", "Update")
CHANGING_DOCUMENTS = ("Create", "Delete", "Modify", "Put", "Update")
CHANGING_PARAMETERS = ("Delete", "Label", "Put", "Unlabel")
CHANGING_FUNCTIONS = ("Add", "Create", "Delete", "Publish", "Put", "Remove", "Tag", "Untag", "Update")
CHANGING_EVENTS = ("Delete", "Disable", "Put", "Remove")
CHANGING_ALARMS = ("Delete", "Disable", "Put", "Set")
# AWS Config itself refuses to delete the delivery channel of a recorder that runs
CHANGING_RECORDER = ("Delete", "Put", "Stop")
CHANGING_LOGS = ("logs:Delete*", "logs:PutRetentionPolicy")
CHANGING_EVIDENCE = (
    "s3:BypassGovernanceRetention",
    "s3:Delete*",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutBucket*",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectVersionAcl",
    "s3:PutReplicationConfiguration",
    "s3:Replicate*",
)


def service_control_policy(rdk_json: RdkJson) -> dict[str, Any]:
    """The policy: what nobody but the deployers of rdk.json may change, and what only its operators may use."""
    protection = rdk_json.model.protection
    roots = _Arns(rdk_json.settings.home_region)
    deployers = [roots.role(pattern) for pattern in protection.deployers]
    operators = [roots.role(pattern) for pattern in protection.operators]
    documents_roles = roots.role(f"{DOCUMENT_PREFIX}*")
    function = roots.regional("lambda", f"function:{FUNCTION_NAME}")
    statements = [
        _deny("Documents", _all("ssm", CHANGING_DOCUMENTS), roots.regional("ssm", f"document/{DOCUMENT_PREFIX}*"), deployers),
        _deny(
            "Roles",
            _all("iam", CHANGING_ROLES),
            [documents_roles, roots.role(f"{OWN_PREFIX}*"), *_own([*protection.deployers, *protection.operators], roots)],
            deployers,
        ),
        _deny("UseOfDocumentRoles", "iam:PassRole", documents_roles, [*deployers, *operators]),
        _deny("UseOfOwnRoles", "iam:PassRole", [roots.role(FUNCTION_ROLE), roots.role(FORWARDER_ROLE)], deployers),
        _deny(
            "Switch",
            _all("ssm", CHANGING_PARAMETERS),
            roots.regional("ssm", f"parameter{SWITCH_PARAMETER}"),
            [*deployers, *operators],
        ),
        _deny("Function", _all("lambda", CHANGING_FUNCTIONS), [function, f"{function}:*"], deployers),
        _deny(
            "FunctionLog",
            list(CHANGING_LOGS),
            f"{roots.regional('logs', f'log-group:/aws/lambda/{FUNCTION_NAME}')}*",
            deployers,
        ),
        _deny(
            "Reports",
            [*_all("events", CHANGING_EVENTS), *_all("cloudwatch", CHANGING_ALARMS)],
            [roots.regional("events", f"rule/{RULE_PREFIX}*"), roots.regional("cloudwatch", f"alarm:{ALARM_PREFIX}*")],
            deployers,
        ),
        _deny(
            "Recorder",
            [f"config:{verb}ConfigurationRecorder" for verb in CHANGING_RECORDER],
            roots.regional("config", f"configuration-recorder/{RECORDER}/*"),
            [*deployers, documents_roles],  # a fix extends it
        ),
    ]
    if rdk_json.evidence_bucket:
        bucket = roots.bucket(rdk_json.evidence_bucket)
        statements += [
            _deny("Evidence", list(CHANGING_EVIDENCE), [bucket, f"{bucket}/*"], deployers),
            _deny("EvidenceByDocumentsOnly", "s3:PutObject", f"{bucket}/*", [documents_roles]),
        ]
    return {"Version": "2012-10-17", "Statement": statements}


def control_files(rdk_json: RdkJson) -> dict[Path, str]:
    """The policy for reading and for the command line, and the template. Raises CatalogueError when it is too long."""
    policy = service_control_policy(rdk_json)
    text = policy_text(policy)
    if len(text) > MAX_POLICY_CHARACTERS:
        raise CatalogueError(
            f"{rdk_json.path}: Protection: the service control policy has {len(text)} characters; AWS takes "
            f"{MAX_POLICY_CHARACTERS}: name fewer roles, or patterns that cover several"
        )
    return {FOLDER / "policy.json": text, FOLDER / "template.yaml": _template(policy)}


def policy_text(policy: Mapping[str, Any]) -> str:
    """As JSON with one statement on each line: white space counts."""
    lines = [json.dumps(statement, separators=(",", ":")) for statement in policy["Statement"]]
    return f'{{"Version":"{policy["Version"]}","Statement":[\n' + ",\n".join(lines) + "\n]}\n"


def _template(policy: Mapping[str, Any]) -> str:
    return HEADER + yaml_text(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "pci-config: protects what it deployed, and evidence. Management account only.",
            "Parameters": {
                "TargetIds": {
                    "Type": "CommaDelimitedList",
                    "Description": "Root, units or member accounts; no such policy binds the management account",
                }
            },
            "Resources": {
                "Policy": {
                    "Type": "AWS::Organizations::Policy",
                    "Properties": {
                        "Name": "pci-config",
                        "Description": "Only the deployers of pci-config change what it deployed",
                        "Type": "SERVICE_CONTROL_POLICY",
                        "TargetIds": {"Ref": "TargetIds"},
                        "Content": policy,
                        "Tags": [{"Key": "pci-config", "Value": "managed"}],
                    },
                }
            },
        }
    )


class _Arns:
    """Names of resources in every account and Region of the organization's partition."""

    def __init__(self, home_region: str) -> None:
        # an organization lies in one partition, and its Regions tell in which
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(home_region.rsplit("-", 2)[0], "aws")
        self._partition = f"arn:{partition}"

    def role(self, pattern: str) -> str:
        return f"{self._partition}:iam::*:role/{pattern}"

    def regional(self, service: str, name: str) -> str:
        return f"{self._partition}:{service}:*:*:{name}"

    def bucket(self, name: str) -> str:
        return f"{self._partition}:s3:::{name}"


def _own(patterns: Iterable[str], roots: _Arns) -> list[str]:
    """Exempt roles must be protected too, or one of that name would be made; those of Identity Center AWS itself protects."""
    return [
        roots.role(pattern) for pattern in patterns if not pattern.startswith(("aws-reserved/", DOCUMENT_PREFIX, OWN_PREFIX))
    ]


def _all(service: str, verbs: Sequence[str]) -> list[str]:
    return [f"{service}:{verb}*" for verb in verbs]


def _deny(sid: str, actions: Any, resources: Any, exempt: Sequence[str]) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": resources}
    return {**statement, "Condition": {"ArnNotLike": {"aws:PrincipalArn": list(exempt)}}}
