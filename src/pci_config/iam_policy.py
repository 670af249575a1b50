"""Policies in IAM's language, parsed in full, and what rules ask of them: who may do something, from which accounts, with MFA?

Sources: IAM User Guide, "IAM JSON policy element reference" (Principal, NotPrincipal, Condition operators, multivalued keys)
and "Policy evaluation logic". Where a request is known in part only, an Allow counts as soon as it may apply and a Deny only
when it surely does: a doubt never closes a way in. What is not understood is a PolicyError. Standard library only.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from pci_config.iam_condition import (
    Condition,
    Context,
    PolicyError,
    all_of,
    any_of,
    arn_covers,
    covers,
    overlaps,
    parse_conditions,
)

NO_MFA_DEVICE: Context = {"aws:multifactorauthpresent": "false", "aws:multifactorauthage": None}
NO_MFA_KEYS: Context = {"aws:multifactorauthpresent": None, "aws:multifactorauthage": None}  # long-term access keys

_POLICY_MEMBERS = {"Version", "Id", "Statement"}
_STATEMENT_MEMBERS = {"Sid", "Effect", "Condition"} | {
    prefix + name for prefix in ("", "Not") for name in ("Principal", "Action", "Resource")
}
_ACCOUNT = re.compile(r"[0-9]{12}")
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{3}[A-Z0-9]{12,124}")
_PRINCIPAL_ARN = re.compile(
    r"arn:[a-z-]+:(?:iam::(?:[0-9]{12}|cloudfront):(?:root|(?:user|role)/.+)|sts::[0-9]{12}:(?:assumed-role|federated-user)/.+)"
)


@dataclass(frozen=True, slots=True)
class Principal:
    """`kind` is AWS, Service, Federated, CanonicalUser, or `*` for everyone. An account's root ARN is kept as its id."""

    kind: str
    value: str

    def __str__(self) -> str:
        return "everyone" if self.value == "*" else self.value

    @property
    def entity(self) -> str:
        """anyone, account, root's users and roles (user, role, assumed-role, federated-user), deleted, or the kind."""
        if self.value == "*":
            return "anyone"
        if self.kind != "AWS":
            return self.kind
        if _ACCOUNT.fullmatch(self.value):
            return "account"
        return self.value.split(":", 5)[5].split("/")[0] if self.value.startswith("arn:") else "deleted"

    @property
    def account(self) -> str | None:
        """The account that the principal belongs to, where its name says so."""
        part = self.value.split(":")[4] if self.value.startswith("arn:") else self.value
        return part if self.kind in ("AWS", "Federated") and _ACCOUNT.fullmatch(part) else None

    def includes(self, other: Principal) -> bool | None:
        """Whether all that `other` stands for is included; None: a part of it, or one cannot say."""
        if self.kind == "*" or self == other:
            return True
        account_kinds = ("AWS", "CanonicalUser")
        if self.kind == "AWS" and self.value == "*":  # AWS documents it as everyone, too; sure only of accounts
            return True if other.kind in account_kinds else None
        if other.kind == "*" or other.entity == "anyone" or self.entity == "anyone":
            return None if self.kind == other.kind or "*" in (self.kind, other.kind) or other.value == "*" else False
        if {self.kind, other.kind} == set(account_kinds) or "deleted" in (self.entity, other.entity):
            return None if {self.kind, other.kind} <= set(account_kinds) else False
        if self.kind != other.kind or self.account != other.account or self.kind != "AWS":
            return False
        kinds = {self.entity, other.entity}
        return None if "account" in kinds or kinds in ({"role", "assumed-role"}, {"user", "federated-user"}) else False


EVERYONE = Principal("*", "*")
HOLDER = Principal("holder", "whoever holds the policy")  # of an identity policy, which names no principal


