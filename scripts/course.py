#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The course of one run: boot, panic under DMA, dump, judgement, and the result that is kept.

The guest is guest.py's, the evidence evidence.py's, the judgement verdict.py's. Which rows run, on
which kernels and how many at a time is runner.py's.

Logs, vmcore, facts and result.json of a row stay in out/kdump/KERNEL-FLAVOUR/ROW/. What a result
holds of the run is told in outcome.py; here is added

    row, kernel, flavour    name; "6.12"; "takeover" or "stock"
    variant                 "debug" or "kcsan": run on kernels with alarms on
    verdict                 also "NO RESULT" (spoilt too often, or there is no kernel) or "SKIP"
                            (there is no such QEMU)
    expected, as_measured   "clean" or a list that must be among the fails; did it fit. On our
                            kernel only for rows that ask it to fail
    no_results              runs thrown away: QEMU died, or the host was too late
    repeat, folder          the command that repeats the run; where its files are
    date, qemu, accel       when, with what. qemu: the version that ran the row, null if none
    key, judged             what the run depends on, and what the judgement does: a result whose
                            run is fresh and whose judgement is not is judged again from its facts
"""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import acpi
import evidence
import hostile
import inspector
import outcome
import pages
import scan
import verdict
from common import OUT, TOP, Failure, run, say, write_whole
from emulator import Emulator
from evidence import PAGE, Aim, Facts, Landed, Trace
from guest import (INITRAMFS, REGISTERS, TRACE_PANIC, Config, Frames, Guest, Mark, NoResult,
                   accelerator)
from inspector import Diff, Mapping, View
from pull import MACHINE, pull
from refuse import Refusal
from scenarios import Row
from storm import NAME as TULIP, Storm
from stray import Edu

# QEMU 7.2's e1000e fails an assertion of its own in every second run of some rows with many faults.
ATTEMPTS = 6
# That happens by chance; twice in a row it does not.
NOT_READY = "the first kernel was not ready in time"
# What the kernel says when its IOMMU driver has its units and their fault interrupts.
DRIVER_UP = r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O"
DISK_SIZE = 1 << 29
# Of a frame that is to do harm where it lands, in bytes.
LONG_FRAME = 512
GSTS = REGISTERS + 0x1C
# What lies in whose initramfs, where it is not as usual.
LAYERS = {"kexec": ["crash.cpio", "first.cpio"], "life": ["second.cpio"]}
# What Linux says around a suspend, before its devices sleep and after they woke.
SLEEPS, WAKES = "PM: suspend entry", "PM: suspend exit"
# What a run depends on beside its row; the row's part is in Row.definition(), the judgement's in
# verdict.py and Row.judged().
SOURCES = ["course.py", "emulator.py", "guest.py", "evidence.py", "hostile.py", "scene.py",
           "pages.py", "card.py", "scan.py", "inspector.py", "storm.py", "stray.py", "acpi.py",
           "qtest.py", "pull.py", "refuse.py"]
JUDGE = ["verdict.py", "outcome.py"]
HERE = Path(__file__).resolve().parent


class Images(NamedTuple):
    """The bzImages of a run: the kernel that saves the dump, and the one that panics."""

    crash: Path
    first: Path


@dataclass(frozen=True)
class Kernel:
    """What a row is run on; unless it says otherwise this kernel is the one that panics too."""

    version: str
    stock: bool
    variant: str = ""  # with alarms on: its rows are scenarios.alarmed()

    @property
    def flavour(self) -> str:
        return "stock" if self.stock else "takeover"

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.version, self.flavour, self.variant)))


def run_key(row: Row, images: Images, qemu: str) -> str:
    """What the course of a run depends on."""
    digest = hashlib.sha256(images.crash.read_bytes())
    if images.first != images.crash:
        digest.update(images.first.read_bytes())
    digest.update(f"{qemu} {row.definition()}".encode())
    for path in [*(HERE / name for name in SOURCES), *inspector.sources(),
                 *sorted(INITRAMFS.iterdir())]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def judge_key(row: Row) -> str:
    """What the judgement of a run depends on, beside its facts."""
    digest = hashlib.sha256(row.judged().encode())
    for name in JUDGE:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:32]


def play(row: Row, images: Images, qemu: Emulator, folder: Path) -> Facts:
    """One run from boot to dump. Raises NoResult; everything else becomes facts."""
    disk = folder / "disk.img"
    with disk.open("wb") as image:
        image.truncate(DISK_SIZE)
    run(["mkfs.ext4", "-q", "-F", disk])
    nonce = f"vtd-{secrets.token_hex(8)}"
    node = next(d.node for d in row.devices if d.role == "disk")
    config = Config(
        emulator=qemu, kernel=images.first, crash_kernel=images.crash, append=row.first_line(),
        iommu=row.iommu, memory=row.bytes, phys_bits=row.phys_bits,
        row={"DISK": node, "NONCE": nonce, "KEXEC": row.kexec, "FIRST": row.first_line(),
             "CRASH": row.crash_line(), "CAPTURE": "yes" if row.capture() else "",
             "ROAD": row.road, "VFS": str(row.vfs), "UNPLUG": row.unplugged,
             "WATCHED": "1" if row.watched else ""},
        devices=[q for d in row.devices for q in d.qemu], disk=disk, accel=accelerator(),
        layers=LAYERS.get(row.road, ["crash.cpio"]),
        # Nobody knows beforehand when things begin in a life without a panic.
        trace=TRACE_PANIC if row.road == "life" else [],
        early=tables_of_firmware(row),
        early_crash=tables_of_firmware(row, row.crash_firmware),
        qtest=bool(row.edit or row.stray or row.storm or row.pulled),
        machine=MACHINE if row.pulled else (),
        fast_frames=0 if row.undriven and not row.edit else Frames.FAST_FRAMES,
        late_frames=hostile.LATE.get(row.edit, ""),
        frame_body=LONG_FRAME if row.edit in pages.EDITS else Frames.BODY)
    guest = Guest(config, folder)
    marks: dict[str, Mark] = {}
    changed: Diff | None = None
    view: View | None = None
    reach: dict[int, list[Mapping]] = {}
    aims: list[Aim] = []
    landed: list[Landed] = []
    edu: Edu | None = None
    storm: Storm | None = None
    refusal: Refusal | None = None
    if row.road == "life":
        return live(row, nonce, guest, disk)
    try:
        functions, trouble = boot(guest, marks, row.boot)
        misfit = evidence.name_functions(functions, row.devices)
        old, crash = evidence.parse_iomem(line for _, line in guest.serial.lines)
        if not trouble and (row.edit or row.stray or row.storm or row.pulled):
            trouble = misfit
        if not trouble:
            if row.stray:
                edu = set_up_edu(guest, row, functions, crash)
            if row.storm:
                storm = Storm(guest, hostile.requester(TULIP, functions))
                storm.enable()

            def edit() -> None:
                # The tables that the unit uses: an edit may leave other names in its registers.
                nonlocal view
                view = View.of(guest)
                if row.edit:
                    spare = evidence.parse_ramdisk(line for _, line in guest.serial.lines)
                    if row.edit in pages.EDITS and spare.first > spare.last:
                        raise NoResult("the serial line lost where the initramfs lies")
                    aims.extend(hostile.edit(row, guest, view, functions, old, crash, spare,
                                             images.crash))

            def look() -> None:
                # Of a card that the kdump kernel drives some frames are there by right.
                if row.edit in pages.EDITS and row.victim in row.undriven and not landed:
                    wire = [d.name for d in row.devices if d.role == "nic"].index(row.victim)
                    landed.append(scan.scan(guest, wire, crash))

            pulled = next((f for f in functions if f.device and f.device.name == row.pulled), None)

            def strike() -> None:
                nonlocal refusal
                if pulled:
                    pull(guest, pulled.sid >> 8)
                if row.enomem:
                    refusal = Refusal(guest, images.crash, row.enomem)

            trouble = crash_and_dump(guest, row, marks, edit, edu, strike, storm, look)
            if refusal and not refusal.happened():
                raise NoResult(f"{row.enomem} was never called")
            if storm:
                storm.stop()
            guest.stop()
            look()
            marks["end"] = guest.mark()
            if "saved" in marks:
                marks["saved"] = marks["end"]
        else:
            guest.stop()
            marks["panic"] = marks["end"] = guest.mark()
        translating = bool(guest.register(GSTS) & evidence.GSTS_TES)
        with guest.trace.open("rb") as lines:
            trace = evidence.parse_trace(lines)
        before = guest.private / "ram.before"
        if before.exists() and view:
            found = view.at(before)
            changed = found.diff(guest.ram, old)
            for function in filter(lambda f: f.device, functions):
                whole = found.mappings(function.sid)
                reach[function.sid] = (tried(found, trace, function.sid) if whole is None
                                       else whole)
        sent = guest.frames.sent if guest.frames else 0
    finally:
        if edu:
            edu.stop()
        if storm:
            storm.over.set()
        if refusal:
            refusal.close()
        guest.close()
    # The kdump kernel's lines begin with its mark: that bears the time of its first one.
    begin = marks["crash"].time if "crash" in marks else time.time()
    return Facts(row=row, nonce=nonce, marks=marks, pauses=guest.pauses, trace=trace,
                 functions=functions, misfit=misfit, old=old, crash=crash, changed=changed,
                 translating_at_end=translating, dump=evidence.read_dump(disk, folder),
                 trouble=trouble, sent=sent,
                 first_log=[line for stamp, line in guest.serial.lines if stamp < begin],
                 crash_log=[line for stamp, line in guest.serial.lines if stamp >= begin],
                 crash_times=[stamp for stamp, _ in guest.serial.lines if stamp >= begin],
                 accesses=edu.accesses if edu else [], polls=storm.polls if storm else 0,
                 aims=aims, reach=reach, landed=landed[0] if landed else None)


def tried(view: View, trace: Trace, sid: int) -> list[Mapping]:
    """What a device may reach of what it tried, where all of it is too much to tell."""
    addresses = {d.iova & -PAGE for d in trace.dmas if d.sid == sid}
    addresses |= {a & -PAGE for point, length in trace.rings
                  for a in evidence.pages(point.value, length)}
    found = ((iova, view.leads(sid, iova)) for iova in sorted(addresses))
    return [Mapping(iova, iova + PAGE - 1, there) for iova, there in found
            if isinstance(there, int)]


def tables_of_firmware(row: Row, wrong: str = "") -> dict[str, bytes]:
    """What stands in an initramfs in place of the firmware's own tables."""
    if not (row.rmrr or row.firmware_off or row.outward or wrong):
        return {}
    slot = row.slot(row.rmrr) if row.rmrr else None
    tables = {acpi.FILE: acpi.dmar(slot, row.firmware_off, wrong, bool(row.outward))}
    if row.outward:
        tables[acpi.PORT_FILE] = acpi.outward(row.slot(row.outward))
    return tables


