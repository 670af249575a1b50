"""Every built document, run by the interpreter on every violation its own tests know, and its role, proved in both directions.

The calls recorded here are put to a real IAM policy simulator: all of them are allowed by the document's policy, the same calls
on another resource owner are denied, and no action of the policy goes unused.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import boto3
import pytest
from iam_calls import TABLE, Call, requests_of, simulated, substituted
from moto import mock_aws
from moto.moto_api._internal import moto_api_backend

from fix_testing import ACCOUNT, EVIDENCE, REGION, prepare_account, sample_settings
from pci_config import build
from pci_config.catalogue import Catalogue, documents_folder, project_root
from pci_config.document_policies import document_policies
from pci_config.documents import document_names, restore_names
from pci_config.sandbox import services
from pci_config.sandbox.automation import Execution, Executor, RecordedCall
from pci_config.sandbox.automation_document import Document
from pci_config.sandbox.server import core_session

ROOT = project_root()
FOLDER = documents_folder(ROOT)
OTHER = "210987654321"
POLICIES = document_policies(FOLDER)
DOCUMENTS = build.generate(ROOT, Catalogue.load(ROOT), sample_settings()).documents


def violations_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = module_of_tests(name).VIOLATIONS
    return found


@functools.cache
def module_of_tests(name: str) -> ModuleType:
    """The document's own tests."""
    (path,) = (FOLDER / name).glob("*_test.py")
    module_name = f"violations_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIXES = document_names(FOLDER)
RESTORES = restore_names(FOLDER)
CASES = [(name, violation) for name in FIXES for violation in violations_of(name)]


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    services.install()
    with mock_aws():
        prepare_account()
        yield


def session_for(account_id: str, region: str, role_arn: str | None) -> boto3.Session:
    keys = boto3.client("sts").assume_role(RoleArn=role_arn or "", RoleSessionName="document")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region, core_session())


def execute(name: str, parameters: dict[str, str], dry_run: str) -> Execution:
    given = {"AutomationAssumeRole": f"arn:aws:iam::{ACCOUNT}:role/{name}", "EvidenceBucket": EVIDENCE, "DryRun": dry_run}
    executor = Executor(session_for, ACCOUNT, REGION)
    return executor.start(
        Document.parse(DOCUMENTS[name]), {key: [value] for key, value in {**given, **parameters}.items()}, name=name
    )


def restored(name: str, parameters: dict[str, str], execution_id: str, dry_run: str = "false") -> Execution:
    """The execution of the document that takes that execution of the fix back."""
    restore = RESTORES[name]
    own = {key: value for key, value in parameters.items() if key in DOCUMENTS[restore]["parameters"]}
    return execute(restore, {**own, "FixExecutionId": execution_id}, dry_run)


def outcome(execution: Execution) -> str:
    assert execution.status == "Success", execution.failure
    (found,) = execution.outputs["Remediate.Outcome"]
    return found


def changing(calls: list[RecordedCall]) -> list[RecordedCall]:
    """The calls that change something but the evidence and the event."""
    reading = ("Get", "Describe", "List", "Head", "BatchGet", "Query")
    return [c for c in calls if not c.operation.startswith(reading) and c.operation not in ("PutObject", "PutEvents")]


@pytest.mark.parametrize(("name", "violation"), CASES)
def test_dry_run_then_fix_then_nothing_left_to_do(name: str, violation: str) -> None:
    parameters = violations_of(name)[violation]()
    dry = execute(name, parameters, "true")
    assert outcome(dry) == "dry-run"
    assert changing(dry.calls) == [], "a dry run makes no changing call"
    assert not [call for call in dry.calls if call.operation in ("PutObject", "PutEvents")]
    planned = json.loads(dry.outputs["Remediate.Calls"][0])
    assert planned

    done = execute(name, parameters, "false")
    assert outcome(done) == "changed"
    assert [(c["service"], c["operation"].replace("_", "")) for c in planned] == [
        (c.service, c.operation.lower()) for c in changing(done.calls)
    ], "the run makes exactly the calls that the dry run listed"
    bucket, _, key = done.outputs["Remediate.Evidence"][0].removeprefix("s3://").partition("/")
    key, _, version = key.partition("?versionId=")
    kept = boto3.client("s3").get_object(Bucket=bucket, Key=key, VersionId=version)
    assert json.loads(kept["Body"].read())["state"] == json.loads(done.outputs["Remediate.Before"][0])

    again = execute(name, parameters, "false")
    assert outcome(again) == "compliant"
    assert changing(again.calls) == [], "a second run changes nothing"


