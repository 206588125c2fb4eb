# SPDX-License-Identifier: GPL-2.0-only
"""Hostile and blocked rows: the edits, the judgements WARY and CLOSED, DMA on demand, the DMAR."""

from __future__ import annotations

import dataclasses
import struct
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

import acpi
import course
import evidence
import hostile
import outcome
import scenarios
import verdict
from common import Failure
from evidence import Dump, Facts, Function, Span
from guest import REGISTERS, Guest, Mark
from inspector import Diff, Mapping, View
from scenarios import Row
from scene import Scene
from stray import Access

NIC, OTHER, EDU, DISK = 0x08, 0x10, 0x80, 0xFA
CRASH = Span(0x2F000000, 0x3EFFFFFF)
OLD = [Span(0x100000, 0x2EFFFFFF), Span(0x3F000000, 0x3FFDEFFF)]
CHIPSET = ["00:00.0 8086:29c0 060000 -", "00:1f.0 8086:2918 060100 -",
           "00:1f.2 8086:2922 010601 ahci", "00:1f.3 8086:2930 0c0500 -"]
CARD, NEIGHBOUR = "00:01.0 8086:10d3 020000 e1000e", "00:02.0 8086:100e 020000 e1000"
STRAY = "00:10.0 1234:11e8 00ff00 -"
DROPPED = ("[ 1.0] DMAR: takeover: dmar0: 00:01.0: entry dropped: page table at 0xfed90000 is "
           "not in old RAM")
KEPT = "[ 1.0] DMAR: takeover: dmar0: 00:01.0: entry kept, the unit will fault it: type 3"
BLOCKED = ("[ 1.0] DMAR: takeover: dmar0: all its devices are blocked until their drivers map, "
           "RTADDR was 0x77c000, translation stayed on")

# "PANIC", "CRASH" and "SAVED" are the host's marks; words in capitals are places to put lines.
STORY = """
vtd_dmar_enable enable 1
vtd_switch_address_space Device 00:01.0 switching address space (iommu enabled=1)
PANIC
vtd_dmar_translate dev 00:01.00 iova 0xfffff010 -> gpa 0x5000010 mask 0xfff
vtd_iotlb_page_hit IOTLB page hit sid 0x10 iova 0xffffe000 slpte 0x6000003 domain 0x5
vtd_dmar_translate dev 00:02.00 iova 0xffffe010 -> gpa 0x6000010 mask 0xfff
CRASH
EARLY
vtd_reg_dmar_root addr 0x30000000 scalable 0
vtd_inv_desc_iotlb_global iotlb invalidate global
TRIED
NEXT
vtd_inv_desc_cc_devices context invalidate devices sid 0xfa fmask 0x0
vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x4
e1000e_core_ctrl_sw_reset Doing SW reset
vtd_inv_desc_cc_devices context invalidate devices sid 0x10 fmask 0x0
vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x5
vtd_inv_desc_cc_devices context invalidate devices sid 0x8 fmask 0x0
vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3
vtd_dmar_translate dev 00:01.00 iova 0xffffd000 -> gpa 0x30002000 mask 0xfff
LATE
SAVED
"""
TRIED = ("e1000e_rx_descr Next RX descriptor: ring #0, PA: 0xfffff000, length: 32\n"
         "vtd_fault_disabled Fault processing disabled for context entry")
NEXT = "vtd_dmar_translate dev 00:02.00 iova 0xffffe020 -> gpa 0x6000020 mask 0xfff"
FAULT = "vtd_dmar_fault sid 0x8 fault 13 addr 0xfffff020 write 0"
THROUGH = "vtd_dmar_translate dev 00:01.00 iova 0xfffff020 -> gpa 0x5000020 mask 0xfff"
PAST = "vtd_switch_address_space Device 00:01.0 switching address space (iommu enabled=0)"


# By the old tables; 0x40000000 and what follows is for test_pages.py.
REACH = {0x8: [Mapping(0x40000000, 0x40000FFF, CRASH.first),
               Mapping(0x40001000, 0x40001FFF, CRASH.first - evidence.PAGE),
               Mapping(0xFFFFF000, 0xFFFFFFFF, 0x5000000)],
         0x10: [Mapping(0xFFFFE000, 0xFFFFEFFF, 0x6000000)]}


