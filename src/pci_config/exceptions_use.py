"""What became of every entry of the register in an assessment: in force or over, and how many findings it accepts.

An entry is called unused only where it could have been used: its rule was asked in every account and Region that it lists.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pci_config.assess import Assessment, Judge, deployed_in
from pci_config.catalogue import RuleEntry
from pci_config.exceptions import ExceptionEntry, ExceptionRegister

Place = tuple[str, str, str]  # rule, account, Region


def entries_of_assessment(judge: Judge, assessment: Assessment) -> list[dict[str, Any]]:
    """The member `exceptions` of the results document."""
    results = [
        {"rule": r.rule, "account_id": r.account_id, "region": r.region, "compliance": r.compliance, "named_by": r.named_by}
        for r in assessment.results
    ]
    everywhere = {(entry.id, *place) for entry in judge.entries for place in assessment.places}
    rules = {entry.id: entry for entry in judge.entries}
    return _described(judge.exceptions, results, everywhere, rules, judge.settings.home_region, judge.now.date())


def entries_of_document(
    register: ExceptionRegister, document: Mapping[str, Any], rules: Mapping[str, RuleEntry], home_region: str
) -> list[dict[str, Any]]:
    """The same for a results document that was written before; what it says of an entry itself counts most."""
    day = datetime.fromisoformat(document["generated_at"]).date()
    results = []
    for result in (each for each in document["results"] if each["rule"] in rules):
        found = result["compliance"] in ("NON_COMPLIANT", "EXCEPTED")
        region = deployed_in(rules[result["rule"]], result["region"], home_region)
        subject = result["rule"], result["account_id"], region, result["resource_id"], None
        named_by = [n for n, entry in enumerate(register.entries) if found and entry.names(*subject)]
        results.append({**result, "named_by": named_by})
    described = _described(register, results, (), rules, home_region, day)
    stated = {_identity(entry): entry for entry in document.get("exceptions") or []}
    for entry in described:
        told = stated.get(_identity(entry), {})
        entry |= {name: told[name] for name in ("used", "open", "assessed") if name in told}
    return described


def _identity(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(name)) for name in ExceptionEntry.__slots__)


def _described(
    register: ExceptionRegister,
    results: Sequence[Mapping[str, Any]],
    everywhere: Collection[Place],
    rules: Mapping[str, RuleEntry],
    home_region: str,
    day: date,
) -> list[dict[str, Any]]:
    seen: set[Place] = set(everywhere)
    unclear: set[Place] = set()
    for result in results:
        region = deployed_in(rules[result["rule"]], result["region"], home_region)
        place = result["rule"], result["account_id"], region
        (unclear if result["compliance"] in ("NOT_ASSESSED", "ERROR") else seen).add(place)
    described = []
    for number, entry in enumerate(register.entries):
        places = {(entry.rule, account, region) for account in entry.accounts for region in entry.regions}
        mine = [result["compliance"] for result in results if number in result["named_by"]]
        described.append(
            {
                **entry.as_json(),
                "state": entry.state(day),
                "used": mine.count("EXCEPTED") if entry.created <= day <= entry.expires else 0,
                "open": mine.count("NON_COMPLIANT"),
                "assessed": entry.rule in rules and places <= seen - unclear,
            }
        )
    return described
