"""Prices and assumptions of `pci-config cost`: the package's own file, and one of the user's over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from pci_config.requirements import read_yaml

DEFAULT = Path(__file__).with_name("prices.yaml")


class PricesError(Exception):
    """The file cannot be used; the message names file and field."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A price up to a number of evaluations; None: for all that are left."""

    up_to: int | None
    price: float


@dataclass(frozen=True, slots=True)
class Prices:
    """All of the file. `source` says where it comes from."""

    source: str
    currency: str
    configuration_item_continuous: float
    configuration_item_daily: float
    evaluations: tuple[Tier, ...]
    lambda_request: float
    lambda_gb_second: float
    days_of_a_month: float
    changes_of_a_resource_in_a_month: float
    changes_by_type: Mapping[str, float]
    share_of_evaluations_that_change_compliance: float
    resource_compliance_is_recorded: bool
    lambda_seconds: float
    lambda_memory_mb: float
    periodic_managed_rules: Mapping[str, str]
    recorded_daily: frozenset[str] = frozenset()

    def changes(self, resource_type: str) -> float:
        return self.changes_by_type.get(resource_type, self.changes_of_a_resource_in_a_month)

    def recorded(self, resource_type: str) -> float:
        """Configuration items of one resource in a month: at most one a day where the type is recorded daily."""
        changes = self.changes(resource_type)
        return min(changes, self.days_of_a_month) if resource_type in self.recorded_daily else changes

    def of_item(self, resource_type: str) -> float:
        daily = resource_type in self.recorded_daily
        return self.configuration_item_daily if daily else self.configuration_item_continuous

    def of_evaluations(self, number: float) -> float:
        """What so many evaluations of one Region cost: each tier takes its part."""
        sum_, below = 0.0, 0.0
        for tier in self.evaluations:
            top = number if tier.up_to is None else min(number, tier.up_to)
            sum_ += max(top - below, 0) * tier.price
            below = max(below, top)
        return sum_

    def of_invocations(self, number: float) -> float:
        return number * (self.lambda_request + self.lambda_seconds * self.lambda_memory_mb / 1024 * self.lambda_gb_second)


def load_prices(own: Path | None = None, changes: float | None = None) -> Prices:
    """The package's prices, with those of the user's file in their place. Raises PricesError."""
    content = read_yaml(DEFAULT)
    source = "prices of the package (late 2025)"
    if own is not None:
        given = _read(own)
        for section, values in given.items():
            if section not in content or not isinstance(values, Mapping):
                raise PricesError(f"{own}: {section}: expected prices and assumptions, each an object")
            unknown = sorted(set(values) - set(content[section]))
            if unknown:
                raise PricesError(f"{own}: {section}.{unknown[0]}: no such field; known: {', '.join(content[section])}")
            for name, value in values.items():
                both = isinstance(content[section][name], dict) and isinstance(value, Mapping)
                content[section][name] = {**content[section][name], **value} if both else value
        source = f"{own}, over the prices of the package (late 2025)"
    if changes is not None:
        content["assumptions"] |= {"changes_of_a_resource_in_a_month": changes, "changes_by_type": {}}
    return _checked(own or DEFAULT, source, content)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = read_yaml(path)
    except OSError as error:
        raise PricesError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PricesError(f"{path}: is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, Mapping):
        raise PricesError(f"{path}: expected an object with prices and assumptions")
    return content


def _checked(path: Path, source: str, content: Mapping[str, Any]) -> Prices:
    prices, assumptions = content["prices"], content["assumptions"]

    def number(section: str, name: str, most: float = float("inf")) -> float:
        return _number(f"{path}: {section}.{name}", content[section][name], most)

    return Prices(
        source=source,
        currency=_text(f"{path}: prices.currency", prices["currency"]),
        configuration_item_continuous=number("prices", "configuration_item_continuous"),
        configuration_item_daily=number("prices", "configuration_item_daily"),
        evaluations=_tiers(f"{path}: prices.evaluations", prices["evaluations"]),
        lambda_request=number("prices", "lambda_request"),
        lambda_gb_second=number("prices", "lambda_gb_second"),
        days_of_a_month=number("assumptions", "days_of_a_month", 31),
        changes_of_a_resource_in_a_month=number("assumptions", "changes_of_a_resource_in_a_month"),
        changes_by_type={
            str(name): _number(f"{path}: assumptions.changes_by_type.{name}", value)
            for name, value in _object(f"{path}: assumptions.changes_by_type", assumptions["changes_by_type"]).items()
        },
        share_of_evaluations_that_change_compliance=number("assumptions", "share_of_evaluations_that_change_compliance", 1),
        resource_compliance_is_recorded=_flag(
            f"{path}: assumptions.resource_compliance_is_recorded", assumptions["resource_compliance_is_recorded"]
        ),
        lambda_seconds=number("assumptions", "lambda_seconds", 900),
        lambda_memory_mb=number("assumptions", "lambda_memory_mb", 10_240),
        periodic_managed_rules={
            str(name): _text(f"{path}: assumptions.periodic_managed_rules.{name}", value)
            for name, value in _object(
                f"{path}: assumptions.periodic_managed_rules", assumptions["periodic_managed_rules"]
            ).items()
        },
        recorded_daily=_types(f"{path}: assumptions.recorded_daily", assumptions["recorded_daily"]),
    )


def _number(place: str, value: Any, most: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value <= most and isfinite(value)):
        top = f" to {most:g}" if isfinite(most) else ""
        raise PricesError(f"{place}: {value!r} is not valid; expected a number from 0{top}")
    return float(value)


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise PricesError(f"{place}: {value!r} is not valid; expected text")
    return value


def _flag(place: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise PricesError(f"{place}: {value!r} is not valid; expected true or false")
    return value


def _object(place: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PricesError(f"{place}: {value!r} is not valid; expected an object")
    return value


def _types(place: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise PricesError(f"{place}: {value!r} is not valid; expected a list of types")
    return frozenset(value)


def _tiers(place: str, value: Any) -> tuple[Tier, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(entry, Mapping) for entry in value):
        raise PricesError(f"{place}: expected a list of {{up_to, price}}")
    tiers: list[Tier] = []
    for position, entry in enumerate(value):
        at = f"{place}.{position}"
        if set(entry) - {"up_to", "price"} or "price" not in entry:
            raise PricesError(f"{at}: expected up_to and price")
        limit = entry.get("up_to")
        last = position == len(value) - 1
        if (limit is None) != last:
            raise PricesError(f"{at}.up_to: every tier but the last has one")
        if limit is not None and not (
            isinstance(limit, int) and not isinstance(limit, bool) and limit > (tiers[-1].up_to or 0 if tiers else 0)
        ):
            raise PricesError(f"{at}.up_to: {limit!r} is not valid; expected a whole number above the tier before")
        tiers.append(Tier(limit, _number(f"{at}.price", entry["price"])))
    return tuple(tiers)
