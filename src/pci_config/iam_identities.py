"""Looks up the users of an account with every policy that holds for them."""

from __future__ import annotations

from collections.abc import Sequence

from pci_config.iam_users import User, account_users
from pci_config.rule import Clients, Lookup, Scope


class AccountUsers(Lookup[Sequence[User]]):
    """Every user with groups and policies. The items of AWS Config lack AWS's managed policies, so they cannot answer."""

    actions = ("iam:GetAccountAuthorizationDetails",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[User]:
        return account_users(clients.build_client("iam"))
