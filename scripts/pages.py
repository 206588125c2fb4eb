#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Page tables and receive descriptors that lead a device into the kdump kernel's memory.

Each edit here gives the victim, an e1000e, addresses that nobody mapped for it, and puts them into
its receive descriptors: the next packets go there. The tables behind them are built in old RAM that
nobody needs (the crashed kernel's initramfs) or, where that is the point, in other places. Its own
addresses stay as they are, so that it goes on reading its descriptors.

No packet comes before the new root table is installed: the hardware follows what it has not cached
yet at once, and what comes after that moment is what the guard answers for.

What each address leads to, and whether it has to be reached or must not be, becomes one of the
run's aims (evidence.py); it is judged in verdict.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from card import Card
from common import die
from evidence import LOW, PAGE, Aim
from scene import PLACES, Edit, Scene

MIB, GIB = 1 << 20, 1 << 30
# Addresses that no kernel gives to a device within a run: it goes down from 4 GiB.
FREE = 1 * GIB
ENTRIES, ENTRY_BITS, PAGE_BITS = 512, 9, 12
# 9.8, 9.9: readable and writable; in the first stage that is present, writable, a user's.
SECOND_STAGE, FIRST_STAGE, LARGE = 0x3, 0x7, 0x80
WRITE_ONLY = 0x2
ADDRESS = (1 << 52) - PAGE
FIRST_STAGE_TYPE = 1  # 9.6, PGTT
# A ring has 255 descriptors at most.
RING = 250

# An address that a device is led to, and whether it must reach it.
Spot = tuple[int, bool]
Spots = Callable[[Scene], Sequence[Spot]]


def size_of(level: int) -> int:
    """What an entry of a level stands for."""
    return 1 << (PAGE_BITS + (level - 1) * ENTRY_BITS)


class Tables:
    """The page tables of the victim, or of another device, and pages to build more of them."""

    def __init__(self, scene: Scene, sid: int | None = None) -> None:
        self.scene = scene
        self.sid = scene.sid if sid is None else sid
        name = f"{self.sid >> 8:02x}:{self.sid >> 3 & 31:02x}.{self.sid & 7}"
        self.rights = SECOND_STAGE
        if scene.view.unit()["mode"] == "scalable":
            entry = scene.view.entry("pasid", name)
            first = entry.words[0] >> 6 & 7 == FIRST_STAGE_TYPE
            self.top = entry.words[2 if first else 0] & ADDRESS
            self.levels = 4 if first else (entry.words[0] >> 2 & 7) + 2
            self.rights = FIRST_STAGE if first else SECOND_STAGE
        else:
            entry = scene.view.entry("context", name)
            self.top = entry.pointer
            self.levels = (entry.words[1] & 7) + 2

    def page(self, words: Sequence[int] = ()) -> int:
        """A table in old RAM that nobody needs."""
        at, last = self.scene.spare
        if at + PAGE > last + 1:
            die("there is no page for another table: is the initramfs kept (retain_initrd)?")
        self.scene.spare = self.scene.spare._replace(first=at + PAGE)
        return self.fill(at, words)

    def fill(self, at: int, words: Sequence[int] = ()) -> int:
        """A table wherever one likes."""
        table = [*words, *[0] * (ENTRIES - len(words))]
        self.scene.guest.poke(at, struct.pack(f"<{ENTRIES}Q", *table))
        return at

    def leaf(self, address: int, level: int = 1) -> int:
        """A word that stands for memory."""
        return address | self.rights | (LARGE if level > 1 else 0)

    def pointer(self, table: int) -> int:
        """A word that leads to a table."""
        return table | self.rights

    def word(self, at: int) -> int:
        """What stands in a table."""
        return int(struct.unpack("<Q", self.scene.guest.peek(at, 8))[0])

    def at(self, iova: int, level: int) -> int:
        """Where an address has its entry of a level; the tables above it are made if need be."""
        table = self.top
        for above in range(self.levels, level, -1):
            at = table + 8 * (iova // size_of(above) % ENTRIES)
            if not self.word(at):
                self.scene.guest.poke(at, struct.pack("<Q", self.pointer(self.page())))
            table = self.word(at) & ADDRESS
        return table + 8 * (iova // size_of(level) % ENTRIES)

    def put(self, iova: int, level: int, word: int) -> None:
        """Give an address an entry of a level, which it must not have yet."""
        at = self.at(iova, level)
        if self.word(at):
            die(f"{iova:#x} has an entry of level {level}")
        self.scene.guest.poke(at, struct.pack("<Q", word))

    def aim(self, iova: int, gpa: int = -1, kept: bool = False) -> None:
        """What becomes of the device's access to a page."""
        self.scene.aims.append(Aim(self.sid, iova & -PAGE, gpa & -PAGE if gpa >= 0 else gpa, kept))

    def fire(self, addresses: Sequence[int] = ()) -> None:
        """The next packets go to the aims, or to certain addresses."""
        card = Card(self.scene.guest, self.scene.view, self.sid)
        card.aim(addresses or [aim.iova for aim in self.scene.aims if aim.sid == self.sid])


# ---- where to ------------------------------------------------------------------------------------


def kernel_text(scene: Scene) -> list[Spot]:
    """The kdump kernel's text, a page a descriptor."""
    first = scene.kernel() + MIB
    return [(first + i * PAGE, False) for i in range(RING)]


def edges(scene: Scene) -> list[Spot]:
    """The first and last page of the kdump kernel's memory, low memory included, and what lies
    beside them."""
    crash = scene.crash[0]
    return [(crash.first, False), (crash.last + 1 - PAGE, False), (PAGE, False),
            (LOW - 0x61000, False), (crash.first - PAGE, True), (crash.last + 1, True)]


def everywhere(scene: Scene) -> list[Spot]:
    """All over the kdump kernel's memory, but for its end, which leaf-header is about."""
    crash = scene.crash[0]
    step = (crash.last + 1 - crash.first - MIB) // RING & -PAGE
    return [(crash.first + i * step, False) for i in range(RING)]


def header(scene: Scene) -> list[Spot]:
    """The ELF core header, and the copy of low memory that kexec made beside it."""
    at = scene.elfcorehdr()
    return [(at, False), (at + PAGE, False), (at + 2 * PAGE, False), (at + 0x80000, False)]


# ---- pages ---------------------------------------------------------------------------------------


def leaves(spots: Spots, rights: int = 0) -> Edit:
    """A 4 KiB page for each spot."""
    def edit(scene: Scene) -> None:
        tables = Tables(scene)
        for number, (gpa, kept) in enumerate(spots(scene)):
            iova = FREE + number * PAGE
            tables.put(iova, 1, gpa | rights if rights else tables.leaf(gpa))
            tables.aim(iova, gpa, kept)
        tables.fire()
    return edit


def straddling_buffer(scene: Scene) -> None:
    """Buffers that begin in old RAM and end in the kdump kernel's memory, and the reverse."""
    tables = Tables(scene)
    crash = scene.crash[0]
    for number, first in enumerate((crash.first - PAGE, crash.last + 1 - PAGE)):
        iova = FREE + 4 * number * PAGE
        for page in range(2):
            gpa = first + page * PAGE
            tables.put(iova + page * PAGE, 1, tables.leaf(gpa))
            tables.aim(iova + page * PAGE, gpa, not crash.first <= gpa <= crash.last)
    tables.fire([FREE + 0xF00, FREE + 4 * PAGE + 0xF00])


def large(level: int, bases: Callable[[Scene], Sequence[int]], spots: Spots, flaw: int = 0) -> Edit:
    """Large pages; the spots are in them."""
    def edit(scene: Scene) -> None:
        tables = Tables(scene)
        size = size_of(level)
        begin = FREE if level < 3 else 2 * GIB
        where = {base: begin + number * size for number, base in enumerate(bases(scene))}
        for base, iova in where.items():
            tables.put(iova, level, tables.leaf(base, level) | flaw)
        for gpa, kept in spots(scene):
            # One with a flaw is no page for the unit: nothing in it can be reached.
            tables.aim(where[gpa & -size] + gpa % size, gpa, kept and not flaw)
        tables.fire()
    return edit


def kernel_bases(scene: Scene) -> list[int]:
    """The 2 MiB pages of the kdump kernel's text."""
    return sorted({gpa & -(2 * MIB) for gpa, _ in kernel_text(scene)})


def whole(scene: Scene) -> list[Spot]:
    """For a page of 1 GiB: the kdump kernel's text, and old RAM on both sides of it."""
    return [*kernel_text(scene)[:100], *((scene.spare.last + 1 - (i + 1) * PAGE, True)
                                         for i in range(10)), (scene.crash[0].first - PAGE, True)]


def low(_: Scene) -> list[Spot]:
    """For a page of 2 MiB at 0: low memory, and old RAM above it."""
    return [(PAGE, False), (0x40000, False), (LOW - 0x61000, False), (LOW + 0x80000, True)]


# ---- pointers ------------------------------------------------------------------------------------


def wild(place: str) -> Edit:
    """Pointers of each level to a place that no table can be in."""
    def edit(scene: Scene) -> None:
        tables = Tables(scene)
        for level in range(tables.levels, 1, -1):
            # In the top table only what it has no entry for is free.
            iova = 2 * GIB if level == 3 else FREE if level == 2 else size_of(level)
            tables.put(iova, level, tables.pointer(PLACES[place](scene) & ADDRESS))
            tables.aim(iova + 5 * PAGE)
        tables.fire()
    return edit


def planted(level: int) -> Edit:
    """A pointer to a table that lies, well made, in the kdump kernel's memory; its pages do too."""
    def edit(scene: Scene) -> None:
        tables = Tables(scene)
        text = kernel_text(scene)
        plant = PLACES["crash"](scene)
        if level == 2:
            tables.fill(plant, [tables.leaf(gpa) for gpa, _ in text])
            iova = FREE
            tables.put(iova, 2, tables.pointer(plant))
            for number, (gpa, _) in enumerate(text):
                tables.aim(iova + number * PAGE, gpa)
        else:
            bases = kernel_bases(scene)
            tables.fill(plant, [tables.leaf(base, 2) for base in bases])
            iova = 2 * GIB
            tables.put(iova, 3, tables.pointer(plant))
            for gpa, _ in text:
                tables.aim(iova + bases.index(gpa & -2 * MIB) * 2 * MIB + gpa % (2 * MIB), gpa)
        tables.fire()
    return edit


def loop_top(scene: Scene) -> None:
    """The top table is a table of each level below itself: most of it leads nowhere."""
    tables = Tables(scene)
    level = tables.levels
    slot = next(i for i in range(1, ENTRIES) if not tables.word(tables.top + 8 * i))
    iova = slot * size_of(level)
    tables.put(iova, level, tables.pointer(tables.top))
    # Each index on the way is one of an entry that is not there.
    free = next(i for i in range(slot + 1, ENTRIES) if not tables.word(tables.top + 8 * i))
    tables.aim(iova + free * PAGE)
    tables.aim(iova + free * size_of(2))
    tables.fire()


def loop_all(scene: Scene) -> None:
    """A table whose entries all lead to itself, on each level: as a page it is old RAM."""
    tables = Tables(scene)
    table = tables.page()
    tables.fill(table, [tables.pointer(table)] * ENTRIES)
    text = kernel_text(scene)
    tables.put(2 * GIB, 3, tables.pointer(table))
    tables.aim(2 * GIB, table, True)
    for number, (gpa, _) in enumerate(text[:50]):
        tables.put(FREE + number * PAGE, 1, tables.leaf(gpa))
        tables.aim(FREE + number * PAGE, gpa)
    tables.fire()


def bomb(scene: Scene) -> None:
    """All entries of a table lead to the same table, on each level: 512 ways at each step."""
    tables = Tables(scene)
    text = [gpa for gpa, _ in kernel_text(scene)]
    words = [tables.leaf(text[i % len(text)]) for i in range(ENTRIES)]
    table = tables.page(words)
    for _ in range(2, tables.levels):
        table = tables.page([tables.pointer(table)] * ENTRIES)
    level = tables.levels
    iova = 2 * GIB if level == 3 else size_of(level)
    tables.put(iova, level, tables.pointer(table))
    for number in range(100):
        # Another way for each of them.
        way = sum((7 * number + step) % ENTRIES * size_of(step) for step in range(2, level))
        tables.aim(iova + way + number * PAGE, text[number])
    tables.fire()


def many_tables(count: int) -> Edit:
    """So many tables, each of which has to be repaired: a good page is left in each."""
    def edit(scene: Scene) -> None:
        tables = Tables(scene)
        text = [gpa for gpa, _ in kernel_text(scene)]
        good = tables.page()
        for first in range(0, count, ENTRIES):
            below = [tables.page([tables.leaf(text[(first + i) % len(text)]), tables.leaf(good)])
                     for i in range(min(ENTRIES, count - first))]
            iova = (1 if not first else 4 + first // ENTRIES) * GIB
            tables.put(iova, 3, tables.pointer(tables.page(list(map(tables.pointer, below)))))
            for number in range(0, len(below), 16):
                tables.aim(iova + number * size_of(2), text[(first + number) % len(text)])
        tables.fire()
    return edit


def two_levels(scene: Scene) -> None:
    """One page is a table of two levels: its words are pages here, and pointers there."""
    tables = Tables(scene)
    text = [gpa for gpa, _ in kernel_text(scene)]
    below = tables.page([tables.leaf(gpa) for gpa in text])
    both = tables.page([tables.leaf(text[0]), tables.pointer(below)])
    tables.put(FREE, 2, tables.pointer(both))
    tables.put(2 * GIB, 3, tables.pointer(both))
    tables.aim(FREE, text[0])
    tables.aim(2 * GIB)  # the first word is a pointer here, into the kdump kernel's text
    for number, gpa in enumerate(text[:50]):
        tables.aim(2 * GIB + size_of(2) + number * PAGE, gpa)
    tables.fire()


def shared(scene: Scene) -> None:
    """All devices with page tables of their own share one that leads into the kdump kernel."""
    tables = Tables(scene)
    text = kernel_text(scene)
    leaf = tables.page([tables.leaf(gpa) for gpa, _ in text])
    table = tables.page([tables.pointer(leaf)])
    for function in scene.functions:
        if function.device:
            Tables(scene, function.sid).put(2 * GIB, 3, tables.pointer(table))
    for number, (gpa, _) in enumerate(text):
        tables.aim(2 * GIB + number * PAGE, gpa)
    tables.fire()


def many_devices(scene: Scene) -> None:
    """Requesters that there are not have the victim's entry as well."""
    leaves(kernel_text)(scene)
    for slot in range(4, 0x1F):
        for function in range(8):
            entry = scene.view.entry("context", f"00:{slot:02x}.{function}")
            if not entry.fields["p"]:
                scene.put(entry._replace(words=scene.entry("context").words))


# ---- PASIDs --------------------------------------------------------------------------------------


def directory_entry(scene: Scene, word: Callable[[int], int]) -> None:
    """Change the entry of the directory that the victim's requests without PASID go by."""
    context = scene.entry("context")
    at = context.pointer + 8 * (context.fields["rid_pasid"] >> 6)
    old, = struct.unpack("<Q", scene.guest.peek(at, 8))
    scene.guest.poke(at, struct.pack("<Q", word(int(old))))


def pasids_at(place: str) -> Edit:
    """The PASID table lies where none can; in the kdump kernel's memory it is well made."""
    def edit(scene: Scene) -> None:
        to = PLACES[place](scene)
        if place == "crash":
            table = scene.entry("pasid").at & -PAGE
            scene.guest.poke(to, scene.guest.peek(table, PAGE))
        directory_entry(scene, lambda old: (old & ~ADDRESS) | (to & ADDRESS))
    return edit


def pasids_are_directory(scene: Scene) -> None:
    """The PASID directory is its own PASID table."""
    directory = scene.entry("context").pointer
    directory_entry(scene, lambda old: (old & ~ADDRESS) | directory)


def top_at(place: str) -> Edit:
    """The PASID entry's page tables lie where none can; in the kdump kernel's memory they work."""
    def edit(scene: Scene) -> None:
        to = PLACES[place](scene)
        if place == "crash":
            leaves(kernel_text)(scene)
            scene.guest.poke(to, scene.guest.peek(Tables(scene).top, PAGE))
            scene.aims.clear()  # nothing of the device's is left
        scene.put(scene.entry("pasid", pointer=to & ADDRESS))
    return edit


def pasid_field(name: str, value: int) -> Edit:
    """One field of the victim's PASID entry."""
    def edit(scene: Scene) -> None:
        scene.put(scene.entry("pasid", (), **{name: value}))
    return edit


def long_directory(scene: Scene) -> None:
    """The directory lies at the end of RAM, and is said to be as long as one can be."""
    entry = scene.entry("context")
    scene.guest.poke(scene.spare.last + 1 - PAGE, scene.guest.peek(entry.pointer, PAGE))
    scene.put(scene.entry("context", pointer=scene.spare.last + 1 - PAGE, pdts=7))


def short_directory(scene: Scene) -> None:
    """The directory is a page that ends with RAM, and right."""
    entry = scene.entry("context")
    scene.guest.poke(scene.spare.last + 1 - PAGE, scene.guest.peek(entry.pointer, PAGE))
    leaves(kernel_text)(scene)
    scene.put(scene.entry("context", pointer=scene.spare.last + 1 - PAGE, pdts=0))


# ---- addresses that mean themselves --------------------------------------------------------------


def descriptors(spots: Spots) -> Edit:
    """The victim passes through: its descriptors hold physical addresses."""
    def edit(scene: Scene) -> None:
        sid = scene.sid
        found = spots(scene)
        scene.aims += [Aim(sid, gpa, gpa, kept) for gpa, kept in found]
        Card(scene.guest, scene.view, sid).aim([gpa for gpa, _ in found])
    return edit


EDITS: dict[str, Edit] = {
    "leaf-kernel": leaves(kernel_text),
    "leaf-edges": leaves(edges),
    "leaf-everywhere": leaves(everywhere),
    "leaf-header": leaves(header),
    "leaf-write-only": leaves(kernel_text, WRITE_ONLY),
    "leaf-supervisor": leaves(kernel_text, FIRST_STAGE & ~0x4),
    "leaf-straddling": straddling_buffer,
    "leaf-2m": large(2, kernel_bases, kernel_text),
    "leaf-2m-low": large(2, lambda scene: [0], low),
    "leaf-2m-flawed": large(2, kernel_bases, kernel_text, 0x40 << PAGE_BITS),
    "leaf-1g": large(3, lambda scene: [0], whole),
    "leaf-1g-flawed": large(3, lambda scene: [0], whole, 1 << 29),
    **{f"pointer-{place}": wild(place) for place in PLACES},
    "pointer-planted-1": planted(2),
    "pointer-planted-2": planted(3),
    "loop-top": loop_top,
    "loop-all": loop_all,
    "bomb": bomb,
    "bomb-tables": many_tables(900),
    "bomb-budget": many_tables(4000),
    "shared-levels": two_levels,
    "shared-devices": shared,
    "many-devices": many_devices,
    **{f"pasids-{place}": pasids_at(place) for place in ("crash", "mmio", "beyond-ram")},
    "pasids-directory": pasids_are_directory,
    **{f"pasid-top-{place}": top_at(place) for place in ("crash", "mmio", "zero")},
    "pasid-type": pasid_field("pgtt", 5),
    "pasid-width": pasid_field("aw", 6),
    "pasid-directory-long": long_directory,
    "pasid-directory-short": short_directory,
    "descriptor-kernel": descriptors(kernel_text),
    "descriptor-edges": descriptors(edges),
    "descriptor-everywhere": descriptors(everywhere),
    "descriptor-header": descriptors(header),
}
