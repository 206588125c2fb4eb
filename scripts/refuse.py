#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make a function of the kdump kernel answer -ENOMEM, at its first call.

Linux's fault injection fails one allocation in so many, and at boot only those that must not sleep:
nothing there aims at one function. QEMU's gdb server does: it stops the guest where the function
begins, gdb writes the answer into the register of the caller, and returns in the function's place.
"""

from __future__ import annotations

import errno
import re
import subprocess
import time
from pathlib import Path

from common import Failure, die
from guest import Guest

PATIENCE = 30  # seconds until gdb has the guest go on
FAREWELL = 5  # seconds from its answer until it has ended: the guest may have panicked by then


def address_of(image: Path, function: str) -> int:
    """Where a function lies in the kernel whose bzImage this is; KASLR is off in it."""
    symbols = image.parents[3] / "System.map"
    try:
        found = re.search(rf"^([0-9a-f]+) [tT] {function}$", symbols.read_text(), re.M)
    except OSError as error:
        raise Failure(f"{symbols}: {error.strerror}: where the kernel's functions lie") from error
    return int(found[1], 16) if found else die(f"{symbols}: no function {function}")


def script(server: Path, address: int) -> list[str]:
    """What gdb does: the answer is in rax, and a caller's address on the stack (x86-64's ABI)."""
    return ["set architecture i386:x86-64", f"target remote {server}", f"hbreak *{address:#x}",
            "continue", f"set $rax = {-errno.ENOMEM}",
            "set $rip = *(unsigned long *)$rsp", "set $rsp = $rsp + 8", "detach"]


class Refusal:
    """One function that will refuse once. The guest, which must be stopped, goes on."""

    def __init__(self, guest: Guest, image: Path, function: str) -> None:
        server = guest.private / "gdb"
        self.log = guest.folder / "gdb.log"
        commands = script(server, address_of(image, function))
        guest.monitor(f"gdbserver unix:{server},server=on,wait=off")
        began = guest.qmp.events.count("RESUME")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["gdb", "-nx", "-batch", *(word for each in commands for word in ("-ex", each))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + PATIENCE
        # Who lets the guest go on before gdb does would be told that it has to stop.
        while guest.qmp.events.count("RESUME") == began:
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                die(f"gdb does not start: {self.log.read_text()[-500:]}")
            time.sleep(0.02)

    def happened(self) -> bool:
        """Was the function called? gdb lets go of the guest when it has answered."""
        try:
            status = self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            return False
        return status == 0 and "hit Breakpoint 1" in self.log.read_text()

    def close(self) -> None:
        """End gdb, whether the function was called or not."""
        self.process.kill()
        self.process.wait()
