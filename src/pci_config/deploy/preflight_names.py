"""Is anything there by our names that is not ours, and what of an earlier deployment is there."""

from __future__ import annotations

from collections.abc import Iterator

from pci_config.deploy.preflight_check import (
    FAIL,
    NOT_ASSESSED,
    PASS,
    Check,
    Outcome,
    Question,
    by_places,
    unread,
)
from pci_config.deploy.preflight_facts import AccountFacts, Named, PlaceFacts, Read, Unread
from pci_config.org_names import GLOBAL_PACK, REGIONAL_PACK


def packs(question: Question) -> Iterator[Check]:
    """Our packs of an earlier deployment are updated; the same names made by somebody else would be overwritten."""
    check = "organization packs"
    if question.rdk_json.model.deployment.packs == "stackset":
        yield Check(check, PASS, "none is made: Deployment.Packs is stackset")
        return
    named = question.facts.named
    deployed = not isinstance(named, Unread) and any(each.ours is True for each in named)
    outcomes: dict[str, Outcome] = {}
    for region in question.regions:
        known = question.facts.organization_packs.get(region, Unread("not asked"))
        wanted = {REGIONAL_PACK, *({GLOBAL_PACK} if region == question.home else ())}
        if isinstance(known, Unread):
            outcomes[region] = NOT_ASSESSED, f"cannot be read: {known.why}", "allow config:DescribeOrganizationConformancePacks"
        elif not known & wanted:
            outcomes[region] = PASS, "the names are free", ""
        elif isinstance(named, Unread):
            outcomes[region] = NOT_ASSESSED, "packs of our names are there, and whose they are cannot be read", "see names"
        elif deployed:
            outcomes[region] = PASS, "ours are there and are updated", ""
        else:
            there = ", ".join(sorted(known & wanted))
            fix = "delete or rename them: deploy would overwrite them"
            outcomes[region] = FAIL, f"{there} is there, and nothing else of pci-config", fix
    yield from by_places(check, outcomes)


def names(question: Question) -> Iterator[Check]:
    """StackSets, stacks and buckets of the delegated administrator by our names."""
    named = question.facts.named
    if isinstance(named, Unread):
        fix = "allow cloudformation:ListStackSets, DescribeStackSet, DescribeStacks and s3:ListBucket"
        yield unread("names", named, fix)
        return
    outcomes = {f"{each.what} {each.name}": _whose(each) for each in named}
    if not outcomes:
        yield Check("names", PASS, "no StackSet, stack or bucket has a name that we use")
    yield from by_places("names", outcomes)


def names_in_accounts(question: Question) -> Iterator[Check]:
    """Our role and function in the accounts: a stack fails on a name that is taken."""
    outcomes: dict[str, Outcome] = {}
    for account in question.targets:
        role = question.facts.accounts.get(account, AccountFacts()).function_role
        outcomes[account] = _taken(role)
        for region in question.regions:
            outcomes[f"{account} {region}"] = _taken(question.facts.places.get((account, region), PlaceFacts()).function)
    if not outcomes:
        yield Check("names in accounts", NOT_ASSESSED, "the accounts are not known", "see target accounts")
    yield from by_places("names in accounts", outcomes)


def _taken(found: Read[Named | None]) -> Outcome:
    if isinstance(found, Unread):
        return NOT_ASSESSED, "role and function cannot be looked for", "name a role of every account with --role-name"
    return (PASS, "free", "") if found is None else _whose(found)


def _whose(each: Named) -> Outcome:
    if isinstance(each.ours, Unread):
        return NOT_ASSESSED, f"is there, and whose it is cannot be read ({each.ours.why})", "allow its tags to be read"
    if each.ours:
        return PASS, "ours is there and is updated", ""
    return FAIL, f"a {each.what} of that name is there that pci-config did not make", "delete it or give it another name"
