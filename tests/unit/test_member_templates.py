"""Templates of the members: what stands there without being asked for, what a parameter adds, and where it is recorded."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from pci_config import build
from pci_config.catalogue import Catalogue, project_root
from pci_config.document_policies import document_policies
from pci_config.documents import document_names
from pci_config.event_forwarding import CONFIG_RULE_PREFIX
from pci_config.event_pattern import evaluate
from pci_config.function_alarms import ALARMS
from pci_config.org_templates import RETENTION_DAYS, member_global, member_regional
from pci_config.rdk_json import RdkJson
from pci_config.recorded_types import CLOUDFRONT_REGION, EVERYWHERE, HOME, Need
from pci_config.recorder_template import PACK_COMPLIANCE, recorder_conditions, recorder_resources
from pci_config.recording_needs import needs

ROOT = project_root()
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json")
REGIONAL: dict[str, Any] = yaml.safe_load(member_regional(RDK_JSON, needs(CATALOGUE)))
GLOBAL: dict[str, Any] = yaml.safe_load(member_global(CATALOGUE, RDK_JSON, document_policies(ROOT / "remediation")))
ACCOUNT, REGION = "600000000006", "eu-west-1"
ALARM_ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:pci-config-rules-errors"


def conditional(template: dict[str, Any]) -> dict[str, str | None]:
    return {logical_id: resource.get("Condition") for logical_id, resource in template["Resources"].items()}


def test_what_is_there_without_being_asked_for() -> None:
    always = [logical_id for logical_id, condition in conditional(REGIONAL).items() if condition is None]
    assert sorted(always) == sorted(["LogGroup", "Function", "Permission", "SwitchParameter", *ALARMS])
    added = {name: condition for name, condition in conditional(REGIONAL).items() if condition}
    assert added == {
        "ForwardCompliance": "ForwardsEvents",
        "ForwardRemediation": "ForwardsEvents",
        "ForwardAlarms": "ForwardsEvents",
        "ConfigurationRecorder": "CreatesRecorder",
        "DeliveryChannel": "CreatesRecorder",
    }
    roles = {name: condition for name, condition in conditional(GLOBAL).items() if condition}
    assert roles == {"EventForwarderRole": "ForwardsEvents", "ConfigRecorderRole": "CreatesConfigRole"}
    assert len(GLOBAL["Resources"]) - len(roles) > len(document_names(ROOT / "remediation"))


def test_every_parameter_but_the_bundles_place_has_a_default_that_adds_nothing() -> None:
    for template in (REGIONAL, GLOBAL):
        defaults = {name: slot.get("Default") for name, slot in template["Parameters"].items()}
        assert {name for name, default in defaults.items() if default is None} <= {"CodeBucketPrefix", "CodeKey"}
        for name in ("EventBus", "AlarmTopic", "ReservedConcurrency"):
            assert defaults.get(name, "none") == "none"
        for name in ("Recorder", "ConfigRole"):
            assert defaults.get(name, "existing") == "existing"
    assert REGIONAL["Parameters"]["RecorderBucket"]["Default"] == ""


@pytest.mark.parametrize(
    ("name", "fits", "refused"),
    [
        (
            "EventBus",
            [
                "none",
                f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/pci-config",
                f"arn:aws-cn:events:x:{ACCOUNT}:event-bus/default2",
            ],
            [
                "",
                "pci-config",
                f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default",
                f"arn:aws:events:*:{ACCOUNT}:event-bus/a",
            ],
        ),
        ("AlarmTopic", ["none", f"{ACCOUNT}:pci-config-alarms"], ["", "alarms", f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"]),
        ("ReservedConcurrency", ["none", "1", "20", "99999"], ["", "0", "-1", "1.5", "100000"]),
        ("RecorderBucket", ["", "card-issuer-config", "abc"], ["none!", "ab", "-abc", "Abc", "a" * 64]),
    ],
)
def test_what_a_parameter_takes(name: str, fits: list[str], refused: list[str]) -> None:
    pattern = REGIONAL["Parameters"][name]["AllowedPattern"]
    assert [value for value in fits if not re.fullmatch(pattern, value)] == []
    assert [value for value in refused if re.fullmatch(pattern, value)] == []


def test_the_bus_is_the_same_parameter_in_both_templates() -> None:
    assert GLOBAL["Parameters"]["EventBus"] == REGIONAL["Parameters"]["EventBus"]
    assert GLOBAL["Conditions"]["ForwardsEvents"] == REGIONAL["Conditions"]["ForwardsEvents"]


def test_logs_are_kept_for_a_year_at_least_and_outlive_the_stack() -> None:
    assert min(RETENTION_DAYS) > 366
    slot, group = REGIONAL["Parameters"]["LogRetentionDays"], REGIONAL["Resources"]["LogGroup"]
    assert (slot["Default"], slot["AllowedValues"]) == (400, list(RETENTION_DAYS))
    assert (group["DeletionPolicy"], group["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_every_resource_that_takes_tags_has_ours() -> None:
    untaggable = {"AWS::Lambda::Permission", "AWS::Config::ConfigurationRecorder", "AWS::Config::DeliveryChannel"}
    for template in (REGIONAL, GLOBAL):
        for resource in template["Resources"].values():
            if resource["Type"] not in {*untaggable, "AWS::IAM::ServiceLinkedRole"}:
                tags = resource["Properties"]["Tags"]
                assert (tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags})[
                    "pci-config"
                ] == "managed"


# -------------------------------------------------------------------------------------------------------------- alarms


def test_alarms_are_on_the_function_and_silent_without_a_topic() -> None:
    for logical_id, alarm in ALARMS.items():
        properties = REGIONAL["Resources"][logical_id]["Properties"]
        assert properties["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "Function"}}]
        assert (properties["Namespace"], properties["MetricName"]) == ("AWS/Lambda", alarm.metric)
        assert (properties["ComparisonOperator"], properties["Threshold"]) == ("GreaterThanThreshold", 0)
        assert properties["TreatMissingData"] == "notBreaching"
        topic = {"Fn::Sub": "arn:${AWS::Partition}:sns:${AWS::Region}:${AlarmTopic}"}
        assert properties["AlarmActions"] == {"Fn::If": ["HasAlarmTopic", [topic], {"Ref": "AWS::NoValue"}]}
    assert {alarm.metric: alarm.periods for alarm in ALARMS.values()} == {"Errors": 1, "Throttles": 3, "AsyncEventsDropped": 1}


# -------------------------------------------------------------------------------------------------------------- events


def event(source: str, detail_type: str, **more: Any) -> dict[str, Any]:
    return {"account": ACCOUNT, "region": REGION, "source": source, "detail-type": detail_type, "resources": [], **more}


def change(rule: str, **more: Any) -> dict[str, Any]:
    detail = {"messageType": "ComplianceChangeNotification", "configRuleName": rule, **more}
    return event("aws.config", "Config Rules Compliance Change", detail=detail)


ALARM = event("aws.cloudwatch", "CloudWatch Alarm State Change", resources=[ALARM_ARN])
FIX = event("pci-config", "PCI remediation", detail={"outcome": "changed"})
EVENTS: list[tuple[str, dict[str, Any], str]] = [
    ("a change of one of our rules", change("PCI_ROUTE_LIMITED-conformance-pack-abc"), "ForwardCompliance"),
    ("of a managed rule of the pack", change("PCI_MANAGED_ENCRYPTED_VOLUMES-conformance-pack-abc"), "ForwardCompliance"),
    ("of somebody else's rule", change("securityhub-s3-bucket-public"), ""),
    ("another message of AWS Config", change("PCI_X", messageType="ConfigurationItemChangeNotification"), ""),
    ("another account's change", {**change("PCI_ROUTE_LIMITED"), "account": "100000000001"}, ""),
    ("what a document did", FIX, "ForwardRemediation"),
    ("what another account's document did", {**FIX, "account": "100000000001"}, ""),
    ("another event of ours", {**FIX, "detail-type": "PCI other"}, ""),
    ("somebody else's event of that type", {**FIX, "source": "pci-config.test"}, ""),
    ("an alarm of the function", ALARM, "ForwardAlarms"),
    ("another alarm", {**ALARM, "resources": [ALARM_ARN + "-2"]}, ""),
    ("a change of the alarm itself", {**ALARM, "detail-type": "CloudWatch Alarm Configuration Change"}, ""),
]


@pytest.mark.parametrize(("what", "sent", "rule"), EVENTS, ids=[what for what, *_ in EVENTS])
def test_what_is_forwarded(what: str, sent: dict[str, Any], rule: str) -> None:
    forwarding = []
    for logical_id, resource in REGIONAL["Resources"].items():
        if resource["Type"] == "AWS::Events::Rule":
            outcome = evaluate(filled(resource["Properties"]["EventPattern"]), sent)
            assert outcome.unread == []
            forwarding += [logical_id] if outcome.matched else []
    assert forwarding == ([rule] if rule else [])


def filled(value: Any) -> Any:
    if isinstance(value, dict):
        if value == {"Ref": "AWS::AccountId"}:
            return ACCOUNT
        if "Fn::GetAtt" in value:
            alarm = REGIONAL["Resources"][value["Fn::GetAtt"][0]]["Properties"]["AlarmName"]
            return ALARM_ARN.replace("pci-config-rules-errors", alarm)
        return {key: filled(entry) for key, entry in value.items()}
    return [filled(entry) for entry in value] if isinstance(value, list) else value


def test_every_rule_of_the_packs_has_the_name_that_is_forwarded() -> None:
    texts = build.generate(ROOT, CATALOGUE, RDK_JSON).checked_in
    names = re.findall(
        r"ConfigRuleName: (\S+)", "".join(text for path, text in texts.items() if "conformance_pack" in path.name)
    )
    assert names
    assert [name for name in names if not name.startswith(CONFIG_RULE_PREFIX)] == []


# ------------------------------------------------------------------------------------------------------------ recorder

SOME = {
    "AWS::A::Everywhere": Need(True, EVERYWHERE),
    "AWS::B::Home": Need(True, HOME),
    "AWS::CloudFront::Distribution": Need(False, CLOUDFRONT_REGION),
}


def recorded(wanted: dict[str, Need], region: str, home: str) -> list[str]:
    conditions = recorder_conditions(home)
    found = []
    for entry in recorder_resources(wanted)["ConfigurationRecorder"]["Properties"]["RecordingGroup"]["ResourceTypes"]:
        if isinstance(entry, str):
            found.append(entry)
            continue
        condition, name, otherwise = entry["Fn::If"]
        left, right = conditions[condition]["Fn::Equals"]
        assert (left, otherwise) == ({"Ref": "AWS::Region"}, {"Ref": "AWS::NoValue"})
        found += [name] if region == right else []
    return found


@pytest.mark.parametrize(
    ("region", "home", "types"),
    [
        ("eu-west-1", "eu-west-1", ["AWS::A::Everywhere", "AWS::B::Home"]),
        ("us-east-1", "eu-west-1", ["AWS::A::Everywhere", "AWS::CloudFront::Distribution"]),
        ("us-east-1", "us-east-1", [*SOME]),
        ("eu-central-1", "eu-west-1", ["AWS::A::Everywhere"]),
    ],
)
def test_each_type_is_recorded_where_it_has_items(region: str, home: str, types: list[str]) -> None:
    assert recorded(SOME, region, home) == [PACK_COMPLIANCE, *types]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "eu-central-1"])
def test_every_type_that_the_rules_need_is_recorded_once(region: str) -> None:
    wanted = needs(CATALOGUE)
    found = recorded(dict(wanted), region, RDK_JSON.settings.home_region)
    expected = {name for name, need in wanted.items() if need.applies(region, RDK_JSON.settings)}
    assert sorted(found) == sorted({PACK_COMPLIANCE, *expected})


def test_all_is_recorded_continuously_by_the_service_linked_role_and_nothing_waits_for_the_other() -> None:
    recorder, channel = (REGIONAL["Resources"][name] for name in ("ConfigurationRecorder", "DeliveryChannel"))
    assert recorder["Properties"]["RecordingMode"] == {"RecordingFrequency": "CONTINUOUS"}
    assert recorder["Properties"]["RoleARN"]["Fn::Sub"].endswith("/config.amazonaws.com/AWSServiceRoleForConfig")
    for resource in (recorder, channel):
        assert not {"DependsOn", "DeletionPolicy"} & set(resource), "neither waits, and both go with their stack"
    linked = GLOBAL["Resources"]["ConfigRecorderRole"]
    assert (linked["DeletionPolicy"], linked["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
