"""Decision table of PCI_TASK_LOG_DELIVERED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from pci_config.log_destination import Stream, Subscription
from pci_config.log_facts import DeliveryStream, Subscriptions
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_TASK_LOG_DELIVERED import PciTaskLogDelivered, TaskDefinitionsInUse, wanted_definitions

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "configuration.ContainerDefinitions.*.LogConfiguration.Options.awslogs-region": "the driver takes the task's own Region",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, REGION = "123456789012", "eu-west-1"
ARCHIVE = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-*",))
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
TO_ARCHIVE, TO_TEAM = (Stream("good", "ACTIVE", "card-issuer-log-archive-x"), Stream("bad", "ACTIVE", "team-logs"))


def firehose(name: str, region: str = REGION) -> str:
    return f"arn:aws:firehose:{region}:{OWN}:deliverystream/{name}"


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return item


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class NoItems:
    """A snapshot without the items that a lookup wants."""

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        raise NotAssessed(f"this source holds no {resource_type} of {account_id} in {region}")


def scope(settings: Settings = ARCHIVE, region: str = REGION) -> Scope:
    return Scope(OWN, region, NOW, settings)


ARN = sample("AWS_ECS_TaskDefinition")["configuration"]["TaskDefinitionArn"]


def definition(*containers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    item = sample("AWS_ECS_TaskDefinition")
    item["configuration"] |= {"ContainerDefinitions": list(containers), **changed}
    return item


def container(name: str = "app", driver: str | None = None, **options: Any) -> dict[str, Any]:
    log = {"LogDriver": driver, "Options": options} if driver else None
    return {"Name": name, "Essential": True, "LogConfiguration": log}


def dashed(**options: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in options.items()}


SENT, KEPT = dashed(awslogs_group="sent"), dashed(awslogs_group="kept", awslogs_region=REGION)
ROUTER = {"Name": "log_router", "Essential": True, "FirelensConfiguration": {"Type": "fluentbit"}, "LogConfiguration": None}


def judged(item: dict[str, Any], used: frozenset[str] = frozenset({ARN})) -> Finding:
    known: dict[tuple[Any, ...], Any] = {
        (TaskDefinitionsInUse,): used,
        (DeliveryStream, REGION, "good"): TO_ARCHIVE,
        (DeliveryStream, REGION, "bad"): TO_TEAM,
        (DeliveryStream, REGION, ""): None,
        (Subscriptions, REGION, "sent"): [Subscription("all", firehose("good"), "")],
        (Subscriptions, REGION, "kept"): [],
    }
    return PciTaskLogDelivered(ARCHIVE).decide(item, None, StatedFacts(scope(), known))


class DecisionTableTest(unittest.TestCase):
    def test_drivers_and_targets(self) -> None:
        for driver, options, compliance, words in (
            ("awslogs", SENT, COMPLIANT, "app -> log group sent -> Firehose good -> s3://card-issuer-log-archive-x"),
            ("awslogs", KEPT, NON_COMPLIANT, "container app -> log group kept: has no subscription"),
            ("awslogs", SENT | dashed(awslogs_region="us-east-1"), NON_COMPLIANT, "cannot be looked into from here"),
            ("awslogs", {}, NON_COMPLIANT, "log group: is not named"),
            ("awsfirelens", {"Name": "firehose", "delivery_stream": "good"}, COMPLIANT, "Firehose good"),
            (
                "awsfirelens",
                {"Name": "kinesis_firehose", "delivery_stream": "bad", "region": REGION},
                NON_COMPLIANT,
                "s3://team-logs",
            ),
            ("awsfirelens", {"Name": "firehose"}, NON_COMPLIANT, "does not exist"),
            (
                "awsfirelens",
                {"Name": "cloudwatch_logs", "log_group_name": "sent", "region": REGION},
                COMPLIANT,
                "log group sent",
            ),
            ("awsfirelens", {"Name": "cloudwatch", "log_group_name": "kept"}, NON_COMPLIANT, "log group kept"),
            ("awsfirelens", {"Name": "s3", "bucket": "card-issuer-log-archive-app"}, COMPLIANT, "FireLens -> s3://card-issuer"),
            ("awsfirelens", {"Name": "s3", "bucket": "team"}, NON_COMPLIANT, "FireLens -> s3://team: is not the archive"),
            ("awsfirelens", {"Name": "datadog"}, NON_COMPLIANT, "FireLens datadog: cannot be followed"),
            ("awsfirelens", {}, NON_COMPLIANT, "its output is not in the options"),
            ("splunk", {}, NON_COMPLIANT, "log driver splunk: cannot be followed"),
            ("json-file", {}, NON_COMPLIANT, "log driver json-file"),
            ("awsfirelens", {"log_group_name": "sent"}, NON_COMPLIANT, "container app -> FireLens: its output is not"),
            (None, {}, NON_COMPLIANT, "container app has no log configuration"),
        ):
            with self.subTest(driver=driver, options=options):
                finding = judged(definition(container("app", driver, **options)))
                self.assertEqual(finding.compliance, compliance, finding.annotation)
                self.assertIn(words, finding.annotation)

    def test_filters_drop_part_of_the_log(self) -> None:
        to_archive = {"Name": "firehose", "delivery_stream": "good"}
        for filters, words in (
            ({"exclude-pattern": "^card"}, "app -> FireLens: drops part of the log by exclude-pattern"),
            ({"include-pattern": "error"}, "drops part of the log by include-pattern"),
            ({"include-pattern": "a", "exclude-pattern": "b"}, "by include-pattern and exclude-pattern"),
        ):
            with self.subTest(words):
                finding = judged(definition(container("app", "awsfirelens", **to_archive, **filters)))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertIn(words, finding.annotation)
        self.assertEqual(
            judged(definition(container("app", "awsfirelens", **to_archive, **{"include-pattern": ""}))).compliance, COMPLIANT
        )

    def test_every_essential_container_counts(self) -> None:
        good, bad = container("app", "awslogs", **SENT), container("sidecar", "awslogs", **KEPT)
        self.assertEqual(judged(definition(good, bad)).compliance, NON_COMPLIANT)
        self.assertEqual(judged(definition(good, bad | {"Essential": False})).compliance, COMPLIANT)
        silent = dict(bad)
        del silent["Essential"]
        self.assertEqual(judged(definition(good, silent)).compliance, NON_COMPLIANT, "essential is the default")
        self.assertTrue(judged(definition(bad, container("b"))).annotation.startswith("2 containers; first: container sidecar"))

    def test_the_log_router_is_left_out(self) -> None:
        app = container("app", "awsfirelens", Name="firehose", delivery_stream="good")
        self.assertEqual(judged(definition(app, ROUTER)).compliance, COMPLIANT)

    def test_unused_and_inactive_revisions(self) -> None:
        self.assertEqual(judged(definition(container()), frozenset()).compliance, NOT_APPLICABLE)
        self.assertEqual(judged(definition(container(), Status="INACTIVE")).compliance, NOT_APPLICABLE)
        for status in ("ACTIVE", None):
            item = definition(container("app", "awslogs", **SENT), Status=status)
            self.assertEqual(judged(item).compliance, COMPLIANT, "active is the default")

    def test_unreadable_input_is_no_verdict(self) -> None:
        for item in (
            definition(),
            definition(ROUTER),
            definition("app"),  # type: ignore[arg-type]
            definition(container() | {"LogConfiguration": "awslogs"}),
            definition(container(), TaskDefinitionArn=None),
            definition() | {"configuration": {"TaskDefinitionArn": ARN}},
        ):
            with self.subTest(item=item["configuration"]), self.assertRaises(RuleInputError):
                judged(item)

    def test_it_has_no_parameters(self) -> None:
        with self.assertRaises(ParameterError):
            PciTaskLogDelivered().evaluate_parameters({"Drivers": "awslogs"})


class Items:
    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        return self.items if (resource_type, account_id, region) == ("AWS::ECS::Service", OWN, REGION) else ()


class InUseTest(unittest.TestCase):
    def test_a_snapshot_answers_with_its_services(self) -> None:
        service = sample("AWS_ECS_Service")
        found = TaskDefinitionsInUse.recorded(Items(service), scope())
        self.assertEqual(found, {service["configuration"]["TaskDefinition"]})
        with self.assertRaises(NotAssessed):
            TaskDefinitionsInUse.recorded(NoItems(), scope())
        del service["configuration"]["TaskDefinition"]
        self.assertEqual(TaskDefinitionsInUse.recorded(Items(service), scope()), frozenset())

    def test_services_of_an_external_controller_want_those_of_their_task_sets(self) -> None:
        self.assertEqual(wanted_definitions({"taskDefinition": "a"}), {"a"})
        self.assertEqual(wanted_definitions({"taskSets": [{"taskDefinition": "b"}, {"taskDefinition": "c"}]}), {"b", "c"})
        self.assertEqual(wanted_definitions({"taskDefinition": None, "taskSets": None}), set())

    def test_tasks_without_a_service_count_too(self) -> None:
        arns = [f"task/{n}" for n in range(101)]
        asked: list[list[str]] = []

        class Ecs:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_paginator(self, operation: str) -> Any:
                answers = {"list_clusters": {"clusterArns": ["c"]}, "list_services": {"serviceArns": []}}
                return SimpleNamespace(paginate=lambda **_: [answers.get(operation, {"taskArns": arns})])

            def describe_tasks(self, cluster: str, tasks: list[str]) -> Any:
                asked.append(tasks)
                return {"tasks": [{"taskDefinitionArn": f"definition of {task}"} for task in tasks]}

        found = TaskDefinitionsInUse.live(Ecs(), scope())
        self.assertEqual(found, {f"definition of {arn}" for arn in arns})
        self.assertEqual([len(some) for some in asked], [100, 1])

    @mock_aws
    def test_live(self) -> None:
        ecs = boto3.client("ecs", region_name=REGION)
        self.assertEqual(TaskDefinitionsInUse.live(Clients(), scope()), frozenset())
        ecs.create_cluster(clusterName="c")
        used, unused = (
            ecs.register_task_definition(family=name, containerDefinitions=[{"name": "app", "image": "x", "memory": 64}])[
                "taskDefinition"
            ]["taskDefinitionArn"]
            for name in ("used", "unused")
        )
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="used", desiredCount=0)
        self.assertEqual(TaskDefinitionsInUse.live(Clients(), scope()), {used})
        self.assertNotIn(unused, TaskDefinitionsInUse.live(Clients(), scope()))
