"""Live describe calls turned into configuration items, one module per service, in the shapes that AWS Config records.

A module that is added to this folder is a new collector. Each has RESOURCE_TYPES, ACTIONS (the IAM actions it needs) and
`collect(clients, account_id, region, now)`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pci_config.rule import Clients

Collect = Callable[[Clients, str, str, datetime], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Collector:
    name: str
    resource_types: tuple[str, ...]
    actions: tuple[str, ...]
    collect: Collect


@functools.cache
def collectors() -> tuple[Collector, ...]:
    """Every collector, by the modules of this folder."""
    found = []
    for info in pkgutil.iter_modules(__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{info.name}")
            found.append(Collector(info.name, module.RESOURCE_TYPES, module.ACTIONS, module.collect))
    return tuple(found)


def for_types(resource_types: frozenset[str]) -> tuple[Collector, ...]:
    """The collectors that give any of the types."""
    return tuple(collector for collector in collectors() if resource_types & set(collector.resource_types))
