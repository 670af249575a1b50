"""How the deployment is, account by account and Region by Region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pci_config.deploy.deployer import Deployer
from pci_config.deploy.destroy import PACKS, own_member_stacks
from pci_config.deploy.own_packs import read_own_pack
from pci_config.deploy.packs import PackState, read_pack
from pci_config.deploy.problems import account_fix
from pci_config.deploy.release import Release, Store
from pci_config.deploy.stack_sets import StackSetState, names_of_stack_sets, read_stack_set
from pci_config.deploy.stacks import read_stack
from pci_config.org_names import GLOBAL_PACK, GLOBAL_STACK_SET, REGIONAL_STACK_SET

ABSENT, CURRENT = "ABSENT", "CURRENT"
WELL = (CURRENT, "CREATE_SUCCESSFUL", "UPDATE_SUCCESSFUL", "CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass
class PlaceStatus:
    """`bundle`: SHA-256 of the function's code; None: not known, for its stack is not as the StackSet says."""

    account: str
    region: str
    stacks: dict[str, str] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)
    bundle: str | None = None
    errors: list[dict[str, str]] = field(default_factory=list)

    def add_error(self, of: str, reason: str) -> None:
        self.errors.append({"of": of, "reason": reason, "fix": account_fix(reason)})

    @property
    def well(self) -> bool:
        return not self.errors and all(status in WELL for status in (*self.stacks.values(), *self.packs.values()))


@dataclass(frozen=True)
class Status:
    account: str
    organization: str
    release: Release | None
    completed: bool
    places: tuple[PlaceStatus, ...]

    @property
    def well(self) -> bool:
        return bool(self.places) and self.completed and all(place.well for place in self.places)

    def document(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "organization": self.organization or None,
            "release": self.release.document() if self.release else None,
            "completed": self.completed,
            "well": self.well,
            "accounts": [{**asdict(place), "well": place.well} for place in self.places],
        }


def read_everything(deployer: Deployer, store: Store) -> Status:
    history = store.history()
    places = _own_places(deployer) if deployer.single else _places(deployer, store)
    organization = "" if deployer.single else deployer.organization.id
    return Status(deployer.account, organization, history.newest, bool(history.newest) and history.completed, tuple(places))


def _places(deployer: Deployer, store: Store) -> Iterable[PlaceStatus]:
    """Every account in every Region, also where nothing is. Stacks of the management account are its own: its packs tell."""
    found = {(a, r): PlaceStatus(a, r) for a in sorted(deployer.pack_accounts) for r in deployer.regions}
    states = {name: read_stack_set(deployer, name) for name in names_of_stack_sets(deployer)}
    states = {GLOBAL_STACK_SET: None, REGIONAL_STACK_SET: None, **states}
    for name, state in states.items():
        _add_stacks(deployer, found, name, state)
    for region in deployer.regions:
        for name in PACKS:
            if name != GLOBAL_PACK or region == deployer.home:
                _add_pack(found, name, region, read_pack(deployer, store, name, region))
    return found.values()


def _add_stacks(deployer: Deployer, places: Mapping[Any, PlaceStatus], name: str, state: StackSetState | None) -> None:
    parameters = (
        {p["ParameterKey"]: p.get("ParameterValue") for p in (state.described.get("Parameters") or ())} if state else {}
    )
    bundle = str(parameters.get("CodeKey") or "").removeprefix("bundles/").removesuffix(".zip")
    for (account, region), place in places.items():
        if (name == GLOBAL_STACK_SET and region != deployer.home) or account not in deployer.organization.members:
            continue
        instance = state.instances.get((account, region)) if state else None
        place.stacks[name] = instance.status if instance else ABSENT
        if instance and instance.status == CURRENT:
            place.bundle = bundle or place.bundle
        elif instance:
            place.add_error(name, instance.failure)


def _add_pack(places: Mapping[Any, PlaceStatus], name: str, region: str, state: PackState | None) -> None:
    for (account, where), place in places.items():
        if where == region:
            status, reason = (state.accounts.get(account) if state else None) or (ABSENT, "")
            place.packs[name] = status
            if status.endswith("_FAILED"):
                place.add_error(name, reason)


def _own_places(deployer: Deployer) -> Iterable[PlaceStatus]:
    found = {region: PlaceStatus(deployer.account, region) for region in deployer.regions}
    stacks = defaultdict[str, set[str]](set, {GLOBAL_STACK_SET: {deployer.home}, REGIONAL_STACK_SET: set(deployer.regions)})
    for name, region in own_member_stacks(deployer):
        stacks[name].add(region)
    for name, regions in sorted(stacks.items()):
        for region in regions:
            stack = read_stack(deployer, name, region)
            status = found[region].stacks[name] = stack["StackStatus"] if stack else ABSENT
            code = {p["ParameterKey"]: p.get("ParameterValue") for p in (stack or {}).get("Parameters") or ()}.get("CodeKey")
            found[region].bundle = code.removeprefix("bundles/").removesuffix(".zip") if code else found[region].bundle
            if stack and status not in WELL:
                found[region].add_error(name, str(stack.get("StackStatusReason") or f"the stack is {status}"))
    for region, place in found.items():
        for name in PACKS if region == deployer.home else PACKS[:1]:
            pack = read_own_pack(deployer, name, region)
            place.packs[name] = pack["ConformancePackState"] if pack else ABSENT
            if place.packs[name].endswith("_FAILED"):
                place.add_error(name, str((pack or {}).get("ConformancePackStatusReason") or ""))
    return found.values()
