# SPDX-License-Identifier: GPL-2.0-only
"""Every judgement on a made-up run: good once, then broken in the one way it must see.

And what a run becomes as data, and which rows are run.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import course
import outcome
import evidence
import kdump
import scenarios
import verdict
from common import Failure
from course import Kernel
from evidence import Dump, Facts, Function, Span
from guest import Mark
from inspector import Diff, Mapping, TableChange

NIC, DISK = 0x08, 0xFA
CRASH = Span(0x2F000000, 0x3EFFFFFF)
OLD = [Span(0x100000, 0x2EFFFFFF), Span(0x3F000000, 0x3FFDFFFF)]
LISTING = ["kdump: device 0000:00:00.0 8086:29c0 060000 - DMA-FQ",
           "kdump: device 0000:00:01.0 8086:10d3 020000 e1000e DMA-FQ",
           "kdump: device 0000:00:1f.0 8086:2918 060100 - DMA-FQ",
           "kdump: device 0000:00:1f.2 8086:2922 010601 ahci DMA-FQ",
           "kdump: device 0000:00:1f.3 8086:2930 0c0500 - DMA-FQ"]

# The life of a good run. "PANIC", "CRASH" and "SAVED" are the host's marks, not trace lines.
GOOD = """
vtd_dmar_enable enable 1
PANIC
vtd_iotlb_page_update IOTLB page update sid 0x8 iova 0xfffff000 slpte 0x5000003 domain 0x3
vtd_dmar_translate dev 00:01.00 iova 0xfffff010 -> gpa 0x5000010 mask 0xfff
CRASH
vtd_reg_dmar_root addr 0x30000000 scalable 0
vtd_inv_desc_cc_global context invalidate globally
vtd_inv_desc_iotlb_global iotlb invalidate global
vtd_iotlb_page_update IOTLB page update sid 0x8 iova 0xfffff000 slpte 0x5000003 domain 0x3
vtd_dmar_translate dev 00:01.00 iova 0xfffff020 -> gpa 0x5000020 mask 0xfff
FLYING
vtd_inv_desc_cc_devices context invalidate devices sid 0xfa fmask 0x0
vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x4
vtd_iotlb_page_update IOTLB page update sid 0xfa iova 0xffffe000 slpte 0x30001003 domain 0x5
vtd_dmar_translate dev 00:1f.02 iova 0xffffe000 -> gpa 0x30001000 mask 0xfff
DISK RELEASED
vtd_inv_desc_cc_devices context invalidate devices sid 0x8 fmask 0x0
RELEASING
vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3
e1000e_core_ctrl_sw_reset Doing SW reset
vtd_iotlb_page_update IOTLB page update sid 0x8 iova 0xffffd000 slpte 0x30002003 domain 0x6
vtd_dmar_translate dev 00:01.00 iova 0xffffd000 -> gpa 0x30002000 mask 0xfff
RELEASED
SAVED
"""


REACH = {0x8: [Mapping(0xFFFFF000, 0xFFFFFFFF, 0x5000000)]}  # by the old tables


def translate(iova: int, gpa: int, dev: str = "00:01.00") -> str:
    return f"vtd_dmar_translate dev {dev} iova {iova:#x} -> gpa {gpa:#x} mask 0xfff"


def buffer(address: int, length: int = 64) -> str:
    return (f"e1000e_rx_desc_buff_write buffer #0, addr: {address:#x}, offset: 0, "
            f"from: 0x7f00, length: {length}")


def fault(sid: int) -> str:
    return f"vtd_dmar_fault sid {sid:#x} fault 6 addr 0xdead000 write 1"


def facts(story: str = GOOD, *, listing: Sequence[str] = LISTING,
          changed: Sequence[int] = (0x5000000,),
          tables: Sequence[TableChange] = (), on_at_end: bool = True,
          dump: Dump | None = None, put: dict[str, str] | None = None,
          reach: dict[int, list[Mapping]] = REACH) -> Facts:
    """A run out of its story; put replaces the words in capitals by trace lines."""
    names = {"PANIC": "panic", "CRASH": "crash", "SAVED": "saved"}
    lines: list[bytes] = []
    marks = {"ready": Mark(0.0, 0)}
    seconds = 100
    for line in story.strip().splitlines():
        line = (put or {}).get(line, line)
        if line in names:
            marks[names[line]] = Mark(float(seconds), sum(map(len, lines)))
        elif line.split()[0].islower():
            lines += [f"7@{seconds}.000000:{one}\n".encode() for one in line.splitlines()]
        seconds += 1
    marks["end"] = Mark(float(seconds), sum(map(len, lines)))
    row = scenarios.load()["cmd-dma-dma"]
    functions: list[Function] = evidence.parse_functions(listing)
    misfit = evidence.name_functions(functions, row.devices)
    return Facts(
        row=row, nonce="vtd-0123", marks=marks, pauses=[], trace=evidence.parse_trace(lines),
        functions=functions, misfit=misfit, old=OLD, crash=[CRASH],
        changed=Diff(list(changed), list(tables), 9), reach=reach,
        translating_at_end=on_at_end,
        dump=dump or Dump(4096, "vtd-0123\nKernel panic - not syncing: NMI\n"))


def judge(run: Facts) -> dict[str, str]:
    return {name: v.verdict for name, v in verdict.judge(run).items()}


def test_good_run_passes() -> None:
    got = judge(facts())
    assert {n for n, v in got.items() if v == "not judged"} == {"WARY", "CLOSED"}
    assert verdict.failures(verdict.judge(facts())) == []


def test_nothing_known_is_nothing_proven() -> None:
    assert judge(facts(reach={}))["ALIVE"] == "fail"
    lenient = facts(put={"FLYING": translate(0xFFFFC000, 0x5000000)})
    for victim, report, ends in (("e1000e", "reserved bits ignored", "pass"),
                                 ("ahci", "reserved bits ignored", "fail"),
                                 ("e1000e", "entry kept", "fail")):
        lenient.row = dataclasses.replace(lenient.row, report=[report], victim=victim)
        assert judge(lenient)["ALIVE"] == ends
    # What went on before the new root is held against it whatever tables say.
    moved = facts(put={"FLYING": translate(0xFFFFF030, 0x6000030)},
                  reach={0x8: [Mapping(0xFFFFF000, 0xFFFFF02F, 0x5000000),
                               Mapping(0xFFFFF030, 0xFFFFFFFF, 0x6000030)]})
    assert judge(moved)["ALIVE"] == "fail"
    untold = "\n".join(line for line in GOOD.splitlines() if "sid 0x8 iova 0xfffff000" not in line)
    assert judge(facts(untold))["TAGS"] == "fail"
    still = "\n".join(line for line in GOOD.splitlines() if "gpa 0x5000020" not in line)
    assert judge(facts(still))["SHIELD"] == "not judged"


def tagged(sid: int, domain: int) -> str:
    return (f"vtd_iotlb_page_hit IOTLB page hit sid {sid:#x} iova 0xffffe000 "
            f"slpte 0x30001003 domain {domain:#x}")


PASSTHROUGH = [line.replace("DMA-FQ", "identity") for line in LISTING]
ROOT = "vtd_reg_dmar_root addr 0x30000000 scalable 0"
OFF = "vtd_dmar_enable enable 0"
BREAKAGES = {
    "off and on again": ("ON", {"FLYING": f"{OFF}\nvtd_dmar_enable enable 1"}),
    "never on": ("ON", {"vtd_dmar_enable enable 1": OFF}),
    "fault before release": ("ALIVE", {"FLYING": fault(NIC)}),
    "fault before release, after another's": ("ALIVE", {"DISK RELEASED": fault(NIC)}),
    "fault of an unknown requester": ("ALIVE", {"FLYING": fault(0x300)}),
    "page moved by the new root": ("ALIVE", {"FLYING": translate(0xFFFFF030, 0x6000030)}),
    "led where nothing led": ("ALIVE", {"FLYING": translate(0xFFFFC000, 0x5000000)}),
    "DMA to no memory": ("ALIVE", {"FLYING": translate(0xFFFF0000, 0xFEB00000)}),
    "untranslated": ("ALIVE", {"FLYING": f"{OFF}\n{buffer(0xFFFFF000)}"}),
    "into the kdump kernel": ("SHIELD", {"FLYING": translate(0xFFFF0000, 0x30000000)}),
    "into the kdump kernel's low memory": ("SHIELD", {"FLYING": translate(0xFFFF0000, 0x1000)}),
    "untranslated into the kdump kernel": ("SHIELD", {"FLYING": f"{OFF}\n{buffer(0x30000000)}"}),
    "old page after release": ("FRESH", {"RELEASED": translate(0xFFFFF010, 0x5000010)}),
    "fault after release": ("FRESH", {"RELEASED": fault(NIC)}),
    "old id left in the IOTLB": ("FRESH", {
        "vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3":
            "vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x7"}),
    "no IOTLB invalidation at all": ("FRESH", {
        "vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3": "NONE"}),
    "an id in use given away": ("TAGS", {"DISK RELEASED": tagged(DISK, 3)}),
    "nothing in flight": ("in flight", {translate(0xFFFFF020, 0x5000020): "NONE"}),
    "no new root": ("in flight", {ROOT: "NONE"}),
    "disk not released": ("release", {
        "vtd_inv_desc_cc_devices context invalidate devices sid 0xfa fmask 0x0": "NONE"}),
    "no dump": ("dump", {"SAVED": "NONE"}),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_breakage_is_seen(name: str) -> None:
    judgement, put = BREAKAGES[name]
    assert all(line in GOOD.splitlines() for line in put)
    assert judge(facts(put=put))[judgement] == "fail"


def test_translation_off_in_the_register() -> None:
    assert judge(facts(on_at_end=False))["ON"] == "fail"


def test_old_memory_written_by_software() -> None:
    assert judge(facts(changed=[0x5000000, 0x123000]))["INTACT"] == "fail"
    assert judge(facts(changed=[0x123000], put={
        "FLYING": translate(0xFFFF0000, 0x123000)}))["INTACT"] == "pass"
    # DMA by a released device excuses nothing, nor does DMA before RAM was copied.
    assert judge(facts(changed=[0x123000], put={
        "RELEASED": translate(0xFFFF0000, 0x123000)}))["INTACT"] == "fail"
    assert judge(facts(GOOD.replace("CRASH", "EARLY\nCRASH"), changed=[0x123000], put={
        "EARLY": translate(0xFFFF0000, 0x123000)}))["INTACT"] == "fail"
    assert judge(facts(changed=[]))["INTACT"] == "pass"


def test_old_tables_written_by_software() -> None:
    change = TableChange("context table of bus 00", 0x123008, 0x301, 0, False)
    got = verdict.judge(facts(changed=[0x123000], tables=[change]))["INTACT"]
    assert got.verdict == "fail" and "context table of bus 00: at 0x123008" in got.text
    # The unit's own bits are no change, and excuse their page.
    mark = change._replace(after=0x321, by_hardware=True)
    assert judge(facts(changed=[0x123000], tables=[mark]))["INTACT"] == "pass"
    assert judge(facts(changed=[0x123000, 0x124000], tables=[mark]))["INTACT"] == "fail"
    assert judge(facts(changed=[0x123000], tables=[mark, change]))["INTACT"] == "fail"
    # What only a damaged entry takes for a table may be a device's buffer.
    assert judge(facts(changed=[0x123000], tables=[change], put={
        "FLYING": translate(0xFFFF0000, 0x123000)}))["INTACT"] == "pass"


def test_between_the_two_flushes_of_a_release_old_entries_may_be_used() -> None:
    assert judge(facts(put={"RELEASING": translate(0xFFFFF010, 0x5000010)}))["FRESH"] == "pass"


def test_release_is_the_device_selective_invalidation_after_the_root() -> None:
    run = facts()
    assert run.root is not None and set(run.releases) == {NIC, DISK}
    early = facts(GOOD.replace("CRASH\n", "CRASH\nvtd_inv_desc_cc_devices context invalidate "
                                          "devices sid 0x8 fmask 0x0\n"))
    assert early.root is not None
    assert early.releases[NIC].at > early.root.at
    # A mask of 3 covers all functions of a slot: sid 0xf8 to 0xff.
    wide = facts(put={"vtd_inv_desc_cc_devices context invalidate devices sid 0xfa fmask 0x0":
                      "vtd_inv_desc_cc_devices context invalidate devices sid 0xf8 fmask 0x3"})
    assert {DISK, 0xF8, 0xFB} <= set(wide.releases) and NIC in wide.releases


def test_of_a_blocked_device_nothing_is_cached() -> None:
    """Where all of a unit is blocked an id needs no invalidation; if it was used, it does."""
    put = {"vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x4": "NONE",
           "vtd_inv_desc_iotlb_domain iotlb invalidate whole domain 0x3": "NONE"}
    run = facts(put=put)
    assert run.unflushed(DISK) and run.unflushed(NIC)
    run.row = dataclasses.replace(run.row, crash=f"{run.row.crash} intel_iommu_takeover=block")
    assert not run.unflushed(DISK) and run.unflushed(NIC)


def test_passthrough_is_judged_by_the_device() -> None:
    """In pass-through the IOMMU tells nothing: the card's own words count."""
    quiet = "\n".join(line for line in GOOD.splitlines()
                      if "0x5000" not in line)
    flying = facts(quiet, listing=PASSTHROUGH, put={"FLYING": buffer(0x5000040)})
    got = judge(flying)
    assert got["in flight"] == "pass" and got["ALIVE"] == "pass"
    assert got["INTACT"] == "pass" and got["TAGS"] == "not judged"
    hit = facts(quiet, listing=PASSTHROUGH, put={"FLYING": buffer(0x30000000)})
    assert judge(hit)["SHIELD"] == "fail"
    silent = facts(quiet, listing=PASSTHROUGH)
    assert judge(silent)["in flight"] == "fail"
    # An identity table instead of pass-through must be one.
    bent = facts(quiet, listing=PASSTHROUGH, put={"FLYING": translate(0x5000000, 0x6000000)})
    assert judge(bent)["ALIVE"] == "fail"
    # After its reset the card writes where the new driver says: no longer in flight.
    reset = "e1000e_core_ctrl_sw_reset Doing SW reset"
    after = facts(quiet, listing=PASSTHROUGH,
                  put={"FLYING": f"{buffer(0x5000040)}\n{reset}\n{buffer(0x30000000)}"})
    assert judge(after)["SHIELD"] == "pass"


