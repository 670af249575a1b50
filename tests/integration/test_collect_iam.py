"""IAM's items: relationships in both directions, policies as AWS Config has them, and AWS's own policies left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from moto import mock_aws

from pci_config.catalogue import project_root
from pci_config.collect import HOME_REGION, collectors, iam
from pci_config.sandbox import identity_service
from pci_config.sandbox.recorder import Recorder

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::a b+c/*"}]}


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or "eu-west-1")


@pytest.fixture
def items() -> Iterator[dict[str, dict[str, Any]]]:
    """One of each by type, in an account where everything is attached to everything."""
    identity_service.install()
    with mock_aws():
        client = boto3.client("iam", region_name="eu-west-1")
        tags = [{"Key": "env", "Value": "prod"}]
        client.create_user(UserName="jane", Tags=tags)
        client.create_group(GroupName="ops")
        client.add_user_to_group(UserName="jane", GroupName="ops")
        client.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tags)
        arn = client.create_policy(PolicyName="own", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]
        for holder in ("user", "group", "role"):
            name = {"user": "jane", "group": "ops", "role": "app"}[holder]
            where = {f"{holder.capitalize()}Name": name}
            getattr(client, f"put_{holder}_policy")(**where, PolicyName="inline", PolicyDocument=json.dumps(POLICY))
            getattr(client, f"attach_{holder}_policy")(**where, PolicyArn=arn)
        found = list(iam.collect(Clients(), ACCOUNT, "eu-west-1", NOW))
        assert [item["resourceType"] for item in found] == list(iam.RESOURCE_TYPES)
        yield {item["resourceType"].rpartition("::")[2]: item for item in found}


def related(item: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(entry["name"], entry["resourceType"], entry["resourceName"]) for entry in item["relationships"]}


def test_members_are_those_of_recorded_items(items: dict[str, dict[str, Any]]) -> None:
    for kind, item in items.items():
        path = project_root() / "tests" / "data" / "ci" / f"AWS_IAM_{kind}.json"
        sample = json.loads(path.read_text("utf-8"))
        assert set(item) == set(sample)
        assert set(item["configuration"]) == set(sample["configuration"]), kind
        assert item["awsRegion"] == "global"
        assert item["resourceName"] == item["configuration"][f"{kind.lower()}Name"]
        assert item["resourceId"] == item["configuration"][f"{kind.lower()}Id"]
        assert item["ARN"] == item["configuration"]["arn"]


def test_policies_are_url_encoded(items: dict[str, dict[str, Any]]) -> None:
    documents = [items["Role"]["configuration"]["assumeRolePolicyDocument"]]
    documents += [
        items[kind]["configuration"][f"{kind.lower()}PolicyList"][0]["policyDocument"] for kind in ("User", "Group", "Role")
    ]
    documents += [items["Policy"]["configuration"]["policyVersionList"][0]["document"]]
    assert all(text.startswith("%7B%22") and " " not in text and "/" not in text for text in documents)
    assert [json.loads(unquote(text)) for text in documents] == [TRUST, POLICY, POLICY, POLICY, POLICY]


def test_relationships_and_tags(items: dict[str, dict[str, Any]]) -> None:
    attached = ("Is attached to CustomerManagedPolicy", "AWS::IAM::Policy", "own")
    assert related(items["User"]) == {attached, ("Is attached to Group", "AWS::IAM::Group", "ops")}
    assert related(items["Group"]) == {attached, ("Contains User", "AWS::IAM::User", "jane")}
    assert related(items["Role"]) == {attached}
    assert related(items["Policy"]) == {
        ("Is attached to User", "AWS::IAM::User", "jane"),
        ("Is attached to Group", "AWS::IAM::Group", "ops"),
        ("Is attached to Role", "AWS::IAM::Role", "app"),
    }
    assert items["User"]["tags"] == items["Role"]["tags"] == {"env": "prod"}
    assert items["User"]["configuration"]["tags"] == [{"key": "env", "value": "prod"}]


def test_the_home_region_records_them() -> None:
    (collector,) = [one for one in collectors() if one.name == "iam"]
    assert collector.recorded_in == HOME_REGION

    class State:
        history: dict[tuple[str, str], list[Any]] = {}  # noqa: RUF012 - as the sandbox's

    with mock_aws():
        boto3.client("iam", region_name="eu-west-1").create_user(UserName="jane")
        for region, count in (("us-east-1", 0), ("eu-west-1", 1)):
            recorder = Recorder([collector], "eu-west-1")
            assert len(recorder.record(Clients(), ACCOUNT, region, State())) == count  # type: ignore[arg-type]


def test_roles_of_cloudformation() -> None:
    identity_service.install()
    template = (project_root() / "org_setup" / "member_global" / "template.yaml").read_text("utf-8")
    with mock_aws():
        formation = boto3.client("cloudformation", region_name="eu-west-1")
        formation.create_stack(StackName="roles", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
        roles = list(iam.collect(Clients(), ACCOUNT, "eu-west-1", NOW))
    (policy,) = next(r for r in roles if r["resourceName"] == "pci-config-rules")["configuration"]["rolePolicyList"]
    assert json.loads(unquote(policy["policyDocument"]))["Statement"][0]["Sid"] == "RulesJudgeEveryResource"
