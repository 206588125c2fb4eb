#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draw runs as SVG: one panel a run, one axis for all panels of a drawing.

    strip       translation on or off
    marks       vertical lines: panic, kdump kernel's first line, new root, dump begun and saved
    lanes       one a device. Bars up: DMA; spikes down: faults; the ribbon between them: whose
                tables the device goes by. Shapes differ as well as colours.

How long a bar is tells a number logarithmically, so that a single DMA and thousands of faults are
both seen. The axis is linear; where one run lasts much longer than the others, the rest of it is
pressed together behind a break that says so.

Knows nothing of where runs come from, nor of the page around the drawing. The same evidence gives
the same bytes.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from pathlib import Path

from runs import Buckets, Lane, Run, Timeline

STYLE = Path(__file__).resolve().parent / "style/timeline.css"
WIDTH = 760.0
LEFT, RIGHT = 10.0, 750.0
BREAK = 16.0  # of the axis
SLOT = 4.0  # narrowest bar with its gap
MOST = 10_000  # a bar of full length
UP, DOWN, RIBBON, HEAD = 24.0, 20.0, 6.0, 17.0
STRIP = 16.0
LETTER = 6.1  # width, at most, of one of the font's letters
LATE = 2.0  # a run this many times longer than the shortest is pressed together

# What the marks are called. The new root is what adopts, if anything was there to adopt.
MARKS = {"panic": "panic", "kdump kernel": "kdump kernel's first line", "new root": "new root",
         "dump begun": "dump begun", "dump saved": "dump saved"}


def num(value: float) -> str:
    """A coordinate: one decimal, no more."""
    return f"{value:.1f}".removesuffix(".0")


def many(count: int) -> str:
    return f"{count:,}"


@dataclass(frozen=True)
class Axis:
    """Seconds to places. Up to `knee` it is linear; behind a break the rest, up to `end`."""

    knee: float
    end: float

    @property
    def broken(self) -> bool:
        return self.end > self.knee

    @property
    def edge(self) -> float:
        """Where the first piece ends."""
        return LEFT + (RIGHT - LEFT) * 0.7 if self.broken else RIGHT

    @property
    def pressed(self) -> float:
        """How many times faster time goes behind the break."""
        rest = (self.end - self.knee) / (RIGHT - self.edge - BREAK)
        return rest / (self.knee / (self.edge - LEFT))

    def x(self, second: float) -> float:
        if second <= self.knee:
            return LEFT + (self.edge - LEFT) * max(second, 0) / self.knee
        begin = self.edge + BREAK
        share = (second - self.knee) / (self.end - self.knee) if self.broken else 1
        return begin + (RIGHT - begin) * min(share, 1) if self.broken else RIGHT

    def ticks(self) -> list[float]:
        found = spaced(0, self.knee, 8)
        if self.broken:
            found += [t for t in spaced(self.knee, self.end, 4)
                      if self.x(t) > self.edge + BREAK + 8]
        return found


def spaced(begin: float, end: float, most: int) -> list[float]:
    """Round numbers from begin to end."""
    step = next(s * 10 ** p for p in range(-1, 6) for s in (1, 2, 5)
                if (end - begin) / (s * 10 ** p) <= most)
    return [i * step for i in range(math.ceil(begin / step), math.floor(end / step) + 1)]


def busy_until(line: Timeline) -> float:
    """The last thing known of a run."""
    times = [*line.marks.values(), *(t for t, _ in line.translation)]
    for lane in line.lanes:
        times += [lane.released or 0]
        times += [t + line.bucket for kind in (lane.in_flight, lane.translated, lane.faulted,
                                               lane.attempts) for t, _ in kind]
    return max(times, default=0)


def ending(line: Timeline) -> float:
    """Where a run's panel ends: with the dump, or with the last thing known."""
    return line.marks.get("dump saved", busy_until(line))


