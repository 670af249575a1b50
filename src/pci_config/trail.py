"""What a CloudTrail trail must be so that PCI DSS 10.2.1 and 10.3.2 to 10.3.4 have their evidence.

Shapes: CloudTrail API reference (DescribeTrails, GetTrailStatus, GetEventSelectors) and AWS Config's recorded trail, which
spells the same members with a small first letter. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

S3_OBJECTS = "AWS::S3::Object"
ALL_BUCKETS = ("arn:aws:s3", "arn:aws:s3:::")


class MalformedTrailError(ValueError):
    """The trail lacks a member that decides; the message names it."""


def member(trail: Mapping[str, Any], name: str, kind: type, needed: bool = True) -> Any:
    """A member in the API's spelling or in the recorded one. Raises MalformedTrailError when it must be there and is not."""
    recorded = {"TrailARN": "trailARN", "KmsKeyId": "kmsKeyId", "S3BucketName": "s3BucketName"}.get(
        name, name[0].lower() + name[1:]
    )
    value = trail.get(name, trail.get(recorded))
    if value is None and not needed:
        return None
    if not isinstance(value, kind):
        raise MalformedTrailError(f"{recorded} is {'missing' if value is None else type(value).__name__}")
    return value


def storage_gaps(trail: Mapping[str, Any], is_archive: Callable[[str], bool]) -> list[str]:
    """What is wrong with where and how any trail, also an additional one, keeps its log files."""
    bucket = member(trail, "S3BucketName", str)
    found = []
    if not is_archive(bucket):
        found.append(f"delivers to {bucket}, not to the archive")
    if not member(trail, "LogFileValidationEnabled", bool):
        found.append("log file validation is off")
    if not member(trail, "KmsKeyId", str, needed=False):
        found.append("log files are not encrypted with a KMS key")
    return found


def organization_gaps(trail: Mapping[str, Any]) -> list[str]:
    """What the one trail of the organization lacks beside its storage."""
    found = []
    if not member(trail, "IsOrganizationTrail", bool):
        found.append("is no organization trail")
    if not member(trail, "IsMultiRegionTrail", bool):
        found.append("covers one Region only")
    if not member(trail, "IncludeGlobalServiceEvents", bool):
        found.append("leaves out global services")
    if not member(trail, "CloudWatchLogsLogGroupArn", str, needed=False):
        found.append("does not send events to CloudWatch Logs, so nothing alerts")
    return found


def status_gaps(status: Mapping[str, Any]) -> list[str]:
    """From GetTrailStatus."""
    if not isinstance(status.get("IsLogging"), bool):
        raise MalformedTrailError("IsLogging is missing from the trail's status")
    found = [] if status["IsLogging"] else ["is not logging"]
    for name, what in (("LatestDeliveryError", "the archive"), ("LatestCloudWatchLogsDeliveryError", "CloudWatch Logs")):
        if status.get(name):
            found.append(f"the last delivery to {what} failed: {status[name]}")
    return found


def selector_gaps(selectors: Mapping[str, Any], buckets: Sequence[str]) -> list[str]:
    """From GetEventSelectors: management events read and write, and object events of the buckets (names or patterns)."""
    basic, advanced = selectors.get("EventSelectors") or [], selectors.get("AdvancedEventSelectors") or []
    excluded = sorted({source for entry in basic for source in entry.get("ExcludeManagementEventSources") or []})
    kinds: set[str] = set()
    for entry in basic:
        if entry.get("IncludeManagementEvents") and not entry.get("ExcludeManagementEventSources"):
            kinds |= _kinds(entry.get("ReadWriteType"))
    for entry in advanced:
        fields = _fields(entry)
        if fields.pop("eventCategory", {}) == {"Equals": ["Management"]}:
            read_only = fields.pop("readOnly", None)
            if fields:
                excluded += sorted(f"by {name}" for name in fields)
            else:
                kinds |= _kinds_of_read_only(read_only)
    found = []
    if kinds != {"read", "write"}:
        missing = " and ".join(kind for kind in ("read", "write") if kind not in kinds)
        found.append(f"misses management events ({missing}" + (f"; excluded: {', '.join(excluded)})" if excluded else ")"))
    for bucket in buckets:
        if not _objects_covered(bucket, basic, advanced):
            found.append(f"misses object events of {bucket}")
    return found


def _kinds(read_write_type: Any) -> set[str]:
    return {"All": {"read", "write"}, "ReadOnly": {"read"}, "WriteOnly": {"write"}}.get(str(read_write_type), set())


def _kinds_of_read_only(field: Mapping[str, Any] | None) -> set[str]:
    if field is None:
        return {"read", "write"}
    return {"true": {"read"}, "false": {"write"}}.get(",".join(field.get("Equals") or []), set())


def _fields(entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        field["Field"]: {name: value for name, value in field.items() if name != "Field" and value}
        for field in entry.get("FieldSelectors") or []
    }


def _objects_covered(bucket: str, basic: Sequence[Mapping[str, Any]], advanced: Sequence[Mapping[str, Any]]) -> bool:
    kinds: set[str] = set()
    for entry in basic:
        for resource in entry.get("DataResources") or []:
            if resource.get("Type") == S3_OBJECTS and any(_covers(value, bucket) for value in resource.get("Values") or []):
                kinds |= _kinds(entry.get("ReadWriteType"))
    for entry in advanced:
        fields = _fields(entry)
        if fields.pop("eventCategory", {}) != {"Equals": ["Data"]} or fields.pop("resources.type", {}) != {
            "Equals": [S3_OBJECTS]
        }:
            continue
        read_only, arn = fields.pop("readOnly", None), fields.pop("resources.ARN", {"StartsWith": [ALL_BUCKETS[1]]})
        if not fields and set(arn) == {"StartsWith"} and any(_covers(value, bucket) for value in arn["StartsWith"]):
            kinds |= _kinds_of_read_only(read_only)
    return kinds == {"read", "write"}


def _covers(prefix: str, bucket: str) -> bool:
    """Whether an ARN prefix takes in every object of every bucket of that name or pattern."""
    return prefix in ALL_BUCKETS or object_prefix(bucket).startswith(prefix)


def object_prefix(bucket: str) -> str:
    """The longest ARN prefix that every object of every bucket of that name or pattern has."""
    fixed = bucket[: next((i for i, c in enumerate(bucket) if c in "*?["), len(bucket))]
    return f"arn:aws:s3:::{fixed}{'/' if fixed == bucket else ''}"
