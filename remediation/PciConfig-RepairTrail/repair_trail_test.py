"""PciConfig-RepairTrail: an organization trail is completed, another one kept safely; nothing that it recorded is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.runbook import Refused
from pci_config.sandbox import cloudtrail_service
from pci_config.trail import organization_gaps, selector_gaps, status_gaps, storage_gaps
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-RepairTrail"
script = load_script(DOCUMENT)
NAME, BUCKET, ELSEWHERE, OTHER = "organization-trail", "card-issuer-log-archive-trail-eu-west-1", "team-logs", "210987654321"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{NAME}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-4333-8444-555555555555"
GROUP, ROLE = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail:*", f"arn:aws:iam::{ACCOUNT}:role/pci-config-trail-to-logs"
GIVEN = {"KmsKeyArn": KEY, "CloudWatchLogsLogGroupArn": GROUP, "CloudWatchLogsRoleArn": ROLE, "ArchiveBucket": BUCKET}
GOOD: dict[str, Any] = {
    "S3BucketName": BUCKET,
    "IncludeGlobalServiceEvents": True,
    "IsMultiRegionTrail": True,
    "EnableLogFileValidation": True,
    "IsOrganizationTrail": True,
    "KmsKeyId": KEY,
    "CloudWatchLogsLogGroupArn": GROUP,
    "CloudWatchLogsRoleArn": ROLE,
}
NO_ALERTS: dict[str, Any] = {"CloudWatchLogsLogGroupArn": None, "CloudWatchLogsRoleArn": None}
ADDITIONAL = {"IsOrganizationTrail": False, "IsMultiRegionTrail": False, "IncludeGlobalServiceEvents": False}


def fields(**members: list[str]) -> dict[str, Any]:
    named = {"eventCategory": ["Data"], **{name.replace("_", "."): values for name, values in members.items()}}
    operator = {"resources.ARN": "StartsWith", "eventSource": "NotEquals", "eventName": "NotEquals"}
    return {"FieldSelectors": [{"Field": name, operator.get(name, "Equals"): values} for name, values in named.items()]}


def objects(*prefixes: str, **members: list[str]) -> dict[str, Any]:
    return fields(resources_type=["AWS::S3::Object"], resources_ARN=list(prefixes), **members)


def basic(kind: str = "All", management: bool = True, values: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    data = [{"Type": "AWS::S3::Object", "Values": list(values)}] if values else []
    return {
        "ReadWriteType": kind,
        "IncludeManagementEvents": management,
        "DataResources": data,
        "ExcludeManagementEventSources": [],
        **members,
    }


ALL_MANAGEMENT = fields(eventCategory=["Management"])
ARCHIVE = objects("arn:aws:s3:::card-issuer-log-archive-")
LAMBDA = fields(resources_type=["AWS::Lambda::Function"])
COMPLETE = [ALL_MANAGEMENT, ARCHIVE]


def client() -> Any:
    return boto3.client("cloudtrail", region_name=REGION)


def make(
    advanced: Any = COMPLETE, selectors: Any = None, logging: bool = True, name: str = NAME, **members: Any
) -> dict[str, str]:
    """A trail that is right but for what is told; its parameters for the document."""
    cloudtrail_service.install()
    s3 = boto3.client("s3", region_name="us-east-1")
    for bucket in (BUCKET, ELSEWHERE):
        s3.create_bucket(Bucket=bucket)
    wanted = {key: value for key, value in {**GOOD, **members}.items() if value is not None}
    client().create_trail(Name=name, **wanted)
    if selectors:
        client().put_event_selectors(TrailName=name, EventSelectors=selectors)
    elif advanced:
        client().put_event_selectors(TrailName=name, AdvancedEventSelectors=advanced)
    if logging:
        client().start_logging(Name=name)
    return {"TrailId": name, **GIVEN}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "stopped": partial(make, logging=False),
    "one Region, no global services": partial(make, IsMultiRegionTrail=False, IncludeGlobalServiceEvents=False),
    "not validated": partial(make, EnableLogFileValidation=False),
    "no key": partial(make, KmsKeyId=None),
    "nothing alerts": partial(make, **NO_ALERTS),
    "advanced: reads only": partial(
        make, advanced=[fields(eventCategory=["Management"], readOnly=["true"]), LAMBDA, ARCHIVE]
    ),
    "advanced: KMS left out": partial(
        make, advanced=[fields(eventCategory=["Management"], eventSource=["kms.amazonaws.com"]), ARCHIVE]
    ),
    "advanced: no object events": partial(make, advanced=[ALL_MANAGEMENT, LAMBDA]),
    "basic: as made": partial(make, advanced=None),
    "basic: writes only, KMS left out": partial(
        make,
        selectors=[basic("WriteOnly", values=("arn:aws:s3",), ExcludeManagementEventSources=["kms.amazonaws.com"]),
                   basic("ReadOnly", False, ("arn:aws:s3",))],
    ),
    "everything": partial(
        make, advanced=[objects("arn:aws:s3:::cards/")], logging=False, EnableLogFileValidation=False, KmsKeyId=None,
        IsMultiRegionTrail=False, **NO_ALERTS,
    ),
    "delivers elsewhere": lambda: {**make(S3BucketName=ELSEWHERE), "Repoint": "true"},
    "additional, kept elsewhere": lambda: {
        **make(**ADDITIONAL, S3BucketName=ELSEWHERE, KmsKeyId=None, EnableLogFileValidation=False, logging=False),
        "Repoint": "true",
    },
    "by its ARN": lambda: {**make(EnableLogFileValidation=False), "TrailId": ARN},
    "by the account": lambda: {**make(EnableLogFileValidation=False), "TrailId": ACCOUNT},
    "a bucket with card data": lambda: {**make(), "CdeBuckets": "cards-production, cards-*"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {"LogArchive": {"Account": OTHER, "Buckets": ["card-issuer-log-archive-*"]}})


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **parameters, **changes)


def restored(result: dict[str, Any], trail_id: str = NAME, **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), **{"TrailId": trail_id, **changes})


def state(name: str = NAME) -> dict[str, Any]:
    """Everything that CloudTrail tells of the trail, without moments."""
    (trail,) = [trail for trail in client().describe_trails()["trailList"] if trail["Name"] == name]
    selectors = client().get_event_selectors(TrailName=name)
    return {
        **{key: value for key, value in trail.items() if value},
        "logging": client().get_trail_status(Name=name)["IsLogging"],
        "basic": script.ordered(selectors.get("EventSelectors") or []),
        "advanced": script.ordered(selectors.get("AdvancedEventSelectors") or []),
    }


def gaps(buckets: tuple[str, ...] = ("card-issuer-log-archive-*",)) -> list[str]:
    """By the rule's predicates."""
    (trail,) = client().describe_trails()["trailList"]
    found = storage_gaps(trail, lambda name: name.startswith("card-issuer-log-archive-"))
    if trail["IsOrganizationTrail"]:
        found += organization_gaps(trail) + status_gaps(client().get_trail_status(Name=NAME))
        found += selector_gaps(client().get_event_selectors(TrailName=NAME), buckets)
    return found


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    assert (run(parameters, DryRun="true")["Outcome"], state()) == ("dry-run", before)
    assert run(parameters)["Outcome"] == "changed"
    after = state()
    cde = tuple(parameters.get("CdeBuckets", "").replace(" ", "").split(",")) if "CdeBuckets" in parameters else ()
    assert gaps(("card-issuer-log-archive-*", *cde)) == []
    again = run(parameters)
    assert (again["Outcome"], state()) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_leads_back(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    result = run(parameters)
    dry = restored(result, parameters["TrailId"], DryRun="true")
    assert dry["Outcome"] == "dry-run"
    back = restored(result, parameters["TrailId"])
    assert (back["Outcome"], state()) == ("changed", before)
    assert restored(result, parameters["TrailId"])["Outcome"] == "compliant"


@pytest.mark.parametrize(
    ("violation", "touched"),
    [
        ("stopped", {"logging"}),
        ("one Region, no global services", {"IsMultiRegionTrail", "IncludeGlobalServiceEvents"}),
        ("not validated", {"LogFileValidationEnabled"}),
        ("no key", {"KmsKeyId"}),
        ("nothing alerts", {"CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"}),
        ("advanced: no object events", {"advanced"}),
        ("basic: as made", {"basic", "advanced"}),
        ("delivers elsewhere", {"S3BucketName"}),
        ("additional, kept elsewhere", {"S3BucketName", "KmsKeyId", "LogFileValidationEnabled"}),
    ],
)
def test_only_what_is_wrong_changes(violation: str, touched: set[str]) -> None:
    parameters = VIOLATIONS[violation]()
    before = state()
    run(parameters)
    after = state()
    assert {name for name in after | before if after.get(name) != before.get(name)} == touched


def test_a_trail_that_is_right_is_left_alone() -> None:
    parameters = make()
    assert run(parameters)["Outcome"] == "compliant"
    client().update_trail(Name=NAME, IsOrganizationTrail=False, IsMultiRegionTrail=False)
    client().stop_logging(Name=NAME)
    assert run(parameters)["Outcome"] == "compliant", "of an additional trail only its storage is judged"


def test_good_selectors_stay_byte_for_byte() -> None:
    mine = [{**objects("arn:aws:s3:::cards/", readOnly=["true"]), "Name": "cards"}, LAMBDA]
    parameters = make(advanced=[mine[0], fields(eventCategory=["Management"], readOnly=["false"]), mine[1]])
    run(parameters)
    after = client().get_event_selectors(TrailName=NAME)["AdvancedEventSelectors"]
    assert [entry for entry in after if entry in mine] == mine
    assert len(after) == 4


def test_basic_selectors_stay_basic_where_they_can_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {"LogArchive": {"Buckets": [BUCKET]}})
    parameters = make(selectors=[basic("ReadOnly"), basic("WriteOnly", False, ("arn:aws:s3:::cards/",))])
    before = client().get_event_selectors(TrailName=NAME)["EventSelectors"]
    run(parameters)
    after = client().get_event_selectors(TrailName=NAME)
    assert after["EventSelectors"][0] == {**before[0], "ReadWriteType": "All"}
    assert after["EventSelectors"][1] == before[1]
    assert after["EventSelectors"][2] == basic("All", False, (f"arn:aws:s3:::{BUCKET}/",))
    assert len(after["EventSelectors"]) == 3


