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


def test_rows_that_did_not_run_are_missed(counted: Any, capfd: pytest.CaptureFixture[str]
                                          ) -> None:
    tally = counted(["6.12-stock/a", "6.12-stock/b"], [row("a", "PASS")])
    assert (tally.passed, tally.failed) == (1, 1)
    assert "6.12-stock/b" in capfd.readouterr().out
    assert counted([], []).failed == 1
