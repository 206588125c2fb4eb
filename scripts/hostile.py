#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the host does to a stopped guest's remapping tables before the panic ("edit" of a row).

A dead kernel's tables may hold anything. Each edit puts one thing into them that no kernel would
write, or that is right but lies in an odd place. Which devices must feel it, and what the crash
kernel has to say, is the row's.

An edit reaches the crash kernel, which reads tables, at once; the hardware only where its caches
are invalidated: QEMU caches context entries and translations, and drops both with every new root
table. So DMA in flight goes on as before until then. A register written without its command
(RTADDR, IRTA) changes nothing for the hardware at all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tables
from acpi import RMRR
from common import die
from evidence import Function, Span
from guest import Guest
from scenarios import Row
from tables import ADDRESS, PAGE, Tables

# Entries of the interrupt table that no kernel gets to within a run.
SPARE_INTERRUPTS = 1000


@dataclass
class Scene:
    """What an edit works on."""

    guest: Guest
    tables: Tables
    sid: int  # the victim's requester id; -1 if the row names none
    old: Sequence[Span]
    crash: Sequence[Span]

    def entry(self) -> int:
        """Where the victim's context entry lies."""
        return self.tables.context_entry(self.sid) or die("the victim's bus has no context table")

    def last_page(self) -> int:
        """The last page of the old kernel's RAM."""
        return self.old[-1].last + 1 - PAGE


Edit = Callable[[Scene], None]

# Where no table can lie.
PLACES: dict[str, Callable[[Scene], int]] = {
    "mmio": lambda scene: tables.REGISTERS,
    "msi": lambda scene: 0xFEE00000,
    "beyond-ram": lambda scene: 1 << 36,
    "beyond-width": lambda scene: 1 << 45,  # the unit has 39 bits, the processor 40
    "crash": lambda scene: scene.crash[0].first + (16 << 20),
    "firmware": lambda scene: RMRR[0],
    "zero": lambda scene: 0,
    "ones": lambda scene: ADDRESS,
}


def aimed(word: int, address: int) -> int:
    """A word of a table with another pointer in it."""
    return word & ~ADDRESS | address


def context_to(place: str) -> Edit:
    """The victim's entry points to a place."""
    def edit(scene: Scene) -> None:
        at = scene.entry()
        scene.tables.put(at, aimed(scene.tables.word(at), PLACES[place](scene)))
    return edit


def context_new(scene: Scene) -> None:
    """An entry for a requester that has none."""
    at = scene.entry()
    if scene.tables.word(at) & tables.CONTEXT_PRESENT:
        die("the victim has an entry")
    scene.tables.put(at, tables.REGISTERS | tables.CONTEXT_PRESENT,
                     0x77 << tables.DID_SHIFT | tables.AW_39BIT)


def context_bits(index: int, clear: int, put: int) -> Edit:
    """Bits of one word of the victim's entry."""
    def edit(scene: Scene) -> None:
        at = scene.entry() + 8 * index
        scene.tables.put(at, scene.tables.word(at) & ~clear | put)
    return edit


