"""Decision table of PCI_CDN_TLS_ONLY."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber

from PCI_CDN_TLS_ONLY import PciCdnTlsOnly, VpcOriginProtocols
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "configuration.distributionConfig.viewerCertificate.cloudFrontDefaultCertificate": "a certificate of one's own is named instead",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCOPE = Scope("123456789012", "global", NOW, Settings())
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
VPC_ORIGIN = "vo_0a1b2c3d"


def sample() -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / "AWS_CloudFront_Distribution.json").read_text("utf-8"))
    return item


def right() -> dict[str, Any]:
    """The sample with everything mended that is wrong with it: a load balancer and a bucket behind two behaviours."""
    item = sample()
    config = item["configuration"]["distributionConfig"]
    config["defaultCacheBehavior"]["viewerProtocolPolicy"] = "redirect-to-https"
    config["viewerCertificate"]["minimumProtocolVersion"] = "TLSv1.2_2021"
    config["origins"]["items"][0]["customOriginConfig"] |= {
        "originProtocolPolicy": "https-only",
        "originSslProtocols": {"quantity": 1, "items": ["TLSv1.2"]},
    }
    return item


def of(item: dict[str, Any]) -> Any:
    return item["configuration"]["distributionConfig"]


def custom(item: dict[str, Any]) -> Any:
    return of(item)["origins"]["items"][0]["customOriginConfig"]


def certificate(item: dict[str, Any]) -> Any:
    return of(item)["viewerCertificate"]


def with_vpc_origin() -> dict[str, Any]:
    item = right()
    origin = of(item)["origins"]["items"][0]
    del origin["customOriginConfig"]
    origin["vpcOriginConfig"] = {"vpcOriginId": VPC_ORIGIN, "originReadTimeout": 30, "originKeepaliveTimeout": 5}
    return item


def judged(item: dict[str, Any], vpc_origin: Any = None, **parameters: str) -> Finding:
    facts = StatedFacts(SCOPE, {(VpcOriginProtocols, VPC_ORIGIN): vpc_origin} if vpc_origin else {})
    rule = PciCdnTlsOnly()
    return rule.decide(item, rule.evaluate_parameters(parameters), facts)


class CdnTestCase(unittest.TestCase):
    def assert_finding(self, finding: Finding, compliance: str, *words: str) -> None:
        self.assertEqual(finding.compliance, compliance, finding.annotation)
        for text in words:
            self.assertIn(text, finding.annotation)

    def assert_fault(self, finding: Finding, fault: str) -> None:
        """The one fault, word for word."""
        self.assertEqual((finding.compliance, finding.annotation), (NON_COMPLIANT, f"{fault} [PCI 4.2.1]"))


class DistributionTest(CdnTestCase):
    def test_a_right_one_passes_with_its_reason(self) -> None:
        reason = "TLS only (behaviours: 2, origins: 2); viewers with TLSv1.2_2021"
        self.assertEqual(judged(right()), Finding(COMPLIANT, reason))

    def test_the_recorded_sample_has_four_faults_clear_text_first(self) -> None:
        self.assert_finding(judged(sample()), NON_COMPLIANT, "4 problems; first: behaviour default serves HTTP (allow-all)")

    def test_a_disabled_one_serves_nothing(self) -> None:
        item = sample()
        of(item)["enabled"] = False
        self.assertEqual(judged(item), Finding(NOT_APPLICABLE, "the distribution is disabled and serves nothing"))

    def test_what_it_judges_and_when(self) -> None:
        self.assertEqual(PciCdnTlsOnly.resource_types, (sample()["resourceType"],))
        self.assertTrue(PciCdnTlsOnly.sweeps)  # a VPC origin changes without the item
        self.assertEqual([lookup.actions for lookup in PciCdnTlsOnly.lookups], [("cloudfront:GetVpcOrigin",)])

    def test_without_a_readable_state_there_is_no_verdict(self) -> None:
        for value in (None, "false", 0):
            item = right()
            of(item)["enabled"] = value
            with self.subTest(value=value), self.assertRaisesRegex(RuleInputError, "enabled"):
                judged(item)


class BehaviourTest(CdnTestCase):
    def test_each_policy_of_the_default_behaviour(self) -> None:
        for policy in ("https-only", "redirect-to-https"):
            item = right()
            of(item)["defaultCacheBehavior"]["viewerProtocolPolicy"] = policy
            with self.subTest(policy=policy):
                self.assert_finding(judged(item), COMPLIANT)
        item = right()
        of(item)["defaultCacheBehavior"]["viewerProtocolPolicy"] = "allow-all"
        self.assert_fault(judged(item), "behaviour default serves HTTP (allow-all); set redirect-to-https or https-only")

    def test_each_policy_of_every_other_behaviour(self) -> None:
        paths = ["/a/*", "/b/*", "/c/*"]
        for wrong in paths:
            item = right()
            of(item)["cacheBehaviors"] = {
                "quantity": 3,
                "items": [
                    {"pathPattern": path, "viewerProtocolPolicy": "allow-all" if path == wrong else "https-only"}
                    for path in paths
                ],
            }
            with self.subTest(wrong=wrong):
                self.assert_fault(
                    judged(item), f"behaviour {wrong} serves HTTP (allow-all); set redirect-to-https or https-only"
                )

    def test_an_unknown_policy_never_passes(self) -> None:
        for policy in ("HTTPS-ONLY", "https", "tls-only"):
            item = right()
            of(item)["defaultCacheBehavior"]["viewerProtocolPolicy"] = policy
            with self.subTest(policy=policy):
                words = (
                    f"behaviour default has the unknown viewer protocol policy {policy}; set redirect-to-https or https-only"
                )
                self.assert_fault(judged(item), words)

    def test_no_other_behaviour_has_no_items(self) -> None:
        item = right()
        of(item)["cacheBehaviors"] = {"quantity": 0}
        self.assert_finding(judged(item), COMPLIANT, "behaviours: 1, origins: 2")

    def test_behaviours_that_cannot_be_read(self) -> None:
        for behaviours in (None, {}, {"quantity": 1}, {"quantity": 2, "items": [{}]}, {"quantity": 1, "items": ["x"]}):
            item = right()
            of(item)["cacheBehaviors"] = behaviours
            with self.subTest(behaviours=behaviours), self.assertRaisesRegex(RuleInputError, "cacheBehaviors"):
                judged(item)
        item = right()
        of(item)["cacheBehaviors"] = {"quantity": 2, "items": [{}]}
        with self.assertRaisesRegex(RuleInputError, "cacheBehaviors says 2 items of type dict, and has 1 items$"):
            judged(item)
        for member in ("pathPattern", "viewerProtocolPolicy"):
            item = right()
            of(item)["cacheBehaviors"]["items"][0][member] = None
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, f"cacheBehaviors: {member} is missing"):
                judged(item)
        item = right()
        of(item)["defaultCacheBehavior"] = None
        with self.assertRaisesRegex(RuleInputError, "defaultCacheBehavior"):
            judged(item)


class CertificateTest(CdnTestCase):
    def test_the_default_certificate_is_wrong_whatever_is_set(self) -> None:
        for version in ("TLSv1", "TLSv1.2_2021", "TLSv1.3_2025", None):
            item = right()
            of(item)["viewerCertificate"] = {"cloudFrontDefaultCertificate": True, "minimumProtocolVersion": version}
            with self.subTest(version=version):
                self.assert_fault(
                    judged(item),
                    "CloudFront's default certificate accepts TLSv1 whatever is set; use one's own certificate with TLSv1.2_2021",
                )

    def test_each_security_policy_against_each_minimum(self) -> None:
        order = (
            *("SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018"),
            *("TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"),
        )
        for minimum in order[5:]:
            for policy in order:
                item = right()
                certificate(item)["minimumProtocolVersion"] = policy
                with self.subTest(policy=policy, minimum=minimum):
                    finding = judged(item, MinimumProtocolVersion=minimum)
                    if order.index(policy) >= order.index(minimum):
                        self.assert_finding(finding, COMPLIANT, f"viewers with {policy}")
                    else:
                        words = f"security policy {policy} is weaker than {minimum}; set {minimum} or stronger"
                        self.assert_fault(finding, words)

    def test_an_unknown_policy_never_passes(self) -> None:
        for policy in ("TLSv1.4_2030", "tlsv1.2_2021", "TLSv1.2", "TLSv1.2_2021 "):
            item = right()
            certificate(item)["minimumProtocolVersion"] = policy
            with self.subTest(policy=policy):
                words = f"unknown security policy {policy} (not in the table of 2026-11); set TLSv1.2_2021 or stronger"
                self.assert_fault(judged(item), words.replace("  ", " "))

    def test_a_certificate_of_iam_is_one_s_own(self) -> None:
        item = right()
        of(item)["viewerCertificate"] = {"iamCertificateId": "ASCA1", "minimumProtocolVersion": "TLSv1.2_2021"}
        self.assert_finding(judged(item), COMPLIANT)

    def test_certificates_that_cannot_be_read(self) -> None:
        own = {"acmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
        for found, words in (
            (None, "viewerCertificate is missing"),
            ({}, "names no certificate"),
            ({"minimumProtocolVersion": "TLSv1.2_2021"}, "names no certificate"),
            ({"cloudFrontDefaultCertificate": "false", **own}, "cloudFrontDefaultCertificate"),
            (own, "minimumProtocolVersion is missing"),
        ):
            item = right()
            of(item)["viewerCertificate"] = found
            with self.subTest(found=found), self.assertRaisesRegex(RuleInputError, words):
                judged(item)

    def test_only_policies_with_forward_secrecy_may_be_the_minimum(self) -> None:
        for name in ("TLSv1.2_2018", "TLSv1", "none", ""):
            with self.subTest(name=name), self.assertRaisesRegex(ParameterError, "MinimumProtocolVersion"):
                judged(right(), MinimumProtocolVersion=name)
        with self.assertRaisesRegex(ParameterError, "unknown parameter"):
            judged(right(), MinimumTlsVersion="1.2")


class OriginTest(CdnTestCase):
    def test_each_protocol_policy_of_a_custom_origin(self) -> None:
        for policy, asked in (
            ("http-only", "is asked over HTTP"),
            ("match-viewer", "is asked over HTTP where viewers may use it"),
        ):
            item = right()
            custom(item)["originProtocolPolicy"] = policy
            with self.subTest(policy=policy):
                self.assert_fault(judged(item), f"origin alb {asked} ({policy}); set https-only")
        item = right()
        custom(item)["originProtocolPolicy"] = "quic-only"
        self.assert_fault(judged(item), "origin alb has the unknown protocol policy quic-only; set https-only")

    def test_tls_versions_of_a_custom_origin(self) -> None:
        for items, fault in (
            (["TLSv1.1", "TLSv1.2"], "origin alb may be asked with TLSv1.1; leave TLSv1.2 only"),
            (["SSLv3", "TLSv1", "TLSv1.2"], "origin alb may be asked with SSLv3, TLSv1; leave TLSv1.2 only"),
            (["TLSv1.2", "TLSv1.9"], "origin alb has the unknown TLS version TLSv1.9; leave TLSv1.2 only"),
            ([], "origin alb names no TLS version; set TLSv1.2"),
        ):
            item = right()
            custom(item)["originSslProtocols"] = {"quantity": len(items), "items": items}
            with self.subTest(items=items):
                self.assert_fault(judged(item), fault)

    def test_an_origin_without_tls_has_no_old_tls(self) -> None:
        item = right()
        custom(item)["originSslProtocols"] = {"quantity": 1, "items": ["SSLv3"]}
        custom(item)["originProtocolPolicy"] = "match-viewer"
        self.assert_finding(judged(item), NON_COMPLIANT, "2 problems; first: origin alb is asked over HTTP")
        custom(item)["originProtocolPolicy"] = "http-only"
        self.assert_fault(judged(item), "origin alb is asked over HTTP (http-only); set https-only")

    def test_website_endpoints_of_buckets(self) -> None:
        for name in (
            "card-art.s3-website-us-east-1.amazonaws.com",
            "card-art.s3-website.eu-central-1.amazonaws.com",
            "card.art.s3-website.cn-north-1.amazonaws.com.cn",
            "CARD-ART.S3-WEBSITE-eu-west-1.AMAZONAWS.COM",
            "s3-website-eu-west-1.amazonaws.com",
        ):
            item = right()
            of(item)["origins"]["items"][0]["domainName"] = name
            with self.subTest(name=name):
                self.assert_fault(
                    judged(item),
                    "origin alb is an S3 website endpoint, which has no HTTPS; use the bucket with origin access control",
                )
        for name in ("s3-website.card-issuer.example", "card-art-s3-website-x.s3.eu-west-1.amazonaws.com"):
            item = right()
            of(item)["origins"]["items"][0]["domainName"] = name
            with self.subTest(name=name):
                self.assert_finding(judged(item), COMPLIANT)

    def test_every_origin_is_judged(self) -> None:
        item = right()
        origins = of(item)["origins"]
        origins["items"].append(json.loads(json.dumps(origins["items"][0])) | {"id": "fallback"})
        origins["quantity"] = 3
        self.assert_finding(judged(item), COMPLIANT, "origins: 3")
        origins["items"][2]["customOriginConfig"]["originProtocolPolicy"] = "http-only"
        self.assert_fault(judged(item), "origin fallback is asked over HTTP (http-only); set https-only")

    def test_a_bucket_follows_the_viewer(self) -> None:
        item = right()
        of(item)["origins"] = {"quantity": 1, "items": [of(item)["origins"]["items"][1]]}
        self.assert_finding(judged(item), COMPLIANT, "origins: 1")
        of(item)["origins"]["items"][0]["s3OriginConfig"] = None
        with self.assertRaisesRegex(RuleInputError, "origins: s3OriginConfig is missing"):
            judged(item)

    def test_a_vpc_origin_is_looked_up(self) -> None:
        for found, fault in (
            (("http-only", ()), "origin alb is asked over HTTP (http-only); set https-only"),
            (
                ("match-viewer", ("TLSv1.2",)),
                "origin alb is asked over HTTP where viewers may use it (match-viewer); set https-only",
            ),
            (("https-only", ("TLSv1.1",)), "origin alb may be asked with TLSv1.1; leave TLSv1.2 only"),
            (("https-only", ()), "origin alb names no TLS version; set TLSv1.2"),
        ):
            with self.subTest(found=found):
                self.assert_fault(judged(with_vpc_origin(), found), fault)
        self.assert_finding(judged(with_vpc_origin(), ("https-only", ("TLSv1.2",))), COMPLIANT, "origins: 2")

    def test_a_snapshot_cannot_show_a_vpc_origin(self) -> None:
        rule = PciCdnTlsOnly()
        facts = RecordedFacts(None, SCOPE)  # type: ignore[arg-type] # it is never asked
        with self.assertRaisesRegex(NotAssessed, "does not record the vpc origin protocols"):
            rule.decide(with_vpc_origin(), rule.evaluate_parameters({}), facts)
        self.assert_finding(rule.decide(right(), rule.evaluate_parameters({}), facts), COMPLIANT)

    def test_origins_that_cannot_be_read(self) -> None:
        item = right()
        of(item)["origins"] = {"quantity": 0}
        with self.assertRaisesRegex(RuleInputError, "origins names no origin"):
            judged(item)
        for place, words in (
            ("id", "origins: id is missing"),
            ("domainName", "origins: domainName is missing"),
        ):
            item = right()
            of(item)["origins"]["items"][0][place] = None
            with self.subTest(place=place), self.assertRaisesRegex(RuleInputError, words):
                judged(item)
        for member in ("originProtocolPolicy", "originSslProtocols"):
            item = right()
            custom(item)[member] = None
            with self.subTest(member=member), self.assertRaisesRegex(RuleInputError, f"customOriginConfig.{member}"):
                judged(item)
        item = with_vpc_origin()
        of(item)["origins"]["items"][0]["vpcOriginConfig"] = {}
        with self.assertRaisesRegex(RuleInputError, "vpcOriginId is missing"):
            judged(item)


class VpcOriginProtocolsTest(unittest.TestCase):
    def asked(self, endpoint: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        client = boto3.client("cloudfront", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106

        regions: list[str] = []

        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                regions.append(f"{service} {region}")
                return client

        config = {"Name": "cards", "Arn": "arn:x", "HTTPPort": 80, "HTTPSPort": 443, **endpoint}
        with Stubber(client) as stub:
            origin = {
                "Id": VPC_ORIGIN,
                "Arn": "arn:y",
                "Status": "Deployed",
                "CreatedTime": NOW,
                "LastModifiedTime": NOW,
                "VpcOriginEndpointConfig": config,
            }
            stub.add_response("get_vpc_origin", {"VpcOrigin": origin}, {"Id": VPC_ORIGIN})
            found = VpcOriginProtocols.live(Clients(), SCOPE, VPC_ORIGIN)
        self.assertEqual(regions, ["cloudfront us-east-1"])
        return found

    def test_live(self) -> None:
        protocols = {"Quantity": 2, "Items": ["TLSv1.1", "TLSv1.2"]}
        self.assertEqual(
            self.asked({"OriginProtocolPolicy": "https-only", "OriginSslProtocols": protocols}),
            ("https-only", ("TLSv1.1", "TLSv1.2")),
        )
        self.assertEqual(self.asked({"OriginProtocolPolicy": "http-only"}), ("http-only", ()))