def axis(lines: list[Timeline]) -> Axis:
    """An axis for all of them: the quick ones get the room."""
    early = []
    for line in lines:
        if "dump saved" in line.marks:
            early.append(line.marks["dump saved"])
        else:  # what it did before it began to wait
            early.append(max([*(t for m, t in line.marks.items() if m != "end"),
                              *(lane.released or 0 for lane in line.lanes)], default=0))
    saved = [line.marks["dump saved"] for line in lines if "dump saved" in line.marks]
    shortest = min(saved or early, default=1)
    knee = max([t for t in early if t <= LATE * shortest], default=shortest)
    end = max([ending(line) for line in lines], default=knee)
    knee = max(math.ceil(knee * 1.04 * 2) / 2, 1.0)
    return Axis(knee, end * 1.02 if end > LATE * knee else knee) if end > LATE * knee \
        else Axis(max(knee, end), max(knee, end))


# What a device did ------------------------------------------------------------------------------


def split(lane: Lane, line: Timeline) -> dict[str, Buckets]:
    """A device's DMA by kind.

    What was in flight and what the IOMMU translated are counted by themselves. In one bucket: what
    is in both is the crashed kernel's, translated; what is in flight only went past the IOMMU,
    which is what pass-through asks for as long as translation is on; what was translated only is
    the kdump kernel's driver's. Once translation was off nobody can tell the crashed kernel's DMA
    from the driver's by the trace: it counts as the latter.
    """
    flying, through = dict(lane.in_flight), dict(lane.translated)
    kinds: dict[str, Buckets] = {"old": [], "pass": [], "bare": [], "new": []}
    for time in sorted({*flying, *through}):
        old = min(flying.get(time, 0), through.get(time, 0))
        past, new = flying.get(time, 0) - old, through.get(time, 0) - old
        off = not translating(line, time, time + line.bucket)
        for kind, count in (("old", old), ("bare" if off else "pass", past), ("new", new)):
            if count:
                kinds[kind].append((time, count))
    return {**kinds, "fault": lane.faulted, "try": lane.attempts}


def translating(line: Timeline, begin: float, end: float) -> bool:
    """Was translation on from begin to end?"""
    state = 1
    for time, value in line.translation:
        if time <= begin:
            state = value
        elif time < end:
            state = min(state, value)
    return bool(state)


TEXTS = {"old": "of the crashed kernel, translated",
         "pass": "of the crashed kernel, in pass-through",
         "bare": "of the crashed kernel, untranslated", "new": "of the new driver",
         "try": "tried in vain"}


def counts(kinds: dict[str, Buckets]) -> dict[str, int]:
    return {kind: total for kind, found in kinds.items()
            if (total := sum(count for _, count in found))}


def phrase(kind: str, count: int) -> str:
    """A number of something, in words."""
    if kind == "fault":
        return "1 fault" if count == 1 else f"{many(count)} faults"
    return f"{many(count)} {TEXTS[kind]}" if kind == "try" else f"{many(count)} DMA {TEXTS[kind]}"


def bars(kind: str, found: Buckets, bucket: float, scale: Axis, base: float) -> str:
    """One path for all bars of a kind; those that would share a place are added up."""
    slots: dict[float, int] = defaultdict(int)
    widths: dict[float, float] = {}
    for time, count in found:
        late = time >= scale.knee and scale.broken
        begin, end = (scale.knee, scale.end) if late else (0, scale.knee)
        room = (scale.x(end) - (scale.edge + BREAK if late else LEFT)) / (end - begin)
        width = math.ceil(max(SLOT / room, bucket) / bucket - 1e-6) * bucket
        place = begin + math.floor((time - begin) / width + 1e-6) * width
        x = (scale.edge + BREAK if late else LEFT) + (place - begin) * room
        slots[x] += count
        widths[x] = width * room - 1
    path = ""
    for x, count in sorted(slots.items()):
        share = min(math.log10(count) / math.log10(MOST), 1) if count else 0
        wide = num(widths[x])
        if kind == "fault":
            half, high = num(widths[x] / 2), num(5 + (DOWN - 6) * share)
            path += f"M{num(x)} {num(base)}h{wide}l-{half} {high}z"
        elif kind == "try":
            path += f"M{num(x)} {num(base)}h{wide}v3h-{wide}z"
        else:
            path += f"M{num(x)} {num(base)}v-{num(3 + (UP - 4) * share)}h{wide}V{num(base)}z"
    total = sum(count for _, count in found)
    return f'<path class="{kind}" d="{path}"><title>{phrase(kind, total)}</title></path>' \
        if path else ""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    looks = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{num(x)}" y="{num(y)}"{looks}>{escape(words, quote=False)}</text>'


