"""Quotas that a deployment uses, and how much of each is free. Service Quotas' answer counts; else the figure known here."""

from __future__ import annotations

from dataclasses import dataclass

from pci_config.deploy.preflight_facts import Facts, Read, Unread

SHARE_KEPT_FREE = 0.1
FEW_CONCURRENT = 100


@dataclass(frozen=True, slots=True)
class Quota:
    """`name` as Service Quotas has it, where it does; `source` of the known figure."""

    id: str
    what: str
    name: str
    known: int
    source: str
    adjustable: bool


_CONFIG = "AWS General Reference, AWS Config quotas (2025)"
RULES = Quota(
    "rules",
    "AWS Config rules of an account in a Region",
    "Maximum number of AWS Config Rules per Region per account",
    1000,
    _CONFIG,
    adjustable=False,
)
PACKS = Quota(
    "packs",
    "conformance packs of an account in a Region",
    "Maximum number of conformance packs per account",
    50,
    _CONFIG,
    adjustable=False,
)
PACK_RULES = Quota(
    "rules-of-a-pack",
    "rules of an organization conformance pack",
    "Maximum number of AWS Config Rules per organization conformance pack",
    130,
    _CONFIG,
    adjustable=False,
)
ORGANIZATION_PACKS = Quota(
    "organization-packs",
    "organization conformance packs in a Region",
    "Maximum number of conformance packs per organization",
    50,
    _CONFIG,
    adjustable=False,
)
AGGREGATORS = Quota(
    "aggregators",
    "aggregators of the delegated administrator",
    "Maximum number of configuration aggregators",
    50,
    _CONFIG,
    adjustable=True,
)
AGGREGATED = Quota(
    "accounts-of-an-aggregator",
    "accounts of an aggregator",
    "Maximum number of accounts in an aggregator",
    10_000,
    _CONFIG,
    adjustable=False,
)
STACK_SETS = Quota("stack-sets", "StackSets", "", 1000, "CloudFormation user guide, quotas (2023)", adjustable=True)
STACKS = Quota(
    "stacks", "stacks of an account in a Region", "", 2000, "CloudFormation user guide, quotas (2023)", adjustable=True
)
DOCUMENTS = Quota(
    "documents",
    "Systems Manager documents of an account in a Region",
    "",
    500,
    "Systems Manager API reference, DocumentLimitExceeded (2026)",
    adjustable=True,
)
ROLES = Quota("roles", "IAM roles of an account", "", 1000, "IAM user guide, quotas", adjustable=True)


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much of a quota is used and added. `told`: AWS said the limit, for this account."""

    quota: Quota
    used: int
    added: int
    limit: int
    told: bool

    @property
    def free(self) -> int:
        return self.limit - self.used - self.added

    @property
    def verdict(self) -> str:
        """A known figure that can be raised may have been: it warns where AWS's own answer would fail."""
        if self.free < 0:
            return "fail" if self.told or not self.quota.adjustable else "warn"
        return "warn" if self.free < self.limit * SHARE_KEPT_FREE else "pass"

    def __str__(self) -> str:
        where = "Service Quotas or the service itself" if self.told else self.quota.source
        over = f", {-self.free} too many" if self.free < 0 else f", {self.free} free"
        return f"{self.quota.what}: {self.used} used and {self.added} ours of {self.limit}{over} ({where})"

    @property
    def fix(self) -> str:
        if self.verdict == "pass":
            return ""
        if self.quota.adjustable:
            return "ask Service Quotas for more, or delete what is not used"
        return "delete what is not used, or leave the account out (Deployment.ExcludedAccounts); AWS does not raise this quota"


def headroom(quota: Quota, used: Read[int], added: int, facts: Facts, told: Read[int] | None = None) -> Headroom | Unread:
    """`told`: the limit as the service says itself; else Service Quotas' answer, else the known figure."""
    if isinstance(used, Unread):
        return used
    limit = told if isinstance(told, int) else _answered(quota, facts)
    return Headroom(quota, used, added, quota.known if limit is None else limit, limit is not None)


def _answered(quota: Quota, facts: Facts) -> int | None:
    return facts.limits.get(quota.name.lower()) if quota.name and not isinstance(facts.limits, Unread) else None
