"""Makes an HTTP listener of an Application Load Balancer redirect every request to its HTTPS listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.runbook import Change, Refused, aws, carry_out, put_back, require_own
from pci_config.tags import tag_map
from pci_config.tls import policy_fault, redirect_fault


class OwnListener:
    """State: {"listener": the listener, "rules": its rules but the default one}, as described."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ListenerArn"])
        if self.resource_id.startswith("arn:"):
            require_own(event, self.resource_id)

    def read(self) -> dict[str, Any] | None:
        if not self.resource_id.startswith("arn:"):
            raise Refused(
                f"needs a human: {self.resource_id} is a classic load balancer, which cannot redirect; give it HTTPS or SSL"
                " listeners with a TLS 1.2 policy and delete the others, or replace it by an Application Load Balancer"
            )
        elb = aws("elbv2")
        try:
            (listener,) = elb.describe_listeners(ListenerArns=[self.resource_id])["Listeners"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ListenerNotFound":
                return None
            raise
        rules = elb.get_paginator("describe_rules").paginate(ListenerArn=self.resource_id)
        return {
            "listener": listener,
            "rules": [rule for page in rules for rule in page["Rules"] if not rule.get("IsDefault")],
        }

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The default actions and those of every rule, in a fixed order."""
        return {
            "DefaultActions": ordered_actions(state["listener"]["DefaultActions"]),
            "Rules": sorted(
                ({"RuleArn": rule["RuleArn"], "Actions": ordered_actions(rule["Actions"])} for rule in state["rules"]),
                key=lambda rule: str(rule["RuleArn"]),
            ),
        }


class RedirectFix(OwnListener):
    """State: also {"listeners": those of the load balancer}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._minimum = str(event["MinimumTlsVersion"])
        if self._minimum not in ("1.2", "1.3"):
            raise Refused(f"MinimumTlsVersion is {self._minimum!r}; expected 1.2 or 1.3")

    def read(self) -> dict[str, Any] | None:
        state = super().read()
        if state is None:
            return None
        balancer = state["listener"]["LoadBalancerArn"]
        listeners = aws("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
        return {**state, "listeners": [entry for page in listeners for entry in page["Listeners"]]}

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        listener = state["listener"]
        if listener["Protocol"] != "HTTP" or ":listener/app/" not in self.resource_id:
            return self._nothing_to_redirect(listener)
        default = redirect_fault(listener["DefaultActions"])
        wrong = [rule for rule in state["rules"] if redirect_fault(rule["Actions"])]
        if not default and not wrong:
            return []
        replaced = [*(listener["DefaultActions"] if default else ()), *(action for rule in wrong for action in rule["Actions"])]
        if any(action["Type"] == "authenticate-oidc" for action in replaced):
            raise Refused(
                "needs a human: an action authenticates by OIDC; AWS does not tell its client secret, so that it could not be"
                " put back"
            )
        target = https_listener(state["listeners"])
        action = redirect_to(target["Port"])
        changes = []
        if default:
            parameters: dict[str, Any] = {"ListenerArn": self.resource_id, "DefaultActions": [action]}
            summary = f"redirect the default action to HTTPS:{target['Port']} (it {default})"
            changes.append(Change("elbv2", "modify_listener", parameters, summary))
        for rule in wrong:
            parameters = {"RuleArn": rule["RuleArn"], "Actions": [action]}
            summary = f"redirect rule {rule['Priority']} to HTTPS:{target['Port']} (it {redirect_fault(rule['Actions'])})"
            changes.append(Change("elbv2", "modify_rule", parameters, summary))
        weak = policy_fault(str(target.get("SslPolicy")), self._minimum)
        if weak:  # HTTPS with a weak policy is better than HTTP, and a finding of its own
            last = changes.pop()
            note = f"; note: the listener HTTPS:{target['Port']} itself needs a stronger policy ({weak})"
            changes.append(Change(last.service, last.operation, last.parameters, last.summary + note))
        return changes

    def _nothing_to_redirect(self, listener: Mapping[str, Any]) -> Sequence[Change]:
        protocol = listener["Protocol"]
        if protocol in ("HTTPS", "TLS"):
            weak = policy_fault(str(listener.get("SslPolicy")), self._minimum)
            if weak:
                raise Refused(
                    f"needs a human: this {protocol} listener has a weak policy ({weak}); PciConfig-SetListenerTlsPolicy sets a"
                    " stronger one: clients that only know older versions will be cut off"
                )
            return []
        if protocol == "QUIC":
            return []
        raise Refused(
            f"needs a human: a {protocol} listener cannot redirect; make it a TLS listener with a certificate, or list its"
            " port in the rule's PassThroughPorts if its targets encrypt"
        )

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        (found,) = aws("elbv2").describe_tags(ResourceArns=[self.resource_id])["TagDescriptions"]
        return tag_map(found["Tags"])


class ListenerRestore(OwnListener):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        """Priorities and conditions of rules are never touched, so that actions are all that comes back."""
        now = self.record(state)
        then = {rule["RuleArn"]: rule["Actions"] for rule in before["Rules"]}
        if then.keys() != {rule["RuleArn"] for rule in now["Rules"]}:
            raise Refused(f"rules of {self.resource_id} were added or deleted while that execution ran: put it back by hand")
        changes = []
        if before["DefaultActions"] != now["DefaultActions"]:
            parameters: dict[str, Any] = {"ListenerArn": self.resource_id, "DefaultActions": before["DefaultActions"]}
            summary = f"put the default action back: {told(before['DefaultActions'])}"
            changes.append(Change("elbv2", "modify_listener", parameters, summary))
        priorities = {rule["RuleArn"]: rule["Priority"] for rule in state["rules"]}
        for rule in now["Rules"]:
            actions = then[rule["RuleArn"]]
            if actions != rule["Actions"]:
                parameters = {"RuleArn": rule["RuleArn"], "Actions": actions}
                summary = f"put rule {priorities[rule['RuleArn']]} back: {told(actions)}"
                changes.append(Change("elbv2", "modify_rule", parameters, summary))
        return changes


def ordered_actions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As they are carried out, and their target groups by ARN: in what order those are described means nothing."""
    found = []
    for action in sorted(actions, key=lambda action: int(action.get("Order", 0))):
        forward = action.get("ForwardConfig")
        if forward and forward.get("TargetGroups"):
            groups = sorted(forward["TargetGroups"], key=lambda group: str(group["TargetGroupArn"]))
            found.append({**action, "ForwardConfig": {**forward, "TargetGroups": groups}})
        else:
            found.append(dict(action))
    return found


def told(actions: Sequence[Mapping[str, Any]]) -> str:
    return ", then ".join(str(action["Type"]) for action in actions)


def https_listener(listeners: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The HTTPS listener to redirect to: the one on port 443, else the one on the lowest port. Refused without any."""
    found = [entry for entry in listeners if entry["Protocol"] == "HTTPS" and entry.get("Certificates")]
    if not found:
        raise Refused("needs a human: no HTTPS listener with a certificate on this load balancer to redirect to")
    return min(found, key=lambda entry: (entry["Port"] != 443, entry["Port"]))


def redirect_to(port: int) -> dict[str, Any]:
    return {
        "Type": "redirect",
        "RedirectConfig": {
            "Protocol": "HTTPS",
            "Port": str(port),
            "Host": "#{host}",
            "Path": "/#{path}",
            "Query": "#{query}",
            "StatusCode": "HTTP_301",
        },
    }


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, RedirectFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, ListenerRestore)