def test_translated_card_is_judged_by_the_iommu() -> None:
    """With translation on, what the card says are its own addresses, not memory's."""
    got = judge(facts(put={"FLYING": buffer(0x30000000)}))
    assert got["SHIELD"] == "pass"


def test_dump_and_disk() -> None:
    assert judge(facts(dump=Dump(problem="no vmcore on the disk")))["dump"] == "fail"
    assert judge(facts(dump=Dump(9, "Kernel panic - not syncing")))["dmesg"] == "fail"
    assert judge(facts(dump=Dump(9, "vtd-0123")))["dmesg"] == "fail"
    assert judge(facts(dump=Dump(9, "x", fsck="bad inode")))["fsck"] == "fail"


def test_wrong_device() -> None:
    other = [line.replace("8086:10d3", "8086:100e") for line in LISTING]
    assert judge(facts(listing=other))["devices"] == "fail"
    assert judge(facts(listing=LISTING[:-1]))["devices"] == "fail"


def test_as_measured() -> None:
    assert verdict.as_measured([], "clean")
    assert not verdict.as_measured(["ON"], "clean")
    assert verdict.as_measured(["ON", "ALIVE"], ["ON"])
    assert not verdict.as_measured(["ALIVE"], ["ON"])
    assert not verdict.as_measured(["ON", "dump"], ["ON"])
    assert not verdict.as_measured([], ["release"])


