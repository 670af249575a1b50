"""The Lambda side: one Config event in, evaluations out, errors raised.

It replaces rdklib's Evaluator where that is weak: errors returned as a successful result, a role assumed and clients
built anew for every event, failed evaluations unread, vanished resources matched by id alone.
`tests/unit/test_rdklib_weaknesses.py` shows each of these beside the answer here.

Runs in Lambda: standard library, boto3 and rdklib.
"""

from __future__ import annotations

import importlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from rdklib.evaluation import ComplianceType, Evaluation

from pci_config.acceptance import accept, exception_for, exceptions_in_force
from pci_config.exceptions import ACCEPTED
from pci_config.items import EVALUATED_STATUSES, to_event_form
from pci_config.rule import ACCOUNT_RESOURCE_TYPE, Item, PciRule, RuleInputError, bounded

EVALUATIONS_PER_CALL = 100  # PutEvaluations, Config API reference
ITEMS_PER_CALL = 100  # BatchGetResourceConfig, same
MAX_RESOURCE_ID_CHARACTERS = 768
PUT_ATTEMPTS = 5
CHANGE_MESSAGES = ("ConfigurationItemChangeNotification", "OversizedConfigurationItemChangeNotification")


class EvaluationsNotAccepted(Exception):
    """Config kept refusing some evaluations; the message names them."""


class SweepIncomplete(Exception):
    """Some recorded items could not be judged on schedule; the others were, and are reported. The message names the first."""


class UnsupportedEvent(Exception):
    """The event is of a kind that these rules do not answer; the message names it."""


