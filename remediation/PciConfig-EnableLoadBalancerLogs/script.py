"""Switches a load balancer's access logs on, to the archive bucket; every other attribute stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.load_balancer_logs import BUCKET, ENABLED, AccessLog, access_log, classic_access_log, log_fault
from pci_config.runbook import Change, Refused, aws, boolean, carry_out
from pci_config.settings import Settings

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content


class LogFix:
    """State: the attributes as described; a list for Application and Network Load Balancers, a map for Classic ones."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["LoadBalancer"])
        self._settings = Settings.from_mapping(SETTINGS)
        self._bucket = str(event["ArchiveBucket"])
        self._repoint = boolean(event, "Repoint")
        self._classic = not self.resource_id.startswith("arn:")
        if not self._settings.archive_buckets:
            raise Refused("the document was built without LogArchive.Buckets; build it again with a complete rdk.json")
        if not self._settings.is_archive_bucket(self._bucket):
            raise Refused(f"{self._bucket} is no archive bucket ({' or '.join(self._settings.archive_buckets)})")
        if not self._classic and self.resource_id.split(":")[3:5] != [event["Region"], event["AccountId"]]:
            raise Refused(f"{self.resource_id} is not in {event['AccountId']} and {event['Region']}")
        if ":loadbalancer/gwy/" in self.resource_id:
            raise Refused("a Gateway Load Balancer has no access logs")

    def read(self) -> Any:
        try:
            if self._classic:
                return aws("elb").describe_load_balancer_attributes(LoadBalancerName=self.resource_id)["LoadBalancerAttributes"]
            return aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=self.resource_id)["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("LoadBalancerNotFound", "AccessPointNotFound"):
                return None
            raise

    def _log(self, state: Any) -> AccessLog:
        return classic_access_log(state) if self._classic else access_log(state)

    def changes(self, state: Any) -> Sequence[Change]:
        log = self._log(state)
        fault = log_fault(log, self._settings.archive_buckets, self._settings.is_archive_bucket(log.bucket))
        if not fault:
            return []
        if log.enabled and log.bucket and not self._repoint:
            raise Refused(f"{fault}; somebody may rely on that: run with Repoint true to move them")
        summary = f"send access logs to {self._bucket} ({fault})"
        if self._classic:
            kept = {
                key: value for key, value in (state.get("AccessLog") or {}).items() if key in ("EmitInterval", "S3BucketPrefix")
            }
            attributes: Any = {"AccessLog": {**kept, "Enabled": True, "S3BucketName": self._bucket}}
            parameters = {"LoadBalancerName": self.resource_id, "LoadBalancerAttributes": attributes}
            return [Change("elb", "modify_load_balancer_attributes", parameters, summary)]
        pairs = [{"Key": ENABLED, "Value": "true"}, {"Key": BUCKET, "Value": self._bucket}]
        parameters = {"LoadBalancerArn": self.resource_id, "Attributes": pairs}
        return [Change("elbv2", "modify_load_balancer_attributes", parameters, summary)]

    def record(self, state: Any) -> dict[str, Any]:
        if self._classic:
            return {"AccessLog": state["AccessLog"]}
        return {"Attributes": [entry for entry in state if entry["Key"].startswith("access_logs.s3.")]}


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, LogFix(events))
