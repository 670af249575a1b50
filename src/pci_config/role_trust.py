"""What is wrong with a role's trust policy: who may assume it that should not, and who may without MFA or proof of origin.

Sources: IAM User Guide, "The confused deputy problem", "AWS global condition context keys", "Create a role for OpenID Connect
federation", "Create a role for SAML 2.0 federation"; GitHub and EKS documentation of the subjects of their tokens.
Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pci_config.iam_policy import Opening, Policy, Principal, Statement

ASSUME, WITH_SAML, WITH_TOKEN = "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"
COGNITO = "cognito-identity.amazonaws.com"
# Condition keys of audience and subject where a public provider has other names for them
_PUBLIC_KEYS = {"graph.facebook.com": ("app_id", "id"), "www.amazon.com": ("app_id", "user_id")}
_REGIONAL = re.compile(r"(.+?)\.[a-z]{2}(?:-[a-z]+)+-[0-9]\.(amazonaws\.com(?:\.cn)?)")
_WILDCARD = re.compile(r"[*?]|\$\{")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom roles of one account may trust.

    identity: the accounts that people come from (asked only when a role lets people in, so that it may raise); known: account
    ids of the organization to what they are; automation: accounts whose named roles may come; guarded_services: service
    principals that must say for which account they come; organizations: ids that may say so for all accounts.
    """

    own: str
    identity: Callable[[], frozenset[str]]
    known: Mapping[str, str]
    automation: frozenset[str] = frozenset()
    guarded_services: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Judged:
    """Faults, the worst first; whom the role trusts, in words; whether people can assume it."""

    faults: tuple[str, ...]
    trusts: tuple[str, ...]
    people: bool


def judge_trust(policy: Policy, trusted: Trusted) -> Judged:
    """Every way into the role. An own role that is named is judged where it is; service principals and providers apart."""
    ranked: list[tuple[int, str]] = []
    trusts: dict[str, None] = {}
    people = False
    unproven: set[tuple[Principal, Statement]] | None = None  # asked only of people and roles: most trust services alone
    for opening in policy.openings(ASSUME, WITH_SAML, WITH_TOKEN):
        principal = opening.principal
        if not _usable(opening):
            continue
        if principal.entity == "anyone":
            people = True
            ranked.append((0, "anyone may assume it (Principal *): name the identity account"))
        elif principal.kind == "AWS":
            if unproven is None:
                unproven = {(o.principal, o.statement) for o in policy.openings_without_mfa(ASSUME)}
            own_role = principal.account == trusted.own and principal.entity in ("role", "assumed-role")
            people = people or not own_role
            without_mfa = (principal, opening.statement) in unproven
            ranked += _account_faults(principal, trusted, without_mfa)
            trusts[_told(principal) + " with MFA" * (not without_mfa)] = None
        elif principal.kind == "Service":
            ranked += [(4, fault) for fault in _service_faults(opening, trusted)]
            trusts[principal.value] = None
        elif principal.kind == "Federated":
            people = people or opening.action == WITH_SAML
            ranked += [(1, fault) for fault in _provider_faults(opening, trusted)]
            provider = principal.value.split("/", 1)[-1]
            trusts[provider + " (MFA is its own)" * (opening.action == WITH_SAML)] = None
        else:
            ranked.append((0, f"trusts {principal}, which is no principal of a role"))
    faults = dict.fromkeys(fault for _, fault in sorted(ranked, key=lambda entry: entry[0]))
    return Judged(tuple(faults), tuple(trusts), people)


def _usable(opening: Opening) -> bool:
    """Whether that kind of principal can use the action at all: a provider brings assertions or tokens, others do not."""
    principal = opening.principal
    if principal.entity == "anyone":
        return True
    if principal.kind != "Federated":
        return opening.action == ASSUME
    return opening.action == (WITH_SAML if ":saml-provider/" in principal.value else WITH_TOKEN)


def _told(principal: Principal) -> str:
    return f"account {principal}" if principal.entity == "account" else str(principal)


# --------------------------------------------------------------------------------------------------- people and accounts


