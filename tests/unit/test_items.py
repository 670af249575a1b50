"""Every form of a configuration item comes to the same event form."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pci_config.items import ItemFormError, new_item, to_event_form

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "ci"
FILES = sorted(SAMPLES.glob("AWS_*.json"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def history_form(item: dict[str, Any], *, with_tags: bool = True) -> dict[str, Any]:
    """What GetResourceConfigHistory makes of an item, as recorded: other spellings, parts as JSON text, times parsed."""
    raw = {
        "version": item["configurationItemVersion"],
        "accountId": item["awsAccountId"],
        "arn": item["ARN"],
        "configurationItemMD5Hash": item["configurationStateMd5Hash"],
        "configurationStateId": str(item["configurationStateId"]),
        "configurationItemCaptureTime": datetime.fromisoformat(item["configurationItemCaptureTime"]),
        "configuration": json.dumps(item["configuration"]),
        "supplementaryConfiguration": {k: json.dumps(v) for k, v in item["supplementaryConfiguration"].items()},
        "relationships": [
            {"relationshipName": r["name"], **{k: v for k, v in r.items() if k != "name" and v is not None}}
            for r in item["relationships"]
        ],
    }
    if item["resourceCreationTime"]:
        raw["resourceCreationTime"] = datetime.fromisoformat(item["resourceCreationTime"])
    for key in ("resourceType", "resourceId", "resourceName", "awsRegion", "availabilityZone", "configurationItemStatus"):
        raw[key] = item[key]
    if with_tags:
        raw["tags"] = item["tags"]
    return raw


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_event_and_snapshot_form_stay_as_they_are(path: Path) -> None:
    item = json.loads(path.read_text("utf-8"))
    assert len(item) == 18
    assert to_event_form(item) == item


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_history_form_comes_back_to_event_form(path: Path) -> None:
    item = json.loads(path.read_text("utf-8"))
    assert to_event_form(history_form(item)) == item


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_batch_form_lacks_only_tags_and_relationships(path: Path) -> None:
    item = json.loads(path.read_text("utf-8"))
    raw = history_form(item, with_tags=False)
    del raw["relationships"]
    assert to_event_form(raw) == item | {"tags": {}, "relationships": []}


def test_recorded_api_replies(sample: Callable[[str], Any]) -> None:
    for form, key in (
        ("get_resource_config_history", "configurationItems"),
        ("batch_get_resource_config", "baseConfigurationItems"),
    ):
        for raw in sample(f"forms/{form}")[key]:
            item = to_event_form(raw)
            expected = sample(item["resourceType"].replace("::", "_"))
            assert item["configuration"] == expected["configuration"]
            assert item["supplementaryConfiguration"] == expected["supplementaryConfiguration"]
            assert (item["awsAccountId"], item["ARN"]) == (expected["awsAccountId"], expected["ARN"])


def test_select_results_get_whole_numbers_and_plain_lists_back(sample: Callable[[str], Any]) -> None:
    group, cluster = (
        to_event_form(text, resource_type)
        for text, resource_type in zip(
            sample("forms/select_aggregate_resource_config")["Results"][:2],
            ("AWS::EC2::SecurityGroup", "AWS::RDS::DBCluster"),
            strict=True,
        )
    )
    port = group["configuration"]["ipPermissions"][0]["fromPort"]
    assert (port, type(port)) == (443, int)
    assert cluster["configuration"]["availabilityZones"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]


def test_deleted_item_of_history_has_null_configuration(sample: Callable[[str], Any]) -> None:
    item = to_event_form(sample("forms/get_resource_config_history.deleted")["configurationItems"][0])
    assert item["configuration"] is None
    assert item["configurationItemStatus"] == "ResourceDeleted"
    assert set(item) == set(sample("AWS_EC2_SecurityGroup"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"resourceId": "x"}, "resourceType is missing"),
        ({"resourceType": "AWS::S3::Bucket"}, "resourceId is missing"),
        ({"resourceType": "AWS::S3::Bucket", "resourceId": "x", "configuration": "{"}, "configuration is not JSON"),
        ("[1", "result is not JSON"),
        (7, "is an object, not int"),
    ],
)
def test_bad_forms_are_named(raw: Any, message: str) -> None:
    with pytest.raises(ItemFormError, match=message):
        to_event_form(raw)


@given(JSON_VALUES, st.dictionaries(st.text(min_size=1, max_size=8), JSON_VALUES, max_size=3))
def test_any_content_survives_the_way_through_history(configuration: Any, supplementary: dict[str, Any]) -> None:
    item = new_item(
        account_id="123456789012",
        region="eu-west-1",
        resource_type="AWS::S3::Bucket",
        resource_id="b",
        configuration={"content": configuration},
        supplementary=supplementary,
        capture_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        relationships=[("AWS::EC2::VPC", "vpc-1")],
    )
    assert to_event_form(history_form(item)) == item
