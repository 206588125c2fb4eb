#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tell how fast the guard walks page tables, beside plain reads of the same bytes.

vtd-bench (tools/testing/vtd-takeover/bench) builds what 1 GiB to 1 TiB mapped in pages of 4 KiB,
2 MiB and 1 GiB take, without a bad leaf, with one, a hundred and ten thousand; with tables one
after the other and shuffled, of memory in order and scattered on both sides of the kdump kernel. By
turns it lets the guard walk them and reads all their words, in the order of the walk, four sums at
a time, both compiled with the kernel's flags. Time is the thread's own, and of each the fastest
turn counts: other work makes a turn slower, and never faster.

The bars:

  pace    at least 0.6 of plain reads, for tables larger than the last-level cache. Where more than
          a tenth of the tables is copied, each for its bad leaf, this is told only: a copy is
          written and flushed beside being read.
  linear  a table of a terabyte takes at most 1.5 times as long as one of 64 GiB.
  memory  each table is read once; at most three windows on old memory for a GiB of tables, and one
          more for a beginning.

What misses the pace or is not linear is measured again, up to three times, before it counts.

A mapping of old memory costs nothing here, it is counted. Tables are in huge pages, as windows are
in the kernel.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common import OUT, TOP, die, main, need, run, step, write_whole

PROJECT = TOP / "tools/testing/vtd-takeover"
BUILD = OUT / "bench"
RESULTS = TOP / "results/bench.json"
PROGRAM = "vtd-bench"
TABLE = 4096
PACE = 0.6
COPIED = 0.1  # of the tables, where the pace is a bar
LINEAR = 1.5
SIZES = (64, 1024)  # GiB between which the walk has to be linear
WINDOWS_PER_GIB = 3
TRIES = 4


@dataclass(frozen=True)
class Case:
    """One size of tables with so many bad leaves."""

    kind: str  # size of pages, and what lies where
    gib: int
    bad: int
    tables: int
    plain: float  # GiB/s
    walked: float
    ratio: float
    nanoseconds: float  # for a table
    bytes: float  # read for a table
    windows: int
    copies: int

    @property
    def name(self) -> str:
        """As the program has it."""
        return f"{self.kind}/{self.gib}/{self.bad}"

    @property
    def size(self) -> int:
        """Of the tables, in bytes."""
        return self.tables * TABLE

    def better(self, other: Case | None) -> Case:
        """The one that other work has slowed less."""
        return other if other and other.nanoseconds < self.nanoseconds else self


@dataclass(frozen=True)
class Measured:
    """What a run of the program says."""

    cache: int  # bytes of the last level
    cases: list[Case]

    def judged(self, case: Case) -> bool:
        """Is the pace of this case a bar?"""
        return case.size > self.cache and case.copies <= COPIED * case.tables


# Building and running ------------------------------------------------------------------------


def needed() -> None:
    """Ask for what is called."""
    need("cmake", "ninja", "g++", "libbenchmark-dev", "libgtest-dev", "libfmt-dev",
         "librapidcheck-dev", "libcli11-dev", "nlohmann-json3-dev")


def build() -> None:
    """Build the program."""
    with step(f"building {PROGRAM}"):
        run(["cmake", "-S", PROJECT, "-B", BUILD, "-G", "Ninja"])
        done = run(["cmake", "--build", BUILD, "--target", PROGRAM], check=False)
    if done.returncode:
        errors = [s for s in done.stdout.splitlines() if "error" in s]
        die("\n".join(errors) or done.stdout[-2000:])


def measure(only: str = ".") -> Measured:
    """Run the program for the cases of this name."""
    report = BUILD / "report.json"
    report.unlink(missing_ok=True)
    with step(f"walking {only}" if only != "." else "walking"):
        run([BUILD / PROGRAM, f"--benchmark_filter={only}", f"--benchmark_out={report}",
             "--benchmark_out_format=json"])
    return read(json.loads(report.read_text()))


def read(report: Any) -> Measured:
    """Understand what Google Benchmark writes."""
    cases = []
    for one in report["benchmarks"]:
        if one.get("error_occurred"):
            die(f"{one['name']}: {one['error_message']}")
        kind, gib, bad = one["name"].split("/")[:3]
        cases.append(Case(kind, int(gib), int(bad), int(one["tables"]), one["plain"],
                          one["walked"], one["ratio"], one["ns"], one["bytes"],
                          int(one["windows"]), int(one["copies"])))
    if not cases:
        die(f"{PROGRAM} measured nothing")
    caches = report["context"]["caches"]
    level = max(cache["level"] for cache in caches)
    return Measured(max(cache["size"] for cache in caches if cache["level"] == level), cases)