def _account_faults(principal: Principal, trusted: Trusted, without_mfa: bool) -> Iterator[tuple[int, str]]:
    account, is_role = principal.account, principal.entity in ("role", "assumed-role")
    if account is None:
        yield 2, f"trusts {principal}, which no longer exists or is no account's: remove it"
        return
    if is_role and (account == trusted.own or account in trusted.automation):
        return
    if account != trusted.own and account not in trusted.known:
        yield 1, f"trusts {_named(principal)}: not an account of the organization"
        return
    identity = trusted.identity()
    if account not in identity:
        what = "its own account" if account == trusted.own else trusted.known[account]
        yield 2, f"trusts {_named(principal)} ({what}); people come from {', '.join(sorted(identity))} only"
    elif without_mfa:
        yield (
            3,
            f"{_named(principal)} may assume it without MFA: require Bool aws:MultiFactorAuthPresent true, not BoolIfExists",
        )


def _named(principal: Principal) -> str:
    """`account 1…`, or `user/alice in 1…`: short, and whole."""
    if principal.entity == "account":
        return f"account {principal}"
    return f"{principal.value.split(':', 5)[5]} in {principal.account}"


# ------------------------------------------------------------------------------------------------------------- services


def _service_faults(opening: Opening, trusted: Trusted) -> Iterator[str]:
    service = service_name(opening.principal.value)
    sources = opening.source_accounts()
    if sources is not None:
        foreign = sorted(sources - trusted.known.keys() - {trusted.own})
        if foreign:
            yield f"{service} may come for {', '.join(foreign)}: not an account of the organization"
        return
    if service in trusted.guarded_services and not _source_proven(opening, trusted):
        yield f"{service} may come for any account (confused deputy): require aws:SourceAccount {trusted.own}"


def service_name(principal: str) -> str:
    """The principal without its Region: `logs.eu-west-1.amazonaws.com` is `logs.amazonaws.com`."""
    found = _REGIONAL.fullmatch(principal)
    return f"{found[1]}.{found[2]}" if found else principal


def _source_proven(opening: Opening, trusted: Trusted) -> bool:
    organizations = opening.statement.demanded("aws:SourceOrgID") or ()
    external = opening.statement.demanded("sts:ExternalId")  # the older form, which Firehose's guide still shows
    return (bool(organizations) and set(organizations) <= trusted.organizations) or external == (trusted.own,)


# ------------------------------------------------------------------------------------------------------------ providers


def _provider_faults(opening: Opening, trusted: Trusted) -> Iterator[str]:
    principal = opening.principal
    provider = re.sub(r"arn:[a-z-]+:iam::[0-9]{12}:(?:saml|oidc)-provider/", "", principal.value)
    if principal.account not in (None, trusted.own):
        yield f"trusts provider {provider} of account {principal.account}"
    if opening.action == WITH_SAML:
        if not _insists(opening, "SAML:aud", _literal):
            yield f"SAML provider {provider}: no condition on the audience (SAML:aud)"
        return
    audience, subject = _PUBLIC_KEYS.get(provider, ("aud", "sub"))
    missing = []
    if not _insists(opening, f"{provider}:{audience}", _literal):
        missing.append(f"audience ({audience})")
    if provider == COGNITO:
        if not _insists(opening, f"{provider}:amr", lambda value: value == "authenticated"):
            missing.append("sign-in (amr authenticated), so guests may come")
    elif not _insists(opening, f"{provider}:{subject}", lambda value: narrow_subject(provider, value)):
        missing.insert(0, f"subject ({subject}) that names who may come")
    if missing:
        yield f"provider {provider}: no condition on the {' and '.join(missing)}"


def _insists(opening: Opening, key: str, narrow: Callable[[str], bool]) -> bool:
    return any(all(map(narrow, condition.values)) for condition in opening.statement.demanding(key))


def _literal(value: str) -> bool:
    return bool(value) and not _WILDCARD.search(value)


def narrow_subject(provider: str, subject: str) -> bool:
    """Whether the subject names an owner: what comes before its first wildcard reaches into the name that the owner has."""
    fixed = _WILDCARD.split(subject, maxsplit=1)[0]
    if fixed == subject:
        return bool(subject)
    if provider.split("/", maxsplit=1)[0] == "token.actions.githubusercontent.com" and fixed.startswith("repo:"):
        return re.match(r"repo:[^/]+/", fixed) is not None
    if subject.startswith("system:"):
        return re.match(r"system:serviceaccount:[^:]+:", fixed) is not None
    return bool(fixed.partition(":")[2] if ":" in subject else fixed)
