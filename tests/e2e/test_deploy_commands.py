"""`pci-config plan`, `deploy`, `status` and `destroy` as an operator runs them: what they tell, ask and return."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment_organization import EVIDENCE, REGIONS, Deployment, deployment
from typer.testing import CliRunner

from pci_config import build, cli_deploy
from pci_config.cli import app
from pci_config.sandbox import stack_sets_service
from pci_config.sandbox.bare_organization import ADMIN, DELEGATED, MANAGEMENT
from pci_config.sandbox.server import MotoServer

HOME, OTHER = REGIONS
Run = Callable[..., Any]


@pytest.fixture
def organization(tmp_path: Path) -> Iterator[Deployment]:
    with MotoServer("in-process") as server:
        yield deployment(server, tmp_path, size=3)


@pytest.fixture
def run(organization: Deployment, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command with the small release in place of the built one."""
    from pci_config.deploy import deployer, waiting

    monkeypatch.setattr(cli_deploy, "_release", lambda found, _exceptions: organization.built(found))
    monkeypatch.setattr(deployer, "session", lambda *_: organization.server.session(organization.account, HOME))
    monkeypatch.setattr(waiting.Waiting, "__init__", _instant(waiting.Waiting.__init__))
    monkeypatch.chdir(organization.folder)

    def invoke(*arguments: str, answer: str = "") -> Any:
        organization.rdk_json()
        return CliRunner().invoke(app, arguments, input=answer)

    return invoke


def _instant(own: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, timeout: float = 60) -> None:
        own(self, timeout, sleep=lambda _: None)

    return init


def test_an_operator_plans_deploys_looks_and_destroys(run: Run, organization: Deployment) -> None:
    planned = run("plan")
    assert planned.exit_code == 0
    assert "create stack set pci-config-member-regional in eu-west-1: add 3 accounts" in planned.stdout
    assert "9 to create, 0 to update, 0 to retry, 0 to delete, 0 unchanged" in planned.stdout
    refused = run("deploy", answer="n\n")
    assert refused.exit_code == 2
    assert "Nothing was changed." in refused.stderr
    assert organization.client(ADMIN, "s3").list_buckets()["Buckets"] == []
    done = run("deploy", answer="y\n")
    assert done.exit_code == 0, done.output
    phases = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    assert phases == [
        "# artefacts",
        "# stack of the delegated administrator",
        "# roles of every account",
        "# function and documents of every account",
        "# packs",
    ]
    assert done.stdout.splitlines()[-1].startswith("Deployed: release ")
    looked = run("status")
    assert looked.exit_code == 0
    assert organization.org.members[2] in looked.stdout
    wrong = run("destroy", answer="another organization\n")
    assert wrong.exit_code == 2
    assert f"Stays: the evidence bucket {EVIDENCE}" in wrong.stdout
    assert run("status").exit_code == 0
    gone = run("destroy", answer="card issuer\n")
    assert gone.exit_code == 0, gone.output
    assert gone.stdout.splitlines()[-1] == "Deleted."
    assert run("status").exit_code == 1


def test_machines_get_one_document_on_standard_output(run: Run, organization: Deployment) -> None:
    for command in ("deploy", "destroy"):
        asked = run(command, "--format", "json")
        assert asked.exit_code == 2
        assert "add --yes" in asked.stderr
    plan = json.loads(run("plan", "--format", "json").stdout)
    assert plan["accounts"] == 3
    assert plan["summary"]["create"] == len(plan["changes"])
    assert plan["deployed"] is None
    deployed = run("deploy", "--yes", "--format", "json")
    document = json.loads(deployed.stdout)
    assert document["outcome"] == {"completed": True, "stopped": None, "failures": []}
    assert "# packs" in deployed.stderr
    status = json.loads(run("status", "--format", "json").stdout)
    assert status["well"]
    assert status["release"]["id"] == plan["release"]["id"]
    place = next(p for p in status["accounts"] if (p["account"], p["region"]) == (organization.org.members[1], OTHER))
    assert place["stacks"] == dict.fromkeys(("pci-config-member-documents-1", "pci-config-member-regional"), "CURRENT")
    assert place["packs"] == {"pci-dss": "CREATE_SUCCESSFUL"}
    assert place["bundle"] == plan["release"]["bundle"]
    again = json.loads(run("plan", "--format", "json").stdout)
    assert again["summary"] == {"create": 0, "update": 0, "retry": 0, "delete": 0, "unchanged": len(again["changes"])}
    destroyed = json.loads(run("destroy", "--yes", "--format", "json").stdout)
    assert destroyed["outcome"]["completed"]
    assert {"pci-dss", "pci-config-member-global", "pci-config-admin"} <= {d["name"] for d in destroyed["deletions"]}


