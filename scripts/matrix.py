#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""All rows on all kernels, with the takeover and without: what `make matrix` stands for.

Rows are data (scenarios.toml), a run is course.py's, several at a time are runner.py's. Here the
product of kernels and rows is made, filtered and divided, and results become reports.

Standard output is KTAP, one subtest a kernel, standard error the progress. out/matrix gets
results.ktap and results.json, also after an interruption:

    {"schema": 1, "planned": ["6.12-takeover/cmd-dma-dma", ...], "rows": [...]}

with rows as in a result.json (course.py, outcome.py). A row is ok if it went as it should: on our
kernel PASS, or what the row asks for; on stock what was measured there.

A lab divides the work: `--shard i/n` runs the i-th of n parts, which depend on nothing but names,
and writes results-i-of-n.*; `--merge FILE ...` makes one report of several results.json. What a
shard had planned and did not get to is not ok there.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path


import scenarios
import source
from common import OUT, TOP, die, main, read_json, say, write_whole
from course import Kernel, good
from ktap import Ktap, Test
from runner import Job, Result, Shelf, end_on_signal, prepare, progress, run_jobs
from scenarios import Row

FOLDER = OUT / "matrix"
FLAVOURS = ("takeover", "stock")
SCHEMA = 1


def product(rows: Iterable[Row], versions: Sequence[str], flavours: Sequence[str],
            variant: str = "") -> list[Job]:
    """Every row on every kernel that it is for, kernel by kernel."""
    rows = [scenarios.alarmed(row, variant) for row in rows] if variant else list(rows)
    return [Job(row, Kernel(version, flavour == "stock", variant))
            for version in dict.fromkeys(versions) for flavour in dict.fromkeys(flavours)
            for row in rows if row.runs_on(version)]


def choose(rows: dict[str, Row], patterns: list[str], tags: list[str]) -> list[Row]:
    """Rows by pattern or by tag; all if neither is asked for."""
    known = {tag for row in rows.values() for tag in row.tags}
    if missing := set(tags) - known:
        die(f"no row is tagged {' '.join(missing)}; there are: {' '.join(sorted(known))}")
    for pattern in patterns:
        if not fnmatch.filter(rows, pattern):
            die(f"no row fits {pattern}")
    return [row for row in rows.values() if not patterns and not tags or set(tags) & set(row.tags)
            or any(fnmatch.fnmatchcase(row.name, pattern) for pattern in patterns)]


