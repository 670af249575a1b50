"""The engine: items and accounts against rules, every outcome counted, nothing passed that could not be judged.

The results document is a public contract (docs/result.md, docs/schemas/result.schema.json).
"""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from pci_config.catalogue import RuleEntry
from pci_config.collect._deferred import Deferred
from pci_config.exceptions import ExceptionRegister
from pci_config.items import EVALUATED_STATUSES, ItemFormError
from pci_config.parallel import each
from pci_config.recorded_types import CLOUDFRONT_REGION
from pci_config.rule import (
    ACCOUNT_RESOURCE_TYPE,
    Clients,
    Facts,
    Finding,
    Item,
    LiveFacts,
    NotAssessed,
    PciRule,
    RecordedFacts,
    RuleInputError,
    Scope,
    bounded,
    parse_parameters,
)
from pci_config.settings import SettingMissing, Settings
from pci_config.sources.snapshot import RawItem, Snapshot, newest

SCHEMA_VERSION = "1"
COMPLIANCES = ("COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE", "EXCEPTED", "NOT_ASSESSED", "ERROR")
GLOBAL = "global"


class Result(msgspec.Struct, frozen=True, gc=False):
    """One verdict, as in the results document."""

    rule: str
    account_id: str
    region: str
    resource_type: str
    resource_id: str
    resource_name: str | None
    compliance: str
    annotation: str
    requirements: Mapping[str, list[str]]
    severity: str
    evaluated_at: str
    configuration_item_captured_at: str | None
    named_by: tuple[int, ...] = ()  # exceptions that name this finding, in force or not; not part of the document

    order: ClassVar = attrgetter("rule", "account_id", "region", "resource_type", "resource_id")

    def document(self) -> dict[str, Any]:
        """The members of the contract by name, ready for JSON; what is in them is shared, not copied."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "named_by"}


@dataclass
class Assessment:
    """Results in their order, where they come from, and what could not be read."""

    sources: list[str]
    results: list[Result]
    problems: list[str] = field(default_factory=list)
    generated_at: str = field(default_factory=lambda: timestamp(datetime.now(UTC)))
    exceptions: list[dict[str, Any]] = field(default_factory=list)
    places: frozenset[tuple[str, str]] = frozenset()  # (account, Region) of which everything was read

    def counts(self) -> Counter[str]:
        return Counter(result.compliance for result in self.results)

    def document(self) -> dict[str, Any]:
        """The results document, ready for JSON."""
        by_rule: dict[str, Counter[str]] = defaultdict(Counter)
        by_requirement: dict[str, Counter[str]] = defaultdict(Counter)
        for result in self.results:
            by_rule[result.rule][result.compliance] += 1
            for number in result.requirements.get("4.0.1", []):
                by_requirement[number][result.compliance] += 1
        return {
            "schema_version": SCHEMA_VERSION,
            "generated_at": self.generated_at,
            "sources": self.sources,
            "summary": {
                "by_compliance": {name: self.counts()[name] for name in COMPLIANCES},
                "by_rule": {rule: dict(sorted(counts.items())) for rule, counts in sorted(by_rule.items())},
                "by_requirement": {number: dict(sorted(counts.items())) for number, counts in sorted(by_requirement.items())},
                "problems": self.problems,
            },
            "exceptions": self.exceptions,
            "results": [result.document() for result in self.results],
        }


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployed_in(entry: RuleEntry, region: str, home_region: str) -> str:
    """The Region of the rule that judges this: exceptions of what has no Region of its own are written for that one."""
    if region != GLOBAL:
        return region
    return home_region if entry.region_scope == "global" else CLOUDFRONT_REGION


@dataclass
class Judge:
    """Rules with their parameters, and what every verdict needs. Raises ParameterError when a rule parameter is bad."""

    entries: Sequence[RuleEntry]
    settings: Settings
    rule_parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    exceptions: ExceptionRegister = field(default_factory=ExceptionRegister)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._evaluated_at = timestamp(self.now)
        self._rules: list[tuple[RuleEntry, PciRule, Any]] = [
            (
                entry,
                entry.rule_class(self.settings),
                parse_parameters(entry.rule_class.parameters, self.rule_parameters.get(entry.id, {})),
            )
            for entry in self.entries
        ]
        self._requirements = {  # one for all verdicts of a rule
            entry.id: {version: list(numbers) for version, numbers in entry.requirements.items()} for entry in self.entries
        }
        self._judging: dict[str, list[tuple[RuleEntry, PciRule, Any]]] = defaultdict(list)
        for judging in self._rules:
            for name in judging[0].resource_types:
                self._judging[name].append(judging)

    @cached_property
    def judged_types(self) -> frozenset[str]:
        """Types that some rule judges on change."""
        return frozenset(name for entry in self.entries for name in entry.resource_types)

    @cached_property
    def needed_types(self) -> frozenset[str]:
        """Judged types and those that lookups read."""
        looked_up = {name for entry in self.entries for lookup in entry.rule_class.lookups for name in lookup.resource_types}
        return self.judged_types | looked_up

    def item(self, item: Item, facts: Facts) -> list[Result]:
        """The verdict of every rule that judges the item's type."""
        results = []
        for entry, rule, parameters in self._judging.get(item["resourceType"], ()):
            try:
                finding = rule.decide(item, parameters, facts)
            except Exception as error:
                finding = _undecided(error)
            results.append(self._result(entry, item, finding))
        return results

    def account(self, facts: Facts, home: bool) -> list[Result]:
        """The verdicts of periodic rules on an account in a Region; rules of global scope only in the home Region."""
        results = []
        scope = facts.scope
        place = {"awsAccountId": scope.account_id, "awsRegion": scope.region, "resourceType": ACCOUNT_RESOURCE_TYPE}
        for entry, rule, parameters in self._rules:
            if rule.judges_accounts() and (home or entry.region_scope == "regional"):
                try:
                    findings = list(rule.decide_account(parameters, facts))
                except Exception as error:
                    findings = [_undecided(error)]
                for finding in findings:
                    subject = {
                        **place,
                        "resourceType": finding.resource_type or ACCOUNT_RESOURCE_TYPE,
                        "resourceId": finding.resource_id or scope.account_id,
                    }
                    results.append(self._result(entry, subject, finding))
        return results

    def unreadable(self, account_id: str, region: str, message: str) -> list[Result]:
        """An ERROR for every rule, when an account could not be read at all."""
        subject = {
            "awsAccountId": account_id,
            "awsRegion": region,
            "resourceType": ACCOUNT_RESOURCE_TYPE,
            "resourceId": account_id,
        }
        return [self._result(entry, subject, Finding("ERROR", bounded(message))) for entry in self.entries]

    def _result(self, entry: RuleEntry, item: Item, finding: Finding) -> Result:
        compliance, annotation = finding.compliance, finding.annotation
        account_id, region = str(item.get("awsAccountId") or ""), str(item.get("awsRegion") or "")
        named_by: tuple[int, ...] = ()
        if compliance == "NON_COMPLIANT":
            place = deployed_in(entry, region, self.settings.home_region)
            subject = entry.id, account_id, place, item["resourceId"], item.get("ARN")
            granted = self.exceptions.match(*subject, self.now.date())
            named_by = tuple(n for n, each in enumerate(self.exceptions.entries) if each.names(*subject))
            if granted:
                compliance, annotation = "EXCEPTED", bounded(granted.accepted(annotation))
        return Result(
            rule=entry.id,
            account_id=account_id,
            region=region,
            resource_type=item["resourceType"],
            resource_id=item["resourceId"],
            resource_name=item.get("resourceName"),
            compliance=compliance,
            annotation=annotation,
            requirements=self._requirements[entry.id],
            severity=entry.severity,
            evaluated_at=self._evaluated_at,
            configuration_item_captured_at=item.get("configurationItemCaptureTime"),
            named_by=named_by,
        )


