"""Generates the templates of the delegated administrator's own stacks, `org_setup/delegated_admin` and `org_setup/artifacts`.

The first, in the home Region, has the aggregator unless rdk.json names one, the evidence bucket and the alarm topic. The
second, in every Region, has the bucket of bundle and templates: Lambda and Config read from a bucket of their Region.
"""

from __future__ import annotations

from typing import Any

from pci_config.documents import yaml_text
from pci_config.org_names import AGGREGATOR, ALARM_TOPIC, artifacts_bucket_prefix
from pci_config.org_templates import HEADER, MANAGED_TAGS
from pci_config.rdk_json import RdkJson

RETENTION_DAYS = 400  # PCI DSS 4.0.1 10.5.1: twelve months, and time to look at them
SUPERSEDED_DAYS = 400  # versions of artefacts that were replaced or deleted
AGGREGATOR_ROLE = "pci-config-aggregator"
AGGREGATOR_POLICY = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"
DOCUMENT_ROLES = "arn:${AWS::Partition}:iam::*:role/PciConfig-*"
IN_ORGANIZATION = "InOrganization"
ORGANIZATION_PARAMETER = {
    "Type": "String",
    "Default": "",
    "AllowedPattern": "^(o-[a-z0-9]{10,32})?$",
    "Description": "Organization whose accounts may read or write; empty: this account only",
}
NO_ACCESS_LOG = {
    "id": "CKV_AWS_18",
    "comment": "Object-level CloudTrail data events of the log archive's trail record who reads and writes",
}


def delegated_admin(rdk_json: RdkJson) -> str:
    """The template of aggregator, evidence bucket and alarm topic, as YAML text."""
    deployment = rdk_json.model.deployment
    resources: dict[str, Any] = {**_alarm_topic(deployment.alarm_email), **_evidence(rdk_json.evidence_bucket)}
    conditions: dict[str, Any] = {IN_ORGANIZATION: _given("OrganizationId")}
    parameters: dict[str, Any] = {"OrganizationId": ORGANIZATION_PARAMETER}
    if rdk_json.evidence_bucket:
        parameters["CreateEvidenceBucket"] = {
            "Type": "String",
            "Default": "true",
            "AllowedValues": ["true", "false"],
            "Description": "false: the bucket is there already and is left as it is",
        }
        conditions["EvidenceBucketIsMissing"] = {"Fn::Equals": [{"Ref": "CreateEvidenceBucket"}, "true"]}
    if not deployment.aggregator:
        resources |= _aggregator(list(rdk_json.settings.regions))
    return _text("aggregator, evidence bucket and alarm topic. Home Region only.", parameters, conditions, resources)


def artifacts() -> str:
    """The template of the bucket that bundle, templates and packs are read from, as YAML text."""
    resources = {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Delete",  # `destroy` empties it first; a bucket that is not empty stays
            "UpdateReplacePolicy": "Retain",
            "Metadata": {"checkov": {"skip": [NO_ACCESS_LOG]}},
            "Properties": {
                "BucketName": {"Fn::Sub": artifacts_bucket_prefix("${AWS::AccountId}") + "-${AWS::Region}"},
                **_private_bucket(),
                "LifecycleConfiguration": {"Rules": [_superseded()]},
            },
        },
        "BucketPolicy": _bucket_policy("Bucket", [_readable_by_organization("Bucket")]),
    }
    parameters = {"OrganizationId": ORGANIZATION_PARAMETER}
    conditions = {IN_ORGANIZATION: _given("OrganizationId")}
    return _text("bucket of bundle, templates and packs. Every Region.", parameters, conditions, resources)


def _text(description: str, parameters: dict[str, Any], conditions: dict[str, Any], resources: dict[str, Any]) -> str:
    return HEADER + yaml_text(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": f"pci-config: {description}",
            "Parameters": parameters,
            "Conditions": conditions,
            "Resources": resources,
        }
    )


