"""PCI_PASSWORD_POLICY: passwords of IAM users are long, mixed, changed every 90 days and not reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pci_config.password_policy import PasswordDemands, weaknesses
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Lookup,
    PciRule,
    Scope,
    about_account,
    compliant,
    counted,
    flag,
    integer,
    non_compliant,
)


@dataclass(frozen=True, slots=True)
class PasswordParameters:
    minimum_password_length: int = integer(12, 12, 128)
    """Least number of characters."""
    password_reuse_prevention: int = integer(4, 4, 24)
    """Number of former passwords that cannot come again."""
    max_password_age: int = integer(90, 1, 90)
    """Days after which a password must change."""
    require_symbols: bool = flag(False)
    """Whether a symbol is demanded as well."""


class AccountPasswordPolicy(Lookup[Mapping[str, Any] | None]):
    """The account's policy as IAM gives it; None when none was ever set. AWS Config does not record it."""

    actions = ("iam:GetAccountPasswordPolicy",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, Any] | None:
        try:
            policy: Mapping[str, Any] = clients.build_client("iam").get_account_password_policy()["PasswordPolicy"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise
        return policy


class PciPasswordPolicy(PciRule):
    """The account's password policy is at least as strong as PCI DSS demands.

    PCI DSS 4.0.1: 8.3.6 (length and characters), 8.3.7 (the last four), 8.3.9 (90 days). 3.2.1: 8.2.3, 8.2.4, 8.2.5.
    Source: IAM API reference, GetAccountPasswordPolicy. Lock-out (8.3.4) is not something IAM offers.

    | policy | verdict |
    |---|---|
    | never set | non-compliant: IAM's default has no history and no expiry |
    | a field weaker than its parameter, or left out | non-compliant, names each field, value and expectation |
    | all fields as strong or stronger | compliant |
    """

    parameters = PasswordParameters
    lookups = (AccountPasswordPolicy,)

    def decide_account(self, parameters: PasswordParameters, facts: Facts) -> Sequence[Finding]:
        policy = facts.get(AccountPasswordPolicy)
        return [about_account(judge(policy, parameters), facts)]


def judge(policy: Mapping[str, Any] | None, parameters: PasswordParameters) -> Finding:
    if policy is None:
        return non_compliant("no password policy is set, so IAM's weak default applies; set one [PCI 8.3.6, 8.3.7, 8.3.9]")
    found = weaknesses(
        policy,
        PasswordDemands(
            parameters.minimum_password_length,
            parameters.password_reuse_prevention,
            parameters.max_password_age,
            parameters.require_symbols,
        ),
    )
    if not found:
        return compliant(
            f"length {policy['MinimumPasswordLength']}, last {policy['PasswordReusePrevention']} refused,"
            f" {policy['MaxPasswordAge']} days"
        )
    if len(found) > 1:
        return non_compliant(f"{len(found)} weak fields: " + "; ".join(found))
    return non_compliant(counted(found, "weak field", " [PCI 8.3.6, 8.3.7, 8.3.9]"))


lambda_handler = PciPasswordPolicy.as_lambda_handler()
