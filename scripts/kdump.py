#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Panic a kernel under DMA, save the dump, judge it: rows of scenarios.toml, one by one.

This file is the course of a run and the command line. The guest is guest.py's, the evidence
evidence.py's, the judgement verdict.py's, the kernel kernel.py's.

Standard output gets the judgements, standard error the progress. Logs, vmcore and result.json
of a row stay in out/kdump/KERNEL-FLAVOUR/ROW/.

`--json FILE` writes {"schema": 1, "rows": [...]}; each row is what its result.json holds:

    row, kernel, flavour    name; "6.12"; "takeover" or "stock"
    verdict                 "PASS", "FAIL", "NO RESULT" (spoilt three times, or there is no
                            first kernel) or "SKIP" (there is no such QEMU)
    fails                   names of the judgements that failed
    expected, as_measured   "clean" or a list that must be among the fails; did it fit. On our
                            kernel only for rows that ask it to fail
    invariants, checks      {name: {"verdict": "pass" | "fail" | "not judged", "text": ...}}
    facts                   command lines, devices, seconds from the panic to things, counts
    timeline                seconds of guest time since the panic (the host's pauses cut out):
        marks               {"panic", "crash kernel", "new root", "dump begun", "dump saved": s}
        translation         [[s, 0 or 1], ...] from the panic on
        bucket              width of a bucket in seconds
        devices             [{"name", "sid", "id", "released": s or null,
                              "in_flight" | "translated" | "faulted": [[s, count], ...]}]
                            in_flight: the dead kernel's DMA, pass-through included
    no_results              runs thrown away: QEMU died, or the host was too late
    repeat, folder          the command that repeats the run; where its files are
    date, qemu, accel, key  when, with what; what the result depends on (for --resume). qemu: the
                            version that ran the row, null if none
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import acpi
import emulator
import evidence
import hostile
import scenarios
import verdict
from common import OUT, TOP, Failure, die, main, need, run, say
from emulator import Emulator
from evidence import Facts
from guest import INITRAMFS, TRACE_PANIC, Config, Guest, Mark, NoResult, accelerator
from scenarios import Row
from stray import Edu

ATTEMPTS = 3
BOOT_LIMIT = 180
DISK_SIZE = 1 << 29
BUCKET = 0.1
GSTS = 0xFED9001C
SOURCES = ["kdump.py", "emulator.py", "guest.py", "evidence.py", "verdict.py", "scenarios.py",
           "hostile.py", "tables.py", "stray.py", "acpi.py", "qtest.py"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class Kernel:
    """The kernel that saves the dump; unless a row says otherwise it is the one that panics too."""

    version: str
    stock: bool
    image: Path

    @property
    def flavour(self) -> str:
        return "stock" if self.stock else "takeover"

    def first(self, name: str) -> Path:
        """The image of a row's "first_kernel", built if need be."""
        if not name or name == "stock" and self.stock:
            return self.image
        import kernel  # only here and in find_kernel: --bzimage works where none can be built
        return kernel.build(self.version if name == "stock" else name, stock=True)

    def key(self, row: Row, first: Path, qemu: str) -> str:
        """What a result depends on."""
        digest = hashlib.sha256(self.image.read_bytes())
        if first != self.image:
            digest.update(first.read_bytes())
        digest.update(f"{qemu} {row.definition()}".encode())
        here = Path(__file__).resolve().parent
        for path in [*(here / name for name in SOURCES), *sorted(INITRAMFS.iterdir())]:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:32]


def play(row: Row, kernel: Kernel, first: Path, qemu: Emulator, folder: Path) -> Facts:
    """One run from boot to dump. Raises NoResult; everything else becomes facts."""
    disk = folder / "disk.img"
    with disk.open("wb") as image:
        image.truncate(DISK_SIZE)
    run(["mkfs.ext4", "-q", "-F", disk])
    nonce = f"vtd-{secrets.token_hex(8)}"
    node = next(d.node for d in row.devices if d.role == "disk")
    config = Config(
        emulator=qemu, kernel=first, crash_kernel=kernel.image, append=row.first_line(),
        iommu=row.iommu, memory=row.bytes,
        row={"DISK": node, "NONCE": nonce, "KEXEC": row.kexec, "FIRST": row.first_line(),
             "CRASH": row.crash_line(), "CAPTURE": "yes" if row.capture() else ""},
        devices=[q for d in row.devices for q in d.qemu], disk=disk, accel=accelerator(),
        detour=row.road == "kexec",
        early={acpi.FILE: acpi.dmar(row.rmrr_slot)} if row.rmrr else {},
        qtest=bool(row.edit or row.stray))
    guest = Guest(config, folder)
    marks: dict[str, Mark] = {}
    changed: list[int] | None = None
    edu: Edu | None = None
    try:
        functions, trouble = boot(guest, marks)
        misfit = evidence.name_functions(functions, row.devices)
        old, crash = evidence.parse_iomem(line for _, line in guest.serial.lines)
        if not trouble and (row.edit or row.stray):
            trouble = misfit
        if not trouble:
            if row.stray:
                edu = set_up_edu(guest, row, functions, crash)

            def edit() -> None:
                if row.edit:
                    hostile.edit(row, guest, functions, old, crash)

            trouble = crash_and_dump(guest, row, marks, edit, edu)
            guest.stop()
            marks["end"] = guest.mark()
            if "saved" in marks:
                marks["saved"] = marks["end"]
        else:
            guest.stop()
            marks["panic"] = marks["end"] = guest.mark()
        translating = bool(guest.register(GSTS) & evidence.GSTS_TES)
        before = guest.private / "ram.before"
        if before.exists():
            changed = evidence.changed_pages(before, guest.ram, old, row.bytes)
        sent = guest.frames.sent if guest.frames else 0
    finally:
        if edu:
            edu.stop()
        guest.close()
    with guest.trace.open("rb") as lines:
        trace = evidence.parse_trace(lines)
    # The crash kernel's lines begin with its mark: that bears the time of its first one.
    begin = marks["crash"].time if "crash" in marks else time.time()
    return Facts(row=row, nonce=nonce, marks=marks, pauses=guest.pauses, trace=trace,
                 functions=functions, misfit=misfit, old=old, crash=crash, changed=changed,
                 translating_at_end=translating, dump=evidence.read_dump(disk, folder),
                 trouble=trouble, sent=sent,
                 first_log=[line for stamp, line in guest.serial.lines if stamp < begin],
                 crash_log=[line for stamp, line in guest.serial.lines if stamp >= begin],
                 accesses=edu.accesses if edu else [])


def set_up_edu(guest: Guest, row: Row, functions: list[evidence.Function],
               crash: list[evidence.Span]) -> Edu:
    """The edu device, told what to read and when."""
    places = {"rmrr": acpi.RMRR[0], "old": 16 << 20, "crash": crash[0].first + (64 << 20)}
    orders = {when: {what: places[what] for what in ends} for when, ends in row.stray.items()}
    edu = Edu(guest, hostile.requester("edu", functions), orders)
    edu.enable()
    return edu


def boot(guest: Guest, marks: dict[str, Mark]) -> tuple[list[evidence.Function], str]:
    """Until the first kernel is READY: its devices, and what went wrong, if anything."""
    found = guest.wait_line([r"kdump: READY", r"kdump: NOT READY.*", r"Kernel panic.*"],
                            0, BOOT_LIMIT)
    functions = evidence.parse_functions(line for _, line in guest.serial.lines)
    if found is None or "kdump: READY" not in found[1][0]:
        return functions, f"first kernel: {found[1][0] if found else 'not ready in time'}"
    guest.stop()
    guest.trace_on(TRACE_PANIC)
    marks["ready"] = guest.mark()
    guest.cont()
    # Let the disk writer be seen at work before the end.
    time.sleep(0.3)
    return functions, ""


def crash_and_dump(guest: Guest, row: Row, marks: dict[str, Mark], edit: Callable[[], None],
                   edu: Edu | None) -> str:
    """From READY to the end; returns what went wrong, or nothing if the dump was saved."""
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
        return "the crash kernel did not start"
    guest.stop()
    marks["crash"] = replace(guest.mark(), time=guest.serial.lines[found[0]][0])
    # From here on old memory must not change: this copy is what it is held against.
    run(["cp", "--sparse=always", guest.ram, guest.private / "ram.before"])
    touched = re.search(rb"vtd_reg_(dmar_root|write_gcmd)",
                        guest.trace.read_bytes()[marks["panic"].trace:])
    guest.cont()
    if touched:
        # The guest went on while the host, busy with other things, had yet to stop it.
        raise NoResult("the IOMMU was written to before the copy of RAM was taken")
    ends = [r"kdump: DUMP SAVED", r"kdump: DUMP LOST.*", r"Kernel panic.*"]
    at = found[0] + 1
    deadline = time.monotonic() + row.limit
    while found := guest.wait_line([r"kdump: DUMP BEGIN", *ends], at,
                                   deadline - time.monotonic()):
        at = found[0] + 1
        stamp = guest.serial.lines[found[0]][0]
        if found[1][0] == "kdump: DUMP BEGIN":
            marks["begin"] = replace(guest.mark(), time=stamp)
        elif found[1][0] == "kdump: DUMP SAVED":
            if edu:
                edu.do("saved")
            marks["saved"] = guest.mark()
            return ""
        else:
            return f"crash kernel: {found[1][0].removeprefix('kdump: ')}"
    return f"no dump within {row.limit} s"


def buckets(facts: Facts, times: Iterable[float]) -> list[list[float]]:
    counts = Counter(int(facts.seconds(t) / BUCKET) for t in times)
    return [[round(b * BUCKET, 3), n] for b, n in sorted(counts.items())]


def timeline(facts: Facts) -> dict[str, Any]:
    """The run as a drawing needs it; see the head of this file."""
    names = {"panic": "panic", "crash": "crash kernel", "begin": "dump begun",
             "saved": "dump saved"}
    marks = {text: facts.seconds(facts.marks[name].time)
             for name, text in names.items() if name in facts.marks}
    if facts.root:
        marks["new root"] = facts.seconds(facts.root.time)
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
        })
    return {
        "marks": marks, "bucket": BUCKET, "devices": lanes,
        "translation": [[0.0, int(facts.trace.translating(panic))],
                        *([facts.seconds(s.time), s.value] for s in facts.trace.switches
                          if panic <= s.at < facts.end)],
    }


