"""`rdk.json`, the one settings file, validated in full. Every error names file, field, value and what is expected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from pci_config.recorded_types import CLOUDFRONT_REGION
from pci_config.settings import Settings, parse_ports


class SettingsError(Exception):
    """rdk.json cannot be used; `problems` has one line for each field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _port_range(text: str) -> str:
    try:
        parse_ports(text)
    except ValueError:
        raise ValueError('a port ("443"), a range ("1024-65535") or "all"') from None
    return text


def _role_pattern(text: str) -> str:
    reserved = text.startswith("aws-reserved/")
    if not re.fullmatch(r"[\w+=,.@/-]{4}[\w+=,.@/*?-]*", text) or (
        reserved and not re.search(r"AWSReservedSSO_[\w+=,.@-]{3}", text)
    ):
        raise ValueError(
            "a role's name, or a pattern that begins with 4 characters of it; AWSReservedSSO_NAME for a permission set's role"
        )
    return text


Role = Literal[
    "management", "delegated_admin", "log_archive", "identity", "identity_production", "production", "staging", "development"
]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
AccountIds = Annotated[
    list[AccountId], Field(min_length=1), BeforeValidator(_as_list, json_schema_input_type=AccountId | list[AccountId])
]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
BucketPattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.*?-]{3,63}$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
TopicArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:sns:([a-z0-9-]+|\$\{AWS::Region\}):([0-9]{12}|\$\{AWS::AccountId\}):[A-Za-z0-9_-]{1,128}$"
    ),
]
DESTINATION = (  # of fixes: a bucket, or where its name does not say enough, an ARN
    r"^(([a-z0-9.-]|\$\{AWS::(Region|AccountId)\}){3,128}"
    r"|arn:(aws[a-z-]*|\$\{AWS::Partition\}):(s3|firehose|logs|iam):([A-Za-z0-9:/_.-]|\$\{AWS::(Region|AccountId)\}){8,180})$"
)
Destination = Annotated[str, StringConstraints(pattern=DESTINATION)]
# the account must be spelled out: a pattern may not vouch for everybody's destinations
DestinationArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:(logs|firehose|kinesis|lambda):[a-z0-9*-]+:[0-9]{12}:.{4,}$")
]
RolePattern = Annotated[str, AfterValidator(_role_pattern)]
Protocol = Annotated[str, StringConstraints(pattern=r"^(-1|tcp|udp|icmp|icmpv6|[0-9]{1,3})$")]
Ports = Annotated[str, AfterValidator(_port_range)]
# a CIDR, vpc, self, internet, tier:NAME or a prefix list id; the addresses themselves are checked by pci_config.network
Peer = Annotated[
    str,
    StringConstraints(
        pattern=r"^(vpc|self|internet|tier:[a-z0-9-]+|pl-[0-9a-f]+|[0-9.]+/[0-9]{1,2}|[0-9a-fA-F:]+/[0-9]{1,3})$"
    ),
]
TierName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^PCI(_[A-Z0-9]+)+$")]
OrganizationalUnit = Annotated[str, StringConstraints(pattern=r"^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$")]
Percentage = Annotated[int, Field(ge=0, le=100)]
DocumentValue = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ManagedRuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+(_[A-Z0-9]+)*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class FlowModel(_Strict):
    """Traffic a tier allows."""

    protocol: Protocol = Field(alias="Protocol")
    ports: Ports = Field(alias="Ports")
    peers: Annotated[list[Peer], Field(alias="Peers", min_length=1)]


class TierModel(_Strict):
    ingress: list[FlowModel] = Field(alias="Ingress")
    egress: list[FlowModel] = Field(alias="Egress")


