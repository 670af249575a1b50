"""The people and roles of the sample issuer: who comes from where, and the doors that were left open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pci_config.access_records import AccessRecord
from pci_config.sandbox import identity_service

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

ACCESS, CENTER = "PCI_PRODUCTION_ACCESS_TIMEBOXED", "PCI_IDENTITY_CENTER_FEDERATED"
TRUST, USERS = "PCI_ROLE_TRUST_LIMITED", "PCI_USER_ONLY_IN_IDENTITY_ACCOUNT"
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
ACCESS_GROUP, RECORD_TABLE = "production-access-operators", "production-access"
HOUR = 3600
GITHUB = "token.actions.githubusercontent.com"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    home = rdk_json.settings.home_region
    for role in ("production", "staging", "development"):
        _Workload(server, issuer, role, home).roles()
    _service_user(server, issuer, home)
    _production_access(server, issuer, home)
    _identity_center(server, issuer, home)


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
            why = "developers of the other identity account reach production"
            made = self._wrong("read-only", other, WITH_MFA, why)
            self._issuer.plant(self._role, self._home, "PCI_ENVIRONMENT_SEPARATED", made, why, False)
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

    def _wrong(self, name: str, principal: dict[str, str], condition: dict[str, Any], why: str) -> str:
        made = self._made(name, "sts:AssumeRole", principal, condition)
        self._issuer.plant(self._role, self._home, TRUST, made, why, False)
        return made


def _service_user(server: MotoServer, issuer: Issuer, home: str) -> None:
    """A build server's user with keys in staging, and one in development whose keys were taken away."""
    for role, name in (("staging", "build-server"), ("development", "old-build-server")):
        iam = server.clients(issuer.accounts[role], home).build_client("iam")
        user_id = iam.create_user(UserName=name)["User"]["UserId"]
        if role == "staging":
            iam.create_access_key(UserName=name)
            issuer.plant(role, home, USERS, user_id, "long-lived keys outside the identity accounts", False)


def _production_access(server: MotoServer, issuer: Issuer, home: str) -> None:
    """Who may be in production just now: one rightly, one since yesterday, one by own approval, one past the group."""
    clients = server.clients(issuer.accounts["identity_production"], home)
    iam = clients.build_client("iam")
    administrator = f"arn:aws:iam::{issuer.accounts['production']}:role/administrator"
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": administrator}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_group(GroupName=ACCESS_GROUP)
    iam.put_group_policy(GroupName=ACCESS_GROUP, PolicyName="enter-production", PolicyDocument=document)
    ids = {name: iam.create_user(UserName=name)["User"]["UserId"] for name in ("jane", "lena", "mia", "omar", "ravi")}
    for name in ("jane", "omar", "ravi"):
        iam.add_user_to_group(UserName=name, GroupName=ACCESS_GROUP)
    iam.put_user_policy(UserName="lena", PolicyName="temporary", PolicyDocument=document)
    _records(clients.build_client("dynamodb"), int(datetime.now(UTC).timestamp()))
    for name, why, fixable in (
        ("omar", "still in the group although the approval ended yesterday", True),
        ("ravi", "approved the own request", True),
        ("lena", "an own policy leads past the group", False),
    ):
        issuer.plant("identity_production", home, ACCESS, ids[name], why, fixable)


def _records(dynamodb: Any, now: int) -> None:
    keys = (("user", "HASH"), ("approval_id", "RANGE"))
    dynamodb.create_table(
        TableName=RECORD_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )
    for record in (
        AccessRecord("jane", "APR-1042", ACCESS_GROUP, now - HOUR, now + 7 * HOUR, requester="jane", approver="mia"),
        AccessRecord("omar", "APR-1040", ACCESS_GROUP, now - 30 * HOUR, now - 26 * HOUR, requester="omar", approver="mia"),
        AccessRecord("ravi", "APR-1043", ACCESS_GROUP, now - HOUR, now + 3 * HOUR, requester="ravi", approver="ravi"),
    ):
        dynamodb.put_item(TableName=RECORD_TABLE, Item=record.to_attributes())


def _identity_center(server: MotoServer, issuer: Issuer, home: str) -> None:
    """Used for dashboards; one user was made by hand."""
    management = issuer.accounts["management"]
    store = identity_service.enable(management, home)
    directory = server.clients(management, home).build_client("identitystore")
    for name, issuer_url in (("auditor", "https://idp.card-issuer.example"), ("contractor", None)):
        person = {"GivenName": name.capitalize(), "FamilyName": "Example"}
        made = directory.create_user(IdentityStoreId=store, UserName=name, DisplayName=name, Name=person)
        identity_service.provisioned(management, home, made["UserId"], issuer_url)
    issuer.plant("management", home, CENTER, management, "a user of its own directory", False)