class CachedClients:
    """boto3 clients of the function's own role, one per service and Region, kept across warm invocations."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None], Any] = {}

    def build_client(self, service: str, region: str | None = None) -> Any:
        if (service, region) not in self._clients:
            retries = Config(retries={"mode": "standard", "max_attempts": 5})
            self._clients[service, region] = boto3.client(service, region_name=region, config=retries)
        return self._clients[service, region]


_clients = CachedClients()
_rules: dict[str, PciRule] = {}


def lambda_handler(event: Mapping[str, Any], context: Any) -> list[dict[str, Any]]:
    """Entry of the function `pci-config-rules`: the rule parameter `RuleId` says which rule judges the event."""
    try:
        rule_id = json.loads(event.get("ruleParameters") or "{}").get("RuleId")
        rule = rule_of(rule_id)
    except Exception as error:
        _log(event, "", error)
        raise
    return handle(rule, event, context)


def rule_of(rule_id: Any) -> PciRule:
    """The bundled rule of that id; only its module is imported. Raises RuleInputError for any other value."""
    if not isinstance(rule_id, str) or not re.fullmatch(r"PCI(_[A-Z0-9]+)+", rule_id):
        raise RuleInputError(
            f"rule parameter RuleId is {rule_id!r}; expected the id of a bundled rule, such as PCI_PASSWORD_POLICY"
        )
    if rule_id not in _rules:
        if not (Path(__file__).resolve().parents[1] / "rules" / f"{rule_id}.py").is_file():
            raise RuleInputError(f"rule parameter RuleId: no rule {rule_id} in this bundle")
        module = importlib.import_module(f"rules.{rule_id}")
        _rules[rule_id] = next(
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, PciRule) and value.rule_id() == rule_id
        )()
    return _rules[rule_id]


def handle(rule: PciRule | type[PciRule], event: Mapping[str, Any], context: Any) -> list[dict[str, Any]]:
    """Judge one Config event and put its evaluations. Returns them; raises whatever went wrong after logging one line."""
    del context
    try:
        instance: Any = rule() if isinstance(rule, type) else rule
        return _handle(instance, event, _clients)
    except Exception as error:
        _log(event, rule.rule_id(), error)
        raise


def _handle(rule: PciRule, event: Mapping[str, Any], clients: CachedClients) -> list[dict[str, Any]]:
    invoking_event = json.loads(event["invokingEvent"])
    parameters = rule.evaluate_parameters(json.loads(event.get("ruleParameters") or "{}"))
    message = invoking_event.get("messageType")
    faults: list[str] = []
    if event.get("evaluationMode") == "PROACTIVE":
        evaluations = [_not_supported(invoking_event)]
    elif message in CHANGE_MESSAGES:
        evaluations = [_judge_change(rule, event, invoking_event, parameters, clients)]
    elif message == "ScheduledNotification":
        evaluations, faults = _judge_account(rule, event, invoking_event, parameters, clients)
    else:
        raise UnsupportedEvent(f"message type {message!r}: expected one of {', '.join(CHANGE_MESSAGES)}, ScheduledNotification")
    put_evaluations(clients.build_client("config"), evaluations, event["resultToken"])
    if faults:
        raise SweepIncomplete(f"{len(faults)} of the recorded items could not be judged; first: {faults[0]}")
    return evaluations


def _judge_change(
    rule: PciRule, event: Mapping[str, Any], invoking_event: Mapping[str, Any], parameters: Any, clients: CachedClients
) -> dict[str, Any]:
    header = invoking_event.get("configurationItem") or invoking_event.get("configurationItemSummary")
    if not isinstance(header, Mapping):
        raise RuleInputError("invokingEvent has neither configurationItem nor configurationItemSummary")
    for key in ("resourceType", "resourceId", "configurationItemStatus", "configurationItemCaptureTime"):
        if not isinstance(header.get(key), str):
            raise RuleInputError(f"invokingEvent: {key} of the configuration item is missing")
    if event.get("eventLeftScope") or header["configurationItemStatus"] not in EVALUATED_STATUSES:
        gone = (
            "the resource left the scope of the rule" if event.get("eventLeftScope") else "the resource is no longer recorded"
        )
        evaluation = Evaluation(ComplianceType.NOT_APPLICABLE, annotation=gone)
    elif header["resourceType"] not in rule.resource_types:
        evaluation = Evaluation(ComplianceType.NOT_APPLICABLE, annotation=f"{rule.rule_id()} does not judge this resource type")
    else:
        item = header if "configurationItem" in invoking_event else _inflated(header, clients)
        evaluation = rule.evaluate_change(event, clients, item, parameters)[0]
    evaluation.import_fields_from_configuration_item(header)
    return _checked(accept(rule, event, invoking_event, evaluation, header))


def _inflated(summary: Mapping[str, Any], clients: CachedClients) -> dict[str, Any]:
    """The item of an oversized notification, from history: the version of the notification, not a later one."""
    history = clients.build_client("config").get_resource_config_history(
        resourceType=summary["resourceType"],
        resourceId=summary["resourceId"],
        laterTime=summary["configurationItemCaptureTime"],
        limit=1,
    )
    if not history["configurationItems"]:
        raise RuleInputError(f"no configuration history of {summary['resourceType']} {summary['resourceId']}")
    return to_event_form(history["configurationItems"][0])


def _judge_account(
    rule: PciRule, event: Mapping[str, Any], invoking_event: Mapping[str, Any], parameters: Any, clients: CachedClients
) -> tuple[list[dict[str, Any]], list[str]]:
    evaluations = rule.evaluate_periodic(event, clients, parameters)
    stored = list(_stored(event["configRuleName"], clients))
    listed: set[tuple[str, str]] = set()
    faults: list[str] = []
    items: Iterable[Item] = ()
    if rule.sweeps:
        items = _swept(rule, clients, listed, faults)
    elif rule.resource_types:
        items = _to_ask_again(rule, event, invoking_event, stored, clients, faults)
    judged: dict[tuple[str, str], Item] = {}
    evaluations = evaluations + _judged(rule, event, parameters, clients, items, judged, faults)
    if not evaluations and not listed:
        evaluations = [
            Evaluation(ComplianceType.NOT_APPLICABLE, event["accountId"], ACCOUNT_RESOURCE_TYPE, "nothing to judge here")
        ]
    current = {(e.complianceResourceType, e.complianceResourceId) for e in evaluations}
    types = {*rule.periodic_types, *(rule.resource_types if rule.sweeps else ())}
    for resource_type, resource_id in {key for key, _ in stored if key[0] in types} - current - listed:
        evaluations.append(
            Evaluation(ComplianceType.NOT_APPLICABLE, resource_id, resource_type, "the resource no longer exists")
        )
    for evaluation in evaluations:
        evaluation.import_fields_from_periodic_event(event)
        key = evaluation.complianceResourceType, evaluation.complianceResourceId
        accept(rule, event, invoking_event, evaluation, judged.get(key))
    return [_checked(evaluation) for evaluation in evaluations], faults


def _judged(
    rule: PciRule,
    event: Mapping[str, Any],
    parameters: Any,
    clients: CachedClients,
    items: Iterable[Item],
    judged: dict[tuple[str, str], Item],
    faults: list[str],
) -> list[Evaluation]:
    """The verdicts on recorded items, on schedule. What could not be judged goes to `faults`, the rest to `judged`."""
    found = []
    for item in items:
        key = item["resourceType"], item["resourceId"]
        try:
            evaluation = rule.evaluate_change(event, clients, item, parameters)[0]
        except Exception as error:
            faults.append(f"{' '.join(key)}: {type(error).__name__}: {error}")
            continue
        evaluation.complianceResourceType, evaluation.complianceResourceId = key
        judged[key] = item
        found.append(evaluation)
    return found


def _swept(rule: PciRule, clients: CachedClients, listed: set[tuple[str, str]], faults: list[str]) -> Iterator[Item]:
    """Every recorded item of the rule's types; what exists goes to `listed`."""
    config = clients.build_client("config")
    for resource_type in rule.resource_types:
        yield from _recorded(config, resource_type, listed, faults)


