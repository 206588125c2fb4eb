# SPDX-License-Identifier: GPL-2.0-only
"""A card is pulled out by switching off the power of the port above it, and of no other."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import pull
from common import Failure
from guest import Frames, Guest, free_ports

PORTS = {8: 1, 0x10: 2}  # function: the bus behind it


class Space:
    """Configuration space of bus 0, and a guest whose slots lose their card with the power."""

    def __init__(self, stubborn: bool = False) -> None:
        self.qtest = self
        self.stubborn = stubborn
        self.written: list[tuple[int, int, str]] = []
        self.frames = SimpleNamespace(tells=True)

    def read(self, address: int, letter: str = "l") -> int:
        function, at = divmod(address - pull.ECAM, 1 << 12)
        if function not in PORTS:
            return {"b": 0xFF, "w": 0xFFFF}[letter] if function else 0
        # A capability of another kind, then the one of PCI Express.
        return {0x0E: 0x81, 0x19: PORTS[function], 0x06: 0x10, 0x34: 0x40, 0x40: 0x01, 0x41: 0x54,
                0x54: 0x10, 0x55: 0}[at]

    def write(self, address: int, value: int, letter: str) -> None:
        self.written.append((address - pull.ECAM, value, letter))

    def monitor(self, _: str) -> str:
        there = not self.written or self.stubborn
        return 'dev: e1000e, id "pulled"' if there else 'dev: pcie-root-port, id "rp7"'


def test_the_slot_loses_its_power() -> None:
    space = Space()
    pull.pull(cast(Guest, space), 2)
    assert space.written == [((0x10 << 12) + 0x54 + 0x18, 0x7C0, "w")]
    assert not space.frames.tells


def test_frames_hurry_when_no_card_is_left_that_tells_of_them(tmp_path: Path) -> None:
    trace = tmp_path / "trace.log"
    trace.write_text("")
    [port] = free_ports(1)
    frames = Frames([(port, port)], trace)
    frames.start()
    try:
        # The card took one frame before there was a new root table, and none since.
        trace.write_bytes(Frames.TAKEN + b"\nvtd_reg_dmar_root\n")
        frames.running.set()
        while frames.sent < 4:
            time.sleep(0.01)
        assert frames.tells
        began = time.monotonic()
        frames.tells = False
        while frames.sent < 54:
            time.sleep(0.01)
        assert time.monotonic() - began < 25 * Frames.SLOW
    finally:
        frames.over = True


def test_what_stays_is_an_error() -> None:
    with pytest.raises(Failure, match="keeps the device on bus 0x1"):
        pull.pull(cast(Guest, Space(stubborn=True)), 1)


def test_no_such_port() -> None:
    with pytest.raises(Failure, match="no port leads to bus 0x3"):
        pull.pull(cast(Guest, Space()), 3)
