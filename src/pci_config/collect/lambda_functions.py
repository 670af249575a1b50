"""Lambda functions: the unpublished version of each, as AWS Config records it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.collect._recording import Recording, Related
from pci_config.collect._shapes import capitals_small, recorded, spelled_out
from pci_config.rule import Clients

FUNCTION = "AWS::Lambda::Function"
RESOURCE_TYPES = (FUNCTION,)
ACTIONS = ("lambda:ListFunctions", "lambda:ListTags", "lambda:GetPolicy")


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Environment variables, which may hold secrets, and reserved concurrency are left out."""
    functions = clients.build_client("lambda", region)
    recording = Recording(account_id, region, now)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name, arn = function["FunctionName"], function["FunctionArn"].removesuffix(":$LATEST")
            tags = functions.list_tags(Resource=arn).get("Tags", {})
            policy = _policy(functions, name)
            yield recording.item(
                FUNCTION,
                name,
                _configuration({**function, "FunctionArn": arn}),
                arn=arn,
                name=name,
                tags=tags,
                supplementary={**({"Policy": policy} if policy else {}), "Tags": tags},
                related=_related(function),
            )


def _policy(functions: Any, name: str) -> str | None:
    try:
        return str(functions.get_policy(FunctionName=name)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def _configuration(found: Mapping[str, Any]) -> dict[str, Any]:
    configuration = spelled_out(
        recorded(found, capitals_small),
        "functionName functionArn runtime role handler codeSize description timeout memorySize lastModified codeSha256 version"
        " vpcConfig kmskeyArn tracingConfig revisionId packageType ephemeralStorage",
        "layers fileSystemConfigs architectures",
    )
    network = configuration["vpcConfig"]
    configuration["vpcConfig"] = network and spelled_out(network, "", "subnetIds securityGroupIds")
    return {**configuration, "environment": None}


def _related(found: Mapping[str, Any]) -> Iterator[Related]:
    yield Related("AWS::IAM::Role", "Is associated with ", resource_name=found["Role"].rpartition("/")[2])
    network = found.get("VpcConfig") or {}
    for subnet in network.get("SubnetIds", []):
        yield Related("AWS::EC2::Subnet", "Is contained in ", subnet)
    for group in network.get("SecurityGroupIds", []):
        yield Related("AWS::EC2::SecurityGroup", "Is associated with ", group)