def _to_ask_again(
    rule: PciRule,
    event: Mapping[str, Any],
    invoking_event: Mapping[str, Any],
    stored: Sequence[tuple[tuple[str, str], bool]],
    clients: CachedClients,
    faults: list[str],
) -> Iterator[Item]:
    """Items on which the verdict depends on the day: accepted ones, since the exception may be over or withdrawn, and those
    that an exception in force names, since it may be new. With their tags, which only the history has."""
    config = clients.build_client("config")
    keys = {key for key, accepted in stored if accepted and key[0] in rule.resource_types}
    if exceptions_in_force(rule, event, invoking_event).entries:
        for resource_type in rule.resource_types:
            for item in _recorded(config, resource_type, set(), faults):
                if exception_for(rule, event, invoking_event, item["resourceId"], item):
                    keys.add((resource_type, item["resourceId"]))
    for resource_type, resource_id in sorted(keys):
        try:
            reply = config.get_resource_config_history(resourceType=resource_type, resourceId=resource_id, limit=1)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotDiscoveredException":
                faults.append(f"{resource_type} {resource_id}: {error}")
            continue
        for raw in reply["configurationItems"][:1]:
            item = to_event_form(raw)
            if item["configurationItemStatus"] in EVALUATED_STATUSES:
                yield item


def _recorded(config: Any, resource_type: str, listed: set[tuple[str, str]], faults: list[str]) -> Iterator[dict[str, Any]]:
    """The newest items of a type, under the ids that AWS Config itself gives them."""
    pages = config.get_paginator("list_discovered_resources").paginate(resourceType=resource_type)
    keys = [
        {"resourceType": resource_type, "resourceId": entry["resourceId"]}
        for page in pages
        for entry in page["resourceIdentifiers"]
    ]
    listed.update((resource_type, key["resourceId"]) for key in keys)
    for start in range(0, len(keys), ITEMS_PER_CALL):
        pending = keys[start : start + ITEMS_PER_CALL]
        for attempt in range(PUT_ATTEMPTS):
            reply = config.batch_get_resource_config(resourceKeys=pending)
            for raw in reply["baseConfigurationItems"]:
                item = to_event_form(raw)
                if item["configurationItemStatus"] in EVALUATED_STATUSES:
                    yield item
            pending = reply.get("unprocessedResourceKeys") or []
            if not pending:
                break
            time.sleep(0.2 * 2**attempt)
        faults += [f"{key['resourceType']} {key['resourceId']}: AWS Config does not give its item" for key in pending]


