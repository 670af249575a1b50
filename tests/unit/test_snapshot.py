"""Reading snapshots: every form, every kind of bad file, and content decoded only where it is asked for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from pci_config.sources.snapshot import SourceError, newest, read


@pytest.fixture
def group(sample: Callable[[str], Any]) -> dict[str, Any]:
    item: dict[str, Any] = sample("AWS_EC2_SecurityGroup")
    return item


def write(path: Path, content: Any, zipped: bool = False) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    return str(path)


def snapshot(*items: Any) -> dict[str, Any]:
    return {"fileVersion": "1.0", "configSnapshotId": "x", "configurationItems": list(items)}


@pytest.mark.parametrize("zipped", [False, True])
def test_snapshots_plain_and_gzip_whatever_their_name(tmp_path: Path, group: dict[str, Any], zipped: bool) -> None:
    found = read([write(tmp_path / "no-ending", snapshot(group), zipped)])
    assert (len(found.items), found.problems) == (1, [])
    assert found.items[0].item() == group


def test_single_items_events_and_api_replies(tmp_path: Path, group: dict[str, Any], sample: Callable[[str], Any]) -> None:
    places = [
        write(tmp_path / "item.json", group),
        write(tmp_path / "notification.json", {"configurationItem": group, "messageType": "x"}),
        write(tmp_path / "history.json", sample("forms/get_resource_config_history")),
        write(tmp_path / "batch.json", sample("forms/batch_get_resource_config")),
    ]
    found = read(places)
    assert found.problems == []
    assert {item.account for item in found.items} == {"123456789012"}
    for item in found.items:
        assert isinstance(item.item()["configuration"], dict)


def test_folders_are_read_in_order_and_the_writability_check_is_no_file_of_ours(tmp_path: Path, group: dict[str, Any]) -> None:
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "2.json", snapshot(group))
    write(tmp_path / "1.json", snapshot(group))
    (tmp_path / "ConfigWritabilityCheckFile").touch()
    found = read([str(tmp_path)])
    assert [Path(name).name for name in found.sources] == ["1.json", "2.json"]
    assert found.problems == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"   \n", "is empty"),
        (b"not json", "is not JSON"),
        (b'{"configurationItems": [', "is not JSON"),
        (b"[]", "has no list of configuration items"),
        (b"{}", "has no configurationItems and is no configuration item"),
        (b'{"configurationItems": {}}', "has no list of configuration items"),
        (gzip.compress(b"{}" * 5000)[:40], "is truncated or damaged gzip"),
        (b"\xff\xfe\x00", "is not JSON"),
    ],
)
def test_bad_files_are_named_and_the_others_still_count(
    tmp_path: Path, group: dict[str, Any], content: bytes, message: str
) -> None:
    good = write(tmp_path / "good.json", snapshot(group))
    found = read([write(tmp_path / "bad.json", content), good])
    assert len(found.items) == 1
    (problem,) = found.problems
    assert problem.startswith(f"{tmp_path}/bad.json: ")
    assert message in problem


def test_bad_items_are_named_by_position(tmp_path: Path, group: dict[str, Any]) -> None:
    without_type = {key: value for key, value in group.items() if key != "resourceType"}
    found = read([write(tmp_path / "f.json", snapshot(group, without_type, {**group, "resourceId": None}))])
    assert len(found.items) == 1
    assert [problem.split("f.json: ")[1] for problem in found.problems] == [
        "item 1: resourceType is missing",
        "item 2: resourceId is missing",
    ]
    found = read([write(tmp_path / "g.json", snapshot("text", group, 7))])
    assert len(found.items) == 1
    assert ["item 0" in found.problems[0], "item 2" in found.problems[1]] == [True, True]


def test_unreadable_and_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        read([str(tmp_path / "absent")])


def test_the_newest_version_of_a_resource_counts(tmp_path: Path, group: dict[str, Any]) -> None:
    older = {**group, "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z", "resourceName": "old"}
    gone = {**group, "configurationItemCaptureTime": "2026-12-01T00:00:00.000Z", "configurationItemStatus": "ResourceDeleted"}
    found = read([write(tmp_path / "f.json", snapshot(group, older, gone))])
    (item,) = newest(found.items)
    assert item.configurationItemStatus == "ResourceDeleted"


def test_content_stays_bytes_until_it_is_asked_for(tmp_path: Path, group: dict[str, Any]) -> None:
    found = read([write(tmp_path / "f.json", snapshot(group))])
    assert isinstance(found.items[0].configuration, msgspec.Raw)


@mock_aws
def test_buckets(group: dict[str, Any]) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="card-issuer-config")
    key = "AWSLogs/123456789012/Config/eu-west-1/2026/10/5/ConfigSnapshot/a.json.gz"
    s3.put_object(Bucket="card-issuer-config", Key=key, Body=gzip.compress(json.dumps(snapshot(group)).encode()))
    s3.put_object(Bucket="card-issuer-config", Key="AWSLogs/123456789012/Config/ConfigWritabilityCheckFile", Body=b"")
    found = read(["s3://card-issuer-config/AWSLogs"])
    assert (found.sources, len(found.items), found.problems) == ([f"s3://card-issuer-config/{key}"], 1, [])
