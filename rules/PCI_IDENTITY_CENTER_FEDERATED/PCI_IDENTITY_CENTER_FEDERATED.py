"""PCI_IDENTITY_CENTER_FEDERATED: users of Identity Center come from an identity provider that can keep password rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Lookup,
    PciRule,
    Scope,
    about_account,
    compliant,
    non_compliant,
    not_applicable,
    reading,
    words,
)

SUFFIX = " [PCI 8.3.7, 8.3.9]"
JUDGED_ROLES = ("management", "delegated_admin")  # only they see an organization's instance


@dataclass(frozen=True, slots=True)
class CenterParameters:
    """regions: where Identity Center may be; the Regions of rdk.json when empty."""

    regions: tuple[str, ...] = words((), r"[a-z]{2}(-[a-z]+)+-[0-9]", "Regions")


class Instances(Lookup[Sequence[Mapping[str, Any]]]):
    """ListInstances in a Region: an instance is shown in its own Regions only. AWS Config does not record them."""

    actions = ("sso:ListInstances",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        pages = clients.build_client("sso-admin", key[0]).get_paginator("list_instances").paginate()
        return [instance for page in pages for instance in page["Instances"]]


class DirectoryUsers(Lookup[Sequence[Mapping[str, Any]]]):
    """ListUsers of an identity store, by Region and store id. AWS Config does not record them."""

    actions = ("identitystore:ListUsers",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        region, store = key
        pages = clients.build_client("identitystore", region).get_paginator("list_users").paginate(IdentityStoreId=store)
        return [user for page in pages for user in page["Users"]]


class PciIdentityCenterFederated(PciRule):
    """Identity Center is unused, or every enabled user comes from an external identity provider.

    PCI DSS 4.0.1: 8.3.7, 8.3.9. 3.2.1: 8.2.4, 8.2.5. Source: IAM Identity Center User Guide, password requirements (its own
    directory refuses the last three passwords, not four, and knows no expiry); Identity Store API reference, User: ExternalIds
    name the provider that a user was provisioned from. The provider's own rules are not visible here.

    | account and its instances | verdict |
    |---|---|
    | neither management nor delegated administrator | not applicable |
    | no instance in any Region | compliant: Identity Center is unused |
    | every enabled user has an external id, or there are no users | compliant |
    | enabled users without (a status that is not given counts as enabled) | non-compliant, counted, names the first |
    | a snapshot | not assessed |
    """

    parameters = CenterParameters
    lookups = (Instances, DirectoryUsers)

    def decide_account(self, parameters: CenterParameters, facts: Facts) -> Sequence[Finding]:
        scope = facts.scope
        if scope.account_id not in {number for role in JUDGED_ROLES for number in scope.settings.accounts_of(role)}:
            return [about_account(not_applicable("neither management account nor delegated administrator"), facts)]
        regions = parameters.regions or scope.settings.regions or (scope.region,)
        stores = identity_stores(regions, facts)
        users = [user for store, region in stores.items() for user in facts.get(DirectoryUsers, region, store)]
        if not stores:
            reason = f"Identity Center is unused: this account sees no instance in {', '.join(regions)}"
            return [about_account(compliant(reason), facts)]
        return [about_account(judge(users), facts)]


def identity_stores(regions: Sequence[str], facts: Facts) -> dict[str, str]:
    """Every identity store once, with a Region to ask it in; an instance may be in several."""
    stores: dict[str, str] = {}
    for region in regions:
        for instance in facts.get(Instances, region):
            with reading("ListInstances"):
                if instance.get("Status") != "CREATE_FAILED":
                    stores.setdefault(instance["IdentityStoreId"], region)
    return stores


def judge(users: Sequence[Mapping[str, Any]]) -> Finding:
    with reading("ListUsers"):
        enabled = [user for user in users if user.get("UserStatus") != "DISABLED"]
        own = sorted(user["UserName"] for user in enabled if not user.get("ExternalIds"))
    if not own:
        return compliant(f"every enabled user of Identity Center ({len(enabled)}) comes from an external provider")
    return non_compliant(
        f"{len(own)} of {len(enabled)} enabled users are of Identity Center's own directory, which keeps neither a history of"
        f" four passwords nor 90 days; first: {own[0][:40]}; provision from a provider{SUFFIX}"
    )


lambda_handler = PciIdentityCenterFederated.as_lambda_handler()
