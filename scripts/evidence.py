#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What one run left behind, turned into facts: trace log, serial log, RAM, disk, dump.

Facts are what happened, in the order in which it happened. Whether that is good is decided in
verdict.py; running the guest is guest.py's.

The order is that of QEMU's trace log, one stream for all that the IOMMU and the devices did:
"at" is a byte offset in it. The host notes the log's length whenever it stops the guest, so
the panic and the saved dump have exact places in that stream. Times are for people.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import inspector
from acpi import RMRR
from common import run
from guest import Mark
from inspector import Diff, Mapping
from scenarios import Device, Row
from storm import NAME as TULIP
from stray import NAME as EDU, Access

PAGE = 4096
LOW = 1 << 20  # the kdump kernel gets the RAM below 1 MiB as well
GSTS_TES = 1 << 31
ALL = -1  # instead of a domain id
# What QEMU says when a function is reset from config space, and the driver of such functions.
FUNCTION_RESETS = {"e1000e_cb_qdev_reset_hold": "igb", "pci_nvme_pci_reset": "nvme"}
# What the takeover says of a device that it has released.
RELEASED = re.compile(r"\b0000:(\w\w):(\w\w)\.(\d): DMAR: takeover: released, ")
# Seconds from where all is forgotten to the line that says of whom.
SOON = 0.05
# What the driver says of a unit without a queue.
REGISTERS_ONLY = "Using Register based invalidation"
# What the takeover says of a requester whose faults it has recorded no more.
SILENCED = "it faults again and again"
# PCI functions of QEMU's q35 itself: host bridge, LPC, AHCI, SMBus.
CHIPSET = ["8086:29c0 -", "8086:2918 -", "8086:2922 ahci", "8086:2930 -"]


class Span(NamedTuple):
    """Physical addresses from first to last, both in it."""

    first: int
    last: int


class Dma(NamedTuple):
    """One access by a device. direct: QEMU's device model told of it, not the IOMMU.

    The IOMMU tells of pages: the addresses are those of one, with so many bytes.
    """

    at: int
    time: float
    sid: int
    iova: int
    gpa: int
    direct: bool = False
    size: int = PAGE


class Fault(NamedTuple):
    at: int
    time: float
    sid: int
    reason: int
    iova: int
    write: bool


class Tag(NamedTuple):
    """A requester's translation was cached, or found cached, under a domain id."""

    at: int
    time: float
    sid: int
    domain: int


class Point(NamedTuple):
    """Something that happened; value says what exactly."""

    at: int
    time: float
    value: int


class Aim(NamedTuple):
    """What an edit leads a device to: an address as the device sees it, and what lies there."""

    sid: int
    iova: int
    gpa: int  # by the old tables; -1: these lead nowhere
    kept: bool  # nothing is wrong with it: it has to be reached
    size: int = PAGE


class Landed(NamedTuple):
    """What a search of the kdump kernel's memory for the frames of one wire found."""

    words: int
    pages: list[int]
    searched: int  # bytes


@dataclass
class Trace:
    """The trace log, sorted by kind."""

    dmas: list[Dma] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    switches: list[Point] = field(default_factory=list)  # translation on (1) or off (0)
    roots: list[Point] = field(default_factory=list)  # the new root's address
    contexts: list[tuple[Point, int]] = field(default_factory=list)  # requester id, mask
    forgets: list[Point] = field(default_factory=list)  # all of the context cache at once
    flushes: list[Point] = field(default_factory=list)  # IOTLB: a domain id, or ALL
    commands: list[Point] = field(default_factory=list)  # writes to the global command register
    resets: list[Point] = field(default_factory=list)  # of an e1000e
    function_resets: list[tuple[Point, str]] = field(default_factory=list)  # whose driver it has
    # What an e1000e said it writes: addresses as the device sees them.
    rings: list[tuple[Point, int]] = field(default_factory=list)  # address, length
    # An e1000e's next receive descriptor: it is asked for whatever becomes of the read.
    attempts: list[Point] = field(default_factory=list)
    silent: list[Point] = field(default_factory=list)  # faults not recorded; nobody says whose
    # The unit's own interrupts: of faults, for Linux asks for no others.
    interrupts: list[Point] = field(default_factory=list)
    # A requester's accesses go through the IOMMU (1) or past it (0) from here on.
    ways: list[tuple[Point, int]] = field(default_factory=list)
    # What was written to a function's ATS control register: a requester id, switched on or not.
    ats: list[tuple[Point, bool]] = field(default_factory=list)

    def translating(self, at: int) -> bool:
        """Was translation on just after this place in the log?"""
        before = bisect_right(self.switches, at, key=lambda s: s.at)
        return before > 0 and self.switches[before - 1].value == 1


