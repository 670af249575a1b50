"""The account that `benchmarks.others` has every tool assess, and what each tool is asked about it.

The topics are the same for all: ingress and egress of security groups, TLS of listeners, protection and lifecycle of buckets, the trail.
Half of everything is right and half is not.
"""

from __future__ import annotations

import json
from typing import Any

import boto3

ACCOUNT, REGION = "123456789012", "eu-west-1"
VPCS, GROUPS, BALANCERS, BUCKETS = 5, 1_000, 50, 20  # two listeners on each load balancer
ARCHIVE = "card-issuer-log-archive-{}"
TIERS = ("dmz", "card-api", "service", "database")

OUR_RULES = "PCI_SECURITY_GROUP_*,PCI_LISTENER_TLS_ONLY,PCI_ARCHIVE_*,PCI_TRAIL_DELIVERED"

# The checks of Prowler that come nearest; it has none on the destinations of egress.
PROWLER_CHECKS = (
    "ec2_securitygroup_allow_ingress_from_internet_to_all_ports",
    "ec2_securitygroup_allow_ingress_from_internet_to_tcp_port_22",
    "ec2_securitygroup_allow_wide_open_public_ipv4",
    "ec2_securitygroup_with_many_ingress_egress_rules",
    "elbv2_insecure_ssl_ciphers",
    "elbv2_ssl_listeners",
    "s3_account_level_public_access_blocks",
    "s3_bucket_acl_prohibited",
    "s3_bucket_default_encryption",
    "s3_bucket_level_public_access_block",
    "s3_bucket_lifecycle_enabled",
    "s3_bucket_object_lock",
    "s3_bucket_object_versioning",
    "s3_bucket_secure_transport_policy",
    "cloudtrail_log_file_validation_enabled",
    "cloudtrail_multi_region_enabled",
    "cloudtrail_multi_region_enabled_logging_management_events",
)

# What a user of Cloud Custodian would write: a policy for each thing that is wrong.
CUSTODIAN_POLICIES: dict[str, Any] = {
    "policies": [
        {
            "name": "ingress-from-internet",
            "resource": "aws.security-group",
            "filters": [{"type": "ingress", "Cidr": {"value": "0.0.0.0/0"}, "Ports": [22]}],
        },
        {
            "name": "egress-to-internet",
            "resource": "aws.security-group",
            "filters": [{"type": "egress", "Cidr": {"value": "0.0.0.0/0"}}],
        },
        {
            "name": "listener-weak-tls",
            "resource": "aws.app-elb",
            "filters": [
                {"type": "listener", "key": "Protocol", "value": "HTTPS"},
                {"type": "listener", "key": "SslPolicy", "op": "regex", "value": ".*2016-08$", "matched": True},
            ],
        },
        {
            "name": "listener-without-redirect",
            "resource": "aws.app-elb",
            "filters": [
                {"type": "listener", "key": "Protocol", "value": "HTTP"},
                {"not": [{"type": "listener", "key": "DefaultActions[].Type", "value": "redirect", "op": "contains"}]},
            ],
        },
        {
            "name": "bucket-open-to-public",
            "resource": "aws.s3",
            "filters": [{"type": "check-public-block", "BlockPublicAcls": False}],
        },
        {
            "name": "bucket-without-tls",
            "resource": "aws.s3",
            "filters": [
                {"not": [{"type": "has-statement", "statements": [{
                    "Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}]}
            ],
        },
        {
            "name": "bucket-without-lifecycle",
            "resource": "aws.s3",
            "filters": [{"type": "value", "key": "Lifecycle", "value": "absent"}],
        },
        {
            "name": "bucket-without-lock",
            "resource": "aws.s3",
            "filters": [{"not": [{"type": "lock-configuration", "key": "ObjectLockEnabled", "value": "Enabled"}]}],
        },
        {
            "name": "trail-not-logging",
            "resource": "aws.cloudtrail",
            "filters": [
                {"or": [
                    {"type": "value", "key": "IsMultiRegionTrail", "value": False},
                    {"type": "value", "key": "LogFileValidationEnabled", "value": False},
                    {"type": "status", "key": "IsLogging", "value": False},
                ]}
            ],
        },
    ]
}  # fmt: skip


def fill() -> None:
    """Everything above, by calls to the server that the environment names."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in range(VPCS)]
    subnets = [
        ec2.create_subnet(VpcId=vpcs[0], CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{'ab'[number]}")["Subnet"][
            "SubnetId"
        ]
        for number in range(2)
    ]
    _groups(ec2, vpcs)
    _listeners(subnets)
    _buckets()
    _trail()
    boto3.client("s3control", region_name=REGION).put_public_access_block(
        AccountId=ACCOUNT, PublicAccessBlockConfiguration={"BlockPublicAcls": False, "IgnorePublicAcls": False,
                                                          "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    )  # fmt: skip


def _groups(ec2: Any, vpcs: list[str]) -> None:
    """Each lets in another group of its VPC, as the tiers of a platform do."""
    before = dict.fromkeys(vpcs, "")
    for number in range(GROUPS):
        vpc, tier, wrong = vpcs[number % VPCS], TIERS[number // VPCS % len(TIERS)], number % 2
        tags = [{"Key": "pci:tier", "Value": tier}, {"Key": "Name", "Value": f"{tier}-{number}"}]
        group = ec2.create_security_group(
            GroupName=f"{tier}-{number}",
            Description=f"{tier} {number}",
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
        )["GroupId"]
        ingress: list[dict[str, Any]] = [
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ]
        if before[vpc]:
            pairs = [{"GroupId": before[vpc]}]
            ingress.append({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": pairs})
        if wrong:
            ingress.append({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ingress)
        if not wrong:
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        before[vpc] = group


def _listeners(subnets: list[str]) -> None:
    elb = boto3.client("elbv2", region_name=REGION)
    certificate = boto3.client("acm", region_name=REGION).request_certificate(DomainName="pay.example.com")["CertificateArn"]
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    for number in range(BALANCERS):
        arn = elb.create_load_balancer(Name=f"pay-{number}", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        elb.create_listener(
            LoadBalancerArn=arn,
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-2016-08" if number % 2 else "ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[answer],
        )
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[answer if number % 2 else redirect])


def _buckets() -> None:
    s3 = boto3.client("s3", region_name=REGION)
    for number in range(BUCKETS):
        name = ARCHIVE.format(number)
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=not number % 2,
            ObjectOwnership="BucketOwnerEnforced",
        )
        if number % 2:
            continue
        s3.put_object_lock_configuration(
            Bucket=name,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 365}},
            },
        )
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True,
                                            "BlockPublicPolicy": True, "RestrictPublicBuckets": True},
        )  # fmt: skip
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_policy(name)))
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [_lifecycle()]})


def _policy(name: str) -> dict[str, Any]:
    plain = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    trail = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/AWSLogs/*"],
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    return {"Version": "2012-10-17", "Statement": [plain, trail]}


def _lifecycle() -> dict[str, Any]:
    return {
        "ID": "keep",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        "Expiration": {"Days": 3650},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def _trail() -> None:
    trails = boto3.client("cloudtrail", region_name=REGION)
    trails.create_trail(Name="audit", S3BucketName=ARCHIVE.format(0), IsMultiRegionTrail=True, EnableLogFileValidation=False)
    trails.start_logging(Name="audit")
