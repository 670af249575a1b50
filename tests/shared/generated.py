"""What the build generates from the checkout, made once for all tests of a process: it takes seconds. Nobody changes it."""

from __future__ import annotations

import functools

from pci_config import build
from pci_config.catalogue import Catalogue, project_root
from pci_config.rdk_json import RdkJson

ROOT = project_root()


@functools.cache
def artefacts() -> build.Artefacts:
    return build.generate(ROOT, Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json"))
