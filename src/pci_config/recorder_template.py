"""Recorder and delivery channel of an account and Region, where pci-config is asked to make them.

An account has one customer-managed recorder in a Region. Where Control Tower or anybody else has made it, `Recorder` stays
`existing`: the rule PCI_RECORDER_COVERS_SCOPE says what it lacks. What is recorded comes from the rules themselves, each type
in the Regions where it has items, and continuously: a rule that judges each change has to see each.

Recorder and channel do not depend on each other: CloudFormation starts the one when the other is there, and waits for it.
They go with their stack. An account that moves between organizational units loses its stack and gets it again: a recorder that
had stayed would be in the way of the new one. History that was recorded, and files that were delivered, stay.

Source: CloudFormation template reference and AWS Config API reference (RecordingGroup, PutDeliveryChannel).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.configuration_recorder import CONTINUOUS, INCLUSION
from pci_config.org_names import PREFIX
from pci_config.recorded_types import CLOUDFRONT_REGION, EVERYWHERE, HOME, Need
from pci_config.template_forms import choice, only_if

CREATES, IN_HOME, IN_CLOUDFRONT = "CreatesRecorder", "InHomeRegion", "InRegionOfCloudFront"
CREATES_ROLE = "CreatesConfigRole"
RECORDER = PREFIX  # and its delivery channel
CONFIG_SERVICE = "config.amazonaws.com"
CONFIG_ROLE = f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/aws-service-role/{CONFIG_SERVICE}/AWSServiceRoleForConfig"
# The history of each pack's compliance. It costs nothing, and is evidence.
PACK_COMPLIANCE = "AWS::Config::ConformancePackCompliance"
BUCKET = r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$"


def recorder_parameters() -> dict[str, Any]:
    return {
        "Recorder": choice(
            "create: a recorder of the types that the rules need, and its delivery channel", "existing", "create"
        ),
        "RecorderBucket": {
            "Type": "String",
            "Default": "",  # and not `none`, which could be somebody's bucket
            "AllowedPattern": BUCKET,
            "Description": "Bucket of the log archive that takes the recorder's files; needed to create one. It must not have "
            "a default retention (Object Lock)",
        },
    }


def recorder_conditions(home_region: str) -> dict[str, Any]:
    return {
        CREATES: {"Fn::Equals": [{"Ref": "Recorder"}, "create"]},
        IN_HOME: {"Fn::Equals": [{"Ref": "AWS::Region"}, home_region]},
        IN_CLOUDFRONT: {"Fn::Equals": [{"Ref": "AWS::Region"}, CLOUDFRONT_REGION]},
    }


def recorder_resources(needs: Mapping[str, Need]) -> dict[str, Any]:
    return {
        "ConfigurationRecorder": {
            "Type": "AWS::Config::ConfigurationRecorder",
            "Condition": CREATES,
            "Properties": {
                "Name": RECORDER,
                "RoleARN": {"Fn::Sub": CONFIG_ROLE},
                "RecordingGroup": {
                    "AllSupported": False,
                    "IncludeGlobalResourceTypes": False,
                    "RecordingStrategy": {"UseOnly": INCLUSION},
                    "ResourceTypes": [PACK_COMPLIANCE, *(_where(name, need.place) for name, need in needs.items())],
                },
                "RecordingMode": {"RecordingFrequency": CONTINUOUS},
            },
        },
        "DeliveryChannel": {
            "Type": "AWS::Config::DeliveryChannel",
            "Condition": CREATES,
            # the parameter's default is no bucket's name: without a bucket the stack fails, which is meant
            "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W1030"]}}},
            "Properties": {
                "Name": RECORDER,
                "S3BucketName": {"Ref": "RecorderBucket"},
                # `pci-config assess --snapshot` reads these
                "ConfigSnapshotDeliveryProperties": {"DeliveryFrequency": "TwentyFour_Hours"},
            },
        },
    }


def _where(resource_type: str, place: str) -> Any:
    """The type, limited to the Regions that the need names. An entry that is AWS::NoValue is left out of the list."""
    conditions = {HOME: IN_HOME, CLOUDFRONT_REGION: IN_CLOUDFRONT}
    return resource_type if place == EVERYWHERE else only_if(conditions[place], resource_type)


# ------------------------------------------------------------------------------------------ once in an account: its role


def config_role_parameters() -> dict[str, Any]:
    what = "create: the service-linked role of AWS Config, which a new recorder needs; fails where an account has it already"
    return {"ConfigRole": choice(what, "existing", "create")}


def config_role_conditions() -> dict[str, Any]:
    return {CREATES_ROLE: {"Fn::Equals": [{"Ref": "ConfigRole"}, "create"]}}


def config_role() -> dict[str, Any]:
    """It stays: other recorders of the account use it as well, and IAM refuses to delete it then."""
    return {
        "Type": "AWS::IAM::ServiceLinkedRole",
        "Condition": CREATES_ROLE,
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"AWSServiceName": CONFIG_SERVICE},
    }
