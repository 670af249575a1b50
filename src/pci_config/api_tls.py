"""Security policies of API Gateway, as data with its source and date.

Sources: API Gateway developer guide, "Security policies for REST APIs", "Supported security policies" and "Choose a security
policy for your custom domain"; API models of API Gateway v1 and v2, as of 2026-11. AWS alone makes such policies: a name that
is not here is unknown and never passes. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pci_config.tls import SecurityPolicy, policy_fault

PRIVATE = "PRIVATE"
# (oldest TLS version, every cipher has forward secrecy, names)
_ROWS = (
    ("1.3", True, "SecurityPolicy_TLS13_1_3_2025_09 SecurityPolicy_TLS13_1_3_FIPS_2025_09 SecurityPolicy_TLS13_2025_EDGE"),
    ("1.2", True, "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09 SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09"),
    ("1.2", True, "SecurityPolicy_TLS12_PFS_2025_EDGE"),
    ("1.2", False, "SecurityPolicy_TLS13_1_2_PQ_2025_09 SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09"),
    ("1.2", False, "SecurityPolicy_TLS13_1_2_Ext2_PQ_2025_09 SecurityPolicy_TLS13_1_2_Ext2_FIPS_PQ_2025_09"),
    ("1.2", False, "SecurityPolicy_TLS13_1_2_2021_06 SecurityPolicy_TLS12_2018_EDGE TLS_1_2"),
    ("1.0", False, "TLS_1_0"),
)
API_POLICIES = {
    name: SecurityPolicy(name, minimum, forward_secrecy) for minimum, forward_secrecy, names in _ROWS for name in names.split()
}


@dataclass(frozen=True)
class RestApi:
    """What decides on a REST API. `policy` is "" when the API does not name one."""

    name: str
    endpoint_types: tuple[str, ...]
    policy: str
    endpoint_disabled: bool
    status: str = ""

    @property
    def effective_policy(self) -> str:
        """APIs from before policies could be chosen have that of their endpoint type: TLS 1.2 for private ones only."""
        return self.policy or ("TLS_1_2" if set(self.endpoint_types) == {PRIVATE} else "TLS_1_0")


def api_policy_fault(policy: str, minimum: str) -> str | None:
    """What is wrong with a policy; None when it accepts nothing older than `minimum` ("1.2" or "1.3")."""
    return policy_fault(policy, minimum, API_POLICIES)


def rest_api_fault(api: RestApi, minimum: str, accept_disabled_endpoint: bool) -> str | None:
    """What is wrong with a REST API; None when nothing.

    API Gateway negotiates with the API's policy through custom domain names too, so a disabled default endpoint alone does not
    keep old TLS out.
    """
    if api.status == "FAILED":
        return f"{api.name}: the last change of it failed, so policy {api.effective_policy} may not be in force; repeat it"
    fault = api_policy_fault(api.effective_policy, minimum)
    if fault is None or (api.endpoint_disabled and accept_disabled_endpoint):
        return None
    how = "default endpoint disabled, domain names use the API's policy" if api.endpoint_disabled else "default endpoint open"
    by_default = "" if api.policy else "by default "
    return f"{api.name} ({how}): {by_default}{fault}"


def domain_name_fault(policies: Iterable[str], minimum: str) -> str | None:
    """What is wrong with the policies of a domain name, one for every configuration of it; None when nothing."""
    named = list(policies)
    if not named or "" in named:
        return f"names no security policy; expected one of TLS {minimum} or newer"
    return next((fault for policy in named if (fault := api_policy_fault(policy, minimum))), None)