@dataclass(frozen=True, slots=True, eq=False)  # each is itself: to compare what they say would take long
class Statement:
    """`actions`, `resources` and `principals` with True for the Not form; None where the statement has no such element."""

    place: str
    allows: bool
    actions: tuple[tuple[str, ...], bool]
    resources: tuple[tuple[str, ...], bool] | None
    principals: tuple[tuple[Principal, ...], bool] | None
    conditions: tuple[Condition, ...]

    def subjects(self) -> tuple[Principal, ...]:
        """Whom the statement is about, as it names them; everyone for NotPrincipal."""
        if self.principals is None:
            return (HOLDER,)
        return (EVERYONE,) if self.principals[1] else self.principals[0]

    def applies(self, subject: Principal, action: str, resource: str | None, context: Context) -> bool | None:
        """Whether the statement applies to all such requests; None: to some, or one cannot say."""
        asked = action.lower()
        acts = _among(self.actions, lambda pattern: matches(pattern.lower(), asked))
        if acts is False:
            return False
        answers: list[bool | None] = [acts]
        if self.principals is not None:
            answers.append(_among(self.principals, lambda principal: principal.includes(subject)))
        if self.resources is not None:
            answers.append(_among(self.resources, lambda pattern: matches(pattern, resource)) if resource else None)
        answers += [condition.holds(context) for condition in self.conditions]
        return all_of(answers)

    def demanding(self, key: str) -> tuple[Condition, ...]:
        """The conditions that insist on the request's key having one of their values; those with the fewest first."""
        found = [c for c in self.conditions if c.key == key.lower() and c.demands_value]
        return tuple(sorted(found, key=lambda condition: len(condition.values)))

    def demanded(self, key: str) -> tuple[str, ...] | None:
        """The values one of which the request's key must have; None when the statement does not insist on the key."""
        found = self.demanding(key)
        return found[0].values if found else None


@dataclass(frozen=True, slots=True)
class Opening:
    """An Allow that may let `principal` do `action`, after every Deny that surely applies."""

    principal: Principal
    action: str
    statement: Statement

    def accounts(self) -> frozenset[str] | None:
        """The accounts that the principal belongs to, by its name or by conditions; None when nothing limits them."""
        named = self.principal.account
        return frozenset({named}) if named else self._limited_by("aws:PrincipalAccount", "aws:PrincipalArn")

    def source_accounts(self) -> frozenset[str] | None:
        """The accounts in whose name a service may come; None when nothing limits them."""
        return self._limited_by("aws:SourceAccount", "aws:SourceArn")

    def origins(self) -> frozenset[str] | None:
        """The accounts it comes from: those in whose name a service may come, everyone else's own."""
        return self.source_accounts() if self.principal.kind == "Service" else self.accounts()

    def _limited_by(self, *keys: str) -> frozenset[str] | None:
        for condition in (found for key in keys for found in self.statement.demanding(key)):
            accounts = [account_in(value, by_parts=condition.operator.startswith("Arn")) for value in condition.values]
            if None not in accounts:
                return frozenset(account for account in accounts if account)
        return None


def account_in(text: str, *, by_parts: bool = True) -> str | None:
    """The account of an id or an ARN, which may have wildcards after the account; before it only where the operator compares
    part by part, because a wildcard of StringLike runs on into a resource's name that looks like an account."""
    if _ACCOUNT.fullmatch(text):
        return text
    found = re.match(r"arn:[a-z*-]+:[a-z0-9*-]+:[a-z0-9*-]*:([0-9]{12}):", text)
    return found[1] if found and (by_parts or "*" not in found[0]) else None


@dataclass(frozen=True, slots=True)
class Policy:
    """Statements of one policy, or of several that hold together."""

    statements: tuple[Statement, ...]

    def openings(self, *actions: str, resource: str | None = None, context: Context | None = None) -> tuple[Opening, ...]:
        """Every way to one of the actions. Actions and resource may be patterns: what overlaps them is found."""
        known = context or {}
        return tuple(
            Opening(subject, action, statement)
            for action in actions
            for statement in self.statements
            if statement.allows
            for subject in statement.subjects()
            if statement.applies(subject, action, resource, known) is not False
            and not self.denied(subject, action, resource, known)
        )

    def denied(self, subject: Principal, action: str, resource: str | None = None, context: Context | None = None) -> bool:
        """Whether a Deny surely refuses all such requests."""
        return any(s.applies(subject, action, resource, context or {}) for s in self.statements if not s.allows)

    def openings_without_mfa(self, *actions: str, resource: str | None = None) -> tuple[Opening, ...]:
        """Ways in that stay open without MFA: BoolIfExists lets requests pass that do not have the key at all."""
        found = [o for how in (NO_MFA_KEYS, NO_MFA_DEVICE) for o in self.openings(*actions, resource=resource, context=how)]
        return tuple(dict.fromkeys(found))


@functools.lru_cache(4096)
def matches(pattern: str, asked: str) -> bool | None:
    """Whether a policy's pattern covers all of `asked` (text or pattern); None: it covers a part, or one cannot say.

    Where both are ARNs, a wildcard is sure only inside its part; "*" alone is everything.
    """
    if "${" not in pattern and covers(pattern, asked):
        return True if pattern == "*" or arn_covers(pattern, asked) is not False else None
    return None if overlaps(re.sub(r"\$\{[^}]*\}", "*", pattern), asked) else False