def box(kind: str, x: float, y: float, wide: float, high: float, title: str = "") -> str:
    inside = f"><title>{escape(title)}</title></rect>" if title else "/>"
    return (f'<rect class="{kind}" x="{num(x)}" y="{num(y)}" width="{num(max(wide, .5))}" '
            f'height="{num(high)}"{inside}')


def called(lane: Lane) -> str:
    """A device's name; that of one which no row knows has its address twice."""
    return re.sub(r" at \S+ \(", " (", lane.name)


def lane_svg(lane: Lane, run: Run, scale: Axis, top: float,
             blocked: dict[str, str]) -> str:
    """A device: its name and counts, bars, ribbon, release."""
    line = run.timeline
    assert line is not None
    kinds = split(lane, line)
    ribbon = top + HEAD + UP
    end = ending(line)
    root = line.marks.get("new root")
    free = lane.released if lane.released is not None else end
    # Which devices a row means to be blocked is known; when, only by the new root.
    cut = lane.blocked
    name = lane.name.partition(" (")[0]
    if cut is None and root is not None and name in blocked:
        cut = root
    notes = [phrase(kind, count) for kind, count in counts(kinds).items()]
    parts = [text(LEFT, top + 11, called(lane), "dev"),
             text(RIGHT, top + 11, "; ".join(notes) or "did nothing that the trace tells of",
                  "note", "end")]
    x0, x1 = scale.x(0), scale.x(min(free, end))
    lost = next((t for t, value in line.translation if not value and t < min(free, end)), None)
    parts += [box(kind, scale.x(begin), ribbon, scale.x(until) - scale.x(begin), RIBBON, what)
              for kind, begin, until, what in ribbons(line, cut, free, end)]
    # Whether it was is the judge's to say, where nobody noted it in the timeline.
    closed, _ = run.judged.get("CLOSED", ("", ""))
    words = blocked.get(name, "blocked")
    words = f"meant to be {words}" if closed == "fail" else words
    xc = scale.x(cut or 0)
    if cut is not None and cut < free:
        parts.append(box("blocked", xc, ribbon - UP, x1 - xc, UP + RIBBON + DOWN / 2, words))
    parts += [bars(kind, kinds[kind], line.bucket, scale, ribbon)
              for kind in ("old", "pass", "bare", "new")]
    if cut is not None and cut < free and x1 - xc > LETTER * len(words):
        parts.append(text((xc + x1) / 2, ribbon - 8, words, "on-blocked", "middle"))
    parts += [bars(kind, kinds[kind], line.bucket, scale, ribbon + RIBBON)
              for kind in ("fault", "try")]
    below = ribbon + RIBBON + 13
    if lane.released is not None and lane.released <= end:
        place = f"M{num(x1)} {num(ribbon + RIBBON / 2 - 8)}l5 8-5 8-5-8z"
        parts += [f'<path class="release" d="{place}">'
                  f"<title>released {lane.released:.2f} s after the panic</title></path>",
                  released_text(lane, scale, x1, below)]
    elif lost is not None:
        parts.append(text(*beside(scale.x(lost), below, f"old tables gone {lost:.1f} s"), "rel"))
    else:
        parts.append(text(*beside(x0 - 7, below, "never released"), "rel"))
    return "".join(parts)