def test_host_pauses_do_not_count(tmp_path: Path) -> None:
    run = facts()
    panic = run.marks["panic"].time
    run.pauses = [(panic - 5, panic + 2), (panic + 4, panic + 5)]
    assert run.seconds(panic) == 0
    assert run.seconds(panic + 2) == 0
    assert run.seconds(panic + 4.5) == 2
    assert run.seconds(panic + 6) == 3


def test_result_as_data() -> None:
    run = facts(put={"RELEASED": fault(NIC)})
    data = course.compare(run.row, Kernel("6.12", True), outcome.result(run.row, run))
    assert data["verdict"] == "FAIL" and data["fails"] == ["FRESH"]
    assert data["as_measured"] is False and data["expected"] == "clean"
    assert list(data["invariants"]) == verdict.INVARIANTS
    drawing = data["timeline"]
    assert drawing["translation"] == [[0.0, 1]]
    assert list(drawing["marks"]) == ["panic", "kdump kernel", "dump saved", "new root"]
    nic, disk = drawing["devices"]
    assert (nic["sid"], disk["sid"]) == (NIC, DISK)
    assert nic["released"] > disk["released"] > drawing["marks"]["new root"]
    assert [n for _, n in nic["faulted"]] == [1] and not disk["faulted"]
    assert sum(n for _, n in nic["in_flight"]) == 2
    assert sum(n for _, n in nic["translated"]) == 3
    assert "as_measured" not in course.compare(run.row, Kernel("6.12", False), data)


