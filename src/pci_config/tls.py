"""TLS policies of Elastic Load Balancing, as data with its source and date, and what a listener must be.

Sources: Elastic Load Balancing documentation, "Security policies" of Application and Network Load Balancers and "Predefined
SSL security policies" of Classic Load Balancers, as of 2026-11. Application and Network Load Balancers have no policies of
one's own, so a name that is not here is unknown and never passes. Standard library only: inlined into the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TABLE_DATE = "2026-11"
POLICY_NAME_PREFIX = "ELBSecurityPolicy-"


@dataclass(frozen=True)
class SecurityPolicy:
    """A predefined policy: the oldest TLS version that it accepts, and whether every cipher of it has forward secrecy."""

    name: str
    minimum: str
    forward_secrecy: bool


# (oldest TLS version, every cipher has forward secrecy, names without their common prefix)
_APPLICATION_AND_NETWORK = (
    ("1.3", True, "TLS13-1-3-2021-06 TLS13-1-3-PQ-2025-09 TLS13-1-3-FIPS-2023-04 TLS13-1-3-FIPS-PQ-2025-09"),
    ("1.3", True, "TLS13-1-3-RFC9151-FIPS-2023-07"),
    ("1.2", True, "TLS13-1-2-Res-2021-06 TLS13-1-2-Res-PQ-2025-09 TLS13-1-2-Res-FIPS-2023-04 TLS13-1-2-Res-FIPS-PQ-2025-09"),
    ("1.2", True, "TLS13-1-2-2021-06 TLS13-1-2-PQ-2025-09 TLS13-1-2-FIPS-2023-04 TLS13-1-2-FIPS-PQ-2025-09"),
    ("1.2", True, "TLS13-1-2-Ext0-FIPS-2023-04 TLS13-1-2-Ext0-FIPS-PQ-2025-09"),
    ("1.2", True, "TLS13-1-2-RFC9151-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07"),
    ("1.2", True, "TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07"),
    ("1.2", True, "FS-1-2-Res-2020-10 FS-1-2-Res-2019-08 FS-1-2-2019-08"),
    ("1.2", False, "TLS13-1-2-Ext1-2021-06 TLS13-1-2-Ext1-PQ-2025-09"),
    ("1.2", False, "TLS13-1-2-Ext1-FIPS-2023-04 TLS13-1-2-Ext1-FIPS-PQ-2025-09"),
    ("1.2", False, "TLS13-1-2-Ext2-2021-06 TLS13-1-2-Ext2-PQ-2025-09"),
    ("1.2", False, "TLS13-1-2-Ext2-FIPS-2023-04 TLS13-1-2-Ext2-FIPS-PQ-2025-09"),
    ("1.2", False, "TLS13-1-2-Ext0-RFC9151-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07"),
    ("1.2", False, "TLS-1-2-2017-01 TLS-1-2-Ext-2018-06"),
    ("1.1", True, "FS-1-1-2019-08"),
    ("1.1", False, "TLS13-1-1-2021-06 TLS13-1-1-FIPS-2023-04 TLS-1-1-2017-01"),
    ("1.0", True, "FS-2018-06"),
    ("1.0", False, "TLS13-1-0-2021-06 TLS13-1-0-PQ-2025-09 TLS13-1-0-FIPS-2023-04 TLS13-1-0-FIPS-PQ-2025-09"),
    ("1.0", False, "2016-08 2015-05 TLS-1-0-2015-04"),
)
_CLASSIC = (
    ("1.2", False, "TLS-1-2-2017-01"),
    ("1.1", False, "TLS-1-1-2017-01"),
    # 2014-01 and 2011-08 accept SSL 3.0 too; TLS 1.0 is reason enough
    ("1.0", False, "2016-08 2015-05 2015-03 2015-02 2014-10 2014-01 2011-08"),
)


def _table(rows: Iterable[tuple[str, bool, str]]) -> dict[str, SecurityPolicy]:
    return {
        POLICY_NAME_PREFIX + name: SecurityPolicy(POLICY_NAME_PREFIX + name, minimum, forward_secrecy)
        for minimum, forward_secrecy, names in rows
        for name in names.split()
    }


POLICIES = _table(_APPLICATION_AND_NETWORK)
CLASSIC_POLICIES = _table(_CLASSIC)

# Attributes of a classic load balancer's policy, named as DescribeLoadBalancerPolicies names them
PROTOCOL_VERSION = {
    "Protocol-SSLv2": "0.2",
    "Protocol-SSLv3": "0.3",
    "Protocol-TLSv1": "1.0",
    "Protocol-TLSv1.1": "1.1",
    "Protocol-TLSv1.2": "1.2",
    "Protocol-TLSv1.3": "1.3",
}
REFERENCE_POLICY = "Reference-Security-Policy"
SERVER_ORDER = "Server-Defined-Cipher-Order"
# Parts of OpenSSL cipher names that mean no encryption, no authenticated peer, export strength, or broken algorithms
# (RFC 7465 RC4, RFC 8429 and NIST SP 800-131A DES and 3DES, RFC 6151 MD5, RFC 5469 DES and IDEA).
WEAK_CIPHER_WORDS = (
    *("NULL", "ANULL", "ENULL", "EXP", "ADH", "AECDH", "ANON"),
    *("RC2", "RC4", "DES", "3DES", "MD5", "IDEA", "SEED", "KRB5", "PSK"),
)
STRONG_CIPHER_WORDS = ("AES", "CHACHA20", "CAMELLIA", "ARIA")


def policy_fault(policy: str, minimum: str, table: Mapping[str, SecurityPolicy] = POLICIES) -> str | None:
    """What is wrong with a predefined policy; None when it accepts nothing older than `minimum` ("1.2" or "1.3")."""
    known = table.get(policy)
    if known is None:
        return (
            f"unknown policy {policy} (not in the table of {TABLE_DATE}); expected a predefined one of TLS {minimum} or newer"
        )
    if _older(known.minimum, minimum):
        return f"policy {policy} accepts TLS {known.minimum}; expected TLS {minimum} or newer"
    return None


def attribute_fault(attributes: Mapping[str, bool], minimum: str) -> str | None:
    """What is wrong with the protocols and ciphers of a classic load balancer's policy; None when nothing.

    `attributes` says which ones are on, without the reference policy's name. What is not known is a fault.
    """
    on = sorted(name for name, enabled in attributes.items() if enabled and name != SERVER_ORDER)
    protocols = [name for name in on if name.startswith("Protocol-")]
    ciphers = [name for name in on if not name.startswith("Protocol-")]
    old = [name for name in protocols if _older(PROTOCOL_VERSION.get(name, "0"), minimum)]
    if old:
        names = ", ".join(name.removeprefix("Protocol-") for name in old)
        return f"accepts {names}; expected TLS {minimum} or newer"
    if not protocols:
        return f"enables no protocol; expected TLS {minimum} or newer"
    weak = [name for name in ciphers if any(word.startswith(WEAK_CIPHER_WORDS) for word in name.upper().split("-"))]
    if weak:
        return f"offers weak ciphers: {_named(weak)}; switch them off"
    unknown = [name for name in ciphers if not any(word in name.upper() for word in STRONG_CIPHER_WORDS)]
    if unknown:
        return f"offers unknown ciphers: {_named(unknown)}; expected AES with TLS {minimum} or newer"
    return None if ciphers else "enables no cipher; expected AES"


def redirect_fault(actions: Sequence[Any]) -> str | None:
    """Why the actions of an HTTP listener or rule do not send every request to HTTPS; None when they do.

    Shape: Elastic Load Balancing's Action (Type, RedirectConfig {Protocol, StatusCode}), as recorded and as described.
    """
    if not actions:
        return "has no action"
    for action in actions:
        kind = action.get("Type") if isinstance(action, Mapping) else None
        if kind != "redirect":
            return f"does {kind or 'something unknown'} over HTTP"
        config = action.get("RedirectConfig")
        protocol, status = (config.get("Protocol"), config.get("StatusCode")) if isinstance(config, Mapping) else (None, None)
        if protocol != "HTTPS":
            return f"redirects but keeps {protocol or 'the protocol'}"
        if status not in ("HTTP_301", "HTTP_302"):
            return f"redirects with status {status}"
    return None


def _older(version: str, minimum: str) -> bool:
    return tuple(map(int, version.split("."))) < tuple(map(int, minimum.split(".")))


def _named(names: Sequence[str], limit: int = 3) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
