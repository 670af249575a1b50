"""What every rule folder must hold, and that its parts agree with each other."""

from __future__ import annotations

import inspect
import json
import re
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pci_config.catalogue import PACKAGE, Catalogue, CatalogueError, Fix, RuleEntry, default_text, project_root
from pci_config.rule import NoParameters, PciRule
from pci_config.settings import Settings

CATALOGUE = Catalogue.load(project_root())
ENTRIES = list(CATALOGUE.rules.values())
LAMBDA_SIDE = ("rule", "evaluator", "items", "settings")


@pytest.fixture(params=ENTRIES, ids=lambda entry: entry.id)
def entry(request: pytest.FixtureRequest) -> RuleEntry:
    found: RuleEntry = request.param
    return found


def test_the_six_rules_are_there() -> None:
    assert {
        "PCI_SECURITY_GROUP_EGRESS_LIMITED",
        "PCI_LISTENER_TLS_ONLY",
        "PCI_PASSWORD_POLICY",
        "PCI_LOAD_BALANCER_LOG_DELIVERED",
        "PCI_TRAIL_DELIVERED",
        "PCI_ARCHIVE_LIFECYCLE",
    } <= set(CATALOGUE.rules)


def test_class_and_metadata_agree(entry: RuleEntry) -> None:
    cls = entry.rule_class
    assert cls.resource_types == entry.resource_types
    assert cls.is_periodic() == (entry.periodic is not None)
    assert (cls.decide is not PciRule.decide) == bool(entry.resource_types)
    defaults = default_text(cls) if cls.parameters is not NoParameters else {}
    assert {name: value or "" for name, value in entry.parameters.items()} == defaults
    assert cls(Settings()).evaluate_parameters({k: v for k, v in entry.parameters.items() if v is not None}) == cls.parameters()


def test_docstring_names_the_requirements(entry: RuleEntry) -> None:
    text = inspect.getdoc(entry.rule_class) or ""
    for number in entry.requirements["4.0.1"]:
        assert number in text, f"{entry.id}: {number} is not in the docstring"


def test_requirement_numbers_exist(entry: RuleEntry) -> None:
    for number in entry.requirements["4.0.1"]:
        assert number in CATALOGUE.requirements
    assert entry.requirements["4.0.1"]


def test_texts_fit_aws_limits(entry: RuleEntry) -> None:
    assert 0 < len(entry.description) <= 256  # PutConfigRule
    assert len(entry.id) <= 64  # DeleteEvaluationResults


def test_the_lambda_handler_is_there(entry: RuleEntry) -> None:
    source = (entry.folder / f"{entry.id}.py").read_text("utf-8")
    assert f"lambda_handler = {entry.rule_class.__name__}.as_lambda_handler()" in source


def test_every_rule_has_tests_that_both_runners_see(entry: RuleEntry) -> None:
    source = (entry.folder / f"{entry.id}_test.py").read_text("utf-8")
    assert re.search(r"class \w+\((unittest\.)?TestCase\)", source)
    assert len(re.findall(r"^    def test_", source, re.MULTILINE)) >= 4
    assert not re.search(r"^def test_", source, re.MULTILINE), "rdk test-local does not see pytest-style functions"
    assert unittest.TestCase is not None


def test_lookups_are_declared(entry: RuleEntry) -> None:
    source = (entry.folder / f"{entry.id}.py").read_text("utf-8")
    asked = set(re.findall(r"facts\.get\((\w+)", source))
    assert asked <= {lookup.__name__ for lookup in entry.rule_class.lookups} | {"lookup"}
    for lookup in entry.rule_class.lookups:
        assert lookup.actions, f"{lookup.__name__} declares no IAM action"


@pytest.mark.parametrize("name", LAMBDA_SIDE)
def test_lambda_side_imports_only_what_lambda_has(name: str) -> None:
    check_imports(PACKAGE / f"{name}.py")


def test_rules_import_only_what_lambda_has(entry: RuleEntry) -> None:
    check_imports(entry.folder / f"{entry.id}.py")


