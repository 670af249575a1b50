"""PciConfig-EnableSecurityHubStandards: what is wanted is subscribed, nothing is taken away, and the way back takes no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.runbook import Refused
from pci_config.sandbox import securityhub_service
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-EnableSecurityHubStandards"
script = load_script(DOCUMENT)
run = partial(fix_testing.run, DOCUMENT, ResourceId=ACCOUNT)
restore = partial(fix_testing.restore, DOCUMENT, ResourceId=ACCOUNT)
STANDARDS = [arn.format(region=REGION) for arn in securityhub_service.STANDARDS]
CIS, FSBP, PCI = "cis-aws-foundations-benchmark/v/5.0.0", "aws-foundational-security-best-practices/v/1.0.0", "pci-dss/v/4.0.1"
OLD_CIS, OLD_PCI = "cis-aws-foundations-benchmark/v/1.2.0", "pci-dss/v/3.2.1"
WANTED = [FSBP, CIS, PCI]


def client() -> Any:
    return boto3.client("securityhub", region_name=REGION)


def arn(name: str) -> str:
    return next(each for each in STANDARDS if each.endswith(f"/{name}"))


def record_with_config() -> None:
    config = boto3.client("config", region_name=REGION)
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="configuration-bucket")
    recorder = {"name": "default", "roleARN": f"arn:aws:iam::{ACCOUNT}:role/config"}
    config.put_configuration_recorder(ConfigurationRecorder=recorder)
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "configuration-bucket"})
    config.start_configuration_recorder(ConfigurationRecorderName="default")


def make(*subscribed: str, hub: bool = True, recording: bool = True, listed: bool = True, **tags: str) -> dict[str, str]:
    """Security Hub with these subscriptions, or off; the parameters for the document."""
    if recording:
        record_with_config()
    if listed:
        securityhub_service.list_while_off(ACCOUNT, REGION)
    if hub:
        client().enable_security_hub(EnableDefaultStandards=False, Tags=tags)
    if subscribed:
        client().batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": arn(name)} for name in subscribed])
    return {"ResourceId": ACCOUNT}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "off": partial(make, hub=False),
    "nothing subscribed": make,
    "one missing": partial(make, FSBP, CIS),
    "old versions only": partial(make, FSBP, OLD_CIS, OLD_PCI),
    "a version that is asked for": lambda: {**make(CIS, PCI), "Standards": "pci-dss/v/3.2.1, pci-dss/v/4.0.1"},
}


def subscriptions() -> list[str] | None:
    """None when Security Hub is off."""
    try:
        found = client().get_enabled_standards()["StandardsSubscriptions"]
    except client().exceptions.InvalidAccessException:
        return None
    return sorted(each["StandardsArn"].partition("/")[2] for each in found)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_restored_and_fixed_again(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = subscriptions()
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], subscriptions()) == ("dry-run", before)
    done = run(**parameters)
    after = subscriptions()
    wanted = [OLD_PCI, PCI] if "Standards" in parameters else WANTED
    assert (done["Outcome"], after) == ("changed", sorted({*(before or []), *wanted})), "what was there stays"
    again = run(**parameters)
    assert (again["Outcome"], subscriptions()) == ("compliant", after)
    back = partial(restore, execution_of(done))
    assert (back(DryRun="true")["Outcome"], subscriptions()) == ("dry-run", after)
    assert (back()["Outcome"], subscriptions()) == ("changed", before)
    assert back()["Outcome"] == "compliant"


def test_all_ready_is_left() -> None:
    result = run(**make(*WANTED, OLD_CIS))
    assert (result["Outcome"], json.loads(result["Calls"])) == ("compliant", [])


def test_the_default_standards_are_not_switched_on() -> None:
    calls = json.loads(run(**make(hub=False), DryRun="true")["Calls"])
    assert [(call["operation"], call["parameters"]) for call in calls] == [
        ("enable_security_hub", {"EnableDefaultStandards": False}),
        ("batch_enable_standards", {"StandardsSubscriptionRequests": [{"StandardsArn": arn(n)} for n in (CIS, FSBP, PCI)]}),
    ]


def test_standards_that_are_not_told_while_it_is_off_come_with_the_next_run() -> None:
    make(hub=False, listed=False)
    first = run()
    assert (first["Outcome"], subscriptions()) == ("changed", [])
    assert "switch Security Hub on; run again to subscribe" in first["Message"]
    second = run()
    assert (second["Outcome"], subscriptions()) == ("changed", sorted(WANTED))
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_of(first))
    assert (restore(execution_of(second))["Outcome"], subscriptions()) == ("changed", [])
    assert (restore(execution_of(first))["Outcome"], subscriptions()) == ("changed", None)


def test_a_standard_that_lacks_something_is_told() -> None:
    make(*WANTED, recording=False)
    with pytest.raises(Refused, match=r"pci-dss 4.0.1 is INCOMPLETE \(NO_AVAILABLE_CONFIGURATION_RECORDER\).*nothing done"):
        run()
    record_with_config()
    assert run(Standards="cis-aws-foundations-benchmark/v/3.0.0")["Outcome"] == "changed", "of others nobody asked"


@pytest.mark.parametrize("hub", [True, False])
def test_without_a_recorder_nothing_is_switched_on(hub: bool) -> None:
    make(hub=hub, recording=False)
    before = subscriptions()
    with pytest.raises(Refused, match=r"AWS Config records nothing here.*mend the recorder first; nothing done"):
        run()
    record_with_config()
    boto3.client("config", region_name=REGION).stop_configuration_recorder(ConfigurationRecorderName="default")
    with pytest.raises(Refused, match="AWS Config records nothing here"):
        run(DryRun="true")
    assert subscriptions() == before


@contextmanager
def with_status(status: str) -> Iterator[None]:
    """Every subscription has that status."""
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(self: Any, operation: str, parameters: Any) -> Any:
        answer = call(self, operation, parameters)
        for subscription in answer.get("StandardsSubscriptions", []):
            subscription["StandardsStatus"] = status
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield


def test_pending_becomes_ready_by_itself() -> None:
    make(FSBP)
    with with_status("PENDING"):
        done = run()
        assert (done["Outcome"], run()["Outcome"]) == ("changed", "compliant")
    assert restore(execution_of(done))["Outcome"] == "changed", "a status is no change"
    assert subscriptions() == [FSBP]


@pytest.mark.parametrize(("status", "message"), [("DELETING", "is DELETING"), ("FAILED", "is FAILED"), ("ODD", "is 'ODD'")])
def test_other_states_are_refused(status: str, message: str) -> None:
    make(*WANTED)
    with with_status(status), pytest.raises(Refused, match=message):
        run()
    assert subscriptions() == sorted(WANTED)


def test_what_is_being_unsubscribed_is_no_part_of_the_record() -> None:
    make(FSBP)
    found = script.AccountHub({"ResourceId": ACCOUNT, "AccountId": ACCOUNT})
    assert list(found.record(found.read())["Subscriptions"]) == [arn(FSBP)]
    with with_status("DELETING"):
        assert found.record(found.read()) == {"Enabled": True, "Subscriptions": {}}


@pytest.mark.parametrize("hub", [True, False])
def test_central_configuration_is_told(hub: bool) -> None:
    make(hub=hub)
    denied = {"EnableSecurityHub": "AccessDeniedException", "BatchEnableStandards": "AccessDeniedException"}
    before = subscriptions()
    with answering(**denied), pytest.raises(RuntimeError) as failure:
        run()
    assert "done before that: nothing" in str(failure.value)
    assert "central configuration manages the account: Security Hub's delegated administrator changes" in str(failure.value)
    assert subscriptions() == before


def test_a_refused_subscription_after_switching_on_is_told_and_can_be_restored() -> None:
    make(hub=False)
    with (
        answering(BatchEnableStandards="AccessDeniedException"),
        pytest.raises(RuntimeError, match="done before that: switch Security Hub on"),
    ):
        run()
    assert subscriptions() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ResourceId": "210987654321"}, "210987654321 is not this account"),
        ({"AccountId": "210987654321"}, "is not this account"),
        ({"Standards": "pci"}, "offers no 'pci' here; it offers aws-foundational"),
        ({"Standards": "pci-dss/v/9"}, "its versions: 3.2.1, 4.0.1"),
    ],
)
def test_odd_input_is_refused(changes: dict[str, str], message: str) -> None:
    make()
    with pytest.raises(Refused, match=message):
        run(**changes)
    assert subscriptions() == []


def test_a_hub_that_a_template_describes_is_refused() -> None:
    make(**{"aws:cloudformation:stack-name": "baseline"})
    with pytest.raises(Refused, match="managed by CloudFormation stack baseline"):
        run()
    assert run(AllowManaged="true")["Outcome"] == "changed"


def test_who_may_not_ask_is_not_taken_for_off() -> None:
    make()
    with answering(DescribeHub="InvalidAccessException"), pytest.raises(ClientError):
        run()
    with answering(DescribeStandards="AccessDeniedException"), pytest.raises(ClientError):
        run()


@pytest.mark.parametrize(("hub", "outcome"), [(True, "changed"), (False, "compliant")])
def test_another_run_was_quicker(hub: bool, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To subscribe again does no harm; to switch on what is on is refused."""
    make(hub=hub)
    keep = script.carry_out.__globals__["_keep_evidence"]
    with ExitStack() as stack:

        def meanwhile(event: Any, resource_id: str, which: str, *more: Any) -> Any:
            if which == "before":
                make(*WANTED, recording=False)
                stack.enter_context(answering(EnableSecurityHub="ResourceConflictException"))
            return keep(event, resource_id, which, *more)

        monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", meanwhile)
        assert run()["Outcome"] == outcome
    assert subscriptions() == sorted(WANTED)


