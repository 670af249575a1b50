"""PCI_VPC_LINK_LIMITED: what API Gateway reaches inside a VPC are the load balancers that are meant for it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.egress import TIER_TAG
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    ItemIndex,
    Lookup,
    PciRule,
    Scope,
    about_account,
    bounded,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    reading,
    tags_of,
    words,
)

REST_LINK, HTTP_LINK = "V1", "V2"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
ARNS_PER_CALL = 20  # DescribeTags, Elastic Load Balancing API reference
SUFFIX = " [PCI 1.4.2]"
_BALANCER = re.compile(
    r"(arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:([0-9]{12})):(loadbalancer|listener)/((?:app|net)/[^/]+/[^/]+)(/[^/]+)?"
)
_VARIABLE = "${stageVariables."


@dataclass(frozen=True, slots=True)
class LinkParameters:
    load_balancers: tuple[str, ...] = words(expected="names, ARNs or patterns of load balancers, separated by commas")
    load_balancer_tiers: tuple[str, ...] = words(("vpc-link",))


@dataclass(frozen=True, slots=True)
class Link:
    """A VPC link. One of REST APIs (V1) names its targets itself; of the others (V2) the integrations that use it do."""

    version: str
    link_id: str
    name: str
    status: str
    targets: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"VPC link {self.link_id} ({bounded(self.name, 40)})"


@dataclass(frozen=True, slots=True)
class Integration:
    """Where an API leads through a link. `link_id` may be a stage variable, which can stand for any link."""

    api: str
    link_id: str
    target: str

    def uses(self, link: Link) -> bool:
        return self.link_id == link.link_id or _VARIABLE in self.link_id


class VpcLinks(Lookup[Sequence[Link]]):
    """Every VPC link. AWS Config does not record them."""

    actions = ("apigateway:GET",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Link]:
        rest, http = clients.build_client("apigateway"), clients.build_client("apigatewayv2")
        with reading("a VPC link"):
            pages = rest.get_paginator("get_vpc_links").paginate()
            found = [
                Link(REST_LINK, each["id"], each.get("name", ""), each["status"], tuple(each["targetArns"]))
                for page in pages
                for each in page["items"]
            ]
            more: dict[str, str] = {}
            while True:  # this operation has no paginator
                answer = http.get_vpc_links(**more)
                found += [Link(HTTP_LINK, each["VpcLinkId"], each["Name"], each["VpcLinkStatus"]) for each in answer["Items"]]
                if not answer.get("NextToken"):
                    return found
                more = {"NextToken": answer["NextToken"]}


class LinkIntegrations(Lookup[Sequence[Integration]]):
    """Every integration over a VPC link that says itself where it leads, of REST and of HTTP APIs."""

    actions = ("apigateway:GET",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Integration]:
        with reading("an integration"):
            return [*_of_http_apis(clients.build_client("apigatewayv2")), *_of_rest_apis(clients.build_client("apigateway"))]


def _of_http_apis(client: Any) -> Iterator[Integration]:
    for page in client.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            for part in client.get_paginator("get_integrations").paginate(ApiId=api["ApiId"]):
                for found in part["Items"]:
                    # WebSocket APIs go over V1 links, which have targets of their own
                    if found.get("ConnectionType") == "VPC_LINK" and api["ProtocolType"] == "HTTP":
                        yield Integration(api["ApiId"], found["ConnectionId"], found["IntegrationUri"])


def _of_rest_apis(client: Any) -> Iterator[Integration]:
    """An integration without `integrationTarget` goes over a V1 link."""
    for page in client.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            for part in client.get_paginator("get_resources").paginate(restApiId=api["id"], embed=["methods"]):
                for resource in part["items"]:
                    for method in (resource.get("resourceMethods") or {}).values():
                        found = method.get("methodIntegration") or {}
                        if found.get("connectionType") == "VPC_LINK" and found.get("integrationTarget"):
                            yield Integration(api["id"], found["connectionId"], found["integrationTarget"])


class BalancerTiers(Lookup[Mapping[str, str | None]]):
    """The tier tag of every application and network load balancer here, by ARN."""

    actions = ("elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags")
    resource_types = (LOAD_BALANCER,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Mapping[str, str | None]:
        client = clients.build_client("elbv2")
        pages = client.get_paginator("describe_load_balancers").paginate()
        arns = [balancer["LoadBalancerArn"] for page in pages for balancer in page["LoadBalancers"]]
        tiers: dict[str, str | None] = {}
        for start in range(0, len(arns), ARNS_PER_CALL):
            for found in client.describe_tags(ResourceArns=arns[start : start + ARNS_PER_CALL])["TagDescriptions"]:
                tiers[found["ResourceArn"]] = {tag["Key"]: tag.get("Value") for tag in found["Tags"]}.get(TIER_TAG)
        return tiers

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> Mapping[str, str | None]:
        found = items.find(LOAD_BALANCER, scope.account_id, scope.region)
        return {item["resourceId"]: tags_of(item).get(TIER_TAG) for item in found}


class PciVpcLinkLimited(PciRule):
    """Each VPC link of API Gateway targets only load balancers of this account that are listed or of tier vpc-link.

    PCI DSS 4.0.1: 1.4.1, 1.4.2. 3.2.1: 1.3.1. Source: API Gateway developer guide, private integrations, VPC links V1 and V2.

    | each target of a link | verdict |
    |---|---|
    | a load balancer here, listed in `LoadBalancers` (names, ARNs, patterns) | compliant |
    | a load balancer here, tagged `pci:tier` with one of `LoadBalancerTiers` | compliant |
    | another load balancer, one of another account, one that does not exist | non-compliant |
    | no load balancer (a Cloud Map service), or a stage variable, which says it elsewhere | non-compliant |

    | account and Region | verdict |
    |---|---|
    | every target of every link is compliant, or no integration uses a link | compliant |
    | a target of a link is not | non-compliant, names the link |
    | no link, or only links that are being deleted | not applicable |

    A link of HTTP APIs, or a V2 link of REST APIs, has its targets in the integrations that use it. An integration that names
    its link by a stage variable may use any V2 link, so it counts for each. VPC links are no resource type of AWS Config, whose
    PutEvaluations refuses types that it does not know: so the account is judged.
    """

    parameters = LinkParameters
    lookups = (VpcLinks, LinkIntegrations, BalancerTiers)

    def decide_account(self, parameters: LinkParameters, facts: Facts) -> Sequence[Finding]:
        return [about_account(_judged(parameters, facts), facts)]


def _judged(parameters: LinkParameters, facts: Facts) -> Finding:
    links = [link for link in facts.get(VpcLinks) if link.status != "DELETING"]
    if not links:
        return not_applicable("no VPC link here")
    names: set[str] = set()
    faults = []
    for link in links:
        for target, where in sorted(_targets(link, facts).items()):
            names.add(_name(target))
            fault = _fault(target, parameters, facts)
            if fault:
                faults.append(f"{link}: {where}{fault}")
    if faults:
        return non_compliant(counted(faults, "target", SUFFIX))
    if not names:
        return compliant("no integration uses a VPC link")
    count = "1 VPC link targets" if len(links) == 1 else f"{len(links)} VPC links target"
    named = [bounded(name, 60) for name in sorted(names)]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return compliant(f"{count} only " + ", ".join(named[:3]) + more)


def _targets(link: Link, facts: Facts) -> dict[str, str]:
    """Targets of a link, with the API that leads there where the link itself does not."""
    if link.version == REST_LINK:
        return dict.fromkeys(link.targets, "")
    return {each.target: f"API {each.api}: " for each in facts.get(LinkIntegrations) if each.uses(link)}


def _fault(target: str, parameters: LinkParameters, facts: Facts) -> str | None:
    if _VARIABLE in target:
        return f"target {bounded(target, 60)} is set elsewhere, by a stage variable; name the load balancer itself"
    found = _BALANCER.fullmatch(target)
    if found is None:
        return f"{bounded(target, 80)} is no load balancer, so what it leads to is not limited"
    arn, name = f"{found[1]}:loadbalancer/{found[4]}", _name(target)
    if found[2] != facts.scope.account_id:
        return f"load balancer {name} is of account {found[2]}; target one of this account"
    tiers = facts.get(BalancerTiers)
    if arn not in tiers:
        return f"load balancer {name} does not exist here; delete the link or target one that does"
    if any(fnmatch.fnmatchcase(each, pattern) for pattern in parameters.load_balancers for each in (arn, name)):
        return None
    if tiers[arn] in parameters.load_balancer_tiers:
        return None
    tier = f"is of tier {bounded(tiers[arn] or '', 40)!r}" if tiers[arn] else f"has no tag {TIER_TAG}"
    wanted = " or ".join(parameters.load_balancer_tiers) or "none"
    return f"load balancer {name} {tier}, expected {bounded(wanted, 60)}; target another, or list it in LoadBalancers"


def _name(target: str) -> str:
    found = _BALANCER.fullmatch(target)
    return found[4].split("/")[1] if found else target


lambda_handler = PciVpcLinkLimited.as_lambda_handler()
