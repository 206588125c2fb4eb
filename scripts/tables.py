#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The remapping tables of a stopped guest: where they lie, and reading and writing their words.

The registers are read through the monitor, the tables in the guest's RAM file. Only what the
hostile rows touch is known here: root tables, context tables, the interrupt-remapping table. No
table is judged; what a row does to one is in hostile.py. Chapters are those of the VT-d
specification, revision 4.1.
"""

from __future__ import annotations

import struct

from guest import Guest

# QEMU's one unit: its registers (11.4).
REGISTERS = 0xFED90000
RTADDR = REGISTERS + 0x20
IRTA = REGISTERS + 0xB8

PAGE = 4096
ADDRESS = (1 << 64) - PAGE  # bits 63:12 of a root or context word, and of RTADDR and IRTA

# 11.4.5: the mode field of RTADDR.
TTM_SHIFT = 10
TTM_SCALABLE, TTM_EXTENDED, TTM_ABORT = 1, 2, 3

# 9.1, 9.2: two words; scalable mode uses the second one for devices 16 to 31.
ROOT_ENTRY = 16
ROOT_PRESENT = 1 << 0

# 9.3, 9.4: the first word begins alike in both modes.
CONTEXT_PRESENT = 1 << 0
CONTEXT_FPD = 1 << 1  # faults are not recorded
LEGACY_ENTRY, SCALABLE_ENTRY = 16, 32
# 9.3: legacy mode
TT_SHIFT = 2  # first word
TT_RESERVED = 3
AW_MASK = 7  # second word
AW_RESERVED = 7
AW_39BIT = 1
DID_SHIFT = 8

# 9.10: interrupt entry, two words
IRTE = 16
IRTE_PRESENT = 1 << 0
DELIVERY_SHIFT = 5
DELIVERY = {"smi": 2, "nmi": 4, "init": 5}
VECTOR_SHIFT = 16


class Tables:
    """The tables of a guest as its registers name them now."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.rtaddr = self._register64(RTADDR)
        self.irta = self._register64(IRTA)
        self.root = self.rtaddr & ADDRESS
        self.scalable = self.rtaddr >> TTM_SHIFT & 3 == TTM_SCALABLE

    def _register64(self, address: int) -> int:
        return self.guest.register(address) | self.guest.register(address + 4) << 32

    def word(self, address: int) -> int:
        """Read 8 bytes of the guest's memory."""
        return int(struct.unpack("<Q", self.guest.peek(address, 8))[0])

    def put(self, address: int, *words: int) -> None:
        """Write words one after the other."""
        self.guest.poke(address, struct.pack(f"<{len(words)}Q", *words))

    def root_word(self, sid: int) -> int:
        """Where the pointer to a requester's context table lies."""
        high = self.scalable and sid & 0x80
        return self.root + (sid >> 8) * ROOT_ENTRY + (8 if high else 0)

    def context_entry(self, sid: int) -> int | None:
        """Where a requester's context entry lies; None if its bus has no context table."""
        word = self.word(self.root_word(sid))
        if not word & ROOT_PRESENT:
            return None
        size = SCALABLE_ENTRY if self.scalable else LEGACY_ENTRY
        return (word & ADDRESS) + (sid & 0xFF) * size % PAGE

    def interrupts(self) -> tuple[int, int]:
        """The interrupt table: its address, how many entries it has (11.4.9.6, field S)."""
        return self.irta & ADDRESS, 2 << (self.irta & 0xF)
