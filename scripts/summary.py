#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The checked-in summary of a whole set of runs, and what README shows of it.

results/summary.json, small, sorted, made from the results alone:

    schema      1
    dates       [first, last] day of the runs
    kernels     {"6.12": ["6.12.117-1"]}: exact versions
    qemu, accel {version: number of runs}; accelerators
    spoilt      runs thrown away and repeated
    cells       {"first" | "crash": {name: what it was told}}: the command lines of cmd-FIRST-CRASH
    rows        {row: group}, all of scenarios.toml in its order
    runs        {kernel: {flavour: {row: {"verdict", and where there is one: "fails",
                "as_measured", "saved": seconds from panic to dump, "faults"}}}}; "not run" is a
                verdict here. A row that is not there is not for this kernel
    picture     {flavour: result as outcome.py has it, without logs and judgements}: the two runs
                that README shows

README's section between the marks and the picture are made from that file alone, so whoever has
the checkout can make them again, without running anything. Nothing is judged here.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import timeline
from common import TOP, die
from page import group_of, span
from runs import (FLAVOURS, NOT_RUN, Malformed, Run, Table, Timeline, checked, exact, no_run,
                  read_run, take, version)
from scenarios import Row

SUMMARY = TOP / "results/summary.json"
PICTURE = TOP / "results/iommu-pt.svg"
README = TOP / "README"
BEGIN = "<!-- results: made by scripts/report.py --readme from results/summary.json -->"
END = "<!-- end of results -->"
SHOWN_ROW, SHOWN_KERNEL = "cmd-dma-pt", "6.12"


# Making the summary ------------------------------------------------------------------------------


def told(run: Run) -> dict[str, Any]:
    """A run in a line."""
    if not run.judgeable:
        return {"verdict": run.verdict}
    data: dict[str, Any] = {"verdict": run.verdict}
    if run.fails:
        data["fails"] = run.fails
    if run.as_measured is not None:
        data["as_measured"] = run.as_measured
    if run.saved is not None:
        data["saved"] = round(run.saved, 1)
    if run.faults is not None:
        data["faults"] = run.faults
    return data


def drawn(tab: Table, flavour: str) -> dict[str, Any]:
    """One of the two runs in the picture, as a result of its own."""
    run = tab.run(SHOWN_KERNEL, flavour, SHOWN_ROW)
    if run.timeline is None:
        die(f"no timeline of {SHOWN_ROW} on {SHOWN_KERNEL}-{flavour}: README's picture needs it "
            f"(scripts/kdump --kernel {SHOWN_KERNEL}{' --stock' if flavour == 'stock' else ''} "
            f"--scenario {SHOWN_ROW})")
    verdict, text = run.judged.get("dump", ("not judged", ""))
    return {
        "row": run.row, "kernel": run.kernel, "flavour": flavour, "verdict": run.verdict,
        "fails": run.fails, "date": run.date, "qemu": run.qemu, "accel": run.accel,
        "checks": {"dump": {"verdict": verdict, "text": text}},
        "facts": {"faults": run.faults, "first": run.first, "crash": run.crash},
        "timeline": plain(run.timeline)}


def plain(line: Timeline) -> dict[str, Any]:
    """A timeline as results have it."""
    return {"marks": line.marks, "translation": line.translation, "bucket": line.bucket,
            "devices": [asdict(lane) for lane in line.lanes]}


def summarise(tab: Table, rows: dict[str, Row], cells: dict[str, dict[str, str]]
              ) -> dict[str, Any]:
    """The summary as data."""
    done = list(tab.runs.values())
    days = sorted(run.date[:10] for run in done if run.date)
    return {
        "schema": 1,
        "dates": [days[0], days[-1]] if days else [],
        "kernels": {kernel: exact(tab, kernel) for kernel in tab.kernels},
        "qemu": dict(sorted(Counter(run.qemu for run in done if run.qemu).items())),
        "accel": sorted({run.accel for run in done if run.accel}),
        "spoilt": sum(run.no_results for run in done),
        "cells": cells,
        "rows": {name: group_of(rows[name]) for name in tab.rows},
        "runs": {kernel: {flavour: {run.row: told(run) for run in tab.column(kernel, flavour)}
                          for flavour in FLAVOURS} for kernel in tab.kernels},
        "picture": {flavour: drawn(tab, flavour) for flavour in FLAVOURS},
    }


