"""The report in a real browser: filtering, sorting, keyboard, paper, narrow screens, and hostile names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

import pytest
from browser import chromium
from browser.report_sample import ACCOUNTS, large, remediated

from pci_config.report.html import render

pytestmark = pytest.mark.skipif(chromium.find() is None, reason=f"no browser on PATH ({', '.join(chromium.NAMES)})")

#: Keeps what the export button would save.
CATCH_DOWNLOAD = """
let blob = null;
URL.createObjectURL = (given) => { blob = given; return "blob:null/0"; };
HTMLAnchorElement.prototype.click = function () { out.file = this.download; };
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.running(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def open_page(browser: chromium.Browser) -> Iterator[Callable[..., chromium.Tab]]:
    """Opens pages; afterwards the browser must have had nothing to complain about: no policy violation, no request, no error."""
    tabs: list[chromium.Tab] = []

    def opened(page: str, **options: object) -> chromium.Tab:
        tabs.append(browser.open(page, **options))  # type: ignore[arg-type]
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.close()
    assert [complaint for tab in tabs for complaint in tab.complaints] == []


@pytest.fixture(scope="module")
def page() -> str:
    before, after = remediated()
    return render(after, before=before)


@pytest.fixture(scope="module")
def large_page() -> str:
    return render(large())


def test_fifty_thousand_rows_filter_and_sort_with_few_elements(
    open_page: Callable[..., chromium.Tab], large_page: str, record_property: Callable[[str, object], None]
) -> None:
    out = open_page(large_page).run("""
        const timed = async (name, act) => {
          const from = performance.now(); act(); out[name] = Math.round(performance.now() - from); await settle();
        };
        out.load_ms = Math.round(performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd);
        out.all = shown();
        out.rowcount = document.getElementById("table").getAttribute("aria-rowcount");
        await timed("sort_ms", () => sort("resource"));
        out.first = [cells("resource")[0], cells("compliance")[0]];
        await timed("sort_descending_ms", () => sort("resource"));
        out.last = [cells("resource")[0], cells("compliance")[0]];
        await timed("filter_ms", () => choose("account", "100000000001"));
        out.filtered = [shown(), ...new Set(cells("account"))];
        await timed("search_ms", () => { choose("text", "group-04999 SERVICE"); });
        out.searched = [shown(), ...cells("resource")];
        document.getElementById("clear").click();
        region.scrollTop = region.scrollHeight;
        await settle();
        out.bottom = Number(rows().at(-1).getAttribute("aria-rowindex"));
        out.bottom_shows = rows().at(-1).getBoundingClientRect().bottom <= region.getBoundingClientRect().bottom + 1;
        out.elements = rows().length;
    """)
    for name in ("load_ms", "sort_ms", "sort_descending_ms", "filter_ms"):
        record_property(name, out[name])
        print(f"50,000 rows, {name}: {out[name]}")
    assert out["all"] == "50000 of 50000 results"
    assert out["rowcount"] == "50001"
    assert out["elements"] < 60
    # names fall while positions rise, and every tenth position is non-compliant
    assert out["first"][0].startswith("group-000001sg-0000000000000c34f")
    assert out["first"][1] == "Compliant"
    assert out["last"][0].startswith("group-050000sg-00000000000000000")
    assert out["last"][1] == "Non-compliant"
    assert out["filtered"] == ["6250 of 50000 results", "management100000000001"]
    assert out["searched"][0] == "1 of 50000 results"
    assert out["searched"][1].startswith("group-049992")
    assert out["bottom"] == 50001
    assert out["bottom_shows"]


def test_filters_by_requirement_of_the_chosen_version(open_page: Callable[..., chromium.Tab], page: str) -> None:
    out = open_page(page).run("""
        choose("requirement", "4.2.1");
        out.new = [...new Set(cells("rule"))];
        out.hash_new = location.hash;
        document.querySelector("#versions button[value='3.2.1']").click();
        out.cleared = control("requirement").value;
        out.numbers = [...control("requirement").options].map((option) => option.value);
        choose("requirement", "10.7");
        out.old = [...new Set(cells("rule"))];
        out.hash_old = location.hash;
        out.visible = [...document.querySelectorAll("#by-requirement [data-version]")]
          .filter((part) => part.checkVisibility()).map((part) => part.dataset.version);
    """)
    assert out["new"] == ["PCI_LISTENER_TLS_ONLY"]
    assert out["hash_new"] == "#results?requirement=4.2.1"
    assert out["cleared"] == ""
    assert out["numbers"][:4] == ["", "1.2.1", "1.3.4", "3.1"]
    assert out["numbers"].index("10.1") > out["numbers"].index("8.2.5")
    assert out["old"] == ["PCI_ARCHIVE_LIFECYCLE"]
    assert out["hash_old"] == "#results?requirement=10.7&version=3.2.1"
    assert out["visible"] == ["3.2.1"]


def test_address_carries_filters_and_order(open_page: Callable[..., chromium.Tab], page: str) -> None:
    out = open_page(
        page,
        fragment="#results?compliance=NON_COMPLIANT&rule=PCI_SECURITY_GROUP_EGRESS_LIMITED&sort=resource&order=descending"
        "&severity=high&region=eu-west-1",
    ).run("""
        out.shown = shown();
        out.verdicts = [...new Set(cells("compliance"))];
        out.rules = [...new Set(cells("rule"))];
        out.resources = cells("resource");
        out.checked = [...document.querySelectorAll("#filters input:checked")].map((box) => box.value);
        out.sorted = [...document.querySelectorAll("th[aria-sort]:not([aria-sort=none])")]
          .map((head) => [head.dataset.sort, head.getAttribute("aria-sort")]);
        out.scrolled = scrollY > 0;
        document.querySelector(".tile.EXCEPTED a").click();
        await settle();
        out.followed = [...new Set(cells("compliance"))];
        out.rule_after = control("rule").value;
        document.querySelector("nav.sections a[href='#by-rule']").click();
        out.kept = location.hash;
        out.focused = document.activeElement.id;
    """)
    assert out["checked"] == ["NON_COMPLIANT"]
    assert out["rules"] == ["PCI_SECURITY_GROUP_EGRESS_LIMITED"]
    assert all(verdict.startswith("Non-compliant") for verdict in out["verdicts"])
    assert out["shown"] == f"{len(out['resources'])} of 214 results"
    assert len(out["resources"]) > 2
    assert out["resources"] == sorted(out["resources"], reverse=True)
    assert out["sorted"] == [["resource", "descending"]]
    assert out["scrolled"]
    assert out["followed"] == ["Excepted"]
    assert out["rule_after"] == ""
    assert out["kept"] == "#results?compliance=EXCEPTED"
    assert out["focused"] == "by-rule-title"


@pytest.mark.parametrize(
    ("fragment", "shown", "account"),
    [
        ("#results?sort=constructor&compliance=toString&version=9", "214 of 214 results", ""),
        ("#results?rule=%ZZ", "0 of 214 results", ""),
        ("#results?account=9", "0 of 214 results", "9"),
        ("#results?", "214 of 214 results", ""),
        ("#elsewhere", "214 of 214 results", ""),
    ],
)
def test_a_strange_address_does_no_harm(
    open_page: Callable[..., chromium.Tab], page: str, fragment: str, shown: str, account: str
) -> None:
    out = open_page(page, fragment=fragment).run("out.shown = shown(); out.account = control('account').value;")
    assert out == {"shown": shown, "account": account}


def test_keyboard_moves_through_all_rows_and_opens_one(open_page: Callable[..., chromium.Tab], page: str) -> None:
    tab = open_page(page)
    place = """
        await settle(20);
        const row = document.activeElement.closest("tr");
        const frame = region.getBoundingClientRect();
        const box = row.getBoundingClientRect();
        out.at = Number(row.getAttribute("aria-rowindex"));
        out.in_sight = box.top >= document.querySelector("#table th").getBoundingClientRect().bottom - 1 && box.bottom <= frame.bottom + 1;
        out.tabstops = rows().filter((each) => each.querySelector(".open").tabIndex === 0).length;
    """
    tab.run("region.scrollIntoView(); region.focus();")
    path: dict[str, list[int]] = {}
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "PageDown", "PageDown", "PageUp", "End", "Home"):
        tab.press(key)
        now = tab.run(place)
        assert now["in_sight"], key
        assert now["tabstops"] == 1
        path.setdefault(key, []).append(now["at"])
    assert path["ArrowDown"] == [2, 3]
    assert path["ArrowUp"] == [2]
    assert path["PageDown"][0] > 6
    assert path["PageUp"] == path["PageDown"][:1]
    assert (path["End"], path["Home"]) == ([215], [2])
    tab.press("Enter")
    opened = tab.run("""
        out.open = document.getElementById("detail").open;
        out.facts = [...document.querySelectorAll("#detail dt")].map((term) => term.textContent);
    """)
    assert opened["open"]
    facts = {
        "Compliance",
        "Reason",
        "Rule",
        "PCI DSS 4.0.1",
        "PCI DSS 3.2.1",
        "Resource id",
        "Configuration captured",
        "Remediation",
    }
    assert facts <= set(opened["facts"])
    tab.press("Escape")
    closed = tab.run("out.open = document.getElementById('detail').open;" + place)
    assert (closed["open"], closed["at"]) == (False, 2)
    left = tab.run("region.scrollTop = 5000; await settle(); out.focused = document.activeElement.id;")
    assert left["focused"] == "table-region"  # focus does not fall to the page when its row leaves


