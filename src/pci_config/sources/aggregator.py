"""An AWS Config aggregator as a source: a whole organization judged from one account, without deploying anything.

Change rules judge the items that the aggregator holds, and other items answer their lookups. What only an account's own APIs
show is NOT_ASSESSED and counted, periodic rules among it. What the aggregator lacks is a problem, never silence: sources
that fail or are behind, accounts and Regions that are no source or hold nothing, resources that it counts and does not give.

IAM actions, in the aggregator's account: config:SelectAggregateResourceConfig, config:BatchGetAggregateResourceConfig,
config:ListAggregateDiscoveredResources, config:GetAggregateDiscoveredResourceCounts,
config:DescribeConfigurationAggregatorSourcesStatus, config:DescribeConfigurationAggregators.
Source: AWS Config API reference.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from pci_config.assess import GLOBAL, Assessment, Judge, Result
from pci_config.items import EVALUATED_STATUSES
from pci_config.rule import NotAssessed, RecordedFacts, Scope
from pci_config.sources.aggregated import Holdings, Item, count, read_holdings
from pci_config.sources.patience import OutOfPatienceError, Patient
from pci_config.sources.snapshot import SourceError

WORKERS = 4  # AWS Config's query calls are few a second, whoever asks
ACTIONS = (
    "config:BatchGetAggregateResourceConfig",
    "config:DescribeConfigurationAggregatorSourcesStatus",
    "config:DescribeConfigurationAggregators",
    "config:GetAggregateDiscoveredResourceCounts",
    "config:ListAggregateDiscoveredResources",
    "config:SelectAggregateResourceConfig",
)

Place = tuple[str, str]  # account, Region


@dataclass(frozen=True)
class AggregatorPlan:
    """Which aggregator, and where: the Region that it was made in, and the profile of its account."""

    name: str
    region: str
    profile: str | None = None
    workers: int = WORKERS


@dataclass
class Sources:
    """Accounts and Regions that the aggregator collects from, and those whose data cannot be trusted to be whole."""

    collected: set[Place] = field(default_factory=set)
    doubtful: dict[Place, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class AggregatorIndex:
    """Lookups answered by other items of the aggregator, where nothing of the kind can be missing."""

    def __init__(self, holdings: Holdings, doubtful: Mapping[Place, str]) -> None:
        self._incomplete = holdings.incomplete
        self._doubtful = doubtful
        self._items: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
        for item in holdings.items.values():
            if item["configurationItemStatus"] in EVALUATED_STATUSES:
                self._items[item["resourceType"], item["awsAccountId"], item["awsRegion"]].append(item)

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Item]:
        if {(resource_type, ""), (resource_type, account_id)} & self._incomplete:
            raise NotAssessed(f"not every {resource_type} of {account_id} could be read from the aggregator")
        for (account, place), why in self._doubtful.items():
            if account == account_id and region in (place, GLOBAL):
                raise NotAssessed(f"what the aggregator holds of {account_id} in {place} may not be all: {why}")
        found = self._items.get((resource_type, account_id, region))
        if not found:
            raise NotAssessed(f"this source holds no {resource_type} of {account_id} in {region}")
        return found


def assess_aggregator(
    judge: Judge, plan: AggregatorPlan, progress: Callable[[str], None] = lambda _: None, calls: Patient | None = None
) -> Assessment:
    """Assess everything that the aggregator holds. Raises SourceError when it cannot be used at all."""
    calls = calls or Patient(_client(plan))
    described = _described(calls, plan)
    sources = _sources(calls, plan, judge)
    sources.problems += _left_out(described, judge)
    holdings = read_holdings(calls, plan.name, judge.needed_types, plan.workers, progress)
    index = AggregatorIndex(holdings, sources.doubtful)
    results: list[Result] = []
    for item in holdings.items.values():
        if item["resourceType"] in judge.judged_types and item["configurationItemStatus"] in EVALUATED_STATUSES:
            scope = Scope(str(item["awsAccountId"]), str(item["awsRegion"]), judge.now, judge.settings)
            results += judge.item(item, RecordedFacts(index, scope))
    places = sources.collected | {(key[0], key[1]) for key in holdings.items}
    for account, region in sorted(places):
        if region != GLOBAL:
            facts = RecordedFacts(index, Scope(account, region, judge.now, judge.settings))
            results += judge.account(facts, home=region == judge.settings.home_region)
    problems = [f"aggregator {plan.name}: {problem}" for problem in sources.problems + holdings.problems]
    name = f"aggregator {plan.name} in {plan.region}: {len({account for account, _ in places})} accounts"
    return Assessment([name], sorted(results, key=Result.order), problems)


def _client(plan: AggregatorPlan) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=plan.workers)
    try:
        return boto3.Session(profile_name=plan.profile, region_name=plan.region).client("config", config=config)
    except (NoCredentialsError, ProfileNotFound) as error:
        raise SourceError(f"no usable AWS credentials ({error}): sign in, or name a profile with --profile") from None


def _described(calls: Patient, plan: AggregatorPlan) -> Mapping[str, Any]:
    """The aggregator itself. Raises SourceError when it is not there."""
    try:
        pages = list(calls.pages("describe_configuration_aggregators"))
    except NoCredentialsError as error:
        raise SourceError(f"no usable AWS credentials ({error}): sign in, or name a profile with --profile") from None
    except (OutOfPatienceError, ClientError, BotoCoreError) as error:
        raise SourceError(f"the aggregators in {plan.region} cannot be listed: {error}") from None
    known = {each["ConfigurationAggregatorName"]: each for page in pages for each in page["ConfigurationAggregators"]}
    if plan.name not in known:
        there = f"there: {', '.join(sorted(known))}" if known else "there is none"
        raise SourceError(f"no aggregator {plan.name!r} in {plan.region} of this account ({there}); see --region and --profile")
    described: Mapping[str, Any] = known[plan.name]
    return described


def _left_out(described: Mapping[str, Any], judge: Judge) -> list[str]:
    """What the aggregator is told not to collect, of what the rules judge or look up."""
    match described.get("AggregatorFilters"):
        case {"ResourceType": {"Type": "INCLUDE", "Value": list(included)}}:
            lacking = sorted(judge.needed_types - set(included))
            return [f"its filter leaves out {', '.join(lacking)}"] if lacking else []
    return []


def _sources(calls: Patient, plan: AggregatorPlan, judge: Judge) -> Sources:
    """Where the data comes from, and every reason why some of it is not there."""
    sources = Sources()
    settings = judge.settings
    try:
        for status in _statuses(calls, plan):
            _add_status(sources, status, settings.regions)
    except (OutOfPatienceError, ClientError, BotoCoreError) as error:
        sources.problems.append(f"the state of its sources cannot be read, so what it lacks is not known ({error})")
        return sources
    own = sorted({account for accounts in settings.accounts.values() for account in accounts})
    for place in itertools.product(own, settings.regions):
        if place not in sources.collected:
            sources.problems.append(f"account {place[0]} in {place[1]} is in the settings, but no source of the aggregator")
    try:
        for account, region in _empty(calls, plan, sources, settings.regions):
            sources.problems.append(f"account {account} in {region}: nothing is held; is a recorder on there?")
    except (OutOfPatienceError, ClientError, BotoCoreError) as error:
        sources.problems.append(f"accounts without a recorder cannot be told ({error})")
    return sources


def _statuses(calls: Patient, plan: AggregatorPlan) -> Iterable[Mapping[str, Any]]:
    for page in calls.pages(
        "describe_configuration_aggregator_sources_status", ConfigurationAggregatorName=plan.name, Limit=100
    ):
        yield from page["AggregatedSourceStatusList"]


def _add_status(sources: Sources, status: Mapping[str, Any], regions: Sequence[str]) -> None:
    account, region, state = status.get("SourceId", ""), status.get("AwsRegion", ""), status.get("LastUpdateStatus")
    of_account = status.get("SourceType") == "ACCOUNT"
    if of_account and region in regions:
        sources.collected.add((account, region))
    if state == "SUCCEEDED":
        return
    told = ": ".join(status[name] for name in ("LastErrorCode", "LastErrorMessage") if status.get(name))
    what = f"account {account} in {region}" if of_account else f"organization {account} in {region}"
    why = "its data is not the most recent" if state == "OUTDATED" else f"its last update is {state}"
    if of_account:
        sources.doubtful[account, region] = why
    if region in regions or not of_account:  # elsewhere nothing is meant to be
        sources.problems.append(f"{what}: {why}" + (f" ({told})" if told else ""))


def _empty(calls: Patient, plan: AggregatorPlan, sources: Sources, regions: Sequence[str]) -> list[Place]:
    """Sources in good order of which nothing is held."""
    found = []
    for region in regions:
        counted = count(calls, plan.name, "ACCOUNT_ID", Region=region)
        accounts = sorted(account for account, place in sources.collected - set(sources.doubtful) if place == region)
        found += [(account, region) for account in accounts if not counted[account]]
    return found
