#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The report: results as one HTML page that needs no network and no JavaScript.

What is in it comes from runs.py, the drawings from timeline.py, the looks from style/page.css.
Nothing is judged here: words for what a run came to are chosen by its verdict and its fails.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import timeline
from common import TOP
from runs import APART, FLAVOURS, NOT_RUN, Run, Table, exact
from scenarios import Row
from verdict import INVARIANTS, OPEN

STYLE = Path(__file__).resolve().parent / "style/page.css"
PLACE = TOP / "out/report/index.html"
LOGS = ("serial.log", "trace.log", "qemu.log", "result.json")

# Sign and word of an outcome: never the colour alone.
OUTCOMES = {
    "clean": ("✓", "clean"), "lost": ("✖", "dump lost"), "off": ("◌", "translation off"),
    "held": ("◐", "not released"), "fail": ("!", "fails"), "skip": ("»", "skipped"),
    "none": ("?", "no result"), "missing": ("–", "not run"),
    "apart": ("·", "not for it"),
}
GROUPS = {
    "cells": "Command lines", "option": "The option", "floor": "The floor: stock is clean here",
    "options": "More command lines, and a driver that maps early",
    "undriven": "No driver in the kdump kernel", "alias": "A requester id shared",
    "mixed": "Kernels that differ, and an ordinary kexec",
    "qemu10": "x2APIC, igb, first-stage tables", "hostile": "Hostile tables",
    "guard": "Tables that lead into the kdump kernel",
    "block": "Blocked on request, and reserved memory",
    "life": "Suspend, resume, kexec: an ordinary life",
}
ROADS = {
    "kexec": "the crashed kernel was itself started by an ordinary kexec",
    "suspend": "the kernel suspends and resumes before it panics",
    "life": "the kernel suspends, resumes, starts another by kexec; nothing panics",
}
MEANING = {
    "ON": "translation is never switched off before the dump is saved",
    "ALIVE": "DMA in flight goes where the old tables say",
    "SHIELD": "it does not reach the kdump kernel's memory",
    "INTACT": "software leaves the crashed kernel's memory as it is",
    "FRESH": "a released device reaches what its driver mapped only",
    "TAGS": "no domain id in use is given away",
    "WARY": "damage in old tables costs what it hits, and is reported",
    "CLOSED": "what is not adopted is blocked, not bypassed",
}


def html(words: object) -> str:
    return escape(str(words))


def code(words: str) -> str:
    """Options, which may break at their commas."""
    return f"<code>{html(words).replace(',', ',<wbr>')}</code>" if words else "<i>nothing</i>"


def listed(words: Iterable[str], none: str = "none") -> str:
    return ", ".join(html(w) for w in words) or none


def group_of(row: Row) -> str:
    """The part of scenarios.toml that a row belongs to."""
    return next((tag for tag in row.tags if tag != "check"), "other")


def title_of(group: str) -> str:
    return GROUPS.get(group, group)


def words_of(run: Run) -> str:
    """What a run came to, in words."""
    if run.outcome == "fail":
        return ", ".join(run.fails)
    return OUTCOMES[run.outcome][1]


def remark(run: Run) -> str:
    """What the outcome alone does not tell."""
    if run.verdict == "FAIL" and run.flavour == "takeover":
        return "as the row asks" if run.good else "not wanted"
    if run.judgeable and run.flavour == "stock" and not run.good:
        return "not as measured before"
    return ""


def badge(run: Run, link: str = "", short: bool = False) -> str:
    """The outcome with sign and colour."""
    sign, _ = OUTCOMES[run.outcome]
    words = "off" if short and run.outcome == "off" else words_of(run)
    more = remark(run)
    note = "; ".join(p for p in (words, more, f"fails: {', '.join(run.fails)}" if run.fails
                                 else "", run.why) if p)
    inner = f'<span aria-hidden="true">{sign}</span> {html(words)}'
    if more and not short:
        inner += f" <small>({html(more)})</small>"
    bad = " unwanted" if run.judgeable and not run.good else ""
    kind = f'class="b {run.outcome}{bad}" title="{html(note)}"'
    return f'<a {kind} href="#{link}">{inner}</a>' if link else f"<span {kind}>{inner}</span>"


