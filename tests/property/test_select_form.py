"""A rule never says another thing of an item that came from a query than of the same item in an event.

The model of a query's encoding below is written apart from the sandbox's and from the code that undoes it. Sources: recorded
results of SelectResourceConfig; aws-config-resource-schema (where a plain value is wrapped); Config developer guide.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pci_config.assess import Judge
from pci_config.catalogue import Catalogue, project_root
from pci_config.items import selected
from pci_config.rdk_json import RdkJson
from pci_config.rule import NotAssessed, RecordedFacts, Scope

SAMPLES = {
    item["resourceType"]: item
    for path in sorted((Path(__file__).resolve().parents[1] / "data" / "ci").glob("AWS_*.json"))
    for item in [json.loads(path.read_text("utf-8"))]
}
SETTINGS = RdkJson.load(project_root() / "rdk.json").settings
NOW = datetime(2026, 11, 1, tzinfo=UTC)
RULES = Catalogue.load().rules
JUDGED = [(rule, name) for rule, entry in RULES.items() for name in entry.resource_types if name in SAMPLES]
VERDICTS = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE")
# What the schema lists with `.value` and nothing beside it, for the types of the samples
VALUE_PROPERTIES = {
    ("AWS::EC2::Subnet", "state"),
    ("AWS::EC2::VPC", "state"),
    ("AWS::EC2::Volume", "state"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "availabilityZones"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "securityGroups"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "subnets"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "securityGroups"),
    ("AWS::Lambda::Function", "state"),
    ("AWS::Lambda::Function", "stateReason"),
    ("AWS::RDS::DBCluster", "availabilityZones"),
    ("AWS::RDS::DBCluster", "endpoint"),
}


def row(item: dict[str, Any], names: set[tuple[str, str]] = VALUE_PROPERTIES) -> str:
    """The text that a query for all members returns for the item."""

    def value(thing: Any) -> Any:
        if isinstance(thing, dict):
            return {key: value(entry) for key, entry in thing.items() if entry is not None}
        if isinstance(thing, list):
            return [value(entry) for entry in thing if entry is not None]
        return float(thing) if type(thing) is int else thing

    def wrapped(thing: Any) -> Any:
        if isinstance(thing, list):
            return [wrapped(entry) for entry in thing]
        return thing if thing is None else {"value": thing}

    configuration = item["configuration"]
    if isinstance(configuration, dict):
        configuration = {
            key: wrapped(value(entry)) if (item["resourceType"], key) in names else value(entry)
            for key, entry in configuration.items()
            if entry is not None
        }
    told = {
        "version": item["configurationItemVersion"],
        "accountId": item["awsAccountId"],
        "arn": item["ARN"],
        "configurationStateId": str(item["configurationStateId"]),
        "tags": [{"key": key, "value": text, "tag": f"{key}={text}"} for key, text in item["tags"].items()],
        "relationships": [{k: v for k, v in each.items() if k != "name" and v} for each in item["relationships"]],
        "configuration": configuration,
        "supplementaryConfiguration": value(item["supplementaryConfiguration"]),
    }
    plain = ["awsRegion", "availabilityZone", "resourceType", "resourceId", "resourceName", "resourceCreationTime"]
    told |= {name: item[name] for name in (*plain, "configurationItemCaptureTime", "configurationItemStatus")}
    return json.dumps({name: entry for name, entry in told.items() if entry is not None})


class Items:
    """All samples, in one form."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._items = items

    def find(self, resource_type: str, account_id: str, region: str) -> list[dict[str, Any]]:
        found = [
            i
            for i in self._items
            if (i["resourceType"], i["awsAccountId"], i["awsRegion"]) == (resource_type, account_id, region)
        ]
        if not found:
            raise NotAssessed("none")
        return found


IN_EVENTS = Items(list(SAMPLES.values()))
IN_QUERIES = Items([selected(row(item))[0] for item in SAMPLES.values()])


