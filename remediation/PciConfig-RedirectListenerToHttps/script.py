"""Makes an HTTP listener of an Application Load Balancer redirect every request to its HTTPS listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.runbook import Change, Refused, aws, carry_out
from pci_config.tls import policy_fault, redirect_fault


class RedirectFix:
    """State: {"listener": …, "rules": [...], "https": the port to redirect to}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["ListenerArn"])
        parts = self.resource_id.split(":")
        if len(parts) < 6 or parts[3:5] != [event["Region"], event["AccountId"]]:
            raise Refused(f"{self.resource_id} is not a listener of {event['AccountId']} in {event['Region']}; a classic load"
                          " balancer cannot redirect: replace its HTTP listener by an HTTPS one")  # fmt: skip

    def read(self) -> dict[str, Any] | None:
        elb = aws("elbv2")
        try:
            (listener,) = elb.describe_listeners(ListenerArns=[self.resource_id])["Listeners"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ListenerNotFound":
                return None
            raise
        pages = elb.get_paginator("describe_rules").paginate(ListenerArn=self.resource_id)
        rules = [rule for page in pages for rule in page["Rules"] if not rule.get("IsDefault")]
        return {"listener": listener, "rules": rules}

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        listener = state["listener"]
        if listener["Protocol"] == "HTTPS":
            if policy_fault(listener.get("SslPolicy", ""), "1.2"):
                raise Refused(
                    "this is an HTTPS listener with a weak policy: choose a stronger SslPolicy for it; clients may be cut off"
                )
            return []
        if listener["Protocol"] != "HTTP" or ":listener/app/" not in self.resource_id:
            raise Refused(
                f"a {listener['Protocol']} listener cannot redirect: use a TLS listener or list its port in PassThroughPorts"
            )
        default = redirect_fault(listener["DefaultActions"])
        wrong = [rule for rule in state["rules"] if redirect_fault(rule["Actions"])]
        if not default and not wrong:
            return []
        port = self._https_port(listener["LoadBalancerArn"])
        action = redirect_to(port)
        changes = []
        if default:
            parameters: dict[str, Any] = {"ListenerArn": self.resource_id, "DefaultActions": [action]}
            changes.append(
                Change("elbv2", "modify_listener", parameters, f"redirect the default action to HTTPS:{port} (it {default})")
            )
        for rule in wrong:
            parameters = {"RuleArn": rule["RuleArn"], "Actions": [action]}
            changes.append(Change("elbv2", "modify_rule", parameters, f"redirect rule {rule['Priority']} to HTTPS:{port}"))
        return changes

    def _https_port(self, load_balancer_arn: str) -> int:
        pages = aws("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=load_balancer_arn)
        found = [
            entry["Port"]
            for page in pages
            for entry in page["Listeners"]
            if entry["Protocol"] == "HTTPS" and entry.get("Certificates")
        ]
        if not found:
            raise Refused("needs a human: the load balancer has no HTTPS listener with a certificate to redirect to")
        return 443 if 443 in found else int(min(found))

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "DefaultActions": state["listener"]["DefaultActions"],
            "Rules": [{"RuleArn": rule["RuleArn"], "Actions": rule["Actions"]} for rule in state["rules"]],
        }


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
    return carry_out(events, RedirectFix(events))