def number(digits: str) -> int:
    return int(digits, 16)


LINE = re.compile(r"\d+@(\d+\.\d+):(\w+) ?(.*)")
HEX = re.compile(r"0x([0-9a-f]+)")
TRANSLATE = re.compile(
    r"dev (\w\w):(\w\w)\.(\w\w) iova 0x(\w+) -> gpa 0x(\w+) mask 0x(\w+)")
TAGGED = re.compile(r"IOTLB page \w+ sid 0x(\w+) iova 0x\w+ slpte 0x\w+ domain 0x(\w+)")
FAULT = re.compile(r"sid 0x(\w+) fault (\d+) addr 0x(\w+) write (\d)")
CONTEXT = re.compile(r"context invalidate devices sid 0x(\w+) fmask 0x(\w+)")
BUFFER = re.compile(r"buffer #\d+, addr: 0x(\w+), offset: (\d+), from: \S+ length: (\d+)")
RING = re.compile(r"ring #\d+, PA: 0x(\w+), length: (\d+)")
CONFIG = re.compile(r"virtio\S* (\w\w):(\w\w)\.(\w) @0x(\w+) <- 0x(\w+)")
# Of QEMU's virtio devices: ATS is the first of their extended capabilities.
ATS_CONTROL, ATS_ENABLE = 0x106, 1 << 15
WAY = re.compile(r"Device (\w\w):(\w\w)\.(\w) switching address space \(iommu enabled=(\d)\)")


def parse_trace(lines: Iterable[bytes]) -> Trace:
    """QEMU's trace log, from its first byte on."""
    trace = Trace()

    def translate(at: int, time: float, text: str) -> None:
        if match := TRANSLATE.match(text):
            bus, slot, function, iova, gpa, mask = map(number, match.groups())
            trace.dmas.append(Dma(at, time, bus << 8 | slot << 3 | function, iova, gpa,
                                  size=mask + 1))

    def tag(at: int, time: float, text: str) -> None:
        if match := TAGGED.match(text):
            trace.tags.append(Tag(at, time, number(match[1]), number(match[2])))

    def fault(at: int, time: float, text: str) -> None:
        if match := FAULT.match(text):
            trace.faults.append(Fault(at, time, number(match[1]), int(match[2]),
                                      number(match[3]), match[4] == "1"))

    def context(at: int, time: float, text: str) -> None:
        if match := CONTEXT.match(text):
            trace.contexts.append((Point(at, time, number(match[1])), number(match[2])))

    def buffer(at: int, time: float, text: str) -> None:
        if match := BUFFER.match(text):
            address = number(match[1]) + int(match[2])
            trace.rings.append((Point(at, time, address), int(match[3])))

    def ring(at: int, time: float, text: str) -> None:
        if match := RING.search(text):
            trace.rings.append((Point(at, time, number(match[1])), int(match[2])))
            trace.attempts.append(Point(at, time, number(match[1])))

    def way(at: int, time: float, text: str) -> None:
        if match := WAY.match(text):
            sid = number(match[1]) << 8 | number(match[2]) << 3 | number(match[3])
            trace.ways.append((Point(at, time, sid), int(match[4])))

    def config(at: int, time: float, text: str) -> None:
        match = CONFIG.match(text)
        if match and number(match[4]) == ATS_CONTROL:
            sid = number(match[1]) << 8 | number(match[2]) << 3 | number(match[3])
            trace.ats.append((Point(at, time, sid), bool(number(match[5]) & ATS_ENABLE)))

    def silent(at: int, time: float, _: str) -> None:
        trace.silent.append(Point(at, time, 0))

    def function_reset(driver: str) -> Callable[[int, float, str], None]:
        def add(at: int, time: float, _: str) -> None:
            trace.function_resets.append((Point(at, time, 0), driver))
        return add

    def flush_all(at: int, time: float, _: str) -> None:
        trace.flushes.append(Point(at, time, ALL))

    def point(into: list[Point], pattern: re.Pattern[str]) -> Callable[[int, float, str], None]:
        def add(at: int, time: float, text: str) -> None:
            match = pattern.search(text)
            into.append(Point(at, time, number(match[1]) if match else 0))
        return add

    handlers: dict[str, Callable[[int, float, str], None]] = {
        "vtd_dmar_translate": translate,
        "vtd_iotlb_page_hit": tag,
        "vtd_iotlb_page_update": tag,
        "vtd_dmar_fault": fault,
        "vtd_fault_disabled": silent,
        "vtd_switch_address_space": way,
        "vtd_irq_generate": point(trace.interrupts, HEX),
        "pci_cfg_write": config,
        "vtd_dmar_enable": point(trace.switches, re.compile(r"enable (\d)")),
        "vtd_reg_dmar_root": point(trace.roots, HEX),
        "vtd_reg_write_gcmd": point(trace.commands, re.compile(r"value 0x(\w+)")),
        "vtd_inv_desc_cc_devices": context,
        "vtd_inv_desc_cc_global": point(trace.forgets, HEX),
        "vtd_inv_desc_iotlb_global": flush_all,
        "vtd_inv_desc_iotlb_domain": point(trace.flushes, HEX),
        "vtd_inv_desc_iotlb_pasid": point(trace.flushes, HEX),
        "e1000e_core_ctrl_sw_reset": point(trace.resets, HEX),
        "e1000e_rx_desc_buff_write": buffer,
        "e1000e_rx_descr": ring,
        **{event: function_reset(driver) for event, driver in FUNCTION_RESETS.items()},
    }
    at = 0
    for raw in lines:
        if match := LINE.match(raw.decode(errors="replace")):
            handler = handlers.get(match[2])
            if handler:
                handler(at, float(match[1]), match[3])
        at += len(raw)
    return trace