def check_imports(path: Path) -> None:
    import ast
    import sys

    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.split(".")[0]
            if path.name == "exceptions.py" and top == "yaml":
                continue
            assert top in sys.stdlib_module_names | {"boto3", "botocore", "rdklib", "pci_config"}, f"{path}: imports {name}"


def test_managed_rules_have_known_numbers() -> None:
    for rule in CATALOGUE.managed_rules.values():
        assert set(rule.requirements["4.0.1"]) <= set(CATALOGUE.requirements)
        assert rule.region_scope in ("regional", "global")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["Parameters"].pop("RuleName"), "RuleName"),
        (lambda d: d["Parameters"].update(RuleName="PCI_OTHER"), "'PCI_OTHER' is not valid; expected PCI_X"),
        (lambda d: d.update(Tags="[]"), "pci:4.0.1"),
        (lambda d: d.update(Tags=d["Tags"].replace("high", "urgent")), "'urgent' is not valid; expected low or medium"),
    ],
)
def test_contradicting_folders_are_named(tmp_path: Path, edit: object, message: str) -> None:
    assert loaded(tmp_path, lambda document: None).rules["PCI_X"].severity == "high"
    with pytest.raises(CatalogueError, match=re.escape(message)):
        loaded(tmp_path, edit)  # type: ignore[arg-type]


def loaded(root: Path, edit: Callable[[dict[str, Any]], Any]) -> Catalogue:
    """The catalogue of one small rule whose parameters.json was edited."""
    folder = root / "rules" / "PCI_X"
    folder.mkdir(parents=True, exist_ok=True)
    tags = {"pci:4.0.1": "1.3.2", "pci:3.2.1": "", "pci:severity": "high", "pci:region-scope": "regional", "pci:seed": "S1"}
    document: dict[str, Any] = {
        "Version": "1.0",
        "Parameters": {"RuleName": "PCI_X", "Description": "x", "InputParameters": "{}", "SourceEvents": "AWS::S3::Bucket"},
        "Tags": json.dumps([{"Key": key, "Value": value} for key, value in tags.items()]),
    }
    edit(document)
    (folder / "PCI_X.py").write_text("", "utf-8")
    (folder / "parameters.json").write_text(json.dumps(document), "utf-8")
    return Catalogue.load(root)


RESOURCE_ID = {"ResourceValue": {"Value": "RESOURCE_ID"}}
DRY_RUN = {"StaticValue": {"Values": ["true"]}}
FIRST = {"TargetId": "A", "Parameters": {"Name": RESOURCE_ID}, "MaximumAutomaticAttempts": 3, "RetryAttemptSeconds": 86400}
SECOND = {"TargetId": "B", "Parameters": {"DryRun": DRY_RUN, "Bucket": RESOURCE_ID}}


def fixes(first: object, further: object) -> Callable[[dict[str, Any]], Any]:
    given = {"Remediation": first, "FurtherRemediations": further}
    return lambda document: document["Parameters"].update({name: value for name, value in given.items() if value is not None})


def test_a_rule_may_have_further_fixes(tmp_path: Path) -> None:
    catalogue = loaded(tmp_path, fixes(FIRST, [SECOND]))
    rule = catalogue.rules["PCI_X"]
    assert rule.remediation
    assert (rule.remediation.document, rule.remediation.maximum_automatic_attempts) == ("A", 3)
    assert rule.remediation.retry_attempt_seconds == 86400
    assert rule.further_remediations == (Fix("B", {"DryRun": DRY_RUN, "Bucket": RESOURCE_ID}),)
    assert [(fix.document, fix.resource_parameter) for fix in rule.fixes] == [("A", "Name"), ("B", "Bucket")]
    assert [catalogue.rules_fixed_by(name) for name in ("A", "B", "C")] == [["PCI_X"], ["PCI_X"], []]