def test_keyboard_sorts_from_the_heads(open_page: Callable[..., chromium.Tab], page: str) -> None:
    tab = open_page(page)
    tab.run("document.querySelector('th[data-sort=account] button').focus();")
    order = (
        "out.sort = document.querySelector('th[data-sort=account]').getAttribute('aria-sort'); out.first = cells('account')[0];"
    )
    tab.press("Enter")
    assert tab.run(order) == {"sort": "ascending", "first": "delegated-admin200000000002"}
    tab.press("Enter")
    assert tab.run(order) == {"sort": "descending", "first": "staging700000000007"}


def test_result_counts_are_announced(open_page: Callable[..., chromium.Tab], page: str) -> None:
    out = open_page(page).run("""
        out.live = document.getElementById("shown").getAttribute("aria-live");
        choose("text", "no such thing");
        await settle();
        out.none = shown();
        out.says = document.getElementById("rows").textContent;
        choose("text", "");
        await settle();
        choose("outcome", "new");
        out.new = shown();
        out.chips = [...document.querySelectorAll("[data-count]")].map((chip) => Number(chip.textContent));
    """)
    assert out["live"] == "polite"
    assert out["none"] == "0 of 214 results"
    assert out["says"] == "No result matches these filters."
    assert out["new"] == "2 of 214 results"
    assert out["chips"] == [2, 0, 0, 0, 0, 0]


