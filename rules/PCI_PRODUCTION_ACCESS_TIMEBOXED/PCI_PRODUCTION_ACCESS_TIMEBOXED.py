"""PCI_PRODUCTION_ACCESS_TIMEBOXED: people reach production for the time that someone else approved, and in no other way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pci_config.access_records import AccessRecord, shown
from pci_config.iam_identities import AccountUsers
from pci_config.iam_users import User
from pci_config.production_access import IDENTITY_ROLE, Attributes, approval, approval_records, bypasses, is_access_group
from pci_config.rule import (
    ACCOUNT_RESOURCE_TYPE,
    Clients,
    Facts,
    Finding,
    Lookup,
    ParameterError,
    PciRule,
    Scope,
    about,
    about_account,
    compliant,
    counted,
    integer,
    non_compliant,
    not_applicable,
    words,
)

USER = "AWS::IAM::User"
SUFFIX = " [PCI 7.2.2, 7.2.3, 8.2.4]"


def table_name(default: str) -> Any:
    """The name of one DynamoDB table."""
    expected = "the name of a DynamoDB table"

    def parse(name: str, value: str) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", value):
            raise ParameterError(f"parameter {name}: {value!r} is not {expected}")
        return value

    return field(default=default, metadata={"parse": parse, "expected": expected})


@dataclass(frozen=True, slots=True)
class AccessParameters:
    """access_groups: names or patterns of the groups through which production is reached. record_table: the table of approval
    records in the home Region (pci_config.access_records). max_access_hours: the longest approval that counts.
    production_accounts: roles in `Accounts` of rdk.json whose IAM roles are reached through those groups only."""

    access_groups: tuple[str, ...] = words(("production-access*",), r"[\w+=,.@*?-]+", "names or patterns of groups")
    record_table: str = table_name("production-access")
    max_access_hours: int = integer(12, 1, 168)
    production_accounts: tuple[str, ...] = words(("production",), r"[a-z_]+", "account roles of rdk.json")


class ApprovalRecords(Lookup[Sequence[Attributes] | None]):
    """A user's records, by table and user name, in DynamoDB's form; None when there is no such table."""

    actions = ("dynamodb:Query",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Attributes] | None:
        table, user = key
        return approval_records(clients.build_client("dynamodb"), table, user)


class PciProductionAccessTimeboxed(PciRule):
    """Users are in a production-access group only while an approval of someone else holds, and reach production only so.

    PCI DSS 4.0.1: 7.2.2, 7.2.3, 8.2.4. 3.2.1: 7.1.2, 7.1.4, 8.1.2. Source: IAM API reference, GetAccountAuthorizationDetails;
    IAM User Guide, policy evaluation logic; approval records of pci_config.access_records. Permissions boundaries and
    conditions are not relied on: what may let someone in is a way in.

    | user of the production identity account | verdict |
    |---|---|
    | in no production-access group, no other way to assume a role of production | compliant |
    | in one, with a record for it that holds now | compliant, says until when |
    | in one without a record, or whose records are malformed, for another group, not begun, expired, revoked, self-approved or longer than `MaxAccessHours` | non-compliant, says since when |
    | an own policy, or one of another group, lets the user assume a role of production, or cannot be understood | non-compliant, names it |

    | account | verdict |
    |---|---|
    | not the production identity account | not applicable |
    | a snapshot | not assessed |
    """  # noqa: E501 - a table's line

    periodic_types = (USER, ACCOUNT_RESOURCE_TYPE)
    parameters = AccessParameters
    lookups = (AccountUsers, ApprovalRecords)

    def decide_account(self, parameters: AccessParameters, facts: Facts) -> Sequence[Finding]:
        settings = facts.scope.settings
        if facts.scope.account_id not in settings.accounts_of(IDENTITY_ROLE):
            return [about_account(not_applicable("not the identity account of production"), facts)]
        production = [number for role in parameters.production_accounts for number in settings.accounts_of(role)]
        users = facts.get(AccountUsers)
        if not users:
            return [about_account(compliant("no users, so nobody is in a production-access group"), facts)]
        return [about(judge(user, production, parameters, facts), USER, user.user_id) for user in users]


def judge(user: User, production: Sequence[str], parameters: AccessParameters, facts: Facts) -> Finding:
    groups = [name for name in user.groups if is_access_group(name, parameters.access_groups)]
    faults, held = bypasses(user, production, parameters.access_groups), []
    for group in groups:
        fault, record = membership(user.name, group, parameters, facts)
        if record:
            held.append(f"{user.name} is in {group} until {shown(record.ended)} (approval {record.approval_id})")
        else:
            faults.append(f"{user.name} is in {group} without a live approval: {fault}")
    if faults:
        return non_compliant(counted(faults, "problem", SUFFIX))
    return compliant("; ".join(held) or f"{user.name} has no access to production")


def membership(user: str, group: str, parameters: AccessParameters, facts: Facts) -> tuple[str, AccessRecord | None]:
    """The record that allows it, or why none does: what is wrong with the one that ends last."""
    found = facts.get(ApprovalRecords, parameters.record_table, user)
    if found is None:
        return f"there is no table {parameters.record_table} of approval records", None
    return approval(user, group, found, facts.scope.now, parameters.max_access_hours * 3600)


lambda_handler = PciProductionAccessTimeboxed.as_lambda_handler()
