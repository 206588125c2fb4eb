# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for a line of a guest that says it, says nothing, or never stops saying other things."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import cast

import pytest

from guest import Guest, QemuDied, Serial


class Talker(Guest):
    """A guest that is a serial line alone, on which a thread prints without end."""

    def __init__(self, lines: list[str], endless: str = "") -> None:
        news = threading.Condition()
        self.serial = cast(Serial, SimpleNamespace(lines=[(0.0, line) for line in lines],
                                                   news=news))
        self.qmp = SimpleNamespace(events=[])  # type: ignore[assignment]
        self.endless = endless
        self.dead = False
        if endless:
            threading.Thread(target=self.flood, daemon=True).start()

    def flood(self) -> None:
        while self.endless:
            with self.serial.news:
                self.serial.lines.append((0.0, self.endless))
                self.serial.news.notify_all()
            time.sleep(0.0001)

    def check(self) -> None:
        if self.dead:
            raise QemuDied("QEMU ended with status -6")


def test_the_first_line_that_matches() -> None:
    found = Talker(["a", "kdump: READY", "kdump: READY"]).wait_line([r"READY"], 0, 5)
    assert found and found[0] == 1


@pytest.mark.parametrize("endless", ["", "traps: PANIC: double fault, error_code: 0x0"])
def test_time_is_up_however_much_the_guest_prints(endless: str) -> None:
    guest = Talker(["Linux version"], endless)
    found: list[object] = []
    waits = threading.Thread(
        target=lambda: found.append(guest.wait_line([r"kdump: DUMP"], 0, 0.5)), daemon=True)
    waits.start()
    waits.join(20)
    late = waits.is_alive()
    guest.endless = ""
    assert not late and found == [None]


def test_what_is_there_is_looked_at_when_time_is_up_already() -> None:
    found = Talker(["kdump: DUMP SAVED"]).wait_line([r"DUMP SAVED"], 0, -1)
    assert found and found[0] == 0


def test_a_dead_emulator_is_no_guest_that_is_late() -> None:
    guest = Talker([])
    guest.dead = True
    with pytest.raises(QemuDied):
        guest.wait_line([r"kdump: DUMP"], 0, -1)