class LogArchiveModel(_Strict):
    """Where audit logs end: the account and its buckets, as names or shell-style patterns."""

    account: AccountId = Field(alias="Account")
    buckets: Annotated[list[BucketPattern], Field(alias="Buckets", min_length=1)]
    regions: list[Region] = Field(alias="Regions", default=[])
    trusted_destinations: list[DestinationArn] = Field(
        alias="TrustedDestinations",
        default=[],
        description="ARNs or patterns of destinations (of another account, or Kinesis) that are known to end in the archive.",
    )
    destinations: dict[
        Literal["LoadBalancer", "Trail", "FlowLog", "WebAcl", "Api", "Database", "SubscriptionRole"], Destination
    ] = Field(
        alias="Destinations",
        default={},
        description="Where fixes send logs: a bucket (LoadBalancer, Trail, FlowLog), the ARN of a bucket or stream (WebAcl, "
        "Api, Database); SubscriptionRole: with which CloudWatch Logs puts into the stream. ${AWS::Region} is filled in.",
    )


class RuleRemediationModel(_Strict):
    """How the fix of one rule is started. `pci_config.automatic` checks it against the rule itself."""

    mode: Literal["manual", "automatic"] = Field(
        alias="Mode", default="manual", description="automatic: AWS Config starts the document by itself, and not as a dry run."
    )
    maximum_automatic_attempts: Annotated[int, Field(strict=True, ge=1, le=3)] | None = Field(
        alias="MaximumAutomaticAttempts",
        default=None,
        description="After so many automatic attempts on a resource within RetryAttemptSeconds AWS Config gives up.",
    )
    retry_attempt_seconds: Annotated[int, Field(strict=True, ge=3600, le=2_678_000)] | None = Field(
        alias="RetryAttemptSeconds",
        default=None,
        description="An hour at least: attempts on a resource that something else changes back would not add up in less.",
    )
    parameters: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,50}$")], DocumentValue] = Field(
        alias="Parameters", default={}, description="Parameters of the document, in place of those in the rule's folder."
    )
    approver: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        alias="Approver", default=None, description="Who approves a run of this rule's fix; a plan says so."
    )
    understood: RuleId | None = Field(
        alias="IUnderstandThisCanCutTraffic",
        default=None,
        description="The rule's own name: a written opt-in to an automatic fix that can cut traffic, access or data.",
    )


class RemediationModel(_Strict):
    """`EvidenceBucket` (versioned) receives the states before and after each fix. No bucket: only dry runs are possible."""

    evidence_bucket: BucketName | None = Field(alias="EvidenceBucket", default=None)
    approver: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        alias="Approver", default=None, description="Who approves runs of fixes where a rule has no approver of its own."
    )
    alert_topic: TopicArn | None = Field(
        alias="AlertTopic",
        default=None,
        description="SNS topic that alarms on network changes tell; ${AWS::Region} and ${AWS::AccountId} are filled in.",
    )
    rules: dict[RuleId, RuleRemediationModel] = Field(alias="Rules", default={})


class ProtectionModel(_Strict):
    """Roles that the service control policy lets through, as names or patterns, with their path if they have one."""

    deployers: Annotated[list[RolePattern], Field(min_length=1)] = Field(
        alias="Deployers",
        default=["stacksets-exec-*"],
        description="They change what pci-config deploys. stacksets-exec-*: StackSets of service-managed permissions.",
    )
    operators: list[RolePattern] = Field(
        alias="Operators", default=[], description="They start fixes and restores by hand, and turn the switch."
    )


class DeploymentModel(_Strict):
    """How `pci-config deploy` reaches the organization's accounts."""

    organizational_units: list[OrganizationalUnit] = Field(
        alias="OrganizationalUnits", default=[], description="Root (r-…) or units (ou-…) to deploy to; none: the root."
    )
    excluded_accounts: list[AccountId] = Field(
        alias="ExcludedAccounts", default=[], max_length=1000, description="Accounts that get neither stacks nor packs."
    )
    management_account: bool = Field(
        alias="ManagementAccount",
        default=False,
        description="true: the management account has stacks of its own and gets the packs; false: it is excluded.",
    )
    failure_tolerance_percentage: Percentage = Field(
        alias="FailureTolerancePercentage",
        default=10,
        description="Share of accounts in a Region that may fail before a rollout stops.",
    )
    max_concurrent_percentage: Annotated[int, Field(ge=1, le=100)] = Field(
        alias="MaxConcurrentPercentage", default=25, description="Share of accounts in a Region that change at one time."
    )
    recorder: Literal["existing", "create"] = Field(
        alias="Recorder", default="existing", description="create: the configuration recorder is deployed as well."
    )
    packs: Literal["organization", "stackset"] = Field(
        alias="Packs",
        default="organization",
        description="organization: packs of every account; stackset: packs of the accounts of OrganizationalUnits only.",
    )
    alarm_email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        alias="AlarmEmail", default=None, description="Receives alarms; it has to be confirmed by a mail from AWS."
    )
    aggregator: Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=256)] | None = Field(
        alias="Aggregator", default=None, description="An aggregator that is there already; none: one is made."
    )


