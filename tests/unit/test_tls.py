"""The table of security policies is consistent, agrees with what moto knows of AWS, and the predicates read it right."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import botocore.session
import pytest
from moto.elbv2 import ssl_policies

from pci_config import tls
from pci_config.tls import CLASSIC_POLICIES, POLICIES, SecurityPolicy, attribute_fault, policy_fault, redirect_fault

TABLES = {"application and network": POLICIES, "classic": CLASSIC_POLICIES}
ROWS = {"application and network": tls._APPLICATION_AND_NETWORK, "classic": tls._CLASSIC}
STATED_VERSION = re.compile(r"^(?:TLS13|FS|TLS)-1-([0123])(?:-|$)")
GOOD = {"Protocol-TLSv1.2": True, "ECDHE-RSA-AES128-GCM-SHA256": True}


def in_both_tables() -> list[tuple[str, SecurityPolicy]]:
    return [(name, policy) for table in TABLES.values() for name, policy in table.items()]


@pytest.mark.parametrize("table", TABLES)
def test_every_name_is_in_its_table_once(table: str) -> None:
    written = [name for _, _, names in ROWS[table] for name in names.split()]
    assert len(written) == len(set(written)) == len(TABLES[table])


def test_the_table_has_the_size_of_its_source() -> None:
    assert (len(POLICIES), len(CLASSIC_POLICIES)) == (46, 9)


@pytest.mark.parametrize(("name", "policy"), in_both_tables())
def test_an_entry_agrees_with_its_own_name(name: str, policy: SecurityPolicy) -> None:
    assert (name, policy.minimum in ("1.0", "1.1", "1.2", "1.3")) == (policy.name, True)
    short = name.removeprefix("ELBSecurityPolicy-")
    assert short != name
    if stated := STATED_VERSION.match(short):
        assert policy.minimum == f"1.{stated[1]}"
    if short.startswith("FS-") or policy.minimum == "1.3":
        assert policy.forward_secrecy


def test_policies_of_both_kinds_of_load_balancers_are_the_same_ones() -> None:
    for name in POLICIES.keys() & CLASSIC_POLICIES.keys():
        assert POLICIES[name] == CLASSIC_POLICIES[name]


def policies_of_moto() -> list[Mapping[str, object]]:
    """moto carries AWS's own answer to DescribeSSLPolicies."""
    tables = [value for value in vars(ssl_policies).values() if isinstance(value, dict)]
    return [policy for table in tables for name, policy in table.items() if str(name).startswith("ELBSecurityPolicy-")]


def test_every_policy_that_moto_knows_is_in_the_table_as_moto_has_it() -> None:
    policies = policies_of_moto()
    assert len(policies) >= 18
    for policy in policies:
        entry = POLICIES[str(policy["name"])]
        versions = [float(text.removeprefix("TLSv")) for text in policy["ssl_protocols"]]  # type: ignore[attr-defined]
        assert entry.minimum == f"{min(versions):.1f}", entry.name
        ciphers = list(policy["ciphers"])  # type: ignore[call-overload]
        assert entry.forward_secrecy == all(cipher.startswith(("ECDHE-", "TLS_")) for cipher in ciphers), entry.name
        offered = {cipher: True for cipher in ciphers if not cipher.startswith("TLS_")}
        if offered:
            assert attribute_fault({"Protocol-TLSv1.2": True, **offered}, "1.2") is None, entry.name


@pytest.mark.parametrize(("name", "policy"), in_both_tables())
@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_a_policy_passes_exactly_when_it_accepts_nothing_older(name: str, policy: SecurityPolicy, minimum: str) -> None:
    fault = policy_fault(name, minimum, POLICIES if name in POLICIES else CLASSIC_POLICIES)
    assert (fault is None) == (float(policy.minimum) >= float(minimum))
    if fault:
        assert name in fault
        assert f"accepts TLS {policy.minimum}" in fault


@pytest.mark.parametrize("name", ["", "ELBSecurityPolicy-", "TLS13-1-2-2021-06", "elbsecuritypolicy-tls13-1-2-2021-06"])
def test_names_are_compared_as_a_whole(name: str) -> None:
    assert "unknown policy" in (policy_fault(name, "1.2") or "")


def test_the_tables_are_not_mixed_up() -> None:
    assert "unknown policy" in (policy_fault("ELBSecurityPolicy-2014-10", "1.2") or "")
    assert "unknown policy" in (policy_fault("ELBSecurityPolicy-TLS13-1-3-2021-06", "1.2", CLASSIC_POLICIES) or "")


@pytest.mark.parametrize("word", tls.WEAK_CIPHER_WORDS)
def test_every_weak_word_is_found_at_every_place_of_a_name(word: str) -> None:
    for cipher in (f"{word}-AES128-SHA", f"AES128-{word}-SHA", f"AES128-{word}", f"aes128-{word.lower()}"):
        assert "weak ciphers" in (attribute_fault({**GOOD, cipher: True}, "1.2") or ""), cipher
        assert attribute_fault({**GOOD, cipher: False}, "1.2") is None


def test_both_minimum_versions_of_attributes() -> None:
    assert attribute_fault(GOOD, "1.2") is None
    assert attribute_fault(GOOD, "1.3") == "accepts TLSv1.2; expected TLS 1.3 or newer"
    assert attribute_fault({"Protocol-TLSv1.3": True, "AES128-GCM-SHA256": True}, "1.3") is None


@pytest.mark.parametrize("protocol", [name for name, version in tls.PROTOCOL_VERSION.items() if version < "1.2"])
def test_every_old_protocol_is_a_fault(protocol: str) -> None:
    assert attribute_fault({**GOOD, protocol: True}, "1.2") == f"accepts {protocol[9:]}; expected TLS 1.2 or newer"


def test_redirects() -> None:
    good = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}
    assert redirect_fault([good]) is None
    assert redirect_fault([good, good]) is None
    assert redirect_fault([]) == "has no action"
    assert redirect_fault([good, None]) == "does something unknown over HTTP"
    assert redirect_fault([{"Type": "redirect"}]) == "redirects but keeps the protocol"


def texts_of_aws(service: str) -> str:
    """The API model with its descriptions, and its examples. Policies are no enum there, but some are named."""
    loader = botocore.session.get_session().get_component("data_loader")
    kinds = ("service-2", "examples-1")
    return json.dumps([loader.load_service_model(service, kind) for kind in kinds])


@pytest.mark.parametrize(("service", "table"), [("elbv2", POLICIES), ("elb", CLASSIC_POLICIES)])
def test_every_policy_that_the_api_model_names_is_in_the_table(service: str, table: Mapping[str, SecurityPolicy]) -> None:
    named = set(re.findall(r"ELBSecurityPolicy-[A-Za-z0-9-]*[A-Za-z0-9]", texts_of_aws(service)))
    assert named
    assert named <= table.keys()


def test_every_policy_of_the_tables_knows_itself() -> None:
    for table in (POLICIES, CLASSIC_POLICIES):
        for name, policy in table.items():
            assert policy.name == name
            assert name.startswith("ELBSecurityPolicy-")
            assert policy.minimum in ("1.0", "1.1", "1.2", "1.3")
            assert isinstance(policy.forward_secrecy, bool)
