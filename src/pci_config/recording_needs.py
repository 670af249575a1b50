"""Computes which types must be recorded from the catalogue: what rules judge on change, and what their lookups read."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from pci_config.catalogue import Catalogue
from pci_config.recorded_types import EVERYWHERE, Need, place_of


def needs(catalogue: Catalogue) -> dict[str, Need]:
    """Need by type. A type that several rules need is recorded as the most demanding of them wants it."""
    found: dict[str, Need] = {}
    for resource_type, need in _wanted(catalogue):
        known = found.get(resource_type, need)
        place = EVERYWHERE if EVERYWHERE in (known.place, need.place) else need.place
        found[resource_type] = Need(known.continuous or need.continuous, place)
    return dict(sorted(found.items()))


@functools.cache
def of_the_catalogue() -> Mapping[str, Need]:
    return needs(Catalogue.load())


def _wanted(catalogue: Catalogue) -> Iterator[tuple[str, Need]]:
    for entry in catalogue.rules.values():
        regional = entry.region_scope == "regional"
        for resource_type in entry.resource_types:
            yield resource_type, Need(True, place_of(resource_type, regional=regional))
        for lookup in entry.rule_class.lookups:
            for resource_type in lookup.resource_types:
                yield resource_type, Need(False, place_of(resource_type, regional=regional))
    for managed in catalogue.managed_rules.values():
        for resource_type in managed.change_types:
            yield resource_type, Need(True, place_of(resource_type, regional=managed.region_scope == "regional"))
