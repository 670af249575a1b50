"""Decision table of PCI_RUNNING_IMAGE_SCANNED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from pci_config.image_facts import INDEX_TYPES, ImageScans, ImagesInUse, ScansOfImage, UsedImage
from pci_config.image_scan import NO_RESULT, Reference, Scan, ScanFinding, reference, scan_of
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_RUNNING_IMAGE_SCANNED import PciRunningImageScanned, RunningImageParameters

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OWN, REGION = "123456789012", "eu-west-1"
SCOPE = Scope(OWN, REGION, NOW, Settings())
REGISTRY = f"{OWN}.dkr.ecr.{REGION}.amazonaws.com"
DEFINITION = f"arn:aws:ecs:{REGION}:{OWN}:task-definition/checkout:12"
DIGEST = "sha256:" + "a" * 64
DEFAULT = RunningImageParameters()
SUFFIX = " [PCI 6.3.3, 11.3.1]"


def ago(**how: float) -> datetime:
    return NOW - timedelta(**how)


AN_HOUR_AGO = ago(hours=1)


def used(image: str = f"{REGISTRY}/checkout:7", digest: str = DIGEST, **changes: Any) -> UsedImage:
    values = {"task_definition": DEFINITION, "container": "app", "image": image, "digest": digest, "architecture": ""}
    return UsedImage(**{**values, **changes})


def scan(*findings: ScanFinding, status: str = "ACTIVE", completed: datetime | None = AN_HOUR_AGO, pushed: float = 400) -> Scan:
    return Scan(DIGEST, ago(days=pushed), status, completed, findings)


def verdicts(images: list[UsedImage], scans: dict[str, Any], parameters: RunningImageParameters = DEFAULT) -> list[Finding]:
    """`scans` by the digest or tag that is looked up in the own registry, repository checkout."""
    known: dict[tuple[Any, ...], Any] = {(ImagesInUse,): images}
    for wanted, result in scans.items():
        found = ImageScans((result,)) if isinstance(result, Scan) else result
        known[(ScansOfImage, OWN, REGION, "checkout", wanted, "")] = found
    return list(PciRunningImageScanned().decide_account(parameters, StatedFacts(SCOPE, known)))


class Table(unittest.TestCase):
    def verdict(self, result: Scan, expected: str | None, parameters: RunningImageParameters = DEFAULT) -> None:
        (finding,) = verdicts([used()], {DIGEST: result}, parameters)
        self.assertEqual((finding.resource_type, finding.resource_id), ("AWS::ECS::TaskDefinition", DEFINITION))
        if expected is None:
            self.assertEqual(finding.compliance, COMPLIANT, finding.annotation)
            self.assertEqual(finding.annotation, "scanned recently, nothing severe overdue: app aaaaaaaaaaaa")
        else:
            self.assertEqual(finding.compliance, NON_COMPLIANT)
            self.assertEqual(finding.annotation, f"container app: image checkout@aaaaaaaaaaaa: {expected}{SUFFIX}")


class ScanAgeTest(Table):
    def test_age_of_the_last_scan(self) -> None:
        for hours, expected in (
            (0, None),
            (26, None),
            (26.01, "its last scan is 26 hours old, expected <= 26 hours"),
            (71, "its last scan is 71 hours old, expected <= 26 hours"),
            (72, "its last scan is 3 days old, expected <= 26 hours"),
        ):
            with self.subTest(hours=hours):
                self.verdict(scan(status="COMPLETE", completed=ago(hours=hours)), expected)
        self.verdict(scan(status="COMPLETE", completed=ago(hours=48)), None, RunningImageParameters(max_scan_age_hours=48))

    def test_continuous_scanning_is_always_recent(self) -> None:
        self.verdict(scan(completed=ago(days=90)), None)

    def test_what_is_no_result(self) -> None:
        for status, meaning in NO_RESULT.items():
            with self.subTest(status):
                self.verdict(scan(status=status), f"{meaning} ({status})")
        self.verdict(scan(status=""), "it was never scanned")
        self.verdict(scan(status="PAUSED"), "its scan has status PAUSED, which this rule does not know")
        for status in ("ACTIVE", "COMPLETE"):
            self.verdict(scan(status=status, completed=None), f"its scan has no result yet ({status})")

    def test_every_status_that_ecr_has_is_known(self) -> None:
        shape = boto3.client("ecr", region_name=REGION).meta.service_model.shape_for("ScanStatus")
        self.assertEqual(set(shape.enum), {*NO_RESULT, "ACTIVE", "COMPLETE"})


class FindingAgeTest(Table):
    def test_enhanced_findings_by_their_first_day(self) -> None:
        for severity, days, expected in (
            ("CRITICAL", 30, None),
            ("CRITICAL", 30.01, "CRITICAL CVE-1 open for 30 days, expected <= 30"),
            ("HIGH", 31, "HIGH CVE-1 open for 31 days, expected <= 30"),
            ("HIGH", 29, None),
            ("MEDIUM", 300, None),
            ("UNDEFINED", 300, None),
            ("SEVERE", 31, "SEVERE CVE-1 open for 31 days, expected <= 30"),
        ):
            with self.subTest(severity=severity, days=days):
                self.verdict(scan(ScanFinding("CVE-1", severity, ago(days=days))), expected)

    def test_basic_findings_count_from_the_push(self) -> None:
        finding = ScanFinding("CVE-1", "HIGH", None)
        told = "HIGH CVE-1 open, counted from the push, for 31 days, expected <= 30"
        self.verdict(scan(finding, status="COMPLETE", pushed=31), told)
        self.verdict(scan(finding, status="COMPLETE", pushed=30), None)

    def test_the_term_is_a_parameter(self) -> None:
        finding = ScanFinding("CVE-1", "HIGH", ago(days=8))
        self.verdict(scan(finding), None, RunningImageParameters(max_finding_age_days=8))
        self.verdict(scan(finding), "HIGH CVE-1 open for 8 days, expected <= 7", RunningImageParameters(max_finding_age_days=7))

    def test_lower_findings_have_their_own_term(self) -> None:
        term = RunningImageParameters(max_other_finding_age_days=90)
        for severity in ("MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"):
            with self.subTest(severity):
                self.verdict(scan(ScanFinding("CVE-2", severity, ago(days=90))), None, term)
                told = f"{severity} CVE-2 open for 91 days, expected <= 90"
                self.verdict(scan(ScanFinding("CVE-2", severity, ago(days=91))), told, term)

    def test_the_worst_and_oldest_is_named_and_the_others_counted(self) -> None:
        found = [ScanFinding(f"CVE-{days}", severity, ago(days=days)) for severity, days in (
            ("HIGH", 90), ("CRITICAL", 40), ("CRITICAL", 50), ("HIGH", 20), ("LOW", 99))]  # fmt: skip
        self.verdict(scan(*found), "CRITICAL CVE-50 open for 50 days, expected <= 30, 2 more")

    def test_an_old_scan_and_an_old_finding(self) -> None:
        result = scan(ScanFinding("CVE-1", "HIGH", ago(days=40)), status="COMPLETE", completed=ago(days=4))
        (finding,) = verdicts([used()], {DIGEST: result})
        self.assertTrue(
            finding.annotation.startswith(
                "2 problems; first: container app: image checkout@aaaaaaaaaaaa: its last scan is 4 days old"
            ),
            finding.annotation,
        )


class ImagesTest(unittest.TestCase):
    def test_where_images_come_from(self) -> None:
        for image in ("nginx:1", "public.ecr.aws/nginx/nginx:1", "docker.io/library/nginx", "ghcr.io/a/b@" + DIGEST, ""):
            with self.subTest(image):
                (finding,) = verdicts([used(image)], {})
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertEqual(
                    finding.annotation, f"container app: image {image} is not from ECR, so nothing scans it; copy it there{SUFFIX}"
                    if image else f"container app: image is not from ECR, so nothing scans it; copy it there{SUFFIX}",
                )  # fmt: skip

    def test_references(self) -> None:
        for image, expected in (
            (f"{REGISTRY}/checkout", Reference(OWN, REGION, "checkout", "latest", "")),
            (f"{REGISTRY}/team/check.out:v1.2_3", Reference(OWN, REGION, "team/check.out", "v1.2_3", "")),
            (f"{REGISTRY}/checkout@{DIGEST}", Reference(OWN, REGION, "checkout", "", DIGEST)),
            (f"{REGISTRY}/checkout:7@{DIGEST}", Reference(OWN, REGION, "checkout", "7", DIGEST)),
            (f"{REGISTRY}/docker-hub/library/nginx:1", Reference(OWN, REGION, "docker-hub/library/nginx", "1", "")),
            (f"{OWN}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a:1", Reference(OWN, "us-gov-west-1", "a", "1", "")),
            (f"{OWN}.dkr.ecr.cn-north-1.amazonaws.com.cn/a:1", Reference(OWN, "cn-north-1", "a", "1", "")),
            (f"{OWN}.dkr-ecr.{REGION}.on.aws/a:1", Reference(OWN, REGION, "a", "1", "")),
            (f"x{REGISTRY}/checkout", None),
            (f"{REGISTRY}.example.com/checkout", None),
            (f"{REGISTRY}/checkout@sha256:abc", None),
            (f"{REGISTRY}/", None),
        ):
            with self.subTest(image):
                self.assertEqual(reference(image), expected)

    def test_without_a_running_task_the_reference_is_judged(self) -> None:
        (finding,) = verdicts([used(digest="")], {"7": scan()})
        self.assertEqual(finding.annotation, "scanned recently, nothing severe overdue: app by tag")
        (finding,) = verdicts([used(digest="")], {"7": scan(status="")})
        self.assertEqual(finding.annotation, f"container app: image checkout:7: it was never scanned{SUFFIX}")

    def test_one_verdict_for_each_definition(self) -> None:
        other = DEFINITION.replace(":12", ":13")
        images = [used(task_definition=other, digest=""), used(), used(container="sidecar", digest="")]
        bad, good = verdicts(images, {DIGEST: scan(), "7": scan(status="FAILED")})
        self.assertEqual((bad.resource_id, good.resource_id), (DEFINITION, other))
        self.assertEqual(bad.annotation, f"container sidecar: image checkout:7: its scan failed (FAILED){SUFFIX}")
        self.assertEqual(verdicts([], {}), [])

    def test_images_that_cannot_be_looked_at(self) -> None:
        for result, expected in (
            (ImageScans((), "is not in registry 1 in x"), "image checkout@aaaaaaaaaaaa is not in registry 1 in x"),
            (ImageScans(()), "image checkout@aaaaaaaaaaaa has no scan"),
            (RuleInputError("the index is odd"), "image checkout@aaaaaaaaaaaa: the index is odd"),
        ):
            with self.subTest(expected):
                (finding,) = verdicts([used()], {DIGEST: result})
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                self.assertEqual(finding.annotation, f"container app: {expected}{SUFFIX}")

    def test_every_image_of_an_index_counts(self) -> None:
        (finding,) = verdicts([used()], {DIGEST: ImageScans((scan(), scan(status="")))})
        self.assertEqual(finding.compliance, NON_COMPLIANT)

    def test_a_snapshot_shows_no_tasks(self) -> None:
        class Items:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                raise AssertionError

        with self.assertRaisesRegex(NotAssessed, "images in use"):
            PciRunningImageScanned().decide_account(DEFAULT, RecordedFacts(Items(), SCOPE))

    def test_parameters(self) -> None:
        raw = {"MaxScanAgeHours": "48", "MaxFindingAgeDays": "14", "MaxOtherFindingAgeDays": "90"}
        self.assertEqual(PciRunningImageScanned().evaluate_parameters(raw), RunningImageParameters(48, 14, 90))
        for bad in (
            {"MaxScanAgeHours": "0"},
            {"MaxScanAgeHours": "2161"},
            {"MaxFindingAgeDays": "366"},
            {"MaxOtherFindingAgeDays": "-1"},
            {"MaxAge": "1"},
        ):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                PciRunningImageScanned().evaluate_parameters(bad)


class ReadingScansTest(unittest.TestCase):
    def page(self, status: str = "ACTIVE", **findings: Any) -> dict[str, Any]:
        return {"imageScanStatus": {"status": status}, "imageScanFindings": findings}

    def test_pages(self) -> None:
        enhanced = {"severity": "HIGH", "firstObservedAt": ago(days=3), "status": "ACTIVE",
                    "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-9"}}  # fmt: skip
        found = scan_of(DIGEST, ago(days=9), [
            self.page(imageScanCompletedAt=ago(hours=2), enhancedFindings=[enhanced, enhanced | {"status": "CLOSED"}]),
            self.page(enhancedFindings=[enhanced | {"status": "SUPPRESSED", "packageVulnerabilityDetails": None, "title": "T"}]),
        ])  # fmt: skip
        first, second = ScanFinding("CVE-9", "HIGH", ago(days=3)), ScanFinding("T", "HIGH", ago(days=3))
        self.assertEqual(found, Scan(DIGEST, ago(days=9), "ACTIVE", ago(hours=2), (first, second)))
        basic = scan_of(DIGEST, NOW, [self.page("COMPLETE", findings=[{"name": "CVE-1", "severity": "LOW"}])])
        self.assertEqual(basic, Scan(DIGEST, NOW, "COMPLETE", None, (ScanFinding("CVE-1", "LOW", None),)))
        self.assertEqual(scan_of(DIGEST, NOW, [{"imageScanStatus": {"status": "FAILED"}}]).findings, ())


class Clients:
    """boto3's, or what is given for a service."""

    def __init__(self, **given: Any) -> None:
        self._given = given

    def build_client(self, service: str, region: str | None = None) -> Any:
        return self._given.get(service) or boto3.client(service, region_name=region or REGION)