def context_full(scene: Scene) -> None:
    """A whole entry of ones."""
    size = tables.SCALABLE_ENTRY if scene.tables.scalable else tables.LEGACY_ENTRY
    scene.tables.put(scene.entry(), *[(1 << 64) - 1] * (size // 8))


def context_garbage(scene: Scene) -> None:
    """A whole entry of noise, present."""
    noise = random.Random(1)
    # With FPD, so that it is silent whether it is dropped or kept.
    first = noise.getrandbits(64) | tables.CONTEXT_PRESENT | tables.CONTEXT_FPD
    scene.tables.put(scene.entry(), first, noise.getrandbits(64))


def root_to(*places: str) -> Edit:
    """The pointer to the victim's context table goes to a place."""
    def edit(scene: Scene) -> None:
        at = scene.tables.root_word(scene.sid)
        for index, place in enumerate(places):
            scene.tables.put(at + 8 * index, PLACES[place](scene) | tables.ROOT_PRESENT)
    return edit


def root_reserved(scene: Scene) -> None:
    """Bits 11:1 of a root entry are reserved."""
    at = scene.tables.root_word(scene.sid)
    scene.tables.put(at, scene.tables.word(at) | 0x550)


def root_garbage(scene: Scene) -> None:
    """A whole root entry of noise."""
    noise = random.Random(2)
    scene.tables.put(scene.tables.root_word(scene.sid), noise.getrandbits(64)
                     | tables.ROOT_PRESENT, noise.getrandbits(64) | tables.ROOT_PRESENT)


def root_self(scene: Scene) -> None:
    """The root table is the context table of the victim's bus."""
    scene.tables.put(scene.tables.root_word(scene.sid),
                     scene.tables.root | tables.ROOT_PRESENT)


def context_last_page(scene: Scene) -> None:
    """The victim's context table moves to the last page of RAM, unchanged."""
    at = scene.tables.root_word(scene.sid)
    word = scene.tables.word(at)
    scene.guest.poke(scene.last_page(), scene.guest.peek(word & ADDRESS, PAGE))
    scene.tables.put(at, aimed(word, scene.last_page()))


def root_last_page(scene: Scene) -> None:
    """The root table moves to the last page of RAM, unchanged."""
    scene.guest.poke(scene.last_page(), scene.guest.peek(scene.tables.root, PAGE))
    scene.guest.qtest.write(tables.RTADDR, aimed(scene.tables.rtaddr, scene.last_page()))


def rtaddr_to(place: str) -> Edit:
    """The register names a place."""
    def edit(scene: Scene) -> None:
        scene.guest.qtest.write(tables.RTADDR,
                                aimed(scene.tables.rtaddr, PLACES[place](scene)))
    return edit


def rtaddr_mode(mode: int) -> Edit:
    """The register names a mode that nobody can adopt."""
    def edit(scene: Scene) -> None:
        scene.guest.qtest.write(tables.RTADDR, scene.tables.root | mode << tables.TTM_SHIFT)
    return edit


def interrupt(delivery: int, vector: int) -> Edit:
    """One spare entry becomes present."""
    def edit(scene: Scene) -> None:
        base, _ = scene.tables.interrupts()
        at = base + SPARE_INTERRUPTS * tables.IRTE
        if scene.tables.word(at) & tables.IRTE_PRESENT:
            die(f"interrupt entry {SPARE_INTERRUPTS} is in use")
        scene.tables.put(at, tables.IRTE_PRESENT | delivery << tables.DELIVERY_SHIFT
                         | vector << tables.VECTOR_SHIFT, 0)
    return edit


def free_interrupts(fill: Callable[[], bytes]) -> Edit:
    """All entries that are not in use become something else."""
    def edit(scene: Scene) -> None:
        base, count = scene.tables.interrupts()
        table = bytearray(scene.guest.peek(base, count * tables.IRTE))
        for at in range(0, len(table), tables.IRTE):
            if not table[at] & tables.IRTE_PRESENT:
                table[at:at + tables.IRTE] = fill()
        scene.guest.poke(base, bytes(table))
    return edit


NOISE = random.Random(3)
FIXED = (tables.IRTE_PRESENT | 0x31 << tables.VECTOR_SHIFT).to_bytes(tables.IRTE, "little")


def irta_to(place: str) -> Edit:
    """The interrupt table's register names a place."""
    def edit(scene: Scene) -> None:
        scene.guest.qtest.write(tables.IRTA, aimed(scene.tables.irta, PLACES[place](scene)))
    return edit


EDITS: dict[str, Edit] = {
    **{f"context-{place}": context_to(place) for place in PLACES},
    "context-new": context_new,
    "context-full": context_full,
    "context-garbage": context_garbage,
    "context-reserved": context_bits(0, 0, 1 << 5),
    "context-type": context_bits(0, 0, tables.TT_RESERVED << tables.TT_SHIFT),
    "context-width": context_bits(1, tables.AW_MASK, tables.AW_RESERVED),
    "context-last-page": context_last_page,
    **{f"root-{place}": root_to(place) for place in PLACES},
    "root-both": root_to("mmio", "beyond-ram"),
    "root-reserved": root_reserved,
    "root-garbage": root_garbage,
    "root-self": root_self,
    "root-last-page": root_last_page,
    **{f"rtaddr-{place}": rtaddr_to(place) for place in PLACES},
    "rtaddr-extended": rtaddr_mode(tables.TTM_EXTENDED),
    "rtaddr-abort": rtaddr_mode(tables.TTM_ABORT),
    **{f"interrupt-{name}": interrupt(mode, 0x31) for name, mode in tables.DELIVERY.items()},
    "interrupt-vector": interrupt(0, 0x10),
    "interrupt-garbage": free_interrupts(lambda: NOISE.randbytes(tables.IRTE)),
    "interrupt-full": free_interrupts(lambda: FIXED),
    **{f"irta-{place}": irta_to(place) for place in PLACES},
}


def needs_victim(edit: str) -> bool:
    """Is an edit about one requester?"""
    return edit.startswith(("context-", "root-")) and edit != "root-last-page"


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


def edit(row: Row, guest: Guest, functions: Sequence[Function], old: Sequence[Span],
         crash: Sequence[Span]) -> None:
    """Do what the row asks to a guest that is stopped."""
    sid = requester(row.victim, functions) if row.victim else -1
    EDITS[row.edit](Scene(guest, Tables(guest), sid, old, crash))
