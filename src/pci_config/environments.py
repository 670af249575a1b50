"""Which environment an account is, by its role in rdk.json, and whether two accounts must be kept apart.

Production is the production accounts and the identity account of their users; staging, development and the other identity
account are not; management, delegated administration and log archive are shared. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pci_config.settings import SettingMissing, Settings

Kind = Literal["production", "non-production", "shared", "unknown"]
PRODUCTION: Kind = "production"
NON_PRODUCTION: Kind = "non-production"
SHARED: Kind = "shared"
UNKNOWN: Kind = "unknown"
KINDS: dict[str, Kind] = {
    "production": PRODUCTION,
    "identity_production": PRODUCTION,
    "staging": NON_PRODUCTION,
    "development": NON_PRODUCTION,
    "identity": NON_PRODUCTION,
    "management": SHARED,
    "delegated_admin": SHARED,
    "log_archive": SHARED,
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account and what it is. `role` is empty for an account that rdk.json does not name."""

    id: str
    role: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.id} ({self.role.replace('_', ' ') or 'not of this organization'})"


def account_of(account_id: str, settings: Settings) -> Account:
    """Raises SettingMissing when rdk.json names no production account at all: nothing could then be kept apart from it."""
    settings.accounts_of("production")
    for role, kind in KINDS.items():
        if account_id in settings.accounts.get(role, ()):
            return Account(account_id, role, kind)
    return Account(account_id, "", UNKNOWN)


def own_account(account_id: str, settings: Settings) -> Account:
    """The account that is judged. Raises SettingMissing when rdk.json gives it no role."""
    found = account_of(account_id, settings)
    if found.kind == UNKNOWN:
        raise SettingMissing(f"rdk.json: Accounts names no role of {account_id}; this rule needs it")
    return found


def must_be_apart(one: Account, other: Account) -> bool:
    """Production from everything that is not; an account that rdk.json does not name counts as not."""
    kinds = {one.kind, other.kind}
    return PRODUCTION in kinds and bool(kinds & {NON_PRODUCTION, UNKNOWN})
