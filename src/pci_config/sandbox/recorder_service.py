"""Adds to moto's AWS Config the recording mode, the recorder's ARN and tags, a status that says how recording goes, and the
status of deliveries.

Here a started recorder works at once, and a delivery fails when the bucket of its channel does not exist.
Source: AWS Config API reference.
"""

from __future__ import annotations

import json
import time
from typing import Any

from moto.config.exceptions import NoSuchDeliveryChannelException
from moto.config.models import ConfigBackend
from moto.config.responses import ConfigResponse
from moto.s3.models import s3_backends

ALWAYS = {"recordingFrequency": "CONTINUOUS", "recordingModeOverrides": []}
BEYOND_THE_MODEL = (  # AWS Config's list of supported types has them, the service model's enumeration lags behind
    "AWS::ApiGateway::DomainName",
    "AWS::Config::ConfigurationRecorder",
    "AWS::DMS::ReplicationInstance",
    "AWS::SageMaker::NotebookInstance",
)
_validate_types = ConfigBackend._validate_resource_types
_put_recorder = ConfigResponse.put_configuration_recorder
_describe_recorders = ConfigResponse.describe_configuration_recorders
_list_tags = ConfigResponse.list_tags_for_resource
_describe_status = ConfigResponse.describe_configuration_recorder_status


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for action in (
        put_configuration_recorder,
        describe_configuration_recorders,
        describe_configuration_recorder_status,
        describe_delivery_channel_status,
        list_tags_for_resource,
    ):
        setattr(ConfigResponse, action.__name__, action)
    ConfigBackend._validate_resource_types = validate_resource_types  # type: ignore[method-assign]


def validate_resource_types(self: Any, resource_list: list[str]) -> None:
    _validate_types(self, [name for name in resource_list if name not in BEYOND_THE_MODEL])


def _modes(self: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = self.config_backend.__dict__.setdefault("sandbox_recording_modes", {})
    return found


def put_configuration_recorder(self: Any) -> str:
    answer: str = _put_recorder(self)
    request = json.loads(self.body)
    recorder = request["ConfigurationRecorder"]
    _modes(self)[recorder["name"]] = recorder.get("recordingMode") or ALWAYS
    _tags(self).setdefault(_arn(self, recorder["name"]), request.get("Tags") or [])  # given when it is made, not later
    return answer


def _tags(self: Any) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = self.config_backend.__dict__.setdefault("sandbox_recorder_tags", {})
    return found


def _arn(self: Any, name: str) -> str:
    return f"arn:aws:config:{self.region}:{self.current_account}:configuration-recorder/{name}/aaaabbbbcccc0001"


def list_tags_for_resource(self: Any) -> str:
    found = _tags(self).get(json.loads(self.body)["ResourceArn"])
    if found is None:
        answer: str = _list_tags(self)
        return answer
    return json.dumps({"Tags": found})


def describe_configuration_recorders(self: Any) -> str:
    found = json.loads(_describe_recorders(self))
    for recorder in found["ConfigurationRecorders"]:
        recorder["arn"] = _arn(self, recorder["name"])
        recorder["recordingMode"] = _modes(self).get(recorder["name"], ALWAYS)
    return json.dumps(found)


def describe_configuration_recorder_status(self: Any) -> str:
    found = json.loads(_describe_status(self))
    for status in found["ConfigurationRecordersStatus"]:
        if status.get("lastStatus") == "PENDING":
            status["lastStatus"] = "Success"
    return json.dumps(found)


def describe_delivery_channel_status(self: Any) -> str:
    channels = self.config_backend.delivery_channels
    names = json.loads(self.body or "{}").get("DeliveryChannelNames") or sorted(channels)
    return json.dumps({"DeliveryChannelsStatus": [_delivery(channels, name) for name in names]})


def _delivery(channels: Any, name: str) -> dict[str, Any]:
    if name not in channels:
        raise NoSuchDeliveryChannelException(name)
    channel = channels[name]
    reachable = any(channel.s3_bucket_name in backend["aws"].buckets for backend in list(s3_backends.values()))
    now = time.time()
    history: dict[str, Any] = {"lastStatus": "Success", "lastAttemptTime": now, "lastSuccessfulTime": now}
    if not reachable:
        history = {
            "lastStatus": "Failure",
            "lastErrorCode": "NoSuchBucket",
            "lastErrorMessage": "The specified bucket does not exist",
            "lastAttemptTime": now,
        }
    stream = {"lastStatus": "Success" if channel.sns_topic_arn else "Not_Applicable", "lastStatusChangeTime": now}
    return {"name": name, "configHistoryDeliveryInfo": history, "configStreamDeliveryInfo": stream}
