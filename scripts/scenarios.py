#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rows of scenarios.toml as typed data, and the kernels' full command lines.

It knows what a row asks for, not how that is run or judged.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import acpi
from common import Failure, die
from emulator import wanted

FILE = Path(__file__).resolve().parent / "scenarios.toml"

# no_timer_check: the kernel's check counts timer ticks against a busy loop, and panics; a guest
# that the host does not schedule for a moment fails it (seen once in 70 runs).
VICTIM = re.compile(r"[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
FUNCTION = re.compile(r"\w+")
# What the edu device can be told to read, and what may become of it: it gets there, it is
# blocked without a fault, it faults, or the device may do no DMA at all.
STRAY_TIMES = ("ready", "root", "saved")
STRAY_PLACES = ("rmrr", "old", "crash")
STRAY_ENDS = ("reached", "silent", "loud", "off")

CONSOLE = ("console=ttyS0 earlyprintk=serial,ttyS0,115200 printk.devkmsg=on ignore_loglevel "
           "no_timer_check")
# How long it stays where it would sleep (seconds); and we want to hear of what goes wrong.
SUSPEND = "suspend.pm_test_delay=1 no_console_suspend"
ROADS = ("panic", "kexec", "suspend", "life")
# Seconds until the first kernel is ready, at most.
BOOT_LIMIT = 180
# Kernels with alarms on (kernel.VARIANTS): what such a kernel says when its alarms are armed.
ALARMS = {
    "debug": ["KernelAddressSanitizer", "Lock dependency validator",
              "DMA-API: debugging enabled by kernel config"],
    "kcsan": ["kcsan: enabled early"],
}
# They are five times as slow, and sanitizers keep notes of all memory.
ALARMED_MEMORY, ALARMED_CRASHKERNEL, ALARMED_PATIENCE = 2 << 30, "640M", 5
# Groups of command lines in scenarios.toml, and what the names of their rows begin with.
GRIDS = {"cells": "cmd", "flts": "flts"}


# Keys of a row that a run does not depend on: when it is asked for, what is expected of it; and
# those that only its judgement depends on.
NOT_RUN = {"tags", "stock", "takeover", "stock_on", "kernels"}
JUDGED = {"report", "blocked", "faulting", "cut", "faults", "first_says", "crash_says", "warns",
          "resets", "ats"}
# The initcall by which a driver that is built in makes itself known; two share a name.
INITCALLS = {"e1000e": "e1000_init_module", "e1000": "e1000_init_module",
             "igb": "igb_init_module", "vmxnet3": "vmxnet3_init_module"}


@dataclass(frozen=True)
class Device:
    """A device of a row. Keys: see the head of the device section in scenarios.toml."""

    name: str
    qemu: list[str]
    functions: list[str]  # "vendor:device driver"; the last one does the DMA
    role: str  # "disk", "nic" or "other"
    node: str = ""  # of a disk: its name under /dev
    alias: bool = False  # its requests carry bus:00.0


def driver_of(device: Device) -> str:
    """The driver of the function that does a device's DMA."""
    return device.functions[-1].split()[1]


@dataclass(frozen=True)
class Row:
    """One run."""

    name: str
    first: str  # options of the kernel that boots first: the crashed one, as a rule
    crash: str  # the kdump kernel's
    devices: list[Device]
    iommu: str  # properties of QEMU's intel-iommu
    memory: str
    crashkernel: str
    kexec: str  # options: -p, or -s -p for the file-based system call
    panic: str  # "nmi" or "sysrq"
    limit: int  # seconds from the panic to the saved dump, on the host's clock
    stock: str | list[str]  # "clean", or the judgements that fail on the stock kernel
    takeover: str | list[str]  # the same for ours; a list where failing is what is asked for
    boot: int = BOOT_LIMIT  # seconds until the first kernel is ready, on the host's clock
    tags: list[str] = field(default_factory=list)
    edit: str = ""  # what the host does to the stopped guest before the panic (hostile.py)
    victim: str = ""  # whose entry or table it edits: a device, or bus:slot.function
    report: list[str] = field(default_factory=list)  # each matches one line of the kdump kernel
    blocked: list[str] = field(default_factory=list)  # devices whose DMA in flight must end
    faulting: list[str] = field(default_factory=list)  # devices whose DMA in flight must fault
    # Devices that lose what leads into the kdump kernel's memory, and nothing else (pages.py).
    cut: list[str] = field(default_factory=list)
    rmrr: str = ""  # device that the firmware is made to report reserved memory for (acpi.py)
    # DMA of the edu device: {"ready", "root" or "saved": {what it reads: what becomes of it}}
    stray: dict[str, dict[str, str]] = field(default_factory=dict)
    storm: bool = False  # the tulip device faults without end (storm.py)
    storm_late: bool = False  # not from the kdump kernel's first line on: when its driver is up
    phys_bits: int = 0  # of the processor's physical addresses; 0: as QEMU has them
    needs: str = ""  # "qemu>=10"; emulator.py fetches a newer one where that is possible
    # The crashed kernel: "stock", untouched, of the kdump kernel's version; or a version,
    # like "6.1", untouched as well; or nothing: the kdump kernel's own image.
    first_kernel: str = ""
    # "panic": the first kernel was booted. "kexec": it was started by kexec -e from one like it.
    # "suspend": it suspends (all but the sleep itself) and resumes before it panics. "life": it
    # suspends, resumes, starts another like it by kexec -e, and nothing panics.
    road: str = "panic"
    vfs: int = 0  # virtual functions that the crashed kernel switches on where it can
    unplug: str = ""  # device that the kdump kernel loses before its driver mapped anything
    # Devices whose driver the kdump kernel lacks: their DMA in flight lives on to the end.
    undriven: list[str] = field(default_factory=list)
    pulled: str = ""  # device that is pulled out between the panic and the kdump kernel (pull.py)
    # Function of the kdump kernel that answers -ENOMEM at its first call (refuse.py).
    enomem: str = ""
    # Devices that the kdump kernel resets, by a function-level reset, before their drivers start.
    resets: list[str] = field(default_factory=list)
    firmware_off: bool = False  # firmware opts out of DMA remapping (acpi.py)
    outward: str = ""  # port out of the machine: firmware wants DMA remapping on (acpi.py)
    crash_firmware: str = ""  # what is wrong with the kdump kernel's DMAR table (acpi.WRONG)
    # Which versions of the kernel that saves the dump the row is for; none named: all.
    kernels: list[str] = field(default_factory=list)
    # How it was built, kernel.build's "variant"; nothing: as usual.
    variant: str = ""
    # The same of the kernel that saves the dump alone; the one that panics is built as usual.
    crash_variant: str = ""
    # What stock of a version does, where it differs from "stock".
    stock_on: dict[str, str | list[str]] = field(default_factory=dict)
    # Devices that may fault after release, and how many times at least, or nothing is shown.
    faults: dict[str, int] = field(default_factory=dict)
    # Devices whose ATS the crashed kernel has on, and the kdump kernel leaves on until it releases
    # them.
    ats: list[str] = field(default_factory=list)
    # The kdump kernel traces the takeover to its log, and says what debugfs has at the end.
    watched: bool = False
    # What a kernel must have logged, or the row is not what its name says.
    first_says: list[str] = field(default_factory=list)
    crash_says: list[str] = field(default_factory=list)
    # Functions of Linux in which the kdump kernel warns, whatever becomes of the IOMMU.
    warns: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        match = re.fullmatch(r"(\d+)([MG])", self.memory)
        if not match:
            die(f"row {self.name}: memory = {self.memory!r} is neither nM nor nG")
        return int(match[1]) << (20 if match[2] == "M" else 30)

    def slot(self, name: str) -> int:
        """The device number, on bus 0, of a device."""
        device = next(d for d in self.devices if d.name == name)
        match = re.search(r"\baddr=(0x[0-9a-f]+|\d+)", device.qemu[0])
        return int(match[1], 0) if match else die(f"device {name} has no addr=")

    @property
    def unplugged(self) -> str:
        """"vendor:device" of the device that is unplugged, or nothing."""
        device = next((d for d in self.devices if d.name == self.unplug), None)
        return device.functions[-1].split()[0] if device else ""

    def first_line(self) -> str:
        suspend = f"{SUSPEND} " if self.road in ("suspend", "life") else ""
        return (f"{CONSOLE} {suspend}unknown_nmi_panic panic=1 crashkernel={self.crashkernel} "
                f"{self.first}").strip()

    def crash_line(self) -> str:
        # A kernel placed at random now and then fails to be placed at all.
        lacking = {INITCALLS[driver_of(d)] for d in self.devices if d.name in self.undriven}
        blacklist = f"initcall_blacklist={','.join(sorted(lacking))} " if lacking else ""
        watch = " trace_event=vtd_takeover:* tp_printk" if self.watched else ""
        return f"{CONSOLE} nokaslr nr_cpus=1 panic=1 {blacklist}{self.crash}{watch}".strip()

    def capture(self) -> bool:
        """Is there a sound card, which the crashed kernel is to record from without end?"""
        return any("{audio}" in qemu for device in self.devices for qemu in device.qemu)

    def runs_on(self, version: str) -> bool:
        """Is the row for this version of the kernel that saves the dump?"""
        return not self.kernels or version in self.kernels

    def expected(self, version: str, stock: bool) -> str | list[str]:
        """What a kernel does with the row: "clean", or the judgements that fail."""
        return self.stock_on.get(version, self.stock) if stock else self.takeover

    def definition(self) -> str:
        """All that makes the run what it is, for telling whether a result is still fresh.

        What has its default is left out, so that a new key leaves the old rows as they are; and
        what the guest gets of the keys is in it, so that it may be made in another way.
        """
        got = {"first_line": self.first_line(), "crash_line": self.crash_line(),
               "bytes": self.bytes, "capture": self.capture(),
               "rmrr_slot": self.slot(self.rmrr) if self.rmrr else None}
        return json.dumps({**got, **self._keys(lambda name: name not in NOT_RUN | JUDGED)},
                          default=vars, sort_keys=True)

    def judged(self) -> str:
        """What the judgement takes from the row that the run does not depend on."""
        return json.dumps(self._keys(lambda name: name in JUDGED), sort_keys=True)

    def _keys(self, chosen: Callable[[str], bool]) -> dict[str, object]:
        defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default
                    for f in fields(self)}
        return {name: getattr(self, name) for name, default in defaults.items()
                if chosen(name) and getattr(self, name) != default}


