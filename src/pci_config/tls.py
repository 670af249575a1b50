"""TLS policies of Elastic Load Balancing, as data with its source and date, and what a listener must be.

Source: Elastic Load Balancing documentation, "Security policies" of Application, Network and Classic Load Balancers, as of
2026-11. Custom policies do not exist for Application and Network Load Balancers, so a name that is not here is unknown and
never passes. Standard library only: inlined into the Automation document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PREFIX = "ELBSecurityPolicy-"
TABLE_DATE = "2026-11"

# Least TLS version that each predefined policy accepts; names without the prefix.
_TLS_1_3 = (
    "TLS13-1-3-2021-06 TLS13-1-3-PQ-2025-09 TLS13-1-3-FIPS-2023-04 TLS13-1-3-FIPS-PQ-2025-09 TLS13-1-3-RFC9151-FIPS-2023-07"
)
_TLS_1_2 = (
    "TLS13-1-2-Res-2021-06 TLS13-1-2-Res-PQ-2025-09 TLS13-1-2-Res-FIPS-2023-04 TLS13-1-2-Res-FIPS-PQ-2025-09 "
    "TLS13-1-2-RFC9151-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07 "
    "TLS13-1-2-2021-06 TLS13-1-2-PQ-2025-09 TLS13-1-2-FIPS-2023-04 TLS13-1-2-FIPS-PQ-2025-09 "
    "TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07 "
    "TLS13-1-2-Ext0-FIPS-2023-04 TLS13-1-2-Ext0-FIPS-PQ-2025-09 TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07 "
    "TLS13-1-2-Ext0-RFC9151-FIPS-2023-07 "
    "TLS13-1-2-Ext1-2021-06 TLS13-1-2-Ext1-PQ-2025-09 TLS13-1-2-Ext1-FIPS-2023-04 TLS13-1-2-Ext1-FIPS-PQ-2025-09 "
    "TLS13-1-2-Ext2-2021-06 TLS13-1-2-Ext2-PQ-2025-09 TLS13-1-2-Ext2-FIPS-2023-04 TLS13-1-2-Ext2-FIPS-PQ-2025-09 "
    "TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07 "
    "FS-1-2-Res-2020-10 FS-1-2-Res-2019-08 FS-1-2-2019-08 TLS-1-2-2017-01 TLS-1-2-Ext-2018-06"
)
_TLS_1_1 = "TLS13-1-1-2021-06 TLS13-1-1-FIPS-2023-04 FS-1-1-2019-08 TLS-1-1-2017-01"
_TLS_1_0 = (
    "TLS13-1-0-2021-06 TLS13-1-0-PQ-2025-09 TLS13-1-0-FIPS-2023-04 TLS13-1-0-FIPS-PQ-2025-09 "
    "FS-2018-06 2016-08 2015-05 TLS-1-0-2015-04 2015-03 2015-02 2014-10 2014-01 2011-08"
)
MINIMUM_VERSION: dict[str, str] = {
    PREFIX + name: version
    for version, names in (("1.3", _TLS_1_3), ("1.2", _TLS_1_2), ("1.1", _TLS_1_1), ("1.0", _TLS_1_0))
    for name in names.split()
}
OLD_PROTOCOLS = ("Protocol-SSLv2", "Protocol-SSLv3", "Protocol-TLSv1", "Protocol-TLSv1.1")
# Parts of OpenSSL cipher names that mean no encryption, no authentication, export strength, or broken algorithms
# (RFC 7465 RC4, RFC 8429 and NIST SP 800-131A DES and 3DES, RFC 6151 MD5).
WEAK_CIPHER_WORDS = ("NULL", "EXP", "ADH", "AECDH", "RC4", "RC2", "DES", "MD5", "IDEA", "SEED", "KRB5", "PSK")


def policy_fault(policy: str, minimum: str) -> str | None:
    """What is wrong with a predefined policy; None when it accepts nothing older than `minimum` ("1.2" or "1.3")."""
    accepted = MINIMUM_VERSION.get(policy)
    if accepted is None:
        return f"unknown policy {policy} (table of {TABLE_DATE}); expected a predefined one of TLS {minimum} or newer"
    if tuple(accepted.split(".")) < tuple(minimum.split(".")):
        return f"policy {policy} accepts TLS {accepted}; expected TLS {minimum} or newer"
    return None


def attribute_fault(attributes: Mapping[str, str], minimum: str) -> str | None:
    """What is wrong with the negotiation attributes of a classic load balancer's own policy; None when nothing."""
    on = [name for name, value in attributes.items() if str(value).lower() == "true"]
    old = [name.removeprefix("Protocol-") for name in on if name in OLD_PROTOCOLS]
    if old:
        return f"accepts {', '.join(sorted(old))}; expected TLS {minimum} or newer"
    if minimum == "1.3" or "Protocol-TLSv1.2" not in on:
        return f"does not offer TLS {minimum}; a classic load balancer knows 1.2 at most"
    weak = sorted(name for name in on if any(word.startswith(WEAK_CIPHER_WORDS) for word in name.upper().split("-")))
    if weak:
        return f"offers weak ciphers: {', '.join(weak[:3])}"
    return None


def redirect_fault(actions: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the actions of an HTTP listener or rule do not send every request to HTTPS; None when they do.

    Shape: Elastic Load Balancing's Action (Type, RedirectConfig {Protocol, StatusCode}), as recorded and as described.
    """
    if not actions:
        return "has no action"
    for action in actions:
        kind = action.get("Type") if isinstance(action, Mapping) else None
        if kind != "redirect":
            return f"does {kind or 'something unknown'} over HTTP"
        config = action.get("RedirectConfig") or {}
        if config.get("Protocol") != "HTTPS":
            return f"redirects but keeps {config.get('Protocol') or 'the protocol'}"
        if config.get("StatusCode") not in ("HTTP_301", "HTTP_302"):
            return f"redirects with status {config.get('StatusCode')}"
    return None