def test_several_pages_of_standards(monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    call = botocore.client.BaseClient._make_api_call

    def make_api_call(self: Any, operation: str, parameters: Any) -> Any:
        answer = call(self, operation, parameters)
        if operation == "DescribeStandards":
            start = int(parameters.get("NextToken", "0"))
            pages = {"Standards": answer["Standards"][start : start + 3]}
            return {**pages, "NextToken": str(start + 3)} if start + 3 < len(STANDARDS) else pages
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
    assert script.offered_standards() == STANDARDS


# ---------------------------------------------------------------------------------------------- every state, by a model of AWS

SUBSCRIBED = st.lists(st.sampled_from(STANDARDS), unique=True)
ENTRIES = st.lists(
    st.sampled_from(["pci-dss", "cis-aws-foundations-benchmark", OLD_PCI, OLD_CIS, FSBP]), min_size=1, unique=True
)


@given(SUBSCRIBED, st.booleans(), ENTRIES, st.sampled_from(["READY", "PENDING"]))
def test_every_state_becomes_right_and_nothing_is_lost(held: list[str], off: bool, entries: list[str], status: str) -> None:
    def state(arns: list[str] | None) -> dict[str, Any]:
        entries = [
            {"StandardsArn": arn, "StandardsSubscriptionArn": f"subscription/{arn}", "StandardsStatus": status}
            for arn in arns or []
        ]
        return {"hub": None if arns is None else "hub/default", "subscriptions": entries, "offered": STANDARDS}

    before = None if off else held
    event = {"ResourceId": ACCOUNT, "AccountId": ACCOUNT, "Standards": ", ".join(entries)}
    fix, back = script.HubStandards(event), script.HubRestore(event)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "refuse_without_recorder", lambda: None)
        changes = fix.changes(state(before))
    requested = [r["StandardsArn"] for c in changes for r in c.parameters.get("StandardsSubscriptionRequests", [])]
    assert not set(requested) & set(before or [])
    after = [*(before or []), *requested]
    assert fix.changes(state(after)) == []
    for entry in entries:
        newest = {"pci-dss": PCI, "cis-aws-foundations-benchmark": CIS}.get(entry, entry)
        assert arn(newest) in after
    if not changes:
        return
    (undone,) = back.undo(back.record(state(before)), state(after))
    if before is None:
        assert undone.operation == "disable_security_hub"
    else:
        assert undone.parameters == {"StandardsSubscriptionArns": [f"subscription/{a}" for a in sorted(requested)]}
