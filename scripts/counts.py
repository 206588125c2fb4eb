#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Count what the takeover does, in instructions, beside Linux's own functions.

vtd-counts (tools/testing/vtd-takeover/bench) does the work of both under callgrind, over machines
of 1 to 4096 devices; both call the same stand-ins for the rest of the kernel, so that the counts
differ by their own code only. Here they are read and judged: at most 3 % more than the figures that
are checked in, results/counts.json; at most 1.2 times stock's; linear in entries.

What is held against each other is like work:

  adoption    old root table to ours installed, with the bitmaps that either needs. In scalable mode
              without the PASID entries, which stock does not look at: so it gives the ids of old
              domains to new ones. What they cost stands in lines of its own, with nothing beside.
              An entry that is as the last good one of its kind is held against that, others are
              judged in full. "mixed" has kinds by turns; "scattered" has page tables in two ranges
              of RAM by turns, which is the worst case, made up, and told only. "snooping" is legacy
              mode on a unit that needs no flushes: stock leaves them out. The takeover does not, as
              some of what it makes is walked without snooping whatever the unit does. Told only.
  interrupts  the old interrupt table, 65536 entries, so many of them present.
  attach      what the context entry costs when a driver first maps. Stock tears the old entry down
              and writes the new one in one function; the takeover tears it down, and then the same
              function of stock's finds it free. What the series puts into that one,
              takeover_own_table(), is counted with the tearing down.
  release     of this, the old entry alone: on stock's side the difference between a copied entry
              and a free one. Told, and not judged, but against the figures of before.

The guard is what stock does not do: nothing is forbidden above, so that it returns at once. Its own
costs are counted apart, by vtd-guard-counts, over 1 to 64 GiB that a device maps:

  guard       in pages of 4K, of 2M; with a hundred "bad" leaves; "shared" by 64 devices; tables and
              what they map "scattered" all over the memory. Here the number that stands for devices
              is that of GiB. Each table is read once, whole; what is known of it takes at most 16
              bytes, where there are many.

A mapping of old memory costs nothing here; mappings and bytes are counted. The takeover copies each
page that it reads, since a machine check may have left poison there, and maps page by page, so that
poison costs that page; stock maps, and reads in place.

rep movs and rep stos count a repetition as an instruction: a page is 512, as in any other loop.
Cycles, and what hardware takes, are not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import stock
from common import OUT, TOP, Failure, die, main, need, read_json, run, step, write_whole
from source import DEFAULT, Source, find
from tally import Tally

PROJECT = TOP / "tools/testing/vtd-takeover"
BUILD = OUT / "counts"
BASELINE = TOP / "results/counts.json"
PROGRAM = "vtd-counts"
GUARD = "vtd-guard-counts"
PASIDS = "takeover_reserve_pasids"  # what stock does not do
REGRESSION = 1.03
RATIO = 1.2
LINEAR = 1.05
# Three sizes between which the cost of an entry must not grow: within a table; in whole tables.
STEPS = ((1, 16, 64), (256, 1024, 4096))
JUDGED = {"adoption", "interrupts", "attach"}
TOLD = {"scattered", "snooping"}  # modes that are not held against stock
TABLE = 4096
KNOWN_BYTES = 16  # of a table, for the guard to know it again
MANY_TABLES = 4096  # of fewer, whole pages of that are more


@dataclass(frozen=True)
class Cost:
    """What one side spent."""

    instructions: int = 0
    mappings: int = 0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.instructions + other.instructions, self.mappings + other.mappings,
                    self.bytes + other.bytes)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.instructions - other.instructions, self.mappings - other.mappings,
                    self.bytes - other.bytes)


@dataclass(frozen=True)
class Row:
    """One phase over one machine."""

    phase: str
    mode: str
    devices: int
    ours: Cost
    stock: Cost | None  # which has nothing like it
    tables: int = 0  # the guard's
    known: int = 0  # bytes to know them again

    @property
    def name(self) -> str:
        """As in the baseline and in problems."""
        return f"{self.phase}/{self.mode}/{self.devices}"

    @property
    def judged(self) -> bool:
        """Is stock's a bound?"""
        return self.stock is not None and self.phase in JUDGED and self.mode not in TOLD

    @property
    def ratio(self) -> float | None:
        """To stock."""
        return self.ours.instructions / self.stock.instructions if self.stock else None


