"""CloudFront's tables know every value that AWS's own API model knows."""

from __future__ import annotations

import botocore.session

from pci_config import cdn_tls


def known_to_aws(shape: str) -> list[str]:
    values: list[str] = botocore.session.get_session().get_service_model("cloudfront").shape_for(shape).enum
    return sorted(values)


def test_every_security_policy_has_its_place() -> None:
    assert sorted(cdn_tls.SECURITY_POLICIES) == known_to_aws("MinimumProtocolVersion")


def test_policies_get_stronger_along_the_table() -> None:
    def version_and_year(policy: str) -> tuple[str, str]:
        version, _, year = policy.partition("_")
        return version.replace("TLSv1", "TLSv1.0") if version == "TLSv1" else version, year

    assert list(cdn_tls.SECURITY_POLICIES) == sorted(cdn_tls.SECURITY_POLICIES, key=version_and_year)
    assert cdn_tls.SECURITY_POLICIES[5:] == cdn_tls.ACCEPTABLE_MINIMUMS


def test_every_protocol_towards_origins_is_judged() -> None:
    assert sorted((*cdn_tls.OLD_ORIGIN_PROTOCOLS, *cdn_tls.STRONG_ORIGIN_PROTOCOLS)) == known_to_aws("SslProtocol")


def test_every_policy_on_protocols_is_judged() -> None:
    assert sorted((*cdn_tls.HTTPS_VIEWER_POLICIES, "allow-all")) == known_to_aws("ViewerProtocolPolicy")
    for policy in known_to_aws("OriginProtocolPolicy"):
        fault = cdn_tls.clear_text_fault(cdn_tls.Origin("o", "example.com", policy)) or ""
        assert "unknown" not in fault
        assert (fault == "") == (policy == "https-only")
