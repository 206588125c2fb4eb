# SPDX-License-Identifier: GPL-2.0-only
"""What of checkpatch's output counts, and what is built."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

import lint
from series import Step
from tally import Tally

SAID = "{kind}: words\n#28: FILE: drivers/iommu/intel/takeover/{file}:28:\n+\tTP_STRUCT__entry(\n"


@pytest.mark.parametrize(("kind", "file", "counts"), [
    ("CHECK:OPEN_ENDED_LINE", "trace.h", False),
    ("CHECK:SPACING", "trace.h", False),
    ("CHECK:OPEN_ENDED_LINE", "trace.c", True),
    ("WARNING:LONG_LINE", "trace.h", True),
])
def test_the_macros_of_tracepoints_are_no_calls(kind: str, file: str, counts: bool) -> None:
    said = SAID.format(kind=kind, file=file)
    assert bool(lint.complaints(said)) == counts
    other = SAID.format(kind="ERROR:X", file="glue.c")
    assert "glue.c" in lint.complaints(f"{said}\n{other}\n")


def builds(monkeypatch: pytest.MonkeyPatch, thorough: bool, warns: str = "") -> tuple[Tally, int]:
    """Pretend to build a series of two patches; return the tests, and the number of builds."""
    done: list[str] = []

    def warnings(_: object, files: dict[str, str], wanted: str, __: int) -> Counter[str]:
        done.append(wanted)
        return Counter([warns] if warns and warns in (files.get("b"), wanted[-len(warns):]) else [])

    monkeypatch.setattr(lint, "Tree", lambda *_: SimpleNamespace(lock=nullcontext))
    monkeypatch.setattr(lint, "warnings", warnings)
    tally = Tally()
    source: Any = SimpleNamespace(version="6.12")
    lint.build(tally, source, [Step("one", "", {"a": "1"}), Step("two", "", {"b": "odd"})], 1,
               thorough)
    return tally, len(done)


def test_the_whole_series_is_always_built(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, count = builds(monkeypatch, thorough=False)
    # The pristine tree, the whole series, and the same without the takeover.
    assert (tally.passed, tally.failed, count) == (2, 0, 3)
    assert builds(monkeypatch, False, "odd")[0].failed == 2
    assert builds(monkeypatch, False, lint.OFF + lint.NO_TESTS)[0].failed == 1


def test_a_thorough_lint_builds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, count = builds(monkeypatch, thorough=True)
    narrow = sum(lint.NARROW in lines for lines in lint.CONFIGURATIONS.values())
    assert tally.passed == 2 + len(lint.VARIANTS) + len(lint.CONFIGURATIONS)
    assert count == 1 + tally.passed + narrow