def through_life(guest: Guest, row: Row) -> str:
    """Follow a life without a panic to its end; return what is wrong with it.

    While the guest sleeps it gets no frames. QEMU keeps them, and has the card write them into its
    ring of before as soon as it may master the bus again. e1000e does not clear the status of a
    descriptor that it fills, and takes these for frames of after: it unmaps buffers too early.
    """
    at = 0
    deadline = time.monotonic() + row.boot + row.limit
    while found := guest.wait_line([r"kdump: (LIFE BEGINS|LIFE IS GOOD|NOT READY.*)",
                                    f"{SLEEPS}|{WAKES}", r"Kernel panic.*"],
                                   at, deadline - time.monotonic()):
        at = found[0] + 1
        said = found[1][0].removeprefix("kdump: ")
        if said == "LIFE BEGINS":
            guest.start_frames()
        if said == SLEEPS and guest.frames:
            guest.frames.running.clear()
        elif said in ("LIFE BEGINS", WAKES) and guest.frames:
            guest.frames.running.set()
        else:
            return "" if said == "LIFE IS GOOD" else said
    return f"not through within {row.limit} s"


def live(row: Row, nonce: str, guest: Guest, disk: Path) -> Facts:
    """One run in which nothing panics: until the second kernel says that all is well.

    The mark of the panic stands at the very beginning: the whole life is looked at.
    """
    marks = {"panic": Mark(time.time(), 0)}
    try:
        trouble = through_life(guest, row)
        guest.stop()
        marks["end"] = guest.mark()
        translating = bool(guest.register(GSTS) & evidence.GSTS_TES)
        sent = guest.frames.sent if guest.frames else 0
    finally:
        guest.close()
    log = [line for _, line in guest.serial.lines]
    functions = evidence.parse_functions(log)
    misfit = evidence.name_functions(functions, row.devices)
    with guest.trace.open("rb") as lines:
        trace = evidence.parse_trace(lines)
    return Facts(row=row, nonce=nonce, marks=marks, pauses=guest.pauses, trace=trace,
                 functions=functions, misfit=misfit, old=[], crash=[], changed=None,
                 translating_at_end=translating, dump=evidence.read_dump(disk, guest.folder),
                 trouble=trouble, sent=sent, first_log=log)


