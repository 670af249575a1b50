"""Every document and every violation, judged by the rule that the document mends, on the account as `assess --account` sees it.

The verdict on what was fixed goes from NON_COMPLIANT to COMPLIANT, no other verdict changes, and no other collected item does.
A document's tests say where less, or more, is right: `PARTLY` names violations that the document cannot mend wholly, and
`ALSO_CHANGES` the resource types whose items change with the fixed one, each with the reason; `REPORTED_AS` the resource id of the
verdict where that is no parameter of the document.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from document_world import arranged, own_tests, quick_clients, script
from moto import mock_aws
from test_built_documents import CASES, FIXES, ROOT

from fix_testing import ACCOUNT, REGION, sample_settings
from pci_config.assess import Judge, Result, assess_live
from pci_config.catalogue import Catalogue
from pci_config.collect import HOME_REGION, collectors
from pci_config.sandbox import services

__all__ = ["quick_clients"]
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), sample_settings()
COLLECTED_TYPES = {kind for collector in collectors() for kind in collector.resource_types}
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
Items = dict[tuple[str, str, str], dict[str, Any]]
Verdicts = dict[tuple[str, str, str], Result]


@pytest.fixture(autouse=True)
def aws(quick_clients: None) -> Iterator[None]:
    services.install()
    with mock_aws():
        yield


@functools.cache
def remediations() -> Mapping[str, Mapping[str, str]]:
    """By document: the rules that it mends, each with the name of the parameter that takes the resource's id."""
    found: dict[str, dict[str, str]] = {name: {} for name in FIXES}
    for entry in CATALOGUE.rules.values():
        parameters = json.loads((entry.folder / "parameters.json").read_text("utf-8"))["Parameters"]
        for remediation in [parameters.get("Remediation"), *parameters.get("FurtherRemediations", [])]:
            if remediation:
                (given,) = [name for name, value in remediation["Parameters"].items() if "ResourceValue" in value]
                found[remediation["TargetId"]][entry.id] = given
    return found


class Clients:
    """The account's own clients (rdklib's ClientFactory interface)."""

    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


def collected() -> Items:
    """Every item of the account, as AWS Config would record it now."""
    found = []
    for collector in collectors():
        region = REGION if collector.recorded_in in (None, HOME_REGION) else collector.recorded_in
        found += list(collector.collect(Clients(), ACCOUNT, region, MOMENT))
    items = {(item["resourceType"], item["awsRegion"], item["resourceId"]): item for item in found}
    assert len(items) == len(found)
    return items


def verdicts(name: str, parameters: Mapping[str, str], items: Items) -> Verdicts:
    """What the rules that the document mends say, with the document's parameters where the rule has the same ones."""
    rules = [CATALOGUE.rules[rule] for rule in remediations()[name]]
    chosen = {
        entry.id: {
            **RDK_JSON.rule_parameters.get(entry.id, {}),
            **{key: value for key, value in parameters.items() if key in entry.parameters},
        }
        for entry in rules
    }
    judge = Judge(rules, RDK_JSON.settings, chosen, now=datetime.now(UTC))
    results = assess_live(judge, items.values(), Clients(), ACCOUNT, REGION, home=True)
    return {(result.rule, result.resource_type, result.resource_id): result for result in results}


@pytest.mark.parametrize("name", FIXES)
def test_some_rule_asks_for_the_document(name: str) -> None:
    assert remediations()[name]


def differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> set[Any]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def compliance(found: Verdicts, key: tuple[str, str, str]) -> str | None:
    """None where there is no verdict: the resource is gone, or not there yet."""
    return found[key].compliance if key in found else None


def names_of(place: tuple[str, str], items: Items) -> set[str]:
    """Every way to name the resource of a verdict."""
    found = [item for (kind, _, resource_id), item in items.items() if (kind, resource_id) == place]
    return {place[1], *(str(item[key]) for item in found for key in ("ARN", "resourceName"))}


@pytest.mark.parametrize(("name", "violation"), CASES)
def test_the_rule_is_content_and_nothing_else_changed(name: str, violation: str) -> None:
    parameters = arranged(name, violation)
    items = collected()
    before = verdicts(name, parameters, items)
    run = script(name).run(parameters)
    assert run.outcome == "changed", run.message
    items_after = collected()
    after = verdicts(name, parameters, items_after)

    given = {parameters[parameter] for parameter in remediations()[name].values() if parameter in parameters}
    given |= {getattr(own_tests(name), "REPORTED_AS", {}).get(violation, "")} - {""}
    meant = {key for key in before | after if names_of(key[1:], items | items_after) & given}
    told = {key: [(v[key].compliance, v[key].annotation) for v in (before, after) if key in v] for key in before | after}
    partly = getattr(own_tests(name), "PARTLY", {})
    if violation in partly:
        assert [key for key in meant if before[key].compliance == after[key].compliance == "NON_COMPLIANT"], told
        assert [key for key in meant if before[key].annotation != after[key].annotation], "what it mends is not told any more"
    else:
        assert meant, f"{given} is the id of no verdict: {told}"
        assert {before[key].compliance for key in meant if key in before} == {"NON_COMPLIANT"}, told
        assert {after[key].compliance for key in meant if key in after} <= {"COMPLIANT"}, told
    changed = {key for key in before | after if compliance(before, key) != compliance(after, key)}
    assert {compliance(after, key) for key in changed & before.keys()} <= {"COMPLIANT", None}, "a fix breaks nothing else"
    assert {compliance(after, key) for key in changed - before.keys()} <= {"COMPLIANT", "NOT_APPLICABLE"}, "nor what it makes"

    mended = {key[1:] for key in changed | meant}
    also = getattr(own_tests(name), "ALSO_CHANGES", {})
    others = {key for key in differing(items, items_after) if (key[0], key[2]) not in mended and key[0] not in also}
    assert others == set(), [(items.get(key), items_after.get(key)) for key in others]


@pytest.mark.parametrize("name", FIXES)
def test_what_a_document_declares_is_so(name: str) -> None:
    violations = set(own_tests(name).VIOLATIONS)
    for declared, known in (("PARTLY", violations), ("REPORTED_AS", violations), ("ALSO_CHANGES", COLLECTED_TYPES)):
        reasons: Mapping[str, str] = getattr(own_tests(name), declared, {})
        assert set(reasons) <= known
        assert all(reasons.values()), f"{declared} gives the reason, or the id"


def test_a_change_elsewhere_is_seen() -> None:
    arranged("PciConfig-LimitSecurityGroupEgress", "ICMP")
    before = collected()
    ec2 = boto3.client("ec2", region_name=REGION)
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    ec2.create_tags(Resources=[groups[0]["GroupId"]], Tags=[{"Key": "seen", "Value": "yes"}])
    assert differing(before, collected()) == {("AWS::EC2::SecurityGroup", REGION, groups[0]["GroupId"])}
