"""Every IAM policy we ship, by the parliament linter: known actions, resources that fit them, nothing malformed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from pci_config.catalogue import documents_folder, project_root

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import parliament

PLACEHOLDERS = {
    "AWS::Partition": "aws", "AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1", "EvidenceBucket": "evidence-bucket",
}  # fmt: skip
# The linter's findings that are meant: describe calls have no resource level; buckets carry no account in their ARN, so a
# condition limits them; and a lifecycle can delete logs, which is why that document sets expirations only when told to.
MEANT = ("RESOURCE_STAR", "RESOURCE_EFFECTIVELY_STAR", "RESOURCE_POLICY_PRIVILEGE_ESCALATION")


def filled(value: Any) -> Any:
    """Placeholders and Fn::Sub replaced."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return filled(value["Fn::Sub"])
    if isinstance(value, dict):
        return {key: filled(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry) for entry in value]
    if isinstance(value, str):
        for name, text in PLACEHOLDERS.items():
            value = value.replace("${" + name + "}", text)
    return value


def policies() -> dict[str, Any]:
    folder = documents_folder(project_root())
    found = {path.parent.name: json.loads(path.read_text("utf-8")) for path in folder.glob("*/policy.json")}
    template = yaml.safe_load((project_root() / "org_setup" / "member_global" / "template.yaml").read_text("utf-8"))
    for logical_id, resource in template["Resources"].items():
        for position, policy in enumerate(resource["Properties"]["Policies"]):
            found[f"{logical_id} {position}"] = policy["PolicyDocument"]
    return {name: filled(policy) for name, policy in found.items()}


def narrowed(finding: Any) -> bool:
    """The linter wants a listener ARN to fit Application and Network Load Balancers alike; ours is limited to the former. And
    it does not know that PutConfigurationRecorder has a resource level by now (Service Authorization Reference)."""
    known = ("elasticloadbalancing:Modify", "config:PutConfigurationRecorder")
    return finding.issue == "RESOURCE_MISMATCH" and any(action in str(finding.detail) for action in known)


@pytest.mark.parametrize(("name", "policy"), policies().items(), ids=list(policies()))
def test_policies_are_clean(name: str, policy: Any) -> None:
    findings = parliament.analyze_policy_string(json.dumps(policy)).findings
    assert [str(finding) for finding in findings if finding.issue not in MEANT and not narrowed(finding)] == []
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions), f"{name}: wildcard action"


def test_trust_is_limited_to_our_own_account_and_automations() -> None:
    template = yaml.safe_load((project_root() / "org_setup" / "member_global" / "template.yaml").read_text("utf-8"))
    for logical_id, resource in template["Resources"].items():
        (statement,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if logical_id != "FunctionRole":
            assert statement["Principal"] == {"Service": "ssm.amazonaws.com"}
            assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}


def test_the_function_is_invoked_by_config_of_its_own_account_only(root: Path) -> None:
    template = yaml.safe_load((root / "org_setup" / "member_regional" / "template.yaml").read_text("utf-8"))
    permission = template["Resources"]["Permission"]["Properties"]
    assert permission["Principal"] == "config.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
