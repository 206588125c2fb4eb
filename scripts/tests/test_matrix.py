# SPDX-License-Identifier: GPL-2.0-only
"""The product of kernels and rows: how it is chosen, divided, reported and put together."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import matrix
import scenarios
import source
from common import Failure, run

ROWS = scenarios.load()
ALL = matrix.product(ROWS.values(), ["6.1", "6.12", "7.3"], matrix.FLAVOURS)


def test_product() -> None:
    names = [job.name for job in ALL]
    assert len(names) == len(set(names))
    assert {"6.1-takeover/cmd-dma-dma", "7.3-stock/dev-nvme"} <= set(names)
    twice = matrix.product(ROWS.values(), ["6.12", "6.12"], ["stock", "stock"])
    assert len(twice) == len({job.name for job in twice})
    only = dataclasses.replace(ROWS["dev-nvme"], kernels=["7.3"])
    assert [j.name for j in matrix.product([only], ["6.12", "7.3"], ["stock"])] == [
        "7.3-stock/dev-nvme"]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shards_are_disjoint_and_cover_all(parts: int) -> None:
    shards = [[job.name for job in matrix.shard(ALL, f"{part}/{parts}")]
              for part in range(1, parts + 1)]
    together = [name for names in shards for name in names]
    assert sorted(together) == sorted(job.name for job in ALL)
    assert len(together) == len(set(together))
    # None has twice its share.
    assert all(len(names) < 2 * len(ALL) / parts for names in shards) or parts == 1


def test_new_rows_move_no_old_one_to_another_shard() -> None:
    less = ALL[::3]
    some = {job.name for job in matrix.shard(less, "2/4")}
    assert some == {job.name for job in less} & {job.name for job in matrix.shard(ALL, "2/4")}


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/0", "2", "a/b", "1/2/3"])
def test_no_shard(text: str) -> None:
    with pytest.raises(Failure, match="shard"):
        matrix.shard(ALL, text)


def test_choice() -> None:
    assert len(matrix.choose(ROWS, [], [])) == len(ROWS)
    cells = matrix.choose(ROWS, ["cmd-dma-*"], [])
    assert "cmd-dma-pt" in [row.name for row in cells] and len(cells) == 7
    both = matrix.choose(ROWS, ["cmd-dma-*"], ["floor"])
    assert {"cmd-dma-pt", "dev-nvme"} <= {row.name for row in both}
    with pytest.raises(Failure, match="nonsense"):
        matrix.choose(ROWS, ["nonsense*"], [])
    with pytest.raises(Failure, match="nonsense"):
        matrix.choose(ROWS, [], ["nonsense"])


def result(row: str, verdict: str = "PASS", kernel: str = "6.12", flavour: str = "takeover",
           date: str = "2026-01-01", **more: Any) -> dict[str, Any]:
    return {"row": row, "kernel": kernel, "flavour": flavour, "verdict": verdict, "fails": [],
            "no_results": 0, "date": date, "repeat": f"scripts/kdump --scenario {row}", **more}


RESULTS = [
    result("one", no_results=1),
    result("two", "FAIL", fails=["ON"], invariants={"ON": {"verdict": "fail", "text": "off"}}),
    result("three", "SKIP", why="needs QEMU 10, this machine has 7"),
    result("four", "FAIL", flavour="stock", fails=["ON"], expected=["ON"], as_measured=True),
    result("five", flavour="stock", expected=["ON"], as_measured=False),
    result("six", "NO RESULT", flavour="stock", why="QEMU died: two\nlines # of it"),
    result("seven", "SKIP", kernel="7.3", why="offline"),
]


def reported(results: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
             ) -> tuple[matrix.Report, str]:
    report = matrix.Report([matrix.name_of(data) for data in results])
    report.add(results)
    return report, capsys.readouterr().out


def test_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report, text = reported(RESULTS, capsys)
    assert text.splitlines() == """\
KTAP version 1
1..3
    KTAP version 1
    # Subtest: 6.12-takeover
    1..3
    # 1 runs were spoilt and are no result
    ok 1 one
    # FAIL
    # ON: off
    # again: scripts/kdump --scenario two
    not ok 2 two
    ok 3 three # SKIP needs QEMU 10, this machine has 7
not ok 1 6.12-takeover
    KTAP version 1
    # Subtest: 6.12-stock
    1..3
    ok 1 four
    # PASS, expected: ['ON']
    # again: scripts/kdump --scenario five
    not ok 2 five
    # NO RESULT
    # QEMU died: two
    # lines # of it
    # again: scripts/kdump --scenario six
    not ok 3 six
not ok 2 6.12-stock
    KTAP version 1
    # Subtest: 7.3-takeover
    1..1
    ok 1 seven # SKIP offline
