"""Parts of the deployment by themselves: waiting, what is told to people, releases, plans, and states that a sandbox never has."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from pci_config.deploy.changes import CREATE, RETRY, UNCHANGED, UPDATE, Change
from pci_config.deploy.deployer import Deployer, Organization
from pci_config.deploy.desired import PackSpec, StackSpec, desired
from pci_config.deploy.packs import PackRollout, PackState, pack_change
from pci_config.deploy.problems import DeployError, Failure, Outcome, account_fix, doing
from pci_config.deploy.release import KEPT_RELEASES, History, Release, Store, sha256
from pci_config.deploy.stack_sets import Instance, StackSetState, counted_places, differences, failures, gaps
from pci_config.deploy.stacks import roll_out_stack, stack_change
from pci_config.deploy.templates import parameter_list, place, same_template
from pci_config.deploy.waiting import Waiting, until, when_free
from pci_config.org_names import pack_key, template_key
from pci_config.rdk_json import RdkJson, SettingsError

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
MANAGEMENT, ADMIN = "100000000001", "200000000002"


def refusal(code: str, message: str = "no", operation: str = "X") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Fake:
    """A client whose operations answer what they are given: a value, an exception, or the next of a list of them."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[tuple[str, dict[str, Any]]]()

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            answer = self.answers[operation]
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Session:
    def __init__(self, **clients: Fake) -> None:
        self.clients = clients

    def client(self, service: str, **_: Any) -> Any:
        return self.clients[service]


class Moment:
    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def waiting(self, timeout: float = 100) -> Waiting:
        return Waiting(timeout, first=2, longest=30, sleep=self.sleep, clock=lambda: self.now)


@pytest.fixture
def rdk_json(root: Path) -> RdkJson:
    return RdkJson.load(root / "rdk.json")


def deployer(rdk_json: RdkJson, single: bool = False, **clients: Fake) -> Deployer:
    identity = Fake(get_caller_identity={"Account": ADMIN})
    made = Deployer(Session(sts=identity, **clients), rdk_json, single, Moment().waiting())
    made.__dict__["organization"] = Organization(
        "o-abcdefghij", MANAGEMENT, ("r-root",), frozenset(ACCOUNTS), frozenset((*ACCOUNTS, MANAGEMENT))
    )
    return made


# ------------------------------------------------------------------------------------------------------------- waiting


def course(name: str, steps: int, seen: list[str]) -> Generator[None, None, str]:
    for _ in range(steps):
        seen.append(name)
        yield
    return name


def test_courses_go_on_side_by_side_and_pauses_grow_until_one_ends() -> None:
    moment, seen = Moment(), list[str]()
    answers = moment.waiting().together({"a": course("a", 1, seen), "b": course("b", 4, seen)})
    assert answers == {"a": "a", "b": "b"}
    assert seen == ["a", "b", "b", "b", "b"]
    assert moment.pauses == [2, 2, 4, 8]


def test_waiting_ends_and_names_what_is_not_finished() -> None:
    moment = Moment()
    with pytest.raises(DeployError, match=r"not finished after 2 minutes: slow\n.*run the same command again"):
        moment.waiting(100).together({"slow": course("slow", 1000, []), "quick": course("quick", 1, [])})
    assert max(moment.pauses) == 30
    assert 100 <= moment.now < 170


def test_a_busy_service_is_asked_again_and_another_refusal_is_not() -> None:
    busy = Fake(go=[refusal("OperationInProgressException"), refusal("ResourceInUseException"), {"Id": "1"}], stop=refusal("X"))
    moment = Moment()
    assert moment.waiting().alone("x", when_free(busy.go, Name="n")) == {"Id": "1"}
    assert busy.asked == [("go", {"Name": "n"})] * 3
    with pytest.raises(ClientError):
        moment.waiting().alone("x", when_free(busy.stop))


def test_until_is_over_with_the_first_answer_also_when_that_is_false() -> None:
    answers = iter((None, None, False))
    moment = Moment()
    assert moment.waiting().alone("x", until(lambda: next(answers))) is False
    assert len(moment.pauses) == 2


