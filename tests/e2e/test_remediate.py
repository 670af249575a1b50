"""`pci-config remediate` as an operator uses it, against the sandbox: violations, plan, run, status, clean, restore, violations."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from generated import artefacts
from moto.iam.exceptions import LimitExceededException
from moto.iam.responses import IamResponse
from moto.ssm.responses import SimpleSystemManagerResponse
from typer.testing import CliRunner

from pci_config.catalogue import Catalogue, documents_folder, project_root
from pci_config.cli import app
from pci_config.documents import build_document, build_restore
from pci_config.pack import build_pack
from pci_config.rdk_json import RdkJson
from pci_config.remediate.executions import SystemsManager
from pci_config.runbook import SWITCH_PARAMETER
from pci_config.sandbox import config_service, services
from pci_config.sandbox.automatic import remediate as remediate_automatically
from pci_config.sandbox.pack_template import evaluate
from pci_config.sandbox.server import MotoServer

ROOT = project_root()
FOLDER = documents_folder(ROOT)
RDK_JSON = RdkJson.load(ROOT / "rdk.json")
REGION, ROLE = "eu-west-1", "pci-operator"
PRODUCTION, STAGING, DEVELOPMENT = "600000000006", "700000000007", "800000000008"
ACCOUNTS = (PRODUCTION, STAGING, DEVELOPMENT)
FIX, RESTORE, RULE = "PciConfig-SetPasswordPolicy", "PciConfig-RestorePasswordPolicy", "PCI_PASSWORD_POLICY"
DOCUMENTS = {
    FIX: build_document(FOLDER / FIX, RDK_JSON.document),
    RESTORE: build_restore(FOLDER / FIX, RDK_JSON.document),
}
WEAK = {"MinimumPasswordLength": 8, "MaxPasswordAge": 80, "PasswordReusePrevention": 24, "AllowUsersToChangePassword": True}


@pytest.fixture(params=["in-process"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoServer]:
    """Three accounts with a weak password policy and the documents, the evidence bucket, and settings in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rdk.json").write_text((ROOT / "rdk.json").read_text("utf-8"), "utf-8")
    (tmp_path / "exceptions.yaml").write_text("exceptions: []\n", "utf-8")
    with MotoServer(request.param) as running:
        services.install(running)
        evidence = running.clients("200000000002", "us-east-1").build_client("s3")
        evidence.create_bucket(Bucket=RDK_JSON.evidence_bucket)
        evidence.put_bucket_versioning(Bucket=RDK_JSON.evidence_bucket, VersioningConfiguration={"Status": "Enabled"})
        for account in ACCOUNTS:
            clients = running.clients(account, REGION)
            iam = clients.build_client("iam")
            iam.update_account_password_policy(**WEAK)
            for name in DOCUMENTS:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(account)))
            ssm = clients.build_client("ssm")
            ssm.put_parameter(Name=SWITCH_PARAMETER, Value="on", Type="String")
            for name, text in DOCUMENTS.items():
                ssm.create_document(Name=name, Content=text, DocumentType="Automation", DocumentFormat="YAML")
        yield running


