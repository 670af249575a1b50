"""PciConfig-LimitSecurityGroupIngress: closes administration to the world, or all that is not allowed; nothing else."""

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
from pci_config.runbook import Refused
from script_loader import load_script

DOCUMENT = "PciConfig-LimitSecurityGroupIngress"
script = load_script(DOCUMENT)
__all__ = ["account"]  # the fixture that starts moto
TIERS = {
    "dmz": {"Ingress": [{"Protocol": "tcp", "Ports": "443", "Peers": ["internet"]}], "Egress": []},
    "vpc-link": {"Ingress": [{"Protocol": "tcp", "Ports": "443", "Peers": ["vpc"]}], "Egress": []},
    "bastion": {"Ingress": [{"Protocol": "tcp", "Ports": "22", "Peers": ["internet"]}], "Egress": []},
    "service": {"Ingress": [{"Protocol": "-1", "Ports": "all", "Peers": ["tier:service"]}], "Egress": []},
    "database": {"Ingress": [{"Protocol": "tcp", "Ports": "5432", "Peers": ["tier:service"]}], "Egress": []},
    "listed": {"Ingress": [{"Protocol": "tcp", "Ports": "22", "Peers": ["pl-0123456789abcdef0"]}], "Egress": []},
}
WORLD, WORLD6 = "0.0.0.0/0", "::/0"


@pytest.fixture(autouse=True)
def settings_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SETTINGS", {"NetworkTiers": TIERS})


def ec2() -> Any:
    return boto3.client("ec2", region_name="eu-west-1")


def tcp(first: int, last: int, *cidrs: str, **peers: Any) -> dict[str, Any]:
    ranges: dict[str, Any] = {
        "IpRanges": [{"CidrIp": cidr, "Description": f"from {cidr}"} for cidr in cidrs if ":" not in cidr],
        "Ipv6Ranges": [{"CidrIpv6": cidr} for cidr in cidrs if ":" in cidr],
    }
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, **{k: v for k, v in ranges.items() if v}, **peers}


SSH, HTTPS = tcp(22, 22, WORLD), tcp(443, 443, WORLD)
ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": WORLD}]}


def group(tier: str | None, *permissions: dict[str, Any]) -> str:
    vpc_id = ec2().create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group_id = str(ec2().create_security_group(GroupName="g", Description="d", VpcId=vpc_id)["GroupId"])
    if tier:
        ec2().create_tags(Resources=[group_id], Tags=[{"Key": "pci:tier", "Value": tier}])
    if permissions:
        ec2().authorize_security_group_ingress(GroupId=group_id, IpPermissions=list(permissions))
    return group_id


def ingress(group_id: str) -> list[dict[str, Any]]:
    (found,) = ec2().describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    return sorted(found["IpPermissions"], key=str)


def ports(group_id: str) -> list[int]:
    return sorted(permission.get("FromPort", -1) for permission in ingress(group_id))


def violation(tier: str | None, *permissions: dict[str, Any], **parameters: str) -> Callable[[], dict[str, str]]:
    return lambda: {"GroupId": group(tier, *permissions), **parameters}


def prefix_list() -> dict[str, str]:
    made = ec2().create_managed_prefix_list(
        PrefixListName="p", MaxEntries=1, AddressFamily="IPv4", Entries=[{"Cidr": "203.0.113.0/24"}]
    )
    entry = {"PrefixListId": made["PrefixList"]["PrefixListId"]}
    return {"GroupId": group("vpc-link", tcp(443, 443, "10.0.0.0/16"), tcp(443, 443, PrefixListIds=[entry])), **EVERYTHING}


def other_group() -> dict[str, str]:
    pair = {"GroupId": group("database"), "Description": "the database"}
    return {"GroupId": group("database", tcp(5432, 5432, UserIdGroupPairs=[pair])), **EVERYTHING}


