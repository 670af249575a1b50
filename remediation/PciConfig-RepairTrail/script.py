"""Switches on what is off on an existing trail, and adds what its event selectors leave out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pci_config.runbook import Change, Refused, aws, boolean, carry_out, put_back, require_own
from pci_config.settings import Settings
from pci_config.tags import tag_map
from pci_config.trail import MalformedTrailError, member, organization_gaps, selector_gaps, status_gaps, storage_gaps
from pci_config.trail_selectors import completed_selectors

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

NONE = "none"
PASSED_ROLES = "pci-config-trail-"  # as the document's role may pass them
FLAGS = ("IncludeGlobalServiceEvents", "IsMultiRegionTrail", "LogFileValidationEnabled")
TEXTS = ("S3BucketName", "KmsKeyId", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")
TOGETHER = (("IncludeGlobalServiceEvents", "IsMultiRegionTrail"), ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"))
UPDATED = {"LogFileValidationEnabled": "EnableLogFileValidation"}  # where UpdateTrail spells it another way
SELECTORS = ("EventSelectors", "AdvancedEventSelectors")
WARNING = "stop logging, as before the fix: WARNING, FROM THEN ON THIS TRAIL RECORDS NOTHING until it is started again"
STOPPED = "is not logging"  # of pci_config.trail.status_gaps; the others are failed deliveries


class OwnTrail:
    """A trail of this account in its home Region, by name or ARN; or, by the account's id, the account's organization trail.

    State: {"trail": DescribeTrails' entry, "status": GetTrailStatus, "selectors": GetEventSelectors}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["TrailId"])
        self._event = event
        self._account, self._region = str(event["AccountId"]), str(event["Region"])
        self._seen = False

    def read(self) -> dict[str, Any] | None:
        trail = self._found(aws("cloudtrail").describe_trails(includeShadowTrails=True)["trailList"])
        if trail is None:
            if self._seen:
                return None
            what = "organization trail" if self.resource_id == self._account else f"trail {self.resource_id}"
            raise Refused(f"there is no {what} here, and this makes none: org_setup/log_archive does, deploy it")
        self._seen = True
        self.resource_arn = str(trail["TrailARN"])
        status = aws("cloudtrail").get_trail_status(Name=self.resource_arn)
        selectors = aws("cloudtrail").get_event_selectors(TrailName=self.resource_arn)
        return {"trail": trail, "status": status, "selectors": {name: selectors.get(name) or [] for name in SELECTORS}}

    def _found(self, trails: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The trail that is meant. Raises Refused when it has to be changed elsewhere."""
        if self.resource_id == self._account:
            named = [trail for trail in trails if trail.get("IsOrganizationTrail")]
        else:
            named = [trail for trail in trails if self.resource_id in (trail["Name"], trail["TrailARN"])]
        own = [trail for trail in named if str(trail["TrailARN"]).split(":")[4] == self._account]
        here = [trail for trail in own if trail["HomeRegion"] == self._region]
        if len(here) > 1:
            names = ", ".join(sorted(trail["Name"] for trail in here))
            raise Refused(f"{self.resource_id} has several organization trails ({names}): name one")
        if here:
            return here[0]
        if own:
            raise Refused(f"{own[0]['Name']} is a trail of {own[0]['HomeRegion']}: run this in its home Region")
        if named:
            owner = str(named[0]["TrailARN"]).split(":")[4]
            raise Refused(
                f"{named[0]['Name']} is the organization trail of {owner}: only the management account changes it; "
                f"run this there, in {named[0]['HomeRegion']}"
            )
        if self.resource_id.startswith("arn:"):
            require_own(self._event, self.resource_id)
        return None

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        trail = state["trail"]
        return {
            **{name: trail.get(name) is True for name in FLAGS},
            **{name: trail.get(name) or None for name in TEXTS},
            "IsLogging": state["status"].get("IsLogging") is True,
            "Selectors": ordered(state["selectors"]),
        }

    def update(self, members: Mapping[str, Any], summary: str) -> Change:
        """UpdateTrail leaves what is not given as it is; an empty text takes the key or the log group away."""
        passed = {UPDATED.get(name, name): "" if value is None else value for name, value in members.items()}
        return Change("cloudtrail", "update_trail", {"Name": self.resource_arn, **passed}, summary)


class TrailRepair(OwnTrail):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._settings = Settings.from_mapping(SETTINGS)
        if not self._settings.archive_buckets:
            raise Refused("rdk.json: LogArchive.Buckets is not set, so that no trail can be judged")
        cde = [] if event["CdeBuckets"] == NONE else [name.strip() for name in str(event["CdeBuckets"]).split(",")]
        self._buckets = (*self._settings.archive_buckets, *cde)
        self._wanted = {
            "S3BucketName": given(event, "ArchiveBucket"),
            "KmsKeyId": given(event, "KmsKeyArn"),
            "CloudWatchLogsLogGroupArn": given(event, "CloudWatchLogsLogGroupArn"),
            "CloudWatchLogsRoleArn": given(event, "CloudWatchLogsRoleArn"),
        }
        self._repoint = boolean(event, "Repoint")
        self._planned = False

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        (answer,) = aws("cloudtrail").list_tags(ResourceIdList=[self.resource_arn])["ResourceTagList"]
        return tag_map(answer["TagsList"])

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        """An organization trail is completed; of any other trail only how and where it keeps its files is judged."""
        try:
            whole = member(state["trail"], "IsOrganizationTrail", bool)
            gaps = storage_gaps(state["trail"], self._settings.is_archive_bucket)
            gaps += organization_gaps(state["trail"]) if whole else []
            found = [self.update(self._members(state["trail"], whole), f"mend: {'; '.join(gaps)}")] if gaps else []
            status = status_gaps(state["status"]) if whole else []
            if whole:
                found += self._selected(state["selectors"])
        except MalformedTrailError as error:
            raise Refused(f"{self.resource_id}: {error}") from None
        if STOPPED in status:
            found.append(Change("cloudtrail", "start_logging", {"Name": self.resource_arn}, "start logging"))
        failing = "; ".join(gap for gap in status if gap != STOPPED)
        if failing and not found and not self._planned:
            # after a change the error of the delivery before it is still shown: the next run tells
            raise Refused(f"{failing}: the trail is right, mend the policy of the bucket, the key or the role")
        if failing and found:
            found[-1] = replace(found[-1], summary=f"{found[-1].summary} (before this, {failing})")
        self._planned = self._planned or bool(found)
        return found

    def _members(self, trail: Mapping[str, Any], whole: bool) -> dict[str, Any]:
        """What UpdateTrail is to set. Raises Refused when a value has to be given that is not."""
        members: dict[str, Any] = {}
        if not self._settings.is_archive_bucket(trail["S3BucketName"]):
            members["S3BucketName"] = self._archive(trail["S3BucketName"])
        if not trail.get("KmsKeyId"):
            members["KmsKeyId"] = self._needed("KmsKeyId", "KmsKeyArn, a key whose policy lets CloudTrail encrypt")
        if not trail["LogFileValidationEnabled"]:
            members["LogFileValidationEnabled"] = True
        if whole and not (trail["IsMultiRegionTrail"] and trail["IncludeGlobalServiceEvents"]):
            members |= {"IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": True}
        if whole and not trail.get("CloudWatchLogsLogGroupArn"):
            for name in TOGETHER[1]:
                members[name] = self._needed(name, name)
                require_own(self._event, members[name])
            role = members["CloudWatchLogsRoleArn"]
            if f":role/{PASSED_ROLES}" not in role:
                raise Refused(f"{role}: this document may pass CloudTrail roles named {PASSED_ROLES}* only")
        return members

    def _archive(self, now: str) -> str:
        if not self._repoint:
            raise Refused(
                f"{self.resource_id} delivers to {now}, not to the archive: with Repoint true it is moved; nothing done"
            )
        bucket = self._needed("S3BucketName", "ArchiveBucket")
        if not self._settings.is_archive_bucket(bucket):
            raise Refused(f"{bucket} is no archive bucket of rdk.json: the trail is not moved there")
        return bucket

    def _needed(self, name: str, parameter: str) -> str:
        value = self._wanted[name]
        if not value:
            raise Refused(f"{self.resource_id} needs {name}: run with {parameter}")
        return value

    def _selected(self, selectors: Mapping[str, Any]) -> Sequence[Change]:
        gaps = selector_gaps(selectors, self._buckets)
        if not gaps:
            return []
        parameters = {"TrailName": self.resource_arn, **completed_selectors(selectors, self._buckets)}
        return [Change("cloudtrail", "put_event_selectors", parameters, f"select more, keep the rest: {'; '.join(gaps)}")]


class TrailRestore(OwnTrail):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._seen = True  # the fix saw it

    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        now, found = self.record(state), []
        members = {name: before[name] for name in (*FLAGS, *TEXTS) if before[name] != now[name]}
        for pair in TOGETHER:
            if any(name in members for name in pair):
                members |= {name: before[name] for name in pair}
        if members:
            found.append(self.update(members, f"put back {', '.join(members)}"))
        if before["Selectors"] != now["Selectors"]:
            parameters = {"TrailName": self.resource_arn, **before["Selectors"]}
            found.append(Change("cloudtrail", "put_event_selectors", parameters, "put the earlier event selectors back"))
        if now["IsLogging"] and not before["IsLogging"]:
            found.append(Change("cloudtrail", "stop_logging", {"Name": self.resource_arn}, WARNING))
        return found


def given(event: Mapping[str, Any], name: str) -> str:
    return "" if event[name] == NONE else str(event[name])


def ordered(value: Any) -> Any:
    """Selectors in a fixed order, without empty members: CloudTrail's lists are sets."""
    if isinstance(value, Mapping):
        return {name: ordered(value[name]) for name in sorted(value) if value[name] not in (None, [])}
    if isinstance(value, list):
        return sorted((ordered(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, TrailRepair)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, TrailRestore)
