"""What is deployed together: bundle, templates and packs by their hash; where they lie, and which came before.

Everything is in the artefacts buckets. `releases/current.json` in the home Region names the releases, the newest last, and
whether the last one was finished, so that a rollback which was interrupted goes on and does not go back twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pci_config.deploy.deployer import Deployer, absent
from pci_config.deploy.problems import DeployError, doing
from pci_config.org_names import GLOBAL_PACK, REGIONAL_PACK, bundle_key, pack_key, template_key

CURRENT_KEY = "releases/current.json"
KEPT_RELEASES = 20
PACK_FILES = {REGIONAL_PACK: "conformance_pack.yaml", GLOBAL_PACK: "conformance_pack_global.yaml"}
TEMPLATE_FILE = "template.yaml"
OWN_TEMPLATES = ("artifacts", "delegated_admin")


@dataclass(frozen=True)
class Release:
    """SHA-256 of everything, templates by folder of org_setup, packs by name."""

    version: str
    bundle: str
    templates: Mapping[str, str]
    packs: Mapping[str, str]

    @property
    def id(self) -> str:
        """The same for the same content, whatever version it calls itself."""
        content = {"bundle": self.bundle, "templates": dict(self.templates), "packs": dict(self.packs)}
        return sha256(json.dumps(content, sort_keys=True).encode())

    def document(self) -> dict[str, Any]:
        return {"id": self.id, **asdict(self)}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Release:
        return cls(document["version"], document["bundle"], document["templates"], document["packs"])

    def keys(self, home: bool) -> list[str]:
        """Objects that a Region's bucket needs. StackSets are administered in the home Region."""
        found = [bundle_key(self.bundle), *map(pack_key, self.packs.values())]
        return found + list(map(template_key, self.templates.values())) if home else found


@dataclass(frozen=True)
class History:
    """Releases, the newest last; all but the newest were rolled out. `completed`: the newest was, too, perhaps with failures
    inside the tolerance; `rollback`: by going back to it."""

    releases: tuple[Release, ...] = ()
    completed: bool = True
    rollback: bool = False

    @property
    def newest(self) -> Release | None:
        return self.releases[-1] if self.releases else None

    def begun(self, release: Release) -> History:
        """With the release as the newest. It takes the place of one that never was rolled out: nobody goes back to that."""
        if self.newest and self.newest.id == release.id:
            return self if not self.rollback else History(self.releases, self.completed)
        before = self.releases if self.completed else self.releases[:-1]
        return History((*before, release)[-KEPT_RELEASES:], False)

    def gone_back(self) -> History:
        """With the one before as the newest; a rollback that was not finished goes on. Raises DeployError."""
        if self.rollback and not self.completed:
            return self
        if len(self.releases) < 2:
            raise DeployError(
                "there is no release before the present one", "check out the commit that you want and run `pci-config deploy`"
            )
        return History(self.releases[:-1], False, True)

    def ended(self) -> History:
        return History(self.releases, True, self.rollback)


@dataclass
class Store:
    """The artefacts: what was built here, and what lies in the buckets."""

    deployer: Deployer
    local: Mapping[str, bytes] = field(default_factory=dict)
    _read: dict[str, bytes] = field(default_factory=dict)

    def text(self, key: str) -> str:
        return self.content(key).decode()

    def content(self, key: str) -> bytes:
        if key in self.local:
            return self.local[key]
        if key not in self._read:
            found = self._get(key)
            if found is None:
                raise DeployError(
                    f"s3://{self.deployer.bucket(self.deployer.home)}/{key} is missing",
                    "check out the commit of that release and run `pci-config deploy`",
                )
            self._read[key] = found
        return self._read[key]

    def upload(self, region: str, keys: Iterable[str]) -> int:
        """Put what is not there; a key has its content's hash, so what is there is right. Returns how many were put."""
        s3, where = self.deployer.client("s3", region), self._where(region)
        put = 0
        with doing(f"write to {where['Bucket']} in {region}"):
            for key in keys:
                try:
                    s3.head_object(Key=key, **where)
                except ClientError as error:
                    if not absent(error):
                        raise
                    s3.put_object(Key=key, Body=self.content(key), **where)
                    put += 1
        return put

    def history(self) -> History:
        found = self.document(self.deployer.home, CURRENT_KEY)
        if not found:
            return History()
        releases = tuple(Release.of_document(entry) for entry in found["releases"])
        return History(releases, found["completed"], found["rollback"])

    def keep(self, history: History) -> None:
        document = {
            "releases": [release.document() for release in history.releases],
            "completed": history.completed,
            "rollback": history.rollback,
        }
        self.put_document(self.deployer.home, CURRENT_KEY, document)

    def document(self, region: str, key: str) -> dict[str, Any] | None:
        found = self._get(key, region)
        return json.loads(found) if found else None

    def put_document(self, region: str, key: str, document: Mapping[str, Any]) -> None:
        where = self._where(region)
        with doing(f"write s3://{where['Bucket']}/{key}"):
            self.deployer.client("s3", region).put_object(Key=key, Body=json.dumps(document, indent=1).encode(), **where)

    def _get(self, key: str, region: str = "") -> bytes | None:
        region = region or self.deployer.home
        where = self._where(region)
        with doing(f"read s3://{where['Bucket']}/{key}"):
            try:
                return bytes(self.deployer.client("s3", region).get_object(Key=key, **where)["Body"].read())
            except ClientError as error:
                if absent(error):
                    return None
                raise

    def _where(self, region: str) -> dict[str, str]:
        """The owner too: names of buckets can be guessed and taken by others."""
        return {"Bucket": self.deployer.bucket(region), "ExpectedBucketOwner": self.deployer.artefacts_account}


def built(deployer: Deployer, texts: Mapping[Path, str], bundle: bytes) -> tuple[Release, Store]:
    """The release of what was built. `texts` are the generated files by their path below the project's root."""
    (written_for, *_) = deployer.rdk_json.settings.accounts.get("delegated_admin") or (deployer.account,)
    own_role, built_role = (f"arn:aws:iam::{account}:role/" for account in (deployer.account, written_for))
    local = {bundle_key(sha256(bundle)): bundle}
    templates, packs = {}, {}
    for path, text in texts.items():
        name = path.parent.name
        if path.name == TEMPLATE_FILE and (name in OWN_TEMPLATES or name.startswith("member_")):
            templates[name] = sha256(text.encode())
            local[template_key(templates[name])] = text.encode()
    for pack, file in PACK_FILES.items():
        # the role that fixes run with is named for the account that deploys
        body = texts[Path(file)].replace(built_role, own_role).encode()
        packs[pack] = sha256(body)
        local[pack_key(packs[pack])] = body
    release = Release(deployer.version, sha256(bundle), templates, packs)
    return release, Store(deployer, local)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
