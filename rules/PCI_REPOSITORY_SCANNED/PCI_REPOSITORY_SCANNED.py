"""PCI_REPOSITORY_SCANNED: every image that is pushed is scanned, and no tag moves to another image afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pci_config.image_scanning import (
    IMMUTABLE_EXCEPT,
    RegistryScanning,
    mutability_fault,
    registry_scanning,
    scanning_fault,
)
from pci_config.rule import (
    Clients,
    Facts,
    Finding,
    Item,
    Lookup,
    NotAssessed,
    PciRule,
    RuleInputError,
    Scope,
    compliant,
    counted,
    flag,
    non_compliant,
    optional,
    reading,
    required,
    words,
)

REPOSITORY = "AWS::ECR::Repository"
SUFFIX = " [PCI 6.3.1, 11.3.1]"


@dataclass(frozen=True, slots=True)
class RepositoryParameters:
    """`enhanced_only`: basic scanning is not enough. `mutable_tags`: exclusion filters that immutable repositories may have,
    written as they are there."""

    enhanced_only: bool = flag(False)
    immutable_tags: bool = flag(True)
    mutable_tags: tuple[str, ...] = words(pattern=r"[A-Za-z0-9._*-]{1,128}", expected="tag filters, separated by commas")


class RegistryScanningConfiguration(Lookup[RegistryScanning]):
    """How the account's registry scans in the Region. AWS Config does not record it."""

    actions = ("ecr:GetRegistryScanningConfiguration",)

    @classmethod
    def live(cls, clients: Clients, scope: Scope, *key: str) -> RegistryScanning:
        found = clients.build_client("ecr", scope.region).get_registry_scanning_configuration()
        with reading("GetRegistryScanningConfiguration"):
            return registry_scanning(found.get("scanningConfiguration") or {})


class PciRepositoryScanned(PciRule):
    """Every repository scans what is pushed to it, by the registry's rules or its own setting, and its tags are immutable.

    PCI DSS 4.0.1: 6.3.1, 11.3.1. 3.2.1: 6.1, 11.2. Source: Amazon ECR user guide, image scanning (basic, enhanced, filters) and
    image tag mutability; API reference, ImageTagMutability.

    | registry | repository | verdict |
    |---|---|---|
    | enhanced | a rule fits its name: continuous scan, or scan on push | compliant |
    | enhanced | no rule fits its name | non-compliant: the repository's own setting no longer counts |
    | basic | a rule with scan on push fits its name, or its own setting is scan on push | compliant, unless EnhancedOnly |
    | basic | neither: scanned only when somebody starts it | non-compliant |
    | any | tags IMMUTABLE, or IMMUTABLE_WITH_EXCLUSION of nothing but MutableTags | compliant |
    | any | tags MUTABLE, MUTABLE_WITH_EXCLUSION, or other exclusions | non-compliant, unless ImmutableTags is false |

    Whether the scans give results is PCI_RUNNING_IMAGE_SCANNED's question.
    """

    resource_types = (REPOSITORY,)
    parameters = RepositoryParameters
    lookups = (RegistryScanningConfiguration,)
    sweeps = True  # the registry's rules are not part of the item

    def decide(self, item: Item, parameters: RepositoryParameters, facts: Facts) -> Finding:
        name = required(item, "configuration.RepositoryName", str)
        own = optional(item, "configuration.ImageScanningConfiguration.ScanOnPush", bool, False)
        mutable = tags_fault(item, parameters) if parameters.immutable_tags else None
        try:
            registry = facts.get(RegistryScanningConfiguration)
        except NotAssessed:
            if not mutable:
                raise
            return non_compliant(f"{mutable}{SUFFIX}")
        unscanned = scanning_fault(name, own, registry, parameters.enhanced_only)
        problems = [fault for fault in (unscanned, mutable) if fault]
        if problems:
            return non_compliant(counted(problems, "problem", SUFFIX))
        tags = "tags are immutable" if parameters.immutable_tags else "tags are not judged"
        return compliant(f"{scanned_how(name, own, registry)}; {tags}")


def scanned_how(name: str, own: bool, registry: RegistryScanning) -> str:
    frequency = registry.frequency_of(name)
    if registry.enhanced:
        return "enhanced scanning, " + ("continuous" if frequency == "CONTINUOUS_SCAN" else "on push")
    return "basic scanning on push, by " + ("the repository's own setting" if frequency == "MANUAL" and own else "the registry")


def tags_fault(item: Item, parameters: RepositoryParameters) -> str | None:
    where = "configuration.ImageTagMutability"
    mutability = required(item, where, str)
    exclusions = excluded_tags(item) if mutability == IMMUTABLE_EXCEPT else []
    try:
        return mutability_fault(mutability, exclusions, parameters.mutable_tags)
    except ValueError as error:
        raise RuleInputError(f"{where} is {error}") from None


def excluded_tags(item: Item) -> list[str]:
    where = "configuration.ImageTagMutabilityExclusionFilters"
    with reading(where):
        found: list[Mapping[str, str]] = optional(item, where, list, [])
        return [str(each["ImageTagMutabilityExclusionFilterValue"]) for each in found]


lambda_handler = PciRepositoryScanned.as_lambda_handler()
