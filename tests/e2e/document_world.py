"""A built document as one Python module in one account of moto: quick enough to be run once for each of its calls.

What the interpreter adds (steps, roles, outputs) is left to test_built_documents.py; here the script gets the event that
Automation would give it, and every AWS call can be answered with a fault below botocore's retries.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import json
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import boto3
import botocore.client
import botocore.endpoint
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.base_backend import BackendDict
from moto.moto_api._internal import moto_api_backend
from moto.s3.models import s3_backends
from moto.ssm.models import ParameterDict
from test_built_documents import DOCUMENTS, RESTORES, module_of_tests

from fix_testing import ACCOUNT, EVIDENCE, REGION, prepare_account
from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.automation_values import started_parameters, substituted

READING = ("Get", "Describe", "List", "Head", "BatchGet", "Query", "Scan", "Filter", "Lookup", "Search", "Select", "Simulate")
THROTTLED = {"ec2": "RequestLimitExceeded", "rest-xml": "SlowDown", "query": "Throttling"}  # by protocol
DENIED = {"ec2": "UnauthorizedOperation", "rest-xml": "AccessDenied", "query": "AccessDenied"}
# position of the call, attempt, operation: "", or "throttled" (that attempt), "denied", "lost" (done, but not answered) or
# "ignored" (answered, but not done)
Fault = Callable[[int, int, str], str]


def no_fault(position: int, attempt: int, operation: str) -> str:
    return ""


@dataclass
class Made:
    """One AWS call, by what came of it."""

    operation: str
    parameters: Mapping[str, Any]
    succeeded: bool = False
    raised: bool = False
    attempts: int = 0

    @property
    def changing(self) -> bool:
        """Whether it can change more than the evidence and the event."""
        return not self.operation.startswith(READING) and self.operation not in ("PutObject", "PutEvents")


@dataclass
class Run:
    execution_id: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Exception | None = None
    calls: list[Made] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        return type(self.error).__name__ if self.error else str(self.result["Outcome"])

    @property
    def message(self) -> str:
        return str(self.error or self.result["Message"])

    def events(self) -> list[dict[str, Any]]:
        """The details of the events that were sent."""
        sent = [call.parameters["Entries"] for call in self.calls if call.operation == "PutEvents" and call.succeeded]
        return [json.loads(entry["Detail"]) for entries in sent for entry in entries]

    def changes(self) -> list[str]:
        """Operations that changed something."""
        return [call.operation for call in self.calls if call.changing and call.succeeded]


class Script:
    """The script of a built document, loaded once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._document = Document.parse(DOCUMENTS[name])
        (step,) = self._document.steps.values()
        self._inputs = step["inputs"]
        self.module = ModuleType("script_" + name.replace("-", "_"))
        sys.modules[self.module.__name__] = self.module  # dataclasses look their module up
        exec(compile(self._inputs["Script"], name, "exec"), self.module.__dict__)  # noqa: S102 - as Automation does
        course = "put_back" if name in RESTORES.values() else "carry_out"
        self._course, self._course_name = getattr(self.module, course), course

    def event(self, parameters: Mapping[str, str], execution_id: str) -> dict[str, Any]:
        given = {"AutomationAssumeRole": f"arn:aws:iam::{ACCOUNT}:role/{self.name}", "EvidenceBucket": EVIDENCE,
                 "DryRun": "false", **parameters}  # fmt: skip
        declared = self._document.parameters
        values = started_parameters(declared, {name: [value] for name, value in given.items() if name in declared})
        names = {"automation:EXECUTION_ID": execution_id, "global:ACCOUNT_ID": ACCOUNT, "global:REGION": REGION}
        event: dict[str, Any] = substituted(self._inputs["InputPayload"], {**values, **names})
        return event

    def run(self, parameters: Mapping[str, str], fault: Fault = no_fault) -> Run:
        """Run it to its end, whatever that is."""
        run = Run(str(uuid.uuid4()))
        with faulty(run.calls, fault):
            try:
                run.result = getattr(self.module, self._inputs["Handler"])(self.event(parameters, run.execution_id), None)
            except Exception as error:
                run.error = error
        return run

    def resource(self, parameters: Mapping[str, str]) -> Any:
        """The fix or restore that the handler makes for these parameters; nothing is run."""
        made: list[Any] = []
        event = self.event(parameters, "none")
        setattr(self.module, self._course_name, lambda event, resource_of: made.append(resource_of(event)))
        try:
            getattr(self.module, self._inputs["Handler"])(event, None)
        finally:
            setattr(self.module, self._course_name, self._course)
        return made[0]

    def watch(self, parameters: Mapping[str, str]) -> Callable[[], Any]:
        """A function that gives what the document would record; None when the resource is gone.

        To be asked for while the violation is there: a fix may record only what it is going to change.
        """
        resource = self.resource(parameters)

        def record() -> Any:
            state = resource.read()
            return None if state is None else json.loads(json.dumps(resource.record(state), default=str))

        if hasattr(resource, "changes"):
            resource.changes(resource.read())
            record()
        return record


@functools.cache
def script(name: str) -> Script:
    return Script(name)


@functools.cache
def own_tests(name: str) -> ModuleType:
    """The module of the document's own tests."""
    return module_of_tests(name)


