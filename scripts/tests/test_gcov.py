# SPDX-License-Identifier: GPL-2.0-only
"""Coverage: how gcovr's figures are read, and what fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import gcov
from common import TOP, Failure
from gcov import Figures, File, Hole

TEXT = """\
int f(int a)
{
    if (a)
        return 1;
    return 0;
}

int g(void)
{
    return 1;
}
""".splitlines()

NEVER = Hole("a.c", "f", "return 1;")
ONE_WAY = Hole("a.c", "f", "if (a)", 1)


def data(*lines: tuple[int, int, Sequence[int]]) -> dict[str, Any]:
    return {
        "file": "drivers/a.c",
        "functions": [{"lineno": 8, "name": "g"}, {"lineno": 1, "name": "f"}],
        "lines": [{"line_number": number, "count": count, "gcovr/noncode": False,
                   "branches": [{"count": n} for n in branches]}
                  for number, count, branches in lines] +
                 [{"line_number": 7, "count": 0, "gcovr/noncode": True, "branches": []}],
    }


def test_a_file_is_read() -> None:
    file = gcov.read_file(data((1, 5, []), (3, 5, [0, 5]), (4, 0, []), (10, 0, [0, 0])), TEXT)
    assert (file.name, file.lines, file.run, file.branches, file.taken) == ("a.c", 4, 2, 4, 1)
    # A line that never runs is one hole, whatever it decides.
    assert file.holes == [ONE_WAY, NEVER, Hole("a.c", "g", "return 1;")]
    assert "2 of    4 lines  50.0 %" in file.row()


def test_all_but_one_is_not_all() -> None:
    assert gcov.percent(9999, 10000) == " 99.9 %"
    assert gcov.percent(5, 5) == gcov.percent(0, 0) == "100.0 %"


def of(lines: int, run: int, branches: int, taken: int, *holes: Hole) -> list[File]:
    return [File("a.c", lines, run, branches, taken, list(holes))]


def test_the_bars() -> None:
    def judge(lines: int, run: int, branches: int, taken: int) -> list[str]:
        return gcov.judge(of(lines, run, branches, taken), ["a.c"], Counter())

    assert judge(1000, 950, 100, 90) == []
    assert judge(1000, 949, 100, 90) == ["lines: 94.9 % are less than 95 %"]
    assert judge(1000, 950, 1000, 899) == ["branches: 89.9 % are less than 90 %"]
    # Nothing measured is nothing proved.
    assert judge(0, 0, 0, 0) == ["lines: 100.0 % are less than 95 %"]
    assert gcov.judge(of(10, 10, 0, 0), ["a.c", "b.c"], Counter()) == [
        "b.c: nothing of it is executed, or it is not built"]


def test_every_hole_is_explained_once_and_no_other() -> None:
    files = of(100, 99, 100, 99, NEVER, ONE_WAY)

    def judge(*explained: Hole) -> list[str]:
        return gcov.judge(files, ["a.c"], Counter(explained))

    assert judge(NEVER, ONE_WAY) == []
    assert judge(ONE_WAY) == ["not explained: a.c, f(): never runs: return 1;"]
    assert judge(NEVER) == ["not explained: a.c, f(): 1 of its branches never taken: if (a)"]
    # It runs by now, or the line is another one.
    assert judge(NEVER, ONE_WAY, NEVER) == [
        "explained, and not so: a.c, f(): never runs: return 1;"]
    # Another branch of a line that was explained.
    assert len(judge(NEVER, Hole("a.c", "f", "if (a)", 2))) == 2
    # Two lines that read alike are two.
    files = of(100, 98, 100, 100, NEVER, NEVER)
    assert len(judge(NEVER)) == 1 and judge(NEVER, NEVER) == []


def test_explanations_are_read(tmp_path: Path) -> None:
    path = tmp_path / "u.toml"
    entry = '[[hole]]\nfile = "a.c"\nfunction = "f"\nline = "if (a)"\n'
    path.write_text(f'{entry}branches = 1\nwhy = "b"\n{entry}branches = 1\nwhy = "b"\n')
    assert gcov.explanations(path) == {ONE_WAY: 2}
    assert not gcov.explanations(path, "unfuzzed")
    for bad in ("", 'why = ""\n', 'why = 1\n', 'why = "b"\nbranches = "1"\n',
                'why = "b"\nlineno = 3\n'):
        path.write_text(entry + bad)
        with pytest.raises(Failure, match="an entry needs"):
            gcov.explanations(path)


def test_ours_can_be_read() -> None:
    assert gcov.explanations(gcov.EXPLAINED)
    assert gcov.explanations(gcov.EXPLAINED, "unfuzzed")


def test_all_of_the_core_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*paths: Path) -> list[dict[str, Any]]:
        return [{"file": str(path.relative_to(TOP)), "functions": [], "lines": []}
                for path in paths]

    there = [gcov.TAKEOVER / "unit.c", gcov.TAKEOVER / "guard.c", gcov.TAKEOVER / "gone.c",
             gcov.MODEL / "unit.cpp"]
    monkeypatch.setattr(gcov, "needed", lambda: None)
    monkeypatch.setattr(gcov, "build", lambda: None)
    monkeypatch.setattr(gcov, "execute", lambda *programs: found(*there))
    figures = gcov.check()
    assert [f.name for f in figures.takeover] == ["unit.c", "guard.c"]
    assert [f.name for f in figures.model] == ["unit.cpp"]
    # Of what the fuzzer executes the guard alone is judged.
    assert [f.name for f in figures.fuzzed] == ["guard.c"]
    missing = {p.removesuffix(": nothing of it is executed, or it is not built")
               for p in figures.problems if "it is not built" in p}
    assert {"block.c", "tables.c", "by the fuzzer: memo.c"} <= missing
    assert not missing & {"unit.c", "guard.c", "by the fuzzer: guard.c", *gcov.KERNEL_ONLY,
                          "tables_test.c"}


def test_the_command_fails_and_says_why(monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    figures = Figures(of(4, 4, 2, 2), [File("m.cpp", 4, 1, 0, 0)], of(3, 3, 2, 1))
    monkeypatch.setattr("sys.argv", ["gcov.py"])
    monkeypatch.setattr(gcov, "check", lambda: figures)
    assert gcov.command() == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == ("takeover: 4 of 4 lines (100.0 %), 2 of 2 branches (100.0 %); "
                    "fuzzed: 3 of 3 lines (100.0 %), 1 of 2 branches (50.0 %); "
                    "model: 1 of 4 lines (25.0 %), 0 of 0 branches (100.0 %)")
    figures.problems = ["not explained: x"]
    assert gcov.command() == 1
    assert "not explained: x\n" in capsys.readouterr().out
