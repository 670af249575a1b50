"""Access logs of load balancers: what the rule and its document agree on.

Sources: Elastic Load Balancing documentation, access logs of Application, Network and Classic Load Balancers; API reference,
LoadBalancerAttribute (access_logs.s3.* exist for Application and Network Load Balancers, not for Gateway ones; the bucket is
in the load balancer's Region) and AccessLog of Classic Load Balancers. Standard library only: inlined into the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.settings import Settings

ENABLED, BUCKET, PREFIX = "access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix"
LOGGING_TYPES = ("application", "network")  # of Elastic Load Balancing v2
NO_LOGS_OF_GATEWAYS = "a Gateway Load Balancer has no access logs; flow logs record its traffic"
NETWORK_LOGS = "a Network Load Balancer logs its TLS listeners only"

# Names of Regions as botocore's partition data spells them; another spelling only means that a name tells nothing
_AREAS = "us-gov|us-iso[a-z]?|eu-isoe|eusc-de|us|eu|ap|sa|ca|me|af|il|mx|cn"
_DIRECTIONS = "central|north|south|east|west|northeast|northwest|southeast|southwest"
_REGION = re.compile(rf"(?<![a-z0-9])(?:{_AREAS})-(?:{_DIRECTIONS})-[0-9](?![a-z0-9])")


@dataclass(frozen=True)
class AccessLog:
    enabled: bool
    bucket: str


class MalformedAttributesError(ValueError):
    """The attributes do not say whether logs are on and where they go; the message names what is wrong."""


def access_log(attributes: Sequence[Any]) -> AccessLog:
    """From the attribute list of an Application or Network Load Balancer, as recorded (key) or as described (Key)."""
    values: dict[str, Any] = {}
    for entry in attributes:
        if not isinstance(entry, Mapping):
            raise MalformedAttributesError(f"{entry!r} is no attribute with key and value")
        key, value = entry.get("key", entry.get("Key")), entry.get("value", entry.get("Value"))
        if key in (ENABLED, BUCKET) and values.setdefault(key, value) != value:
            raise MalformedAttributesError(f"attribute {key} is given twice, with different values")
    enabled = values.get(ENABLED)
    if enabled not in ("true", "false"):
        raise MalformedAttributesError(f"attribute {ENABLED} is {enabled!r}, expected true or false")
    return AccessLog(enabled == "true", _bucket(values.get(BUCKET)))


def classic_access_log(attributes: Mapping[str, Any]) -> AccessLog:
    """From the attributes of a Classic Load Balancer, as recorded (accessLog) or as described (AccessLog)."""
    log = attributes.get("accessLog", attributes.get("AccessLog"))
    if not isinstance(log, Mapping):
        raise MalformedAttributesError(f"accessLog is {log!r}, expected an object")
    enabled = log.get("enabled", log.get("Enabled"))
    if not isinstance(enabled, bool):
        raise MalformedAttributesError(f"accessLog.enabled is {enabled!r}, expected true or false")
    return AccessLog(enabled, _bucket(log.get("s3BucketName", log.get("S3BucketName"))))


def _bucket(name: Any) -> str:
    if not isinstance(name, str | None):
        raise MalformedAttributesError(f"the bucket's name is {name!r}, expected text")
    return name or ""


def log_fault(log: AccessLog, settings: Settings, region: str) -> str | None:
    """What is wrong; None when logs end in an archive bucket. Raises SettingMissing when no archive is configured."""
    archived = settings.is_archive_bucket(log.bucket)
    archive = " or ".join(settings.archive_buckets)
    if not log.enabled:
        return f"access logs are off; send them to {archive}"
    if not log.bucket:
        return f"access logs are on but name no bucket; send them to {archive}"
    if not archived:
        return f"access logs go to {log.bucket}, not to the archive ({archive})"
    return region_fault(log.bucket, region)


def region_fault(bucket: str, region: str) -> str | None:
    """Why the bucket cannot be the one of this Region: its name says another. None when it does not, or says nothing."""
    named = set(_REGION.findall(bucket))
    if not named or region in named:
        return None
    where = ", ".join(sorted(named))
    return f"{bucket} is the archive bucket of {where}; expected the one of the load balancer's own Region {region}"