# Building and running ------------------------------------------------------------------------


def needed() -> None:
    """Ask for what is called."""
    need("cmake", "ninja", "g++", "spatch", "valgrind", "libgtest-dev", "libfmt-dev",
         "librapidcheck-dev", "libcli11-dev", "nlohmann-json3-dev")


def build(source: Source) -> str:
    """Build the program with Linux's functions; return the compiler's name and version."""
    code = BUILD / "linux"
    stock.write(source, code)
    with step(f"building {PROGRAM} and {GUARD}"):
        run(["cmake", "-S", PROJECT, "-B", BUILD, "-G", "Ninja", f"-DSTOCK_CODE={code}"])
        done = run(["cmake", "--build", BUILD, "--target", PROGRAM, "--target", GUARD],
                   check=False)
    if done.returncode:
        errors = [s for s in done.stdout.splitlines() if "error" in s]
        die("\n".join(errors) or done.stdout[-2000:])
    found = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(),
                      re.MULTILINE)
    assert found
    return run([found[1], "--version"]).stdout.splitlines()[0]


def callgrind(program: str) -> tuple[dict[str, str], list[list[str]]]:
    """Run a program under callgrind; return its dumps by name, and the words that it printed."""
    folder = BUILD / "callgrind" / program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with step(f"counting instructions of {program}"):
        done = run(["valgrind", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no",
                    f"--callgrind-out-file={folder / 'out'}", BUILD / program], check=False)
    if done.returncode:
        said = [s for s in done.stderr.splitlines() if s.startswith(program)]
        die("\n".join(said) or f"valgrind failed: {done.stderr[-1000:]}")
    dumps = {}
    for path in folder.iterdir():
        text = path.read_text()
        if found := re.search(r"^desc: Trigger: Client Request: (\S+)$", text, re.MULTILINE):
            dumps[found[1]] = text
    lines = [line.split() for line in done.stdout.splitlines()]
    if not lines:
        die(f"{program} counted nothing")
    for name, *_ in lines:
        if name not in dumps:
            die(f"callgrind says nothing of {name}")
    return dumps, lines


def measure() -> dict[str, dict[str, Cost]]:
    """Count; return by phase/mode/devices/side the whole and its PASID part."""
    dumps, lines = callgrind(PROGRAM)
    found: dict[str, dict[str, Cost]] = {}
    for name, *numbers in lines:
        mappings, size, pasid_mappings, pasid_size = (int(n) for n in numbers)
        found[name] = {"all": Cost(total(dumps[name]), mappings, size),
                       "pasids": Cost(inclusive(dumps[name], PASIDS), pasid_mappings, pasid_size)}
    return found


def measure_guard() -> list[Row]:
    """Count what the guard alone does."""
    dumps, lines = callgrind(GUARD)
    rows = []
    for name, *numbers in lines:
        phase, mode, gib = name.split("/")
        tables, windows, size, known = (int(n) for n in numbers)
        rows.append(Row(phase, mode, int(gib), Cost(total(dumps[name]), windows, size), None,
                        tables, known))
    return sorted(rows, key=lambda row: (row.mode, row.devices))


def total(dump: str) -> int:
    """The instructions of one dump of callgrind's."""
    found = re.search(r"^totals: (\d+)$", dump, re.MULTILINE)
    if not found:
        die("a dump of callgrind's has no total")
    return int(found[1])


def inclusive(dump: str, function: str) -> int:
    """What the calls of a function cost, with all that it called itself."""
    calls = re.findall(rf"^cfn={function}\n(?:cfi=.*\n|cfl=.*\n|cob=.*\n)*calls=.*\n\S+ (\d+)$",
                       dump, re.MULTILINE)
    return sum(int(cost) for cost in calls)


