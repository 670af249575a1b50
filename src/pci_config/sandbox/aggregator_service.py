"""Adds to moto's AWS Config what an aggregator answers, from what the sandbox's recorders hold in all accounts and Regions.

Results are encoded, paged and limited as AWS does it; `faults` makes it throttle, fail sources and leave things out.
Source: Config API reference.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError

from pci_config.sandbox.config_service import history_form, state
from pci_config.sandbox.query_language import Query, QueryRefusedError, parse

LARGEST_PAGE = 100
DEFAULT_QUERY_PAGE = 25
LARGEST_COUNT_PAGE = 1000
LARGEST_BATCH = 100
FILTERS = {"ResourceType": "RESOURCE_TYPE", "AccountId": "ACCOUNT_ID", "Region": "AWS_REGION"}

Place = tuple[str, str]  # account, Region


@dataclass
class Faults:
    """What goes wrong with the aggregators of one account and Region.

    throttled: asked before every answer, with the operation and the request; failing: sources of which nothing comes, with
    status, error code and message; unqueried: types that queries know nothing of; withheld: ids that are listed and not given;
    overcounted: how many more of a type are counted than are there, by account and type.
    """

    throttled: Callable[[str, Mapping[str, Any]], bool] = lambda _operation, _request: False
    failing: dict[Place, tuple[str, str, str]] = field(default_factory=dict)
    unqueried: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    overcounted: dict[tuple[str, str], int] = field(default_factory=dict)


def faults(account_id: str, region: str) -> Faults:
    """The faults of an aggregator account, to be changed in place; they go when moto is reset."""
    from moto.config.models import config_backends  # noqa: PLC0415 - moto's inside

    found: Faults = config_backends[account_id][region].__dict__.setdefault("sandbox_aggregator_faults", Faults())
    return found


def install() -> None:
    """Teach moto the actions of this module. Installing again changes nothing."""
    for action in (
        select_aggregate_resource_config,
        batch_get_aggregate_resource_config,
        list_aggregate_discovered_resources,
        get_aggregate_discovered_resource_counts,
        get_aggregate_resource_config,
        describe_configuration_aggregator_sources_status,
    ):
        setattr(ConfigResponse, action.__name__, action)


# ------------------------------------------------------------------------------------------------------------ actions


def select_aggregate_resource_config(self: Any) -> str:
    request = _request(self, "SelectAggregateResourceConfig")
    query = _query(request["Expression"])
    unqueried = _faults(self).unqueried
    found = [
        query.result(item)
        for _, _, item in _held(self, request)
        if item["resourceType"] not in unqueried and query.selects(item)
    ]
    page, more = _page(request, found, LARGEST_PAGE, DEFAULT_QUERY_PAGE)
    return json.dumps({"Results": page, "QueryInfo": {"SelectFields": [{"Name": name} for name in query.members]}, **more})


def batch_get_aggregate_resource_config(self: Any) -> str:
    """Without tags and relationships, as AWS answers; what is deleted is not answered."""
    request = _request(self, "BatchGetAggregateResourceConfig")
    if not 1 <= len(request["ResourceIdentifiers"]) <= LARGEST_BATCH:
        raise JsonRESTError("ValidationException", f"1 to {LARGEST_BATCH} resource identifiers are allowed")
    held = {_identity(account, region, item): item for account, region, item in _held(self, request)}
    found, missing = [], []
    for identifier in request["ResourceIdentifiers"]:
        item = held.get(_identified(identifier))
        if item is None or item["resourceId"] in _faults(self).withheld:
            missing.append(identifier)
            continue
        raw = history_form(item)
        for name in ("tags", "relationships", "relatedEvents", "configurationItemMD5Hash"):
            raw.pop(name, None)
        found.append(raw)
    return json.dumps({"BaseConfigurationItems": found, "UnprocessedResourceIdentifiers": missing})


def get_aggregate_resource_config(self: Any) -> str:
    request = _request(self, "GetAggregateResourceConfig")
    wanted = _identified(request["ResourceIdentifier"])
    for account, region, item in _held(self, request):
        if _identity(account, region, item) == wanted:
            return json.dumps({"ConfigurationItem": history_form(item)})
    raise JsonRESTError("ResourceNotDiscoveredException", f"Resource {wanted[3]} of resourceType:{wanted[2]} is unknown")


def list_aggregate_discovered_resources(self: Any) -> str:
    request = _request(self, "ListAggregateDiscoveredResources")
    filters = request.get("Filters") or {}
    found = []
    for account, region, item in _held(self, request):
        identifier = {
            "SourceAccountId": account,
            "SourceRegion": region,
            "ResourceType": item["resourceType"],
            "ResourceId": item["resourceId"],
            **({"ResourceName": item["resourceName"]} if item["resourceName"] else {}),
        }
        kept = {**identifier, "AccountId": account, "Region": region}
        if item["resourceType"] == request["ResourceType"] and all(kept.get(k) == v for k, v in filters.items()):
            found.append(identifier)
    page, more = _page(request, found, LARGEST_PAGE, LARGEST_PAGE)
    return json.dumps({"ResourceIdentifiers": page, **more})


def get_aggregate_discovered_resource_counts(self: Any) -> str:
    request = _request(self, "GetAggregateDiscoveredResourceCounts")
    filters = request.get("Filters") or {}
    entries = [
        {"RESOURCE_TYPE": item["resourceType"], "ACCOUNT_ID": account, "AWS_REGION": region}
        for account, region, item in _held(self, request)
    ]
    for (account, kind), number in _faults(self).overcounted.items():
        entries += [{"RESOURCE_TYPE": kind, "ACCOUNT_ID": account, "AWS_REGION": self.region}] * number
    held = [entry for entry in entries if all(entry[FILTERS[name]] == value for name, value in filters.items())]
    if "GroupByKey" not in request:
        return json.dumps({"TotalDiscoveredResources": len(held)})
    counts = Counter(entry[request["GroupByKey"]] for entry in held)
    groups = [{"GroupName": name, "ResourceCount": counts[name]} for name in sorted(counts)]
    page, more = _page(request, groups, LARGEST_COUNT_PAGE, LARGEST_COUNT_PAGE)
    return json.dumps(
        {
            "TotalDiscoveredResources": len(held),
            "GroupByKey": request["GroupByKey"],
            "GroupedResourceCounts": page,
            **more,
        }
    )


def describe_configuration_aggregator_sources_status(self: Any) -> str:
    request = _request(self, "DescribeConfigurationAggregatorSourcesStatus")
    failing = _faults(self).failing
    found = []
    for account, region in _places(self, request):
        status, code, message = failing.get((account, region), ("SUCCEEDED", "", ""))
        entry = {"SourceId": account, "SourceType": "ACCOUNT", "AwsRegion": region, "LastUpdateStatus": status}
        entry |= {"LastErrorCode": code, "LastErrorMessage": message} if code else {}
        if status in (request.get("UpdateStatus") or [status]):
            found.append(entry)
    page, more = _page(request, found, LARGEST_PAGE, LARGEST_PAGE)
    return json.dumps({"AggregatedSourceStatusList": page, **more})


# -------------------------------------------------------------------------------------------------------------- parts


def _request(self: Any, operation: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(self.body or "{}")
    if _faults(self).throttled(operation, request):
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    return request


def _faults(self: Any) -> Faults:
    return faults(self.current_account, self.region)


def _places(self: Any, request: Mapping[str, Any]) -> list[Place]:
    """Accounts and Regions of the aggregator that the request names."""
    name = request["ConfigurationAggregatorName"]
    aggregator = self.config_backend.config_aggregators.get(name)
    if aggregator is None:
        raise JsonRESTError("NoSuchConfigurationAggregatorException", f"The configuration aggregator {name} does not exist.")
    organization = aggregator.organization_aggregation_source
    if organization:
        sources = [(_organization_accounts(self.current_account), organization)]
    else:
        sources = [(source.account_ids, source) for source in aggregator.account_aggregation_sources or ()]
    return sorted(
        (account, region)
        for accounts, source in sources
        for account in accounts
        for region in (_all_regions(account) if source.all_aws_regions else source.aws_regions)
    )


def _organization_accounts(member: str) -> list[str]:
    from moto.organizations.models import organizations_backends  # noqa: PLC0415 - moto's inside

    for partitions in list(organizations_backends.values()):
        for backend in list(partitions.values()):
            ids = [account.id for account in backend.accounts]
            if member in ids:
                return ids
    raise JsonRESTError("OrganizationAccessDeniedException", f"{member} belongs to no organization")


def _all_regions(account: str) -> list[str]:
    from moto.config.models import config_backends  # noqa: PLC0415 - moto's inside

    return [region for region, backend in list(config_backends[account].items()) if "sandbox_state" in backend.__dict__]


def _held(self: Any, request: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(account, Region, newest version) of everything that exists, in a fixed order."""
    for account, region in _places(self, request):
        if (account, region) not in _faults(self).failing:
            for _, versions in sorted(state(account, region).history.items()):
                if versions[-1]["configurationItemStatus"] != "ResourceDeleted":
                    yield account, region, versions[-1]


