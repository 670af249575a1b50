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

from pci_config.sources import snapshot as module
from pci_config.sources.snapshot import SourceError, newest, read

add = module._add


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
        (gzip.compress(b"{}" * 5000, mtime=0)[:40], "is truncated or damaged gzip"),
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


def many(sample: Callable[[str], Any]) -> list[dict[str, Any]]:
    names = ("AWS_EC2_SecurityGroup", "AWS_S3_Bucket", "AWS_EC2_VPC", "AWS_IAM_Role")
    return [sample(name) | {"resourceId": f"{name}-{number}"} for number in range(12) for name in names]


def seen(found: Any) -> tuple[Any, ...]:
    return [item.item() for item in found.items], found.places, found.problems


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_large_file_is_read_in_parts_as_it_is_in_one(
    tmp_path: Path, sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, jobs: int, zipped: bool
) -> None:
    place = write(
        tmp_path / "large.json", snapshot(*many(sample), {"resourceType": "AWS::X"}, sample("AWS_EC2_VPC"), {}), zipped
    )
    whole = read([place])
    monkeypatch.setattr(module, "PART", 5000)
    packed: list[Any] = []
    monkeypatch.setattr(module, "_add", lambda name, part, *rest: packed.append(part.count) or add(name, part, *rest))
    assert seen(read([place], None, jobs)) == seen(whole)
    assert len(packed) > 10
    assert whole.problems == [f"{place}: item 48: resourceId is missing", f"{place}: item 50: resourceType is missing"]
    wanted = read([place], frozenset({"AWS::S3::Bucket"}), jobs)
    assert len(wanted.items) == 12
    assert wanted.places == whole.places


def confusing() -> list[tuple[str, str]]:
    """Files in which text that looks like the end of an item is none."""
    nested = ",".join(
        f'{{"a":1,"resourceType":"T","resourceId":"r{n}","tags":[{{"a":1}},{{"a":2}},{{"a":3}}]}}' for n in range(300)
    )
    text = json.dumps('},{"a":1,"resourceType":"T","resourceId":"no"' * 20)
    quoted = ",".join(f'{{"a":1,"resourceType":"T","resourceId":"r{n}","configuration":{{"p":{text}}}}}' for n in range(20))
    others = ",".join(f'{{"a":1,"resourceType":"T","resourceId":"o{n}"}}' for n in range(300))
    return [
        ("nested lists", f'{{"configurationItems":[{nested}]}}'),
        ("text", f'{{"configurationItems":[{quoted}]}}'),
        ("another list", f'{{"configurationItems":[{others}],"errors":[{others}]}}'),
        ("a list before", f'{{"errors":[{others}],"configurationItems":[{others}]}}'),
        (
            "nothing to cut at",
            '{"configurationItems":[{"a":1,"resourceType":"T","resourceId":"r","tags":"%s"}]}' % ("x" * 9000),
        ),
        ("space", f'{{ "configurationItems" : [ {others.replace("},{", "} , { ")} ] }}'),
        ("broken at the end", f'{{"configurationItems":[{others}'),
        ("an item that is none", f'{{"configurationItems":[{others},17,{others}]}}'),
    ]


@pytest.mark.parametrize(("kind", "content"), confusing(), ids=[kind for kind, _ in confusing()])
def test_a_file_is_never_cut_inside_an_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, content: str) -> None:
    place = write(tmp_path / "confusing.json", content.encode())
    whole = read([place])
    assert whole.items or whole.problems
    for part in (400, 777, 1500, 4000):
        monkeypatch.setattr(module, "PART", part)
        assert seen(read([place])) == seen(whole), kind
