#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""An e1000e's receive ring, as it lies in a stopped guest: where the next packets are to go.

A descriptor says where, in addresses as the device sees them, and the card reads it when a packet
comes: what the host writes into one counts at once, whatever the IOMMU has cached.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from common import die
from guest import Guest
from inspector import View
from stray import BAR0, ECAM

# Registers of queue 0 (82574 datasheet, 10.2.5): address, length in bytes, head, tail.
RDBAL, RDBAH, RDLEN, RDH, RDT = 0x2800, 0x2804, 0x2808, 0x2810, 0x2818
DESCRIPTOR = 16


class Card:
    """One card; the guest must be stopped."""

    def __init__(self, guest: Guest, view: View, sid: int) -> None:
        self.guest = guest
        base = guest.qtest.read(ECAM + (sid << 12) + BAR0) & ~0xF

        def register(offset: int) -> int:
            return guest.qtest.read(base + offset)

        self.iova = register(RDBAH) << 32 | register(RDBAL)
        self.count = register(RDLEN) // DESCRIPTOR
        self.head, self.tail = register(RDH), register(RDT)
        if not self.count or self.count * DESCRIPTOR > 4096:
            die(f"a receive ring of {self.count} descriptors")
        self.ring = view.reaches(sid, self.iova)

    def free(self) -> list[int]:
        """The descriptors that the next packets take, in this order."""
        return [(self.head + i) % self.count for i in range((self.tail - self.head) % self.count)]

    def aim(self, addresses: Sequence[int]) -> None:
        """The next packets go to these addresses, in turns."""
        for turn, index in enumerate(self.free()):
            self.guest.poke(self.ring + index * DESCRIPTOR,
                            struct.pack("<QQ", addresses[turn % len(addresses)], 0))
