"""`--account`: several accounts and Regions in parallel, and what happens when some of it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from pci_config.assess import Judge, Result
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson
from pci_config.sandbox import recorder_service
from pci_config.sources import account as account_module
from pci_config.sources.account import AccountPlan, assess_accounts
from pci_config.sources.snapshot import SourceError

RDK_JSON = RdkJson.load(project_root() / "rdk.json")
ACCOUNTS = ("111111111111", "222222222222", "333333333333", "444444444444", "555555555555")
REGIONS = ("eu-west-1", "us-east-1")


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    recorder_service.install()  # moto itself does not tell the state of a recorder
    with mock_aws():
        yield


def judge(pattern: str = "PCI_") -> Judge:
    entries = [entry for entry in Catalogue.load().rules.values() if entry.id.startswith(pattern)]
    return Judge(entries, RDK_JSON.settings)


def plan(accounts: tuple[str, ...] = ACCOUNTS, role: str | None = "Auditor") -> AccountPlan:
    return AccountPlan(accounts, REGIONS, "eu-west-1", role)


def test_every_account_and_region_is_assessed_by_every_rule() -> None:
    assessment = assess_accounts(judge(), plan())
    assert assessment.problems == []
    groups = [r for r in assessment.results if r.rule == "PCI_SECURITY_GROUP_EGRESS_LIMITED"]
    assert {(r.account_id, r.region) for r in groups} == {(a, r) for a in ACCOUNTS for r in REGIONS}
    assert {r.compliance for r in groups} == {"NON_COMPLIANT"}, "the default group of each default VPC is open"
    passwords = [(r.account_id, r.region, r.compliance) for r in assessment.results if r.rule == "PCI_PASSWORD_POLICY"]
    assert passwords == [(account, "eu-west-1", "NON_COMPLIANT") for account in ACCOUNTS], (
        "global rules only in the home Region"
    )
    assert assessment.results == sorted(assessment.results, key=Result.order)


def test_the_callers_own_account_needs_no_role() -> None:
    assessment = assess_accounts(judge("PCI_PASSWORD"), plan((), role=None))
    assert [r.account_id for r in assessment.results] == ["123456789012"]


def test_another_account_without_a_role_is_named() -> None:
    assessment = assess_accounts(judge("PCI_PASSWORD"), plan(("123456789012", "222222222222"), role=None))
    assert "name the role to assume there with --role-name" in assessment.problems[0]
    assert [(r.account_id, r.compliance) for r in assessment.results] == [
        ("123456789012", "NON_COMPLIANT"),
        ("222222222222", "ERROR"),
    ]


def refusing(error: ClientError, account: str) -> Any:
    real = boto3.Session.client

    def client(self: Any, service: str, *arguments: Any, **options: Any) -> Any:
        made = real(self, service, *arguments, **options)
        if service == "sts":
            assume = made.assume_role

            def assume_role(**parameters: Any) -> Any:
                if account in parameters["RoleArn"]:
                    raise error
                return assume(**parameters)

            made.assume_role = assume_role
        return made

    return client


def test_access_denied_in_one_account_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "AssumeRole")
    monkeypatch.setattr(boto3.Session, "client", refusing(error, "333333333333"))
    assessment = assess_accounts(judge(), plan())
    (problem,) = assessment.problems
    assert problem.startswith("account 333333333333: arn:aws:iam::333333333333:role/Auditor cannot be assumed")
    broken = [r for r in assessment.results if r.account_id == "333333333333"]
    assert {r.compliance for r in broken} == {"ERROR"}
    assert len(broken) == len(Catalogue.load().rules), "every rule says that it could not judge that account"
    assert {r.account_id for r in assessment.results if r.compliance != "ERROR"} == set(ACCOUNTS) - {"333333333333"}


def test_a_service_that_refuses_is_an_error_of_its_rules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from pci_config.collect import ec2

    def denied(*_: Any) -> Iterator[Any]:
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, "DescribeSecurityGroups")

    real = account_module.for_types

    def with_denied_ec2(types: frozenset[str]) -> Any:
        return [
            type(c)(c.name, c.resource_types, c.actions, denied) if c.resource_types == ec2.RESOURCE_TYPES else c
            for c in real(types)
        ]

    monkeypatch.setattr(account_module, "for_types", with_denied_ec2)
    assessment = assess_accounts(judge(), plan(("111111111111",)))
    errors = {r.rule for r in assessment.results if r.compliance == "ERROR"}
    rules = Catalogue.load().rules
    assert errors == {entry.id for entry in rules.values() if set(entry.resource_types) & set(ec2.RESOURCE_TYPES)}
    assert "PCI_SECURITY_GROUP_EGRESS_LIMITED" in errors
    assert len(assessment.problems) == 2
    assert "UnauthorizedOperation" in assessment.problems[0]
    assert any(r.rule == "PCI_PASSWORD_POLICY" and r.compliance == "NON_COMPLIANT" for r in assessment.results)


def test_throttling_is_retried() -> None:
    assert account_module.RETRIES.retries["mode"] == "adaptive"
    assert account_module.RETRIES.retries["total_max_attempts"] >= 5


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_credentials(self: Any, *_: Any, **__: Any) -> Any:
        raise NoCredentialsError

    monkeypatch.setattr(boto3.Session, "client", no_credentials)
    with pytest.raises(SourceError, match="no usable AWS credentials"):
        assess_accounts(judge(), plan())


def test_an_unknown_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="nobody"):
        assess_accounts(judge(), AccountPlan((), REGIONS, "eu-west-1", profile="nobody"))
