# SPDX-License-Identifier: GPL-2.0-only
"""Counts: functions taken out of a source, dumps read, and figures that must not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import counts
import stock
from common import Failure
from counts import Cost, Row
from source import Source
from tally import Tally

MADE_UP = """\
#define DEPTH\t3
#define LONG(a, b)\t\\
\tdo {\t\t\\
\t\tf(a);\t\\
\t} while (b)
# define LONGER 4

struct pile {
\tint height;
\tstruct {
\t\tint stone;
\t} top;
} __packed;

struct other {
\tint x;
};

static int weigh(struct pile *pile);
extern int count(struct pile *pile,
\t\t int from);

static int weigh(struct pile *pile)
{
\tif (pile->height) {
\t\treturn count(pile, 1);
\t}
\treturn 0;
}

/* Says count(pile) and means nothing by it. */
static inline void
drop(struct pile *pile, u8 how)
{
\tweigh(pile);
}

struct pile *count_all(struct pile *pile,
\t\t       int from)
{
\treturn pile;
}
"""


@pytest.mark.parametrize(("name", "first", "last"), [
    ("DEPTH", "#define DEPTH\t3", "#define DEPTH\t3"),
    ("LONG", "#define LONG(a, b)\t\\", "\t} while (b)"),
    ("LONGER", "# define LONGER 4", "# define LONGER 4"),
    ("struct pile", "struct pile {", "} __packed;"),
    ("weigh", "static int weigh(struct pile *pile)", "}"),
    ("drop", "static inline void", "}"),
    ("count_all", "struct pile *count_all(struct pile *pile,", "}"),
])
def test_a_definition_is_found(name: str, first: str, last: str) -> None:
    found = stock.definition(MADE_UP, name)
    assert found is not None
    lines = found.splitlines()
    assert (lines[0], lines[-1]) == (first, last)
    assert "other" not in found


def test_the_whole_function_and_no_more() -> None:
    assert stock.definition(MADE_UP, "weigh") == """\
static int weigh(struct pile *pile)
{
\tif (pile->height) {
\t\treturn count(pile, 1);
\t}
\treturn 0;
}
"""


@pytest.mark.parametrize("name", ["count", "pile", "struct heap", "height", "DEPT"])
def test_what_is_not_defined_is_not_found(name: str) -> None:
    assert stock.definition(MADE_UP, name) is None


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    source = Source("6.12", tmp_path, "6.12.1")
    (tmp_path / "a.c").write_text(MADE_UP)
    text = stock.extract(source, (("a.c", ("DEPTH", "weigh")),))
    assert "#define DEPTH" in text and "return count(pile, 1);" in text and "6.12.1" in text
    with pytest.raises(Failure, match="no definition of count in a.c of Linux 6.12.1"):
        stock.extract(source, (("a.c", ("weigh", "count")),))
    with pytest.raises(Failure, match="Linux 6.12.1 has no b.c"):
        stock.extract(source, (("b.c", ("weigh",)),))


DUMP = """\
desc: Trigger: Client Request: adoption/scalable/16/takeover

fn=adopt_table
335 20
cfn=takeover_reserve_pasids
calls=10 85
+3 700
cfi=/a/other.c
cfn=vtd_reserve_did
calls=10 1
* 50
fn=judge_entry
10 2
cfi=/a/pasid.c
cfn=takeover_reserve_pasids
calls=6 85
12 300