def dumped(data: Any, depth: int = 0) -> str:
    """JSON with one line for what one line can hold: readable, and small as a difference."""
    flat = json.dumps(data, ensure_ascii=False)
    if not isinstance(data, (dict, list)) or len(flat) + 2 * depth <= 96:
        return flat
    pad = "  " * (depth + 1)
    inner = [f"{json.dumps(key)}: {dumped(value, depth + 1)}" for key, value in data.items()] \
        if isinstance(data, dict) else [dumped(value, depth + 1) for value in data]
    if isinstance(data, list):  # numbers: as many to a line as fit
        lines, line = [], ""
        for item in inner:
            if line and len(line) + len(item) + 2 + len(pad) > 98:
                lines.append(line)
                line = item
            else:
                line = f"{line}, {item}" if line else item
        inner = [*lines, line]
    ends = "{}" if isinstance(data, dict) else "[]"
    return f"{ends[0]}\n{pad}" + f",\n{pad}".join(inner) + f"\n{'  ' * depth}{ends[1]}"


# Reading it --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """results/summary.json, checked."""

    dates: list[str]
    kernels: dict[str, list[str]]
    qemu: dict[str, int]
    accel: list[str]
    spoilt: int
    cells: dict[str, dict[str, str]]
    rows: dict[str, str]
    runs: dict[tuple[str, str, str], Run]
    picture: list[Run]

    def column(self, kernel: str, flavour: str, group: str = "") -> list[Run]:
        """A kernel's runs, of one group or of all."""
        return [run for row, its in self.rows.items() if not group or its == group
                if (run := self.runs.get((kernel, flavour, row)))]

    def name(self, kernel: str) -> str:
        return ", ".join(self.kernels.get(kernel, [])) or kernel


def read(data: Any) -> Summary:
    """Check a summary."""
    if not isinstance(data, dict) or data.get("schema") != 1:
        raise Malformed("not a summary of schema 1")
    runs = {}
    for kernel, flavours in take(data, "runs", dict, "top").items():
        for flavour in FLAVOURS:
            for row, one in take(flavours, flavour, dict, kernel).items():
                where = f"{kernel}-{flavour}: {row}"
                verdict = take(one, "verdict", str, where)
                both = {"row": row, "kernel": kernel, "flavour": flavour, **one,
                        "facts": {"faults": one.get("faults")}}
                if "saved" in one:  # as far as a timeline goes here
                    both["timeline"] = {"marks": {"dump saved": one["saved"]}, "devices": [],
                                        "bucket": 0.1}
                runs[kernel, flavour, row] = no_run(row, kernel, flavour) \
                    if verdict == NOT_RUN else read_run(both, where)
    cells = take(data, "cells", dict, "top")
    picture = take(data, "picture", dict, "top")
    return Summary(
        dates=take(data, "dates", list, "top"), kernels=take(data, "kernels", dict, "top"),
        qemu=take(data, "qemu", dict, "top"), accel=take(data, "accel", list, "top"),
        spoilt=take(data, "spoilt", int, "top"),
        cells={which: take(cells, which, dict, "cells") for which in ("first", "crash")},
        rows=take(data, "rows", dict, "top"), runs=runs,
        picture=[read_run(take(picture, flavour, dict, "picture"), "picture")
                 for flavour in FLAVOURS])


def load() -> Summary:
    """Read the summary that is checked in."""
    return checked(SUMMARY, read)


# What README shows -------------------------------------------------------------------------------

Measure = tuple[str, Callable[[list[Run]], str]]


def judged(found: list[Run]) -> list[Run]:
    return [run for run in found if run.judgeable]


def failing(*names: str) -> Callable[[list[Run]], str]:
    """How many of these runs fail one of these judgements."""
    def measure(found: list[Run]) -> str:
        number = sum(bool(set(names) & set(run.fails)) for run in judged(found))
        return f"**{number}**" if number else "0"
    return measure


