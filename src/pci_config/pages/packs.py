"""How much of AWS Config's limits the packs use: `docs/packs.md`."""

from __future__ import annotations

from collections.abc import Mapping

from pci_config.pack_limits import MAX_TEMPLATE_BYTES, TEMPLATE_BODY, delivery, rules_of_all, uses
from pci_config.pages.markdown import generated, page, table


def packs_page(texts: Mapping[str, str]) -> str:
    """The page; `texts` are the packs' templates by file name."""
    found = {name: uses(text) for name, text in texts.items()}
    (first, *_) = found.values()
    lines = [generated("the packs"), "# Packs and their limits", ""]
    lines += ["What each generated pack uses of what AWS Config takes. The build stops at a limit, before AWS does.", ""]
    lines += table(
        ["limit", "AWS takes", *(f"{name}: used" for name in found), "least free"],
        (
            (
                use.what,
                f"{use.limit:,}",
                *(f"{uses_of[position].used:,}" for uses_of in found.values()),
                f"{min(uses_of[position].free for uses_of in found.values()):,}",
            )
            for position, use in enumerate(first)
        ),
    )
    together = rules_of_all(texts.values())
    lines += ["", f"In the home Region an account has the rules of both packs: {together.used} of {together.limit}."]
    lines += ["That is AWS's limit for packs of single accounts; organization packs may have 350 together.", ""]
    for name, text in texts.items():
        size = len(text.encode())
        way = "fits into the request" if delivery(text) == TEMPLATE_BODY else "goes by way of a bucket"
        lines += [f"- `{name}`: {size:,} bytes; a request takes {MAX_TEMPLATE_BYTES:,}: it {way} (`{delivery(text)}`)."]
    lines += [
        "",
        "Why so: [decisions/0004](decisions/0004-pack-templates-by-size.md). AWS's limits on numbers of rules are those of its",
    ]
    lines += ["developer guide of 2023; Service Quotas has today's."]
    return page(lines)
