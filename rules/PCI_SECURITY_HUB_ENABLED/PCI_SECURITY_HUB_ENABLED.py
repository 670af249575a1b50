"""PCI_SECURITY_HUB_ENABLED: Security Hub CSPM is on, and checks against the hardening standards that are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

SUFFIX = " [PCI 2.2.1]"
READY = "READY"
_ARN = re.compile(r"arn:[a-z-]+:securityhub:[a-z0-9-]*::(?:standards|ruleset)/([a-z0-9-]+)/v/([0-9]+(?:\.[0-9]+)*)")
_STATUSES = (READY, "PENDING", "INCOMPLETE", "FAILED", "DELETING")
_OFF = re.compile(r"not subscribed|not enabled", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SecurityHubParameters:
    """`Standards`: names as in the standards' ARNs; the newest version offered, or the one given as NAME/v/VERSION."""

    standards: tuple[str, ...] = words(
        ("aws-foundational-security-best-practices", "cis-aws-foundations-benchmark", "pci-dss"),
        r"[a-z0-9-]+(/v/[0-9]+(\.[0-9]+)*)?",
        "name of a standard as in its ARN, such as pci-dss or pci-dss/v/4.0.1",
    )


@dataclass(frozen=True, slots=True)
class Hub:
    """The subscriptions as Security Hub gives them, and the ARNs of the standards that it offers in the Region."""

    subscriptions: Sequence[Mapping[str, Any]]
    offered: Sequence[str]


class SecurityHub(Lookup[Hub | None]):
    """The hub of the account and Region; None when Security Hub is off. AWS Config does not record subscriptions."""

    actions = ("securityhub:DescribeHub", "securityhub:GetEnabledStandards", "securityhub:DescribeStandards")

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> Hub | None:
        hub = clients.build_client("securityhub")
        try:
            hub.describe_hub()
        except ClientError as error:
            if _is_off(error):
                return None
            raise
        enabled = hub.get_paginator("get_enabled_standards").paginate()
        offered = hub.get_paginator("describe_standards").paginate()
        return Hub(
            [subscription for page in enabled for subscription in page["StandardsSubscriptions"]],
            [standard["StandardsArn"] for page in offered for standard in page["Standards"]],
        )


def _is_off(error: ClientError) -> bool:
    """InvalidAccessException also refuses those who may not ask; only its text tells the two apart."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return code == "ResourceNotFoundException" or (code == "InvalidAccessException" and bool(_OFF.search(message)))


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
        wanted = [_wanted(entry, hub.offered) for entry in parameters.standards]
        problems = list(_problems(wanted, _subscribed(hub)))
        if not problems:
            return [about_account(compliant("READY: " + ", ".join(" ".join(standard) for standard in wanted)), facts)]
        told = problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + "; ".join(problems)
        return [about_account(non_compliant(bounded(told, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX), facts)]


Standard = tuple[str, str]  # name and version


def _wanted(entry: str, offered: Sequence[str]) -> Standard:
    """The standard that an entry of the parameter means."""
    name, _, version = entry.partition("/v/")
    versions = [found[1] for arn in offered if (found := _standard(arn)) and found[0] == name]
    if not versions or (version and version not in versions):
        known = sorted({found[0] for arn in offered if (found := _standard(arn))})
        of_it = f"its versions: {', '.join(versions)}" if versions else f"it offers {', '.join(known) or 'none'}"
        raise RuleInputError(f"parameter Standards: Security Hub offers no {entry!r} here; {of_it}")
    return name, version or max(versions, key=_numbers)


def _standard(arn: Any) -> Standard | None:
    form = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    return (form[1], form[2]) if form else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _subscribed(hub: Hub) -> dict[Standard, str]:
    """Status, with AWS's reason, by standard. What AWS does not document as a status is no verdict."""
    found = {}
    for subscription in hub.subscriptions:
        standard, status = _standard(subscription.get("StandardsArn")), subscription.get("StandardsStatus")
        if standard is None:  # a standard of Control Tower, another cloud's or one's own
            continue
        if status not in _STATUSES:
            raise RuleInputError(f"{' '.join(standard)}: StandardsStatus is {status!r}")
        reason = (subscription.get("StandardsStatusReason") or {}).get("StatusReasonCode")
        found[standard] = f"{status} ({reason})" if reason and status != READY else str(status)
    return found


def _problems(wanted: Sequence[Standard], subscribed: Mapping[Standard, str]) -> Iterator[str]:
    for name, version in wanted:
        status = subscribed.get((name, version))
        others = sorted((v for n, v in subscribed if n == name), key=_numbers)
        if status is None and others:
            yield f"{name} is subscribed in version {', '.join(others)}, expected {version}"
        elif status is None:
            yield f"{name} {version} is not subscribed"
        elif status != READY:
            yield f"{name} {version} is {status}, expected READY"


lambda_handler = PciSecurityHubEnabled.as_lambda_handler()
