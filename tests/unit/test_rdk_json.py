"""Every fault of rdk.json is named with file, field, value and what is expected."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pci_config.rdk_json import RdkJson, SettingsError, json_schema


@pytest.fixture
def document(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((root / "rdk.json").read_text("utf-8"))
    return loaded


def faults(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "rdk.json"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        RdkJson.load(path)
    assert all(problem.startswith(f"{path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_the_shipped_file_is_valid_and_fits_its_schema(root: Path, document: dict[str, Any]) -> None:
    rdk_json = RdkJson.load(root / "rdk.json")
    assert rdk_json.settings.network_tiers["database"].egress == ()
    assert rdk_json.settings.network_tiers["dmz"].ingress[0].ports == (443, 443)
    assert rdk_json.account_roles()["600000000006"] == "production"
    jsonschema.validate(document, json_schema())


def test_the_reference_matrix_is_the_shipped_one(document: dict[str, Any]) -> None:
    assert set(document["NetworkTiers"]) == {"dmz", "vpc-link", "card-api", "external-api", "service", "database"}


@pytest.mark.parametrize(
    ("regions", "warned"),
    [
        (["eu-west-1", "us-east-1"], False),
        (["us-east-1"], False),
        (["eu-west-1", "us-gov-west-1"], True),
        (["eu-west-1"], True),
        (["cn-north-1", "cn-northwest-1"], False),
        (["us-gov-west-1"], False),
    ],
)
def test_a_missing_region_of_cloudfront_is_warned_of(
    tmp_path: Path, document: dict[str, Any], regions: list[str], warned: bool
) -> None:
    path = tmp_path / "rdk.json"
    path.write_text(json.dumps(document | {"HomeRegion": regions[0], "Regions": regions}), "utf-8")
    warnings = RdkJson.load(path).warnings()
    assert len(warnings) == warned
    assert all(line.startswith(f"{path}: Regions: us-east-1 is missing: ") for line in warnings)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        target: Any = document
        for step in steps:
            target = target[int(step)] if isinstance(target, list) else target[step]
        target[int(last) if isinstance(target, list) else last] = value

    return apply


def remediation(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return change("Remediation.Rules", {"PCI_X": fields})


def test_remediation_of_a_rule(tmp_path: Path, document: dict[str, Any]) -> None:
    asked = {
        "Mode": "automatic", "MaximumAutomaticAttempts": 3, "RetryAttemptSeconds": 3600, "Parameters": {"AdminPortsOnly": "true"},
        "Approver": "network team", "IUnderstandThisCanCutTraffic": "PCI_X",
    }  # fmt: skip
    document["Remediation"] |= {"Approver": "security team", "Rules": {"PCI_X": asked, "PCI_Y": {}}}
    path = tmp_path / "rdk.json"
    path.write_text(json.dumps(document), "utf-8")
    found = RdkJson.load(path).remediation
    assert (found.approver, found.rules["PCI_X"].approver, found.rules["PCI_Y"].approver) == (
        "security team",
        "network team",
        None,
    )
    assert (found.rules["PCI_X"].mode, found.rules["PCI_Y"].mode) == ("automatic", "manual")
    jsonschema.validate(document, json_schema())
    asked["Mode"] = "sometimes"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (change("Accounts.production", "12"), "Accounts.production.0: '12' is not valid; expected an account id of 12 digits"),
        (change("Accounts.prod", "123456789012"), "Accounts.prod: 'prod' is not valid; expected one of management,"),
        (
            change("LogArchive.Destinations.Api", "arn:aws:sqs:eu-west-1:1:q"),
            "LogArchive.Destinations.Api: 'arn:aws:sqs:eu-west-1:1:q' is not valid; expected a bucket name or an ARN,",
        ),
        (
            change("LogArchive.Destinations.WebAcl", "arn:aws:s3:::${AWS::StackName}"),
            "LogArchive.Destinations.WebAcl: 'arn:aws:s3:::${AWS::StackName}' is not valid; expected a bucket name or an ARN,",
        ),
        (change("Accounts.production", []), "Accounts.production: is not valid; expected at least one entry"),
        (change("HomeRegion", "mars"), "HomeRegion: 'mars' is not valid; expected a Region such as eu-west-1"),
        (
            change("HomeRegion", "eu-north-1"),
            "HomeRegion: 'eu-north-1' is not among Regions; expected one of eu-west-1, us-east-1",
        ),
        (change("Regions", "eu-west-1"), "Regions: 'eu-west-1' is not valid; expected a list"),
        (
            change("LogArchive.Buckets.0", "No_Such"),
            "LogArchive.Buckets.0: 'No_Such' is not valid; expected a bucket name or a pattern",
        ),
        (
            change("NetworkTiers.dmz.Ingress.0.Ports", "99999"),
            "NetworkTiers.dmz.Ingress.0.Ports: '99999' is not valid; expected a port",
        ),
        (change("NetworkTiers.dmz.Ingress.0.Protocol", "sctp"), "Protocol: 'sctp' is not valid; expected tcp, udp, icmp"),
        (
            change("NetworkTiers.dmz.Ingress.0.Peers", ["world"]),
            "Peers.0: 'world' is not valid; expected a CIDR, vpc, self, internet",
        ),
        (change("NetworkTiers.dmz.Ingress.0.Peers", ["tier:dnz"]), "Peers: 'tier:dnz' names no tier; expected one of dmz,"),
        (change("NetworkTiers.dmz.Ingres", []), "NetworkTiers.dmz.Ingres: no such field: remove it or correct its name"),
        (change("RuleParameters.pci_x", {}), "RuleParameters.pci_x: 'pci_x' is not valid; expected a rule id"),
        (change("RuleParameters.PCI_X", {"A": 1}), "RuleParameters.PCI_X.A: 1 is not valid; expected text"),
        (change("Remediation.EvidenceBucket", "X"), "Remediation.EvidenceBucket: 'X' is not valid; expected a bucket name"),
        (remediation(Mode="always"), "Remediation.Rules.PCI_X.Mode: 'always' is not valid; expected 'manual' or 'automatic'"),
        (remediation(MaximumAutomaticAttempts=4), "MaximumAutomaticAttempts: 4 is not valid; expected 3 or less"),
        (remediation(MaximumAutomaticAttempts=0), "MaximumAutomaticAttempts: 0 is not valid; expected 1 or more"),
        (remediation(MaximumAutomaticAttempts="3"), "MaximumAutomaticAttempts: '3' is not valid; expected a whole number"),
        (remediation(RetryAttemptSeconds=3599), "RetryAttemptSeconds: 3599 is not valid; expected 3600 or more"),
        (remediation(RetryAttemptSeconds=2678001), "RetryAttemptSeconds: 2678001 is not valid; expected 2678000 or less"),
        (
            remediation(IUnderstandThisCanCutTraffic="yes"),
            "IUnderstandThisCanCutTraffic: 'yes' is not valid; expected a rule id",
        ),
        (remediation(Approver=""), "Approver: '' is not valid; expected text that is not empty"),
        (
            remediation(Parameters={"A-B": "x"}),
            "Parameters.A-B: 'A-B' is not valid; expected the name of a document's parameter",
        ),
        (remediation(Parameters={"A": ""}), "Parameters.A: '' is not valid; expected text that is not empty"),
        (remediation(Automatic=True), "Remediation.Rules.PCI_X.Automatic: no such field"),
        (lambda d: d.pop("LogArchive"), "LogArchive: required, but not there"),
        (lambda d: d.update(Extra=1), "Extra: no such field"),
    ],
)
def test_faults(tmp_path: Path, document: dict[str, Any], edit: Callable[[dict[str, Any]], Any], expected: str) -> None:
    broken = copy.deepcopy(document)
    edit(broken)
    problems = faults(tmp_path, json.dumps(broken))
    assert any(expected in problem for problem in problems), problems


def test_every_fault_is_reported_at_once(tmp_path: Path, document: dict[str, Any]) -> None:
    del document["LogArchive"]
    document["HomeRegion"] = "mars"
    assert len(faults(tmp_path, json.dumps(document))) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"Regions": [', "line 1, column 14"),
        ("[]", "the file: is not valid; expected an object"),
        ("", "line 1, column 1"),
        ('{"Regions": ["eu-west-1"], "Regions": []}', "'Regions' stands twice"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, expected: str) -> None:
    assert any(expected in problem for problem in faults(tmp_path, text))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        RdkJson.load(tmp_path / "absent.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        RdkJson.load(tmp_path / "b.json")
