"""Which fixes AWS Config may start by itself: what rdk.json asks for, held against what the rule's own folder allows.

Manual is the default. A fix that can cut traffic, access or data is automatic only with a written opt-in in rdk.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pci_config.catalogue import Catalogue, CatalogueError, RuleEntry
from pci_config.rdk_json import RdkJson, RuleRemediationModel

AUTOMATIC = "automatic"
NOT_SETTABLE = ("AutomationAssumeRole", "DryRun", "EvidenceBucket")  # these come from Mode, EvidenceBucket and the account
OPT_IN = "IUnderstandThisCanCutTraffic"
_MANUAL = RuleRemediationModel()


@dataclass(frozen=True)
class Start:
    """How a rule's fix is started. `parameters` are rdk.json's own values for the document's parameters."""

    automatic: bool
    maximum_automatic_attempts: int
    retry_attempt_seconds: int
    parameters: Mapping[str, str]

    @property
    def dry_run(self) -> str:
        """The document's parameter in the pack. A start by hand from the console lists the calls first."""
        return "false" if self.automatic else "true"


def start_of(entry: RuleEntry, rdk_json: RdkJson) -> Start:
    """How AWS Config is to start the rule's remediation, which must have one. `check` has found no fault."""
    remediation = entry.remediation
    assert remediation is not None  # noqa: S101 - the caller asked
    asked = rdk_json.remediation.rules.get(entry.id, _MANUAL)
    return Start(
        asked.mode == AUTOMATIC,
        asked.maximum_automatic_attempts or remediation.maximum_automatic_attempts,
        asked.retry_attempt_seconds or remediation.retry_attempt_seconds,
        asked.parameters,
    )


def check(catalogue: Catalogue, rdk_json: RdkJson, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises CatalogueError with a line for each field of Remediation.Rules that cannot be used."""
    faults = [
        f"{rdk_json.path}: Remediation.Rules.{rule_id}{fault}"
        for rule_id, asked in rdk_json.remediation.rules.items()
        for fault in _faults(rule_id, asked, catalogue, rdk_json, documents)
    ]
    if faults:
        raise CatalogueError("\n".join(faults))


def _faults(
    rule_id: str,
    asked: RuleRemediationModel,
    catalogue: Catalogue,
    rdk_json: RdkJson,
    documents: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    entry = catalogue.rules.get(rule_id)
    if entry is None:
        yield ": no rule of that name; `pci-config rules list` shows them"
        return
    if asked.understood not in (None, rule_id):
        yield f".{OPT_IN}: {asked.understood!r} is not valid; expected the rule's own name, {rule_id!r}"
    if entry.remediation is None:
        if asked.mode == AUTOMATIC or asked.parameters:
            yield ": the rule has no remediation: AWS Config can start nothing"
        return
    declared = documents.get(entry.remediation.document, {}).get("parameters", {})
    resource = entry.remediation.resource_parameter
    settable = [name for name in declared if name not in (*NOT_SETTABLE, resource, *entry.parameters)]
    for name, value in asked.parameters.items():
        if name in entry.parameters:
            yield f".Parameters.{name}: set RuleParameters.{rule_id}.{name} instead: the fix must ask what the rule asks"
        elif name not in settable:
            yield f".Parameters.{name}: no parameter to set here; expected one of {', '.join(settable) or 'none'}"
        elif not _accepted(value, declared[name]):
            expected = declared[name].get("allowedValues") or declared[name]["allowedPattern"]
            yield f".Parameters.{name}: {value!r} is not valid; {entry.remediation.document} accepts {expected}"
    if asked.mode == AUTOMATIC:
        yield from _automatic_faults(rule_id, asked, entry, rdk_json)


def _automatic_faults(rule_id: str, asked: RuleRemediationModel, entry: RuleEntry, rdk_json: RdkJson) -> Iterator[str]:
    remediation = entry.remediation
    assert remediation is not None  # noqa: S101 - the caller asked
    if rdk_json.evidence_bucket is None:
        yield ".Mode: 'automatic' needs Remediation.EvidenceBucket: without a record of the state before, nothing is changed"
    if asked.parameters.get("AllowManaged", "false") != "false":
        yield ".Parameters.AllowManaged: not with Mode 'automatic': the fix and the template would undo each other for ever"
    allowed = entry.automatic_allowed
    if isinstance(allowed, Mapping):
        for name, value in allowed.items():
            given = asked.parameters.get(name, _static(remediation.parameters.get(name)))
            if given != value:
                is_now = "not given" if given is None else repr(given)
                yield f".Parameters.{name}: is {is_now}; expected {value!r}: {rule_id} may be automatic in no other way"
    elif not allowed and asked.understood != rule_id:
        yield (
            f".Mode: 'automatic' is not valid; expected 'manual': {remediation.document} can cut traffic, access or data. If "
            f'it is to run by itself all the same, write "{OPT_IN}": "{rule_id}" beside it'
        )


def _accepted(value: str, declared: Mapping[str, Any]) -> bool:
    if "allowedValues" in declared:
        return value in declared["allowedValues"]
    return re.search(declared.get("allowedPattern", ""), value) is not None


def _static(value: Mapping[str, Any] | None) -> str | None:
    values = (value or {}).get("StaticValue", {}).get("Values", [])
    return str(values[0]) if len(values) == 1 else None
