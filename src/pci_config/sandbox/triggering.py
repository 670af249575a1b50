"""Triggers rules as AWS Config does: the real events, for changed items and for schedules, invoked through a runtime.

Source: Config developer guide, "Example AWS Lambda events for AWS Config rules".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pci_config.sandbox.config_service import ConfigState
from pci_config.sandbox.recorder import current_items
from pci_config.sandbox.runtime import FunctionError, Runtime

OVERSIZED_BYTES = 256 * 1024  # of the notification; the limit of the message queue behind it. Adjustable for tests.
RECORDER_ROLE = "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
SUMMARY = (
    "configurationItemVersion", "configurationItemCaptureTime", "configurationStateId", "awsAccountId",
    "configurationItemStatus", "resourceType", "resourceId", "resourceName", "ARN", "awsRegion", "availabilityZone",
    "configurationStateMd5Hash", "resourceCreationTime",
)  # fmt: skip


@dataclass
class Tally:
    """What a round of triggering did."""

    invocations: int = 0
    errors: int = 0
    managed_rules: int = 0  # AWS's own logic is not imitated: these are deployed but not evaluated here


class Trigger:
    """Rules of one account and Region."""

    def __init__(
        self,
        runtime: Runtime,
        account_id: str,
        region: str,
        state: ConfigState,
        rules: Iterable[Mapping[str, Any]],
        oversized_bytes: int = OVERSIZED_BYTES,
    ) -> None:
        self._runtime, self._account_id, self._region, self._state = runtime, account_id, region, state
        self._rules = list(rules)
        self._oversized_bytes = oversized_bytes

    def changes(self, items: Iterable[Mapping[str, Any]]) -> Tally:
        """Invoke every change-triggered rule in scope for every changed item, and the rules marked for a new evaluation
        (StartConfigRulesEvaluation) for every item that exists."""
        tally = self._tally()
        marked, self._state.to_evaluate = self._state.to_evaluate, set()
        changed = list(items)
        ids = {(item["resourceType"], item["resourceId"]) for item in changed}
        others = [item for item in current_items(self._state) if (item["resourceType"], item["resourceId"]) not in ids]
        for item, only in [(item, None) for item in changed] + [(item, marked) for item in others]:
            for rule in self._custom_rules():
                if only is not None and rule["ConfigRuleName"] not in only:
                    continue
                types = (rule.get("Scope") or {}).get("ComplianceResourceTypes") or []
                messages = {detail["MessageType"] for detail in rule["Source"].get("SourceDetails", [])}
                invoking_event, message = self._notification(item)
                if item["resourceType"] in types and message in messages:
                    self._invoke(rule, invoking_event, tally)
        return tally

    def schedules(self) -> Tally:
        """Invoke every periodic rule once."""
        tally = self._tally()
        for rule in self._custom_rules():
            messages = {detail["MessageType"] for detail in rule["Source"].get("SourceDetails", [])}
            if "ScheduledNotification" in messages:
                event = {
                    "awsAccountId": self._account_id,
                    "notificationCreationTime": _now(),
                    "messageType": "ScheduledNotification",
                    "recordVersion": "1.0",
                }
                self._invoke(rule, event, tally)
        return tally

    def _tally(self) -> Tally:
        return Tally(managed_rules=sum(rule["Source"]["Owner"] == "AWS" for rule in self._rules))

    def _custom_rules(self) -> list[Mapping[str, Any]]:
        return [rule for rule in self._rules if rule["Source"]["Owner"] == "CUSTOM_LAMBDA"]

    def _notification(self, item: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        event: dict[str, Any] = {"notificationCreationTime": _now()}
        if len(json.dumps(item)) <= self._oversized_bytes:
            event |= {"configurationItemDiff": None, "configurationItem": item, "recordVersion": "1.3"}
            event["messageType"] = "ConfigurationItemChangeNotification"
        else:
            summary = {"changeType": "UPDATE", **{name: item[name] for name in SUMMARY}}
            event |= {"configurationItemSummary": summary, "recordVersion": "1.0"}
            event["messageType"] = "OversizedConfigurationItemChangeNotification"
        return event, str(event["messageType"])

    def _invoke(self, rule: Mapping[str, Any], invoking_event: Mapping[str, Any], tally: Tally) -> None:
        name = rule["ConfigRuleName"]
        event = {
            "version": "1.0",
            "invokingEvent": json.dumps(invoking_event),
            "ruleParameters": rule.get("InputParameters") or "{}",
            "resultToken": self._state.evaluations.token_for(name, datetime.now(UTC)),
            "eventLeftScope": False,
            "executionRoleArn": f"arn:aws:iam::{self._account_id}:role/{RECORDER_ROLE}",
            "configRuleArn": f"arn:aws:config:{self._region}:{self._account_id}:config-rule/{rule['ConfigRuleId']}",
            "configRuleName": name,
            "configRuleId": rule["ConfigRuleId"],
            "accountId": self._account_id,
            "evaluationMode": "DETECTIVE",
        }
        function = rule["Source"]["SourceIdentifier"].split(":function:")[1]
        tally.invocations += 1
        try:
            self._runtime.invoke(function, self._account_id, self._region, event)
        except FunctionError as error:
            tally.errors += 1
            self._state.last_errors[name] = str(error)


def _now() -> str:
    now = datetime.now(UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