class Ecs:
    """As much of ECS as the lookup asks, with containers as DescribeTasks has them (moto's tasks have no digests)."""

    def __init__(self, services: list[dict[str, Any]], tasks: list[dict[str, Any]], definitions: dict[str, Any]) -> None:
        self._services, self._found, self._definitions = services, tasks, definitions
        self.sizes: list[int] = []

    def get_paginator(self, operation: str) -> Any:
        pages = {
            "list_clusters": [{"clusterArns": ["one"]}, {"clusterArns": ["two"]}],
            "list_services": [{"serviceArns": [str(n) for n in range(len(self._services))]}],
            "list_tasks": [{"taskArns": [str(n) for n in range(len(self._found))]}],
        }[operation]

        class Paginator:
            def paginate(self, **where: Any) -> Any:
                return [{name: [] for name in page} for page in pages] if where.get("cluster") == "two" else pages

        return Paginator()

    def describe_services(self, cluster: str, services: list[str]) -> Any:
        self.sizes.append(len(services))
        return {"services": [self._services[int(each)] for each in services]}

    def describe_tasks(self, cluster: str, tasks: list[str]) -> Any:
        self.sizes.append(len(tasks))
        return {"tasks": [self._found[int(each)] for each in tasks]}

    def describe_task_definition(self, taskDefinition: str) -> Any:  # noqa: N803 - AWS's name
        return {"taskDefinition": self._definitions[taskDefinition]}


