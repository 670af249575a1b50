"""rdk takes our rule folders as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pci_config.catalogue import Catalogue


def test_rdk_makes_a_template_of_every_rule(root: Path, tmp_path: Path) -> None:
    rdk = Path(sys.executable).parent / "rdk"
    target = tmp_path / "rules.json"
    run = subprocess.run(
        [str(rdk), "--region", "eu-west-1", "create-rule-template", "--all", "--rules-only", "-o", str(target)],
        cwd=root / "rules",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-west-1"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    resources = json.loads(target.read_text("utf-8"))["Resources"]
    names = {r["Properties"]["ConfigRuleName"] for r in resources.values() if r["Type"] == "AWS::Config::ConfigRule"}
    assert names == set(Catalogue.load().rules)


def test_rdk_reads_over_a_further_fix(root: Path, tmp_path: Path) -> None:
    rule = tmp_path / "PCI_PASSWORD_POLICY"
    shutil.copytree(root / "rules" / rule.name, rule)
    document = json.loads((rule / "parameters.json").read_text("utf-8"))
    given = {"ResourceId": {"ResourceValue": {"Value": "RESOURCE_ID"}}}
    document["Parameters"]["FurtherRemediations"] = [{"TargetId": "Another", "Parameters": given}]
    (rule / "parameters.json").write_text(json.dumps(document), "utf-8")
    rdk = Path(sys.executable).parent / "rdk"
    run = subprocess.run(
        [str(rdk), "--region", "eu-west-1", "create-rule-template", rule.name, "-o", "made.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-west-1"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    made = json.loads((tmp_path / "made.json").read_text("utf-8"))["Resources"].values()
    (fix,) = (r for r in made if r["Type"] == "AWS::Config::RemediationConfiguration")
    assert fix["Properties"]["TargetId"] == "PciConfig-SetPasswordPolicy"
