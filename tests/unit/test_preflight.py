"""Every condition of a deployment, each with what passes, what fails, and what could not be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pci_config.configuration_recorder import RecorderState
from pci_config.deploy import preflight_names, preflight_organization, preflight_quotas, preflight_recorders, quotas
from pci_config.deploy.preflight import DECISIONS, checks, failed
from pci_config.deploy.preflight_check import (
    CONFIG,
    CONFIG_PACKS,
    CONTROL_TOWER,
    STACK_SETS,
    Check,
    Question,
    by_places,
    told,
)
from pci_config.deploy.preflight_facts import (
    AccountFacts,
    Aggregator,
    Demand,
    Facts,
    LandingZone,
    Named,
    Organization,
    PlaceFacts,
    Unread,
)
from pci_config.rdk_json import RdkJson
from pci_config.recorded_types import EVERYWHERE, HOME, Need

ADMIN, MANAGEMENT, MEMBER = "200000000002", "100000000001", "600000000006"
REGION, OTHER = "eu-west-1", "us-east-1"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DENIED = Unread("ListThings: AccessDenied")
NEEDS = {"AWS::EC2::VPC": Need(True, EVERYWHERE), "AWS::IAM::User": Need(True, HOME)}
RECORDER = RecorderState(
    recorders=[{"name": "default", "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True}}],
    statuses=[{"name": "default", "recording": True, "lastStatus": "Success"}],
    channels=[{"name": "default", "s3BucketName": "config"}],
)
PLACE = PlaceFacts(RECORDER, 20, 1, 10, 30, 2000, 1000, None)
ACCOUNT = AccountFacts({REGION: "ENABLED_BY_DEFAULT", OTHER: "ENABLED_BY_DEFAULT"}, (100, 1000), None)
READY = Facts(
    caller=ADMIN,
    organization=Organization("o-abc", MANAGEMENT, "ALL"),
    active=frozenset({ADMIN, MANAGEMENT, MEMBER}),
    units={},
    members={ADMIN: "security", MEMBER: "cards"},
    trusted=frozenset({CONFIG, CONFIG_PACKS, STACK_SETS}),
    stack_sets_access="ENABLED",
    administrators=dict.fromkeys((CONFIG, CONFIG_PACKS, STACK_SETS), frozenset({ADMIN})),
    aggregators=(),
    organization_packs={REGION: frozenset({"other"}), OTHER: frozenset()},
    named=(),
    stack_sets=3,
    limits={},
    accounts={ADMIN: ACCOUNT, MEMBER: ACCOUNT},
    places={(account, region): PLACE for account in (ADMIN, MEMBER) for region in (REGION, OTHER)},
)


def asked(facts: Facts = READY, deployment: Mapping[str, Any] | None = None, demand: Demand | None = None) -> Question:
    content = {
        "HomeRegion": REGION,
        "Regions": [REGION, OTHER],
        "Accounts": {"delegated_admin": ADMIN, "production": MEMBER},
        "LogArchive": {"Account": ADMIN, "Buckets": ["logs-*"]},
        "Deployment": dict(deployment or {}),
    }
    path = Path(json_file(content))
    return Question(facts, RdkJson.load(path), demand or Demand(51, 14, 37, 6), NEEDS, NOW)


def json_file(content: Mapping[str, Any]) -> str:
    path = _folder / "rdk.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


_folder = Path()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "_folder", tmp_path)


def seen(decide: Any, facts: Facts = READY, **deployment: Any) -> list[tuple[str, str]]:
    """Verdict and detail with its places."""
    return [(check.verdict, told(check)) for check in decide(asked(facts, deployment))]


def only(decide: Any, facts: Facts = READY, **deployment: Any) -> Check:
    (check,) = decide(asked(facts, deployment))
    assert isinstance(check, Check)
    return check


def with_recorder(state: Any) -> Facts:
    return replace(READY, places={**READY.places, (MEMBER, OTHER): replace(PLACE, recorder=state)})


# ------------------------------------------------------------------------------------------------------------- the whole


def test_an_organization_that_is_ready_passes_in_everything() -> None:
    found = checks(asked())
    assert {check.verdict for check in found} == {"pass"}, [c for c in found if c.verdict != "pass"]
    assert not any(check.fix for check in found)
    assert not failed(found, strict=True)


def test_nothing_that_could_not_be_read_is_a_pass() -> None:
    found = checks(asked(Facts()))
    assert {check.verdict for check in found} <= {"fail", "not assessed"} | {"pass"}
    passes = [check.id for check in found if check.verdict == "pass"]
    assert passes == ["quota rules-of-a-pack"]  # that one asks nothing of AWS
    assert all(check.fix for check in found if check.verdict != "pass")


@pytest.mark.parametrize(
    "name",
    ["organization", "active", "members", "trusted", "stack_sets_access", "aggregators", "named", "stack_sets"],
)
def test_each_fact_that_is_unread_is_said_and_never_fails_by_itself(name: str) -> None:
    found = checks(asked(replace(READY, **{name: DENIED})))
    assert "not assessed" in {check.verdict for check in found}
    assert not failed(found)
    assert failed(found, strict=True)


def test_every_decision_is_asked() -> None:
    modules = (preflight_organization, preflight_recorders, preflight_names, preflight_quotas)
    decisions = {
        function
        for module in modules
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__ and not name.startswith("_") and name != "recorder_verdict"
    }
    assert decisions == set(DECISIONS)


def test_places_with_the_same_outcome_are_one_line_and_the_worst_comes_first() -> None:
    outcomes = {f"a{number}": ("pass", "fine", "") for number in range(6)} | {
        "b": ("fail", "bad", "mend"),
        "c": ("warn", "so", ""),
    }
    found = list(by_places("x", outcomes))
    assert [(check.verdict, told(check)) for check in found] == [
        ("fail", "bad: b"),
        ("warn", "so: c"),
        ("pass", "fine: a0, a1, a2, a3 and 2 more"),
    ]
    assert found[0].document() == {"check": "x", "verdict": "fail", "detail": "bad", "fix": "mend", "places": ["b"]}


def test_a_warning_does_not_fail_unless_strict() -> None:
    warned = [Check("x", "warn", "")]
    assert (failed(warned), failed(warned, strict=True), failed([Check("x", "fail", "")])) == (False, True, True)


# --------------------------------------------------------------------------------------------------------- organization


def test_credentials() -> None:
    decide = preflight_organization.credentials
    assert only(decide).detail == f"of the delegated administrator {ADMIN}"
    other = only(decide, replace(READY, caller=MEMBER))
    assert (other.verdict, other.detail) == (
        "fail",
        f"the credentials are of {MEMBER}; rdk.json: Accounts.delegated_admin is {ADMIN}",
    )
    unread = only(decide, replace(READY, caller=Unread("expired")))
    assert (unread.verdict, unread.fix) == ("fail", "sign in, or name a profile with --profile")
    assert "expired" in unread.detail


def test_all_features() -> None:
    decide = preflight_organization.all_features
    assert only(decide).verdict == "pass"
    found = only(decide, replace(READY, organization=Organization("o-abc", MANAGEMENT, "CONSOLIDATED_BILLING")))
    assert (found.verdict, "o-abc has CONSOLIDATED_BILLING" in found.detail) == ("fail", True)
    assert only(decide, replace(READY, organization=DENIED)).verdict == "not assessed"


def test_accounts_of_the_settings_are_active() -> None:
    decide = preflight_organization.accounts_known
    assert only(decide).detail == "all 2 accounts of rdk.json are active in the organization"
    found = only(decide, replace(READY, active=frozenset({ADMIN})))
    assert (found.verdict, found.places) == ("fail", (MEMBER,))


def test_target_accounts_and_units() -> None:
    decide = preflight_organization.targets
    assert only(decide).detail == "2 accounts in 2 Regions"
    assert only(decide, replace(READY, members={})).verdict == "fail"
    found = only(decide, replace(READY, units={"ou-ab12-11111111": False, "ou-ab12-22222222": True}))
    assert (found.verdict, found.detail) == ("fail", "no such unit: ou-ab12-11111111")
    assert seen(decide, replace(READY, members=DENIED))[0][0] == "not assessed"


@pytest.mark.parametrize("principal", [CONFIG, CONFIG_PACKS])
def test_trusted_access_of_config(principal: str) -> None:
    trusted = frozenset({CONFIG, CONFIG_PACKS, STACK_SETS}) - {principal}
    found = {c.id: c for c in preflight_organization.trusted_access(asked(replace(READY, trusted=trusted)))}
    failing = found.pop(f"trusted access {principal}")
    assert failing.verdict == "fail"
    assert f"enable-aws-service-access --service-principal {principal}" in failing.fix
    assert {check.verdict for check in found.values()} == {"pass"}


@pytest.mark.parametrize(
    ("access", "trusted", "verdict"),
    [
        ("ENABLED", {STACK_SETS}, "pass"),
        ("DISABLED", {STACK_SETS}, "fail"),
        ("DISABLED_PERMANENTLY", {STACK_SETS}, "fail"),
        ("ENABLED", set(), "fail"),
        (DENIED, {STACK_SETS}, "not assessed"),
    ],
)
def test_trusted_access_of_stack_sets(access: Any, trusted: set[str], verdict: str) -> None:
    facts = replace(READY, stack_sets_access=access, trusted=frozenset(trusted))
    *_, found = preflight_organization.trusted_access(asked(facts))
    assert (found.id, found.verdict) == (f"trusted access {STACK_SETS}", verdict)
    if verdict == "fail":
        assert "activate-organizations-access" in found.fix


def test_delegated_administrators() -> None:
    decide = preflight_organization.delegated_administrators
    assert [verdict for verdict, _ in seen(decide)] == ["pass"] * 3
    others = {f"{number}00000000000" for number in range(1, 4)}
    registered = {
        CONFIG: frozenset(others),
        CONFIG_PACKS: frozenset(others),  # all three places are taken
        STACK_SETS: DENIED,
    }
    config, packs, stack_sets = decide(asked(replace(READY, administrators=registered)))
    assert (config.verdict, "not registered" in config.detail) == ("fail", True)
    assert f"register-delegated-administrator --account-id {ADMIN} --service-principal {CONFIG}" in config.fix
    assert (packs.verdict, "all 3 places are taken" in packs.detail) == ("fail", True)
    assert stack_sets.verdict == "not assessed"
    two = {**registered, CONFIG_PACKS: frozenset(sorted(others)[:2])}
    assert "places" not in list(decide(asked(replace(READY, administrators=two))))[1].detail
    assert [c.verdict for c in decide(asked(replace(READY, administrators={})))] == ["not assessed"] * 3


def test_region_opt_in() -> None:
    decide = preflight_organization.region_opt_in
    assert [verdict for verdict, _ in seen(decide)] == ["pass"]
    own = replace(ACCOUNT, regions={REGION: "ENABLED_BY_DEFAULT", OTHER: "ENABLED"})
    closed = {ADMIN: own, MEMBER: replace(ACCOUNT, regions={OTHER: "DISABLED"})}
    assert seen(decide, replace(READY, accounts=closed)) == [
        ("fail", f"the Region is DISABLED: {MEMBER} {OTHER}"),
        ("pass", f"enabled: {ADMIN} {REGION}, {MEMBER} {REGION}, {ADMIN} {OTHER}"),
    ]
    unknown = {ADMIN: own}  # the member cannot be entered: what is on by default is on there as well
    assert seen(decide, replace(READY, accounts=unknown))[0] == (
        "not assessed",
        f"an opt-in Region whose state is unknown: {MEMBER} {OTHER}",
    )
    missing = {ADMIN: replace(ACCOUNT, regions={REGION: "ENABLED_BY_DEFAULT"}), MEMBER: replace(ACCOUNT, regions={})}
    assert seen(decide, replace(READY, accounts=missing))[0][1].startswith("AWS lists no such Region")


@pytest.mark.parametrize(
    ("zone", "recorder", "verdict", "word"),
    [
        (LandingZone("3.3", "ACTIVE", "IN_SYNC"), "existing", "pass", "landing zone 3.3, active"),
        (LandingZone("3.3", "ACTIVE", "DRIFTED"), "existing", "warn", "has drifted"),
        (LandingZone("3.3", "PROCESSING"), "existing", "fail", "is PROCESSING"),
        (LandingZone("3.3", "FAILED"), "existing", "fail", "is FAILED"),
        (None, "existing", "warn", "seen from the management account only"),
        (DENIED, "existing", "warn", "seen from the management account only"),
        (LandingZone("3.3", "ACTIVE", "IN_SYNC"), "create", "fail", "Deployment.Recorder is create"),
    ],
)
def test_control_tower_in_use(zone: Any, recorder: str, verdict: str, word: str) -> None:
    facts = replace(READY, trusted=frozenset({CONTROL_TOWER}), landing_zone=zone)
    found = only(preflight_organization.control_tower, facts, Recorder=recorder)
    assert (found.verdict, word in found.detail) == (verdict, True), found.detail


def test_without_control_tower_or_without_knowing() -> None:
    decide = preflight_organization.control_tower
    assert only(decide, Recorder="create").verdict == "pass"
    assert only(decide, replace(READY, trusted=DENIED)).verdict == "not assessed"


# ---------------------------------------------------------------------------------------------- recorders and aggregator


def state(**changes: Any) -> RecorderState:
    return replace(RECORDER, **changes)


def group(**members: Any) -> list[dict[str, Any]]:
    return [{"name": "default", "recordingGroup": members}]


@pytest.mark.parametrize(
    ("recorder", "verdict", "word"),
    [
        (state(recorders=[]), "fail", "there is no recorder"),
        (state(statuses=[]), "fail", "the recorder is off"),
        (state(statuses=[{"recording": False}]), "fail", "the recorder is off"),
        (
            state(statuses=[{"recording": True, "lastStatus": "Failure", "lastErrorCode": "AccessDenied"}]),
            "warn",
            "Failure (AccessDenied)",
        ),
        (state(channels=[]), "fail", "there is no delivery channel"),
        (state(recorders=group(allSupported=True)), "pass", "on, and records"),  # IAM is needed in the home Region alone
        (
            state(recorders=group(resourceTypes=["AWS::S3::Bucket"])),
            "warn",
            "1 needed types are not recorded, AWS::EC2::VPC first",
        ),
        (
            state(recorders=[{**group(allSupported=True)[0], "recordingMode": {"recordingFrequency": "DAILY"}}]),
            "warn",
            "1 needed types are recorded daily, AWS::EC2::VPC first",
        ),
        (state(recorders=[{"name": "x"}]), "not assessed", "recordingGroup is missing"),
    ],
)
def test_a_recorder_as_its_account_tells(recorder: RecorderState, verdict: str, word: str) -> None:
    found = seen(preflight_recorders.recorders, with_recorder(recorder))
    mine = [entry for entry in found if f"{MEMBER} {OTHER}" in entry[1]]
    assert [(v, word in detail) for v, detail in mine] == [(verdict, True)], mine
    assert len(found) == (1 if verdict == "pass" else 2)


def aggregated(states: Any, held: Any, name: str = "pci-config", of_organization: bool = True) -> Facts:
    places = {place: facts for place, facts in READY.places.items() if place[0] != MEMBER}
    return replace(READY, places=places, aggregators=(Aggregator(name, of_organization, None, states, held),))


SUCCEEDED = {(MEMBER, REGION): "SUCCEEDED", (MEMBER, OTHER): "SUCCEEDED"}


@pytest.mark.parametrize(
    ("states", "held", "verdict", "word"),
    [
        (SUCCEEDED, {(MEMBER, REGION): 7, (MEMBER, OTHER): 1}, "pass", "holds items of it"),
        (SUCCEEDED, {(MEMBER, REGION): 7, (MEMBER, OTHER): 0}, "fail", "holds nothing of it"),
        (SUCCEEDED, {(MEMBER, REGION): 7}, "fail", "holds nothing of it"),
        ({**SUCCEEDED, (MEMBER, OTHER): "FAILED"}, {(MEMBER, OTHER): 7}, "warn", "says FAILED"),
        ({}, {(MEMBER, OTHER): 7}, "warn", "no source of the aggregator"),
        (DENIED, {(MEMBER, OTHER): 7}, "not assessed", "no aggregator holds it"),
        (SUCCEEDED, DENIED, "not assessed", "no aggregator holds it"),
    ],
)
def test_a_recorder_as_the_aggregator_knows(states: Any, held: Any, verdict: str, word: str) -> None:
    found = seen(preflight_recorders.recorders, aggregated(states, held))
    mine = [entry for entry in found if f"{MEMBER} {OTHER}" in entry[1]]
    assert [(v, word in detail) for v, detail in mine] == [(verdict, True)], found


def test_an_aggregator_of_single_accounts_counts_only_when_it_is_named() -> None:
    facts = aggregated(SUCCEEDED, {(MEMBER, REGION): 1, (MEMBER, OTHER): 1}, "mine", of_organization=False)
    assert "not assessed" in {verdict for verdict, _ in seen(preflight_recorders.recorders, facts)}
    assert {verdict for verdict, _ in seen(preflight_recorders.recorders, facts, Aggregator="mine")} == {"pass"}


def test_an_account_that_cannot_be_entered_says_why() -> None:
    facts = replace(READY, places={}, not_entered={MEMBER: "Auditor cannot be assumed (AssumeRole: AccessDenied)"})
    found = seen(preflight_recorders.recorders, facts)
    assert all(verdict == "not assessed" for verdict, _ in found)
    assert any("Auditor cannot be assumed (AssumeRole: AccessDenied)" in detail for _, detail in found)


@pytest.mark.parametrize(
    ("recorder", "verdict", "word"),
    [
        (state(recorders=[]), "pass", "none is there; ours is made"),
        (state(recorders=[{"name": "pci-config"}]), "pass", "ours is there"),
        (state(recorders=[{"name": "aws-controltower-BaselineConfigRecorder"}]), "fail", "an account takes one"),
    ],
)
def test_a_recorder_where_ours_is_to_be_made(recorder: RecorderState, verdict: str, word: str) -> None:
    places = dict.fromkeys(READY.places, replace(PLACE, recorder=recorder))
    ((found, detail),) = seen(preflight_recorders.recorders, replace(READY, places=places), Recorder="create")
    assert (found, word in detail) == (verdict, True), detail


def test_an_aggregator_cannot_tell_that_there_is_no_recorder() -> None:
    held = {(MEMBER, REGION): 1, (MEMBER, OTHER): 0}
    found = seen(preflight_recorders.recorders, aggregated(SUCCEEDED, held), Recorder="create")
    assert [(v, d) for v, d in found if MEMBER in d] == [
        ("warn", f"the aggregator holds items, so there is a recorder; Deployment.Recorder is create: {MEMBER} {REGION}"),
        (
            "not assessed",
            f"the aggregator cannot tell that there is no recorder; Deployment.Recorder is create: {MEMBER} {OTHER}",
        ),
    ]


@pytest.mark.parametrize(
    ("known", "named", "verdict", "word"),
    [
        ((), None, "pass", "one is made"),
        ((Aggregator("pci-config", True),), None, "pass", "ours is there"),
        ((Aggregator("org", True),), None, "warn", "already: org; a second would be made"),
        ((Aggregator("few", False),), None, "pass", "one is made"),
        ((Aggregator("few", False),), "org", "fail", "org is not in eu-west-1 (there: few)"),
        ((), "org", "fail", "(there: none)"),
        ((Aggregator("org", False),), "org", "fail", "collects from single accounts"),
        ((Aggregator("org", True, frozenset({REGION})),), "org", "fail", "does not collect from us-east-1"),
        ((Aggregator("org", True, frozenset({REGION, OTHER})),), "org", "pass", "in every Region"),
        ((Aggregator("org", True),), "org", "pass", "in every Region"),
        (DENIED, None, "not assessed", "AccessDenied"),
    ],
)
def test_the_aggregator(known: Any, named: str | None, verdict: str, word: str) -> None:
    deployment = {"Aggregator": named} if named else {}
    found = only(preflight_recorders.aggregator, replace(READY, aggregators=known), **deployment)
    assert (found.verdict, word in found.detail) == (verdict, True), found.detail


# --------------------------------------------------------------------------------------------------------------- names

OURS, FOREIGN = Named("stack", "pci-config-admin in eu-west-1", True), Named("StackSet", "pci-config-member-global", False)


@pytest.mark.parametrize(
    ("there", "named", "verdict", "word"),
    [
        ({"other"}, (), "pass", "the names are free"),
        ({"pci-dss"}, (OURS,), "pass", "ours are there"),
        ({"pci-dss"}, (), "fail", "pci-dss is there, and nothing else of pci-config"),
        ({"pci-dss"}, (FOREIGN,), "fail", "nothing else of pci-config"),
        ({"pci-dss-global"}, (), "fail", "pci-dss-global is there"),
        ({"pci-dss"}, DENIED, "not assessed", "whose they are cannot be read"),
        (DENIED, (), "not assessed", "cannot be read: ListThings"),
    ],
)
def test_organization_packs(there: Any, named: Any, verdict: str, word: str) -> None:
    known = there if isinstance(there, Unread) else frozenset(there)
    facts = replace(READY, organization_packs={REGION: known, OTHER: frozenset()}, named=named)
    found = [entry for entry in seen(preflight_names.packs, facts) if REGION in entry[1]]
    assert [(v, word in detail) for v, detail in found] == [(verdict, True)], found


def test_the_global_pack_is_of_the_home_region_only_and_stack_sets_need_no_organization_pack() -> None:
    facts = replace(READY, organization_packs={REGION: frozenset(), OTHER: frozenset({"pci-dss-global"})})
    assert [verdict for verdict, _ in seen(preflight_names.packs, facts)] == ["pass"]
    taken = replace(READY, organization_packs={REGION: frozenset({"pci-dss"})})
    assert only(preflight_names.packs, taken, Packs="stackset").verdict == "pass"


def test_names_of_the_delegated_administrator() -> None:
    unread = Named("bucket", "pci-config-artifacts-1-eu-west-1", DENIED)
    assert seen(preflight_names.names, replace(READY, named=(OURS, FOREIGN, unread))) == [
        ("fail", "a StackSet of that name is there that pci-config did not make: StackSet pci-config-member-global"),
        (
            "not assessed",
            "is there, and whose it is cannot be read (ListThings: AccessDenied): bucket pci-config-artifacts-1-eu-west-1",
        ),
        ("pass", "ours is there and is updated: stack pci-config-admin in eu-west-1"),
    ]
    assert only(preflight_names.names).detail == "no StackSet, stack or bucket has a name that we use"


def test_names_in_the_accounts() -> None:
    role, function = Named("role", "pci-config-rules", False), Named("function", "pci-config-rules", True)
    facts = replace(
        READY,
        accounts={**READY.accounts, MEMBER: replace(ACCOUNT, function_role=role)},
        places={
            **READY.places,
            (MEMBER, REGION): replace(PLACE, function=function),
            (MEMBER, OTHER): replace(PLACE, function=DENIED),
        },
    )
    found = seen(preflight_names.names_in_accounts, facts)
    assert [(verdict, detail) for verdict, detail in found if MEMBER in detail] == [
        ("fail", f"a role of that name is there that pci-config did not make: {MEMBER}"),
        ("not assessed", f"role and function cannot be looked for: {MEMBER} {OTHER}"),
        ("pass", f"ours is there and is updated: {MEMBER} {REGION}"),
    ]


# --------------------------------------------------------------------------------------------------------------- quotas


@pytest.mark.parametrize(
    ("used", "added", "verdict", "free"),
    [(84, 6, "pass", 10), (85, 6, "warn", 9), (94, 6, "warn", 0), (95, 6, "fail", -1)],
)
def test_headroom_at_its_borders(used: int, added: int, verdict: str, free: int) -> None:
    room = quotas.headroom(quotas.STACKS, used, added, READY, told=100)
    assert isinstance(room, quotas.Headroom)
    assert (room.verdict, room.free) == (verdict, free)
    assert (f"{free} free" if free >= 0 else "1 too many") in str(room)
    assert bool(room.fix) == (verdict != "pass")


def test_a_known_figure_that_can_be_raised_warns_and_one_that_cannot_fails() -> None:
    raised = quotas.headroom(quotas.STACKS, 2000, 1, READY)
    fixed = quotas.headroom(quotas.RULES, 1000, 1, READY)
    assert isinstance(raised, quotas.Headroom)
    assert isinstance(fixed, quotas.Headroom)
    assert (raised.verdict, quotas.STACKS.source in str(raised)) == ("warn", True)
    assert (fixed.verdict, quotas.RULES.source in str(fixed)) == ("fail", True)
    assert "Service Quotas" in raised.fix
    assert "ExcludedAccounts" in fixed.fix


def test_service_quotas_answer_outranks_the_known_figure_and_the_services_own_outranks_both() -> None:
    facts = replace(READY, limits={quotas.RULES.name.lower(): 500})
    answered = quotas.headroom(quotas.RULES, 1, 1, facts)
    assert isinstance(answered, quotas.Headroom)
    assert (answered.limit, answered.told) == (500, True)
    own = quotas.headroom(quotas.RULES, 1, 1, facts, told=700)
    assert isinstance(own, quotas.Headroom)
    assert own.limit == 700
    unread = quotas.headroom(quotas.RULES, 1, 1, replace(READY, limits=DENIED), told=DENIED)
    assert isinstance(unread, quotas.Headroom)
    assert (unread.limit, unread.told) == (1000, False)
    assert quotas.headroom(quotas.RULES, DENIED, 1, facts) == DENIED


def test_organization_wide_quotas() -> None:
    many = tuple(Aggregator(f"a{number}", False) for number in range(50))
    facts = replace(
        READY,
        stack_sets=995,
        aggregators=many,
        members={str(number): "" for number in range(10_000)},
        organization_packs={REGION: frozenset(f"p{number}" for number in range(49)), OTHER: DENIED},
    )
    found = {check.id: check for check in preflight_quotas.quota_headroom(asked(facts, demand=Demand(131, 14, 37, 6)))}
    verdicts = {name: check.verdict for name, check in found.items()}
    assert verdicts == {
        "quota stack-sets": "warn",  # a known figure that may have been raised
        "quota aggregators": "warn",
        "quota accounts-of-an-aggregator": "fail",
        "quota rules-of-a-pack": "fail",
        "quota organization-packs": "not assessed",  # the last of its lines; the other Region fails
    }
    lines = seen(preflight_quotas.quota_headroom, facts)
    assert (
        "fail",
        f"organization conformance packs in a Region: 49 used and 2 ours of 50, 1 too many ({quotas.ORGANIZATION_PACKS.source}): {REGION}",
    ) in lines


def test_an_aggregator_that_is_there_already_adds_none() -> None:
    facts = replace(READY, aggregators=tuple(Aggregator(f"a{number}", False) for number in range(45)))
    found = [d for _, d in seen(preflight_quotas.quota_headroom, facts, Aggregator="a1") if d.startswith("aggregators")]
    assert "45 used and 0 ours of 50" in found[0]


def test_quotas_in_accounts_tell_the_tightest_place() -> None:
    tight = replace(PLACE, rules=1000 - 65, packs=49, documents=470, stacks=100, stack_limit=105)
    facts = replace(
        READY,
        places={**READY.places, (MEMBER, REGION): tight, (MEMBER, OTHER): PlaceFacts()},
        accounts={ADMIN: ACCOUNT, MEMBER: replace(ACCOUNT, roles=(990, 1000))},
    )
    found: dict[tuple[str, str], Check] = {
        (check.id, check.verdict): check for check in preflight_quotas.quota_headroom_in_accounts(asked(facts))
    }
    assert (
        "AWS Config rules of an account in a Region: 935 used and 65 ours of 1000, 0 free"
        in found["quota rules", "warn"].detail
    )
    assert found["quota rules", "warn"].places == (f"{MEMBER} {REGION}",)
    assert "49 used and 2 ours of 50, 1 too many" in found["quota packs", "fail"].detail
    assert found["quota documents", "warn"].verdict == "warn"
    assert "100 used and 6 ours of 105, 1 too many" in found["quota stacks", "fail"].detail
    assert "990 used and 38 ours of 1000, 28 too many" in found["quota roles", "fail"].detail
    for quota in ("rules", "packs", "documents", "stacks"):
        assert found[f"quota {quota}", "not assessed"].places == (f"{MEMBER} {OTHER}",)
        assert found[f"quota {quota}", "pass"].places == (f"{ADMIN} {REGION}", f"{ADMIN} {OTHER}")
    assert "20 used and 51 ours" in next(
        d
        for _, d in seen(preflight_quotas.quota_headroom_in_accounts, replace(READY, places={(ADMIN, OTHER): PLACE}))
        if "rules" in d and "ours" in d
    )


def test_roles_that_are_ours_already_are_not_added_again() -> None:
    ours = replace(ACCOUNT, roles=(990, 1000), function_role=Named("role", "pci-config-rules", True))
    found = [
        d for _, d in seen(preflight_quotas.quota_headroom_in_accounts, replace(READY, accounts={MEMBER: ours})) if "roles" in d
    ]
    assert "990 used and 0 ours of 1000, 10 free" in found[0]


@pytest.mark.parametrize(("limit", "verdict"), [(99, "warn"), (100, "pass"), (DENIED, "not assessed")])
def test_concurrent_executions(limit: Any, verdict: str) -> None:
    facts = replace(READY, places=dict.fromkeys(READY.places, replace(PLACE, concurrency=limit)))
    assert only(preflight_quotas.concurrency, facts).verdict == verdict