def clean(found: list[Run]) -> str:
    done = judged(found)
    return f"{sum(run.verdict == 'PASS' for run in done)} of {len(done)}" if done else "–"


def untouched(name: str) -> Callable[[list[Run]], str]:
    """How many do not fail a judgement, of how many."""
    def measure(found: list[Run]) -> str:
        done = judged(found)
        return f"{sum(name not in run.fails for run in done)} of {len(done)}" if done else "–"
    return measure


def dumps(found: list[Run]) -> str:
    """How many dumps were saved; where nothing panics there is none to save."""
    meant = [run for run in judged(found) if run.saved is not None or "dump" in run.fails]
    return f"{sum('dump' not in run.fails for run in meant)} of {len(meant)}"


def faults(found: list[Run]) -> str:
    return f"{sum(run.faults or 0 for run in judged(found)):,}"


def left(found: list[Run]) -> str:
    """What is missing, by name: never silently."""
    counts = Counter(run.verdict for run in found if not run.judgeable)
    return ", ".join(f"{number} {verdict.lower()}" for verdict, number in sorted(counts.items())) \
        or "none"


COMMAND_LINES: list[Measure] = [
    ("clean", clean), ("translation switched off", failing("ON")), ("dump lost", failing("dump")),
    ("DMA in flight faults or goes untranslated", failing("ALIVE")), ("DMA faults", faults),
]
EVERYTHING: list[Measure] = [
    ("clean", clean), ("dump saved", dumps), ("translation never off", untouched("ON")),
    ("DMA in flight reaches the kdump kernel", failing("SHIELD")), ("without a verdict", left),
]


INTO_THE_KERNEL: list[Measure] = [
    ("dump saved", dumps), ("DMA in flight reaches the kdump kernel", failing("SHIELD")),
    ("without a verdict", left),
]


def markdown(head: list[str], lines: list[list[str]], left_aligned: int) -> str:
    """A table that reads well as text, too."""
    wide = [max(len(row[i]) for row in [head, *lines]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(w) for cell, w in zip(cells, wide)) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i < left_aligned else "-" * (w + 1) + ":"
                          for i, w in enumerate(wide)) + "|"
    return "\n".join([line(head), rule, *map(line, lines)])


def measured(data: Summary, measures: list[Measure], group: str = "") -> str:
    """Stock and takeover, kernel by kernel."""
    lines = []
    for kernel in sorted(data.kernels, key=version):
        for flavour in reversed(FLAVOURS):
            found = data.column(kernel, flavour, group)
            lines.append([data.name(kernel), flavour,
                          *(measure(found) if judged(found) or measure == left else "–"
                            for _, measure in measures)])
    return markdown(["Linux", "", *(name for name, _ in measures)], lines, 2)


WORDS = {"clean": "clean", "lost": "**dump lost**", "off": "off", "held": "not released",
         "fail": "fails", "skip": "skipped", "none": "no result", "missing": "not run",
         "apart": "not for it"}


def cell_words(data: Summary, kernel: str, flavour: str) -> list[list[str]]:
    """The outcomes of the command lines, line by line."""
    return [[WORDS[(data.runs.get((kernel, flavour, f"cmd-{first}-{crash}"))
                    or no_run("", kernel, flavour)).outcome] for crash in data.cells["crash"]]
            for first in data.cells["first"]]


def options(words: str) -> str:
    return "<br>".join(f"`{word}`" for word in words.split()) or "nothing"


def grids(data: Summary) -> str:
    """What stock does with each pair of command lines; kernels that agree share a table."""
    same: dict[str, list[str]] = {}
    for kernel in sorted(data.kernels, key=version):
        if not judged(data.column(kernel, "stock", "cells")):
            continue
        words = cell_words(data, kernel, "stock")
        head = ["told: crashed ↓ kdump →", *map(options, data.cells["crash"].values())]
        lines = [[options(told), *line] for told, line in zip(data.cells["first"].values(), words)]
        same.setdefault(markdown(head, lines, len(head)), []).append(data.name(kernel))
    return "\n\n".join(f"Stock Linux {' and '.join(names)}:\n\n{grid}"
                       for grid, names in same.items())