def judged(rule: str, item: dict[str, Any], others: Items) -> tuple[str, str]:
    scope = Scope(str(item["awsAccountId"]), str(item["awsRegion"]), NOW, SETTINGS)
    (result,) = Judge([RULES[rule]], SETTINGS, now=NOW).item(item, RecordedFacts(others, scope))
    return result.compliance, result.annotation


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_comes_back_but_for_nulls(name: str) -> None:
    def without_nulls(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
        if isinstance(value, float) and value.is_integer():  # the threshold of an alarm: 1.0 and 1 look the same in a query
            return int(value)
        return [without_nulls(entry) for entry in value if entry is not None] if isinstance(value, list) else value

    item, doubts = selected(row(SAMPLES[name]))
    assert doubts == []
    for part in ("configuration", "supplementaryConfiguration", "tags"):
        restored, expected = item[part], without_nulls(SAMPLES[name][part])
        assert json.dumps(restored, sort_keys=True) == json.dumps(expected, sort_keys=True), "ints stay ints"
    for member in SAMPLES[name].keys() - {"configuration", "supplementaryConfiguration", "tags", "relationships"}:
        assert item[member] == SAMPLES[name][member], member
    assert [(r["resourceType"], r["resourceId"]) for r in item["relationships"]] == [
        (r["resourceType"], r["resourceId"]) for r in SAMPLES[name]["relationships"]
    ]


@pytest.mark.parametrize(("rule", "name"), JUDGED)
def test_every_rule_says_the_same_of_every_sample(rule: str, name: str) -> None:
    item, _ = selected(row(SAMPLES[name]))
    assert judged(rule, item, IN_QUERIES) == judged(rule, SAMPLES[name], IN_EVENTS)


def places(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if prefix:
        yield prefix
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*prefix, key))


def changed(item: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    other = copy.deepcopy(item)
    target: Any = other
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return other


@pytest.mark.parametrize(("rule", "name"), JUDGED)
def test_a_null_anywhere_gives_no_other_verdict(rule: str, name: str) -> None:
    """Queries drop nulls: what a rule says of null it must say of nothing at all."""
    for path in places(SAMPLES[name]):
        if path[0] in ("configuration", "supplementaryConfiguration") and not isinstance(path[-1], int):
            item = changed(SAMPLES[name], path, None)
            compliance, annotation = judged(rule, selected(row(item))[0], IN_QUERIES)
            expected = judged(rule, item, IN_EVENTS)
            if compliance in VERDICTS:
                assert (compliance, annotation) == expected, path


JUNK = st.sampled_from([None, "", "x", 0, -1, 3.5, 2**60, True, [], {}, ["x"], {"x": 1}, {"value": "x"}, [{"value": "x"}]])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data())
def test_whatever_an_item_holds_the_verdict_is_the_same_or_the_item_is_asked_for_again(data: st.DataObject) -> None:
    rule, name = data.draw(st.sampled_from(JUDGED))
    item = SAMPLES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        paths = [path for path in places(item) if path[0] in ("configuration", "supplementaryConfiguration") and len(path) > 1]
        assume(paths)
        path, junk = data.draw(st.sampled_from(paths)), data.draw(JUNK)
        assume(not (junk is None and isinstance(path[-1], int)))  # null among the entries of a list is in no recorded item
        item = changed(item, path, junk)
    restored, doubts = selected(row(item))
    compliance, _ = judged(rule, restored, IN_QUERIES)
    if not doubts and compliance in VERDICTS:
        assert compliance == judged(rule, item, IN_EVENTS)[0]


@pytest.mark.parametrize(
    ("configuration", "doubts"),
    [
        ({"endpoint": {"value": "x"}}, []),
        ({"availabilityZones": [{"value": "eu-west-1a"}]}, []),
        ({"other": {"value": "x"}}, ["configuration.other"]),
        ({"others": [{"value": "x"}]}, ["configuration.others"]),
        ({"pairs": [{"key": "k", "value": "x"}]}, []),
        ({"deep": {"endpoint": {"value": "x"}}}, ["configuration.deep.endpoint"]),
        ({"number": float(2**53 - 1)}, []),
        ({"number": float(2**53)}, ["configuration.number"]),
        ({"number": -float(2**53)}, ["configuration.number"]),
        ({"numbers": [1.5, 2.0]}, []),
    ],
)
def test_what_cannot_be_told_apart_is_named(configuration: dict[str, Any], doubts: list[str]) -> None:
    text = json.dumps({"resourceType": "AWS::RDS::DBCluster", "resourceId": "c", "configuration": configuration})
    assert selected(text)[1] == doubts
