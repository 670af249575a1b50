"""How many calls `assess --aggregator` needs for 1,000 items, over several accounts, types and ways of reading.

Everything is answered by the sandbox in this process, so calls are counted, not timed: on AWS the number of calls decides, since
AWS Config takes only a few queries a second. Run: python -m benchmarks.aggregator [--items 10000]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto import mock_aws

from pci_config.assess import Judge
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson
from pci_config.sandbox import aggregator_service, config_service
from pci_config.sources.aggregator import AggregatorPlan, assess_aggregator
from pci_config.sources.patience import Patient

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "data" / "ci"
OWN, REGION = "123456789012", "eu-west-1"
ACCOUNTS = (OWN, *(str(100000000000 + number) for number in range(9)))
NAMES = (
    "AWS_EC2_SecurityGroup",
    "AWS_EC2_VPC",
    "AWS_ElasticLoadBalancingV2_Listener",
    "AWS_ElasticLoadBalancingV2_LoadBalancer",
    "AWS_RDS_DBInstance",
    "AWS_S3_Bucket",
)
CASES: dict[str, Callable[[aggregator_service.Faults], None]] = {
    "queries alone": lambda _: None,
    "one type in six unknown to queries": lambda faults: faults.unqueried.add("AWS::EC2::SecurityGroup"),
    "no type known to queries": lambda faults: faults.unqueried.update(name.replace("_", "::") for name in NAMES),
}


def fill(items: int) -> None:
    """As many items of every type in every account."""
    samples = [json.loads((SAMPLES / f"{name}.json").read_text("utf-8")) for name in NAMES]
    for number in range(items):
        sample, account = samples[number % len(samples)], ACCOUNTS[number // len(samples) % len(ACCOUNTS)]
        item = {**sample, "awsAccountId": account, "awsRegion": REGION, "resourceId": f"{sample['resourceId']}#{number}"}
        config_service.state(account, REGION).history[item["resourceType"], item["resourceId"]] = [item]


def measured(judge: Judge) -> tuple[int, int, dict[str, int]]:
    client = boto3.client("config", region_name=REGION, config=Config(retries={"total_max_attempts": 1}))
    calls = Patient(client)
    assessment = assess_aggregator(judge, AggregatorPlan("organization", REGION), calls=calls)
    problems = [problem for problem in assessment.problems if "in the settings" not in problem]
    assert not problems, problems[:3]
    return sum(calls.asked.values()), len(assessment.results), dict(calls.asked)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5_000)
    items = parser.parse_args(arguments).items
    rdk_json: Any = RdkJson.load(project_root() / "rdk.json")
    judge = Judge(list(Catalogue.load().rules.values()), rdk_json.settings)
    config_service.install()
    aggregator_service.install()
    print(f"aggregator of {items} items, {len(NAMES)} types, {len(ACCOUNTS)} accounts")
    for name, arrange in CASES.items():
        with mock_aws():
            boto3.client("config", region_name=REGION).put_configuration_aggregator(
                ConfigurationAggregatorName="organization",
                AccountAggregationSources=[{"AccountIds": list(ACCOUNTS), "AwsRegions": list(rdk_json.settings.regions)}],
            )
            for region in set(rdk_json.settings.regions) - {REGION}:
                for account in ACCOUNTS:
                    sample = json.loads((SAMPLES / "AWS_EC2_VPC.json").read_text("utf-8"))
                    item = {**sample, "awsAccountId": account, "awsRegion": region}
                    config_service.state(account, region).history["AWS::EC2::VPC", "vpc-1"] = [item]
            fill(items)
            arrange(aggregator_service.faults(OWN, REGION))
            total, results, asked = measured(judge)
        detail = ", ".join(f"{count} {operation}" for operation, count in sorted(asked.items(), key=lambda pair: -pair[1])[:3])
        print(f"  {name}: {total} calls, {total * 1000 / items:.1f} per 1,000 items ({detail}; {results} verdicts)")


if __name__ == "__main__":
    main()