@dataclass
class Function:
    """A PCI function as the guest listed it."""

    address: str
    id: str
    driver: str
    domain: str  # kind of the IOMMU group's default domain: "DMA-FQ", "identity" ...
    device: Device | None = None  # the row's device whose DMA it does

    @property
    def sid(self) -> int:
        """The requester id its DMA carries."""
        _, bus, rest = self.address.split(":")
        slot, function = rest.split(".")
        if self.device and self.device.alias:
            return number(bus) << 8
        return number(bus) << 8 | number(slot) << 3 | number(function)

    @property
    def name(self) -> str:
        return self.device.name if self.device else f"{self.id} at {self.address}"


DEVICE = re.compile(r"kdump: device (\S+) (\S+) \S+ (\S+) (\S+)")
IOMEM = re.compile(r"kdump: iomem ([0-9a-f]+)-([0-9a-f]+) : (.+)")


def parse_functions(lines: Iterable[str]) -> list[Function]:
    return [Function(m[1], m[2], m[3], m[4]) for m in map(DEVICE.search, lines) if m]


def name_functions(functions: Sequence[Function], devices: Sequence[Device]) -> str:
    """Tie the row's devices to what the guest has; returns what does not fit, or nothing."""
    expected = Counter(f for device in devices for f in device.functions)
    for fixed in CHIPSET:
        expected[fixed] = max(expected[fixed], 1)
    found = Counter(f"{f.id} {f.driver}" for f in functions)
    if found != expected:
        return (f"missing: {sorted((expected - found).elements())}, "
                f"not asked for: {sorted((found - expected).elements())}")
    for device in devices:
        next(f for f in functions
             if f.device is None and f"{f.id} {f.driver}" == device.functions[-1]).device = device
    return ""


RAMDISK = re.compile(r"RAMDISK: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]")