def released_text(lane: Lane, scale: Axis, x: float, y: float) -> str:
    """The time of a release, on the side where no faults are in its way."""
    words = f"released {lane.released or 0:.1f} s"
    wide = LETTER * len(words) + 12
    right = sum(x - 4 <= scale.x(t) < x + wide for t, _ in lane.faulted)
    left = sum(x - wide <= scale.x(t) < x - 4 for t, _ in lane.faulted)
    if right > left and x - wide > LEFT:
        return text(x - 8, y, words, "rel", "end")
    return text(*beside(x, y, words), "rel")


def ribbons(line: Timeline, cut: float | None, free: float, end: float
            ) -> list[tuple[str, float, float, str]]:
    """Whose tables a device goes by, from when to when.

    The old ones until it is blocked or released; but once translation was off they are gone, and
    after that it goes by what was set up anew, released or not.
    """
    found = []
    spans = [*line.translation, (end, 1)]
    was_off = False
    for (begin, value), (until, _) in zip(spans, spans[1:]):
        if not value:
            found.append(("off", begin, until, "translation off: no tables"))
            was_off = True
            continue
        if was_off:
            found.append(("free", begin, until, "tables set up anew"))
            continue
        stop = min(until, free, end if cut is None else cut)
        if begin < stop:
            found.append(("held", begin, stop, "old tables"))
        if free < until:
            found.append(("free", max(begin, free), until, "released: the new driver's tables"))
    return found


def beside(x: float, y: float, words: str) -> tuple[float, float, str]:
    """Text right of a place, or as far right as it fits."""
    return min(x + 8, RIGHT - LETTER * len(words)), y, words


def marks_svg(run: Run, scale: Axis, top: float, bottom: float) -> tuple[str, float]:
    """The vertical lines with their names above; returns the height the names took."""
    line = run.timeline
    assert line is not None
    wanted = [(time, f"{name} {time:.1f} s" if time else name)
              for key, name in MARKS.items() if (time := line.marks.get(key)) is not None]
    if "dump saved" not in line.marks and run.verdict == "FAIL":
        _, why = run.judged.get("dump", ("", "dump lost"))
        why = why.removeprefix("kdump kernel: ").removeprefix("DUMP LOST: ")
        stop = line.marks.get("end")
        wanted.append((stop if stop is not None else ending(line),
                       f"✖ dump lost: {why}"[:70] + (f", {stop:.0f} s" if stop else "")))
    free: list[float] = []  # per line of names, how far it is taken
    placed = []
    for time, words in sorted(wanted):
        x, wide = scale.x(time), LETTER * len(words)
        right = x + 3 + wide > RIGHT
        begin = x - 3 - wide if right else x + 3
        row = next((i for i, taken in enumerate(free) if taken < begin), len(free))
        free[row:row + 1] = [begin + wide + 6]
        placed.append((x, row, words, right))
    high = 13.0 * len(free)
    parts = []
    for x, row, words, right in placed:
        y = top + 13.0 * row
        bad = " bad" if words.startswith("✖") else ""
        parts += [f'<path class="mark{bad}" d="M{num(x)} {num(y + 2)}V{num(bottom + high)}"/>',
                  text(x - 3 if right else x + 3, y + 10, words, f"name{bad}",
                       "end" if right else "")]
    return "".join(parts), high


def strip_svg(run: Run, scale: Axis, top: float) -> str:
    """Translation on or off."""
    line = run.timeline
    assert line is not None
    end = ending(line)
    parts = []
    spans = [*line.translation, (end, -1)]
    named = False
    for (begin, value), (until, _) in zip(spans, spans[1:]):
        x, wide = scale.x(begin), scale.x(until) - scale.x(begin)
        kind = "on" if value else "off"
        parts.append(box(kind, x, top, wide, STRIP,
                         f"translation {kind}, {begin:.2f} s to {until:.2f} s"))
        if value and not named and wide > 90:
            parts.append(text(x + 5, top + 12, "translation on", "on-strip"))
            named = True
        elif not value:
            words = f"OFF {begin:.1f} s to {until:.1f} s" if until < end else f"OFF {begin:.1f} s"
            if wide > LETTER * len(words) + 6:
                parts.append(text(x + 5, top + 12, words, "on-off"))
            elif wide > 26:
                parts.append(text(x + 4, top + 12, "OFF", "on-off"))
    return "".join(parts)


