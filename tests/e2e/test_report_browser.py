"""The report in a real browser: filtering, sorting, keyboard, paper, narrow screens, and hostile names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from browser import chromium
from browser.report_sample import ACCOUNTS, large, remediated

from pci_config.report.html import render

pytestmark = pytest.mark.skipif(chromium.find() is None, reason=f"no browser on PATH ({', '.join(chromium.NAMES)})")


@pytest.fixture(scope="module")
def page() -> str:
    before, after = remediated()
    return render(after, before=before)


@pytest.fixture(scope="module")
def large_page() -> str:
    return render(large())


def test_fifty_thousand_rows_filter_and_sort_with_few_elements(
    large_page: str, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    out = chromium.probe(
        tmp_path,
        large_page,
        """
        out.loaded = Math.round(performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd);
        out.all = shown();
        out.rowcount = document.getElementById("table").getAttribute("aria-rowcount");
        const timed = async (name, act) => { const from = performance.now(); act(); out[name] = Math.round(performance.now() - from); await settle(); };
        await timed("sort_ms", () => sort("resource"));
        out.first = cells("resource")[0];
        out.first_verdict = cells("compliance")[0];
        await timed("descending_ms", () => sort("resource"));
        out.last = cells("resource")[0];
        await timed("filter_ms", () => choose("account", "100000000001"));
        out.filtered = shown();
        out.accounts = [...new Set(cells("account"))];
        control("text").value = "group-04999";
        control("text").dispatchEvent(new Event("input", { bubbles: true }));
        await settle();
        out.searched = shown();
        out.names = cells("resource");
        document.getElementById("clear").click();
        await settle();
        const region = document.getElementById("table-region");
        region.scrollTop = region.scrollHeight;
        await settle();
        out.bottom = Number(rows().at(-1).getAttribute("aria-rowindex"));
        out.height = rows()[0].getBoundingClientRect().height;
        out.elements = rows().length;
        """,
    )
    for name in ("loaded", "sort_ms", "descending_ms", "filter_ms"):
        record_property(name, out[name])
        print(f"{name}: {out[name]} ms")
    assert out["all"] == "50000 of 50000 results"
    assert out["rowcount"] == "50001"
    assert out["elements"] < 60
    assert out["first"].startswith("group-000001")
    assert out["first_verdict"].startswith("Compliant")
    assert out["last"].startswith("group-050000")
    assert out["filtered"] == "6250 of 50000 results"
    assert out["accounts"] == ["management100000000001"]
    # positions 0, 8 of the names 049990 to 049999 that are in the first account: 50000 - p with p % 8 == 0
    assert out["searched"] == "1 of 50000 results"
    assert out["names"][0].startswith("group-049992")
    assert out["bottom"] == 50001
    assert out["height"] == 62  # the virtual table's arithmetic rests on it


def test_filters_by_requirement_of_the_chosen_version(page: str, tmp_path: Path) -> None:
    out = chromium.probe(
        tmp_path,
        page,
        """
        choose("requirement", "4.2.1");
        out.new = [...new Set(cells("rule"))];
        out.hash_new = location.hash;
        document.querySelector("#versions button[value='3.2.1']").click();
        out.cleared = control("requirement").value;
        out.numbers = [...control("requirement").options].map((option) => option.value);
        choose("requirement", "10.7");
        out.old = [...new Set(cells("rule"))];
        out.hash_old = location.hash;
        out.visible = [...document.querySelectorAll("#by-requirement [data-version]")].filter((part) => !part.hidden).map((part) => part.dataset.version);
        """,
    )
    assert out["new"] == ["PCI_LISTENER_TLS_ONLY"]
    assert out["hash_new"] == "#results?requirement=4.2.1"
    assert out["cleared"] == ""
    assert out["numbers"][:4] == ["", "1.2.1", "1.3.4", "3.1"]
    assert out["numbers"].index("10.1") > out["numbers"].index("8.2.5")
    assert out["old"] == ["PCI_ARCHIVE_LIFECYCLE"]
    assert out["hash_old"] == "#results?requirement=10.7&version=3.2.1"
    assert out["visible"] == ["3.2.1"]


def test_address_carries_filters_and_order(page: str, tmp_path: Path) -> None:
    out = chromium.probe(
        tmp_path,
        page,
        """
        out.shown = shown();
        out.verdicts = [...new Set(cells("compliance"))];
        out.rules = [...new Set(cells("rule"))];
        out.resources = cells("resource");
        out.checked = [...document.querySelectorAll("#filters input:checked")].map((box) => box.value);
        out.sorted = document.querySelector("th[data-sort=resource]").getAttribute("aria-sort");
        out.unsorted = document.querySelector("th[data-sort=rule]").getAttribute("aria-sort");
        out.scrolled = scrollY > 0;
        document.querySelector(".tile.EXCEPTED a").click();
        await settle();
        out.followed = [...new Set(cells("compliance"))];
        out.rule_after = control("rule").value;
        """,
        fragment="#results?compliance=NON_COMPLIANT&rule=PCI_SECURITY_GROUP_EGRESS_LIMITED&sort=resource&order=descending"
        "&severity=high&region=eu-west-1",
    )
    assert out["checked"] == ["NON_COMPLIANT"]
    assert out["rules"] == ["PCI_SECURITY_GROUP_EGRESS_LIMITED"]
    assert all(verdict.startswith("Non-compliant") for verdict in out["verdicts"])
    assert out["shown"] == f"{len(out['resources'])} of 214 results"
    assert len(out["resources"]) > 2
    assert out["resources"] == sorted(out["resources"], reverse=True)
    assert (out["sorted"], out["unsorted"]) == ("descending", "none")
    assert out["scrolled"]
    assert out["followed"] == ["Excepted"]
    assert out["rule_after"] == ""


@pytest.mark.parametrize(
    "fragment", ["#results?sort=constructor&compliance=toString&rule=%ZZ", "#results?", "#elsewhere", "#results?account=9"]
)
def test_a_strange_address_does_no_harm(page: str, tmp_path: Path, fragment: str) -> None:
    out = chromium.probe(tmp_path, page, "out.shown = shown(); out.account = control('account').value;", fragment=fragment)
    assert out["shown"] in ("214 of 214 results", "0 of 214 results")
    assert (out["account"] == "9") == ("account=9" in fragment)


def test_keyboard_moves_through_all_rows_and_opens_one(page: str, tmp_path: Path) -> None:
    out = chromium.probe(
        tmp_path,
        page,
        """
        const at = () => Number(document.activeElement.closest("tr")?.getAttribute("aria-rowindex"));
        const region = document.getElementById("table-region");
        const inSight = () => {
          const row = document.activeElement.closest("tr").getBoundingClientRect();
          const head = document.querySelector("#table thead").getBoundingClientRect();
          const frame = region.getBoundingClientRect();
          return row.top >= head.bottom - 1 && row.bottom <= frame.bottom + 1;
        };
        out.focusable = [...document.querySelectorAll("#table thead th")].every((head) => head.querySelector("button").tabIndex === 0);
        region.focus();
        out.path = [];
        for (const key of ["ArrowDown", "ArrowDown", "ArrowUp", "PageDown", "PageDown", "PageUp", "End", "Home"]) {
          press(key); await settle(50); out.path.push([key, at(), inSight()]);
        }
        out.tabstops = rows().filter((row) => row.querySelector(".open").tabIndex === 0).length;
        document.activeElement.click();
        out.opened = document.getElementById("detail").open;
        out.facts = [...document.querySelectorAll("#detail dt")].map((term) => term.textContent);
        document.querySelector("#detail .close").click();
        out.closed = !document.getElementById("detail").open;
        out.back = at();
        region.scrollTop = 5000; await settle();
        out.kept = document.activeElement.id;
        """,
    )
    path = {}
    for key, index, in_sight in out["path"]:
        assert in_sight, key
        path.setdefault(key, []).append(index)
    assert path["ArrowDown"] == [2, 3]
    assert path["ArrowUp"] == [2]
    assert path["PageDown"][0] > 6
    assert path["PageUp"] == [path["PageDown"][0]]
    assert path["End"] == [215]
    assert path["Home"] == [2]
    assert out["focusable"]
    assert out["tabstops"] == 1
    assert out["opened"]
    assert out["closed"]
    assert {"Compliance", "Reason", "Rule", "PCI DSS 4.0.1", "PCI DSS 3.2.1", "Resource id", "Configuration captured"} <= set(
        out["facts"]
    )
    assert out["back"] == 2
    assert out["kept"] == "table-region"  # focus does not fall to the page when its row leaves


def test_export_holds_the_filtered_rows(page: str, tmp_path: Path) -> None:
    out = chromium.probe(
        tmp_path,
        page,
        """
        let blob = null;
        URL.createObjectURL = (given) => { blob = given; return "blob:null/0"; };
        HTMLAnchorElement.prototype.click = function () { out.file = this.download; };
        choose("account", "600000000006");
        document.getElementById("export").click();
        out.csv = await blob.text();
        out.shown = shown();
        """,
    )
    rows = list(csv.DictReader(io.StringIO(out["csv"])))
    assert out["file"] == "pci-config-results.csv"
    assert out["shown"] == f"{len(rows)} of 214 results"
    assert {row["account_id"] for row in rows} == {"600000000006"}
    assert {"rule", "compliance", "annotation", "requirements_4.0.1", "requirements_3.2.1", "since_before"} <= set(rows[0])


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    attack = "</script><img src=x onerror=window.harmed=1><script>window.harmed=1</script>"
    document = large(3)
    for result in document["results"]:
        result |= {"resource_name": f"=HYPERLINK({attack})", "annotation": attack, "rule": f"PCI_{attack}", "severity": attack}
    document["accounts"] = dict.fromkeys(ACCOUNTS, attack)
    document["sources"] = [attack]
    document["remediation"] = [
        {"rule": attack, "account_id": "1", "region": attack, "resource_id": attack, "status": attack, "message": attack}
    ]
    out = chromium.probe(
        tmp_path,
        render(document, title=attack),
        """
        let blob = null;
        URL.createObjectURL = (given) => { blob = given; return "blob:null/0"; };
        HTMLAnchorElement.prototype.click = function () {};
        rows()[0].querySelector(".open").click();
        document.getElementById("export").click();
        out.csv = await blob.text();
        out.harmed = window.harmed ?? null;
        out.images = document.images.length;
        out.title = document.title;
        out.reason = cells("reason")[0];
        """,
    )
    assert (out["harmed"], out["images"]) == (None, 0)
    assert out["title"] == out["reason"] == attack
    assert next(csv.DictReader(io.StringIO(out["csv"])))["resource_name"].startswith("'=HYPERLINK")


@pytest.mark.parametrize("width", [390, 768, 1024])
def test_no_page_overflow_and_one_row_height(page: str, tmp_path: Path, width: int) -> None:
    out = chromium.probe(
        tmp_path,
        page,
        """
        out.width = innerWidth;
        out.overflow = document.documentElement.scrollWidth;
        const heights = new Set(rows().map((row) => Math.round(row.getBoundingClientRect().height)));
        out.heights = [...heights];
        out.row = parseFloat(getComputedStyle(document.getElementById("table-region")).getPropertyValue("--row"));
        """,
        size=(width, 844),
    )
    assert out["width"] == width
    assert out["overflow"] <= width
    assert out["heights"] == [out["row"]]


def test_print_shows_filtered_rows_up_to_a_limit_and_says_so(large_page: str, tmp_path: Path) -> None:
    out = chromium.probe(
        tmp_path,
        large_page,
        """
        dispatchEvent(new Event("beforeprint"));
        out.all = rows().length;
        out.note = document.getElementById("print-note").textContent;
        dispatchEvent(new Event("afterprint"));
        out.after = rows().length;
        control("text").value = "group-04999";
        control("text").dispatchEvent(new Event("input", { bubbles: true }));
        await settle();
        dispatchEvent(new Event("beforeprint"));
        out.some = rows().length;
        out.some_note = document.getElementById("print-note").textContent;
        """,
    )
    assert out["all"] == 2000
    assert "Printed: the first 2000 of 50000 rows" in out["note"]
    assert out["after"] < 60
    assert out["some"] == 10
    assert out["some_note"] == '10 of 50000 results. Filtered by search "group-04999".'


def test_pdf_holds_every_row_and_not_only_those_in_sight(tmp_path: Path) -> None:
    pages = []
    for number in (20, 600):
        folder = tmp_path / str(number)
        folder.mkdir()
        target = folder / "report.pdf"
        chromium.run(
            folder, render(large(number)), "--virtual-time-budget=5000", f"--print-to-pdf={target}", "--no-pdf-header-footer"
        )
        content = target.read_bytes()
        assert content.startswith(b"%PDF-")
        pages.append(len(re.findall(rb"/Type\s*/Page\b", content)))
    assert pages[1] >= pages[0] + 15  # 580 rows more; the table alone shows some 25 of them on a screen
