"""Preflight against the sandbox's organization: what it reads with and without a role, and what it says when it may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from pci_config.catalogue import Catalogue, project_root
from pci_config.cli import app
from pci_config.deploy.preflight import checks
from pci_config.deploy.preflight_account_reading import MEMBER_ACTIONS, account_facts, place_facts, reason_of
from pci_config.deploy.preflight_check import Check, Question
from pci_config.deploy.preflight_facts import Aggregator, Facts, LandingZone, Named, Unread
from pci_config.deploy.preflight_reading import OWN_ACTIONS, demand, read_facts
from pci_config.rdk_json import RdkJson
from pci_config.recording_needs import needs
from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT, OTHER_REGION, REGION, Organization, organization
from pci_config.sandbox.server import MotoServer

SETTINGS: dict[str, Any] = {
    "HomeRegion": REGION,
    "Regions": [REGION, OTHER_REGION],
    "Accounts": {"delegated_admin": ADMIN, "management": MANAGEMENT},
    "LogArchive": {"Account": ADMIN, "Buckets": ["logs-*"]},
}
ACCESS = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def built() -> Iterator[Organization]:
    with MotoServer("in-process") as server:
        yield organization(server, 4)


def settings(folder: Path, **deployment: Any) -> RdkJson:
    path = folder / "rdk.json"
    path.write_text(json.dumps(SETTINGS | {"Deployment": deployment}), "utf-8")
    return RdkJson.load(path)


def read(made: Organization, rdk_json: RdkJson, entering: bool = True, caller: str = ADMIN) -> Facts:
    def enter(account: str) -> Any:
        return made.server.clients(account, REGION)

    clients = made.server.clients(caller, REGION)
    return read_facts(clients, rdk_json, "Auditor", enter if entering else None, lambda _: None)


def judged(facts: Facts, rdk_json: RdkJson) -> list[Check]:
    catalogue = Catalogue.load()
    question = Question(facts, rdk_json, demand(catalogue, project_root()), needs(catalogue), datetime.now(UTC))
    return checks(question)


def record(made: Organization, account: str, region: str, on: bool = True) -> None:
    config = made.server.clients(account, region).build_client("config")
    everything = {"allSupported": True, "includeGlobalResourceTypes": True}
    role = f"arn:aws:iam::{account}:role/config"
    config.put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role, "recordingGroup": everything})
    made.server.clients(account, region).build_client("s3").create_bucket(
        Bucket=f"config-{account}-{region}",
        **({} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}),
    )
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": f"config-{account}-{region}"})
    if on:
        config.start_configuration_recorder(ConfigurationRecorderName="default")


def test_an_organization_where_everything_records_is_ready(built: Organization, tmp_path: Path) -> None:
    for account in built.members:
        for region in (REGION, OTHER_REGION):
            record(built, account, region)
    found = judged(read(built, settings(tmp_path)), settings(tmp_path))
    assert {check.verdict for check in found} == {"pass"}, [check for check in found if check.verdict != "pass"]


def test_recorders_that_are_missing_or_off_are_named(built: Organization, tmp_path: Path) -> None:
    first, second, third, fourth = built.members
    for account, region in ((first, REGION), (first, OTHER_REGION), (second, REGION), (third, REGION), (third, OTHER_REGION)):
        record(built, account, region, on=(account, region) != (third, REGION))
    found = {(c.id, c.detail): c for c in judged(read(built, settings(tmp_path)), settings(tmp_path))}
    missing = found["recorder", "there is no recorder"]
    assert missing.places == (f"{second} {OTHER_REGION}", f"{fourth} {REGION}", f"{fourth} {OTHER_REGION}")
    assert found["recorder", "the recorder is off"].places == (f"{third} {REGION}",)


def test_without_a_role_other_accounts_are_not_assessed(built: Organization, tmp_path: Path) -> None:
    facts = read(built, settings(tmp_path), entering=False)
    assert set(facts.accounts) == {ADMIN}
    recorder = [c for c in judged(facts, settings(tmp_path)) if c.id == "recorder"]
    assert {check.verdict for check in recorder} == {"fail", "not assessed"}
    (outside,) = [check for check in recorder if check.verdict == "not assessed"]
    assert "no role is named" in outside.detail
    assert len(outside.places) == 6


def test_units_and_left_out_accounts_make_the_targets(built: Organization, tmp_path: Path) -> None:
    unknown = "ou-ab12-99999999"
    facts = read(
        built,
        settings(tmp_path, OrganizationalUnits=[built.middle, unknown], ExcludedAccounts=[built.below(built.inner)[0]]),
        entering=False,
    )
    assert facts.units == {built.middle: True, unknown: False}
    assert isinstance(facts.members, dict)
    assert set(facts.members) == set(built.below(built.middle))
    whole = read(built, settings(tmp_path, ManagementAccount=True), entering=False)
    assert isinstance(whole.members, dict)
    assert set(whole.members) == {MANAGEMENT, *built.members}


def test_an_account_that_is_no_administrator_learns_nothing_and_that_is_said(built: Organization, tmp_path: Path) -> None:
    facts = read(built, settings(tmp_path), entering=False, caller=built.members[1])
    for fact in (facts.active, facts.members, facts.trusted, facts.stack_sets_access, facts.named, facts.stack_sets):
        assert isinstance(fact, Unread), fact
    found = judged(facts, settings(tmp_path))
    assert {c.id for c in found if c.verdict == "fail"} == {"credentials"}
    assert {c.id for c in found if c.verdict == "pass"} == {
        "all features",
        "aggregator",
        "quota aggregators",
        "quota rules-of-a-pack",
    }


def test_an_organization_without_trusted_access(tmp_path: Path) -> None:
    with MotoServer("in-process") as server:
        made = organization(server, 2, trusted=False)
        facts = read(made, settings(tmp_path), entering=False, caller=MANAGEMENT)
        found = {check.id: check.verdict for check in judged(facts, settings(tmp_path))}
    for principal in ("config.amazonaws.com", "config-multiaccountsetup.amazonaws.com"):
        assert found[f"trusted access {principal}"] == "fail"
        assert found[f"delegated administrator {principal}"] == "fail"


def test_our_names_are_found_with_whose_they_are(built: Organization, tmp_path: Path) -> None:
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}})
    own = built.server.clients(ADMIN, REGION)
    cloudformation = own.build_client("cloudformation")
    ours = [{"Key": "pci-config", "Value": "managed"}]
    service_managed = {
        "PermissionModel": "SERVICE_MANAGED",
        "CallAs": "DELEGATED_ADMIN",
        "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
    }
    for name, tags in (("pci-config-member-global", ours), ("pci-config-member-regional", []), ("theirs", [])):
        cloudformation.create_stack_set(StackSetName=name, TemplateBody=template, Tags=tags, **service_managed)
    cloudformation.create_stack(StackName="pci-config-admin", TemplateBody=template, Tags=ours)
    bucket = f"pci-config-artifacts-{ADMIN}-{OTHER_REGION}"
    own.build_client("s3", OTHER_REGION).create_bucket(Bucket=bucket)
    facts = read(built, settings(tmp_path), entering=False)
    assert facts.stack_sets == 1
    assert isinstance(facts.named, tuple)
    assert set(facts.named) == {
        Named("StackSet", "pci-config-member-global", True),
        Named("StackSet", "pci-config-member-regional", False),
        Named("stack", f"pci-config-admin in {REGION}", True),
        Named("bucket", bucket, False),
    }


def test_inside_an_account(built: Organization) -> None:
    member = built.server.clients(built.members[1], REGION)
    iam, config, ssm = member.build_client("iam"), member.build_client("config"), member.build_client("ssm")
    iam.create_role(
        RoleName="pci-config-rules", AssumeRolePolicyDocument=ACCESS, Tags=[{"Key": "pci-config", "Value": "managed"}]
    )
    for name in ("PCI_LISTENER_TLS_ONLY-conformance-pack-abc", "theirs"):
        source = {"Owner": "AWS", "SourceIdentifier": "S3_BUCKET_VERSIONING_ENABLED"}
        config.put_config_rule(ConfigRule={"ConfigRuleName": name, "Source": source})
    content = json.dumps({"schemaVersion": "0.3", "mainSteps": []})
    for name in ("PciConfig-RepairTrail", "Theirs"):
        ssm.create_document(Name=name, Content=content, DocumentType="Automation", DocumentFormat="JSON")
    account, place = account_facts(member, REGION), place_facts(member, REGION)
    assert account.function_role == Named("role", "pci-config-rules", True)
    assert isinstance(account.roles, tuple)
    assert account.roles[0] >= 1
    assert isinstance(account.regions, dict)
    assert (account.regions[REGION], account.regions["ap-east-1"]) == ("ENABLED_BY_DEFAULT", "DISABLED")
    assert (place.rules, place.packs, place.documents, place.stacks) == (1, 0, 1, 0)
    assert (place.stack_limit, place.concurrency, place.function) == (2000, 1000, None)


def test_the_aggregator_knows_what_it_holds(built: Organization, tmp_path: Path) -> None:
    boto = built.server.clients(ADMIN, REGION).build_client("config")
    source = {"RoleArn": f"arn:aws:iam::{ADMIN}:role/a", "AwsRegions": [REGION]}
    boto.put_configuration_aggregator(ConfigurationAggregatorName="org", OrganizationAggregationSource=source)
    boto.put_configuration_aggregator(
        ConfigurationAggregatorName="few", AccountAggregationSources=[{"AccountIds": [ADMIN], "AllAwsRegions": True}]
    )
    facts = read(built, settings(tmp_path, Aggregator="org"), entering=False)
    assert isinstance(facts.aggregators, tuple)
    few, org = sorted(facts.aggregators, key=lambda each: each.name)
    assert few == Aggregator("few", False)
    assert (org.of_organization, org.regions) == (True, frozenset({REGION}))
    assert not isinstance(org.states, Unread)
    assert not isinstance(org.held, Unread)


class Fake:
    """Clients that answer by operation; what is not given is refused."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def build_client(self, service: str, region: str | None = None) -> Any:
        del service, region
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            del request
            if operation in self.answers:
                return self.answers[operation]
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "User: arn:… may not"}}, operation)

        return call


