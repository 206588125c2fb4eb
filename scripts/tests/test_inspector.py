# SPDX-License-Identifier: GPL-2.0-only
"""Asking vtd-inspect: what it is given, what becomes of its answers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import course
import inspector
from common import Failure
from inspector import View

GIB = 1 << 30


def view(folder: Path, memory: int, words: dict[int, int], name: str = "ram") -> View:
    """RAM with these words, by offset in its file; scalable mode, its root table at 4 KiB."""
    with (folder / name).open("wb") as ram:
        ram.truncate(memory)
        for at, word in words.items():
            ram.seek(at)
            ram.write(struct.pack("<Q", word))
    registers = bytearray(0x100)
    # With second-stage tables that have accessed bits (SSADS), and no interrupts.
    struct.pack_into("<QQ", registers, 0x08, 0x8C012F0686, 0x6800000000C2)
    struct.pack_into("<Q", registers, 0x20, 0x1400)
    (folder / "registers").write_bytes(registers)
    return View(folder / name, memory, folder / "registers")


# Root, context entry of 00:01.0, PASID directory, PASID entry (second stage, SSADE), page table.
TABLES = {0x1000: 0x2001, 0x2100: 0x3001, 0x3000: 0x4001, 0x4000: 0x5285, 0x4008: 3,
          0x5000: 0x6003}


def test_what_differs(tmp_path: Path) -> None:
    before = view(tmp_path, 6 * GIB, TABLES)
    # An accessed bit, a word of a context entry, a page of nobody's above 4 GiB.
    after = {**TABLES, 0x5000: 0x6103, 0x2108: 1, (2 * GIB) + 0x5000: 1}
    later = view(tmp_path, 6 * GIB, after, "after")
    spans = [(0x1000, 0xFFFFF), (4 * GIB, 8 * GIB - 1)]
    found = before.diff(later.ram, spans)
    assert found.pages == [0x2000, 0x5000, 4 * GIB + 0x5000]
    context, mark = found.tables
    assert context == ("context table of bus 00", 0x2108, 0, 1, False)
    assert mark.at == 0x5000 and mark.by_hardware and "of 00:01.0" in mark.what
    # Root, context table, directory, PASID table, two levels of page tables; IRTA names none.
    assert found.looked_at == 6
    assert before.diff(later.ram, [(0x6000, 0xFFFFF)]).pages == []
    assert before.diff(before.ram, spans) == ([], [], 6)
    assert before.diff(later.ram, []).pages == []


def test_entries(tmp_path: Path) -> None:
    tables = view(tmp_path, GIB, TABLES)
    assert tables.unit()["mode"] == "scalable"
    entry = tables.entry("context", inspector.name(0x08))
    assert (entry.at, entry.words, entry.pointer) == (0x2100, [0x3001, 0, 0, 0], 0x3000)
    assert tables.entry("pasid", "00:01.0").fields["did"] == 3
    entry = tables.entry("context", "00:01.0", [0, 0, 1 << 63, 0], rid_pasid=7)
    assert entry.words == [0, 7, 1 << 63, 0]
    with pytest.raises(Failure, match="no field speed"):
        tables.entry("context", "00:01.0", speed=1)
    with pytest.raises(Failure, match="nonexistent"):
        View(tmp_path / "nonexistent", GIB, tables.registers).unit()


def test_keys_of_runs_know_its_sources() -> None:
    names = {path.name for path in inspector.sources()}
    assert {"view.cpp", "tables.cpp", "paging.cpp", "translation.cpp", "format.h"} <= names
    assert "inspector.py" in course.SOURCES
    # All that is compiled, and no more.
    made = (inspector.SOURCE / "CMakeLists.txt").read_text()
    for path in inspector.sources():
        assert path.suffix == ".h" or path.name in made
