"""PciConfig-ExtendRecorder: what the rules need is recorded, whatever the strategy; what was recorded still is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import botocore.client
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.configuration_recorder import Recording, UnknownShape, recording_gaps
from pci_config.recorded_types import Need
from pci_config.recorder_extension import recording_group, recording_mode, with_continuous, with_types
from pci_config.recording_needs import of_the_catalogue
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-ExtendRecorder"
script = load_script(DOCUMENT)
run = partial(fix_testing.run, DOCUMENT, ResourceId=ACCOUNT)
restore = partial(fix_testing.restore, DOCUMENT, ResourceId=ACCOUNT)
NEEDS = of_the_catalogue()
SETTINGS = {"HomeRegion": REGION, "RecordedTypes": {name: need.document() for name, need in NEEDS.items()}}
HERE = {name for name, need in NEEDS.items() if need.place in ("everywhere", "home")}
CONTINUOUS = {name for name in HERE if NEEDS[name].continuous}
BUCKET, ROLE = (
    "configuration-history",
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
)
EVERYTHING = {"allSupported": True, "includeGlobalResourceTypes": True}
GROUP, VOLUME, ALARM, QUEUE = "AWS::EC2::SecurityGroup", "AWS::EC2::Volume", "AWS::CloudWatch::Alarm", "AWS::SQS::Queue"


def client() -> Any:
    return boto3.client("config", region_name=REGION)


def listed(*types: str) -> dict[str, Any]:
    return {"recordingStrategy": {"useOnly": "INCLUSION_BY_RESOURCE_TYPES"}, "resourceTypes": list(types)}


def without(*types: str) -> dict[str, Any]:
    excluded = {"resourceTypes": list(types)}
    return {"recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}, "exclusionByResourceTypes": excluded}


def mode(frequency: str, override: str = "", *types: str) -> dict[str, Any]:
    entries = [{"description": "by finance", "recordingFrequency": override, "resourceTypes": list(types)}] if override else []
    return {"recordingFrequency": frequency, "recordingModeOverrides": entries}


def make(
    group: dict[str, Any] | None = None,
    recording: dict[str, Any] | None = None,
    running: bool = True,
    days: int | None = None,
    name: str = "default",
    role: str = ROLE,
    **tags: str,
) -> dict[str, str]:
    """A recorder that is right but for what is told; the parameters for the document."""
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
    recorder = {"name": name, "roleARN": role, "recordingGroup": group or EVERYTHING}
    if recording:
        recorder["recordingMode"] = recording
    given_tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    client().put_configuration_recorder(ConfigurationRecorder=recorder, Tags=given_tags)
    client().put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": BUCKET})
    if running:
        client().start_configuration_recorder(ConfigurationRecorderName=name)
    if days:
        client().put_retention_configuration(RetentionPeriodInDays=days)
    return {"ResourceId": ACCOUNT}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "without IAM": partial(make, {"allSupported": True, "includeGlobalResourceTypes": False}),
    "a short list": partial(make, listed(ALARM, GROUP)),
    "needed types are excluded": partial(make, without(VOLUME, QUEUE, "AWS::IAM::User")),
    "only needed types are excluded": partial(make, without(VOLUME)),
    "daily": partial(make, None, mode("DAILY")),
    "daily but for some": partial(make, None, mode("DAILY", "CONTINUOUS", ALARM, GROUP)),
    "daily, and daily again": partial(make, None, mode("DAILY", "DAILY", ALARM, GROUP)),
    "some daily": partial(make, None, mode("CONTINUOUS", "DAILY", GROUP, QUEUE)),
    "some daily, all needed": partial(make, None, mode("CONTINUOUS", "DAILY", GROUP)),
    "a list, daily": partial(make, listed(ALARM), mode("DAILY", "CONTINUOUS", ALARM)),
    "stopped": partial(make, running=False),
    "short history": partial(make, days=364),
    "longer history wanted": lambda: {**make(days=730), "MinimumRetentionDays": "2557"},
    "everything": partial(make, listed(ALARM), mode("DAILY"), running=False, days=30),
}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


def recorder() -> dict[str, Any]:
    (found,) = client().describe_configuration_recorders()["ConfigurationRecorders"]
    return dict(found)


def state() -> tuple[Any, ...]:
    """In words of their own: what is recorded, how often, whether it runs, how long history is kept."""
    found = recorder()
    group, how = found["recordingGroup"], found["recordingMode"]
    (status,) = client().describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
    days = [each["RetentionPeriodInDays"] for each in client().describe_retention_configurations()["RetentionConfigurations"]]
    overrides = [
        (o.get("description"), o["recordingFrequency"], sorted(o["resourceTypes"])) for o in how["recordingModeOverrides"]
    ]
    return (
        group["recordingStrategy"]["useOnly"],
        group["includeGlobalResourceTypes"],
        sorted(group.get("resourceTypes") or []),
        sorted((group.get("exclusionByResourceTypes") or {}).get("resourceTypes") or []),
        (how["recordingFrequency"], overrides),
        status["recording"],
        days,
        found["roleARN"],
    )


def assert_right(least_days: int) -> None:
    strategy, with_iam, included, excluded, (frequency, overrides), running, days, role = state()
    assert running
    assert role == ROLE
    assert all(kept >= least_days for kept in days)
    assert not set(excluded) & HERE
    if strategy == "INCLUSION_BY_RESOURCE_TYPES":
        assert set(included) >= HERE
    if strategy == "ALL_SUPPORTED_RESOURCE_TYPES":
        assert with_iam
    fast = {name for _, often, types in overrides for name in types if often == "CONTINUOUS"}
    slow = {name for _, often, types in overrides for name in types if often == "DAILY"}
    assert not slow & CONTINUOUS
    assert frequency == "CONTINUOUS" or fast >= CONTINUOUS


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_restored_and_fixed_again(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = state()
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], state()) == ("dry-run", before)
    done = run(**parameters)
    assert done["Outcome"] == "changed"
    assert_right(int(parameters.get("MinimumRetentionDays", "365")))
    after = state()
    assert (run(**parameters)["Outcome"], state()) == ("compliant", after)
    back = partial(restore, execution_of(done))
    assert (back(DryRun="true")["Outcome"], state()) == ("dry-run", after)
    assert (back()["Outcome"], state()) == ("changed", before)
    assert back()["Outcome"] == "compliant"


@pytest.mark.parametrize("days", [None, 365, 366, 2557])
def test_what_is_right_is_left(days: int | None) -> None:
    make(days=days)
    result = run()
    assert (result["Outcome"], json.loads(result["Calls"])) == ("compliant", [])


@pytest.mark.parametrize(
    ("arrange", "group", "how"),
    [
        ("a short list", ("INCLUSION_BY_RESOURCE_TYPES", False, sorted({*HERE, ALARM}), []), ("CONTINUOUS", [])),
        ("needed types are excluded", ("EXCLUSION_BY_RESOURCE_TYPES", False, [], [QUEUE]), ("CONTINUOUS", [])),
        ("only needed types are excluded", ("ALL_SUPPORTED_RESOURCE_TYPES", True, [], []), ("CONTINUOUS", [])),
        (
            "daily but for some",
            ("ALL_SUPPORTED_RESOURCE_TYPES", True, [], []),
            ("DAILY", [("by finance", "CONTINUOUS", sorted({*CONTINUOUS, ALARM}))]),
        ),
        (
            "daily",
            ("ALL_SUPPORTED_RESOURCE_TYPES", True, [], []),
            ("DAILY", [("Continuously: pci-config judges each change", "CONTINUOUS", sorted(CONTINUOUS))]),
        ),
        (
            "some daily",
            ("ALL_SUPPORTED_RESOURCE_TYPES", True, [], []),
            ("CONTINUOUS", [("by finance", "DAILY", [QUEUE])]),
        ),
        ("some daily, all needed", ("ALL_SUPPORTED_RESOURCE_TYPES", True, [], []), ("CONTINUOUS", [])),
    ],
)
def test_only_what_is_needed_is_added(arrange: str, group: tuple[Any, ...], how: tuple[Any, ...]) -> None:
    VIOLATIONS[arrange]()
    run()
    assert (state()[:4], state()[4]) == (group, how)


def test_the_calls_name_what_changes() -> None:
    VIOLATIONS["everything"]()
    message = run(DryRun="true")["Message"]
    assert "also record AWS::ApiGateway::DomainName, " in message
    assert "AWS::CloudFront" not in message, "they are recorded in us-east-1"
    assert "AWS::WAFv2::WebACL continuously; start recorder default; keep history 365 days, not 30" in message


@pytest.mark.parametrize(("region", "needed"), [("us-east-1", "AWS::CloudFront::Distribution"), (REGION, "AWS::IAM::User")])
def test_global_types_have_their_region(region: str, needed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"ResourceId": ACCOUNT, "AccountId": ACCOUNT, "Region": region, "MinimumRetentionDays": "365"}
    needs = script.RecorderExtension(event)._needs
    assert [name for name in ("AWS::CloudFront::Distribution", "AWS::IAM::User") if name in needs] == [needed]
    assert GROUP in needs


@pytest.mark.parametrize(
    ("settings", "message"),
    [({}, "not known which types"), ({"RecordedTypes": SETTINGS["RecordedTypes"]}, "HomeRegion is not set")],
)
def test_without_settings_nothing_is_done(settings: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(running=False)
    monkeypatch.setattr(script, "SETTINGS", settings)
    with pytest.raises(Refused, match=message):
        run()


def test_set_up_is_no_fix() -> None:
    with pytest.raises(Refused, match="there is no customer-managed recorder here: that is set-up"):
        run()
    client().put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": ROLE})
    with pytest.raises(Refused, match="there is no delivery channel here: that is set-up"):
        run()


@contextmanager
def edited(operation: str, edit: Callable[[Any], None]) -> Iterator[None]:
    """AWS answers the operation with an edited answer."""
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(self: Any, asked: str, parameters: Any) -> Any:
        answer = call(self, asked, parameters)
        if asked == operation:
            edit(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield


def test_recorders_of_services_are_not_touched() -> None:
    make(running=False)
    linked = {"name": "AWSConfigurationRecorderForObservability", "servicePrincipal": "observabilityadmin.amazonaws.com"}
    with edited("DescribeConfigurationRecorders", lambda answer: answer["ConfigurationRecorders"].insert(0, linked)):
        result = run()
    (call,) = json.loads(result["Calls"])
    assert call["parameters"] == {"ConfigurationRecorderName": "default"}
    with (
        edited("DescribeConfigurationRecorders", lambda answer: answer.update(ConfigurationRecorders=[linked])),
        pytest.raises(Refused, match="no customer-managed recorder"),
    ):
        run()


@pytest.mark.parametrize(
    "made",
    [
        {"name": "aws-controltower-BaselineConfigRecorder"},
        {"role": f"arn:aws:iam::{ACCOUNT}:role/aws-controltower-ConfigRecorderRole"},
        {"aws-control-tower": "managed-by-control-tower"},
    ],
)
def test_control_tower_keeps_its_recorder(made: dict[str, str]) -> None:
    make(running=False, **made)
    before = state()
    for managed in ("true", "false"):
        with pytest.raises(Refused, match="is managed by AWS Control Tower: change it there"):
            run(AllowManaged=managed)
    assert state() == before
    client().start_configuration_recorder(ConfigurationRecorderName=made.get("name", "default"))
    assert run()["Outcome"] == "compliant"


@pytest.mark.parametrize("name", ["pci-config-recorder", "pci-config-recorder-eu"])
def test_a_role_of_ours_is_passed(name: str) -> None:
    make(listed(GROUP), running=False, role=f"arn:aws:iam::{ACCOUNT}:role/{name}")
    assert run()["Outcome"] == "changed"


@pytest.mark.parametrize(
    "name", ["config", "Administrator", "path/pci-config-recorder", "aws-service-role/ecs.amazonaws.com/x"]
)
def test_no_other_role_is_passed(name: str) -> None:
    make(listed(GROUP), role=f"arn:aws:iam::{ACCOUNT}:role/{name}")
    before = state()
    with pytest.raises(Refused, match=f"works with .*{name}; this document may give it only AWS Config's service-linked role"):
        run()
    assert state() == before


def test_a_recorder_that_a_tag_gives_to_terraform_is_refused() -> None:
    make(running=False, ManagedBy="terraform")
    with pytest.raises(Refused, match="managed by terraform"):
        run()
    assert run(AllowManaged="true")["Outcome"] == "changed"


@pytest.mark.parametrize(
    ("operation", "path", "value", "message"),
    [
        ("DescribeConfigurationRecorders", ("recordingGroup", "recordingStrategy"), {"useOnly": "SOME"}, "useOnly is 'SOME'"),
        ("DescribeConfigurationRecorders", ("recordingMode", "recordingFrequency"), "HOURLY", "recordingFrequency is 'HOURLY'"),
        (
            "DescribeConfigurationRecorders",
            ("recordingMode", "recordingModeOverrides"),
            [{"recordingFrequency": "DAILY", "resourceTypes": [GROUP]}] * 2,
            "recordingModeOverrides has 2 entries",
        ),
    ],
)
def test_what_is_not_understood_is_refused(operation: str, path: tuple[str, str], value: Any, message: str) -> None:
    make(running=False)
    before = state()

    def edit(answer: Any) -> None:
        answer["ConfigurationRecorders"][0][path[0]][path[1]] = value

    with edited(operation, edit), pytest.raises(Refused, match=message):
        run()
    assert state() == before


def test_several_recorders_are_refused() -> None:
    make(running=False)
    with (
        edited("DescribeConfigurationRecorders", lambda answer: answer["ConfigurationRecorders"].append({"name": "second"})),
        pytest.raises(Refused, match="several customer-managed recorders"),
    ):
        run()


def test_a_delivery_that_fails_is_told_and_no_reason_to_leave_the_rest() -> None:
    make(days=90)
    boto3.client("s3", region_name="us-east-1").delete_bucket(Bucket=BUCKET)
    first = run()
    assert (
        "keep history 365 days, not 90 (before this, the last history delivery was Failure (NoSuchBucket))" in first["Message"]
    )
    with pytest.raises(
        Refused, match=r"Failure \(NoSuchBucket\): the recorder is set as wanted, mend the bucket.*nothing done"
    ):
        run()
    assert restore(execution_of(first))["Outcome"] == "changed"


def test_a_recorder_that_fails_is_told() -> None:
    make()

    def edit(answer: Any) -> None:
        answer["ConfigurationRecordersStatus"][0] |= {"lastStatus": "Failure", "lastErrorCode": "AccessDenied"}

    with edited("DescribeConfigurationRecorderStatus", edit), pytest.raises(Refused, match=r"Failure \(AccessDenied\)"):
        run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"ResourceId": "210987654321"}, "is not this account"), ({"MinimumRetentionDays": "a year"}, "expected a whole number")],
)
def test_odd_input_is_refused(changes: dict[str, str], message: str) -> None:
    make(running=False)
    with pytest.raises(Refused, match=message):
        run(**changes)


@pytest.mark.parametrize(
    ("denied", "done"),
    [
        ("PutConfigurationRecorder", "nothing"),
        ("StartConfigurationRecorder", "also record AWS::ApiGateway"),
        ("PutRetentionConfiguration", "also record .*; start recorder default"),
    ],
)
def test_a_denied_call_is_told_and_what_was_done_can_be_restored(denied: str, done: str) -> None:
    VIOLATIONS["everything"]()
    with answering(**{denied: "AccessDenied"}), pytest.raises(RuntimeError, match=f"done before that: {done}"):
        run()


def test_another_run_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    VIOLATIONS["everything"]()
    meanwhile(monkeypatch, run)
    assert run()["Outcome"] == "changed", "the same calls again do no harm"
    assert_right(365)


def test_a_recorder_that_is_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    make({"allSupported": True, "includeGlobalResourceTypes": False}, running=False)
    meanwhile(monkeypatch, lambda: client().delete_delivery_channel(DeliveryChannelName="default"))
    with answering(PutConfigurationRecorder="NoSuchConfigurationRecorderException"):
        assert run()["Outcome"] == "gone"


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Somebody acts between the reading and the first call."""
    keep = script.carry_out.__globals__["_keep_evidence"]

    def keeping(event: Any, resource_id: str, which: str, *more: Any) -> Any:
        monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", keep)
        act()
        return keep(event, resource_id, which, *more)

    monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", keeping)


