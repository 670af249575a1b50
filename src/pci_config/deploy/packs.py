"""Organization conformance packs: what differs, and the courses that put them, mend them and take them away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.changes import CREATE, DELETE, RETRY, UNCHANGED, UPDATE, Change
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import PackSpec
from pci_config.deploy.problems import Failure, code_of, doing
from pci_config.deploy.release import Store
from pci_config.deploy.waiting import Course, until, when_free
from pci_config.org_names import current_pack_key, pack_key

PACK = "pack"
NO_SUCH_PACK = "NoSuchOrganizationConformancePackException"
PUTS = 3  # of one run: function, documents or role may be known to Config a little later than they are there
# words of a reason that passes once the account's stacks are there: putting the pack again helps
PASSING = (
    "cannot be invoked",
    "InsufficientPermissions",
    "ResourceNotFound",
    "Function not found",
    "ocument",
    "does not exist",
)
NOT_REACHED = "the pack has not reached the account"
NOT_READY = "the pack failed because the account's stacks did (see there)"
STUCK = ("ROLLBACK_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE state", "cannot be updated")


@dataclass(frozen=True)
class PackState:
    """`template`: its hash, or empty when a run that put it did not come to note that it had."""

    status: str
    excluded: frozenset[str]
    template: str
    accounts: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # status and reason

    @property
    def under_way(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")

    def failed(self, among: frozenset[str]) -> dict[str, str]:
        return {a: reason for a, (status, reason) in sorted(self.accounts.items()) if status.endswith("_FAILED") and a in among}


def read_status(deployer: Deployer, name: str, region: str) -> str | None:
    """The pack's status; None when there is no such pack."""
    with doing(f"read the pack {name} in {region} (config:DescribeOrganizationConformancePackStatuses)"):
        client = deployer.client("config", region)
        try:
            found = client.describe_organization_conformance_pack_statuses(OrganizationConformancePackNames=[name])
        except ClientError as error:
            if code_of(error) == NO_SUCH_PACK:
                return None
            raise
    statuses = found["OrganizationConformancePackStatuses"]
    return str(statuses[0]["Status"]) if statuses else None


def read_pack(deployer: Deployer, store: Store, name: str, region: str) -> PackState | None:
    status = read_status(deployer, name, region)
    if status is None:
        return None
    with doing(f"read the pack {name} in {region} (config:GetOrganizationConformancePackDetailedStatus)"):
        client = deployer.client("config", region)
        described = client.describe_organization_conformance_packs(OrganizationConformancePackNames=[name])
        detailed = deployer.pages(
            "config",
            "get_organization_conformance_pack_detailed_status",
            "OrganizationConformancePackDetailedStatuses",
            region,
            OrganizationConformancePackName=name,
            Limit=100,
        )
        accounts = {entry["AccountId"]: (entry["Status"], _reason(entry)) for entry in detailed}
    (pack,) = described["OrganizationConformancePacks"]
    noted = store.document(region, current_pack_key(name, region)) or {}
    template = noted.get("sha256", "") if noted.get("put") else ""
    return PackState(status, frozenset(pack.get("ExcludedAccounts") or ()), template, accounts)


def _reason(entry: Mapping[str, Any]) -> str:
    return ": ".join(str(entry[key]) for key in ("ErrorCode", "ErrorMessage") if entry.get(key))


def pack_change(deployer: Deployer, spec: PackSpec, state: PackState | None) -> Change:
    """What has to be done to the pack of one Region."""
    if state is None:
        return Change(PACK, spec.name, spec.region, CREATE)
    told = list[str]()
    if not state.template:
        told.append("template: what is deployed is not known, for a run was interrupted")
    elif state.template != spec.template:
        told.append("template")
    if state.excluded != spec.excluded:
        more, fewer = sorted(spec.excluded - state.excluded), sorted(state.excluded - spec.excluded)
        told += [f"exclude {', '.join(more)}"] if more else []
        told += [f"include {', '.join(fewer)}"] if fewer else []
    failed = state.failed(deployer.pack_accounts)
    if failed:
        told.append(f"try again in {', '.join(failed)}")
    action = RETRY if failed and len(told) == 1 else UPDATE if told else UNCHANGED
    return Change(PACK, spec.name, spec.region, action, tuple(told))


