"""PCI_RUNNING_IMAGE_SCANNED: what ECS runs was scanned lately, and no severe finding stays open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pci_config.image_facts import ImagesInUse, ScansOfImage, UsedImage
from pci_config.image_scan import ScanDemands, reference, scan_faults, short
from pci_config.rule import Facts, Finding, PciRule, RuleInputError, about, compliant, counted, integer, non_compliant

TASK_DEFINITION = "AWS::ECS::TaskDefinition"
SUFFIX = " [PCI 6.3.3, 11.3.1]"


@dataclass(frozen=True, slots=True)
class RunningImageParameters:
    """`max_other_finding_age_days`: for medium and lower findings, from the organization's risk analysis (11.3.1.1); 0 leaves
    them out."""

    max_scan_age_hours: int = integer(26, 1, 2160)
    max_finding_age_days: int = integer(30, 0, 365)
    max_other_finding_age_days: int = integer(0, 0, 3650)


class PciRunningImageScanned(PciRule):
    """Every image that an ECS task runs, or a service wants, has a recent scan without overdue findings. One verdict for each
    task definition in use, under its ARN.

    PCI DSS 4.0.1: 6.3.3, 11.3.1, 11.3.1.1. 3.2.1: 6.2, 11.2.1. Source: Amazon ECR API reference, DescribeImageScanFindings;
    Amazon ECS API reference, DescribeTasks (the digest that really runs) and container image resolution.

    | image of a container | verdict |
    |---|---|
    | continuously scanned (ACTIVE), or scanned at most MaxScanAgeHours ago (COMPLETE), nothing severe overdue | compliant |
    | never scanned, scan failed, unsupported, expired, archived, still pending, or an unknown status | non-compliant |
    | last scan older than MaxScanAgeHours | non-compliant |
    | a CRITICAL or HIGH finding (or of unknown severity) open longer than MaxFindingAgeDays | non-compliant |
    | a lower finding open longer than MaxOtherFindingAgeDays, when that is not 0 | non-compliant |
    | not from a private ECR registry (public caches through ECR are) | non-compliant: nothing scans it |
    | in a registry or Region where it is gone or may not be read | non-compliant, says so |

    Findings of basic scanning have no date: they are counted from the push of the image. Findings that Inspector suppresses
    count as open. Of an index, the images of the task's architecture are judged, or all when the definition names none. A
    definition that no service wants and no task runs at the moment (a schedule, say) is not seen.
    """

    periodic_types = (TASK_DEFINITION,)
    parameters = RunningImageParameters
    lookups = (ImagesInUse, ScansOfImage)

    def decide_account(self, parameters: RunningImageParameters, facts: Facts) -> Sequence[Finding]:
        in_use = facts.get(ImagesInUse)
        used = sorted(in_use, key=lambda image: image.task_definition)
        return [
            about(definition_verdict(list(images), parameters, facts), TASK_DEFINITION, arn)
            for arn, images in groupby(used, key=lambda image: image.task_definition)
        ]


def definition_verdict(images: Sequence[UsedImage], parameters: RunningImageParameters, facts: Facts) -> Finding:
    faults = [fault for image in images for fault in image_faults(image, parameters, facts)]
    if faults:
        return non_compliant(counted(faults, "problem", SUFFIX))
    told = ", ".join(f"{image.container} {short(image.digest) or 'by tag'}" for image in images)
    return compliant(f"scanned recently, nothing severe overdue: {told}")


def image_faults(image: UsedImage, parameters: RunningImageParameters, facts: Facts) -> list[str]:
    found = reference(image.image)
    if not found:
        return [f"container {image.container}: image {image.image} is not from ECR, so nothing scans it; copy it there"]
    if image.digest:
        found = found.with_digest(image.digest)
    place = f"container {image.container}: image {found}"
    try:
        result = facts.get(ScansOfImage, found.registry, found.region, found.repository, found.wanted, image.architecture)
    except RuleInputError as error:  # one image that cannot be read does not keep the others from being judged
        return [f"{place}: {error}"]
    if result.fault or not result.scans:
        return [f"{place} {result.fault or 'has no scan'}"]
    demands = ScanDemands(parameters.max_scan_age_hours, parameters.max_finding_age_days, parameters.max_other_finding_age_days)
    return [f"{place}: {fault}" for scan in result.scans for fault in scan_faults(scan, facts.scope.now, demands)]


lambda_handler = PciRunningImageScanned.as_lambda_handler()
