"""PciConfig-SetArchiveLifecycle: one rule of ours beside the others; nothing deleted unless allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, account, answering, execution_of
from pci_config.lifecycle import LifecycleDemands, api_rules, gaps
from pci_config.runbook import Refused
from pci_config.sandbox import lifecycle_service
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
    lifecycle_service.install()
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


def lifecycle(name: str = NAME) -> dict[str, Any] | None:
    """Everything that S3 keeps of it; None when there is none."""
    try:
        found: dict[str, Any] = s3().get_bucket_lifecycle_configuration(Bucket=name)
    except s3().exceptions.ClientError:
        return None
    return {"rules": sorted(found["Rules"], key=lambda r: str(r["ID"])), "least": found["TransitionDefaultMinimumObjectSize"]}


def restored(execution_id: str, **changes: str) -> dict[str, Any]:
    return fix_testing.restore("PciConfig-SetArchiveLifecycle", execution_id, **{"BucketName": NAME, **changes})


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_leads_back(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = lifecycle()
    execution_id = execution_of(run(**parameters))
    after = lifecycle()
    assert (restored(execution_id, DryRun="true")["Outcome"], lifecycle()) == ("dry-run", after)
    result = restored(execution_id)
    assert (result["Outcome"], lifecycle()) == ("changed", before)
    assert ("there was none" in result["Message"]) == (before is None)
    assert restored(execution_id)["Outcome"] == "compliant"


def test_dates_and_the_least_object_size_survive_both_ways() -> None:
    bucket()
    dated = rule("moved", "old/", Transitions=[{"Date": datetime(2030, 1, 1, tzinfo=UTC), "StorageClass": "STANDARD_IA"}])
    s3().put_bucket_lifecycle_configuration(
        Bucket=NAME,
        LifecycleConfiguration={"Rules": [rule("keep", **EXPIRY), dated]},
        TransitionDefaultMinimumObjectSize="varies_by_storage_class",
    )
    before = lifecycle()
    with pytest.raises(Refused, match="'moved' moves to STANDARD_IA on a date"):
        run()
    execution_id = execution_of(run(ReplaceRuleIds="moved"))
    assert (lifecycle() or {})["least"] == "varies_by_storage_class"
    s3().put_bucket_lifecycle_configuration(
        Bucket=NAME, LifecycleConfiguration={"Rules": rules_of()}, TransitionDefaultMinimumObjectSize="all_storage_classes_128K"
    )
    with pytest.raises(Refused, match="was changed after"):
        restored(execution_id)
    s3().put_bucket_lifecycle_configuration(
        Bucket=NAME, LifecycleConfiguration={"Rules": rules_of()}, TransitionDefaultMinimumObjectSize="varies_by_storage_class"
    )
    assert restored(execution_id)["Outcome"] == "changed"
    assert lifecycle() == before


def test_restore_refuses_what_was_changed_since() -> None:
    bucket()
    execution_id = execution_of(run(AllowExpiration="true"))
    mine = [*rules_of(), rule("uploads", "in/", **ABORT)]
    s3().put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": mine})
    with pytest.raises(Refused, match="was changed after"):
        restored(execution_id)
    assert {entry["ID"] for entry in rules_of()} == {"pci-config-archive", "uploads"}
    with pytest.raises(Refused, match="cannot be read"):
        restored("00000000-0000-4000-8000-000000000000")


def test_restore_refuses_a_bucket_that_is_gone() -> None:
    bucket()
    execution_id = execution_of(run(AllowExpiration="true"))
    s3().delete_bucket(Bucket=NAME)
    with pytest.raises(Refused, match="no longer exists"):
        restored(execution_id)


def test_a_bucket_of_another_account_is_left_to_that_account() -> None:
    bucket()
    with (
        answering(GetBucketVersioning="AccessDenied"),
        pytest.raises(Refused, match=f"no bucket of {ACCOUNT}.*run this in the archive's account \\({ACCOUNT}\\)"),
    ):
        run(AllowExpiration="true")
    with answering(GetBucketVersioning="AccessDenied"), pytest.raises(Refused, match="no bucket of"):
        run(AllowExpiration="true", DryRun="true")
    assert lifecycle() is None


@pytest.mark.parametrize(("allowed", "outcome"), [("false", "refused"), ("true", "changed")])
def test_a_bucket_of_a_stack_is_mended_in_its_template(allowed: str, outcome: str) -> None:
    bucket()
    s3().put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "ManagedBy", "Value": "terraform"}]})
    if outcome == "refused":
        with pytest.raises(Refused, match="managed by terraform"):
            run(AllowExpiration="true", AllowManaged=allowed)
        assert lifecycle() is None
    else:
        assert run(AllowExpiration="true", AllowManaged=allowed)["Outcome"] == outcome


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
    before, whole = rules_of(name) if foreign else [], lifecycle(name)
    execution_id = execution_of(run(BucketName=name, AllowExpiration="true"))
    assert gaps(api_rules(rules_of(name)), True, DEMANDS) == []
    assert [entry for entry in rules_of(name) if entry["ID"] != "pci-config-archive"] == before
    assert restored(execution_id, BucketName=name)["Outcome"] == "changed"
    assert lifecycle(name) == whole