EVERYTHING = {"AdminPortsOnly": "false"}
VIOLATIONS: dict[str, Callable[[], dict[str, str]]] = {
    "SSH from everywhere, no tier": violation(None, SSH),
    "RDP and SSH from everywhere beside HTTPS": violation("dmz", HTTPS, SSH, tcp(3389, 3389, WORLD, WORLD6)),
    "split halves of the internet": violation("dmz", tcp(22, 22, "0.0.0.0/1", "128.0.0.0/1")),
    "a range around SSH": violation("database", tcp(0, 1024, WORLD)),
    "all protocols, no tier": violation(None, ALL),
    "all protocols, beside what is allowed": violation("dmz", HTTPS, ALL),
    "RDP over UDP": violation(None, {**tcp(3389, 3389, WORLD), "IpProtocol": "udp"}),
    "everything: an office beside HTTPS": violation("dmz", HTTPS, tcp(22, 22, "203.0.113.0/28"), **EVERYTHING),
    "everything: another port": violation("dmz", HTTPS, tcp(8443, 8443, "203.0.113.0/28"), **EVERYTHING),
    "everything: ICMP": violation("dmz", {**ALL, "IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}, **EVERYTHING),
    "everything: untagged, deny-all": violation(None, tcp(443, 443, "10.0.0.0/16"), UntaggedPolicy="deny-all", **EVERYTHING),
    "everything: prefix list": prefix_list,
    "everything: another group": other_group,
}  # fmt: skip


def run(group_id: str, **changes: str) -> dict[str, Any]:
    return fix_testing.run(DOCUMENT, GroupId=group_id, **changes)


def restore(group_id: str, result: dict[str, Any], **changes: str) -> dict[str, Any]:
    return fix_testing.restore(DOCUMENT, execution_of(result), GroupId=group_id, **changes)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_are_fixed_restored_and_fixed_again(name: str) -> None:
    parameters = VIOLATIONS[name]()
    group_id = parameters.pop("GroupId")
    before = ingress(group_id)
    assert (run(group_id, DryRun="true", **parameters)["Outcome"], ingress(group_id)) == ("dry-run", before)
    result = run(group_id, **parameters)
    after = ingress(group_id)
    assert result["Outcome"] == "changed"
    assert after != before
    assert (run(group_id, **parameters)["Outcome"], ingress(group_id)) == ("compliant", after)

    dry = restore(group_id, result, DryRun="true")
    assert (dry["Outcome"], ingress(group_id)) == ("dry-run", after)
    assert re.match(r"dry run, nothing changed\. Would: authorize again .* from ", dry["Message"])
    back = restore(group_id, result)
    assert (back["Outcome"], ingress(group_id)) == ("changed", before)
    assert json.loads(back["After"]) == json.loads(result["Before"])
    assert restore(group_id, result)["Outcome"] == "compliant"
    assert (run(group_id, **parameters)["Outcome"], ingress(group_id)) == ("changed", after)


def test_only_what_opens_administration_to_the_world_goes_and_the_rest_is_named() -> None:
    office, test_port = tcp(22, 22, "203.0.113.0/28"), tcp(8443, 8443, WORLD)
    group_id = group("dmz", HTTPS, SSH, office, test_port)
    dry, result = run(group_id, DryRun="true"), run(group_id)
    said = (
        "revoke tcp 22 from 0.0.0.0/0; left to people, as AdminPortsOnly is true:"
        " tcp 22 from 203.0.113.0/28; tcp 8443 from 0.0.0.0/0"
    )
    assert (dry["Message"], result["Message"]) == (f"dry run, nothing changed. Would: {said}", said)
    assert ingress(group_id) == sorted((ingress(group("dmz", HTTPS, office, test_port))), key=str)
    for dry_run in ("true", "false"):
        with pytest.raises(Refused, match=r"needs a human: .* but violates: tcp 22 from 203\.0\.113\.0/28; tcp 8443 from 0\.0"):
            run(group_id, DryRun=dry_run)
    assert run(group_id, AdminPortsOnly="false")["Message"] == "revoke tcp 22 from 203.0.113.0/28; tcp 8443 from 0.0.0.0/0"
    assert ports(group_id) == [443]


def test_what_is_left_is_counted_when_it_is_much() -> None:
    group_id = group("dmz", HTTPS, SSH, *(tcp(port, port, "203.0.113.0/28") for port in range(8001, 8008)))
    assert run(group_id)["Message"].endswith("tcp 8005 from 203.0.113.0/28 and 2 more")


@pytest.mark.parametrize(
    ("cidr", "gone"),
    [
        ("0.0.0.0/1", True), ("8.0.0.0/8", True), ("8.0.0.0/9", False), ("203.0.113.7/32", False), ("0.0.0.0/7", True),
        ("2000::/3", True), ("2600::/16", True), ("2600::/17", False), ("2001:db8::/32", False),
    ],
)  # fmt: skip
def test_how_wide_a_network_is_the_world(cidr: str, gone: bool) -> None:
    group_id = group("dmz", HTTPS, tcp(22, 22, cidr))
    if gone:
        assert run(group_id)["Outcome"] == "changed"
    else:
        with pytest.raises(Refused, match="needs a human"):
            run(group_id)
    assert ports(group_id) == ([443] if gone else [22, 443])


@pytest.mark.parametrize(("admin_ports", "left"), [("22,3389", [8080]), ("8080", [22]), ("22,8080", []), ("none", [22, 8080])])
def test_the_ports_of_administration_are_those_of_the_rule(admin_ports: str, left: list[int]) -> None:
    group_id = group(None, SSH, tcp(8080, 8080, WORLD))
    if admin_ports == "none":
        with pytest.raises(Refused, match="needs a human"):
            run(group_id, AdminPorts=admin_ports)
    else:
        run(group_id, AdminPorts=admin_ports)
    assert ports(group_id) == left


def test_what_the_tier_or_internet_ports_allow_stays() -> None:
    assert run(group("bastion", SSH))["Outcome"] == "compliant"
    assert run(group(None, SSH), InternetPorts="22")["Outcome"] == "compliant"
    assert run(group(None, SSH), UntaggedPolicy="ignore")["Outcome"] == "compliant"
    assert run(group(None, tcp(22, 22, "10.0.0.0/8")))["Outcome"] == "compliant"
    assert run("sg-0123456789abcdef0")["Outcome"] == "gone"


def test_good_entries_stay_byte_for_byte() -> None:
    good = tcp(443, 443, "198.51.100.0/24", WORLD, WORLD6)
    group_id = group("dmz", good, SSH)
    expected = [permission for permission in ingress(group_id) if permission["FromPort"] == 443]
    run(group_id)
    assert ingress(group_id) == expected
    mixed = group("database", tcp(22, 22, "203.0.113.7/32", WORLD))
    run(mixed)
    assert [entry["CidrIp"] for p in ingress(mixed) for entry in p["IpRanges"]] == ["203.0.113.7/32"]


@pytest.mark.parametrize("admin_ports_only", ["true", "false"])
@pytest.mark.parametrize(
    ("tier", "wrong", "keeping"),
    [
        ("dmz", ALL, HTTPS),
        ("dmz", tcp(0, 65535, WORLD), HTTPS),
        ("vpc-link", ALL, tcp(443, 443, "10.0.0.0/24")),
        ("service", ALL, None),
    ],
)
def test_the_last_way_in_for_https_is_not_cut(
    tier: str, wrong: dict[str, Any], keeping: dict[str, Any] | None, admin_ports_only: str
) -> None:
    group_id = group(tier, wrong)
    before = ingress(group_id)
    for dry_run in ("true", "false"):
        with pytest.raises(Refused, match=f"needs a human: .* has to go, but nothing else lets HTTPS into {group_id}"):
            run(group_id, AdminPortsOnly=admin_ports_only, DryRun=dry_run)
    assert ingress(group_id) == before
    if keeping:
        ec2().authorize_security_group_ingress(GroupId=group_id, IpPermissions=[keeping])
        assert run(group_id, AdminPortsOnly=admin_ports_only)["Outcome"] == "changed"
        assert ports(group_id) == [443]


def test_a_group_that_may_not_take_https_loses_nothing_by_it() -> None:
    assert run(group("database", ALL))["Outcome"] == "changed"
    assert run(group(None, ALL))["Outcome"] == "changed"
    with pytest.raises(Refused, match="nothing else lets HTTPS into"):
        run(group(None, ALL), InternetPorts="443")
    udp = {**tcp(0, 65535, WORLD), "IpProtocol": "udp"}
    assert run(group("dmz", udp))["Outcome"] == "changed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AccountId": "210987654321"}, "belongs to account"),
        ({"UntaggedPolicy": "allow"}, "UntaggedPolicy"),
        ({"AdminPortsOnly": "yes"}, "AdminPortsOnly is 'yes'"),
        ({"AdminPorts": "22;3389"}, "AdminPorts is '22;3389'"),
        ({"InternetPorts": "443,"}, "InternetPorts is '443,'"),
        ({"DryRun": "0"}, "DryRun"),
    ],
)
def test_odd_input_is_refused_unchanged(changes: dict[str, str], message: str) -> None:
    group_id = group(None, SSH)
    with pytest.raises(Refused, match=message):
        run(group_id, **changes)
    assert ports(group_id) == [22]


