"""Encryption in transit: the rules agree with models that are stated another way, and no broken item passes by accident."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config import api_tls, cdn_tls, database_tls
from pci_config.catalogue import Catalogue
from pci_config.database_parameters import ParameterGroup
from pci_config.rule import NotAssessed, RuleInputError, Scope, StatedFacts
from pci_config.settings import Settings

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "ci"
SCOPE = Scope("123456789012", "eu-west-1", datetime(2026, 11, 1, tzinfo=UTC), Settings())
JUNK = st.sampled_from(
    [None, "", "x", 0, 1, -1, 3.5, True, False, [], {}, ["x"], {"x": 1}, [None], "TLSv1", "http-only", "TLS_1_0"]
)
RULES = Catalogue.load().rules


def sample(name: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return item


def verdict(rule_id: str, item: dict[str, Any], known: dict[tuple[Any, ...], Any] | None = None) -> str:
    rule = RULES[rule_id].rule_class(Settings())
    try:
        compliance: str = rule.decide(item, rule.evaluate_parameters({}), StatedFacts(SCOPE, known)).compliance
    except (RuleInputError, NotAssessed):
        return "no verdict"
    return compliance


def places(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, entry in entries for place in [(*prefix, key), *places(entry, (*prefix, key))]]


def broken(data: st.DataObject, item: dict[str, Any]) -> dict[str, Any]:
    """The item with up to three members replaced or removed."""
    changed = copy.deepcopy(item)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(
            st.sampled_from([("configuration", *p) for p in places(changed["configuration"])] or [("configuration",)])
        )
        target: Any = changed
        for step in way:
            target = target[step]
        if data.draw(st.booleans()) and isinstance(target, dict):
            del target[last]
        else:
            target[last] = copy.deepcopy(data.draw(JUNK))  # not the same list at two places
        if not isinstance(changed.get("configuration"), dict):
            break
    return changed


# ------------------------------------------------------------------------------------------------------- CloudFront

VIEWER = st.sampled_from(["allow-all", "https-only", "redirect-to-https", "unheard-of"])
TOWARDS_ORIGIN = st.sampled_from([None, "http-only", "match-viewer", "https-only", "unheard-of"])
DOMAINS = st.sampled_from(["api.example.com", "b.s3.eu-west-1.amazonaws.com", "b.s3-website-eu-west-1.amazonaws.com"])
PROTOCOLS = st.lists(st.sampled_from(["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.9"]), max_size=4).map(tuple)
VERSIONS = st.sampled_from([*cdn_tls.SECURITY_POLICIES, "TLSv1.4_2030", ""])


def right_distribution() -> dict[str, Any]:
    item = sample("AWS_CloudFront_Distribution")
    config = item["configuration"]["distributionConfig"]
    config["defaultCacheBehavior"]["viewerProtocolPolicy"] = "https-only"
    config["viewerCertificate"]["minimumProtocolVersion"] = "TLSv1.2_2021"
    tls = {"originProtocolPolicy": "https-only", "originSslProtocols": {"quantity": 1, "items": ["TLSv1.2"]}}
    config["origins"]["items"][0]["customOriginConfig"] |= tls
    return item


@given(
    st.lists(VIEWER, min_size=1, max_size=4),
    st.booleans(),
    VERSIONS,
    st.lists(st.builds(cdn_tls.Origin, st.just("o"), DOMAINS, TOWARDS_ORIGIN, PROTOCOLS), min_size=1, max_size=3),
    st.sampled_from(cdn_tls.ACCEPTABLE_MINIMUMS),
)
def test_a_distribution_is_right_when_every_part_is(
    policies: list[str], default: bool, version: str, origins: list[cdn_tls.Origin], minimum: str
) -> None:
    years = {"TLSv1.2_2019": 1, "TLSv1.2_2021": 2, "TLSv1.2_2025": 3, "TLSv1.3_2025": 4}
    right = (
        {"allow-all", "unheard-of"}.isdisjoint(policies)
        and not default
        and years.get(version, 0) >= years[minimum]
        and not any("s3-website" in origin.domain_name for origin in origins)
        and all(
            origin.protocol_policy is None
            or (origin.protocol_policy == "https-only" and set(origin.ssl_protocols) == {"TLSv1.2"})
            for origin in origins
        )
    )
    behaviours = [cdn_tls.Behaviour(f"/{number}", policy) for number, policy in enumerate(policies)]
    faults = cdn_tls.distribution_faults(behaviours, cdn_tls.Certificate(default, version), origins, minimum)
    assert (faults == []) == right
    assert len(faults) == len(set(faults)) or len(origins) > 1


def carries_tls_only(item: dict[str, Any]) -> bool:
    """Read again from the raw item, without the rule's parser."""
    text = json.dumps(item["configuration"]["distributionConfig"])
    config = item["configuration"]["distributionConfig"]
    viewers = [config["defaultCacheBehavior"], *config["cacheBehaviors"].get("items", [])]
    return (
        all(each["viewerProtocolPolicy"] in ("https-only", "redirect-to-https") for each in viewers)
        and not any(f'"{word}"' in text for word in ("http-only", "match-viewer", "allow-all", "TLSv1", "TLSv1.1"))
        and config["viewerCertificate"]["minimumProtocolVersion"] == "TLSv1.2_2021"
        and not config["viewerCertificate"].get("cloudFrontDefaultCertificate")
        and len(config["origins"]["items"]) == config["origins"]["quantity"] > 0
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_broken_distribution_passes(data: st.DataObject) -> None:
    item = right_distribution()
    assert verdict("PCI_CDN_TLS_ONLY", item) == "COMPLIANT"
    changed = broken(data, item)
    if verdict("PCI_CDN_TLS_ONLY", changed) == "COMPLIANT":
        text = json.dumps(changed)
        if all(f'"{word}"' not in text for word in ("http-only", "TLSv1")):  # junk may be where nothing reads it
            assert carries_tls_only(changed)


# ------------------------------------------------------------------------------------------------------ API Gateway


@given(
    st.sampled_from([*api_tls.API_POLICIES, "", "TLS_1_3", "tls_1_2"]),
    st.lists(st.sampled_from(["REGIONAL", "EDGE", "PRIVATE"]), max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "AVAILABLE", "UPDATING", "FAILED"]),
    st.sampled_from(["1.2", "1.3"]),
)
def test_a_rest_api_is_right_when_its_policy_is(
    policy: str, types: list[str], disabled: bool, accepted: bool, status: str, minimum: str
) -> None:
    accepts_old = policy not in api_tls.API_POLICIES or policy == "TLS_1_0"
    if policy == "":
        accepts_old = types == [] or any(each != "PRIVATE" for each in types)
    at_least_13 = "1_3_2025" in policy or "1_3_FIPS" in policy or "TLS13_2025" in policy
    strong = not accepts_old if minimum == "1.2" else at_least_13
    right = status != "FAILED" and (strong or (disabled and accepted))
    api = api_tls.RestApi("cards", tuple(types), policy, disabled, status)
    assert (api_tls.rest_api_fault(api, minimum, accepted) is None) == right


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_broken_domain_name_passes(data: st.DataObject) -> None:
    item = sample("AWS_ApiGateway_DomainName")
    item["configuration"]["SecurityPolicy"] = "TLS_1_2"
    assert verdict("PCI_API_TLS_ONLY", item) == "COMPLIANT"
    changed = broken(data, item)
    if verdict("PCI_API_TLS_ONLY", changed) == "COMPLIANT":
        assert changed["configuration"]["SecurityPolicy"] == "TLS_1_2"


