#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Facts of one run → a judgement per invariant, and whether the row passed.

Every judgement is pass, fail, or "not judged" with the reason. Nothing is read, run or measured
here. The invariants are ON ALIVE SHIELD INTACT FRESH TAGS WARY CLOSED; the judge of each says what
it asks for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import inspector
from evidence import PAGE, SILENCED, Aim, Dma, Facts, pages

INVARIANTS = ["ON", "ALIVE", "SHIELD", "INTACT", "FRESH", "TAGS", "WARY", "CLOSED"]
PASS, FAIL, OPEN = "pass", "fail", "not judged"
# What the takeover says of tables that it cannot take as they are.
COMPLAINT = re.compile(r"DMAR: takeover: .*(entry (dropped|kept)|not adopted|of the root entry)")


class Verdict(NamedTuple):
    verdict: str
    text: str


def passed(text: str) -> Verdict:
    return Verdict(PASS, text)


def failed(text: str) -> Verdict:
    return Verdict(FAIL, text)


def not_judged(text: str) -> Verdict:
    return Verdict(OPEN, text)


def per_device(facts: Facts, sids: Iterable[int]) -> str:
    """'3 e1000e (00:01.0), 1 ahci (00:1f.2)'"""
    return ", ".join(f"{count} {facts.who(sid)}" for sid, count in Counter(sids).most_common(4))


def sample(dma: Dma) -> str:
    return f"e.g. {dma.iova:#x} -> {dma.gpa:#x}"


def unhurt_cards(facts: Facts) -> list[int]:
    """The network cards whose DMA in flight has to live on."""
    return [f.sid for f in facts.functions
            if f.device and f.device.role == "nic" and f.sid not in facts.hurt]


def kept_reserved(facts: Facts, dma: Dma) -> bool:
    """Is this DMA to reserved memory, which every device that has some may reach?"""
    return dma.iova == dma.gpa and facts.reserved(dma.gpa)


def on(facts: Facts) -> Verdict:
    """Translation is never switched off from the panic until the dump is saved."""
    panic = facts.marks["panic"].trace
    if not facts.trace.translating(panic):
        return failed("translation was off before the panic: the crashed kernel did not translate")
    off = [s for s in facts.trace.switches if panic <= s.at < facts.end and not s.value]
    if off:
        return failed(f"translation was switched off {facts.seconds(off[0].time):.2f} s after "
                      f"the panic" + (f", {len(off)} times in all" if len(off) > 1 else ""))
    if not facts.translating_at_end:
        return failed("GSTS.TES reads 0 at the end")
    return passed("translation never switched off; GSTS.TES reads 1 at the end")


def in_flight(facts: Facts) -> Verdict:
    """Without old DMA between the new root and the release a run proves nothing."""
    if facts.root is None:
        return failed("no new root table was installed: proves nothing")
    flying = [d for d in facts.in_flight() if d.at > facts.root.at and d.sid not in facts.hurt]
    tried = {sid: facts.attempted(sid) for sid in facts.hurt}
    if sum(tried.values()) and not unhurt_cards(facts):
        return passed(f"after the new root, in vain: "
                      f"{', '.join(f'{n} {facts.who(sid)}' for sid, n in tried.items() if n)}")
    if not flying:
        return failed(f"no DMA in flight after the new root ({facts.sent} frames sent): "
                      "proves nothing")
    direct = sum(d.direct for d in flying)
    return passed(f"{len(flying)} after the new root: {per_device(facts, (d.sid for d in flying))}"
                  + (f"; {direct} of them past the IOMMU" if direct else ""))


