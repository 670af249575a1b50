"""Parts of an item that cost a call are asked for once, when they are read, and by nobody else."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pci_config.assess import Judge, ReadItems
from pci_config.catalogue import Catalogue
from pci_config.collect._deferred import ABSENT, Deferred
from pci_config.collect.s3 import PARTS
from pci_config.rule import RecordedFacts, Scope
from pci_config.settings import Settings

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "ci"
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "by the bucket policy"}}, "GetBucketPolicy")


class Asked:
    """Counts the calls for each part."""

    def __init__(self, **answers: Any) -> None:
        self.calls: list[str] = []
        self.parts = Deferred({"Tags": []}, {name: functools.partial(self._answer, name, answers) for name in answers})

    def _answer(self, name: str, answers: dict[str, Any]) -> Any:
        self.calls.append(name)
        if isinstance(answers[name], Exception):
            raise answers[name]
        return answers[name]


def test_a_part_is_asked_for_once_and_alone() -> None:
    asked = Asked(Policy={"text": None}, Lock=ABSENT, Versioning={"status": "Off"})
    assert asked.parts["Tags"] == []
    assert asked.parts.get("Unknown") is None
    assert bool(asked.parts)
    assert asked.calls == []
    assert asked.parts.get("Policy") == asked.parts["Policy"] == {"text": None}
    assert asked.parts.get("Lock") is None
    assert "Lock" not in asked.parts
    assert asked.calls == ["Policy", "Lock"]


def test_complete_leaves_out_what_was_never_configured() -> None:
    asked = Asked(Policy={"text": None}, Lock=ABSENT)
    assert asked.parts.complete() == {"Tags": [], "Policy": {"text": None}} == dict(asked.parts)
    assert len(asked.parts) == 2
    json.dumps(asked.parts.complete())
    assert asked.calls == ["Policy", "Lock"]


def test_a_refusal_reaches_who_reads_the_part_and_is_asked_again() -> None:
    asked = Asked(Policy=REFUSED, Versioning={"status": "Off"})
    for _ in range(2):
        with pytest.raises(ClientError, match="AccessDenied"):
            asked.parts.get("Policy")
    with pytest.raises(ClientError, match="AccessDenied"):
        asked.parts.complete()
    assert asked.parts["Versioning"] == {"status": "Off"}


def test_a_refused_part_is_an_error_of_the_rules_that_read_it_only() -> None:
    item = json.loads((SAMPLES / "AWS_S3_Bucket.json").read_text("utf-8"))
    parts = {**item["supplementaryConfiguration"]}
    asked = Asked(**{name: parts.get(name, ABSENT) for name in PARTS if name != "BucketPolicy"}, BucketPolicy=REFUSED)
    tagged = {"pci:log-archive": "true"}
    item |= {"supplementaryConfiguration": asked.parts, "tags": tagged}
    entries = [entry for entry in Catalogue.load().rules.values() if entry.id.startswith("PCI_ARCHIVE_")]
    judge = Judge(entries, Settings(archive_account=item["awsAccountId"], archive_buckets=(item["resourceId"],)))
    scope = Scope(item["awsAccountId"], item["awsRegion"], judge.now, judge.settings)
    found = {result.rule: result for result in judge.item(item, RecordedFacts(ReadItems([]), scope))}
    assert found["PCI_ARCHIVE_PROTECTED"].compliance == "ERROR"
    assert "AccessDenied" in found["PCI_ARCHIVE_PROTECTED"].annotation
    assert found["PCI_ARCHIVE_LIFECYCLE"].compliance in ("COMPLIANT", "NON_COMPLIANT")