def test_export_holds_the_filtered_rows(open_page: Callable[..., chromium.Tab], page: str) -> None:
    out = open_page(page).run(
        CATCH_DOWNLOAD
        + """
        choose("account", "600000000006");
        document.getElementById("export").click();
        out.csv = await blob.text();
        out.shown = shown();
        """
    )
    rows = list(csv.DictReader(io.StringIO(out["csv"])))
    assert out["file"] == "pci-config-results.csv"
    assert out["shown"] == f"{len(rows)} of 214 results"
    assert {row["account_id"] for row in rows} == {"600000000006"}
    assert {"rule", "compliance", "annotation", "requirements_4.0.1", "requirements_3.2.1", "since_before"} <= set(rows[0])


def test_hostile_names_stay_text(open_page: Callable[..., chromium.Tab]) -> None:
    attack = "</script><img src=x onerror=window.harmed=1><script>window.harmed=1</script>"
    document = large(3)
    for result in document["results"]:
        result |= {"resource_name": f"=HYPERLINK({attack})", "annotation": attack, "rule": f"PCI_{attack}", "severity": attack}
    document["accounts"] = dict.fromkeys(ACCOUNTS, attack)
    document["sources"] = [attack]
    record = dict.fromkeys(("rule", "account_id", "region", "resource_id", "document", "status", "message"), attack)
    document["remediation"] = [record]
    out = open_page(render(document, title=attack)).run(
        CATCH_DOWNLOAD
        + """
        rows()[0].querySelector(".open").click();
        document.getElementById("export").click();
        out.csv = await blob.text();
        out.harmed = window.harmed ?? null;
        out.images = document.images.length;
        out.title = document.title;
        out.reason = cells("reason")[0];
        """
    )
    assert (out["harmed"], out["images"]) == (None, 0)
    assert out["title"] == out["reason"] == attack
    assert next(csv.DictReader(io.StringIO(out["csv"])))["resource_name"].startswith("'=HYPERLINK")


