"""`pci-config cost --aggregator` against the sandbox's aggregator."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from typer.testing import CliRunner

from pci_config.cli import app
from pci_config.sandbox import aggregator_service, config_service

HOME, MEMBER, REGION, OTHER = "123456789012", "600000000006", "eu-west-1", "us-east-1"


def test_what_the_aggregator_holds_is_counted(root: Path, sample: Callable[[str], Any]) -> None:
    config_service.install()
    aggregator_service.install()
    with mock_aws():
        boto3.client("config", region_name=REGION).put_configuration_aggregator(
            ConfigurationAggregatorName="organization",
            AccountAggregationSources=[{"AccountIds": [HOME, MEMBER], "AwsRegions": [REGION, OTHER]}],
        )
        for account, region, number in ((HOME, REGION, 2), (MEMBER, REGION, 3), (MEMBER, OTHER, 1)):
            for position in range(number):
                held = copy.deepcopy(sample("AWS_EC2_SecurityGroup"))
                held |= {"awsAccountId": account, "awsRegion": region, "resourceId": f"sg-{position}"}
                config_service.state(account, region).history[held["resourceType"], held["resourceId"]] = [held]
        settings = ["--settings", str(root / "rdk.json"), "--changes", "1", "--format", "json"]
        told = CliRunner().invoke(app, ["cost", "--aggregator", "organization", *settings])
        absent = CliRunner().invoke(app, ["cost", "--aggregator", "none", *settings])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    judged = {
        line["region"]: line["evaluations_on_change"]
        for line in document["rules"]
        if line["rule"] == "PCI_SECURITY_GROUP_EGRESS_LIMITED"
    }
    assert judged == {REGION: 5, OTHER: 1}
    assert "6 of 1 types, from the aggregator organization" in document["assumptions"][1]
    assert absent.exit_code == 2
    assert "NoSuchConfigurationAggregator" in absent.stderr
