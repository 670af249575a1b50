"""Adds to moto's AWS Config what it lacks: evaluations, packs, remediation and recorded items, in process and over HTTP.

Source: Config API reference. What is not added here stays moto's NotImplementedError.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError

from pci_config.pack_limits import MAX_S3_TEMPLATE_BYTES, MAX_TEMPLATE_BYTES
from pci_config.sandbox.evaluations import EvaluationRefusedError, EvaluationStore, StoredEvaluation
from pci_config.sandbox.pack_template import ALLOWED_TYPES, PackRefusedError, PackResource, evaluate

PAGE = 100


@dataclass
class ConfigState:
    """What one account and Region has beyond moto: evaluations, packs, remediations, recorded items, last errors."""

    evaluations: EvaluationStore = field(default_factory=EvaluationStore)
    packs: dict[str, dict[str, Any]] = field(default_factory=dict)
    remediations: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)
    history: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    last_errors: dict[str, str] = field(default_factory=dict)
    to_evaluate: set[str] = field(default_factory=set)  # rules that StartConfigRulesEvaluation asked for
    attempts: dict[tuple[str, str, str], list[datetime]] = field(default_factory=dict)  # of automatic remediation
    remediation_exceptions: set[tuple[str, str, str]] = field(default_factory=set)


def state_of(backend: Any) -> ConfigState:
    """The state beside a moto Config backend; it goes when the backend is reset."""
    state: ConfigState = backend.__dict__.setdefault("sandbox_state", ConfigState())
    return state


def state(account_id: str, region: str) -> ConfigState:
    from moto.config.models import config_backends  # noqa: PLC0415 - moto's inside

    return state_of(config_backends[account_id][region])


def rules(account_id: str, region: str) -> list[dict[str, Any]]:
    """The rules of an account and Region as DescribeConfigRules gives them."""
    from moto.config.models import config_backends  # noqa: PLC0415 - moto's inside

    return [rule.to_dict() for rule in config_backends[account_id][region].config_rules.values()]


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for action in (
        put_evaluations,
        get_compliance_details_by_config_rule,
        describe_compliance_by_config_rule,
        describe_config_rule_evaluation_status,
        start_config_rules_evaluation,
        put_conformance_pack,
        describe_conformance_packs,
        describe_conformance_pack_status,
        delete_conformance_pack,
        put_remediation_configurations,
        describe_remediation_configurations,
        describe_remediation_exceptions,
        delete_remediation_exceptions,
        start_remediation_execution,
        describe_remediation_execution_status,
        get_resource_config_history,
        list_discovered_resources,
        batch_get_resource_config,
    ):
        setattr(ConfigResponse, action.__name__, action)


def _request(self: Any) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(self.body or "{}")
    return request


def _page(request: Mapping[str, Any], entries: Sequence[Any], limit: str = "Limit") -> tuple[list[Any], dict[str, str]]:
    start = int(request.get("NextToken") or request.get("nextToken") or 0)
    size = request.get(limit) or PAGE
    more = {"NextToken": str(start + size)} if start + size < len(entries) else {}
    return list(entries[start : start + size]), more


# -------------------------------------------------------------------------------------------------------- evaluations


def put_evaluations(self: Any) -> str:
    request = _request(self)
    try:
        state_of(self.config_backend).evaluations.put(
            request["ResultToken"], request.get("Evaluations") or [], bool(request.get("TestMode"))
        )
    except EvaluationRefusedError as error:
        raise JsonRESTError(error.code, str(error)) from None
    return json.dumps({"FailedEvaluations": []})


def get_compliance_details_by_config_rule(self: Any) -> str:
    request = _request(self)
    _known_rule(self, request["ConfigRuleName"])
    found = state_of(self.config_backend).evaluations.results(request["ConfigRuleName"], request.get("ComplianceTypes") or ())
    page, more = _page(request, found)
    return json.dumps({"EvaluationResults": [_result(entry) for entry in page], **more})


def _result(entry: StoredEvaluation) -> dict[str, Any]:
    qualifier = {"ConfigRuleName": entry.rule_name, "ResourceType": entry.resource_type, "ResourceId": entry.resource_id}
    return {
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": qualifier,
            "OrderingTimestamp": entry.ordering_timestamp.timestamp(),
        },
        "ComplianceType": entry.compliance,
        "ResultRecordedTime": entry.recorded.timestamp(),
        "ConfigRuleInvokedTime": entry.invoked.timestamp(),
        **({"Annotation": entry.annotation} if entry.annotation else {}),
    }


def describe_compliance_by_config_rule(self: Any) -> str:
    request = _request(self)
    store = state_of(self.config_backend).evaluations
    found = []
    for name in request.get("ConfigRuleNames") or sorted(self.config_backend.config_rules):
        wrong, right = store.results(name, ["NON_COMPLIANT"]), store.results(name, ["COMPLIANT"])
        kind = "NON_COMPLIANT" if wrong else "COMPLIANT" if right else "INSUFFICIENT_DATA"
        found.append({"ConfigRuleName": name, "Compliance": {"ComplianceType": kind}})
    page, more = _page(request, found)
    return json.dumps({"ComplianceByConfigRules": page, **more})


def describe_config_rule_evaluation_status(self: Any) -> str:
    request = _request(self)
    errors = state_of(self.config_backend).last_errors
    found = [
        {"ConfigRuleName": name, **({"LastErrorMessage": errors[name]} if name in errors else {})}
        for name in request.get("ConfigRuleNames") or sorted(self.config_backend.config_rules)
    ]
    page, more = _page(request, found)
    return json.dumps({"ConfigRulesEvaluationStatus": page, **more})


def start_config_rules_evaluation(self: Any) -> str:
    """Marks the rules; the next round of triggering judges every current item with them, as AWS does soon after."""
    names = _request(self).get("ConfigRuleNames") or []
    for name in names:
        _known_rule(self, name)
    state_of(self.config_backend).to_evaluate.update(names)
    return "{}"


def _known_rule(self: Any, name: str) -> None:
    if name not in self.config_backend.config_rules:
        raise JsonRESTError("NoSuchConfigRuleException", f"The ConfigRule '{name}' provided in the request is invalid.")


# -------------------------------------------------------------------------------------------------------------- packs


def put_conformance_pack(self: Any) -> str:
    request = _request(self)
    name = request["ConformancePackName"]
    _own_pack(self, name)
    given = {entry["ParameterName"]: entry["ParameterValue"] for entry in request.get("ConformancePackInputParameters") or []}
    try:
        text, max_bytes = _template(self, request)
        resources = evaluate(text, given, pseudo_parameters(self.config_backend), max_bytes)
    except PackRefusedError as error:
        raise JsonRESTError("ConformancePackTemplateValidationException", str(error)) from None
    pack = deploy_pack(self.config_backend, name, resources)
    return json.dumps({"ConformancePackArn": _pack_arn(self, name, pack)})


def pseudo_parameters(backend: Any) -> dict[str, str]:
    return {"AWS::AccountId": backend.account_id, "AWS::Region": backend.region_name, "AWS::Partition": "aws"}


def deploy_pack(backend: Any, name: str, resources: Sequence[PackResource]) -> dict[str, Any]:
    """Put the rules and remediations of a pack into the account and Region of moto's backend."""
    known = state_of(backend)
    pack = known.packs.setdefault(name, {"id": f"conformance-pack-{uuid.uuid4().hex[:10]}", "rules": []})
    suffixed = {}
    for resource in resources:
        if resource.type == ALLOWED_TYPES[0]:
            rule_name = f"{resource.properties['ConfigRuleName']}-{pack['id']}"
            suffixed[resource.properties["ConfigRuleName"]] = rule_name
            inputs = resource.properties.get("InputParameters")
            properties = {**resource.properties, "ConfigRuleName": rule_name}
            if inputs is not None:
                properties["InputParameters"] = json.dumps(inputs)
            backend.put_config_rule(properties, [])
    for gone in set(pack["rules"]) - set(suffixed.values()):
        _forget_rule(backend, gone)
    pack["rules"] = sorted(suffixed.values())
    for rule_name in pack["rules"]:
        known.remediations.pop(rule_name, None)
    for resource in resources:
        if resource.type == ALLOWED_TYPES[1]:
            rule_name = suffixed[resource.properties["ConfigRuleName"]]
            known.remediations[rule_name] = {**resource.properties, "ConfigRuleName": rule_name}
    return pack