def test_which_results_are_good() -> None:
    assert course.good({"verdict": "PASS"}) and not course.good({"verdict": "FAIL"})
    assert course.good({"verdict": "FAIL", "as_measured": True})
    assert not course.good({"verdict": "PASS", "as_measured": False})
    assert not course.good({"verdict": "NO RESULT"}) and course.good({"verdict": "SKIP"})


def test_choice_of_rows() -> None:
    rows = scenarios.load()
    assert [r.name for r in kdump.choose(rows, [], [])] == ["cmd-dma-dma"]
    assert [r.name for r in kdump.choose(rows, ["dev-nvme"], [])] == ["dev-nvme"]
    assert len(kdump.choose(rows, [], ["cells"])) == 35
    assert len(kdump.choose(rows, [], ["flts"])) == 9
    with pytest.raises(Failure, match="nonsense"):
        kdump.choose(rows, ["nonsense"], [])
    with pytest.raises(Failure, match="nonsense"):
        kdump.choose(rows, [], ["nonsense"])


def test_said() -> None:
    run = facts()
    run.row = dataclasses.replace(run.row, first_says=["in x2apic mode"], crash_says=["xapic"])
    run.first_log, run.crash_log = ["1.0 DMAR-IR: in x2apic mode"], ["nothing"]
    judged = verdict.judge(run)["said"]
    assert judged.verdict == "fail" and "the kdump kernel" in judged.text
    run.crash_log.append("in xapic mode")
    assert judge(run)["said"] == "pass"
    assert "said" not in judge(facts())


