"""The report for people: one HTML file that needs no network, no server and no other file.

The page carries its results as data and filters them itself; totals and tables are written here, so that they can be read
without JavaScript and on paper. Its Content Security Policy allows the style and the script of this module by hash and
nothing else: whatever a resource's name or tag holds stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from pci_config.report import comparison, tables
from pci_config.report.exception_lines import MEANINGS, STATES, exception_lines
from pci_config.report.remediation_lines import REMEDIATION, remediation_lines
from pci_config.report.rows import COMPLIANCE, SEVERITIES, ReportInputError, Row, rows_of, versions_of

TEMPLATES = Path(__file__).resolve().parent / "templates"
#: In the order in which they are joined to one style and one script.
STYLES = ("report.css", "paper.css")
SCRIPTS = ("data.js", "filters.js", "table.js", "detail.js", "export.js", "page.js")

#: What a result about a resource without a Region has in its place.
GLOBAL = "global"
#: Fields of a row that the page's own table knows, under the names of the results contract.
FIELDS = (
    "rule", "account_id", "region", "resource_type", "resource_id", "resource_name", "compliance", "annotation",
    "requirements", "severity", "evaluated_at", "configuration_item_captured_at",
)  # fmt: skip


def render(
    document: Mapping[str, Any],
    *,
    before: Mapping[str, Any] | None = None,
    title: str = "PCI DSS configuration report",
) -> str:
    """The report of a results document as HTML text; with `before`, also what changed since that earlier document.

    The same input gives the same text. Raises ReportInputError when a document does not keep to the results contract, or
    when `before` is the later of the two (a comparison the wrong way round would call new findings fixed).
    """
    rows = rows_of(document)
    rules = tables.rules_of(document, rows)
    versions = versions_of(rows, *(rule.requirements for rule in rules.values()))
    names = {str(key): str(name) for key, name in sorted((document.get("accounts") or {}).items())}
    compared = _compare(before, document, rows) if before is not None else None
    remediation = remediation_lines(document.get("remediation"))
    style, script = _style(), _script()
    page = _environment().get_template("report.html.jinja").render(
        title=title,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - this package's own file
        script=Markup(script),  # noqa: S704 - this package's own files
        data=Markup(_embedded(_data(rows, versions, names, rules, compared, remediation or ()))),  # noqa: S704 - escaped for HTML
        document=document,
        sources=_texts(document.get("sources")),
        unread=_texts(document.get("read_errors")) + _texts((document.get("summary") or {}).get("problems")),
        rows=rows,
        total=tables.Tally.of(rows),
        findings_by_severity=tables.findings_by_severity(rows),
        regions=sorted({row.region for row in rows} - {GLOBAL}),
        global_results=sum(row.region == GLOBAL for row in rows),
        captured=_span(row.configuration_item_captured_at for row in rows),
        versions=versions,
        requirement_tables={
            version: tables.by_requirement(version, rows, rules, _titles(document, version)) for version in versions
        },
        rule_lines=tables.by_rule(rows, rules),
        account_lines=tables.by_account(rows, names),
        account_names=names,
        matrix=tables.matrix(rows),
        compared=compared,
        before=before,
        before_sources=_texts(before.get("sources")) if before is not None else (),
        remediation=remediation,
        exceptions=exception_lines(document.get("exceptions")),
    )  # fmt: skip
    # A lone surrogate in a resource's name can be text in Python, but never a file.
    return page.encode("utf-8", "replace").decode("utf-8")


def _compare(before: Mapping[str, Any], document: Mapping[str, Any], rows: tuple[Row, ...]) -> comparison.Comparison:
    earlier, later = _instant(before.get("generated_at")), _instant(document.get("generated_at"))
    if earlier is not None and later is not None and earlier > later:
        raise ReportInputError(
            f"the document to compare with is from {before['generated_at']}, after this one ({document['generated_at']}):"
            " exchange the two"
        )
    return comparison.compare(rows_of(before, "the document to compare with"), rows)


def _data(
    rows: tuple[Row, ...],
    versions: tuple[str, ...],
    names: Mapping[str, str],
    rules: Mapping[str, tables.Rule],
    compared: comparison.Comparison | None,
    remediation: Iterable[Mapping[str, str]],
) -> dict[str, Any]:
    """What the script reads. Columns hold each value once, and a number for each row: 50,000 rows stay a small file."""
    columns = {field: _column([getattr(row, field) for row in rows]) for field in FIELDS}
    if compared is not None:
        columns["outcome"] = _column([_outcome(compared, row) for row in rows])
    return {
        "compliance": dict(COMPLIANCE),
        "severities": SEVERITIES,
        "outcomes": dict(comparison.OUTCOMES),
        "versions": versions,
        "accounts": names,
        "rules": {name: rule.description for name, rule in rules.items()},
        "remediation": list(remediation),
        "count": len(rows),
        "columns": columns,
    }


def _outcome(compared: comparison.Comparison, row: Row) -> str:
    return compared.outcomes.get(row.identity, "")


def _column(values: Iterable[Any]) -> dict[str, list[Any]]:
    distinct: dict[str, int] = {}
    kept: list[Any] = []
    index = []
    for value in values:
        key = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if key not in distinct:
            distinct[key] = len(kept)
            kept.append(value)
        index.append(distinct[key])
    return {"values": kept, "index": index}


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that ends no script element and opens no comment; ASCII only, so U+2028 and lone surrogates are escapes."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _style() -> str:
    return "\n".join((TEMPLATES / name).read_text("utf-8") for name in STYLES)


def _script() -> str:
    parts = "\n".join((TEMPLATES / name).read_text("utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_source(style)}",
            f"script-src {_source(script)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["breakable"] = _breakable
    environment.globals.update(
        COMPLIANCE=COMPLIANCE,
        OUTCOMES=comparison.OUTCOMES,
        REMEDIATION=REMEDIATION,
        STATES=STATES,
        MEANINGS=MEANINGS,
        results_link=_results_link,
    )
    return environment


def _results_link(**filters: str) -> str:
    """A link to the results table with these filters set; the script understands it."""
    return f"#results?{urlencode(filters)}"


def _breakable(name: str) -> Markup:
    """A rule's name that may wrap after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def _instant(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment(value: Any) -> str:
    instant = _instant(value)
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else str(value or "not stated")


def _span(moments: Iterable[str]) -> tuple[str, str, int]:
    """The earliest and the latest of the stated moments, and how many are not stated."""
    found = tuple(moments)
    stated = sorted((instant, moment) for moment in found if (instant := _instant(moment)) is not None)
    return (stated[0][1], stated[-1][1], len(found) - len(stated)) if stated else ("", "", len(found))


def _titles(document: Mapping[str, Any], version: str) -> dict[str, str]:
    """Titles for one version: the same number means different things in 4.0.1 and 3.2.1. Plain titles are 4.0.1's."""
    titles: Mapping[str, Any] = document.get("requirement_titles") or {}
    of_version = titles.get(version)
    if isinstance(of_version, Mapping):
        return {str(number): str(title) for number, title in of_version.items()}
    plain = {str(number): title for number, title in titles.items() if isinstance(title, str)}
    return plain if version == "4.0.1" else {}


def _texts(values: Any) -> tuple[str, ...]:
    """Sources and read errors as lines of text, whether they are text or objects."""
    if values is None:
        return ()
    listed = values if isinstance(values, list | tuple) else [values]
    return tuple(
        ", ".join(f"{re.sub('_', ' ', str(key))}: {value}" for key, value in entry.items() if value not in (None, "", [], {}))
        if isinstance(entry, Mapping)
        else str(entry)
        for entry in listed
    )
