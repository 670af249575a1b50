"""PciConfig-EnableWafLogs: what is blocked is logged to the archive; other filters and redactions stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.runbook import Refused
from pci_config.web_acl_logs import drops_blocked, filter_faults, keeping_blocked, redaction_faults
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT = "PciConfig-EnableWafLogs"
script = load_script(DOCUMENT)
OTHER = "210987654321"
SETTINGS = {"LogArchive": {"Account": OTHER, "Buckets": ["card-issuer-log-archive-*", "aws-waf-logs-archive-*"]}}
VISIBLE = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "requests"}
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-group"
BUCKET, TEAM = "arn:aws:s3:::aws-waf-logs-archive-eu", "arn:aws:s3:::aws-waf-logs-team"
BLOCK, ALLOW = ({"ActionCondition": {"Action": action}} for action in ("BLOCK", "ALLOW"))
LABEL = {"LabelNameCondition": {"LabelName": "awswaf:bot"}}


def stream(name: str, region: str = REGION) -> str:
    return f"arn:aws:firehose:{region}:{ACCOUNT}:deliverystream/{name}"


GOOD = stream("aws-waf-logs-public")


def make_stream(name: str, bucket: str, region: str = REGION, **members: Any) -> None:
    target = {"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}"}
    client = boto3.client("firehose", region_name=region)
    client.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=target, **members)


def entry(behavior: str, requirement: str, *conditions: Any) -> dict[str, Any]:
    return {"Behavior": behavior, "Requirement": requirement, "Conditions": list(conditions)}


def filters(default: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"LoggingFilter": {"DefaultBehavior": default, "Filters": list(entries)}}


def make(destination: str | None = None, region: str = REGION, tags: Sequence[Any] = (), **members: Any) -> dict[str, str]:
    """A web ACL that logs there (None: not at all), with a good stream beside it; its parameters for the document."""
    make_stream("aws-waf-logs-public", "card-issuer-log-archive-waf", region)
    make_stream("aws-waf-logs-team", "team-logs", region)
    wafv2 = boto3.client("wafv2", region_name=region)
    named = {"Tags": list(tags)} if tags else {}
    arn = wafv2.create_web_acl(
        Name="public",
        Scope="REGIONAL" if region == REGION else "CLOUDFRONT",
        DefaultAction={"Allow": {}},
        VisibilityConfig=VISIBLE,
        **named,
    )["Summary"]["ARN"]
    if destination:
        log(arn, destination, **members)
    return {"WebAcl": arn, "Destination": stream("aws-waf-logs-public", region)}


def log(arn: str, destination: str, **members: Any) -> None:
    configuration = {"ResourceArn": arn, "LogDestinationConfigs": [destination], **members}
    boto3.client("wafv2", region_name=arn.split(":")[3]).put_logging_configuration(LoggingConfiguration=configuration)


def group_subscribed_nowhere() -> dict[str, str]:
    boto3.client("logs", region_name=REGION).create_log_group(logGroupName="aws-waf-logs-group")
    return {**make(GROUP), "Repoint": "true"}


REDACTED = [{"SingleHeader": {"Name": "authorization"}}, {"UriPath": {}}, {"QueryString": {}}, {"Method": {}}]
KEPT = entry("DROP", "MEETS_ALL", ALLOW, LABEL)
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "logging off": make,
    "to a team's bucket": lambda: {**make(TEAM), "Repoint": "true"},
    "to a team's stream": lambda: {**make(stream("aws-waf-logs-team")), "Repoint": "true"},
    "to a stream that is gone": lambda: {**make(stream("aws-waf-logs-gone")), "Repoint": "true"},
    "to a log group subscribed nowhere": group_subscribed_nowhere,
    "a filter drops what was blocked": partial(make, GOOD, **filters("KEEP", entry("DROP", "MEETS_ANY", BLOCK))),
    "a filter drops by label": partial(make, GOOD, **filters("KEEP", entry("DROP", "MEETS_ALL", LABEL), KEPT)),
    "the default drops": partial(make, GOOD, **filters("DROP", entry("KEEP", "MEETS_ALL", LABEL))),
    "everything": lambda: {
        **make(TEAM, **filters("DROP", entry("DROP", "MEETS_ANY", BLOCK)), RedactedFields=REDACTED),
        "Repoint": "true",
        "Unredact": "true",
    },
    "path and method redacted": lambda: {**make(GOOD, RedactedFields=REDACTED), "Unredact": "true"},
}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


def run(parameters: dict[str, str], **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{**parameters, **changes})


def restored(parameters: dict[str, str], result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), **{"WebAcl": parameters["WebAcl"], **changes})


def logging() -> dict[str, Any] | None:
    """Of the one web ACL."""
    client = boto3.client("wafv2", region_name=REGION)
    found = client.list_logging_configurations(Scope="REGIONAL")["LoggingConfigurations"]
    return found[0] if found else None


def faults(configuration: dict[str, Any]) -> list[str]:
    return filter_faults(configuration.get("LoggingFilter")) + redaction_faults(configuration.get("RedactedFields") or [])


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = logging()
    dry = run(parameters, DryRun="true")
    assert (dry["Outcome"], logging()) == ("dry-run", before)
    assert len(json.loads(dry["Calls"])) == 1
    assert run(parameters)["Outcome"] == "changed"
    after = logging()
    assert after is not None
    assert after["LogDestinationConfigs"] == [GOOD]
    assert faults(after) == []
    assert (run(parameters)["Outcome"], logging()) == ("compliant", after)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_restore_leads_back(violation: str) -> None:
    parameters = VIOLATIONS[violation]()
    before = logging()
    result = run(parameters)
    assert restored(parameters, result, DryRun="true")["Outcome"] == "dry-run"
    assert (restored(parameters, result)["Outcome"], settled(logging())) == ("changed", settled(before))
    assert restored(parameters, result)["Outcome"] == "compliant"


def settled(configuration: dict[str, Any] | None) -> Any:
    """Redacted fields are a set."""
    fields = sorted((configuration or {}).get("RedactedFields", []), key=str)
    return {**(configuration or {}), "RedactedFields": fields}


def test_only_what_is_wrong_changes() -> None:
    parameters = make(GOOD, **filters("KEEP", KEPT, entry("DROP", "MEETS_ANY", BLOCK), entry("KEEP", "MEETS_ANY", LABEL)),
                      RedactedFields=REDACTED[:1])  # fmt: skip
    before = logging()
    assert before is not None
    run(parameters)
    assert logging() == {**before, **filters("KEEP", KEPT, entry("KEEP", "MEETS_ANY", LABEL))}


def test_redaction_is_lifted_of_path_and_method_only() -> None:
    parameters = {**make(GOOD, RedactedFields=REDACTED), "Unredact": "true"}
    run(parameters)
    after = logging()
    assert after is not None
    assert after["RedactedFields"] == [REDACTED[0], REDACTED[2]]


def test_nothing_redacted_and_no_filter_is_left_out_of_the_call() -> None:
    parameters = {
        **make(GOOD, RedactedFields=[{"Method": {}}], **filters("KEEP", entry("DROP", "MEETS_ANY", BLOCK))),
        "Unredact": "true",
    }
    (call,) = json.loads(run(parameters)["Calls"])
    assert call["parameters"]["LoggingConfiguration"] == {"ResourceArn": parameters["WebAcl"], "LogDestinationConfigs": [GOOD]}


def test_the_default_that_drops_gets_one_filter_that_keeps() -> None:
    kept = entry("KEEP", "MEETS_ALL", BLOCK, LABEL)
    parameters = make(GOOD, **filters("DROP", kept))
    run(parameters)
    after = logging()
    assert after is not None
    assert after["LoggingFilter"] == filters("DROP", kept, entry("KEEP", "MEETS_ANY", BLOCK))["LoggingFilter"]


@pytest.mark.parametrize("destination", [GOOD, BUCKET])
def test_a_web_acl_that_logs_to_the_archive_is_left_alone(destination: str) -> None:
    parameters = make(destination, **filters("KEEP", KEPT), RedactedFields=REDACTED[:1])
    before = logging()
    assert (run(parameters, Destination="none")["Outcome"], logging()) == ("compliant", before)


def test_a_bucket_of_the_archive_is_a_destination() -> None:
    run({**make(), "Destination": BUCKET})
    after = logging()
    assert after is not None
    assert after["LogDestinationConfigs"] == [BUCKET]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"destination": TEAM}, r"logs -> s3://aws-waf-logs-team: is not the archive.*Repoint true"),
        ({"destination": stream("aws-waf-logs-team")}, "Firehose aws-waf-logs-team -> s3://team-logs.*Repoint true"),
        ({"destination": GOOD, "RedactedFields": [{"UriPath": {}}]}, "UriPath redacted.*Unredact true"),
        ({"destination": GOOD, "RedactedFields": [{"Method": {}}]}, "Method redacted.*Unredact true"),
    ],
)
def test_what_somebody_may_rely_on_changes_only_when_told(members: dict[str, Any], message: str) -> None:
    parameters = make(**members)
    before = logging()
    with pytest.raises(Refused, match=message):
        run(parameters)
    assert logging() == before


def test_a_stream_whose_name_waf_refuses_is_moved_from() -> None:
    parameters = make()
    make_stream("waf", "card-issuer-log-archive-waf")
    log(parameters["WebAcl"], stream("waf"))
    with pytest.raises(Refused, match="WAF delivers only to names that begin with aws-waf-logs-"):
        run(parameters)
    assert run(parameters, Repoint="true")["Outcome"] == "changed"


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("none", "Destination is none"),
        (TEAM, "does not lead to the archive: s3://aws-waf-logs-team: is not the archive"),
        (stream("aws-waf-logs-gone"), "Firehose aws-waf-logs-gone: does not exist"),
        (stream("aws-waf-logs-team"), "Firehose aws-waf-logs-team -> s3://team-logs: is not the archive"),
        (stream("aws-waf-logs-fed"), "Firehose aws-waf-logs-fed is fed by KinesisStreamAsSource"),
        (stream("application-logs"), r"cannot take these logs: expected aws-waf-logs- or deliverystream/aws-waf-logs-"),
        ("arn:aws:s3:::card-issuer-log-archive-waf", "cannot take these logs"),
        (GROUP, "cannot take these logs"),
        (stream("aws-waf-logs-public", "us-east-1"), "cannot be looked into from here"),
        (GOOD.replace(ACCOUNT, OTHER), "cannot be looked into from here"),
    ],
)
@pytest.mark.parametrize("now", [None, TEAM])
def test_a_destination_that_cannot_take_the_logs_is_refused(now: str | None, destination: str, message: str) -> None:
    parameters = make(now)
    make_stream("aws-waf-logs-fed", "card-issuer-log-archive-waf", DeliveryStreamType="KinesisStreamAsSource",
                KinesisStreamSourceConfiguration={"KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s",
                                                  "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/r"})  # fmt: skip
    before = logging()
    with pytest.raises(Refused, match=message):
        run(parameters, Destination=destination, Repoint="true")
    assert logging() == before


def test_a_trusted_stream_of_another_account_is_not_what_waf_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = GOOD.replace(ACCOUNT, OTHER)
    trusted = {"LogArchive": {**SETTINGS["LogArchive"], "TrustedDestinations": [foreign]}}
    monkeypatch.setattr(script, "SETTINGS", trusted)
    with pytest.raises(Refused, match=f"is not in {ACCOUNT} and {REGION}"):
        run(make(), Destination=foreign)
    assert logging() is None


def test_a_web_acl_may_be_named_by_its_id() -> None:
    parameters = make()
    named = {**parameters, "WebAcl": parameters["WebAcl"].rpartition("/")[2]}
    result = run(named)
    after = logging()
    assert after is not None
    assert (result["Outcome"], after["LogDestinationConfigs"]) == ("changed", [GOOD])
    assert (restored(named, result)["Outcome"], logging()) == ("changed", None)


def test_web_acls_are_looked_for_on_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    client = script.aws("wafv2")
    (summary,) = client.list_web_acls(Scope="REGIONAL")["WebACLs"]
    others = [{**summary, "ARN": f"{summary['ARN']}0", "Id": "0"}]

    def pages(Scope: str, Limit: int, NextMarker: str = "") -> dict[str, Any]:  # noqa: N803 - as AWS spells them
        return {"WebACLs": [summary]} if NextMarker else {"WebACLs": others, "NextMarker": "second"}

    monkeypatch.setattr(client, "list_web_acls", pages)
    assert run(parameters)["Outcome"] == "changed"
    assert run(parameters, WebAcl=f"{parameters['WebAcl']}1")["Outcome"] == "gone"


def test_cloudfronts_web_acls_are_changed_in_us_east_1() -> None:
    parameters = make(region="us-east-1")
    with pytest.raises(Refused, match=f"is not in {ACCOUNT} and {REGION}"):
        run(parameters)
    for web_acl in (parameters["WebAcl"], parameters["WebAcl"].rpartition("/")[2]):
        script.aws.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            boto3.client("ssm", region_name="us-east-1").put_parameter(
                Name="/pci-config/remediation", Value="on", Type="String", Overwrite=True
            )
            result = run({**parameters, "WebAcl": web_acl}, Region="us-east-1")
            assert result["Outcome"] == "changed"
            client = boto3.client("wafv2", region_name="us-east-1")
            after = client.get_logging_configuration(ResourceArn=parameters["WebAcl"])["LoggingConfiguration"]
            assert after["LogDestinationConfigs"] == [parameters["Destination"]]
            assert restored({"WebAcl": web_acl}, result, Region="us-east-1")["Outcome"] == "changed"
            with pytest.raises(client.exceptions.WAFNonexistentItemException):
                client.get_logging_configuration(ResourceArn=parameters["WebAcl"])


def test_a_web_acl_that_is_gone_is_no_failure() -> None:
    parameters = make(TEAM)
    wafv2 = boto3.client("wafv2", region_name=REGION)
    (summary,) = wafv2.list_web_acls(Scope="REGIONAL")["WebACLs"]
    wafv2.delete_web_acl(Name="public", Scope="REGIONAL", Id=summary["Id"], LockToken=summary["LockToken"])
    for web_acl in (parameters["WebAcl"], summary["Id"]):
        assert run({**parameters, "WebAcl": web_acl})["Outcome"] == "gone"


def test_managed_web_acls_are_left_to_their_templates() -> None:
    parameters = make(tags=[{"Key": "ManagedBy", "Value": "terraform"}])
    with pytest.raises(Refused, match=r"managed by terraform"):
        run(parameters)
    assert run(parameters, AllowManaged="true")["Outcome"] == "changed"


def test_firewall_manager_keeps_its_own() -> None:
    parameters = make(TEAM, ManagedByFirewallManager=True)
    before = logging()
    with pytest.raises(Refused, match="managed by Firewall Manager: mend its policy"):
        run(parameters, Repoint="true", AllowManaged="true")
    assert logging() == before


def test_another_run_may_come_between() -> None:
    parameters = VIOLATIONS["a filter drops what was blocked"]()
    with pytest.MonkeyPatch.context() as patch:

        def tags(*_: Any) -> dict[str, str]:
            """Asked between reading and changing."""
            patch.undo()
            assert run(parameters)["Outcome"] == "changed"
            return {}

        patch.setattr(script.WebAclLogs, "tags", tags)
        assert run(parameters)["Outcome"] == "changed"
    after = logging()
    assert after is not None
    assert faults(after) == []


def test_restore_refuses_what_was_changed_since() -> None:
    parameters = make()
    result = run(parameters)
    log(parameters["WebAcl"], GOOD, RedactedFields=REDACTED[:1])
    before = logging()
    with pytest.raises(Refused, match="was changed after"):
        restored(parameters, result)
    assert logging() == before


@pytest.mark.parametrize("error", ["WAFLogDestinationPermissionIssueException", "WAFOptimisticLockException"])
def test_a_destination_that_waf_refuses_changes_nothing(error: str) -> None:
    parameters = make(TEAM)
    before = logging()
    with answering(PutLoggingConfiguration=error), pytest.raises(RuntimeError, match=f"{error}.*done before that: nothing"):
        run(parameters, Repoint="true", Destination=BUCKET)
    assert logging() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AccountId": OTHER}, f"is not in {OTHER}"),
        ({"Region": "eu-central-1"}, "is not in"),
        ({"Repoint": "maybe"}, "Repoint is 'maybe'"),
        ({"Unredact": ""}, "Unredact is ''"),
        ({"DryRun": ""}, "DryRun"),
        ({"EvidenceBucket": "none"}, "EvidenceBucket is none"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = make()
    with pytest.raises(Refused, match=message):
        run(parameters, **changes)
    assert logging() is None


def test_without_an_archive_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"without LogArchive\.Buckets"):
        run(parameters)


@pytest.mark.parametrize(
    "odd",
    [
        {"LogDestinationConfigs": []},
        {"LogDestinationConfigs": [GOOD, TEAM]},
        {"LoggingFilter": {"Filters": [{"Behavior": "DROP"}]}},
        {"LoggingFilter": {"Filters": [{"Behavior": "KEEP", "Conditions": []}]}},
        {"RedactedFields": 7},
    ],
)
def test_logging_of_another_shape_is_refused(odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(GOOD)
    answer = {"LoggingConfiguration": {"ResourceArn": "a", "LogDestinationConfigs": [GOOD], **odd}}
    monkeypatch.setattr(script.aws("wafv2"), "get_logging_configuration", lambda **_: answer)
    with pytest.raises(Refused, match="is not understood"):
        run(parameters)


CONDITIONS = st.one_of(
    st.sampled_from(["ALLOW", "BLOCK", "COUNT", "CAPTCHA"]).map(lambda action: {"ActionCondition": {"Action": action}}),
    st.just(LABEL),
)
ENTRIES = st.builds(
    lambda behavior, requirement, conditions: entry(behavior, requirement, *conditions),
    st.sampled_from(["KEEP", "DROP"]),
    st.sampled_from(["MEETS_ALL", "MEETS_ANY"]),
    st.lists(CONDITIONS, min_size=1, max_size=3),
)


@given(st.sampled_from(["KEEP", "DROP"]), st.lists(ENTRIES, min_size=1, max_size=4))
def test_any_filter_is_mended_and_what_was_right_stays(default: str, entries: list[dict[str, Any]]) -> None:
    found = filters(default, *entries)["LoggingFilter"]
    mended = keeping_blocked(found)
    assert filter_faults(mended) == []
    left = [each for each in entries if not drops_blocked(each)]
    if mended is None:
        assert (default, left) == ("KEEP", [])
        return
    assert mended["DefaultBehavior"] == default
    assert mended["Filters"]
    added = mended["Filters"][len(left) :]
    assert mended["Filters"][: len(left)] == left
    assert added in ([], [entry("KEEP", "MEETS_ANY", BLOCK)])
    if not filter_faults(found):
        assert mended == found