def facts(row: Row, put: dict[str, str], log: Sequence[str] = (), *,
          cards: Sequence[str] = (CARD, NEIGHBOUR), domain: str = "DMA-FQ",
          accesses: Sequence[tuple[str, str, int, bool]] = ()) -> Facts:
    """A run out of its story. Accesses come just after the new root, each with the stretch of
    the log that NEXT took."""
    lines: list[bytes] = []
    marks = {"ready": Mark(0.0, 0)}
    names = {"PANIC": "panic", "CRASH": "crash", "SAVED": "saved"}
    stretch = (0, 0)
    for number, line in enumerate(STORY.strip().splitlines(), 100):
        at = sum(map(len, lines))
        if line in names:
            marks[names[line]] = Mark(float(number), at)
            continue
        text = put.get(line, "") if line.isupper() else line
        lines += [f"7@{number}.000000:{one}\n".encode() for one in text.splitlines()]
        if line == "NEXT":
            stretch = (at, sum(map(len, lines)))
    marks["end"] = Mark(200.0, sum(map(len, lines)))
    if "SAVED" in put:
        del marks["saved"]
    functions: list[Function] = evidence.parse_functions(
        f"kdump: device 0000:{each} {domain}" for each in sorted([*CHIPSET, *cards]))
    misfit = evidence.name_functions(functions, row.devices)
    return Facts(
        row=row, nonce="vtd-0123", marks=marks, pauses=[], trace=evidence.parse_trace(lines),
        functions=functions, misfit=misfit, old=OLD, crash=[CRASH], changed=Diff([], [], 9),
        translating_at_end=True, dump=Dump(4096, "vtd-0123\nKernel panic - not syncing: NMI\n"),
        crash_log=list(log), reach=REACH,
        accesses=[Access(when, what, address, master, *stretch, True)
                  for when, what, address, master in accesses])


def judge(run: Facts) -> dict[str, str]:
    """Verdicts by name."""
    return {name: v.verdict for name, v in verdict.judge(run).items()}


ROWS = scenarios.load()
DROP, KEEP, BLOCK = ROWS["context-mmio"], ROWS["context-reserved"], ROWS["takeover-block"]


def test_a_dropped_entry() -> None:
    got = judge(facts(DROP, {"TRIED": TRIED, "NEXT": NEXT}, [DROPPED]))
    assert not [name for name, v in got.items() if v == "fail"]
    assert got["WARY"] == got["CLOSED"] == got["ALIVE"] == got["in flight"] == "pass"


@pytest.mark.parametrize(("put", "log", "fails"), [
    ({"TRIED": TRIED, "NEXT": NEXT}, [], {"WARY"}),
    ({"TRIED": TRIED, "NEXT": NEXT}, [DROPPED, DROPPED], {"WARY"}),
    ({"TRIED": TRIED, "NEXT": NEXT}, [DROPPED, DROPPED.replace("01.0", "02.0")], {"WARY"}),
    ({"TRIED": TRIED, "NEXT": NEXT, "SAVED": ""}, [DROPPED], {"WARY", "dump"}),
    ({"TRIED": f"{TRIED}\n{FAULT}", "NEXT": NEXT}, [DROPPED], {"CLOSED"}),
    ({"TRIED": f"{TRIED}\n{THROUGH}", "NEXT": NEXT}, [DROPPED], {"WARY", "CLOSED"}),
    ({"TRIED": f"{TRIED}\n{PAST}", "NEXT": NEXT}, [DROPPED], {"WARY", "CLOSED"}),
    ({"NEXT": NEXT}, [DROPPED], {"CLOSED"}),  # the card never tried
    ({"TRIED": TRIED}, [DROPPED], {"WARY", "in flight"}),  # the neighbour died with it
    ({"EARLY": FAULT, "TRIED": TRIED, "NEXT": NEXT}, [DROPPED], {"ALIVE"}),
    ({"TRIED": TRIED, "NEXT": NEXT + "\nvtd_dmar_fault sid 0x10 fault 6 addr 0xffffe020 write 1"},
     [DROPPED], {"ALIVE"}),
])
def test_a_dropped_entry_that_goes_wrong(put: dict[str, str], log: list[str],
                                         fails: set[str]) -> None:
    got = judge(facts(DROP, put, log))
    assert {name for name, v in got.items() if v == "fail"} == fails


