"""What the sample issuer has beyond its network, archive and trails, one module per area, each with its planted mistakes.

A module that is added to this folder is built after the rest, in the order of names: `build(server, issuer, rdk_json)`. It
makes at least one right resource for every rule of its area, and says `issuer.plant(...)` for every mistake, also those that
its area's rules find in what others built.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pci_config.rdk_json import RdkJson
    from pci_config.sandbox.organization import Issuer
    from pci_config.sandbox.server import MotoServer

Build = Callable[["MotoServer", "Issuer", "RdkJson"], None]


def areas() -> list[tuple[str, Build]]:
    """(name, build) of every module here."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return [(name, importlib.import_module(f"{__name__}.{name}").build) for name in names]
