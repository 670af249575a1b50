"""The people and roles of the sample issuer: who comes from where, and the doors that were left open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

TRUST, USERS = "PCI_ROLE_TRUST_LIMITED", "PCI_USER_ONLY_IN_IDENTITY_ACCOUNT"
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
GITHUB = "token.actions.githubusercontent.com"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    home = rdk_json.settings.home_region
    for role in ("production", "staging", "development"):
        _Workload(server, issuer, role, home).roles()
    _service_user(server, issuer, home)


class _Workload:
    """The roles of one workload account."""

    def __init__(self, server: MotoServer, issuer: Issuer, role: str, home: str) -> None:
        self._iam: Any = server.clients(issuer.accounts[role], home).build_client("iam")
        self._issuer, self._role, self._home = issuer, role, home
        self._identity = issuer.accounts["identity_production" if role == "production" else "identity"]

    def roles(self) -> None:
        """What every account has; then the mistakes."""
        root = {"AWS": f"arn:aws:iam::{self._identity}:root"}
        self._made("administrator", "sts:AssumeRole", root, WITH_MFA)
        if_exists = {"BoolIfExists": WITH_MFA["Bool"]}
        account = self._issuer.accounts[self._role]
        if self._role == "production":
            other = {"AWS": f"arn:aws:iam::{self._issuer.accounts['identity']}:root"}
            self._wrong("read-only", other, WITH_MFA, "developers of the other identity account reach production")
            audience = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
            provider = {"Federated": f"arn:aws:iam::{account}:saml-provider/corporate"}
            self._made("auditor", "sts:AssumeRoleWithSAML", provider, audience)
        if self._role == "staging":
            self._wrong("read-only", root, if_exists, "BoolIfExists lets access keys in without MFA")
        if self._role == "development":
            provider = {"Federated": f"arn:aws:iam::{account}:oidc-provider/{GITHUB}"}
            audience = {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}
            made = self._made("deploy", "sts:AssumeRoleWithWebIdentity", provider, audience)
            self._issuer.plant(self._role, self._home, TRUST, made, "any repository of GitHub may deploy", False)
            self._wrong(
                "vendor", {"AWS": "*"}, {"StringEquals": {"sts:ExternalId": "4711"}}, "open to everyone who knows a number"
            )

    def _made(self, name: str, action: str, principal: dict[str, str], condition: dict[str, Any]) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["RoleId"])

    def _wrong(self, name: str, principal: dict[str, str], condition: dict[str, Any], why: str) -> None:
        made = self._made(name, "sts:AssumeRole", principal, condition)
        self._issuer.plant(self._role, self._home, TRUST, made, why, False)


def _service_user(server: MotoServer, issuer: Issuer, home: str) -> None:
    """A build server's user with keys in staging, and one in development whose keys were taken away."""
    for role, name in (("staging", "build-server"), ("development", "old-build-server")):
        iam = server.clients(issuer.accounts[role], home).build_client("iam")
        user_id = iam.create_user(UserName=name)["User"]["UserId"]
        if role == "staging":
            iam.create_access_key(UserName=name)
            issuer.plant(role, home, USERS, user_id, "long-lived keys outside the identity accounts", False)