# The head ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """One column of the scoreboard in numbers."""

    rows: int
    judged: int
    clean: int
    good: int
    failing: Counter[str]
    asked: Counter[str]  # the same where a row of ours means to
    told: Counter[str]  # per judgement: how often it was made
    verdicts: Counter[str]
    spoilt: int


def count(column: list[Run]) -> Count:
    """Add up a kernel's rows."""
    return Count(
        rows=len(column), judged=sum(r.judgeable for r in column),
        clean=sum(r.verdict == "PASS" for r in column), good=sum(r.good for r in column),
        failing=Counter(name for r in column for name in r.fails),
        asked=Counter(name for r in column for name in r.fails
                      if r.flavour == "takeover" and r.good),
        told=Counter(name for r in column for name, (v, _) in r.judged.items() if v != OPEN),
        verdicts=Counter(r.verdict for r in column), spoilt=sum(r.no_results for r in column))


def told(column: Count, name: str) -> str:
    """How often a judgement fails, of how many; on our kernel, whether that was asked for."""
    number, asked = column.failing[name], column.asked[name]
    words = f"of {column.told[name]}"
    if asked:
        words += ", asked for" if asked == number else f", {asked} asked for"
    shown = f'<b class="bad">{number}</b>' if number > asked else f"{number}"
    return f"{shown} <small>{words}</small>"


def span(dates: Iterable[str]) -> str:
    """From the first day to the last."""
    days = sorted({d[:10] for d in dates if d})
    return "unknown" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def head(tab: Table) -> str:
    """What was run, with what, when."""
    done = list(tab.runs.values())
    verdicts = Counter(r.verdict for k in tab.kernels for f in FLAVOURS for r in tab.column(k, f))
    machines = Counter(f"{r.qemu} ({r.accel})" for r in done if r.qemu)
    kernels = [f"{k} ({', '.join(exact(tab, k)) or 'exact version not recorded'})"
               for k in tab.kernels]
    spoilt = sum(r.no_results for r in done)
    facts = [
        ("Kernels", listed(kernels)), ("Run", html(span(r.date for r in done))),
        ("QEMU", listed(f"{name}: {n} runs" for name, n in sorted(machines.items()))),
        ("Rows", f"{len(tab.rows)}, each meant to run with the takeover and on the stock kernel"),
        ("Verdicts", listed(f"{n} {name}" for name, n in verdicts.most_common())),
        ("Spoilt runs", f"{spoilt} thrown away and repeated: QEMU died, or the host was too late"),
    ]
    if tab.others:
        names = sorted({r.row for r in tab.others})
        facts.append(("Left out", "results of rows that are no longer there, or not for that "
                      f"kernel: {listed(names)}"))
    return ("<header><h1>vtd-takeover: the rows</h1><p>A kernel panics under DMA through an "
            "enabled Intel VT-d IOMMU, a kdump kernel saves the dump, and the run is judged from "
            "outside the guest. With the takeover, and on the stock kernel.</p><dl>"
            + "".join(f"<div><dt>{name}</dt><dd>{what}</dd></div>" for name, what in facts)
            + "</dl></header>")