# -------------------------------------------------------------------------------------------------------- databases

VALUES = st.sampled_from([None, "1", "ON", "true", "0", "OFF", "", "2", "{TrueIfReplica}"])
ENGINE_VERSIONS = st.tuples(st.integers(4, 20), st.integers(0, 12))


@given(st.sampled_from(sorted(database_tls.ENGINES)), ENGINE_VERSIONS, VALUES)
def test_clear_text_is_refused_exactly_when_the_switch_is_on(engine: str, version: tuple[int, int], value: str | None) -> None:
    rule = database_tls.ENGINES[engine]
    major, minor = version
    on_by_default = {
        "postgres": major >= 15,
        "aurora-postgresql": major >= 17,
        "mysql": major > 9 or (major == 9 and minor >= 7),
        "aurora-mysql": major > 8 or (major == 8 and minor >= 4),
        "mariadb": major > 11 or (major == 11 and minor >= 8),
    }.get(engine, False)
    on = on_by_default if value is None else value in ("1", "ON", "true")
    if engine == "mariadb" and (major < 10 or (major == 10 and minor < 5)):
        on = False
    values = dict.fromkeys(rule.disabled, "disabled") | ({rule.floor.name: "TLSv1.2"} if rule.floor else {})
    if value is not None:
        values[rule.switch.name] = value
    faults = database_tls.parameter_faults(engine, version, values, "g")
    assert (faults == []) == on
    assert all(rule.switch.name in fault for fault in faults)


@given(
    st.dictionaries(
        st.sampled_from(["rds.force_ssl", "require_secure_transport", "tls_version", "DB2COMM"]), st.text(max_size=9)
    )
)
def test_only_words_that_are_known_turn_clear_text_off(values: dict[str, str]) -> None:
    known = {"1", "on", "true", "ssl"}
    for engine in ("sqlserver-se", "mariadb", "db2-se"):
        if not database_tls.parameter_faults(engine, (11, 4), values | {"rds.tls10": "disabled", "rds.tls11": "disabled"}, "g"):
            assert any(value.strip().lower() in known for value in values.values())


@given(
    st.sets(st.sampled_from(["AES256", "AES128", "RC4_256", "3DES168", "DES40"])),
    st.sampled_from(["REQUIRED", "REQUESTED", ""]),
)
def test_oracle_requires_encryption_with_aes_alone(algorithms: set[str], required: str) -> None:
    settings_of = {"SQLNET.ENCRYPTION_SERVER": required, "SQLNET.ENCRYPTION_TYPES_SERVER": ",".join(sorted(algorithms))}
    right = required == "REQUIRED" and bool(algorithms) and all(name.startswith("AES") for name in algorithms)
    assert (database_tls.oracle_faults({"NATIVE_NETWORK_ENCRYPTION": settings_of, "SSL": {}}) == []) == right


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_broken_database_passes(data: st.DataObject) -> None:
    item = sample("AWS_RDS_DBInstance")
    groups = [{"dBParameterGroupName": "right", "parameterApplyStatus": "in-sync"}]
    item["configuration"] |= {"engine": "postgres", "dBParameterGroups": groups}
    known = {
        (ParameterGroup, "instance", "right"): {"rds.force_ssl": "1"},
        (ParameterGroup, "instance", "x"): {"rds.force_ssl": "0"},
    }
    assert verdict("PCI_DATABASE_TLS_ONLY", item, known) == "COMPLIANT"
    changed = broken(data, item)
    if verdict("PCI_DATABASE_TLS_ONLY", changed, known) == "COMPLIANT":
        assert changed["configuration"]["engine"] == "postgres"
        assert changed["configuration"]["dBParameterGroups"] == groups
        assert not changed["configuration"].get("dBClusterIdentifier")
