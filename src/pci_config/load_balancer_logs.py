"""Access logs of load balancers: what the rule and its document agree on.

Source: Elastic Load Balancing documentation, access logs of Application, Network and Classic Load Balancers; attribute names
from the API reference (LoadBalancerAttribute; AccessLog for classic ones). Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENABLED, BUCKET, PREFIX = "access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix"


@dataclass(frozen=True)
class AccessLog:
    enabled: bool
    bucket: str


class MalformedAttributesError(ValueError):
    """The attributes lack what says whether logs are on; the message names it."""


def access_log(attributes: Sequence[Mapping[str, Any]]) -> AccessLog:
    """From the attribute list of an Application or Network Load Balancer, as recorded (key) or as described (Key)."""
    values = {entry.get("key", entry.get("Key")): entry.get("value", entry.get("Value")) for entry in attributes}
    enabled = values.get(ENABLED)
    if enabled not in ("true", "false"):
        raise MalformedAttributesError(f"attribute {ENABLED} is {enabled!r}, expected true or false")
    return AccessLog(enabled == "true", str(values.get(BUCKET) or ""))


def classic_access_log(attributes: Mapping[str, Any]) -> AccessLog:
    """From the attributes of a Classic Load Balancer, as recorded (accessLog) or as described (AccessLog)."""
    log = attributes.get("accessLog", attributes.get("AccessLog"))
    enabled = log.get("enabled", log.get("Enabled")) if isinstance(log, Mapping) else None
    if not isinstance(enabled, bool) or not isinstance(log, Mapping):
        raise MalformedAttributesError("accessLog.enabled is missing")
    return AccessLog(enabled, str(log.get("s3BucketName", log.get("S3BucketName")) or ""))


def log_fault(log: AccessLog, archive: Sequence[str], matches: bool) -> str | None:
    """What is wrong; None when logs end in the archive. `matches`: the bucket is one of the archive's."""
    if not log.enabled:
        return f"access logs are off; send them to {' or '.join(archive)}"
    if not log.bucket:
        return "access logs are on but name no bucket"
    if not matches:
        return f"access logs go to {log.bucket}, not to the archive ({' or '.join(archive)})"
    return None