def panel(run: Run, scale: Axis, top: float, title: str, blocked: dict[str, str]
          ) -> tuple[str, float]:
    """A run; returns where it ends, too."""
    line = run.timeline
    head = text(LEFT, top + 14, title, "title")
    top += 22
    if line is None:
        return head + text(LEFT, top + 12, run.why or run.verdict, "note"), top + 24
    lane_high = HEAD + UP + RIBBON + DOWN
    body = STRIP + 5 + lane_high * len(line.lanes)
    marks, high = marks_svg(run, scale, top, top + body)
    y = top + high + 3
    parts = [head, strip_svg(run, scale, y)]
    y += STRIP + 2
    for lane in line.lanes:
        parts.append(lane_svg(lane, run, scale, y, blocked))
        y += lane_high
    # The marks lie below: names and counts have to be read across them.
    return marks + "".join(parts), y


def axis_svg(scale: Axis, top: float, bottom: float) -> str:
    """Ticks below, faint lines behind, the break."""
    lines = "".join(f"M{num(scale.x(t))} {num(top)}V{num(bottom + 4)}" for t in scale.ticks())
    parts = [f'<path class="grid" d="{lines}"/>']
    for tick in scale.ticks():
        last = scale.x(tick) > RIGHT - 20
        parts.append(text(scale.x(tick), bottom + 15, f"{tick:g}", "tick",
                          "end" if last else "middle"))
    words = "seconds of guest time since the panic"
    parts.append(text(LEFT, bottom + 30, words, "note"))
    if scale.broken:
        x = scale.edge + BREAK / 2
        parts.append(f'<path class="break" d="M{num(x - 3)} {num(top)}V{num(bottom + 4)}'
                     f'M{num(x + 3)} {num(top)}V{num(bottom + 4)}"/>')
        parts.append(text(RIGHT, bottom + 30, "right of the double line time is pressed together "
                          f"{scale.pressed:.0f} times", "note", "end"))
    return "".join(parts)


LEGEND = [
    ("old", "DMA of the crashed kernel, translated"), ("new", "DMA of the kdump kernel's driver"),
    ("pass", "the crashed kernel's, in pass-through"),
    ("bare", "the crashed kernel's, untranslated"),
    ("fault", "faults"), ("blocked", "blocked"),
    ("held", "old tables"), ("free", "new tables"), ("release", "release"),
    ("off", "translation off"),
]


def legend_svg(kinds: set[str], top: float) -> tuple[str, float]:
    """What shapes and colours mean, for a drawing that stands alone."""
    x, y = LEFT, top
    parts = []
    for kind, words in LEGEND:
        if kind not in kinds:
            continue
        wide = 18 + LETTER * len(words) + 16
        if x + wide > RIGHT + 16:
            x, y = LEFT, y + 17
        shape = {"fault": f"M{num(x)} {num(y + 1)}h11l-5.5 11z",
                 "release": f"M{num(x + 5.5)} {num(y)}l5 6.5-5 6.5-5-6.5z",
                 "held": f"M{num(x)} {num(y + 4)}h11v6h-11z",
                 "free": f"M{num(x)} {num(y + 4)}h11v6h-11z"}.get(
                     kind, f"M{num(x)} {num(y)}h11v12h-11z")
        parts += [f'<path class="{kind}" d="{shape}"/>', text(x + 17, y + 10, words, "note")]
        x += wide
    return "".join(parts), y + 20


