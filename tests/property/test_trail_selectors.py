"""Completed event selectors against a model of which events CloudTrail logs: nothing is lost, and only what is asked for comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pci_config.trail import MalformedTrailError, selector_gaps
from pci_config.trail_selectors import completed_selectors

S3, LAMBDA, TABLE = "AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"


@dataclass(frozen=True)
class Event:
    category: str
    read_only: bool
    source: str = ""
    resource_type: str = ""
    arn: str = ""
    name: str = "Any"


MANAGEMENT = [
    Event("Management", read, source) for read in (True, False) for source in ("kms.amazonaws.com", "ec2.amazonaws.com")
]
ARNS = {
    S3: ("arn:aws:s3:::archive-elb/a", "arn:aws:s3:::archive-trail/b", "arn:aws:s3:::cards/x", "arn:aws:s3:::cards-2/x",
         "arn:aws:s3:::cards/logs/x", "arn:aws:s3:::other/x"),
    LAMBDA: ("arn:aws:lambda:eu-west-1:1:function:pay", "arn:aws:lambda:eu-west-1:1:function:payout"),
    TABLE: ("arn:aws:dynamodb:eu-west-1:1:table/t", "arn:aws:dynamodb:eu-west-1:1:table/tt"),
}  # fmt: skip
DATA = [
    Event("Data", read, "", kind, arn, name)
    for kind, arns in ARNS.items()
    for arn in arns
    for read in (True, False)
    for name in ("GetObject", "Any")
]


def logged(event: Event, selectors: Mapping[str, Any]) -> bool:
    return any(basic_logs(event, entry) for entry in selectors.get("EventSelectors") or []) or any(
        all(field_fits(event, field) for field in entry["FieldSelectors"])
        for entry in selectors.get("AdvancedEventSelectors") or []
    )


def basic_logs(event: Event, entry: Mapping[str, Any]) -> bool:
    if entry["ReadWriteType"] not in ("All", "ReadOnly" if event.read_only else "WriteOnly"):
        return False
    if event.category == "Management":
        return bool(entry["IncludeManagementEvents"]) and event.source not in entry["ExcludeManagementEventSources"]
    for data in entry["DataResources"]:
        for value in data["Values"]:
            whole = value in ("arn:aws:s3", "arn:aws:s3:::", "arn:aws:lambda", "arn:aws:dynamodb")
            fits = event.arn.startswith(value) if event.resource_type == S3 else event.arn == value
            if data["Type"] == event.resource_type and (whole or fits):
                return True
    return False


def field_fits(event: Event, field: Mapping[str, Any]) -> bool:
    value = {
        "eventCategory": event.category,
        "readOnly": str(event.read_only).lower(),
        "eventSource": event.source,
        "eventName": event.name,
        "resources.type": event.resource_type,
        "resources.ARN": event.arn,
    }[field["Field"]]
    tests = {
        "Equals": any(value == given for given in field.get("Equals", [value])),
        "StartsWith": any(value.startswith(given) for given in field.get("StartsWith", [""])),
        "NotEquals": all(value != given for given in field.get("NotEquals", [])),
    }
    return all(tests.values())


def asked_for(event: Event, buckets: Sequence[str]) -> bool:
    if event.category == "Management":
        return True
    name = event.arn.removeprefix("arn:aws:s3:::").split("/")[0]
    fixed = [bucket.partition("*")[0] for bucket in buckets]
    return event.resource_type == S3 and any(
        name.startswith(start) if "*" in bucket else name == bucket for bucket, start in zip(buckets, fixed, strict=True)
    )


def basic_selectors() -> Any:
    values = {
        S3: ["arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::cards/", "arn:aws:s3:::cards/logs", "arn:aws:s3:::archive-elb/"],
        LAMBDA: ["arn:aws:lambda", ARNS[LAMBDA][0]],
        TABLE: ["arn:aws:dynamodb", ARNS[TABLE][0]],
    }
    data = st.sampled_from(sorted(values)).flatmap(
        lambda kind: st.fixed_dictionaries(
            {"Type": st.just(kind), "Values": st.lists(st.sampled_from(values[kind]), max_size=3, unique=True)}
        )
    )
    return st.fixed_dictionaries(
        {
            "ReadWriteType": st.sampled_from(["All", "ReadOnly", "WriteOnly"]),
            "IncludeManagementEvents": st.booleans(),
            "DataResources": st.lists(data, max_size=2),
            "ExcludeManagementEventSources": st.sampled_from([[], ["kms.amazonaws.com"]]),
        }
    )


def advanced_selectors() -> Any:
    def entry(category: str, *more: Any) -> dict[str, Any]:
        return {"FieldSelectors": [{"Field": "eventCategory", "Equals": [category]}, *(field for field in more if field)]}

    read_only = st.sampled_from([None, {"Field": "readOnly", "Equals": ["true"]}, {"Field": "readOnly", "Equals": ["false"]}])
    source = st.sampled_from([None, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}])
    kind = st.sampled_from([S3, LAMBDA]).map(lambda name: {"Field": "resources.type", "Equals": [name]})
    arn = st.sampled_from(
        [None, *({"Field": "resources.ARN", "StartsWith": [arn]} for arn in ("arn:aws:s3:::archive-", "arn:aws:s3:::cards/"))]
    )
    name = st.sampled_from([None, {"Field": "eventName", "NotEquals": ["GetObject"]}])
    management = st.builds(lambda *more: entry("Management", *more), read_only, source)
    return st.one_of(management, st.builds(lambda *more: entry("Data", *more), kind, read_only, arn, name))


SELECTORS = st.one_of(
    st.fixed_dictionaries({"EventSelectors": st.lists(basic_selectors(), max_size=5)}),
    st.fixed_dictionaries({"AdvancedEventSelectors": st.lists(advanced_selectors(), max_size=5)}),
)
BUCKETS = st.lists(st.sampled_from(["archive-*", "archive-elb", "cards", "cards*"]), max_size=3, unique=True)


@given(SELECTORS, BUCKETS)
def test_no_gap_is_left_nothing_is_lost_and_only_what_is_asked_for_is_added(selectors: Any, buckets: list[str]) -> None:
    done = completed_selectors(selectors, buckets)
    assert selector_gaps(done, buckets) == []
    assert len(done) == 1
    assert len(done.get("EventSelectors", [])) <= 5
    for event in MANAGEMENT + DATA:
        before, after = logged(event, selectors), logged(event, done)
        assert after or not before, f"{event} is lost"
        assert before or not after or asked_for(event, buckets), f"{event} is new and was not asked for"
    assert completed_selectors(done, buckets) == done, "complete ones are left alone"


@given(SELECTORS, BUCKETS)
def test_data_selectors_stay_as_they_are(selectors: Any, buckets: list[str]) -> None:
    done = completed_selectors(selectors, buckets)
    if "AdvancedEventSelectors" in selectors and "AdvancedEventSelectors" in done:
        data = [e for e in selectors["AdvancedEventSelectors"] if e["FieldSelectors"][0]["Equals"] == ["Data"]]
        kept = [e for e in done["AdvancedEventSelectors"] if e in data]
        assert kept == data
    if "EventSelectors" in done and "EventSelectors" in selectors:
        for before, after in zip(selectors["EventSelectors"], done["EventSelectors"], strict=False):
            assert before["DataResources"] == after["DataResources"]


def full(count: int) -> dict[str, Any]:
    values = [f"arn:aws:s3:::bucket-{number}/" for number in range(count)]
    resources = [{"Type": S3, "Values": values}]
    return {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": resources,
        "ExcludeManagementEventSources": [],
    }


@pytest.mark.parametrize(("resources", "kept"), [(249, "EventSelectors"), (250, "AdvancedEventSelectors")])
def test_what_basic_selectors_have_no_room_for_becomes_advanced(resources: int, kept: str) -> None:
    assert set(completed_selectors({"EventSelectors": [full(resources)]}, ["cards"])) == {kept}


@pytest.mark.parametrize(("selectors", "kept"), [(4, "EventSelectors"), (5, "AdvancedEventSelectors")])
def test_a_sixth_basic_selector_becomes_advanced(selectors: int, kept: str) -> None:
    assert set(completed_selectors({"EventSelectors": [full(1)] * selectors}, ["cards"])) == {kept}


@pytest.mark.parametrize(("values", "fits"), [(495, True), (496, False)])
def test_five_hundred_values_are_the_limit(values: int, fits: bool) -> None:
    arns = {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::b{number}/" for number in range(values)]}
    management = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    category = {"Field": "eventCategory", "Equals": ["Data"]}
    selectors = {"AdvancedEventSelectors": [management, {"FieldSelectors": [category, arns]}]}
    if fits:
        assert len(completed_selectors(selectors, ["cards"])["AdvancedEventSelectors"]) == 3
    else:
        with pytest.raises(MalformedTrailError, match="would have 501 values, CloudTrail takes 500"):
            completed_selectors(selectors, ["cards"])


@pytest.mark.parametrize(
    ("selectors", "message"),
    [
        ({"EventSelectors": [full(1)], "AdvancedEventSelectors": [{"FieldSelectors": []}]}, "basic and advanced"),
        ({"EventSelectors": [{**full(1), "ReadWriteType": "Some"}]}, "ReadWriteType is 'Some'"),
        ({"EventSelectors": [{**full(0), "DataResources": [{"Type": "AWS::X", "Values": ["a"]}]}]}, "type 'AWS::X'"),
    ],
)
def test_what_is_not_understood_is_refused(selectors: Any, message: str) -> None:
    with pytest.raises(MalformedTrailError, match=message):
        completed_selectors(selectors, ["archive-*"])


@pytest.mark.parametrize("bucket", ["*", "*-archive", "?rchive"])
def test_a_pattern_for_every_bucket_is_refused_unless_all_are_selected(bucket: str) -> None:
    whole = {"EventSelectors": [{**full(0), "DataResources": [{"Type": S3, "Values": ["arn:aws:s3"]}]}]}
    assert completed_selectors(whole, [bucket]) == whole
    with pytest.raises(MalformedTrailError, match="stands for every bucket"):
        completed_selectors({"EventSelectors": [full(0)]}, [bucket])


def test_a_name_that_is_taken_gets_a_number() -> None:
    once = completed_selectors({"AdvancedEventSelectors": []}, ["cards"])
    twice = completed_selectors(once, ["cards", "other"])["AdvancedEventSelectors"]
    assert [entry.get("Name") for entry in twice] == [
        None,
        "pci-config: objects of archive and CDE buckets",
        "pci-config: objects of archive and CDE buckets (2)",
    ]
