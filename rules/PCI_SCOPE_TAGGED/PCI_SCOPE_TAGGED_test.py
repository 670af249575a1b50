"""Decision table of PCI_SCOPE_TAGGED."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from pci_config.items import to_event_form
from pci_config.rule import (
    COMPLIANT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    Finding,
    NotAssessed,
    ParameterError,
    RecordedFacts,
    RuleInputError,
    Scope,
    StatedFacts,
)
from pci_config.scope_facts import GroupUse, Use, User
from pci_config.scope_tags import GROUPS, groups_of
from pci_config.settings import SettingMissing, Settings, Tier
from PCI_SCOPE_TAGGED import PciScopeTagged

# Members whose absence means fine, and why (tests/property/test_every_rule.py)
ABSENT_IS_FINE = {
    "tags": "the item's tags stand in its configuration as well",
    "tags.pci:scope": "the item's tags stand in its configuration as well",
    "configuration.securityGroups": "a network load balancer may have no security group",
    "configuration.vpcConfig": "a function outside a VPC has no security group",
    "configuration.NetworkConfiguration": "a service in bridge or host mode has no security group of its own",
    "configuration.NetworkConfiguration.AwsvpcConfiguration": "a service in bridge or host mode has no security group of its own",
}

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWN, OTHER, REGION = "123456789012", "210987654321", "eu-west-1"
TIERS = dict.fromkeys(("dmz", "service", "database"), Tier((), ()))
SETTINGS = Settings(accounts={"production": (OWN,), "staging": (OTHER,)}, network_tiers=TIERS)
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "data" / "ci"
TYPES = PciScopeTagged.resource_types
GROUP, SUBNET, BUCKET = "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::S3::Bucket"
BALANCER, FUNCTION, SERVICE = "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::Lambda::Function", "AWS::ECS::Service"
USED = {  # the groups in the samples
    BALANCER: ("sg-0a1b0a1b0a1b0a1b0",),
    "AWS::ElasticLoadBalancing::LoadBalancer": ("sg-0a1b0a1b0a1b0a1b0",),
    "AWS::RDS::DBCluster": ("sg-0db0db0db0db0db01",),
    "AWS::RDS::DBInstance": ("sg-0db0db0db0db0db01",),
    FUNCTION: ("sg-0c0ffee1234567890",),
    SERVICE: ("sg-0c0ffee1234567890",),
    GROUP: ("sg-0c0ffee1234567890",),
}

ABSENT_IS_FINE = {
    "tags": "the types keep their tags in the configuration or its supplement as well, which is all that a swept item has",
    "tags.pci:scope": "kept in the configuration or its supplement as well",
    "tags.pci:tier": "kept in the configuration or its supplement as well",
    "configuration.vpcConfig": "null is a function outside a VPC, which uses no security group",
    "configuration.NetworkConfiguration.AwsvpcConfiguration": "an empty object is a service in another network mode",
}


def listed(tags: dict[str, str], key: str, value: str) -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


def sample(resource_type: str, tags: dict[str, str] | None = None, swept: bool = False) -> dict[str, Any]:
    """The recorded sample with other tags everywhere where its type keeps them; `swept`: without the map beside."""
    item: dict[str, Any] = json.loads((SAMPLES / f"{resource_type.replace('::', '_')}.json").read_text("utf-8"))
    tags = {} if tags is None else tags
    configuration, supplementary = item["configuration"], item["supplementaryConfiguration"]
    for place, name in ((configuration, "tags"), (configuration, "tagList"), (supplementary, "Tags")):
        if isinstance(place.get(name), list):
            place[name] = listed(tags, "key", "value")
        elif name in place:
            place[name] = dict(tags)
    if "Tags" in configuration:
        configuration["Tags"] = listed(tags, "Key", "Value")
    if resource_type == BUCKET:
        supplementary.pop("BucketTaggingConfiguration")
        if tags:
            supplementary["BucketTaggingConfiguration"] = {"tagSets": [{"tags": dict(tags)}]}
    item["tags"] = {} if swept else dict(tags)
    item["awsAccountId"] = OWN
    return item


def scope(settings: Settings = SETTINGS) -> Scope:
    return Scope(OWN, REGION, NOW, settings)


def judged(item: dict[str, Any], use: Any = None, raw: dict[str, str] | None = None, settings: Settings = SETTINGS) -> Finding:
    rule = PciScopeTagged(settings)
    known = {} if use is None else {(GroupUse, *groups_of(item)): use}
    return rule.decide(item, rule.evaluate_parameters(raw or {}), StatedFacts(scope(settings), known))


def right(resource_type: str, value: str = "cde") -> dict[str, str]:
    return {"pci:scope": value, **({"pci:tier": "service"} if resource_type in (GROUP, SUBNET) else {})}


class TagsTest(unittest.TestCase):
    def assert_wrong(self, finding: Finding, words: str) -> None:
        self.assertEqual(finding.compliance, NON_COMPLIANT)
        self.assertIn(words, finding.annotation)
        self.assertTrue(finding.annotation.endswith(" [PCI 12.5.2]"), finding.annotation)
        self.assertLessEqual(len(finding.annotation), 256)

    def test_every_type_in_every_form(self) -> None:
        for resource_type in TYPES:
            for swept in (False, True):
                with self.subTest(resource_type, swept=swept):
                    finding = judged(sample(resource_type, right(resource_type), swept))
                    self.assertEqual(finding.compliance, COMPLIANT)
                    self.assertTrue(finding.annotation.startswith("scope cde"), finding.annotation)
                    self.assert_wrong(
                        judged(sample(resource_type, {}, swept)), "has no tag pci:scope (one of cde, connected, out)"
                    )

    def test_as_batch_get_resource_config_gives_it(self) -> None:
        raw = json.loads((SAMPLES / "forms" / "batch_get_resource_config.json").read_text("utf-8"))["baseConfigurationItems"]
        for entry in raw:
            item = to_event_form(entry)
            self.assertEqual(item["tags"], {})
            if item["resourceType"] in TYPES:
                with self.subTest(item["resourceType"]):
                    item["awsAccountId"] = OWN
                    self.assert_wrong(judged(item), "tag 'pci-scope' must be written 'pci:scope'")

    def test_connected_is_as_good(self) -> None:
        for resource_type in TYPES:
            with self.subTest(resource_type):
                finding = judged(sample(resource_type, right(resource_type, "connected")))
                self.assertEqual((finding.compliance, finding.annotation[:15]), (COMPLIANT, "scope connected"))

    def test_wrong_values_and_spellings_are_named(self) -> None:
        for tags, words in (
            ({"pci:scope": "CDE"}, "tag pci:scope is 'CDE', write 'cde'"),
            ({"pci:scope": " cde"}, "tag pci:scope is ' cde', write 'cde'"),
            ({"pci:scope": "in"}, "tag pci:scope is 'in', none of cde, connected, out"),
            ({"pci:scope": ""}, "tag pci:scope is '', none of"),
            ({"PCI:Scope": "cde"}, "tag 'PCI:Scope' must be written 'pci:scope'"),
            ({"pci-scope": "cde"}, "tag 'pci-scope' must be written"),
            ({"scope": "cde"}, "has no tag pci:scope"),
            ({"pci:scope": "x" * 256}, "tag pci:scope is 'xxx"),
        ):
            with self.subTest(tags=tags):
                self.assert_wrong(judged(sample(BUCKET, tags)), words)

    def test_tiers_of_subnets_and_groups(self) -> None:
        for resource_type in (SUBNET, GROUP):
            for tags, words in (
                ({"pci:scope": "cde"}, "has no tag pci:tier (one of database, dmz, service)"),
                ({"pci:scope": "connected"}, "has no tag pci:tier"),
                ({"pci:scope": "cde", "pci:tier": "sevrice"}, "tag pci:tier is 'sevrice', none of"),
                ({"pci:scope": "cde", "pci:tier": "DMZ"}, "tag pci:tier is 'DMZ', write 'dmz'"),
                ({}, "has no tag pci:scope (one of cde, connected, out); has no tag pci:tier (one of"),
            ):
                with self.subTest(resource_type, tags=tags):
                    self.assert_wrong(judged(sample(resource_type, tags)), words)
            self.assertEqual(judged(sample(resource_type, right(resource_type))).annotation, "scope cde, tier service")
        self.assertEqual(judged(sample(SUBNET, {"pci:scope": "out"})).compliance, COMPLIANT)
        self.assertEqual(judged(sample(BUCKET, {"pci:scope": "cde", "pci:tier": "sevrice"})).annotation, "scope cde")

    def test_no_tier_applies_to_a_default_group(self) -> None:
        item = sample(GROUP, {"pci:scope": "connected"})
        item["configuration"]["groupName"] = "default"
        self.assertEqual(judged(item).annotation, "scope connected")
        item["configuration"]["groupName"] = None
        with self.assertRaisesRegex(RuleInputError, "groupName"):
            judged(item)

    def test_other_accounts(self) -> None:
        item = sample(BUCKET, {})
        item["awsAccountId"] = OTHER
        finding = judged(item)
        self.assertEqual((finding.compliance, finding.annotation), (NOT_APPLICABLE, "not an account of the CDE (production)"))
        self.assertEqual(judged(item, raw={"AccountRoles": "production,staging"}).compliance, NON_COMPLIANT)

    def test_settings_and_parameters_that_are_missing_are_errors(self) -> None:
        with self.assertRaisesRegex(SettingMissing, "Accounts.production"):
            judged(sample(BUCKET, {}), settings=Settings())
        with self.assertRaisesRegex(SettingMissing, "Accounts.development"):
            judged(sample(BUCKET, {}), raw={"AccountRoles": "staging,development"})
        with self.assertRaisesRegex(SettingMissing, "NetworkTiers"):
            judged(sample(SUBNET, right(SUBNET)), settings=Settings(accounts=SETTINGS.accounts))
        with self.assertRaisesRegex(RuleInputError, "AccountRoles is empty"):
            judged(sample(BUCKET, {}), raw={"AccountRoles": ""})
        with self.assertRaises(ParameterError):
            PciScopeTagged().evaluate_parameters({"AccountRoles": "prod"})

    def test_an_item_without_content_is_no_verdict(self) -> None:
        item = sample(BUCKET, right(BUCKET))
        item["configuration"] = None
        with self.assertRaisesRegex(RuleInputError, "configuration"):
            judged(item)


class SharingTest(unittest.TestCase):
    def test_the_groups_of_every_type(self) -> None:
        for resource_type in TYPES:
            with self.subTest(resource_type):
                self.assertEqual(groups_of(sample(resource_type)), USED.get(resource_type, ()))
        self.assertEqual(groups_of(sample("AWS::EC2::Instance")), ("sg-0c0ffee1234567890",))

    def test_out_shares_with_the_cde(self) -> None:
        for resource_type, groups in USED.items():
            with self.subTest(resource_type):
                item = sample(resource_type, {"pci:scope": "out"})
                inside, outside = User(groups[0], "service cards", "cde"), User(groups[0], "function mail", "out")
                finding = judged(item, Use((outside, inside)))
                self.assertEqual(finding.compliance, NON_COMPLIANT)
                words = f"scope is out, but {groups[0]} is shared with service cards (cde); use a group of its own [PCI 12.5.2]"
                self.assertEqual(finding.annotation, words)
                two = judged(item, Use((outside, inside, inside), ("AWS::RDS::DBInstance",)))
                self.assertIn("service cards (cde) and 1 more; use", two.annotation)

    def test_out_keeps_apart(self) -> None:
        item = sample(FUNCTION, {"pci:scope": "out"})
        others = Use(tuple(User("sg-1", "x", said) for said in ("out", "connected", None)))
        finding = judged(item, others)
        self.assertEqual(finding.compliance, COMPLIANT)
        self.assertEqual(finding.annotation, f"scope out, shares {USED[FUNCTION][0]} with nothing of the CDE")

    def test_a_missing_member_is_not_no_group(self) -> None:
        members = {
            BALANCER: "securityGroups",
            "AWS::ElasticLoadBalancing::LoadBalancer": "securityGroups",
            "AWS::RDS::DBCluster": "vpcSecurityGroups",
            "AWS::RDS::DBInstance": "vpcSecurityGroups",
            FUNCTION: "vpcConfig",
            SERVICE: "NetworkConfiguration",
        }
        for resource_type, member in members.items():
            item = sample(resource_type, {"pci:scope": "out"})
            del item["configuration"][member]
            with self.subTest(resource_type), self.assertRaisesRegex(RuleInputError, "security groups has an unexpected shape"):
                judged(item, Use(()))

    def test_no_group(self) -> None:
        for resource_type, member in ((BALANCER, "securityGroups"), ("AWS::RDS::DBCluster", "vpcSecurityGroups")):
            item = sample(resource_type, {"pci:scope": "out"})
            item["configuration"][member] = []
            self.assertEqual(judged(item).annotation, "scope out, uses no security group")
        for resource_type, changed in (
            (SERVICE, {"NetworkConfiguration": {}}),
            (FUNCTION, {"vpcConfig": {"securityGroupIds": [], "subnetIds": []}}),
        ):
            item = sample(resource_type, {"pci:scope": "out"})
            item["configuration"] |= changed
            self.assertEqual(judged(item).annotation, "scope out, uses no security group")
        for item in (sample(BUCKET, {"pci:scope": "out"}), sample(FUNCTION, {"pci:scope": "out"})):
            item["configuration"] |= {"vpcConfig": None}
            with self.subTest(item["resourceType"]):
                self.assertEqual(judged(item).annotation, "scope out, uses no security group")

    def test_what_cannot_be_seen_is_not_assessed_but_hides_no_missing_tag(self) -> None:
        partly = Use((User("sg-1", "x", "out"),), ("AWS::RDS::DBInstance", "AWS::Lambda::Function"))
        with self.assertRaisesRegex(
            NotAssessed, "sg-0c0ffee1234567890 is shared with the CDE: no AWS::RDS::DBInstance, AWS::L"
        ):
            judged(sample(FUNCTION, {"pci:scope": "out"}), partly)
        with self.assertRaises(NotAssessed):
            judged(sample(FUNCTION, {"pci:scope": "out"}))
        self.assertEqual(judged(sample(FUNCTION, {}), partly).compliance, NON_COMPLIANT)
        self.assertEqual(judged(sample(FUNCTION, {"pci:scope": "OUT"}), partly).compliance, NON_COMPLIANT)

    def test_groups_in_an_unknown_shape_are_no_verdict(self) -> None:
        for resource_type, changed in (
            (FUNCTION, {"vpcConfig": "none"}),
            (FUNCTION, {"vpcConfig": {"securityGroupIds": [None]}}),
            (BALANCER, {"securityGroups": 1}),
            (FUNCTION, {"vpcConfig": {}}),
            (BALANCER, {"securityGroups": None}),
            (SERVICE, {"NetworkConfiguration": [1]}),
            (SERVICE, {"NetworkConfiguration": None}),
            (SERVICE, {"NetworkConfiguration": {"AwsvpcConfiguration": {}}}),
            (SERVICE, {"NetworkConfiguration": {"AwsvpcConfiguration": {"SecurityGroups": []}}}),
            ("AWS::RDS::DBInstance", {"vpcSecurityGroups": None}),
            ("AWS::RDS::DBCluster", {"vpcSecurityGroups": [{}]}),
            (GROUP, {"groupId": None}),
        ):
            item = sample(resource_type, {"pci:scope": "out"})
            item["configuration"] |= changed
            with self.subTest(resource_type, changed=changed), self.assertRaises(RuleInputError):
                judged(item, Use(()))


class Items:
    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items

    def find(self, resource_type: str, account_id: str, region: str) -> Any:
        found = [item for item in self.items if item["resourceType"] == resource_type]
        if not found or (account_id, region) != (OWN, REGION):
            raise NotAssessed("none here")
        return found


class Clients:
    def build_client(self, service: str, region: str | None = None) -> Any:
        return boto3.client(service, region_name=region or REGION)


class LookupTest(unittest.TestCase):
    def test_a_snapshot_answers_with_its_items(self) -> None:
        function, group = sample(FUNCTION, {"pci:scope": "CDE"}), sample(GROUP, {"pci:scope": "out"})
        group["resourceName"] = None
        use = GroupUse.recorded(Items(function, group, sample(BALANCER)), scope(), *USED[FUNCTION])
        users = (
            User(USED[FUNCTION][0], f"EC2::SecurityGroup {group['resourceId']}", "out"),
            User(USED[FUNCTION][0], "Lambda::Function settlement", "cde"),
        )
        self.assertEqual(use.users, users)
        self.assertEqual(set(use.unseen), {GROUP, *GROUPS} - {GROUP, FUNCTION, BALANCER})
        rule = PciScopeTagged(SETTINGS)
        out = sample(FUNCTION, {"pci:scope": "out"})
        finding = rule.decide(out, rule.evaluate_parameters({}), RecordedFacts(Items(function, group), scope()))
        self.assertIn("shared with Lambda::Function settlement (cde)", finding.annotation)

    @mock_aws
    def test_live(self) -> None:
        clients = Clients()
        ec2, tags = clients.build_client("ec2"), [{"Key": "pci:scope", "Value": "cde"}]
        small = [{"key": "pci:scope", "value": "cde"}]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{z}")["Subnet"]["SubnetId"]
            for n, z in enumerate("ab")
        ]
        group, other = (ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("a", "b"))
        ec2.create_tags(Resources=[group, other], Tags=tags)
        ec2.run_instances(
            ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnets[0], SecurityGroupIds=[group],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )  # fmt: skip
        elbv2, elb, rds, ecs = (clients.build_client(name) for name in ("elbv2", "elb", "rds", "ecs"))
        for name, used in (("one", group), ("two", other)):
            elbv2.create_load_balancer(Name=name, Subnets=subnets, SecurityGroups=[used], Tags=tags)
        listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
        elb.create_load_balancer(
            LoadBalancerName="old", Listeners=[listener], Subnets=subnets, SecurityGroups=[group], Tags=tags
        )
        common = {"Engine": "postgres", "MasterUsername": "administrator", "MasterUserPassword": "not-a-password"}
        rds.create_db_cluster(
            DBClusterIdentifier="tokens", **common, VpcSecurityGroupIds=[group], Tags=tags, DBClusterInstanceClass="db.m5d.large",
            AllocatedStorage=100, StorageType="io1", Iops=1000,
        )  # fmt: skip
        rds.create_db_instance(
            DBInstanceIdentifier="cards", DBInstanceClass="db.t3.small", AllocatedStorage=20, **common,
            VpcSecurityGroupIds=[group], Tags=tags,
        )  # fmt: skip
        ecs.create_cluster(clusterName="payments")
        ecs.register_task_definition(
            family="card-api", networkMode="awsvpc", containerDefinitions=[{"name": "a", "image": "a", "memory": 64}]
        )
        network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}}
        ecs.create_service(
            cluster="payments", serviceName="card-api", taskDefinition="card-api", desiredCount=1,
            networkConfiguration=network, tags=small,
        )  # fmt: skip
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = clients.build_client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        clients.build_client("lambda").create_function(
            FunctionName="settlement", Runtime="python3.13", Role=role, Handler="a.b", Code={"ZipFile": b""},
            VpcConfig={"SubnetIds": subnets[:1], "SecurityGroupIds": [group]}, Tags={"pci:scope": "out"},
        )  # fmt: skip
        use = GroupUse.live(clients, scope(), group)
        self.assertEqual(use.unseen, ())
        self.assertEqual({user.group for user in use.users}, {group})
        seen = {user.name.partition(" i-")[0]: user.scope for user in use.users}
        inside = ("security group a", "instance", "load balancer one", "classic load balancer old", "database cluster tokens",
                  "database cards", "service card-api")  # fmt: skip
        self.assertEqual(seen, {**dict.fromkeys(inside, "cde"), "function settlement": "out"})


if __name__ == "__main__":
    unittest.main()
