"""What a recorder has to be told so that it also records given types, and continuously. Nothing that it records is lost.

Source: AWS Config API reference, RecordingGroup, RecordingStrategy, RecordingMode, RecordingModeOverride.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pci_config.configuration_recorder import ALL, CONTINUOUS, DAILY, EXCLUSION, INCLUSION, Recording, UnknownShape

OVERRIDE_DESCRIPTION = "Continuously: pci-config judges each change"


def recording_group(recording: Recording) -> dict[str, Any]:
    """The recording group as PutConfigurationRecorder takes it, in a fixed order."""
    group: dict[str, Any] = {
        "allSupported": recording.strategy == ALL,
        "includeGlobalResourceTypes": recording.strategy == ALL and recording.with_iam,
        "recordingStrategy": {"useOnly": recording.strategy},
    }
    if recording.strategy == INCLUSION:
        group["resourceTypes"] = sorted(recording.listed)
    if recording.strategy == EXCLUSION:
        group["exclusionByResourceTypes"] = {"resourceTypes": sorted(recording.listed)}
    return group


def recording_mode(recorder: Mapping[str, Any]) -> dict[str, Any]:
    """The recording mode as PutConfigurationRecorder takes it, in a fixed order. Raises UnknownShape."""
    mode = recorder.get("recordingMode") or {"recordingFrequency": CONTINUOUS}
    overrides = mode.get("recordingModeOverrides") or []
    if len(overrides) > 1:
        raise UnknownShape(f"recordingModeOverrides has {len(overrides)} entries; AWS Config takes one")
    return {
        "recordingFrequency": mode["recordingFrequency"],
        "recordingModeOverrides": [{**each, "resourceTypes": sorted(each["resourceTypes"])} for each in overrides],
    }


def with_types(recording: Recording, missing: Sequence[str]) -> Recording:
    """The recording that also covers the missing types, by the same strategy."""
    if recording.strategy == ALL:
        return replace(recording, with_iam=recording.with_iam or bool(missing))  # it lacks nothing else
    if recording.strategy == INCLUSION:
        return replace(recording, listed=recording.listed | set(missing))
    left = recording.listed - set(missing)
    # an exclusion of nothing cannot be said: it is to record all, with IAM's types
    return replace(recording, listed=left) if left else replace(recording, strategy=ALL, listed=left, with_iam=True)


def with_continuous(mode: Mapping[str, Any], types: Sequence[str]) -> dict[str, Any]:
    """The mode that also records the types continuously; `types` are those that it does not."""
    if not types:
        return dict(mode)
    frequency, (override, *_) = mode["recordingFrequency"], mode["recordingModeOverrides"] or [None]
    if frequency == CONTINUOUS:  # so an override slows them down
        left = sorted(set(override["resourceTypes"]) - set(types))
        return {**mode, "recordingModeOverrides": [{**override, "resourceTypes": left}] if left else []}
    if override is None or override["recordingFrequency"] == DAILY:  # an override that says what holds anyway
        override = {"description": OVERRIDE_DESCRIPTION, "recordingFrequency": CONTINUOUS, "resourceTypes": []}
    return {**mode, "recordingModeOverrides": [{**override, "resourceTypes": sorted({*override["resourceTypes"], *types})}]}