@pytest.mark.parametrize(
    ("members", "missing", "message"),
    [
        ({"KmsKeyId": None}, "KmsKeyArn", "needs KmsKeyId: run with KmsKeyArn"),
        (NO_ALERTS, "CloudWatchLogsLogGroupArn", "needs CloudWatchLogsLogGroupArn: run"),
        (NO_ALERTS, "CloudWatchLogsRoleArn", "needs CloudWatchLogsRoleArn: run"),
        ({"S3BucketName": ELSEWHERE}, "ArchiveBucket", "run with ArchiveBucket"),
    ],
)  # fmt: skip
def test_what_has_to_be_given_is_named_and_nothing_is_done(members: dict[str, Any], missing: str, message: str) -> None:
    parameters = make(**members, EnableLogFileValidation=False, logging=False)
    before = state()
    with pytest.raises(Refused, match=message):
        run({**parameters, missing: "none", "Repoint": "true"})
    assert state() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "delivers to team-logs, not to the archive: with Repoint true"),
        ({"Repoint": "true", "ArchiveBucket": "shop-images"}, "shop-images is no archive bucket of rdk.json"),
        ({"Repoint": "true", "ArchiveBucket": "none"}, "needs S3BucketName: run with ArchiveBucket"),
        ({"Repoint": "maybe"}, "Repoint is 'maybe'"),
    ],
)
def test_a_trail_moves_only_when_told_and_only_to_the_archive(changes: dict[str, str], message: str) -> None:
    parameters = make(S3BucketName=ELSEWHERE)
    with pytest.raises(Refused, match=message):
        run({**parameters, **changes})
    assert state()["S3BucketName"] == ELSEWHERE