def moved_pages(facts: Facts, flying: Iterable[Dma]) -> str:
    """A page that led somewhere else before the new root than after it, or nothing."""
    assert facts.root
    before: dict[tuple[int, int], int] = {}
    for dma in flying:
        page = (dma.sid, dma.iova // PAGE)
        if dma.at < facts.root.at:
            before[page] = dma.gpa // PAGE
        elif before.get(page, dma.gpa // PAGE) != dma.gpa // PAGE:
            return (f"{facts.who(dma.sid)}: {dma.iova:#x} went to page {before[page] * PAGE:#x} "
                    f"before the new root, after it to {dma.gpa:#x}")
    return ""


def bits_ignored(facts: Facts, sid: int) -> bool:
    """Has a device bits in its entries that the takeover says it ignores? The unit would not."""
    function = facts.by_sid.get(sid)
    return bool(function and function.device and function.device.name == facts.row.victim
                and any("ignored" in report for report in facts.row.report))


def alive(facts: Facts) -> Verdict:
    """In-flight DMA translates as the old tables say."""
    panic = facts.marks["panic"].trace
    lost = [f for f in facts.trace.faults
            if panic <= f.at < facts.end and not facts.released(f.sid, f.at)
            and not facts.ended(f.sid, f.at) and f.sid != facts.raging and not facts.meant(f)]
    if lost:
        return failed(f"{len(lost)} faults of devices not yet released: "
                      f"{per_device(facts, (f.sid for f in lost))}, "
                      f"e.g. {lost[0].iova:#x}, reason {lost[0].reason}")
    flying = facts.in_flight()
    bare = [d for d in flying if d.direct and not facts.trace.translating(d.at)]
    if bare:
        return failed(f"{len(bare)} DMA in flight went untranslated: "
                      f"{per_device(facts, (d.sid for d in bare))}, {sample(bare[0])}")
    if facts.root is None:
        return not_judged("no new root table was installed")
    if facts.hurt:
        flying = [d for d in flying if not facts.ended(d.sid, d.at)]
        if not unhurt_cards(facts) and not any(d.at > facts.root.at for d in flying):
            return not_judged("all DMA in flight is meant to end with the new root")
    after = [d for d in flying if d.at > facts.root.at]
    # Of pass-through QEMU tells nothing, until the takeover has tables in its place.
    if bent := [d for d in flying if facts.passes(d.sid) and d.iova != d.gpa]:
        return failed(f"{facts.who(bent[0].sid)} was in pass-through: {sample(bent[0])}")
    if moved := moved_pages(facts, flying):
        return failed(moved)
    by_tables = [d for d in after if not d.direct and not facts.passes(d.sid)]
    known = [d for d in by_tables if d.sid in facts.reach]
    if by_tables and not known:
        return failed("nobody could tell what the old tables say: proves nothing")
    for dma in known:
        there = facts.leads(dma)
        if (there == dma.gpa or kept_reserved(facts, dma)
                or (there is None and bits_ignored(facts, dma.sid))):
            continue
        return failed(f"{facts.who(dma.sid)}: {sample(dma)}, by the old tables "
                      + ("nowhere" if there is None else hex(there)))
    # The kdump kernel's memory is SHIELD's.
    lost_dma = [d for d in after if not facts.theirs(d.gpa) and not facts.owned(d.gpa)
                and not kept_reserved(facts, d)]
    if lost_dma:
        return failed(f"{len(lost_dma)} DMA in flight to what is no memory: "
                      f"{per_device(facts, (d.sid for d in lost_dma))}, {sample(lost_dma[0])}")
    return passed(f"{len(after)} DMA after the new root, no fault; "
                  f"{len({(d.sid, d.iova // PAGE) for d in known})} pages, each where the old "
                  "tables say")


def shield(facts: Facts) -> Verdict:
    """No device reaches the kdump kernel's memory before its release."""
    start = facts.root.at if facts.root else facts.marks["panic"].trace
    flying = [d for d in facts.in_flight() if d.at > start]
    hits = [d for d in flying if facts.owned(d.gpa)]
    if hits:
        return failed(f"{len(hits)} DMA in flight into the kdump kernel's memory: "
                      f"{per_device(facts, (d.sid for d in hits))}, {sample(hits[0])}")
    if facts.landed and facts.landed.words:
        found = facts.landed.pages
        return failed(f"{facts.landed.words} words of frames in {len(found)} pages of the kdump "
                      f"kernel's memory, e.g. {', '.join(map(hex, found[:4]))}")
    if facts.root is None:
        return not_judged("no new root table was installed")
    if not flying and not facts.landed:
        return not_judged("there was no DMA in flight")
    searched = (f"; no word of a frame in {facts.landed.searched >> 20} MiB of its memory"
                if facts.landed else "")
    return passed(f"none of {len(flying)} DMA in flight reached the kdump kernel{searched}")


def intact(facts: Facts) -> Verdict:
    """The crashed kernel's memory changes only where in-flight DMA lands."""
    if facts.changed is None or "crash" not in facts.marks:
        return not_judged("the kdump kernel did not come up")
    begin = facts.marks["crash"].trace
    targets = {d.gpa // PAGE for d in facts.in_flight() if d.at >= begin}
    size = sum(s.last + 1 - s.first for s in facts.old) >> 20
    # A device may write to what only a damaged entry takes for a table.
    written = [t for t in facts.changed.tables
               if not t.by_hardware and t.at // PAGE not in targets]
    if written:
        first = written[0]
        return failed(f"{len(written)} words of old tables changed, e.g. {first.what}: at "
                      f"{first.at:#x} {first.before:#x} became {first.after:#x}")
    marked = {t.at // PAGE for t in facts.changed.tables if t.by_hardware}
    strange = [a for a in facts.changed.pages if a // PAGE not in targets | marked]
    if strange:
        return failed(f"{len(strange)} pages of old memory changed where no DMA in flight went, "
                      f"e.g. {', '.join(hex(a) for a in strange[:4])}")
    return passed(f"{size} MiB of old memory compared: {len(facts.changed.pages)} pages changed, "
                  f"all by DMA in flight; {facts.changed.looked_at} pages of tables among it, none "
                  "by software")


def fresh(facts: Facts) -> Verdict:
    """After its release a device reaches only what its new driver mapped."""
    faults = [f for f in facts.trace.faults
              if f.at < facts.end and facts.released(f.sid, f.at)
              and not (f.sid in facts.by_sid and facts.by_sid[f.sid].name in facts.row.faults)]
    if faults:
        return failed(f"{len(faults)} faults after release: "
                      f"{per_device(facts, (f.sid for f in faults))}, e.g. {faults[0].iova:#x}")
    stale = [sid for sid in facts.releases if facts.unflushed(sid)]
    if stale:
        return failed(f"old id not invalidated in the IOTLB at the release of "
                      f"{', '.join(map(facts.who, stale))}")
    starts = {sid: facts.fresh_from(sid) for sid in facts.releases}
    new = [d for d in facts.dmas if (starts.get(d.sid) or facts.end) < d.at]
    stray = [d for d in new if not facts.owned(d.gpa)]
    if stray:
        return failed(f"{len(stray)} DMA after release outside the kdump kernel's memory: "
                      f"{per_device(facts, (d.sid for d in stray))}, {sample(stray[0])}")
    if not new:
        return not_judged("no translated DMA after a release was seen")
    return passed(f"{len(new)} DMA after release, all into the kdump kernel's memory: "
                  f"{per_device(facts, (d.sid for d in new))}")


def tags(facts: Facts) -> Verdict:
    """A domain id of a device not yet released is not given to a released one."""
    panic = facts.marks["panic"].trace
    old: dict[int, set[int]] = {}
    for tag in facts.trace.tags:
        if tag.sid in facts.hurt:  # its old id died with the old root
            continue
        if panic <= tag.at < facts.end and not facts.released(tag.sid, tag.at):
            old.setdefault(tag.sid, set()).add(tag.domain)
    new = 0
    for tag in facts.trace.tags:
        fresh_from = facts.fresh_from(tag.sid)
        if fresh_from is None or not fresh_from < tag.at < facts.end:
            continue
        new += 1
        for sid, domains in old.items():
            if sid != tag.sid and tag.domain in domains and not facts.released(sid, tag.at):
                return failed(f"{facts.who(tag.sid)} was given domain id {tag.domain:#x}, which "
                              f"{facts.who(sid)} still used")
    translated = [d.sid for d in facts.in_flight() if not d.direct and d.sid not in facts.hurt]
    if translated and not old:
        return failed("DMA in flight was translated, and none of it carried a domain id")
    if not old or not new:
        side = "in-flight DMA" if not old else "DMA after release"
        return not_judged(f"no {side} carried a domain id (pass-through has none in QEMU's trace)")
    used = sorted(set().union(*old.values()))
    return passed(f"old ids {', '.join(map(hex, used))} not given to others while in use")


def misreported(facts: Facts) -> str:
    """How the kdump kernel's complaints differ from those the row asks for, or nothing."""
    for report in facts.row.report:
        said = sum(bool(re.search(report, line)) for line in facts.crash_log)
        if said != 1:
            return f"{said} lines, not one, say {report!r}"
    more = [line for line in facts.crash_log if COMPLAINT.search(line)
            and not any(re.search(report, line) for report in facts.row.report)]
    return f"{len(more)} complaints more than meant, e.g. {more[0]!r}" if more else ""


def still_going(facts: Facts, sids: Iterable[int]) -> str:
    """DMA in flight that the new root should have ended, or nothing."""
    root = facts.root
    assert root is not None
    for sid in sorted(sids):
        through = [d for d in facts.in_flight()
                   if d.sid == sid and d.at > root.at and not kept_reserved(facts, d)]
        if through:
            return (f"{len(through)} DMA of {facts.who(sid)} went through after the new root, "
                    f"{sample(through[0])}")
        end = facts.flight_end(sid)
        if facts.bypassing(sid, end - 1) or any(
                not enabled and point.value == sid and root.at < point.at < end
                for point, enabled in facts.trace.ways):
            return f"{facts.who(sid)} went past the IOMMU after the new root"
    return ""


def wary(facts: Facts) -> Verdict:
    """Damage in the old tables costs what it hits, and is reported once."""
    if not facts.row.edit:
        return not_judged("an ordinary row: nothing hostile in the old tables")
    if facts.root is None:
        return failed("no new root table was installed")
    if wrong := misreported(facts):
        return failed(wrong)
    if "saved" not in facts.marks:
        return failed("the dump was not saved")
    if wrong := still_going(facts, facts.hurt):
        return failed(wrong)
    going = {d.sid for d in facts.in_flight() if d.at > facts.root.at}
    if dead := [sid for sid in unhurt_cards(facts) if sid not in going]:
        return failed(f"{', '.join(map(facts.who, dead))}: not meant to be hurt, but no DMA in "
                      "flight after the new root")
    if quiet := [sid for sid in sorted(facts.faulting) if not facts.lost(sid)]:
        return failed(f"{', '.join(map(facts.who, quiet))}: no DMA in flight faulted")
    hit = ", ".join(map(facts.who, sorted(facts.hurt))) or "nobody that does DMA"
    lamed = ", ".join(map(facts.who, sorted(facts.cut)))
    spared = ", ".join(map(facts.who, (s for s in unhurt_cards(facts) if s not in facts.cut)))
    return passed(f"{facts.row.edit}: {len(facts.row.report)} lines say so; hit {hit}, "
                  + (f"cut {lamed}, " if lamed else "") + f"spared {spared or 'no other card'}")


def closed(facts: Facts) -> Verdict:
    """What is not adopted is blocked, without a word from the hardware, not let through."""
    if not facts.row.blocked:
        return not_judged("an ordinary row: everything can be adopted" if not facts.row.edit
                          else "nothing that does DMA has to be blocked")
    if facts.root is None:
        return failed("no new root table was installed")
    if not facts.row.edit and (wrong := misreported(facts)):
        return failed(wrong)
    if wrong := still_going(facts, facts.blocked):
        return failed(wrong)
    if noise := [f for sid in sorted(facts.blocked) for f in facts.lost(sid)]:
        return failed(f"{len(noise)} faults of blocked devices recorded: "
                      f"{per_device(facts, (f.sid for f in noise))}, reason {noise[0].reason}")
    tried = {sid: facts.attempted(sid) for sid in sorted(facts.blocked)}
    if not any(tried.values()):
        cards = facts.blocked - {f.sid for f in facts.functions
                                 if f.device and f.device.role == "disk"}
        text = "no blocked device tried to do DMA after the new root"
        return failed(f"{text}: proves nothing") if cards else not_judged(text)
    end = max(facts.flight_end(sid) for sid in facts.blocked)
    unheard = sum(facts.root.at < p.at < end for p in facts.trace.silent)
    said = ", ".join(f"{n} attempts of {facts.who(sid)}" for sid, n in tried.items() if n)
    return passed(f"{said}, none went through, no fault recorded; {unheard} faults passed over "
                  "in silence")


def stray(facts: Facts) -> Verdict:
    """The edu device's accesses ended as the row says."""
    wrong, said = [], []
    for when, orders in facts.row.stray.items():
        for what, end in orders.items():
            got = next((facts.outcome(a) for a in facts.accesses
                        if (a.when, a.what) == (when, what)), "not tried")
            said.append(f"{when} {what} {got}")
            if got != end:
                wrong.append(f"{when} {what} {got}, not {end}")
    return failed(", ".join(wrong)) if wrong else passed(", ".join(said))


def ats(facts: Facts) -> Verdict:
    """ATS of the row's devices stays on until their release, and is off after it."""
    panic = facts.marks["panic"].trace
    said = []
    for name in facts.row.ats:
        sid = next((f.sid for f in facts.functions if f.device and f.device.name == name), -1)
        sets = facts.ats_of(sid)
        if not sets or sets[0][0].at >= panic or not sets[0][1]:
            return failed(f"ATS of {name} was not on before the panic: proves nothing")
        early = [p for p, on in sets[1:] if not on and not facts.released(sid, p.at)]
        if early:
            return failed(f"ATS of {facts.who(sid)} was switched off "
                          f"{facts.seconds(early[0].time):.2f} s after the panic, before its "
                          "release")
        late = [on for p, on in sets[1:] if facts.released(sid, p.at)]
        if not late or late[0]:
            return failed(f"ATS of {facts.who(sid)} was not switched off at its release")
        said.append(f"{facts.who(sid)} until its release, {'on' if late[-1] else 'off'} at the end")
    return passed(f"ATS stays on: {', '.join(said)}")


def release(facts: Facts) -> Verdict:
    """The swap happens for every disk and network card of the row."""
    functions = [f for f in facts.functions if f.device]
    wanted = [f for f in functions if f.device and f.device.role in ("disk", "nic")
              and f.sid not in facts.undriven and f.device.name != facts.row.pulled]
    said = ", ".join(
        f"{facts.who(f.sid)} "
        + (f"{facts.seconds(facts.releases[f.sid].time):.2f} s" if f.sid in facts.releases
           else "never") for f in functions)
    missing = [f for f in wanted if f.sid not in facts.releases]
    return failed(said) if missing or not wanted else passed(f"{said} after the panic")


def dump(facts: Facts) -> Verdict:
    if "saved" not in facts.marks:
        return failed(facts.trouble or "not saved")
    if facts.dump.problem:
        return failed(facts.dump.problem)
    seconds = facts.seconds(facts.marks["saved"].time)
    return passed(f"{facts.dump.size >> 10} KiB, saved {seconds:.1f} s after the panic")


def dmesg(facts: Facts) -> Verdict:
    if not facts.dump.dmesg:
        return not_judged("no dump to read")
    missing = [word for word in (facts.nonce, "Kernel panic - not syncing")
               if word not in facts.dump.dmesg]
    if missing:
        return failed(f"the dump's log lacks {', '.join(map(repr, missing))}")
    return passed(f"{len(facts.dump.dmesg.splitlines())} lines, with this run's nonce and panic")


def fsck(facts: Facts) -> Verdict:
    return failed(facts.dump.fsck) if facts.dump.fsck else passed("file system clean")


def devices(facts: Facts) -> Verdict:
    if facts.misfit:
        return failed(facts.misfit)
    return passed(", ".join(f"{facts.who(f.sid)} {f.id} {f.driver} {f.domain}"
                            for f in facts.functions if f.device))


JUDGES: dict[str, Callable[[Facts], Verdict]] = {
    "ON": on, "ALIVE": alive, "SHIELD": shield, "INTACT": intact, "FRESH": fresh, "TAGS": tags,
    "WARY": wary, "CLOSED": closed,
    "dump": dump, "dmesg": dmesg, "fsck": fsck, "devices": devices, "in flight": in_flight,
    "release": release,
}


def said(facts: Facts) -> Verdict:
    """The kernels logged what shows that the row is what its name says."""
    asked = [("first", text, facts.first_log) for text in facts.row.first_says]
    asked += [("kdump", text, facts.crash_log) for text in facts.row.crash_says]
    missing = [f"the {which} kernel did not say {text!r}" for which, text, log in asked
               if not any(text in line for line in log)]
    return failed(", ".join(missing)) if missing else passed(f"{len(asked)} lines found")


# How a kernel begins a line that says it found itself at fault. Anchored at the beginning: drivers
# warn of other things further on in a line, and DMA-API says how it was set up.
SPLAT = re.compile(
    r"(?:^|\] )(?:=+ )?(\[? ?(?:BUG(?::| \S+ \()|WARNING: |kernel BUG at |UBSAN: |Oops: |ODEBUG: |"
    r"watchdog: BUG: |watchdog: Watchdog detected hard LOCKUP|rcu: INFO: \S+ (?:self-)?detected |"
    r"INFO: task \S+ blocked for more |"
    r"DMA-API: (?!preallocated |debugging enabled )|INFO: trying to register non-static key|"
    r"(?:general protection|invalid opcode|int3|stack segment)\b|list_(?:add|del) corruption|"
    r"pagealloc: |-+\[ cut here \]).*)")


def alarms(facts: Facts) -> Verdict:
    """Neither kernel found itself at fault: no warning, no report of a sanitizer or of lockdep."""
    found = [(which, match[1]) for which, log in (("first", facts.first_log),
                                                  ("crash", facts.crash_log))
             for line in log if (match := SPLAT.search(line))]
    # What a splat is about stands in the line after the one to cut at.
    telling = [one for one in found if "cut here" not in one[1]] or found
    known = [one for one in telling if one[0] == "crash"
             and any(f" {name}+0x" in one[1] for name in facts.row.warns)]
    if known and len(known) == len(telling):
        return passed(f"{len(known)} warnings of the kdump kernel, in functions that the row names")
    if found:
        return failed(f"{len(telling)} alarms, the first of the {telling[0][0]} kernel: "
                      f"{telling[0][1]}")
    return passed("neither kernel found itself at fault")


# How translation goes on a road before the panic, or without one: as stock was seen to do. A
# suspend switches it off where the machine would sleep, an ordinary kexec when the kernel ends.
ROADS = {"kexec": [1, 0, 1], "suspend": [1, 0, 1], "life": [1, 0, 1, 0, 1]}


def ways(values: Iterable[int]) -> str:
    return ", ".join("on" if value else "off" for value in values) or "nowhere"


def road(facts: Facts) -> Verdict:
    """In ordinary life translation is switched as by stock, and the takeover keeps silent."""
    end = facts.marks["end" if facts.row.road == "life" else "ready"
                      if "ready" in facts.marks else "panic"].trace
    seen = [s.value for s in facts.trace.switches if s.at < end]
    text = f"translation went {ways(seen)}"
    if any("DMAR: takeover:" in line for line in facts.first_log):
        return failed(f"{text}; the takeover spoke up in a kernel that is no kdump kernel")
    wanted = ROADS[facts.row.road]
    return passed(text) if seen == wanted else failed(f"{text}; stock: {ways(wanted)}")


def life(facts: Facts) -> Verdict:
    """Nothing panics: disk and network work at first, after the suspend and after the kexec.

    The guest says so, having read back what it wrote and counted what the host sent. The host
    sees that each device did DMA in every spell of translation, and that none ever faulted.
    """
    if facts.trouble:
        return failed(facts.trouble)
    if facts.trace.faults:
        return failed(f"{len(facts.trace.faults)} DMA faults: "
                      f"{per_device(facts, (f.sid for f in facts.trace.faults))}, "
                      f"e.g. {facts.trace.faults[0].iova:#x}")
    if not facts.translating_at_end:
        return failed("GSTS.TES reads 0 at the end")
    # Pass-through is not traced: there the guest's word is all there is.
    wanted = [f for f in facts.functions if f.device and f.device.role in ("disk", "nic")]
    traced = [f for f in wanted if f.domain != "identity"]
    begins = [s.at for s in facts.trace.switches if s.value]
    said = []
    for number, begin in enumerate(begins, 1):
        stop = begins[number] if number < len(begins) else facts.end
        counts = Counter(d.sid for d in facts.trace.dmas if begin <= d.at < stop)
        if idle := [f.sid for f in traced if not counts[f.sid]]:
            return failed(f"no DMA of {', '.join(map(facts.who, idle))} in spell {number} of "
                          f"translation")
        said.append(" and ".join(f"{counts[f.sid]} {f.name}" for f in traced) or "untraced")
    return passed(f"disk and network work; DMA by spell: {', '.join(said)}; no fault")


# The kernel's own limit on what it says about faults, and the words of such a line.
FAULT_BURST, FAULT_SECONDS, FAULT_LINE = 10, 5, "DMAR: [DMA"


def early_map(facts: Facts) -> Verdict:
    """Devices whose driver maps before it resets them: in flight till then, then held off.

    What they still do after their release must fault, and must not flood the log.
    """
    texts = []
    for device, least in facts.row.faults.items():
        sid = next((f.sid for f in facts.functions if f.device and f.device.name == device), None)
        if sid is None or sid not in facts.releases or facts.root is None:
            return failed(f"{device} was never released")
        flying = sum(d.sid == sid and d.at > facts.root.at for d in facts.in_flight())
        faults = sum(f.sid == sid and facts.released(sid, f.at) and f.at < facts.end
                     for f in facts.trace.faults)
        texts.append(f"{facts.who(sid)}: {flying} DMA in flight until its release, {faults} "
                     "faults after it")
        if not flying or faults < least:
            return failed(f"{texts[-1]}: the row does not show what it is for")
    lines = sum(FAULT_LINE in line for line in facts.crash_log)
    seconds = facts.seconds(facts.marks["end"].time)
    bound = FAULT_BURST * (1 + int(seconds / FAULT_SECONDS))
    texts.append(f"{lines} lines about faults in {seconds:.0f} s, at most {bound}")
    return passed("; ".join(texts)) if lines <= bound else failed("; ".join(texts))


# What the takeover says of a device that it has reset.
RESET_LINE = "DMAR: takeover: reset before its driver starts"


def resets(facts: Facts) -> Verdict:
    """Devices are reset while their old mappings stand, and do nothing from there to the release.

    QEMU tells when a function is reset, but not which: no row has two with the same driver.
    """
    texts = []
    for name in facts.row.resets:
        card = next((f for f in facts.functions if f.device and f.device.name == name), None)
        if card is None or facts.root is None or card.sid not in facts.releases:
            return failed(f"{name} was never released")
        who, release = facts.who(card.sid), facts.releases[card.sid]
        if not any(card.address in line and RESET_LINE in line for line in facts.crash_log):
            return failed(f"{who}: the kdump kernel does not say that it reset it")
        at = [p for p, driver in facts.trace.function_resets
              if driver == card.driver and facts.root.at < p.at < release.at]
        if not at:
            return failed(f"{who} was not reset between the new root and its release")
        flying = [d for d in facts.in_flight() if d.sid == card.sid and d.at > facts.root.at]
        late = [d for d in flying if d.at > at[0].at]
        if late:
            return failed(f"{who}: {len(late)} DMA between its reset and its release, "
                          f"{sample(late[0])}")
        if not flying and card.device and card.device.role == "nic":
            return failed(f"{who}: no DMA between the new root and its reset: proves nothing")
        texts.append(f"{who}: {len(flying)} DMA in flight until its reset, none in the "
                     f"{release.time - at[0].time:.2f} s from there to its release")
    return passed("; ".join(texts))


def pulled(facts: Facts) -> Verdict:
    """A card that was pulled out did DMA until then, and the kdump kernel does not find it."""
    card = next((f for f in facts.functions if f.device and f.device.name == facts.row.pulled),
                None)
    if card is None or "crash" not in facts.marks:
        return failed("nothing was pulled out")
    if any(f"kdump: device {card.address} " in line for line in facts.crash_log):
        return failed(f"the kdump kernel has {facts.who(card.sid)}")
    if not any("kdump: device " in line for line in facts.crash_log):
        return failed("the kdump kernel does not say what it has")
    at = facts.marks["crash"].trace
    before, after = (sum(d.sid == card.sid and (d.at > at) == late for d in facts.dmas)
                     for late in (False, True))
    text = f"{facts.who(card.sid)}: {before} DMA from the panic on, {after} after it was pulled out"
    return failed(text) if after or not before else passed(text)


def cut(facts: Facts) -> Verdict:
    """What leads into the kdump kernel is tried and not reached; what lies beside it is reached."""
    root = facts.root
    if root is None:
        return failed("no new root table was installed")
    tries: Counter[Aim] = Counter()
    got: Counter[Aim] = Counter()
    for sid in sorted(facts.cut):
        end = facts.flight_end(sid)
        if not facts.talkative(sid):
            return failed(f"{facts.who(sid)} does not say what it tries: proves nothing")
        for point, length in facts.trace.rings:
            if root.at < point.at < end:
                tries.update(filter(None, (facts.aim(sid, a) for a in pages(point.value, length))))
    for dma in facts.in_flight():
        aim = facts.aim(dma.sid, dma.iova)
        if aim is None or dma.at < root.at:
            continue
        if not aim.kept:
            return failed(f"{facts.who(dma.sid)}: {sample(dma)} went through")
        if dma.gpa - aim.gpa != dma.iova - aim.iova:
            return failed(f"{facts.who(dma.sid)}: {sample(dma)}, not to {aim.gpa:#x}")
        got[aim] += 1
    parts = []
    for kept, word in ((False, "cut"), (True, "kept")):
        aims = [a for a in facts.aims if a.kept == kept]
        tried = [a for a in aims if tries[a]]
        parts.append(f"{len(tried)} of {len(aims)} pages that have to be {word} tried, "
                     f"{sum(tries[a] for a in tried)} times")
        if aims and not tried or kept and len(tried) < len(aims):
            return failed(f"{parts[-1]}: proves nothing")
        if kept and (lost := [a for a in aims if not got[a]]):
            return failed(f"{lost[0].iova:#x}, which leads to {lost[0].gpa:#x}, was not reached")
    faults = sum(map(facts.meant, facts.trace.faults))
    silent = sum(root.at < p.at < facts.end for p in facts.trace.silent)
    return passed(f"{'; '.join(parts)}; {faults} faults recorded, {silent} passed over in silence")


def undriven(facts: Facts) -> Verdict:
    """Devices without a driver go on with their old mappings while the dump is written."""
    if "begin" not in facts.marks:
        return failed("the dump was never begun")
    texts = []
    if not facts.undriven:
        return failed("the guest listed no such device: proves nothing")
    for sid in sorted(facts.undriven):
        if sid in facts.releases:
            return failed(f"{facts.who(sid)} was released, and nobody drives it")
        late = sum(d.sid == sid and d.at > facts.marks["begin"].trace for d in facts.in_flight())
        texts.append(f"{facts.who(sid)}: {late} DMA in flight after the dump was begun")
        if not late:
            return failed(f"{texts[-1]}: proves nothing")
    return passed("; ".join(texts))


# What the takeover hears of one that it silences (drivers/iommu/intel/takeover/quiet.c), once more
# as much for what is in the records when it does, and a whole burst from before the new root table,
# when nothing can be silenced.
STORM_HEARD, STORM_BURST = 4, 64
# Less is no storm. A host with nothing else to do makes 150,000 to 250,000, a busy one 30,000.
STORM_LEAST = 20_000


def storm(facts: Facts) -> Verdict:
    """A device that faults without end costs a bounded number of interrupts, and one line."""
    sid = facts.raging
    if "crash" not in facts.marks or facts.root is None:
        return failed("no new root table was installed: proves nothing")
    begin, end, root = facts.marks["crash"].trace, facts.end, facts.root
    loud = [f for f in facts.trace.faults if f.sid == sid and begin <= f.at < end]
    silent = sum(begin <= p.at < end for p in facts.trace.silent)
    interrupts = [p for p in facts.trace.interrupts if begin <= p.at < end]
    after = sum(p.at > root.at for p in interrupts)
    name = f"{sid >> 8:02x}:{sid >> 3 & 31:02x}.{sid & 7}: {SILENCED}"
    lines = sum(name in line for line in facts.crash_log)
    last = f"the last {loud[-1].time - root.time:.2f} s after the new root, " if loud else ""
    text = (f"{facts.polls} polls: {len(loud)} faults that were to be recorded, {last}{silent} "
            f"passed over in silence; {len(interrupts)} interrupts, {after} of them after the new "
            f"root; {lines} lines of the takeover")
    if len(loud) + silent < STORM_LEAST:
        return failed(f"{text}: less than {STORM_LEAST} faults prove nothing")
    if lines != 1 or after > STORM_BURST + 2 * STORM_HEARD:
        return failed(f"{text}: not silenced")
    return passed(text)


EVENT = re.compile(r"takeover_(adopt|drop|cut|release): (\S+) (\S+)")
TALLIES = {"adopt": re.compile(r"adopted (\d+) devices"), "cut": re.compile(r"cut (\d+) words"),
           "drop": re.compile(r"dropped (\d+) entries")}
DEBUGFS = "kdump: debugfs: "


def watched(facts: Facts) -> Verdict:
    """Tracepoints, debugfs and the log tell the same, and of releases what the hardware saw."""
    events: dict[str, list[str]] = {kind: [] for kind in ("adopt", "drop", "cut", "release")}
    for line in facts.crash_log:
        if found := EVENT.search(line):
            events[found[1]].append(found[3])
    shown = [line.split(DEBUGFS)[1].strip() for line in facts.crash_log if DEBUGFS in line]
    said = [line for line in facts.crash_log if "DMAR: takeover: " in line]
    for kind, pattern in TALLIES.items():
        line = next(filter(pattern.search, shown), "")
        number = pattern.search(line)
        if not number:
            return failed(f"debugfs does not say what {pattern.pattern!r} asks for")
        if not any(line in other for other in said):
            return failed(f"debugfs says {line!r}, the log does not")
        if int(number[1]) != len(events[kind]):
            return failed(f"{number[1]} in debugfs, {len(events[kind])} events takeover_{kind}")
    released = {inspector.name(f.sid) for f in facts.functions if f.sid in facts.releases}
    if set(events["release"]) != released:
        return failed(f"events takeover_release of {', '.join(sorted(set(events['release'])))}; "
                      f"released: {', '.join(sorted(released))}")
    left = set(events["adopt"]) - released
    ending = next((line for line in shown if line.startswith("not released:")), "")
    listed = ending.split()[2:]
    if set(listed) != left:
        return failed(f"debugfs: not released: {' '.join(listed)}; by the events: "
                      f"{' '.join(sorted(left))}")
    return passed(f"debugfs, log and {', '.join(f'{len(v)} {k}' for k, v in events.items())} "
                  f"events say the same; not released: {' '.join(listed) or 'none'}")


# Keys of a row, and what is judged where it has them.
ASKED_FOR: dict[str, tuple[str, Callable[[Facts], Verdict]]] = {
    "faults": ("early map", early_map), "stray": ("stray", stray),
    "cut": ("cut", cut), "undriven": ("undriven", undriven), "pulled": ("pulled", pulled),
    "resets": ("resets", resets), "storm": ("storm", storm), "ats": ("ATS", ats),
    "watched": ("watched", watched)}


def judge(facts: Facts) -> dict[str, Verdict]:
    """All judgements, the invariants first, and those that only some rows ask for last."""
    if facts.row.road == "life":
        verdicts = {name: not_judged("nothing panics") for name in INVARIANTS}
        verdicts |= {"life": life(facts), "fsck": fsck(facts), "devices": devices(facts)}
    else:
        verdicts = {name: judgement(facts) for name, judgement in JUDGES.items()}
    verdicts["alarms"] = alarms(facts)
    if facts.row.first_says or facts.row.crash_says:
        verdicts["said"] = said(facts)
    if facts.row.road in ROADS:
        verdicts["road"] = road(facts)
    verdicts |= {name: judgement(facts) for key, (name, judgement) in ASKED_FOR.items()
                 if getattr(facts.row, key)}
    return verdicts


def failures(verdicts: dict[str, Verdict]) -> list[str]:
    return [name for name, verdict in verdicts.items() if verdict.verdict == FAIL]


def as_measured(failing: list[str], expected: str | list[str]) -> bool:
    """Does a run show what was measured before, on stock, or what its row asks for?

    What is listed must fail. What else fails with it may vary from run to run, but never
    whether translation stays on and whether there is a dump: unless it is listed as "dump?",
    where it depends on what DMA happens to hit.
    """
    if expected == "clean":
        return not failing
    listed = {name for name in expected if not name.endswith("?")}
    sure = {"ON", "dump"} - {name.rstrip("?") for name in set(expected) - listed}
    return listed <= set(failing) and sure & listed == sure & set(failing)