def remove_pack(backend: Any, name: str) -> bool:
    """Take a pack and its rules out of an account and Region; whether it was there."""
    pack = state_of(backend).packs.pop(name, None)
    for rule_name in pack["rules"] if pack else ():
        _forget_rule(backend, rule_name)
    return pack is not None


def _forget_rule(backend: Any, rule_name: str) -> None:
    known = state_of(backend)
    known.remediations.pop(rule_name, None)
    known.evaluations.forget(rule_name)
    if rule_name in backend.config_rules:
        backend.delete_config_rule(rule_name)


def _own_pack(self: Any, name: str) -> None:
    """A member cannot change a pack of its organization."""
    pack = state_of(self.config_backend).packs.get(name)
    if pack and pack.get("organization"):
        raise JsonRESTError("AccessDeniedException", f"An AWS service owns the conformance pack {name}")


def _template(self: Any, request: Mapping[str, Any]) -> tuple[str, int]:
    """The template's text and the bytes it may have: from the request, or from the caller's bucket in the same Region."""
    if "TemplateBody" in request:
        return request["TemplateBody"], MAX_TEMPLATE_BYTES
    place = request.get("TemplateS3Uri", "")
    bucket, _, key = place.removeprefix("s3://").partition("/")
    try:
        body = boto3.client("s3", region_name=self.region).get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, ParamValidationError) as error:
        raise PackRefusedError(f"{place or 'no template'}: {error}") from None
    return body.decode("utf-8"), MAX_S3_TEMPLATE_BYTES


