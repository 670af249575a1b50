"""PCI_TRAIL_DELIVERED: one organization trail records every call everywhere and delivers it to the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pci_config.rule import (
    Facts,
    Finding,
    Item,
    NotAssessed,
    PciRule,
    RuleInputError,
    about_account,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    required,
    words,
)
from pci_config.trail import MalformedTrailError, member, organization_gaps, selector_gaps, status_gaps, storage_gaps
from pci_config.trail_facts import EventSelectors, Trails, TrailStatus

TRAIL = "AWS::CloudTrail::Trail"
SUFFIX = " [PCI 10.2.1]"


@dataclass(frozen=True, slots=True)
class TrailParameters:
    cde_buckets: tuple[str, ...] = words(
        pattern=r"[a-z0-9.*?-]{3,63}", expected="bucket names or patterns, separated by commas"
    )
    """Buckets with card data, whose object events the trail must record."""


class PciTrailDelivered(PciRule):
    """One multi-Region organization trail records all management events and the archive's object events, into the archive.

    PCI DSS 4.0.1: 10.2.1, 10.2.1.1, 10.2.1.2, 10.2.1.3, 10.2.1.4, 10.2.1.5, 10.2.1.6, 10.2.1.7, 10.3.2, 10.3.3, 10.3.4,
    10.7.2. 3.2.1: 10.1, 10.2.1-7, 10.5. Source: CloudTrail API reference and user guide.

    | account (daily) | verdict |
    |---|---|
    | an organization trail logs everything everywhere, validated, encrypted, to archive and alerts | compliant |
    | the same trail, owned by another account that does not let this one read its selectors | not applicable, judged there |
    | no trail, or none that has all of it | non-compliant, names the best trail's gaps |

    | trail (on change) | verdict |
    |---|---|
    | organization trail with a gap | non-compliant, names the gaps |
    | additional trail that is not validated, not encrypted or delivers elsewhere than to the archive | non-compliant |
    | otherwise | compliant |
    | copy of a trail in another than its home Region | not applicable |
    """

    resource_types = (TRAIL,)
    parameters = TrailParameters
    lookups = (Trails, TrailStatus, EventSelectors)

    def decide(self, item: Item, parameters: TrailParameters, facts: Facts) -> Finding:
        trail = required(item, "configuration", Mapping)
        try:
            home = member(trail, "HomeRegion", str)
            if home != required(item, "awsRegion", str):
                return not_applicable(f"copy of a trail of {home}, judged there")
            if not member(trail, "IsOrganizationTrail", bool):
                gaps = storage_gaps(trail, facts.scope.settings.is_archive_bucket)
                return verdict(gaps, "additional trail, kept safely in the archive")
            gaps = visible_gaps(trail, facts)
            if not gaps:
                more, selectors_read = hidden_gaps(trail, parameters, facts)
                if not selectors_read and not more:
                    raise NotAssessed("its event selectors cannot be read from this account")
                gaps = more
        except MalformedTrailError as error:
            raise RuleInputError(f"configuration: {error}") from None
        return verdict(gaps, "organization trail, complete and in the archive")

    def decide_account(self, parameters: TrailParameters, facts: Facts) -> Sequence[Finding]:
        try:
            finding = self._judge_account(parameters, facts)
        except MalformedTrailError as error:
            raise RuleInputError(str(error)) from None
        return [about_account(finding, facts)]

    def _judge_account(self, parameters: TrailParameters, facts: Facts) -> Finding:
        trails = facts.get(Trails)
        if not trails:
            return non_compliant(f"no trail acts on this account; create an organization trail{SUFFIX}")
        best: tuple[list[str], str] | None = None
        for trail in trails:
            name = str(member(trail, "Name", str))
            more, selectors_read = hidden_gaps(trail, parameters, facts)
            gaps = visible_gaps(trail, facts) + more
            if not gaps and selectors_read:
                return compliant(f"organization trail {name}, complete and in the archive")
            if not gaps:
                owner = str(member(trail, "TrailARN", str)).split(":")[4]
                return not_applicable(f"organization trail {name} is judged in its own account {owner}")
            if best is None or len(gaps) < len(best[0]):
                best = gaps, name
        assert best is not None  # noqa: S101 - there is at least one trail
        return non_compliant(counted([f"trail {best[1]} {best[0][0]}", *best[0][1:]], "gap", SUFFIX))


def visible_gaps(trail: Mapping[str, Any], facts: Facts) -> list[str]:
    """What the description of an organization trail shows."""
    return organization_gaps(trail) + storage_gaps(trail, facts.scope.settings.is_archive_bucket)


def hidden_gaps(trail: Mapping[str, Any], parameters: TrailParameters, facts: Facts) -> tuple[list[str], bool]:
    """What only status and selectors show, and whether the selectors could be read."""
    arn = member(trail, "TrailARN", str)
    gaps = status_gaps(facts.get(TrailStatus, arn))
    selectors = facts.get(EventSelectors, arn)
    if selectors is None:
        return gaps, False
    buckets = (*facts.scope.settings.archive_buckets, *parameters.cde_buckets)
    return gaps + selector_gaps(selectors, buckets), True


def verdict(gaps: Sequence[str], reason: str) -> Finding:
    return non_compliant(counted(gaps, "gap", SUFFIX)) if gaps else compliant(reason)


lambda_handler = PciTrailDelivered.as_lambda_handler()
