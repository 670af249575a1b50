"""Adds to moto what tells whether an account is ready for a deployment: Regions that are on, limits, applied quotas.

Source: API references of Account Management (ListRegions), CloudFormation (DescribeAccountLimits), Lambda (GetAccountSettings)
and Service Quotas (ListServiceQuotas); figures: AWS General Reference, AWS Config quotas (2025).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from moto.account import urls as account_urls
from moto.account.responses import AccountResponse
from moto.awslambda import urls as lambda_urls
from moto.awslambda.responses import LambdaResponse
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.servicequotas.responses import ServiceQuotasResponse

# on by default: Regions that AWS opened before March 2019
DEFAULT_REGIONS = frozenset(
    f"{place}-{number}"
    for place, numbers in {
        "ap-northeast": "123", "ap-south": "1", "ap-southeast": "12", "ca-central": "1", "eu-central": "1", "eu-north": "1",
        "eu-west": "123", "sa-east": "1", "us-east": "12", "us-west": "12",
    }.items()
    for number in numbers
)  # fmt: skip
CONFIG_QUOTAS = {
    "Maximum number of AWS Config Rules per Region per account": 1000,
    "Maximum number of configuration aggregators": 50,
    "Maximum number of conformance packs per account": 50,
    "Maximum number of conformance packs per organization": 50,
}
LIMITS: Mapping[str, int] = {"StackLimit": 2000, "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}
CONCURRENT_EXECUTIONS = 1000


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for responses, action in (
        (AccountResponse, list_regions),
        (CloudFormationResponse, describe_account_limits),
        (LambdaResponse, get_account_settings),
        (ServiceQuotasResponse, list_service_quotas),
    ):
        setattr(responses, action.__name__, action)
    account_urls.url_paths["{0}/listRegions$"] = AccountResponse.dispatch
    lambda_urls.url_paths[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch


def list_regions(_self: Any) -> ActionResult:
    regions = sorted(boto3.Session().get_available_regions("ec2"))
    states = {region: "ENABLED_BY_DEFAULT" if region in DEFAULT_REGIONS else "DISABLED" for region in regions}
    return ActionResult({"Regions": [{"RegionName": name, "RegionOptStatus": state} for name, state in states.items()]})


def describe_account_limits(_self: Any) -> ActionResult:
    return ActionResult({"AccountLimits": [{"Name": name, "Value": value} for name, value in LIMITS.items()]})


def get_account_settings(_self: Any) -> str:
    return json.dumps({"AccountLimit": {"ConcurrentExecutions": CONCURRENT_EXECUTIONS}, "AccountUsage": {"FunctionCount": 0}})


def list_service_quotas(self: Any) -> str:
    """Of AWS Config only; of others moto knows too little."""
    wanted = json.loads(self.body)["ServiceCode"]
    quotas = CONFIG_QUOTAS if wanted == "config" else {}
    return json.dumps({"Quotas": [{"ServiceCode": wanted, "QuotaName": n, "Value": float(v)} for n, v in quotas.items()]})
