"""Whatever a load balancer's item looks like: a verdict or a clear error, and COMPLIANT only with what earns it."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pci_config.catalogue import Catalogue, project_root
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.runbook import Refused
from pci_config.settings import Settings
from pci_config.tls import POLICIES, redirect_fault

ROOT = project_root()
SAMPLES = Path(__file__).parents[1] / "data" / "ci"
SETTINGS = Settings(archive_account="300000000003", archive_buckets=("card-issuer-log-archive-*",))
SCOPE = Scope("123456789012", "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), SETTINGS)
TLS = Catalogue.load(ROOT).rules["PCI_LISTENER_TLS_ONLY"].rule_class
LOGS = Catalogue.load(ROOT).rules["PCI_LOAD_BALANCER_LOG_DELIVERED"].rule_class
LISTENER_RULES, SCHEME = TLS.lookups
Place = tuple[str | int, ...]
DELETE = object()


def sample(resource_type: str) -> Any:
    return json.loads((SAMPLES / f"AWS_{resource_type}.json").read_text("utf-8"))


LISTENER = sample("ElasticLoadBalancingV2_Listener")
LISTENER_ARN, BALANCER_ARN = LISTENER["resourceId"], LISTENER["configuration"]["LoadBalancerArn"]
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
FORWARD = LISTENER["configuration"]["DefaultActions"][0]


def judged(rule_class: type[PciRule], item: Any, rules: Any = (), scheme: str = "internal", **parameters: str) -> str:
    """The verdict, or `error` when the item cannot be judged."""
    rule = rule_class(SETTINGS)
    facts = StatedFacts(SCOPE, {(LISTENER_RULES, LISTENER_ARN): rules, (SCHEME, BALANCER_ARN): scheme})
    try:
        finding = rule.decide(item, rule.evaluate_parameters(parameters), facts)
    except (RuleInputError, NotAssessed):
        return "error"
    assert 1 <= len(finding.annotation) <= 256
    assert finding.compliance in (COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE)
    return finding.compliance


def changed(item: Any, place: Place, value: Any) -> Any:
    item = copy.deepcopy(item)
    target = item
    for step in place[:-1]:
        target = target[step]
    if value is DELETE:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    return item


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    if at:
        yield at
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def value_at(item: Any, place: Place) -> Any:
    for step in place:
        item = item[step]
    return item


def listener(**members: Any) -> Any:
    return {**LISTENER, "configuration": {**LISTENER["configuration"], **members}}


def classic() -> Any:
    """The sample's HTTPS listener alone, with a policy of its own."""
    item = sample("ElasticLoadBalancing_LoadBalancer")
    item["configuration"]["listenerDescriptions"].pop()
    attributes = {"Protocol-TLSv1": "false", "Protocol-TLSv1.2": "true", "ECDHE-RSA-AES128-GCM-SHA256": "true"}
    (policy,) = item["supplementaryConfiguration"]["LoadBalancerPolicies"]
    policy["policyAttributeDescriptions"] = [{"attributeName": k, "attributeValue": v} for k, v in attributes.items()]
    item["supplementaryConfiguration"]["LoadBalancerAttributes"]["accessLog"]["s3BucketName"] = "card-issuer-log-archive-elb"
    return item


def balancer(kind: str) -> Any:
    item = sample("ElasticLoadBalancingV2_LoadBalancer")
    item["configuration"]["type"] = kind
    item["supplementaryConfiguration"]["LoadBalancerAttributes"][1]["value"] = "card-issuer-log-archive-elb"
    return item


