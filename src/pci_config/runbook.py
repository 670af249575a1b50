"""The course that every Automation document's script takes: read, judge, record, change, verify, report.

The build inlines this module into each document, together with the rule's own predicate, so that the document decides by
the same code as the rule. Standard library and boto3 only (runtime python3.11 of `aws:executeScript`).
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import boto3
from botocore.config import Config

from pci_config.exceptions import ExceptionRegister

EXCEPTIONS: list[dict[str, Any]] = []  # replaced by the build with the entries of the rules that the document fixes
VERIFY_DELAYS_SECONDS = (0, 1, 2, 4, 8, 15)  # 30 s in all; APIs answer reads late after a write
MAX_RECORD_CHARACTERS = 20_000  # a step's output is cut at 100,000 characters


class Refused(Exception):
    """Changing this resource would not be safe or is not understood. Nothing was changed."""


@dataclass(frozen=True)
class Change:
    """One AWS call that a fix would make. `operation` is boto3's method name; the summary is for people."""

    service: str
    operation: str
    parameters: dict[str, Any]
    summary: str


class Fix(Protocol):
    """What a document knows about its resource. `read` gives None when the resource is gone.

    Where the id is no part of the ARN (a database, a user), `read` sets `resource_arn`: an exception may name it.
    """

    resource_id: str

    def read(self) -> Any: ...

    def changes(self, state: Any) -> Sequence[Change]:
        """The calls that make the state compliant; none when it is. Raises Refused."""
        ...

    def record(self, state: Any) -> dict[str, Any]:
        """The part of the state that the changes touch, as JSON values: enough to put it back."""
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


def carry_out(event: Mapping[str, Any], fix: Fix) -> dict[str, Any]:
    """Fix one resource and report.

    `event` holds DryRun, EvidenceBucket (may be empty), Document, ExecutionId, AccountId and Region. Ends in success with
    Changed false when the resource is gone, compliant already, or excepted. Raises Refused before any change; raises
    RuntimeError naming what was done when a call fails half way or the result cannot be verified.
    """
    dry_run = boolean(event, "DryRun")
    excepted = _excepted(event, fix)
    state = None if excepted else fix.read()
    excepted = excepted or _excepted(event, fix)  # reading may have shown the ARN
    if excepted:
        return _report(False, excepted)
    if state is None:
        return _report(False, f"{fix.resource_id} no longer exists: nothing to do")
    changes = fix.changes(state)
    if not changes:
        return _report(False, f"{fix.resource_id} is compliant already: nothing to do")
    before = fix.record(state)
    summary = "; ".join(change.summary for change in changes)
    if dry_run:
        return _report(False, f"dry run, nothing changed. Would: {summary}", changes, before)
    evidence_key = _keep_evidence(event, fix.resource_id, before, changes)
    done: list[str] = []
    for change in changes:
        try:
            getattr(aws(change.service), change.operation)(**change.parameters)
        except Exception as error:
            state_now = (
                f"done before that: {'; '.join(done) or 'nothing'}; state before is recorded in {evidence_key or 'this output'}"
            )
            raise RuntimeError(
                f"{change.service} {change.operation} failed ({error}); {state_now}: {json.dumps(before, default=str)[:2000]}"
            ) from error
        done.append(change.summary)
    after = _verified(fix)
    return _report(True, summary, changes, before, after, evidence_key)


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


def _verified(fix: Fix) -> dict[str, Any]:
    remaining: Sequence[Change] = ()
    for delay in VERIFY_DELAYS_SECONDS:
        time.sleep(delay)
        state = fix.read()
        if state is None:
            return {}
        remaining = fix.changes(state)
        if not remaining:
            return fix.record(state)
    raise RuntimeError(f"changed {fix.resource_id}, but it still needs: {'; '.join(change.summary for change in remaining)}")


def _keep_evidence(event: Mapping[str, Any], resource_id: str, before: Mapping[str, Any], changes: Sequence[Change]) -> str:
    """Write the state before to the evidence bucket. Returns its key; no bucket, no key. A failure stops the fix."""
    bucket = str(event.get("EvidenceBucket") or "")
    if bucket in ("", "none"):  # Config cannot pass an empty text
        return ""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in resource_id)
    key = f"remediation/{event['AccountId']}/{event['Region']}/{event['Document']}/{name}/{event['ExecutionId']}.json"
    record = {
        "document": event["Document"],
        "execution_id": event["ExecutionId"],
        "account_id": event["AccountId"],
        "region": event["Region"],
        "resource_id": resource_id,
        "before": before,
        "calls": [_call(change) for change in changes],
    }
    aws("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(record, default=str).encode(), ContentType="application/json")
    return f"s3://{bucket}/{key}"


def _call(change: Change) -> dict[str, Any]:
    return {
        "service": change.service,
        "operation": change.operation,
        "parameters": change.parameters,
        "summary": change.summary,
    }


def _report(
    changed: bool,
    message: str,
    changes: Sequence[Change] = (),
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    evidence_key: str = "",
) -> dict[str, Any]:
    return {
        "Changed": changed,
        "Message": message[:2000],
        "Calls": json.dumps([_call(change) for change in changes], default=str)[:MAX_RECORD_CHARACTERS],
        "Before": json.dumps(before or {}, default=str)[:MAX_RECORD_CHARACTERS],
        "After": json.dumps(after or {}, default=str)[:MAX_RECORD_CHARACTERS],
        "Evidence": evidence_key,
    }
