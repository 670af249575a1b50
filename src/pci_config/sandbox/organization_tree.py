"""Reads moto's organizations: which one an account belongs to, what stands below a unit, who is trusted with what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moto.organizations.models import organizations_backends

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
CONFIG = "config.amazonaws.com"
CONFIG_PACKS = "config-multiaccountsetup.amazonaws.com"
ACTIVE = "ACTIVE"


def organization_of(account_id: str) -> Any | None:
    """moto's backend of the organization that the account belongs to: its management account's."""
    for partitions in list(organizations_backends.values()):
        for backend in list(partitions.values()):
            if backend.org and any(account.id == account_id for account in list(backend.accounts)):
                return backend
    return None


def management_account(organization: Any) -> str:
    return str(organization.org.master_account_id)


def accounts_below(organization: Any, unit_ids: Iterable[str]) -> list[str]:
    """Every account in these units and the units below them at any depth, in order, the management account among them."""
    units = set(units_below(organization, unit_ids))
    return sorted(account.id for account in list(organization.accounts) if account.parent_id in units)


def units_below(organization: Any, unit_ids: Iterable[str]) -> Iterator[str]:
    """These units and the units below them, at any depth."""
    waiting = list(unit_ids)
    while waiting:
        unit_id = waiting.pop()
        yield unit_id
        waiting += [unit.id for unit in list(organization.ou) if unit.parent_id == unit_id]


def has_unit(organization: Any, unit_id: str) -> bool:
    return any(unit.id == unit_id for unit in list(organization.ou))


def state_of_account(organization: Any, account_id: str) -> str:
    """ACTIVE, SUSPENDED, …; an account that has left has none."""
    return next((str(account.state) for account in list(organization.accounts) if account.id == account_id), "")


def is_delegated(organization: Any, account_id: str, principal: str = "") -> bool:
    """Whether the account is a delegated administrator, of this service or of any."""
    return any(
        admin.account.id == account_id and (not principal or principal in admin.services) for admin in list(organization.admins)
    )


def is_trusted(organization: Any, principal: str) -> bool:
    """Whether the service has trusted access to the organization."""
    return any(service["ServicePrincipal"] == principal for service in organization.services)


def all_features(organization: Any) -> bool:
    return bool(organization.org.feature_set == "ALL")
