#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Turn results into what people read: a page, a summary, README's tables and picture.

    report.py             out/report/index.html from out/matrix/results.json, or, where there is
                          none, from every out/kdump/*/*/result.json, or from the kept ones
    report.py --keep      results/runs.json.xz, which are out/matrix/results.json packed,
                          results/summary.json from them, and as --readme
    report.py --readme    README's section and picture from results/summary.json
    report.py --check     is README what results/summary.json says?

Runs no guest and judges nothing. Reading is runs.py's, the page page.py's, the drawings
timeline.py's, summary and README summary.py's.
"""

from __future__ import annotations

import argparse
import json
import lzma
import tomllib
from pathlib import Path

import page
import runs
import scenarios
import summary
from common import die, main, read_json, say, write_whole
from runs import Table


def cells() -> dict[str, dict[str, str]]:
    """The command lines that make up the cells of scenarios.toml."""
    found = tomllib.loads(scenarios.FILE.read_text()).get("cells", {"first": {}, "crash": {}})
    return {which: dict(found[which]) for which in ("first", "crash")}


def gather(path: Path | None) -> tuple[Table, dict[str, scenarios.Row]]:
    """Results beside the rows that should have one."""
    rows = scenarios.load()
    tab = runs.table(runs.load(path), list(rows), lambda row, kernel: rows[row].runs_on(kernel))
    if tab.others:
        names = sorted({run.row for run in tab.others})
        say(f"left out, scenarios.toml has no such row for that kernel: {', '.join(names)}")
    return tab, rows


def write_page(path: Path | None) -> None:
    """out/report/index.html"""
    tab, rows = gather(path)
    write_whole(page.PLACE, page.page(tab, rows, cells()))
    print(page.PLACE)


def keep(path: Path) -> None:
    """results/, for the repository: the results themselves, and what they come to."""
    tab, rows = gather(path)
    data = summary.summarise(tab, rows, cells())
    text = json.dumps(read_json(path), separators=(",", ":"))
    write_whole(runs.KEPT, lzma.compress(text.encode(), preset=9))
    write_whole(summary.SUMMARY, summary.dumped(data) + "\n")
    write_readme()
    print(runs.KEPT)


def write_readme() -> None:
    """README's section and picture."""
    data = summary.load()
    text = summary.readme(data, summary.README.read_text())
    write_whole(summary.PICTURE, summary.picture(data))
    write_whole(summary.README, text)


def command() -> int:
    """Entry point of `make report`."""
    parser = argparse.ArgumentParser(description="Make the report from the results of runs.")
    parser.add_argument("--results", type=Path, metavar="FILE",
                        help="another file like out/matrix/results.json")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--keep", action="store_true", help="write what results/ holds")
    only.add_argument("--readme", action="store_true",
                      help="write README's tables and picture from the summary")
    only.add_argument("--check", action="store_true", help="are they what the summary says?")
    options = parser.parse_args()
    if options.check:
        if problem := summary.stale():
            die(problem)
        return 0
    if options.keep:
        keep(options.results or runs.MATRIX)
    elif options.readme:
        write_readme()
    else:
        write_page(options.results)
    return 0


if __name__ == "__main__":
    main(command)
