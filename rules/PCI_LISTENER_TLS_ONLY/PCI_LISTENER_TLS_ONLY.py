"""PCI_LISTENER_TLS_ONLY: listeners of load balancers accept strong TLS only, or redirect to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    optional,
    ports,
    reading,
    required,
)
from pci_config.tls import attribute_fault, policy_fault, redirect_fault

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancing::LoadBalancer"
PASS_THROUGH = ("TCP", "UDP", "TCP_UDP", "TCP_QUIC")
SUFFIX = " [PCI 4.2.1]"


@dataclass(frozen=True, slots=True)
class ListenerParameters:
    minimum_tls_version: str = choice("1.2", ("1.2", "1.3"))
    pass_through_ports: tuple[int, ...] = ports()
    scope: str = choice("all", ("all", "internet-facing"))


class ListenerRules(Lookup[Sequence[Mapping[str, Any]]]):
    """The rules of a listener beside its default one, as DescribeRules gives them. AWS Config does not record them."""

    actions = ("elasticloadbalancing:DescribeRules",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Sequence[Mapping[str, Any]]:
        pages = clients.build_client("elbv2").get_paginator("describe_rules").paginate(ListenerArn=key[0])
        return [rule for page in pages for rule in page["Rules"] if not rule.get("IsDefault")]


class LoadBalancerScheme(Lookup[str]):
    """`internet-facing` or `internal`."""

    actions = ("elasticloadbalancing:DescribeLoadBalancers",)
    resource_types = (LOAD_BALANCER,)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> str:
        (found,) = clients.build_client("elbv2").describe_load_balancers(LoadBalancerArns=list(key))["LoadBalancers"]
        return str(found["Scheme"])

    @classmethod
    def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> str:
        for item in items.find(LOAD_BALANCER, scope.account_id, scope.region):
            if item["resourceId"] == key[0]:
                return required(item, "configuration.scheme", str)
        raise NotAssessed("its load balancer is not in this source, so whether it faces the internet is not known")


@dataclass(frozen=True, slots=True)
class Listener:
    arn: str
    load_balancer_arn: str
    port: int
    protocol: str
    ssl_policy: str
    default_actions: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_item(cls, item: Item) -> Listener:
        protocol = required(item, "configuration.Protocol", str)
        tls = protocol in ("HTTPS", "TLS")
        return cls(
            arn=required(item, "configuration.ListenerArn", str),
            load_balancer_arn=required(item, "configuration.LoadBalancerArn", str),
            port=0 if protocol == "GENEVE" else required(item, "configuration.Port", int),
            protocol=protocol,
            ssl_policy=required(item, "configuration.SslPolicy", str) if tls else "",
            default_actions=tuple(required(item, "configuration.DefaultActions", list)) if protocol == "HTTP" else (),
        )


class PciListenerTlsOnly(PciRule):
    """Listeners of load balancers accept TLS 1.2 or newer only, or redirect to it.

    PCI DSS 4.0.1: 4.2.1, 2.2.7. 3.2.1: 4.1. Source: Elastic Load Balancing security policies (table in pci_config/tls.py).

    | listener | verdict |
    |---|---|
    | HTTPS or TLS with a strong policy | compliant |
    | HTTPS or TLS with a weak or unknown policy | non-compliant, names the policy |
    | HTTP whose default action and every rule redirect to HTTPS (301, 302) | compliant |
    | HTTP with any other action, or a redirect that keeps HTTP | non-compliant |
    | TCP, UDP, TCP_UDP, TCP_QUIC on a port of `PassThroughPorts` | compliant, said |
    | the same, internal load balancer and `Scope` internet-facing | compliant, said |
    | the same otherwise | non-compliant |
    | GENEVE | not applicable |
    | QUIC | compliant: TLS 1.3 by design |
    | any other protocol | error |
    | classic: an HTTP or TCP listener, or HTTPS or SSL with an old protocol or weak cipher | non-compliant |
    """

    resource_types = (LISTENER, CLASSIC_LOAD_BALANCER)
    parameters = ListenerParameters
    lookups = (ListenerRules, LoadBalancerScheme)

    def decide(self, item: Item, parameters: ListenerParameters, facts: Facts) -> Finding:
        if item["resourceType"] == CLASSIC_LOAD_BALANCER:
            with reading("configuration.listenerDescriptions or LoadBalancerPolicies"):
                return judge_classic(item, parameters.minimum_tls_version)
        listener = Listener.from_item(item)
        match listener.protocol:
            case "HTTPS" | "TLS":
                return require_strong_policy(listener, parameters.minimum_tls_version)
            case "HTTP":
                return require_redirect_everywhere(listener, facts)
            case "TCP" | "UDP" | "TCP_UDP" | "TCP_QUIC":
                return require_listed_pass_through(listener, parameters, facts)
            case "GENEVE":
                return not_applicable("GENEVE carries traffic to appliances inside the VPC")
            case "QUIC":
                return compliant("QUIC always uses TLS 1.3")
            case unknown:
                raise RuleInputError(f"configuration.Protocol is {unknown!r}, which this rule does not know")


def require_strong_policy(listener: Listener, minimum: str) -> Finding:
    fault = policy_fault(listener.ssl_policy, minimum)
    if fault:
        return non_compliant(f"port {listener.port}: {fault}{SUFFIX}")
    return compliant(f"TLS {minimum} or newer ({listener.ssl_policy})")


def require_redirect_everywhere(listener: Listener, facts: Facts) -> Finding:
    with reading("configuration.DefaultActions"):
        fault = redirect_fault(listener.default_actions)
    if fault:
        return non_compliant(f"port {listener.port}: the default action {fault}; redirect it to HTTPS{SUFFIX}")
    rules = facts.get(ListenerRules, listener.arn)
    faults = [f"rule {rule.get('Priority')} {fault}" for rule in rules if (fault := redirect_fault(rule.get("Actions") or ()))]
    if faults:
        return non_compliant(
            f"port {listener.port}: {len(faults)} of {len(rules)} rules send requests on: {faults[0]}; redirect it{SUFFIX}"
        )
    return compliant(f"redirects to HTTPS (default action and {len(rules)} rules)")


def require_listed_pass_through(listener: Listener, parameters: ListenerParameters, facts: Facts) -> Finding:
    if listener.port in parameters.pass_through_ports:
        return compliant(f"port {listener.port} is listed in PassThroughPorts: encryption is the target's task")
    if parameters.scope == "internet-facing" and facts.get(LoadBalancerScheme, listener.load_balancer_arn) == "internal":
        return compliant("internal load balancer, and Scope is internet-facing")
    return non_compliant(
        f"port {listener.port}: {listener.protocol} passes traffic through unchecked; use a TLS listener or list the port in"
        f" PassThroughPorts{SUFFIX}"
    )


def judge_classic(item: Item, minimum: str) -> Finding:
    descriptions = required(item, "configuration.listenerDescriptions", list)
    policies = {
        entry.get("policyName"): entry
        for entry in optional(item, "supplementaryConfiguration.LoadBalancerPolicies", list, [])
        if isinstance(entry, Mapping)
    }
    faults = [fault for entry in descriptions if (fault := _classic_fault(entry, policies, minimum))]
    if faults:
        return non_compliant(counted(faults, "listener", SUFFIX))
    return compliant(f"all {len(descriptions)} listeners take TLS {minimum} or newer" if descriptions else "no listeners")


def _classic_fault(entry: Mapping[str, Any], policies: Mapping[Any, Mapping[str, Any]], minimum: str) -> str | None:
    listener = entry.get("listener") if isinstance(entry, Mapping) else None
    if not isinstance(listener, Mapping) or not isinstance(listener.get("protocol"), str):
        raise RuleInputError("configuration.listenerDescriptions: a listener has no protocol")
    protocol, port = listener["protocol"].upper(), listener.get("loadBalancerPort")
    if protocol in ("HTTP", "TCP"):
        return f"port {port}: {protocol} is not encrypted; classic load balancers cannot redirect, use HTTPS or remove it"
    if protocol not in ("HTTPS", "SSL"):
        raise RuleInputError(f"configuration.listenerDescriptions: protocol {protocol!r} is not known")
    negotiations = [
        policies[name]
        for name in entry.get("policyNames") or []
        if policies.get(name, {}).get("policyTypeName") == "SSLNegotiationPolicyType"
    ]
    if not negotiations:
        raise RuleInputError(f"port {port}: its SSL negotiation policy is not among LoadBalancerPolicies")
    attributes = {
        str(attribute.get("attributeName")): str(attribute.get("attributeValue"))
        for attribute in negotiations[0].get("policyAttributeDescriptions") or []
    }
    reference = attributes.get("Reference-Security-Policy")
    fault = policy_fault(reference, minimum) if reference else attribute_fault(attributes, minimum)
    return f"port {port}: {fault}" if fault else None


lambda_handler = PciListenerTlsOnly.as_lambda_handler()
