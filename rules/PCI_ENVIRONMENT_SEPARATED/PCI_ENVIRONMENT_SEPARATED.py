"""PCI_ENVIRONMENT_SEPARATED: production and everything else share no account, no network path, no resource and no role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pci_config.environment_facts import GATEWAY, Gateway, GatewayOwner, Gateways, Share, Shares
from pci_config.environments import (
    NON_PRODUCTION,
    PRODUCTION,
    SHARED,
    Account,
    account_of,
    must_be_apart,
    own_account,
)
from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import Opening, parse_policy
from pci_config.rule import (
    ACCOUNT_RESOURCE_TYPE,
    MAX_ANNOTATION_CHARACTERS,
    Facts,
    Finding,
    Item,
    PciRule,
    RuleInputError,
    Scope,
    about,
    about_account,
    bounded,
    compliant,
    counted,
    non_compliant,
    not_applicable,
    numbered,
    required,
    words,
)
from pci_config.scope_tags import (
    BUCKET,
    CLASSIC_LOAD_BALANCER,
    DB_CLUSTER,
    DB_INSTANCE,
    FUNCTION,
    GROUP,
    LOAD_BALANCER,
    SERVICE,
    all_tags,
)
from pci_config.settings import Settings

VPC, SUBNET, CLUSTER, ROLE = "AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::ECS::Cluster", "AWS::IAM::Role"
PEERING, ATTACHMENT = "AWS::EC2::VPCPeeringConnection", "AWS::EC2::TransitGatewayAttachment"
SUFFIX = " [PCI 6.5.3]"
ASSUME = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")
JOINING = ("active", "initiating-request", "pending-acceptance", "provisioning")
PARTED = ("deleted", "deleting", "rejected", "failed", "expired")
TAG_VALUES = (
    "production=production",
    "prod=production",
    "live=production",
    "staging=staging",
    "stage=staging",
    "development=development",
    "dev=development",
    "test=development",
)


@dataclass(frozen=True, slots=True)
class EnvironmentParameters:
    """`TagKeys`: tags that name a resource's environment, in any case. `TagValues`: what their values mean, in any case.

    `ProductionUnits`: ARNs of organizational units whose accounts are all production, with which production may share.
    """

    tag_keys: tuple[str, ...] = words(("environment", "env"))
    tag_values: tuple[str, ...] = words(
        TAG_VALUES, r"[^\s,=]+=(production|staging|development)", "VALUE=production, =staging or =development"
    )
    production_units: tuple[str, ...] = words((), r"arn:[a-z-]+:organizations::[0-9]{12}:ou/\S+", "ARN of a unit")


class PciEnvironmentSeparated(PciRule):
    """Nothing joins production and other environments: tags, peerings, transit gateways, shares, trusts of roles.

    PCI DSS 4.0.1: 6.5.3, 6.5.4. 3.2.1: 6.4.1, 6.4.2. Source: AWS Config's item shapes (peering and transit gateway attachment
    from its published schema); EC2 API reference (VpcPeeringConnectionStateReason, SearchTransitGatewayRoutes); AWS RAM API
    reference; IAM User Guide, policy elements. Production is the accounts of rdk.json with the roles production and
    identity_production; staging, development and identity are not; the others are shared. Accounts that rdk.json does not name
    are not production.

    | item | verdict |
    |---|---|
    | any, with an environment tag of another environment than the account's, or of none known | non-compliant |
    | peering of production with another environment or an unknown account, also one that is only requested | non-compliant |
    | peering that is deleted, rejected, failed or expired | not applicable |
    | attachment in production of another environment's or an unknown transit gateway, and the reverse | non-compliant |
    | role in production that everyone or a non-production account may assume, by its trust policy | non-compliant |
    | role elsewhere; any other resource without environment tag; a tag in a shared account | not applicable |

    | account and Region (on schedule): shares of AWS RAM | verdict |
    |---|---|
    | of production with another environment, an organization, unknown unit or account; or the reverse | non-compliant |
    | no such share | compliant |

    | transit gateway (on schedule) | verdict |
    |---|---|
    | a route between attachments of production and of another environment or unknown account | non-compliant |

    Shares are reported on the account, since AWS Config has no type for them. Routes through appliances in between are not
    followed. Trusts in unknown accounts are PCI_ROLE_TRUST_LIMITED's.
    """

    resource_types = (PEERING, ATTACHMENT, ROLE, VPC, SUBNET, GROUP, LOAD_BALANCER, CLASSIC_LOAD_BALANCER, DB_CLUSTER,
                      DB_INSTANCE, BUCKET, CLUSTER, SERVICE, FUNCTION)  # fmt: skip
    periodic_types = (ACCOUNT_RESOURCE_TYPE, GATEWAY)
    parameters = EnvironmentParameters
    lookups = (GatewayOwner, Gateways, Shares)

    def decide(self, item: Item, parameters: EnvironmentParameters, facts: Facts) -> Finding:
        account = own_account(required(item, "awsAccountId", str), facts.scope.settings)
        required(item, "configuration", dict)
        fault = _tag_fault(all_tags(item), account, parameters)
        if fault:
            return _wrong(fault)
        match required(item, "resourceType", str):
            case "AWS::EC2::VPCPeeringConnection":
                return _peering(item, facts.scope.settings)
            case "AWS::EC2::TransitGatewayAttachment":
                return _attachment(item, account, facts)
            case "AWS::IAM::Role":
                return _role(item, account, facts.scope.settings)
        if account.kind == SHARED or not _said(all_tags(item), parameters):
            return not_applicable(f"names no environment; the account is {account.role.replace('_', ' ')}")
        return compliant(f"tagged {' and '.join(_said(all_tags(item), parameters))} in {account}")

    def decide_account(self, parameters: EnvironmentParameters, facts: Facts) -> Sequence[Finding]:
        account = own_account(facts.scope.account_id, facts.scope.settings)
        return [
            about_account(_shares(facts.get(Shares), account, parameters, facts.scope), facts),
            *(_gateway(gateway, facts.scope.settings) for gateway in facts.get(Gateways)),
        ]


# ---------------------------------------------------------------------------------------------------------------- tags


def _said(tags: Mapping[str, str], parameters: EnvironmentParameters) -> list[str]:
    keys = {key.lower() for key in parameters.tag_keys}
    return [value for key, value in sorted(tags.items()) if key.lower() in keys]


def _tag_fault(tags: Mapping[str, str], account: Account, parameters: EnvironmentParameters) -> str | None:
    if account.kind == SHARED:
        return None
    meanings = {value.lower(): meaning for value, meaning in (entry.split("=") for entry in parameters.tag_values)}
    for value in _said(tags, parameters):
        meaning = meanings.get(value.strip().lower())
        if meaning is None:
            return f"environment {value!r} is none known ({', '.join(sorted(meanings))})"
        if meaning not in _environments(account):
            return f"tagged {value!r}, but the account is {account}; one account holds one environment"
    return None


def _environments(account: Account) -> tuple[str, ...]:
    """What a resource of the account may be tagged: the identity account serves two environments."""
    if account.kind == PRODUCTION:
        return ("production",)
    return ("staging", "development") if account.role == "identity" else (account.role,)


# ------------------------------------------------------------------------------------------------------------- network


def _peering(item: Item, settings: Settings) -> Finding:
    status = item["configuration"].get("status")  # a text in the schema, an object with code and message in the API
    code = status.get("code") if isinstance(status, Mapping) else status
    if code in PARTED:
        return not_applicable(f"the peering is {code}")
    if code not in JOINING:
        raise RuleInputError(f"{PEERING}: configuration.status is {status!r}")
    sides = [
        account_of(required(item, f"configuration.{side}.ownerId", str), settings)
        for side in ("requesterVpcInfo", "accepterVpcInfo")
    ]
    if must_be_apart(*sides):
        return _wrong(f"peering of {sides[0]} with {sides[1]} is {code}; delete or reject it")
    return compliant(f"peering of {sides[0]} with {sides[1]} joins no environments")


def _attachment(item: Item, account: Account, facts: Facts) -> Finding:
    gateway = required(item, "configuration.TransitGatewayId", str)
    owner = account_of(facts.get(GatewayOwner, gateway), facts.scope.settings)
    if must_be_apart(account, owner):
        return _wrong(f"{account} is attached to {gateway} of {owner}; detach it")
    return compliant(f"{gateway} belongs to {owner}; its routes are judged there")


def _gateway(gateway: Gateway, settings: Settings) -> Finding:
    owners = {attachment: account_of(owner, settings) for attachment, owner in gateway.owners.items()}
    joined = sorted(
        (str(owners[one]), str(owners[other]))
        for one, other in gateway.routes
        if one in owners and other in owners and must_be_apart(owners[one], owners[other])
    )
    if joined:
        more = f" and {len(joined) - 1} more" if len(joined) > 1 else ""
        finding = _wrong(f"{gateway.id} has a route from {joined[0][0]} to {joined[0][1]}{more}; use route tables apart")
    else:
        finding = compliant(f"{gateway.id}: no route between environments among {len(owners)} attachments")
    return about(finding, GATEWAY, gateway.id)


# ----------------------------------------------------------------------------------------------- shares and trusts


def _shares(shares: Sequence[Share], account: Account, parameters: EnvironmentParameters, scope: Scope) -> Finding:
    faults = [fault for share in shares if (fault := _share_fault(share, account, parameters, scope.settings))]
    if faults:
        return non_compliant(counted(faults, "resource share", SUFFIX))
    if not shares:
        return compliant(f"{account} has no resource share in {scope.region}")
    return compliant(f"{numbered(len(shares), 'resource share')} of or with {account}: none joins environments")


def _share_fault(share: Share, account: Account, parameters: EnvironmentParameters, settings: Settings) -> str | None:
    name = f"share {bounded(share.name or share.arn.rpartition('/')[2], 60)}"
    if share.owner != account.id:
        owner = account_of(share.owner, settings)
        return f"{name} comes from {owner} to {account}; leave it" if must_be_apart(owner, account) else None
    faults = list(_strangers(share, account, parameters, settings))
    if not faults:
        return None
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{name} of {account} goes to {faults[0]}{more}; remove the principal"


def _strangers(share: Share, account: Account, parameters: EnvironmentParameters, settings: Settings) -> Iterator[str]:
    """Principals that are, or may be, of another environment. Organizations and units are not looked into."""
    for principal in share.principals:
        parts = principal.split(":")
        if principal.endswith(".amazonaws.com"):
            continue  # a service of AWS
        if len(parts) > 5 and parts[2] == "organizations":
            if account.kind == SHARED or (principal in parameters.production_units and account.kind == PRODUCTION):
                continue
            what = "organization" if parts[5].startswith("organization/") else "unit"
            yield f"the {what} {parts[5].rpartition('/')[2]}, which may hold another environment"
            continue
        other = account_of(parts[4] if len(parts) > 5 else principal, settings)
        if must_be_apart(account, other):
            yield str(other)


def _role(item: Item, account: Account, settings: Settings) -> Finding:
    if account.kind != PRODUCTION:
        return not_applicable(f"{account} is not production")
    document = item["configuration"].get("assumeRolePolicyDocument")
    if not document:
        raise RuleInputError(f"{ROLE}: configuration.assumeRolePolicyDocument is missing")
    try:
        openings = parse_policy(document, "assumeRolePolicyDocument", "required").openings(*ASSUME)
    except PolicyError as error:
        raise RuleInputError(f"{ROLE}: {error}") from None
    faults = sorted({fault for opening in openings for fault in _distrusted(opening, settings)})
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        return _wrong(f"role of {account} trusts {faults[0]}{more}; production trusts production only")
    return compliant("trusts no account of another environment")


def _distrusted(opening: Opening, settings: Settings) -> Iterator[str]:
    accounts = opening.origins()
    if accounts is None:
        if opening.principal.entity == "anyone" and opening.principal.kind in ("*", "AWS"):
            yield "everyone, other environments too"
        return
    for account_id in sorted(accounts):
        other = account_of(account_id, settings)
        if other.kind == NON_PRODUCTION:
            yield str(other)


def _wrong(reason: str) -> Finding:
    return non_compliant(bounded(reason, MAX_ANNOTATION_CHARACTERS - len(SUFFIX)) + SUFFIX)


lambda_handler = PciEnvironmentSeparated.as_lambda_handler()
