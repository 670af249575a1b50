"""PCI_LOAD_BALANCER_LOG_DELIVERED: access logs of load balancers end in the central archive."""

from __future__ import annotations

from typing import Any

from pci_config.load_balancer_logs import (
    LOGGING_TYPES,
    NETWORK_LOGS,
    NO_LOGS_OF_GATEWAYS,
    AccessLog,
    MalformedAttributesError,
    access_log,
    classic_access_log,
    log_fault,
)
from pci_config.rule import (
    Facts,
    Finding,
    Item,
    PciRule,
    RuleInputError,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    required,
)

LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancing::LoadBalancer"
ATTRIBUTES = "supplementaryConfiguration.LoadBalancerAttributes"
SUFFIX = " [PCI 10.2.1]"


class PciLoadBalancerLogDelivered(PciRule):
    """Access logs of load balancers are on and delivered to an archive bucket, not just somewhere.

    PCI DSS 4.0.1: 10.2.1, 10.3.3. 3.2.1: 10.1, 10.2, 10.5.3. Source: Elastic Load Balancing documentation, access logs;
    archive buckets of rdk.json. Network Load Balancers log TLS listeners only, which the verdict says.

    | load balancer | verdict |
    |---|---|
    | application, network or classic with logs to an archive bucket | compliant |
    | logs off, or on without a bucket | non-compliant |
    | logs to another bucket | non-compliant, says where |
    | logs to an archive bucket whose name says another Region | non-compliant |
    | gateway | not applicable: it has no access logs |
    | attributes not readable, unknown type, or no archive configured | error |
    """

    resource_types = (LOAD_BALANCER, CLASSIC_LOAD_BALANCER)

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        kind = kind_of(item)
        if kind == "gateway":
            return not_applicable(NO_LOGS_OF_GATEWAYS)
        log = access_log_of(item, kind)
        limit = f"; {NETWORK_LOGS}" if kind == "network" else ""
        fault = log_fault(log, facts.scope.settings, facts.scope.region)
        if fault:
            return non_compliant(counted([fault], "problem", limit + SUFFIX))
        return compliant(f"access logs go to {log.bucket}{limit}")


def kind_of(item: Item) -> str:
    """`classic`, `application`, `network` or `gateway`."""
    if required(item, "resourceType", str) == CLASSIC_LOAD_BALANCER:
        return "classic"
    kind = required(item, "configuration.type", str)
    if kind not in (*LOGGING_TYPES, "gateway"):
        raise RuleInputError(f"configuration.type is {kind!r}, which this rule does not know")
    return kind


def access_log_of(item: Item, kind: str) -> AccessLog:
    try:
        if kind == "classic":
            return classic_access_log(required(item, ATTRIBUTES, dict))
        return access_log(required(item, ATTRIBUTES, list))
    except MalformedAttributesError as error:
        raise RuleInputError(f"{ATTRIBUTES}: {error}") from None


lambda_handler = PciLoadBalancerLogDelivered.as_lambda_handler()
