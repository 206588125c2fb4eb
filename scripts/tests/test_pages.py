# SPDX-License-Identifier: GPL-2.0-only
"""Tables that lead into the kdump kernel: what edits build, what is searched, how it is judged."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

import evidence
import pages
import scan
import scenarios
import verdict
from common import Failure
from evidence import PAGE, Aim, Facts, Landed, Span
from guest import Guest, frame_mark
from inspector import View
from scene import CORE, Scene
from test_hostile import CRASH, NEIGHBOUR, NEXT, NIC, OLD, Ram, facts

BAR, RING, IOVA = 0xFEB80000, 0x9000, 0xFFFFF000
SPARE = Span(0x3F000000, 0x3F0FFFFF)
HEAD, TAIL = 250, 245
KERNEL = 0x3CA00000  # as it is loaded; unpacked it begins at the next 2 MiB
TOP = 0x4000


class Machine(Ram):
    """A guest whose card has a receive ring, and a kdump kernel that is loaded."""

    # Legacy mode, 39 bits: the card's three levels of tables lead to its ring.
    WORDS = {0x2000: 0x3001, 0x3080: TOP | 1, 0x3088: 0x301, TOP + 8 * 3: 0x5003,
             0x5000 + 8 * 511: 0x6003, 0x6000 + 8 * 511: RING | 3}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 0x2000, self.WORDS)
        self.image = folder / "bzImage"
        image = bytearray(0x2000)
        image[0x1F1] = 1
        struct.pack_into("<I", image, 0x230, 2 << 20)
        image[0x400:] = b"kernel" * 2
        image += bytes(range(256)) * 32
        self.image.write_bytes(image)
        self.poke(KERNEL + 0x1000, bytes(image[0x400:]))
        self.poke(CRASH.last + 1 - 0x100000, CORE)

    def read(self, address: int, letter: str = "l") -> int:
        assert letter == "l"
        registers = {0x2800: IOVA, 0x2804: 0, 0x2808: PAGE, 0x2810: HEAD, 0x2818: TAIL}
        return BAR if address < BAR else registers[address - BAR]

    def offset(self, physical: int) -> int:
        return physical

    def descriptors(self) -> list[int]:
        """Where the ring's packets go."""
        return [at for at, _ in struct.iter_unpack("<QQ", self.peek(RING, PAGE))]


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def scene(machine: Machine) -> Scene:
    guest = cast(Guest, machine)
    return Scene(guest, View.of(guest), NIC, OLD, [CRASH], (), SPARE, machine.image)


def leads(machine: Machine, iova: int) -> int:
    """Where the card gets to, by the tables as they are now; -1: nowhere."""
    try:
        return View.of(cast(Guest, machine)).reaches(NIC, iova)
    except Failure:
        return -1


def test_what_lies_where(machine: Machine) -> None:
    assert scene(machine).kernel() == 0x3CC00000
    assert scene(machine).elfcorehdr() == CRASH.last + 1 - 0x100000
    machine.poke(KERNEL + 0x1000, bytes(PAGE))
    with pytest.raises(Failure, match="no kdump kernel is loaded"):
        scene(machine).kernel()
    assert evidence.parse_ramdisk(["", "[ 0.0] RAMDISK: [mem 0x3eed8800-0x3ffcffff]"]) == Span(
        0x3EED9000, 0x3FFCFFFF)
    assert evidence.parse_ramdisk([]) == Span(1, 0)


@pytest.mark.parametrize("name", [
    "leaf-kernel", "leaf-edges", "leaf-everywhere", "leaf-header", "leaf-straddling", "leaf-2m",
    "leaf-2m-low", "leaf-1g", "pointer-planted-1", "pointer-planted-2", "bomb"])