def test_a_trail_in_the_archive_is_not_moved_to_another_bucket_of_it() -> None:
    parameters = make(EnableLogFileValidation=False)
    run({**parameters, "Repoint": "true", "ArchiveBucket": "card-issuer-log-archive-second"})
    assert state()["S3BucketName"] == BUCKET


@pytest.mark.parametrize("error", ["S3BucketDoesNotExistException", "InsufficientS3BucketPolicyException"])
def test_a_bucket_that_cloudtrail_cannot_write_to_is_its_refusal(error: str) -> None:
    parameters = make(S3BucketName=ELSEWHERE, logging=False)
    before = state()
    with answering(UpdateTrail=error), pytest.raises(RuntimeError, match=f"{error}.*done before that: nothing"):
        run({**parameters, "Repoint": "true"})
    assert state() == before
    missing = {**parameters, "Repoint": "true", "ArchiveBucket": "card-issuer-log-archive-missing"}
    with pytest.raises(RuntimeError, match="does not exist"):
        run(missing)
    assert state() == before


@pytest.mark.parametrize("operation", ["PutEventSelectors", "StartLogging"])
def test_a_failure_half_way_tells_what_was_done_and_can_be_restored(operation: str) -> None:
    parameters = VIOLATIONS["everything"]()
    before = state()
    with (
        answering(**{operation: "ThrottlingException"}),
        pytest.raises(RuntimeError, match=r"done before that: mend: .*still needs"),
    ):
        run(parameters, ExecutionId="11111111-2222-4333-8444-555555555555")
    assert state() != before
    evidence = {"Evidence": "s3://b/k/11111111-2222-4333-8444-555555555555/before.json"}
    assert (restored(evidence)["Outcome"], state()) == ("changed", before)


