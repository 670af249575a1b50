"""Manual by default; automatic where the rule allows it, or where rdk.json holds the written opt-in, and with limits that stop a fight."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from generated import artefacts

from pci_config.automatic import check, start_of
from pci_config.catalogue import Catalogue, CatalogueError, Remediation, project_root
from pci_config.pack import build_pack
from pci_config.pack_limits import MAX_S3_TEMPLATE_BYTES
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.automatic import remediate
from pci_config.sandbox.config_service import ConfigState
from pci_config.sandbox.pack_template import evaluate

ROOT = project_root()
CATALOGUE = Catalogue.load(ROOT)
LOGS, EGRESS, INGRESS = (
    "PCI_LOAD_BALANCER_LOG_DELIVERED",
    "PCI_SECURITY_GROUP_EGRESS_LIMITED",
    "PCI_SECURITY_GROUP_INGRESS_LIMITED",
)
PSEUDO = {"AWS::AccountId": "600000000006", "AWS::Region": "eu-west-1", "AWS::Partition": "aws"}
OPT_IN = "IUnderstandThisCanCutTraffic"


@pytest.fixture(scope="module")
def documents() -> Mapping[str, Any]:
    return artefacts().documents


def settings(folder: Path, rules: Mapping[str, Any], evidence: str | None = "card-issuer-pci-evidence", **more: Any) -> RdkJson:
    document = json.loads((ROOT / "rdk.json").read_text("utf-8"))
    document["Remediation"] = {"Rules": rules, **({"EvidenceBucket": evidence} if evidence else {})}
    document |= more
    path = folder / "rdk.json"
    path.write_text(json.dumps(document), "utf-8")
    return RdkJson.load(path)


def remediations(text: str) -> dict[str, Mapping[str, Any]]:
    """By rule, as they arrive in the production account."""
    return {
        resource.properties["ConfigRuleName"]: resource.properties
        for resource in evaluate(text, {}, PSEUDO, MAX_S3_TEMPLATE_BYTES)
        if resource.type == "AWS::Config::RemediationConfiguration"
    }


def value(properties: Mapping[str, Any], name: str) -> str:
    (found,) = properties["Parameters"][name]["StaticValue"]["Values"]
    return str(found)


def with_ingress_fix() -> Catalogue:
    """The catalogue in which the rule on ingress has a document that can be held to ports of administration."""
    parameters = {
        "GroupId": {"ResourceValue": {"Value": "RESOURCE_ID"}},
        "AdminPortsOnly": {"StaticValue": {"Values": ["false"]}},
    }
    fix = Remediation("PciConfig-LimitSecurityGroupIngress", MappingProxyType(parameters), 3, 86400)
    entry = dataclasses.replace(CATALOGUE.rules[INGRESS], remediation=fix)
    return dataclasses.replace(CATALOGUE, rules=MappingProxyType({**CATALOGUE.rules, INGRESS: entry}))


INGRESS_DOCUMENT = {
    "PciConfig-LimitSecurityGroupIngress": {
        "parameters": {
            "AutomationAssumeRole": {},
            "DryRun": {"allowedValues": ["true", "false"]},
            "GroupId": {"allowedPattern": "^sg-"},
            "AdminPortsOnly": {"allowedValues": ["true", "false"]},
        }
    }
}


def faults(tmp_path: Path, rules: Mapping[str, Any], documents: Mapping[str, Any], **more: Any) -> list[str]:
    rdk_json = settings(tmp_path, rules, **more)
    with pytest.raises(CatalogueError) as raised:
        check(with_ingress_fix(), rdk_json, {**documents, **INGRESS_DOCUMENT})
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{rdk_json.path}: Remediation.Rules.") for line in lines)
    return [line.removeprefix(f"{rdk_json.path}: Remediation.Rules.") for line in lines]


def test_manual_by_default_and_dry(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    found = remediations(build_pack(CATALOGUE, settings(tmp_path, {}), "regional", documents))
    assert LOGS in found
    for properties in found.values():
        assert (properties["Automatic"], value(properties, "DryRun")) == (False, "true")
        assert (properties["MaximumAutomaticAttempts"], properties["RetryAttemptSeconds"]) == (3, 86400)


def test_automatic_changes_that_rule_and_no_other(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    asked = {"Mode": "automatic", "MaximumAutomaticAttempts": 2, "RetryAttemptSeconds": 7200}
    before = remediations(build_pack(CATALOGUE, settings(tmp_path, {}), "regional", documents))
    text = build_pack(CATALOGUE, settings(tmp_path, {LOGS: asked}), "regional", documents)
    after = remediations(text)
    changed = after.pop(LOGS)
    before.pop(LOGS)
    assert after == before
    assert (changed["Automatic"], value(changed, "DryRun")) == (True, "false")
    assert (changed["MaximumAutomaticAttempts"], changed["RetryAttemptSeconds"]) == (2, 7200)
    assert value(changed, "AutomationAssumeRole") == "arn:aws:iam::200000000002:role/PciConfig-EnableLoadBalancerLogs"
    assert text == build_pack(CATALOGUE, settings(tmp_path, {LOGS: asked}), "regional", documents), "the same every time"


def test_the_limits_come_from_the_rule_unless_rdk_json_has_others(tmp_path: Path) -> None:
    start = start_of(CATALOGUE.rules[LOGS], settings(tmp_path, {LOGS: {"Mode": "automatic"}}))
    assert (start.automatic, start.maximum_automatic_attempts, start.retry_attempt_seconds) == (True, 3, 86400)


def test_a_fix_that_can_cut_traffic_needs_the_written_opt_in(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    (fault,) = faults(tmp_path, {EGRESS: {"Mode": "automatic"}}, documents)
    assert fault.startswith(
        f"{EGRESS}.Mode: 'automatic' is not valid; expected 'manual': PciConfig-LimitSecurityGroupEgress can cut"
    )
    assert fault.endswith(f'write "{OPT_IN}": "{EGRESS}" beside it')
    opted = settings(tmp_path, {EGRESS: {"Mode": "automatic", OPT_IN: EGRESS}})
    assert remediations(build_pack(CATALOGUE, opted, "regional", documents))[EGRESS]["Automatic"] is True


def test_an_opt_in_for_another_rule_is_none(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    found = faults(tmp_path, {EGRESS: {"Mode": "automatic", OPT_IN: LOGS}}, documents)
    assert found[0] == f"{EGRESS}.{OPT_IN}: '{LOGS}' is not valid; expected the rule's own name, '{EGRESS}'"
    assert len(found) == 2


def test_an_opt_in_alone_makes_nothing_automatic(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    rdk_json = settings(tmp_path, {EGRESS: {OPT_IN: EGRESS}})
    assert remediations(build_pack(CATALOGUE, rdk_json, "regional", documents))[EGRESS]["Automatic"] is False


@pytest.mark.parametrize("asked", [{}, {"Parameters": {"AdminPortsOnly": "false"}}, {OPT_IN: INGRESS}])
def test_ingress_is_automatic_for_admin_ports_only(tmp_path: Path, documents: Mapping[str, Any], asked: Any) -> None:
    (fault,) = faults(tmp_path, {INGRESS: {"Mode": "automatic", **asked}}, documents)
    assert fault == (
        f"{INGRESS}.Parameters.AdminPortsOnly: is 'false'; expected 'true': {INGRESS} may be automatic in no other way"
    )


def test_ingress_for_admin_ports_is_accepted(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    asked = {"Mode": "automatic", "Parameters": {"AdminPortsOnly": "true"}}
    check(with_ingress_fix(), settings(tmp_path, {INGRESS: asked}), {**documents, **INGRESS_DOCUMENT})


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        ("PCI_NO_SUCH_RULE", {"Mode": "automatic"}, ": no rule of that name"),
        ("PCI_ROUTE_LIMITED", {"Mode": "automatic", OPT_IN: "PCI_ROUTE_LIMITED"}, ": the rule has no remediation"),
        (LOGS, {"Parameters": {"DryRun": "false"}}, ".Parameters.DryRun: no parameter to set here; expected one of "),
        (LOGS, {"Parameters": {"LoadBalancer": "x"}}, ".Parameters.LoadBalancer: no parameter to set here"),
        (
            LOGS,
            {"Parameters": {"AllowManaged": "perhaps"}},
            "AllowManaged: 'perhaps' is not valid; PciConfig-EnableLoadBalancerLogs",
        ),
        (
            LOGS,
            {"Mode": "automatic", "Parameters": {"AllowManaged": "true"}},
            ".Parameters.AllowManaged: not with Mode 'automatic'",
        ),
        (
            "PCI_PASSWORD_POLICY",
            {"Parameters": {"MaxPasswordAge": "80"}},
            ".Parameters.MaxPasswordAge: set RuleParameters.PCI_PASSWORD_POLICY.MaxPasswordAge instead",
        ),
    ],
)
def test_faults(tmp_path: Path, documents: Mapping[str, Any], rule: str, asked: Any, expected: str) -> None:
    (fault,) = faults(tmp_path, {rule: asked}, documents)
    assert fault.startswith(rule)
    assert expected in fault


def test_automatic_needs_an_evidence_bucket(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    (fault,) = faults(tmp_path, {LOGS: {"Mode": "automatic"}}, documents, evidence=None)
    assert fault.startswith(f"{LOGS}.Mode: 'automatic' needs Remediation.EvidenceBucket")


def test_a_documents_own_parameter_reaches_the_pack(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    rdk_json = settings(tmp_path, {LOGS: {"Parameters": {"AllowManaged": "true"}}})
    assert value(remediations(build_pack(CATALOGUE, rdk_json, "regional", documents))[LOGS], "AllowManaged") == "true"


def test_every_fault_is_told_at_once(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    assert len(faults(tmp_path, {"PCI_NO_SUCH_RULE": {}, EGRESS: {"Mode": "automatic"}}, documents)) == 2


@pytest.mark.parametrize(("scope", "name"), [("regional", "conformance_pack.yaml"), ("global", "conformance_pack_global.yaml")])
def test_a_pack_for_one_account_names_the_roles_of_that_account(
    tmp_path: Path, documents: Mapping[str, Any], scope: str, name: str
) -> None:
    rdk_json = settings(tmp_path, {LOGS: {"Mode": "automatic"}})
    organization = remediations(build_pack(CATALOGUE, rdk_json, scope, documents))
    own = remediations(build_pack(CATALOGUE, rdk_json, scope, documents, own_account=True))
    assert own
    for rule, properties in own.items():
        assert value(properties, "AutomationAssumeRole") == f"arn:aws:iam::600000000006:role/{properties['TargetId']}"
        assert value(organization[rule], "AutomationAssumeRole") == f"arn:aws:iam::200000000002:role/{properties['TargetId']}"
        assert properties["Automatic"] == organization[rule]["Automatic"]
    text = artefacts().built[Path("build/own_account") / name]
    assert text == build_pack(CATALOGUE, RdkJson.load(ROOT / "rdk.json"), scope, documents, own_account=True)


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_the_role_is_in_the_partition_of_the_home_region(
    tmp_path: Path, documents: Mapping[str, Any], region: str, partition: str
) -> None:
    rdk_json = settings(tmp_path, {}, HomeRegion=region, Regions=[region])
    found = remediations(build_pack(CATALOGUE, rdk_json, "regional", documents))[LOGS]
    assert value(found, "AutomationAssumeRole").startswith(f"arn:{partition}:iam::200000000002:role/")


def test_a_fight_with_another_system_ends(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    """Somebody switches the logs off again within the hour, for two days: AWS Config gives up after the attempts of the pack."""
    asked = {"Mode": "automatic", "MaximumAutomaticAttempts": 2}
    pack = remediations(build_pack(CATALOGUE, settings(tmp_path, {LOGS: asked}), "regional", documents))
    state, began = ConfigState(), datetime(2026, 11, 25, tzinfo=UTC)
    state.remediations = {name: dict(properties) for name, properties in pack.items()}
    started: list[tuple[str, int]] = []
    for hour in range(48):
        now = began + timedelta(hours=hour)
        for rule in (LOGS, EGRESS):
            found = {"ComplianceResourceType": "T", "ComplianceResourceId": "r", "ComplianceType": "NON_COMPLIANT"}
            state.evaluations.put(state.evaluations.token_for(rule, now), [{**found, "OrderingTimestamp": now}])
        remediate(state, lambda rule, _, hour=hour: started.append((rule, hour)), now)
    assert started == [(LOGS, 0), (LOGS, 1)], "and the manual one is never started"


def test_the_guides_settings_are_accepted(tmp_path: Path, documents: Mapping[str, Any]) -> None:
    text = (ROOT / "docs" / "remediation.md").read_text("utf-8")
    (example,) = (block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"Remediation"' in block)
    block = json.loads(f"{{{example}}}")["Remediation"]
    rdk_json = settings(tmp_path, {}, Remediation=block)
    assert remediations(build_pack(CATALOGUE, rdk_json, "regional", documents))[LOGS]["Automatic"] is True
    assert rdk_json.remediation.approver == "security team"
    (fault,) = faults(tmp_path, {EGRESS: {"Mode": "automatic"}}, documents)
    assert f"rdk.json: Remediation.Rules.{fault.split(': Pci', maxsplit=1)[0]}: …" in text


def test_what_may_be_automatic() -> None:
    """As the catalogue of rules says; logs and stronger passwords cut nobody off."""
    allowed = {entry.id: entry.automatic_allowed for entry in CATALOGUE.rules.values() if entry.automatic_allowed}
    assert allowed == {
        "PCI_API_LOG_DELIVERED": True,
        "PCI_FLOW_LOG_DELIVERED": True,
        "PCI_LOAD_BALANCER_LOG_DELIVERED": True,
        "PCI_PASSWORD_POLICY": True,
        "PCI_PRODUCTION_ACCESS_TIMEBOXED": True,
        INGRESS: {"AdminPortsOnly": "true"},
        "PCI_WAF_LOG_DELIVERED": True,
    }


def test_conditions_name_parameters_of_the_document(documents: Mapping[str, Any]) -> None:
    for entry in CATALOGUE.rules.values():
        if entry.remediation and isinstance(entry.automatic_allowed, Mapping):
            assert set(entry.automatic_allowed) <= set(documents[entry.remediation.document]["parameters"]), entry.id
