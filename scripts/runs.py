#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Results of runs as typed data: read, checked, put beside the rows that should have one.

What a result holds is said at the heads of outcome.py and course.py; the optional parts are told of
below, where they are read. Nothing is drawn, written or judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from common import OUT, TOP, Failure, die, read_json

MATRIX = OUT / "matrix/results.json"
FOLDERS = OUT / "kdump"
KEPT = TOP / "results/runs.json.xz"
FLAVOURS = ("takeover", "stock")
VERDICTS = ("PASS", "FAIL", "NO RESULT", "SKIP")
NOT_RUN = "not run"
APART = "not for this kernel"

Found = TypeVar("Found")
Buckets = list[tuple[float, int]]


@dataclass(frozen=True)
class Lane:
    """What one device did."""

    name: str
    released: float | None = None
    in_flight: Buckets = field(default_factory=list)
    translated: Buckets = field(default_factory=list)
    faulted: Buckets = field(default_factory=list)
    blocked: float | None = None  # optional: when its blocked entry took effect
    attempts: Buckets = field(default_factory=list)  # optional: what it tried in vain since


@dataclass(frozen=True)
class Timeline:
    """A run in seconds of guest time since the panic."""

    marks: dict[str, float]  # optional here: "end", when nobody waited any longer
    translation: list[tuple[float, int]]
    bucket: float
    lanes: list[Lane]


@dataclass(frozen=True)
class Run:
    """What became of one row on one kernel."""

    row: str
    kernel: str
    flavour: str
    verdict: str
    fails: list[str] = field(default_factory=list)
    expected: str | list[str] = "clean"
    as_measured: bool | None = None
    judged: dict[str, tuple[str, str]] = field(default_factory=dict)  # verdict and text
    first: str = ""
    crash: str = ""
    functions: list[str] = field(default_factory=list)
    faults: int | None = None
    timeline: Timeline | None = None
    no_results: int = 0
    repeat: str = ""
    folder: str = ""
    date: str = ""
    qemu: str = ""
    accel: str = ""
    why: str = ""
    linux: str = ""  # exact version of the kernel that was to save the dump

    @property
    def judgeable(self) -> bool:
        """Did it come to an end that says something about the kernel?"""
        return self.verdict in ("PASS", "FAIL")

    @property
    def good(self) -> bool:
        """Did it go as its row asks, or, on the stock kernel, as it was measured to go?"""
        if not self.judgeable:
            return False
        return self.as_measured if self.as_measured is not None else self.verdict == "PASS"

    @property
    def saved(self) -> float | None:
        """Seconds from the panic to the saved dump."""
        return self.timeline.marks.get("dump saved") if self.timeline else None

    @property
    def outcome(self) -> str:
        """The worst of what happened, in a word: the key of what tables and grids show."""
        if self.verdict == "PASS":
            return "clean"
        if self.verdict != "FAIL":
            return {"SKIP": "skip", "NO RESULT": "none", APART: "apart"}.get(self.verdict,
                                                                             "missing")
        return next((word for word, name in (("lost", "dump"), ("off", "ON"), ("held", "release"))
                     if name in self.fails and (word != "held" or self.fails == [name])), "fail")


def no_run(row: str, kernel: str, flavour: str) -> Run:
    """Stands for a run that never was."""
    return Run(row, kernel, flavour, NOT_RUN)


# Reading -----------------------------------------------------------------------------------------


class Malformed(Exception):
    """What is wrong, without the file's name."""


def take(data: Any, key: str, kind: type[Found], where: str) -> Found:
    """Return a member that has to be there and to be of a kind."""
    if not isinstance(data, dict) or key not in data:
        raise Malformed(f"{where}: no {key!r}")
    value = data[key]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Malformed(f"{where}: {key!r} is {value!r:.40}, not {kind.__name__}")
    return value


def maybe(data: Any, key: str, kind: type[Found], where: str, otherwise: Found) -> Found:
    """Return a member that may be absent or null."""
    return otherwise if data.get(key) is None else take(data, key, kind, where)


def pairs(data: Any, key: str, where: str) -> Buckets:
    """Return [[seconds, number], ...] as pairs."""
    found: Buckets = []
    for pair in maybe(data, key, list, where, []):
        if not (isinstance(pair, list) and len(pair) == 2
                and all(isinstance(n, (int, float)) for n in pair)):
            raise Malformed(f"{where}: {key!r} has {pair!r:.40}, not [seconds, number]")
        found.append((float(pair[0]), int(pair[1])))
    return found


def strings(data: Any, key: str, where: str) -> list[str]:
    """Return a list of strings, empty if there is none."""
    return [str(text) for text in maybe(data, key, list, where, [])]


def seconds(data: Any, key: str, where: str) -> float | None:
    """Return a time that may be absent or null."""
    return None if data.get(key) is None else take(data, key, float, where)


def read_timeline(data: dict[str, Any], where: str) -> Timeline:
    """Return a timeline, checked."""
    marks = take(data, "marks", dict, where)
    lanes = []
    for lane in take(data, "devices", list, where):
        lanes.append(Lane(
            name=take(lane, "name", str, where), released=seconds(lane, "released", where),
            in_flight=pairs(lane, "in_flight", where), translated=pairs(lane, "translated", where),
            faulted=pairs(lane, "faulted", where), blocked=seconds(lane, "blocked", where),
            attempts=pairs(lane, "attempts", where)))
    return Timeline(marks={name: take(marks, name, float, where) for name in marks},
                    translation=pairs(data, "translation", where),
                    bucket=take(data, "bucket", float, where), lanes=lanes)


