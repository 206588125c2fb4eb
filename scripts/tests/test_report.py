# SPDX-License-Identifier: GPL-2.0-only
"""The report's contents: what has to be on the page, in the summary and in README.

How it looks is test_report_looks.py's.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import madeup
import page
import report
import runs
import summary
import timeline
from common import TOP, Failure
from madeup import laid_out, lost, result, switched_off
from runs import read_run

SCRIPT = TOP / "scripts/report.py"
VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}
EVIL = '<script src="http://example.org/x.js">alert(1)</script>&"\'</style>]]>'


class Structure(HTMLParser):
    """Tags that close what they open, ids, links, styles."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.style = ""
        self.inside: dict[str, list[str]] = {}  # per id that is open: its text
        self.holders: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
                self.holders.append((len(self.open), value or ""))
                self.inside[value or ""] = []
            if tag == "a" and name == "href":
                self.links.append(value or "")
                for _, holder in self.holders:
                    self.inside[holder].append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        self.holders = [h for h in self.holders if h[0] < len(self.open)]

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        for _, holder in self.holders:
            self.inside[holder].append(data)


def parsed(text: str) -> Structure:
    structure = Structure()
    structure.feed(text)
    structure.close()
    assert structure.open == []
    return structure


@pytest.fixture(name="whole", scope="module")
def _whole() -> str:
    tab, rows = laid_out(madeup.whole(("6.1", "6.12", "7.3")))
    return page.page(tab, rows, report.cells())


def made(*found: dict[str, Any]) -> str:
    tab, rows = laid_out(list(found))
    return page.page(tab, rows, report.cells())


def test_every_row_is_there(whole: str) -> None:
    structure = parsed(whole)
    _, rows = laid_out([result("cmd-dma-pt")])
    drawings = 0
    for name, row in rows.items():
        text = " ".join(structure.inside[f"row-{name}"])
        kernels = sum(map(row.runs_on, ("6.1", "6.12", "7.3")))
        drawings += 0 if row.road == "life" else kernels
        wanted = "clean" if row.road == "life" else "clean, dump saved after"
        assert text.count(wanted) + text.count("fails") >= kernels, name
    assert whole.count('<svg class="timeline"') == drawings + 1


def test_not_run_is_said() -> None:
    text = made(result("cmd-dma-pt"))
    structure = parsed(text)
    rows = laid_out([result("cmd-dma-pt")])[1].values()
    number = sum(row.runs_on("6.12") for row in rows) * 2 - 1
    assert f"{number} not run" in text
    assert "not run" in " ".join(structure.inside["row-dev-nvme"])


def test_row_for_other_kernels() -> None:
    tab, rows = laid_out([result("cmd-dma-pt"), result("cmd-dma-pt", "7.3")])
    name = next(n for n, row in rows.items() if row.kernels == ["6.12"])
    text = page.page(tab, rows, report.cells())
    inside = " ".join(parsed(text).inside[f"row-{name}"])
    assert "Linux 6.12" in inside and "Linux 7.3" not in inside
    assert "not for it" in text
    for kernel, count in (("6.12", 1), ("7.3", 0)):
        assert [run.row for run in tab.column(kernel, "stock")].count(name) == count


def test_ids_and_links_fit(whole: str) -> None:
    structure = parsed(whole)
    assert len(structure.ids) == len(set(structure.ids))
    inner = {link[1:] for link in structure.links if link.startswith("#")}
    assert inner and inner <= set(structure.ids)


def test_nothing_from_elsewhere(whole: str) -> None:
    structure = parsed(whole)
    for tag, name, value in structure.attributes:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        assert not name.startswith("on")
        if name in ("href", "src", "action", "data", "srcset", "xlink:href"):
            assert value.startswith(("#", "../../out/")), value
    assert set(re.findall(r"url\(([^)]*)\)", structure.style)) == {"#hb", "#ho"}
    assert "@import" not in structure.style
    assert {"#hb", "#ho"} <= {f"#{name}" for name in structure.ids}


def test_drawings_are_xml(whole: str) -> None:
    for svg in re.findall(r"<svg.*?</svg>", whole, re.DOTALL):
        ElementTree.fromstring(svg)


