"""Results documents made up like a card issuer's: the same text on every run."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

ACCOUNTS = {
    "100000000001": "management",
    "200000000002": "delegated-admin",
    "300000000003": "log-archive",
    "400000000004": "identity",
    "500000000005": "identity-production",
    "600000000006": "production",
    "700000000007": "staging",
    "800000000008": "development",
}
RULES: Mapping[str, Mapping[str, Any]] = {
    "PCI_ARCHIVE_LIFECYCLE": {
        "description": "Archive buckets keep logs in reach for 90 days and in existence for ten years, and no object escapes the lifecycle",
        "severity": "high",
        "requirements": {"4.0.1": ["10.5.1", "3.2.1"], "3.2.1": ["10.7", "3.1"]},
    },
    "PCI_LISTENER_TLS_ONLY": {
        "description": "Listeners of load balancers accept TLS 1.2 or newer only, or redirect every request to HTTPS",
        "severity": "high",
        "requirements": {"4.0.1": ["4.2.1", "2.2.7"], "3.2.1": ["4.1"]},
    },
    "PCI_LOAD_BALANCER_LOG_DELIVERED": {
        "description": "Access logs of load balancers are on and delivered to the central log archive",
        "severity": "medium",
        "requirements": {"4.0.1": ["10.2.1", "10.3.3"], "3.2.1": ["10.1", "10.2", "10.5.3"]},
    },
    "PCI_PASSWORD_POLICY": {
        "description": "The IAM password policy demands length, mixed characters, history and expiry",
        "severity": "high",
        "requirements": {"4.0.1": ["8.3.6", "8.3.7", "8.3.9"], "3.2.1": ["8.2.3", "8.2.4", "8.2.5"]},
    },
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": {
        "description": "Every egress entry of a security group lies within a flow that the group's tier allows",
        "severity": "high",
        "requirements": {"4.0.1": ["1.3.2"], "3.2.1": ["1.2.1", "1.3.4"]},
    },
    "PCI_TRAIL_DELIVERED": {
        "description": "A multi-Region organization trail records all management events and delivers them to the archive",
        "severity": "critical",
        "requirements": {"4.0.1": ["10.2.1", "10.3.2", "10.7.2"], "3.2.1": ["10.1", "10.2.1", "10.5"]},
    },
}
TITLES = {
    "1.3.2": "Outbound traffic from the cardholder data environment is limited to what is needed",
    "2.2.7": "Administrative access that is not at the console is encrypted with strong cryptography",
    "3.2.1": "Stored account data is kept to a minimum by retention and disposal",
    "4.2.1": "Strong cryptography protects card numbers on open, public networks",
    "8.3.6": "Passwords have at least twelve characters, letters and digits",
    "8.3.7": "A new password differs from the last four",
    "8.3.9": "Passwords that are the only factor change every 90 days, or access is analysed dynamically",
    "10.2.1": "Audit logs are on for all system components and cardholder data",
    "10.3.2": "Audit logs are protected from change by individuals",
    "10.3.3": "Audit logs are promptly backed up to a secure, central place",
    "10.5.1": "Audit logs are kept twelve months, three of them at hand",
    "10.7.2": "Failures of critical security controls are detected and dealt with",
}  # fmt: skip
KINDS = {
    "PCI_ARCHIVE_LIFECYCLE": ("AWS::S3::Bucket", "card-issuer-log-archive-{n}", 1),
    "PCI_LISTENER_TLS_ONLY": (
        "AWS::ElasticLoadBalancingV2::Listener",
        "arn:aws:elasticloadbalancing:{region}:{account}:listener/app/{service}/50dc6c495c0c9188/{hex}",
        5,
    ),
    "PCI_LOAD_BALANCER_LOG_DELIVERED": (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{service}/{hex}",
        3,
    ),
    "PCI_PASSWORD_POLICY": ("AWS::::Account", "{account}", 1),
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": ("AWS::EC2::SecurityGroup", "sg-0{hex}", 10),
    "PCI_TRAIL_DELIVERED": ("AWS::CloudTrail::Trail", "arn:aws:cloudtrail:eu-west-1:{account}:trail/organization", 1),
}
SERVICES = ("authorisation", "card-api", "clearing", "disputes", "ledger", "tokens", "webhooks", "statements")
REASONS = {
    "PCI_ARCHIVE_LIFECYCLE": "Objects under prefix 'waf/' leave every lifecycle filter: 1 of 7 prefixes; expected a whole-bucket rule or a rule for it [PCI 10.5.1]",
    "PCI_LISTENER_TLS_ONLY": "HTTP listener on port 80 forwards: 1 of 3 rules is no redirect to HTTPS (first: path /health); make it redirect [PCI 4.2.1]",
    "PCI_LOAD_BALANCER_LOG_DELIVERED": "access_logs.s3.enabled is false; deliver to card-issuer-log-archive-eu-west-1 [PCI 10.2.1]",
    "PCI_PASSWORD_POLICY": "Password reuse prevention is 0, expected at least 4; maximum age is not set, expected 1 to 90 days; length 8, expected at least 12 [PCI 8.3.7]",
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": "3 entries; first: tcp 0-65535 to 0.0.0.0/0; tier 'database' allows no egress; revoke them or correct the tag pci:tier [PCI 1.3.2]",
    "PCI_TRAIL_DELIVERED": "Trail records write events only; expected all management events; set ReadWriteType to All [PCI 10.2.1]",
}  # fmt: skip
GOOD = {
    "PCI_ARCHIVE_LIFECYCLE": "Every object: Standard 30 days, Standard-IA to 90, then Glacier; kept 3650 days",
    "PCI_LISTENER_TLS_ONLY": "TLS 1.2 or newer (ELBSecurityPolicy-TLS13-1-2-2021-06)",
    "PCI_LOAD_BALANCER_LOG_DELIVERED": "Delivered to card-issuer-log-archive-eu-west-1",
    "PCI_PASSWORD_POLICY": "Length 14, history 24, age 90 days, upper, lower, number",
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": "2 entries within tier 'service'",
    "PCI_TRAIL_DELIVERED": "All management events of every Region, validated, to card-issuer-log-archive-eu-west-1",
}
UNKNOWN = "Not assessed: the listener's rules are not in the snapshot; assess the account itself or record AWS::ElasticLoadBalancingV2::Listener"


def issuer(*, seed: int = 7, fixed_share: float = 0.0, when: str = "2026-11-23T06:00:00Z") -> dict[str, Any]:
    """A document of eight accounts; the same seed with a larger `fixed_share` is the same estate after remediation."""
    draw = random.Random(seed)  # noqa: S311 - sample data
    results = []
    for rule, (resource_type, pattern, most) in KINDS.items():
        for account in ACCOUNTS:
            if rule in ("PCI_ARCHIVE_LIFECYCLE", "PCI_TRAIL_DELIVERED") and account not in ("100000000001", "300000000003"):
                continue
            regions = ("global",) if resource_type == "AWS::::Account" else ("eu-west-1", "us-east-1")
            for region in regions:
                for number in range(most if account >= "4" else 1):
                    results.append(_result(draw, rule, account, region, number, fixed_share, when, pattern, resource_type))
    return {
        "schema_version": "1",
        "generated_at": when,
        "sources": ["s3://card-issuer-log-archive-config/AWSLogs (160 snapshot files)", "aggregator card-issuer"],
        "summary": {},
        "rules": RULES,
        "accounts": ACCOUNTS,
        "requirement_titles": TITLES,
        "results": results,
    }


def _result(
    draw: random.Random,
    rule: str,
    account: str,
    region: str,
    number: int,
    fixed_share: float,
    when: str,
    pattern: str,
    resource_type: str,
) -> dict[str, Any]:
    service = draw.choice(SERVICES)
    resource_id = pattern.format(n=region, region=region, account=account, service=service, hex=f"{draw.getrandbits(64):016x}")
    chance, repaired, fresh = draw.random(), draw.random(), draw.random()
    compliance = "COMPLIANT"
    if chance < 0.30:
        compliance = "COMPLIANT" if repaired < fixed_share else "NON_COMPLIANT"
    elif chance < 0.34:
        compliance = "EXCEPTED"
    elif chance < 0.40 and rule == "PCI_LISTENER_TLS_ONLY":
        compliance = "NOT_ASSESSED"
    elif chance < 0.42:
        compliance = "ERROR"
    elif chance < 0.47:
        compliance = "NOT_APPLICABLE"
    elif fixed_share and fresh < 0.03:
        compliance = "NON_COMPLIANT"
    annotation = {
        "COMPLIANT": GOOD[rule],
        "NON_COMPLIANT": REASONS[rule],
        "EXCEPTED": "Accepted until 2027-05-31 (RISK-214, approved by ciso): partner supports TLS 1.1 only; traffic is also encrypted in the payload",
        "NOT_ASSESSED": UNKNOWN,
        "ERROR": "Configuration item has no ipPermissionsEgress; record the resource type anew or assess the account itself",
        "NOT_APPLICABLE": "No tag pci:tier, and UntaggedPolicy is ignore",
    }[compliance]
    return {
        "rule": rule,
        "account_id": account,
        "region": region,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "resource_name": "" if resource_id.startswith(("1", "2", "3", "4", "5", "6", "7", "8")) else f"{service}-{number + 1}",
        "compliance": compliance,
        "annotation": annotation,
        "requirements": RULES[rule]["requirements"],
        "severity": RULES[rule]["severity"],
        "evaluated_at": when,
        "configuration_item_captured_at": when.replace("06:00", "04:12"),
    }


def remediated() -> tuple[dict[str, Any], dict[str, Any]]:
    """The estate before and after remediation, with the record of what was done."""
    before, after = issuer(), issuer(fixed_share=0.72, when="2026-11-24T06:00:00Z")
    was = {(entry["rule"], entry["account_id"], entry["resource_id"]): entry for entry in before["results"]}
    record = []
    for entry in after["results"]:
        earlier = was[entry["rule"], entry["account_id"], entry["resource_id"]]
        if earlier["compliance"] != "NON_COMPLIANT":
            continue
        status = "fixed" if entry["compliance"] == "COMPLIANT" else "needs a human"
        record.append(_remediation(entry, status))
    record[3] |= {
        "status": "failed",
        "message": "AccessDenied on ec2:RevokeSecurityGroupEgress: a service control policy of the organization forbids it",
    }
    after["remediation"] = record
    after["exceptions"] = [_exception(number, state) for number, state in enumerate(EXCEPTION_STATES)]
    return before, after


#: State, findings accepted, findings that count.
EXCEPTION_STATES = (("in-force", 2, 0), ("expired", 0, 1), ("in-force", 0, 0), ("expires-soon", 1, 0), ("not-yet", 0, 2))


def _exception(number: int, told: tuple[str, int, int]) -> dict[str, Any]:
    state, used, still_open = told
    staging, account = "700000000007", ("700000000007", "800000000008")[number % 2]
    return {
        "rule": ("PCI_LISTENER_TLS_ONLY", "PCI_LOAD_BALANCER_LOG_DELIVERED")[number % 2],
        "accounts": [staging, "800000000008"] if number == 2 else [account],
        "regions": ["eu-west-1"],
        "resource": f"arn:aws:elasticloadbalancing:*:*:listener/app/legacy-terminal-{number}/*",
        "reason": "Terminals of series 4 cannot be updated before they are replaced in March",
        "approver": "Chief information security officer",
        "ticket": f"SEC-{1230 + number}",
        "compensating_control": "Terminals reach the listener through the site VPN only",
        "created": "2026-11-01",
        "expires": "2027-03-31",
        "state": state,
        "used": used,
        "open": still_open,
        "assessed": True,
    }


UNDECIDED = {
    "PCI_ARCHIVE_LIFECYCLE": "Rule 'legacy-waf' of somebody else expires objects after 30 days; decide which rule holds, then run again",
    "PCI_LISTENER_TLS_ONLY": "No HTTPS listener with a certificate to redirect to; add one on port 443, then run again",
    "PCI_LOAD_BALANCER_LOG_DELIVERED": "The bucket policy of card-issuer-log-archive-us-east-1 does not let this account write; extend it first",
    "PCI_PASSWORD_POLICY": "The account's policy is managed by account-baseline 3.2; change it there",
    "PCI_SECURITY_GROUP_EGRESS_LIMITED": "Egress to the internet is in use (flow log: 214 connections in 24 h); state the flow in rdk.json or stop it, then run again",
    "PCI_TRAIL_DELIVERED": "Only the management account can change an organization trail",
}


def _remediation(entry: Mapping[str, Any], status: str) -> dict[str, str]:
    messages = {
        "fixed": "Changed and verified; the state before is kept as evidence",
        "needs a human": UNDECIDED[entry["rule"]],
    }
    names = {
        "PCI_LISTENER_TLS_ONLY": "PciConfig-RedirectListenerToHttps",
        "PCI_SECURITY_GROUP_EGRESS_LIMITED": "PciConfig-LimitSecurityGroupEgress",
        "PCI_PASSWORD_POLICY": "PciConfig-SetPasswordPolicy",
        "PCI_LOAD_BALANCER_LOG_DELIVERED": "PciConfig-EnableLoadBalancerLogs",
        "PCI_ARCHIVE_LIFECYCLE": "PciConfig-SetArchiveLifecycle",
        "PCI_TRAIL_DELIVERED": "PciConfig-RepairTrail",
    }
    return {
        "rule": entry["rule"],
        "account_id": entry["account_id"],
        "region": entry["region"],
        "resource_id": entry["resource_id"],
        "document": names[entry["rule"]],
        "status": status,
        "message": messages[status],
    }


def large(number: int = 50_000) -> dict[str, Any]:
    """Many results: every tenth is non-compliant, resource names fall while ids rise."""
    results = []
    rules = list(RULES)
    accounts = list(ACCOUNTS)
    for position in range(number):
        rule = rules[position % len(rules)]
        results.append(
            {
                "rule": rule,
                "account_id": accounts[position % len(accounts)],
                "region": ("eu-west-1", "us-east-1")[position // 8 % 2],
                "resource_type": "AWS::EC2::SecurityGroup",
                "resource_id": f"sg-{position:017x}",
                "resource_name": f"group-{number - position:06d}",
                "compliance": "NON_COMPLIANT" if position % 10 == 0 else "COMPLIANT",
                "annotation": f"{position % 7} entries; first: tcp {position} to 10.0.0.0/8; tier 'service' allows no such flow; revoke it",
                "requirements": RULES[rule]["requirements"],
                "severity": RULES[rule]["severity"],
                "evaluated_at": "2026-11-23T06:00:00Z",
                "configuration_item_captured_at": "2026-11-23T04:12:00Z",
            }
        )
    return {
        "schema_version": "1",
        "generated_at": "2026-11-23T06:00:00Z",
        "sources": ["large"],
        "accounts": ACCOUNTS,
        "results": results,
    }