def test_a_restore_refuses_what_changed_since() -> None:
    make(days=90)
    done = run()
    client().stop_configuration_recorder(ConfigurationRecorderName="default")
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_of(done))
    client().delete_configuration_recorder(ConfigurationRecorderName="default")
    with pytest.raises(Refused, match="no longer exists"):
        restore(execution_of(done))


# ------------------------------------------------------------------------------------------------ every recorder, by a model

SOME = ["AWS::IAM::User", "AWS::IAM::Group", GROUP, VOLUME, ALARM, QUEUE]
TYPES = st.lists(st.sampled_from(SOME), min_size=1, unique=True)
OFTEN = st.sampled_from(["CONTINUOUS", "DAILY"])
WANTED = st.dictionaries(st.sampled_from(SOME), st.builds(Need, st.booleans()), min_size=1)


@st.composite
def recorders(draw: st.DrawFn) -> dict[str, Any]:
    group: Any = draw(
        st.one_of(
            st.builds(lambda iam: {"allSupported": True, "includeGlobalResourceTypes": iam}, st.booleans()),
            TYPES.map(lambda types: listed(*types)),
            TYPES.map(lambda types: without(*types)),
        )
    )
    modes = st.builds(lambda often, other, types: mode(often, other, *types), OFTEN, st.one_of(st.just(""), OFTEN), TYPES)
    return {"recordingGroup": group, **draw(st.one_of(st.just({}), modes.map(lambda found: {"recordingMode": found})))}