def set_up_edu(guest: Guest, row: Row, functions: list[evidence.Function],
               crash: list[evidence.Span]) -> Edu:
    """The edu device, told what to read and when."""
    places = {"rmrr": acpi.RMRR[0], "old": 16 << 20, "crash": crash[0].first + (64 << 20)}
    orders = {when: {what: places[what] for what in ends} for when, ends in row.stray.items()}
    edu = Edu(guest, hostile.requester("edu", functions), orders)
    edu.enable()
    return edu


def boot(guest: Guest, marks: dict[str, Mark], limit: int
         ) -> tuple[list[evidence.Function], str]:
    """Until the first kernel is READY: its devices, and what went wrong, if anything."""
    found = guest.wait_line([r"kdump: READY", r"kdump: NOT READY.*", r"Kernel panic.*"],
                            0, limit)
    functions = evidence.parse_functions(line for _, line in guest.serial.lines)
    if found is None:
        # Once in a thousand runs a timer is lost; nothing has been tried by then.
        raise NoResult(NOT_READY)
    if "kdump: READY" not in found[1][0]:
        return functions, f"first kernel: {found[1][0]}"
    guest.stop()
    guest.trace_on(TRACE_PANIC)
    marks["ready"] = guest.mark()
    guest.cont()
    # Let the disk writer be seen at work before the end.
    time.sleep(0.3)
    return functions, ""


