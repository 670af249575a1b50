"""Does AWS Config record everywhere, and what does the aggregator collect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from pci_config.configuration_recorder import RecorderState, Recording, UnknownShape, recorder_is_off, recording_gaps, stopped
from pci_config.deploy.preflight_check import (
    FAIL,
    NOT_ASSESSED,
    PASS,
    WARN,
    Check,
    Outcome,
    Question,
    by_places,
    unread,
)
from pci_config.deploy.preflight_facts import Aggregator, Place, PlaceFacts, Read, Unread
from pci_config.org_names import AGGREGATOR, PREFIX
from pci_config.recorded_types import Need


def aggregator(question: Question) -> Iterator[Check]:
    check, named = "aggregator", question.rdk_json.model.deployment.aggregator
    known = question.facts.aggregators
    if isinstance(known, Unread):
        yield unread(check, known, "allow config:DescribeConfigurationAggregators")
        return
    of_organization = [each for each in known if each.of_organization]
    if named is None:
        foreign = [each.name for each in of_organization if each.name != AGGREGATOR]
        if foreign:
            detail = f"there is one of the organization already: {', '.join(foreign)}; a second would be made"
            yield Check(check, WARN, detail, f"set Deployment.Aggregator to {foreign[0]}")
        else:
            yield Check(check, PASS, "ours is there" if of_organization else "there is none of the organization; one is made")
        return
    chosen = next((each for each in known if each.name == named), None)
    if chosen is None:
        there = ", ".join(each.name for each in known) or "none"
        yield Check(check, FAIL, f"{named} is not in {question.home} (there: {there})", "correct Deployment.Aggregator")
    elif not chosen.of_organization:
        fix = "name one of the organization, or leave Deployment.Aggregator out"
        yield Check(check, FAIL, f"{named} collects from single accounts, so new accounts would be missing", fix)
    else:
        lacking = [] if chosen.regions is None else [each for each in question.regions if each not in chosen.regions]
        fix = "add them to the aggregator"
        if lacking:
            yield Check(check, FAIL, f"{named} does not collect from {', '.join(lacking)}", fix)
        else:
            yield Check(check, PASS, f"{named} collects from the organization in every Region of rdk.json")


def recorders(question: Question) -> Iterator[Check]:
    """In every account and Region, as the account itself says where it could be entered, else as the aggregator knows."""
    outcomes: dict[str, Outcome] = {}
    for account in question.targets:
        for region in question.regions:
            outcomes[f"{account} {region}"] = _recorder(question, (account, region))
    if not outcomes:
        yield Check("recorder", NOT_ASSESSED, "the accounts are not known", "see target accounts")
    yield from by_places("recorder", outcomes)


def _recorder(question: Question, place: Place) -> Outcome:
    state = question.facts.places.get(place, PlaceFacts()).recorder
    create = question.rdk_json.model.deployment.recorder == "create"
    if not isinstance(state, Unread):
        if create:
            return _none_there(state)
        needs = {name: need for name, need in question.needs.items() if need.applies(place[1], question.rdk_json.settings)}
        return recorder_verdict(state, needs, question.now)
    by_aggregator = _aggregated(question.facts.aggregators, question.rdk_json.model.deployment.aggregator, place)
    if by_aggregator is None:
        why = question.facts.not_entered.get(place[0]) or state.why
        fix = "name a role of every account with --role-name, or an aggregator in Deployment.Aggregator"
        return NOT_ASSESSED, f"no aggregator holds it, and the account cannot be entered ({why})", fix
    if not create:
        return by_aggregator
    fix = "look there: a recorder that is not ours must go first, or set Deployment.Recorder to existing"
    if by_aggregator[0] == PASS:
        return WARN, "the aggregator holds items, so there is a recorder; Deployment.Recorder is create", fix
    return NOT_ASSESSED, "the aggregator cannot tell that there is no recorder; Deployment.Recorder is create", fix


def _none_there(state: RecorderState) -> Outcome:
    if not state.recorders:
        return PASS, "none is there; ours is made", ""
    name = str(state.recorders[0].get("name"))
    if name == PREFIX:
        return PASS, "ours is there", ""
    fix = "set Deployment.Recorder to existing, or delete that recorder"
    return FAIL, f"recorder {name} is there and an account takes one; Deployment.Recorder is create", fix


def recorder_verdict(state: RecorderState, needs: Mapping[str, Need], now: datetime) -> Outcome:
    """Without a recorder that is on, a pack cannot be deployed; what it leaves out the rules on it never see."""
    if not state.recorders:
        return FAIL, "there is no recorder", "turn AWS Config on there, or set Deployment.Recorder to create"
    if recorder_is_off(state):
        return FAIL, "the recorder is off", "aws configservice start-configuration-recorder"
    problems = list(stopped(state, now))
    if problems:
        return WARN, problems[0], "see the recorder's role and delivery channel"
    if not state.channels:
        return FAIL, "there is no delivery channel", "make one to the configuration bucket"
    try:
        missing, daily = recording_gaps(Recording.of(state.recorders[0]), needs)
    except UnknownShape as error:
        return (
            NOT_ASSESSED,
            f"the recorder says what is not documented ({error})",
            "look at it with describe-configuration-recorders",
        )
    if missing:
        detail = f"{len(missing)} needed types are not recorded, {missing[0]} first"
        return WARN, detail, "record them: rules on them never judge (PciConfig-ExtendRecorder does it)"
    if daily:
        detail = f"{len(daily)} needed types are recorded daily, {daily[0]} first"
        return WARN, detail, "record them continuously (PciConfig-ExtendRecorder does it)"
    return PASS, "on, and records what the rules need", ""


def _aggregated(known: Read[tuple[Aggregator, ...]], named: str | None, place: Place) -> Outcome | None:
    """What the aggregator knows of a place; None when there is none that could."""
    if isinstance(known, Unread):
        return None
    chosen = [each for each in known if each.name == named or (named is None and each.of_organization)]
    if not chosen or isinstance(chosen[0].states, Unread) or isinstance(chosen[0].held, Unread):
        return None
    states, held, name = chosen[0].states, chosen[0].held, chosen[0].name
    if place not in states:
        return WARN, f"no source of the aggregator {name}", "turn AWS Config on there; look with --role-name"
    if states[place] != "SUCCEEDED":
        return WARN, f"the aggregator {name} says {states[place]}", "look there with --role-name"
    if not held.get(place):
        return FAIL, f"the aggregator {name} holds nothing of it: no recorder, or off", "turn AWS Config on there"
    return PASS, f"the aggregator {name} holds items of it (whether the recorder is on now, --role-name tells)", ""