# ------------------------------------------------------------------------------------------------------------ problems


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refusal("AccessDeniedException", "not you"), r"cannot do it: AccessDeniedException: not you\n.*delegated admin"),
        (refusal("ExpiredToken", "old"), r"cannot do it: ExpiredToken: old\n.*sign in again"),
        (refusal("LimitExceededException", "100"), r"what to do: ask Service Quotas"),
        (refusal("ValidationError", "You must enable organizations access to"), "activate-organizations-access"),
        (refusal("ValidationError", "must be the management account or delegated admin"), "register-delegated-administrator"),
        (refusal("ValidationError", "bad"), "run `pci-config build`"),
        (refusal("Odd", "?"), r"cannot do it: Odd: \?\n.*mend what the message names"),
        (NoCredentialsError(), r"cannot do it: there are no credentials\n.*--profile"),
        (EndpointConnectionError(endpoint_url="https://x"), r"(?s)cannot do it: .*see that AWS can be reached"),
    ],
)
def test_what_aws_refuses_is_told_with_what_to_do(error: Exception, told: str) -> None:
    with pytest.raises(DeployError, match=told), doing("do it"):
        raise error


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("NoAvailableConfigurationRecorderException: x", "turn on the configuration recorder"),
        ("The AWS Lambda function cannot be invoked", "the function was not there"),
        ("explicit deny in a service control policy", "exempt the role stacksets-exec-"),
        ("Role pci-config-rules already exists", "delete or rename"),
        ("not authorized to perform lambda:CreateFunction", "see which policy denies"),
        ("Code storage limit exceeded", "raise the quota"),
        ("stack is in ROLLBACK_COMPLETE state", "delete the named stack"),
        ("The document PciConfig-X does not exist", "the remediation document was not there"),
        ("?", "look at the events"),
    ],
)
def test_reasons_of_accounts_come_with_a_fix(reason: str, fix: str) -> None:
    assert account_fix(reason).startswith(fix)


def test_failures_are_one_line_each_and_sorted_in_the_document() -> None:
    failed = [Failure.because(account, "eu-west-1", "pci-dss", " a\n b ") for account in reversed(ACCOUNTS)]
    document = Outcome(failed, "packs").document()
    assert [each["account"] for each in document["failures"]] == list(ACCOUNTS)
    assert document["failures"][0]["reason"] == "a b"
    assert document["completed"] is False
    assert Failure.because("1", "r", "p", "").reason == "AWS gives no reason"


# ------------------------------------------------------------------------------------------------------------ releases


def release(bundle: str, **packs: str) -> Release:
    return Release("1.0", bundle, {"artifacts": "a", "delegated_admin": "d", "member_global": "g"}, packs or {"pci-dss": "p"})


def test_a_release_is_its_content() -> None:
    assert release("1").id == Release("2.0", "1", release("1").templates, release("1").packs).id
    assert release("1").id != release("2").id != release("2", other="q").id
    assert Release.of_document(json.loads(json.dumps(release("1").document()))) == release("1")


def test_history_grows_by_what_is_new_and_goes_back_once() -> None:
    one, two = release("1"), release("2")
    history = History().begun(one).ended().begun(one)
    assert history.releases == (one,)
    history = history.ended().begun(two)
    assert (history.releases, history.completed) == ((one, two), False)
    back = history.gone_back()
    assert (back.newest, back.rollback, back.completed) == (one, True, False)
    assert back.gone_back() is back  # it was interrupted
    with pytest.raises(DeployError, match="no release before"):
        back.ended().gone_back()
    again = back.ended().begun(two)
    assert (again.releases, again.rollback, again.completed) == ((one, two), False, False)
    assert again.begun(release("3")).releases == (one, release("3"))  # the second was never rolled out
    many = History()
    for number in range(KEPT_RELEASES + 5):
        many = many.begun(release(str(number))).ended()
    assert len(many.releases) == KEPT_RELEASES
    assert many.newest == release(str(KEPT_RELEASES + 4))


def test_objects_that_are_there_are_not_put_again(rdk_json: RdkJson) -> None:
    s3 = Fake(head_object=[{}, refusal("404")], put_object={})
    store = Store(deployer(rdk_json, s3=s3), {"a": b"1", "b": b"2"})
    assert store.upload("eu-west-1", ["a", "b"]) == 1
    (put,) = [request for operation, request in s3.asked if operation == "put_object"]
    assert put["Key"] == "b"
    assert put["ExpectedBucketOwner"] == ADMIN
    with pytest.raises(DeployError, match="403"):
        Store(deployer(rdk_json, s3=Fake(head_object=refusal("403"))), {"a": b""}).upload("eu-west-1", ["a"])


