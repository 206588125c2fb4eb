#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Panic a kernel under DMA, save the dump, judge it: rows of scenarios.toml on one kernel.

This file is the command line and what people read. Standard output gets the judgements, standard
error the progress. A run is course.py's, which tells what it leaves in out/kdump; several at a
time are runner.py's; all kernels at once are matrix.py's.

`--json FILE` writes {"schema": 1, "rows": [...]}; each row is what its result.json holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import scenarios
from common import TOP, die, main, write_whole
from course import Kernel, good
from runner import Job, Shelf, end_on_signal, prepare, progress, run_jobs
from scenarios import Row


def show(data: dict[str, Any]) -> None:
    """A row's judgements, as people read them."""
    variant = f"-{data['variant']}" if "variant" in data else ""
    print(f"== {data['row']} on {data['kernel']}-{data['flavour']}{variant}"
          + (" (kept from an earlier run)" if data.get("resumed") else ""))
    for name, judged in {**data.get("invariants", {}), **data.get("checks", {})}.items():
        print(f"  {name:9} {judged['verdict']:10} {judged['text']}")
    if data["no_results"]:
        print(f"  {data['no_results']} runs before this one were spoilt; those are no result")
    if "why" in data:
        print(f"  {data['why']}")
    fails = f" ({', '.join(data['fails'])})" if data["fails"] else ""
    print(f"{data['verdict']} {data['row']}{fails}: {data['repeat']}")
    if "as_measured" in data:
        print(f"PASS/FAIL as measured: {'yes' if data['as_measured'] else 'no'}"
              f" (expected: {data['expected']})")
    sys.stdout.flush()


def choose(rows: dict[str, Row], names: list[str], tags: list[str]) -> list[Row]:
    unknown = [name for name in names if name not in rows]
    if unknown:
        die(f"no such row: {' '.join(unknown)} (scripts/kdump --list)")
    known = {tag for row in rows.values() for tag in row.tags}
    if missing := set(tags) - known:
        die(f"no row is tagged {' '.join(missing)}; there are: {' '.join(sorted(known))}")
    if not names and not tags:
        names = [next(iter(rows))] if "cmd-dma-dma" not in rows else ["cmd-dma-dma"]
    return [r for r in rows.values() if r.name in names or set(tags) & set(r.tags)]


def command() -> int:
    parser = argparse.ArgumentParser(description="Crash a kernel under DMA and judge the dump.")
    parser.add_argument("--kernel", default="6.12", metavar="VERSION")
    parser.add_argument("--stock", action="store_true", help="the untouched kernel")
    parser.add_argument("--variant", default="", choices=list(scenarios.ALARMS),
                        help="kernels with alarms on")
    parser.add_argument("--bzimage", type=Path, help="use this image, build nothing")
    parser.add_argument("--scenario", action="append", default=[], metavar="ROW")
    parser.add_argument("--tag", action="append", default=[], help="all rows with this tag")
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as data")
    parser.add_argument("--jobs", type=int, default=2, help="guests at a time (2)")
    parser.add_argument("--resume", action="store_true", help="keep results that are fresh")
    options = parser.parse_args()
    rows = scenarios.load()
    if options.list:
        for row in rows.values():
            print(f"{row.name:20} {' '.join(row.tags)}")
        return 0
    if options.bzimage and not options.bzimage.exists():
        die(f"no such file: {options.bzimage}")
    chosen = choose(rows, options.scenario, options.tag)
    fit = [row for row in chosen if row.runs_on(options.kernel)]
    for row in chosen:
        if row not in fit and row.name in options.scenario:
            die(f"row {row.name} is not for {options.kernel}, only for {', '.join(row.kernels)}")
    if not fit:
        die(f"none of these rows is for {options.kernel}")
    end_on_signal()
    kernel = Kernel(options.kernel, options.stock, options.variant)
    if kernel.variant:
        fit = [scenarios.alarmed(row, kernel.variant) for row in fit]
    prepare(fit)
    shelf = Shelf(options.bzimage)
    results: list[dict[str, Any]] = []
    jobs = [Job(row, kernel) for row in fit]
    try:
        with closing(run_jobs(jobs, shelf, options.jobs, options.resume)) as done:
            for data in done:
                results.append(data)
                show(data)
                progress(len(results), len(fit))
    finally:
        if options.json:
            write_whole(options.json, json.dumps({"schema": 1, "rows": results}, indent=1) + "\n")
    conclude(results, shelf)
    return 0 if all(map(good, results)) else 1


def conclude(results: list[dict[str, Any]], shelf: Shelf) -> None:
    """The summary of several rows, and how to open the last dump."""
    if len(results) > 1:
        counts = Counter(data["verdict"] for data in results)
        print(", ".join(f"{n} {v}" for v, n in counts.items())
              + f", {sum(d['no_results'] for d in results)} runs repeated because they were spoilt")
        for data in results:
            if not good(data):
                print(f"  {data['verdict']} {data['row']} ({', '.join(data['fails'])}): "
                      f"{data['repeat']}")
        known = [d for d in results if "as_measured" in d]
        if known:
            print(f"{sum(d['as_measured'] for d in known)} of {len(known)} rows with a known "
                  "outcome as measured")
    dumps = [d for d in results if (TOP / d["folder"] / "vmcore").exists()]
    if dumps:
        print(f"dump: {dumps[-1]['folder']}/vmcore")
        print(f"open: makedumpfile --dump-dmesg {dumps[-1]['folder']}/vmcore dmesg.txt")
        for image in [shelf.given, *shelf.have.values()]:
            if isinstance(image, Path) and len(image.parents) > 3:
                vmlinux = image.parents[3] / "vmlinux"
                if vmlinux.exists():
                    print(f"      its symbols: {vmlinux}")
                    break


if __name__ == "__main__":
    main(command)
