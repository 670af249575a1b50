"""PciConfig-EnableRepositoryScanning: pushes are scanned, tags stay where that is asked for, other repositories untouched."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, REGION, account, answering, execution_of
from pci_config.image_scanning import mutability_fault, registry_scanning, scanning_fault
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
DOCUMENT, NAME = "PciConfig-EnableRepositoryScanning", "payments/card-api"
script = load_script(DOCUMENT)
run = partial(fix_testing.run, DOCUMENT)


def client() -> Any:
    return boto3.client("ecr", region_name=REGION)


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    return {"scanFrequency": frequency, "repositoryFilters": [{"filter": each, "filterType": "WILDCARD"} for each in filters]}


def make(
    tags: str = "IMMUTABLE",
    exclusions: tuple[str, ...] = (),
    on_push: bool = False,
    registry: tuple[str, list[dict[str, Any]]] | None = None,
    **parameters: str,
) -> dict[str, str]:
    """A repository and its registry; the parameters for the document."""
    more: dict[str, Any] = {}
    if exclusions:
        more["imageTagMutabilityExclusionFilters"] = [{"filter": each, "filterType": "WILDCARD"} for each in exclusions]
    client().create_repository(
        repositoryName=NAME, imageTagMutability=tags, imageScanningConfiguration={"scanOnPush": on_push}, **more
    )
    if registry:
        client().put_registry_scanning_configuration(scanType=registry[0], rules=registry[1])
    return {"RepositoryName": NAME, **parameters}


ELSEWHERE = [rule("SCAN_ON_PUSH", "fluent-bit", "tools/*"), rule("CONTINUOUS_SCAN", "ledger")]
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "nobody scans": make,
    "basic rules fit others": partial(make, registry=("BASIC", [rule("SCAN_ON_PUSH", "ledger")])),
    "mutable": partial(make, "MUTABLE", on_push=True, MakeTagsImmutable="true"),
    "mutable, latest may move": partial(make, "MUTABLE", on_push=True, MakeTagsImmutable="true", MutableTags="latest, dev-*"),
    "mutable but for some": partial(make, "MUTABLE_WITH_EXCLUSION", ("v*",), True, MakeTagsImmutable="true"),
    "too many exclusions": partial(
        make, "IMMUTABLE_WITH_EXCLUSION", ("latest", "dev-*"), True, MakeTagsImmutable="true", MutableTags="latest,nightly"
    ),
    "no exclusion is allowed": partial(make, "IMMUTABLE_WITH_EXCLUSION", ("dev-*",), True, MakeTagsImmutable="true"),
    "enhanced, no filter": partial(make, registry=("ENHANCED", ELSEWHERE), ExtendRegistryRules="true"),
    "enhanced, no rule": partial(make, on_push=True, registry=("ENHANCED", []), ExtendRegistryRules="true"),
    "everything": partial(
        make, "MUTABLE", registry=("ENHANCED", ELSEWHERE[:1]), ExtendRegistryRules="true", MakeTagsImmutable="true"
    ),
    "tags are left": partial(make, "MUTABLE", ImmutableTags="false"),
}


def repository() -> dict[str, Any]:
    (found,) = client().describe_repositories(repositoryNames=[NAME])["repositories"]
    found.get("imageTagMutabilityExclusionFilters", []).sort(key=lambda each: each["filter"])
    return {key: value for key, value in found.items() if key.startswith("image")}


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client().get_registry_scanning_configuration()["scanningConfiguration"]["rules"]
    return found


def state() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return repository(), rules()


def faults(parameters: Mapping[str, str]) -> list[str]:
    """What the rule finds."""
    registry = registry_scanning(client().get_registry_scanning_configuration()["scanningConfiguration"])
    found = repository()
    allowed = [each.strip() for each in parameters.get("MutableTags", "").split(",")]
    excluded = [each["filter"] for each in found.get("imageTagMutabilityExclusionFilters") or []]
    tags = parameters.get("ImmutableTags", "true") == "true"
    problems = [
        scanning_fault(NAME, found["imageScanningConfiguration"]["scanOnPush"], registry, False),
        mutability_fault(found["imageTagMutability"], excluded, allowed) if tags else None,
    ]
    return [problem for problem in problems if problem]


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_restored_and_fixed_again(name: str) -> None:
    parameters = VIOLATIONS[name]()
    before = state()
    assert faults(parameters)
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], state()) == ("dry-run", before)
    done = run(**parameters)
    assert (done["Outcome"], faults(parameters)) == ("changed", [])
    after = state()
    assert (run(**parameters)["Outcome"], state()) == ("compliant", after)
    back = partial(fix_testing.restore, DOCUMENT, execution_of(done), RepositoryName=NAME)
    assert (back(DryRun="true")["Outcome"], state()) == ("dry-run", after)
    assert (back()["Outcome"], state()) == ("changed", before)
    assert back()["Outcome"] == "compliant"


def test_compliant_repositories_are_left() -> None:
    parameters = make(on_push=True)
    result = run(**parameters)
    assert (result["Outcome"], json.loads(result["Calls"])) == ("compliant", [])
    assert run(RepositoryName="not-there")["Message"] == "not-there no longer exists: nothing to do"


def test_what_is_right_stays() -> None:
    before = (make(registry=("ENHANCED", ELSEWHERE), ExtendRegistryRules="true"), state())[1]
    run(RepositoryName=NAME, ExtendRegistryRules="true")
    assert state() == (before[0], [ELSEWHERE[0], rule("CONTINUOUS_SCAN", "ledger", NAME)])


@pytest.mark.parametrize(
    ("arrange", "kind", "filters"),
    [
        ("mutable", "IMMUTABLE", []),
        ("mutable, latest may move", "IMMUTABLE_WITH_EXCLUSION", ["dev-*", "latest"]),
        ("mutable but for some", "IMMUTABLE", []),
        ("too many exclusions", "IMMUTABLE_WITH_EXCLUSION", ["latest"]),
        ("no exclusion is allowed", "IMMUTABLE", []),
    ],
)
def test_tags_may_move_only_where_allowed(arrange: str, kind: str, filters: list[str]) -> None:
    run(**VIOLATIONS[arrange]())
    found = repository()
    assert found["imageTagMutability"] == kind
    assert [each["filter"] for each in found.get("imageTagMutabilityExclusionFilters") or []] == filters
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        (partial(make, "MUTABLE", on_push=True), "tags are mutable.*; with MakeTagsImmutable true.*; nothing done$"),
        (partial(make, registry=("ENHANCED", ELSEWHERE)), "none of the registry's filters fits .*; with ExtendRegistryRules"),
        (partial(make, on_push=True, EnhancedOnly="true"), "EnhancedOnly is true, and enhanced scanning is off"),
        (partial(make, EnhancedOnly="true"), "EnhancedOnly is true, and enhanced scanning is off"),
        (
            partial(make, "MUTABLE", on_push=True, MakeTagsImmutable="true", MutableTags="a,b,c,d,e,f"),
            "MutableTags has 6 filters; Amazon ECR takes 5",
        ),
        (
            partial(
                make,
                registry=("ENHANCED", [rule("CONTINUOUS_SCAN", *(f"team{n}" for n in range(100)))]),
                ExtendRegistryRules="true",
            ),
            "has 100 filters, and takes no more",
        ),
        (partial(make, EnhancedOnly="perhaps"), "EnhancedOnly is 'perhaps'"),
        (partial(make, MakeTagsImmutable=""), "MakeTagsImmutable is ''"),
    ],
)
def test_what_is_not_allowed_is_refused(arrange: Callable[[], dict[str, str]], message: str) -> None:
    parameters = arrange()
    before = state()
    with pytest.raises(Refused, match=message):
        run(**parameters)
    assert state() == before


def test_five_exclusions_and_a_last_filter_are_taken() -> None:
    parameters = make("MUTABLE", MakeTagsImmutable="true", MutableTags="a,b,c,d,e", ExtendRegistryRules="true",
                      registry=("ENHANCED", [rule("CONTINUOUS_SCAN", *(f"team{n}" for n in range(99)))]))  # fmt: skip
    assert run(**parameters)["Outcome"] == "changed"
    assert faults(parameters) == []


def test_a_part_is_done_and_the_rest_told() -> None:
    parameters = make("MUTABLE")
    result = run(**parameters)
    assert result["Outcome"] == "changed"
    assert "have payments/card-api scan on push (left as it is: tags are mutable: what was scanned" in result["Message"]
    assert (repository()["imageTagMutability"], repository()["imageScanningConfiguration"]["scanOnPush"]) == ("MUTABLE", True)
    with pytest.raises(Refused, match="with MakeTagsImmutable true"):
        run(**parameters)


@pytest.mark.parametrize("name", ["tools__x", "tools--x"])
def test_a_name_that_is_no_filter_is_refused(name: str) -> None:
    event = {"RepositoryName": name, "EnhancedOnly": "false", "ImmutableTags": "true", "MutableTags": "none",
             "MakeTagsImmutable": "true", "ExtendRegistryRules": "true"}  # fmt: skip
    unscanned = {"repository": {"imageTagMutability": "IMMUTABLE"}, "registry": {"scanType": "ENHANCED", "rules": []}}
    with pytest.raises(Refused, match="takes no such name as a filter"):
        script.RepositoryScanning(event).changes(unscanned)


def test_what_a_template_describes_is_refused() -> None:
    parameters = make()
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"
    client().tag_resource(resourceArn=arn, tags=[{"Key": "managed-by", "Value": "terraform"}])
    with pytest.raises(Refused, match="managed by terraform"):
        run(**parameters)
    assert run(**parameters, AllowManaged="true")["Outcome"] == "changed"


@pytest.mark.parametrize("other", [{"AccountId": "210987654321"}, {"Region": "us-east-1"}])
def test_foreign_repositories_are_refused(other: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    with pytest.raises(Refused, match=r"payments/card-api is not in"):
        run(**parameters, **other)
    assert repository()["imageScanningConfiguration"] == {"scanOnPush": False}


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        (("ENHANCED", [{"scanFrequency": "HOURLY", "repositoryFilters": []}]), "HOURLY"),
        (("DEEP", []), "DEEP"),
        (("ENHANCED", [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "x", "filterType": "RE"}]}]), "RE"),
        (("ENHANCED", [{"scanFrequency": "SCAN_ON_PUSH"}]), "repositoryFilters"),
    ],
)
def test_what_is_not_understood_is_refused(registry: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    read = script.RepositoryScanning.read
    odd = {"scanType": registry[0], "rules": registry[1]}
    monkeypatch.setattr(script.RepositoryScanning, "read", lambda self: {**read(self), "registry": odd})
    with pytest.raises(Refused, match=f"is not understood.*{message}"):
        run(**parameters)


def test_odd_mutability_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make(MakeTagsImmutable="true")
    read = script.RepositoryScanning.read
    for kind, message in (("SOMETIMES", "'SOMETIMES'"), ("IMMUTABLE_WITH_EXCLUSION", "does not say which tags are excluded")):
        with monkeypatch.context() as patch:
            patch.setattr(
                script.RepositoryScanning,
                "read",
                lambda self, kind=kind: {**(s := read(self)), "repository": {**s["repository"], "imageTagMutability": kind}},
            )
            with pytest.raises(Refused, match=message):
                run(**parameters)


def test_another_run_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    keep = script.carry_out.__globals__["_keep_evidence"]

    def meanwhile(*arguments: Any) -> Any:
        client().put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
        return keep(*arguments)

    monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", meanwhile)
    assert run(**parameters)["Outcome"] == "changed", "the same call again does no harm"
    assert faults(parameters) == []


def test_a_repository_that_is_deleted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = make()
    keep = script.carry_out.__globals__["_keep_evidence"]

    def meanwhile(event: Any, resource_id: str, which: str, *more: Any) -> Any:
        if which == "before":
            client().delete_repository(repositoryName=NAME)
        return keep(event, resource_id, which, *more)

    monkeypatch.setitem(script.carry_out.__globals__, "_keep_evidence", meanwhile)
    assert run(**parameters)["Outcome"] == "gone"


@pytest.mark.parametrize(
    ("denied", "left"), [("PutRegistryScanningConfiguration", "nothing"), ("PutImageTagMutability", "scan payments/card-api")]
)
def test_a_denied_call_is_told(denied: str, left: str) -> None:
    parameters = VIOLATIONS["everything"]()
    with answering(**{denied: "AccessDenied"}), pytest.raises(RuntimeError, match=f"done before that: {left}"):
        run(**parameters)


def test_restores_of_several_repositories_do_not_touch_each_other() -> None:
    parameters = VIOLATIONS["enhanced, no rule"]()
    client().create_repository(repositoryName="ledger", imageTagMutability="IMMUTABLE")
    first = run(**parameters)
    second = run(RepositoryName="ledger", ExtendRegistryRules="true")
    assert rules() == [rule("CONTINUOUS_SCAN", NAME, "ledger")]
    assert fix_testing.restore(DOCUMENT, execution_of(first), RepositoryName=NAME)["Outcome"] == "changed"
    assert rules() == [rule("CONTINUOUS_SCAN", "ledger")]
    assert fix_testing.restore(DOCUMENT, execution_of(second), RepositoryName="ledger")["Outcome"] == "changed"
    assert rules() == []


def test_a_restore_refuses_what_changed_since() -> None:
    parameters = VIOLATIONS["mutable"]()
    done = run(**parameters)
    client().put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": False})
    with pytest.raises(Refused, match="was changed after"):
        fix_testing.restore(DOCUMENT, execution_of(done), RepositoryName=NAME)
    client().delete_repository(repositoryName=NAME)
    with pytest.raises(Refused, match="no longer exists"):
        fix_testing.restore(DOCUMENT, execution_of(done), RepositoryName=NAME)


# ------------------------------------------------------------------------------------- every state, by a model of Amazon ECR

FILTERS = st.lists(st.sampled_from([NAME, "card", "ledger", "*", "tools/*", "payments/*"]), max_size=3, unique=True)
TAGS = st.lists(st.sampled_from(["latest", "dev-*", "v*"]), min_size=1, max_size=3, unique=True)


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["BASIC", "ENHANCED"]))
    allowed = ["SCAN_ON_PUSH"] if kind == "BASIC" else ["SCAN_ON_PUSH", "CONTINUOUS_SCAN"]
    frequencies = draw(st.lists(st.sampled_from(allowed), max_size=2, unique=True))
    tags = draw(st.sampled_from(["MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]))
    return {
        "repository": {
            "repositoryName": NAME,
            "imageTagMutability": tags,
            "imageScanningConfiguration": {"scanOnPush": draw(st.booleans())},
            **(
                {"imageTagMutabilityExclusionFilters": [{"filter": f, "filterType": "WILDCARD"} for f in draw(TAGS)]}
                if tags.endswith("EXCLUSION")
                else {}
            ),
        },
        "registry": {"scanType": kind, "rules": [rule(frequency, *draw(FILTERS)) for frequency in frequencies]},
    }


def applied(state: dict[str, Any], changes: Any) -> dict[str, Any]:
    new = copy.deepcopy(state)
    for change in changes:
        given = {key: value for key, value in change.parameters.items() if key != "repositoryName"}
        if change.operation == "put_registry_scanning_configuration":
            new["registry"] = given
        else:
            if change.operation == "put_image_tag_mutability":
                new["repository"].pop("imageTagMutabilityExclusionFilters", None)
            new["repository"] |= given
    return new


@given(states(), st.sampled_from(["none", "latest", "latest,dev-*"]))
def test_every_state_becomes_right_and_nothing_else_changes(before: dict[str, Any], mutable_tags: str) -> None:
    event = {"RepositoryName": NAME, "EnhancedOnly": "false", "ImmutableTags": "true", "MutableTags": mutable_tags,
             "MakeTagsImmutable": "true", "ExtendRegistryRules": "true"}  # fmt: skip
    fix, back = script.RepositoryScanning(event), script.RepositoryRestore(event)
    changes = fix.changes(before)
    after = applied(before, changes)
    assert fix.changes(after) == []
    registry = registry_scanning(after["registry"])
    assert scanning_fault(NAME, after["repository"]["imageScanningConfiguration"]["scanOnPush"], registry, False) is None
    kept = script.exclusions_of(after["repository"])
    assert mutability_fault(after["repository"]["imageTagMutability"], kept, mutable_tags.split(",")) is None
    for each in before["registry"]["rules"]:
        (same,) = (rule for rule in after["registry"]["rules"] if rule["scanFrequency"] == each["scanFrequency"])
        assert same["repositoryFilters"][: len(each["repositoryFilters"])] == each["repositoryFilters"]
    restored = applied(after, back.undo(back.record(before), after))
    assert back.record(restored) == back.record(before)
    emptied = [each for each in before["registry"]["rules"] if each["repositoryFilters"]]
    assert [each for each in restored["registry"]["rules"] if each["repositoryFilters"]] == emptied