def scoreboard(tab: Table) -> str:
    """Takeover beside stock, per kernel."""
    parts = ['<section id="scoreboard"><h2>Scoreboard</h2><div class="beside">']
    for kernel in tab.kernels:
        both = [count(tab.column(kernel, flavour)) for flavour in FLAVOURS]

        def line(name: str, cells: list[str], kind: str = "") -> str:
            return (f'<tr{f" class={kind}" if kind else ""}><th scope="row">{name}</th>'
                    + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")

        def failing(name: str) -> list[str]:
            return [told(c, name) for c in both]

        lines = [
            line("rows with a verdict", [f"{c.judged} <small>of {c.rows}</small>" for c in both]),
            line("clean", [str(c.clean) for c in both], "strong"),
            line("as wanted; stock: as measured before", [str(c.good) for c in both]),
            line("<b>dump lost</b>", failing("dump")),
            *(line(f"<b>{name}</b> fails <small>{MEANING[name]}</small>", failing(name))
              for name in INVARIANTS),
            line("<b>release</b> fails <small>a disk or card never gets its new driver's "
                 "tables</small>", failing("release")),
            line("skipped / no result / not run",
                 [" / ".join(str(c.verdicts[v]) for v in ("SKIP", "NO RESULT", NOT_RUN))
                  for c in both]),
            line("spoilt runs, repeated", [str(c.spoilt) for c in both]),
        ]
        parts.append(
            f'<div class="scroll"><table class="score"><caption>Linux {html(kernel)} <small>'
            f'{listed(exact(tab, kernel), "")}</small></caption><thead><tr><td></td>'
            + "".join(f'<th scope="col">{f}</th>' for f in FLAVOURS)
            + f"</tr></thead><tbody>{''.join(lines)}</tbody></table></div>")
    return "".join(parts) + (
        '</div><p class="note">“of” counts the rows in which the thing was judged. Stock knows '
        "nothing of what hostile and blocked rows ask for: there WARY and CLOSED may fail by a "
        "missing message alone. With the takeover, rows that set "
        "<code>intel_iommu_takeover=off</code> ask for stock's behaviour and fail on purpose.</p>"
        "</section>")


def surprises(tab: Table) -> str:
    """What did not go as wanted, and what did not go at all."""
    everything = [run for kernel in tab.kernels for flavour in FLAVOURS
                  for run in tab.column(kernel, flavour)]
    wrong = [run for run in everything if run.judgeable and not run.good]
    parts = ['<section id="surprises"><h2>Not as wanted</h2>']
    if wrong:
        lines = "".join(f'<li><a href="#row-{html(r.row)}">{html(r.row)}</a>, Linux '
                        f"{html(r.kernel)}, {r.flavour}: {badge(r)} {afterwards(r)}</li>"
                        for r in wrong)
        parts.append(f"<ul>{lines}</ul>")
    elif any(run.judgeable for run in everything):
        parts.append("<p>Nothing: every run with a verdict went as its row asks.</p>")
    # One line for many that lack the same thing.
    lacking: dict[tuple[str, str], list[Run]] = {}
    for run in everything:
        if not run.judgeable:
            lacking.setdefault((run.outcome, run.why), []).append(run)
    for (outcome, why), found in lacking.items():
        names = ", ".join(f"{r.row} ({r.kernel} {r.flavour})" for r in found)
        parts.append(f"<details><summary>{len(found)} {OUTCOMES[outcome][1]}"
                     + (f": {html(why)}" if why else "") + f"</summary><p>{html(names)}</p>"
                     "</details>")
    return "".join(parts) + "</section>"


def groups(tab: Table, rows: dict[str, Row]) -> dict[str, list[str]]:
    """Rows by group, in order."""
    found: dict[str, list[str]] = {}
    for name in tab.rows:
        found.setdefault(group_of(rows[name]), []).append(name)
    return found


def columns(tab: Table) -> str:
    """Two lines of table head: kernels, flavours."""
    return ('<thead><tr><td rowspan="2"></td>'
            + "".join(f'<th colspan="2" scope="colgroup">{html(k)}</th>' for k in tab.kernels)
            + "</tr><tr>" + "".join(f'<th scope="col">{f}</th>' for _ in tab.kernels
                                    for f in FLAVOURS) + "</tr></thead>")


def by_group(tab: Table, rows: dict[str, Row]) -> str:
    """How many rows of each group are clean."""
    lines = []
    for group, names in groups(tab, rows).items():
        cells = []
        for kernel in tab.kernels:
            for flavour in FLAVOURS:
                done = [r for r in (tab.run(kernel, flavour, n) for n in names) if r.judgeable]
                clean = sum(r.verdict == "PASS" for r in done)
                cells.append(f"<td>{clean} <small>of {len(done)}</small></td>" if done
                             else "<td>–</td>")
        lines.append(f'<tr><th scope="row"><a href="#g-{html(group)}">{html(title_of(group))}</a> '
                     f"<small>{len(names)} rows</small></th>{''.join(cells)}</tr>")
    return ('<section><h2>Clean rows</h2><div class="scroll"><table>' + columns(tab)
            + f"<tbody>{''.join(lines)}</tbody></table></div></section>")


def cell_grids(tab: Table, cells: dict[str, dict[str, str]]) -> str:
    """The command lines: the crashed kernel's by the kdump kernel's, takeover beside stock."""
    parts = ['<section id="cells"><h2>Command lines</h2><p>Down: what the crashed kernel was '
             "told. Across: what the kdump kernel was told.</p>"]
    for kernel in tab.kernels:
        parts.append(f'<h3>Linux {html(kernel)}</h3><div class="beside">')
        for flavour in FLAVOURS:
            found = [tab.run(kernel, flavour, f"cmd-{a}-{b}")
                     for a in cells["first"] for b in cells["crash"]]
            clean = sum(r.verdict == "PASS" for r in found)
            lines = []
            for first, told in cells["first"].items():
                line = "".join(
                    f'<td>{badge(tab.run(kernel, flavour, name), f"row-{name}", True)}</td>'
                    for name in (f"cmd-{first}-{crash}" for crash in cells["crash"]))
                lines.append(f'<tr><th scope="row">{code(told)}</th>{line}</tr>')
            heads = "".join(f'<th scope="col">{code(told)}</th>'
                            for told in cells["crash"].values())
            parts.append(f'<div class="scroll"><table class="cells"><caption>{flavour}: {clean} of '
                         f"{len(found)} clean</caption><thead><tr><td></td>{heads}</tr></thead>"
                         f"<tbody>{''.join(lines)}</tbody></table></div>")
        parts.append("</div>")
    return "".join(parts) + "</section>"


def grid(tab: Table, rows: dict[str, Row]) -> str:
    """Every row on every kernel."""
    parts = ['<section id="grid"><h2>Every row</h2><div class="scroll"><table class="grid">',
             columns(tab)]
    for group, names in groups(tab, rows).items():
        wide = 1 + len(tab.kernels) * len(FLAVOURS)
        parts.append(f'<tbody><tr><th colspan="{wide}" scope="rowgroup" class="group">'
                     f"{html(title_of(group))}</th></tr>")
        for name in names:
            cells = "".join(f"<td>{badge(tab.run(k, f, name), f'row-{name}', True)}</td>"
                            for k in tab.kernels for f in FLAVOURS)
            parts.append(f'<tr><th scope="row"><a href="#row-{html(name)}">{html(name)}</a></th>'
                         f"{cells}</tr>")
        parts.append("</tbody>")
    return "".join(parts) + "</table></div></section>"


# A row -------------------------------------------------------------------------------------------


def about(row: Row) -> str:
    """What a row is, from its keys."""
    facts = [("Crashed kernel told", code(row.first)), ("Kdump kernel told", code(row.crash)),
             ("Devices", listed(d.name for d in row.devices)),
             ("Machine", html(f"{row.memory}, intel-iommu {row.iommu}; crashkernel="
                              f"{row.crashkernel}, kexec {row.kexec}, panic by {row.panic}"))]
    if row.first_kernel:
        facts.append(("Crashed kernel", html("stock, of the kdump kernel's version"
                                             if row.first_kernel == "stock"
                                             else f"stock Linux {row.first_kernel}")))
    if row.road in ROADS:
        facts.append(("Road", ROADS[row.road]))
    if row.variant:
        facts.append(("Built", html(row.variant)))
    if row.vfs:
        facts.append(("Virtual functions", str(row.vfs)))
    if row.kernels:
        facts.append(("For Linux", listed(row.kernels)))
    if row.edit:
        facts.append(("Damage", html(f"{row.edit}" + (f", of {row.victim}" if row.victim else ""))))
    if row.report:
        facts.append(("Has to say", "<br>".join(code(r) for r in row.report)))
    if row.blocked:
        facts.append(("Blocked", listed(row.blocked)))
    if row.faulting:
        facts.append(("Faulting", listed(row.faulting)))
    if row.cut:
        facts.append(("Cut off from the kdump kernel", listed(row.cut)))
    if row.ats:
        facts.append(("ATS stays on", listed(row.ats)))
    if row.firmware_off:
        facts.append(("Firmware", "opts out of remapping"))
    if row.outward:
        facts.append(("Firmware", "wants remapping on, for a port leads out of the machine"))
    if row.unplug:
        facts.append(("Unplugged", html(row.unplug)))
    if row.rmrr:
        facts.append(("Reserved memory", f"of {html(row.rmrr)}"))
    if row.crash_firmware:
        facts.append(("Wrong in the kdump kernel's table", html(row.crash_firmware)))
    if row.stray:
        facts.append(("DMA on demand", "; ".join(
            f"{html(when)}: " + listed(f"{what} {end}" for what, end in orders.items())
            for when, orders in row.stray.items())))
    if row.storm:
        facts.append(("Fault storm",
                      "when the driver is up" if row.storm_late else "from the first line"))
    if row.faults:
        facts.append(("Faults after release",
                      listed(f"{name}, at least {n}" for name, n in row.faults.items())))
    if row.needs:
        facts.append(("Needs", html(row.needs)))
    for flavour, wanted in (("takeover", row.takeover), ("stock", row.stock),
                            *((f"stock {k}", other) for k, other in row.stock_on.items())):
        if wanted != "clean":
            facts.append((f"Expected, {flavour}",
                          f"fails {listed(wanted) if isinstance(wanted, list) else html(wanted)}"))
    return "<dl>" + "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts) + "</dl>"


def logs(run: Run) -> str:
    """Links to what a run left behind, as far as it is there."""
    folder = TOP / run.folder
    if not run.folder or ".." in Path(run.folder).parts or Path(run.folder).is_absolute():
        return ""
    there = [name for name in LOGS if (folder / name).is_file()]
    there += sorted(p.name for p in folder.glob("no-result-*.log"))
    return ", ".join(f'<a href="../../{html(run.folder)}/{html(name)}">{html(name)}</a>'
                     for name in there)


def afterwards(run: Run) -> str:
    """What to do about a run that did not pass: its files, how to repeat it."""
    if run.verdict in ("PASS", NOT_RUN, APART):
        return ""
    files = logs(run)
    return (f'<p class="again"><b>{run.flavour}</b>: '
            + (f"{html(run.why)}. " if run.why else "")
            + (f"Again: {f'<code>{html(run.repeat)}</code>'}. " if run.repeat else "")
            + (f"Files: {files}." if files else "Its files are not here.") + "</p>")


def judgements(both: list[Run]) -> str:
    """What each judge said, takeover beside stock."""
    names = dict.fromkeys(name for run in both for name in run.judged)
    if not names:
        return ""
    signs = {"pass": "✓", "fail": "✖"}

    def cell(run: Run, name: str) -> str:
        if name not in run.judged:
            return "<td>–</td>"
        verdict, words = run.judged[name]
        kind = {"pass": "p", "fail": "f"}.get(verdict, "o")
        return (f'<td class="{kind}"><b>{signs.get(verdict, "○")} {html(verdict)}</b> '
                f"{html(words)}</td>")

    lines = "".join(f'<tr><th scope="row">{html(name)}</th>'
                    + "".join(cell(run, name) for run in both if run.judged) + "</tr>"
                    for name in names)
    heads = "".join(f'<th scope="col">{run.flavour}</th>' for run in both if run.judged)
    return (f'<div class="scroll"><table class="judged"><thead><tr><td></td>{heads}</tr></thead>'
            f"<tbody>{lines}</tbody></table></div>")


def headline(run: Run) -> str:
    """The line above a panel."""
    words = f"{run.flavour}: {words_of(run)}"
    if run.saved is not None and run.verdict == "PASS":
        return f"{words}, dump saved after {run.saved:.1f} s"
    extra = [f for f in run.fails if run.outcome != "fail"]
    return words + (f" (fails {', '.join(extra)})" if extra else "")


def detail(tab: Table, row: Row) -> str:
    """A row's part of the page; closed until it is asked for."""
    parts = [f'<details class="row"><summary><b>{html(row.name)}</b> '
             + " ".join(f'<span class="one"><span class="k">{html(k)} {f}</span>'
                        f"{badge(tab.run(k, f, row.name))}</span>"
                        for k in tab.kernels for f in FLAVOURS
                        if tab.run(k, f, row.name).outcome != "apart")
             + f'</summary><div id="row-{html(row.name)}">', about(row)]
    blocked = {name: "blocked but for its reserved memory" if name == row.rmrr else "blocked"
               for name in row.blocked}
    for kernel in tab.kernels:
        both = [tab.run(kernel, flavour, row.name) for flavour in FLAVOURS]
        if all(run.outcome == "apart" for run in both):
            continue
        drawn = [(headline(run), run) for run in both if run.timeline]
        parts.append(f"<h4>Linux {html(kernel)}</h4>")
        parts += [f'<p>{run.flavour}: {badge(run)} {html(run.why)}</p>'
                  for run in both if not run.timeline]
        if drawn:
            words = ". ".join(timeline.describe(run) for _, run in drawn)
            parts.append(f'<figure><div class="scroll">{timeline.inline(drawn, blocked)}</div>'
                         f'<figcaption class="note">{html(words)}.</figcaption></figure>')
        parts += [afterwards(run) for run in both]
        if any(run.judged for run in both):
            parts.append("<details><summary>What each judge said</summary>"
                         f"{judgements(both)}</details>")
    return "".join(parts) + "</div></details>"


def details(tab: Table, rows: dict[str, Row]) -> str:
    """All rows, by group."""
    parts = ['<section id="rows"><h2>Row by row</h2>', how_to_read()]
    for group, names in groups(tab, rows).items():
        parts.append(f'<h3 id="g-{html(group)}">{html(title_of(group))}</h3>')
        parts += [detail(tab, rows[name]) for name in names]
    return "".join(parts) + "</section>"


def how_to_read() -> str:
    """The legend of all drawings."""
    shapes, high = timeline.legend_svg({kind for kind, _ in timeline.LEGEND}, 2)
    return ('<figure><div class="scroll"><svg class="timeline" '
            f'viewBox="0 0 {timeline.WIDTH:g} {high:g}" role="img" '
            f'aria-label="Legend of the timelines">{shapes}</svg></div></figure>'
            '<p class="note">Bars up are DMA, spikes down are faults; their length is the '
            "logarithm of a number, from 1 to 10,000. Each stands for a tenth of a second or more: "
            "to the left of a mark it may hold what came just after it. The ribbon says whose "
            "tables a device goes by. “New root” is the moment when the kdump kernel's root table "
            "is installed: what is adopted is adopted then. Both kernels share an axis; where one "
            "waits much longer, time is pressed together behind a double line. Once translation "
            "was off, the crashed kernel's DMA cannot be told from the new driver's in the trace "
            "and is drawn as the latter. QEMU's trace tells nothing of the DMA of a device in "
            "pass-through or while translation is off; the e1000e card tells of its own.</p>")


def page(tab: Table, rows: dict[str, Row], cells: dict[str, dict[str, str]]) -> str:
    """The whole page."""
    style = "\n".join(p.read_text() for p in (timeline.STYLE, STYLE))
    style = re.sub(r"/\*.*?\*/\s*", "", style, flags=re.DOTALL)
    body = [head(tab), scoreboard(tab), surprises(tab), by_group(tab, rows), cell_grids(tab, cells),
            grid(tab, rows), details(tab, rows)]
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>vtd-takeover: the rows</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f'<svg class="defs" aria-hidden="true" width="0" height="0">{timeline.PATTERNS}</svg>\n'
            '<nav><a href="#scoreboard">Scoreboard</a> '
            '<a href="#surprises">Not as wanted</a> <a href="#cells">Command lines</a> '
            '<a href="#grid">Every row</a> <a href="#rows">Row by row</a></nav>\n'
            + "\n".join(body) + "\n</body>\n</html>\n")
