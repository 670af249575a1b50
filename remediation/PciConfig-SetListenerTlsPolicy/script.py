"""Gives a listener that takes old TLS a security policy that the rule accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.classic_tls import NEGOTIATION_POLICY_TYPE, MalformedPolicyError, NegotiationPolicy, negotiation_fault
from pci_config.runbook import Change, Fix, Refused, Restore, aws, carry_out, put_back, require_own
from pci_config.tags import tag_map
from pci_config.tls import POLICIES, REFERENCE_POLICY, policy_fault

CLASSIC_POLICY = "ELBSecurityPolicy-TLS-1-2-2017-01"  # the only predefined one of TLS 1.2
OWN_POLICY = "PciConfig-TLS-1-2-2017-01"  # what a classic load balancer calls it after this fix
KINDS = {"app": "application", "net": "network"}


class ListenerPolicy:
    """The security policy of a listener of an Application or Network Load Balancer. State: the listener."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ListenerArn"])
        require_own(event, self.resource_id)

    def read(self) -> dict[str, Any] | None:
        try:
            (listener,) = aws("elbv2").describe_listeners(ListenerArns=[self.resource_id])["Listeners"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ListenerNotFound":
                return None
            raise
        return dict(listener)

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {"Protocol": state.get("Protocol"), "SslPolicy": state.get("SslPolicy")}

    def to(self, policy: str, summary: str) -> Change:
        """ModifyListener leaves what is not given as it is."""
        return Change("elbv2", "modify_listener", {"ListenerArn": self.resource_id, "SslPolicy": policy}, summary)


class ListenerPolicyFix(ListenerPolicy):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._minimum, self._wanted = minimum_of(event), str(event["SslPolicy"])

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        (found,) = aws("elbv2").describe_tags(ResourceArns=[self.resource_id])["TagDescriptions"]
        return tag_map(found["Tags"])

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        protocol, policy = state.get("Protocol"), str(state.get("SslPolicy") or "")
        if protocol == "QUIC":
            return []  # TLS 1.3 by design
        if protocol not in ("HTTPS", "TLS"):
            instead = {"HTTP": "PciConfig-RedirectListenerToHttps redirects it"}.get(
                str(protocol), "make it a TLS listener with a certificate, or list its port in the rule's PassThroughPorts"
            )
            raise Refused(f"a {protocol} listener has no security policy: {instead}")
        fault = policy_fault(policy, self._minimum)
        if not fault:
            return []
        loss = policy_fault(self._wanted, self._minimum) or policy_loss(policy, self._wanted)
        if loss:
            raise Refused(f"SslPolicy {self._wanted} is not set: {loss}; {suggestion(policy, self._minimum)}")
        self._require_offered()
        return [self.to(self._wanted, f"set the security policy {self._wanted} (port {state['Port']}: {fault})")]

    def _require_offered(self) -> None:
        """Not every policy is in every Region, or for every kind of load balancer."""
        kind = KINDS[self.resource_id.split("/")[1]]
        try:
            offered = aws("elbv2").describe_ssl_policies(Names=[self._wanted], LoadBalancerType=kind)["SslPolicies"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("SSLPolicyNotFound", "ValidationError"):
                raise
            offered = []
        if not offered:
            raise Refused(f"SslPolicy {self._wanted} is not offered here for {kind} load balancers: choose another")


class ListenerPolicyRestore(ListenerPolicy):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        if before["Protocol"] != state.get("Protocol") or not before["SslPolicy"]:
            raise Refused(f"{self.resource_id} is no {before['Protocol']} listener any more, or had no security policy")
        return [self.to(before["SslPolicy"], f"put the security policy {before['SslPolicy']} back")]


class ClassicPolicies:
    """The SSL negotiation of a Classic Load Balancer. State: {"listeners": …, "policies": DescribeLoadBalancerPolicies}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ListenerArn"])

    def read(self) -> dict[str, Any] | None:
        elb = aws("elb")
        try:
            (found,) = elb.describe_load_balancers(LoadBalancerNames=[self.resource_id])["LoadBalancerDescriptions"]
            policies = elb.describe_load_balancer_policies(LoadBalancerName=self.resource_id)["PolicyDescriptions"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("LoadBalancerNotFound", "AccessPointNotFound"):
                return None
            raise
        return {"listeners": found["ListenerDescriptions"], "policies": policies}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        listeners = {each["Listener"]["LoadBalancerPort"]: sorted(each["PolicyNames"]) for each in state["listeners"]}
        return {
            "Listeners": [{"Port": port, "PolicyNames": listeners[port]} for port in sorted(listeners)],
            "OwnPolicy": any(policy["PolicyName"] == OWN_POLICY for policy in state["policies"]),
        }

    def call(self, operation: str, summary: str, **parameters: Any) -> Change:
        return Change("elb", operation, {"LoadBalancerName": self.resource_id, **parameters}, summary)

    def listener_policies(self, port: int, names: Sequence[str], summary: str) -> Change:
        """All of the listener's policies: what is not named is taken from it."""
        return self.call("set_load_balancer_policies_of_listener", summary, LoadBalancerPort=port, PolicyNames=list(names))


class ClassicPoliciesFix(ClassicPolicies):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._minimum = minimum_of(event)

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        (found,) = aws("elb").describe_tags(LoadBalancerNames=[self.resource_id])["TagDescriptions"]
        return tag_map(found["Tags"])

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        policies = {policy["PolicyName"]: policy for policy in state["policies"]}
        wrong = {}
        for each in state["listeners"]:
            fault = self._fault(each, policies)
            if fault:
                wrong[each["Listener"]["LoadBalancerPort"]] = (each["PolicyNames"], fault)
        if not wrong:
            return []
        unfit = negotiation_fault(OWN_POLICY, NegotiationPolicy(CLASSIC_POLICY, {}), self._minimum)
        if unfit:
            raise Refused(
                f"classic load balancers have no stronger policy ({unfit}): replace it by an Application or Network one"
            )
        found = self._made(policies.get(OWN_POLICY))
        for port, (names, fault) in sorted(wrong.items()):
            others = [name for name in names if policies[name]["PolicyTypeName"] != NEGOTIATION_POLICY_TYPE]
            found.append(self.listener_policies(port, [*others, OWN_POLICY], f"set {CLASSIC_POLICY} on port {port} ({fault})"))
        return found

    def _fault(self, each: Mapping[str, Any], policies: Mapping[str, Mapping[str, Any]]) -> str | None:
        port, protocol = each["Listener"]["LoadBalancerPort"], str(each["Listener"]["Protocol"]).upper()
        if protocol not in ("HTTPS", "SSL"):
            raise Refused(
                f"needs a human: port {port} takes {protocol}, which no policy encrypts, and classic load balancers cannot"
                " redirect; delete that listener, or replace the load balancer, and run this again"
            )
        unknown = [name for name in each["PolicyNames"] if name not in policies]
        named = [name for name in each["PolicyNames"] if name not in unknown]
        negotiating = [name for name in named if policies[name]["PolicyTypeName"] == NEGOTIATION_POLICY_TYPE]
        if unknown or not negotiating:
            raise Refused(f"port {port}: {', '.join(unknown) or 'no SSL negotiation policy'} cannot be read")
        faults = [negotiation_fault(name, negotiation_of(policies[name]), self._minimum) for name in negotiating]
        return next(filter(None, faults), None)

    def _made(self, own: Mapping[str, Any] | None) -> list[Change]:
        """The call that makes the policy, unless an earlier run did."""
        if own is None:
            attributes = [{"AttributeName": REFERENCE_POLICY, "AttributeValue": CLASSIC_POLICY}]
            summary = f"make the policy {OWN_POLICY} ({CLASSIC_POLICY})"
            return [
                self.call(
                    "create_load_balancer_policy",
                    summary,
                    PolicyName=OWN_POLICY,
                    PolicyTypeName=NEGOTIATION_POLICY_TYPE,
                    PolicyAttributes=attributes,
                )
            ]
        if own["PolicyTypeName"] != NEGOTIATION_POLICY_TYPE or negotiation_of(own).reference != CLASSIC_POLICY:
            raise Refused(f"the policy {OWN_POLICY} of {self.resource_id} is not what this makes: delete it")
        return []


class ClassicPoliciesRestore(ClassicPolicies):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        now = self.record(state)
        names = {each["Port"]: each["PolicyNames"] for each in now["Listeners"]}
        if sorted(names) != [each["Port"] for each in before["Listeners"]]:
            raise Refused(f"{self.resource_id} has other listeners than before")
        found = [
            self.listener_policies(each["Port"], each["PolicyNames"], f"put the policies of port {each['Port']} back")
            for each in before["Listeners"]
            if names[each["Port"]] != each["PolicyNames"]
        ]
        if now["OwnPolicy"] and not before["OwnPolicy"]:
            found.append(self.call("delete_load_balancer_policy", f"delete the policy {OWN_POLICY}", PolicyName=OWN_POLICY))
        return found


def negotiation_of(description: Mapping[str, Any]) -> NegotiationPolicy:
    pairs = [(each.get("AttributeName"), each.get("AttributeValue")) for each in description["PolicyAttributeDescriptions"]]
    try:
        return NegotiationPolicy.of_attributes(description["PolicyName"], pairs)
    except MalformedPolicyError as error:
        raise Refused(f"a policy cannot be read: {error}") from None


def policy_loss(policy: str, wanted: str) -> str | None:
    """What the wanted policy gives up that the present one has, beside old TLS."""
    for word, meaning in (("FIPS", "the FIPS module"), ("PQ", "post-quantum key exchange")):
        if word in policy.split("-") and word not in wanted.split("-"):
            return f"it gives up {meaning} that {policy} has"
    if policy in POLICIES and POLICIES[policy].forward_secrecy and not POLICIES[wanted].forward_secrecy:
        return f"it has ciphers without forward secrecy, which {policy} has not"
    return None


def suggestion(policy: str, minimum: str) -> str:
    fitting = [name for name, each in POLICIES.items() if each.minimum == minimum and each.forward_secrecy]
    fitting = [name for name in fitting if "RFC9151" not in name and not policy_loss(policy, name)]
    return f"choose one such as {fitting[0]}"


def minimum_of(event: Mapping[str, Any]) -> str:
    minimum = str(event["MinimumTlsVersion"])
    if minimum not in ("1.2", "1.3"):
        raise Refused(f"MinimumTlsVersion is {minimum!r}; expected 1.2 or 1.3")
    return minimum


def fix_of(event: Mapping[str, Any]) -> Fix:
    return ListenerPolicyFix(event) if str(event["ListenerArn"]).startswith("arn:") else ClassicPoliciesFix(event)


def restore_of(event: Mapping[str, Any]) -> Restore:
    return ListenerPolicyRestore(event) if str(event["ListenerArn"]).startswith("arn:") else ClassicPoliciesRestore(event)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, fix_of)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, restore_of)