def _given(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


# ------------------------------------------------------------------------------------------------------------- buckets


def _private_bucket() -> dict[str, Any]:
    return {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "VersioningConfiguration": {"Status": "Enabled"},
        "Tags": [*_tags(), {"Key": "pci:scope", "Value": "connected"}],
    }


def _superseded() -> dict[str, Any]:
    return {
        "Id": "superseded",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": SUPERSEDED_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def _evidence(bucket: str | None) -> dict[str, Any]:
    """States before and after each fix. A record cannot be changed or deleted before its time but by governance's right."""
    if not bucket:
        return {}
    policy = _bucket_policy("EvidenceBucket", _evidence_statements())
    return {
        "EvidenceBucket": {
            "Type": "AWS::S3::Bucket",
            "Condition": "EvidenceBucketIsMissing",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Metadata": {"checkov": {"skip": [NO_ACCESS_LOG]}},
            "Properties": {
                "BucketName": bucket,
                **_private_bucket(),
                "ObjectLockEnabled": True,
                "ObjectLockConfiguration": {
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": RETENTION_DAYS}},
                },
            },
        },
        "EvidenceBucketPolicy": {
            **policy,
            "Condition": "EvidenceBucketIsMissing",
            "DeletionPolicy": "RetainExceptOnCreate",  # the bucket stays, so must what protects it
            "UpdateReplacePolicy": "Retain",
        },
    }


def _evidence_statements() -> list[dict[str, Any]]:
    """Each account's documents write and read below their own account's folder."""
    folder = {"Fn::Sub": "${EvidenceBucket.Arn}/remediation/${!aws:PrincipalAccount}/*"}
    by_documents = {**_organization_only(), "ArnLike": {"aws:PrincipalArn": {"Fn::Sub": DOCUMENT_ROLES}}}
    return [
        {
            "Sid": "DocumentsKeepEvidence",
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:PutObject", "s3:GetObject"],
            "Resource": folder,
            "Condition": by_documents,
        },
    ]


def _readable_by_organization(bucket: str) -> dict[str, Any]:
    return {
        "Sid": "OrganizationReads",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": {"Fn::Sub": f"${{{bucket}.Arn}}/*"},
        "Condition": _organization_only(),
    }


def _organization_only() -> dict[str, Any]:
    """`Fn::If` around the key is no condition, so the other key gets what every principal of the account has."""
    return {
        "StringEquals": {
            "Fn::If": [
                IN_ORGANIZATION,
                {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
                {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}},
            ]
        }
    }


def _bucket_policy(bucket: str, statements: list[dict[str, Any]]) -> dict[str, Any]:
    clear_text = {
        "Sid": "NoClearText",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": bucket},
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [clear_text, *statements]},
        },
    }


# ------------------------------------------------------------------------------------------------ aggregator and alarms


def _aggregator(regions: list[str]) -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "config.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
            }
        ],
    }
    return {
        "AggregatorRole": {
            "Type": "AWS::IAM::Role",
            "Condition": IN_ORGANIZATION,
            "Properties": {
                "RoleName": AGGREGATOR_ROLE,
                "Description": "Lets AWS Config list the organization's accounts",
                "AssumeRolePolicyDocument": trust,
                "ManagedPolicyArns": [{"Fn::Sub": AGGREGATOR_POLICY}],
                "Tags": _tags(),
            },
        },
        "Aggregator": {
            "Type": "AWS::Config::ConfigurationAggregator",
            "Condition": IN_ORGANIZATION,
            "Properties": {
                "ConfigurationAggregatorName": AGGREGATOR,
                "OrganizationAggregationSource": {
                    "AwsRegions": regions,
                    "RoleArn": {"Fn::GetAtt": ["AggregatorRole", "Arn"]},
                },
                "Tags": _tags(),
            },
        },
    }


def _alarm_topic(email: str | None) -> dict[str, Any]:
    """Encrypted with an own key: alarms cannot publish to a topic that has AWS's key of SNS."""
    own_alarms = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    service = {"Service": "cloudwatch.amazonaws.com"}
    administration: dict[str, Any] = {
        "Sid": "Administration",
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
        "Action": "kms:*",
        "Resource": "*",
    }
    use: dict[str, Any] = {
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": service,
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    publish: dict[str, Any] = {
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": service,
        "Action": "sns:Publish",
        "Condition": own_alarms,
    }
    publish["Resource"] = {"Ref": "AlarmTopic"}
    use["Resource"] = "*"  # the key itself
    resources: dict[str, Any] = {
        "AlarmKey": {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "Description": f"Encrypts what is published to {ALARM_TOPIC}",
                "EnableKeyRotation": True,
                "KeyPolicy": {"Version": "2012-10-17", "Statement": [administration, use]},
                "Tags": _tags(),
            },
        },
        "AlarmTopic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": ALARM_TOPIC, "KmsMasterKeyId": {"Ref": "AlarmKey"}, "Tags": _tags()},
        },
        "AlarmTopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "AlarmTopic"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [publish]},
            },
        },
    }
    if email:
        resources["AlarmSubscription"] = {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "AlarmTopic"}, "Protocol": "email", "Endpoint": email},
        }
    return resources


def _tags() -> list[dict[str, str]]:
    return [dict(tag) for tag in MANAGED_TAGS]