def _among(listed: tuple[Sequence[Any], bool], includes: Callable[[Any], bool | None]) -> bool | None:
    found = any_of(map(includes, listed[0]))
    return found if found is None or not listed[1] else not found


# ------------------------------------------------------------------------------------------------------------- parsing


def parse_policy(
    document: Any, where: str = "policy", principals: Literal["required", "refused", "either"] = "either"
) -> Policy:
    """The policy from URL-encoded text, JSON text or an object. `principals`: resource-based policies require them,
    identity policies refuse them. Raises PolicyError."""
    return _parsed_text(document, where, principals) if isinstance(document, str) else _parsed(document, where, principals)


@functools.lru_cache(512)  # many roles of an account trust in the same words
def _parsed_text(text: str, where: str, principals: Literal["required", "refused", "either"]) -> Policy:
    return _parsed(_loaded(unquote(text) if text.lstrip().startswith("%") else text, where), where, principals)


def _parsed(document: Any, where: str, principals: Literal["required", "refused", "either"]) -> Policy:
    _known(document, _POLICY_MEMBERS, where)
    if document.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        raise PolicyError(f"{where}: Version {document['Version']!r} is not known")
    statements = document.get("Statement")
    statements = statements if isinstance(statements, list) else [statements]
    if not statements:
        raise PolicyError(f"{where}: Statement is empty")
    return Policy(tuple(_statement(s, f"{where}: Statement[{i}]", principals) for i, s in enumerate(statements)))


def _loaded(text: str, where: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise PolicyError(f"{where}: a member is given twice among {', '.join(name for name, _ in pairs)}")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (RecursionError, json.JSONDecodeError) as error:
        raise PolicyError(f"{where} is not JSON: {error}") from None


def _statement(found: Any, place: str, principals: str) -> Statement:
    _known(found, _STATEMENT_MEMBERS, place)
    if found.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{place}: Effect is {found.get('Effect')!r}, neither Allow nor Deny")
    actions = _either(found, "Action", place, _texts)
    if actions is None:
        raise PolicyError(f"{place}: there is neither Action nor NotAction")
    for action in actions[0]:
        if not re.fullmatch(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?-]+", action):
            raise PolicyError(f"{place}: {action!r} is no action")
    named = _either(found, "Principal", place, _principals)
    if (named is None) == (principals == "required") and principals != "either":
        raise PolicyError(f"{place}: Principal is " + ("missing" if named is None else "not expected in this kind of policy"))
    resources = _either(found, "Resource", place, _texts)
    conditions = parse_conditions(found["Condition"], f"{place}: Condition") if "Condition" in found else ()
    return Statement(place, found["Effect"] == "Allow", actions, resources, named, conditions)


def _either(found: Mapping[str, Any], name: str, place: str, read: Callable[[Any, str], Any]) -> Any:
    """The element or its Not form, as (values, is the Not form); None when there is neither."""
    present = [form for form in (name, "Not" + name) if form in found]
    if len(present) == 2:
        raise PolicyError(f"{place}: {name} and Not{name} exclude each other")
    return (read(found[present[0]], f"{place}: {present[0]}"), present[0] != name) if present else None


def _texts(value: Any, place: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(entry, str) and entry for entry in values):
        raise PolicyError(f"{place} is neither a text nor a list of texts")
    return tuple(values)


def _known(found: Any, names: set[str], place: str) -> None:
    if not isinstance(found, Mapping):
        raise PolicyError(f"{place} is {type(found).__name__}, not an object")
    if unknown := [name for name in found if name not in names]:
        raise PolicyError(f"{place}: {unknown[0]!r} is not known here")


def _principals(value: Any, place: str) -> tuple[Principal, ...]:
    if value == "*":
        return (EVERYONE,)
    _known(value, {"AWS", "Service", "Federated", "CanonicalUser"}, place)
    if not value:
        raise PolicyError(f"{place} is empty")
    return tuple(_principal(kind, text, place) for kind, named in value.items() for text in _texts(named, f"{place}.{kind}"))


def _principal(kind: str, text: str, place: str) -> Principal:
    if text != "*" and re.search(r"[*?]|\$\{", text):
        raise PolicyError(f"{place}: {text!r} has a wildcard; a principal is named in full or is '*'")
    if kind == "AWS" and text != "*":
        if not any(form.fullmatch(text) for form in (_ACCOUNT, _UNIQUE_ID, _PRINCIPAL_ARN)):
            raise PolicyError(f"{place}: {text!r} is no principal of an AWS account")
        text = text.split(":")[4] if text.endswith(":root") else text
    return Principal(kind, text)
