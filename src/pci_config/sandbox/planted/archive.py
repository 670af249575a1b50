"""What protects the sample issuer's archive buckets, and where that was forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    account, management = issuer.accounts["log_archive"], issuer.accounts["management"]
    organization = _organization(management, account)
    for region in rdk_json.settings.regions:
        s3 = server.clients(account, region).build_client("s3")
        for bucket in s3.list_buckets(BucketRegion=region, Prefix="card-issuer-log-archive-")["Buckets"]:
            purpose = bucket["Name"].removeprefix("card-issuer-log-archive-").removesuffix(f"-{region}")
            _protect(s3, bucket["Name"], purpose, organization, management)
            why = {
                ("flow", rdk_json.settings.home_region): "locked for a month only",
                ("api", rdk_json.settings.home_region): "the whole organization may delete what it wrote",
                ("app", "us-east-1"): "Object Lock was never turned on, and plain HTTP is accepted",
            }.get((purpose, region))
            if why:
                issuer.plant("log_archive", region, "PCI_ARCHIVE_PROTECTED", bucket["Name"], why, False)


def _organization(management: str, account: str) -> str:
    """The organization's id. The archive's account has an id of our own choice: it must be told where it belongs."""
    from moto.organizations.models import organizations_backends  # noqa: PLC0415 - moto's inside, only here

    organizations_backends.master_accounts[account] = management, "aws"
    organization = organizations_backends[management]["aws"].org
    return str(organization.id if organization else "")


def _protect(s3: Any, name: str, purpose: str, organization: str, management: str) -> None:
    region = s3.meta.region_name
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    algorithm = {"SSEAlgorithm": "AES256"}
    s3.put_bucket_encryption(
        Bucket=name, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": algorithm}]}
    )
    forgotten = purpose == "app" and region == "us-east-1"
    if not forgotten:
        retention = {"Mode": "GOVERNANCE", "Days": 30 if purpose == "flow" else 3650}
        s3.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        )
    statements = [_writers(name, purpose, organization, management)] + ([] if forgotten else [_tls_only(name)])
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def _tls_only(name: str) -> dict[str, Any]:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _writers(name: str, purpose: str, organization: str, management: str) -> dict[str, Any]:
    """As each service asks for; streams and tasks write with roles of the organization's accounts."""
    service = {"trail": "cloudtrail", "elb": "logdelivery.elasticloadbalancing", "flow": "delivery.logs"}.get(purpose)
    writing: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"} if service else "*",
        "Action": ["s3:PutObject", "s3:DeleteObject"] if purpose == "api" else "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    if purpose == "trail":
        condition = {"aws:SourceAccount": management}
    else:
        condition = {"aws:SourceOrgID" if service else "aws:PrincipalOrgID": organization}
    return writing | {"Condition": {"StringEquals": condition}}
