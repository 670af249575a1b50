"""What the scan of a container image says, and whether it is recent and clean enough.

Sources: Amazon ECR API reference (DescribeImageScanFindings, ScanStatus, EnhancedImageScanFinding) and user guide, image
scanning and its troubleshooting page; image references as the ECR user guide writes them. Standard library only.

Basic findings do not say since when they are known. Such a finding is counted from the push of the image: it cannot be older
there, so this may call a finding overdue too early and never too late.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SEVERE = ("CRITICAL", "HIGH")
OTHERS = ("MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
# Statuses that are no result, with what they mean
NO_RESULT = {
    "IN_PROGRESS": "its scan is still running",
    "PENDING": "its scan has not begun",
    "FAILED": "its scan failed",
    "UNSUPPORTED_IMAGE": "its scan is not supported for this kind of image",
    "SCAN_ELIGIBILITY_EXPIRED": "it is no longer scanned: the re-scan duration has passed",
    "FINDINGS_UNAVAILABLE": "its findings are not available",
    "LIMIT_EXCEEDED": "its scan met a limit",
    "IMAGE_ARCHIVED": "it is archived, which is not scanned",
    "IMAGE_SIZE_EXCEEDED": "it is too large to be scanned",
}
_PRIVATE = re.compile(
    r"(?P<registry>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws(?:\.cn)?)"
    r"/(?P<repository>[a-z0-9][a-z0-9._/-]*?)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of a private ECR registry. Without tag and digest the tag is `latest`."""

    registry: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def wanted(self) -> str:
        """The digest when it is known: a tag may have moved on."""
        return self.digest or self.tag

    def with_digest(self, digest: str) -> Reference:
        return Reference(self.registry, self.region, self.repository, self.tag, digest)

    def __str__(self) -> str:
        return f"{self.repository}@{short(self.digest)}" if self.digest else f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class ScanFinding:
    """An open finding. `since` is None when the scan does not say when it was first seen."""

    name: str
    severity: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Scan:
    """The scan of one image: `status` is empty when it was never scanned."""

    digest: str
    pushed: datetime
    status: str
    completed: datetime | None = None
    findings: tuple[ScanFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanDemands:
    max_scan_age_hours: int
    max_finding_age_days: int
    max_other_finding_age_days: int  # 0: not judged


def reference(image: str) -> Reference | None:
    """None when the image is not from a private ECR registry."""
    found = _PRIVATE.fullmatch(image)
    if not found:
        return None
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return Reference(found["registry"], found["region"], found["repository"], tag, found["digest"] or "")


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def scan_of(digest: str, pushed: datetime, pages: Iterable[Mapping[str, Any]]) -> Scan:
    """From the pages of DescribeImageScanFindings. Findings that Inspector closed are gone; suppressed ones are still there."""
    status, completed, findings = "", None, []
    for page in pages:
        status = page["imageScanStatus"]["status"]
        found = page.get("imageScanFindings") or {}
        completed = found.get("imageScanCompletedAt") or completed
        findings += [ScanFinding(each["name"], each["severity"], None) for each in found.get("findings") or ()]
        findings += [_enhanced(each) for each in found.get("enhancedFindings") or () if each.get("status") != "CLOSED"]
    return Scan(digest, pushed, status, completed, tuple(findings))


def _enhanced(found: Mapping[str, Any]) -> ScanFinding:
    details = found.get("packageVulnerabilityDetails") or {}
    name = details.get("vulnerabilityId") or found.get("title") or found.get("findingArn") or "a finding"
    return ScanFinding(name, found["severity"], found.get("firstObservedAt"))


def scan_faults(scan: Scan, now: datetime, demands: ScanDemands) -> list[str]:
    """What is wrong with the image, the worst first; empty when its scan is recent and nothing in it is overdue."""
    faults = _overdue(scan, now, SEVERE, demands.max_finding_age_days)
    if demands.max_other_finding_age_days:
        faults += _overdue(scan, now, OTHERS, demands.max_other_finding_age_days)
    result = _result_fault(scan, now, demands.max_scan_age_hours)
    return [result, *faults] if result else faults


def _result_fault(scan: Scan, now: datetime, max_age_hours: int) -> str | None:
    """ACTIVE is continuous scanning: the result is brought up to date whenever a new vulnerability becomes known."""
    if not scan.status:
        return "it was never scanned"
    if scan.status in NO_RESULT:
        return f"{NO_RESULT[scan.status]} ({scan.status})"
    if scan.status not in ("ACTIVE", "COMPLETE"):
        return f"its scan has status {scan.status}, which this rule does not know"
    if scan.completed is None:
        return f"its scan has no result yet ({scan.status})"
    age = now - scan.completed
    if scan.status == "COMPLETE" and age > timedelta(hours=max_age_hours):
        return f"its last scan is {_hours(age)} old, expected <= {max_age_hours} hours"
    return None


def _overdue(scan: Scan, now: datetime, severities: tuple[str, ...], max_age_days: int) -> list[str]:
    late: list[tuple[int, datetime, ScanFinding]] = []
    for finding in scan.findings:
        severity = finding.severity if finding.severity in (*SEVERE, *OTHERS) else SEVERE[0]  # an unknown one may be the worst
        since = finding.since or scan.pushed
        if severity in severities and now - since > timedelta(days=max_age_days):
            late.append((severities.index(severity), since, finding))
    if not late:
        return []
    _, since, worst = min(late, key=lambda entry: (entry[0], entry[1], entry[2].name))
    known = "open" if worst.since else "open, counted from the push,"
    others = f", {len(late) - 1} more" if len(late) > 1 else ""
    return [f"{worst.severity} {worst.name} {known} for {(now - since).days} days, expected <= {max_age_days}{others}"]


def _hours(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
