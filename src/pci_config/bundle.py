"""The Lambda bundle: rules, what they need, rdklib, settings and exceptions, in a zip that is the same bytes every time."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import rdklib

from pci_config.catalogue import PACKAGE, Catalogue
from pci_config.documents import imported_modules
from pci_config.exceptions import ExceptionRegister
from pci_config.rdk_json import RdkJson
from pci_config.recorded_types import FILE_NAME
from pci_config.recording_needs import needs

ENTRY_MODULE = "evaluator"
NO_EXCEPTIONS = ExceptionRegister()
OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format knows no earlier one


def build_bundle(target: Path, catalogue: Catalogue, rdk_json: RdkJson, exceptions: ExceptionRegister = NO_EXCEPTIONS) -> str:
    """Write the zip; returns its SHA-256 in hex. The same inputs give the same bytes."""
    files = dict(sorted(_files(catalogue, rdk_json, exceptions)))
    target.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, OLDEST_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, also when built on Windows
            archive.writestr(entry, content)
    data = packed.getvalue()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=target.stem, delete=False) as partial:  # appears whole, or not
        partial.write(data)
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(target)
    return hashlib.sha256(data).hexdigest()


def _files(catalogue: Catalogue, rdk_json: RdkJson, exceptions: ExceptionRegister) -> Iterator[tuple[str, bytes]]:
    entry_path = PACKAGE / f"{ENTRY_MODULE}.py"
    modules = {ENTRY_MODULE: entry_path.read_text("utf-8")}
    modules |= imported_modules(modules[ENTRY_MODULE], entry_path)
    for entry in catalogue.rules.values():
        source = (entry.folder / f"{entry.id}.py").read_text("utf-8")
        modules |= imported_modules(source, entry.folder)
        yield f"rules/{entry.id}.py", source.encode()
    yield "rules/__init__.py", b""
    yield "pci_config/__init__.py", (PACKAGE / "__init__.py").read_bytes()
    for name, source in modules.items():
        yield f"pci_config/{name}.py", source.encode()
    library = Path(rdklib.__file__).parent
    for path in library.rglob("*.py"):
        yield f"rdklib/{path.relative_to(library).as_posix()}", path.read_bytes()
    settings = {key: value for key, value in rdk_json.document.items() if key != "$schema"}
    yield "settings.json", json.dumps(settings, indent=1, sort_keys=True).encode()
    # every entry, also one that is over: the bytes must not depend on the day of the build
    yield "exceptions.json", json.dumps(exceptions.as_json(), indent=1, ensure_ascii=False).encode()
    yield FILE_NAME, json.dumps({name: need.document() for name, need in needs(catalogue).items()}, indent=1).encode()
    yield (
        "bundle.json",
        json.dumps(
            {"pci_config": importlib.metadata.version("pci-config"), "rdklib": importlib.metadata.version("rdklib")}
        ).encode(),
    )