def test_unknown_tiers_and_missing_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="unknown tier 'dnz'"):
        run(group("dnz", SSH))
    monkeypatch.setattr(script, "SETTINGS", {})
    with pytest.raises(Refused, match="without NetworkTiers"):
        run(group("dmz", SSH))


def test_a_prefix_list_that_cannot_be_read_hinders_only_what_it_decides() -> None:
    unknown = tcp(443, 443, PrefixListIds=[{"PrefixListId": "pl-0123456789abcdef0"}])
    group_id = group("vpc-link", tcp(443, 443, "10.0.0.0/16"), unknown, SSH)
    listed = group("listed", SSH)
    with answering(GetManagedPrefixListEntries="InvalidPrefixListID.NotFound"):
        with pytest.raises(Refused, match=r"its entries cannot be read.*decide on this entry by hand"):
            run(group_id, AdminPortsOnly="false")
        with pytest.raises(Refused, match="decide on this entry by hand"):
            run(listed)
        message = run(group_id)["Message"]
    assert message.startswith("revoke tcp 22 from 0.0.0.0/0; left to people")
    assert "pl-0123456789abcdef0: its entries cannot be read" in message
    assert (ports(group_id), ports(listed)) == ([443], [22])


def test_two_runs_at_once_and_a_group_deleted_in_between() -> None:
    group_id = group("dmz", HTTPS, SSH)
    with meanwhile(RevokeSecurityGroupIngress=lambda: run(group_id)):
        report = run(group_id)
    assert (report["Outcome"], "is right meanwhile" in report["Message"]) == ("compliant", True)
    assert ports(group_id) == [443]
    ec2().authorize_security_group_ingress(GroupId=group_id, IpPermissions=[SSH])
    with meanwhile(RevokeSecurityGroupIngress=lambda: ec2().delete_security_group(GroupId=group_id)):
        report = run(group_id)
    assert (report["Outcome"], "is gone meanwhile" in report["Message"]) == ("gone", True)


