"""What must be recorded: from the catalogue alone, the same in a checkout and in the bundle, true of managed rules."""

from __future__ import annotations

import dataclasses
import gzip
import importlib.util
import json
import zipfile
from pathlib import Path

import botocore.session
import moto.config
import pytest
import yaml

from pci_config.bundle import build_bundle
from pci_config.catalogue import Catalogue
from pci_config.rdk_json import RdkJson
from pci_config.recorded_types import EVERYWHERE, FILE_NAME, HOME, Need, needed_types, place_of
from pci_config.recording_needs import needs
from pci_config.rule import ACCOUNT_RESOURCE_TYPE
from pci_config.settings import SettingMissing, Settings

AT_HOME = Settings(home_region="eu-west-1")


def test_every_type_of_every_rule_is_needed() -> None:
    catalogue = Catalogue.load()
    found = needs(catalogue)
    for entry in catalogue.rules.values():
        for resource_type in entry.resource_types:
            assert found[resource_type].continuous, resource_type
            if entry.region_scope == "regional" and not resource_type.startswith(("AWS::IAM::", "AWS::CloudFront::")):
                assert found[resource_type].place == EVERYWHERE, resource_type
        for lookup in entry.rule_class.lookups:
            assert set(lookup.resource_types) <= set(found)
    assert found["AWS::EC2::Volume"] == Need(True)  # a managed rule judges it
    assert found["AWS::KinesisFirehose::DeliveryStream"] == Need(False)  # looked up, never judged
    assert needed_types() == found


def test_managed_rules_name_the_types_that_aws_documents() -> None:
    packed = Path(moto.config.__file__).parent / "resources" / "aws_managed_rules.json.gz"
    table = json.loads(gzip.decompress(packed.read_bytes()))
    for rule in Catalogue.load().managed_rules.values():
        known = table.get("ManagedRules", table)[rule.id]
        types = {name.strip() for name in (known.get("Resource Types") or "").split(",")} - {"AWS::::Account"}
        changes = "onfiguration changes" in known["Trigger type"]
        assert set(rule.change_types) == (types if changes else set()), rule.id


def test_the_bundle_carries_them(tmp_path: Path, root: Path) -> None:
    catalogue = Catalogue.load(root)
    build_bundle(tmp_path / "bundle.zip", catalogue, RdkJson.load(root / "rdk.json"))
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        document = json.loads(bundle.read("recorded_types.json"))
        assert {name: Need(**need) for name, need in document.items()} == needs(catalogue)
        assert "pci_config/recorded_types.py" in bundle.namelist()
        assert "pci_config/catalogue.py" not in bundle.namelist()


@pytest.mark.parametrize(
    ("resource_type", "regional", "place"),
    [
        ("AWS::EC2::VPC", True, EVERYWHERE),
        ("AWS::EC2::VPC", False, HOME),
        ("AWS::IAM::Role", True, HOME),
        ("AWS::IAM::SAMLProvider", True, EVERYWHERE),
        ("AWS::CloudFront::Distribution", False, "us-east-1"),
    ],
)
def test_places(resource_type: str, regional: bool, place: str) -> None:
    assert place_of(resource_type, regional=regional) == place


def test_where_a_need_applies() -> None:
    assert [Need(True).applies(region, Settings()) for region in ("eu-west-1", "us-east-1")] == [True, True]
    assert [Need(True, HOME).applies(region, AT_HOME) for region in ("eu-west-1", "us-east-1")] == [True, False]
    assert [Need(True, "us-east-1").applies(region, AT_HOME) for region in ("eu-west-1", "us-east-1")] == [False, True]
    with pytest.raises(SettingMissing, match="HomeRegion"):
        Need(True, HOME).applies("eu-west-1", Settings())


def test_the_file_beside_the_package_is_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pci_config.recorded_types.__file__", str(tmp_path / "pci_config" / "recorded_types.py"))
    wanted = {"AWS::S3::Bucket": Need(place=EVERYWHERE, continuous=True)}
    told = {name: dataclasses.asdict(need) for name, need in wanted.items()}
    (tmp_path / FILE_NAME).write_text(json.dumps(told), "utf-8")
    assert needed_types() == wanted
    (tmp_path / FILE_NAME).unlink()
    assert len(needed_types()) > 1


# Recorded, though botocore's enumeration does not have it: the developer guide's list of supported types and the RDK's say so
RECORDED_BEYOND_BOTOCORE = {"AWS::ApiGateway::DomainName"}


def test_rules_report_on_types_that_config_knows() -> None:
    model = botocore.session.get_session().get_service_model("config")
    known = {*model.shape_for("ResourceType").enum, *RECORDED_BEYOND_BOTOCORE, ACCOUNT_RESOURCE_TYPE}
    for entry in Catalogue.load().rules.values():
        rule = entry.rule_class
        assert {*entry.resource_types, *rule.resource_types, *rule.periodic_types} <= known, entry.id
    assert "AWS::RAM::ResourceShare" not in known


def test_the_exception_is_on_the_list_of_the_rdk() -> None:
    path = Path(importlib.util.find_spec("rdk").origin).parent / "supported_resource_types.yaml"  # type: ignore[union-attr,arg-type]
    assert set(yaml.safe_load(path.read_text("utf-8"))["supported_resources"]) >= RECORDED_BEYOND_BOTOCORE