def test_all_is_escaped() -> None:
    data = result("cmd-dma-pt", fails=["ON"], why=EVIL, qemu=EVIL, accel=EVIL, repeat=EVIL,
                  date=EVIL, kernel=EVIL, linux=EVIL)
    data["invariants"]["ON"] = {"verdict": "fail", "text": EVIL}
    data["timeline"]["devices"][0]["name"] = EVIL
    text = made(data, result("cmd-dma-dma", verdict="SKIP", why=EVIL, timeline=None))
    assert EVIL not in text and "<script" not in text and text.count("</style>") == 1
    test_nothing_from_elsewhere(text)
    test_drawings_are_xml(text)


def test_failing_row_has_files_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                           ) -> None:
    monkeypatch.setattr(page, "TOP", tmp_path)
    folder = tmp_path / "out/made-up/6.12-stock/cmd-dma-pt"
    folder.mkdir(parents=True)
    for name in ("serial.log", "result.json", "no-result-1.log", "disk.img"):
        (folder / name).write_text("")
    inside = parsed(made(lost("cmd-dma-pt"))).inside["row-cmd-dma-pt"]
    assert "scripts/kdump --kernel 6.12 --stock --scenario cmd-dma-pt" in inside
    assert [link for link in inside if link.startswith("../")] == [
        f"../../out/made-up/6.12-stock/cmd-dma-pt/{name}"
        for name in ("serial.log", "result.json", "no-result-1.log")]
    # The page lies two folders deep.
    assert page.PLACE.relative_to(TOP).parts[:-1] == ("out", "report")


def test_folder_outside_is_not_linked() -> None:
    text = made(result("cmd-dma-pt", fails=["ON"], folder="../../etc"))
    assert "etc/" not in text and "Its files are not here" in text


def test_skip_and_no_result_are_verdicts_of_their_own() -> None:
    nothing: dict[str, Any] = {"invariants": {}, "checks": {}, "facts": {}, "timeline": None,
                               "fails": []}
    text = made(result("dev-igb", verdict="SKIP", why="no QEMU 10 here", **nothing),
                result("dev-nvme", verdict="NO RESULT", why="QEMU died", no_results=3, **nothing))
    assert "1 SKIP" in text and "1 NO RESULT" in text
    assert "3 thrown away and repeated" in text
    assert "no QEMU 10 here" in text and "QEMU died" in text
    one = runs.read_run(result("dev-igb", verdict="SKIP", **nothing), "test")
    assert (one.good, one.outcome) == (False, "skip")


def test_unwanted_is_told_from_asked_for() -> None:
    asked = made(result("takeover-off", fails=["ON"], expected=["ON"], as_measured=True))
    assert "1 <small>of 1, asked for</small>" in asked
    unasked = made(result("cmd-dma-pt", fails=["ON"]))
    assert '<b class="bad">1</b> <small>of 1</small>' in unasked and "not wanted" in unasked


def test_surprises_come_first() -> None:
    inside = parsed(made(result("cmd-dma-pt", fails=["ON"]))).inside["surprises"]
    assert "#row-cmd-dma-pt" in inside
    assert "scripts/kdump --kernel 6.12 --scenario cmd-dma-pt" in inside
    asked = result("takeover-off", fails=["ON"], expected=["ON"], as_measured=True)
    inside = parsed(made(asked)).inside["surprises"]
    assert "Nothing: every run" in " ".join(inside) and "#row-takeover-off" not in inside
    assert any(text.endswith("not run") for text in inside)


def test_later_result_counts_and_strangers_are_named() -> None:
    tab, _ = laid_out([result("cmd-dma-pt", fails=["ON"], date="2026-01-01T00:00:00Z"),
                       result("cmd-dma-pt", date="2026-01-03T00:00:00Z"),
                       result("no-such-row")])
    assert tab.run("6.12", "takeover", "cmd-dma-pt").verdict == "PASS"
    assert "no-such-row" in page.head(tab)
    assert tab.run("6.12", "stock", "cmd-dma-pt").verdict == "not run"


# Timelines ---------------------------------------------------------------------------------------


def drawing(data: dict[str, Any]) -> str:
    return timeline.draw([("title", read_run(data, "test"))])[0]