WATCHED = dataclasses.replace(DROP, watched=True)
SHOWN = f"""
{DROPPED}
DMAR: takeover: dmar0: adopted 2 devices on 1 buses, dropped 1 entries and 0 tables, legacy mode
DMAR: takeover: dmar0: guarded 9 tables, repaired 1 entries, cut 1 words, in 6 pages
takeover_drop: dmar0 00:01.0 entry=0xfed90001 error=0
takeover_cut: dmar0 level=1 word=0x3cb00003 now=0x0
takeover_adopt: dmar0 00:02.0 entry=0x2ecc2001,0x301
takeover_adopt: dmar0 00:1f.3 entry=0x2ecca001,0x401
takeover_release: dmar0 00:1f.2
takeover_release: dmar0 00:01.0
takeover_release: dmar0 00:02.0
kdump: debugfs: dmar0: taken over
kdump: debugfs: adopted 2 devices on 1 buses, dropped 1 entries and 0 tables
kdump: debugfs: guarded 9 tables, repaired 1 entries, cut 1 words, in 6 pages
kdump: debugfs: not released: 00:1f.3
"""


@pytest.mark.parametrize(("old", "new"), [
    ("", ""),
    ("takeover_cut: dmar0 level=1 word=0x3cb00003 now=0x0", ""),
    ("takeover_drop: dmar0", "takeover_drop"),
    ("takeover_adopt: dmar0 00:02.0", "takeover_adopt: dmar0 00:03.0"),
    ("takeover_release: dmar0 00:02.0", ""),
    ("takeover_release: dmar0 00:02.0", "takeover_release: dmar0 00:1f.3"),
    ("debugfs: guarded 9", "debugfs: guarded 8"),
    ("debugfs: adopted 2 devices", "debugfs: adopted"),
    ("not released: 00:1f.3", "not released: 00:1f.3 00:02.0"),
    ("kdump: debugfs: not released", "kdump: not released"),
])
def test_what_is_watched_has_to_agree(old: str, new: str) -> None:
    assert old in SHOWN
    log = SHOWN.replace(old, new).splitlines()
    got = judge(facts(WATCHED, {"TRIED": TRIED, "NEXT": NEXT}, log))["watched"]
    assert got == ("fail" if old else "pass")


@pytest.mark.parametrize(("fails", "expected", "good"), [
    (["SHIELD", "dump"], ["SHIELD", "dump?"], True),
    (["SHIELD"], ["SHIELD", "dump?"], True),
    (["dump"], ["SHIELD", "dump?"], False),
    (["SHIELD", "ON"], ["SHIELD", "dump?"], False),
    (["SHIELD", "dump"], ["SHIELD"], False),
    (["SHIELD"], ["SHIELD", "dump"], False),
    (["SHIELD", "cut", "dump"], ["SHIELD", "dump"], True),
    ([], "clean", True),
    (["dump"], "clean", False),
])
def test_what_was_measured_before(fails: list[str], expected: str | list[str],
                                  good: bool) -> None:
    assert verdict.as_measured(fails, expected) == good


def test_a_kept_entry_faults_aloud() -> None:
    got = judge(facts(KEEP, {"TRIED": FAULT, "NEXT": NEXT}, [KEPT]))
    assert not [name for name, v in got.items() if v == "fail"]
    assert got["WARY"] == "pass" and got["CLOSED"] == "not judged"
    assert judge(facts(KEEP, {"TRIED": TRIED, "NEXT": NEXT}, [KEPT]))["WARY"] == "fail"
    assert judge(facts(KEEP, {"TRIED": THROUGH, "NEXT": NEXT}, [KEPT]))["WARY"] == "fail"


def test_everything_blocked_is_judged_by_attempts() -> None:
    got = judge(facts(BLOCK, {"TRIED": TRIED}, [BLOCKED], cards=[CARD]))
    assert not [name for name, v in got.items() if v == "fail"]
    assert got["CLOSED"] == got["in flight"] == "pass"
    assert got["ALIVE"] == got["WARY"] == got["TAGS"] == "not judged"
    got = judge(facts(BLOCK, {}, [BLOCKED], cards=[CARD]))
    assert got["CLOSED"] == got["in flight"] == "fail"
    assert judge(facts(BLOCK, {"TRIED": TRIED}, [], cards=[CARD]))["CLOSED"] == "fail"


