"""The register as a user meets it: `exceptions check`, `assess` and `build`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from generated import artefacts
from typer.testing import CliRunner

from pci_config import build
from pci_config.bundle import build_bundle
from pci_config.catalogue import Catalogue, project_root
from pci_config.cli import app
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.automatic import remediate
from pci_config.sandbox.config_service import ConfigState

ROOT = project_root()
TODAY = datetime.now(UTC).date()
GROUP = "sg-0c0ffee1234567890"
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json")


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "rule": "PCI_SECURITY_GROUP_EGRESS_LIMITED", "accounts": ["123456789012"], "regions": ["eu-west-1"], "resource": GROUP,
        "reason": "Terminals of series 4", "approver": "CISO", "ticket": "SEC-9", "compensating_control": "VPN only",
        "created": TODAY - timedelta(days=40), "expires": TODAY + timedelta(days=100),
    } | changes  # fmt: skip


ENDED = {"created": TODAY - timedelta(days=90), "expires": TODAY - timedelta(days=1), "ticket": "SEC-1"}


@pytest.fixture
def folder(tmp_path: Path, sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings that know the samples' account, and a snapshot of one wrong group."""
    settings = json.loads((ROOT / "rdk.json").read_text("utf-8"))
    settings["Accounts"]["development"] = ["800000000008", "123456789012"]
    (tmp_path / "rdk.json").write_text(json.dumps(settings), "utf-8")
    (tmp_path / "snapshot.json").write_text(json.dumps({"configurationItems": [sample("AWS_EC2_SecurityGroup")]}), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register(folder: Path, *entries: dict[str, Any]) -> None:
    (folder / "exceptions.yaml").write_text(yaml.safe_dump({"exceptions": list(entries)}, sort_keys=False), "utf-8")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def assess(*arguments: str) -> Any:
    return run("assess", "--snapshot", "snapshot.json", "--rules", "PCI_SECURITY_GROUP_EGRESS_LIMITED", *arguments)


# ------------------------------------------------------------------------------------------------------------- assess


def test_assess_tells_what_became_of_every_entry(folder: Path) -> None:
    register(folder, entry(), entry(**ENDED), entry(resource="sg-1", ticket="SEC-3"))
    done = assess("--format", "json", "--output", "results.json")
    assert done.exit_code == 0, "an accepted deviation is no finding"
    document = json.loads((folder / "results.json").read_text("utf-8"))
    schema = json.loads((ROOT / "docs" / "schemas" / "result.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    (result,) = document["results"]
    assert result["compliance"] == "EXCEPTED"
    assert result["annotation"].startswith(f"accepted until {TODAY + timedelta(days=100)} (SEC-9): Terminals of series 4. ")
    assert [(e["ticket"], e["state"], e["used"], e["open"], e["assessed"]) for e in document["exceptions"]] == [
        ("SEC-9", "in-force", 1, 0, True), ("SEC-1", "expired", 0, 0, True), ("SEC-3", "in-force", 0, 0, True),
    ]  # fmt: skip
    table = assess().output
    assert "Accepted deviations" in table
    assert "expired: " in table
    assert "unused: " in table
    page = assess("--format", "html").output
    for text in ("Terminals of series 4", "VPN only", "CISO", "SEC-9", "Unused", str(TODAY + timedelta(days=100))):
        assert text in page.split('<section id="exceptions"')[1].partition("</section>")[0]


def test_an_ended_entry_makes_the_finding_count_again(folder: Path) -> None:
    register(folder, entry(**ENDED))
    done = assess("--format", "json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["results"][0]["compliance"]) == (1, "NON_COMPLIANT")
    assert (document["exceptions"][0]["state"], document["exceptions"][0]["open"]) == ("expired", 1)


def test_two_jobs_count_the_same(folder: Path) -> None:
    snapshot = json.loads((folder / "snapshot.json").read_text("utf-8"))
    items = [{**snapshot["configurationItems"][0], "resourceId": f"sg-{n}"} for n in range(6)]
    (folder / "snapshot.json").write_text(json.dumps({"configurationItems": items}), "utf-8")
    register(folder, entry(resource="sg-4"))
    for jobs in "12":
        document = json.loads(assess("--format", "json", "--jobs", jobs).stdout)
        assert [e["used"] for e in document["exceptions"]] == [1]


def test_an_entry_that_could_never_work_stops_the_assessment(folder: Path) -> None:
    register(folder, entry(rule="PCI_SECURITY_GROUP_EGRES_LIMITED"))
    done = assess()
    assert done.exit_code == 2
    assert (
        "exceptions.yaml: line 2: rule: 'PCI_SECURITY_GROUP_EGRES_LIMITED' is no rule of this catalogue; did you mean"
        in done.output
    )


# -------------------------------------------------------------------------------------------------------------- check


def test_check_without_entries(folder: Path) -> None:
    register(folder)
    done = run("exceptions", "check")
    assert (done.exit_code, done.output) == (0, "0 valid entries\n")


def test_check_names_state_line_and_text(folder: Path) -> None:
    register(folder, entry(), entry(expires=TODAY + timedelta(days=20), ticket="SEC-2"))
    done = run("exceptions", "check")
    assert done.exit_code == 0
    assert "Expires soon: fix the resource, or have the deviation approved again (1)" in done.output
    assert f"exceptions.yaml: line 14: PCI_SECURITY_GROUP_EGRESS_LIMITED {GROUP}" in done.output
    assert "SEC-2, approved by CISO: Terminals of series 4" in done.output
    assert "In force (1)" in done.output
    assert done.output.endswith("2 valid entries\n")
    assert "Expires soon" not in run("exceptions", "check", "--within", "19").output
    assert (
        "Expires soon: fix the resource, or have the deviation approved again (2)"
        in run("exceptions", "check", "--within", "100").output
    )


def test_check_fails_for_what_is_over(folder: Path) -> None:
    register(folder, entry(**ENDED))
    done = run("exceptions", "check")
    assert done.exit_code == 1
    assert "Expired: its findings count again; delete the entry once they are fixed (1)" in done.output


def test_check_with_results_names_the_unused(folder: Path) -> None:
    register(folder, entry(), entry(resource="sg-1", ticket="SEC-3"), entry(regions=["us-east-1"], ticket="SEC-4"))
    assess("--format", "json", "--output", "results.json")
    done = run("exceptions", "check", "--results", "results.json", "--format", "json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["valid"] is True
    assert [(e["ticket"], e["shown_as"], e["used"], e["line"]) for e in told["entries"]] == [
        ("SEC-9", "in-force", 1, 2), ("SEC-3", "unused", 0, 14), ("SEC-4", "in-force", 0, 26),
    ]  # fmt: skip
    text = run("exceptions", "check", "--results", "results.json").output
    assert "Unused: nothing was found that it accepts; delete the entry (1)" in text
    assert "1 cannot be called used or unused: the results do not cover its rule, accounts and Regions" in text
    assert run("exceptions", "check").exit_code == 0, "without results nothing can be called unused"


def test_check_of_an_invalid_register(folder: Path) -> None:
    register(folder, entry(resource="*", approver="TBD"))
    done = run("exceptions", "check")
    assert done.exit_code == 2
    assert "exceptions.yaml: line 7: resource: '*' is an id with a wildcard" in done.output
    assert "exceptions.yaml: line 9: approver: 'TBD' says nothing; expected a person or a function" in done.output
    told = json.loads(run("exceptions", "check", "--format", "json").stdout)
    assert told["valid"] is False
    assert [(p["line"], p["field"]) for p in told["problems"]] == [(7, "resource"), (9, "approver")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--exceptions", "absent.yaml"), "absent.yaml: cannot be read"),
        (("--settings", "absent.json"), "absent.json: cannot be read"),
        (("--results", "absent.json"), "absent.json: cannot be read"),
        (("--results", "exceptions.yaml"), "exceptions.yaml: is not JSON"),
        (("--results", "snapshot.json"), "snapshot.json: is no results document"),
    ],
)
def test_check_of_what_cannot_be_read(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    register(folder, entry())
    done = run("exceptions", "check", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    told = json.loads(run("exceptions", "check", *arguments, "--format", "json").stdout)
    assert message in told["problems"][0]["message"] or told["problems"][0]["message"].startswith("cannot be read")


# -------------------------------------------------------------------------------------------------------------- build


def built(**changes: Any) -> ExceptionEntry:
    return ExceptionEntry.from_json(
        {name: str(v) if name in ("created", "expires") else v for name, v in entry(**changes).items()}
    )


def test_build_reads_the_register_beside_the_settings(folder: Path) -> None:
    register(folder, entry(ticket="later"))
    done = run("build", "--check", "--settings", str(folder / "rdk.json"))
    assert done.exit_code == 2
    assert f"{folder / 'exceptions.yaml'}: line 10: ticket: 'later' is no ticket" in done.output
    (folder / "exceptions.yaml").unlink()
    done = run("build", "--check", "--settings", str(folder / "rdk.json"))
    assert (done.exit_code, "exceptions.yaml: cannot be read" in done.output) == (2, True)


def test_build_check_tells_when_a_new_entry_is_not_built_in(folder: Path) -> None:
    register(folder, entry())
    done = run("build", "--check", "--settings", str(folder / "rdk.json"))
    assert done.exit_code == 1
    assert "conformance_pack.yaml: out of date" in done.output
    assert "org_setup/member_documents_1/template.yaml: out of date" in done.output


def schedules(text: str) -> set[str]:
    return {
        resource["Properties"]["ConfigRuleName"]
        for resource in yaml.safe_load(text)["Resources"].values()
        for detail in resource["Properties"].get("Source", {}).get("SourceDetails", ())
        if detail.get("MaximumExecutionFrequency") == "TwentyFour_Hours"
    }


def test_a_rule_that_the_register_names_is_asked_every_day() -> None:
    pack = Path("conformance_pack.yaml")
    before = artefacts().checked_in
    after = build.generate(
        ROOT, CATALOGUE, RDK_JSON, ExceptionRegister((built(), built(rule="PCI_LISTENER_TLS_ONLY")))
    ).checked_in
    assert schedules(after[pack]) - schedules(before[pack]) == {"PCI_SECURITY_GROUP_EGRESS_LIMITED"}
    assert schedules(before[pack]) <= schedules(after[pack])
    name = Path("conformance_pack_global.yaml")
    assert after[name] == before[name]


def test_the_bundle_carries_every_entry_and_is_the_same_every_time(tmp_path: Path) -> None:
    entries = ExceptionRegister((built(), built(**ENDED)))
    sums = {build_bundle(tmp_path / f"{n}.zip", CATALOGUE, RDK_JSON, entries) for n in range(2)}
    assert len(sums) == 1
    with zipfile.ZipFile(tmp_path / "0.zip") as archive:
        assert ExceptionRegister.from_json(json.loads(archive.read("exceptions.json"))) == entries
    assert build_bundle(tmp_path / "none.zip", CATALOGUE, RDK_JSON) not in sums


# -------------------------------------------------------------------------------------------------------- remediation


def test_automatic_remediation_leaves_accepted_deviations_alone() -> None:
    state, now = ConfigState(), datetime.now(UTC)
    state.remediations["rule"] = {"Automatic": True, "MaximumAutomaticAttempts": 3, "RetryAttemptSeconds": 60}
    verdicts = {
        "a": ("NOT_APPLICABLE", "accepted until 2027-03-31 (SEC-1): reason. port 22"),
        "b": ("NON_COMPLIANT", "port 22"),
    }
    token = state.evaluations.token_for("rule", now)
    state.evaluations.put(
        token,
        [
            {"ComplianceResourceType": "T", "ComplianceResourceId": name, "ComplianceType": kind, "Annotation": text,
             "OrderingTimestamp": now}
            for name, (kind, text) in verdicts.items()
        ],
    )  # fmt: skip
    started: list[str] = []
    assert remediate(state, lambda _, key: started.append(key["resourceId"]), now) == 1
    assert started == ["b"]
