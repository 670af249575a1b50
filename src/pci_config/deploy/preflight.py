"""Whether an organization is ready for `pci-config deploy`: one small decision for each condition, over facts already read.

What could not be read is "not assessed", never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pci_config.deploy.preflight_check import FAIL, PASS, Check, Question
from pci_config.deploy.preflight_names import names, names_in_accounts, packs
from pci_config.deploy.preflight_organization import (
    accounts_known,
    all_features,
    control_tower,
    credentials,
    delegated_administrators,
    region_opt_in,
    targets,
    trusted_access,
)
from pci_config.deploy.preflight_quotas import concurrency, quota_headroom, quota_headroom_in_accounts
from pci_config.deploy.preflight_recorders import aggregator, recorders

DECISIONS: tuple[Callable[[Question], Iterator[Check]], ...] = (
    credentials,
    all_features,
    accounts_known,
    targets,
    trusted_access,
    delegated_administrators,
    region_opt_in,
    control_tower,
    aggregator,
    recorders,
    packs,
    names,
    names_in_accounts,
    quota_headroom,
    quota_headroom_in_accounts,
    concurrency,
)


def checks(question: Question) -> list[Check]:
    """Every condition, in the order in which they are best mended."""
    return [check for decide in DECISIONS for check in decide(question)]


def failed(found: Sequence[Check], strict: bool = False) -> bool:
    return any(check.verdict == FAIL or (strict and check.verdict != PASS) for check in found)