def test_an_artefact_that_is_gone_is_named(rdk_json: RdkJson) -> None:
    store = Store(deployer(rdk_json, s3=Fake(get_object=refusal("NoSuchKey"))))
    with pytest.raises(DeployError, match=rf"s3://pci-config-artifacts-{ADMIN}-eu-west-1/bundles/x.zip is missing"):
        store.content("bundles/x.zip")


# -------------------------------------------------------------------------------------------------------------- stacks

TEMPLATE = "Parameters: {A: {Type: String}, B: {Type: String, Default: b}}\nResources: {}\n"
SHA = sha256(TEMPLATE.encode())
SPEC = StackSpec("pci-config-x", SHA, ("eu-west-1",), {"A": "1"}, {"pci-config": "managed"})


def formation(*statuses: str, **answers: Any) -> Fake:
    """A stack that is in these states one after the other; "" is none."""
    none = refusal("ValidationError", "Stack with id pci-config-x does not exist")
    parameters = [{"ParameterKey": "A", "ParameterValue": "0"}, {"ParameterKey": "B", "ParameterValue": "kept"}]
    described = [{"Stacks": [{"StackStatus": s, "Parameters": parameters}]} if s else none for s in statuses]
    return Fake(describe_stacks=described, get_template={"TemplateBody": TEMPLATE}, **answers)


def store_of(made: Deployer) -> Store:
    return Store(made, {template_key(SHA): TEMPLATE.encode()})


@pytest.mark.parametrize(
    ("status", "action", "told"),
    [
        ("", CREATE, ()),
        ("ROLLBACK_COMPLETE", CREATE, ("deletes what is there: ROLLBACK_COMPLETE",)),
        ("DELETE_FAILED", CREATE, ("deletes what is there: DELETE_FAILED",)),
        ("UPDATE_ROLLBACK_COMPLETE", UPDATE, ("parameter A: 0 -> 1",)),
        ("CREATE_COMPLETE", UPDATE, ("parameter A: 0 -> 1",)),
    ],
)
def test_what_is_to_be_done_to_a_stack(rdk_json: RdkJson, status: str, action: str, told: tuple[str, ...]) -> None:
    made = deployer(rdk_json, cloudformation=formation(status))
    assert stack_change(made, store_of(made), SPEC, "eu-west-1") == Change("stack", SPEC.name, "eu-west-1", action, told)


def test_a_half_made_stack_is_deleted_and_made_anew(rdk_json: RdkJson) -> None:
    fake = formation(
        "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "", "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE", delete_stack={}, create_stack={},
    )  # fmt: skip
    made = deployer(rdk_json, cloudformation=fake)
    made.waiting.alone("x", roll_out_stack(made, store_of(made), SPEC, "eu-west-1"))
    assert [operation for operation, _ in fake.asked if not operation.startswith(("describe", "get"))] == [
        "delete_stack",
        "create_stack",
    ]


def test_an_update_keeps_parameters_that_are_not_ours(rdk_json: RdkJson) -> None:
    fake = formation("UPDATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_COMPLETE")
    fake.answers["update_stack"] = {}
    made = deployer(rdk_json, cloudformation=fake)
    made.waiting.alone("x", roll_out_stack(made, store_of(made), SPEC, "eu-west-1"))
    (request,) = [request for operation, request in fake.asked if operation == "update_stack"]
    assert request["Parameters"] == [
        {"ParameterKey": "A", "ParameterValue": "1"},
        {"ParameterKey": "B", "UsePreviousValue": True},
    ]