def result(row: Row, kernel: Kernel, facts: Facts) -> dict[str, Any]:
    verdicts = verdict.judge(facts)
    fails = verdict.failures(verdicts)
    drawing = timeline(facts)
    panic = facts.marks["panic"].trace
    data: dict[str, Any] = {
        "verdict": "FAIL" if fails else "PASS", "fails": fails,
        "invariants": {n: verdicts[n]._asdict() for n in verdict.INVARIANTS},
        "checks": {n: v._asdict() for n, v in verdicts.items() if n not in verdict.INVARIANTS},
        "facts": {
            "first": row.first_line(), "crash": row.crash_line(),
            "devices": [f"{f.address} {f.id} {f.driver} {f.domain}" for f in facts.functions],
            "seconds": drawing["marks"],
            "frames": facts.sent, "vmcore_bytes": facts.dump.size,
            "faults": sum(panic <= f.at < facts.end for f in facts.trace.faults),
            "in_flight_after_root": sum(d.at > facts.root.at for d in facts.in_flight())
            if facts.root else 0,
        },
        "timeline": drawing,
    }
    expected = row.stock if kernel.stock else row.takeover
    if kernel.stock or expected != "clean":
        data |= {"expected": expected, "as_measured": verdict.as_measured(fails, expected)}
    return data