def test_aims_are_where_the_tables_lead(name: str, machine: Machine) -> None:
    what = scene(machine)
    pages.EDITS[name](what)
    assert what.aims
    crash = [a for a in what.aims if not a.kept]
    assert crash and all(a.gpa < 0xA0000 or CRASH.first <= a.gpa <= CRASH.last for a in crash)
    for aim in [*what.aims[:2], *what.aims[-3:]]:
        assert leads(machine, aim.iova) == aim.gpa
    # The packets go there, and nowhere else; the ring is where it was.
    assert leads(machine, IOVA) == RING
    ring = machine.descriptors()
    taken = {(HEAD + i) % 256 for i in range((TAIL - HEAD) % 256)}
    assert {i for i, address in enumerate(ring) if address} == taken
    aimed = {a.iova for a in what.aims}
    assert all(address & -PAGE in aimed for i, address in enumerate(ring) if i in taken)
    # All that is new is in spare RAM, but for the entries that lead there.
    assert all(at < 0xA000 for at in machine.words() if at < 0x40000)


@pytest.mark.parametrize("name", ["leaf-2m-flawed", "leaf-1g-flawed", "pointer-mmio",
                                  "pointer-crash", "pointer-ones", "loop-top"])
def test_aims_that_lead_nowhere(name: str, machine: Machine) -> None:
    what = scene(machine)
    pages.EDITS[name](what)
    assert what.aims and not any(a.kept for a in what.aims)
    assert {leads(machine, a.iova) for a in [*what.aims[:2], *what.aims[-2:]]} == {-1}


def test_a_table_of_two_levels(machine: Machine) -> None:
    what = scene(machine)
    pages.EDITS["shared-levels"](what)
    page, pointer, *others = what.aims
    assert leads(machine, page.iova) == page.gpa and leads(machine, pointer.iova) == -1
    assert others and leads(machine, others[-1].iova) == others[-1].gpa


def test_no_room_for_tables(machine: Machine) -> None:
    what = scene(machine)
    what.spare = Span(1, 0)
    with pytest.raises(Failure, match="retain_initrd"):
        pages.EDITS["leaf-kernel"](what)


def test_an_address_in_use(machine: Machine) -> None:
    with pytest.raises(Failure, match="has an entry"):
        pages.Tables(scene(machine)).put(IOVA, 1, 3)


def test_search(machine: Machine) -> None:
    guest = cast(Guest, machine)
    assert scan.scan(guest, 0, [CRASH]) == Landed(0, [], (1 << 20) + (256 << 20))
    machine.poke(CRASH.first + 0x1FF8, frame_mark(0) * 2)
    machine.poke(0x9F000, frame_mark(0))
    machine.poke(CRASH.last + 1, frame_mark(0))  # not its own
    machine.poke(CRASH.first + 0x8000, frame_mark(1))  # of another wire
    found = scan.scan(guest, 0, [CRASH])
    assert (found.words, found.pages) == (3, [0x9F000, CRASH.first + 0x1000, CRASH.first + 0x2000])


# ---- judging -------------------------------------------------------------------------------------

SAID = "DMAR: takeover: dmar0: guarded 20 tables, repaired 4 entries, cut 409 words, in 6 pages"
QUIET = ("DMAR: takeover: dmar0: 00:01.0: it faults again and again, reason 0x5: not recorded any "
         "more until its driver maps")
BAD, GOOD = 0x40000000, 0x40001000
AIMS = [Aim(NIC, BAD, CRASH.first, False), Aim(NIC, GOOD, CRASH.first - PAGE, True)]
READ = ("vtd_dmar_translate dev 00:01.00 iova 0xfffff000 -> gpa 0x5000000 mask 0xfff\n"
        "e1000e_rx_descr Next RX descriptor: ring #0, PA: 0xfffff000, length: 16\n")


def write(address: int) -> str:
    return (f"e1000e_rx_desc_buff_write buffer #0, addr: {address:#x}, offset: 0, from: 0x1, "
            "length: 64")


def through(iova: int, gpa: int, mask: int = 0xFFF) -> str:
    return f"vtd_dmar_translate dev 00:01.00 iova {iova:#x} -> gpa {gpa:#x} mask {mask:#x}"


LOST = f"{write(BAD)}\nvtd_dmar_fault sid 0x8 fault 5 addr {BAD:#x} write 1"
HIT = f"{write(GOOD)}\n{through(GOOD, CRASH.first - PAGE)}"
BOTH = f"{READ}{LOST}\n{HIT}"
# The card has no driver, so nobody resets it; but this story has its release.
ROW = dataclasses.replace(
    scenarios.load()["leaf-edges"], undriven=[],
    devices=[*scenarios.load()["leaf-edges"].devices, scenarios.load()["context-mmio"].devices[-1]])


