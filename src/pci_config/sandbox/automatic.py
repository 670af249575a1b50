"""Automatic remediation: Config starts a rule's document on NON_COMPLIANT resources, and stops after too many attempts.

Source: Config API reference, RemediationConfiguration (MaximumAutomaticAttempts, RetryAttemptSeconds) and
PutRemediationExceptions: when that many attempts were made within the time, Config itself puts a remediation exception.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pci_config.sandbox.config_service import ConfigState

DEFAULT_ATTEMPTS, DEFAULT_SECONDS = 5, 60  # RemediationConfiguration


def remediate(state: ConfigState, start: Callable[[str, dict[str, str]], Any], now: datetime) -> int:
    """Start what is due; returns how many executions were started.

    `start(rule name, resource key)` runs the remediation, as StartRemediationExecution does.
    """
    started = 0
    for rule_name, remediation in state.remediations.items():
        if not remediation.get("Automatic"):
            continue
        for found in state.evaluations.results(rule_name, ["NON_COMPLIANT"]):
            key = rule_name, found.resource_type, found.resource_id
            if key in state.remediation_exceptions:
                continue
            window = timedelta(seconds=remediation.get("RetryAttemptSeconds", DEFAULT_SECONDS))
            recent = [moment for moment in state.attempts.get(key, []) if now - moment < window]
            if len(recent) >= remediation.get("MaximumAutomaticAttempts", DEFAULT_ATTEMPTS):
                state.remediation_exceptions.add(key)
                continue
            state.attempts[key] = [*recent, now]
            start(rule_name, {"resourceType": found.resource_type, "resourceId": found.resource_id})
            started += 1
    return started