def _undecided(error: Exception) -> Finding:
    """The outcome of a rule that could not decide, and why."""
    if isinstance(error, NotAssessed):
        return Finding("NOT_ASSESSED", bounded(str(error)))
    if isinstance(error, (RuleInputError, SettingMissing)):
        return Finding("ERROR", bounded(str(error)))
    if isinstance(error, (ClientError, BotoCoreError)):
        return Finding("ERROR", bounded(f"AWS: {error}"))
    return Finding("ERROR", bounded(f"the rule failed: {type(error).__name__}: {error}"))


class SnapshotIndex:
    """Lookups answered by other items of the same snapshot; content is decoded at the first question."""

    def __init__(self, items: Iterable[RawItem], types: frozenset[str]) -> None:
        self._raw: dict[tuple[str, str, str], list[RawItem]] = defaultdict(list)
        for item in items:
            if item.resourceType in types and item.configurationItemStatus in (None, *EVALUATED_STATUSES):
                self._raw[item.resourceType, item.account, item.awsRegion].append(item)
        self._decoded: dict[tuple[str, str, str], list[dict[str, Any]]] = {}

    def find(self, resource_type: str, account_id: str, region: str) -> list[dict[str, Any]]:
        key = resource_type, account_id, region
        if key not in self._raw:
            raise NotAssessed(f"this source holds no {resource_type} of {account_id} in {region}")
        if key not in self._decoded:
            self._decoded[key] = [item.item() for item in self._raw[key]]
        return self._decoded[key]


