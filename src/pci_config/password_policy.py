"""The IAM account password policy against PCI DSS: the predicate that the rule and its document share.

Bounds and defaults: IAM API reference, GetAccountPasswordPolicy and UpdateAccountPasswordPolicy. A field that the API leaves
out has IAM's weak default: no reuse limit, no expiry, false. Standard library only: inlined into the Automation document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IAM_DEFAULT_LENGTH = 6


@dataclass(frozen=True)
class PasswordDemands:
    """The least that is accepted. PCI DSS 4.0.1: 8.3.6 (length, characters), 8.3.7 (reuse), 8.3.9 (age)."""

    minimum_password_length: int
    password_reuse_prevention: int
    max_password_age: int
    require_symbols: bool


def weaknesses(policy: Mapping[str, Any], demands: PasswordDemands) -> list[str]:
    """Each field that is weaker than demanded, with its value and the expectation. Empty: the policy is strong enough."""
    found = []
    length = policy.get("MinimumPasswordLength", IAM_DEFAULT_LENGTH)
    if length < demands.minimum_password_length:
        found.append(f"MinimumPasswordLength {length}, expected >= {demands.minimum_password_length}")
    reuse = policy.get("PasswordReusePrevention") or 0
    if reuse < demands.password_reuse_prevention:
        found.append(f"PasswordReusePrevention {reuse or 'off'}, expected >= {demands.password_reuse_prevention}")
    age = policy.get("MaxPasswordAge") or 0
    if not 1 <= age <= demands.max_password_age:
        found.append(f"MaxPasswordAge {age or 'never expires'}, expected <= {demands.max_password_age}")
    for field in required_flags(demands):
        if policy.get(field) is not True:
            found.append(f"{field} false, expected true")
    return found


def required_flags(demands: PasswordDemands) -> list[str]:
    """The yes-or-no fields that must be on."""
    flags = ["RequireUppercaseCharacters", "RequireLowercaseCharacters", "RequireNumbers"]
    return [*flags, *(["RequireSymbols"] if demands.require_symbols else []), "AllowUsersToChangePassword"]


def strengthened(policy: Mapping[str, Any], demands: PasswordDemands) -> dict[str, Any]:
    """The whole policy as UpdateAccountPasswordPolicy takes it, with only the weaker fields raised.

    Every field is there: the API resets what is left out to its weak default. HardExpiry stays as it is.
    """
    age = policy.get("MaxPasswordAge") or 0
    on = required_flags(demands)
    return {
        "MinimumPasswordLength": max(policy.get("MinimumPasswordLength", 0), demands.minimum_password_length),
        "PasswordReusePrevention": max(policy.get("PasswordReusePrevention") or 0, demands.password_reuse_prevention),
        "MaxPasswordAge": min(age or demands.max_password_age, demands.max_password_age),
        "RequireSymbols": "RequireSymbols" in on or bool(policy.get("RequireSymbols")),
        "RequireNumbers": True,
        "RequireUppercaseCharacters": True,
        "RequireLowercaseCharacters": True,
        "AllowUsersToChangePassword": True,
        "HardExpiry": bool(policy.get("HardExpiry")),
    }
