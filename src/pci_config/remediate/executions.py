"""Starts documents and asks what became of them: through Systems Manager, or through AWS Config."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from pci_config.documents import STEP
from pci_config.remediate.access import Access
from pci_config.remediate.plan import Call, Entry
from pci_config.remediate.state import BAD, GOOD, WAITING, Attempt, Step

LIMITS = ("AutomationExecutionLimitExceededException", "ThrottlingException", "Throttling", "TooManyRequestsException")
ENDED_WELL = ("Success", "CompletedWithSuccess")
ENDED_BADLY = ("Failed", "TimedOut", "Cancelled", "Rejected", "CompletedWithFailure", "Exited")
EARLIER = timedelta(seconds=5)  # clocks differ
EVIDENCE = re.compile(r"s3://\S+?\.json\?versionId=[^\s:;,]+")
WHAT_TO_DO = {
    "AutomationDefinitionNotFoundException": "the document is not deployed there: update the stacks of org_setup",
    "InvalidAutomationExecutionParametersException": (
        "the deployed document does not take these parameters: build, update the stacks, and make a new plan"
    ),
    "IdempotentParameterMismatch": "this plan started it before, with other parameters: look at its executions there",
    "AccessDeniedException": "the caller needs ssm:StartAutomationExecution on it, and iam:PassRole on its role",
}


class Busy(Exception):
    """AWS takes no more executions now; the start can be tried again."""


class NotStarted(Exception):
    """Nothing was started; the message says what to do."""


class Unsure(Exception):
    """It cannot be said whether it was started, or how it stands; asking again with the same token is safe."""


@dataclass
class Job:
    """An attempt on an entry of a plan, with the document's parameters."""

    entry: Entry
    attempt: Attempt
    parameters: Mapping[str, str]
    calls: tuple[Call, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)


class Driver(Protocol):
    def start(self, job: Job, interrupted: bool) -> None:
        """Sets the attempt's execution. `interrupted`: an earlier start is recorded, of which nobody knows whether it came
        through. Raises Busy, NotStarted, Unsure and AccessError."""
        ...

    def look(self, job: Job) -> None:
        """Brings the attempt up to date; it has an outcome when the execution has ended. Raises Unsure and AccessError."""
        ...


class SystemsManager:
    """StartAutomationExecution in the account and Region of the resource, with the attempt's client token."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def start(self, job: Job, interrupted: bool) -> None:  # noqa: ARG002 - the token makes it the same either way
        attempt = job.attempt
        client = self._access.client("ssm", attempt.account_id, attempt.region)
        try:
            answer = client.start_automation_execution(
                DocumentName=attempt.document,
                Parameters={name: [value] for name, value in job.parameters.items()},
                ClientToken=attempt.token,
            )
        except ClientError as error:
            raise _refusal(error, f"{attempt.document} in {attempt.account_id} {attempt.region}") from None
        except BotoCoreError as error:
            raise Unsure(f"{attempt.document} in {attempt.account_id} {attempt.region}: {error}") from None
        attempt.execution_id, attempt.status = answer["AutomationExecutionId"], "InProgress"

    def look(self, job: Job) -> None:
        attempt = job.attempt
        client = self._access.client("ssm", attempt.account_id, attempt.region)
        try:
            found = client.get_automation_execution(AutomationExecutionId=attempt.execution_id)["AutomationExecution"]
        except (ClientError, BotoCoreError) as error:
            raise Unsure(f"execution {attempt.execution_id} cannot be read: {error}") from None
        update(job, found)


class ByConfig:
    """StartRemediationExecution: AWS Config starts the document with the parameters of the deployed pack."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def start(self, job: Job, interrupted: bool) -> None:
        entry, attempt = job.entry, job.attempt
        client = self._access.client("config", attempt.account_id, attempt.region)
        ssm = self._access.client("ssm", attempt.account_id, attempt.region)
        try:
            if interrupted:  # AWS Config takes no token: has it started one since then?
                attempt.execution_id = _execution_since(ssm, job, datetime.fromisoformat(attempt.started_at) - EARLIER)
            if attempt.execution_id:
                return
            rule_name = self._rule_name(client, entry)
            answer = client.start_remediation_execution(ConfigRuleName=rule_name, ResourceKeys=[_key(entry)])
        except ClientError as error:
            raise _refusal(error, f"{entry.rule} in {attempt.account_id} {attempt.region}") from None
        except BotoCoreError as error:
            raise Unsure(f"{entry.rule} in {attempt.account_id} {attempt.region}: {error}") from None
        if answer.get("FailedItems"):
            raise NotStarted(
                f"AWS Config starts nothing on {entry.resource_id}: {answer.get('FailureMessage') or 'no reason given'}"
            )
        attempt.rule_name, attempt.status = rule_name, "InProgress"

    def _rule_name(self, client: Any, entry: Entry) -> str:
        """The rule's name there, which its pack gave a suffix. A pack that only lists calls would change nothing."""
        pages = client.get_paginator("describe_config_rules").paginate()
        names = [rule["ConfigRuleName"] for page in pages for rule in page["ConfigRules"]]
        ours = [name for name in names if name == entry.rule or name.startswith(f"{entry.rule}-")]
        for name in ours:
            found = client.describe_remediation_configurations(ConfigRuleNames=[name])["RemediationConfigurations"]
            for remediation in found:
                if remediation["TargetId"] != entry.document:
                    raise NotStarted(
                        f"{name} has the fix {remediation['TargetId']}, not {entry.document}; run without --by-config"
                    )
                if remediation.get("Parameters", {}).get("DryRun", {}).get("StaticValue", {}).get("Values") != ["false"]:
                    raise NotStarted(
                        f"the pack gives {entry.document} DryRun true, so a start by AWS Config changes nothing; run without "
                        '--by-config, or set Mode "automatic" for the rule in rdk.json'
                    )
                return str(name)
        raise NotStarted(f"{entry.rule} has no remediation in {entry.account_id} {entry.region}: is the pack deployed there?")

    def look(self, job: Job) -> None:
        attempt = job.attempt
        since = datetime.fromisoformat(attempt.started_at) - EARLIER
        config = self._access.client("config", attempt.account_id, attempt.region)
        ssm = self._access.client("ssm", attempt.account_id, attempt.region)
        try:
            attempt.execution_id = attempt.execution_id or _execution_since(ssm, job, since)
            if attempt.execution_id:
                answer = ssm.get_automation_execution(AutomationExecutionId=attempt.execution_id)
                update(job, answer["AutomationExecution"])
                return
            answer = config.describe_remediation_execution_status(
                ConfigRuleName=attempt.rule_name, ResourceKeys=[_key(job.entry)]
            )
        except (ClientError, BotoCoreError) as error:
            raise Unsure(f"{job.entry.resource_id}: AWS Config cannot be asked: {error}") from None
        for found in answer["RemediationExecutionStatuses"]:
            if found["ResourceKey"] == _key(job.entry) and _moment(found.get("InvocationTime"), since) >= since:
                _update_from_config(attempt, found)


