#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a guest's remapping tables say: asked of vtd-inspect, which this builds.

No table is decoded here. A view is a guest's RAM file and what the registers of its unit held at
one moment; the questions are tools/iommu/vtd-inspect's commands. What a row does to an entry is in
hostile.py, whether a change is right in verdict.py.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import OUT, TOP, Failure, die, main, need, run, step
from guest import Guest, ram_pieces

SOURCE = TOP / "tools/iommu/vtd-inspect"
MODEL = TOP / "tools/testing/vtd-takeover/model"
BUILD = OUT / "vtd-inspect"
PROGRAM = BUILD / "vtd-inspect"
# It says with this status that it found something; that is an answer.
FOUND = 2


def sources() -> list[Path]:
    """What its answers depend on."""
    of_model = [MODEL / f"{name}.{ending}" for name in ("faults", "paging", "translation")
                for ending in ("cpp", "h")]
    of_model += [MODEL / name for name in ("capabilities.h", "format.h", "registers.h", "types.h")]
    return sorted(p for p in SOURCE.iterdir() if p.suffix in {".cpp", ".h"}
                  and p.name != "inspect_test.cpp") + of_model


def needed() -> None:
    """Install what the build needs."""
    need("cmake", "ninja", "g++", "libfmt-dev", "libcli11-dev", "nlohmann-json3-dev")


def build() -> Path:
    """Build it, if that was not done; several processes may ask at once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if PROGRAM.exists() and PROGRAM.stat().st_mtime >= max(
                p.stat().st_mtime for p in [*sources(), SOURCE / "CMakeLists.txt"]):
            return PROGRAM
        needed()
        with step("building vtd-inspect"):
            run(["cmake", "-S", SOURCE, "-B", BUILD, "-G", "Ninja"])
            done = run(["cmake", "--build", BUILD], check=False)
            if done.returncode:
                errors = [s for s in done.stdout.splitlines() if "error" in s]
                raise Failure("\n".join(errors) or done.stdout[-2000:])
            os.utime(PROGRAM)  # also where ninja found nothing to do
    return PROGRAM


class Entry(NamedTuple):
    """A structure: where it lies (or which register it is), and what it says or should say."""

    at: int
    words: list[int]
    fields: dict[str, Any]
    pointer: int  # to the next table


class Mapping(NamedTuple):
    """Addresses of a device from first to last, and where the first of them leads."""

    first: int
    last: int
    address: int


class TableChange(NamedTuple):
    """A word of a table that differs between two moments."""

    what: str  # which table, of whom
    at: int
    before: int
    after: int
    by_hardware: bool  # only bits that the unit sets by itself


class Diff(NamedTuple):
    """What differs between two moments."""

    pages: list[int]
    tables: list[TableChange]
    looked_at: int  # pages of tables


def name(sid: int) -> str:
    """A requester id as vtd-inspect reads it."""
    return f"{sid >> 8:02x}:{sid >> 3 & 31:02x}.{sid & 7}"


class View:
    """A RAM file and the registers of its unit; nobody writes to it while a question is asked."""

    def __init__(self, ram: Path, memory: int, registers: Path) -> None:
        self.ram = ram
        self.memory = memory
        self.registers = registers

    @staticmethod
    def of(guest: Guest) -> View:
        """A view of a guest that is stopped. Its registers are kept as they are now."""
        registers = guest.private / "registers"
        registers.write_bytes(guest.registers())
        return View(guest.ram, guest.config.memory, registers)

    def at(self, ram: Path) -> View:
        """The same of another RAM file."""
        return View(ram, self.memory, self.registers)

    def ask(self, *words: str | Path) -> Any:
        """Ask one thing; return what is said."""
        command = [build(), "-o", "json", "--unit", f"registers={self.registers}"]
        for piece in ram_pieces(self.memory):
            command += ["--ram", f"{self.ram}:{piece.address:#x}:{piece.size:#x}:{piece.offset:#x}"]
        done = subprocess.run([*map(str, command), *map(str, words)], capture_output=True,
                              text=True, check=False)
        if done.returncode not in (0, FOUND):
            die(done.stderr.strip() or f"vtd-inspect: status {done.returncode}")
        return json.loads(done.stdout)

    def unit(self) -> dict[str, Any]:
        """The unit: its mode, its root table, its interrupt table."""
        return dict(self.ask("units")["units"][0])

    def entry(self, what: str, which: str = "", words: Sequence[int] = (), **fields: int
              ) -> Entry:
        """One structure, or what it would be with other words and fields."""
        asked = ["entry", what, *([which] if which else [])]
        if words:
            asked += ["--words", ",".join(map(hex, words))]
        for field, value in fields.items():
            asked += ["--set", f"{field}={value:#x}"]
        found = self.ask(*asked)
        return Entry(int(found.get("at") or found["register"], 16),
                     [int(word, 16) for word in found["words"]], found["fields"],
                     int(found.get("pointer", "0"), 16))

    def reaches(self, sid: int, iova: int) -> int:
        """Where an address of a device leads; that it leads somewhere is taken for granted."""
        there = self.leads(sid, iova)
        return there if isinstance(there, int) else die(f"{name(sid)}: {iova:#x}: {there}")

    def leads(self, sid: int, iova: int) -> int | str:
        """Where an address of a device leads, or why it leads nowhere."""
        found = self.ask("translate", name(sid), hex(iova))
        return int(found["address"], 16) if "address" in found else str(found["fault"]["text"])

    def mappings(self, sid: int) -> list[Mapping] | None:
        """All that a device may reach, in order; None if that is too much to tell."""
        found = self.ask("map", name(sid))
        if not found["complete"]:
            return None
        return [Mapping(int(m["iova"], 16), int(m["last"], 16), int(m["address"], 16))
                for m in found["ranges"]]

    def interrupts(self) -> dict[str, Any]:
        """The interrupt table, and its entries that are present."""
        return dict(self.ask("interrupts"))

    def diff(self, later: Path, where: Sequence[tuple[int, int]]) -> Diff:
        """What differs in another RAM file, within these spans; which of it is in tables."""
        if not where:
            return Diff([], [], 0)
        spans = [s for first, last in where for s in ("--range", f"{first:#x}-{last:#x}")]
        # The file is given once, however many pieces of it there are.
        found = self.ask("diff", later, *spans)
        return Diff([int(page, 16) for page in found["pages"]],
                    [TableChange(t["what"], int(t["at"], 16), int(t["before"], 16),
                                 int(t["after"], 16), t["by_hardware"])
                     for t in found["tables"]], found["tables_looked_at"])


def command() -> int:
    """Entry point of `make inspect`."""
    print(build())
    return 0


if __name__ == "__main__":
    main(command)
