"""The sandbox's evaluation of conformance pack templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pci_config.pack_limits import MAX_S3_TEMPLATE_BYTES
from pci_config.sandbox.pack_template import PackRefusedError, PackResource, evaluate

PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1", "AWS::Partition": "aws"}


def rule(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Config::ConfigRule", "Properties": {"ConfigRuleName": "R", **properties}}


def resolved(value: Any, given: Any = None, **top: Any) -> Any:
    template = {
        "Parameters": {"P": {"Type": "String", "Default": "d"}, "Empty": {"Type": "String", "Default": ""}},
        "Conditions": {"HasP": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Empty"}, ""]}]}, "Yes": {"Fn::Equals": ["a", "a"]}},
        "Mappings": {"M": {"eu-west-1": {"k": "v"}}},
        "Resources": {"R": rule(InputParameters={"x": value})},
        **top,
    }
    (resource,) = evaluate(yaml.safe_dump(template), given or {}, PSEUDO)
    return resource.properties["InputParameters"].get("x", "absent")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "P"}, "d"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::NoValue"}, "absent"),
        ({"Fn::Sub": "arn:${AWS::Partition}:x:${AWS::AccountId}:${P}"}, "arn:aws:x:123456789012:d"),
        ({"Fn::Sub": ["${P}-${Local}", {"Local": {"Ref": "AWS::Region"}}]}, "d-eu-west-1"),
        ({"Fn::If": ["HasP", "yes", {"Ref": "AWS::NoValue"}]}, "absent"),
        ({"Fn::If": ["Yes", "yes", "no"]}, "yes"),
        ({"Fn::Join": ["-", ["a", {"Ref": "P"}]]}, "a-d"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, "v"),
        ([{"Ref": "P"}, {"Ref": "AWS::NoValue"}], ["d"]),
    ],
)
def test_intrinsic_functions(value: Any, expected: Any) -> None:
    assert resolved(value) == expected


def test_and_or_and_given_parameters() -> None:
    conditions = {"Both": {"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]}, "A": {"Fn::Equals": ["x", {"Ref": "P"}]},
                  "B": {"Fn::Or": [{"Fn::Equals": [1, 2]}, {"Fn::Equals": [1, 1]}]}}  # fmt: skip
    assert resolved({"Fn::If": ["Both", "yes", "no"]}, {"P": "x"}, Conditions=conditions) == "yes"
    assert resolved({"Fn::If": ["Both", "yes", "no"]}, {"P": "y"}, Conditions=conditions) == "no"


def test_short_forms_and_conditions_on_resources() -> None:
    text = """
    Conditions: {Never: !Equals [a, b]}
    Resources:
      R: {Type: AWS::Config::ConfigRule, Properties: {ConfigRuleName: R, Source: !Sub "in ${AWS::Region}"}}
      S: {Type: AWS::Config::ConfigRule, Condition: Never, Properties: {ConfigRuleName: S}}
    """
    assert evaluate(text, {}, PSEUDO) == [
        PackResource("R", "AWS::Config::ConfigRule", {"ConfigRuleName": "R", "Source": "in eu-west-1"})
    ]


@pytest.mark.parametrize(
    ("template", "given", "message"),
    [
        ({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}, {}, "a pack holds no AWS::S3::Bucket"),
        ({"Transform": "x", "Resources": {}}, {}, "Transform cannot stand in a pack"),
        ({"Resources": {"R": rule(ConfigRuleName={"Fn::Sub": "x"})}}, {}, "must be a literal"),
        ({"Resources": {"R": rule(x={"Fn::ImportValue": "y"})}}, {}, "Fn::ImportValue is not imitated"),
        ({"Resources": {"R": rule(x={"Ref": "Nope"})}}, {}, "Ref Nope"),
        ({"Resources": {"R": rule(x={"Fn::If": ["Nope", 1, 2]})}}, {}, "there is no condition Nope"),
        ({"Parameters": {"P": {"Type": "String"}}, "Resources": {}}, {}, r"without a value \['P'\]"),
        ({"Resources": {}}, {"Q": "x"}, r"unknown \['Q'\]"),
        ({"Parameters": {f"P{n}": {"Default": ""} for n in range(61)}, "Resources": {}}, {}, "61 parameters"),
        ({"Resources": {}, "Description": "x" * 52_000}, {}, "a pack takes 51200"),
        (
            {"Resources": {"F": {"Type": "AWS::Config::RemediationConfiguration", "Properties": {"ConfigRuleName": "R"}}}},
            {},
            "the pack has no rule R",
        ),
    ],
)
def test_what_a_pack_cannot_hold(template: Any, given: Any, message: str) -> None:
    with pytest.raises(PackRefusedError, match=message):
        evaluate(yaml.safe_dump(template), given, PSEUDO)


def test_text_that_is_not_yaml() -> None:
    with pytest.raises(PackRefusedError, match="is not YAML"):
        evaluate("a: b: c", {}, PSEUDO)


@pytest.mark.parametrize("name", ["conformance_pack.yaml", "conformance_pack_global.yaml"])
def test_the_shipped_packs_evaluate(root: Path, name: str) -> None:
    text = (root / name).read_text("utf-8")
    resources = evaluate(text, {}, PSEUDO, MAX_S3_TEMPLATE_BYTES)
    functions = {
        r.properties["Source"]["SourceIdentifier"]
        for r in resources
        if r.type.endswith("ConfigRule") and r.properties["Source"]["Owner"] != "AWS"
    }
    assert functions == {"arn:aws:lambda:eu-west-1:123456789012:function:pci-config-rules"}
    elsewhere = evaluate(text, {"LambdaAccountId": "210987654321"}, PSEUDO, MAX_S3_TEMPLATE_BYTES)
    assert "arn:aws:lambda:eu-west-1:210987654321:function:pci-config-rules" in str(elsewhere)