def arranged(name: str, violation: str) -> dict[str, str]:
    """A new account with this violation alone. The document's parameters."""
    moto_api_backend.reset()
    prepare_account()
    return dict(own_tests(name).VIOLATIONS[violation]())


def snapshot() -> Callable[[], None]:
    """A function that makes moto's accounts again what they are now: a copy takes less time than arranging anew."""
    kept = {backend: copy.deepcopy(backend.__dict__, _themselves()) for backend in _backends()}

    def back() -> None:
        for backend in _backends():
            if backend in kept:
                backend.__dict__ = copy.deepcopy(kept[backend], _themselves())
            else:
                backend.reset()

    return back


def _backends() -> list[Any]:
    return [backend for each in BackendDict._instances for regions in each.values() for backend in regions.values()]


def _themselves() -> dict[int, Any]:
    """What stands for itself in a copy."""
    return {id(backend): backend for backend in _backends()}


def _copied_parameters(self: Any, memo: Any) -> Any:
    """moto's dictionary of SSM parameters cannot be made without its account and Region, as copying tries to."""
    made = ParameterDict(self.account_id, self.region_name)
    for name, versions in self.items():
        made[name] = copy.deepcopy(versions, memo)
    return made


ParameterDict.__deepcopy__ = _copied_parameters
copyreg.pickle(type(threading.RLock()), lambda lock: (threading.RLock, ()))  # of backends that lock: nobody holds them here
copyreg.pickle(type(threading.Lock()), lambda lock: (threading.Lock, ()))


def of_restore(name: str, parameters: Mapping[str, str], fix: Run) -> dict[str, str]:
    """The parameters of the document that takes this run of the fix back."""
    own = {key: value for key, value in parameters.items() if key in DOCUMENTS[RESTORES[name]]["parameters"]}
    return {**own, "FixExecutionId": fix.execution_id}


def evidence(document: str, run: Run, which: str) -> Any:
    """The state that the run recorded, whatever the resource is called; None when it recorded none."""
    for key, kept in s3_backends[ACCOUNT]["aws"].buckets[EVIDENCE].keys.items():
        if key.endswith(f"/{run.execution_id}/{which}.json"):
            found = json.loads(kept.value)
            assert found["document"] == document
            return found["state"]
    return None


MADE_ID = re.compile(r"\b[a-z]+-[0-9a-f]{8,17}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def without_new_ids(state: Any, before: Any) -> Any:
    """The state with ids that were not there before as `made`, and its lists in an order that does not depend on them."""
    old = set(MADE_ID.findall(json.dumps(before)))
    text = MADE_ID.sub(lambda found: found.group() if found.group() in old else "made", json.dumps(state))
    return _in_order(json.loads(text))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


@contextmanager
def faulty(calls: list[Made], fault: Fault) -> Iterator[None]:
    """Record the calls, and answer attempts with faults, below botocore's retries; calls that `fault` makes are not recorded."""
    make, send = botocore.client.BaseClient._make_api_call, botocore.endpoint.Endpoint._do_get_response

    own = threading.get_ident()  # what another test left running is no call of the document
    asking: list[bool] = []

    def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if asking or threading.get_ident() != own:
            return make(client, operation, parameters)
        made = Made(operation, parameters)
        calls.append(made)
        made.raised = True
        answer = make(client, operation, parameters)
        made.raised, made.succeeded = False, True
        return answer

    def do_get_response(endpoint: Any, request: Any, model: Any, context: Any) -> Any:
        if asking or threading.get_ident() != own:
            return send(endpoint, request, model, context)
        made = calls[-1]
        made.attempts += 1
        asking.append(True)
        kind = fault(len(calls) - 1, made.attempts, made.operation)
        asking.clear()
        if kind in ("throttled", "denied"):
            return _refusal(kind, model), None
        if kind == "ignored":
            return (_response(200), {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}}}), None
        answer = send(endpoint, request, model, context)
        if kind == "lost":
            (response, _), _ = answer
            made.succeeded = made.succeeded or response.status_code < 300
            return None, ConnectionClosedError(endpoint_url=request.url)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        patch.setattr(botocore.endpoint.Endpoint, "_do_get_response", do_get_response)
        yield


def _refusal(kind: str, model: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """What botocore's parser makes of the service's own refusal."""
    protocol = model.service_model.metadata["protocol"]
    codes, usual = (THROTTLED, "ThrottlingException") if kind == "throttled" else (DENIED, "AccessDeniedException")
    status = 400 if kind == "throttled" else 403
    error = {"Code": codes.get(protocol, usual), "Message": f"{model.name} is {kind}"}
    return _response(status), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}}


def _response(status: int) -> AWSResponse:
    response = AWSResponse("https://aws.example", status, {}, None)
    response._content = b""
    return response


@pytest.fixture
def quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made once and waiting takes no time: they hold no state, and making them takes longer than all else."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(boto3, "client", _client)
    monkeypatch.setattr("botocore.useragent.UserAgentString.to_string", lambda self: "test")


_clients: dict[str, Any] = {}
_make_client = boto3.client


def _client(service: str, region_name: str | None = None, **options: Any) -> Any:
    key = repr((service, region_name, sorted(options, key=str), getattr(options.get("config"), "retries", None)))
    if key not in _clients:
        _clients[key] = _make_client(service, region_name=region_name, **options)
    return _clients[key]
