"""However an item is broken, a rule gives a verdict or a clear error, and never a false COMPLIANT."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pci_config.assess import Judge
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson
from pci_config.rule import NotAssessed, RecordedFacts, RuleInputError, Scope
from pci_config.settings import SettingMissing

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "ci"
SETTINGS = RdkJson.load(project_root() / "rdk.json").settings
NOW = datetime(2026, 11, 1, tzinfo=UTC)
JUNK = st.sampled_from([None, "", "x", 0, -1, 3.5, True, [], {}, ["x"], {"x": 1}, [None], [[]], "x" * 300])


class NoItems:
    def find(self, resource_type: str, account_id: str, region: str) -> list[Any]:
        raise NotAssessed("no such items")


def cases() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for entry in Catalogue.load().rules.values():
        for resource_type in entry.resource_types:
            path = SAMPLES / f"{resource_type.replace('::', '_')}.json"
            found.append((entry.id, json.loads(path.read_text("utf-8"))))
    return found


CASES = cases()
# What decides, by rule: without it the rule must not say COMPLIANT. Paths from the item's root.
DECIDING = {
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": ["configuration", "configuration.ipPermissionsEgress"],
    "PCI_LISTENER_TLS_ONLY": [
        "configuration",
        "configuration.Protocol",
        "configuration.SslPolicy",
        "configuration.listenerDescriptions",
    ],
    "PCI_LOAD_BALANCER_LOG_DELIVERED": ["supplementaryConfiguration", "supplementaryConfiguration.LoadBalancerAttributes"],
    "PCI_TRAIL_DELIVERED": [
        "configuration",
        "configuration.s3BucketName",
        "configuration.logFileValidationEnabled",
        "configuration.kmsKeyId",
    ],
    "PCI_ARCHIVE_PROTECTED": ["supplementaryConfiguration", "supplementaryConfiguration.ObjectLockConfiguration"],
    "PCI_BUCKET_LOG_DELIVERED": ["supplementaryConfiguration"],
    "PCI_CDN_LOG_DELIVERED": ["configuration", "configuration.distributionConfig.logging"],
    "PCI_TASK_LOG_DELIVERED": ["configuration", "configuration.ContainerDefinitions"],
    "PCI_REPOSITORY_SCANNED": ["configuration", "configuration.ImageTagMutability"],
    "PCI_ARCHIVE_LIFECYCLE": ["supplementaryConfiguration", "supplementaryConfiguration.BucketLifecycleConfiguration"],
}


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [prefix] if prefix else []
    if isinstance(value, dict):
        for key, entry in value.items():
            found += paths(entry, (*prefix, key))
    elif isinstance(value, list):
        for position, entry in enumerate(value):
            found += paths(entry, (*prefix, position))
    return found


def replaced(item: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    broken = copy.deepcopy(item)
    target: Any = broken
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return broken


def decide(rule_id: str, item: dict[str, Any]) -> str:
    rule = Catalogue.load().rules[rule_id].rule_class(SETTINGS)
    scope = Scope("123456789012", "eu-west-1", NOW, SETTINGS)
    try:
        return rule.decide(item, rule.evaluate_parameters({}), RecordedFacts(NoItems(), scope)).compliance
    except (RuleInputError, NotAssessed, SettingMissing):
        return "no verdict"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_mutation_gives_a_verdict_or_a_known_error_through_the_engine(data: st.DataObject) -> None:
    rule_id, item = data.draw(st.sampled_from(CASES))
    broken = item
    for _ in range(data.draw(st.integers(1, 3))):
        candidates = [p for p in paths(broken) if p[0] not in ("resourceType", "resourceId")]
        broken = replaced(broken, data.draw(st.sampled_from(candidates)), data.draw(JUNK))
    judge = Judge([Catalogue.load().rules[rule_id]], SETTINGS, now=NOW)
    facts = RecordedFacts(NoItems(), Scope("123456789012", "eu-west-1", NOW, SETTINGS))
    (result,) = judge.item(broken, facts)
    assert not result.annotation.startswith("the rule failed"), f"{rule_id}: {result.annotation}"
    assert 1 <= len(result.annotation) <= 256


@pytest.mark.parametrize(
    ("rule_id", "item"), CASES, ids=lambda value: value if isinstance(value, str) else value["resourceType"]
)
def test_without_what_decides_nothing_is_compliant(rule_id: str, item: dict[str, Any]) -> None:
    if rule_id.startswith("PCI_ARCHIVE_"):
        item = {**item, "tags": {"pci:log-archive": "true"}}
    checked = 0
    for path in DECIDING[rule_id]:
        steps = tuple(path.split("."))
        try:
            current: Any = item
            for step in steps:
                current = current[step]
        except KeyError:
            continue
        for value in (None, {}, [], "", 7):
            if isinstance(current, list) and value == []:
                continue  # an empty list is content, not its absence
            checked += 1
            assert decide(rule_id, replaced(item, steps, value)) != "COMPLIANT", f"{path} = {value!r}"
    assert checked
