"""Plans: what is planned for which finding, what is left out and why, and files that nobody can change unseen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from generated import artefacts

from pci_config.catalogue import Catalogue, Fix, documents_folder, project_root
from pci_config.documents import restore_names
from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.pack_limits import MAX_S3_TEMPLATE_BYTES
from pci_config.rdk_json import RdkJson
from pci_config.remediate.differences import changes, differences
from pci_config.remediate.document_facts import concrete_parameters, document_facts
from pci_config.remediate.findings import read_findings
from pci_config.remediate.plan import Call, DryRun, Plan, PlanError, read_plan, write_plan
from pci_config.remediate.planning import Planner, numbered
from pci_config.remediate.running import Runner, advice
from pci_config.remediate.state import Attempt, State, only_one, read_state, state_path, write_state
from pci_config.report.rows import Row, rows_of
from pci_config.sandbox.pack_template import evaluate

ROOT = project_root()
CATALOGUE, RDK_JSON = Catalogue.load(ROOT), RdkJson.load(ROOT / "rdk.json")
FACTS = document_facts(documents_folder(ROOT))
PRODUCTION, MANAGEMENT, ARCHIVE = "600000000006", "100000000001", "300000000003"
PASSWORDS, EGRESS = "PCI_PASSWORD_POLICY", "PCI_SECURITY_GROUP_EGRESS_LIMITED"


def result(**changes: Any) -> dict[str, Any]:
    return {
        "rule": EGRESS, "account_id": PRODUCTION, "region": "eu-west-1", "resource_type": "AWS::EC2::SecurityGroup",
        "resource_id": "sg-0c0ffee1234567890", "resource_name": "worker", "compliance": "NON_COMPLIANT", "annotation": "open",
        "requirements": {}, "severity": "high",
    } | changes  # fmt: skip


def rows(*results: dict[str, Any]) -> tuple[Row, ...]:
    return rows_of({"schema_version": "1", "results": list(results)})


def planner(
    rdk_json: RdkJson = RDK_JSON, catalogue: Catalogue = CATALOGUE, register: ExceptionRegister | None = None
) -> Planner:
    return Planner(catalogue, rdk_json, FACTS, register or ExceptionRegister())


def planned(*results: dict[str, Any], **options: Any) -> Plan:
    return planner(**options).plan(rows(*results), "test")


# -------------------------------------------------------------------------------------------------------------- files


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = planned(result(), result(compliance="EXCEPTED", resource_id="sg-2"))
    write_plan(plan, tmp_path / "deep" / "plan.json")
    assert read_plan(tmp_path / "deep" / "plan.json") == plan
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["plan.json"], "no file is left over"


def edited(path: Path, edit: Any) -> None:
    document = json.loads(path.read_text("utf-8"))
    edit(document)
    path.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["entries"][0]["parameters"].update(AllowManaged="true"), "was changed after it was made"),
        (lambda d: d["entries"].clear(), "was changed after it was made"),
        (lambda d: d.update(created_at="2020-01-01"), "was changed after it was made"),
        (lambda d: d.update(schema_version="2"), "schema_version is '2'; this program reads '1'"),
        (lambda d: d.pop("entries"), "is no plan of `pci-config remediate plan`"),
        (lambda d: d["entries"][0].update(parameters=[]), r"is no plan .*\$.entries\[0\].parameters"),
        (lambda d: d.update(extra=1), "is no plan"),
    ],
)
def test_a_plan_that_was_changed_is_refused(tmp_path: Path, edit: Any, message: str) -> None:
    path = tmp_path / "plan.json"
    write_plan(planned(result()), path)
    edited(path, edit)
    with pytest.raises(PlanError, match=message) as raised:
        read_plan(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(("text", "message"), [(b"{", "is not JSON"), (b"\xff", "is not JSON"), (b"[]", "is no plan")])
def test_files_that_are_no_plans(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "plan.json").write_bytes(text)
    with pytest.raises(PlanError, match=message):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "absent.json")
    with pytest.raises(PlanError, match="cannot be written"):
        write_plan(planned(), tmp_path / "plan.json" / "below")


def test_a_new_plan_of_the_same_findings_has_an_id_of_its_own() -> None:
    first, second = planned(result()), planned(result())
    later = numbered(msgspec.structs.replace(second, created_at="2030-01-01T00:00:00Z"))
    assert first.plan_id != later.plan_id
    assert [entry.id for entry in first.entries] == [entry.id for entry in later.entries]


def test_chosen_entries() -> None:
    plan = planned(result(), result(resource_id="sg-2"))
    first, second = plan.entries
    assert plan.chosen([]) == (first, second)
    assert plan.chosen([second.id]) == (second,)
    with pytest.raises(PlanError, match=f"no entry nothing; its entries: {first.id}, {second.id}"):
        plan.chosen(["nothing", first.id])


def test_findings_of_json_and_of_lines(tmp_path: Path) -> None:
    document = {
        "schema_version": "1",
        "generated_at": "2026-11-25T12:00:00Z",
        "results": [result(), result(resource_id="sg-2")],
    }
    whole, lines, one = tmp_path / "r.json", tmp_path / "r.jsonl", tmp_path / "one.jsonl"
    whole.write_text(json.dumps(document, indent=1), "utf-8")
    lines.write_text("\n".join(json.dumps(each) for each in document["results"]) + "\n\n", "utf-8")
    one.write_text(json.dumps(result()), "utf-8")
    assert read_findings(whole) == (rows(*document["results"]), f"{whole}, of 2026-11-25T12:00:00Z")
    assert read_findings(lines) == (rows(*document["results"]), str(lines))
    assert len(read_findings(one)[0]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 is not JSON"),
        ('{"schema_version": "2", "results": []}', "schema_version is '2'"),
        ('{"schema_version": "1"}', "'results' is missing"),
        (json.dumps(result()) + "\nnonsense", "line 2 is not JSON"),
        (json.dumps(result(compliance="FINE")), "compliance 'FINE' is not one of"),
        (json.dumps(result(rule="")), "'rule' is missing"),
        ("[]", "is not an object"),
    ],
)
def test_results_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, "utf-8")
    with pytest.raises(PlanError, match=message) as raised:
        read_findings(path)
    assert str(raised.value).startswith(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="is not UTF-8"):
        read_findings(path)


# ----------------------------------------------------------------------------------------------------------- planning


def test_what_is_planned_and_what_is_left_out() -> None:
    plan = planned(
        result(),
        result(resource_id="sg-1", compliance="EXCEPTED", annotation="accepted until 2030-01-01 (SEC-1): why"),
        result(resource_id="sg-2", compliance="ERROR", annotation="cannot be read"),
        result(resource_id="sg-3", compliance="NOT_ASSESSED"),
        result(resource_id="sg-4", compliance="COMPLIANT"),
        result(resource_id="sg-5", compliance="NOT_APPLICABLE"),
        result(rule="PCI_ROUTE_LIMITED", resource_type="AWS::EC2::Subnet", resource_id="subnet-1"),
        result(rule="PCI_OF_TOMORROW"),
    )
    (entry,) = plan.entries
    assert (entry.rule, entry.resource_id, entry.document) == (
        EGRESS,
        "sg-0c0ffee1234567890",
        "PciConfig-LimitSecurityGroupEgress",
    )
    assert entry.parameters["GroupId"] == "sg-0c0ffee1234567890"
    assert entry.parameters["AutomationAssumeRole"] == f"arn:aws:iam::{PRODUCTION}:role/{entry.document}"
    assert entry.parameters["EvidenceBucket"] == RDK_JSON.evidence_bucket
    assert "DryRun" not in entry.parameters
    assert "Connections that leave through a revoked entry" in entry.may_break
    assert sorted((left.why, left.rule, left.resource_id) for left in plan.left_out) == [
        ("excepted", EGRESS, "sg-1"),
        ("no fix", "PCI_OF_TOMORROW", "sg-0c0ffee1234567890"),
        ("no fix", "PCI_ROUTE_LIMITED", "subnet-1"),
        ("not judged", EGRESS, "sg-2"),
        ("not judged", EGRESS, "sg-3"),
    ]


def test_the_same_finding_twice_is_planned_once() -> None:
    assert len(planned(result(), result(annotation="said otherwise")).entries) == 1


def test_an_exception_of_today_counts_although_the_results_are_older() -> None:
    texts = dict.fromkeys(("reason", "approver", "ticket", "compensating_control"), "x")
    entry = ExceptionEntry(
        EGRESS, (PRODUCTION,), ("eu-west-1",), "sg-1", **texts, created=date(2020, 1, 1), expires=date(2099, 1, 1)
    )
    plan = planned(result(resource_id="sg-1"), result(), register=ExceptionRegister((entry,)))
    assert [each.resource_id for each in plan.entries] == ["sg-0c0ffee1234567890"]
    assert plan.left_out[0].message == "accepted until 2099-01-01 (x): x. open"


def test_every_document_that_mends_the_rule_is_tried() -> None:
    rule = CATALOGUE.rules[EGRESS]
    more = Fix("PciConfig-SetPasswordPolicy", MappingProxyType({"ResourceId": {"ResourceValue": {"Value": "RESOURCE_ID"}}}))
    entry = dataclasses.replace(rule, further_remediations=(more,))
    catalogue = dataclasses.replace(CATALOGUE, rules=MappingProxyType({**CATALOGUE.rules, EGRESS: entry}))
    plan = planned(result(), catalogue=catalogue)
    assert [each.document for each in plan.entries] == ["PciConfig-LimitSecurityGroupEgress", "PciConfig-SetPasswordPolicy"]
    assert len({each.id for each in plan.entries}) == 2
    assert plan.entries[1].approver.endswith("it can cut traffic or access"), "only the rule's own fix may be harmless"


def passwords(account: str) -> dict[str, Any]:
    return result(rule=PASSWORDS, account_id=account, resource_type="AWS::::Account", resource_id=account, resource_name=None)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (passwords(PRODUCTION), "the resource's owner"),
        (result(), "the resource's owner and a second person: it can cut traffic or access"),
        (passwords(MANAGEMENT), "two people, one of them responsible for the management account"),
        (passwords(ARCHIVE), "two people, one of them responsible for the log archive account"),
    ],
)
def test_who_approves(finding: dict[str, Any], expected: str) -> None:
    assert planned(finding).entries[0].approver == expected


def test_rdk_json_says_who_approves(tmp_path: Path) -> None:
    document = json.loads((ROOT / "rdk.json").read_text("utf-8"))
    document["Remediation"] |= {"Approver": "security team", "Rules": {EGRESS: {"Approver": "network team"}}}
    (tmp_path / "rdk.json").write_text(json.dumps(document), "utf-8")
    plan = planned(result(), passwords(MANAGEMENT), rdk_json=RdkJson.load(tmp_path / "rdk.json"))
    assert {entry.rule: entry.approver for entry in plan.entries} == {EGRESS: "network team", PASSWORDS: "security team"}


def test_what_has_no_region_is_fixed_where_its_rule_runs() -> None:
    assert planned(passwords(PRODUCTION) | {"region": "global"}).entries[0].region == "eu-west-1"
    assert planned(result(region="global")).entries[0].region == "us-east-1"


def test_a_document_gets_what_the_pack_would_pass() -> None:
    """Of every rule with a fix, in an account and Region: what AWS Config would pass is what `run` passes."""
    documents = artefacts()
    deployer = RDK_JSON.settings.accounts_of("delegated_admin")[0]
    pseudo = {"AWS::AccountId": PRODUCTION, "AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    compared = 0
    for name in ("conformance_pack.yaml", "conformance_pack_global.yaml"):
        text = documents.checked_in[Path(name)].replace(f"::{deployer}:role", f"::{PRODUCTION}:role")
        for resource in evaluate(text, {}, pseudo, MAX_S3_TEMPLATE_BYTES):
            if resource.type == "AWS::Config::RemediationConfiguration":
                rule = CATALOGUE.rules[resource.properties["ConfigRuleName"]]
                assert rule.remediation
                expected = {
                    key: parameter(value) for key, value in resource.properties["Parameters"].items() if key != "DryRun"
                }
                found = concrete_parameters(rule, rule.remediation, RDK_JSON, FACTS, PRODUCTION, "us-east-1", "the-id")
                assert found == expected
                compared += 1
    assert compared == sum(entry.remediation is not None for entry in CATALOGUE.rules.values())


def parameter(value: Mapping[str, Any]) -> str:
    return "the-id" if "ResourceValue" in value else str(value["StaticValue"]["Values"][0])


def test_every_document_says_what_it_may_break_and_how_to_undo_it() -> None:
    assert set(FACTS) == set(artefacts().documents) - set(restore_names(documents_folder(ROOT)).values())
    for name, facts in FACTS.items():
        assert facts.may_break, name
        assert facts.undo, name
        assert "\n" not in facts.may_break + facts.undo
        assert (facts.restore is None) == (not facts.restore_parameters)
    assert {name: facts.restore for name, facts in FACTS.items() if facts.restore} == restore_names(documents_folder(ROOT))


# -------------------------------------------------------------------------------------------------------- differences


def dry_run(before: dict[str, Any], *calls: dict[str, Any]) -> DryRun:
    return DryRun("e", "m", tuple(Call("s", "o", call, f"call {n}") for n, call in enumerate(calls, 1)), before)


@pytest.mark.parametrize(
    ("before", "call", "expected"),
    [
        ({"A": 1, "B": True}, {"A": 2, "B": True}, ["A: 1 -> 2"]),
        ({"A": 1}, {"A": 2, "New": 3}, ["A: 1 -> 2"]),
        ({"Nested": {"A": "x"}}, {"Other": {"A": "y"}}, ["A: x -> y"]),
        ({"P": {"A": 1}, "Q": {"A": 1}}, {"A": 2}, []),
        (
            {"Attributes": [{"Key": "on", "Value": "false"}]},
            {"Attributes": [{"Key": "on", "Value": "true"}]},
            ["on: false -> true"],
        ),
        ({"L": [1, 2]}, {"L": [1]}, ["L: [1, 2] -> [1]"]),
        ({"A": None}, {"A": 1}, []),
        ({}, {"A": 1}, []),
    ],
)
def test_old_and_new(before: dict[str, Any], call: dict[str, Any], expected: list[str]) -> None:
    assert differences(dry_run(before, call)) == expected


def test_differences_are_told_once_and_long_ones_are_cut() -> None:
    found = dry_run({"A": "x" * 100}, {"A": "y"}, {"A": "y"})
    (line,) = differences(found)
    assert line == f"A: {'x' * 59}… -> y"
    assert changes(found) == ["call 1", "call 2", f"  {line}"]


# -------------------------------------------------------------------------------------------------------------- state


def attempt(outcome: str = "changed", kind: Any = "fix", **more: Any) -> Attempt:
    return Attempt(kind, 1, "t", "D", PRODUCTION, "eu-west-1", outcome=outcome, **{"execution_id": "e", **more})


def test_tokens_are_the_same_for_the_same_number_and_differ_otherwise() -> None:
    plan = planned(result(), result(resource_id="sg-2"))
    first, second = plan.entries
    state = State("1", plan.plan_id)
    token = state.next_attempt(plan, first.id, "fix", "D").token
    assert token == State("1", plan.plan_id).next_attempt(plan, first.id, "fix", "D").token
    others = [state.next_attempt(plan, second.id, "fix", "D").token, state.next_attempt(plan, first.id, "restore", "R").token]
    begun = state.next_attempt(plan, first.id, "fix", "D")
    state.keep(first.id, begun)
    state.keep(first.id, begun)
    assert state.attempts[first.id] == [begun], "kept once"
    again = state.next_attempt(plan, first.id, "fix", "D")
    other_plan = numbered(msgspec.structs.replace(plan, created_at="x"))
    others += [again.token, State("1", "").next_attempt(other_plan, first.id, "fix", "D").token]
    assert (begun.number, again.number, len({token, *others})) == (1, 2, 5)


def test_what_can_be_led_back() -> None:
    state = State("1", "p")
    assert state.changing("x") is None
    for made, expected in (
        (attempt("compliant"), None),
        (attempt("failed", status="Failed"), None),
        (attempt("failed", execution_id="half", status="Failed", evidence="s3://b/k"), "half"),
        (attempt("changed", execution_id="whole"), "whole"),
        (attempt("refused", "restore", restores="whole"), "whole"),
        (attempt("changed", "restore", restores="whole"), "half"),
        (attempt("compliant", "restore", restores="half"), None),
    ):
        state.keep("x", made)
        found = state.changing("x")
        assert (found.execution_id if found else None) == expected


def test_the_state_belongs_to_its_plan(tmp_path: Path) -> None:
    plan, other = planned(result()), planned(result(resource_id="sg-2"))
    path = state_path(tmp_path / "plan.json")
    assert path.name == "plan.state.json"
    assert read_state(path, plan) == State("1", plan.plan_id)
    state = State("1", plan.plan_id, attempts={plan.entries[0].id: [attempt()]})
    write_state(state, path)
    assert read_state(path, plan) == state
    with pytest.raises(
        PlanError, match=f"belongs to plan {plan.plan_id}, not to {other.plan_id}; name another file with --state"
    ):
        read_state(path, other)
    path.write_text("{", "utf-8")
    with pytest.raises(PlanError, match="do not delete it before you know what was started"):
        read_state(path, plan)


def test_two_at_once_on_one_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.state.json"
    busy = pytest.raises(PlanError, match="another `pci-config remediate` works on this plan")
    with only_one(path), busy, only_one(path):
        pass
    with only_one(path):
        pass


# ------------------------------------------------------------------------------------------------------------ running


def runner(plan: Plan, tmp_path: Path, state: State | None = None) -> Runner:
    return Runner(plan, state or State("1", plan.plan_id), tmp_path / "s.json", None, lambda _: None)  # type: ignore[arg-type]


def test_without_an_evidence_bucket_nothing_is_run(tmp_path: Path) -> None:
    document = json.loads((ROOT / "rdk.json").read_text("utf-8"))
    del document["Remediation"]
    (tmp_path / "rdk.json").write_text(json.dumps(document), "utf-8")
    plan = planned(result(), rdk_json=RdkJson.load(tmp_path / "rdk.json"))
    with pytest.raises(PlanError, match=r"set Remediation\.EvidenceBucket in rdk\.json"):
        runner(plan, tmp_path).work(plan.entries, ExceptionRegister(), retry=False)


@pytest.mark.parametrize(
    ("outcome", "retry", "jobs"),
    [("changed", True, 0), ("compliant", True, 0), ("failed", False, 0), ("failed", True, 1), ("refused", True, 1),
     ("switched-off", True, 1), ("not started", True, 1), ("not started", False, 0), ("", False, 1)],
)  # fmt: skip
def test_what_is_started_again(tmp_path: Path, outcome: str, retry: bool, jobs: int) -> None:
    plan = planned(result())
    state = State("1", plan.plan_id, attempts={plan.entries[0].id: [attempt(outcome)]})
    work = runner(plan, tmp_path, state).work(plan.entries, ExceptionRegister(), retry)
    assert (len(work.jobs), len(work.skipped)) == (jobs, 1 - jobs)
    assert all(job.parameters["DryRun"] == "false" for job in work.jobs)
    if outcome == "":
        assert work.jobs[0].attempt is state.attempts[plan.entries[0].id][0], "it is taken up, not started again"


def test_the_last_change_goes_back_first(tmp_path: Path) -> None:
    plan = planned(*(passwords(account) for account in (MANAGEMENT, ARCHIVE, PRODUCTION)))
    first, second, third = plan.entries
    attempts = {
        first.id: [attempt(ended_at="2026-11-25T12:00:00Z")],
        second.id: [attempt(ended_at="2026-11-25T12:00:05Z")],
        third.id: [attempt(ended_at="2026-11-25T12:00:00Z", execution_id="x")],
    }
    work = runner(plan, tmp_path, State("1", plan.plan_id, attempts=attempts)).restores(plan.entries, retry=False)
    assert [job.entry.id for job in work.jobs] == [second.id, third.id, first.id]
    job = work.jobs[1]
    assert (job.attempt.document, job.attempt.restores) == ("PciConfig-RestorePasswordPolicy", "x")
    assert job.parameters == {
        "AutomationAssumeRole": f"arn:aws:iam::{PRODUCTION}:role/PciConfig-RestorePasswordPolicy",
        "ResourceId": PRODUCTION,
        "EvidenceBucket": RDK_JSON.evidence_bucket,
        "FixExecutionId": "x",
        "DryRun": "false",
    }


def test_a_fix_without_a_way_back_says_how_by_hand(tmp_path: Path) -> None:
    plan = planned(result())
    entry = msgspec.structs.replace(plan.entries[0], restore=None, undo="Authorize the entries again.")
    state = State("1", plan.plan_id, attempts={entry.id: [attempt()]})
    (skipped,) = runner(plan, tmp_path, state).restores([entry], retry=False).skipped
    assert skipped[1] == f"{entry.document} has no document that leads back. By hand: Authorize the entries again."
    (untouched,) = runner(plan, tmp_path).restores([entry], retry=False).skipped
    assert untouched[1] == "the plan changed nothing on it"


def test_a_restore_that_came_to_nothing_waits_for_a_person(tmp_path: Path) -> None:
    plan = planned(passwords(PRODUCTION))
    tried = [attempt(), attempt("refused", "restore", restores="e")]
    made = runner(plan, tmp_path, State("1", plan.plan_id, attempts={plan.entries[0].id: tried}))
    assert "--retry tries again" in made.restores(plan.entries, retry=False).skipped[0][1]
    assert len(made.restores(plan.entries, retry=True).jobs) == 1
    going_on = attempt("", "restore", restores="e", execution_id="r")
    made.state.attempts[plan.entries[0].id].append(going_on)
    assert made.restores(plan.entries, retry=False).jobs[0].attempt is going_on


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (attempt("refused", message="sg-1 is managed by Terraform: mend it there"), "change it where it is managed"),
        (attempt("refused", message="not understood"), "clear the reason, make a new plan, or accept"),
        (attempt("switched-off"), f"set /pci-config/remediation to on in production {PRODUCTION} eu-west-1"),
        (attempt("not started"), "run the plan again with --retry"),
        (attempt("failed"), "to lead it back: "),
        (attempt("failed", "restore"), "restore again with --retry"),
    ],
)
def test_what_to_do(made: Attempt, expected: str) -> None:
    plan = planned(result())
    entry = msgspec.structs.replace(plan.entries[0], restore=None)
    assert expected in advice(plan, entry, made)
