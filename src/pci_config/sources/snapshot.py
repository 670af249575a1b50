"""Config snapshot and history files, plain or gzip, in folders or S3, single items, and dumps of API replies.

A file of hundreds of megabytes is scanned once: msgspec gives each item's identity as values and its content as a view of the
file's bytes, which is decoded only for items that a rule asks for.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import msgspec

from pci_config.items import ItemFormError, to_event_form

GZIP_MAGIC = b"\x1f\x8b"
WRITABILITY_CHECK = "ConfigWritabilityCheckFile"  # an empty file that AWS Config leaves in the bucket


class SourceError(Exception):
    """The source as a whole cannot be used; the message says why and what to do."""


class RawItem(msgspec.Struct, gc=False):
    """An item as it stands in a file: identity decoded, content as raw JSON. Both spellings of a member have a field."""

    resourceType: Any = None  # noqa: N815 - AWS Config's names, here and below
    resourceId: Any = None  # noqa: N815
    awsAccountId: Any = None  # noqa: N815
    accountId: Any = None  # noqa: N815
    awsRegion: Any = None  # noqa: N815
    configurationItemStatus: Any = None  # noqa: N815
    configurationItemCaptureTime: Any = None  # noqa: N815
    configurationItemVersion: Any = None  # noqa: N815
    version: Any = None
    ARN: Any = None
    arn: Any = None
    resourceName: Any = None  # noqa: N815
    configurationStateId: Any = None  # noqa: N815
    resourceCreationTime: Any = None  # noqa: N815
    availabilityZone: Any = None  # noqa: N815
    configuration: msgspec.Raw = msgspec.Raw()
    supplementaryConfiguration: msgspec.Raw = msgspec.Raw()  # noqa: N815
    tags: msgspec.Raw = msgspec.Raw()
    relationships: msgspec.Raw = msgspec.Raw()

    @property
    def account(self) -> str:
        return str(self.awsAccountId or self.accountId or "")

    def item(self) -> dict[str, Any]:
        """The whole item in event form. Raises ItemFormError."""
        raw: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, msgspec.Raw):
                value = msgspec.json.decode(value) if bytes(value) else None
            if value is not None:
                raw[name] = value
        return to_event_form(raw)


class _File(msgspec.Struct, gc=False):
    configurationItems: list[RawItem] | None = None  # noqa: N815
    baseConfigurationItems: list[RawItem] | None = None  # noqa: N815
    configurationItem: RawItem | None = None  # noqa: N815
    Results: list[str] | None = None
    resourceType: Any = None  # noqa: N815


class _LooseFile(msgspec.Struct, gc=False):
    configurationItems: list[msgspec.Raw] = []  # noqa: N815


_file = msgspec.json.Decoder(_File)
_single = msgspec.json.Decoder(RawItem)


@dataclass
class Snapshot:
    """What was read: items, the names of what was read, and one line for everything that could not be."""

    items: list[RawItem] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(places: Sequence[str]) -> Snapshot:
    """Read files, folders and s3:// places. Bad files are named, skipped and counted; a place that is not there is an error.

    Raises SourceError.
    """
    snapshot = Snapshot()
    for place in places:
        for name, content in _contents(place, snapshot.problems):
            snapshot.sources.append(name)
            if content:
                _parse(name, content, snapshot)
    return snapshot


def newest(items: Iterable[RawItem]) -> list[RawItem]:
    """One item for each resource: the one captured last. History files hold several."""
    found: dict[tuple[Any, ...], RawItem] = {}
    for item in items:
        key = item.account, item.awsRegion, item.resourceType, item.resourceId
        before = found.get(key)
        if before is None or str(before.configurationItemCaptureTime) <= str(item.configurationItemCaptureTime):
            found[key] = item
    return list(found.values())


def _contents(place: str, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    if place.startswith("s3://"):
        yield from _bucket(place, problems)
        return
    path = Path(place)
    if not path.exists():
        raise SourceError(f"{place}: there is no such file or folder")
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file() or file.name == WRITABILITY_CHECK:
            continue
        try:
            content = file.read_bytes()
        except OSError as error:
            problems.append(f"{file}: cannot be read ({error.strerror or error})")
            continue
        yield str(file), _unzipped(str(file), content, problems)


def _bucket(place: str, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/") and not entry["Key"].endswith(WRITABILITY_CHECK):
                name = f"s3://{bucket}/{entry['Key']}"
                yield name, _unzipped(name, s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read(), problems)


def _unzipped(name: str, content: bytes, problems: list[str]) -> bytes:
    """The content; gzip is known by its first bytes, not by the name."""
    if not content.startswith(GZIP_MAGIC):
        if not content.strip():
            problems.append(f"{name}: is empty")
        return content.strip() and content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problems.append(f"{name}: is truncated or damaged gzip ({error}); fetch it again")
        return b""


def _parse(name: str, content: bytes, snapshot: Snapshot) -> None:
    try:
        file = _file.decode(content)
    except msgspec.ValidationError:
        _parse_one_by_one(name, content, snapshot)
        return
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        snapshot.problems.append(f"{name}: is not JSON ({error})")
        return
    if file.resourceType is not None:
        found = [_single.decode(content)]
    elif file.configurationItem is not None:
        found = [file.configurationItem]
    elif file.Results is not None:
        found = _selected(name, file.Results, snapshot.problems)
    else:
        entries = file.configurationItems if file.configurationItems is not None else file.baseConfigurationItems
        if entries is None:
            snapshot.problems.append(f"{name}: has no configurationItems and is no configuration item")
            return
        found = entries
    _keep(name, found, snapshot)


def _keep(name: str, found: Iterable[RawItem], snapshot: Snapshot) -> None:
    for position, item in enumerate(found):
        missing = next((m for m in ("resourceType", "resourceId") if not isinstance(getattr(item, m), str)), None)
        if missing:
            snapshot.problems.append(f"{name}: item {position}: {missing} is missing")
        else:
            snapshot.items.append(item)


def _parse_one_by_one(name: str, content: bytes, snapshot: Snapshot) -> None:
    """The slow way, for a file in which something is not an object: everything else of it still counts."""
    try:
        entries = msgspec.json.decode(content, type=_LooseFile).configurationItems
    except msgspec.ValidationError as error:
        snapshot.problems.append(f"{name}: has no list of configuration items ({error})")
        return
    for position, entry in enumerate(entries):
        try:
            _keep(name, [_single.decode(entry)], snapshot)
        except msgspec.ValidationError as error:
            snapshot.problems.append(f"{name}: item {position}: {error}")


def _selected(name: str, results: Sequence[str], problems: list[str]) -> list[RawItem]:
    found = []
    for position, text in enumerate(results):
        try:
            item = to_event_form(text)
        except ItemFormError as error:
            problems.append(f"{name}: result {position}: {error}")
            continue
        found.append(_single.decode(msgspec.json.encode(item)))
    return found
