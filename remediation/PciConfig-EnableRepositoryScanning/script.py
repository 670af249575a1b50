"""Has a repository scan what is pushed, and makes its tags immutable where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from pci_config.image_scanning import IMMUTABLE_EXCEPT, mutability_fault, registry_scanning, scanning_fault
from pci_config.runbook import Change, Refused, aws, boolean, carry_out, put_back, require_own
from pci_config.tags import tag_map

NONE, WILDCARD = "none", "WILDCARD"
CONTINUOUSLY = "CONTINUOUS_SCAN"
MAX_FILTERS, MAX_EXCLUSIONS = 100, 5  # of a rule of the registry, of a repository (Amazon ECR API reference)


class Repository:
    """A repository of this account and Region. State: {"repository": DescribeRepositories' entry, "registry": how all scan}."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.resource_id = str(event["RepositoryName"])
        self._event = event

    def read(self) -> dict[str, Any] | None:
        try:
            (found,) = aws("ecr").describe_repositories(repositoryNames=[self.resource_id])["repositories"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                return None
            raise
        self.resource_arn = str(found["repositoryArn"])
        require_own(self._event, self.resource_arn)
        registry = aws("ecr").get_registry_scanning_configuration().get("scanningConfiguration") or {}
        return {"repository": found, "registry": registry}

    def record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Of the registry only what is about this repository alone: other repositories are fixed and restored beside it."""
        repository, registry = state["repository"], state["registry"]
        return {
            "ScanOnPush": own_setting(repository),
            "ImageTagMutability": repository["imageTagMutability"],
            "ExclusionFilters": sorted(exclusions_of(repository)),
            "RegistryScanType": registry.get("scanType", "BASIC"),
            "RegistryFilters": sorted(
                rule["scanFrequency"] for rule in registry.get("rules") or () if self._filter() in rule["repositoryFilters"]
            ),
        }

    def _filter(self) -> dict[str, str]:
        return {"filter": self.resource_id, "filterType": WILDCARD}

    def scan_on_push(self, wanted: bool, summary: str) -> Change:
        parameters = {"repositoryName": self.resource_id, "imageScanningConfiguration": {"scanOnPush": wanted}}
        return Change("ecr", "put_image_scanning_configuration", parameters, summary)

    def mutability(self, kind: str, filters: Sequence[str], summary: str) -> Change:
        parameters: dict[str, Any] = {"repositoryName": self.resource_id, "imageTagMutability": kind}
        if filters:
            parameters["imageTagMutabilityExclusionFilters"] = [{"filter": each, "filterType": WILDCARD} for each in filters]
        return Change("ecr", "put_image_tag_mutability", parameters, summary)


class RepositoryScanning(Repository):
    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(event)
        self._enhanced_only = boolean(event, "EnhancedOnly")
        self._judge_tags = boolean(event, "ImmutableTags")
        self._extend_registry = boolean(event, "ExtendRegistryRules")
        self._make_immutable = boolean(event, "MakeTagsImmutable")
        tags = str(event["MutableTags"])
        self._mutable_tags = [] if tags == NONE else [each.strip() for each in tags.split(",")]
        self._planned = False

    def tags(self, state: Mapping[str, Any]) -> Mapping[str, str]:
        return tag_map(aws("ecr").list_tags_for_resource(resourceArn=self.resource_arn).get("tags"))

    def changes(self, state: Mapping[str, Any]) -> Sequence[Change]:
        """What these parameters allow; Refused when that is nothing, and a problem is left."""
        left: list[str] = []
        try:
            found = [*self._scanned(state, left), *self._immutable(state["repository"], left)]
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"{self.resource_id}: Amazon ECR's answer is not understood ({error!r})") from None
        if left and not found and not self._planned:
            raise Refused(f"{self.resource_id}: {'; '.join(left)}; nothing done")
        if left and found:
            found[-1] = replace(found[-1], summary=f"{found[-1].summary} (left as it is: {'; '.join(left)})")
        self._planned = self._planned or bool(found)
        return found

    def _scanned(self, state: Mapping[str, Any], left: list[str]) -> Iterator[Change]:
        registry = registry_scanning(state["registry"])
        fault = scanning_fault(self.resource_id, own_setting(state["repository"]), registry, self._enhanced_only)
        if not fault:
            return
        if registry.enhanced and self._extend_registry:
            rules = self._with_filter(state["registry"].get("rules") or [])
            yield registry_rules(state["registry"], rules, f"scan {self.resource_id} continuously by a rule of the registry")
        elif registry.enhanced:
            left.append(f"{fault}; with ExtendRegistryRules true a rule of the registry gets one")
        elif self._enhanced_only:
            left.append("EnhancedOnly is true, and enhanced scanning is off: it is switched on for the registry, not here")
        else:
            yield self.scan_on_push(True, f"have {self.resource_id} scan on push")

    def _with_filter(self, rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The registry takes one rule for each frequency; what is there stays as it is."""
        if "__" in self.resource_id or "--" in self.resource_id:
            raise Refused(f"{self.resource_id}: Amazon ECR takes no such name as a filter; give the registry a wider one")
        extended = [{**rule, "repositoryFilters": list(rule["repositoryFilters"])} for rule in rules]
        continuous = [rule for rule in extended if rule["scanFrequency"] == CONTINUOUSLY]
        if not continuous:
            continuous = [{"scanFrequency": CONTINUOUSLY, "repositoryFilters": []}]
            extended += continuous
        if len(continuous[0]["repositoryFilters"]) >= MAX_FILTERS:
            raise Refused(f"the registry's rule has {MAX_FILTERS} filters, and takes no more: give it wider ones")
        continuous[0]["repositoryFilters"].append(self._filter())
        return extended

    def _immutable(self, repository: Mapping[str, Any], left: list[str]) -> Iterator[Change]:
        kind, exclusions = repository["imageTagMutability"], exclusions_of(repository)
        fault = mutability_fault(kind, exclusions, self._mutable_tags) if self._judge_tags else None
        if not fault:
            return
        if not self._make_immutable:
            left.append(f"{fault}; with MakeTagsImmutable true they are made immutable, and a push of a tag that exists fails")
            return
        if kind == IMMUTABLE_EXCEPT and not exclusions:
            raise Refused(f"{self.resource_id}: Amazon ECR does not say which tags are excluded")
        kept = [each for each in exclusions if each in self._mutable_tags] if kind == IMMUTABLE_EXCEPT else self._mutable_tags
        if len(kept) > MAX_EXCLUSIONS:
            raise Refused(f"MutableTags has {len(kept)} filters; Amazon ECR takes {MAX_EXCLUSIONS} at a repository")
        but = f" but for {', '.join(kept)}" if kept else ""
        yield self.mutability(IMMUTABLE_EXCEPT if kept else "IMMUTABLE", kept, f"make the tags immutable{but}")


class RepositoryRestore(Repository):
    def undo(self, before: Mapping[str, Any], state: Mapping[str, Any]) -> Sequence[Change]:
        now, found = self.record(state), []
        if before["ScanOnPush"] != now["ScanOnPush"]:
            found.append(self.scan_on_push(before["ScanOnPush"], "put the repository's own scan setting back"))
        added = [frequency for frequency in now["RegistryFilters"] if frequency not in before["RegistryFilters"]]
        if added:
            rules = [
                {**rule, "repositoryFilters": [each for each in rule["repositoryFilters"] if each != self._filter()]}
                if rule["scanFrequency"] in added
                else rule
                for rule in state["registry"]["rules"]
            ]
            rules = [rule for rule in rules if rule["repositoryFilters"] or rule["scanFrequency"] not in added]
            found.append(registry_rules(state["registry"], rules, "take the repository's filter out of the registry's rules"))
        tags = [before[name] != now[name] for name in ("ImageTagMutability", "ExclusionFilters")]
        if any(tags):
            kind, filters = before["ImageTagMutability"], before["ExclusionFilters"]
            found.append(self.mutability(kind, filters, f"make the tags {kind} again"))
        return found


def own_setting(repository: Mapping[str, Any]) -> bool:
    return (repository.get("imageScanningConfiguration") or {}).get("scanOnPush") is True


def exclusions_of(repository: Mapping[str, Any]) -> list[str]:
    return [each["filter"] for each in repository.get("imageTagMutabilityExclusionFilters") or ()]


def registry_rules(registry: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], summary: str) -> Change:
    parameters = {"scanType": registry["scanType"], "rules": list(rules)}
    return Change("ecr", "put_registry_scanning_configuration", parameters, summary)


def handler(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return carry_out(events, RepositoryScanning)


def restore(events: dict[str, Any], context: Any) -> dict[str, Any]:
    return put_back(events, RepositoryRestore)
