"""Names that deployment, templates and sandbox share. They are fixed: what is deployed is found by them."""

from __future__ import annotations

PREFIX = "pci-config"
MEMBER_PREFIX = "pci-config-member-"
ADMIN_STACK = "pci-config-admin"  # of the delegated administrator, home Region
ARTIFACTS_STACK = "pci-config-artifacts"  # of the delegated administrator, every Region
GLOBAL_STACK_SET = f"{MEMBER_PREFIX}global"  # home Region
REGIONAL_STACK_SET = f"{MEMBER_PREFIX}regional"  # every Region
DOCUMENTS_STACK_SET = f"{MEMBER_PREFIX}documents-"  # and a number; every Region
REGIONAL_PACK = "pci-dss"  # every Region
GLOBAL_PACK = "pci-dss-global"  # home Region
AGGREGATOR = "pci-config"
ALARM_TOPIC = "pci-config-alarms"
TAG, TAG_VALUE = "pci-config", "managed"
VERSION_TAG = "pci-config:version"
BUNDLE_TAG = "pci-config:bundle"


def artifacts_bucket_prefix(account_id: str) -> str:
    """What the bucket's name is before `-` and the Region."""
    return f"pci-config-artifacts-{account_id}"


def artifacts_bucket(account_id: str, region: str) -> str:
    return f"{artifacts_bucket_prefix(account_id)}-{region}"


def bundle_key(sha256: str) -> str:
    return f"bundles/{sha256}.zip"


def template_key(sha256: str) -> str:
    return f"templates/{sha256}.yaml"


def pack_key(sha256: str) -> str:
    return f"packs/{sha256}.yaml"


def current_pack_key(pack: str, region: str) -> str:
    """Which template the pack of a Region has; the API of Config does not tell."""
    return f"packs/current/{pack}-{region}.json"
