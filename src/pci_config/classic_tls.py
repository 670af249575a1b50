"""What the listeners of a Classic Load Balancer negotiate: SSL negotiation policies, judged by the tables of pci_config.tls.

Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.tls import CLASSIC_POLICIES, REFERENCE_POLICY, attribute_fault, policy_fault

NEGOTIATION_POLICY_TYPE = "SSLNegotiationPolicyType"


class MalformedPolicyError(ValueError):
    """A policy does not say what it allows."""


@dataclass(frozen=True, slots=True)
class NegotiationPolicy:
    """An SSL negotiation policy: the predefined one that it refers to ("" for none), and which attributes are on."""

    reference: str
    attributes: Mapping[str, bool]

    @classmethod
    def of_attributes(cls, name: str, described: Iterable[tuple[Any, Any]]) -> NegotiationPolicy:
        """From (attribute, value). Raises MalformedPolicyError unless each is on or off: a silent one could be TLS 1.0."""
        reference, attributes = "", dict[str, bool]()
        for attribute, value in described:
            if attribute == REFERENCE_POLICY and isinstance(value, str):
                reference = value
            elif isinstance(attribute, str) and attribute and value in ("true", "false"):
                attributes[attribute] = attributes.get(attribute, False) or value == "true"
            else:
                raise MalformedPolicyError(f"{name}: attribute {attribute!r} is {value!r}, expected true or false")
        return cls(reference, attributes)


def negotiation_fault(name: str, policy: NegotiationPolicy, minimum: str) -> str | None:
    """A predefined policy is judged by the table, and by its attributes too where they are recorded with it."""
    fault = policy_fault(policy.reference, minimum, CLASSIC_POLICIES) if policy.reference else None
    if fault is None and (not policy.reference or any(a.startswith("Protocol-") for a in policy.attributes)):
        fault = attribute_fault(policy.attributes, minimum)
        fault = f"policy {name} {fault}" if fault else None
    return fault