def test_a_rule_may_have_only_fixes_that_people_start(tmp_path: Path) -> None:
    rule = loaded(tmp_path, fixes(None, [SECOND])).rules["PCI_X"]
    assert (rule.remediation, [fix.document for fix in rule.fixes]) == (None, ["B"])
    assert loaded(tmp_path, fixes(None, None)).rules["PCI_X"].fixes == ()


@pytest.mark.parametrize(
    ("first", "further", "message"),
    [
        (FIRST, SECOND, "FurtherRemediations is no list"),
        (FIRST, ["B"], "FurtherRemediations.0: expected an object with TargetId"),
        (FIRST, [SECOND, {**SECOND, "TargetId": 3}], "FurtherRemediations.1: expected an object with TargetId"),
        (FIRST, [{**SECOND, "TargetId": ""}], "FurtherRemediations.0: expected an object with TargetId"),
        (FIRST, [{"TargetId": "B"}], "FurtherRemediations.0: Parameters is no object"),
        (FIRST, [{**SECOND, "Automatic": "True"}], "FurtherRemediations.0: Automatic: only people start it"),
        (FIRST, [{**SECOND, "TargetId": "A"}], "FurtherRemediations.0: A is there already"),
        (None, [SECOND, SECOND], "FurtherRemediations.1: B is there already"),
        (FIRST, [{"TargetId": "B", "Parameters": {"DryRun": DRY_RUN}}], "no parameter: exactly one takes RESOURCE_ID"),
        (
            FIRST,
            [{"TargetId": "B", "Parameters": {"X": RESOURCE_ID, "Y": RESOURCE_ID}}],
            "X, Y: exactly one takes RESOURCE_ID",
        ),
        (FIRST, [{"TargetId": "B", "Parameters": {"X": "true"}}], "FurtherRemediations.0: Parameters.X is 'true'; expected"),
        (FIRST, [{"TargetId": "B", "Parameters": {"X": {"ResourceValue": {"Value": "ID"}}}}], "Parameters.X is"),
        (FIRST, [{"TargetId": "B", "Parameters": {"X": {"StaticValue": {"Values": []}}}}], "Parameters.X is"),
        (FIRST, [{"TargetId": "B", "Parameters": {"X": {"StaticValue": {"Values": ["a", ""]}}}}], "Parameters.X is"),
        (FIRST, [{"TargetId": "B", "Parameters": {"X": {**DRY_RUN, **RESOURCE_ID}}}], "Parameters.X is"),
        ({**FIRST, "TargetId": None}, [], "Remediation: expected an object with TargetId"),
        ({**FIRST, "RetryAttemptSeconds": "soon"}, [], "Remediation: ValueError"),
        ({"TargetId": "A", "Parameters": {"Name": RESOURCE_ID}}, [], "KeyError('MaximumAutomaticAttempts')"),
    ],
)
def test_odd_fixes_are_named(tmp_path: Path, first: object, further: object, message: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(message)) as raised:
        loaded(tmp_path, fixes(first, further))
    assert str(raised.value).startswith(str(tmp_path / "rules" / "PCI_X" / "parameters.json"))


@pytest.mark.parametrize("allowed", [True, False, {"AdminPortsOnly": "true"}])
def test_what_may_be_automatic_stands_in_the_folder(tmp_path: Path, allowed: object) -> None:
    catalogue = loaded(tmp_path, lambda document: document["Parameters"].update(AutomaticAllowed=allowed))
    assert catalogue.rules["PCI_X"].automatic_allowed == allowed
    assert loaded(tmp_path, lambda document: None).rules["PCI_X"].automatic_allowed is False


@pytest.mark.parametrize("allowed", ["True", 1, {}, {"A": ""}, {"A": True}, None])
def test_odd_permissions_to_be_automatic_are_named(tmp_path: Path, allowed: object) -> None:
    with pytest.raises(CatalogueError, match=re.escape(f"parameters.json: AutomaticAllowed: {allowed!r} is not valid")):
        loaded(tmp_path, lambda document: document["Parameters"].update(AutomaticAllowed=allowed))


def test_no_rules_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    with pytest.raises(CatalogueError, match="no rule folder"):
        Catalogue.load(tmp_path)
