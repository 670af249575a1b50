"""Archive buckets and image scans against independent models: what is called right really is."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from itertools import product
from pathlib import Path
from re import match
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pci_config.archive_bucket import acl_fault, encryption_fault, lock_fault, open_to_public, versioning_fault
from pci_config.archive_policy import Owners, Places, accepts_plain_http, changers, readers, writers
from pci_config.iam_policy import parse_policy
from pci_config.image_scan import NO_RESULT, SEVERE, Scan, ScanDemands, ScanFinding, reference, scan_faults, scan_of
from pci_config.image_scanning import filter_matches
from pci_config.rule import RuleInputError

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "ci" / "AWS_S3_Bucket.json"
ARCHIVE, MEMBER, FOREIGN = "300000000003", "600000000006", "999999999999"
OWN, OTHER = "o-abcdefghij", "o-zyxwvutsrq"
ORGANIZATION_OF = {ARCHIVE: OWN, MEMBER: OWN, FOREIGN: OTHER}
ARN = "arn:aws:s3:::log-archive"
PLACES, OWNERS = Places(ARN), Owners(ARCHIVE, frozenset({ARCHIVE, MEMBER}), frozenset({OWN}))
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JUNK = st.sampled_from([None, "", "x", 0, -1, 3.5, True, [], {}, ["x"], {"x": 1}, [None], "x" * 300])

# ------------------------------------------------------------------------------------------------------------- policies

OBJECT_ACTIONS = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:PutObjectRetention")
BUCKET_ACTIONS = ("s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:ListBucket")
PATTERNS = (*OBJECT_ACTIONS, *BUCKET_ACTIONS, "s3:*", "*", "s3:Put*", "s3:Delete*", "s3:?etObject", "s3:*Object*")
CONDITIONS = (
    *(None, None, {"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": "true"}}),
    *({"StringEquals": {"aws:PrincipalOrgID": OWN}}, {"StringEquals": {"aws:PrincipalOrgID": [OWN, OTHER]}}),
    *({"StringNotEquals": {"aws:PrincipalOrgID": OWN}}, {"StringEquals": {"aws:PrincipalAccount": MEMBER}}),
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Principal": st.sampled_from(["*", {"AWS": "*"}, {"AWS": ARCHIVE}, {"AWS": MEMBER}, {"AWS": [ARCHIVE, FOREIGN]}]),
        "Action": st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2),
        "Resource": st.sampled_from([ARN, f"{ARN}/*", [ARN, f"{ARN}/*"], f"{ARN}*", "*", f"{ARN}/AWSLogs/*"]),
        "Condition": st.sampled_from(CONDITIONS),
    }
)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def spells(pattern: str, text: str) -> bool:
    return match(translate(pattern), text) is not None


def applies(statement: dict[str, Any], account: str, action: str, resource: str, secure: bool) -> bool:
    """The model: one whole request against one statement."""
    principal = statement["Principal"]
    named = ["*"] if principal == "*" else listed(principal["AWS"])
    values = {
        "aws:SecureTransport": str(secure).lower(),
        "aws:PrincipalOrgID": ORGANIZATION_OF[account],
        "aws:PrincipalAccount": account,
    }
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, wanted in keys.items():
            if (values[key] in listed(wanted)) == (operator == "StringNotEquals"):
                return False
    return (
        ("*" in named or account in named)
        and any(spells(pattern, action) for pattern in statement["Action"])
        and any(spells(pattern, resource) for pattern in listed(statement["Resource"]))
    )


def answer(statements: Sequence[dict[str, Any]], *request: Any) -> str:
    effects = {statement["Effect"] for statement in statements if applies(statement, *request)}
    return "denied" if "Deny" in effects else "allowed" if effects else "silent"


def requests(actions: Sequence[str], accounts: Sequence[str] = (ARCHIVE, MEMBER, FOREIGN)) -> Any:
    for account, action, secure in product(accounts, actions, (True, False)):
        for resource in (f"{ARN}/AWSLogs/x", f"{ARN}/x") if action in OBJECT_ACTIONS else (ARN,):
            yield account, action, resource, secure


@settings(max_examples=400, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=4))
def test_what_a_policy_is_said_to_refuse_it_refuses(drawn: list[dict[str, Any]]) -> None:
    statements = [{key: value for key, value in each.items() if value is not None} for each in drawn]
    policy = parse_policy({"Version": "2012-10-17", "Statement": statements}, principals="required")
    if accepts_plain_http(policy, PLACES) is None:
        for request in requests((*OBJECT_ACTIONS, *BUCKET_ACTIONS)):
            assert request[-1] or answer(statements, *request) == "denied", request
    if not changers(policy, PLACES, OWNERS):
        changing = ("s3:DeleteObject", "s3:PutObjectRetention", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration")
        for request in requests(changing, (MEMBER, FOREIGN)):
            assert answer(statements, *request) != "allowed", request
    if not writers(policy, PLACES, OWNERS):
        for request in requests(("s3:PutObject",), (FOREIGN,)):
            assert answer(statements, *request) != "allowed", request
    if not readers(policy, PLACES, OWNERS):
        for request in requests(("s3:GetObject",), (MEMBER, FOREIGN)):
            assert answer(statements, *request) != "allowed", request


# -------------------------------------------------------------------------------------------------------------- buckets


@given(st.integers(0, 1200), st.integers(0, 3), st.sampled_from(["GOVERNANCE", "COMPLIANCE"]), st.integers(365, 1100))
def test_a_lock_without_fault_keeps_objects_as_long_as_demanded(days: int, years: int, mode: str, wanted: int) -> None:
    retention = {"mode": mode, "days": days, "years": years}
    item = {"supplementaryConfiguration": {"ObjectLockConfiguration": {
        "objectLockEnabled": "Enabled", "rule": {"defaultRetention": retention}}}}  # fmt: skip
    for demanded in ("GOVERNANCE", "COMPLIANCE"):
        try:
            fault = lock_fault(item, demanded, wanted)
        except RuleInputError:
            assert bool(days) == bool(years)
            continue
        assert (fault is None) == (max(days, years * 365) >= wanted and (mode == "COMPLIANCE" or demanded == "GOVERNANCE"))


PARTS = {
    "ObjectLockConfiguration": lambda item: lock_fault(item, "GOVERNANCE", 365),
    "BucketVersioningConfiguration": versioning_fault,
    "ServerSideEncryptionConfiguration": encryption_fault,
    "PublicAccessBlockConfiguration": open_to_public,
}


@given(st.sampled_from(sorted(PARTS)), JUNK)
def test_a_broken_part_of_a_bucket_is_never_right(name: str, junk: Any) -> None:
    item = json.loads(SAMPLE.read_text("utf-8"))
    item["supplementaryConfiguration"][name] = junk
    with suppress(RuleInputError):
        assert PARTS[name](item)


@given(st.data())
def test_a_broken_access_control_list_is_an_error_or_a_fault(data: st.DataObject) -> None:
    item = json.loads(SAMPLE.read_text("utf-8"))
    acl = json.loads(item["supplementaryConfiguration"]["AccessControlList"])
    place = data.draw(
        st.sampled_from([("owner",), ("owner", "id"), ("grantList",), ("grantList", 0), ("grantList", 0, "grantee")])
    )
    broken = copy.deepcopy(acl)
    target: Any = broken
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = data.draw(JUNK)
    item["supplementaryConfiguration"]["AccessControlList"] = json.dumps(broken)
    with suppress(RuleInputError):
        assert acl_fault(item) is not None or broken["grantList"] in ([], {}, "")  # nothing is granted


# --------------------------------------------------------------------------------------------------------------- images


def fits(pattern: str, name: str) -> bool:
    """The model: a star takes any beginning of what is left."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(fits(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and pattern[0] == name[0] and fits(pattern[1:], name[1:])


