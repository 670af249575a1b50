"""Live describe calls turned into configuration items, one module per service, in the shapes that AWS Config records.

A module that is added to this folder is a new collector (names that begin with `_` are shared parts). Each has RESOURCE_TYPES,
ACTIONS (the IAM actions it needs) and `collect(clients, account_id, region, now)`; RECORDED_IN names the one Region in which
AWS Config records resources that belong to no Region; in others it yields nothing. HOME_REGION stands for the Region in which
the organization records its global resources, which only the caller knows: it asks no other.

Parts of an item that cost a call each may be `Deferred`: `assess --account` asks only for those that its rules read.

A refused call raises botocore's ClientError for the caller to report; "there is no such configuration" is an answer.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pci_config.collect._deferred import Deferred
from pci_config.rule import Clients

HOME_REGION = "home"
Collect = Callable[[Clients, str, str, datetime], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Collector:
    """A module of this folder."""

    name: str
    resource_types: tuple[str, ...]
    actions: tuple[str, ...]
    deferred: Collect
    recorded_in: str | None = None

    def collect(self, clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
        """Items with all their parts, as AWS Config records them. `deferred` gives them with parts still to be asked for."""
        for item in self.deferred(clients, account_id, region, now):
            supplementary = item["supplementaryConfiguration"]
            if isinstance(supplementary, Deferred):
                item["supplementaryConfiguration"] = supplementary.complete()
            yield item


@functools.cache
def collectors() -> tuple[Collector, ...]:
    """Every collector, by the modules of this folder."""
    found = []
    for info in pkgutil.iter_modules(__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{info.name}")
            recorded_in = getattr(module, "RECORDED_IN", None)
            found.append(Collector(info.name, module.RESOURCE_TYPES, module.ACTIONS, module.collect, recorded_in))
    return tuple(found)


def for_types(resource_types: frozenset[str]) -> tuple[Collector, ...]:
    """The collectors that give any of the types."""
    return tuple(collector for collector in collectors() if resource_types & set(collector.resource_types))
