"""Has AWS Config's recorder record what the rules need, starts it, and has its history kept long enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pci_config.configuration_recorder import (
    RecorderState,
    Recording,
    UnknownShape,
    recorder_is_off,
    recorder_state,
    recording_gaps,
    retention_days,
    stopped,
    undelivered,
)
from pci_config.recorded_types import Need
from pci_config.recorder_extension import recording_group, recording_mode, with_continuous, with_types
from pci_config.runbook import Change, Refused, aws, carry_out, integer, put_back
from pci_config.settings import SettingMissing, Settings
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content and the catalogue's RecordedTypes

CONTROL_TOWER = "aws-controltower-"  # of names and roles
PASSED_ROLES = ("aws-service-role/config.amazonaws.com/", "pci-config-recorder")
CONTROL_TOWER_TAG = "aws-control-tower"


class AccountRecorder:
    """The customer-managed recorder of this account and Region. State: RecorderState."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        if event["ResourceId"] != event["AccountId"]:
            raise Refused(f"{event['ResourceId']} is not this account ({event['AccountId']})")
        self.resource_id = str(event["ResourceId"])
        self._seen = False

    def read(self) -> RecorderState | None:
        state = recorder_state(aws("config"))
        if len(state.recorders) == 1 and state.channels:
            self._seen = True
            return state
        if self._seen:
            return None
        if len(state.recorders) > 1:
            raise Refused("AWS Config shows several customer-managed recorders, which is not understood")
        what = "delivery channel" if state.recorders else "customer-managed recorder"
        raise Refused(f"there is no {what} here: that is set-up, not a fix; make it with the account's baseline")

    def record(self, state: RecorderState) -> dict[str, Any]:
        (recorder,) = state.recorders
        try:
            return {
                "Name": recorder["name"],
                "RoleArn": recorder["roleARN"],
                "RecordingGroup": recording_group(Recording.of(recorder)),
                "RecordingMode": recording_mode(recorder),
                "Recording": not recorder_is_off(state),
                "RetentionDays": retention_days(state),
            }
        except (KeyError, UnknownShape) as error:
            raise Refused(f"AWS Config's answer cannot be read: {error}") from None


class RecorderExtension(AccountRecorder):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._days = integer(event, "MinimumRetentionDays")
        settings = Settings.from_mapping(SETTINGS)
        types = {name: Need(**need) for name, need in SETTINGS.get("RecordedTypes", {}).items()}
        try:
            self._needs = {name: need for name, need in types.items() if need.applies(event["Region"], settings)}
        except SettingMissing as error:
            raise Refused(str(error)) from None
        if not self._needs:
            raise Refused("it is not known which types the rules need: build the document again")
        self._planned = False

    def tags(self, state: RecorderState) -> Mapping[str, str]:
        arn = state.recorders[0].get("arn")
        return tag_map(aws("config").list_tags_for_resource(ResourceArn=arn)["Tags"]) if arn else {}

    def changes(self, state: RecorderState) -> Sequence[Change]:
        now = datetime.now(UTC)
        try:
            found = list(self._changes(state))
            failing = [] if recorder_is_off(state) else list(stopped(state, now))
            failing += undelivered(state, now)
        except (KeyError, UnknownShape) as error:
            raise Refused(f"AWS Config's answer cannot be read: {error}") from None
        told = "; ".join(failing)
        if failing and not found and not self._planned:
            # after a change the error of the delivery before it is still shown: the next run tells
            raise Refused(f"{told}: the recorder is set as wanted, mend the bucket, the topic or the role; nothing done")
        if found and not self._planned:
            self._refuse_control_tower(state)
        if failing and found:
            found[-1] = replace(found[-1], summary=f"{found[-1].summary} (before this, {told})")
        self._planned = self._planned or bool(found)
        return found

    def _changes(self, state: RecorderState) -> Iterator[Change]:
        (recorder,) = state.recorders
        recording, mode = Recording.of(recorder), recording_mode(recorder)
        missing, daily = recording_gaps(recording, self._needs)
        if missing or daily:
            extended = with_types(recording, missing)
            _, slow = recording_gaps(extended, self._needs)
            more = [f"also record {', '.join(missing)}"] if missing else []
            more += [f"record {', '.join(slow)} continuously"] if slow else []
            yield put_recorder(recorder, recording_group(extended), with_continuous(mode, slow), "; ".join(more))
        if recorder_is_off(state):
            parameters = {"ConfigurationRecorderName": recorder["name"]}
            yield Change("config", "start_configuration_recorder", parameters, f"start recorder {recorder['name']}")
        days = retention_days(state)
        if days < self._days:
            parameters = {"RetentionPeriodInDays": self._days}
            yield Change("config", "put_retention_configuration", parameters, f"keep history {self._days} days, not {days}")

    def _refuse_control_tower(self, state: RecorderState) -> None:
        """What Control Tower made it puts back, and its controls deny the change to everyone else."""
        (recorder,) = state.recorders
        named = [str(recorder["name"]), str(recorder.get("roleARN", "")).rpartition("/")[2]]
        if any(name.startswith(CONTROL_TOWER) for name in named) or CONTROL_TOWER_TAG in self.tags(state):
            raise Refused(
                f"recorder {recorder['name']} is managed by AWS Control Tower: change it there, from the management account"
            )


class RecorderRestore(AccountRecorder):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._seen = True  # the fix saw it

    def undo(self, before: Mapping[str, Any], state: RecorderState) -> Sequence[Change]:
        (recorder,) = state.recorders
        now, found = self.record(state), []
        if any(before[part] != now[part] for part in ("RecordingGroup", "RecordingMode")):
            summary = "put the earlier recording group and mode back"
            found.append(put_recorder(recorder, before["RecordingGroup"], before["RecordingMode"], summary))
        if before["RetentionDays"] != now["RetentionDays"]:
            parameters: dict[str, Any] = {"RetentionPeriodInDays": before["RetentionDays"]}
            summary = f"keep history {before['RetentionDays']} days again"
            found.append(Change("config", "put_retention_configuration", parameters, summary))
        if now["Recording"] and not before["Recording"]:
            parameters = {"ConfigurationRecorderName": recorder["name"]}
            found.append(Change("config", "stop_configuration_recorder", parameters, f"stop recorder {recorder['name']}"))
        return found


def put_recorder(recorder: Mapping[str, Any], group: Mapping[str, Any], mode: Mapping[str, Any], summary: str) -> Change:
    """PutConfigurationRecorder replaces all of it: what is not meant to change is sent as it is, the role too.

    Raises Refused when the document may not pass that role (its policy names the same).
    """
    role = str(recorder["roleARN"])
    if not role.partition(":role/")[2].startswith(PASSED_ROLES):
        raise Refused(
            f"recorder {recorder['name']} works with {role}; this document may give it only AWS Config's service-linked role"
            " or a role named pci-config-recorder*: change the recorder by hand"
        )
    whole = {"name": recorder["name"], "roleARN": role, "recordingGroup": group, "recordingMode": mode}
    return Change("config", "put_configuration_recorder", {"ConfigurationRecorder": whole}, summary)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, RecorderExtension)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, RecorderRestore)
