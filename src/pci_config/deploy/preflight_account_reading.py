"""What `pci-config preflight` reads inside one account: its recorder, what it has of everything that has a quota, our names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from pci_config.configuration_recorder import recorder_state
from pci_config.deploy.preflight_facts import AccountFacts, Named, PlaceFacts, Read, T, Unread
from pci_config.org_names import GLOBAL_PACK, PREFIX, REGIONAL_PACK, TAG, TAG_VALUE
from pci_config.org_templates import FUNCTION_ROLE
from pci_config.pack import FUNCTION_NAME

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403")
RULE_PREFIX, DOCUMENT_PREFIX = "PCI_", "PciConfig-"
MEMBER_PACKS = tuple(f"OrgConformsPack-{pack}-" for pack in (REGIONAL_PACK, GLOBAL_PACK))
LONGEST_REASON = 220
OUR_STACKS = (PREFIX, f"StackSet-{PREFIX}")
# Stacks that are gone or on their way count no more against the quota.
LIVE_STACKS = (
    "CREATE_COMPLETE", "CREATE_FAILED", "CREATE_IN_PROGRESS", "DELETE_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS",
)  # fmt: skip
MEMBER_ACTIONS = (
    "account:ListRegions",
    "cloudformation:DescribeAccountLimits",
    "cloudformation:ListStacks",
    "config:DescribeConfigRules",
    "config:DescribeConfigurationRecorderStatus",
    "config:DescribeConfigurationRecorders",
    "config:DescribeConformancePacks",
    "config:DescribeDeliveryChannelStatus",
    "config:DescribeDeliveryChannels",
    "config:DescribeRetentionConfigurations",
    "iam:GetAccountSummary",
    "iam:GetRole",
    "lambda:GetAccountSettings",
    "lambda:GetFunction",
    "ssm:ListDocuments",
)


class Clients(Protocol):
    def build_client(self, service: str, region: str | None = None) -> Any: ...


def attempt(work: Callable[[], T]) -> Read[T]:
    """The answer, or the reason why there is none."""
    try:
        return work()
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        return Unread(reason_of(error))


def account_facts(clients: Clients, home: str) -> AccountFacts:
    iam = clients.build_client("iam", home)

    def roles() -> tuple[int, int]:
        summary = iam.get_account_summary()["SummaryMap"]
        return int(summary["Roles"]), int(summary["RolesQuota"])

    listed = clients.build_client("account", home).list_regions
    regions: Read[Mapping[str, str]] = attempt(
        lambda: {str(each["RegionName"]): str(each["RegionOptStatus"]) for each in pages(listed, "Regions")}
    )
    return AccountFacts(regions, attempt(roles), _tagged_thing("role", FUNCTION_ROLE, lambda: _role_tags(iam)))


def place_facts(clients: Clients, region: str) -> PlaceFacts:
    config, ssm = clients.build_client("config", region), clients.build_client("ssm", region)
    cloudformation, functions = clients.build_client("cloudformation", region), clients.build_client("lambda", region)
    stacks = attempt(
        lambda: [
            str(stack["StackName"])
            for stack in pages(cloudformation.list_stacks, "StackSummaries", StackStatusFilter=list(LIVE_STACKS))
        ]
    )

    def stack_limit() -> Read[int]:
        limits = pages(cloudformation.describe_account_limits, "AccountLimits")
        found = [int(limit["Value"]) for limit in limits if limit["Name"] == "StackLimit"]
        return found[0] if found else Unread("CloudFormation tells no StackLimit")

    limit = attempt(stack_limit)
    return PlaceFacts(
        recorder=attempt(lambda: recorder_state(config)),
        rules=_others(lambda: pages(config.describe_config_rules, "ConfigRules"), "ConfigRuleName", RULE_PREFIX),
        packs=_others(
            lambda: pages(config.describe_conformance_packs, "ConformancePackDetails"),
            "ConformancePackName",
            *MEMBER_PACKS,
            REGIONAL_PACK,
        ),
        documents=_others(
            lambda: pages(ssm.list_documents, "DocumentIdentifiers", Filters=[{"Key": "Owner", "Values": ["Self"]}]),
            "Name",
            DOCUMENT_PREFIX,
        ),
        stacks=stacks if isinstance(stacks, Unread) else sum(not name.startswith(OUR_STACKS) for name in stacks),
        stack_limit=limit,
        concurrency=attempt(lambda: int(functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])),
        function=_tagged_thing(
            "function", FUNCTION_NAME, lambda: functions.get_function(FunctionName=FUNCTION_NAME).get("Tags") or {}
        ),
    )


def _others(listed: Callable[[], Iterator[Mapping[str, Any]]], member: str, *ours: str) -> Read[int]:
    return attempt(lambda: sum(not str(each[member]).startswith(ours) for each in listed()))


def _tagged_thing(what: str, name: str, tags: Callable[[], Mapping[str, str]]) -> Read[Named | None]:
    try:
        return Named(what, name, tags().get(TAG) == TAG_VALUE)
    except ClientError as error:
        return None if code_of(error) in ("NoSuchEntity", "ResourceNotFoundException") else Unread(reason_of(error))
    except BotoCoreError as error:
        return Unread(reason_of(error))


def _role_tags(iam: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in iam.get_role(RoleName=FUNCTION_ROLE)["Role"].get("Tags") or []}


def tagged(tags: Sequence[Mapping[str, str]] | None) -> bool:
    return any(tag.get("Key") == TAG and tag.get("Value") == TAG_VALUE for tag in tags or ())


def pages(call: Any, member: str, **request: Any) -> Iterator[Mapping[str, Any]]:
    """Every entry of a paged answer."""
    token: dict[str, str] = {}
    while True:
        answer = call(**request, **token)
        yield from answer.get(member) or []
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def reason_of(error: Exception) -> str:
    """Short, and alike for all accounts: a refusal's message names the account, its code says enough."""
    if isinstance(error, ClientError) and code_of(error) in DENIED:
        return f"{error.operation_name}: {code_of(error)}"
    return str(error)[:LONGEST_REASON]
