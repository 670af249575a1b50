"""Adds to moto's CloudFormation the types of AWS Config, and to its Config the stored queries.

CloudFormation starts a recorder as soon as there is a delivery channel, in whichever order the template has them; a recorder or
channel that is there already is refused, as an account has one. Sources: CloudFormation template reference of each type, AWS
Config API reference.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from moto.config.models import config_backends
from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError

from pci_config.sandbox.config_service import deploy_pack, pseudo_parameters, remove_pack, state_of
from pci_config.sandbox.member_stacks import StackFailed
from pci_config.sandbox.organization_packs import MemberFailure, check_member
from pci_config.sandbox.organization_packs_service import delete_and_wait, put_and_wait, read_template
from pci_config.sandbox.organization_tree import CONFIG, is_delegated, management_account, organization_of
from pci_config.sandbox.pack_template import PackRefusedError, evaluate
from pci_config.sandbox.recorder_service import ALWAYS
from pci_config.sandbox.stack_types import Made, Properties, StackType, Where, register, words

QUERY_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
MOST_QUERIES, LONGEST_QUERY, LARGEST_PAGE = 300, 4096, 100
_QUERIES, _MODES = "sandbox_stored_queries", "sandbox_recording_modes"


def install() -> None:
    """Teach moto the types and actions of this module. Installing again changes nothing."""
    register(RULE, REMEDIATION, PACK, ORGANIZATION_PACK, AGGREGATOR, QUERY, RECORDER, CHANNEL)
    for action in (put_stored_query, get_stored_query, list_stored_queries, delete_stored_query):
        setattr(ConfigResponse, action.__name__, action)


def _backend(where: Where) -> Any:
    return config_backends[where.account][where.region]


def _given(properties: Properties) -> dict[str, str]:
    return {one["ParameterName"]: one["ParameterValue"] for one in properties.get("ConformancePackInputParameters") or []}


# ------------------------------------------------------------------------------------------------------ rules and packs


def _put_rule(where: Where, name: str, properties: Properties) -> Made:
    inputs = properties.get("InputParameters")
    rule = {**properties, "ConfigRuleName": name}
    if inputs is not None and not isinstance(inputs, str):
        rule["InputParameters"] = json.dumps(inputs)
    _backend(where).put_config_rule(rule, [])
    made = _backend(where).config_rules[name]
    return Made(name, {"Arn": made.config_rule_arn, "ConfigRuleId": made.config_rule_id})


def _delete_rule(where: Where, name: str, _properties: Properties) -> None:
    state_of(_backend(where)).evaluations.forget(name)
    if name in _backend(where).config_rules:
        _backend(where).delete_config_rule(name)


def _put_remediation(where: Where, _name: str, properties: Properties) -> Made:
    rule = properties["ConfigRuleName"]
    if rule not in _backend(where).config_rules:
        raise StackFailed(f"The ConfigRule '{rule}' provided in the request is invalid.")
    state_of(_backend(where)).remediations[rule] = dict(properties)
    return Made(rule)


def _delete_remediation(where: Where, rule: str, _properties: Properties) -> None:
    state_of(_backend(where)).remediations.pop(rule, None)


def _put_pack(where: Where, name: str, properties: Properties) -> Made:
    backend = _backend(where)
    try:
        text, max_bytes = read_template(where.account, properties)
        resources = evaluate(text, _given(properties), pseudo_parameters(backend), max_bytes)
        check_member(backend, resources)
        pack = deploy_pack(backend, name, resources)
    except (PackRefusedError, MemberFailure) as error:
        raise StackFailed(f"{getattr(error, 'code', '')} {error}".strip()) from None
    arn = f"arn:aws:config:{where.region}:{where.account}:conformance-pack/{name}/{pack['id']}"
    return Made(name, {"ConformancePackArn": arn})


def _delete_pack(where: Where, name: str, _properties: Properties) -> None:
    remove_pack(_backend(where), name)


def _put_organization_pack(where: Where, name: str, properties: Properties) -> Made:
    request = {**properties, "OrganizationConformancePackName": name}
    return Made(name, {"OrganizationConformancePackArn": put_and_wait(where.account, where.region, request)})


def _delete_organization_pack(where: Where, name: str, _properties: Properties) -> None:
    delete_and_wait(where.account, where.region, name)


RULE = StackType(
    "AWS::Config::ConfigRule",
    words("ConfigRuleName Description EvaluationModes InputParameters MaximumExecutionFrequency Scope Source"),
    _put_rule,
    _delete_rule,
    "ConfigRuleName",
    words("Arn ConfigRuleId"),
)
REMEDIATION = StackType(
    "AWS::Config::RemediationConfiguration",
    words(
        "Automatic ConfigRuleName ExecutionControls MaximumAutomaticAttempts Parameters ResourceType RetryAttemptSeconds "
        "TargetId TargetType TargetVersion"
    ),
    _put_remediation,
    _delete_remediation,
    "ConfigRuleName",
)
PACK = StackType(
    "AWS::Config::ConformancePack",
    words(
        "ConformancePackName ConformancePackInputParameters TemplateBody TemplateS3Uri DeliveryS3Bucket "
        "DeliveryS3KeyPrefix Tags"
    ),
    _put_pack,
    _delete_pack,
    "ConformancePackName",
    words("ConformancePackArn"),
)
ORGANIZATION_PACK = StackType(
    "AWS::Config::OrganizationConformancePack",
    words(
        "OrganizationConformancePackName ConformancePackInputParameters TemplateBody TemplateS3Uri DeliveryS3Bucket "
        "DeliveryS3KeyPrefix ExcludedAccounts Tags"
    ),
    _put_organization_pack,
    _delete_organization_pack,
    "OrganizationConformancePackName",
    words("OrganizationConformancePackArn"),
)

# ------------------------------------------------------------------------------------------------ aggregator and queries


def _put_aggregator(where: Where, name: str, properties: Properties) -> Made:
    if properties.get("OrganizationAggregationSource"):
        organization = organization_of(where.account)
        if organization is None or not (
            where.account == management_account(organization) or is_delegated(organization, where.account, CONFIG)
        ):
            raise JsonRESTError(
                "OrganizationAccessDeniedException", f"{where.account} is no delegated administrator for {CONFIG}"
            )
    made = _backend(where).put_configuration_aggregator({**_booleans(properties), "ConfigurationAggregatorName": name})
    return Made(name, {"ConfigurationAggregatorArn": made["ConfigurationAggregatorArn"]})


def _booleans(value: Any) -> Any:
    """Templates have them as text, too."""
    if isinstance(value, Mapping):
        return {key: _booleans(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_booleans(entry) for entry in value]
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _delete_aggregator(where: Where, name: str, _properties: Properties) -> None:
    _backend(where).config_aggregators.pop(name, None)


def _put_query(where: Where, name: str, properties: Properties) -> Made:
    query = {"QueryName": name, "Expression": properties["QueryExpression"]}
    if "QueryDescription" in properties:
        query["Description"] = properties["QueryDescription"]
    stored = _store_query(_backend(where), query)
    return Made(name, {"QueryArn": stored["QueryArn"], "QueryId": stored["QueryId"]})


def _delete_query(where: Where, name: str, _properties: Properties) -> None:
    _queries(_backend(where)).pop(name, None)


def _queries(backend: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = backend.__dict__.setdefault(_QUERIES, {})
    return found


def _store_query(backend: Any, query: Mapping[str, str]) -> dict[str, str]:
    known, name, expression = _queries(backend), query["QueryName"], query.get("Expression", "")
    if not QUERY_NAME.fullmatch(name) or not 1 <= len(expression) <= LONGEST_QUERY:
        raise JsonRESTError("ValidationException", "the query's name or expression is not valid")
    if name not in known and len(known) >= MOST_QUERIES:
        raise JsonRESTError("ValidationException", f"{MOST_QUERIES} stored queries are the most")
    before = known.get(name) or {"QueryId": f"query-{uuid.uuid4().hex[:12]}"}
    arn = f"arn:aws:config:{backend.region_name}:{backend.account_id}:stored-query/{name}/{before['QueryId']}"
    known[name] = {**before, **query, "QueryArn": arn}
    return known[name]


def put_stored_query(self: Any) -> str:
    stored = _store_query(self.config_backend, json.loads(self.body)["StoredQuery"])
    return json.dumps({"QueryArn": stored["QueryArn"]})


def get_stored_query(self: Any) -> str:
    return json.dumps({"StoredQuery": _known_query(self)})


def delete_stored_query(self: Any) -> str:
    del _queries(self.config_backend)[_known_query(self)["QueryName"]]
    return "{}"


def _known_query(self: Any) -> dict[str, str]:
    name = json.loads(self.body)["QueryName"]
    if name not in _queries(self.config_backend):
        raise JsonRESTError("ResourceNotFoundException", f"The query {name} does not exist.")
    return _queries(self.config_backend)[name]


def list_stored_queries(self: Any) -> str:
    request = json.loads(self.body or "{}")
    found = [
        {key: value for key, value in query.items() if key != "Expression"}
        for _, query in sorted(_queries(self.config_backend).items())
    ]
    start, size = int(request.get("NextToken") or 0), request.get("MaxResults") or LARGEST_PAGE
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return json.dumps({"StoredQueryMetadata": found[start : start + size], **more})


AGGREGATOR = StackType(
    "AWS::Config::ConfigurationAggregator",
    words("ConfigurationAggregatorName AccountAggregationSources OrganizationAggregationSource Tags"),
    _put_aggregator,
    _delete_aggregator,
    "ConfigurationAggregatorName",
    words("ConfigurationAggregatorArn"),
)
QUERY = StackType(
    "AWS::Config::StoredQuery",
    words("QueryName QueryExpression QueryDescription Tags"),
    _put_query,
    _delete_query,
    "QueryName",
    words("QueryArn QueryId"),
)

# ------------------------------------------------------------------------------------------------ recorder and channel


def _put_recorder(where: Where, name: str, properties: Properties) -> Made:
    backend = _backend(where)
    recorder = {"name": name, "roleARN": properties["RoleARN"]}
    group = _small(_booleans(properties.get("RecordingGroup")))
    if group is not None:
        recorder["recordingGroup"] = {"allSupported": False, "includeGlobalResourceTypes": False, "resourceTypes": [], **group}
    backend.put_configuration_recorder(recorder)
    mode = _small(properties.get("RecordingMode"))
    backend.__dict__.setdefault(_MODES, {})[name] = {**ALWAYS, **mode} if mode else ALWAYS
    _start(backend)
    return Made(name)


def _delete_recorder(where: Where, name: str, _properties: Properties) -> None:
    _backend(where).recorders.pop(name, None)
    _backend(where).__dict__.get(_MODES, {}).pop(name, None)


def _put_channel(where: Where, name: str, properties: Properties) -> Made:
    backend = _backend(where)
    names = {"S3BucketName": "s3BucketName", "S3KeyPrefix": "s3KeyPrefix", "S3KmsKeyArn": "s3KmsKeyArn"}
    channel = {names[key]: properties[key] for key in names if key in properties}
    if "SnsTopicARN" in properties:
        channel["snsTopicARN"] = properties["SnsTopicARN"]
    if "ConfigSnapshotDeliveryProperties" in properties:
        channel["configSnapshotDeliveryProperties"] = _small(properties["ConfigSnapshotDeliveryProperties"])
    with _any_recorder(backend):
        backend.put_delivery_channel({"name": name, **channel})
    _start(backend)
    return Made(name)


def _delete_channel(where: Where, name: str, _properties: Properties) -> None:
    backend = _backend(where)
    for recorder in backend.recorders.values():
        recorder.status.stop()
    backend.delivery_channels.pop(name, None)


@contextlib.contextmanager
def _any_recorder(backend: Any) -> Iterator[None]:
    """moto, as the API, wants a recorder first; a template may have it after the channel."""
    stands_in = not backend.recorders
    if stands_in:
        backend.recorders["sandbox"] = None
    try:
        yield
    finally:
        if stands_in:
            del backend.recorders["sandbox"]


def _start(backend: Any) -> None:
    if backend.delivery_channels:
        for recorder in backend.recorders.values():
            recorder.status.start()


def _small(value: Any) -> Any:
    """Keys as the API has them, with a small first letter."""
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: _small(entry) for key, entry in value.items()}
    return [_small(entry) for entry in value] if isinstance(value, list) else value


RECORDER = StackType(
    "AWS::Config::ConfigurationRecorder",
    words("Name RoleARN RecordingGroup RecordingMode"),
    _put_recorder,
    _delete_recorder,
    "Name",
)
CHANNEL = StackType(
    "AWS::Config::DeliveryChannel",
    words("Name S3BucketName S3KeyPrefix S3KmsKeyArn SnsTopicARN ConfigSnapshotDeliveryProperties"),
    _put_channel,
    _delete_channel,
    "Name",
)
