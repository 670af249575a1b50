"""Every item of some types that an aggregator holds, as exact as AWS can be asked for it, and what is missing.

A query (SelectAggregateResourceConfig) gives a hundred items a call, with tags. What it does not give is listed and fetched by
id (ListAggregateDiscoveredResources, BatchGetAggregateResourceConfig): types that queries know nothing of, and items that
hold a value which the query's encoding cannot show exactly (`pci_config.items.selected`). Those calls give no tags. In the
end as many items must have been read as the aggregator counts. Sources: AWS Config API reference; developer guide, query
components; recorded replies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pci_config.items import ItemFormError, selected, to_event_form
from pci_config.rule import tags_of
from pci_config.sources.patience import OutOfPatienceError, Patient

PAGE = 100  # the most that SELECT, list and batch calls take
COUNTS_PAGE = 1000
PART = 1000  # items that one query is meant to bring, so that several run side by side
EXPRESSION_CHARACTERS = 4096
BUCKET = "AWS::S3::Bucket"
# named one by one: `SELECT *` leaves the content out
MEMBERS = (
    "version, accountId, awsRegion, availabilityZone, resourceType, resourceId, resourceName, arn, resourceCreationTime, "
    "configurationItemCaptureTime, configurationItemStatus, configurationStateId, tags, relationships, configuration, "
    "supplementaryConfiguration"
)

Item = dict[str, Any]
Key = tuple[str, str, str, str]  # account, Region, type, id


@dataclass
class Holdings:
    """What was read. `incomplete`: (type, account) of which more exists than was read; account "" stands for all."""

    items: dict[Key, Item] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)  # by type, as read: a global resource may come once for each Region
    incomplete: set[tuple[str, str]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Keep the newest of a resource."""
        key = item["awsAccountId"], item["awsRegion"], item["resourceType"], item["resourceId"]
        self.rows[item["resourceType"]] += 1
        before = self.items.get(key)
        if before is None or str(before["configurationItemCaptureTime"]) <= str(item["configurationItemCaptureTime"]):
            self.items[key] = item


@dataclass
class Part:
    """One query and what came of it. No accounts: all of them."""

    types: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    rows: list[str] = field(default_factory=list)
    out_of_patience: str = ""
    failure: str = ""

    @property
    def expression(self) -> str:
        accounts = f" AND {_within('accountId', self.accounts)}" if self.accounts else ""
        return f"SELECT {MEMBERS} WHERE {_within('resourceType', self.types)}{accounts}"


def _within(member: str, values: Sequence[str]) -> str:
    quoted = ", ".join(f"'{value}'" for value in values)
    return f"{member} = {quoted}" if len(values) == 1 else f"{member} IN ({quoted})"


def read_holdings(
    calls: Patient, name: str, types: Iterable[str], workers: int, progress: Callable[[str], None] = lambda _: None
) -> Holdings:
    """Read every item of the types. What cannot be read is a problem, and the rest is still there."""
    return _Reader(calls, name, workers, progress).read(sorted(types))