def _pack_arn(self: Any, name: str, pack: Mapping[str, Any]) -> str:
    return f"arn:aws:config:{self.region}:{self.current_account}:conformance-pack/{name}/{pack['id']}"


def describe_conformance_packs(self: Any) -> str:
    packs = _asked_packs(self)
    found = [
        {"ConformancePackName": name, "ConformancePackId": pack["id"], "ConformancePackArn": _pack_arn(self, name, pack)}
        for name, pack in sorted(packs.items())
    ]
    return json.dumps({"ConformancePackDetails": found})


def _asked_packs(self: Any) -> dict[str, dict[str, Any]]:
    packs = state_of(self.config_backend).packs
    names = _request(self).get("ConformancePackNames") or sorted(packs)
    if set(names) - set(packs):
        raise JsonRESTError("NoSuchConformancePackException", "One or more conformance packs are not there.")
    return {name: packs[name] for name in names}


def describe_conformance_pack_status(self: Any) -> str:
    """Here an unknown name is no error: its model names none."""
    packs = state_of(self.config_backend).packs
    names = _request(self).get("ConformancePackNames") or sorted(packs)
    packs = {name: packs[name] for name in names if name in packs}
    found = [
        {
            "ConformancePackName": name,
            "ConformancePackId": pack["id"],
            "ConformancePackArn": _pack_arn(self, name, pack),
            "ConformancePackState": "CREATE_COMPLETE",
            "StackArn": f"arn:aws:cloudformation:{self.region}:{self.current_account}:stack/awsconfigconforms-{name}/sandbox",
            "LastUpdateRequestedTime": datetime.now(UTC).timestamp(),
        }
        for name, pack in sorted(packs.items())
    ]
    return json.dumps({"ConformancePackStatusDetails": found})


