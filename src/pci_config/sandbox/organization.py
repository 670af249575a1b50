"""The sample card issuer: an organization with everything a payment platform has, built with plain AWS calls.

Most of it is right. What is wrong is planted on purpose and listed in `PLANTED`, so that a test can hold the rules to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pci_config.rdk_json import RdkJson
from pci_config.sandbox import services
from pci_config.sandbox.organization_network import build_workload
from pci_config.sandbox.planted import areas
from pci_config.sandbox.server import MotoServer

GOOD_STEPS = [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}]
GOOD_RULE = {
    "ID": "retention",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Transitions": GOOD_STEPS,
    "Expiration": {"Days": 3650},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 3650},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}
STRONG_PASSWORDS = {
    "MinimumPasswordLength": 14,
    "PasswordReusePrevention": 12,
    "MaxPasswordAge": 60,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "AllowUsersToChangePassword": True,
}


@dataclass(frozen=True)
class Planted:
    """A mistake that is there on purpose.

    `fixable`: a document can mend it without a human's decision; `excepted`: the issuer's register accepts it.
    """

    role: str
    region: str
    rule: str
    resource_id: str
    why: str
    fixable: bool
    excepted: bool = False


@dataclass
class Issuer:
    """The built organization: account ids by role, and the planted mistakes with the ids that the resources got."""

    accounts: dict[str, str]
    planted: list[Planted] = field(default_factory=list)

    def plant(
        self,
        role: str,
        region: str,
        rule: str,
        resource_id: str,
        why: str,
        fixable: bool = True,
        excepted: bool = False,
    ) -> None:
        self.planted.append(Planted(role, region, rule, resource_id, why, fixable, excepted))


def build_issuer(server: MotoServer, rdk_json: RdkJson, progress: Callable[[str], None] = lambda _: None) -> Issuer:
    """Teach moto what it lacks and build everything in the accounts that rdk.json names. Takes a few seconds over HTTP."""
    services.install(server)
    issuer = Issuer({role: ids[0] for role, ids in rdk_json.settings.accounts.items()})
    progress("organization and accounts")
    _organization(server, issuer)
    for region in rdk_json.settings.regions:
        progress(f"log archive in {region}")
        _archive(server, issuer, region, region == rdk_json.settings.home_region)
    home = rdk_json.settings.home_region
    _evidence_bucket(server, issuer, rdk_json.evidence_bucket or "", home)
    progress("trails")
    _trails(server, issuer, home)
    _password_policies(server, issuer, home)
    for role in ("production", "staging", "development"):
        progress(f"{role} workloads")
        build_workload(server, issuer, role, home)
    for name, build in areas():
        progress(name.replace("_", " "))
        build(server, issuer, rdk_json)
    return issuer


def _organization(server: MotoServer, issuer: Issuer) -> None:
    """Accounts with the ids of rdk.json. AWS draws the ids; only a sandbox can choose them."""
    from moto.organizations.models import organizations_backends  # noqa: PLC0415 - moto's inside, only here

    management = issuer.accounts["management"]
    client = server.clients(management, "us-east-1").build_client("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    units = {
        name: client.create_organizational_unit(ParentId=root, Name=name)["OrganizationalUnit"]["Id"]
        for name in ("security", "identity", "workloads")
    }
    backend = organizations_backends[management]["aws"]
    for role, account_id in issuer.accounts.items():
        if role == "management":
            continue
        email = f"{role.replace('_', '-')}@card-issuer.example"
        drawn = client.create_account(AccountName=role.replace("_", "-"), Email=email)["CreateAccountStatus"]["AccountId"]
        next(account for account in backend.accounts if account.id == drawn).id = account_id
        unit = "security" if role in ("delegated_admin", "log_archive") else "identity" if "identity" in role else "workloads"
        client.move_account(AccountId=account_id, SourceParentId=root, DestinationParentId=units[unit])
    for role in issuer.accounts:
        if role != "development":  # a careful platform team deletes the default VPCs; here one was forgotten
            for region in ("eu-west-1", "us-east-1"):
                _delete_default_vpc(server, issuer.accounts[role], region)
    _default_groups(server, issuer)


def _delete_default_vpc(server: MotoServer, account_id: str, region: str) -> None:
    ec2 = server.clients(account_id, region).build_client("ec2")
    for vpc in ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]:
        for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])


def _default_groups(server: MotoServer, issuer: Issuer) -> None:
    for region in ("eu-west-1", "us-east-1"):
        ec2 = server.clients(issuer.accounts["development"], region).build_client("ec2")
        for group in ec2.describe_security_groups()["SecurityGroups"]:
            issuer.plant(
                "development", region, "PCI_SECURITY_GROUP_EGRESS_LIMITED", group["GroupId"], "default group of the default VPC"
            )


def _archive(server: MotoServer, issuer: Issuer, region: str, home: bool) -> None:
    s3 = server.clients(issuer.accounts["log_archive"], region).build_client("s3")
    lifecycles: dict[str, Any] = {"elb": [GOOD_RULE], "app": [GOOD_RULE]}
    if home:
        lifecycles |= {
            "trail": [GOOD_RULE],
            "waf": [{**GOOD_RULE, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}], "Expiration": {"Days": 180}}],
            "flow": [{key: value for key, value in GOOD_RULE.items() if key != "Transitions"}],
            "api": [{**GOOD_RULE, "Filter": {"Prefix": "AWSLogs/"}}],
        }
    for purpose, rules in lifecycles.items():
        name = f"card-issuer-log-archive-{purpose}-{region}"
        _bucket(s3, name, region)
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        why = {
            "waf": ("Glacier after a day, deleted after 180: a foreign rule, so a human decides", False),
            "flow": ("never moves to cheaper storage", True),
            "api": ("the rule covers a prefix only; what else must be deleted is a human's decision", False),
        }.get(purpose)
        if why:
            issuer.plant("log_archive", region, "PCI_ARCHIVE_LIFECYCLE", name, *why)


def _bucket(s3: Any, name: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )


def _evidence_bucket(server: MotoServer, issuer: Issuer, name: str, region: str) -> None:
    if name:
        _bucket(server.clients(issuer.accounts["delegated_admin"], region).build_client("s3"), name, region)


def _trails(server: MotoServer, issuer: Issuer, home: str) -> None:
    management, development = issuer.accounts["management"], issuer.accounts["development"]
    trail = server.clients(management, home).build_client("cloudtrail")
    key = server.clients(management, home).build_client("kms").create_key(Description="trail")["KeyMetadata"]["Arn"]
    server.clients(management, home).build_client("logs").create_log_group(logGroupName="organization-trail")
    trail.create_trail(
        Name="organization-trail",
        S3BucketName=f"card-issuer-log-archive-trail-{home}",
        IsMultiRegionTrail=True,
        IsOrganizationTrail=True,
        IncludeGlobalServiceEvents=True,
        EnableLogFileValidation=True,
        KmsKeyId=key,
        CloudWatchLogsLogGroupArn=f"arn:aws:logs:{home}:{management}:log-group:organization-trail:*",
        CloudWatchLogsRoleArn=f"arn:aws:iam::{management}:role/trail-to-logs",
    )
    trail.start_logging(Name="organization-trail")
    data = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::card-issuer-log-archive-"]},
    ]
    trail.put_event_selectors(
        TrailName="organization-trail",
        AdvancedEventSelectors=[
            {"Name": "management", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
            {"Name": "archive objects", "FieldSelectors": data},
        ],
    )
    s3 = server.clients(development, home).build_client("s3")
    _bucket(s3, "development-team-trail", home)
    connected = {"TagSet": [{"Key": "pci:scope", "Value": "connected"}]}
    s3.put_bucket_tagging(Bucket="development-team-trail", Tagging=connected)
    own = server.clients(development, home).build_client("cloudtrail")
    own.create_trail(Name="team-trail", S3BucketName="development-team-trail", IsMultiRegionTrail=False)
    own.start_logging(Name="team-trail")
    issuer.plant(
        "development", home, "PCI_TRAIL_DELIVERED", "team-trail", "an own trail, not validated, kept outside the archive", False
    )


def _password_policies(server: MotoServer, issuer: Issuer, home: str) -> None:
    weak = {**STRONG_PASSWORDS, "MinimumPasswordLength": 8, "PasswordReusePrevention": 1}
    for role, account_id in issuer.accounts.items():
        policy: dict[str, Any] | None = {"production": None, "staging": weak}.get(role, STRONG_PASSWORDS)
        if policy:
            server.clients(account_id, home).build_client("iam").update_account_password_policy(**policy)
        if policy is not STRONG_PASSWORDS:
            why = "weak policy" if policy else "no policy was ever set"
            issuer.plant(role, home, "PCI_PASSWORD_POLICY", account_id, why)
