"""The page of one rule, in Markdown: `docs/rules/PCI_X.md` and `pci-config rules show PCI_X`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pci_config.catalogue import VERSIONS, ManagedRule
from pci_config.pages.facts import REGION_SCOPES, RuleFacts, documentation, trigger
from pci_config.pages.markdown import code, page, table
from pci_config.requirements import RequirementBook


def rule_page(facts: RuleFacts, book: RequirementBook, links: Mapping[str, str], head: str = "") -> str:
    """The page. `links` says where things are: `requirements`, `rule`, `test`, `metadata`, and each
    fix by its document's name; `head` goes first."""
    lines = [head] if head else []
    lines += [f"# {facts.id}", "", facts.summary, ""]
    (first, *rest) = _overview(facts)
    lines += table(first, rest)
    lines += ["", "## Decision", "", facts.decision, "", "## Requirements", ""]
    lines += table(["4.0.1", "requirement", "what a compliant result does not prove"], _requirements(facts, book, links))
    lines += ["", f"Numbers in 3.2.1: {', '.join(facts.requirements['3.2.1']) or 'none'}.", "", "## Parameters", ""]
    lines += list(_parameters(facts))
    lines += ["", "## Beyond the item", "", *_lookups(facts)]
    lines += ["", "## From a snapshot", "", snapshot_text(facts), "", "## Fix", "", *_fix(facts, links)]
    lines += ["", "## Where it is", "", *_files(facts, links)]
    return page(lines)


FILES = ("decision", "tests", "metadata")


def managed_page(rule: ManagedRule, given: Mapping[str, str], book: RequirementBook) -> str:
    """The page of an AWS managed rule of the packs."""
    values = {**rule.parameters, **given}
    lines = [f"# {rule.id}", "", f"AWS managed rule, in the packs as `{rule.config_rule_name}`. {documentation(rule)}", ""]
    lines += table(
        ["decides", rule.why_adequate],
        [
            ("does not see", rule.known_gap),
            ("runs in", REGION_SCOPES[rule.region_scope]),
            ("parameters", code(f"{name}={value}" for name, value in values.items())),
            ("takes", code(f"{name} ({kind})" for name, kind in rule.accepts.items())),
            *((f"PCI DSS {version}", ", ".join(rule.requirements[version]) or "none") for version in VERSIONS),
        ],
    )
    lines += [""]
    lines += [f"- {number} {book.requirements[number].title}" for number in rule.requirements["4.0.1"]]
    return page(lines)


def snapshot_text(facts: RuleFacts) -> str:
    """What `pci-config assess --snapshot` can tell of this rule, derived from its lookups."""
    if not facts.resource_types:
        readable = [lookup for lookup in facts.lookups if lookup.in_snapshot]
        if facts.lookups and len(readable) == len(facts.lookups):
            return f"Judged, when the snapshot holds {_types(readable)}."
        return "Not assessed: the rule reads the account itself. Use `pci-config assess --account`."
    if not facts.lookups:
        sentences = ["Judged in full: the item says everything."]
    else:
        recorded = [lookup for lookup in facts.lookups if lookup.in_snapshot]
        live = [lookup for lookup in facts.lookups if not lookup.in_snapshot]
        sentences = ["Judged as far as the item itself decides."]
        if recorded:
            names = code(lookup.name for lookup in recorded)
            sentences.append(f"{names} {_verb(recorded)} answered by other items, when the snapshot holds {_types(recorded)}.")
        if live:
            names = code(lookup.name for lookup in live)
            sentences.append(f"{names} {_verb(live)} in no snapshot: items that need {_them(live)} are not assessed.")
    if facts.judges_accounts:
        sentences.append("The account as a whole is not assessed, unless the answers above are enough.")
    return " ".join(sentences)


def _types(lookups: list[Any]) -> str:
    return code(sorted({name for lookup in lookups for name in lookup.resource_types}))


def _verb(lookups: list[Any]) -> str:
    return "is" if len(lookups) == 1 else "are"


def _them(lookups: list[Any]) -> str:
    return "it" if len(lookups) == 1 else "them"


def _overview(facts: RuleFacts) -> Iterator[tuple[str, str]]:
    for version in VERSIONS:
        yield f"PCI DSS {version}", ", ".join(facts.requirements[version]) or "none"
    yield "severity", facts.severity
    yield "runs on", trigger(facts)
    yield "runs in", REGION_SCOPES[facts.region_scope]
    yield "fix", ", ".join(fix.document for fix in facts.fixes) or "none"


def _requirements(facts: RuleFacts, book: RequirementBook, links: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for number in facts.requirements["4.0.1"]:
        requirement = book.requirements[number]
        where = links.get("requirements")
        title = requirement.title + (f"; in force since {requirement.in_force}" if requirement.in_force else "")
        yield f"[{number}]({where}#{number})" if where else number, title, requirement.evidence_limits


def _parameters(facts: RuleFacts) -> Iterator[str]:
    if not facts.parameters:
        yield "None."
        return
    yield from table(
        ["parameter", "means", "takes", "default", "rdk.json"],
        (
            (
                f"`{p.name}`",
                p.meaning,
                p.expected,
                f"`{p.default}`" if p.default else "empty",
                f"`{p.value}`" if p.value else "-",
            )
            for p in facts.parameters
        ),
    )
    yield ""
    yield f'Set them in `rdk.json`: `"RuleParameters": {{"{facts.id}": {{"{facts.parameters[0].name}": "…"}}}}`.'


def _lookups(facts: RuleFacts) -> Iterator[str]:
    if not facts.lookups:
        yield "Nothing: the item and the settings decide. No IAM action but `config:PutEvaluations`."
        return
    yield from table(
        ["asks for", "IAM actions", "in a snapshot"],
        ((f"`{f.name}`: {f.about}", code(f.actions), code(f.resource_types) if f.in_snapshot else "no") for f in facts.lookups),
    )


def _fix(facts: RuleFacts, links: Mapping[str, str]) -> Iterator[str]:
    if not facts.fixes:
        yield "None: what is right here is a decision of people. The annotation says what to do."
    for position, fix in enumerate(facts.fixes):
        document = _link(links[fix.document], fix.document) if fix.document in links else f"`{fix.document}`"
        if position:
            yield ""
        if fix == facts.remediation:
            yield f"Automation document {document}, started by hand unless rdk.json says otherwise. {_automatic(facts)}"
        else:
            yield f"Automation document {document}, started by hand: AWS Config knows one fix for each rule at most."
        yield ""
        yield from table(["parameter", "value"], ((f"`{name}`", _value(value)) for name, value in fix.parameters.items()))


def _automatic(facts: RuleFacts) -> str:
    if isinstance(facts.automatic_allowed, Mapping):
        demanded = ", ".join(f"{name} {value}" for name, value in facts.automatic_allowed.items())
        return f"It may be automatic with {demanded} only."
    return "It may be automatic." if facts.automatic_allowed else "To make it automatic takes a written opt-in."


def _files(facts: RuleFacts, links: Mapping[str, str]) -> Iterator[str]:
    for what in FILES:
        if what in links:
            yield f"- {what}: {_link(links[what])}"
    for fix in facts.fixes:
        if fix.document in links:
            yield f"- document: {_link(links[fix.document])}"


def _value(value: Mapping[str, Any]) -> str:
    if "ResourceValue" in value:
        return "the id of the resource"
    return code(str(text) for text in value.get("StaticValue", {}).get("Values", []))


def _link(where: str, name: str = "") -> str:
    shown = name or where.rpartition("/")[2]
    return f"[{shown}]({where})" if where.startswith("../") else f"`{where}`"
