# SPDX-License-Identifier: GPL-2.0-only
"""Reading what a run leaves behind: memory maps, RAM files, device listings."""

from __future__ import annotations

from pathlib import Path

import pytest

import evidence
import scenarios
from common import Failure
from evidence import Span
from guest import Cpio, initramfs, ram_offset

GIB = 1 << 30


def iomem(*lines: str) -> list[str]:
    return [f"kdump: iomem {line}" for line in lines]


def test_crash_memory_is_cut_out_of_old_ram() -> None:
    old, crash = evidence.parse_iomem(iomem(
        "00001000-0009fbff : System RAM", "00100000-3ffdffff : System RAM",
        "01000000-01dfffff : Kernel code", "2f000000-3effffff : Crash kernel",
        "fed90000-fed90fff : dmar0"))
    assert crash == [Span(0x2F000000, 0x3EFFFFFF)]
    assert old == [Span(0x100000, 0x2EFFFFFF), Span(0x3F000000, 0x3FFDFFFF)]


def test_crash_memory_in_two_pieces_and_high_ram() -> None:
    old, crash = evidence.parse_iomem(iomem(
        "00100000-7fffffff : System RAM", "70000000-7fffffff : Crash kernel",
        "100000000-1ffffffff : System RAM", "180000000-18fffffff : Crash kernel"))
    assert len(crash) == 2
    assert old == [Span(0x100000, 0x6FFFFFFF), Span(0x100000000, 0x17FFFFFFF),
                   Span(0x190000000, 0x1FFFFFFFF)]


def test_ram_file_has_no_hole() -> None:
    assert ram_offset(0x3FFFFFFF, GIB) == 0x3FFFFFFF
    assert ram_offset(GIB, GIB) is None
    assert ram_offset(0x80000000, 6 * GIB) is None
    assert ram_offset(1 << 32, 6 * GIB) == 0x80000000
    assert ram_offset((1 << 32) + 4 * GIB - 1, 6 * GIB) == 6 * GIB - 1
    assert ram_offset((1 << 32) + 4 * GIB, 6 * GIB) is None
    assert ram_offset(1 << 32, GIB) is None


def test_pages_of_an_access() -> None:
    assert evidence.pages(0x1010, 16) == [0x1010]
    assert evidence.pages(0x1FF0, 32) == [0x1FF0, 0x2000]
    assert evidence.pages(0x1000, 0x2000) == [0x1000, 0x2000]


def test_requester_id_behind_a_bridge() -> None:
    functions = evidence.parse_functions([
        "kdump: device 0000:00:00.0 8086:29c0 060000 - DMA-FQ",
        "kdump: device 0000:00:01.0 1b36:000e 060400 - DMA-FQ",
        "kdump: device 0000:00:1f.0 8086:2918 060100 - DMA-FQ",
        "kdump: device 0000:00:1f.2 8086:2922 010601 ahci DMA-FQ",
        "kdump: device 0000:00:1f.3 8086:2930 0c0500 - DMA-FQ",
        "kdump: device 0000:01:01.0 8086:100e 020000 e1000 DMA-FQ"])
    assert evidence.name_functions(functions, scenarios.load()["dev-bridge"].devices) == ""
    assert functions[-1].sid == 0x100
    assert functions[3].sid == 0xFA


def test_trace_lines_that_are_not_understood_are_skipped() -> None:
    trace = evidence.parse_trace([b"garbage\n", b"7@1.5:vtd_dmar_enable enable 1\n", b"7@2.0:x"])
    assert [s.value for s in trace.switches] == [1]
    assert trace.switches[0].at == len(b"garbage\n")


def test_cpio() -> None:
    cpio = Cpio()
    cpio.file("lib/kdump/row", b"abc")
    image = cpio.image()
    assert len(image) % 512 == 0
    assert image.startswith(b"070701") and b"lib/kdump/row\0" in image
    assert image.count(b"070701") == 4  # two folders, the file, the trailer


