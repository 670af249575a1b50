"""What the policy of an archive bucket lets whom do: log services and the organization write, nobody changes anything.

Sources: Amazon S3 user guide, "Bucket policies" and Object Lock; Elastic Load Balancing, CloudTrail, CloudWatch Logs and AWS
Config user guides (the statements that each service asks for); IAM user guide, the confused deputy problem and global condition
keys. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pci_config.iam_policy import Opening, Policy, Principal

ANY_PRINCIPAL = Principal("AWS", "*")  # IAM user guide: in a resource policy the same as "*"
PLAIN_HTTP = {"aws:securetransport": "false"}
WRITING = ("s3:PutObject", "s3:ReplicateObject")
READING = ("s3:GetObject", "s3:GetObjectVersion")
# Each lets its holder remove a log, or what protects it: done to objects, done to the bucket
CHANGING_OBJECTS = (
    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateDelete"),
    *("s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold"),
)
CHANGING_BUCKET = (
    *("s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls"),
    *("s3:PutLifecycleConfiguration", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration"),
    *("s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration", "s3:PutReplicationConfiguration"),
)
LOG_SERVICES = (
    "cloudtrail.amazonaws.com",
    "config.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "logdelivery.elasticloadbalancing.amazonaws.com",
    "logdelivery.elb.amazonaws.com",
    "logging.s3.amazonaws.com",
    "logs.amazonaws.com",
)
# They name the load balancer's account in the path of every object, after a prefix that cannot contain AWSLogs
BALANCER_SERVICES = ("logdelivery.elasticloadbalancing.amazonaws.com", "logdelivery.elb.amazonaws.com")
# Elastic Load Balancing's own accounts in Regions older than August 2022, Application Load Balancers guide
BALANCER_ACCOUNTS = frozenset(
    {
        *("127311923021", "033677994240", "027434742980", "797873946194", "098369216593", "754344448648", "589379963580"),
        *("718504428378", "383597477331", "600734575887", "114774131450", "783225319266", "582318560864", "985666609251"),
        *("054676820928", "156460612806", "652711504416", "635631232127", "009996457667", "897822967062", "076674570225"),
        *("507241528517", "048591011584", "190560391635"),
    }
)
_OWN_PATH = re.compile(r"arn:[a-z-]+:s3:::[^/*?$]+/(?:[^*?$]*/)?AWSLogs/([0-9]{12})/.*")
_ORGANIZATION_KEYS = ("aws:SourceOrgID", "aws:PrincipalOrgID", "aws:SourceOrgPaths", "aws:PrincipalOrgPaths")


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose archive it is: the account that holds the bucket, the accounts and the ids of the organization."""

    archive: str
    accounts: frozenset[str]
    organizations: frozenset[str]
    log_services: tuple[str, ...] = LOG_SERVICES


@dataclass(frozen=True, slots=True)
class Places:
    """The ARNs of a bucket and of all its objects."""

    bucket: str

    @property
    def objects(self) -> str:
        return f"{self.bucket}/*"


def names_organization(policy: Policy) -> bool:
    """Whether some Allow rests on an organization's id, so that one has to know which is the own."""
    return any(s.demanded(key) for s in policy.statements if s.allows for key in _ORGANIZATION_KEYS)


def accepts_plain_http(policy: Policy, places: Places) -> str | None:
    """What is reachable without TLS: 'the bucket', 'objects' or both; None when a Deny refuses everyone everything."""
    parts = {"the bucket": places.bucket, "objects": places.objects}
    denied = [policy.denied(ANY_PRINCIPAL, "s3:*", resource, PLAIN_HTTP) for resource in parts.values()]
    return " and ".join(part for part, refused in zip(parts, denied, strict=True) if not refused) or None


def changers(policy: Policy, places: Places, owners: Owners) -> list[str]:
    """Who outside the archive account may remove logs or their protection, with the action."""
    found = [
        *policy.openings(*CHANGING_OBJECTS, resource=places.objects),
        *policy.openings(*CHANGING_BUCKET, resource=places.bucket),
    ]
    return _told(opening for opening in found if not _from(opening, frozenset({owners.archive})))


def writers(policy: Policy, places: Places, owners: Owners) -> list[str]:
    """Who may write besides log services that act for the organization, and the organization itself."""
    return _told(opening for opening in policy.openings(*WRITING, resource=places.objects) if not _may_write(opening, owners))


def readers(policy: Policy, places: Places, owners: Owners) -> list[str]:
    """Who may read besides the archive account and roles that the policy names in accounts of the organization."""
    return _told(opening for opening in policy.openings(*READING, resource=places.objects) if not _may_read(opening, owners))


def _may_write(opening: Opening, owners: Owners) -> bool:
    principal = opening.principal
    if principal.kind == "Service" and not is_log_service(principal.value, owners.log_services):
        return False
    if principal.kind in ("Federated", "CanonicalUser"):
        return False
    if _from(opening, owners.accounts) or _of_organization(opening, owners):
        return True
    balancer = principal.value in BALANCER_SERVICES or (principal.entity == "account" and principal.value in BALANCER_ACCOUNTS)
    return balancer and opening.action == "s3:PutObject" and _own_paths(opening, owners)


def _may_read(opening: Opening, owners: Owners) -> bool:
    if opening.principal.kind in ("Service", "Federated", "CanonicalUser"):
        return False
    if _from(opening, frozenset({owners.archive})):
        return True
    named = opening.principal.entity in ("role", "user") or opening.statement.demanded("aws:PrincipalArn")
    return bool(named) and _from(opening, owners.accounts)


def is_log_service(name: str, log_services: Collection[str]) -> bool:
    """CloudWatch Logs exports under a name of its Region, too: logs.eu-west-1.amazonaws.com."""
    general = re.sub(r"^logs\.[a-z]{2}(-[a-z]+)+-[0-9]\.", "logs.", name)
    return name in log_services or general in log_services


def _from(opening: Opening, accounts: frozenset[str]) -> bool:
    found = opening.origins()
    return found is not None and found <= accounts


def _of_organization(opening: Opening, owners: Owners) -> bool:
    """Whether a condition holds the request to the own organization: by its id, or by paths that begin with it."""
    for key in _ORGANIZATION_KEYS:
        values = opening.statement.demanded(key)
        if values and all(value.split("/")[0] in owners.organizations for value in values):
            return True
    return False


def _own_paths(opening: Opening, owners: Owners) -> bool:
    """Whether the statement reaches only objects below AWSLogs/<account> of the organization's accounts."""
    if opening.statement.resources is None or opening.statement.resources[1]:
        return False
    found = [_OWN_PATH.fullmatch(resource) for resource in opening.statement.resources[0]]
    return all(match is not None and match[1] in owners.accounts for match in found)


def _told(openings: Iterable[Opening]) -> list[str]:
    """One text for each principal, with the first of its actions and how many more."""
    actions: dict[str, list[str]] = {}
    for opening in openings:
        listed = actions.setdefault(_who(opening), [])
        if opening.action not in listed:
            listed.append(opening.action)
    return [
        f"{who} may {listed[0]}" + (f" and {len(listed) - 1} more" if len(listed) > 1 else "")
        for who, listed in actions.items()
    ]


def _who(opening: Opening) -> str:
    limits = opening.statement.demanded("aws:PrincipalOrgID") if opening.principal.entity == "anyone" else None
    return f"{opening.principal} in {' or '.join(limits)}" if limits else str(opening.principal)
