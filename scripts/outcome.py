#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What is kept of a run beside its logs: the judgement, and what a drawing of it needs.

All is made from the facts, and can be made anew when only this changed. A result holds:

    verdict                 "PASS" or "FAIL"; "NO RESULT" and "why" alone if the serial line lost
                            something that the judgement rests on
    fails                   names of the judgements that failed
    linux                   version of the kernel that was to save the dump, as it said itself
    invariants, checks      {name: {"verdict": "pass" | "fail" | "not judged", "text": ...}}
    facts                   command lines, devices, seconds from the panic to things, counts
    timeline                seconds of guest time since the panic (the host's pauses cut out); none
                            where nothing panics:
        marks               {"panic", "kdump kernel", "new root", "dump begun", "dump saved": s};
                            "end" instead of "dump saved" where nobody waited any longer
        translation         [[s, 0 or 1], ...] from the panic on
        bucket              width of a bucket in seconds
        devices             [{"name", "sid", "id", "released": s or null, "blocked": s or null,
                              "in_flight" | "translated" | "faulted" | "attempts": [[s, count]]}]
                            in_flight: the crashed kernel's DMA, pass-through included; attempts:
                            what a blocked device tried in vain, where it tells of it
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import verdict
from evidence import Facts
from scenarios import Row

BUCKET = 0.1
UNLISTED = 32 << 20  # RAM that no map lists: below 1 MiB, firmware's, what a command line keeps
BANNER = re.compile(r"Linux version (\S+)")


def buckets(facts: Facts, times: Iterable[float]) -> list[list[float]]:
    counts = Counter(int(facts.seconds(t) / BUCKET) for t in times)
    return [[round(b * BUCKET, 3), n] for b, n in sorted(counts.items())]


def timeline(facts: Facts, blocked: set[int]) -> dict[str, Any]:
    """The run as a drawing needs it; see the head of this file. blocked: who was, in fact."""
    names = {"panic": "panic", "crash": "kdump kernel", "begin": "dump begun",
             "saved": "dump saved"}
    marks = {text: facts.seconds(facts.marks[name].time)
             for name, text in names.items() if name in facts.marks}
    if facts.root:
        marks["new root"] = facts.seconds(facts.root.time)
    if "saved" not in facts.marks:
        marks["end"] = facts.seconds(facts.marks["end"].time)
    panic = facts.marks["panic"].trace
    flying = facts.in_flight()
    faults = [f for f in facts.trace.faults if panic <= f.at < facts.end]
    sids = {f.sid for f in facts.functions if f.device} | {d.sid for d in facts.dmas}
    lanes = []
    for sid in sorted(sids | {f.sid for f in faults}):
        function = facts.by_sid.get(sid)
        lanes.append({
            "name": facts.who(sid), "sid": sid, "id": function.id if function else None,
            "released": facts.seconds(facts.releases[sid].time) if sid in facts.releases
            else None,
            "in_flight": buckets(facts, (d.time for d in flying if d.sid == sid)),
            "translated": buckets(facts, (d.time for d in facts.dmas
                                          if d.sid == sid and not d.direct)),
            "faulted": buckets(facts, (f.time for f in faults if f.sid == sid)),
            "blocked": facts.seconds(facts.root.time) if facts.root and sid in blocked else None,
            "attempts": buckets(facts, (p.time for p in facts.tries(sid)) if sid in blocked
                                else ()),
        })
    return {
        "marks": marks, "bucket": BUCKET, "devices": lanes,
        "translation": [[0.0, int(facts.trace.translating(panic))],
                        *([facts.seconds(s.time), s.value] for s in facts.trace.switches
                          if panic <= s.at < facts.end)],
    }


def garbled(row: Row, facts: Facts) -> str:
    """Why the memory map that the guest printed cannot be believed, or nothing."""
    if not facts.crash:
        return ""
    crash, old = (sum(s.last + 1 - s.first for s in spans) for spans in (facts.crash, facts.old))
    # Two ranges if some of it is asked for below 4 GiB and some above.
    asked = sum(int(size) << 20 for size in re.findall(r"(\d+)M", row.crashkernel))
    if crash != asked or row.bytes - crash - old > UNLISTED:
        return (f"the memory map on the serial line is damaged: {crash >> 20} MiB for the kdump "
                f"kernel, {old >> 20} MiB beside it")
    return ""


def result(row: Row, facts: Facts) -> dict[str, Any]:
    """The judgement, and what of the facts is of use afterwards."""
    if why := garbled(row, facts):
        return {"verdict": "NO RESULT", "fails": [], "why": why}
    verdicts = verdict.judge(facts)
    fails = verdict.failures(verdicts)
    panic = facts.marks["panic"].trace
    # A life without a panic is no matter of seconds.
    closed = verdicts["CLOSED"].verdict == verdict.PASS
    drawing = timeline(facts, facts.blocked if closed else set()) if row.road != "life" else None
    banner = next(filter(None, map(BANNER.search, facts.crash_log or facts.first_log)), None)
    return {
        "verdict": "FAIL" if fails else "PASS", "fails": fails,
        "linux": banner[1] if banner else "",
        "invariants": {n: verdicts[n]._asdict() for n in verdict.INVARIANTS},
        "checks": {n: v._asdict() for n, v in verdicts.items() if n not in verdict.INVARIANTS},
        "facts": {
            "first": row.first_line(), "crash": row.crash_line(),
            "devices": [f"{f.address} {f.id} {f.driver} {f.domain}" for f in facts.functions],
            "seconds": drawing["marks"] if drawing else {},
            "frames": facts.sent, "vmcore_bytes": facts.dump.size,
            "faults": sum(panic <= f.at < facts.end for f in facts.trace.faults),
            "in_flight_after_root": sum(d.at > facts.root.at for d in facts.in_flight())
            if facts.root and drawing else 0,
        },
        **({"timeline": drawing} if drawing else {}),
    }
