"""Decision table of PCI_REPOSITORY_SCANNED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from pci_config.image_scanning import filter_matches, registry_scanning
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.settings import Settings
from PCI_REPOSITORY_SCANNED import PciRepositoryScanned, RegistryScanningConfiguration, RepositoryParameters

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCOPE = Scope("123456789012", "eu-west-1", NOW, Settings())
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
DEFAULT = RepositoryParameters()


def repository(name: str = "checkout", tags: Any = "IMMUTABLE", on_push: Any = False, **changes: Any) -> dict[str, Any]:
    """The recorded sample, changed."""
    item: dict[str, Any] = json.loads((SAMPLES / "AWS_ECR_Repository.json").read_text("utf-8"))
    item["configuration"] |= {
        "RepositoryName": name,
        "ImageTagMutability": tags,
        "ImageScanningConfiguration": {"ScanOnPush": on_push},
    }
    item["configuration"] |= changes
    return item


def excluding(*filters: str) -> list[dict[str, str]]:
    return [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": each}
        for each in filters
    ]


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    return {"scanFrequency": frequency, "repositoryFilters": [{"filter": each, "filterType": "WILDCARD"} for each in filters]}


def judged(item: dict[str, Any], kind: str, *rules: dict[str, Any], parameters: RepositoryParameters = DEFAULT) -> Finding:
    registry = registry_scanning({"scanType": kind, "rules": list(rules)})
    facts = StatedFacts(SCOPE, {(RegistryScanningConfiguration,): registry})
    return PciRepositoryScanned().decide(item, parameters, facts)


class ScanningTest(unittest.TestCase):
    def test_decision_table(self) -> None:
        not_scanned = (
            "scanned only when somebody starts it; turn on enhanced scanning, or scan on push by a rule of the registry"
        )
        for on_push, kind, rules, compliance, words in (
            (False, "ENHANCED", [rule("CONTINUOUS_SCAN", "*")], COMPLIANT, "enhanced scanning, continuous; tags are immutable"),
            (False, "ENHANCED", [rule("SCAN_ON_PUSH", "check*")], COMPLIANT, "enhanced scanning, on push; tags are immutable"),
            (False, "ENHANCED", [rule("SCAN_ON_PUSH", "*"), rule("CONTINUOUS_SCAN", "*out")], COMPLIANT, "continuous"),
            (True, "ENHANCED", [], NON_COMPLIANT, "none of the registry's filters fits checkout [PCI 6.3.1, 11.3.1]"),
            (True, "ENHANCED", [rule("CONTINUOUS_SCAN", "shop")], NON_COMPLIANT, "not scanned: enhanced scanning is on"),
            (True, "ENHANCED", [rule("CONTINUOUS_SCAN")], NON_COMPLIANT, "not scanned: enhanced scanning is on"),
            (False, "BASIC", [rule("SCAN_ON_PUSH", "checkout")], COMPLIANT, "basic scanning on push, by the registry; tags"),
            (True, "BASIC", [rule("SCAN_ON_PUSH", "check")], COMPLIANT, "by the registry"),
            (True, "BASIC", [], COMPLIANT, "basic scanning on push, by the repository's own setting"),
            (True, "BASIC", [rule("SCAN_ON_PUSH", "shop")], COMPLIANT, "by the repository's own setting"),
            (False, "BASIC", [], NON_COMPLIANT, not_scanned),
            (False, "BASIC", [rule("SCAN_ON_PUSH", "shop*")], NON_COMPLIANT, not_scanned),
            (False, "BASIC", [rule("MANUAL", "*")], NON_COMPLIANT, not_scanned),
            (None, "BASIC", [], NON_COMPLIANT, not_scanned),
        ):
            with self.subTest(on_push=on_push, kind=kind, rules=rules):
                finding = judged(repository(on_push=on_push), kind, *rules)
                self.assertEqual(finding.compliance, compliance)
                self.assertIn(words, finding.annotation)

    def test_enhanced_only(self) -> None:
        wanted = RepositoryParameters(enhanced_only=True)
        for item, rules in ((repository(on_push=True), []), (repository(), [rule("SCAN_ON_PUSH", "*")])):
            finding = judged(item, "BASIC", *rules, parameters=wanted)
            self.assertEqual(
                (finding.compliance, finding.annotation),
                (NON_COMPLIANT, "basic scanning only, expected enhanced [PCI 6.3.1, 11.3.1]"),
            )
        finding = judged(repository(), "BASIC", parameters=wanted)
        self.assertIn("only when somebody starts it", finding.annotation)
        self.assertEqual(judged(repository(), "ENHANCED", rule("SCAN_ON_PUSH", "*"), parameters=wanted).compliance, COMPLIANT)

    def test_filters(self) -> None:
        for pattern, fits, not_fits in (
            ("prod", ["prod", "my-prod-app", "team/prod"], ["pro", "dev"]),
            ("prod*", ["prod", "prod/app"], ["my-prod", "pro"]),
            ("*prod", ["prod", "my/prod"], ["prod-app"]),
            ("*prod*", ["prod", "my-prod-app"], ["pr-od"]),
            ("team*app", ["teamapp", "team/x/app"], ["team/app2", "a-team/app"]),
            ("*", ["a", "a/b"], []),
            ("a.b*", ["a.bc"], ["axbc"]),
            ("a.b", ["za.bc"], ["axb"]),
        ):
            for name in fits:
                with self.subTest(pattern=pattern, name=name):
                    self.assertTrue(filter_matches(pattern, name))
            for name in not_fits:
                with self.subTest(pattern=pattern, name=name):
                    self.assertFalse(filter_matches(pattern, name))


class TagsTest(unittest.TestCase):
    def test_mutability(self) -> None:
        some, allowed = excluding("latest", "dev-*"), RepositoryParameters(mutable_tags=("dev-*", "latest"))
        for tags, filters, parameters, words in (
            ("IMMUTABLE", [], DEFAULT, None),
            ("MUTABLE", [], DEFAULT, "tags are mutable: what was scanned may not be what runs"),
            ("MUTABLE_WITH_EXCLUSION", some, allowed, "tags are mutable except for some"),
            ("IMMUTABLE_WITH_EXCLUSION", some, DEFAULT, "tags like latest, dev-* are mutable: MutableTags does not have them"),
            ("IMMUTABLE_WITH_EXCLUSION", some, RepositoryParameters(mutable_tags=("latest",)), "tags like dev-* are mutable"),
            ("IMMUTABLE_WITH_EXCLUSION", some, allowed, None),
            ("IMMUTABLE_WITH_EXCLUSION", None, allowed, "with exclusions that the item does not show"),
            ("MUTABLE", [], RepositoryParameters(immutable_tags=False), None),
        ):
            with self.subTest(tags=tags, parameters=parameters):
                item = repository(tags=tags, on_push=True, ImageTagMutabilityExclusionFilters=filters)
                finding = judged(item, "BASIC", parameters=parameters)
                self.assertEqual(finding.compliance, NON_COMPLIANT if words else COMPLIANT)
                self.assertIn(words or "basic scanning on push", finding.annotation)

    def test_what_is_not_judged_is_said(self) -> None:
        finding = judged(
            repository(tags="MUTABLE", on_push=True), "BASIC", parameters=RepositoryParameters(immutable_tags=False)
        )
        self.assertTrue(finding.annotation.endswith("; tags are not judged"))

    def test_both(self) -> None:
        finding = judged(repository(tags="MUTABLE"), "BASIC")
        self.assertTrue(finding.annotation.startswith("2 problems; first: scanned only when"), finding.annotation)


class SourceTest(unittest.TestCase):
    def test_a_snapshot_shows_tags_only(self) -> None:
        class Items:
            def find(self, resource_type: str, account_id: str, region: str) -> Any:
                raise AssertionError

        facts = RecordedFacts(Items(), SCOPE)
        with self.assertRaisesRegex(NotAssessed, "registry scanning configuration"):
            PciRepositoryScanned().decide(repository(), DEFAULT, facts)
        finding = PciRepositoryScanned().decide(repository(tags="MUTABLE"), DEFAULT, facts)
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertTrue(finding.annotation.startswith("tags are mutable"))
        self.assertTrue(finding.annotation.endswith(" [PCI 6.3.1, 11.3.1]"))

    def test_unreadable_input_is_no_verdict(self) -> None:
        filters = "configuration.ImageTagMutabilityExclusionFilters has an unexpected shape"
        for item, words in (
            (repository(tags="FROZEN"), "configuration.ImageTagMutability is 'FROZEN', which this rule does not know"),
            (repository(tags=None), "ImageTagMutability is missing"),
            (repository(on_push="yes"), "ScanOnPush is str"),
            (repository(tags="IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters=[{"Value": "x"}]), filters),
            (repository(tags="IMMUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters=["x"]), filters),
            (repository(RepositoryName=None), "RepositoryName is missing"),
            ({**repository(), "configuration": None}, "configuration"),
        ):
            with self.subTest(item=item["configuration"]), self.assertRaisesRegex(RuleInputError, words):
                judged(item, "BASIC", rule("SCAN_ON_PUSH", "*"))

    def test_unknown_registry_settings_are_refused(self) -> None:
        both = [{"filter": "*", "filterType": "WILDCARD"}, {"filter": "*", "filterType": "REGEX"}]
        for described, words in (
            ({"scanType": "DEEP"}, "scan type 'DEEP' is not known"),
            ({"scanType": "BASIC", "rules": [rule("HOURLY", "*")]}, "HOURLY"),
            ({"rules": [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": both}]}, "filter type 'REGEX' is not known"),
        ):
            with self.subTest(described=described), self.assertRaisesRegex(ValueError, words):
                registry_scanning(described)
        self.assertFalse(registry_scanning({}).enhanced)

    def test_an_answer_of_another_shape_is_refused(self) -> None:
        class Ecr:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return self

            def get_registry_scanning_configuration(self) -> Any:
                return {"scanningConfiguration": {"scanType": "DEEP"}}

        with self.assertRaisesRegex(RuleInputError, "^GetRegistryScanningConfiguration has an unexpected shape"):
            RegistryScanningConfiguration.live(Ecr(), SCOPE)

    def test_parameters(self) -> None:
        parsed = PciRepositoryScanned().evaluate_parameters(
            {"EnhancedOnly": "true", "ImmutableTags": "false", "MutableTags": "latest, dev-*"}
        )
        self.assertEqual(parsed, RepositoryParameters(True, False, ("latest", "dev-*")))
        for bad in ({"EnhancedOnly": "1"}, {"MutableTags": "a b"}, {"Tags": "x"}):
            with self.subTest(bad=bad), self.assertRaises(ParameterError):
                PciRepositoryScanned().evaluate_parameters(bad)

    @mock_aws
    def test_live(self) -> None:
        class Clients:
            def build_client(self, service: str, region: str | None = None) -> Any:
                return boto3.client(service, region_name=region)

        ecr = boto3.client("ecr", region_name="eu-west-1")
        self.assertEqual(RegistryScanningConfiguration.live(Clients(), SCOPE), registry_scanning({}))
        rules: Any = [rule("CONTINUOUS_SCAN", "prod*")]
        ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
        found = RegistryScanningConfiguration.live(Clients(), SCOPE)
        self.assertTrue(found.enhanced)
        self.assertEqual((found.frequency_of("prod/a"), found.frequency_of("dev")), ("CONTINUOUS_SCAN", "MANUAL"))


if __name__ == "__main__":
    unittest.main()