def read_run(data: Any, where: str) -> Run:
    """Return a result, checked."""
    where = f"{where}: {data['row']}" if isinstance(data, dict) and "row" in data else where
    verdict = take(data, "verdict", str, where)
    if verdict not in VERDICTS:
        raise Malformed(f"{where}: verdict {verdict!r}")
    flavour = take(data, "flavour", str, where)
    if flavour not in FLAVOURS:
        raise Malformed(f"{where}: flavour {flavour!r}")
    judged = {name: (take(one, "verdict", str, where), take(one, "text", str, where))
              for group in ("invariants", "checks")
              for name, one in maybe(data, group, dict, where, {}).items()}
    facts = maybe(data, "facts", dict, where, {})
    expected = data.get("expected") or "clean"
    timeline = maybe(data, "timeline", dict, where, {})
    return Run(
        row=take(data, "row", str, where), kernel=take(data, "kernel", str, where),
        flavour=flavour, verdict=verdict, fails=strings(data, "fails", where),
        expected=[str(e) for e in expected] if isinstance(expected, list) else str(expected),
        as_measured=take(data, "as_measured", bool, where) if "as_measured" in data else None,
        judged=judged, first=maybe(facts, "first", str, where, ""),
        crash=maybe(facts, "crash", str, where, ""), functions=strings(facts, "devices", where),
        faults=facts.get("faults") if isinstance(facts.get("faults"), int) else None,
        timeline=read_timeline(timeline, where) if timeline else None,
        no_results=maybe(data, "no_results", int, where, 0),
        repeat=maybe(data, "repeat", str, where, ""), folder=maybe(data, "folder", str, where, ""),
        date=maybe(data, "date", str, where, ""), qemu=maybe(data, "qemu", str, where, ""),
        accel=maybe(data, "accel", str, where, ""), why=maybe(data, "why", str, where, ""),
        linux=maybe(data, "linux", str, where, ""))


def load_json(path: Path) -> Any:
    """Read a JSON file; say in one line what is wrong with it."""
    try:
        return read_json(path)
    except OSError as error:
        die(f"{shown(path)}: {error.strerror}")
    except ValueError as error:
        die(f"{shown(path)}: not JSON: {error}")


def shown(path: Path) -> str:
    """A path as people know it."""
    return str(path.relative_to(TOP)) if path.is_relative_to(TOP) else str(path)


def checked(path: Path, read: Callable[[Any], Found]) -> Found:
    """Turn a JSON file into data."""
    data = load_json(path)
    try:
        return read(data)
    except Malformed as problem:
        die(f"{shown(path)}: {problem}")


def read_matrix(data: Any) -> list[Run]:
    """The rows of a results.json."""
    if maybe(data, "schema", int, "top", 0) != 1 if isinstance(data, dict) else True:
        raise Malformed("not the results of schema 1")
    return [read_run(row, f"result {number}")
            for number, row in enumerate(take(data, "rows", list, "top"), 1)]


def load(path: Path | None = None) -> list[Run]:
    """Return every result: the matrix's, or what lies in out/kdump, or the kept ones."""
    singles = sorted(FOLDERS.glob("*/*/result.json"))
    if path is None and not MATRIX.exists() and singles:
        return [checked(one, lambda data: read_run(data, "result")) for one in singles]
    place = path or (MATRIX if MATRIX.exists() else KEPT)
    if not (found := checked(place, read_matrix)):
        die(f"{shown(place)}: no results (make kdump, make matrix)")
    return found


# Putting together --------------------------------------------------------------------------------


def version(name: str) -> tuple[int, ...]:
    """A key that sorts 6.1 before 6.12 before 7.3."""
    return tuple(int(digits) for digits in re.findall(r"\d+", name))


@dataclass(frozen=True)
class Table:
    """Each row on each kernel and flavour, those that were not run included."""

    rows: list[str]
    kernels: list[str]
    runs: dict[tuple[str, str, str], Run]  # kernel, flavour, row
    others: list[Run]  # results of rows that there are no longer, or not for that kernel
    meant: Callable[[str, str], bool] = lambda row, kernel: True  # is a row for a kernel?

    def run(self, kernel: str, flavour: str, row: str) -> Run:
        """The result, or what stands for none."""
        nothing = NOT_RUN if self.meant(row, kernel) else APART
        return self.runs.get((kernel, flavour, row)) or Run(row, kernel, flavour, nothing)

    def column(self, kernel: str, flavour: str) -> list[Run]:
        """All rows of one kernel; not those that are for others only."""
        found = [self.run(kernel, flavour, row) for row in self.rows]
        return [one for one in found if one.verdict != APART]


def table(found: Iterable[Run], rows: list[str],
          meant: Callable[[str, str], bool] = lambda row, kernel: True) -> Table:
    """Put results beside the rows. Of two for one place the later counts."""
    runs: dict[tuple[str, str, str], Run] = {}
    others = []
    for one in sorted(found, key=lambda r: r.date):
        if one.row in rows and meant(one.row, one.kernel):
            runs[one.kernel, one.flavour, one.row] = one
        else:
            others.append(one)
    kernels = sorted({kernel for kernel, _, _ in runs}, key=version)
    if not kernels:
        raise Failure("no result belongs to a row of scenarios.toml")
    return Table(rows, kernels, runs, others, meant)


def exact(tab: Table, kernel: str) -> list[str]:
    """The exact versions of a kernel, as it said itself when it booted."""
    return sorted({one.linux for (name, _, _), one in tab.runs.items()
                   if name == kernel and one.linux}, key=version)