def _execution_since(ssm: Any, job: Job, since: datetime) -> str:
    """The id of the execution that AWS Config started on the resource: it tells no id itself."""
    filters = [{"Key": "DocumentNamePrefix", "Values": [job.attempt.document]}]
    pages = ssm.get_paginator("describe_automation_executions").paginate(Filters=filters)
    for page in pages:
        for seen in page["AutomationExecutionMetadataList"]:
            if seen.get("DocumentName") != job.attempt.document or _moment(seen.get("ExecutionStartTime"), since) < since:
                continue
            found = ssm.get_automation_execution(AutomationExecutionId=seen["AutomationExecutionId"])["AutomationExecution"]
            given = found.get("Parameters", {})
            if given.get(job.entry.resource_parameter) == [job.entry.resource_id] and given.get("DryRun") == ["false"]:
                return str(seen["AutomationExecutionId"])
    return ""


def _moment(value: Any, otherwise: datetime) -> datetime:
    return value.astimezone(UTC) if isinstance(value, datetime) else otherwise


def _key(entry: Entry) -> dict[str, str]:
    return {"resourceType": entry.resource_type, "resourceId": entry.resource_id}


def _update_from_config(attempt: Attempt, found: Mapping[str, Any]) -> None:
    steps = found.get("StepDetails") or []
    attempt.steps = [Step(step["Name"], step["State"], step.get("ErrorMessage", "")) for step in steps]
    attempt.status = found["State"]
    if found["State"] == "FAILED":
        attempt.end("failed", next((step.message for step in attempt.steps if step.message), "AWS Config gives no reason"))


def _refusal(error: ClientError, what: str) -> Exception:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in LIMITS:
        return Busy(f"{what}: {message}")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return Unsure(f"{what}: {code} {message}")
    return NotStarted(f"{what}: {code}: {message}{f' ({WHAT_TO_DO[code]})' if code in WHAT_TO_DO else ''}")


def update(job: Job, found: Mapping[str, Any]) -> None:
    """Take over what GetAutomationExecution says."""
    attempt = job.attempt
    attempt.status = found["AutomationExecutionStatus"]
    attempt.steps = [
        Step(step["StepName"], step["StepStatus"], step.get("FailureMessage", "")) for step in found.get("StepExecutions") or []
    ]
    outputs = {name.removeprefix(f"{STEP}."): values[0] for name, values in (found.get("Outputs") or {}).items() if values}
    if attempt.status in ENDED_WELL:
        outcome = outputs.get("Outcome", "")
        attempt.evidence = outputs.get("Evidence", "")
        if outcome in GOOD or outcome in BAD:
            attempt.end(outcome, outputs.get("Message", ""))
        else:
            attempt.end("failed", f"the execution ended in {attempt.status}, and its output Outcome is {outcome!r}")
        job.calls, job.before = _calls(outputs), _object(outputs.get("Before", ""))
    elif attempt.status in ENDED_BADLY:
        message = found.get("FailureMessage") or next(
            (step.message for step in attempt.steps if step.message), "no reason given"
        )
        evidence = EVIDENCE.search(message)
        refusal = None if evidence else re.search(r"(?<!\w)Refused - (.*)\Z", message, re.DOTALL)  # with evidence it has begun
        attempt.evidence = evidence.group() if evidence else ""
        cut_off = "" if attempt.status == "Failed" else f"{attempt.status}: "
        attempt.end("refused" if refusal else "failed", refusal.group(1) if refusal else cut_off + plain(message))
    elif attempt.status in (WAITING, "PendingApproval"):
        attempt.status = WAITING


def plain(message: str) -> str:
    """A script's failure without the traceback: Automation puts `Type - message` after it."""
    found = re.search(r"\b[A-Z]\w*(?:Error|Exception) - (.*)\Z", message, re.DOTALL)
    return found.group(1) if found else message


def _object(text: str) -> dict[str, Any]:
    """A JSON object of an output; {} when it was cut."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _calls(outputs: Mapping[str, str]) -> tuple[Call, ...]:
    try:
        return tuple(Call(**call) for call in json.loads(outputs.get("Calls") or "[]"))
    except (TypeError, ValueError):
        return ()