STRONG = "ELBSecurityPolicy-TLS13-1-2-2021-06"
ATTRIBUTES: Place = ("supplementaryConfiguration", "LoadBalancerAttributes")
POLICY: Place = ("supplementaryConfiguration", "LoadBalancerPolicies", 0)
DESCRIPTION: Place = ("configuration", "listenerDescriptions", 0)
# Compliant items, and the places that their verdict stands on: without any of these there is no COMPLIANT.
CASES: dict[str, tuple[type[PciRule], Any, list[Place]]] = {
    "HTTPS": (TLS, listener(SslPolicy=STRONG), [("configuration", "Protocol"), ("configuration", "SslPolicy")]),
    "TLS": (TLS, listener(Protocol="TLS", SslPolicy=STRONG), [("configuration", "Protocol"), ("configuration", "SslPolicy")]),
    "HTTP": (
        TLS,
        listener(Protocol="HTTP", DefaultActions=[REDIRECT]),
        [
            ("configuration", "Protocol"),
            ("configuration", "ListenerArn"),
            ("configuration", "DefaultActions"),
            ("configuration", "DefaultActions", 0),
            ("configuration", "DefaultActions", 0, "Type"),
            ("configuration", "DefaultActions", 0, "RedirectConfig"),
            ("configuration", "DefaultActions", 0, "RedirectConfig", "Protocol"),
            ("configuration", "DefaultActions", 0, "RedirectConfig", "StatusCode"),
        ],
    ),
    "classic TLS": (
        TLS,
        classic(),
        [
            ("configuration", "listenerDescriptions"),
            (*DESCRIPTION, "listener"),
            (*DESCRIPTION, "listener", "protocol"),
            (*DESCRIPTION, "policyNames"),
            (*DESCRIPTION, "policyNames", 0),
            POLICY[:2],
            POLICY,
            (*POLICY, "policyName"),
            (*POLICY, "policyTypeName"),
            (*POLICY, "policyAttributeDescriptions"),
            *((*POLICY, "policyAttributeDescriptions", n, "attributeName") for n in (0, 1, 2)),
            *((*POLICY, "policyAttributeDescriptions", n, "attributeValue") for n in (0, 1, 2)),
            *((*POLICY, "policyAttributeDescriptions", n) for n in (1, 2)),
        ],
    ),
    "classic logs": (
        LOGS,
        classic(),
        [
            ATTRIBUTES,
            (*ATTRIBUTES, "accessLog"),
            (*ATTRIBUTES, "accessLog", "enabled"),
            (*ATTRIBUTES, "accessLog", "s3BucketName"),
        ],
    ),
    **{
        f"{kind} logs": (
            LOGS,
            balancer(kind),
            [
                ("configuration", "type"),
                ATTRIBUTES,
                *((*ATTRIBUTES, n) for n in (0, 1)),
                *((*ATTRIBUTES, n, member) for n in (0, 1) for member in ("key", "value")),
            ],
        )
        for kind in ("application", "network")
    },
}
EVERYWHERE: list[Place] = [("resourceType",), ("configuration",), ("supplementaryConfiguration",)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("missing", [DELETE, None, "", 7, {}], ids=["deleted", "null", "empty", "number", "object"])
def test_without_what_decides_nothing_is_compliant(name: str, missing: Any) -> None:
    rule_class, item, deciding = CASES[name]
    assert judged(rule_class, item) == COMPLIANT
    for place in deciding:
        assert judged(rule_class, changed(item, place, missing)) != COMPLIANT, place


@pytest.mark.parametrize("name", CASES)
def test_the_list_of_what_decides_is_complete(name: str) -> None:
    """Deleting anything else changes nothing, so no field that matters is forgotten above."""
    rule_class, item, deciding = CASES[name]
    known_exceptions = {
        *(("configuration", name) for name in ("Port", "ListenerArn", "LoadBalancerArn")),  # an item without them is refused
        (*DESCRIPTION, "listener", "loadBalancerPort"),
        DESCRIPTION,  # without its only listener a load balancer takes nothing
        (*POLICY, "policyAttributeDescriptions", 0),  # without TLS 1.0 being mentioned it is off as well
    }
    for place in places({part: item[part] for part in ("configuration", "supplementaryConfiguration")}):
        if place in deciding or place in known_exceptions or place in EVERYWHERE:
            continue
        assert judged(rule_class, changed(item, place, DELETE)) == COMPLIANT, place


# ----------------------------------------------------------------------------------------------------- any mutation

JUNK = st.one_of(
    st.just(DELETE),
    st.none(),
    st.booleans(),
    st.integers(-1, 70000),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(["HTTP", "HTTPS", "TLS", "TCP", "SSL", "QUIC", "GENEVE", "true", "false", "redirect", "forward"]),
    st.sampled_from([STRONG, "ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS13-1-0-2021-06", "Protocol-TLSv1"]),
    st.sampled_from(["application", "network", "gateway", "team-logs", "card-issuer-log-archive-x"]),
    st.lists(st.none() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["Type", "key", "x"]), st.none() | st.text(max_size=3), max_size=2),
)


