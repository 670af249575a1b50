"""Exceptions in Lambda: what AWS Config is told, on which day, and how the end of one takes effect without any change."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config import acceptance, evaluator
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.rule import Facts, Finding, PciRule, RuleInputError, about, about_account, compliant, non_compliant
from pci_config.settings import Settings

GROUP, ACCOUNT, REGION = "AWS::EC2::SecurityGroup", "123456789012", "eu-west-1"
ENTRY = ExceptionEntry(
    rule="PCI_EXAMPLE", accounts=(ACCOUNT,), regions=(REGION,), resource="sg-0c0ffee1234567890", reason="Terminals of series 4",
    approver="CISO", ticket="SEC-1234", compensating_control="VPN", created=date(2026, 10, 1), expires=date(2026, 10, 5),
)  # fmt: skip
PLACE = "arn:aws:ec2:eu-west-1:123456789012:security-group/"


class PciExample(PciRule):
    """Groups are wrong unless their tags say so."""

    resource_types = (GROUP,)

    def decide(self, item: Mapping[str, Any], parameters: Any, facts: Facts) -> Finding:
        if item["tags"].get("broken"):
            raise RuleInputError("no such shape")
        return compliant("fine") if item["tags"].get("right") else non_compliant("port 22 is open")


class PciExampleSweep(PciExample):
    sweeps = True

    @classmethod
    def rule_id(cls) -> str:
        return "PCI_EXAMPLE"


class PciExampleAccount(PciRule):
    def decide_account(self, parameters: Any, facts: Facts) -> Sequence[Finding]:
        return [about_account(non_compliant("no policy"), facts), about(non_compliant("weak"), "AWS::EC2::VPC", "vpc-1")]

    @classmethod
    def rule_id(cls) -> str:
        return "PCI_EXAMPLE"


class FakeConfig:
    """AWS Config with some groups: id to tags (None: deleted since), and verdicts stored before."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, str] | None] = {}
        self.stored: list[tuple[str, str, str, str]] = []  # type, id, compliance, annotation
        self.calls: list[tuple[str, Any]] = []
        self.refused = ""

    def get_paginator(self, operation: str) -> Any:
        config = self

        class Paginator:
            def paginate(self, **parameters: Any) -> Iterator[Any]:
                config.calls.append((operation, parameters))
                if operation == "list_discovered_resources":
                    found = [
                        {"resourceType": GROUP, "resourceId": name} for name, tags in config.groups.items() if tags is not None
                    ]
                    yield {"resourceIdentifiers": found}
                else:
                    wanted = parameters["ComplianceTypes"]
                    yield {
                        "EvaluationResults": [
                            {
                                "EvaluationResultIdentifier": {
                                    "EvaluationResultQualifier": {"ResourceType": t, "ResourceId": i}
                                },
                                "ComplianceType": compliance,
                                "Annotation": annotation,
                            }
                            for t, i, compliance, annotation in config.stored
                            if compliance in wanted
                        ]
                    }

        return Paginator()

    def _item(self, group: str) -> dict[str, Any]:
        return {
            "version": "1.3", "accountId": ACCOUNT, "configurationItemCaptureTime": datetime(2026, 9, 1, tzinfo=UTC),
            "configurationItemStatus": "OK" if self.groups[group] is not None else "ResourceDeleted", "configurationStateId": "1",
            "arn": PLACE + group, "resourceType": GROUP, "resourceId": group, "awsRegion": REGION, "configuration": "{}",
            "supplementaryConfiguration": {},
        }  # fmt: skip

    def batch_get_resource_config(self, resourceKeys: Sequence[Mapping[str, str]]) -> Any:  # noqa: N803 - boto3's name
        self.calls.append(("batch_get_resource_config", resourceKeys))
        return {
            "baseConfigurationItems": [self._item(key["resourceId"]) for key in resourceKeys],
            "unprocessedResourceKeys": [],
        }

    def get_resource_config_history(self, **parameters: Any) -> Any:
        self.calls.append(("get_resource_config_history", parameters))
        group = parameters["resourceId"]
        if group not in self.groups or self.refused:
            code = self.refused or "ResourceNotDiscoveredException"
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetResourceConfigHistory")
        return {"configurationItems": [self._item(group) | {"tags": self.groups[group]}]}

    def put_evaluations(self, **parameters: Any) -> Any:
        self.calls.append(("put_evaluations", parameters))
        return {}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> FakeConfig:
    fake = FakeConfig()

    class Clients:
        def build_client(self, service: str, region: str | None = None) -> Any:
            assert service == "config"
            return fake

    monkeypatch.setattr(evaluator, "_clients", Clients())
    return fake


