"""What `pci-config preflight` decides on: facts that one reader gathers, each of which may be unreadable.

Standard library only, so that the decisions can be tried without AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from pci_config.configuration_recorder import RecorderState

T = TypeVar("T")
Place: TypeAlias = tuple[str, str]  # account, Region


@dataclass(frozen=True, slots=True)
class Unread:
    """A fact that could not be had, and why. Never the same as "there is none"."""

    why: str


Read: TypeAlias = T | Unread


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    management: str
    feature_set: str


@dataclass(frozen=True, slots=True)
class Aggregator:
    """`regions` None: all of them. `states`: LastUpdateStatus of its sources; `held`: number of items by source."""

    name: str
    of_organization: bool
    regions: frozenset[str] | None = None
    states: Read[Mapping[Place, str]] = Unread("not asked")
    held: Read[Mapping[Place, int]] = Unread("not asked")


@dataclass(frozen=True, slots=True)
class LandingZone:
    """Of Control Tower, as the management account sees it."""

    version: str
    status: str
    drift: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """Something that is there by one of our names; `ours`: it has our tag."""

    what: str
    name: str
    ours: Read[bool]


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """Of one account in one Region. `rules`, `packs`, `documents` and `stacks` do not count our own."""

    recorder: Read[RecorderState] = Unread("not asked")
    rules: Read[int] = Unread("not asked")
    packs: Read[int] = Unread("not asked")
    documents: Read[int] = Unread("not asked")
    stacks: Read[int] = Unread("not asked")
    stack_limit: Read[int] = Unread("not asked")
    concurrency: Read[int] = Unread("not asked")
    function: Read[Named | None] = Unread("not asked")


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Of one account. `roles`: how many IAM roles there are and how many there may be."""

    regions: Read[Mapping[str, str]] = Unread("not asked")
    roles: Read[tuple[int, int]] = Unread("not asked")
    function_role: Read[Named | None] = Unread("not asked")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a deployment adds. `everywhere`: rules of the regional pack; `home`: of the global one."""

    everywhere: int
    home: int
    documents: int
    stack_sets: int

    @property
    def roles(self) -> int:
        return self.documents + 1

    def rules(self, region: str, home_region: str) -> int:
        return self.everywhere + (self.home if region == home_region else 0)

    def packs(self, region: str, home_region: str) -> int:
        return 2 if region == home_region else 1


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything. `members` maps accounts that get stacks to their names; `places` and `accounts` hold what could be entered.

    `limits` are Service Quotas' answers in the caller's account, home Region, by lower-case name.
    """

    caller: Read[str] = Unread("not asked")
    organization: Read[Organization] = Unread("not asked")
    active: Read[frozenset[str]] = Unread("not asked")
    units: Mapping[str, Read[bool]] = field(default_factory=dict)
    members: Read[Mapping[str, str]] = Unread("not asked")
    trusted: Read[frozenset[str]] = Unread("not asked")
    stack_sets_access: Read[str] = Unread("not asked")
    administrators: Mapping[str, Read[frozenset[str]]] = field(default_factory=dict)
    landing_zone: Read[LandingZone | None] = Unread("not asked")
    aggregators: Read[tuple[Aggregator, ...]] = Unread("not asked")
    organization_packs: Mapping[str, Read[frozenset[str]]] = field(default_factory=dict)  # by Region
    named: Read[tuple[Named, ...]] = Unread("not asked")
    stack_sets: Read[int] = Unread("not asked")
    limits: Read[Mapping[str, int]] = Unread("not asked")
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    places: Mapping[Place, PlaceFacts] = field(default_factory=dict)
    entered_by: str = ""  # name of the role, if one was given
    not_entered: Mapping[str, str] = field(default_factory=dict)
