"""The organization's aggregator, in the delegated administrator's home Region."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

NAME = "organization"


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    account, settings = issuer.accounts["delegated_admin"], rdk_json.settings
    config = server.clients(account, settings.home_region).build_client("config")
    config.put_configuration_aggregator(
        ConfigurationAggregatorName=NAME,
        OrganizationAggregationSource={
            "RoleArn": f"arn:aws:iam::{account}:role/config-reads-organization",
            "AwsRegions": list(settings.regions),
        },
    )
