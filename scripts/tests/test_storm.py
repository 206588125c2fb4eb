# SPDX-License-Identifier: GPL-2.0-only
"""The judgement on a fault storm, on a made-up run: good once, then broken in each way."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import scenarios
import verdict
from common import Failure
from evidence import Facts
from test_verdict import GOOD, LISTING, facts

TULIP = 0x88
LINE = "DMAR: takeover: dmar0: 00:11.0: it faults again and again, reason 0x6: not recorded"
FAULT = f"vtd_dmar_fault sid {TULIP:#x} fault 6 addr 0x70000000 write 0"
INTERRUPT = "vtd_irq_generate addr 0xfee00000 data 0x20"
SILENT = "vtd_fault_disabled Fault processing disabled for context entry"


def storm(before: str = FAULT, after: str = f"{FAULT}\n{INTERRUPT}", silent: int = 20_000,
          lines: int = 1) -> dict[str, verdict.Verdict]:
    """A storm from the kdump kernel's first line on; what comes before and after the new root."""
    story = GOOD.replace("CRASH\n", f"CRASH\n{before}\n")
    card = "kdump: device 0000:00:11.0 1011:0019 020000 - DMA"
    run: Facts = facts(story, listing=[*LISTING, card],
                       put={"FLYING": after, "RELEASED": "\n".join([SILENT] * silent)})
    run.functions[-1].device = next(
        d for d in scenarios.load()["storm"].devices if d.name == "tulip")
    run.row = dataclasses.replace(run.row, storm=True, faulting=["tulip"])
    run.crash_log = [LINE] * lines
    run.__post_init__()
    return verdict.judge(run)


def test_a_storm_that_is_silenced() -> None:
    judged = storm()
    assert judged["storm"].verdict == "pass", judged["storm"].text
    assert "1 interrupts, 1 of them after the new root; 1 lines" in judged["storm"].text
    assert judged["ALIVE"].verdict == "pass"  # its faults are what the row is for
    assert "storm" not in verdict.judge(facts())


@pytest.mark.parametrize("wrong", [
    {"silent": 19_000},  # no storm
    {"lines": 0}, {"lines": 2},
    {"after": "\n".join([FAULT, INTERRUPT] * 73)},
])
def test_a_storm_that_is_not(wrong: dict[str, Any]) -> None:
    assert storm(**wrong)["storm"].verdict == "fail"


def test_others_have_to_live_on() -> None:
    other = FAULT.replace(f"{TULIP:#x}", "0x8")
    assert storm(before=other)["ALIVE"].verdict == "fail"


@pytest.mark.parametrize("keys", ["storm = true", "storm_late = true"])
def test_rows_that_make_no_sense(tmp_path: Path, keys: str) -> None:
    file = tmp_path / "scenarios.toml"
    file.write_text(scenarios.FILE.read_text() + f"\n[row.odd]\n{keys}\n")
    with pytest.raises(Failure, match="storm"):
        scenarios.load(file)
