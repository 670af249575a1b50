"""PciConfig-SetPasswordPolicy: raises what is weak, keeps what is strong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest

import fix_testing
from fix_testing import ACCOUNT, EVIDENCE, account, execution_of
from pci_config.password_policy import PasswordDemands, weaknesses
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
NAME = "PciConfig-SetPasswordPolicy"
script = load_script(NAME)
run = partial(fix_testing.run, NAME, ResourceId=ACCOUNT)
restore = partial(fix_testing.restore, NAME, ResourceId=ACCOUNT)
DEMANDS = PasswordDemands(12, 4, 90, False)


def put(**fields: Any) -> Callable[[], dict[str, str]]:
    def arrange() -> dict[str, str]:
        if fields:
            boto3.client("iam").update_account_password_policy(**fields)
        return {"ResourceId": ACCOUNT}

    return arrange


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "none was ever set": put(),
    "short and everything else off": put(MinimumPasswordLength=8),
    "only the history is too short": put(
        MinimumPasswordLength=20,
        PasswordReusePrevention=2,
        MaxPasswordAge=30,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
    ),
}


def state() -> dict[str, Any] | None:
    try:
        return policy()
    except boto3.client("iam").exceptions.NoSuchEntityException:
        return None


def policy() -> dict[str, Any]:
    found: dict[str, Any] = boto3.client("iam").get_account_password_policy()["PasswordPolicy"]
    return found


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    VIOLATIONS[name]()
    assert run()["Changed"] is True
    after = policy()
    assert weaknesses(after, DEMANDS) == []
    again = run()
    assert (again["Changed"], policy()) == (False, after)
    assert "compliant already" in again["Message"]


def test_stronger_fields_stay() -> None:
    VIOLATIONS["only the history is too short"]()
    before = policy()
    result = run()
    after = policy()
    assert {field for field in after if after[field] != before[field]} == {"PasswordReusePrevention"}
    assert after["PasswordReusePrevention"] == 4
    assert json.loads(result["Before"])["PasswordReusePrevention"] == 2
    assert json.loads(result["After"])["PasswordReusePrevention"] == 4


def test_hard_expiry_is_kept_and_never_switched_on() -> None:
    put(MinimumPasswordLength=8, HardExpiry=True)()
    run()
    assert policy()["HardExpiry"] is True
    boto3.client("iam").delete_account_password_policy()
    run()
    assert policy().get("HardExpiry", False) is False


def test_a_dry_run_changes_nothing_and_lists_the_call() -> None:
    put(MinimumPasswordLength=8)()
    before = policy()
    result = run(DryRun="true")
    assert (result["Changed"], policy()) == (False, before)
    (call,) = json.loads(result["Calls"])
    assert (call["service"], call["operation"]) == ("iam", "update_account_password_policy")
    assert call["parameters"]["MinimumPasswordLength"] == 12
    assert "dry run" in result["Message"]


def test_evidence_is_kept_before_the_change() -> None:
    put(MinimumPasswordLength=8)()
    result = run()
    bucket, _, key = result["Evidence"].removeprefix("s3://").partition("/")
    key, _, version = key.partition("?versionId=")
    assert (bucket, key) == (EVIDENCE, f"remediation/{ACCOUNT}/eu-west-1/{NAME}/{ACCOUNT}/{execution_of(result)}/before.json")
    kept = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read())
    assert kept["state"]["MinimumPasswordLength"] == 8
    assert kept["calls"][0]["operation"] == "update_account_password_policy"


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_puts_the_earlier_policy_back(violation: str) -> None:
    VIOLATIONS[violation]()
    before = state()
    execution_id = execution_of(run())
    dry = restore(execution_id, DryRun="true")
    assert (dry["Outcome"], state() != before) == ("dry-run", True)
    assert (restore(execution_id)["Outcome"], state()) == ("changed", before)
    assert restore(execution_id)["Outcome"] == "compliant"


def test_restore_refuses_when_the_policy_was_changed_since() -> None:
    put(MinimumPasswordLength=8)()
    execution_id = execution_of(run())
    put(MinimumPasswordLength=30)()
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_id)
    assert policy()["MinimumPasswordLength"] == 30


@pytest.mark.parametrize("changes", [{"ResourceId": "210987654321"}, {"DryRun": "maybe"}, {"RequireSymbols": ""}])
def test_odd_input_is_refused(changes: dict[str, str]) -> None:
    put(MinimumPasswordLength=8)()
    with pytest.raises(Refused):
        run(**changes)
    assert policy()["MinimumPasswordLength"] == 8
