"""The deployment of an organization of twelve accounts in three nested units and two Regions, against the sandbox's AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment_organization import DOCUMENT, EVIDENCE, REGIONS, Deployment, deployment, documents

from pci_config.deploy.destroy import destroy, what_is_there
from pci_config.deploy.problems import DeployError
from pci_config.deploy.release import Store
from pci_config.deploy.status import Status, read_everything
from pci_config.org_names import bundle_key
from pci_config.sandbox import organization_packs_service, stack_sets_service
from pci_config.sandbox.bare_organization import ADMIN, MANAGEMENT
from pci_config.sandbox.server import MotoServer

HOME, OTHER = REGIONS
STACK_SETS = ["pci-config-member-documents-1", "pci-config-member-global", "pci-config-member-regional"]
CHANGING = ("Create", "Update", "Delete", "Put")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Deployment]:
    with MotoServer("in-process") as server:
        yield deployment(server, tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Deployment]:
    """Four members: enough for all that is not about tolerance."""
    with MotoServer("in-process") as server:
        yield deployment(server, tmp_path, size=4)


def status(organization: Deployment) -> Status:
    deployer = organization.deployer()
    return read_everything(deployer, Store(deployer))


def actions(organization: Deployment) -> dict[tuple[str, str], str]:
    return {(change.name, change.region): str(change) for change in organization.plan().to_do}


def interrupt_after_each_change(organization: Deployment, run: Callable[[], Any], reached: list[str]) -> Any:
    """Run until it comes to its end, broken off right after each call by which it changes something, once for each such call."""
    plain, seen = organization.deployer, set[str]()

    def deployer() -> Any:
        made = plain()
        client = made.session.client

        def watched(*arguments: Any, **options: Any) -> Any:
            built = client(*arguments, **options)
            built.meta.events.register("before-parameter-build", remember)
            built.meta.events.register("after-call", interrupt)
            return built

        made.session.client = watched
        return made

    def remember(params: Any, context: Any, **_: Any) -> None:
        region = context["client_region"]
        context["asked"] = f"{region} {[value for value in params.values() if isinstance(value, (str, list))]}"

    def interrupt(model: Any, context: Any, **_: Any) -> None:
        asked = f"{model.name} {context['asked']}"
        if model.name.startswith(CHANGING) and asked not in seen:
            seen.add(asked)
            reached.append(model.name)
            raise KeyboardInterrupt

    organization.deployer = deployer  # type: ignore[method-assign]
    try:
        for _ in range(200):
            try:
                return run()
            except KeyboardInterrupt:
                continue
    finally:
        organization.deployer = plain  # type: ignore[method-assign]
    raise AssertionError(f"no end after {reached}")


def test_everything_reaches_every_account_and_a_second_run_finds_nothing_to_do(fresh: Deployment) -> None:
    assert {(change.kind, change.name, change.action) for change in fresh.plan().changes} == {
        ("stack", "pci-config-artifacts", "create"),
        ("stack", "pci-config-admin", "create"),
        *{("stack set", name, "create") for name in STACK_SETS},
        ("pack", "pci-dss", "create"),
        ("pack", "pci-dss-global", "create"),
    }
    assert fresh.deploy().failures == []
    for account in fresh.org.members:
        assert fresh.rules_in(account) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
        assert fresh.rules_in(account, OTHER) == {"PCI_ONE", "PCI_TWO"}
    assert fresh.rules_in(MANAGEMENT) == set()
    assert actions(fresh) == {}
    fresh.told.clear()
    assert fresh.deploy().failures == []
    assert [line for line in fresh.told if not line.startswith("#")] == []
    found = status(fresh)
    assert found.well
    assert len(found.places) == 24
    assert {place.bundle for place in found.places} == {fresh.built(fresh.deployer())[0].bundle}


def test_a_changed_rule_is_an_update_of_the_function_and_the_packs_only(small: Deployment) -> None:
    small.deploy()
    small.bundle, small.rules = b"bundle 2", ("PCI_ONE", "PCI_THREE")
    assert set(actions(small)) == {("pci-config-member-regional", HOME), ("pci-dss", HOME), ("pci-dss", OTHER)}
    assert "parameter CodeKey: bundles/" in actions(small)["pci-config-member-regional", HOME]
    assert small.deploy().failures == []
    for account in small.org.members:
        assert small.rules_in(account, OTHER) == {"PCI_ONE", "PCI_THREE"}
    assert actions(small) == {}
    assert {place.bundle for place in status(small).places} == {small.built(small.deployer())[0].bundle}


def test_rollback_goes_to_the_release_before_and_is_the_same_when_interrupted(small: Deployment) -> None:
    first = small.built(small.deployer())[0]
    small.deploy()
    small.bundle, small.rules = b"bundle 2", ("PCI_THREE",)
    small.deploy()
    reached = list[str]()
    assert interrupt_after_each_change(small, small.roll_back, reached).failures == []
    assert {"PutObject", "UpdateStackSet", "PutOrganizationConformancePack"} <= set(reached)
    assert small.rules_in(small.org.members[0], OTHER) == {"PCI_ONE", "PCI_TWO"}
    assert {place.bundle for place in status(small).places} == {first.bundle}
    with pytest.raises(DeployError, match="no release before"):
        small.roll_back()


def test_a_deployment_that_is_broken_off_after_every_change_comes_to_the_same_end(small: Deployment) -> None:
    reached = list[str]()
    outcome = interrupt_after_each_change(small, small.deploy, reached)
    assert outcome.failures == []
    assert {"CreateStack", "PutObject", "CreateStackSet", "CreateStackInstances", "PutOrganizationConformancePack"} == set(
        reached
    )
    assert reached.count("CreateStack") == 3
    assert reached.count("CreateStackSet") == reached.count("CreateStackInstances") == 3
    assert actions(small) == {}
    assert status(small).well


def test_an_account_without_recorder_is_named_with_reason_and_fix_and_mended_by_the_next_run(fresh: Deployment) -> None:
    poor = fresh.org.members[5]
    fresh.client(poor, "config", OTHER).delete_configuration_recorder(ConfigurationRecorderName="default")
    outcome = fresh.deploy()
    assert [(f.account, f.region, f.of) for f in outcome.failures] == [(poor, OTHER, "pci-dss")]
    assert "NoAvailableConfigurationRecorder" in outcome.failures[0].reason
    assert "turn on the configuration recorder" in outcome.failures[0].fix
    assert fresh.rules_in(fresh.org.members[6], OTHER) == {"PCI_ONE", "PCI_TWO"}
    found = status(fresh)
    assert not found.well
    assert [(p.account, p.region) for p in found.places if not p.well] == [(poor, OTHER)]
    assert actions(fresh) == {("pci-dss", OTHER): f"retry pack pci-dss in us-east-1: try again in {poor}"}
    fresh.record(poor, OTHER)
    assert fresh.deploy().failures == []
    assert status(fresh).well


def test_a_failing_account_inside_the_tolerance_stops_nobody_else(fresh: Deployment) -> None:
    bad = fresh.org.members[7]
    faults = stack_sets_service.faults(ADMIN, HOME)
    faults.failing[bad] = "API: iam:CreateRole explicit deny in a service control policy"
    outcome = fresh.deploy()
    assert outcome.stopped == ""
    assert {f.account for f in outcome.failures} == {bad}
    roles = next(f for f in outcome.failures if f.of == "pci-config-member-global")
    assert "service control policy" in roles.reason
    assert roles.fix == "exempt the role stacksets-exec-* from that policy"
    consequence = next(f for f in outcome.failures if f.of == "pci-dss")
    assert consequence.reason.startswith("the pack failed because the account's stacks did")
    assert fresh.rules_in(fresh.org.members[8]) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    assert status(fresh).completed  # as far as is tolerated
    assert not status(fresh).well
    faults.failing.clear()
    assert fresh.deploy().failures == []
    assert status(fresh).well


def test_more_failing_accounts_than_tolerated_stop_the_rollout_before_the_packs(fresh: Deployment) -> None:
    first = fresh.built(fresh.deployer())[0]
    fresh.deploy()
    faults = stack_sets_service.faults(ADMIN, HOME)
    bad = fresh.org.members[:2]
    faults.failing |= dict.fromkeys(bad, "the code is too large")
    fresh.bundle, fresh.rules = b"bundle 2", ("PCI_THREE",)
    outcome = fresh.deploy()
    assert outcome.stopped == "function and documents of every account"
    assert {f.of for f in outcome.failures} == {"pci-config-member-regional"}
    assert set(bad) <= {f.account for f in outcome.failures}
    assert fresh.rules_in(fresh.org.members[9]) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    assert not status(fresh).completed
    fresh.bundle = b"bundle 3"
    assert fresh.deploy().stopped == "function and documents of every account"
    faults.failing.clear()
    assert fresh.roll_back().failures == []  # to the last that was rolled out
    assert {place.bundle for place in status(fresh).places} == {first.bundle}
    assert status(fresh).well


def test_an_account_that_joins_gets_everything_although_the_pack_was_faster(small: Deployment) -> None:
    small.deploy()
    faults = stack_sets_service.faults(ADMIN, HOME)
    faults.held = True
    late = small.org.join("late", small.org.inner)
    for region in REGIONS:
        small.record(late, region)
        for _ in range(6):  # Config notices it while StackSets do not
            small.client(ADMIN, "config", region).describe_organization_conformance_packs()
    assert late in actions(small)["pci-dss", HOME]
    faults.held = False
    assert small.deploy().failures == []
    assert small.rules_in(late) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}
    assert status(small).well


def test_an_account_that_is_excluded_later_loses_everything(small: Deployment) -> None:
    small.deploy()
    out = small.org.members[2]
    small.settings["Deployment"] = {"ExcludedAccounts": [out]}
    assert "exclude" in actions(small)["pci-dss", OTHER]
    assert small.deploy().failures == []
    assert small.rules_in(out) == set()
    assert small.client(out, "lambda").list_functions()["Functions"] == []
    assert actions(small) == {}
    del small.settings["Deployment"]
    assert small.deploy().failures == []
    assert small.rules_in(out) == {"PCI_ONE", "PCI_TWO", "PCI_GLOBAL"}


def test_a_unit_alone_can_be_deployed_to(small: Deployment) -> None:
    small.settings["Deployment"] = {"OrganizationalUnits": [small.org.middle]}
    assert small.deploy().failures == []
    inside = {*small.org.below(small.org.middle), *small.org.below(small.org.inner)}
    assert {a for a in small.org.members if small.rules_in(a)} == inside
    assert status(small).well
    del small.settings["Deployment"]
    assert small.deploy().failures == []
    assert all(small.rules_in(account) for account in small.org.members)
    assert actions(small) == {}


def test_a_region_that_rdk_json_names_no_more_is_left(small: Deployment) -> None:
    small.deploy()
    small.settings["Regions"] = [HOME]
    assert "remove from 4 accounts in us-east-1" in actions(small)["pci-config-member-regional", HOME]
    assert small.deploy().failures == []
    assert small.rules_in(small.org.members[1], OTHER) == set()
    assert small.client(small.org.members[1], "lambda", OTHER).list_functions()["Functions"] == []
    assert small.client(ADMIN, "cloudformation", OTHER).describe_stacks()["Stacks"] == []
    assert actions(small) == {}


def test_the_switch_of_the_fixes_stays_off_through_an_update(small: Deployment) -> None:
    small.deploy()
    formation = small.client(ADMIN, "cloudformation")
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("CodeBucketPrefix", "CodeKey")]
    formation.update_stack_set(
        StackSetName="pci-config-member-regional",
        UsePreviousTemplate=True,
        Parameters=[*kept, {"ParameterKey": "RemediationSwitch", "ParameterValue": "off"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        CallAs="DELEGATED_ADMIN",
    )
    small.bundle = b"bundle 2"
    assert small.deploy().failures == []  # it waits for that update first
    ssm = small.client(small.org.members[3], "ssm", OTHER)
    values = [ssm.get_parameter(Name=entry["Name"])["Parameter"]["Value"] for entry in ssm.describe_parameters()["Parameters"]]
    assert values == ["off"]


def test_documents_of_a_template_that_is_no_more_go(small: Deployment) -> None:
    small.templates["member_documents_2"] = documents("PciConfig-Other")
    small.deploy()
    assert _documents(small) == {DOCUMENT, "PciConfig-Other"}
    small.templates.clear()
    assert actions(small) == {
        ("pci-config-member-documents-2", HOME): "delete stack set pci-config-member-documents-2 in eu-west-1"
    }
    assert small.deploy().failures == []
    assert _documents(small) == {DOCUMENT}


def _documents(organization: Deployment) -> set[str]:
    found = organization.client(organization.org.members[1], "ssm", OTHER).list_documents()["DocumentIdentifiers"]
    return {document["Name"] for document in found if document["Name"].startswith("PciConfig-")}


def test_throttled_calls_and_failing_packs_are_tried_again(small: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    asked = list[str]()

    def every_third(operation: str, _request: Any) -> bool:
        asked.append(operation)
        return len(asked) % 3 == 0

    stack_sets_service.faults(ADMIN, HOME).throttled = every_third
    organization_packs_service.faults(ADMIN, OTHER).throttled = every_third
    failing = organization_packs_service.faults(ADMIN, OTHER).failing
    failing[small.org.members[0]] = "the function cannot be invoked"
    small.clock.sleep = lambda seconds: failing.clear()  # type: ignore[method-assign]
    assert small.deploy().failures == []
    assert status(small).well


@pytest.mark.parametrize("interrupted", [False, True])
def test_destroy_leaves_nothing_but_evidence_and_logs(small: Deployment, interrupted: bool) -> None:
    small.deploy()

    def run() -> Any:
        deployer = small.deployer()
        return destroy(deployer, Store(deployer))

    reached = list[str]()
    outcome = interrupt_after_each_change(small, run, reached) if interrupted else run()
    assert outcome.failures == []
    assert what_is_there(small.deployer()) == []
    for region in REGIONS:
        for account in small.org.members:
            assert small.client(account, "cloudformation", region).describe_stacks()["Stacks"] == []
            assert small.rules_in(account, region) == set()
            assert small.client(account, "lambda", region).list_functions()["Functions"] == []
            logs = small.client(account, "logs", region).describe_log_groups()["logGroups"]
            assert [group["logGroupName"].rsplit("-", 5)[0] for group in logs] == ["/aws/lambda/pci-config-rules"]
    assert [bucket["Name"] for bucket in small.client(ADMIN, "s3").list_buckets()["Buckets"]] == [EVIDENCE]
    small.client(ADMIN, "s3").put_object(Bucket=EVIDENCE, Key="remediation/record", Body=b"kept")
    assert small.deploy().failures == []  # what was left is used again
    assert small.client(ADMIN, "s3").get_object(Bucket=EVIDENCE, Key="remediation/record")["Body"].read() == b"kept"
    assert status(small).well


def test_destroy_names_the_account_whose_stack_stays_and_keeps_what_it_needs(small: Deployment) -> None:
    small.deploy()
    stuck = small.org.members[1]
    stack_sets_service.faults(ADMIN, HOME).failing_deletes[stuck] = "explicit deny in a service control policy"
    deployer = small.deployer()
    outcome = destroy(deployer, Store(deployer))
    assert {f.account for f in outcome.failures} == {stuck}
    assert outcome.stopped == "stacks of every account"
    assert small.client(ADMIN, "cloudformation").describe_stacks()["Stacks"] != []
    assert Store(deployer).content(bundle_key(small.built(deployer)[0].bundle))
