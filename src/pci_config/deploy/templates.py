"""What a template says about itself, and how a request names it and its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import yaml

from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import StackSpec
from pci_config.deploy.problems import DeployError
from pci_config.deploy.release import Store
from pci_config.org_names import template_key
from pci_config.pack_limits import MAX_TEMPLATE_BYTES

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SUFFIXES = {"cn": "amazonaws.com.cn"}


@lru_cache(maxsize=32)
def parameters_of(text: str) -> dict[str, dict[str, Any]]:
    """The parameters that the template declares."""
    declared: dict[str, dict[str, Any]] = yaml.load(text, LOADER).get("Parameters") or {}  # noqa: S506 - a safe loader
    return declared


@lru_cache(maxsize=32)
def same_template(one: str, other: str) -> bool:
    """Equal but for white space and comments. CloudFormation may give a template back in another layout."""
    return one == other or yaml.load(one, LOADER) == yaml.load(other, LOADER)  # noqa: S506 - as above


def place(deployer: Deployer, text: str, sha256: str) -> dict[str, str]:
    """The member of the request that has the template: its text, or its place in the home Region's bucket if it is long."""
    if len(text.encode()) <= MAX_TEMPLATE_BYTES:
        return {"TemplateBody": text}
    region = deployer.home
    suffix = SUFFIXES.get(region.split("-")[0], "amazonaws.com")
    return {"TemplateURL": f"https://{deployer.bucket(region)}.s3.{region}.{suffix}/{template_key(sha256)}"}


def parameter_list(spec: StackSpec, store: Store, kept: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Values that we set; `kept` are parameters of what is there: those that we do not set stay, such as the fixes' switch."""
    declared = parameters_of(store.text(template_key(spec.template)))
    unknown = sorted(set(spec.parameters) - set(declared))
    if unknown:
        raise DeployError(
            f"{spec.name}: the template has no parameter {', '.join(unknown)}: it was built by another version of pci-config",
            "use the version of pci-config that built it, or run `pci-config build` and deploy that",
        )
    missing = sorted(
        name for name, of in declared.items() if "Default" not in of and name not in spec.parameters and name not in kept
    )
    if missing:
        raise DeployError(
            f"{spec.name}: the template wants {', '.join(missing)}, which this version of pci-config does not set",
            "use the version of pci-config that built it, or run `pci-config build` and deploy that",
        )
    previous = [name for name in kept if name in declared and name not in spec.parameters]
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in spec.parameters.items()),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in previous),
    ]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def parameter_differences(spec: StackSpec, present: Iterable[Mapping[str, Any]]) -> list[str]:
    """Parameters that we set and that have another value."""
    values = {entry["ParameterKey"]: entry.get("ParameterValue") for entry in present}
    return [
        f"parameter {name}: {values.get(name) or 'not set'} -> {wanted or 'empty'}"
        for name, wanted in spec.parameters.items()
        if (values.get(name) or "") != wanted
    ]