def attempt(what: Callable[[str], Found], asked: str) -> Found | Failure:
    """Look for what some rows need; the others shall run without it."""
    try:
        return what(asked)
    except Failure as failure:
        return failure


def run_row(row: Row, kernel: Kernel, first: Path | Failure, qemu: Emulator | Failure,
            resume: bool) -> dict[str, Any]:
    """Run a row until there is a result; keep it in result.json."""
    folder = OUT / "kdump" / f"{kernel.version}-{kernel.flavour}" / row.name
    flavour = " --stock" if kernel.stock else ""
    data: dict[str, Any] = {
        "row": row.name, "kernel": kernel.version, "flavour": kernel.flavour,
        "repeat": f"scripts/kdump --kernel {kernel.version}{flavour} --scenario {row.name}",
        "folder": str(folder.relative_to(TOP)), "qemu": None, "accel": accelerator(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "key": ""}
    if isinstance(qemu, Failure):
        return {**data, "verdict": "SKIP", "fails": [], "no_results": 0, "why": str(qemu)}
    if isinstance(first, Failure):
        return {**data, "verdict": "NO RESULT", "fails": [], "no_results": 0,
                "why": f"no first kernel: {first}"}
    data |= {"qemu": qemu.version, "key": kernel.key(row, first, qemu.version)}
    kept = folder / "result.json"
    if resume and kept.exists():
        old: dict[str, Any] = json.loads(kept.read_text())
        if old["key"] == data["key"] and old["verdict"] in ("PASS", "FAIL"):
            return {**old, "resumed": True}
    spoilt: list[str] = []
    logs: list[str] = []
    while len(spoilt) < ATTEMPTS:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, log in enumerate(logs, 1):
            (folder / f"no-result-{number}.log").write_text(log)
        say(f"{row.name}: booting {kernel.version}-{kernel.flavour}")
        try:
            facts = play(row, kernel, first, qemu, folder)
        except NoResult as why:
            spoilt.append(str(why))
            logs.append((folder / "qemu.log").read_text(errors="replace"))
            say(f"{row.name}: no result: {why}")
            continue
        data |= result(row, kernel, facts) | {"no_results": len(spoilt)}
        break
    else:
        data |= {"verdict": "NO RESULT", "fails": [], "no_results": len(spoilt), "why": spoilt[-1]}
    (folder / "disk.img").unlink(missing_ok=True)
    kept.write_text(json.dumps(data, indent=1) + "\n")
    return data


def show(data: dict[str, Any]) -> None:
    """A row's judgements, as people read them."""
    print(f"== {data['row']} on {data['kernel']}-{data['flavour']}"
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


def good(data: dict[str, Any]) -> bool:
    """Rows that are meant to fail, stock's mostly, are good when they do as expected."""
    return data["verdict"] == "SKIP" or bool(data.get("as_measured", data["verdict"] == "PASS"))


def find_kernel(version: str, stock: bool, image: Path | None) -> Kernel:
    if image is None:
        import kernel  # here, so that --bzimage works where no kernel can be built
        image = kernel.build(version, stock)
    if not image.exists():
        die(f"no such file: {image}")
    return Kernel(version, stock, image)


def command() -> int:
    parser = argparse.ArgumentParser(description="Crash a kernel under DMA and judge the dump.")
    parser.add_argument("--kernel", default="6.12", metavar="VERSION")
    parser.add_argument("--stock", action="store_true", help="the untouched kernel")
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
    chosen = choose(rows, options.scenario, options.tag)
    if bad := [why for why in map(hostile.problem, chosen) if why]:
        die("; ".join(bad))
    # mkfs and its like live where only root usually looks.
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    need("qemu-system-x86_64", "kexec", "makedumpfile", "busybox", "debugfs")
    kernel = find_kernel(options.kernel, options.stock, options.bzimage)
    accelerator()
    # Each once, before the workers start.
    firsts = {name: attempt(kernel.first, name) for name in {r.first_kernel for r in chosen}}
    qemus = {needs: attempt(emulator.find, needs) for needs in {r.needs for r in chosen}}
    results: list[dict[str, Any]] = []
    signal.signal(signal.SIGTERM, end_all)
    with ProcessPoolExecutor(max_workers=max(1, options.jobs)) as pool:
        runs = [pool.submit(run_row, row, kernel, firsts[row.first_kernel], qemus[row.needs],
                            options.resume) for row in chosen]
        try:
            for number, done in enumerate(as_completed(runs), 1):
                results.append(done.result())
                show(results[-1])
                say(f"{number} of {len(chosen)} rows done")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if options.json:
        options.json.write_text(json.dumps({"schema": 1, "rows": results}, indent=1) + "\n")
    conclude(results, kernel)
    return 0 if all(map(good, results)) else 1


def end_all(*_: object) -> None:
    """Ended by a signal, the guests must end as well: every worker runs its "finally".

    Once only: a second signal would break off the cleaning up.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for worker in multiprocessing.active_children():
        worker.terminate()
    sys.exit(143)


def conclude(results: list[dict[str, Any]], kernel: Kernel) -> None:
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
        vmlinux = kernel.image.parent.parent.parent.parent / "vmlinux"
        if vmlinux.exists():
            print(f"      its symbols: {vmlinux}")


if __name__ == "__main__":
    main(command)
