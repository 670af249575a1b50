"""PciConfig-SetDistributionTls: a distribution refuses clear text and old TLS, and everything else of it stays."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fix_testing
from fix_testing import ACCOUNT, EVIDENCE, REGION, account, answering, execution_of
from pci_config import runbook
from pci_config.cdn_tls import ACCEPTABLE_MINIMUMS, SECURITY_POLICIES, distribution_faults
from pci_config.runbook import Refused
from script_loader import load_script

__all__ = ["account"]  # the fixture that starts moto
NAME = "PciConfig-SetDistributionTls"
script = load_script(NAME)
run = partial(fix_testing.run, NAME)
restore = partial(fix_testing.restore, NAME)
SECRET = "correct horse battery staple"  # noqa: S105 - a made-up one, looked for below
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/shop"
WEB_ACL = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/edge/1"
EVENT = {
    "DistributionId": "E1PCIEXAMPLE01", "MinimumProtocolVersion": "TLSv1.2_2021", "ViewerProtocolPolicy": "redirect-to-https",
    "OriginsTakeHttps": "false", "AccountId": ACCOUNT, "Region": REGION,
}  # fmt: skip


def cloudfront() -> Any:
    return boto3.client("cloudfront", region_name=REGION)


def listing(*entries: Any) -> dict[str, Any]:
    return {"Quantity": len(entries), "Items": list(entries)} if entries else {"Quantity": 0}


def behaviour(policy: str, path: str | None = None, origin: str = "api") -> dict[str, Any]:
    values = {"QueryString": True, "Cookies": {"Forward": "none"}}
    found = {"TargetOriginId": origin, "ViewerProtocolPolicy": policy, "MinTTL": 0, "ForwardedValues": values}
    return found if path is None else {"PathPattern": path, **found}


def origin(policy: str = "https-only", *protocols: str, name: str = "api", domain: str = "api.shop.example") -> dict[str, Any]:
    return {
        "Id": name,
        "DomainName": domain,
        "CustomHeaders": listing({"HeaderName": "x-from", "HeaderValue": SECRET}),
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": policy,
            "OriginSslProtocols": listing(*(protocols or ("TLSv1.2",))),
        },
    }


def bucket(domain: str = "static.s3.eu-west-1.amazonaws.com") -> dict[str, Any]:
    return {"Id": "static", "DomainName": domain, "S3OriginConfig": {"OriginAccessIdentity": ""}}


def vpc_origin(policy: str = "https-only", *protocols: str) -> dict[str, Any]:
    made = cloudfront().create_vpc_origin(
        VpcOriginEndpointConfig={
            "Name": "inner",
            "Arn": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/inner/1",
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": policy,
            "OriginSslProtocols": listing(*(protocols or ("TLSv1.2",))),
        }
    )
    return {"Id": "inner", "DomainName": "inner.shop.example", "VpcOriginConfig": {"VpcOriginId": made["VpcOrigin"]["Id"]}}


def own(policy: str = "TLSv1.2_2021", support: str = "sni-only") -> dict[str, Any]:
    return {
        "CloudFrontDefaultCertificate": False,
        "ACMCertificateArn": CERTIFICATE,
        "SSLSupportMethod": support,
        "MinimumProtocolVersion": policy,
    }


def config(**changes: Any) -> dict[str, Any]:
    """A distribution that is right, and what is otherwise."""
    given = {
        "CallerReference": "shop",
        "Comment": "shop",
        "Enabled": True,
        "Aliases": listing("shop.example"),
        "Origins": listing(origin()),
        "DefaultCacheBehavior": behaviour("https-only"),
        "CacheBehaviors": {"Quantity": 0},
        "ViewerCertificate": own(),
    }
    return given | changes


def distribution(parameters: dict[str, str] | None = None, **changes: Any) -> dict[str, str]:
    made = cloudfront().create_distribution(DistributionConfig=config(**changes))
    return {"DistributionId": made["Distribution"]["Id"], **(parameters or {})}


def everything(**changes: Any) -> dict[str, str]:
    return distribution(
        {"ViewerProtocolPolicy": "https-only", "MinimumProtocolVersion": "TLSv1.2_2025"},
        WebACLId=WEB_ACL,
        Origins=listing(origin("match-viewer", "TLSv1.1", "TLSv1.2"), origin(name="good"), bucket(), vpc_origin()),
        DefaultCacheBehavior=behaviour("allow-all"),
        CacheBehaviors=listing(
            behaviour("redirect-to-https", "/a/*"), behaviour("allow-all", "/b/*", "static"), behaviour("https-only", "/c/*")
        ),
        ViewerCertificate=own("TLSv1.1_2016"),
        **changes,
    )


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "a behaviour serves HTTP": lambda: distribution(DefaultCacheBehavior=behaviour("allow-all")),
    "an old security policy": lambda: distribution(ViewerCertificate=own("TLSv1.2_2018")),
    "an origin is asked as the viewer asks": lambda: distribution(Origins=listing(origin("match-viewer"))),
    "an origin is asked with old TLS": lambda: distribution(Origins=listing(origin("https-only", "SSLv3", "TLSv1", "TLSv1.2"))),
    "an origin is asked over HTTP": lambda: distribution(
        {"OriginsTakeHttps": "true"}, Origins=listing(origin("http-only", "TLSv1"))
    ),
    "everything, among what is right": everything,
}


def state(where: dict[str, str]) -> Any:
    return cloudfront().get_distribution_config(Id=where["DistributionId"])["DistributionConfig"]


def put(where: dict[str, str], **changes: Any) -> None:
    found = cloudfront().get_distribution_config(Id=where["DistributionId"])
    changed = {**found["DistributionConfig"], **changes}
    cloudfront().update_distribution(Id=where["DistributionId"], IfMatch=found["ETag"], DistributionConfig=changed)


def differences(before: Any, after: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict) and set(before) == set(after):
        found = [differences(before[key], after[key], f"{place}.{key}") for key in before]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = [differences(*pair, f"{place}.{n}") for n, pair in enumerate(zip(before, after, strict=True))]
    else:
        return {} if before == after else {place.removeprefix("."): (before, after)}
    return {key: value for each in found for key, value in each.items()}


@contextmanager
def before_update(act: Callable[[], Any]) -> Iterator[list[dict[str, Any]]]:
    """Something comes in between: it acts right before the first UpdateDistribution. Gives what is sent."""
    call, waiting, sent = botocore.client.BaseClient._make_api_call, [act], list[dict[str, Any]]()

    def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
        if operation == "UpdateDistribution":
            if waiting:
                waiting.pop()()
            sent.append(parameters)
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", make_api_call)
        yield sent


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_led_exactly_back(name: str) -> None:
    parameters = VIOLATIONS[name]()
    where = {"DistributionId": parameters["DistributionId"]}
    before = state(where)
    dry = run(**parameters, DryRun="true")
    assert (dry["Outcome"], state(where)) == ("dry-run", before)
    done = run(**parameters)
    after = state(where)
    assert (done["Outcome"], done["Calls"]) == ("changed", dry["Calls"])
    again = run(**parameters)
    assert (again["Outcome"], state(where)) == ("compliant", after)

    execution_id = execution_of(done)
    assert (restore(execution_id, **where, DryRun="true")["Outcome"], state(where)) == ("dry-run", after)
    back = restore(execution_id, **where)
    assert (back["Outcome"], state(where), json.loads(back["After"])) == ("changed", before, json.loads(done["Before"]))
    assert restore(execution_id, **where)["Outcome"] == "compliant"


def test_only_what_is_at_fault_changes() -> None:
    parameters = everything()
    before = state(parameters)
    done = run(**parameters)
    assert differences(before, state(parameters)) == {
        "DefaultCacheBehavior.ViewerProtocolPolicy": ("allow-all", "https-only"),
        "CacheBehaviors.Items.1.ViewerProtocolPolicy": ("allow-all", "https-only"),
        "ViewerCertificate.MinimumProtocolVersion": ("TLSv1.1_2016", "TLSv1.2_2025"),
        "Origins.Items.0.CustomOriginConfig.OriginProtocolPolicy": ("match-viewer", "https-only"),
        "Origins.Items.0.CustomOriginConfig.OriginSslProtocols.Quantity": (2, 1),
        "Origins.Items.0.CustomOriginConfig.OriginSslProtocols.Items": (["TLSv1.1", "TLSv1.2"], ["TLSv1.2"]),
    }
    (call,) = json.loads(done["Calls"])
    assert call["parameters"]["IfMatch"]
    assert call["summary"].startswith("refuse clear text and old TLS (behaviour default serves HTTP (allow-all); set redirect")
    assert json.loads(done["Before"]) == {
        "Behaviours": [["default", "allow-all"], ["/a/*", "redirect-to-https"], ["/b/*", "allow-all"], ["/c/*", "https-only"]],
        "MinimumProtocolVersion": "TLSv1.1_2016",
        "Origins": [
            {"Id": "api", "OriginProtocolPolicy": "match-viewer", "OriginSslProtocols": ["TLSv1.1", "TLSv1.2"]},
            {"Id": "good", "OriginProtocolPolicy": "https-only", "OriginSslProtocols": ["TLSv1.2"]},
        ],
    }


def test_header_values_are_sent_and_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    parameters = everything()
    done = run(**parameters)
    back = restore(execution_of(done), DistributionId=parameters["DistributionId"])
    assert SECRET not in json.dumps([done, back])
    assert "(not shown)" in done["Calls"]
    assert SECRET not in capsys.readouterr().out
    s3 = boto3.client("s3", region_name="us-east-1")
    kept = [
        s3.get_object(Bucket=EVIDENCE, Key=each["Key"])["Body"].read().decode()
        for each in s3.list_objects_v2(Bucket=EVIDENCE)["Contents"]
    ]
    assert len(kept) == 4
    assert not any(SECRET in text for text in kept)
    for each in state(parameters)["Origins"]["Items"][:2]:
        assert each["CustomHeaders"]["Items"] == [{"HeaderName": "x-from", "HeaderValue": SECRET}]


def test_a_value_that_nothing_reveals_is_never_sent() -> None:
    parameters = everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "in_its_place", lambda params, **_: None)
        runbook.aws.cache_clear()
        with pytest.raises(RuntimeError, match=r"(?s)Parameter validation failed.*done before that: nothing") as failed:
            run(**parameters)
        assert SECRET not in str(failed.value)
    runbook.aws.cache_clear()
    shown = script.without_secrets(state(parameters))
    with pytest.raises(ParamValidationError):
        cloudfront().update_distribution(Id=parameters["DistributionId"], IfMatch="x", DistributionConfig=shown)
    assert repr(script.Unshown(SECRET)) == str(script.Unshown(SECRET)) == "(not shown)"


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({}, {}),
        ({"DefaultCacheBehavior": behaviour("redirect-to-https"), "Origins": listing(origin(), bucket())}, {}),
        ({"ViewerCertificate": own("TLSv1.3_2025")}, {"MinimumProtocolVersion": "TLSv1.2_2025"}),
        ({"Enabled": False, "DefaultCacheBehavior": behaviour("allow-all"), "ViewerCertificate": own("TLSv1")}, {}),
    ],
)
def test_what_is_right_or_serves_nothing_is_left(changes: dict[str, Any], parameters: dict[str, str]) -> None:
    where = distribution(**changes)
    before = state(where)
    assert (run(**where, **parameters)["Outcome"], state(where)) == ("compliant", before)


HTTP = behaviour("allow-all")  # a violation that could be mended, beside one that cannot


@pytest.mark.parametrize(
    ("changes", "parameters", "message"),
    [
        (
            {"ViewerCertificate": {"CloudFrontDefaultCertificate": True}},
            {},
            "needs a human: CloudFront's default certificate .*own",
        ),
        ({"ViewerCertificate": own("TLSv1", "vip")}, {}, r"with dedicated IP addresses \(vip\) AWS support has to allow it"),
        (
            {"Origins": listing(origin("http-only", domain="b.s3-website-eu-west-1.amazonaws.com"))},
            {"OriginsTakeHttps": "true"},
            "origin api is an S3 website endpoint, which has no HTTPS; use the bucket",
        ),
        ({"Origins": listing(origin("http-only"))}, {}, "asked over HTTP .*: nothing shows that it answers TLS 1.2; try it"),
        ({"Origins": listing(origin("https-only", "TLSv1.1"))}, {}, r"asked with TLSv1\.1; .* OriginsTakeHttps true"),
        ({"Origins": listing(origin("match-viewer", "TLSv1"))}, {}, r"match-viewer\); .* OriginsTakeHttps true"),
    ],
)
def test_what_needs_a_human_stops_all(changes: dict[str, Any], parameters: dict[str, str], message: str) -> None:
    where = distribution(**{"DefaultCacheBehavior": HTTP, **changes})
    before = state(where)
    for dry_run in ("true", "false"):
        with pytest.raises(Refused, match=message):
            run(**where, **parameters, DryRun=dry_run)
    assert state(where) == before


def test_all_reasons_are_told_at_once() -> None:
    where = distribution(
        ViewerCertificate={"CloudFrontDefaultCertificate": True},
        Origins=listing(origin("http-only"), origin("match-viewer", name="two"), vpc_origin("match-viewer")),
    )
    with pytest.raises(Refused) as refused:
        run(**where)
    text = str(refused.value)
    assert text.startswith("needs a human: CloudFront's default certificate accepts TLSv1")
    assert "; origin api is asked over HTTP (http-only); set https-only: nothing shows" in text
    assert (
        "; origin inner is asked over HTTP where viewers may use it (match-viewer); set https-only: it is a VPC origin" in text
    )
    assert "origin two" not in text, "that one could be mended"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"DefaultCacheBehavior": behaviour("http3-only")},
            "behaviour default has the unknown viewer protocol policy http3-only",
        ),
        ({"ViewerCertificate": own("TLSv1.4_2030")}, "unknown security policy TLSv1.4_2030"),
        ({"ViewerCertificate": {"CloudFrontDefaultCertificate": False}}, "names no certificate"),
        ({"Origins": listing(origin("tls-only"))}, "has the unknown protocol policy tls-only"),
        ({"Origins": listing(origin("https-only", "TLSv1.2", "TLSv1.4"))}, "has the unknown TLS version TLSv1.4"),
        ({"Origins": listing(origin("match-viewer", "TLSv1.2", "TLSv1.4"))}, "has the unknown TLS version TLSv1.4"),
        ({"CacheBehaviors": {"Quantity": 1}}, "says 1 items, and has 0"),
        ({"Origins": {"Quantity": 2, "Items": [origin()]}}, "says 2 items, and has 1"),
        ({"DefaultCacheBehavior": {}}, "of E1PCIEXAMPLE01 is not understood .KeyError"),
        ({"Origins": listing("api")}, "is not understood .AttributeError"),
    ],
)
def test_what_is_not_understood_is_refused(changes: dict[str, Any], message: str) -> None:
    """moto and botocore would not take these."""
    with pytest.raises(Refused, match=message):
        script.DistributionFix(EVENT).changes({"config": config(**changes), "etag": "E", "arn": ""})


def test_a_change_in_between_wins() -> None:
    parameters = everything()
    with (
        before_update(lambda: put(parameters, Comment="changed meanwhile")),
        pytest.raises(RuntimeError, match=r"PreconditionFailed.*done before that: nothing"),
    ):
        run(**parameters)
    after = state(parameters)
    assert (after["Comment"], after["DefaultCacheBehavior"]["ViewerProtocolPolicy"]) == ("changed meanwhile", "allow-all")
    assert run(**parameters)["Outcome"] == "changed"
    assert state(parameters)["Comment"] == "changed meanwhile"


def test_two_runs_at_once_end_well() -> None:
    parameters = everything()
    with before_update(lambda: run(**parameters)):
        result = run(**parameters)
    assert (result["Outcome"], result["Changed"]) == ("compliant", False)
    assert "meanwhile" in result["Message"]


def test_what_was_deleted_is_gone() -> None:
    parameters = distribution(DefaultCacheBehavior=HTTP)

    def delete() -> None:
        etag = cloudfront().get_distribution(Id=parameters["DistributionId"])["ETag"]
        cloudfront().delete_distribution(Id=parameters["DistributionId"], IfMatch=etag)

    with before_update(delete):
        assert run(**parameters)["Outcome"] == "gone"
    assert run(**parameters)["Outcome"] == "gone"


def test_restore_keeps_what_else_changed_and_refuses_what_it_would_undo() -> None:
    parameters = everything()
    where = {"DistributionId": parameters["DistributionId"]}
    before = state(where)
    execution_id = execution_of(run(**parameters))
    put(where, Comment="a new comment")
    assert restore(execution_id, **where)["Outcome"] == "changed"
    assert differences(before, state(where)) == {"Comment": ("shop", "a new comment")}
    execution_id = execution_of(run(**parameters))
    put(where, ViewerCertificate=own("TLSv1.3_2025"))
    with pytest.raises(Refused, match="was changed after"):
        restore(execution_id, **where)


def test_restore_of_another_order_or_of_no_protocols() -> None:
    undo = script.DistributionRestore(EVENT).undo
    now = {"config": config(CacheBehaviors=listing(behaviour("https-only", "/a/*"))), "etag": "E", "arn": ""}
    before = script.DistributionRestore(EVENT).record(now)
    before["Behaviours"][1] = ["/b/*", "allow-all"]
    with pytest.raises(Refused, match="in another order than before"):
        undo(before, now)
    before = script.DistributionRestore(EVENT).record(now)
    before["Origins"][0] = {"Id": "api", "OriginProtocolPolicy": "http-only", "OriginSslProtocols": []}
    (change,) = undo(before, now)
    (only,) = change.parameters["DistributionConfig"]["Origins"]["Items"]
    assert only["CustomOriginConfig"] == {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    assert now["config"] == config(CacheBehaviors=listing(behaviour("https-only", "/a/*"))), "the state read is not changed"


def test_managed_denied_and_odd() -> None:
    parameters = everything()
    arn = cloudfront().get_distribution(Id=parameters["DistributionId"])["Distribution"]["ARN"]
    with answering(UpdateDistribution="AccessDenied"), pytest.raises(RuntimeError, match="done before that: nothing"):
        run(**parameters)
    with answering(GetDistribution="AccessDenied"), pytest.raises(Exception, match="AccessDenied"):
        run(**parameters)
    for odd in (
        {"MinimumProtocolVersion": "TLSv1.2_2018"},
        {"ViewerProtocolPolicy": "allow-all"},
        {"OriginsTakeHttps": "perhaps"},
        {"AccountId": "210987654321"},
    ):
        with pytest.raises(Refused):
            run(**{**parameters, **odd})
    cloudfront().tag_resource(Resource=arn, Tags={"Items": [{"Key": "terraform", "Value": ""}]})
    with pytest.raises(Refused, match="is managed by Terraform"):
        run(**parameters)
    assert run(**parameters, AllowManaged="true")["Outcome"] == "changed"


def test_an_exception_counts_wherever_the_document_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS Config judges distributions in us-east-1: an exception is for that Region."""
    parameters = everything()
    today = datetime.now(UTC).date()
    entry = {
        "rule": "PCI_CDN_TLS_ONLY", "accounts": [ACCOUNT], "regions": ["us-east-1"], "resource": parameters["DistributionId"],
        "ticket": "SEC-1", "created": str(today), "expires": str(today + timedelta(days=1)),
    }  # fmt: skip
    monkeypatch.setattr(runbook, "EXCEPTIONS", [entry])
    with pytest.raises(Refused, match=r"is accepted until .* \(SEC-1, PCI_CDN_TLS_ONLY\)"):
        run(**parameters)
    assert run(**parameters, Region="us-east-1")["Outcome"] == "excepted"
    assert run(**distribution(CallerReference="2"))["Outcome"] == "compliant"


