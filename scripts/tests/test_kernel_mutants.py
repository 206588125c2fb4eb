# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of the kernel's side: what their heads say, and how the test of each is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import emulator
import kernel
import kernel_mutants
import kunit
import scenarios
import series
from common import TOP, Failure
from kernel_mutants import Mutant

TESTS = TOP / "drivers/iommu/intel/takeover"


def test_every_mutant_names_a_test_that_there_is() -> None:
    found = kernel_mutants.load()
    assert len(found) >= 14
    suites = "".join(path.read_text() for path in TESTS.glob("*_test.c"))
    rows = scenarios.load()
    for mutant in found:
        if mutant.row:
            # What fails on the whole kernel, too, would show nothing.
            assert mutant.breaks not in rows[mutant.row].takeover, mutant
        else:
            assert re.search(rf"KUNIT_CASE(_PARAM)?\({mutant.breaks}\b", suites), mutant
    assert [m.name for m in kernel_mutants.load(["interrupt-needed"])] == ["interrupt-needed"]
    with pytest.raises(Failure, match="no such mutant"):
        kernel_mutants.load(["nonsense"])


@pytest.mark.parametrize("head", ["// file: a.c\n", "// file: a.c\n// row: x\n",
                                  "// file: a.c\n// kunit: x\n// row: y\n// breaks: z\n"])
def test_a_head_that_says_too_little_or_too_much(tmp_path: Path, head: str) -> None:
    patch = tmp_path / "x.cocci"
    patch.write_text(head)
    with pytest.raises(Failure, match="its head"):
        Mutant.read(patch)


def test_a_place_is_found_or_named(tmp_path: Path) -> None:
    patch = tmp_path / "x.cocci"
    patch.write_text("// file: a.c\n@@\n@@\n- f();\n+ g();\n")
    files = {"a.c": "void h(void)\n{\n\tf();\n}\n", "b.c": "f();\n"}
    assert series.broken(files, patch) == {**files, "a.c": files["a.c"].replace("f()", "g()")}
    with pytest.raises(Failure, match="x.cocci: finds no place in a.c"):
        series.broken({"a.c": "int a;\n"}, patch)
    with pytest.raises(Failure, match="no file a.c"):
        series.broken({}, patch)


@pytest.mark.parametrize(("fails", "verdict", "said"), [
    (["ON", "dump"], "FAIL", ""),
    (["ON"], "FAIL", "OTHER"),
    ([], "PASS", "SURVIVED"),
    ([], "NO RESULT", "NO RESULT"),
])
def test_a_row_kills_by_the_judgement_that_is_named(
        monkeypatch: pytest.MonkeyPatch, fails: list[str], verdict: str, said: str) -> None:
    ran: list[tuple[Any, ...]] = []

    def run_row(row: Any, kernel: Any, images: Any, *_: Any, **__: Any) -> dict[str, Any]:
        ran.append((row.name, kernel.name, images.crash))
        return {"verdict": verdict, "fails": fails, "why": "spoilt"}

    monkeypatch.setattr(kernel, "build", lambda *_, **__: Path("image"))
    monkeypatch.setattr(emulator, "find", lambda _: None)
    monkeypatch.setattr(kernel_mutants, "run_row", run_row)
    mutant = Mutant(Path("x.cocci"), "crash-nolapic", "dump")
    assert kernel_mutants.attempt(mutant).startswith(said)
    assert bool(kernel_mutants.attempt(mutant)) == bool(said)
    assert ran[0] == ("crash-nolapic", "6.12-takeover-broken", Path("image"))


@pytest.mark.parametrize(("outcomes", "said"), [
    ([("suite.held", "FAIL"), ("suite.other", "PASS")], ""),
    ([("suite.held.legacy", "PASS"), ("suite.held.scalable", "FAIL")], ""),
    ([("suite.held", "PASS"), ("suite.other", "FAIL")], "OTHER"),
    ([("suite.held", "PASS")], "SURVIVED"),
])
def test_kunit_kills_by_the_test_that_is_named(
        monkeypatch: pytest.MonkeyPatch, outcomes: list[tuple[str, str]], said: str) -> None:
    monkeypatch.setattr(kernel, "build", lambda *_, **__: Path("image"))
    monkeypatch.setattr(kunit, "outcomes", lambda *_: (outcomes, ""))
    answer = kernel_mutants.attempt(Mutant(Path("x.cocci"), "", "held"))
    assert answer.startswith(said) and bool(answer) == bool(said)
