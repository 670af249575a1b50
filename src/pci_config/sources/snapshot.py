"""Config snapshot and history files, plain or gzip, in folders or S3, single items, and dumps of API replies.

msgspec gives each item's identity as values and its content as a view of the file's bytes, which is decoded only for items that
a rule asks for. A large file is mapped, not loaded, and cut between items into parts that are scanned one after the other, or
side by side in several jobs; of each part only the items of wanted types stay.
"""

from __future__ import annotations

import gzip
import mmap
import multiprocessing
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import msgspec

from pci_config.items import ItemFormError, to_event_form

GZIP_MAGIC = b"\x1f\x8b"
WRITABILITY_CHECK = "ConfigWritabilityCheckFile"  # an empty file that AWS Config leaves in the bucket
PART = 8_000_000  # bytes

Content: TypeAlias = bytes | mmap.mmap


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
    configuration: msgspec.Raw = msgspec.Raw(b"null")
    supplementaryConfiguration: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815
    tags: msgspec.Raw = msgspec.Raw(b"null")
    relationships: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def account(self) -> str:
        return str(self.awsAccountId or self.accountId or "")

    def item(self) -> dict[str, Any]:
        """The whole item in event form. Raises ItemFormError."""
        raw = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        for name in _CONTENT:
            raw[name] = msgspec.json.decode(raw[name])
        return to_event_form(raw)


_CONTENT = ("configuration", "supplementaryConfiguration", "tags", "relationships")


class _File(msgspec.Struct, gc=False):
    configurationItems: list[RawItem] | None = None  # noqa: N815
    baseConfigurationItems: list[RawItem] | None = None  # noqa: N815
    configurationItem: RawItem | None = None  # noqa: N815
    Results: list[str] | None = None
    resourceType: Any = None  # noqa: N815


class _Part(msgspec.Struct, gc=False):
    """What a process found in its part of a file."""

    count: int
    items: list[RawItem]
    places: list[tuple[str, str]]
    incomplete: list[tuple[int, str]]


class _LooseFile(msgspec.Struct, gc=False):
    configurationItems: list[msgspec.Raw] = []  # noqa: N815


_file = msgspec.json.Decoder(_File)
_single = msgspec.json.Decoder(RawItem)
_part = msgspec.json.Decoder(_Part)


@dataclass
class Snapshot:
    """What was read: items of the wanted types (all, if none are named), the names of what was read, (account, Region) of every
    item, and one line for everything that could not be read."""

    types: frozenset[str] | None = None
    items: list[RawItem] = field(default_factory=list)
    places: set[tuple[str, str]] = field(default_factory=set)
    sources: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(places: Sequence[str], types: frozenset[str] | None = None, jobs: int = 1) -> Snapshot:
    """Read files, folders and s3:// places. Bad files are named, skipped and counted; a place that is not there is an error.

    Raises SourceError.
    """
    snapshot = Snapshot(types)
    for place in places:
        for name, content in _contents(place, snapshot.problems):
            snapshot.sources.append(name)
            if content and not (len(content) > 2 * PART and _parse_parts(name, content, snapshot, jobs)):
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


def _contents(place: str, problems: list[str]) -> Iterator[tuple[str, Content]]:
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
            content = _mapped(file)
        except OSError as error:
            problems.append(f"{file}: cannot be read ({error.strerror or error})")
            continue
        yield str(file), _unzipped(str(file), content, problems)


def _mapped(path: Path) -> Content:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _bucket(place: str, problems: list[str]) -> Iterator[tuple[str, Content]]:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/") and not entry["Key"].endswith(WRITABILITY_CHECK):
                name = f"s3://{bucket}/{entry['Key']}"
                yield name, _unzipped(name, s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read(), problems)


def _unzipped(name: str, content: Content, problems: list[str]) -> Content:
    """The content; gzip is known by its first bytes, not by the name."""
    if content[: len(GZIP_MAGIC)] != GZIP_MAGIC:
        if not content[:1024].strip() and not content[:].strip():
            problems.append(f"{name}: is empty")
            return b""
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problems.append(f"{name}: is truncated or damaged gzip ({error}); fetch it again")
        return b""


