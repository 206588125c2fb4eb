#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which lines and branches of the takeover's code, and of the model's, are executed.

The takeover's: all files but glue.c, trace.c, debugfs.c and the KUnit code, which are not compiled
in userspace; by core_test, and window.c by window_test. core_test is the quick and literal one:
what it executes it also asserts something about. The model's: by model_test. The tests of the world
are left out: they take minutes, need a watch that counters would set off, and execute nothing of
the takeover that core_test does not.

The guard's once more, by what is checked in for its fuzzer: where that does not get to it finds no
fault.

GCC counts, without optimizing: a line that has code, and each way out of a condition, so that
`a || b' has four branches. Conditions that macros make count like any others, but for min() and
max(), of which GCC makes an operation without branches. In C++ the ways out
of a call that throws are not counted: they are the compiler's; C has none. Marks in the code that
would exclude lines are not obeyed.

What is not executed has to be explained in uncovered.toml, for the tests and for the fuzzer. The
model's figures are printed, and judged by nobody.

Not called coverage.py: that is the name of a Python module, which pytest may load.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import OUT, TOP, die, main, need, read_json, run, step

PROJECT = TOP / "tools/testing/vtd-takeover"
TAKEOVER = TOP / "drivers/iommu/intel/takeover"
MODEL = PROJECT / "model"
EXPLAINED = PROJECT / "uncovered.toml"
BUILD = OUT / "coverage"
TESTS = ("core_test", "window_test", "model_test")
REPLAY = "guard_replay"
GUARD = ("guard.c", "memo.c", "shield.c")
KERNEL_ONLY = ("glue.c", "trace.c", "debugfs.c", "kunit.c")
# Percent, of the takeover.
LEAST_LINES = 95
LEAST_BRANCHES = 90
KEYS = ("file", "function", "line", "why")


@dataclass(frozen=True)
class Hole:
    """A line that is not executed, or not in every way."""

    file: str
    function: str
    line: str  # its text
    branches: int = 0  # that are never taken; 0: the line never runs

    def __str__(self) -> str:
        what = f"{self.branches} of its branches never taken" if self.branches else "never runs"
        return f"{self.file}, {self.function}(): {what}: {self.line}"


@dataclass
class File:
    """The figures of a file, or of several."""

    name: str
    lines: int = 0
    run: int = 0
    branches: int = 0
    taken: int = 0
    holes: list[Hole] = field(default_factory=list)

    def row(self) -> str:
        """Return a row of the table."""
        return (f"{self.name:18} {self.run:4} of {self.lines:4} lines"
                f" {percent(self.run, self.lines)} {self.taken:5} of {self.branches:4} branches"
                f" {percent(self.taken, self.branches)}")


def percent(part: int, whole: int) -> str:
    """Return a share; all but one is never 100."""
    tenths = part * 1000 // whole if whole else 1000
    return f"{tenths // 10:3}.{tenths % 10} %"


def total(name: str, files: Iterable[File]) -> File:
    """Add files up."""
    files = list(files)
    return File(name, sum(f.lines for f in files), sum(f.run for f in files),
                sum(f.branches for f in files), sum(f.taken for f in files),
                [hole for f in files for hole in f.holes])


def read_file(data: dict[str, Any], text: Sequence[str]) -> File:
    """Read what gcovr says of a file of this text."""
    file = File(Path(data["file"]).name)
    functions = sorted((f["lineno"], f["name"]) for f in data["functions"])
    for line in data["lines"]:
        if line["gcovr/noncode"]:
            continue
        counts = [branch["count"] for branch in line["branches"]]
        file.lines += 1
        file.run += line["count"] > 0
        file.branches += len(counts)
        file.taken += sum(count > 0 for count in counts)
        untaken = counts.count(0)
        if line["count"] and not untaken:
            continue
        number = line["line_number"]
        inside = [name for first, name in functions if first <= number]
        file.holes.append(Hole(file.name, inside[-1] if inside else "?", text[number - 1].strip(),
                               untaken if line["count"] else 0))
    return file


@dataclass
class Figures:
    """All that is counted, and what is wrong with it."""

    takeover: list[File]
    model: list[File]
    fuzzed: list[File]  # the guard's
    problems: list[str] = field(default_factory=list)

    def groups(self) -> list[tuple[str, list[File]]]:
        """Return the files by what was counted."""
        return [("takeover", self.takeover), ("fuzzed", self.fuzzed), ("model", self.model)]


def explanations(path: Path, kind: str = "hole") -> Counter[Hole]:
    """Read which holes are explained; several lines may read alike."""
    found: Counter[Hole] = Counter()
    for entry in tomllib.loads(path.read_text()).get(kind, []):
        branches = entry.get("branches", 0)
        if (set(entry) - {"branches"} != set(KEYS) or not isinstance(branches, int)
                or not all(isinstance(entry[k], str) and entry[k] for k in KEYS)):
            die(f"{path.name}: an entry needs {', '.join(KEYS)}, perhaps branches: {entry}")
        found[Hole(entry["file"], entry["function"], entry["line"], branches)] += 1
    return found


def judge(files: Sequence[File], expected: Iterable[str], explained: Counter[Hole]) -> list[str]:
    """Return what is wrong: too little, or not explained, or explained and not so."""
    every = total("", files)
    holes = Counter(every.holes)
    problems = [f"{name}: nothing of it is executed, or it is not built"
                for name in sorted(set(expected) - {f.name for f in files})]
    if every.run * 100 < LEAST_LINES * every.lines or not every.lines:
        problems.append(f"lines: {percent(every.run, every.lines).strip()} are less than "
                        f"{LEAST_LINES} %")
    if every.taken * 100 < LEAST_BRANCHES * every.branches:
        problems.append(f"branches: {percent(every.taken, every.branches).strip()} are less than "
                        f"{LEAST_BRANCHES} %")
    problems += [f"not explained: {hole}" for hole in (holes - explained).elements()]
    problems += [f"explained, and not so: {hole}" for hole in (explained - holes).elements()]
    return problems


def needed() -> None:
    """Ask for every program that is called."""
    need("cmake", "ninja", "g++", "gcovr", "spatch", "libgtest-dev", "libfmt-dev",
         "librapidcheck-dev", "libcli11-dev", "nlohmann-json3-dev")


def build() -> None:
    """Build what is executed."""
    with step("building the tests with counters"):
        run(["cmake", "-S", PROJECT, "-B", BUILD, "-G", "Ninja", "-DCOVERAGE=ON"])
        done = run(["cmake", "--build", BUILD, "--target", *TESTS, REPLAY], check=False)
        if done.returncode:
            errors = [s for s in done.stdout.splitlines() if "FAILED" in s or "error" in s]
            die("\n".join(errors) or done.stdout[-2000:])


def execute(*programs: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Run programs, and return what gcovr says of each file."""
    # Counters of before, also of the build, which asks a program for its tests.
    for counters in BUILD.rglob("*.gcda"):
        counters.unlink()
    for program in programs:
        done = run(program, check=False)
        if done.returncode:
            die(f"{Path(program[0]).name} failed ({done.returncode}):\n"
                f"{(done.stdout + done.stderr)[-2000:]}")
    report = BUILD / "gcovr.json"
    with step("counting"):
        run(["gcovr", "--root", TOP, "--object-directory", BUILD, BUILD, "-j",
             str(os.cpu_count() or 1), "--no-markers", "--exclude-throw-branches",
             "--filter", f"{TAKEOVER}/", "--filter", f"{MODEL}/", "--json", report])
    files: list[dict[str, Any]] = read_json(report)["files"]
    return files


def read(counted: Iterable[dict[str, Any]], folder: Path) -> list[File]:
    """Read what was counted of a folder."""
    paths = [(data, TOP / data["file"]) for data in counted]
    # Some were there when BUILD was made before.
    return [read_file(data, path.read_text().splitlines()) for data, path in paths
            if path.parent == folder and path.exists()]


def check() -> Figures:
    """Build, run and judge."""
    needed()
    build()
    tests: list[list[str | Path]] = [[BUILD / test, "--gtest_brief=1"] for test in TESTS]
    tested = execute(*tests)
    replayed = execute([BUILD / REPLAY, PROJECT / "fuzz/corpus/guard"])
    found = Figures(read(tested, TAKEOVER), read(tested, MODEL),
                    [file for file in read(replayed, TAKEOVER) if file.name in GUARD])
    expected = {path.name for path in TAKEOVER.glob("*.c")
                if path.name not in KERNEL_ONLY and not path.name.endswith("_test.c")}
    found.problems = judge(found.takeover, expected, explanations(EXPLAINED))
    found.problems += [f"by the fuzzer: {problem}" for problem in
                       judge(found.fuzzed, GUARD, explanations(EXPLAINED, "unfuzzed"))]
    return found


def summary(figures: Figures) -> str:
    """Return the figures in one line."""
    parts = []
    for what, files in figures.groups():
        f = total("", files)
        parts.append(f"{what}: {f.run} of {f.lines} lines ({percent(f.run, f.lines).strip()}), "
                     f"{f.taken} of {f.branches} branches ({percent(f.taken, f.branches).strip()})")
    return "; ".join(parts)


def command() -> int:
    """Entry point of `make coverage`."""
    argparse.ArgumentParser(description="Count what the tests execute.").parse_args()
    figures = check()
    for what, files in figures.groups():
        for file in sorted(files, key=lambda f: f.name):
            print(file.row())
        print(total(what, files).row() + "\n")
    for problem in figures.problems:
        print(problem)
    print(summary(figures))
    return 1 if figures.problems else 0


if __name__ == "__main__":
    main(command)
