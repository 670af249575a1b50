"""The questions of `pci-config init`: each field of rdk.json that an organization decides, explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Answer = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One field: its place in rdk.json, the option that answers it, what to ask and what it is for."""

    place: str
    option: str
    ask: str
    explanation: str
    many: bool = False
    needed: bool = False


QUESTIONS: tuple[Question, ...] = (
    Question("Organization", "--organization", "Name of the organization", "A name for reports; nothing depends on it."),
    Question(
        "Regions",
        "--regions",
        "Regions, separated by commas",
        "Where you have anything at all. Rules, documents and packs run in each, and AWS Config must record there. "
        "CloudFront's distributions are recorded in us-east-1 only, so list it if you have any.",
        many=True,
        needed=True,
    ),
    Question(
        "HomeRegion",
        "--home-region",
        "Home Region",
        "The one of these Regions where rules on IAM and the account itself run, and where the aggregator and roles are made.",
        needed=True,
    ),
    Question("Accounts.management", "--management", "Management account", "The account that owns the organization."),
    Question(
        "Accounts.delegated_admin",
        "--delegated-admin",
        "Delegated administrator",
        "Everything is deployed from this account, and the aggregator is in it; with Control Tower take the audit account.",
        needed=True,
    ),
    Question(
        "Accounts.log_archive",
        "--log-archive",
        "Account of the log archive",
        "Holds the central log buckets. Rules take a log for delivered only when it ends in a bucket of this account.",
        needed=True,
    ),
    Question(
        "Accounts.identity",
        "--identity",
        "Identity accounts",
        "The only accounts where people may be IAM users. Other accounts' roles may trust them.",
        many=True,
    ),
    Question(
        "Accounts.identity_production",
        "--identity-production",
        "Identity accounts for production",
        "Where people sign in who reach production; the only accounts that production's roles may trust.",
        many=True,
    ),
    Question(
        "Accounts.production",
        "--production",
        "Production accounts",
        "Kept apart from staging and development (PCI DSS 6.5.3): rules look at roles, peerings and tags between them.",
        many=True,
    ),
    Question("Accounts.staging", "--staging", "Staging accounts", "As above: no path to production may exist.", many=True),
    Question(
        "Accounts.development", "--development", "Development accounts", "As above: no path to production may exist.", many=True
    ),
    Question(
        "LogArchive.Buckets",
        "--archive-buckets",
        "Names of the archive's buckets, or patterns such as acme-logs-*",
        "Central log buckets; rules compare destinations of logs with these names.",
        many=True,
        needed=True,
    ),
    Question(
        "Remediation.EvidenceBucket",
        "--evidence-bucket",
        "Evidence bucket",
        "Versioned bucket for the states before and after each fix. None: fixes run as dry runs only.",
    ),
    Question(
        "Deployment.OrganizationalUnits",
        "--units",
        "Organizational units to deploy to",
        "The root (r-…) or units (ou-…), with all that is below them. None: the whole organization.",
        many=True,
    ),
    Question(
        "Deployment.ExcludedAccounts",
        "--excluded",
        "Accounts left out",
        "They get neither stacks nor packs, and so are not judged: a sandbox without any path to card data, for example.",
        many=True,
    ),
    Question(
        "Deployment.Recorder",
        "--recorder",
        "Recorder: existing or create",
        "existing: AWS Config records in every account already (Control Tower does that). create: it is deployed too.",
    ),
    Question(
        "Deployment.Aggregator",
        "--aggregator",
        "Name of an existing aggregator",
        "An aggregator of the whole organization in the home Region. None: one is made.",
    ),
    Question("Deployment.AlarmEmail", "--alarm-email", "E-mail address for alarms", "Told when the rules' function fails."),
)
BY_PLACE: Mapping[str, Question] = {question.place: question for question in QUESTIONS}