def test_marks_lanes_and_strip_are_named() -> None:
    svg = drawing(result("x"))
    for words in ("panic", "first line 2.0 s", "new root 3.0 s", "dump begun 4.6 s",
                  "dump saved 6.1 s", "translation on", "e1000e (00:01.0)", "ahci (00:1f.2)",
                  "released 4.5 s", "released 3.3 s"):
        assert words in svg, words
    off = drawing(switched_off("x"))
    assert ">OFF<" in off and "translation off, 2.85 s to 3.60 s" in off
    assert "old tables gone" in off and "released" not in off.replace("released: ", "")
    assert "dump lost: no disk /dev/sda" in drawing(lost("x"))
    assert "never released" in drawing(lost("x"))


def test_one_and_thousands_are_both_seen() -> None:
    scale = timeline.Axis(10, 10)
    path = timeline.bars("old", [(1.0, 1), (2.0, 6000), (3.0, 10 ** 6)], 0.1, scale, 100)
    heights = [float(h) for h in re.findall(r"v-([\d.]+)h", path)]
    assert 3 <= heights[0] < heights[1] / 4 and heights[1] < heights[2] <= timeline.UP
    spikes = timeline.bars("fault", [(1.0, 1), (2.0, 6000)], 0.1, scale, 100)
    deep = [float(h) for h in re.findall(r"l-[\d.]+ ([\d.]+)z", spikes)]
    assert 4 <= deep[0] < deep[1] / 2 and deep[1] <= timeline.DOWN


def test_bars_lose_nothing() -> None:
    scale = timeline.Axis(6, 75)
    found = [(i * 0.1, 1) for i in range(750)]
    path = timeline.bars("new", [(round(t, 3), n) for t, n in found], 0.1, scale, 100)
    assert "750 DMA" in path
    places = [float(x) for x in re.findall(r"M([\d.]+) ", path)]
    assert places == sorted(places) and min(b - a for a, b in zip(places, places[1:])) >= 3.9
    assert timeline.LEFT <= places[0] and places[-1] < timeline.RIGHT


def test_axis() -> None:
    def axis(*found: dict[str, Any]) -> timeline.Axis:
        return timeline.axis([line for data in found
                              if (line := read_run(data, "test").timeline)])

    quick = axis(result("x"), switched_off("x"))
    assert not quick.broken and quick.end >= 6.1
    both = axis(result("x"), lost("x"))
    assert both.broken and both.knee < 8 and both.end >= 60.2 and both.pressed > 2
    assert both == axis(lost("x"), result("x"))
    places = [both.x(t / 10) for t in range(620)]
    assert places == sorted(places) and places[-1] <= timeline.RIGHT
    assert "pressed together" in timeline.draw([("a", read_run(result("x"), "t")),
                                                ("b", read_run(lost("x"), "t"))])[0]
    assert "pressed together" not in drawing(result("x"))


def test_kinds_of_dma() -> None:
    line = read_run(switched_off("x"), "test").timeline
    assert line
    lane = runs.Lane("d", in_flight=[(0.0, 5), (1.0, 4), (2.8, 3), (2.9, 2)],
                     translated=[(0.0, 3), (4.0, 7)])
    kinds = timeline.split(lane, line)
    assert kinds["old"] == [(0.0, 3)]
    assert kinds["pass"] == [(0.0, 2), (1.0, 4)]
    assert kinds["bare"] == [(2.8, 3), (2.9, 2)]
    assert kinds["new"] == [(4.0, 7)]


def test_blocked() -> None:
    run = read_run(result("x"), "test")
    assert 'class="blocked"' not in timeline.inline([("t", run)], {})
    assert 'class="blocked"' in timeline.inline([("t", run)], {"ahci": "shut"})
    stock = read_run(result("x", flavour="stock"), "test")
    assert 'class="blocked"' not in timeline.inline([("t", stock)], {"ahci": "shut"})
    data = result("x")
    data["timeline"]["devices"][1] |= {"blocked": 3.05, "attempts": [[3.1, 7]]}
    assert "7 tried in vain" in drawing(data) and 'class="blocked"' in drawing(data)


# Bad input ---------------------------------------------------------------------------------------


