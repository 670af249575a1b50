"""The strengthened policy: every field of the API, only weaker ones raised, and strong enough whatever it was."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from pci_config.password_policy import PasswordDemands, strengthened, weaknesses

DEMANDS = PasswordDemands(minimum_password_length=12, password_reuse_prevention=4, max_password_age=90, require_symbols=False)
LEAST: dict[str, Any] = {
    "MinimumPasswordLength": 12,
    "PasswordReusePrevention": 4,
    "MaxPasswordAge": 90,
    "RequireSymbols": False,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "AllowUsersToChangePassword": True,
    "HardExpiry": False,
}


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        ({}, {}),
        (LEAST, {}),
        (dict.fromkeys(LEAST, False), {}),
        ({"MinimumPasswordLength": 11}, {}),
        ({"MinimumPasswordLength": 13}, {"MinimumPasswordLength": 13}),
        ({"PasswordReusePrevention": 3}, {}),
        ({"PasswordReusePrevention": 24}, {"PasswordReusePrevention": 24}),
        ({"MaxPasswordAge": 91}, {}),
        ({"MaxPasswordAge": 1}, {"MaxPasswordAge": 1}),
        ({"RequireSymbols": True}, {"RequireSymbols": True}),
        ({"HardExpiry": True}, {"HardExpiry": True}),
    ],
)
def test_only_what_is_weaker_is_raised(policy: dict[str, Any], changes: dict[str, Any]) -> None:
    assert strengthened(policy, DEMANDS) == {**LEAST, **changes}


def test_symbols_where_they_are_demanded() -> None:
    demands = PasswordDemands(12, 4, 90, require_symbols=True)
    assert strengthened({}, demands) == {**LEAST, "RequireSymbols": True}
    no_reuse = PasswordDemands(12, 0, 90, require_symbols=False)
    assert strengthened({}, no_reuse)["PasswordReusePrevention"] == 0


def test_whatever_it_was_it_is_strong_enough_afterwards() -> None:
    for length, reuse, age, flag in product((6, 12, 128), (None, 1, 24), (None, 0, 45, 1095), (False, True)):
        policy = {"MinimumPasswordLength": length, "PasswordReusePrevention": reuse, "MaxPasswordAge": age}
        policy |= dict.fromkeys(("RequireSymbols", "RequireNumbers", "RequireUppercaseCharacters"), flag)
        for demands in (DEMANDS, PasswordDemands(14, 24, 30, require_symbols=True)):
            assert weaknesses(strengthened(policy, demands), demands) == []