def assess_snapshot(judge: Judge, snapshot: Snapshot, jobs: int = 1) -> tuple[list[Result], list[str]]:
    """Results and problems. Periodic rules are NOT_ASSESSED for every account and Region of the snapshot, and counted."""
    types = judge.needed_types
    needed = newest(item for item in snapshot.items if item.resourceType in types)
    judged = [
        item
        for item in needed
        if item.resourceType in judge.judged_types and item.configurationItemStatus in (None, *EVALUATED_STATUSES)
    ]
    global _work  # noqa: PLW0603 - forked workers inherit it instead of receiving a copy
    _work = judge, judged, SnapshotIndex(needed, types)
    if jobs > 1 and len(judged) > jobs:
        step = (len(judged) + jobs - 1) // jobs
        gc.freeze()  # what is there is shared with the workers: let no collection touch, and so copy, its pages
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            packed = pool.map(_judge_packed, [(start, start + step) for start in range(0, len(judged), step)])
        gc.unfreeze()
        parts = [_unpack(part) for part in packed]
    else:
        parts = [_judge_part((0, len(judged)))]
    results = [result for part, _ in parts for result in part]
    problems = [problem for _, part in parts for problem in part]
    for account_id, region in sorted(snapshot.places):
        if region != GLOBAL:
            facts = RecordedFacts(_work[2], Scope(account_id, region, judge.now, judge.settings))
            results += judge.account(facts, home=region == judge.settings.home_region)
    return sorted(results, key=Result.order), problems


_work: tuple[Judge, Sequence[RawItem], SnapshotIndex]


def _judge_packed(bounds: tuple[int, int]) -> bytes:
    """What a worker sends back: ten times quicker to pack and unpack than Python's own pickles."""
    return msgspec.msgpack.encode(_judge_part(bounds))


_unpack = msgspec.msgpack.Decoder(tuple[list[Result], list[str]]).decode


def _judge_part(bounds: tuple[int, int]) -> tuple[list[Result], list[str]]:
    _, judged, _ = _work
    results: list[Result] = []
    problems: list[str] = []
    collecting = gc.isenabled()
    gc.disable()  # verdicts hold no cycles, and looking for some among ever more of them takes as long as judging
    try:
        _judge_items(judged[bounds[0] : bounds[1]], results, problems)
    finally:
        if collecting:
            gc.enable()
    return results, problems


def _judge_items(judged: Sequence[RawItem], results: list[Result], problems: list[str]) -> None:
    judge, _, index = _work
    known: dict[tuple[str, str], RecordedFacts] = {}  # of an account and Region
    for raw in judged:
        try:
            item = raw.item()
        except ItemFormError as error:
            problems.append(f"{raw.resourceType} {raw.resourceId}: {error}")
            continue
        place = raw.account, str(raw.awsRegion)
        if place not in known:
            known[place] = RecordedFacts(index, Scope(*place, judge.now, judge.settings))
        results += judge.item(item, known[place])


class ReadItems:
    """Lookups answered by the items just read from one account and Region."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
        for item in items:
            self._items[item["resourceType"], item["awsAccountId"], item["awsRegion"]].append(item)

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Item]:
        if (resource_type, account_id, region) not in self._items:
            raise NotAssessed(f"no {resource_type} of {account_id} was read in {region}")
        return self._items[resource_type, account_id, region]


def assess_live(
    judge: Judge, items: Iterable[Item], clients: Clients, account_id: str, region: str, home: bool
) -> list[Result]:
    """Results of one account and Region from its own APIs. Items with parts still to be asked for are judged side by side."""
    scope = Scope(account_id, region, judge.now, judge.settings)
    items = list(items)
    facts = LiveFacts(clients, scope, ReadItems(items))
    asking = [item for item in items if isinstance(item["supplementaryConfiguration"], Deferred)]
    whole = [item for item in items if not isinstance(item["supplementaryConfiguration"], Deferred)]
    results = [result for item in whole for result in judge.item(item, facts)]
    results += [result for part in each(lambda item: judge.item(item, facts), asking) for result in part]
    return results + judge.account(facts, home)