def test_ordinary_kexec() -> None:
    def road(story: str, *log: str) -> dict[str, str]:
        run = facts(story)
        run.first_log = list(log)
        run.row = dataclasses.replace(run.row, road="kexec")
        run.marks["ready"] = run.marks["panic"]
        return judge(run)

    on = "vtd_dmar_enable enable 1"
    assert road(GOOD.replace(on, f"{on}\n{OFF}\n{on}"))["road"] == "pass"
    assert road(GOOD.replace(on, f"{on}\n{OFF}\n{on}"),
                "DMAR: takeover: mode adopt")["road"] == "fail"
    assert road(GOOD)["road"] == "fail"  # it stayed on
    assert road(f"{GOOD}{OFF}\n{on}")["road"] == "fail"  # too late
    assert "road" not in judge(facts())


def test_suspend_before_the_panic() -> None:
    on = "vtd_dmar_enable enable 1"
    run = facts(GOOD.replace(on, f"{on}\n{OFF}\n{on}"))
    run.row = dataclasses.replace(run.row, road="suspend")
    run.marks["ready"] = run.marks["panic"]
    assert judge(run)["road"] == "pass"
    still = facts()
    still.row = run.row
    still.marks["ready"] = still.marks["panic"]
    judged = verdict.judge(still)["road"]
    assert judged.verdict == "fail" and "went on; stock: on, off, on" in judged.text


LIFE = """
vtd_dmar_enable enable 1
FIRST NIC
FIRST DISK
vtd_dmar_enable enable 0
vtd_dmar_enable enable 1
RESUMED NIC
RESUMED DISK
vtd_dmar_enable enable 0
vtd_dmar_enable enable 1
SECOND NIC
SECOND DISK
"""


def live(*, trouble: str = "", log: Sequence[str] = (), on_at_end: bool = True,
         listing: Sequence[str] = LISTING, dump: Dump | None = None,
         **put: str) -> dict[str, verdict.Verdict]:
    """The judgements on a life without a panic; put replaces lines of LIFE."""
    dma = {"NIC": translate(0xFFFFF010, 0x5000010),
           "DISK": translate(0xFFFFE000, 0x5000, "00:1f.02")}
    story = LIFE
    for line in LIFE.strip().splitlines():
        if line.isupper():
            story = story.replace(line, put.get(line.replace(" ", "_").lower(),
                                                dma[line.split()[1]]))
    run = facts(f"PANIC\n{story.strip()}", listing=listing, on_at_end=on_at_end, dump=dump)
    run.row = dataclasses.replace(run.row, road="life")
    run.trouble, run.first_log = trouble, list(log)
    run = dataclasses.replace(run)
    return verdict.judge(run)


def test_ordinary_life() -> None:
    good = live()
    assert verdict.failures(good) == []
    assert {n for n, v in good.items() if v.verdict == "pass"} == {
        "life", "road", "fsck", "devices", "alarms"}
    assert all(good[name].verdict == "not judged" for name in verdict.INVARIANTS)
    assert good["life"].text.count("1 ahci") == 3


LIFE_BREAKAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "the guest complains": ("life", {"trouble": "NOT READY: cannot suspend"}),
    "a card idle after the suspend": ("life", {"resumed_nic": "NONE"}),
    "a disk idle in the second kernel": ("life", {"second_disk": "NONE"}),
    "a fault": ("life", {"resumed_nic": fault(NIC)}),
    "off at the end": ("life", {"on_at_end": False}),
    "on and off once more": ("road", {"first_nic": f"{OFF}\nvtd_dmar_enable enable 1"}),
    "a word of the takeover": ("road", {"log": ["DMAR: takeover: mode adopt"]}),
    "a damaged disk": ("fsck", {"dump": Dump(fsck="bad inode")}),
    "a lost card": ("devices", {"listing": LISTING[:1] + LISTING[2:]}),
}


@pytest.mark.parametrize("name", LIFE_BREAKAGES)
def test_breakage_of_an_ordinary_life_is_seen(name: str) -> None:
    judgement, keys = LIFE_BREAKAGES[name]
    assert live(**keys)[judgement].verdict == "fail"


