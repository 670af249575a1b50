"""The course that every Automation document's script takes: read, judge, record, change, verify, report; and the way back.

The build inlines this module into each document, together with the rule's own predicate, so that the document decides by
the same code as the rule. Standard library and boto3 only (runtime python3.11 of `aws:executeScript`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pci_config.exceptions import ExceptionRegister

EXCEPTIONS: list[dict[str, Any]] = []  # replaced by the build with the entries of the rules that the document fixes
VERIFY_DELAYS_SECONDS = (0, 1, 2, 4, 8, 15)  # 30 s in all; APIs answer reads late after a write
MAX_RECORD_CHARACTERS = 20_000  # a step's output is cut at 100,000 characters
MAX_EVENT_CHARACTERS = 2000  # of a message in an event or an output
SWITCH_PARAMETER = "/pci-config/remediation"  # Parameter Store: `on`, or anything else to stop every fix
SWITCH_ON = "on"
CLOUDFORMATION_TAG = "aws:cloudformation:stack-name"
AWS_ERRORS = (BotoCoreError, ClientError)
# Service Authorization Reference: services whose ARNs leave a part empty (buckets both, REST APIs the account)
WITHOUT_REGION = ("cloudfront", "iam", "s3")
WITHOUT_ACCOUNT = ("apigateway", "s3")
TOOL_TAGS = ("managedby", "createdby", "provisionedby", "provisioner", "iac")  # without separators, in lower case
TOOLS = ("terraform", "opentofu", "pulumi", "cloudformation", "cdk", "crossplane", "ansible")


class Refused(Exception):
    """Changing this resource would not be safe or is not understood. Nothing was changed."""


@dataclass(frozen=True)
class Change:
    """One AWS call that a fix would make. `operation` is boto3's method name; the summary is for people."""

    service: str
    operation: str
    parameters: dict[str, Any]
    summary: str


class Resource(Protocol):
    """What a document knows about its resource. `read` gives None when the resource is gone.

    Where the id is no part of the ARN (a database, a user), `read` sets `resource_arn`: an exception may name it.
    """

    resource_id: str

    def read(self) -> Any: ...

    def record(self, state: Any) -> dict[str, Any]:
        """The part of the state that the changes touch, as JSON values in a fixed order: enough to put it back."""
        ...


class Fix(Resource, Protocol):
    def tags(self, state: Any) -> Mapping[str, str]:
        """The resource's tags; none where AWS has no tags for its kind. Asked only when there is something to change."""
        ...

    def changes(self, state: Any) -> Sequence[Change]:
        """The calls that make the state compliant; none when it is. Raises Refused."""
        ...


class Restore(Resource, Protocol):
    def undo(self, before: Mapping[str, Any], state: Any) -> Sequence[Change]:
        """The calls that lead from the state to the record `before`. Raises Refused."""
        ...


@functools.cache
def aws(service: str) -> Any:
    """A client of the automation's role in its own Region; one per execution."""
    return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}))


def boolean(event: Mapping[str, Any], name: str) -> bool:
    """Config passes every parameter as text, Automation may pass a Boolean. Raises Refused for anything else."""
    text = str(event.get(name)).lower()
    if text not in ("true", "false"):
        raise Refused(f"{name} is {event.get(name)!r}; expected true or false")
    return text == "true"


def integer(event: Mapping[str, Any], name: str) -> int:
    """Config passes every parameter as text, Automation may pass an Integer as a float. Raises Refused for anything else."""
    try:
        number = float(str(event.get(name)))
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise Refused(f"{name} is {event.get(name)!r}; expected a whole number")