def test_a_stack_that_fails_says_what_failed_first_in_this_attempt(rdk_json: RdkJson) -> None:
    events = [
        {"LogicalResourceId": "x", "ResourceStatus": "ROLLBACK_IN_PROGRESS", "ResourceStatusReason": "[Bucket] failed"},
        {"LogicalResourceId": "Key", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "creation cancelled"},
        {"LogicalResourceId": "Bucket", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "already exists"},
        {"LogicalResourceId": "x", "ResourceStatus": "CREATE_IN_PROGRESS", "ResourceStatusReason": "User Initiated"},
        {"LogicalResourceId": "Old", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "of a former attempt"},
    ]
    fake = formation("", "", "ROLLBACK_COMPLETE", create_stack={}, describe_stack_events={"StackEvents": events})
    made = deployer(rdk_json, cloudformation=fake)
    with pytest.raises(DeployError, match=r"is ROLLBACK_COMPLETE: Bucket: already exists\n.*delete or rename"):
        made.waiting.alone("x", roll_out_stack(made, store_of(made), SPEC, "eu-west-1"))


def test_parameters_of_another_version_are_refused_with_what_to_do(rdk_json: RdkJson) -> None:
    made = deployer(rdk_json)
    renamed = StackSpec("x", SHA, (), {"A": "1", "Old": "2"})
    with pytest.raises(DeployError, match="has no parameter Old: it was built by another version"):
        parameter_list(renamed, store_of(made))
    with pytest.raises(DeployError, match="wants A, which this version"):
        parameter_list(StackSpec("x", SHA, ()), store_of(made))
    assert parameter_list(StackSpec("x", SHA, ()), store_of(made), ["A", "Gone"]) == [
        {"ParameterKey": "A", "UsePreviousValue": True}
    ]


def test_a_long_template_is_named_by_its_place(rdk_json: RdkJson) -> None:
    made = deployer(rdk_json)
    assert place(made, "x" * 51_200, "s") == {"TemplateBody": "x" * 51_200}
    where = {"TemplateURL": f"https://pci-config-artifacts-{ADMIN}-eu-west-1.s3.eu-west-1.amazonaws.com/templates/s.yaml"}
    assert place(made, "x" * 51_201, "s") == where
    assert same_template("a: [1]\n", "# comment\na:\n- 1\n")
    assert not same_template("a: 1", "a: 2")


# ----------------------------------------------------------------------------------------------------------- StackSets


def state(instances: Mapping[tuple[str, str], str], **described: Any) -> StackSetState:
    found = {
        place: Instance(*place, status, "FAILED" if status != "CURRENT" else "SUCCEEDED", "", "r-root")
        for place, status in instances.items()
    }
    return StackSetState("pci-config-x", "arn:x", {"OrganizationalUnitIds": ["r-root"], **described}, found)


def test_gaps_are_missing_failed_and_surplus_instances(rdk_json: RdkJson) -> None:
    made = deployer(rdk_json)
    there = {
        (ACCOUNTS[0], "eu-west-1"): "CURRENT",
        (ACCOUNTS[1], "eu-west-1"): "OUTDATED",
        (ACCOUNTS[0], "ap-south-1"): "CURRENT",
        ("999999999999", "eu-west-1"): "OUTDATED",  # suspended: AWS removes it
    }
    found = gaps(made, SPEC, state(there))
    assert found.missing == {(ACCOUNTS[2], "eu-west-1")}
    assert found.retried == {(ACCOUNTS[1], "eu-west-1")}
    assert found.surplus == {(ACCOUNTS[0], "ap-south-1")}
    assert list(found) == [
        f"add 1 account ({ACCOUNTS[2]}) in eu-west-1",
        f"try again in 1 account ({ACCOUNTS[1]}) in eu-west-1",
        f"remove from 1 account ({ACCOUNTS[0]}) in ap-south-1",
    ]
    told = failures(made, SPEC, state(there))
    assert [(failure.account, failure.reason) for failure in told] == [
        (ACCOUNTS[1], "the stack instance is OUTDATED (FAILED)"),
        (ACCOUNTS[2], "there is no stack instance yet"),
    ]


def test_a_unit_that_is_no_more_a_target_is_left(rdk_json: RdkJson) -> None:
    made = deployer(rdk_json)
    whole = state({(account, "eu-west-1"): "CURRENT" for account in ACCOUNTS}, OrganizationalUnitIds=["r-root", "ou-old"])
    assert list(gaps(made, SPEC, whole)) == ["no longer deploy to ou-old"]


