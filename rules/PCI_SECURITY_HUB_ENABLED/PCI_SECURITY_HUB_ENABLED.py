"""PCI_SECURITY_HUB_ENABLED: Security Hub CSPM is on, and checks against the hardening standards that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from pci_config.rule import (
    MAX_ANNOTATION_CHARACTERS,
    Clients,
    Facts,
    Finding,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    about_account,
    bounded,
    compliant,
    non_compliant,
    words,
)
from pci_config.security_hub import Hub, StandardError, says_off, standard_problems, subscribed_standards, wanted_standard

SUFFIX = " [PCI 2.2.1]"


@dataclass(frozen=True, slots=True)
class SecurityHubParameters:
    """`Standards`: names as in the standards' ARNs; the newest version offered, or the one given as NAME/v/VERSION."""

    standards: tuple[str, ...] = words(
        ("aws-foundational-security-best-practices", "cis-aws-foundations-benchmark", "pci-dss"),
        r"[a-z0-9-]+(/v/[0-9]+(\.[0-9]+)*)?",
        "name of a standard as in its ARN, such as pci-dss or pci-dss/v/4.0.1",
    )


class SecurityHub(Lookup[Hub | None]):
    """The hub of the account and Region; None when Security Hub is off. AWS Config does not record subscriptions."""

    actions = ("securityhub:DescribeHub", "securityhub:GetEnabledStandards", "securityhub:DescribeStandards")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Hub | None:
        hub = clients.build_client("securityhub")
        try:
            hub.describe_hub()
        except ClientError as error:
            if says_off(error.response["Error"]["Code"], error.response["Error"].get("Message", "")):
                return None
            raise
        enabled = hub.get_paginator("get_enabled_standards").paginate()
        offered = hub.get_paginator("describe_standards").paginate()
        return Hub(
            [subscription for page in enabled for subscription in page["StandardsSubscriptions"]],
            [standard["StandardsArn"] for page in offered for standard in page["Standards"]],
        )


class PciSecurityHubEnabled(PciRule):
    """Security Hub CSPM is on, with the wanted standards subscribed and READY.

    PCI DSS 4.0.1: 2.2.1 (hardening guidance that is recognised, applied). 3.2.1: 2.2. Source: AWS Security Hub API reference,
    DescribeHub, DescribeStandards, StandardsSubscription. What the standards find is theirs to tell; single controls that are
    switched off are not judged here.

    | Security Hub in this account and Region | verdict |
    |---|---|
    | off | non-compliant |
    | a wanted standard not subscribed, or in another version only | non-compliant, names standard and version |
    | subscribed and PENDING, INCOMPLETE, FAILED or DELETING | non-compliant, names status and AWS's reason |
    | every wanted standard READY | compliant |
    | a wanted standard is not among those that Security Hub offers; a status unknown | error: the parameter is wrong |
    """

    parameters = SecurityHubParameters
    lookups = (SecurityHub,)

    def decide_account(self, parameters: SecurityHubParameters, facts: Facts) -> Sequence[Finding]:
        if not parameters.standards:
            raise RuleInputError("parameter Standards is empty; expected at least one standard")
        hub = facts.get(SecurityHub)
        if hub is None:
            off = f"Security Hub is off in {facts.scope.region}; enable it with {', '.join(parameters.standards)}"
            return [about_account(non_compliant(bounded(off, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX), facts)]
        try:
            wanted = [wanted_standard(entry, hub.offered) for entry in parameters.standards]
        except StandardError as error:
            raise RuleInputError(f"parameter Standards: {error}") from None
        try:
            problems = [problem for _, problem in standard_problems(wanted, subscribed_standards(hub.subscriptions))]
        except StandardError as error:
            raise RuleInputError(str(error)) from None
        if not problems:
            return [about_account(compliant("READY: " + ", ".join(" ".join(standard) for standard in wanted)), facts)]
        told = problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(problems)
        return [about_account(non_compliant(bounded(told, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX), facts)]


lambda_handler = PciSecurityHubEnabled.as_lambda_handler()