def kinds_in(drawn: list[Run]) -> set[str]:
    """What a legend has to explain."""
    found = {"held"}
    for run in drawn:
        if run.timeline:
            if any(not value for _, value in run.timeline.translation):
                found |= {"off", "free"}
            for lane in run.timeline.lanes:
                found |= set(counts(split(lane, run.timeline)))
                found |= {"free", "release"} if lane.released is not None else set()
    return found


def describe(run: Run) -> str:
    """The drawing in words, for those who do not see it."""
    line = run.timeline
    if line is None:
        return f"{run.flavour}: {run.verdict}"
    off = [t for t, value in line.translation if not value]
    parts = [f"translation {'switched off at %.1f s' % off[0] if off else 'never off'}"]
    for lane in line.lanes:
        released = f"released at {lane.released:.1f} s" if lane.released is not None \
            else "never released"
        faults = sum(n for _, n in lane.faulted)
        parts.append(f"{called(lane)} {released}" + (f", {many(faults)} faults" if faults else ""))
    saved = line.marks.get("dump saved")
    parts.append(f"dump saved at {saved:.1f} s" if saved is not None else "dump lost")
    return f"{run.flavour}: " + "; ".join(parts)


def draw(drawn: list[tuple[str, Run]], blocked: dict[str, str] | None = None
         ) -> tuple[str, float]:
    """Panels one below the other on one axis; returns what goes into <svg>, and its height.

    blocked: the devices that the row means to be blocked, on the kernel that can do that, and the
    words for it.
    """
    lines = [run.timeline for _, run in drawn if run.timeline]
    scale = axis(lines) if lines else Axis(1, 1)
    y = 2.0
    parts = []
    for title, run in drawn:
        svg, y = panel(run, scale, y, title,
                       (blocked or {}) if run.flavour == "takeover" else {})
        parts.append(svg)
        y += 10
    behind = axis_svg(scale, 26, y - 6) if lines else ""
    return behind + "".join(parts), y + (28 if lines else 0)


PATTERNS = (
    '<defs><pattern id="hb" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path class="hatch-b" d="M0 0h6v6h-6z"/>'
    '<path class="stroke-b" d="M0 0v6"/></pattern>'
    '<pattern id="ho" width="5" height="5" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(-45)"><path class="hatch-o" d="M0 0h5v5h-5z"/>'
    '<path class="stroke-o" d="M0 0v5"/></pattern></defs>')


def alone(drawn: list[tuple[str, Run]], heading: str, under: str) -> str:
    """A whole SVG file, with its own background and legend."""
    inner, high = draw(drawn)
    legend, end = legend_svg(kinds_in([run for _, run in drawn]), high + 34)
    tall = end + 4
    words = escape(". ".join(describe(run) for _, run in drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {num(WIDTH)} {num(tall)}" '
        f'width="{num(WIDTH)}" height="{num(tall)}" role="img" aria-labelledby="t d">\n'
        f'<title id="t">{escape(heading)}</title>\n<desc id="d">{words}</desc>\n'
        f"<style>{STYLE.read_text().strip()}</style>\n{PATTERNS}\n"
        f'<g class="timeline"><rect class="ground" width="{num(WIDTH)}" height="{num(tall)}" '
        f'rx="6"/>\n{text(LEFT, 19, heading, "heading")}\n'
        f'<g transform="translate(0 26)">\n{inner}\n</g>\n'
        f"{legend}\n{text(RIGHT, tall - 6, under, 'note', 'end')}\n</g>\n</svg>\n")


def inline(drawn: list[tuple[str, Run]], blocked: dict[str, str]) -> str:
    """A drawing for a page that brings style and patterns, and tells below what it shows."""
    inner, high = draw(drawn, blocked)
    return (f'<svg class="timeline" viewBox="0 0 {num(WIDTH)} {num(high)}" role="img" '
            f'aria-label="Timeline, told in words below">{inner}</svg>')