def test_blocked_device_in_the_drawing() -> None:
    run = facts(BLOCK, {"TRIED": TRIED}, [BLOCKED], cards=[CARD])
    run.crash_log.insert(0, "[    0.000000] Linux version 6.12.117 (vtd-takeover@lab) (gcc)")
    data = outcome.result(run.row, run)
    assert data["linux"] == "6.12.117"
    card = next(d for d in data["timeline"]["devices"] if d["sid"] == NIC)
    assert card["blocked"] == data["timeline"]["marks"]["new root"]
    assert sum(n for _, n in card["attempts"]) == 1
    loud = facts(BLOCK, {"TRIED": f"{TRIED}\n{FAULT}"}, [BLOCKED], cards=[CARD])
    card = next(d for d in outcome.result(loud.row, loud)["timeline"]["devices"]
                if d["sid"] == NIC)
    assert card["blocked"] is None and not card["attempts"]


def test_damaged_memory_map_is_no_result() -> None:
    run = facts(BLOCK, {"TRIED": TRIED}, [BLOCKED], cards=[CARD])
    assert outcome.result(run.row, run)["verdict"] == "PASS"
    run.crash = [Span(0x200000, CRASH.last)]
    run.old = [s for s in OLD if s.first > CRASH.last]
    assert "damaged" in outcome.result(run.row, run)["why"]
    run.crash, run.old = [CRASH], OLD[:1]
    assert outcome.result(run.row, run)["verdict"] == "PASS"
    run.old = OLD[1:]
    assert outcome.result(run.row, run)["verdict"] == "NO RESULT"


def test_blocked_after_pass_through() -> None:
    """What the card says it writes is no DMA past the IOMMU once QEMU closed that way."""
    words = ("e1000e_rx_desc_buff_write buffer #0, addr: 0x30000000, offset: 0, from: 0x7f00, "
             "length: 64")
    back = PAST.replace("=0", "=1")
    got = judge(facts(BLOCK, {"TRIED": f"{back}\n{TRIED}\n{words}"}, [BLOCKED], cards=[CARD],
                      domain="identity"))
    assert got["CLOSED"] == "pass" and got["SHIELD"] == "not judged"
    got = judge(facts(BLOCK, {"TRIED": f"{PAST}\n{TRIED}\n{words}"}, [BLOCKED], cards=[CARD],
                      domain="identity"))
    assert got["SHIELD"] == got["CLOSED"] == "fail"


def test_only_the_disk_is_blocked() -> None:
    """It has nothing left to do by then: that proves nothing, and says so."""
    row = dataclasses.replace(DROP, blocked=["ahci"])
    got = judge(facts(row, {"TRIED": THROUGH, "NEXT": NEXT}, [DROPPED]))
    assert got["CLOSED"] == "not judged" and got["WARY"] == "pass"


RMRR = acpi.RMRR[0]
SILENT = ("root", "old", 16 << 20, True)
REACHED = ("root", "rmrr", RMRR, True)
READ = f"vtd_dmar_translate dev 00:10.00 iova {RMRR:#x} -> gpa {RMRR:#x} mask 0xfff"


@pytest.mark.parametrize(("line", "access", "end"), [
    ("", SILENT, "silent"),
    ("", (*SILENT[:3], False), "off"),
    ("vtd_dmar_fault sid 0x80 fault 6 addr 0x1000000 write 0", SILENT, "loud"),
    (READ, REACHED, "reached"),
    (READ.replace("gpa 0x3", "gpa 0x2"), REACHED, "elsewhere"),
    ("vtd_switch_address_space Device 00:10.0 switching address space (iommu enabled=0)", SILENT,
     "bypassed"),
])
def test_dma_on_demand(line: str, access: tuple[str, str, int, bool], end: str) -> None:
    when, what, *_ = access
    for wanted in ("silent", "off", "loud", "reached"):
        row = dataclasses.replace(ROWS["rmrr-block"], stray={when: {what: wanted}})
        run = facts(row, {"TRIED": TRIED, "NEXT": line}, [BLOCKED], cards=[CARD, STRAY],
                    accesses=[access])
        assert run.outcome(run.accesses[0]) == end
        assert judge(run)["stray"] == ("pass" if wanted == end else "fail")
    assert judge(facts(row, {"NEXT": line}, cards=[CARD, STRAY]))["stray"] == "fail"


