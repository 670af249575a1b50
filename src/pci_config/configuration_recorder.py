"""What AWS Config's recorder records, how often, and whether it works, from the answers of its describe calls.

Source: AWS Config API reference (RecordingGroup, RecordingMode, ConfigurationRecorderStatus, DeliveryChannelStatus,
PutRetentionConfiguration) and developer guide (history is kept for seven years where nothing else is configured).
Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pci_config.recorded_types import GLOBAL_IAM_TYPES, Need

ALL, INCLUSION, EXCLUSION = (
    "ALL_SUPPORTED_RESOURCE_TYPES",
    "INCLUSION_BY_RESOURCE_TYPES",
    "EXCLUSION_BY_RESOURCE_TYPES",
)
CONTINUOUS, DAILY = "CONTINUOUS", "DAILY"
DEFAULT_RETENTION_DAYS = 2557
GRACE = timedelta(hours=24)  # of a new recorder: history files are delivered every six hours


class UnknownShape(ValueError):
    """An answer that AWS does not document; the message names the member."""


@dataclass(frozen=True, slots=True)
class RecorderState:
    """The answers as AWS gives them: of the one customer-managed recorder, the delivery channel and the retention."""

    recorders: Sequence[Mapping[str, Any]] = ()
    statuses: Sequence[Mapping[str, Any]] = ()
    channels: Sequence[Mapping[str, Any]] = ()
    deliveries: Sequence[Mapping[str, Any]] = ()
    retentions: Sequence[Mapping[str, Any]] = ()


def recorder_state(config: Any) -> RecorderState:
    """As the client of AWS Config answers. Recorders of services record for those services only, and are left out."""
    return RecorderState(
        customer_managed(config.describe_configuration_recorders()["ConfigurationRecorders"]),
        customer_managed(config.describe_configuration_recorder_status()["ConfigurationRecordersStatus"]),
        config.describe_delivery_channels()["DeliveryChannels"],
        config.describe_delivery_channel_status()["DeliveryChannelsStatus"],
        config.describe_retention_configurations()["RetentionConfigurations"],
    )


def customer_managed(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if not entry.get("servicePrincipal")]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recorder covers."""

    strategy: str
    listed: frozenset[str] = frozenset()
    with_iam: bool = False
    frequency: str = CONTINUOUS
    overrides: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, recorder: Mapping[str, Any]) -> Recording:
        group = _object(recorder.get("recordingGroup"), "recordingGroup")
        excluded = _texts(
            _object(group.get("exclusionByResourceTypes") or {}, "exclusionByResourceTypes").get("resourceTypes"),
            "exclusionByResourceTypes.resourceTypes",
        )
        included = _texts(group.get("resourceTypes"), "recordingGroup.resourceTypes")
        strategy = _object(group.get("recordingStrategy") or {}, "recordingStrategy").get("useOnly")
        if strategy is None:  # recorders from before strategies, and requests that leave it out
            strategy = ALL if group.get("allSupported") is True else EXCLUSION if excluded else INCLUSION
        if strategy not in (ALL, INCLUSION, EXCLUSION):
            raise UnknownShape(f"recordingStrategy.useOnly is {strategy!r}")
        if strategy == ALL and group.get("allSupported") is not True:
            raise UnknownShape("recordingGroup says all supported types and allSupported is not true")
        frequency, overrides = _mode(recorder.get("recordingMode"))
        listed = included if strategy == INCLUSION else excluded if strategy == EXCLUSION else frozenset()
        return cls(strategy, listed, group.get("includeGlobalResourceTypes") is True, frequency, overrides)

    def covers(self, resource_type: str) -> bool:
        """The exclusion strategy records the IAM types whatever includeGlobalResourceTypes says."""
        if self.strategy == ALL:
            return self.with_iam or resource_type not in GLOBAL_IAM_TYPES
        return (resource_type in self.listed) == (self.strategy == INCLUSION)

    def continuously(self, resource_type: str) -> bool:
        return self.overrides.get(resource_type, self.frequency) == CONTINUOUS


