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

from pci_config import build
from pci_config.catalogue import Catalogue, documents_folder, project_root
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.automation import Execution, Executor, RecordedCall
from pci_config.sandbox.automation_document import Document

ROOT = project_root()
FOLDER = documents_folder(ROOT)
ACCOUNT, OTHER, REGION, EVIDENCE = "123456789012", "210987654321", "eu-west-1", "card-issuer-pci-evidence"
DOCUMENTS = build.generate(ROOT, Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json")).documents


def violations_of(name: str) -> dict[str, Any]:
    (path,) = (FOLDER / name).glob("*_test.py")
    module_name = f"violations_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.VIOLATIONS
    return found


CASES = [(name, violation) for name in sorted(DOCUMENTS) for violation in violations_of(name)]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=EVIDENCE)
        yield


def session_for(account_id: str, region: str, role_arn: str | None) -> boto3.Session:
    keys = boto3.client("sts").assume_role(RoleArn=role_arn or "", RoleSessionName="document")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region)


def execute(name: str, parameters: dict[str, str], dry_run: str) -> Execution:
    given = {"AutomationAssumeRole": f"arn:aws:iam::{ACCOUNT}:role/{name}", "EvidenceBucket": EVIDENCE, "DryRun": dry_run}
    executor = Executor(session_for, ACCOUNT, REGION)
    return executor.start(
        Document.parse(DOCUMENTS[name]), {key: [value] for key, value in {**given, **parameters}.items()}, name=name
    )


def changing(calls: list[RecordedCall]) -> list[RecordedCall]:
    return [call for call in calls if not call.operation.startswith(("Get", "Describe", "List", "Head"))]


@pytest.mark.parametrize(("name", "violation"), CASES)
def test_dry_run_then_fix_then_nothing_left_to_do(name: str, violation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = violations_of(name)[violation]()
    dry = execute(name, parameters, "true")
    assert dry.status == "Success", dry.failure
    assert changing(dry.calls) == [], "a dry run makes no changing call"
    planned = json.loads(dry.outputs["Remediate.Calls"][0])
    assert planned

    done = execute(name, parameters, "false")
    assert done.status == "Success", done.failure
    assert done.outputs["Remediate.Changed"] == ["true"]
    made = [call for call in changing(done.calls) if call.operation != "PutObject"]
    assert [(c["service"], c["operation"].replace("_", "")) for c in planned] == [
        (c.service, c.operation.lower()) for c in made
    ], "the run makes exactly the calls that the dry run listed"
    evidence = done.outputs["Remediate.Evidence"][0]
    kept = boto3.client("s3").get_object(Bucket=EVIDENCE, Key=evidence.removeprefix(f"s3://{EVIDENCE}/"))
    assert json.loads(kept["Body"].read())["before"] == json.loads(done.outputs["Remediate.Before"][0])

    again = execute(name, parameters, "false")
    assert (again.status, again.outputs["Remediate.Changed"]) == ("Success", ["false"])
    assert changing(again.calls) == [], "a second run changes nothing"


@functools.cache
def recorded(name: str) -> tuple[Call, ...]:
    """Every call that fixing every violation makes, each in an account of its own."""
    found: list[Call] = []
    for arrange in violations_of(name).values():
        moto_api_backend.reset()
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=EVIDENCE)
        execution = execute(name, arrange(), "false")
        found += [Call(c.service, c.operation, c.parameters, c.account_id, c.region) for c in execution.calls]
    return tuple(found)


node = pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "tests" / "iam" / "node_modules").is_dir(),
    reason="the IAM policy simulator needs node and `npm ci --prefix tests/iam`",
)


@node
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_role_may_do_exactly_what_the_document_does(name: str) -> None:
    raw = json.loads((FOLDER / name / "policy.json").read_text("utf-8"))
    policy = substituted(raw, **{"AWS::AccountId": ACCOUNT, "EvidenceBucket": EVIDENCE})
    principal = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    requests = requests_of(recorded(name))
    verdicts = simulated(policy, principal, requests)
    for request, verdict in zip(requests, verdicts, strict=True):
        assert verdict.get("result") == "Allowed", f"{request}: {verdict}"

    limited = [r for r, v in zip(requests, verdicts, strict=True) if not v["wildcardOnly"]]
    elsewhere = [
        replace(r, resource=r.resource.replace(ACCOUNT, OTHER).replace(EVIDENCE, "another-bucket"), account=OTHER,
                context=dict.fromkeys(r.context, OTHER))
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
    policy = json.loads((FOLDER / name / "policy.json").read_text("utf-8"))
    for statement in policy["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if "*" in resources:
            assert "HasNoResourceLevel" in statement["Sid"]


def test_the_table_of_calls_has_no_dead_entries() -> None:
    used = {(call.service, call.operation) for name in DOCUMENTS for call in recorded(name)}
    assert used == set(TABLE)