def test_initramfs_lie_in_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cpio, "program", lambda self, name: None)
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(b"the kdump kernel's image")
    plain = initramfs(kernel, {"DISK": "sda"})
    around = initramfs(kernel, {"DISK": "sda"}, ["crash.cpio", "first.cpio"])
    assert plain.count(kernel.read_bytes()) == 1 and around.count(kernel.read_bytes()) == 2
    assert plain in around and b"first.cpio\0" in around and b"first.cpio\0" not in plain
    assert plain.count(b"DISK='sda'") == 2


def test_the_crash_kernel_may_have_early_files_of_its_own(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cpio, "program", lambda self, name: None)
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(b"an image")
    one, other = {"DMAR.aml": b"one table"}, {"DMAR.aml": b"the other"}
    same = initramfs(kernel, {}, early=one)
    apart = initramfs(kernel, {}, early=one, early_crash=other)
    assert same.count(one["DMAR.aml"]) == 2
    assert apart.index(one["DMAR.aml"]) < apart.index(other["DMAR.aml"])


def test_rows_are_well_formed() -> None:
    rows = scenarios.load()
    cells = [name for name, row in rows.items() if "cells" in row.tags]
    assert len(cells) == 35
    assert 6 <= sum("check" in row.tags for row in rows.values()) <= 16
    assert rows["mem-6g"].bytes == 6 * GIB
    for row in rows.values():
        # They end up in shell quotes.
        assert "'" not in row.first_line() + row.crash_line() + row.kexec
        assert row.stock == "clean" or row.stock
        # They have to be in the product at all.
        assert any(row.runs_on(version) for version in ("6.1", "6.12", "7.3"))
        assert set(row.stock_on) <= set(row.kernels or ["6.1", "6.12", "7.3"])
        # A kernel is not mixed with itself: that is first_kernel = "stock".
        assert row.first_kernel not in row.kernels
        assert bool(row.vfs) == any("igbvf" in f for d in row.devices for f in d.functions)
        # No row of `check` may need a second kernel or a download.
        assert "check" not in row.tags or not (row.first_kernel or row.needs)


def test_what_is_expected_may_differ_by_version(tmp_path: Path) -> None:
    text = scenarios.FILE.read_text().replace(
        "[cells.tag]", '[cells.stock_on."6.6"]\n"cmd-dma-d*" = ["dump"]\n"cmd-d*" = ["ON"]\n'
                       "[cells.tag]")
    (tmp_path / "rows.toml").write_text(text)
    rows = scenarios.load(tmp_path / "rows.toml")
    assert rows["cmd-dma-dma"].expected("6.6", True) == ["dump"]
    assert rows["cmd-dma-dma"].expected("6.12", True) == "clean"
    assert rows["cmd-dma-dma"].expected("6.6", False) == "clean"
    assert rows["cmd-dma-pt"].expected("6.6", True) == ["ON"]
    assert rows["cmd-dma-pt"].expected("7.3", True) == ["ALIVE", "dump"]
    mixed = rows["mixed-612-dma-dma"]
    assert mixed.runs_on("7.3") and not mixed.runs_on("6.12")


def test_bad_rows_are_refused(tmp_path: Path) -> None:
    text = scenarios.FILE.read_text()
    bad = tmp_path / "rows.toml"
    for extra in ('[row.x]\ndevices = ["floppy", "ahci"]\n', '[row.x]\ncolour = 1\n',
                  '[row.x]\npanic = "loud"\n', '[row.x]\nroad = "long"\n',
                  '[row.x]\nkernels = ["new"]\n', '[row.x]\nstock_on = { v6 = ["ON"] }\n',
                  '[row.x]\nneeds = "luck"\n', '[row.x]\nfaults = {nvme = 1}\n',
                  '[row.x]\nats = ["nvme"]\n',
                  '[row.x]\ndevices = ["e1000e"]\n',
                  '[row.cmd-dma-dma]\n'):
        bad.write_text(text + extra)
        with pytest.raises(Failure, match="row"):
            scenarios.load(bad)
