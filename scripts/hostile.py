#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the host does to a stopped guest's remapping tables before the panic ("edit" of a row).

The crashed kernel's tables may hold anything. Each edit puts one thing into them that no kernel
would write, or that is right but lies in an odd place. Which devices must feel it, and what the
kdump kernel has to say, is the row's.

An edit reaches the kdump kernel, which reads tables, at once; the hardware only where its caches
are invalidated: QEMU caches context entries and translations, and drops both with every new root
table. So DMA in flight goes on as before until then. A register written without its command
(RTADDR, IRTA) changes nothing for the hardware at all.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import inspector
import pages
from common import die
from evidence import PAGE, Aim, Function, Span
from guest import REGISTERS, Guest
from inspector import View
from scenarios import Row
from scene import PLACES, WORD, Edit, Scene

# Entries of the interrupt table that no kernel gets to within a run.
SPARE_INTERRUPTS = 1000
DELIVERY = {"smi": 2, "nmi": 4, "init": 5}
TTM_EXTENDED, TTM_ABORT = 2, 3
# In scalable mode a root entry has a pointer for devices 0 to 15 and one for 16 to 31.
OTHER_HALF = 0x80


def context_to(place: str) -> Edit:
    """The victim's entry points to a place."""
    def edit(scene: Scene) -> None:
        scene.put(scene.entry("context", pointer=PLACES[place](scene)))
    return edit


def context_new(scene: Scene) -> None:
    """An entry for a requester that has none."""
    if scene.entry("context").fields["p"]:
        die("the victim has an entry")
    scene.put(scene.entry("context", p=1, pointer=REGISTERS, did=0x77, aw=1))


def context_field(name: str, value: int) -> Edit:
    """One field of the victim's entry."""
    def edit(scene: Scene) -> None:
        scene.put(scene.entry("context", (), **{name: value}))
    return edit


def context_full(scene: Scene) -> None:
    """A whole entry of ones."""
    entry = scene.entry("context")
    scene.put(entry._replace(words=[WORD] * len(entry.words)))


def context_garbage(scene: Scene) -> None:
    """A whole entry of noise, present."""
    noise = random.Random(1)
    words = [noise.getrandbits(64) for _ in scene.entry("context").words]
    # With FPD, so that it is silent whether it is dropped or kept.
    scene.put(scene.entry("context", words, p=1, fpd=1))


def root_to(place: str, other: str = "") -> Edit:
    """The pointer to the victim's context table goes to a place, perhaps its neighbour as well."""
    def edit(scene: Scene) -> None:
        # Both are made before one is written: what comes after is read by it.
        entries = [scene.entry("root", [0] * len(scene.entry("root").words), p=1,
                               pointer=PLACES[place](scene))]
        if other:
            entries.append(scene.entry("root", [0], OTHER_HALF, p=1,
                                       pointer=PLACES[other](scene)))
        for entry in entries:
            scene.put(entry)
    return edit


def root_reserved(scene: Scene) -> None:
    """Bits 11:1 of a root entry are reserved."""
    scene.put(scene.entry("root", reserved=0x2A8))


def root_garbage(scene: Scene) -> None:
    """A whole root entry of noise."""
    noise = random.Random(2)
    words = [noise.getrandbits(64) for _ in scene.entry("root").words]
    scene.put(scene.entry("root", words, p=1))


def root_self(scene: Scene) -> None:
    """The root table is the context table of the victim's bus."""
    scene.put(scene.entry("root", [0] * len(scene.entry("root").words), p=1,
                          pointer=scene.view.entry("rtaddr").pointer))


def context_last_page(scene: Scene) -> None:
    """The victim's context table moves to the last page of RAM, unchanged."""
    table = scene.entry("root").pointer
    scene.guest.poke(scene.last_page(), scene.guest.peek(table, PAGE))
    scene.put(scene.entry("root", pointer=scene.last_page()))


def root_last_page(scene: Scene) -> None:
    """The root table moves to the last page of RAM, unchanged."""
    root = scene.view.entry("rtaddr")
    scene.guest.poke(scene.last_page(), scene.guest.peek(root.pointer, PAGE))
    scene.command(scene.view.entry("rtaddr", pointer=scene.last_page()))


def register_to(register: str, place: str) -> Edit:
    """A register names a place."""
    def edit(scene: Scene) -> None:
        scene.command(scene.view.entry(register, pointer=PLACES[place](scene)))
    return edit


def rtaddr_mode(mode: int) -> Edit:
    """The register names a mode that nobody can adopt."""
    def edit(scene: Scene) -> None:
        scene.command(scene.view.entry("rtaddr", ttm=mode))
    return edit


def interrupt(delivery: int, vector: int) -> Edit:
    """One spare entry becomes present."""
    def edit(scene: Scene) -> None:
        which = str(SPARE_INTERRUPTS)
        if scene.view.entry("irte", which).fields["p"]:
            die(f"interrupt entry {which} is in use")
        scene.put(scene.view.entry("irte", which, [0, 0], p=1, dlm=delivery, v=vector))
    return edit