def trust(account: str) -> dict[str, Any]:
    """As org_setup/member_global has it."""
    executions = f"arn:aws:ssm:*:{account}:automation-execution/*"
    conditions = {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": executions}}
    principal = {"Service": "ssm.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": conditions}
    return {"Version": "2012-10-17", "Statement": [statement]}


def command(*arguments: str, code: int = 0, **options: Any) -> Any:
    result = CliRunner().invoke(app, list(arguments), **options)
    assert result.exit_code == code, result.output + result.stderr
    return result


def assessed(code: int) -> dict[str, Any]:
    command(
        "assess", "--account", "--accounts", ",".join(ACCOUNTS), "--regions", REGION, "--role-name", ROLE, "--rules", RULE,
        "--format", "json", "--output", "results.json", code=code,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(Path("results.json").read_text("utf-8"))
    return found


def found() -> None:
    """The results of that assessment, without making it."""
    results = [
        {
            "rule": RULE, "account_id": account, "region": "eu-west-1", "resource_type": "AWS::::Account", "resource_id": account,
            "resource_name": None, "compliance": "NON_COMPLIANT", "annotation": "length 8", "requirements": {},
        }
        for account in ACCOUNTS
    ]  # fmt: skip
    for result in results:  # as `assess` does
        if any(each["resource"] == result["resource_id"] for each in exceptions()):
            result["compliance"], result["annotation"] = "EXCEPTED", "accepted until 2030-01-01 (SEC-7): Directory is replaced."
    Path("results.json").write_text(json.dumps({"schema_version": "1", "results": results}), "utf-8")


def exceptions() -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = yaml.safe_load(Path("exceptions.yaml").read_text("utf-8"))["exceptions"]
    return known


def planned(*more: str, code: int = 0) -> dict[str, Any]:
    result = command(
        "remediate", "plan", "results.json", "--role-name", ROLE, "--output", "plan.json", "--format", "json", *more, code=code
    )
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def remediate(what: str, *more: str, code: int = 0, **options: Any) -> Any:
    return command("remediate", what, "plan.json", "--role-name", ROLE, *more, code=code, **options)


def status(code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remediate("status", "--format", "json", code=code).stdout)
    return found


def policy(server: MotoServer, account: str) -> dict[str, Any]:
    found: dict[str, Any] = server.clients(account, REGION).build_client("iam").get_account_password_policy()["PasswordPolicy"]
    return found


def started(server: MotoServer, account: str) -> list[dict[str, Any]]:
    """Every execution that is no dry run."""
    ssm = server.clients(account, REGION).build_client("ssm")
    ids = [seen["AutomationExecutionId"] for seen in ssm.describe_automation_executions()["AutomationExecutionMetadataList"]]
    found = [ssm.get_automation_execution(AutomationExecutionId=each)["AutomationExecution"] for each in ids]
    return [each for each in found if each["Parameters"]["DryRun"] == ["false"]]


def failing_in(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    real = IamResponse.update_account_password_policy

    def update(self: IamResponse) -> Any:
        if self.current_account == account:
            raise LimitExceededException("IAM is out of order")
        return real(self)

    monkeypatch.setattr(IamResponse, "update_account_password_policy", update)


@pytest.mark.parametrize("server", ["in-process", "http"], indirect=True)
def test_the_whole_way_there_and_back(server: MotoServer) -> None:
    assert [r["compliance"] for r in assessed(code=1)["results"]] == ["NON_COMPLIANT"] * 3

    plan = planned()
    assert [entry["account_id"] for entry in plan["entries"]] == list(ACCOUNTS)
    entry = plan["entries"][0]
    assert (entry["document"], entry["restore"]["document"]) == (FIX, RESTORE)
    assert "MinimumPasswordLength: 8 -> 12" in entry["differences"]
    assert "MaxPasswordAge: 80 -> 90" not in entry["differences"], "what is strong enough stays"
    assert entry["dry_run"]["calls"][0]["operation"] == "update_account_password_policy"
    assert "IAM users whose password is older" in entry["may_break"]
    assert entry["approver"] == "the resource's owner"
    assert policy(server, PRODUCTION)["MinimumPasswordLength"] == 8, "a plan changes nothing"
    assert started(server, PRODUCTION) == []

    ran = remediate("run", input="y\n")
    assert "Change 3 resources now?" in ran.stderr
    assert f"[1/3] production {PRODUCTION} {REGION} {FIX} {PRODUCTION}: started " in ran.stderr
    assert "step Remediate: Success" in ran.stderr
    assert "3 changed" in ran.stdout
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 12, 12]

    told = status()
    assert told["summary"] == {"changed": 3}
    assert told["runs"][0]["confirmed"] == "asked"
    assert told["runs"][0]["by"].startswith("arn:aws:")
    for each in told["entries"]:
        (execution,) = each["executions"]
        assert execution["steps"] == [{"name": "Remediate", "status": "Success", "message": ""}]
        kept(execution["evidence"], WEAK)
    assert f"evidence: s3://{RDK_JSON.evidence_bucket}/remediation/{PRODUCTION}/" in remediate("status").stdout

    assert [r["compliance"] for r in assessed(code=0)["results"]] == ["COMPLIANT"] * 3

    again = remediate("run", "--yes")
    assert again.stderr.count("was started before (changed, execution ") == 3
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 1, 1]

    back = remediate("restore", "--yes")
    assert "3 put back" in back.stdout
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [8, 8, 8]
    assert [r["compliance"] for r in assessed(code=1)["results"]] == ["NON_COMPLIANT"] * 3
    assert remediate("restore", "--yes").stderr.count("was put back before") == 3
    assert [len(started(server, account)) for account in ACCOUNTS] == [2, 2, 2]


def kept(evidence: str, expected: dict[str, Any]) -> None:
    bucket, _, key = evidence.removeprefix("s3://").partition("/")
    key, _, version = key.partition("?versionId=")
    record = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read())
    assert record["state"].items() >= expected.items()