def test_reserved_memory_stays_reachable() -> None:
    run = facts(ROWS["rmrr-block"], {"TRIED": TRIED, "NEXT": READ}, [BLOCKED],
                cards=[CARD, STRAY], accesses=[REACHED])
    assert judge(run)["CLOSED"] == "pass"
    other = READ.replace(hex(RMRR), "0x1000000")
    run = facts(ROWS["rmrr-block"], {"TRIED": TRIED, "NEXT": other}, [BLOCKED],
                cards=[CARD, STRAY], accesses=[SILENT])
    assert judge(run)["CLOSED"] == "fail"
    run = facts(ROWS["rmrr-adopt"], {"TRIED": THROUGH, "NEXT": READ}, cards=[CARD, STRAY],
                accesses=[REACHED])
    assert judge(run)["ALIVE"] == "pass"


@pytest.mark.parametrize(("slot", "opt_out"), [(0x10, False), (None, True), (0x10, True)])
def test_dmar_table(slot: int | None, opt_out: bool) -> None:
    table = acpi.dmar(slot, opt_out)
    assert table[37] == (9 if opt_out else 1)
    assert sum(table) % 256 == 0
    assert table[:4] == b"DMAR" and struct.unpack_from("<I", table, 4)[0] == len(table)
    revision = struct.unpack_from("<I", table, 24)[0]
    assert table[10:24] == b"BOCHS BXPC    " and revision > 1
    at, kinds = 48, []
    while at < len(table):
        kind, length = struct.unpack_from("<HH", table, at)
        kinds.append(kind)
        at += length
    assert kinds == ([0] if slot is None else [0, 1]) and at == len(table)
    assert ROWS["rmrr-block"].slot("edu") == 0x10


def test_a_port_that_leads_out_of_the_machine() -> None:
    tables = course.tables_of_firmware(ROWS["outward"])
    assert tables[acpi.FILE][37] == acpi.INTR_REMAP | acpi.PLATFORM_OPT_IN
    port = tables[acpi.PORT_FILE]
    assert port[:4] == b"SSDT" and sum(port) % 256 == 0
    # _SB.PCI0.S80_: device 0x10, function 0.
    assert b"_SB_PCI0S80_" in port and b"ExternalFacingPort" in port
    assert not course.tables_of_firmware(ROWS["cmd-dma-dma"])
    row = dataclasses.replace(ROWS["outward"], outward="edu")
    assert "no device edu" in scenarios.misuse(row)


def units(table: bytes) -> list[int]:
    """Where a table's units are."""
    at, found = 48, []
    while at < len(table):
        kind, length = struct.unpack_from("<HH", table, at)
        if kind == acpi.DRHD:
            found.append(struct.unpack_from("<Q", table, at + 8)[0])
        at += length
    return found


def test_what_is_wrong_with_a_dmar_table() -> None:
    assert units(acpi.dmar(None)) == [REGISTERS]
    for wrong, at in acpi.NO_UNIT.items():
        table = acpi.dmar(None, wrong=wrong)
        assert units(table) == [at, REGISTERS] and sum(table) % 256 == 0
    right, mistaken = acpi.dmar(0x10), acpi.dmar(0x10, wrong="bridge")
    assert [(a, b) for a, b in zip(right[10:], mistaken[10:]) if a != b] == [
        (acpi.ENDPOINT, acpi.BRIDGE)]
    row = ROWS["crash-no-driver"]
    assert not scenarios.misuse(row)
    assert "no rmrr" in scenarios.misuse(dataclasses.replace(row, rmrr=""))
    assert "none of bridge" in scenarios.misuse(dataclasses.replace(row, crash_firmware="gone"))