def compare(found: dict[str, dict[str, Cost]]) -> list[Row]:
    """Put like work beside like work."""
    rows = []
    for name, cost in found.items():
        phase, mode, devices, side = name.split("/")
        if side != "takeover" or phase == "idle":
            continue

        def theirs(phase: str, where: str = f"{mode}/{devices}/stock") -> Cost:
            return found[f"{phase}/{where}"]["all"]

        where = (mode, int(devices))
        if phase == "release":
            idle = theirs("idle")
            ours = cost["all"] - idle
            fill, both = theirs("fill") - idle, theirs("release") - idle
            rows.append(Row("attach", *where, ours + fill, both))
            rows.append(Row("release", *where, ours, both - fill))
        else:
            rows.append(Row(phase, *where, cost["all"] - cost["pasids"], theirs(phase)))
        if cost["pasids"].instructions:
            rows.append(Row("PASIDs", *where, cost["pasids"], None))
    phases = ["adoption", "PASIDs", "interrupts", "attach", "release"]
    return sorted(rows, key=lambda row: (phases.index(row.phase), row.mode, row.devices))


# Judging -------------------------------------------------------------------------------------


def regressions(rows: list[Row], kept: dict[str, Any]) -> Iterator[str]:
    """What has grown since the baseline, and what it does not know."""
    for row in rows:
        old = kept.get(row.name)
        if old is None:
            yield f"{row.name}: not in the baseline: counts.py --keep"
            continue
        if row.ours.instructions > REGRESSION * old["instructions"]:
            yield (f"{row.name}: {row.ours.instructions} instructions, "
                   f"{row.ours.instructions / old['instructions'] - 1:.1%} more than the "
                   f"{old['instructions']} of the baseline")
        # Of these there is no noise.
        for what in ("mappings", "bytes"):
            if getattr(row.ours, what) > old[what]:
                yield (f"{row.name}: {getattr(row.ours, what)} {what} of old memory, "
                       f"the baseline has {old[what]}")
    for name in kept.keys() - {row.name for row in rows}:
        yield f"{name}: in the baseline, and not counted"


def too_dear(rows: list[Row]) -> Iterator[str]:
    """What costs more than it may beside stock."""
    for row in rows:
        if row.judged and row.ratio is not None and row.ratio > RATIO:
            yield f"{row.name}: {row.ratio:.3f} times stock, {RATIO} is the bound"


def too_much(rows: list[Row]) -> Iterator[str]:
    """Where the guard reads or remembers more than it has to."""
    for row in rows:
        if not row.tables:
            continue
        if row.ours.bytes != row.tables * TABLE:
            yield (f"{row.name}: {row.ours.bytes / row.tables:.0f} bytes read of a table, "
                   f"{TABLE} are in it")
        if row.tables >= MANY_TABLES and row.known > KNOWN_BYTES * row.tables:
            yield (f"{row.name}: {row.known / row.tables:.1f} bytes to know a table again, "
                   f"{KNOWN_BYTES} is the bound")


def not_linear(rows: list[Row]) -> Iterator[str]:
    """Where an entry costs more if there are more of them."""
    by_name = {row.name: row.ours for row in rows}
    for phase, mode in sorted({(row.phase, row.mode) for row in rows}):
        for sizes in STEPS:
            costs = [by_name.get(f"{phase}/{mode}/{n}") for n in sizes]
            few, some, many = costs
            if few is None or some is None or many is None:
                continue
            before, after = (
                (there.instructions - here.instructions) / (n - m)
                for here, there, m, n in ((few, some, sizes[0], sizes[1]),
                                          (some, many, sizes[1], sizes[2])))
            if after > LINEAR * before:
                yield (f"{phase}/{mode}: an entry costs {before:.1f} instructions from {sizes[0]} "
                       f"to {sizes[1]}, and {after:.1f} from {sizes[1]} to {sizes[2]}: not linear")


def table(rows: list[Row]) -> str:
    """The figures beside stock's, for people."""
    lines = [f"{'phase':10} {'mode':9} {'devices':>7} {'takeover':>9} {'stock':>9} {'ratio':>6} "
             f"{'per entry':>9} {'mappings':>13} {'KiB read':>13}"]
    for row in rows:
        theirs = row.stock
        beside = (f"{theirs.instructions:9} {row.ratio:6.2f}" if theirs else f"{'-':>9} {'-':>6}")
        mappings = f"{row.ours.mappings}/{theirs.mappings if theirs else '-'}"
        size = f"{row.ours.bytes / 1024:.0f}/{f'{theirs.bytes / 1024:.0f}' if theirs else '-'}"
        lines.append(f"{row.phase:10} {row.mode:9} {row.devices:7} {row.ours.instructions:9} "
                     f"{beside} {row.ours.instructions / row.devices:9.1f} {mappings:>13} "
                     f"{size:>13}")
    return "\n".join(lines)


