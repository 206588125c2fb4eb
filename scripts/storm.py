#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A fault storm: QEMU's tulip network card reads a descriptor that nobody mapped, without end.

The kernels here have no driver for it, so nobody ever stops it. Each write to its poll register,
which the host makes through qtest, has it read a descriptor at once, in several accesses. From the
kdump kernel's first line to the saved dump it gets as many as the socket carries. What must become
of it is judged in verdict.py.
"""

from __future__ import annotations

import threading

from common import Failure
from guest import Guest, NoResult
from qtest import Qtest
from stray import BAR0, COMMAND, COMMAND_MASTER, COMMAND_MEMORY, ECAM

NAME = "tulip"  # of the device in a row
BAR1 = BAR0 + 4  # the registers in memory; those in BAR 0 are ports
POLL, DESCRIPTORS, MODE = 1 << 3, 4 << 3, 6 << 3
TRANSMIT = 1 << 13
NOWHERE = 0x70000000  # an IOVA that the crashed kernel gives to nobody
# The kdump kernel moves what it finds on the bus: look now and then where the registers are.
LOOK_EVERY = 256


class Storm:
    """The device, and how often it was told to read."""

    def __init__(self, guest: Guest, sid: int) -> None:
        self.guest = guest
        self.qtest: Qtest = guest.qtest
        self.config = ECAM + (sid << 12)
        self.polls = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._rage, daemon=True)

    def enable(self) -> None:
        """What a driver would do first."""
        self.qtest.write(self.config + COMMAND, COMMAND_MEMORY | COMMAND_MASTER, "w")
        base = self._base()
        self.qtest.write(base + DESCRIPTORS, NOWHERE, "l")
        self.qtest.write(base + MODE, TRANSMIT, "l")

    def begin(self) -> None:
        """The guest runs from here on."""
        self.thread.start()

    def stop(self) -> None:
        """No more of it."""
        self.over.set()
        if self.thread.ident is not None:
            self.thread.join()

    def _base(self) -> int:
        return self.qtest.read(self.config + BAR1) & ~0xF

    def _rage(self) -> None:
        try:
            while not self.over.is_set():
                base = self._base()
                for _ in range(LOOK_EVERY):
                    self.qtest.write(base + POLL, 1, "l")
                    self.polls += 1
                    if self.over.is_set():
                        break
        except (Failure, NoResult):
            pass  # QEMU is gone, or about to be: the other thread finds out why