def run(tried: str, *, log: Sequence[str] = (SAID,), aims: Sequence[Aim] = tuple(AIMS),
        landed: Landed | None = Landed(0, [], 1 << 28)) -> Facts:
    found = facts(ROW, {"TRIED": tried, "NEXT": NEXT}, log)
    return dataclasses.replace(found, aims=list(aims), landed=landed)


def fails(found: Facts) -> set[str]:
    return {name for name, v in verdict.judge(found).items() if v.verdict == "fail"}


def test_a_guarded_device() -> None:
    found = run(BOTH)
    assert NEIGHBOUR and not fails(found)
    said = verdict.judge(found)["cut"].text
    assert "1 of 1 pages that have to be cut tried, 1 times" in said and "1 faults" in said
    assert "256 MiB" in verdict.judge(found)["SHIELD"].text


@pytest.mark.parametrize(("tried", "keys", "wrong"), [
    (f"{READ}{HIT}", {}, {"cut"}),  # what had to be cut was never tried
    (f"{READ}{LOST}", {}, {"cut"}),  # nor what had to be kept
    (f"{READ}{LOST}\n{write(GOOD)}", {}, {"cut"}),  # tried, and not reached
    (f"{READ}{LOST}\n{HIT}\n{write(BAD)}\n{through(BAD, CRASH.first)}", {}, {"cut", "SHIELD"}),
    (f"{READ}{LOST}\n{write(GOOD)}\n{through(GOOD, 0x7000000)}", {}, {"cut", "ALIVE"}),
    (BOTH, {"landed": Landed(4, [CRASH.first], 1 << 28)}, {"SHIELD"}),
    (BOTH, {"log": []}, {"WARY"}),
    (BOTH.replace("fault 5 addr 0x40000000", "fault 5 addr 0x50000000"), {}, {"ALIVE"}),
    (BOTH, {"aims": []}, {"ALIVE"}),
])
def test_a_guard_that_fails(tried: str, keys: dict[str, list[Aim]], wrong: set[str]) -> None:
    found = run(tried)
    found = dataclasses.replace(found, **{{"log": "crash_log"}.get(k, k): v
                                          for k, v in keys.items()})
    assert fails(found) == wrong


def test_silence_is_no_release() -> None:
    change = ("vtd_inv_desc_cc_devices context invalidate devices sid 0x8 fmask 0x0\n" * 2
              + "vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3\n")
    story = f"{BOTH}\n{change}{HIT}"
    loud, quiet = run(story), run(story, log=[SAID, QUIET])
    assert loud.releases[NIC].at < quiet.releases[NIC].at
    assert not fails(quiet) and "FRESH" in fails(loud)


def test_where_in_a_large_page() -> None:
    base, gpa = 0x80000000, 0x2E000000
    story = (f"{READ}{write(base + 0x5000)}\n{through(base, gpa, 0x1FFFFF)}\n"
             f"{READ}{write(base + 0x1F0000 + 0xFF0)}\n{through(base, gpa, 0x1FFFFF)}\n")
    found = [d for d in run(story).dmas if d.iova >= base and d.iova < base + (2 << 20)]
    assert {(d.iova - base, d.gpa - gpa) for d in found} == {
        (0x5000, 0x5000), (0x1F0000, 0x1F0000), (0x1F1000, 0x1F1000)}
    alone = run(f"{READ}{through(base, gpa, 0x1FFFFF)}\n")
    assert [d.size for d in alone.dmas if d.iova == base] == [2 << 20]


def test_rows() -> None:
    rows = [r for r in scenarios.load().values() if "guard" in r.tags]
    assert len(rows) >= 30 and {r.edit for r in rows} <= set(pages.EDITS)
    assert 2 <= sum("check" in r.tags for r in rows) <= 3
    for row in rows:
        assert "retain_initrd" in row.first and row.victim in {
            *row.cut, *row.blocked, *row.faulting}
    wrong = dataclasses.replace(rows[0], blocked=["e1000e"])
    assert "cut, and also blocked" in scenarios.misuse(wrong)
