"""A single execution that is to be led back, read from Systems Manager, as a plan of one entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pci_config.rdk_json import RdkJson
from pci_config.remediate import plan as plans
from pci_config.remediate.access import Access
from pci_config.remediate.document_facts import GIVEN_AT_START, DocumentFacts, role_arn
from pci_config.remediate.executions import Job, update
from pci_config.remediate.plan import Entry, Plan, PlanError, entry_id
from pci_config.remediate.planning import numbered, restoring
from pci_config.remediate.state import FIX, Attempt


def plan_of_execution(
    access: Access, rdk_json: RdkJson, documents: Mapping[str, DocumentFacts], execution_id: str, account_id: str, region: str
) -> tuple[Plan, dict[str, list[Attempt]]]:
    """The plan, and its execution as an attempt. Raises PlanError when it is none of a fix, and AccessError."""
    found = _execution(access, execution_id, account_id, region)
    facts = documents.get(found["DocumentName"])
    if facts is None:
        raise PlanError(f"execution {execution_id} is of {found['DocumentName']}, which is no fix of pci-config")
    parameters = {name: values[0] for name, values in (found.get("Parameters") or {}).items() if values}
    own = [name for name in facts.parameters if name not in (*GIVEN_AT_START, "EvidenceBucket", "AllowManaged")]
    resource = own[0] if own else ""  # a document names its resource first
    entry = Entry(
        id=entry_id(execution_id),
        rule="",
        severity="",
        account_id=account_id,
        region=region,
        resource_type="",
        resource_id=parameters.get(resource, ""),
        resource_name="",
        annotation="",
        document=facts.name,
        resource_parameter=resource,
        parameters=parameters,
        may_break=facts.may_break,
        undo=facts.undo,
        approver="",
        restore=restoring(facts, parameters, role_arn(rdk_json, account_id, facts.restore or "")),
    )
    attempt = Attempt(FIX, 1, "", facts.name, account_id, region, execution_id=execution_id)
    update(Job(entry, attempt, {}), found)
    roles = {account: role.replace("_", " ") for account, role in rdk_json.account_roles().items()}
    home, source = rdk_json.settings.home_region, f"execution {execution_id}"
    plan = Plan(plans.SCHEMA_VERSION, "", "", "", source, home, roles, (entry,), ())
    return numbered(plan), {entry.id: [attempt]}


def _execution(access: Access, execution_id: str, account_id: str, region: str) -> Mapping[str, Any]:
    try:
        client = access.client("ssm", account_id, region)
        answer: Mapping[str, Any] = client.get_automation_execution(AutomationExecutionId=execution_id)["AutomationExecution"]
    except (ClientError, BotoCoreError) as error:
        raise PlanError(f"execution {execution_id} in {account_id} {region} cannot be read: {error}") from None
    return answer