def recording_gaps(recording: Recording, needs: Mapping[str, Need]) -> tuple[list[str], list[str]]:
    """The needed types that are not recorded, and those recorded daily that a rule judges on change."""
    missing = [name for name in needs if not recording.covers(name)]
    recorded = [name for name, need in needs.items() if need.continuous and name not in missing]
    return missing, [name for name in recorded if not recording.continuously(name)]


def _mode(mode: Any) -> tuple[str, Mapping[str, str]]:
    if mode is None:
        return CONTINUOUS, {}
    default = _frequency(_object(mode, "recordingMode"))
    entries = mode.get("recordingModeOverrides") or []
    if not isinstance(entries, list):
        raise UnknownShape("recordingModeOverrides is not a list")
    overrides: dict[str, str] = {}
    for entry in entries:
        wanted = _frequency(_object(entry, "recordingModeOverrides"))
        for name in _texts(entry.get("resourceTypes"), "recordingModeOverrides.resourceTypes"):
            # AWS takes one override; of two that contradict each other the weaker counts
            overrides[name] = DAILY if DAILY in (wanted, overrides.get(name)) else wanted
    return default, overrides


def _frequency(mode: Mapping[str, Any]) -> str:
    frequency = mode.get("recordingFrequency")
    if frequency not in (CONTINUOUS, DAILY):
        raise UnknownShape(f"recordingFrequency is {frequency!r}")
    return str(frequency)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnknownShape(f"{name} is {'missing' if value is None else type(value).__name__}, expected an object")
    return value


def _texts(value: Any, name: str) -> frozenset[str]:
    if value is not None and (not isinstance(value, list) or not all(isinstance(entry, str) for entry in value)):
        raise UnknownShape(f"{name} is not a list of texts")
    return frozenset(value or ())


# ------------------------------------------------------------------------------------------------------------- running


def recorder_is_off(state: RecorderState) -> bool:
    return not state.statuses or state.statuses[0].get("recording") is not True


def stopped(state: RecorderState, now: datetime) -> Iterator[str]:
    """Why the recorder does not work: it is off, or the last event that it processed failed."""
    if not state.statuses:
        yield "the recorder was never started"
        return
    status = state.statuses[0]
    if recorder_is_off(state):
        yield f"the recorder is off{_since(status.get('lastStopTime'))}; start it"
        return
    last = status.get("lastStatus")
    if last == "Pending" and _recent(status.get("lastStatusChangeTime"), now):
        return
    if last != "Success":
        yield f"the recorder's last status is {last or 'missing'}{_reason(status)}, expected Success"


def undelivered(state: RecorderState, now: datetime) -> Iterator[str]:
    """Why history does not arrive: no channel, a delivery that failed, or none since the recorder was started."""
    if not state.channels:
        yield "there is no delivery channel; make one to the configuration bucket"
        return
    delivery = state.deliveries[0] if state.deliveries else {}
    for name, what in (("configHistoryDeliveryInfo", "history"), ("configSnapshotDeliveryInfo", "snapshot"),
                       ("configStreamDeliveryInfo", "notification")):  # fmt: skip
        info = _object(delivery.get(name) or {}, name)
        last = info.get("lastStatus")
        if last not in (None, "Success", "Not_Applicable"):
            yield f"the last {what} delivery was {last}{_reason(info)}"
        elif name == "configHistoryDeliveryInfo" and last != "Success" and not _new(state, now):
            yield "no history file was delivered yet"


def retention_days(state: RecorderState) -> int:
    if not state.retentions:
        return DEFAULT_RETENTION_DAYS
    days = state.retentions[0].get("RetentionPeriodInDays")
    if not isinstance(days, int) or isinstance(days, bool):
        raise UnknownShape(f"RetentionPeriodInDays is {days!r}")
    return days


def _new(state: RecorderState, now: datetime) -> bool:
    return bool(state.statuses) and _recent(state.statuses[0].get("lastStartTime"), now)


def _recent(moment: Any, now: datetime) -> bool:
    return isinstance(moment, datetime) and now - moment <= GRACE


def _since(moment: Any) -> str:
    return f" since {moment:%Y-%m-%d}" if isinstance(moment, datetime) else ""


def _reason(info: Mapping[str, Any]) -> str:
    given = info.get("lastErrorCode") or info.get("lastErrorMessage")
    return f" ({given})" if given else ""
