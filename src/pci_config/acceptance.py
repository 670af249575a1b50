"""Exceptions in Lambda: a finding that one in force covers is reported as NOT_APPLICABLE, with the exception's text.

AWS Config knows no EXCEPTED, and COMPLIANT would be untrue. The day is that of the notification, not of the clock.

Runs in Lambda: standard library and rdklib.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import UTC, date
from typing import Any

from rdklib.evaluation import ComplianceType, Evaluation

from pci_config.exceptions import ExceptionEntry, ExceptionRegister
from pci_config.rule import PciRule, bounded, parse_time

Event = Mapping[str, Any]


@functools.cache
def bundled_exceptions() -> ExceptionRegister:
    """Those built into the function, read once and kept across warm invocations."""
    return ExceptionRegister.bundled()


def accept(
    rule: PciRule, event: Event, invoking_event: Event, evaluation: Evaluation, item: Mapping[str, Any] | None
) -> Evaluation:
    """The same evaluation, changed when an exception in force covers it, and one line for the log group then."""
    if evaluation.complianceType != ComplianceType.NON_COMPLIANT:
        return evaluation
    entry = exception_for(rule, event, invoking_event, evaluation.complianceResourceId, item)
    if entry:
        evaluation.complianceType = ComplianceType.NOT_APPLICABLE
        evaluation.annotation = bounded(entry.accepted(evaluation.annotation or ""))
        line = {
            "level": "INFO",
            "message": "exception applied",
            "rule": rule.rule_id(),
            "config_rule": event.get("configRuleName"),
            "account_id": event["accountId"],
            "resource_type": evaluation.complianceResourceType,
            "resource_id": evaluation.complianceResourceId,
            "ticket": entry.ticket,
            "approver": entry.approver,
            "expires": str(entry.expires),
        }
        print(json.dumps(line))
    return evaluation


def exception_for(
    rule: PciRule, event: Event, invoking_event: Event, resource_id: str, item: Mapping[str, Any] | None
) -> ExceptionEntry | None:
    """The exception in force that names the resource. `item` is its configuration item, where there is one."""
    if not bundled_exceptions().of_rules([rule.rule_id()]).entries:
        return None
    # the rule's own Region, since not every item has one: users and distributions are excepted where they are judged
    place, arn = (str(event["accountId"]), _region(event)), (item or {}).get("ARN")
    return bundled_exceptions().match(rule.rule_id(), *place, resource_id, arn, _day(invoking_event))


def exceptions_in_force(rule: PciRule, event: Event, invoking_event: Event) -> ExceptionRegister:
    """Those of the rule that can accept something here on the day of the notification."""
    entries = bundled_exceptions().of_rules([rule.rule_id()]).entries
    return ExceptionRegister(
        tuple(
            entry
            for entry in entries
            if entry.created <= _day(invoking_event) <= entry.expires
            and event["accountId"] in entry.accounts
            and _region(event) in entry.regions
        )
    )


def _region(event: Event) -> str:
    return str(event["configRuleArn"].split(":")[3])


def _day(invoking_event: Event) -> date:
    """The day of the notification, in UTC; one that comes late is judged by its own day."""
    return parse_time(str(invoking_event.get("notificationCreationTime"))).astimezone(UTC).date()
