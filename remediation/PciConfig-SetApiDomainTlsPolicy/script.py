"""Takes TLS 1.0 and 1.1 away from a custom domain name of API Gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pci_config.api_tls import PRIVATE, api_policy_fault, domain_name_fault
from pci_config.runbook import Change, Refused, aws, carry_out, put_back

REST, HTTP = "apigateway", "apigatewayv2"
WANTED, OLD = "TLS_1_2", "TLS_1_0"  # the policies that every domain name takes, whatever is mapped to it
# of the configurations that GetDomainName of HTTP APIs shows; the others are API Gateway's own
WRITABLE = (
    *("CertificateArn", "CertificateName", "EndpointType", "IpAddressType"),
    *("OwnershipVerificationCertificateArn", "SecurityPolicy"),
)


class DomainTlsPolicy:
    """A custom domain name. State: {"api": by which API it is changed, "found": what that API shows}.

    The API of REST APIs shows those of HTTP APIs too, but for configurations that only the other one knows.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["DomainName"])
        if self.resource_id.startswith("arn:"):
            raise Refused(
                f"needs a human: {self.resource_id} is a REST API, which cannot go from {OLD} to {WANTED}; choose a security"
                " policy and an endpoint access mode for it (UpdateRestApi), and deploy its stages again"
            )
        if self.resource_id == event["AccountId"]:
            raise Refused(
                "needs a human: the finding stands for all domain names that AWS Config has no type for; run this with the"
                " name of each that it names"
            )

    def read(self) -> dict[str, Any] | None:
        pages = aws(REST).get_paginator("get_domain_names").paginate()  # GetDomainName finds no private ones by name
        named = [each for page in pages for each in page.get("items", []) if each["domainName"] == self.resource_id]
        if named:  # a private domain name may have the name of a public one
            return {"api": REST, "found": min(named, key=lambda each: PRIVATE in endpoint_types(each))}
        try:
            return {"api": HTTP, "found": aws(HTTP).get_domain_name(DomainName=self.resource_id)}
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return None
            raise

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {"Api": state["api"], "Configurations": configurations(state)}

    def to(self, api: str, configured: Sequence[Mapping[str, Any]], summary: str) -> Change:
        """The API of HTTP APIs takes all configurations at once: the others are given as they are."""
        if api == HTTP:
            parameters: dict[str, Any] = {"DomainName": self.resource_id, "DomainNameConfigurations": list(configured)}
        else:
            (only,) = configured
            operation = {"op": "replace", "path": "/securityPolicy", "value": only["SecurityPolicy"]}
            parameters = {"domainName": self.resource_id, "patchOperations": [operation]}
        return Change(api, "update_domain_name", parameters, summary)

    def require_available(self, state: Mapping[str, Any]) -> None:
        """While API Gateway changes a domain name it takes no other change."""
        busy = [status for status in statuses(state) if status != "AVAILABLE"]
        if busy:
            raise Refused(f"{self.resource_id} is {busy[0]}: run this again when it is AVAILABLE")


class DomainTlsPolicyFix(DomainTlsPolicy):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._minimum = str(event["MinimumTlsVersion"])
        if self._minimum not in ("1.2", "1.3"):
            raise Refused(f"MinimumTlsVersion is {self._minimum!r}; expected 1.2 or 1.3")

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        found = state["found"]
        tags: Mapping[str, str] = found.get("Tags" if state["api"] == HTTP else "tags") or {}
        return tags

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        configured = configurations(state)
        policies = [each.get("SecurityPolicy", "") for each in configured]
        fault = domain_name_fault(policies, self._minimum)
        if not fault:
            return []
        unfit = api_policy_fault(WANTED, self._minimum)
        if unfit:
            raise Refused(
                f"needs a human: {unfit}; a SecurityPolicy_TLS13_1_3 one excludes mutual TLS and HTTP APIs, and needs an"
                " endpoint access mode: choose it with UpdateDomainName"
            )
        wrong = [policy for policy in policies if api_policy_fault(policy, self._minimum)]
        unknown = [policy for policy in wrong if policy != OLD]
        if unknown or not policies:
            what = f"policy {unknown[0]}" if unknown and unknown[0] else "its security policy"
            raise Refused(f"{self.resource_id}: {what} is not known here, and may be a stronger one: look at it")
        if PRIVATE in endpoint_types(state["found"]):
            raise Refused(f"needs a human: {self.resource_id} is a private domain name: change it by its id (UpdateDomainName)")
        if state["api"] == REST and len(endpoint_types(state["found"])) != 1:
            raise Refused(f"{self.resource_id} is being moved from one endpoint type to another: finish that first")
        self.require_available(state)
        mended = [
            {**each, "SecurityPolicy": WANTED if each["SecurityPolicy"] == OLD else each["SecurityPolicy"]}
            for each in configured
        ]
        return [self.to(state["api"], mended, f"set the security policy {WANTED} ({fault})")]


class DomainTlsPolicyRestore(DomainTlsPolicy):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        if before["Api"] != state["api"]:
            raise Refused(f"{self.resource_id} is shown by another API than before: change it by hand")
        self.require_available(state)
        policies = ", ".join(each["SecurityPolicy"] for each in before["Configurations"])
        return [self.to(before["Api"], before["Configurations"], f"put the security policy {policies} back")]


def configurations(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a change may give, of each configuration, in a fixed order."""
    if state["api"] == REST:
        return [{"SecurityPolicy": str(state["found"].get("securityPolicy") or "")}]
    found = [
        {name: each[name] for name in WRITABLE if each.get(name) not in (None, "")}
        for each in state["found"].get("DomainNameConfigurations") or []
    ]
    return sorted(found, key=lambda each: (each.get("EndpointType", ""), each.get("CertificateArn", "")))


def statuses(state: Mapping[str, Any]) -> list[str]:
    """An absent one says that nothing is going on."""
    if state["api"] == REST:
        return [state["found"].get("domainNameStatus") or "AVAILABLE"]
    return [each.get("DomainNameStatus") or "AVAILABLE" for each in state["found"].get("DomainNameConfigurations") or []]


def endpoint_types(domain_name: Mapping[str, Any]) -> Sequence[str]:
    return (domain_name.get("endpointConfiguration") or {}).get("types") or []


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, DomainTlsPolicyFix)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, DomainTlsPolicyRestore)