def test_bad_results_are_one_line(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    good = result("cmd-dma-pt")
    bad: list[tuple[str, str]] = [
        ("{", "not JSON"), ("[]", "not the results of schema 1"), ('{"schema": 2}', "schema 1"),
        ('{"schema": 1}', "no 'rows'"), ('{"schema": 1, "rows": []}', "no results"),
        ('{"schema": 1, "rows": [3]}', "result 1: no 'verdict'")]
    for key, value, words in (("verdict", "GOOD", "verdict 'GOOD'"),
                              ("flavour", "ours", "flavour 'ours'"),
                              ("timeline", {"devices": []}, "cmd-dma-pt: no 'marks'"),
                              ("timeline", {"marks": {"panic": "x"}, "devices": []}, "'panic'"),
                              ("no_results", "many", "'no_results' is 'many'")):
        bad.append((json.dumps({"schema": 1, "rows": [{**good, key: value}]}), words))
    for text, words in bad:
        place.write_text(text)
        with pytest.raises(Failure) as caught:
            runs.load(place)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(Failure, match="No such file"):
        runs.load(tmp_path / "none.json")


def test_failure_leaves_the_page_alone(tmp_path: Path) -> None:
    place = tmp_path / "results.json"
    place.write_text('{"schema": 1, "rows": [{}]}')
    before = page.PLACE.stat().st_mtime_ns if page.PLACE.exists() else None
    done = subprocess.run([sys.executable, SCRIPT, "--results", place], capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"report\.py: .*: result 1: no 'verdict'\n", done.stderr)
    assert before == (page.PLACE.stat().st_mtime_ns if page.PLACE.exists() else None)


# Summary and README ------------------------------------------------------------------------------


def test_summary_is_stable() -> None:
    found = madeup.whole(("6.12", "7.3"))
    texts = []
    for seed in range(2):
        random.Random(seed).shuffle(found)
        tab, rows = laid_out(found)
        texts.append(summary.dumped(summary.summarise(tab, rows, madeup.CELLS)))
    assert texts[0] == texts[1]
    assert max(map(len, texts[0].splitlines())) < 200
    data = summary.read(json.loads(texts[0]))
    assert data.runs["6.12", "stock", "dev-nvme"].verdict == "not run"
    assert data.runs["6.12", "stock", "cmd-dma-pt"].faults == 6001
    assert [run.flavour for run in data.picture] == ["takeover", "stock"]


def test_summary_needs_its_two_runs() -> None:
    with pytest.raises(Failure, match="scripts/kdump --kernel 6.12 --stock --scenario cmd-dma-pt"):
        summary.summarise(*laid_out([result("cmd-dma-pt")]), madeup.CELLS)


def summarised(found: list[dict[str, Any]]) -> summary.Summary:
    """Results to the summary's file and back."""
    text = summary.dumped(summary.summarise(*laid_out(found), report.cells()))
    return summary.read(json.loads(text))


def test_numbers_in_readme() -> None:
    data = summarised(madeup.whole())
    text = summary.section(data)
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    cells = [run for run in data.column("6.12", "stock", "cells")]
    assert len(cells) == 35
    clean = sum(run.verdict == "PASS" for run in cells)
    lost_dumps = sum("dump" in run.fails for run in cells)
    off = sum("ON" in run.fails for run in cells)
    faults = sum(run.faults or 0 for run in cells)
    head, stock, ours = lines[0], lines[2], lines[3]
    assert dict(zip(head, stock)) == {
        "Linux": "6.12", "": "stock", "clean": f"{clean} of 35",
        "translation switched off": f"**{off}**", "dump lost": f"**{lost_dumps}**",
        "DMA in flight faults or goes untranslated": f"**{off + lost_dumps}**",
        "DMA faults": f"{faults:,}"}
    assert ours[2:] == ["35 of 35", "0", "0", "0", "0"]
    assert "1 not run" in text and "`takeover-off`" in text
    none = summarised([r for r in madeup.whole(("6.12", "7.3"))
                       if (r["kernel"], r["flavour"]) != ("7.3", "stock")])
    number = len(none.column("7.3", "takeover"))
    assert re.search(rf"\| 7\.3 +\| stock .*– .*\| +{number} not run", summary.section(none))


def test_kernels_that_agree_share_a_grid() -> None:
    found = madeup.whole(("6.12", "7.3"))
    data = summarised(found)
    assert "Stock Linux 6.12 and 7.3:" in summary.section(data)
    changed = [switched_off("cmd-dma-dma", "7.3") if (r["row"], r["kernel"], r["flavour"]) == (
        "cmd-dma-dma", "7.3", "stock") else r for r in found]
    data = summarised(changed)
    assert "Stock Linux 6.12:" in summary.section(data)
    assert "Stock Linux 7.3:" in summary.section(data)


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Summary, README and picture that fit each other."""
    for name in ("SUMMARY", "PICTURE", "README"):
        place = tmp_path / getattr(summary, name).relative_to(TOP)
        monkeypatch.setattr(summary, name, place)
        place.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(summary, "TOP", tmp_path)
    data = summary.summarise(*laid_out(madeup.whole()), madeup.CELLS)
    summary.SUMMARY.write_text(summary.dumped(data))
    summary.README.write_text(f"# Before\n\n{summary.BEGIN}\n{summary.END}\n\nAfter.\n")
    assert summary.stale()
    report.write_readme()
    assert summary.stale() == ""
    return tmp_path


def test_stale_readme(checkout: Path) -> None:
    text = summary.README.read_text()
    assert text.startswith("# Before\n\n<!--") and text.endswith("-->\n\nAfter.\n")
    summary.README.write_text(text.replace("After.", "Afterwards."))
    assert summary.stale() == ""
    summary.README.write_text(text.replace(" of 35", " of 36"))
    problem = summary.stale()
    assert problem.startswith("README: not what") and "\n" not in problem
    report.write_readme()
    assert summary.README.read_text() == text


def test_stale_picture_and_summary(checkout: Path) -> None:
    summary.PICTURE.write_text(summary.PICTURE.read_text().replace("6.1 s", "5.1 s"))
    assert summary.stale().startswith("results/iommu-pt.svg: not what")
    report.write_readme()
    data = json.loads(summary.SUMMARY.read_text())
    data["runs"]["6.12"]["takeover"]["cmd-dma-pt"] = {"verdict": "FAIL", "fails": ["ON"]}
    data["picture"]["stock"]["timeline"]["marks"]["new root"] = 3.7
    summary.SUMMARY.write_text(json.dumps(data))
    assert summary.stale().startswith("README and results/iommu-pt.svg: not what")


def test_readme_without_a_place(checkout: Path) -> None:
    summary.README.write_text("nothing\n")
    with pytest.raises(Failure, match="no place for the results"):
        summary.stale()


def test_picture_stands_alone(checkout: Path) -> None:
    text = summary.PICTURE.read_text()
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "prefers-color-scheme: dark" in text
    assert text.index("With the takeover") < text.index("Stock:")


def test_readme_here_is_what_the_summary_says() -> None:
    problem = summary.stale()
    assert not problem, problem
    link = TOP / "README.md"
    assert link.is_symlink() and link.resolve() == summary.README


def test_what_is_kept_is_what_was_run(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", checkout / "results/runs.json.xz")
    place = checkout / "results.json"
    found = madeup.whole()
    found[0]["verdict"], found[0]["fails"] = "FAIL", ["ON"]
    place.write_text(json.dumps({"schema": 1, "planned": [], "rows": found}))
    before = summary.SUMMARY.read_text()
    report.keep(place)
    assert summary.SUMMARY.read_text() != before and summary.stale() == ""
    assert runs.load(runs.KEPT) == runs.load(place)
    runs.KEPT.write_bytes(b"?")
    with pytest.raises(Failure, match="not packed with xz"):
        runs.load(runs.KEPT)


def test_a_fresh_clone_reports_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                            ) -> None:
    for name in ("MATRIX", "FOLDERS", "KEPT"):
        monkeypatch.setattr(runs, name, tmp_path / name)
    kept, single = result("cmd-dma-pt"), result("cmd-dma-dma")
    runs.KEPT.write_text(json.dumps({"schema": 1, "rows": [kept]}))
    assert [run.row for run in runs.load()] == ["cmd-dma-pt"]
    place = runs.FOLDERS / "6.12-takeover/cmd-dma-dma/result.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(single))
    assert [run.row for run in runs.load()] == ["cmd-dma-dma"]
    runs.MATRIX.write_text(json.dumps({"schema": 1, "rows": [kept, single]}))
    assert len(runs.load()) == 2