class RdkJsonModel(_Strict):
    """The content of rdk.json."""

    json_schema: str | None = Field(alias="$schema", default=None)
    organization: str = Field(alias="Organization", default="", description="A name for reports.")
    home_region: Region = Field(alias="HomeRegion", description="The one Region in which rules on global resources run.")
    regions: Annotated[list[Region], Field(alias="Regions", min_length=1)]
    accounts: dict[Role, AccountIds] = Field(alias="Accounts")
    log_archive: LogArchiveModel = Field(alias="LogArchive")
    network_tiers: dict[TierName, TierModel] = Field(alias="NetworkTiers", default={})
    rule_parameters: dict[RuleId, dict[str, str]] = Field(alias="RuleParameters", default={})
    managed_rules: dict[ManagedRuleId, dict[str, str]] = Field(alias="ManagedRules", default={})
    remediation: RemediationModel = Field(alias="Remediation", default=RemediationModel())
    protection: ProtectionModel = Field(alias="Protection", default=ProtectionModel())
    deployment: DeploymentModel = Field(alias="Deployment", default=DeploymentModel())


class RdkJson:
    """A validated settings file."""

    def __init__(self, path: Path, model: RdkJsonModel, document: dict[str, Any]) -> None:
        self.path = path
        self.model = model
        self.document = document
        self.settings = Settings.from_mapping(document)
        self.rule_parameters = model.rule_parameters
        self.managed_rules = model.managed_rules
        self.evidence_bucket = model.remediation.evidence_bucket
        self.remediation = model.remediation

    @classmethod
    def load(cls, path: Path) -> RdkJson:
        """Read and validate. Raises SettingsError; a missing file is one as well."""
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise SettingsError([f"{path}: cannot be read ({error.strerror or error})"]) from None
        except UnicodeDecodeError as error:
            raise SettingsError([f"{path}: is not UTF-8 text (byte {error.start})"]) from None
        try:
            document = json.loads(text, object_pairs_hook=_no_duplicates)
        except json.JSONDecodeError as error:
            raise SettingsError([f"{path}: line {error.lineno}, column {error.colno}: {error.msg}"]) from None
        except _DuplicateKeyError as error:
            raise SettingsError([f"{path}: {error.args[0]!r} stands twice in one object; keep one"]) from None
        try:
            model = RdkJsonModel.model_validate(document)
        except ValidationError as error:
            raise SettingsError([_problem(path, detail) for detail in error.errors()]) from None
        problems = [f"{path}: {problem}" for problem in _contradictions(model)]
        if problems:
            raise SettingsError(problems)
        return cls(path, model, document)

    def warnings(self) -> list[str]:
        """What is valid, and yet leaves something unseen: one line each."""
        elsewhere = all(region.startswith(("cn-", "us-gov-")) for region in self.settings.regions)  # other partitions
        if CLOUDFRONT_REGION not in self.settings.regions and not elsewhere:
            missing = (
                f"{self.path}: Regions: {CLOUDFRONT_REGION} is missing: Config records CloudFront distributions only there"
            )
            return [f"{missing}, so no rule on them judges anything; add it, or have none"]
        return []

    def account_roles(self) -> dict[str, str]:
        """Account id to its (first) role."""
        return {account: role for role, accounts in reversed(list(self.settings.accounts.items())) for account in accounts}


class _DuplicateKeyError(Exception):
    pass


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DuplicateKeyError(key)
        result[key] = value
    return result


