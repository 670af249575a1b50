"""However an item or a fact is broken, every rule gives a verdict or a clear error, and a missing member earns no COMPLIANT.

Works on whatever the catalogue holds: the sample items of `tests/data/ci`, as they are and tagged in every way that rules read;
facts from the other samples, and otherwise "there is none" in the lookup's own type.

A member whose absence means fine stands in `ABSENT_IS_FINE` of the rule's own test module: a dict from its dotted path (* for a
position in a list) to the reason, which the rule's table or its AWS source must give.
"""

from __future__ import annotations

import collections.abc
import copy
import dataclasses
import functools
import importlib.util
import json
import sys
import types
import typing
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pci_config.assess import Judge
from pci_config.catalogue import Catalogue, RuleEntry, project_root
from pci_config.log_destination import Stream, Subscription
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rdk_json import RdkJson
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    Lookup,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    compliant,
    non_compliant,
    optional,
)
from pci_config.settings import SettingMissing, Settings

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "ci"
CATALOGUE = Catalogue.load()
SAMPLE_SETTINGS = RdkJson.load(project_root() / "rdk.json").settings
# every bucket is one of the archive: what a sample's own bucket names keep from being COMPLIANT
OPEN_SETTINGS = dataclasses.replace(SAMPLE_SETTINGS, archive_buckets=("*",))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
REFUSALS = (RuleInputError, NotAssessed, SettingMissing)
NO_VERDICT = "no verdict"
DECISIONS_OF_A_KIND = 5
KEPT = ("resourceType",)  # the engine gives a rule items of its types only
TAGGINGS: tuple[Mapping[str, str], ...] = (
    {},
    {"pci:log-archive": "true"},
    {"pci:scope": "cde"},
    {"pci:scope": "out"},
    {"pci:scope": "cde", "pci:tier": "dmz"},
    {"pci:scope": "cde", "pci:tier": "service"},
    {"pci:scope": "cde", "pci:tier": "database"},
)
JUNK: tuple[Any, ...] = (None, "", "x", 0, -1, 3.5, True, [], {}, ["x"], {"x": 1}, [None], [[]], [{}], "x" * 300)


@dataclass(frozen=True)
class Case:
    """An item for a rule, and what it may know around it."""

    entry: RuleEntry
    item: Mapping[str, Any]
    settings: Settings
    facts: str

    def __str__(self) -> str:
        tags = ",".join(f"{key}={value}" for key, value in self.item.get("tags", {}).items() if key.startswith("pci:"))
        where = "open" if self.settings is OPEN_SETTINGS else "sample"
        return f"{self.entry.id} {self.item['resourceType']} [{tags}] {where} {self.facts}"


class SampleFacts:
    """Facts from the other samples (`index`), else what is known to lead to the archive, else none of its kind."""

    def __init__(self, scope: Scope, index: SampleIndex, with_answers: bool) -> None:
        self.scope = scope
        self._index = index
        self._with_answers = with_answers

    def get(self, lookup: type[Lookup[Any]], *key: str) -> Any:
        if self._with_answers and lookup in ANSWERS:
            return ANSWERS[lookup](*key)
        try:
            return lookup.recorded(self._index, self.scope, *key)
        except NotAssessed:
            if not self._with_answers:
                raise
            return none_of_its_kind(lookup)


