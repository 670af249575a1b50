"""PCI_LISTENER_TLS_ONLY: listeners of load balancers accept strong TLS only, or redirect to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.classic_tls import NEGOTIATION_POLICY_TYPE, MalformedPolicyError, NegotiationPolicy, negotiation_fault
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
    numbered,
    ports,
    reading,
    required,
)
from pci_config.tls import POLICIES, policy_fault, redirect_fault

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
CLASSIC_LOAD_BALANCER = "AWS::ElasticLoadBalancing::LoadBalancer"
SUFFIX = " [PCI 4.2.1]"


@dataclass(frozen=True, slots=True)
class ListenerParameters:
    minimum_tls_version: str = choice("1.2", ("1.2", "1.3"))
    """Oldest TLS version that a policy may take."""
    pass_through_ports: tuple[int, ...] = ports()
    """Ports on which a Network Load Balancer may pass TCP or UDP through: TLS ends behind it."""
    scope: str = choice("all", ("all", "internet-facing"))
    """Which load balancers a pass-through listener is judged on."""


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
    read_first = True

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


@dataclass(frozen=True, slots=True)
class ClassicListener:
    port: int
    protocol: str
    policy_names: tuple[str, ...]

    @classmethod
    def all_of(cls, item: Item) -> tuple[ClassicListener, ...]:
        return tuple(cls._from_description(d) for d in required(item, "configuration.listenerDescriptions", list))

    @classmethod
    def _from_description(cls, description: Any) -> ClassicListener:
        given = {**description, "resourceType": "listenerDescriptions"} if isinstance(description, Mapping) else {}
        names = given.get("policyNames") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RuleInputError("configuration.listenerDescriptions: policyNames is no list of names")
        return cls(
            required(given, "listener.loadBalancerPort", int),
            required(given, "listener.protocol", str).upper(),
            tuple(names),
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
    | classic: an HTTP or TCP listener | non-compliant |
    | classic: HTTPS or SSL whose policy takes an old protocol, or a weak or unknown cipher | non-compliant, names them |
    | classic: HTTPS or SSL whose policy cannot be read, and nothing else is wrong | error |
    """

    resource_types = (LISTENER, CLASSIC_LOAD_BALANCER)
    parameters = ListenerParameters
    lookups = (ListenerRules, LoadBalancerScheme)
    sweeps = True  # listener rules are not recorded: nothing tells when one changes

    def decide(self, item: Item, parameters: ListenerParameters, facts: Facts) -> Finding:
        if required(item, "resourceType", str) == CLASSIC_LOAD_BALANCER:
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
    secrecy = "" if POLICIES[listener.ssl_policy].forward_secrecy else ", some ciphers without forward secrecy"
    return compliant(f"port {listener.port}: TLS {minimum} or newer ({listener.ssl_policy}{secrecy})")


def require_redirect_everywhere(listener: Listener, facts: Facts) -> Finding:
    fault = redirect_fault(listener.default_actions)
    if fault:
        return non_compliant(f"port {listener.port}: the default action {fault}; redirect it to HTTPS{SUFFIX}")
    rules = facts.get(ListenerRules, listener.arn)
    faults = [f"rule {rule.get('Priority')} {fault}" for rule in rules if (fault := redirect_fault(rule.get("Actions") or ()))]
    if faults:
        count = f"{len(faults)} of {numbered(len(rules), 'rule')} {'sends' if len(faults) == 1 else 'send'}"
        return non_compliant(f"port {listener.port}: {count} requests on: {faults[0]}; redirect it{SUFFIX}")
    return compliant(f"port {listener.port}: redirects to HTTPS (default action and {numbered(len(rules), 'rule')})")


def require_listed_pass_through(listener: Listener, parameters: ListenerParameters, facts: Facts) -> Finding:
    if listener.port in parameters.pass_through_ports:
        return compliant(f"port {listener.port} is listed in PassThroughPorts: encryption is the target's task")
    if parameters.scope == "internet-facing" and facts.get(LoadBalancerScheme, listener.load_balancer_arn) == "internal":
        return compliant(f"port {listener.port}: internal load balancer, and Scope is internet-facing")
    return non_compliant(
        f"port {listener.port}: {listener.protocol} passes traffic through unchecked; use a TLS listener or list the port in"
        f" PassThroughPorts{SUFFIX}"
    )


def judge_classic(item: Item, minimum: str) -> Finding:
    listeners = ClassicListener.all_of(item)
    faults, unreadable = [], []
    for listener in listeners:
        try:
            fault = classic_fault(listener, item, minimum)
        except RuleInputError as error:
            unreadable.append(error)
        else:
            faults += [f"port {listener.port}: {fault}"] if fault else []
    if faults:  # one listener that is wrong decides, whatever cannot be read of the others
        return non_compliant(counted(faults, "listener", SUFFIX))
    if unreadable:
        raise unreadable[0]
    return compliant(f"{numbered(len(listeners), 'listener')} with TLS {minimum} or newer" if listeners else "no listeners")


def classic_fault(listener: ClassicListener, item: Item, minimum: str) -> str | None:
    match listener.protocol:
        case "HTTP" | "TCP":
            return f"{listener.protocol} is not encrypted; classic load balancers cannot redirect, use HTTPS or remove it"
        case "HTTPS" | "SSL":
            faults = [negotiation_fault(name, policy, minimum) for name, policy in negotiation_policies(listener, item)]
            return next(filter(None, faults), None)
        case unknown:
            raise RuleInputError(f"configuration.listenerDescriptions: protocol {unknown!r} is not known")


def negotiation_policies(listener: ClassicListener, item: Item) -> list[tuple[str, NegotiationPolicy]]:
    """The policies that decide a listener's protocols and ciphers. RuleInputError when one is not recorded, or none is."""
    described = {
        entry["policyName"]: entry
        for entry in required(item, "supplementaryConfiguration.LoadBalancerPolicies", list)
        if isinstance(entry, Mapping) and isinstance(entry.get("policyName"), str)
    }
    missing = [name for name in listener.policy_names if name not in described]
    found = [name for name in listener.policy_names if described.get(name, {}).get("policyTypeName") == NEGOTIATION_POLICY_TYPE]
    if missing or not found:
        what = f"policy {missing[0]}" if missing else "an SSL negotiation policy of it"
        raise RuleInputError(f"port {listener.port}: supplementaryConfiguration.LoadBalancerPolicies does not describe {what}")
    return [(name, negotiation_policy(name, described[name])) for name in found]


def negotiation_policy(name: str, description: Mapping[str, Any]) -> NegotiationPolicy:
    entries = [each if isinstance(each, Mapping) else {} for each in description.get("policyAttributeDescriptions") or []]
    try:
        return NegotiationPolicy.of_attributes(
            name, ((each.get("attributeName"), each.get("attributeValue")) for each in entries)
        )
    except MalformedPolicyError as error:
        raise RuleInputError(f"LoadBalancerPolicies: {error}") from None


lambda_handler = PciListenerTlsOnly.as_lambda_handler()