def test_failures_are_told_by_account_with_what_to_do(run: Run, organization: Deployment) -> None:
    organization.settings["Deployment"] = {"FailureTolerancePercentage": 34}
    bad = organization.org.members[1]
    stack_sets_service.faults(ADMIN, HOME).failing[bad, OTHER] = "LimitExceeded: quota of functions"
    done = run("deploy", "--yes")
    assert done.exit_code == 1
    assert f"  {bad} us-east-1 pci-config-member-regional: LimitExceeded: quota of functions" in done.stderr
    assert "    what to do: raise the quota of that account and Region, then deploy again" in done.stderr
    assert run("status").exit_code == 1
    assert json.loads(run("status", "--format", "json").stdout)["well"] is False


def test_rollback_needs_a_release_before(run: Run, organization: Deployment) -> None:
    assert run("deploy", "--yes").exit_code == 0
    refused = run("deploy", "--yes", "--rollback")
    assert refused.exit_code == 3
    assert "there is no release before the present one" in refused.stderr
    assert "what to do: check out the commit" in refused.stderr
    organization.bundle = b"bundle 2"
    assert run("deploy", "--yes").exit_code == 0
    back = run("deploy", "--yes", "--rollback")
    assert back.exit_code == 0
    assert "Present release: " in back.stdout


def test_credentials_of_another_account_are_refused(run: Run, organization: Deployment) -> None:
    organization.account = organization.org.members[2]
    refused = run("plan")
    assert refused.exit_code == 3
    assert f"the credentials are of account {organization.account}" in refused.stderr
    assert "--single-account" in refused.stderr
    as_document = run("plan", "--format", "json")
    assert "delegated_admin" in json.loads(as_document.stdout)["error"]["what"]


@pytest.mark.parametrize(("setting", "value"), [("Packs", "stackset"), ("Recorder", "create")])
def test_what_cannot_be_deployed_yet_is_refused(run: Run, organization: Deployment, setting: str, value: str) -> None:
    organization.settings["Deployment"] = {setting: value}
    refused = run("plan")
    assert refused.exit_code == 3
    assert f"Deployment.{setting}: '{value}' cannot be deployed yet" in refused.stderr


def test_an_account_that_is_no_delegated_administrator_is_told_what_is_missing(run: Run, organization: Deployment) -> None:
    management = organization.org.client
    for principal in DELEGATED:
        management.deregister_delegated_administrator(AccountId=ADMIN, ServicePrincipal=principal)
    refused = run("plan")
    assert refused.exit_code == 3
    assert "register-delegated-administrator" in refused.stderr


