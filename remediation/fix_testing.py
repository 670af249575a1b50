"""What the tests of every document need: an account in moto, runs of a script as Automation calls it, and failing calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
import yaml
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config import runbook
from pci_config.rdk_json import RdkJson
from pci_config.sandbox import services
from script_loader import load_script

ACCOUNT, REGION, EVIDENCE = "123456789012", "eu-west-1", "card-issuer-pci-evidence"
FOLDER = Path(__file__).resolve().parent


def sample_settings(root: Path = FOLDER.parent) -> RdkJson:
    """The sample organization's rdk.json, with the account of these tests as its production identity account: some fixes run
    there only."""
    loaded = RdkJson.load(root / "rdk.json")
    accounts = {**loaded.document["Accounts"], "identity_production": ACCOUNT}
    return RdkJson(loaded.path, loaded.model, {**loaded.document, "Accounts": accounts})


def prepare_account() -> None:
    """The evidence bucket and the switch, as the organization's templates make them."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=EVIDENCE)
    s3.put_bucket_versioning(Bucket=EVIDENCE, VersioningConfiguration={"Status": "Enabled"})
    switch("on")


def switch(value: str) -> None:
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name=runbook.SWITCH_PARAMETER, Value=value, Type="String", Overwrite=True
    )


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto with an account ready for fixes; nobody waits. Import it where it is needed: it applies to the whole module."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    runbook.aws.cache_clear()
    services.install()
    with mock_aws():
        prepare_account()
        yield
    runbook.aws.cache_clear()


def run(document: str, **parameters: str) -> dict[str, Any]:
    """What `handler` of the document's script returns, for real unless DryRun says otherwise."""
    return _call(document, "handler", _declared(FOLDER / document / "document.yaml"), parameters, document)


def restore(document: str, execution_id: str, **parameters: str) -> dict[str, Any]:
    """What `restore` of the document's script returns for that execution of the fix."""
    path = FOLDER / document / "restore.yaml"
    given = {"FixDocument": document, "FixExecutionId": execution_id, **parameters}
    return _call(document, "restore", _declared(path), given, str(yaml.safe_load(path.read_text("utf-8"))["name"]))


def execution_of(result: Mapping[str, Any]) -> str:
    """The id of the execution that gave this result; it is part of the evidence's key."""
    return str(result["Evidence"]).rsplit("/", 2)[1]


def _declared(path: Path) -> dict[str, str]:
    parameters = yaml.safe_load(path.read_text("utf-8"))["parameters"]
    return {name: str(spec["default"]) for name, spec in parameters.items() if "default" in spec}


def _call(
    document: str, function: str, declared: Mapping[str, str], parameters: Mapping[str, str], name: str
) -> dict[str, Any]:
    event = {
        **declared,
        "DryRun": "false",
        "EvidenceBucket": EVIDENCE,
        "AllowManaged": "false",
        "Document": name,
        "ExecutionId": str(uuid.uuid4()),
        "AccountId": ACCOUNT,
        "Region": REGION,
        **parameters,
    }
    result: dict[str, Any] = getattr(load_script(document), function)(event, None)
    return result


@contextmanager
def answering(**errors: str) -> Iterator[None]:
    """AWS answers the named operations (`CreateFlowLogs="AccessDenied"`) with that error code."""
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if operation in errors:
            raise ClientError({"Error": {"Code": errors[operation], "Message": "refused"}}, operation)
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield


@contextmanager
def meanwhile(**events: Callable[[], Any]) -> Iterator[None]:
    """Just before the first call of a named operation, something else happens (`ModifyListener=lambda: run(...)`)."""
    call = botocore.client.BaseClient._make_api_call
    waiting = dict(events)

    def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if operation in waiting:
            waiting.pop(operation)()
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield
    assert not waiting, f"{', '.join(waiting)} was never called"


def unchanged_without_switch_or_evidence(run_of_violation: Callable[..., dict[str, Any]]) -> None:
    """The run reports or refuses when the switch is off or gone, and when its record would not be kept."""
    ssm, s3 = boto3.client("ssm", region_name=REGION), boto3.client("s3", region_name="us-east-1")
    switch("off")
    report = run_of_violation()
    assert (report["Outcome"], report["Changed"]) == ("switched-off", False)
    ssm.delete_parameter(Name=runbook.SWITCH_PARAMETER)
    with pytest.raises(runbook.Refused, match="cannot be read"):
        run_of_violation()
    switch("on")
    s3.create_bucket(Bucket="unversioned-evidence")
    for bucket, message in (("none", "is none"), ("missing-evidence", "recorded"), ("unversioned-evidence", "not versioned")):
        with pytest.raises(runbook.Refused, match=message):
            run_of_violation(EvidenceBucket=bucket)
