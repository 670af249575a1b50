"""PciConfig-LimitSecurityGroupEgress: revokes what the tier does not allow, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.ec2.models import ec2_backends

import fix_testing
from fix_testing import ACCOUNT, account, answering, execution_of, meanwhile, unchanged_without_switch_or_evidence
from pci_config import security_group_fix
from pci_config.network import entries_of
from pci_config.runbook import Refused
from script_loader import load_script

DOCUMENT = "PciConfig-LimitSecurityGroupEgress"
script = load_script(DOCUMENT)
__all__ = ["account"]  # the fixture that starts moto
TIERS = {
    "dmz": {"Ingress": [], "Egress": [{"Protocol": "tcp", "Ports": "443", "Peers": ["vpc"]}]},
    "card-api": {"Ingress": [], "Egress": [{"Protocol": "tcp", "Ports": "443", "Peers": ["198.51.100.0/26"]}]},
    "service": {"Ingress": [], "Egress": [{"Protocol": "-1", "Ports": "all", "Peers": ["vpc", "tier:service"]}]},
    "database": {"Ingress": [], "Egress": []},
}
GOOD = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "to the VPC"}],
}
ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {"NetworkTiers": TIERS})


def group(tier: str | None, *permissions: dict[str, Any], keep_default: bool = False, ipv6: bool = False) -> str:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=ipv6)["Vpc"]["VpcId"]
    group_id = str(ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc_id)["GroupId"])
    if tier:
        ec2.create_tags(Resources=[group_id], Tags=[{"Key": "pci:tier", "Value": tier}])
    if not keep_default:
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=[ALL])
    if permissions:
        ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=list(permissions))
    return group_id


def egress(group_id: str) -> list[dict[str, Any]]:
    (found,) = boto3.client("ec2", region_name="eu-west-1").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    permissions: list[dict[str, Any]] = found["IpPermissionsEgress"]
    return permissions


def violation(tier: str | None, *permissions: dict[str, Any], keep_default: bool = False) -> Callable[[], dict[str, str]]:
    return lambda: {"GroupId": group(tier, *permissions, keep_default=keep_default)}


def tcp(first: int, last: int, **peers: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, **peers}


def prefix_list() -> dict[str, str]:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    made = ec2.create_managed_prefix_list(
        PrefixListName="p", MaxEntries=1, AddressFamily="IPv4", Entries=[{"Cidr": "203.0.113.0/24"}]
    )
    entry = {"PrefixListId": made["PrefixList"]["PrefixListId"]}
    return {"GroupId": group("card-api", tcp(443, 443, PrefixListIds=[entry]))}


def other_group() -> dict[str, str]:
    other = group("service")
    return {"GroupId": group("card-api", tcp(443, 443, UserIdGroupPairs=[{"GroupId": other}]))}


VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "AWS's default entry": violation("card-api", keep_default=True),
    "default entry beside a good one": violation("dmz", GOOD, keep_default=True),
    "split halves": violation("service", tcp(0, 65535, IpRanges=[{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}])),
    "default entries of a VPC with IPv6": lambda: {"GroupId": group("service", keep_default=True, ipv6=True)},
    "ICMP": violation("dmz", {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}),
    "database with egress": violation("database", tcp(443, 443, IpRanges=[{"CidrIp": "10.0.0.0/16"}])),
    "untagged to the internet": violation(None, tcp(443, 443, IpRanges=[{"CidrIp": "0.0.0.0/0"}])),
    "prefix list": prefix_list,
    "another group": other_group,
}


def run(group_id: str, **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, GroupId=group_id, **changes)


def restore(group_id: str, result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), GroupId=group_id, **changes)


def ec2() -> Any:
    return boto3.client("ec2", region_name="eu-west-1")


def tag_as(group_id: str, key: str, value: str) -> None:
    """Also with a tag that AWS keeps to itself: moto, too, refuses those from users."""
    backend = ec2_backends[ACCOUNT]["eu-west-1"]
    backend.tags[group_id][key] = value


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_and_a_second_run_changes_nothing(name: str) -> None:
    group_id = VIOLATIONS[name]()["GroupId"]
    assert run(group_id, DryRun="true")["Changed"] is False
    before = egress(group_id)
    assert run(group_id)["Changed"] is True
    after = egress(group_id)
    assert after != before
    assert (run(group_id)["Changed"], egress(group_id)) == (False, after)


def test_good_entries_stay_byte_for_byte() -> None:
    group_id = group("dmz", GOOD, keep_default=True)
    good = next(p for p in egress(group_id) if p["IpProtocol"] == "tcp")
    result = run(group_id)
    assert egress(group_id) == [good]
    assert good["IpRanges"][0]["Description"] == "to the VPC"
    assert sorted(p["IpProtocol"] for p in json.loads(result["Before"])["IpPermissions"]) == ["-1", "tcp"]
    assert json.loads(result["After"]) == {"GroupId": group_id, "IpPermissions": [GOOD]}


def two_wrong_entries() -> tuple[str, list[dict[str, Any]]]:
    """A group with a good entry, a wrong CIDR and a wrong group, both with descriptions; and its egress."""
    wrong = tcp(
        8443,
        8443,
        IpRanges=[{"CidrIp": "203.0.113.0/24", "Description": "partner"}],
        UserIdGroupPairs=[{"GroupId": group("service"), "UserId": ACCOUNT, "Description": "service"}],
    )
    made = group("dmz", GOOD, wrong)
    return made, sorted(egress(made), key=str)


def test_restore_puts_everything_back_with_descriptions() -> None:
    group_id, before = two_wrong_entries()
    result = run(group_id)
    after = egress(group_id)
    assert after != before
    dry = restore(group_id, result, DryRun="true")
    assert (dry["Outcome"], egress(group_id)) == ("dry-run", after)
    assert re.match(
        r"dry run, nothing changed\. Would: authorize again tcp 8443 to 203\.0\.113\.0/24; tcp 8443 to sg-", dry["Message"]
    )
    back = restore(group_id, result)
    assert (back["Outcome"], sorted(egress(group_id), key=str)) == ("changed", before)
    assert json.loads(back["After"]) == json.loads(result["Before"])
    assert restore(group_id, result)["Outcome"] == "compliant"


@pytest.mark.parametrize("name", VIOLATIONS)
def test_restore_leads_back(name: str) -> None:
    group_id = VIOLATIONS[name]()["GroupId"]
    before = sorted(egress(group_id), key=str)
    result = run(group_id)
    assert (restore(group_id, result)["Outcome"], sorted(egress(group_id), key=str)) == ("changed", before)


def test_restore_refuses_what_was_changed_since_and_what_is_gone() -> None:
    group_id, _ = two_wrong_entries()
    result = run(group_id)
    ec2().authorize_security_group_egress(GroupId=group_id, IpPermissions=[tcp(443, 443, IpRanges=[{"CidrIp": "10.1.0.0/16"}])])
    after = egress(group_id)
    with pytest.raises(Refused, match="was changed after"):
        restore(group_id, result)
    assert egress(group_id) == after
    with pytest.raises(Refused, match="cannot be read from"):  # another account has no such record
        restore(group_id, result, AccountId="210987654321")
    ec2().delete_security_group(GroupId=group_id)
    with pytest.raises(Refused, match="no longer exists; its state before is in remediation/"):
        restore(group_id, result)


def test_restore_does_not_revoke_what_another_added_while_the_fix_ran() -> None:
    group_id, _ = two_wrong_entries()
    added = tcp(443, 443, IpRanges=[{"CidrIp": "10.0.128.0/17"}])
    with meanwhile(
        RevokeSecurityGroupEgress=lambda: ec2().authorize_security_group_egress(GroupId=group_id, IpPermissions=[added])
    ):
        result = run(group_id)
    after = egress(group_id)
    with pytest.raises(Refused, match=r"got entries while that execution ran \(tcp 443 to 10\.0\.128\.0/17\)"):
        restore(group_id, result)
    assert egress(group_id) == after


def test_two_restores_at_once() -> None:
    group_id, before = two_wrong_entries()
    result = run(group_id)
    with meanwhile(AuthorizeSecurityGroupEgress=lambda: restore(group_id, result)):
        report = restore(group_id, result)
    assert (report["Outcome"], "is right meanwhile" in report["Message"]) == ("compliant", True)
    assert sorted(egress(group_id), key=str) == before


def test_a_failing_restore_leaves_the_group_and_says_so() -> None:
    group_id, _ = two_wrong_entries()
    result = run(group_id)
    after = egress(group_id)
    failed = pytest.raises(RuntimeError, match=r"authorize_security_group_egress failed.*done before that: nothing")
    with answering(AuthorizeSecurityGroupEgress="RulesPerSecurityGroupLimitExceeded"), failed:
        restore(group_id, result)
    assert egress(group_id) == after


def test_two_runs_at_once() -> None:
    group_id, _ = two_wrong_entries()
    with meanwhile(RevokeSecurityGroupEgress=lambda: run(group_id)):
        report = run(group_id)
    assert (report["Outcome"], "is right meanwhile" in report["Message"]) == ("compliant", True)
    assert [p["FromPort"] for p in egress(group_id)] == [443]


def test_a_group_deleted_in_between() -> None:
    group_id, _ = two_wrong_entries()
    with meanwhile(RevokeSecurityGroupEgress=lambda: ec2().delete_security_group(GroupId=group_id)):
        report = run(group_id)
    assert (report["Outcome"], "is gone meanwhile" in report["Message"]) == ("gone", True)


@pytest.mark.parametrize("tag", [("aws:cloudformation:stack-name", "shop"), ("ManagedBy", "Terraform")])
def test_what_a_template_describes_is_mended_there(tag: tuple[str, str]) -> None:
    group_id, before = two_wrong_entries()
    tag_as(group_id, *tag)
    with pytest.raises(Refused, match=r"is managed by .*mend it there"):
        run(group_id)
    assert sorted(egress(group_id), key=str) == before
    assert run(group_id, AllowManaged="true")["Outcome"] == "changed"


def test_nothing_changes_when_switched_off_or_without_kept_evidence() -> None:
    group_id, before = two_wrong_entries()
    unchanged_without_switch_or_evidence(lambda **changes: run(group_id, **changes))
    assert sorted(egress(group_id), key=str) == before


def test_one_bad_peer_of_a_permission_goes_and_the_good_one_stays() -> None:
    mixed = tcp(443, 443, IpRanges=[{"CidrIp": "10.0.0.0/24"}, {"CidrIp": "203.0.113.0/24"}])
    group_id = group("dmz", mixed)
    run(group_id)
    assert [r["CidrIp"] for p in egress(group_id) for r in p["IpRanges"]] == ["10.0.0.0/24"]


def test_a_dry_run_changes_nothing_and_lists_the_call() -> None:
    group_id = group("card-api", keep_default=True)
    result = run(group_id, DryRun="true")
    (call,) = json.loads(result["Calls"])
    assert call["operation"] == "revoke_security_group_egress"
    assert call["parameters"]["IpPermissions"] == [ALL]
    assert egress(group_id)[0]["IpProtocol"] == "-1"


def test_compliant_gone_and_ignored_groups_end_in_success() -> None:
    assert "compliant already" in run(group("dmz", GOOD))["Message"]
    assert "no longer exists" in run("sg-0123456789abcdef0")["Message"]
    group_id = group(None, keep_default=True)
    assert run(group_id, UntaggedPolicy="ignore")["Changed"] is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AccountId": "210987654321"}, "belongs to account"),
        ({"UntaggedPolicy": "allow"}, "UntaggedPolicy"),
        ({"DryRun": "0"}, "DryRun"),
        ({"InternetPorts": "443,"}, "InternetPorts"),
        ({"InternetPorts": "70000"}, "InternetPorts"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    group_id = group("card-api", keep_default=True)
    with pytest.raises(Refused, match=message):
        run(group_id, **changes)
    assert len(egress(group_id)) == 1


def test_unknown_tiers_and_missing_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="unknown tier 'dnz'"):
        run(group("dnz", keep_default=True))
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match="without NetworkTiers"):
        run(group("dmz"))


def test_internet_ports_are_left_to_groups_without_a_tier() -> None:
    group_id = group(None, tcp(443, 443, IpRanges=[{"CidrIp": "0.0.0.0/0"}]), tcp(80, 80, IpRanges=[{"CidrIp": "0.0.0.0/0"}]))
    run(group_id, InternetPorts="443,8443")
    assert [p["FromPort"] for p in egress(group_id)] == [443]
    run(group_id, UntaggedPolicy="deny-all", InternetPorts="443")
    assert egress(group_id) == []


def test_a_restricted_entry_for_all_traffic_stays_beside_an_open_one() -> None:
    own = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    group_id = group("service", own, keep_default=True)
    run(group_id)
    (left,) = egress(group_id)
    assert [r["CidrIp"] for r in left["IpRanges"]] == ["10.0.0.0/16"]


def test_a_prefix_list_that_cannot_be_resolved_is_refused_although_another_entry_is_wrong() -> None:
    group_id = group("card-api", tcp(443, 443, PrefixListIds=[{"PrefixListId": "pl-0123456789abcdef0"}]), keep_default=True)
    before = egress(group_id)
    with answering(GetManagedPrefixListEntries="InvalidPrefixListID.NotFound"):
        for dry_run in ("true", "false"):
            with pytest.raises(Refused, match="pl-0123456789abcdef0: its entries cannot be read"):
                run(group_id, DryRun=dry_run)
    assert egress(group_id) == before


def test_a_permission_of_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    group_id = group("dmz", keep_default=True)
    (found,) = boto3.client("ec2", region_name="eu-west-1").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    for changes, message in (
        ({"IpPermissionsEgress": [{**ALL, "ServiceNetworks": [{"Id": "sn-1"}]}]}, "unknown member ServiceNetworks"),
        ({"IpPermissionsEgress": [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}, "ipProtocol is None"),
        ({"VpcId": None}, "gives no VpcId"),
    ):
        state = {key: value for key, value in {**found, **changes}.items() if value is not None}
        monkeypatch.setattr(security_group_fix, "described_group", lambda _, state=state: state)
        with pytest.raises(Refused, match=message):
            run(group_id)
    assert len(egress(group_id)) == 1


def test_group_names_and_peering_states_are_not_sent_back() -> None:
    pair = {"GroupId": "sg-1", "GroupName": "g", "UserId": "1", "PeeringStatus": "deleted", "VpcPeeringConnectionId": "pcx-1"}
    (entry,) = entries_of([tcp(443, 443, UserIdGroupPairs=[pair], IpRanges=[])])
    kept = {"GroupId": "sg-1", "UserId": "1", "VpcPeeringConnectionId": "pcx-1"}
    assert security_group_fix.exactly(entry) == tcp(443, 443, UserIdGroupPairs=[kept])
