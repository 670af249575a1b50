"""Raises the weak fields of the account password policy; stronger ones stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.password_policy import PasswordDemands, strengthened, weaknesses
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, integer, put_back

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


class PasswordPolicy:
    """IAM's account password policy. `read` gives {} when none was ever set: there is always something to judge."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        if event["ResourceId"] != event["AccountId"]:
            raise Refused(f"{event['ResourceId']} is not this account ({event['AccountId']})")
        self.resource_id = str(event["ResourceId"])

    def read(self) -> dict[str, Any]:
        try:
            policy: dict[str, Any] = aws("iam").get_account_password_policy()["PasswordPolicy"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return {}
            raise
        return policy

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {field: state[field] for field in FIELDS if field in state}


class PasswordPolicyFix(PasswordPolicy):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._demands = PasswordDemands(
            minimum_password_length=integer(event, "MinimumPasswordLength"),
            password_reuse_prevention=integer(event, "PasswordReusePrevention"),
            max_password_age=integer(event, "MaxPasswordAge"),
            require_symbols=boolean(event, "RequireSymbols"),
        )

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return {}

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        weak = weaknesses(state, self._demands)
        if not weak:
            return []
        parameters = strengthened(state, self._demands)
        return [Change("iam", "update_account_password_policy", parameters, "raise " + "; ".join(weak))]


class PasswordPolicyRestore(PasswordPolicy):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        """UpdateAccountPasswordPolicy sets every field that is not given to IAM's default."""
        if not before:
            return [Change("iam", "delete_account_password_policy", {}, "delete the password policy: there was none")]
        # a 0 is how "not limited" may be read; to set it, the field is left out
        fields = {name: value for name, value in before.items() if value is not None and (value or isinstance(value, bool))}
        return [Change("iam", "update_account_password_policy", fields, "put the earlier password policy back")]


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, PasswordPolicyFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, PasswordPolicyRestore)