@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_no_page_overflow_and_rows_of_one_height(open_page: Callable[..., chromium.Tab], page: str, width: int) -> None:
    out = open_page(page, size=(width, 844)).run("""
        out.width = innerWidth;
        out.page = document.documentElement.scrollWidth;
        out.heights = [...new Set(rows().map((row) => row.getBoundingClientRect().height))];
        out.row = parseFloat(getComputedStyle(region).getPropertyValue("--row"));
        out.role = rows()[0].getAttribute("role");
    """)
    assert out["width"] == width
    assert out["page"] <= width
    assert out["heights"] == [out["row"]]  # which rows are in sight is reckoned with this height
    assert out["role"] == "row"  # cards too are rows of a table for assistive technology


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(open_page: Callable[..., chromium.Tab], page: str, scheme: str) -> None:
    """WCAG 2.2, 1.4.3 (AA): 4.5 to 1 for every piece of text, measured on the painted colours."""
    out = open_page(page, prefers_color_scheme=scheme).run("""
        const parse = (color) => color.match(/[\\d.]+/g).map(Number);
        const luminance = ([r, g, b]) => [r, g, b].map((part) => part / 255)
          .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
          .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
        const ground = (node) => {
          for (let at = node; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
          }
          return [255, 255, 255];
        };
        rows()[0].querySelector(".open").click();
        const weak = new Set();
        let measured = 0;
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = texts.nextNode(); node; node = texts.nextNode()) {
          const holder = node.parentElement;
          if (!node.textContent.trim() || !holder.checkVisibility() || holder.closest("script, noscript")) continue;
          const pair = [luminance(parse(getComputedStyle(holder).color)), luminance(ground(holder))].sort((a, b) => b - a);
          const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
          measured += 1;
          if (ratio < 4.5) weak.add(`${holder.tagName}.${holder.className} ${ratio.toFixed(2)}`);
        }
        out.weak = [...weak]; out.measured = measured;
        out.paper = getComputedStyle(document.body).backgroundColor;
    """)
    assert out["weak"] == []
    assert out["measured"] > 1000
    assert (out["paper"] == "rgb(255, 255, 255)") == (scheme == "light")


def test_without_javascript_totals_and_tables_remain(open_page: Callable[..., chromium.Tab], page: str) -> None:
    tab = open_page(page, javascript=False)
    nodes = tab.call("DOM.getDocument", depth=-1)["root"]["nodeId"]

    def visible(selector: str) -> bool:
        node = tab.call("DOM.querySelector", nodeId=nodes, selector=selector)["nodeId"]
        assert node, selector
        style = {
            entry["name"]: entry["value"] for entry in tab.call("CSS.getComputedStyleForNode", nodeId=node)["computedStyle"]
        }
        return style["display"] != "none"

    tab.call("CSS.enable")
    for selector in (
        "noscript p",
        ".tiles",
        "#by-requirement table",
        "#by-rule table",
        "#by-account table",
        "#remediation table",
        "#exceptions table",
    ):
        assert visible(selector), selector
    for selector in ("#filters", "#table-region", "#versions"):
        assert not visible(selector), selector


def test_print_shows_filtered_rows_up_to_a_limit_and_says_so(open_page: Callable[..., chromium.Tab], large_page: str) -> None:
    out = open_page(large_page).run("""
        dispatchEvent(new Event("beforeprint"));
        out.all = rows().length;
        out.note = document.getElementById("print-note").textContent;
        dispatchEvent(new Event("afterprint"));
        out.after = rows().length;
        choose("text", "group-04999");
        await settle();
        dispatchEvent(new Event("beforeprint"));
        out.some = rows().length;
        out.some_note = document.getElementById("print-note").textContent;
    """)
    assert out["all"] == 2000
    assert "Printed: the first 2000 of 50000 rows" in out["note"]
    assert out["after"] < 60
    assert out["some"] == 10
    assert out["some_note"] == '10 of 50000 results. Filtered by search "group-04999".'


def test_pdf_holds_every_row_and_not_only_those_in_sight(open_page: Callable[..., chromium.Tab]) -> None:
    pages = []
    for number in (20, 500):
        content = open_page(render(large(number)), prefers_color_scheme="dark").pdf()
        assert content.startswith(b"%PDF-")
        pages.append(len(re.findall(rb"/Type\s*/Page\b", content)))
    assert pages[1] >= pages[0] + 15  # 480 rows more; a screen has some 25 of them
