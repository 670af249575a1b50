"""PCI_LOAD_BALANCER_LOG_DELIVERED: access logs of load balancers end in the central archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pci_config.load_balancer_logs import MalformedAttributesError, access_log, classic_access_log, log_fault
from pci_config.rule import Facts, Finding, Item, PciRule, RuleInputError, compliant, non_compliant, not_applicable, required

LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancing::LoadBalancer"
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
    | gateway | not applicable: it has no access logs |
    | attributes not readable, unknown type, or no archive configured | error |
    """

    resource_types = (LOAD_BALANCER, CLASSIC_LOAD_BALANCER)

    def decide(self, item: Item, parameters: Any, facts: Facts) -> Finding:
        del parameters
        settings = facts.scope.settings
        try:
            if item["resourceType"] == CLASSIC_LOAD_BALANCER:
                kind = "classic"
                attributes: Any = required(item, "supplementaryConfiguration.LoadBalancerAttributes", Mapping)  # type: ignore[type-abstract]
                log = classic_access_log(attributes)
            else:
                kind = required(item, "configuration.type", str)
                if kind == "gateway":
                    return not_applicable("a Gateway Load Balancer has no access logs; use flow logs")
                if kind not in ("application", "network"):
                    raise RuleInputError(f"configuration.type is {kind!r}, which this rule does not know")
                log = access_log(required(item, "supplementaryConfiguration.LoadBalancerAttributes", list))
        except (MalformedAttributesError, AttributeError, TypeError) as error:
            raise RuleInputError(f"supplementaryConfiguration.LoadBalancerAttributes: {error}") from None
        matches = settings.is_archive_bucket(log.bucket)
        fault = log_fault(log, settings.archive_buckets, matches)
        if fault:
            return non_compliant(fault + SUFFIX)
        return compliant(f"access logs go to {log.bucket}" + ("; only TLS listeners are logged" if kind == "network" else ""))


lambda_handler = PciLoadBalancerLogDelivered.as_lambda_handler()
