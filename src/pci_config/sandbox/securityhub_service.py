"""Adds to moto's Security Hub its standards (offered, enabled, to enable and to disable) and the tags of the hub.

Source: AWS Security Hub API reference and user guide, standards reference. A subscription is READY at once where AWS Config's
recorder is on, and INCOMPLETE where it is not, as Security Hub CSPM needs it. Whether DescribeStandards answers where Security
Hub is off is not documented: here it does when a test said so by `list_while_off`.
"""

from __future__ import annotations

import json
from typing import Any

from moto.config.models import config_backends
from moto.securityhub import urls
from moto.securityhub.models import securityhub_backends
from moto.securityhub.responses import SecurityHubResponse

STANDARDS = (
    "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0",
    "arn:aws:securityhub:{region}::standards/cis-aws-foundations-benchmark/v/1.4.0",
    "arn:aws:securityhub:{region}::standards/cis-aws-foundations-benchmark/v/3.0.0",
    "arn:aws:securityhub:{region}::standards/cis-aws-foundations-benchmark/v/5.0.0",
    "arn:aws:securityhub:{region}::standards/aws-foundational-security-best-practices/v/1.0.0",
    "arn:aws:securityhub:{region}::standards/pci-dss/v/3.2.1",
    "arn:aws:securityhub:{region}::standards/pci-dss/v/4.0.1",
)


def install() -> None:
    """Teach moto the actions of this module, before its first call. Installing again changes nothing."""
    for action in (
        describe_standards,
        get_enabled_standards,
        batch_enable_standards,
        batch_disable_standards,
        disable_security_hub,
        list_tags_for_resource,
    ):
        setattr(SecurityHubResponse, action.__name__, action)
    for path in ("standards", "standards/get", "standards/register", "standards/deregister", "tags/(?P<arn>.+)"):
        urls.url_paths[f"{{0}}/{path}$"] = SecurityHubResponse.dispatch


def list_while_off(account: str, region: str) -> None:
    """DescribeStandards answers there although Security Hub is off."""
    securityhub_backends[account][region].__dict__["sandbox_lists_while_off"] = True


def _subscriptions(self: Any) -> dict[str, dict[str, Any]]:
    self.securityhub_backend.describe_hub()  # refuses where Security Hub is off
    found: dict[str, dict[str, Any]] = self.securityhub_backend.__dict__.setdefault("sandbox_standards", {})
    return found


def describe_standards(self: Any) -> str:
    if "sandbox_lists_while_off" not in self.securityhub_backend.__dict__:
        _subscriptions(self)
    offered = [{"StandardsArn": arn.format(region=self.region), "Name": arn.split("/", 1)[1]} for arn in STANDARDS]
    return json.dumps({"Standards": offered})


def get_enabled_standards(self: Any) -> str:
    return json.dumps({"StandardsSubscriptions": list(_subscriptions(self).values())})


def batch_enable_standards(self: Any) -> str:
    known = _subscriptions(self)
    requested = json.loads(self.body)["StandardsSubscriptionRequests"]
    recorders = config_backends[self.current_account][self.region].recorders.values()
    recording = any(recorder.status.recording for recorder in recorders)
    for entry in requested:
        arn = entry["StandardsArn"]
        name = arn.split("/", 1)[1]
        known[arn] = {
            "StandardsSubscriptionArn": f"arn:aws:securityhub:{self.region}:{self.current_account}:subscription/{name}",
            "StandardsArn": arn,
            "StandardsInput": entry.get("StandardsInput") or {},
            "StandardsStatus": "READY" if recording else "INCOMPLETE",
            **({} if recording else {"StandardsStatusReason": {"StatusReasonCode": "NO_AVAILABLE_CONFIGURATION_RECORDER"}}),
        }
    return json.dumps({"StandardsSubscriptions": [known[entry["StandardsArn"]] for entry in requested]})


def batch_disable_standards(self: Any) -> str:
    known = _subscriptions(self)
    arns = json.loads(self.body)["StandardsSubscriptionArns"]
    gone = [known.pop(arn) for arn, held in list(known.items()) if held["StandardsSubscriptionArn"] in arns]
    return json.dumps({"StandardsSubscriptions": [{**held, "StandardsStatus": "DELETING"} for held in gone]})


def disable_security_hub(self: Any) -> str:
    self.securityhub_backend.disable_security_hub()
    self.securityhub_backend.__dict__.pop("sandbox_standards", None)
    return json.dumps({})


def list_tags_for_resource(self: Any) -> str:
    hub = self.securityhub_backend.describe_hub()
    return json.dumps({"Tags": hub["Tags"]})
