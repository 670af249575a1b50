"""The index of all rules: `docs/rules/README.md` and `pci-config rules export --format markdown`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pci_config.catalogue import Catalogue, ManagedRule
from pci_config.pages.facts import REGION_SCOPES, RuleFacts, documentation, trigger
from pci_config.pages.markdown import code, page, table
from pci_config.rdk_json import RdkJson


def index_page(
    catalogue: Catalogue,
    facts: Iterable[RuleFacts],
    managed_parameters: Mapping[str, Mapping[str, str]],
    link: Callable[[str], str],
    head: str = "",
) -> str:
    """The index. `link` makes a rule's id a link to its page."""
    custom = sorted(facts, key=lambda rule: rule.id)
    lines = [head] if head else []
    lines += [
        "# Rules",
        "",
        "A result is evidence for a part of a requirement, never more; each page says what it does not prove.",
        "",
    ]
    lines += [f"## Custom rules ({len(custom)})", ""]
    lines += table(
        ["rule", "what it demands", "4.0.1", "severity", "runs on", "runs in", "fix"],
        (
            (
                link(rule.id),
                rule.summary,
                ", ".join(rule.requirements["4.0.1"]),
                rule.severity,
                trigger(rule),
                REGION_SCOPES[rule.region_scope],
                ", ".join(fix.document for fix in rule.fixes) or "-",
            )
            for rule in custom
        ),
    )
    lines += ["", f"## AWS managed rules in the packs ({len(catalogue.managed_rules)})", ""]
    lines += ["Only those whose logic is adequate. Numbers as in the requirements; none means a baseline.", ""]
    lines += table(
        ["rule", "decides", "does not see", "4.0.1", "parameters", "runs in"],
        (_managed(rule, managed_parameters.get(rule.id, {})) for rule in catalogue.managed_rules.values()),
    )
    return page(lines)


def managed_parameters(rdk_json: RdkJson | None) -> Mapping[str, Mapping[str, str]]:
    return rdk_json.managed_rules if rdk_json else {}


def _managed(rule: ManagedRule, given: Mapping[str, str]) -> tuple[str, ...]:
    return (
        f"[{rule.id}]({documentation(rule)})",
        rule.why_adequate,
        rule.known_gap,
        ", ".join(rule.requirements["4.0.1"]) or "-",
        code(f"{name}={value}" for name, value in {**rule.parameters, **given}.items()),
        REGION_SCOPES[rule.region_scope],
    )