def test_unplug_names_a_device() -> None:
    assert ROWS["unplug-deferred"].unplugged == "1234:11e8" and not ROWS["dev-nvme"].unplugged
    assert "no device nvme" in scenarios.misuse(
        dataclasses.replace(ROWS["unplug-deferred"], unplug="nvme"))


class Ram:
    """As much of a guest as an edit wants: sparse RAM, registers, a way to write them."""

    config = Namespace(memory=1 << 30)

    def __init__(self, folder: Path, rtaddr: int, words: dict[int, int]) -> None:
        self.private = folder
        self.ram = folder / "ram"
        self.commands: dict[int, int] = {}
        self.qtest = self
        self.rtaddr = rtaddr
        with self.ram.open("wb") as ram:
            ram.truncate(self.config.memory)
        for at, word in words.items():
            self.poke(at, struct.pack("<Q", word))

    def registers(self) -> bytes:
        found = bytearray(0x100)
        struct.pack_into("<QQ", found, 0x08, 0x8C012F0686, 0x3D90406000000 | 0xC2)
        struct.pack_into("<Q", found, 0x20, self.rtaddr)
        struct.pack_into("<Q", found, 0xB8, 0x20000 | 10)
        return bytes(found)

    def write(self, address: int, value: int) -> None:
        self.commands[address - REGISTERS] = value

    def peek(self, physical: int, length: int) -> bytes:
        with self.ram.open("rb") as ram:
            ram.seek(physical)
            return ram.read(length)

    def poke(self, physical: int, data: bytes) -> None:
        with self.ram.open("r+b") as ram:
            ram.seek(physical)
            ram.write(data)

    def words(self) -> dict[int, int]:
        """The tables, and the last page of RAM."""
        return {at + 8 * n: word for at, size in ((0, 0x40000), (0x3FFDE000, 0x1000))
                for n, (word,) in enumerate(struct.iter_unpack("<Q", self.peek(at, size))) if word}


def do(edit: str, ram: Ram, sid: int = NIC) -> dict[int, int]:
    """The words that an edit changes, and what they are then."""
    before = ram.words()
    guest = cast(Guest, ram)
    hostile.EDITS[edit](Scene(guest, View.of(guest), sid, OLD, [CRASH]))
    return {at: word for at, word in ram.words().items() if before.get(at, 0) != word}


@pytest.fixture(name="legacy")
def fixture_legacy(tmp_path: Path) -> Callable[[], Ram]:
    """Bus 0 has a context table at 0x3000, the card an entry in it."""
    return lambda: Ram(tmp_path, 0x2000, {0x2000: 0x3001, 0x3080: 0x4001, 0x3088: 0x301})


def test_edits_hit_one_entry(legacy: Callable[[], Ram]) -> None:
    assert do("context-mmio", legacy()) == {0x3080: 0xFED90001}
    assert do("context-full", legacy()) == dict.fromkeys((0x3080, 0x3088), (1 << 64) - 1)
    assert do("context-type", legacy()) == {0x3080: 0x400D}
    assert do("context-width", legacy()) == {0x3088: 0x307}
    assert do("context-reserved", legacy()) == {0x3080: 0x4021}
    assert do("context-new", legacy(), 0x18) == {0x3180: 0xFED90001, 0x3188: 0x7701}
    garbage = do("context-garbage", legacy())
    assert list(garbage) == [0x3080, 0x3088] and garbage[0x3080] & 3 == 3
    assert do("root-crash", legacy()) == {0x2000: 0x30000001}
    assert do("root-self", legacy(), 0x100) == {0x2010: 0x2001}
    assert do("root-reserved", legacy()) == {0x2000: 0x3551}
    assert list(do("root-garbage", legacy(), 0x100)) == [0x2010, 0x2018]
    assert do("interrupt-nmi", legacy()) == {0x20000 + 16 * 1000: 0x310081}
    with pytest.raises(Failure):
        do("context-mmio", legacy(), 0x100)
    with pytest.raises(Failure):
        do("context-new", legacy())


def test_edits_of_registers(legacy: Callable[[], Ram]) -> None:
    for edit, commands in (("rtaddr-mmio", {0x20: 0xFED90000}), ("rtaddr-abort", {0x20: 0x2C00}),
                           ("rtaddr-extended", {0x20: 0x2800}), ("irta-mmio", {0xB8: 0xFED9000A})):
        ram = legacy()
        assert not do(edit, ram) and ram.commands == commands


