"""Everything that the sandbox adds to moto: one module per service, `<name>_service.py`, found by its name."""

from __future__ import annotations

import importlib
import pkgutil

from pci_config import sandbox
from pci_config.sandbox.server import MotoServer

SSM = "ssm_service"  # its Automation needs to act as roles of other accounts


def install(server: MotoServer | None = None) -> None:
    """Teach moto every action of these modules. Installing again changes nothing. No server: all but Automation."""
    for name in sorted(info.name for info in pkgutil.iter_modules(sandbox.__path__) if info.name.endswith("_service")):
        module = importlib.import_module(f"{sandbox.__name__}.{name}")
        if name != SSM:
            module.install()
        elif server:
            module.install(server.session_for_role)
