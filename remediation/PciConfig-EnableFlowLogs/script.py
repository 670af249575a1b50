"""Gives a VPC a flow log to the archive bucket when none of its flow logs ends in the archive; those stay as they are.

Whether the bucket exists is asked of S3 without credentials, since this role has no right in the archive: 404 means that
nobody has a bucket of that name, and anything else says no more than that somebody has. Whether flow logs may be written
there is checked by EC2 itself when the flow log is created ("or flow log creation fails", Amazon VPC user guide, bucket
permissions); CreateFlowLogs tells that, as every failure for a resource, in `Unsuccessful` of a successful answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from pci_config.flow_logs import MalformedFlowLogError, failing_delivery, judged_flow_log, spelled_as_recorded
from pci_config.log_destination import Place
from pci_config.log_destination_live import LiveSurroundings
from pci_config.runbook import Change, Refused, aws, carry_out, put_back
from pci_config.settings import Settings
from pci_config.tags import tag_map

SETTINGS: dict[str, Any] = {}  # replaced by the build with rdk.json's content

CREATED_BY = "pci:created-by"  # tag of every flow log made here: PciConfig-EnableFlowLogs/<execution>
RECORDED = ("flowLogId", "trafficType", "logDestinationType", "logDestination", "logGroupName")  # what never changes by itself
GONE = ("InvalidVpcID.NotFound", "InvalidFlowLogId.NotFound")


class OwnVpc:
    """A VPC, or a single flow log, of this account and Region by its id.

    State: {"tags": of the VPC, "logs": its flow logs, spelled as recorded}.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ResourceId"])
        self._account, self._region = str(event["AccountId"]), str(event["Region"])
        self._is_vpc = self.resource_id.startswith("vpc-")
        if not self._is_vpc and not self.resource_id.startswith("fl-"):
            raise Refused(f"{self.resource_id} is no id of a VPC or flow log")
        kind = "vpc" if self._is_vpc else "vpc-flow-log"
        events = aws("ec2").meta.events
        self._partition = aws("ec2").meta.partition
        self.resource_arn = f"arn:{self._partition}:ec2:{self._region}:{self._account}:{kind}/{self.resource_id}"
        for operation in ("CreateFlowLogs", "DeleteFlowLogs"):
            events.register(f"after-call.ec2.{operation}", raise_unsuccessful, unique_id=f"unsuccessful-{operation}")

    def read(self) -> dict[str, Any] | None:
        try:
            if self._is_vpc:
                (vpc,) = aws("ec2").describe_vpcs(VpcIds=[self.resource_id])["Vpcs"]
                self._require_own(vpc)
                asked: dict[str, Any] = {"Filters": [{"Name": "resource-id", "Values": [self.resource_id]}]}
            else:
                vpc, asked = {}, {"FlowLogIds": [self.resource_id]}
            pages = aws("ec2").get_paginator("describe_flow_logs").paginate(**asked)
            logs = [spelled_as_recorded(log) for page in pages for log in page["FlowLogs"]]
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise
        if not self._is_vpc and not logs:
            return None
        return {"tags": tag_map(vpc.get("Tags")), "logs": sorted(logs, key=lambda log: str(log.get("flowLogId")))}

    def _require_own(self, vpc: Mapping[str, Any]) -> None:
        """A shared VPC's flow logs are the owner's."""
        owner = vpc.get("OwnerId", self._account)
        if owner != self._account:
            raise Refused(f"{self.resource_id} is a VPC of {owner}, shared with {self._account}: run this there")

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {"FlowLogs": [{name: log.get(name) for name in RECORDED} for log in state["logs"]]}