totals: 1234
"""


def test_a_dump_is_read() -> None:
    assert counts.total(DUMP) == 1234
    assert counts.inclusive(DUMP, "takeover_reserve_pasids") == 1000
    assert counts.inclusive(DUMP, "takeover_reserve") == 0
    with pytest.raises(Failure):
        counts.total("fn=x\n")


def cost(instructions: int) -> dict[str, Cost]:
    """As measure() has it, without PASIDs."""
    return {"all": Cost(instructions), "pasids": Cost()}


def test_like_is_put_beside_like() -> None:
    where = "scalable/16"
    rows = counts.compare({
        f"adoption/{where}/takeover": {"all": Cost(1000, 34, 300), "pasids": Cost(400, 32, 200)},
        f"adoption/{where}/stock": cost(500),
        f"idle/{where}/takeover": cost(5),
        f"idle/{where}/stock": cost(10),
        f"release/{where}/takeover": cost(210),
        f"release/{where}/stock": cost(310),
        f"fill/{where}/stock": cost(160),
    })
    assert [(r.phase, r.ours, r.stock) for r in rows] == [
        ("adoption", Cost(600, 2, 100), Cost(500)),
        ("PASIDs", Cost(400, 32, 200), None),
        ("attach", Cost(350), Cost(300)),
        ("release", Cost(200), Cost(150)),
    ]


def line(phase: str, per_entry: float, base: int = 1000, stock_too: int = 100_000_000
         ) -> list[Row]:
    """A phase that is linear."""
    return [Row(phase, "legacy", n, Cost(base + round(per_entry * n), n, 8 * n), Cost(stock_too))
            for n in (1, 16, 64, 256, 1024, 4096)]


def kept(rows: list[Row], compiler: str = "gcc 1") -> Any:
    """Their baseline."""
    return json.loads(counts.as_json(rows, compiler, Source("6.12", Path(), "6.12.1")))


def test_what_was_kept_passes() -> None:
    rows = line("adoption", 40) + line("attach", 700)
    assert counts.judge(rows, "gcc 1", kept(rows)) == ([], "")
    # Less is no fault, nor is a little more.
    assert counts.judge(line("adoption", 38) + line("attach", 720), "gcc 1", kept(rows))[0] == []


def test_a_regression_fails() -> None:
    problems, _ = counts.judge(line("adoption", 42), "gcc 1", kept(line("adoption", 40)))
    # One entry is nothing beside what all worlds cost.
    assert [p.split(":")[0] for p in problems] == [
        f"adoption/legacy/{n}" for n in (64, 256, 1024, 4096)]
    assert "4.6% more than the 11240" in problems[1]


@pytest.mark.parametrize("what", ["mappings", "bytes"])
def test_one_more_mapping_fails(what: str) -> None:
    baseline = kept(line("adoption", 40))
    baseline["figures"]["adoption/legacy/16"][what] -= 1
    problems, _ = counts.judge(line("adoption", 40), "gcc 1", baseline)
    assert len(problems) == 1 and problems[0].startswith("adoption/legacy/16: ")
    assert what in problems[0]


def test_the_baseline_has_to_be_whole() -> None:
    rows = line("adoption", 40)
    problems, _ = counts.judge(rows[:-1], "gcc 1", kept(rows))
    assert problems == ["adoption/legacy/4096: in the baseline, and not counted"]
    problems, _ = counts.judge(rows, "gcc 1", kept(rows[:-1]))
    assert problems == ["adoption/legacy/4096: not in the baseline: counts.py --keep"]


def test_dearer_than_stock_fails() -> None:
    def rows(phase: str, ours: int) -> list[Row]:
        return [Row(phase, "legacy", 16, Cost(ours), Cost(1000))]

    assert counts.judge(rows("attach", 1200), "gcc 1", kept(rows("attach", 1200)))[0] == []
    assert counts.judge(rows("attach", 1201), "gcc 1", kept(rows("attach", 1201)))[0] == [
        "attach/legacy/16: 1.201 times stock, 1.2 is the bound"]
    # Told only.
    assert counts.judge(rows("release", 1300), "gcc 1", kept(rows("release", 1300)))[0] == []


def test_what_is_not_linear_fails() -> None:
    rows = [Row("adoption", "legacy", n, Cost(1000 + 40 * n + n * n // 16), Cost(10 ** 9))
            for n in (1, 16, 64, 256, 1024, 4096)]
    problems, _ = counts.judge(rows, "gcc 1", kept(rows))
    assert len(problems) == 2 and all("not linear" in p for p in problems)
    # A table more, in steps of whole tables, is no reason.
    tables = [Row("adoption", "legacy", n, Cost(1000 + 40 * n + 1000 * -(-n // 256)), Cost(10 ** 9))
              for n in (1, 16, 64, 256, 1024, 4096)]
    assert counts.judge(tables, "gcc 1", kept(tables))[0] == []


def test_another_compiler_is_not_held_to_the_baseline() -> None:
    rows = line("adoption", 80, stock_too=1000)
    problems, left_out = counts.judge(rows, "gcc 2", kept(line("adoption", 40)))
    assert "gcc 1" in left_out and "gcc 2" in left_out
    # The other bounds count.
    assert problems and all("times stock" in p for p in problems)


def test_each_phase_is_a_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                              capsys: pytest.CaptureFixture[str]) -> None:
    baseline = tmp_path / "counts.json"
    baseline.write_text(json.dumps(kept(line("adoption", 40) + line("attach", 700))))
    monkeypatch.setattr(counts, "BASELINE", baseline)
    monkeypatch.setattr(counts, "count", lambda source: (line("adoption", 50) + line("attach", 700),
                                                         "gcc 1"))
    monkeypatch.setattr(counts, "find", lambda version: Source("6.12", Path(), "6.12.1"))
    tally = Tally()
    counts.check(tally)
    assert (tally.passed, tally.failed) == (1, 1)
    printed = capsys.readouterr().out
    assert "FAIL counts: adoption/legacy" in printed and "PASS counts: attach/legacy" in printed


def walk(tables: int, size: int, known: int) -> list[Row]:
    """A walk of the guard's."""
    return [Row("guard", "4K", 16, Cost(3000 * tables, 1, size), None, tables, known)]


def test_a_table_read_twice_fails() -> None:
    good = walk(8000, 8000 * 4096, 8000 * 16)
    assert counts.judge(good, "gcc 1", kept(good)) == ([], "")
    bad = walk(8000, 16000 * 4096, 8000 * 16)
    assert counts.judge(bad, "gcc 1", kept(bad))[0] == [
        "guard/4K/16: 8192 bytes read of a table, 4096 are in it"]


def test_what_is_known_of_a_table_has_a_bound() -> None:
    bad = walk(8000, 8000 * 4096, 8000 * 17)
    assert counts.judge(bad, "gcc 1", kept(bad))[0] == [
        "guard/4K/16: 17.0 bytes to know a table again, 16 is the bound"]
    # A page is much for a handful.
    few = walk(3, 3 * 4096, 4096)
    assert counts.judge(few, "gcc 1", kept(few))[0] == []


def test_the_guard_has_figures_of_its_own() -> None:
    rows = walk(8000, 8000 * 4096, 8000 * 12)
    figure = kept(rows)["figures"]["guard/4K/16"]
    assert figure == {"instructions": 24000000, "mappings": 1, "bytes": 8000 * 4096,
                      "stock": None, "tables": 8000, "known": 96000}
    assert "3000.0" in counts.guard_table(rows) and "12.0" in counts.guard_table(rows)


def test_what_is_checked_in() -> None:
    baseline = json.loads(counts.BASELINE.read_text())
    assert baseline["compiler"] and baseline["linux"]
    assert {name.split("/")[0] for name in baseline["figures"]} == {
        "adoption", "PASIDs", "interrupts", "attach", "release", "guard"}
    for name, figure in baseline["figures"].items():
        phase, mode, _ = name.split("/")
        if phase in counts.JUDGED and mode not in counts.TOLD:
            assert figure["instructions"] <= counts.RATIO * figure["stock"], name