class _Reader:
    def __init__(self, calls: Patient, name: str, workers: int, progress: Callable[[str], None]) -> None:
        self._calls, self._name, self._workers, self._progress = calls, name, workers, progress
        self._held = Holdings()
        self._inexact: dict[Key, Item] = {}

    def read(self, types: Sequence[str]) -> Holdings:
        counts = self._counted()
        wanted = [name for name in types if counts is None or counts[name]]
        with ThreadPoolExecutor(self._workers) as pool:
            parts = self._planned(wanted, counts)
            for part in pool.map(self._queried, parts):
                self._take(part)
            throttled = {name for part in parts if part.out_of_patience for name in part.types}
            short = {name for name in wanted if counts is None or self._held.rows[name] < counts[name]}
            doubtful = {key[2] for key in self._inexact}
            list(pool.map(self._complete, sorted((short | doubtful) - throttled)))  # each type by one thread
        self._name_inexact()
        if counts is not None:
            self._compare(wanted, counts, throttled)
        return self._held

    # ---- counting

    def _counted(self, **filters: str) -> Counter[str] | None:
        """Resources by type; with a type as filter, by account. None when they cannot be counted, which is said."""
        key = "ACCOUNT_ID" if filters else "RESOURCE_TYPE"
        try:
            return count(self._calls, self._name, key, **filters)
        except (OutOfPatienceError, ClientError, BotoCoreError) as error:
            what = filters.get("ResourceType", "resources")
            self._held.problems.append(f"{what}: cannot be counted, so whether all were read is not known ({error})")
            return None

    def _compare(self, types: Sequence[str], before: Counter[str], throttled: set[str]) -> None:
        """Say where fewer or more were read than are counted, also in a second count: between two, resources come and go."""
        differing = [name for name in types if self._held.rows[name] != before[name] and name not in throttled]
        if not differing:
            return
        after = self._counted()
        if after is None:
            self._held.incomplete.update((name, "") for name in differing)
            return
        for name in differing:
            if self._held.rows[name] != after[name]:
                accounts = self._differing_accounts(name)
                self._held.problems.append(
                    f"{name}: the aggregator counts {after[name]}, and {self._held.rows[name]} were read"
                    + (f"; accounts that differ: {', '.join(accounts)}" if accounts else "")
                )
                if self._held.rows[name] < after[name]:
                    self._held.incomplete.update((name, account) for account in accounts or [""])

    def _differing_accounts(self, name: str) -> list[str]:
        counted = self._counted(ResourceType=name)
        if counted is None:
            return []
        read = Counter(key[0] for key in self._held.items if key[2] == name)
        return sorted(account for account in counted | read if counted[account] != read[account])

    # ---- queries

    def _planned(self, types: Sequence[str], counts: Counter[str] | None) -> list[Part]:
        """Small types together, large ones by accounts, every expression within its limit."""
        if counts is None:
            return [Part((name,)) for name in types]
        parts: list[Part] = []
        for names in _batches([name for name in types if counts[name] <= PART], counts, lambda some: Part(some).expression):
            parts.append(Part(names))
        for name in types:
            if counts[name] > PART:
                by_account = self._counted(ResourceType=name) or Counter()
                expression = lambda some, name=name: Part((name,), some).expression  # noqa: E731
                split = [Part((name,), some) for some in _batches(sorted(by_account), by_account, expression)]
                parts += split or [Part((name,))]
        return parts

    def _queried(self, part: Part) -> Part:
        try:
            for page in self._calls.pages(
                "select_aggregate_resource_config",
                ConfigurationAggregatorName=self._name,
                Expression=part.expression,
                Limit=PAGE,
            ):
                part.rows += page.get("Results", [])
                self._progress(f"{len(part.rows)} of {' '.join(part.types)}"[:70])
        except OutOfPatienceError as error:
            part.out_of_patience = str(error)
        except (ClientError, BotoCoreError) as error:
            part.failure = str(error)
        return part

    def _take(self, part: Part) -> None:
        for text in part.rows:
            try:
                item, doubts = selected(text, part.types[0] if len(part.types) == 1 else None)
            except ItemFormError as error:
                self._held.problems.append(f"{' '.join(part.types)}: a result of the query cannot be read: {error}")
                self._held.incomplete.update((name, "") for name in part.types)
                continue
            if doubts:
                self._inexact[_key(item)] = item
            else:
                self._held.add(item)
        if part.failure:
            self._held.problems.append(f"{', '.join(part.types)}: {part.failure}; read by id instead, which shows fewer tags")
        if part.out_of_patience:
            where = f" of {', '.join(part.accounts)}" if part.accounts else ""
            self._held.problems.append(
                f"{', '.join(part.types)}{where}: not read to the end, {len(part.rows)} items came before AWS "
                f"{part.out_of_patience}; assess again later"
            )
            self._held.incomplete.update((name, account) for name in part.types for account in part.accounts or ("",))

    # ---- what queries do not give

    def _complete(self, name: str) -> None:
        try:
            listed = [
                identifier
                for page in self._calls.pages(
                    "list_aggregate_discovered_resources",
                    ConfigurationAggregatorName=self._name,
                    ResourceType=name,
                    Limit=PAGE,
                )
                for identifier in page.get("ResourceIdentifiers", [])
            ]
            missing = [identifier for identifier in listed if not self._holds(identifier)]
            for start in range(0, len(missing), PAGE):
                self._fetch(missing[start : start + PAGE])
                self._progress(f"{min(start + PAGE, len(missing))} of {name} by id")
        except (OutOfPatienceError, ClientError, BotoCoreError) as error:
            self._held.problems.append(f"{name}: what the query left out cannot be read by id: {error}")
            self._held.incomplete.add((name, ""))

    def _name_inexact(self) -> None:
        left = Counter((key[2], key[0]) for key in self._inexact if key not in self._held.items)
        for (name, account), number in sorted(left.items()):
            self._held.problems.append(
                f"{name} of {account}: {number} hold a value that a query cannot show exactly, and were not read by id"
            )
            self._held.incomplete.add((name, account))

    def _holds(self, identifier: Mapping[str, Any]) -> bool:
        account, resource = identifier["SourceAccountId"], (identifier["ResourceType"], identifier["ResourceId"])
        return any((account, region, *resource) in self._held.items for region in (identifier["SourceRegion"], "global"))

    def _fetch(self, identifiers: Sequence[Mapping[str, Any]]) -> None:
        """Up to a hundred by id. What is not answered is asked for once more: AWS leaves some out when it is busy."""
        left = [{name: value for name, value in identifier.items() if name != "ResourceName"} for identifier in identifiers]
        for _ in range(2):
            reply = self._calls.call(
                "batch_get_aggregate_resource_config", ConfigurationAggregatorName=self._name, ResourceIdentifiers=left
            )
            for raw in reply.get("BaseConfigurationItems", []):
                self._take_base(raw)
            left = reply.get("UnprocessedResourceIdentifiers") or []
            if not left:
                return
        for account, some in _by_account(left).items():
            name, region = some[0]["ResourceType"], some[0]["SourceRegion"]
            self._held.problems.append(
                f"{name} of {account}: {len(some)} known but without a configuration (not recorded, or deleted since); "
                f"first: {some[0]['ResourceId']} in {region}"
            )
            self._held.incomplete.add((name, account))

    def _take_base(self, raw: Mapping[str, Any]) -> None:
        """An exact item without tags and relationships: they come from the query, from the content, or are not known."""
        try:
            item = to_event_form(raw)
        except ItemFormError as error:
            self._held.problems.append(f"{raw.get('resourceType')} {raw.get('resourceId')}: {error}")
            self._held.incomplete.add((str(raw.get("resourceType")), str(raw.get("accountId") or "")))
            return
        queried = self._inexact.get(_key(item))
        if queried:
            item |= {"tags": queried["tags"], "relationships": queried["relationships"]}
        else:
            item |= {"tags": tags_within(item), "relationships": None}
        self._held.add(item)