def own_interrupt(vector: int) -> Edit:
    """The first entry that the victim uses raises another vector; of a card, that of its frames.

    The hardware reads it at once: what is sent before the kdump kernel has a table of its own waits
    in the processor, whatever becomes of the entry then.
    """
    def edit(scene: Scene) -> None:
        indices = [entry["index"] for entry in scene.view.interrupts()["present"]
                   if entry["fields"]["sid"] == scene.sid]
        if not indices:
            die(f"{inspector.name(scene.sid)} has no interrupt entry")
        scene.put(scene.view.entry("irte", str(min(indices)), v=vector))
    return edit


def free_interrupts(fill: Callable[[Scene], Callable[[], bytes]]) -> Edit:
    """All entries that are not in use become something else."""
    def edit(scene: Scene) -> None:
        table = scene.view.interrupts()
        base, size = int(table["at"], 16), table["entry_bytes"]
        used = {entry["index"] for entry in table["present"]}
        data = bytearray(scene.guest.peek(base, table["entries"] * size))
        make = fill(scene)
        for index in range(table["entries"]):
            if index not in used:
                data[index * size:(index + 1) * size] = make()
        scene.guest.poke(base, bytes(data))
    return edit


def noise_bytes(scene: Scene) -> Callable[[], bytes]:
    """Entries of noise."""
    size = scene.view.interrupts()["entry_bytes"]
    noise = random.Random(3)
    return lambda: noise.randbytes(size)


def fixed_bytes(scene: Scene) -> Callable[[], bytes]:
    """An ordinary entry, again and again."""
    words = scene.view.entry("irte", "0", [0, 0], p=1, v=0x31).words
    return lambda: struct.pack("<2Q", *words)


EDITS: dict[str, Edit] = {
    **{f"context-{place}": context_to(place) for place in PLACES},
    "context-new": context_new,
    "context-full": context_full,
    "context-garbage": context_garbage,
    "context-reserved": context_field("reserved", 2),
    "context-type": context_field("tt", 3),
    "context-width": context_field("aw", 7),
    "context-last-page": context_last_page,
    **{f"root-{place}": root_to(place) for place in PLACES},
    "root-both": root_to("mmio", "beyond-ram"),
    "root-reserved": root_reserved,
    "root-garbage": root_garbage,
    "root-self": root_self,
    "root-last-page": root_last_page,
    **{f"rtaddr-{place}": register_to("rtaddr", place) for place in PLACES},
    "rtaddr-extended": rtaddr_mode(TTM_EXTENDED),
    "rtaddr-abort": rtaddr_mode(TTM_ABORT),
    **{f"interrupt-{name}": interrupt(mode, 0x31) for name, mode in DELIVERY.items()},
    "interrupt-vector": interrupt(0, 0x10),
    "interrupt-int80": own_interrupt(0x80),
    "interrupt-garbage": free_interrupts(noise_bytes),
    "interrupt-full": free_interrupts(fixed_bytes),
    **{f"irta-{place}": register_to("irta", place) for place in PLACES},
    **pages.EDITS,
}


# With these no frame is sent before a new table, of which this event tells. The interrupt table is
# the first of them, and the kernel then soon switches off what MSIs it finds on. The caches are
# emptied just before a new root table: a card whose damaged entry is looked at then spends its
# whole ring on one frame.
LATE = {"interrupt-int80": "vtd_reg_ir_root", **dict.fromkeys(pages.EDITS, "vtd_reg_dmar_root"),
        **{edit: "vtd_reg_dmar_root" for edit in EDITS if edit.startswith(("context-", "root-"))}}


def needs_victim(edit: str) -> bool:
    """Is an edit about one requester?"""
    return (edit.startswith(("context-", "root-")) and edit != "root-last-page"
            or edit in ("interrupt-int80", *pages.EDITS))


def problem(row: Row) -> str:
    """Why a row's edit cannot be made, or nothing."""
    if row.edit and row.edit not in EDITS:
        return f"row {row.name}: no such edit: {row.edit}"
    if bool(row.victim) != needs_victim(row.edit):
        return f"row {row.name}: edit {row.edit!r} does not go with victim {row.victim!r}"
    return ""


def requester(victim: str, functions: Sequence[Function]) -> int:
    """The requester id of a row's device, or of bus:slot.function in hexadecimal."""
    if match := re.fullmatch(r"(\w\w):(\w\w)\.(\w)", victim):
        bus, slot, function = (int(digits, 16) for digits in match.groups())
        return bus << 8 | slot << 3 | function
    for each in functions:
        if each.device and each.device.name == victim:
            return each.sid
    return die(f"the guest has no {victim}")


def edit(row: Row, guest: Guest, view: View, functions: Sequence[Function], old: Sequence[Span],
         crash: Sequence[Span], spare: Span = Span(1, 0), image: Path = Path()) -> list[Aim]:
    """Do what the row asks to a guest that is stopped; return what that leads a device to."""
    sid = requester(row.victim, functions) if row.victim else -1
    scene = Scene(guest, view, sid, old, crash, functions, spare, image)
    EDITS[row.edit](scene)
    return scene.aims
