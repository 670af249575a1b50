"""An organization without workloads: a management account, a delegated administrator and more members in three nested units.

Deployments are tried in it, with as many accounts as wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pci_config.sandbox import services
from pci_config.sandbox.server import MotoServer

MANAGEMENT, ADMIN, REGION, OTHER_REGION = "700000000000", "700000000001", "eu-west-1", "us-east-1"
DELEGATED = (
    "config.amazonaws.com",
    "config-multiaccountsetup.amazonaws.com",
    "member.org.stacksets.cloudformation.amazonaws.com",
)


@dataclass
class Organization:
    """root > outer > middle > inner. The delegated administrator stands below the root, the others in the units by turns."""

    server: MotoServer
    root: str
    outer: str
    middle: str
    inner: str
    members: list[str]

    @property
    def client(self) -> Any:
        return self.server.clients(MANAGEMENT, REGION).build_client("organizations")

    def below(self, unit: str) -> list[str]:
        """The members in a unit itself."""
        return [account["Id"] for account in self.client.list_accounts_for_parent(ParentId=unit)["Accounts"]]

    def join(self, name: str, unit: str, account_id: str = "") -> str:
        """A new account in a unit. AWS draws the ids; only a sandbox can choose them."""
        from moto.organizations.models import organizations_backends  # noqa: PLC0415 - moto's inside

        drawn = self.client.create_account(AccountName=name, Email=f"{name}@card-issuer.example")["CreateAccountStatus"]
        account = organizations_backends[MANAGEMENT]["aws"].get_account_by_id(drawn["AccountId"])
        account.id = account_id or drawn["AccountId"]
        if unit != self.root:
            self.move(account.id, unit, self.root)
        return str(account.id)

    def move(self, account_id: str, unit: str, source: str = "") -> None:
        source = source or self.client.list_parents(ChildId=account_id)["Parents"][0]["Id"]
        self.client.move_account(AccountId=account_id, SourceParentId=source, DestinationParentId=unit)


def organization(server: MotoServer, size: int = 12, trusted: bool = True) -> Organization:
    """Build it. `size` counts the members; `trusted`: StackSets and Config have access, and the administrator is registered."""
    services.install(server)
    client = server.clients(MANAGEMENT, REGION).build_client("organizations")
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    units = [root]
    for name in ("outer", "middle", "inner"):
        unit = client.create_organizational_unit(ParentId=units[-1], Name=name)["OrganizationalUnit"]["Id"]
        units.append(unit)
    made = Organization(server, root, units[1], units[2], units[3], [])
    for number in range(1, size + 1):
        unit = root if number == 1 else units[1 + number % 3]
        made.members.append(made.join(f"member-{number}", unit, f"{int(MANAGEMENT) + number}"))
    if trusted:
        for principal in DELEGATED[:2]:
            client.enable_aws_service_access(ServicePrincipal=principal)
        server.clients(MANAGEMENT, REGION).build_client("cloudformation").activate_organizations_access()
        for principal in DELEGATED:
            client.register_delegated_administrator(AccountId=ADMIN, ServicePrincipal=principal)
    return made
