"""Inventory, hardening and separation of the sample issuer: recorders, Security Hub, scope tags, what joins environments."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from pci_config.sandbox import securityhub_service
from pci_config.sandbox.securityhub_service import STANDARDS

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

RECORDER, HUB = "PCI_RECORDER_COVERS_SCOPE", "PCI_SECURITY_HUB_ENABLED"
SCOPE, SEPARATED = "PCI_SCOPE_TAGGED", "PCI_ENVIRONMENT_SEPARATED"
BUCKET = "card-issuer-configuration-history"
WANTED = ("cis-aws-foundations-benchmark/v/5.0.0", "aws-foundational-security-best-practices/v/1.0.0", "pci-dss/v/4.0.1")
OLD = ("cis-aws-foundations-benchmark/v/3.0.0", *WANTED[1:])


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    """Development is careless, staging half done, production nearly right."""
    settings = rdk_json.settings
    home = settings.home_region
    archive = server.clients(issuer.accounts["log_archive"], home).build_client("s3")
    archive.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": home})
    for role in issuer.accounts:
        for region in settings.regions:
            _record(server, issuer, role, region, home)
            _harden(server, issuer, role, region, home)
    _scope(server, issuer, home)
    _joined(server, issuer, home)


def _record(server: MotoServer, issuer: Issuer, role: str, region: str, home: str) -> None:
    """A recorder in every account and Region, with IAM's types in the home Region."""
    account = issuer.accounts[role]
    if role == "development" and region != home:
        issuer.plant(role, region, RECORDER, account, "the second Region has no recorder", False)
        return
    group: dict[str, Any] = {"allSupported": True, "includeGlobalResourceTypes": region == home}
    recorder = {
        "name": "default",
        "roleARN": f"arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "recordingGroup": group,
    }
    bucket = BUCKET
    if role == "staging" and region != home:
        recorder["recordingMode"] = {"recordingFrequency": "DAILY", "recordingModeOverrides": []}
        recorder["recordingGroup"] = {
            "allSupported": False,
            "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"},
            "exclusionByResourceTypes": {"resourceTypes": ["AWS::EC2::FlowLog", "AWS::EC2::Volume"]},
        }
        issuer.plant(role, region, RECORDER, account, "recorded daily, and without flow logs and volumes", True)
    if role == "development":
        bucket = "development-team-configuration"
        issuer.plant(role, region, RECORDER, account, "delivers into a bucket that is gone", False)
    config = server.clients(account, region).build_client("config")
    config.put_configuration_recorder(ConfigurationRecorder=recorder)
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": bucket})
    config.start_configuration_recorder(ConfigurationRecorderName="default")
    if role == "staging" and region == home:
        config.put_retention_configuration(RetentionPeriodInDays=90)
        issuer.plant(role, region, RECORDER, account, "keeps history 90 days", True)


def _harden(server: MotoServer, issuer: Issuer, role: str, region: str, home: str) -> None:
    """Security Hub with its standards in every account and Region."""
    account = issuer.accounts[role]
    if role == "development":
        securityhub_service.list_while_off(account, region)
        # a standard needs the recorder, which the second Region has not
        issuer.plant(role, region, HUB, account, "Security Hub was never enabled", region == home)
        return
    behind = role == "staging" and region == home
    arns = [arn.format(region=region) for arn in STANDARDS if arn.endswith(OLD if behind else WANTED)]
    hub = server.clients(account, region).build_client("securityhub")
    hub.enable_security_hub(EnableDefaultStandards=False)
    hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": arn} for arn in arns])
    if behind:
        issuer.plant(role, region, HUB, account, "an old version of the CIS benchmark", True)


def _scope(server: MotoServer, issuer: Issuer, home: str) -> None:
    """Production's tags: one is missing, one is no value, one group has no tier, and something out of scope shares a group."""
    clients = server.clients(issuer.accounts["production"], home)

    def plant(resource_id: str, why: str) -> None:
        issuer.plant("production", home, SCOPE, resource_id, why, False)

    elb = clients.build_client("elbv2")
    (portal,) = elb.describe_load_balancers(Names=["portal"])["LoadBalancers"]
    elb.remove_tags(ResourceArns=[portal["LoadBalancerArn"]], TagKeys=["pci:scope"])
    plant(portal["LoadBalancerArn"], "a load balancer without scope")
    bucket = "card-issuer-access-logs-production"
    tags = [{"Key": "pci:scope", "Value": "internal"}]
    clients.build_client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    plant(bucket, "a scope that does not exist")
    ec2 = clients.build_client("ec2")
    groups = {group["GroupName"]: group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    plant(groups["batch"], "a group without tier")
    named = [{"Name": "tag:pci:tier", "Values": ["service"]}]
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=named)["Subnets"]]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = clients.build_client("iam").create_role(
        RoleName="office", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    for name, network in (
        ("status-page", {}),
        ("canteen-menu", {"SubnetIds": subnets, "SecurityGroupIds": [groups["service-main"]]}),
    ):
        clients.build_client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": _code()},
            VpcConfig=network,
            Tags={"pci:scope": "out"},
        )
    plant("canteen-menu", "out of scope, but in the services' security group")


def _code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return {}\n")
    return packed.getvalue()


def _joined(server: MotoServer, issuer: Issuer, home: str) -> None:
    """A peering, a share and a tag too many; a transit gateway that production keeps to itself."""
    ec2 = {role: server.clients(issuer.accounts[role], home).build_client("ec2") for role in ("production", "development")}
    vpcs = {role: _vpc(client, f"{role}-payments") for role, client in ec2.items()}
    tags = [{"Key": "environment", "Value": "production"}]
    ec2["production"].create_tags(Resources=[vpcs["production"]], Tags=tags)
    ec2["development"].create_tags(Resources=[vpcs["development"]], Tags=tags)
    issuer.plant("development", home, SEPARATED, vpcs["development"], "a copied template calls it production", False)

    requested = ec2["development"].create_vpc_peering_connection(
        VpcId=vpcs["development"], PeerVpcId=vpcs["production"], PeerOwnerId=issuer.accounts["production"]
    )
    peering = requested["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2["production"].accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    for role in ("production", "development"):
        issuer.plant(role, home, SEPARATED, peering, "development reaches production's network", False)

    subnet = ec2["production"].describe_subnets(Filters=[{"Name": "tag:pci:tier", "Values": ["dmz"]}])["Subnets"][0]
    gateway = ec2["production"].create_transit_gateway(Description="production only")["TransitGateway"]["TransitGatewayId"]
    ec2["production"].create_transit_gateway_vpc_attachment(
        TransitGatewayId=gateway, VpcId=vpcs["production"], SubnetIds=[subnet["SubnetId"]]
    )
    server.clients(issuer.accounts["production"], home).build_client("ram").create_resource_share(
        name="dmz-subnets",
        principals=[issuer.accounts["staging"]],
        resourceArns=[f"arn:aws:ec2:{home}:{issuer.accounts['production']}:subnet/{subnet['SubnetId']}"],
    )
    for role, why in (("production", "staging may build in production's subnets"), ("staging", "subnets of production")):
        issuer.plant(role, home, SEPARATED, issuer.accounts[role], why, False)


def _vpc(ec2: Any, name: str) -> str:
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"]
    return str(vpc["VpcId"])