@pytest.mark.parametrize(("name", "violation"), [case for case in CASES if case[0] in RESTORES])
def test_a_restore_leads_back_and_refuses_what_changed_since(name: str, violation: str) -> None:
    parameters = violations_of(name)[violation]()
    done = execute(name, parameters, "false")
    before = json.loads(done.outputs["Remediate.Before"][0])
    dry = restored(name, parameters, done.execution_id, "true")
    assert (outcome(dry), changing(dry.calls)) == ("dry-run", [])
    back = restored(name, parameters, done.execution_id)
    assert outcome(back) == "changed"
    assert json.loads(back.outputs["Remediate.After"][0]) == before
    assert outcome(restored(name, parameters, done.execution_id)) == "compliant"

    again = execute(name, parameters, "false")
    assert outcome(again) == "changed", "what was restored can be fixed again"
    assert outcome(restored(name, parameters, again.execution_id)) == "changed"
    changed_since = restored(name, parameters, "00000000-0000-4000-8000-000000000000")
    assert changed_since.status == "Failed"
    assert "cannot be read" in changed_since.failure


@functools.cache
def recorded(name: str) -> tuple[Call, ...]:
    """Every call of fixing every violation, or of restoring it when `name` is a restore's; each in an account of its own."""
    fix = next((fix for fix, restore in RESTORES.items() if restore == name), name)
    found: list[Call] = []
    for arrange in violations_of(fix).values():
        moto_api_backend.reset()
        prepare_account()
        parameters = arrange()
        execution = execute(fix, parameters, "false")
        if name != fix:
            execution = restored(fix, parameters, execution.execution_id)
        found += [Call(c.service, c.operation, c.parameters, c.account_id, c.region) for c in execution.calls]
    return tuple(found)


node = pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "tests" / "iam" / "node_modules").is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)


@node
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_role_may_do_exactly_what_the_document_does(name: str) -> None:
    policy = substituted(POLICIES[name], **{"AWS::AccountId": ACCOUNT, "EvidenceBucket": EVIDENCE})
    principal = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    requests = requests_of(recorded(name))
    verdicts = simulated(policy, principal, requests)
    for request, verdict in zip(requests, verdicts, strict=True):
        assert verdict.get("result") == "Allowed", f"{request}: {verdict}"

    limited = [r for r, v in zip(requests, verdicts, strict=True) if not v["wildcardOnly"]]
    elsewhere = [
        replace(r, resource=r.resource.replace(ACCOUNT, OTHER).replace(EVIDENCE, "another-bucket"), account=OTHER,
                context={key: OTHER if value == ACCOUNT else value for key, value in r.context.items()})
        for r in limited
    ]  # fmt: skip
    for request, verdict in zip(elsewhere, simulated(policy, principal, elsewhere), strict=True):
        assert verdict.get("result") != "Allowed", f"also allowed on {request}"

    granted = {
        action for s in policy["Statement"] for action in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])
    }
    assert granted == {request.action for request in requests}, "every action granted is used, and the other way round"
    assert not any("*" in action for action in granted)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_wildcard_resources_have_their_reason(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if "*" in resources:
            assert "HasNoResourceLevel" in statement["Sid"]


def test_the_table_of_calls_has_no_dead_entries() -> None:
    used = {(call.service, call.operation) for name in DOCUMENTS for call in recorded(name)}
    assert used == set(TABLE)
