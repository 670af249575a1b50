"""PciConfig-EnableLoadBalancerLogs: logs on, to the archive, and nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import fix_testing
from fix_testing import ACCOUNT, account, answering, execution_of, meanwhile, unchanged_without_switch_or_evidence
from pci_config import runbook
from pci_config.catalogue import Catalogue, project_root
from pci_config.items import new_item
from pci_config.rule import Scope, StatedFacts
from pci_config.runbook import Refused
from pci_config.settings import Settings
from script_loader import load_script

DOCUMENT = "PciConfig-EnableLoadBalancerLogs"
script = load_script(DOCUMENT)
__all__ = ["account"]  # the fixture that starts moto
ARCHIVE = "card-issuer-log-archive-elb-eu-west-1"
SETTINGS = {"LogArchive": {"Account": "300000000003", "Buckets": ["card-issuer-log-archive-*"]}}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", SETTINGS)


def bucket(name: str) -> None:
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )


def balancer(kind: str = "application", **attributes: str) -> dict[str, str]:
    for name in {ARCHIVE, attributes.get("access_logs.s3.bucket", ARCHIVE)}:
        bucket(name)
    ec2, elb = (boto3.client(service, region_name="eu-west-1") for service in ("ec2", "elbv2"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    arn = elb.create_load_balancer(Name="shop", Subnets=subnets, Type=kind)["LoadBalancers"][0]["LoadBalancerArn"]
    # AWS lists the attribute from the start; moto only once it was set
    pairs = [{"Key": key, "Value": value} for key, value in {"access_logs.s3.enabled": "false", **attributes}.items()]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)
    return {"LoadBalancer": arn, "ArchiveBucket": ARCHIVE}


def classic(**log: Any) -> dict[str, str]:
    for name in {ARCHIVE, log.get("S3BucketName", ARCHIVE)}:
        bucket(name)
    boto3.client("elb", region_name="eu-west-1").create_load_balancer(
        LoadBalancerName="legacy",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        AvailabilityZones=["eu-west-1a"],
    )
    if log:
        boto3.client("elb", region_name="eu-west-1").modify_load_balancer_attributes(
            LoadBalancerName="legacy", LoadBalancerAttributes={"AccessLog": log}
        )
    return {"LoadBalancer": "legacy", "ArchiveBucket": ARCHIVE}


ELSEWHERE = {
    "access_logs.s3.enabled": "true",
    "access_logs.s3.bucket": "team-logs",
    "access_logs.s3.prefix": "shop",
}
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "application without logs": balancer,
    "network without logs": lambda: balancer("network"),
    "classic without logs": classic,
    "logs to another bucket, with Repoint": lambda: {
        **balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "team-logs"}),
        "Repoint": "true",
    },
    "logs to another bucket and prefix, with Repoint and Prefix": lambda: {
        **balancer(**ELSEWHERE),
        "Repoint": "true",
        "Prefix": "elb/production",
    },
    "classic to another bucket, with Repoint": lambda: {
        **classic(Enabled=True, S3BucketName="team-logs", EmitInterval=5, S3BucketPrefix="pos"),
        "Repoint": "true",
    },
    "classic to another bucket without prefix, with Repoint": lambda: {
        **classic(Enabled=True, S3BucketName="team-logs", EmitInterval=60),
        "Repoint": "true",
    },
}


def attributes(balancer: str) -> dict[str, Any]:
    if not balancer.startswith("arn:"):
        found: dict[str, Any] = boto3.client("elb", region_name="eu-west-1").describe_load_balancer_attributes(
            LoadBalancerName=balancer
        )["LoadBalancerAttributes"]
        return found
    client = boto3.client("elbv2", region_name="eu-west-1")
    return {a["Key"]: a["Value"] for a in client.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]}


def run(**changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, **{"ArchiveBucket": ARCHIVE, **changes})


def restore(balancer: str, result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), LoadBalancer=balancer, **changes)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = attributes(parameters["LoadBalancer"])
    dry = run(**parameters, DryRun="true")
    assert (dry["Changed"], attributes(parameters["LoadBalancer"])) == (False, before)
    assert len(json.loads(dry["Calls"])) == 1
    assert run(**parameters)["Changed"] is True
    after = attributes(parameters["LoadBalancer"])
    touched = {key for key in after if after[key] != before.get(key)}
    # AdditionalAttributes: moto invents an entry there with every modification
    prefix = {"access_logs.s3.prefix"} if "Prefix" in parameters else set()
    assert touched <= {"AccessLog", "AdditionalAttributes", "access_logs.s3.enabled", "access_logs.s3.bucket", *prefix}
    assert ARCHIVE in json.dumps(after)
    assert (run(**parameters)["Changed"], attributes(parameters["LoadBalancer"])) == (False, after)


def test_logs_elsewhere_are_not_moved_unasked() -> None:
    parameters = balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "team-logs"})
    with pytest.raises(Refused, match=r"go to team-logs.*Repoint"):
        run(**parameters)
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.bucket"] == "team-logs"


def test_a_prefix_is_kept() -> None:
    parameters = balancer(**{"access_logs.s3.prefix": "shop"})
    run(**parameters)
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.prefix"] == "shop"


def test_a_prefix_is_set_when_one_is_given() -> None:
    parameters = balancer(**{"access_logs.s3.prefix": "shop"})
    run(**parameters, Prefix="elb/production")
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.prefix"] == "elb/production"


def test_interval_and_prefix_of_a_classic_load_balancer_stay() -> None:
    parameters = classic()
    client = boto3.client("elb", region_name="eu-west-1")
    bucket("team-logs")
    log = {"Enabled": True, "S3BucketName": "team-logs", "EmitInterval": 5, "S3BucketPrefix": "pos"}
    client.modify_load_balancer_attributes(LoadBalancerName="legacy", LoadBalancerAttributes={"AccessLog": log})
    result = run(**parameters, Repoint="true")
    assert json.loads(result["Before"]) == log
    restore(parameters["LoadBalancer"], result)
    assert attributes("legacy")["AccessLog"] == log
    run(**parameters, Repoint="true")
    assert attributes("legacy")["AccessLog"] == {**log, "S3BucketName": ARCHIVE}
    client.modify_load_balancer_attributes(LoadBalancerName="legacy", LoadBalancerAttributes={"AccessLog": log})
    run(**parameters, Repoint="true", Prefix="elb")
    assert attributes("legacy")["AccessLog"]["S3BucketPrefix"] == "elb"


def test_only_access_logs_are_named_in_the_call() -> None:
    parameters = balancer(**{"deletion_protection.enabled": "true", "connection_logs.s3.enabled": "false"})
    result = run(**parameters)
    (call,) = json.loads(result["Calls"])
    assert {entry["Key"] for entry in call["parameters"]["Attributes"]} == {"access_logs.s3.enabled", "access_logs.s3.bucket"}
    assert json.loads(result["Before"]) == {"Enabled": False}
    assert json.loads(result["After"]) == {"Enabled": True, "S3BucketName": ARCHIVE, "S3BucketPrefix": ""}
    assert attributes(parameters["LoadBalancer"])["deletion_protection.enabled"] == "true"


def test_the_archive_bucket_of_another_region_counts_as_elsewhere() -> None:
    other = "card-issuer-log-archive-elb-us-east-1"
    parameters = balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": other})
    with pytest.raises(Refused, match=f"{other} is the archive bucket of us-east-1.*Repoint"):
        run(**parameters)
    run(**parameters, Repoint="true")
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.bucket"] == ARCHIVE


def test_the_refusal_of_elastic_load_balancing_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = balancer()

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InvalidConfigurationRequest", "Message": "Access Denied"}}, "Modify")

    monkeypatch.setattr(runbook.aws("elbv2"), "modify_load_balancer_attributes", refused)
    with pytest.raises(RuntimeError, match=r"InvalidConfigurationRequest.*done before that: nothing"):
        run(**parameters)


@pytest.mark.parametrize("kind", ["application", "network", "classic"])
def test_the_rule_finds_the_fixed_load_balancer_compliant(kind: str) -> None:
    parameters = classic() if kind == "classic" else balancer(kind)
    run(**parameters)
    described = attributes(parameters["LoadBalancer"])
    log = {name[0].lower() + name[1:]: value for name, value in described.get("AccessLog", {}).items()}
    now, settings = datetime(2026, 11, 1, tzinfo=UTC), Settings.from_mapping(SETTINGS)
    item = new_item(
        account_id=ACCOUNT,
        region="eu-west-1",
        resource_type="AWS::ElasticLoadBalancing" + ("" if kind == "classic" else "V2") + "::LoadBalancer",
        resource_id=parameters["LoadBalancer"],
        configuration={"type": kind},
        supplementary={
            "LoadBalancerAttributes": {"accessLog": log}
            if kind == "classic"
            else [{"key": key, "value": value} for key, value in described.items()]
        },
        capture_time=now,
    )
    rule = Catalogue.load(project_root()).rules["PCI_LOAD_BALANCER_LOG_DELIVERED"].rule_class(settings)
    facts = StatedFacts(Scope(ACCOUNT, "eu-west-1", now, settings))
    assert rule.decide(item, rule.evaluate_parameters({}), facts).compliance == "COMPLIANT"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ArchiveBucket": "team-logs"}, "team-logs is no archive bucket"),
        ({"ArchiveBucket": "card-issuer-log-archive-elb-us-east-1"}, "is the archive bucket of us-east-1; expected"),
        ({"Prefix": "a/AWSLogs"}, "Prefix is 'a/AWSLogs'"),
        ({"Prefix": "/a"}, "Prefix is '/a'"),
        ({"Prefix": ""}, "Prefix is ''"),
        ({"AccountId": "210987654321"}, "is not in 210987654321"),
        ({"Region": "us-east-1", "ArchiveBucket": "card-issuer-log-archive-elb"}, "is not in"),
        ({"Repoint": "perhaps"}, "Repoint is 'perhaps'"),
        ({"DryRun": ""}, "DryRun"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    parameters = balancer()
    before = attributes(parameters["LoadBalancer"])
    with pytest.raises(Refused, match=message):
        run(**{**parameters, **changes})
    assert attributes(parameters["LoadBalancer"]) == before


def test_gone_gateway_and_missing_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = balancer()["LoadBalancer"]
    boto3.client("elbv2", region_name="eu-west-1").delete_load_balancer(LoadBalancerArn=arn)
    assert "no longer exists" in run(LoadBalancer=arn)["Message"]
    with pytest.raises(Refused, match="Gateway"):
        run(LoadBalancer=arn.replace("/app/", "/gwy/"))
    with pytest.raises(Refused, match="is no Application, Network or Classic"):
        run(LoadBalancer=arn.replace("/app/", "/vpn/"))
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match=r"without LogArchive\.Buckets"):
        run(LoadBalancer=arn)


@pytest.mark.parametrize("odd", [[], ["x"], [{"Key": "access_logs.s3.enabled", "Value": "perhaps"}]])
def test_attributes_of_another_shape_are_refused(odd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = balancer()
    monkeypatch.setattr(runbook.aws("elbv2"), "describe_load_balancer_attributes", lambda **_: {"Attributes": odd})
    with pytest.raises(Refused, match="are not understood"):
        run(**parameters)


def test_a_classic_answer_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = classic()
    answer = {"LoadBalancerAttributes": {"AccessLog": {"Enabled": None}}}
    monkeypatch.setattr(runbook.aws("elb"), "describe_load_balancer_attributes", lambda **_: answer)
    with pytest.raises(Refused, match="are not understood"):
        run(**parameters)


def test_a_classic_load_balancer_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**_: Any) -> None:  # moto fails here instead
        raise ClientError({"Error": {"Code": "LoadBalancerNotFound", "Message": "there is none"}}, "Describe")

    monkeypatch.setattr(runbook.aws("elb"), "describe_load_balancer_attributes", gone)
    assert "no longer exists" in run(LoadBalancer="legacy")["Message"]


def logs(balancer: str) -> dict[str, Any]:
    """Where the load balancer sends its logs: nothing but being off when they are off."""
    found = attributes(balancer)
    if "AccessLog" in found:
        log: dict[str, Any] = found["AccessLog"]
        return log if log["Enabled"] else {"Enabled": False}
    named = {key.rpartition(".")[2]: value for key, value in found.items() if key.startswith("access_logs.s3.")}
    return named if named["enabled"] == "true" else {"Enabled": False}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_restore_leads_back(name: str) -> None:
    parameters = VIOLATIONS[name]()
    arn = parameters["LoadBalancer"]
    before, everything = logs(arn), attributes(arn)
    result = run(**parameters)
    after = logs(arn)
    dry = restore(arn, result, DryRun="true")
    assert (dry["Outcome"], logs(arn)) == ("dry-run", after)
    back = restore(arn, result)
    assert (back["Outcome"], logs(arn)) == ("changed", before)
    assert json.loads(back["After"]) == json.loads(result["Before"])
    touched = {key for key, value in attributes(arn).items() if value != everything.get(key)}
    # a bucket's name stays where it is of no effect; moto invents AdditionalAttributes
    assert touched <= ({"access_logs.s3.bucket", "AccessLog", "AdditionalAttributes"})
    assert restore(arn, result)["Outcome"] == "compliant"


def test_restore_warns_that_nothing_is_logged_and_sends_no_empty_name() -> None:
    """ELB refuses an empty access_logs.s3.bucket."""
    arn = balancer()["LoadBalancer"]
    result = run(LoadBalancer=arn)
    report = restore(arn, result)
    assert "WARNING, from then on no request is logged" in report["Message"]
    (call,) = json.loads(report["Calls"])
    assert call["parameters"] == {
        "LoadBalancerArn": arn,
        "Attributes": [{"Key": "access_logs.s3.enabled", "Value": "false"}],
    }


def test_restore_takes_a_prefix_away_again() -> None:
    parameters = balancer(**{"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "team-logs"})
    result = run(**parameters, Repoint="true", Prefix="elb")
    report = restore(parameters["LoadBalancer"], result)
    assert report["Message"] == f"send access logs to team-logs again, no longer to {ARCHIVE}/elb"
    assert attributes(parameters["LoadBalancer"])["access_logs.s3.prefix"] == ""


def test_restore_refuses_what_was_changed_since_and_what_is_gone() -> None:
    arn = balancer()["LoadBalancer"]
    result = run(LoadBalancer=arn)
    client = boto3.client("elbv2", region_name="eu-west-1")
    prefix = [{"Key": "access_logs.s3.prefix", "Value": "shop"}]
    client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=prefix)
    with pytest.raises(Refused, match="was changed after"):
        restore(arn, result)
    assert attributes(arn)["access_logs.s3.enabled"] == "true"
    client.delete_load_balancer(LoadBalancerArn=arn)
    with pytest.raises(Refused, match="no longer exists; its state before is in remediation/"):
        restore(arn, result)
    for odd in (arn.replace(ACCOUNT, "210987654321"), arn.replace("eu-west-1", "us-east-1"), arn.replace(ACCOUNT, "")):
        with pytest.raises(Refused, match=f"is not in {ACCOUNT} and eu-west-1"):
            restore(odd, result)
    with pytest.raises(Refused, match="Gateway"):
        restore(arn.replace("/app/", "/gwy/"), result)


def test_an_arn_without_account_or_region_is_refused() -> None:
    arn = balancer()["LoadBalancer"]
    for odd in (arn.replace(ACCOUNT, ""), arn.replace("eu-west-1", "")):
        with pytest.raises(Refused, match=f"is not in {ACCOUNT} and eu-west-1"):
            run(LoadBalancer=odd)


def test_an_earlier_bucket_that_no_longer_takes_logs_is_a_failure_that_changes_nothing() -> None:
    parameters = VIOLATIONS["logs to another bucket, with Repoint"]()
    result = run(**parameters)
    after = attributes(parameters["LoadBalancer"])
    failed = pytest.raises(RuntimeError, match=r"InvalidConfigurationRequest.*done before that: nothing")
    with answering(ModifyLoadBalancerAttributes="InvalidConfigurationRequest"), failed:
        restore(parameters["LoadBalancer"], result)
    assert attributes(parameters["LoadBalancer"]) == after


@pytest.mark.parametrize("arrange", [balancer, classic])
def test_two_runs_and_two_restores_at_once(arrange: Callable[[], dict[str, str]]) -> None:
    """Both set the same, so that the second changes nothing more."""
    name = arrange()["LoadBalancer"]
    others: list[dict[str, Any]] = []
    with meanwhile(ModifyLoadBalancerAttributes=lambda: others.append(run(LoadBalancer=name))):
        run(LoadBalancer=name)
    assert logs(name) != {"Enabled": False}
    with meanwhile(ModifyLoadBalancerAttributes=lambda: restore(name, others[0])):
        restore(name, others[0])
    assert logs(name) == {"Enabled": False}


def test_a_load_balancer_deleted_in_between() -> None:
    arn = balancer()["LoadBalancer"]
    client = boto3.client("elbv2", region_name="eu-west-1")
    with meanwhile(ModifyLoadBalancerAttributes=lambda: client.delete_load_balancer(LoadBalancerArn=arn)):
        report = run(LoadBalancer=arn)
    assert (report["Outcome"], "is gone meanwhile" in report["Message"]) == ("gone", True)


def test_nothing_changes_when_switched_off_or_without_kept_evidence() -> None:
    arn = balancer()["LoadBalancer"]
    before = attributes(arn)
    unchanged_without_switch_or_evidence(lambda **changes: run(LoadBalancer=arn, **changes))
    assert attributes(arn) == before


@pytest.mark.parametrize(("key", "value"), [("aws:cloudformation:stack-name", "shop"), ("ManagedBy", "Terraform")])
@pytest.mark.parametrize("arrange", [balancer, classic])
def test_what_a_template_describes_is_mended_there(key: str, value: str, arrange: Callable[[], dict[str, str]]) -> None:
    name = arrange()["LoadBalancer"]
    before, tags = attributes(name), [{"Key": key, "Value": value}]
    if name.startswith("arn:"):
        boto3.client("elbv2", region_name="eu-west-1").add_tags(ResourceArns=[name], Tags=tags)
    else:
        boto3.client("elb", region_name="eu-west-1").add_tags(LoadBalancerNames=[name], Tags=tags)
    with pytest.raises(Refused, match=r"is managed by .*mend it there"):
        run(LoadBalancer=name)
    assert attributes(name) == before
    assert run(LoadBalancer=name, AllowManaged="true")["Outcome"] == "changed"