def test_ordinary_life_in_passthrough_rests_on_the_guests_word() -> None:
    quiet: dict[str, Any] = {
        "first_nic": "NONE", "resumed_nic": "NONE", "second_nic": "NONE",
        "first_disk": "NONE", "resumed_disk": "NONE", "second_disk": "NONE"}
    assert live(listing=PASSTHROUGH, **quiet)["life"].verdict == "pass"
    assert live(**quiet)["life"].verdict == "fail"


def test_ordinary_life_as_data() -> None:
    run = facts()
    run.row = dataclasses.replace(run.row, road="life")
    data = outcome.result(run.row, run)
    assert "timeline" not in data and data["facts"]["in_flight_after_root"] == 0


def test_driver_that_maps_before_it_resets() -> None:
    def early(lines: int, put: dict[str, str], least: int = 1) -> verdict.Verdict:
        run = facts(put=put)
        run.row = dataclasses.replace(run.row, faults={"e1000e": least})
        run.crash_log = ["DMAR: [DMA Write NO_PASID] Request device [00:01.0]"] * lines
        judged = verdict.judge(run)
        assert judged["FRESH"].verdict == "pass"
        return judged["early map"]

    after = {"RELEASED": fault(NIC)}
    assert early(3, after).verdict == "pass"
    assert "1 faults after it; 3 lines" in early(3, after).text
    assert early(1000, after).verdict == "fail"
    assert early(0, {}).verdict == "fail"  # it never faulted: nothing is shown
    assert early(0, {}, least=0).verdict == "pass"
    assert early(3, {**after, translate(0xFFFFF020, 0x5000020): "NONE"}).verdict == "fail"
    assert "early map" not in judge(facts())


# The life of a card that nobody drives: no release, and DMA to the end.
UNDRIVEN = GOOD.replace("DISK RELEASED\n", "BEGIN\nLATE\n")
UNDRIVEN = UNDRIVEN[:UNDRIVEN.index("vtd_inv_desc_cc_devices context invalidate devices sid 0x8 ")]
UNDRIVEN += "SAVED\n"


def undriven(story: str, late: str) -> verdict.Verdict:
    run = facts(story, put={"LATE": late})
    run.row = dataclasses.replace(run.row, undriven=["e1000e"])
    run = dataclasses.replace(run)  # the card is looked up when facts are made
    if "BEGIN" in story:
        run.marks["begin"] = Mark(0.0, next(d.at for d in reversed(run.trace.dmas)
                                            if d.sid == DISK))
    judged = verdict.judge(run)
    assert judged["release"].verdict == "pass"
    return judged["undriven"]


def test_a_device_without_a_driver_goes_on() -> None:
    good = undriven(UNDRIVEN, translate(0xFFFFF030, 0x5000030))
    assert good.verdict == "pass" and "1 DMA in flight after" in good.text
    assert undriven(UNDRIVEN, translate(0xFFFFE000, 0x30001000, "00:1f.02")).verdict == "fail"
    # Released, though its DMA went on before.
    late = GOOD.replace("DISK RELEASED\n", "BEGIN\nLATE\n")
    assert "was released" in undriven(late, translate(0xFFFFF030, 0x5000030)).text
    assert undriven(UNDRIVEN.replace("BEGIN\n", ""), "LATE").verdict == "fail"
    assert "undriven" not in judge(facts())


def reset_before(flying: str, line: str, driver: str = "igb") -> verdict.Verdict:
    listing = [text.replace("e1000e", driver) for text in LISTING]
    run = facts(listing=listing, put={"FLYING": flying})
    card = dataclasses.replace(run.row.devices[1], name="card", functions=[f"8086:10d3 {driver}"])
    row = dataclasses.replace(run.row, devices=[run.row.devices[0], card], resets=["card"])
    evidence.name_functions(run.functions, row.devices)
    run = dataclasses.replace(run, row=row, crash_log=[line])
    return verdict.judge(run)["resets"]


def test_reset_before_its_driver() -> None:
    says = "[3.1] igb 0000:00:01.0: DMAR: takeover: reset before its driver starts"
    reset = "e1000e_cb_qdev_reset_hold igb"
    old = translate(0xFFFFF030, 0x5000030)
    assert reset_before(f"{old}\n{reset}", says).verdict == "pass"
    assert "does not say" in reset_before(f"{old}\n{reset}", says.replace("01.0", "02.0")).text
    assert "was not reset" in reset_before(old, says).text
    assert "between its reset" in reset_before(f"{old}\n{reset}\n{old}", says).text
    # That of another device.
    assert "was not reset" in reset_before(f"{old}\npci_nvme_pci_reset", says).text
    assert "resets" not in judge(facts())


