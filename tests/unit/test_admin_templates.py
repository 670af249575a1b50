"""The delegated administrator's own templates: what they keep, who may read and write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pci_config.admin_templates import RETENTION_DAYS, artifacts, delegated_admin
from pci_config.rdk_json import RdkJson


def changed(root: Path, tmp_path: Path, **fields: Any) -> RdkJson:
    document = {**json.loads((root / "rdk.json").read_text()), **fields}
    path = tmp_path / "rdk.json"
    path.write_text(json.dumps(document))
    return RdkJson.load(path)


@pytest.fixture
def admin(root: Path) -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(delegated_admin(RdkJson.load(root / "rdk.json")))
    return template


def statements(template: dict[str, Any], policy: str) -> dict[str, Any]:
    found = template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    return {statement["Sid"]: statement for statement in found}


def test_evidence_is_locked_versioned_and_stays(admin: dict[str, Any]) -> None:
    bucket = admin["Resources"]["EvidenceBucket"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert admin["Resources"]["EvidenceBucketPolicy"]["DeletionPolicy"] == "RetainExceptOnCreate"
    properties = bucket["Properties"]
    assert properties["ObjectLockEnabled"] is True
    retention = properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": "GOVERNANCE", "Days": RETENTION_DAYS}
    assert RETENTION_DAYS >= 365
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())


def test_documents_write_below_their_own_account_only(admin: dict[str, Any]) -> None:
    policy = statements(admin, "EvidenceBucketPolicy")
    assert set(policy) == {"NoClearText", "DocumentsKeepEvidence"}
    keep = policy["DocumentsKeepEvidence"]
    assert keep["Action"] == ["s3:PutObject", "s3:GetObject"]
    assert keep["Resource"] == {"Fn::Sub": "${EvidenceBucket.Arn}/remediation/${!aws:PrincipalAccount}/*"}
    assert keep["Condition"]["ArnLike"] == {"aws:PrincipalArn": {"Fn::Sub": "arn:${AWS::Partition}:iam::*:role/PciConfig-*"}}
    assert keep["Condition"]["StringEquals"]["Fn::If"][1] == {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}


def test_artefacts_are_read_by_the_organization_and_written_by_nobody_else() -> None:
    template = yaml.safe_load(artifacts())
    policy = statements(template, "BucketPolicy")
    assert set(policy) == {"NoClearText", "OrganizationReads"}
    assert policy["OrganizationReads"]["Action"] == "s3:GetObject"
    name = template["Resources"]["Bucket"]["Properties"]["BucketName"]
    assert name == {"Fn::Sub": "pci-config-artifacts-${AWS::AccountId}-${AWS::Region}"}


def test_named_aggregator_bucket_and_mail_are_settings(root: Path, tmp_path: Path) -> None:
    own = yaml.safe_load(delegated_admin(RdkJson.load(root / "rdk.json")))["Resources"]
    assert own["Aggregator"]["Properties"]["OrganizationAggregationSource"]["AwsRegions"] == ["eu-west-1", "us-east-1"]
    assert "AlarmSubscription" not in own
    deployment = {"Aggregator": "control-tower", "AlarmEmail": "oncall@card-issuer.example"}
    other = yaml.safe_load(delegated_admin(changed(root, tmp_path, Deployment=deployment, Remediation={})))
    assert not [name for name in other["Resources"] if "Aggregator" in name or "Evidence" in name]
    assert "CreateEvidenceBucket" not in other["Parameters"]
    assert other["Resources"]["AlarmSubscription"]["Properties"]["Endpoint"] == "oncall@card-issuer.example"


def test_templates_pass_cfn_lint(root: Path, tmp_path: Path) -> None:
    for name, text in {"admin": delegated_admin(RdkJson.load(root / "rdk.json")), "artifacts": artifacts()}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "-c", "I", "-t", *map(str, tmp_path.glob("*.yaml"))]
    ran = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
