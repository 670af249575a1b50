"""PCI_USER_ONLY_IN_IDENTITY_ACCOUNT: users with a password or an access key exist in the identity accounts only."""

from __future__ import annotations

from typing import Any

from pci_config.iam_credentials import Credentials, UserCredentials
from pci_config.rule import Facts, Finding, Item, PciRule, compliant, non_compliant, required

USER = "AWS::IAM::User"
SUFFIX = " [PCI 8.2.1, 7.2.2]"
IDENTITY_ROLES = ("identity", "identity_production")


class PciUserOnlyInIdentityAccount(PciRule):
    """A user that can sign in, or has an access key in use, is in an identity account; elsewhere people come by role.

    PCI DSS 4.0.1: 8.2.1, 7.2.2. 3.2.1: 8.1.1, 7.1. Source: IAM API reference, GetLoginProfile, ListAccessKeys: AWS Config
    records users without their credentials. Identity accounts are `Accounts.identity` and `Accounts.identity_production`.
    Users of services are accepted in the register of exceptions; no tag exempts anyone, since a user's tags are easy to set.

    | user | verdict |
    |---|---|
    | in an identity account | compliant |
    | elsewhere, with a console password or an active access key | non-compliant, says which |
    | elsewhere, without either; inactive keys are named | compliant |
    | elsewhere, in a snapshot | not assessed |
    | rdk.json names no identity account | error |
    """

    resource_types = (USER,)
    lookups = (UserCredentials,)
    sweeps = True  # a password or a key changes nothing that is recorded

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        settings = facts.scope.settings
        name = required(item, "configuration.userName", str)
        if facts.scope.account_id in {number for role in IDENTITY_ROLES for number in settings.accounts_of(role)}:
            return compliant("an identity account: users belong here")
        credentials = facts.get(UserCredentials, name)
        found = told(credentials)
        if found:
            return non_compliant(
                f"{found} outside the identity accounts: remove, and reach this account by a role; a user of a service needs"
                f" an exception{SUFFIX}"
            )
        idle = credentials.inactive_keys
        return compliant("no password and no active access key" + (f" (inactive: {idle}; delete)" if idle else ""))


def told(credentials: Credentials) -> str:
    """The credentials in use, in words; empty when there are none."""
    keys = credentials.active_keys
    found = ["a console password"] * credentials.password
    found += [f"{keys} active access key{'s' * (keys > 1)}"] * (keys > 0)
    return " and ".join(found)


lambda_handler = PciUserOnlyInIdentityAccount.as_lambda_handler()
