"""PCI_SECURITY_GROUP_EGRESS_LIMITED: traffic leaving a security group stays within the flows of its tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pci_config.egress import TIER_TAG, UNTAGGED_POLICIES, EgressDemands, judged_egress, most_exposed_first
from pci_config.network import (
    ALL_PORTS,
    ALL_PROTOCOLS,
    Entry,
    MalformedEntryError,
    MalformedFlowError,
    entries_of,
    port_range,
)
from pci_config.network_facts import GROUP, GROUP_LOOKUPS, FactSurroundings
from pci_config.rule import (
    MAX_ANNOTATION_CHARACTERS,
    Facts,
    Finding,
    Item,
    NotAssessed,
    PciRule,
    RuleInputError,
    bounded,
    choice,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    ports,
    required,
    tags_of,
)
from pci_config.settings import Flow

SUFFIX = " [PCI 1.3.2]"


@dataclass(frozen=True, slots=True)
class EgressParameters:
    untagged_policy: str = choice("deny-internet", UNTAGGED_POLICIES)
    """How a group without a tier is judged: nothing beyond private addresses, nothing at all, or not."""
    internet_ports: tuple[int, ...] = ports()
    """Ports on which a group without a tier may reach the internet."""


class PciSecurityGroupEgressLimited(PciRule):
    """Every egress entry of a security group lies within a flow that its tier allows.

    PCI DSS 4.0.1: 1.3.2. 3.2.1: 1.2.1, 1.3.4. Source: EC2 API reference, IpPermission; NetworkTiers of rdk.json.

    | group | verdict |
    |---|---|
    | no egress entries | compliant |
    | tier tag `pci:tier` known | each entry inside one allowed flow (protocol, ports and addresses), else non-compliant |
    | tier tag unknown | non-compliant |
    | no tier tag, `UntaggedPolicy` deny-internet | no entry reaches a globally routable address, except on `InternetPorts` |
    | no tier tag, deny-all | no entry at all |
    | no tier tag, ignore | not applicable |

    A prefix list counts with the entries it has at that moment: when they change, AWS Config does not ask again.
    """

    resource_types = (GROUP,)
    parameters = EgressParameters
    lookups = GROUP_LOOKUPS

    def decide(self, item: Item, parameters: EgressParameters, facts: Facts) -> Finding:
        entries, around = _read(item, facts)
        tiers = facts.scope.settings.network_tiers
        if around.tier is None and parameters.untagged_policy == "ignore":
            return not_applicable(f"no {TIER_TAG} tag, and UntaggedPolicy is ignore")
        if around.tier is not None and around.tier not in tiers:
            known = ", ".join(sorted(tiers)) or "none"
            problem = f"tag {TIER_TAG} names the unknown tier {bounded(around.tier, 60)!r}; correct it; known: {known}"
            return non_compliant(counted([problem], "problem", SUFFIX))
        demands = EgressDemands(tiers, parameters.untagged_policy, parameters.internet_ports)
        try:
            judgement = judged_egress(entries, around.tier, demands, around)
        except (MalformedEntryError, MalformedFlowError) as error:
            raise RuleInputError(f"{around.group_id}: {error}") from None
        if judgement.excess:
            return non_compliant(_objection(judgement.excess, around, demands))
        if judgement.doubts:
            raise NotAssessed(judgement.doubts[0])
        return compliant(_reason(len(entries), around.tier, demands))


def _read(item: Item, facts: Facts) -> tuple[list[Entry], FactSurroundings]:
    group_id = required(item, "configuration.groupId", str)
    required(item, "tags", Mapping)  # without tags nobody knows the tier
    around = FactSurroundings(
        group_id,
        required(item, "awsAccountId", str),
        required(item, "configuration.vpcId", str),
        tags_of(item).get(TIER_TAG),
        facts,
    )
    try:
        return entries_of(required(item, "configuration.ipPermissionsEgress", list)), around
    except MalformedEntryError as error:
        raise RuleInputError(f"{group_id}: configuration.ipPermissionsEgress: {error}") from None


def _objection(excess: Sequence[Entry], around: FactSurroundings, demands: EgressDemands) -> str:
    worst, *others = most_exposed_first(excess)
    foreign = f" of account {worst.owner}" if worst.owner not in ("", around.account_id) else ""
    head = f"{worst}{foreign}; "
    if around.tier is None:
        allowed = "none" if demands.untagged == "deny-all" else "none to the internet" + _on_ports(demands)
        problem = f"{head}a group without the tag {TIER_TAG} may have {allowed}; revoke it or tag the group"
    else:
        advice = "; revoke it or widen NetworkTiers in rdk.json"
        room = MAX_ANNOTATION_CHARACTERS - len(f"999 egress entries; first: {head}{advice}{SUFFIX}")
        problem = head + bounded(f"tier {around.tier!r} allows {_flows(demands.tiers[around.tier].egress)}", room) + advice
    return counted([problem, *map(str, others)], "egress entry", SUFFIX)


def _flows(flows: Sequence[Flow]) -> str:
    return ", ".join(
        ("all protocols" if flow.protocol == ALL_PROTOCOLS else flow.protocol)
        + ("" if flow.ports == ALL_PORTS else f" {port_range(flow.ports)}")
        + f" to {'/'.join(flow.peers)}"
        for flow in flows
    ) or "no egress"  # fmt: skip


def _on_ports(demands: EgressDemands) -> str:
    return f" except on {', '.join(map(str, demands.internet_ports))}" if demands.internet_ports else ""


def _reason(count: int, tier: str | None, demands: EgressDemands) -> str:
    if not count:
        return "no egress entries"
    entries = "1 egress entry" if count == 1 else f"{count} egress entries"
    return f"{entries} within tier {tier!r}" if tier else f"{entries}, none reaches the internet{_on_ports(demands)}"


lambda_handler = PciSecurityGroupEgressLimited.as_lambda_handler()