def test_an_interrupted_command_says_that_it_can_go_on(
    run: Run, organization: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pci_config.deploy import phases

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(phases, "_packs", interrupted)
        broken = run("deploy", "--yes")
    assert broken.exit_code == 130
    assert "run the same command again" in broken.stderr
    assert run("status").exit_code == 1
    assert run("deploy", "--yes").exit_code == 0
    assert run("status").exit_code == 0


def test_generated_files_that_are_out_of_date_are_not_deployed(
    organization: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pci_config.deploy import deployer

    monkeypatch.setattr(deployer, "session", lambda *_: organization.server.session(ADMIN, HOME))
    outdated = [Path("org_setup/member_regional/template.yaml"), Path("docs/packs.md"), Path("conformance_pack.yaml")]
    monkeypatch.setattr(build, "drift", lambda *_: outdated)
    monkeypatch.setattr(build, "generate", lambda *_: None)
    organization.rdk_json()
    (organization.folder / "exceptions.yaml").write_text("exceptions: []\n")
    refused = CliRunner().invoke(app, ["plan", "--settings", str(organization.folder / "rdk.json")])
    assert refused.exit_code == 2
    assert [line.split(":")[0] for line in refused.stderr.splitlines()] == [str(outdated[0]), str(outdated[2])]


# ---------------------------------------------------------------------------------------------------------- one account


@pytest.fixture
def alone(organization: Deployment) -> Deployment:
    """The management account: no StackSet reaches it, and by itself it can be tried."""
    organization.account, organization.single = MANAGEMENT, True
    organization.settings["Deployment"] = {"ManagementAccount": True}  # it says nothing here
    for region in REGIONS:
        organization.record(MANAGEMENT, region)
    return organization


def test_a_single_account_gets_the_same_templates_as_stacks_of_its_own(run: Run, alone: Deployment) -> None:
    done = run("deploy", "--yes", "--single-account")
    assert done.exit_code == 0, done.output
    formation = alone.client(MANAGEMENT, "cloudformation", OTHER)
    assert {stack["StackName"] for stack in formation.describe_stacks()["Stacks"]} == {
        "pci-config-artifacts",
        "pci-config-member-documents-1",
        "pci-config-member-regional",
    }
    assert alone.rules_in(MANAGEMENT) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    assert alone.rules_in(alone.org.members[1]) == set()
    assert run("status", "--single-account").exit_code == 0
    again = run("plan", "--single-account", "--format", "json")
    assert json.loads(again.stdout)["summary"]["unchanged"] == len(json.loads(again.stdout)["changes"])
    alone.bundle, alone.rules = b"bundle 2", ("PCI_THREE",)
    assert run("deploy", "--yes", "--single-account").exit_code == 0
    assert alone.rules_in(MANAGEMENT, OTHER) == {"PCI_THREE"}
    assert run("deploy", "--yes", "--single-account", "--rollback").exit_code == 0
    assert alone.rules_in(MANAGEMENT, OTHER) == {"PCI_ONE", "PCI_TWO"}


def test_its_fixes_run_with_its_own_roles(alone: Deployment) -> None:
    deployer = alone.deployer()
    release, store = alone.built(deployer)
    text = store.text(f"packs/{release.packs['pci-dss']}.yaml")
    assert f"arn:aws:iam::{MANAGEMENT}:role/" in text
    assert ADMIN not in text


def test_a_single_account_is_left_by_destroy(run: Run, alone: Deployment) -> None:
    assert run("deploy", "--yes", "--single-account").exit_code == 0
    assert run("destroy", "--single-account", answer="card issuer\n").exit_code == 2
    assert run("destroy", "--single-account", answer=f"{MANAGEMENT}\n").exit_code == 0
    for region in REGIONS:
        assert alone.client(MANAGEMENT, "cloudformation", region).describe_stacks()["Stacks"] == []
        assert alone.rules_in(MANAGEMENT, region) == set()
    assert run("status", "--single-account").exit_code == 1


# --------------------------------------------------------------------------------------------------- management account


def test_the_management_account_has_stacks_of_its_own_and_the_organizations_packs(run: Run, organization: Deployment) -> None:
    organization.settings["Deployment"] = {"ManagementAccount": True}
    for region in REGIONS:
        organization.record(MANAGEMENT, region)
    organization.account = MANAGEMENT
    early = run("deploy", "--yes", "--management-account")
    assert early.exit_code == 3
    assert "the delegated administrator has deployed nothing yet" in early.stderr
    organization.account = ADMIN
    first = run("deploy", "--yes")
    assert first.exit_code == 1
    assert f"{MANAGEMENT} eu-west-1 pci-dss: ResourceNotFoundException" in first.stderr
    assert "try again in" not in first.stdout  # waiting does not help here
    assert "run `pci-config deploy --management-account`, then deploy again" in first.stderr
    assert organization.rules_in(organization.org.members[1]) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    refused = run("plan", "--management-account")
    assert refused.exit_code == 3
    assert f"the management account is {MANAGEMENT}" in refused.stderr
    organization.account = MANAGEMENT
    assert "5 to create" in run("plan", "--management-account").stdout
    own = run("deploy", "--yes", "--management-account")
    assert own.exit_code == 0, own.output
    stacks = organization.client(MANAGEMENT, "cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"] for stack in stacks} == {
        "pci-config-member-global",
        "pci-config-member-regional",
        "pci-config-member-documents-1",
    }
    again = json.loads(run("plan", "--management-account", "--format", "json").stdout)
    assert again["summary"]["unchanged"] == len(again["changes"]) == 5
    organization.account = ADMIN
    second = run("deploy", "--yes")
    assert second.exit_code == 0, second.output
    assert organization.rules_in(MANAGEMENT) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    assert run("status").exit_code == 0
    assert run("destroy", "--yes").exit_code == 0
    assert organization.rules_in(MANAGEMENT) == set()
    organization.account = MANAGEMENT
    gone = run("destroy", "--management-account", answer=f"{MANAGEMENT}\n")
    assert gone.exit_code == 0, gone.output
    assert organization.client(MANAGEMENT, "cloudformation").describe_stacks()["Stacks"] == []


def test_two_kinds_of_one_account_exclude_each_other(run: Run) -> None:
    refused = run("plan", "--single-account", "--management-account")
    assert refused.exit_code == 2
    assert "exclude each other" in refused.stderr