def count(calls: Patient, name: str, group_by: str, **filters: str) -> Counter[str]:
    """What the aggregator says it holds, by RESOURCE_TYPE, ACCOUNT_ID or AWS_REGION."""
    return Counter(
        {
            group["GroupName"]: group["ResourceCount"]
            for page in calls.pages(
                "get_aggregate_discovered_resource_counts",
                ConfigurationAggregatorName=name,
                GroupByKey=group_by,
                Limit=COUNTS_PAGE,
                **({"Filters": filters} if filters else {}),
            )
            for group in page.get("GroupedResourceCounts", [])
        }
    )


def tags_within(item: Item) -> dict[str, str] | None:
    """The tags that an item's content shows; None when it does not show whether there are any."""
    configuration, supplementary = item["configuration"], item["supplementaryConfiguration"]
    if item["resourceType"] == BUCKET:  # absent when never tagged
        match supplementary.get("BucketTaggingConfiguration"):
            case {"tagSets": [{"tags": {**tags}}, *_]}:
                return {str(key): str(value) for key, value in tags.items()}
            case None | {"tagSets": None | []}:
                return {}
            case _:
                return None
    found = tags_of({**item, "tags": {}})
    shown = isinstance(configuration, Mapping) and any(
        isinstance(configuration.get(name), (list, Mapping)) for name in ("tags", "Tags", "tagList", "tagSet")
    )
    return found if found or shown or isinstance(supplementary.get("Tags"), (list, Mapping)) else None


def _key(item: Mapping[str, Any]) -> Key:
    return item["awsAccountId"], item["awsRegion"], item["resourceType"], item["resourceId"]


def _by_account(identifiers: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for identifier in identifiers:
        found[identifier["SourceAccountId"]].append(identifier)
    return found


def _batches(
    names: Sequence[str], counts: Mapping[str, int], expression: Callable[[tuple[str, ...]], str]
) -> Iterator[tuple[str, ...]]:
    """Names in groups whose counts come to PART at most, or one alone, and whose expression fits."""
    group: tuple[str, ...] = ()
    for name in names:
        larger = (*group, name)
        full = sum(counts[each] for each in larger) > PART or len(expression(larger)) > EXPRESSION_CHARACTERS
        if group and full:
            yield group
            larger = (name,)
        group = larger
    if group:
        yield group
