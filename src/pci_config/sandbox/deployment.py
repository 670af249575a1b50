"""Puts the real artefacts into the sandbox's accounts: templates, bundle and packs, as `pci-config build` writes them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pci_config.build import BUNDLE
from pci_config.document_stacks import PATTERN
from pci_config.pack_limits import TEMPLATE_BODY, TEMPLATE_S3_URI, delivery
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.server import MotoServer

GLOBAL_TEMPLATE, REGIONAL_TEMPLATE = "org_setup/member_global/template.yaml", "org_setup/member_regional/template.yaml"
PACKS = {"regional": ("pci-dss", "conformance_pack.yaml"), "global": ("pci-dss-global", "conformance_pack_global.yaml")}


def deploy(server: MotoServer, root: Path, rdk_json: RdkJson, progress: Callable[[str], None] = lambda _: None) -> None:
    """Roles in the home Region, function and documents in every Region, then the packs, in every account."""
    document_stacks = {path.parent.name: path.read_text("utf-8") for path in sorted(root.glob(PATTERN))}
    key = f"bundles/{hashlib.sha256((root / BUNDLE).read_bytes()).hexdigest()}.zip"
    templates = {name: (root / name).read_text("utf-8") for name in (GLOBAL_TEMPLATE, REGIONAL_TEMPLATE)}
    packs = {scope: (root / path).read_text("utf-8") for scope, (_, path) in PACKS.items()}
    settings = rdk_json.settings
    (deployer, *_) = settings.accounts_of("delegated_admin")
    for region in settings.regions:
        _artefacts(server, deployer, region, root / BUNDLE, key)
    for account_id in [account for ids in settings.accounts.values() for account in ids]:
        progress(account_id)
        for region in settings.regions:
            home = region == settings.home_region
            clients = server.clients(account_id, region)
            formation = clients.build_client("cloudformation")
            if home:
                _stack(formation, "pci-config-member-global", templates[GLOBAL_TEMPLATE], {})
            parameters = {"CodeBucket": _bucket(region), "CodeKey": key}
            _stack(formation, "pci-config-member-regional", templates[REGIONAL_TEMPLATE], parameters)
            for name, text in document_stacks.items():
                _stack(formation, f"pci-config-{name.replace('_', '-')}", text, {})
            config = clients.build_client("config")
            for scope, text in packs.items():
                if scope == "regional" or home:
                    # an organization pack names the deployer's role; Config puts the member's account id in its place
                    body = text.replace(f"arn:aws:iam::{deployer}:role/", f"arn:aws:iam::{account_id}:role/")
                    template = _delivered(clients.build_client("s3"), region, f"{account_id}/{PACKS[scope][1]}", body)
                    config.put_conformance_pack(ConformancePackName=PACKS[scope][0], **template)


def _delivered(s3: Any, region: str, key: str, body: str) -> dict[str, str]:
    """How the request names a template: in itself, or by its place in the Region's bucket when it is too long for that."""
    if delivery(body) == TEMPLATE_BODY:
        return {TEMPLATE_BODY: body}
    s3.put_object(Bucket=_bucket(region), Key=f"packs/{key}", Body=body.encode())
    return {TEMPLATE_S3_URI: f"s3://{_bucket(region)}/packs/{key}"}


def _bucket(region: str) -> str:
    return f"card-issuer-pci-config-{region}"


def _artefacts(server: MotoServer, deployer: str, region: str, bundle: Path, key: str) -> None:
    s3 = server.clients(deployer, region).build_client("s3")
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=_bucket(region), **where)
    s3.put_object(Bucket=_bucket(region), Key=key, Body=bundle.read_bytes())


def _stack(formation: object, name: str, template: str, parameters: dict[str, str]) -> None:
    """moto only warns about types that it does not know; here that is an error, since nothing would be deployed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        formation.create_stack(  # type: ignore[attr-defined]
            StackName=name,
            TemplateBody=template,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]  # type: ignore[attr-defined]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = formation.describe_stack_events(StackName=name)["StackEvents"]  # type: ignore[attr-defined]
        raise RuntimeError(f"{name}: {events[0].get('ResourceStatusReason')}")