def test_what_differs_of_a_stack_set(rdk_json: RdkJson) -> None:
    made = deployer(rdk_json)
    store = store_of(made)
    right = {
        "TemplateBody": "# moved\n" + TEMPLATE,
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}],
        "Tags": [{"Key": "pci-config", "Value": "managed"}, {"Key": "pci-config:version", "Value": "0.0.1"}],
        "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
        "ManagedExecution": {"Active": True},
    }
    assert list(differences(store, SPEC, state({}, **right), {})) == []
    for changed, told in (
        ({"TemplateBody": "Resources: {}"}, "template"),
        ({"Parameters": []}, "parameter A: not set -> 1"),
        ({"Tags": []}, "tag pci-config"),
        ({"AutoDeployment": {"Enabled": False}}, "automatic deployment"),
        ({"AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": True}}, "automatic deployment"),
        ({"ManagedExecution": {}}, "managed execution"),
    ):
        assert list(differences(store, SPEC, state({}, **{**right, **changed}), {})) == [told]
    depending = StackSpec(SPEC.name, SHA, SPEC.regions, SPEC.parameters, SPEC.tags, ("pci-config-member-global",))
    arns = {"pci-config-member-global": "arn:global"}
    assert list(differences(store, depending, state({}, **right), arns)) == ["automatic deployment"]


def test_places_are_counted_and_named_when_they_are_few() -> None:
    assert counted_places([("1", "b"), ("1", "a"), ("2", "a")]) == "2 accounts (1, 2) in a, 1 account (1) in b"
    assert counted_places([(str(n), "a") for n in range(4)]) == "4 accounts in a"


# --------------------------------------------------------------------------------------------------------------- packs

PACK = PackSpec("pci-dss", "eu-west-1", "s" * 64, frozenset({MANAGEMENT}))


@pytest.mark.parametrize(
    ("template", "excluded", "accounts", "action", "told"),
    [
        (PACK.template, PACK.excluded, {}, UNCHANGED, ()),
        ("", PACK.excluded, {}, UPDATE, ("template: what is deployed is not known, for a run was interrupted",)),
        ("t", PACK.excluded, {}, UPDATE, ("template",)),
        (PACK.template, frozenset({ACCOUNTS[0]}), {}, UPDATE, (f"exclude {MANAGEMENT}", f"include {ACCOUNTS[0]}")),
        (PACK.template, PACK.excluded, {ACCOUNTS[1]: ("CREATE_FAILED", "x")}, RETRY, (f"try again in {ACCOUNTS[1]}",)),
        (PACK.template, PACK.excluded, {"999999999999": ("CREATE_FAILED", "x")}, UNCHANGED, ()),  # no member of ours
    ],
)
def test_what_is_to_be_done_to_a_pack(
    rdk_json: RdkJson, template: str, excluded: frozenset[str], accounts: Any, action: str, told: tuple[str, ...]
) -> None:
    found = pack_change(deployer(rdk_json), PACK, PackState("CREATE_SUCCESSFUL", excluded, template, accounts))
    assert (found.action, found.differences) == (action, told)
    assert pack_change(deployer(rdk_json), PACK, None).action == CREATE


def config(*failing: str) -> Fake:
    """The pack of three accounts; one fails with these reasons, one after the other, then no more."""
    well = [{"AccountId": account, "Status": "UPDATE_SUCCESSFUL"} for account in ACCOUNTS[:2]]
    answers = [
        {"OrganizationConformancePackDetailedStatuses": [*well, _failed(reason)]} for reason in failing for _ in range(2)
    ]
    healed = {"AccountId": ACCOUNTS[2], "Status": "UPDATE_SUCCESSFUL"}
    return Fake(
        describe_organization_conformance_pack_statuses={
            "OrganizationConformancePackStatuses": [{"Status": "UPDATE_SUCCESSFUL"}]
        },
        describe_organization_conformance_packs={"OrganizationConformancePacks": [{"ExcludedAccounts": [MANAGEMENT]}]},
        get_organization_conformance_pack_detailed_status=[
            *answers,
            {"OrganizationConformancePackDetailedStatuses": [*well, healed]},
        ],
        put_organization_conformance_pack={},
    )


def _failed(reason: str) -> dict[str, str]:
    return {"AccountId": ACCOUNTS[2], "Status": "UPDATE_FAILED", "ErrorCode": "E", "ErrorMessage": reason}