def delete_conformance_pack(self: Any) -> str:
    name = _request(self)["ConformancePackName"]
    _own_pack(self, name)
    if not remove_pack(self.config_backend, name):
        raise JsonRESTError("NoSuchConformancePackException", "the pack does not exist")
    return "{}"


# -------------------------------------------------------------------------------------------------------- remediation


def put_remediation_configurations(self: Any) -> str:
    known = state_of(self.config_backend)
    for entry in _request(self)["RemediationConfigurations"]:
        _known_rule(self, entry["ConfigRuleName"])
        if any(entry["ConfigRuleName"] in pack["rules"] for pack in known.packs.values()):
            raise JsonRESTError("InsufficientPermissionsException", "the rule belongs to a conformance pack")
        known.remediations[entry["ConfigRuleName"]] = entry
    return json.dumps({"FailedBatches": []})


def describe_remediation_configurations(self: Any) -> str:
    known = state_of(self.config_backend).remediations
    names = _request(self)["ConfigRuleNames"]
    return json.dumps({"RemediationConfigurations": [known[name] for name in names if name in known]})


def describe_remediation_exceptions(self: Any) -> str:
    request = _request(self)
    found = [
        {"ConfigRuleName": rule, "ResourceType": kind, "ResourceId": resource_id}
        for rule, kind, resource_id in sorted(state_of(self.config_backend).remediation_exceptions)
        if rule == request["ConfigRuleName"]
    ]
    page, more = _page(request, found)
    return json.dumps({"RemediationExceptions": page, **more})


def delete_remediation_exceptions(self: Any) -> str:
    request = _request(self)
    known = state_of(self.config_backend)
    for key in request["ResourceKeys"]:
        entry = request["ConfigRuleName"], key["ResourceType"], key["ResourceId"]
        known.remediation_exceptions.discard(entry)
        known.attempts.pop(entry, None)
    return json.dumps({"FailedBatches": []})


def start_remediation_execution(self: Any) -> str:
    """Run the rule's document on each resource, with RESOURCE_ID filled in and every value as text, as Config does."""
    request = _request(self)
    known = state_of(self.config_backend)
    remediation = known.remediations.get(request["ConfigRuleName"])
    if remediation is None:
        raise JsonRESTError("NoSuchRemediationConfigurationException", "the rule has no remediation configuration")
    ssm = _member_client(self, "ssm")
    for key in request["ResourceKeys"]:
        parameters = {
            name: [key["resourceId"]] if "ResourceValue" in value else [str(v) for v in value["StaticValue"]["Values"]]
            for name, value in remediation["Parameters"].items()
        }
        started = ssm.start_automation_execution(DocumentName=remediation["TargetId"], Parameters=parameters)
        done = ssm.get_automation_execution(AutomationExecutionId=started["AutomationExecutionId"])["AutomationExecution"]
        known.executions.append({"rule": request["ConfigRuleName"], "key": key, "execution": done})
    return json.dumps({"FailedItems": []})


