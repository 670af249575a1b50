"""Conformance packs of the deploying account alone, for `--single-account`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.changes import CREATE, DELETE, RETRY, UNCHANGED, UPDATE, Change
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import PackSpec
from pci_config.deploy.packs import PACK
from pci_config.deploy.problems import Failure, code_of, doing
from pci_config.deploy.release import Store
from pci_config.deploy.waiting import Course, until, when_free
from pci_config.org_names import current_pack_key, pack_key


def read_own_pack(deployer: Deployer, name: str, region: str) -> Mapping[str, Any] | None:
    with doing(f"read the pack {name} in {region} (config:DescribeConformancePackStatus)"):
        try:
            client = deployer.client("config", region)
            found = client.describe_conformance_pack_status(ConformancePackNames=[name])["ConformancePackStatusDetails"]
        except ClientError as error:
            if code_of(error) == "NoSuchConformancePackException":
                return None
            raise
    return next((entry for entry in found if entry["ConformancePackName"] == name), None)


def own_pack_change(deployer: Deployer, store: Store, spec: PackSpec) -> Change:
    pack = read_own_pack(deployer, spec.name, spec.region)
    if pack is None:
        return Change(PACK, spec.name, spec.region, CREATE)
    noted = store.document(spec.region, current_pack_key(spec.name, spec.region)) or {}
    if not noted.get("put") or noted.get("sha256") != spec.template:
        return Change(PACK, spec.name, spec.region, UPDATE, ("template",))
    if pack["ConformancePackState"].endswith("_FAILED"):
        return Change(PACK, spec.name, spec.region, RETRY, (str(pack.get("ConformancePackStatusReason") or "it failed"),))
    return Change(PACK, spec.name, spec.region, UNCHANGED)


def roll_out_own_pack(deployer: Deployer, store: Store, spec: PackSpec) -> Course[list[Failure]]:
    """Put the pack where it differs or failed, and wait for it."""
    config, key = deployer.client("config", spec.region), current_pack_key(spec.name, spec.region)
    with doing(f"deploy the pack {spec.name} in {spec.region}"):
        yield from _settled(deployer, spec.name, spec.region)
        change = own_pack_change(deployer, store, spec)
        if change.action != UNCHANGED:
            deployer.tell(str(change))
            note = {"sha256": spec.template, "version": deployer.version, "time": datetime.now(UTC).isoformat()}
            store.put_document(spec.region, key, {**note, "put": False})
            place = f"s3://{deployer.bucket(spec.region)}/{pack_key(spec.template)}"
            yield from when_free(config.put_conformance_pack, ConformancePackName=spec.name, TemplateS3Uri=place)
            store.put_document(spec.region, key, {**note, "put": True})
            yield
        pack = yield from _settled(deployer, spec.name, spec.region)
    if pack and pack["ConformancePackState"].endswith("_FAILED"):
        reason = str(pack.get("ConformancePackStatusReason") or "")
        return [Failure.because(deployer.account, spec.region, spec.name, reason)]
    return []


def delete_own_pack(deployer: Deployer, name: str, region: str) -> Course[list[Failure]]:
    with doing(f"delete the pack {name} in {region}"):
        if (yield from _settled(deployer, name, region)) is None:
            return []
        deployer.tell(str(Change(PACK, name, region, DELETE)))
        yield from when_free(deployer.client("config", region).delete_conformance_pack, ConformancePackName=name)
        yield
        left = yield from _settled(deployer, name, region)
    reason = str((left or {}).get("ConformancePackStatusReason") or "")
    return [Failure.because(deployer.account, region, name, reason)] if left else []


def _settled(deployer: Deployer, name: str, region: str) -> Course[Mapping[str, Any] | None]:
    """The pack when nothing is under way; None when there is none."""

    def look() -> tuple[Mapping[str, Any] | None] | None:
        pack = read_own_pack(deployer, name, region)
        return None if pack and pack["ConformancePackState"].endswith("_IN_PROGRESS") else (pack,)

    return (yield from until(look))[0]
