"""The estimate: tiers, triggers, where resources count, what is counted from, and every number with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pci_config.catalogue import Catalogue
from pci_config.cli import app
from pci_config.deploy import cost_reading
from pci_config.deploy.cost import NOT_INCLUDED, Estimate, Resources, RuleLoad, estimate, placed, rule_loads
from pci_config.deploy.prices import DEFAULT, PricesError, load_prices
from pci_config.recorded_types import EVERYWHERE, Need

REGION, OTHER = "eu-west-1", "us-east-1"
REGIONS = (REGION, OTHER)
ACCOUNT, VPC, BUCKET, ROLE = "AWS::::Account", "AWS::EC2::VPC", "AWS::S3::Bucket", "AWS::IAM::Role"
PRICES = replace(load_prices(changes=3), days_of_a_month=30.0, share_of_evaluations_that_change_compliance=0.0)
CHANGE = RuleLoad("CHANGE", True, True, (VPC,), (), 0.0)
SWEEP = RuleLoad("SWEEP", True, True, (VPC,), (ACCOUNT, VPC), 1.0)
PERIODIC = RuleLoad("PERIODIC", False, True, (), (ACCOUNT,), 1.0)
MANAGED = RuleLoad("MANAGED", True, False, (VPC,), (), 0.0)
RESOURCES = Resources({(REGION, VPC): 10, (OTHER, VPC): 2, (REGION, BUCKET): 7}, 5, "as told")
NEEDS = {VPC: Need(True, EVERYWHERE)}


def made(*loads: RuleLoad, added: bool = False, **changed: Any) -> Estimate:
    return estimate(loads, RESOURCES, REGIONS, REGION, replace(PRICES, **changed), NEEDS, added)


def numbers(found: Estimate) -> dict[tuple[str, str], tuple[float, float, float, float]]:
    return {(x.rule, x.region): (x.on_change, x.periodic, x.invocations, x.once) for x in found.lines}


def test_a_rule_that_is_told_of_changes_judges_each_change() -> None:
    assert numbers(made(CHANGE)) == {("CHANGE", REGION): (30, 0, 30, 10), ("CHANGE", OTHER): (6, 0, 6, 2)}


def test_a_rule_that_sweeps_also_reports_every_resource_and_the_account_each_day() -> None:
    assert numbers(made(SWEEP)) == {
        ("SWEEP", REGION): (30, 30 * (5 + 10), 30 + 30 * 5, 15),
        ("SWEEP", OTHER): (6, 30 * (5 + 2), 6 + 30 * 5, 7),
    }


def test_a_global_rule_runs_in_the_home_region_alone() -> None:
    assert numbers(made(PERIODIC)) == {("PERIODIC", REGION): (0, 150, 150, 5)}


def test_a_managed_rule_calls_no_function() -> None:
    assert [line.invocations for line in made(MANAGED).lines] == [0, 0]


@pytest.mark.parametrize(
    ("number", "cost"),
    [(0, 0), (1, 0.001), (100_000, 100), (100_001, 100.0008), (500_000, 420), (500_001, 420.0005), (1_500_000, 920)],
)
def test_each_tier_takes_its_part(number: int, cost: float) -> None:
    assert load_prices().of_evaluations(number) == pytest.approx(cost)


@given(st.integers(0, 3000))
def test_tiers_are_as_if_each_evaluation_were_priced_by_itself(number: int) -> None:
    scaled = replace(PRICES, evaluations=tuple(replace(t, up_to=t.up_to and t.up_to // 1000) for t in PRICES.evaluations))
    model = sum(0.001 if each < 100 else 0.0008 if each < 500 else 0.0005 for each in range(number))
    assert scaled.of_evaluations(number) == pytest.approx(model)


def test_regions_have_tiers_of_their_own_and_accounts_share_them() -> None:
    found = made(CHANGE, SWEEP)
    assert found.evaluations == {REGION: 30 + 30 + 450, OTHER: 6 + 6 + 210}
    assert found.costs()["rule evaluations"] == pytest.approx((510 + 222) * 0.001)


def test_recording_is_in_the_sum_only_where_the_recorder_is_ours() -> None:
    existing, created = made(CHANGE), made(CHANGE, added=True)
    assert existing.recorded_items == created.recorded_items == 36  # buckets are not needed
    assert existing.recording == pytest.approx(36 * 0.003)
    assert created.monthly - existing.monthly == pytest.approx(existing.recording)
    assert "Deployment.Recorder is existing" in " ".join(existing.assumptions)
    assert "Deployment.Recorder is create" in " ".join(created.assumptions)


@pytest.mark.parametrize(("changes", "items"), [(3, 36), (30, 360), (100, 360)])
def test_a_type_that_is_recorded_daily_has_at_most_one_item_a_day(changes: float, items: float) -> None:
    daily = {"recorded_daily": frozenset({VPC}), "changes_of_a_resource_in_a_month": changes}
    found = made(CHANGE, **daily)
    assert found.recorded_items == items
    assert found.recording == pytest.approx(items * 0.012)


def test_compliance_items_are_a_share_of_evaluations_where_they_are_recorded() -> None:
    assert made(CHANGE, share_of_evaluations_that_change_compliance=0.5).compliance_items == 18
    off = made(CHANGE, share_of_evaluations_that_change_compliance=0.5, resource_compliance_is_recorded=False)
    assert (off.compliance_items, off.costs()["compliance items"]) == (0, 0)
    assert "ResourceCompliance is not recorded" in " ".join(off.assumptions)


def test_calls_of_the_function_cost_requests_and_time() -> None:
    priced = replace(PRICES, lambda_request=0.5, lambda_gb_second=2.0, lambda_seconds=3.0, lambda_memory_mb=512)
    assert priced.of_invocations(10) == pytest.approx(10 * (0.5 + 3 * 0.5 * 2))


def test_the_first_deployment_judges_everything_once() -> None:
    assert made(CHANGE, SWEEP).once == pytest.approx((10 + 2 + 15 + 7) * 0.001)


def test_global_resources_count_where_they_are_recorded_and_other_regions_not_at_all() -> None:
    counted = [
        ("global", ROLE, 4),
        (REGION, ROLE, 1),
        ("global", "AWS::CloudFront::Distribution", 2),
        ("ap-east-1", VPC, 9),
    ]
    assert placed(counted, REGIONS, REGION) == {(REGION, ROLE): 5, (OTHER, "AWS::CloudFront::Distribution"): 2}
    assert placed(counted[2:3], (REGION,), REGION) == {}


def test_the_rules_of_the_catalogue_are_all_there_with_their_triggers() -> None:
    catalogue = Catalogue.load()
    loads = {load.id: load for load in rule_loads(catalogue, load_prices())}
    assert len(loads) == len(catalogue.rules) + len(catalogue.managed_rules)
    assert loads["PCI_SECURITY_GROUP_EGRESS_LIMITED"] == RuleLoad(
        "PCI_SECURITY_GROUP_EGRESS_LIMITED", True, True, ("AWS::EC2::SecurityGroup",), (), 0.0
    )
    assert loads["PCI_PASSWORD_POLICY"] == RuleLoad("PCI_PASSWORD_POLICY", False, True, (), (ACCOUNT,), 1.0)
    assert loads["PCI_ARCHIVE_PROTECTED"].run_types == (ACCOUNT, BUCKET)
    assert loads["PCI_API_TLS_ONLY"].run_types == (ACCOUNT, "AWS::ApiGateway::RestApi")
    assert loads["PCI_MANAGED_ACCESS_KEYS_ROTATED"].run_types == ("AWS::IAM::User",)
    assert loads["PCI_MANAGED_IAM_ROOT_ACCESS_KEY_CHECK"].run_types == (ACCOUNT,)
    assert loads["PCI_MANAGED_ENCRYPTED_VOLUMES"].runs_a_day == 0
    known = set(load_prices().periodic_managed_rules)
    assert known <= {rule.id for rule in catalogue.managed_rules.values() if not rule.change_types}


def test_every_assumption_is_told() -> None:
    told = "\n".join(made(CHANGE, SWEEP, PERIODIC, MANAGED).assumptions)
    for words in (
        "5 accounts, 2 Regions: eu-west-1, us-east-1",
        "19 of 2 types, as told",
        "changes 3 times a month",
        "4 rules: 3 are told of changes, 2 run on a schedule, in 30 days",
        "0.001 up to 100,000, 0.0008 up to 500,000, 0.0005 above USD",
        "Recorded daily: no type",
        "0.4 s with 256 MB",
        "0.0% of evaluations change compliance",
        NOT_INCLUDED,
    ):
        assert words in told
    assert "Counted as none" not in told
    lacking = RuleLoad("X", True, True, (ROLE,), (ACCOUNT,), 1.0)
    assert f"Counted as none, for the source has none of them: {ROLE}" in made(lacking).assumptions


# --------------------------------------------------------------------------------------------------------------- prices


def written(folder: Path, content: Any) -> Path:
    path = folder / "prices.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


def test_own_prices_go_over_those_of_the_package(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "prices": {"currency": "EUR", "evaluations": [{"price": 0.002}]},
            "assumptions": {"changes_by_type": {VPC: 9}, "recorded_daily": [BUCKET]},
        },
    )
    found = load_prices(path)
    assert (found.currency, found.of_evaluations(1_000_000)) == ("EUR", 2000)
    assert (found.changes(VPC), found.changes("AWS::ECS::Service"), found.changes(BUCKET)) == (9, 20, 4)
    assert (found.lambda_seconds, found.recorded_daily) == (0.4, frozenset({BUCKET}))
    assert str(path) in found.source
    assert load_prices(path, changes=2).changes(VPC) == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"prices": {"evaluation": []}}, "prices.evaluation: no such field; known: currency"),
        ({"price": {}}, "price: expected prices and assumptions"),
        ({"prices": []}, "prices: expected prices and assumptions"),
        ({"prices": {"lambda_request": -1}}, "prices.lambda_request: -1 is not valid; expected a number from 0"),
        ({"prices": {"lambda_request": "1"}}, "prices.lambda_request: '1' is not valid"),
        ({"prices": {"lambda_request": True}}, "prices.lambda_request: True is not valid"),
        ("prices: {lambda_request: .inf}", "prices.lambda_request: inf is not valid"),
        ("prices: {lambda_request: .nan}", "prices.lambda_request: nan is not valid"),
        ({"prices": {"currency": ""}}, "prices.currency: '' is not valid; expected text"),
        ({"assumptions": {"days_of_a_month": 32}}, "days_of_a_month: 32 is not valid; expected a number from 0 to 31"),
        ({"assumptions": {"share_of_evaluations_that_change_compliance": 1.1}}, "expected a number from 0 to 1"),
        ({"assumptions": {"resource_compliance_is_recorded": "no"}}, "expected true or false"),
        ({"assumptions": {"changes_by_type": [VPC]}}, "changes_by_type: ['AWS::EC2::VPC'] is not valid; expected an object"),
        ({"assumptions": {"changes_by_type": {VPC: -1}}}, f"changes_by_type.{VPC}: -1 is not valid"),
        ({"assumptions": {"recorded_daily": VPC}}, "expected a list of types"),
        ({"assumptions": {"periodic_managed_rules": {"X": 1}}}, "periodic_managed_rules.X: 1 is not valid"),
        ({"prices": {"evaluations": []}}, "evaluations: expected a list of {up_to, price}"),
        ({"prices": {"evaluations": [{"up_to": 5, "price": 1}]}}, "evaluations.0.up_to: every tier but the last has one"),
        ({"prices": {"evaluations": [{"price": 1}, {"price": 1}]}}, "evaluations.0.up_to: every tier but the last has one"),
        (
            {"prices": {"evaluations": [{"up_to": 5, "price": 1}, {"up_to": 5, "price": 1}, {"price": 1}]}},
            "evaluations.1.up_to: 5 is not valid; expected a whole number above the tier before",
        ),
        ({"prices": {"evaluations": [{"up_to": 0, "price": 1}, {"price": 1}]}}, "evaluations.0.up_to: 0 is not valid"),
        ({"prices": {"evaluations": [{"cost": 1}]}}, "evaluations.0: expected up_to and price"),
        ("prices: [", "is not YAML"),
        ("- 1", "expected an object"),
    ],
)
def test_a_wrong_price_is_named(tmp_path: Path, content: Any, fault: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(PricesError) as caught:
        load_prices(path)
    assert fault in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_packages_own_file_is_dated_and_says_its_source() -> None:
    text = DEFAULT.read_text("utf-8")
    assert "aws.amazon.com/config/pricing" in text
    assert load_prices().configuration_item_continuous == 0.003


# --------------------------------------------------------------------------------------------------------------- counts


def result(account: str, region: str, kind: str, name: str, rule: str = "R") -> Mapping[str, str]:
    return {"rule": rule, "account_id": account, "region": region, "resource_type": kind, "resource_id": name}


def test_results_count_each_resource_once_and_no_account(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = [
        result("1", REGION, VPC, "a"),
        result("1", REGION, VPC, "a", "other"),
        result("2", REGION, VPC, "a"),
        result("3", "global", ROLE, "r"),
        result("4", REGION, ACCOUNT, "4"),
        result("4", "ap-east-1", VPC, "a"),
    ]
    path.write_text(json.dumps({"results": results}), "utf-8")
    found = cost_reading.from_results(path, REGIONS, REGION)
    assert (found.counts, found.accounts) == ({(REGION, VPC): 2, (REGION, ROLE): 1}, 4)


@pytest.mark.parametrize("text", ["{}", "[]", "x", '{"results": [{}]}', '{"results": 1}'])
def test_what_is_no_results_document_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, "utf-8")
    with pytest.raises(cost_reading.CountsError, match="is no results document"):
        cost_reading.from_results(path, REGIONS, REGION)
    with pytest.raises(cost_reading.CountsError, match="cannot be read"):
        cost_reading.from_results(tmp_path / "none", REGIONS, REGION)


def test_snapshots_count_what_exists(tmp_path: Path) -> None:
    def item(name: str, status: str, captured: str) -> dict[str, Any]:
        return {
            "resourceType": VPC,
            "resourceId": name,
            "awsAccountId": "1",
            "awsRegion": REGION,
            "configurationItemStatus": status,
            "configurationItemCaptureTime": captured,
        }

    items = [
        item("a", "OK", "2026-01-01T00:00:00Z"),
        item("a", "ResourceDeleted", "2026-01-02T00:00:00Z"),
        item("b", "OK", "2026-01-01T00:00:00Z"),
    ]
    (tmp_path / "s.json").write_text(json.dumps({"configurationItems": items}), "utf-8")
    found, problems = cost_reading.from_snapshots([str(tmp_path)], REGIONS, REGION)
    assert (found.counts, found.accounts, problems) == ({(REGION, VPC): 1}, 1, [])


def test_the_aggregators_counts_are_asked_for_by_region() -> None:
    class Config:
        def build_client(self, service: str, region: str) -> Any:
            assert (service, region) == ("config", REGION)
            return self

        def get_aggregate_discovered_resource_counts(self, **request: Any) -> Any:
            region, key = request["Filters"]["Region"], request["GroupByKey"]
            if key == "ACCOUNT_ID":
                return {"GroupedResourceCounts": [{"GroupName": name, "ResourceCount": 1} for name in ("1", region)]}
            if "NextToken" not in request:
                return {"GroupedResourceCounts": [{"GroupName": VPC, "ResourceCount": 2}], "NextToken": "more"}
            return {"GroupedResourceCounts": [{"GroupName": ROLE, "ResourceCount": 3}]}

    found = cost_reading.from_aggregator(Config(), "org", REGIONS, REGION)
    assert found.counts == {(REGION, VPC): 4, (REGION, ROLE): 6, (OTHER, VPC): 2, (OTHER, ROLE): 3}
    assert found.accounts == 4


def test_what_is_told_goes_over_what_was_read() -> None:
    told = cost_reading.as_told([f"{VPC}=5", f"{OTHER}:{BUCKET}=1", f"global:{ROLE}=4"], REGIONS, REGION)
    assert told.counts == {(REGION, VPC): 5, (OTHER, VPC): 5, (OTHER, BUCKET): 1, (REGION, ROLE): 4}
    both = cost_reading.together(RESOURCES, told)
    assert both is not None
    assert both.counts == {**RESOURCES.counts, **told.counts}
    assert both.accounts == 5
    assert cost_reading.together(None, None) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (VPC, "expected TYPE=NUMBER"),
        (f"{VPC}=", "expected TYPE=NUMBER"),
        (f"{VPC}=-1", "expected TYPE=NUMBER"),
        ("VPC=1", "expected TYPE=NUMBER"),
        (f"eu-north-1:{VPC}=1", "eu-north-1 is not among Regions; expected one of eu-west-1, us-east-1"),
    ],
)
def test_counts_that_cannot_be_understood(text: str, fault: str) -> None:
    with pytest.raises(cost_reading.CountsError, match=fault):
        cost_reading.as_told([text], REGIONS, REGION)


# -------------------------------------------------------------------------------------------------------------- command


def asked(root: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["cost", "--settings", str(root / "rdk.json"), *options])


def test_the_command_tells_the_sum_and_what_it_rests_on(root: Path) -> None:
    options = ("--count", f"{VPC}=100", "--accounts", "20", "--changes", "2")
    told = asked(root, *options)
    assert told.exit_code == 0, told.output
    assert "rule evaluations in eu-west-1" in told.output
    assert "This rests on:" in told.output
    document = json.loads(asked(root, *options, "--format", "json").stdout)
    assert document["monthly"] == pytest.approx(sum(document["costs"].values()), abs=0.02)
    assert document["assumptions"][0] == "20 accounts, 2 Regions: eu-west-1, us-east-1"
    flow = [line for line in document["rules"] if line["rule"] == "PCI_FLOW_LOG_DELIVERED"]
    assert [line["evaluations_on_change"] for line in flow] == [200, 200]


def test_the_command_counts_accounts_of_the_settings_when_more(root: Path) -> None:
    document = json.loads(asked(root, "--count", f"{VPC}=1", "--format", "json").stdout)
    assert document["assumptions"][0].startswith("8 accounts")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((), "resources are not known"),
        (("--aggregator", "a", "--results", "b"), "name one source"),
        (("--count", "x"), "expected TYPE=NUMBER"),
        (("--results", "/none.json"), "cannot be read"),
        (("--snapshot", "/none"), "/none"),
        (("--prices", "/none.yaml", "--count", f"{VPC}=1"), "cannot be read"),
        (("--aggregator", "a", "--profile", "none"), "AWS: "),
    ],
)
def test_what_the_command_refuses(root: Path, options: tuple[str, ...], fault: str) -> None:
    told = asked(root, *options)
    assert (told.exit_code, fault in told.stderr) == (2, True), told.stderr
