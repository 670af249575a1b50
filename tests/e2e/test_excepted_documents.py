"""Built documents and exceptions: what one in force covers is left alone, with success; everything else is fixed as before."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import test_built_documents
import yaml
from test_built_documents import ACCOUNT, FOLDER, OTHER, REGION, ROOT, aws, changing, execute, violations_of

from fix_testing import sample_settings
from pci_config import build
from pci_config.catalogue import Catalogue, CatalogueError
from pci_config.documents import build_document, document_names
from pci_config.exceptions import ExceptionEntry, ExceptionRegister

__all__ = ["aws"]  # the fixture that starts moto
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), sample_settings()
TODAY = datetime.now(UTC).date()
FIXED = {fix.document: (entry.id, fix.resource_parameter) for entry in CATALOGUE.rules.values() for fix in entry.fixes}


def accept(monkeypatch: pytest.MonkeyPatch, name: str, *entries: ExceptionEntry) -> None:
    """Build the document with these entries for what follows."""
    register = ExceptionRegister(entries).of_rules(CATALOGUE.rules_fixed_by(name))
    document = yaml.safe_load(build_document(FOLDER / name, RDK_JSON.document, register))
    monkeypatch.setitem(test_built_documents.DOCUMENTS, name, document)


def entry(rule: str, resource: str, **changes: Any) -> ExceptionEntry:
    values: dict[str, Any] = {
        "accounts": (ACCOUNT,), "regions": (REGION,), "reason": "Some {{ reason }}", "approver": "CISO", "ticket": "SEC-1",
        "compensating_control": "VPN", "created": TODAY - timedelta(days=9), "expires": TODAY + timedelta(days=9),
    } | changes  # fmt: skip
    return ExceptionEntry(rule=rule, resource=resource, **values)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_what_an_exception_covers_is_left_alone_and_fixed_when_it_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, parameter = FIXED[name]
    parameters = next(iter(violations_of(name).values()))()
    granted = entry(rule, parameters[parameter])
    accept(monkeypatch, name, granted)
    for dry_run in ("true", "false"):
        done = execute(name, parameters, dry_run)
        assert done.status == "Success", done.failure
        assert done.outputs["Remediate.Changed"] == ["false"]
        assert done.outputs["Remediate.Message"] == [
            f"excepted: nothing done; {parameters[parameter]} is accepted until {granted.expires} (SEC-1, {rule})"
        ]
        assert json.loads(done.outputs["Remediate.Calls"][0]) == []
        assert done.calls == [], "not even read"

    for other in (
        dataclasses.replace(granted, expires=TODAY - timedelta(days=1)),
        dataclasses.replace(granted, accounts=(OTHER,)),
        dataclasses.replace(granted, regions=("eu-central-1",)),
        dataclasses.replace(granted, resource=granted.resource + "0"),
        dataclasses.replace(granted, rule="PCI_ANOTHER_RULE"),
    ):
        accept(monkeypatch, name, other)
        done = execute(name, parameters, "true")
        assert (done.status, done.outputs["Remediate.Message"][0][:7]) == ("Success", "dry run")
        assert json.loads(done.outputs["Remediate.Calls"][0])
    done = execute(name, parameters, "false")
    assert done.outputs["Remediate.Changed"] == ["true"]
    assert changing(done.calls)


def test_an_arn_counts_where_the_document_knows_the_id_only(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PciConfig-LimitSecurityGroupEgress"
    parameters = next(iter(violations_of(name).values()))()
    arn = f"arn:aws:ec2:{REGION}:*:security-group/{parameters['GroupId']}"
    accept(monkeypatch, name, entry("PCI_SECURITY_GROUP_EGRESS_LIMITED", arn))
    assert execute(name, parameters, "false").outputs["Remediate.Message"][0].startswith("excepted: nothing done")


def test_an_excepted_classic_load_balancer_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"ListenerArn": "legacy-pos"}
    name = "PciConfig-RedirectListenerToHttps"
    assert execute(name, parameters, "false").status == "Failed", "a human decides"
    accept(monkeypatch, name, entry("PCI_LISTENER_TLS_ONLY", "legacy-pos"))
    assert execute(name, parameters, "false").status == "Success"


@pytest.mark.parametrize("name", document_names(FOLDER))
def test_account_region_and_entries_are_no_parameters(name: str) -> None:
    document = yaml.safe_load(build_document(FOLDER / name, RDK_JSON.document))
    (step,) = document["mainSteps"]
    payload = step["inputs"]["InputPayload"]
    assert payload["AccountId"] == "{{ global:ACCOUNT_ID }}"
    assert payload["Region"] == "{{ global:REGION }}"
    assert not {"AccountId", "Region", "Now", "Today", "Exceptions"} & set(document["parameters"])


def test_a_document_carries_the_entries_of_its_own_rules_only() -> None:
    entries = ExceptionRegister(
        (
            entry("PCI_PASSWORD_POLICY", ACCOUNT, ticket="SEC-111"),
            entry("PCI_LISTENER_TLS_ONLY", "legacy-pos", ticket="SEC-222"),
        )
    )
    built = build.generate(ROOT, CATALOGUE, RDK_JSON, entries).built
    carrying = {path.stem: [t for t in ("SEC-111", "SEC-222") if t in text] for path, text in built.items()}
    assert {name: found for name, found in carrying.items() if found} == {
        "PciConfig-SetPasswordPolicy": ["SEC-111"],
        "PciConfig-RedirectListenerToHttps": ["SEC-222"],
        "PciConfig-SetListenerTlsPolicy": ["SEC-222"],
    }
    assert not any("Some {{ reason }}" in text for text in built.values()), "texts that matching does not need stay outside"


def test_too_many_entries_for_a_document_are_named(tmp_path: Path) -> None:
    many = ExceptionRegister(
        tuple(
            entry("PCI_LISTENER_TLS_ONLY", f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/name-{n}/*")
            for n in range(400)
        )
    )
    with pytest.raises(
        CatalogueError, match=r"bytes when built \(400 exceptions are part of it\); Systems Manager takes 65536"
    ):
        build_document(FOLDER / "PciConfig-RedirectListenerToHttps", RDK_JSON.document, many)


def test_days_are_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last day are included."""
    name = "PciConfig-SetPasswordPolicy"
    parameters = next(iter(violations_of(name).values()))()
    whole: tuple[date, date] = (TODAY, TODAY)
    accept(monkeypatch, name, entry("PCI_PASSWORD_POLICY", ACCOUNT, created=whole[0], expires=whole[1]))
    assert execute(name, parameters, "false").outputs["Remediate.Message"][0].startswith("excepted")