def alarmed(row: Row, variant: str) -> Row:
    """The same row on kernels with alarms on, which need more time and memory."""
    if row.variant or row.crash_variant or row.first_kernel:
        die(f"row {row.name} has kernels of its own: it cannot be run on others")
    armed = ALARMS.get(variant) or die(f"no kernels have the alarms {variant}")
    memory = max(row.bytes, ALARMED_MEMORY) >> 30
    return replace(row, variant=variant, memory=f"{memory}G", crashkernel=ALARMED_CRASHKERNEL,
                   boot=row.boot * ALARMED_PATIENCE, limit=row.limit * ALARMED_PATIENCE,
                   first_says=[*row.first_says, *armed],
                   crash_says=[*row.crash_says, *(armed if row.road != "life" else [])])


def misuse(row: Row) -> str:
    """What is wrong with the keys of a hostile or blocked row, or nothing."""
    names = {d.name for d in row.devices}
    if unknown := {*row.blocked, *row.faulting, *row.cut} - names:
        return f"{', '.join(sorted(unknown))}: not among its devices"
    if both := set(row.blocked) & set(row.faulting):
        return f"{', '.join(sorted(both))}: both blocked and faulting"
    if both := set(row.cut) & {*row.blocked, *row.faulting}:
        return f"{', '.join(sorted(both))}: cut, and also blocked or faulting"
    if row.victim and row.victim not in names and not VICTIM.fullmatch(row.victim):
        return f"victim {row.victim!r} is neither a device of it nor bus:slot.function"
    if row.rmrr and row.rmrr not in names:
        return f"rmrr: it has no device {row.rmrr}"
    if row.rmrr and any(len(d.qemu) > 1 for d in row.devices if d.name == row.rmrr):
        return f"rmrr: {row.rmrr} is not on bus 0"
    if row.outward and row.outward not in names:
        return f"outward: it has no device {row.outward}"
    if row.crash_firmware and row.crash_firmware not in acpi.WRONG:
        return f"crash_firmware is none of {', '.join(acpi.WRONG)}"
    if row.crash_firmware == "bridge" and not row.rmrr:
        return "crash_firmware: there is no rmrr that could be a bridge's"
    if row.enomem and not FUNCTION.fullmatch(row.enomem):
        return f"enomem: {row.enomem!r} is no function"
    if row.enomem and not row.crash_says:
        return "enomem: without crash_says nothing shows that the function was called"
    if row.unplug and row.unplug not in names:
        return f"unplug: it has no device {row.unplug}"
    if row.pulled and row.pulled not in names:
        return f"pulled: it has no device {row.pulled}"
    if unknown := set(row.resets) - names:
        return f"resets: it has no device {', '.join(sorted(unknown))}"
    if unknown := set(row.undriven) - names:
        return f"undriven: it has no device {', '.join(sorted(unknown))}"
    if unknown := {driver_of(d) for d in row.devices if d.name in row.undriven} - set(INITCALLS):
        return f"undriven: no initcall known of {', '.join(sorted(unknown))}"
    if row.stray and "edu" not in names:
        return "stray: it has no device edu"
    if row.storm and "tulip" not in names:
        return "storm: it has no device tulip"
    if row.storm_late and not row.storm:
        return "storm_late: there is no storm"
    for when, orders in row.stray.items():
        for what, end in orders.items():
            if when not in STRAY_TIMES or what not in STRAY_PLACES or end not in STRAY_ENDS:
                return f"stray: {when}: {what} = {end!r} is not understood"
    for report in row.report:
        try:
            re.compile(report)
        except re.error as error:
            return f"report {report!r}: {error}"
    return ""