@pytest.fixture
def in_force(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(*entries: ExceptionEntry) -> None:
        monkeypatch.setattr(acceptance, "bundled_exceptions", lambda: ExceptionRegister(entries))

    use(ENTRY)
    return use


def entry(**changes: Any) -> ExceptionEntry:
    return dataclasses.replace(ENTRY, **changes)


def notified(event: Mapping[str, Any], moment: str, **item: Any) -> dict[str, Any]:
    event = copy.deepcopy(dict(event)) | {"ruleParameters": "{}"}
    invoking_event = json.loads(event["invokingEvent"]) | {"notificationCreationTime": moment}
    if item:
        invoking_event["configurationItem"].update(item)
    event["invokingEvent"] = json.dumps(invoking_event)
    return event


def verdicts(rule: type[PciRule], event: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    found = evaluator.handle(rule(Settings(home_region=REGION)), event, None)
    return {e["ComplianceResourceId"]: (e["ComplianceType"], e["Annotation"]) for e in found}


@pytest.fixture
def change(sample: Callable[[str], Any]) -> dict[str, Any]:
    return dict(sample("events/change"))


@pytest.fixture
def schedule(sample: Callable[[str], Any]) -> dict[str, Any]:
    return dict(sample("events/scheduled_no_parameters"))


# ------------------------------------------------------------------------------------------------------------- changes


def test_an_accepted_finding_is_not_applicable_and_says_why(
    config: FakeConfig, in_force: Any, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdicts(PciExample, notified(change, "2026-10-05T08:14:29.104Z", tags={})) == {
        "sg-0c0ffee1234567890": (
            "NOT_APPLICABLE",
            "accepted until 2026-10-05 (SEC-1234): Terminals of series 4. port 22 is open",
        )
    }
    assert [name for name, _ in config.calls] == ["put_evaluations"], "an exception costs no call"
    assert json.loads(capsys.readouterr().out) == {
        "level": "INFO", "message": "exception applied", "rule": "PCI_EXAMPLE", "config_rule": change["configRuleName"],
        "account_id": ACCOUNT, "resource_type": GROUP, "resource_id": "sg-0c0ffee1234567890", "ticket": "SEC-1234",
        "approver": "CISO", "expires": "2026-10-05",
    }  # fmt: skip


def test_long_texts_are_cut_and_the_end_stays_first(config: FakeConfig, in_force: Any, change: dict[str, Any]) -> None:
    in_force(entry(reason="long " * 90))
    ((_, annotation),) = verdicts(PciExample, notified(change, "2026-10-05T08:14:29.104Z", tags={})).values()
    assert annotation.startswith("accepted until 2026-10-05 (SEC-1234): long")
    assert len(annotation) <= 256


@pytest.mark.parametrize(
    ("moment", "compliance"),
    [
        ("2026-09-30T23:59:59.999Z", "NON_COMPLIANT"),
        ("2026-10-01T00:00:00.000Z", "NOT_APPLICABLE"),
        ("2026-10-05T23:59:59.999Z", "NOT_APPLICABLE"),
        ("2026-10-06T00:00:00.000Z", "NON_COMPLIANT"),
        ("2026-10-06T01:00:00.000+02:00", "NOT_APPLICABLE"),
    ],
)
def test_the_day_is_that_of_the_notification_in_utc(
    config: FakeConfig, in_force: Any, change: dict[str, Any], moment: str, compliance: str
) -> None:
    ((found, _),) = verdicts(PciExample, notified(change, moment, tags={})).values()
    assert found == compliance


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "PCI_OTHER"}, {"accounts": ("600000000006",)}, {"regions": ("us-east-1",)}, {"resource": "sg-1"},
        {"resource": "arn:aws:ec2:us-east-1:123456789012:security-group/sg-0c0ffee1234567890"},
    ],
)  # fmt: skip
def test_other_entries_accept_nothing(
    config: FakeConfig, in_force: Any, change: dict[str, Any], other: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    in_force(entry(**other))
    ((found, annotation),) = verdicts(PciExample, notified(change, "2026-10-05T08:14:29.104Z", tags={})).values()
    assert (found, annotation) == ("NON_COMPLIANT", "port 22 is open")
    assert capsys.readouterr().out == ""


def test_what_is_right_stays_compliant_and_what_failed_stays_an_error(
    config: FakeConfig, in_force: Any, change: dict[str, Any]
) -> None:
    event = notified(change, "2026-10-05T08:14:29.104Z", tags={"right": "yes"})
    assert list(verdicts(PciExample, event).values()) == [("COMPLIANT", "fine")]
    with pytest.raises(RuleInputError):
        verdicts(PciExample, notified(change, "2026-10-05T08:14:29.104Z", tags={"broken": "yes"}))


def test_no_tag_grants_an_exception(config: FakeConfig, in_force: Any, change: dict[str, Any]) -> None:
    in_force()
    tags = {"pci:exception": "SEC-1234", "exception": "true", "accepted until 2027-01-01": "yes"}
    ((found, _),) = verdicts(PciExample, notified(change, "2026-10-05T08:14:29.104Z", tags=tags)).values()
    assert found == "NON_COMPLIANT"


def test_what_has_no_region_is_excepted_where_its_rule_runs(config: FakeConfig, in_force: Any, change: dict[str, Any]) -> None:
    event = notified(change, "2026-10-05T08:14:29.104Z", tags={}, awsRegion="global")
    assert next(iter(verdicts(PciExample, event).values()))[0] == "NOT_APPLICABLE"
    event["configRuleArn"] = event["configRuleArn"].replace(REGION, "us-east-1")
    assert next(iter(verdicts(PciExample, event).values()))[0] == "NON_COMPLIANT"


# ------------------------------------------------------------------------------------------------------------ schedules


def test_account_and_reported_resources_are_accepted_by_id(config: FakeConfig, in_force: Any, schedule: dict[str, Any]) -> None:
    on = "2026-10-05T12:00:00.373Z"
    in_force(entry(resource=ACCOUNT))
    found = verdicts(PciExampleAccount, notified(schedule, on))
    assert {name: verdict[0] for name, verdict in found.items()} == {ACCOUNT: "NOT_APPLICABLE", "vpc-1": "NON_COMPLIANT"}
    in_force(entry(resource=f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-1"))
    found = verdicts(PciExampleAccount, notified(schedule, on))
    assert {name: verdict[0] for name, verdict in found.items()} == {ACCOUNT: "NON_COMPLIANT", "vpc-1": "NOT_APPLICABLE"}


def test_the_end_of_an_exception_takes_effect_although_nothing_changed(
    config: FakeConfig, in_force: Any, schedule: dict[str, Any]
) -> None:
    config.groups = {"sg-0c0ffee1234567890": {}, "sg-2": {}}
    config.stored = [
        (
            GROUP,
            "sg-0c0ffee1234567890",
            "NOT_APPLICABLE",
            "accepted until 2026-10-05 (SEC-1234): Terminals of series 4. port 22",
        ),
        (GROUP, "sg-2", "NOT_APPLICABLE", "PCI_EXAMPLE does not judge this"),
    ]
    event = notified(schedule, "2026-10-05T12:00:00.373Z")
    assert verdicts(PciExample, event)["sg-0c0ffee1234567890"][0] == "NOT_APPLICABLE"
    event = notified(schedule, "2026-10-06T12:00:00.373Z")
    assert verdicts(PciExample, event) == {"sg-0c0ffee1234567890": ("NON_COMPLIANT", "port 22 is open")}
    asked = [parameters for name, parameters in config.calls if name == "get_resource_config_history"]
    assert asked == [{"resourceType": GROUP, "resourceId": "sg-0c0ffee1234567890", "limit": 1}] * 2


def test_a_withdrawn_exception_ends_as_well(config: FakeConfig, in_force: Any, schedule: dict[str, Any]) -> None:
    in_force()
    config.groups = {"sg-0c0ffee1234567890": {}}
    config.stored = [(GROUP, "sg-0c0ffee1234567890", "NOT_APPLICABLE", "accepted until 2027-10-05 (SEC-1): x. y")]
    found = verdicts(PciExample, notified(schedule, "2026-10-05T12:00:00.373Z"))
    assert found == {"sg-0c0ffee1234567890": ("NON_COMPLIANT", "port 22 is open")}
    assert "list_discovered_resources" not in [name for name, _ in config.calls], "nothing is in force that could be new"


def test_a_new_exception_takes_effect_although_nothing_changed(
    config: FakeConfig, in_force: Any, schedule: dict[str, Any]
) -> None:
    in_force(entry(resource="arn:aws:ec2:*:*:security-group/sg-0c0ffee1234567890"))
    config.groups = {"sg-0c0ffee1234567890": {}, "sg-2": {}}
    config.stored = [(GROUP, "sg-0c0ffee1234567890", "NON_COMPLIANT", "port 22 is open"), (GROUP, "sg-2", "COMPLIANT", "")]
    found = verdicts(PciExample, notified(schedule, "2026-10-05T12:00:00.373Z"))
    assert {name: verdict[0] for name, verdict in found.items()} == {"sg-0c0ffee1234567890": "NOT_APPLICABLE"}


def test_what_is_asked_again_is_judged_with_its_tags(config: FakeConfig, in_force: Any, schedule: dict[str, Any]) -> None:
    config.groups = {"sg-0c0ffee1234567890": {"right": "yes"}}
    found = verdicts(PciExample, notified(schedule, "2026-10-05T12:00:00.373Z"))
    assert found == {"sg-0c0ffee1234567890": ("COMPLIANT", "fine")}


@pytest.mark.parametrize("groups", [{}, {"sg-0c0ffee1234567890": None}])
def test_what_is_gone_is_not_asked_again(config: FakeConfig, in_force: Any, schedule: dict[str, Any], groups: Any) -> None:
    config.groups = groups
    config.stored = [(GROUP, "sg-0c0ffee1234567890", "NOT_APPLICABLE", "accepted until 2026-10-05 (SEC-1234): x. y")]
    found = verdicts(PciExample, notified(schedule, "2026-10-06T12:00:00.373Z"))
    assert found == {ACCOUNT: ("NOT_APPLICABLE", "nothing to judge here")}


def test_what_cannot_be_asked_again_is_raised_after_the_rest_is_reported(
    config: FakeConfig, in_force: Any, schedule: dict[str, Any]
) -> None:
    in_force(ENTRY, entry(resource="sg-2"))
    config.groups = {"sg-0c0ffee1234567890": {"broken": "yes"}, "sg-2": {}}
    with pytest.raises(
        evaluator.SweepIncomplete, match=r"1 of .* first: AWS::EC2::SecurityGroup sg-0c0ffee1234567890: RuleInputError"
    ):
        verdicts(PciExample, notified(schedule, "2026-10-05T12:00:00.373Z"))
    put = config.calls[-1][1]["Evaluations"]
    assert [(e["ComplianceResourceId"], e["ComplianceType"]) for e in put] == [("sg-2", "NOT_APPLICABLE")]
    config.refused = "ThrottlingException"
    with pytest.raises(evaluator.SweepIncomplete, match=r"2 of .*ThrottlingException"):
        verdicts(PciExample, notified(schedule, "2026-10-05T12:00:00.373Z"))


def test_a_sweep_accepts_by_arn_and_asks_nothing_twice(config: FakeConfig, in_force: Any, schedule: dict[str, Any]) -> None:
    in_force(entry(resource=PLACE + "sg-1"))
    config.groups = {"sg-1": {}, "sg-2": {}}
    config.stored = [(GROUP, "sg-gone", "NOT_APPLICABLE", "accepted until 2026-10-05 (SEC-1234): x. y")]
    found = verdicts(PciExampleSweep, notified(schedule, "2026-10-05T12:00:00.373Z"))
    assert {name: verdict[0] for name, verdict in found.items()} == {
        "sg-1": "NOT_APPLICABLE", "sg-2": "NON_COMPLIANT", "sg-gone": "NOT_APPLICABLE",
    }  # fmt: skip
    assert found["sg-1"][1].startswith("accepted until 2026-10-05 (SEC-1234)")
    assert found["sg-gone"][1] == "the resource no longer exists", "an accepted one that vanished is no longer called accepted"
    assert "get_resource_config_history" not in [name for name, _ in config.calls]


def test_outside_a_bundle_nothing_is_accepted() -> None:
    assert ExceptionRegister.bundled().entries == ()