def pulled(log: str, put: dict[str, str] | None = None) -> verdict.Verdict:
    run = facts(UNDRIVEN.replace("FLYING\n", "").replace("CRASH\n", "EARLY\nCRASH\nFLYING\n"),
                put={"LATE": translate(0xFFFFE000, 0x30001000, "00:1f.02"), **(put or {})})
    run.row = dataclasses.replace(run.row, pulled="e1000e")
    run.crash_log = [log]
    # Nothing of it once it is out.
    run.dmas = [d for d in run.dmas if d.sid != NIC or d.at < run.marks["crash"].trace or put]
    return verdict.judge(run)["pulled"]


def test_a_card_that_is_pulled_out() -> None:
    other = "kdump: device 0000:00:1f.2 8086:2922 010601 ahci DMA"
    assert pulled(other).verdict == "pass"
    assert "does not say" in pulled("nothing").text
    assert "has e1000e" in pulled("kdump: device 0000:00:01.0 8086:10d3 020000 - DMA").text
    assert pulled(other, {"FLYING": translate(0xFFFFF030, 0x5000030)}).verdict == "fail"
    assert "pulled" not in judge(facts())


def test_rows_of_devices_that_are_not_as_usual() -> None:
    rows = scenarios.load()
    assert " initcall_blacklist=e1000_init_module intel_iommu=on" in rows[
        "undriven-dma"].crash_line()
    assert "initcall_blacklist" not in rows["undriven-dma"].first_line()
    assert "initcall_blacklist" not in rows["cmd-dma-dma"].crash_line()
    row = rows["cmd-dma-dma"]
    assert "no initcall known of ahci" in scenarios.misuse(
        dataclasses.replace(row, undriven=["ahci"]))
    for key in ("undriven", "resets"):
        wrong = dataclasses.replace(row, **{key: ["igb"]})
        assert scenarios.misuse(wrong) == f"{key}: it has no device igb"
    assert scenarios.misuse(
        dataclasses.replace(row, pulled="igb")) == "pulled: it has no device igb"
    for function, why in {"a b": "is no function", "kmalloc": "nothing shows"}.items():
        assert why in scenarios.misuse(dataclasses.replace(row, enomem=function))


def ats(value: int, dev: str = "00:1f.2") -> str:
    return f"pci_cfg_write virtio-blk-pci {dev} @0x106 <- {value:#x}"


FIRST = "vtd_dmar_enable enable 1"
WITH_ATS = {FIRST: f"{FIRST}\n{ats(0)}\n{ats(0x8000)}", "RELEASING": f"{ats(0)}\n{ats(0x8000)}"}


@pytest.mark.parametrize(("put", "wanted"), [
    (WITH_ATS, "pass"),
    ({**WITH_ATS, "RELEASING": ats(0)}, "pass"),
    # Another function's, and another register.
    ({**WITH_ATS, "FLYING": f"{ats(0, '00:01.0')}\n{ats(0).replace('106', '104')}"}, "pass"),
    ({**WITH_ATS, "FLYING": ats(0)}, "fail"),
    ({**WITH_ATS, "RELEASING": "NONE"}, "fail"),
    ({**WITH_ATS, "RELEASING": ats(0x8000)}, "fail"),
    ({**WITH_ATS, FIRST: f"{FIRST}\n{ats(0x8000)}\n{ats(0)}"}, "fail"),
    ({**WITH_ATS, FIRST: FIRST}, "fail"),
])
def test_ats_stays_on_until_the_release(put: dict[str, str], wanted: str) -> None:
    run = facts(put=put)
    assert "ATS" not in verdict.judge(run)
    run.row = dataclasses.replace(run.row, ats=["ahci"])
    assert judge(run)["ATS"] == wanted


# One line of each alarm, as the kernels print them.
SPLATS = [
    "BUG: KASAN: slab-out-of-bounds in takeover_install+0x12/0x340",
    "BUG: KCSAN: data-race in takeover_release / takeover_release",
    "BUG: sleeping function called from invalid context at mm/page_alloc.c:4500",
    "BUG: unable to handle page fault for address: ffffc90000000000",
    "[ BUG: Invalid wait context ]",
    "BUG kmalloc-64 (Not tainted): Poison overwritten",
    "WARNING: possible circular locking dependency detected",
    "WARNING: suspicious RCU usage",
    "WARNING: CPU: 0 PID: 1 at drivers/iommu/intel/iommu.c:1 x+0x1/0x2",
    "UBSAN: shift-out-of-bounds in drivers/iommu/intel/takeover/tables.c:7:9",
    "DMA-API: e1000e 0000:00:02.0: device driver frees DMA memory with wrong function",
    "DMA-API: debugging out of memory - disabling",
    "ODEBUG: activate active (active state 1) object: 0 object type: timer_list",
    "INFO: trying to register non-static key.",
    "kernel BUG at mm/slub.c:123!",
    "Oops: 0000 [#1] PREEMPT SMP KASAN",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:1]",
    "watchdog: Watchdog detected hard LOCKUP on cpu 0",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
    "INFO: task makedumpfile:99 blocked for more than 120 seconds.",
    "list_add corruption. next->prev should be prev",
    "------------[ cut here ]------------",
]
# And what is no alarm.
QUIET = [
    "DMA-API: preallocated 65536 debug entries",
    "DMA-API: debugging enabled by kernel config",
    "kasan: KernelAddressSanitizer initialized (generic)",
    "DMAR: [Firmware Bug]: RMRR entry for device 00:10.0 is broken - applying workaround",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled",
    "EXT4-fs (sda): warning: mounting fs with errors",
    "Kernel panic - not syncing: NMI: Not continuing",
    "kdump: makedumpfile: BUG: of another program",
]