@pytest.mark.parametrize("parameter", ["CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"])
def test_log_group_and_role_are_the_accounts_own(parameter: str) -> None:
    parameters = make(**NO_ALERTS)
    with pytest.raises(Refused, match=f"is not in {ACCOUNT}"):
        run({**parameters, parameter: parameters[parameter].replace(ACCOUNT, OTHER)})
    assert "CloudWatchLogsRoleArn" not in state()


@pytest.mark.parametrize("name", ["Administrator", "trail-to-logs", "path/pci-config-trail-to-logs", "pci-config-trai-"])
def test_no_other_role_than_those_for_trails_is_passed(name: str) -> None:
    parameters = make(**NO_ALERTS)
    with pytest.raises(Refused, match=r"roles named pci-config-trail-\* only"):
        run({**parameters, "CloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}"})
    assert "CloudWatchLogsRoleArn" not in state()


def test_an_arn_without_account_or_region_is_not_taken_for_the_own_one() -> None:
    parameters = make(**NO_ALERTS)
    for name, odd in (
        ("CloudWatchLogsLogGroupArn", REGION),
        ("CloudWatchLogsLogGroupArn", ACCOUNT),
        ("CloudWatchLogsRoleArn", ACCOUNT),
    ):
        with pytest.raises(Refused, match=f"is not in {ACCOUNT} and {REGION}"):
            run({**parameters, name: parameters[name].replace(odd, "")})
    assert "CloudWatchLogsRoleArn" not in state()


def test_a_restore_that_stops_the_trail_says_so_loudly() -> None:
    parameters = make(logging=False)
    result = run(parameters)
    for dry_run in ("true", "false"):
        message = restored(result, DryRun=dry_run)["Message"]
        assert "WARNING, FROM THEN ON THIS TRAIL RECORDS NOTHING" in message
    assert state()["logging"] is False


def test_a_restore_of_a_trail_that_was_logging_leaves_it_logging() -> None:
    result = run(make(EnableLogFileValidation=False))
    assert "RECORDS NOTHING" not in restored(result)["Message"]
    assert state()["logging"] is True


def test_the_trail_of_the_organization_is_changed_in_its_own_account() -> None:
    parameters = make(EnableLogFileValidation=False)
    before = state()
    for trail_id in (NAME, ARN):
        with pytest.raises(Refused, match=f"organization trail of {ACCOUNT}: only the management account changes it.*{REGION}"):
            run({**parameters, "TrailId": trail_id}, AccountId=OTHER)
    with pytest.raises(Refused, match="only the management account"):
        run({**parameters, "TrailId": OTHER}, AccountId=OTHER)
    assert state() == before


def test_a_trail_is_changed_in_its_home_region() -> None:
    parameters = make(EnableLogFileValidation=False)
    for trail_id in (NAME, ARN, ACCOUNT):
        with pytest.raises(Refused, match=f"is a trail of {REGION}: run this in its home Region"):
            run({**parameters, "TrailId": trail_id}, Region="us-east-1")


@pytest.mark.parametrize(
    ("trail_id", "message"),
    [
        ("another", "there is no trail another here, and this makes none: org_setup/log_archive does"),
        (ARN + "-2", "there is no trail arn:"),
        (ARN.replace(ACCOUNT, OTHER), f"is not in {ACCOUNT}"),
        (ARN.replace(REGION, "us-east-1"), f"is not in {ACCOUNT} and {REGION}"),
        (ACCOUNT, "there is no organization trail here"),
        (OTHER, f"there is no trail {OTHER}"),
    ],
)
def test_a_missing_trail_is_not_made(trail_id: str, message: str) -> None:
    parameters = make(**ADDITIONAL)
    with pytest.raises(Refused, match=message):
        run({**parameters, "TrailId": trail_id})
    assert len(client().describe_trails()["trailList"]) == 1


