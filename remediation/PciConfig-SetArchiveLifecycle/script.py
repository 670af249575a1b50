"""Gives an archive bucket the lifecycle that its policy demands, in one rule of our own beside the ones that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.lifecycle import LifecycleDemands, MalformedLifecycleError, api_rules, gaps
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, integer, put_back
from pci_config.settings import ARCHIVE_TAG, Settings
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

OUR_RULE = "pci-config-archive"
ABORT_DAYS = 7


class Lifecycle:
    """The lifecycle of one bucket of this account.

    State: {"rules": API rules, "versioned": bool, "tags": {…}, "minimum": the bucket's transition default, if any}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["BucketName"])
        self._owner = {"Bucket": self.resource_id, "ExpectedBucketOwner": event["AccountId"]}
        self._settings = Settings.from_mapping(SETTINGS)

    def read(self) -> dict[str, Any] | None:
        s3 = aws("s3")
        try:
            versioning = s3.get_bucket_versioning(**self._owner).get("Status")
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return None
            if error.response["Error"]["Code"] == "AccessDenied":
                raise Refused(
                    f"{self.resource_id} is no bucket of {self._owner['ExpectedBucketOwner']} or its policy keeps this role "
                    f"out: run this in the archive's account ({self._settings.archive_account or 'rdk.json names none'})"
                ) from error
            raise
        tags = _or_none(s3.get_bucket_tagging, "NoSuchTagSet", **self._owner) or {}
        lifecycle = _or_none(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", **self._owner) or {}
        return {
            "rules": lifecycle.get("Rules", []),
            "minimum": lifecycle.get("TransitionDefaultMinimumObjectSize"),
            "versioned": versioning is not None,
            "tags": tag_map(tags.get("TagSet")),
        }

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        rules = json.loads(json.dumps(state["rules"], default=lambda value: value.isoformat()))
        return {
            "Rules": sorted(rules, key=lambda rule: str(rule.get("ID"))),
            "TransitionDefaultMinimumObjectSize": state["minimum"] if rules else None,
        }

    def put(self, rules: Sequence[Mapping[str, Any]], minimum: str | None, summary: str) -> Change:
        """S3 replaces the whole configuration, and takes its own default for a minimum that is left out."""
        parameters: dict[str, Any] = {**self._owner, "LifecycleConfiguration": {"Rules": rules}}
        if minimum:
            parameters["TransitionDefaultMinimumObjectSize"] = minimum
        return Change("s3", "put_bucket_lifecycle_configuration", parameters, summary)


class LifecycleFix(Lifecycle):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._expire = boolean(event, "AllowExpiration")
        self._replace = set() if event["ReplaceRuleIds"] == "none" else set(str(event["ReplaceRuleIds"]).split(","))
        self._demands = LifecycleDemands(
            standard_days=integer(event, "StandardDays"),
            glacier_days=integer(event, "GlacierDays"),
            retention_days=integer(event, "RetentionDays"),
            tolerance_days=integer(event, "RetentionToleranceDays"),
        )

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        found: Mapping[str, str] = state["tags"]
        return found

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        tagged = state["tags"].get(ARCHIVE_TAG) == "true"
        if not tagged and not (self._settings.archive_buckets and self._settings.is_archive_bucket(self.resource_id)):
            raise Refused(f"{self.resource_id} is no archive bucket: neither rdk.json nor the tag {ARCHIVE_TAG} says so")
        found = self._gaps(state["rules"], state)
        if not found:
            return []
        foreign = sorted({gap.rule_id for gap in found if gap.rule_id not in (None, OUR_RULE)} - self._replace)
        if foreign:
            faults = "; ".join(gap.text for gap in found if gap.rule_id in foreign)
            raise Refused(f"rules that are not ours do it: {faults}; change them, or name them in ReplaceRuleIds")
        kept = [rule for rule in state["rules"] if rule.get("ID") not in {OUR_RULE, *self._replace}]
        rules = [*kept, self._our_rule(state)]
        remaining = self._gaps(rules, state)
        if remaining:
            raise Refused("; ".join(gap.text for gap in remaining) + ": run with AllowExpiration true to have old logs deleted")
        summary = f"set rule {OUR_RULE} ({len(found)} gaps; first: {found[0].text}), keep {len(kept)} other rules"
        dropped = sorted(self._replace & {rule.get("ID") for rule in state["rules"]})
        if dropped:
            summary += f", drop {', '.join(dropped)}"
        return [self.put(rules, state["minimum"], summary)]

    def _gaps(self, rules: Sequence[Mapping[str, Any]], state: Mapping[str, Any]) -> Sequence[Any]:
        try:
            return gaps(api_rules(rules), state["versioned"], self._demands)
        except MalformedLifecycleError as error:
            raise Refused(f"{self.resource_id}: {error}") from None

    def _our_rule(self, state: Mapping[str, Any]) -> dict[str, Any]:
        rule: dict[str, Any] = {
            "ID": OUR_RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Transitions": [
                {"Days": self._demands.standard_days, "StorageClass": "STANDARD_IA"},
                {"Days": self._demands.glacier_days, "StorageClass": "GLACIER"},
            ],
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
        }
        before: Mapping[str, Any] = next((entry for entry in state["rules"] if entry.get("ID") == OUR_RULE), {})
        expirations = {"Expiration": {"Days": self._demands.retention_days}}
        if state["versioned"]:
            expirations["NoncurrentVersionExpiration"] = {"NoncurrentDays": self._demands.retention_days}
        kept = {name: before[name] for name in expirations if name in before}
        return {**rule, **(expirations if self._expire else kept)}


class LifecycleRestore(Lifecycle):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        if not before["Rules"]:
            summary = "delete the lifecycle: there was none"
            return [Change("s3", "delete_bucket_lifecycle", dict(self._owner), summary)]
        minimum = before["TransitionDefaultMinimumObjectSize"]
        return [self.put(before["Rules"], minimum, f"put the {len(before['Rules'])} earlier rules back")]


def _or_none(call: Any, absent: str, **parameters: Any) -> Any:
    try:
        return call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] == absent:
            return None
        raise


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, LifecycleFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, LifecycleRestore)