@pytest.mark.parametrize("which", ["first_log", "crash_log"])
@pytest.mark.parametrize("stamp", ["", "[   12.345678] "])
@pytest.mark.parametrize("line", SPLATS)
def test_an_alarm_of_either_kernel_fails_a_row(line: str, stamp: str, which: str) -> None:
    run = dataclasses.replace(facts(), **{which: ["[    0.1] Linux version", stamp + line]})
    assert verdict.failures(verdict.judge(run)) == ["alarms"]
    assert line in verdict.judge(run)["alarms"].text


@pytest.mark.parametrize("line", QUIET)
def test_what_is_no_alarm(line: str) -> None:
    run = dataclasses.replace(facts(), first_log=[line], crash_log=[f"[    1.000000] {line}"])
    assert verdict.failures(verdict.judge(run)) == []


def test_a_warning_that_a_row_knows() -> None:
    cut = "------------[ cut here ]------------"
    known = "WARNING: CPU: 0 PID: 1 at drivers/a.c:17 known+0x2d/0x39"
    run = dataclasses.replace(facts(), row=dataclasses.replace(facts().row, warns=["known"]))
    assert not verdict.failures(verdict.judge(dataclasses.replace(run, crash_log=[cut, known])))
    for logs in ({"crash_log": [cut, known, cut, SPLATS[0]]}, {"first_log": [cut, known]},
                 {"crash_log": [cut]}, {"crash_log": [known.replace("known", "unknown")]}):
        assert verdict.failures(verdict.judge(dataclasses.replace(run, **logs))) == ["alarms"]


def test_alarms_in_a_life_without_a_panic() -> None:
    row = scenarios.load()["life"]
    run = dataclasses.replace(facts(), row=row, first_log=[SPLATS[0]])
    assert "alarms" in verdict.failures(verdict.judge(run))


def test_what_stock_warns_of_is_not_held_against_what_was_measured() -> None:
    run = facts()
    warned = {"verdict": "FAIL", "fails": ["alarms"]}
    assert course.compare(run.row, Kernel("6.12", True), warned)["as_measured"]
    assert not course.good(course.compare(run.row, Kernel("6.12", False), warned))


def test_releases_by_registers_are_the_kernels_word() -> None:
    """There all is forgotten at each release: whose it was only the kernel says, if it does."""
    story = re.sub(r"vtd_inv_desc_cc_devices .*", "vtd_inv_desc_cc_global context", GOOD)
    story = re.sub(r"iotlb invalidate whole domain .*", "iotlb invalidate global",
                   story.replace("vtd_inv_desc_iotlb_domain", "vtd_inv_desc_iotlb_global"))
    lines = story.strip().splitlines()
    log = [f"x 0000:00:{at}: DMAR: takeover: released, 1 requester ids" for at in ("1f.2", "01.0")]
    # A second from line to line; the first time goes with the root.
    times = [100.01 + n for n, line in enumerate(lines) if "cc_global" in line][1:]
    by_registers = "DMAR: dmar0: Using Register based invalidation"

    run = dataclasses.replace(facts(story), crash_log=[by_registers, *log],
                              crash_times=[100.0, *times])
    assert set(run.releases) == {NIC, DISK}
    assert verdict.failures(verdict.judge(run)) == []
    # A line that comes too early, or none; a unit with a queue, which has to name the device.
    for spoilt in (dataclasses.replace(run, crash_times=[100.0, 100.5, times[1]]),
                   dataclasses.replace(run, crash_log=[by_registers, log[1]],
                                       crash_times=[100.0, times[1]]),
                   dataclasses.replace(run, crash_log=log, crash_times=times)):
        assert DISK not in spoilt.releases
        assert verdict.judge(spoilt)["release"].verdict == "fail"
