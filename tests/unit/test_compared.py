"""Each case of docs/compared.md: our rule judges the item, changed as told, and says what the page says."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from pci_config.catalogue import Catalogue, project_root
from pci_config.pages.compared import TOOLS, VERDICTS, WAYS, Case, compared_page, comparison
from pci_config.rule import LiveFacts, PciRule, RuleInputError, Scope, bounded, parse_time
from pci_config.settings import Settings

ROOT = project_root()
FOLDER = Path(__file__).parents[1] / "compared"
SAMPLES = Path(__file__).parents[1] / "data" / "ci"
CATALOGUE = Catalogue.load(ROOT)
COMPARISON = comparison(ROOT)
SETTINGS = Settings.from_mapping(yaml.safe_load((FOLDER / "settings.yaml").read_text("utf-8")))
NOW = "2026-10-05T08:14:27Z"
SESSION = botocore.session.get_session()


class Answers:
    """Clients that answer from the case: `service.Operation` to an answer, an error code, or a list of both by parameters."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def build_client(self, service: str, region: str | None = None) -> Any:
        client = SESSION.create_client(
            service, region or "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )

        def answer(operation: str, parameters: Mapping[str, Any]) -> Any:
            given = self._given.get(f"{service}.{operation}")
            if given is None:
                raise AssertionError(f"the case has no answer to {service}.{operation}({dict(parameters)})")
            entries = given if isinstance(given, list) else [{"answer": given}]
            for entry in entries:
                if all(parameters.get(key) == value for key, value in (entry.get("when") or {}).items()):
                    break
            else:
                raise AssertionError(f"the case has no answer to {service}.{operation}({dict(parameters)})")
            found = copy.deepcopy(entry["answer"])
            if "error" in found:
                raise ClientError({"Error": {"Code": found["error"], "Message": found["error"]}}, operation)
            shape = client.meta.service_model.operation_model(operation).output_shape
            if shape is not None:
                validate_parameters(found, shape)
            return found

        client._make_api_call = answer
        return client


def changed(item: dict[str, Any], path: str, value: Any) -> None:
    """Set the member at a dotted path; a number is a place in a list, and `-` removes the member."""
    if isinstance(value, dict) and set(value) == {"as_json"}:  # a policy is text in an item
        value = json.dumps(value["as_json"])
    *way, last = path.split(".")
    holder: Any = item
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else holder.setdefault(step, {})
    if value == "-":
        del holder[int(last) if isinstance(holder, list) else last]
    elif isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value


def as_recorded(permission: dict[str, Any]) -> None:
    """Lists that AWS Config records even when they are empty, and the older spelling beside the newer one."""
    for name in ("ipv4Ranges", "ipv6Ranges", "prefixListIds", "userIdGroupPairs"):
        permission.setdefault(name, [])
    permission["ipRanges"] = [entry["cidrIp"] for entry in permission["ipv4Ranges"]]
    for name in ("fromPort", "toPort"):
        permission.setdefault(name, None)


def item_of(case: Case) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{case.judged['sample']}.json").read_text("utf-8"))
    for path, value in (case.judged.get("set") or {}).items():
        changed(item, path, copy.deepcopy(value))
    if item["resourceType"] == "AWS::EC2::SecurityGroup":
        for direction in ("ipPermissions", "ipPermissionsEgress"):
            for permission in item["configuration"][direction]:
                as_recorded(permission)
    return item


def said(case: Case) -> tuple[str, str]:
    """Verdict and words of our rule; an error counts as one."""
    rule: PciRule = CATALOGUE.rules[case.rule].rule_class(SETTINGS)
    parameters = rule.evaluate_parameters(case.judged.get("parameters") or {})
    item = item_of(case) if case.judged.get("sample") else None
    account, region = (item["awsAccountId"], item["awsRegion"]) if item else (case.judged["account"], "eu-west-1")
    now: datetime = parse_time(case.judged.get("now", NOW))
    facts = LiveFacts(Answers(case.judged.get("aws") or {}), Scope(account, region, now, SETTINGS))
    try:
        if item is not None:
            finding = rule.decide(item, parameters, facts)
        else:
            findings = rule.decide_account(parameters, facts)
            finding = findings[case.judged.get("finding", 0)]
    except RuleInputError as error:
        return "ERROR", str(error)
    return finding.compliance, bounded(finding.annotation)


@pytest.mark.parametrize("case", COMPARISON.cases, ids=lambda case: case.id)
def test_our_rule_says_what_the_page_says(case: Case) -> None:
    verdict, annotation = said(case)
    assert verdict == case.verdict, annotation
    for words in case.words:
        assert words in annotation


@pytest.mark.parametrize("case", COMPARISON.cases, ids=lambda case: case.id)
def test_each_case_is_complete(case: Case) -> None:
    assert case.rule in CATALOGUE.rules
    assert case.verdict in VERDICTS
    assert case.words
    assert case.why
    assert case.theirs
    for opinion in case.theirs:
        assert opinion.tool in TOOLS
        assert opinion.way in WAYS
        assert opinion.way == "read" or opinion.tool != "aws", "AWS's managed rules cannot be run here"
        assert opinion.line


def test_ids_are_unique() -> None:
    ids = [case.id for case in COMPARISON.cases]
    assert len(ids) == len(set(ids))


def test_the_page_shows_every_case_and_what_others_see() -> None:
    text = compared_page(COMPARISON)
    for case in COMPARISON.cases:
        assert f"### {case.resource}\n" in text
        assert f"test `{case.id}`" in text
    for entry in COMPARISON.more:
        assert f"`{entry.check}`" in text
