"""PCI_ROLE_TRUST_LIMITED: people reach roles from the identity account of their environment only, with MFA."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pci_config.iam_condition import PolicyError
from pci_config.iam_policy import Policy, parse_policy
from pci_config.role_trust import Judged, Trusted, judge_trust
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    PciRule,
    RuleInputError,
    Scope,
    bounded,
    compliant,
    counted,
    integer,
    non_compliant,
    not_applicable,
    optional,
    required,
    words,
)
from pci_config.settings import SettingMissing, Settings

ROLE = "AWS::IAM::Role"
SUFFIX = " [PCI 7.2.2, 8.4.2]"
LONGEST_SESSION_HOURS = 12  # IAM API reference, Role: MaxSessionDuration is 43200 seconds at most
SERVICE_LINKED_PATH, IDENTITY_CENTER_PATH = "/aws-service-role/", "/aws-reserved/sso.amazonaws.com/"
# Services that write for resources of any account, with a role that their guides show with a condition on the source. Others
# (EC2, Lambda, ECS, …) take only roles of the caller's own account, which iam:PassRole sees to; some of them send no source.
LOG_DEPUTIES = ("delivery.logs.amazonaws.com", "logs.amazonaws.com", "vpc-flow-logs.amazonaws.com")


@dataclass(frozen=True, slots=True)
class TrustParameters:
    """production_accounts: roles in `Accounts` of rdk.json whose people come from identity_production; those of all others
    come from identity. automation_accounts: roles in `Accounts` whose named IAM roles may be trusted without MFA.
    source_condition_services: service principals that need aws:SourceAccount or aws:SourceArn. organization_ids: values of
    aws:SourceOrgID that prove the source as well."""

    max_session_hours: int = integer(LONGEST_SESSION_HOURS, 1, LONGEST_SESSION_HOURS)
    production_accounts: tuple[str, ...] = words(("production", "identity_production"), r"[a-z_]+", "account roles of rdk.json")
    automation_accounts: tuple[str, ...] = words((), r"[a-z_]+", "account roles of rdk.json")
    source_condition_services: tuple[str, ...] = words(LOG_DEPUTIES, r"[a-z0-9.-]+\.[a-z]+", "service principals")
    organization_ids: tuple[str, ...] = words((), r"o-[a-z0-9]{10,32}", "organization ids")


class LongestSession(Lookup[int]):
    """A role's MaxSessionDuration in seconds, by role name. AWS Config does not record it."""

    actions = ("iam:GetRole",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> int:
        return int(clients.build_client("iam").get_role(RoleName=key[0])["Role"]["MaxSessionDuration"])


class PciRoleTrustLimited(PciRule):
    """Roles are assumed by people of the identity account of their environment, with MFA; machines prove where they come from.

    PCI DSS 4.0.1: 7.2.2, 8.4.2. 3.2.1: 7.1, 8.3. Source: IAM User Guide, policy elements, condition operators, MFA-protected
    API access, the confused deputy problem; IAM API reference, Role. Identity accounts are `Accounts.identity_production` for
    production accounts and `Accounts.identity` for others. What a Deny surely closes is closed.

    | the role trusts | verdict |
    |---|---|
    | everyone, or all but some (NotPrincipal) | non-compliant, whatever the conditions |
    | an account outside the organization, or a principal that no longer exists | non-compliant |
    | any account but the identity account of its environment (the own one, too), or a user of it | non-compliant |
    | the identity account or a user of it, with MFA demanded (Bool, not BoolIfExists; or a Deny without MFA) | compliant |
    | the same without | non-compliant |
    | a named role of the own account (judged itself) or of `AutomationAccounts` | compliant |
    | a service of `SourceConditionServices` without its source account | non-compliant; other services may |
    | a service that comes for an account outside the organization | non-compliant |
    | a SAML provider of the account, with an audience; MFA is the provider's | compliant; without: non-compliant |
    | a token provider with an audience and a subject that names its owner | compliant; without: non-compliant |
    | nobody | compliant |
    | sessions longer than `MaxSessionHours` (people only; looked up below 12, which IAM never exceeds) | non-compliant |
    | service-linked, or made by Identity Center | not applicable: AWS keeps the trust |
    | a policy that cannot be understood; an account that rdk.json does not name | error |
    """

    resource_types = (ROLE,)
    parameters = TrustParameters
    lookups = (LongestSession,)
    sweeps = True  # the longest session is not in the item

    def decide(self, item: Item, parameters: TrustParameters, facts: Facts) -> Finding:
        policy = trust_policy(item)
        made_by = keeper(item, policy)
        if made_by:
            return not_applicable(made_by)
        account = facts.scope.account_id
        judged = judge_trust(policy, trusted_by(account, facts.scope.settings, parameters))
        if judged.faults:
            return non_compliant(counted(judged.faults, "problem", SUFFIX))
        if judged.people and parameters.max_session_hours < LONGEST_SESSION_HOURS:
            seconds = facts.get(LongestSession, required(item, "configuration.roleName", str))
            if seconds > parameters.max_session_hours * 3600:
                hours = f"{seconds / 3600:.3g}"
                return non_compliant(f"sessions last up to {hours} h, expected <= {parameters.max_session_hours} h{SUFFIX}")
        return compliant(told(judged))


def trust_policy(item: Item) -> Policy:
    document = required(item, "configuration", dict).get("assumeRolePolicyDocument")
    try:
        return parse_policy(document, "the trust policy", "required")
    except PolicyError as error:
        raise RuleInputError(str(error)) from None


def keeper(item: Item, policy: Policy) -> str:
    """Who keeps the trust in place of the account, as the reason not to judge it; empty for ordinary roles."""
    path = optional(item, "configuration.path", str, "/")
    principals = [principal for statement in policy.statements for principal in statement.subjects()]
    if path.startswith(SERVICE_LINKED_PATH) and all(
        p.kind == "Service" and p.value.endswith((".amazonaws.com", ".amazonaws.com.cn")) for p in principals
    ):
        return "a service-linked role: AWS keeps its trust"
    if path.startswith(IDENTITY_CENTER_PATH) and all(
        p.kind == "Federated" and ":saml-provider/AWSSSO_" in p.value for p in principals
    ):
        return "a role of Identity Center, which keeps its trust and asks for MFA: see PCI_IDENTITY_CENTER_FEDERATED"
    return ""


def trusted_by(account: str, settings: Settings, parameters: TrustParameters) -> Trusted:
    """Settings and parameters as `judge_trust` wants them."""
    known = {number: role.replace("_", " ") for role, numbers in settings.accounts.items() for number in numbers}
    return Trusted(
        account,
        partial(identity_accounts, account, settings, parameters.production_accounts),
        known,
        frozenset(number for role in parameters.automation_accounts for number in settings.accounts_of(role)),
        frozenset(parameters.source_condition_services),
        frozenset(parameters.organization_ids),
    )


def identity_accounts(account: str, settings: Settings, production: tuple[str, ...]) -> frozenset[str]:
    """Where people of the account's environment come from. Raises SettingMissing when rdk.json does not say."""
    roles = {role for role, numbers in settings.accounts.items() if account in numbers}
    if not roles:
        raise SettingMissing(f"rdk.json: Accounts does not name {account}, so its identity account is not known")
    return frozenset(settings.accounts_of("identity_production" if roles & set(production) else "identity"))


def told(judged: Judged) -> str:
    if not judged.trusts:
        return "nobody may assume it"
    return bounded("trusts " + ", ".join(judged.trusts))


lambda_handler = PciRoleTrustLimited.as_lambda_handler()
