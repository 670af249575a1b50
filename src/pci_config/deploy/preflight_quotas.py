"""How much of AWS's quotas a deployment would use, organization-wide and in each account and Region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pci_config.deploy import quotas
from pci_config.deploy.preflight_check import (
    NOT_ASSESSED,
    ORDER,
    PASS,
    WARN,
    Check,
    Outcome,
    Question,
    by_places,
)
from pci_config.deploy.preflight_facts import AccountFacts, Named, PlaceFacts, Unread
from pci_config.org_names import AGGREGATOR, GLOBAL_PACK, REGIONAL_PACK


def quota_headroom(question: Question) -> Iterator[Check]:
    facts, demand = question.facts, question.demand
    members = facts.members if isinstance(facts.members, Unread) else len(facts.members)
    known = facts.aggregators
    others = known if isinstance(known, Unread) else sum(each.name != AGGREGATOR for each in known)
    made = 0 if question.rdk_json.model.deployment.aggregator else 1
    for quota, used, added in (
        (quotas.STACK_SETS, facts.stack_sets, demand.stack_sets),
        (quotas.AGGREGATORS, others, made),
        (quotas.AGGREGATED, members, 1),
        (quotas.PACK_RULES, 0, max(demand.everywhere, demand.home)),
    ):
        yield _quota(f"quota {quota.id}", quotas.headroom(quota, used, added, facts))
    outcomes: dict[str, Outcome] = {}
    for region in question.regions:
        ours = {REGIONAL_PACK, GLOBAL_PACK}
        there = facts.organization_packs.get(region, Unread("not asked"))
        count = there if isinstance(there, Unread) else len(there - ours)
        outcomes[region] = _outcome(
            quotas.headroom(quotas.ORGANIZATION_PACKS, count, demand.packs(region, question.home), facts)
        )
    yield from by_places(f"quota {quotas.ORGANIZATION_PACKS.id}", outcomes)


def quota_headroom_in_accounts(question: Question) -> Iterator[Check]:
    """Only the tightest place of each verdict is told: numbers differ from account to account."""
    facts, demand, home = question.facts, question.demand, question.home
    by_quota: dict[str, dict[str, quotas.Headroom | Unread]] = defaultdict(dict)
    for account in question.targets:
        inside = facts.accounts.get(account, AccountFacts())
        used, limit = (inside.roles, None) if isinstance(inside.roles, Unread) else inside.roles
        deployed = isinstance(inside.function_role, Named) and inside.function_role.ours is True  # ours are counted as used
        added = 0 if deployed else demand.roles
        by_quota[quotas.ROLES.id][account] = quotas.headroom(quotas.ROLES, used, added, facts, limit)
        for region in question.regions:
            place, at = facts.places.get((account, region), PlaceFacts()), f"{account} {region}"
            for quota, count, ours, told_limit in (
                (quotas.RULES, place.rules, demand.rules(region, home), None),
                (quotas.PACKS, place.packs, demand.packs(region, home), None),
                (quotas.DOCUMENTS, place.documents, demand.documents, None),
                (quotas.STACKS, place.stacks, demand.stack_sets, place.stack_limit),
            ):
                by_quota[quota.id][at] = quotas.headroom(quota, count, ours, facts, told_limit)
    for name, by_place in by_quota.items():
        yield from _tightest(f"quota {name}", by_place)


def _tightest(check: str, by_place: Mapping[str, quotas.Headroom | Unread]) -> Iterator[Check]:
    sorted_out: dict[str, list[tuple[int, str, Outcome]]] = defaultdict(list)
    for place, room in by_place.items():
        outcome = _outcome(room)
        sorted_out[outcome[0]].append((0 if isinstance(room, Unread) else room.free, place, outcome))
    for verdict in ORDER:
        if verdict in sorted_out:
            entries = sorted(sorted_out[verdict])
            _, detail, fix = entries[0][2]
            where = "" if verdict == NOT_ASSESSED else "the tightest: "
            yield Check(check, verdict, where + detail, fix, tuple(place for _, place, _ in entries))


def concurrency(question: Question) -> Iterator[Check]:
    """AWS Config calls the function for every change, and for all periodic rules at about the same time."""
    outcomes: dict[str, Outcome] = {}
    for account in question.targets:
        for region in question.regions:
            limit = question.facts.places.get((account, region), PlaceFacts()).concurrency
            if isinstance(limit, Unread):
                outcome = NOT_ASSESSED, "concurrent executions of Lambda cannot be read", "name a role with --role-name"
            elif limit < quotas.FEW_CONCURRENT:
                fix = "ask Service Quotas for more concurrent executions of Lambda"
                outcome = WARN, f"{limit} concurrent executions of Lambda; throttled calls are repeated, and come late", fix
            else:
                outcome = PASS, f"{quotas.FEW_CONCURRENT} or more concurrent executions of Lambda", ""
            outcomes[f"{account} {region}"] = outcome
    yield from by_places("quota concurrent executions", outcomes)


def _quota(check: str, room: quotas.Headroom | Unread) -> Check:
    verdict, detail, fix = _outcome(room)
    return Check(check, verdict, detail, fix)


def _outcome(room: quotas.Headroom | Unread) -> Outcome:
    if isinstance(room, Unread):
        return NOT_ASSESSED, f"what is used cannot be counted ({room.why})", "name a role of every account with --role-name"
    return room.verdict, str(room), room.fix