# Judging -------------------------------------------------------------------------------------


def too_slow(measured: Measured) -> Iterator[tuple[Case, str]]:
    """What does not keep the pace of plain reads."""
    for case in measured.cases:
        if measured.judged(case) and case.ratio < PACE:
            yield case, f"{case.name}: {case.ratio:.2f} of plain reads, {PACE} is the bar"


def not_linear(measured: Measured) -> Iterator[tuple[Case, str]]:
    """Whose tables take longer when there are more of them."""
    by_name = {case.name: case for case in measured.cases if measured.judged(case)}
    for name, many in by_name.items():
        few = by_name.get(f"{many.kind}/{SIZES[0]}/{many.bad}")
        if many.gib != SIZES[1] or few is None:
            continue
        # Plain reads take longer as well, where tables lie all over the place.
        factor = many.nanoseconds / few.nanoseconds / max(1, few.plain / many.plain)
        if factor > LINEAR:
            yield many, (f"{name}: {many.nanoseconds:.0f} ns for a table, {few.nanoseconds:.0f} ns "
                         f"with {SIZES[0]} GiB: not linear")


def too_much(measured: Measured) -> Iterator[str]:
    """Who reads or maps more than it has to."""
    for case in measured.cases:
        if case.bytes != TABLE:
            yield f"{case.name}: {case.bytes:.0f} bytes read of a table"
        if case.windows > 1 + WINDOWS_PER_GIB * case.size / 2**30:
            yield f"{case.name}: {case.windows} windows on old memory"


def again(measured: Measured) -> Measured:
    """Measure once more what other work may have spoilt."""
    for _ in range(TRIES - 1):
        missed = {case.name for case, _ in (*too_slow(measured), *not_linear(measured))}
        if not missed:
            break
        only = f"^({'|'.join(sorted(missed))})/"
        second = {case.name: case for case in measure(only).cases}
        measured = Measured(measured.cache,
                            [case.better(second.get(case.name)) for case in measured.cases])
    return measured


def problems(measured: Measured) -> list[str]:
    """Every bar that is missed."""
    return [*(text for _, text in too_slow(measured)), *(text for _, text in not_linear(measured)),
            *too_much(measured)]


def table(measured: Measured) -> str:
    """The figures, for people; a star is where the pace is a bar."""
    lines = [f"{'pages':22} {'GiB':>5} {'bad':>6} {'tables':>7} {'MiB':>7} {'plain':>6} "
             f"{'walked':>6} {'ratio':>6}  {'ns/table':>8} {'copies':>6} {'windows':>7}"]
    for case in measured.cases:
        star = "*" if measured.judged(case) else " "
        lines.append(f"{case.kind:22} {case.gib:5} {case.bad:6} {case.tables:7} "
                     f"{case.size / 2**20:7.2f} {case.plain:6.1f} {case.walked:6.1f} "
                     f"{case.ratio:6.2f}{star} {case.nanoseconds:8.0f} {case.copies:6} "
                     f"{case.windows:7}")
    return "\n".join(lines)


def as_json(measured: Measured) -> str:
    """What is written: ratios and counts, which mean something on another machine, too."""
    return json.dumps({
        "last-level cache": measured.cache,
        "cases": {case.name: {"tables": case.tables, "ratio": round(case.ratio, 3),
                              "judged": measured.judged(case), "bytes": case.bytes,
                              "windows": case.windows, "copies": case.copies}
                  for case in measured.cases}}, indent=1) + "\n"


def command() -> int:
    """Entry point of `make bench`."""
    parser = argparse.ArgumentParser(description="Measure how fast the guard walks page tables.")
    parser.add_argument("--only", default=".", metavar="REGEX",
                        help="cases of this name alone, as 4K/64/0; nothing is written")
    args = parser.parse_args()
    needed()
    build()
    measured = again(measure(args.only))
    print(table(measured))
    if args.only == ".":
        write_whole(RESULTS, as_json(measured))
    missed = problems(measured)
    for problem in missed:
        print(f"FAIL {problem}")
    judged = [case for case in measured.cases if measured.judged(case)]
    worst = min(judged, key=lambda case: case.ratio, default=None)
    print(f"{len(measured.cases)} cases, {len(judged)} of them larger than the cache of "
          f"{measured.cache / 2**20:.0f} MiB, {len(missed)} problems"
          + (f"; at least {worst.ratio:.2f} of plain reads ({worst.name})" if worst else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    main(command)
