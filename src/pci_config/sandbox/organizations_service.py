"""Mends moto's Organizations: delegated administrators read what the management account reads, nobody else does; pages are
AWS's; Config and StackSets can be delegated; accounts keep their place when a sandbox gives them another id.

Source: AWS Organizations API reference (each operation says who may call it; MaxResults is 20 at most); quotas of delegated
administrators: AWS Config API reference, PutOrganizationConformancePack (3); CloudFormation user guide, StackSets (5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from moto.organizations.exceptions import (
    AWSOrganizationsNotInUseException,
    ConstraintViolationException,
    InvalidInputException,
    OrganizationsClientError,
)
from moto.organizations.models import (
    FakeDelegatedAdministrator,
    FakeServiceAccess,
    OrganizationsBackend,
    organizations_backends,
)
from moto.organizations.responses import OrganizationsResponse

from pci_config.sandbox.organization_tree import CONFIG, CONFIG_PACKS, STACK_SETS, is_delegated, organization_of

PAGE = 20
MOST_ADMINISTRATORS = {STACK_SETS: 5, CONFIG_PACKS: 3}
ANY_ACCOUNT = {"DescribeOrganization"}
DELEGATED = {
    "DescribeAccount",
    "DescribeOrganizationalUnit",
    "DescribePolicy",
    "ListAWSServiceAccessForOrganization",
    "ListAccounts",
    "ListAccountsForParent",
    "ListChildren",
    "ListCreateAccountStatus",
    "ListDelegatedAdministrators",
    "ListDelegatedServicesForAccount",
    "ListOrganizationalUnitsForParent",
    "ListParents",
    "ListPolicies",
    "ListPoliciesForTarget",
    "ListRoots",
    "ListTagsForResource",
    "ListTargetsForPolicy",
}
# Not a principal of Organizations: EnableAWSServiceAccess answers "unrecognized" (pepperize/cdk-organizations, issue 1718).
UNRECOGNISED = "stacksets.cloudformation.amazonaws.com"
_moto_register = OrganizationsBackend.register_delegated_administrator


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    OrganizationsResponse.organizations_backend = property(_backend)  # type: ignore[assignment]
    OrganizationsBackend.register_delegated_administrator = _register  # type: ignore[method-assign]
    OrganizationsBackend.remove_account_from_organization = _remove  # type: ignore[method-assign]
    for action in (
        list_accounts,
        list_accounts_for_parent,
        list_organizational_units_for_parent,
        list_children,
        list_delegated_administrators,
        list_delegated_services_for_account,
        list_aws_service_access_for_organization,
    ):
        setattr(OrganizationsResponse, action.__name__, action)
    services = FakeDelegatedAdministrator.SUPPORTED_SERVICES
    services += [principal for principal in (CONFIG, STACK_SETS) if principal not in services]
    if UNRECOGNISED in FakeServiceAccess.TRUSTED_SERVICES:
        FakeServiceAccess.TRUSTED_SERVICES.remove(UNRECOGNISED)


def _backend(self: OrganizationsResponse) -> OrganizationsBackend:
    """The organization that the caller may use for this action."""
    own = organizations_backends[self.current_account][self.partition]
    action = self._get_action()
    if own.org or action == "CreateOrganization":
        return own
    organization = organization_of(self.current_account)
    if organization is None:
        raise AWSOrganizationsNotInUseException
    if action in ANY_ACCOUNT or (action in DELEGATED and is_delegated(organization, self.current_account)):
        found: OrganizationsBackend = organization
        return found
    raise OrganizationsClientError("AccessDeniedException", "You don't have permissions to access this resource.")


def _register(self: OrganizationsBackend, **request: str) -> None:
    principal = request["ServicePrincipal"]
    most = MOST_ADMINISTRATORS.get(principal)
    if most and sum(principal in admin.services for admin in self.admins) >= most:
        raise ConstraintViolationException(f"You have exceeded the allowed number of delegated administrators for {principal}.")
    _moto_register(self, **request)


def _remove(self: OrganizationsBackend, **request: str) -> None:
    account = self.get_account_by_id(request["AccountId"])
    if is_delegated(self, account.id):
        raise ConstraintViolationException("You cannot remove a delegated administrator from the organization.")
    for policy in account.attached_policies:
        policy.attachments.remove(account)
    self.accounts.remove(account)
    organizations_backends.master_accounts.pop(account.id, None)


# -------------------------------------------------------------------------------------------------------------- lists


def list_accounts(self: Any) -> str:
    return _page(self, "Accounts", self.organizations_backend.accounts, _described)


def list_accounts_for_parent(self: Any) -> str:
    backend = self.organizations_backend
    parent = backend.validate_parent_id(self._get_param("ParentId"))
    return _page(self, "Accounts", [account for account in backend.accounts if account.parent_id == parent], _described)


def list_organizational_units_for_parent(self: Any) -> str:
    backend = self.organizations_backend
    parent = backend.validate_parent_id(self._get_param("ParentId"))
    units = [unit for unit in backend.ou if unit.parent_id == parent]
    return _page(self, "OrganizationalUnits", units, lambda unit: unit.describe()["OrganizationalUnit"])


def list_children(self: Any) -> str:
    return _page(self, "Children", self.organizations_backend.list_children(**self.request_params)["Children"])


def list_delegated_administrators(self: Any) -> str:
    found = self.organizations_backend.list_delegated_administrators(**self.request_params)
    return _page(self, "DelegatedAdministrators", found["DelegatedAdministrators"])


def list_delegated_services_for_account(self: Any) -> str:
    found = self.organizations_backend.list_delegated_services_for_account(**self.request_params)
    return _page(self, "DelegatedServices", found["DelegatedServices"])


def list_aws_service_access_for_organization(self: Any) -> str:
    found = self.organizations_backend.list_aws_service_access_for_organization()
    return _page(self, "EnabledServicePrincipals", found["EnabledServicePrincipals"])


def _described(account: Any) -> dict[str, Any]:
    found: dict[str, Any] = account.describe()
    return found


def _page(self: Any, name: str, entries: Sequence[Any], form: Callable[[Any], Any] = lambda entry: entry) -> str:
    size = self._get_param("MaxResults") or PAGE
    token = self._get_param("NextToken") or "0"
    if not 1 <= size <= PAGE or not token.isdecimal():
        raise InvalidInputException("You specified an invalid value.")
    end = int(token) + size
    more = {"NextToken": str(end)} if end < len(entries) else {}
    return json.dumps({name: [form(entry) for entry in entries[int(token) : end]], **more})