def crash_and_dump(guest: Guest, row: Row, marks: dict[str, Mark], edit: Callable[[], None],
                   edu: Edu | None, strike: Callable[[], None] = lambda: None,
                   storm: Storm | None = None, look: Callable[[], None] | None = None) -> str:
    """From READY to the end; returns what went wrong, or nothing if the dump was saved.

    edit: before the panic; strike: at the kdump kernel's first line; look: before it dumps. The
    guest is stopped then.
    """
    start = len(guest.serial.lines)
    if edu:
        edu.do("ready")
    guest.stop()
    try:
        edit()
    except Failure as failure:
        marks["panic"] = guest.mark()
        return f"edit: {failure}"
    marks["panic"] = guest.mark()
    guest.start_frames()
    if edu:
        edu.watch()
    guest.cont()
    if row.panic == "nmi":
        guest.monitor("nmi")
    else:
        guest.write("panic")
    found = guest.wait_line([r"Linux version "], start, row.limit)
    if found is None:
        return "the kdump kernel did not start"
    guest.stop()
    marks["crash"] = replace(guest.mark(), time=guest.serial.lines[found[0]][0])
    # From here on old memory must not change: this copy is what it is held against.
    run(["cp", "--sparse=always", guest.ram, guest.private / "ram.before"])
    touched = re.search(rb"vtd_reg_(dmar_root|write_gcmd)",
                        guest.trace.read_bytes()[marks["panic"].trace:])
    strike()
    guest.cont()
    if touched:
        # The guest went on while the host, busy with other things, had yet to stop it.
        raise NoResult("the IOMMU was written to before the copy of RAM was taken")
    late = [DRIVER_UP] if storm and row.storm_late else []
    if storm and not late:
        storm.begin()
    ends = [r"kdump: DUMP SAVED", r"kdump: DUMP LOST.*", r"Kernel panic.*"]
    at = found[0] + 1
    deadline = time.monotonic() + row.limit
    while found := guest.wait_line([r"kdump: DUMP BEGIN", *ends, *late], at,
                                   deadline - time.monotonic()):
        at = found[0] + 1
        stamp = guest.serial.lines[found[0]][0]
        if storm and found[1].re.pattern in late:
            late = []
            storm.begin()
        elif found[1][0] == "kdump: DUMP BEGIN":
            marks["begin"] = replace(guest.mark(), time=stamp)
            if look:
                # Before what is dumped, old packets in it, gets into this memory as well.
                guest.stop()
                look()
                guest.cont()
        elif found[1][0] == "kdump: DUMP SAVED":
            if edu:
                edu.do("saved")
            marks["saved"] = guest.mark()
            return ""
        else:
            return f"kdump kernel: {found[1][0].removeprefix('kdump: ')}"
    return f"no dump within {row.limit} s"


