"""A condition of a deployment with its verdict, and what the decisions are asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pci_config.deploy.preflight_facts import Demand, Facts, Unread
from pci_config.rdk_json import RdkJson
from pci_config.recorded_types import Need

PASS, WARN, FAIL, NOT_ASSESSED = "pass", "warn", "fail", "not assessed"
ORDER = (FAIL, WARN, NOT_ASSESSED, PASS)
CONFIG = "config.amazonaws.com"
CONFIG_PACKS = "config-multiaccountsetup.amazonaws.com"
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
CONTROL_TOWER = "controltower.amazonaws.com"
CONTROL_TOWER_RECORDER = "aws-controltower-"
PRINCIPALS = {CONFIG: "the aggregator", CONFIG_PACKS: "organization conformance packs", STACK_SETS: "StackSets"}
OPTED_IN = ("ENABLED", "ENABLED_BY_DEFAULT")
SHOWN_PLACES = 4


@dataclass(frozen=True)
class Check:
    """A condition, the verdict, why, and what to do. `places`: where it holds, if it is not about everything."""

    id: str
    verdict: str
    detail: str
    fix: str = ""
    places: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {
            "check": self.id,
            "verdict": self.verdict,
            "detail": self.detail,
            "fix": self.fix or None,
            "places": list(self.places),
        }


@dataclass(frozen=True)
class Question:
    """What a decision is asked: the facts, and what is wanted."""

    facts: Facts
    rdk_json: RdkJson
    demand: Demand
    needs: Mapping[str, Need]
    now: datetime

    @property
    def home(self) -> str:
        return self.rdk_json.settings.home_region

    @property
    def regions(self) -> tuple[str, ...]:
        return self.rdk_json.settings.regions

    @property
    def administrator(self) -> str:
        return next(iter(self.rdk_json.settings.accounts.get("delegated_admin", ())), "")

    @property
    def targets(self) -> tuple[str, ...]:
        """Accounts that get rules; none where they could not be read."""
        return () if isinstance(self.facts.members, Unread) else tuple(sorted(self.facts.members))


Outcome = tuple[str, str, str]  # verdict, detail, fix


def by_places(check: str, outcomes: Mapping[str, Outcome]) -> Iterator[Check]:
    """One line for all places with the same outcome, worst first, however many accounts there are."""
    alike: dict[Outcome, list[str]] = defaultdict(list)
    for place, outcome in outcomes.items():
        alike[outcome].append(place)
    for (verdict, detail, fix), places in sorted(alike.items(), key=lambda entry: ORDER.index(entry[0][0])):
        yield Check(check, verdict, detail, fix, tuple(places))


def told(check: Check) -> str:
    """The detail with the places, the first few by name."""
    if not check.places:
        return check.detail
    more = len(check.places) - SHOWN_PLACES
    return f"{check.detail}: {', '.join(check.places[:SHOWN_PLACES])}" + (f" and {more} more" if more > 0 else "")


def unread(check: str, fact: Unread, fix: str) -> Check:
    return Check(check, NOT_ASSESSED, f"cannot be read: {fact.why}", fix)
