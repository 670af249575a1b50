"""The sample issuer's container images: how repositories scan them, and what the scans found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pci_config.sandbox import ecr_service

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

IMAGES = {"card-api": "1", "external-api": "1", "authorization": "1", "fluent-bit": "3"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EVERYTHING = [{"filter": "*", "filterType": "WILDCARD"}]


def build(server: MotoServer, issuer: Issuer, rdk_json: RdkJson) -> None:
    """Production and staging scan by the registry; development leaves it to each repository, and forgets one."""
    region = rdk_json.settings.home_region
    for role in ("production", "staging", "development"):
        ecr = server.clients(issuer.accounts[role], region).build_client("ecr")
        _registry(ecr, role)
        for name, tag in IMAGES.items():
            _repository(ecr, issuer, role, region, name)
            _push(ecr, name, tag)
        _scans(server, issuer, role, region)


def _registry(ecr: Any, role: str) -> None:
    if role == "production":
        rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": EVERYTHING}
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    elif role == "staging":
        rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": EVERYTHING}
        ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[rule])


def _repository(ecr: Any, issuer: Issuer, role: str, region: str, name: str) -> None:
    mutable = role == "staging" and name == "fluent-bit"
    forgotten = role == "development" and name == "external-api"
    ecr.create_repository(
        repositoryName=name,
        imageTagMutability="MUTABLE" if mutable else "IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": role == "development" and not forgotten},
    )
    if mutable or forgotten:
        why = "tags can be moved to another image" if mutable else "nobody scans what is pushed"
        # to make tags immutable can break a pipeline: the fix does it when it is told to
        issuer.plant(role, region, "PCI_REPOSITORY_SCANNED", name, why, forgotten)


def _push(ecr: Any, name: str, tag: str) -> None:
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [{"digest": f"sha256:{name}"}]}
    ecr.put_image(repositoryName=name, imageTag=tag, imageManifest=json.dumps(manifest), imageManifestMediaType=MANIFEST)


def _scans(server: MotoServer, issuer: Issuer, role: str, region: str) -> None:
    """Every image was scanned this morning, but for one that never was and one that was last month."""
    account, now = issuer.accounts[role], datetime.now(UTC)
    status = "ACTIVE" if role == "production" else "COMPLETE"
    for name, tag in IMAGES.items():
        age, findings = timedelta(hours=3), []
        if (role, name) == ("production", "authorization"):
            findings = [_finding("CVE-2026-10001", "CRITICAL", now - timedelta(days=45))]
            _plant(server, issuer, role, region, name, "a critical finding has been open for 45 days")
        if (role, name) == ("staging", "card-api"):
            age = timedelta(days=30)
            _plant(server, issuer, role, region, name, "the last scan is a month old")
        if (role, name) == ("development", "external-api"):
            _plant(server, issuer, role, region, name, "the image was never scanned")
            continue
        ecr_service.scanned(account, region, name, tag, status, now - age, findings)


def _finding(name: str, severity: str, since: datetime) -> dict[str, Any]:
    return {
        "severity": severity,
        "status": "ACTIVE",
        "firstObservedAt": since,
        "packageVulnerabilityDetails": {"vulnerabilityId": name},
    }


def _plant(server: MotoServer, issuer: Issuer, role: str, region: str, service: str, why: str) -> None:
    """Under the task definition that the service wants."""
    ecs = server.clients(issuer.accounts[role], region).build_client("ecs")
    (found,) = ecs.describe_services(cluster="payments", services=[service])["services"]
    issuer.plant(role, region, "PCI_RUNNING_IMAGE_SCANNED", found["taskDefinition"], why, False)