def guard_table(rows: list[Row]) -> str:
    """The guard's figures, for people."""
    lines = [f"{'guard':10} {'GiB':>4} {'tables':>7} {'instructions':>12} {'per table':>9} "
             f"{'read':>6} {'known':>6} {'windows':>7}"]
    for row in rows:
        lines.append(f"{row.mode:10} {row.devices:4} {row.tables:7} {row.ours.instructions:12} "
                     f"{row.ours.instructions / row.tables:9.1f} "
                     f"{row.ours.bytes / row.tables:6.0f} {row.known / row.tables:6.1f} "
                     f"{row.ours.mappings:7}")
    return "\n".join(lines)


def as_json(rows: list[Row], compiler: str, source: Source) -> str:
    """What is checked in."""
    figures = {row.name: {"instructions": row.ours.instructions, "mappings": row.ours.mappings,
                          "bytes": row.ours.bytes,
                          "stock": row.stock.instructions if row.stock else None,
                          **({"tables": row.tables, "known": row.known} if row.tables else {})}
               for row in rows}
    return json.dumps({"compiler": compiler, "linux": source.label, "figures": figures},
                      indent=1) + "\n"


def judge(rows: list[Row], compiler: str, baseline: Any) -> tuple[list[str], str]:
    """Return what is wrong, and what was not compared."""
    problems = [*too_dear(rows), *too_much(rows), *not_linear(rows)]
    if baseline["compiler"] != compiler:
        return problems, (f"not compared with the baseline, which is of {baseline['compiler']}: "
                          f"this is {compiler}")
    return [*regressions(rows, baseline["figures"]), *problems], ""


def kept() -> Any:
    """The figures that are checked in."""
    try:
        return read_json(BASELINE)
    except FileNotFoundError:
        die(f"there is no {BASELINE.relative_to(TOP)}: counts.py --keep writes it")


def count(source: Source) -> tuple[list[Row], str]:
    """Build, run and put together; return the compiler's name as well."""
    compiler = build(source)
    return [*compare(measure()), *measure_guard()], compiler


def check(tally: Tally) -> None:
    """Count each phase of each mode as a test."""
    try:
        rows, compiler = count(find(DEFAULT))
        problems, left_out = judge(rows, compiler, kept())
    except Failure as failure:
        tally.add("counts: run", str(failure))
        return
    if left_out:
        print(f"SKIP counts: {left_out}", flush=True)
    names = [*(row.name for row in rows), *problems]
    # Of one phase in one mode; problems begin with its name, too.
    for name in dict.fromkeys("/".join(re.split("[/:]", text)[:2]) for text in names):
        tally.add(f"counts: {name}",
                  "\n".join(p for p in problems if re.match(rf"{name}[/:]", p)))


def command() -> int:
    """Entry point of `make counts`."""
    parser = argparse.ArgumentParser(description="Count instructions, beside stock's.")
    parser.add_argument("--keep", action="store_true",
                        help=f"write the figures to {BASELINE.relative_to(TOP)}")
    args = parser.parse_args()
    needed()
    source = find(DEFAULT)
    rows, compiler = count(source)
    print(table([row for row in rows if not row.tables]))
    print()
    print(guard_table([row for row in rows if row.tables]))
    if args.keep:
        write_whole(BASELINE, as_json(rows, compiler, source))
    problems, left_out = judge(rows, compiler, kept())
    if left_out:
        print(left_out)
    for problem in problems:
        print(f"FAIL {problem}")
    worst = max((row for row in rows if row.judged),
                key=lambda row: row.ratio or 0)
    print(f"{len(rows)} figures, {len(problems)} problems; at most {worst.ratio:.2f} times stock "
          f"({worst.name})")
    return 1 if problems else 0


if __name__ == "__main__":
    main(command)