def test_two_restores_at_once() -> None:
    group_id = group("dmz", HTTPS, SSH)
    before = ingress(group_id)
    result = run(group_id)
    with meanwhile(AuthorizeSecurityGroupIngress=lambda: restore(group_id, result)):
        report = restore(group_id, result)
    assert (report["Outcome"], "is right meanwhile" in report["Message"]) == ("compliant", True)
    assert ingress(group_id) == before


def test_restore_refuses_what_was_changed_since_and_what_is_gone() -> None:
    group_id = group("dmz", HTTPS, SSH)
    result = run(group_id)
    ec2().authorize_security_group_ingress(GroupId=group_id, IpPermissions=[tcp(443, 443, "10.1.0.0/16")])
    with pytest.raises(Refused, match="was changed after"):
        restore(group_id, result)
    assert ports(group_id) == [443]
    ec2().delete_security_group(GroupId=group_id)
    with pytest.raises(Refused, match="no longer exists; its state before is in remediation/"):
        restore(group_id, result)


def test_a_refused_call_leaves_the_group_and_says_what_was_done() -> None:
    group_id = group("dmz", HTTPS, SSH)
    failed = pytest.raises(RuntimeError, match=r"revoke_security_group_ingress failed.*done before that: nothing")
    with answering(RevokeSecurityGroupIngress="UnauthorizedOperation"), failed:
        run(group_id)
    result = run(group_id)
    failed = pytest.raises(RuntimeError, match=r"authorize_security_group_ingress failed.*done before that: nothing")
    with answering(AuthorizeSecurityGroupIngress="RulesPerSecurityGroupLimitExceeded"), failed:
        restore(group_id, result)
    assert ports(group_id) == [443]


@pytest.mark.parametrize(("key", "value"), [("aws:cloudformation:stack-name", "shop"), ("ManagedBy", "Terraform")])
def test_what_a_template_describes_is_mended_there(key: str, value: str) -> None:
    group_id = group("dmz", HTTPS, SSH)
    ec2_backends[ACCOUNT]["eu-west-1"].tags[group_id][key] = value  # moto, too, refuses aws: tags from users
    with pytest.raises(Refused, match=r"is managed by .*mend it there"):
        run(group_id)
    assert ports(group_id) == [22, 443]
    assert run(group_id, AllowManaged="true")["Outcome"] == "changed"


def test_nothing_changes_when_switched_off_or_without_kept_evidence() -> None:
    group_id = group("dmz", HTTPS, SSH)
    unchanged_without_switch_or_evidence(lambda **changes: run(group_id, **changes))
    assert ports(group_id) == [22, 443]