def often(recorder: dict[str, Any], name: str) -> int:
    """A model of its own: 0 not recorded, 1 daily, 2 continuously."""
    group, how = recorder["recordingGroup"], recorder.get("recordingMode", {"recordingFrequency": "CONTINUOUS"})
    strategy = group.get("recordingStrategy", {}).get("useOnly", "ALL_SUPPORTED_RESOURCE_TYPES")
    recorded = {
        "ALL_SUPPORTED_RESOURCE_TYPES": not name.startswith("AWS::IAM::") or group.get("includeGlobalResourceTypes"),
        "INCLUSION_BY_RESOURCE_TYPES": name in group.get("resourceTypes", []),
        "EXCLUSION_BY_RESOURCE_TYPES": name not in group.get("exclusionByResourceTypes", {}).get("resourceTypes", []),
    }[strategy]
    frequency = how["recordingFrequency"]
    for override in how.get("recordingModeOverrides", []):
        frequency = override["recordingFrequency"] if name in override["resourceTypes"] else frequency
    return (2 if frequency == "CONTINUOUS" else 1) if recorded else 0


@given(recorders(), WANTED)
def test_every_recorder_records_what_is_needed_and_no_less_than_before(before: dict[str, Any], needs: dict[str, Need]) -> None:
    recording = Recording.of(before)
    missing, _ = recording_gaps(recording, needs)
    extended = with_types(recording, missing)
    _, slow = recording_gaps(extended, needs)
    after = {"recordingGroup": recording_group(extended), "recordingMode": with_continuous(recording_mode(before), slow)}
    assert recording_gaps(Recording.of(after), needs) == ([], [])
    iam_by_one_flag = any(name.startswith("AWS::IAM::") for name in missing)
    for name in SOME:
        was, now = often(before, name), often(after, name)
        assert now >= was
        if name in needs:
            assert now >= (2 if needs[name].continuous else 1)
        elif not (iam_by_one_flag and name.startswith("AWS::IAM::")):
            assert now == was, "nothing else is recorded, or more often"


@given(recorders())
def test_nothing_needed_is_nothing_changed(before: dict[str, Any]) -> None:
    recording = Recording.of(before)
    assert with_types(recording, []) == recording
    assert with_continuous(recording_mode(before), []) == recording_mode(before)
    again = {"recordingGroup": recording_group(recording), "recordingMode": recording_mode(before)}
    assert recording_group(Recording.of(again)) == recording_group(recording)
    assert [often(again, name) for name in SOME] == [often(before, name) for name in SOME]


def test_two_overrides_are_not_understood() -> None:
    override = {"recordingFrequency": "DAILY", "resourceTypes": [GROUP]}
    twice = {"recordingMode": {"recordingFrequency": "DAILY", "recordingModeOverrides": [override, override]}}
    with pytest.raises(UnknownShape, match="2 entries; AWS Config takes one"):
        recording_mode(twice)