def test_refusals_are_facts_and_are_alike_for_all_accounts(tmp_path: Path) -> None:
    place, account = place_facts(Fake(), REGION), account_facts(Fake(), REGION)
    assert place.stack_limit == Unread("describe_account_limits: AccessDeniedException")
    for facts in (place, account):
        assert all(isinstance(getattr(facts, name), Unread) for name in facts.__dataclass_fields__)
    unread = read_facts(Fake(get_caller_identity={"Account": ADMIN}), settings(tmp_path), "", None, lambda _: None)
    assert isinstance(unread.members, Unread)
    assert read_facts(Fake(), settings(tmp_path), "", None, lambda _: None).caller == Unread(
        "get_caller_identity: AccessDeniedException"
    )
    other = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "ListThings")
    assert "Rate exceeded" in reason_of(other)


def test_calls_are_constant_for_each_account_and_region() -> None:
    class Counting(Fake):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def __getattr__(self, operation: str) -> Any:
            self.calls.append(operation)
            return super().__getattr__(operation)

    clients = Counting()
    place_facts(clients, REGION)
    assert len(clients.calls) <= 12, clients.calls
    before = len(clients.calls)
    account_facts(clients, REGION)
    assert len(clients.calls) - before <= 3


def test_the_landing_zone_is_asked_for_where_control_tower_is_in_use(tmp_path: Path) -> None:
    zone = {"version": "4.0", "status": "ACTIVE", "driftStatus": {"status": "DRIFTED"}}
    answers: dict[str, Any] = {
        "get_caller_identity": {"Account": ADMIN},
        "list_aws_service_access_for_organization": {
            "EnabledServicePrincipals": [{"ServicePrincipal": "controltower.amazonaws.com"}]
        },
        "list_landing_zones": {"landingZones": [{"arn": "arn"}]},
        "get_landing_zone": {"landingZone": zone},
    }
    rdk_json = settings(tmp_path)
    assert read_facts(Fake(**answers), rdk_json, "", None, lambda _: None).landing_zone == LandingZone(
        "4.0", "ACTIVE", "DRIFTED"
    )
    none = answers | {"list_landing_zones": {"landingZones": []}}
    assert read_facts(Fake(**none), rdk_json, "", None, lambda _: None).landing_zone is None
    absent = answers | {"list_aws_service_access_for_organization": {"EnabledServicePrincipals": []}}
    assert isinstance(read_facts(Fake(**absent), rdk_json, "", None, lambda _: None).landing_zone, Unread)