def definition(arn: str, *containers: str, **members: Any) -> dict[str, Any]:
    described = [{"name": name, "image": f"{REGISTRY}/{name}:7"} for name in containers]
    return {"taskDefinitionArn": arn, "containerDefinitions": described, **members}


class ImagesInUseTest(unittest.TestCase):
    def images(self, services: list[Any], tasks: list[Any], *definitions: dict[str, Any]) -> list[UsedImage]:
        self.ecs = Ecs(services, tasks, {each["taskDefinitionArn"]: each for each in definitions})
        return list(ImagesInUse.live(Clients(ecs=self.ecs), SCOPE))

    def test_running_digests_and_wanted_references(self) -> None:
        running = {"name": "app", "image": f"{REGISTRY}/app:7", "imageDigest": DIGEST}
        agent = {"name": "aws-guardduty-agent-x", "image": "593207742271.dkr.ecr.eu-west-1.amazonaws.com/agent:1"}
        found = self.images(
            [{"taskDefinition": "a"}, {"taskDefinition": "b", "deployments": [{"taskDefinition": "c"}]}, {"taskSets": [
                {"taskDefinition": "d"}]}],
            [{"taskDefinitionArn": "a", "containers": [running, agent]}, {"taskDefinitionArn": "a", "containers": [
                running | {"imageDigest": "sha256:" + "b" * 64}]}, {"taskDefinitionArn": "e"}],
            definition("a", "app", "sidecar", runtimePlatform={"cpuArchitecture": "ARM64"}),
            *(definition(name, "app") for name in "bcde"),
        )  # fmt: skip
        app, sidecar = f"{REGISTRY}/app:7", f"{REGISTRY}/sidecar:7"
        self.assertEqual(
            found,
            [
                UsedImage("a", "app", app, DIGEST, "arm64"),
                UsedImage("a", "app", app, "sha256:" + "b" * 64, "arm64"),
                UsedImage("a", "sidecar", sidecar, "", "arm64"),
                *(UsedImage(name, "app", app, "", "") for name in "bcde"),
            ],
        )

    def test_calls_keep_to_the_limits(self) -> None:
        tasks: list[Any] = [{"taskDefinitionArn": "a", "containers": []}] * 101
        self.images([{"taskDefinition": "a"}] * 11, tasks, definition("a", "app"))
        self.assertEqual(self.ecs.sizes, [10, 1, 100, 1])

    @mock_aws
    def test_on_moto(self) -> None:
        ecs = boto3.client("ecs", region_name=REGION)
        ecs.create_cluster(clusterName="payments")
        image = f"{REGISTRY}/checkout:7"
        made = ecs.register_task_definition(family="a", containerDefinitions=[{"name": "app", "image": image, "memory": 64}])
        arn = made["taskDefinition"]["taskDefinitionArn"]
        self.assertEqual(list(ImagesInUse.live(Clients(), SCOPE)), [])
        ecs.create_service(cluster="payments", serviceName="a", taskDefinition=arn, desiredCount=0)
        self.assertEqual(list(ImagesInUse.live(Clients(), SCOPE)), [UsedImage(arn, "app", image, "", "")])


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeImages")