def earns_it(rule_class: type[PciRule], item: Any) -> bool:
    """Whether COMPLIANT can be true, said another way than the rules say it."""
    if rule_class is LOGS:
        attributes = item["supplementaryConfiguration"]["LoadBalancerAttributes"]
        if isinstance(attributes, dict):
            log = attributes["accessLog"]
            return log["enabled"] is True and log["s3BucketName"].startswith("card-issuer-log-archive-")
        said = [(entry.get("key"), entry.get("value")) for entry in attributes]
        buckets = [value for key, value in said if key == "access_logs.s3.bucket"]
        return ("access_logs.s3.enabled", "true") in said and all(b.startswith("card-issuer-log-archive-") for b in buckets)
    configuration = item["configuration"]
    if item["resourceType"] == "AWS::ElasticLoadBalancing::LoadBalancer":
        return all(classic_listener_earns_it(description, item) for description in configuration["listenerDescriptions"])
    match configuration["Protocol"]:
        case "HTTPS" | "TLS":
            return POLICIES[configuration["SslPolicy"]].minimum >= "1.2"
        case "HTTP":
            configs = [action["RedirectConfig"] for action in configuration["DefaultActions"]]
            return bool(configs) and all(config["Protocol"] == "HTTPS" for config in configs)
        case protocol:
            return bool(protocol == "QUIC")


def classic_listener_earns_it(description: Any, item: Any) -> bool:
    assert description["listener"]["protocol"].upper() in ("HTTPS", "SSL")
    policies = {policy["policyName"]: policy for policy in item["supplementaryConfiguration"]["LoadBalancerPolicies"]}
    (name,) = description["policyNames"]
    attributes = policies[name]["policyAttributeDescriptions"]
    on = {entry["attributeName"] for entry in attributes if entry["attributeValue"] == "true"}
    protocols = {entry for entry in on if entry.startswith("Protocol-")}
    return bool(protocols) and protocols <= {"Protocol-TLSv1.2", "Protocol-TLSv1.3"}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(sorted(CASES)))
def test_a_mutated_item_is_compliant_only_when_it_earns_it(data: st.DataObject, name: str) -> None:
    rule_class, item, _ = CASES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        candidates = [p for p in places(item) if p[0] in ("configuration", "supplementaryConfiguration", "resourceType")]
        if not candidates:
            return
        item = changed(item, data.draw(st.sampled_from(candidates)), data.draw(JUNK))
    if judged(rule_class, item) == COMPLIANT:
        assert earns_it(rule_class, item)


# ------------------------------------------------------------------------------------------------- classic policies

PROTOCOLS = ["Protocol-SSLv2", "Protocol-SSLv3", "Protocol-TLSv1", "Protocol-TLSv1.1", "Protocol-TLSv1.2"]
SAFE = ["ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA256", "DHE-RSA-AES128-SHA", "CAMELLIA128-SHA"]
BROKEN = [
    *("RC4-SHA", "ECDHE-RSA-RC4-SHA", "DES-CBC-SHA", "DES-CBC3-SHA", "EDH-RSA-DES-CBC3-SHA", "EXP-RC4-MD5"),
    *("ADH-AES128-SHA", "PSK-3DES-EDE-CBC-SHA", "KRB5-DES-CBC3-MD5", "NULL-SHA", "RC2-CBC-MD5", "IDEA-CBC-SHA", "SEED-SHA"),
]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*PROTOCOLS, *SAFE, *BROKEN]), st.booleans(), max_size=12))
def test_a_classic_policy_passes_exactly_with_new_protocols_and_safe_ciphers(attributes: dict[str, bool]) -> None:
    item = classic()
    (policy,) = item["supplementaryConfiguration"]["LoadBalancerPolicies"]
    policy["policyAttributeDescriptions"] = [
        {"attributeName": name, "attributeValue": str(on).lower()} for name, on in attributes.items()
    ]
    on = {name for name, enabled in attributes.items() if enabled}
    good = on & set(PROTOCOLS) == {"Protocol-TLSv1.2"} and bool(on & set(SAFE)) and not on & set(BROKEN)
    assert judged(TLS, item) == (COMPLIANT if good else NON_COMPLIANT)


# ----------------------------------------------------------------------------------------------- redirects and the fix

ACTIONS = st.one_of(
    st.just(REDIRECT),
    st.just(FORWARD),
    st.builds(
        lambda protocol, status: {"Type": "redirect", "RedirectConfig": {"Protocol": protocol, "StatusCode": status}},
        st.sampled_from(["HTTP", "HTTPS", "#{protocol}"]),
        st.sampled_from(["HTTP_301", "HTTP_302"]),
    ),
    st.just({"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}),
)
RULES = st.lists(st.lists(ACTIONS, min_size=1, max_size=2), max_size=6).map(
    lambda found: [
        {"RuleArn": f"rule-{number}", "Priority": str(number), "Actions": actions} for number, actions in enumerate(found)
    ]
)


def keeps_http(actions: Sequence[Mapping[str, Any]]) -> bool:
    return any(action["Type"] != "redirect" or action["RedirectConfig"]["Protocol"] != "HTTPS" for action in actions)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=2), RULES)
