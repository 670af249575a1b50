"""How many resources of each type there are, for `pci-config cost`: from results, a snapshot, an aggregator, or as told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pci_config.assess import GLOBAL
from pci_config.deploy.cost import Resources, placed
from pci_config.deploy.preflight_account_reading import pages
from pci_config.items import EVALUATED_STATUSES
from pci_config.rule import ACCOUNT_RESOURCE_TYPE
from pci_config.sources import snapshot


class CountsError(Exception):
    """The resources cannot be counted; the message says why."""


def from_results(path: Path, regions: Sequence[str], home_region: str) -> Resources:
    """Every resource that a results document (assess --format json) names, once. Raises CountsError."""
    try:
        results = json.loads(path.read_text("utf-8"))["results"]
        found = {(r["account_id"], r["region"], r["resource_type"], r["resource_id"]) for r in results}
    except OSError as error:
        raise CountsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CountsError(f"{path}: is no results document of `pci-config assess --format json` ({error!r})") from None
    return _counted(found, f"from {path}: those that rules judged", regions, home_region)


def from_snapshots(places: Sequence[str], regions: Sequence[str], home_region: str) -> tuple[Resources, list[str]]:
    """Every resource of Config's snapshots, once, and what could not be read. Raises SourceError."""
    read = snapshot.read(places)
    found = {
        (str(item.account), str(item.awsRegion), str(item.resourceType), str(item.resourceId))
        for item in snapshot.newest(read.items)
        if item.configurationItemStatus in EVALUATED_STATUSES
    }
    return _counted(found, f"from {len(read.sources)} snapshot files", regions, home_region), read.problems


def from_aggregator(clients: Any, name: str, regions: Sequence[str], home_region: str) -> Resources:
    """What the aggregator holds. Raises ClientError or BotoCoreError."""
    listed = clients.build_client("config", home_region).get_aggregate_discovered_resource_counts
    counted: list[tuple[str, str, float]] = []
    accounts: set[str] = set()
    for region in (*regions, GLOBAL):
        request = {"ConfigurationAggregatorName": name, "Filters": {"Region": region}}
        for group in pages(listed, "GroupedResourceCounts", GroupByKey="RESOURCE_TYPE", **request):
            counted.append((region, str(group["GroupName"]), int(group["ResourceCount"])))
        for group in pages(listed, "GroupedResourceCounts", GroupByKey="ACCOUNT_ID", **request):
            accounts.add(str(group["GroupName"]))
    return Resources(placed(counted, regions, home_region), len(accounts), f"from the aggregator {name}")


def as_told(given: Sequence[str], regions: Sequence[str], home_region: str) -> Resources:
    """TYPE=NUMBER in each Region, or REGION:TYPE=NUMBER. Raises CountsError."""
    counted: list[tuple[str, str, float]] = []
    for text in given:
        what, _, number = text.rpartition("=")
        region, mark, resource_type = what.partition(":")
        if mark and not resource_type.startswith(":"):
            where = [region]
        else:
            where, resource_type = list(regions), what
        if not number.isdecimal() or "::" not in resource_type:
            raise CountsError(f"--count {text}: expected TYPE=NUMBER or REGION:TYPE=NUMBER, such as AWS::EC2::VPC=12")
        if any(each not in (*regions, GLOBAL) for each in where):
            raise CountsError(f"--count {text}: {region} is not among Regions; expected one of {', '.join(regions)}")
        counted += [(each, resource_type, int(number)) for each in where]
    return Resources(placed(counted, regions, home_region), 0, "as told with --count")


def together(read: Resources | None, told: Resources | None) -> Resources | None:
    """What was told goes over what was read."""
    if read is None or told is None:
        return read or told
    return Resources({**read.counts, **told.counts}, read.accounts, f"{read.source}; some {told.source}")


def _counted(found: Iterable[tuple[str, str, str, str]], source: str, regions: Sequence[str], home_region: str) -> Resources:
    found = list(found)
    numbers = Counter(
        (region, resource_type) for _, region, resource_type, _ in found if resource_type != ACCOUNT_RESOURCE_TYPE
    )
    counted = [(region, resource_type, number) for (region, resource_type), number in numbers.items()]
    accounts = {account for account, *_ in found}
    return Resources(placed(counted, regions, home_region), len(accounts), source)