def _contradictions(model: RdkJsonModel) -> list[str]:
    problems = []
    if model.home_region not in model.regions:
        problems.append(f"HomeRegion: {model.home_region!r} is not among Regions; expected one of {', '.join(model.regions)}")
    for tier_name, tier in model.network_tiers.items():
        for direction, flows in (("Ingress", tier.ingress), ("Egress", tier.egress)):
            for position, flow in enumerate(flows):
                for peer in flow.peers:
                    named = peer.removeprefix("tier:")
                    if peer.startswith("tier:") and named not in model.network_tiers:
                        where = f"NetworkTiers.{tier_name}.{direction}.{position}.Peers"
                        problems.append(f"{where}: {peer!r} names no tier; expected one of {', '.join(model.network_tiers)}")
    return problems


_EXPECTED = {
    "extra_forbidden": "no such field: remove it or correct its name",
    "missing": "required, but not there",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "too_short": "at least one entry",
    "int_type": "a whole number",
    "string_too_short": "text that is not empty",
}
_PATTERNS = {
    "^[0-9]{12}$": "an account id of 12 digits",
    r"^[a-z]{2}(-[a-z]+)+-[0-9]$": "a Region such as eu-west-1",
    r"^[a-z0-9.*?-]{3,63}$": "a bucket name or a pattern with * and ?",
    r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$": "a bucket name",
    DESTINATION: "a bucket name or an ARN, ${AWS::Region}, ${AWS::AccountId} and (ARN) ${AWS::Partition} allowed in it",
    r"^(-1|tcp|udp|icmp|icmpv6|[0-9]{1,3})$": "tcp, udp, icmp, icmpv6, a protocol number or -1",
    r"^[A-Za-z0-9]{1,50}$": "the name of a document's parameter",
    r"^arn:aws[a-z-]*:sns:([a-z0-9-]+|\$\{AWS::Region\}):([0-9]{12}|\$\{AWS::AccountId\}):[A-Za-z0-9_-]{1,128}$": (
        "the ARN of an SNS topic, ${AWS::Region} and ${AWS::AccountId} allowed in it"
    ),
    r"^[a-z0-9][a-z0-9-]*$": "a tier name of lower-case letters, digits and hyphens",
    r"^PCI(_[A-Z0-9]+)+$": "a rule id such as PCI_LISTENER_TLS_ONLY",
    r"^[A-Z0-9]+(_[A-Z0-9]+)*$": "a managed rule id such as ACCESS_KEYS_ROTATED",
    r"^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$": "the root (r-…) or an organizational unit (ou-…)",
    r"^[^@\s]+@[^@\s]+$": "an e-mail address",
    r"^[\w-]+$": "an aggregator's name",
}


def _problem(path: Path, detail: ErrorDetails) -> str:
    field = ".".join(str(step) for step in detail["loc"] if step != "[key]")
    kind = detail["type"]
    if kind == "string_pattern_mismatch":
        pattern = detail["ctx"]["pattern"]
        expected = _PATTERNS.get(
            pattern, "a CIDR, vpc, self, internet, tier:NAME or pl-…" if "internet" in pattern else pattern
        )
    elif kind == "literal_error":
        expected = "one of " + ", ".join(get_args(Role)) if detail["loc"][0] == "Accounts" else detail["ctx"]["expected"]
    elif kind == "greater_than_equal":
        expected = f"{detail['ctx']['ge']} or more"
    elif kind == "less_than_equal":
        expected = f"{detail['ctx']['le']} or less"
    elif kind == "value_error":
        expected = str(detail["ctx"]["error"])
    else:
        expected = _EXPECTED.get(kind, detail["msg"])
    value = detail["input"]
    shown = f"{value!r} " if isinstance(value, (str, int, float, bool)) or value is None else ""
    if kind in ("missing", "extra_forbidden"):
        return f"{path}: {field}: {expected}"
    return f"{path}: {field or 'the file'}: {shown}is not valid; expected {expected}"


def json_schema() -> dict[str, Any]:
    """The JSON schema of rdk.json, for editors; written to docs/schemas/rdk.schema.json by `pci-config build`."""
    schema = RdkJsonModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Settings of pci-config (rdk.json)"}