@given(st.text("ab*./", min_size=1, max_size=7), st.text("ab./", min_size=1, max_size=7))
def test_filters_of_a_registry(pattern: str, name: str) -> None:
    expected = fits(pattern, name) if "*" in pattern else any(name[i:].startswith(pattern) for i in range(len(name)))
    assert filter_matches(pattern, name) == expected


HOURS = st.integers(-48, 24 * 100)
FINDINGS = st.builds(
    ScanFinding,
    st.sampled_from(["CVE-1", "CVE-2"]),
    st.sampled_from([*SEVERE, "MEDIUM", "LOW", "NEW"]),
    st.one_of(st.none(), HOURS.map(lambda hours: NOW - timedelta(hours=hours))),
)


@settings(max_examples=300)
@given(
    st.sampled_from(["", "ACTIVE", "COMPLETE", "NEW", *NO_RESULT]),
    st.one_of(st.none(), HOURS),
    HOURS,
    st.lists(FINDINGS, max_size=4),
    st.integers(0, 40),
)
def test_an_image_without_fault_is_scanned_and_clean(
    status: str, completed: int | None, pushed: int, findings: list[ScanFinding], days: int
) -> None:
    done = None if completed is None else NOW - timedelta(hours=completed)
    scan = Scan("sha256:x", NOW - timedelta(hours=pushed), status, done, tuple(findings))
    recent = completed is not None and (status == "ACTIVE" or (status == "COMPLETE" and completed <= 26))
    overdue = any(
        finding.severity in (*SEVERE, "NEW") and NOW - (finding.since or scan.pushed) > timedelta(days=days)
        for finding in findings
    )
    assert (not scan_faults(scan, NOW, ScanDemands(26, days, 0))) == (recent and not overdue)


@given(st.text("abc:/@.0123456789", max_size=40))
def test_a_reference_names_a_registry_or_is_none(rest: str) -> None:
    found = reference(f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{rest}")
    assert found is None or (found.registry == "123456789012" and found.repository in rest and found.wanted)


@given(st.data())
def test_findings_are_neither_lost_nor_invented(data: st.DataObject) -> None:
    entry = st.fixed_dictionaries(
        {"severity": st.sampled_from(SEVERE), "status": st.sampled_from(["ACTIVE", "SUPPRESSED", "CLOSED"])}
    )
    found = data.draw(st.lists(st.lists(entry, max_size=3), min_size=1, max_size=3))
    pages = [{"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": {"enhancedFindings": part}} for part in found]
    open_ones = [each for part in found for each in part if each["status"] != "CLOSED"]
    assert [each.severity for each in scan_of("d", NOW, pages).findings] == [each["severity"] for each in open_ones]
