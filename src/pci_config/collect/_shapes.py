"""API answers in the spelling of AWS Config's older resource types: members begin with a small letter, times are ISO texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")


def recorded(value: Any) -> Any:
    """The value with every member name begun small (`VpcId` is `vpcId`), as SDK-modelled types are recorded."""
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: recorded(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [recorded(entry) for entry in value]
    return plain(value)


def plain(value: Any) -> Any:
    """Times as texts, everything else as it is; for types that are recorded in CloudFormation's spelling."""
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return value


def tag_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