def test_edits_in_scalable_mode(tmp_path: Path) -> None:
    def ram() -> Ram:
        return Ram(tmp_path, 0x2400, {0x2000: 0x3001, 0x2008: 0x5001, 0x3100: 0x4001})

    assert do("context-mmio", ram()) == {0x3100: 0xFED90001}
    assert do("context-reserved", ram()) == {0x3100: 0x4041}
    assert do("root-mmio", ram(), DISK) == {0x2008: 0xFED90001}
    assert do("root-both", ram()) == {0x2000: 0xFED90001, 0x2008: 1 << 36 | 1}
    assert list(do("context-full", ram())) == [0x3100, 0x3108, 0x3110, 0x3118]
    with pytest.raises(Failure, match="root entry not present"):
        do("context-mmio", ram(), 0x7F << 3 | 0x8000)


def test_tables_that_move(legacy: Callable[[], Ram]) -> None:
    last = 0x3FFDE000
    ram = legacy()
    changed = do("context-last-page", ram)
    assert changed == {0x2000: last | 1, last + 0x80: 0x4001, last + 0x88: 0x301}
    ram = legacy()
    assert do("root-last-page", ram) == {last: 0x3001}
    assert ram.commands == {0x20: last}


def test_free_interrupt_entries(legacy: Callable[[], Ram]) -> None:
    ram = legacy()
    ram.poke(0x20010, struct.pack("<Q", 0x400001))  # in use
    changed = do("interrupt-full", ram)
    assert len(changed) == 2047 and 0x20010 not in changed and set(changed.values()) == {0x310001}
    ram = legacy()
    ram.poke(0x20010, struct.pack("<Q", 0x400001))
    assert 0x20010 not in do("interrupt-garbage", ram)


def test_interrupt_entry_in_use(legacy: Callable[[], Ram]) -> None:
    ram = legacy()
    with pytest.raises(Failure, match="00:01.0 has no interrupt entry"):
        do("interrupt-int80", ram)
    for index, sid in ((0, OTHER), (3, NIC), (4, NIC)):
        ram.poke(0x20000 + 16 * index, struct.pack("<QQ", 0x410001, 0x40000 | sid))
    assert do("interrupt-int80", ram) == {0x20030: 0x800001}


def test_hostile_rows() -> None:
    rows = [r for r in ROWS.values() if "hostile" in r.tags]
    assert len(rows) >= 22
    assert not [why for why in map(hostile.problem, ROWS.values()) if why]
    for row in ROWS.values():
        assert bool(row.edit) == bool({"hostile", "guard"} & set(row.tags))
        # Only of this card is it known how often it tries.
        assert "e1000" not in row.blocked
    wrong = dataclasses.replace(rows[0], edit="nonsense")
    assert "nonsense" in hostile.problem(wrong)
    assert hostile.problem(dataclasses.replace(ROWS["context-mmio"], victim=""))
    assert hostile.problem(dataclasses.replace(ROWS["rtaddr-mmio"], victim="e1000e"))


def test_requester() -> None:
    run = facts(DROP, {})
    assert hostile.requester("e1000e", run.functions) == NIC
    assert hostile.requester("00:1f.3", run.functions) == 0xFB
    with pytest.raises(Failure):
        hostile.requester("edu", run.functions)


@pytest.mark.parametrize("keys", [
    'blocked = ["floppy"]', 'faulting = ["e1000"]', 'victim = "somebody"', 'rmrr = "edu"',
    'stray = {root = {old = "off"}}', 'report = ["("]', 'base = "nonsense"',
    'blocked = ["ahci"]\nfaulting = ["ahci"]',
    'devices = ["ahci", "edu"]\nstray = {root = {old = "gone"}}',
    'devices = ["ahci", "edu"]\nstray = {noon = {old = "off"}}',
])
def test_misuse_of_keys(keys: str, tmp_path: Path) -> None:
    bad = tmp_path / "rows.toml"
    bad.write_text(f"{scenarios.FILE.read_text()}\n[row.x]\n{keys}\n")
    with pytest.raises(Failure, match="row x"):
        scenarios.load(bad)