def test_the_command_enters_accounts_by_the_role_and_ends_with_its_verdict(
    built: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(tmp_path)
    keys = built.server.credentials(ADMIN)
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)
    called: set[str] = set()
    own = boto3.Session.client

    def client(self: Any, *arguments: Any, **options: Any) -> Any:
        made = own(self, *arguments, **options)
        made.meta.events.register(
            "before-call", lambda model, **_: called.add(f"{model.service_model.signing_name}:{model.name}")
        )
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    asked = ["preflight", "--settings", str(tmp_path / "rdk.json"), "--role-name", "Auditor"]
    told = CliRunner().invoke(app, [*asked, "--format", "json"])
    assert told.exit_code == 1, told.output
    document = json.loads(told.stdout)
    assert document["summary"]["not assessed"] == 0
    assert [check["check"] for check in document["checks"] if check["verdict"] == "fail"] == ["recorder"]
    declared = {*OWN_ACTIONS, *MEMBER_ACTIONS, "sts:AssumeRole"}
    names = {"s3:HeadBucket": "s3:ListBucket"}
    assert {names.get(action, action) for action in called} <= declared
    for account in built.members:
        for region in (REGION, OTHER_REGION):
            record(built, account, region)
    table = CliRunner().invoke(app, asked)
    assert table.exit_code == 0, table.output
    assert "0 fail" in table.output


def test_settings_that_are_not_valid_are_a_usage_error(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["preflight", "--settings", str(tmp_path / "none.json")])
    assert (told.exit_code, "cannot be read" in told.stderr) == (2, True)