class FlowLogFix(OwnVpc):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._settings = Settings.from_mapping(SETTINGS)
        if not self._settings.archive_buckets:
            raise Refused("the document was built without LogArchive.Buckets; build it again with a complete rdk.json")
        self._bucket, self._traffic = str(event["ArchiveBucket"]), str(event["TrafficType"])
        if not self._settings.is_archive_bucket(self._bucket):
            raise Refused(f"{self._bucket} is no archive bucket ({' or '.join(self._settings.archive_buckets)})")
        if self._traffic not in ("ALL", "REJECT"):
            raise Refused(f"TrafficType is {self._traffic!r}; expected ALL or REJECT")
        self._destination = f"arn:{self._partition}:s3:::{self._bucket}"
        self._created_by = f"{event['Document']}/{event['ExecutionId']}"
        self._execution_id = str(event["ExecutionId"])

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        found: Mapping[str, str] = state["tags"]
        return found

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        logs = state["logs"]
        if not self._is_vpc:
            return self._judged_alone(logs)
        misses = []
        for log in logs:
            faults = self._faults(log)
            if not faults:
                return []
            misses.append("; ".join(faults))
        self._check_destination()
        self._check_room(logs, misses)
        why = min(misses, key=len) if misses else f"{self.resource_id} has no flow log"
        return [self._creation(f"record {self._traffic} traffic of {self.resource_id} in {self._bucket} ({why})")]

    def _judged_alone(self, logs: Sequence[Mapping[str, Any]]) -> Sequence[Change]:
        """The rule reports a flow log by its own id only when its delivery fails. Nothing about the flow log mends that."""
        for log in logs:
            failing = failing_delivery(log)
            if failing:
                raise Refused(
                    f"{self.resource_id} to {log.get('logDestination') or log.get('logGroupName')}: {failing}; mend the policy "
                    "of the destination, its key or the role there; flow logs that others made are not deleted here"
                )
        return []

    def _faults(self, log: Mapping[str, Any]) -> list[str]:
        place = Place(self._account, self._region, self._settings)
        try:
            return judged_flow_log(log, self._traffic, place, LiveSurroundings())[0]
        except MalformedFlowLogError as error:
            raise Refused(f"a flow log of {self.resource_id} is not understood: {error}") from error

    def _check_destination(self) -> None:
        try:
            unsigned = Config(signature_version=UNSIGNED)
            boto3.client("s3", config=unsigned).head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                raise Refused(f"the bucket {self._bucket} does not exist: nobody may be invited to make one") from error

    def _check_room(self, logs: Sequence[Mapping[str, Any]], misses: Sequence[str]) -> None:
        """EC2 takes no second flow log of the same traffic to the same place: what is wrong with the first must be mended."""
        for log, faults in zip(logs, misses, strict=True):
            same = str(log.get("logDestination")).rstrip("/") == self._destination
            if same and log.get("trafficType") in ("ALL", self._traffic):
                raise Refused(f"{faults}; it goes to {self._bucket} already: mend what keeps it from arriving")

    def _creation(self, summary: str) -> Change:
        parameters = {
            "ClientToken": self._execution_id,  # a call that is tried again makes no second one
            "ResourceIds": [self.resource_id],
            "ResourceType": "VPC",
            "TrafficType": self._traffic,
            "LogDestinationType": "s3",
            "LogDestination": self._destination,
            "TagSpecifications": [
                {"ResourceType": "vpc-flow-log", "Tags": [{"Key": CREATED_BY, "Value": self._created_by}]},
            ],
        }
        return Change("ec2", "create_flow_logs", parameters, summary)


class FlowLogRestore(OwnVpc):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._created_by = f"{event['FixDocument']}/{event['FixExecutionId']}"

    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        """Deletes what the execution made, known by its tag, and nothing that appeared or vanished while it ran."""
        logs = {str(log["flowLogId"]): log for log in state["logs"]}
        earlier = {str(log["flowLogId"]) for log in before["FlowLogs"]}
        made = [name for name in logs if tag_map(logs[name].get("tags")).get(CREATED_BY) == self._created_by]
        strange = sorted((set(logs) - earlier - set(made)) | (earlier - set(logs)) | (earlier & set(made)))
        if strange or not made:
            told = ", ".join(strange) or "none is tagged with it"
            raise Refused(
                f"not everything that changed was done by {self._created_by} ({told}): delete by hand what is its own"
            )
        return [Change("ec2", "delete_flow_logs", {"FlowLogIds": made}, f"delete {', '.join(made)}, which the fix made")]


def raise_unsuccessful(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
    """Makes a failed call of an answer that names resources it could not do."""
    for entry in parsed.get("Unsuccessful") or ():
        error = entry.get("Error") or {}
        told = {"Code": str(error.get("Code") or "Unsuccessful"), "Message": str(error.get("Message") or "no reason given")}
        raise ClientError({"Error": told}, model.name)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, FlowLogFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, FlowLogRestore)
