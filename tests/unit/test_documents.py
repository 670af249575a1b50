"""Building documents: inlining, limits, and that what is built still says the same."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest
import yaml

from pci_config.catalogue import Catalogue, CatalogueError, documents_folder, project_root
from pci_config.documents import MAX_DOCUMENT_BYTES, build_document, document_names, inlined_script, narrowed, restore_names
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.rdk_json import RdkJson

FOLDER = documents_folder(project_root())
RDK_JSON = RdkJson.load(project_root() / "rdk.json")
CATALOGUE = Catalogue.load()


@pytest.fixture(params=document_names(FOLDER))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_fix_of_the_catalogue_is_there_with_its_way_back() -> None:
    without_way_back = {"PciConfig-RevokeExpiredProductionAccess"}  # a new approval is the way back: its page says so
    assert set(document_names(FOLDER)) == set(restore_names(FOLDER)) | without_way_back
    assert {
        "PciConfig-CreateNetworkChangeAlerts", "PciConfig-EnableApiLogs", "PciConfig-EnableFlowLogs",
        "PciConfig-EnableLoadBalancerLogs", "PciConfig-EnableRepositoryScanning", "PciConfig-EnableSecurityHubStandards",
        "PciConfig-EnableWafLogs", "PciConfig-ExportDatabaseLogs", "PciConfig-ExtendRecorder",
        "PciConfig-LimitSecurityGroupEgress", "PciConfig-LimitSecurityGroupIngress", "PciConfig-RedirectListenerToHttps",
        "PciConfig-RepairTrail", "PciConfig-RevokeExpiredProductionAccess", "PciConfig-SetApiDomainTlsPolicy",
        "PciConfig-SetArchiveLifecycle", "PciConfig-SetDistributionTls", "PciConfig-SetListenerTlsPolicy",
        "PciConfig-SetPasswordPolicy",
    } == set(document_names(FOLDER))  # fmt: skip


def test_built_documents_fit_and_compile(name: str) -> None:
    text = build_document(FOLDER / name, RDK_JSON.document)
    assert len(text.encode()) < MAX_DOCUMENT_BYTES
    document = yaml.safe_load(text)
    (step,) = document["mainSteps"]
    script = step["inputs"]["Script"]
    tree = ast.parse(script, feature_version=(3, 11))
    imported = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "pci_config" not in imported
    assert any(isinstance(node, ast.FunctionDef) and node.name == "handler" for node in tree.body)
    assert step["inputs"]["Runtime"] == "python3.11"


def test_a_narrowed_script_says_the_same(name: str) -> None:
    script = inlined_script(FOLDER / name / "script.py", "handler", RDK_JSON.document)
    assert ast.dump(ast.parse(narrowed(script))) == ast.dump(ast.parse(script))
    assert len(narrowed(script)) < len(script)


def test_a_large_organization_fits(name: str) -> None:
    """A hundred production accounts, and an exception for a rule in twenty of them."""
    accounts = {**RDK_JSON.document["Accounts"], "production": [f"{600000000000 + n}" for n in range(100)]}
    (fixed, *_) = CATALOGUE.rules_fixed_by(name)
    excepted = ExceptionEntry(
        rule=fixed, accounts=tuple(accounts["production"][:20]), regions=("eu-west-1",), resource="*", reason="none",
        approver="head of platform", ticket="SEC-1", compensating_control="none", created=date(2026, 1, 1),
        expires=date(2026, 12, 31),
    )  # fmt: skip
    settings = {**RDK_JSON.document, "Accounts": accounts}
    assert len(build_document(FOLDER / name, settings, ExceptionRegister((excepted,))).encode()) < MAX_DOCUMENT_BYTES


def test_documents_follow_the_house_rules(name: str) -> None:
    document = yaml.safe_load(build_document(FOLDER / name, RDK_JSON.document))
    for heading in ("## What it does", "## What it may break", "## How to undo"):
        assert heading in document["description"]
    assert document["assumeRole"] == "{{ AutomationAssumeRole }}"
    parameters = document["parameters"]
    assert parameters["DryRun"]["default"] == "true"
    assert parameters["DryRun"]["allowedValues"] == ["true", "false"]
    for parameter, spec in parameters.items():
        assert spec.get("description"), f"{name}: {parameter} has no description"
        assert len(parameter) <= 50
        assert "allowedPattern" in spec or "allowedValues" in spec, f"{name}: {parameter} takes anything"
    assert len(name) >= 3
    assert not name.lower().startswith(("aws", "amazon", "amzn"))


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "script.py"
    path.write_text(text, "utf-8")
    return path


def test_inlined_scripts_hold_modules_once_and_settings(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        '"""A script."""\n\nfrom __future__ import annotations\n\nimport json\n\n'
        "from pci_config.runbook import carry_out\nfrom pci_config.settings import Settings\n\n"
        "SETTINGS: dict = {}  # replaced by the build\n\n\n"
        "def handler(events, context):\n    return Settings.from_mapping(SETTINGS).archive_account\n",
    )
    text = inlined_script(path, "handler", RDK_JSON.document)
    assert text.count("class Settings:") == 1
    assert text.startswith("from __future__ import annotations\n")
    assert "from pci_config" not in text
    namespace: dict[str, object] = {"__name__": "inlined"}
    import sys
    import types

    module = types.ModuleType("inlined")
    sys.modules["inlined"] = module
    try:
        exec(compile(text, "inlined", "exec"), module.__dict__)  # noqa: S102 - what Automation does with it
        assert module.handler({}, None) == "300000000003"
    finally:
        del sys.modules["inlined"]
    assert namespace


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import pci_config.runbook\n", "line 1: write `from pci_config.module import name`"),
        ("from pci_config import runbook\n", "line 1: write `from pci_config.module import name`"),
        ("from pci_config.runbook import aws as client\n", "line 1: write"),
        ("x = 1\nfrom pci_config.nothing import x\n", "line 2: there is no module pci_config.nothing"),
        ("from pci_config.runbook import aws\n\n\nclass Refused:\n    pass\n", "'Refused' is defined by two"),
        ("x = '{{ y }}'\n", "is taken for a variable by Automation"),
    ],
)
def test_what_cannot_be_inlined_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        inlined_script(script(tmp_path, text + "\n\ndef handler(events, context):\n    return x\n"), "handler", {})


def test_a_document_over_64_kb_is_refused(tmp_path: Path) -> None:
    script(tmp_path, "def handler(events, context):\n" + "    print('padding padding padding')\n" * 3000 + "    return {}\n")
    (tmp_path / "document.yaml").write_text("description: Pads\n", "utf-8")
    with pytest.raises(CatalogueError, match="Systems Manager takes 65536"):
        build_document(tmp_path, {})
