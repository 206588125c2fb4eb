# SPDX-License-Identifier: GPL-2.0-only
"""What a kept result depends on, and when it is judged again instead of run again."""

from __future__ import annotations

import dataclasses
import gzip
import json
import pickle
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import course
import scenarios
from common import Failure
from course import Images, Kernel
from emulator import Emulator
from evidence import Dma, Point, Trace
from guest import NoResult
from inspector import Mapping, View
from test_verdict import facts

QEMU = Emulator("qemu", "10.0.2")
OURS, STOCK = Kernel("6.12", False), Kernel("6.12", True)


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "accelerator", lambda: "tcg")
    monkeypatch.setattr(course, "OUT", tmp_path / "out")
    monkeypatch.setattr(course, "TOP", tmp_path)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    both = Images(tmp_path / "ours", tmp_path / "theirs")
    both.crash.write_text("1")
    both.first.write_text("2")
    return both


def row(**keys: Any) -> scenarios.Row:
    return dataclasses.replace(scenarios.load()["cmd-dma-dma"], **keys)


def test_row_without_its_qemu_or_kernel(images: Images) -> None:
    data = course.run_row(row(), STOCK, images, Failure("offline"), False)
    assert (data["verdict"], data["why"], data["qemu"]) == ("SKIP", "offline", None)
    assert course.good(data)
    data = course.run_row(row(), STOCK, Failure("no package"), QEMU, False)
    assert data["verdict"] == "NO RESULT" and "no package" in data["why"]
    assert not course.good(data)


def test_a_run_depends_on_both_kernels_on_qemu_and_on_what_the_guest_gets(images: Images) -> None:
    key = course.run_key(row(), images, "10.0.2")
    others = [course.run_key(row(), Images(images.crash, images.crash), "10.0.2"),
              course.run_key(row(), images, "7.2.22"),
              course.run_key(row(road="kexec"), images, "10.0.2"),
              course.run_key(row(crash="iommu=pt"), images, "10.0.2")]
    images.first.write_text("3")
    others.append(course.run_key(row(), images, "10.0.2"))
    assert len({key, *others}) == 6


def test_a_run_does_not_depend_on_what_is_expected_of_it(images: Images) -> None:
    key = course.run_key(row(), images, "10.0.2")
    changes: list[dict[str, Any]] = [
        {"tags": ["new"]}, {"stock": ["ON"]}, {"stock_on": {"6.1": ["ON"]}},
        {"kernels": ["6.12"]}, {"takeover": ["ON"]}, {"first_says": ["a word"]}]
    for keys in changes:
        assert course.run_key(row(**keys), images, "10.0.2") == key
    assert course.judge_key(row(first_says=["a word"])) != course.judge_key(row())


def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a run a good one of no length; tells the rows that were run."""
    ran: list[str] = []

    def play(row: scenarios.Row, *_: object) -> Any:
        ran.append(row.name)
        return dataclasses.replace(facts(), row=row)

    monkeypatch.setattr(course, "play", play)
    return ran


def test_what_is_fresh_is_not_run_again(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = played(monkeypatch)
    assert course.run_row(row(), STOCK, images, QEMU, True)["as_measured"] is True
    assert course.run_row(row(), STOCK, images, QEMU, True)["resumed"] is True
    assert len(ran) == 1
    # What is expected is compared anew.
    data = course.run_row(row(stock=["ON"]), STOCK, images, QEMU, True)
    assert (data["expected"], data["as_measured"], len(ran)) == (["ON"], False, 1)
    course.run_row(row(), STOCK, images, QEMU, False)
    course.run_row(row(memory="2G"), STOCK, images, QEMU, True)
    assert len(ran) == 3


def test_a_new_judge_judges_kept_facts(images: Images, monkeypatch: pytest.MonkeyPatch,
                                       tmp_path: Path) -> None:
    ran = played(monkeypatch)
    course.run_row(row(), OURS, images, QEMU, True)
    asked = row(first_says=["a word"])
    data = course.run_row(asked, OURS, images, QEMU, True)
    assert (data["verdict"], data["fails"], len(ran)) == ("FAIL", ["said"], 1)
    folder = tmp_path / "out/kdump/6.12-takeover/cmd-dma-dma"
    assert json.loads((folder / "result.json").read_text())["fails"] == ["said"]
    # And back; but without the facts there is nothing to judge.
    assert course.run_row(row(), OURS, images, QEMU, True)["verdict"] == "PASS"
    (folder / "facts").write_bytes(gzip.compress(pickle.dumps(1))[:-9])
    course.run_row(asked, OURS, images, QEMU, True)
    assert len(ran) == 2


def test_a_kernel_that_never_boots_is_not_tried_for_ever(
        images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def play(row: scenarios.Row, _images: object, _qemu: object, folder: Path) -> Any:
        ran.append(row.name)
        (folder / "qemu.log").write_text("")
        raise NoResult(why)

    monkeypatch.setattr(course, "play", play)
    for why, tries in ((course.NOT_READY, 2), ("QEMU died", course.ATTEMPTS)):
        ran.clear()
        data = course.run_row(row(), OURS, images, QEMU, False)
        assert (data["verdict"], data["why"], len(ran)) == ("NO RESULT", why, tries)


def test_of_tables_with_too_many_ways_each_address_that_was_tried_is_looked_up() -> None:
    class Tables(View):
        def __init__(self) -> None:
            pass

        def leads(self, sid: int, iova: int) -> int | str:
            assert sid == 8
            return "no entry" if iova == 0x3000 else iova + 0x100000

    trace = Trace(dmas=[Dma(0, 0.0, 8, 0x1010, 0), Dma(0, 0.0, 9, 0x9000, 0),
                        Dma(0, 0.0, 8, 0x3000, 0)],
                  rings=[(Point(0, 0.0, 0x4F80), 0x100)])
    assert course.tried(Tables(), trace, 8) == [
        Mapping(0x1000, 0x1FFF, 0x101000), Mapping(0x4000, 0x4FFF, 0x104000),
        Mapping(0x5000, 0x5FFF, 0x105000)]


class Sleeper:
    """A guest that lives through a suspend; it notes whether it gets frames after each line."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.frames: Any = None
        self.gets: list[bool] = []

    def wait_line(self, patterns: list[str], at: int, limit: float
                  ) -> tuple[int, re.Match[str]] | None:
        assert limit > 0
        for number, line in enumerate(self.lines[at:], at):
            self.gets.append(bool(self.frames and self.frames.running.is_set()))
            for pattern in patterns:
                if match := re.search(pattern, line):
                    return number, match
        return None

    def start_frames(self) -> None:
        self.frames = SimpleNamespace(running=threading.Event())


def test_a_guest_gets_no_frames_while_it_sleeps() -> None:
    guest: Any = Sleeper("kdump: LIFE BEGINS", "PM: suspend entry (deep)", "e1000e: sleeps",
                         "PM: suspend exit", "kdump: works after suspend", "kdump: LIFE IS GOOD")
    assert course.through_life(guest, row()) == ""
    assert guest.gets == [False, True, False, False, True, True]


def test_what_ends_a_life_early_is_told() -> None:
    for line in ("kdump: NOT READY: no disk", "Kernel panic - not syncing: dead"):
        guest: Any = Sleeper("kdump: LIFE BEGINS", "kdump: works at first", line)
        assert course.through_life(guest, row()) == line.removeprefix("kdump: ")
    guest = Sleeper("kdump: LIFE BEGINS")
    assert course.through_life(guest, row()).startswith("not through within")
