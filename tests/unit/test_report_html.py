"""The HTML report as text: what it holds, what it escapes, what it refuses. The browser's part is in tests/e2e."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from browser.report_sample import remediated

from pci_config.report.html import FIELDS, render
from pci_config.report.rows import ReportInputError, number_key


def result(**changed: Any) -> dict[str, Any]:
    return {
        "rule": "PCI_PASSWORD_POLICY",
        "account_id": "123456789012",
        "region": "global",
        "resource_type": "AWS::::Account",
        "resource_id": "123456789012",
        "resource_name": "",
        "compliance": "NON_COMPLIANT",
        "annotation": "Length 8, expected at least 12",
        "requirements": {"4.0.1": ["8.3.6"], "3.2.1": ["8.2.3"]},
        "severity": "high",
        "evaluated_at": "2026-11-24T06:00:00Z",
        "configuration_item_captured_at": None,
    } | changed


def document(*results: dict[str, Any], **extras: Any) -> dict[str, Any]:
    base = {"schema_version": "1", "generated_at": "2026-11-24T06:00:00Z", "sources": ["snapshot"], "summary": {}}
    return base | {"results": list(results)} | extras


class Parsed(HTMLParser):
    """Elements and attributes of a page, the content of its scripts and styles, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._raw: tuple[str, dict[str, str | None]] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._raw = (tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._raw = None

    def handle_data(self, data: str) -> None:
        if self._raw:
            self.raw.append((*self._raw, data))
        elif data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def data(self) -> dict[str, Any]:
        (found,) = [content for _, attributes, content in self.raw if attributes.get("id") == "data"]
        read: dict[str, Any] = json.loads(found)
        return read


def table(page: str, section: str) -> list[list[str]]:
    """The rows of the first table of a section, as texts."""
    part = page.split(f'<section id="{section}"')[1].partition("</section>")[0]
    body = part.split("<tbody", 1)[1].split("</tbody>")[0]
    return [
        [" ".join(re.sub(r"<(?!wbr)[^>]+>", " ", cell).replace("<wbr>", "").split()) for cell in re.split(r"<t[hd]\b", row)[1:]]
        for row in re.split(r"<tr\b", body)[1:]
    ]


def rebuilt(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results that the page's script reads out of its columns."""
    columns = data["columns"]
    return [
        {field: columns[field]["values"][columns[field]["index"][row]] for field in columns} for row in range(data["count"])
    ]


def test_policy_allows_exactly_the_style_and_the_script_of_the_page() -> None:
    page = Parsed(render(document(result())))
    (policy,) = [attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes]
    assert policy is not None
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    hashes = {
        tag: "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"
        for tag, attributes, content in page.raw
        if "type" not in attributes
    }
    assert directives == {
        "default-src": "'none'",
        "style-src": hashes["style"],
        "script-src": hashes["script"],
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert [tag for tag, _ in page.elements].count("style") == 1


def test_page_needs_nothing_from_elsewhere() -> None:
    before, after = remediated()
    page = render(after, before=before)
    assert "http://" not in page
    assert "https://" not in page
    for tag, attributes in Parsed(page).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "style", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert str(attributes.get("href", "#")).startswith("#")


ATTACK = "</script><script>alert(1)</script><!--<b a='\"&\u2028\u2029\x00"


@pytest.mark.parametrize("field", [*FIELDS])
def test_any_text_stays_text(field: str) -> None:
    value = "NON_COMPLIANT" if field == "compliance" else {ATTACK: [ATTACK]} if field == "requirements" else ATTACK
    source = render(
        document(result(**{field: value}), accounts={ATTACK: ATTACK}, sources=[ATTACK, {ATTACK: ATTACK}]), title=ATTACK
    )
    page = Parsed(source)
    block = source.split('id="data">')[1].partition("</script>\n<script>(() =>")[0]
    assert not set("<>&\u2028") & set(block)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert "b" not in {tag for tag, _ in page.elements}
    expected = ATTACK.lower() if field == "severity" else value
    assert rebuilt(page.data)[0][field] == expected


def test_a_lone_surrogate_can_be_written_to_a_file() -> None:
    render(document(result(resource_name="\ud800", annotation="\udfff"), sources=["\ud800"])).encode("utf-8")


def test_same_results_in_any_order_give_the_same_page() -> None:
    before, after = remediated()
    shuffled = after | {
        "results": after["results"][::-1],
        "remediation": after["remediation"][::-1],
        "accounts": dict(reversed(after["accounts"].items())),
        "rules": dict(reversed(after["rules"].items())),
    }
    assert render(shuffled, before=before) == render(after, before=before)


def test_data_block_holds_every_result() -> None:
    _, after = remediated()
    rows = rebuilt(Parsed(render(after)).data)
    key = ("rule", "account_id", "region", "resource_type", "resource_id")
    expected = sorted(after["results"], key=lambda entry: [entry[name] for name in key])
    assert rows == [{field: entry[field] for field in FIELDS} for entry in expected]


def test_no_results_prove_nothing() -> None:
    page = Parsed(render(document()))
    assert "This document holds no results. It proves nothing" in page.text
    assert "Every result is a verdict" not in page.text
    assert page.data["count"] == 0


def test_unassessed_results_are_shown_first() -> None:
    page = Parsed(
        render(
            document(result(), result(resource_id="2", compliance="ERROR"), result(resource_id="3", compliance="NOT_ASSESSED"))
        )
    )
    assert "2 of 3 results say nothing about their resource: 1 not assessed, 1 with an error." in page.text
    assert page.text.index("say nothing") < page.text.index("of 3 results 1 high")
    assert "Every result is a verdict: 0 not assessed, 0 with an error." in Parsed(render(document(result()))).text


def test_unread_inputs_are_named() -> None:
    errors = ["a.json.gz: truncated", {"source": "b.json", "message": "no items"}]
    page = Parsed(render(document(result(), read_errors=errors, summary={"problems": ["c.json: not JSON"]})))
    assert "3 inputs could not be read." in page.text
    assert "c.json: not JSON" in page.text
    assert "a.json.gz: truncated" in page.text
    assert "source: b.json, message: no items" in page.text


def test_requirements_are_counted_by_version_in_the_order_of_the_standard() -> None:
    page = render(
        document(
            result(requirements={"4.0.1": ["10.2.1", "8.3.6"], "3.2.1": ["8.2.3"]}),
            result(resource_id="2", compliance="COMPLIANT", requirements={"4.0.1": ["10.2.1"]}),
            result(resource_id="3", compliance="NOT_ASSESSED", requirements={"4.0.1": ["2.2.7"]}),
            requirement_titles={"8.3.6": "Length of passwords", "8.2.3": "A title of 4.0.1"},
        )
    )
    lines = table(page, "by-requirement")
    assert [(line[0].strip("> "), line[2].strip("> "), line[8].strip("> ")) for line in lines] == [
        ('scope="row"> 2.2.7', 'class="number"> 0', 'class="number"> 1'),
        ('scope="row"> 8.3.6 Length of passwords', 'class="number NON_COMPLIANT"> 1', 'class="number"> 1'),
        ('scope="row"> 10.2.1', 'class="number NON_COMPLIANT"> 1', 'class="number"> 2'),
    ]
    assert [re.sub(".*> ", "", line[1]) for line in lines] == ["Gaps in evidence", "Findings open", "Findings open"]
    assert "A title of 4.0.1" not in page  # 8.2.3 of 3.2.1 is another requirement than 8.2.3 of 4.0.1


def test_titles_may_be_given_by_version() -> None:
    page = render(document(result(), requirement_titles={"3.2.1": {"8.2.3": "Old title"}, "4.0.1": {"8.3.6": "New title"}}))
    assert "Old title" in page
    assert "New title" in page


def test_a_rule_without_results_is_shown_as_no_evidence() -> None:
    rules = {"PCI_TRAIL_DELIVERED": {"description": "Trails", "severity": "critical", "requirements": {"4.0.1": ["10.7.2"]}}}
    page = render(document(result(), rules=rules))
    (_, line) = table(page, "by-rule")
    assert "PCI_TRAIL_DELIVERED" in line[0]
    assert "no results" in line[3]
    (_, requirement) = table(page, "by-requirement")
    assert "No evidence" in requirement[1]


def test_matrix_says_in_words_what_its_colours_say() -> None:
    page = render(
        document(
            result(),
            result(account_id="210987654321", compliance="ERROR"),
            result(resource_id="2", compliance="COMPLIANT"),
            accounts={"123456789012": "production", "333333333333": "empty"},
        )
    )
    matrix = Parsed(page.split('class="matrix')[1].split("</table>")[0]).text
    assert matrix.endswith("PCI_ PASSWORD_ POLICY 1 non-compliant of 2 0 non-compliant of 1 1 without verdict no results")
    assert 'class="NON_COMPLIANT"><a href="#results?rule=PCI_PASSWORD_POLICY&amp;account=123456789012">' in page


def test_remediation_shows_what_needs_attention_first() -> None:
    def entry(status: str, message: str) -> dict[str, str]:
        return {
            "rule": "PCI_X",
            "account_id": "1",
            "region": "eu-west-1",
            "resource_id": "r",
            "status": status,
            "message": message,
        }

    record = [entry("fixed", "done"), entry("needs a human", "in use"), entry("failed", "denied"), entry("unheard of", "odd")]
    text = Parsed(render(document(result(), remediation=record))).text
    order = [text.index(message) for message in ("odd", "in use", "denied", "1 fixed: show each", "done")]
    assert order == sorted(order)
    assert "This document holds no record of remediation." in Parsed(render(document(result()))).text
    assert "No remediation was run." in Parsed(render(document(result(), remediation=[]))).text


def test_exceptions_are_listed_with_their_text_what_needs_attention_first() -> None:
    page = render(remediated()[1])
    section = Parsed(page.split('<section id="exceptions"')[1].split("</section>")[0])
    order = [section.text.index(ticket) for ticket in ("SEC-1231", "SEC-1232", "SEC-1233", "SEC-1230", "SEC-1234")]
    assert order == sorted(order)
    for text in (
        "Expired 1 Its findings count again", "Unused 1 In force, but nothing was found that it accepts", "Not yet in force 1",
        "2026-11-01 to 2027-03-31 accepts 2 findings", "1 finding counts again", "2 findings count",
        "Terminals of series 4 cannot be updated before they are replaced in March",
        "Compensating control: Terminals reach the listener through the site VPN only", "Chief information security officer",
        "development 800000000008",
    ):  # fmt: skip
        assert text in section.text, text
    assert "This document holds no register of exceptions." in Parsed(render(document(result()))).text
    assert "The register of exceptions is empty: nothing is accepted." in Parsed(render(document(result(), exceptions=[]))).text
    assert page.count('href="#exceptions"') == 1


def test_texts_of_exceptions_stay_text() -> None:
    hostile = '<img src=x onerror="1">'
    (entry,) = remediated()[1]["exceptions"][:1]
    texts = dict.fromkeys(("resource", "reason", "approver", "ticket", "compensating_control", "created", "expires"), hostile)
    page = render(document(result(), exceptions=[{**entry, **texts, "accounts": [hostile], "regions": [hostile]}]))
    assert not [tag for tag, _ in Parsed(page).elements if tag == "img"]


def test_comparison_is_reckoned_and_names_different_sources() -> None:
    earlier = document(
        result(), result(resource_id="2"), result(resource_id="3"), generated_at="2026-11-23T06:00:00Z", sources=["account"]
    )
    now = document(result(), result(resource_id="2", compliance="COMPLIANT"), result(resource_id="9"))
    page = Parsed(render(now, before=earlier))
    reckoning = page.text.split("followed to 2026-11-24 06:00 UTC.")[1].partition("The two documents")[0]
    assert reckoning.replace("\N{MINUS SIGN}", "-").strip() == (
        "Open before 3 Fixed - 1 No longer found - 1 Still open = 1 Newly found + 1 Open now = 2"
    )
    assert "The two documents name different sources." in page.text
    assert [row["outcome"] for row in rebuilt(page.data)] == ["open", "fixed", "new"]
    assert "Before and after" not in Parsed(render(now)).text


def test_a_comparison_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ReportInputError, match=r"from 2026-11-24T06:00:00Z, after this one \(2026-11-23T06:00:00Z\): exchange"):
        render(document(generated_at="2026-11-23T06:00:00Z"), before=document())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"schema_version": "2"}, "schema_version is '2'"),
        ({"results": None}, "'results' is missing"),
        ({"results": ["text"]}, r"results\[0\]: is not an object"),
        ({"results": [result(), result(compliance="FINE")]}, r"results\[1\]: compliance 'FINE' is not one of NON_COMPLIANT"),
        ({"results": [result(account_id=None)]}, r"results\[0\]: 'account_id' is missing"),
        ({"results": [result(requirements={"4.0.1": "1.2"})]}, "'requirements' is not an object of lists"),
        ({"remediation": "none"}, "'remediation' is not a list"),
        ({"exceptions": "none"}, "'exceptions' is not a list"),
        ({"remediation": [{}]}, r"remediation\[0\]: 'status' is missing"),
        ({"remediation": ["fixed"]}, r"remediation\[0\]: is not an object"),
    ],
)
def test_a_document_outside_the_contract_is_refused_by_name(broken: dict[str, Any], message: str) -> None:
    with pytest.raises(ReportInputError, match=message):
        render(document(result()) | broken)


def test_numbers_sort_as_the_standard_does() -> None:
    assert sorted(["A1.2", "10.2.1", "2.2.10", "12.10", "2.2.9", "2.2"], key=number_key) == [
        "2.2", "2.2.9", "2.2.10", "10.2.1", "12.10", "A1.2",
    ]  # fmt: skip