def parse_ramdisk(lines: Iterable[str]) -> Span:
    """Where the crashed kernel's initramfs lies, in whole pages; empty if it does not say."""
    match = next(filter(None, map(RAMDISK.search, lines)), None)
    if match is None:
        return Span(1, 0)
    return Span(-(-number(match[1]) // PAGE) * PAGE, (number(match[2]) + 1) // PAGE * PAGE - 1)


def parse_iomem(lines: Iterable[str]) -> tuple[list[Span], list[Span]]:
    """System RAM above 1 MiB that belonged to the crashed kernel, and the kdump kernel's."""
    ram, crash = [], []
    for match in filter(None, map(IOMEM.search, lines)):
        span = Span(number(match[1]), number(match[2]))
        if match[3] == "System RAM" and span.last >= LOW:
            ram.append(span)
        elif match[3] == "Crash kernel":
            crash.append(span)
    old = []
    for span in ram:
        first = max(span.first, LOW)
        for hole in sorted(crash):
            if first <= hole.first and hole.last <= span.last:
                if first < hole.first:
                    old.append(Span(first, hole.first - 1))
                first = hole.last + 1
        if first <= span.last:
            old.append(Span(first, span.last))
    return old, crash


@dataclass
class Dump:
    """What the host found on the guest's disk."""

    size: int = 0
    dmesg: str = ""
    problem: str = ""  # why there is no dump, or why it cannot be read
    fsck: str = ""  # what is wrong with the file system; nothing if clean


def read_dump(disk: Path, folder: Path) -> Dump:
    """Take the dump off the disk image, read the crashed kernel's log in it, check the image."""
    dump = Dump()
    # A guest that ends early leaves a journal to replay: that is no damage.
    run(["e2fsck", "-p", "-E", "journal_only", disk], check=False)
    check = run(["e2fsck", "-fn", disk], check=False)
    if check.returncode:
        dump.fsck = (check.stdout + check.stderr).strip()[-300:]
    vmcore, dmesg = folder / "vmcore", folder / "dmesg.txt"
    for path in (vmcore, dmesg):
        path.unlink(missing_ok=True)
    run(["debugfs", "-R", f"dump /vmcore {vmcore}", disk], check=False)
    if not vmcore.exists() or not vmcore.stat().st_size:
        dump.problem = "no vmcore on the disk"
        return dump
    dump.size = vmcore.stat().st_size
    read = run(["makedumpfile", "--dump-dmesg", vmcore, dmesg], check=False)
    if read.returncode or not dmesg.exists():
        dump.problem = f"makedumpfile cannot read the vmcore: {read.stderr.strip()[-200:]}"
        return dump
    dump.dmesg = dmesg.read_text(errors="replace")
    return dump


@dataclass
class Facts:
    """One run. Marks: ready, panic, crash (first line), begin, saved (only if it was), end."""

    row: Row
    nonce: str
    marks: dict[str, Mark]
    pauses: list[tuple[float, float]]
    trace: Trace
    functions: list[Function]
    misfit: str  # how the guest's devices differ from the row's
    old: list[Span]
    crash: list[Span]
    changed: Diff | None  # in old memory; None: not compared
    translating_at_end: bool
    dump: Dump
    trouble: str = ""  # why the run ended early
    sent: int = 0  # frames
    first_log: list[str] = field(default_factory=list)  # what the kernels said on the serial line
    crash_log: list[str] = field(default_factory=list)
    crash_times: list[float] = field(default_factory=list)  # when each of these lines came
    accesses: list[Access] = field(default_factory=list)  # by the edu device, on demand
    polls: int = 0  # of the tulip device, which each time reads what nobody mapped
    aims: list[Aim] = field(default_factory=list)  # what the edit leads devices to
    # What devices may reach by the old tables, as they lie there at the kdump kernel's first line.
    reach: dict[int, list[Mapping]] = field(default_factory=dict)
    # The victim's frames in the kdump kernel's memory, before the dump was begun or at the end.
    landed: Landed | None = None

    def __post_init__(self) -> None:
        panic = self.marks["panic"].trace
        after = [r for r in self.trace.roots if r.at >= panic]
        self.root = after[0] if after else None
        self.end = self.marks.get("saved", self.marks["end"]).trace
        self.by_sid = {f.sid: f for f in self.functions}
        for function in self.functions:  # an alias hides nothing that has a function there
            if function.device:
                self.by_sid[function.sid] = function
        self.blocked = self._sids(self.row.blocked)
        self.faulting = self._sids(self.row.faulting)
        self.cut = self._sids(self.row.cut)
        self.undriven = self._sids(self.row.undriven) | self._virtual(self.row.undriven)
        # Requesters whose DMA in flight the row means to end: nobody else may feel it.
        self.hurt = self.blocked | self.faulting
        # Who faults without end, and is meant to, from the kdump kernel's first line on.
        self.raging = next((f.sid for f in self.functions if self.row.storm and f.device
                            and f.device.name == TULIP), -1)
        self.releases = self._releases()
        self.dmas = self._dmas()

    def _sids(self, names: Sequence[str]) -> set[int]:
        return {f.sid for f in self.functions if f.device and f.device.name in names}

    def _virtual(self, names: Sequence[str]) -> set[int]:
        """The virtual functions of devices."""
        theirs = {text for d in self.row.devices if d.name in names for text in d.functions
                  if text.endswith("vf")}
        return {f.sid for f in self.functions if f"{f.id} {f.driver}" in theirs}

    def _releases(self) -> dict[int, Point]:
        """Per requester: the first context-cache invalidation of that very requester after
        the new root. (The invalidations that go with the root are global.)"""
        releases: dict[int, Point] = {}
        if self.root is None:
            return releases
        requesters = set(self.by_sid) | {d.sid for d in self.trace.dmas}
        # The takeover changes an entry before the release, once, where it silences a requester: up
        # to the IOTLB's invalidation all is part of that.
        silenced = {sid for sid in requesters
                    if any(f" {inspector.name(sid)}: {SILENCED}" in s for s in self.crash_log)}
        silence: dict[int, int] = {}
        for point, mask in self.trace.contexts:
            if self.root.at < point.at < self.end:
                ignored = (0, 4, 6, 7)[mask & 3]
                for sid in requesters:
                    if sid & ~ignored != point.value & ~ignored:
                        continue
                    if sid in silenced and sid not in silence:
                        silence[sid] = next((f.at for f in self.trace.flushes
                                             if f.at > point.at), self.end)
                    if point.at > silence.get(sid, -1):
                        releases.setdefault(sid, point)
        return {**self._releases_without_queue(), **releases}

    def _releases_without_queue(self) -> dict[int, Point]:
        """Per requester: where all was forgotten last before the kernel called it released.

        By registers the takeover has everything forgotten at each release, just before it says
        so. So has the driver at each unmap: of a device that comes later it is only the kernel's
        word that this was its release.
        """
        releases: dict[int, Point] = {}
        if not self.root or not any(REGISTERS_ONLY in line for line in self.crash_log):
            return releases
        for line, time in zip(self.crash_log, self.crash_times):
            if match := RELEASED.search(line):
                before = [p for p in self.trace.forgets
                          if self.root.at < p.at < self.end and time - SOON <= p.time <= time]
                if before:
                    releases.setdefault(number(match[1]) << 8 | number(match[2]) << 3
                                        | int(match[3]), before[-1])
        return releases

    def _dmas(self) -> list[Dma]:
        """All DMA from the panic to the end, that past the IOMMU included.

        The IOMMU tells of no access by a device in pass-through, and of none at all while it
        is off. An e1000e tells of its receive buffers itself, in addresses as it sees them:
        physical ones in just these cases.
        """
        window = [d for d in self.trace.dmas if self.marks["panic"].trace <= d.at < self.end]
        window = [exact for d in window for exact in self._exact(d)]
        cards = [f for f in self.functions if f.driver == "e1000e" and f.device]
        if len(cards) == 1:
            card = cards[0]
            for point, length in self.trace.rings:
                if not self.marks["panic"].trace <= point.at < self.end:
                    continue
                if self.released(card.sid, point.at):
                    continue
                past = card.domain == "identity" and not self.cut_off(card.sid, point.at)
                if past or not self.trace.translating(point.at):
                    window += [Dma(point.at, point.time, card.sid, a, a, True)
                               for a in pages(point.value, length)]
            window.sort()
        return window

    def _exact(self, dma: Dma) -> list[Dma]:
        """An access to a large page, as accesses to pages of it.

        Which of them it was an e1000e says itself, of a buffer before and of a descriptor after
        the access. Where all of these are in the large page it may have been any of them.
        """
        if dma.size == PAGE or not self.talkative(dma.sid):
            return [dma]
        rings = self.trace.rings
        here = bisect_right(rings, dma.at, key=lambda ring: ring[0].at)
        said = {a & -PAGE for point, length in rings[max(here - 2, 0):here + 1]
                for a in pages(point.value, length)}
        return [dma._replace(iova=a, gpa=dma.gpa + a - dma.iova, size=PAGE)
                for a in sorted(said) if dma.iova <= a < dma.iova + dma.size] or [dma]

    def bypassing(self, sid: int, at: int) -> bool:
        """Do a requester's accesses go past the IOMMU, by what QEMU said last?"""
        said = [on for point, on in self.trace.ways if point.value == sid and point.at <= at]
        return bool(said) and not said[-1]

    def ended(self, sid: int, at: int) -> bool:
        """Is this after the new root, of a requester whose DMA in flight it is to end?"""
        return sid in self.hurt and self.root is not None and at > self.root.at

    def cut_off(self, sid: int, at: int) -> bool:
        """Is this one of those that the new root table ends, or cuts, and does QEMU agree?"""
        after = sid in self.cut and self.root is not None and at > self.root.at
        return (self.ended(sid, at) or after) and not self.bypassing(sid, at)

    def reserved(self, address: int) -> bool:
        """Is this the reserved memory that the row's firmware reports?"""
        return bool(self.row.rmrr) and RMRR[0] <= address <= RMRR[1]

    def released(self, sid: int, at: int) -> bool:
        return sid in self.releases and at >= self.releases[sid].at

    def had_nothing(self, sid: int) -> bool:
        """Was nothing cached for a requester since the new root table, for it was blocked?

        Where all of a unit is blocked rows do not name everybody; who has reserved memory is seen.
        """
        if sid in self.hurt:
            return True
        return ("intel_iommu_takeover=block" in self.row.crash and self.root is not None
                and not any(t.sid == sid and self.root.at < t.at < self.releases[sid].at
                            for t in self.trace.tags))

    def unflushed(self, sid: int) -> bool:
        """Was a requester released without its old id being invalidated in the IOTLB?

        Only where that id was seen: in-flight DMA in pass-through carries none.
        """
        if self.had_nothing(sid):
            return False
        release = self.releases[sid]
        old = {t.domain for t in self.trace.tags
               if t.sid == sid and self.marks["panic"].trace <= t.at < release.at}
        flush = next((f for f in self.trace.flushes if f.at > release.at), None)
        return flush is None or bool(old) and flush.value not in {ALL, *old}

    def fresh_from(self, sid: int) -> int | None:
        """Where the release is complete: the IOTLB is flushed after the context cache."""
        release = self.releases.get(sid)
        if release is None:
            return None
        if self.had_nothing(sid):
            return release.at
        return next((f.at for f in self.trace.flushes if f.at > release.at), self.end)

    def attempted(self, sid: int) -> int:
        """How often a requester whose DMA in flight ends with the new root still tried.

        An e1000e says so itself, edu was told to; of others only recorded faults are known.
        """
        if self.root is None:
            return 0
        function = self.by_sid.get(sid)
        if function and function.name == EDU:
            return sum(a.master and a.begin > self.root.at for a in self.accesses)
        return len(self.tries(sid)) if self.talkative(sid) else len(self.lost(sid))

    def talkative(self, sid: int) -> bool:
        """Is it the only e1000e? They tell of what they try, but not who they are."""
        return [f.sid for f in self.functions if f.driver == "e1000e" and f.device] == [sid]

    def tries(self, sid: int) -> list[Point]:
        """What a requester said that it tried between the new root and the end of its flight."""
        if self.root is None or not self.talkative(sid):
            return []
        return [p for p in self.trace.attempts if self.root.at < p.at < self.flight_end(sid)]

    def lost(self, sid: int) -> list[Fault]:
        """Recorded faults of a requester from the new root to its release."""
        return [f for f in self.trace.faults if f.sid == sid and self.root is not None
                and self.root.at < f.at < self.end and not self.released(sid, f.at)]

    def outcome(self, access: Access) -> str:
        """What became of an access by the edu device: see STRAY_ENDS in scenarios.py."""
        sid = next((f.sid for f in self.functions if f.device and f.device.name == EDU), -1)

        def during(at: int) -> bool:
            return access.begin <= at < access.end

        if self.bypassing(sid, access.end):
            return "bypassed"
        for dma in self.trace.dmas:
            if dma.sid == sid and during(dma.at):
                return "reached" if dma.iova == dma.gpa == access.address else "elsewhere"
        if any(f.sid == sid and during(f.at) for f in self.trace.faults):
            return "loud"
        if not access.done:
            return "unfinished"
        return "silent" if access.master else "off"

    def ats_of(self, sid: int) -> list[tuple[Point, bool]]:
        """What its ATS was set to: the last time before the panic, and until the end."""
        panic = self.marks["panic"].trace
        all_of_it = [(p, on) for p, on in self.trace.ats if p.value == sid and p.at < self.end]
        before = [(p, on) for p, on in all_of_it if p.at < panic]
        return before[-1:] + [(p, on) for p, on in all_of_it if p.at >= panic]

    def flight_end(self, sid: int) -> int:
        """Where a requester's old DMA ends: its release, or its driver's reset before that."""
        end = self.releases[sid].at if sid in self.releases else self.end
        function = self.by_sid.get(sid)
        if function and function.driver == "e1000e":
            panic = self.marks["panic"].trace
            end = min([end, *(r.at for r in self.trace.resets if r.at > panic)])
        return end

    def in_flight(self) -> list[Dma]:
        """DMA that the crashed kernel had asked for.

        Once translation has been off, what the IOMMU translates goes by new tables: it can no
        longer be told from the new drivers' DMA.
        """
        panic = self.marks["panic"].trace
        off = next((s.at for s in self.trace.switches if s.at >= panic and not s.value), self.end)
        return [d for d in self.dmas
                if d.at < self.flight_end(d.sid) and (d.direct or d.at < off)]

    def leads(self, dma: Dma) -> int | None:
        """Where an access should get to by the old tables; None: nowhere."""
        known = self.reach[dma.sid]
        here = bisect_right(known, dma.iova, key=lambda m: m.first) - 1
        if here < 0 or dma.iova > known[here].last:
            return None
        return known[here].address + dma.iova - known[here].first

    def passes(self, sid: int) -> bool:
        """Did the crashed kernel let all addresses of a device through as they are?"""
        return sid in self.by_sid and self.by_sid[sid].domain == "identity"

    def aim(self, sid: int, iova: int) -> Aim | None:
        """The edit's aim that an address belongs to, if there is one."""
        return next((a for a in self.aims
                     if a.sid == sid and a.iova <= iova < a.iova + a.size), None)

    def meant(self, fault: Fault) -> bool:
        """Is this a fault that the row means to happen: of what was cut, after the new root?"""
        aim = self.aim(fault.sid, fault.iova)
        return (fault.sid in self.cut and aim is not None and not aim.kept
                and self.root is not None and fault.at > self.root.at)

    def theirs(self, address: int) -> bool:
        """Is this the crashed kernel's memory?"""
        return any(s.first <= address <= s.last for s in self.old)

    def owned(self, address: int) -> bool:
        """Does this memory belong to the kdump kernel?"""
        return address < LOW or any(s.first <= address <= s.last for s in self.crash)

    def seconds(self, time: float) -> float:
        """Guest time since the panic: the host's pauses do not count."""
        panic = self.marks["panic"].time

        def running(moment: float) -> float:
            return moment - sum(min(end, moment) - begin
                                for begin, end in self.pauses if begin < moment)

        return round(running(time) - running(panic), 3)

    def who(self, sid: int) -> str:
        function = self.by_sid.get(sid)
        label = f"{sid >> 8:02x}:{sid >> 3 & 31:02x}.{sid & 7}"
        return f"{function.name} ({label})" if function else label


def pages(address: int, length: int) -> list[int]:
    """The addresses at which an access touches a page for the first time."""
    return [address, *range((address // PAGE + 1) * PAGE, address + length, PAGE)]
