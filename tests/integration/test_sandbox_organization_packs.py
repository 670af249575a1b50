"""Organization conformance packs in the sandbox: twelve members and the management account, one Region; what each account needs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox import organization_packs_service
from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT, REGION, Organization, organization
from pci_config.sandbox.server import MotoServer

PACK = "pci-dss"
EXPECTS = {"OrganizationConformancePackName": PACK}
FUNCTION = {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:pci-config-rules"}
DETAILS = [{"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"}]
# What StackSets put into each account before a pack comes: recorder, function with its permission, document.
MEMBER: dict[str, Any] = {
    "Channel": {"Type": "AWS::Config::DeliveryChannel", "Properties": {"S3BucketName": "config-archive"}},
    "Recorder": {
        "Type": "AWS::Config::ConfigurationRecorder",
        "Properties": {"Name": "default", "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]}},
    },
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "pci-config-rules",
            "Runtime": "python3.13",
            "Handler": "x.y",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "x"},
        },
    },
    "Permission": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "config.amazonaws.com",
            "SourceAccount": {"Ref": "AWS::AccountId"},
        },
    },
    "Document": {
        "Type": "AWS::SSM::Document",
        "Properties": {
            "Name": "PciConfig-Fix",
            "DocumentType": "Automation",
            "DocumentFormat": "JSON",
            "Content": {"schemaVersion": "0.3", "mainSteps": []},
        },
    },
}


def template(*rules: str, **extra: Any) -> str:
    resources: dict[str, Any] = {
        name: {
            "Type": "AWS::Config::ConfigRule",
            "Properties": {
                "ConfigRuleName": name,
                "InputParameters": {"RuleId": name, "Days": {"Ref": "Days"}},
                "Source": {"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": FUNCTION, "SourceDetails": DETAILS},
            },
        }
        for name in rules
    }
    fix = {
        "ConfigRuleName": rules[0],
        "TargetType": "SSM_DOCUMENT",
        "TargetId": "PciConfig-Fix",
        "Parameters": {
            "AutomationAssumeRole": {"StaticValue": {"Values": [f"arn:aws:iam::{ADMIN}:role/pci-config-fix"]}},
            "Id": {"ResourceValue": {"Value": "RESOURCE_ID"}},
        },
    }
    resources["Fix"] = {"Type": "AWS::Config::RemediationConfiguration", "Properties": fix}
    return json.dumps({"Parameters": {"Days": {"Type": "String", "Default": "90"}}, "Resources": {**resources, **extra}})


@pytest.fixture
def server() -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        yield started


@pytest.fixture
def org(server: MotoServer) -> Organization:
    made = organization(server)
    for account in [MANAGEMENT, *made.members]:
        prepare(server, account)
    return made


def prepare(server: MotoServer, account: str, *without: str) -> None:
    """A stack with what a pack needs, but for some of it."""
    resources = {name: resource for name, resource in MEMBER.items() if name not in without}
    server.clients(account, REGION).build_client("cloudformation").create_stack(
        StackName="pci-config-member", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"]
    )


def unprepare(server: MotoServer, account: str, *without: str) -> None:
    server.clients(account, REGION).build_client("cloudformation").delete_stack(StackName="pci-config-member")
    prepare(server, account, *without)


class Packs:
    """What the delegated administrator does with packs."""

    def __init__(self, server: MotoServer, account: str = ADMIN) -> None:
        self.server = server
        self.client = server.clients(account, REGION).build_client("config")
        self.polls = 0

    def put(self, text: str = "", **request: Any) -> str:
        given = {"TemplateBody": text or template("PCI_A", "PCI_B"), **EXPECTS, **request}
        return str(self.client.put_organization_conformance_pack(**given)["OrganizationConformancePackArn"])

    def status(self) -> dict[str, Any]:
        found = self.client.describe_organization_conformance_pack_statuses(OrganizationConformancePackNames=[PACK])
        (status,) = found["OrganizationConformancePackStatuses"]
        return dict(status)

    def wait(self) -> str:
        for _ in range(50):
            self.polls += 1
            status = str(self.status()["Status"])
            if not status.endswith("_IN_PROGRESS"):
                return status
        raise AssertionError("never finished")

    def details(self, **filters: str) -> dict[str, dict[str, Any]]:
        paginator = self.client.get_paginator("get_organization_conformance_pack_detailed_status")
        given = {"Filters": filters} if filters else {}
        pages = paginator.paginate(**EXPECTS, **given)
        return {one["AccountId"]: one for page in pages for one in page["OrganizationConformancePackDetailedStatuses"]}

    def statuses(self) -> Counter[str]:
        return Counter(one["Status"] for one in self.details().values())

    def rules(self, account: str) -> list[str]:
        config = self.server.clients(account, REGION).build_client("config")
        return sorted(rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"])


@pytest.fixture
def packs(server: MotoServer, org: Organization) -> Packs:
    return Packs(server)


def refused(code: str, call: Any, *arguments: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(*arguments, **request)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return str(raised.value.response["Error"]["Message"])


def test_every_account_gets_the_rules_in_a_few_polls(server: MotoServer, org: Organization, packs: Packs) -> None:
    arn = packs.put(ConformancePackInputParameters=[{"ParameterName": "Days", "ParameterValue": "30"}])
    assert arn.startswith(f"arn:aws:config:{REGION}:{ADMIN}:organization-conformance-pack/{PACK}-")
    assert packs.status()["Status"] == "CREATE_IN_PROGRESS"
    refused("ResourceInUseException", packs.put)
    assert packs.wait() == "CREATE_SUCCESSFUL"
    assert packs.statuses() == {"CREATE_SUCCESSFUL": 13}
    member = org.members[4]
    assert [name.rpartition("-conformance-pack-")[0] for name in packs.rules(member)] == ["PCI_A", "PCI_B"]
    assert len({name.rpartition("-")[2] for name in packs.rules(member)}) == 1
    config = server.clients(member, REGION).build_client("config")
    (own,) = config.describe_conformance_packs()["ConformancePackDetails"]
    assert own["ConformancePackName"] == packs.details()[member]["ConformancePackName"]
    assert own["ConformancePackName"].startswith(f"OrgConformsPack-{PACK}-")
    rule = config.describe_config_rules(ConfigRuleNames=packs.rules(member)[:1])["ConfigRules"][0]
    assert rule["Source"]["SourceIdentifier"] == f"arn:aws:lambda:{REGION}:{member}:function:pci-config-rules"
    assert json.loads(rule["InputParameters"])["Days"] == "30"
    (fix,) = config.describe_remediation_configurations(ConfigRuleNames=[rule["ConfigRuleName"]])["RemediationConfigurations"]
    role = fix["Parameters"]["AutomationAssumeRole"]["StaticValue"]["Values"]
    assert role == [f"arn:aws:iam::{member}:role/pci-config-fix"], "the member's account in the place of the deployer's"
    assert packs.rules(MANAGEMENT), "the management account, too"
    (about,) = packs.client.describe_organization_conformance_packs()["OrganizationConformancePacks"]
    assert about["ConformancePackInputParameters"] == [{"ParameterName": "Days", "ParameterValue": "30"}]
    refused("AccessDeniedException", config.delete_conformance_pack, ConformancePackName=own["ConformancePackName"])


def test_an_update_takes_rules_away_and_keeps_the_names(org: Organization, packs: Packs) -> None:
    packs.put(ExcludedAccounts=[MANAGEMENT])
    packs.wait()
    before = packs.rules(org.members[0])
    packs.put(template("PCI_A", "PCI_C"), ExcludedAccounts=[MANAGEMENT, org.members[1]])
    assert packs.status()["Status"] == "UPDATE_IN_PROGRESS"
    assert packs.wait() == "UPDATE_SUCCESSFUL"
    assert packs.statuses() == {"UPDATE_SUCCESSFUL": 11}
    after = packs.rules(org.members[0])
    assert after[0] == before[0]
    assert [name.partition("-")[0] for name in after] == ["PCI_A", "PCI_C"]
    assert packs.rules(org.members[1]) == packs.rules(MANAGEMENT) == []


MISSING: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "recorder": (("Recorder",), "NoAvailableConfigurationRecorderException", "recorder"),
    "function": (("Function", "Permission"), "InsufficientPermissionsException", "cannot be invoked"),
    "permission": (("Permission",), "InsufficientPermissionsException", "cannot be invoked"),
    "document": (("Document",), "ResourceNotFoundException", "PciConfig-Fix does not exist"),
}


@pytest.mark.parametrize("missing", MISSING)
def test_one_account_that_lacks_something_fails_the_whole(
    server: MotoServer, org: Organization, packs: Packs, missing: str
) -> None:
    without, code, words = MISSING[missing]
    bad = org.members[6]
    unprepare(server, bad, *without)
    packs.put()
    assert packs.wait() == "CREATE_FAILED"
    failed = packs.details(Status="CREATE_FAILED")
    assert set(failed) == {bad}
    assert failed[bad]["ErrorCode"] == packs.status()["ErrorCode"] == code
    assert words in failed[bad]["ErrorMessage"]
    assert packs.rules(bad) == []
    assert len(packs.rules(org.members[7])) == 2, "the other accounts keep their rules"

    unprepare(server, bad)
    packs.put()
    assert packs.wait() == "UPDATE_SUCCESSFUL", "the cause is mended, the same pack put again"
    assert packs.statuses() == {"UPDATE_SUCCESSFUL": 12, "CREATE_SUCCESSFUL": 1}


def test_a_permission_for_another_account_is_none(server: MotoServer, org: Organization, packs: Packs) -> None:
    bad = org.members[3]
    unprepare(server, bad, "Permission")
    server.clients(bad, REGION).build_client("lambda").add_permission(
        FunctionName="pci-config-rules",
        StatementId="x",
        Action="lambda:InvokeFunction",
        Principal="config.amazonaws.com",
        SourceAccount=org.members[4],
    )
    packs.put()
    packs.wait()
    assert packs.details(AccountId=bad)[bad]["ErrorCode"] == "InsufficientPermissionsException"


def test_an_account_fails_on_demand_and_progress_can_be_held(org: Organization, packs: Packs) -> None:
    faults = organization_packs_service.faults(ADMIN, REGION)
    faults.failing[org.members[2]] = "something inside"
    faults.held = True
    packs.put()
    assert {packs.status()["Status"] for _ in range(5)} == {"CREATE_IN_PROGRESS"}
    faults.held = False
    assert packs.wait() == "CREATE_FAILED"
    assert packs.details(AccountId=org.members[2])[org.members[2]]["ErrorMessage"] == "something inside"
    faults.throttled = lambda name, _request: name == "DescribeOrganizationConformancePackStatuses"
    refused("ThrottlingException", packs.status)


def test_the_rules_go_with_the_pack(org: Organization, packs: Packs) -> None:
    packs.put()
    refused("ResourceInUseException", packs.client.delete_organization_conformance_pack, **EXPECTS)
    packs.wait()
    packs.client.delete_organization_conformance_pack(**EXPECTS)
    assert packs.status()["Status"] == "DELETE_IN_PROGRESS"
    for _ in range(5):
        packs.client.describe_organization_conformance_pack_statuses()
    assert packs.client.describe_organization_conformance_pack_statuses()["OrganizationConformancePackStatuses"] == []
    refused("NoSuchOrganizationConformancePackException", packs.status)
    assert {name for account in org.members for name in packs.rules(account)} == set()


def test_an_account_that_joins_gets_the_pack_and_its_recorder_is_waited_for(
    server: MotoServer, org: Organization, packs: Packs
) -> None:
    packs.put()
    packs.wait()
    late = org.join("late", org.inner)
    packs.status()
    assert packs.status()["Status"] == "UPDATE_IN_PROGRESS"
    prepare(server, late)
    assert packs.wait() == "UPDATE_SUCCESSFUL"
    assert packs.details()[late]["Status"] == "CREATE_SUCCESSFUL"
    assert len(packs.rules(late)) == 2

    never = org.join("never", org.inner)
    packs.status()
    assert packs.wait() == "UPDATE_FAILED", "not for ever"
    assert packs.details()[never]["ErrorCode"] == "NoAvailableConfigurationRecorderException"

    early = org.join("early", org.inner)
    prepare(server, early, "Function", "Permission")
    packs.status()
    packs.wait()
    assert packs.details()[early]["ErrorCode"] == "InsufficientPermissionsException", "nothing else is waited for"

    org.client.remove_account_from_organization(AccountId=late)
    packs.status()
    assert late not in packs.details()
    assert packs.rules(late) == []


def test_packs_of_another_deployer_are_not_seen(server: MotoServer, org: Organization, packs: Packs) -> None:
    packs.put()
    management = Packs(server, MANAGEMENT)
    assert management.client.describe_organization_conformance_packs()["OrganizationConformancePacks"] == []
    member = Packs(server, org.members[5])
    refused("OrganizationAccessDeniedException", member.put)
    refused("NoAvailableOrganizationException", Packs(server, "999999999999").put)


def test_templates_from_a_bucket_and_refused_ones(server: MotoServer, org: Organization, packs: Packs) -> None:
    invalid = "OrganizationConformancePackTemplateValidationException"
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {}}
    assert "holds no AWS::S3::Bucket" in refused(invalid, packs.put, template("PCI_A", Bucket=bucket))
    refused(invalid, packs.put, template("x" * 51_200))
    refused(invalid, packs.put, TemplateS3Uri="s3://artifacts/none.yaml")
    refused("ValidationException", packs.put, DeliveryS3Bucket="any-bucket")
    s3 = server.clients(ADMIN, REGION).build_client("s3")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="artifacts", Key="packs/a.yaml", Body=template("PCI_Z").encode())
    packs.put(TemplateS3Uri="s3://artifacts/packs/a.yaml")
    packs.wait()
    assert packs.rules(org.members[0])[0].startswith("PCI_Z-"), "if both places are named the object counts"


def test_over_http() -> None:
    with MotoServer("http") as server:
        made = organization(server, 3)
        for account in [MANAGEMENT, *made.members]:
            prepare(server, account)
        packs = Packs(server)
        packs.put()
        assert packs.wait() == "CREATE_SUCCESSFUL"
        assert packs.statuses() == {"CREATE_SUCCESSFUL": 4}
        assert len(packs.rules(made.members[2])) == 2
        refused(
            "NoSuchOrganizationConformancePackException",
            packs.client.delete_organization_conformance_pack,
            OrganizationConformancePackName="none",
        )
