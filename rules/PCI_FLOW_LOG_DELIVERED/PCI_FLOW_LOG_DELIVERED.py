"""PCI_FLOW_LOG_DELIVERED: every VPC has an active flow log that ends in the central archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.flow_logs import (
    MalformedFlowLogError,
    failing_delivery,
    flow_log_text,
    judged_flow_log,
    spelled_as_recorded,
)
from pci_config.log_facts import LOG_LOOKUPS, LookedUp, place_of
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    ItemIndex,
    Lookup,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    choice,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    required,
)

VPC, FLOW_LOG = "AWS::EC2::VPC", "AWS::EC2::FlowLog"
SUFFIX = " [PCI 10.2.1]"


@dataclass(frozen=True, slots=True)
class FlowLogParameters:
    traffic_type: str = choice("ALL", ("ALL", "REJECT"))
    """Traffic that must be logged; REJECT is satisfied by ALL too."""


class FlowLogs(Lookup[Sequence[Mapping[str, Any]]]):
    """The flow logs of a VPC by id, in the spelling of recorded items."""

    actions = ("ec2:DescribeFlowLogs",)
    resource_types = (FLOW_LOG,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        pages = clients.build_client("ec2").get_paginator("describe_flow_logs")
        named = [{"Name": "resource-id", "Values": [key[0]]}]
        return [spelled_as_recorded(log) for page in pages.paginate(Filters=named) for log in page["FlowLogs"]]

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        try:
            found = items.find(FLOW_LOG, scope.account_id, scope.region)
        except NotAssessed:
            raise NotAssessed("no flow log is recorded here; whether there is none, the source cannot show") from None
        configurations = [required(item, "configuration", dict) for item in found]
        return [configuration for configuration in configurations if configuration.get("resourceId") == key[0]]


class PciFlowLogDelivered(PciRule):
    """Every VPC has an ACTIVE flow log of all traffic (or of rejected traffic, by parameter) that ends in the archive.

    PCI DSS 4.0.1: 10.2.1, 1.4.1. 3.2.1: 10.1, 10.2, 10.5.3. Source: Amazon VPC user guide, flow logs; EC2 API reference,
    FlowLog. No tag takes a VPC out: whoever may tag it could exempt it.

    | VPC | verdict |
    |---|---|
    | one active flow log of enough traffic, on a way that ends in the archive | compliant |
    | none, not active, delivery failing, too little traffic, or a way that ends elsewhere | non-compliant |

    | flow log | verdict |
    |---|---|
    | of a VPC, delivering | not applicable, judged at its VPC |
    | delivery fails | non-compliant, says why |
    | of a subnet, interface or gateway | not applicable |
    """

    resource_types = (VPC, FLOW_LOG)
    parameters = FlowLogParameters
    lookups = (FlowLogs, *LOG_LOOKUPS)
    sweeps = True  # a VPC does not change when its flow log is deleted

    def decide(self, item: Item, parameters: FlowLogParameters, facts: Facts) -> Finding:
        try:
            if required(item, "resourceType", str) == FLOW_LOG:
                return of_flow_log(required(item, "configuration", dict))
            return of_vpc(item, parameters, facts)
        except MalformedFlowLogError as error:
            raise RuleInputError(str(error)) from None


def of_vpc(item: Item, parameters: FlowLogParameters, facts: Facts) -> Finding:
    vpc_id = required(item, "configuration.vpcId", str)
    logs = facts.get(FlowLogs, vpc_id)
    if not logs:
        return non_compliant(f"{vpc_id} has no flow log; make one of {parameters.traffic_type} traffic to the archive{SUFFIX}")
    misses = []
    place, surroundings = place_of(facts), LookedUp(facts)
    for log in logs:
        faults, way = judged_flow_log(log, parameters.traffic_type, place, surroundings)
        if not faults:
            return compliant(f"flow log {flow_log_text(log, 'flowLogId')} -> {way}")
        misses.append(faults)
    return non_compliant(counted(min(misses, key=len), "problem", SUFFIX))


def of_flow_log(log: Mapping[str, Any]) -> Finding:
    subject, failing = flow_log_text(log, "resourceId"), failing_delivery(log)
    if failing:
        return non_compliant(f"flow log of {subject}: {failing}{SUFFIX}")
    if not subject.startswith("vpc-"):
        return not_applicable(f"flow log of {subject}; VPCs are judged")
    return not_applicable(f"judged at {subject}")


lambda_handler = PciFlowLogDelivered.as_lambda_handler()
