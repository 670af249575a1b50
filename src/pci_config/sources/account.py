"""Accounts' own APIs as a source: several accounts by role, several Regions, in parallel, throttling retried."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from pci_config.assess import Assessment, Judge, Result, assess_live
from pci_config.collect import HOME_REGION, Collector, for_types
from pci_config.parallel import each
from pci_config.sources.snapshot import SourceError

WORKERS = 8
RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 9}, max_pool_connections=WORKERS)


class SessionClients:
    """Clients of one session, by service and Region (rdklib's ClientFactory interface)."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        self._session, self._region = session, region
        self._clients: dict[tuple[str, str], Any] = {}

    def build_client(self, service: str, region: str | None = None) -> Any:
        key = service, region or self._region
        if key not in self._clients:
            with _making:
                if key not in self._clients:
                    self._clients[key] = self._session.client(service, region_name=key[1], config=RETRIES)
        return self._clients[key]


_making = threading.Lock()  # a session is not made for several threads, the clients that it makes are


@dataclass(frozen=True)
class AccountPlan:
    """Which accounts and Regions, and how to get in. No accounts: the caller's own."""

    accounts: Sequence[str]
    regions: Sequence[str]
    home_region: str
    role_name: str | None = None
    profile: str | None = None


def assess_accounts(judge: Judge, plan: AccountPlan, progress: Callable[[str], None] = lambda _: None) -> Assessment:
    """Assess every account and Region of the plan; one that cannot be read is named, and the others are still reported.

    Raises SourceError when there are no credentials at all.
    """
    session, own = _caller(plan)
    accounts = list(plan.accounts) or [own]
    sources = [f"account {account} in {region}" for account in accounts for region in plan.regions]
    results: list[Result] = []
    problems: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        sessions = dict(zip(accounts, pool.map(lambda account: _entered(session, own, account, plan), accounts), strict=True))
        work = []
        for account, entered in sessions.items():
            if isinstance(entered, str):
                problems.append(f"account {account}: {entered}")
                results += judge.unreadable(account, plan.home_region, entered)
                continue
            work += [(account, region, entered) for region in plan.regions]
        places = []
        for (account, region, _), (part, problem) in zip(
            work, pool.map(lambda w: _assessed(judge, plan, w[0], w[1], w[2], progress), work), strict=True
        ):
            results += part
            problems += problem
            places += [] if problem else [(account, region)]
    return Assessment(sources, sorted(results, key=Result.order), problems, places=frozenset(places))


def _caller(plan: AccountPlan) -> tuple[boto3.Session, str]:
    try:
        session = boto3.Session(profile_name=plan.profile, region_name=plan.home_region)
        return session, str(session.client("sts", config=RETRIES).get_caller_identity()["Account"])
    except (NoCredentialsError, ProfileNotFound) as error:
        raise SourceError(f"no usable AWS credentials ({error}): sign in, or name a profile with --profile") from None
    except (ClientError, BotoCoreError) as error:
        raise SourceError(f"the AWS credentials cannot be used ({error}): sign in again, or use another --profile") from None


def _entered(session: boto3.Session, own: str, account: str, plan: AccountPlan) -> boto3.Session | str:
    """A session in the account, or why there is none."""
    if account == own and not plan.role_name:
        return session
    if not plan.role_name:
        return f"is not the caller's own ({own}); name the role to assume there with --role-name"
    arn = f"arn:aws:iam::{account}:role/{plan.role_name}"
    try:
        keys = session.client("sts", config=RETRIES).assume_role(RoleArn=arn, RoleSessionName="pci-config-assess")[
            "Credentials"
        ]
    except (ClientError, BotoCoreError) as error:
        return f"{arn} cannot be assumed ({error})"
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=plan.home_region)


def _assessed(
    judge: Judge, plan: AccountPlan, account: str, region: str, session: boto3.Session, progress: Callable[[str], None]
) -> tuple[list[Result], list[str]]:
    clients = SessionClients(session, region)
    chosen = [
        collector
        for collector in for_types(judge.needed_types)
        if not collector.recorded_in or region == plan.home_region  # once per account, whichever Regions were asked for
    ]

    def read(collector: Collector) -> tuple[list[Any], str]:
        """What could be read, and what stopped it."""
        where = region if collector.recorded_in in (None, HOME_REGION) else collector.recorded_in
        found: list[Any] = []
        try:
            found.extend(collector.deferred(clients, account, where, datetime.now(UTC)))
        except (ClientError, BotoCoreError) as error:
            return found, f"{', '.join(collector.resource_types)} cannot be read: {error}"
        return found, ""

    items: list[Any] = []
    results: list[Result] = []
    problems: list[str] = []
    for collector, (found, message) in zip(chosen, each(read, chosen), strict=True):
        items += found
        if message:
            problems.append(f"account {account} in {region}: {message}")
            hit = [e for e in judge.entries if set(e.resource_types) & set(collector.resource_types)]
            results += Judge(hit, judge.settings, judge.rule_parameters, now=judge.now).unreadable(account, region, message)
    results += assess_live(judge, items, clients, account, region, region == plan.home_region)
    progress(f"{account} {region}")
    return results, problems