def shard(jobs: Sequence[Job], text: str) -> list[Job]:
    """The i-th of n parts. By a hash of the name: new rows move no old one to another part."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        die(f"--shard {text}: i/n, please, with i from 1 to n")
    part, parts = int(match[1]), int(match[2])
    return [job for job in jobs
            if int(hashlib.sha256(job.name.encode()).hexdigest()[:8], 16) % parts == part - 1]


def name_of(data: Result) -> str:
    variant = f"-{data['variant']}" if "variant" in data else ""
    return f"{data['kernel']}-{data['flavour']}{variant}/{data['row']}"


def as_test(data: Result) -> Test:
    """A result as a report tells it."""
    if data["verdict"] == "SKIP":
        return Test(data["row"], True, skipped=data["why"])
    lines: list[str] = []
    if data.get("no_results"):
        lines.append(f"{data['no_results']} runs were spoilt and are no result")
    if not good(data):
        said = {**data.get("invariants", {}), **data.get("checks", {})}
        asked = f", expected: {data['expected']}" if "expected" in data else ""
        lines.append(f"{data['verdict']}{asked}")
        lines += [f"{n}: {said[n]['text']}" for n in data["fails"] if n in said]
        lines += [data["why"]] if data.get("why") else []
        lines.append(f"again: {data['repeat']}")
    return Test(data["row"], good(data), lines=[line for text in lines
                                                for line in text.splitlines()])


def summary(results: Sequence[Result], planned: int) -> str:
    """The closing line."""
    counts = Counter("skipped" if data["verdict"] == "SKIP" else "ok" if good(data) else "not ok"
                     for data in results)
    spoilt = sum(data.get("no_results", 0) for data in results)
    kept = sum(bool(data.get("resumed")) for data in results)
    return (f"{planned} rows: {counts['ok']} ok, {counts['not ok']} not ok, "
            f"{counts['skipped']} skipped, {planned - len(results)} not run; {kept} kept from "
            f"earlier runs; no result in {spoilt} runs, which were repeated")


class Report:
    """KTAP on standard output as results come, and both files at the end."""

    def __init__(self, planned: Sequence[str]) -> None:
        self.planned = list(planned)
        self.results: list[Result] = []
        self.lines: list[str] = []
        self.groups = Counter(name.partition("/")[0] for name in planned)
        self.ktap = Ktap(len(self.groups), self.put)

    def put(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)

    def add(self, results: Iterable[Result]) -> None:
        """Tell of results as they come; those of a kernel come one after the other."""
        for group, members in groupby(results, lambda d: name_of(d).partition("/")[0]):
            self.ktap.begin(group, self.groups[group])
            for data in members:
                self.results.append(data)
                self.ktap.test(as_test(data))
                progress(len(self.results), len(self.planned))
            self.ktap.end()

    def write(self, files: Sequence[Path]) -> None:
        """Write what there is: .json gets the data, .ktap the report."""
        self.ktap.note(summary(self.results, len(self.planned)))
        data = json.dumps({"schema": SCHEMA, "planned": self.planned, "rows": self.results},
                          indent=1) + "\n"
        text = "\n".join(self.lines) + "\n"
        for file in files:
            write_whole(file, text if file.suffix == ".ktap" else data)
            say(f"written: {file}")

    def status(self) -> int:
        """All planned rows were run, and went as they should."""
        return 0 if len(self.results) == len(self.planned) and all(map(good, self.results)) else 1


def merge(files: Sequence[Path]) -> tuple[list[str], list[Result]]:
    """What several files planned and got. Of two results of a row the newer counts."""
    planned: dict[str, None] = {}
    results: dict[str, Result] = {}
    for file in files:
        try:
            data = read_json(file)
            if data["schema"] != SCHEMA:
                die(f"{file}: schema {data['schema']} is not understood")
            rows: list[Result] = data["rows"]
            names = [name_of(row) for row in rows]
            planned |= dict.fromkeys(data.get("planned", names))
        except (OSError, ValueError, KeyError, TypeError) as error:
            die(f"{file}: no results: {error}")
        for name, row in zip(names, rows):
            if name not in results or results[name]["date"] < row["date"]:
                results[name] = row
    return sorted(planned, key=order), sorted(results.values(), key=lambda d: order(name_of(d)))


def order(name: str) -> tuple[list[int], bool, str]:
    """By kernel, ours before stock, by row."""
    kernel, _, row = name.partition("/")
    version, _, flavour = kernel.partition("-")
    return [int(part) for part in re.findall(r"\d+", version)], flavour.startswith("stock"), row


def lost(name: str) -> Result:
    """What stands for the result of a row that was planned and not run."""
    kernel, _, row = name.partition("/")
    version, flavour, *variant = kernel.split("-")
    which = (" --stock" if flavour == "stock" else "") + "".join(f" --variant {v}" for v in variant)
    return {"row": row, "kernel": version, "flavour": flavour, "verdict": "NO RESULT", "fails": [],
            "no_results": 0, "why": "planned, but not run", "date": "",
            "repeat": f"scripts/kdump --kernel {version}{which} --scenario {row}",
            **({"variant": variant[0]} if variant else {})}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run all rows on all kernels.")
    parser.add_argument("--kernel", action="append", metavar="VERSION",
                        help=f"may be repeated; default: {', '.join(source.KNOWN)}")
    parser.add_argument("--flavour", action="append", choices=FLAVOURS,
                        help="default: both; of a VARIANT the first")
    parser.add_argument("--variant", default="", choices=list(scenarios.ALARMS),
                        help="kernels with alarms on, and rows tagged alarms unless others are "
                        "chosen; results go to results-VARIANT.*")
    parser.add_argument("--scenario", action="append", default=[], metavar="PATTERN",
                        help="rows whose names fit, like 'cmd-*'; may be repeated")
    parser.add_argument("--tag", action="append", default=[], help="rows with this tag as well")
    parser.add_argument("--shard", metavar="I/N", help="only the I-th of N parts")
    # Two of the slow ones at a time are so late that nothing is in flight when it matters.
    parser.add_argument("--jobs", type=int, help="guests at a time (2, of a VARIANT 1)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", default=True,
                       help="keep results that are fresh (the default)")
    again.add_argument("--fresh", action="store_true", help="run all again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    parser.add_argument("--list", action="store_true", help="list what would be run, and end")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE",
                        help="run nothing, make one report of several results.json")
    return parser.parse_args()


def command() -> int:
    args = options()
    more = [args.json] if args.json else []
    if args.merge:
        planned, results = merge(args.merge)
        have = {name_of(data): data for data in results}
        report = Report(planned)
        report.add(have.get(name, lost(name)) for name in planned)
        report.write([FOLDER / "results.json", FOLDER / "results.ktap", *more])
        return report.status()
    tags = args.tag or (["alarms"] if args.variant and not args.scenario else [])
    rows = choose(scenarios.load(), args.scenario, tags)
    jobs = product(rows, args.kernel or list(source.KNOWN),
                   args.flavour or (FLAVOURS[:1] if args.variant else FLAVOURS), args.variant)
    if not jobs:
        die("none of these rows is for these kernels")
    part = f"-{args.variant}" if args.variant else ""
    guests = args.jobs or (1 if args.variant else 2)
    if args.shard:
        jobs = shard(jobs, args.shard)
        part += f"-{args.shard.replace('/', '-of-')}"
    if args.list:
        for job in jobs:
            print(job.name)
        return 0
    end_on_signal()
    prepare([job.row for job in jobs])
    report = Report([job.name for job in jobs])
    try:
        with closing(run_jobs(jobs, Shelf(), guests, not args.fresh)) as done:
            report.add(tidied(done))
    finally:
        report.write([FOLDER / f"results{part}.json", FOLDER / f"results{part}.ktap", *more])
    return report.status()


def tidied(results: Iterable[Result]) -> Iterable[Result]:
    """Results, the dumps of those that went as they should gone: a thousand fill a disk."""
    for data in results:
        if good(data) and "folder" in data:
            (TOP / data["folder"] / "vmcore").unlink(missing_ok=True)
        yield data


if __name__ == "__main__":
    main(command)
