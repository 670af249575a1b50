"""Typed parameters, annotations, facts and reading of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from pci_config.rule import (
    Clients,
    Facts,
    ItemIndex,
    LiveFacts,
    Lookup,
    NotAssessed,
    ParameterError,
    PciRule,
    RuleInputError,
    Scope,
    StatedFacts,
    bounded,
    choice,
    counted,
    flag,
    integer,
    optional,
    parse_parameters,
    parse_time,
    ports,
    required,
    tags_of,
    words,
)
from pci_config.settings import SettingMissing, Settings, parse_ports


@dataclass(frozen=True, slots=True)
class Everything:
    max_age_days: int = integer(90, 1, 90)
    require_symbols: bool = flag(False)
    scope: str = choice("all", ("all", "internet-facing"))
    pass_through_ports: tuple[int, ...] = ports()
    buckets: tuple[str, ...] = words(pattern=r"[a-z-]+", expected="bucket names")


def test_defaults_and_values() -> None:
    assert parse_parameters(Everything, {}) == Everything(90, False, "all", (), ())
    given = {
        "MaxAgeDays": "30",
        "RequireSymbols": "True",
        "Scope": "internet-facing",
        "PassThroughPorts": "5432, 443",
        "Buckets": "a,b",
    }
    assert parse_parameters(Everything, given) == Everything(30, True, "internet-facing", (5432, 443), ("a", "b"))
    assert parse_parameters(Everything, {"Buckets": "", "RuleId": "PCI_X", "AssumeRoleMode": "False"}) == Everything()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"MaxAgeDay": "30"}, r"unknown parameter 'MaxAgeDay'; known: Buckets, MaxAgeDays"),
        ({"max_age_days": "30"}, "unknown parameter"),
        ({"MaxAgeDays": "0"}, "'0' is not a whole number from 1 to 90"),
        ({"MaxAgeDays": "91"}, "'91' is not a whole number"),
        ({"MaxAgeDays": "9e1"}, "is not a whole number"),
        ({"MaxAgeDays": ""}, "is not a whole number"),
        ({"MaxAgeDays": 30}, "is not text"),
        ({"RequireSymbols": "yes"}, "neither 'true' nor 'false'"),
        ({"Scope": "All"}, "none of all, internet-facing"),
        ({"PassThroughPorts": "443,65536"}, "'65536' is not a port"),
        ({"PassThroughPorts": "https"}, "'https' is not a port"),
        ({"Buckets": "good,Not_Good"}, "'Not_Good' does not fit: bucket names"),
    ],
)
def test_bad_parameters_are_named(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parse_parameters(Everything, raw)


def test_annotations_count_and_stay_within_256_characters() -> None:
    assert counted(["a is open"], "problem") == "a is open"
    assert counted(["a", "b", "c"], "egress entry", " [PCI 1.3.2]") == "3 egress entries; first: a [PCI 1.3.2]"
    long = counted(["x" * 300], "problem", " [PCI 1.3.2]")
    assert len(long) == 256
    assert long.endswith(" … [PCI 1.3.2]")
    assert bounded("two\nlines  and\tspaces") == "two lines and spaces"


ITEM = {
    "resourceType": "AWS::X::Y",
    "configuration": {"port": 443, "on": True, "none": None, "name": "n", "deep": {"list": [1]}},
}


def test_required_values_are_there_and_typed() -> None:
    assert required(ITEM, "configuration.port", int) == 443
    for path, kind in (
        ("configuration.absent", str),
        ("configuration.none", str),
        ("configuration.port", str),
        ("configuration.on", int),
    ):
        with pytest.raises(RuleInputError, match=path):
            required(ITEM, path, kind)
    with pytest.raises(RuleInputError, match=r"AWS::X::Y: configuration.name.more is missing, expected str"):
        required(ITEM, "configuration.name.more", str)


def test_optional_values_are_typed_or_default() -> None:
    assert optional(ITEM, "configuration.deep.list", list, []) == [1]
    assert optional(ITEM, "configuration.none", str, "d") == "d"
    assert optional(ITEM, "configuration.none.deeper", str, "d") == "d"
    assert optional({"configuration": None}, "configuration.x", str, "d") == "d"
    with pytest.raises(RuleInputError, match="is int, expected str"):
        optional(ITEM, "configuration.port", str, "d")
    with pytest.raises(RuleInputError, match="expected an object on the way there"):
        optional(ITEM, "configuration.name.more", str, "d")


@pytest.mark.parametrize(
    "item",
    [
        {"tags": {"pci:tier": "dmz"}},
        {"tags": {}, "configuration": {"tags": [{"key": "pci:tier", "value": "dmz"}]}},
        {"tags": None, "configuration": {"Tags": [{"Key": "pci:tier", "Value": "dmz"}]}},
        {"configuration": {"tagSet": [{"key": "pci:tier", "value": "dmz"}]}},
        {"configuration": None, "supplementaryConfiguration": {"Tags": [{"tagKey": "pci:tier", "tagValue": "dmz"}]}},
        {"supplementaryConfiguration": {"Tags": {"pci:tier": "dmz"}}},
    ],
)
def test_tags_are_found_wherever_a_type_keeps_them(item: dict[str, Any]) -> None:
    assert tags_of(item) == {"pci:tier": "dmz"}


def test_no_tags_and_odd_tags() -> None:
    assert tags_of({}) == {}
    assert tags_of({"tags": "text", "configuration": {"tags": [1, {"value": "x"}]}}) == {}


def test_null_tags_are_not_known() -> None:
    for elsewhere in ({}, {"configuration": {"tags": []}}, {"supplementaryConfiguration": {"Tags": {}}}):
        with pytest.raises(NotAssessed, match="does not show the tags"):
            tags_of({"tags": None, **elsewhere})
    assert tags_of({"tags": None, "configuration": {"tags": [{"key": "k", "value": "v"}]}}) == {"k": "v"}


SCOPE = Scope("123456789012", "eu-west-1", datetime(2026, 1, 1, tzinfo=UTC), Settings())


def test_stated_facts_never_invent() -> None:
    class Known(Lookup[int]):
        pass

    facts: Facts = StatedFacts(SCOPE, {(Known, "a"): 1, (Known, "b"): NotAssessed("no")})
    assert facts.get(Known, "a") == 1
    with pytest.raises(NotAssessed, match="no"):
        facts.get(Known, "b")
    with pytest.raises(NotAssessed, match="Known of c is not known"):
        facts.get(Known, "c")


def test_a_lookup_without_a_way_is_not_assessed() -> None:
    class Neither(Lookup[int]):
        pass

    with pytest.raises(NotAssessed, match="cannot be read from an account"):
        LiveFacts(object(), SCOPE).get(Neither)  # type: ignore[arg-type]
    with pytest.raises(NotAssessed, match="does not record the neither: assess the account itself"):
        Neither.recorded(object(), SCOPE)  # type: ignore[arg-type]


class Indexed:
    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> Sequence[dict[str, Any]]:
        if not self.items:
            raise NotAssessed(f"no {resource_type}")
        return self.items


@pytest.mark.parametrize(
    ("read_first", "items", "expected"),
    [
        (True, Indexed({"resourceId": "a"}), "just read"),
        (True, Indexed(), "asked"),
        (True, None, "asked"),
        (False, Indexed({"resourceId": "a"}), "asked"),
    ],
)
def test_items_just_read_answer_before_aws_is_asked(read_first: bool, items: Indexed | None, expected: str) -> None:
    class Place(Lookup[str]):
        @classmethod
        def live(cls, clients: Clients, scope: Scope, *key: str) -> str:
            return "asked"

        @classmethod
        def recorded(cls, items: ItemIndex, scope: Scope, *key: str) -> str:
            items.find("AWS::EC2::VPC", scope.account_id, scope.region)
            return "just read"

    Place.read_first = read_first
    assert LiveFacts(object(), SCOPE, items).get(Place, "vpc-1") == expected  # type: ignore[arg-type]


def test_rule_ids_are_folder_names() -> None:
    class PciSecurityGroupEgressLimited(PciRule):
        pass

    assert PciSecurityGroupEgressLimited.rule_id() == "PCI_SECURITY_GROUP_EGRESS_LIMITED"
    assert not PciSecurityGroupEgressLimited.is_periodic()


def test_times() -> None:
    assert parse_time("2026-10-05T08:14:27.381Z") == datetime(2026, 10, 5, 8, 14, 27, 381000, tzinfo=UTC)
    with pytest.raises(RuleInputError, match="yesterday"):
        parse_time("yesterday")


def test_settings_say_what_is_missing() -> None:
    with pytest.raises(SettingMissing, match=r"Accounts\.production"):
        Settings().accounts_of("production")
    with pytest.raises(SettingMissing, match=r"LogArchive\.Buckets"):
        Settings().is_archive_bucket("x")
    settings = Settings.from_mapping(
        {"Accounts": {"production": "1", "staging": ["2", "3"]}, "LogArchive": {"Account": "4", "Buckets": ["logs-*"]}}
    )
    assert settings.accounts_of("production") == ("1",)
    assert settings.accounts_of("staging") == ("2", "3")
    assert settings.is_archive_bucket("logs-a")
    assert not settings.is_archive_bucket("other-logs-a")


def test_port_ranges() -> None:
    assert (parse_ports("443"), parse_ports("1-2"), parse_ports("all")) == ((443, 443), (1, 2), (0, 65535))
    for text in ("2-1", "65536", "x", "-1", ""):
        with pytest.raises(ValueError, match=r".*"):
            parse_ports(text)
