"""PciConfig-SetApiDomainTlsPolicy: a domain name of API Gateway gives TLS 1.0 up, and keeps everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.api_tls import API_POLICIES, domain_name_fault
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
NAME = "PciConfig-SetApiDomainTlsPolicy"
script = load_script(NAME)
CARDS = "cards.shop.example"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/cards"
run = partial(fix_testing.run, NAME, DomainName=CARDS)
restore = partial(fix_testing.restore, NAME, DomainName=CARDS)
EVENT = {"DomainName": CARDS, "MinimumTlsVersion": "1.2", "AccountId": ACCOUNT, "Region": REGION}


def rest() -> Any:
    return boto3.client("apigateway", region_name=REGION)


def http() -> Any:
    return boto3.client("apigatewayv2", region_name=REGION)


def of_rest_apis(policy: str | None = "TLS_1_0", kind: str = "REGIONAL", **more: Any) -> dict[str, str]:
    """moto shows the domain names of each API to that API only."""
    given = {"securityPolicy": policy} if policy else {}
    certificate = {"EDGE": "certificateArn"}.get(kind, "regionalCertificateArn")
    endpoint = {"types": [kind]}
    rest().create_domain_name(domainName=CARDS, endpointConfiguration=endpoint, **{certificate: CERTIFICATE}, **given, **more)
    return {"DomainName": CARDS}


def configuration(policy: str | None = "TLS_1_0", kind: str = "REGIONAL", **more: str) -> dict[str, str]:
    given = {"SecurityPolicy": policy} if policy else {}
    return {"CertificateArn": CERTIFICATE, "EndpointType": kind, **given, **more}


def of_http_apis(*configurations: dict[str, str], **more: Any) -> dict[str, str]:
    http().create_domain_name(DomainName=CARDS, DomainNameConfigurations=list(configurations or [configuration()]), **more)
    return {"DomainName": CARDS}


OWNED = configuration("TLS_1_2", "EDGE", OwnershipVerificationCertificateArn=CERTIFICATE, IpAddressType="dualstack")
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "regional": of_rest_apis,
    "edge-optimized": partial(of_rest_apis, kind="EDGE"),
    "of HTTP APIs": of_http_apis,
    "one of two configurations": lambda: of_http_apis(OWNED, configuration()),
}
# AWS Config has no type for these: the rule judges the account
REPORTED_AS = {"of HTTP APIs": ACCOUNT, "one of two configurations": ACCOUNT}


def state(name: str = CARDS) -> Any:
    """Everything of the domain name, by whichever API shows it."""
    found = [each for each in rest().get_domain_names()["items"] if each["domainName"] == name]
    if found:
        return found[0]
    return {key: value for key, value in http().get_domain_name(DomainName=name).items() if key != "ResponseMetadata"}


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """The state of a fix to which the API of REST APIs shows this."""
    return {"api": "apigateway", "found": {"domainName": CARDS, "endpointConfiguration": {"types": ["REGIONAL"]}, **found}}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_led_exactly_back(name: str) -> None:
    VIOLATIONS[name]()
    before = state()
    dry = run(DryRun="true")
    assert (dry["Outcome"], state()) == ("dry-run", before)
    done = run()
    after = state()
    assert (done["Outcome"], done["Calls"]) == ("changed", dry["Calls"])
    assert json.loads(json.dumps(after, default=str).replace("TLS_1_2", "TLS_1_0")) == json.loads(
        json.dumps(before, default=str).replace("TLS_1_2", "TLS_1_0")
    ), "only a policy changes"
    assert "TLS_1_0" not in json.dumps(after, default=str)
    assert (run()["Outcome"], state()) == ("compliant", after)

    execution_id = execution_of(done)
    assert (restore(execution_id, DryRun="true")["Outcome"], state()) == ("dry-run", after)
    back = restore(execution_id)
    assert (back["Outcome"], json.loads(back["After"])) == ("changed", json.loads(done["Before"]))
    ordered = sorted(state().get("DomainNameConfigurations", []), key=str)
    assert ordered == sorted(before.get("DomainNameConfigurations", []), key=str)
    assert state().get("securityPolicy") == before.get("securityPolicy")
    assert restore(execution_id)["Outcome"] == "compliant"


def test_the_calls_are_the_smallest() -> None:
    of_rest_apis()
    (call,) = json.loads(run()["Calls"])
    assert call["parameters"] == {
        "domainName": CARDS,
        "patchOperations": [{"op": "replace", "path": "/securityPolicy", "value": "TLS_1_2"}],
    }
    assert call["summary"] == ("set the security policy TLS_1_2 (policy TLS_1_0 accepts TLS 1.0; expected TLS 1.2 or newer)")
    rest().delete_domain_name(domainName=CARDS)
    of_http_apis(configuration(), OWNED)
    (call,) = json.loads(run()["Calls"])
    assert call["parameters"] == {
        "DomainName": CARDS,
        "DomainNameConfigurations": [OWNED, configuration("TLS_1_2")],
    }


def test_members_of_api_gateways_own_are_not_sent_back() -> None:
    own = {
        "ApiGatewayDomainName": "d-1.execute-api",
        "HostedZoneId": "Z",
        "DomainNameStatus": "AVAILABLE",
        "CertificateName": "",
    }
    found = {"DomainNameConfigurations": [{**configuration(), **own, "CertificateUploadDate": "today"}]}
    (change,) = script.DomainTlsPolicyFix(EVENT).changes({"api": "apigatewayv2", "found": found})
    assert change.parameters["DomainNameConfigurations"] == [configuration("TLS_1_2")]


@pytest.mark.parametrize(
    "arrange",
    [
        partial(of_rest_apis, "TLS_1_2"),
        partial(of_rest_apis, "SecurityPolicy_TLS13_1_3_2025_09"),
        partial(of_rest_apis, "SecurityPolicy_TLS12_PFS_2025_EDGE", "EDGE"),
        partial(of_rest_apis, "TLS_1_2", "PRIVATE"),
        lambda: of_http_apis(configuration("TLS_1_2")),
    ],
)
def test_strong_ones_stay(arrange: Callable[[], Any]) -> None:
    arrange()
    before = state()
    assert (run()["Outcome"], state()) == ("compliant", before)


@pytest.mark.parametrize(
    ("arrange", "parameters", "message"),
    [
        (of_rest_apis, {"MinimumTlsVersion": "1.3"}, r"needs a human: policy TLS_1_2 accepts TLS 1\.2; .* excludes mutual TLS"),
        (of_http_apis, {"MinimumTlsVersion": "1.3"}, r"needs a human: policy TLS_1_2 accepts TLS 1\.2; expected TLS 1\.3"),
        (
            partial(of_rest_apis, "SecurityPolicy_2099"),
            {},
            "policy SecurityPolicy_2099 is not known here, and may be a stronger",
        ),
        (partial(of_rest_apis, None), {}, "its security policy is not known here"),
        (lambda: of_http_apis(configuration(None)), {}, "its security policy is not known here"),
        (lambda: of_http_apis(configuration(), configuration("X")), {}, "policy X is not known here"),
        (partial(of_rest_apis, kind="PRIVATE"), {}, "is a private domain name: change it by its id"),
        (partial(of_rest_apis, tags={"terraform": "yes"}), {}, "is managed by Terraform"),
        (lambda: of_http_apis(Tags={"Managed-By": "CDK"}), {}, "is managed by CDK"),
        (of_rest_apis, {"MinimumTlsVersion": "1.1"}, "MinimumTlsVersion is '1.1'"),
        (of_rest_apis, {"DomainName": ACCOUNT}, "needs a human: the finding stands for all domain names"),
        (
            of_rest_apis,
            {"DomainName": f"arn:aws:apigateway:{REGION}::/restapis/abc"},
            "needs a human: .* is a REST API, which cannot go from TLS_1_0 to TLS_1_2; .* deploy its stages again",
        ),
    ],
)
def test_what_needs_a_human_is_left(arrange: Callable[[], Any], parameters: dict[str, str], message: str) -> None:
    arrange()
    before = state()
    for dry_run in ("true", "false"):
        with pytest.raises(Refused, match=message):
            run(**parameters, DryRun=dry_run)
    assert state() == before


def test_a_domain_name_that_is_being_changed_waits() -> None:
    fix = script.DomainTlsPolicyFix(EVENT)
    for status in ("UPDATING", "PENDING_CERTIFICATE_REIMPORT", "FAILED"):
        with pytest.raises(Refused, match=f"{CARDS} is {status}: run this again when it is AVAILABLE"):
            fix.changes(shown({"securityPolicy": "TLS_1_0", "domainNameStatus": status}))
        # what the fix itself set going is no fault
        assert fix.changes(shown({"securityPolicy": "TLS_1_2", "domainNameStatus": status})) == []
        busy = {"DomainNameConfigurations": [{**configuration(), "DomainNameStatus": status}]}
        with pytest.raises(Refused, match=f"{CARDS} is {status}"):
            fix.changes({"api": "apigatewayv2", "found": busy})
        before = {"Api": "apigateway", "Configurations": [{"SecurityPolicy": "TLS_1_0"}]}
        with pytest.raises(Refused, match=f"{CARDS} is {status}"):
            script.DomainTlsPolicyRestore(EVENT).undo(before, shown({"domainNameStatus": status}))
    assert len(fix.changes(shown({"securityPolicy": "TLS_1_0", "domainNameStatus": "AVAILABLE"}))) == 1


def test_a_domain_name_between_two_endpoint_types_is_left() -> None:
    moving = shown({"securityPolicy": "TLS_1_0", "endpointConfiguration": {"types": ["EDGE", "REGIONAL"]}})
    with pytest.raises(Refused, match="is being moved from one endpoint type to another"):
        script.DomainTlsPolicyFix(EVENT).changes(moving)


def test_a_public_name_comes_before_a_private_one() -> None:
    names = [{"domainName": CARDS, "endpointConfiguration": {"types": [kind]}} for kind in ("PRIVATE", "REGIONAL")]

    class Pages:
        def get_paginator(self, operation: str) -> Any:
            assert operation == "get_domain_names"
            return self

        def paginate(self) -> Any:
            return [{"items": [{"domainName": "other"}]}, {}, {"items": names}]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "aws", lambda service: Pages())
        assert script.DomainTlsPolicyFix(EVENT).read() == {"api": "apigateway", "found": names[1]}


def test_restore_refuses_what_was_changed_since() -> None:
    of_rest_apis()
    execution_id = execution_of(run())
    stronger = {"op": "replace", "path": "/securityPolicy", "value": "SecurityPolicy_TLS13_1_3_2025_09"}
    rest().update_domain_name(domainName=CARDS, patchOperations=[stronger])
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_id)
    before = {"Api": "apigatewayv2", "Configurations": [configuration()]}
    with pytest.raises(Refused, match="is shown by another API than before"):
        script.DomainTlsPolicyRestore(EVENT).undo(before, shown({}))


def test_gone_denied_and_wildcard() -> None:
    assert run()["Outcome"] == "gone"
    rest().create_domain_name(
        domainName="*.shop.example", endpointConfiguration={"types": ["REGIONAL"]}, securityPolicy="TLS_1_0"
    )
    assert run(DomainName="*.shop.example")["Outcome"] == "changed"
    assert run()["Outcome"] == "gone", "a wildcard is another domain name"
    of_rest_apis()
    with answering(UpdateDomainName="AccessDenied"), pytest.raises(RuntimeError, match="done before that: nothing"):
        run()
    assert state()["securityPolicy"] == "TLS_1_0"
    with answering(GetDomainName="AccessDenied"), pytest.raises(Exception, match="AccessDenied"):
        run(DomainName="unknown.shop.example")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    policies=st.lists(st.sampled_from([*API_POLICIES, "", "SecurityPolicy_2099"]), max_size=3),
    kinds=st.lists(st.sampled_from(["REGIONAL", "EDGE"]), min_size=3, max_size=3),
)
def test_what_is_set_is_compliant_and_nothing_else_changes(policies: list[str], kinds: list[str]) -> None:
    found = [configuration(policy or None, kind) for policy, kind in zip(policies, kinds, strict=False)]
    state = {"api": "apigatewayv2", "found": {"DomainNameConfigurations": found}}
    fix = script.DomainTlsPolicyFix(EVENT)
    try:
        changes = fix.changes(state)
    except Refused:
        assert domain_name_fault(policies, "1.2")
        assert set(policies) & {"", "SecurityPolicy_2099"} or not policies
        return
    assert bool(changes) == bool(domain_name_fault(policies, "1.2"))
    for change in changes:
        after = change.parameters["DomainNameConfigurations"]
        assert domain_name_fault([each["SecurityPolicy"] for each in after], "1.2") is None
        unchanged = [each for each in found if each["SecurityPolicy"] != "TLS_1_0"]
        mended = [{**each, "SecurityPolicy": "TLS_1_2"} for each in found if each["SecurityPolicy"] == "TLS_1_0"]
        assert sorted(after, key=str) == sorted([*unchanged, *mended], key=str)
