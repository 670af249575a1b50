"""PciConfig-SetArchiveLifecycle: one rule of ours beside the others; nothing deleted unless allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, account
from pci_config.lifecycle import LifecycleDemands, api_rules, gaps
from pci_config.runbook import Refused
from script_loader import load_script

script = load_script("PciConfig-SetArchiveLifecycle")
__all__ = ["account"]  # the fixture that starts moto
NAME = "card-issuer-log-archive-trail-eu-west-1"
DEMANDS = LifecycleDemands(30, 90, 3650, 31)
EXPIRY = {"Expiration": {"Days": 3650}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3650}}
GOOD_STEPS = [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}]
ABORT = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {"LogArchive": {"Account": ACCOUNT, "Buckets": ["card-issuer-log-archive-*"]}})


def s3() -> Any:
    return boto3.client("s3", region_name="eu-west-1")


def rule(name: str, prefix: str = "", **members: Any) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **members}


def bucket(*rules: Any, name: str = NAME, versioned: bool = True) -> str:
    s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if versioned:
        s3().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if rules:
        s3().put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": list(rules)})
    return name


def violation(*rules: Any, **parameters: str) -> Callable[[], dict[str, str]]:
    return lambda: {"BucketName": bucket(*rules), **parameters}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "no lifecycle": violation(AllowExpiration="true"),
    "expires in time, never moves": violation(rule("keep", **EXPIRY)),
    "only a prefix": violation(rule("p", "AWSLogs/", Transitions=GOOD_STEPS, **EXPIRY), AllowExpiration="true"),
    "an own rule that was weakened": violation(
        rule("pci-config-archive", Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}], **EXPIRY, **ABORT)
    ),
    "a foreign rule that is named": violation(
        rule("tmp", Expiration={"Days": 180}), AllowExpiration="true", ReplaceRuleIds="tmp"
    ),
}


def rules_of(name: str = NAME) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = s3().get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    return found


def run(**changes: str) -> dict[str, Any]:
    return fix_testing.run("PciConfig-SetArchiveLifecycle", **{"BucketName": NAME, **changes})


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    parameters = VIOLATIONS[name]()
    dry = run(**parameters, DryRun="true")
    assert dry["Changed"] is False
    assert json.loads(dry["Calls"])[0]["operation"] == "put_bucket_lifecycle_configuration"
    assert run(**parameters)["Changed"] is True
    after = rules_of()
    assert gaps(api_rules(after), True, DEMANDS) == []
    assert (run(**parameters)["Changed"], rules_of()) == (False, after)


def test_a_dry_run_leaves_the_bucket_alone() -> None:
    bucket()
    run(DryRun="true", AllowExpiration="true")
    with pytest.raises(Exception, match="NoSuchLifecycleConfiguration"):
        rules_of()


def test_foreign_rules_stay_byte_for_byte() -> None:
    bucket(rule("keep", **EXPIRY), rule("uploads", "in/", **ABORT))
    before = rules_of()
    result = run()
    after = rules_of()
    assert [entry for entry in after if entry["ID"] != "pci-config-archive"] == before
    assert json.loads(result["Before"])["Rules"] == before
    assert "Expiration" not in next(entry for entry in after if entry["ID"] == "pci-config-archive")


def test_deletion_is_never_set_unasked() -> None:
    bucket()
    with pytest.raises(Refused, match=r"never deleted.*AllowExpiration"):
        run()
    with pytest.raises(Exception, match="NoSuchLifecycleConfiguration"):
        rules_of()


@pytest.mark.parametrize(
    ("foreign", "message"),
    [
        (rule("tmp", Expiration={"Days": 180}), "rule 'tmp' deletes after 180 days"),
        (rule("cold", Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]), "rule 'cold' moves to GLACIER after 1 days"),
    ],
)
def test_a_foreign_rule_that_does_harm_is_a_humans_decision(foreign: dict[str, Any], message: str) -> None:
    bucket(foreign)
    before = rules_of()
    with pytest.raises(Refused, match=rf"{message}.*ReplaceRuleIds"):
        run(AllowExpiration="true")
    assert rules_of() == before


def test_other_buckets_are_refused_and_the_tag_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(name="shop-images")
    with pytest.raises(Refused, match="is no archive bucket"):
        run(BucketName="shop-images", AllowExpiration="true")
    s3().put_bucket_tagging(Bucket="shop-images", Tagging={"TagSet": [{"Key": "pci:log-archive", "Value": "true"}]})
    assert run(BucketName="shop-images", AllowExpiration="true")["Changed"] is True
    monkeypatch.setattr(script, "SETTINGS", {})
    bucket()
    with pytest.raises(Refused, match="is no archive bucket"):
        run(AllowExpiration="true")


def test_gone_and_odd() -> None:
    assert "no longer exists" in run(BucketName="card-issuer-log-archive-gone")["Message"]
    with pytest.raises(Refused, match="AllowExpiration"):
        run(AllowExpiration="perhaps")


def test_unversioned_buckets_get_no_noncurrent_rule() -> None:
    bucket(versioned=False)
    run(AllowExpiration="true")
    (only,) = rules_of()
    assert "NoncurrentVersionExpiration" not in only


FOREIGN = st.lists(
    st.builds(
        lambda name, prefix, days: rule(name, prefix, Expiration={"Days": days}),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["", "AWSLogs/", "tmp/"]),
        st.sampled_from([3650, 3700, 4000]),
    ),
    max_size=3,
    unique_by=lambda entry: entry["ID"],
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FOREIGN)
def test_after_the_fix_the_rule_is_content_and_foreign_rules_are_untouched(foreign: list[Any]) -> None:
    name = f"{NAME}-{len(s3().list_buckets()['Buckets'])}"
    bucket(*foreign, name=name)
    before = rules_of(name) if foreign else []
    run(BucketName=name, AllowExpiration="true")
    assert gaps(api_rules(rules_of(name)), True, DEMANDS) == []
    assert [entry for entry in rules_of(name) if entry["ID"] != "pci-config-archive"] == before
