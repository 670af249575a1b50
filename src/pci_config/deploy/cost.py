"""What a month of checking costs: evaluations by rule and Region, their Lambda calls, and the items that are recorded for them.

What counts: one evaluation is one result that a rule reports for a resource; that of a rule in a pack is billed once, as the
pack's. Source: AWS Config pricing page; developer guide (components of a rule, periodic triggers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.catalogue import Catalogue
from pci_config.deploy.prices import Prices
from pci_config.recorded_types import CLOUDFRONT_PREFIX, CLOUDFRONT_REGION, Need
from pci_config.rule import ACCOUNT_RESOURCE_TYPE

RUNS_A_DAY = {"One_Hour": 24.0, "Three_Hours": 8.0, "Six_Hours": 4.0, "Twelve_Hours": 2.0, "TwentyFour_Hours": 1.0}
NOT_INCLUDED = (
    "Not included: S3, SNS and CloudWatch; Systems Manager Automation of fixes; CloudTrail; data of an aggregator; taxes; free "
    "tiers and discounts; results of rules that are deleted"
)
GLOBAL = "global"

Counts = Mapping[tuple[str, str], float]  # Region and type, over all accounts


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """How a rule is triggered. `change_types`: judged at each change; `run_types`: one result for each at each run;
    `runs_a_day` 0: it has no schedule."""

    id: str
    everywhere: bool
    custom: bool
    change_types: tuple[str, ...]
    run_types: tuple[str, ...]
    runs_a_day: float

    def regions(self, regions: Sequence[str], home_region: str) -> tuple[str, ...]:
        return tuple(regions) if self.everywhere else (home_region,)


@dataclass(frozen=True, slots=True)
class Resources:
    """What is there. `source` says where the counts come from."""

    counts: Counts
    accounts: int
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """Numbers of one rule in one Region and month."""

    rule: str
    region: str
    on_change: float
    periodic: float
    invocations: float
    once: float

    @property
    def evaluations(self) -> float:
        return self.on_change + self.periodic


@dataclass(frozen=True)
class Estimate:
    """The sum and everything that it rests on. `recording` is what the needed types cost, be it already paid or not."""

    lines: tuple[Line, ...]
    prices: Prices
    evaluations: Mapping[str, float]  # by Region
    recorded_items: float
    recording: float
    recording_added: bool
    assumptions: tuple[str, ...] = ()

    @property
    def compliance_items(self) -> float:
        prices = self.prices
        share = prices.share_of_evaluations_that_change_compliance if prices.resource_compliance_is_recorded else 0
        return sum(self.evaluations.values()) * share

    def costs(self) -> dict[str, float]:
        """By what is billed, without recording."""
        return {
            "rule evaluations": sum(self.prices.of_evaluations(number) for number in self.evaluations.values()),
            "Lambda": self.prices.of_invocations(sum(line.invocations for line in self.lines)),
            "compliance items": self.compliance_items * self.prices.configuration_item_continuous,
        }

    @property
    def monthly(self) -> float:
        return sum(self.costs().values()) + (self.recording if self.recording_added else 0)

    @property
    def once(self) -> float:
        """The first deployment, which evaluates everything: at the first tier's price, so that it is not too low."""
        first = sum(line.once for line in self.lines)
        return first * self.prices.evaluations[0].price

    def document(self) -> dict[str, Any]:
        return {
            "schema_version": "1",
            "currency": self.prices.currency,
            "monthly": round(self.monthly, 2),
            "costs": {name: round(cost, 2) for name, cost in self.costs().items()},
            "recording": {
                "cost": round(self.recording, 2),
                "items": round(self.recorded_items),
                "included": self.recording_added,
            },
            "first_deployment": round(self.once, 2),
            "regions": {
                region: {"evaluations": round(number), "cost": round(self.prices.of_evaluations(number), 2)}
                for region, number in self.evaluations.items()
            },
            "rules": [
                {
                    "rule": line.rule,
                    "region": line.region,
                    "evaluations_on_change": round(line.on_change, 1),
                    "evaluations_periodic": round(line.periodic, 1),
                    "lambda_invocations": round(line.invocations, 1),
                }
                for line in self.lines
            ],
            "assumptions": list(self.assumptions),
        }


def rule_loads(catalogue: Catalogue, prices: Prices) -> list[RuleLoad]:
    """How each rule of the packs is triggered."""
    found = []
    for entry in catalogue.rules.values():
        swept = entry.resource_types if entry.rule_class.sweeps else ()
        listed = tuple(name for name in entry.rule_class.periodic_types if name != ACCOUNT_RESOURCE_TYPE)
        runs = RUNS_A_DAY[entry.periodic] if entry.periodic else 0.0
        run_types = tuple(dict.fromkeys((ACCOUNT_RESOURCE_TYPE, *swept, *listed))) if runs else ()
        found.append(RuleLoad(entry.id, entry.region_scope == "regional", True, entry.resource_types, run_types, runs))
    for managed in catalogue.managed_rules.values():
        periodic = not managed.change_types
        run_type = prices.periodic_managed_rules.get(managed.id, ACCOUNT_RESOURCE_TYPE)
        found.append(
            RuleLoad(
                managed.config_rule_name,
                managed.region_scope == "regional",
                False,
                managed.change_types,
                (run_type,) if periodic else (),
                1.0 if periodic else 0.0,
            )
        )
    return found


