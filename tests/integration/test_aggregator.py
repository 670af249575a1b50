"""`assess --aggregator` against the sandbox: whole, in pages, throttled, and honest about what the aggregator does not hold."""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.exceptions import JsonRESTError
from typer.testing import CliRunner

from pci_config.assess import Assessment, Judge, Result, assess_snapshot
from pci_config.catalogue import Catalogue, project_root
from pci_config.cli import app
from pci_config.items import to_event_form
from pci_config.rdk_json import RdkJson
from pci_config.rule import NotAssessed
from pci_config.sandbox import aggregator_service, config_service
from pci_config.sources import aggregated, snapshot
from pci_config.sources.aggregated import read_holdings, tags_within
from pci_config.sources.aggregator import ACTIONS, AggregatorPlan, assess_aggregator
from pci_config.sources.patience import Patient
from pci_config.sources.snapshot import SourceError

HOME = "123456789012"  # the aggregator's account, which is moto's own
ACCOUNTS = (HOME, "600000000006")
REGION = "eu-west-1"
GROUP, VPC, FLOW_LOG, BALANCER = (
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPC",
    "AWS::EC2::FlowLog",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS = RdkJson.load(project_root() / "rdk.json").settings


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    config_service.install()
    aggregator_service.install()
    with mock_aws():
        make_aggregator()
        yield


def make_aggregator(accounts: tuple[str, ...] = ACCOUNTS) -> None:
    boto3.client("config", region_name=REGION).put_configuration_aggregator(
        ConfigurationAggregatorName="organization",
        AccountAggregationSources=[{"AccountIds": list(accounts), "AwsRegions": [REGION]}],
    )


def hold(item: Mapping[str, Any], account: str = HOME, region: str = REGION, **changes: Any) -> dict[str, Any]:
    """Let a recorder hold an item."""
    held = {**copy.deepcopy(dict(item)), "awsAccountId": account, "awsRegion": region, **changes}
    config_service.state(account, region).history[held["resourceType"], held["resourceId"]] = [held]
    return held


def groups(sample: Callable[[str], Any], number: int, account: str = HOME) -> None:
    for position in range(number):
        hold(sample("AWS_EC2_SecurityGroup"), account, resourceId=f"sg-{position:017x}")


def judge(pattern: str = "PCI_", **settings: Any) -> Judge:
    entries = [entry for entry in Catalogue.load().rules.values() if entry.id.startswith(pattern)]
    accounts = {"production": ACCOUNTS[1:], "delegated_admin": (HOME,)}
    chosen = {name: getattr(SETTINGS, name) for name in ("archive_account", "archive_buckets", "network_tiers")}
    return Judge(
        entries,
        type(SETTINGS)(**chosen | {"accounts": accounts, "home_region": REGION, "regions": (REGION,)} | settings),
        now=NOW,
    )


def patient(attempts: int = 5) -> Patient:
    return Patient(boto3.client("config", region_name=REGION, config=aggregated_config()), attempts, sleep=lambda _: None)


def aggregated_config() -> Any:
    from botocore.config import Config

    return Config(retries={"mode": "standard", "total_max_attempts": 1})


def assess(judging: Judge, calls: Patient | None = None) -> Assessment:
    return assess_aggregator(judging, AggregatorPlan("organization", REGION, workers=1), calls=calls or patient())


def faults() -> aggregator_service.Faults:
    return aggregator_service.faults(HOME, REGION)


def both_hold_something(sample: Callable[[str], Any]) -> None:
    for account in ACCOUNTS:
        hold(sample("AWS_EC2_SecurityGroup"), account)


# --------------------------------------------------------------------------------------------------------- verdicts


def test_verdicts_are_those_of_a_snapshot_with_the_same_items(sample: Callable[[str], Any], tmp_path: Path) -> None:
    items = []
    for path in sorted((project_root() / "tests" / "data" / "ci").glob("AWS_*.json")):
        region = json.loads(path.read_text("utf-8"))["awsRegion"]
        items += [hold(sample(path.stem), account, REGION, awsRegion=region) for account in ACCOUNTS]
    group = sample("AWS_EC2_SecurityGroup")
    items.append(hold(group, resourceId="sg-1", configuration={**group["configuration"], "ipPermissionsEgress": []}))
    (tmp_path / "snapshot.json").write_text(json.dumps({"configurationItems": items}), "utf-8")
    judging = judge()
    expected, problems = assess_snapshot(judging, snapshot.read([str(tmp_path)]))
    assessment = assess(judging)
    assert problems == assessment.problems == []
    change = [r for r in assessment.results if r.resource_type != "AWS::::Account"]
    assert change == [r for r in expected if r.resource_type != "AWS::::Account"]
    assert {r.compliance for r in change} >= {"COMPLIANT", "NON_COMPLIANT"}
    assert assessment.results == sorted(assessment.results, key=Result.order)
    assert assessment.sources == ["aggregator organization in eu-west-1: 2 accounts"]


def test_periodic_rules_are_not_assessed_for_every_account(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    assessment = assess(judge("PCI_PASSWORD"))
    assert [(r.account_id, r.region, r.compliance) for r in assessment.results] == [
        (a, REGION, "NOT_ASSESSED") for a in ACCOUNTS
    ]
    assert "does not record the account password policy" in assessment.results[0].annotation


def test_deleted_and_unrecorded_items_are_not_judged(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    hold(sample("AWS_EC2_SecurityGroup"), resourceId="sg-1", configurationItemStatus="ResourceDeleted")
    hold(sample("AWS_EC2_SecurityGroup"), resourceId="sg-2", configurationItemStatus="ResourceNotRecorded")
    results = assess(judge("PCI_SECURITY_GROUP_EGRESS")).results
    assert {r.resource_id for r in results} == {sample("AWS_EC2_SecurityGroup")["resourceId"]}


# ------------------------------------------------------------------------------------------------ pages, throttling


def test_every_page_is_read_and_calls_are_few(sample: Callable[[str], Any]) -> None:
    groups(sample, 250)
    groups(sample, 1, ACCOUNTS[1])
    calls = patient()
    assert len(assess(judge("PCI_SECURITY_GROUP_EGRESS"), calls).results) == 251
    assert calls.asked == {
        "describe_configuration_aggregators": 1,
        "describe_configuration_aggregator_sources_status": 1,
        "get_aggregate_discovered_resource_counts": 2,  # by account in the Region, by type
        "select_aggregate_resource_config": 3,
    }


def test_a_throttled_page_is_resumed_where_it_was(sample: Callable[[str], Any]) -> None:
    groups(sample, 250)
    groups(sample, 1, ACCOUNTS[1])
    tokens: list[str | None] = []

    def throttled(operation: str, request: Mapping[str, Any]) -> bool:
        if operation != "SelectAggregateResourceConfig":
            return False
        tokens.append(request.get("NextToken"))
        return len(tokens) in (2, 3)

    faults().throttled = throttled
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"))
    assert assessment.problems == []
    assert len({(r.account_id, r.resource_id) for r in assessment.results}) == len(assessment.results) == 251
    assert tokens[0] is None
    assert tokens[1] == tokens[2] == tokens[3] != tokens[4]


def refuse_after(pages: int, kind: str) -> Callable[[str, Mapping[str, Any]], bool]:
    given: Counter[str] = Counter()

    def throttled(operation: str, request: Mapping[str, Any]) -> bool:
        if operation != "SelectAggregateResourceConfig" or kind not in request["Expression"]:
            return False
        given[kind] += 1
        return given[kind] > pages

    return throttled


def test_out_of_patience_the_part_is_a_problem_and_the_others_go_on(
    sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregated, "PART", 100)
    groups(sample, 250)
    for account in ACCOUNTS:
        hold(sample("AWS_ElasticLoadBalancingV2_LoadBalancer"), account)
    faults().throttled = refuse_after(1, GROUP)
    assessment = assess(judge())
    (problem,) = assessment.problems
    assert problem.startswith(
        f"aggregator organization: {GROUP} of {HOME}: not read to the end, 100 items came before AWS still refused after 5"
    )
    assert "ThrottlingException" in problem
    read = Counter((r.rule, r.account_id) for r in assessment.results if r.resource_type in (GROUP, BALANCER))
    assert read["PCI_SECURITY_GROUP_EGRESS_LIMITED", HOME] == 100
    assert read["PCI_LOAD_BALANCER_LOG_DELIVERED", ACCOUNTS[1]] == 1


def test_lookups_into_what_was_not_read_to_the_end_are_not_answered(
    sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregated, "PART", 1)
    for account in ACCOUNTS:
        hold(sample("AWS_EC2_VPC"), account)
        for position in range(2):
            hold(sample("AWS_EC2_FlowLog"), account, resourceId=f"fl-{position}")
    faults().throttled = refuse_after(0, FLOW_LOG)
    results = [r for r in assess(judge("PCI_FLOW_LOG")).results if r.resource_type == VPC]
    assert [r.compliance for r in results] == ["NOT_ASSESSED"] * 2
    faults().throttled = lambda *_: False
    assert "NOT_ASSESSED" not in [r.compliance for r in assess(judge("PCI_FLOW_LOG")).results if r.resource_type == VPC]


def test_a_token_that_went_stale_loses_nothing(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    groups(sample, 250)

    def stale(operation: str, request: Mapping[str, Any]) -> bool:
        if operation == "SelectAggregateResourceConfig" and request.get("NextToken", "").endswith("-200"):
            raise JsonRESTError("InvalidNextTokenException", "expired")
        return False

    faults().throttled = stale
    calls = patient()
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"), calls)
    assert len({(r.account_id, r.resource_id) for r in assessment.results}) == 252
    (problem,) = assessment.problems
    assert "InvalidNextTokenException" in problem
    assert "read by id instead" in problem
    assert calls.asked["select_aggregate_resource_config"] == 3
    assert calls.asked["batch_get_aggregate_resource_config"] == 1


def test_types_are_grouped_and_large_ones_split_within_the_expression_limit(
    sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = tuple(str(100000000000 + number) for number in range(300))
    make_aggregator(accounts)
    for account in accounts:
        groups(sample, 2, account)
    hold(sample("AWS_EC2_VPC"), accounts[0])
    hold(sample("AWS_EC2_FlowLog"), accounts[0])
    monkeypatch.setattr(aggregated, "PART", 500)
    expressions: set[str] = set()
    faults().throttled = lambda _, request: bool(expressions.add(request.get("Expression", "")))
    held = read_holdings(patient(), "organization", [GROUP, VPC, FLOW_LOG], workers=2)
    assert (held.problems, len(held.items)) == ([], 602)
    expressions.discard("")
    assert max(map(len, expressions)) <= 4096
    assert sum(GROUP in expression for expression in expressions) == 2, "limited by characters, not only by items"
    assert sum(VPC in expression and FLOW_LOG in expression for expression in expressions) == 1


# -------------------------------------------------------------------------------------------- what queries do not give


def test_a_type_that_queries_do_not_know_is_listed_and_fetched_by_id(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    groups(sample, 150)
    expected = [(r.account_id, r.resource_id, r.compliance, r.annotation) for r in assess(judge("PCI_SECURITY")).results]
    faults().unqueried.add(GROUP)
    calls = patient()
    assessment = assess(judge("PCI_SECURITY"), calls)
    assert assessment.problems == []
    assert [(r.account_id, r.resource_id, r.compliance, r.annotation) for r in assessment.results] == expected
    assert calls.asked["list_aggregate_discovered_resources"] == 2
    assert calls.asked["batch_get_aggregate_resource_config"] == 2


def test_a_type_kept_under_global_is_not_fetched_twice(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    hold(sample("AWS_CloudFront_Distribution"), awsRegion="global")
    hold(sample("AWS_CloudFront_Distribution"), awsRegion="global", resourceId="E2")
    faults().withheld.add("E2")
    faults().overcounted[HOME, "AWS::CloudFront::Distribution"] = 1
    calls = patient()
    assessment = assess(judge("PCI_CDN"), calls)
    assert calls.asked["list_aggregate_discovered_resources"] == 1
    assert calls.asked["batch_get_aggregate_resource_config"] == 0
    assert "counts 3, and 2 were read" in assessment.problems[-1]


def test_without_tags_a_rule_that_asks_for_them_does_not_judge(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    group = sample("AWS_EC2_SecurityGroup")
    del group["configuration"]["tags"]
    hold(group)
    faults().unqueried.add(GROUP)
    by_account = {r.account_id: r for r in assess(judge("PCI_SECURITY_GROUP_EGRESS")).results}
    assert by_account[HOME].compliance in ("ERROR", "NOT_ASSESSED")
    assert "tags" in by_account[HOME].annotation
    assert by_account[ACCOUNTS[1]].compliance == "NON_COMPLIANT"


@pytest.mark.parametrize(
    ("name", "change", "tags"),
    [
        ("AWS_EC2_SecurityGroup", {}, "as recorded"),
        ("AWS_EC2_SecurityGroup", {"configuration": {"tags": []}}, {}),
        ("AWS_EC2_SecurityGroup", {"configuration": {}}, None),
        ("AWS_EC2_SecurityGroup", {"configuration": None}, None),
        ("AWS_S3_Bucket", {}, "as recorded"),
        ("AWS_S3_Bucket", {"supplementaryConfiguration": {}}, {}),
        ("AWS_S3_Bucket", {"supplementaryConfiguration": {"BucketTaggingConfiguration": {"tagSets": []}}}, {}),
        ("AWS_S3_Bucket", {"supplementaryConfiguration": {"BucketTaggingConfiguration": 7}}, None),
        ("AWS_KMS_Key", {}, "as recorded"),
        ("AWS_KMS_Key", {"supplementaryConfiguration": {"Tags": []}}, {}),
        ("AWS_KMS_Key", {"supplementaryConfiguration": {}}, None),
    ],
)
def test_tags_within_the_content(sample: Callable[[str], Any], name: str, change: dict[str, Any], tags: Any) -> None:
    item = sample(name)
    expected = item["tags"] if tags == "as recorded" else tags
    assert tags_within({**item, "tags": None, **change}) == expected


def test_what_a_query_cannot_show_exactly_is_fetched_by_id_and_keeps_its_tags(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    key = hold(sample("AWS_KMS_Key"))
    key["configuration"]["odd"] = {"value": "x"}
    del key["supplementaryConfiguration"]["Tags"]
    hold(sample("AWS_KMS_Key"), ACCOUNTS[1])
    calls = patient()
    held = read_holdings(calls, "organization", ["AWS::KMS::Key"], workers=1)
    item = held.items[HOME, REGION, "AWS::KMS::Key", key["resourceId"]]
    assert item["configuration"] == key["configuration"]
    assert item["tags"] == key["tags"]
    assert held.problems == []
    assert calls.asked["batch_get_aggregate_resource_config"] == 1
    faults().withheld.add(key["resourceId"])
    held = read_holdings(patient(), "organization", ["AWS::KMS::Key"], workers=1)
    assert [account for account, *_ in held.items] == [ACCOUNTS[1]]
    assert any("hold a value that a query cannot show exactly" in problem for problem in held.problems)
    assert held.incomplete == {("AWS::KMS::Key", HOME)}


def test_a_refused_query_falls_back_and_is_said(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)

    def denied(operation: str, _: Mapping[str, Any]) -> bool:
        if operation == "SelectAggregateResourceConfig":
            raise JsonRESTError("AccessDeniedException", "not you")
        return False

    faults().throttled = denied
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"))
    assert len(assessment.results) == 2
    assert "AccessDeniedException" in assessment.problems[0]


# ------------------------------------------------------------------------------------------------- what is not there


def test_resources_that_are_listed_and_not_given(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    groups(sample, 3)
    faults().unqueried.add(GROUP)
    faults().withheld |= {"sg-00000000000000000", "sg-00000000000000001"}
    problems = assess(judge("PCI_SECURITY")).problems
    assert (
        f"{GROUP} of {HOME}: 2 known but without a configuration (not recorded, or deleted since); first: sg-00000000000000000 in {REGION}"
        in problems[0]
    )
    assert f"{GROUP}: the aggregator counts 5, and 3 were read; accounts that differ: {HOME}" in problems[1]


def test_a_difference_in_counts_is_reported_with_its_accounts(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    faults().overcounted[ACCOUNTS[1], GROUP] = 2
    (problem,) = assess(judge("PCI_SECURITY")).problems
    assert (
        problem
        == f"aggregator organization: {GROUP}: the aggregator counts 4, and 2 were read; accounts that differ: {ACCOUNTS[1]}"
    )


def test_a_difference_that_is_gone_at_the_second_count_is_none(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    faults().overcounted[ACCOUNTS[1], GROUP] = 1
    asked: Counter[str] = Counter()

    def throttled(operation: str, _: Mapping[str, Any]) -> bool:
        asked[operation] += 1
        if asked["GetAggregateDiscoveredResourceCounts"] == 3:
            faults().overcounted.clear()
        return False

    faults().throttled = throttled
    assert assess(judge("PCI_SECURITY")).problems == []
    assert asked["GetAggregateDiscoveredResourceCounts"] == 3


def test_what_cannot_be_counted_is_still_read_and_said(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    faults().throttled = lambda operation, _: operation == "GetAggregateDiscoveredResourceCounts"
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"))
    assert len(assessment.results) == 2
    assert any("cannot be counted, so whether all were read is not known" in problem for problem in assessment.problems)
    assert any("accounts without a recorder cannot be told" in problem for problem in assessment.problems)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (("FAILED", "AuthorizationError", "not authorized"), "its last update is FAILED (AuthorizationError: not authorized)"),
        (("OUTDATED", "", ""), "its data is not the most recent"),
    ],
)
def test_failing_sources(sample: Callable[[str], Any], status: tuple[str, str, str], message: str) -> None:
    both_hold_something(sample)
    faults().failing[ACCOUNTS[1], REGION] = status
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"))
    assert assessment.problems == [f"aggregator organization: account {ACCOUNTS[1]} in {REGION}: {message}"]
    assert [r.account_id for r in assessment.results] == [HOME]
    assert {r.account_id for r in assess(judge("PCI_PASSWORD")).results} == set(ACCOUNTS), "not assessed there, and counted"


def test_accounts_without_a_recorder_and_accounts_that_are_no_source(sample: Callable[[str], Any]) -> None:
    hold(sample("AWS_EC2_SecurityGroup"))
    problems = assess(judge("PCI_SECURITY", accounts={"production": (ACCOUNTS[1],), "staging": ("700000000007",)})).problems
    assert problems == [
        f"aggregator organization: account 700000000007 in {REGION} is in the settings, but no source of the aggregator",
        f"aggregator organization: account {ACCOUNTS[1]} in {REGION}: nothing is held; is a recorder on there?",
    ]


def test_the_state_of_the_sources_cannot_be_read(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    faults().throttled = lambda operation, _: operation == "DescribeConfigurationAggregatorSourcesStatus"
    assessment = assess(judge("PCI_SECURITY_GROUP_EGRESS"))
    assert len(assessment.results) == 2
    assert "the state of its sources cannot be read" in assessment.problems[0]


def test_a_filter_of_the_aggregator_is_said(sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    both_hold_something(sample)
    calls = patient()
    real = calls.call

    def filtered(operation: str, **parameters: Any) -> dict[str, Any]:
        reply = real(operation, **parameters)
        if operation == "describe_configuration_aggregators":
            reply["ConfigurationAggregators"][0]["AggregatorFilters"] = {"ResourceType": {"Type": "INCLUDE", "Value": [GROUP]}}
        return reply

    monkeypatch.setattr(calls, "call", filtered)
    (problem,) = assess(judge("PCI_SECURITY_GROUP_EGRESS"), calls).problems
    assert problem == f"aggregator organization: its filter leaves out {VPC}"


def test_lookups_of_a_failing_place_are_not_answered(sample: Callable[[str], Any]) -> None:
    from pci_config.sources.aggregator import AggregatorIndex

    group, vpc = hold(sample("AWS_EC2_SecurityGroup")), hold(sample("AWS_EC2_VPC"), ACCOUNTS[1])
    held = aggregated.Holdings()
    for item in (group, vpc):
        held.add(to_event_form(item))
    index = AggregatorIndex(held, {(ACCOUNTS[1], REGION): "its last update is FAILED"})
    assert [item["resourceId"] for item in index.find(GROUP, HOME, REGION)] == [group["resourceId"]]
    for region in (REGION, "global"):
        with pytest.raises(NotAssessed, match="FAILED"):
            index.find(VPC, ACCOUNTS[1], region)
    with pytest.raises(NotAssessed, match="holds no AWS::EC2::VPC"):
        index.find(VPC, HOME, REGION)


# ----------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    document = json.loads((root / "rdk.json").read_text("utf-8"))
    document |= {"Regions": [REGION], "Accounts": {"delegated_admin": HOME, "production": ACCOUNTS[1]}}
    (tmp_path / "rdk.json").write_text(json.dumps(document), "utf-8")
    (tmp_path / "exceptions.yaml").write_text("exceptions: []\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pci_config.sources.aggregator.Patient", lambda client: Patient(client, 2, sleep=lambda _: None))

    def invoke(*arguments: str, rules: str = "PCI_SECURITY_GROUP_EGRESS*") -> Any:
        return CliRunner().invoke(app, ["assess", "--rules", rules, *arguments])

    return invoke


def test_exit_codes(run: Callable[..., Any], sample: Callable[[str], Any]) -> None:
    group = sample("AWS_EC2_SecurityGroup")
    for account in ACCOUNTS:
        hold(group, account, configuration={**group["configuration"], "ipPermissionsEgress": []})
    assert run("--aggregator", "organization").exit_code == 0
    hold(group)
    assert run("--aggregator", "organization", "--region", REGION).exit_code == 1
    faults().throttled = lambda operation, _: operation == "SelectAggregateResourceConfig"
    throttled = run("--aggregator", "organization", "--format", "json")
    assert throttled.exit_code == 3
    assert f"not read: aggregator organization: {GROUP}" in throttled.output
    assert json.loads(throttled.stdout[: throttled.stdout.rindex("}") + 1])["summary"]["problems"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--aggregator", "other"), "no aggregator 'other' in eu-west-1 of this account (there: organization)"),
        (("--aggregator", "organization", "--region", "us-east-1"), "(there is none); see --region"),
        (("--aggregator", "organization", "--profile", "nobody"), "no usable AWS credentials"),
        (("--aggregator", "organization", "--account"), "name one source"),
        (("--aggregator", "organization", "--snapshot", "x"), "name one source"),
        (("--aggregator", "organization", "--accounts", HOME), "go with --account only"),
        (("--aggregator", "organization", "--role-name", "x"), "go with --account only"),
        (("--account", "--region", REGION), "--region goes with --aggregator only"),
    ],
)
def test_usage_errors(run: Callable[..., Any], arguments: tuple[str, ...], message: str) -> None:
    ended = run(*arguments)
    assert (ended.exit_code, message in ended.output) == (2, True), ended.output
    assert "Traceback" not in ended.output


def test_the_examples_of_the_documentation_run(
    run: Callable[..., Any], root: Path, tmp_path: Path, sample: Callable[[str], Any]
) -> None:
    both_hold_something(sample)
    (tmp_path / "tests").symlink_to(root / "tests")
    text = (root / "docs" / "assess.md").read_text("utf-8")
    examples = [shlex.split(line) for line in re.findall(r"^    pci-config (assess .+)$", text, re.MULTILINE)]
    assert len(examples) == 4
    for arguments in examples:
        ended = CliRunner().invoke(app, arguments)
        assert ended.exit_code == 0, ended.output
    assert "</html>" in (tmp_path / "report.html").read_text("utf-8")
    for action in ACTIONS:
        assert action in text


def test_the_example_of_the_help_runs(run: Callable[..., Any], sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    text = " ".join(CliRunner().invoke(app, ["assess", "--help"]).output.split())
    (example,) = re.findall(r"Example: pci-config (assess --aggregator .+? report\.html)", text)
    assert CliRunner().invoke(app, [*shlex.split(example), "--rules", "PCI_SECURITY_GROUP*"]).exit_code == 1


def test_listing_the_aggregators_is_refused() -> None:
    calls = patient(attempts=1)
    calls.call = lambda *_, **__: (_ for _ in ()).throw(aggregated.OutOfPatienceError("still refused"))  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="cannot be listed"):
        assess(judge(), calls)


def test_the_actions_are_those_that_are_called(sample: Callable[[str], Any]) -> None:
    both_hold_something(sample)
    faults().unqueried.add(GROUP)
    calls = patient()
    assess(judge("PCI_SECURITY"), calls)
    assert {"config:" + "".join(word.capitalize() for word in name.split("_")) for name in calls.asked} == set(ACTIONS)
