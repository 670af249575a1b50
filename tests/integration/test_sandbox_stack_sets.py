"""StackSets of service-managed permissions in the sandbox: twelve members in three nested units, two Regions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.sandbox import stack_sets_service
from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT, OTHER_REGION, REGION, Organization, organization
from pci_config.sandbox.server import MotoServer

NAME = "pci-config-member-regional"
BOTH = [REGION, OTHER_REGION]
AS = {"CallAs": "DELEGATED_ADMIN"}
AUTOMATIC = {"Enabled": True, "RetainStacksOnAccountRemoval": False}
ALL_AT_ONCE = {"MaxConcurrentPercentage": 100, "FailureTolerancePercentage": 100}


def template(value: str = "one", kind: str = "AWS::SSM::Parameter", **extra: Any) -> str:
    """A parameter of Systems Manager in every account, whose value tells which template is there."""
    properties = {"Name": "/deployed", "Type": "String", "Value": {"Fn::Sub": f"{value} ${{Wish}}"}}
    return json.dumps(
        {
            "Parameters": {"Wish": {"Type": "String", "Default": "none"}},
            "Resources": {"Mark": {"Type": kind, "Properties": properties}, **extra},
        }
    )


@pytest.fixture
def server() -> Iterator[MotoServer]:
    with MotoServer("in-process") as started:
        yield started


@pytest.fixture
def org(server: MotoServer) -> Organization:
    return organization(server)


class Admin:
    """What a delegated administrator does with StackSets."""

    def __init__(self, server: MotoServer, account: str = ADMIN, **asked: str) -> None:
        self._asked = asked or (AS if account == ADMIN else {})
        self.client = server.clients(account, REGION).build_client("cloudformation")
        self.polls = 0

    def __call__(self, operation: str, **request: Any) -> Any:
        return getattr(self.client, operation)(**{**self._asked, "StackSetName": NAME, **request})

    def create(self, text: str = "", **request: Any) -> str:
        given = {
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": AUTOMATIC,
            "TemplateBody": text or template(),
            **request,
        }
        return str(self("create_stack_set", **given)["StackSetId"])

    def deploy(self, *units: str, regions: list[str] = BOTH, operation: str = "create_stack_instances", **request: Any) -> str:
        targets = {"OrganizationalUnitIds": list(units), **request.pop("targets", {})}
        given = {"DeploymentTargets": targets, "Regions": regions, "OperationPreferences": ALL_AT_ONCE, **request}
        return str(self(operation, **given)["OperationId"])

    def wait(self, operation_id: str) -> dict[str, Any]:
        """Ask until the operation is finished; the operation."""
        for _ in range(200):
            self.polls += 1
            found: dict[str, Any] = self("describe_stack_set_operation", OperationId=operation_id)["StackSetOperation"]
            if found["Status"] not in ("RUNNING", "QUEUED", "STOPPING"):
                return found
        raise AssertionError("never finished")

    def run(self, *units: str, **request: Any) -> str:
        return str(self.wait(self.deploy(*units, **request))["Status"])

    def settle(self, name: str = NAME) -> list[dict[str, Any]]:
        """Ask until nothing is running; the operations."""
        for _ in range(50):
            found: list[dict[str, Any]] = self("list_stack_set_operations", StackSetName=name)["Summaries"]
            again: list[dict[str, Any]] = self("list_stack_set_operations", StackSetName=name)["Summaries"]
            if found == again and all(one["Status"] not in ("RUNNING", "QUEUED", "STOPPING") for one in found):
                return found
        raise AssertionError("never settled")

    def instances(self, **request: Any) -> dict[tuple[str, str], dict[str, Any]]:
        pages = self.client.get_paginator("list_stack_instances").paginate(**{**AS, "StackSetName": NAME, **request})
        return {(one["Account"], one["Region"]): one for page in pages for one in page["Summaries"]}

    def statuses(self) -> Counter[tuple[str, str]]:
        return Counter((one["Status"], one["StackInstanceStatus"]["DetailedStatus"]) for one in self.instances().values())

    def results(self, operation_id: str) -> Counter[str]:
        pages = self.client.get_paginator("list_stack_set_operation_results").paginate(
            **AS, StackSetName=NAME, OperationId=operation_id
        )
        return Counter(one["Status"] for page in pages for one in page["Summaries"])


@pytest.fixture
def admin(server: MotoServer, org: Organization) -> Admin:
    return Admin(server)


def mark(server: MotoServer, account: str, region: str = REGION) -> str:
    """What the template has left in an account; empty if nothing."""
    found = server.clients(account, region).build_client("ssm").get_parameters(Names=["/deployed"])["Parameters"]
    return str(found[0]["Value"]) if found else ""


def refused(code: str, call: Any, *arguments: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(*arguments, **request)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return str(raised.value.response["Error"]["Message"])


# -------------------------------------------------------------------------------------------------------------- access


def test_who_may_operate_stack_sets(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    assert "management account or delegated admin" in refused("ValidationError", Admin(server, org.members[2], **AS).create)
    assert "management account or delegated admin" in refused("ValidationError", Admin(server, ADMIN, CallAs="SELF").create)
    assert "not a delegated administrator" in refused("ValidationError", Admin(server, MANAGEMENT, **AS).create)
    management = Admin(server, MANAGEMENT)
    assert management("describe_stack_set")["StackSet"]["StackSetARN"].split(":")[3:5] == [REGION, MANAGEMENT]
    refused("NameAlreadyExistsException", management.create)
    own = Admin(server, ADMIN, CallAs="SELF")
    refused("StackSetNotFoundException", own, "describe_stack_set")
    assert own.client.list_stack_sets()["Summaries"] == []
    assert [one["StackSetName"] for one in admin.client.list_stack_sets(**AS)["Summaries"]] == [NAME]


def test_trusted_access_is_activated_by_stack_sets_itself(server: MotoServer) -> None:
    org = organization(server, trusted=False)
    management = Admin(server, MANAGEMENT)
    principal = "member.org.stacksets.cloudformation.amazonaws.com"
    org.client.enable_aws_service_access(ServicePrincipal=principal)
    assert management.client.describe_organizations_access()["Status"] == "DISABLED"
    assert "must enable organizations access" in refused("ValidationError", management.create)
    refused("InvalidOperationException", Admin(server, org.members[1]).client.activate_organizations_access)
    management.client.activate_organizations_access()
    assert management.client.describe_organizations_access(CallAs="SELF")["Status"] == "ENABLED"
    refused("InvalidOperationException", Admin(server).client.describe_organizations_access, **AS)
    org.client.register_delegated_administrator(AccountId=ADMIN, ServicePrincipal=principal)
    assert Admin(server).client.describe_organizations_access(**AS)["Status"] == "ENABLED"
    management.create()
    management.client.deactivate_organizations_access()
    refused("ValidationError", management, "describe_stack_set")


# ----------------------------------------------------------------------------------------------------------- instances


def test_nested_units_get_the_stacks_and_the_management_account_does_not(
    server: MotoServer, org: Organization, admin: Admin
) -> None:
    admin.create(Tags=[{"Key": "pci-config", "Value": "managed"}])
    operation = admin.deploy(org.root)
    first = admin("describe_stack_set_operation", OperationId=operation)["StackSetOperation"]
    assert (first["Status"], first["Action"]) == ("RUNNING", "CREATE")
    assert admin.results(operation) == {"PENDING": 24}
    assert admin.wait(operation)["Status"] == "SUCCEEDED"
    assert admin.polls >= 2, "it took a few polls"
    assert set(admin.instances()) == {(account, region) for account in org.members for region in BOTH}
    assert admin.statuses() == {("CURRENT", "SUCCEEDED"): 24}
    assert {mark(server, account, region) for account in org.members for region in BOTH} == {"one none"}
    assert mark(server, MANAGEMENT) == ""
    stack_id = admin.instances()[org.members[3], REGION]["StackId"]
    formation = server.clients(org.members[3], REGION).build_client("cloudformation")
    (stack,) = formation.describe_stacks(StackName=stack_id)["Stacks"]
    assert stack["StackName"].startswith(f"StackSet-{NAME}-")
    assert stack["Tags"] == [{"Key": "pci-config", "Value": "managed"}]
    about = admin("describe_stack_set")["StackSet"]
    assert (about["OrganizationalUnitIds"], about["Regions"]) == ([org.root], sorted(BOTH))
    assert admin.run(org.root, operation="delete_stack_instances", RetainStacks=False) == "SUCCEEDED"
    assert {mark(server, account) for account in org.members} == {""}
    admin("delete_stack_set")
    assert admin.client.list_stack_sets(Status="ACTIVE", **AS)["Summaries"] == []
    refused("StackSetNotFoundException", admin, "describe_stack_set")


@pytest.mark.parametrize(("kind", "chosen"), [("INTERSECTION", True), ("DIFFERENCE", False)])
def test_account_filters(server: MotoServer, org: Organization, admin: Admin, kind: str, chosen: bool) -> None:
    admin.create()
    inner = org.below(org.inner)
    named = inner[:2]
    admin.run(org.inner, targets={"Accounts": named, "AccountFilterType": kind})
    expected = named if chosen else inner[2:]
    assert {account for account, _ in admin.instances()} == set(expected)
    message = refused("ValidationError", admin.deploy, org.inner, targets={"Accounts": named})
    assert "UNION is not supported" in message


def test_units_below_the_target_only(org: Organization, admin: Admin) -> None:
    admin.create()
    admin.run(org.middle, regions=[REGION])
    assert {account for account, _ in admin.instances()} == {*org.below(org.middle), *org.below(org.inner)}
    assert {one["OrganizationalUnitId"] for one in admin.instances().values()} == {org.middle}
    refused("ValidationError", admin.deploy, "ou-abcd-12345678")


# ------------------------------------------------------------------------------------------------------------- updates


def test_an_update_redeploys_what_is_behind_and_nothing_else(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    admin.run(org.root)
    targets = {"OrganizationalUnitIds": [org.inner]}
    request = {"TemplateBody": template("two"), "Parameters": [{"ParameterKey": "Wish", "ParameterValue": "more"}]}
    partly = admin("update_stack_set", DeploymentTargets=targets, Regions=BOTH, OperationPreferences=ALL_AT_ONCE, **request)
    assert admin.wait(partly["OperationId"])["Status"] == "SUCCEEDED"
    inner = org.below(org.inner)
    assert {mark(server, account) for account in inner} == {"two more"}
    assert {mark(server, account) for account in org.members if account not in inner} == {"one none"}
    assert admin.statuses() == {("CURRENT", "SUCCEEDED"): 8, ("OUTDATED", "PENDING"): 16}

    events = _updates(server, inner[0])
    rest = admin(
        "update_stack_set",
        UsePreviousTemplate=True,
        OperationPreferences=ALL_AT_ONCE,
        Parameters=[{"ParameterKey": "Wish", "UsePreviousValue": True}],
    )
    assert admin.wait(rest["OperationId"])["Status"] == "SUCCEEDED"
    assert admin.statuses() == {("CURRENT", "SUCCEEDED"): 24}
    assert {mark(server, account, region) for account in org.members for region in BOTH} == {"two more"}
    assert _updates(server, inner[0]) == events, "an account that is up to date is left alone"


def _updates(server: MotoServer, account: str) -> int:
    formation = server.clients(account, REGION).build_client("cloudformation")
    (stack,) = formation.describe_stacks()["Stacks"]
    return len(formation.describe_stack_events(StackName=stack["StackName"])["StackEvents"])


def test_overrides_stay_through_updates(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    wish = [{"ParameterKey": "Wish", "ParameterValue": "own"}]
    admin.run(org.inner, regions=[REGION], ParameterOverrides=wish)
    account = org.below(org.inner)[0]
    assert mark(server, account) == "one own"
    admin.wait(admin("update_stack_set", TemplateBody=template("two"), OperationPreferences=ALL_AT_ONCE)["OperationId"])
    assert mark(server, account) == "two own"
    described = admin("describe_stack_instance", StackInstanceAccount=account, StackInstanceRegion=REGION)["StackInstance"]
    assert described["ParameterOverrides"] == wish
    admin.run(org.inner, regions=[REGION], operation="update_stack_instances", ParameterOverrides=[])
    assert mark(server, account) == "two none"
    refused(
        "StackInstanceNotFoundException",
        admin,
        "describe_stack_instance",
        StackInstanceAccount=ADMIN,
        StackInstanceRegion=REGION,
    )


def test_a_template_from_a_bucket(server: MotoServer, org: Organization, admin: Admin) -> None:
    s3 = server.clients(ADMIN, REGION).build_client("s3")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="artifacts", Key="templates/a.yaml", Body=template("stored").encode())
    url = f"https://artifacts.s3.{REGION}.amazonaws.com/templates/a.yaml"
    given = {"PermissionModel": "SERVICE_MANAGED", "AutoDeployment": AUTOMATIC}
    assert "does not exist" in refused("ValidationError", admin, "create_stack_set", TemplateURL=url + "x", **given)
    refused("ValidationError", admin, "create_stack_set", TemplateURL=url.replace("https", "http"), **given)
    admin("create_stack_set", TemplateURL=url, **given)
    admin.run(org.inner, regions=[REGION])
    assert mark(server, org.below(org.inner)[0]) == "stored none"


# ------------------------------------------------------------------------------------------------------------ failures


def test_a_failing_account_within_the_tolerance(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    bad = org.members[4]
    stack_sets_service.faults(ADMIN, REGION).failing[bad] = "the account refuses"
    preferences = {"FailureToleranceCount": 1, "MaxConcurrentCount": 3, "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}
    done = admin.wait(admin.deploy(org.root, OperationPreferences=preferences))
    assert (done["Status"], done["StatusDetails"]["FailedStackInstancesCount"]) == ("SUCCEEDED", 2)
    assert admin.results(done["OperationId"]) == {"SUCCEEDED": 22, "FAILED": 2}
    assert admin.polls == 1 + 1 + 2 * 4, "eleven accounts, three at a time, Region by Region, after a wait"
    failed = admin.instances(Filters=[{"Name": "DETAILED_STATUS", "Values": "FAILED"}])
    assert {account for account, _ in failed} == {bad}
    assert {(one["Status"], one["StatusReason"]) for one in failed.values()} == {("OUTDATED", "the account refuses")}

    stack_sets_service.faults(ADMIN, REGION).failing.clear()
    assert admin.run(org.root) == "SUCCEEDED", "again, with a new operation: what is OUTDATED is tried again"
    assert mark(server, bad) == "one none"
    assert admin.statuses() == {("CURRENT", "SUCCEEDED"): 24}


def test_a_failure_beyond_the_tolerance_stops_the_rest(org: Organization, admin: Admin) -> None:
    admin.create()
    stack_sets_service.faults(ADMIN, REGION).failing[org.members[1], REGION] = "no"
    done = admin.wait(admin.deploy(org.root, OperationPreferences={"RegionOrder": [REGION]}))
    assert done["Status"] == "FAILED"
    assert admin.results(done["OperationId"]) == {"SUCCEEDED": 1, "FAILED": 1, "CANCELLED": 22}
    assert admin.statuses()["OUTDATED", "CANCELLED"] == 22


def test_what_a_resource_raises_is_the_reason_and_nothing_is_left(server: MotoServer, org: Organization, admin: Admin) -> None:
    account = org.members[2]
    iam = server.clients(account, REGION).build_client("iam")
    iam.create_role(RoleName="pci-config-rules", AssumeRolePolicyDocument="{}")
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "pci-config-rules", "AssumeRolePolicyDocument": {}}}
    message = refused("InsufficientCapabilitiesException", admin.create, template(Role=role))
    assert "CAPABILITY_NAMED_IAM" in message
    admin.create(template(Role=role), Capabilities=["CAPABILITY_NAMED_IAM"])
    assert admin.run(org.root, regions=[REGION]) == "SUCCEEDED"
    instance = admin.instances()[account, REGION]
    assert (instance["Status"], instance["StackInstanceStatus"]["DetailedStatus"]) == ("OUTDATED", "FAILED")
    assert "already exists" in instance["StatusReason"]
    assert mark(server, account) == ""
    assert server.clients(account, REGION).build_client("cloudformation").describe_stacks()["Stacks"] == []
    assert iam.get_role(RoleName="pci-config-rules")["Role"]["RoleName"] == "pci-config-rules"


def test_a_failed_deletion_leaves_it_inoperable(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    admin.run(org.inner, regions=[REGION])
    bad = org.below(org.inner)[1]
    stack_sets_service.faults(ADMIN, REGION).failing_deletes[bad] = "it is in use"
    again = {"regions": [REGION], "operation": "delete_stack_instances"}
    assert admin.run(org.inner, RetainStacks=False, **again) == "SUCCEEDED"
    ((place, left),) = admin.instances().items()
    assert (place[0], left["Status"], left["StatusReason"]) == (bad, "INOPERABLE", "it is in use")
    refused("StackSetNotEmptyException", admin, "delete_stack_set")
    admin.wait(admin("update_stack_set", TemplateBody=template("two"))["OperationId"])
    assert mark(server, bad) == "one none", "an inoperable stack is not updated"
    assert admin.run(org.inner, RetainStacks=True, **again) == "SUCCEEDED"
    assert admin.instances() == {}
    assert mark(server, bad) == "one none", "the stack itself stays"


def test_a_suspended_account_is_skipped(org: Organization, admin: Admin) -> None:
    admin.create()
    org.client.close_account(AccountId=org.members[7])
    assert admin.run(org.root, regions=[REGION]) == "SUCCEEDED"
    instance = admin.instances()[org.members[7], REGION]
    assert instance["StackInstanceStatus"]["DetailedStatus"] == "SKIPPED_SUSPENDED_ACCOUNT"
    assert admin.statuses()["CURRENT", "SUCCEEDED"] == 11


# ---------------------------------------------------------------------------------------------------------- operations


def test_one_operation_at_a_time_unless_execution_is_managed(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    faults = stack_sets_service.faults(ADMIN, REGION)
    faults.held = True
    running = admin.deploy(org.inner, regions=[REGION], OperationId="first")
    refused("OperationInProgressException", admin, "update_stack_set", TemplateBody=template("two"))
    refused("OperationInProgressException", admin, "delete_stack_set")
    assert admin.deploy(org.inner, regions=[REGION], OperationId="first") == running, "the same request again"
    refused("OperationIdAlreadyExistsException", admin.deploy, org.outer, OperationId="first")
    refused("InvalidOperationException", admin, "update_stack_set", TemplateBody=template(), ManagedExecution={"Active": True})
    faults.held = False
    admin.wait(running)
    admin.wait(
        admin(
            "update_stack_set", UsePreviousTemplate=True, ManagedExecution={"Active": True}, OperationPreferences=ALL_AT_ONCE
        )["OperationId"]
    )
    one = admin.deploy(org.middle, regions=[REGION])
    two = admin("update_stack_set", TemplateBody=template("two"), OperationPreferences=ALL_AT_ONCE)["OperationId"]
    assert admin("describe_stack_set_operation", OperationId=two)["StackSetOperation"]["Status"] == "QUEUED"
    assert admin.wait(two)["Status"] == "SUCCEEDED"
    assert admin.wait(one)["Status"] == "SUCCEEDED"
    assert mark(server, org.below(org.middle)[0]) == "two none"
    refused("OperationNotFoundException", admin, "describe_stack_set_operation", OperationId="none")


def test_a_stopped_operation(org: Organization, admin: Admin) -> None:
    admin.create()
    operation = admin.deploy(org.root, OperationPreferences={"MaxConcurrentCount": 1})
    for _ in range(4):
        admin("describe_stack_set_operation", OperationId=operation)
    admin("stop_stack_set_operation", OperationId=operation)
    assert admin.wait(operation)["Status"] == "STOPPED"
    results = admin.results(operation)
    assert results["CANCELLED"] == 24 - results["SUCCEEDED"] < 24
    refused("InvalidOperationException", admin, "stop_stack_set_operation", OperationId=operation)


def test_an_operation_that_is_held_goes_on_later(org: Organization, admin: Admin) -> None:
    admin.create()
    operation = admin.deploy(org.root)
    faults = stack_sets_service.faults(ADMIN, REGION)
    faults.held = True
    for _ in range(5):
        assert admin("describe_stack_set_operation", OperationId=operation)["StackSetOperation"]["Status"] == "RUNNING"
    faults.held = False
    assert admin.wait(operation)["Status"] == "SUCCEEDED"
    faults.throttled = lambda name, _request: name == "ListStackSets"
    refused("Throttling", admin.client.list_stack_sets, **AS)


def test_concurrency_follows_the_preferences(org: Organization, admin: Admin) -> None:
    admin.create()
    preferences = {"MaxConcurrentPercentage": 25, "FailureTolerancePercentage": 100, "RegionConcurrencyType": "PARALLEL"}
    admin.wait(admin.deploy(org.root, OperationPreferences=preferences))
    assert admin.polls == 1 + 1 + 4, "three of twelve at a time, both Regions together, after a wait"
    both = {"MaxConcurrentCount": 1, "MaxConcurrentPercentage": 5}
    refused("ValidationError", admin.deploy, org.root, OperationPreferences=both)


# ------------------------------------------------------------------------------------------------ automatic deployment


def test_an_account_that_joins_gets_the_stacks_and_one_that_leaves_loses_them(
    server: MotoServer, org: Organization, admin: Admin
) -> None:
    admin.create()
    admin.run(org.outer)
    before = len(admin.instances())
    joined = org.join("late", org.inner)
    admin.settle()
    assert len(admin.instances()) == before + 2
    assert mark(server, joined) == "one none"
    org.move(joined, org.outer)
    admin.settle()
    assert mark(server, joined) == "one none", "it is still below the target"
    org.move(joined, org.root)
    operations = admin.settle()
    assert operations[0]["Action"] == "DELETE"
    assert mark(server, joined) == mark(server, joined, OTHER_REGION) == ""
    assert len(admin.instances()) == before
    gone = org.below(org.inner)[0]
    org.client.remove_account_from_organization(AccountId=gone)
    admin.settle()
    assert (gone, REGION) not in admin.instances()


def test_an_account_that_moves_between_targets_is_deployed_anew(server: MotoServer, org: Organization, admin: Admin) -> None:
    other = org.client.create_organizational_unit(ParentId=org.root, Name="other")["OrganizationalUnit"]["Id"]
    admin.create()
    admin.run(org.inner, regions=[REGION])
    admin.run(other, regions=BOTH)
    targets = admin("list_stack_set_auto_deployment_targets")["Summaries"]
    assert {one["OrganizationalUnitId"]: one["Regions"] for one in targets} == {org.inner: [REGION], other: BOTH}
    mover = org.below(org.inner)[0]
    before = admin.instances()[mover, REGION]["StackId"]
    org.move(mover, other)
    created, deleted = admin.settle()[:2]
    assert (deleted["Action"], created["Action"]) == ("DELETE", "CREATE")
    assert admin.instances()[mover, REGION]["StackId"] != before
    assert mark(server, mover, OTHER_REGION) == "one none"
    assert admin.instances()[mover, REGION]["OrganizationalUnitId"] == other
    admin.run(other, operation="delete_stack_instances", regions=[OTHER_REGION], RetainStacks=False)
    targets = admin("list_stack_set_auto_deployment_targets")["Summaries"]
    assert {one["OrganizationalUnitId"]: one["Regions"] for one in targets} == {org.inner: [REGION], other: [REGION]}


def test_stacks_stay_in_an_account_that_leaves_if_the_stack_set_says_so(
    server: MotoServer, org: Organization, admin: Admin
) -> None:
    admin.create(AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": True})
    admin.run(org.inner, regions=[REGION])
    leaver = org.below(org.inner)[0]
    org.move(leaver, org.root)
    admin.settle()
    assert (leaver, REGION) not in admin.instances()
    assert mark(server, leaver) == "one none"


def test_filters_do_not_hold_for_accounts_that_join_later(server: MotoServer, org: Organization, admin: Admin) -> None:
    admin.create()
    admin.run(org.inner, targets={"Accounts": org.below(org.inner)[:1], "AccountFilterType": "INTERSECTION"})
    joined = org.join("late", org.inner)
    admin.settle()
    assert {account for account, _ in admin.instances()} == {joined, org.below(org.inner)[0]}


def test_automatic_deployment_keeps_the_order_between_stack_sets(server: MotoServer, org: Organization, admin: Admin) -> None:
    first = admin.create(StackSetName="first")
    arn = admin("describe_stack_set", StackSetName=first)["StackSet"]["StackSetARN"]
    second = template().replace("/deployed", "/second")
    depends = {**AUTOMATIC, "DependsOn": [arn]}
    refused("ValidationError", admin.create, AutoDeployment={**AUTOMATIC, "DependsOn": [arn + "x"]})
    admin.create(second, AutoDeployment=depends)
    for name in ("first", NAME):
        admin.deploy(org.root, regions=[REGION], StackSetName=name)
        admin.settle(name)
    joined = org.join("late", org.inner)
    admin("describe_stack_set")
    for _ in range(20):
        behind = admin("list_stack_set_operations")["Summaries"][0]
        ahead = admin("list_stack_set_operations", StackSetName="first")["Summaries"][0]
        assert behind["Status"] == "QUEUED" or ahead["Status"] == "SUCCEEDED"
    assert (ahead["Status"], behind["Status"]) == ("SUCCEEDED", "SUCCEEDED")

    failing = org.join("later", org.inner)
    stack_sets_service.faults(ADMIN, REGION).failing[failing] = "no"
    admin.settle("first")
    behind = admin.settle()[0]
    assert (behind["Status"], behind["StatusReason"]) == ("FAILED", "A StackSet that this one depends on failed")
    assert admin.instances()[failing, REGION]["StackInstanceStatus"]["DetailedStatus"] == "CANCELLED"
    assert mark(server, joined) == "one none"


def test_without_automatic_deployment_nothing_happens_to_new_accounts(org: Organization, admin: Admin) -> None:
    admin.create(AutoDeployment={"Enabled": False})
    admin.run(org.root)
    joined = org.join("late", org.inner)
    admin.settle()
    assert (joined, REGION) not in admin.instances()


# ------------------------------------------------------------------------------------------------------------ refusals


REFUSED: dict[str, Mapping[str, Any]] = {
    "of service-managed permissions only": {"PermissionModel": "SELF_MANAGED"},
    "AdministrationRoleARN": {"AdministrationRoleARN": f"arn:aws:iam::{ADMIN}:role/administration"},
    "does not imitate AWS::Nope::Nothing": {"TemplateBody": template(kind="AWS::Nope::Nothing")},
    "no nested stacks": {"TemplateBody": template(kind="AWS::CloudFormation::Stack")},
    "no macros": {"TemplateBody": json.dumps({**json.loads(template()), "Transform": "AWS::Serverless-2016-10-31"})},
    "do not exist in the template": {"Parameters": [{"ParameterKey": "Nope", "ParameterValue": "1"}]},
    "must have length": {"TemplateBody": template("x" * 51_200)},
    "RetainStacksOnAccountRemoval": {"AutoDeployment": {"Enabled": True}},
    "enabled automatic deployment only": {"AutoDeployment": {"Enabled": False, "RetainStacksOnAccountRemoval": True}},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_requests(org: Organization, admin: Admin, message: str) -> None:
    assert message in refused("ValidationError", admin.create, **REFUSED[message])


def test_refused_operations(org: Organization, admin: Admin) -> None:
    admin.create()
    refused("ValidationError", admin, "create_stack_instances", Accounts=[ADMIN], Regions=BOTH)
    refused("ValidationError", admin, "update_stack_set", TemplateBody=template(), UsePreviousTemplate=True)
    targets = {"DeploymentTargets": {"OrganizationalUnitIds": [org.root]}, "Regions": BOTH}
    message = refused(
        "ValidationError", admin, "update_stack_set", TemplateBody=template(), AutoDeployment=AUTOMATIC, **targets
    )
    assert "don't specify DeploymentTargets" in message
    refused("ValidationError", admin, "create_stack_instances", DeploymentTargets=targets["DeploymentTargets"], Regions=[])


def test_over_http(org: Organization) -> None:
    """The same by requests to a server: shapes, lists and errors."""
    with MotoServer("http") as server:
        there = organization(server, 4)
        admin = Admin(server)
        admin.create(ManagedExecution={"Active": True})
        assert admin.run(there.root) == "SUCCEEDED"
        assert admin.statuses() == {("CURRENT", "SUCCEEDED"): 8}
        assert mark(server, there.members[3], OTHER_REGION) == "one none"
        about = admin("describe_stack_set")["StackSet"]
        assert about["ManagedExecution"] == {"Active": True}
        assert about["AutoDeployment"] == AUTOMATIC
        refused("StackSetNotFoundException", admin, "describe_stack_set", StackSetName="none")
