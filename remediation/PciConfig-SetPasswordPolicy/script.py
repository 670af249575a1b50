"""Raises the weak fields of the account password policy; stronger ones stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.password_policy import PasswordDemands, strengthened, weaknesses
from pci_config.runbook import Change, Refused, aws, boolean, carry_out

FIELDS = (
    "MinimumPasswordLength",
    "PasswordReusePrevention",
    "MaxPasswordAge",
    "RequireSymbols",
    "RequireNumbers",
    "RequireUppercaseCharacters",
    "RequireLowercaseCharacters",
    "AllowUsersToChangePassword",
    "HardExpiry",
)


class PasswordPolicyFix:
    """IAM's account password policy. `read` gives {} when none was ever set: there is always something to judge."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        if event["ResourceId"] != event["AccountId"]:
            raise Refused(f"{event['ResourceId']} is not this account ({event['AccountId']})")
        self.resource_id = str(event["ResourceId"])
        self._demands = PasswordDemands(
            minimum_password_length=int(event["MinimumPasswordLength"]),
            password_reuse_prevention=int(event["PasswordReusePrevention"]),
            max_password_age=int(event["MaxPasswordAge"]),
            require_symbols=boolean(event, "RequireSymbols"),
        )

    def read(self) -> dict[str, Any]:
        try:
            policy: dict[str, Any] = aws("iam").get_account_password_policy()["PasswordPolicy"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return {}
            raise
        return policy

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        weak = weaknesses(state, self._demands)
        if not weak:
            return []
        parameters = strengthened(state, self._demands)
        return [Change("iam", "update_account_password_policy", parameters, "raise " + "; ".join(weak))]

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {field: state[field] for field in FIELDS if field in state}


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, PasswordPolicyFix(events))