@dataclass
class PackRollout:
    """Of one pack in one Region. `unready`: accounts without the function; to put the pack again does not help them."""

    deployer: Deployer
    store: Store
    spec: PackSpec
    unready: frozenset[str] = frozenset()

    def run(self) -> Course[list[Failure]]:
        """Put the pack where it differs or failed, wait for every account, and again for those that were not ready."""
        spec = self.spec
        with doing(f"deploy the pack {spec.name} in {spec.region}"):
            yield from self._settled()
            change = pack_change(self.deployer, spec, self._read())
            if change.action == UNCHANGED:
                return self._failures()
            self.deployer.tell(str(change))
            for attempt in range(PUTS):
                yield from self._put(spec.excluded)
                failed = self._failed()
                stuck = [a for a, reason in failed.items() if any(word in reason for word in STUCK)]
                ready = {account: reason for account, reason in failed.items() if account not in self.unready}
                passing = [a for a, reason in ready.items() if any(word in reason for word in PASSING)]
                if not (stuck or passing) or attempt == PUTS - 1:
                    break
                self.deployer.tell(f"{spec.name} in {spec.region}: try again in {', '.join(sorted({*stuck, *passing}))}")
                if stuck:  # taking the account out deletes what is stuck there
                    yield from self._put(spec.excluded.union(stuck))
            return self._failures()

    def _put(self, excluded: frozenset[str]) -> Course[None]:
        """Put and wait. The note of what is deployed is made in two steps: between them nobody knows."""
        spec, config = self.spec, self.deployer.client("config", self.spec.region)
        key = current_pack_key(spec.name, spec.region)
        note = {"sha256": spec.template, "version": self.deployer.version, "time": datetime.now(UTC).isoformat()}
        self.store.put_document(spec.region, key, {**note, "put": False})
        yield from when_free(
            config.put_organization_conformance_pack,
            OrganizationConformancePackName=spec.name,
            TemplateS3Uri=f"s3://{self.deployer.bucket(spec.region)}/{pack_key(spec.template)}",
            ExcludedAccounts=sorted(excluded),
        )
        self.store.put_document(spec.region, key, {**note, "put": True})
        yield
        yield from self._settled()

    def _settled(self) -> Course[None]:
        """Wait until nothing is under way, in no account either."""

        def look() -> bool | None:
            status = read_status(self.deployer, self.spec.name, self.spec.region)
            if status is None or status.endswith("_IN_PROGRESS"):
                return None if status else True
            state = self._read()
            unfinished = state and any(status.endswith("_IN_PROGRESS") for status, _ in state.accounts.values())
            return None if unfinished else True

        yield from until(look)

    def _failed(self) -> dict[str, str]:
        state = self._read()
        return state.failed(self.deployer.pack_accounts) if state else {}

    def _failures(self) -> list[Failure]:
        """Accounts where the pack failed, and those that Config does not name."""
        state, spec = self._read(), self.spec
        if state is None:
            return []
        failed = state.failed(self.deployer.pack_accounts)
        failed |= dict.fromkeys(self.deployer.pack_accounts - set(state.accounts), NOT_REACHED)
        return [Failure.because(account, spec.region, spec.name, reason) for account, reason in sorted(failed.items())]

    def _read(self) -> PackState | None:
        return read_pack(self.deployer, self.store, self.spec.name, self.spec.region)


def delete_pack(deployer: Deployer, store: Store, name: str, region: str) -> Course[list[Failure]]:
    """Delete the pack and wait until no account has it."""
    with doing(f"delete the pack {name} in {region}"):
        client = deployer.client("config", region)
        yield from until(lambda: None if (read_status(deployer, name, region) or "").endswith("_IN_PROGRESS") else True)
        if read_status(deployer, name, region) is None:
            return []
        deployer.tell(str(Change(PACK, name, region, DELETE)))
        yield from when_free(client.delete_organization_conformance_pack, OrganizationConformancePackName=name)
        yield
        yield from until(lambda: None if (read_status(deployer, name, region) or "").endswith("_IN_PROGRESS") else True)
        state = read_pack(deployer, store, name, region)
    if state is None or state.status == "DELETE_SUCCESSFUL":
        return []
    failed = {account: reason for account, (status, reason) in state.accounts.items() if status == "DELETE_FAILED"}
    return [Failure.because(account, region, name, reason) for account, reason in sorted(failed.items())] or [
        Failure.because("", region, name, f"the pack is {state.status}")
    ]
