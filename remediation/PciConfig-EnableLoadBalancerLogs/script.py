"""Switches a load balancer's access logs on, to the archive bucket, and puts them back; every other attribute stays as it is.

Whether the bucket takes them is left to Elastic Load Balancing, which checks that it may write there (its test object is
ELBAccessLogTestFile) and refuses the change otherwise. This role is not one of the archive's account: asking S3 about the
bucket would tell less, and need a right in the archive that nothing else here needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.load_balancer_logs import (
    BUCKET,
    ENABLED,
    NO_LOGS_OF_GATEWAYS,
    PREFIX,
    AccessLog,
    MalformedAttributesError,
    access_log,
    classic_access_log,
    log_fault,
    region_fault,
)
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, put_back, require_own
from pci_config.settings import Settings
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content


class OwnBalancer:
    """State: the attributes as described; a list for Application and Network Load Balancers, a map for Classic ones."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["LoadBalancer"])
        self.classic = not self.resource_id.startswith("arn:")
        if not self.classic:
            require_own(event, self.resource_id)
            self._check_kind()

    def _check_kind(self) -> None:
        if ":loadbalancer/gwy/" in self.resource_id:
            raise Refused(NO_LOGS_OF_GATEWAYS)
        if ":loadbalancer/app/" not in self.resource_id and ":loadbalancer/net/" not in self.resource_id:
            raise Refused(f"{self.resource_id} is no Application, Network or Classic Load Balancer")

    def read(self) -> Any:
        try:
            if self.classic:
                return aws("elb").describe_load_balancer_attributes(LoadBalancerName=self.resource_id)["LoadBalancerAttributes"]
            return aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=self.resource_id)["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "LoadBalancerNotFound":
                return None
            raise

    def log(self, state: Any) -> AccessLog:
        try:
            return classic_access_log(state) if self.classic else access_log(state)
        except MalformedAttributesError as error:
            raise Refused(f"the attributes of {self.resource_id} are not understood: {error}") from error

    def record(self, state: Any) -> dict[str, Any]:
        """Where logs go, in the words of Classic Load Balancers. Logs that are off go nowhere, whatever bucket is still named:
        Elastic Load Balancing takes no empty name, so that one cannot be taken away again."""
        log = self.log(state)
        if not log.enabled:
            return {"Enabled": False}
        if self.classic:
            found = state["AccessLog"]
            interval = {"EmitInterval": found["EmitInterval"]} if found.get("EmitInterval") else {}
            return {
                "Enabled": True,
                "S3BucketName": log.bucket,
                "S3BucketPrefix": found.get("S3BucketPrefix") or "",
                **interval,
            }
        prefixes = [entry["Value"] for entry in state if entry["Key"] == PREFIX]
        return {"Enabled": True, "S3BucketName": log.bucket, "S3BucketPrefix": "".join(prefixes)}

    def call(self, values: Mapping[str, str], summary: str) -> Change:
        """For an Application or Network Load Balancer: other attributes than those given stay as they are."""
        attributes = [{"Key": key, "Value": value} for key, value in values.items()]
        parameters = {"LoadBalancerArn": self.resource_id, "Attributes": attributes}
        return Change("elbv2", "modify_load_balancer_attributes", parameters, summary)

    def classic_call(self, log: Mapping[str, Any], summary: str) -> Change:
        """AccessLog is set as a whole."""
        parameters = {"LoadBalancerName": self.resource_id, "LoadBalancerAttributes": {"AccessLog": dict(log)}}
        return Change("elb", "modify_load_balancer_attributes", parameters, summary)


class LogFix(OwnBalancer):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._settings = Settings.from_mapping(SETTINGS)
        self._region = str(event["Region"])
        self._bucket = str(event["ArchiveBucket"])
        self._prefix = prefix(str(event["Prefix"]))
        self._repoint = boolean(event, "Repoint")
        self._check_destination()

    def _check_destination(self) -> None:
        if not self._settings.archive_buckets:
            raise Refused("the document was built without LogArchive.Buckets; build it again with a complete rdk.json")
        if not self._settings.is_archive_bucket(self._bucket):
            raise Refused(f"{self._bucket} is no archive bucket ({' or '.join(self._settings.archive_buckets)})")
        elsewhere = region_fault(self._bucket, self._region)
        if elsewhere:
            raise Refused(elsewhere)

    def changes(self, state: Any) -> Sequence[Change]:
        log = self.log(state)
        fault = log_fault(log, self._settings, self._region)
        if not fault:
            return []
        if log.enabled and log.bucket and not self._repoint:
            raise Refused(f"needs a human: {fault}; somebody may rely on that: run with Repoint true to move them")
        summary = f"send access logs to {self._bucket} ({fault})"
        return [self._classic_change(state, summary) if self.classic else self._change(summary)]

    def tags(self, state: Any) -> Mapping[str, str]:
        if self.classic:
            (found,) = aws("elb").describe_tags(LoadBalancerNames=[self.resource_id])["TagDescriptions"]
        else:
            (found,) = aws("elbv2").describe_tags(ResourceArns=[self.resource_id])["TagDescriptions"]
        return tag_map(found["Tags"])

    def _change(self, summary: str) -> Change:
        return self.call({ENABLED: "true", BUCKET: self._bucket, **({PREFIX: self._prefix} if self._prefix else {})}, summary)

    def _classic_change(self, state: Mapping[str, Any], summary: str) -> Change:
        """Interval and prefix are passed on."""
        kept = {key: value for key, value in state["AccessLog"].items() if key in ("EmitInterval", "S3BucketPrefix")}
        chosen = {"S3BucketPrefix": self._prefix} if self._prefix else {}
        return self.classic_call({**kept, **chosen, "Enabled": True, "S3BucketName": self._bucket}, summary)


class LogRestore(OwnBalancer):
    def undo(self, before: Mapping[str, Any], state: Any) -> Sequence[Change]:
        now = self.record(state)
        if not before["Enabled"]:
            summary = f"switch access logs to {_told(now)} off, as before the fix: WARNING, from then on no request is logged"
            return [self.classic_call(before, summary) if self.classic else self.call({ENABLED: "false"}, summary)]
        summary = f"send access logs to {_told(before)} again, no longer to {_told(now)}"
        if self.classic:
            return [self.classic_call({key: value for key, value in before.items() if value != ""}, summary)]
        values = {ENABLED: "true", BUCKET: before["S3BucketName"], PREFIX: before["S3BucketPrefix"]}
        return [self.call(values, summary)]


def _told(record: Mapping[str, Any]) -> str:
    return "/".join(record[name] for name in ("S3BucketName", "S3BucketPrefix") if record.get(name)) or "nowhere"


def prefix(text: str) -> str:
    """The prefix to set; empty to leave the present one. Config cannot pass an empty text, so `none` stands for it."""
    if text == "none":
        return ""
    if "AWSLogs" in text or text.strip("/") != text or not text:
        raise Refused(f"Prefix is {text!r}; expected one without AWSLogs and without slashes at its ends, or none")
    return text


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, LogFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, LogRestore)