ok 3 7.3-takeover # SKIP nothing was run""".splitlines()
    assert report.status() == 1
    report.write([tmp_path / "x.json", tmp_path / "x.ktap"])
    data = json.loads((tmp_path / "x.json").read_text())
    assert data["rows"] == RESULTS and len(data["planned"]) == 7
    last = (tmp_path / "x.ktap").read_text().splitlines()[-1]
    assert "2 ok, 3 not ok, 2 skipped, 0 not run" in last and "no result in 1 runs" in last


def test_what_was_not_run_is_not_good(capsys: pytest.CaptureFixture[str]) -> None:
    report = matrix.Report(["6.12-takeover/one", "6.12-takeover/two"])
    report.add([result("one")])
    assert report.status() == 1
    report.add([result("two")])
    assert report.status() == 0
    assert matrix.Report([]).status() == 0


def test_kunit_reads_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The kernel's own parser finds in it what was put in."""
    report = tmp_path / "results.ktap"
    report.write_text(reported(RESULTS, capsys)[1])
    tool = source.find(source.DEFAULT).path / "tools/testing/kunit/kunit.py"
    done = run([sys.executable, "-B", tool, "parse", report], check=False)
    assert "Ran 7 tests: passed: 2, failed: 3, skipped: 2" in done.stdout, done.stdout
    assert "[ERROR]" not in done.stdout


def write(path: Path, planned: list[str], rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"schema": 1, "planned": planned, "rows": rows}))
    return path


def test_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
               capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "1", ["6.12-takeover/a", "6.12-takeover/b", "6.12-takeover/d"], [
        result("b", "FAIL"), result("a", date="2026-01-02")])
    two = write(tmp_path / "2", ["6.1-stock/c", "6.12-takeover/a"], [
        result("c", kernel="6.1", flavour="stock"), result("a", "FAIL", date="2026-01-01")])
    planned, results = matrix.merge([one, two])
    assert planned == ["6.1-stock/c", "6.12-takeover/a", "6.12-takeover/b", "6.12-takeover/d"]
    assert [(d["row"], d["verdict"]) for d in results] == [
        ("c", "PASS"), ("a", "PASS"), ("b", "FAIL")]
    monkeypatch.setattr(matrix, "FOLDER", tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["matrix.py", "--merge", str(one), str(two)])
    assert matrix.command() == 1
    text = (tmp_path / "out/results.ktap").read_text()
    assert text in capsys.readouterr().out
    assert "# planned, but not run" in text and "not ok 3 d" in text
    (tmp_path / "bad").write_text("{}")
    with pytest.raises(Failure, match="no results"):
        matrix.merge([tmp_path / "bad"])


def test_rows_on_kernels_with_alarms_on() -> None:
    rows = [row for row in ROWS.values() if "alarms" in row.tags]
    assert len(rows) >= 20
    for variant in scenarios.ALARMS:
        jobs = matrix.product(rows, ["6.12", "7.3"], ["takeover"], variant)
        assert jobs[0].name == f"6.12-takeover-{variant}/{rows[0].name}"
        assert len({job.name for job in jobs} - {job.name for job in ALL}) == 2 * len(rows)
        assert all(job.row.variant == variant for job in jobs)
    name = matrix.name_of(result("a", variant="debug"))
    assert name == "6.12-takeover-debug/a"
    assert matrix.order(name) < matrix.order("6.12-stock/a")
    stock = matrix.name_of(result("a", flavour="stock", variant="debug"))
    assert matrix.order(stock) > matrix.order("6.12-takeover/a")
    assert matrix.lost(stock) == {**matrix.lost("6.12-stock/a"), "variant": "debug",
                                  "repeat": "scripts/kdump --kernel 6.12 --stock --variant debug "
                                            "--scenario a"}


def test_what_alarms_need() -> None:
    row = scenarios.alarmed(ROWS["cmd-dma-dma"], "debug")
    assert (row.memory, row.crashkernel, row.boot) == ("2G", "640M", 900)
    assert row.limit == 5 * ROWS["cmd-dma-dma"].limit
    # Alarms that were not armed prove nothing.
    assert set(scenarios.ALARMS["debug"]) <= set(row.first_says) & set(row.crash_says)
    assert scenarios.alarmed(ROWS["mem-6g"], "kcsan").memory == "6G"
    assert not scenarios.alarmed(ROWS["life"], "debug").crash_says
    with pytest.raises(Failure, match="kernels of its own"):
        scenarios.alarmed(ROWS["mixed-61-dma-dma"], "debug")
    with pytest.raises(Failure, match="no kernels have the alarms odd"):
        scenarios.alarmed(ROWS["cmd-dma-dma"], "odd")


def test_a_tag_of_no_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.toml"
    file.write_text(scenarios.FILE.read_text().replace('"cmd-dma-dma", "cmd-dma-pt", "cmd-pt-none",'
                                                       ' "cmd-pt-pt"', '"cmd-odd"'))
    with pytest.raises(Failure, match="no row cmd-odd to be tagged alarms"):
        scenarios.load(file)
