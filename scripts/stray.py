#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""DMA on demand: QEMU's edu device reads an address of our choice at a moment of our choice.

It has no driver, so no kernel ever stops it. The host drives its registers through qtest, and
notes which stretch of the trace log belongs to an access. What had to become of it is the row's
("stray"), whether it did is judged in verdict.py.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from common import Failure
from guest import Guest, NoResult
from qtest import Qtest

NAME = "edu"  # of the device in a row

# Configuration space of q35, memory-mapped.
ECAM = 0xB0000000
COMMAND, BAR0 = 0x04, 0x10
COMMAND_MEMORY, COMMAND_MASTER = 1 << 1, 1 << 2

# edu's registers, and the buffer in it that DMA goes to.
SOURCE, DESTINATION, COUNT, START = 0x80, 0x88, 0x90, 0x98
RUN = 1 << 0
BUFFER = 0x40000
LENGTH = 8

LIMIT = 5.0  # seconds for an access; the device takes 0.1 of the guest's


@dataclass(frozen=True)
class Access:
    """One access: when and at what, as the row calls it, and its stretch of the trace log."""

    when: str
    what: str
    address: int
    master: bool  # was the device allowed to do DMA?
    begin: int
    end: int
    done: bool  # the device said that it had ended


class Edu:
    """The device, and what it was made to do."""

    def __init__(self, guest: Guest, sid: int, orders: dict[str, dict[str, int]]) -> None:
        self.guest = guest
        self.qtest: Qtest = guest.qtest
        self.config = ECAM + (sid << 12)
        self.orders = orders  # {when: {what: address}}
        self.accesses: list[Access] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def enable(self) -> None:
        """What a driver would do first."""
        self.qtest.write(self.config + COMMAND, COMMAND_MEMORY | COMMAND_MASTER, "w")

    def watch(self) -> None:
        """From now on, look for the new root table, and do then what was ordered for it."""
        self.thread.start()

    def _watch(self) -> None:
        try:
            with self.guest.trace.open("rb") as trace:
                trace.seek(self.guest.trace.stat().st_size)
                while not self.over.wait(0.005):
                    if b"vtd_reg_dmar_root" in trace.read():
                        self.do("root")
                        return
        except NoResult:
            pass  # the other thread finds out as well

    def stop(self) -> None:
        """Let the guest go."""
        self.over.set()
        if self.thread.ident is not None:
            self.thread.join()

    def do(self, when: str) -> None:
        """All accesses that were ordered for a moment; the guest runs."""
        try:
            for what, address in self.orders.get(when, {}).items():
                self._read(when, what, address)
        except Failure:
            self.guest.check()  # if QEMU is gone, that is why; if not, the missing access tells

    def _read(self, when: str, what: str, address: int) -> None:
        master = bool(self.qtest.read(self.config + COMMAND, "w") & COMMAND_MASTER)
        base = self.qtest.read(self.config + BAR0) & ~0xF
        begin = self.guest.trace.stat().st_size
        for register, value in ((SOURCE, address), (DESTINATION, BUFFER), (COUNT, LENGTH),
                                (START, RUN)):
            self.qtest.write(base + register, value)
        end = time.monotonic() + LIMIT
        running = True
        while running and time.monotonic() < end and not self.over.is_set():
            time.sleep(0.01)
            running = bool(self.qtest.read(base + START, "q") & RUN)
        self.accesses.append(Access(when, what, address, master, begin,
                                    self.guest.trace.stat().st_size, not running))
