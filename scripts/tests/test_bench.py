# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark: what Google Benchmark writes is read, and bars that must not be missed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import bench
from bench import Case, Measured
from common import Failure

CACHE = 32 << 20
GOOD = Case("4K", 64, 0, 32834, 12.0, 9.0, 0.75, 400.0, 4096.0, 1, 0)


def measured(*cases: Case) -> Measured:
    """A run with these."""
    return Measured(CACHE, list(cases))


def report(**changes: Any) -> Any:
    """What the program writes of one case."""
    return {"context": {"caches": [{"type": "Data", "level": 1, "size": 32768},
                                   {"type": "Unified", "level": 3, "size": CACHE}]},
            "benchmarks": [{"name": "4K-shuffled/64/100/iterations:16/manual_time",
                            "tables": 32834.0, "plain": 8.0, "walked": 6.0, "ratio": 0.75,
                            "ns": 500.5, "bytes": 4096.0, "windows": 2.0, "copies": 166.0,
                            **changes}]}


def test_a_report_is_read() -> None:
    found = bench.read(report())
    assert found == measured(Case("4K-shuffled", 64, 100, 32834, 8.0, 6.0, 0.75, 500.5, 4096.0, 2,
                                  166))
    assert found.cases[0].name == "4K-shuffled/64/100"


def test_what_went_wrong_is_told() -> None:
    with pytest.raises(Failure, match="4K-shuffled/64/100.*: the device was dropped"):
        bench.read(report(error_occurred=True, error_message="the device was dropped"))
    with pytest.raises(Failure, match="measured nothing"):
        bench.read({"context": report()["context"], "benchmarks": []})


def test_the_pace_is_a_bar_for_large_tables() -> None:
    slow = replace(GOOD, ratio=0.59)
    assert bench.problems(measured(GOOD)) == []
    assert bench.problems(measured(slow)) == ["4K/64/0: 0.59 of plain reads, 0.6 is the bar"]
    # Not for those that the cache holds, nor where much is copied.
    assert bench.problems(measured(replace(slow, tables=8000))) == []
    assert bench.problems(measured(replace(slow, copies=10000))) == []


def test_a_terabyte_is_linear() -> None:
    many = replace(GOOD, gib=1024, tables=525315)
    assert bench.problems(measured(GOOD, replace(many, nanoseconds=590.0))) == []
    assert bench.problems(measured(GOOD, replace(many, nanoseconds=610.0))) == [
        "4K/1024/0: 610 ns for a table, 400 ns with 64 GiB: not linear"]
    # Memory itself is slower where so much of it is read in no order.
    assert bench.problems(measured(GOOD, replace(many, nanoseconds=610.0, plain=8.0))) == []


def test_a_table_is_read_once_through_few_windows() -> None:
    assert bench.problems(measured(replace(GOOD, bytes=8192.0))) == [
        "4K/64/0: 8192 bytes read of a table"]
    assert bench.problems(measured(replace(GOOD, windows=2))) == [
        "4K/64/0: 2 windows on old memory"]


def test_what_missed_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(GOOD, ratio=0.5, nanoseconds=600.0)
    other = replace(GOOD, gib=256, tables=131330)
    asked = []

    def again(only: str) -> Measured:
        asked.append(only)
        return measured(GOOD if len(asked) == 2 else replace(slow, nanoseconds=700.0))

    monkeypatch.setattr(bench, "measure", again)
    assert bench.again(measured(slow, other)) == measured(GOOD, other)
    assert asked == ["^(4K/64/0)/"] * 2


def test_again_is_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = measured(replace(GOOD, ratio=0.5))
    asked = []

    def again(only: str) -> Measured:
        asked.append(only)
        return slow

    monkeypatch.setattr(bench, "measure", again)
    assert bench.again(slow) == slow and len(asked) == bench.TRIES - 1


def test_no_absolute_figure_is_written() -> None:
    written = json.loads(bench.as_json(measured(GOOD)))
    assert written["cases"]["4K/64/0"] == {"tables": 32834, "ratio": 0.75, "judged": True,
                                           "bytes": 4096.0, "windows": 1, "copies": 0}
