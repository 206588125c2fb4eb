# SPDX-License-Identifier: GPL-2.0-only
"""What the check makes of the rows that another script ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import check
from tally import Tally


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts the rows that a script pretends to have run, against what was planned."""
    monkeypatch.setattr(check, "OUT", tmp_path / "out")
    script = tmp_path / "runs"

    def count(planned: list[str], rows: list[dict[str, Any]]) -> Tally:
        (tmp_path / "data").write_text(json.dumps({"schema": 1, "rows": rows}))
        script.write_text(f'#!/bin/sh\n[ "$2" = --json ] && cp {tmp_path / "data"} "$3"\n')
        script.chmod(0o755)
        tally = Tally()
        check.count_rows(tally, "rows", planned, [script, "some"])
        return tally

    return count


def row(name: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {"row": name, "kernel": "6.12", "flavour": "stock", "verdict": verdict, "fails": [],
            "repeat": "again", **more}


def test_rows_are_counted(counted: Any, capfd: pytest.CaptureFixture[str]) -> None:
    tally = counted(["6.12-stock/a", "6.12-stock/b", "6.12-stock/c", "6.12-stock/d"], [
        row("a", "PASS"), row("b", "FAIL"), row("c", "SKIP", why="no QEMU"),
        row("d", "FAIL", expected=["ON"], as_measured=True)])
    assert (tally.passed, tally.failed) == (2, 1)
    said = capfd.readouterr().out
    assert "FAIL row: b on 6.12-stock" in said and "SKIP row: c on 6.12-stock: no QEMU" in said


def test_what_was_explored_is_added_up() -> None:
    report = ("[ RUN ] a\nexplored: 3 worlds, 4 schedules\n<x>\n"
              "explored: 10 worlds, 20 schedules\n")
    assert check.explored(report) == "explored: 13 worlds, 24 schedules"


GOOGLE = ('<testsuites><testsuite><testcase name="A/0" classname="All" status="run" '
          'result="completed"/>{}</testsuite></testsuites>')
BAD = ('<testcase name="B" classname="All" status="run" result="completed">'
       '<failure message="m">B is wrong</failure></testcase>')
# What ctest says of a piece and what the piece reports; what passed and failed, and what is told.
PIECES = {
    "good": ("run", "", GOOGLE.format(""), (1, 0), "PASS x: All.A/0"),
    "bad": ("fail", "lines", GOOGLE.format(BAD), (1, 1), "FAIL x: All.B\n     B is wrong"),
    "broke off": ("fail", "first\n" * 20 + "last", None, (0, 1), "FAIL x: a_test-0\n     first"),
    "broke off later": ("fail", "Aborted", GOOGLE.format(""), (1, 1), "     Aborted"),
    "silent": ("run", "", None, (0, 1), "no test was run"),
    "empty": ("run", "", "<testsuites/>", (0, 1), "no test was run"),
    "not there": ("notrun", "", None, (0, 1), "FAIL x: a_test-0"),
}


@pytest.mark.parametrize("case", PIECES)
def test_pieces(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, piece, counts, told = PIECES[case]
    if piece:
        (tmp_path / "a_test-0.xml").write_text(piece)
    tally = Tally()
    check.count_pieces(tally, "x:", f'<testsuite><testcase name="a_test-0" status="{status}">'
                       f"<system-out>{output}</system-out></testcase></testsuite>", tmp_path)
    said = capsys.readouterr().out
    assert (tally.passed, tally.failed) == counts
    assert told in said and (case != "broke off" or "     last" in said)


def test_a_test_that_is_ctests_own(tmp_path: Path) -> None:
    tally = Tally()
    for status in ("run", "fail"):
        check.count_pieces(tally, "x:", f'<testsuite><testcase name="boundary" status="{status}"/>'
                           "</testsuite>", tmp_path)
    assert (tally.passed, tally.failed) == (1, 1)


def test_rows_that_did_not_run_are_missed(counted: Any, capfd: pytest.CaptureFixture[str]
                                          ) -> None:
    tally = counted(["6.12-stock/a", "6.12-stock/b"], [row("a", "PASS")])
    assert (tally.passed, tally.failed) == (1, 1)
    assert "6.12-stock/b" in capfd.readouterr().out
    assert counted([], []).failed == 1
