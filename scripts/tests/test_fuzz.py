# SPDX-License-Identifier: GPL-2.0-only
"""Fuzzing: how libFuzzer's output is read, and that what it found is kept."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import fuzz
from fuzz import FUZZERS, PROJECT

DONE = """INFO: seed corpus: files: 3 min: 1b max: 96b total: 97b rss: 60Mb
#4\tINITED cov: 12 ft: 20 corp: 3/97b exec/s: 0 rss: 61Mb
#900\tDONE   cov: 15 ft: 29 corp: 5/200b lim: 2048 exec/s: 450 rss: 70Mb
judged: 7 ways alive
judged: 1 ways alive with a PASID
"""


def test_progress() -> None:
    result = fuzz.read("tables", 0, DONE)
    assert (result.tries, result.coverage, result.inputs, result.problem) == (900, 15, 5, "")
    assert result.judged == {"ways alive", "ways alive with a PASID"}
    # Of one that ended at once there is nothing that could have been good.
    assert fuzz.read("tables", 0, "").problem == "nothing was tried"


@pytest.mark.parametrize("said", [
    "ALIVE: 0x8 had 0x1000 mapped, and has it no more",
    "tables.c:12:3: runtime error: shift exponent 64 is too large for 64-bit type",
    "==12==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6",
    "==12== ERROR: libFuzzer: timeout after 60 seconds",
])
def test_what_broke(said: str) -> None:
    output = f"{DONE}{said}\n==9== ERROR: libFuzzer: deadly signal\n"
    assert fuzz.read("tables", 77, output).problem == said


def test_what_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, DONE, "")

    monkeypatch.setattr(subprocess, "run", ended)
    problem = fuzz.replay("tables").problem
    assert "do not reach: ways dropped" in problem and "ways alive" not in problem
    monkeypatch.setitem(FUZZERS, "tables", ("ways alive",))
    assert fuzz.replay("tables").problem == ""


def test_every_fuzzer_is_there() -> None:
    judges = re.findall(r"^void (\w+)\(", (PROJECT / "judge.h").read_text(), re.MULTILINE)
    assert set(judges) == set(FUZZERS)
    cmake = (PROJECT / "CMakeLists.txt").read_text()
    assert f"foreach(judge {' '.join(FUZZERS)})" in cmake
    counted: set[str] = set()
    for judge in ("judge.cpp", "guard.cpp"):
        counts = re.findall(r"^Count (.*?);$", (PROJECT / judge).read_text(),
                            re.DOTALL | re.MULTILINE)[0]
        counted |= set(re.findall(r'"([a-zA-Z ]+)"', counts))
    assert counted == {what for all_of_it in FUZZERS.values() for what in all_of_it}
    for name in FUZZERS:
        assert len(list(fuzz.checked_in(name).iterdir())) > 15, name


def test_only_nameless_inputs_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, named, new = "0" * 40, "a-table-that-holds-itself", "1" * 40
    monkeypatch.setattr(fuzz, "BUILD", tmp_path / "build")
    monkeypatch.setattr(fuzz, "PROJECT", tmp_path)
    corpus = fuzz.checked_in("tables")
    corpus.mkdir(parents=True)
    for name in (old, named):
        (corpus / name).write_text(name)

    def merge(args: list[object], **_: object) -> None:
        scratch = Path(str(args[list(map(str, args)).index("-merge=1") + 1]))
        (scratch / new).write_text(new)

    monkeypatch.setattr(fuzz, "run", merge)
    assert fuzz.keep("tables") == "tables: 1 inputs, 1 of them new"
    assert {p.name for p in corpus.iterdir()} == {named, new}
