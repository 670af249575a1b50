"""The Lambda bundle: the same bytes every time, and nothing in it that Lambda would not have."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pci_config.bundle import build_bundle
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "rules.zip"
    build_bundle(target, Catalogue.load(project_root()), RdkJson.load(project_root() / "rdk.json"))
    return target


def test_two_builds_are_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    build_bundle(again, Catalogue.load(project_root()), RdkJson.load(project_root() / "rdk.json"))
    assert again.read_bytes() == bundle.read_bytes()


def test_content(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
        assert {f"rules/{rule}.py" for rule in Catalogue.load(project_root()).rules} <= names
        assert {"pci_config/evaluator.py", "pci_config/rule.py", "rdklib/evaluation.py", "settings.json"} <= names
        assert not [name for name in names if name.endswith(("_test.py", "/cli.py")) or "sandbox" in name]
        assert "$schema" not in json.loads(archive.read("settings.json"))
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert bundle.stat().st_size < 300_000  # a small package keeps cold starts short


def test_every_rule_imports_from_the_bundle_alone(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys\n"
        f"sys.path[:0] = [{str(tmp_path)!r}]\n"
        "allowed = {'boto3', 'botocore', 'jmespath', 'urllib3', 'dateutil', 's3transfer', 'six', 'certifi', 'awscrt'}\n"
        "from pci_config import evaluator\n"
        "from pci_config.settings import Settings\n"
        f"for rule in {sorted(Catalogue.load(project_root()).rules)!r}:\n"
        "    assert evaluator.rule_of(rule).rule_id() == rule\n"
        "assert Settings.bundled().home_region == 'eu-west-1'\n"
        f"foreign = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in ('pci_config', 'rules', 'rdklib')"
        f" and not (m.__file__ or {str(tmp_path)!r}).startswith({str(tmp_path)!r})]\n"
        "assert not foreign, foreign\n"
        "heavy = {'pydantic', 'yaml', 'msgspec', 'moto', 'rich', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
