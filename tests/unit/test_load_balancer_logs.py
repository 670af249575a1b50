"""Access logs of load balancers, as AWS Config records the attributes and as the API describes them."""

from __future__ import annotations

from typing import Any

import pytest

from pci_config.load_balancer_logs import (
    AccessLog,
    MalformedAttributesError,
    access_log,
    classic_access_log,
    log_fault,
    region_fault,
)
from pci_config.settings import Settings

ENABLED, BUCKET = "access_logs.s3.enabled", "access_logs.s3.bucket"
ARCHIVE = Settings(archive_buckets=("log-archive-*", "old-archive"))


def attributes(key: str, value: str, **given: Any) -> list[dict[str, Any]]:
    named = {"enabled": ENABLED, "bucket": BUCKET}
    return [{key: "deletion_protection.enabled", value: "true"}, *({key: named[n], value: v} for n, v in given.items())]


@pytest.mark.parametrize(("key", "value"), [("key", "value"), ("Key", "Value")])
def test_both_forms_of_the_attributes(key: str, value: str) -> None:
    assert access_log(attributes(key, value, enabled="true", bucket="b")) == AccessLog(True, "b")
    assert access_log(attributes(key, value, enabled="false", bucket="b")) == AccessLog(False, "b")
    assert access_log(attributes(key, value, enabled="true")) == AccessLog(True, "")
    twice = attributes(key, value, enabled="true") * 2
    assert access_log(twice) == AccessLog(True, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["x"], "'x' is no attribute with key and value"),
        ([{"key": ENABLED, "value": "true"}, {"key": ENABLED, "value": "false"}], f"attribute {ENABLED} is given twice"),
        ([], f"attribute {ENABLED} is None, expected true or false"),
        (attributes("key", "value", enabled=True), f"attribute {ENABLED} is True, expected"),
        (attributes("key", "value", enabled="true", bucket=7), "the bucket's name is 7, expected text"),
    ],
)
def test_attributes_that_do_not_say(given: Any, words: str) -> None:
    with pytest.raises(MalformedAttributesError, match=words):
        access_log(given)


def test_both_forms_of_a_classic_load_balancer() -> None:
    for on in (True, False):
        assert classic_access_log({"accessLog": {"enabled": on, "s3BucketName": "b"}}) == AccessLog(on, "b")
        assert classic_access_log({"AccessLog": {"Enabled": on, "S3BucketName": "b"}}) == AccessLog(on, "b")
        assert classic_access_log({"AccessLog": {"Enabled": on}}) == AccessLog(on, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "accessLog is None, expected an object"),
        ({"accessLog": {}}, "accessLog.enabled is None, expected true or false"),
        ({"accessLog": {"enabled": "true"}}, "accessLog.enabled is 'true', expected true or false"),
        ({"accessLog": {"enabled": True, "s3BucketName": 7}}, "the bucket's name is 7, expected text"),
    ],
)
def test_a_classic_log_that_does_not_say(given: Any, words: str) -> None:
    with pytest.raises(MalformedAttributesError, match=words):
        classic_access_log(given)


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        (AccessLog(True, "log-archive-x"), None),
        (AccessLog(True, "old-archive"), None),
        (AccessLog(False, "log-archive-x"), "access logs are off; send them to log-archive-* or old-archive"),
        (AccessLog(True, ""), "access logs are on but name no bucket; send them to log-archive-* or old-archive"),
        (AccessLog(True, "team"), "access logs go to team, not to the archive (log-archive-* or old-archive)"),
        (
            AccessLog(True, "log-archive-us-east-1"),
            "log-archive-us-east-1 is the archive bucket of us-east-1; expected the one of the load balancer's own Region eu-west-1",
        ),
    ],
)
def test_where_logs_must_go(log: AccessLog, fault: str | None) -> None:
    assert log_fault(log, ARCHIVE, "eu-west-1") == fault


def test_a_bucket_named_after_regions() -> None:
    assert region_fault("logs-us-east-1-eu-central-1", "eu-central-1") is None
    fault = region_fault("logs-us-east-1-eu-central-1", "eu-west-1")
    assert fault is not None
    assert "the archive bucket of eu-central-1, us-east-1; expected" in fault
    assert region_fault("logs-xus-east-12", "eu-west-1") is None