class SampleIndex:
    """Every sample is in the account and Region that a lookup asks for; `broken` replaces some."""

    def __init__(self, broken: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._broken = broken or {}

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[Mapping[str, Any]]:
        del account_id, region
        found = self._broken.get(resource_type) or sample(resource_type)
        if found is None:
            raise NotAssessed(f"no sample of {resource_type}")
        return [found]


ANSWERS: dict[type[Lookup[Any]], Any] = {
    DeliveryStream: lambda region, name: Stream(name, "ACTIVE", "card-issuer-log-archive-streams"),
    Subscriptions: lambda region, name: [
        Subscription("all", f"arn:aws:firehose:{region}:{SAMPLE_SETTINGS.archive_account}:deliverystream/archive", "")
    ],
}


def none_of_its_kind(lookup: type[Lookup[Any]]) -> Any:
    """None or an empty collection where the lookup's type admits it."""
    (answer,) = [base.__args__[0] for base in lookup.__orig_bases__ if typing.get_origin(base) is Lookup] or [object]  # type: ignore[attr-defined]
    options = typing.get_args(answer) if isinstance(answer, types.UnionType) else (answer,)
    if type(None) in options:
        return None
    for option in options:
        origin = typing.get_origin(option) or option
        if origin in (collections.abc.Sequence, tuple, list):
            return ()
        if origin in (frozenset, set, collections.abc.Set):
            return frozenset()
    raise NotAssessed(f"nothing is known of {lookup.__name__}")


@functools.cache
def sample(resource_type: str) -> Mapping[str, Any] | None:
    path = SAMPLES / f"{resource_type.replace('::', '_')}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def cases() -> Iterator[Case]:
    for entry in CATALOGUE.rules.values():
        for resource_type in entry.resource_types:
            item = sample(resource_type)
            if item is None:
                continue
            for tags in TAGGINGS:
                for around in (SAMPLE_SETTINGS, OPEN_SETTINGS):
                    for facts in ("recorded", "answered"):
                        yield Case(entry, {**item, "tags": {**item.get("tags", {}), **tags}}, around, facts)


CASES = list(cases())


@functools.cache
def rule_of(entry_id: str, which: str) -> tuple[PciRule, Any]:
    around = OPEN_SETTINGS if which == "open" else SAMPLE_SETTINGS
    rule = CATALOGUE.rules[entry_id].rule_class(around)
    return rule, rule.evaluate_parameters({})


def facts_of(case: Case, index: SampleIndex | None = None) -> TextKeys:
    item = case.item
    scope = Scope(item["awsAccountId"], item["awsRegion"], NOW, case.settings)
    return TextKeys(SampleFacts(scope, index or SampleIndex(), with_answers=case.facts == "answered"))


def decided(case: Case, item: Mapping[str, Any], index: SampleIndex | None = None) -> Finding | None:
    """The finding; None when the rule refuses. Anything else that it raises fails the test."""
    rule, parameters = rule_of(case.entry.id, "open" if case.settings is OPEN_SETTINGS else "sample")
    try:
        finding = rule.decide(item, parameters, facts_of(case, index))
    except REFUSALS:
        return None
    assert finding.compliance in (COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE)
    assert 1 <= len(finding.annotation) <= 256, f"{case}: {finding.annotation!r}"
    return finding


# ------------------------------------------------------------------------------------------------------- taking apart

Step = str | int
Place = tuple[Step, ...]
MISSING = object()


def members(value: Any, prefix: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every member and element below a value."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, entry in pairs:
        yield (*prefix, step), entry
        yield from members(entry, (*prefix, step))


def changed(value: Any, path: Place, new: Any) -> Any:
    """A copy with one member replaced, or left out when `new` is MISSING; what is not on the way is shared."""
    step, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[step] = changed(value[step], tuple(rest), new)  # type: ignore[call-overload,index]
    elif new is MISSING:
        del copy[step]  # type: ignore[arg-type]
    else:
        copy[step] = new  # type: ignore[call-overload,index]
    return copy


def broken(draw: st.DrawFn, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item with one to three members missing, replaced, wrapped or cut short."""
    for _ in range(draw(st.integers(1, 3))):
        places = [path for path, _ in members(item) if path[0] not in KEPT]
        if not places:
            break
        path = draw(st.sampled_from(places))
        value = functools.reduce(lambda found, step: found[step], path, item)
        way = draw(st.sampled_from(("gone", "null", "junk", "wrapped", "listed", "cut", "shouted")))
        cut = value[: len(value) // 2] if isinstance(value, str | list) else MISSING
        loud = value.upper() if isinstance(value, str) else str(value)
        new = {"gone": MISSING, "null": None, "wrapped": {"x": value}, "listed": [value], "cut": cut, "shouted": loud}
        item = changed(item, path, new[way] if way in new else draw(st.sampled_from(JUNK)))
    return item


def general(path: Place) -> str:
    return ".".join("*" if isinstance(step, int) else step for step in path)


# ------------------------------------------------------------------------------------- what the rules' own tests judge


class TextKeys:
    """Facts that are asked with texts only: what a broken item gave must not reach AWS."""

    def __init__(self, facts: Any) -> None:
        self.scope = facts.scope
        self._facts = facts

    def get(self, lookup: type[Lookup[Any]], *key: str) -> Any:
        assert all(isinstance(part, str) for part in key), f"{lookup.__name__} is asked with {key!r}"
        return self._facts.get(lookup, *key)


@dataclass(frozen=True)
class Judged:
    """A decision that a rule's own test asked for, to be asked again with something missing."""

    rule: PciRule
    decide: Callable[..., Finding]
    item: Mapping[str, Any]
    parameters: Any
    facts: Any
    finding: Finding

    def again(self, item: Mapping[str, Any]) -> str:
        try:
            return self.decide(self.rule, item, self.parameters, TextKeys(self.facts)).compliance
        except REFUSALS:
            return NO_VERDICT


@contextmanager
def without_aws() -> Iterator[None]:
    """Tests that go to moto or a stubbed client are skipped: they are slow, and their facts are not at hand afterwards."""

    def skip(*given: Any, **named: Any) -> Any:
        del named
        if given and callable(given[0]):
            return lambda *_, **__: skip()
        raise unittest.SkipTest("needs AWS")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.mock_aws", skip)
        patch.setattr("boto3.client", skip)
        patch.setattr("boto3.Session.client", skip)
        yield


def judged_by_own_tests(entry: RuleEntry) -> tuple[list[Judged], Mapping[str, str]]:
    """The decisions of the rule's own tests, for each type and verdict a few, no two with the same annotation; and the members
    whose absence means fine."""
    found: list[Judged] = []
    with without_aws(), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(entry.folder))
        spec = importlib.util.spec_from_file_location(f"every_rule_{entry.id}", entry.folder / f"{entry.id}_test.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        for cls in subclasses(PciRule):
            if cls.rule_id() == entry.id and "decide" in vars(cls):
                patch.setattr(cls, "decide", noting(cls.decide, found))
        unittest.defaultTestLoader.loadTestsFromModule(module).run(unittest.TestResult())
    chosen: dict[tuple[str, str], dict[str, Judged]] = {}
    for judged in found:
        kind = str(judged.item.get("resourceType")), judged.finding.compliance
        chosen.setdefault(kind, {}).setdefault(judged.finding.annotation, judged)
    few = [judged for kind in chosen.values() for judged in list(kind.values())[:DECISIONS_OF_A_KIND]]
    return few, getattr(module, "ABSENT_IS_FINE", {})


def noting(decide: Callable[..., Finding], into: list[Judged]) -> Callable[..., Finding]:
    def noted(rule: PciRule, item: Mapping[str, Any], parameters: Any, facts: Any) -> Finding:
        kept = copy.deepcopy(dict(item))
        finding = decide(rule, item, parameters, facts)
        into.append(Judged(rule, decide, kept, parameters, facts, finding))
        return finding

    return noted


def subclasses(cls: type) -> Iterator[type[Any]]:
    for derived in cls.__subclasses__():
        yield derived
        yield from subclasses(derived)


# --------------------------------------------------------------------------------------------------------------- tests


def test_there_is_a_sample_of_every_type_that_a_rule_judges() -> None:
    judged = {name for entry in CATALOGUE.rules.values() for name in entry.resource_types}
    missing = [name for name in sorted(judged) if sample(name) is None]
    assert missing == [], "add a recorded item to tests/data/ci"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_however_an_item_is_broken_there_is_a_verdict_or_a_clear_refusal(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES), label="case")
    item = data.draw(st.composite(broken)(case.item), label="item")
    types_around = sorted({name for lookup in case.entry.rule_class.lookups for name in lookup.resource_types if sample(name)})
    around = {}
    if types_around and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(types_around))
        other = sample(name) or {}
        named = {member: other[member] for member in ("resourceType", "resourceId")}  # no source holds an item without them
        around[name] = {**data.draw(st.composite(broken)(other), label=name), **named}
    decided(case, item, SampleIndex(around))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_engine_reports_every_outcome(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES), label="case")
    item = data.draw(st.composite(broken)(case.item), label="item")
    item = {**item, "resourceId": case.item["resourceId"]}
    (result,) = engine(case.entry.id).item(item, facts_of(case))
    assert not result.annotation.startswith("the rule failed"), result.annotation
    assert 1 <= len(result.annotation) <= 256