def _identity(account: str, region: str, item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return account, region, item["resourceType"], item["resourceId"]


def _identified(identifier: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        identifier["SourceAccountId"],
        identifier["SourceRegion"],
        identifier["ResourceType"],
        identifier["ResourceId"],
    )


def _query(expression: str) -> Query:
    try:
        return parse(expression)
    except QueryRefusedError as error:
        raise JsonRESTError("InvalidExpressionException", str(error)) from None


def _page(request: Mapping[str, Any], entries: Sequence[Any], largest: int, usual: int) -> tuple[list[Any], dict[str, str]]:
    """One page, and the token of the next, which is good for the same request only."""
    size = request.get("Limit") or request.get("MaxResults") or usual
    if size > largest:
        raise JsonRESTError("InvalidLimitException", f"the limit is {size}; {largest} is the most")
    same = {name: value for name, value in request.items() if name not in ("NextToken", "Limit", "MaxResults")}
    digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]
    token = request.get("NextToken") or f"{digest}-0"
    about, _, start = token.partition("-")
    if about != digest or not start.isdecimal():
        raise JsonRESTError("InvalidNextTokenException", "the token belongs to another request")
    end = int(start) + size
    return list(entries[int(start) : end]), {"NextToken": f"{digest}-{end}"} if end < len(entries) else {}