def placed(counted: Iterable[tuple[str, str, float]], regions: Sequence[str], home_region: str) -> dict[tuple[str, str], float]:
    """Counts by Region and type. What is global counts where it is recorded; other Regions are not deployed to."""
    found: dict[tuple[str, str], float] = {}
    for region, resource_type, number in counted:
        where = region
        if region == GLOBAL:
            where = CLOUDFRONT_REGION if resource_type.startswith(CLOUDFRONT_PREFIX) else home_region
        if where in regions:
            found[where, resource_type] = found.get((where, resource_type), 0) + number
    return found


def estimate(
    loads: Sequence[RuleLoad],
    resources: Resources,
    regions: Sequence[str],
    home_region: str,
    prices: Prices,
    needs: Mapping[str, Need],
    recording_added: bool,
) -> Estimate:
    """A month of all rules in all Regions."""
    lines = [_line(load, region, resources, prices) for load in loads for region in load.regions(regions, home_region)]
    by_region = {region: sum(line.evaluations for line in lines if line.region == region) for region in regions}
    items = {
        (region, kind): number * prices.recorded(kind) for (region, kind), number in resources.counts.items() if kind in needs
    }
    recording = sum(number * prices.of_item(kind) for (_, kind), number in items.items())
    said = assumptions(loads, resources, regions, prices, recording_added)
    return Estimate(tuple(lines), prices, by_region, sum(items.values()), recording, recording_added, tuple(said))


def _line(load: RuleLoad, region: str, resources: Resources, prices: Prices) -> Line:
    def count(resource_type: str) -> float:
        if resource_type == ACCOUNT_RESOURCE_TYPE:
            return resources.accounts
        return resources.counts.get((region, resource_type), 0)

    runs = load.runs_a_day * prices.days_of_a_month
    on_change = sum(count(kind) * prices.changes(kind) for kind in load.change_types)
    reported = sum(count(kind) for kind in load.run_types)
    invocations = on_change + runs * resources.accounts if load.custom else 0.0
    once = sum(count(kind) for kind in dict.fromkeys((*load.change_types, *load.run_types)))
    return Line(load.id, region, on_change, runs * reported, invocations, once)


def assumptions(
    loads: Sequence[RuleLoad], resources: Resources, regions: Sequence[str], prices: Prices, recording_added: bool
) -> list[str]:
    """Everything that the sum rests on, in words and numbers."""
    kinds = {kind for load in loads for kind in (*load.change_types, *load.run_types)} - {ACCOUNT_RESOURCE_TYPE}
    counted = {kind for _, kind in resources.counts}
    absent = sorted(kinds - counted)
    own = ", ".join(f"{kind} {number:g}" for kind, number in sorted(prices.changes_by_type.items()))
    tiers = ", ".join(f"{t.price:g} {f'up to {t.up_to:,}' if t.up_to else 'above'}" for t in prices.evaluations)
    scheduled = sum(load.runs_a_day > 0 for load in loads)
    told = sum(bool(load.change_types) for load in loads)
    said = [
        f"{resources.accounts} accounts, {len(regions)} Regions: {', '.join(regions)}",
        f"Resources: {sum(resources.counts.values()):,.0f} of {len(counted)} types, {resources.source}",
        f"Each resource changes {prices.changes_of_a_resource_in_a_month:g} times a month" + (f"; {own}" if own else ""),
        f"{len(loads)} rules: {told} are told of changes, {scheduled} run on a schedule, in {prices.days_of_a_month:g} days",
        "A rule on a schedule reports one result for each account and Region, and one for each resource that it goes through",
        f"Prices: {prices.source}; evaluations, by Region and over all accounts: {tiers} {prices.currency}",
        f"Recorded daily: {', '.join(sorted(prices.recorded_daily)) or 'no type'}; all others at each change",
        f"A call of the function takes {prices.lambda_seconds:g} s with {prices.lambda_memory_mb:g} MB",
        f"{prices.share_of_evaluations_that_change_compliance:.1%} of evaluations change compliance, each a configuration item"
        if prices.resource_compliance_is_recorded
        else "AWS::Config::ResourceCompliance is not recorded",
        "Recording of the types that the rules need is part of the sum: Deployment.Recorder is create"
        if recording_added
        else "Recording is paid already and not part of the sum: Deployment.Recorder is existing",
        NOT_INCLUDED,
    ]
    if absent:
        said.insert(2, f"Counted as none, for the source has none of them: {', '.join(absent)}")
    return said