def require_own(event: Mapping[str, Any], arn: str) -> None:
    """Raises Refused when the ARN names another account or Region than the execution's, or leaves one open that its service
    has."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[2] or not parts[5]:
        raise Refused(f"{arn} is no ARN")
    _, _, service, region, account, _ = parts
    own_region = region == event["Region"] or (region == "" and service in WITHOUT_REGION)
    own_account = account == event["AccountId"] or (account == "" and service in WITHOUT_ACCOUNT)
    if not (own_region and own_account):
        raise Refused(f"{arn} is not in {event['AccountId']} and {event['Region']}")


def carry_out(event: Mapping[str, Any], fix_of: Callable[[Mapping[str, Any]], Fix]) -> dict[str, Any]:
    """Fix one resource and report.

    `event` holds DryRun, EvidenceBucket, AllowManaged, Document, ExecutionId, AccountId and Region, and what `fix_of` needs.
    Ends in success with Changed false when the resource is gone, compliant already, excepted, or when the switch is off.
    Raises Refused before any change; raises RuntimeError naming what was done when a call fails half way or the result
    cannot be verified. Outcome: changed, compliant, gone, excepted, dry-run, switched-off.
    """
    return _telling_refusals(event, lambda: _fixed(event, fix_of(event)))


def _fixed(event: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    dry_run = boolean(event, "DryRun")
    excepted = _excepted(event, fix)
    state = None if excepted else fix.read()
    excepted = excepted or _excepted(event, fix)  # reading may have shown the ARN
    if excepted:
        return _report("excepted", excepted)
    if state is None:
        return _report("gone", f"{fix.resource_id} no longer exists: nothing to do")
    changes = fix.changes(state)
    if not changes:
        return _report("compliant", f"{fix.resource_id} is compliant already: nothing to do")
    if not boolean(event, "AllowManaged"):
        _refuse_managed(fix.resource_id, fix.tags(state))
    before = fix.record(state)
    if dry_run:
        return _report("dry-run", f"dry run, nothing changed. Would: {_summary(changes)}", changes, before)
    switch = _switch()
    if switch != SWITCH_ON:
        return _report("switched-off", f"nothing changed: {SWITCH_PARAMETER} is {switch!r}, not on", changes, before)

    def verified() -> str:
        state = fix.read()
        return "" if state is None else _summary(fix.changes(state))

    return _apply(event, fix, before, changes, verified)


def put_back(event: Mapping[str, Any], restore_of: Callable[[Mapping[str, Any]], Restore]) -> dict[str, Any]:
    """Lead a resource back to the state that a fix recorded before it changed it, and report as `carry_out` does.

    `event` also holds FixDocument and FixExecutionId. Raises Refused when the record is missing or of another resource, and
    when the resource is no longer as the fix left it. The switch does not stop it: it is the way back.
    """
    return _telling_refusals(event, lambda: _restored(event, restore_of(event)))


def _telling_refusals(event: Mapping[str, Any], course: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return course()
    except Refused as refusal:
        _announce(event, "refused", str(refusal))
        raise


def _restored(event: Mapping[str, Any], restore: Restore) -> dict[str, Any]:
    dry_run = boolean(event, "DryRun")
    if not _evidence_bucket(event):
        raise Refused("EvidenceBucket is none: there is no record to restore from")
    folder = _evidence_folder(event, restore.resource_id, event["FixDocument"], event["FixExecutionId"])
    before, after = (_read_evidence(event, restore.resource_id, folder, which) for which in ("before", "after"))
    state = restore.read()
    if state is None:
        raise Refused(f"{restore.resource_id} no longer exists; its state before is in {folder}")
    now = restore.record(state)
    if _digest(now) == before["digest"]:
        return _report("compliant", f"{restore.resource_id} is as it was before {event['FixExecutionId']}: nothing to do")
    if _digest(now) != after["digest"]:
        raise Refused(
            f"{restore.resource_id} was changed after {event['FixExecutionId']}; restoring it would undo that change too"
        )
    changes = restore.undo(before["state"], state)
    if dry_run:
        return _report("dry-run", f"dry run, nothing changed. Would: {_summary(changes)}", changes, now)

    def verified() -> str:
        state = restore.read()
        as_before = state is not None and _digest(restore.record(state)) == before["digest"]
        return "" if as_before else "to be as it was before"

    return _apply(event, restore, now, changes, verified)


def _apply(
    event: Mapping[str, Any],
    resource: Resource,
    before: Mapping[str, Any],
    changes: Sequence[Change],
    verified: Callable[[], str],
) -> dict[str, Any]:
    """Record, change, verify, report. `verified` says what is still missing; an empty text is success."""
    evidence = _keep_evidence(event, resource.resource_id, "before", before, {"calls": [_call(change) for change in changes]})
    done, stopped = _called(changes)
    missing = _what_is_missing(verified, VERIFY_DELAYS_SECONDS[: 1 if stopped else None])
    failure = "; ".join(text for text in (stopped, f"it still needs: {missing}") if text) if missing else ""
    after = _record_after(event, resource, done, failure or stopped)
    faults = "" if not done and after["gone"] else "; ".join(text for text in (failure, after["fault"]) if text)
    if faults:
        told = f"{faults}; state before is recorded in {evidence}: {json.dumps(before, default=str)[:MAX_EVENT_CHARACTERS]}"
        _announce(event, "failed", told, evidence)
        raise RuntimeError(f"{resource.resource_id}: {told}")
    if not done:
        outcome, now = ("gone", "is gone") if after["gone"] else ("compliant", "is right")
        told = f"{resource.resource_id} {now} meanwhile, by another run or by this call, its answer lost: {stopped}"
        told += _announce(event, outcome, told, evidence)
        return _report(outcome, told, changes, before, after["state"], evidence)
    told = "; ".join((*done, f"nothing is missing, although {stopped}") if stopped else done)
    told += _announce(event, "changed", told, evidence)
    return _report("changed", told, changes, before, after["state"], evidence)


def _called(changes: Sequence[Change]) -> tuple[list[str], str]:
    """What was done, and the first failure, after which nothing more is tried."""
    done: list[str] = []
    for change in changes:
        try:
            getattr(aws(change.service), change.operation)(**change.parameters)
        except Exception as error:
            return (
                done,
                f"{change.service} {change.operation} failed ({error}); done before that: {'; '.join(done) or 'nothing'}",
            )
        done.append(change.summary)
    return done, ""


def _what_is_missing(verified: Callable[[], str], delays: Sequence[int]) -> str:
    missing = ""
    for delay in delays:
        time.sleep(delay)
        try:
            missing = verified()
        except Exception as error:  # whatever it is: what was changed must be told
            missing = f"to be read ({error})"
        if not missing:
            return ""
    return missing


def _record_after(event: Mapping[str, Any], resource: Resource, done: Sequence[str], failure: str) -> dict[str, Any]:
    """Record how it ended, also when it ended badly: a restore compares with it. `fault` tells when that fails."""
    try:
        state = resource.read()
        record = {} if state is None else resource.record(state)
        _keep_evidence(event, resource.resource_id, "after", record, {"done": list(done), "failure": failure})
    except Exception as error:
        return {"state": {}, "gone": False, "fault": f"the state after it could not be recorded ({error})"}
    return {"state": record, "gone": state is None, "fault": ""}


def _excepted(event: Mapping[str, Any], fix: Fix) -> str:
    """Why nothing is to be done, when an exception in force covers the resource. Account, Region and day are the execution's
    own: none is a parameter."""
    place = str(event["AccountId"]), str(event["Region"])
    today, arn = datetime.now(UTC).date(), getattr(fix, "resource_arn", None)
    register = ExceptionRegister.from_json(EXCEPTIONS)
    for rule in sorted({entry.rule for entry in register.entries}):
        entry = register.match(rule, *place, fix.resource_id, arn, today)
        if entry:
            return f"excepted: nothing done; {fix.resource_id} is accepted until {entry.expires} ({entry.ticket}, {rule})"
    return ""


def _refuse_managed(resource_id: str, tags: Mapping[str, str]) -> None:
    """What a template describes must be mended there: the next deployment would bring the violation back, or fail."""
    owner = _manager(tags)
    if owner:
        raise Refused(f"{resource_id} is managed by {owner}: mend it there, or run with AllowManaged true")


def _manager(tags: Mapping[str, str]) -> str:
    if CLOUDFORMATION_TAG in tags:
        return f"CloudFormation stack {tags[CLOUDFORMATION_TAG]}"
    for key, value in sorted(tags.items()):
        plain = "".join(character for character in key.lower() if character.isalnum())
        if plain == "terraform":
            return "Terraform"
        if plain in TOOL_TAGS and any(tool in value.lower() for tool in TOOLS):
            return f"{value} (tag {key})"
    return ""


def _switch() -> str:
    """The value of the switch. A missing or unreadable one stops as well: Refused."""
    try:
        return str(aws("ssm").get_parameter(Name=SWITCH_PARAMETER)["Parameter"]["Value"]).strip()
    except AWS_ERRORS as error:
        raise Refused(f"the switch {SWITCH_PARAMETER} in Parameter Store cannot be read ({error}): nothing changed") from error


def _evidence_bucket(event: Mapping[str, Any]) -> str:
    bucket = str(event.get("EvidenceBucket") or "")
    return "" if bucket == "none" else bucket  # Config cannot pass an empty text


def _evidence_folder(event: Mapping[str, Any], resource_id: str, document: str, execution_id: str) -> str:
    """Where the records `before.json` and `after.json` of an execution are."""
    name = "".join(character if character.isalnum() or character in "-_." else "-" for character in resource_id)
    return f"remediation/{event['AccountId']}/{event['Region']}/{document}/{name}/{execution_id}"


def _keep_evidence(
    event: Mapping[str, Any], resource_id: str, which: str, state: Mapping[str, Any], more: Mapping[str, Any]
) -> str:
    """Write a state to the evidence bucket. Returns where; raises Refused when it cannot be kept for good."""
    bucket = _evidence_bucket(event)
    if not bucket:
        raise Refused("EvidenceBucket is none: without a record of the state before, nothing is changed")
    key = f"{_evidence_folder(event, resource_id, event['Document'], event['ExecutionId'])}/{which}.json"
    record = {
        "document": event["Document"],
        "execution_id": event["ExecutionId"],
        "account_id": event["AccountId"],
        "region": event["Region"],
        "resource_id": resource_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "state": state,
        "digest": _digest(state),
        **more,
    }
    try:
        body = json.dumps(record, default=str).encode()
        answer = aws("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    except AWS_ERRORS as error:
        raise Refused(f"the state {which} cannot be recorded in s3://{bucket}/{key} ({error})") from error
    version = answer.get("VersionId")
    if version in (None, "null"):
        raise Refused(f"the evidence bucket {bucket} is not versioned: a record in it could be overwritten")
    return f"s3://{bucket}/{key}?versionId={version}"


def _read_evidence(event: Mapping[str, Any], resource_id: str, folder: str, which: str) -> dict[str, Any]:
    bucket, key = _evidence_bucket(event), f"{folder}/{which}.json"
    try:
        record: dict[str, Any] = json.loads(aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except (*AWS_ERRORS, ValueError) as error:
        raise Refused(
            f"the state {which} {event['FixExecutionId']} cannot be read from s3://{bucket}/{key} ({error})"
        ) from error
    if record.get("resource_id") != resource_id or record.get("digest") != _digest(record.get("state")):
        raise Refused(f"s3://{bucket}/{key} is no record of {resource_id}, or was altered")
    return record


def _digest(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()


def _announce(event: Mapping[str, Any], outcome: str, message: str, evidence: str = "") -> str:
    """Tell the log and, for runs that are no dry runs, EventBridge. Returns what to add to the message when that fails."""
    detail = {
        "document": event.get("Document"),
        "execution_id": event.get("ExecutionId"),
        "account_id": event.get("AccountId"),
        "region": event.get("Region"),
        "outcome": outcome,
        "message": message[:MAX_EVENT_CHARACTERS],
        "evidence": evidence,
    }
    print(json.dumps(detail))
    if str(event.get("DryRun")).lower() != "false":
        return ""
    entry = {"Source": "pci-config", "DetailType": "PCI remediation", "Detail": json.dumps(detail)}
    try:
        failed = aws("events").put_events(Entries=[entry])["FailedEntryCount"]
    except AWS_ERRORS as error:
        return f" (no event was sent: {error})"
    return " (no event was sent)" if failed else ""


def _summary(changes: Sequence[Change]) -> str:
    return "; ".join(change.summary for change in changes)


def _call(change: Change) -> dict[str, Any]:
    return {
        "service": change.service,
        "operation": change.operation,
        "parameters": change.parameters,
        "summary": change.summary,
    }


def _report(
    outcome: str,
    message: str,
    changes: Sequence[Change] = (),
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    evidence: str = "",
) -> dict[str, Any]:
    return {
        "Outcome": outcome,
        "Changed": outcome == "changed",
        "Message": message[:MAX_EVENT_CHARACTERS],
        "Calls": json.dumps([_call(change) for change in changes], default=str)[:MAX_RECORD_CHARACTERS],
        "Before": json.dumps(before or {}, default=str)[:MAX_RECORD_CHARACTERS],
        "After": json.dumps(after or {}, default=str)[:MAX_RECORD_CHARACTERS],
        "Evidence": evidence,
    }
