"""PCI_SCOPE_TAGGED: resources of the CDE's accounts say whether they are in scope, and what is out shares no group with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pci_config.rule import (
    MAX_ANNOTATION_CHARACTERS,
    Facts,
    Finding,
    Item,
    NotAssessed,
    PciRule,
    RuleInputError,
    bounded,
    compliant,
    non_compliant,
    not_applicable,
    required,
    words,
)
from pci_config.scope_facts import GroupUse
from pci_config.scope_tags import (
    BUCKET,
    CDE,
    CLASSIC_LOAD_BALANCER,
    DB_CLUSTER,
    DB_INSTANCE,
    FUNCTION,
    GROUP,
    LOAD_BALANCER,
    OUT,
    SCOPE_TAG,
    SCOPES,
    SERVICE,
    TIER_TAG,
    all_tags,
    groups_of,
    tag_fault,
)
from pci_config.settings import SettingMissing, Settings

VPC, SUBNET, CLUSTER = "AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::ECS::Cluster"
TIERED = (GROUP, SUBNET)
ROLES = "management|delegated_admin|log_archive|identity|identity_production|production|staging|development"
SUFFIX = " [PCI 12.5.2]"


@dataclass(frozen=True, slots=True)
class ScopeParameters:
    """`AccountRoles`: roles of rdk.json whose accounts belong to the cardholder data environment."""

    account_roles: tuple[str, ...] = words(("production",), ROLES, f"a role of rdk.json's Accounts ({ROLES})")


class PciScopeTagged(PciRule):
    """In accounts of the CDE every resource carries `pci:scope`, and what is out of scope shares no security group with it.

    PCI DSS 4.0.1: 12.5.2, 12.5.1. 3.2.1: 2.4 (scope confirmation itself has no number there). Source: AWS Config's item shapes;
    Amazon EC2, Elastic Load Balancing, RDS, ECS and Lambda API references for the groups of a resource.

    Task definitions are not judged: their tasks run in services and clusters, which are.

    | resource of an account with one of the `AccountRoles` (production) | verdict |
    |---|---|
    | no tag `pci:scope`, or one spelled otherwise; a value that is none of cde, connected, out | non-compliant, names it |
    | subnet or security group that is cde or connected, without a `pci:tier` of rdk.json | non-compliant, names it |
    | a VPC's default security group | as any, but no tier applies |
    | out, and one of its security groups is cde or used by a cde resource | non-compliant, names group and resource |
    | out, and the source does not hold every type that may use its groups | not assessed |
    | anything else | compliant |

    Resources of other accounts: not applicable.
    """

    resource_types = (VPC, SUBNET, GROUP, LOAD_BALANCER, CLASSIC_LOAD_BALANCER, DB_CLUSTER, DB_INSTANCE, BUCKET, CLUSTER,
                      SERVICE, FUNCTION)  # fmt: skip
    parameters = ScopeParameters
    lookups = (GroupUse,)
    sweeps = True  # another resource may begin to use the group, which does not change this one

    def decide(self, item: Item, parameters: ScopeParameters, facts: Facts) -> Finding:
        settings = facts.scope.settings
        if not _is_of_cde(required(item, "awsAccountId", str), parameters, settings):
            return not_applicable(f"not an account of the CDE ({', '.join(parameters.account_roles)})")
        required(item, "configuration", dict)
        tags = all_tags(item)
        faults = [fault for fault in (tag_fault(tags, SCOPE_TAG, SCOPES), _tier_fault(item, tags, settings)) if fault]
        if faults:
            return _wrong("; ".join(faults))
        scope = tags[SCOPE_TAG]
        return _apart(item, facts) if scope == OUT else compliant(f"scope {scope}{_told_tier(item, tags)}")


def _is_of_cde(account_id: str, parameters: ScopeParameters, settings: Settings) -> bool:
    if not parameters.account_roles:
        raise RuleInputError("parameter AccountRoles is empty; expected at least one role")
    return any(account_id in settings.accounts_of(role) for role in parameters.account_roles)


def _tier_fault(item: Item, tags: Mapping[str, str], settings: Settings) -> str | None:
    if item["resourceType"] not in TIERED or tags.get(SCOPE_TAG) == OUT or _is_default_group(item):
        return None
    if not settings.network_tiers:
        raise SettingMissing("rdk.json: NetworkTiers is not set; this rule needs it")
    return tag_fault(tags, TIER_TAG, settings.network_tiers)


def _is_default_group(item: Item) -> bool:
    """Every VPC has one, which cannot be deleted and which nothing should use."""
    return item["resourceType"] == GROUP and required(item, "configuration.groupName", str) == "default"


def _told_tier(item: Item, tags: Mapping[str, str]) -> str:
    return f", tier {tags[TIER_TAG]}" if item["resourceType"] in TIERED and TIER_TAG in tags else ""


def _apart(item: Item, facts: Facts) -> Finding:
    """Out of scope is only what shares no security group with the CDE."""
    groups = groups_of(item)
    if not groups:
        return compliant("scope out, uses no security group")
    use = facts.get(GroupUse, *groups)
    inside = [user for user in use.users if user.scope == CDE]
    if inside:
        more = f" and {len(inside) - 1} more" if len(inside) > 1 else ""
        return _wrong(
            f"scope is out, but {inside[0].group} is shared with {inside[0].name} (cde){more}; use a group of its own"
        )
    if use.unseen:
        raise NotAssessed(f"whether {', '.join(groups)} is shared with the CDE: no {', '.join(use.unseen)} in this source")
    return compliant(f"scope out, shares {', '.join(groups)} with nothing of the CDE")


def _wrong(reason: str) -> Finding:
    return non_compliant(bounded(reason, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX)


lambda_handler = PciScopeTagged.as_lambda_handler()
