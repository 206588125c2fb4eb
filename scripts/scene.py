#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What an edit of a stopped guest works on: its tables, its memory, and where things lie in it.

The edits themselves are in hostile.py (entries, registers, interrupts) and pages.py (page tables,
receive descriptors).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import inspector
from acpi import RMRR
from common import die
from evidence import PAGE, Aim, Function, Span
from guest import REGISTERS, Guest
from inspector import Entry, View

WORD = (1 << 64) - 1
# The boot protocol of x86 (Documentation/arch/x86/boot.rst): where in a bzImage it says how many
# sectors come before the kernel proper, and to what that is aligned.
SETUP_SECTS, KERNEL_ALIGNMENT = 0x1F1, 0x230
SECTOR = 512
# An ELF header of 64 bits, little endian, of a core.
CORE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x04\x00"


@dataclass
class Scene:
    """What an edit works on."""

    guest: Guest
    view: View
    sid: int  # the victim's requester id; -1 if the row names none
    old: Sequence[Span]
    crash: Sequence[Span]
    functions: Sequence[Function] = ()
    spare: Span = Span(1, 0)  # old RAM that nobody needs any more
    image: Path = Path()  # the bzImage of the kdump kernel
    aims: list[Aim] = field(default_factory=list)  # what the edit leads a device to

    def entry(self, what: str, words: Sequence[int] = (), half: int = 0, **fields: int) -> Entry:
        """The victim's entry of a kind, perhaps with other words and fields."""
        return self.view.entry(what, inspector.name(self.sid ^ half), words, **fields)

    def put(self, entry: Entry) -> None:
        """Write an entry where it lies."""
        self.guest.poke(entry.at, struct.pack(f"<{len(entry.words)}Q", *entry.words))

    def command(self, entry: Entry) -> None:
        """Write a register, which is no command to use it."""
        self.guest.qtest.write(REGISTERS + entry.at, entry.words[0])

    def last_page(self) -> int:
        """The last page of the crashed kernel's RAM."""
        return self.old[-1].last + 1 - PAGE

    def kernel(self) -> int:
        """Where the kdump kernel, once it is unpacked, has its first byte of text."""
        image = self.image.read_bytes()
        begin = ((image[SETUP_SECTS] or 4) + 1) * SECTOR
        align, = struct.unpack_from("<I", image, KERNEL_ALIGNMENT)
        return -(-self._loaded(image[begin:begin + PAGE]) // int(align)) * int(align)

    def elfcorehdr(self) -> int:
        """Where the header lies that describes the old RAM to the kdump kernel."""
        return self._loaded(CORE)

    def _loaded(self, what: bytes) -> int:
        """Where something lies in the memory that was set aside for the kdump kernel."""
        crash = self.crash[0]
        first = self.guest.offset(crash.first)
        with self.guest.ram.open("rb") as ram, \
                mmap.mmap(ram.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            at = memory.find(what, first, first + crash.last + 1 - crash.first)
        return at - first + crash.first if at >= 0 else die("no kdump kernel is loaded")


Edit = Callable[[Scene], None]

# Where no table can lie.
PLACES: dict[str, Callable[[Scene], int]] = {
    "mmio": lambda scene: REGISTERS,
    "msi": lambda scene: 0xFEE00000,
    "beyond-ram": lambda scene: 1 << 36,
    "beyond-width": lambda scene: 1 << 45,  # the unit has 39 bits, the processor 40
    "crash": lambda scene: scene.crash[0].first + (16 << 20),
    "firmware": lambda scene: RMRR[0],
    "zero": lambda scene: 0,
    "ones": lambda scene: WORD - (PAGE - 1),
}