def first_fit(name: str, patterns: dict[str, Any]) -> Any:
    """What the first pattern that a name fits says, or nothing."""
    return next((what for pattern, what in patterns.items() if fnmatch.fnmatchcase(name, pattern)),
                None)


def grid(prefix: str, group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows PREFIX-FIRST-CRASH of a group of command lines: each one before each one after.

    What they have in common beside their tags is in the group's "row".
    """
    rows: dict[str, dict[str, Any]] = {}
    for first, first_options in group.get("first", {}).items():
        for crash, crash_options in group["crash"].items():
            name = f"{prefix}-{first}-{crash}"
            rows[name] = {**group.get("row", {}), "first": first_options, "crash": crash_options,
                          "tags": list(group["tags"])}
            if fails := first_fit(name, group.get("stock", {})):
                rows[name]["stock"] = fails
            rows[name]["stock_on"] = {
                version: fails for version, patterns in group.get("stock_on", {}).items()
                if (fails := first_fit(name, patterns))}
    for tag, names in group.get("tag", {}).items():
        for name in names:
            rows[name]["tags"].append(tag)
    return rows


def load(path: Path = FILE) -> dict[str, Row]:
    """All rows by name: the cells first, then the rows in the file's order."""
    data = tomllib.loads(path.read_text())
    devices = {name: Device(name=name, **keys) for name, keys in data["device"].items()}
    raw: dict[str, dict[str, Any]] = {}
    for table, prefix in GRIDS.items():
        raw |= grid(prefix, data.get(table, {}))
    for name, keys in data.get("row", {}).items():
        if name in raw:
            die(f"{path.name}: two rows are named {name}")
        base = keys.get("base", "")
        if base and base not in data.get("base", {}):
            die(f"row {name}: no such base: {base}")
        raw[name] = {**data.get("base", {}).get(base, {}), **keys}
        raw[name].pop("base", None)
    for tag, names in data.get("tag", {}).items():
        for name in names:
            if name not in raw:
                die(f"{path.name}: there is no row {name} to be tagged {tag}")
            raw[name] = {**raw[name], "tags": [*raw[name].get("tags", []), tag]}
    rows = {}
    for name, keys in raw.items():
        both = {**data["defaults"], **keys}
        unknown = [d for d in both["devices"] if d not in devices]
        if unknown:
            die(f"row {name}: no such device: {' '.join(unknown)}")
        both["devices"] = [devices[d] for d in both["devices"]]
        try:
            rows[name] = Row(name=name, **both)
        except TypeError as error:
            die(f"row {name}: {error}")
        if sum(d.role == "disk" for d in rows[name].devices) != 1:
            die(f"row {name}: exactly one disk, please")
        if rows[name].crash_variant and (rows[name].variant or rows[name].first_kernel):
            die(f"row {name}: crash_variant goes neither with variant nor with first_kernel")
        if rows[name].panic not in ("nmi", "sysrq"):
            die(f"row {name}: panic is nmi or sysrq")
        if rows[name].road not in ROADS:
            die(f"row {name}: road is one of {', '.join(ROADS)}")
        for version in [*rows[name].kernels, *rows[name].stock_on]:
            if not re.fullmatch(r"\d+\.\d+", version):
                die(f"row {name}: {version!r} is no kernel version")
        if strange := set(rows[name].ats) - {d.name for d in rows[name].devices}:
            die(f"row {name}: ATS of no device of the row: {' '.join(sorted(strange))}")
        if strange := set(rows[name].faults) - {d.name for d in rows[name].devices}:
            die(f"row {name}: faults of no device of the row: {' '.join(sorted(strange))}")
        try:
            wanted(rows[name].needs)
        except Failure as failure:
            die(f"row {name}: {failure}")
        if problem := misuse(rows[name]):
            die(f"row {name}: {problem}")
    return rows
