"""Which requirement is covered by what, and what is not, and why: `docs/requirements.md`."""

from __future__ import annotations

from collections.abc import Iterator

from pci_config.catalogue import Catalogue, ManagedRule, RuleEntry
from pci_config.pages.facts import documentation
from pci_config.pages.markdown import code, generated, page, table
from pci_config.requirements import Requirement

CHAPTERS = {
    "1": "Network security controls",
    "2": "Secure configuration",
    "3": "Stored account data",
    "4": "Transmission over open networks",
    "5": "Malicious software",
    "6": "Secure systems and software",
    "7": "Access by need to know",
    "8": "Identities and authentication",
    "10": "Logging and monitoring",
    "11": "Testing of security",
    "12": "Policies and programs",
}
INTRODUCTION = """\
Every requirement that the configuration of AWS can say something about, with the rules that give evidence for it. A compliant
result is evidence for a part of a requirement: nearly all of them also ask for documents, people and operation over time. The
titles are our own short ones, not the standard's sentences; numbers and titles are to be checked against the standard by your
assessor. Requirements that are not listed (physical security, training, contracts, payment page scripts and others) are beyond
what AWS Config sees.
"""


def coverage_page(catalogue: Catalogue) -> str:
    """The page: an overview of all, then each requirement in full."""
    requirements = list(catalogue.requirements.values())
    covered = [covered_by(catalogue, requirement.id) for requirement in requirements]
    bears = [bearing(catalogue, requirement) for requirement in requirements]
    lines = [
        generated("requirements.yaml, managed_rules.yaml and rules/"),
        "# Requirements",
        "",
        INTRODUCTION,
        f"{catalogue.book.standard}.",
        "",
        _totals([(custom or also, managed) for (custom, managed), also in zip(covered, bears, strict=True)]),
        "",
        "## Overview",
        "",
        "In parentheses: rules that carry another number, and whose results bear on this one too.",
        "",
        *table(
            ["4.0.1", "3.2.1", "requirement", "our rules", "managed rules in the packs", "not covered, and why"],
            (_overview(catalogue, requirement) for requirement in requirements),
        ),
    ]
    chapter = ""
    for requirement in requirements:
        if requirement.id.split(".")[0] != chapter:
            chapter = requirement.id.split(".")[0]
            lines += ["", f"## {chapter} {CHAPTERS[chapter]}"]
        lines += ["", *_section(catalogue, requirement)]
    lines += ["", "## Numbers that are easily mistaken", "", "A test keeps our rules off them.", ""]
    lines += table(
        ["number", "version", "is about", "meant instead", "who may not carry it"],
        (
            (m.number, m.version, m.about, m.instead, code(m.rules) if m.rules else "any rule" + _unless(m.unless))
            for m in catalogue.book.misnomers
        ),
    )
    return page(lines)


def _totals(counts: list[tuple[list[RuleEntry], list[ManagedRule]]]) -> str:
    own = sum(bool(custom) for custom, _ in counts)
    aws = sum(bool(managed) and not custom for custom, managed in counts)
    return (
        f"Of {len(counts)} requirements, {own} have rules of our own, {aws} only AWS managed rules of the packs, and "
        f"{len(counts) - own - aws} no rule; each section says why."
    )


def covered_by(catalogue: Catalogue, number: str) -> tuple[list[RuleEntry], list[ManagedRule]]:
    """Custom and managed rules that carry this very number."""
    return (
        [entry for entry in catalogue.rules.values() if number in entry.requirements["4.0.1"]],
        [rule for rule in catalogue.managed_rules.values() if number in rule.requirements["4.0.1"]],
    )


def bearing(catalogue: Catalogue, requirement: Requirement) -> list[RuleEntry]:
    """Rules of our own whose results bear on a requirement without carrying its number."""
    custom, _ = covered_by(catalogue, requirement.id)
    named = [catalogue.rules[name] for name in requirement.custom_rules if name in catalogue.rules]
    return [entry for entry in named if entry not in custom]


def not_covered(catalogue: Catalogue, requirement: Requirement) -> str:
    """Why there is no rule of our own (or no more of it), where that needs saying."""
    if requirement.no_rule:
        return requirement.no_rule
    custom, _ = covered_by(catalogue, requirement.id)
    return "" if custom or bearing(catalogue, requirement) else "There is no rule of our own yet."


def _unless(rules: tuple[str, ...]) -> str:
    return f" but {code(rules)}, if it judges those too" if rules else ""


def _overview(catalogue: Catalogue, requirement: Requirement) -> tuple[str, ...]:
    custom, managed = covered_by(catalogue, requirement.id)
    bears = bearing(catalogue, requirement)
    return (
        f"[{requirement.id}](#{requirement.id})",
        ", ".join(requirement.predecessors) or "-",
        requirement.title,
        ", ".join([*map(_custom, custom), *(f"({_custom(entry)})" for entry in bears)]) or "-",
        code(rule.id for rule in managed),
        not_covered(catalogue, requirement),
    )


def _section(catalogue: Catalogue, requirement: Requirement) -> Iterator[str]:
    custom, managed = covered_by(catalogue, requirement.id)
    bears = bearing(catalogue, requirement)
    others = [name for name in requirement.managed_rules if name not in catalogue.managed_rules]
    before = f"3.2.1: {', '.join(requirement.predecessors)}" if requirement.predecessors else "new in 4.0"
    dated = f"; in force since {requirement.in_force}" if requirement.in_force else ""
    yield f'<a id="{requirement.id}"></a>'
    yield ""
    yield f"### {requirement.id} {requirement.title}"
    yield ""
    yield f"({before}{dated})"
    yield ""
    yield f"- **Configuration can show:** {requirement.checks}"
    if custom:
        yield f"- **Our rules:** {', '.join(_custom(entry) for entry in custom)}"
    if bears:
        yield f"- **Bear on it too:** {', '.join(_custom(entry) for entry in bears)}"
    if requirement.why_custom:
        missing = "" if custom or bears else " There is no such rule yet."
        yield f"- **Why a rule of our own:** {requirement.why_custom.rstrip('.')}.{missing}"
    if requirement.no_rule:
        yield f"- **{'Why no more rules' if custom else 'Why no rule of our own'}:** {requirement.no_rule}"
    if managed:
        yield f"- **Managed rules in the packs:** {', '.join(f'[{rule.id}]({documentation(rule)})' for rule in managed)}"
    if others:
        yield f"- **AWS has also,** not in the packs: {code(others)}"
    yield f"- **A compliant result does not prove:** {requirement.evidence_limits}"
    if requirement.ask_the_assessor:
        yield f"- **Ask your assessor:** {requirement.ask_the_assessor}"


def _custom(entry: RuleEntry) -> str:
    return f"[{entry.id}](rules/{entry.id}.md)"
