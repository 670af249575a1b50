"""PciConfig-EnableApiLogs: the access log ends in the archive and tells who called what; the rest of its format stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.api_logs import ADDED, ADDED_REST, API_KEY, completed_format, format_faults
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-EnableApiLogs"
script = load_script(DOCUMENT)
OTHER = "210987654321"
SETTINGS = {"LogArchive": {"Account": OTHER, "Buckets": ["card-issuer-log-archive-*"]}}
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:api"
WHOLE = '{"requestId":"$context.requestId","caller":"$context.identity.userArn","time":"$context.requestTime",\
"status":"$context.status","source":"$context.identity.sourceIp","path":"$context.path"}'
COMMON = '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod $context.routeKey" $context.requestId'
ALL_ADDED = {
    "userArn": "$context.identity.userArn",
    "principal": "$context.authorizer.principalId",
    "requestTime": "$context.requestTime",
    "status": "$context.status",
    "sourceIp": "$context.identity.sourceIp",
    "routeKey": "$context.routeKey",
}


def stream(name: str) -> str:
    return f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}"


GOOD, TEAM = stream("amazon-apigateway-cards"), stream("amazon-apigateway-team")


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def make_stream(name: str, bucket: str, **members: Any) -> None:
    target = {"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}"}
    client("firehose").create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=target, **members)


def destinations() -> None:
    make_stream("amazon-apigateway-cards", "card-issuer-log-archive-api")
    make_stream("amazon-apigateway-team", "team-logs")
    client("logs").create_log_group(logGroupName="api")


def rest(destination: str = "", log_format: str = WHOLE, tags: dict[str, str] | None = None) -> dict[str, str]:
    """A stage of a REST API whose access log goes there (empty: there is none); its parameters for the document."""
    destinations()
    gateway = client("apigateway")
    api = gateway.create_rest_api(name="cards")["id"]
    top = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=top, httpMethod="GET", authorizationType="AWS_IAM")
    gateway.put_integration(restApiId=api, resourceId=top, httpMethod="GET", type="MOCK")
    deployment = gateway.create_deployment(restApiId=api)["id"]
    gateway.create_stage(restApiId=api, stageName="prod", deploymentId=deployment, tags=tags or {}, variables={"a": "b"})
    if destination:
        log = {"destinationArn": destination, "format": log_format}
        changes = [{"op": "replace", "path": f"/accessLogSettings/{name}", "value": value} for name, value in log.items()]
        gateway.update_stage(restApiId=api, stageName="prod", patchOperations=changes)
    return {"Stage": f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod", "Destination": GOOD}


def http(destination: str = "", log_format: str = WHOLE, protocol: str = "HTTP", name: str = "$default") -> dict[str, str]:
    destinations()
    gateway = client("apigatewayv2")
    selection = {"RouteSelectionExpression": "$request.body.action"} if protocol == "WEBSOCKET" else {}
    api = gateway.create_api(Name="partners", ProtocolType=protocol, **selection)["ApiId"]
    log = {"AccessLogSettings": {"DestinationArn": destination, "Format": log_format}} if destination else {}
    gateway.create_stage(ApiId=api, StageName=name, StageVariables={"a": "b"}, Tags={"pci:scope": "cde"}, **log)
    return {"Stage": f"arn:aws:apigateway:{REGION}::/apis/{api}/stages/{name}", "Destination": GOOD}


def moved(make: Callable[..., dict[str, str]], destination: str) -> dict[str, str]:
    return {**make(destination), "Repoint": "true"}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "REST: no access log": rest,
    "HTTP: no access log": http,
    "WebSocket: no access log": partial(http, protocol="WEBSOCKET", name="live"),
    "REST: to a team's bucket": partial(moved, rest, TEAM),
    "HTTP: to a team's bucket": partial(moved, http, TEAM),
    "REST: to a log group subscribed nowhere": partial(moved, rest, GROUP),
    "HTTP: to a log group subscribed nowhere": partial(moved, http, GROUP),
    "REST: the format says little": partial(rest, GOOD, "$context.requestId $context.status"),
    "REST: the format writes API keys": partial(rest, GOOD, WHOLE[:-1] + ',"key":"$context.identity.apiKey"}'),
    "HTTP: the common format": partial(http, GOOD, COMMON),
    "HTTP: everything": lambda: {**http(TEAM, '{"id":"$context.requestId"}'), "Repoint": "true"},
}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{**parameters, **changes})


def restored(parameters: dict[str, str], result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), **{"Stage": parameters["Stage"], **changes})


def stage(parameters: dict[str, str]) -> dict[str, Any]:
    """The stage, its access log spelled alike for both kinds of API."""
    _, kind, api, _, name = parameters["Stage"].split(":", 5)[5].split("/")
    if kind == "restapis":
        found = client("apigateway").get_stage(restApiId=api, stageName=name)
    else:
        found = client("apigatewayv2").get_stage(ApiId=api, StageName=name)
    log = found.pop("accessLogSettings", None) or found.pop("AccessLogSettings", None) or {}
    del found["ResponseMetadata"]
    return {**found, "log": {key.lower(): value for key, value in log.items()}}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = stage(parameters)
    dry = run(parameters, DryRun="true")
    assert (dry["Outcome"], stage(parameters)) == ("dry-run", before)
    assert len(json.loads(dry["Calls"])) == 1
    assert run(parameters)["Outcome"] == "changed"
    after = stage(parameters)
    assert after["log"]["destinationarn"] == GOOD
    assert format_faults(after["log"]["format"]) == []
    assert {**after, "log": None} == {**before, "log": None}, "nothing else changed"
    assert (run(parameters)["Outcome"], stage(parameters)) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_leads_back(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = stage(parameters)
    result = run(parameters)
    assert restored(parameters, result, DryRun="true")["Outcome"] == "dry-run"
    assert (restored(parameters, result)["Outcome"], stage(parameters)) == ("changed", before)
    assert restored(parameters, result)["Outcome"] == "compliant"


@pytest.mark.parametrize("make", [rest, http])
def test_a_stage_whose_log_is_right_is_left_alone(make: Callable[..., dict[str, str]]) -> None:
    parameters = make(GOOD)
    before = stage(parameters)
    assert (run(parameters, Destination="none")["Outcome"], stage(parameters)) == ("compliant", before)


def test_a_right_destination_stays_while_the_format_is_completed() -> None:
    make_stream("amazon-apigateway-second", "card-issuer-log-archive-api")
    second = stream("amazon-apigateway-second")
    parameters = rest(second, "$context.requestId")
    assert run(parameters, Destination="none")["Outcome"] == "changed"
    assert stage(parameters)["log"]["destinationarn"] == second


def test_the_format_of_a_new_log() -> None:
    parameters = rest()
    run(parameters)
    assert json.loads(stage(parameters)["log"]["format"]) == {
        "requestId": "$context.requestId",
        "userArn": "$context.identity.userArn",
        "principal": "$context.authorizer.principalId",
        "apiKeyId": "$context.identity.apiKeyId",
        "requestTime": "$context.requestTime",
        "status": "$context.status",
        "sourceIp": "$context.identity.sourceIp",
        "httpMethod": "$context.httpMethod",
        "resourcePath": "$context.resourcePath",
    }


@pytest.mark.parametrize(
    ("log_format", "completed"),
    [
        (WHOLE, WHOLE),
        ("$context.requestId", f"$context.requestId {' '.join(ALL_ADDED.values())}"),
        (COMMON, COMMON + " $context.identity.userArn $context.authorizer.principalId $context.status"),
        (WHOLE.replace('"status":"$context.status",', ""), WHOLE.replace('"status":"$context.status",', "")[:-1]
         + ',"status":"$context.status"}'),
        (WHOLE.replace("$context.status", "$context.protocol"), WHOLE.replace("$context.status", "$context.protocol")[:-1]
         + ',"pci_status":"$context.status"}'),
        ("{ } ", json.dumps(ALL_ADDED, separators=(",", ":"))),
        (WHOLE.replace("identity.userArn", "identity.apiKey"), WHOLE.replace("identity.userArn", "identity.apiKeyId")),
    ],
)  # fmt: skip
def test_what_is_left_out_is_added_at_the_end(log_format: str, completed: str) -> None:
    assert completed_format(log_format, ADDED) == completed


def test_xml_is_completed_by_hand() -> None:
    parameters = http(GOOD, '<request id="$context.requestId"/>')
    before = stage(parameters)
    with pytest.raises(Refused, match=r"leaves out who called.*the log format is XML: complete it by hand"):
        run(parameters)
    assert stage(parameters) == before


@pytest.mark.parametrize("make", [rest, http])
@pytest.mark.parametrize(
    ("destination", "message"),
    [(TEAM, r"Firehose amazon-apigateway-team -> s3://team-logs"), (GROUP, "log group api: has no subscription")],
)
def test_a_log_moves_only_when_told(make: Callable[..., dict[str, str]], destination: str, message: str) -> None:
    parameters = make(destination)
    before = stage(parameters)
    with pytest.raises(Refused, match=f"needs a human: access log -> {message}.*Repoint true"):
        run(parameters)
    assert stage(parameters) == before


@pytest.mark.parametrize("make", [rest, http])
@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("none", "Destination is none"),
        (stream("amazon-apigateway-gone"), "Firehose amazon-apigateway-gone: does not exist"),
        (TEAM, "s3://team-logs: is not the archive"),
        (stream("application-logs"), "cannot take these logs: expected deliverystream/amazon-apigateway-"),
        (GROUP, "cannot take these logs"),
        (GOOD.replace(ACCOUNT, OTHER), "cannot be looked into from here"),
        (GOOD.replace(REGION, "us-east-1"), "cannot be looked into from here"),
        (stream("amazon-apigateway-fed"), "is fed by KinesisStreamAsSource"),
    ],
)
def test_a_destination_that_cannot_take_the_log_is_refused(
    make: Callable[..., dict[str, str]], destination: str, message: str
) -> None:
    parameters = make()
    make_stream("amazon-apigateway-fed", "card-issuer-log-archive-api", DeliveryStreamType="KinesisStreamAsSource",
                KinesisStreamSourceConfiguration={"KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s",
                                                  "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/r"})  # fmt: skip
    before = stage(parameters)
    with pytest.raises(Refused, match=message):
        run(parameters, Destination=destination, Repoint="true")
    assert stage(parameters) == before


@pytest.mark.parametrize("make", [rest, http])
@pytest.mark.parametrize("part", ["stage", "API"])
def test_a_stage_that_is_gone_is_no_failure(make: Callable[..., dict[str, str]], part: str) -> None:
    parameters = make()
    name = parameters["Stage"].rpartition("/")[2]
    api = parameters["Stage"].split("/")[2]
    gone = (
        parameters["Stage"].replace(f"stages/{name}", "stages/gone")
        if part == "stage"
        else parameters["Stage"].replace(api, "gone")
    )
    assert run(parameters, Stage=gone)["Outcome"] == "gone"


def test_managed_stages_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = rest(tags={"aws:cloudformation:stack-name": "cards"})
    with pytest.raises(Refused, match="managed by CloudFormation stack cards"):
        run(parameters)
    assert run(parameters, AllowManaged="true")["Outcome"] == "changed"


@pytest.mark.parametrize(("destination", "refused"), [("", True), (GOOD, False)])
def test_api_gateways_own_stages_cannot_be_changed(destination: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = http(destination)
    api = parameters["Stage"].split("/")[2]
    found = {**client("apigatewayv2").get_stage(ApiId=api, StageName="$default"), "ApiGatewayManaged": True}
    monkeypatch.setattr(script.aws("apigatewayv2"), "get_stage", lambda **_: found)
    if refused:
        with pytest.raises(Refused, match="is managed by API Gateway, which lets nobody change it"):
            run(parameters, AllowManaged="true")
    else:
        assert run(parameters)["Outcome"] == "compliant"


@pytest.mark.parametrize("make", [rest, http])
def test_another_run_may_come_between(make: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(GOOD, "$context.requestId")
    tags = script.StageLogs.tags

    def tags_and_run(self: Any, state: Any) -> Any:
        """Asked between reading and changing."""
        monkeypatch.setattr(script.StageLogs, "tags", tags)
        assert run(parameters)["Outcome"] == "changed"
        return tags(self, state)

    monkeypatch.setattr(script.StageLogs, "tags", tags_and_run)
    assert run(parameters)["Outcome"] == "changed"
    assert stage(parameters)["log"]["format"].count("$context.status") == 1


@pytest.mark.parametrize("make", [rest, http])
def test_a_stage_that_is_deleted_meanwhile_is_no_failure(
    make: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = make()
    _, _, api, _, name = parameters["Stage"].split(":", 5)[5].split("/")

    def delete(self: Any, state: Any) -> dict[str, str]:
        if make is rest:
            client("apigateway").delete_stage(restApiId=api, stageName=name)
        else:
            client("apigatewayv2").delete_stage(ApiId=api, StageName=name)
        return {}

    monkeypatch.setattr(script.StageLogs, "tags", delete)
    with answering(UpdateStage="NotFoundException"):
        assert run(parameters)["Outcome"] == "gone"


@pytest.mark.parametrize("make", [rest, http])
def test_restore_refuses_what_was_changed_since(make: Callable[..., dict[str, str]]) -> None:
    parameters = make(GOOD, "$context.requestId")
    result = run(parameters)
    _, _, api, _, name = parameters["Stage"].split(":", 5)[5].split("/")
    if make is rest:
        change = [{"op": "replace", "path": "/accessLogSettings/format", "value": WHOLE}]
        client("apigateway").update_stage(restApiId=api, stageName=name, patchOperations=change)
    else:
        log = {"DestinationArn": GOOD, "Format": WHOLE}
        client("apigatewayv2").update_stage(ApiId=api, StageName=name, AccessLogSettings=log)
    with pytest.raises(Refused, match="was changed after"):
        restored(parameters, result)
    assert stage(parameters)["log"]["format"] == WHOLE


@pytest.mark.parametrize("make", [rest, http])
def test_a_call_that_fails_changes_nothing_and_says_so(make: Callable[..., dict[str, str]]) -> None:
    parameters = make()
    before = stage(parameters)
    with answering(UpdateStage="BadRequestException"), pytest.raises(RuntimeError, match="done before that: nothing"):
        run(parameters)
    assert stage(parameters) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Stage": f"arn:aws:apigateway:{REGION}::/restapis/abc"}, "is no stage of API Gateway"),
        ({"Stage": f"arn:aws:apigateway:{REGION}::/domains/abc/stages/prod"}, "is no stage of API Gateway"),
        ({"Stage": f"arn:aws:apigateway:{REGION}::/apis/abc/routes/prod"}, "is no stage of API Gateway"),
        ({"Stage": f"arn:aws:apigateway:{REGION}:{OTHER}:/apis/abc/stages/prod"}, f"is not in {ACCOUNT}"),
        ({"Stage": "prod"}, "prod is no ARN"),
        ({"Region": "us-east-1"}, "is not in"),
        ({"Repoint": "maybe"}, "Repoint is 'maybe'"),
        ({"DryRun": ""}, "DryRun"),
        ({"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = rest()
    with pytest.raises(Refused, match=message):
        run(parameters, **changes)
    assert stage(parameters)["log"] == {}


def test_an_access_log_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = rest()
    answer = {"accessLogSettings": {"destinationArn": 7}}
    monkeypatch.setattr(script.aws("apigateway"), "get_stage", lambda **_: answer)
    with pytest.raises(Refused, match="is not understood"):
        run(parameters)


def test_without_an_archive_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = rest()
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"without LogArchive\.Buckets"):
        run(parameters)


VARIABLES = st.sampled_from(
    ["$context.requestId", "$context.status", "$context.identity.apiKey", "$context.identity.apiKeyId", "$context.path",
     "$context.identity.sourceIp", "$context.requestTimeEpoch", "$context.statusline", "-", "[", '"GET"'],
)  # fmt: skip


@given(st.lists(VARIABLES, max_size=8), st.booleans(), st.sampled_from([ADDED, ADDED_REST]))
def test_any_format_is_completed_and_the_rest_stays(parts: list[str], as_json: bool, added: Any) -> None:
    names = [part.replace('"', "") for part in parts]
    log_format = json.dumps({f"m{n}": name for n, name in enumerate(names)}) if as_json else " ".join(parts)
    completed = completed_format(log_format, added)
    assert format_faults(completed) == []
    assert completed_format(completed, added) == completed
    if as_json:
        before = {name: API_KEY.sub("$context.identity.apiKeyId", value) for name, value in json.loads(log_format).items()}
        assert json.loads(completed).items() >= before.items()
    elif log_format:
        assert completed.startswith(API_KEY.sub("$context.identity.apiKeyId", log_format).rstrip())
    if not format_faults(log_format):
        assert completed == log_format
