"""CloudFormation types that the sandbox adds to moto: made, changed and taken away by stacks; what is not imitated is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_sandbox_organization_packs import MEMBER, Packs, prepare
from test_sandbox_organization_packs import template as pack_template

from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT, REGION, organization
from pci_config.sandbox.server import MotoServer

AGGREGATOR_ROLE = f"arn:aws:iam::{ADMIN}:role/aggregator"


@pytest.fixture
def server() -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        organization(started, 2)
        yield started


class Stacks:
    """Stacks of one account."""

    def __init__(self, server: MotoServer, account: str = ADMIN) -> None:
        self.clients = server.clients(account, REGION)
        self.formation = self.clients.build_client("cloudformation")

    def put(self, name: str = "admin", **resources: Any) -> None:
        self._send(self.formation.create_stack, name, resources)

    def change(self, name: str = "admin", **resources: Any) -> None:
        self._send(self.formation.update_stack, name, resources)

    @staticmethod
    def _send(send: Any, name: str, resources: dict[str, Any]) -> None:
        content = {
            logical_id: {"Type": kind, "Properties": properties, **rest}
            for logical_id, (kind, properties, *more) in resources.items()
            for rest in [more[0] if more else {}]
        }
        outputs = {key: {"Value": {"Ref": key}} for key in content}
        send(
            StackName=name,
            TemplateBody=json.dumps({"Resources": content, "Outputs": outputs}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def refs(self, name: str = "admin") -> dict[str, str]:
        (stack,) = self.formation.describe_stacks(StackName=name)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def status(self, name: str = "admin") -> str:
        return str(self.formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def failure(self, status: str, name: str = "admin") -> str:
        """Why the stack is in this status, as its newest event says."""
        assert self.status(name) == status
        return str(self.formation.describe_stack_events(StackName=name)["StackEvents"][0]["ResourceStatusReason"])


@pytest.fixture
def stacks(server: MotoServer) -> Stacks:
    return Stacks(server)


def refused(code: str, call: Any, *arguments: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(*arguments, **request)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return str(raised.value.response["Error"]["Message"])


# --------------------------------------------------------------------------------------------------------- AWS Config


@pytest.mark.parametrize("order", [("Recorder", "Channel"), ("Channel", "Recorder")])
def test_a_recorder_starts_with_its_channel(stacks: Stacks, order: tuple[str, str]) -> None:
    group = {"RecordingStrategy": {"UseOnly": "INCLUSION_BY_RESOURCE_TYPES"}, "ResourceTypes": ["AWS::EC2::SecurityGroup"]}
    daily = {"ResourceTypes": ["AWS::EC2::VPC"], "RecordingFrequency": "DAILY"}
    mode = {"RecordingFrequency": "CONTINUOUS", "RecordingModeOverrides": [daily]}
    both = {
        "Recorder": (
            "AWS::Config::ConfigurationRecorder",
            {"RoleARN": AGGREGATOR_ROLE, "RecordingGroup": group, "RecordingMode": mode},
        ),
        "Channel": ("AWS::Config::DeliveryChannel", {"S3BucketName": "config-archive", "S3KeyPrefix": "a"}),
    }
    stacks.put(**{name: both[name] for name in order})
    config = stacks.clients.build_client("config")
    (recorder,) = config.describe_configuration_recorders()["ConfigurationRecorders"]
    assert recorder["name"] == stacks.refs()["Recorder"]
    assert recorder["recordingGroup"]["resourceTypes"] == ["AWS::EC2::SecurityGroup"]
    assert recorder["recordingMode"]["recordingModeOverrides"] == [
        {"resourceTypes": ["AWS::EC2::VPC"], "recordingFrequency": "DAILY"}
    ]
    assert config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"][0]["recording"] is True
    assert config.describe_delivery_channels()["DeliveryChannels"][0]["s3BucketName"] == "config-archive"
    stacks.put("second", Recorder=both["Recorder"])
    assert "MaxNumberOfConfigurationRecorders" in stacks.failure("ROLLBACK_COMPLETE", "second")
    stacks.formation.delete_stack(StackName="admin")
    assert config.describe_configuration_recorders()["ConfigurationRecorders"] == []
    assert config.describe_delivery_channels()["DeliveryChannels"] == []


def test_an_aggregator_of_the_organization(server: MotoServer, stacks: Stacks) -> None:
    source = {"RoleArn": AGGREGATOR_ROLE, "AllAwsRegions": True}
    kind = "AWS::Config::ConfigurationAggregator"
    properties = {"ConfigurationAggregatorName": "org", "OrganizationAggregationSource": source}
    stacks.put(Aggregator=(kind, properties))
    config = stacks.clients.build_client("config")
    (made,) = config.describe_configuration_aggregators()["ConfigurationAggregators"]
    assert made["OrganizationAggregationSource"]["AllAwsRegions"] is True
    assert stacks.refs() == {"Aggregator": "org"}
    source = {"RoleArn": AGGREGATOR_ROLE, "AwsRegions": ["eu-west-1"]}
    stacks.change(Aggregator=(kind, {**properties, "OrganizationAggregationSource": source}))
    (changed,) = config.describe_configuration_aggregators()["ConfigurationAggregators"]
    assert changed["ConfigurationAggregatorArn"] == made["ConfigurationAggregatorArn"]
    other = Stacks(server, f"{int(ADMIN) + 1}")
    other.put(Aggregator=(kind, properties))
    assert other.failure("ROLLBACK_COMPLETE").startswith("OrganizationAccessDeniedException")


def test_stored_queries(stacks: Stacks) -> None:
    kind = "AWS::Config::StoredQuery"
    stacks.put(Query=(kind, {"QueryName": "by-account", "QueryExpression": "SELECT a", "QueryDescription": "what"}))
    config = stacks.clients.build_client("config")
    (about,) = config.list_stored_queries()["StoredQueryMetadata"]
    assert (about["QueryName"], about["Description"]) == ("by-account", "what")
    assert config.get_stored_query(QueryName="by-account")["StoredQuery"]["Expression"] == "SELECT a"
    stacks.change(Query=(kind, {"QueryName": "by-account", "QueryExpression": "SELECT b"}))
    changed = config.get_stored_query(QueryName="by-account")["StoredQuery"]
    assert (changed["Expression"], changed["QueryId"]) == ("SELECT b", about["QueryId"])
    stacks.change(Query=(kind, {"QueryName": "renamed", "QueryExpression": "SELECT b"}))
    refused("ResourceNotFoundException", config.get_stored_query, QueryName="by-account")
    config.put_stored_query(StoredQuery={"QueryName": "own", "Expression": "SELECT c"})
    assert len(config.list_stored_queries(MaxResults=1)["StoredQueryMetadata"]) == 1
    config.delete_stored_query(QueryName="own")
    refused("ValidationException", config.put_stored_query, StoredQuery={"QueryName": "a b", "Expression": "SELECT c"})


def test_a_rule_with_its_fix(stacks: Stacks) -> None:
    stacks.put(
        Rule=(
            "AWS::Config::ConfigRule",
            {
                "ConfigRuleName": "keys",
                "Source": {"Owner": "AWS", "SourceIdentifier": "IAM_USER_MFA_ENABLED"},
            },
        ),
        Fix=(
            "AWS::Config::RemediationConfiguration",
            {"ConfigRuleName": {"Ref": "Rule"}, "TargetType": "SSM_DOCUMENT", "TargetId": "AWS-Fix", "Parameters": {}},
        ),
    )
    config = stacks.clients.build_client("config")
    assert [rule["ConfigRuleName"] for rule in config.describe_config_rules()["ConfigRules"]] == ["keys"]
    assert len(config.describe_remediation_configurations(ConfigRuleNames=["keys"])["RemediationConfigurations"]) == 1
    stacks.formation.delete_stack(StackName="admin")
    assert config.describe_config_rules()["ConfigRules"] == []


def test_a_pack_in_the_stack_of_what_it_needs(stacks: Stacks) -> None:
    """The variant in which a StackSet brings the pack itself: it comes after the function, its permission and the document."""
    needed = {name: (resource["Type"], resource["Properties"]) for name, resource in MEMBER.items()}
    depends = {"DependsOn": ["Recorder", "Channel", "Permission", "Document"]}
    kind = "AWS::Config::ConformancePack"
    pack = {"ConformancePackName": "pci-dss", "TemplateBody": pack_template("PCI_A")}
    stacks.put(Pack=(kind, pack, depends), **needed)
    config = stacks.clients.build_client("config")
    (rule,) = config.describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"].startswith("PCI_A-conformance-pack-")
    stacks.change(Pack=(kind, {**pack, "TemplateBody": pack_template("PCI_B")}, depends), **needed)
    (rule,) = config.describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"].startswith("PCI_B-conformance-pack-")
    stacks.formation.delete_stack(StackName="admin")
    assert config.describe_conformance_packs()["ConformancePackDetails"] == []
    refused("NoSuchConformancePackException", config.describe_conformance_packs, ConformancePackNames=["pci-dss"])
    without = {name: content for name, content in needed.items() if name != "Permission"}
    stacks.put(**without, Pack=(kind, pack, {"DependsOn": ["Function", "Document", "Channel"]}))
    assert "InsufficientPermissionsException" in stacks.failure("ROLLBACK_COMPLETE")
    assert config.describe_configuration_recorders()["ConfigurationRecorders"] == []


def test_an_organization_pack_by_a_stack_waits_for_every_account(server: MotoServer, stacks: Stacks) -> None:
    for number in range(3):
        prepare(server, f"{int(MANAGEMENT) + number}")
    kind = "AWS::Config::OrganizationConformancePack"
    pack = {"OrganizationConformancePackName": "pci-dss", "TemplateBody": pack_template("PCI_A")}
    stacks.put(Pack=(kind, pack))
    packs = Packs(server)
    assert packs.status()["Status"] == "CREATE_SUCCESSFUL"
    assert packs.statuses() == {"CREATE_SUCCESSFUL": 3}
    stacks.formation.delete_stack(StackName="admin")
    refused("NoSuchOrganizationConformancePackException", packs.status)


def test_a_changed_document_gets_a_version(stacks: Stacks) -> None:
    def document(text: str, **more: str) -> tuple[str, dict[str, Any]]:
        content = {"schemaVersion": "0.3", "description": text, "mainSteps": []}
        named = {"Name": "PciConfig-Fix", "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": content}
        return "AWS::SSM::Document", {**named, "UpdateMethod": "NewVersion", **more}

    ssm = stacks.clients.build_client("ssm")

    def default() -> tuple[str, str]:
        found = ssm.get_document(Name="PciConfig-Fix")
        return found["DocumentVersion"], json.loads(found["Content"])["description"]

    stacks.put(Document=document("one"))
    assert default() == ("1", "one")
    stacks.change(Document=document("two"))
    assert default() == ("2", "two")
    assert len(ssm.describe_document(Name="PciConfig-Fix")["Document"]["Hash"]) == 64
    stacks.change(Document=document("one"))
    assert default() == ("1", "one")
    stacks.change(Document=document("three", UpdateMethod="Replace"))
    assert default() == ("1", "three")
    stacks.formation.delete_stack(StackName="admin")
    refused("InvalidDocument", ssm.get_document, Name="PciConfig-Fix")


# ------------------------------------------------------------------------------------------ buckets, topics and alarms


def bucket(**more: Any) -> tuple[str, dict[str, Any]]:
    return "AWS::S3::Bucket", {"BucketName": "pci-config-evidence", **more}


def test_a_bucket_has_what_its_template_says(stacks: Stacks) -> None:
    blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    retention = {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}, "ObjectLockEnabled": "Enabled"}
    rule = {
        "Id": "old",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 30}],
        "ExpirationInDays": 400,
    }
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}}
    stacks.put(
        Bucket=bucket(
            VersioningConfiguration={"Status": "Enabled"},
            PublicAccessBlockConfiguration=blocked,
            ObjectLockEnabled=True,
            ObjectLockConfiguration=retention,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            LifecycleConfiguration={"Rules": [rule]},
            LoggingConfiguration={"DestinationBucketName": "logs", "LogFilePrefix": "a/"},
        ),
        Policy=("AWS::S3::BucketPolicy", {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [statement]}}),
    )
    s3 = stacks.clients.build_client("s3")
    name = {"Bucket": "pci-config-evidence"}
    assert s3.get_bucket_versioning(**name)["Status"] == "Enabled"
    assert s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"] == blocked
    lock = s3.get_object_lock_configuration(**name)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 30}
    assert s3.get_bucket_ownership_controls(**name)["OwnershipControls"]["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced"
    (kept,) = s3.get_bucket_lifecycle_configuration(**name)["Rules"]
    assert (kept["ID"], kept["Expiration"], kept["Transitions"][0]["Days"]) == ("old", {"Days": 400}, 30)
    assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert s3.get_bucket_logging(**name)["LoggingEnabled"]["TargetBucket"] == "logs"
    policy = json.loads(s3.get_bucket_policy(**name)["Policy"])
    assert policy["Statement"][0]["Resource"] == "arn:aws:s3:::pci-config-evidence"


def test_a_bucket_with_objects_outlives_its_stack(stacks: Stacks) -> None:
    stacks.put(Bucket=bucket())
    s3 = stacks.clients.build_client("s3")
    s3.put_object(Bucket="pci-config-evidence", Key="a", Body=b"a")
    stacks.formation.delete_stack(StackName="admin")
    assert "is not empty" in stacks.failure("DELETE_FAILED")
    s3.delete_object(Bucket="pci-config-evidence", Key="a")
    stacks.formation.delete_stack(StackName="admin")
    refused("ValidationError", stacks.status)
    assert s3.list_buckets()["Buckets"] == []
    stacks.put("kept", Bucket=(*bucket(), {"DeletionPolicy": "Retain"}))
    stacks.formation.delete_stack(StackName="kept")
    assert len(s3.list_buckets()["Buckets"]) == 1


def test_alarms_topics_queues_and_buses(stacks: Stacks) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "*",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    alarm = {
        "AlarmName": "pci-config-errors",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "pci-config-rules"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "Topic"}],
    }
    resources: dict[str, Any] = {
        "Topic": ("AWS::SNS::Topic", {"TopicName": "pci-config-alarms"}),
        "Topics": ("AWS::SNS::TopicPolicy", {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document}),
        "Mail": (
            "AWS::SNS::Subscription",
            {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "pci@card-issuer.example"},
        ),
        "Queue": ("AWS::SQS::Queue", {"QueueName": "dead"}),
        "Queues": ("AWS::SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}),
        "Bus": ("AWS::Events::EventBus", {"Name": "pci-config"}),
        "Buses": (
            "AWS::Events::EventBusPolicy",
            {
                "EventBusName": {"Ref": "Bus"},
                "StatementId": "organization",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "events:PutEvents",
                    "Resource": {"Fn::GetAtt": ["Bus", "Arn"]},
                    "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
                },
            },
        ),
        "Alarm": ("AWS::CloudWatch::Alarm", alarm),
        "Log": ("AWS::Logs::LogGroup", {"LogGroupName": "/aws/lambda/pci-config-rules", "RetentionInDays": 30}),
        "Filter": (
            "AWS::Logs::MetricFilter",
            {
                "LogGroupName": {"Ref": "Log"},
                "FilterPattern": "ERROR",
                "MetricTransformations": [{"MetricName": "e", "MetricNamespace": "pci", "MetricValue": "1"}],
            },
        ),
        "Dashboard": ("AWS::CloudWatch::Dashboard", {"DashboardName": "pci", "DashboardBody": '{"widgets": []}'}),
    }
    stacks.put(**resources)
    topic = stacks.refs()["Topic"]
    sns, watch = stacks.clients.build_client("sns"), stacks.clients.build_client("cloudwatch")
    assert json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]) == document
    assert [one["Protocol"] for one in sns.list_subscriptions()["Subscriptions"]] == ["email"]
    queue = stacks.clients.build_client("sqs").get_queue_attributes(QueueUrl=stacks.refs()["Queue"], AttributeNames=["Policy"])
    assert json.loads(queue["Attributes"]["Policy"])["Statement"][0]["Action"] == "sns:Publish"
    events = stacks.clients.build_client("events")
    assert "o-abcdefghij" in events.describe_event_bus(Name="pci-config")["Policy"]
    (made,) = watch.describe_alarms()["MetricAlarms"]
    assert (made["Threshold"], made["AlarmActions"], made["ActionsEnabled"]) == (0.0, [topic], True)
    logs = stacks.clients.build_client("logs")
    assert len(logs.describe_metric_filters()["metricFilters"]) == 1

    changed = {**resources, "Alarm": ("AWS::CloudWatch::Alarm", {**alarm, "Threshold": 5})}
    changed["Log"] = (resources["Log"][0], {**resources["Log"][1], "RetentionInDays": 400})
    del changed["Mail"]
    stacks.change(**changed)
    assert watch.describe_alarms()["MetricAlarms"][0]["Threshold"] == 5.0
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 400
    assert sns.list_subscriptions()["Subscriptions"] == []
    stacks.formation.delete_stack(StackName="admin")
    assert watch.describe_alarms()["MetricAlarms"] == []
    assert logs.describe_log_groups()["logGroups"] == []
    assert sns.list_topics()["Topics"] == []


# ------------------------------------------------------------------------------------------------------------ refusals


def test_what_is_not_imitated_is_refused(stacks: Stacks) -> None:
    refused("ValidationError", stacks.put, Nothing=("AWS::Nope::Nothing", {}))
    message = refused("ValidationError", stacks.put, "a", Bucket=bucket(ReplicationConfiguration={}))
    assert "ReplicationConfiguration of AWS::S3::Bucket" in message
    query = {"QueryName": "q", "QueryExpression": "SELECT a", "Nope": 1}
    assert "Nope of AWS::Config::StoredQuery" in refused(
        "ValidationError", stacks.put, "b", Query=("AWS::Config::StoredQuery", query)
    )


def test_a_template_that_is_none_is_refused(stacks: Stacks) -> None:
    assert "Template format error" in refused(
        "ValidationError", stacks.formation.create_stack, StackName="a", TemplateBody="a: b: c"
    )


def test_an_update_that_changes_nothing_is_refused(stacks: Stacks) -> None:
    stacks.put(Bucket=bucket())
    assert "No updates are to be performed" in refused("ValidationError", stacks.change, Bucket=bucket())
    stacks.change(Bucket=bucket(VersioningConfiguration={"Status": "Enabled"}))
    assert stacks.status() == "UPDATE_COMPLETE"
    fix = {"ConfigRuleName": "none", "TargetType": "SSM_DOCUMENT", "TargetId": "AWS-Fix", "Parameters": {}}
    stacks.change(Bucket=bucket(), Fix=("AWS::Config::RemediationConfiguration", fix))
    assert "'none' provided in the request is invalid" in stacks.failure("UPDATE_ROLLBACK_COMPLETE")
    assert list(stacks.refs()) == ["Bucket"]


def test_a_parameter_in_a_longer_text_is_followed(stacks: Stacks) -> None:
    body = {
        "Parameters": {"Key": {"Type": "String", "Default": "one"}},
        "Resources": {
            "Mark": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/m", "Type": "String", "Value": {"Fn::Sub": "a/${Key}"}},
            }
        },
    }
    text = json.dumps(body)
    stacks.formation.create_stack(StackName="m", TemplateBody=text)
    stacks.formation.update_stack(
        StackName="m", TemplateBody=text, Parameters=[{"ParameterKey": "Key", "ParameterValue": "two"}]
    )
    ssm = stacks.clients.build_client("ssm")
    assert ssm.get_parameter(Name="/m")["Parameter"]["Value"] == "a/two"
