"""What an exception may name: a resource, or resources that belong together by name, never a whole kind of resource.

An id stands in full. An ARN may hold wildcards in its Region and account (the entry's own lists limit those) and, for the kinds
in `NAMED`, after the first characters of the name. `*` in an ARN runs over `/` and `:` as well, so what stands before the first
wildcard has to tell the resource from its neighbours. Source: ARN formats of the service authorization reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

FIXED_CHARACTERS = 4
MAX_CHARACTERS = 768  # ComplianceResourceId, Config API reference
WILDCARD = re.compile(r"[*?]")
ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):([a-z0-9-]+):([^:]*):([^:]*):(.+)")

# Service: how the last part of its ARNs begins, before a name that people chose. Longer beginnings count first.
NAMED: dict[str, tuple[str, ...]] = {
    "cloudtrail": ("trail/",),
    "cloudwatch": ("alarm:",),
    "ecr": ("repository/",),
    "ecs": ("cluster/", "service/", "task-definition/"),
    "elasticloadbalancing": (
        "listener/app/", "listener/net/", "listener/gwy/", "loadbalancer/app/", "loadbalancer/net/", "loadbalancer/gwy/",
        "loadbalancer/",
    ),
    "events": ("rule/",),
    "firehose": ("deliverystream/",),
    "iam": ("user/", "role/aws-service-role/", "role/aws-reserved/", "role/", "group/", "policy/"),
    "lambda": ("function:",),
    "logs": ("log-group:/aws/", "log-group:"),
    "rds": ("db:", "cluster:"),
    "s3": ("",),
    "sns": ("",),
    "sqs": ("",),
    "ssm": ("document/",),
    "wafv2": ("regional/webacl/", "global/webacl/"),
}  # fmt: skip
# The same before an id that AWS drew: part of such an id means nothing, so a wildcard may only follow the whole of it.
DRAWN: dict[str, tuple[str, ...]] = {
    "apigateway": ("/restapis/", "/apis/", "/domainnames/", "/vpclinks/"),
}


def resource_fault(resource: str) -> str | None:
    """Why an exception may not name this, or None."""
    if not re.fullmatch(r"[!-~]+", resource):
        return "holds a space or a character that no id or ARN has"
    if len(resource) > MAX_CHARACTERS:
        return f"has {len(resource)} characters; an id has {MAX_CHARACTERS} at most"
    if re.search(r"[\[\]{}]", resource):
        return "the wildcards are * and ?; brackets and braces mean nothing here"
    if not resource.lower().startswith("arn:"):
        if WILDCARD.search(resource):
            return (
                "is an id with a wildcard; write the id in full, or the ARN (in which wildcards may follow a name's beginning)"
            )
        return None
    match = ARN.fullmatch(resource)
    if not match:
        return "is no ARN; expected arn:aws:service:region:account:resource, partition and service without wildcards"
    _, service, region, account, name = match.groups()
    if region not in ("", "*") and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", region):
        return f"the ARN's Region {region!r} is neither a Region nor *"
    if account not in ("", "*") and not re.fullmatch(r"[0-9]{12}", account):
        return f"the ARN's account {account!r} is neither an account id nor *"
    return _name_fault(service, name) if WILDCARD.search(name) else None


def _name_fault(service: str, name: str) -> str | None:
    fixed = WILDCARD.split(name, maxsplit=1)[0]
    for beginning in sorted(DRAWN.get(service, ()), key=len, reverse=True):
        if fixed.startswith(beginning):
            if "/" in fixed[len(beginning) :].lstrip("/"):
                return None
            return "matches nearly everything: AWS drew this id, so write it in full before the first wildcard"
    for beginning in sorted(NAMED.get(service, ()), key=len, reverse=True):
        if fixed.startswith(beginning):
            own = fixed[len(beginning) :].lstrip("/:")
            if len(own) >= FIXED_CHARACTERS or re.search("[/:]", own):
                return None
            return (
                f"matches nearly everything: at least {FIXED_CHARACTERS} characters of the name have to stand before the first"
                " wildcard"
            )
    return f"wildcards are not known for this kind of {service} ARN; write it in full"


def contradictions(resource: str, accounts: Sequence[str], regions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(field, why) of every account and Region in which the resource cannot be: that part of the entry would never work."""
    match = ARN.fullmatch(resource)
    if match:
        owner, place = match[4], match[3]
    else:  # account rules report the account's id
        owner, place = (resource if re.fullmatch("[0-9]{12}", resource) else ""), ""
    for field, named, listed in (("accounts", owner, accounts), ("regions", place, regions)):
        if named not in ("", "*"):
            for value in listed:
                if value != named:
                    yield field, f"{value!r} has no effect: the resource is in {named}"
            if named not in listed:
                yield "resource", f"{resource!r} is in {named}, which {field} does not list"
