"""Every document and every violation in surroundings that are not as they should be: the switch, the evidence bucket, tags of a
tool, the resource deleted between reading and changing, and other runs of the same document in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from document_world import (
    Fault,
    Made,
    Run,
    arranged,
    evidence,
    of_restore,
    own_tests,
    quick_clients,
    script,
    snapshot,
    without_new_ids,
)
from moto import mock_aws
from moto.moto_api._internal import moto_api_backend
from test_built_documents import CASES, FIXES, RESTORES

from fix_testing import EVIDENCE, REGION, prepare_account, switch
from pci_config import runbook
from pci_config.sandbox import services

__all__ = ["quick_clients"]
FIRST = [(name, next(iter(own_tests(name).VIOLATIONS))) for name in FIXES]  # what needs no other violation


@pytest.fixture(autouse=True)
def aws(quick_clients: None) -> Iterator[None]:
    services.install()
    with mock_aws():
        yield


def switch_missing() -> None:
    boto3.client("ssm", region_name=REGION).delete_parameter(Name=runbook.SWITCH_PARAMETER)


def versioning(status: str) -> None:
    boto3.client("s3").put_bucket_versioning(Bucket=EVIDENCE, VersioningConfiguration={"Status": status})


def bucket_missing() -> None:
    s3 = boto3.client("s3")
    for version in s3.list_object_versions(Bucket=EVIDENCE).get("Versions", []):
        s3.delete_object(Bucket=EVIDENCE, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=EVIDENCE)


def bucket_unversioned() -> None:
    bucket_missing()
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=EVIDENCE)


SWITCHES: dict[str, tuple[Callable[[], None], str]] = {
    "off": (lambda: switch("off"), "is 'off', not on"),
    "odd": (lambda: switch("On"), "is 'On', not on"),
    "missing": (switch_missing, "cannot be read"),
}
BUCKETS: dict[str, tuple[Callable[[], None], Mapping[str, str], str]] = {
    "none": (lambda: None, {"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    "missing": (bucket_missing, {}, "cannot be recorded"),
    "unversioned": (bucket_unversioned, {}, "is not versioned"),
    "suspended": (lambda: versioning("Suspended"), {}, "is not versioned"),
}


@pytest.mark.parametrize(("name", "violation"), FIRST)
@pytest.mark.parametrize("how", SWITCHES)
def test_only_the_switch_on_lets_a_fix_change(name: str, violation: str, how: str) -> None:
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before = live()
    turn, message = SWITCHES[how]
    turn()
    run = script(name).run(parameters)
    assert run.outcome == ("Refused" if how == "missing" else "switched-off")
    assert message in run.message
    assert (live(), evidence(name, run, "before")) == (before, None)
    assert script(name).run({**parameters, "DryRun": "true"}).outcome == "dry-run", "the switch does not hinder a plan"


@pytest.mark.parametrize(("name", "violation"), [case for case in FIRST if case[0] in RESTORES])
def test_the_switch_does_not_stop_the_way_back(name: str, violation: str) -> None:
    parameters = arranged(name, violation)
    fix = script(name).run(parameters)
    switch("off")
    assert script(RESTORES[name]).run(of_restore(name, parameters, fix)).outcome == "changed"


@pytest.mark.parametrize(("name", "violation"), FIRST)
@pytest.mark.parametrize("how", BUCKETS)
def test_without_evidence_that_lasts_nothing_is_changed(name: str, violation: str, how: str) -> None:
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before = live()
    arrange, given, message = BUCKETS[how]
    arrange()
    run = script(name).run({**parameters, **given})
    assert (run.outcome, message in run.message) == ("Refused", True), run.message
    assert (live(), run.changes()) == (before, [])
    (event,) = run.events()
    assert (event["outcome"], event["message"]) == ("refused", run.message)


@pytest.mark.parametrize(("name", "violation"), [case for case in FIRST if case[0] in RESTORES])
@pytest.mark.parametrize("how", ["none", "missing", "suspended"])
def test_a_restore_needs_the_records_and_keeps_its_own(name: str, violation: str, how: str) -> None:
    parameters = arranged(name, violation)
    back = of_restore(name, parameters, script(name).run(parameters))
    live = script(RESTORES[name]).watch(back)
    fixed = live()
    arrange, given, _ = BUCKETS[how]
    arrange()
    run = script(RESTORES[name]).run({**back, **given})
    assert (run.outcome, live(), run.changes()) == ("Refused", fixed, [])


@pytest.mark.parametrize(("name", "violation"), FIRST)
@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({"aws:cloudformation:stack-name": "shop"}, "CloudFormation stack shop"),
        ({"ManagedBy": "Terraform"}, "Terraform"),
        ({"terraform": "true"}, "Terraform"),
    ],
)
def test_what_a_tool_manages_is_left_to_it(
    name: str, violation: str, tags: Mapping[str, str], owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before = live()
    monkeypatch.setattr(type(script(name).resource(parameters)), "tags", lambda self, state: tags)
    for dry_run in ("true", "false"):
        run = script(name).run({**parameters, "DryRun": dry_run})
        assert (run.outcome, f"is managed by {owner}" in run.message) == ("Refused", True), run.message
        assert (live(), run.changes()) == (before, [])
    assert script(name).run({**parameters, "AllowManaged": "true"}).outcome == "changed"
    assert script(name).run(parameters).outcome == "compliant", "what is right needs no permission"


def when(at: Callable[[str], bool], happens: Callable[[], Any]) -> Fault:
    """Something else happens, once, before AWS answers the first such call."""
    left = [happens]

    def fault(position: int, attempt: int, operation: str) -> str:
        if left and at(operation):
            left.pop()()
        return ""

    return fault


def wiped() -> None:
    """An account without any resource; evidence and switch are there."""
    moto_api_backend.reset()
    prepare_account()


@pytest.mark.parametrize(("name", "violation"), CASES)
def test_a_resource_that_is_deleted_in_between_is_no_failure(name: str, violation: str) -> None:
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before = live()
    run = script(name).run(parameters, when(lambda operation: operation == "GetParameter", wiped))
    if live() is None and not run.changes():
        assert run.outcome == "gone", run.message
    elif live() is None or run.error is None:  # something beside it was changed, or it is a setting that is always there
        assert run.outcome == "changed", run.message
    else:  # what it stands on is gone
        assert (run.outcome, "it still needs: " in run.message) == ("RuntimeError", True), run.message
    assert run.events()[-1]["outcome"] == ("failed" if run.error else run.outcome)
    assert evidence(name, run, "before") == before


@pytest.mark.parametrize(("name", "violation"), FIRST)
def test_a_resource_that_was_never_there_is_gone_or_refused(name: str, violation: str) -> None:
    parameters = arranged(name, violation)
    wiped()
    run = script(name).run(parameters)
    assert run.outcome in ("gone", "changed", "Refused"), run.message


@pytest.mark.parametrize(("name", "violation"), CASES)
def test_two_runs_at_once_end_as_one(name: str, violation: str) -> None:
    """The other one runs from its beginning to its end before this one reads the switch, or makes one of its changes."""
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before, back = live(), snapshot()
    clean = script(name).run(parameters)
    after = live()
    for operation in dict.fromkeys(["GetParameter", *clean.changes()]):
        back()
        others: list[Run] = []
        other = when(lambda made, o=operation: made == o, lambda o=others: o.append(script(name).run(parameters)))
        run = script(name).run(parameters, other)
        assert [run.outcome, others[0].outcome] in (["changed", "changed"], ["compliant", "changed"]), run.message
        now = live()
        same = without_new_ids(now, before) == without_new_ids(after, before)
        assert same or operation != "GetParameter", "among this one's changes the other may plan differently"
        assert (evidence(name, run, "before"), evidence(name, run, "after")) == (before, now)
        assert run.events()
        assert script(name).run(parameters).outcome == "compliant", "nothing is left to do"


@pytest.mark.parametrize(("name", "violation"), FIRST)
def test_an_answer_that_is_not_understood_after_the_change_is_told(
    name: str, violation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = arranged(name, violation)
    kind = type(script(name).resource(parameters))
    read, changed = kind.read, []

    def odd(self: Any) -> Any:
        if changed:
            raise KeyError("Oddity")
        return read(self)

    monkeypatch.setattr(kind, "read", odd)
    called = when(lambda operation: Made(operation, {}).changing, lambda: changed.append(True))
    run = script(name).run(parameters, called)
    assert run.outcome == "RuntimeError"
    assert "it still needs: to be read ('Oddity')" in run.message
    assert "the state after it could not be recorded ('Oddity')" in run.message
    assert run.events()[-1]["outcome"] == "failed"


@pytest.mark.parametrize(("name", "violation"), FIRST)
def test_a_change_that_does_not_take_is_an_error(name: str, violation: str) -> None:
    parameters = arranged(name, violation)
    live = script(name).watch(parameters)
    before = live()
    run = script(name).run(parameters, lambda at, attempt, made: "ignored" if Made(made, {}).changing else "")
    assert (run.outcome, live()) == ("RuntimeError", before), run.message
    assert "it still needs: " in run.message
    assert (evidence(name, run, "before"), evidence(name, run, "after")) == (before, before)
    assert [event["outcome"] for event in run.events()] == ["failed"]