def compare(row: Row, kernel: Kernel, data: dict[str, Any]) -> dict[str, Any]:
    """A result with what was expected of it; no part of what is kept, which may be older."""
    expected = row.expected(kernel.version, kernel.stock)
    kept = {k: v for k, v in data.items() if k not in ("expected", "as_measured")}
    if data["verdict"] in ("PASS", "FAIL") and (kernel.stock or expected != "clean"):
        # What stock warns of is as it comes.
        fails = [name for name in data["fails"] if not (kernel.stock and name == "alarms")]
        kept |= {"expected": expected, "as_measured": verdict.as_measured(fails, expected)}
    return kept


def good(data: dict[str, Any]) -> bool:
    """Rows that are meant to fail, stock's mostly, are good when they do as expected."""
    return data["verdict"] == "SKIP" or bool(data.get("as_measured", data["verdict"] == "PASS"))


def kept_result(row: Row, kernel: Kernel, folder: Path, data: dict[str, Any]
                ) -> dict[str, Any] | None:
    """The result of an earlier run, judged again if need be; None if it has to be run."""
    try:
        old: dict[str, Any] = json.loads((folder / "result.json").read_text())
        if old.get("key") != data["key"] or old["verdict"] not in ("PASS", "FAIL"):
            return None
        if old.get("judged") != data["judged"]:
            facts = pickle.loads(gzip.decompress((folder / "facts").read_bytes()))
            old |= outcome.result(row, replace(facts, row=row)) | {"judged": data["judged"]}
            keep(folder, compare(row, kernel, old))
    except (OSError, ValueError, EOFError, pickle.UnpicklingError):
        return None
    return {**compare(row, kernel, old), "resumed": True}


def keep(folder: Path, data: dict[str, Any]) -> None:
    write_whole(folder / "result.json", json.dumps(data, indent=1) + "\n")


def run_row(row: Row, kernel: Kernel, images: Images | Failure, qemu: Emulator | Failure,
            resume: bool) -> dict[str, Any]:
    """Run a row until there is a result; keep it in result.json."""
    folder = OUT / "kdump" / kernel.name / row.name
    flavour = " --stock" if kernel.stock else ""
    if kernel.variant:
        flavour += f" --variant {kernel.variant}"
    data: dict[str, Any] = {
        "row": row.name, "kernel": kernel.version, "flavour": kernel.flavour,
        **({"variant": kernel.variant} if kernel.variant else {}),
        "repeat": f"scripts/kdump --kernel {kernel.version}{flavour} --scenario {row.name}",
        "folder": str(folder.relative_to(TOP)), "qemu": None, "accel": accelerator(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "key": "", "judged": "",
        "fails": [], "no_results": 0}
    if isinstance(qemu, Failure):
        return {**data, "verdict": "SKIP", "why": str(qemu)}
    if isinstance(images, Failure):
        return {**data, "verdict": "NO RESULT", "why": f"no kernel: {images}"}
    data |= {"qemu": qemu.version, "key": run_key(row, images, qemu.version),
             "judged": judge_key(row)}
    if resume and (old := kept_result(row, kernel, folder, data)):
        return old
    spoilt: list[str] = []
    logs: list[str] = []
    while len(spoilt) < ATTEMPTS and spoilt.count(NOT_READY) < 2:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, log in enumerate(logs, 1):
            (folder / f"no-result-{number}.log").write_text(log)
        say(f"{row.name}: booting {kernel.name}")
        try:
            facts = play(row, images, qemu, folder)
        except NoResult as why:
            spoilt.append(str(why))
            logs.append((folder / "qemu.log").read_text(errors="replace"))
            say(f"{row.name}: no result: {why}")
            continue
        (folder / "facts").write_bytes(gzip.compress(pickle.dumps(facts), 1))
        data |= outcome.result(row, facts) | {"no_results": len(spoilt)}
        break
    else:
        data |= {"verdict": "NO RESULT", "no_results": len(spoilt), "why": spoilt[-1]}
    (folder / "disk.img").unlink(missing_ok=True)
    data = compare(row, kernel, data)
    keep(folder, data)
    return data
