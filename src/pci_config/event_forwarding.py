"""Forwards to the organization's event bus what an account's own bus tells of compliance, fixes and the function's alarms.

AWS Config and the documents tell the default bus of the account and Region only. The bus may be in another account and in
another Region: EventBridge sends to both.

Source: EventBridge user guide, sending events between accounts and between Regions (a bus that is open to an organization takes
events that come with a role) and cross-service confused deputy prevention (aws:SourceArn is the rule's ARN).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pci_config.org_names import PREFIX
from pci_config.template_forms import is_given, managed_tags, optional

FORWARDS = "ForwardsEvents"
FORWARDER_ROLE = f"{PREFIX}-event-forwarder"
RULE_PREFIX = f"{PREFIX}-forward-"
CONFIG_RULE_PREFIX = "PCI_"  # every rule of the packs; those of other services are not ours to send, and each event costs
BUS = r"arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/(?!default$)[A-Za-z0-9._/-]{1,256}"
OWN_ACCOUNT = {"account": [{"Ref": "AWS::AccountId"}]}  # never what others have sent here: it would go round


def forwarding_parameters() -> dict[str, Any]:
    """Of both templates: role and rules are made where the parameter is given."""
    what = "Bus that changes of compliance, fixes and alarms are forwarded to, by ARN, no default bus; none: nothing is"
    return {"EventBus": optional(what, BUS)}


def forwarding_conditions() -> dict[str, Any]:
    return {FORWARDS: is_given("EventBus")}


def forwarding_role() -> dict[str, Any]:
    """Once in an account: rules of every Region use it."""
    rules = {"Fn::Sub": f"arn:${{AWS::Partition}}:events:*:${{AWS::AccountId}}:rule/{RULE_PREFIX}*"}
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": rules},
        },
    }
    forward = {
        "Sid": "ForwardToOtherAccountsBus",
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": {"Ref": "EventBus"},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Condition": FORWARDS,
        "Properties": {
            "RoleName": FORWARDER_ROLE,
            "Description": "Puts events of this account onto the organization's event bus",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "forward", "PolicyDocument": {"Version": "2012-10-17", "Statement": [forward]}}],
            "Tags": managed_tags(),
        },
    }


def forwarding_resources(alarms: Iterable[str]) -> dict[str, Any]:
    """`alarms` are the logical ids of the alarms whose changes of state are forwarded."""
    compliance = {
        "source": ["aws.config"],
        "detail-type": ["Config Rules Compliance Change"],
        "detail": {
            "messageType": ["ComplianceChangeNotification"],
            "configRuleName": [{"prefix": CONFIG_RULE_PREFIX}],
        },
    }
    remediation = {"source": ["pci-config"], "detail-type": ["PCI remediation"]}
    changed = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "resources": [{"Fn::GetAtt": [alarm, "Arn"]} for alarm in alarms],
    }
    return {
        "ForwardCompliance": _rule("compliance", "Changes of compliance of the PCI DSS rules", compliance),
        "ForwardRemediation": _rule("remediation", "What the remediation documents did", remediation),
        "ForwardAlarms": _rule("alarms", "Alarms on the rules' function", changed),
    }


def _rule(name: str, what: str, pattern: dict[str, Any]) -> dict[str, Any]:
    role = {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{FORWARDER_ROLE}"}
    return {
        "Type": "AWS::Events::Rule",
        "Condition": FORWARDS,
        "Properties": {
            "Name": f"{RULE_PREFIX}{name}",
            "Description": f"{what}, to the organization's event bus",
            "EventPattern": {**OWN_ACCOUNT, **pattern},
            "State": "ENABLED",
            "Targets": [{"Id": "bus", "Arn": {"Ref": "EventBus"}, "RoleArn": role}],
            "Tags": managed_tags(),
        },
    }
