"""Loads the script of a document folder under a name of its own (every folder's script is called `script.py`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_script(document: str) -> ModuleType:
    """The module `remediation/<document>/script.py`."""
    name = "script_of_" + document.replace("-", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / document / "script.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
