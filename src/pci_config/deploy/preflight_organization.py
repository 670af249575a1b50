"""Is the organization ready: credentials, features, access of services, delegated administrators, Regions, Control Tower.

Source: AWS Config API reference (PutOrganizationConformancePack, PutConfigurationAggregator), CloudFormation user guide
(StackSets with Organizations), Control Tower user guide (AWS Config), Account Management API reference (ListRegions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pci_config.deploy.preflight_check import (
    CONFIG,
    CONFIG_PACKS,
    CONTROL_TOWER,
    FAIL,
    NOT_ASSESSED,
    OPTED_IN,
    PASS,
    PRINCIPALS,
    STACK_SETS,
    WARN,
    Check,
    Outcome,
    Question,
    by_places,
    unread,
)
from pci_config.deploy.preflight_facts import AccountFacts, Read, Unread


def credentials(question: Question) -> Iterator[Check]:
    caller = question.facts.caller
    if isinstance(caller, Unread):
        fix = "sign in, or name a profile with --profile"
        yield Check("credentials", FAIL, f"the caller cannot be asked who it is: {caller.why}", fix)
    elif not question.administrator:
        yield Check(
            "credentials", FAIL, "rdk.json: Accounts.delegated_admin is not set", "set it to the account to deploy from"
        )
    elif caller != question.administrator:
        detail = f"the credentials are of {caller}; rdk.json: Accounts.delegated_admin is {question.administrator}"
        yield Check("credentials", FAIL, detail, "use credentials of that account (--profile), or correct rdk.json")
    else:
        yield Check("credentials", PASS, f"of the delegated administrator {caller}")


def all_features(question: Question) -> Iterator[Check]:
    organization = question.facts.organization
    if isinstance(organization, Unread):
        yield unread("all features", organization, "allow organizations:DescribeOrganization")
    elif organization.feature_set != "ALL":
        detail = f"{organization.id} has {organization.feature_set}; StackSets and organization packs need all features"
        yield Check("all features", FAIL, detail, "enable all features in AWS Organizations (management account)")
    else:
        yield Check("all features", PASS, f"{organization.id} has all features")


def accounts_known(question: Question) -> Iterator[Check]:
    """Every account of rdk.json is an active one of the organization."""
    active = question.facts.active
    named = sorted({account for accounts in question.rdk_json.settings.accounts.values() for account in accounts})
    if isinstance(active, Unread):
        yield unread("accounts", active, "allow organizations:ListAccounts")
        return
    missing = [account for account in named if account not in active]
    if missing:
        detail = "accounts of rdk.json that are no active accounts of the organization"
        yield Check("accounts", FAIL, detail, "correct Accounts in rdk.json", tuple(missing))
    else:
        yield Check("accounts", PASS, f"all {len(named)} accounts of rdk.json are active in the organization")


def targets(question: Question) -> Iterator[Check]:
    """The units are there, and there is somebody to deploy to."""
    unknown = [unit for unit, there in question.facts.units.items() if there is False]
    if unknown:
        fix = "correct Deployment.OrganizationalUnits in rdk.json"
        yield Check("target accounts", FAIL, f"no such unit: {', '.join(unknown)}", fix)
    members = question.facts.members
    if isinstance(members, Unread):
        yield unread(
            "target accounts", members, "allow organizations:ListAccountsForParent and ListOrganizationalUnitsForParent"
        )
    elif not members:
        fix = "see Deployment.OrganizationalUnits and ExcludedAccounts in rdk.json"
        yield Check("target accounts", FAIL, "there is no account to deploy to", fix)
    elif not unknown:
        yield Check("target accounts", PASS, f"{len(members)} accounts in {len(question.regions)} Regions")


def trusted_access(question: Question) -> Iterator[Check]:
    """AWS Config and its packs by their principals; StackSets also by what CloudFormation itself says."""
    trusted = question.facts.trusted
    for principal in (CONFIG, CONFIG_PACKS):
        check = f"trusted access {principal}"
        if isinstance(trusted, Unread):
            yield unread(check, trusted, "allow organizations:ListAWSServiceAccessForOrganization")
        elif principal in trusted:
            yield Check(check, PASS, "enabled")
        else:
            command = f"aws organizations enable-aws-service-access --service-principal {principal}"
            yield Check(check, FAIL, f"not enabled; {PRINCIPALS[principal]} need it", f"management account: {command}")
    yield _stack_sets_access(question.facts.stack_sets_access, trusted)


def _stack_sets_access(access: Read[str], trusted: Read[frozenset[str]]) -> Check:
    check = f"trusted access {STACK_SETS}"
    fix = "management account: aws cloudformation activate-organizations-access"
    if isinstance(access, Unread):
        return unread(check, access, "allow cloudformation:DescribeOrganizationsAccess")
    if access != "ENABLED":
        return Check(check, FAIL, f"CloudFormation says {access}; StackSets cannot reach the accounts", fix)
    if not isinstance(trusted, Unread) and STACK_SETS not in trusted:
        return Check(check, FAIL, "CloudFormation says ENABLED, but Organizations does not list it", fix)
    return Check(check, PASS, "enabled")


def delegated_administrators(question: Question) -> Iterator[Check]:
    for principal, use in PRINCIPALS.items():
        check = f"delegated administrator {principal}"
        known = question.facts.administrators.get(principal, Unread("not asked"))
        most = {CONFIG_PACKS: 3, STACK_SETS: 5}.get(principal)
        if isinstance(known, Unread):
            yield unread(check, known, "allow organizations:ListDelegatedAdministrators")
        elif question.administrator in known:
            yield Check(check, PASS, f"{question.administrator} is registered")
        elif most is not None and len(known) >= most:
            detail = f"{question.administrator} is not registered, and all {most} places are taken: {', '.join(sorted(known))}"
            yield Check(check, FAIL, detail, "use one of them as Accounts.delegated_admin, or deregister one")
        else:
            command = (
                "aws organizations register-delegated-administrator "
                f"--account-id {question.administrator or 'ACCOUNT'} --service-principal {principal}"
            )
            yield Check(check, FAIL, f"not registered; {use} cannot be made from it", f"management account: {command}")


def region_opt_in(question: Question) -> Iterator[Check]:
    """A Region that is on by default is on in every account; others are asked for in each."""
    own = question.facts.accounts.get(question.administrator, AccountFacts()).regions
    outcomes: dict[str, Outcome] = {}
    for region in question.regions:
        for account in dict.fromkeys((question.administrator, *question.targets)):
            state = question.facts.accounts.get(account, AccountFacts()).regions
            if not isinstance(own, Unread) and own.get(region) == "ENABLED_BY_DEFAULT":
                state = own
            outcomes[f"{account} {region}"] = _opted_in(state, region)
    if not outcomes:
        yield Check("Region opt-in", NOT_ASSESSED, "no account is known", "see target accounts")
    yield from by_places("Region opt-in", outcomes)


def _opted_in(regions: Read[Mapping[str, str]], region: str) -> Outcome:
    if isinstance(regions, Unread):
        return NOT_ASSESSED, "an opt-in Region whose state is unknown", "name a role of every account with --role-name"
    state = regions.get(region)
    if state is None:
        return FAIL, "AWS lists no such Region", "correct Regions in rdk.json"
    if state in OPTED_IN:
        return PASS, "enabled", ""
    return FAIL, f"the Region is {state}", "aws account enable-region in that account, or take the Region out of rdk.json"


def control_tower(question: Question) -> Iterator[Check]:
    check, facts = "Control Tower", question.facts
    if isinstance(facts.trusted, Unread):
        yield unread(check, facts.trusted, "allow organizations:ListAWSServiceAccessForOrganization")
        return
    if CONTROL_TOWER not in facts.trusted:
        yield Check(check, PASS, "not in use: it has no access to the organization")
        return
    if question.rdk_json.model.deployment.recorder == "create":
        detail = "a landing zone has its own recorders, and an account takes one; Deployment.Recorder is create"
        yield Check(check, FAIL, detail, "set Deployment.Recorder to existing")
        return
    zone = facts.landing_zone
    if not isinstance(zone, Unread) and zone is not None:
        if zone.status != "ACTIVE":
            fix = "wait, or mend the landing zone in Control Tower"
            yield Check(check, FAIL, f"the landing zone {zone.version} is {zone.status}", fix)
        elif zone.drift == "DRIFTED":
            yield Check(check, WARN, f"the landing zone {zone.version} has drifted", "reset the landing zone in Control Tower")
        else:
            yield Check(check, PASS, f"landing zone {zone.version}, active; its recorders are used")
        return
    detail = "in use; its recorders are used. The state of the landing zone is seen from the management account only"
    yield Check(check, WARN, detail, "look there: active, without drift, and governing every Region of rdk.json")