def _parse(name: str, content: Content, snapshot: Snapshot) -> None:
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


def _keep(name: str, found: Sequence[RawItem], snapshot: Snapshot, first: int = 0) -> None:
    _add(name, _sorted_out(found, snapshot.types), snapshot, first)


def _sorted_out(found: Sequence[RawItem], types: frozenset[str] | None) -> _Part:
    items, incomplete = [], []
    for position, item in enumerate(found):
        if not isinstance(item.resourceType, str):
            incomplete.append((position, "resourceType"))
        elif not isinstance(item.resourceId, str):
            incomplete.append((position, "resourceId"))
        elif types is None or item.resourceType in types:
            items.append(item)
    places = {(item.awsAccountId or item.accountId, item.awsRegion) for item in found}
    return _Part(
        len(found), items, [(str(account), str(region)) for account, region in places if account and region], incomplete
    )


def _add(name: str, part: _Part, snapshot: Snapshot, first: int) -> None:
    snapshot.items += part.items
    snapshot.places.update(part.places)
    snapshot.problems += [f"{name}: item {first + position}: {member} is missing" for position, member in part.incomplete]


# An item that is no item ends the first part, so that the part proves that the cut was between two items
_MARK = b'{"resourceType":"end of the part"}'
_START = re.compile(rb'"configurationItems"\s*:\s*\[\s*(\{\s*"\w+"\s*:)')
_START_WITHIN = 4096  # bytes; members of a snapshot before its items are a few identifiers

_cut: tuple[Content, frozenset[str] | None]  # forked processes inherit it instead of receiving a copy


def _parse_parts(name: str, content: Content, snapshot: Snapshot, jobs: int) -> bool:
    """Parse a snapshot part by part. False when it cannot be cut, or a part is odd: then nothing has been kept."""
    global _cut  # noqa: PLW0603 - as said above
    start = _START.search(content, 0, _START_WITHIN)
    if not start:
        return False
    # in snapshots every item begins with the same member, so `},{"member":` is where one ends; _scanned proves it
    between = re.compile(rb"\}\s*(,)\s*" + re.escape(start[1]))
    cuts = (between.search(content, position) for position in range(start.start(1) + PART, len(content), PART))
    commas = sorted({cut.start(1) for cut in cuts if cut})
    bounds = list(zip([start.start(1), *(comma + 1 for comma in commas)], [*commas, len(content)], strict=True))
    _cut = content, snapshot.types
    if jobs > 1:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            packed = pool.map(_scanned, bounds, chunksize=1)
    else:
        packed = list(map(_scanned, bounds))
    if not all(packed):
        return False
    first = 0
    for part in map(_part.decode, packed):
        _add(name, part, snapshot, first)
        first += part.count
    return True


def _scanned(bounds: tuple[int, int]) -> bytes:
    """One part, packed; empty when it does not begin and end between two items of the snapshot."""
    content, types = _cut
    last = bounds[1] == len(content)
    with memoryview(content) as view, view[slice(*bounds)] as part:
        text = b"".join((b'{"configurationItems":[', part, b"" if last else b"," + _MARK + b"]}"))
    if isinstance(content, mmap.mmap):  # give the pages back, or the file fills the memory after all
        page = bounds[0] // mmap.PAGESIZE * mmap.PAGESIZE
        content.madvise(mmap.MADV_DONTNEED, page, bounds[1] - page)
    try:
        found = _file.decode(text).configurationItems or []
    except msgspec.DecodeError:
        return b""
    if not last and (not found or found.pop().resourceType != _single.decode(_MARK).resourceType):
        return b""
    return msgspec.json.encode(_sorted_out(found, types))


def _parse_one_by_one(name: str, content: Content, snapshot: Snapshot) -> None:
    """The slow way, for a file in which something is not an object: everything else of it still counts."""
    try:
        entries = msgspec.json.decode(content, type=_LooseFile).configurationItems
    except msgspec.ValidationError as error:
        snapshot.problems.append(f"{name}: has no list of configuration items ({error})")
        return
    for position, entry in enumerate(entries):
        try:
            _keep(name, [_single.decode(entry)], snapshot, position)
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