def _member_client(self: Any, service: str) -> Any:
    """A client of the member account: Config's service-linked role starts the automation there."""
    role = "aws-service-role/remediation.config.amazonaws.com/AWSServiceRoleForConfigRemediation"
    keys = boto3.client("sts", region_name=self.region).assume_role(
        RoleArn=f"arn:aws:iam::{self.current_account}:role/{role}", RoleSessionName="config"
    )["Credentials"]
    return boto3.client(
        service,
        region_name=self.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


_STEP_STATES = {"Success": "SUCCEEDED", "Pending": "PENDING", "Waiting": "IN_PROGRESS"}


def describe_remediation_execution_status(self: Any) -> str:
    request = _request(self)
    found = []
    for entry in state_of(self.config_backend).executions:
        if entry["rule"] != request["ConfigRuleName"]:
            continue
        done = entry["execution"]
        steps = [
            {
                "Name": step["StepName"],
                "State": _STEP_STATES.get(step["StepStatus"], "FAILED"),
                **({"ErrorMessage": step["FailureMessage"]} if "FailureMessage" in step else {}),
            }
            for step in done["StepExecutions"]
        ]
        kind = _STEP_STATES.get(done["AutomationExecutionStatus"], "FAILED").replace("PENDING", "QUEUED")
        found.append({"ResourceKey": entry["key"], "State": kind, "StepDetails": steps})
    page, more = _page(request, found)
    return json.dumps({"RemediationExecutionStatuses": page, **more})


# ----------------------------------------------------------------------------------------------------- recorded items


def get_resource_config_history(self: Any) -> str:
    request = _request(self)
    versions = state_of(self.config_backend).history.get((request["resourceType"], request["resourceId"]))
    if not versions:
        message = (
            f"Resource {request['resourceId']} of resourceType:{request['resourceType']} is unknown or has not been discovered"
        )
        raise JsonRESTError("ResourceNotDiscoveredException", message)
    newest_first = [history_form(item) for item in reversed(versions)]
    if request.get("laterTime"):
        newest_first = [item for item in newest_first if item["configurationItemCaptureTime"] <= request["laterTime"] + 0.001]
    page, more = _page(request, newest_first, "limit")
    return json.dumps({"configurationItems": page, **({"nextToken": more["NextToken"]} if more else {})})


def list_discovered_resources(self: Any) -> str:
    request = _request(self)
    found = [
        {name: item[name] for name in ("resourceType", "resourceId", "resourceName") if item[name]}
        for (resource_type, _), versions in sorted(state_of(self.config_backend).history.items())
        if resource_type == request["resourceType"] and (item := versions[-1])["configurationItemStatus"] != "ResourceDeleted"
    ]
    page, more = _page(request, found, "limit")
    return json.dumps({"resourceIdentifiers": page, **({"nextToken": more["NextToken"]} if more else {})})


def batch_get_resource_config(self: Any) -> str:
    """Without tags and relationships, as AWS answers; what is deleted is not answered."""
    history = state_of(self.config_backend).history
    found, missing = [], []
    for key in _request(self)["resourceKeys"]:
        versions = history.get((key["resourceType"], key["resourceId"]))
        if not versions or versions[-1]["configurationItemStatus"] == "ResourceDeleted":
            missing.append(key)
            continue
        raw = history_form(versions[-1])
        for name in ("tags", "relationships", "relatedEvents", "configurationItemMD5Hash"):
            raw.pop(name, None)
        found.append(raw)
    return json.dumps({"baseConfigurationItems": found, "unprocessedResourceKeys": missing})


def history_form(item: Mapping[str, Any]) -> dict[str, Any]:
    when = datetime.fromisoformat(item["configurationItemCaptureTime"])
    raw = {
        "version": item["configurationItemVersion"],
        "accountId": item["awsAccountId"],
        "configurationItemCaptureTime": when.timestamp(),
        "configurationItemStatus": item["configurationItemStatus"],
        "configurationStateId": str(item["configurationStateId"]),
        "configurationItemMD5Hash": "",
        "arn": item["ARN"],
        "resourceType": item["resourceType"],
        "resourceId": item["resourceId"],
        "resourceName": item["resourceName"],
        "awsRegion": item["awsRegion"],
        "availabilityZone": item["availabilityZone"],
        "tags": item["tags"],
        "relatedEvents": [],
        "relationships": [
            {"relationshipName": r["name"], "resourceType": r["resourceType"], "resourceId": r["resourceId"]}
            for r in item["relationships"]
        ],
        "configuration": json.dumps(item["configuration"]),
        "supplementaryConfiguration": {k: json.dumps(v) for k, v in item["supplementaryConfiguration"].items()},
    }
    return {key: value for key, value in raw.items() if value is not None}