def test_http_passes_exactly_when_every_action_redirects(default: list[Any], rules: list[Any]) -> None:
    verdict = judged(TLS, listener(Protocol="HTTP", DefaultActions=default), rules)
    plain = keeps_http(default) or any(keeps_http(rule["Actions"]) for rule in rules)
    assert verdict == (NON_COMPLIANT if plain else COMPLIANT)


def loaded(document: str) -> ModuleType:
    name = "property_" + re.sub(r"\W", "_", document)
    spec = importlib.util.spec_from_file_location(name, ROOT / "remediation" / document / "script.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


redirecting = loaded("PciConfig-RedirectListenerToHttps")
EVENT = {"ListenerArn": LISTENER_ARN, "AccountId": "123456789012", "Region": "eu-west-1", "MinimumTlsVersion": "1.2"}
HTTPS = {"Protocol": "HTTPS", "Port": 443, "SslPolicy": STRONG, "Certificates": [{"CertificateArn": "arn"}]}


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=2), RULES, st.booleans())
def test_the_fix_redirects_what_the_rule_objects_to_and_nothing_else(default: list[Any], rules: list[Any], https: bool) -> None:
    plain = {"ListenerArn": LISTENER_ARN, "Protocol": "HTTP", "Port": 80, "DefaultActions": default}
    state = {"listener": plain, "rules": rules, "listeners": [plain, HTTPS] if https else [plain]}
    wrong = judged(TLS, listener(**plain), rules) == NON_COMPLIANT
    fix = redirecting.RedirectFix(EVENT)
    if wrong and not https:
        with pytest.raises(Refused):
            fix.changes(state)
        return
    before = copy.deepcopy(state)
    changes = fix.changes(state)
    assert state == before
    assert bool(changes) == wrong
    kept = copy.deepcopy(rules)
    for change in changes:
        if change.operation == "modify_listener":
            assert keeps_http(plain["DefaultActions"])
            plain["DefaultActions"] = change.parameters["DefaultActions"]
        else:
            (target,) = [rule for rule in rules if rule["RuleArn"] == change.parameters["RuleArn"]]
            assert keeps_http(target["Actions"])
            target["Actions"] = change.parameters["Actions"]
    assert judged(TLS, listener(**plain), rules) == COMPLIANT
    assert [rule for rule in rules if rule in kept] == [rule for rule in kept if redirect_fault(rule["Actions"]) is None]
    assert not fix.changes({"listener": plain, "rules": rules, "listeners": [plain, HTTPS]})


delivering = loaded("PciConfig-EnableLoadBalancerLogs")
ARCHIVE = "card-issuer-log-archive-elb-eu-west-1"
BUCKETS = st.sampled_from(["", "team-logs", ARCHIVE, "card-issuer-log-archive-elb-us-east-1", "card-issuer-log-archive-elb"])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["true", "false"]), BUCKETS, st.sampled_from(["true", "false"]), st.booleans())
def test_the_fix_of_logs_agrees_with_the_rule(enabled: str, bucket: str, repoint: str, is_classic: bool) -> None:
    if is_classic:
        item = classic()
        item["supplementaryConfiguration"]["LoadBalancerAttributes"]["accessLog"] |= {
            "enabled": enabled == "true",
            "s3BucketName": bucket,
        }
        state: Any = {"AccessLog": {"Enabled": enabled == "true", "S3BucketName": bucket, "EmitInterval": 5}}
    else:
        item = balancer("application")
        pairs = {"access_logs.s3.enabled": enabled, "access_logs.s3.bucket": bucket}
        item["supplementaryConfiguration"]["LoadBalancerAttributes"] = [{"key": k, "value": v} for k, v in pairs.items()]
        state = [{"Key": key, "Value": value} for key, value in pairs.items()]
    delivering.SETTINGS = {"LogArchive": {"Buckets": ["card-issuer-log-archive-*"]}}
    event = {
        "LoadBalancer": "legacy-pos" if is_classic else BALANCER_ARN,
        "ArchiveBucket": ARCHIVE,
        "Prefix": "none",
        "Repoint": repoint,
        "AccountId": "123456789012",
        "Region": "eu-west-1",
    }
    fix = delivering.LogFix(event)
    verdict = judged(LOGS, item)
    if verdict == NON_COMPLIANT and enabled == "true" and bucket and repoint == "false":
        with pytest.raises(Refused):
            fix.changes(state)
    else:
        assert bool(fix.changes(state)) == (verdict == NON_COMPLIANT)
