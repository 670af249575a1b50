"""What a CloudFront distribution must be to carry TLS only: towards viewers and towards its origins.

Sources: CloudFront developer guide, "Supported protocols and ciphers between viewers and CloudFront", "Requiring HTTPS for
communication between CloudFront and your custom origin" and "Website endpoints" of the S3 user guide; API model 2020-05-31, as
of 2026-11. A value that is not in a table here is unknown and never passes. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TABLE_DATE = "2026-11"
# Security policies (MinimumProtocolVersion) from the weakest to the strongest
SECURITY_POLICIES = (
    *("SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018"),
    *("TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"),
)
# From here on every cipher has forward secrecy; TLSv1.2_2018 still offers RSA key exchange
ACCEPTABLE_MINIMUMS = ("TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025")
HTTPS_VIEWER_POLICIES = ("https-only", "redirect-to-https")
OLD_ORIGIN_PROTOCOLS = ("SSLv3", "TLSv1", "TLSv1.1")
STRONG_ORIGIN_PROTOCOLS = ("TLSv1.2",)  # CloudFront has no newer one towards origins
WEBSITE_ENDPOINT = re.compile(r"(^|\.)s3-website[.-][a-z0-9.-]+\.amazonaws\.com(\.cn)?\.?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Behaviour:
    """A cache behaviour: its path pattern (`default` for the default one) and ViewerProtocolPolicy."""

    path: str
    viewer_protocol_policy: str


@dataclass(frozen=True)
class Certificate:
    """The viewer certificate: CloudFront's own (`default`), or one's own with a MinimumProtocolVersion."""

    default: bool
    minimum_protocol_version: str = ""


@dataclass(frozen=True)
class Origin:
    """An origin. `protocol_policy` is None for S3 buckets, which CloudFront asks with the viewer's protocol."""

    id: str
    domain_name: str
    protocol_policy: str | None = None
    ssl_protocols: tuple[str, ...] = ()


def distribution_faults(
    behaviours: Sequence[Behaviour], certificate: Certificate, origins: Sequence[Origin], minimum: str
) -> list[str]:
    """Everything that lets clear text or old TLS through, clear text first."""
    found = [behaviour_fault(behaviour) for behaviour in behaviours]
    found += [clear_text_fault(origin) for origin in origins]
    found += [certificate_fault(certificate, minimum)]
    found += [old_protocol_fault(origin) for origin in origins]
    return [fault for fault in found if fault]


def behaviour_fault(behaviour: Behaviour) -> str | None:
    policy = behaviour.viewer_protocol_policy
    if policy in HTTPS_VIEWER_POLICIES:
        return None
    if policy == "allow-all":
        return f"behaviour {behaviour.path} serves HTTP (allow-all); set redirect-to-https or https-only"
    return f"behaviour {behaviour.path} has the unknown viewer protocol policy {policy}; set redirect-to-https or https-only"


def certificate_fault(certificate: Certificate, minimum: str) -> str | None:
    """`minimum` is one of ACCEPTABLE_MINIMUMS."""
    if certificate.default:
        return f"CloudFront's default certificate accepts TLSv1 whatever is set; use one's own certificate with {minimum}"
    policy = certificate.minimum_protocol_version
    if policy not in SECURITY_POLICIES:
        return f"unknown security policy {policy} (not in the table of {TABLE_DATE}); set {minimum} or stronger"
    if SECURITY_POLICIES.index(policy) < SECURITY_POLICIES.index(minimum):
        return f"security policy {policy} is weaker than {minimum}; set {minimum} or stronger"
    return None


def clear_text_fault(origin: Origin) -> str | None:
    """Why requests may go to the origin in clear text; None when they cannot."""
    if WEBSITE_ENDPOINT.search(origin.domain_name):
        return f"origin {origin.id} is an S3 website endpoint, which has no HTTPS; use the bucket with origin access control"
    policy = origin.protocol_policy
    if policy is None or policy == "https-only":
        return None
    if policy in ("http-only", "match-viewer"):
        where = " where viewers may use it" if policy == "match-viewer" else ""
        return f"origin {origin.id} is asked over HTTP{where} ({policy}); set https-only"
    return f"origin {origin.id} has the unknown protocol policy {policy}; set https-only"


def old_protocol_fault(origin: Origin) -> str | None:
    """Which TLS versions of a connection to the origin are too old or unknown. Without HTTPS there are none to judge."""
    if origin.protocol_policy in (None, "http-only"):
        return None
    if old := [protocol for protocol in origin.ssl_protocols if protocol in OLD_ORIGIN_PROTOCOLS]:
        return f"origin {origin.id} may be asked with {', '.join(old)}; leave TLSv1.2 only"
    if unknown := [protocol for protocol in origin.ssl_protocols if protocol not in STRONG_ORIGIN_PROTOCOLS]:
        return f"origin {origin.id} has the unknown TLS version {unknown[0]}; leave TLSv1.2 only"
    return None if origin.ssl_protocols else f"origin {origin.id} names no TLS version; set TLSv1.2"