def test_a_failure_in_the_middle_stops_and_the_rest_can_go_on(server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found()
    planned()
    with monkeypatch.context() as broken:
        failing_in(broken, STAGING)
        ran = remediate("run", "--yes", "--at-once", "1", code=1)
    assert "1 not started because of the failures" in ran.stderr
    assert "1 changed, 1 failed, 1 not started yet" in ran.stdout
    assert "IAM is out of order" in ran.stderr
    assert "What to do: look at the resource" in ran.stderr
    assert "`pci-config remediate restore` leads it back" in ran.stderr
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 8, 8]
    failed = status(code=1)["entries"][1]["executions"][0]
    assert failed["steps"][0]["status"] == "Failed"
    assert failed["evidence"].startswith("s3://"), "the state before was recorded"

    rest = remediate("run", "--yes", code=1)
    assert "was started before (failed, " in rest.stderr
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 8, 12]
    assert len(started(server, STAGING)) == 1, "what failed is not tried again unless asked"

    remediate("run", "--yes", "--retry")
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 2, 1]
    assert status()["summary"] == {"changed": 3}


def test_failures_may_be_let_pass(server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found()
    planned()
    failing_in(monkeypatch, PRODUCTION)
    remediate("run", "--yes", "--at-once", "1", "--max-failures", "0", code=1)
    assert status(code=1)["summary"] == {"changed": 2, "failed": 1}
    assert server is not None


@pytest.mark.parametrize("when", ["before the record", "before the call"])
def test_an_interrupted_run_goes_on_and_starts_nothing_twice(
    server: MotoServer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    found()
    planned()
    real = SystemsManager.start

    def interrupted(self: SystemsManager, job: Any, again: bool) -> None:
        if job.entry.account_id == STAGING:
            if when == "before the record":
                real(self, job, again)
            raise KeyboardInterrupt
        real(self, job, again)

    with monkeypatch.context() as patched:
        patched.setattr(SystemsManager, "start", interrupted)
        stopped = remediate("run", "--yes", "--at-once", "1", code=130)
    assert "interrupted: nothing more is started" in stopped.stderr
    if when == "before the record":  # the power cut: nothing of the answer came to the file
        record = json.loads(Path("plan.state.json").read_text("utf-8"))
        assert [a["execution_id"] for attempts in record["attempts"].values() for a in attempts][1:] == [""]
    remediate("run", "--yes")
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 1, 1]
    assert status()["summary"] == {"changed": 3}


def heed_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_ctrl_c_while_aws_is_being_asked(server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own, interrupted after Systems Manager has taken the start and before it has answered."""
    found()
    planned()
    taken, answer = threading.Event(), threading.Event()
    real = SimpleSystemManagerResponse.start_automation_execution

    def late(self: SimpleSystemManagerResponse) -> Any:
        answered = real(self)
        if self.current_account == STAGING and not taken.is_set():
            taken.set()
            answer.wait(30)
        return answered

    monkeypatch.setattr(SimpleSystemManagerResponse, "start_automation_execution", late)
    arguments = ["remediate", "run", "plan.json", "--role-name", ROLE, "--yes", "--at-once", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "pci_config.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it only sets a signal
    ) as process:
        assert taken.wait(60)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    answer.set()
    assert process.returncode == 130, told
    assert "interrupted: nothing more is started" in told
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 12, 8]
    asked = remediate("status", code=3).stdout
    assert "its start was interrupted; `pci-config remediate run` takes it up again" in asked
    assert "1 changed, 1 not started yet, 1 start not known" in asked
    remediate("run", "--yes")
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 1, 1]
    assert status()["summary"] == {"changed": 3}


def test_a_lost_state_file_starts_nothing_twice(server: MotoServer) -> None:
    found()
    planned()
    remediate("run", "--yes")
    Path("plan.state.json").unlink()
    remediate("run", "--yes")
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 1, 1], "the client tokens are the same"
    assert status()["summary"] == {"changed": 3}


def exception(account: str) -> None:
    today = datetime.now(UTC).date()
    entry = {
        "rule": RULE, "accounts": [account], "regions": [REGION], "resource": account, "reason": "Directory is replaced",
        "approver": "CISO", "ticket": "SEC-7", "compensating_control": "MFA", "created": today, "expires": today + timedelta(days=30),
    }  # fmt: skip
    Path("exceptions.yaml").write_text(yaml.safe_dump({"exceptions": [entry]}), "utf-8")


def test_an_excepted_finding_is_skipped_and_listed(server: MotoServer) -> None:
    exception(DEVELOPMENT)
    found()
    plan = planned()
    assert [entry["account_id"] for entry in plan["entries"]] == [PRODUCTION, STAGING]
    (left,) = plan["left_out"]
    assert (left["why"], left["account_id"]) == ("excepted", DEVELOPMENT)
    assert "(SEC-7): Directory is replaced" in left["message"]
    assert "Excepted, skipped (1)" in command("remediate", "plan", "results.json", "--role-name", ROLE).stdout
    assert started(server, DEVELOPMENT) == []


def test_an_exception_made_after_the_plan_counts(server: MotoServer) -> None:
    found()
    planned()
    exception(DEVELOPMENT)
    ran = remediate("run", "--yes")
    assert f"development {DEVELOPMENT} {REGION} {DEVELOPMENT}: is excepted: accepted until" in ran.stderr
    assert started(server, DEVELOPMENT) == []
    assert status()["summary"] == {"changed": 2, "not started yet": 1}


def test_the_switch_stops_a_run(server: MotoServer) -> None:
    found()
    planned()
    ssm = server.clients(PRODUCTION, REGION).build_client("ssm")
    ssm.put_parameter(Name=SWITCH_PARAMETER, Value="off", Type="String", Overwrite=True)
    ran = remediate("run", "--yes", code=1)
    assert "2 changed, 1 switched-off" in ran.stdout
    assert "set /pci-config/remediation to on in production" in ran.stderr
    ssm.put_parameter(Name=SWITCH_PARAMETER, Value="on", Type="String", Overwrite=True)
    remediate("run", "--yes", "--retry")
    assert policy(server, PRODUCTION)["MinimumPasswordLength"] == 12


def test_what_somebody_fixed_meanwhile_is_left(server: MotoServer) -> None:
    found()
    server.clients(STAGING, REGION).build_client("iam").update_account_password_policy(
        MinimumPasswordLength=14, MaxPasswordAge=30, PasswordReusePrevention=10, RequireNumbers=True,
        RequireUppercaseCharacters=True, RequireLowercaseCharacters=True, AllowUsersToChangePassword=True,
    )  # fmt: skip
    plan = planned()
    assert [(left["why"], left["account_id"]) for left in plan["left_out"]] == [("nothing to do", STAGING)]
    assert policy(server, STAGING)["MinimumPasswordLength"] == 14


def test_a_document_that_is_not_deployed_is_told(server: MotoServer) -> None:
    found()
    server.clients(STAGING, REGION).build_client("ssm").delete_document(Name=FIX)
    plan = planned(code=3)
    (left,) = plan["left_out"]
    assert (left["why"], left["account_id"]) == ("dry run failed", STAGING)
    assert "the document is not deployed there" in left["message"]


def test_one_execution_is_put_back(server: MotoServer) -> None:
    found()
    planned()
    remediate("run", "--yes")
    execution = status()["entries"][1]["executions"][0]["execution_id"]
    remediate("restore", "--yes", "--execution-id", execution)
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 8, 12]
    remediate("restore", "--yes", "--execution-id", "00000000-0000-4000-8000-000000000000", code=2)


def test_an_execution_is_put_back_without_its_plan(server: MotoServer) -> None:
    found()
    planned()
    remediate("run", "--yes")
    execution = status()["entries"][2]["executions"][0]["execution_id"]
    arguments = ("remediate", "restore", "--role-name", ROLE, "--execution-id", execution, "--region", REGION, "--account-id")
    back = command(*arguments, DEVELOPMENT, "--yes")
    assert "1 put back" in back.stdout
    assert [policy(server, account)["MinimumPasswordLength"] for account in ACCOUNTS] == [12, 12, 8]
    assert "was put back before" in command(*arguments, DEVELOPMENT, "--yes").stderr
    assert "cannot be read" in command(*arguments, PRODUCTION, "--yes", "--state", "other.json", code=2).stderr


def test_a_restore_refuses_what_was_changed_since(server: MotoServer) -> None:
    found()
    planned()
    remediate("run", "--yes")
    server.clients(STAGING, REGION).build_client("iam").update_account_password_policy(MinimumPasswordLength=20)
    back = remediate("restore", "--yes", code=1)
    assert "was changed after" in back.stderr
    assert "2 put back, 1 putting back refused" in back.stdout
    assert policy(server, STAGING)["MinimumPasswordLength"] == 20


def deployed_by_config(server: MotoServer, account: str, dry_run: str) -> None:
    """The rule with its remediation, as a pack brings it."""
    state = config_service.state(account, REGION)
    name = f"{RULE}-conformance-pack-abc"
    server.clients(account, REGION).build_client("config").put_config_rule(
        ConfigRule={"ConfigRuleName": name, "Source": {"Owner": "AWS", "SourceIdentifier": "IAM_PASSWORD_POLICY"}}
    )
    parameters = {
        "AutomationAssumeRole": f"arn:aws:iam::{account}:role/{FIX}",
        "EvidenceBucket": RDK_JSON.evidence_bucket,
        "DryRun": dry_run,
    }
    state.remediations[name] = {
        "ConfigRuleName": name,
        "TargetType": "SSM_DOCUMENT",
        "TargetId": FIX,
        "Automatic": dry_run == "false",
        "Parameters": {
            "ResourceId": {"ResourceValue": {"Value": "RESOURCE_ID"}},
            **{key: {"StaticValue": {"Values": [value]}} for key, value in parameters.items()},
        },
    }


def test_aws_config_can_start_them(server: MotoServer) -> None:
    found()
    planned()
    for account in ACCOUNTS:
        deployed_by_config(server, account, "false")
    ran = remediate("run", "--yes", "--by-config")
    assert f"started by AWS Config as {RULE}-conformance-pack-abc" in ran.stderr
    told = status()
    assert told["summary"] == {"changed": 3}
    assert all(each["executions"][0]["execution_id"] for each in told["entries"])
    remediate("run", "--yes", "--by-config")
    assert [len(started(server, account)) for account in ACCOUNTS] == [1, 1, 1]
    assert "3 put back" in remediate("restore", "--yes").stdout


def test_an_automatic_fix_mends_what_aws_config_finds(server: MotoServer) -> None:
    """The pack with that rule automatic, as the build makes it: AWS Config starts the document, and it changes the account."""
    settings = json.loads(Path("rdk.json").read_text("utf-8"))
    settings["Remediation"]["Rules"] = {RULE: {"Mode": "automatic", "MaximumAutomaticAttempts": 1}}
    Path("rdk.json").write_text(json.dumps(settings), "utf-8")
    catalogue, rdk_json = Catalogue.load(ROOT), RdkJson.load(Path("rdk.json"))
    pack = build_pack(catalogue, rdk_json, "global", artefacts().documents, own_account=True)
    now, state = datetime.now(UTC), config_service.state(STAGING, REGION)
    for resource in evaluate(pack, {}, {"AWS::AccountId": STAGING, "AWS::Region": REGION, "AWS::Partition": "aws"}):
        if resource.type == "AWS::Config::RemediationConfiguration":
            state.remediations[resource.properties["ConfigRuleName"]] = dict(resource.properties)
    found = {"ComplianceResourceType": "AWS::::Account", "ComplianceResourceId": STAGING, "ComplianceType": "NON_COMPLIANT"}
    state.evaluations.put(state.evaluations.token_for(RULE, now), [{**found, "OrderingTimestamp": now}])
    config = server.clients(STAGING, REGION).build_client("config")

    def start(rule: str, key: dict[str, str]) -> None:
        config.start_remediation_execution(ConfigRuleName=rule, ResourceKeys=[key])

    assert remediate_automatically(state, start, now) == 1
    assert policy(server, STAGING)["MinimumPasswordLength"] == 12
    assert remediate_automatically(state, start, now + timedelta(hours=23)) == 0, "one attempt a day"
    (execution,) = started(server, STAGING)
    assert execution["Outputs"]["Remediate.Outcome"] == ["changed"]
    kept(execution["Outputs"]["Remediate.Evidence"][0], WEAK)


def test_a_pack_that_only_lists_calls_is_told(server: MotoServer) -> None:
    found()
    planned()
    for account in ACCOUNTS:
        deployed_by_config(server, account, "true")
    ran = remediate("run", "--yes", "--by-config", "--max-failures", "0", code=1)
    assert "3 not started" in ran.stdout
    assert "DryRun true, so a start by AWS Config changes nothing" in ran.stderr
    assert policy(server, PRODUCTION)["MinimumPasswordLength"] == 8


def test_nobody_answers(server: MotoServer) -> None:
    found()
    planned()
    for answer in ("", "n\n"):
        ran = remediate("run", input=answer, code=2)
        assert "nothing was started" in ran.stderr
    assert not Path("plan.state.json").exists()
    assert started(server, PRODUCTION) == []


def test_a_plan_of_the_accounts_as_they_are_now(server: MotoServer) -> None:
    arguments = ("--account", "--accounts", PRODUCTION, "--regions", REGION, "--role-name", ROLE, "--rules", RULE)
    found = json.loads(command("remediate", "plan", *arguments, "--format", "json").stdout)
    assert [entry["account_id"] for entry in found["entries"]] == [PRODUCTION]
    assert found["source"].startswith(f"account {PRODUCTION} in {REGION}, at ")
    assert started(server, PRODUCTION) == []


def test_a_plan_without_aws(server: MotoServer) -> None:
    found()
    plan = planned("--offline", "--accounts", f"{PRODUCTION},{STAGING}")
    assert [entry["dry_run"] for entry in plan["entries"]] == [None, None]
    assert plan["created_by"] == ""
    text = command("remediate", "plan", "results.json", "--offline").stdout
    assert "not known: no dry run was made" in text
    remediate("run", "--yes")
    assert policy(server, PRODUCTION)["MinimumPasswordLength"] == 12
