"""PCI_ARCHIVE_LIFECYCLE: audit logs stay available three months, are kept as long as demanded, and are deleted then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pci_config.lifecycle import LifecycleDemands, MalformedLifecycleError, gaps, recorded_rules
from pci_config.rule import (
    Facts,
    Finding,
    Item,
    PciRule,
    RuleInputError,
    compliant,
    counted,
    integer,
    non_compliant,
    not_applicable,
    required,
    tags_of,
)
from pci_config.settings import ARCHIVE_TAG

SUFFIX = " [PCI 10.5.1]"


@dataclass(frozen=True, slots=True)
class LifecycleParameters:
    retention_days: int = integer(3650, 365, 36500)
    """Days after which a log is deleted, not before."""
    retention_tolerance_days: int = integer(31, 0, 366)
    """Days by which deletion may come late."""
    standard_days: int = integer(30, 30, 365)
    """Days in S3 Standard before Standard-IA."""
    glacier_days: int = integer(90, 90, 3650)
    """Days before a class that needs a restore; PCI DSS wants three months at once available."""


class PciArchiveLifecycle(PciRule):
    """The lifecycle of an archive bucket keeps every log as long as demanded and available for three months.

    PCI DSS 4.0.1: 10.5.1, 3.2.1. 3.2.1: 10.7, 3.1. Source: Amazon S3 user guide, lifecycle rules; PCI DSS 10.5.1.

    | bucket | verdict |
    |---|---|
    | neither an archive bucket of rdk.json nor tagged `pci:log-archive` | not applicable |
    | no lifecycle | non-compliant |
    | a rule deletes within 12 months, or makes logs need a restore within 90 days | non-compliant, a PCI DSS violation |
    | deleted before or long after `RetentionDays`, other storage classes or days | non-compliant, drift from policy |
    | what is demanded covers only a prefix, a tag or sizes | non-compliant: the rest is left out |
    | noncurrent versions of a versioned bucket are not kept as long | non-compliant |
    | incomplete uploads are not aborted | non-compliant |
    | Standard 30 days, Standard-IA, Glacier from 90, deleted at `RetentionDays` | compliant |
    """

    resource_types = ("AWS::S3::Bucket",)
    parameters = LifecycleParameters

    def decide(self, item: Item, parameters: LifecycleParameters, facts: Facts) -> Finding:
        name = required(item, "resourceId", str)
        if tags_of(item).get(ARCHIVE_TAG) != "true" and not facts.scope.settings.is_archive_bucket(name):
            return not_applicable("not an archive bucket")
        supplementary = required(item, "supplementaryConfiguration", Mapping)
        lifecycle = supplementary.get("BucketLifecycleConfiguration")
        if lifecycle is None:
            return non_compliant(f"no lifecycle: nothing moves to cheaper storage and nothing is ever deleted{SUFFIX}")
        status = required(item, "supplementaryConfiguration.BucketVersioningConfiguration.status", str)
        if status not in ("Off", "Enabled", "Suspended"):
            raise RuleInputError(f"BucketVersioningConfiguration.status is {status!r}, which this rule does not know")
        try:
            rules = recorded_rules(lifecycle)
            found = gaps(rules, status != "Off", demands_of(parameters))
        except (MalformedLifecycleError, AttributeError, TypeError) as error:
            raise RuleInputError(f"supplementaryConfiguration.BucketLifecycleConfiguration: {error}") from None
        if not found:
            return compliant(f"kept {parameters.retention_days} days, Glacier from day {parameters.glacier_days}")
        kind = "PCI DSS violation" if found[0].pci else "drift from policy"
        worst, *others = [gap.text for gap in found]
        return non_compliant(counted([f"{worst} ({kind})", *others], "gap", SUFFIX))


def demands_of(parameters: LifecycleParameters) -> LifecycleDemands:
    return LifecycleDemands(
        standard_days=parameters.standard_days,
        glacier_days=parameters.glacier_days,
        retention_days=parameters.retention_days,
        tolerance_days=parameters.retention_tolerance_days,
    )


lambda_handler = PciArchiveLifecycle.as_lambda_handler()
