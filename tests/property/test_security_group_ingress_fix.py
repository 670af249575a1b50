"""Whatever the group: its ingress fix revokes what is meant and nothing else, leaves HTTPS a way in, and can be taken back."""

from __future__ import annotations

import copy
import ipaddress
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_security_group_egress import (
    ACCOUNT,
    GROUP_ID,
    PERMISSIONS,
    ROOT,
    SETTINGS,
    TIERS,
    Ec2,
    Surroundings,
    changed,
    facts,
    recorded,
    traffic_of,
)

from pci_config import runbook, security_group_fix
from pci_config.catalogue import Catalogue
from pci_config.network import Entry, entries_of
from pci_config.rule import COMPLIANT, NON_COMPLIANT
from script_loader import load_script

script = load_script("PciConfig-LimitSecurityGroupIngress")
RULE = Catalogue.load(ROOT).rules["PCI_SECURITY_GROUP_INGRESS_LIMITED"].rule_class
EMPTY: dict[str, list[Any]] = {name: [] for name in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")}
SSH = {**EMPTY, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
OPEN = st.lists(
    st.sampled_from(["0.0.0.0/0", "0.0.0.0/1", "8.0.0.0/8", "8.0.0.0/9", "203.0.113.7/32", "10.0.0.0/8"]), unique=True
)


class Ingress(Ec2):
    def describe_security_groups(self, GroupIds: list[str]) -> Any:  # noqa: N803
        answer = super().describe_security_groups(GroupIds)
        for group in answer["SecurityGroups"]:
            if "IpPermissionsEgress" in group:
                group["IpPermissions"] = group.pop("IpPermissionsEgress")
        return answer

    def revoke_security_group_ingress(self, GroupId: str, IpPermissions: list[dict[str, Any]]) -> None:  # noqa: N803
        self.revoke_security_group_egress(GroupId, IpPermissions)

    def authorize_security_group_ingress(self, GroupId: str, IpPermissions: list[dict[str, Any]]) -> None:  # noqa: N803
        assert GroupId == GROUP_ID
        for added in IpPermissions:
            ((name, (peer,)),) = [(name, value) for name, value in added.items() if isinstance(value, list)]
            scalars = {key: value for key, value in added.items() if not isinstance(value, list)}
            same = [p for p in self.permissions if traffic_of(p) == traffic_of(added)]
            if not same:
                same = [{**copy.deepcopy(EMPTY), **scalars}]
                self.permissions += same
            assert peer not in same[0][name]
            same[0][name].append(peer)


class Evidence(Surroundings):
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put_object(self, **parameters: Any) -> Any:
        self.kept[parameters["Key"]] = parameters["Body"]
        return {"VersionId": "1"}

    def get_object(self, **parameters: Any) -> Any:
        return {"Body": _Body(self.kept[parameters["Key"]])}


class _Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self) -> bytes:
        return self.content


def judged(permissions: Sequence[dict[str, Any]], tier: str | None, parameters: dict[str, str]) -> str:
    item = recorded(permissions, tier)
    egress = item["configuration"]["ipPermissionsEgress"]
    item = changed(changed(item, ("configuration", "ipPermissionsEgress"), []), ("configuration", "ipPermissions"), egress)
    rule = RULE(SETTINGS)
    found: str = rule.decide(item, rule.evaluate_parameters(parameters), facts()).compliance
    return found


def wrong(entry: Entry, tier: str | None, parameters: dict[str, str]) -> bool:
    """By the rule, of the entry in a group of its own."""
    return judged([{**EMPTY, **entry.source}], tier, parameters) == NON_COMPLIANT


def world_administers(entry: Entry) -> bool:
    """Without the product's predicates: an address block of an eighth of an octet or wider that holds 8.8.8.8 or the like."""
    if isinstance(entry.peer, str) or entry.protocol not in ("tcp", "udp", "-1"):
        return False
    if not any(entry.ports[0] <= port <= entry.ports[1] for port in (22, 3389)):
        return False
    if entry.peer.version == 6:
        return entry.peer.prefixlen <= 16 and not entry.peer.subnet_of(ipaddress.ip_network("fc00::/7"))
    return entry.peer.prefixlen <= 8 and entry.peer != ipaddress.ip_network("10.0.0.0/8")


def https(entry: Entry) -> bool:
    return entry.protocol in ("tcp", "-1") and entry.ports[0] <= 443 <= entry.ports[1]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PERMISSIONS, OPEN, st.sampled_from(TIERS), st.sampled_from(["none", "443", "22"]), st.booleans())
def test_what_is_meant_goes_nothing_else_does_and_all_of_it_comes_back(
    permissions: list[Any], administrators: list[str], tier: str | None, internet_ports: str, admin_ports_only: bool
) -> None:
    if administrators:
        permissions = [*permissions, {**copy.deepcopy(SSH), "IpRanges": [{"CidrIp": cidr} for cidr in administrators]}]
    ec2, evidence = Ingress(permissions, tier), Evidence()
    parameters = {} if internet_ports == "none" else {"InternetPorts": internet_ports}
    entries = entries_of(permissions)
    bad = [entry for entry in entries if wrong(entry, tier, parameters)]
    meant = [entry for entry in bad if world_administers(entry) or not admin_ports_only]
    taken = internet_ports == "443" if tier is None else tier != "database"
    cut = taken and any(map(https, meant)) and not any(https(entry) for entry in entries if entry not in meant)
    event = {
        "GroupId": GROUP_ID, "AdminPortsOnly": str(admin_ports_only).lower(), "AdminPorts": "22,3389", "DryRun": "false",
        "UntaggedPolicy": "deny-internet", "InternetPorts": internet_ports, "EvidenceBucket": "evidence",
        "AllowManaged": "false", "AccountId": ACCOUNT, "Region": "eu-west-1", "Document": "d", "ExecutionId": "e",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "SETTINGS", json.loads((ROOT / "rdk.json").read_text("utf-8")))
        for module in (security_group_fix, runbook):
            patch.setattr(module, "aws", lambda service: ec2 if service == "ec2" else evidence)
        patch.setattr("time.sleep", lambda seconds: None)
        if cut or (bad and not meant):
            with pytest.raises(runbook.Refused, match="nothing else lets HTTPS into" if cut else "but violates"):
                script.handler(event, None)
            assert ec2.permissions == permissions
            return
        report = script.handler(event, None)
        assert report["Changed"] is bool(meant)
        left = entries_of(ec2.permissions)
        assert left == [entry for entry in entries if entry not in meant]
        assert [entry.source for entry in left] == [entry.source for entry in entries if entry not in meant]
        content = judged(ec2.permissions, tier, parameters) == COMPLIANT
        assert content is (bad == meant)
        assert ("left to people" in report["Message"]) is (bad != meant)
        if meant:
            again = {**event, "FixDocument": "d", "FixExecutionId": "e", "Document": "r", "ExecutionId": "f"}
            assert script.restore(again, None)["Outcome"] == "changed"
            back = [security_group_fix.exactly(entry) for entry in entries_of(ec2.permissions)]
            assert sorted(map(str, back)) == sorted(str(security_group_fix.exactly(entry)) for entry in entries)