PROTOCOLS = st.lists(st.sampled_from(["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]), unique=True, max_size=4)
VIEWER_POLICIES = st.sampled_from(["allow-all", "https-only", "redirect-to-https"])


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    found = config(
        DefaultCacheBehavior=behaviour(draw(VIEWER_POLICIES)),
        CacheBehaviors=listing(
            *(behaviour(policy, f"/{n}/*") for n, policy in enumerate(draw(st.lists(VIEWER_POLICIES, max_size=3))))
        ),
        ViewerCertificate=own(draw(st.sampled_from(SECURITY_POLICIES))),
        Origins=listing(
            bucket(),
            *(
                {**origin(policy, name=str(n)), "ConnectionAttempts": n}
                for n, policy in enumerate(
                    draw(st.lists(st.sampled_from(["http-only", "match-viewer", "https-only"]), max_size=3))
                )
            ),
        ),
    )
    for each in found["Origins"]["Items"][1:]:
        each["CustomOriginConfig"]["OriginSslProtocols"] = listing(*draw(PROTOCOLS))
    return found


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=configs(), minimum=st.sampled_from(ACCEPTABLE_MINIMUMS))
def test_the_rule_is_content_and_only_protocols_change(before: dict[str, Any], minimum: str) -> None:
    def faults(found: dict[str, Any]) -> list[str]:
        views = [script.Behaviour(path, each["ViewerProtocolPolicy"]) for path, each in script.behaviours(found)]
        origins = [script.origin_of(each) for each in found["Origins"]["Items"]]
        return distribution_faults(views, script.certificate_of(found), origins, minimum)

    fix = script.DistributionFix({**EVENT, "MinimumProtocolVersion": minimum, "OriginsTakeHttps": "true"})
    state = {"config": copy.deepcopy(before), "etag": "E", "arn": ""}
    changes = fix.changes(state)
    assert state["config"] == before, "the state read is not changed"
    assert bool(changes) == bool(faults(before))
    for change in changes:
        after = script.revealed(change.parameters)["DistributionConfig"]
        assert faults(after) == []
        places = [[part for part in place.split(".") if not part.isdigit()] for place in differences(before, after)]
        assert {parts[-1] for parts in places} <= {
            *(
                "ViewerProtocolPolicy",
                "MinimumProtocolVersion",
                "OriginProtocolPolicy",
                "OriginSslProtocols",
                "Quantity",
                "Items",
            ),
        }
        (back,) = script.DistributionRestore(EVENT).undo(fix.record(state), {**state, "config": after})
        restored = script.revealed(back.parameters)["DistributionConfig"]
        assert fix.record({**state, "config": restored}) == fix.record(state)