def _stored(rule_name: str, clients: CachedClients) -> Iterator[tuple[tuple[str, str], bool]]:
    """((type, id), accepted) of this rule's stored verdicts, accepted deviations among them."""
    paginator = clients.build_client("config").get_paginator("get_compliance_details_by_config_rule")
    pages = paginator.paginate(
        ConfigRuleName=rule_name,
        ComplianceTypes=["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"],
        PaginationConfig={"PageSize": 100},
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            qualifier = result["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
            accepted = str(result.get("Annotation") or "").startswith(ACCEPTED)
            if accepted or result.get("ComplianceType") != "NOT_APPLICABLE":
                yield (qualifier["ResourceType"], qualifier["ResourceId"]), accepted


def _not_supported(invoking_event: Mapping[str, Any]) -> dict[str, Any]:
    item = invoking_event.get("configurationItem") or {}
    if not item.get("resourceType") or not item.get("resourceId"):
        raise UnsupportedEvent("proactive evaluation is not supported by these rules: remove PROACTIVE from EvaluationModes")
    evaluation = Evaluation(
        ComplianceType.NOT_APPLICABLE, item["resourceId"], item["resourceType"], "proactive evaluation is not supported"
    )
    evaluation.orderingTimestamp = item.get("configurationItemCaptureTime") or invoking_event.get("notificationCreationTime")
    return _checked(evaluation)


def _checked(evaluation: Evaluation) -> dict[str, Any]:
    evaluation.is_valid()
    if len(evaluation.complianceResourceId) > MAX_RESOURCE_ID_CHARACTERS:
        raise RuleInputError(f"resource id of {len(evaluation.complianceResourceId)} characters; Config takes 768 at most")
    evaluation.annotation = bounded(evaluation.annotation or "")
    return dict(evaluation.get_json())


def put_evaluations(config: Any, evaluations: Sequence[Mapping[str, Any]], result_token: str) -> None:
    """Report evaluations, 100 a call. Those Config refuses are sent again with back-off, then EvaluationsNotAccepted."""
    pending = list(evaluations)
    for attempt in range(PUT_ATTEMPTS):
        failed: list[Mapping[str, Any]] = []
        for start in range(0, len(pending), EVALUATIONS_PER_CALL):
            reply = config.put_evaluations(
                Evaluations=pending[start : start + EVALUATIONS_PER_CALL],
                ResultToken=result_token,
                TestMode=result_token == "TESTMODE",  # noqa: S105 - the token rdk uses for its own tests
            )
            failed += reply.get("FailedEvaluations") or []
        if not failed:
            return
        # the reply echoes evaluations with their times parsed; send what was sent before
        refused = {(entry["ComplianceResourceType"], entry["ComplianceResourceId"]) for entry in failed}
        pending = [e for e in pending if (e["ComplianceResourceType"], e["ComplianceResourceId"]) in refused]
        if attempt + 1 < PUT_ATTEMPTS:
            time.sleep(0.2 * 2**attempt)
    names = ", ".join(f"{e['ComplianceResourceType']} {e['ComplianceResourceId']}" for e in pending[:5])
    raise EvaluationsNotAccepted(f"Config refused {len(pending)} evaluations {PUT_ATTEMPTS} times; first: {names}")


def _log(event: Mapping[str, Any], rule_id: str, error: Exception) -> None:
    """One structured line for the log group. Names and types only: no item content."""
    line = {
        "level": "ERROR",
        "rule": rule_id,
        "config_rule": event.get("configRuleName"),
        "account_id": event.get("accountId"),
        "error": type(error).__name__,
        "message": bounded(str(error), 1000),
    }
    print(json.dumps(line))
