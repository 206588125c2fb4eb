# SPDX-License-Identifier: GPL-2.0-only
"""Mutants: what their heads say, how a run of theirs is read, what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mutants
from common import TOP, Failure
from gcov import KERNEL_ONLY
from mutants import Mutant
from verdict import INVARIANTS

TAKEOVER = TOP / "drivers/iommu/intel/takeover"


def test_every_mutant_says_what_it_breaks() -> None:
    found = mutants.load()
    assert len(found) >= 60
    for mutant in found:
        assert (TAKEOVER / mutant.file).exists(), mutant
        assert mutant.breaks in {*INVARIANTS, "ACCESS", "FLOOR", mutants.WRONG,
                                 mutants.CRASH}, mutant
    # Each file of the core has some; the others have nothing that could be tested here.
    code = {path.name for path in TAKEOVER.glob("*.c")} - set(KERNEL_ONLY)
    assert {m.file for m in found} == {name for name in code if not name.endswith("_test.c")}
    assert [m.name for m in mutants.load(["ids-not-reserved"])] == ["ids-not-reserved"]
    with pytest.raises(Failure, match="no such mutant"):
        mutants.load(["nonsense"])


def test_a_head_that_says_nothing(tmp_path: Path) -> None:
    patch = tmp_path / "x.cocci"
    patch.write_text("// file: release.c\n@@\n@@\n- a\n")
    with pytest.raises(Failure, match="its head"):
        Mutant.read(patch)


@pytest.mark.parametrize(("status", "output", "how"), [
    (0, "PASSED", ""),
    (1, 'C++ exception with description "FRESH: 00:01.0 reads 0x1000', "FRESH"),
    (1, "Expected equality of these values:", mutants.WRONG),
    (-11, "", mutants.CRASH),
])
def test_how_it_ended(status: int, output: str, how: str) -> None:
    assert mutants.ended(status, output) == how


def test_what_was_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def attempt(mutant: Mutant) -> str:
        ran.append(mutant.name)
        return "FRESH" if mutant.name == "a" else ""

    monkeypatch.setattr(mutants, "BUILD", tmp_path)
    monkeypatch.setattr(mutants, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(mutants, "attempt", attempt)
    both = [Mutant("a", "release.c", "FRESH"), Mutant("b", "unit.c", "ON")]
    for mutant in both:
        mutant.program.write_text("1")
    assert mutants.run_all(both, False, 1) == {"a": "FRESH", "b": ""}
    assert mutants.run_all(both, False, 1) == {"a": "FRESH", "b": ""} and ran == ["a", "b"]
    both[1].program.write_text("2")
    mutants.run_all(both, False, 1)
    assert ran == ["a", "b", "b"]
    mutants.run_all(both, True, 1)
    assert ran == ["a", "b", "b", "a", "b"]
    assert "SURVIVED b" in mutants.verdict(both[1], "")
    assert "OTHER b" in mutants.verdict(both[1], "FRESH")
