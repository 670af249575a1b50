"""PCI_API_LOG_DELIVERED: access logs of API Gateway stages end in the central archive and say who, when, what and whence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.api_logs import format_faults
from pci_config.log_destination import route
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Facts,
    Finding,
    Item,
    PciRule,
    RuleInputError,
    compliant,
    counted,
    non_compliant,
    optional,
    required,
)

REST_STAGE, HTTP_STAGE = "AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"
SUFFIX = " [PCI 10.2.1, 10.2.2]"


class PciApiLogDelivered(PciRule):
    """Access logs of every stage end in the archive, over Firehose or a subscribed log group, with the details of 10.2.2.

    PCI DSS 4.0.1: 10.2.1, 10.2.2, 10.3.3. 3.2.1: 10.1, 10.2, 10.3, 10.5.3. Source: API Gateway developer guide, access logging
    variables; API reference, AccessLogSettings (Firehose names begin with amazon-apigateway-).

    | stage | verdict |
    |---|---|
    | access log on a way that ends in the archive, format tells who, when, what, outcome and source | compliant |
    | no access log | non-compliant |
    | the way ends elsewhere, or cannot be looked into | non-compliant, shows the way |
    | the format leaves out one of the five, or writes the API key itself | non-compliant, names it |
    """

    resource_types = (REST_STAGE, HTTP_STAGE)
    lookups = LOG_LOOKUPS
    sweeps = True  # a stream or subscription changes without the stage

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        stage = required(item, "configuration.stageName", str)
        settings = optional(item, "configuration.accessLogSettings", Mapping, {})
        destination = _text(settings, "destinationArn")
        if not destination:
            return non_compliant(
                f"stage {stage} has no access log; send one to a Firehose amazon-apigateway-* that ends in the archive{SUFFIX}"
            )
        way = route(destination, place_of(facts), LookedUp(facts))
        problems = [f"stage {stage} -> {way.told()}"] if way.fault else []
        problems += format_faults(_text(settings, "format"))
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        return compliant(f"stage {stage} -> {way}")


def _text(settings: Mapping[str, Any], name: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str | None):
        raise RuleInputError(f"configuration.accessLogSettings.{name} is {type(value).__name__}, expected text")
    return value or ""


lambda_handler = PciApiLogDelivered.as_lambda_handler()