@functools.cache
def engine(rule_id: str) -> Judge:
    return Judge([CATALOGUE.rules[rule_id]], SAMPLE_SETTINGS, now=NOW)


CHANGING = [entry for entry in CATALOGUE.rules.values() if entry.resource_types]
PERIODIC = [entry for entry in CATALOGUE.rules.values() if entry.rule_class.judges_accounts()]


@pytest.mark.parametrize("entry", CHANGING, ids=lambda entry: entry.id)
def test_what_is_missing_earns_no_pass(entry: RuleEntry) -> None:
    """On the items of the rule's own tests: no missing member turns a finding into COMPLIANT, none keeps a COMPLIANT that another
    value of it would have cost."""
    judged, allowed = judged_by_own_tests(entry)
    assert {COMPLIANT, NON_COMPLIANT} <= {each.finding.compliance for each in judged}, "own tests judge items without AWS"
    passed = undeserved(judged, allowed)
    assert passed == set(), f"{entry.id} says COMPLIANT without a member whose value could have cost it: see ABSENT_IS_FINE"
    assert all(len(reason) > 10 for reason in allowed.values())


def undeserved(judged: Sequence[Judged], allowed: Mapping[str, str]) -> set[str]:
    """Members without which an item is COMPLIANT, though it was not with them, or would not be with another value."""
    passed = set()
    for each in judged:
        for path, value in members(each.item):
            if path[0] in KEPT or isinstance(path[-1], int) or general(path) in allowed:
                continue  # an element less is other content
            if COMPLIANT not in {each.again(changed(each.item, path, new)) for new in (MISSING, None)}:
                continue
            if each.finding.compliance == NON_COMPLIANT or (each.finding.compliance == COMPLIANT and costly(each, path, value)):
                passed.add(general(path))
    return passed


