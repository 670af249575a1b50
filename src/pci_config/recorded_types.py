"""Which resource types AWS Config has to record so that the rules can judge, and where.

One source of truth: the rules' own folders and managed_rules.yaml (see `pci_config.recording_needs`). The build writes the
answer beside the package in the bundle, since the function imports only the one rule that judges; a checkout computes it.

Runs in Lambda: standard library only.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pci_config.settings import SettingMissing, Settings

FILE_NAME = "recorded_types.json"
EVERYWHERE, HOME = "everywhere", "home"
# Global IAM types are recorded where includeGlobalResourceTypes or a list says so: the home Region is enough. CloudFront's are
# recorded in us-east-1 alone (AWS Config API reference, RecordingGroup; developer guide, recording global resources).
GLOBAL_IAM_TYPES = frozenset({"AWS::IAM::User", "AWS::IAM::Group", "AWS::IAM::Role", "AWS::IAM::Policy"})
CLOUDFRONT_PREFIX, CLOUDFRONT_REGION = "AWS::CloudFront::", "us-east-1"


@dataclass(frozen=True, slots=True)
class Need:
    """A type that must be recorded: continuously where a rule judges each change of it, and in which Regions."""

    continuous: bool
    place: str = EVERYWHERE

    def applies(self, region: str, settings: Settings) -> bool:
        if self.place == HOME:
            if not settings.home_region:
                raise SettingMissing("rdk.json: HomeRegion is not set; this rule needs it")
            return region == settings.home_region
        return self.place in (EVERYWHERE, region)

    def document(self) -> dict[str, Any]:
        return {"continuous": self.continuous, "place": self.place}


def place_of(resource_type: str, *, regional: bool) -> str:
    """Where the type is recorded when a rule of that reach judges it."""
    if resource_type in GLOBAL_IAM_TYPES:
        return HOME
    if resource_type.startswith(CLOUDFRONT_PREFIX):
        return CLOUDFRONT_REGION
    return EVERYWHERE if regional else HOME


def needed_types() -> Mapping[str, Need]:
    """Every needed type: from the bundle's file, or from the rules of the checkout or installed package."""
    bundled = Path(__file__).resolve().parents[1] / FILE_NAME
    if bundled.is_file():
        return {name: Need(**need) for name, need in json.loads(bundled.read_text("utf-8")).items()}
    # by name: the build follows imports, and the catalogue does not belong into the bundle
    needs: Mapping[str, Need] = importlib.import_module("pci_config.recording_needs").of_the_catalogue()
    return needs