def test_of_two_organization_trails_the_account_means_none() -> None:
    parameters = make(EnableLogFileValidation=False)
    make(name="second", EnableLogFileValidation=False)
    with pytest.raises(Refused, match=r"several organization trails \(organization-trail, second\): name one"):
        run({**parameters, "TrailId": ACCOUNT})


def test_an_own_trail_comes_before_one_of_the_organization_with_its_name() -> None:
    parameters = make(EnableLogFileValidation=False)
    state_of_ours = state()
    trails = client().describe_trails()["trailList"]
    foreign = {**trails[0], "TrailARN": ARN.replace(ACCOUNT, OTHER)}
    found = script.OwnTrail({**parameters, "AccountId": ACCOUNT, "Region": REGION})._found([foreign, trails[0]])
    assert found["TrailARN"] == ARN
    assert state() == state_of_ours


def failing_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    read = script.TrailRepair.read

    def failing(self: Any) -> Any:
        found = read(self)
        return found and {**found, "status": {**found["status"], "LatestDeliveryError": "AccessDenied"}}

    monkeypatch.setattr(script.TrailRepair, "read", failing)


def test_a_failing_delivery_is_not_called_right(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    failing_delivery(monkeypatch)
    with pytest.raises(Refused, match="last delivery to the archive failed: AccessDenied: the trail is right, mend the policy"):
        run(parameters)


def test_a_stopped_trail_is_started_although_the_last_delivery_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(logging=False)
    failing_delivery(monkeypatch)
    result = run(parameters)
    assert (result["Outcome"], state()["logging"]) == ("changed", True)
    assert "start logging (before this, the last delivery to the archive failed: AccessDenied)" in result["Message"]


def test_a_trail_of_a_stack_is_mended_in_its_template() -> None:
    parameters = make(EnableLogFileValidation=False)
    client().add_tags(ResourceId=ARN, TagsList=[{"Key": "aws:cloudformation:stack-name", "Value": "log-archive"}])
    with pytest.raises(Refused, match="CloudFormation stack log-archive"):
        run(parameters)
    assert run(parameters, AllowManaged="true")["Outcome"] == "changed"


def test_restore_refuses_when_the_trail_was_changed_since() -> None:
    result = run(VIOLATIONS["everything"]())
    client().put_event_selectors(TrailName=NAME, AdvancedEventSelectors=[*COMPLETE, LAMBDA])
    after = state()
    with pytest.raises(Refused, match="was changed after"):
        restored(result)
    assert state() == after
    client().delete_trail(Name=NAME)
    with pytest.raises(Refused, match="no longer exists; its state before is in remediation/"):
        restored(result)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"IsOrganizationTrail": None}, "isOrganizationTrail is missing"),
        ({"S3BucketName": None}, "s3BucketName is missing"),
        ({"LogFileValidationEnabled": "true"}, "logFileValidationEnabled is str"),
    ],
)
def test_what_is_not_understood_is_refused(patch: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(EnableLogFileValidation=False)
    read = script.TrailRepair.read
    monkeypatch.setattr(
        script.TrailRepair, "read", lambda self: {**(found := read(self)), "trail": {**found["trail"], **patch}}
    )
    with pytest.raises(Refused, match=message):
        run(parameters)


def test_without_archive_no_trail_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"LogArchive\.Buckets is not set"):
        run(parameters)


def test_a_pattern_for_every_bucket_is_refused() -> None:
    with pytest.raises(Refused, match=r"\*-cards stands for every bucket: name the buckets"):
        run({**make(), "CdeBuckets": "*-cards"})


def test_the_record_tells_what_was() -> None:
    result = run(VIOLATIONS["everything"]())
    before, after = json.loads(result["Before"]), json.loads(result["After"])
    assert (before["KmsKeyId"], before["IsLogging"], before["IsMultiRegionTrail"]) == (None, False, False)
    assert (after["KmsKeyId"], after["IsLogging"], after["IsMultiRegionTrail"]) == (KEY, True, True)
