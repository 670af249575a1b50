"""API answers in the spellings of AWS Config's recorded items.

Types that AWS Config took from an SDK differ by the SDK's way with capital letters; types that it took from CloudFormation's
registry are in PascalCase. The recorded samples in tests/data/ci show each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
Rename = Callable[[str], str]


def first_small(name: str) -> str:
    """`DBInstanceArn` is `dBInstanceArn`: EC2, Elastic Load Balancing v2, DB instances, S3, CloudTrail."""
    return name[:1].lower() + name[1:]


def capitals_small(name: str) -> str:
    """`DBClusterArn` is `dbclusterArn`: every leading capital (Java bean names); DB clusters, Classic Load Balancers."""
    return re.sub(r"^[A-Z]+", lambda leading: leading[0].lower(), name)


def acronym_small(name: str) -> str:
    """`HTTPPort` is `httpPort`: the leading acronym, not the word after it; CloudFront."""
    return re.sub(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+", lambda leading: leading[0].lower(), name)


def first_capital(name: str) -> str:
    """`clusterName` is `ClusterName`: ECS, whose API is camelCase and whose items are CloudFormation's."""
    return name[:1].upper() + name[1:]


def iso_time(time: datetime) -> str:
    utc = time.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def epoch_time(time: datetime) -> int:
    """Milliseconds, as Java bean items have them."""
    return round(time.timestamp() * 1000)


def short_time(time: datetime) -> str:
    """Whole seconds, as API Gateway's items have them."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def recorded(
    value: Any,
    rename: Rename = first_small,
    time: Callable[[datetime], Any] = iso_time,
    as_is: frozenset[str] = frozenset(),
) -> Any:
    """The value with every member renamed and every time as recorded.

    `as_is` names free-form maps (as recorded), whose keys are the user's own and stay.
    """
    if isinstance(value, Mapping):
        members = ((rename(name), entry) for name, entry in value.items())
        return {name: entry if name in as_is else recorded(entry, rename, time, as_is) for name, entry in members}
    if isinstance(value, list):
        return [recorded(entry, rename, time, as_is) for entry in value]
    return time(value) if isinstance(value, datetime) else value


def spelled_out(found: Mapping[str, Any], values: str, lists: str = "") -> dict[str, Any]:
    """Exactly the members that AWS Config records: absent values as null, absent lists empty, newer API members left out.

    What is not recorded must not be here either, lest a rule rely on it and fail on real items. Names are separated by spaces.
    """
    spelled = {name: found.get(name) for name in values.split()}
    return spelled | {name: found.get(name) or [] for name in lists.split()}


def only(found: Mapping[str, Any], names: str) -> dict[str, Any]:
    """The named members that are there, for types whose items leave absent ones out."""
    return {name: found[name] for name in names.split() if found.get(name) is not None}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As `supplementaryConfiguration.Tags` has them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