@mock_aws
class ScansOfImageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.ecr = boto3.client("ecr", region_name=REGION)
        self.ecr.create_repository(repositoryName="checkout")

    def push(self, tag: str, media_type: str = "application/vnd.oci.image.manifest.v1+json") -> str:
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"digest": tag},
            "layers": [{"digest": f"sha256:{tag}"}],
        }
        image = self.ecr.put_image(
            repositoryName="checkout", imageManifest=json.dumps(manifest), imageTag=tag, imageManifestMediaType=media_type
        )["image"]
        return str(image["imageId"]["imageDigest"])

    def scans(self, wanted: str, architecture: str = "", registry: str = OWN, **given: Any) -> ImageScans:
        return ScansOfImage.live(Clients(**given), SCOPE, registry, REGION, "checkout", wanted, architecture)

    def test_by_tag_and_digest(self) -> None:
        digest = self.push("7")
        (never,) = self.scans("7").scans
        self.assertEqual((never.digest, never.status, never.findings), (digest, "", ()))
        self.ecr.start_image_scan(repositoryName="checkout", imageId={"imageTag": "7"})
        for wanted in ("7", digest):
            (found,) = self.scans(wanted).scans
            self.assertEqual((found.digest, found.status, len(found.findings)), (digest, "COMPLETE", 1))
            self.assertLess(abs(datetime.now(UTC) - found.pushed), timedelta(days=2))

    def test_what_is_not_there(self) -> None:
        for wanted in ("8", DIGEST):
            self.assertEqual(self.scans(wanted), ImageScans((), f"is not in registry {OWN} in {REGION}"))
        gone = ScansOfImage.live(Clients(), SCOPE, OWN, REGION, "gone", "1", "")
        self.assertEqual(gone.fault, f"is not in registry {OWN} in {REGION}")

    def test_another_account_that_refuses(self) -> None:
        class Refusing:
            def describe_images(self, **_: Any) -> Any:
                raise refusal("AccessDeniedException")

        found = self.scans("7", registry="999999999999", ecr=Refusing())
        self.assertEqual(
            found.fault, "cannot be read in account 999999999999: its repository policy must let this account see scans"
        )
        with self.assertRaises(ClientError):  # in the own account the role lacks a permission: an error, not a finding
            self.scans("7", ecr=Refusing())

    def test_an_index_stands_for_its_images(self) -> None:
        intel, arm = self.push("intel"), self.push("arm")
        attestation = self.push("attestation")
        platforms = {intel: ("linux", "amd64"), arm: ("linux", "arm64"), attestation: ("unknown", "unknown")}
        for media_type in INDEX_TYPES:
            members = [
                {"digest": digest, "size": 1, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                 "platform": {"os": os, "architecture": architecture}}
                for digest, (os, architecture) in platforms.items()
            ]  # fmt: skip
            index = FakeIndex(self.ecr, media_type, members)
            for architecture, expected in (("", {intel, arm}), ("arm64", {arm}), ("amd64", {intel}), ("riscv", {intel, arm})):
                with self.subTest(media_type=media_type, architecture=architecture):
                    found = self.scans("index", architecture, ecr=index)
                    self.assertEqual({each.digest for each in found.scans}, expected)
        for none in ([], members[2:]):
            with self.assertRaisesRegex(RuleInputError, "lists no image"):
                self.scans("index", ecr=FakeIndex(self.ecr, INDEX_TYPES[0], none))
        with self.assertRaisesRegex(RuleInputError, "unexpected shape"):
            self.scans("index", ecr=FakeIndex(self.ecr, INDEX_TYPES[0], [{"size": 1}]))


class FakeIndex:
    """The registry with an index under the tag `index`; moto does not keep a manifest of lists."""

    def __init__(self, ecr: Any, media_type: str, members: list[Any]) -> None:
        self._ecr, self._media_type, self._members = ecr, media_type, members

    def describe_images(self, **request: Any) -> Any:
        if request["imageIds"] == [{"imageTag": "index"}]:
            return {"imageDetails": [{"imageDigest": DIGEST, "imageManifestMediaType": self._media_type}]}
        return self._ecr.describe_images(**request)

    def batch_get_image(self, **request: Any) -> Any:
        assert (request["imageIds"], request["acceptedMediaTypes"]) == ([{"imageDigest": DIGEST}], list(INDEX_TYPES))
        return {"images": [{"imageManifest": json.dumps({"manifests": self._members})}]}

    def get_paginator(self, operation: str) -> Any:
        return self._ecr.get_paginator(operation)


if __name__ == "__main__":
    unittest.main()
