"""Recorders, scope tags and environments against models that are written another way; broken input never passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pci_config.catalogue import Catalogue, project_root
from pci_config.configuration_recorder import RecorderState, Recording, UnknownShape
from pci_config.environment_facts import Gateway, Gateways, Share, Shares
from pci_config.recorded_types import GLOBAL_IAM_TYPES, Need
from pci_config.rule import COMPLIANT, NON_COMPLIANT, NotAssessed, RuleInputError, Scope, StatedFacts
from pci_config.scope_facts import GroupUse, Use, User
from pci_config.scope_tags import all_tags, groups_of, tag_fault
from pci_config.settings import SettingMissing, Settings, Tier

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNTS = {"production": ("600000000006",), "staging": ("700000000007",), "management": ("100000000001",)}
SETTINGS = Settings(accounts=ACCOUNTS, home_region="eu-west-1", network_tiers={"dmz": Tier((), ()), "service": Tier((), ())})
RULES = Catalogue.load().rules
RECORDER = RULES["PCI_RECORDER_COVERS_SCOPE"].rule_class
TAGGED = RULES["PCI_SCOPE_TAGGED"].rule_class
SEPARATED = RULES["PCI_ENVIRONMENT_SEPARATED"].rule_class
RECORDER_LOOKUP = RECORDER.lookups[0]
SAMPLES = project_root() / "tests" / "data" / "ci"

TYPES = ("AWS::EC2::VPC", "AWS::S3::Bucket", "AWS::IAM::User", "AWS::IAM::Role")
some_types = st.lists(st.sampled_from(TYPES), unique=True)
frequency = st.sampled_from(("CONTINUOUS", "DAILY"))
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5000) | st.text(max_size=6) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def sample(resource_type: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{resource_type.replace('::', '_')}.json").read_text("utf-8"))
    return item | {"awsAccountId": "600000000006"}


# ------------------------------------------------------------------------------------------------------------ recorder


@st.composite
def groups(draw: st.DrawFn) -> tuple[dict[str, Any], set[str]]:
    """A recording group as AWS would accept it, and the types of TYPES that it records."""
    listed = draw(some_types)
    match draw(st.sampled_from(("all", "some", "others"))):
        case "all":
            with_iam = draw(st.booleans())
            group = {"allSupported": True, "includeGlobalResourceTypes": with_iam}
            return group, {name for name in TYPES if with_iam or not name.startswith("AWS::IAM::")}
        case "some":
            named = {"recordingStrategy": {"useOnly": "INCLUSION_BY_RESOURCE_TYPES"}} if draw(st.booleans()) else {}
            return {"allSupported": False, "resourceTypes": listed, **named}, set(listed)
        case _:
            strategy = {"recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}}
            excluded = {"exclusionByResourceTypes": {"resourceTypes": listed}}
            return {"allSupported": False, "includeGlobalResourceTypes": False, **strategy, **excluded}, set(TYPES) - set(
                listed
            )


@given(groups(), frequency, some_types, frequency)
def test_a_recorder_covers_what_the_model_says(
    group: tuple[dict[str, Any], set[str]], default: str, overridden: list[str], override: str
) -> None:
    document, covered = group
    overrides = [{"resourceTypes": overridden, "recordingFrequency": override}] if overridden else []
    mode = {"recordingFrequency": default, "recordingModeOverrides": overrides}
    recording = Recording.of({"recordingGroup": document, "recordingMode": mode})
    assert {name for name in TYPES if recording.covers(name)} == covered
    for name in TYPES:
        assert recording.continuously(name) == ((override if name in overridden else default) == "CONTINUOUS")

    if covered:
        finding = judged_recorder(RecorderState([{"recordingGroup": document, "recordingMode": mode}], *working()), covered)
        assert (finding.compliance == COMPLIANT) == all(recording.continuously(name) for name in covered)
    missing = set(TYPES) - covered
    if missing:
        finding = judged_recorder(RecorderState([{"recordingGroup": document}], *working()), set(TYPES))
        assert finding.compliance == NON_COMPLIANT
        assert "not recorded" in finding.annotation


def working() -> tuple[Any, ...]:
    status = {"recording": True, "lastStatus": "Success", "lastStartTime": NOW - timedelta(days=9)}
    return [status], [{}], [{"configHistoryDeliveryInfo": {"lastStatus": "Success"}}]


def judged_recorder(state: RecorderState, needed: set[str]) -> Any:
    class Rule(RECORDER):  # type: ignore[misc,valid-type]
        needed_types = staticmethod(lambda: {name: Need(True) for name in needed})

    scope = Scope("600000000006", "eu-west-1", NOW, SETTINGS)
    rule = Rule(SETTINGS)
    (finding,) = rule.decide_account(rule.evaluate_parameters({}), StatedFacts(scope, {(RECORDER_LOOKUP,): state}))
    return finding


@given(st.dictionaries(st.sampled_from(("allSupported", "resourceTypes", "recordingStrategy", "exclusionByResourceTypes",
                                        "includeGlobalResourceTypes")), junk), st.none() | junk)  # fmt: skip
def test_a_broken_recorder_covers_nothing_that_it_does_not_say(group: dict[str, Any], mode: Any) -> None:
    try:
        recording = Recording.of({"recordingGroup": group, "recordingMode": mode})
    except UnknownShape:
        return
    for name in TYPES:
        if recording.covers(name):
            excludes = (group.get("recordingStrategy") or {}).get("useOnly") == "EXCLUSION_BY_RESOURCE_TYPES"
            assert (
                (group.get("allSupported") is True and (group.get("includeGlobalResourceTypes") is True
                                                        or name not in GLOBAL_IAM_TYPES))
                or name in (group.get("resourceTypes") or ())
                or excludes
                or bool(group.get("exclusionByResourceTypes"))
            )  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(("recording", "lastStatus", "lastStartTime", "lastStatusChangeTime")), junk),
                max_size=1), st.lists(st.dictionaries(st.sampled_from(("configHistoryDeliveryInfo",)), junk), max_size=1))  # fmt: skip
def test_only_a_recorder_that_runs_and_delivers_passes(statuses: list[Any], deliveries: list[Any]) -> None:
    state = RecorderState([{"recordingGroup": {"allSupported": True}}], statuses, [{}], deliveries)
    try:
        finding = judged_recorder(state, {"AWS::EC2::VPC"})
    except RuleInputError:
        return
    if finding.compliance == COMPLIANT:
        assert statuses[0]["recording"] is True
        assert statuses[0]["lastStatus"] == "Success"
        assert deliveries[0]["configHistoryDeliveryInfo"]["lastStatus"] == "Success"


# --------------------------------------------------------------------------------------------------------------- scope


@given(st.dictionaries(st.sampled_from(("pci:scope", "PCI:Scope", "pci:tier", "Name")), st.sampled_from(
    ("cde", "connected", "out", "CDE", " out", "", "dmz", "in"))), st.sampled_from(TAGGED.resource_types), st.sampled_from(
    ("cde", "connected", "out", None)))  # fmt: skip
def test_scope_tags_against_a_model(tags: dict[str, str], resource_type: str, neighbour: str | None) -> None:
    item = sample(resource_type)
    item["configuration"] |= {name: [] for name in ("tags", "Tags", "tagList") if name in item["configuration"]}
    item["supplementaryConfiguration"] = {}
    item["tags"] = tags
    users = Use((User("sg-1", "x", neighbour),))
    facts = StatedFacts(Scope("600000000006", "eu-west-1", NOW, SETTINGS), {(GroupUse, *groups_of(item)): users})
    rule = TAGGED(SETTINGS)
    finding = rule.decide(item, rule.evaluate_parameters({}), facts)
    scope = tags.get("pci:scope")
    tiered = resource_type in ("AWS::EC2::Subnet", "AWS::EC2::SecurityGroup")
    right = scope in ("cde", "connected") and (not tiered or tags.get("pci:tier") == "dmz")
    right = right or (scope == "out" and (neighbour != "cde" or not groups_of(item)))
    assert (finding.compliance == COMPLIANT) == right, finding.annotation
    assert finding.compliance in (COMPLIANT, NON_COMPLIANT)


@given(st.text(), st.sets(st.sampled_from(("cde", "out")), min_size=1))
def test_only_an_exact_value_has_no_fault(value: str, allowed: set[str]) -> None:
    assert (tag_fault({"pci:scope": value}, "pci:scope", allowed) is None) == (value in allowed)


@given(junk)
def test_tag_sets_of_buckets_in_any_shape(sets: Any) -> None:
    item = sample("AWS::S3::Bucket") | {"tags": {}}
    item["supplementaryConfiguration"]["BucketTaggingConfiguration"] = {"tagSets": sets}
    rule = TAGGED(SETTINGS)
    facts = StatedFacts(Scope("600000000006", "eu-west-1", NOW, SETTINGS))
    try:
        finding = rule.decide(item, rule.evaluate_parameters({}), facts)
    except RuleInputError:
        return
    assert finding.compliance == NON_COMPLIANT or all_tags(item).get("pci:scope") in ("cde", "connected", "out")


# -------------------------------------------------------------------------------------------------------- environments

KNOWN = ("600000000006", "700000000007", "100000000001", "999999999999")


def apart(one: str, other: str) -> bool:
    """The model: exactly one of the two is production, and the other is not a shared account."""
    return (one == "600000000006") != (other == "600000000006") and "100000000001" not in (one, other)


@given(st.sampled_from(KNOWN[:3]), st.lists(st.sampled_from(KNOWN), max_size=4))
def test_shares_against_a_model(owner: str, principals: list[str]) -> None:
    (finding,) = scheduled(owner, [Share("arn:share/1", "s", owner, tuple(principals))], [])
    assert (finding.compliance == NON_COMPLIANT) == any(apart(owner, principal) for principal in principals)


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(KNOWN), min_size=1), st.sets(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"))))  # fmt: skip
def test_gateways_against_a_model(owners: dict[str, str], routes: set[tuple[str, str]]) -> None:
    _, finding = scheduled("100000000001", [], [Gateway("tgw-1", owners, frozenset(routes))])
    joined = [pair for pair in routes if set(pair) <= set(owners) and apart(owners[pair[0]], owners[pair[1]])]
    assert (finding.compliance == NON_COMPLIANT) == bool(joined)


def scheduled(account: str, shares: list[Share], gateways: list[Gateway]) -> list[Any]:
    rule = SEPARATED(SETTINGS)
    scope = Scope(account, "eu-west-1", NOW, SETTINGS)
    known = {(Shares,): shares, (Gateways,): gateways}
    return list(rule.decide_account(rule.evaluate_parameters({}), StatedFacts(scope, known)))


@given(junk, junk, junk)
def test_broken_peerings_never_pass(requester: Any, accepter: Any, status: Any) -> None:
    item = sample("AWS::EC2::VPCPeeringConnection") | {"tags": {}}
    item["configuration"] |= {"tags": [], "requesterVpcInfo": requester, "accepterVpcInfo": accepter, "status": status}
    rule = SEPARATED(SETTINGS)
    facts = StatedFacts(Scope("600000000006", "eu-west-1", NOW, SETTINGS))
    try:
        finding = rule.decide(item, rule.evaluate_parameters({}), facts)
    except (RuleInputError, NotAssessed, SettingMissing):
        return
    assert finding.compliance != COMPLIANT


@given(st.sampled_from(KNOWN), st.sampled_from(KNOWN[:3]), st.booleans())
def test_peerings_against_a_model(one: str, other: str, named: bool) -> None:
    item = sample("AWS::EC2::VPCPeeringConnection") | {"tags": {}, "awsAccountId": other}
    item["configuration"] |= {"tags": [], "status": "active" if named else {"code": "active", "message": "Active"}}
    item["configuration"]["requesterVpcInfo"]["ownerId"] = one
    item["configuration"]["accepterVpcInfo"]["ownerId"] = other
    rule = SEPARATED(SETTINGS)
    facts = StatedFacts(Scope(other, "eu-west-1", NOW, SETTINGS))
    finding = rule.decide(item, rule.evaluate_parameters({}), facts)
    assert finding.compliance == (NON_COMPLIANT if apart(one, other) else COMPLIANT)
