"""An organization to deploy to: twelve members in three nested units and two Regions, a small release, and a clock without waiting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pci_config.admin_templates import artifacts, delegated_admin
from pci_config.catalogue import Catalogue
from pci_config.deploy.deployer import Deployer
from pci_config.deploy.desired import desired
from pci_config.deploy.phases import deploy
from pci_config.deploy.plan import Plan, make_plan
from pci_config.deploy.problems import Outcome
from pci_config.deploy.release import Release, Store, built
from pci_config.deploy.waiting import Waiting
from pci_config.org_templates import member_regional
from pci_config.rdk_json import RdkJson
from pci_config.sandbox.bare_organization import ADMIN, OTHER_REGION, REGION, Organization, organization
from pci_config.sandbox.server import MotoServer

CATALOGUE = Catalogue.load()
REGIONS = (REGION, OTHER_REGION)
EVIDENCE = "card-issuer-pci-evidence"
DOCUMENT = "PciConfig-Fix"
SETTINGS: dict[str, Any] = {
    "Organization": "card issuer",
    "HomeRegion": REGION,
    "Regions": list(REGIONS),
    "Accounts": {"delegated_admin": ADMIN},
    "LogArchive": {"Account": ADMIN, "Buckets": ["card-issuer-log-archive-*"]},
    "Remediation": {"EvidenceBucket": EVIDENCE},
}
ROLES = {
    "Parameters": {"EvidenceBucket": {"Type": "String"}},
    "Resources": {
        "FunctionRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "pci-config-rules", "AssumeRolePolicyDocument": {}},
        }
    },
}


def documents(*names: str) -> str:
    content = {"schemaVersion": "0.3", "mainSteps": []}
    resources = {
        name.replace("-", ""): {
            "Type": "AWS::SSM::Document",
            "Properties": {"Name": name, "DocumentType": "Automation", "DocumentFormat": "JSON", "Content": content},
        }
        for name in names
    }
    return yaml.safe_dump({"Resources": resources})


def pack(*rules: str, fix: bool = True) -> str:
    function = {"Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:pci-config-rules"}
    details = [{"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"}]
    source = {"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": function, "SourceDetails": details}
    resources: dict[str, Any] = {
        name.title().replace("_", ""): {
            "Type": "AWS::Config::ConfigRule",
            "Properties": {"ConfigRuleName": name, "InputParameters": {"RuleId": name}, "Source": source},
        }
        for name in rules
    }
    if fix:
        role = {"StaticValue": {"Values": [f"arn:aws:iam::{ADMIN}:role/{DOCUMENT}"]}}
        parameters = {"AutomationAssumeRole": role, "Id": {"ResourceValue": {"Value": "RESOURCE_ID"}}}
        properties = {
            "ConfigRuleName": rules[0],
            "TargetType": "SSM_DOCUMENT",
            "TargetId": DOCUMENT,
            "Parameters": parameters,
        }
        resources["Fix"] = {"Type": "AWS::Config::RemediationConfiguration", "Properties": properties}
    return yaml.safe_dump({"Resources": resources})


@dataclass
class Clock:
    """Sleeping takes no time; `at` runs something in the n-th pause."""

    now: float = 0
    pauses: int = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses += 1


@dataclass
class Deployment:
    """What an operator has in hands: settings, the built files, and the commands."""

    org: Organization
    folder: Path
    settings: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(SETTINGS)))
    bundle: bytes = b"bundle 1"
    rules: Sequence[str] = ("PCI_ONE", "PCI_TWO")
    templates: dict[str, str] = field(default_factory=dict)  # added to, or in place of, the usual ones
    told: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    account: str = ADMIN
    single: bool = False

    @property
    def server(self) -> MotoServer:
        return self.org.server

    def client(self, account: str, service: str, region: str = REGION) -> Any:
        return self.server.clients(account, region).build_client(service)

    def rdk_json(self) -> RdkJson:
        path = self.folder / "rdk.json"
        path.write_text(json.dumps(self.settings))
        return RdkJson.load(path)

    def deployer(self) -> Deployer:
        waiting = Waiting(timeout=4000, sleep=self.clock.sleep, clock=lambda: self.clock.now)
        session = self.server.session(self.account, REGION)
        return Deployer(session, self.rdk_json(), self.single, waiting, self.told.append)

    def texts(self, rdk_json: RdkJson) -> dict[Path, str]:
        stacks = {
            "artifacts": artifacts(),
            "delegated_admin": delegated_admin(rdk_json),
            "member_global": yaml.safe_dump(ROLES),
            "member_regional": member_regional(rdk_json, {}),
            "member_documents_1": documents(DOCUMENT),
            **self.templates,
        }
        files = {Path(f"org_setup/{name}/template.yaml"): text for name, text in stacks.items() if text}
        files[Path("conformance_pack.yaml")] = pack(*self.rules)
        files[Path("conformance_pack_global.yaml")] = pack("PCI_GLOBAL", fix=False)
        return files

    def built(self, deployer: Deployer) -> tuple[Release, Store]:
        return built(deployer, self.texts(deployer.rdk_json), self.bundle)

    def plan(self) -> Plan:
        deployer = self.deployer()
        release, store = self.built(deployer)
        return make_plan(deployer, store, desired(deployer, release))

    def deploy(self) -> Outcome:
        deployer = self.deployer()
        release, store = self.built(deployer)
        return deploy(deployer, store, desired(deployer, release))

    def roll_back(self) -> Outcome:
        deployer = self.deployer()
        store = Store(deployer)
        release = store.history().gone_back().newest
        assert release is not None
        return deploy(deployer, store, desired(deployer, release), rollback=True)

    def record(self, account: str, region: str) -> None:
        """A configuration recorder, as Control Tower has put one everywhere."""
        config = self.client(account, "config", region)
        role = f"arn:aws:iam::{account}:role/recorder"
        config.put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role})

    def rules_in(self, account: str, region: str = REGION) -> set[str]:
        pages = self.client(account, "config", region).get_paginator("describe_config_rules").paginate()
        found = [rule for page in pages for rule in page["ConfigRules"]]
        return {rule["ConfigRuleName"].split("-conformance-pack-")[0] for rule in found}

    def code(self, account: str, region: str = REGION) -> bytes:
        """What the function's code is, by the object that it was made of."""
        from moto.awslambda.models import lambda_backends

        function = lambda_backends[account][region].get_function("pci-config-rules")
        return bytes(function.code_bytes)


def deployment(server: MotoServer, folder: Path, size: int = 12, recorders: bool = True) -> Deployment:
    made = Deployment(organization(server, size), folder)
    if recorders:
        for account in made.org.members:
            for region in REGIONS:
                made.record(account, region)
    return made
