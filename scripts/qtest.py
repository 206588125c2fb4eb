#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's qtest socket, beside a guest that runs: accesses to physical addresses from outside.

The monitor can read device registers but not write them; this can do both. What is written, and
what for, is the caller's.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from common import die


class Qtest:
    """One connection; commands of several threads take turns."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")
        self.lock = threading.Lock()

    def command(self, line: str) -> str:
        """Send a command; return what stands behind OK."""
        with self.lock:
            try:
                self.socket.sendall(line.encode() + b"\n")
                # Reports of interrupts, which nobody asked for, may come in between.
                while (reply := self.lines.readline()).startswith(b"IRQ"):
                    pass
            except OSError as error:
                die(f"qtest {line}: {error}")
        word, _, rest = reply.decode().strip().partition(" ")
        return rest if word == "OK" else die(f"qtest {line}: {reply!r}")

    def read(self, address: int, letter: str = "l") -> int:
        """Read; the letter is the width: w 2 bytes, l 4, q 8."""
        return int(self.command(f"read{letter} {address:#x}"), 0)

    def write(self, address: int, value: int, letter: str = "q") -> None:
        """Write."""
        self.command(f"write{letter} {address:#x} {value:#x}")
