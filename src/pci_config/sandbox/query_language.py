"""The part of AWS Config's query language that assessments send: named members of items of some types and accounts.

    SELECT member [, member …] WHERE member = 'x' [AND member IN ('x', 'y') …]

Only members at the top of an item; conditions on resourceType, resourceId, accountId and awsRegion. The rest is refused.
Results are encoded as AWS encodes them: every number a float, nulls left out, some plain values as `{"value": x}`, tags as a
list. Sources: AWS Config developer guide, query components; aws-config-resource-schema; recorded results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 4096
SCALARS = {
    "version": "configurationItemVersion",
    "accountId": "awsAccountId",
    "awsRegion": "awsRegion",
    "availabilityZone": "availabilityZone",
    "resourceType": "resourceType",
    "resourceId": "resourceId",
    "resourceName": "resourceName",
    "arn": "ARN",
    "resourceCreationTime": "resourceCreationTime",
    "configurationItemCaptureTime": "configurationItemCaptureTime",
    "configurationItemStatus": "configurationItemStatus",
    "configurationStateId": "configurationStateId",
}
OBJECTS = ("tags", "relationships", "configuration", "supplementaryConfiguration")
CONDITIONS = ("resourceType", "resourceId", "accountId", "awsRegion")
# properties of the schema that end in `.value` without a sibling: type -> paths
WRAPPED = {
    "AWS::EC2::Subnet": ("configuration.state",),
    "AWS::EC2::VPC": ("configuration.state",),
    "AWS::EC2::Volume": ("configuration.state",),
    "AWS::ElasticLoadBalancing::LoadBalancer": (
        "configuration.availabilityZones",
        "configuration.securityGroups",
        "configuration.subnets",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("configuration.securityGroups",),
    "AWS::Lambda::Function": ("configuration.state", "configuration.stateReason"),
    "AWS::RDS::DBCluster": ("configuration.availabilityZones", "configuration.endpoint"),
}


class QueryRefusedError(Exception):
    """The expression is none, or says more than the sandbox understands; the message says what."""


@dataclass(frozen=True)
class Query:
    """What to give of which items. `wanted`: member to accepted values, all of which must hold."""

    members: tuple[str, ...]
    wanted: tuple[tuple[str, tuple[str, ...]], ...]

    def selects(self, item: Mapping[str, Any]) -> bool:
        return all(item[SCALARS[member]] in values for member, values in self.wanted)

    def result(self, item: Mapping[str, Any]) -> str:
        """The item as a row."""
        row: dict[str, Any] = {}
        for member in self.members:
            if member == "tags":
                row[member] = [{"key": k, "value": v, "tag": f"{k}={v}"} for k, v in (item["tags"] or {}).items()]
            elif member == "relationships":
                names = ("resourceId", "resourceName", "resourceType")
                row[member] = [{name: entry[name] for name in names if entry[name]} for entry in item["relationships"]]
            elif member in OBJECTS:
                row[member] = encoded(item[member], member, WRAPPED.get(item["resourceType"], ()))
            elif item[SCALARS[member]] is not None:
                value = item[SCALARS[member]]
                row[member] = str(value) if member == "configurationStateId" else value
        return json.dumps(row, separators=(",", ":"))


_QUERY = re.compile(r"\s*SELECT\s+(?P<members>.+?)\s+WHERE\s+(?P<conditions>.+?)\s*", re.IGNORECASE | re.DOTALL)
_CONDITION = re.compile(
    r"(?P<member>[\w.]+)\s*(?:=\s*(?P<one>'[^']*')|IN\s*\((?P<many>\s*'[^']*'(?:\s*,\s*'[^']*')*\s*)\))", re.IGNORECASE
)


def parse(expression: str) -> Query:
    """Raises QueryRefusedError."""
    if not 1 <= len(expression) <= LONGEST:
        raise QueryRefusedError(f"the expression has {len(expression)} characters; 1 to {LONGEST} are allowed")
    query = _QUERY.fullmatch(expression)
    if not query:
        raise QueryRefusedError("the sandbox knows SELECT members WHERE conditions")
    members = tuple(member.strip() for member in query["members"].split(","))
    if members == ("*",):
        members = tuple(SCALARS)
    for member in members:
        if member not in SCALARS and member not in OBJECTS:
            raise QueryRefusedError(f"the sandbox knows no member {member!r} to select")
    return Query(members, tuple(_conditions(query["conditions"])))


def _conditions(text: str) -> Sequence[tuple[str, tuple[str, ...]]]:
    found, position = [], 0
    while True:
        condition = _CONDITION.match(text, position)
        if not condition or condition["member"] not in CONDITIONS:
            raise QueryRefusedError(
                f"the sandbox knows = and IN on {', '.join(CONDITIONS)}, joined by AND, and not {text[position:][:60]!r}"
            )
        found.append((condition["member"], tuple(re.findall(r"'([^']*)'", condition["one"] or condition["many"]))))
        position = condition.end()
        if position == len(text):
            return found
        joint = re.compile(r"\s+AND\s+", re.IGNORECASE).match(text, position)
        if not joint:
            raise QueryRefusedError(f"the sandbox knows conditions joined by AND, and not {text[position:][:60]!r}")
        position = joint.end()


def encoded(value: Any, path: str, wrapped: Sequence[str]) -> Any:
    """A value as a query gives it."""
    if isinstance(value, Mapping):
        return {k: encoded(v, f"{path}.{k}", wrapped) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [encoded(entry, path, wrapped) for entry in value if entry is not None]
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return {"value": value} if path in wrapped and value is not None else value
