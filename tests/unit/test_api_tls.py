"""API Gateway's table knows every policy that AWS's own API models know, and says of each what its name says."""

from __future__ import annotations

import json
import re

import boto3
import botocore.session
import pytest
from moto import mock_aws

from pci_config import api_tls
from pci_config.sandbox import apigateway_service


def known_to_aws(service: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model(service).shape_for("SecurityPolicy").enum)


def test_every_policy_is_in_the_table_once() -> None:
    assert set(api_tls.API_POLICIES) == known_to_aws("apigateway")
    assert known_to_aws("apigatewayv2") <= set(api_tls.API_POLICIES)
    assert sum(len(names.split()) for _, _, names in api_tls._ROWS) == len(api_tls.API_POLICIES) == 14


@pytest.mark.parametrize("name", api_tls.API_POLICIES)
def test_an_entry_agrees_with_its_own_name(name: str) -> None:
    policy = api_tls.API_POLICIES[name]
    assert policy.name == name
    stated = re.search(r"TLS_1_([02])|TLS13_1_([23])_|TLS1([23])_", name)
    assert stated is not None
    assert policy.minimum == "1." + next(filter(None, stated.groups()))
    assert policy.forward_secrecy == ("_PFS_" in name or policy.minimum == "1.3")


def test_the_sandbox_keeps_policies_of_rest_apis() -> None:
    apigateway_service.install()
    apigateway_service.install()
    with mock_aws():
        client = boto3.client("apigateway", region_name="eu-west-1")
        strong, stronger = "SecurityPolicy_TLS13_1_2_2021_06", "SecurityPolicy_TLS13_1_3_2025_09"
        made = client.create_rest_api(name="cards", securityPolicy=strong, endpointAccessMode="STRICT")
        assert (made["securityPolicy"], made["endpointAccessMode"]) == (strong, "STRICT")
        plain = client.create_rest_api(name="plain")
        assert "securityPolicy" not in plain
        operations = [
            {"op": "replace", "path": "/securityPolicy", "value": stronger},
            {"op": "replace", "path": "/name", "value": "renamed"},
        ]
        client.update_rest_api(restApiId=plain["id"], patchOperations=operations)
        found = {api["name"]: api.get("securityPolicy") for api in client.get_rest_apis()["items"]}
        assert found == {"cards": strong, "renamed": stronger}, json.dumps(found)
