"""Adds to moto's ECR the findings of a scan: moto itself answers every image with the same one. And backends can be copied.

Source: Amazon ECR API reference, DescribeImageScanFindings.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from moto.ecr.models import ECRBackend, ecr_backends

LOCK = "registry_scanning_configuration_update_lock"
_own_findings = ECRBackend.describe_image_scan_findings
_own_init = ECRBackend.__init__


def install() -> None:
    """Teach moto the results that `scanned` gave. Installing again changes nothing."""
    ECRBackend.describe_image_scan_findings = describe_image_scan_findings  # type: ignore[method-assign]
    setattr(ECRBackend, LOCK, threading.RLock())
    ECRBackend.__init__ = with_the_common_lock  # type: ignore[method-assign]


def with_the_common_lock(self: Any, *arguments: Any, **named: Any) -> None:
    """A lock of its own would keep the backend, and so the state of the accounts, from being copied."""
    _own_init(self, *arguments, **named)
    self.__dict__.pop(LOCK, None)


def scanned(
    account: str,
    region: str,
    repository: str,
    tag: str,
    status: str,
    completed: datetime,
    enhanced: Sequence[dict[str, Any]] = (),
) -> None:
    """What the scan of an image came to. Only a sandbox can choose it."""
    image = ecr_backends[account][region].repositories[repository]._get_image(tag, None)
    image.__dict__["sandbox_scan"] = status, completed, list(enhanced)


def describe_image_scan_findings(self: Any, registry_id: str, repository_name: str, image_id: dict[str, Any]) -> dict[str, Any]:
    image = self._get_repository(repository_name, registry_id)._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))
    if "sandbox_scan" not in image.__dict__:
        return _own_findings(self, registry_id, repository_name, image_id)
    status, completed, enhanced = image.__dict__["sandbox_scan"]
    return {
        "registryId": image.registry_id,
        "repositoryName": repository_name,
        "imageId": {"imageDigest": image.image_digest},
        "imageScanStatus": {"status": status, "description": ""},
        "imageScanFindings": {"imageScanCompletedAt": completed, "enhancedFindings": enhanced},
    }