def on_purpose(data: Summary) -> str:
    """Rows of ours that ask to fail."""
    names = sorted({run.row for run in data.runs.values() if run.flavour == "takeover"
                    and run.verdict == "FAIL" and run.good})
    fail = "fails because it asks" if len(names) == 1 else "fail because they ask"
    return f" With the takeover {', '.join(f'`{n}`' for n in names)} {fail} to." if names else ""


def into_the_kernel(data: Summary) -> list[str]:
    """The guard's rows, if there are any."""
    number = len([row for row, group in data.rows.items() if group == "guard"])
    if not number:
        return []
    return [wrapped(f"{number} of the rows lead a device into the kdump kernel's memory, or to "
                    "what is no table (tagged `guard`):"),
            measured(data, INTO_THE_KERNEL, "guard")]


def section(data: Summary) -> str:
    """README between the marks, marks included."""
    number = len([row for row, group in data.rows.items() if group == "cells"])
    machines = ", ".join(sorted(data.qemu, key=version))
    spoilt = "1 run was" if data.spoilt == 1 else f"{data.spoilt} runs were"
    parts = [
        "![Two timelines on one axis. With the takeover every device is released and the dump is "
        "saved. On stock DMA faults, no device is released and the dump is lost.]"
        f"({PICTURE.relative_to(TOP)})",
        wrapped(f"{len(data.rows)} rows, run {span(data.dates)} under QEMU {machines} "
                f"({', '.join(data.accel)}) on Linux "
                f"{'; '.join(data.name(k) for k in sorted(data.kernels, key=version))}. {spoilt} "
                "repeated because QEMU died or the host was too late."),
        wrapped(f"{number} of the rows are pairs of command lines, of the crashed and of the "
                "kdump kernel:"),
        measured(data, COMMAND_LINES, "cells"),
        wrapped("Clean: the dump is saved, and what stands below under “What must hold” holds. "
                "Pair by pair without the takeover; “off” is translation switched off with DMA in "
                "flight, “not released” that devices keep the crashed kernel's pass-through:"),
        grids(data),
        *into_the_kernel(data),
        wrapped("All rows, of which some ask for what stock does not know (damaged tables, "
                "blocking on request):"),
        measured(data, EVERYTHING),
        wrapped("“Without a verdict” are rows that were not run, or whose QEMU cannot be had."
                f"{on_purpose(data)} `make report` draws a timeline of every run."),
    ]
    return "\n".join([BEGIN, "\n\n".join(parts), END])


def wrapped(words: str) -> str:
    return textwrap.fill(words, 78, break_long_words=False, break_on_hyphens=False)


def picture(data: Summary) -> str:
    """README's picture: takeover above stock."""
    panels = []
    for run in data.picture:
        name = "With the takeover" if run.flavour == "takeover" else "Stock"
        end = f"the dump is saved after {run.saved:.1f} s" if run.saved is not None \
            else "the dump is lost"
        faults_seen = f", {run.faults:,} DMA faults" if run.faults else ", no fault"
        panels.append((f"{name}: {end}{faults_seen}", run))
    one = data.picture[0]
    return timeline.alone(
        panels, "The crashed kernel translated; the kdump kernel is told iommu=pt",
        f"Linux {data.name(one.kernel)}, QEMU {one.qemu}, row {one.row}, "
        f"{span(run.date for run in data.picture)}")


def readme(data: Summary, text: str) -> str:
    """README with the section as it has to be."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        die(f"README has no place for the results: it needs the lines {BEGIN!r} and {END!r}")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + section(data) + after


def stale() -> str:
    """What is not as the summary says, or nothing."""
    data = load()
    text = README.read_text()
    old = []
    if readme(data, text) != text:
        old.append("README")
    if not PICTURE.exists() or PICTURE.read_text() != picture(data):
        old.append(str(PICTURE.relative_to(TOP)))
    return f"{' and '.join(old)}: not what results/summary.json says; run scripts/report.py " \
        "--readme" if old else ""
