"""Functions, peerings, transit gateways and roles as collected, against the recorded samples."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pci_config.catalogue import project_root
from pci_config.collect import ec2_connections, lambda_functions

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "us-east-1"
TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


@pytest.fixture(autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


def sample(resource_type: str) -> dict[str, Any]:
    path = project_root() / "tests" / "data" / "ci" / f"{resource_type.replace('::', '_')}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def collected(module: Any, resource_type: str, region: str = REGION) -> dict[str, Any]:
    """The one item of the type, which has the members of an event and none that AWS Config does not record."""
    (item,) = (i for i in module.collect(Clients(), ACCOUNT, region, NOW) if i["resourceType"] == resource_type)
    assert set(item) == set(sample(resource_type))
    for part in ("configuration", "supplementaryConfiguration"):
        assert set(item[part]) <= set(sample(resource_type)[part]), set(item[part]) - set(sample(resource_type)[part])
    found: dict[str, Any] = item
    return found


def _role() -> str:
    made = boto3.client("iam", region_name=REGION).create_role(
        RoleName="settlement",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Tags=[{"Key": "environment", "Value": "production"}],
    )
    return str(made["Role"]["Arn"])


def test_functions() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "")
    client = boto3.client("lambda", region_name=REGION)
    client.create_function(
        FunctionName="settlement",
        Runtime="python3.13",
        Role=_role(),
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"TOKEN": "not to be recorded"}},
        Tags={"pci:scope": "out"},
    )
    item = collected(lambda_functions, "AWS::Lambda::Function")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:settlement"
    assert (item["resourceId"], item["ARN"], item["configuration"]["functionArn"]) == ("settlement", arn, arn)
    assert item["tags"] == item["supplementaryConfiguration"]["Tags"] == {"pci:scope": "out"}
    assert "Policy" not in item["supplementaryConfiguration"]
    assert "not to be recorded" not in json.dumps(item)
    assert not (item["configuration"]["vpcConfig"] or {}).get("securityGroupIds")
    assert item["relationships"][0]["resourceName"] == "settlement"
    client.add_permission(
        FunctionName="settlement", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    item = collected(lambda_functions, "AWS::Lambda::Function")
    assert json.loads(item["supplementaryConfiguration"]["Policy"])["Statement"][0]["Sid"] == "events"


def test_functions_in_a_vpc() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    boto3.client("lambda", region_name=REGION).create_function(
        FunctionName="settlement", Runtime="python3.13", Role=_role(), Handler="a.b", Code={"ZipFile": b""},
        VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]},
    )  # fmt: skip
    item = collected(lambda_functions, "AWS::Lambda::Function")
    assert item["configuration"]["vpcConfig"] == {"subnetIds": [subnet], "securityGroupIds": [group]}
    related = [(entry["resourceType"], entry["resourceId"]) for entry in item["relationships"][1:]]
    assert related == [("AWS::EC2::Subnet", subnet), ("AWS::EC2::SecurityGroup", group)]


def test_peerings() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    one, two = (ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (1, 2))
    made = ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=two)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.create_tags(Resources=[made], Tags=[{"Key": "environment", "Value": "staging"}])
    item = collected(ec2_connections, "AWS::EC2::VPCPeeringConnection")
    configuration = item["configuration"]
    assert (item["resourceId"], configuration["vpcPeeringConnectionId"]) == (made, made)
    assert configuration["status"]["code"] == "pending-acceptance"
    assert configuration["requesterVpcInfo"]["ownerId"] == configuration["accepterVpcInfo"]["ownerId"] == ACCOUNT
    for side in ("requesterVpcInfo", "accepterVpcInfo"):
        assert set(configuration[side]) == set(sample(item["resourceType"])["configuration"][side])
    assert item["tags"] == {"environment": "staging"}
    assert {entry["resourceId"] for entry in item["relationships"]} == {one, two}


def test_transit_gateways_and_attachments() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_transit_gateway(Description="hub")["TransitGateway"]["TransitGatewayId"]
    made = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet])
    attachment = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    item = collected(ec2_connections, "AWS::EC2::TransitGateway")
    assert (item["resourceId"], item["configuration"]["Id"]) == (gateway, gateway)
    item = collected(ec2_connections, "AWS::EC2::TransitGatewayAttachment")
    assert item["resourceId"] == attachment
    expected = {"Id": attachment, "TransitGatewayId": gateway, "VpcId": vpc, "SubnetIds": [subnet]}
    assert {name: item["configuration"][name] for name in expected} == expected