def put_of(rdk_json: RdkJson, fake: Fake, unready: frozenset[str] = frozenset()) -> tuple[list[Failure], list[list[str]]]:
    s3 = Fake(get_object=refusal("NoSuchKey"), put_object={})
    made = deployer(rdk_json, config=fake, s3=s3)
    store = Store(made, {pack_key(PACK.template): b""})
    found = made.waiting.alone("pack", PackRollout(made, store, PACK, unready).run())
    puts = [request["ExcludedAccounts"] for operation, request in fake.asked if operation.startswith("put_organization")]
    return found, puts


def test_an_account_that_was_not_ready_gets_the_pack_again(rdk_json: RdkJson) -> None:
    found, puts = put_of(rdk_json, config("x", "The function cannot be invoked"))
    assert found == []
    assert puts == [[MANAGEMENT]] * 2


def test_an_account_that_stays_unready_is_tried_three_times_and_named(rdk_json: RdkJson) -> None:
    found, puts = put_of(rdk_json, config(*["The function cannot be invoked"] * 20))
    assert [failure.account for failure in found] == [ACCOUNTS[2]]
    assert found[0].reason == "E: The function cannot be invoked"
    assert len(puts) == 3


def test_what_does_not_pass_is_not_tried_again(rdk_json: RdkJson) -> None:
    assert len(put_of(rdk_json, config(*["no recorder"] * 9))[1]) == 1
    reason = "The function cannot be invoked"
    assert len(put_of(rdk_json, config(*[reason] * 9), frozenset({ACCOUNTS[2]}))[1]) == 1


def test_an_account_whose_stack_is_stuck_is_taken_out_and_in_again(rdk_json: RdkJson) -> None:
    found, puts = put_of(rdk_json, config("x", "stack awsconfigconforms-x is in DELETE_FAILED"))
    assert found == []
    assert puts == [[MANAGEMENT], sorted([MANAGEMENT, ACCOUNTS[2]]), [MANAGEMENT]]


# ------------------------------------------------------------------------------------------------------------ settings


def test_what_is_desired_follows_from_the_settings(rdk_json: RdkJson) -> None:
    fake = Fake(describe_stack_resource=refusal("ValidationError"))
    made = deployer(rdk_json, cloudformation=fake, s3=Fake(head_bucket=refusal("404")))
    wanted = desired(made, release("b", **{"pci-dss": "p", "pci-dss-global": "q"}))
    assert wanted.admin.parameters == {"OrganizationId": "o-abcdefghij", "CreateEvidenceBucket": "true"}
    assert [(pack.name, pack.region) for pack in wanted.packs] == [
        ("pci-dss", "eu-west-1"),
        ("pci-dss-global", "eu-west-1"),
        ("pci-dss", "us-east-1"),
    ]
    assert {pack.excluded for pack in wanted.packs} == {frozenset({MANAGEMENT})}
    for there in (Fake(head_bucket={}), Fake(head_bucket=refusal("403"))):
        other = deployer(rdk_json, cloudformation=fake, s3=there)
        assert desired(other, release("b")).admin.parameters["CreateEvidenceBucket"] == "false"
    made = Fake(describe_stack_resource={"StackResourceDetail": {"ResourceStatus": "CREATE_COMPLETE"}})
    own = deployer(rdk_json, cloudformation=made, s3=Fake(head_bucket={}))
    assert desired(own, release("b")).admin.parameters["CreateEvidenceBucket"] == "true"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("OrganizationalUnits", ["root"], "the root (r-…) or an organizational unit (ou-…)"),
        ("ExcludedAccounts", ["12"], "an account id of 12 digits"),
        ("FailureTolerancePercentage", 101, "100 or less"),
        ("MaxConcurrentPercentage", 0, "1 or more"),
        ("AlarmEmail", "oncall", "an e-mail address"),
        ("Recorder", "none", "'existing' or 'create'"),
        ("Nonsense", 1, "no such field"),
    ],
)
def test_settings_of_deployment_are_checked(root: Path, tmp_path: Path, field: str, value: Any, told: str) -> None:
    path = tmp_path / "rdk.json"
    path.write_text(json.dumps({**json.loads((root / "rdk.json").read_text()), "Deployment": {field: value}}))
    with pytest.raises(SettingsError) as raised:
        RdkJson.load(path)
    assert told in str(raised.value)
