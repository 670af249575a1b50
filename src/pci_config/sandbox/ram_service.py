"""Adds to moto's AWS RAM the shares that other accounts gave (GetResourceShares with OTHER-ACCOUNTS).

A share reaches the accounts that it names, and every account of the organization when it names that. Units are not looked into.
Source: AWS RAM API reference.
"""

from __future__ import annotations

from typing import Any

from moto.ram.models import ResourceAccessManagerBackend, ram_backends

_own_shares = ResourceAccessManagerBackend.get_resource_shares


def install() -> None:
    """Teach moto the action of this module. Installing again changes nothing."""
    ResourceAccessManagerBackend.get_resource_shares = get_resource_shares  # type: ignore[method-assign]


def get_resource_shares(self: Any, resource_owner: str | None) -> dict[str, Any]:
    if resource_owner != "OTHER-ACCOUNTS":
        return _own_shares(self, resource_owner)
    organization = self.organizations_backend.org
    everyone = organization.arn if organization else None
    others = [backends[self.region_name] for account, backends in list(ram_backends.items()) if account != self.account_id]
    given = [
        share.describe()
        for backend in others
        for share in backend.resource_shares
        if self.account_id in share.principals or (everyone and everyone in share.principals)
    ]
    return {"resourceShares": given}