def costly(judged: Judged, path: Place, value: Any) -> bool:
    """Whether another value of the member makes the item NON_COMPLIANT."""
    others = (*JUNK[1:], not value) if isinstance(value, bool) else JUNK[1:]
    return any(judged.again(changed(judged.item, path, other)) == NON_COMPLIANT for other in others)


@pytest.mark.parametrize("entry", PERIODIC, ids=lambda entry: entry.id)
def test_an_account_of_which_nothing_is_known_is_not_compliant(entry: RuleEntry) -> None:
    """Lookups that answer "there is none" or nothing: a finding, or a clear refusal."""
    rule, parameters = rule_of(entry.id, "sample")
    for with_answers in (False, True):
        facts = TextKeys(SampleFacts(Scope("123456789012", "eu-west-1", NOW, SAMPLE_SETTINGS), SampleIndex(), with_answers))
        try:
            findings = rule.decide_account(parameters, facts)
        except REFUSALS:
            continue
        for finding in findings:
            assert 1 <= len(finding.annotation) <= 256
            assert finding.resource_type
            assert finding.resource_id


@pytest.mark.parametrize("is_open", [True, False])
def test_a_pass_that_absence_earned_is_seen(is_open: bool) -> None:
    def decide(rule: Any, item: Mapping[str, Any], parameters: Any, facts: Any) -> Finding:
        return non_compliant("open") if optional(item, "configuration.open", object, None) else compliant("closed")

    item = {"resourceType": "AWS::EC2::VPC", "configuration": {"open": is_open, "name": "x"}}
    facts = SampleFacts(Scope("123456789012", "eu-west-1", NOW, SAMPLE_SETTINGS), SampleIndex(), with_answers=False)
    judged = Judged(PciRule(), decide, item, None, facts, decide(None, item, None, None))
    assert undeserved([judged], {}) == {"configuration.open"} | ({"configuration"} if is_open else set())
    assert undeserved([judged], {"configuration": "", "configuration.open": ""}) == set()
