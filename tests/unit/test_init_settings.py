"""rdk.json as `pci-config init` proposes, builds and writes it: valid or not at all, and never over another."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pci_config import init_settings
from pci_config.cli import app
from pci_config.init_questions import QUESTIONS, Answer
from pci_config.init_settings import Account, Found, document, proposed, role_of
from pci_config.rdk_json import DeploymentModel, LogArchiveModel, RdkJson, RdkJsonModel, RemediationModel, SettingsError

ANSWERS: dict[str, Answer] = {
    "Organization": "issuer",
    "Regions": ("eu-west-1", "us-east-1"),
    "HomeRegion": "eu-west-1",
    "Accounts.delegated_admin": "200000000002",
    "Accounts.log_archive": "300000000003",
    "Accounts.production": ("600000000006", "600000000016"),
    "Accounts.staging": ("700000000007",),
    "LogArchive.Buckets": ("issuer-logs-*",),
}
FLAGS = ["--regions", "eu-west-1,us-east-1", "--home-region", "eu-west-1", "--delegated-admin", "200000000002",
         "--log-archive", "300000000003", "--archive-buckets", "issuer-logs-*"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "units", "role"),
    [
        ("log-archive", (), "log_archive"),
        ("LogArchive", (), "log_archive"),
        ("archive", (), None),
        ("identity", (), "identity"),
        ("identity-production", (), "identity_production"),
        ("Prod Identity", (), "identity_production"),
        ("audit", ("Security",), "delegated_admin"),
        ("payments-prod", ("workloads",), "production"),
        ("product-catalogue", ("workloads",), None),
        ("preprod", ("Workloads", "Production"), "staging"),
        ("cards", ("Workloads", "Production"), "production"),
        ("cards", ("Production", "Development"), "development"),
        ("cardsDev", (), "development"),
        ("", (), None),
    ],
)
def test_a_name_says_the_role_or_nothing(name: str, units: tuple[str, ...], role: str | None) -> None:
    assert role_of(Account("1", name, units)) == role


def test_what_is_registered_outranks_names_and_of_two_alike_a_person_chooses() -> None:
    found = Found(
        region="eu-west-1",
        management="100000000001",
        accounts=(
            Account("100000000001", "production"),  # the management account has one role
            Account("200000000002", "tooling"),
            Account("300000000003", "log-archive"),
            Account("300000000004", "old log archive"),
            Account("600000000016", "prod-b"),
            Account("600000000006", "prod-a"),
            Account("900000000009", "legacy"),
        ),
        administrators=("200000000002",),
        regions=("eu-west-1", "us-east-1"),
        aggregators=("organization",),
    )
    answers = proposed(found)
    assert answers == {
        "Regions": ("eu-west-1", "us-east-1"),
        "HomeRegion": "eu-west-1",
        "Accounts.management": "100000000001",
        "Accounts.delegated_admin": "200000000002",
        "Accounts.production": ("600000000006", "600000000016"),
        "Deployment.Aggregator": "organization",
    }
    left = [account.id for account in init_settings.unassigned(found, answers)]
    assert left == ["300000000003", "300000000004", "900000000009"]


def test_a_home_region_outside_the_regions_in_use_is_not_proposed() -> None:
    assert proposed(Found(region="eu-north-1", regions=("eu-west-1",))) == {"Regions": ("eu-west-1",)}
    assert proposed(Found(region="eu-north-1")) == {"HomeRegion": "eu-north-1", "Regions": ("eu-north-1",)}


def test_our_own_aggregator_is_not_proposed_as_one_that_is_there_already() -> None:
    assert proposed(Found(aggregators=("pci-config",))) == {}
    assert proposed(Found(aggregators=("org", "pci-config"))) == {"Deployment.Aggregator": "org"}


def test_two_aggregators_or_a_delegated_management_account_propose_nothing() -> None:
    assert proposed(Found(management="1", administrators=("1",), aggregators=("a", "b"))) == {"Accounts.management": "1"}


def test_the_document_has_what_was_answered_in_reading_order(tmp_path: Path) -> None:
    content = document({**ANSWERS, "Deployment.Recorder": "create"}, management_account=True, packs="stackset")
    assert list(content) == ["Organization", "HomeRegion", "Regions", "Accounts", "LogArchive", "NetworkTiers", "Deployment"]
    assert content["Accounts"]["production"] == ["600000000006", "600000000016"]
    assert content["Accounts"]["staging"] == "700000000007"
    assert content["LogArchive"] == {
        "Account": "300000000003",
        "Buckets": ["issuer-logs-*"],
        "Regions": ["eu-west-1", "us-east-1"],
    }
    assert content["Deployment"] == {"Recorder": "create", "ManagementAccount": True, "Packs": "stackset"}
    assert "Deployment" not in document(ANSWERS)
    written = init_settings.write(tmp_path / "rdk.json", content)
    assert written.model.deployment.management_account
    assert written.settings.is_archive_bucket("issuer-logs-x")


def test_every_question_is_a_field_of_the_settings_and_says_what_it_is_for() -> None:
    models: dict[str, Any] = {"LogArchive": LogArchiveModel, "Remediation": RemediationModel, "Deployment": DeploymentModel}
    for question in QUESTIONS:
        outer, _, name = question.place.rpartition(".")
        if outer == "Accounts":
            continue  # the roles are checked by the schema: see the file with every answer
        model: Any = models.get(outer, RdkJsonModel)
        assert name in {field.alias for field in model.model_fields.values()}, question.place
        assert len(question.explanation) > 20
    every = {"HomeRegion": "eu-west-1", "Deployment.Recorder": "create", "Deployment.AlarmEmail": "a@b.example"}
    samples = {"Regions": "eu-west-1", "Buckets": "logs-*", "OrganizationalUnits": "r-ab12"}
    content = document(
        {
            q.place: every.get(q.place)
            or ((samples.get(q.place.rpartition(".")[2], "200000000002"),) if q.many else "200000000002")
            for q in QUESTIONS
        }
    )
    RdkJsonModel.model_validate(content)


def test_a_file_that_is_there_stays_and_force_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    path.write_text("mine", "utf-8")
    with pytest.raises(SettingsError, match="is there already; add --force"):
        init_settings.write(path, document(ANSWERS))
    assert path.read_text("utf-8") == "mine"
    init_settings.write(path, document(ANSWERS), force=True)
    assert RdkJson.load(path).settings.home_region == "eu-west-1"
    assert [each.name for each in tmp_path.iterdir()] == ["rdk.json"]


def test_what_is_not_valid_is_not_written_and_the_fault_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    for force in (False, True):
        with pytest.raises(SettingsError) as caught:
            init_settings.write(path, document({**ANSWERS, "HomeRegion": "eu-central-1"}), force)
        assert caught.value.problems == [
            f"{path}: HomeRegion: 'eu-central-1' is not among Regions; expected one of eu-west-1, us-east-1"
        ]
        assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(SettingsError, match="cannot be written"):
        init_settings.write(tmp_path / "file" / "rdk.json", document(ANSWERS))


def test_the_command_writes_from_options_and_explains_each_field(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    told = CliRunner().invoke(app, ["init", "--yes", "--settings", str(path), *FLAGS, "--recorder", "create"])
    assert told.exit_code == 0, told.output
    assert json.loads(path.read_text("utf-8"))["Deployment"] == {"Recorder": "create"}
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
    for question in QUESTIONS:
        assert f"{question.place} = " in told.output
        assert question.explanation in told.output
    assert "Accounts.production is not set" in told.output
    again = CliRunner().invoke(app, ["init", "--yes", "--settings", str(path), *FLAGS])
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)


def test_needed_answers_that_are_missing_are_named_by_their_options(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    told = CliRunner().invoke(app, ["init", "--yes", "--settings", str(path), "--regions", "eu-west-1"])
    assert told.exit_code == 2
    assert "needed and not given: --home-region, --delegated-admin, --log-archive, --archive-buckets" in told.stderr
    assert not path.exists()


def test_a_wrong_answer_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    told = CliRunner().invoke(app, ["init", "--yes", "--settings", str(path), *FLAGS, "--production", "12345"])
    assert (told.exit_code, path.exists()) == (2, False)
    assert "Accounts.production" in told.stderr
    assert "an account id of 12 digits" in told.stderr


def test_asking_takes_proposals_by_return_and_asks_again_for_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "rdk.json"
    answers = {
        "Regions": "\neu-west-1 us-east-1",  # nothing first: asked again
        "HomeRegion": "",  # the first Region is proposed
        "Accounts.delegated_admin": "200000000002",
        "Accounts.log_archive": "300000000003",
        "LogArchive.Buckets": "a-logs, b-logs-*",
        "Deployment.Recorder": "create",
    }
    typed = "".join(answers.get(question.place, "") + "\n" for question in QUESTIONS)
    told = CliRunner().invoke(app, ["init", "--settings", str(path)], input=typed)
    assert told.exit_code == 0, told.output
    content = json.loads(path.read_text("utf-8"))
    assert content["HomeRegion"] == "eu-west-1"
    assert content["LogArchive"]["Buckets"] == ["a-logs", "b-logs-*"]
    assert "This is needed." in told.output


def test_an_end_of_input_writes_nothing(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["init", "--settings", str(tmp_path / "rdk.json")], input="issuer\n")
    assert (told.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "without a terminal use options and --yes" in told.stderr
